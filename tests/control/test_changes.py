"""What control processes change, on both engines, against timelines worked out by hand and against laws."""

from __future__ import annotations

from itertools import pairwise
from typing import Any

import numpy as np
import pytest
from builders import (
    MS,
    assert_same,
    call,
    entry,
    exp,
    fail,
    fork,
    ms,
    outcomes,
    plane,
    poisson,
    service,
    versioned,
    wait_ms,
    work,
    work_ms,
)
from controlled import at, lowered, run
from scipy import stats

from meshsim.control import Control
from meshsim.engines.record import E503, OK, TIMEOUT, Record
from meshsim.errors import UsageError
from meshsim.model.traffic import Arrivals


def every_ms(period: float) -> Arrivals:
    return Arrivals(kind="constant", rate_per_s=1e3 / period)


def arrivals_ms(record: Record) -> list[float]:
    return [float(t) / MS for t in record.requests["arrival_ns"] if t < record.duration_ns]


def served_by(record: Record, station: int) -> list[int]:
    """Replica of each request's frame at a service, by request."""
    spans = record.spans[record.spans["endpoint"] == station]
    return spans["replica"].tolist()


# -- replicas --------------------------------------------------------------------------------------------------


def test_new_requests_go_to_the_replicas_that_are_there() -> None:
    """Round robin over one, from 25 ms on over three, from 65 ms on over two; the cursor goes on."""
    top = service("a", replicas=3)
    entries = [entry("s", "a", every_ms(10), balancer="round_robin")]
    changes = [at(0.025, lambda c: c.scale("a", 3)), at(0.065, lambda c: c.scale("a", 2))]
    record, _ = run(plane(top, entries=entries), changes, 0.1, active={"a": 1})
    first = served_by(record, 0)[:9]
    assert first[:2] == [0, 0]
    assert first[2:6] == [2, 0, 1, 2]  # choices number 2 to 5, modulo three
    assert first[6:] == [0, 1, 0]


def test_a_replica_that_is_left_finishes_what_it_has() -> None:
    """Two at 10 ms on two replicas, 30 ms of work each; at 15 ms one replica goes; the third waits for the other."""
    top = service("a", work_ms(30), replicas=2)
    entries = [entry("s", "a", Arrivals(kind="trace", times_s=(0.01, 0.01, 0.02)), balancer="least_request")]
    record, _ = run(plane(top, entries=entries), [at(0.015, lambda c: c.scale("a", 1))], 0.1, seed=2)
    assert sorted((record.requests["end_ns"] / MS).tolist()) in ([40, 40, 70], [40, 70, 100])
    assert set(outcomes(record)) == {OK}


def test_only_connections_of_replicas_that_went_away_move() -> None:
    """2,000 connections over 5 replicas, then 3, then 5: the lost ones are spread evenly over those that are left."""
    top = service("a", replicas=5)
    entries = [entry("s", "a", every_ms(0.5), pool=2000)]
    changes = [at(1.0, lambda c: c.scale("a", 3)), at(2.0, lambda c: c.scale("a", 5))]
    record, _ = run(plane(top, entries=entries), changes, 3.0)
    assert record.requests is not None
    phase = record.requests["arrival_ns"] // 10**9
    where = np.array(served_by(record, 0))
    assert np.bincount(where[phase == 0]).min() > 300
    assert set(where[phase == 1]) == {0, 1, 2}
    # nobody comes back by itself: the new replicas get nothing over connections that stay where they are
    assert set(where[phase == 2]) == {0, 1, 2}
    moved = np.bincount(where[phase == 1], minlength=3)
    assert stats.chisquare(moved).pvalue > 1e-4


def test_replicas_are_counted_over_time() -> None:
    record, _ = run(
        plane(service("a", replicas=4), arrivals=every_ms(10)),
        [at(0.5, lambda c: c.scale("a", 4))],
        1.0,
        active={"a": 2},
    )
    assert record.services["replicas_ns"][0, :-1].sum() == 2 * 500 * MS + 4 * 500 * MS


def test_scaling_is_bounded_by_the_room_that_was_made() -> None:
    top = service("a", replicas=2)
    with pytest.raises(UsageError, match=r"1 to 2 replicas, not 3; make room for more with max_replicas={'a': 3}"):
        run(plane(top, arrivals=every_ms(10)), [at(0.01, lambda c: c.scale("a", 3))], 0.1)


# -- load ------------------------------------------------------------------------------------------------------


def test_load_stretches_the_streams_own_clock() -> None:
    """Every 10 ms; from 25 ms on twice as fast: 5 ms of the clock are left, or 2.5 ms; none from 36 to 50 ms."""
    changes = [
        at(0.025, lambda c: c.set_load("s", 2.0)),
        at(0.036, lambda c: c.set_load("s", 0.0)),
        at(0.050, lambda c: c.set_load("s", 1.0)),
    ]
    record, _ = run(plane(service("a"), arrivals=every_ms(10)), changes, 0.08)
    # at 36 ms the clock shows 20 + 5 + 2 * 11 = 47 of 50 ms: 3 ms are left at 50
    assert arrivals_ms(record) == pytest.approx([10, 20, 27.5, 32.5, 53, 63, 73], abs=1e-6)


@pytest.mark.parametrize(
    "arrivals",
    [
        poisson(500.0),
        Arrivals(kind="renewal", gap=exp(0.002)),
        Arrivals(kind="batch", rate_per_s=500.0, size=ms(3000)),
        Arrivals(kind="trace", times_s=tuple(np.cumsum(np.linspace(1e-4, 3e-3, 600)))),
    ],
    ids=["poisson", "renewal", "batch", "trace"],
)
def test_changed_loads_bring_the_same_requests_at_other_times(arrivals: Arrivals) -> None:
    """Seen on the stream's own clock, arrivals are those of a run without changes (the time-change theorem)."""
    calm, _ = run(plane(service("a"), arrivals=arrivals), [], 1.5)
    changes = [at(0.3, lambda c: c.set_load("s", 3.0)), at(0.6, lambda c: c.set_load("s", 0.5))]
    record, _ = run(plane(service("a"), arrivals=arrivals), changes, 1.5)
    times = np.array(arrivals_ms(record)) / 1e3
    own = np.where(times < 0.3, times, np.where(times < 0.6, 0.3 + 3 * (times - 0.3), 1.2 + 0.5 * (times - 0.6)))
    expected = np.array(arrivals_ms(calm))[: len(own)] / 1e3
    assert len(own) > 300
    assert np.abs(own[: len(expected)] - expected).max() < 4e-9


def test_load_of_arrivals_that_change_by_themselves_is_refused() -> None:
    bursty = Arrivals(kind="mmpp", stay_s=(0.1, 0.1), rates_per_s=(10.0, 100.0))
    with pytest.raises(UsageError, match="load of 's' is not supported yet: its arrivals are 'mmpp'"):
        run(plane(service("a"), arrivals=bursty), [at(0.01, lambda c: c.set_load("s", 2.0))], 0.1)


# -- CPU, faults, calls ----------------------------------------------------------------------------------------


@pytest.mark.parametrize("discipline", ["fifo", "lifo", "ps"])
def test_work_that_begins_after_the_change_is_slower(discipline: str) -> None:
    """4 ms each; from 22 ms on 2.5 times as much; the one that began at 20 ms is not touched."""
    top = service("a", work_ms(4), discipline=discipline)
    record, _ = run(plane(top, arrivals=every_ms(20)), [at(0.022, lambda c: c.slow("a", 2.5))], 0.05)
    assert (record.requests["end_ns"] / MS).tolist()[:2] == [24, 50]  # type: ignore[index]


def test_a_fault_answers_without_work() -> None:
    top = service("a", work_ms(4))
    changes = [at(0.015, lambda c: c.fail("a", 1.0, "503")), at(0.035, lambda c: c.fail("a", 0.0))]
    record, _ = run(plane(top, arrivals=every_ms(10)), changes, 0.05)
    assert outcomes(record)[:4] == [OK, E503, E503, OK]
    assert (record.requests["end_ns"] / MS).tolist()[:4] == [14, 20, 30, 44]  # type: ignore[index]


def test_a_share_of_messages_fails() -> None:
    record, _ = run(plane(service("a"), arrivals=poisson(2000.0)), [at(0.0, lambda c: c.fail("a", 0.2))], 5.0)
    failed = np.array(outcomes(record)) == E503
    assert stats.binomtest(int(failed.sum()), len(failed), 0.2).pvalue > 1e-4


def test_a_call_gets_another_timeout_and_other_retries() -> None:
    """The callee takes 5 ms. From 15 ms on 3 ms are allowed; from 25 ms on it is tried once more."""
    top, below = service("a", call("b", timeout_s=0.01)), service("b", wait_ms(5))
    changes = [
        at(0.015, lambda c: c.set_call("a.e.0", timeout_s=0.003)),
        at(0.025, lambda c: c.set_call("a.e.0", retries=1)),
    ]
    record, _ = run(plane(top, below, arrivals=every_ms(10)), changes, 0.04)
    assert outcomes(record)[:3] == [OK, TIMEOUT, TIMEOUT]
    assert (record.requests["end_ns"] / MS).tolist()[:3] == [15, 23, 36]  # type: ignore[index]
    assert record.requests["tries"].tolist()[:3] == [1, 1, 2]  # type: ignore[index]


def test_a_call_changes_in_all_versions() -> None:
    """Both versions make the call at the same address, each in code of its own."""
    top = versioned("a", [(call("b"),), (call("b"),)], split=(0.5, 0.5))
    entries = [entry("s", "a", every_ms(10), balancer="random", enforce_split=True)]
    failing = plane(top, service("b", fail()), entries=entries)
    record, _ = run(failing, [at(0.0, lambda c: c.set_call("a.e.0", retries=2))], 0.2)
    assert set(served_by(record, 0)) == {0, 1}
    assert set(record.requests["tries"].tolist()) == {3}  # type: ignore[index]


def test_shorter_timeouts_overtake_those_that_were_set_before() -> None:
    """Calls at 10 (10 ms allowed), at 12 and 14 ms (1 ms): the list of timers is no longer in the order of calling."""
    top, below = service("a", call("b", timeout_s=0.01), cores=float("inf")), service("b", wait_ms(50))
    changes = [at(0.011, lambda c: c.set_call("a.e.0", timeout_s=0.001))]
    arrivals = Arrivals(kind="trace", times_s=(0.010, 0.012, 0.014, 0.0195))
    record, _ = run(plane(top, below, arrivals=arrivals), changes, 0.04)
    assert (record.requests["end_ns"] / MS).tolist() == [20, 13, 15, 20.5]  # type: ignore[index]


def test_a_split_changes() -> None:
    top = versioned("a", [(work_ms(1),), (work_ms(2),)], split=(1.0, 0.0))
    entries = [entry("s", "a", every_ms(10), balancer="random", enforce_split=True)]
    record, _ = run(plane(top, entries=entries), [at(0.025, lambda c: c.set_split("a", {"v0": 0, "v1": 2}))], 0.05)
    assert served_by(record, 0)[:4] == [0, 0, 1, 1]


def test_a_load_balancer_changes() -> None:
    top = service("a", replicas=3)
    entries = [entry("s", "a", every_ms(1), balancer="random")]
    change = at(0.5, lambda c: c.set_load_balancer("a", "round_robin"))
    record, _ = run(plane(top, entries=entries), [change], 1.0)
    after = [replica for replica in served_by(record, 0)[500:] if replica >= 0]
    assert all((b - a) % 3 == 1 for a, b in pairwise(after))


# -- order, refusals -------------------------------------------------------------------------------------------


def test_control_comes_before_the_requests_of_its_instant() -> None:
    """At 20 ms a request arrives, and the service begins to fail (rule T7)."""
    record, _ = run(plane(service("a"), arrivals=every_ms(10)), [at(0.02, lambda c: c.fail("a", 1.0))], 0.03)
    assert outcomes(record)[:2] == [OK, E503]


def test_a_controller_that_only_waits_changes_no_bit() -> None:
    """Many pauses, at batch edges and in between, with fractional cores and forks."""
    top = service("a", work(exp(0.003)), fork([call("b")], [call("b", timeout_s=0.004, retries=1)]), cores=0.7)
    base = plane(top, service("b", work(exp(0.002)), discipline="ps", cores=1.5), arrivals=poisson(150.0))

    def idle(seen: list[Any]) -> Any:
        def controller(control: Control) -> Any:
            while True:
                yield control.env.timeout(0.0125)

        return controller

    assert_same(run(base, [], 2.0)[0], run(base, [idle], 2.0)[0])


def test_a_sidecar_follows_its_service() -> None:
    spec = {
        "services": {"web": {"replicas": 4, "endpoints": {"get": [{"work": "1ms"}]}}},
        "tenants": {"t": {}},
        "traffic": [{"name": "s", "tenant": "t", "entry": "web.get", "arrivals": {"poisson": "100/s"}}],
    }
    record, seen = run(
        lowered(spec, "sidecar"),
        [at(0.5, lambda c: (c.scale("web", 2), c.replicas("sidecar@web"))[1])],
        1.0,
    )
    assert seen == [2]
    assert (record.services["replicas_ns"][:, :-1].sum(axis=1) / 1e9).tolist()[-1] == 3.0
