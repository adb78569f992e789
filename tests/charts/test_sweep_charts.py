"""Numbers read back from the charts of sweeps are those of the rows, or of a closed form."""

from __future__ import annotations

import numpy as np
import pandas as pd
import pytest
from chart_scenes import (
    LN_100,
    RATE,
    drawn_sweep,
    grid_sweep,
    load_sweep,
)
from matplotlib.colors import to_hex
from matplotlib.patches import Rectangle
from reading import defects, line

import meshsim as ms
from meshsim import charts
from meshsim.charts.style import root

MS = 1e3


# -- load ------------------------------------------------------------------------------------------------------


def test_points_and_intervals_of_a_sweep() -> None:
    frame = load_sweep()
    ax = charts.load_curve(frame, objective_s=0.25)
    for name in ("none", "sidecar"):
        rows = frame[frame["architecture"] == name]
        assert line(ax, name).get_ydata() == pytest.approx(rows["p99_s"] * MS)
        bars = [b for b in ax.containers if b.lines[0].get_gid() == name]
        for (_, row), bar in zip(rows.iterrows(), bars, strict=True):
            segment = bar.lines[2][0].get_segments()[0]
            assert segment[:, 1] == pytest.approx([row["p99_s_low"] * MS, row["p99_s_high"] * MS])
            hollow = to_hex(bar.lines[0].get_markerfacecolor()) == "#ffffff"
            assert hollow == (row["verdict"] == "unstable")
    (objective,) = [one for one in ax.get_lines() if one.get_gid() == "objective"]
    assert objective.get_ydata() == [250.0, 250.0]
    goodput = root(ax).axes[1]
    assert line(goodput, "none").get_ydata() == pytest.approx(frame["goodput_per_s"][:8])


def test_the_knee_of_mm1_is_where_theory_has_it() -> None:
    """p99 is ln 100 / (rate - load), so it doubles where the idle share has halved: at (rate + lowest) / 2."""
    loads = tuple(np.arange(20, 99) / 100)
    frame = load_sweep(loads)
    for name, rate in (("none", 1.0), ("sidecar", 0.9)):
        exact = (rate + loads[0]) / 2
        found = charts.knee(frame[frame["architecture"] == name])
        assert found == pytest.approx(max(load for load in loads if load < exact - 1e-9))


def test_knees_at_the_ends() -> None:
    frame = load_sweep((0.2, 0.3))
    none = frame[frame["architecture"] == "none"]
    assert charts.knee(none) == 0.3
    assert charts.knee(none.assign(verdict="unstable")) is None
    assert charts.knee(none.assign(p99_s=np.nan)) is None
    texts = [text.get_text() for text in charts.load_curve(frame).get_legend().get_texts()]
    assert texts == ["none\nno knee up to 0.3", "sidecar\nno knee up to 0.3"]


def test_a_lucky_point_beyond_the_knee_does_not_move_it() -> None:
    frame = load_sweep()
    none = frame[frame["architecture"] == "none"].copy()
    none.loc[none["run.load"] == 0.9, "p99_s"] = 0.05
    assert charts.knee(none) == 0.55


def test_knees_are_as_sure_as_their_intervals() -> None:
    """Intervals reach from 0.9 to 1.2 times the value: surely below 2 times the base, or surely above it."""
    frame = load_sweep(tuple(np.arange(20, 99) / 100))
    none = frame[frame["architecture"] == "none"]
    p99 = LN_100 / (RATE - RATE * none["run.load"])
    base = p99.iloc[0]
    sure = none["run.load"][1.2 * p99 < 2 * 0.9 * base].max()
    possible = none["run.load"][0.9 * p99 < 2 * 1.2 * base].max()
    assert charts.knee_range(none) == (sure, possible)
    assert sure < charts.knee(none) < possible
    exact = none.assign(p99_s_low=none["p99_s"], p99_s_high=none["p99_s"])
    assert charts.knee_range(exact) == (charts.knee(none),) * 2
    unknown = none.assign(p99_s_low=np.nan, p99_s_high=np.nan)
    assert charts.knee_range(unknown) == (0.2, 0.98)
    assert charts.knee_range(none.assign(verdict="unstable")) is None
    texts = [text.get_text() for text in charts.load_curve(unknown).get_legend().get_texts()]
    assert [text.replace("\n", " ") for text in texts] == ["none knee from 0.2 on, or none: undecided"]


def test_failures_are_beyond_the_knee_and_crossed() -> None:
    frame = load_sweep().assign(availability=1.0)
    frame.loc[frame["run.load"] >= 0.5, "availability"] = 0.15
    assert charts.knee(frame[:8]) == 0.4
    assert charts.knee_range(frame[:8]) == (0.4, 0.4)
    ax = charts.load_curve(frame, objective_s=5.0)
    crosses = sorted(one.get_xdata()[0] for one in ax.get_lines() if one.get_gid() == "failed")
    assert crosses == sorted([0.5, 0.55, 0.65, 0.8, 0.9, 1.1] * 2)
    assert any("misses every objective" in text.get_text().replace("\n", " ") for text in root(ax).axes[1].texts)


def test_points_without_an_interval_are_hollow() -> None:
    frame = load_sweep()
    frame.loc[0, ["p99_s_low", "p99_s_high"]] = np.nan
    ax = charts.load_curve(frame)
    faces = {
        (b.lines[0].get_gid(), b.lines[0].get_xdata()[0]): to_hex(b.lines[0].get_markerfacecolor())
        for b in ax.containers
    }
    assert faces["none", 0.2] == "#ffffff" != faces["none", 0.4]


@pytest.mark.parametrize("other", ["services.stock.replicas", "network.same_zone", "settings"])
def test_a_line_joins_points_of_one_system(other: str) -> None:
    frame = load_sweep().assign(**{other: ["1ms", "5ms", "2ms", "3ms"] * 4})
    with pytest.raises(ms.UsageError, match=f"points of none differ in {other} too"):
        charts.load_curve(frame)


@pytest.mark.parametrize("values", [["1ms", "2ms", "2ms", "10ms"], ["500us", "1ms", "2ms", "3ms"], [8, 4, 2, 1]])
def test_what_follows_the_load_may_change_along_a_line(values: list[object]) -> None:
    frame = load_sweep((0.2, 0.4, 0.6, 0.8)).assign(**{"network.same_zone": values * 2})
    assert charts.load_curve(frame) is not None


def test_runs_of_a_line_may_be_repeated_more_or_less_often() -> None:
    """As `until` does."""
    assert charts.load_curve(load_sweep().assign(replications=[8, 64, 8, 16] * 4)) is not None


def test_a_scatter_is_of_one_sweep() -> None:
    frame = pd.concat([drawn_sweep().assign(settings=text) for text in ("", "services.a.cpu=2")])
    with pytest.raises(ms.UsageError, match="of several sweeps: they differ in settings; keep one value"):
        charts.sweep_scatter(frame)


def test_the_message_says_in_what_rows_differ() -> None:
    frame = pd.concat([load_sweep().assign(settings="a=1", spec="x"), load_sweep().assign(settings="b=2", spec="y")])
    wanted = "they differ in settings, spec; keep one value, e.g. --where 'settings=a=1'"
    with pytest.raises(ms.UsageError, match=wanted):
        charts.load_curve(frame)
    with pytest.raises(ms.UsageError, match="the same point is there twice"):
        charts.load_curve(pd.concat([load_sweep(), load_sweep()]))


# -- scatter ---------------------------------------------------------------------------------------------------


def test_every_point_is_in_every_panel() -> None:
    frame = drawn_sweep()
    panels = [panel for panel in root(charts.sweep_scatter(frame)).axes if panel.get_visible()]
    labels = [panel.get_xlabel().replace("\n", " ") for panel in panels]
    assert [label.split()[0] for label in labels] == ["load", "services.stock.replicas", "network.same_zone"]
    assert labels[2] == "network.same_zone (ms)"
    for panel, across in zip(
        panels,
        (frame["run.load"], frame["services.stock.replicas"], frame["network.same_zone"].str[:-2].astype(float)),
        strict=True,
    ):
        for name in ("none", "sidecar"):
            mine = frame["architecture"] == name
            drawn = sorted(
                (float(b.lines[0].get_xdata()[0]), float(b.lines[0].get_ydata()[0]))
                for b in panel.containers
                if b.lines[0].get_gid() == name
            )
            expected = sorted(zip(across[mine], frame["p99_s"][mine] * MS, strict=True))
            assert np.array(drawn) == pytest.approx(np.array(expected))
        crosses = [one for one in panel.get_lines() if one.get_gid() == "failed"]
        assert len(crosses) == 2


def test_axes_of_a_scatter_may_be_words_and_chosen() -> None:
    frame = drawn_sweep()
    frame["policies.all.load_balancer"] = ["random", "round_robin"] * 12
    ax = charts.sweep_scatter(frame, axes=["policies.all.load_balancer"])
    assert [label.get_text() for label in ax.get_xticklabels()] == ["random", "round_robin"]
    with pytest.raises(ms.UsageError, match="no axis of the sweep has several values"):
        charts.sweep_scatter(frame.iloc[:1])
    with pytest.raises(ms.UsageError, match=r"did you mean 'run\.load'"):
        charts.sweep_scatter(frame, axes=["run.laod"])


# -- heatmap ---------------------------------------------------------------------------------------------------


def test_cells_hold_their_numbers() -> None:
    frame = grid_sweep()
    ax = charts.sweep_heatmap(frame, "run.load", "services.stock.replicas", "p99_s")
    panels = [panel for panel in root(ax).axes if panel.get_title(loc="left")]
    assert [panel.get_title(loc="left") for panel in panels] == ["none", "gateway", "sidecar"]
    norms = {id(panel.collections[0].norm) for panel in panels}
    assert len(norms) == 1
    for panel in panels:
        rows = frame[frame["architecture"] == panel.get_title(loc="left")]
        grid = panel.collections[0].get_array()
        hatched = {patch.get_xy() for patch in panel.patches if isinstance(patch, Rectangle) and patch.get_hatch()}
        expected = set()
        for _, row in rows.iterrows():
            at = ([0.5, 0.9, 1.4].index(row["run.load"]), int(row["services.stock.replicas"]) - 1)
            assert grid[at[1], at[0]] == pytest.approx(row["p99_s"] * MS)
            (text,) = [t for t in panel.texts if t.get_position() == (at[0] + 0.5, at[1] + 0.5)]
            value, interval = text.get_text().split("\n")
            low, high = interval.split("–")
            assert float(value) == pytest.approx(row["p99_s"] * MS, rel=0.006)
            assert float(low) == pytest.approx(0.9 * row["p99_s"] * MS, rel=0.006)
            assert float(high) == pytest.approx(1.2 * row["p99_s"] * MS, rel=0.006)
            if row["verdict"] == "unstable":
                expected.add(at)
        assert hatched == expected
    stable = frame[frame["verdict"] == "ok"]["p99_s"] * MS
    assert (panels[0].collections[0].norm.vmin, panels[0].collections[0].norm.vmax) == (
        pytest.approx(stable.min()),
        pytest.approx(stable.max()),
    )


@pytest.mark.parametrize(
    ("value", "low", "high", "text"),
    [
        (0.1, 0.09, 0.112, "100\n± 12"),
        (0.1, 0.09, 0.13, "100\n90.0–130"),
        (0.1, np.nan, np.nan, "100\n± ?"),
        (0.1, 0.09, np.inf, "100\n90.0–∞"),
        (np.nan, np.nan, np.nan, "none"),
    ],
)
def test_cells_say_how_sure_they_are(value: float, low: float, high: float, text: str) -> None:
    frame = grid_sweep()
    frame.loc[0, ["p99_s", "p99_s_low", "p99_s_high"]] = value, low, high
    ax = charts.sweep_heatmap(frame, "run.load", "services.stock.replicas", "p99_s")
    assert next(t.get_text() for t in ax.texts if t.get_position() == (0.5, 0.5)) == text


def test_cells_tell_three_nines_from_four() -> None:
    frame = grid_sweep().assign(availability=0.99963, availability_low=0.9993, availability_high=0.9999)
    ax = charts.sweep_heatmap(frame, "run.load", "services.stock.replicas", "availability")
    assert ax.texts[0].get_text() == "99.963\n± 0.033"


def test_a_quantile_of_few_answers_is_infinite() -> None:
    """p99 needs 99 % of the requests to be answered."""
    frame = grid_sweep().assign(availability=1.0)
    frame.loc[0, "availability"] = 0.15
    frame.loc[1, "availability"] = 0.99
    ax = charts.sweep_heatmap(frame, "run.load", "services.stock.replicas", "p99_s")
    texts = {text.get_position(): text.get_text() for text in ax.texts}
    assert texts[0.5, 0.5] == "∞\n(92.1)"
    assert not texts[1.5, 0.5].startswith("∞")
    grid = np.ma.masked_invalid(ax.collections[0].get_array())
    assert np.ma.count_masked(grid) == 1
    mean = charts.sweep_heatmap(
        frame.rename(columns=lambda name: name.replace("p99", "mean")), "run.load", "services.stock.replicas", "mean_s"
    )
    assert not any(text.get_text().startswith("∞") for text in mean.texts)


def test_the_points_of_a_hypercube_are_no_heatmap() -> None:
    with pytest.raises(ms.UsageError, match=r"12 of the 48 combinations of run\.load and services"):
        charts.sweep_heatmap(drawn_sweep(), "run.load", "services.stock.replicas", "p99_s")


def test_combinations_that_are_missing_stay_empty() -> None:
    frame = grid_sweep().iloc[1:]
    ax = charts.sweep_heatmap(frame, "run.load", "services.stock.replicas", "p99_s")
    assert np.ma.count_masked(np.ma.masked_invalid(ax.collections[0].get_array())) == 1
    assert len(ax.texts) == 8


def test_axes_may_be_words() -> None:
    frame = grid_sweep()
    frame["network.same_zone"] = frame["run.load"].map({0.5: "100us", 0.9: "1ms", 1.4: "10ms"})
    ax = charts.sweep_heatmap(frame, "network.same_zone", "services.stock.replicas", "p99_s")
    bottom = root(ax).axes[2]
    assert [label.get_text() for label in bottom.get_xticklabels()] == ["100us", "1ms", "10ms"]


# -- mistakes --------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("frame", "message"),
    [
        (load_sweep().drop(columns="p99_s_low"), "no column 'p99_s_low'"),
        (load_sweep().rename(columns={"run.load": "run.loads"}), "did you mean 'run.loads'"),
        (
            load_sweep().rename(columns={"run.load": "services.stock.replicas"}),
            "no column 'run.load': its axes are services.stock.replicas; sweep it, as with meshsim sweep --axis ",
        ),
        (load_sweep().iloc[:0], "has no rows"),
        (pd.concat([load_sweep(), load_sweep()]), "several rows with architecture=none, run.load=0.2"),
        (load_sweep().assign(p99_s=np.nan), "'p99_s' of the sweep has no number"),
        (load_sweep().assign(p99_s="fast"), "'p99_s' of the sweep must hold numbers, but 'fast'"),
        (load_sweep().assign(verdict="ok").drop(columns="verdict"), "no column 'verdict'"),
    ],
)
def test_sweeps_that_cannot_be_drawn(frame: pd.DataFrame, message: str) -> None:
    with pytest.raises(ms.UsageError, match=message):
        charts.load_curve(frame)


# -- titles ----------------------------------------------------------------------------------------------------


def test_titles_name_the_topology_where_there_is_one() -> None:
    load, grid = load_sweep(), grid_sweep()
    assert charts.load_curve(load.assign(topology="shop")).get_title(loc="left").startswith("shop: p99 latency and")
    assert charts.load_curve(load).get_title(loc="left").startswith("p99 latency and")
    two = ("run.load", "services.stock.replicas", "p99_s")
    heatmap = root(charts.sweep_heatmap(grid.assign(topology="shop"), *two))
    assert heatmap.get_suptitle() == "shop: p99 latency (ms), 95 % intervals"
    scatter = root(charts.sweep_scatter(grid.assign(topology="shop")))
    assert scatter.get_suptitle() == "shop: p99 latency (ms) against each axis of the sweep"
    assert "bars: 95 %\nintervals" in [
        text.get_text() for ax in scatter.axes if ax.get_legend() for text in ax.get_legend().get_texts()
    ]
    one = root(charts.sweep_scatter(grid.assign(topology="shop"), axes=["run.load"]))
    assert one.get_suptitle() == "shop: p99 latency (ms) against run.load"


def test_no_line_hides_another_one() -> None:
    """The first is behind the second, and as much wider."""
    ax = charts.load_curve(load_sweep())
    assert line(ax, "none").get_linewidth() > line(ax, "sidecar").get_linewidth()


def test_a_long_title_of_a_heatmap_stands_beside_its_legend() -> None:
    frame = grid_sweep().assign(topology="hotel-reservation", availability=1.0)
    frame.loc[frame["run.load"] > 1.3, "availability"] = 0.9
    ax = charts.sweep_heatmap(frame, "run.load", "services.stock.replicas", "p99_s")
    assert defects(ax) == []
