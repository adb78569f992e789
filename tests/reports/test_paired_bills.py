"""Who is cheapest is told by paired replications: what both bills owe to the same traffic is no doubt between them."""

from __future__ import annotations

from dataclasses import dataclass
from functools import cache
from typing import Any

import pytest

import meshsim as ms
from meshsim.reports.verdict import cheapest
from meshsim.results.intervals import Estimate


@cache
def costs() -> ms.Costs:
    return ms.cost("front-door", ["none", "gateway"], duration_s=5.0, replications=6, quiet=True)


def test_bills_whose_intervals_overlap_are_told_apart_by_their_difference() -> None:
    none, gateway = (costs()[name].money for name in ("none", "gateway"))
    assert none.high is not None and gateway.low is not None and gateway.low < none.high
    more = costs()["gateway"].more_than(costs()["none"])
    assert more.low is not None and more.low > 0.0
    assert cheapest(costs()) == ("none",)


def test_the_difference_is_that_of_the_mesh_tax() -> None:
    """Which the bill of none is the baseline of."""
    more, added = costs()["gateway"].more_than(costs()["none"]), costs()["gateway"].tax.added
    assert added is not None
    assert (more.value, more.low, more.high) == pytest.approx((added.value, added.low, added.high))


@dataclass(frozen=True)
class Bill:
    """Of an architecture, with how much more it surely is than the cheapest."""

    per_hour: float
    low: float | None = None

    def more_than(self, other: Bill, *, of: int) -> Estimate:
        assert other.per_hour == 1.0 and of == 3, "all differences from the cheapest are to hold at once"
        high = None if self.low is None else self.low + 9.0
        return Estimate(self.per_hour - 1.0, self.low, high, 4, "")


class Bills(dict[str, Bill]):
    """Costs, as far as who is cheapest hangs on them."""

    @property
    def costs(self) -> dict[str, Bill]:
        return self


def test_whoever_is_not_surely_dearer_may_be_the_cheapest() -> None:
    found: Any = Bills(dear=Bill(3.0, 0.1), near=Bill(1.5, -0.1), cheap=Bill(1.0), unknown=Bill(2.0, None))
    assert cheapest(found) == ("cheap", "near", "unknown")


def test_several_differences_hold_at_once() -> None:
    one, several = (costs()["gateway"].more_than(costs()["none"], of=count) for count in (1, 3))
    assert one.half is not None and several.half is not None
    assert several.value == one.value and several.half > one.half
