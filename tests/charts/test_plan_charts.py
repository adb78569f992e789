"""Charts of plans: bars, points and cells are the numbers of the plan, and everything can be read."""

from __future__ import annotations

import json
import math
from dataclasses import replace
from itertools import combinations
from pathlib import Path
from typing import Any

import pytest
from matplotlib.colors import to_hex
from matplotlib.testing.compare import compare_images
from plan_scenes import LIMIT_S, NEEDED, cpu, deployment, grown, planned, probe, steps
from reading import defects
from test_chart_colours import NOTICEABLE, VISION, distance
from test_chart_pictures import DPI, GOLDEN, TOLERANCE

from meshsim import charts
from meshsim.charts.cost_waterfall import LESS, MORE
from meshsim.charts.plan_feasible import CELL_COLOURS
from meshsim.charts.style import mark_of, root
from meshsim.errors import UsageError
from meshsim.planning.growing import grown as grow
from meshsim.planning.result import Growing, Infeasible, Step
from meshsim.results.intervals import Estimate

KINDS = ("tornado", "headroom", "pareto", "load", "feasible")
LONG = "{mesh: sidecar, include: [cart, catalogue], keep: everything}"


def drawn(kind: str, found: Any = None, **words: Any) -> Any:
    return getattr(found or planned(), f"plot_{kind}")(**words)


def noted(ax: Any) -> str:
    return " ".join(" ".join(text.get_text().split()) for one in root(ax).axes for text in one.texts)


def labels(ax: Any) -> list[str]:
    return [" ".join(text.get_text().split()) for text in ax.get_legend().get_texts()]


def bar(ax: Any, gid: str) -> Any:
    (found,) = [patch for patch in ax.patches if patch.get_gid() == gid]
    return found


def marked(ax: Any, gid: str) -> Any:
    """Lines of this name."""
    return [line for line in ax.lines if line.get_gid() == gid]


@pytest.mark.parametrize("theme", ["light", "dark"])
@pytest.mark.parametrize("kind", KINDS)
def test_it_looks_as_before(kind: str, theme: str, tmp_path: Path, request: pytest.FixtureRequest) -> None:
    golden, now = GOLDEN / f"plan-{kind}-{theme}.png", tmp_path / "now.png"
    update = request.config.getoption("--update-golden")
    ax = drawn(kind, theme=theme)
    root(ax).savefig(golden if update else now, dpi=DPI)
    if not update:
        assert compare_images(str(golden), str(now), TOLERANCE) is None
    assert theme == "dark" or defects(ax) == []


@pytest.mark.parametrize("kind", KINDS)
def test_it_fits_a_page(kind: str) -> None:
    assert defects(drawn(kind, width_cm=16.0, height_cm=12.0)) == []


def large() -> Any:
    """Many services with long names, under an architecture with a long name."""
    names = [f"a-service-with-a-long-name-{number:02}" for number in range(20)]
    needed = {name: 2 + number for number, name in enumerate(names)}

    def pair(number: int, name: str) -> Step:
        less, more = ({**needed, name: needed[name] + change} for change in (-1, 1))
        fuller = cpu("a-service-with-a-long-name-07", 0.85)
        return Step(name, probe(less, 0.19 + 0.002 * number, fuller), probe(more, 0.19 - 0.001 * number))

    looked = [probe({**needed, names[-1]: 20 + n % 40, names[-2]: 3 + n * 7 % 53}, 0.1 + 0.004 * n) for n in range(60)]
    one = deployment(
        1e5,
        0.19,
        needed=needed,
        bought={name: count + 1 for name, count in needed.items()},
        probe=probe(needed, 0.19),
        steps=tuple(pair(number, name) for number, name in enumerate(names)),
        looked=(probe(needed, 0.19), *looked),
        prices=dict.fromkeys(names, 0.1),
    )
    return planned(deployments={LONG: one}, architectures=(LONG, "gateway"))


@pytest.mark.parametrize("kind", ["tornado", "headroom"])
def test_large_plans_can_be_read(kind: str) -> None:
    ax = drawn(kind, large())
    assert defects(ax) == []
    if kind == "tornado":
        assert len(ax.get_yticklabels()) == 16 and "4 services that change it less are not drawn" in noted(ax)


# -- tornado ---------------------------------------------------------------------------------------------------


def test_the_longest_pair_is_first_and_bars_begin_at_the_plan() -> None:
    ax = drawn("tornado")
    rows = [label.get_text() for label in ax.get_yticklabels()]
    assert rows == ["payments (2)", "cart (4)", "catalogue (3)", "front-end (5)"]
    less, more = bar(ax, "cart less"), bar(ax, "cart more")
    assert (less.get_x(), less.get_width()) == pytest.approx((190.0, 220.0))
    assert more.get_x() + more.get_width() == pytest.approx(172.0)
    assert (to_hex(less.get_facecolor()), to_hex(more.get_facecolor())) == (MORE.lower(), LESS.lower())
    assert less.get_hatch() and not more.get_hatch()
    assert marked(ax, "limit")[0].get_xdata()[0] == LIMIT_S * 1000
    assert ax.get_xlabel() == "p99 latency of tenant shop (ms), axis does not begin at 0"
    assert {"plan 190 ms", "limit 250 ms"} <= set(labels(ax))


def test_what_else_breaks_and_what_cannot_be_drawn_are_told() -> None:
    ax = drawn("tornado")
    texts = {text.get_gid(): text.get_text() for text in ax.texts}
    assert texts["text front-end less"] == "205 ms; front-end: CPU 86.0 %"
    assert texts["text payments less"] == "requests pile up"
    assert texts["text payments more"] == "no more are allowed"
    assert len(marked(ax, "beyond")) == 1


def test_bounds_are_drawn_and_are_within_the_axis() -> None:
    ax = drawn("tornado")
    ends = [
        float(x)
        for one in ax.containers
        if hasattr(one, "lines")
        for s in one.lines[2][0].get_segments()
        for x in s[:, 0]
    ]
    assert len(ends) == 2 * 6  # but for what piles up, and for what was not simulated
    assert min(ends) >= ax.get_xlim()[0] and max(ends) <= ax.get_xlim()[1]
    assert pytest.approx(410 * 0.95) in ends and pytest.approx(410 * 1.07) in ends


def test_of_an_availability_what_fails_is_drawn() -> None:
    failing = replace(planned()["none"], probe=probe(NEEDED, 0.1, available=0.9995))
    ax = drawn("tornado", planned(deployments={"none": failing}))
    assert ax.get_xlabel() == "failing requests of tenant shop (%)"
    assert {"plan 0.0500 %", "limit 0.100 %"} <= set(labels(ax))
    assert bar(ax, "cart less").get_width() == pytest.approx(0.02 - 0.05)


# -- headroom --------------------------------------------------------------------------------------------------


def test_bars_end_where_all_was_kept() -> None:
    ax = drawn("headroom")
    assert [label.get_text() for label in ax.get_yticklabels()] == ["none", "ambient", "sidecar", "gateway"]
    lost, there = bar(ax, "none lost"), bar(ax, "none all")
    assert (lost.get_x(), lost.get_x() + lost.get_width()) == pytest.approx((1.0, 1.28))
    assert there.get_x() + there.get_width() == pytest.approx(1.6875)
    assert to_hex(lost.get_facecolor()) == mark_of("none").colour
    texts = {text.get_gid(): " ".join(text.get_text().split()) for text in ax.texts}
    assert texts["none lost text"] == "at 1.31 ×: shop: p99 248 ms, limit 250 ms, not surely kept"
    assert texts["none all text"] == "at 1.75 ×: front-end: CPU 81.0 %, limit 80.0 %"
    assert texts["ambient all text"] == "nothing breaks up to 4 ×, the largest load that was looked at"
    assert texts["gateway text"].startswith("no plan")


def test_without_a_loss_there_is_one_bar() -> None:
    same = deployment(100.0, 0.19, bought=NEEDED)
    ax = drawn("headroom", planned(deployments={"none": same}, infeasible={}))
    assert [patch.get_gid() for patch in ax.patches] == ["none lost"] and len(labels(ax)) == 1
    assert len(labels(drawn("load", planned(deployments={"none": same}, infeasible={})))) == 1


# -- Pareto ----------------------------------------------------------------------------------------------------


def test_points_are_bills_and_the_front_leaves_out_what_another_beats() -> None:
    ax = drawn("pareto")
    (front,) = marked(ax, "front")
    assert list(front.get_xdata()) == [1834.5, 2105.0] and list(front.get_ydata()) == [190.0, 171.0]

    assert "sidecar" in labels(ax) and "gateway (no plan)" in labels(ax)
    (crossed,) = marked(ax, "gateway no plan")
    assert crossed.get_xdata()[0] > 0.95 and crossed.get_ydata()[0] == pytest.approx(330.0)
    assert ax.get_ylabel() == "p99 latency of tenant shop (ms)"
    assert ax.get_xlabel() == "cost a month (USD), axis does not begin at 0"


def test_different_objectives_are_shares_of_their_limits() -> None:
    found = planned()
    failing = replace(found["sidecar"], probe=probe(NEEDED, 0.1, available=0.9995))
    largest = probe(NEEDED, math.inf, unstable="requests pile up by 3 per second")
    nothing = {"gateway": Infeasible(largest, "", (), 3, 9)}
    ax = drawn("pareto", planned(deployments={**found.deployments, "sidecar": failing}, infeasible=nothing))
    assert ax.get_ylabel() == "tightest objective, as a share of its limit (1: just kept)"
    assert {"none shop: p99", "sidecar shop: failing"} <= set(labels(ax))
    assert list(marked(ax, "front")[0].get_ydata()) == pytest.approx([0.19 / LIMIT_S, 0.171 / LIMIT_S, 0.5])
    assert marked(ax, "gateway no plan")[0].get_ydata()[0] == pytest.approx(0.97 * ax.get_ylim()[1])


# -- load ------------------------------------------------------------------------------------------------------


def test_lines_are_what_was_looked_at_and_bands_the_knee() -> None:
    ax = drawn("load")
    top, bottom = root(ax).axes
    (lost,) = [line for line in marked(top, "1 of every service lost") if len(line.get_xdata()) > 1]
    looked = planned()["none"].growing.looked
    assert list(lost.get_xdata()) == [one.factor for one in looked]
    assert list(lost.get_ydata()) == pytest.approx(
        [1000 * one.tightest.estimate.value for one in looked[:-1]] + [1900.0]
    )
    band = bar(bottom, "knee 1 of every service lost")
    assert (band.get_x(), band.get_x() + band.get_width()) == pytest.approx((1.28, 1.3125))
    assert bar(top, "knee all replicas there").get_hatch()
    (goodput,) = [line for line in marked(bottom, "1 of every service lost") if len(line.get_xdata()) > 1]
    assert goodput.get_ydata()[-1] == pytest.approx(412 * 1.5 * 0.92)
    assert "Hollow: requests pile up" in noted(ax) and "logarithmic" in top.get_ylabel()
    assert labels(top)[0].startswith("1 of every service lost kept up to 1.28 ×; at 1.31 ×: shop: p99 248 ms")


def test_infinite_latencies_are_crossed_at_the_top() -> None:
    looked = (grown(1.0, 0.19), grown(1.1, math.inf))
    one = deployment(100.0, 0.19, growing=Growing(1.0, 1.1, (), looked), growing_full=None)
    ax = drawn("load", planned(deployments={"none": one}))
    assert [list(line.get_xdata()) for line in marked(ax, "infinite")] == [[1.1]]
    assert "it is infinite" in noted(ax) and "requests pile up" in labels(ax)[0]


# -- feasible region -------------------------------------------------------------------------------------------


def test_cells_are_what_was_simulated_of_the_dearest_two() -> None:
    ax = drawn("feasible")
    assert (ax.get_xlabel(), ax.get_ylabel()) == ("front-end (replicas)", "cart (replicas)")
    cells = {patch.get_gid() for patch in ax.patches if patch.get_gid() and patch.get_gid() != "plan"}
    assert cells == {
        *("5 4 met", "6 4 met", "5 5 met", "6 5 met", "7 6 met"),
        *("4 5 undecided", "6 3 undecided"),
        *("4 4 missed", "5 3 missed", "4 3 missed", "5 2 missed"),
    }
    plan = bar(ax, "plan")
    assert (plan.get_x(), plan.get_y()) == (4.5, 3.5)
    hatched = {(patch.get_x() + 0.5, patch.get_y() + 0.5) for patch in ax.patches if patch.get_hatch()}
    assert hatched == {(7, 6), (6, 5), (4, 3), (6, 3), (5, 2)}


def test_one_service_has_a_row() -> None:
    one = deployment(
        9.0,
        0.19,
        needed={"web": 3},
        bought={"web": 4},
        probe=probe({"web": 3}, 0.19),
        looked=tuple(probe({"web": n}, p99_s) for n, p99_s in ((2, 0.4), (3, 0.19), (4, 0.1))),
        prices={"web": 1.0},
    )
    ax = drawn("feasible", planned(deployments={"none": one}))
    assert len([patch for patch in ax.patches if patch.get_gid()]) == 4 and not ax.get_yticks().size
    assert "other replicas" not in " ".join(labels(ax))


@pytest.mark.parametrize("vision", VISION)
def test_judgements_differ_for_everybody(vision: str) -> None:
    assert min(distance(a, b, vision) for a, b in combinations(CELL_COLOURS.values(), 2)) > 6 * NOTICEABLE


# -- all of them -----------------------------------------------------------------------------------------------


def test_estimates_have_no_bounds() -> None:
    assert "estimated, approximate: no bounds" in noted(drawn("tornado", planned(engine="analytic")))
    assert "estimated" in noted(drawn("feasible", planned(engine="analytic")))


def test_they_draw_into_given_axes() -> None:
    import matplotlib.pyplot as plt

    figure, axes = plt.subplots(1, 2, figsize=(16, 5), layout="constrained")
    assert root(planned().plot_headroom(axes[0])) is root(planned().plot_load(axes[1])) is figure


def test_mistakes() -> None:
    found, none = planned(), planned(deployments={})
    for kind in ("tornado", "load", "feasible"):
        with pytest.raises(UsageError, match="there is no plan of gateway; there is one of none, sidecar, ambient"):
            drawn(kind, found, architecture="gateway")
        with pytest.raises(UsageError, match="there is no plan to draw: nothing holds under gateway"):
            drawn(kind, none)
    with pytest.raises(UsageError, match="plan two"):
        charts.plan_pareto(planned(architectures=("none",)))
    small = planned(deployments={"none": deployment(1.0, 0.1, growing=None, growing_full=None, looked=())})
    for kind in ("headroom", "load"):
        with pytest.raises(UsageError, match="plan with growth"):
            drawn(kind, small)
    with pytest.raises(UsageError, match="does not have what was looked at"):
        drawn("feasible", small)
    with pytest.raises(UsageError, match="there is no plan"):
        drawn("headroom", none)


# -- what plans keep for them ----------------------------------------------------------------------------------


def test_growing_keeps_all_that_was_looked_at() -> None:
    found = grow(lambda factor: probe(NEEDED, 0.19 * factor), probe(NEEDED, 0.19))
    factors = [one.factor for one in found.looked]
    assert factors == sorted(set(factors)) and factors[0] == 1.0
    judgements = {one.factor: one.judgement for one in found.looked}
    assert judgements[found.held] == "met" and judgements[found.broke] != "met"
    assert all(one.tightest.quantity == "p99" and one.goodput_per_s.value == 410.0 for one in found.looked)


def test_json_has_what_was_looked_at() -> None:
    one = json.loads(json.dumps(planned().to_dict()))["architectures"]["none"]
    assert len(one["looked"]) == len(planned()["none"].looked)
    assert {"counts", "judgement", "requests", "broken"} <= set(one["looked"][0])
    loads = one["growth"]["with_loss"]["looked"]
    assert loads[0]["factor"] == 1.0 and loads[0]["tightest"]["quantity"] == "p99"
    assert loads[0]["goodput_per_s"]["low"] < loads[0]["goodput_per_s"]["value"] < loads[0]["offered_per_s"] + 1
    assert one["prices_per_hour"]["cart"] == 0.10


def test_light_probes_judge_alike() -> None:
    for step in steps():
        for one in filter(None, (step.less, step.more)):
            heavy = replace(one, kept=(*one.kept, cpu("cart", 0.5)))
            assert (heavy.light.judgement, heavy.light.broken) == (heavy.judgement, heavy.broken)
            assert heavy.light.kept == one.kept and not heavy.light.loads


def test_bills_within_each_other_s_bounds_are_not_told_apart() -> None:
    """The cheapest by its point is first; one whose lower bound is its upper bound is not surely dearer."""
    found = planned()
    cheap, other = list(found.deployments)[:2]
    bills = {cheap: Estimate(100.0, 95.0, 105.0, 4, ""), other: Estimate(110.0, 105.0, 115.0, 4, "")}
    changed = {
        name: replace(one, money=bills.get(name, Estimate(900.0, 890.0, 910.0, 4, "")))
        for name, one in found.deployments.items()
    }
    told = replace(found, deployments=changed)
    assert found.best == cheap and told.cheapest == (cheap, other)
    assert f"verdict: {cheap} is cheapest (not told apart from {other})" in told.summary()
    apart = {**changed, other: replace(changed[other], money=Estimate(110.0, 105.1, 115.0, 4, ""))}
    assert replace(found, deployments=apart).cheapest == (cheap,)
