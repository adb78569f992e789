"""Shapley's axioms, and games whose values are known."""

from __future__ import annotations

from itertools import permutations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays

from meshsim.costs.shapley import all_coalitions, shapley


def games(players: int) -> st.SearchStrategy[np.ndarray]:
    def without_nobody(costs: np.ndarray) -> np.ndarray:
        costs[0] = 0.0
        return costs

    return arrays(float, 2**players, elements=st.floats(-1e6, 1e6)).map(without_nobody)


GAMES = st.integers(1, 5).flatmap(games)
PAIRS = st.integers(1, 5).flatmap(lambda players: st.tuples(games(players), games(players)))


@given(GAMES)
def test_efficiency(costs: np.ndarray) -> None:
    assert shapley(costs).sum() == pytest.approx(costs[-1], abs=1e-6)


@given(PAIRS)
def test_additivity(pair: tuple[np.ndarray, np.ndarray]) -> None:
    one, other = pair
    np.testing.assert_allclose(shapley(one + other), shapley(one) + shapley(other), atol=1e-5)


@given(games(4), st.permutations(range(4)))
def test_names_do_not_matter(costs: np.ndarray, order: list[int]) -> None:
    """Anonymity, which implies symmetry: whoever is renamed pays what it paid."""
    renamed = np.empty_like(costs)
    for number, members in enumerate(all_coalitions(4)):
        renamed[sum(1 << order[player] for player in range(4) if members[player])] = costs[number]
    np.testing.assert_allclose(shapley(renamed)[order], shapley(costs), atol=1e-6)


@given(games(3), st.floats(-1e3, 1e3))
def test_a_dummy_pays_what_it_adds(costs: np.ndarray, own: float) -> None:
    with_dummy = np.concatenate([costs, costs + own])  # the fourth player adds the same to everybody
    value = shapley(with_dummy)
    assert value[3] == pytest.approx(own, abs=1e-6)
    np.testing.assert_allclose(value[:3], shapley(costs), atol=1e-6)


@given(games(4))
def test_it_is_the_mean_over_all_orders(costs: np.ndarray) -> None:
    added = np.zeros(4)
    orders = list(permutations(range(4)))
    for order in orders:
        there = 0
        for player in order:
            added[player] += costs[there | 1 << player] - costs[there]
            there |= 1 << player
    np.testing.assert_allclose(shapley(costs), added / len(orders), atol=1e-5)


@given(st.lists(st.floats(0, 1e6), min_size=1, max_size=10))
def test_the_airport_game(needs: list[float]) -> None:
    """S. C. Littlechild, G. Owen (1973): everybody who needs a part of the runway pays an equal share of that part."""
    members = all_coalitions(len(needs))
    costs = np.where(members, needs, 0.0).max(axis=1)
    expected = np.zeros(len(needs))
    below = 0.0
    for need in sorted(needs):
        who = [player for player, own in enumerate(needs) if own >= need]
        expected[who] += (need - below) / len(who)
        below = need
    np.testing.assert_allclose(shapley(costs), expected, atol=1e-6 * max(1.0, *needs))


def test_what_is_no_game_is_refused() -> None:
    with pytest.raises(ValueError, match="not 3"):
        shapley([0.0, 1.0, 2.0])
