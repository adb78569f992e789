"""The arithmetic of Kubernetes' HorizontalPodAutoscaler: examples of its documentation, and its rules one by one.

kubernetes/website, tasks/run-application/horizontal-pod-autoscale.md.
"""

from __future__ import annotations

from typing import Any

import pytest

from meshsim.control.hpa import Behavior, Metrics, recommend
from meshsim.model.autoscale import Autoscale, Pace


def replicas(usages: list[float], current: int, target: float, **more: Any) -> int | None:
    request = more.pop("request", 1.0)
    found = recommend(Metrics(usages, request, **more), current, target, 0.1)
    return None if found is None else found.replicas


# -- desired = ceil(current · metric / target) -------------------------------------------------------------------


@pytest.mark.parametrize("current", [1, 2, 3, 10])
def test_twice_the_target_doubles_and_half_of_it_halves(current: int) -> None:
    """Usage 200m with 100m wanted: 200.0 / 100.0 == 2.0; usage 50m: 0.5."""
    assert replicas([0.2] * current, current, 0.1) == 2 * current
    assert replicas([0.05] * current, current, 0.1) == -(-current // 2)


@pytest.mark.parametrize(
    ("percent", "found"), [(54, 10), (60, 10), (66, 10), (67, 12), (53, 9)], ids=lambda one: str(one)
)
def test_changes_within_the_tolerance_are_not_made(percent: int, found: int) -> None:
    assert replicas([percent / 100] * 10, 10, 0.6) == found


def test_utilization_is_of_all_requests_and_in_whole_per_cent() -> None:
    """Kubernetes divides sums of whole millicores, and cuts off what is behind the decimal point."""
    found = recommend(Metrics([0.1, 0.5], request=0.5), 2, 0.5, 0.1)
    assert found is not None and found.utilization == 0.6 and found.replicas == 3
    assert recommend(Metrics([0.6699], request=1.0), 1, 0.6, 0.1).replicas == 2  # type: ignore[union-attr]  # 670m
    assert recommend(Metrics([0.6689, 0.66], request=1.0), 2, 0.6, 0.1).replicas == 2  # type: ignore[union-attr]  # 66 %


def test_without_any_metrics_nothing_is_known() -> None:
    assert replicas([], 3, 0.6, unready=3) is None
    assert replicas([], 3, 0.6, missing=3) is None


# -- pods that are not ready, and missing metrics ------------------------------------------------------------------


def test_pods_that_are_not_ready_use_nothing_on_the_way_up() -> None:
    """Two at 120 % of a target of 60 % want four; with two more on their way they are 60 % each: nothing to do."""
    assert replicas([1.2, 1.2], 2, 0.6) == 4
    assert replicas([1.2, 1.2], 4, 0.6, unready=2) == 4
    assert replicas([1.2, 1.2], 3, 0.6, unready=1) == 4  # 80 % of three
    assert replicas([1.0] * 6, 11, 0.5, unready=5) == 11  # 54 % of eleven is near enough; the six alone want twelve


def test_pods_that_are_not_ready_do_not_count_on_the_way_down() -> None:
    assert replicas([0.15, 0.15], 4, 0.6, unready=2) == 1  # of the two alone, as Kubernetes has it
    assert replicas([0.3, 0.3], 2, 0.6) == 1


def test_missing_metrics_are_nothing_on_the_way_up_and_the_request_on_the_way_down() -> None:
    assert replicas([1.2, 1.2], 3, 0.6, missing=1) == 4  # (120 + 120 + 0) / 3 = 80 %: 4
    assert replicas([0.3, 0.3], 3, 0.6, missing=1) == 3  # (30 + 30 + 100) / 3 = 53 %: 0.88 · 3
    assert replicas([0.1, 0.1], 3, 0.6, missing=1) == 2  # 40 %: 0.67 · 3
    assert replicas([0.3], 2, 1.5, missing=1) == 2  # 90 % of two, and 1.5 · the request is the target: as much as that


def test_what_would_turn_the_direction_round_is_not_done() -> None:
    assert replicas([0.5], 2, 0.6, missing=1) == 2  # down by itself, 75 % with the missing one
    assert replicas([0.7], 3, 0.6, missing=1, unready=1) == 3  # up by itself, 23 % with both


# -- stabilisation -------------------------------------------------------------------------------------------------


def wanted(behavior: Behavior, current: int, *recommended: tuple[float, int]) -> list[int]:
    """What there shall be after each recommendation, which is done at once."""
    found = []
    for at_s, number in recommended:
        current = behavior.wanted(round(at_s * 1e9), current, number)
        found.append(current)
    return found


def test_downwards_the_highest_recommendation_of_the_window_counts() -> None:
    behavior = Behavior(Autoscale(min=1, max=100, target=0.5))
    assert wanted(behavior, 10, (15, 10), (30, 4), (45, 7), (60, 2), (314, 2), (315, 2), (330, 2), (345, 2)) == [
        10, 10, 10, 10, 10, 7, 7, 2,
    ]  # fmt: skip


def test_upwards_it_is_the_lowest() -> None:
    behavior = Behavior(Autoscale(min=1, max=100, target=0.5, scale_up_window_s=30.0))
    assert wanted(behavior, 2, (15, 2), (30, 6), (45, 5), (60, 5)) == [2, 2, 5, 5]


def test_at_first_the_present_number_is_a_recommendation() -> None:
    """Otherwise a controller that begins would scale down at once."""
    behavior = Behavior(Autoscale(min=1, max=100, target=0.5))
    assert wanted(behavior, 8, (15, 1), (30, 1), (315, 1)) == [8, 8, 1]


# -- limits of the pace ----------------------------------------------------------------------------------------------


def test_at_most_four_more_or_twice_as_many_in_a_period() -> None:
    behavior = Behavior(Autoscale(min=1, max=100, target=0.5))
    assert wanted(behavior, 1, (15, 90), (30, 90), (45, 90), (60, 90), (75, 90)) == [5, 10, 20, 40, 80]


def test_what_came_within_the_period_counts() -> None:
    rule = Autoscale(min=1, max=100, target=0.5, scale_up=Pace(pods=2, period_s=60.0))
    assert wanted(Behavior(rule), 4, (15, 50), (30, 50), (60, 50), (75, 50), (90, 50)) == [6, 6, 6, 8, 8]


@pytest.mark.parametrize(
    ("pace", "found"),
    [
        (Pace(share=0.1, period_s=60.0), [27, 27, 24]),  # 30 · 0.9, and 27 · 0.9 cut off
        (Pace(pods=4, share=0.1, period_s=60.0), [26, 26, 22]),  # the larger change of both
        (Pace(share=0.0), [30, 30, 30]),  # never
        (Pace(pods=1, period_s=15.0), [29, 28, 27]),
    ],
)
def test_downwards_too(pace: Pace, found: list[int]) -> None:
    rule = Autoscale(min=2, max=100, target=0.5, scale_down_window_s=0.0, scale_down=pace)
    assert wanted(Behavior(rule), 30, (0, 1), (30, 1), (60, 1)) == found


def test_never_beyond_min_and_max() -> None:
    rule = Autoscale(min=3, max=7, target=0.5, scale_down_window_s=0.0)
    assert wanted(Behavior(rule), 4, (15, 90), (30, 1), (45, 0)) == [7, 3, 3]
