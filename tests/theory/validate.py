"""Simulate every case at full length and write docs/validation.md.

    python tests/theory/validate.py [--only NAME …] [--jobs N]

`--only` takes part of a case's name (or `coverage`) and renews its rows alone. Exit code 1: a figure misses.
"""

from __future__ import annotations

import argparse
import sys
import time
from collections.abc import Sequence
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parents[1]))  # where `builders` is; pytest does the same

import catalogue
import interval_coverage
import observe
import page
from cases import Case

COVERAGE = "coverage"


def main(arguments: Sequence[str] | None = None) -> int:
    """Run what was asked for; after each case the page is up to date."""
    parser = argparse.ArgumentParser(description=__doc__.split("\n")[0])
    parser.add_argument("--only", action="append", default=[], metavar="NAME", help="part of a case's name; repeatable")
    parser.add_argument("--jobs", type=int, default=1, help="threads")
    options = parser.parse_args(arguments)
    chosen = [case for case in catalogue.CASES if wanted(case.name, options.only)]
    covering = wanted(COVERAGE, options.only)
    if not chosen and not covering:
        parser.error(f"no case is named {' or '.join(options.only)}")
    agreed = True
    for case in chosen:
        rows = simulate(case, options.jobs)
        agreed &= all(page.agrees(row) for row in rows)
        print(page.table(page.TheoryRow, rows).split("\n", 2)[2], flush=True)
        save(rows, [])
    if covering:
        measured = interval_coverage.measure(jobs=options.jobs)
        agreed &= all(page.covers(row) for row in measured)
        print(page.table(page.CoverageRow, measured), flush=True)
        save([], measured)
    return 0 if agreed else 1


def wanted(name: str, parts: Sequence[str]) -> bool:
    """Whether a name was asked for; all are when nothing was."""
    return not parts or any(part in name for part in parts)


def simulate(case: Case, jobs: int) -> list[page.TheoryRow]:
    """Rows of one case."""
    setting = case.setting()
    began = time.process_time()
    seen = observe.observe(setting.plane, case.seconds(setting), seed=case.seed, jobs=jobs)
    cpu_s = time.process_time() - began
    results = {name: (truth, figure(seen)) for name, (truth, figure) in setting.figures.items()}
    return page.theory_rows(case, results, cpu_s)


def save(theory: Sequence[page.TheoryRow], coverage: Sequence[page.CoverageRow]) -> None:
    """Put rows into the page, in the order of the catalogue and without those of cases that are no more."""
    fresh = {row.key: row for row in theory}  # all figures of their cases, in order
    known = {key: row for key, row in page.read(page.TheoryRow).items() if key not in fresh} | fresh
    told = page.read(page.CoverageRow) | {row.key: row for row in coverage}
    order = [(case.model.name, page.utilization_cell(case)) for case in catalogue.CASES]
    rows = [row for place in order for row in known.values() if row.key[:2] == place]
    page.write(rows, list(told.values()))


if __name__ == "__main__":
    sys.exit(main())
