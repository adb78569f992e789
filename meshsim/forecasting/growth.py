"""How the load grows: so much a month, a table of factors, or a file with one."""

from __future__ import annotations

import csv
import math
import re
from collections.abc import Mapping
from pathlib import Path
from typing import Final

from meshsim.errors import StoreError, UsageError

#: Growth a month (``5%``), factors on today's load by month, or a CSV file of them.
Growth = str | Path | Mapping[int, float]

BASE: Final = "base"
MOST_MONTHS: Final = 120
_MOST_FACTOR: Final = 1e4
_RATE: Final = re.compile(r"\s*([+-]?\d+(?:\.\d+)?)\s*%\s*")
_WAYS: Final = "'5%' (a month), or a CSV file with the columns month,factor"


def factors_of(growth: Growth, months: int, name: str = "growth") -> tuple[float, ...]:
    """Load of each month, from 0 (today) to `months`, as a factor on today's.

    Parameters
    ----------
    growth
        What users write.
    months
        How many follow today's.
    name
        What it is called in messages.

    Raises
    ------
    UsageError
        It is none of these, negative, or a month is missing.
    StoreError
        The file cannot be read.

    Examples
    --------
    >>> factors_of("10%", 2)
    (1.0, 1.1, 1.21)
    >>> factors_of({1: 1.5, 2: 1.2}, 2)
    (1.0, 1.5, 1.2)
    """
    if isinstance(growth, Mapping):
        return _of_table(growth, months, name)
    if isinstance(growth, Path) or (isinstance(growth, str) and growth.strip().lower().endswith(".csv")):
        return _of_table(_read(Path(growth), name), months, f"{name} {growth}")
    match = _RATE.fullmatch(growth) if isinstance(growth, str) else None
    if match is None:
        raise UsageError(f"{name} {growth!r} is no growth of the load: write {_WAYS}")
    share = float(match[1]) / 100.0
    if share < 0.0:
        raise UsageError(
            f"{name} {growth}: a load that shrinks runs out of nothing; write a growth of 0% or more, or a table of "
            "factors, e.g. 1,0.9 for a first month with a tenth less"
        )
    found = tuple(round((1.0 + share) ** month, 9) for month in range(months + 1))
    if found[-1] > _MOST_FACTOR:
        raise UsageError(f"{name} {growth} makes the load {found[-1]:.3g} times today's in {months} months: write less")
    return found


def _of_table(table: Mapping[int, float], months: int, name: str) -> tuple[float, ...]:
    for month, factor in table.items():
        if isinstance(month, bool) or not isinstance(month, int) or month < 0:
            raise UsageError(f"{name}: months are numbered 0 (today), 1, 2, …, not {month!r}")
        if isinstance(factor, bool) or not isinstance(factor, int | float) or not 0.0 < factor <= _MOST_FACTOR:
            raise UsageError(
                f"{name}: the load of month {month} is a factor on today's above 0 (at most {_MOST_FACTOR:,.0f}), "
                f"e.g. 1.2, not {factor!r}"
            )
    if table.get(0, 1.0) != 1.0:
        raise UsageError(
            f"{name}: month 0 is today, whose factor is 1, not {table[0]:g}; divide all by it, or leave it out"
        )
    missing = [str(month) for month in range(1, months + 1) if month not in table]
    if missing:
        last = max((month for month in table), default=0)
        fewer = f", or ask for {last} months" if 0 < last < months and len(missing) == months - last else ""
        told = ", ".join(missing[:3]) + (f" and {len(missing) - 3} more" if len(missing) > 3 else "")
        verb = f"month {told} is missing" if len(missing) == 1 else f"months {told} are missing"
        raise UsageError(f"{name}: {verb}: give a factor for each of 1 to {months}{fewer}")
    return tuple(float(table.get(month, 1.0)) for month in range(months + 1))


def _read(path: Path, name: str) -> dict[int, float]:
    try:
        with path.open(encoding="utf-8-sig", newline="") as file:
            rows = [(reader.line_num, row) for reader in [csv.reader(file)] for row in reader if any(row)]
    except (OSError, UnicodeDecodeError) as error:
        why = error.strerror if isinstance(error, OSError) else "it is not text in UTF-8"
        raise StoreError(
            f"{name} {path}: cannot read it ({why}); give a CSV file with the columns month,factor"
        ) from None
    head = [cell.strip().lower() for cell in rows[0][1]] if rows else []
    if not rows:
        raise UsageError(f"{name} {path}: the file is empty; write a first line month,factor and then e.g. 1,1.05")
    if head[:2] != ["month", "factor"] or len(head) != 2:
        raise UsageError(f"{name} {path}: the first line is {','.join(head)!r}; write month,factor")
    found: dict[int, float] = {}
    for line, row in rows[1:]:
        month, factor = _numbers(row, f"{name} {path}:{line}")
        if month in found:
            raise UsageError(f"{name} {path}:{line}: month {month} is there twice; keep one line")
        found[month] = factor
    return found


def _numbers(row: list[str], where: str) -> tuple[int, float]:
    try:
        month, factor = row
        found = int(month), float(factor)
    except ValueError:
        raise UsageError(f"{where}: '{','.join(row)}' is no month and factor; write e.g. 3,1.2") from None
    if found[0] < 0 or not math.isfinite(found[1]) or found[1] <= 0.0:
        raise UsageError(f"{where}: '{','.join(row)}': months are 0 or more, factors above 0; write e.g. 3,1.2")
    return found


def scenarios_of(growth: Growth, scenarios: Mapping[str, Growth], months: int) -> dict[str, tuple[float, ...]]:
    """Factors by scenario, that of `growth` first, under the name ``base``.

    Raises
    ------
    UsageError
        As `factors_of`, or a scenario has no name, or that one.
    """
    found = {BASE: factors_of(growth, months)}
    for name, one in scenarios.items():
        if not name.strip() or name == BASE:
            raise UsageError(f"a scenario needs a name other than {BASE!r}, which is that of the growth itself")
        found[name] = factors_of(one, months, f"scenario '{name}'")
    return found
