"""The map of a topology: everything is there, edges reach their nodes, colours are utilizations."""

from __future__ import annotations

from collections.abc import Sequence
from itertools import combinations
from typing import Any

import matplotlib as mpl
import pytest
from chart_scenes import compared, shop, wide_topology
from matplotlib.axes import Axes
from matplotlib.colors import to_hex

import meshsim as ms
from meshsim.architectures import NAMED, lower
from meshsim.charts import topology_map
from meshsim.charts.style import COLOUR_MAP
from meshsim.results.text import percent

STREAM = {"name": "web", "entry": "a.x", "arrivals": {"poisson": "1/s"}}


def graph(policies: Sequence[dict[str, Any]] = (), **calls: list[str]) -> ms.Topology:
    """Services by name with the names of those they call; the first is the entry."""
    services = {
        name: {"replicas": 2, "endpoints": {"x": [{"work": "1ms"}, *({"call": f"{to}.x", "p": 0.5} for to in called)]}}
        for name, called in calls.items()
    }
    parts = {"services": services, "traffic": [STREAM], "policies": list(policies)}
    return ms.load({"meshsim": 1, "name": "hand-made", **parts})


THREE = {"a": ["b", "c"], "b": ["c"], "c": []}


def drawn_texts(ax: Axes) -> set[str]:
    return {text.get_text() for text in ax.texts if text.get_text()}


def place(ax: Axes, name: str) -> tuple[float, float]:
    (node,) = [one for one in ax.collections if one.get_gid() == name]
    x, y = node.get_offsets()[0]
    return float(x), float(y)


@pytest.mark.parametrize("architecture", NAMED)
def test_every_service_is_drawn(architecture: str) -> None:
    ax = topology_map(lower(graph(**THREE), architecture))
    assert {"client", "a ×2", "b ×2", "c ×2"} <= drawn_texts(ax)
    assert ax.get_title(loc="left") == f"hand-made under {architecture}"


def test_it_draws_into_given_axes_and_bears_cycles() -> None:
    import matplotlib.pyplot as plt

    system = graph(a=["b"], b=["a"], alone=[])
    _, ax = plt.subplots()
    assert topology_map(lower(system, "central"), None, ax) is ax
    assert {"client", "a ×2", "b ×2", "alone ×2", "gateway ×2"} == drawn_texts(ax)


@pytest.mark.parametrize("architecture", NAMED)
def test_every_edge_has_a_head_that_reaches_its_node_and_no_label_hides_it(architecture: str) -> None:
    ax = topology_map(lower(graph(**THREE), architecture))
    heads = [text for text in ax.texts if text.arrow_patch is not None and text.get_zorder() > 4]
    labels = [text for text in ax.texts if text.get_text()]
    lines = [text for text in ax.texts if text.arrow_patch is not None and text.get_zorder() < 2]
    assert len(heads) == len(lines) >= 3
    assert max(label.get_zorder() for label in labels) < min(head.get_zorder() for head in heads)
    nodes = {(round(x, 6), round(y, 6)) for marks in ax.collections for x, y in marks.get_offsets()}
    assert {(round(head.xy[0], 6), round(head.xy[1], 6)) for head in heads} <= nodes


def test_marks_on_an_edge_that_goes_around_a_node_stay_on_it_and_labels_off_the_legend() -> None:
    """The second stream enters at b, so its edge bends around a; all nodes are in one row."""
    spec = {
        "meshsim": 1,
        "services": {
            "a": {"endpoints": {"x": [{"work": "1ms"}, {"call": "b.x"}]}},
            "b": {"endpoints": {"x": [{"work": "1ms"}]}},
        },
        "traffic": [STREAM, {**STREAM, "name": "app", "entry": "b.x"}],
    }
    ax = topology_map(lower(ms.load(spec), "ambient"))
    ax.figure.draw_without_rendering()
    marks = [ax.transData.transform(one.get_offsets()[0]) for one in ax.collections if one.get_gid() == "ztunnel"]
    row = ax.transData.transform(place(ax, "a"))[1]
    length = ax.transData.transform(place(ax, "b"))[0] - ax.transData.transform(place(ax, "gateway"))[0]
    away = sorted(abs(y - row) for _, y in marks)
    assert away[:-1] == pytest.approx([0.0] * 3, abs=1.0)  # on straight edges: one to a, two to b
    assert 0.0 < away[-1] < length / 4  # at the top of the bow
    lines = [text.arrow_patch for text in ax.texts if text.arrow_patch is not None and text.get_zorder() < 2]
    tops = [line.get_window_extent().y1 for line in lines]
    assert max(tops) == pytest.approx(row + away[-1], abs=3.0)
    assert all(line.get_window_extent().height < length / 4 for line in lines)
    legend = ax.get_legend()
    assert legend is not None
    for text in ax.texts:
        if text.get_text():
            assert not legend.get_window_extent().overlaps(text.get_window_extent())


def test_layers_are_depths_of_calls() -> None:
    ax = topology_map(graph(**THREE))  # a calls b and c, b calls c
    assert [place(ax, name)[0] for name in ("client", "a", "b", "c")] == [0, 1, 2, 3]
    wide = topology_map(ms.load(wide_topology(13)))
    layers = [place(wide, service)[0] for service in wide_topology(13)["services"]]
    assert layers == [1.0] + 3 * [2.0] + 9 * [3.0]


def test_a_tree_has_no_crossings() -> None:
    spec = wide_topology(30)
    ax = topology_map(ms.load(spec))
    calls = [
        (place(ax, name), place(ax, step["call"].removesuffix(".get")))
        for name, service in spec["services"].items()
        for step in service["endpoints"]["get"]
        if "call" in step
    ]
    assert len(calls) == 29
    for (a, b), (c, d) in combinations(calls, 2):
        if a[0] == c[0]:
            assert (a[1] - c[1]) * (b[1] - d[1]) >= 0


def test_crowds_are_not_drawn() -> None:
    names = {"a": [], **{f"s{number}": [] for number in range(60)}}
    with pytest.raises(ms.UsageError, match="61 services cannot be read"):
        topology_map(graph(**names))
    names.pop("s0")
    topology_map(graph(**names))


def test_colours_and_labels_are_utilizations() -> None:
    side = compared()["sidecar"]
    ax = side.plot_topology()
    for name in ("shop", "stock", "gateway", "sidecar@shop", "sidecar@stock"):
        (node,) = [one for one in ax.collections if one.get_gid() == name]
        expected = to_hex(mpl.colormaps[COLOUR_MAP](side.by_service[name].utilization.value))
        assert to_hex(node.get_facecolor()[0]) == expected
    busy = {name: percent(service.utilization.value) for name, service in side.by_service.items()}
    assert f"shop ×2\n{busy['shop']}\nsidecar {busy['sidecar@shop']}" in drawn_texts(ax)


def test_what_has_no_limit_stays_empty() -> None:
    spec = shop()
    spec["services"]["stock"]["cpu"] = {"request": 1}
    result = ms.run(spec, "none", quiet=True, duration_s=2.0)
    ax = topology_map(ms.load(spec), result)
    assert "stock ×1\nno limit" in drawn_texts(ax)
    (node,) = [one for one in ax.collections if one.get_gid() == "stock"]
    assert to_hex(node.get_facecolor()[0]) == "#ffffff"


def test_a_library_is_a_part_of_its_caller() -> None:
    """Policies that act within callers add stations to the plane, and nothing to the picture."""
    acting = graph([{"name": "all", "in_app": True, "timeout": "1s"}], **THREE)
    plane = lower(acting, "none")
    assert {"library@a", "library@b", "library@client"} <= {service.name for service in plane.services}
    assert drawn_texts(topology_map(plane)) == drawn_texts(topology_map(lower(graph(**THREE), "none")))
