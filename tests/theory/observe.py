"""What long replications of a plane say about a figure, and how sure they are, computed apart from `meshsim.results`.

The first twentieth of a replication is left out. The rest is cut into 19 equal groups, so eight replications give 152
groups, each far longer than a queue remembers. Means and shares are ratios of sums, with the standard error of the
groups' residuals (Law, "Simulation Modeling and Analysis", 9.5.3). A quantile is that of all requests, its standard
error that of the groups' own quantiles around it (sectioning: Asmussen and Glynn, "Stochastic Simulation", III.5).
"""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt
from scipy import special

from meshsim.architectures.plane import Plane
from meshsim.engines import simulate
from meshsim.engines.record import BATCHES, CACHE_COUNTERS, OK, QUEUE_FULL, SERVICE_COUNTERS, UNFINISHED, Record
from meshsim.results.histogram import FINE_BUCKETS, lower_edge_ns, width_ns

Floats = npt.NDArray[np.float64]
Ints = npt.NDArray[np.int64]

WARMUP, GROUPS = 2, 19  # batches cut off, and parts that the others are merged to
REPLICATIONS = 8
DRAIN_NS = 10**15


@dataclass(frozen=True, slots=True)
class Estimate:
    """A number, its standard error, and from how many groups that was found."""

    value: float
    error: float
    groups: int

    @property
    def half(self) -> float:
        """Half of the 95 % interval (Student's t)."""
        return self.error * float(special.stdtrit(self.groups - 1, 0.975))


@dataclass(frozen=True, slots=True, eq=False)
class Observed:
    """Sums over groups: (streams or services, groups, …); the groups of all replications stand side by side."""

    seconds: float  # length of a group
    outcomes: Ints  # (S, G, outcomes)
    latency_s: Floats  # (S, G) summed over requests answered ok
    histogram: Ints  # (S, G, buckets) of these
    tries: Ints  # (S, G)
    services: dict[str, Floats]  # counter: (V, G)
    caches: dict[str, Floats]  # counter, of all streams: (C, G)


Figure = Callable[[Observed], Estimate]


def observe(plane: Plane, seconds: float, *, seed: int, replications: int = REPLICATIONS, jobs: int = 1) -> Observed:
    """Simulate on the compiled engine; each replication lasts `seconds`."""

    def one(replication: int) -> Observed:
        record = simulate(
            plane,
            engine="compiled",
            seed=seed,
            replication=replication,
            duration_ns=round(seconds * 1e9),
            drain_ns=DRAIN_NS,
            sample=0,
        )
        return reduce(record)

    with ThreadPoolExecutor(jobs) as threads:
        return _side_by_side(list(threads.map(one, range(replications))))


def every_bucket(record: Record) -> npt.NDArray[np.uint32]:
    """Latencies with the empty buckets, so that those of several replications are of one shape."""
    whole = np.zeros((*record.histogram.shape[:2], FINE_BUCKETS), dtype=np.uint32)
    whole[:, :, record.buckets] = record.histogram
    return whole


def reduce(record: Record) -> Observed:
    """Sum up the groups of one replication."""

    def grouped(values: npt.NDArray[np.generic]) -> npt.NDArray[np.generic]:
        kept = values[:, WARMUP:BATCHES]
        shape = (kept.shape[0], GROUPS, kept.shape[1] // GROUPS, *kept.shape[2:])
        return kept.reshape(shape).sum(axis=2)

    assert record.counts[..., UNFINISHED].sum() == 0
    return Observed(
        seconds=record.duration_ns * 1e-9 * (BATCHES - WARMUP) / BATCHES / GROUPS,
        outcomes=grouped(record.counts),
        latency_s=grouped(record.latency_sum_ns) * 1e-9,
        histogram=grouped(every_bucket(record)),
        tries=grouped(record.tries),
        services={name: grouped(record.services[name]).astype(float) for name in SERVICE_COUNTERS.names},
        caches={name: grouped(record.caches[name].sum(axis=1)).astype(float) for name in CACHE_COUNTERS.names},
    )


def _side_by_side(parts: Sequence[Observed]) -> Observed:
    return Observed(
        seconds=parts[0].seconds,
        **{
            name: np.concatenate([getattr(part, name) for part in parts], axis=1)
            for name in ("outcomes", "latency_s", "histogram", "tries")
        },
        services={name: np.concatenate([part.services[name] for part in parts], axis=1) for name in parts[0].services},
        caches={name: np.concatenate([part.caches[name] for part in parts], axis=1) for name in parts[0].caches},
    )


# -- figures ---------------------------------------------------------------------------------------------------


def mean_latency(stream: int = 0) -> Figure:
    """Of requests answered ok."""
    return lambda seen: ratio(seen.latency_s[stream], seen.outcomes[stream, :, OK])


def p99_latency(seen: Observed) -> Estimate:
    """Of requests of the first stream answered ok."""
    return _quantile(seen.histogram[0], 0.99)


def share_rejected(seen: Observed) -> Estimate:
    """Requests that met a full queue."""
    return ratio(seen.outcomes[0, :, QUEUE_FULL], seen.outcomes[0].sum(axis=1))


def share_of(outcome: int) -> Figure:
    """Requests with that outcome."""
    return lambda seen: ratio(seen.outcomes[0, :, outcome], seen.outcomes[0].sum(axis=1))


def share_failed(seen: Observed) -> Estimate:
    """Requests not answered ok."""
    everything = seen.outcomes[0].sum(axis=1)
    return ratio(everything - seen.outcomes[0, :, OK], everything)


def tries_per_request(seen: Observed) -> Estimate:
    """Tries of application calls."""
    return ratio(seen.tries[0], seen.outcomes[0].sum(axis=1))


def per_request(counter: str, service: int) -> Figure:
    """A counter of a service, over requests."""
    return lambda seen: ratio(seen.services[counter][service], seen.outcomes[0].sum(axis=1))


def per_lookup(counter: str) -> Figure:
    """A counter of the first cache, over its lookups."""
    return lambda seen: ratio(seen.caches[counter][0], seen.caches["lookups"][0])


def age_of_writes(seen: Observed) -> Estimate:
    """Seconds since what the first cache answered became outdated, of such answers."""
    return ratio(seen.caches["outdated_ns"][0] * 1e-9, seen.caches["outdated"][0])


def share_waited(seen: Observed) -> Estimate:
    """Messages to the first service that waited for a slot."""
    return ratio(seen.services["waited"][0], seen.services["requests"][0])


def utilization(service: int = 0, cores: float = 1.0) -> Figure:
    """Busy cores over cores."""
    return lambda seen: _per_second(seen.services["busy_ns"][service] * 1e-9 / cores, seen.seconds)


def present(seen: Observed) -> Estimate:
    """Requests at the first service, on average over time."""
    return integral("in_system_ns", 0)(seen)


def integral(counter: str, service: int) -> Figure:
    """A sum of times, per time: how many there are on average (Little's law)."""
    return lambda seen: _per_second(seen.services[counter][service] * 1e-9, seen.seconds)


def _per_second(sums: Floats, seconds: float) -> Estimate:
    return ratio(sums, np.full(sums.shape, seconds))


def ratio(sums: npt.ArrayLike, counts: npt.ArrayLike) -> Estimate:
    """Ratio of two sums over groups."""
    y, x = np.asarray(sums, dtype=float), np.asarray(counts, dtype=float)
    value = y.sum() / x.sum()
    groups = len(y)
    error = math.sqrt(groups / (groups - 1) * float(np.sum((y - value * x) ** 2))) / x.sum()
    return Estimate(float(value), error, groups)


def _quantile(histogram: Ints, p: float) -> Estimate:
    used = np.flatnonzero(histogram.any(axis=0))
    edges = np.array([[lower_edge_ns(k), width_ns(k)] for k in used.tolist()]) * 1e-9
    value = _interpolated(histogram[:, used].sum(axis=0), edges, p)
    parts = np.array([_interpolated(group[used], edges, p) for group in histogram])
    groups = len(parts)
    return Estimate(value, math.sqrt(float(np.sum((parts - value) ** 2)) / (groups - 1) / groups), groups)


def _interpolated(counts: Ints, edges: Floats, p: float) -> float:
    """Quantile with the requests of a bucket, which is 1/512 of its value wide, spread evenly over it."""
    below = np.cumsum(counts)
    target = p * below[-1]
    place = int(np.searchsorted(below, target))
    low, width = edges[place]
    return float(low + width * (1.0 - (below[place] - target) / counts[place]))
