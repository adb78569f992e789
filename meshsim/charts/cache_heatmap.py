"""Hit ratios of caches over two axes."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final, Unpack

from matplotlib.axes import Axes

from meshsim.charts import frames
from meshsim.charts.cache_points import CACHE, HITS, check_axis, check_only, whole_caches
from meshsim.charts.heatmap import sweep_heatmap
from meshsim.charts.quantities import numbers_of
from meshsim.charts.style import Look
from meshsim.errors import UsageError

if TYPE_CHECKING:
    import pandas as pd

_MOST_PANELS: Final = 8  # more cannot be read on a page


def cache_heatmap(
    points: pd.DataFrame, ax: Axes | None = None, *, x: str | None = None, y: str | None = None, **look: Unpack[Look]
) -> Axes:
    """Draw hit ratios over two axes, a panel for each cache of each architecture, all with the same colours.

    Cells are those of `sweep_heatmap`; hatched are those where a cache was still filling, too.

    Parameters
    ----------
    points
        A row a cache and point, as `meshsim.CacheCurve.frame` has them: what varies in the columns before
        ``architecture``; ``cache``, ``verdict`` and ``hit_ratio`` with its ``_low`` and ``_high``. Rows of single
        tenants are left out.
    ax
        Axes whose place is taken; None for a new figure.
    x, y
        Columns across and upwards; the first and the second that vary if absent.
    look
        See `meshsim.charts.style.Look`.

    Returns
    -------
    matplotlib.axes.Axes
        The first panel; the others follow in its figure.

    Raises
    ------
    UsageError
        A column is missing, fewer or more than two of them vary, or there are too many caches.
    """
    rows, axes = whole_caches(points, [HITS])
    x, y = _two(rows, axes, x, y)
    check_only(rows, axes, [x, y])
    panels = rows[frames.ARCHITECTURE].astype(str) + ":\n" + rows[CACHE].astype(str)
    if panels.nunique() > _MOST_PANELS:
        raise UsageError(
            f"there are {panels.nunique()} caches of architectures, and panels for {_MOST_PANELS}: keep fewer with "
            f"--arch, or with --where '{CACHE}={rows.iloc[0][CACHE]}'"
        )
    rows = rows.assign(**{frames.ARCHITECTURE: panels})
    for axis in (y, x):
        rows = _in_order(rows, axis)
    order = panels.drop_duplicates().tolist()
    rows = rows.sort_values(frames.ARCHITECTURE, key=lambda names: names.map(order.index), kind="stable")
    title = look.get("title")
    words: Look = {**look, "title": frames.titled(rows, "hit ratio, 95 % intervals") if title is None else title}
    return sweep_heatmap(rows, x, y, HITS, ax, **words)


def _two(rows: pd.DataFrame, axes: list[str], x: str | None, y: str | None) -> tuple[str, str]:
    """What was asked for, or the two columns that vary."""
    for name in filter(None, (x, y)):
        check_axis(axes, name)
    several = [name for name in axes if rows[name].nunique() > 1]
    rest = [name for name in several if name not in (x, y)]
    if (x is None) + (y is None) > len(rest):
        alone = f"in {several[0]} alone" if several else "in nothing"
        raise UsageError(
            f"a heat map needs two axes, and points differ {alone}: add one to meshsim cache FILE, e.g. --curve "
            "capacity=100,300,1000 --curve replicas=1,2,4; meshsim chart cache-curve draws one axis"
        )
    first = x if x is not None else rest.pop(0)
    return first, y if y is not None else rest.pop(0)


def _in_order(rows: pd.DataFrame, axis: str) -> pd.DataFrame:
    """Rows with the values of an axis in order where they are numbers; those without a unit become such."""
    found = numbers_of(rows[axis].tolist())
    if found is None:
        return rows
    places, unit = found
    if not unit:
        return rows.assign(**{axis: places})
    return rows.iloc[sorted(range(len(places)), key=places.__getitem__)]
