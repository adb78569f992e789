"""Waterfalls that are known by hand, and what holds for every trace."""

from __future__ import annotations

import numpy as np
import pytest
from builders import MS, call, entry, fail, fork, hop, network, plane, run, service, trace_ms, wait_ms, work_ms
from traced import bars, bars_of, check, of_record, trace_of, traces_of

import meshsim
from meshsim.architectures.plane import Forward, ProxyWork
from meshsim.errors import UsageError
from meshsim.model.distributions import Distribution
from meshsim.results.paths import TIMES
from meshsim.results.segments import PARTS
from meshsim.results.traces import choose, keep

OTHERS = "waiting for others"


def test_a_request_through_a_proxy() -> None:
    """1 ms a message; the proxy works 2 there and 1 back; b waits 4 for the CPU of the request before, works 5.

    Both arrive at 0 and reach the proxy at 1; the second waits 2 there, is sent at 5, reaches b at 6, where the first
    is at work from 4 to 9.
    """
    there = ProxyWork(Distribution(kind="constant", params=(0.002,)), 0.0, 0.0, "request")
    back = ProxyWork(Distribution(kind="constant", params=(0.001,)), 0.0, 0.0, "response")
    proxy = service("p", role="proxy", endpoints={"e": ((there, Forward(hop("b")), back),)})
    trace = trace_of(proxy, service("b", work_ms(5)), at=(0, 0), delays=network(client=1, same_node=1))
    check(trace)
    assert trace.latency_ns == 17 * MS
    assert [(span.service, span.role, span.replica, span.ending) for span in trace.spans] == [
        ("p", "proxy", 0, "answered"),
        ("b", "app", 0, "answered"),
    ]
    assert bars(trace, "b") == [
        (5, 6, "network", True),
        (6, 9, "wait for CPU", True),
        (9, 14, "CPU", True),
        (14, 15, "network", True),
    ]
    # 2 ms of waiting and 3 of CPU, spread over the 4 ms before and the 1 ms after the call
    assert bars(trace, "p") == [
        (0, 1, "network", True),
        (1, 2.6, "wait for CPU", True),
        (2.6, 5, "CPU", True),
        (5, 15, OTHERS, False),
        (15, 15.4, "wait for CPU", True),
        (15.4, 16, "CPU", True),
        (16, 17, "network", True),
    ]
    assert trace.most() == ("b", "CPU", 5 * MS)


def test_a_slot_is_waited_for() -> None:
    trace = trace_of(service("a", work_ms(3), wait_ms(2), concurrency=1), at=(0, 1))
    check(trace)
    assert bars(trace, "a") == [(0, 4, "wait for slot", True), (4, 7, "CPU", True), (7, 9, "wait", True)]


def test_a_full_queue_rejects() -> None:
    trace = trace_of(service("a", work_ms(3), concurrency=1, queue=0), at=(0, 1), delays=network(client=1))
    check(trace)
    assert (trace.outcome, trace.latency_ns) == ("rejected(queue_full)", 2 * MS)
    assert trace.spans[0].admitted_ns is None
    assert bars(trace, "a") == [(0, 1, "network", True), (1, 2, "network", True)]


def test_tries_that_were_given_up() -> None:
    """b takes 10 ms; a gives up twice after 4, the second try waits for the first; then a works 1 and is answered."""
    steps = call("b", timeout_s=0.004, retries=1, optional=True), work_ms(1)
    trace = trace_of(service("a", *steps), service("b", work_ms(10)))
    check(trace)
    assert (trace.outcome, trace.tries, trace.latency_ns) == ("degraded", 2, 9 * MS)
    assert bars(trace, "a") == [(0, 4, OTHERS, True), (4, 8, OTHERS, True), (8, 9, "CPU", True)]
    first, second = trace.spans[1:]
    assert [(span.ending, span.attempt, span.until_ns, span.critical) for span in (first, second)] == [
        ("timeout", 0, 4 * MS, False),
        ("timeout", 1, 8 * MS, False),
    ]
    assert bars_of(trace, first) == [(0, 9, "goes on", False)]
    assert trace.most() == ("a", "wait", 8 * MS)


def test_a_timeout_that_fails_the_request_and_is_passed_on() -> None:
    """a calls b, b calls c; b gives up at 2 + 3, nothing is retried: the answer to the client is a timeout at 5."""
    b = service("b", work_ms(2), call("c", timeout_s=0.003))
    trace = trace_of(service("a", call("b")), b, service("c", wait_ms(50)))
    check(trace)
    assert (trace.outcome, trace.latency_ns) == ("timeout", 5 * MS)
    assert [(span.outcome, span.ending) for span in trace.spans] == [
        ("timeout", "answered"),
        ("timeout", "answered"),
        ("unfinished", "timeout"),
    ]


def test_cancelled_calls() -> None:
    """a gives up at 4 and works on; b hears of it at 4 (no delays) and stops waiting for c, which hears of it too."""
    a = service("a", call("b", timeout_s=0.004, cancellation=True, optional=True), work_ms(6))
    b = service("b", call("c", cancellation=True))
    trace = trace_of(a, b, service("c", work_ms(20)))
    check(trace)
    assert [(span.outcome, span.ending, span.left_ns) for span in trace.spans[1:]] == [
        ("cancelled", "timeout", 4 * MS),
        ("cancelled", "cancelled", 4 * MS),
    ]


def test_asynchronous_calls_are_not_on_the_critical_path() -> None:
    """One that ends before the request, and one that does not."""
    trace = trace_of(service("a", call("b", async_=True), work_ms(10)), service("b", work_ms(3)))
    check(trace)
    assert bars(trace, "a") == [(0, 10, "CPU", True)]
    assert [(span.kind, span.critical, span.ending) for span in trace.spans] == [
        ("call", True, "answered"),
        ("branch", False, "answered"),
        ("call", False, "answered"),
    ]
    late = trace_of(service("a", call("b", async_=True), work_ms(2)), service("b", work_ms(3)))
    check(late)
    assert [(span.ending, span.outcome) for span in late.spans[1:]] == [("unfinished", "unfinished")] * 2
    assert late.spans[2].until_ns == 2 * MS


def test_of_a_quorum_the_branch_that_decided_is_waited_for() -> None:
    """c (2 ms) of b (5), c, d (1) decides a quorum of 2; then e in an asynchronous call, and 7 ms of work."""
    branches = ([call("b")], [call("c")], [call("d")])
    a = service("a", fork(*branches, quorum=2), call("e", async_=True), work_ms(7))
    others = [service(name, work_ms(each)) for name, each in (("b", 5), ("c", 2), ("d", 1), ("e", 2))]
    trace = trace_of(a, *others)
    check(trace)
    assert bars(trace, "a") == [(0, 2, OTHERS, False), (2, 9, "CPU", True)]
    assert {span.service for span in trace.spans if span.critical and span.kind == "call"} == {"a", "c"}


def test_a_join_that_fails_at_once() -> None:
    a = service("a", fork([call("b")], [call("c")]), work_ms(7))
    trace = trace_of(a, service("b", work_ms(5)), service("c", work_ms(1), fail(reason="503")))
    check(trace)
    assert (trace.outcome, trace.latency_ns) == ("error(503)", MS)
    assert trace.most() == ("c", "CPU", MS)


def test_parallel_work_beside_asynchronous_calls_and_timeouts() -> None:
    """Of everything at once: the branch of 6 ms is waited for, a given up call 3 ms, own work 1 + 2 ms."""
    a = service(
        "a",
        call("slow", async_=True),
        work_ms(1),
        fork([wait_ms(4)], [wait_ms(6)]),
        call("slow", timeout_s=0.003, optional=True),
        call("slow", async_=True),
        work_ms(2),
    )
    trace = trace_of(a, service("slow", wait_ms(5)))
    check(trace)
    assert trace.latency_ns == 12 * MS
    assert bars(trace, "a") == [
        (0, 1, "CPU", True),
        (1, 7, OTHERS, False),
        (7, 10, OTHERS, True),
        (10, 12, "CPU", True),
    ]


def test_the_choice_of_requests() -> None:
    """Five requests 1 ms apart on a FIFO core that needs 3 ms each wait 0, 2, 4, 6 and 8 ms."""
    a = service("a", work_ms(3))
    at = (0, 1, 2, 3, 4)
    latencies = [3, 5, 7, 9, 11]

    def chosen(**wishes: object) -> list[float]:
        return [trace.latency_ns / MS for trace in traces_of(a, at=at, wishes=wishes)]

    assert chosen(slowest=2) == [11, 9]
    assert chosen(slowest=99) == latencies[::-1]
    assert chosen(slowest=0, sampled=99) == latencies
    assert chosen(slowest=0, sampled=1) == [7]
    assert chosen(slowest=1, sampled=2) == [11, 5, 9]
    assert chosen(slowest=5, outcome="timeout") == []
    found = traces_of(a, at=at, wishes={"slowest": 2})
    assert (found.matching, found.sampled, found.arrived, len(found)) == (5, 5, 5, 2)
    assert found.path.by_hop_s["a"]["wait for CPU"] == pytest.approx(0.014)
    assert found.path.by_hop_s["a"]["CPU"] == pytest.approx(0.006)
    assert found.path_of_sampled.by_hop_s["a"]["wait for CPU"] == pytest.approx(0.020)
    assert found.path_of_sampled.total_s == pytest.approx(sum(latencies) / 1e3)
    text = found.summary()
    assert "spans of 5 of 5 requests, 2 shown" in text
    assert "a: wait for CPU 8.00 ms (72.7 %)" in text


def test_wishes_about_outcomes_and_tenants() -> None:
    """Two streams of two tenants into one endpoint, told apart; one in three requests is rejected."""
    one, other = entry("one", "a", trace_ms(0, 10)), entry("other", "a", trace_ms(1))
    entries = [
        (one[0].model_copy(update={"tenant": "x"}), one[1]),
        (other[0].model_copy(update={"tenant": "y"}), other[1]),
    ]
    made = plane(service("a", work_ms(3), concurrency=1, queue=0), entries=entries)
    kept = keep(made, [run(made, 1.0, spans=True)], 0, 1)
    assert [trace.stream for trace in choose(kept, tenant="x")] == ["one", "one"]
    assert [trace.stream for trace in choose(kept, outcome="rejected")] == ["other"]
    assert [trace.stream for trace in choose(kept, outcome="rejected(queue_full)", tenant="x")] == []
    for wishes, message in (
        ({"outcome": "late"}, "choose one of ok, degraded, timeout, rejected, rejected"),
        ({"outcome": "unfinished"}, "have no spans"),
        ({"tenant": "z"}, "there are x, y"),
        ({"slowest": -1}, "0 or more"),
    ):
        with pytest.raises(UsageError, match=message):
            choose(kept, **wishes)


@pytest.mark.parametrize(("name", "arch", "load"), [("front-door", "sidecar", 0.5), ("online-boutique", "none", 1.2)])
def test_every_trace_of_a_shipped_topology(name: str, arch: str, load: float) -> None:
    """Asynchronous calls, parallel ones, timeouts and retries, under load; on both engines the same."""
    spec = meshsim.load(name, overrides=[f"run.load={load}"])
    made = meshsim.lower(spec, arch)
    found = of_record(made, run(made, 3.0, drain=20.0, spans=True))
    assert len(found) > 50
    for trace in found:
        check(trace)
    by_hand = sum(trace.latency_ns for trace in found) * 1e-9
    assert found.path.total_s == pytest.approx(by_hand) == found.path_of_sampled.total_s


def test_a_result_keeps_traces_when_asked_and_only_then() -> None:
    settings = {"duration_s": 8.0, "warmup_s": 4.0, "replications": 2, "quiet": True}
    result = meshsim.run("bookinfo", "sidecar", record_traces=True, **settings)
    found = result.traces(slowest=3, sampled=4)
    assert len(found) == 7
    assert {trace.replication for trace in result.traces(slowest=10**6)} == {0, 1}
    assert all(trace.arrival_ns >= 4 * 10**9 for trace in found)
    assert found.arrived == found.sampled == result.requests
    assert result.request_rows == ()
    mean = result.time_split.mean
    split = {hop: sum(e.value for e in parts.values()) for hop, parts in mean.by_hop_s.items()}
    for hop_name, parts in found.path_of_sampled.by_hop_s.items():
        assert sum(parts.values()) / found.sampled == pytest.approx(split[hop_name])
    with pytest.raises(UsageError, match="record_traces=True"):
        meshsim.run("bookinfo", **settings).traces()


def test_parts_are_named_once() -> None:
    assert PARTS[: len(TIMES)] == TIMES
    assert len(np.unique(PARTS)) == len(PARTS)
