"""Plans beside theory: the fewest servers of M/M/c queues by Erlang's C, found without a screen."""

from __future__ import annotations

import math
from typing import Any

import pytest

import meshsim as ms
from meshsim.model.traffic import Objective

WORK_S = 0.01
MOST = 16
NO_NETWORK = dict.fromkeys(("loopback", "same_node", "same_zone", "cross_zone", "client"), "0ms")


def erlang_c(a: float, c: int) -> float:
    """Chance to wait in M/M/c with `a` erlangs (Erlang 1917)."""
    inverse = 1.0
    for n in range(1, c + 1):
        inverse = 1.0 + inverse * n / a  # of Erlang's B
    blocked = 1.0 / inverse
    return blocked / (1.0 - a / c * (1.0 - blocked))


def share_slower(a: float, c: int, limit_s: float) -> float:
    """P(sojourn > limit) in M/M/c, first come first served; 1 where the queue grows."""
    if a >= c:
        return 1.0
    wait, spare, t = erlang_c(a, c), c - a, limit_s / WORK_S
    if abs(spare - 1.0) < 1e-9:
        return math.exp(-t) * (1.0 + wait * t)
    return math.exp(-t) * (1.0 + wait / (spare - 1.0) * (1.0 - math.exp(-(spare - 1.0) * t)))


def limit_between(a: float, c: int) -> float:
    """Limit of which c servers keep 90 % and c - 1 do not: their shares are equally far from 10 %, as factors."""
    low, high = 0.0, 100.0 * WORK_S
    for _ in range(80):
        middle = (low + high) / 2
        if share_slower(a, c, middle) * share_slower(a, c - 1, middle) > 0.01:
            low = middle
        else:
            high = middle
    return low


def queue(a: float, limit_s: float) -> dict[str, Any]:
    endpoints = {"get": [{"work": {"exp": f"{WORK_S}s"}}]}
    return {
        "meshsim": 1,
        "services": {"queue": {"cpu": 1, "discipline": "fifo", "endpoints": endpoints}},
        "tenants": {"t": {"slo": {"p90": f"{limit_s:.9f}s"}}},
        "traffic": [{"name": "t", "tenant": "t", "entry": "queue.get", "arrivals": {"poisson": f"{a / WORK_S}/s"}}],
        "network": NO_NETWORK,
        "policy_defaults": "none",
    }


CASES = [
    (a, c) for a in (0.4, 0.9, 1.3, 1.7, 2.2, 2.8, 3.4, 4.3, 5.1, 6.5) for c in (math.floor(a) + 1, math.floor(a) + 2)
]


@pytest.mark.parametrize(("a", "c"), CASES)
def test_the_fewest_cores_are_those_of_erlang_s_c(a: float, c: int) -> None:
    """20 M/M/c queues: with c servers the objective holds, with c - 1 it does not."""
    limit_s = limit_between(a, c)
    assert share_slower(a, c, limit_s) < 0.1 < share_slower(a, c - 1, limit_s)
    found = ms.plan(
        queue(a, limit_s),
        ["none"],
        choices={"services.queue.cpu": [str(n) for n in range(1, MOST + 1)]},
        lose=0,
        ceiling=1.0,
        most_replicas=1,
        screen=False,
        growth=False,
        quiet=True,
    )
    assert found["none"].choice == {"services.queue.cpu": str(c)}
    kept = found["none"].tightest
    assert kept.within is not None and kept.within.low is not None and kept.within.high is not None
    assert kept.within.low <= 1.0 - share_slower(a, c, limit_s) <= kept.within.high + 0.01


@pytest.mark.parametrize(("rate_per_s", "limit_s"), [(150.0, 0.040), (270.0, 0.060), (375.0, 0.036), (520.0, 0.080)])
def test_the_fewest_replicas_of_a_random_split_are_those_of_m_m_1(rate_per_s: float, limit_s: float) -> None:
    """Each of n replicas is M/M/1 at 1/n of the load: P(sojourn > t) = exp(-(mu - lambda/n) t)."""
    exact = rate_per_s / (1.0 / WORK_S - math.log(10.0) / limit_s)
    n = math.ceil(exact)
    found = ms.plan(queue(rate_per_s * WORK_S, limit_s), ["none"], lose=0, ceiling=1.0, growth=False, quiet=True)
    assert 0.25 < n - exact < 0.75, "too near to a whole number to be decided by simulation"
    assert found["none"].needed == {"queue": n}
    less = found["none"].steps[0].less
    assert less is not None and not less.holds


def test_a_written_warm_up_and_a_tenant_who_sends_little_make_runs_longer() -> None:
    """Probes are as short as they may be; what is cut off, and what is seldom, needs its time."""
    case = queue(0.5, 0.2)
    case["run"] = {"warmup": "15s", "duration": "20s"}
    case["tenants"]["rare"] = {"slo": {"p90": "500ms"}}
    case["traffic"].append({"name": "rare", "tenant": "rare", "entry": "queue.get", "arrivals": {"poisson": "1/s"}})
    found = ms.plan(case, ["none"], lose=0, growth=False, quiet=True)
    assert found.feasible
    assert found.duration_s == pytest.approx(15.0 + 30.0)  # three of a tenth of one request a second


def counts_of(case: dict[str, Any], **arguments: Any) -> dict[str, int]:
    found = ms.plan(case, ["none"], **{"lose": 0, "growth": False, "quiet": True, **arguments})
    return dict(found["none"].needed)


def test_a_plan_is_for_a_fixed_number_whatever_autoscales() -> None:
    """An autoscaler's room is no floor and no ceiling of a plan."""
    case = queue(1.5, 0.040) | {"run": {"warmup": "2s"}}
    fixed = counts_of(case)
    case["services"]["queue"] |= {"autoscale": {"min": 1, "max": 2, "target": "60%"}, "replicas": 1}
    assert counts_of(case) == fixed and fixed["queue"] > 2
    assert counts_of(case, engine="analytic") == counts_of(queue(1.5, 0.040), engine="analytic")
    found = ms.plan(case, ["none"], lose=0, growth=False, quiet=True)
    assert "queue: the plan is for a fixed number of replicas, without the autoscaler" in found.notes


def test_what_is_free_can_be_planned() -> None:
    case = queue(1.5, 0.040)
    dear = counts_of(case)
    case["prices"] = {"cpu": "$0/core/h", "memory": "$0/GiB/h"}
    assert counts_of(case) == dear


def test_the_repeat_line_repeats_all_that_was_asked() -> None:
    """Read as Python it gives the same plan; what was left as it is by default is not in it."""
    asked: dict[str, Any] = {
        "objectives": [Objective(quantity="p90", limit=0.05)],
        "choices": {"services.queue.cpu": ["1", "2"]},
        "load": 1.2,
        "lose": 0,
        "ceiling": 0.7,
        "most_replicas": 9,
        "growth": False,
        "engine": "analytic",
        "overrides": ["run.duration=30s"],
    }
    topology = queue(1.5, 0.040)
    found = ms.plan(topology, ["none"], quiet=True, **asked)
    again = eval(found.command, {"meshsim": ms, "topology": topology, "Objective": Objective})
    assert again.to_dict()["architectures"] == found.to_dict()["architectures"]
    assert again.command == found.command
    assert all(f"{name}=" in found.command for name in asked)
    assert "verify" not in found.command and "prices" not in found.command
