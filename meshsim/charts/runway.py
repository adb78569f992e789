"""Capacity runway: load by month against what each architecture's deployment of today carries."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, Any, Final, Unpack

from matplotlib.axes import Axes
from matplotlib.lines import Line2D
from matplotlib.ticker import MaxNLocator

from meshsim.charts.plan_kept import approximate
from meshsim.charts.quantities import plain
from meshsim.charts.style import Canvas, Look, canvas, folded, mark_of

if TYPE_CHECKING:
    from meshsim.forecasting.result import Forecast

#: Of the base, and of further scenarios.
SCENARIO_DASHES: Final[Sequence[Any]] = ("-", (0, (5, 2)), (0, (1.5, 1.5)), (0, (6, 1.5, 1.5, 1.5)))
_TURN: Final = 6.0  # length of a piece of a line that shares its place, in widths of the line
_ROOM: Final = 1.08  # above the highest load
_APART: Final = 0.16  # months between marks of architectures, which would lie on each other


def capacity_runway(found: Forecast, ax: Axes | None = None, **look: Unpack[Look]) -> Axes:
    """Draw the load of each month against what today's deployments carry, and mark when they run out.

    A band is from the largest load that a deployment was seen to carry to the smallest that it was seen not to. What
    carries all loads that were looked at has no band.

    Parameters
    ----------
    found
        What `meshsim.forecast` gives.
    ax
        Axes to draw into; None for a new figure.
    look
        See `meshsim.charts.style.Look`.

    Returns
    -------
    matplotlib.axes.Axes
    """
    scale = found.rate_per_s or 1.0
    with canvas(ax, look, (7.8, 4.2)) as drawn:
        main = drawn.axes[0]
        handles = _loads(drawn, found, scale)
        for number, name in enumerate(found.architectures):
            handles.append(_carried(drawn, found, name, scale, _dash(found, name)))
            _marks(drawn, found, name, scale, (number - (len(found.architectures) - 1) / 2) * _APART)
        top = max(load for factors in found.scenarios.values() for load in factors) * scale
        main.set_ylim(0, top * _ROOM)
        main.set_xlim(0, found.months)
        main.margins(x=0.02)
        main.xaxis.set_major_locator(MaxNLocator(12, integer=True))
        main.set_xlabel("month (0: today)")
        main.set_ylabel("peak load (requests/s)" if found.rate_per_s else "peak load (times today's)")
        main.legend(handles=handles, loc="upper left", bbox_to_anchor=(1.01, 1.0), labelspacing=0.8)
        drawn.set_title(f"{found.name}: when what is there today runs out ({found.loss.told})")
        drawn.note(
            "Bands: from the largest load seen to be carried to the smallest seen not to. Marks: the first month whose "
            f"load is not carried, side by side where they share it.{_shared(found)}{approximate(found.engine)}"
        )
    return main


def _shared(found: Forecast) -> str:
    several = any(len(_together(found, name)) > 1 for name in found.architectures)
    return " Lines that lie on each other take turns." if several else ""


def _loads(drawn: Canvas, found: Forecast, scale: float) -> list[Line2D]:
    handles = []
    for number, (name, factors) in enumerate(found.scenarios.items()):
        dash = SCENARIO_DASHES[number % len(SCENARIO_DASHES)]
        label = "load" if len(found.scenarios) == 1 else f"load, {folded(name, 20)}"
        (line,) = drawn.axes[0].plot(
            range(len(factors)),
            [load * scale for load in factors],
            color=drawn.theme.ink,
            ls=dash,
            lw=1.4,
            zorder=2,
            gid=f"load {name}",
            label=label,
        )
        handles.append(line)
    return handles


def _together(found: Forecast, name: str) -> list[str]:
    """Architectures whose lines lie on each other; of those that have one."""
    held = found.carries[name].held
    return [
        other
        for other in found.architectures
        if found.carries[other].broke is not None and found.carries[other].held == held
    ]


def _dash(found: Forecast, name: str) -> Any:
    """A line's own dash, or its turn where several lie on each other."""
    together = _together(found, name)
    if len(together) < 2 or name not in together:
        return mark_of(name).dash
    return (-together.index(name) * _TURN, (_TURN, (len(together) - 1) * _TURN))


def _carried(drawn: Canvas, found: Forecast, name: str, scale: float, dash: Any) -> Line2D:
    carries, mark, main = found.carries[name], mark_of(name), drawn.axes[0]
    if carries.held is not None and carries.broke is not None:
        main.axhspan(
            carries.held * scale, carries.broke * scale, color=mark.colour, alpha=0.15, lw=0, gid=f"band {name}"
        )
        main.axhline(carries.held * scale, color=mark.colour, ls=dash, lw=1.8, zorder=1, gid=f"carries {name}")
    label = f"{folded(name, 24)}\n{folded(_words(found, name, scale), 28)}"
    return Line2D([], [], color=mark.colour, ls=mark.dash, marker=mark.marker, label=label)


def _words(found: Forecast, name: str, scale: float) -> str:
    carries = found.carries[name]
    unit = "/s" if found.rate_per_s else " x"
    months = {
        course.runs_out.month for (which, _), course in found.courses.items() if which == name and course.runs_out
    }
    earliest = " at the earliest" if len(found.scenarios) > 1 else ""
    until = f", runs out in month {min(months)}{earliest}" if months else ""
    if carries.held is None:
        return "does not carry today's load"
    told = f"{plain(float(f'{carries.held * scale:.3g}'))}{unit}"
    return f"carries {told} at least" if carries.broke is None else f"carries {told}{until}"


def _marks(drawn: Canvas, found: Forecast, name: str, scale: float, shift: float) -> None:
    mark = mark_of(name)
    for scenario, factors in found.scenarios.items():
        out = found[name, scenario].runs_out
        if out is not None:
            drawn.axes[0].plot(
                out.month + shift,
                factors[out.month] * scale,
                color=mark.colour,
                marker=mark.marker,
                ms=8,
                zorder=4,
                clip_on=False,
                gid=f"out {name} {scenario}",
                mec=drawn.theme.paper,
            )
