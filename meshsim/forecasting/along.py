"""Where architectures change places along the other axis of a map: told only where intervals do not meet."""

from __future__ import annotations

import itertools
from collections.abc import Mapping, Sequence

from meshsim.forecasting.result import WORST, AxisCrossover, Bounds, NoAxisCrossover, Quantity

#: By value of the axis and architecture; None: there is no plan, which is worse than any.
Table = Mapping[str, Mapping[str, Bounds | None]]


def crossovers_along(
    quantity: Quantity, names: Sequence[str], table: Table
) -> tuple[list[AxisCrossover], list[NoAxisCrossover]]:
    """Every change of places of every pair, in the order of the values; and the pairs without one."""
    found: list[AxisCrossover] = []
    without: list[NoAxisCrossover] = []
    for one, other in itertools.combinations(names, 2):
        signs = {value: _sign(at[one], at[other]) for value, at in table.items()}
        decided = [value for value, sign in signs.items() if sign]
        ties = tuple(value for value, sign in signs.items() if not sign)
        turns = [(low, high) for low, high in itertools.pairwise(decided) if signs[low] != signs[high]]
        for number, (low, high) in enumerate(turns):
            is_last = number == len(turns) - 1
            before, after = (one, other) if signs[low] < 0 else (other, one)
            until = decided[-1] if is_last else turns[number + 1][0]
            at = table[high]
            found.append(
                AxisCrossover(
                    quantity,
                    before,
                    after,
                    low,
                    high,
                    (at[before] or WORST, at[after] or WORST),
                    until,
                    is_last,
                    ties,
                )
            )
        if not turns:
            better = None if not decided else (one if signs[decided[0]] < 0 else other)
            without.append(NoAxisCrossover(quantity, one, other, better, ties))
    return found, without


def _sign(one: Bounds | None, other: Bounds | None) -> int:
    """Below 0: the first is surely smaller; above 0: the second; 0: they cannot be told apart."""
    first, second = one or WORST, other or WORST
    return (first.low > second.high) - (first.high < second.low)
