"""Cost against what is got for it: architectures as points, and those that no other beats in both."""

from __future__ import annotations

import math
from collections.abc import Iterator
from typing import TYPE_CHECKING, Any, Final, Unpack

from matplotlib.axes import Axes

from meshsim.charts.front import draw_front
from meshsim.charts.money import money_axis
from meshsim.charts.quantities import time_unit
from meshsim.charts.style import Canvas, Look, canvas, folded, mark_of
from meshsim.errors import UsageError
from meshsim.results.intervals import Estimate

if TYPE_CHECKING:
    from meshsim.costs.result import Costs

_JUST_KEPT: Final = 1.0


def cost_objective(found: Costs, ax: Axes | None = None, **look: Unpack[Look]) -> Axes:
    """Draw cost against the latency objective that each architecture has most trouble with.

    Below 1 all latency objectives are kept. Where there are none, p99 of the answered requests is drawn. A line joins
    the architectures that no other beats in both (Pareto's front), as far as the points tell; where intervals overlap,
    it may be otherwise.

    Parameters
    ----------
    found
        What `meshsim.cost` gives, of two architectures or more.
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
        There is one architecture only.
    """
    if len(found.costs) < 2:
        raise UsageError("cost is set against objectives for several architectures: give two, e.g. none,sidecar")
    costs = {name: one.money for name, one in found.costs.items()}
    of = {name: one.objective for name, one in found.costs.items()}
    is_share = all(what != "p99" for what, _ in of.values())
    unit = time_unit(max((_finite(one.high) for _, one in of.values()), default=0.0))
    scale = 1.0 if is_share else unit.scale
    got = {name: _scaled(estimate, scale) for name, (_, estimate) in of.items()}
    with canvas(ax, look, (7.8, 4.4)) as drawn:
        main = drawn.axes[0]
        top = max([_finite(one.high) or _finite(one.value) for one in got.values()] + [_JUST_KEPT * is_share]) * 1.2
        points = ((costs[name].value or 0.0, one.value) for name, one in got.items())
        draw_front(drawn, ((x, y) for x, y in points if y is not None and math.isfinite(y)))
        for name, (what, _) in of.items():
            _point(drawn, name, costs[name], got[name], top, what if is_share else "")
        if is_share:
            main.axhline(_JUST_KEPT, color=drawn.theme.ink, linewidth=1.0, linestyle="-.", zorder=1, gid="objective")
            main.set_ylabel("latency as a share of its objective (1: just kept)")
        else:
            main.set_ylabel(f"p99 latency of answered requests ({unit.name})")
        main.set_ylim(0, top or 1.0)
        main.margins(x=0.12)
        main.legend(loc="upper left", bbox_to_anchor=(1.01, 1.0), labelspacing=0.9)
        begins_at_0 = main.get_xlim()[0] <= 0.0
        money_axis(
            main.xaxis, f"cost a month ({found.currency})" + ("" if begins_at_0 else ", axis does not begin at 0")
        )
        drawn.set_title(f"{found.name}: cost against {'the objective that is hardest to keep' if is_share else 'p99'}")
        drawn.note("; ".join(_notes(drawn, got)))
    return main


def _notes(drawn: Canvas, got: dict[str, Estimate]) -> Iterator[str]:
    if any(line.get_gid() == "front" for line in drawn.axes[0].lines):
        yield "line: no other is lower in both"
    yield "whiskers: 95 % intervals"
    without = [name for name, one in got.items() if one.half is None and _finite(one.value)]
    if without:
        yield f"latency without an interval (too few requests or replications): {', '.join(without)}"


def _finite(value: float | None) -> float:
    return value if value is not None and math.isfinite(value) else 0.0


def _scaled(one: Estimate, scale: float) -> Estimate:
    value, low, high = (None if end is None else end * scale for end in (one.value, one.low, one.high))
    return Estimate(value, low, high, one.n, one.method)


def _point(drawn: Canvas, name: str, cost: Estimate, got: Estimate, top: float, what: str) -> None:
    main, mark, x = drawn.axes[0], mark_of(name), cost.value or 0.0
    is_known = got.value is not None and math.isfinite(got.value)
    label = folded(name, 24) + (f"\n({what})" if what else "") + ("" if is_known else "\n∞: requests fail")
    y = _finite(got.value) if is_known else top * 0.97  # requests failed: infinitely slow
    style: dict[str, Any] = {
        "color": mark.colour,
        "marker": mark.marker if is_known else "x",
        "markersize": 7,
        "label": label,
    }
    main.errorbar(
        x,
        y,
        xerr=_arms(cost),
        yerr=_arms(got) if is_known else None,
        linestyle="none",
        gid=name,
        elinewidth=1.2,
        zorder=3,
        **style,
    )


def _arms(one: Estimate) -> list[list[float]] | None:
    if one.value is None or one.low is None or one.high is None or not math.isfinite(one.high):
        return None
    return [[max(one.value - one.low, 0.0)], [max(one.high - one.value, 0.0)]]
