"""Plans of small systems beside all that there are: every count of two services, simulated on the same seeds."""

from __future__ import annotations

import itertools
from typing import Any

import numpy as np
import pytest

import meshsim as ms
from meshsim.model.load import load
from meshsim.planning.asked import objectives_asked
from meshsim.planning.peak import at_peak
from meshsim.planning.probing import Prober, Question, probing
from meshsim.planning.study import MOST_REPLICATIONS
from meshsim.settings import settings_of
from meshsim.workers import here

MOST = 3
DURATION_S = 18.0  # of a replication, 3 of them cut off
CASES = 50


def small_case(number: int) -> dict[str, Any]:
    """Two services, the second behind a cache, retries, and an objective that is neither trivial nor impossible."""
    draw = np.random.default_rng(number)
    rate = float(draw.uniform(50, 220))
    front_ms, back_ms = draw.uniform(2, 7), draw.uniform(3, 12)
    miss = [{"call": "back.get", "retries": int(draw.integers(0, 3)), "timeout": f"{draw.uniform(60, 300):.0f}ms"}]
    look = {"cache": {"name": "kept", "key": "item", "miss": miss}}
    steps = [{"work": {"exp": f"{front_ms:.2f}ms"}}, look if draw.integers(2) else miss[0]]
    objective = {f"p{draw.choice([90, 95])}": f"{draw.uniform(4.0, 9.0) * (front_ms + back_ms):.1f}ms"}
    fail = [{"fail": {"p": 0.002, "as": "503"}}] if draw.integers(2) else []
    return {
        "meshsim": 1,
        "services": {
            "front": {
                "cpu": 1,
                "caches": {"kept": {"capacity": 400, "ttl": "10s"}},
                "endpoints": {"get": steps},
            },
            "back": {
                "cpu": float(draw.choice([0.5, 1, 2])),
                "endpoints": {"get": [{"work": {"exp": f"{back_ms:.2f}ms"}}, *fail]},
            },
        },
        "tenants": {"t": {"slo": objective}},
        "traffic": [
            {
                "name": "t",
                "tenant": "t",
                "entry": "front.get",
                "arrivals": {"poisson": f"{rate:.1f}/s"},
                "keys": {"item": {"zipf": {"items": 2000, "exponent": 1.0}}},
            }
        ],
        "policy_defaults": "istio",
        "run": {"duration": "30s", "warmup": "3s"},
    }


def replicas_of_the_best(case: dict[str, Any]) -> tuple[dict[str, int] | None, float, dict[str, float]]:
    """The cheapest counts that hold, of all; None if none does."""
    spec, _ = at_peak(load(case))
    objectives = objectives_asked(spec, ())
    settings = settings_of(
        spec,
        engine="compiled",
        seed=None,
        replications=8,
        duration_s=DURATION_S,
        warmup_s=None,
        jobs=1,
    )
    prober = Prober(spec, "none", probing(settings), Question(objectives, 0.8, MOST_REPLICATIONS), here(None))
    prices = {"front": 1.0, "back": float(case["services"]["back"]["cpu"])}
    holding = [
        counts
        for counts in ({"front": i, "back": j} for i, j in itertools.product(range(1, MOST + 1), repeat=2))
        if prober.probe(counts).holds
    ]
    best = min(holding, key=lambda counts: sum(prices[name] * n for name, n in counts.items()), default=None)
    return best, len(holding), prices


@pytest.mark.parametrize("shard", range(5))
def test_plans_are_at_most_one_replica_above_the_cheapest(shard: int) -> None:
    """Nowhere more than one replica in all; and where nothing holds, there is no plan."""
    feasible, above = 0, []
    for number in range(shard * CASES // 5, (shard + 1) * CASES // 5):
        case = small_case(number)
        best, _, _ = replicas_of_the_best(case)
        found = ms.plan(case, ["none"], lose=0, most_replicas=MOST, duration_s=DURATION_S, growth=False, quiet=True)
        assert found.feasible == (best is not None), number
        if best is not None:
            feasible += 1
            more = sum(found["none"].needed.values()) - sum(best.values())
            above.append(more)
            assert more <= 1, (number, found["none"].needed, best)
    assert feasible >= 4, "the cases are too easy or too hard to say anything"
