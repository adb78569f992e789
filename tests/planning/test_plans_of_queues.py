"""Plans beside theory: the fewest servers of M/M/c queues by Erlang's C, found without a screen."""

from __future__ import annotations

import math
from typing import Any

import pytest

import meshsim as ms

WORK_S = 0.01
MOST = 16
NO_NETWORK = dict.fromkeys(("loopback", "same_node", "same_zone", "cross_zone", "client"), "0ms")


def erlang_c(a: float, c: int) -> float:
    """Chance to wait in M/M/c with `a` erlangs (Erlang 1917)."""
    inverse = 1.0
    for n in range(1, c + 1):
        inverse = 1.0 + inverse * n / a  # of Erlang's B
    blocked = 1.0 / inverse
    return blocked / (1.0 - a / c * (1.0 - blocked))


def share_slower(a: float, c: int, limit_s: float) -> float:
    """P(sojourn > limit) in M/M/c, first come first served; 1 where the queue grows."""
    if a >= c:
        return 1.0
    wait, spare, t = erlang_c(a, c), c - a, limit_s / WORK_S
    if abs(spare - 1.0) < 1e-9:
        return math.exp(-t) * (1.0 + wait * t)
    return math.exp(-t) * (1.0 + wait / (spare - 1.0) * (1.0 - math.exp(-(spare - 1.0) * t)))


def limit_between(a: float, c: int) -> float:
    """Limit of which c servers keep 90 % and c - 1 do not: their shares are equally far from 10 %, as factors."""
    low, high = 0.0, 100.0 * WORK_S
    for _ in range(80):
        middle = (low + high) / 2
        if share_slower(a, c, middle) * share_slower(a, c - 1, middle) > 0.01:
            low = middle
        else:
            high = middle
    return low


def queue(a: float, limit_s: float) -> dict[str, Any]:
    endpoints = {"get": [{"work": {"exp": f"{WORK_S}s"}}]}
    return {
        "meshsim": 1,
        "services": {"queue": {"cpu": 1, "discipline": "fifo", "endpoints": endpoints}},
        "tenants": {"t": {"slo": {"p90": f"{limit_s:.9f}s"}}},
        "traffic": [{"name": "t", "tenant": "t", "entry": "queue.get", "arrivals": {"poisson": f"{a / WORK_S}/s"}}],
        "network": NO_NETWORK,
        "policy_defaults": "none",
    }


CASES = [
    (a, c) for a in (0.4, 0.9, 1.3, 1.7, 2.2, 2.8, 3.4, 4.3, 5.1, 6.5) for c in (math.floor(a) + 1, math.floor(a) + 2)
]


@pytest.mark.parametrize(("a", "c"), CASES)
def test_the_fewest_cores_are_those_of_erlang_s_c(a: float, c: int) -> None:
    """20 M/M/c queues: with c servers the objective holds, with c - 1 it does not."""
    limit_s = limit_between(a, c)
    assert share_slower(a, c, limit_s) < 0.1 < share_slower(a, c - 1, limit_s)
    found = ms.plan(
        queue(a, limit_s),
        ["none"],
        choices={"services.queue.cpu": [str(n) for n in range(1, MOST + 1)]},
        lose=0,
        ceiling=1.0,
        most_replicas=1,
        screen=False,
        growth=False,
        quiet=True,
    )
    assert found["none"].choice == {"services.queue.cpu": str(c)}
    kept = found["none"].tightest
    assert kept.within is not None and kept.within.low is not None and kept.within.high is not None
    assert kept.within.low <= 1.0 - share_slower(a, c, limit_s) <= kept.within.high + 0.01


@pytest.mark.parametrize(("rate_per_s", "limit_s"), [(150.0, 0.040), (270.0, 0.060), (375.0, 0.036), (520.0, 0.080)])
def test_the_fewest_replicas_of_a_random_split_are_those_of_m_m_1(rate_per_s: float, limit_s: float) -> None:
    """Each of n replicas is M/M/1 at 1/n of the load: P(sojourn > t) = exp(-(mu - lambda/n) t)."""
    exact = rate_per_s / (1.0 / WORK_S - math.log(10.0) / limit_s)
    n = math.ceil(exact)
    found = ms.plan(queue(rate_per_s * WORK_S, limit_s), ["none"], lose=0, ceiling=1.0, growth=False, quiet=True)
    assert 0.25 < n - exact < 0.75, "too near to a whole number to be decided by simulation"
    assert found["none"].needed == {"queue": n}
    less = found["none"].steps[0].less
    assert less is not None and not less.holds


def test_a_written_warm_up_and_a_tenant_who_sends_little_make_runs_longer() -> None:
    """Probes are as short as they may be; what is cut off, and what is seldom, needs its time."""
    case = queue(0.5, 0.2)
    case["run"] = {"warmup": "15s", "duration": "20s"}
    case["tenants"]["rare"] = {"slo": {"p90": "500ms"}}
    case["traffic"].append({"name": "rare", "tenant": "rare", "entry": "queue.get", "arrivals": {"poisson": "1/s"}})
    found = ms.plan(case, ["none"], lose=0, growth=False, quiet=True)
    assert found.feasible
    assert found.duration_s == pytest.approx(15.0 + 30.0)  # three of a tenth of one request a second
