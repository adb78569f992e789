"""One side of a pair: what every tenant met in the runs of one plane."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np

from meshsim.architectures.plane import Plane
from meshsim.engines.record import OUTCOMES, Record
from meshsim.interference.loads import tenants_of
from meshsim.model.topology import Topology
from meshsim.model.traffic import Objective
from meshsim.results.caching import CacheCounts
from meshsim.results.intervals import Statistic, share
from meshsim.results.measured import Measured, pool
from meshsim.results.quantiles import Ints
from meshsim.results.services import service_results
from meshsim.results.traffic import Traffic, traffic
from meshsim.results.verdict import Verdict, judge

_REJECTED = [code for code, name in enumerate(OUTCOMES) if name.startswith("rejected")]


@dataclass(frozen=True, slots=True, eq=False)
class Side:
    """What was measured with one set of loads.

    Attributes
    ----------
    streams
        Numbers of each tenant's streams.
    by_tenant
        Latencies, outcomes and objectives of those who sent something.
    caches
        Lookups and hits by stream, of every cache that was asked, by ``station.cache``.
    """

    streams: Mapping[str, tuple[int, ...]]
    names: tuple[str, ...]  # of all streams
    measured: Measured
    by_tenant: Mapping[str, Traffic]
    caches: Mapping[str, CacheCounts]
    verdict: Verdict

    def rejected(self, tenant: str) -> Statistic:
        """Share of a tenant's requests that somebody turned away: a full queue, a breaker, a rate limit."""
        rows = list(self.streams[tenant])
        turned_away = self.measured.counts[rows][..., _REJECTED].sum(axis=(0, 3))
        return share(turned_away, self.measured.all_requests(rows))

    def looked(self, tenant: str, cache: str) -> tuple[Ints, Ints] | None:
        """Hits and lookups (replications, batches) of a tenant in a cache; None if it looked nothing up there."""
        counts = self.caches.get(cache)
        if counts is None:
            return None
        names = [self.names[i] for i in self.streams[tenant]]
        hits, lookups = (np.sum([of[name] for name in names], axis=0) for of in (counts.hits, counts.lookups))
        return (hits, lookups) if lookups.any() else None


def side_of(topology: Topology, plane: Plane, records: Sequence[Record], cut: int) -> Side:
    """Sum up the replications of one plane without their first `cut` batches."""
    measured = pool(records, cut)
    streams = tenants_of(plane)
    everybody = traffic(measured, range(len(plane.entries)))
    services = service_results(plane, measured)
    bounded = all(stream.arrivals.kind == "closed" for stream, _ in plane.entries)
    return Side(
        streams=streams,
        names=tuple(stream.name for stream, _ in plane.entries),
        measured=measured,
        by_tenant={
            name: traffic(measured, rows, objectives_of(topology, name))
            for name, rows in streams.items()
            if measured.counts[list(rows)].any()
        },
        caches={
            f"{name}.{cache}": found.counts
            for name, service in services.items()
            for cache, found in service.caches.items()
        },
        verdict=judge(everybody, services, measured, bounded=bounded),
    )


def objectives_of(topology: Topology, tenant: str) -> tuple[Objective, ...]:
    """A tenant's objectives; none where the topology does not say any."""
    return topology.tenants[tenant].objectives if tenant in topology.tenants else ()


def same(one: Side, other: Side, tenant: str) -> bool:
    """Whether a tenant's requests met exactly the same: outcomes, tries, hits, and latencies to the nanosecond.

    Sums of latencies are exact and there is one for each stream, replication and batch.
    """
    rows = list(one.streams[tenant])
    a, b = one.measured, other.measured
    fields = ("counts", "latency_ns", "latency_all_ns", "tries")
    if not all(np.array_equal(getattr(a, name)[rows], getattr(b, name)[rows]) for name in fields):
        return False
    counted = zip((a.latencies_all(rows), a.latencies(rows, failed=False)),
                  (b.latencies_all(rows), b.latencies(rows, failed=False)), strict=True)  # fmt: skip
    if not all(_in_use(x.buckets, x.counts) == _in_use(y.buckets, y.counts) for x, y in counted):
        return False
    return all(_equal(one.looked(tenant, name), other.looked(tenant, name)) for name in {*one.caches, *other.caches})


def _in_use(buckets: Ints, counts: Ints) -> dict[int, bytes]:
    """Counts by bucket: sides have other empty buckets."""
    return {int(buckets[i]): counts[..., i].tobytes() for i in np.flatnonzero(counts.any(axis=(0, 1)))}


def _equal(one: tuple[Ints, Ints] | None, other: tuple[Ints, Ints] | None) -> bool:
    if one is None or other is None:
        return one is other
    return all(np.array_equal(a, b) for a, b in zip(one, other, strict=True))
