"""The chart of an autoscaler: its lines are the numbers of the result, also when these were read from JSON."""

from __future__ import annotations

import json
from typing import Any

import numpy as np
import pytest
from chart_scenes import autoscaled, compared
from reading import line

from meshsim import charts
from meshsim.charts.style import root
from meshsim.errors import UsageError


def panels(source: Any = None) -> list[Any]:
    return root(charts.autoscaler_day(source or autoscaled())).axes


def steps(ax: Any, label: str) -> np.ndarray:
    return np.asarray(line(ax, label).get_ydata())[:-1]


def test_lines_are_the_numbers_of_the_result() -> None:
    load, replicas, used, slow = panels()
    lines, timeline = autoscaled().autoscaling["web"].lines, autoscaled().timeline
    assert timeline is not None
    for name in ("wanted", "provisioned", "ready"):
        assert steps(replicas, name).tolist() == getattr(lines, name).tolist()
    np.testing.assert_array_equal(steps(used, "seen"), lines.utilization * 100)
    assert sum(steps(load, "requests")) * 15 * 2 == pytest.approx(sum(timeline.total.requests))
    assert np.nanmax(steps(slow, "p99")) == pytest.approx(np.nanmax(timeline.total.latency_s["p99"]))


def test_the_static_plan_and_the_target_are_lines() -> None:
    _, replicas, used, _ = panels()
    assert line(replicas, "static plan").get_ydata() == [autoscaled().autoscaling["web"].static_replicas] * 2
    assert line(used, "target").get_ydata() == [50.0, 50.0]


def test_it_is_drawn_of_json_too() -> None:
    told = charts.read_json(json.dumps(autoscaled().to_dict()), "day.json")
    for one, other in zip(panels(told), panels(), strict=True):
        for drawn, again in zip(one.get_lines(), other.get_lines(), strict=True):
            np.testing.assert_array_equal(drawn.get_ydata(), again.get_ydata())


def test_mistakes_are_told() -> None:
    with pytest.raises(UsageError, match="nothing of the topology autoscales"):
        charts.autoscaler_day(compared()["none"])
    with pytest.raises(UsageError, match="one architecture: choose one of none"):
        charts.autoscaler_day(compared())
    with pytest.raises(UsageError, match="'shop' does not autoscale; there is web"):
        charts.autoscaler_day(autoscaled(), service="shop")
