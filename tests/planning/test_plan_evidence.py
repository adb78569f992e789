"""What plans rest on: shared luck is counted as such, certainty needs no luck, nothing cheaper that held is left."""

from __future__ import annotations

import json
from typing import Any

import numpy as np
import pytest
from test_plans_beside_all import DURATION_S, MOST, small_case

import meshsim as ms
from meshsim.planning.probing import Kept, Probe, _is_hopeless
from meshsim.results.intervals import Estimate
from meshsim.results.quantiles import Counted, independent


@pytest.mark.parametrize("replications", [16, 32])
def test_requests_that_share_the_luck_of_their_run_are_worth_few(replications: int) -> None:
    """In every other run a fifth is slow: worth p (1 - p) / (s² / R), with s² = 0.01 R / (R - 1) from run to run."""
    counts = np.zeros((replications, 40, 2), dtype=np.int64)
    counts[..., 0] = 100
    counts[::2, :, 0], counts[::2, :, 1] = 80, 20
    found = independent(Counted(np.array([1000, 2000]), counts, np.zeros((replications, 40), dtype=np.int64)))
    assert found == pytest.approx(0.09 / (0.01 / (replications - 1)))


def shop(step: dict[str, Any]) -> dict[str, Any]:
    """A page that asks a store; both are hardly busy."""
    return {
        "meshsim": 1,
        "services": {
            "page": {"replicas": 2, "cpu": 1, "endpoints": {"get": [{"work": {"exp": "4ms"}}, step]}},
            "store": {"replicas": 2, "cpu": 1, "endpoints": {"get": [{"work": {"exp": "4ms"}}]}},
        },
        "tenants": {"t": {"slo": {"p90": "100ms", "availability": "99.9%"}}},
        "traffic": [{"name": "t", "tenant": "t", "entry": "page.get", "arrivals": {"poisson": "60/s"}}],
        "run": {"duration": "20s", "warmup": "1s"},
    }


def availability(found: ms.Plan) -> Any:
    return next(kept for kept in found["none"].probe.kept if kept.quantity == "availability")


def test_what_cannot_fail_needs_no_luck() -> None:
    """The same requests, all answered: with a timeout that is never reached only their number speaks for them."""
    sure = availability(ms.plan(shop({"call": "store.get"}), ["none"], lose=0, growth=False, quiet=True))
    assert (sure.estimate.value, sure.estimate.low, sure.judgement) == (1.0, 1.0, "met")
    slow = availability(
        ms.plan(shop({"call": "store.get", "timeout": "9s"}), ["none"], lose=0, growth=False, quiet=True)
    )
    assert slow.estimate.value == 1.0 and 0.999 <= slow.estimate.low < 1.0


@pytest.mark.parametrize("number", range(0, 50, 7))
def test_nothing_cheaper_that_was_found_to_hold_is_left(number: int) -> None:
    found = ms.plan(
        small_case(number), ["none"], lose=0, most_replicas=MOST, duration_s=DURATION_S, growth=False, quiet=True
    )
    for one in found.deployments.values():
        held = [sum(one.prices[name] * n for name, n in probe.counts.items()) for probe in one.looked if probe.holds]
        assert held and sum(one.prices[name] * n for name, n in one.needed.items()) <= min(held) * (1 + 1e-9)


def test_architectures_that_are_planned_at_once_get_the_same_plans() -> None:
    def planned(jobs: int) -> Any:
        words = ["none", "gateway", "sidecar"]
        found = ms.plan(shop({"call": "store.get"}), words, growth=False, verify=True, jobs=jobs, quiet=True)
        told = json.loads(json.dumps(found.to_dict()))
        told["manifest"].pop("timing")
        return told

    assert planned(1) == planned(2)


@pytest.mark.parametrize(
    ("value", "low", "high", "hopeless"),
    [
        (0.9910, 0.9886, 0.9920, True),  # with 64 instead of 16 the low end would be 0.9898
        (0.9910, 0.9896, 0.9920, False),  # 0.9903: it would be kept
        (0.9890, 0.9860, 0.9906, False),  # the high end 0.9898: it would be missed
        (0.9890, 0.9860, 0.9911, True),
        (1.0, 0.9650, 1.0, False),  # nothing missed: the bound would be 1 - 0.035 / 4 = 0.99125
        (1.0, 0.9590, 1.0, True),
    ],
)
def test_what_would_stay_undecided_is_given_up(value: float, low: float, high: float, hopeless: bool) -> None:
    within = Estimate(value, low, high, 10_000, "")
    kept = Kept("t", "p99", 0.1, "undecided", Estimate(0.099, 0.09, 0.12, 10_000, ""), within)

    def after(replications: int) -> bool:
        return _is_hopeless(Probe({}, (kept,), "", {}, 10_000, replications), 64)

    assert after(16) == hopeless
    assert not after(8), "eight are too few to give up"


def cached(**run: Any) -> dict[str, Any]:
    """A front with a cache in each replica, behind which there is nothing but a wait."""
    look = {"cache": {"name": "kept", "key": "item", "miss": [{"wait": "50ms"}]}}
    kept = {"kept": {"capacity": 1000, "ttl": "10s"}}
    return {
        "meshsim": 1,
        "services": {"front": {"cpu": 4, "caches": kept, "endpoints": {"get": [{"work": "0.2ms"}, look]}}},
        "tenants": {"t": {"slo": {"p80": "40ms"}}},
        "traffic": [
            {
                "name": "t",
                "tenant": "t",
                "entry": "front.get",
                "arrivals": {"poisson": "100/s"},
                "connections": "per_request",
                "keys": {"item": {"zipf": {"items": 100, "exponent": 0.0}}},
            }
        ],
        "run": {"duration": "60s", "warmup": "20s", **run},
    }


def test_what_is_bought_has_to_hold_as_well() -> None:
    """One cache hits 10 of 11 requests for an item a second; of four, each sees a quarter of them and hits 10 of 14."""
    alone = ms.plan(cached(), ["none"], lose=0, growth=False, quiet=True)
    assert alone["none"].needed == {"front": 1}
    spared = ms.plan(cached(), ["none"], lose=3, growth=False, quiet=True)
    assert not spared.feasible
    (kept,) = spared.infeasible["none"].nearest
    assert kept.within is not None and kept.within.value == pytest.approx(10 / 14, abs=0.01)
    assert "holds both with 3 of every service lost and with all replicas there" in spared.summary()


def test_a_plan_does_not_hang_on_the_replicas_that_are_written() -> None:
    """Twelve caches miss more than one: what is asked of the store then is no floor of what it needs behind one."""
    work = {"work": {"exp": "0.5ms"}}
    look = {"cache": {"name": "kept", "key": "item", "miss": [{"call": "back.get"}]}}

    def needed(written: int) -> Any:
        topology = cached(duration="40s", warmup="25s")
        kept = {"kept": {"capacity": 5000, "ttl": "20s"}}
        front = {"cpu": 1, "replicas": written, "caches": kept, "endpoints": {"get": [work, look]}}
        back = {"cpu": 1, "replicas": written, "endpoints": {"get": [{"work": {"exp": "20ms"}}]}}
        topology |= {"services": {"front": front, "back": back}, "tenants": {"t": {"slo": {"p90": "80ms"}}}}
        topology["traffic"][0] |= {
            "arrivals": {"closed": {"users": 400, "think": {"exp": "1s"}}},
            "keys": {"item": {"zipf": {"items": 800, "exponent": 0.0}}},
        }
        return ms.plan(topology, ["none"], lose=0, growth=False, quiet=True)["none"].needed

    assert needed(12) == needed(1)


def test_a_warm_up_comes_on_top_in_forecasts_too() -> None:
    topology = shop({"call": "store.get"})
    topology["run"] = {"duration": "20s", "warmup": "19s"}
    found = ms.forecast(topology, ["none"], months=1, crossover=False, quiet=True)
    planned = ms.plan(topology, ["none"], growth=False, quiet=True)
    assert found.courses["none", "base"].months[0].planned.needed == planned["none"].needed
