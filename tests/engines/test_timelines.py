"""Timelines computed by hand, in milliseconds, equal to the nanosecond; ties are made on purpose.

Each test tells its timeline; the network takes no time unless it says otherwise.
"""

from __future__ import annotations

import math
from typing import Any

import pytest
from builders import (
    MS,
    call,
    choose,
    constant,
    ends_ms,
    entry,
    fail,
    fork,
    network,
    outcomes,
    plane,
    run,
    service,
    total,
    trace_ms,
    wait_ms,
    work,
    work_ms,
)

from meshsim.architectures.plane import PlaneService
from meshsim.engines.record import DEGRADED, E500, E503, OK, QUEUE_FULL, RESET, TIMEOUT, Record
from meshsim.errors import EngineLimit


def timeline(*services: PlaneService, at: tuple[float, ...] = (0.0,), **fields: Any) -> Record:
    """Run for a second, much longer than any of these timelines: abandoned work is finished as well."""
    return run(plane(*services, arrivals=trace_ms(*at), **fields), 1.0, spans=True)


def station(demand_ms: float, **fields: Any) -> PlaneService:
    return service("a", work_ms(demand_ms), **fields)


# -- CPU -------------------------------------------------------------------------------------------------------


def test_fifo_serves_in_order_of_arrival() -> None:
    """Two at 0, one at 1, 2 ms each: 0-2, 2-4, 4-6; ties go by request number."""
    assert ends_ms(timeline(station(2), at=(0, 0, 1))) == [2, 4, 6]


def test_fifo_on_two_cores() -> None:
    """Two cores: 0-3 and 0-3, the third takes the core that is free first and at once: 3-6."""
    assert ends_ms(timeline(station(3, cores=2), at=(0, 0, 1))) == [3, 3, 6]


def test_a_fraction_of_a_core_is_slow() -> None:
    """0.5 cores: 2 ms take 4. 1.5 cores are two servers of 0.75: 3 ms take 4."""
    assert ends_ms(timeline(station(2, cores=0.5), at=(0, 1))) == [4, 8]
    assert ends_ms(timeline(station(3, cores=1.5), at=(0, 0, 0))) == [4, 4, 8]


def test_lifo_takes_the_youngest_but_interrupts_nobody() -> None:
    """The first runs 0-2; of those who wait the last comes first: 2-4, then 4-6."""
    assert ends_ms(timeline(station(2, discipline="lifo"), at=(0, 0.5, 1))) == [2, 6, 4]


def test_sharing_between_equals() -> None:
    """Three at 0 with 1 ms each get a third: all end at 3. On two cores each gets two thirds: 1.5."""
    assert ends_ms(timeline(station(1, discipline="ps"), at=(0, 0, 0))) == [3, 3, 3]
    assert ends_ms(timeline(station(1, discipline="ps", cores=2), at=(0, 0, 0))) == [1.5, 1.5, 1.5]
    assert ends_ms(timeline(station(1, discipline="ps", cores=3), at=(0, 0, 0))) == [1, 1, 1]


def two_kinds(first_ms: float, second_ms: float, **fields: Any) -> PlaneService:
    endpoints = {"x": ((work_ms(first_ms),),), "y": ((work_ms(second_ms),),)}
    return service("a", endpoints=endpoints, **fields)


def of_two_kinds(station: PlaneService, x_at: tuple[float, ...], y_at: tuple[float, ...]) -> Record:
    x = entry("x", "a", trace_ms(*x_at), endpoint="x")
    y = entry("y", "a", trace_ms(*y_at), endpoint="y")
    return run(plane(station, entries=[x, y]), 1.0)


def test_sharing_between_two_who_come_one_after_the_other() -> None:
    """4 ms from 0, 2 ms from 1: alone until 1, then halves; the short one ends at 5, the long one has 1 left: 6."""
    assert ends_ms(of_two_kinds(two_kinds(4, 2, discipline="ps"), (0,), (1,))) == [6, 5]


def test_sharing_between_three() -> None:
    """3, 3 and 1 ms from 0: thirds until 3, when the short one ends; then halves: both others end at 7."""
    assert ends_ms(of_two_kinds(two_kinds(3, 1, discipline="ps"), (0, 0), (0,))) == [7, 7, 3]


def test_sharing_rounds_up_to_whole_nanoseconds() -> None:
    """10 ns each, three from 0: 30 ns. 10 ns from 0 and from 5: the first has 5 left, shared 10: 15; the second 20."""
    ten = service("a", work(constant(10e-9)), discipline="ps")
    assert ends_ms(timeline(ten, at=(0, 0, 0))) == [30 / MS] * 3
    assert ends_ms(timeline(ten, at=(0, 5 / MS))) == [15 / MS, 20 / MS]
    odd = service("a", work(constant(1e-9)), discipline="ps", cores=0.7)
    assert ends_ms(timeline(odd)) == [2 / MS]  # 1.43 ns


def test_zero_demand_is_served_in_its_turn() -> None:
    """No demand takes no time, but waits behind those who came before under FIFO."""
    assert ends_ms(timeline(station(0), at=(0, 0))) == [0, 0]
    assert ends_ms(of_two_kinds(two_kinds(2, 0), (0,), (1,))) == [2, 2]
    assert ends_ms(of_two_kinds(two_kinds(2, 0, discipline="ps"), (0,), (1,))) == [2, 1]


def test_unlimited_cores_and_threads_never_wait() -> None:
    for fields in ({"cores": math.inf}, {"threads": None}):
        assert ends_ms(timeline(station(2, **fields), at=(0, 0, 1))) == [2, 2, 3]


def test_a_connection_stays_on_its_thread() -> None:
    """One connection, two threads with a core each: its requests wait for each other; one shared queue would not."""
    one_connection = {"client": {"pool": 1}}
    assert ends_ms(timeline(station(2, cores=2, threads=2), at=(0, 0), **one_connection)) == [2, 4]
    assert ends_ms(timeline(station(2, cores=2, threads=1), at=(0, 0), **one_connection)) == [2, 2]


# -- slots -----------------------------------------------------------------------------------------------------


def test_a_slot_is_held_during_a_call() -> None:
    """One slot: 1 ms here, 3 ms there: 0-4, 4-8. Without the limit the second works meanwhile, and waits there: 7."""
    for concurrency, ends in ((1, [4, 8]), (None, [4, 7])):
        a = service("a", work_ms(1), call("b"), concurrency=concurrency)
        assert ends_ms(timeline(a, service("b", work_ms(3)), at=(0, 0))) == ends


def test_a_full_queue_rejects_at_once() -> None:
    """A slot and one place: 0-10, the second waits 10-20, the third is rejected at 2; one at 20 finds a free slot."""
    record = timeline(station(10, concurrency=1, queue=1), at=(0, 1, 2, 20))
    assert ends_ms(record) == [10, 20, 2, 30]
    assert outcomes(record) == [OK, OK, QUEUE_FULL, OK]
    names = ("requests", "waited", "rejected", "failed", "answered")
    assert [total(record, 0, name) for name in names] == [4, 1, 1, 1, 3]
    assert total(record, 0, "slot_wait_ns") == 9 * MS


def test_a_queue_of_nothing() -> None:
    """No place to wait: who finds the slot taken is rejected; at the very instant it is freed it is free."""
    record = timeline(station(10, concurrency=1, queue=0), at=(0, 9, 10))
    assert ends_ms(record) == [10, 9, 20]
    assert outcomes(record) == [OK, QUEUE_FULL, OK]


def test_slots_are_given_in_order_of_arrival_whatever_the_discipline() -> None:
    """One slot under LIFO: only the CPU is last come first served, and only one request is ever there."""
    assert ends_ms(timeline(station(2, concurrency=1, discipline="lifo"), at=(0, 0.5, 1))) == [2, 4, 6]


def test_a_rejected_call_is_retried_at_once() -> None:
    """b is taken for 10 ms by an earlier request: the call and its two retries are rejected within one instant."""
    top = service("top", call("b", retries=2))
    b = service("b", work_ms(10), concurrency=1, queue=0)
    record = run(plane(top, b, entries=[entry("hog", "b", trace_ms(0)), entry("s", "top", trace_ms(1))]), 1.0)
    assert ends_ms(record) == [10, 1]
    assert outcomes(record) == [OK, QUEUE_FULL]
    assert record.requests is not None and record.requests["tries"].tolist() == [0, 3]


# -- timeouts and cancellation ---------------------------------------------------------------------------------


def test_an_answer_at_the_deadline_counts() -> None:
    """3 ms there, timeout 3 ms: answered; a nanosecond less: timeout at that instant."""
    b = service("b", wait_ms(3))
    record = timeline(service("a", call("b", timeout_s=0.003)), b)
    assert (ends_ms(record), outcomes(record)) == ([3], [OK])
    record = timeline(service("a", call("b", timeout_s=0.002999999)), b)
    assert (ends_ms(record), outcomes(record)) == ([2.999999], [TIMEOUT])


def test_abandoned_work_still_takes_the_cpu() -> None:
    """b takes 5 ms, timeout 3 ms, a retry: tries at 0 and 3, b works 0-5 and 5-10, nobody listens; given up at 6."""
    record = timeline(service("a", call("b", timeout_s=0.003, retries=1)), service("b", work_ms(5)))
    assert (ends_ms(record), outcomes(record)) == ([6], [TIMEOUT])
    assert total(record, 1, "busy_ns") == total(record, 1, "demand_ns") == 10 * MS
    assert total(record, 1, "answered") == 2
    assert record.spans["returned_ns"].tolist() == [6 * MS, -1, -1]


def hogged(cancellation: bool) -> Record:
    """1 ms each way; b serves another request 0-5; timeout 4 ms and a retry; the second try arrives as the hog ends."""
    a = service("a", call("b", timeout_s=0.004, retries=1, cancellation=cancellation, endpoint="y"))
    endpoints = {"x": ((work_ms(5),),), "y": ((work_ms(1),),)}
    b = service("b", endpoints=endpoints)
    entries = [entry("a-hog", "b", trace_ms(0), endpoint="x"), entry("web", "a", trace_ms(0))]
    return run(plane(a, b, entries=entries, delays=network(same_node=1)), 1.0, spans=True)


def test_without_cancellation_the_first_try_delays_the_second() -> None:
    """Try 1 at b from 1, works 5-6, its answer at 7 is late; try 2 works 6-7, answered at 8, exactly its deadline."""
    record = hogged(False)
    assert (ends_ms(record), outcomes(record)) == ([5, 8], [OK, OK])
    assert [total(record, 1, name) for name in ("busy_ns", "cancelled", "answered")] == [7 * MS, 0, 3]


def test_a_cancellation_frees_the_cpu_when_it_arrives() -> None:
    """Given up at 4, told at 5, the instant try 1 began to work: it is taken off, try 2 works 5-6, answered at 7."""
    record = hogged(True)
    assert (ends_ms(record), outcomes(record)) == ([5, 7], [OK, OK])
    assert [total(record, 1, name) for name in ("busy_ns", "cancelled", "answered")] == [6 * MS, 1, 2]


@pytest.mark.parametrize(
    "fields",
    [{"discipline": "fifo"}, {"discipline": "lifo"}, {"discipline": "ps"}, {"cores": math.inf}, {"threads": None}],
    ids=str,
)
def test_a_cancellation_follows_the_chain(fields: dict[str, Any]) -> None:
    """1 ms a hop: b works from 2; a gives up at 4, the middle hears it at 5, b at 6: b has worked 4 of its 10 ms."""
    a = service("a", call("m", timeout_s=0.004, cancellation=True))
    m = service("m", call("b", cancellation=True))
    b = service("b", work_ms(10), **fields)
    record = timeline(a, m, b, delays=network(same_node=1))
    assert (ends_ms(record), outcomes(record)) == ([4], [TIMEOUT])
    assert [total(record, 2, name) for name in ("busy_ns", "demand_ns", "cancelled")] == [4 * MS, 10 * MS, 1]
    assert total(record, 1, "in_system_ns") == 4 * MS  # from 1 to 5


def test_a_cancellation_without_the_next_ones_consent_ends_there() -> None:
    """The middle does not pass cancellations on: b works its 10 ms for nobody."""
    a = service("a", call("m", timeout_s=0.004, cancellation=True))
    record = timeline(a, service("m", call("b")), service("b", work_ms(10)), delays=network(same_node=1))
    assert (ends_ms(record), outcomes(record)) == ([4], [TIMEOUT])
    assert [total(record, 2, name) for name in ("busy_ns", "cancelled")] == [10 * MS, 0]


def test_a_cancelled_request_leaves_the_line_for_a_slot() -> None:
    """b has one slot and one place. The hog has the slot 0-10, the call the place until it is cancelled at 3; so the
    request at 4 finds a place, and works 10-20.
    """
    top = service("top", call("b", timeout_s=0.003, cancellation=True))
    b = service("b", work_ms(10), concurrency=1, queue=1)
    record = run(plane(top, b, entries=[entry("hog", "b", trace_ms(0, 4)), entry("s", "top", trace_ms(0))]), 1.0)
    assert ends_ms(record) == [10, 3, 20]
    assert outcomes(record) == [OK, TIMEOUT, OK]
    assert total(record, 1, "cancelled") == 1


def test_cancellation_of_shared_work_speeds_up_the_rest() -> None:
    """PS: the hog (6 ms) and the call (10 ms) share from 0; cancelled at 4, each had 2; the hog's other 4 end at 8."""
    top = service("top", call("b", timeout_s=0.004, cancellation=True, endpoint="y"))
    b = service("b", endpoints={"x": ((work_ms(6),),), "y": ((work_ms(10),),)}, discipline="ps")
    entries = [entry("hog", "b", trace_ms(0), endpoint="x"), entry("s", "top", trace_ms(0))]
    assert ends_ms(run(plane(top, b, entries=entries), 1.0)) == [8, 4]


def test_a_wait_is_cancelled_as_well() -> None:
    top = service("top", call("b", timeout_s=0.004, cancellation=True))
    record = timeline(top, service("b", wait_ms(100)))
    assert total(record, 1, "in_system_ns") == 4 * MS
    assert total(record, 1, "cancelled") == 1


# -- branches --------------------------------------------------------------------------------------------------


def test_a_join_waits_for_all() -> None:
    """Branches of 5, 2 and (3 + 1) ms: 5, then 1 ms of work: 6."""
    top = service("top", fork([wait_ms(5)], [wait_ms(2)], [wait_ms(3), wait_ms(1)]), work_ms(1))
    assert ends_ms(timeline(top)) == [6]


def test_a_failed_branch_decides_a_join_of_all() -> None:
    """c fails with 503 at 2: that is the answer, at 2; b works its 5 ms all the same."""
    top = service("top", fork([call("b")], [call("c")]), work_ms(1))
    record = timeline(top, service("b", work_ms(5)), service("c", wait_ms(2), fail(reason="503")))
    assert (ends_ms(record), outcomes(record)) == ([2], [E503])
    assert total(record, 1, "busy_ns") == 5 * MS


def test_a_decided_join_cancels_the_others_where_cancellation_is_on() -> None:
    """As before, but every call of the fork cancels: b is stopped at 2."""
    top = service("top", fork([call("b", cancellation=True)], [call("c", cancellation=True)]))
    record = timeline(top, service("b", work_ms(5)), service("c", wait_ms(2), fail(reason="503")))
    assert (ends_ms(record), outcomes(record)) == ([2], [E503])
    assert [total(record, 1, name) for name in ("busy_ns", "cancelled")] == [2 * MS, 1]


@pytest.mark.parametrize(("first", "second"), [(True, False), (False, True), (False, False)])
def test_a_decided_join_stops_nobody_unless_every_call_has_cancellation(first: bool, second: bool) -> None:
    """c fails at 2, but one call of the fork (or both) lets its callee work on: b works all of its 5 ms."""
    top = service("top", fork([call("b", cancellation=first)], [call("c", cancellation=second)]))
    record = timeline(top, service("b", work_ms(5)), service("c", wait_ms(2), fail(reason="503")))
    assert (ends_ms(record), outcomes(record)) == ([2], [E503])
    assert [total(record, 1, name) for name in ("busy_ns", "cancelled")] == [5 * MS, 0]


def test_calls_of_inner_forks_count_for_the_outer_one() -> None:
    """The outer fork has three calls, the inner one two that cancel: decided at 2, the inner one stops c at once; then
    the outer one, failed by it, lets b work its 5 ms, since b's own call does not cancel.
    """
    inner = fork([call("c", cancellation=True)], [call("d", cancellation=True)])
    top = service("top", fork([call("b")], [inner]))
    c, d = service("c", work_ms(7)), service("d", wait_ms(2), fail(reason="503"))
    record = timeline(top, service("b", work_ms(5)), c, d)
    assert (ends_ms(record), outcomes(record)) == ([2], [E503])
    assert [total(record, i, "busy_ns") for i in (1, 2)] == [5 * MS, 2 * MS]


def test_a_fork_without_calls_stops_nobody() -> None:
    """One branch decides at 1; the other works its 3 ms, unobserved."""
    record = timeline(service("top", fork([work_ms(3)], [wait_ms(1)], quorum=1)))
    assert ends_ms(record) == [1]
    assert total(record, 0, "busy_ns") == 3 * MS


def test_work_ends_before_waits_of_the_same_instant() -> None:
    """At 2 the first branch has waited and the second has worked: the second goes on first, and works 2-3; then the
    first, whose serial is lower, works 3-6 (rule T6).
    """
    record = timeline(service("top", fork([wait_ms(2), work_ms(3)], [work_ms(2), work_ms(1)])))
    assert (record.spans["left_ns"] // MS).tolist() == [6, 6, 3]


def test_quorum() -> None:
    """Two of (1, 4, 9): at 4. If the first fails at 1: at 9. If the first two fail: decided at 4, by the second."""
    waits = (1, 4, 9)
    for failing, end, outcome in (((), 4, OK), ((0,), 9, OK), ((0, 1), 4, RESET)):
        reasons = ("500", "reset", "503")
        branches = [[wait_ms(w), *([fail(reason=reasons[i])] if i in failing else [])] for i, w in enumerate(waits)]
        record = timeline(service("top", fork(*branches, quorum=2)))
        assert (ends_ms(record), outcomes(record)) == ([end], [outcome])


def test_branches_share_the_replicas_cpu() -> None:
    """Two branches of 2 ms on one core: FIFO 0-2 and 2-4; under PS both end at 4."""
    for discipline in ("fifo", "ps"):
        top = service("top", fork([work_ms(2)], [work_ms(2)]), discipline=discipline)
        assert ends_ms(timeline(top)) == [4]


def test_branches_within_branches() -> None:
    """max(1 + max(2, 3), 2) = 4; an empty branch takes nothing."""
    top = service("top", fork([wait_ms(1), fork([wait_ms(2)], [wait_ms(3)])], [wait_ms(2)], []))
    assert ends_ms(timeline(top)) == [4]


# -- calls -----------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("fields", "end", "outcome"),
    [
        ({}, 2, E500),
        ({"optional": True}, 3, DEGRADED),
        ({"fallback": [wait_ms(4)]}, 7, DEGRADED),
        ({"fallback": [wait_ms(4), fail(reason="503")]}, 6, E503),
        ({"retries": 2}, 6, E500),
        ({"retries": 2, "optional": True}, 7, DEGRADED),
        ({"times": constant(3.0), "optional": True}, 3, DEGRADED),
        ({"async_": True}, 1, OK),
        ({"p": 0.0}, 1, OK),
        ({"times": constant(0.0)}, 1, OK),
    ],
    ids=lambda value: str(value)[:30],
)
def test_what_a_failing_call_does(fields: dict[str, Any], end: float, outcome: int) -> None:
    """b fails with 500 after 2 ms; the caller has 1 ms of work left after its call."""
    record = timeline(service("a", call("b", **fields), work_ms(1)), service("b", wait_ms(2), fail()))
    assert (ends_ms(record), outcomes(record)) == ([end], [outcome])


def test_a_call_made_three_times() -> None:
    """One after another: 3 x 2 ms; the fallback is not run when all is well."""
    a = service("a", call("b", times=constant(3.0), fallback=[wait_ms(50)]), work_ms(1))
    record = timeline(a, service("b", wait_ms(2)))
    assert (ends_ms(record), outcomes(record)) == ([7], [OK])


def test_a_degraded_answer_degrades_the_caller() -> None:
    """An optional part failed two levels below: the whole request is degraded."""
    top, a = service("top", call("a")), service("a", call("b", optional=True))
    assert outcomes(timeline(top, a, service("b", fail()))) == [DEGRADED]


def test_an_asynchronous_call_runs_on() -> None:
    """The answer goes out at 1; b works its 5 ms from 0."""
    record = timeline(service("a", call("b", async_=True), work_ms(1)), service("b", work_ms(5)))
    assert ends_ms(record) == [1]
    assert total(record, 1, "busy_ns") == 5 * MS


def test_choose_runs_exactly_one_option() -> None:
    """A sure option runs, impossible ones do not, and the steps after it are run once."""
    options = choose((0.0, [wait_ms(50)]), (1.0, [wait_ms(2), choose((1.0, [wait_ms(3)]))]), (0.0, [wait_ms(70)]))
    assert ends_ms(timeline(service("a", options, work_ms(1)))) == [6]


def test_an_endless_chain_of_calls_is_named() -> None:
    """`call_depth` bounds cycles; the message names the cycle and the instant."""
    a, b = service("a", wait_ms(1), call("b")), service("b", call("a"))
    with pytest.raises(EngineLimit, match=r"a\.e -> b\.e") as caught:
        timeline(a, b, call_depth=5)
    assert caught.value.limit == "call_depth 5"


def test_a_request_without_an_answer_is_unfinished() -> None:
    """The drain ends before the answer: unfinished, with no end."""
    record = run(plane(service("a", wait_ms(500)), arrivals=trace_ms(0)), 0.1, drain=0.1)
    assert ends_ms(record) == [-1]
    assert record.counts[0, :, -1].sum() == 1
    assert record.end_ns == 200 * MS


# -- proxies and the network -----------------------------------------------------------------------------------


def test_a_fresh_connection_takes_round_trips() -> None:
    """5 ms one way: 5 + 5 on an open one, one round trip more for TCP, another for TLS 1.3; not on the way back."""
    for client, end in (({}, 10), ({"fresh": 1.0}, 20), ({"fresh": 1.0, "tls": True}, 30), ({"tls": True}, 10)):
        assert ends_ms(timeline(service("a"), delays=network(client=5), client=client)) == [end]


def test_where_replicas_are_decides_the_delay() -> None:
    """Same node 1, same zone 10 ms each way, loopback 0.1 where a pod is shared, the client 100."""
    delays = network(same_node=1, same_zone=10, loopback=0.1, client=100)
    for node, fields, way in ((0, {}, 1), (1, {}, 10), (0, {"loopback": True}, 0.1)):
        a, b = service("a", call("b", **fields)), service("b", nodes=(node,))
        assert ends_ms(timeline(a, b, delays=delays)) == [200 + 2 * way]
