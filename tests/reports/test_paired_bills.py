"""Who is cheapest is told by paired replications: what both bills owe to the same traffic is no doubt between them."""

from __future__ import annotations

from functools import cache

import pytest

import meshsim as ms
from meshsim.reports.verdict import cheapest


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


def test_several_differences_hold_at_once() -> None:
    one, several = (costs()["gateway"].more_than(costs()["none"], of=count) for count in (1, 3))
    assert one.half is not None and several.half is not None
    assert several.value == one.value and several.half > one.half
