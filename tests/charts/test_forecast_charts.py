"""Charts of forecasts: runways, bills by month, crossovers and their map, beside the arithmetic of the shop."""

from __future__ import annotations

import math
from dataclasses import replace
from functools import cache
from pathlib import Path
from typing import Any

import pytest
from growing_shop import RATE_PER_S, cents, growing_shop, replicas
from matplotlib.colors import to_hex
from matplotlib.testing.compare import compare_images
from reading import defects
from test_chart_pictures import DPI, GOLDEN, TOLERANCE

import meshsim as ms
from meshsim import charts
from meshsim.charts.style import MARKS, root
from meshsim.errors import UsageError
from meshsim.forecasting.result import Bounds, Fails

TABLE = {month: 1.0 + 0.4 * month for month in range(1, 13)}


@cache
def shop() -> ms.Forecast:
    return ms.forecast(
        growing_shop(),
        ["none", "gateway", "sidecar-only"],
        growth=TABLE,
        scenarios={"a good year": {month: 1.0 + 0.55 * month for month in TABLE}},
        lose=0,
        across=("mesh.sidecar.cpu", ["500m", "1", "4"]),
        engine="analytic",
        quiet=True,
    )


@cache
def pair() -> ms.Forecast:
    """The two that change places, with loads for which the smallest shop has no plan."""
    return ms.forecast(
        growing_shop(),
        ["gateway", "sidecar-only"],
        growth=TABLE,
        lose=0,
        most_replicas=7,
        across=("mesh.sidecar.cpu", ["500m", "1", "4"]),
        engine="analytic",
        quiet=True,
    )


@cache
def narrow() -> ms.Forecast:
    """With a small gateway, which carries 0.3 cores x 80 % / 2 ms = 120/s, less than two replicas of the shop."""
    proxy = {"cpu": "300m", "cpu_per_request": "2ms"}
    return ms.forecast(
        growing_shop(mesh={"gateway": proxy, "sidecar": {"cpu": 1}}),
        ["none", "gateway", "sidecar-only"],
        growth="8%",
        scenarios={"a good year": "12%", "a bad year": "2%"},
        lose=0,
        engine="analytic",
        quiet=True,
    )


def harm(share: float) -> Fails:
    push = Bounds(share, 0.9 * share, min(1.1 * share, 1.0))
    return Fails({"crash at shop": Bounds(0.1, 0.05, 0.2), "push": push})


@cache
def copies() -> ms.Forecast:
    """Estimates let nothing fail: what does is put there by hand."""
    shop = growing_shop()
    words: dict[str, Any] = {"months": 1, "lose": 0, "engine": "analytic", "quiet": True, "most_replicas": 14}
    found = ms.forecast(shop, ["none", "gateway", "sidecar-only"], across=("tenants", ["1", "2", "5", "12"]), **words)
    told = found.map
    assert told is not None
    shares = {"none": lambda n: 0.0, "gateway": lambda n: 1.0, "sidecar-only": lambda n: 1.0 / n}
    harms = {
        value: {name: None if at[name] is None else harm(of(int(value))) for name, of in shares.items()}
        for value, at in told.bills.items()
    }
    return replace(found, map=replace(told, fails=harms))


DRAWN: dict[str, Any] = {
    "runway": lambda **look: charts.capacity_runway(narrow(), **look),
    "cost-by-month": lambda **look: charts.cost_by_month(shop(), **look),
    "crossovers": lambda **look: charts.crossovers(shop(), **look),
    "crossover-map": lambda **look: charts.crossover_map(pair(), **look),
    "architectures-across": lambda **look: charts.architectures_across(copies(), **look),
}


@pytest.mark.parametrize("theme", ["light", "dark"])
@pytest.mark.parametrize("name", DRAWN)
def test_it_looks_as_before(name: str, theme: str, tmp_path: Path, request: pytest.FixtureRequest) -> None:
    golden, now = GOLDEN / f"{name}-{theme}.png", tmp_path / "now.png"
    update = request.config.getoption("--update-golden")
    ax = DRAWN[name](theme=theme)
    root(ax).savefig(golden if update else now, dpi=DPI)
    if not update:
        assert compare_images(str(golden), str(now), TOLERANCE) is None
    assert defects(ax) == []


def by_gid(ax: Any, gid: str) -> Any:
    (found,) = [one for one in (*ax.lines, *ax.patches, *ax.collections) if one.get_gid() == gid]
    return found


def test_the_runway_ends_where_today_s_deployment_is_full() -> None:
    ax = charts.capacity_runway(shop())
    assert list(by_gid(ax, "load base").get_ydata()) == pytest.approx(
        [RATE_PER_S, *(RATE_PER_S * f for f in TABLE.values())]
    )
    band = by_gid(ax, "band gateway")
    assert band.get_y() <= 160.0 <= band.get_y() + band.get_height()
    mark = by_gid(ax, "out gateway base")
    assert (mark.get_xdata()[0], mark.get_ydata()[0]) == pytest.approx((2, 180.0))
    small = by_gid(charts.capacity_runway(narrow()), "band gateway")
    assert 114.0 <= small.get_y() <= 120.0  # bytes cost CPU, too


def test_bills_are_those_of_the_arithmetic() -> None:
    ax = charts.cost_by_month(shop())
    loads = [RATE_PER_S, *(RATE_PER_S * factor for factor in TABLE.values())]
    for name in ("none", "gateway", "sidecar-only"):
        wanted = [cents(name, replicas(load)) / 100 for load in loads]
        assert list(by_gid(ax, f"{name} base").get_ydata()) == wanted
        bought = [month for month in range(1, 13) if replicas(loads[month]) > replicas(loads[month - 1])]
        assert list(by_gid(ax, f"buys {name} base").get_xdata()) == bought
    assert by_gid(ax, "band none") is not None
    assert ax.get_ylabel() == "cores and memory, a month (USD)"


def test_crossovers_are_shaded_where_they_are() -> None:
    ax = charts.crossovers(pair())
    band = by_gid(ax, "sidecar-only gateway")
    assert band.get_x() <= 320.0 <= band.get_x() + band.get_width()
    assert any("from 320" in text.get_text() for text in ax.get_legend().get_texts())
    assert not [line for line in charts.crossovers(shop()).lines if line.get_gid() == "bill ambient"]


def test_the_map_has_the_colour_of_the_cheapest() -> None:
    ax = charts.crossover_map(pair())
    told = pair().map
    assert told is not None
    for patch in ax.patches:
        value, load = told.values[int(patch.get_y())], told.loads[int(patch.get_x())]
        best = told.best(value, load)
        assert patch.get_gid() == (best or "no plan")
        if best is not None:
            assert to_hex(patch.get_facecolor()) == MARKS[best].colour.lower()
    assert {patch.get_gid() for patch in ax.patches} == {"gateway", "sidecar-only"} | {
        "no plan" for load in told.loads if replicas(load * RATE_PER_S) > 7
    }


def test_methods_draw_and_mistakes_are_told() -> None:
    assert shop().plot_runway() and shop().plot_cost()
    assert shop().plot_crossover().get_title(loc="left") == "shop: the cheapest architecture"
    alone = ms.forecast(growing_shop(), ["none"], months=1, lose=0, most_replicas=1, engine="analytic", quiet=True)
    with pytest.raises(UsageError, match="give two"):
        alone.plot_crossover()
    with pytest.raises(UsageError, match="no month has a plan"):
        alone.plot_cost()
    with pytest.raises(UsageError, match="has no map"):
        charts.crossover_map(alone)
    assert alone.plot_runway().get_legend() is not None


def test_panels_of_an_axis_have_what_is_told() -> None:
    """Bills by hand; 12 tenants need 15 replicas, and there are 14: a gap."""
    ax = charts.architectures_across(copies())
    panels = root(ax).axes
    numbers = [1, 2, 5, 12]
    wanted = [cents("none", replicas(n * RATE_PER_S)) / 100 for n in numbers[:3]]
    line = list(by_gid(panels[0], "cost none").get_ydata())
    assert line[:3] == wanted and math.isnan(line[3]) and len(panels) == 3
    assert list(by_gid(panels[2], "fails sidecar-only").get_ydata())[:3] == [1.0, 0.5, 0.2]
    with pytest.raises(UsageError, match="give across"):
        charts.architectures_across(narrow())


def test_bills_that_were_simulated_have_whiskers() -> None:
    """From the lower to the upper bound of each month's bill; estimates have none."""
    found = ms.forecast(growing_shop(), ["none"], months=2, lose=0, duration_s=5.0, quiet=True)
    money = [month.planned.money for month in found["none"].months if month.planned is not None]
    ax = found.plot_cost()
    ends = [tuple(bar.get_segments()[0][:, 1]) for container in ax.containers for bar in container.lines[2]]
    assert len(money) == 3 and ends == [pytest.approx((one.low, one.high)) for one in money]
    assert not shop().plot_cost().containers


def test_lines_that_lie_on_each_other_take_turns() -> None:
    """Without a proxy that is full first, the shop carries as much whatever stands before it."""
    found = pair()
    same = replace(found, carries=dict.fromkeys(found.architectures, found.carries["gateway"]))
    ax = charts.capacity_runway(same)
    dashes = [one._unscaled_dash_pattern for one in ax.get_lines() if str(one.get_gid()).startswith("carries ")]
    (first, first_pattern), (second, second_pattern) = dashes
    drawn, gap = first_pattern
    assert drawn == gap
    assert first_pattern == second_pattern
    assert abs(second - first) == drawn
    assert "take turns" in " ".join(text.get_text() for text in ax.texts).replace("\n", " ")
