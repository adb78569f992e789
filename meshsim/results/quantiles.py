"""Quantiles of latencies with intervals, from histograms by batch.

The share of requests slower than the quantile is a ratio of sums over batches, so its interval is that of a ratio; it
is carried over to durations through the histogram of all requests. R. R. Bahadur, "A note on quantiles in large
samples", Ann. Math. Stat. 37 (1966), for dependent requests P. K. Sen, "On the Bahadur representation of sample
quantiles for sequences of φ-mixing random variables", J. Multivariate Analysis 2 (1972).
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import Final

import numpy as np
import numpy.typing as npt

from meshsim.results import histogram
from meshsim.results.intervals import ENOUGH_REPLICATIONS, Estimate, Floats, Spread, Statistic, spread

Ints = npt.NDArray[np.int64]

LEAST_BEYOND: Final = 10  # requests expected beyond a quantile: fewer say nothing about it
LEAST_BURSTS: Final = 10  # of those, as many as if they were independent (assumed; coverage falls off below)
_ONE_BURST: Final = 2.0  # Student's half, of the share itself: only when nearly all came in one batch or replication
_COMMON: Final = 0.1  # share of requests that tells reliably how far slow requests come in bursts (assumed)
_SURE: Final = 0.99  # that replications differ by more than their batches explain (Fisher's F test)
_DIFFER: Final = "; replications differ"  # ends why there is no interval, where a longer run tells no more


@dataclass(frozen=True, slots=True, eq=False)
class Counted:
    """Durations counted by bucket and batch.

    Attributes
    ----------
    buckets
        (k,) numbers of the buckets, ascending.
    counts
        (replications, batches, k).
    above
        (replications, batches) of requests that are infinitely slow.
    bits
        Which histogram the buckets are of.
    """

    buckets: Ints
    counts: Ints
    above: Ints
    bits: int = histogram.FINE_BITS

    @property
    def n(self) -> int:
        """All observations."""
        return int(self.counts.sum() + self.above.sum())


def quantile(counted: Counted, p: float, *, level: float = 0.95) -> Statistic:
    """Quantile of durations, in seconds.

    The interval of the share of slower requests is taken on a logarithmic scale, since that share is positive and
    scatters by factors. There is no interval (too short) when fewer than `LEAST_BEYOND` requests are expected beyond
    the quantile, when these are worth fewer than `LEAST_BURSTS` independent ones, or when all came in one burst. Hardly
    anything of that looks at how the tail itself turned out: runs that hide a bad tail would make those that are shown
    look surer than they are.

    Parameters
    ----------
    counted
        What was measured.
    p
        Between 0 and 1, e.g. 0.99.
    level
        Confidence.
    """
    below = np.cumsum(counted.counts.sum(axis=(0, 1)))
    n = counted.n
    if n == 0:
        return Statistic(Estimate(None, None, None, 0, "nothing to measure"), None)
    position = _position(below, p, n)
    value = _edge_s(counted, position, "middle")
    slower = _slower_influence(counted, position, n)
    scatter = spread(slower)
    why = "a single batch" if scatter is None else _too_little(counted, below, p, scatter, level)
    if scatter is None or why:
        return Statistic(Estimate(value, None, None, n, f"too short for {quantile_name(p)}: {why}"), None)
    estimate = _estimate(counted, below, p, value, scatter, level)
    if estimate.high is None or math.isinf(estimate.high):
        return Statistic(estimate, None)
    slope = _slope(counted, below, 1 - p, n)
    if math.isinf(slope):  # failed requests are within the window
        return Statistic(estimate, None)
    return Statistic(estimate, slower * slope, _edge_s(counted, position, "high") - value)


def _estimate(counted: Counted, below: Ints, p: float, value: float, scatter: Spread, level: float) -> Estimate:
    """Interval of the share of slower requests, read as durations: the more of them, the longer the quantile."""
    n = counted.n
    less, more = (arm / (1 - p) for arm in scatter.arms(level))
    low = _edge_s(counted, _position(below, 1 - (1 - p) * math.exp(less), n), "low")
    high = _edge_s(counted, _position(below, 1 - (1 - p) * math.exp(-more), n), "high")
    return Estimate(value, low, high, n, scatter.method)


def _too_little(counted: Counted, below: Ints, p: float, scatter: Spread, level: float) -> str:
    """Why there is too little data for an interval; empty when there is enough."""
    n = counted.n
    if n * (1 - p) < LEAST_BEYOND:
        return f"{n * (1 - p):.2g} of {n} requests expected beyond it, {LEAST_BEYOND} needed"
    independent = _independent(counted, below, min(p, 1 - _COMMON)) * (1 - p)
    if independent < LEAST_BURSTS:
        why = f"the slowest of {n} requests are worth {independent:.2g} independent ones, {LEAST_BURSTS} needed"
    elif scatter.t_error(level) >= _ONE_BURST * (1 - p):
        why = "slow requests came in a single burst"
    else:
        return ""
    return why + _DIFFER * _replications_differ(counted, below)


def independent(counted: Counted) -> float:
    """How many independent requests these are worth, by how far their slowest tenth comes in bursts.

    Or in some replications rather than in others, where enough of them show that: what is drawn once a run is shared
    by all of its requests.
    """
    below = np.cumsum(counted.counts.sum(axis=(0, 1)))
    return _independent(counted, below, 1 - _COMMON, by_replication=True) if counted.n else 0.0


def _independent(counted: Counted, below: Ints, p: float, *, by_replication: bool = False) -> float:
    """How many independent requests would tell the share beyond the `p` quantile as well as these do.

    Asked at a common quantile: at a rare one the answer itself is too uncertain to decide by, and those runs would be
    chosen whose scatter happens to look small.
    """
    n = counted.n
    position = _position(below, p, n)
    scatter = spread(_slower_influence(counted, position, n))
    if below.size == 0:  # none of them was ever answered
        return float(n)
    share = 1 - float(below[min(position, below.size - 1)]) / n
    if scatter is None or scatter.error == 0.0:
        return float(n)
    between = scatter.between if by_replication and scatter.replications >= ENOUGH_REPLICATIONS else 0.0
    return min(float(n), share * (1 - share) / max(scatter.error, between) ** 2)


def _replications_differ(counted: Counted, below: Ints) -> bool:
    """Whether replications have more or fewer slow requests than the scatter within them explains.

    Then something is drawn once a replication, such as which replica a connection leads to, and only more of them show
    how it turns out otherwise. Asked at a common quantile, as `_independent`.
    """
    influence = _slower_influence(counted, _position(below, 1 - _COMMON, counted.n), counted.n)
    rows = influence.shape[0]
    within, all_of_it = spread(influence - influence.mean(axis=1, keepdims=True)), spread(influence)
    if within is None or all_of_it is None or rows < 2 or within.batches <= rows:
        return False
    from scipy.special import fdtri  # scipy.stats would take seconds to load

    limit = float(fdtri(rows - 1, within.batches - rows, _SURE))
    return all_of_it.between**2 > limit * within.error**2


def more_of(estimate: Estimate) -> str:
    """What to do about a latency that has no interval.

    Examples
    --------
    >>> more_of(Estimate(0.1, None, None, 9, "too short for p99: a single batch"))
    'make run.duration longer'
    """
    if estimate.method.endswith(_DIFFER):
        return "give more --replications: a longer run.duration does not help"
    return "make run.duration longer"


def _slower_influence(counted: Counted, position: int, n: int) -> Floats:
    """Influence of each batch on the share of requests slower than the bucket at `position`."""
    slower = (counted.counts[:, :, position + 1 :].sum(axis=2) + counted.above).astype(np.float64)
    per = (counted.counts.sum(axis=2) + counted.above).astype(np.float64)
    influence: Floats = (slower - slower.sum() / n * per) / n
    return influence


def _position(below: Ints, p: float, n: int) -> int:
    return int(np.searchsorted(below, histogram.rank(p, n)))


def _slope(counted: Counted, below: Ints, beyond: float, n: int) -> float:
    """Seconds by which the quantile rises per share of slower requests.

    The secant between twice and half that share, over its logarithm, in which tails of queues are nearly straight
    (J. F. C. Kingman, "A martingale inequality in the theory of queues", 1964). A fixed, wide window depends on chance
    less than a density at the point does, and what chance there is would not cancel between two sides.
    """
    wide, narrow = min(1.0, 2 * beyond), beyond / 2
    slowest = _edge_s(counted, _position(below, 1 - narrow, n), "middle")
    fastest = _edge_s(counted, _position(below, 1 - wide, n), "middle")
    return (slowest - fastest) / (math.log(wide / narrow) * beyond) if math.isfinite(slowest) else math.inf


def _edge_s(counted: Counted, position: int, edge: str) -> float:
    """Duration of the bucket at a position in seconds; ``inf`` beyond the last one."""
    if position >= counted.buckets.size:
        return math.inf
    number = int(counted.buckets[position])
    middle = histogram.value_ns(number, bits=counted.bits)
    arm = (histogram.width_ns(number, bits=counted.bits) - 1) / 2
    return (middle + {"low": -arm, "middle": 0.0, "high": arm}[edge]) * 1e-9


def quantile_name(p: float) -> str:
    """``p99.9`` for 0.999."""
    return f"p{round(p * 100, 10):g}"


def quantile_share(name: str) -> float:
    """0.999 for ``p99.9``; ValueError when the text is no quantile between p0 and p100."""
    if not name.startswith("p"):
        raise ValueError(f"{name!r} is no quantile; write e.g. p99 or p99.9")
    p = round(float(name[1:]) / 100, 12)
    if not 0 < p < 1:
        raise ValueError(f"{name!r} is not between p0 and p100")
    return p
