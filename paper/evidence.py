"""What the repository has measured already: tables of docs/ that tests hold in step, as numbers."""

from __future__ import annotations

import re
from dataclasses import dataclass
from math import sqrt
from pathlib import Path
from typing import Final

DOCS: Final = Path(__file__).resolve().parent.parent / "docs"


def table(page: str, first: str) -> list[dict[str, str]]:
    """Rows of the table of a page whose heading begins with a column of that name.

    Raises
    ------
    ValueError
        There is no such table.
    """
    lines = (DOCS / page).read_text(encoding="utf-8").splitlines()
    start = next((at for at, line in enumerate(lines) if line.startswith(f"| {first} |")), None)
    if start is None:
        raise ValueError(f"docs/{page} has no table that begins with a column '{first}'")
    head = _cells(lines[start])
    rows = []
    for line in lines[start + 2 :]:
        if not line.startswith("|"):
            break
        rows.append(dict(zip(head, _cells(line), strict=True)))
    return rows


def _cells(line: str) -> list[str]:
    return [cell.strip() for cell in line.strip().strip("|").split(" | ")]


@dataclass(frozen=True, slots=True)
class Figure:
    """A figure of docs/validation.md beside what theory says.

    Attributes
    ----------
    model, quantity
        Of what, and which.
    utilisation
        Offered load; None where it means nothing.
    theory, simulated
        In the unit of the quantity.
    half_percent, difference_percent, z
        Half of the 95 % interval and the difference, in percent of the theory; the difference in standard errors.
    requests
        Simulated.
    agrees
        The page's verdict.
    """

    model: str
    quantity: str
    utilisation: float | None
    theory: float
    simulated: float
    half_percent: float
    difference_percent: float
    z: float
    requests: float
    agrees: bool


def theory() -> list[Figure]:
    """All figures of docs/validation.md."""
    return [
        Figure(
            row["model"],
            row["figure"],
            None if row["utilisation"] == "–" else float(row["utilisation"]),
            float(row["theory"]),
            float(row["simulated"]),
            float(row["± %"]),
            float(row["difference %"]),
            float(row["z"]),
            float(row["requests"]),
            row["verdict"] == "agrees",
        )
        for row in table("validation.md", "model")
        if "figure" in row
    ]


def root_mean_square(values: list[float]) -> float:
    """Of z: 1 where only chance makes differences."""
    return sqrt(sum(value * value for value in values) / len(values))


def coverage() -> list[float]:
    """Shares of the runs whose interval holds the truth, in percent, of docs/validation.md."""
    text = (DOCS / "validation.md").read_text(encoding="utf-8").partition("## Coverage of the intervals")[2]
    rows = [_cells(line) for line in text.splitlines() if line.startswith("| M/M")]
    return [float(row[5]) for row in rows]


def held_out() -> list[float]:
    """Errors in percent of CPU and memory that profiles predict, of figures that had no part in setting them."""
    rows = table("profiles.md", "profile")
    return [float(row["error"].removesuffix(" %")) for row in rows if row["figure was"] == "held out"]


def bars() -> dict[str, str]:
    """What was measured for each bar of docs/performance.md."""
    return {row["bar"]: row["measured"] for row in table("performance.md", "bar")}


def leading_number(text: str) -> float:
    """The number that a cell begins with: ``609,379 requests/s`` is 609379."""
    found = re.match(r"[+-]?[\d,.]+", text)
    if found is None:
        raise ValueError(f"'{text}' begins with no number")
    return float(found[0].replace(",", ""))
