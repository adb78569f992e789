"""Architectures over the values of an axis: cost, how much of a limit is used, and how small they fail."""

from __future__ import annotations

import math
from typing import TYPE_CHECKING, Final, Unpack

import numpy as np
from matplotlib.axes import Axes
from matplotlib.lines import Line2D
from matplotlib.ticker import FuncFormatter

from meshsim.charts.money import money_axis
from meshsim.charts.quantities import plain
from meshsim.charts.style import Look, canvas, folded, mark_of
from meshsim.errors import UsageError

if TYPE_CHECKING:
    from meshsim.forecasting.result import Bounds, Forecast, Quantity

_PANEL_INCHES: Final = 2.1
_APART: Final = 0.09  # between marks of two architectures at one value, so that their bars can be told apart
_SHARES: Final[dict[Quantity, str]] = {
    "objective": "share of its limit that\nthe tightest objective uses (%)",
    "fails": "share of requests that\nthe worst fault harms (%)",
}


def architectures_across(found: Forecast, ax: Axes | None = None, **look: Unpack[Look]) -> Axes:
    """Draw, for each architecture, what its plan for today's load costs, uses of its limit, and how small it fails.

    Parameters
    ----------
    found
        What `meshsim.forecast` gives with `across`; with `fails` there is a third panel.
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
        It has no map, or no architecture has a plan.
    """
    told = found.map
    if told is None:
        raise UsageError("this forecast has no other axis: give across, e.g. --across copies=1,2,5")
    if not any(told.best(value, 1.0) for value in told.values):
        raise UsageError("no value has a plan: there is nothing to draw; see what the forecast says why")
    quantities = told.quantities
    inches = 7.8, 1.2 + _PANEL_INCHES * len(quantities)
    with canvas(ax, look, inches, shape=(len(quantities), 1), sharex=True) as drawn:
        for quantity, panel in zip(quantities, drawn.axes, strict=True):
            table = told.table(quantity)
            scale = 0.01 if quantity == "cost" else 1.0  # cents
            for number, name in enumerate(found.architectures):
                place = (number - (len(found.architectures) - 1) / 2) * _APART
                _line(panel, name, quantity, [table[value][name] for value in told.values], place, scale)
            panel.set_ylim(bottom=0)
            if quantity == "cost":
                what = "cores and memory,\na month" if found.engine == "analytic" else "bill of a month"
                money_axis(panel.yaxis, f"{what} ({found.currency})")
            else:
                panel.yaxis.set_major_formatter(FuncFormatter(lambda share, _: plain(100.0 * share)))
                panel.set_ylabel(_SHARES[quantity])
        last = drawn.axes[len(quantities) - 1]
        last.set_xticks(np.arange(len(told.values)), labels=[folded(value, 12) for value in told.values])
        last.set_xlim(-0.5, len(told.values) - 0.5)
        last.set_xlabel(folded(told.path, 60))
        handles = [_handle(name) for name in found.architectures]
        drawn.axes[0].legend(handles=handles, loc="upper left", bbox_to_anchor=(1.01, 1.0), labelspacing=0.8)
        drawn.set_title(f"{found.name}: architectures over {told.path}")
        bars = "Approximate: nothing was simulated." if found.engine == "analytic" else "Bars: bounds at 99 % each."
        drawn.note(f"Plans for today's load at each value. {bars} Gaps: no plan.", last)
        main: Axes = drawn.axes[0]
    return main


def _line(panel: Axes, name: str, quantity: Quantity, several: list[Bounds | None], place: float, scale: float) -> None:
    mark = mark_of(name)
    known = [None if one is None or not math.isfinite(one.value) else one for one in several]
    values, lows, highs = (
        np.array([math.nan if one is None else one[part] * scale for one in known]) for part in range(3)
    )
    at = np.arange(len(several)) + place
    panel.plot(at, values, color=mark.colour, ls=mark.dash, lw=1.2, zorder=2, gid=f"{quantity} {name}")
    panel.errorbar(
        at,
        values,
        yerr=np.maximum([values - lows, highs - values], 0.0),
        fmt=mark.marker,
        color=mark.colour,
        ms=4.5,
        capsize=2.5,
        lw=1.2,
        zorder=3,
    )


def _handle(name: str) -> Line2D:
    mark = mark_of(name)
    return Line2D([], [], color=mark.colour, ls=mark.dash, marker=mark.marker, label=folded(name, 24))
