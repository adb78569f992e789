"""Whole cents add up, whatever is divided and in whatever order."""

from __future__ import annotations

import random

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from meshsim.costs.bill import Bill, cents
from meshsim.costs.lines import BALANCERS, FEE, NAT_GATEWAYS, PEOPLE, shared_by_all
from meshsim.costs.money import apportion, format_cents, whole_cents

AMOUNTS = st.dictionaries(st.text("abcdef", min_size=1, max_size=3), st.floats(0, 1e9), min_size=1, max_size=8)


@given(AMOUNTS, st.integers(0, 10**12))
def test_parts_add_up_and_none_is_off_by_a_cent(parts: dict[str, float], total: int) -> None:
    cents = apportion(total, parts)
    assert sum(cents.values()) == total and list(cents) == list(parts)
    whole = sum(parts.values())
    if whole > 0:
        assert all(abs(cents[name] - total * value / whole) < 1 + 1e-6 * total for name, value in parts.items())


@given(AMOUNTS, st.integers(0, 10**6), st.randoms())
def test_order_does_not_matter(parts: dict[str, float], total: int, chance: random.Random) -> None:
    names = list(parts)
    chance.shuffle(names)
    assert apportion(total, {name: parts[name] for name in names}) == apportion(total, parts)


def test_the_largest_remainders_get_the_cents() -> None:
    assert apportion(10, {"a": 1.4, "b": 2.7, "c": 5.9}) == {"a": 1, "b": 3, "c": 6}


def test_equal_remainders_go_by_name() -> None:
    assert apportion(5, {"c": 1.0, "a": 1.0, "b": 1.0}) == {"c": 1, "a": 2, "b": 2}
    assert apportion(2, {"y": 0.0, "x": 0.0, "z": 0.0}) == {"y": 1, "x": 1, "z": 0}
    assert apportion(7, {}) == {}


def test_whose_turn_it_is_gets_the_odd_cent_of_equals_only() -> None:
    assert [apportion(5, {"a": 1.0, "b": 1.0 + 1e-13}, turn=turn) for turn in (0, 1, 2)] == [
        {"a": 3, "b": 2},
        {"a": 2, "b": 3},
        {"a": 3, "b": 2},
    ]
    assert apportion(10, {"a": 1.4, "b": 2.7, "c": 5.9}, turn=1) == {"a": 1, "b": 3, "c": 6}


def test_odd_cents_of_many_items_go_round() -> None:
    """Four items of odd cents are divided between two that are alike: each gets two of the odd ones."""
    items = (FEE, PEOPLE, BALANCERS, NAT_GATEWAYS)
    lines = tuple(shared_by_all(item, 1.0, "", (), 2) for item in items)
    bill = Bill(("a", "b"), lines, np.array([0.01 / 730] * 4))
    found = cents(bill, np.array([[0.005 / 730] * 2] * 4))
    assert found.total == 4 and found.tenants == {"a": 2, "b": 2}


@pytest.mark.parametrize(("amount", "cents"), [(0.005, 1), (0.0049, 0), (2.675, 268), (1e6, 10**8), (0.0, 0)])
def test_half_a_cent_is_rounded_up(amount: float, cents: int) -> None:
    assert whole_cents(amount) == cents


def test_amounts_as_text() -> None:
    assert [format_cents(1), format_cents(-100001), format_cents(99, "EUR")] == ["$0.01", "-$1,000.01", "0.99 EUR"]
