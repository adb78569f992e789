"""What caches did: hits and misses, by tenant, and what they held."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Final

from meshsim.model.caches import Cache
from meshsim.model.traffic import Stream
from meshsim.results.intervals import Estimate, Floats, per_batch, ratio, share
from meshsim.results.measured import Measured
from meshsim.results.quantiles import Ints


@dataclass(frozen=True, slots=True)
class Room:
    """What a cache can hold at most; infinite where nothing limits it."""

    entries: float = math.inf
    bytes: float = math.inf

    @classmethod
    def of(cls, cache: Cache, stores: int) -> Room:
        """That of all stores of a cache together."""
        limits = (cache.capacity_entries, cache.capacity_bytes)
        return cls(*(math.inf if limit is None else float(limit * stores) for limit in limits))


NO_LIMIT: Final = Room()


@dataclass(frozen=True, slots=True, eq=False)
class CacheCounts:
    """What estimates of several caches together, and paired differences of them, are made from.

    Attributes
    ----------
    lookups, hits
        By stream: (replications, batches).
    entries, bytes
        (replications, batches): mean over the time of the batch.
    """

    lookups: Mapping[str, Ints]
    hits: Mapping[str, Ints]
    entries: Floats
    bytes: Floats


@dataclass(frozen=True, slots=True)
class CacheResult:
    """One cache of a station, all its replicas together, after the warm-up.

    Attributes
    ----------
    lookups
        In all replications of the run. Requests without the key do not look.
    hit_ratio
        Share of the lookups that were answered at once, by stale entries and kept failures too. Who waited for what
        another request was just fetching is no hit, but `delayed`.
    byte_hit_ratio
        The same by the sizes of the objects; no value where they have none.
    delayed, stale, negative, outdated
        Shares of the lookups: waited for another's fetch; answered with an entry whose time was over; with a failure;
        with what a write (`invalidate`) had made untrue.
    outdated_s
        Mean age of those answers: since the first such write.
    fills_per_s, evictions_per_s
        Answers that were put in, and entries that had to leave for want of room, per second.
    entries, bytes
        Mean over time of all replicas together.
    final_entries
        Of all replicas together when the run ended.
    distinct_entries
        Different keys among the entries of all replicas when the run ended: what all of them together can answer.
    duplication
        Share of the entries at the end whose key another replica has too: 1 − distinct / all.
    hit_ratio_by_tenant
        Of the lookups of each tenant's requests.
    lookups_per_s
        By stream.
    entries_at_first, bytes_at_first
        Mean of the first batch after the warm-up: whether the cache had filled by then.
    counts
        What these numbers are made from.
    """

    lookups: int
    hit_ratio: Estimate
    byte_hit_ratio: Estimate
    delayed: Estimate
    stale: Estimate
    negative: Estimate
    outdated: Estimate
    outdated_s: Estimate
    fills_per_s: Estimate
    evictions_per_s: Estimate
    entries: Estimate
    bytes: Estimate
    final_entries: Estimate
    distinct_entries: Estimate
    duplication: Estimate
    hit_ratio_by_tenant: Mapping[str, Estimate]
    lookups_per_s: Mapping[str, float]
    entries_at_first: float
    bytes_at_first: float
    counts: CacheCounts = field(compare=False, repr=False)

    @property
    def estimates(self) -> dict[str, Estimate]:
        """By name, in the order of reports."""
        names = (
            "hit_ratio",
            "byte_hit_ratio",
            "delayed",
            "stale",
            "negative",
            "outdated",
            "outdated_s",
            "fills_per_s",
            "evictions_per_s",
            "entries",
            "bytes",
            "final_entries",
            "distinct_entries",
            "duplication",
        )
        return {name: getattr(self, name) for name in names}

    def to_dict(self) -> dict[str, object]:
        """For JSON: plain numbers, and the ends of their intervals under ``intervals``."""
        told = {name: estimate.to_dict() for name, estimate in self.estimates.items()}
        return {
            "lookups": self.lookups,
            **{name: estimate["value"] for name, estimate in told.items()},
            "hit_ratio_by_tenant": {name: e.to_dict() for name, e in self.hit_ratio_by_tenant.items()},
            "intervals": {name: {"low": e["low"], "high": e["high"]} for name, e in told.items()},
        }


def cache_result(
    measured: Measured, number: int, streams: Sequence[Stream], room: Room = NO_LIMIT, *, level: float = 0.95
) -> CacheResult:
    """Sum up one cache.

    Parameters
    ----------
    measured
        What was measured of all.
    number
        Of the cache, in the order of the plane's services.
    streams
        In their order.
    room
        Of all its stores together.
    level
        Confidence of the intervals.
    """
    counters, batch_s = measured.caches[number], measured.batch_s
    entries, keys = measured.kept_entries[number][:, None], measured.kept_keys[number][:, None]  # a row a replication
    total = {name: counters[name].sum(axis=0) for name in counters.dtype.names or ()}
    lookups = total["lookups"]

    def of_lookups(name: str) -> Estimate:
        return share(total[name], lookups, level=level).estimate

    def per_s(name: str, scale: float = 1.0, most: float = math.inf) -> Estimate:
        return per_batch(total[name] * scale / batch_s, level=level, most=most).estimate

    def at_first(name: str) -> float:
        return float(total[name][:, 0].mean()) * 1e-9 / batch_s

    tenants = sorted({stream.tenant for stream in streams})
    of_tenant = {name: [i for i, stream in enumerate(streams) if stream.tenant == name] for name in tenants}
    looked = {name: counters["lookups"][rows].sum(axis=0) for name, rows in of_tenant.items()}
    return CacheResult(
        lookups=int(lookups.sum()),
        hit_ratio=of_lookups("hits"),
        byte_hit_ratio=ratio(total["hit_bytes"], total["lookup_bytes"], level=level, most=1.0).estimate,
        delayed=of_lookups("delayed"),
        stale=of_lookups("stale"),
        negative=of_lookups("negative"),
        outdated=of_lookups("outdated"),
        outdated_s=ratio(total["outdated_ns"], total["outdated"], level=level, scale=1e-9).estimate,
        fills_per_s=per_s("fills"),
        evictions_per_s=per_s("evictions"),
        entries=per_s("entries_ns", 1e-9, room.entries),
        bytes=per_s("bytes_ns", 1e-9, room.bytes),
        final_entries=per_batch(entries, level=level, most=room.entries).estimate,
        distinct_entries=per_batch(keys, level=level, most=room.entries).estimate,
        duplication=ratio(entries - keys, entries, level=level, most=1.0).estimate,
        hit_ratio_by_tenant={
            name: share(counters["hits"][rows].sum(axis=0), looked[name], level=level).estimate
            for name, rows in of_tenant.items()
            if looked[name].any()
        },
        lookups_per_s={
            stream.name: float(counters["lookups"][i].sum()) / measured.span_s for i, stream in enumerate(streams)
        },
        entries_at_first=at_first("entries_ns"),
        bytes_at_first=at_first("bytes_ns"),
        counts=CacheCounts(
            lookups={stream.name: counters["lookups"][i] for i, stream in enumerate(streams)},
            hits={stream.name: counters["hits"][i] for i, stream in enumerate(streams)},
            entries=total["entries_ns"] * 1e-9 / batch_s,
            bytes=total["bytes_ns"] * 1e-9 / batch_s,
        ),
    )
