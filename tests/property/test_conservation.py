"""Laws that hold in every run: nothing is lost, Little's law, work is conserved, spans nest."""

from __future__ import annotations

import math
from dataclasses import replace

import numpy as np
from builders import call, entry, rows, run, service, total, wait_ms
from hypothesis import given
from planes import planes

from meshsim.architectures.plane import Plane, PlaneService
from meshsim.engines.record import DEGRADED, OCCUPANCY_BINS, OUTCOMES, UNFINISHED, Record

SECONDS = 2.0  # all arrivals are within 0.1 s: the run is drained, abandoned work included


@given(planes())
def test_every_request_has_one_outcome(plane: Plane) -> None:
    """Arrivals = outcomes; in a drained run none is unfinished; tables agree with the rows of requests."""
    record = run(plane, SECONDS)
    counted = rows(record)
    assert len(counted) == sum(len(stream.arrivals.times_s) for stream, _ in plane.entries)
    assert record.counts.sum() == len(counted)
    assert record.counts[..., UNFINISHED].sum() == 0
    assert np.array_equal(record.counts.sum(axis=(0, 1)), np.bincount(counted["outcome"], minlength=len(OUTCOMES)))
    lasted = counted["end_ns"] - counted["arrival_ns"]
    well = counted["outcome"] <= DEGRADED
    assert record.latency_all_sum_ns.sum() == lasted.sum()
    assert record.latency_sum_ns.sum() == lasted[well].sum()
    assert (record.histogram.sum(), record.histogram_failed.sum()) == (well.sum(), (~well).sum())
    assert record.tries.sum() == counted["tries"].sum()


@given(planes())
def test_messages_are_answered_or_cancelled(plane: Plane) -> None:
    """At every service: reached = answered + failed + cancelled; a rejected one failed; slots are given back."""
    record = run(plane, SECONDS)
    for i in range(len(plane.services)):
        ends = sum(total(record, i, name) for name in ("answered", "failed", "cancelled"))
        assert total(record, i, "requests") == ends
        assert total(record, i, "rejected") <= total(record, i, "failed")
        assert total(record, i, "slots_ns") <= total(record, i, "in_system_ns")


@given(planes(cancellation=False))
def test_littles_law_is_exact(plane: Plane) -> None:
    """Little: the integral of the number present is the sum of sojourns, at every service and in the whole plane."""
    record = run(plane, SECONDS)
    for i in range(len(plane.services)):
        assert total(record, i, "in_system_ns") == total(record, i, "sojourn_ns")
        waited = total(record, i, "in_system_ns") - total(record, i, "slots_ns")
        assert waited == total(record, i, "slot_wait_ns")
    counted = rows(record)
    assert record.occupancy_ns.sum() == (counted["end_ns"] - counted["arrival_ns"]).sum()
    assert record.services["in_system_ns"].sum() == record.services["sojourn_ns"].sum()


@given(planes())
def test_occupancy_bins_are_the_integral_of_requests_present(plane: Plane) -> None:
    """Each of the bins by itself, from the rows of requests."""
    record = run(plane, SECONDS)
    counted = rows(record)
    edges = np.arange(OCCUPANCY_BINS + 1) * (record.duration_ns // OCCUPANCY_BINS)
    lived = np.clip(counted["end_ns"][:, None], None, edges) - np.clip(counted["arrival_ns"][:, None], None, edges)
    assert np.array_equal(np.diff(lived.sum(axis=0)), record.occupancy_ns)


@given(planes(cancellation=False))
def test_work_is_conserved(plane: Plane) -> None:
    """Without cancellation every demand is worked off, wanted or not: the integral of busy cores is their sum."""
    record = run(plane, SECONDS)
    for i, station in enumerate(plane.services):
        excess = total(record, i, "busy_ns") - total(record, i, "demand_ns")
        slack = rounding_ns(station, record, i)
        assert -1e-3 * (1 + slack) <= excess <= slack


@given(planes())
def test_nobody_works_more_than_was_asked_for(plane: Plane) -> None:
    """With cancellation less work is done than was placed, and cores that were given back are idle."""
    record = run(plane, SECONDS)
    for i, station in enumerate(plane.services):
        excess = total(record, i, "busy_ns") - total(record, i, "demand_ns")
        assert excess <= 1e-3 + rounding_ns(station, record, i)


def rounding_ns(station: PlaneService, record: Record, i: int) -> float:
    """Processor sharing rounds each end up to a nanosecond, on at most all cores."""
    cores = station.replicas[0].cores
    if station.discipline != "ps" or math.isinf(cores):
        return 0.0
    return cores * total(record, i, "work_items")


def with_patience(plane: Plane) -> Plane:
    """Clients ask a service that waits a second after its call: by then all that was begun has ended."""
    patient = [
        service(f"{stream.name}-patient", call(stream.service, optional=True), wait_ms(1e3), cores=math.inf)
        for stream, _ in plane.entries
    ]
    entries = tuple(entry(stream.name, f"{stream.name}-patient", stream.arrivals) for stream, _ in plane.entries)
    return replace(plane, services=(*plane.services, *patient), entries=entries)


@given(planes())
def test_littles_law_holds_by_the_spans(plane: Plane) -> None:
    """At every service the time from reaching to leaving, summed over frames, is the integral of the number present;
    from admission to leaving, that of the slots; cancelled and rejected frames included.
    """
    plane = with_patience(plane)
    record = run(plane, SECONDS, spans=True)
    frames = record.spans[record.spans["endpoint"] >= 0]
    assert np.all(frames["left_ns"] >= frames["reached_ns"]) and np.all(frames["reached_ns"] >= 0)
    owner = np.repeat(np.arange(len(plane.services)), [len(service.replicas) for service in plane.services])
    for i in range(len(plane.services)):
        mine = frames[owner[frames["replica"]] == i]
        assert (mine["left_ns"] - mine["reached_ns"]).sum() == total(record, i, "in_system_ns")
        admitted = mine[mine["admitted_ns"] >= 0]
        assert (admitted["left_ns"] - admitted["admitted_ns"]).sum() == total(record, i, "slots_ns")


@given(planes())
def test_spans_nest(plane: Plane) -> None:
    """A frame's steps are in order; one that was waited for lies within its parent's time at the replica."""
    record = run(plane, SECONDS, spans=True)
    assert np.array_equal(record.sampled, rows(record)["number"])
    by_key = {(s["request"], s["serial"]): s for s in record.spans}
    for span in record.spans:
        times = [span[name] for name in ("sent_ns", "reached_ns", "admitted_ns", "left_ns", "returned_ns")]
        known = [time for time in times if time >= 0]
        assert known == sorted(known)
        if span["left_ns"] >= 0 and span["admitted_ns"] >= 0:
            assert span["demand_ns"] + span["cpu_wait_ns"] + span["wait_ns"] <= span["left_ns"] - span["admitted_ns"]
        if span["parent"] >= 0:
            parent = by_key[span["request"], span["parent"]]
            assert parent["serial"] < span["serial"]
            assert parent["admitted_ns"] <= span["sent_ns"]
            if span["returned_ns"] >= 0 and span["endpoint"] >= 0 and parent["left_ns"] >= 0:
                assert span["returned_ns"] <= parent["left_ns"]


@given(planes())
def test_runs_repeat_and_watching_changes_nothing(plane: Plane) -> None:
    """The same run twice gives the same record; keeping spans of all requests or of none makes no difference."""
    first, again, watched = run(plane, SECONDS), run(plane, SECONDS), run(plane, SECONDS, spans=True)
    for other in (again, watched):
        for name in ("counts", "histogram", "services", "service_histogram", "occupancy_ns", "requests", "tries"):
            assert np.array_equal(getattr(first, name), getattr(other, name)), name
        assert (first.events, first.end_ns) == (other.events, other.end_ns)
    assert len(first.spans) == 0
