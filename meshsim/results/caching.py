"""What caches did: hits and misses, by tenant, and what they held."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from meshsim.results.intervals import Estimate, per_batch, ratio, share


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
    hit_ratio_by_tenant
        Of the lookups of each tenant's requests.
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
    hit_ratio_by_tenant: Mapping[str, Estimate]

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
    counters: npt.NDArray[np.void], tenants: Sequence[str], batch_s: float, *, level: float = 0.95
) -> CacheResult:
    """Sum up one cache.

    Parameters
    ----------
    counters
        (S, R, M) of ``CACHE_COUNTERS``, by stream, replication and batch.
    tenants
        Of each stream.
    batch_s
        Seconds of a batch.
    level
        Confidence of the intervals.
    """
    total = {name: counters[name].sum(axis=0) for name in counters.dtype.names or ()}
    lookups = total["lookups"]

    def of_lookups(name: str) -> Estimate:
        return share(total[name], lookups, level=level).estimate

    def per_s(name: str, scale: float = 1.0) -> Estimate:
        return per_batch(total[name] * scale / batch_s, level=level).estimate

    of_tenant = {name: [i for i, tenant in enumerate(tenants) if tenant == name] for name in sorted(set(tenants))}
    looked = {name: counters["lookups"][rows].sum(axis=0) for name, rows in of_tenant.items()}
    return CacheResult(
        lookups=int(lookups.sum()),
        hit_ratio=of_lookups("hits"),
        byte_hit_ratio=ratio(total["hit_bytes"], total["lookup_bytes"], level=level).estimate,
        delayed=of_lookups("delayed"),
        stale=of_lookups("stale"),
        negative=of_lookups("negative"),
        outdated=of_lookups("outdated"),
        outdated_s=ratio(total["outdated_ns"], total["outdated"], level=level, scale=1e-9).estimate,
        fills_per_s=per_s("fills"),
        evictions_per_s=per_s("evictions"),
        entries=per_s("entries_ns", 1e-9),
        bytes=per_s("bytes_ns", 1e-9),
        hit_ratio_by_tenant={
            name: share(counters["hits"][rows].sum(axis=0), looked[name], level=level).estimate
            for name, rows in of_tenant.items()
            if looked[name].any()
        },
    )
