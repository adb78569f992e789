"""Latency and goodput against load, up to the knee and beyond."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Final, Unpack

import numpy as np
from matplotlib.axes import Axes
from matplotlib.lines import Line2D

from meshsim.charts import frames
from meshsim.charts.quantities import Quantity, arms, axis_label, logarithmic, numbers_of, plain, quantity
from meshsim.charts.style import Canvas, Look, canvas, folded, mark_of
from meshsim.errors import UsageError
from meshsim.results.intervals import Estimate
from meshsim.results.text import duration

if TYPE_CHECKING:
    import pandas as pd

_LATENCY, _GOODPUT, _OFFERED = "p99_s", "goodput_per_s", "offered_per_s"
_LINE_WIDER, _MARK_WIDER = 1.6, 2.2  # points, of a line behind another one
_ROOM: Final = 0.05  # of the axis above the highest point
_MOST_WIDER: Final = 3
_KNEE: Final = 2.0  # times the latency at the lowest load (assumed: a rule of thumb, not a law)


def load_curve(
    points: pd.DataFrame, ax: Axes | None = None, *, objective_s: float | None = None, **look: Unpack[Look]
) -> Axes:
    """Draw p99 latency and goodput against load, a line an architecture.

    The knee of each line is marked by a vertical line, or by a band where intervals leave it open; see `knee_range`.
    Points without a steady state are hollow: their latency grows with the length of the run, so only that it is too
    high means anything. So are points without an interval. Points at which more than 1 % of the requests failed are
    crossed: what is drawn is p99 of the answered ones, and counting failed ones as infinitely slow, as objectives do,
    p99 is infinite.

    Parameters
    ----------
    points
        A row a point: columns ``architecture``, ``run.load``, ``verdict``, ``p99_s`` and ``goodput_per_s`` with their
        ``_low`` and ``_high``; ``availability``, if there, tells where requests failed, and ``offered_per_s`` is what
        goodput cannot exceed.
    ax
        Axes whose place is taken; None for a new figure.
    objective_s
        Latency to keep at p99, in seconds; drawn as a line.
    look
        See `meshsim.charts.style.Look`.

    Returns
    -------
    matplotlib.axes.Axes
        The panel of latencies; that of goodput follows in its figure.

    Raises
    ------
    UsageError
        A column is missing, a load is there twice, there are no latencies at all, or points of a line differ in more
        than their load: other axes have to rise or fall with it.
    """
    _check(points, objective_s)
    largest = max(_finite(points[name]).max(initial=0.0) for name in (_LATENCY, f"{_LATENCY}_high"))
    latency = quantity(_LATENCY, max(largest, objective_s or 0.0))
    with canvas(ax, look, (6.6, 5.6), shape=(2, 1), ratios=(3, 2), sharex=True) as found:
        names = frames.architectures(points)
        for number, name in enumerate(names):
            rows = points[points[frames.ARCHITECTURE] == name].sort_values(frames.LOAD)
            wider = min(_MOST_WIDER, len(names) - 1 - number)
            _draw(found, found.axes[0], rows, name, _LATENCY, latency, wider)
            _draw(found, found.axes[1], rows, name, _GOODPUT, quantity(_GOODPUT, 0.0), wider)
            _draw_knee(found, rows, name)
        _draw_offered(found, points)
        _label(found, points, latency, objective_s)
    return found.axes[0]


def knee(points: pd.DataFrame) -> float | None:
    """Load up to which an architecture's latency stays flat.

    The last load before the first point that is unstable or whose p99 is not below twice that at the lowest load. That
    is a rule of thumb (assumed), made to compare architectures; objectives decide what load is acceptable.

    Parameters
    ----------
    points
        Rows of one architecture; see `load_curve`.

    Returns
    -------
    float or None
        None where the lowest load is beyond it already.
    """
    rows = points.sort_values(frames.LOAD)
    found, limit = None, None
    for _, row in rows.iterrows():
        p99 = frames.estimate(row, _LATENCY).value
        limit = limit if limit is not None or p99 is None else _KNEE * p99
        if _is_beyond(row) or p99 is None or limit is None or p99 >= limit:
            break
        found = float(row[frames.LOAD])
    return found


def knee_range(points: pd.DataFrame) -> tuple[float, float] | None:
    """Loads between which the knee is, as far as the intervals tell: equal where they decide it.

    Parameters
    ----------
    points
        Rows of one architecture; see `load_curve`.

    Returns
    -------
    tuple of float, or None
        The last load before the first point that may be beyond the knee, and before the first that surely is. None
        where the lowest load is beyond it already.
    """
    rows = [row for _, row in points.sort_values(frames.LOAD).iterrows()]
    base = frames.estimate(rows[0], _LATENCY)
    if _is_beyond(rows[0]) or base.value is None:
        return None
    surely_below = possibly_below = float(rows[0][frames.LOAD])
    open_end = False
    for row in rows[1:]:
        p99 = frames.estimate(row, _LATENCY)
        if _is_beyond(row) or p99.value is None or (_ends(p99)[0] >= _KNEE * _ends(base)[1]):
            break
        open_end = open_end or not _ends(p99)[1] < _KNEE * _ends(base)[0]
        possibly_below = float(row[frames.LOAD])
        surely_below = surely_below if open_end else possibly_below
    return surely_below, possibly_below


def _is_beyond(row: pd.Series) -> bool:
    return frames.unstable(row) or frames.failed(row, _LATENCY)


def _ends(estimate: Estimate) -> tuple[float, float]:
    """Ends of the interval; anything if it is unknown."""
    low, high = estimate.low, estimate.high
    return (0.0, np.inf) if low is None or high is None else (low, high)


def _check(points: pd.DataFrame, objective_s: float | None) -> None:
    columns = [*frames.interval_columns(_LATENCY), *frames.interval_columns(_GOODPUT)]
    needed = [frames.ARCHITECTURE, frames.LOAD, frames.VERDICT, *columns]
    frames.check(points, needed, (frames.ARCHITECTURE, frames.LOAD))
    frames.check_numbers(points, [frames.LOAD, *columns, _OFFERED])
    _check_lines(points)
    if not _finite(points[_LATENCY]).size:
        raise UsageError(f"column '{_LATENCY}' of the sweep has no number: there is no latency to draw")
    if objective_s is not None and not objective_s > 0:
        raise UsageError(f"the objective must be longer than 0 s, not {objective_s:g} s")


def _check_lines(points: pd.DataFrame) -> None:
    """A line joins points of one system at several loads, or of one that grows with its load."""
    for name in frames.architectures(points):
        rows = points[points[frames.ARCHITECTURE] == name].sort_values(frames.LOAD)
        for other in frames.varying(rows):
            if other != frames.LOAD and not _follows(rows[other]):
                raise UsageError(
                    f"points of {name} differ in {other} too, so that no line joins them: keep one value of it "
                    "(--where), or draw a heatmap or a scatter"
                )


def _follows(column: pd.Series) -> bool:
    """Whether values rise or fall with the load that they are sorted by."""
    found = numbers_of(column.tolist())
    if found is None:
        return False
    steps = np.diff(found[0])
    return bool((steps >= 0).all() or (steps <= 0).all())


def _finite(column: pd.Series) -> np.ndarray[tuple[int], np.dtype[np.float64]]:
    found = column.to_numpy(dtype=np.float64)
    kept: np.ndarray[tuple[int], np.dtype[np.float64]] = found[np.isfinite(found)]
    return kept


def _draw(found: Canvas, ax: Axes, rows: pd.DataFrame, name: str, column: str, shown: Quantity, wider: int) -> None:
    """A line; `wider` by as many steps as there are lines before it, which would hide it where they coincide."""
    mark, scale = mark_of(name), shown.unit.scale
    known = rows[np.isfinite(rows[column].astype(float))]
    look: dict[str, Any] = {"color": mark.colour, "ls": mark.dash, "lw": 1.3 + _LINE_WIDER * wider}
    ax.plot(known[frames.LOAD], known[column] * scale, label=folded(name), **look)
    for _, row in known.iterrows():
        bars = arms(frames.estimate(row, column), scale)
        hollow = bars is None or frames.unstable(row)
        ax.errorbar(
            *(row[frames.LOAD], row[column] * scale),
            yerr=bars,
            color=mark.colour,
            marker=mark.marker,
            mfc=found.theme.paper if hollow else mark.colour,
            ms=5.0 + _MARK_WIDER * wider,
            lw=1.0,
            zorder=3,
            label="_hollow" if hollow else "_sure",
            gid=name,
        )
        if frames.failed(row, column):
            ax.plot(row[frames.LOAD], row[column] * scale, "x", color=found.theme.ink, ms=9, zorder=4, gid="failed")


def _draw_knee(found: Canvas, rows: pd.DataFrame, name: str) -> None:
    between = knee_range(rows)
    if between is None or between[0] == rows[frames.LOAD].max():
        return
    colour = mark_of(name).colour
    for ax in found.axes:
        if between[0] == between[1]:
            ax.axvline(between[0], color=colour, ls=(0, (1, 2)), lw=1.2, zorder=1, gid=f"knee {name}")
        else:
            ax.axvspan(*between, color=colour, alpha=0.1, lw=0, zorder=0, gid=f"knee {name}")


def _draw_offered(found: Canvas, points: pd.DataFrame) -> None:
    if _OFFERED not in points.columns:
        return
    offered = points.dropna(subset=[_OFFERED]).groupby(frames.LOAD)[_OFFERED].max()
    found.axes[1].plot(offered.index, offered, color=found.theme.muted, lw=0.9, ls="--", zorder=1, label="offered")
    found.axes[1].legend(handles=found.axes[1].get_lines()[-1:], loc="lower right")


def _label(found: Canvas, points: pd.DataFrame, latency: Quantity, objective_s: float | None) -> None:
    top, bottom = found.axes
    top.set_yscale("log")
    if objective_s is not None:
        limit = objective_s * latency.unit.scale
        top.axhline(limit, color=found.theme.ink, lw=1.0, ls="-.", zorder=2, gid="objective")
        text: dict[str, Any] = {
            "xycoords": ("axes fraction", "data"),
            "textcoords": "offset points",
            "va": "bottom",
            "fontsize": 8,
        }
        top.annotate(f"objective {duration(objective_s)}", (0, limit), (4, 2), **text)
    low, high = top.get_ylim()
    top.set_ylim(low, high * (high / low) ** _ROOM)
    logarithmic(top.yaxis, *top.get_ylim())
    top.set_ylabel(latency.label.replace(")", ", logarithmic)"))
    top.tick_params(labelbottom=False)
    bottom.set_ylim(bottom=0)
    bottom.set_ylabel("goodput (requests/s)")
    bottom.set_xlabel(axis_label(frames.LOAD))
    top.legend(handles=_handles(found, points), loc="upper left", bbox_to_anchor=(1.0, 1.0))
    found.set_title(frames.titled(points, "p99 latency and goodput against load"))
    found.note(_note(points), bottom)


def _note(points: pd.DataFrame) -> str:
    note = (
        "Bars: 95 % intervals. Dotted vertical lines: knee, the last load before p99 doubles or the system is unstable"
    )
    note += "; bands: the intervals leave it open there."
    if len(frames.architectures(points)) > 1:
        note += " Lines further behind are wider, to be seen where several coincide."
    rows = [row for _, row in points.iterrows()]
    if any(frames.unstable(row) for row in rows):
        note += " Hollow: unstable, the latency grows with the run"
        note += ", or no interval." if any(frames.estimate(row, _LATENCY).low is None for row in rows) else "."
    elif any(frames.estimate(row, _LATENCY).low is None for row in rows):
        note += " Hollow: too short for an interval."
    if any(frames.failed(row, _LATENCY) for row in rows):
        note += " Crossed: more than 1 % of the requests failed; p99 is of the others, and misses every objective."
    return note


def _handles(found: Canvas, points: pd.DataFrame) -> list[Line2D]:
    """A line an architecture, with its knee in words, because knees may lie on each other."""
    handles = []
    for name in frames.architectures(points):
        rows, mark = points[points[frames.ARCHITECTURE] == name], mark_of(name)
        words = _knee_words(knee_range(rows), rows[frames.LOAD].max())
        label = f"{folded(name, 22)}\n{folded(words, 22)}"
        handles.append(Line2D([], [], color=mark.colour, marker=mark.marker, ls=mark.dash, label=label))
    return handles


def _knee_words(between: tuple[float, float] | None, largest: float) -> str:
    if between is None:
        return "beyond its knee from the start"
    low, high = between
    if high == largest:
        return f"no knee up to {plain(high)}" if low == high else f"knee from {plain(low)} on, or none: undecided"
    return f"knee at {plain(low)}" if low == high else f"knee between {plain(low)} and {plain(high)}"
