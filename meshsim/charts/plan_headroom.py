"""How far the load can grow under each architecture before something breaks, and what that is."""

from __future__ import annotations

import textwrap
from collections.abc import Iterator
from typing import TYPE_CHECKING, Final, Unpack

from matplotlib.axes import Axes
from matplotlib.patches import Patch

from meshsim.charts.plan_kept import growth_text, in_order
from meshsim.charts.quantities import plain
from meshsim.charts.style import Canvas, Look, canvas, folded, mark_of
from meshsim.errors import UsageError

if TYPE_CHECKING:
    from meshsim.planning.result import Growing, Plan

_BAR: Final = 0.38
_ALL_THERE: Final = 0.6  # alpha of the bar with all replicas
_LETTERS: Final = 44  # of a line beside a bar
_FOR_TEXT: Final = 1.1  # of the longest bar: beside it stands what breaks
_LEAST: Final = 0.1  # of the load: an axis is that long at least


def plan_headroom(found: Plan, ax: Axes | None = None, **look: Unpack[Look]) -> Axes:
    """Draw how far the load can grow under each architecture, with something lost and with all replicas there.

    A bar ends at the last load at which everything was kept, and its whisker at the first at which something was not:
    both were simulated. What breaks first is beside it.

    Parameters
    ----------
    found
        What `meshsim.plan` gives, with ``growth``.
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
        No plan says how far its load can grow.
    """
    if not any(one.growing is not None for one in found.deployments.values()):
        what = "was not looked at: plan with growth" if found.deployments else "is nothing: there is no plan"
        raise UsageError(f"how far the load can grow {what}")
    names = in_order(found)
    with canvas(ax, look, (8.4, 1.7 + 0.78 * len(names))) as drawn:
        main = drawn.axes[0]
        longest = max(1.0 + _LEAST, *(_end(growing) for name in names for _, growing, _ in _bars(found, name)))
        for row, name in enumerate(names):
            for shift, growing, full in _bars(found, name):
                _bar(drawn, row + shift, growing, name, full=full)
            if name in found.infeasible:
                _beside(drawn, row, 1.0, "no plan: nothing that was looked at holds", f"{name} text")
        main.axvline(1.0, color=drawn.theme.ink, lw=1.0, zorder=1, gid="planned")
        main.set_xlim(1.0, longest + _FOR_TEXT * (longest - 1.0))
        main.set_yticks(range(len(names)), labels=[folded(name, 22) for name in names])
        main.set_ylim(len(names) - 0.45, -0.55)
        main.grid(visible=False, axis="y")
        main.set_xlabel("load (multiples of the load that was planned for)")
        main.set_ylabel("architecture")
        ticks = [tick for tick in main.get_xticks() if 1.0 <= tick <= longest + 1e-9]
        main.set_xticks(ticks, labels=[plain(tick) for tick in ticks])
        lost = Patch(color=drawn.theme.muted, label=found.loss.told)
        there = Patch(color=drawn.theme.muted, alpha=_ALL_THERE, label="all replicas there")
        main.legend(handles=[lost, there] if _has_two(found) else [lost], loc="upper left", bbox_to_anchor=(1.0, 1.0))
        drawn.set_title(f"{found.name}: how far the load can grow")
        drawn.note("Whiskers: from the last load at which all was kept to the first at which something was not.")
    return drawn.axes[0]


def _has_two(found: Plan) -> bool:
    return any(one.bought != one.needed for one in found.deployments.values())


def _bars(found: Plan, name: str) -> Iterator[tuple[float, Growing, bool]]:
    """Where bars of an architecture are, beside the middle of its row."""
    if name not in found.deployments:
        return
    one = found[name]
    several = one.bought != one.needed
    if one.growing is not None:
        yield (-_BAR / 2 if several else 0.0), one.growing, False
    if one.growing_full is not None and several:
        yield _BAR / 2, one.growing_full, True


def _end(growing: Growing) -> float:
    return growing.held if growing.broke is None else growing.broke


def _bar(drawn: Canvas, at: float, growing: Growing, name: str, *, full: bool) -> None:
    main, mark = drawn.axes[0], mark_of(name)
    gid = f"{name} {'all' if full else 'lost'}"
    alpha = _ALL_THERE if full else 1.0
    main.barh(at, growing.held - 1.0, _BAR, left=1.0, color=mark.colour, alpha=alpha, gid=gid)
    if growing.broke is not None:
        arms = [[0.0], [growing.broke - growing.held]]
        main.errorbar(
            growing.held, at, xerr=arms, fmt="none", ecolor=drawn.theme.ink, elinewidth=1.0, capsize=2.5, zorder=3
        )  # fmt: skip
    else:
        main.plot(growing.held, at, ">", color=mark.colour, ms=7, alpha=alpha, gid="beyond", zorder=3)
    _beside(drawn, at, _end(growing), growth_text(growing), f"{gid} text")


def _beside(drawn: Canvas, at: float, end: float, text: str, gid: str) -> None:
    drawn.axes[0].annotate(
        textwrap.fill(text, _LETTERS), (end, at), (6, 0), textcoords="offset points", va="center", fontsize=7, gid=gid
    )  # fmt: skip
