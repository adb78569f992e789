"""docs/validation.md: rows of its tables, how they are written and read, and what they must say."""

from __future__ import annotations

import math
import platform
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import astuple, dataclass, fields, replace
from pathlib import Path
from typing import TypeVar

import cases
from observe import Estimate

import meshsim

PATH = Path(__file__).resolve().parents[2] / "docs" / "validation.md"
TEMPLATE = Path(__file__).with_name("validation.md.in").read_text(encoding="utf-8")
AGREES, MISSES = "agrees", "MISSES"
LEAST_COVERAGE, MOST_COVERAGE = 92.0, 98.0  # percent of the runs whose interval holds the truth


@dataclass(frozen=True, slots=True)
class TheoryRow:
    """A figure of a case, as the page tells it. Seconds, shares and counts; `half` and `difference` in %."""

    model: str
    utilization: str
    figure: str
    theory: str
    simulated: str
    half: str
    difference: str
    z: str
    requests: str
    cpu_s: str
    verdict: str
    source: str

    @property
    def key(self) -> tuple[str, ...]:
        """What no other row has."""
        return self.model, self.utilization, self.figure


@dataclass(frozen=True, slots=True)
class CoverageRow:
    """How often the intervals of one quantity hold the truth."""

    model: str
    quantity: str
    truth: str
    runs: str
    shown: str
    covered: str
    half: str
    bias: str
    cpu_s: str
    verdict: str

    @property
    def key(self) -> tuple[str, ...]:
        """What no other row has."""
        return self.model, self.quantity


HEADS: dict[type, Sequence[str]] = {
    TheoryRow: (
        "model", "utilisation", "figure", "theory", "simulated", "± %", "difference %", "z", "requests", "CPU s",
        "verdict", "source",
    ),
    CoverageRow: (
        "model", "quantity", "truth", "runs", "interval shown %", "holds the truth %", "± % (median)", "bias %",
        "CPU s", "verdict",
    ),
}  # fmt: skip
Results = Mapping[str, tuple[float, Estimate]]
Row = TypeVar("Row", TheoryRow, CoverageRow)


def theory_rows(case: cases.Case, results: Results, cpu_s: float) -> list[TheoryRow]:
    """Rows of a case from truth and estimate of each figure."""
    rows = []
    for figure, (truth, found) in results.items():
        row = TheoryRow(
            model=case.model.name,
            utilization=utilization_cell(case),
            figure=figure,
            theory=f"{truth:.6g}",
            simulated=f"{found.value:.6g}",
            half=f"{100.0 * found.half / truth:.3f}",
            difference=f"{100.0 * (found.value / truth - 1.0):+.3f}",
            z=f"{(found.value - truth) / found.error:+.2f}",
            requests=f"{case.requests:.3g}",
            cpu_s=f"{cpu_s:.1f}",
            verdict=AGREES,
            source=case.model.source,
        )
        rows.append(row if agrees(row) else replace(row, verdict=MISSES))
    return rows


def utilization_cell(case: cases.Case) -> str:
    """As the table tells it."""
    return "–" if case.utilization is None else str(case.utilization)


def agrees(row: TheoryRow) -> bool:
    """Whether the numbers of a row keep to the tolerances, and its run was long enough to tell."""
    utilization = None if row.utilization == "–" else float(row.utilization)
    return (
        abs(float(row.difference)) <= 100.0 * cases.tolerance(row.figure)
        and abs(float(row.z)) < cases.MOST_Z
        and float(row.half) <= 100.0 * cases.most_half(row.figure, utilization)
    )


def covers(row: CoverageRow) -> bool:
    """Whether the intervals of a row hold the truth as often as they claim."""
    return LEAST_COVERAGE <= float(row.covered) <= MOST_COVERAGE


def read(kind: type[Row]) -> dict[tuple[str, ...], Row]:
    """Rows of the page's table of a kind, by key; none when there is no page yet."""
    if not PATH.exists():
        return {}
    found = {}
    for line in PATH.read_text(encoding="utf-8").splitlines():
        cells = [cell.strip() for cell in line.strip("|").split("|")]
        if len(cells) == len(fields(kind)) and cells != list(HEADS[kind]) and not line.startswith("|---"):
            row = kind(*cells)
            found[row.key] = row
    return found


def write(theory: Sequence[TheoryRow], coverage: Sequence[CoverageRow]) -> None:
    """Write the page anew from its template."""
    text = TEMPLATE.format(
        version=meshsim.__version__,
        python=platform.python_version(),
        platform=platform.system(),
        minutes=f"{_cpu_s(theory, coverage) / 60.0:.0f}",
        figures=len(theory),
        cases=len({row.key[:2] for row in theory}),
        requests=f"{sum(dict((row.key[:2], float(row.requests)) for row in theory).values()):.2g}",
        beyond_two=sum(abs(float(row.z)) > 2.0 for row in theory),
        expected_beyond_two=f"{2.0 * 0.02275 * len(theory):.0f}",
        least_shown=min((row.shown for row in coverage), key=float, default="–"),
        z_spread=f"{math.sqrt(sum(float(row.z) ** 2 for row in theory) / max(1, len(theory))):.2f}",
        theory=table(TheoryRow, theory),
        coverage=table(CoverageRow, coverage),
    )
    PATH.write_text(text, encoding="utf-8")


def _cpu_s(theory: Iterable[TheoryRow], coverage: Iterable[CoverageRow]) -> float:
    by_run = {row.key[:2]: float(row.cpu_s) for row in theory}
    return sum(by_run.values()) + sum({row.model: float(row.cpu_s) for row in coverage}.values())


def table(kind: type[Row], rows: Iterable[Row]) -> str:
    """Lines of a table in Markdown."""
    head = HEADS[kind]
    lines = ["| " + " | ".join(cells) + " |" for cells in (head, *(astuple(row) for row in rows))]
    return "\n".join([lines[0], "|" + "---|" * len(head), *lines[1:]])
