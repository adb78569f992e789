"""One quantity over two axes of a sweep."""

from __future__ import annotations

import math
import textwrap
from collections.abc import Hashable, Sequence
from typing import TYPE_CHECKING, Any, Final, Unpack

import numpy as np
from matplotlib.axes import Axes
from matplotlib.colors import Normalize
from matplotlib.patches import Patch, Rectangle

from meshsim.charts import frames
from meshsim.charts.quantities import Quantity, arms, axis_label, numbers_of, plain, quantity
from meshsim.charts.style import COLOUR_MAP, Canvas, Look, canvas, folded
from meshsim.errors import UsageError
from meshsim.results.intervals import Estimate
from meshsim.results.text import number
from meshsim.results.verdict import STILL_FILLING

if TYPE_CHECKING:
    import pandas as pd

_MOST_CELLS: Final = 20  # along an axis; numbers in more cannot be read
_LEAST_FILLED: Final = 0.5  # of the cells (assumed)
_MOST_ACROSS: Final = 2  # panels beside each other
_CELL_INCHES = (0.62, 0.42)
_LETTER_INCHES: Final = 0.085  # width of a letter of the axes' labels
_SMALL_INCHES, _BOLD_INCHES = 0.062, 0.085  # of a letter of the legend, and of the title
_KEY_INCHES: Final = 0.6  # of the legend beside its text
_LEAST_ROOM: Final = 16  # letters of a line of the title
_LOPSIDED: Final = 1.5  # ratio of the arms of an interval from which ± would mislead (assumed)
_NEARLY_ALL: Final = 99.0  # per cent
_DARK: Final = 0.45  # luminance of a cell below which its number is white


def sweep_heatmap(
    frame: pd.DataFrame, x: str, y: str, value: str, ax: Axes | None = None, **look: Unpack[Look]
) -> Axes:
    """Draw a quantity over two axes of a sweep, a panel for each architecture, all with the same colours.

    Cells hold the value and, below it, ± its interval, or the ends of one that is not symmetric. Hatched cells are
    unstable, and the scale of colours leaves them out. Where so many requests failed that a quantile of all of them is
    infinite, the cell says so, and has that of the answered ones in brackets. Combinations that the sweep does not have
    stay empty.

    Parameters
    ----------
    frame
        A row a point: columns ``architecture``, ``verdict``, `x`, `y` and `value`; ``_low`` and ``_high`` of the value
        if there are intervals.
    x, y
        Columns of the axes, named by their dotted path.
    value
        Column of the quantity, e.g. ``p99_s``.
    ax
        Axes whose place is taken; None for a new figure.
    look
        See `meshsim.charts.style.Look`.

    Returns
    -------
    matplotlib.axes.Axes
        The first panel; the others follow in its figure.

    Raises
    ------
    UsageError
        A column is missing, a combination is there twice, most are not there, or there is no value at all.
    """
    largest = _check(frame, x, y, value)
    shown = quantity(value, largest)
    names, columns, lines = frames.architectures(frame), frames.values(frame, x), frames.values(frame, y)
    across = min(_MOST_ACROSS, len(names))
    down = math.ceil(len(names) / across)
    inches = _inches(len(columns), len(lines), across, down)
    with canvas(ax, look, inches, shape=(down, across), sharex=True, sharey=True) as found:
        norm = _norm(frame, value, shown.unit.scale)
        for place, name in zip(found.axes, names, strict=False):
            rows = frame[frame[frames.ARCHITECTURE] == name]
            _draw(found, place, rows, (x, columns), (y, lines), value, shown, norm)
            place.set_title(folded(name), fontsize=9, loc="left")
        for place in found.axes[len(names) :]:
            place.set_visible(False)
        _label(found, frame, (x, y), value, shown, found.axes[: len(names)], across)
    return found.axes[0]


def _check(frame: pd.DataFrame, x: str, y: str, value: str) -> float:
    """Hold that the frame can be drawn; give the largest value."""
    if len({x, y, value}) < 3:
        raise UsageError(f"a heatmap needs three different columns, not x={x}, y={y} and value={value}")
    frames.check(frame, [frames.ARCHITECTURE, frames.VERDICT, x, y, value], (frames.ARCHITECTURE, x, y))
    frames.check_numbers(frame, frames.interval_columns(value))
    found = frame[value].to_numpy(dtype=np.float64)
    finite = found[np.isfinite(found)]
    if not finite.size:
        raise UsageError(f"column '{value}' of the sweep has no number: there is nothing to draw")
    cells = frame[x].nunique() * frame[y].nunique()
    filled = len(frame[[x, y]].drop_duplicates())
    if filled < _LEAST_FILLED * cells:
        raise UsageError(
            f"the sweep has {filled} of the {cells} combinations of {x} and {y}, too few for a heatmap: points that a "
            "Latin hypercube drew are for a scatter"
        )
    for axis in (x, y):
        count = frame[axis].nunique()
        if count > _MOST_CELLS:
            raise UsageError(f"{axis} has {count} values; a heatmap shows up to {_MOST_CELLS}: keep fewer rows")
    return float(abs(finite).max())


def _norm(frame: pd.DataFrame, value: str, scale: float) -> Normalize:
    """Colours from the lowest to the highest value of stable points, if there are any: others grow with the run."""
    kept = [not frames.unstable(row) and not frames.failed(row, value) for _, row in frame.iterrows()]
    stable = frame[kept][value].dropna()
    found = stable if len(stable) else frame[value].dropna()
    finite = found[np.isfinite(found)] * scale
    return Normalize(float(finite.min()), float(finite.max()))


def _inches(columns: int, lines: int, across: int, down: int) -> tuple[float, float]:
    width, height = _CELL_INCHES
    return max(5.0, 2.0 + across * (0.3 + width * columns)), max(3.2, 1.5 + down * (0.45 + height * lines))


def _draw(
    found: Canvas,
    ax: Axes,
    rows: pd.DataFrame,
    across: tuple[str, Sequence[Hashable]],
    up: tuple[str, Sequence[Hashable]],
    value: str,
    shown: Quantity,
    norm: Normalize,
) -> None:
    (x, columns), (y, lines) = across, up
    grid = np.full((len(lines), len(columns)), np.nan)
    cells = {(columns.index(row[x]), lines.index(row[y])): row for _, row in rows.iterrows()}
    for (column, line), row in cells.items():
        known = frames.estimate(row, value).value
        grid[line, column] = math.nan if known is None or frames.failed(row, value) else known * shown.unit.scale
    image = ax.pcolormesh(grid, cmap=COLOUR_MAP, norm=norm, edgecolors=found.theme.paper, lw=0.8)
    for (column, line), row in cells.items():
        _write(found, ax, (column, line), row, value, shown, image)
    ax.set_xticks(np.arange(len(columns)) + 0.5, labels=[_tick(one) for one in columns])
    ax.set_yticks(np.arange(len(lines)) + 0.5, labels=[_tick(one) for one in lines])
    ax.tick_params(length=0)
    ax.grid(visible=False)
    ax.spines[:].set_visible(False)


def _axis_label(frame: pd.DataFrame, axis: str) -> str:
    """Label of an axis, whose ticks have their units with them."""
    found = numbers_of(frame[axis].tolist()) if axis.rpartition(".")[2] == "capacity" else None
    return axis_label(axis, "bytes" if found is not None and found[1] else "")


def _tick(value: Hashable) -> str:
    return plain(float(value)) if isinstance(value, int | float | np.number) else str(value)


def _write(
    found: Canvas, ax: Axes, cell: tuple[int, int], row: pd.Series, value: str, shown: Quantity, image: Any
) -> None:
    """Number, interval and hatch of a cell."""
    estimate, scale = frames.estimate(row, value), shown.unit.scale
    text, failed = _words(estimate, shown), frames.failed(row, value)
    colour = found.theme.ink
    if failed:
        text = f"∞\n({text.partition(chr(10))[0]})"
    elif estimate.value is not None:
        red, green, blue, _ = image.cmap(image.norm(estimate.value * scale))
        colour = "white" if 0.2126 * red + 0.7152 * green + 0.0722 * blue < _DARK else "black"
    at = (cell[0] + 0.5, cell[1] + 0.5)
    hatched = frames.unsettled(row)
    if hatched:
        ax.add_patch(
            Rectangle(cell, 1, 1, fill=False, hatch="////", hatchcolor=colour, lw=0, alpha=0.5, gid="unstable")
        )
    behind: dict[str, Any] = {}
    if hatched and estimate.value is not None:  # the hatch would run through the number
        fill = found.theme.paper if failed else image.cmap(image.norm(estimate.value * scale))
        behind = {"bbox": {"fc": fill, "ec": "none", "pad": 1.0}}
    ax.text(*at, text, ha="center", va="center", fontsize=7, color=colour, gid=value, linespacing=1.1, **behind)


def _words(estimate: Estimate, shown: Quantity) -> str:
    """A value and its interval: ± an arm, the ends where the arms differ much, a question mark where it is unknown."""
    if estimate.value is None:
        return "none"
    value = estimate.value * shown.unit.scale
    # 99.96 % and 99.9 % are not the same
    digits = 5 if shown.unit.name == "%" and value > _NEARLY_ALL else 3
    bars = arms(estimate, shown.unit.scale)
    if bars is None or estimate.low is None or estimate.high is None:
        return f"{number(value, digits)}\n± ?"
    below, above = sorted(bars.ravel().tolist())
    if above > _LOPSIDED * below:
        ends = [number(end * shown.unit.scale, digits) for end in (estimate.low, estimate.high)]
        return f"{number(value, digits)}\n{ends[0]}–{ends[1]}"
    return f"{number(value, digits)}\n± {number(above, 2)}"


def _label(
    found: Canvas,
    frame: pd.DataFrame,
    axes: tuple[str, str],
    value: str,
    shown: Quantity,
    panels: Sequence[Axes],
    across: int,
) -> None:
    bar = found.part.colorbar(panels[0].collections[0], ax=found.axes, aspect=30, pad=0.02)
    bar.set_label(shown.label)
    bar.outline.set_visible(False)
    for ax in panels[-across:]:
        ax.tick_params(labelbottom=True)
    known = any(frames.estimate(row, value).low is not None for _, row in frame.iterrows())
    size = found.figure.get_size_inches() / _LETTER_INCHES
    found.part.supxlabel(folded(_axis_label(frame, axes[0]), int(size[0])), fontsize=9)
    found.part.supylabel(folded(_axis_label(frame, axes[1]), int(size[1])), fontsize=9)
    own = frames.titled(frame, f"{shown.label}, 95 % intervals" if known else shown.label)
    title = found.title if found.title is not None else own
    handles = []
    if (frame[frames.VERDICT] == "unstable").any():
        handles.append(Patch(fc="none", ec=found.theme.muted, hatch="////", lw=0, label="unstable: grows with the run"))
    if (frame[frames.VERDICT] == STILL_FILLING).any():
        handles.append(Patch(fc="none", ec=found.theme.muted, hatch="////", lw=0, label="a cache was still filling"))
    if any(frames.failed(row, value) for _, row in frame.iterrows()):
        handles.append(Patch(fc="none", lw=0, label="∞: failed requests count as infinitely slow (of the others)"))
    if handles:
        found.part.legend(handles=handles, loc="outside upper right")
    beside = max((_KEY_INCHES + _SMALL_INCHES * len(str(one.get_label())) for one in handles), default=0.0)
    room = max(_LEAST_ROOM, int((size[0] * _LETTER_INCHES - beside) / _BOLD_INCHES))
    found.part.suptitle(textwrap.fill(title, room), x=0.01, ha="left", fontsize=10, fontweight="bold")
