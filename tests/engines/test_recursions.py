"""Stations against their textbook recursions, request by request, with the arrivals and demands that a run drew."""

from __future__ import annotations

from fractions import Fraction
from typing import Any

import numpy as np
import pytest
from builders import call, exp, fork, lognormal, plane, poisson, rows, run, service, work

from meshsim.engines.record import Record
from meshsim.model.distributions import Distribution

Times = list[int]


def observed(demand: Distribution, rate: float, n: int = 3_000, **fields: Any) -> tuple[Times, Times, Times]:
    """Arrivals, demands and ends (ns) of a run of one station, in the order of arrival."""
    record: Record = run(plane(service("a", work(demand), **fields), arrivals=poisson(rate)), n / rate, spans=True)
    counted = rows(record)
    assert np.array_equal(record.spans["request"], counted["number"])
    return counted["arrival_ns"].tolist(), record.spans["demand_ns"].tolist(), counted["end_ns"].tolist()


@pytest.mark.parametrize("servers", [1, 3])
def test_fifo_is_kiefer_and_wolfowitz(servers: int) -> None:
    """The next request starts on the server that is free first (Lindley 1952; Kiefer and Wolfowitz 1955)."""
    arrivals, demands, ends = observed(lognormal(0.01, 1.5), 85.0 * servers, cores=servers)
    free = [0] * servers
    for arrival, demand, end in zip(arrivals, demands, ends, strict=True):
        free.sort()
        free[0] = max(free[0], arrival) + demand
        assert end == free[0]


def test_slots_are_servers_as_well() -> None:
    """Unlimited cores and c slots: the same recursion."""
    arrivals, demands, ends = observed(exp(0.01), 170.0, cores=float("inf"), concurrency=2)
    free = [0, 0]
    for arrival, demand, end in zip(arrivals, demands, ends, strict=True):
        free.sort()
        free[0] = max(free[0], arrival) + demand
        assert end == free[0]


def test_a_fork_is_the_later_of_two_recursions() -> None:
    """Fork-join: both stations get the same arrivals, each is Lindley's recursion, the request ends with the later."""
    a, b = service("a", work(exp(0.01))), service("b", work(lognormal(0.008, 1.5)))
    top = service("top", fork([call("a")], [call("b")]))
    record = run(plane(top, a, b, arrivals=poisson(75.0)), 40.0, spans=True)
    demands = [record.spans[record.spans["replica"] == replica] for replica in (1, 2)]
    assert all(np.array_equal(spans["request"], rows(record)["number"]) for spans in demands)
    free = [0, 0]
    for n, row in enumerate(rows(record)):
        free = [max(free[i], int(row["arrival_ns"])) + int(demands[i]["demand_ns"][n]) for i in (0, 1)]
        assert row["end_ns"] == max(free)


def test_a_tandem_is_two_recursions() -> None:
    """What leaves the first station arrives at the second, in that order; then nothing is left to do."""
    record = run(
        plane(service("a", work(exp(0.01)), call("b")), service("b", work(exp(0.011))), arrivals=poisson(75.0)),
        40.0,
        spans=True,
    )
    first, second = (record.spans[record.spans["replica"] == replica]["demand_ns"].tolist() for replica in (0, 1))
    free = [0, 0]
    for n, row in enumerate(rows(record)):
        free[0] = max(free[0], int(row["arrival_ns"])) + first[n]
        free[1] = max(free[1], free[0]) + second[n]
        assert row["end_ns"] == free[1]


def last_come_first_served(arrivals: list[int], demands: list[int]) -> list[int]:
    ends = [0] * len(arrivals)
    stack: list[int] = []
    free, coming = 0, 0
    while coming < len(arrivals) or stack:
        if not stack:
            free = max(free, arrivals[coming])
        while coming < len(arrivals) and arrivals[coming] <= free:
            stack.append(coming)
            coming += 1
        served = stack.pop()
        free += demands[served]
        ends[served] = free
    return ends


def test_lifo_serves_the_youngest() -> None:
    """One server, nobody interrupted: who waits last is served first."""
    arrivals, demands, ends = observed(exp(0.01), 85.0, discipline="lifo")
    ours = last_come_first_served([*arrivals, 2**62], [*demands, 0])[:-1]
    late = arrivals[-1]  # those who came after the duration were served before some who were counted
    assert [e for e in ends if e <= late] == [e for e in ours if e <= late]


def processor_sharing(arrivals: list[int], demands: list[int], cores: Fraction) -> tuple[list[Fraction], list[int]]:
    """Event by event in exact fractions: every job gets min(1, cores / jobs) of a core.

    Returns when each ends, and as the how manieth since the station was last empty.
    """
    ends, turns, turn = [Fraction(0)] * len(arrivals), [0] * len(arrivals), 0
    left: dict[int, Fraction] = {}
    now, coming = Fraction(0), 0
    while coming < len(arrivals) or left:
        speed = min(Fraction(1), cores / len(left)) if left else Fraction(0)
        first = min(left, key=lambda job: left[job]) if left else -1
        end = now + left[first] / speed if left else None
        if coming < len(arrivals) and (end is None or arrivals[coming] < end):
            step = arrivals[coming] - now
        else:
            assert end is not None
            step = end - now
        left = {job: rest - step * speed for job, rest in left.items()}
        now += step
        if coming < len(arrivals) and now == arrivals[coming]:
            left[coming] = Fraction(demands[coming])
            coming += 1
        for job in [job for job, rest in left.items() if rest == 0]:
            turn += 1
            ends[job], turns[job] = now, turn
            del left[job]
        turn = turn if left else 0
    return ends, turns


@pytest.mark.parametrize(("cores", "rate"), [(1.0, 85.0), (2.5, 220.0)])
def test_processor_sharing_is_egalitarian(cores: float, rate: float) -> None:
    """Against exact fractions: never early, and late by less than 1 ns for each end since the last idle time."""
    arrivals, demands, ends = observed(exp(0.01), rate, n=600, cores=cores, discipline="ps")
    exact, turns = processor_sharing(arrivals, demands, Fraction(cores))
    early = [i for i, truth in enumerate(exact) if truth < arrivals[-1]]  # later ones share with requests not counted
    assert len(early) > 550
    for i in early:
        assert -0.01 < ends[i] - exact[i] < turns[i] + 0.01
