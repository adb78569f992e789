"""Hit ratios of caches along an axis, with theory as a line, and the latency that comes with them."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, Any, Final, Unpack

import numpy as np
from matplotlib.axes import Axes
from matplotlib.lines import Line2D

from meshsim.charts import frames
from meshsim.charts.cache_points import CACHE, HITS, PLACE, check_axis, check_only, placed, whole_caches
from meshsim.charts.quantities import arms, axis_label, logarithmic, quantity
from meshsim.charts.style import Canvas, Look, canvas, folded, mark_of

if TYPE_CHECKING:
    import pandas as pd

_THEORY, _LATENCY = "theory_hit_ratio", "mean_s"
_WIDE: Final = 10.0  # ratio of the ends of the axis from which it is logarithmic
#: Of several caches of one architecture, whose colour they share.
_MARKERS: Final = ("o", "^", "s", "D", "v", "P")
_THEORY_WIDTH, _THEORY_ALPHA = 4.0, 0.25  # behind what was found, which it would hide where they coincide
_DASHES: Final = ("-", (0, (6, 1.5)), (0, (1, 1)), (0, (4, 1, 1, 1)))


def cache_curve(points: pd.DataFrame, ax: Axes | None = None, *, x: str | None = None, **look: Unpack[Look]) -> Axes:
    """Draw hit ratios along what varies, a line a cache and architecture, and mean latency against them.

    Broad pale lines behind are theory (Che's approximation) where it applies. Points without a steady state, such as
    those where a cache was still filling, and those without an interval, are hollow.

    Parameters
    ----------
    points
        A row a cache and point, as `CacheCurve.frame` has them: what varies in the columns before ``architecture``;
        ``cache``, ``verdict``, ``hit_ratio``, ``mean_s``, both with their ``_low`` and ``_high``, and
        ``theory_hit_ratio``. Rows of single tenants are left out.
    ax
        Axes whose place is taken; None for a new figure.
    x
        Column across; the only one that varies if absent.
    look
        See `meshsim.charts.style.Look`.

    Returns
    -------
    matplotlib.axes.Axes
        The panel of hit ratios; that of latency follows in its figure.

    Raises
    ------
    UsageError
        A column is missing, several of them vary, or there is nothing to draw.
    """
    rows, axes = whole_caches(points, [HITS, _LATENCY])
    across = _across(rows, axes, x)
    frames.check(rows, [across], (frames.ARCHITECTURE, CACHE, across))
    frames.check_numbers(rows, [*frames.interval_columns(HITS), *frames.interval_columns(_LATENCY), _THEORY])
    rows, unit = placed(rows, across)
    with canvas(ax, look, (7.2, 5.8), shape=(2, 1), ratios=(3, 2)) as found:
        for name in frames.architectures(rows):
            mine = rows[rows[frames.ARCHITECTURE] == name]
            for number, cache in enumerate(mine[CACHE].drop_duplicates()):
                _draw(found, mine[mine[CACHE] == cache], name, str(cache), number)
        _label(found, rows, across, unit)
    return found.axes[0]


def _across(rows: pd.DataFrame, axes: Sequence[str], x: str | None) -> str:
    """Axis that varies."""
    if x is not None:
        check_axis(axes, x)
    across = x or next((name for name in axes if rows[name].nunique() > 1), axes[0])
    check_only(rows, axes, [across])
    return across


def _marker(name: str, number: int) -> str:
    """That of the architecture for its first cache, another one for each further."""
    own = mark_of(name).marker
    return own if number == 0 else [one for one in _MARKERS if one != own][(number - 1) % (len(_MARKERS) - 1)]


def _draw(found: Canvas, rows: pd.DataFrame, name: str, cache: str, number: int) -> None:
    top, bottom = found.axes
    dash, shape = _DASHES[number % len(_DASHES)], _marker(name, number)
    mark, known = mark_of(name), rows[rows[HITS].notna()]
    scale = quantity(_LATENCY, float(rows[_LATENCY].max())).unit.scale
    style: dict[str, Any] = {"color": mark.colour, "ls": dash, "lw": 1.3}
    top.plot(known[PLACE], known[HITS] * 100, gid=f"{name} {cache}", **style)
    bottom.plot(known[HITS] * 100, known[_LATENCY] * scale, gid=f"{name} {cache}", **style)
    for _, row in known.iterrows():
        hits, latency = frames.estimate(row, HITS), frames.estimate(row, _LATENCY)
        bars, long = arms(hits, 100.0), arms(latency, scale)
        unsure = frames.unsettled(row)
        marker: dict[str, Any] = {
            "color": mark.colour,
            "marker": shape,
            "ls": "none",
            "lw": 1.0,
            "gid": f"{name} {cache}",
        }
        fill = found.theme.paper if unsure or bars is None else mark.colour
        top.errorbar(row[PLACE], row[HITS] * 100, yerr=bars, mfc=fill, **marker)
        fill = found.theme.paper if unsure or bars is None or long is None else mark.colour
        bottom.errorbar(row[HITS] * 100, row[_LATENCY] * scale, xerr=bars, yerr=long, mfc=fill, **marker)
    told = rows[rows[_THEORY].notna()] if _THEORY in rows.columns else rows.iloc[:0]
    if len(told):
        top.plot(
            told[PLACE],
            told[_THEORY].astype(float) * 100,
            color=found.theme.ink,
            lw=_THEORY_WIDTH,
            alpha=_THEORY_ALPHA,
            solid_capstyle="butt",
            zorder=1,
            gid=f"theory {name} {cache}",
        )


def _label(found: Canvas, rows: pd.DataFrame, across: str, unit: str) -> None:
    top, bottom = found.axes
    places = rows[PLACE].to_numpy(dtype=np.float64)
    if places.min() > 0 and places.max() >= _WIDE * places.min():
        top.set_xscale("log")
        logarithmic(top.xaxis, *top.get_xlim())
    for ax in (top.yaxis, bottom.xaxis):
        ax.set_label_text("hit ratio (% of lookups)")
    top.set_ylim(bottom=0)
    top.set_xlabel(axis_label(across, unit))
    bottom.set_ylabel(quantity(_LATENCY, float(rows[_LATENCY].max())).label)
    top.legend(handles=_handles(found, rows), loc="upper left", bbox_to_anchor=(1.0, 1.0), handlelength=3.2)
    found.set_title(frames.titled(rows, f"hit ratio along {across}, and mean latency along hit ratio"))
    note = "Bars: 95 % intervals."
    if any(frames.estimate(row, HITS).low is None or frames.unsettled(row) for _, row in rows.iterrows()):
        note += " Hollow: unstable, a cache still filling, or too short."
    found.note(note, bottom)


def _handles(found: Canvas, rows: pd.DataFrame) -> list[Line2D]:
    handles = []
    for name in frames.architectures(rows):
        mark = mark_of(name)
        for number, cache in enumerate(rows[rows[frames.ARCHITECTURE] == name][CACHE].drop_duplicates()):
            label = folded(f"{name}: {cache}", 24)
            dash = _DASHES[number % len(_DASHES)]
            handles.append(Line2D([], [], color=mark.colour, marker=_marker(name, number), ls=dash, label=label))
    if _THEORY in rows.columns and rows[_THEORY].notna().any():
        handles.append(
            Line2D(
                [], [], color=found.theme.ink, lw=_THEORY_WIDTH, alpha=_THEORY_ALPHA, label="theory, where it\napplies"
            )
        )
    return handles
