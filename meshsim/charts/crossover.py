"""Where another architecture becomes the cheapest: bills over load, and a map over load and another axis."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final, Unpack

import numpy as np
from matplotlib.axes import Axes
from matplotlib.colors import to_rgb
from matplotlib.lines import Line2D
from matplotlib.patches import Patch, Rectangle

from meshsim.charts.money import money_axis, money_text
from meshsim.charts.plan_kept import approximate
from meshsim.charts.style import Canvas, Look, canvas, folded, mark_of
from meshsim.errors import UsageError

if TYPE_CHECKING:
    from meshsim.forecasting.result import Forecast, Map

_CELL_INCHES: Final = (0.72, 0.5)
_DARK: Final = 0.45  # luminance of a cell below which its text is white
_MOST_COLUMNS: Final = 20


def crossovers(found: Forecast, ax: Axes | None = None, **look: Unpack[Look]) -> Axes:
    """Draw the bill of a plan over load, and the brackets in which architectures change places by cost.

    Parameters
    ----------
    found
        What `meshsim.forecast` gives, of two architectures or more.
    ax
        Axes to draw into; None for a new figure.
    look
        See `meshsim.charts.style.Look`.

    Returns
    -------
    matplotlib.axes.Axes

    Raises
    ------
    UsageError
        There is one architecture only, or no plan at all.
    """
    if len(found.architectures) < 2:
        raise UsageError("crossovers are those of several architectures: give two, e.g. none,sidecar")
    scale = found.rate_per_s or 1.0
    with canvas(ax, look, (7.8, 4.2)) as drawn:
        main = drawn.axes[0]
        for name in found.architectures:
            _line(drawn, found, name, scale)
        if not any(month.planned for course in found.courses.values() for month in course.months):
            raise UsageError("no load has a plan: there is no cost to draw; see what the forecast says why")
        handles = [_handle(name) for name in found.architectures] + _brackets(drawn, found, scale)
        main.set_ylim(bottom=0)
        main.set_xlabel("peak load (requests/s)" if found.rate_per_s else "peak load (times today's)")
        what = "cores and memory, a month" if found.engine == "analytic" else "bill of a month"
        money_axis(main.yaxis, f"{what} ({found.currency})")
        main.legend(handles=handles, loc="upper left", bbox_to_anchor=(1.01, 1.0), labelspacing=0.8)
        drawn.set_title(f"{found.name}: which architecture is cheaper at which load")
        drawn.note(
            "Points: loads that were planned. Shaded: where two change places, from the last load at which one is "
            f"cheaper to the first at which the other is.{approximate(found.engine)}"
        )
    return main


def _line(drawn: Canvas, found: Forecast, name: str, scale: float) -> None:
    mark = mark_of(name)
    bills = {
        month.load * scale: month.planned.cents / 100
        for scenario in found.scenarios
        for month in found[name, scenario].months
        if month.planned is not None
    }
    loads = sorted(bills)
    drawn.axes[0].plot(
        loads,
        [bills[load] for load in loads],
        color=mark.colour,
        ls=mark.dash,
        marker=mark.marker,
        ms=4.5,
        lw=1.4,
        gid=f"bill {name}",
        zorder=3,
    )


def _handle(name: str) -> Line2D:
    mark = mark_of(name)
    return Line2D([], [], color=mark.colour, ls=mark.dash, marker=mark.marker, label=folded(name, 24))


def _brackets(drawn: Canvas, found: Forecast, scale: float) -> list[Line2D]:
    handles = []
    unit = "/s" if found.rate_per_s else " x"
    for one in found.crossovers:
        if one.quantity != "cost":
            continue
        colour = mark_of(one.after).colour
        low, high = one.low * scale, one.high * scale
        drawn.axes[0].axvspan(low, high, color=colour, alpha=0.3, lw=0, zorder=1, gid=f"{one.before} {one.after}")
        label = folded(f"{one.after} below {one.before} from {high:,.4g}{unit} on", 26)
        if not one.is_last:
            label = folded(f"{one.after} below {one.before} from {high:,.4g} to {one.until * scale:,.4g}{unit}", 26)
        handles.append(Line2D([], [], color=colour, lw=6, alpha=0.3, label=label))
    return handles or [Line2D([], [], ls="none", label="no crossover of cost")]


def crossover_map(found: Forecast, ax: Axes | None = None, **look: Unpack[Look]) -> Axes:
    """Draw the cheapest architecture over load and the values of a path, with its bill.

    Parameters
    ----------
    found
        What `meshsim.forecast` gives with `across`.
    ax
        Axes to draw into; None for a new figure.
    look
        See `meshsim.charts.style.Look`.

    Returns
    -------
    matplotlib.axes.Axes

    Raises
    ------
    UsageError
        It has no map, or too many loads to be read.
    """
    told = found.map
    if told is None:
        raise UsageError("this forecast has no map: give across, e.g. --across services.cart.cpu=500m,1,2")
    if len(told.loads) > _MOST_COLUMNS:
        raise UsageError(f"there are {len(told.loads)} loads; a map shows up to {_MOST_COLUMNS}: ask for fewer months")
    width, height = _CELL_INCHES
    inches = max(5.0, 2.6 + width * len(told.loads)), 1.6 + height * max(2, len(told.values))
    with canvas(ax, look, inches) as drawn:
        main = drawn.axes[0]
        names = _cells(drawn, found, told)
        main.set_xlim(0, len(told.loads))
        main.set_ylim(0, len(told.values))
        scale = found.rate_per_s or 1.0
        main.set_xticks(
            np.arange(len(told.loads)) + 0.5, labels=[f"{float(f'{load * scale:.3g}'):,g}" for load in told.loads]
        )
        main.set_yticks(np.arange(len(told.values)) + 0.5, labels=[folded(value, 18) for value in told.values])
        main.tick_params(length=0)
        main.grid(visible=False)
        main.spines[:].set_visible(False)
        main.set_xlabel("peak load (requests/s)" if found.rate_per_s else "peak load (times today's)")
        main.set_ylabel(folded(told.path, 24))
        handles = [Patch(fc=mark_of(name).colour, label=folded(name, 24)) for name in names]
        main.legend(handles=handles, loc="upper left", bbox_to_anchor=(1.01, 1.0), title="cheapest")
        drawn.set_title(f"{found.name}: the cheapest architecture")
        what = "cores and memory" if found.engine == "analytic" else "bill"
        drawn.note(f"Numbers: its {what}, a month; –: no plan.{approximate(found.engine)}")
    return main


def _cells(drawn: Canvas, found: Forecast, told: Map) -> list[str]:
    """Draw all cells; give the architectures that are the cheapest somewhere."""
    seen: dict[str, None] = {}
    for (value, load), cents in told.cents.items():
        best = told.best(value, load)
        at = told.loads.index(load), told.values.index(value)
        fill = drawn.theme.grid if best is None else mark_of(best).colour
        drawn.axes[0].add_patch(Rectangle(at, 1, 1, fc=fill, ec=drawn.theme.paper, lw=1.5, gid=best or "no plan"))
        text, colour = "–", drawn.theme.ink
        if best is not None:
            seen[best] = None
            text = money_text(float(cents[best] or 0) / 100, found.currency)
            red, green, blue = to_rgb(fill)
            colour = "white" if 0.2126 * red + 0.7152 * green + 0.0722 * blue < _DARK else "black"
        drawn.axes[0].text(
            at[0] + 0.5, at[1] + 0.5, text, ha="center", va="center", fontsize=7, color=colour, gid="cell"
        )
    return [name for name in found.architectures if name in seen]
