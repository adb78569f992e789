"""What a percentage point of hit ratio costs in memory, and what it saves, along the capacity of caches."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, Any, Final, Unpack

import numpy as np
from matplotlib.axes import Axes
from matplotlib.lines import Line2D

from meshsim.charts import frames
from meshsim.charts.cache_points import PLACE, check_only, placed, whole_caches
from meshsim.charts.quantities import Unit, arms, axis_label, logarithmic, numbers_of, size_unit
from meshsim.charts.style import Canvas, Look, canvas, folded, mark_of
from meshsim.errors import UsageError

if TYPE_CHECKING:
    import pandas as pd

_FROM, _KNOWN, _CORES, _CAPACITY = "step_from", "point_cost", "cores_per_point", "capacity"
_BYTES, _ENTRIES = "bytes_per_point", "entries_per_point"
_START: Final = "place where it starts"  # a column's name that no table has
_WIDE: Final = 10.0  # ratio of the ends of an axis from which it is logarithmic
_ARROW_POINTS: Final = 18.0
_ROOM_OF_ARROWS: Final = 0.12  # of the axis


def cache_cost(points: pd.DataFrame, ax: Axes | None = None, **look: Unpack[Look]) -> Axes:
    """Draw the memory of the next percentage point of hit ratio along the capacity of caches, and the CPU it saves.

    Each horizontal line is a step from one capacity to the next, with its interval in the middle. An arrow is a step
    whose gain may be zero: a point takes at least so much, and no end above can be told.

    Parameters
    ----------
    points
        A row a cache and point, as `meshsim.CacheCurve.frame` has them: what varies in the columns before
        ``architecture``, ``capacity`` or the path of one among them; ``step_from``, ``point_cost``, and
        ``cores_per_point`` and ``bytes_per_point`` or ``entries_per_point`` with their ``_low`` and ``_high``.
    ax
        Axes whose place is taken; None for a new figure.
    look
        See `meshsim.charts.style.Look`.

    Returns
    -------
    matplotlib.axes.Axes
        The panel of memory; that of CPU follows in its figure.

    Raises
    ------
    UsageError
        A column is missing, something else varies too, or there is no step with a cost.
    """
    rows, axes = whole_caches(points, [])
    across = next((name for name in axes if name == _CAPACITY or name.endswith(f".{_CAPACITY}")), None)
    if across is None or _FROM not in rows.columns:
        raise UsageError("there are no steps: make the table with meshsim cache FILE --curve capacity=100,300,1000")
    frames.check(rows, [_KNOWN, _CORES])
    check_only(rows, axes, [across])
    memory = _memory(rows)
    frames.check_numbers(rows, [*frames.interval_columns(memory), *frames.interval_columns(_CORES)])
    told = rows[rows[memory].notna() | rows[f"{memory}_low"].notna()]
    told, unit = placed(told.drop_duplicates([frames.ARCHITECTURE, across]), across)
    told = told.assign(**{_START: _in_unit(told, across)})
    size = _unit(memory, told)
    with canvas(ax, look, (7.2, 5.8), shape=(2, 1), ratios=(3, 2), sharex=True) as found:
        names = frames.architectures(told)
        for number, architecture in enumerate(names):
            part = (number + 1) / (len(names) + 1)  # marks stand beside each other
            for _, row in told[told[frames.ARCHITECTURE] == architecture].iterrows():
                _draw(found, found.axes[0], row, part, memory, size.scale)
                _draw(found, found.axes[1], row, part, _CORES, 1.0)
        missing = set(rows[_KNOWN].dropna()) - {"bounded"}
        _label(
            found,
            told,
            axis_label(across, unit),
            size.name,
            bool(missing),
            [name for name in frames.architectures(rows) if name not in names],
        )
    return found.axes[0]


def _memory(rows: pd.DataFrame) -> str:
    """Column of the memory of a point: one unit for all."""
    found = [
        name
        for name in (_BYTES, _ENTRIES)
        if name in rows.columns and (rows[name].notna() | rows[f"{name}_low"].notna()).any()
    ]
    if len(found) > 1:
        raise UsageError("some caches are in bytes and others in entries: keep one kind, with --arch or --where")
    if not found:
        raise UsageError("no step gains anything that can be told: nothing can be drawn")
    return found[0]


def _in_unit(rows: pd.DataFrame, across: str) -> list[float]:
    """Where steps start, in the unit in which they end."""
    both = numbers_of([*rows[across].tolist(), *rows[_FROM].tolist()])
    if both is None:
        raise UsageError(f"columns '{across}' and '{_FROM}' differ in their units: keep rows of one unit")
    return both[0][len(rows) :]


def _unit(memory: str, rows: pd.DataFrame) -> Unit:
    largest = float(np.nanmax(rows[[memory, f"{memory}_low"]].to_numpy(dtype=np.float64)))
    return size_unit(largest) if memory == _BYTES else Unit(1.0, "entries")


def _draw(found: Canvas, ax: Axes, row: pd.Series, part: float, column: str, scale: float) -> None:
    """One step of one architecture, with its mark after so much of it."""
    architecture = row[frames.ARCHITECTURE]
    estimate, mark = frames.estimate(row, column), mark_of(architecture)
    start, end = row[_START], row[PLACE]
    middle = start * (end / start) ** part if start > 0 else start + (end - start) * part
    style: dict[str, Any] = {"color": mark.colour, "gid": f"{architecture} {column}"}
    if estimate.value is None:
        least = row.get(f"{column}_low")
        if least is None or np.isnan(least):
            return
        ax.hlines(least * scale, start, end, lw=1.3, linestyles=(0, (1, 1)), **style)
        ax.plot(middle, least * scale, marker=mark.marker, mfc=found.theme.paper, ls="none", **style)
        arrow = {"arrowstyle": "<-", "color": mark.colour, "lw": 1.3}
        ax.annotate("", (middle, least * scale), (0, _ARROW_POINTS), textcoords="offset points", arrowprops=arrow)
        return
    unsure = frames.unsettled(row)
    ax.hlines(estimate.value * scale, start, end, lw=1.3, **style)
    ax.errorbar(
        *(middle, estimate.value * scale),
        yerr=arms(estimate, scale),
        marker=mark.marker,
        mfc=found.theme.paper if unsure else mark.colour,
        ls="none",
        **style,
    )


def _label(found: Canvas, rows: pd.DataFrame, along: str, unit: str, some_missing: bool, absent: Sequence[str]) -> None:
    top, bottom = found.axes
    places = np.concatenate([rows[PLACE].to_numpy(np.float64), rows[_START].to_numpy(np.float64)])
    if places.min() > 0 and places.max() >= _WIDE * places.min():
        top.set_xscale("log")
        logarithmic(bottom.xaxis, *top.get_xlim())
    arrows = bool((rows[_KNOWN] == "unbounded").any())
    if arrows:
        top.margins(y=_ROOM_OF_ARROWS)
    low, high = top.get_ylim()
    shown = [y for line in top.get_lines() for y in np.atleast_1d(line.get_ydata()) if y > 0]
    if shown and max(shown) >= _WIDE * min(shown):
        top.set_yscale("log")
        logarithmic(top.yaxis, *top.get_ylim())
    else:
        top.set_ylim(min(0.0, low), high)
    bottom.set_ylim(bottom=min(0.0, bottom.get_ylim()[0]))
    top.set_ylabel(f"memory of a point,\nall stores together ({unit})")
    bottom.set_ylabel("a point saves (cores in use)")
    bottom.set_xlabel(along)
    handles = []
    for name in frames.architectures(rows):
        mark = mark_of(name)
        handles.append(Line2D([], [], color=mark.colour, marker=mark.marker, label=folded(name, 24)))
    handles.append(
        Line2D([], [], color=found.theme.muted, marker="", label="line: a step from\none capacity to the next")
    )
    if absent:  # who is not named looks forgotten
        nothing = folded(f"no cost can be told: {', '.join(absent)}", 24)
        handles.append(Line2D([], [], ls="none", label=nothing))
    top.legend(handles=handles, loc="upper left", bbox_to_anchor=(1.0, 1.0))
    found.set_title(frames.titled(rows, "what the next percentage point of hit ratio costs, and what it saves"))
    note = "Lines: from one capacity to the next, marks at any place within; bars: 95 % intervals."
    if arrows:
        note += (
            " Arrows: the gain may be zero, so a point takes at least so much, and nobody can tell how much at most."
        )
    elif some_missing:
        note += " Steps that gain nothing are not drawn."
    found.note(note, bottom)
