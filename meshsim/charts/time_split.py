"""Where the time of a request goes, hop by hop."""

from __future__ import annotations

import math
from collections.abc import Mapping
from typing import Final, Unpack

from matplotlib.axes import Axes
from matplotlib.patches import Patch

from meshsim.charts.quantities import Unit, arms, time_unit
from meshsim.charts.style import PART_COLOURS, Canvas, Look, canvas
from meshsim.charts.told import Source, Told, sides
from meshsim.errors import UsageError
from meshsim.results.breakdown import PARTS, Split
from meshsim.results.intervals import Estimate
from meshsim.results.text import duration, duration_interval

_MOST_HOPS: Final = 14  # bars beyond these cannot be read; the rest is one bar
_THICK, _APART = 0.36, 0.2  # of the two bars of a hop: thickness, and distance of their middles from the hop's
_SHOWN_ARM: Final = 0.004  # of the axis: shorter intervals are hidden by the line that draws them
_TEXT_INCHES: Final = 1.7  # right of the longest bar, for its text
_KEPT: Final = 0.85  # of the width of axes, about what names and legend leave in the end
_ALL: Final = "whole request"


def time_split(source: Source, ax: Axes | None = None, **look: Unpack[Look]) -> Axes:
    """Draw where the time goes: a mean request above the slowest 1 %, at each hop.

    The bars of all hops together are as long as those of the whole request. Each part has its interval as a bar of its
    own. Only sampled requests that were answered count, along their critical path.

    Parameters
    ----------
    source
        A `Result`, or what `meshsim.charts.read_json` gave of one architecture.
    ax
        Axes to draw into; None for a new figure.
    look
        See `meshsim.charts.style.Look`.

    Raises
    ------
    UsageError
        The source has several architectures, or no request was answered.
    """
    told = sides(source)
    if len(told) != 1:
        raise UsageError("where the time goes is drawn of one architecture: give one of " + ", ".join(_names(told)))
    side = told[0]
    if not side.time_split.mean.requests:
        raise UsageError("there is no time to split: no request was answered")
    rows = _rows(side)
    longest = max(split.latency_s.high or split.latency_s.value or 0.0 for split in (_mean(side), _slowest(side)))
    unit = time_unit(longest)
    with canvas(ax, look, (7.2, 1.5 + 0.42 * len(rows))) as found:
        main = found.axes[0]
        width = found.figure.get_figwidth() * main.get_position().width * _KEPT
        room = min(0.6, _TEXT_INCHES / width)
        main.set_xlim(0, longest * unit.scale / (1 - room))
        for row, (hop, (mean, slowest)) in enumerate(rows.items()):
            first, second = _told(hop, mean, _mean(side)), _told(hop, slowest, _slowest(side))
            _draw(found, row - _APART, mean, unit, longest, f"mean {first}")
            _draw(found, row + _APART, slowest, unit, longest, f"slowest 1 % {second}")
        _label(found, side, list(rows), unit)
    return main


def _names(told: list[Told]) -> list[str]:
    return [side.architecture for side in told]


def _mean(side: Told) -> Split:
    return side.time_split.mean


def _slowest(side: Told) -> Split:
    return side.time_split.slowest


_Parts = Mapping[str, Estimate]


def _rows(side: Told) -> dict[str, tuple[_Parts, _Parts]]:
    """Parts of the mean and of the slowest requests by hop: the whole first, then where the latter take longest."""
    mean, slowest = _mean(side), _slowest(side)
    hops = sorted({*mean.by_hop_s, *slowest.by_hop_s}, key=lambda hop: (-_sum_s(slowest.by_hop_s.get(hop, {})), hop))
    rows: dict[str, tuple[_Parts, _Parts]] = {_ALL: (mean.parts_s, slowest.parts_s)}
    shown = hops if len(hops) <= _MOST_HOPS else hops[: _MOST_HOPS - 1]
    rows |= {hop: (mean.by_hop_s.get(hop, {}), slowest.by_hop_s.get(hop, {})) for hop in shown}
    rest = hops[len(shown) :]
    if rest:
        rows[f"{len(rest)} other hops"] = (_together(mean, rest), _together(slowest, rest))
    return rows


def _together(split: Split, hops: list[str]) -> _Parts:
    """Sum over hops; that of their intervals is unknown, because they depend on each other."""
    sums = {part: math.fsum(_value(split.by_hop_s.get(hop, {}), part) for hop in hops) for part in PARTS}
    return {part: Estimate(value, None, None, split.requests, "a sum of hops") for part, value in sums.items()}


def _value(parts: _Parts, part: str) -> float:
    return (parts[part].value or 0.0) if part in parts else 0.0


def _sum_s(parts: _Parts) -> float:
    return math.fsum(_value(parts, part) for part in PARTS)


def _told(hop: str, parts: _Parts, split: Split) -> str:
    return duration_interval(split.latency_s) if hop == _ALL else duration(_sum_s(parts))


def _draw(found: Canvas, y: float, parts: _Parts, unit: Unit, longest: float, text: str) -> None:
    ax, start, end = found.axes[0], 0.0, 0.0
    for lane, part in enumerate(PARTS):
        width = _value(parts, part) * unit.scale
        if width <= 0:
            continue
        ax.barh(y, width, _THICK, start, color=PART_COLOURS[part], ec=found.theme.paper, lw=0.5, gid=part)
        start += width
        end = max(end, start)
        bars = arms(parts[part], unit.scale)
        if bars is not None and bars.max() > _SHOWN_ARM * longest * unit.scale:
            at = y + _THICK * ((lane + 0.5) / len(PARTS) - 0.5)  # intervals of short parts lie beside each other
            ax.errorbar(start, at, xerr=bars, color=found.theme.ink, lw=0.8, capsize=1.2, capthick=0.8, gid=part)
            end = max(end, start + float(bars[1, 0]))
    ax.annotate(text, (end, y), (6, 0), textcoords="offset points", va="center", fontsize=7, gid="total")


def _label(found: Canvas, side: Told, names: list[str], unit: Unit) -> None:
    ax = found.axes[0]
    ax.set_yticks(range(len(names)), labels=names)
    ax.set_ylim(len(names) - 0.45, -0.55)
    ax.tick_params(axis="y", length=0)
    ax.grid(visible=False, axis="y")
    ax.axhline(0.5, color=found.theme.muted, lw=0.6)
    ax.set_xlabel(f"time of a request ({unit.name})")
    used = [part for part in PARTS if _value(_mean(side).parts_s, part) or _value(_slowest(side).parts_s, part)]
    handles = [Patch(color=PART_COLOURS[part], label=part) for part in used]
    ax.legend(handles=handles, loc="upper left", bbox_to_anchor=(1.0, 1.0), title="part")
    found.set_title(f"{side.topology} under {side.architecture}: where the time goes")
    found.note(
        f"Of {_mean(side).requests:,} sampled requests, along the critical path. Thin bars: {side.level * 100:g} % "
        "interval of the part that ends there."
    )
