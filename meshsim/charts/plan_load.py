"""The tightest objective of a plan and its goodput against load, up to where something breaks."""

from __future__ import annotations

import math
import textwrap
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Final, Unpack

from matplotlib.axes import Axes
from matplotlib.ticker import MaxNLocator

from meshsim.charts.plan_kept import Measure, bounds_note, chosen, growth_text, limit_text, measure_of, wrappable
from meshsim.charts.quantities import arms, logarithmic
from meshsim.charts.style import Canvas, Look, canvas, folded, mark_of
from meshsim.errors import UsageError
from meshsim.results.intervals import Estimate

if TYPE_CHECKING:
    from meshsim.planning.probing import Kept
    from meshsim.planning.result import Deployment, Growing, Grown, Plan

_LABEL: Final = 28  # letters of a line of the axis' label
_WIDE: Final = 12.0  # ratio of the slowest to the fastest: beyond it the axis is logarithmic
_LETTERS: Final = 26  # of a line of the legend


@dataclass(frozen=True, slots=True)
class _Side:
    """With something lost, or with all replicas there."""

    told: str
    growing: Growing
    dash: Any
    marker: str
    hatch: str


def plan_load(found: Plan, ax: Axes | None = None, *, architecture: str | None = None, **look: Unpack[Look]) -> Axes:
    """Draw the tightest objective and goodput against load, with something lost and with all replicas there.

    Points are the loads that were simulated to find how far the load can grow. A band is the knee: at its lower end
    everything was kept, at its upper end something was not, which the legend names. Points at which requests pile up
    are hollow: what is measured there grows with the run.

    Parameters
    ----------
    found
        What `meshsim.plan` gives, with ``growth``.
    ax
        Axes whose place is taken; None for a new figure.
    architecture
        Whose plan; the cheapest if absent.
    look
        See `meshsim.charts.style.Look`.

    Returns
    -------
    matplotlib.axes.Axes
        The panel of the objective; that of goodput follows in its figure.

    Raises
    ------
    UsageError
        There is no plan (of this architecture), or growth was not looked at.
    """
    name, one = chosen(found, architecture)
    sides = list(_sides(found, one))
    if not sides:
        raise UsageError("how the plan does at other loads was not looked at: plan with growth")
    tightest = one.tightest
    same = [kept for side in sides for grown in side.growing.looked for kept in grown.objectives]
    same = [kept for kept in same if (kept.whose, kept.quantity) == (tightest.whose, tightest.quantity)]
    measure = measure_of([tightest, *same])
    with canvas(ax, look, (8.2, 5.4), shape=(2, 1), ratios=(3, 2), sharex=True) as drawn:
        for side in sides:
            _draw_side(drawn, side, measure, name)
        _draw_offered(drawn, sides)
        _scale(drawn, sides, measure)
        _label(drawn, measure, tightest)
        drawn.set_title(f"{found.name} under {name}: {measure.named} and goodput against load")
        drawn.note(". ".join(_notes(found, sides, measure)) + ".", drawn.axes[1])
    return drawn.axes[0]


def _sides(found: Plan, one: Deployment) -> Iterator[_Side]:
    if one.growing is not None and one.growing.looked:
        yield _Side(found.loss.told, one.growing, "-", "", "")
    if one.growing_full is not None and one.growing_full.looked and one.bought != one.needed:
        yield _Side("all replicas there", one.growing_full, (0, (1.5, 1)), "d", "////")


def _draw_side(drawn: Canvas, side: _Side, measure: Measure, name: str) -> None:
    mark, growing = mark_of(name), side.growing
    top, bottom = drawn.axes
    label = f"{side.told}\n{_knee_words(growing)}"
    rows = [(grown, measure.shown(measure.find(grown.objectives))) for grown in growing.looked]
    _line(drawn, top, side, [(grown, shown) for grown, shown in rows], name, label)
    _line(drawn, bottom, side, [(grown, grown.goodput_per_s) for grown in growing.looked], name, "_goodput")
    if growing.broke is not None:
        for ax in drawn.axes:
            band: dict[str, Any] = {"zorder": 0, "gid": f"knee {side.told}", "lw": 0.0}
            if side.hatch:
                ax.axvspan(growing.held, growing.broke, fc="none", ec=mark.colour, hatch=side.hatch, alpha=0.6, **band)
            else:
                ax.axvspan(growing.held, growing.broke, fc=mark.colour, alpha=0.25, **band)


def _line(
    drawn: Canvas, ax: Axes, side: _Side, points: Sequence[tuple[Grown, Estimate]], name: str, label: str
) -> None:
    mark = mark_of(name)
    known = [(grown, one) for grown, one in points if one.value is not None and math.isfinite(one.value)]
    xs, ys = [grown.factor for grown, _ in known], [one.value or 0.0 for _, one in known]
    marker = side.marker or mark.marker
    ax.plot(xs, ys, color=mark.colour, ls=side.dash, lw=1.3, marker=marker, ms=5.0, label=label, gid=side.told)
    for grown, one in known:
        bars = arms(one, 1.0)
        face = drawn.theme.paper if grown.unstable or bars is None else mark.colour
        ax.errorbar(
            grown.factor, one.value or 0.0, yerr=bars, color=mark.colour, marker=marker, mfc=face, ms=5.0, lw=1.0,
            zorder=3, gid=f"{side.told} {grown.factor:g}",
        )  # fmt: skip
    if ax is drawn.axes[0]:
        lost = [grown.factor for grown, one in points if one.value is not None and math.isinf(one.value)]
        ax.plot(
            lost, [0.97] * len(lost), "x", color=mark.colour, ms=8, mew=2, transform=ax.get_xaxis_transform(),
            gid="infinite", zorder=4,
        )  # fmt: skip


def _knee_words(growing: Growing) -> str:
    words = f"kept up to {growing.held:.3g} ×"
    return textwrap.fill(wrappable(f"{words}; {growth_text(growing)}"), _LETTERS)


def _draw_offered(drawn: Canvas, sides: Sequence[_Side]) -> None:
    points = sorted({(one.factor, one.offered_per_s) for side in sides for one in side.growing.looked})
    xs, ys = zip(*points, strict=True)
    style: dict[str, Any] = {"color": drawn.theme.muted, "lw": 0.9, "ls": "--", "zorder": 1}
    drawn.axes[1].plot(xs, ys, label="offered", gid="offered", **style)


def _scale(drawn: Canvas, sides: Sequence[_Side], measure: Measure) -> None:
    """Axes hold all points and whiskers, but for those that go on for ever."""
    top, bottom = drawn.axes
    shown = [measure.shown(measure.find(one.objectives)) for side in sides for one in side.growing.looked]
    values = [one.value for one in shown if one.value is not None and math.isfinite(one.value)]
    highest = max([*values, measure.limit])
    whiskers = [one.high for one in shown if one.high is not None and one.high <= 3.0 * highest]
    ceiling = max([highest, *whiskers])
    least = min([value for value in values if value > 0.0] + [measure.limit])
    if highest > _WIDE * least and measure.quantity not in ("availability", "utilization"):
        top.set_yscale("log")
        top.set_ylim(least / 1.4, ceiling * 1.5)
        logarithmic(top.yaxis, *top.get_ylim())
        top.set_ylabel(folded(measure.label.replace(")", ", logarithmic)"), _LABEL))
    else:
        top.set_ylim(0.0, ceiling * 1.12)
        top.set_ylabel(folded(measure.label, _LABEL))
    goodput = [one.goodput_per_s.high or one.goodput_per_s.value or 0.0 for s in sides for one in s.growing.looked]
    offered = [one.offered_per_s for side in sides for one in side.growing.looked]
    bottom.set_ylim(0.0, 1.1 * max([*goodput, *offered, 1e-9]))
    bottom.yaxis.set_major_locator(MaxNLocator(4))


def _label(drawn: Canvas, measure: Measure, tightest: Kept) -> None:
    top, bottom = drawn.axes
    top.axhline(measure.limit, color=drawn.theme.ink, lw=1.0, ls="-.", zorder=2, gid="limit")
    place: dict[str, Any] = {"xycoords": ("axes fraction", "data"), "textcoords": "offset points"}
    top.annotate(f"limit {limit_text(tightest)}", (0.0, measure.limit), (4, 2), va="bottom", fontsize=8, **place)
    top.tick_params(labelbottom=False)
    top.legend(loc="upper left", bbox_to_anchor=(1.0, 1.0), borderaxespad=0.2, labelspacing=1.0)
    bottom.set_ylabel("goodput (requests/s)")
    bottom.set_xlabel("load (multiples of the load that was planned for)")
    bottom.legend(handles=[line for line in bottom.lines if line.get_gid() == "offered"], loc="lower right")


def _notes(found: Plan, sides: Sequence[_Side], measure: Measure) -> Iterator[str]:
    looked = [one for side in sides for one in side.growing.looked]
    shown = [measure.shown(measure.find(one.objectives)) for one in looked]
    yield bounds_note(found, shown).capitalize()
    if any(side.growing.broke is not None for side in sides):
        yield "Bands: knee, from the last load at which all was kept to the first at which something was not"
    if any(one.unstable for one in looked):
        yield "Hollow: requests pile up, what is measured grows with the run"
    if any(one.value is not None and math.isinf(one.value) for one in shown):
        yield "Crossed, at the top: so many requests fail that it is infinite"
