"""Runs with control processes on both engines, which must agree in every number and in all that was seen."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import Any

from builders import assert_same

import meshsim as ms
from meshsim.architectures.plane import Plane
from meshsim.control import Control, Controller, drive
from meshsim.engines import ENGINES, EngineName, begin
from meshsim.engines.record import Record

#: Given a list to write to, makes a controller.
Making = Callable[[list[Any]], Controller]


def run(
    plane: Plane,
    makers: Sequence[Making],
    seconds: float,
    *,
    drain: float = 100.0,
    active: Mapping[str, int] | None = None,
    engines: Sequence[EngineName] = ENGINES,
    seed: int = 1,
) -> tuple[Record, list[Any]]:
    """The record, and what the controllers wrote down."""
    found = []
    for engine in engines:
        seen: list[Any] = []
        one = begin(
            plane,
            engine=engine,
            seed=seed,
            duration_ns=round(seconds * 1e9),
            drain_ns=round(drain * 1e9),
            record_requests=True,
            sample=10**9,
            active=active,
        )
        found.append((drive(one, plane, [make(seen) for make in makers]), seen))
    for record, seen in found[1:]:
        assert_same(found[0][0], record)
        assert seen == found[0][1]
    return found[0]


def at(time_s: float, do: Callable[[Control], object]) -> Making:
    """A controller that does one thing once, and writes down what comes of it."""

    def make(seen: list[Any]) -> Controller:
        def controller(control: Control) -> Any:
            yield control.env.timeout(time_s)
            seen.append(do(control))

        return controller

    return make


def lowered(spec: Mapping[str, Any], architecture: str = "none") -> Plane:
    return ms.lower(ms.load({"meshsim": 1, **spec}), architecture)
