"""Confidence intervals from batches: means, ratios, shares, quantiles, and paired differences of all of them.

Every statistic is reduced to its *influence*: how far each batch of requests pulls it off its value. Influences add up
(to zero over all batches, to coarser batches when neighbours are merged, and side by side when two statistics that
come from the same random numbers are subtracted), so one function makes the intervals of everything.

- Ratio of sums: linearised, (Y_b - R X_b) / sum X. A mean over requests is one, for batches differ in size.
- Quantile: see `meshsim.results.quantiles`.
- Correlation: neighbouring batches of a replication are merged in pairs until their lag-1 autocorrelation is within
  its noise or `LEAST_BATCHES` are left, as in G. S. Fishman and L. S. Yarberry, "An implementation of the batch means
  method", INFORMS J. Computing 9 (1997). What is left widens the interval as for an autoregressive process.
- Replications: what is drawn once a run (which connection leads to which replica) scatters between replications alone,
  and no batch of one run shows it. From `ENOUGH_REPLICATIONS` on their totals alone make the interval: they are
  independent, so Student's t holds (A. M. Law, "Simulation Modeling and Analysis", 9.5.2, replication and deletion).
  With fewer their scatter is hardly known and may look far too small: then the interval is the longer of that and of
  the one from batches, and covers more often than it claims.
- Skewness: queues have bursts, so batches are skewed; the t statistic is adjusted as in R. Willink, "A confidence
  interval and test for the mean of an asymmetric distribution", Comm. Stat. Theory Meth. 34 (2005). Both corrections
  are those of A. Tafazzoli et al., "Performance of Skart", INFORMS J. Computing 23 (2011).
"""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import dataclass, replace
from typing import Final

import numpy as np
import numpy.typing as npt

Floats = npt.NDArray[np.float64]

ENOUGH_REPLICATIONS: Final = 8  # the default; a standard error from so many is known to 27 % (1 / sqrt(2 (n - 1)))
LEAST_BATCHES: Final = 10  # merging stops here: fewer make t quantiles long and the variance itself uncertain
LEAST_EXACT: Final = 10  # requests with a property, or without it: fewer need the exact interval of a share (assumed)
FEW_EVENTS: Final = 50  # the same for differences of shares, whose batches differ in a handful of requests (assumed)
_NOISE: Final = 1.0  # lag-1 autocorrelations up to this many standard errors count as none (assumed)
_HALVINGS: Final = 40  # of a step, until the end of an interval is found to its last digits
_LONGEST: Final = 700.0  # logarithm of the largest factor that is told: e to the 709 is no number
_STRONGEST: Final = 0.8  # autocorrelation beyond which the autoregressive correction explodes (assumed, as Skart)


@dataclass(frozen=True, slots=True)
class Estimate:
    """A number and how sure it is.

    Attributes
    ----------
    value
        The point; None when there was nothing to measure, ``inf`` for a latency that failed requests make infinite.
    low, high
        Ends of the confidence interval; both None when there is too little data for one.
    n
        Requests (or other observations) behind it.
    method
        How the interval was made, or why there is none.
    """

    value: float | None
    low: float | None
    high: float | None
    n: int
    method: str

    @property
    def half(self) -> float | None:
        """The longer arm of the interval: what the texts write after ±."""
        if self.value is None or self.low is None or self.high is None or math.isinf(self.value):
            return None
        return max(self.high - self.value, self.value - self.low)

    @property
    def relative_half(self) -> float | None:
        """`half` as a share of the value."""
        half = self.half
        return None if half is None or not self.value else half / abs(self.value)

    @property
    def includes_zero(self) -> bool:
        """Whether 0 is within the interval, or there is no interval to exclude it."""
        return self.low is None or self.high is None or self.low <= 0.0 <= self.high

    def within(self, least: float, most: float = math.inf) -> Estimate:
        """The same with its ends where the quantity ends: an interval of a share reaches no further than from 0 to 1.

        Few or very skewed batches (of a cache that evicts nothing until it is full) make arms that know nothing of it.
        """
        if self.low is None or self.high is None:
            return self
        return replace(self, low=min(max(self.low, least), most), high=max(min(self.high, most), least))

    def turned(self) -> Estimate:
        """The same seen from the other side: of what one adds, what it saves."""
        value, low, high = (None if end is None else -end for end in (self.value, self.high, self.low))
        return replace(self, value=value, low=low, high=high)

    def to_dict(self) -> dict[str, float | None]:
        """``{value, low, high}`` for JSON: what is unknown or infinite is null."""
        return {"value": finite(self.value), "low": finite(self.low), "high": finite(self.high)}


def finite(value: float | None) -> float | None:
    """The number, or None where JSON has no word for it (unknown, infinite)."""
    return None if value is None or not math.isfinite(value) else float(value)


@dataclass(frozen=True, slots=True, eq=False)
class Statistic:
    """An estimate with what a paired comparison needs to know about it.

    Attributes
    ----------
    estimate
        The value and its own interval.
    influence
        (replications, batches): how far each batch pulls the value; None when unknown.
    resolution
        By how much the value may be wrong because a histogram rounded it.
    hits
        Requests with the property, when the statistic is a share.
    """

    estimate: Estimate
    influence: Floats | None
    resolution: float = 0.0
    hits: int | None = None

    def by_replication(self) -> list[float] | None:
        """What each replication by itself says, linearised: the mean of these is the value. None when unknown."""
        value = self.estimate.value
        if self.influence is None or value is None or not math.isfinite(value):
            return None
        parts: list[float] = (value + self.influence.shape[0] * self.influence.sum(axis=1)).tolist()
        return parts


Sides = tuple[Statistic, Statistic]  # what is compared, and its baseline


@dataclass(frozen=True, slots=True)
class Spread:
    """How far a statistic scatters.

    Attributes
    ----------
    error, batches, skewness
        Standard error from batches, over how many, and the skewness of these.
    between, replications
        Standard error from the totals of the replications, over how many; 0 when there is one.
    """

    error: float
    batches: int
    skewness: float
    between: float = 0.0
    replications: int = 1

    def t_error(self, level: float) -> float:
        """Half of Student's interval, the longer one."""
        return max(self._t_batches(level) * self.error, self._t_replications(level) * self.between)

    def arms(self, level: float) -> tuple[float, float]:
        """Lengths of the interval below and above the value (Willink 2005; Student's t where nothing is skewed)."""
        b = self.skewness / (6 * math.sqrt(self.batches))  # of the value, however it is cut into parts
        if self.replications >= ENOUGH_REPLICATIONS:
            t = self._t_replications(level)
            return _willink(t, b) * self.between, -_willink(-t, b) * self.between
        t, between = self._t_batches(level), self._t_replications(level) * self.between
        return max(between, _willink(t, b) * self.error), max(between, -_willink(-t, b) * self.error)

    @property
    def method(self) -> str:
        """What the interval was made from."""
        several = f" in {self.replications} replications" if self.replications > 1 else ""
        return f"{self.batches} batches{several}"

    def _t_batches(self, level: float) -> float:
        return t_quantile(0.5 + level / 2, self.batches - 1)

    def _t_replications(self, level: float) -> float:
        return t_quantile(0.5 + level / 2, self.replications - 1) if self.replications > 1 else 0.0


def _willink(t: float, b: float) -> float:
    if abs(b) < 1e-6:
        return t
    return (math.cbrt(1 + 6 * b * (t - b)) - 1) / (2 * b)


def t_quantile(p: float, df: int) -> float:
    """Quantile of Student's t distribution."""
    from scipy.special import stdtrit  # scipy.stats would take seconds to load

    return float(stdtrit(df, p))


def spread(influence: Floats) -> Spread | None:
    """Scatter of the sum of influences; None for fewer than two batches.

    Parameters
    ----------
    influence
        (replications, batches); rows are independent, neighbours in a row may be correlated.
    """
    merged = merge_batches(influence)
    m = merged.size
    if m < 2:
        return None
    rows = influence.shape[0]
    between = math.sqrt(rows / (rows - 1) * float(np.sum(influence.sum(axis=1) ** 2))) if rows > 1 else 0.0
    squares = float(np.sum(merged**2))
    if squares == 0.0:
        return Spread(0.0, m, 0.0, between, rows)
    r = min(max(0.0, _lag_1(merged)), _STRONGEST)
    error = math.sqrt(m / (m - 1) * squares * (1 + r) / (1 - r))
    skewness = float(np.sum(merged**3)) / m / (squares / m) ** 1.5
    unbiased = skewness * math.sqrt(m * (m - 1)) / (m - 2) if m > 2 else 0.0
    return Spread(error, m, unbiased, between, rows)


def merge_batches(influence: Floats) -> Floats:
    """Merge neighbouring batches until they are hardly correlated or `LEAST_BATCHES` are left in all."""
    pieces = influence.shape[1]
    merged = influence
    while pieces >= 2:
        noise = _NOISE / math.sqrt(merged.size)
        if _lag_1(merged) <= noise or influence.shape[0] * (pieces // 2) < LEAST_BATCHES:
            break
        pieces //= 2
        merged = np.stack([part.sum(axis=1) for part in np.array_split(influence, pieces, axis=1)], axis=1)
    return merged


def _lag_1(influence: Floats) -> float:
    """Autocorrelation of neighbours, pooled over replications (their common mean is 0)."""
    squares = float(np.sum(influence**2))
    return float(np.sum(influence[:, 1:] * influence[:, :-1])) / squares if squares > 0 else 0.0


def ratio(
    sums: npt.ArrayLike, counts: npt.ArrayLike, *, level: float = 0.95, scale: float = 1.0, most: float = math.inf
) -> Statistic:
    """Ratio of two sums over batches, such as a mean over requests. Of what is never negative, no interval is.

    Parameters
    ----------
    sums, counts
        (replications, batches) each.
    level
        Confidence, e.g. 0.95.
    scale
        Factor on the ratio, e.g. 1e-9 from nanoseconds to seconds.
    most
        What the ratio cannot exceed: 1 of a share, the capacity of what is held.
    """
    y, x = np.asarray(sums, dtype=np.float64), np.asarray(counts, dtype=np.float64)
    n = int(x.sum())
    if x.sum() <= 0:
        return Statistic(Estimate(None, None, None, 0, "nothing to measure"), None)
    value = float(y.sum() / x.sum())
    influence = (y - value * x) / x.sum() * scale
    least = 0.0 if np.all(y >= 0) and np.all(x >= 0) else -math.inf
    return Statistic(interval(value * scale, influence, n, level).within(least, most), influence)


def per_batch(values: npt.ArrayLike, *, level: float = 0.95, most: float = math.inf) -> Statistic:
    """Mean of a quantity that every batch has once, such as cores in use; `most` as of `ratio`."""
    y = np.asarray(values, dtype=np.float64)
    return ratio(y, np.ones_like(y), level=level, most=most)


def interval(value: float, influence: Floats, n: int, level: float, resolution: float = 0.0) -> Estimate:
    """Estimate of a value from its influence; `resolution` is added to both arms."""
    scatter = spread(influence)
    if scatter is None:
        return Estimate(value, None, None, n, "too short: a single batch")
    below, above = scatter.arms(level)
    return Estimate(value, value - below - resolution, value + above + resolution, n, scatter.method)


def share(
    hits: npt.ArrayLike, counts: npt.ArrayLike, *, level: float = 0.95, independent: float = math.inf
) -> Statistic:
    """Share of requests with a property, such as availability; the interval stays within [0, 1].

    When fewer than `LEAST_EXACT` requests have it, or lack it, batches cannot tell how rare that is (none at all
    would give an interval of no length): then the interval is widened to the exact one for independent requests
    (C. J. Clopper and E. S. Pearson, Biometrika 26, 1934). `independent` is how many of those the requests are worth
    at most: requests of one burst share their fate, and counting each would make an interval far too short.
    """
    statistic = ratio(hits, counts, level=level)
    if statistic.estimate.value is None or statistic.influence is None:
        return statistic
    k = int(np.sum(hits))
    estimate = _share_estimate(statistic.influence, k, statistic.estimate.n, level, independent=independent)
    return Statistic(estimate, statistic.influence, 0.0, k)


def _share_estimate(
    influence: Floats, k: int, n: int, level: float, least: int = LEAST_EXACT, independent: float = math.inf
) -> Estimate:
    estimate = interval(k / n, influence, n, level).within(0.0, 1.0)
    if estimate.low is None or estimate.high is None:
        return estimate
    low, high, method = estimate.low, estimate.high, estimate.method
    if min(k, n - k) < least:
        worth = min(1.0, independent / n)
        exact = _clopper_pearson(k * worth, n * worth, level)
        low, high, method = min(low, exact[0]), max(high, exact[1]), f"{method}, Clopper-Pearson"
    return Estimate(k / n, low, high, n, method)


def _clopper_pearson(k: float, n: float, level: float) -> tuple[float, float]:
    from scipy.special import betaincinv

    tail = (1 - level) / 2
    low = float(betaincinv(k, n - k + 1, tail)) if k > 0 else 0.0
    high = float(betaincinv(k + 1, n - k, 1 - tail)) if k < n else 1.0
    return low, high


def difference(side: Statistic, baseline: Statistic, *, level: float = 0.95) -> Estimate:
    """Paired difference ``side - baseline`` of two statistics over the same batches.

    Both sides met the same arrivals and demands (common random numbers), so their batches rise and fall together;
    subtracting influences batch by batch lets this cancel, and the interval is shorter than the two single ones
    would allow.
    """
    a, b = baseline.estimate.value, side.estimate.value
    n = min(side.estimate.n, baseline.estimate.n)
    if a is None or b is None or not (math.isfinite(a) and math.isfinite(b)):
        return Estimate(None, None, None, n, "a side has no finite value")
    left, right = side.influence, baseline.influence
    if left is None or right is None:
        return Estimate(b - a, None, None, n, next(s.estimate.method for s in (side, baseline) if s.influence is None))
    estimate = interval(b - a, left - right, n, level, side.resolution + baseline.resolution)
    return Estimate(estimate.value, estimate.low, estimate.high, n, f"paired, {estimate.method}")


def factor(side: Statistic, baseline: Statistic, *, level: float = 0.95) -> Estimate:
    """Paired ratio ``side / baseline`` of two positive statistics over the same batches, such as latencies.

    The interval is that of the difference of logarithms, whose influences are relative: what both sides have in common
    cancels as in `difference`, and no end is ever negative.

    Examples
    --------
    >>> one, other = ratio([[2.0, 4.0, 6.0]], [[1, 1, 1]]), ratio([[1.0, 2.0, 3.0]], [[1, 1, 1]])
    >>> twice = factor(one, other)
    >>> round(twice.value, 9), round(twice.low, 9), round(twice.high, 9)
    (2.0, 2.0, 2.0)
    """
    a, b = baseline.estimate.value, side.estimate.value
    n = min(side.estimate.n, baseline.estimate.n)
    if a is None or b is None or not (math.isfinite(a) and math.isfinite(b)):
        return Estimate(None, None, None, n, "a side has no finite value")
    if a <= 0.0 or b <= 0.0:
        return Estimate(None, None, None, n, "a side is zero")
    left, right = side.influence, baseline.influence
    if left is None or right is None:
        return Estimate(b / a, None, None, n, next(s.estimate.method for s in (side, baseline) if s.influence is None))
    resolution = side.resolution / b + baseline.resolution / a
    logs = interval(math.log(b / a), left / b - right / a, n, level, resolution)
    if logs.low is None or logs.high is None:
        return Estimate(b / a, None, None, n, logs.method)
    low, high = math.exp(logs.low), math.exp(min(logs.high, _LONGEST))
    return Estimate(b / a, low, high, n, f"paired, {logs.method}")


def quotient(over: Sides, under: Sides, *, level: float = 0.95) -> Estimate:
    """Quotient of two paired differences, such as what memory grows by for what a hit ratio grows by.

    Its interval holds every r for which ``over - r * under`` cannot be told from zero (E. C. Fieller, "Some problems in
    interval estimation", J. R. Statist. Soc. B 16, 1954): right also where `under` is hardly known. Where that may be
    zero, there is no value, and no end above.

    Parameters
    ----------
    over, under
        Each the side and its baseline; all over the same batches. `under` must not be surely negative.
    level
        Confidence.
    """
    top, bottom = (difference(*sides, level=level) for sides in (over, under))
    n = min(top.n, bottom.n)
    if top.value is None or bottom.value is None or top.low is None or bottom.low is None or bottom.high is None:
        why = next((one.method for one in (top, bottom) if one.low is None), "")
        return Estimate(None, None, None, n, why)
    a, b = (_pull(sides) for sides in (over, under))
    middle, rest = top.value, bottom.value

    def ends(r: float) -> tuple[float, float]:
        """Of the interval of ``over - r * under``."""
        found = interval(middle - r * rest, a - r * b, n, level)
        assert found.low is not None and found.high is not None
        return found.low, found.high

    if bottom.low <= 0.0:
        known = top.low > 0.0 and bottom.high > 0.0
        least = _crossing(lambda r: -ends(r)[0], 0.0, middle / bottom.high) if known else None
        return Estimate(None, least, math.inf, n, "what it is divided by may be zero")
    value = middle / rest
    step = max(abs(value), (top.half or 0.0) / rest)
    low = _crossing(lambda r: ends(r)[0], value, -step)
    high = _crossing(lambda r: -ends(r)[1], value, step)
    return Estimate(value, low, high, n, f"paired, Fieller, {top.method}")


def _pull(sides: Sides) -> Floats:
    """Influence of a difference."""
    left, right = (statistic.influence for statistic in sides)
    assert left is not None and right is not None
    return left - right


def _crossing(of: Callable[[float], float], start: float, step: float) -> float:
    """Where a function that is not positive at the start becomes positive in the direction of the step."""
    if step == 0.0:
        return start
    inner, outer = start, start + step
    while of(outer) <= 0.0:
        step *= 2
        inner, outer = outer, outer + step
    for _ in range(_HALVINGS):
        middle = (inner + outer) / 2
        inner, outer = (middle, outer) if of(middle) <= 0.0 else (inner, middle)
    return (inner + outer) / 2


def share_difference(side: Statistic, baseline: Statistic, *, level: float = 0.95) -> Estimate:
    """Paired difference of two shares, such as availabilities; 0 of n against 0 of n is not certain to be equal.

    When a side has fewer than `FEW_EVENTS` requests with the property, or without it, batches cannot tell how much
    chance there is in their difference: then the interval is widened to the hybrid of the two sides' own intervals
    (R. G. Newcombe, "Interval estimation for the difference between independent proportions", Statistics in Medicine
    17, 1998, method 10, here with exact intervals). It takes the sides as independent; common random numbers make
    that cautious.
    """
    paired = difference(side, baseline, level=level)
    few = any(s.hits is not None and min(s.hits, s.estimate.n - s.hits) < FEW_EVENTS for s in (side, baseline))
    if paired.value is None or paired.low is None or paired.high is None or not few:
        return paired
    (below, above), (base_below, base_above) = (_share_arms(one, level) for one in (side, baseline))
    low = paired.value - math.hypot(below, base_above)
    high = paired.value + math.hypot(above, base_below)
    return Estimate(paired.value, min(paired.low, low), max(paired.high, high), paired.n, f"{paired.method}, Newcombe")


def _share_arms(statistic: Statistic, level: float) -> tuple[float, float]:
    """Lengths of a share's interval below and above it, widened to the exact one."""
    assert statistic.influence is not None and statistic.hits is not None
    estimate = _share_estimate(statistic.influence, statistic.hits, statistic.estimate.n, level, FEW_EVENTS)
    assert estimate.value is not None and estimate.low is not None and estimate.high is not None
    return estimate.value - estimate.low, estimate.high - estimate.value
