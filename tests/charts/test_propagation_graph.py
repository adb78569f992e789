"""The picture of how failures propagate: colours and widths are the numbers."""

from __future__ import annotations

import matplotlib as mpl
import pytest
from chart_scenes import propagated, shop, wide_topology
from matplotlib.axes import Axes
from matplotlib.colors import to_hex
from reading import defects

import meshsim as ms
from meshsim.charts import propagation_graph
from meshsim.charts.style import COLOUR_MAP, THEMES


def lines(ax: Axes) -> dict[tuple[float, float, float, float], tuple[str, float, object]]:
    """Colour, width and dash by where a line begins and ends."""
    drawn = [text for text in ax.texts if text.arrow_patch is not None and text.get_zorder() < 2]
    found = {}
    for text in drawn:
        patch = text.arrow_patch
        place = tuple(round(float(value), 6) for value in (*text.get_position(), *text.xy))
        found[place] = (to_hex(patch.get_edgecolor()), patch.get_linewidth(), patch.get_linestyle())
    return found


def place(ax: Axes, name: str) -> tuple[float, float]:
    (node,) = [one for one in ax.collections if one.get_gid() == name]
    x, y = node.get_offsets()[0]
    return round(float(x), 6), round(float(y), 6)


def colour(share: float) -> str:
    return to_hex(mpl.colormaps[COLOUR_MAP].reversed()(share))


def test_nodes_are_coloured_by_what_began_there() -> None:
    found = propagated()
    ax, began = propagation_graph(found), found.began_at()
    assert set(began) == {"stock", "users", "sidecar@users"}
    for node in ax.collections:
        if (name := node.get_gid()) not in (None, "client"):
            expected = colour(began[name] / found.failed) if name in began else "#ffffff"
            assert to_hex(node.get_facecolor()[0]) == expected, name


def test_lines_are_coloured_by_what_came_along_and_as_wide_as_their_messages() -> None:
    found = propagated()
    ax = propagation_graph(found)
    drawn = lines(ax)
    most = max(edge.messages_per_request for edge in found.levels["map"])
    assert len(drawn) == len(found.levels["map"]) == 8
    for edge in found.levels["map"]:
        end = place(ax, edge.callee if edge.callee == "gateway" else f"sidecar@{edge.callee}")
        shade, width, dash = drawn[(*place(ax, edge.caller), *end)]
        assert width == pytest.approx(5.0 * edge.messages_per_request / most)
        assert shade == (colour(edge.travelled / found.failed) if edge.travelled else THEMES["light"].muted)
        assert (dash == "-") == bool(edge.travelled)


def test_labels_tell_the_shares() -> None:
    found = propagated()
    texts = {text.get_text() for text in propagation_graph(found).texts}
    assert {"client", "web", "db"} <= texts
    (users,) = (text for text in texts if text.startswith("users"))
    assert users.count("%") == 2
    assert "sidecar" in users


@pytest.mark.parametrize("architecture", ["none", "gateway", "central", "ambient", "ambient-waypoint"])
def test_every_architecture_can_be_drawn(architecture: str) -> None:
    result = ms.run(shop("20%"), architecture, quiet=True, duration_s=2.0, replications=1, record_traces=True)
    ax = propagation_graph(result.propagation())
    assert defects(ax) == []
    assert to_hex(next(n for n in ax.collections if n.get_gid() == "stock").get_facecolor()[0]) == colour(1.0)


def test_without_failures_it_is_a_map() -> None:
    result = ms.run(wide_topology(), quiet=True, record_traces=True, replications=1)
    ax = propagation_graph(result.propagation())
    assert ax.get_title(loc="left").endswith("no request failed")
    assert {dash for _, _, dash in lines(ax).values()} != {"-"}
    assert defects(ax) == []
