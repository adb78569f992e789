"""Plans by estimates alone."""

from __future__ import annotations

import pytest

import meshsim as ms
from meshsim.model.traffic import Objective


@pytest.mark.parametrize("architecture", ["none", "sidecar"])
def test_more_load_never_needs_less(architecture: str) -> None:
    """Connections of bookinfo are pinned: what their luck overloads must not look as if it were not there."""
    money = []
    for month in range(13):
        found = ms.plan(
            "bookinfo",
            [architecture],
            objectives=[Objective(quantity="p99", limit=0.06)],
            load=3.0 * 1.08**month,
            growth=False,
            engine="analytic",
            quiet=True,
        )
        one = found[architecture]
        money.append(one.per_hour - one.prices["reviews"] * one.bought["reviews"])  # of which there are enough
    assert money == sorted(money)
    assert money[-1] > 1.3 * money[0]
