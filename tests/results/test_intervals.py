"""Intervals against textbook formulas, and their coverage on queues whose mean and quantiles are known."""

from __future__ import annotations

import math

import numpy as np
import pytest
from queue_records import SERVICE_S, buckets, sojourns
from scipy import stats

from meshsim.results.intervals import (
    Estimate,
    Statistic,
    difference,
    factor,
    interval,
    merge_batches,
    per_batch,
    ratio,
    share,
    share_difference,
    spread,
)
from meshsim.results.quantiles import Counted, more_of, quantile, quantile_name, quantile_share

B, CUT = 40, 4


def counted(
    latency_s: np.ndarray, batch: np.ndarray, rows: tuple[int, int], above: np.ndarray | None = None
) -> Counted:
    found = buckets(np.round(latency_s * 1e9).astype(np.int64))
    number = np.flatnonzero(np.bincount(found))
    column = np.searchsorted(number, found)
    cells = rows[0] * rows[1]
    counts = np.bincount(batch * number.size + column, minlength=cells * number.size).reshape(*rows, number.size)
    return Counted(number, counts, np.zeros(rows, np.int64) if above is None else above)


def independent(seed: int, n: int = 20_000) -> tuple[np.ndarray, np.ndarray]:
    rng = np.random.default_rng(seed)
    return rng.exponential(0.01, n), rng.integers(0, B, n)


# -- points and formulas ---------------------------------------------------------------------------------------------


def test_what_is_never_negative_has_no_interval_below_zero() -> None:
    """Nothing is evicted until a cache is full: Willink's arm of so skewed batches would reach to -0.9."""
    late = [0.0] * 6 + [5.0, 0.0, 9.0, 1.0]
    found = per_batch([late], most=6.0).estimate
    free = interval(1.5, (np.array([late]) - 1.5) / 10, 10, 0.95)
    assert free.low is not None and free.low < 0.0 and free.high is not None and free.high > 6.0
    assert (found.value, found.low, found.high) == (1.5, 0.0, 6.0)
    signed = per_batch([[-1.0, 1.0, 0.5, -0.5]]).estimate
    assert signed.low is not None and signed.low < 0.0


def test_a_symmetric_mean_has_student_s_interval() -> None:
    half = np.random.default_rng(4).normal(5.0, 1.0, 20)
    values = np.array([half, 10.0 - half]).T.reshape(1, 40)  # neighbours mirror each other: not skewed
    estimate = per_batch(values).estimate
    low, high = stats.t.interval(0.95, 39, loc=values.mean(), scale=values.std(ddof=1) / math.sqrt(40))
    assert estimate.value == pytest.approx(values.mean())
    assert (estimate.low, estimate.high) == (pytest.approx(low), pytest.approx(high))


def test_a_skewed_mean_has_willink_s_interval() -> None:
    values = np.random.default_rng(7).permutation(np.arange(40.0) ** 2).reshape(1, 40)
    assert merge_batches(values - values.mean()).size == 40
    b = stats.skew(values[0], bias=False) / (6 * math.sqrt(40))
    t = stats.t.ppf(0.975, 39)
    lags = (values - values.mean())[0]
    r = max(0.0, float(lags[1:] @ lags[:-1] / (lags @ lags)))
    error = stats.sem(values[0]) * math.sqrt((1 + r) / (1 - r))
    arms = [((1 + 6 * b * (x - b)) ** (1 / 3) - 1) / (2 * b) for x in (t,)]
    arms.append(-(np.cbrt(1 + 6 * b * (-t - b)) - 1) / (2 * b))
    estimate = per_batch(values).estimate
    assert estimate.low == pytest.approx(values.mean() - arms[0] * error)
    assert estimate.high == pytest.approx(values.mean() + arms[1] * error)
    assert arms[1] > t > arms[0]  # rare high batches: the truth is more likely above than below


def test_a_ratio_of_proportional_sums_is_certain() -> None:
    counts = np.arange(1.0, 41.0).reshape(1, 40)
    estimate = ratio(3 * counts, counts).estimate
    assert (estimate.value, estimate.low, estimate.high) == (3.0, pytest.approx(3.0), pytest.approx(3.0))


def test_correlated_batches_are_merged_and_independent_ones_are_not() -> None:
    rng = np.random.default_rng(5)
    noise = rng.normal(size=(1, 40))
    slow = np.repeat(rng.normal(size=10), 4).reshape(1, 40)
    assert merge_batches(slow - slow.mean()).size == 10
    alternating = np.array([[1.0, -1.0] * 20])
    assert merge_batches(alternating).size == 40
    assert merge_batches(noise).sum() == pytest.approx(noise.sum())


def test_batches_of_two_replications_are_never_merged() -> None:
    rows = np.repeat([[1.0], [-1.0]], 40, axis=1)
    assert merge_batches(rows).shape == (2, 5)
    many = np.repeat(np.linspace(-1, 1, 20)[:, None], 8, axis=1)
    assert merge_batches(many).shape == (20, 1)


def test_one_batch_is_too_short() -> None:
    estimate = ratio(np.array([[5.0]]), np.array([[2.0]])).estimate
    assert (estimate.value, estimate.low, estimate.high) == (2.5, None, None)
    assert spread(np.zeros((1, 1))) is None
    assert ratio(np.zeros((1, 40)), np.zeros((1, 40))).estimate.value is None


def test_a_share_without_any_failure_has_the_exact_interval() -> None:
    counts = np.full((1, 40), 25)
    estimate = share(counts, counts).estimate
    low, high = stats.binomtest(1000, 1000).proportion_ci(0.95, "exact")
    assert (estimate.value, estimate.low, estimate.high) == (1.0, pytest.approx(low), high)
    few = counts.copy()
    few[0, 3] -= 4
    low, high = stats.binomtest(996, 1000).proportion_ci(0.95, "exact")
    estimate = share(few, counts).estimate
    assert estimate.low <= low + 1e-12
    assert estimate.high >= high - 1e-12
    assert 0 <= estimate.low <= estimate.high <= 1


def test_json_has_no_infinity() -> None:
    estimate = Estimate(math.inf, 0.1, math.inf, 10, "")
    assert estimate.to_dict() == {"value": None, "low": 0.1, "high": None}
    assert estimate.half is None


# -- quantiles -------------------------------------------------------------------------------------------------------


def test_the_quantile_of_independent_requests_is_numpy_s_with_a_binomial_interval() -> None:
    lengths = []
    for seed in range(40):
        latency, batch = independent(seed)
        estimate = quantile(counted(latency, batch, (1, B)), 0.95).estimate
        assert estimate.value == pytest.approx(np.quantile(latency, 0.95, method="inverted_cdf"), rel=0.001)
        ranks = stats.binom.ppf([0.025, 0.975], latency.size, 0.95).astype(int)
        exact = np.sort(latency)[ranks]
        lengths.append((estimate.high - estimate.low) / (exact[1] - exact[0]))
    # t with 39 degrees of freedom is 3 % longer than the normal, corrections for chance correlation some more
    assert 1.0 < np.mean(lengths) < 1.15


@pytest.mark.parametrize(("n", "p"), [(900, 0.99), (9_000, 0.999), (90, 0.9)])
def test_too_few_requests_beyond_the_quantile_give_no_interval(n: int, p: float) -> None:
    latency, batch = independent(2, n)
    estimate = quantile(counted(latency, batch, (1, B)), p).estimate
    assert estimate.value is not None
    assert (estimate.low, estimate.high) == (None, None)
    assert estimate.method.startswith(f"too short for {quantile_name(p)}: ")


def test_one_burst_is_not_enough_for_a_tail() -> None:
    batch = np.repeat(np.arange(B), 250)
    latency = np.where(batch == 7, 1.0, 0.01) + np.random.default_rng(3).random(batch.size) * 1e-3
    estimate = quantile(counted(latency, batch, (1, B)), 0.98).estimate
    assert estimate.value > 0.99
    assert estimate.low is None


@pytest.mark.parametrize(("apart", "advice"), [(True, "give more --replications"), (False, "make run.duration longer")])
def test_a_tail_is_told_what_would_make_it_longer(apart: bool, advice: str) -> None:
    """Slow requests in one replication of sixteen, or in two batches of forty of each."""
    rng, rows = np.random.default_rng(3), 16
    batch = np.repeat(np.arange(rows * B), 60)
    row, column = batch // B, batch % B
    slow = np.where(row == 7, rng.random(batch.size) < 0.3, False) if apart else (column + row) % 20 == 0
    latency = np.where(slow, rng.exponential(1.0, batch.size), 0.01) + rng.random(batch.size) * 1e-3
    estimate = quantile(counted(latency, batch, (rows, B)), 0.999).estimate
    assert estimate.low is None
    assert "needed" in estimate.method or "burst" in estimate.method
    assert more_of(estimate).startswith(advice)


def test_independent_replications_seldom_seem_to_differ() -> None:
    """At a level of 99 %, one of a hundred; here the tail itself is too thin for an interval."""
    told = []
    for seed in range(200):
        rng = np.random.default_rng(seed)
        burst = rng.random((8, B)) < 0.05  # a twentieth of the batches has all slow requests
        batch = np.repeat(np.arange(8 * B), 60)
        latency = np.where(burst.ravel()[batch], rng.exponential(1.0, batch.size), 0.01 + rng.random(batch.size) * 1e-3)
        estimate = quantile(counted(latency, batch, (8, B)), 0.999).estimate
        assert estimate.low is None
        told.append(more_of(estimate))
    assert told.count("give more --replications: a longer run.duration does not help") <= 6


def test_equal_latencies_are_certain_to_the_bucket() -> None:
    estimate = quantile(counted(np.full(4000, 0.01), np.arange(4000) % B, (1, B)), 0.99).estimate
    assert estimate.low <= 0.01 <= estimate.high
    assert estimate.high - estimate.low < 0.002 * 0.01


def test_a_quantile_among_failed_requests_is_infinite() -> None:
    latency, batch = independent(4)
    above = np.full((1, B), 20)  # 800 of 20,800: 3.8 %
    durations = counted(latency, batch, (1, B), above)
    assert quantile(durations, 0.99).estimate.value == math.inf
    p95 = quantile(durations, 0.95).estimate
    exact = np.quantile(np.concatenate([latency, np.full(800, math.inf)]), 0.95, method="inverted_cdf")
    assert p95.value == pytest.approx(exact, rel=0.001)


def test_names_of_quantiles() -> None:
    assert [quantile_name(p) for p in (0.5, 0.999, 0.9999)] == ["p50", "p99.9", "p99.99"]
    assert quantile_share("p99.9") == 0.999
    with pytest.raises(ValueError, match="p101"):
        quantile_share("p101")


# -- coverage --------------------------------------------------------------------------------------------------------


def measure(gaps: np.ndarray, works: np.ndarray, duration_s: float) -> tuple[Statistic, Statistic]:
    """Mean and p99 of a queue by this package."""
    latency, arrival = sojourns(gaps, works), np.cumsum(gaps)
    batch = (arrival / duration_s * B).astype(int) - CUT
    kept = (batch >= 0) & (batch < B - CUT)
    latency, batch = latency[kept], batch[kept]
    counts = np.bincount(batch, minlength=B - CUT)[None]
    sums = np.bincount(batch, weights=latency, minlength=B - CUT)[None]
    return ratio(sums, counts), quantile(counted(latency, batch, (1, B - CUT)), 0.99)


def test_intervals_cover_what_theory_says_as_often_as_they_claim() -> None:
    """M/M/1 at 0.8, 200 runs of 100,000 requests, and again with works 3 % longer (common random numbers).

    The sojourn is exponential with rate mu - lambda. With 200 runs a true coverage of 95 % shows as 91.0 to 98.5 % in
    99 of 100 seeds. Treating requests as independent covers a third of the time or less.
    """
    runs, n, utilization, slower = 200, 100_000, 0.8, 1.03
    means = [SERVICE_S * f / (1 - utilization * f) for f in (1.0, slower)]
    tails = [-math.log(0.01) * mean for mean in means]
    rate = utilization / SERVICE_S
    rng = np.random.default_rng(20)
    hits = dict.fromkeys(("mean", "p99", "mean difference", "p99 difference"), 0)
    reported = 0
    for _ in range(runs):
        gaps, works = rng.exponential(1 / rate, int(n * 1.05)), rng.exponential(SERVICE_S, int(n * 1.05))
        (mean, p99), (mean_b, p99_b) = (measure(gaps, works * f, n / rate) for f in (1.0, slower))
        hits["mean"] += covers(mean.estimate, means[0])
        hits["mean difference"] += covers(difference(mean_b, mean), means[1] - means[0])
        reported += p99.estimate.low is not None
        hits["p99"] += covers(p99.estimate, tails[0])
        hits["p99 difference"] += covers(difference(p99_b, p99), tails[1] - tails[0])
    assert reported >= 0.8 * runs
    for name, count in hits.items():
        assert 0.91 <= count / runs <= 0.99, (name, count)


def covers(estimate: Estimate, truth: float) -> bool:
    """A run that is told to be too short makes no claim, so it cannot be wrong."""
    return estimate.low is None or estimate.high is None or estimate.low <= truth <= estimate.high


# -- paired differences ----------------------------------------------------------------------------------------------


def test_common_random_numbers_shorten_the_interval_of_a_difference() -> None:
    rng = np.random.default_rng(8)
    rate, n = 0.6 / SERVICE_S, 60_000
    gaps, works = rng.exponential(1 / rate, n), rng.exponential(SERVICE_S, n)
    other = rng.exponential(SERVICE_S, n)
    (mean, p99), (mean_b, p99_b), (mean_c, p99_c) = (
        measure(gaps, w, n / rate / 1.05) for w in (works, works * 1.02, other * 1.02)
    )
    for paired, alone in (
        (difference(mean_b, mean), difference(mean_c, mean)),
        (difference(p99_b, p99), difference(p99_c, p99)),
    ):
        assert paired.half < 0.4 * alone.half
        assert not paired.includes_zero


def test_a_side_against_itself_differs_by_nothing() -> None:
    latency, batch = independent(6)
    side = quantile(counted(latency, batch, (1, B)), 0.99)
    found = difference(side, side)
    assert found.value == 0.0
    assert found.includes_zero
    assert found.half < 0.002 * side.estimate.value  # what the histogram may have rounded


def test_a_constant_shift_is_found_but_for_the_rounding_of_the_histogram() -> None:
    latency, batch = independent(7)
    a, b = (quantile(counted(x, batch, (1, B)), 0.9) for x in (latency, latency + 0.005))
    found = difference(b, a)
    assert found.low <= 0.005 <= found.high
    assert found.half < 0.3 * a.estimate.half


def test_a_difference_to_nothing_is_unknown() -> None:
    latency, batch = independent(9)
    known = quantile(counted(latency, batch, (1, B)), 0.9)
    empty = quantile(Counted(np.zeros(0, int), np.zeros((1, B, 0), int), np.zeros((1, B), int)), 0.9)
    assert difference(known, empty).value is None


def test_no_failures_on_either_side_are_not_certain_to_be_equal() -> None:
    counts = np.full((1, 40), 198)
    few = counts.copy()
    few[0, [3, 20]] -= 1
    none, two = share(counts, counts), share(few, counts)
    same = share_difference(none, none)
    assert same.low < 0 < same.high
    assert share_difference(two, none).includes_zero


@pytest.mark.parametrize("failing", [1e-4, 3e-4, 1e-3, 2e-3])
def test_sides_that_fail_equally_often_are_seldom_told_apart(failing: float) -> None:
    rng = np.random.default_rng(31)
    counts = np.full((8, 40), 198)
    runs = 400
    told = sum(
        not share_difference(*(share(counts - rng.binomial(counts, failing), counts) for _ in range(2))).includes_zero
        for _ in range(runs)
    )
    assert told <= 0.07 * runs


@pytest.mark.parametrize("replications", [4, 8])
def test_what_differs_between_replications_alone_makes_the_interval(replications: int) -> None:
    """Nothing is skewed here, so it is Student's interval of the replications' means."""
    scores = stats.norm.ppf((np.arange(1, replications + 1) - 0.5) / replications)
    within = stats.norm.ppf((np.arange(1, 41) - 0.5) / 40)
    rows = scores[:, None] + 0.1 * np.random.default_rng(13).permutation(within)
    estimate = per_batch(rows).estimate
    low, high = stats.t.interval(0.95, replications - 1, loc=rows.mean(), scale=stats.sem(rows.mean(axis=1)))
    assert (estimate.low, estimate.high) == pytest.approx((low, high), rel=0.01)


def test_few_replications_that_agree_by_chance_do_not_shorten_the_interval_of_the_batches() -> None:
    """Four rows with the same mean: their scatter says nothing, that of their batches does."""
    row = np.random.default_rng(14).normal(1.0, 0.1, 40)
    rows = np.array([np.roll(row, shift) for shift in (0, 7, 19, 31)])
    estimate = per_batch(rows).estimate
    assert estimate.half == pytest.approx(stats.t.ppf(0.975, 159) * row.std() / math.sqrt(159), rel=0.2)


def test_from_eight_replications_on_the_batches_do_not_lengthen_the_interval() -> None:
    """Replications that are more alike than their batches would have it are taken at their word."""
    rng = np.random.default_rng(15)
    rows = rng.normal(1.0, 0.5, (8, 40))
    rows += np.linspace(-0.1, 0.1, 8)[:, None] - rows.mean(axis=1, keepdims=True)
    estimate = per_batch(rows).estimate
    assert estimate.half == pytest.approx(stats.t.ppf(0.975, 7) * stats.sem(np.linspace(-0.1, 0.1, 8)), rel=0.05)


def test_a_factor_is_paired() -> None:
    """Batches that are slow on both sides cancel; the interval holds the ratio as often as it claims."""
    held, widths = [], []
    for seed in range(200):
        rng = np.random.default_rng(seed)
        common, own = rng.gamma(4.0, size=(8, 40)), rng.gamma(400.0, 1.0 / 400.0, size=(8, 40))
        one, other = (ratio(sums, np.ones_like(common)) for sums in (3.0 * common * own, common))
        found = factor(one, other)
        assert found.value is not None and found.low is not None and found.high is not None
        widths.append((found.high - found.low) / 2 / (one.estimate.half or 0.0))
        held.append(found.low < 3.0 < found.high)
    assert 0.91 < np.mean(held) < 0.985
    assert np.mean(widths) < 0.2
    turned = factor(other, one)
    assert turned.low == pytest.approx(1.0 / found.high) and turned.high == pytest.approx(1.0 / found.low)


def test_a_factor_needs_two_sides() -> None:
    zero, one = ratio([[0.0, 0.0]], [[1, 1]]), ratio([[1.0, 2.0]], [[1, 1]])
    assert factor(zero, one).value is None and factor(one, zero).method == "a side is zero"
    assert factor(ratio([[0.0]], [[0]]), one).value is None
    single = ratio([[3.0]], [[1]])
    assert factor(single, single) == Estimate(1.0, None, None, 1, "too short: a single batch")
