"""The charts of one look, on one sheet: filled marks are what was chosen, hollow ones the topology as it is written."""

from __future__ import annotations

import io
import math
from collections.abc import Callable, Sequence
from typing import Final

import matplotlib as mpl
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.ticker import FuncFormatter, MaxNLocator

from meshsim.architectures.rewrites import is_sidecar
from meshsim.charts.latency import latency_cdf
from meshsim.charts.quantities import arms, time_unit
from meshsim.charts.style import THEMES, folded, mark_of, sheet
from meshsim.errors import UsageError
from meshsim.exploring.looks import Look
from meshsim.results.intervals import Estimate
from meshsim.results.result import Result

_INCHES: Final = (9.4, 7.2)
_DOTS_PER_INCH: Final = 130
_MOST_STATIONS: Final = 10  # whose utilization is drawn: the busiest
_MOST_TICKS: Final = 5  # of an axis of a small panel: 99.9975 is long
_THEME: Final = THEMES["light"]
_APART: Final = 0.16  # of a row, between what was chosen and what is written


def picture(look: Look) -> bytes:
    """Draw p99, availability and cores of proxies; below them the distribution of latencies, and who is busy.

    Returns
    -------
    bytes
        PNG.
    """
    with mpl.rc_context(sheet("light")):
        figure = Figure(figsize=_INCHES, dpi=_DOTS_PER_INCH, layout="constrained")
        above, below = figure.subfigures(2, 1, squeeze=False, height_ratios=(0.9 + 0.24 * len(look.results), 4.6)).flat
        _draw_quantities(above.subplots(1, 3, sharey=True), look)
        latencies, busy = below.subplots(1, 2, width_ratios=(1.15, 1.0))
        _draw_latencies(latencies, look)
        _draw_utilizations(busy, look)
        out = io.BytesIO()
        figure.savefig(out, format="png")
    return out.getvalue()


def _p99_s(result: Result) -> Estimate:
    return result.latency_s["p99"]


def _availability(result: Result) -> Estimate:
    return result.availability


def _cores(result: Result) -> Estimate:
    return result.proxies.cores.estimate


def _draw_quantities(panels: Sequence[Axes], look: Look) -> None:
    longest = max((_p99_s(one).value or 0.0 for one in (*look.results.values(), *look.written.values())), default=0.0)
    unit = time_unit(longest if math.isfinite(longest) else 1.0)
    for ax, quantity, scale, label in (
        (panels[0], _p99_s, unit.scale, f"p99 latency ({unit.name})"),
        (panels[1], _availability, 100.0, "availability (% of requests)"),
        (panels[2], _cores, 1.0, "CPU of proxies (cores in use)"),
    ):
        for row, name in enumerate(look.results):
            _dot(ax, quantity, look.written[name], name, row + _APART, scale, hollow=True)
            _dot(ax, quantity, look.results[name], name, row - _APART, scale, hollow=False)
        ax.set_xlabel(label)
        ax.grid(axis="y", visible=False)
        ax.xaxis.set_major_locator(MaxNLocator(_MOST_TICKS))
        ax.xaxis.set_major_formatter(FuncFormatter(lambda value, _: f"{value:.6g}"))
    panels[0].set_yticks(range(len(look.results)), [folded(name, 18) for name in look.results])
    panels[0].set_ylim(len(look.results) - 0.5, -0.5)
    panels[0].set_title("Filled: as chosen, hollow: as written; bars: 95 % intervals", loc="left")


def _dot(
    ax: Axes, quantity: Callable[[Result], Estimate], of: Result, name: str, row: float, scale: float, *, hollow: bool
) -> None:
    estimate, mark = quantity(of), mark_of(name)
    if of.verdict.word == "unstable" and quantity is _p99_s:
        where = 0.02 if hollow else 0.0
        ax.text(0.02 + where, row, "unstable", transform=ax.get_yaxis_transform(), va="center", fontsize=7)
        return
    if estimate.value is None or not math.isfinite(estimate.value):
        return
    face = ax.get_facecolor() if hollow else mark.colour
    bars = arms(estimate, scale)
    if bars is not None:
        ax.errorbar(estimate.value * scale, row, xerr=bars, color=mark.colour, lw=1.0, ls="none")
    ax.plot(estimate.value * scale, row, mark.marker, color=mark.colour, mfc=face, ls="none", zorder=4)


def _draw_latencies(ax: Axes, look: Look) -> None:
    source = look.comparison if look.comparison is not None else next(iter(look.results.values()))
    try:
        latency_cdf(source, ax, title="Latency, as chosen")
    except UsageError as error:  # nobody was answered
        ax.text(0.5, 0.5, str(error), transform=ax.transAxes, ha="center", wrap=True)


def _draw_utilizations(ax: Axes, look: Look) -> None:
    names = _busiest(look)
    for row, station in enumerate(names):
        for place, name in enumerate(look.results):
            at = row + (place - (len(look.results) - 1) / 2) * 0.7 / len(look.results)
            for side, hollow in ((look.written[name], True), (look.results[name], False)):
                found = side.by_service.get(station)
                if found is not None and found.utilization.value is not None:
                    _mark_use(ax, found.utilization, name, at, hollow=hollow)
    ax.set_yticks(range(len(names)), [folded(name, 18) for name in names])
    ax.set_ylim(len(names) - 0.5, -0.5)
    ax.set_xlim(0, None)
    ax.axvline(100, color=_THEME.muted, lw=0.8, ls=":")
    ax.set_xlabel("CPU utilization (% of all replicas' cores)")
    ax.set_title("Who is busy", loc="left")


def _mark_use(ax: Axes, use: Estimate, name: str, row: float, *, hollow: bool) -> None:
    mark, bars = mark_of(name), arms(use, 100.0)
    face = ax.get_facecolor() if hollow else mark.colour
    if bars is not None and not hollow:
        ax.errorbar((use.value or 0.0) * 100, row, xerr=bars, color=mark.colour, lw=1.0, ls="none")
    ax.plot((use.value or 0.0) * 100, row, mark.marker, color=mark.colour, mfc=face, ls="none", ms=4.5, zorder=4)


def _busiest(look: Look) -> list[str]:
    """Services and shared proxies by their utilization, the busiest first; sidecars are as many as services."""
    most: dict[str, float] = {}
    for result in look.results.values():
        for name, station in result.by_service.items():
            if station.utilization.value is not None and not is_sidecar(name):
                most[name] = max(most.get(name, 0.0), station.utilization.value)
    return sorted(most, key=lambda name: (-most[name], name))[:_MOST_STATIONS]
