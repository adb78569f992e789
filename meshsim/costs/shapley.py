"""The Shapley value of a game given by the cost of every coalition, exactly.

A coalition is the number whose bit ``i`` is set if player ``i`` is in it, so the costs of all are an array of 2ⁿ, the
empty coalition's first (L. S. Shapley, "A value for n-person games", Contributions to the Theory of Games II, 1953; as
a way to divide cost: A. E. Roth, R. E. Verrecchia, "The Shapley value as applied to cost allocation", J. Accounting
Research 17, 1979).
"""

from __future__ import annotations

from math import factorial
from typing import Final

import numpy as np
import numpy.typing as npt

MOST_PLAYERS: Final = 10  # 1,024 coalitions; each player more doubles them

Floats = npt.NDArray[np.float64]
Members = npt.NDArray[np.bool_]


def all_coalitions(players: int) -> Members:
    """(2ⁿ, n) who is in which coalition, the empty one first.

    Examples
    --------
    >>> all_coalitions(2).tolist()
    [[False, False], [True, False], [False, True], [True, True]]
    """
    numbers = np.arange(2**players)[:, None]
    return (numbers >> np.arange(players)[None, :] & 1).astype(bool)


def shapley(costs: npt.ArrayLike) -> Floats:
    """Mean of what each player adds to those who were there before, over all orders of arrival.

    Parameters
    ----------
    costs
        (2ⁿ,) of every coalition; that of nobody is taken as zero.

    Returns
    -------
    numpy.ndarray
        (n,) what each player pays; the sum is the cost of all.

    Examples
    --------
    Two share a runway, one needs half of it: who needs less pays half of the common half.

    >>> shapley([0.0, 50.0, 100.0, 100.0]).tolist()
    [25.0, 75.0]
    """
    cost = np.asarray(costs, dtype=np.float64)
    players = int(cost.size).bit_length() - 1
    if cost.size != 2**players:
        raise ValueError(f"there are 2, 4, 8, … coalitions, not {cost.size}")
    numbers = np.arange(cost.size)
    sizes = all_coalitions(players).sum(axis=1)
    weights = np.array([factorial(s) * factorial(players - s - 1) / factorial(players) for s in range(players)])
    value = np.empty(players)
    for player in range(players):
        without = numbers[numbers >> player & 1 == 0]
        value[player] = np.sum(weights[sizes[without]] * (cost[without | 1 << player] - cost[without]))
    return value
