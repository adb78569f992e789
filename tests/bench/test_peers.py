"""The peers simulate the graph that is claimed: M/M/1 stations, whose mean sojourn is known, and each other's means."""

from __future__ import annotations

import pytest

from meshsim.bench.graphs import HOP_S, RATE_PER_S, REPLICAS, SERVICE_MEAN_S
from meshsim.bench.work import prepare

ENGINES = ("compiled", "simpy-processes", "simpy-callbacks", "heap-loop")


def sojourn_s(name: str) -> float:
    """M/M/1: 1 / (mu - lambda) at one of its replicas."""
    return 1.0 / (1.0 / SERVICE_MEAN_S - RATE_PER_S / REPLICAS[name])


def independent_mean_s() -> float:
    """If B's and C's sojourns were independent and D's arrivals Poisson.

    The first is exact up to the correlation that their common arrivals make, the second is close at 60 %: so within a
    few percent only. The longer of two exponential times takes 1.5 of one in the mean.
    """
    return sojourn_s("a") + 1.5 * sojourn_s("b") + sojourn_s("d") + 4 * HOP_S


@pytest.mark.parametrize("engine", ENGINES)
def test_mean_latency(engine: str) -> None:
    count = prepare("fan-out", engine)(30_000, 3)
    assert count.requests == pytest.approx(30_000, rel=0.03)
    assert count.mean_s == pytest.approx(independent_mean_s(), rel=0.06)


def test_callbacks_and_loop_handle_the_same_events() -> None:
    counts = [prepare("fan-out", engine)(2_000, 1) for engine in ("simpy-callbacks", "heap-loop")]
    assert [count.events for count in counts] == [11 * 2_000, 11 * 2_000]
