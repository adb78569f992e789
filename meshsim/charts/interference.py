"""Who harms whom: aggressors in rows, victims in columns, a panel for each architecture and isolation."""

from __future__ import annotations

import math
from typing import TYPE_CHECKING, Any, Final, Unpack

import matplotlib as mpl
import numpy as np
from matplotlib.axes import Axes
from matplotlib.cm import ScalarMappable
from matplotlib.colors import LogNorm
from matplotlib.patches import Patch, Rectangle
from matplotlib.ticker import LogLocator, MaxNLocator

from meshsim.charts import frames
from meshsim.charts.quantities import plain
from meshsim.charts.style import COLOUR_MAP, Canvas, Look, canvas, folded
from meshsim.errors import UsageError
from meshsim.results.text import natural, number

if TYPE_CHECKING:
    import pandas as pd

_ENDS: Final = ("p99_ratio_low", "p99_ratio_high")
_COLUMNS: Final = ["architecture", "isolation", "aggressor", "victim", "word", "p99_ratio", *_ENDS, "unstable"]
_SHED: Final = ["shed_share", "shed_share_low", "shed_share_high"]
_MOST_TENANTS: Final = 20  # along an axis: numbers in more cannot be read
_MOST_ACROSS: Final = 2  # panels beside each other
LEAST_TOP: Final = 1.5  # ratio of the brightest colour at least, so that 1.01 is not alarming (assumed)
_CELL_INCHES = (1.0, 0.62)
_LETTER_INCHES: Final = 0.068  # of a label
_ACROSS: Final = 14  # letters that fit below a cell
_SLOPE: Final = 0.65  # of slanted labels
_INSET: Final = 0.012  # of a cell
_NARROW: Final = 3.0  # ratio of the brightest colour below which ticks are a number apart, and beyond it a factor
_DARK: Final = 0.45  # luminance of a cell below which its number is white


def interference_heatmap(
    cells: pd.DataFrame, ax: Axes | None = None, *, top: float = LEAST_TOP, **look: Unpack[Look]
) -> Axes:
    """Draw what each tenant does to the p99 of each other one.

    Cells have the ratio of the victim's p99 with the aggressor over that without it, and its interval; below, how many
    more percent of its requests had no good answer, where that is sure. Hatched cells show no difference of p99 that
    can be told: its interval includes 1, or is not known; another figure may still tell one. Plain ones were not
    touched at all. Harmed victims have a frame.

    Parameters
    ----------
    cells
        A row a cell, as `meshsim.Interference.frame` has them.
    ax
        Axes whose place is taken; None for a new figure.
    top
        Ratio of the brightest colour at least; give less where small differences are to be seen.
    look
        See `meshsim.charts.style.Look`.

    Returns
    -------
    matplotlib.axes.Axes
        The first panel; the others follow in its figure.

    Raises
    ------
    UsageError
        A column is missing, there are no cells, or too many tenants.
    """
    if not 1.0 < top < math.inf:
        raise UsageError(f"the brightest colour is that of a ratio above 1, not of {top}")
    frames.check(cells, [*_COLUMNS, *_SHED], ("architecture", "isolation", "aggressor", "victim"))
    cells = cells.astype(dict.fromkeys(["p99_ratio", *_ENDS, *_SHED], float))  # where all are unknown there are objects
    aggressors = sorted(cells["aggressor"].unique(), key=natural)
    victims = sorted({*cells["victim"], *cells["aggressor"]}, key=natural)
    if len(victims) > _MOST_TENANTS:
        raise UsageError(f"{len(victims)} tenants are more than a matrix shows ({_MOST_TENANTS}): keep fewer rows")
    panels = list(cells.groupby(["architecture", "isolation"], sort=False))
    across = min(_MOST_ACROSS, len(panels))
    down = math.ceil(len(panels) / across)
    (width, height), names = _CELL_INCHES, _LETTER_INCHES * max(map(_longest, victims))
    inches = (
        max(5.4, 1.5 + names + across * (0.5 + width * len(victims))),
        1.9 + down * (0.5 + height * len(aggressors)) + (names * _SLOPE if _slanted(victims) else 0.0),
    )
    norm = _norm(cells, top)
    with canvas(ax, look, inches, shape=(down, across), sharex=True, sharey=True) as found:
        for place, (at, rows) in zip(found.axes, panels, strict=False):
            _panel(found, place, rows, aggressors, victims, norm)
            architecture, isolation = (str(part) for part in at)
            several = cells["isolation"].nunique() > 1
            place.set_title(folded(f"{architecture}, {isolation}" if several else architecture), fontsize=9, loc="left")
        for place in found.axes[len(panels) :]:
            place.set_visible(False)
        _label(found, norm, found.axes[: len(panels)], across)
    return found.axes[0]


def _norm(cells: pd.DataFrame, top: float) -> LogNorm:
    """Colours from no difference up to the largest ratio; what is faster has the colour of no difference."""
    known = cells[cells["unstable"] == ""]["p99_ratio"].dropna()
    known = known if len(known) else cells["p99_ratio"].dropna()
    return LogNorm(1.0, max(top, float(known.max()) if len(known) else top))


def _panel(
    found: Canvas, ax: Axes, rows: pd.DataFrame, aggressors: list[str], victims: list[str], norm: LogNorm
) -> None:
    ax.set_facecolor(found.theme.paper)
    for name in aggressors:
        at = victims.index(name), aggressors.index(name)
        ax.text(at[0] + 0.5, at[1] + 0.5, "·", ha="center", va="center", color=found.theme.muted, gid="itself")
    for row in rows.to_dict("records"):
        _cell(found, ax, (victims.index(row["victim"]), aggressors.index(row["aggressor"])), row, norm)
    ax.set_xlim(0, len(victims))
    ax.set_ylim(len(aggressors), 0)
    slant: dict[str, Any] = {"rotation": 40, "ha": "right", "rotation_mode": "anchor"} if _slanted(victims) else {}
    ax.set_xticks(np.arange(len(victims)) + 0.5, labels=[folded(name, _ACROSS) for name in victims], **slant)
    ax.set_yticks(np.arange(len(aggressors)) + 0.5, labels=[folded(name, _ACROSS) for name in aggressors])
    ax.tick_params(length=0)
    ax.grid(visible=False)
    ax.spines[:].set_visible(False)


def _longest(name: str) -> int:
    """Letters of the longest line of a label."""
    return max(map(len, folded(name, _ACROSS).split("\n")))


def _slanted(victims: list[str]) -> bool:
    """Whether labels would run into each other."""
    return any(_longest(name) > _ACROSS for name in victims)


def _cell(found: Canvas, ax: Axes, at: tuple[int, int], row: dict[Any, Any], norm: LogNorm) -> None:
    ratio, word = row["p99_ratio"], row["word"]
    known = math.isfinite(ratio)
    plain = word == "untouched" or not known
    fill = found.theme.grid if plain else mpl.colormaps[COLOUR_MAP](norm(min(max(ratio, norm.vmin), norm.vmax)))
    ax.add_patch(Rectangle(at, 1, 1, fc=fill, ec=found.theme.paper, lw=1.5, gid=word))
    colour = found.theme.ink if plain else _readable(fill)
    if not plain and _includes_one(row):
        inner = (at[0] + _INSET, at[1] + _INSET), 1 - 2 * _INSET, 1 - 2 * _INSET  # hatches reach beyond their edge
        ax.add_patch(Rectangle(*inner, fill=False, hatch="////", hatchcolor=colour, lw=0, alpha=0.5, gid="includes 1"))
    if word == "harmed":
        frame = Rectangle((at[0] + 0.04, at[1] + 0.05), 0.92, 0.9, fill=False, ec=colour, lw=2.0, gid="frame")
        ax.add_patch(frame)
    lines = [number(ratio) if known and word != "untouched" else "1" if known else "no p99", *_below(row)]
    behind = {} if plain else {"bbox": {"fc": fill, "ec": "none", "pad": 1.0}}
    ax.text(at[0] + 0.5, at[1] + 0.5, "\n".join(lines), ha="center", va="center", fontsize=7, color=colour,
            linespacing=1.15, gid="number", **behind)  # fmt: skip


def _below(row: dict[Any, Any]) -> list[str]:
    """The interval, and what else is sure."""
    if row["word"] == "untouched":
        return ["untouched"]
    low, high = (row[name] for name in _ENDS)
    unknown = not (math.isfinite(low) and math.isfinite(high))
    lines = ["no interval" if unknown else f"{number(low)}–{number(high)}"]
    shed, least, most = (row[name] for name in _SHED)
    if least > 0.0 or most < 0.0:  # neither where it is not known
        lines.append(f"{100 * shed:+.3g} pp shed")
    if "with" in row["unstable"]:
        lines.append("unstable")
    return lines


def _includes_one(row: dict[Any, Any]) -> bool:
    low, high = (row[name] for name in _ENDS)
    return not (low > 1.0 or high < 1.0)  # an interval that is not known excludes nothing


def _readable(fill: Any) -> str:
    red, green, blue, _ = fill
    return "white" if 0.2126 * red + 0.7152 * green + 0.0722 * blue < _DARK else "black"


def _label(found: Canvas, norm: LogNorm, panels: list[Axes], across: int) -> None:
    bar = found.part.colorbar(ScalarMappable(norm, COLOUR_MAP), ax=found.axes, aspect=30, pad=0.02)
    bar.set_label("p99 with the aggressor / without")
    bar.outline.set_visible(False)
    ticks = _ticks(float(norm.vmax or 2.0))
    bar.set_ticks(ticks, labels=[plain(tick) for tick in ticks])
    bar.minorticks_off()
    for ax in panels[-across:]:
        ax.tick_params(labelbottom=True)
        ax.set_xlabel("victim")  # no label of all, which the legend would lie on
    found.part.supylabel("aggressor", fontsize=9)
    own = "Who slows whom down"
    found.part.suptitle(
        found.title if found.title is not None else own, x=0.01, ha="left", fontsize=10, fontweight="bold"
    )
    handles = [
        Patch(fc="none", ec=found.theme.ink, lw=2.0, label="harmed"),
        Patch(fc="none", hatchcolor=found.theme.ink, hatch="////", lw=0, label="p99: no difference that can be told"),
        Patch(fc=found.theme.grid, label="untouched"),
    ]
    found.part.legend(handles=handles, loc="outside lower center", ncols=3, fontsize=7)


def _ticks(top: float) -> list[float]:
    """Round numbers from 1 to the largest ratio, so that a label is exactly where it stands.

    Examples
    --------
    >>> _ticks(1.5), _ticks(1.1), _ticks(24.0)
    ([1.0, 1.1, 1.2, 1.3, 1.4, 1.5], [1.0, 1.02, 1.04, 1.06, 1.08, 1.1], [1.0, 2.0, 5.0, 10.0, 20.0])
    """
    narrow = top < _NARROW
    steps = MaxNLocator(6, steps=[1, 2, 5, 10]) if narrow else LogLocator(10, (1.0, 2.0, 5.0), numticks=12)
    found = [round(float(tick), 9) for tick in steps.tick_values(1.0, top)]
    return [tick for tick in found if 1.0 <= tick <= top * (1.0 + 1e-9)]
