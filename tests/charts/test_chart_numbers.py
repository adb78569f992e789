"""Numbers read back from what is drawn are those of the result, or of a closed form."""

from __future__ import annotations

import json
import math

import numpy as np
import pandas as pd
import pytest
from chart_scenes import ARCHITECTURES, compared, failing, grid_sweep, load_sweep, shop, wide_topology
from matplotlib.colors import to_hex
from matplotlib.container import ErrorbarContainer
from matplotlib.patches import Rectangle
from reading import intervals, line

import meshsim as ms
from meshsim import charts
from meshsim.charts.style import mark_of, root
from meshsim.results.breakdown import PARTS
from meshsim.results.traffic import QUANTITIES

MS = 1e3


# -- latency ---------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("architecture", ARCHITECTURES)
def test_the_curve_meets_every_reported_quantile(architecture: str) -> None:
    curve = line(charts.latency_cdf(compared()), "_curve", mark_of(architecture).colour)
    latency, share = curve.get_xdata(), curve.get_ydata()
    result = compared()[architecture]
    for name in QUANTITIES[1:]:
        p = float(name[1:]) / 100
        assert latency[np.searchsorted(share, p - 1e-12)] == pytest.approx(result.latency_s[name].value * MS)
    assert np.all(np.diff(share) > 0) and share[-1] == 1.0


def test_the_curve_is_that_of_the_requests_themselves() -> None:
    spec = {**shop(), "run": {"duration": "4s", "warmup": "0s", "replications": 2}}
    result = ms.run(spec, "none", record_requests=True, quiet=True)
    rows = np.concatenate(result.request_rows)
    rows = rows[rows["arrival_ns"] < 4_000_000_000]
    taken_ms = np.sort(rows["end_ns"] - rows["arrival_ns"]) / 1e6
    curve = line(charts.latency_cdf(result), "_curve")
    drawn, at = np.asarray(curve.get_ydata()), np.asarray(curve.get_xdata())
    least, most = (np.searchsorted(taken_ms, at * factor, side="right") / taken_ms.size for factor in (0.999, 1.001))
    assert np.all((least <= drawn + 1e-12) & (drawn <= most + 1e-12))  # buckets are 0.1 % wide


def test_p50_and_p99_are_marked_with_their_intervals() -> None:
    ax = charts.latency_cdf(compared()["none"])
    latency = compared()["none"].latency_s
    for name, share in (("p50", 0.5), ("p99", 0.99)):
        (mark,) = [one for one in ax.get_lines() if one.get_gid() == name]
        assert mark.get_xydata().tolist() == [[pytest.approx(latency[name].value * MS), share]]
        bar = next(bars for bars in ax.containers if bars.get_label() == f"_{name}").lines[2][0].get_segments()[0]
        assert bar[:, 0] == pytest.approx([latency[name].low * MS, latency[name].high * MS])


def test_failed_requests_never_reach_the_end_of_the_curve() -> None:
    ax = charts.latency_cdf(failing())
    for name, result in failing().results.items():
        colour = mark_of(name).colour
        end = line(ax, "_curve", colour).get_ydata()[-1]
        assert end == pytest.approx(result.availability.value) and end < 0.98
        assert line(ax, "_end", colour).get_ydata() == pytest.approx([end, end])
        (mark,) = [m for m in ax.get_lines() if m.get_gid() == "p99" and to_hex(m.get_color()) == colour.lower()]
        assert mark.get_ydata() == pytest.approx([0.99 * end])  # p99 of the answered ones, on the curve
    assert any("Failed requests are never answered" in text.get_text().replace("\n", " ") for text in ax.texts)
    assert all("failed" in text.get_text() for text in ax.get_legend().get_texts())


# -- where the time goes ---------------------------------------------------------------------------------------


def test_bars_are_the_parts_and_add_up() -> None:
    side = compared()["sidecar"]
    ax = charts.time_split(side)
    hops = [label.get_text() for label in ax.get_yticklabels()]
    assert hops[0] == "whole request" and set(hops[1:]) == set(side.time_split.mean.by_hop_s)
    drawn: dict[tuple[int, bool], dict[str, float]] = {}
    for bar in (patch for patch in ax.patches if patch.get_gid() in PARTS):
        middle = bar.get_y() + bar.get_height() / 2
        drawn.setdefault((round(middle), middle > round(middle)), {})[bar.get_gid()] = bar.get_width()
    for row, hop in enumerate(hops):
        for slow, split in ((False, side.time_split.mean), (True, side.time_split.slowest)):
            parts = split.parts_s if row == 0 else split.by_hop_s.get(hop, {})
            expected = {part: e.value * MS for part, e in parts.items() if e.value}
            assert drawn.get((row, slow), {}) == pytest.approx(expected)
    for slow, split in ((False, side.time_split.mean), (True, side.time_split.slowest)):
        assert sum(drawn[0, slow].values()) == pytest.approx(split.latency_s.value * MS)
        hops_together = sum(sum(d.values()) for (row, which), d in drawn.items() if row > 0 and which == slow)
        assert hops_together == pytest.approx(split.latency_s.value * MS)


def test_long_intervals_of_parts_are_drawn() -> None:
    side = compared()["sidecar"]
    bars = [one for one in charts.time_split(side).containers if isinstance(one, ErrorbarContainer)]
    segments = [bar.lines[2][0].get_segments()[0][:, 0] for bar in bars if bar.lines[0].get_gid() == "queue"]
    queue = side.time_split.slowest.by_hop_s["shop"]["queue"]  # the first part of its bar
    assert any(segment == pytest.approx([queue.low * MS, queue.high * MS]) for segment in segments)


def test_many_hops_become_one_bar() -> None:
    result = ms.run(wide_topology(), "none", quiet=True)
    ax = charts.time_split(result)
    names = [label.get_text() for label in ax.get_yticklabels()]
    assert len(names) == 15 and names[-1] == f"{len(result.time_split.mean.by_hop_s) - 13} other hops"
    total = sum(patch.get_width() for patch in ax.patches if patch.get_gid() in PARTS and patch.get_y() > 0.5)
    split = result.time_split
    assert total == pytest.approx((split.mean.latency_s.value + split.slowest.latency_s.value) * MS)


# -- differences -----------------------------------------------------------------------------------------------


def test_differences_and_their_intervals() -> None:
    ax = charts.difference_forest(compared())
    panels = root(ax).axes
    drawn = {gid: found for panel in panels for gid, found in intervals(panel).items()}
    for name, one in compared().differences.items():
        expected = {quantity: (e, MS) for quantity, e in one.latency_s.items()}
        expected |= {"availability": (one.availability, 100.0), "proxy CPU": (one.proxy_cores, 1.0)}
        for quantity, (estimate, scale) in expected.items():
            value, low, high = drawn[f"{name} {quantity}"]
            assert value == pytest.approx(estimate.value * scale)
            if estimate.low is None:
                assert math.isnan(low)
            else:
                assert (low, high) == (pytest.approx(estimate.low * scale), pytest.approx(estimate.high * scale))
    zeros = [one.get_xdata() for panel in panels for one in panel.get_lines() if one.get_gid() == "zero"]
    assert zeros == [[0, 0]] * 3


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
            value, arm = text.get_text().split("\n± ")
            assert float(value) == pytest.approx(row["p99_s"] * MS, rel=0.006)
            assert float(arm) == pytest.approx(0.2 * row["p99_s"] * MS, rel=0.06)
            if row["verdict"] == "unstable":
                expected.add(at)
        assert hatched == expected
    stable = frame[frame["verdict"] == "ok"]["p99_s"] * MS
    assert (panels[0].collections[0].norm.vmin, panels[0].collections[0].norm.vmax) == (
        pytest.approx(stable.min()),
        pytest.approx(stable.max()),
    )


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


# -- from JSON -------------------------------------------------------------------------------------------------


def test_json_draws_the_same() -> None:
    told = charts.read_json(json.dumps(compared().to_dict()), "x.json")
    for name in ARCHITECTURES:
        colour = mark_of(name).colour
        few = line(charts.latency_cdf(told), "_curve", colour)
        many = line(charts.latency_cdf(compared()), "_curve", colour)
        at = np.searchsorted(many.get_ydata(), few.get_ydata() - 1e-12)
        assert many.get_xdata()[at] == pytest.approx(few.get_xdata())
        assert 25 <= len(few.get_xdata()) <= 40
    panels = [root(charts.difference_forest(source)).axes for source in (told, compared())]
    for one, other in zip(*panels, strict=True):
        assert str(intervals(one)) == str(intervals(other))
    side = charts.read_json(json.dumps(compared()["sidecar"].to_dict()), "x.json")
    widths = [[patch.get_width() for patch in charts.time_split(s).patches] for s in (side, compared()["sidecar"])]
    assert widths[0] == pytest.approx(widths[1])


# -- mistakes --------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("frame", "message"),
    [
        (load_sweep().drop(columns="p99_s_low"), "no column 'p99_s_low'"),
        (load_sweep().rename(columns={"run.load": "run.loads"}), "did you mean 'run.loads'"),
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


def test_other_mistakes() -> None:
    with pytest.raises(ms.UsageError, match="three different columns"):
        charts.sweep_heatmap(grid_sweep(), "run.load", "run.load", "p99_s")
    with pytest.raises(ms.UsageError, match="up to 20"):
        charts.sweep_heatmap(
            pd.concat([grid_sweep().assign(z=n) for n in range(21)]).iloc[::9], "z", "run.load", "p99_s"
        )
    with pytest.raises(ms.UsageError, match="of one architecture"):
        charts.time_split(compared())
    with pytest.raises(ms.UsageError, match="two architectures or more"):
        charts.difference_forest(compared()["none"])  # type: ignore[arg-type]
    with pytest.raises(ms.UsageError, match="knows no gateway"):
        charts.topology_map(compared()["sidecar"].plane, compared()["none"])
    with pytest.raises(ms.UsageError, match="light or dark"):
        charts.latency_cdf(compared(), theme="blue")  # type: ignore[arg-type]
    with pytest.raises(ms.UsageError, match="no option 'colour'"):
        charts.latency_cdf(compared(), colour="blue")  # type: ignore[call-arg]
    with pytest.raises(ms.UsageError, match="between 4 and 200 cm"):
        charts.latency_cdf(compared(), width_cm=1.0)
    with pytest.raises(ms.UsageError, match="must end in"):
        charts.save(charts.latency_cdf(compared()), "x.gif")
    with pytest.raises(ms.StoreError, match="cannot write"):
        charts.save(charts.latency_cdf(compared()), "/nowhere/x.png")


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("{", "is no JSON"),
        ("[]", "holds no result"),
        ('{"schema_version": 1}', "holds no result"),
        ('{"schema_version": 7, "latency_s": {}}', "schema_version 7"),
        ('{"schema_version": 1, "latency_s": {}}', "lacks 'manifest'"),
    ],
)
def test_json_that_is_something_else(text: str, message: str) -> None:
    with pytest.raises(ms.UsageError, match=message):
        charts.read_json(text, "x.json")
