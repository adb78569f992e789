"""How far the load can grow, beside closed forms: replicas that are M/M/1 queues each."""

from __future__ import annotations

import math

import pytest
from test_plans_of_queues import WORK_S, queue

import meshsim as ms
from meshsim.planning.result import Growing

LIMIT_S = 0.040
EACH_PER_S = 1.0 / WORK_S - math.log(10.0) / LIMIT_S  # of which one replica answers 90 % in time


def check(growing: Growing | None, rate_per_s: float, count: int) -> None:
    """P(sojourn > t) = exp(-(mu - f lambda / n) t) = 10 % where f lambda / n = mu - ln 10 / t."""
    exact = count * EACH_PER_S / rate_per_s
    assert growing is not None and growing.broke is not None
    assert growing.held <= exact < growing.broke * 1.05
    assert growing.broke - growing.held <= 0.05 * growing.held * (1 + 1e-9)
    assert [one.quantity for one in growing.first] == ["p90"]
    for one in growing.looked:
        assert one.offered_per_s == pytest.approx(rate_per_s * one.factor, rel=0.05)


@pytest.mark.parametrize(("rate_per_s", "count"), [(26.0, 1), (54.0, 2)])
def test_the_load_grows_until_the_share_of_slow_requests_is_that_of_m_m_1(rate_per_s: float, count: int) -> None:
    """With one lost, and with all there: one replica more carries one share of the load more."""
    found = ms.plan(queue(rate_per_s * WORK_S, LIMIT_S), ["none"], lose=1, ceiling=1.0, quiet=True)["none"]
    assert (found.needed, found.bought) == ({"queue": count}, {"queue": count + 1})
    check(found.growing, rate_per_s, count)
    check(found.growing_full, rate_per_s, count + 1)
