"""Hit ratios of the caches of a Plane without simulation: Che's approximation and TTL caches, stream by stream.

As `meshsim.results.cache_theory`, but from the rates that the topology gives, and for all caches, those too for which
there is no theory: a note then says what was taken instead.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Mapping
from dataclasses import dataclass, field

from meshsim.analytic.stations import rate_per_s
from meshsim.architectures.plane import Plane, PlaneService
from meshsim.caches.theory import APPROXIMATED, che, ttl, zipf
from meshsim.model.caches import Cache
from meshsim.results.cache_theory import Mix, entries_of
from meshsim.results.lookups import Look, lookups


@dataclass(slots=True)
class Hits:
    """Hit ratios, and what was taken for granted.

    Attributes
    ----------
    by_stream
        By service, cache and stream: of the lookups.
    of_visits
        By service and cache: of all visits to it, those without a key included.
    """

    by_stream: dict[tuple[str, str, str], float] = field(default_factory=dict)
    of_visits: dict[tuple[str, str], float] = field(default_factory=dict)
    notes: list[str] = field(default_factory=list)


def hits(plane: Plane, replicas: Mapping[str, int]) -> Hits:
    """Solve all caches, those that are asked first before those behind them."""
    found = Hits()
    asked = lookups(plane)
    rates = {stream.name: rate_per_s(stream, plane) for stream, _ in plane.entries}
    services = {service.name: service for service in plane.services if service.caches}
    waiting = {(name, cache.name): cache for name, service in services.items() for cache in service.caches}
    while waiting:
        # those that need no other one that is still unknown; where they need each other, in the order of names
        ready = [key for key in waiting if not _needs(asked.looks.get(key, []), waiting, key)] or [min(waiting)]
        for key in ready:
            service, cache = services[key[0]], waiting.pop(key)
            n = replicas.get(key[0], len(service.replicas))
            _solve(found, service, cache, asked.looks.get(key, []), rates, n)
    return found


def _needs(looks: list[Look], waiting: Mapping[tuple[str, str], Cache], own: tuple[str, str]) -> bool:
    names = {name for service, name in waiting if (service, name) != own}
    return any(before.name in names for look in looks for before in look.behind)


def _solve(
    found: Hits, service: PlaneService, cache: Cache, looks: list[Look], rates: Mapping[str, float], replicas: int
) -> None:
    lookups_per_s: dict[str, float] = defaultdict(float)
    for look in looks:
        passed = 1.0
        for before in look.behind:
            passed *= 1.0 - _ratio_of(found, before.name, look.stream.name)
        lookups_per_s[look.stream.name] += rates[look.stream.name] * look.expected * passed
    place = f"cache {cache.name} of {service.name}"
    if any(len(look.key) > 1 for look in looks):
        found.notes.append(f"{place}: its keys are of several dimensions; taken as empty")
        return
    if not any(rate > 0.0 for rate in lookups_per_s.values()):
        return
    if any(look.behind for look in looks):
        found.notes.append(f"{place}: asked for what others miss, taken as independent of that")
    known = [look for look in looks if lookups_per_s[look.stream.name] > 0.0]
    ratio = _ratio(found, cache, known, lookups_per_s, replicas, place)
    for look in known:
        kept = ratio * (1.0 - look.stream.keys[look.key[0]].once)
        found.by_stream[service.name, cache.name, look.stream.name] = kept
    found.of_visits[service.name, cache.name] = ratio


def _ratio_of(found: Hits, name: str, stream: str) -> float:
    return next((r for (_, cache, of), r in found.by_stream.items() if (cache, of) == (name, stream)), 0.0)


def _ratio(
    found: Hits, cache: Cache, looks: list[Look], lookups_per_s: Mapping[str, float], replicas: int, place: str
) -> float:
    """As `meshsim.results.cache_theory.CacheTheory`."""
    mix = Mix.of(looks, lookups_per_s)
    stores = 1 if cache.shared is not None else replicas
    together = stores if mix.hashed else 1
    entries, note = entries_of(cache)
    if note:
        found.notes.append(f"{place}: {note}")
    room = entries * together
    asked = mix.rates if mix.hashed else mix.rates / stores
    if room >= asked.size:
        return 1.0 if cache.ttl_s is None else ttl(asked, cache.ttl_s, renew=cache.renew).ratio
    policy, ttl_s = cache.policy, cache.ttl_s
    if policy not in APPROXIMATED:
        found.notes.append(f"{place}: there is no theory of {policy}; taken as lru")
        policy = "lru"
    if ttl_s is not None and (policy, cache.renew) not in (("lru", True), ("fifo", False)):
        found.notes.append(f"{place}: what is over still takes room; taken as if it went at once")
        policy = "lru" if cache.renew else "fifo"
    return che(asked, room, policy, ttl_s=ttl_s, renew=cache.renew and ttl_s is not None).ratio
