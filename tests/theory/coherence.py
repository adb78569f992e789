"""Models of what caches keep and what becomes of it: reads and writes of one item, written as users write them."""

from __future__ import annotations

from typing import Any

import coherence_laws as laws
import numpy as np
import observe
from cached import look, topology
from cases import Figures, Model, Setting

from meshsim.architectures.plane import Plane

READ, WRITE = 100.0, 20.0  # per second


def plane_of(cache: dict[str, Any], *miss: Any, write: float = 0.0, replicas: int = 1) -> Plane:
    """READ reads a second for each replica, which has a cache of its own, and writes of which all of them hear."""
    endpoints = {"e": [look("c", *miss)], "edit": [{"invalidate": {"cache": "c", "key": "item"}}]}
    streams = [{"arrivals": {"poisson": f"{READ * replicas!r}/s"}}]
    if write:
        streams.append({"arrivals": {"poisson": f"{write!r}/s"}, "entry": "a.edit"})
    policies = [{"name": "p", "in_app": "on", "load_balancer": "random"}]
    services = {"a": {"replicas": replicas, "caches": {"c": cache}, "endpoints": endpoints}}
    return topology(services, streams, policies=policies)


def setting(plane: Plane, figures: Figures) -> Setting:
    """With all that arrives in a second."""
    return Setting(plane, sum(stream.arrivals.rate_per_s or 0.0 for stream, _ in plane.entries), figures)


def of(counter: str, truth: float) -> tuple[float, observe.Figure]:
    """A share of the lookups."""
    return truth, observe.per_lookup(counter)


def outdated(truth: laws.Outdated | laws.Fetched) -> Figures:
    """Hits, and what of them is no longer true."""
    return {
        "hit ratio": of("hits", truth.hits),
        "share outdated": of("outdated", truth.outdated),
        "mean age of the write": (truth.age, observe.age_of_writes),
    }


def within_ttl(_: float) -> Setting:
    plane = plane_of({"ttl": "50ms"}, write=WRITE, replicas=2)
    return setting(plane, outdated(laws.within_ttl(READ, WRITE, 0.05)))


def invalidated_after_exponential(_: float) -> Setting:
    plane = plane_of({"capacity": 9, "invalidation": {"exp": "30ms"}}, write=WRITE)
    return setting(plane, outdated(laws.invalidated(READ, WRITE, lambda u: -0.03 * np.expm1(-u / 0.03))))


def invalidated_after_constant(_: float) -> Setting:
    plane = plane_of({"capacity": 9, "invalidation": "30ms"}, write=WRITE, replicas=2)
    return setting(plane, outdated(laws.invalidated(READ, WRITE, lambda u: np.minimum(u, 0.03))))


def fetched_during_writes(_: float) -> Setting:
    cache = {"capacity": 9, "invalidation": "0s", "coalesce": "on"}
    truth = laws.fetched_during_writes(READ, WRITE, 0.03, leases=False)
    figures = {**outdated(truth), "share delayed": of("delayed", truth.delayed)}
    return setting(plane_of(cache, {"wait": "30ms"}, write=WRITE), figures)


def leases(_: float) -> Setting:
    cache = {"capacity": 9, "invalidation": "0s", "coalesce": "on", "leases": "on"}
    truth = laws.fetched_during_writes(READ, WRITE, 0.03, leases=True)
    figures = {**outdated(truth), "share delayed": of("delayed", truth.delayed)}
    return setting(plane_of(cache, {"wait": "30ms"}, write=WRITE), figures)


def renewed_behind(stale: float, fetch: float) -> Setting:
    cache = {"ttl": "30ms", "stale": f"{stale * 1e3:g}ms", "coalesce": "on"}
    truth = laws.renewed_behind(READ, 0.03, stale, fetch)
    figures = {
        "hit ratio": of("hits", truth.hits),
        "share stale": of("stale", truth.stale),
        "share delayed": of("delayed", truth.delayed),
    }
    return setting(plane_of(cache, {"wait": f"{fetch * 1e3:g}ms"}), figures)


def failures_kept(_: float) -> Setting:
    cache = {"ttl": "50ms", "negative": "20ms", "coalesce": "on"}
    truth = laws.failures_kept(READ, 0.05, 0.02, 0.03, 0.4)
    figures = {
        "hit ratio": of("hits", truth.hits),
        "share of kept failures": of("negative", truth.failures),
        "share delayed": of("delayed", truth.delayed),
    }
    return setting(plane_of(cache, {"wait": "30ms"}, {"fail": {"p": 0.4, "as": "500"}}), figures)


ALONE = (None,)
RENEWAL = "renewal and reward"
MIRASOL = "Mirasol 1963; Wolff 1982"

MODELS = (
    Model("cache: outdated within a ttl", RENEWAL, within_ttl, 1.5, ALONE),
    Model("cache: writes heard of after an exponential time", MIRASOL, invalidated_after_exponential, 3.5, ALONE),
    Model("cache: writes heard of after 30 ms", MIRASOL, invalidated_after_constant, 1.5, ALONE),
    Model("cache: fetches during writes", RENEWAL, fetched_during_writes, 3.5, ALONE),
    Model("cache: fetches during writes, leases", RENEWAL, leases, 6.0, ALONE),
    Model("cache: renewal behind stale answers", RENEWAL, lambda _: renewed_behind(0.02, 0.012), 3.5, ALONE),
    Model("cache: stale answers end before renewal", RENEWAL, lambda _: renewed_behind(0.01, 0.04), 1.5, ALONE),
    Model("cache: answers and failures kept", RENEWAL, failures_kept, 2.5, ALONE),
)
