"""Means and intervals over replications."""

from __future__ import annotations

import numpy as np
import pytest
from used import bill

from meshsim.architectures.plane import Account
from meshsim.costs.lines import APP_CORES, EGRESS, FEE
from meshsim.costs.rules import divide
from meshsim.costs.shapley import all_coalitions
from meshsim.costs.split import Split, mean_split, over_replications
from meshsim.costs.use import Rates


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


def test_last_bits_are_no_scatter() -> None:
    found = over_replications(0.3, [0.1 + 0.2, 0.3, 0.3], 0.95)
    assert (found.low, found.high) == (0.3, 0.3)


def test_a_line_that_one_of_two_replications_has_counts_half() -> None:
    """Nothing left the cluster in the second one; in both cores are bought."""
    used, nothing = np.array([[1.0, 3.0]]), np.zeros(2)
    rates = Rates((Account("a", "s0", "get"), Account("b", "s0", "get")), {}, np.ones(2))
    full = bill(used, nothing, np.array([2.0**30 / 3600, 0.0]), nothing)
    bills = [full.of_items([APP_CORES, EGRESS, FEE]), full.of_items([APP_CORES, FEE])]
    each = [Split(rates, one, divide(one, "even", {}), one, divide(one, "even", {})) for one in bills]
    mean = mean_split(rates, each)
    assert [line.item for line in mean.bill.lines] == [APP_CORES, EGRESS, FEE]
    assert mean.bill.amounts.tolist() == pytest.approx([8 * 0.03, 0.09 / 2, 0.1])
    assert mean.bill.direct[1].tolist() == pytest.approx([0.09 / 2, 0.0])
    assert mean.divided.sum(axis=1).tolist() == pytest.approx(mean.bill.amounts.tolist())
    assert mean.divided_further.tolist() == mean.divided.tolist()
    assert mean.bill.cost(all_coalitions(2))[-1] == pytest.approx(mean.bill.per_hour)
    other = mean_split(rates, each[::-1])
    assert [line.item for line in other.bill.lines] == [APP_CORES, EGRESS, FEE]
    np.testing.assert_allclose(other.divided, mean.divided)
