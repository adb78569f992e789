"""Requests at given times through small systems, on either engine: for timelines that are worked by hand."""

from __future__ import annotations

from typing import Any

import pytest

import meshsim as ms
from meshsim.control import drive
from meshsim.engines import EngineName, begin
from meshsim.engines.record import Record

STILL = dict.fromkeys(("loopback", "same_node", "same_zone", "cross_zone", "client"), "0ms")
BOTH = pytest.mark.parametrize("engine", ["simpy", "compiled"])


def at(*times_ms: float, **more: Any) -> dict[str, Any]:
    """A stream's requests, one at each time."""
    return {"arrivals": {"trace": {"times": [f"{round(time * 1000)}us" for time in times_ms]}}, **more}


def run(
    case: dict[str, Any], engine: EngineName, architecture: str = "none", seconds: float = 10.0, *controllers: Any
) -> Record:
    plane = ms.lower(ms.load(case), architecture)
    one = begin(
        plane,
        engine=engine,
        seed=1,
        duration_ns=round(seconds * 1e9),
        drain_ns=10**11,
        record_requests=True,
        sample=10**9,
    )
    return drive(one, plane, controllers)
