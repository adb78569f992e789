"""The chart of an incident: its steps are the timeline's numbers, its marks the medians of what happened."""

from __future__ import annotations

import json
from dataclasses import replace
from typing import Any

import numpy as np
import pytest
from chart_scenes import compared, incident
from reading import defects, line

import meshsim as ms
from meshsim import charts
from meshsim.charts.incident import _rows_of
from meshsim.charts.style import root
from meshsim.results.happenings import Happened
from meshsim.results.timeline import Timeline


def known() -> Timeline:
    found = incident().timeline
    assert found is not None
    return found


def panels() -> list[Any]:
    return root(incident().plot_timeline()).axes


def steps(ax: Any, label: str) -> np.ndarray:
    return np.asarray(line(ax, label).get_ydata())[:-1]


@pytest.mark.parametrize("tenant", ["ads", "web"])
def test_steps_are_the_numbers_of_the_timeline(tenant: str) -> None:
    failures, slowness, _, _, caches = panels()
    told = known().by_tenant[tenant]
    assert steps(failures, tenant).tolist() == [100 * (one.value or 0.0) for one in told.error_share]
    np.testing.assert_allclose(steps(slowness, tenant), told.latency_s["p99"] * 1e3)
    ratio = known().by_service["stock"].hit_ratio["items"]
    np.testing.assert_allclose(steps(caches, "stock.items"), ratio * 100)
    assert line(failures, tenant).get_xdata().tolist() == known().edges_s.tolist()
    (band,) = (one for one in failures.collections if one.get_gid() == f"interval {tenant}")
    tops = np.nanmax(band.get_paths()[0].vertices[:, 1])
    assert tops == pytest.approx(100 * max(one.high or 0.0 for one in told.error_share))
    assert failures.get_ylim()[1] >= tops, "the axis holds the band"


def test_a_push_is_drawn_while_it_is_out() -> None:
    push = line(panels()[2], "certificate")
    spread = known().pushes["certificate"]
    assert push.get_xdata()[1:-1].tolist() == list(spread.at_s)
    assert push.get_ydata()[1:-1].tolist() == [100 * share for share in spread.share]
    assert max(spread.share) == 0.5  # one of two sidecars


def test_replicas_at_work_are_drawn_where_their_number_changed() -> None:
    """One of two is gone for 4 of 50 s."""
    (drawn,) = (one for one in panels()[3].get_lines() if not str(one.get_label()).startswith("_"))
    shares = np.asarray(drawn.get_ydata())[:-1]
    assert drawn.get_label() == "shop"
    assert sum(100 - shares) * 1.25 == pytest.approx(4 * 100 / 2)


def test_marks_are_at_the_medians() -> None:
    for ax in panels():
        marks = {one.get_gid(): one.get_xdata()[0] for one in ax.get_lines() if (one.get_gid() or "")[:4] == "mark"}
        assert marks["mark stock-fails: begins"] == 25.0
        assert marks["mark stock-fails: ends"] == 33.0
        assert marks["mark certificate: begins"] == 10.0
        alarm = next(one for one in known().happenings if one.who == "certificate" and one.what == "alarm")
        assert marks["mark certificate: alarm, goes back, is back"] == alarm.median_s


def test_events_without_effect_have_no_mark() -> None:
    idle = tuple(Happened("nobody", what, 1, 20.0, 20.0, 20.0, 3, "") for what in ("begins", "has no effect", "ends"))
    shown = replace(incident(), timeline=replace(known(), happenings=idle))
    marks = [one for one in charts.incident_timeline(shown).get_lines() if (one.get_gid() or "").startswith("mark")]
    assert marks == []


def test_labels_of_many_marks_lie_beside_each_other() -> None:
    """A dozen at any distance, in a figure of the usual size and in a narrow one."""
    rng = np.random.default_rng(1)
    for trial in range(2):
        at = np.sort(rng.uniform(5.0, 49.0, 12))
        many = tuple(
            Happened(f"event-{n}", "alarm", 1, float(t) - (trial % 2), float(t), float(t), 3, "")
            for n, t in enumerate(at)
        )
        shown = replace(incident(), timeline=replace(known(), happenings=many))
        ax = charts.incident_timeline(shown, **({"width_cm": 16.0, "height_cm": 16.0} if trial % 3 else {}))
        assert defects(ax) == []
        ranges = [one for one in ax.get_lines() if (one.get_gid() or "").startswith("range ")]
        assert len(ranges) == (12 if trial % 2 else 0)


def test_rows_keep_labels_from_each_other_and_from_leaders() -> None:
    rng = np.random.default_rng(2)
    for _ in range(200):
        starts, widths = np.sort(rng.uniform(0, 100, 8)).tolist(), rng.uniform(1, 40, 8).tolist()
        rows = _rows_of(starts, widths)
        for i in range(8):
            for j in range(i + 1, 8):  # j is to the right: its label, and its leader up to its row
                assert rows[j] < rows[i] or starts[i] + widths[i] < starts[j]


def test_only_failures_go_into_given_axes() -> None:
    import matplotlib.pyplot as plt

    figure, axes = plt.subplots(1, 2, figsize=(14, 5), layout="constrained")
    ax = incident().plot_timeline(axes[1])
    assert ax is axes[1] and len(figure.axes) == 2
    assert ax.get_ylabel() == "failed\nrequests (%)" and ax.get_xlabel() == "time (s)"
    assert steps(ax, "web").max() > 10.0
    assert defects(ax) == []


def test_json_draws_the_same() -> None:
    text = json.dumps(incident().to_dict())
    read = root(charts.incident_timeline(charts.read_json(text, "x.json")))
    for one, other in zip(read.axes, panels(), strict=True):
        for a, b in zip(one.get_lines(), other.get_lines(), strict=True):
            np.testing.assert_array_equal(a.get_ydata(), b.get_ydata())


def test_there_is_one_architecture_with_events() -> None:
    with pytest.raises(ms.UsageError, match="choose one of none, "):
        charts.incident_timeline(compared())
    with pytest.raises(ms.UsageError, match="has no events"):
        charts.incident_timeline(compared()["none"])
