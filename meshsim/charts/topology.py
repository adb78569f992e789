"""A map of the service graph: layers from left to right by depth of calls, proxies included, coloured by how busy."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, Unpack

import matplotlib as mpl
from matplotlib.axes import Axes
from matplotlib.cm import ScalarMappable
from matplotlib.colors import Normalize
from matplotlib.lines import Line2D
from matplotlib.patheffects import withStroke

from meshsim.architectures import lower
from meshsim.architectures.plane import Plane
from meshsim.architectures.rewrites import ZTUNNEL, sidecar_of
from meshsim.charts.layout import (
    CLIENT,
    LABEL_TOP,
    NODE_RADIUS,
    SHAPES,
    SIDECAR,
    SIDECAR_RADIUS,
    Line,
    Picture,
    Point,
    bend_of,
    draw_edge,
    inches,
    on_arc,
    picture_of,
    with_sidecars,
)
from meshsim.charts.style import COLOUR_MAP, Canvas, Look, canvas, room_or_error
from meshsim.errors import UsageError
from meshsim.model.topology import Topology
from meshsim.results.result import Result
from meshsim.results.text import percent

# Of Okabe and Ito's palette, where no result says how busy a node is; shapes tell the same again.
_COLOURS = {"client": "#999999", "app": "#0072B2", "proxy": "#E69F00", "ztunnel": "#009E73"}
_BAR_INCHES = 0.12  # thickness of the colour bar


@dataclass(frozen=True, slots=True)
class _Paint:
    """Colours and labels of nodes: by how busy they are where a result says so, else by what they are."""

    plane: Plane
    result: Result | None
    paper: str

    def busy(self, name: str) -> float | None:
        """CPU utilization of a service; None where nobody knows or its CPU has no limit."""
        if self.result is None or name not in self.result.by_service:
            return None
        return self.result.by_service[name].utilization.value

    def face(self, name: str, role: str) -> Any:
        """Colour of a node."""
        if self.result is None or role == CLIENT:
            return _COLOURS[role]
        share = self.busy(name)
        return self.paper if share is None else mpl.colormaps[COLOUR_MAP](min(share, 1.0))

    def label(self, name: str) -> str:
        """Name, number of replicas, and how busy the service and its sidecar are."""
        if name == CLIENT:
            return name
        text = f"{name} ×{self.plane.service(name).counted}"
        if self.result is None:
            return text
        text += "\nno limit" if self.busy(name) is None else f"\n{percent(self.busy(name))}"
        beside = sidecar_of(name)
        return f"{text}\nsidecar {percent(self.busy(beside))}" if beside in self.result.by_service else text


def topology_map(
    topology: Topology | Plane, result: Result | None = None, ax: Axes | None = None, **look: Unpack[Look]
) -> Axes:
    """Draw the services, the proxies that an architecture adds, and the calls between them.

    Circles are applications, squares proxies: gateways and waypoints where the calls pass them, sidecars on the left
    of their service. Diamonds on a line are the ztunnels that it passes. With a result the colour is the CPU
    utilization, and labels tell it; what has no CPU limit stays empty.

    Parameters
    ----------
    topology
        What is drawn: a `Topology` (under the result's architecture, or ``none``), or a plane.
    result
        Tells how busy everything is.
    ax
        Axes to draw into; None for a new figure of fitting size.
    look
        See `meshsim.charts.style.Look`.

    Raises
    ------
    UsageError
        There are too many services for a picture that can be read, the result is of another topology, or the figure is
        too small.
    """
    plane = lower(topology, result.architecture if result else "none") if isinstance(topology, Topology) else topology
    picture = picture_of(plane)
    _refuse_strangers(plane, result)
    with canvas(ax, look, _inches(picture, plane, result)) as found:
        main, paint = found.axes[0], _Paint(plane, result, found.theme.paper)
        main.set_axis_off()
        _draw_nodes(plane, picture, main, paint, found.theme.ink)
        main.margins(x=0.12, y=0.1)
        _draw_legend(found, plane, result)
        found.set_title(f"{plane.topology_name} under {plane.architecture}")
        main.autoscale_view()
        main.set_autoscale_on(False)  # edges and the marks on them need the final scale, and must not change it
        with room_or_error(found.figure):
            found.figure.draw_without_rendering()
        _draw_edges(picture, main, paint, with_sidecars(plane), found.theme.muted)
    return main


def _refuse_strangers(plane: Plane, result: Result | None) -> None:
    if result is None:
        return
    missing = sorted({service.name for service in plane.services} - set(result.by_service))
    if missing:
        raise UsageError(f"the result knows no {missing[0]}: it is of another topology or architecture")


def _inches(picture: Picture, plane: Plane, result: Result | None) -> tuple[float, float]:
    lines = 0 if result is None else 2 if with_sidecars(plane) else 1
    return inches(picture, lines, 1.0 if result is not None else 0.0)


# -- ink -------------------------------------------------------------------------------------------------------


def _draw_edges(picture: Picture, ax: Axes, paint: _Paint, beside: set[str], colour: str) -> None:
    labels = {name: paint.label(name) for name in picture.places}
    for (sender, target), ztunnels in sorted(picture.edges.items()):
        start, (x, y) = picture.places[sender], picture.places[target]
        meets_sidecar = target in beside and sender != target
        end = (x - SIDECAR, y) if meets_sidecar else (x, y)
        bend = bend_of(picture, ax, (sender, target), end, labels)
        draw_edge(ax, start, end, bend, SIDECAR_RADIUS if meets_sidecar else NODE_RADIUS, Line(colour))
        for mark in range(1, ztunnels + 1):
            at = on_arc(ax, start, end, bend, mark / (ztunnels + 1))
            _draw_node(ax, at, ZTUNNEL, "ztunnel", 26, paint, colour)


def _draw_nodes(plane: Plane, picture: Picture, ax: Axes, paint: _Paint, ink: str) -> None:
    beside = with_sidecars(plane)
    halo = [withStroke(linewidth=2.5, foreground=paint.paper)]
    for name, (x, y) in picture.places.items():
        role = CLIENT if name == CLIENT else "proxy" if name in picture.shared else "app"
        sidecar = sidecar_of(name) if name in beside else None
        if sidecar:
            _draw_node(ax, (x - SIDECAR, y), sidecar, "proxy", 70, paint, ink)
        _draw_node(ax, (x, y), name, role, 150, paint, ink)
        label: dict[str, Any] = {"textcoords": "offset points", "ha": "center", "va": "top", "fontsize": 8, "zorder": 2}
        ax.annotate(paint.label(name), (x, y), (0, -LABEL_TOP), path_effects=halo, **label)


def _draw_node(ax: Axes, at: Point, name: str, role: str, size: float, paint: _Paint, rim: str) -> None:
    """One mark; where its colour is a number, a rim sets it off the paper."""
    edge = rim if paint.result is not None else "none"
    face = paint.face(name, role)
    ax.scatter(*at, marker=SHAPES[role], s=size, color=[face], edgecolors=edge, lw=0.7, zorder=4, gid=name)


def _draw_legend(found: Canvas, plane: Plane, result: Result | None) -> None:
    present = [("application", "app")]
    names = [service.name for service in plane.services if service.role == "proxy"]
    if any(name != ZTUNNEL for name in names):
        present.append(("proxy", "proxy"))
    if ZTUNNEL in names:
        busy = _Paint(plane, result, "").busy(ZTUNNEL)
        present.append(("ztunnel passed" if busy is None else f"ztunnel passed ({percent(busy)})", "ztunnel"))
    neutral = found.theme.muted if result is not None else None  # shapes alone: the colour is a number
    handles = [
        Line2D([], [], marker=SHAPES[role], color=neutral or _COLOURS[role], linestyle="none", label=label)
        for label, role in present
    ]
    found.axes[0].legend(handles=handles, loc="upper left", bbox_to_anchor=(0.0, 0.0), ncols=3)
    if result is not None:
        scale = ScalarMappable(Normalize(0, 100), COLOUR_MAP)
        height = found.figure.get_figheight() * found.axes[0].get_position().height
        bar = found.figure.colorbar(
            scale, ax=found.axes[0], shrink=0.8, aspect=max(15.0, height / _BAR_INCHES), pad=0.02
        )
        bar.set_label("CPU utilization (%)")
