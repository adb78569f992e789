"""The growth test on series whose growth is known."""

from __future__ import annotations

import numpy as np
import pytest
from queue_records import mm1_record

from meshsim.results.verdict import growth


def occupancy(seed: int, utilization: float, duration_s: float = 100.0) -> np.ndarray:
    record = mm1_record(seed, utilization=utilization, duration_s=duration_s)
    series = record.occupancy_ns / (record.duration_ns / record.occupancy_ns.size)
    return series[100:]


def test_the_slope_is_that_of_a_line() -> None:
    found = growth(np.linspace(100, 300, 900), 90.0, 1000.0)
    # part means lie on the line: exact but for the half bins at its ends
    assert found.per_s == pytest.approx(200 / 90.0, rel=0.002)
    assert found.growing


@pytest.mark.parametrize("utilization", [0.5, 0.8, 0.95])
def test_stable_queues_are_not_called_growing(utilization: float) -> None:
    called = [growth(occupancy(seed, utilization), 90.0, 9e3).growing for seed in range(40)]
    assert sum(called) <= 1


@pytest.mark.parametrize("utilization", [1.05, 1.2, 2.0])
def test_overloaded_queues_grow_by_what_they_lack(utilization: float) -> None:
    for seed in range(10):
        found = growth(occupancy(seed, utilization), 90.0, utilization / 0.008 * 90)
        assert found.growing
        assert found.per_s == pytest.approx((utilization - 1) / 0.008, rel=0.6 if utilization < 1.1 else 0.2)


def test_an_empty_plane_does_not_grow() -> None:
    assert not growth(np.zeros(900), 90.0, 0.0).growing
