"""The mesh tax as a waterfall: from the bill of one architecture to that of another, item by item."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Final, Unpack

from matplotlib.axes import Axes

from meshsim.charts.money import money_axis, money_text
from meshsim.charts.style import Canvas, Look, canvas, folded, mark_of
from meshsim.errors import UsageError
from meshsim.results.intervals import Estimate

if TYPE_CHECKING:
    from meshsim.costs.result import Costs

MORE, LESS = "#EE7733", "#0077BB"  # of P. Tol's "vibrant" scheme
_BAR: Final = 0.6
_FOR_TEXT: Final = 0.24  # of the longest bar: beside it stands its amount
_HIDDEN: Final = 0.001  # of the larger bill: smaller changes are drawn as one
_REST: Final = "all that changes less"
_BASELINE: Final = "none"


@dataclass(frozen=True, slots=True)
class _Step:
    label: str
    start: float
    change: Estimate


def cost_waterfall(
    found: Costs, ax: Axes | None = None, *, architecture: str | None = None, **look: Unpack[Look]
) -> Axes:
    """Draw what an architecture adds to the bill of ``none``, a row an item.

    Parameters
    ----------
    found
        What `meshsim.cost` gives, with ``none`` among its architectures.
    ax
        Axes to draw into; None for a new figure.
    architecture
        Which one; the last that is not ``none`` if absent.
    look
        See `meshsim.charts.style.Look`.

    Returns
    -------
    matplotlib.axes.Axes

    Raises
    ------
    UsageError
        ``none`` was not asked for, or nothing else was.
    """
    name = architecture or next((one for one in reversed(found.costs) if one != _BASELINE), None)
    if _BASELINE not in found.costs or name is None or name == _BASELINE:
        raise UsageError("the mesh tax is drawn from none to another architecture: ask for both, e.g. none,sidecar")
    if name not in found.costs:
        raise UsageError(f"there is no cost of {name}; there is that of {', '.join(found.costs)}")
    before, after = found[_BASELINE].money.value or 0.0, found[name].money
    steps = _steps(found[name].tax.items, before, max(before, after.value or 0.0))
    with canvas(ax, look, (7.6, 1.6 + 0.36 * (len(steps) + 2))) as drawn:
        main = drawn.axes[0]
        _total(drawn, 0, found[_BASELINE].money, _BASELINE, found.currency)
        for row, step in enumerate(steps, 1):
            _draw(drawn, row, step, found.currency)
        _total(drawn, len(steps) + 1, after, name, found.currency)
        labels = [_BASELINE, *(step.label for step in steps), folded(name, 30)]
        main.set_yticks(range(len(labels)), labels=labels)
        main.set_ylim(len(labels) - 0.4, -0.6)
        totals = [found[_BASELINE].money, after]
        low = min(*(_ends(one)[0] for one in totals), *(_low(step) for step in steps), before)
        high = max(*(_ends(one)[1] for one in totals), *(_high(step) for step in steps), before)
        least = max(0.0, low - 0.5 * (high - low))  # a small tax on a large bill is seen, too
        main.set_xlim(least, high + _FOR_TEXT * (high - least))
        main.grid(visible=False, axis="y")
        money_axis(main.xaxis, f"cost a month ({found.currency})" + (", axis does not begin at 0" if least else ""))
        drawn.set_title(f"{found.name}: what {name} adds to the bill")
        if after.half is not None:
            drawn.note("Whiskers: 95 % intervals, of changes paired by replication")
    return main


def _steps(changes: dict[str, Estimate], start: float, largest: float) -> list[_Step]:
    """One after the other; small ones together in the end."""
    steps, rest = [], 0.0
    for item, change in changes.items():
        value = change.value or 0.0
        if abs(value) <= _HIDDEN * largest:
            rest += value
            continue
        steps.append(_Step(item, start, change))
        start += value
    if abs(rest) > 0.005:
        steps.append(_Step(_REST, start, Estimate(rest, None, None, 0, "a sum of items")))
    return steps


def _draw(drawn: Canvas, row: int, step: _Step, currency: str) -> None:
    main, value = drawn.axes[0], step.change.value or 0.0
    main.barh(row, value, _BAR, left=step.start, color=MORE if value > 0 else LESS, gid=step.label)
    end = step.start + value
    main.plot([end, end], [row, row + 1], color=drawn.theme.muted, linewidth=0.8, zorder=1)
    _interval(drawn, row, end, step.change)
    sign = "+" if value > 0 else "\N{MINUS SIGN}"
    _beside(drawn, row, _high(step), sign + money_text(abs(value), currency), "change")


def _total(drawn: Canvas, row: int, estimate: Estimate, name: str, currency: str) -> None:
    main, value = drawn.axes[0], estimate.value or 0.0
    main.barh(row, value, _BAR, color=mark_of(name).colour, gid=name)
    if row == 0:
        main.plot([value, value], [row, row + 1], color=drawn.theme.muted, linewidth=0.8, zorder=1)
    _interval(drawn, row, value, estimate)
    _beside(drawn, row, _ends(estimate)[1], money_text(value, currency), "total")


def _beside(drawn: Canvas, row: int, end: float, text: str, gid: str) -> None:
    """An amount to the right of its bar and interval."""
    drawn.axes[0].annotate(
        text, (end, row), (4, 0), textcoords="offset points", va="center", fontsize=8, gid=gid
    )  # fmt: skip


def _ends(one: Estimate) -> tuple[float, float]:
    value = one.value or 0.0
    return min(value, value if one.low is None else one.low), max(value, value if one.high is None else one.high)


def _interval(drawn: Canvas, row: int, end: float, estimate: Estimate) -> None:
    if estimate.value is not None and estimate.low is not None and estimate.high is not None:
        arms = [[estimate.value - estimate.low], [estimate.high - estimate.value]]
        drawn.axes[0].errorbar(end, row, xerr=arms, fmt="none", ecolor=drawn.theme.ink, elinewidth=1.0, capsize=2.5)


def _high(step: _Step) -> float:
    value = step.change.value or 0.0
    return max(step.start, step.start + max(value, value if step.change.high is None else step.change.high))


def _low(step: _Step) -> float:
    value = step.change.value or 0.0
    return min(step.start, step.start + min(value, value if step.change.low is None else step.change.low))
