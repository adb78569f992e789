"""Numbers read back from what is drawn are those of the result, or of a closed form."""

from __future__ import annotations

import json
import math

import numpy as np
import pandas as pd
import pytest
from chart_scenes import (
    ARCHITECTURES,
    compared,
    failing,
    grid_sweep,
    shop,
    wide_topology,
)
from matplotlib.colors import to_hex
from matplotlib.container import ErrorbarContainer
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
