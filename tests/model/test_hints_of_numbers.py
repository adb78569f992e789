"""Hints for numbers that are none show what may stand there, not a number from nowhere."""

from __future__ import annotations

from typing import Any

import pytest

import meshsim as ms
from meshsim.errors import SpecError

SHOP = {
    "meshsim": 1,
    "services": {"shop": {"endpoints": {"get": [{"work": "1ms"}]}}},
    "tenants": {"mail": {}},
    "traffic": [{"name": "web", "tenant": "mail", "entry": "shop.get", "arrivals": {"poisson": "10/s"}}],
    "run": {"duration": "20s", "warmup": "5s"},
}


def slow_node(node: str) -> dict[str, Any]:
    return {"events": [{"name": "slow", "at": "10s", "fault": {"slow_node": {"node": node, "factor": 2}}}]}


@pytest.mark.parametrize(
    ("changes", "told"),
    [
        ({"tenants": {"mail": {"priority": "high"}}}, "write priority: N, N from 0 to 100"),
        ({"tenants": {"mail": {"weight": float("inf")}}}, "is not a weight"),
        ({"tenants": {"mail": {"weight": "much"}}}, "write e.g. 5\n"),
        (slow_node("n0"), "write node: N, N from 0 to"),
    ],
)
def test_hints(changes: dict[str, Any], told: str) -> None:
    with pytest.raises(SpecError) as found:
        ms.load({**SHOP, **changes})
    assert told in str(found.value)
