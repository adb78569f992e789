"""A drawing of the Plane: layers of services from left to right, proxies in a colour and shape of their own."""

from __future__ import annotations

from collections import defaultdict
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

from meshsim.architectures.describe import edges
from meshsim.architectures.plane import Plane
from meshsim.architectures.rewrites import ZTUNNEL
from meshsim.architectures.walk import chain_of

if TYPE_CHECKING:
    from matplotlib.axes import Axes

CLIENT = "client"
# Okabe and Ito's palette, which colour-blind readers can tell apart; shapes say the same again.
_COLOURS = {"client": "#999999", "app": "#0072B2", "proxy": "#E69F00", "ztunnel": "#009E73"}
_SHAPES = {"client": ">", "app": "o", "proxy": "s"}
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
    """
    picture = _picture(plane)
    if ax is None:
        ax = _new_axes(picture)
    _draw_nodes(plane, picture, ax)
    ax.margins(x=0.12, y=0.06)
    ax.autoscale_view()  # the marks on bent edges need the final scale
    _draw_edges(picture, ax)
    _draw_legend(plane, ax)
    ax.set_title(f"{plane.topology_name} under {plane.architecture}", loc="left")
    ax.set_axis_off()
    return ax


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
    inches = max(0.8, label_inches if picture.shared else label_inches / 2) * max(picture.layers.values(), default=0)
    _, ax = plt.subplots(figsize=(min(2.0 + inches, 40.0), min(1.6 + 0.42 * max(rows.values(), default=1), 40.0)))
    return ax


# -- ink -------------------------------------------------------------------------------------------------------


def _draw_edges(picture: _Picture, ax: Axes) -> None:
    for (sender, target), ztunnels in sorted(picture.edges.items()):
        start, end = picture.places[sender], picture.places[target]
        # Lines that go back or stay in their layer bend, so that they do not hide behind nodes.
        bend = 0.0 if end[0] > start[0] else 0.25
        style = {"arrowstyle": "-|>", "color": "#777777", "lw": 0.9, "shrinkA": 8, "shrinkB": 14}
        ax.annotate("", end, start, arrowprops={**style, "connectionstyle": f"arc3,rad={bend}"}, zorder=1)
        for mark in range(1, ztunnels + 1):
            x, y = _on_arc(ax, start, end, bend, mark / (ztunnels + 1))
            ax.scatter([x], [y], marker="D", s=26, color=_COLOURS["ztunnel"], zorder=2)


def _on_arc(
    ax: Axes, start: tuple[float, float], end: tuple[float, float], bend: float, share: float
) -> tuple[float, float]:
    """Give the point at `share` of matplotlib's ``arc3`` line: a quadratic Bezier curve on the screen."""
    (x1, y1), (x2, y2) = ax.transData.transform([start, end])
    control = (x1 + x2) / 2 + bend * (y2 - y1), (y1 + y2) / 2 - bend * (x2 - x1)
    weights = (1 - share) ** 2, 2 * share * (1 - share), share**2
    x = weights[0] * x1 + weights[1] * control[0] + weights[2] * x2
    y = weights[0] * y1 + weights[1] * control[1] + weights[2] * y2
    at_x, at_y = ax.transData.inverted().transform((x, y))
    return float(at_x), float(at_y)


def _draw_nodes(plane: Plane, picture: _Picture, ax: Axes) -> None:
    sidecars = {service.name for service in plane.services if service.name.startswith("sidecar@")}
    for name, (x, y) in picture.places.items():
        role = CLIENT if name == CLIENT else "proxy" if name in picture.shared else "app"
        if f"sidecar@{name}" in sidecars:
            ax.scatter([x - 0.16], [y], marker=_SHAPES["proxy"], s=70, color=_COLOURS["proxy"], zorder=3)
        ax.scatter([x], [y], marker=_SHAPES[role], s=150, color=_COLOURS[role], zorder=4)
        replicas = "" if name == CLIENT else f" ×{len(plane.service(name).replicas)}"
        box: dict[str, Any] = {"boxstyle": "round,pad=0.1", "facecolor": "white", "edgecolor": "none", "alpha": 0.8}
        ax.annotate(
            name + replicas, (x, y), (0, -9), textcoords="offset points", ha="center", va="top", fontsize=8, bbox=box
        )


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
