"""Links, buffers and connections of tenants: the corners of rules N5, S10 and Y5, worked by hand on both engines."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
from given_times import BOTH, STILL, at, run

from meshsim.control import Control
from meshsim.engines import EngineName
from meshsim.engines.record import CONNECT_FAILURE, DEGRADED, OK, OVERFLOW, QUEUE_FULL, RESET, TIMEOUT, Record


def spec(services: dict[str, Any], streams: dict[str, dict[str, Any]], *policies: Any, **more: Any) -> dict[str, Any]:
    """Services with unlimited CPU; a tenant for each stream."""
    return {
        "meshsim": 1,
        "services": {name: {"cpu": {"request": 1, "limit": "unlimited"}, **one} for name, one in services.items()},
        "tenants": {name: {} for name in streams},
        "traffic": [{"name": name, "tenant": name, "entry": "a.e", **stream} for name, stream in streams.items()],
        "network": STILL,
        "policy_defaults": "none",
        "policies": [{"name": f"p{at}", "in_app": True, **policy} for at, policy in enumerate(policies)],
        "run": {"warmup": "0s"},
        **more,
    }


def ends(record: Record, stream: int = 0) -> list[tuple[int, int]]:
    """When its requests ended (ns), and how, in the order in which they came."""
    assert record.requests is not None
    rows = record.requests[record.requests["stream"] == stream]
    return [(int(row["end_ns"]), int(row["outcome"])) for row in rows]


def outcomes(record: Record, stream: int = 0) -> list[int]:
    return [outcome for _, outcome in ends(record, stream)]


MS = 1_000_000
TURNS = {"load_balancer": "round_robin"}

# -- links (N5) --------------------------------------------------------------------------------------------------------


@BOTH
def test_a_link_stays_busy_from_batch_to_batch(engine: EngineName) -> None:
    """30 ms each, in batches of 10 ms: what comes at 0, 0 and 35 ms leaves at 30, 60 and 90; counted when it comes."""
    case = spec({"a": {"bandwidth": "1MB/s", "endpoints": {"e": []}}}, {"x": at(0, 0, 35, response="30kB")})
    record = run(case, engine, "none", 0.4)
    assert ends(record) == [(30 * MS, OK), (60 * MS, OK), (90 * MS, OK)]
    found = record.services[0]
    for name, first, fourth in (("sent", 2, 1), ("link_ns", 60 * MS, 30 * MS), ("link_wait_ns", 30 * MS, 25 * MS)):
        assert found[name].tolist() == [first, 0, 0, fourth] + [0] * 37, name


@BOTH
def test_half_a_nanosecond_is_rounded_up(engine: EngineName) -> None:
    """2 GB/s: a byte takes half a nanosecond: 1, 3 and 4 bytes one, two and two."""
    streams = {f"x{size}": at(time, response=f"{size}B") for time, size in enumerate((1, 3, 4))}
    record = run(spec({"a": {"bandwidth": "2GB/s", "endpoints": {"e": []}}}, streams), engine)
    assert [ends(record, stream)[0][0] - stream * MS for stream in range(3)] == [1, 2, 2]


@BOTH
def test_each_replica_has_a_link_of_its_own(engine: EngineName) -> None:
    """Four at once, by turns to two replicas."""
    service = {"replicas": 2, "bandwidth": "1MB/s", "endpoints": {"e": []}}
    record = run(spec({"a": service}, {"x": at(0, 0, 0, 0, response="1kB")}, TURNS), engine)
    assert sorted(ends(record)) == [(1 * MS, OK)] * 2 + [(2 * MS, OK)] * 2


@BOTH
def test_what_is_degraded_has_a_body(engine: EngineName) -> None:
    steps = [{"call": "b.e", "optional": True, "request": "1kB", "response": "1MB"}]
    fails = {"bandwidth": "1MB/s", "endpoints": {"e": [{"fail": {"p": 1, "as": "503"}}]}}
    case = spec({"a": {"bandwidth": "1MB/s", "endpoints": {"e": steps}}, "b": fails}, {"x": at(0, response="5kB")})
    record = run(case, engine)
    assert ends(record) == [((1 + 5) * MS, DEGRADED)]


@BOTH
def test_requests_take_the_caller_s_link_and_answers_the_callee_s(engine: EngineName) -> None:
    """a: 1 MB/s, b: 2 MB/s. a calls with 6 kB and gets 8: 6 ms, 4 ms; its own answer of 3 kB takes 3."""
    steps = [{"call": "b.e", "request": "6kB", "response": "8kB"}]
    services = {
        "a": {"bandwidth": "1MB/s", "endpoints": {"e": steps}},
        "b": {"bandwidth": "2MB/s", "endpoints": {"e": []}},
    }
    record = run(spec(services, {"x": at(0, request="500kB", response="3kB")}), engine)
    assert ends(record) == [(13 * MS, OK)]
    assert record.services["sent"].sum(axis=1).tolist() == [2, 1]
    assert record.services["link_ns"].sum(axis=1).tolist() == [9 * MS, 4 * MS]


@BOTH
def test_handshakes_do_not_wait_for_the_link(engine: EngineName) -> None:
    """Over a fresh connection, without TLS: three times the way of 2 ms, and once the 6 ms of the request's bytes."""
    steps = [{"call": "b.e", "request": "6kB", "response": "0B"}]
    caller = {"bandwidth": "1MB/s", "connections": "per_request", "endpoints": {"e": steps}}
    case = spec({"a": caller, "b": {"endpoints": {"e": []}}}, {"x": at(0, response="0B")})
    case["network"] = dict.fromkeys(STILL, "2ms") | {"client": "0ms"}
    assert ends(run(case, engine)) == [((3 * 2 + 6 + 2) * MS, OK)]


@BOTH
def test_a_cancellation_takes_as_long_as_its_request_did(engine: EngineName) -> None:
    """a's request of 20 kB reaches b at 20 ms; a gives up at 25, b hears of it at 45, having worked for 25 ms."""
    steps = [{"call": "b.e", "request": "20kB", "timeout": "25ms"}]
    services = {"a": {"bandwidth": "1MB/s", "endpoints": {"e": steps}}, "b": {"endpoints": {"e": [{"wait": "1s"}]}}}
    record = run(spec(services, {"x": at(0)}, {"cancellation": "on"}), engine)
    assert ends(record) == [(25 * MS, TIMEOUT)]
    assert int(record.accounts["present_ns"][record.account_pairs[:, 0] == 1].sum()) == 25 * MS
    assert int(record.services["cancelled"][1].sum()) == 1


@BOTH
@pytest.mark.parametrize("silent", [False, True])
def test_what_was_put_on_the_link_is_sent_even_after_a_crash(silent: bool, engine: EngineName) -> None:
    """100 ms of an answer are on the link when a goes down at 30 ms; it is up at 40, and the next one waits for them.

    The one that works at 30 ms gets no body: reset at once, or nothing until it gives up.
    """

    def crash(control: Control) -> Any:
        yield control.env.timeout(0.030)
        control.take_down("a", silent=silent)
        yield control.env.timeout(0.010)
        control.bring_up("a")

    case = spec(
        {"a": {"bandwidth": "1MB/s", "endpoints": {"e": [], "long": [{"wait": "1s"}]}}},
        {"x": at(0, 35, 50, response="100kB", patience="250ms"), "y": at(10, entry="a.long", patience="50ms")},
    )
    record = run(case, engine, "none", 4.0, crash)
    lost = (35 + 250, TIMEOUT) if silent else (35, CONNECT_FAILURE)
    assert ends(record) == [(100 * MS, OK), (lost[0] * MS, lost[1]), (200 * MS, OK)]
    assert ends(record, 1) == [(60 * MS, TIMEOUT) if silent else (30 * MS, RESET)]
    assert int(record.services["sent"].sum()) == 2


# -- buffers and bulkheads (S10, S9) -------------------------------------------------------------------------------


@BOTH
@pytest.mark.parametrize("bound", [{"buffers": "1kB"}, {"bulkhead": 1}])
def test_each_replica_has_buffers_and_a_bulkhead_of_its_own(bound: dict[str, Any], engine: EngineName) -> None:
    """Room for one each: of four by turns to two replicas the first two are let in."""
    service = {"replicas": 2, **bound, "endpoints": {"e": [{"wait": "100ms"}]}}
    record = run(spec({"a": service}, {"x": at(0, 1, 2, 3, request="600B", response="300B")}, TURNS), engine)
    assert outcomes(record) == [OK, OK, QUEUE_FULL, QUEUE_FULL]


@BOTH
def test_buffers_and_bulkheads_both_hold(engine: EngineName) -> None:
    """Two of a tenant at once and 1 kB for all: x's third is one too many, y's first too large, and its second fits."""
    case = spec(
        {"a": {"bulkhead": 2, "buffers": "1kB", "endpoints": {"e": [{"wait": "100ms"}]}}},
        {
            "x": at(0, 1, 2, request="300B", response="0B"),
            "y": at(3, request="401B", response="0B"),
            "z": at(4, request="0B", response="400B"),
        },
    )
    record = run(case, engine)
    assert [outcomes(record, stream) for stream in range(3)] == [[OK, OK, QUEUE_FULL], [QUEUE_FULL], [OK]]


@BOTH
@pytest.mark.parametrize(("architecture", "kind"), [("gateway", "gateway"), ("sidecar-only", "sidecar")])
def test_proxies_have_buffers_too(architecture: str, kind: str, engine: EngineName) -> None:
    """What the service behind it holds does not matter; while it works the proxy holds the request and the answer."""
    proxy = {"profile": "zero", "buffers": "1kB", **({"replicas": 1} if kind == "gateway" else {})}
    case = spec(
        {"a": {"endpoints": {"e": [{"wait": "100ms"}]}}},
        {"x": at(0, 1, 150, request="300B", response="300B"), "y": at(2, request="200B", response="200B")},
        mesh={kind: proxy},
    )
    record = run(case, engine, architecture)
    assert outcomes(record) == [OK, QUEUE_FULL, OK] and outcomes(record, 1) == [OK]


# -- connections (Y5, per: tenant) -------------------------------------------------------------------------------------

ONE = {"circuit_breaker": {"max_requests": 1, "per": "tenant"}}


def between(to: dict[str, Any], callers: int = 1, **policy: Any) -> dict[str, Any]:
    """x and y through some replicas of a, by turns, to b, where each takes 100 ms."""
    return spec(
        {
            "a": {"replicas": callers, "endpoints": {"e": [{"call": "b.e"}]}},
            "b": {"endpoints": {"e": [{"wait": "100ms"}]}, **to},
        },
        {},
        {"to": "a", **TURNS},
        {"to": "b", **policy},
    )


@BOTH
def test_limits_are_of_each_tenant_at_each_caller(engine: EngineName) -> None:
    """Two callers by turns, three tenants, one request for each pair: the third of every tenant is one too many."""
    case = between({}, 2, **ONE)
    times = {"x": (0, 1, 2), "y": (10, 11, 13), "z": (21, 22, 24)}
    case["tenants"] = {name: {} for name in times}
    case["traffic"] = [{"name": name, "tenant": name, "entry": "a.e", **at(*one)} for name, one in times.items()]
    record = run(case, engine)
    assert [outcomes(record, stream) for stream in range(3)] == [[OK, OK, OVERFLOW]] * 3


def chosen(record: Record) -> list[int]:
    """Replicas of b, by the order of requests."""
    spans = record.spans[record.spans["endpoint"] == 1]
    return np.sort(spans, order="request")["replica"].tolist()


@BOTH
@pytest.mark.parametrize("balancer", ["round_robin", {"least_request": {"choices": "full_scan"}}])
def test_turns_and_who_is_how_busy_are_of_all_tenants(balancer: Any, engine: EngineName) -> None:
    """Of four replicas each gets one of four requests of two tenants, whose limits are apart."""
    limits = {"max_requests": 9, "per": "tenant"}
    case = between({"replicas": 4}, 1, circuit_breaker=limits, load_balancer=balancer)
    case["tenants"] = {"x": {}, "y": {}}
    case["traffic"] = [
        {"name": name, "tenant": name, "entry": "a.e", **at(*one)} for name, one in (("x", (0, 2)), ("y", (1, 3)))
    ]
    found = chosen(run(case, engine))
    assert len(found) == 4 and len(set(found)) == 4


@BOTH
@pytest.mark.parametrize(("per", "refused"), [("all", 1), ("tenant", 0)])
def test_retries_are_counted_for_all_or_for_each_tenant(per: str, refused: int, engine: EngineName) -> None:
    """One retry at once: that of x takes 100 ms, in which y, too, fails and would try again."""
    case = between({}, 1, circuit_breaker={"max_retries": 1, "per": per},
                   retries={"attempts": 1, "on": ["5xx"], "backoff": "none"})  # fmt: skip
    case["services"]["b"]["endpoints"] = {"e": [{"wait": "100ms"}, {"fail": {"p": 1, "as": "500"}}]}
    case["tenants"] = {"x": {}, "y": {}}
    case["traffic"] = [{"name": name, "tenant": name, "entry": "a.e", **at(one)} for name, one in (("x", 0), ("y", 50))]
    record = run(case, engine)
    assert int(record.services["retries_refused"].sum()) == refused
    assert int(record.services["retries"].sum()) == 2 - refused


@BOTH
def test_a_line_for_a_connection_is_of_each_tenant(engine: EngineName) -> None:
    """x waits from 1.5 ms on for its own connection, free at 101; y's, free at 100, is for y's of 2 ms."""
    case = between({}, 1, circuit_breaker={"max_connections": 1, "max_pending": 9, "per": "tenant"})
    case["tenants"] = {"x": {}, "y": {}}
    case["traffic"] = [
        {"name": name, "tenant": name, "entry": "a.e", **at(*one)} for name, one in (("x", (1, 1.5)), ("y", (0, 2)))
    ]
    record = run(case, engine)
    assert ends(record, 0) == [(101 * MS, OK), (201 * MS, OK)]
    assert ends(record, 1) == [(100 * MS, OK), (200 * MS, OK)]


@BOTH
@pytest.mark.parametrize(("per", "ejections"), [("all", 1), ("tenant", 0)])
def test_failures_in_a_row_are_of_each_tenant(per: str, ejections: int, engine: EngineName) -> None:
    """Two of x and one of y are three in a row for all together, and for nobody alone."""
    case = between({}, 1, circuit_breaker={"max_requests": 9, "per": per}, panic="0%",
                   outlier={"consecutive_5xx": 3, "max_ejected": "100%"})  # fmt: skip
    case["services"]["b"]["endpoints"] = {"e": [{"fail": {"p": 1, "as": "500"}}]}
    case["tenants"] = {"x": {}, "y": {}}
    case["traffic"] = [
        {"name": name, "tenant": name, "entry": "a.e", **at(*one)} for name, one in (("x", (0, 2)), ("y", (1,)))
    ]
    record = run(case, engine)
    assert int(record.services["ejections"].sum()) == ejections
