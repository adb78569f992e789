"""What may change a request and what may not: draws are keyed by names, stations are monotone."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import numpy.typing as npt
from builders import entry, exp, lognormal, plane, poisson, rows, run, service, trace_ms, work, work_ms
from hypothesis import given
from hypothesis import strategies as st
from planes import planes

from meshsim.architectures.plane import Plane
from meshsim.engines.record import Record

SECONDS = 2.0


def by_stream(record: Record, plane: Plane, name: str) -> npt.NDArray[np.void]:
    """Rows of one stream, without what depends on the other streams: its numbers."""
    number = [stream.name for stream, _ in plane.entries].index(name)
    mine = rows(record)[rows(record)["stream"] == number]
    return mine[["user", "ordinal", "arrival_ns", "end_ns", "outcome", "tries"]]


def demands(record: Record, plane: Plane, name: str) -> list[list[int]]:
    """What each request of one stream demanded, frame by frame, by ordinal."""
    number = [stream.name for stream, _ in plane.entries].index(name)
    counted = rows(record)
    return [
        record.spans["demand_ns"][record.spans["request"] == row["number"]].tolist()
        for row in counted
        if row["stream"] == number
    ]


@given(planes(), st.permutations(range(4)))
def test_the_order_of_services_does_not_matter(plane: Plane, order: list[int]) -> None:
    """Permuted services: every request the same to the nanosecond."""
    permuted = replace(plane, services=tuple(plane.services[i] for i in order))
    first, second = run(plane, SECONDS), run(permuted, SECONDS)
    for name in ("one", "two"):
        assert np.array_equal(by_stream(first, plane, name), by_stream(second, permuted, name))
    assert np.array_equal(first.services[order], second.services)


@given(planes())
def test_other_services_and_streams_do_not_matter(plane: Plane) -> None:
    """A new service with traffic of its own, sorted before all others: every old request is the same."""
    other = entry("0-other", "0-other", poisson(100.0))
    services = (service("0-other", work(exp(0.001))), *plane.services)
    more = replace(plane, services=services, entries=(other, *plane.entries))
    first, second = run(plane, SECONDS), run(more, SECONDS)
    for name in ("one", "two"):
        assert np.array_equal(by_stream(first, plane, name), by_stream(second, more, name))


@given(st.integers(1, 5), st.sampled_from(["fifo", "lifo", "ps"]), st.integers(0, 9))
def test_neighbours_change_no_draw(replicas: int, discipline: str, seed: int) -> None:
    """A second tenant on the same service, another discipline, more replicas: same arrivals, same demands."""
    station = service("a", work(lognormal(0.005, 2.0)), work(exp(0.003)))
    alone = plane(station, entries=[entry("m", "a", poisson(40.0))])
    crowd = [entry(name, "a", poisson(30.0)) for name in ("a", "z")]
    changed = service("a", *station.endpoints["e"][0], replicas=replicas, discipline=discipline)
    crowded = plane(changed, entries=[entry("m", "a", poisson(40.0)), *crowd])
    first, second = (run(p, 1.0, seed=seed, spans=True) for p in (alone, crowded))
    assert np.array_equal(by_stream(first, alone, "m")["arrival_ns"], by_stream(second, crowded, "m")["arrival_ns"])
    assert demands(first, alone, "m") == demands(second, crowded, "m")


@given(st.integers(0, 9))
def test_total_work_is_the_same_for_every_replica_count(seed: int) -> None:
    """One lossless station: demands belong to requests, so CPU-seconds do not depend on who serves them."""
    totals = set()
    arrivals = trace_ms(*(float(i) for i in range(200)))
    for replicas in (1, 2, 5, 16):
        station = service("a", work(lognormal(0.004, 1.5)), replicas=replicas)
        record = run(plane(station, arrivals=arrivals), 10.0, seed=seed)
        assert abs(record.services["busy_ns"].sum() - record.services["demand_ns"].sum()) < 1e-3
        totals.add(int(record.services["demand_ns"].sum()))
    assert len(totals) == 1


@given(st.lists(st.tuples(st.integers(0, 50), st.integers(0, 8)), min_size=1, max_size=40), st.data())
def test_more_work_ends_no_earlier(jobs: list[tuple[int, int]], data: st.DataObject) -> None:
    """One open single-core FIFO station alone is monotone: adding to any service time makes no end earlier.

    (Not so for networks or several cores: Graham's anomalies, 1966.)
    """
    extra = data.draw(st.lists(st.integers(0, 5), min_size=len(jobs), max_size=len(jobs)))
    jobs = sorted(jobs)

    def ends(added: list[int]) -> npt.NDArray[np.int64]:
        demand_ms = [demand + more for (_, demand), more in zip(jobs, added, strict=True)]
        endpoints = {f"e{i}": ((work_ms(demand),),) for i, demand in enumerate(demand_ms)}
        entries = [entry(f"{i:03}", "a", trace_ms(at), endpoint=f"e{i}") for i, (at, _) in enumerate(jobs)]
        return rows(run(plane(service("a", endpoints=endpoints), entries=entries), 1.0))["end_ns"]

    assert np.all(ends(extra) >= ends([0] * len(jobs)))


@given(planes(), st.sampled_from([0.5, 3.0]))
def test_the_length_of_a_run_changes_nothing(plane: Plane, seconds: float) -> None:
    """Where batches begin and a run ends is a matter of counting only."""
    first, second = run(plane, SECONDS), run(plane, seconds)
    assert first.requests is not None and second.requests is not None
    assert np.array_equal(first.requests, second.requests)
    shared = ("requests", "answered", "failed", "cancelled", "demand_ns", "in_system_ns", "sojourn_ns")
    for name in shared:
        assert np.array_equal(first.services[name].sum(axis=1), second.services[name].sum(axis=1)), name
