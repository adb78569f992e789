"""A drawing of the Plane: layers of services from left to right, proxies in a colour and shape of their own."""

from __future__ import annotations

import math
from collections import defaultdict
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, TypeAlias

import numpy as np

from meshsim.architectures.describe import edges
from meshsim.architectures.plane import Plane
from meshsim.architectures.rewrites import ZTUNNEL
from meshsim.architectures.walk import chain_of
from meshsim.errors import UsageError

if TYPE_CHECKING:
    from matplotlib.axes import Axes

_Point: TypeAlias = tuple[float, float]  # layers to the right, rows up

CLIENT = "client"
_POINTS_PER_INCH = 72
# Okabe and Ito's palette, which colour-blind readers can tell apart; shapes say the same again.
_COLOURS = {"client": "#999999", "app": "#0072B2", "proxy": "#E69F00", "ztunnel": "#009E73"}
_SHAPES = {"client": ">", "app": "o", "proxy": "s"}
_MOST_SERVICES = 60  # more lie on top of each other on any screen
_SIDECAR = 0.16  # layers to the left of its service
_EDGE_COLOUR = "#555555"
_NODE_RADIUS, _SIDECAR_RADIUS, _HEAD = 7.0, 5.0, 20.0  # points: nodes with their rim, and where an arrow's head begins
_BENDS = (0.0, 0.12, -0.12, 0.25, -0.25, 0.4, -0.4)  # of an edge, as shares of its length; the first that fits
_SWEEPS = 8  # of ordering each layer by its neighbours; more changes nothing visible


@dataclass(slots=True)
class _Picture:
    """What is drawn: shared proxies as nodes, sidecars beside their service, ztunnels as marks on the edges."""

    edges: dict[tuple[str, str], int] = field(default_factory=dict)  # -> ztunnels passed between the two
    calls: set[tuple[str, str]] = field(default_factory=set)  # caller, callee
    shared: dict[str, set[str]] = field(default_factory=lambda: defaultdict(set))  # shared proxy -> callees
    layers: dict[str, int] = field(default_factory=dict)
    places: dict[str, tuple[float, float]] = field(default_factory=dict)


def draw(plane: Plane, ax: Axes | None = None) -> Axes:
    """Draw the plane into `ax`, or into a new figure of fitting size.

    Circles are applications, squares proxies: gateways and waypoints where the calls pass them, sidecars on the left
    of their service. Diamonds on a line are the ztunnels that it passes.

    Returns
    -------
    matplotlib.axes.Axes
        The axes drawn into, to be saved or changed.

    Raises
    ------
    UsageError
        There are too many services for a picture that can be read.
    """
    _refuse_crowds(plane)
    picture = _picture(plane)
    if ax is None:
        ax = _new_axes(picture)
    _draw_nodes(plane, picture, ax)
    ax.margins(x=0.12, y=0.06)
    ax.autoscale_view()  # the marks on bent edges need the final scale
    _draw_edges(picture, ax, _with_sidecars(plane))
    _draw_legend(plane, ax)
    ax.set_title(f"{plane.topology_name} under {plane.architecture}", loc="left")
    ax.set_axis_off()
    return ax


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
        elif not station.startswith("sidecar@"):
            picture.edges[at, station] = ztunnels
            at, ztunnels = station, 0
            if station != callee:
                picture.shared[station].add(callee)


def _set_layers(picture: _Picture, names: set[str]) -> None:
    """Even layers hold services by the longest chain of calls before them; shared proxies stand in between."""
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


def _set_places(picture: _Picture) -> None:
    """Spread each layer evenly; order it by the mean place of the neighbours (Sugiyama's barycentre rule)."""
    columns: dict[int, list[str]] = defaultdict(list)
    for name in sorted(picture.layers):
        columns[picture.layers[name]].append(name)
    neighbours: dict[str, set[str]] = defaultdict(set)
    for one, other in picture.edges:
        neighbours[one].add(other)
        neighbours[other].add(one)
    for sweep in range(_SWEEPS):
        for layer in sorted(columns, reverse=sweep % 2 == 1):
            if sweep:
                columns[layer].sort(key=lambda name: _barycentre(picture, name, neighbours[name]))
            for row, name in enumerate(columns[layer]):
                picture.places[name] = (float(layer), (len(columns[layer]) - 1) / 2 - row)


def _barycentre(picture: _Picture, name: str, neighbours: set[str]) -> tuple[float, str]:
    heights = [picture.places[other][1] for other in neighbours if other in picture.places]
    return (-sum(heights) / len(heights) if heights else 0.0), name


def _new_axes(picture: _Picture) -> Axes:
    import matplotlib.pyplot as plt

    rows: dict[int, int] = defaultdict(int)
    for layer in picture.layers.values():
        rows[layer] += 1
    label_inches = 0.075 * (max(map(len, picture.layers), default=0) + 4)
    inches = max(1.3, label_inches if picture.shared else label_inches / 2) * max(picture.layers.values(), default=0)
    _, ax = plt.subplots(figsize=(min(2.0 + inches, 40.0), min(1.6 + 0.55 * max(rows.values(), default=1), 40.0)))
    return ax


# -- ink -------------------------------------------------------------------------------------------------------


def _draw_edges(picture: _Picture, ax: Axes, with_sidecars: set[str]) -> None:
    for (sender, target), ztunnels in sorted(picture.edges.items()):
        start, (x, y) = picture.places[sender], picture.places[target]
        meets_sidecar = target in with_sidecars and sender != target
        end = (x - _SIDECAR, y) if meets_sidecar else (x, y)
        bend = _bend(picture, ax, (sender, target), end)
        _draw_edge(ax, start, end, bend, _SIDECAR_RADIUS if meets_sidecar else _NODE_RADIUS)
        for mark in range(1, ztunnels + 1):
            at = _on_arc(ax, start, end, bend, mark / (ztunnels + 1))
            ax.scatter(*at, marker="D", s=26, color=_COLOURS["ztunnel"], zorder=3)


def _draw_edge(ax: Axes, start: _Point, end: _Point, bend: float, rim: float) -> None:
    """Line below the labels, head above them, so that a label never hides where an edge ends."""
    line: dict[str, Any] = {"color": _EDGE_COLOUR, "lw": 0.9, "shrinkA": _NODE_RADIUS + 1, "shrinkB": rim + 3}
    ax.annotate("", end, start, arrowprops={**line, "arrowstyle": "-", "connectionstyle": f"arc3,rad={bend}"}, zorder=1)
    length = math.dist(*ax.transData.transform([start, end])) * _POINTS_PER_INCH / ax.figure.dpi
    before = _on_arc(ax, start, end, bend, max(0.5, 1 - _HEAD / max(length, 1.0)))
    head = {**line, "shrinkA": 0, "shrinkB": rim, "arrowstyle": "-|>", "mutation_scale": 11}
    ax.annotate("", end, before, arrowprops=head, zorder=5)


def _bend(picture: _Picture, ax: Axes, edge: tuple[str, str], end: _Point) -> float:
    """Choose how far an edge bends: as little as keeps it off other nodes and, where that is possible, off labels."""
    start = picture.places[edge[0]]
    forward = end[0] > start[0]
    scale = _POINTS_PER_INCH / ax.figure.dpi
    names = list(picture.places)
    nodes = ax.transData.transform([picture.places[name] for name in names]) * scale
    others = np.array([name not in edge for name in names])
    half_label = np.array([2.5 * (len(name) + 3) for name in names])
    costs = {}
    # Lines that go back or stay in their layer always bend; of two opposite ones each bends to its own left.
    allowed = [bend for bend in (_BENDS if forward else _BENDS[3:]) if bend >= 0 or edge[::-1] not in picture.edges]
    for bend in allowed:
        arc = ax.transData.transform([_on_arc(ax, start, end, bend, i / 24) for i in range(1, 24)]) * scale
        away = arc[:, None, :] - nodes
        hits = (np.hypot(away[..., 0], away[..., 1]) < _NODE_RADIUS + 3).any(axis=0) & others
        in_label = (abs(away[..., 0]) < half_label) & (abs(away[..., 1] + 14) < 6)
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


def _draw_nodes(plane: Plane, picture: _Picture, ax: Axes) -> None:
    from matplotlib.patheffects import withStroke

    with_sidecars = _with_sidecars(plane)
    halo = [withStroke(linewidth=2.5, foreground="white")]
    for name, (x, y) in picture.places.items():
        role = CLIENT if name == CLIENT else "proxy" if name in picture.shared else "app"
        if name in with_sidecars:
            ax.scatter([x - _SIDECAR], [y], marker=_SHAPES["proxy"], s=70, color=_COLOURS["proxy"], zorder=3)
        ax.scatter([x], [y], marker=_SHAPES[role], s=150, color=_COLOURS[role], zorder=4)
        replicas = "" if name == CLIENT else f" ×{len(plane.service(name).replicas)}"
        label: dict[str, Any] = {"textcoords": "offset points", "ha": "center", "va": "top", "fontsize": 8, "zorder": 2}
        ax.annotate(name + replicas, (x, y), (0, -9), path_effects=halo, **label)


def _draw_legend(plane: Plane, ax: Axes) -> None:
    from matplotlib.lines import Line2D

    present = [("application", "o", "app")]
    names = [service.name for service in plane.services if service.role == "proxy"]
    if any(name != ZTUNNEL for name in names):
        present.append(("proxy", "s", "proxy"))
    if ZTUNNEL in names:
        present.append(("ztunnel passed", "D", "ztunnel"))
    handles = [
        Line2D([], [], marker=marker, color=_COLOURS[role], linestyle="none", label=label)
        for label, marker, role in present
    ]
    ax.legend(handles=handles, loc="lower left", bbox_to_anchor=(0.0, -0.08), ncols=3, frameon=False, fontsize=8)
