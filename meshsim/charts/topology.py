"""A map of the service graph: layers from left to right by depth of calls, proxies included, coloured by how busy."""

from __future__ import annotations

import math
from collections import defaultdict
from dataclasses import dataclass, field
from typing import Any, Final, TypeAlias, Unpack

import matplotlib as mpl
import numpy as np
from matplotlib.axes import Axes
from matplotlib.cm import ScalarMappable
from matplotlib.colors import Normalize
from matplotlib.lines import Line2D
from matplotlib.patheffects import withStroke

from meshsim.architectures import lower
from meshsim.architectures.describe import edges
from meshsim.architectures.plane import Plane
from meshsim.architectures.rewrites import ZTUNNEL
from meshsim.architectures.walk import chain_of
from meshsim.charts.style import COLOUR_MAP, Canvas, Look, canvas, room_or_error
from meshsim.errors import UsageError
from meshsim.model.topology import Topology
from meshsim.results.result import Result
from meshsim.results.text import percent

_Point: TypeAlias = tuple[float, float]  # layers to the right, rows up

CLIENT: Final = "client"
_POINTS_PER_INCH = 72
# Of Okabe and Ito's palette, where no result says how busy a node is; shapes tell the same again.
_COLOURS = {"client": "#999999", "app": "#0072B2", "proxy": "#E69F00", "ztunnel": "#009E73"}
_SHAPES = {"client": ">", "app": "o", "proxy": "s", "ztunnel": "D"}
_MOST_SERVICES = 60  # more lie on top of each other on any screen
_SIDECAR = 0.16  # layers to the left of its service
_ROW_INCHES = 0.55  # of a row with one line of label; a second line needs `_LINE_INCHES` more
_LINE_INCHES = 0.13
_BAR_INCHES = 0.12  # thickness of the colour bar
_LABEL_TOP, _LABEL_LINE = 9.0, 11.0  # points: from a node's middle to its label, and a line of that
_NODE_RADIUS, _SIDECAR_RADIUS, _HEAD = 7.0, 5.0, 20.0  # points: nodes with their rim, and where an arrow's head begins
_BENDS = (0.0, 0.12, -0.12, 0.25, -0.25, 0.4, -0.4)  # of an edge, as shares of its length; the first that fits
_SWEEPS = 9  # of ordering each layer by its neighbours; odd, so that the last goes from callers to called


@dataclass(slots=True)
class _Picture:
    """What is drawn: shared proxies as nodes, sidecars beside their service, ztunnels as marks on the edges.

    A service stands right of all its callers, a shared proxy left of all whom it serves.
    """

    edges: dict[tuple[str, str], int] = field(default_factory=dict)  # -> ztunnels passed between the two
    calls: set[tuple[str, str]] = field(default_factory=set)  # caller, callee
    shared: dict[str, set[str]] = field(default_factory=lambda: defaultdict(set))  # shared proxy -> callees
    layers: dict[str, int] = field(default_factory=dict)
    places: dict[str, tuple[float, float]] = field(default_factory=dict)


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
        text = f"{name} ×{len(self.plane.service(name).replicas)}"
        if self.result is None:
            return text
        text += "\nno limit" if self.busy(name) is None else f"\n{percent(self.busy(name))}"
        beside = f"sidecar@{name}"
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
    _refuse_crowds(plane)
    _refuse_strangers(plane, result)
    picture = _picture(plane)
    with canvas(ax, look, _inches(picture, plane, result)) as found:
        main, paint = found.axes[0], _Paint(plane, result, found.theme.paper)
        main.set_axis_off()
        _draw_nodes(plane, picture, main, paint, found.theme.ink)
        main.margins(x=0.12, y=0.1)
        _draw_legend(found, plane, result)
        found.set_title(f"{plane.topology_name} under {plane.architecture}")
        main.autoscale_view()  # edges and the marks on them need the final scale
        with room_or_error(found.figure):
            found.figure.draw_without_rendering()
        _draw_edges(picture, main, paint, _with_sidecars(plane), found.theme.muted)
    return main


def _refuse_strangers(plane: Plane, result: Result | None) -> None:
    if result is None:
        return
    missing = sorted({service.name for service in plane.services} - set(result.by_service))
    if missing:
        raise UsageError(f"the result knows no {missing[0]}: it is of another topology or architecture")


def _refuse_crowds(plane: Plane) -> None:
    count = sum(service.role == "app" for service in plane.services)
    if count > _MOST_SERVICES:
        raise UsageError(
            f"a drawing of {count:,} services cannot be read (up to {_MOST_SERVICES} can): look at the text of "
            "`meshsim lower`, or draw its -o json with a tool for large graphs"
        )


def _with_sidecars(plane: Plane) -> set[str]:
    """Names of the services that have a sidecar."""
    names = (service.name.partition("@") for service in plane.services)
    return {owner for kind, _, owner in names if kind == "sidecar"}


def _picture(plane: Plane) -> _Picture:
    picture = _Picture()
    for edge in edges(plane):
        _add_chain(picture, edge.sender, [hop.to for hop in chain_of(plane, edge.hop)])
    names = {service.name for service in plane.services if service.role == "app"}
    _set_layers(picture, names | {CLIENT})
    _set_places(picture)
    return picture


def _add_chain(picture: _Picture, sender: str, stations: list[str]) -> None:
    callee = stations[-1]
    picture.calls.add((sender, callee))
    at, ztunnels = sender, 0
    for station in stations:
        if station == ZTUNNEL:
            ztunnels += 1
        elif not station.startswith(("sidecar@", "library@")):  # the one is drawn beside, the other within its caller
            picture.edges[at, station] = ztunnels
            at, ztunnels = station, 0
            if station != callee:
                picture.shared[station].add(callee)


def _set_layers(picture: _Picture, names: set[str]) -> None:
    """Services by the longest chain of calls before them, shared proxies between them; no layer is empty."""
    import networkx as nx

    calls = nx.DiGraph()
    calls.add_nodes_from(sorted(names))
    calls.add_edges_from(sorted(picture.calls))
    # What nobody calls stands with the entries, not with the client.
    calls.add_edges_from((CLIENT, name) for name in sorted(names - {CLIENT}) if not calls.in_degree(name))
    condensed = nx.condensation(calls)  # cycles count as one
    for depth, generation in enumerate(nx.topological_generations(condensed)):
        for component in generation:
            for name in condensed.nodes[component]["members"]:
                picture.layers[name] = 2 * depth
    for proxy, callees in picture.shared.items():
        picture.layers[proxy] = min(picture.layers[callee] for callee in callees) - 1
    close = {layer: place for place, layer in enumerate(sorted(set(picture.layers.values())))}
    picture.layers = {name: close[layer] for name, layer in picture.layers.items()}


def _set_places(picture: _Picture) -> None:
    """Spread each layer evenly, and order it by the mean place of the neighbours in the layers before it.

    Then backwards, by those after it, and so on: K. Sugiyama et al., "Methods for visual understanding of hierarchical
    system structures", IEEE Trans. SMC 11 (1981). A tree comes out without crossings.
    """
    columns: dict[int, list[str]] = defaultdict(list)
    for name in sorted(picture.layers):
        columns[picture.layers[name]].append(name)
    neighbours: dict[str, set[str]] = defaultdict(set)
    for one, other in picture.edges:
        neighbours[one].add(other)
        neighbours[other].add(one)
    for sweep in range(_SWEEPS):
        backwards = sweep % 2 == 1
        for layer in sorted(columns, reverse=backwards):
            if sweep:
                columns[layer].sort(key=lambda name: _barycentre(picture, name, neighbours[name], backwards))
            for row, name in enumerate(columns[layer]):
                picture.places[name] = (float(layer), (len(columns[layer]) - 1) / 2 - row)


def _barycentre(picture: _Picture, name: str, neighbours: set[str], backwards: bool) -> tuple[float, float, str]:
    """Where a node wants to be in its layer, from the top; without neighbours there, or in a tie, where it is."""
    (here, at), places = picture.places[name], [picture.places[other] for other in neighbours]
    heights = [y for x, y in places if (x > here if backwards else x < here)]
    return (-sum(heights) / len(heights) if heights else -at), -at, name


def _inches(picture: _Picture, plane: Plane, result: Result | None) -> tuple[float, float]:
    """Width and height that keep labels from each other."""
    rows: dict[int, int] = defaultdict(int)
    for layer in picture.layers.values():
        rows[layer] += 1
    label = 0.075 * (max(map(len, picture.layers), default=0) + 4)
    inches = max(1.3, label) * max(picture.layers.values(), default=0)
    lines = 0 if result is None else 2 if _with_sidecars(plane) else 1
    row = _ROW_INCHES + _LINE_INCHES * lines
    width, height = 2.0 + inches + (1.0 if result is not None else 0.0), 1.6 + row * max(rows.values(), default=1)
    return min(max(width, 4.5), 40.0), min(max(height, 2.6), 40.0)


# -- ink -------------------------------------------------------------------------------------------------------


def _draw_edges(picture: _Picture, ax: Axes, paint: _Paint, with_sidecars: set[str], colour: str) -> None:
    for (sender, target), ztunnels in sorted(picture.edges.items()):
        start, (x, y) = picture.places[sender], picture.places[target]
        meets_sidecar = target in with_sidecars and sender != target
        end = (x - _SIDECAR, y) if meets_sidecar else (x, y)
        bend = _bend(picture, ax, (sender, target), end, paint)
        _draw_edge(ax, start, end, bend, _SIDECAR_RADIUS if meets_sidecar else _NODE_RADIUS, colour)
        for mark in range(1, ztunnels + 1):
            at = _on_arc(ax, start, end, bend, mark / (ztunnels + 1))
            _draw_node(ax, at, ZTUNNEL, "ztunnel", 26, paint, colour)


def _draw_edge(ax: Axes, start: _Point, end: _Point, bend: float, rim: float, colour: str) -> None:
    """Line below the labels, head above them, so that a label never hides where an edge ends."""
    line: dict[str, Any] = {"color": colour, "lw": 0.9, "shrinkA": _NODE_RADIUS + 1, "shrinkB": rim + 3}
    ax.annotate("", end, start, arrowprops={**line, "arrowstyle": "-", "connectionstyle": f"arc3,rad={bend}"}, zorder=1)
    length = math.dist(*ax.transData.transform([start, end])) * _POINTS_PER_INCH / ax.figure.dpi
    before = _on_arc(ax, start, end, bend, max(0.5, 1 - _HEAD / max(length, 1.0)))
    head = {**line, "shrinkA": 0, "shrinkB": rim, "arrowstyle": "-|>", "mutation_scale": 11}
    ax.annotate("", end, before, arrowprops=head, zorder=5)


def _bend(picture: _Picture, ax: Axes, edge: tuple[str, str], end: _Point, paint: _Paint) -> float:
    """Choose how far an edge bends: as little as keeps it off other nodes and, where that is possible, off labels."""
    start = picture.places[edge[0]]
    forward = end[0] > start[0]
    scale = _POINTS_PER_INCH / ax.figure.dpi
    names = list(picture.places)
    nodes = ax.transData.transform([picture.places[name] for name in names]) * scale
    others = np.array([name not in edge for name in names])
    labels = [paint.label(name).split("\n") for name in names]
    half_width = np.array([2.5 * max(map(len, lines)) for lines in labels])
    half_height = np.array([0.5 * _LABEL_LINE * len(lines) for lines in labels])
    costs = {}
    # Lines that go back or stay in their layer always bend; of two opposite ones each bends to its own left.
    allowed = [bend for bend in (_BENDS if forward else _BENDS[3:]) if bend >= 0 or edge[::-1] not in picture.edges]
    for bend in allowed:
        arc = ax.transData.transform([_on_arc(ax, start, end, bend, i / 24) for i in range(1, 24)]) * scale
        away = arc[:, None, :] - nodes
        hits = (np.hypot(away[..., 0], away[..., 1]) < _NODE_RADIUS + 3).any(axis=0) & others
        in_label = (abs(away[..., 0]) < half_width) & (abs(away[..., 1] + _LABEL_TOP + half_height) < half_height)
        costs[bend] = 10 * int(hits.sum()) + int(in_label.any(axis=0).sum()) + abs(bend)
    return min(costs, key=lambda bend: costs[bend])


def _on_arc(ax: Axes, start: _Point, end: _Point, bend: float, share: float) -> _Point:
    """Give the point at `share` of matplotlib's ``arc3`` line: a quadratic Bezier curve on the screen."""
    (x1, y1), (x2, y2) = ax.transData.transform([start, end])
    control = (x1 + x2) / 2 + bend * (y2 - y1), (y1 + y2) / 2 - bend * (x2 - x1)
    weights = (1 - share) ** 2, 2 * share * (1 - share), share**2
    x = weights[0] * x1 + weights[1] * control[0] + weights[2] * x2
    y = weights[0] * y1 + weights[1] * control[1] + weights[2] * y2
    at_x, at_y = ax.transData.inverted().transform((x, y))
    return float(at_x), float(at_y)


def _draw_nodes(plane: Plane, picture: _Picture, ax: Axes, paint: _Paint, ink: str) -> None:
    with_sidecars = _with_sidecars(plane)
    halo = [withStroke(linewidth=2.5, foreground=paint.paper)]
    for name, (x, y) in picture.places.items():
        role = CLIENT if name == CLIENT else "proxy" if name in picture.shared else "app"
        sidecar = f"sidecar@{name}" if name in with_sidecars else None
        if sidecar:
            _draw_node(ax, (x - _SIDECAR, y), sidecar, "proxy", 70, paint, ink)
        _draw_node(ax, (x, y), name, role, 150, paint, ink)
        label: dict[str, Any] = {"textcoords": "offset points", "ha": "center", "va": "top", "fontsize": 8, "zorder": 2}
        ax.annotate(paint.label(name), (x, y), (0, -_LABEL_TOP), path_effects=halo, **label)


def _draw_node(ax: Axes, at: _Point, name: str, role: str, size: float, paint: _Paint, rim: str) -> None:
    """One mark; where its colour is a number, a rim sets it off the paper."""
    edge = rim if paint.result is not None else "none"
    face = paint.face(name, role)
    ax.scatter(*at, marker=_SHAPES[role], s=size, color=[face], edgecolors=edge, lw=0.7, zorder=4, gid=name)


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
        Line2D([], [], marker=_SHAPES[role], color=neutral or _COLOURS[role], linestyle="none", label=label)
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
