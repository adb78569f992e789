"""Intervals of figures, held against scipy's and against how often they must hold the truth."""

from __future__ import annotations

import math

import numpy as np
import pytest
from scipy import stats

from meshsim.lab import compare
from meshsim.lab.figures import BATCHES, LEVEL, Figure, figure


def test_several_runs_have_students_interval_over_their_means() -> None:
    runs = np.random.default_rng(1).exponential(3.0, (12, 400))
    found = figure(list(runs), share=False)
    low, high = stats.t.interval(LEVEL, 11, loc=runs.mean(), scale=stats.sem(runs.mean(axis=1)))
    assert (found.value - found.half, found.value + found.half) == pytest.approx((low, high))


def test_one_run_is_cut_into_batches() -> None:
    run = np.random.default_rng(2).exponential(3.0, 4000)
    assert figure([run], share=False) == figure(np.split(run, BATCHES), share=False)


@pytest.mark.parametrize(("hits", "of"), [(0, 200), (200, 200), (3, 150)])
def test_a_share_is_never_surer_than_wilson(hits: int, of: int) -> None:
    low, high = stats.binomtest(hits, of).proportion_ci(LEVEL, method="wilson")
    found = figure([[1.0] * hits + [0.0] * (of - hits)], share=True)
    assert found.half >= max(hits / of - low, high - hits / of) - 1e-12
    if hits in (0, of):
        assert found.half == pytest.approx(high - low)


@pytest.mark.parametrize(("share", "draw"), [(True, lambda r: r.random(1000) < 0.2), (False, lambda r: r.random(1000))])
def test_intervals_hold_the_truth_as_often_as_they_say(share: bool, draw) -> None:
    random = np.random.default_rng(3)
    truth = 0.2 if share else 0.5
    found = [figure([draw(random).astype(float)], share=share) for _ in range(2000)]
    held = sum(abs(one.value - truth) <= one.half for one in found)
    assert held >= stats.binom.ppf(1e-4, 2000, LEVEL)
    if not share:  # nor much oftener: those of shares are the wider of two
        assert held <= 1999


def test_dependent_values_make_wider_intervals() -> None:
    """An on-off process, whose neighbours are alike: a binomial interval would be far too short."""
    random = np.random.default_rng(4)
    on_off = np.repeat(random.random(80) < 0.5, 25).astype(float)
    assert figure([on_off], share=True).half > 2 * stats.norm.ppf((1 + LEVEL) / 2) * 0.5 / math.sqrt(on_off.size)


def test_nothing_to_read_agrees_with_nothing() -> None:
    row = compare.row("s", "q", Figure(math.nan, math.inf, 0), Figure(1.0, 0.1, 10), 0.0, None)
    assert (row.real, row.agree, row.low) == (None, False, None)
    assert figure([], share=True).values == 0


def test_agreement_is_lying_between_low_and_high() -> None:
    real, simulated = Figure(0.50, 0.03, 100), Figure(0.55, 0.04, 100)
    row = compare.row("s", "q", real, simulated, 0.0, 0.5)
    assert (row.low, row.high) == pytest.approx((0.50, 0.60))
    assert row.agree
    assert not compare.row("s", "q", Figure(0.49, 0.03, 100), simulated, 0.0, 0.5).agree
    assert compare.row("s", "q", Figure(0.49, 0.03, 100), simulated, 0.02, 0.5).agree


def test_figures_of_one_distribution_agree_and_of_others_do_not() -> None:
    """The comparison's own error rate: 0.99 of the pairs of equal shares agree, none of those 0.15 apart."""
    random = np.random.default_rng(5)

    def agree(p: float, q: float) -> bool:
        real = figure([(random.random(1500) < p).astype(float)], share=True)
        simulated = figure([(random.random(1500) < q).astype(float) for _ in range(20)], share=True)
        return compare.row("s", "q", real, simulated, 0.0, None).agree

    assert sum(agree(0.7, 0.7) for _ in range(400)) >= stats.binom.ppf(1e-4, 400, LEVEL)
    assert not any(agree(0.7, 0.85) for _ in range(50))
