"""What is counted in the batch of the arrival, and what in the batch in which it happens (rules M1, M2), by hand.

The duration is 1 s, so a batch lasts 25 ms.
"""

from __future__ import annotations

import numpy as np
from builders import MS, call, fail, plane, run, service, trace_ms, wait_ms, work_ms

from meshsim.architectures.plane import PlaneService
from meshsim.engines.record import BATCHES, E500, OK, UNFINISHED, Record


def at(*services: PlaneService, times: tuple[float, ...], drain: float = 1e4) -> Record:
    return run(plane(*services, arrivals=trace_ms(*times)), 1.0, drain=drain)


def where(array: np.ndarray) -> list[int]:
    """Batches with something in them; stream or service 0."""
    row = array[0]
    return np.flatnonzero(row.reshape(len(row), -1).sum(axis=1)).tolist()  # type: ignore[no-any-return]


def test_a_request_counts_where_it_arrived() -> None:
    """It arrives at 20 in batch 0 and is answered at 60 in batch 2."""
    record = at(service("a", wait_ms(40), call("b")), service("b"), times=(20,))
    assert record.counts[0, 0, OK] == record.counts.sum() == 1
    assert where(record.histogram) == where(record.latency_sum_ns) == where(record.tries) == [0]
    assert record.latency_sum_ns[0, 0] == record.latency_all_sum_ns[0, 0] == 40 * MS
    assert record.tries[0, 0] == 1


def test_so_does_one_that_failed() -> None:
    record = at(service("a", wait_ms(40), fail()), times=(20,))
    assert record.counts[0, 0, E500] == record.counts.sum() == 1
    assert where(record.histogram_failed) == where(record.latency_all_sum_ns) == [0]
    assert record.histogram.sum() == record.latency_sum_ns.sum() == 0


def test_so_does_one_without_an_answer_and_one_answered_after_the_duration() -> None:
    """Both arrive at 990, in the last batch; the drain lasts 20 ms."""
    for wait, outcome in ((15, OK), (50, UNFINISHED)):
        record = at(service("a", wait_ms(wait)), times=(990,), drain=0.02)
        assert record.counts[0, BATCHES - 1, outcome] == record.counts.sum() == 1
        assert record.histogram[0, BATCHES - 1].sum() == record.histogram.sum() == (outcome == OK)


def test_one_that_arrives_on_the_edge_belongs_to_the_next_batch() -> None:
    record = at(service("a"), times=(25, 49.999999, 50))
    assert record.counts[0, :, OK].nonzero()[0].tolist() == [1, 2]
    assert record.counts[0, 1, OK] == 2


def test_a_replica_counts_when_things_happen() -> None:
    """Two at 20, one slot, 40 ms of work each: the first 20-60, the second 60-100 (the edge of batch 4)."""
    record = at(service("a", work_ms(40), concurrency=1), times=(20, 20))
    (row,) = record.services
    happened = {name: row[name].nonzero()[0].tolist() for name in ("requests", "waited", "slot_wait_ns", "answered")}
    assert happened == {"requests": [0], "waited": [0], "slot_wait_ns": [2], "answered": [2, 4]}
    assert (row["sojourn_ns"][[2, 4]] / MS).tolist() == [40, 80]
    assert (row["demand_ns"][[0, 2]] / MS).tolist() == [40, 40]
    assert (row["busy_ns"][:5] / MS).tolist() == [5, 25, 25, 25, 0]
    assert (row["slots_ns"][:5] / MS).tolist() == [5, 25, 25, 25, 0]
    assert (row["in_system_ns"][:5] / MS).tolist() == [10, 50, 35, 25, 0]
    assert where(record.service_histogram) == [2, 4]


def test_what_happens_after_the_duration_is_in_the_last_column() -> None:
    """990 to 1,010: half of the time in the last batch, half after the duration, where it is answered."""
    (row,) = at(service("a", work_ms(20)), times=(990,)).services
    assert (row["busy_ns"][-2:] / MS).tolist() == [10, 10]
    assert row["answered"].nonzero()[0].tolist() == [BATCHES]


def test_occupancy_is_by_bins_of_a_thousandth() -> None:
    """From 20.5 to 23: half of bin 20, then two whole ones of 1 ms."""
    record = at(service("a", wait_ms(2.5)), times=(20.5,))
    assert (record.occupancy_ns[19:24] / MS).tolist() == [0, 0.5, 1, 1, 0]
