"""Where nothing holds: the objective that fails is named, with a limit that would be kept, and it would be."""

from __future__ import annotations

import math

import pytest
from test_plans_of_queues import WORK_S, queue

import meshsim as ms
from meshsim.model.traffic import Objective

ALONE_S = WORK_S * math.log(10.0)  # p90 of a request that nobody is before: 23 ms
ASKED = {"lose": 0, "growth": False, "most_replicas": 4, "quiet": True}


def test_the_limit_that_is_told_can_be_planned_for() -> None:
    """15 ms is less than the work of one request in ten takes alone."""
    found = ms.plan(queue(0.4, 0.015), ["none"], **ASKED)
    assert not found.feasible and "none" in found.infeasible
    nothing = found.infeasible["none"]
    (kept,) = nothing.nearest
    assert (kept.whose, kept.quantity, kept.limit) == ("t", "p90", 0.015)
    assert nothing.best.counts == {"queue": 4} and "with 4 replicas of queue" in nothing.why
    low, high = kept.estimate.low, kept.estimate.high
    assert low is not None and high is not None and low < ALONE_S / 0.9 < high  # M/M/1, a tenth busy: 25.6 ms
    assert kept.estimate.value == pytest.approx(ALONE_S / 0.9, rel=0.05)
    assert f"p90 < {high * 1e3:.1f} ms would be" in found.summary()
    again = ms.plan(queue(0.4, 0.015), ["none"], objectives=[Objective(quantity="p90", limit=high * 1.001)], **ASKED)
    assert again.feasible


def test_of_several_objectives_only_those_that_fail_are_told() -> None:
    case = queue(0.4, 0.015)
    case["tenants"]["t"]["slo"] |= {"mean": "500ms", "p50": "1ms"}
    nothing = ms.plan(case, ["none"], **ASKED).infeasible["none"]
    assert {kept.quantity for kept in nothing.nearest} == {"p90", "p50"}
