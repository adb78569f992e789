"""How a service graph is laid out: layers from left to right by depth of calls, and lines that keep off nodes."""

from __future__ import annotations

import math
from collections import defaultdict
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any, Final, TypeAlias

import numpy as np
from matplotlib.axes import Axes

from meshsim.architectures.describe import edges
from meshsim.architectures.plane import Plane
from meshsim.architectures.rewrites import ZTUNNEL, is_library, is_sidecar
from meshsim.architectures.walk import chain_of
from meshsim.errors import UsageError

Point: TypeAlias = tuple[float, float]  # layers to the right, rows up

CLIENT: Final = "client"
SIDECAR: Final = 0.16  # layers to the left of its service
NODE_RADIUS: Final = 7.0  # points: nodes with their rim
SIDECAR_RADIUS: Final = 5.0
LABEL_TOP: Final = 9.0  # points: from a node's middle to its label
SHAPES: Final = {"client": ">", "app": "o", "proxy": "s", "ztunnel": "D"}
_POINTS_PER_INCH = 72
_MOST_SERVICES = 60  # more lie on top of each other on any screen
_ROW_INCHES = 0.55  # of a row with one line of label; a second line needs `_LINE_INCHES` more
_LINE_INCHES = 0.13
_LABEL_LINE, _HEAD = 11.0, 20.0  # points: a line of a label, and where an arrow's head begins
_USUAL = 0.9  # points, width of a line
_BENDS = (0.0, 0.12, -0.12, 0.25, -0.25, 0.4, -0.4)  # of an edge, as shares of its length; the first that fits
_SWEEPS = 9  # of ordering each layer by its neighbours; odd, so that the last goes from callers to called


@dataclass(slots=True)
class Picture:
    """What is drawn: shared proxies as nodes, sidecars beside their service, ztunnels as marks on the edges.

    A service stands right of all its callers, a shared proxy left of all whom it serves.
    """

    edges: dict[tuple[str, str], int] = field(default_factory=dict)  # -> ztunnels passed between the two
    calls: set[tuple[str, str]] = field(default_factory=set)  # caller, callee
    shared: dict[str, set[str]] = field(default_factory=lambda: defaultdict(set))  # shared proxy -> callees
    layers: dict[str, int] = field(default_factory=dict)
    places: dict[str, tuple[float, float]] = field(default_factory=dict)


def picture_of(plane: Plane) -> Picture:
    """Lay out the services and shared proxies of a plane.

    Raises
    ------
    UsageError
        There are too many services for a picture that can be read.
    """
    _refuse_crowds(plane)
    picture = Picture()
    for edge in edges(plane):
        _add_chain(picture, edge.sender, [hop.to for hop in chain_of(plane, edge.hop)])
    names = {service.name for service in plane.services if service.role == "app"}
    _set_layers(picture, names | {CLIENT})
    _set_places(picture)
    return picture


def _add_chain(picture: Picture, sender: str, stations: list[str]) -> None:
    callee = stations[-1]
    picture.calls.add((sender, callee))
    at, ztunnels = sender, 0
    for station in stations:
        if station == ZTUNNEL:
            ztunnels += 1
        elif not (is_sidecar(station) or is_library(station)):  # the one is drawn beside, the other within its caller
            picture.edges[at, station] = ztunnels
            at, ztunnels = station, 0
            if station != callee:
                picture.shared[station].add(callee)


def _set_layers(picture: Picture, names: set[str]) -> None:
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


def _set_places(picture: Picture) -> None:
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


def _barycentre(picture: Picture, name: str, neighbours: set[str], backwards: bool) -> tuple[float, float, str]:
    """Where a node wants to be in its layer, from the top; without neighbours there, or in a tie, where it is."""
    (here, at), places = picture.places[name], [picture.places[other] for other in neighbours]
    heights = [y for x, y in places if (x > here if backwards else x < here)]
    return (-sum(heights) / len(heights) if heights else -at), -at, name


def with_sidecars(plane: Plane) -> set[str]:
    """Names of the services that have a sidecar."""
    names = (service.name.partition("@") for service in plane.services)
    return {owner for kind, _, owner in names if kind == "sidecar"}


def _refuse_crowds(plane: Plane) -> None:
    count = sum(service.role == "app" for service in plane.services)
    if count > _MOST_SERVICES:
        raise UsageError(
            f"a drawing of {count:,} services cannot be read (up to {_MOST_SERVICES} can): look at the text of "
            "`meshsim lower`, or draw its -o json with a tool for large graphs"
        )


def inches(picture: Picture, lines: int, beside: float) -> tuple[float, float]:
    """Width and height of a figure that keep labels from each other.

    `lines` of a label come below the name, and `beside` inches are taken by what stands beside the picture.
    """
    rows: dict[int, int] = defaultdict(int)
    for layer in picture.layers.values():
        rows[layer] += 1
    label = 0.075 * (max(map(len, picture.layers), default=0) + 4)
    across = max(1.3, label) * max(picture.layers.values(), default=0)
    row = _ROW_INCHES + _LINE_INCHES * lines
    width, height = 2.0 + across + beside, 1.6 + row * max(rows.values(), default=1)
    return min(max(width, 4.5), 40.0), min(max(height, 2.6), 40.0)


# -- lines ----------------------------------------------------------------------------------------------------


@dataclass(frozen=True, slots=True)
class Line:
    """How an edge is drawn; widths and heads in points."""

    colour: Any
    width: float = _USUAL
    dash: Any = "-"  # as matplotlib's linestyle

    @property
    def head(self) -> float:
        """Size of the arrow's head."""
        return 8.0 + 3.4 * self.width


def draw_edge(ax: Axes, start: Point, end: Point, bend: float, rim: float, look: Line) -> None:
    """Line below the labels, head above them, so that a label never hides where an edge ends."""
    line: dict[str, Any] = {"color": look.colour, "lw": look.width, "ls": look.dash, "shrinkA": NODE_RADIUS + 1}
    line["shrinkB"] = rim + 3 + 2 * (look.width - _USUAL)  # a wide line would show on both sides of the tip
    ax.annotate("", end, start, arrowprops={**line, "arrowstyle": "-", "connectionstyle": f"arc3,rad={bend}"}, zorder=1)
    length = math.dist(*ax.transData.transform([start, end])) * _POINTS_PER_INCH / ax.figure.dpi
    before = on_arc(ax, start, end, bend, max(0.5, 1 - _HEAD / max(length, 1.0)))
    head: dict[str, Any] = {"color": look.colour, "lw": _USUAL, "shrinkA": 0, "shrinkB": rim}
    head |= {"arrowstyle": "-|>", "mutation_scale": look.head}
    ax.annotate("", end, before, arrowprops=head, zorder=5)


def bend_of(picture: Picture, ax: Axes, edge: tuple[str, str], end: Point, labels: Mapping[str, str]) -> float:
    """Choose how far an edge bends: as little as keeps it off other nodes and, where that is possible, off labels."""
    start = picture.places[edge[0]]
    forward = end[0] > start[0]
    scale = _POINTS_PER_INCH / ax.figure.dpi
    names = list(picture.places)
    nodes = ax.transData.transform([picture.places[name] for name in names]) * scale
    others = np.array([name not in edge for name in names])
    texts = [labels[name].split("\n") for name in names]
    half_width = np.array([2.5 * max(map(len, lines)) for lines in texts])
    half_height = np.array([0.5 * _LABEL_LINE * len(lines) for lines in texts])
    costs = {}
    # Lines that go back or stay in their layer always bend; of two opposite ones each bends to its own left.
    allowed = [bend for bend in (_BENDS if forward else _BENDS[3:]) if bend >= 0 or edge[::-1] not in picture.edges]
    for bend in allowed:
        arc = ax.transData.transform([on_arc(ax, start, end, bend, i / 24) for i in range(1, 24)]) * scale
        away = arc[:, None, :] - nodes
        hits = (np.hypot(away[..., 0], away[..., 1]) < NODE_RADIUS + 3).any(axis=0) & others
        in_label = (abs(away[..., 0]) < half_width) & (abs(away[..., 1] + LABEL_TOP + half_height) < half_height)
        costs[bend] = 10 * int(hits.sum()) + int(in_label.any(axis=0).sum()) + abs(bend)
    return min(costs, key=lambda bend: costs[bend])


def on_arc(ax: Axes, start: Point, end: Point, bend: float, share: float) -> Point:
    """Give the point at `share` of matplotlib's ``arc3`` line: a quadratic Bezier curve on the screen."""
    (x1, y1), (x2, y2) = ax.transData.transform([start, end])
    control = (x1 + x2) / 2 + bend * (y2 - y1), (y1 + y2) / 2 - bend * (x2 - x1)
    weights = (1 - share) ** 2, 2 * share * (1 - share), share**2
    x = weights[0] * x1 + weights[1] * control[0] + weights[2] * x2
    y = weights[0] * y1 + weights[1] * control[1] + weights[2] * y2
    at_x, at_y = ax.transData.inverted().transform((x, y))
    return float(at_x), float(at_y)
