"""Where two architectures change places as the load grows: found between loads that were planned, then bisected."""

from __future__ import annotations

import itertools
import math
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Final

from meshsim.forecasting.desk import Desk, Standing
from meshsim.forecasting.result import WORST, Crossover, NoCrossover, Quantity
from meshsim.planning.probing import Kept, Probe, slack

_PRECISION: Final = 0.02  # width of a bracket (assumed)
_ESTIMATED: Final = 0.002  # the same, where nothing is simulated
_MOST_STEPS: Final = 16

_MISSED: Final = (math.inf, math.inf, math.inf)

#: At a load: below 0 the first of two is better, above 0 the second, 0 neither; and what both are worth.
Compared = tuple[int, tuple[float, float]]
Compare = Callable[[float], Compared]


@dataclass(frozen=True, slots=True)
class Flip:
    """Between `low` and `high` the better one changes from `sign` to the other."""

    low: float
    high: float
    sign: int
    values: tuple[float, float]


def by_cost(one: Desk, other: Desk) -> Compare:
    """By the bill of a plan for the load; 0 if intervals meet. Without a plan it is dearer than any."""

    def compare(load: float) -> Compared:
        first, second = one.bill(load) or WORST, other.bill(load) or WORST
        sign = (first.low > second.high) - (first.high < second.low)
        return sign, (first.value, second.value)

    return compare


def by_objective(one: Standing, other: Standing) -> Compare:
    """By the share of its limit that the tightest objective uses, today's deployments staying; 0 if intervals meet.

    What misses an objective is worse than what does not; of two that do, neither is better.
    """

    def compare(load: float) -> Compared:
        first, second = one.kept(load), other.kept(load)
        (a, a_low, a_high), (b, b_low, b_high) = (_MISSED if kept is None else used(kept) for kept in (first, second))
        return (a_low > b_high) - (a_high < b_low), (a, b)

    return compare


def used(probe: Probe) -> tuple[float, float, float]:
    """Share of its limit that the tightest objective uses, and its bounds: above 1 it is missed."""
    objectives = [kept for kept in probe.kept if kept.quantity != "utilization"]
    if not objectives:
        return 0.0, 0.0, 0.0
    tightest = min(objectives, key=slack)
    estimate = tightest.estimate
    value = 1.0 - slack(tightest)
    ends = sorted(_share(tightest, end) if end is not None else value for end in (estimate.low, estimate.high))
    return value, ends[0], ends[1]


def _share(kept: Kept, value: float) -> float:
    if kept.quantity == "availability":
        return (1.0 - value) / max(1.0 - kept.limit, 1e-12)
    return value / kept.limit


def flips(compare: Compare, loads: Sequence[float], guess: Compare | None) -> list[Flip]:
    """Find every change of places between loads that were looked at, each in a narrow bracket.

    Parameters
    ----------
    compare
        Plans both, or simulates them.
    loads
        Ascending.
    guess
        The same by estimates alone, which say where to look first; None where `compare` is one.
    """
    found: list[Flip] = []
    last: tuple[float, int] | None = None
    for load in loads:
        sign, values = compare(load)
        if not sign:
            continue
        if last is not None and sign != last[1]:
            found.append(_narrowed(compare, Flip(last[0], load, last[1], values), guess))
        last = load, sign
    return found


def _narrowed(compare: Compare, flip: Flip, guess: Compare | None) -> Flip:
    precision = _ESTIMATED if guess is None else _PRECISION
    if guess is not None:
        supposed = _supposed(guess, flip)
        for load in () if supposed is None else (supposed * (1 - precision / 2.1), supposed * (1 + precision / 2.1)):
            flip = _looked(compare, flip, round(load, 6))
    for _ in range(_MOST_STEPS):
        if flip.high - flip.low <= precision * flip.low:
            break
        flip = _looked(compare, flip, round((flip.low + flip.high) / 2, 6))
    return flip


def _looked(compare: Compare, flip: Flip, load: float) -> Flip:
    """Look at a load within the bracket: where neither is better, it has not changed yet."""
    if not flip.low < load < flip.high:
        return flip
    sign, values = compare(load)
    if sign == -flip.sign:
        return Flip(flip.low, load, flip.sign, values)
    return Flip(load, flip.high, flip.sign, flip.values)


def _supposed(guess: Compare, flip: Flip) -> float | None:
    """Where estimates change places; None if they do not within the bracket."""
    first, last = guess(flip.low)[0], guess(flip.high)[0]
    if first != flip.sign or last != -flip.sign:
        return None
    found = _narrowed(guess, flip, None)
    return (found.low + found.high) / 2


def crossovers(
    quantity: Quantity,
    names: Sequence[str],
    compare: Mapping[tuple[str, str], Compare],
    guesses: Mapping[tuple[str, str], Compare],
    loads: Sequence[float],
) -> tuple[list[Crossover], list[NoCrossover]]:
    """All crossovers of all pairs, and the pairs without one."""
    found: list[Crossover] = []
    without: list[NoCrossover] = []
    for one, other in itertools.combinations(names, 2):
        if (one, other) not in compare:
            continue
        judge = compare[one, other]
        several = flips(judge, loads, guesses.get((one, other)))
        for number, flip in enumerate(several):
            is_last = number == len(several) - 1
            until = loads[-1] if is_last else several[number + 1].low
            pair, values = ((one, other), flip.values) if flip.sign < 0 else ((other, one), flip.values[::-1])
            found.append(
                Crossover(quantity, pair[0], pair[1], flip.low, flip.high, (values[0], values[1]), until, is_last)
            )
        if not several:
            signs = {judge(load)[0] for load in loads}
            better = one if -1 in signs else (other if 1 in signs else None)
            without.append(NoCrossover(quantity, one, other, better, loads[-1]))
    return found, without
