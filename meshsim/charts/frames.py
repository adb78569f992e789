"""Rows of a sweep as charts need them: checked columns, axis values in order, quantities as estimates."""

from __future__ import annotations

import math
from collections.abc import Hashable, Sequence
from typing import TYPE_CHECKING, Any

from meshsim.errors import UsageError
from meshsim.model.diagnostics import suggestion
from meshsim.results.intervals import Estimate

if TYPE_CHECKING:
    import pandas as pd

ARCHITECTURE, VERDICT, LOAD = "architecture", "verdict", "run.load"


def check(frame: pd.DataFrame, columns: Sequence[str], keys: Sequence[str]) -> None:
    """Hold that a frame can be drawn.

    Parameters
    ----------
    frame
        A row a point of the sweep.
    columns
        That must be there.
    keys
        Of these, each combination may be there once.

    Raises
    ------
    UsageError
        With the first thing that is wrong, and what to do.
    """
    for column in columns:
        if column not in frame.columns:
            known = [str(name) for name in frame.columns]
            raise UsageError(f"the sweep has no column '{column}': {suggestion(column, known)}")
    if not len(frame):
        raise UsageError("the sweep has no rows: there is nothing to draw")
    twice = frame[frame.duplicated(list(keys))]
    if len(twice):
        where = ", ".join(f"{key}={twice.iloc[0][key]}" for key in keys)
        raise UsageError(f"the sweep has several rows with {where}: it has a further axis; keep one value of that")


def check_numbers(frame: pd.DataFrame, columns: Sequence[str]) -> None:
    """Hold that columns hold numbers; empty cells are unknown ones."""
    import pandas as pd

    for column in columns:
        if column in frame.columns and not pd.api.types.is_numeric_dtype(frame[column]):
            if frame[column].isna().all():
                continue
            wrong = pd.to_numeric(frame[column], errors="coerce").isna() & frame[column].notna()
            text = f", but {frame[column][wrong].iloc[0]!r}" if wrong.any() else ""
            raise UsageError(f"column '{column}' of the sweep must hold numbers{text}")


def interval_columns(name: str) -> tuple[str, str, str]:
    """Columns of a quantity and of the ends of its interval."""
    return name, f"{name}_low", f"{name}_high"


def architectures(frame: pd.DataFrame) -> list[str]:
    """Architectures in the order in which they come first."""
    return [str(name) for name in frame[ARCHITECTURE].drop_duplicates()]


def estimate(row: pd.Series, name: str) -> Estimate:
    """A quantity of a row."""
    value, low, high = (_number(row.get(column)) for column in interval_columns(name))
    if value is not None and math.isinf(value):
        value = None
    whole = low is not None and high is not None
    return Estimate(value, low if whole else None, high if whole else None, 0, "of a sweep")


def _number(value: Any) -> float | None:
    return None if value is None or math.isnan(value) else float(value)


def unstable(row: pd.Series) -> bool:
    """Whether the point has no steady state: its latencies grow with the run."""
    return bool(row[VERDICT] == "unstable")


def values(frame: pd.DataFrame, column: str) -> list[Hashable]:
    """Values of an axis: numbers ascending, anything else in the order of the rows."""
    import pandas as pd

    found = frame[column].drop_duplicates()
    return list(found.sort_values() if pd.api.types.is_numeric_dtype(found) else found)
