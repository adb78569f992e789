"""The service graph with the way that failures took: where they began, along which calls they reached the client."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, Final, Unpack

import matplotlib as mpl
from matplotlib.axes import Axes
from matplotlib.cm import ScalarMappable
from matplotlib.colors import Colormap, Normalize
from matplotlib.lines import Line2D
from matplotlib.patheffects import withStroke

from meshsim.architectures.rewrites import ZTUNNEL, library_of, sidecar_of
from meshsim.charts.layout import (
    CLIENT,
    LABEL_TOP,
    NODE_RADIUS,
    SHAPES,
    SIDECAR,
    SIDECAR_RADIUS,
    Line,
    Picture,
    bend_of,
    draw_edge,
    inches,
    picture_of,
    with_sidecars,
)
from meshsim.charts.style import COLOUR_MAP, THEMES, Canvas, Look, Theme, canvas, room_or_error
from meshsim.results.propagation import Edge, Propagation
from meshsim.results.text import number, percent

_WIDEST, _THINNEST = 5.0, 0.8  # points, of the edge with most messages per request and of one with next to none
_DASHES: Final = (0, (2.5, 1.2))  # in widths of the line
_BAR_INCHES = 0.12  # thickness of the colour bar


@dataclass(frozen=True, slots=True)
class _Paint:
    """Colours, widths and labels: colours are shares of the failed requests, of nodes and edges alike."""

    found: Propagation
    theme: Theme
    colours: Colormap

    def share(self, requests: int) -> float:
        """Of the failed requests."""
        return requests / self.found.failed if self.found.failed else 0.0

    def face(self, name: str) -> Any:
        """Colour of a node; the paper's where no failure began."""
        began = self.began(name)
        return self.colours(self.share(began)) if began else self.theme.paper

    def began(self, name: str) -> int:
        """Failed requests whose failure began there, or in the library within."""
        began = self.found.began_at()
        return began.get(name, 0) + began.get(library_of(name), 0)

    def label(self, name: str) -> str:
        """Name, and the shares of failures that began there and in the sidecar beside it."""
        beside = sidecar_of(name)
        lines = [name]
        if began := self.began(name):
            lines.append(percent(self.share(began)))
        if began := self.began(beside):
            lines.append(f"sidecar {percent(self.share(began))}")
        return "\n".join(lines)

    def line(self, edge: Edge | None) -> Line:
        """Of an edge: dotted where no message was sent, dashed where no failure came along."""
        if edge is None or not edge.messages_per_request:
            return Line(self.theme.muted, _THINNEST, ":")
        width = self.width(edge.messages_per_request)
        if not edge.travelled:  # a colour could be taken for one of the scale
            return Line(self.theme.muted, width, _DASHES)
        return Line(self.colours(self.share(edge.travelled)), width)

    def width(self, messages_per_request: float) -> float:
        """In points: in proportion, down to what can be seen."""
        return max(_THINNEST, _WIDEST * messages_per_request / self.most)

    @property
    def most(self) -> float:
        """Messages per request of the edge that has most."""
        return max((edge.messages_per_request for edge in self.found.levels["map"]), default=1.0) or 1.0


def propagation_graph(propagation: Propagation, ax: Axes | None = None, **look: Unpack[Look]) -> Axes:
    """Draw where failures began and along which calls they reached the client.

    Services stand as in `meshsim.charts.topology_map`. The colour of a node is the share of the failed requests whose
    failure began there, that of a line the share of those whose failure came along it; lines are as wide as they have
    messages per request, tries included. Empty nodes and dashed lines had no part in it.

    Parameters
    ----------
    propagation
        Of `meshsim.Result.propagation`.
    ax
        Axes to draw into; None for a new figure of fitting size.
    look
        See `meshsim.charts.style.Look`.

    Raises
    ------
    UsageError
        There are too many services for a picture that can be read, or the figure is too small.
    """
    picture = picture_of(propagation.plane)
    known = {(edge.caller, edge.callee): edge for edge in propagation.levels["map"]}
    for pair in known:  # routes lead elsewhere than calls do
        picture.edges.setdefault(pair, 0)
    with canvas(ax, look, inches(picture, 2, 1.2)) as found:
        main, paint = found.axes[0], _Paint(propagation, found.theme, _colours(found.theme))
        main.set_axis_off()
        _draw_nodes(picture, main, paint)
        main.margins(x=0.12, y=0.2)  # labels of three lines stand below the last row
        _draw_legend(found, paint)
        found.set_title(_title(propagation))
        main.autoscale_view()  # edges need the final scale
        with room_or_error(found.figure):
            found.figure.draw_without_rendering()
        labels = {name: paint.label(name) for name in picture.places}
        beside = with_sidecars(propagation.plane)
        for sender, target in sorted(picture.edges):
            x, y = picture.places[target]
            meets_sidecar = target in beside and sender != target
            end = (x - SIDECAR, y) if meets_sidecar else (x, y)
            bend = bend_of(picture, main, (sender, target), end, labels)
            rim = SIDECAR_RADIUS if meets_sidecar else NODE_RADIUS
            draw_edge(main, picture.places[sender], end, bend, rim, paint.line(known.get((sender, target))))
    return main


def _colours(theme: Theme) -> Colormap:
    """More is further from the paper."""
    whole = mpl.colormaps[COLOUR_MAP]
    return whole.reversed() if theme == THEMES["light"] else whole


def _title(found: Propagation) -> str:
    failed = f"{found.failed:,} of {found.requests:,} requests failed" if found.failed else "no request failed"
    return f"{found.plane.topology_name} under {found.plane.architecture}: {failed}"


def _draw_nodes(picture: Picture, ax: Axes, paint: _Paint) -> None:
    beside = with_sidecars(paint.found.plane)
    halo = [withStroke(linewidth=2.5, foreground=paint.theme.paper)]
    text: dict[str, Any] = {"textcoords": "offset points", "ha": "center", "va": "top", "fontsize": 8, "zorder": 2}
    rim: dict[str, Any] = {"edgecolors": paint.theme.ink, "lw": 0.7, "zorder": 4}
    for name, (x, y) in picture.places.items():
        role = CLIENT if name == CLIENT else "proxy" if name in picture.shared else "app"
        if name in beside:
            sidecar = sidecar_of(name)
            ax.scatter(x - SIDECAR, y, marker=SHAPES["proxy"], s=70, color=[paint.face(sidecar)], gid=sidecar, **rim)
        face = paint.theme.muted if role == CLIENT and not paint.began(name) else paint.face(name)
        ax.scatter(x, y, marker=SHAPES[role], s=150, color=[face], gid=name, **rim)
        ax.annotate(paint.label(name), (x, y), (0, -LABEL_TOP), path_effects=halo, **text)


def _draw_legend(found: Canvas, paint: _Paint) -> None:
    muted, plane = found.theme.muted, paint.found.plane
    handles = [Line2D([], [], marker=SHAPES["app"], color=muted, linestyle="none", label="application")]
    if any(service.role == "proxy" and service.name != ZTUNNEL for service in plane.services):
        handles.append(Line2D([], [], marker=SHAPES["proxy"], color=muted, linestyle="none", label="proxy"))
    handles.append(Line2D([], [], color=muted, lw=_WIDEST, label=f"{number(paint.most)} messages a request"))
    if any(edge.messages and not edge.travelled for edge in paint.found.levels["map"]):
        handles.append(Line2D([], [], color=muted, lw=_WIDEST / 2, ls=_DASHES, label="no failure came along"))
    if began := paint.began(ZTUNNEL):  # they are on no line of their own
        share = percent(paint.share(began))
        handles.append(Line2D([], [], linestyle="none", label=f"began at ztunnels: {share}"))
    found.axes[0].legend(handles=handles, loc="upper left", bbox_to_anchor=(0.0, 0.0), ncols=2)
    height = found.figure.get_figheight() * found.axes[0].get_position().height
    scale = ScalarMappable(Normalize(0, 100), paint.colours)
    bar = found.figure.colorbar(scale, ax=found.axes[0], shrink=0.8, aspect=max(15.0, height / _BAR_INCHES), pad=0.02)
    bar.set_label("share of failed requests (%):\nbegan there, or came along")
