"""What enforcers did, as results tell it: against the counters of the engine, and against closed forms."""

from __future__ import annotations

import json
from typing import Any

import numpy as np
import pytest

import meshsim
from meshsim.engines.record import OUTCOMES
from meshsim.results.enforcement import COUNTS
from meshsim.results.result import Result


def result_of(arch: str, *policies: dict[str, Any], fail: float = 0.0, rate: int = 200) -> Result:
    steps = [{"work": {"exp": "1ms"}}, {"fail": {"p": fail, "as": "503"}}]
    topology = {
        "meshsim": 1,
        "name": "shop",
        "policy_defaults": "none",
        "services": {
            "shop": {"replicas": 2, "endpoints": {"get": [{"work": "1ms"}, {"call": "stock.look"}]}},
            "stock": {"replicas": 2, "endpoints": {"look": steps}},
        },
        "traffic": [{"name": "web", "entry": "shop.get", "arrivals": {"poisson": f"{rate}/s"}}],
        "policies": [{"in_app": True, "to": "stock", "from": "shop", **policy} for policy in policies],
    }
    return meshsim.run(topology, arch, duration_s=20.0, warmup_s=1.0, replications=4, quiet=True)


EDGES = 30  # requests under way when the measurement begins or ends
RETRIES = {"name": "stock", "retries": {"attempts": 2, "on": ["503"], "backoff": "none"}}


@pytest.mark.parametrize("station", ["library@shop", "sidecar@shop"])
def test_retries_of_independent_failures(station: str) -> None:
    """Half of the tries fail: 0.5 + 0.25 retries a request, 0.875 succeed; a sidecar hears of each request twice."""
    result = result_of("none" if station.startswith("library") else "sidecar", RETRIES, fail=0.5)
    policies = result.by_service[station].policies
    assert policies is not None
    found, times = policies.retries_per_request, 1 if station.startswith("library") else 2
    assert found.low <= 0.75 / times <= found.high
    again = result.by_service["stock"].requests - result.requests
    assert policies.counts["retries"] == pytest.approx(again, abs=EDGES)
    assert policies.per_s["retries"].value == pytest.approx(policies.counts["retries"] / (19.0 * 4))
    assert result.availability.low <= 0.875 <= result.availability.high
    assert result.total.tries == pytest.approx(result.requests + again, abs=EDGES)
    text = result.summary()
    assert f"policies{' ' * (len(station) - 8)}" in text and "a request" in text
    assert "refused" not in text and "ejections" not in text  # columns of which nothing happened


def test_a_rate_limit_and_its_outcome() -> None:
    """50 a second of 200, and the burst at first; the library's share is what the clients see."""
    limit = {"name": "stock", "rate_limit": {"global": {"rate": "50/s", "burst": 5}}}
    result = result_of("none", limit)
    policies = result.by_service["library@shop"].policies
    assert policies is not None
    assert policies.limited_share.low <= 0.75 <= policies.limited_share.high
    assert policies.counts["limited"] == pytest.approx(result.total.outcomes["rejected(rate_limit)"], abs=EDGES)
    assert "rate limited" in result.summary() and ", rejected(rate_limit) 7" in result.summary()


def test_connections_are_waited_for() -> None:
    breaker = {"name": "stock", "circuit_breaker": {"max_connections": 1, "max_pending": 2}}
    result = result_of("none", breaker, rate=500)
    policies = result.by_service["library@shop"].policies
    assert policies is not None and policies.counts["pending"] > 100
    assert policies.pending_s.value is not None and 0.0 < policies.pending_s.value < 0.02
    assert policies.counts["overflows"] == pytest.approx(result.total.outcomes["rejected(overflow)"], abs=EDGES)
    assert policies.counts["overflows"] > EDGES
    assert "waited for a connection" in result.summary()


def test_json_and_frame_have_everything_and_applications_nothing() -> None:
    result = result_of("sidecar", RETRIES, fail=0.5)
    document = json.loads(json.dumps(result.to_dict(), allow_nan=False))
    policies = document["by_service"]["sidecar@shop"]["policies"]
    assert set(policies) == {*COUNTS, "per_s", "retries_per_request", "limited_share", "pending_s"}
    assert policies["retries"] > 0 == policies["panics"]
    assert set(policies["per_s"]) == set(COUNTS)
    assert "policies" not in document["by_service"]["stock"]
    assert set(document["outcomes"]) == set(OUTCOMES)
    frame = result.frame()
    row = frame[(frame.name == "sidecar@shop") & (frame.quantity == "policies.retries_per_request")].iloc[0]
    assert row.value == policies["retries_per_request"]["value"]
    assert not (frame[frame.name == "stock"].quantity.str.startswith("policies")).any()


def test_a_library_is_no_proxy_and_costs_nothing() -> None:
    result = result_of("none", RETRIES, fail=0.5)
    library = result.by_service["library@shop"]
    assert (library.role, library.cpu_s, library.memory_bytes, library.memory_requested_bytes) == ("library", 0, 0, 0)
    assert (result.proxies.replicas, result.proxies.memory_bytes, result.proxies.cores.estimate.value) == (0, 0, 0)
    assert "proxies:      none" in result.summary()
    assert np.isclose(result.applications.replicas, 4)
    assert "library@shop" not in result.summary().partition("busiest")[2].partition("policies")[0]


def test_nothing_is_said_where_nothing_happened() -> None:
    assert "policies" not in result_of("sidecar", {"name": "stock", "timeout": "10s"}).summary()
