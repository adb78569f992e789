"""Where policies change who is called how often the check says so; where they could but did not, theory stays."""

from __future__ import annotations

from typing import Any

import pytest

import meshsim
from meshsim.results.check import LAWS
from meshsim.results.judge import Check, Row
from meshsim.results.result import Result

SECONDS = 20.0


def result_of(arch: str, *policies: dict[str, Any], fail: Any = None, **more: Any) -> Result:
    steps = [{"work": {"exp": "4ms"}}, *([] if fail is None else [{"fail": fail}])]
    stock = {"replicas": 2, "endpoints": {"look": steps}} | more.pop("stock", {})
    stream = {"name": "web", "entry": "shop.get", "arrivals": {"poisson": "150/s"}} | more.pop("stream", {})
    topology = {
        "meshsim": 1,
        "name": "shop",
        "policy_defaults": more.pop("policy_defaults", "none"),
        "services": {
            "shop": {"replicas": 2, "endpoints": {"get": [{"work": "3ms"}, {"call": "stock.look", "optional": True}]}},
            "stock": stock,
        },
        "traffic": [stream],
        "policies": [{"load_balancer": "random", "in_app": True, **policy} for policy in policies],
    }
    return meshsim.run(
        topology | more,
        arch,
        check=True,
        duration_s=SECONDS,
        warmup_s=1.0,
        replications=8,
        quiet=True,
    )


def row_of(found: Check, quantity: str, station: str) -> Row:
    (row,) = (
        row for row in found.rows if (row.station, row.quantity) == (station, quantity) and row.theory not in LAWS
    )
    return row


STOCK = {"name": "stock", "to": "stock", "from": "shop"}
DISTURBED: dict[str, dict[str, Any]] = {
    "retries": {
        "policy": {"retries": {"attempts": 2, "on": ["5xx"], "backoff": "none"}},
        "fail": {"p": "20%", "as": "503"},
    },
    "hedges": {"policy": {"retries": {"attempts": 1, "on": ["5xx"], "per_try": "5ms", "hedge": "on"}}},
    "per try": {"policy": {"retries": {"attempts": 2, "on": ["5xx"], "per_try": "9ms", "backoff": "none"}}},
    "timeout": {"policy": {"timeout": "8ms", "cancellation": "on"}},
    "rate limit": {"policy": {"rate_limit": {"local": {"rate": "50/s", "burst": 1}}}},
    "breaker": {"policy": {"circuit_breaker": {"max_requests": 1}}},
    "ejection": {
        "policy": {"outlier": {"consecutive_5xx": 2, "max_ejected": "50%", "interval": "1s", "base_ejection": "1s"}},
        "fail": {"p": "30%", "as": "503"},
    },
}


@pytest.mark.parametrize("arch", ["none", "sidecar"])
@pytest.mark.parametrize("name", DISTURBED)
def test_whoever_is_called_is_left_alone(name: str, arch: str) -> None:
    case = dict(DISTURBED[name])
    result = result_of(arch, STOCK | case.pop("policy"), **case)
    found = result.check
    assert found is not None and not found.disagreements
    row = row_of(found, "requests per second", "stock")
    assert row.judgement == "no theory"
    assert row.note.endswith("which changes who is called how often")
    expected = 150.0 * (SECONDS - 1.0) * 8
    if name in ("retries", "hedges", "per try", "rate limit", "breaker"):  # which the topology alone would get wrong
        assert abs(result.by_service["stock"].requests / expected - 1.0) > 0.05


@pytest.mark.parametrize("arch", ["none", "sidecar"])
def test_policies_that_never_act_leave_theory_as_it_is(arch: str) -> None:
    policy = STOCK | {
        "timeout": "30s",
        "retries": {"attempts": 2, "on": ["5xx"], "per_try": "20s"},
        "circuit_breaker": {"max_requests": 1000, "max_connections": 1000},
        "outlier": {"consecutive_5xx": 5},
        "rate_limit": {"local": {"rate": "10000/s", "burst": 1000}},
    }
    found = result_of(arch, policy).check
    assert found is not None and not found.disagreements
    assert row_of(found, "requests per second", "stock").judgement == "agrees"
    assert row_of(found, "utilization", "stock").judgement == "agrees"


def test_routes_and_copies() -> None:
    versions = {"stock": {"versions": {"v1": {}, "v2": {}}, "endpoints": {"look": [{"work": {"exp": "2ms"}}]}}}
    beta = {"name": "beta", "to": "stock", "match": {"headers": {"x": "y"}}, "split": "v2", "mirror": "v1"}
    result = result_of("sidecar", STOCK | {"timeout": "30s"}, routes=[beta], stream={"headers": {"x": "y"}}, **versions)
    found = result.check
    assert found is not None and not found.disagreements
    assert result.by_service["stock"].requests > 1.9 * 150.0 * (SECONDS - 1.0) * 8
    row = row_of(found, "requests per second", "stock")
    assert (row.judgement, row.note) == ("no theory", "routes of sidecar@shop decide who gets how much")


def test_requests_that_are_rewritten() -> None:
    """Nobody calls `other` but by a route; it calls `last`."""
    services = {
        "shop": {"replicas": 2, "endpoints": {"get": [{"work": "3ms"}, {"call": "stock.look"}]}},
        "stock": {"replicas": 2, "endpoints": {"look": [{"work": "1ms"}]}},
        "other": {"replicas": 2, "endpoints": {"look": [{"work": "1ms"}, {"call": "last.get"}]}},
        "last": {"replicas": 2, "endpoints": {"get": [{"work": "1ms"}]}},
    }
    away = {"name": "away", "to": "stock", "rewrite": "other.look"}
    result = result_of("sidecar", STOCK | {"timeout": "30s"}, services=services, routes=[away])
    assert result.by_service["last"].requests > 0 == result.by_service["stock"].requests
    found = result.check
    assert found is not None and not found.disagreements
    for name in ("other", "last"):
        assert row_of(found, "requests per second", name).judgement == "no theory"


@pytest.mark.parametrize(
    ("fields", "note"),
    [
        ({"cancellation": "on"}, "requests were cancelled"),
        ({"deadline": "on"}, "what came too late for its client was turned away"),
    ],
)
def test_impatient_clients_whose_requests_are_not_worked_on(fields: dict[str, Any], note: str) -> None:
    """They come as often as ever, and ask for less CPU than the topology says."""
    shop = {"shop": {"replicas": 1, "concurrency": 1, "endpoints": {"get": [{"work": {"exp": "6ms"}}]}}}
    patient = {"name": "shop", "to": "shop", "from": "client"} | fields
    result = result_of("gateway", patient, services=shop, stream={"patience": "30ms"})
    found = result.check
    assert found is not None and not found.disagreements
    assert result.total.outcomes["timeout"] > 100
    assert row_of(found, "requests per second", "gateway").judgement in ("agrees", "too short")
    assert row_of(found, "utilization", "shop").judgement == "no theory"
    assert row_of(found, "utilization", "gateway").note == note


def test_who_waits_too_long_is_turned_away() -> None:
    shop = {
        "shop": {
            "replicas": 1,
            "cpu": 8,
            "concurrency": 1,
            "max_wait": "5ms",
            "endpoints": {"get": [{"work": {"exp": "5ms"}}]},
        }
    }
    result = result_of("none", services=shop)
    assert result.total.outcomes["rejected(max_wait)"] > 100 and result.by_service["shop"].rejected > 100
    found = result.check
    assert found is not None and not found.disagreements
    row = row_of(found, "wait for a slot", "shop")
    assert (row.judgement, row.note) == ("no theory", "requests met a full queue, or waited too long for a slot")


def test_connections_shape_what_comes() -> None:
    policy = STOCK | {"circuit_breaker": {"max_connections": 1, "max_pending": 1000}}
    found = result_of("sidecar", policy).check
    assert found is not None and not found.disagreements
    assert row_of(found, "requests per second", "stock").judgement == "agrees"
    assert row_of(found, "wait for the CPU", "stock").note == "calls waited for connections"
