"""Numbers read back from the charts of a cache's curve, and what cannot be drawn."""

from __future__ import annotations

import math
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
from chart_scenes import cache_grid, cache_points, cost_points
from matplotlib.axes import Axes
from matplotlib.collections import LineCollection
from matplotlib.lines import Line2D
from reading import defects
from typer.testing import CliRunner

from meshsim import charts
from meshsim.charts.style import mark_of, root
from meshsim.cli import app
from meshsim.errors import UsageError


def test_points_theory_and_latency() -> None:
    points = cache_points()
    ax = charts.cache_curve(points)
    lines = {line.get_gid(): line for line in ax.get_lines() if line.get_gid() and len(line.get_xdata()) > 1}
    mine = points[
        (points["architecture"] == "gateway") & (points["cache"] == "gateway.gateway") & points["tenant"].isna()
    ]
    assert lines["gateway gateway.gateway"].get_xdata().tolist() == [100, 300, 1000]
    assert lines["gateway gateway.gateway"].get_ydata() == pytest.approx(mine["hit_ratio"] * 100)
    assert lines["gateway gateway.gateway"].get_color() == mark_of("gateway").colour
    assert lines["theory gateway gateway.gateway"].get_ydata() == pytest.approx(mine["theory_hit_ratio"] * 100)
    assert "theory none maps.tiles" not in lines  # none was told
    latency = root(ax).axes[1]
    (line,) = (
        one for one in latency.get_lines() if one.get_gid() == "gateway gateway.gateway" and len(one.get_xdata()) > 1
    )
    assert line.get_ydata() == pytest.approx(mine["mean_s"] * 1e3)
    assert defects(ax) == []


def test_points_where_a_cache_was_still_filling_are_hollow() -> None:
    points = cache_points()
    points.loc[(points["capacity"] == 1000) & (points["architecture"] == "none"), "verdict"] = "still filling"
    ax = charts.cache_curve(points)
    fills = {
        line.get_xdata()[0]: line.get_markerfacecolor()
        for line in ax.get_lines()
        if line.get_gid() == "none maps.tiles" and line.get_marker() == "o"
    }
    assert fills[1000] == "#ffffff" and fills[100] == fills[300] == mark_of("none").colour
    assert any("a cache still filling" in text.get_text() for text in root(ax).axes[1].texts)


def test_caches_of_one_architecture_have_markers_of_their_own_and_theory_is_behind() -> None:
    ax = charts.cache_curve(cache_points())
    shapes = {
        line.get_gid(): line.get_marker() for line in ax.get_lines() if line.get_marker() not in ("None", "|", "_")
    }
    assert shapes["gateway maps.tiles"] == mark_of("gateway").marker != shapes["gateway gateway.gateway"]
    lines = {line.get_gid(): line for line in ax.get_lines() if line.get_gid() and len(line.get_xdata()) > 1}
    assert lines["theory gateway gateway.gateway"].zorder < lines["gateway gateway.gateway"].zorder
    assert ax.get_xlabel() == "capacity of each store of each cache (entries)"


def test_a_grid_needs_one_value_of_the_others() -> None:
    two = pd.concat([cache_points().assign(replicas=number) for number in (1, 2)])
    two = two[["replicas", *cache_points().columns]]
    with pytest.raises(
        UsageError, match=r"points differ in capacity too: keep one value, e\.g\. --where 'capacity=100'"
    ):
        charts.cache_curve(two)
    charts.cache_curve(two[two["replicas"] == 1])
    with pytest.raises(UsageError, match="there is no axis 'load'; there is capacity"):
        charts.cache_curve(cache_points(), x="load")


def test_names_are_no_axis() -> None:
    with pytest.raises(UsageError, match="holds names, no numbers"):
        charts.cache_curve(cache_points().replace({"capacity": {100: "a", 300: "b", 1000: "c"}}))


def test_a_study_at_one_point_is_no_curve() -> None:
    with pytest.raises(UsageError, match=r"meshsim cache FILE --curve"):
        charts.cache_curve(cache_points().drop(columns="capacity"))


def test_the_command(tmp_path: Path) -> None:
    table, picture = tmp_path / "curve.csv", tmp_path / "curve.svg"
    cache_points().to_csv(table, index=False)
    words = ["chart", "cache-curve", str(table), "--arch", "gateway", "--where", "cache=gateway.gateway"]
    answer = CliRunner().invoke(app, [*words, "-o", str(picture)])
    assert answer.exit_code == 0, answer.output
    assert picture.is_file()


# -- heat map --------------------------------------------------------------------------------------------------


def test_cells_are_hit_ratios_in_the_order_of_numbers() -> None:
    grid = cache_grid().astype({"capacity": str, "replicas": str})  # as `CacheCurve.frame` has them
    for points in (cache_grid(), grid):
        ax = charts.cache_heatmap(points)
        panels = [panel for panel in root(ax).axes if panel.get_title(loc="left")]
        titles = [panel.get_title(loc="left") for panel in panels]
        assert titles == ["gateway:\ngateway.gateway", "sidecar:\nsidecar@maps.sidecar"]
        # 0.2 log10 of the capacity, less 0.03 for each replica, in percent; rows upwards: 1 and 2 replicas
        assert np.asarray(panels[0].collections[0].get_array()) == pytest.approx(np.array([[37.0, 57.0], [34.0, 54.0]]))
        assert np.asarray(panels[1].collections[0].get_array()) == pytest.approx(np.array([[32.0, 52.0], [29.0, 49.0]]))
        assert [label.get_text() for label in panels[0].get_xticklabels()] == ["100", "1000"]
        assert next(t.get_text() for t in panels[0].texts if t.get_position() == (0.5, 0.5)) == "37.0\n± 1.0"
    turned = charts.cache_heatmap(cache_grid(), x="replicas")
    assert np.asarray(turned.collections[0].get_array()) == pytest.approx(np.array([[37.0, 34.0], [57.0, 54.0]]))


def test_cells_where_a_cache_was_still_filling_are_hatched() -> None:
    grid = cache_grid()
    grid.loc[(grid["capacity"] == 1000) & (grid["replicas"] == 2), "verdict"] = "still filling"
    ax = charts.cache_heatmap(grid.assign(capacity=grid["capacity"].map({100: "100KiB", 1000: "1MiB"})))
    assert len([patch for patch in ax.patches if patch.get_hatch()]) == 1
    figure = root(ax)
    assert "a cache was still filling" in [text.get_text() for text in figure.legends[0].get_texts()]
    assert figure.get_supxlabel() == "capacity of each store of each cache (bytes)"
    assert figure.get_suptitle() == "Hit ratio, 95 % intervals"


def test_what_is_no_heat_map() -> None:
    one = cache_grid()[lambda rows: rows["replicas"] == 1]
    with pytest.raises(UsageError, match=r"needs two axes, and points differ in capacity alone: .*--curve replicas"):
        charts.cache_heatmap(one)
    three = pd.concat([cache_grid().assign(ttl=ttl) for ttl in ("1s", "2s")])
    with pytest.raises(UsageError, match=r"points differ in ttl too: keep one value, e\.g\. --where 'ttl=1s'"):
        charts.cache_heatmap(three[["ttl", *cache_grid().columns]], x="capacity", y="replicas")
    many = pd.concat([cache_grid().assign(cache=f"sidecar@{n}.sidecar") for n in range(5)])
    with pytest.raises(UsageError, match=r"10 caches of architectures, and panels for 8: keep fewer with --arch"):
        charts.cache_heatmap(many)


# -- cost of a point -------------------------------------------------------------------------------------------


def marks(ax: Axes, gid: str) -> dict[float, Line2D]:
    """Single points by their height."""
    found = [one for one in ax.get_lines() if one.get_gid() == gid and one.get_marker() == "s"]
    return {float(one.get_ydata()[0]): one for one in found}


def test_steps_and_arrows() -> None:
    ax = charts.cache_cost(cost_points())
    steps = marks(ax, "gateway bytes_per_point")
    assert sorted(steps) == [4.0, 16.0, 90.0]  # KiB
    assert steps[90.0].get_markerfacecolor() == "#ffffff" != steps[4.0].get_markerfacecolor()
    lines = [one for one in ax.collections if isinstance(one, LineCollection)]
    spans = [span for one in lines for span in one.get_segments() if span[0, 1] == span[1, 1] == 16.0]
    assert [span[:, 0].tolist() for span in spans] == [[1.0, 4.0]]  # MiB
    assert len([text for text in ax.texts if text.arrow_patch]) == 2  # one of each architecture
    assert list(marks(root(ax).axes[1], "gateway cores_per_point")) == [0.02]


def test_whom_no_cost_can_be_told_of_is_named() -> None:
    lost = cost_points()[lambda rows: rows["architecture"] == "sidecar"]
    lost = lost.assign(architecture="none", point_cost="lost", bytes_per_point=math.nan, bytes_per_point_low=math.nan)
    ax = charts.cache_cost(pd.concat([cost_points(), lost]))
    told = [text.get_text() for text in ax.get_legend().get_texts()]
    assert "no cost can be told:\nnone" in told
    assert ax.get_ylabel() == "memory of a point,\nall stores together (KiB)"


def test_what_has_no_cost() -> None:
    with pytest.raises(UsageError, match=r"there are no steps: make the table with .* --curve capacity"):
        charts.cache_cost(cache_grid())
    nothing = cost_points()[lambda rows: rows["step_from"].isna()]
    with pytest.raises(UsageError, match="no step gains anything"):
        charts.cache_cost(nothing)
    two = pd.concat([cost_points().assign(replicas=n) for n in (1, 2)])[["replicas", *cost_points().columns]]
    with pytest.raises(UsageError, match="points differ in replicas too"):
        charts.cache_cost(two)


@pytest.mark.parametrize(("kind", "points"), [("cache-heatmap", cache_grid()), ("cache-cost", cost_points())])
def test_commands_of_the_others(kind: str, points: pd.DataFrame, tmp_path: Path) -> None:
    table, picture = tmp_path / "curve.csv", tmp_path / "picture.svg"
    points.to_csv(table, index=False)
    answer = CliRunner().invoke(app, ["chart", kind, str(table), "-o", str(picture)])
    assert answer.exit_code == 0, answer.output
    assert picture.is_file()


@pytest.mark.parametrize(
    ("source", "conditions", "told"),
    [
        ("grid.csv", ["replicas=3"], "'replicas=3' leaves no row of"),
        ("grid.csv", ["cache=gateway"], "cache is gateway.gateway, sidecar@maps.sidecar there"),
        ("tiles.yaml", [], "--curve capacity=100,300,1000 -o csv > curve.csv"),
        ("torn.csv", [], "its lines differ in how many columns they have"),
    ],
)
def test_what_cannot_be_read(source: str, conditions: list[str], told: str, tmp_path: Path) -> None:
    cache_grid().to_csv(tmp_path / "grid.csv", index=False)
    (tmp_path / "torn.csv").write_text("a,b\n1,2\n1,2,3\n", encoding="utf-8")
    words = ["chart", "cache-curve", str(tmp_path / source), "-o", str(tmp_path / "picture.png")]
    words += [word for condition in conditions for word in ("--where", condition)]
    answer = CliRunner().invoke(app, words)
    assert answer.exit_code == 2
    assert told in " ".join(answer.stderr.split())
