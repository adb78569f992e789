"""Topologies of two tenants that theory knows, written as users write them."""

from __future__ import annotations

from typing import Any

STILL = dict.fromkeys(("loopback", "same_node", "same_zone", "cross_zone", "client"), "0ms")
ZERO = {"gateway": {"profile": "zero", "replicas": 1}, "sidecar": {"profile": "zero"}}


def stream(name: str, per_s: float, entry: str = "s.e", **more: Any) -> dict[str, Any]:
    return {"name": name, "tenant": name, "entry": entry, "arrivals": {"poisson": f"{per_s}/s"}, **more}


def spec(services: dict[str, Any], *traffic: dict[str, Any], tenants: dict[str, Any] | None = None, **more: Any) -> Any:
    names = sorted({one["tenant"] for one in traffic})
    return {
        "meshsim": 1,
        "name": "tenants",
        "services": services,
        "tenants": tenants or {name: {} for name in names},
        "traffic": list(traffic),
        "network": STILL,
        "mesh": ZERO,
        "policy_defaults": "none",
        **more,
        "run": {"duration": "200s", "warmup": "10s", "replications": 8, **more.get("run", {})},
    }


def station(mean: str = "10ms") -> dict[str, Any]:
    """One core that works in the order of arrival."""
    return {"cpu": 1, "discipline": "fifo", "endpoints": {"e": [{"work": {"exp": mean}}]}}


def one_queue(victim_per_s: float = 20.0, aggressor_per_s: float = 30.0, **more: Any) -> Any:
    """Two tenants of an M/M/1 queue that manages 100 requests a second."""
    streams = (stream("victim", victim_per_s), stream("aggressor", aggressor_per_s))
    return spec({"s": station()}, *streams, **more)


def two_queues(**more: Any) -> Any:
    """A queue for each of two tenants."""
    streams = (stream("victim", 20, "v.e"), stream("aggressor", 30, "a.e"))
    return spec({"v": station(), "a": station()}, *streams, run={"duration": "20s", "warmup": "2s"}, **more)
