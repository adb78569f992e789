"""Numbers read back from the chart of a cache's curve, and what cannot be drawn."""

from __future__ import annotations

from pathlib import Path

import pandas as pd
import pytest
from chart_scenes import cache_points
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
