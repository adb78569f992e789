"""Rows of a sweep as charts need them: checked columns, axis values in order, quantities as estimates."""

from __future__ import annotations

import math
import re
from collections.abc import Hashable, Sequence
from typing import TYPE_CHECKING, Any, Final

from meshsim.errors import UsageError
from meshsim.model.diagnostics import suggestion
from meshsim.model.read.keys import LATER_TOP, TOP
from meshsim.results.intervals import Estimate
from meshsim.results.verdict import STILL_FILLING

if TYPE_CHECKING:
    import pandas as pd

ARCHITECTURE, VERDICT, LOAD, TOPOLOGY = "architecture", "verdict", "run.load", "topology"
_SECTIONS: Final = {*TOP, *LATER_TOP, "cells"} - {"name"}  # cells: of architectures
_QUANTILE: Final = re.compile(r"p(\d+(?:\.\d+)?)_s")
#: What runs of one sweep have in common, as `meshsim.sweeps.table` calls it.
_COMMON: Final = ("topology", "settings", "engine", "duration_s", "seed", "spec", "version")


def check(frame: pd.DataFrame, columns: Sequence[str], keys: Sequence[str] = ()) -> None:
    """Hold that a frame can be drawn.

    Parameters
    ----------
    frame
        A row a point of the sweep.
    columns
        That must be there.
    keys
        Of these, each combination may be there once; none: rows are as they are.

    Raises
    ------
    UsageError
        With the first thing that is wrong, and what to do.
    """
    for column in columns:
        if column not in frame.columns:
            raise UsageError(f"the sweep has no column '{column}': {_instead_of(column, frame)}")
    if not len(frame):
        raise UsageError("the sweep has no rows: there is nothing to draw")
    twice = frame[frame.duplicated(list(keys), keep=False)] if keys else frame.iloc[:0]
    if len(twice):
        texts = twice[list(keys)].astype(str)
        same = twice[(texts == texts.iloc[0]).all(axis=1)]
        where = ", ".join(f"{key}={same.iloc[0][key]}" for key in keys)
        raise UsageError(f"the sweep has several rows with {where}: {_difference(same)}")


def _instead_of(column: str, frame: pd.DataFrame) -> str:
    """What to do about a column that is not there: those of axes are there when they were swept."""
    hint, swept = suggestion(column, [str(name) for name in frame.columns]), axes(frame)
    if column.partition(".")[0] not in _SECTIONS or hint.startswith("did you mean"):
        return hint
    return f"its axes are {', '.join(swept) or 'none'}; sweep it, as with meshsim sweep --axis {column}=0.5,0.7,0.9"


def check_one_sweep(frame: pd.DataFrame) -> None:
    """Hold that all rows are of one sweep, or of several that differ in axes alone."""
    several = [name for name in _COMMON if name in varying(frame)]
    if several and "run.duration" not in axes(frame) and "run.seed" not in axes(frame):
        raise UsageError(f"the rows are of several sweeps: {_difference(frame[several])}")


def _difference(rows: pd.DataFrame) -> str:
    """In what rows differ that should be one, and how to keep one of them."""
    names = varying(rows)
    if not names:
        return "the same point is there twice; keep one of the rows"
    value = rows.iloc[0][names[0]]
    kept = "" if value is None or value != value else str(value)  # CSV has no empty texts
    return f"they differ in {', '.join(names)}; keep one value, e.g. --where '{names[0]}={kept}'"


def varying(frame: pd.DataFrame) -> list[str]:
    """Columns with several values, of those that tell points or sweeps apart."""
    return [
        name for name in (*axes(frame), *_COMMON) if name in frame.columns and frame[name].nunique(dropna=False) > 1
    ]


def axes(frame: pd.DataFrame) -> list[str]:
    """Columns of swept values: those named by a dotted path of a topology."""
    return [str(name) for name in frame.columns if str(name).partition(".")[0] in _SECTIONS]


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


def titled(frame: pd.DataFrame, text: str) -> str:
    """A title, which begins with the name of the topology where all rows are of one.

    Examples
    --------
    >>> import pandas as pd
    >>> titled(pd.DataFrame({"topology": ["shop", "shop"]}), "hit ratio"), titled(pd.DataFrame(), "hit ratio")
    ('shop: hit ratio', 'Hit ratio')
    """
    names = frame[TOPOLOGY].dropna().unique() if TOPOLOGY in frame.columns else []
    name = str(names[0]) if len(names) == 1 else ""
    if name:
        return f"{name}: {text}"
    return text if text[1:2].isdigit() else text[:1].upper() + text[1:]  # p99 stays as it is


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


def unsettled(row: pd.Series) -> bool:
    """Whether the point has no steady state, or one of its caches had none yet."""
    return unstable(row) or bool(row[VERDICT] == STILL_FILLING)


def failed(row: pd.Series, name: str) -> bool:
    """Whether so many requests failed that a quantile of all, failed ones being infinitely slow, is infinite.

    Quantiles of the tables are of the answered requests: p99 of half of them says nothing about an objective.
    """
    match = _QUANTILE.fullmatch(name)
    answered = _number(row.get("availability"))
    return match is not None and answered is not None and answered < float(match[1]) / 100 - 1e-12


def values(frame: pd.DataFrame, column: str) -> list[Hashable]:
    """Values of an axis: numbers ascending, anything else in the order of the rows."""
    import pandas as pd

    found = frame[column].drop_duplicates()
    return list(found.sort_values() if pd.api.types.is_numeric_dtype(found) else found)
