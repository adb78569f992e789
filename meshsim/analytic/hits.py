"""Hit ratios of the caches of a Plane without simulation: Che's approximation and TTL caches, stream by stream.

As `meshsim.results.cache_theory`, but from the rates that the topology gives, and for all caches, those too for which
there is no theory: a note then says what was taken instead.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Mapping
from dataclasses import dataclass, field

import numpy as np

from meshsim.analytic.stations import rate_per_s
from meshsim.architectures.plane import Plane, PlaneService
from meshsim.caches.theory import APPROXIMATED, Floats, che, ttl, zipf
from meshsim.model.caches import Cache
from meshsim.results.cache_theory import entries_of, history_of
from meshsim.results.lookups import Look, lookups


@dataclass(slots=True)
class Hits:
    """Hit ratios, and what was taken for granted.

    Attributes
    ----------
    by_stream
        By service, cache and stream: of the lookups.
    of_visits
        By service and cache: of the lookups of all streams.
    items
        By cache, tenant and dimension of keys: of each item.
    """

    by_stream: dict[tuple[str, str, str], float] = field(default_factory=dict)
    of_visits: dict[tuple[str, str], float] = field(default_factory=dict)
    items: dict[tuple[str, str, str], Floats] = field(default_factory=dict)
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
    place = f"cache {cache.name} of {service.name}"
    if any(len(look.key) > 1 for look in looks):
        found.notes.append(f"{place}: its keys are of several dimensions; taken as empty")
        return
    for why in dict.fromkeys(history_of(look) for look in looks):
        if why:
            found.notes.append(f"{place}: {why}; taken as independent of what was asked before")
    if cache.stale_s or cache.negative_s or cache.coalesce:
        found.notes.append(f"{place}: stale answers, kept failures and coalescing are left out")
    asked = [(look, _asked(found, look, rates[look.stream.name])) for look in looks if rates[look.stream.name] > 0.0]
    groups = _by_key(asked)
    if not groups:
        return
    every = np.concatenate(list(groups.values()))
    hashed = all(look.hashed == look.key[0] for look, _ in asked)
    items = _found(found, cache, every, hashed, replicas, place)
    start, kept = 0, dict[tuple[str, str, str], Floats]()
    for key, mine in groups.items():
        kept[key] = items[start : start + mine.size]
        start += mine.size
    lookups_per_s, hits_per_s = defaultdict[str, float](float), defaultdict[str, float](float)
    for look, mine in asked:
        known = kept[_key(look)][: mine.size]
        found.items[cache.name, look.stream.tenant, look.key[0]] = known
        lookups_per_s[look.stream.name] += float(mine.sum())
        hits_per_s[look.stream.name] += float(mine @ known) * (1.0 - look.stream.keys[look.key[0]].once)
    for name, total in lookups_per_s.items():
        found.by_stream[service.name, cache.name, name] = hits_per_s[name] / total if total > 0.0 else 0.0
    found.of_visits[service.name, cache.name] = sum(hits_per_s.values()) / sum(lookups_per_s.values())


def _key(look: Look) -> tuple[str, str, str]:
    return look.stream.tenant, look.key[0], look.of


def _asked(found: Hits, look: Look, rate: float) -> Floats:
    """Looks per second for each item: what the caches before it, which know the same items, have not found."""
    keys = look.stream.keys[look.key[0]]
    asked = rate * look.expected * zipf(keys.items, keys.exponent)
    for before in look.behind:
        known = found.items.get((before.name, look.stream.tenant, look.key[0])) if before.key == look.key else None
        if known is not None and known.size == asked.size:
            asked = asked * (1.0 - known)
        else:
            asked = asked * (1.0 - _ratio_of(found, before.name, look.stream.name))
    return np.asarray(asked)


def _by_key(asked: list[tuple[Look, Floats]]) -> dict[tuple[str, str, str], Floats]:
    """All that is asked for, items of tenants, dimensions and targets apart."""
    groups: dict[tuple[str, str, str], Floats] = {}
    for look, mine in asked:
        known = groups.get(_key(look))
        if known is None:
            groups[_key(look)] = mine.copy()
        elif known.size >= mine.size:
            known[: mine.size] += mine
        else:
            mine = mine.copy()
            mine[: known.size] += known
            groups[_key(look)] = mine
    return groups


def _ratio_of(found: Hits, name: str, stream: str) -> float:
    return next((r for (_, cache, of), r in found.by_stream.items() if (cache, of) == (name, stream)), 0.0)


def _found(found: Hits, cache: Cache, rates: Floats, hashed: bool, replicas: int, place: str) -> Floats:
    """Chance that each item is found, as `meshsim.results.cache_theory.CacheTheory`."""
    stores = 1 if cache.shared is not None else replicas
    entries, note = entries_of(cache)
    if note:
        found.notes.append(f"{place}: {note}")
    room = entries * (stores if hashed else 1)
    asked = rates if hashed else rates / stores
    if room >= asked.size:
        return np.ones(asked.size) if cache.ttl_s is None else ttl(asked, cache.ttl_s, renew=cache.renew).items
    policy, ttl_s = cache.policy, cache.ttl_s
    if policy not in APPROXIMATED:
        found.notes.append(f"{place}: there is no theory of {policy}; taken as lru")
        policy = "lru"
    if ttl_s is not None and (policy, cache.renew) not in (("lru", True), ("fifo", False)):
        found.notes.append(f"{place}: what is over still takes room; taken as if it went at once")
        policy = "lru" if cache.renew else "fifo"
    return che(asked, room, policy, ttl_s=ttl_s, renew=cache.renew and ttl_s is not None).items
