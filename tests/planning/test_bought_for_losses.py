"""What is bought so that enough is left, by hand: of so many replicas, and of two zones."""

from __future__ import annotations

from typing import Any

import pytest
from test_plans_of_queues import queue

import meshsim as ms

#: 42.4/s for each replica answer 90 % within 40 ms (M/M/1): 100/s need three.
CASE = queue(1.0, 0.040) | {"nodes": {"pods_per_node": 1, "zones": ["a", "b"]}}


@pytest.mark.parametrize(
    ("lose", "bought"),
    [
        (0, 3),
        (1, 4),
        (2, 5),
        ("zone", 6),  # of five, spread over two zones, one has three: two would be left
    ],
)
def test_as_many_as_are_needed_are_left(lose: Any, bought: int) -> None:
    found = ms.plan(CASE, ["none"], lose=lose, ceiling=1.0, growth=False, quiet=True)["none"]
    assert (found.needed, found.bought) == ({"queue": 3}, {"queue": bought})
    assert (found.probe.counts, found.full.counts) == ({"queue": 3}, {"queue": bought})
    assert found.full.holds
    told = ms.plan(CASE, ["none"], lose=0, ceiling=1.0, growth=False, quiet=True)["none"]
    assert found.per_hour == pytest.approx(told.per_hour * bought / 3)
