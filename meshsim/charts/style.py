"""The one style sheet of all charts: themes, the colours of architectures, figures and panels.

Colours of architectures are those of M. Okabe and K. Ito, "Color universal design" (2008), which readers with any
colour vision tell apart; a marker and a dash of its own say the same again. Parts of a request's time are areas and
have pastels of P. Tol's "light" scheme (SRON technical note EPS-TN-09-002, 2021), so that no part is taken for an
architecture; what enforcers of policies add is dark. Tenants have Tol's "vibrant" colours.
"""

from __future__ import annotations

import hashlib
import re
import textwrap
import warnings
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any, Final, Literal, TypedDict

import matplotlib as mpl
import matplotlib.pyplot as plt
from matplotlib.axes import Axes
from matplotlib.figure import Figure, SubFigure

from meshsim.errors import UsageError

ThemeName = Literal["light", "dark"]
CM_PER_INCH: Final = 2.54
#: Perceptually uniform, made for readers with any colour vision (J. R. Nuñez et al., PLoS ONE 13, 2018).
COLOUR_MAP: Final = "cividis"
_NARROWEST_CM, _WIDEST_CM = 4.0, 200.0


class Look(TypedDict, total=False):
    """How a chart looks; every chart takes these words.

    ``theme`` is ``light`` or ``dark``. ``width_cm`` and ``height_cm`` are of a new figure, instead of what fits.
    ``title`` replaces the chart's own.
    """

    theme: ThemeName
    width_cm: float | None
    height_cm: float | None
    title: str | None


@dataclass(frozen=True, slots=True)
class Theme:
    """Colours that are not data: the paper, what is written on it, what stands back."""

    paper: str
    ink: str
    muted: str
    grid: str


THEMES: Final[dict[str, Theme]] = {
    "light": Theme(paper="#ffffff", ink="#1a1a1a", muted="#595959", grid="#dddddd"),
    "dark": Theme(paper="#121417", ink="#f2f2f2", muted="#a6a6a6", grid="#33373d"),
}


@dataclass(frozen=True, slots=True)
class Mark:
    """How an architecture is drawn, in every chart and theme."""

    colour: str
    marker: str
    dash: Any = "-"


MARKS: Final[dict[str, Mark]] = {
    "none": Mark("#666666", "o"),
    "gateway": Mark("#E69F00", "s"),
    "central": Mark("#D55E00", "D", (0, (6, 1.5))),
    "sidecar": Mark("#0072B2", "^"),
    "sidecar-only": Mark("#56B4E9", "v", (0, (6, 1.5))),
    "ambient": Mark("#009E73", "P"),
    "ambient-waypoint": Mark("#CC79A7", "X", (0, (6, 1.5))),
}
# Of P. Tol's "muted" scheme, those that can be seen on both papers. Some come near a named colour for some readers:
# values without a name are always dotted or dashed shortly besides.
_INLINE_COLOURS: Final = ("#AA4499", "#999933", "#CC6677", "#44AA99")
_INLINE_MARKERS: Final = ("<", ">", "p", "h", "d", "*")
_INLINE_DASHES: Final = ((0, (2, 1)), (0, (1, 1)), (0, (4, 1, 1, 1)))

#: Parts of a request's time, as `meshsim.results.breakdown.PARTS`.
PART_COLOURS: Final = {
    "queue": "#EE8866",
    "service": "#77AADD",
    "proxy": "#AAAA00",
    "network": "#EEDD88",
    "wait": "#FFAABB",
    "connection": "#225588",
    "failed tries": "#882255",
}


@dataclass(frozen=True, slots=True)
class Line:
    """How a line among others is drawn that is no architecture."""

    colour: str
    dash: Any = "-"


#: Tenants, in the order of their names.
SERIES: Final = (
    Line("#0077BB"),
    Line("#EE7733", (0, (5, 1.5))),
    Line("#33BBEE", (0, (1.5, 1))),
    Line("#EE3377", (0, (6, 1, 1.5, 1))),
    Line("#CC3311", (0, (3, 1))),
)


def mark_of(architecture: str) -> Mark:
    """Colour, marker and dash of an architecture.

    Those with a name have fixed ones. An inline value gets a choice that depends on its label alone, so that it is the
    same in every chart and on every machine.

    Examples
    --------
    >>> mark_of("sidecar").colour
    '#0072B2'
    >>> mark_of("{mesh: sidecar, include: [a]}") == mark_of("{mesh: sidecar, include: [a]}")
    True
    """
    if architecture in MARKS:
        return MARKS[architecture]
    one, other, third = hashlib.sha256(architecture.encode()).digest()[:3]
    return Mark(
        _INLINE_COLOURS[one % len(_INLINE_COLOURS)],
        _INLINE_MARKERS[other % len(_INLINE_MARKERS)],
        _INLINE_DASHES[third % len(_INLINE_DASHES)],
    )


def sheet(theme: str) -> Any:
    """Give the settings of matplotlib (a dict of its `rcParams`) that all charts share."""
    colours = THEMES[theme]
    return {
        "figure.facecolor": colours.paper,
        "figure.dpi": 100,
        "savefig.facecolor": colours.paper,
        "axes.facecolor": colours.paper,
        "axes.edgecolor": colours.muted,
        "axes.labelcolor": colours.ink,
        "axes.titlesize": 10,
        "axes.titleweight": "bold",
        "axes.titlecolor": colours.ink,
        "axes.labelsize": 9,
        "axes.spines.top": False,
        "axes.spines.right": False,
        "axes.grid": True,
        "axes.axisbelow": True,
        "axes.unicode_minus": True,
        "grid.color": colours.grid,
        "grid.linewidth": 0.6,
        "text.color": colours.ink,
        "xtick.color": colours.muted,
        "ytick.color": colours.muted,
        "xtick.labelcolor": colours.ink,
        "ytick.labelcolor": colours.ink,
        "xtick.labelsize": 8,
        "ytick.labelsize": 8,
        "legend.frameon": False,
        "legend.fontsize": 8,
        "legend.title_fontsize": 8,
        "legend.labelcolor": colours.ink,
        "font.family": "DejaVu Sans",  # comes with matplotlib: the same picture on every machine
        "font.size": 9,
        "lines.linewidth": 1.6,
        "lines.markersize": 5.5,
        "errorbar.capsize": 2.5,
        "hatch.linewidth": 0.6,
        "hatch.color": colours.muted,
    }


def root(ax: Axes) -> Figure:
    """Give the figure that Axes are in, however deep."""
    found = ax.get_figure(root=True)
    if found is None:
        raise UsageError("these axes were taken from their figure: give others, or none")
    return found


@contextmanager
def room_or_error(figure: Figure) -> Iterator[None]:
    """Turn matplotlib's warning that a figure is too small for what is in it into an error."""
    try:
        with warnings.catch_warnings():
            warnings.filterwarnings("error", "constrained_layout not applied", UserWarning)
            yield
    except UserWarning:
        width, height = figure.get_size_inches() * CM_PER_INCH
        raise UsageError(
            f"there is no room for the chart in {width:.3g} × {height:.3g} cm: make it wider or higher"
        ) from None


@dataclass(frozen=True, slots=True)
class Canvas:
    """Where a chart is drawn.

    Attributes
    ----------
    axes
        Panels from left to right, then down; the first is what the chart returns.
    theme
        Colours beside the data.
    title
        What the caller wants as a title.
    """

    axes: list[Axes]
    theme: Theme
    title: str | None

    @property
    def figure(self) -> Figure:
        """The figure of all panels."""
        return root(self.axes[0])

    @property
    def part(self) -> Figure | SubFigure:
        """The part of the figure that this chart has: all of it, or the place of the axes that were given."""
        return self.axes[0].figure

    def _inches(self, ax: Axes) -> float:
        """Width of a panel before its labels have taken their room."""
        width: float = self.part.bbox.width / self.figure.dpi * ax.get_position().width
        return width

    def set_title(self, own: str, width_inches: float | None = None) -> None:
        """Write the title over the first panel, broken where the figure ends, or after so many inches."""
        width_inches = width_inches or self._inches(self.axes[0])
        room = width_inches / 0.077  # of a bold letter
        text = self.title if self.title is not None else own
        self.axes[0].set_title(textwrap.fill(text, max(20, int(room))), loc="left")

    def note(self, text: str, ax: Axes | None = None) -> None:
        """Write what a reader must know below the label of the horizontal axis, as a sentence."""
        text = text[:1].upper() + text[1:] + ("" if text.endswith(".") else ".")
        label = (ax or self.axes[0]).xaxis
        room = self._inches(ax or self.axes[0]) / 0.062
        at: dict[str, Any] = {"xycoords": label.label, "textcoords": "offset points", "ha": "center", "va": "top"}
        (ax or self.axes[0]).annotate(
            textwrap.fill(text, max(30, int(room))), (0.5, 0), (0, -3), fontsize=7, color=self.theme.muted, **at
        )


@contextmanager
def canvas(
    ax: Axes | None,
    look: Look,
    inches: tuple[float, float],
    *,
    shape: tuple[int, int] = (1, 1),
    ratios: Sequence[float] | None = None,
    **sharing: Any,
) -> Iterator[Canvas]:
    """Give the panels of a chart, with the style sheet in force.

    Parameters
    ----------
    ax
        Axes to draw into, which make room for further panels; None for a new figure.
    look
        What the caller wants.
    inches
        Width and height of a new figure.
    shape, ratios
        Rows and columns of panels, and the relative heights of the rows.
    sharing
        ``sharex`` and ``sharey`` as of `matplotlib.figure.Figure.subplots`.

    Raises
    ------
    UsageError
        A word of the look is unknown or out of range.
    """
    theme = _checked(look)
    with mpl.rc_context(sheet(theme)):
        if ax is None:
            size = [
                given / CM_PER_INCH if given else fitting
                for given, fitting in zip((look.get("width_cm"), look.get("height_cm")), inches, strict=True)
            ]
            figure = plt.figure(figsize=size, layout="constrained")
            axes = figure.subplots(*shape, height_ratios=ratios, squeeze=False, **sharing).ravel().tolist()
        elif shape == (1, 1):
            axes = [ax]
        else:
            axes = _within(ax, shape, ratios, sharing)
        yield Canvas(axes, THEMES[theme], look.get("title"))


def _within(ax: Axes, shape: tuple[int, int], ratios: Sequence[float] | None, sharing: dict[str, Any]) -> list[Axes]:
    """Put panels where `ax` is."""
    spec = ax.get_subplotspec()
    if spec is None:
        raise UsageError("a chart of several panels needs axes made by plt.subplots, or none")
    part = root(ax).add_subfigure(spec)
    ax.remove()
    axes: list[Axes] = part.subplots(*shape, height_ratios=ratios, squeeze=False, **sharing).ravel().tolist()
    return axes


def _checked(look: Look) -> str:
    unknown = sorted(set(look) - set(Look.__annotations__))
    if unknown:
        raise UsageError(f"charts have no option {unknown[0]!r}; they have {', '.join(Look.__annotations__)}")
    theme = look.get("theme", "light")
    if theme not in THEMES:
        raise UsageError(f"there is no theme {theme!r}; choose {' or '.join(THEMES)}")
    for name, given in (("width", look.get("width_cm")), ("height", look.get("height_cm"))):
        if given is not None and not _NARROWEST_CM <= given <= _WIDEST_CM:
            raise UsageError(
                f"the {name} of a chart must be between {_NARROWEST_CM:g} and {_WIDEST_CM:g} cm, not {given:g} cm"
            )
    return theme


def folded(label: str, width: int = 34) -> str:
    r"""Break a long label, such as an inline architecture's or a dotted path, into lines.

    Examples
    --------
    >>> folded("services.ratings.replicas (number)", 20)
    'services.ratings.\nreplicas (number)'
    """
    lines = [""]
    for piece in re.findall(r"[^.\s]+[.\s]*|\s+", label):
        if lines[-1] and len((lines[-1] + piece).rstrip()) > width:
            lines.append("")
        lines[-1] += piece
    return "\n".join(line.rstrip() for line in lines)
