"""Who goes down with whom: faults in rows, tenants in columns, a panel for each architecture."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final, Unpack

import numpy as np
from matplotlib.axes import Axes
from matplotlib.colors import Normalize

from meshsim.charts.style import COLOUR_MAP, Look, canvas, folded
from meshsim.errors import UsageError

if TYPE_CHECKING:
    from meshsim.blasts.result import Blast

_MOST_ROWS: Final = 80  # faults whose names can be read on a page
_ROW_INCHES: Final = 0.19
_COLUMN_INCHES: Final = 0.45
_NAMES_INCHES: Final = 2.9
_BRIGHT: Final = 0.45  # of the scale, from which numbers are dark
_SHOWN: Final = 0.005  # shares below are left blank


def shared_fate(found: Blast, ax: Axes | None = None, *, rollout: str | None = None, **look: Unpack[Look]) -> Axes:
    """Draw the share of each tenant's requests that were beyond objective because of each fault.

    Parameters
    ----------
    found
        What `meshsim.blast` gives.
    ax
        Axes whose place is taken; None for a new figure.
    rollout
        Of pushes; the first one of the blast if absent.
    look
        See `meshsim.charts.style.Look`.

    Returns
    -------
    matplotlib.axes.Axes
        The first panel; the others follow in its figure.

    Raises
    ------
    UsageError
        There are more faults than names can be read of, or no such rollout.
    """
    rollouts = list(dict.fromkeys(cell.rollout for cell in found.cells if cell.rollout))
    if rollout is not None and rollout not in rollouts:
        raise UsageError(f"there is no rollout '{rollout}' in this blast; there is {', '.join(rollouts) or 'none'}")
    matrices = {name: found.matrix(name, rollout) for name in found.architectures}
    faults = list(next(iter(matrices.values())))
    if len(faults) > _MOST_ROWS:
        raise UsageError(f"{len(faults)} faults are too many for one picture: choose up to {_MOST_ROWS} with --only")
    inches = (
        _NAMES_INCHES + len(matrices) * (_COLUMN_INCHES * len(found.tenants) + 0.3) + 0.8,
        1.6 + _ROW_INCHES * len(faults),
    )
    with canvas(ax, look, inches, shape=(1, len(matrices)), sharey=True) as drawn:
        for place, (name, matrix) in zip(drawn.axes, matrices.items(), strict=True):
            shares = np.array([[matrix[fault][tenant] for tenant in found.tenants] for fault in faults])
            mesh = place.pcolormesh(
                100.0 * shares, cmap=COLOUR_MAP, norm=Normalize(0.0, 100.0), edgecolors=drawn.theme.paper, lw=0.6
            )
            for (row, column), share in np.ndenumerate(shares):
                if share >= _SHOWN:
                    colour = "black" if share > _BRIGHT else "white"
                    text = f"{100 * share:.0f}"
                    place.text(column + 0.5, row + 0.5, text, ha="center", va="center", fontsize=6, color=colour)
            place.set_xticks(np.arange(len(found.tenants)) + 0.5, labels=found.tenants, rotation=90, fontsize=7)
            place.set_yticks(np.arange(len(faults)) + 0.5, labels=faults, fontsize=7)
            place.tick_params(length=0)
            place.grid(visible=False)
            place.spines[:].set_visible(False)
            place.set_title(folded(name), fontsize=9, loc="left")
        drawn.axes[0].invert_yaxis()
        bar = drawn.part.colorbar(mesh, ax=drawn.axes, aspect=40, pad=0.01)
        bar.set_label("requests beyond objective because of it, %")
        bar.outline.set_visible(False)
        drawn.part.supxlabel("tenant", fontsize=9)
        pushed = rollout or (rollouts[0] if rollouts else "")
        usual = f"Shared fate{f', pushes {pushed}' if pushed else ''}: {found.topology.name}"
        title = drawn.title if drawn.title is not None else usual
        drawn.part.suptitle(title, x=0.01, ha="left", fontsize=10, fontweight="bold")
    return drawn.axes[0]
