"""One quantity against every axis of a sweep: what shows a Latin hypercube, whose points no line joins."""

from __future__ import annotations

import math
import textwrap
from collections.abc import Hashable, Sequence
from typing import TYPE_CHECKING, Final, Unpack

import numpy as np
from matplotlib.axes import Axes
from matplotlib.lines import Line2D

from meshsim.charts import frames
from meshsim.charts.quantities import Quantity, arms, axis_label, logarithmic, numbers_of, quantity
from meshsim.charts.style import Canvas, Look, canvas, folded, mark_of
from meshsim.errors import UsageError

if TYPE_CHECKING:
    import pandas as pd

_MOST_PANELS: Final = 6  # more are too small to be read
_MOST_ACROSS: Final = 3  # panels beside each other
_BESIDE_INCHES: Final = 2.2  # of the figure's width, for the label and the legend
_BESIDE_LEGEND: Final = 0.9  # between the legend and the edge of the figure, in letters
_BOLD_INCHES: Final = 0.085  # width of a letter of the title
_LETTER_INCHES: Final = 0.082  # width of a letter of the axes' labels, with some room
_WIDE: Final = 10.0  # ratio of the largest value to the smallest from which the axis is logarithmic


def sweep_scatter(
    frame: pd.DataFrame,
    value: str = "p99_s",
    ax: Axes | None = None,
    *,
    axes: Sequence[str] = (),
    **look: Unpack[Look],
) -> Axes:
    """Draw a quantity against the axes of a sweep, a panel an axis, a point a run.

    Points of a panel differ in the other axes too: what spreads them where they have the same place across is those.
    Unstable points, and those without an interval, are hollow. Crossed are those of a quantile that is infinite because
    so many requests failed; what is drawn is that of the answered ones.

    Parameters
    ----------
    frame
        A row a run: columns ``architecture``, ``verdict``, the axes and `value`; ``_low`` and ``_high`` of the value if
        there are intervals.
    value
        Column of the quantity.
    ax
        Axes whose place is taken; None for a new figure.
    axes
        Columns across; all axes that have several values if absent.
    look
        See `meshsim.charts.style.Look`.

    Returns
    -------
    matplotlib.axes.Axes
        The first panel; the others follow in its figure.

    Raises
    ------
    UsageError
        A column is missing, rows are of several sweeps, no axis has several values, more than six have, or there is no
        value at all.
    """
    frame = frame.reset_index(drop=True)
    across, largest = _check(frame, value, axes)
    shown = quantity(value, largest)
    columns = min(_MOST_ACROSS, len(across))
    lines = math.ceil(len(across) / columns)
    inches = (max(5.0, 1.9 + 3.0 * columns), 0.9 + 2.9 * lines)
    with canvas(ax, look, inches, shape=(lines, columns), sharey=True) as found:
        room = int((found.part.bbox.width / found.figure.dpi - _BESIDE_INCHES) / columns / _LETTER_INCHES)
        for place, path in zip(found.axes, across, strict=False):
            places, unit = _across(place, frames.values(frame, path))
            _draw(found, place, frame, frame[path].map(places), value, shown)
            place.set_xlabel(folded(axis_label(path, unit), room))
        for place in found.axes[len(across) :]:
            place.set_visible(False)
        _label(found, frame, value, shown, columns, across)
    return found.axes[0]


def _check(frame: pd.DataFrame, value: str, axes: Sequence[str]) -> tuple[list[str], float]:
    """Hold that the frame can be drawn; give the axes and the largest value."""
    across = list(axes) or [name for name in frames.axes(frame) if frame[name].nunique() > 1]
    frames.check(frame, [frames.ARCHITECTURE, frames.VERDICT, value, *across])
    frames.check_one_sweep(frame)
    frames.check_numbers(frame, frames.interval_columns(value))
    if not across:
        raise UsageError("no axis of the sweep has several values: there is nothing to draw a quantity against")
    if len(across) > _MOST_PANELS:
        raise UsageError(
            f"the sweep has {len(across)} axes; a scatter shows up to {_MOST_PANELS}: choose some with --x"
        )
    found = frame[value].to_numpy(dtype=np.float64)
    finite = found[np.isfinite(found)]
    if not finite.size:
        raise UsageError(f"column '{value}' of the sweep has no number: there is nothing to draw")
    return across, float(abs(finite).max())


def _across(ax: Axes, values: Sequence[Hashable]) -> tuple[dict[Hashable, float], str]:
    """Where values are across: numbers to scale, with the unit that they share; others in their order, by name."""
    found = numbers_of(values)
    if found is not None:
        return dict(zip(values, found[0], strict=True)), found[1]
    ax.set_xticks(range(len(values)), labels=[str(one) for one in values])
    return {value: float(place) for place, value in enumerate(values)}, ""


def _draw(found: Canvas, ax: Axes, frame: pd.DataFrame, across: pd.Series, value: str, shown: Quantity) -> None:
    for name in frames.architectures(frame):
        mark, rows = mark_of(name), frame[frame[frames.ARCHITECTURE] == name]
        for at, row in rows.iterrows():
            estimate = frames.estimate(row, value)
            if estimate.value is None:
                continue
            bars = arms(estimate, shown.unit.scale)
            hollow = bars is None or frames.unstable(row)
            ax.errorbar(
                *(across[at], estimate.value * shown.unit.scale),
                yerr=bars,
                color=mark.colour,
                marker=mark.marker,
                mfc=found.theme.paper if hollow else mark.colour,
                ls="none",
                lw=0.9,
                gid=name,
            )
            if frames.failed(row, value):
                ax.plot(across[at], estimate.value * shown.unit.scale, "x", color=found.theme.ink, ms=9, gid="failed")


def _label(found: Canvas, frame: pd.DataFrame, value: str, shown: Quantity, columns: int, paths: Sequence[str]) -> None:
    first = found.axes[0]
    known = frame[value].to_numpy(dtype=np.float64)
    known = known[np.isfinite(known)]
    if known.min() > 0 and known.max() >= _WIDE * known.min():
        first.set_yscale("log")
        logarithmic(first.yaxis, *first.get_ylim())
    for ax in found.axes[::columns]:
        ax.set_ylabel(shown.label)
    handles = [
        Line2D([], [], color=mark_of(name).colour, marker=mark_of(name).marker, ls="none", label=folded(name, 22))
        for name in frames.architectures(frame)
    ]
    if any(frames.estimate(row, value).low is not None for _, row in frame.iterrows()):
        handles.append(
            Line2D([], [], color=found.theme.muted, marker="|", ms=9, ls="none", label="bars: 95 %\nintervals")
        )
    if (frame[frames.VERDICT] == "unstable").any() or _without_interval(frame, value):
        hollow = Line2D([], [], color=found.theme.muted, marker="o", mfc=found.theme.paper, ls="none")
        hollow.set_label("hollow: unstable,\nor no interval")
        handles.append(hollow)
    if any(frames.failed(row, value) for _, row in frame.iterrows()):
        handles.append(
            Line2D(
                [], [], color=found.theme.ink, marker="x", ls="none", label="crossed: infinite, if\nfailed ones count"
            )
        )
    beside = found.axes[columns - 1]
    beside.legend(handles=handles, loc="upper left", bbox_to_anchor=(1.0, 1.0), borderpad=_BESIDE_LEGEND)
    against = paths[0] if len(paths) == 1 else "each axis of the sweep"
    own = frames.titled(frame, f"{shown.label} against {against}")
    title = found.title if found.title is not None else own
    room = int(found.part.bbox.width / found.figure.dpi / _BOLD_INCHES)
    found.part.suptitle(textwrap.fill(title, room), x=0.01, ha="left", fontsize=10, fontweight="bold")


def _without_interval(frame: pd.DataFrame, value: str) -> bool:
    return any(frames.estimate(row, value).low is None for _, row in frame.iterrows())
