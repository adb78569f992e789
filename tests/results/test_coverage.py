"""Intervals of default runs (8 replications) hold the truth as often as they claim, and equal sides seldom differ."""

from __future__ import annotations

import math
from collections.abc import Callable

import numpy as np
import pytest
from queue_records import SERVICE_S, buckets
from scipy import stats

from meshsim.results.intervals import Statistic, difference, ratio
from meshsim.results.quantiles import Counted, quantile

RUNS, REPLICATIONS, REQUESTS, BATCHES, CUT = 200, 8, 9_000, 40, 4
UTILIZATION = 0.5
SIGMA = math.sqrt(math.log(1 + 3**2))  # lognormal works with a coefficient of variation of 3
WORKS = {
    "exponential": stats.expon(scale=SERVICE_S),
    "lognormal": stats.lognorm(SIGMA, scale=SERVICE_S * math.exp(-(SIGMA**2) / 2)),
}
DRAW: dict[str, Callable[[np.random.Generator, tuple[int, int]], np.ndarray]] = {
    "exponential": lambda rng, shape: rng.exponential(SERVICE_S, shape),
    "lognormal": lambda rng, shape: rng.lognormal(math.log(SERVICE_S) - SIGMA**2 / 2, SIGMA, shape),
}


def true_p99(works: str, step_s: float = 2e-4, steps: int = 2**19) -> float:
    """Pollaczek and Khinchine: the wait is a geometric number of equilibrium residual works; summed up by an FFT."""
    law = WORKS[works]
    edges = np.concatenate([[0.0], (np.arange(steps) + 0.5) * step_s])
    width = np.diff(edges)
    left = sum(law.sf(edges[:-1] + share * width) for share in (0.125, 0.375, 0.625, 0.875)) / 4
    work, residual = np.fft.rfft(np.diff(law.cdf(edges))), np.fft.rfft(left * width / law.mean())
    sojourn = np.fft.irfft(work * (1 - UTILIZATION) / (1 - UTILIZATION * residual), steps)
    return float(np.searchsorted(np.cumsum(sojourn), 0.99) * step_s)


def measure(rng: np.random.Generator, works: str) -> tuple[Statistic, Statistic]:
    """Mean and p99 of one run of `REPLICATIONS` queues that start empty."""
    rate, n, batches = UTILIZATION / SERVICE_S, int(REQUESTS * 1.05), BATCHES - CUT
    gaps, work = rng.exponential(1 / rate, (REPLICATIONS, n)), DRAW[works](rng, (REPLICATIONS, n))
    walk = np.zeros_like(gaps)
    np.cumsum(work[:, :-1] - gaps[:, 1:], axis=1, out=walk[:, 1:])
    latency = walk - np.minimum.accumulate(walk, axis=1) + work  # Lindley (1952)
    batch = (np.cumsum(gaps, axis=1) * rate / REQUESTS * BATCHES).astype(int) - CUT
    kept = (batch >= 0) & (batch < batches)
    cell, latency = (batch + batches * np.arange(REPLICATIONS)[:, None])[kept], latency[kept]
    shape = (REPLICATIONS, batches)
    counts, sums = (np.bincount(cell, weights=w, minlength=math.prod(shape)).reshape(shape) for w in (None, latency))
    return ratio(sums, counts), quantile(_counted(latency, cell, shape), 0.99)


def _counted(latency: np.ndarray, cell: np.ndarray, shape: tuple[int, int]) -> Counted:
    """Everything below the median is put into its bucket, to save time: no quantile above asks where it is."""
    found = buckets(np.round(np.maximum(latency, np.median(latency)) * 1e9).astype(np.int64))
    least = found.min()
    used = int(found.max() - least) + 1
    counts = np.bincount(cell * used + found - least, minlength=math.prod(shape) * used).reshape(*shape, used)
    return Counted(least + np.arange(used), counts, np.zeros(shape, np.int64))


@pytest.fixture(scope="module")
def measured() -> dict[str, list[tuple[Statistic, Statistic]]]:
    found = {}
    for works in WORKS:
        rng = np.random.default_rng(1)
        found[works] = [measure(rng, works) for _ in range(RUNS)]
    return found


def test_the_truth_of_exponential_works_is_the_closed_form() -> None:
    assert true_p99("exponential") == pytest.approx(math.log(100) * SERVICE_S / (1 - UTILIZATION), rel=0.003)


@pytest.mark.parametrize("works", WORKS)
def test_an_interval_of_p99_that_is_shown_holds_the_truth(measured, works: str) -> None:
    """Runs that are told to be too short do not count: whoever hides runs by their tail spoils those that are left."""
    truth = true_p99(works)
    shown = [p99.estimate for _, p99 in measured[works] if p99.estimate.low is not None]
    assert len(shown) >= 0.8 * RUNS
    hits = sum(one.low <= truth <= one.high for one in shown)
    assert 0.90 <= hits / len(shown) <= 0.99


@pytest.mark.parametrize("works", WORKS)
@pytest.mark.parametrize("statistic", [0, 1], ids=["mean", "p99"])
def test_independent_sides_of_the_same_queue_are_seldom_different(measured, works: str, statistic: int) -> None:
    """Each run against the one before it: 5 % may differ; with 200 pairs a true 5 % shows as at most 9 %."""
    runs = [run[statistic] for run in measured[works]]
    found = [difference(run, runs[number - 1]) for number, run in enumerate(runs)]
    assert sum(one.low is not None for one in found) >= 0.6 * RUNS
    assert sum(not one.includes_zero for one in found) <= 0.09 * RUNS
