"""Services with several versions: planned with their versions as they are to each other."""

from __future__ import annotations

import math
from typing import Any

import pytest

import meshsim as ms
from meshsim.architectures import lower
from meshsim.costs.study import tariff_of
from meshsim.planning.deployment import deployed, parts_of

ASKED: dict[str, Any] = {"lose": 0, "growth": False, "quiet": True}


def shop(of_queue: dict[str, Any], per_s: float = 500.0) -> dict[str, Any]:
    """A queue, one request after the other, and who asks it."""
    return {
        "meshsim": 1,
        "services": {"queue": {"cpu": 1, "discipline": "fifo", **of_queue}},
        "tenants": {"t": {"slo": {"p90": "60ms"}}},
        "traffic": [
            {
                "name": "t",
                "tenant": "t",
                "entry": "queue.get",
                "arrivals": {"poisson": f"{per_s}/s"},
                "connections": "per_request",
            }
        ],
        "run": {"duration": "30s"},
    }


def work(mean: str) -> dict[str, Any]:
    return {"get": [{"work": {"exp": mean}}]}


def versions(**replicas: int) -> dict[str, Any]:
    return {"endpoints": work("10ms"), "versions": {name: {"replicas": count} for name, count in replicas.items()}}


def test_two_versions_that_do_the_same_need_half_as_many_of_each() -> None:
    """Requests are spread over all replicas, whatever their version is."""
    alike = ms.plan(shop({"endpoints": work("10ms")}), ["none"], **ASKED)["none"]
    pairs = ms.plan(shop(versions(a=1, b=1)), ["none"], **ASKED)["none"]
    assert alike.needed["queue"] > 6
    assert pairs.needed["queue"] == math.ceil(alike.needed["queue"] / 2)
    assert pairs.versions == {"queue": {"a": 1, "b": 1}}
    assert pairs.replicas == 2 * pairs.bought["queue"]
    assert pairs.prices["queue"] == pytest.approx(2 * alike.prices["queue"])


def test_the_smallest_numbers_of_the_same_ratio_count_as_one() -> None:
    """4 and 6 are 2 and 3, twice."""
    spec = ms.load(shop(versions(a=4, b=6)))
    (part,) = parts_of(spec, lower(spec, "none"), tariff_of(spec, None, None))
    assert (part.written, dict(part.versions)) == (2, {"a": 2, "b": 3})


def test_versions_of_other_sizes_do_not_make_a_plan_look_hopeless() -> None:
    """A tenth of a core that hardly works and four that do, half of the requests each: 3,000/s x 10 ms are 30 cores."""
    small = {"cpu": "100m", "endpoints": work("10us")}
    of_both = {"discipline": "ps", "endpoints": work("20ms"), "versions": {"a": small, "b": {"cpu": 4}}}
    case = shop(of_both, per_s=3000.0)
    case["tenants"]["t"]["slo"]["p90"] = "1s"
    found = ms.plan(case, ["none"], most_replicas=20, engine="analytic", **ASKED)["none"]
    assert found.needed["queue"] == math.ceil(3000.0 * 0.010 / 4 / 0.8)


@pytest.mark.parametrize("written", [{"stable": 3, "canary": 1}, {"stable": 6, "canary": 2}])
def test_versions_stay_to_each_other_as_they_are_written(written: dict[str, int]) -> None:
    spec = ms.load(shop(versions(**written)))
    (part,) = parts_of(spec, lower(spec, "none"), tariff_of(spec, None, None))
    assert (part.written, dict(part.versions), part.replicas) == (written["canary"], {"stable": 3, "canary": 1}, 4)
    there = deployed(spec, {"queue": 5}).services["queue"].versions
    assert {version.name: version.replicas for version in there} == {"stable": 15, "canary": 5}


def test_an_estimate_knows_how_many_there_are_of_each() -> None:
    """The slow version is the busiest; half of the replicas are of it, and get half of the requests."""
    case = shop(
        {
            "endpoints": work("10ms"),
            "versions": {
                "fast": {"replicas": 2, "endpoints": work("5ms")},
                "slow": {"replicas": 2},
            },
        },
        per_s=300.0,
    )
    found = ms.plan(case, ["none"], engine="analytic", **ASKED)["none"]
    (busy,) = (kept.estimate.value for kept in found.probe.kept if kept.quantity == "utilization")
    assert busy == pytest.approx(300.0 * 0.010 / (2 * found.needed["queue"]))


def test_a_plan_says_what_counts_as_one() -> None:
    found = ms.plan(shop(versions(stable=3, canary=1)), ["none"], **ASKED)
    one = found["none"]
    assert one.replicas == 4 * one.bought["queue"]
    told = found.summary()
    assert "queue (canary + 3 stable)" in told
    assert "1 of it is 1 canary and 3 stable" in told
    assert found.to_dict()["architectures"]["none"]["versions"] == {"queue": {"stable": 3, "canary": 1}}


def test_how_versions_are_to_each_other_may_be_chosen() -> None:
    choices = {"services.queue.versions.canary.replicas": ["1", "2"]}
    found = ms.plan(shop(versions(stable=3, canary=1)), ["none"], choices=choices, **ASKED)["none"]
    assert dict(found.choice) in ({path: text} for path, texts in choices.items() for text in texts)
