"""The load that a plan is for: what changes with time is held at its highest, by hand."""

from __future__ import annotations

import re
from typing import Any

import pytest
from test_plans_of_queues import queue

import meshsim as ms
from meshsim.errors import UsageError
from meshsim.model.traffic import Arrivals
from meshsim.planning.peak import at_peak

POINTS = [{"at": "0s", "rate": "30/s"}, {"at": "10s", "rate": "90/s"}, {"at": "20s", "rate": "15/s"}]
DAY = {"mean": "100/s", "peak": "180/s", "period": "24h", "peak_at": "14h"}
CHANGING: dict[str, tuple[Any, float]] = {
    "steps": ({"rate": POINTS}, 90.0),
    "lines between points": ({"rate": {"points": POINTS, "interpolate": "linear"}}, 90.0),
    "a spike": ({"spike": {"base": "20/s", "peak": "75/s", "at": "5s", "lasts": "2s"}}, 75.0),
    "a day": ({"rate": {"diurnal": DAY}}, 180.0),
}
STEADY: dict[str, Any] = {
    "poisson": {"poisson": "40/s"},
    "bursts": {"mmpp": {"rates": ["10/s", "90/s"], "stay": ["5s", "1s"]}},
}


def case(arrivals: Any) -> dict[str, Any]:
    topology = queue(0.4, 0.1)
    topology["traffic"][0]["arrivals"] = arrivals
    return topology | {"run": {"warmup": "2s", "duration": "30s"}}


@pytest.mark.parametrize("name", CHANGING)
@pytest.mark.parametrize("load", [1.0, 1.5])
def test_what_changes_is_held_at_its_highest(name: str, load: float) -> None:
    arrivals, most_per_s = CHANGING[name]
    held, notes = at_peak(ms.load(case(arrivals)), load)
    assert held.traffic[0].arrivals == Arrivals(kind="poisson", rate_per_s=most_per_s * load)
    assert notes == (f"t is held at its peak of {most_per_s:g}/s",)


@pytest.mark.parametrize("name", STEADY)
def test_what_only_scatters_stays(name: str) -> None:
    spec = ms.load(case(STEADY[name]))
    held, notes = at_peak(spec)
    assert (held.traffic, notes) == (spec.traffic, ())


def test_a_plan_is_for_the_peak() -> None:
    """As many replicas as for a Poisson process of the highest rate: three, not the two of the mean."""
    found = [
        dict(ms.plan(case(arrivals), ["none"], lose=0, growth=False, quiet=True)["none"].needed)
        for arrivals in (CHANGING["a day"][0], {"poisson": "180/s"})
    ]
    assert found[0] == found[1]
    assert found[0] == {"queue": 3}


def test_events_and_autoscalers_are_left_out() -> None:
    topology = case({"poisson": "40/s"})
    topology["services"]["queue"] |= {"autoscale": {"min": 1, "max": 2, "target": "60%"}, "replicas": 1}
    topology["events"] = [{"name": "dies", "at": "5s", "fault": {"crash": {"service": "queue", "restart": "4s"}}}]
    spec = ms.load(topology)
    assert spec.events and spec.autoscaled
    held, notes = at_peak(spec)
    assert (held.events, held.autoscaled) == ((), ())
    assert held.services["queue"].autoscale is None
    assert notes == (
        "the topology's events are left out",
        "queue: the plan is for a fixed number of replicas, without the autoscaler",
    )


def test_a_trace_has_no_rate_that_could_be_held() -> None:
    spec = ms.load(case({"trace": {"times": ["0s", "1s", "2s"]}}))
    with pytest.raises(UsageError, match=re.escape("traffic.t is a trace")):
        at_peak(spec)
