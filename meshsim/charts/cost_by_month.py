"""The bill by month: a line an architecture, a mark where something is bought, a band over the scenarios."""

from __future__ import annotations

import math
from typing import TYPE_CHECKING, Any, Unpack

import numpy as np
from matplotlib.axes import Axes
from matplotlib.lines import Line2D
from matplotlib.ticker import MaxNLocator

from meshsim.charts.money import money_axis
from meshsim.charts.plan_kept import approximate
from meshsim.charts.quantities import arms
from meshsim.charts.runway import SCENARIO_DASHES
from meshsim.charts.style import Canvas, Look, canvas, folded, mark_of
from meshsim.errors import UsageError

if TYPE_CHECKING:
    from meshsim.forecasting.result import Course, Forecast


def cost_by_month(found: Forecast, ax: Axes | None = None, **look: Unpack[Look]) -> Axes:
    """Draw the bill of each month; marks are months in which replicas are bought.

    The line is the base; thin lines are the other scenarios, and a band reaches over all of them. Months without a plan
    are left out.

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

    Raises
    ------
    UsageError
        There is no plan at all.
    """
    bills = {key: _bills(course) for key, course in found.courses.items()}
    if not any(math.isfinite(bill) for several in bills.values() for bill in several):
        raise UsageError("no month has a plan: there is no cost to draw; see what the forecast says why")
    with canvas(ax, look, (7.8, 4.2)) as drawn:
        main = drawn.axes[0]
        for name in found.architectures:
            _band(drawn, found, name, bills)
            for number, scenario in enumerate(found.scenarios):
                _line(drawn, found[name, scenario], bills[name, scenario], number)
        main.set_ylim(bottom=0)
        main.set_xlim(-0.5, found.months + 0.5)
        main.xaxis.set_major_locator(MaxNLocator(12, integer=True))
        main.set_xlabel("month (0: today)")
        what = "cores and memory, a month" if found.engine == "analytic" else "bill of a month"
        money_axis(main.yaxis, f"{what} ({found.currency})")
        main.legend(handles=_handles(drawn, found), loc="upper left", bbox_to_anchor=(1.01, 1.0), labelspacing=0.8)
        drawn.set_title(f"{found.name}: cost by month")
        drawn.note(f"Marks: months in which replicas are bought{_more(found)}.{_how_sure(found)}")
    return main


def _how_sure(found: Forecast) -> str:
    return approximate(found.engine) or " Whiskers: bounds of the bill at 99 % each."


def _more(found: Forecast) -> str:
    several = "; bands: from the cheapest to the dearest scenario" if len(found.scenarios) > 1 else ""
    gaps = any(month.planned is None for course in found.courses.values() for month in course.months)
    return several + ("; gaps: no plan" if gaps else "")


def _bills(course: Course) -> list[float]:
    return [math.nan if one.planned is None else one.planned.cents / 100 for one in course.months]


def _line(drawn: Canvas, course: Course, bills: list[float], number: int) -> None:
    mark, main = mark_of(course.architecture), drawn.axes[0]
    style: dict[str, Any] = {"color": mark.colour, "gid": f"{course.architecture} {course.scenario}"}
    if number == 0:
        main.plot(range(len(bills)), bills, drawstyle="steps-mid", ls=mark.dash, lw=1.8, zorder=3, **style)
        _whiskers(drawn, course)
    else:
        dash = SCENARIO_DASHES[number % len(SCENARIO_DASHES)]
        main.plot(range(len(bills)), bills, drawstyle="steps-mid", ls=dash, lw=0.9, zorder=2, **style)
    buys = [one.number for one in course.months if any(count > 0 for count in one.purchases.values())]
    main.plot(
        buys,
        [bills[month] for month in buys],
        ls="none",
        marker=mark.marker,
        color=mark.colour,
        mfc=mark.colour if number == 0 else drawn.theme.paper,
        ms=6 if number == 0 else 4,
        zorder=4,
        gid=f"buys {course.architecture} {course.scenario}",
    )


def _whiskers(drawn: Canvas, course: Course) -> None:
    """Bounds of the bills, where they were simulated."""
    mark = mark_of(course.architecture)
    for month in course.months:
        both = None if month.planned is None else arms(month.planned.money, 1.0)
        if month.planned is not None and both is not None:
            drawn.axes[0].errorbar(
                month.number,
                month.planned.cents / 100,
                yerr=both,
                color=mark.colour,
                ls="none",
                elinewidth=1.0,
                capsize=2.0,
                zorder=3,
            )


def _band(drawn: Canvas, found: Forecast, name: str, bills: dict[tuple[str, str], list[float]]) -> None:
    if len(found.scenarios) < 2:
        return
    table = np.array([bills[name, scenario] for scenario in found.scenarios])
    known = np.isfinite(table).all(axis=0)
    low, high = np.where(known, table.min(axis=0), np.nan), np.where(known, table.max(axis=0), np.nan)
    drawn.axes[0].fill_between(
        range(table.shape[1]), low, high, step="mid", color=mark_of(name).colour, alpha=0.12, lw=0, gid=f"band {name}"
    )


def _handles(drawn: Canvas, found: Forecast) -> list[Line2D]:
    handles = []
    for name in found.architectures:
        mark = mark_of(name)
        handles.append(Line2D([], [], color=mark.colour, ls=mark.dash, marker=mark.marker, label=folded(name, 24)))
    if len(found.scenarios) > 1:
        for number, name in enumerate(found.scenarios):
            dash = SCENARIO_DASHES[number % len(SCENARIO_DASHES)]
            width = 1.8 if number == 0 else 0.9
            label = folded(f"scenario {name}" if number else f"scenario {name} (thick)", 24)
            handles.append(Line2D([], [], color=drawn.theme.ink, ls=dash, lw=width, label=label))
    return handles
