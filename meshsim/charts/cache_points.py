"""Rows of ``meshsim cache --curve`` as charts need them."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

from meshsim.charts import frames
from meshsim.charts.quantities import numbers_of
from meshsim.errors import UsageError

if TYPE_CHECKING:
    from collections.abc import Sequence

    import pandas as pd

CACHE, HITS = "cache", "hit_ratio"
_TENANT: Final = "tenant"
#: A column's name that no table has: numbers of an axis.
PLACE: Final = "place across"


def whole_caches(points: pd.DataFrame, columns: Sequence[str]) -> tuple[pd.DataFrame, list[str]]:
    """Rows without those of single tenants, and what varies: the columns before the architecture.

    Parameters
    ----------
    points
        As `meshsim.CacheCurve.frame` has them.
    columns
        That must be there, besides the architecture, the cache and the verdict.

    Raises
    ------
    UsageError
        A column is missing, there are no rows, or they are of one point that has no axes.
    """
    frames.check(points, [frames.ARCHITECTURE, CACHE, frames.VERDICT, *columns])
    rows = points if _TENANT not in points.columns else points[points[_TENANT].isna() | (points[_TENANT] == "")]
    names = [str(name) for name in points.columns]
    axes = names[: names.index(frames.ARCHITECTURE)]
    if not axes:
        raise UsageError("nothing varies here: make the table with meshsim cache FILE --curve capacity=100,300,1000")
    return rows, axes


def check_axis(axes: Sequence[str], name: str) -> None:
    """Hold that there is an axis."""
    if name not in axes:
        raise UsageError(f"there is no axis '{name}'; there is {', '.join(axes)}")


def check_only(rows: pd.DataFrame, axes: Sequence[str], drawn: Sequence[str]) -> None:
    """Hold that points differ in what is drawn only."""
    for name in axes:
        if name not in drawn and rows[name].nunique() > 1:
            keep = f"e.g. --where '{name}={rows.iloc[0][name]}'"
            raise UsageError(f"points differ in {name} too: keep one value, {keep}")


def placed(rows: pd.DataFrame, axis: str) -> tuple[pd.DataFrame, str]:
    """Rows in the order of an axis of numbers, which column `PLACE` has in one unit, and that unit."""
    found = numbers_of(rows[axis].tolist())
    if found is None:
        raise UsageError(f"column '{axis}' holds names, no numbers: a curve needs an axis to go along")
    places, unit = found
    return rows.assign(**{PLACE: places}).sort_values(PLACE, kind="stable"), unit
