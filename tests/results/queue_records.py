"""Records of a single-server queue made with plain numpy (Lindley's recursion), to test statistics against theory."""

from __future__ import annotations

import numpy as np

from meshsim.architectures import lower
from meshsim.architectures.plane import Plane
from meshsim.engines.record import (
    ACCOUNT_COUNTERS,
    BATCHES,
    CACHE_COUNTERS,
    KEPT,
    OCCUPANCY_BINS,
    OK,
    OUTCOMES,
    REQUESTS,
    SERVICE_COUNTERS,
    SPANS,
    TIMEOUT,
    Record,
    in_use,
)
from meshsim.model.load import load
from meshsim.model.topology import Topology
from meshsim.results.histogram import COARSE_BITS, COARSE_BUCKETS, FINE_BITS, FINE_BUCKETS

SERVICE_S = 0.008
SPEC = {
    "meshsim": 1,
    "name": "queue",
    "services": {
        "shop": {"cpu": 1, "memory": "1GiB", "discipline": "fifo", "endpoints": {"get": [{"work": {"exp": "8ms"}}]}}
    },
    "tenants": {"web": {"slo": {"p99": "200ms", "availability": "99.9%", "mean": "30ms"}}},
    "traffic": [{"name": "web", "tenant": "web", "entry": "shop.get", "arrivals": {"poisson": "100/s"}}],
    "run": {"duration": "200s"},
}


def queue_topology(**tenant: object) -> Topology:
    """One service, one tenant; keywords replace its objectives."""
    return load(SPEC | ({"tenants": {"web": {"slo": tenant}}} if tenant else {}))


def queue_plane(architecture: str = "none") -> Plane:
    return lower(queue_topology(), architecture)


def buckets(latency_ns: np.ndarray, bits: int = FINE_BITS) -> np.ndarray:
    """Numbers of the buckets, by the exponents of the durations as floats."""
    octave = np.maximum(0, np.frexp(latency_ns.astype(float))[1] - 1 - bits)
    return (octave << bits) + (latency_ns >> octave)


def sojourns(gaps: np.ndarray, works: np.ndarray) -> np.ndarray:
    """Lindley (1952): the wait is what the work before left over, never below 0."""
    walk = np.concatenate([[0], np.cumsum(works[:-1] - gaps[1:])])
    return walk - np.minimum.accumulate(walk) + works


def busy_until(starts: np.ndarray, ends: np.ndarray, edges: np.ndarray) -> np.ndarray:
    """Integral over [edge, next edge) of how many intervals [start, end) are under way."""
    before = [np.array([np.maximum(0, edge - one).sum() for edge in edges]) for one in (starts, ends)]
    return np.diff(before[0] - before[1])


def record(
    arrivals_s: np.ndarray, works_s: np.ndarray, latency_s: np.ndarray, duration_s: float, failed: np.ndarray
) -> Record:
    """What an engine would have counted at the queue of `queue_plane`."""
    arrival, work, latency = (np.round(x * 1e9).astype(np.int64) for x in (arrivals_s, works_s, latency_s))
    duration = round(duration_s * 1e9)
    kept = arrival < duration
    arrival, work, latency, failed = arrival[kept], work[kept], latency[kept], failed[kept]
    batch = (arrival * BATCHES) // duration
    counts = np.zeros((1, BATCHES, len(OUTCOMES)), np.int64)
    np.add.at(counts, (0, batch, np.where(failed, TIMEOUT, OK)), 1)
    histograms = []
    for which in (~failed, failed):
        histogram = np.zeros((1, BATCHES, FINE_BUCKETS), np.uint32)
        np.add.at(histogram, (0, batch[which], buckets(latency[which])), 1)
        histograms.append(histogram)
    coarse = np.zeros((1, BATCHES, COARSE_BUCKETS), np.uint32)
    np.add.at(coarse, (0, batch, buckets(latency, COARSE_BITS)), 1)
    used, (good, bad) = in_use(*histograms)
    coarse_used, (coarse,) = in_use(coarse)

    def by_batch(values: np.ndarray) -> np.ndarray:
        sums = np.zeros(BATCHES, np.int64)
        np.add.at(sums, batch, values)
        return sums

    services = np.zeros((1, BATCHES + 1), SERVICE_COUNTERS)
    edges = np.linspace(0, duration, BATCHES + 1)
    services["replicas_ns"][0, :-1] = duration // BATCHES
    services["requests"][0, :-1] = by_batch(np.ones_like(arrival))
    services["answered"][0, :-1] = by_batch((~failed).astype(np.int64))
    services["failed"][0, :-1] = by_batch(failed.astype(np.int64))
    services["sojourn_ns"][0, :-1] = by_batch(latency)
    services["demand_ns"][0, :-1] = by_batch(work)
    services["cpu_wait_ns"][0, :-1] = by_batch(latency - work)
    services["busy_ns"][0, :-1] = busy_until(arrival + latency - work, arrival + latency, edges)
    services["in_system_ns"][0, :-1] = busy_until(arrival, arrival + latency, edges)
    fine = np.linspace(0, duration, OCCUPANCY_BINS + 1)
    return Record(
        duration_ns=duration,
        counts=counts,
        latency_sum_ns=by_batch(np.where(failed, 0, latency))[None],
        latency_all_sum_ns=by_batch(latency)[None],
        buckets=used,
        histogram=good,
        histogram_failed=bad,
        tries=np.zeros((1, BATCHES), np.int64),
        services=services,
        account_pairs=np.zeros((0, 2), np.int32),
        accounts=np.zeros((0, BATCHES + 1), ACCOUNT_COUNTERS),
        service_buckets=coarse_used,
        service_histogram=coarse,
        caches=np.zeros((0, 1, BATCHES + 1), CACHE_COUNTERS),
        kept=np.zeros(0, KEPT),
        occupancy_ns=busy_until(arrival, arrival + latency, fine).astype(np.int64),
        requests=np.zeros(0, REQUESTS),
        spans=np.zeros(0, SPANS),
        sampled=np.zeros(0, np.int64),
        events=2 * arrival.size,
        end_ns=duration,
    )


def mm1_record(
    seed: int, *, utilization: float = 0.8, duration_s: float = 200.0, slower: float = 1.0, failing: float = 0.0
) -> Record:
    """M/M/1 with mean work 8 ms. The same seed gives the same gaps and works, these times `slower`."""
    rng = np.random.default_rng(seed)
    rate = utilization / SERVICE_S
    n = int(rate * duration_s * 1.2) + 100
    gaps, works = rng.exponential(1 / rate, n), rng.exponential(SERVICE_S, n) * slower
    return record(np.cumsum(gaps), works, sojourns(gaps, works), duration_s, rng.random(n) < failing)
