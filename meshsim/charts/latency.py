"""How latencies are distributed, under one architecture or several."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Final, Unpack

import numpy as np
from matplotlib.axes import Axes
from matplotlib.transforms import ScaledTranslation

from meshsim.charts.quantities import Unit, arms, logarithmic, time_unit
from meshsim.charts.style import Canvas, Look, canvas, folded, mark_of
from meshsim.charts.told import Source, Told, sides
from meshsim.errors import UsageError
from meshsim.results.text import duration_interval, percent

_MARKED: Final = {"p50": 0.5, "p99": 0.99}
_TICKS: Final = {0.01: "1 %", 0.1: "10 %", 0.5: "50 %", 0.9: "90 %", 0.99: "99 %", 0.999: "99.9 %"}
_BELOW_POINTS, _APART_POINTS = 6.0, 3.5  # intervals of one quantile lie below the marks, which would hide them
_LOWEST, _HIGHEST = 0.005, 0.9995  # shares of requests that the axis shows


def latency_cdf(source: Source, ax: Axes | None = None, **look: Unpack[Look]) -> Axes:
    """Draw which share of all requests was answered within a time.

    A line an architecture, from the merged histogram of all replications, with p50 and p99 of the answered requests
    marked and their intervals as bars. The vertical axis is logistic, which gives the tail as much room as the body.
    Requests that failed are never answered, so a line with failures ends below 100 % and goes on as dots.

    Parameters
    ----------
    source
        A `Result`, a `Comparison`, or what `meshsim.charts.read_json` gave.
    ax
        Axes to draw into; None for a new figure.
    look
        See `meshsim.charts.style.Look`.

    Raises
    ------
    UsageError
        No request was answered under any architecture.
    """
    told = [side for side in sides(source) if side.curve.share.size]
    if not told:
        raise UsageError("there is no latency to draw: no request was answered")
    low = min(float(_at(side, _LOWEST)) for side in told)
    high = max(float(_at(side, _HIGHEST)) for side in told)
    high = max(high, *(side.latency_s["p99"].high or 0.0 for side in told)) if high < 1e9 else high
    unit = time_unit(high)
    with canvas(ax, look, (6.6, 4.4)) as found:
        main = found.axes[0]
        main.set_xscale("log")
        main.set_yscale("logit", nonpositive="mask")
        main.set_xlim(low * unit.scale / 1.05, high * unit.scale * 1.08)
        for place, side in enumerate(told):
            _draw(main, side, unit, -(_BELOW_POINTS + _APART_POINTS * place) if len(told) > 1 else 0.0)
        _label(found, told, unit, low, high)
    return main


def _at(side: Told, share: float) -> float:
    """Latency within which `share` of the answered requests were answered, in seconds."""
    position = np.searchsorted(side.curve.share, share * side.curve.end * (1 - 1e-9))
    return float(side.curve.latency_s[position])


def _draw(ax: Axes, side: Told, unit: Unit, offset_points: float) -> None:
    mark, curve = mark_of(side.architecture), side.curve
    p99 = duration_interval(side.latency_s["p99"])
    label = f"{folded(side.architecture)}: p99 {p99}"
    if curve.end < 1:
        label += f", {percent(1 - curve.end)} failed"
        ends = [curve.latency_s[-1] * unit.scale, ax.get_xlim()[1]]
        if ends[0] < ends[1]:
            ax.plot(ends, [curve.end, curve.end], color=mark.colour, ls=":", lw=1.2, label="_end")
    if side.verdict == "unstable":
        label += " (unstable: grows with the run)"
    ax.plot(curve.latency_s * unit.scale, curve.share, color=mark.colour, ls=mark.dash, label="_curve")
    aside = ax.transData + ScaledTranslation(0, offset_points / 72, ax.figure.dpi_scale_trans)
    for name, share in _MARKED.items():
        estimate = side.latency_s[name]
        if estimate.value is None:
            continue
        at, bars = (estimate.value * unit.scale, share * curve.end), arms(estimate, unit.scale)
        if bars is not None:
            ax.errorbar(
                *at, xerr=bars, color=mark.colour, lw=1.2, ls="none", transform=aside, zorder=4, label=f"_{name}"
            )
        face = mark.colour if bars is not None else ax.get_facecolor()
        shown = label if name == "p99" else "_p50"
        ax.plot(*at, mark.marker, color=mark.colour, mfc=face, ls=mark.dash, zorder=5, label=shown, gid=name)


def _label(found: Canvas, told: Sequence[Told], unit: Unit, low: float, high: float) -> None:
    ax = found.axes[0]
    logarithmic(ax.xaxis, low, high)
    ax.set_yticks(list(_TICKS), labels=list(_TICKS.values()))
    ax.set_yticks([], minor=True)
    ax.set_ylim(_LOWEST, _HIGHEST)
    ax.set_xlabel(f"latency ({unit.name}, logarithmic)")
    ax.set_ylabel("requests answered within it (% of all)")
    ax.legend(loc="lower right")
    single = f" under {told[0].architecture}" if len(told) == 1 else ""
    found.set_title(f"{told[0].topology}{single}: latency")
    below = " below them" if len(told) > 1 else ""
    note = f"Marked: p50 and p99 of answered requests, with {told[0].level * 100:g} % intervals{below}"
    if any(side.latency_s[name].low is None for side in told for name in _MARKED):
        note += " (hollow: the run is too short for one)"
    if any(side.curve.end < 1 for side in told):
        note += ". Failed requests are never answered: their curve ends below 100 %, dotted from there"
    found.note(note + ".")
