"""Charts of cost: every amount is there at its length, and colours differ for every reader."""

from __future__ import annotations

from dataclasses import dataclass, field
from itertools import combinations
from pathlib import Path
from typing import Any

import pytest
from matplotlib.container import ErrorbarContainer
from matplotlib.patches import Rectangle
from matplotlib.testing.compare import compare_images
from reading import defects
from test_chart_colours import NOTICEABLE, VISION, distance
from test_chart_pictures import DPI, GOLDEN, TOLERANCE

from meshsim import charts
from meshsim.charts.cost_stacked import GROUP_COLOURS
from meshsim.charts.cost_waterfall import LESS, MORE
from meshsim.charts.style import SERIES, root
from meshsim.costs.lines import GROUPS
from meshsim.errors import UsageError
from meshsim.results.intervals import Estimate


def known(value: float, half: float = 10.0) -> Estimate:
    return Estimate(value, value - half, value + half, 8, "")


@dataclass
class Tenant:
    money: Estimate


@dataclass
class Tax:
    items: dict[str, Estimate] = field(default_factory=dict)


@dataclass
class One:
    money: Estimate
    tenants: dict[str, Tenant]
    groups: dict[str, Estimate]
    objective: tuple[str, Estimate]
    tax: Tax = field(default_factory=Tax)


@dataclass
class Found:
    costs: dict[str, One]
    name: str = "shop"
    currency: str = "USD"
    rule: str = "proportional"

    def __getitem__(self, name: str) -> One:
        return self.costs[name]


def found(**objectives: Estimate) -> Any:
    def one(money: float, objective: Estimate, tax: Tax) -> One:
        tenants = {"mail": Tenant(known(0.4 * money)), "maps": Tenant(known(0.6 * money))}
        groups = {"applications": known(0.7 * money), "traffic": known(0.3 * money)}
        return One(known(money, 50.0), tenants, groups, ("maps p99", objective), tax)

    items = {"proxies, cores": known(300.0), "egress": known(-100.0), "cluster fee": known(0.0)}
    return Found(
        {
            "none": one(1000.0, objectives.get("none", known(0.9, 0.05)), Tax()),
            "sidecar": one(1200.0, objectives.get("sidecar", known(0.7, 0.05)), Tax(items)),
        }
    )


def bars(ax: Any, gid: str) -> list[Rectangle]:
    return [patch for patch in ax.patches if patch.get_gid() == gid]


@pytest.mark.parametrize(
    ("by", "shares"), [("tenant", {"mail": 0.4, "maps": 0.6}), ("item", {"applications": 0.7, "traffic": 0.3})]
)
def test_parts_stand_one_after_the_other(by: str, shares: dict[str, float]) -> None:
    ax = charts.cost_stacked(found(), by=by)
    start = 0.0
    for name, share in shares.items():
        first, second = bars(ax, name)
        assert (first.get_x(), first.get_width()) == pytest.approx((start * 1000, share * 1000))
        assert (second.get_x(), second.get_width()) == pytest.approx((start * 1200, share * 1200))
        start += share
    assert [text.get_text().strip() for text in ax.texts if text.get_gid() == "total"] == ["$1,000", "$1,200"]
    assert [text.get_text() for text in ax.get_yticklabels()] == ["none", "sidecar"]
    assert ax.get_xlabel() == "cost a month (USD)"
    assert [text.get_text() for text in ax.get_legend().get_texts()] == list(shares)


def test_the_waterfall_leads_from_one_bill_to_the_other() -> None:
    ax = charts.cost_waterfall(found())
    assert [text.get_text() for text in ax.get_yticklabels()] == ["none", "proxies, cores", "egress", "sidecar"]
    (more,), (less,) = bars(ax, "proxies, cores"), bars(ax, "egress")
    assert (more.get_x(), more.get_width()) == (1000.0, 300.0) and more.get_facecolor() != less.get_facecolor()
    assert (less.get_x() + less.get_width(), bars(ax, "sidecar")[0].get_width()) == (1200.0, 1200.0)
    changes = [text.get_text().strip() for text in ax.texts if text.get_gid() == "change"]
    assert changes == ["+$300", "\N{MINUS SIGN}$100"]
    assert [text.get_text() for text in ax.texts if text.get_gid() == "total"] == ["$1,000", "$1,200"]


def test_the_front_leaves_out_what_another_beats() -> None:
    better = charts.cost_objective(found())
    (front,) = [line for line in better.lines if line.get_gid() == "front"]
    assert list(front.get_xdata()) == [1000.0, 1200.0] and list(front.get_ydata()) == [0.9, 0.7]
    beaten = charts.cost_objective(found(sidecar=known(0.95, 0.01)))
    assert not [line for line in beaten.lines if line.get_gid() == "front"]
    assert beaten.get_ylabel() == "latency as a share of its objective (1: just kept)"
    assert [line for line in beaten.lines if line.get_gid() == "objective"]


def test_failed_requests_are_infinitely_slow() -> None:
    ax = charts.cost_objective(found(sidecar=Estimate(float("inf"), None, None, 8, "")))
    assert any("requests fail" in text.get_text() for text in ax.get_legend().get_texts())


@pytest.mark.parametrize("vision", VISION)
def test_colours_differ_for_everybody(vision: str) -> None:
    assert tuple(GROUP_COLOURS) == tuple(GROUPS)
    assert min(distance(a, b, vision) for a, b in combinations(GROUP_COLOURS.values(), 2)) > NOTICEABLE
    assert distance(MORE, LESS, vision) > 6 * NOTICEABLE


def test_many_tenants_have_patterns_and_then_are_one() -> None:
    many = found()
    for one in many.costs.values():
        one.tenants = {f"t{number:02}": Tenant(known(100.0 - number)) for number in range(20)}
    ax = charts.cost_stacked(many)
    names = [text.get_text() for text in ax.get_legend().get_texts()]
    assert len(names) == 3 * len(SERIES) and names[-1] == "others"
    looks = {(bars(ax, name)[0].get_facecolor(), bars(ax, name)[0].get_hatch()) for name in names}
    assert len(looks) == len(names)


def test_mistakes() -> None:
    with pytest.raises(UsageError, match="write tenant or item"):
        charts.cost_stacked(found(), by="service")
    alone = found()
    del alone.costs["none"]
    with pytest.raises(UsageError, match=r"ask for both, e\.g\. none,sidecar"):
        charts.cost_waterfall(alone)
    with pytest.raises(UsageError, match="give two"):
        charts.cost_objective(alone)
    with pytest.raises(UsageError, match="there is no cost of ambient; there is that of none, sidecar"):
        charts.cost_waterfall(found(), architecture="ambient")


def broad() -> Any:
    """Large amounts with long intervals, of which that of none is the highest; a tenant that pays next to nothing."""
    wide = found(none=known(0.9, 0.05), sidecar=Estimate(0.7, None, None, 2, "too few"))
    none, sidecar = wide.costs.values()
    none.money, sidecar.money = known(123_456.7, 9_000.0), known(125_000.0, 7_000.0)
    sidecar.tax.items = {"proxies, cores": known(2_543.3, 100.0), "egress": known(-1_000.0, 900.0)}
    for one, total in ((none, 123_456.7), (sidecar, 125_000.0)):
        shares = {"mail": 0.4, "maps": 0.598, "rare": 0.002}
        one.tenants = {name: Tenant(known(share * total, 2_000.0)) for name, share in shares.items()}
        one.groups = {"applications": known(0.7 * total), "proxies": known(0.1 * total), "traffic": known(0.2 * total)}
    return wide


DRAWN = {
    "cost-stacked": lambda **look: charts.cost_stacked(broad(), **look),
    "cost-items": lambda **look: charts.cost_stacked(broad(), by="item", **look),
    "cost-waterfall": lambda **look: charts.cost_waterfall(broad(), **look),
    "cost-objective": lambda **look: charts.cost_objective(broad(), **look),
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


@pytest.mark.parametrize("name", DRAWN)
def test_bars_intervals_and_amounts_are_within_the_axes(name: str) -> None:
    ax = DRAWN[name]()
    root(ax).draw_without_rendering()
    low, high = ax.get_xlim()
    for container in ax.containers:
        if isinstance(container, ErrorbarContainer):
            for bar in container.lines[2]:
                ends = [float(x) for segment in bar.get_segments() for x in segment[:, 0]]
                assert low <= min(ends) and max(ends) <= high
    place = ax.get_window_extent()
    amounts = [text for text in ax.texts if text.get_gid() in ("total", "change")]
    assert all(text.get_window_extent().x1 <= place.x1 for text in amounts)
    assert amounts or name == "cost-objective"


def noted(ax: Any) -> str:
    return " ".join(" ".join(text.get_text().split()) for text in ax.texts)


def test_what_is_too_small_to_be_seen_is_named() -> None:
    assert "too small to be seen: rare ($250)" in noted(charts.cost_stacked(broad()))
    assert "too small" not in noted(charts.cost_stacked(found()))


def test_what_has_no_interval_and_an_axis_that_does_not_begin_at_0_are_told() -> None:
    ax = charts.cost_objective(broad())
    assert "latency without an interval (too few requests or replications): sidecar" in noted(ax)
    assert ax.get_xlabel() == "cost a month (USD), axis does not begin at 0"
    assert "without an interval" not in noted(charts.cost_objective(found()))
    assert all(line.get_zorder() < 2 for line in ax.lines if line.get_gid() in ("front", "objective"))
