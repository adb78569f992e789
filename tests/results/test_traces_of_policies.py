"""Tries of enforcers, connections and impatient clients in traces, worked out by hand.

`shop` calls `stock` through a library that acts; messages take 1 ms, those of clients none.
"""

from __future__ import annotations

from typing import Any

import pytest
from builders import MS, run
from traced import bars, bars_of, check, of_record

import meshsim
from meshsim.model.load import load
from meshsim.results.breakdown import attribute, break_down
from meshsim.results.endpoints import endpoints_of
from meshsim.results.otlp import to_otlp
from meshsim.results.traces import Span, Trace, Traces

OTHERS = "waiting for others"
LIBRARY = "library@shop"


def plane_of(policy: dict[str, Any], steps: list[Any], at: tuple[int, ...] = (0,), **more: Any) -> Any:
    """Two services with CPU in plenty; `more` are fields of the stream and of the topology."""
    stream = {"name": "web", "entry": "shop.get", "arrivals": {"trace": {"times": [f"{ms}ms" for ms in at]}}}
    call = {"call": "stock.get"} | more.pop("call", {})
    never = "0ms"
    return meshsim.lower(
        load(
            {
                "meshsim": 1,
                "name": "by-hand",
                "policy_defaults": "none",
                "run": {"warmup": "0s"},
                "services": {
                    "shop": {"replicas": 1, "cpu": 64, "endpoints": {"get": [call]}},
                    "stock": {"replicas": 1, "cpu": 64, "endpoints": {"get": steps}} | more.pop("stock", {}),
                },
                "network": dict.fromkeys(("same_node", "same_zone", "cross_zone"), "1ms")
                | {"client": never, "loopback": never},
                "traffic": [stream | {"connections": 8} | more.pop("stream", {})],
                "policies": [{"name": "stock", "to": "stock", "from": "shop", "in_app": True} | policy],
            }
            | more
        ),
        "none",
    )


def traces(*args: Any, **more: Any) -> Traces:
    made = plane_of(*args, **more)
    found = of_record(made, run(made, 1.0, spans=True))
    for trace in found:
        check(trace)
    assert to_otlp(found)["resourceSpans"]
    return found


def tries_of(trace: Trace) -> list[Span]:
    return [span for span in trace.spans if span.service == "stock"]


def times(span: Span) -> dict[str, float]:
    return {part: spent / MS for part, spent in span.times_ns.items() if spent}


def library(trace: Trace) -> Span:
    (found,) = (span for span in trace.spans if span.role == "library")
    return found


def test_the_try_whose_answer_is_passed_on_is_on_the_path() -> None:
    """Both tries fail after 4 ms: 0 to 6, back-off until 11, then 11 to 17."""
    policy = {"retries": {"attempts": 1, "on": ["5xx"], "backoff": {"constant": "5ms"}}}
    (trace,) = traces(policy, [{"wait": "4ms"}, {"fail": {"p": 1, "as": "503"}}])
    assert (trace.latency_ns, trace.outcome) == (17 * MS, "error(503)")
    first, second = tries_of(trace)
    assert (first.critical, first.ending, first.until_ns) == (False, "answered", 6 * MS)
    assert (second.critical, second.attempt, times(second)) == (True, 1, {"network": 2.0, "wait": 4.0})
    assert times(library(trace)) == {"failed tries": 11.0}
    assert bars(trace, LIBRARY) == [(0, 11, "failed tries", True), (11, 17, OTHERS, False)]


def test_tries_that_take_too_long() -> None:
    """The first is given up after 5 ms, the second, at once, too: the answer is a timeout at 10."""
    policy = {"retries": {"attempts": 1, "on": ["5xx"], "per_try": "5ms", "backoff": "none"}}
    (trace,) = traces(policy, [{"wait": "30ms"}])
    assert (trace.latency_ns, trace.outcome) == (10 * MS, "timeout")
    assert [(one.ending, one.until_ns / MS, one.critical) for one in tries_of(trace)] == [
        ("timeout", 5, False),
        ("timeout", 10, False),
    ]
    assert bars(trace, LIBRARY) == [(0, 10, "failed tries", True)]


def test_a_hedge_that_was_not_needed() -> None:
    """The first try is answered at 12; the one that set out at 4 is given up then."""
    policy = {"retries": {"attempts": 1, "on": ["5xx"], "per_try": "4ms", "backoff": "none", "hedge": "on"}}
    (trace,) = traces(policy, [{"wait": "10ms"}])
    first, second = tries_of(trace)
    assert (first.critical, times(first)) == (True, {"network": 2.0, "wait": 10.0})
    assert (second.critical, second.ending, second.sent_ns, second.until_ns) == (False, "cancelled", 4 * MS, 12 * MS)
    assert times(library(trace)) == {}
    assert bars(trace, LIBRARY) == [(0, 12, OTHERS, False)]


def test_a_hedge_that_wins() -> None:
    """One replica serves one request at a time: a request of 30 ms before makes the first try wait."""
    policy = {
        "load_balancer": "round_robin",
        "retries": {"attempts": 1, "on": ["5xx"], "per_try": "4ms", "backoff": "none", "hedge": "on"},
    }
    made = {"stock": {"replicas": 2, "concurrency": 1}}
    found = traces(policy, [{"wait": "30ms"}], at=(0, 8, 9), **made)
    for trace in found:
        won = [span for span in tries_of(trace) if span.critical]
        assert len(won) == 1
        assert times(library(trace)).get("failed tries", 0.0) == (won[0].sent_ns - trace.arrival_ns) / MS
        others = [span.ending for span in tries_of(trace) if not span.critical]
        assert others == ["cancelled"] * len(others)


def test_a_timeout_of_the_whole_in_the_time_split() -> None:
    """The call is optional: a degraded answer after 7 ms, all of them for a try that brought nothing."""
    (trace,) = traces({"timeout": "7ms"}, [{"wait": "30ms"}], call={"optional": True})
    assert (trace.outcome, trace.latency_ns) == ("degraded", 7 * MS)
    assert [(span.ending, span.until_ns) for span in tries_of(trace)] == [("timeout", 7 * MS)]
    made = plane_of({"timeout": "7ms"}, [{"wait": "30ms"}], call={"optional": True})
    split = break_down(made, [run(made, 1.0, spans=True)], 0).mean
    assert split.by_hop_s[LIBRARY]["failed tries"].value == pytest.approx(0.007) == split.latency_s.value


def test_waiting_for_a_connection() -> None:
    """There is one: the second of two requests is sent when the first has been answered, at 6."""
    found = traces({"circuit_breaker": {"max_connections": 1}}, [{"wait": "4ms"}], at=(0, 1))
    (span,) = tries_of(found[1])
    assert "meshsim.connection_wait_ns" in str(to_otlp(found))
    assert times(span) == {"wait for connection": 5.0, "network": 2.0, "wait": 4.0}
    assert bars_of(found[1], span)[:2] == [(0, 5, "wait for connection", True), (5, 6, "network", True)]
    made = plane_of({"circuit_breaker": {"max_connections": 1}}, [{"wait": "4ms"}], at=(0, 1))
    split = break_down(made, [run(made, 1.0, spans=True)], 0).mean
    assert split.parts_s["connection"].value == pytest.approx(0.0025)


def test_a_try_that_got_its_connection_too_late() -> None:
    """The one before is given up at 8; the message that goes then is on its way when its own time is over, at 9."""
    policy = {"circuit_breaker": {"max_connections": 1}, "timeout": "8ms"}
    trace = traces(policy, [{"wait": "30ms"}], at=(0, 1))[1]
    assert (trace.outcome, trace.latency_ns) == ("timeout", 8 * MS)
    (span,) = tries_of(trace)
    assert (span.ending, span.until_ns, span.critical) == ("timeout", 9 * MS, False)
    assert bars(trace, LIBRARY) == [(0, 8, "failed tries", True)]


def test_injected_delays_are_waits() -> None:
    route = {"name": "slow", "to": "stock", "fault": {"delay": {"for": "9ms"}}}
    (trace,) = traces({"timeout": "1s"}, [{"wait": "4ms"}], routes=[route])
    assert times(library(trace)) == {"wait": 9.0}


def test_copies_are_not_on_the_path() -> None:
    route = {"name": "copy", "to": "stock", "mirror": "v2"}
    versions = {"stock": {"replicas": 1, "cpu": 64, "versions": {"v1": {}, "v2": {}}}}
    (trace,) = traces({"timeout": "1s"}, [{"wait": "4ms"}], routes=[route], **versions)
    assert trace.latency_ns == 6 * MS
    assert sorted(span.critical for span in tries_of(trace)) == [False, True]


@pytest.mark.parametrize(
    ("patience", "spent"),
    [
        ("3ms", {("stock", "network"): 1.0, ("stock", "wait"): 2.0}),
        ("5.5ms", {("stock", "network"): 1.5, ("stock", "wait"): 4.0}),
        ("0.5ms", {("stock", "network"): 0.5}),
    ],
)
def test_a_client_that_gives_up(patience: str, spent: dict[tuple[str, str], float]) -> None:
    """What the request was at then held up the answer: the message, the wait step, the answer under way."""
    (trace,) = traces({}, [{"wait": "4ms"}], stream={"patience": patience})
    assert (trace.outcome, trace.spans[0].ending) == ("timeout", "timeout")
    assert trace.latency_ns == float(patience.removesuffix("ms")) * MS
    found = {(span.service, part): ms for span in trace.spans for part, ms in times(span).items()}
    assert found == spent


def test_an_answer_on_its_way_to_a_client_that_gave_up_is_none() -> None:
    """Done at 7 ms, it is answered at 9: too late for whoever gives up at 8.5."""
    network = dict.fromkeys(("client", "same_node", "same_zone", "cross_zone", "loopback"), "2ms")
    made = plane_of({}, [{"wait": "1ms"}], network=network, stream={"patience": "10.5ms"})
    record = run(made, 1.0, spans=True)
    assert attribute(record.spans, endpoints_of(made)).latency_ns.tolist() == [9 * MS]
    made = plane_of({}, [{"wait": "1ms"}], network=network, stream={"patience": "8.5ms"})
    (trace,) = of_record(made, record := run(made, 1.0, spans=True))
    check(trace)
    assert (trace.outcome, trace.spans[0].outcome, trace.spans[0].ending) == ("timeout", "ok", "timeout")
    assert attribute(record.spans, endpoints_of(made)).latency_ns.tolist() == []
