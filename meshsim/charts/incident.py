"""A run with events over time: who failed when, how slow answers were, how far a push had come, and who did what."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Final, Unpack

import numpy as np
import numpy.typing as npt
from matplotlib.axes import Axes
from matplotlib.textpath import TextPath
from matplotlib.ticker import MaxNLocator

from meshsim.architectures.rewrites import beside_whom
from meshsim.charts.quantities import Unit, logarithmic, time_unit
from meshsim.charts.style import SERIES, Canvas, Look, canvas, folded
from meshsim.charts.told import Source, Told, sides
from meshsim.engines.record import ALARM, BEGINS, ENDS, GOES_BACK, IS_BACK, NO_EFFECT, REJECTED
from meshsim.errors import UsageError
from meshsim.results.happenings import Happened
from meshsim.results.text import duration
from meshsim.results.timeline import Timeline, TrafficLine

Floats = npt.NDArray[np.float64]

_MARKED: Final = (BEGINS, REJECTED, ALARM, GOES_BACK, IS_BACK, ENDS)
_MOST_MARKS: Final = 12
_TOGETHER: Final = 0.015  # of the run: what one event does within it has one mark
_LONG_S: Final = 900.0  # runs beyond it are told in minutes
_SMALL, _LABEL = 7.0, 8.0  # points of a mark's label, and of a panel's
_ROW_POINTS: Final = 9.5
_TICKS_POINTS, _KEYS_POINTS = 62.0, 44.0  # beside a panel: its ticks and label; a legend without its texts
_WIDE: Final = 20.0  # ratio of the slowest p99 to the fastest: beyond it the axis is logarithmic
_GREY_DASHES: Final[tuple[Any, ...]] = ("-", (0, (4, 1.5)), (0, (1, 1)), (0, (5, 1, 1, 1)))


def incident_timeline(source: Source, ax: Axes | None = None, **look: Unpack[Look]) -> Axes:
    """Draw a run with events over time.

    Panels share the axis of time: the share of each tenant's requests that failed, with its interval; p99 of its
    answered requests; the share of proxies that have a push; replicas at work, of services and proxies where they
    changed, as a share of those that the run began with; hit ratios of caches. The last three are there if the run has
    any. Vertical lines mark what happened, at the median of the replications, with a bar above from the earliest
    to the latest where these differ. Up to five tenants are drawn: those of which most requests failed at worst.

    Parameters
    ----------
    source
        A `Result`, or what `meshsim.charts.read_json` gave of one.
    ax
        Axes to draw the failures alone into; None for a new figure with all panels.
    look
        See `meshsim.charts.style.Look`.

    Returns
    -------
    matplotlib.axes.Axes
        The panel of failures; the others follow in its figure.

    Raises
    ------
    UsageError
        There are several architectures, or the run has neither events nor control processes.
    """
    told, timeline = _checked(source)
    panels: list[_Panel] = [(_failures, 1.6), *([] if ax is not None else _others(timeline))]
    ratios = [ratio for _, ratio in panels]
    marks = _marks(timeline)
    inches = (7.4, 1.4 + 1.25 * sum(ratios))
    with canvas(ax, look, inches, shape=(len(panels), 1), ratios=ratios, sharex=True) as found:
        time = Unit(1 / 60, "min") if timeline.edges_s[-1] > _LONG_S else Unit(1.0, "s")
        scene = _Scene(found, timeline, time, _tenants(timeline), is_alone=ax is not None)
        for (draw, _), one in zip(panels, found.axes, strict=True):
            draw(scene, one)
            scene.mark(one, marks)
            if not scene.is_alone:
                one.label_outer()
        rows = scene.name_marks(found.axes[0], marks)
        _label(scene, told, rows, marks)
    return found.axes[0]


def _checked(source: Source) -> tuple[Told, Timeline]:
    found = sides(source)
    if len(found) > 1:
        names = ", ".join(side.architecture for side in found)
        raise UsageError(f"a timeline is drawn of one architecture: choose one of {names}")
    if found[0].timeline is None:
        raise UsageError("there is no timeline to draw: the topology has no events (docs/failures.md)")
    return found[0], found[0].timeline


def _others(timeline: Timeline) -> list[_Panel]:
    some = ((_pushes, timeline.pushes), (_capacity, _capacities(timeline)), (_caches, _hit_ratios(timeline)))
    return [(_slowness, 1.0), *((draw, 1.0) for draw, lines in some if lines)]


def _tenants(timeline: Timeline) -> list[str]:
    """Those that are drawn: where most requests failed at worst, then where there are most requests; by name."""

    def worst(name: str) -> tuple[float, int]:
        line = timeline.by_tenant[name]
        return -max((one.value or 0.0 for one in line.error_share), default=0.0), -sum(line.requests)

    return sorted(sorted(timeline.by_tenant, key=worst)[: len(SERIES)])


# -- marks -------------------------------------------------------------------------------------------------------


@dataclass(frozen=True, slots=True)
class _Mark:
    """What one event (or people) did at one time, as the axis tells times apart."""

    at_s: float
    first_s: float
    last_s: float
    label: str
    is_uncertain: bool


def _marks(timeline: Timeline) -> list[_Mark]:
    together_s = _TOGETHER * float(timeline.edges_s[-1])
    groups: list[list[Happened]] = []
    idle = {one.who for one in timeline.happenings if one.what == NO_EFFECT}
    for one in timeline.happenings:
        if one.what not in _MARKED or one.ordinal > 1 or one.who in idle:
            continue
        near = [group for group in groups if group[0].who == one.who and one.median_s - group[0].median_s < together_s]
        if near:
            near[-1].append(one)
        else:
            groups.append([one])
    return [_mark(group, together_s) for group in groups[:_MOST_MARKS]]


def _mark(group: Sequence[Happened], together_s: float) -> _Mark:
    label = f"{group[0].who}: {', '.join(one.what for one in group)}"
    first_s, last_s = min(one.first_s for one in group), max(one.last_s for one in group)
    return _Mark(group[0].median_s, first_s, last_s, label, last_s - first_s > together_s)


def _rows_of(starts: Sequence[float], widths: Sequence[float]) -> list[int]:
    """Rows for labels that begin at their marks, from left to right, so that none lies on another or its leader.

    Examples
    --------
    >>> _rows_of([0.0, 5.0, 30.0], [10.0, 10.0, 10.0])
    [1, 0, 0]
    """
    begins: list[float] = []  # of the leftmost label in each row so far, which come from the right
    rows = []
    for start, width in zip(reversed(starts), reversed(widths), strict=True):
        row = len(begins)
        while row and start + width < min(begins[row - 1 :]):
            row -= 1
        begins[row : row + 1] = [start]
        rows.append(row)
    return rows[::-1]


# -- drawing -----------------------------------------------------------------------------------------------------


@dataclass(frozen=True, slots=True)
class _Scene:
    """What every panel needs to know."""

    canvas: Canvas
    timeline: Timeline
    time: Unit
    tenants: list[str]
    is_alone: bool

    @property
    def edges(self) -> Floats:
        """Of the batches, in the unit of the axis."""
        scaled: Floats = self.timeline.edges_s * self.time.scale
        return scaled

    def line(self, ax: Axes, values: Floats, label: str, **looks: Any) -> None:
        """A number a batch as steps."""
        ax.plot(self.edges, [*values, values[-1]], drawstyle="steps-post", label=label, **looks)

    def greys(self) -> list[dict[str, Any]]:
        """Looks of lines that are no tenants."""
        theme = self.canvas.theme
        return [
            {"color": colour, "ls": dash, "lw": 1.2} for colour in (theme.ink, theme.muted) for dash in _GREY_DASHES
        ]

    def legend(self, ax: Axes) -> None:
        """Beside the panel, or within axes that somebody gave, beside which there may be others."""
        place: dict[str, Any] = {"loc": "upper right"} if self.is_alone else {
            "loc": "upper left", "bbox_to_anchor": (1.0, 1.0), "borderaxespad": 0.0
        }  # fmt: skip
        ax.legend(**place, fontsize=_SMALL + 0.5, handlelength=2.4)

    def mark(self, ax: Axes, marks: Sequence[_Mark]) -> None:
        """Vertical lines, and the time that other numbers leave out."""
        theme, scale = self.canvas.theme, self.time.scale
        if self.timeline.warmup_s:
            ax.axvspan(0.0, self.timeline.warmup_s * scale, color=theme.grid, alpha=0.6, lw=0, zorder=0, gid="warm-up")
        for mark in marks:
            ax.axvline(mark.at_s * scale, color=theme.muted, lw=0.8, zorder=1.5, gid=f"mark {mark.label}")
        ax.set_xlim(0.0, self.edges[-1])

    def name_marks(self, ax: Axes, marks: Sequence[_Mark]) -> int:
        """Write labels above a panel, in as many rows as they need."""
        if not marks:
            return 0
        theme = self.canvas.theme
        starts = [mark.at_s * self.time.scale / self.edges[-1] * self._width() for mark in marks]
        rows = _rows_of(starts, [_points(mark.label) + 6.0 for mark in marks])
        for mark, row in zip(marks, rows, strict=True):
            if mark.is_uncertain:
                ends, place = np.array([mark.first_s, mark.last_s]) * self.time.scale, ax.get_xaxis_transform()
                look: dict[str, Any] = {"color": theme.muted, "lw": 3.0, "solid_capstyle": "butt", "clip_on": False}
                ax.plot(ends, [1.0, 1.0], transform=place, gid=f"range {mark.label}", **look)
            ax.annotate(
                mark.label,
                (mark.at_s * self.time.scale, 1.0),
                (2.0, 2.0 + row * _ROW_POINTS),
                xycoords=ax.get_xaxis_transform(),
                textcoords="offset points",
                va="bottom",
                fontsize=_SMALL,
                color=theme.ink,
            )
            ax.annotate(
                "",
                (mark.at_s * self.time.scale, 1.0),
                (0.0, (row + 1) * _ROW_POINTS),
                xycoords=ax.get_xaxis_transform(),
                textcoords="offset points",
                arrowprops={"arrowstyle": "-", "color": theme.muted, "lw": 0.8, "shrinkA": 0, "shrinkB": 0},
            )
        return max(rows) + 1

    def _width(self) -> float:
        """Points that a panel is going to be wide, at least."""
        whole: float = self.canvas.part.bbox.width / self.canvas.figure.dpi * 72
        if self.is_alone:
            return whole * self.canvas.axes[0].get_position().width
        names = [*self.tenants, *self.timeline.pushes, *_capacities(self.timeline), *_hit_ratios(self.timeline)]
        legend = _KEYS_POINTS + max(_points(folded(name, 22)) for name in names)
        return max(whole - _TICKS_POINTS - legend, whole / 4)


_Panel = tuple[Callable[[_Scene, Axes], None], float]  # what draws it, and its height beside the others


def _points(text: str) -> float:
    """Width of a small text of one line or more."""
    widths = (TextPath((0.0, 0.0), line, size=_SMALL).get_extents().width for line in text.splitlines() if line)
    return max((float(width) for width in widths), default=0.0)


def _capacities(timeline: Timeline) -> dict[str, Floats]:
    """Replicas at work as a share of those at the beginning, where that changed: where most, if there are many.

    A sidecar has a line of its own only if its fate was another one than that of its service.
    """
    found = {name: line.working_replicas / line.working_replicas[0] for name, line in timeline.by_service.items()}

    def is_its_own(name: str) -> bool:
        service = beside_whom(name)
        return service == name or service not in found or not np.array_equal(found[name], found[service])

    return _most_moved({name: share for name, share in found.items() if np.ptp(share) > 0 and is_its_own(name)})


def _hit_ratios(timeline: Timeline) -> dict[str, Floats]:
    """Of the caches that are drawn: those whose ratio changes most, if there are many."""
    found = {
        f"{service}.{cache}": ratio
        for service, line in timeline.by_service.items()
        for cache, ratio in line.hit_ratio.items()
    }
    return _most_moved(found)


def _most_moved(lines: Mapping[str, Floats]) -> dict[str, Floats]:
    moved = sorted(lines, key=lambda name: -float(np.nanmax(lines[name]) - np.nanmin(lines[name])))
    return {name: lines[name] for name in sorted(moved[: len(_GREY_DASHES)])}


def _failures(scene: _Scene, ax: Axes) -> None:
    """Shares of requests that failed: a line a tenant, and its interval as a band."""
    highest = widest = 0.01
    for name, look in zip(scene.tenants, SERIES, strict=False):
        shares = scene.timeline.by_tenant[name].error_share
        values, lows, highs = (
            np.array([np.nan if (end := getattr(one, key)) is None else 100 * end for one in shares])
            for key in ("value", "low", "high")
        )
        band: dict[str, Any] = {"color": look.colour, "alpha": 0.16, "lw": 0, "gid": f"interval {name}"}
        ax.fill_between(scene.edges, [*lows, lows[-1]], [*highs, highs[-1]], step="post", **band)
        scene.line(ax, values, folded(name, 22), color=look.colour, ls=look.dash, lw=1.4)
        highest = max(highest, float(np.nanmax(values, initial=0.0)))
        widest = max(widest, float(np.nanmax(highs, initial=0.0)))
    ax.set_ylim(0.0, min(103.0, max(1.0, 1.25 * highest, 1.04 * widest)))
    ax.set_ylabel("failed\nrequests (%)", fontsize=_LABEL)
    scene.legend(ax)


def _slowness(scene: _Scene, ax: Axes) -> None:
    """p99 of answered requests: a line a tenant."""
    lines: Mapping[str, TrafficLine] = scene.timeline.by_tenant
    values = {name: lines[name].latency_s["p99"] for name in scene.tenants}
    known = np.concatenate([found[np.isfinite(found)] for found in values.values()])
    unit = time_unit(float(known.max(initial=0.0)))
    for (name, found), look in zip(values.items(), SERIES, strict=False):
        scene.line(ax, found * unit.scale, folded(name, 22), color=look.colour, ls=look.dash, lw=1.4)
    if known.size and known.max() > _WIDE * known.min():
        ax.set_yscale("log")
        logarithmic(ax.yaxis, *ax.get_ylim())
        ax.set_ylabel(f"p99 ({unit.name},\nlogarithmic)", fontsize=_LABEL)
    else:
        ax.set_ylim(bottom=0.0)
        ax.yaxis.set_major_locator(MaxNLocator(4))
        ax.set_ylabel(f"p99\n({unit.name})", fontsize=_LABEL)


def _pushes(scene: _Scene, ax: Axes) -> None:
    """How far pushes had come: a line a push."""
    for (name, spread), look in zip(scene.timeline.pushes.items(), scene.greys(), strict=False):
        at = np.array([0.0, *spread.at_s, scene.timeline.edges_s[-1]]) * scene.time.scale
        share = np.array([0.0, *spread.share, spread.share[-1]]) * 100
        ax.fill_between(at, 0.0, share, step="post", color=look["color"], alpha=0.12, lw=0)
        ax.plot(at, share, drawstyle="steps-post", label=folded(name, 22), **look)
    ax.set_ylim(0.0, 103.0)
    ax.set_ylabel("pushed\n(%)", fontsize=_LABEL)
    scene.legend(ax)


def _capacity(scene: _Scene, ax: Axes) -> None:
    """Replicas at work: a line a service or proxy."""
    highest = 1.0
    for (name, share), look in zip(_capacities(scene.timeline).items(), scene.greys(), strict=False):
        scene.line(ax, share * 100, folded(name, 22), **look)
        highest = max(highest, float(share.max()))
    ax.set_ylim(0.0, 103.0 * highest)
    ax.set_ylabel("at work\n(%)", fontsize=_LABEL)
    scene.legend(ax)


def _caches(scene: _Scene, ax: Axes) -> None:
    """Hit ratios: a line a cache."""
    for (name, ratio), look in zip(_hit_ratios(scene.timeline).items(), scene.greys(), strict=False):
        scene.line(ax, ratio * 100, folded(name, 22), **look)
    ax.set_ylim(0.0, 103.0)
    ax.set_ylabel("hit ratio\n(%)", fontsize=_LABEL)
    scene.legend(ax)


def _label(scene: _Scene, told: Told, rows: int, marks: Sequence[_Mark]) -> None:
    found, timeline = scene.canvas, scene.timeline
    top, bottom = found.axes[0], found.axes[-1]
    found.set_title(f"{told.topology} under {told.architecture}: what happened")
    top.set_title(top.get_title(loc="left"), loc="left", pad=6.0 + rows * _ROW_POINTS)
    bottom.set_xlabel(f"time ({scene.time.name})")
    several = timeline.replications > 1
    intervals = (
        f"Bands: {told.level * 100:g} % intervals over replications" if several else "One replication: no intervals"
    )
    batch = duration(float(timeline.edges_s[1]))
    parts = [f"Steps: batches of {batch}, by the time when requests arrived.", f"{intervals}."]
    if marks:
        bars = "; bars on top: earliest to latest" if any(mark.is_uncertain for mark in marks) else ""
        parts.append(f"Vertical lines: {'median times of ' if several else ''}what happened{bars}.")
    if not scene.is_alone and _capacities(timeline):
        parts.append("At work: 100 % are the replicas that the run began with.")
    if timeline.warmup_s:
        parts.append("Grey: warm-up.")
    left_out = len(timeline.by_tenant) - len(scene.tenants)
    if left_out:
        parts.append(f"{left_out} tenants with fewer failures are not drawn.")
    found.note(" ".join(parts), bottom)
