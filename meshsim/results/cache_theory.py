"""What theory says of a cache's hit ratio, beside what was simulated, or why it says nothing.

The approximation of Che, Tung and Wang (2002) and its relatives (`meshsim.caches.theory`) are for independent requests
with constant popularities, for a cache that has filled, and for answers that are there at once. Popularities are those
of the topology, how often each stream looks is what the run counted: both are known, whatever calls do. How spread the
looks are over replicas makes no difference to a cache without a ttl, as long as all replicas see the same popularities.
"""

from __future__ import annotations

import math
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Final

import numpy as np

from meshsim.architectures.plane import Plane, PlaneService
from meshsim.caches.theory import Floats, che, ttl, zipf
from meshsim.model.caches import Cache
from meshsim.model.distributions import Distribution
from meshsim.results.caching import CacheResult
from meshsim.results.lookups import Look, Lookups, lookups

_FULL: Final = 0.98  # of the capacity, from which on a cache counts as full (assumed)
_CHANGING = ("mmpp", "rate", "spike", "trace")  # arrivals whose rate is not the same at all times


@dataclass(frozen=True, slots=True)
class Expected:
    """What theory says of one cache.

    Attributes
    ----------
    hit_ratio
        None where there is no theory.
    theory
        Its name; empty where there is none.
    note
        What it takes for granted, or why there is none.
    working_set
        Different keys that are asked for within the measured time of one replication, on average; None where requests
        are not independent.
    filling
        The cache was still filling when the measurement began, so that what was counted is of no steady state.
    """

    hit_ratio: float | None
    theory: str
    note: str
    working_set: float | None = None
    filling: bool = False

    def to_dict(self) -> dict[str, object]:
        """For JSON."""
        return {"hit_ratio": self.hit_ratio, "theory": self.theory, "note": self.note}


class CacheTheory:
    """What theory says of the caches of a Plane.

    Parameters
    ----------
    plane
        What was simulated.
    warmup_s, measured_s
        Simulated time before the measurement, and how long it lasted.
    controlled
        Events or control processes may have changed the plane on the way.
    """

    def __init__(self, plane: Plane, warmup_s: float, measured_s: float, *, controlled: bool = False) -> None:
        self._plane = plane
        self._asked = lookups(plane)
        self._warmup_s, self._measured_s = warmup_s, measured_s
        self._controlled = controlled

    def expected(self, station: str, name: str, found: CacheResult) -> Expected:
        """What it says of one cache, which was found to do that."""
        service = self._plane.service(station)
        (cache,) = (one for one in service.caches if one.name == name)
        looks = self._asked.looks.get((station, name), [])
        why = self._dependent(station, name, looks, self._asked) or _unforeseen(looks, found)
        if why:
            return Expected(None, "", why)
        mix = _Mix.of(looks, found)
        keys = mix.distinct(self._measured_s)
        why = next(_inapplicable(cache, looks, found), "")
        if why:
            return Expected(None, "", why, keys)
        return self._approximated(service, cache, mix, found, keys)

    def _dependent(self, station: str, name: str, looks: Sequence[Look], asked: Lookups) -> str:
        """Why requests are not independent of each other, with constant popularities."""
        if self._controlled:
            return "events or control processes may change it"
        if asked.circle:
            return f"calls go in a circle: {' → '.join(asked.circle)}"
        for look in looks:
            before = sorted(one.name for one in look.behind if set(one.key) & set(look.key))
            if before:
                return f"it is asked only for what cache {before[0]} does not hold"
            if len(look.key) > 1:
                return f"its keys are of several dimensions: {', '.join(look.key)}"
        if (station, name) in asked.repeated:
            return "a request may ask it for the same twice"
        return next((why for look in looks if (why := history_of(look))), "")

    def _approximated(
        self, service: PlaneService, cache: Cache, mix: _Mix, found: CacheResult, keys: float
    ) -> Expected:
        stores = 1 if cache.shared is not None else len(service.replicas)
        together = stores if mix.hashed else 1
        entries, note = entries_of(cache)
        room = entries * together
        rates = mix.rates if mix.hashed else mix.rates / stores
        if room >= rates.size:
            if cache.ttl_s is None:
                return Expected(None, "", "everything fits: only what nobody asked for before is missed", keys)
            ratio, theory, time_s = ttl(rates, cache.ttl_s, renew=cache.renew).ratio, "TTL", cache.ttl_s
        else:
            of = che(rates, room, cache.policy, ttl_s=cache.ttl_s, renew=cache.renew)
            ratio, theory, time_s = of.ratio, f"Che, {cache.policy}", of.time
        why = self._filling(cache, found, stores, bound_by_ttl=time_s == cache.ttl_s)
        if why:
            return Expected(None, "", why, keys, filling=True)
        notes = [note, "answers are there at once"]
        notes += ["each of its replicas gets an equal part of the keys"] if mix.hashed and stores > 1 else []
        notes += ["all replicas are asked equally often"] if cache.ttl_s is not None and stores > together else []
        return Expected(ratio, f"≈ {theory}", "; ".join(filter(None, notes)), keys)

    def _filling(self, cache: Cache, found: CacheResult, stores: int, *, bound_by_ttl: bool) -> str:
        """Why the cache was not in its steady state when the measurement began; empty if it was."""
        if bound_by_ttl:
            assert cache.ttl_s is not None
            return "" if self._warmup_s >= cache.ttl_s else "the warm-up is shorter than its ttl"
        if cache.capacity_bytes is not None:
            # there is no room for another object where less is free than one takes, on average of those that are kept
            another = found.bytes_at_first / found.entries_at_first if found.entries_at_first > 0.0 else 0.0
            full = found.bytes_at_first >= (_FULL * cache.capacity_bytes - another) * stores
        else:
            assert cache.capacity_entries is not None
            full = found.entries_at_first >= _FULL * cache.capacity_entries * stores
        return "" if full else "it was still filling when the measurement began: make the warm-up longer"


def _unforeseen(looks: Sequence[Look], found: CacheResult) -> str:
    """Why not all lookups are known from the topology: fallbacks look only when something failed."""
    known = {look.stream.name for look in looks if look.expected > 0.0}
    others = [name for name, rate in found.lookups_per_s.items() if rate > 0.0 and name not in known]
    return f"{others[0]} looks only where something failed" if others else ""


def history_of(look: Look) -> str:
    """Why a stream's requests depend on those before them, or are for ever other things."""
    (dimension,) = look.key
    sessions, keys = look.stream.sessions, look.stream.keys[dimension]
    if sessions is not None and dimension in sessions.same:
        return f"all requests of a session of {look.stream.name} have one {dimension}"
    if sessions is not None and sessions.reuse > 0.0:
        return f"requests of {look.stream.name} repeat those before them (reuse)"
    if keys.trace is not None:
        return f"requests of {look.stream.name} are those of a trace, each after those before it"
    if keys.life_s is not None:
        return f"what is popular in {look.stream.name} changes (life)"
    return f"some requests of {look.stream.name} are for what is asked for once" if keys.once > 0.0 else ""


def _inapplicable(cache: Cache, looks: Sequence[Look], found: CacheResult) -> Iterator[str]:
    """Why there is no approximation of such a cache."""
    if cache.policy not in ("lru", "fifo", "random"):
        yield f"there is no approximation of {cache.policy}"
    bounded = cache.capacity_entries is not None or cache.capacity_bytes is not None
    if cache.ttl_s is not None and bounded and (cache.policy, cache.renew) not in (("lru", True), ("fifo", False)):
        yield "what is over takes room until it is evicted: with a ttl there is theory of fifo, and of lru with renew"
    if cache.stale_s:
        yield "stale answers are hits"
    if found.negative.value:
        yield "failures are kept"
    if cache.ttl_s is not None:
        for look in looks:
            if look.stream.arrivals.kind != "poisson" or look.stream.sessions is not None:
                yield f"a ttl needs Poisson arrivals, and those of {look.stream.name} are not"
    yield from _mixes(cache, looks)
    if len({look.hashed == look.key[0] for look in looks}) > 1:
        yield "a hash of the key chooses the replica for some of its requests, and not for others"
    if entries_of(cache)[0] == 0.0:
        yield "its objects have no finite mean size"


def _mixes(cache: Cache, looks: Sequence[Look]) -> Iterator[str]:
    """Why several streams' keys do not come to each store in the same parts at all times."""
    if len({look.stream.name for look in looks}) < 2:
        return
    for look in looks:
        if cache.shared is None and look.hashed not in (None, look.key[0]):
            yield f"a hash of {look.hashed} chooses the replica, so that each is asked for a mix of streams of its own"
        if look.stream.arrivals.kind in _CHANGING:
            yield f"the arrivals of {look.stream.name} change with time, and with them the mix of streams"


def entries_of(cache: Cache) -> tuple[float, str]:
    """Objects that a store has room for, and what that takes for granted."""
    if cache.capacity_entries is not None:
        return float(cache.capacity_entries), ""
    if cache.capacity_bytes is None or not isinstance(cache.size, Distribution):
        return math.inf, ""
    mean = cache.size.mean()
    alike = cache.size.kind == "constant"
    return (cache.capacity_bytes / mean if mean > 0.0 else math.inf), "" if alike else "objects are of their mean size"


@dataclass(frozen=True, slots=True, eq=False)
class _Mix:
    """What a cache is asked for.

    Attributes
    ----------
    rates
        Looks per second for each key.
    hashed
        A hash of the key chooses the replica.
    """

    rates: Floats
    hashed: bool

    @classmethod
    def of(cls, looks: Sequence[Look], found: CacheResult) -> _Mix:
        """Popularities of all streams together; items of tenants, dimensions and targets are different ones."""
        expected = {look.stream.name: 0.0 for look in looks}
        for look in looks:
            expected[look.stream.name] += look.expected
        groups: dict[tuple[str, str, str], Floats] = {}
        for look in looks:
            (dimension,) = look.key
            keys, group = look.stream.keys[dimension], (look.stream.tenant, dimension, look.of)
            part = look.expected / expected[look.stream.name] if expected[look.stream.name] > 0.0 else 0.0
            more = found.lookups_per_s[look.stream.name] * part * zipf(keys.items, keys.exponent)
            groups[group] = _sum(groups[group], more) if group in groups else more
        return cls(np.concatenate(list(groups.values())), all(look.hashed == look.key[0] for look in looks))

    def distinct(self, span_s: float) -> float:
        """Different keys that are asked for within a time, on average, if requests come as a Poisson process."""
        return float(-np.expm1(-self.rates * span_s).sum())


def _sum(one: Floats, other: Floats) -> Floats:
    """Sum of two lists by rank, the shorter one with zeros behind."""
    longer, shorter = (one, other) if one.size >= other.size else (other, one)
    total = longer.copy()
    total[: shorter.size] += shorter
    return total
