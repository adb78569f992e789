"""The map of metastability: a word for each load, retry policy and number of proxies."""

from __future__ import annotations

import math
from collections.abc import Hashable
from typing import TYPE_CHECKING, Any, Final, Unpack

import numpy as np
from matplotlib.axes import Axes
from matplotlib.patches import Patch, Rectangle

from meshsim.charts import frames
from meshsim.charts.quantities import plain
from meshsim.charts.style import Look, canvas, folded
from meshsim.errors import UsageError
from meshsim.metastable.words import SHORT, WORDS
from meshsim.results.text import duration

if TYPE_CHECKING:
    import pandas as pd

#: Of M. Okabe and K. Ito (see `meshsim.charts.style`); dark ink can be read on each of them.
WORD_COLOURS: Final[dict[str, str]] = dict(zip(WORDS, ("#56B4E9", "#F0E442", "#D55E00"), strict=True))
_INK: Final = "#000000"
_COLUMNS = ["architecture", "proxies", "policy", "load", "word", "share", "back_s", "ended_by"]
_MOST_CELLS: Final = 20  # along an axis
_MOST_ACROSS: Final = 3  # panels beside each other
_CELL_INCHES = (1.0, 0.52)


def stability_map(
    points: pd.DataFrame, ax: Axes | None = None, *, proxies: str = "", topology: str = "", **look: Unpack[Look]
) -> Axes:
    """Draw a map into stable, vulnerable and stuck, a panel for each architecture and number of proxies.

    Cells have the word, the share of the replications if not all agree, and below it how long it took to come back, or
    what ended it.

    Parameters
    ----------
    points
        A row a point, as `meshsim.Metastability.frame` has them.
    ax
        Axes whose place is taken; None for a new figure.
    proxies
        What the column ``proxies`` is, for the titles.
    topology
        Its name, for the title.
    look
        See `meshsim.charts.style.Look`.

    Returns
    -------
    matplotlib.axes.Axes
        The first panel; the others follow in its figure.

    Raises
    ------
    UsageError
        A column is missing, or there are too many values along an axis.
    """
    frames.check(points, _COLUMNS, ("architecture", "proxies", "policy", "load"))
    loads = sorted(points["load"].unique())
    policies = list(dict.fromkeys(points["policy"]))
    for what, values in (("load", loads), ("policy", policies)):
        if len(values) > _MOST_CELLS:
            raise UsageError(f"{what} has {len(values)} values; a map shows up to {_MOST_CELLS}: keep fewer rows")
    panels = list(points.groupby(["architecture", "proxies"], sort=False, dropna=False))
    across = min(_MOST_ACROSS, len(panels))
    down = math.ceil(len(panels) / across)
    width, height = _CELL_INCHES
    inches = (max(5.0, 1.6 + across * (0.3 + width * len(loads))), 1.4 + down * (0.45 + height * len(policies)))
    with canvas(ax, look, inches, shape=(down, across), sharex=True, sharey=True) as found:
        for place, (at, rows) in zip(found.axes, panels, strict=False):
            _draw(place, rows, loads, policies, found.theme.paper)
            place.set_title(folded(_title(at, points, proxies)), fontsize=9, loc="left")
        for place in found.axes[len(panels) :]:
            place.set_visible(False)
        for place in found.axes[: len(panels)][-across:]:
            place.tick_params(labelbottom=True)
        found.part.supxlabel("load (run.load)", fontsize=9)
        found.part.supylabel("retry policy", fontsize=9)
        question = "does goodput come back when the trigger is gone?"
        own = f"{topology}: {question}" if topology else question.capitalize()
        found.part.suptitle(found.title if found.title is not None else own, x=0.01, ha="left",
                            fontsize=10, fontweight="bold")  # fmt: skip
        handles = [Patch(fc=colour, label=word) for word, colour in WORD_COLOURS.items()]
        found.part.legend(handles=handles, loc="outside right upper")
    return found.axes[0]


def _title(at: tuple[Hashable, ...], points: pd.DataFrame, proxies: str) -> str:
    architecture, value = at
    if not points["proxies"].notna().any():
        return str(architecture)
    of = f"{proxies}={value}" if proxies else f"{value} proxies"
    return of if points["architecture"].nunique() == 1 else f"{architecture}, {of}"


def _draw(ax: Axes, rows: pd.DataFrame, loads: list[Any], policies: list[Any], paper: str) -> None:
    for row in rows.to_dict("records"):
        column, line = loads.index(row["load"]), policies.index(row["policy"])
        fill = WORD_COLOURS[row["word"]]
        ax.add_patch(Rectangle((column, line), 1, 1, fc=fill, ec=paper, lw=1.5, gid=row["word"]))
        head, below = _words(row)
        at = (column + 0.5, line + (0.38 if below else 0.5))
        ax.text(*at, head, ha="center", va="center", fontsize=8, color=_INK, gid="word")
        if below:
            ax.text(column + 0.5, line + 0.72, below, ha="center", va="center", fontsize=6.5, color=_INK, gid="below")
    ax.set_xlim(0, len(loads))
    ax.set_ylim(len(policies), 0)
    ax.set_xticks(np.arange(len(loads)) + 0.5, labels=[plain(float(one)) for one in loads])
    ax.set_yticks(np.arange(len(policies)) + 0.5, labels=[folded(str(one), 18) for one in policies])
    ax.tick_params(length=0)
    ax.grid(visible=False)
    ax.spines[:].set_visible(False)


def _words(row: dict[Any, Any]) -> tuple[str, str]:
    head = row["word"] if row["share"] == 1.0 else f"{row['word']} {row['share']:.0%}"
    if row["word"] == "stable":
        return head, "" if _absent(row["back_s"]) else f"back in {duration(float(row['back_s']))}"
    ended_by = row["ended_by"]
    return head, "" if _absent(ended_by) else f"ended by {SHORT.get(ended_by, ended_by)}"


def _absent(value: object) -> bool:
    return value is None or value != value  # pandas has nan for None
