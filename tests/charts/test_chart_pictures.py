"""Every chart, light and dark, as a picture: like the golden one, nothing cut, no text on another.

Someone who changes a chart on purpose runs ``pytest tests/charts --update-golden``, and looks at each new file.
"""

from __future__ import annotations

import re
from collections.abc import Callable
from pathlib import Path

import pytest
from chart_scenes import (
    autoscaled,
    cache_grid,
    cache_points,
    compared,
    cost_points,
    drawn_sweep,
    failing,
    grid_sweep,
    incident,
    load_sweep,
    overloaded,
    propagated,
    wide_topology,
)
from matplotlib.axes import Axes
from matplotlib.testing.compare import compare_images
from reading import defects
from test_interference_heatmap import cells

import meshsim as ms
from meshsim import charts
from meshsim.charts.style import root

GOLDEN = Path(__file__).parent / "golden"
DPI, TOLERANCE = 60, 4.0  # root mean square of 0..255: the same picture with other letters is within it

CHARTS: dict[str, Callable[..., Axes]] = {
    "latency": lambda **look: charts.latency_cdf(compared(), **look),
    "latency-failing": lambda **look: charts.latency_cdf(failing(), **look),
    "time": lambda **look: charts.time_split(compared()["sidecar"], **look),
    "topology": lambda **look: compared()["sidecar"].plot_topology(**look),
    "propagation": lambda **look: charts.propagation_graph(propagated(), **look),
    "difference": lambda **look: charts.difference_forest(compared(), **look),
    "timeline": lambda **look: incident().plot_timeline(**look),
    "autoscaler": lambda **look: autoscaled().plot_autoscaler(**look),
    "load": lambda **look: charts.load_curve(load_sweep(), objective_s=0.25, **look),
    "heatmap": lambda **look: charts.sweep_heatmap(
        grid_sweep(), "run.load", "services.stock.replicas", "p99_s", **look
    ),
    "interference": lambda **look: charts.interference_heatmap(cells(), **look),
    "scatter": lambda **look: charts.sweep_scatter(drawn_sweep(), **look),
    "cache-curve": lambda **look: charts.cache_curve(cache_points(), **look),
    "cache-heatmap": lambda **look: charts.cache_heatmap(cache_grid(), **look),
    "cache-cost": lambda **look: charts.cache_cost(cost_points(), **look),
}


@pytest.mark.parametrize("theme", ["light", "dark"])
@pytest.mark.parametrize("name", CHARTS)
def test_it_looks_as_before(name: str, theme: str, tmp_path: Path, request: pytest.FixtureRequest) -> None:
    golden, now = GOLDEN / f"{name}-{theme}.png", tmp_path / "now.png"
    update = request.config.getoption("--update-golden")
    ax = CHARTS[name](theme=theme)
    root(ax).savefig(golden if update else now, dpi=DPI)
    if not update:
        assert compare_images(str(golden), str(now), TOLERANCE) is None
    assert theme == "dark" or defects(ax) == []


def test_another_colour_does_not_look_as_before(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    from meshsim.charts import style

    monkeypatch.setitem(style.MARKS, "sidecar", style.MARKS["central"])
    now = tmp_path / "now.png"
    root(CHARTS["latency"]()).savefig(now, dpi=DPI)
    assert compare_images(str(GOLDEN / "latency-light.png"), str(now), TOLERANCE) is not None


@pytest.mark.parametrize("name", CHARTS)
def test_it_fits_a_page(name: str) -> None:
    ax = CHARTS[name](width_cm=16.0, height_cm=12.0)
    assert root(ax).get_size_inches() == pytest.approx((16 / 2.54, 12 / 2.54))
    assert defects(ax) == []


def test_defects_are_seen() -> None:
    ax = CHARTS["latency"]()
    ax.text(12.0, 0.5, "one")
    ax.text(12.0, 0.5, "other")
    root(ax).text(0.99, 0.5, "beyond the edge")
    assert {"one on other", "cut: beyond the edge"} <= set(defects(ax))


def test_no_room_is_an_error(tmp_path: Path) -> None:
    with pytest.raises(ms.UsageError, match="no room for the chart in 4 × 4 cm"):
        charts.save(CHARTS["latency"](width_cm=4.0, height_cm=4.0), tmp_path / "x.png")
    with pytest.raises(ms.UsageError, match="no room"):
        CHARTS["topology"](width_cm=4.0, height_cm=4.0)


@pytest.mark.parametrize(("name", "ending"), [("latency", "png"), ("time", "svg"), ("heatmap", "pdf")])
def test_the_same_chart_is_the_same_file(name: str, ending: str, tmp_path: Path) -> None:
    files = [tmp_path / f"{n}.{ending}" for n in (1, 2)]
    for file in files:
        charts.save(CHARTS[name](), file, command="meshsim run shop")
    content = files[0].read_bytes()
    assert content == files[1].read_bytes()
    assert b"meshsim run shop" in content
    assert not re.search(rb"20\d\d-\d\d-\d\d|D:20\d\d", content)


def test_a_title_of_ones_own() -> None:
    ax = charts.latency_cdf(compared(), title="ours")
    assert ax.get_title(loc="left") == "ours"
    assert defects(charts.time_split(compared()["sidecar"], title="a word or two " * 12)) == []


@pytest.mark.parametrize("architecture", ["sidecar", "ambient-waypoint"])
def test_thirty_services_can_be_read(architecture: str) -> None:
    ax = ms.run(wide_topology(), architecture, quiet=True).plot_topology()
    assert defects(ax) == []


def test_an_unstable_side_is_named() -> None:
    found = overloaded()
    ax = charts.latency_cdf(found)
    assert all("unstable" in text.get_text() for text in ax.get_legend().get_texts())
    with pytest.raises(ms.UsageError, match="unstable"):
        charts.difference_forest(found)


def test_charts_draw_into_given_axes() -> None:
    import matplotlib.pyplot as plt

    figure, axes = plt.subplots(2, 3, figsize=(22, 14), layout="constrained")
    for draw, ax in zip(
        (
            lambda ax: compared().plot_latency(ax),
            lambda ax: compared().plot_differences(ax),
            lambda ax: compared()["sidecar"].plot_time(ax),
            lambda ax: compared()["sidecar"].plot_topology(ax),
            lambda ax: charts.load_curve(load_sweep(), ax),
            lambda ax: charts.sweep_heatmap(grid_sweep(), "run.load", "services.stock.replicas", "p99_s", ax),
        ),
        axes.flat,
        strict=True,
    ):
        assert root(draw(ax)) is figure
    assert len(plt.get_fignums()) == 1
    assert defects(axes[0, 0]) == []


def test_panels_stay_where_axes_were_given() -> None:
    import matplotlib.pyplot as plt

    figure, (left, right) = plt.subplots(1, 2, figsize=(16, 6))  # without a layout engine
    left.text(0.5, 0.5, "mine")
    ax = charts.sweep_heatmap(grid_sweep(), "run.load", "services.stock.replicas", "p99_s", right)
    assert root(ax) is figure
    outer = ax.figure.get_window_extent()
    assert outer.x0 > left.get_window_extent().x1
    assert ax.figure.get_suptitle() == "p99 latency (ms), 95 % intervals" and not figure.get_suptitle()
