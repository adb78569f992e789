"""The cases of docs/validation.md: a short run of each on both engines, and that the page is in step with them."""

from __future__ import annotations

import interval_coverage
import observe
import page
import pytest
from builders import run
from cases import Case, tolerance
from catalogue import CASES

SHARE, REPLICATIONS = 0.1, 2  # of the full length, which shows errors of some percent
BOTH = 50  # the simpy engine takes part in so small a part of that
SHORT = [case for case in CASES if case.utilization in (None, 0.5)]


@pytest.mark.parametrize("case", SHORT, ids=lambda case: case.name)
def test_a_short_run_agrees_with_theory(case: Case) -> None:
    """Within four standard errors, of which each is at most the tolerance of the full length."""
    setting = case.setting()
    seconds = SHARE * case.seconds(setting) * observe.REPLICATIONS / REPLICATIONS
    run(setting.plane, seconds / BOTH, seed=case.seed)
    seen = observe.observe(setting.plane, seconds, seed=case.seed, replications=REPLICATIONS)
    for name, (truth, figure) in setting.figures.items():
        found = figure(seen)
        assert found.error <= tolerance(name) * truth, f"{name}: too noisy, ± {found.half:.3g} of {truth:.4g}"
        z = (found.value - truth) / found.error
        assert abs(z) < 4.0, f"{name}: {found.value:.5g} against {truth:.5g}, z = {z:.2f}"


@pytest.mark.parametrize("case", CASES, ids=lambda case: case.name)
def test_the_page_tells_every_figure_and_that_it_agrees(case: Case) -> None:
    told = page.read(page.TheoryRow)
    for name, (truth, _) in case.setting().figures.items():
        row = told[case.model.name, page.utilization_cell(case), name]
        assert float(row.theory) == pytest.approx(truth, rel=1e-5)
        assert (row.requests, row.source) == (f"{case.requests:.3g}", case.model.source)
        assert row.verdict == page.AGREES
        assert page.agrees(row)
        assert float(row.difference) == pytest.approx(100.0 * (float(row.simulated) / truth - 1.0), abs=2e-3)


def test_the_page_tells_nothing_else() -> None:
    figures = {(c.model.name, page.utilization_cell(c), name) for c in CASES for name in c.setting().figures}
    assert set(page.read(page.TheoryRow)) == figures


def test_the_page_tells_the_coverage_of_every_interval_and_that_it_is_as_claimed() -> None:
    told = page.read(page.CoverageRow)
    truths = {(model, q.name): q.truth for model, group in interval_coverage.groups().items() for q in group}
    assert {key: float(row.truth) for key, row in told.items()} == pytest.approx(truths, rel=1e-5)
    for row in told.values():
        assert row.runs == str(interval_coverage.RUNS)
        assert row.verdict == interval_coverage.AGREES
        assert page.covers(row)
