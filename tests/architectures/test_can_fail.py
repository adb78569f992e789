"""What may make a request fail, one source at a time; generated cases hold that nothing else does (contract)."""

from __future__ import annotations

from typing import Any

import pytest

import meshsim as ms
from meshsim.architectures.failing import can_fail

PLAIN = {"call": "store.get"}


def spec(call: Any, store: dict[str, Any] | None = None, **more: Any) -> dict[str, Any]:
    """A web page that makes a call to a store."""
    return {
        "meshsim": 1,
        "services": {
            "web": {"endpoints": {"page": [{"work": "1ms"}, call]}},
            "store": {"endpoints": {"get": [{"work": "1ms"}]}, **(store or {})},
        },
        "traffic": [{"name": "web", "entry": "web.page", "arrivals": {"poisson": "10/s"}}],
        **more,
    }


def fails(topology: dict[str, Any], architecture: str = "none") -> bool:
    plane = ms.lower(ms.load(topology), architecture)
    (tenant,) = plane.senders
    return can_fail(plane, tenant)


@pytest.mark.parametrize("architecture", ["none", "gateway", "sidecar", "ambient"])
def test_nothing_can(architecture: str) -> None:
    assert not fails(spec(PLAIN), architecture)


FAILING = {"get": [{"fail": {"p": 0.01, "as": "500"}}]}
TO_STORE = {"name": "p", "to": "store"}
SOURCES = {
    "a caller that gives up": spec({**PLAIN, "timeout": "1s"}),
    "a failure": spec(PLAIN, {"endpoints": FAILING}),
    "a failure in a branch": spec({"parallel": [[{"work": "1ms"}], FAILING["get"]]}),
    "a failure by chance": spec(
        {"choose": [{"p": 0.5, "do": [{"fail": {"p": 0.01, "as": "500"}}]}, {"p": 0.5, "do": []}]}
    ),
    "a failing fallback": spec({**PLAIN, "fallback": [{"fail": {"p": 0.5, "as": "500"}}]}),
    "a line that is full": spec(PLAIN, {"concurrency": 4, "queue": 8}),
    "a breaker": spec(PLAIN, policies=[{**TO_STORE, "circuit_breaker": {"max_requests": 8}}]),
    "ejections": spec(PLAIN, policies=[{**TO_STORE, "outlier": {"consecutive_5xx": 3}}]),
    "a limit of the rate": spec(PLAIN, policies=[{**TO_STORE, "rate_limit": {"local": {"rate": "5/s", "burst": 5}}}]),
    "no line for a connection": spec(PLAIN, policies=[{**TO_STORE, "circuit_breaker": {"max_pending": 0}}]),
    "a line for connections that is full": spec(
        PLAIN, policies=[{**TO_STORE, "circuit_breaker": {"max_connections": 4, "max_pending": 8}}]
    ),
    "a timeout of each try": spec(PLAIN, policies=[{**TO_STORE, "retries": {"attempts": 2, "per_try": "1s"}}]),
    "a timeout of a policy": spec(PLAIN, policies=[{**TO_STORE, "timeout": "1s"}]),
}
CONTAINED = {
    "an optional call": spec({**PLAIN, "optional": True, "timeout": "1s"}, {"endpoints": FAILING}),
    "a call that nobody waits for": spec({**PLAIN, "async": True}, {"endpoints": FAILING}),
    "a fallback": spec({**PLAIN, "timeout": "1s", "fallback": [{"work": "1ms"}]}, {"endpoints": FAILING}),
    "a line without end": spec(PLAIN, {"concurrency": 4}),
}


@pytest.mark.parametrize("source", SOURCES)
def test_a_source_of_failures(source: str) -> None:
    assert fails(SOURCES[source], "sidecar")


@pytest.mark.parametrize("source", CONTAINED)
def test_what_harms_nobody(source: str) -> None:
    assert not fails(CONTAINED[source])


def test_a_line_for_connections_without_end_turns_nothing_away() -> None:
    """Three times as much as one connection carries: all wait, and all are answered."""
    topology = spec(PLAIN, policies=[{**TO_STORE, "circuit_breaker": {"max_connections": 1}}])
    topology["services"]["store"] = {"cpu": 4, "endpoints": {"get": [{"work": "10ms"}]}}
    topology["traffic"][0]["arrivals"] = {"poisson": "300/s"}
    assert not fails(topology, "sidecar")
    topology["run"] = {"duration": "2s", "warmup": "0s"}
    found = ms.run(topology, "sidecar", replications=1, quiet=True)
    assert found.total.outcomes["ok"] == found.requests > 500
    assert (found.latency_s["p50"].value or 0.0) > 1.0


def test_a_client_that_gives_up() -> None:
    topology = spec(PLAIN)
    topology["traffic"][0]["patience"] = "2s"
    assert fails(topology)


def test_a_source_that_another_tenant_meets() -> None:
    topology = spec({**PLAIN, "timeout": "1s"})
    topology["traffic"].append({"name": "api", "tenant": "api", "entry": "store.get", "arrivals": {"poisson": "10/s"}})
    plane = ms.lower(ms.load(topology), "none")
    assert {tenant: can_fail(plane, tenant) for tenant in plane.senders} == {"api": False, "default": True}
