"""Intervals over replications."""

from __future__ import annotations

import numpy as np
import pytest

from meshsim.costs.split import over_replications


def test_students_interval_by_hand() -> None:
    """Three replications: 4.303 standard errors of 1/sqrt(3) each side."""
    found = over_replications(2.0, [1.0, 2.0, 3.0], 0.95)
    assert (found.value, found.low, found.high) == pytest.approx((2.0, 2 - 4.302653 / 3**0.5, 2 + 4.302653 / 3**0.5))
    assert found.method == "3 replications"


def test_it_covers_as_often_as_it_says() -> None:
    chance = np.random.default_rng(1)
    hits = 0
    for _ in range(2000):
        values = chance.normal(5.0, 2.0, 8)
        found = over_replications(float(values.mean()), values, 0.95)
        hits += found.low is not None and found.high is not None and found.low <= 5.0 <= found.high
    assert hits / 2000 == pytest.approx(0.95, abs=0.015)


def test_one_replication_has_none() -> None:
    found = over_replications(2.0, [2.0], 0.95)
    assert (found.value, found.low, found.high) == (2.0, None, None)
