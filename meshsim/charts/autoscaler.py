"""What an autoscaler did over time: load, replicas, utilization and p99, beside the number of a plan without one."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, Final, Unpack

import numpy as np
import numpy.typing as npt
from matplotlib.axes import Axes
from matplotlib.ticker import FuncFormatter, LogLocator, MaxNLocator, NullLocator

from meshsim.charts.quantities import Unit, plain, time_unit
from meshsim.charts.style import SERIES, Canvas, Look, canvas, folded
from meshsim.charts.told import Source, Told, sides
from meshsim.errors import UsageError
from meshsim.results.autoscaling import Autoscaled
from meshsim.results.text import duration, percent
from meshsim.results.timeline import Timeline

Floats = npt.NDArray[np.float64]

_LONG_S: Final = 900.0  # runs beyond it are told in minutes, beyond that in hours
_VERY_LONG_S: Final = 4 * 3600.0
_LABEL, _SMALL = 8.0, 7.5  # points
_WIDE: Final = 20.0  # ratio of the slowest p99 to the fastest: beyond it the axis is logarithmic


def autoscaler_day(source: Source, ax: Axes | None = None, *, service: str | None = None, **look: Unpack[Look]) -> Axes:
    """Draw what an autoscaler did over time.

    Panels share the axis of time: requests that arrived per second; replicas that the load needs, and those that were
    wanted, provisioned and ready, with the number of a plan without an autoscaler; the utilization that the autoscaler
    saw, with its target; p99 of answered requests.

    Parameters
    ----------
    source
        A `Result`, or what `meshsim.charts.read_json` gave of one.
    ax
        Axes whose place is taken; None for a new figure.
    service
        Whose autoscaler; None: the one whose replicas changed most.
    look
        See `meshsim.charts.style.Look`.

    Returns
    -------
    matplotlib.axes.Axes
        The first panel; the others follow in its figure.

    Raises
    ------
    UsageError
        There are several architectures, nothing autoscales, or not this service.
    """
    told, timeline, name = _checked(source, service)
    found = told.autoscaling[name]
    panels = (_load, _replicas, _utilization, _slowness)
    inches = (7.4, 1.4 + 1.25 * 5.0)
    with canvas(ax, look, inches, shape=(4, 1), ratios=[1.0, 2.0, 1.0, 1.0], sharex=True) as place:
        scene = _Scene(place, timeline, found, _time_unit(float(timeline.edges_s[-1])))
        for draw, one in zip(panels, place.axes, strict=True):
            draw(scene, one)
            one.set_xlim(0.0, float(timeline.edges_s[-1]) * scene.time.scale)
            one.label_outer()
        place.axes[-1].xaxis.set_major_locator(MaxNLocator(9, steps=[1, 2, 3, 4, 5, 6, 10]))
        _label(scene, told, name)
    return place.axes[0]


def _checked(source: Source, service: str | None) -> tuple[Told, Timeline, str]:
    found = sides(source)
    if len(found) > 1:
        names = ", ".join(side.architecture for side in found)
        raise UsageError(f"an autoscaler is drawn of one architecture: choose one of {names}")
    told = found[0]
    if told.timeline is None or not told.autoscaling:
        raise UsageError("there is no autoscaler to draw: nothing of the topology autoscales (docs/autoscaling.md)")
    if service is not None and service not in told.autoscaling:
        raise UsageError(f"'{service}' does not autoscale; there is {', '.join(told.autoscaling)}")
    most = max(told.autoscaling, key=lambda name: told.autoscaling[name].most - told.autoscaling[name].fewest)
    return told, told.timeline, service or most


def _time_unit(end_s: float) -> Unit:
    if end_s > _VERY_LONG_S:
        return Unit(1 / 3600, "h")
    return Unit(1 / 60, "min") if end_s > _LONG_S else Unit(1.0, "s")


@dataclass(frozen=True, slots=True)
class _Scene:
    """What every panel needs to know."""

    canvas: Canvas
    timeline: Timeline
    found: Autoscaled
    time: Unit

    def line(self, ax: Axes, edges_s: Floats, values: Floats, label: str, **looks: Any) -> None:
        """A number a step."""
        ax.plot(edges_s * self.time.scale, [*values, values[-1]], drawstyle="steps-post", label=label, **looks)

    def legend(self, ax: Axes) -> None:
        """Beside the panel."""
        ax.legend(loc="upper left", bbox_to_anchor=(1.0, 1.0), borderaxespad=0.0, fontsize=_SMALL, handlelength=2.4)


def _load(scene: _Scene, ax: Axes) -> None:
    """Requests per second."""
    timeline = scene.timeline
    batch_s = float(timeline.edges_s[1] - timeline.edges_s[0])
    rate = np.array(timeline.total.requests, dtype=np.float64) / (batch_s * timeline.replications)
    scene.line(ax, timeline.edges_s, rate, "requests", color=scene.canvas.theme.ink, lw=1.4)
    ax.set_ylim(bottom=0.0)
    ax.yaxis.set_major_locator(MaxNLocator(3))
    ax.set_ylabel("requests\nper second", fontsize=_LABEL)


def _replicas(scene: _Scene, ax: Axes) -> None:
    """Needed, wanted, provisioned and ready, and the plan without an autoscaler."""
    lines, theme = scene.found.lines, scene.canvas.theme
    edges = lines.edges_s * scene.time.scale
    ax.fill_between(
        edges, 0.0, [*lines.needed, lines.needed[-1]], step="post", color=theme.grid, lw=0, label="needed", gid="needed"
    )
    for name, look in zip(("provisioned", "ready", "wanted"), SERIES, strict=False):
        scene.line(ax, lines.edges_s, getattr(lines, name), name, color=look.colour, ls=look.dash, lw=1.4)
    static = scene.found.static_replicas
    ax.axhline(static, color=theme.muted, ls=(0, (1, 1)), lw=1.4, label="static plan", gid="static")
    ax.set_ylim(0.0, 1.08 * max(static, scene.found.most))
    ax.yaxis.set_major_locator(MaxNLocator(4, integer=True))
    ax.set_ylabel("replicas", fontsize=_LABEL)
    scene.legend(ax)


def _utilization(scene: _Scene, ax: Axes) -> None:
    """What the autoscaler saw."""
    lines, theme = scene.found.lines, scene.canvas.theme
    scene.line(ax, lines.edges_s, lines.utilization * 100, "seen", color=theme.ink, lw=1.2)
    ax.axhline(scene.found.target * 100, color=theme.muted, ls=(0, (4, 1.5)), lw=1.2, label="target", gid="target")
    ax.set_ylim(0.0, 1.08 * max(100.0, 100 * float(np.nanmax(lines.utilization, initial=0.0))))
    ax.yaxis.set_major_locator(MaxNLocator(3))
    ax.set_ylabel("CPU, of what is\nrequested (%)", fontsize=_LABEL)
    scene.legend(ax)


def _slowness(scene: _Scene, ax: Axes) -> None:
    """p99 of answered requests."""
    values = scene.timeline.total.latency_s["p99"]
    known = values[np.isfinite(values)]
    unit = time_unit(float(known.max(initial=0.0)))
    scene.line(ax, scene.timeline.edges_s, values * unit.scale, "p99", color=scene.canvas.theme.ink, lw=1.4)
    if known.size and known.max() > _WIDE * known.min():
        ax.set_yscale("log")
        ax.yaxis.set_major_locator(LogLocator(10, numticks=4))
        ax.yaxis.set_major_formatter(FuncFormatter(lambda value, _: plain(value)))
        ax.yaxis.set_minor_locator(NullLocator())
        ax.set_ylabel(f"p99\n({unit.name}, log)", fontsize=_LABEL)
    else:
        ax.set_ylim(bottom=0.0)
        ax.yaxis.set_major_locator(MaxNLocator(3))
        ax.set_ylabel(f"p99\n({unit.name})", fontsize=_LABEL)


def _label(scene: _Scene, told: Told, name: str) -> None:
    place, found = scene.canvas, scene.found
    place.set_title(f"{told.topology} under {told.architecture}: the autoscaler of {folded(name)}")
    bottom = place.axes[-1]
    bottom.set_xlabel(f"time ({scene.time.name})")
    against = f"{percent(found.saved)} fewer" if found.saved >= 0.0 else f"{percent(-found.saved)} more"
    several = f", mean of {scene.timeline.replications} replications" if scene.timeline.replications > 1 else ""
    place.note(
        f"Late by {duration(found.lag_s.value)} at most, short of replicas {percent(found.short.value)} of the time; "
        f"{against} replica-hours than with {found.static_replicas} all the time{several}. "
        f"Requests and p99: batches of {duration(float(scene.timeline.edges_s[1]))}.",
        bottom,
    )
