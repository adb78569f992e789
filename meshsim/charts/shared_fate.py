"""Who goes down with whom: faults in rows, tenants in columns, a panel for each architecture."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final, Unpack

import numpy as np
from matplotlib.axes import Axes
from matplotlib.collections import QuadMesh
from matplotlib.colors import Normalize
from matplotlib.lines import Line2D
from matplotlib.patches import Patch

from meshsim.charts.style import COLOUR_MAP, Canvas, Look, canvas, folded
from meshsim.errors import UsageError

if TYPE_CHECKING:
    from meshsim.blasts.result import Blast

_MOST_ROWS: Final = 80  # faults whose names can be read on a page
_MOST_PANELS: Final = 12
_ROW_INCHES: Final = 0.19
_COLUMN_INCHES: Final = 0.42
_NAMES_INCHES: Final = 2.9
_LEAST_INCHES: Final = (1.1, 3.0)  # width of a panel, so that its name fits, and height of all, so that the scale does
_BRIGHT: Final = 0.45  # of the scale, from which numbers are dark
_SHOWN: Final = 0.005  # shares below are 0


def shared_fate(found: Blast, ax: Axes | None = None, *, rollout: str | None = None, **look: Unpack[Look]) -> Axes:
    """Draw the share of each tenant's requests that were beyond objective because of each fault.

    A panel for each architecture and rollout; ordinary faults, which are not rolled out, are in those of the first
    rollout. Grey is a push that no proxy of the architecture gets. A dot marks who was harmed when it was over.

    Parameters
    ----------
    found
        What `meshsim.blast` gives.
    ax
        Axes whose place is taken; None for a new figure.
    rollout
        Of pushes; all of the blast if absent.
    look
        See `meshsim.charts.style.Look`.

    Returns
    -------
    matplotlib.axes.Axes
        The first panel; the others follow in its figure.

    Raises
    ------
    UsageError
        There are more faults or panels than can be read, or no such rollout.
    """
    rollouts = list(dict.fromkeys(cell.rollout for cell in found.cells if cell.rollout))
    if rollout is not None and rollout not in rollouts:
        raise UsageError(f"there is no rollout '{rollout}' in this blast; there is {', '.join(rollouts) or 'none'}")
    wanted = rollouts if rollout is None else [rollout]
    panels = [(name, one) for name in found.architectures for one in wanted or [""]]
    faults = list(dict.fromkeys(cell.name for cell in found.cells))
    if len(faults) > _MOST_ROWS or len(panels) > _MOST_PANELS:
        raise UsageError(
            f"{len(faults)} faults in {len(panels)} panels are too many for one picture: choose up to {_MOST_ROWS} "
            f"faults with --only, and up to {_MOST_PANELS} pairs of --arch and --rollout"
        )
    width = max(_COLUMN_INCHES * len(found.tenants), _LEAST_INCHES[0])
    height = max(1.7 + _ROW_INCHES * len(faults), _LEAST_INCHES[1])
    with canvas(
        ax, look, (_NAMES_INCHES + len(panels) * (width + 0.3) + 0.8, height), shape=(1, len(panels)), sharey=True
    ) as drawn:
        for place, (name, one) in zip(drawn.axes, panels, strict=True):
            mesh = _panel(drawn, place, found, faults, name, one, first=one == (wanted or [""])[0])
            place.set_title(
                "\n".join(filter(None, (folded(name, max(8, int(width * 9))), one))), fontsize=8, loc="left"
            )
        drawn.axes[0].invert_yaxis()
        bar = drawn.part.colorbar(mesh, ax=drawn.axes, aspect=30, pad=0.01)
        bar.set_label("beyond objective\nbecause of it (% of requests)")
        bar.outline.set_visible(False)
        drawn.part.supxlabel("tenant", fontsize=9)
        title = drawn.title if drawn.title is not None else f"Shared fate: {found.topology.name}"
        drawn.part.suptitle(title, x=0.01, ha="left", fontsize=10, fontweight="bold")
        handles = [
            Patch(fc=drawn.theme.grid, label="nothing to push to"),
            Line2D([], [], ls="none", marker=".", color=drawn.theme.ink, label="harmed when it was over"),
        ]
        drawn.part.legend(handles=handles, loc="outside upper right", ncols=2, fontsize=7)
    return drawn.axes[0]


def _panel(
    drawn: Canvas, ax: Axes, found: Blast, faults: list[str], architecture: str, rollout: str, *, first: bool
) -> QuadMesh:
    """One architecture and rollout."""
    cells = {
        cell.name: cell
        for cell in found.cells
        if cell.architecture == architecture and (cell.rollout == rollout or (first and not cell.rollout))
    }
    shares = np.full((len(faults), len(found.tenants)), np.nan)
    for row, fault in enumerate(faults):
        cell = cells.get(fault)
        if cell is None or not cell.applies:
            continue
        for column, tenant in enumerate(found.tenants):
            share = cell.harm.by_tenant[tenant]
            shares[row, column] = share
            told = f"{100 * share:.0f}" if share >= _SHOWN else "0"
            if tenant in cell.harm.harmed_after:
                told += "•"
            colour = "black" if share > _BRIGHT else "white"
            ax.text(column + 0.5, row + 0.5, told, ha="center", va="center", fontsize=6, color=colour)
    ax.set_facecolor(drawn.theme.grid)
    mesh = ax.pcolormesh(
        100.0 * np.ma.masked_invalid(shares),
        cmap=COLOUR_MAP,
        norm=Normalize(0.0, 100.0),
        edgecolors=drawn.theme.paper,
        lw=0.6,
    )
    ax.set_xticks(np.arange(len(found.tenants)) + 0.5, labels=found.tenants, rotation=90, fontsize=7)
    ax.set_yticks(np.arange(len(faults)) + 0.5, labels=faults, fontsize=7)
    ax.tick_params(length=0)
    ax.grid(visible=False)
    ax.spines[:].set_visible(False)
    return mesh
