"""Cost of plans against the objective that is tightest under each architecture."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Final, Unpack

from matplotlib.axes import Axes

from meshsim.charts.front import draw_front
from meshsim.charts.money import money_axis
from meshsim.charts.plan_kept import (
    bounds_note,
    chosen,
    in_order,
    is_finite,
    less_is_better,
    limit_of,
    limit_text,
    measure_of,
    named,
    scaled,
)
from meshsim.charts.quantities import arms
from meshsim.charts.style import Canvas, Look, canvas, folded, mark_of
from meshsim.errors import UsageError
from meshsim.results.intervals import Estimate

if TYPE_CHECKING:
    from meshsim.planning.probing import Kept
    from meshsim.planning.result import Plan

_ROOM: Final = 1.2  # above the highest whisker
_FAR: Final = 3.0  # times the highest plan or the limit: where no plan holds, values may be anything
_EDGE: Final = 0.985  # of the width: architectures without a plan have no cost


@dataclass(frozen=True, slots=True)
class _Point:
    got: Estimate
    kept: Kept
    cost: Estimate | None  # None: there is no plan


def plan_pareto(found: Plan, ax: Axes | None = None, **look: Unpack[Look]) -> Axes:
    """Draw the bill of each architecture's plan against what was measured of its tightest objective.

    Where the tightest objective is not the same everywhere, shares of the limits are drawn. A line joins the plans that
    no other beats in both (Pareto's front), as far as the points tell. Architectures without a plan have no cost: they
    are crossed at the right edge, at what the largest deployment was measured at.

    Parameters
    ----------
    found
        What `meshsim.plan` gives, of two architectures or more.
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
        raise UsageError("cost is set against objectives for several architectures: plan two, e.g. none,sidecar")
    chosen(found, None)
    kept = {name: _tightest(found, name) for name in in_order(found)}
    first = kept[in_order(found)[0]]
    is_same = all((one.whose, one.quantity) == (first.whose, first.quantity) for one in kept.values())
    points = dict(_points(found, kept, is_same=is_same))
    currency = found[in_order(found)[0]].currency
    with canvas(ax, look, (8.0, 4.4)) as drawn:
        main = drawn.axes[0]
        limit = measure_of([first]).limit if is_same else 1.0
        if is_same:
            limit = _measure(kept).limit
            main.set_ylabel(_measure(kept).label)
        else:
            main.set_ylabel("tightest objective, as a share of its limit (1: just kept)")
        top = _top(points, limit)
        both = ((None if one.cost is None else one.cost.value, one.got.value) for one in points.values())
        draw_front(drawn, ((x, y) for x, y in both if x is not None and y is not None and is_finite(y)))
        handles = [_draw(drawn, name, one, top, "" if is_same else named(one.kept)) for name, one in points.items()]
        main.axhline(limit, color=drawn.theme.ink, linewidth=1.0, linestyle="-.", zorder=1, gid="limit")
        text = f"limit {limit_text(first)}" if is_same else "limit"
        place: dict[str, Any] = {"xycoords": ("axes fraction", "data"), "textcoords": "offset points"}
        main.annotate(text, (0.0, limit), (4, 2), va="bottom", fontsize=8, **place)
        main.set_ylim(0, top)
        main.margins(x=0.14)
        main.set_xlim(left=max(0.0, main.get_xlim()[0]))
        main.legend(handles=handles, loc="upper left", bbox_to_anchor=(1.02, 1.0), labelspacing=0.9)
        begins_at_0 = main.get_xlim()[0] <= 0.0
        money_axis(main.xaxis, f"cost a month ({currency})" + ("" if begins_at_0 else ", axis does not begin at 0"))
        drawn.set_title(f"{found.name}: cost of a plan against its tightest objective")
        drawn.note("; ".join(_notes(found, drawn, points)) + ".")
    return drawn.axes[0]


def _tightest(found: Plan, name: str) -> Kept:
    """Of a plan; of what has none, what is missed most."""
    if name in found.deployments:
        return found[name].tightest
    objectives = found.infeasible[name].best.objectives
    return max(objectives, key=lambda one: _share(one).value or 0.0)


def _share(kept: Kept) -> Estimate:
    return scaled(less_is_better(kept), 1.0 / max(limit_of(kept), 1e-12))


def _measure(kept: Mapping[str, Kept]) -> Any:
    return measure_of(list(kept.values()))


def _points(found: Plan, kept: Mapping[str, Kept], *, is_same: bool) -> Iterator[tuple[str, _Point]]:
    for name, one in kept.items():
        got = _measure(kept).shown(one) if is_same else _share(one)
        if name in found.infeasible and found.infeasible[name].best.unstable:
            got = Estimate(float("inf"), None, None, 0, "requests pile up")
        yield name, _Point(got, one, found[name].money if name in found.deployments else None)


def _top(points: Mapping[str, _Point], limit: float) -> float:
    planned = [end for one in points.values() if one.cost is not None for end in (one.got.value, one.got.high)]
    highest = max([end for end in planned if end is not None and is_finite(end)] + [limit])
    others = [one.got.value for one in points.values() if one.cost is None]
    near = [end for end in others if end is not None and end <= _FAR * highest]
    return _ROOM * max([highest, *near])


def _draw(drawn: Canvas, name: str, point: _Point, top: float, what: str) -> Any:
    main, mark = drawn.axes[0], mark_of(name)
    label = folded(name, 24) + (f"\n{folded(what, 26)}" if what else "")
    if point.cost is None:
        y = top * 0.97 if point.got.value is None or point.got.value > top else point.got.value
        (cross,) = main.plot(
            _EDGE, y, "x", color=mark.colour, ms=8, mew=2.0, transform=main.get_yaxis_transform(), zorder=4,
            label=f"{label}\n(no plan)", gid=f"{name} no plan",
        )  # fmt: skip
        return cross
    value = point.got.value
    hollow = arms(point.got, 1.0) is None
    x, y = point.cost.value or 0.0, top * 0.97 if value is None or not is_finite(value) else value
    return main.errorbar(
        x, y, yerr=arms(point.got, 1.0), xerr=arms(point.cost, 1.0),
        color=mark.colour, marker=mark.marker, mfc=drawn.theme.paper if hollow else mark.colour, ms=7, ls="none",
        elinewidth=1.2, zorder=3, label=label, gid=name,
    )  # fmt: skip


def _notes(found: Plan, drawn: Canvas, points: Mapping[str, _Point]) -> Iterator[str]:
    planned = [one.got for one in points.values() if one.cost is not None]
    yield f"At peak load, {found.loss.told}; {bounds_note(found, planned)}"
    if any(line.get_gid() == "front" for line in drawn.axes[0].lines):
        yield "line: no other is lower in both"
    if any(one.cost is None for one in points.values()):
        yield "crossed, at the edge: no plan; what the largest deployment does"
