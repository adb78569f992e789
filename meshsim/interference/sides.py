"""One side of a pair: what every tenant met in the runs of one plane."""

from __future__ import annotations

import hashlib
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
#: Of a cache, what a request notices.
_LOOKED = ("lookups", "hits", "delayed", "stale", "negative", "outdated")


@dataclass(frozen=True, slots=True, eq=False)
class Side:
    """What was measured with one set of loads. It keeps no histograms: many sides are kept at once.

    Attributes
    ----------
    names
        Streams of each tenant.
    by_tenant
        Latencies, outcomes and objectives of those who sent something.
    rejected
        Share of a tenant's requests that somebody turned away: a full queue, a breaker, a rate limit.
    caches
        Lookups and hits by stream, of every cache that was asked, by ``station.cache``.
    met
        By tenant, a digest of all that its requests met; see `fingerprint`.
    """

    names: Mapping[str, tuple[str, ...]]
    by_tenant: Mapping[str, Traffic]
    rejected: Mapping[str, Statistic]
    caches: Mapping[str, CacheCounts]
    met: Mapping[str, str]
    verdict: Verdict

    def looked(self, tenant: str, cache: str) -> tuple[Ints, Ints] | None:
        """Hits and lookups (replications, batches) of a tenant in a cache; None if it looked nothing up there."""
        counts = self.caches.get(cache)
        if counts is None:
            return None
        hits, lookups = (
            np.sum([of[one] for one in self.names[tenant]], axis=0) for of in (counts.hits, counts.lookups)
        )
        return (hits, lookups) if lookups.any() else None


def side_of(topology: Topology, plane: Plane, records: Sequence[Record], cut: int) -> Side:
    """Sum up the replications of one plane without their first `cut` batches."""
    measured = pool(records, cut)
    streams = {name: rows for name, rows in tenants_of(plane).items() if measured.counts[list(rows)].any()}
    everybody = traffic(measured, range(len(plane.entries)))
    services = service_results(plane, measured)
    bounded = all(stream.arrivals.kind == "closed" for stream, _ in plane.entries)
    return Side(
        names={name: tuple(plane.entries[i][0].name for i in rows) for name, rows in streams.items()},
        by_tenant={name: traffic(measured, rows, objectives_of(topology, name)) for name, rows in streams.items()},
        rejected={name: _rejected(measured, rows) for name, rows in streams.items()},
        caches={
            f"{name}.{cache}": found.counts for name, one in services.items() for cache, found in one.caches.items()
        },
        met={name: fingerprint(measured, rows) for name, rows in streams.items()},
        verdict=judge(everybody, services, measured, bounded=bounded),
    )


def _rejected(measured: Measured, rows: Sequence[int]) -> Statistic:
    turned_away = measured.counts[list(rows)][..., _REJECTED].sum(axis=(0, 3))
    return share(turned_away, measured.all_requests(rows))


def fingerprint(measured: Measured, rows: Sequence[int]) -> str:
    """Digest of what some streams' requests met: outcomes, tries, hits, and latencies to the nanosecond.

    Sums of latencies are whole nanoseconds, and there is one for each stream, replication and batch.
    """
    at, digest = list(rows), hashlib.sha256()
    for counted in (measured.counts, measured.latency_ns, measured.latency_all_ns, measured.tries):
        digest.update(np.ascontiguousarray(counted[at]).tobytes())
    for histogram in (measured.histogram, measured.histogram_failed):
        mine = histogram[at]
        used = mine.any(axis=(0, 1, 2))  # sides have other empty buckets
        digest.update(measured.buckets[used].tobytes())
        digest.update(np.ascontiguousarray(mine[..., used]).tobytes())
    for name in _LOOKED if measured.caches.size else ():
        digest.update(np.ascontiguousarray(measured.caches[name][:, at]).tobytes())
    return digest.hexdigest()


def objectives_of(topology: Topology, tenant: str) -> tuple[Objective, ...]:
    """A tenant's objectives; none where the topology does not say any."""
    return topology.tenants[tenant].objectives if tenant in topology.tenants else ()
