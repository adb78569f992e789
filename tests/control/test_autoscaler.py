"""Autoscalers at work, on both engines at once: times by hand, draining, nodes, and laws."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import pytest
from controlled import Making, at, lowered, run

import meshsim as ms
from meshsim.control import Control
from meshsim.control.autoscaler import autoscaling_of
from meshsim.engines.record import OK, Look, Record

RULE: dict[str, Any] = {"min": 2, "max": 20, "target": "50%", "pod_start": "7s"}


def spec(rule: dict[str, Any] | None, *, work: Any = "100ms", rate: str = "10/s", **more: Any) -> dict[str, Any]:
    web: dict[str, Any] = {"cpu": 1, "endpoints": {"get": [{"work": work}]}, **more.pop("web", {})}
    if rule is not None:
        web["autoscale"] = rule
    return {
        "services": {"web": web},
        "traffic": [{"name": "w", "entry": "web.get", "arrivals": {"constant": rate}, "connections": "per_request"}],
        "run": {"warmup": "0s"},
        **more,
    }


def scaled(
    topology: dict[str, Any], seconds: float, makers: Sequence[Making] = (), architecture: str = "none", **more: Any
) -> Record:
    process = autoscaling_of(ms.load({"meshsim": 1, **topology}))
    assert process is not None
    return run(lowered(topology, architecture), [lambda _: process, *makers], seconds, **more)[0]


def scalings(record: Record, who: str = "web") -> list[tuple[float, str]]:
    return [(one.at_ns / 1e9, one.detail) for one in record.happenings if one.who == who and one.what == "scaled"]


def changes(record: Record, field: str, who: str = "web") -> list[tuple[float, int]]:
    """When a number changed, and to what."""
    last: dict[int, Look] = {look.at_ns: look for look in record.looks if look.service == who}
    found: list[tuple[float, int]] = []
    for at_ns, look in last.items():
        value = getattr(look, field)
        if not found or found[-1][1] != value:
            found.append((at_ns / 1e9, value))
    return found


def step(at_s: float, load: float) -> Making:
    return at(at_s, lambda control: control.set_load("w", load))


# -- times by hand -------------------------------------------------------------------------------------------------


def test_a_step_of_load_is_answered_when_metrics_pods_and_pace_allow() -> None:
    """One core at first, which two replicas have at 50 %; from 60 s on four, which need eight.

    75 s: metrics from 45 to 60 s; 50 %. 90 s: from 60 to 75 s; 100 % of two, so four, ready at 97 s. 105 and 120 s: the
    new ones' metrics begin before they were ready, so both use nothing: (100 + 100 + 0 + 0) / 4 = 50 %. 135 s: metrics
    from 105 to 120 s; about 100 % of four, so eight, ready at 142 s.
    """
    record = scaled(spec(RULE), 150.0, [step(60.0, 4.0)])
    assert scalings(record)[:2] == [(90.0, "2 -> 4"), (135.0, "4 -> 8")]
    assert changes(record, "ready")[:3] == [(0.0, 2), (97.0, 4), (142.0, 8)]
    assert changes(record, "provisioned")[:3] == [(0.0, 2), (90.0, 4), (135.0, 8)]
    seen = {look.at_ns // 10**9: look.utilization for look in record.looks if look.demand_cores is not None}
    assert (seen[15], seen[60], seen[75]) == (None, 0.5, 0.5) and seen[90] in (0.99, 1.0)


def test_what_is_provisioned_counts_from_scheduling_on_and_serves_from_readiness_on() -> None:
    record = scaled(spec(RULE), 150.0, [step(60.0, 4.0)])
    counters = record.services[0]
    assert counters["replicas_ns"].sum() == 1e9 * (2 * 90 + 4 * 45 + 8 * 15) + counters["replicas_ns"][-1]
    assert counters["working_ns"][:-1].sum() == 1e9 * (2 * 97 + 4 * 45 + 8 * 8)


def test_fresh_metrics_are_acted_on_an_interval_sooner() -> None:
    record = scaled(spec({**RULE, "metrics_delay": "0s"}), 100.0, [step(60.0, 4.0)])
    assert scalings(record)[0] == (75.0, "2 -> 4")
    late = scaled(spec({**RULE, "metrics_delay": "20s"}), 130.0, [step(60.0, 4.0)])  # 90 s: half of 55 to 70 s
    assert scalings(late)[0] == (90.0, "2 -> 4")
    later = scaled(spec({**RULE, "metrics_delay": "40s"}), 130.0, [step(60.0, 4.0)])  # 105 s: half of 50 to 65 s is old
    assert scalings(later)[0][0] == 105.0


def test_the_window_of_stabilisation_holds_it_up() -> None:
    """Down to a quarter at 100 s.

    Eight are recommended until 105 s, seven at 120 s (metrics from 90 to 105 s), then two.
    """
    rule = {**RULE, "scale_down_window": "120s"}
    record = scaled(spec(rule, rate="40/s", web={"replicas": 8}), 300.0, [step(100.0, 0.25)])
    assert scalings(record) == [(225.0, "8 -> 7"), (240.0, "7 -> 2")]


def test_no_pod_that_starts_is_chosen() -> None:
    """As many requests as ever reach the first two until the others are ready."""
    seen: list[tuple[int, ...]] = []

    def counts(control: Control) -> None:
        seen.append(tuple(control.answered("web", [number])[0] for number in range(4)))

    scaled(spec(RULE), 100.0, [step(60.0, 4.0), at(96.9, counts), at(99.9, counts)])
    assert seen[0][2:] == (0, 0) and seen[1][2] > 0 and seen[1][3] > 0


# -- pods that go --------------------------------------------------------------------------------------------------


def draining(drain: str, wait: str) -> Record:
    """Three pods of which two go at 60 s, each request waits."""
    rule = {"min": 1, "max": 3, "target": "50%", "scale_down_window": "0s", "drain": drain}
    topology = spec(rule, rate="20/s", web={"replicas": 3, "endpoints": {"get": [{"work": "1ms"}, {"wait": wait}]}})
    return scaled(topology, 120.0)


def test_draining_loses_no_request() -> None:
    record = draining("30s", "4s")
    assert scalings(record) == [(30.0, "3 -> 1")]
    assert changes(record, "ready") == [(0.0, 3), (30.0, 1)]
    assert changes(record, "provisioned") == [(0.0, 3), (34.0, 1)]  # the last request came at 29.95 s
    arrived = 20 * 120 - 1  # the last one comes when the duration is over
    assert record.counts.sum() == record.counts[..., OK].sum() == arrived


def test_what_drains_for_too_long_is_killed() -> None:
    record = draining("3s", "4s")
    assert changes(record, "provisioned") == [(0.0, 3), (34.0, 1)]  # it is noticed after a second
    kills = [one for one in record.happenings if one.what == "kills"]
    lost = record.counts.sum() - record.counts[..., OK].sum()
    assert len(kills) == 2 and lost == sum(int(one.detail.split()[-2]) for one in kills) > 0


def test_a_place_that_was_killed_serves_again() -> None:
    """Down to one at 30 s, killed at 31 s, and up again when the load comes back."""
    rule = {"min": 1, "max": 3, "target": "50%", "scale_down_window": "0s", "drain": "1s", "pod_start": "2s"}
    topology = spec(rule, rate="20/s", work="50ms", web={"replicas": 3})
    topology["services"]["web"]["endpoints"]["get"].append({"wait": "3s"})
    record = scaled(topology, 200.0, [step(0.0, 0.1), step(100.0, 1.0)])
    assert changes(record, "ready")[-1][1] >= 2
    assert record.requests is not None
    arrived = record.requests["arrival_ns"]
    assert set(record.requests["outcome"][(arrived > 110e9) & (arrived < 200e9)]) == {OK}


def test_the_youngest_goes_first_and_what_has_not_begun_before_it() -> None:
    rule = {**RULE, "pod_start": "1000s", "scale_down_window": "0s"}
    record = scaled(spec(rule), 200.0, [step(60.0, 4.0), step(100.0, 0.1)])
    assert changes(record, "ready") == [(0.0, 2)]
    assert changes(record, "wanted")[-1] == (changes(record, "wanted")[-1][0], 2)
    assert changes(record, "provisioned")[-1][1] == 2


# -- nodes ---------------------------------------------------------------------------------------------------------


def test_pods_wait_for_a_node_where_there_is_no_room() -> None:
    """Two pods on a node of three: of two more, one has room and the other one waits for 20 s."""
    rule = {**RULE, "max": 4, "nodes": {"provision": "20s", "unneeded": "60s"}, "scale_down_window": "30s"}
    record = scaled(spec(rule, nodes={"pods_per_node": 3}), 400.0, [step(60.0, 4.0), step(150.0, 1.0)])
    assert changes(record, "provisioned")[:3] == [(0.0, 2), (90.0, 3), (110.0, 4)]
    assert changes(record, "ready")[:3] == [(0.0, 2), (97.0, 3), (117.0, 4)]
    gone = next(at_s for at_s, pods in changes(record, "provisioned")[3:] if pods <= 3)
    assert changes(record, "nodes") == [(0.0, 1), (110.0, 2), (gone + 60.0, 1)]


def test_room_on_nodes_is_shared() -> None:
    """Pods of a service that does not scale take room too."""
    rule = {**RULE, "max": 4, "nodes": {"provision": "20s"}}
    topology = spec(rule, nodes={"pods_per_node": 5})
    topology["services"]["back"] = {"replicas": 3, "endpoints": {"get": [{"work": "1ms"}]}}
    topology["services"]["web"]["endpoints"]["get"].append({"call": "back.get"})
    record = scaled(topology, 120.0, [step(60.0, 4.0)])
    assert changes(record, "provisioned") == [(0.0, 2), (110.0, 4)]


# -- sidecars and gateways -----------------------------------------------------------------------------------------


def test_a_pod_is_its_service_and_its_sidecar() -> None:
    """Usage and requests are those of both: with a sidecar that requests a core, utilization halves."""
    mesh = {"sidecar": {"profile": "zero", "cpu": 1}}
    record = scaled(spec(RULE, mesh=mesh), 70.0, architecture="sidecar")
    seen = [look.utilization for look in record.looks if look.utilization is not None]
    assert set(seen) <= {0.24, 0.25}  # cut off
    first, beside = (record.services[number] for number in (0, 2))
    assert (first["replicas_ns"] == beside["replicas_ns"]).all()


def test_gateways_scale_too() -> None:
    mesh = {"gateway": {"cpu": 1, "cpu_per_request": "20ms", "profile": "envoy", "autoscale": RULE}}
    topology = spec(None, work="1ms", rate="20/s", mesh=mesh, web={"replicas": 4})
    record = scaled(topology, 150.0, [step(60.0, 4.0)], "gateway")
    assert scalings(record, "gateway")[0][0] == 90.0
    assert changes(record, "ready", "gateway")[1] == (97.0, changes(record, "wanted", "gateway")[1][1])
    assert not scaled(topology, 10.0).looks  # there is none to scale


# -- faults --------------------------------------------------------------------------------------------------------


def test_pods_that_are_down_have_no_metrics_and_hold_it_up() -> None:
    """Two of four at 10 %, and two down: (10 + 10 + 100 + 100) / 4 is 55 %."""
    rule = {**RULE, "min": 1, "scale_down_window": "0s"}

    def crash(control: Control) -> None:
        control.take_down("web", [0, 1])
        control.leave_endpoints("web", [0, 1])

    topology = spec(rule, work="20ms", web={"replicas": 4})
    held = scaled(topology, 100.0, [at(5.0, crash)])
    assert scalings(held) == []
    assert scalings(scaled(topology, 100.0))[0] == (30.0, "4 -> 1")


# -- laws ----------------------------------------------------------------------------------------------------------


def test_an_autoscaler_that_may_change_nothing_changes_nothing() -> None:
    """Looking moves the last bits of integrals of busy cores (rule G2), and nothing else."""
    rule = {"min": 3, "max": 3, "target": "50%"}
    topology = spec(rule, work={"exp": "100ms"}, rate="20/s")
    idle = scaled(topology, 60.0)
    bare, _ = run(lowered(spec(None, work={"exp": "100ms"}, rate="20/s", web={"replicas": 3})), [], 60.0)
    assert idle.requests is not None and bare.requests is not None
    assert (idle.requests == bare.requests).all()


@pytest.mark.parametrize("architecture", ["none", "gateway", "sidecar", "ambient-waypoint"])
@pytest.mark.parametrize("seed", range(3))
def test_requests_in_are_requests_out(architecture: str, seed: int) -> None:
    """With everything at once: caches, sessions, two services that scale, nodes, a burst and faults."""
    rule = {
        **RULE,
        "min": 1,
        "interval": "3s",
        "metrics_delay": "2s",
        "scale_down_window": "6s",
        "warm_up": "10s",
        "pod_start": {"exp": "4s"},
        "drain": "2s",
        "nodes": {"provision": "6s", "unneeded": "9s"},
    }
    page = [{"cache": {"name": "c", "key": "item", "miss": [{"call": "back.get", "timeout": "2s", "retries": 1}]}}]
    endpoints = {"get": [{"work": {"exp": "40ms"}}, *page]}
    topology = {
        "services": {
            "web": {"autoscale": rule, "caches": {"c": {"capacity": 30}}, "endpoints": endpoints},
            "back": {"autoscale": {**rule, "max": 4}, "endpoints": {"get": [{"work": {"exp": "50ms"}}]}},
        },
        "traffic": [
            {
                "name": "w",
                "entry": "web.get",
                "arrivals": {"poisson": "30/s"},
                "keys": {"item": {"zipf": {"items": 200, "exponent": 0.8}}},
            }
        ],
        "mesh": {"gateway": {"autoscale": {**rule, "target": "1%", "nodes": None}}},
        "nodes": {"pods_per_node": 3, "zones": ["a", "b"]},
        "run": {"warmup": "0s"},
    }
    del topology["mesh"]["gateway"]["autoscale"]["nodes"]  # type: ignore[index]
    makers = [
        step(15.0, 3.0),
        step(35.0, 0.2),
        at(20.0, lambda c: c.take_down("web", [0])),
        at(28.0, lambda c: c.bring_up("web", [0])),
    ]
    record = scaled(topology, 60.0, makers, architecture, seed=seed)
    assert record.requests is not None
    counted = record.requests[record.requests["arrival_ns"] < 60e9]
    assert record.counts.sum() == len(counted)
    assert len(scalings(record)) > 2
    for service in ("web", "back"):
        for look in record.looks:
            if look.service == service:
                assert 0 <= look.ready <= look.wanted <= 20 and look.ready <= look.provisioned
