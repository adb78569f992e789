"""Bandwidth, memory and connections that tenants share, against what theory says."""

from __future__ import annotations

import math
from typing import Any

import numpy as np
import pytest
from estimates import assert_mean

import meshsim as ms
from meshsim.engines import EngineName, simulate
from meshsim.engines.record import OK, OUTCOMES, OVERFLOW, QUEUE_FULL, Record

SECONDS = 2_000
NO_NETWORK = dict.fromkeys(("loopback", "same_node", "same_zone", "cross_zone", "client"), "0ms")
BOTH = pytest.mark.parametrize("engine", ["simpy", "compiled"])


def spec(service: dict[str, Any], streams: dict[str, dict[str, Any]], steps: list[dict[str, Any]]) -> dict[str, Any]:
    """One service of one replica, and a stream of each tenant to it."""
    return {
        "meshsim": 1,
        "services": {"a": {"cpu": {"request": 1, "limit": "unlimited"}, **service, "endpoints": {"get": steps}}},
        "tenants": {name: {} for name in streams},
        "traffic": [{"name": name, "tenant": name, "entry": "a.get", **stream} for name, stream in streams.items()],
        "network": NO_NETWORK,
        "policy_defaults": "none",
        "run": {"warmup": "0s"},
    }


def run(case: dict[str, Any], seconds: float, engine: EngineName = "compiled", architecture: str = "none") -> Record:
    plane = ms.lower(ms.load(case), architecture)
    ns = round(seconds * 1e9)
    return simulate(plane, engine=engine, seed=1, duration_ns=ns, drain_ns=10**12, record_requests=True)


def times_s(record: Record, stream: int) -> np.ndarray:
    assert record.requests is not None
    rows = record.requests[record.requests["stream"] == stream]
    return (rows["end_ns"] - rows["arrival_ns"]) / 1e9


# -- links -----------------------------------------------------------------------------------------------------------


@BOTH
def test_answers_leave_one_after_the_other(engine: EngineName) -> None:
    """1 MB/s: 1,000 bytes take 1 ms. Three at once leave after 1, 2 and 3 ms; those of 2.5 and 10 ms at 4 and 11."""
    streams = {
        "x": {"arrivals": {"trace": {"times": ["0ms", "0ms", "0ms", "2500us", "10ms"]}}, "response": "1000B"},
    }
    record = run(spec({"bandwidth": "8Mbit/s"}, streams, []), 1.0, engine)
    assert record.requests is not None
    assert record.requests["end_ns"].tolist() == [1_000_000, 2_000_000, 3_000_000, 4_000_000, 11_000_000]
    totals = {name: int(record.services[name].sum()) for name in ("sent", "link_ns", "link_wait_ns")}
    assert totals == {"sent": 5, "link_ns": 5_000_000, "link_wait_ns": 3_500_000}


@BOTH
def test_failures_have_no_body(engine: EngineName) -> None:
    streams = {"x": {"arrivals": {"trace": {"times": ["0ms", "1ms"]}}, "response": "1MB"}}
    record = run(spec({"bandwidth": "1MB/s"}, streams, [{"fail": {"p": 1, "as": "503"}}]), 5.0, engine)
    assert record.requests is not None
    assert record.requests["end_ns"].tolist() == [0, 1_000_000]
    assert record.services["sent"].sum() == 0


@BOTH
def test_requests_that_a_proxy_sends_on_pass_its_link_too(engine: EngineName) -> None:
    """Gateway at 1 MB/s: 3,000 bytes on to the service take 3 ms, 2,000 back to the client 2 ms."""
    streams = {"x": {"arrivals": {"trace": {"times": ["0ms"]}}, "request": "3000B", "response": "2000B"}}
    case = spec({}, streams, [])
    case["mesh"] = {"gateway": {"profile": "zero", "replicas": 1, "bandwidth": "1MB/s"}}
    record = run(case, 1.0, engine, "gateway")
    assert record.requests is not None
    assert record.requests["end_ns"].tolist() == [5_000_000]


@BOTH
def test_a_sidecar_s_link_is_not_between_it_and_its_application(engine: EngineName) -> None:
    """Only the answer that leaves the pod takes time, once."""
    streams = {"x": {"arrivals": {"trace": {"times": ["0ms"]}}, "request": "3000B", "response": "2000B"}}
    case = spec({"bandwidth": "1kB/s"}, streams, [])
    case["mesh"] = {"sidecar": {"profile": "zero", "bandwidth": "1MB/s"}}
    record = run(case, 1.0, engine, "sidecar-only")
    assert record.requests is not None
    assert record.requests["end_ns"].tolist() == [2_000_000]


def test_one_tenant_s_large_answers_hold_up_another_s_small_ones() -> None:
    """M/G/1: everybody waits (sum of rate x time^2) / (2 (1 - load)) (Pollaczek 1930, Khinchine 1932)."""
    streams = {
        "large": {"arrivals": {"poisson": "3/s"}, "response": "100kB"},
        "small": {"arrivals": {"poisson": "200/s"}, "response": "1kB"},
    }
    record = run(spec({"bandwidth": "1MB/s"}, streams, []), 5 * SECONDS)
    rates_and_times = ((3.0, 0.1), (200.0, 0.001))
    load = sum(rate * time_s for rate, time_s in rates_and_times)
    wait_s = sum(rate * time_s**2 for rate, time_s in rates_and_times) / (2 * (1 - load))
    for stream, (_, time_s) in enumerate(rates_and_times):
        assert_mean(times_s(record, stream) - time_s, wait_s, within=0.08)
    assert record.services["link_ns"].sum() / 1e9 == pytest.approx(load * 5 * SECONDS, rel=0.03)


# -- buffers ---------------------------------------------------------------------------------------------------------


@BOTH
def test_what_does_not_fit_into_the_buffers_is_turned_away(engine: EngineName) -> None:
    """10 kB: two requests of 4 kB with answers of 1 kB are in, the third is turned away, a small one of y too.

    At 100 ms both have gone, and a request that is larger than all buffers never gets in.
    """
    at = {"x": ["0ms", "1ms", "2ms", "120ms"], "y": ["3ms", "101ms"], "z": ["50ms", "300ms"]}
    sizes = {"x": ("4kB", "1kB"), "y": ("1B", "0B"), "z": ("10kB", "1B")}
    streams = {
        name: {"arrivals": {"trace": {"times": times}}, "request": sizes[name][0], "response": sizes[name][1]}
        for name, times in at.items()
    }
    record = run(spec({"buffers": "10kB"}, streams, [{"wait": "100ms"}]), 1.0, engine)
    assert record.requests is not None
    rows = record.requests
    assert rows["outcome"][rows["stream"] == 0].tolist() == [OK, OK, QUEUE_FULL, OK]
    assert rows["outcome"][rows["stream"] == 1].tolist() == [QUEUE_FULL, OK]
    assert rows["outcome"][rows["stream"] == 2].tolist() == [QUEUE_FULL, QUEUE_FULL]


def test_buffers_lose_of_each_tenant_what_kaufman_and_roberts_say() -> None:
    """Calls of several sizes that share a memory: q(n) of n units taken by the recursion of Kaufman (1981), Roberts.

    n q(n) = sum over tenants of erlangs x size x q(n - size); who needs b units loses the chance that fewer are free.
    """
    units, sizes, erlangs = 20, {"large": 5, "small": 1}, {"large": 2.0, "small": 8.0}
    chance = [1.0]
    for n in range(1, units + 1):
        parts = (erlangs[name] * size * chance[n - size] for name, size in sizes.items() if n >= size)
        chance.append(sum(parts) / n)
    total = sum(chance)
    streams = {
        name: {
            "arrivals": {"poisson": f"{erlangs[name] / 0.1}/s"},
            "request": f"{size * 1000}B",
            "response": "0B",
        }
        for name, size in sizes.items()
    }
    record = run(spec({"buffers": f"{units * 1000}B"}, streams, [{"wait": {"exp": "100ms"}}]), 2 * SECONDS)
    assert record.requests is not None
    for stream, size in enumerate(sizes.values()):
        lost = record.requests["outcome"][record.requests["stream"] == stream] == QUEUE_FULL
        assert_mean(lost, sum(chance[units - size + 1 :]) / total, within=0.06)


# -- connections -----------------------------------------------------------------------------------------------------


def behind_a_breaker(limits: dict[str, Any], streams: dict[str, dict[str, Any]], wait: Any) -> dict[str, Any]:
    case = spec({}, streams, [{"wait": wait}])
    case["mesh"] = {"gateway": {"profile": "zero", "replicas": 1}}
    case["policies"] = [{"name": "breaker", "to": "a", "circuit_breaker": limits}]
    return case


@BOTH
@pytest.mark.parametrize("per", ["all", "tenant"])
def test_connections_are_counted_for_all_or_for_each_tenant(per: str, engine: EngineName) -> None:
    """One connection and one place to wait: of three of x at 0 one is turned away; y waits only for its own."""
    at = {"x": ["0ms", "1ms", "2ms"], "y": ["3ms", "4ms", "250ms"]}
    streams = {name: {"arrivals": {"trace": {"times": times}}} for name, times in at.items()}
    limits = {"max_connections": 1, "max_pending": 1, "per": per}
    record = run(behind_a_breaker(limits, streams, "100ms"), 1.0, engine, "gateway")
    assert record.requests is not None
    rows = record.requests
    ends = {name: (rows["end_ns"][rows["stream"] == at] // 10**6).tolist() for at, name in enumerate("xy")}
    outcomes = {name: rows["outcome"][rows["stream"] == at].tolist() for at, name in enumerate("xy")}
    assert ends["x"] == [100, 200, 2] and outcomes["x"] == [OK, OK, OVERFLOW]
    if per == "all":
        assert ends["y"] == [3, 4, 350] and outcomes["y"] == [OVERFLOW, OVERFLOW, OK]
    else:
        assert ends["y"] == [103, 203, 350] and outcomes["y"] == [OK, OK, OK]


def test_limits_of_each_tenant_lose_what_erlang_says() -> None:
    """max_requests n for each tenant: M/G/n/n each on its own, whatever the other does (Erlang 1917)."""
    offered, n = {"x": 2.0, "y": 6.0}, 4
    streams = {name: {"arrivals": {"poisson": f"{erlangs / 0.1}/s"}} for name, erlangs in offered.items()}
    record = run(
        behind_a_breaker({"max_requests": n, "per": "tenant"}, streams, {"exp": "100ms"}),
        SECONDS,
        "compiled",
        "gateway",
    )
    assert record.requests is not None
    for stream, erlangs in enumerate(offered.values()):
        terms = [erlangs**k / math.factorial(k) for k in range(n + 1)]
        lost = record.requests["outcome"][record.requests["stream"] == stream] == OVERFLOW
        assert_mean(lost, terms[n] / sum(terms), within=0.1)


def test_ejections_are_of_each_tenant_too() -> None:
    """x meets failures and ejects the replica for itself; y, with connections of its own, is still served by it."""
    case = behind_a_breaker(
        {"max_requests": 100, "per": "tenant"},
        {
            "x": {"arrivals": {"trace": {"times": [f"{n}ms" for n in range(6)]}}, "entry": "a.bad"},
            "y": {"arrivals": {"trace": {"times": ["50ms"]}}, "entry": "a.get"},
        },
        "1ms",
    )
    case["services"]["a"]["endpoints"]["bad"] = [{"fail": {"p": 1, "as": "500"}}]
    for per, expected in (("all", "rejected(no_host)"), ("tenant", "ok")):
        case["policies"][0] = {
            "name": "breaker",
            "to": "a",
            "circuit_breaker": {"max_requests": 100, "per": per},
            "outlier": {"consecutive_5xx": 3, "max_ejected": "100%"},
            "panic": "0%",
        }
        record = run(case, 1.0, "compiled", "gateway")
        assert record.requests is not None
        rows = record.requests
        assert [OUTCOMES[code] for code in rows["outcome"][rows["stream"] == 1]] == [expected]
