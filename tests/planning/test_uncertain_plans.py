"""Plans of uncertain inputs: replicas and regret of M/M/1 queues by hand, what is safe, and what is told of it."""

from __future__ import annotations

import json
import math
from typing import Any

import pytest
from test_plans_of_queues import WORK_S, queue

import meshsim as ms
from meshsim.planning.result import Plan

RATES_PER_S = (150.0, 270.0, 391.0)
LIMIT_S = 0.060
CPU, MEMORY = 0.03, 0.004  # dollars an hour for a core, and for a GiB
A_MONTH = 73_000  # cents a month for a dollar an hour
PATH = "traffic.t.arrivals.poisson"


def needed(rate_per_s: float, work_s: float = WORK_S) -> int:
    """Replicas of a random split, each M/M/1 at 1/n of the load: P(sojourn > t) = exp(-(mu - lambda/n) t)."""
    exact = rate_per_s / (1.0 / work_s - math.log(10.0) / LIMIT_S)
    assert 0.25 < math.ceil(exact) - exact < 0.75, "too near to a whole number to be decided by simulation"
    return math.ceil(exact)


def ranged(values: Any) -> dict[str, str]:
    return {key: f"{value}/s" for key, value in zip(("low", "mid", "high"), values, strict=True)}


def spec(rates_per_s: Any = RATES_PER_S) -> dict[str, Any]:
    one = queue(1.0, LIMIT_S)
    one["services"]["queue"]["memory"] = "1GiB"
    one["prices"] = {"cpu": f"${CPU}/core/h", "memory": f"${MEMORY}/GiB/h"}
    one["traffic"][0]["arrivals"] = {"poisson": ranged(rates_per_s)}
    return one


def plan(topology: Any, **more: Any) -> Plan:
    return ms.plan(topology, ["none"], **{"lose": 0, "ceiling": 1.0, "growth": False, "quiet": True, **more})


@pytest.fixture(scope="module")
def found() -> Plan:
    return plan(spec())


def test_regret_is_what_the_replicas_too_many_cost(found: Plan) -> None:
    """The plan for mid holds at low, where fewer would do, and misses at high."""
    at_low, at_mid, at_high = (needed(rate) for rate in RATES_PER_S)
    assert at_low < at_mid < at_high
    assert found["none"].needed == {"queue": at_mid}
    low, high = found.scenarios["none"]
    assert (low.name, low.changes) == (f"{PATH}=150.0/s", {PATH: "150.0/s"})
    assert low.holds and low.needed == low.bought == {"queue": at_low}
    assert low.regret == round((at_mid - at_low) * (CPU + MEMORY) * A_MONTH)
    assert low.cost == round(at_low * (CPU + MEMORY) * A_MONTH)
    assert not high.holds and high.regret is None and high.broken[0].whose == "t"
    assert high.needed == {"queue": at_high}


def test_safe_is_the_cheapest_that_holds_in_all(found: Plan) -> None:
    safe, at_mid, at_high = found.safe["none"], needed(RATES_PER_S[1]), needed(RATES_PER_S[2])
    assert safe.needed == {"queue": at_high}
    assert safe.more == round((at_high - at_mid) * (CPU + MEMORY) * A_MONTH) == safe.cost - safe.mid_cost


def test_what_is_told(found: Plan) -> None:
    told = found.summary()
    assert "1 uncertain input: the plan holds in 1 of 2 scenarios" in told
    safe = found.safe["none"]
    assert f"to be safe in all of them costs ${safe.more / 100:,.2f} a month more: queue 5 -> 7 needed" in told
    shown = json.loads(json.dumps(found.to_dict()))
    assert shown["asked"]["uncertain"] == {PATH: ["150.0/s", "270.0/s", "391.0/s"]}
    one = shown["architectures"]["none"]
    assert [row["holds"] for row in one["scenarios"]] == [True, False]
    assert one["scenarios"][0]["regret"] == found.scenarios["none"][0].regret
    assert one["safe"]["needed"] == {"queue": 7}


def test_the_plan_itself_is_that_of_the_middle(found: Plan) -> None:
    certain = spec()
    certain["traffic"][0]["arrivals"] = {"poisson": f"{RATES_PER_S[1]}/s"}
    other = plan(certain)
    assert not other.scenarios and not other.safe and not other.uncertain
    assert other["none"].needed == found["none"].needed and other["none"].cents == found["none"].cents
    assert other["none"].probe.kept == found["none"].probe.kept


def test_they_can_be_left_out() -> None:
    without = plan(ms.load(spec()), engine="analytic", uncertain=False)
    assert without["none"].needed and not without.scenarios and not without.safe and not without.uncertain


def test_several_inputs_alone_and_together_by_estimates() -> None:
    """Where it is slower, and where more comes, each needs more, and both together the most."""
    topology = spec()
    work = {"low": "8ms", "mid": "10ms", "high": "12ms"}
    topology["services"]["queue"]["endpoints"]["get"] = [{"work": {"exp": work}}]
    found = plan(topology, engine="analytic")
    names = [one.name for one in found.scenarios["none"]]
    path = "services.queue.endpoints.get.0.work.exp"
    assert names == [f"{path}=8ms", f"{path}=12ms", f"{PATH}=150.0/s", f"{PATH}=391.0/s", "all low", "all high"]
    counts = {one.name: (one.needed or {})["queue"] for one in found.scenarios["none"]}
    assert counts["all low"] <= counts[f"{PATH}=150.0/s"] <= found["none"].needed["queue"]
    assert found["none"].needed["queue"] <= counts[f"{path}=12ms"] <= counts["all high"]
    assert found.safe["none"].needed == {"queue": counts["all high"]}
    assert not any(one.requests for one in found.scenarios["none"])


def test_a_plan_that_is_safe_already_and_one_that_nothing_can_be() -> None:
    calm = plan(spec((100.0, 391.0, 391.0)), engine="analytic")
    assert [one.name for one in calm.scenarios["none"]] == [f"{PATH}=100.0/s"], "high is mid"
    assert calm.safe["none"].more == 0 and "this plan is safe in all of them" in calm.summary()
    wild = plan(spec((100.0, 270.0, 5000.0)), engine="analytic", most_replicas=10)
    low, high = wild.scenarios["none"]
    assert low.holds and not high.holds and high.needed is None and high.why
    assert not wild.safe
    assert f"nothing that was looked at is safe in all of them: there is no plan for {PATH}=5000.0/s" in wild.summary()


def test_objectives_prices_and_choices_may_be_uncertain() -> None:
    topology = spec()
    topology["tenants"]["t"]["slo"]["p90"] = {"low": "40ms", "mid": "60ms", "high": "90ms"}
    topology["prices"]["cpu"] = {"low": "$0.01/core/h", "mid": "$0.03/core/h", "high": "$0.09/core/h"}
    found = plan(topology, engine="analytic", choices={PATH: ["270/s"]})
    assert set(found.uncertain) == {"tenants.t.slo.p90", "prices.cpu"}, "the choice replaced the third"
    by_name = {one.name: one for one in found.scenarios["none"]}
    assert not by_name["tenants.t.slo.p90=40ms"].holds
    dear = by_name["prices.cpu=$0.09/core/h"]
    assert dear.regret == 0 and dear.cost == round(5 * (0.09 + MEMORY) * A_MONTH)


def test_of_many_inputs_those_that_matter_most_are_varied_alone() -> None:
    topology = spec()
    topology["services"]["queue"]["endpoints"]["get"] += [
        {"wait": {"low": f"{n}us", "mid": f"{10 * n}us", "high": f"{20 * n}us"}} for n in range(1, 10)
    ]
    found = plan(topology, engine="analytic")
    assert len(found.uncertain) == 10
    names = [one.name for one in found.scenarios["none"]]
    assert len(names) == 2 * 8 + 2 and names[-2:] == ["all low", "all high"]
    assert f"{PATH}=391.0/s" in names
    (note,) = (note for note in found.notes if "matter most" in note)
    assert note.endswith("services.queue.endpoints.get.1.wait, services.queue.endpoints.get.2.wait"), note
    assert len(found.scenarios["none"][-1].changes) == 10


def test_a_topology_that_was_changed_is_planned_for_mid_alone() -> None:
    changed = ms.load(spec()).model_copy(update={"call_depth": 9})
    found = plan(changed, engine="analytic")
    assert not found.scenarios
    assert any("the topology was changed after it was read" in note for note in found.notes)
