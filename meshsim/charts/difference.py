"""What each architecture adds to the baseline, with its interval."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Final, Unpack

from matplotlib.axes import Axes

from meshsim.charts.quantities import Unit, arms, time_unit
from meshsim.charts.style import Canvas, Look, canvas, folded, mark_of
from meshsim.charts.told import ToldComparison, sides
from meshsim.errors import UsageError
from meshsim.results.comparison import Comparison, Difference
from meshsim.results.intervals import Estimate
from meshsim.results.traffic import QUANTITIES

_ROOM: Final = 0.72  # of a row, for the architectures beside each other in it


@dataclass(frozen=True, slots=True)
class _Panel:
    """Quantities that share an axis: their names, how they are found, their unit, and the axis' label."""

    rows: Sequence[str]
    unit: Unit
    label: str


def difference_forest(comparison: Comparison | ToldComparison, ax: Axes | None = None, **look: Unpack[Look]) -> Axes:
    """Draw the paired differences from the baseline: latency, availability, and CPU of proxies.

    A row a quantity, a mark an architecture with its interval. An interval that does not touch the zero line shows a
    difference; one that does shows none that can be told. Each interval holds for itself at 95 %; none is corrected for
    how many are looked at. An architecture that is unstable is named, not drawn, since its latencies grow with the run.

    Parameters
    ----------
    comparison
        A `Comparison`, or what `meshsim.charts.read_json` gave of one.
    ax
        Axes whose place is taken; None for a new figure.
    look
        See `meshsim.charts.style.Look`.

    Returns
    -------
    matplotlib.axes.Axes
        The panel of latencies; the others follow in its figure.

    Raises
    ------
    UsageError
        There is no comparison, or nothing in it that can be compared.
    """
    if not isinstance(comparison, Comparison | ToldComparison) or not comparison.differences:
        raise UsageError("differences are of a comparison: two architectures or more")
    shown = {name: one for name, one in comparison.differences.items() if not one.unstable}
    if not shown:
        raise UsageError("nothing can be compared: " + "; ".join(d.sentence() for d in comparison.differences.values()))
    panels = _panels(shown)
    height = 1.9 + sum(_height(panel, len(shown)) for panel in panels)
    ratios = [_height(panel, len(shown)) for panel in panels]
    with canvas(ax, look, (6.6, height), shape=(len(panels), 1), ratios=ratios) as found:
        for place, panel in zip(found.axes, panels, strict=True):
            _draw(found, place, panel, shown)
        _label(found, comparison)
    return found.axes[0]


def _height(panel: _Panel, architectures: int) -> float:
    return len(panel.rows) * max(0.3, 0.14 * architectures) + 0.25


def _panels(shown: Mapping[str, Difference]) -> list[_Panel]:
    ends = [
        abs(end or 0.0) for one in shown.values() for e in one.latency_s.values() for end in (e.value, e.low, e.high)
    ]
    unit = time_unit(max(ends))
    return [
        _Panel(QUANTITIES, unit, f"added latency ({unit.name})"),
        _Panel(("availability",), Unit(100.0, ""), "added availability (percentage points)"),
        _Panel(("proxy CPU",), Unit(1.0, ""), "added CPU of proxies (cores in use)"),
    ]


def _estimate(one: Difference, row: str) -> Estimate:
    if row in one.latency_s:
        return one.latency_s[row]
    return one.availability if row == "availability" else one.proxy_cores


def _draw(found: Canvas, ax: Axes, panel: _Panel, shown: Mapping[str, Difference]) -> None:
    for place, (name, one) in enumerate(shown.items()):
        mark = mark_of(name)
        offset = _ROOM * ((place + 0.5) / len(shown) - 0.5)
        for row, quantity in enumerate(panel.rows):
            estimate = _estimate(one, quantity)
            if estimate.value is None:
                continue
            bars = arms(estimate, panel.unit.scale)
            ax.errorbar(
                *(estimate.value * panel.unit.scale, row + offset),
                xerr=bars,
                color=mark.colour,
                marker=mark.marker,
                mfc=mark.colour if bars is not None else found.theme.paper,
                ls="none",
                label=folded(name) if row == 0 else f"_{quantity}",
                gid=f"{name} {quantity}",
            )
    ax.axvline(0, color=found.theme.ink, lw=1.0, gid="zero")
    ax.set_yticks(range(len(panel.rows)), labels=list(panel.rows))
    ax.set_ylim(len(panel.rows) - 0.5, -0.5)
    ax.tick_params(axis="y", length=0)
    ax.grid(visible=False, axis="y")
    ax.margins(x=0.08)
    ax.ticklabel_format(axis="x", useOffset=False)
    for row in range(1, len(panel.rows)):
        ax.axhline(row - 0.5, color=found.theme.grid, lw=0.6)
    ax.set_xlabel(panel.label)


def _label(found: Canvas, comparison: Comparison | ToldComparison) -> None:
    one, told = next(iter(comparison.differences.values())), sides(comparison)
    found.axes[0].legend(loc="upper left", bbox_to_anchor=(1.0, 1.0), title=f"against {folded(one.baseline)}")
    found.set_title(f"{told[0].topology}: differences from {one.baseline}")
    note = f"{told[0].level * 100:g} % intervals of paired differences; latency of answered requests"
    if any(_too_short(difference) for difference in comparison.differences.values()):
        note += "; hollow: the run is too short for an interval"
    unstable = sorted({name for difference in comparison.differences.values() for name in difference.unstable})
    if unstable:
        note += f"; not drawn, because unstable: {', '.join(unstable)}"
    found.note(note + ".", found.axes[-1])


def _too_short(one: Difference) -> bool:
    return not one.unstable and any(e.value is not None and e.low is None for e in one.latency_s.values())
