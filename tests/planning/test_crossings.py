"""Where two architectures change places: brackets hold the place wherever estimates point; ties and turns."""

from __future__ import annotations

import math
from collections.abc import Callable
from typing import Any

import pytest

from meshsim.forecasting.crossing import Compared, by_cost, crossovers, flips
from meshsim.forecasting.result import Bounds

LOADS = [1.0, 1.5, 2.0, 3.0, 4.0]


def lines(place: float, seen: list[float] | None = None) -> Callable[[float], Compared]:
    """The first of two is cheaper below a place, the second above."""

    def compare(load: float) -> Compared:
        if seen is not None:
            seen.append(load)
        values = load, place
        return (load > place) - (load < place), values

    return compare


@pytest.mark.parametrize("place", [1.01, 1.49, 2.2, 2.71828, 3.999])
def test_the_bracket_holds_the_place(place: float) -> None:
    for guess in (None, lines(place), lines(place * 1.2), lines(50.0)):
        (one,) = flips(lines(place), LOADS, guess)
        assert one.low <= place < one.high
        assert one.high / one.low <= (1.0021 if guess is None else 1.0201)
        assert one.sign == -1 and one.values == (one.high, place)


def test_a_good_guess_saves_simulations() -> None:
    with_guess: list[float] = []
    without: list[float] = []
    flips(lines(2.71828, with_guess), LOADS, lines(2.71828))
    flips(lines(2.71828, without), LOADS, lines(50.0))
    assert len(with_guess) == len(LOADS) + 2 < len(without)


def test_ties_are_no_change() -> None:
    """Equal up to 2.4, then the second: there is no load at which the first was better."""

    def compare(load: float) -> Compared:
        return (1 if load > 2.4 else 0), (load, 2.4)

    assert flips(compare, LOADS, None) == []
    found, without = crossovers("cost", ["a", "b"], {("a", "b"): compare}, {}, LOADS)
    assert found == [] and without[0].better == "b"
    none, same = crossovers("cost", ["a", "b"], {("a", "b"): lambda _: (0, (1.0, 1.0))}, {}, LOADS)
    assert none == [] and same[0].better is None


def test_they_may_change_places_twice() -> None:
    def compare(load: float) -> Compared:
        sign = -1 if load < 1.7 else (1 if load < 3.3 else -1)
        return sign, (math.inf if sign > 0 else 1.0, 2.0)

    found, without = crossovers("cost", ["a", "b"], {("a", "b"): compare}, {}, LOADS)
    assert [(one.before, one.after, one.is_last) for one in found] == [("a", "b", False), ("b", "a", True)]
    assert found[0].low < 1.7 <= found[0].high and found[1].low < 3.3 <= found[1].high
    assert found[0].until == found[1].low and found[1].until == 4.0
    assert found[0].values == (math.inf, 2.0) and found[1].values == (2.0, 1.0)
    assert without == []


class Biller:
    """Stands for a desk: a bill of so much for each unit of load, give or take."""

    def __init__(self, fixed: float, each: float, width: float, most: float = math.inf) -> None:
        self.fixed, self.each, self.width, self.most = fixed, each, width, most

    def bill(self, load: float) -> Bounds | None:
        value = self.fixed + self.each * load
        return None if load > self.most else Bounds(value, value - self.width, value + self.width)


def test_bills_decide_where_their_bounds_do_not_meet() -> None:
    """2 and 1 for each unit, 2 at first: equal at 2; with arms of 0.1 each apart below 1.8, and above 2.2."""
    one: Any = Biller(0.0, 2.0, 0.1)
    other: Any = Biller(2.0, 1.0, 0.1)
    compare = by_cost(one, other)
    assert [compare(load)[0] for load in (1.7, 1.9, 2.0, 2.1, 2.3)] == [-1, 0, 0, 0, 1]
    (found,), _ = crossovers("cost", ["one", "other"], {("one", "other"): compare}, {}, LOADS)
    assert found.low < 2.2 <= found.high and found.high / found.low <= 1.0201
    assert found.values == pytest.approx((2.0 * found.high, 2.0 + found.high))
    full: Any = Biller(0.0, 0.5, 0.1, most=2.5)
    assert [by_cost(full, other)(load)[0] for load in (2.0, 3.0)] == [-1, 1]
    assert by_cost(full, full)(3.0)[0] == 0
