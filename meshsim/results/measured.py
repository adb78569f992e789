"""What all replications measured after the warm-up, side by side: the input of every statistic."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from meshsim.engines.record import BATCHES, DEGRADED, OK, UNFINISHED, Record
from meshsim.results.histogram import COARSE_BITS
from meshsim.results.quantiles import Counted, Ints


@dataclass(frozen=True, slots=True, eq=False)
class Measured:
    """Counts by stream or service, replication and batch.

    Shapes: S streams, V services, R replications, M measured batches, k buckets in use (ascending numbers in
    `buckets` and `service_buckets`).

    Attributes
    ----------
    batch_s
        Length of a batch in seconds.
    counts
        (S, R, M, outcomes).
    latency_ns, latency_all_ns
        (S, R, M): sums over ok and degraded, and over all finished requests.
    tries
        (S, R, M) tries of application calls.
    histogram, histogram_failed
        (S, R, M, k).
    services
        (V, R, M) of ``SERVICE_COUNTERS``.
    service_histogram
        (V, R, M, k) of the coarse buckets.
    caches
        (C, S, R, M) of ``CACHE_COUNTERS``, caches in the order of the plane's services.
    kept_entries, kept_keys
        (C, R) entries of all stores of a cache when the run ended, and how many different keys they have.
    occupancy
        (bins,) mean number of requests in the plane after the cut, averaged over replications.
    """

    batch_s: float
    counts: Ints
    latency_ns: Ints
    latency_all_ns: Ints
    tries: Ints
    buckets: Ints
    histogram: Ints
    histogram_failed: Ints
    services: npt.NDArray[np.void]
    service_buckets: Ints
    service_histogram: Ints
    caches: npt.NDArray[np.void]
    kept_entries: Ints
    kept_keys: Ints
    occupancy: npt.NDArray[np.float64]

    @property
    def replications(self) -> int:
        """Number of replications."""
        return int(self.counts.shape[1])

    @property
    def batches(self) -> int:
        """Batches that count in each replication."""
        return int(self.counts.shape[2])

    @property
    def span_s(self) -> float:
        """Measured time in seconds, all replications together."""
        return self.batch_s * self.batches * self.replications

    def latencies(self, streams: Sequence[int], *, failed: bool) -> Counted:
        """Latencies of some streams' answered requests.

        With ``failed`` the failed ones count as infinitely slow: what an objective judges.
        """
        rows = list(streams)
        above = self.failed(rows) if failed else np.zeros_like(self.counts[0, :, :, 0])
        return Counted(self.buckets, _summed(self.histogram, rows), above)

    def latencies_all(self, streams: Sequence[int]) -> Counted:
        """How long some streams' requests took whatever became of them; unfinished ones took forever."""
        rows = list(streams)
        counts = _summed(self.histogram, rows) + _summed(self.histogram_failed, rows)
        return Counted(self.buckets, counts, self.counts[rows][..., UNFINISHED].sum(axis=0))

    def answered(self, streams: Sequence[int]) -> Ints:
        """(R, M) requests that ended ok or degraded."""
        counts: Ints = self.counts[list(streams)][..., [OK, DEGRADED]].sum(axis=(0, 3))
        return counts

    def all_requests(self, streams: Sequence[int]) -> Ints:
        """(R, M) requests that arrived."""
        counts: Ints = self.counts[list(streams)].sum(axis=(0, 3))
        return counts

    def failed(self, streams: Sequence[int]) -> Ints:
        """(R, M) requests that ended otherwise, or not at all."""
        return self.all_requests(streams) - self.answered(streams)

    def sojourns(self, service: int) -> Counted:
        """How long messages stayed at a service."""
        counts = self.service_histogram[service]
        return Counted(self.service_buckets, counts, np.zeros(counts.shape[:-1], dtype=np.int64), COARSE_BITS)


def _summed(histograms: Ints, rows: Sequence[int]) -> Ints:
    """Sum of some streams' histograms, one by one: a copy of all that is summed would be large."""
    total: Ints = np.zeros_like(histograms[0])
    for row in rows:
        total += histograms[row]
    return total


def pool(records: Sequence[Record], cut: int) -> Measured:
    """Put replications side by side without the first `cut` batches."""
    of_each = [r.buckets for r in records]
    buckets, (good, failed) = _side_by_side(
        of_each, [[r.histogram for r in records], [r.histogram_failed for r in records]], cut
    )
    of_each = [r.service_buckets for r in records]
    service_buckets, (sojourns,) = _side_by_side(of_each, [[r.service_histogram for r in records]], cut)
    occupancy = np.mean([r.occupancy_ns for r in records], axis=0)
    bins = occupancy.size
    return Measured(
        batch_s=records[0].duration_ns * 1e-9 / BATCHES,
        counts=np.stack([r.counts[:, cut:] for r in records], axis=1),
        latency_ns=np.stack([r.latency_sum_ns[:, cut:] for r in records], axis=1),
        latency_all_ns=np.stack([r.latency_all_sum_ns[:, cut:] for r in records], axis=1),
        tries=np.stack([r.tries[:, cut:] for r in records], axis=1),
        buckets=buckets,
        histogram=good,
        histogram_failed=failed,
        services=np.stack([r.services[:, cut:BATCHES] for r in records], axis=1),
        service_buckets=service_buckets,
        service_histogram=sojourns,
        caches=np.stack([r.caches[:, :, cut:BATCHES] for r in records], axis=2),
        kept_entries=np.stack([_by_cache(r, r.kept["cache"]) for r in records], axis=1),
        kept_keys=np.stack([_by_cache(r, np.unique(r.kept[["cache", "key"]])["cache"]) for r in records], axis=1),
        occupancy=occupancy[round(bins * cut / BATCHES) :] / (records[0].duration_ns / bins),
    )


def _by_cache(record: Record, numbers: Ints) -> Ints:
    """How often each cache comes in a list of their numbers."""
    return np.bincount(numbers, minlength=len(record.caches)).astype(np.int64)


def _side_by_side(
    of_each: Sequence[Ints], kinds: Sequence[Sequence[npt.NDArray[np.uint32]]], cut: int
) -> tuple[Ints, list[Ints]]:
    """Histograms of every replication (rows, B, its own buckets) over the buckets that any uses after the cut."""
    used = [
        own[np.logical_or.reduce([one[number][:, cut:].any(axis=(0, 1)) for one in kinds])]
        for number, own in enumerate(of_each)
    ]
    buckets = np.unique(np.concatenate(used))
    at = [np.searchsorted(buckets, own) for own in used]
    chosen = [np.isin(own, some) for own, some in zip(of_each, used, strict=True)]
    found = []
    for one in kinds:
        rows, batches, _ = one[0].shape
        pooled = np.zeros((rows, len(one), batches - cut, buckets.size), dtype=np.int64)
        for number, histogram in enumerate(one):
            pooled[:, number, :, at[number]] = np.moveaxis(histogram[:, cut:, chosen[number]], 2, 0)
        found.append(pooled)
    return buckets, found
