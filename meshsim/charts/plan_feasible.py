"""Which replicas of two services hold, as far as the search simulated them."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING, Final, Unpack

from matplotlib.axes import Axes
from matplotlib.patches import Patch, Rectangle
from matplotlib.ticker import MaxNLocator

from meshsim.charts.plan_kept import chosen
from meshsim.charts.style import Canvas, Look, canvas, folded
from meshsim.errors import UsageError

if TYPE_CHECKING:
    from meshsim.planning.probing import Probe
    from meshsim.planning.result import Deployment, Plan

#: Of M. Okabe and K. Ito (see `meshsim.charts.style`); dark ink can be read on each of them.
CELL_COLOURS: Final[dict[str, str]] = {"met": "#56B4E9", "undecided": "#F0E442", "missed": "#D55E00"}
_WORDS: Final = {"met": "holds", "undecided": "undecided", "missed": "misses"}
_SIGNS: Final = {"met": "✓", "undecided": "?", "missed": "×"}
_INK: Final = "#000000"
_BEST_FIRST: Final = tuple(CELL_COLOURS)
_LARGEST: Final = 24  # cells along an axis in which signs can be read


@dataclass(frozen=True, slots=True)
class _Cell:
    judgement: str
    exact: bool  # simulated with the plan's replicas of all others


def plan_feasible(
    found: Plan, ax: Axes | None = None, *, architecture: str | None = None, **look: Unpack[Look]
) -> Axes:
    """Draw which replicas of the two services that cost most hold, as far as they were simulated.

    A cell tells what was simulated with the plan's replicas of all other services. Where nothing was, it is hatched and
    tells the best of what was simulated with other replicas of the others. Cells that the search never looked at are
    empty.

    Parameters
    ----------
    found
        What `meshsim.plan` gives.
    ax
        Axes to draw into; None for a new figure.
    architecture
        Whose plan; the cheapest if absent.
    look
        See `meshsim.charts.style.Look`.

    Returns
    -------
    matplotlib.axes.Axes

    Raises
    ------
    UsageError
        There is no plan (of this architecture), or it does not have what was looked at.
    """
    name, one = chosen(found, architecture)
    if not one.looked:
        raise UsageError("the plan does not have what was looked at: plan anew with this meshsim")
    pair = _dearest(one)
    cells = cells_of(one.looked, pair, one.needed)
    columns = sorted({x for x, _ in cells})
    lines = sorted({y for _, y in cells})
    wide, high = columns[-1] - columns[0] + 1, lines[-1] - lines[0] + 1
    inches = (min(9.0, max(5.6, 2.8 + 0.42 * wide)), min(7.0, max(3.4, 1.7 + 0.42 * high)))
    with canvas(ax, look, inches) as drawn:
        main = drawn.axes[0]
        for at, cell in cells.items():
            _draw(drawn, at, cell, signs=max(wide, high) <= _LARGEST)
        _mark_plan(drawn, pair, one)
        main.set_xlim(columns[0] - 0.75, columns[-1] + 0.75)
        main.set_ylim(lines[0] - 0.75, lines[-1] + 0.75)
        main.grid(visible=False)
        main.xaxis.set_major_locator(MaxNLocator(12, integer=True, min_n_ticks=1))
        main.yaxis.set_major_locator(MaxNLocator(12, integer=True, min_n_ticks=1))
        main.set_xlabel(f"{folded(pair[0])} (replicas)")
        if len(pair) > 1:
            main.set_ylabel(f"{folded(pair[1])} (replicas)")
        else:
            main.set_yticks([])
        _legend(drawn, cells, others=len(one.needed) > len(pair))
        drawn.set_title(f"{found.name} under {name}: which replicas hold")
        drawn.note(_note(found, one, cells, pair))
    return drawn.axes[0]


def _dearest(one: Deployment) -> tuple[str, ...]:
    """The two services that cost most, the dearest first; one if there is one only."""
    money = {name: count * one.prices.get(name, 0.0) for name, count in one.bought.items()}
    return tuple(sorted(money, key=lambda name: -money[name])[:2])


def cells_of(looked: Iterable[Probe], pair: tuple[str, ...], needed: Mapping[str, int]) -> dict[tuple[int, int], _Cell]:
    """What was simulated, by replicas of the two."""
    found: dict[tuple[int, int], _Cell] = {}
    for probe in looked:
        at = (probe.counts[pair[0]], probe.counts[pair[1]] if len(pair) > 1 else 1)
        exact = all(probe.counts[name] == count for name, count in needed.items() if name not in pair)
        now = _Cell(probe.judgement, exact)
        before = found.get(at)
        found[at] = now if before is None else min(before, now, key=_rank)
    return found


def _rank(cell: _Cell) -> tuple[bool, int]:
    return not cell.exact, _BEST_FIRST.index(cell.judgement)


def _draw(drawn: Canvas, at: tuple[int, int], cell: _Cell, *, signs: bool) -> None:
    main, (x, y) = drawn.axes[0], at
    main.add_patch(
        Rectangle(
            (x - 0.5, y - 0.5), 1, 1, fc=CELL_COLOURS[cell.judgement], ec=drawn.theme.paper, lw=1.2,
            gid=f"{x} {y} {cell.judgement}", zorder=2,
        )
    )  # fmt: skip
    if not cell.exact:
        main.add_patch(
            Rectangle((x - 0.5, y - 0.5), 1, 1, fill=False, hatch="////", hatchcolor=_INK, lw=0, alpha=0.4, zorder=3)
        )  # fmt: skip
    if signs:
        main.text(x, y, _SIGNS[cell.judgement], ha="center", va="center", fontsize=9, color=_INK, zorder=5, gid="sign")


def _mark_plan(drawn: Canvas, pair: tuple[str, ...], one: Deployment) -> None:
    x, y = one.needed[pair[0]], one.needed[pair[1]] if len(pair) > 1 else 1
    drawn.axes[0].add_patch(
        Rectangle((x - 0.5, y - 0.5), 1, 1, fc="none", ec=drawn.theme.ink, lw=2.4, zorder=6, gid="plan")
    )  # fmt: skip


def _legend(drawn: Canvas, cells: Mapping[tuple[int, int], _Cell], *, others: bool) -> None:
    theme = drawn.theme
    handles = [Patch(fc="none", ec=theme.ink, lw=2.0, label="the plan (needed)")]
    for word, colour in CELL_COLOURS.items():
        if any(cell.judgement == word for cell in cells.values()):
            handles.append(Patch(fc=colour, label=f"{_SIGNS[word]} {_WORDS[word]}"))
    if others and any(not cell.exact for cell in cells.values()):
        handles.append(Patch(fc="none", ec=theme.muted, hatch="////", lw=0.6, label="other replicas\nof the others"))
    drawn.axes[0].legend(handles=handles, loc="upper left", bbox_to_anchor=(1.0, 1.0), borderaxespad=0.2)


def _note(found: Plan, one: Deployment, cells: Mapping[tuple[int, int], _Cell], pair: tuple[str, ...]) -> str:
    how = "estimated" if found.engine == "analytic" else "simulated"
    note = f"At peak load, {found.loss.told}; {len(one.looked)} deployments were {how}; empty cells were not"
    if any(not cell.exact for cell in cells.values()):
        note += "; hatched: the best of those with other replicas of the other services than the plan's"
    if len(one.needed) > len(pair):
        note += f"; of {len(one.needed)} services, the {len(pair)} that cost most"
    return note + "."
