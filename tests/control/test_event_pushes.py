"""What the control plane does with a push, what each mistake does to requests, and how it is taken back.

Timelines are worked out by hand. Under a gateway a request is 1 ms from it, and that 1 ms from its replica, where it
takes 10 ms: 14 ms in all. The gateway knows one cluster: a push to it takes 5.02 ms of the control plane's CPU, 100 ms
after the last change, and arrives 10 ms later: 115.02 ms.
"""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
from happening import (
    Played,
    behind_gateway,
    fault,
    play,
    play_again,
    prepared,
    push,
    tenants_x_and_y,
)
from scipy import stats

import meshsim as ms
from meshsim.architectures.shards import shuffle_shards
from meshsim.control.instances import in_scope
from meshsim.engines.record import (
    CONNECT_FAILURE,
    E503,
    OK,
    RATE_LIMIT,
    TIMEOUT,
)
from meshsim.model.changes import pushes_of

COST_MS, ACTIVE_MS = 5.02, 115.02
WELL = (14.0, OK)
HARMLESS = {"fault": {"slow_filter": {"cpu": "1ns"}}}
EXPIRED = {"fault": {"expired_certificate": {"to": "a"}}}
BROKEN = (2.0, CONNECT_FAILURE)
#: People who look each second, and act 3 s after an alarm.
QUICK = {"people": {"monitoring": "1s", "detect": "1s", "diagnose": "2s"}}


def configured(found: Played) -> list[tuple[float, int]]:
    """When a proxy began to act on which configuration."""
    return [(at / 1e6, args[1]) for at, name, args in found.acts if name == "configure"]


# -- the control plane -----------------------------------------------------------------------------------------------


def test_one_change_goes_out_when_nothing_has_changed_for_the_debounce() -> None:
    """Active at 1.11502 s: a request that reaches the gateway just before is well, the next one is not."""
    found = play(behind_gateway(1.114_019_999, 1.114_02), push(1.0, **EXPIRED), architecture="gateway")
    assert configured(found) == [(1000 + ACTIVE_MS, 1)]
    assert found.took == [WELL, BROKEN]
    assert found.notes("p") == [(1.0, "begins"), (1.115_02, "is out")]


def test_what_is_under_way_goes_on_under_the_old_configuration() -> None:
    found = play(behind_gateway(1.11), push(1.0, **EXPIRED), architecture="gateway")
    assert found.took == [WELL]


def test_a_burst_of_changes_is_one() -> None:
    """At 1, 1.05 and 1.1 s: nothing more until 1.2 s, and one push with all three."""
    events = [push(1.0 + 0.05 * i, f"p{i}", **HARMLESS) for i in range(3)]
    found = play(behind_gateway(0.5), *events, architecture="gateway")
    assert configured(found) == [(1100 + ACTIVE_MS, 7)]
    apart = [push(at, f"p{i}", **HARMLESS) for i, at in enumerate((1.0, 1.05, 1.3))]
    found = play(behind_gateway(0.5), *apart, architecture="gateway")
    assert configured(found) == [(1050 + ACTIVE_MS, 3), (1300 + ACTIVE_MS, 7)]


def test_each_of_two_pushes_is_out_when_the_proxy_has_that_one() -> None:
    """The first, sent at 1.1 s, arrives 1 s later; the second waits for it, and takes as long again."""
    spec = behind_gateway(0.5) | {"control_plane": {"delay": "1s"}}
    found = play(spec, push(1.0, "first", **HARMLESS), push(1.3, "second", **HARMLESS), architecture="gateway")
    assert configured(found) == [(2105.02, 1), (3110.04, 3)]
    assert found.notes("first")[-1] == (2.105_02, "is out")
    assert found.notes("second")[-1] == (3.110_04, "is out")


def test_a_burst_waits_no_longer_than_the_most() -> None:
    """120 ms after the first: at 1.12 s, with all three."""
    events = [push(1.0 + 0.05 * i, f"p{i}", **HARMLESS) for i in range(3)]
    spec = behind_gateway(0.5) | {"control_plane": {"debounce_max": "120ms"}}
    assert configured(play(spec, *events, architecture="gateway")) == [(1120 + ACTIVE_MS - 100, 7)]


def test_what_changes_while_a_push_is_under_way_is_debounced_like_any_other() -> None:
    """The first arrives at 1 + 0.1 + 0.00502 + 1 s; the second, of 1.5 s, is not in it, and comes for itself."""
    spec = behind_gateway(0.5) | {"control_plane": {"delay": "1s"}}
    found = play(spec, push(1.0, "p", **HARMLESS), push(2.08, "q", **HARMLESS), architecture="gateway")
    assert configured(found) == [(2105.02, 1), (2180 + 5.02 + 1000, 3)]


@pytest.mark.parametrize("cores", [0.5, 1, 3])
def test_the_cores_of_the_control_plane_push_one_after_another(cores: float) -> None:
    """The k-th of 12 gateways is told when ⌈k/cores⌉ pushes of a core are done; half a core is half as fast."""
    spec = behind_gateway(0.5, gateways=12) | {"control_plane": {"cores": cores}}
    found = play(spec, push(1.0, **HARMLESS), architecture="gateway")
    lanes, each_ms = max(1, int(cores)), COST_MS / min(cores, 1)
    assert [at for at, _ in configured(found)] == pytest.approx(
        [1100 + each_ms * -(-k // lanes) + 10 for k in range(1, 13)], abs=1e-6
    )


def test_no_more_pushes_are_under_way_than_the_throttle_allows() -> None:
    """20 for one core. With a way of 1 s, the 21st begins when the first has arrived: by rounds of 20."""
    spec = behind_gateway(0.5, gateways=50) | {"control_plane": {"delay": "1s"}}
    found = play(spec, push(1.0, **HARMLESS), architecture="gateway")
    expected = [1100 + (k % 20 + 1) * COST_MS + 1000 + (k // 20) * (COST_MS + 1000) for k in range(50)]
    assert [at for at, _ in configured(found)] == pytest.approx(expected, abs=1e-6)


def test_a_push_costs_cpu_for_each_cluster_that_the_proxy_knows() -> None:
    """A sidecar knows both services, one of them in two versions: 1 + (1 + 2) clusters."""
    spec = behind_gateway(0.5) | {"control_plane": {"cpu_per_proxy": "1ms", "per_cluster": "10ms", "delay": "0s"}}
    spec["services"]["b"] = {"versions": {"v1": {}, "v2": {}}, "endpoints": {"e": [{"wait": "1ms"}]}}
    spec["services"]["a"]["endpoints"]["e"].append({"call": "b.e"})
    found = play(spec, push(1.0, scope="service/a", **HARMLESS), architecture="sidecar-only")
    assert found.when("configure") == [1100 + 1 + 4 * 10]


def test_proxies_keep_what_they_have_while_the_control_plane_is_down() -> None:
    """Down from 0.5 to 30 s: told at 30 s without further ado, active 15.02 ms later."""
    spec = behind_gateway(1.5, 29.0, 30.1) | {"control_plane": {"down": [{"from": "500ms", "to": "30s"}]}}
    found = play(spec, push(1.0, **EXPIRED), architecture="gateway")
    assert configured(found) == [(30_015.02, 1)]
    assert found.took == [WELL, WELL, BROKEN]


def test_a_push_in_the_queue_waits_for_the_control_plane_too() -> None:
    """Three pushes of 1 s each from 1.1 s on; it goes down at 2 s: the one on its CPU ends, the others wait."""
    spec = behind_gateway(0.5, gateways=30)
    spec["control_plane"] = {"cpu_per_proxy": "1s", "per_cluster": "0s", "down": [{"from": "2s", "to": "50s"}]}
    found = play(spec, push(1.0, **HARMLESS), architecture="gateway")
    told = [at for at, _ in configured(found)]
    assert told[0] == 2110 and min(told[1:]) > 50_000
    assert len(told) == 30


@pytest.mark.parametrize(("down", "told"), [("50%", (1115.02, 1120.04)), ("100%", (5500.0,))])
def test_what_passes_gateways_needs_one_that_is_up(down: str, told: tuple[float, ...]) -> None:
    """One of two is down from 0.5 to 5.5 s, and the other one is told first or second; or both, and start with it."""
    spec = behind_gateway(0.1, gateways=2) | {"control_plane": {"behind": "gateway"}}
    crash = fault(0.5, crash={"service": "gateway", "replicas": down, "restart": "5s"})
    found = play(spec, crash, push(1.0, **HARMLESS), architecture="gateway")
    assert configured(found)[0][0] in told


def test_who_was_down_when_it_was_told_has_it_from_its_start_on() -> None:
    """Down from 0.9 to 5.9 s; the push of 1 s is out without it, and it acts on it at once when it starts."""
    crash = fault(0.9, crash={"service": "gateway", "restart": "5s"})
    found = play(behind_gateway(1.0, 8.0), crash, push(1.0, **EXPIRED), architecture="gateway")
    assert configured(found) == [(5900, 1)]
    assert found.took == [BROKEN, BROKEN]
    assert found.notes("p") == [(1.0, "begins"), (1.115_02, "is out")]


def test_a_pod_that_starts_brings_a_sidecar_with_the_newest_configuration() -> None:
    spec = behind_gateway(1.5, 8.0)
    crash = fault(0.9, crash={"service": "a", "restart": "5s"})
    found = play(spec, crash, push(1.0, **HARMLESS), architecture="sidecar-only")
    assert [at for at, _ in configured(found)] == [5900]


# -- who gets it -----------------------------------------------------------------------------------------------------


def shop() -> dict[str, Any]:
    """`front` calls `a` and `b`; six gateways, two tenants."""
    spec = behind_gateway(gateways=6) | {"tenants": {"x": {}, "y": {}}}
    for name in ("a", "b"):
        spec["services"][name] = {"replicas": 2, "endpoints": {"e": [{"wait": "1ms"}]}}
    spec["services"]["front"] = {"endpoints": {"e": [{"call": "a.e"}, {"call": "b.e"}]}}
    spec["mesh"]["ambient"] = {"profile": "zero"}
    arrivals = {"arrivals": {"trace": {"times": ["1s"]}}}
    spec["traffic"] = [{"name": t, "tenant": t, "entry": "front.e", **arrivals} for t in ("x", "y")]
    return spec


GATEWAYS = {("gateway", n) for n in range(6)}
SIDECARS = {("sidecar@a", 0), ("sidecar@a", 1), ("sidecar@b", 0), ("sidecar@b", 1), ("sidecar@front", 0)}
SHARD = {("gateway", n) for n in shuffle_shards(["x", "y"], 6, 2)["x"]}


@pytest.mark.parametrize(
    ("scope", "architecture", "expected"),
    [
        ("mesh", "gateway", GATEWAYS),
        ("mesh", "sidecar", GATEWAYS | SIDECARS),
        ("mesh", "sidecar-only", SIDECARS),
        ("mesh", "none", set()),
        ("gateway", "sidecar", GATEWAYS),
        ("gateway", "sidecar-only", set()),
        ("service/a", "sidecar", {("sidecar@a", 0), ("sidecar@a", 1)}),
        ("service/a", "gateway", GATEWAYS),
        ("service/a", {"mesh": "ambient", "waypoint": "per_service"}, {("waypoint@a", 0), ("waypoint@a", 1)}),
        ("service/a", "ambient-waypoint", {("waypoint@ns:default", 0), ("waypoint@ns:default", 1)}),
        ("tenant/x", "gateway", GATEWAYS),
        ("tenant/x", "sidecar", GATEWAYS | SIDECARS),
        ("tenant/x", {"ingress": "gateway", "shuffle": 2}, SHARD),
        ("tenant/x", {"mesh": "sidecar", "shuffle": 2}, SHARD | SIDECARS),
        ("cell/1", {"ingress": "gateway", "cells": 3}, {("gateway", 2), ("gateway", 3)}),
        ("cell/2", {"ingress": "gateway", "cells": 2}, set()),
        ("cell/0", "gateway", GATEWAYS),
        ("cell/0", {"ingress": "gateway", "cells": 2}, {("gateway", 0), ("gateway", 1), ("gateway", 2)}),
    ],
)
def test_whom_a_push_reaches(scope: str, architecture: Any, expected: set[Any]) -> None:
    found = play(shop(), push(1.0, scope=scope, **HARMLESS), architecture=architecture)
    assert {(args[0], args[2][0]) for _, name, args in found.acts if name == "configure"} == expected
    what = [what for _, what in found.notes("p")]
    assert what == (["begins", "is out"] if expected else ["has no effect"])


def in_scope_of(spec: dict[str, Any], fields: dict[str, Any], architecture: Any) -> set[Any]:
    topology = ms.load({"meshsim": 1, **spec, "events": [push(1.0, **fields)]})
    return set(in_scope(ms.lower(topology, architecture), pushes_of(topology.events)[0], 1))


@pytest.mark.parametrize(
    ("fields", "expected"),
    [
        ({"fault": {"expired_certificate": {"to": "a"}}}, {("sidecar@front", 0)}),
        ({"fault": {"short_timeout": {"to": "a"}}}, {("sidecar@front", 0)}),
        ({"set": {"policies.p.timeout": "1ms"}}, {("sidecar@front", 0)}),
        ({"fault": {"expired_certificate": {"to": "b"}}}, set()),  # of what it says of b, nothing is of calls to a
        ({"fault": {"crash_on_load": {}}}, set()),
        ({"fault": {"slow_filter": {}}}, set()),
        ({"set": {"mesh.sidecar.tls_handshake": "3us"}}, set()),
    ],
)
def test_what_is_about_calls_to_a_service_is_known_to_the_sidecars_of_its_callers(
    fields: dict[str, Any], expected: set[Any]
) -> None:
    spec = shop() | {"policies": [{"name": "p", "to": "a", "timeout": "10s"}]}
    found = in_scope_of(spec, {"scope": "service/a", **fields}, "sidecar")
    assert found == {("sidecar@a", 0), ("sidecar@a", 1)} | expected


def test_half_of_the_proxies_get_it_and_the_others_stay_stale() -> None:
    """Three of five gateways, for good; each refuses what it gets, a fifth of the requests each."""
    spec = behind_gateway(*np.arange(2.0, 4.0, 0.001), gateways=5, stream={"connections": 500})
    found = play(spec, push(1.0, reaches="50%", **EXPIRED), architecture="gateway", engines=("compiled",))
    stale = {args[2][0] for _, name, args in found.acts if name == "configure"}
    assert len(stale) == 3
    via = found.record.spans[found.record.spans["serial"] == 0]["replica"] - 1
    assert [outcome == CONNECT_FAILURE for outcome in found.outcomes] == [int(one) in stale for one in via]
    assert 0 < found.outcomes.count(OK) < 2000


def test_validation_catches_its_share_of_replications() -> None:
    spec = behind_gateway(1.2) | {"run": {"warmup": "0s", "duration": "2s"}}
    given = prepared(spec, push(1.0, validation="30%", **EXPIRED), architecture="gateway")
    runs = [play_again(*given, engines=("compiled",), replication=r, rows=False) for r in range(300)]
    caught = [[what for _, what in one.notes("p")] == ["is rejected"] for one in runs]
    assert stats.binomtest(sum(caught), 300, 0.3).pvalue > 1e-3
    few = [play_again(*given, replication=r) for r in range(5)]  # on both engines
    assert [one.outcomes == [OK] for one in few] == caught[:5]
    assert set(caught[:5]) == {True, False}


def test_two_pushes_are_validated_and_rejected_independently() -> None:
    """Each is caught with a chance of one half, so both with one of a quarter; so it is with proxies that reject."""
    spec = behind_gateway(1.2) | {"run": {"warmup": "0s", "duration": "2s"}}
    half = [push(1.0 + i / 10, name, validation="50%", **HARMLESS) for i, name in enumerate("pq")]
    given = prepared(spec, *half, architecture="gateway")
    runs = [play_again(*given, engines=("compiled",), replication=r, rows=False) for r in range(200)]
    both = sum(one.notes("p")[0][1] == one.notes("q")[0][1] == "is rejected" for one in runs)
    assert stats.binomtest(both, 200, 0.25).pvalue > 1e-3
    halves = [push(1.0 + i, name, rejected="50%", **HARMLESS) for i, name in enumerate("pq")]
    found = play(behind_gateway(1.2, gateways=200), *halves, architecture="gateway", engines=("compiled",))
    last = {args[2][0]: args[1] for _, name, args in found.acts if name == "configure"}
    assert stats.binomtest(sum(one == 3 for one in last.values()), 200, 0.25).pvalue > 1e-3


# -- mistakes --------------------------------------------------------------------------------------------------------


def with_mistake(kind: str, fields: dict[str, Any], *times_s: float, spec: Any = None, **more: Any) -> Played:
    """Requests before (at 0.5 s) and after (from 2 s on) a push of 1 s."""
    given = behind_gateway(0.5, *(times_s or (2.0,))) if spec is None else spec
    return play(given, push(1.0, fault={kind: fields}, **more), architecture="gateway")


def two_services(*times_s: float) -> dict[str, Any]:
    spec = behind_gateway(*times_s)
    spec["services"]["a"]["endpoints"]["slow"] = [{"wait": "30ms"}]
    spec["services"]["b"] = {"endpoints": {"e": [{"wait": "20ms"}]}}
    return spec


@pytest.mark.parametrize(("instead", "took"), [("a.slow", 34.0), ("b.e", 24.0)])
def test_a_wrong_route_leads_elsewhere(instead: str, took: float) -> None:
    found = with_mistake("wrong_route", {"to": "a.e", "instead": instead}, spec=two_services(0.5, 2.0))
    assert found.took == [WELL, (took, OK)]


def test_a_black_hole_answers_503_after_the_connect_timeout() -> None:
    found = with_mistake("blackhole", {"to": "a"}, 2.0, 3.0)
    assert found.took == [WELL, (10_002, E503), (10_002, E503)]
    assert with_mistake("blackhole", {"to": "a", "for": "1s"}).took == [WELL, (1002, E503)]


def test_a_wrong_weight_leads_to_the_other_version() -> None:
    spec = behind_gateway(0.5, 2.0, 3.0)
    versions = {"v1": {}, "v2": {"endpoints": {"e": [{"wait": "20ms"}]}}}
    spec["services"]["a"] |= {"versions": versions}
    spec["routes"] = [{"name": "r", "to": "a", "split": {"v1": 100, "v2": 0}}]
    found = with_mistake("wrong_weight", {"to": "a", "split": {"v1": 0, "v2": 100}}, spec=spec)
    assert found.took == [WELL, (24, OK), (24, OK)]


def test_a_timeout_that_is_too_short() -> None:
    assert with_mistake("short_timeout", {"to": "a", "timeout": "5ms"}).took == [WELL, (7, TIMEOUT)]


@pytest.mark.parametrize("attempts", [1, 3, 10])
def test_a_storm_makes_of_each_try_attempts_more(attempts: int) -> None:
    """All fails after 10 ms, which with the way is 12 ms a try."""
    spec = behind_gateway(0.5, 2.0, 2.5, 3.0)
    spec["services"]["a"]["endpoints"]["e"].append({"fail": {"p": 1, "as": 503}})
    found = with_mistake("retry_storm", {"to": "a", "attempts": attempts}, spec=spec)
    assert found.took == [(14, E503)] + [(2 + 12 * (attempts + 1), E503)] * 3
    at_a = int(found.record.services[0]["requests"].sum())
    assert at_a == 1 + 3 * (attempts + 1)


@pytest.mark.parametrize("brake", [{"budget": {"share": "20%", "min": 1}}, {}])
def test_a_storm_knows_neither_budget_nor_limit_nor_pause(brake: dict[str, Any]) -> None:
    """Written: retries of 1 in 5 of the requests, or three at a time, 25 ms apart."""
    spec = behind_gateway(*np.arange(2.0, 2.02, 0.001))
    spec["services"]["a"]["endpoints"]["e"] = [{"wait": "10ms"}, {"fail": {"p": 1, "as": 503}}]
    policy = {"name": "p", "to": "a", "retries": {"attempts": 2, "on": ["5xx"], **brake}}
    spec["policies"] = [policy if brake else policy | {"circuit_breaker": {"max_retries": 3}}]
    found = with_mistake("retry_storm", {"to": "a", "attempts": 4}, spec=spec)
    assert set(found.took) == {(62.0, E503)}


def test_a_limit_that_is_too_strict_turns_almost_all_away() -> None:
    """One a second: at 2 s the bucket is full, at 2.9 s it is not, at 3.002 s it is."""
    found = with_mistake("strict_limit", {"to": "a"}, 2.0, 2.001, 2.9, 3.002)
    assert found.took == [WELL, WELL, (2, RATE_LIMIT), (2, RATE_LIMIT), WELL]


def test_a_filter_takes_cpu_for_each_request() -> None:
    """50 ms on the CPU of the proxy. Of two at once on one thread the second waits 50 ms, and so does the first one's
    answer, which comes at 63 ms, until 101.
    """
    spec = behind_gateway(0.5, 2.0, 3.0, 3.0, gateway={"threads": 1})
    assert with_mistake("slow_filter", {"cpu": "50ms"}, spec=spec).took == [
        WELL, (64, OK), (102, OK), (114, OK)
    ]  # fmt: skip


def test_an_expired_certificate_refuses_connections_to_the_service_alone() -> None:
    spec = two_services(0.5, 2.0)
    spec["traffic"].append({**spec["traffic"][0], "name": "t", "entry": "b.e"})
    found = with_mistake("expired_certificate", {"to": "a"}, spec=spec)
    by_stream = {0: [WELL], 1: []}
    for (took, outcome), row in zip(found.took, found.record.requests, strict=True):
        by_stream.setdefault(int(row["stream"]), []).append((took, outcome))
    assert by_stream == {0: [WELL, WELL, BROKEN], 1: [(24.0, OK), (24.0, OK)]}


def test_another_key_of_a_cache_misses_what_is_there() -> None:
    """A hit at the gateway takes 2 ms. By item it is warm, by user it has to be filled once."""
    keys = {"item": {"uniform": {"items": 1}}, "user": {"uniform": {"items": 1}}}
    cache = {"cache": {"capacity": 9, "key": "item"}}
    spec = behind_gateway(0.5, 0.6, 2.0, 2.1, stream={"keys": keys}, gateway=cache)
    found = with_mistake("cache_key", {"key": ["user"]}, spec=spec)
    assert found.took == [WELL, (2, OK), WELL, (2, OK)]


def test_a_change_that_is_written_is_in_force_where_it_was_told() -> None:
    spec = behind_gateway(0.5, 2.0) | {"policies": [{"name": "p", "to": "a", "timeout": "10s"}]}
    found = play(spec, push(1.0, set={"policies.p.timeout": "5ms"}), architecture="gateway")
    assert found.took == [WELL, (7, TIMEOUT)]


@pytest.mark.parametrize("fields", [{"scope": "tenant/x"}, {"match": {"tenant": "x"}}])
def test_a_mistake_of_one_tenant_meets_its_requests_alone(fields: dict[str, Any]) -> None:
    spec = tenants_x_and_y([2.0, 3.0], [2.5, 3.5])
    found = play(spec, push(1.0, **fields, **EXPIRED), architecture="gateway")
    assert found.took == [BROKEN, WELL, BROKEN, WELL]


# -- taken back ------------------------------------------------------------------------------------------------------


def test_taking_back_restores_the_old_configuration_exactly() -> None:
    """Everything fails from 1.11502 s on; looked at at 2 s, known at 5 s: well again from 5.11502 s on."""
    spec = behind_gateway(0.5, 1.5, 4.9, 5.113, 5.114_02, 8.0) | QUICK
    found = play(spec, push(1.0, **EXPIRED), architecture="gateway")
    assert found.took == [WELL, BROKEN, BROKEN, BROKEN, WELL, WELL]
    assert configured(found) == [(1000 + ACTIVE_MS, 1), (5000 + ACTIVE_MS, 0)]


@pytest.mark.parametrize("kind", ["slow_filter", "short_timeout", "strict_limit", "retry_storm"])
def test_after_taking_back_all_is_as_if_nothing_had_been(kind: str) -> None:
    """From then on every request has the numbers of a run without the push."""
    fields: dict[str, Any] = {} if kind == "slow_filter" else {"to": "a"}
    later = [10.0 + 0.01 * i for i in range(50)]
    spec = behind_gateway(*(1.2 + 0.01 * i for i in range(50)), *later, step={"wait": {"exp": "10ms"}}) | QUICK
    spec["people"]["threshold"] = "1%"
    spec["services"]["a"]["endpoints"]["e"].append({"fail": {"p": 0.2, "as": 503}})
    calm, stirred = (play(spec, *events, architecture="gateway") for events in ((), (push(1.0, fault={kind: fields}),)))
    assert stirred.notes("p")[-1][1] == "is back"
    assert stirred.took[-50:] == calm.took[-50:]
    assert stirred.took[:50] != calm.took[:50]


def test_what_is_taken_back_on_its_way_is_back_when_it_has_come_and_gone() -> None:
    """Sent at 1.1 s with 1 s to go; people act at 1.5 s, for `b` fails: it arrives all the same, and goes 1 s later."""
    people = {"people": {"monitoring": "1500ms", "detect": "0s", "diagnose": "0s"}, "control_plane": {"delay": "1s"}}
    spec = behind_gateway(0.5) | people
    spec["services"]["b"] = {"endpoints": {"e": [{"fail": {"p": 1, "as": 500}}]}}
    spec["traffic"].append(
        spec["traffic"][0] | {"name": "z", "entry": "b.e", "arrivals": {"trace": {"times": ["1.3s"]}}}
    )
    found = play(spec, push(1.0, **HARMLESS), architecture="gateway")
    each_ms = COST_MS + 0.02  # two clusters
    assert configured(found) == [(2100 + each_ms, 1), (3100 + 2 * each_ms, 0)]
    assert found.notes("p") == [
        (1.0, "begins"), (1.5, "goes back"), (pytest.approx(3.1 + 2 * each_ms / 1e3), "is back")
    ]  # fmt: skip


def test_of_two_pushes_that_are_out_both_are_taken_back() -> None:
    spec = behind_gateway(0.5, 1.5, 8.0) | QUICK
    found = play(spec, push(0.9, "o", **HARMLESS), push(1.0, **EXPIRED), architecture="gateway")
    assert configured(found)[-1][1] == 0
    assert found.outcomes == [OK, CONNECT_FAILURE, OK]
    assert found.took[2] == WELL


# -- how far it reaches ------------------------------------------------------------------------------------------------


def calls_a_and_b(**streams: str) -> dict[str, Any]:
    """Streams of their own for what they enter."""
    spec = behind_gateway()
    del spec["services"]["a"]
    for name in ("a", "b"):
        spec["services"][name] = {"replicas": 2, "endpoints": {"e": [{"wait": "10ms"}]}}
        spec["services"][f"to-{name}"] = {"endpoints": {"e": [{"call": f"{name}.e"}]}}
    when = {"arrivals": {"trace": {"times": [f"{0.5 + i / 10}s" for i in range(20)]}}, "connections": 4}
    spec["traffic"] = [{"name": name, "entry": f"{name}.e", **when} for name in ("to-a", "to-b")]
    return spec


def failed_after_the_push(found: Played) -> dict[str, set[bool]]:
    """By stream: whether its requests from 1.3 s on failed."""
    names = [stream.name for stream, _ in found.plane.entries]
    result: dict[str, set[bool]] = {name: set() for name in names}
    for row, outcome in zip(found.record.requests, found.outcomes, strict=True):
        if row["arrival_ns"] >= 1_300_000_000:
            result[names[int(row["stream"])]].add(outcome != OK)
    return result


CRASH = {"fault": {"crash_on_load": {}}}


def test_a_mesh_wide_push_takes_every_sidecar_down() -> None:
    found = play(calls_a_and_b(), push(1.0, scope="mesh", **CRASH), architecture="sidecar-only")
    down = {args[:2] for _, name, args in found.acts if name == "take_down"}
    assert down == {
        (f"sidecar@{s}", (n,)) for s, many in (("a", 2), ("b", 2), ("to-a", 1), ("to-b", 1)) for n in range(many)
    }
    assert failed_after_the_push(found) == {"to-a": {True}, "to-b": {True}}


@pytest.mark.parametrize("fields", [CRASH, EXPIRED, {"fault": {"short_timeout": {"to": "a"}}}])
def test_a_push_for_one_service_fails_its_requests_alone_under_sidecars(fields: dict[str, Any]) -> None:
    found = play(calls_a_and_b(), push(1.0, scope="service/a", **fields), architecture="sidecar-only")
    assert failed_after_the_push(found) == {"to-a": {True}, "to-b": {False}}


def test_the_same_push_in_a_gateway_that_crashes_fails_everybody() -> None:
    found = play(calls_a_and_b(), push(1.0, scope="service/a", **CRASH), architecture="central")
    assert failed_after_the_push(found) == {"to-a": {True}, "to-b": {True}}
    routed = play(calls_a_and_b(), push(1.0, scope="service/a", **EXPIRED), architecture="central")
    assert failed_after_the_push(routed) == {"to-a": {True}, "to-b": {False}}


def test_of_shuffle_shards_only_those_are_lost_that_have_no_other_gateway() -> None:
    """Requests of one of eight tenants crash its gateways: gone are its own, and some of whoever shares one."""
    names = [f"t{n}" for n in range(8)]
    shards = shuffle_shards(names, 6, 2)
    spec = behind_gateway(gateways=6, replicas=4) | {"tenants": {name: {} for name in names}}
    when = {"arrivals": {"trace": {"times": [f"{1.3 + i / 100:.2f}s" for i in range(60)]}}}
    spec["traffic"] = [{"name": name, "tenant": name, "entry": "a.e", "connections": 40, **when} for name in names]
    mistake = {"scope": "tenant/t0", "fault": {"crash_on_request": {}}}
    found = play(spec, push(1.0, **mistake), architecture={"ingress": "gateway", "shuffle": 2})
    lost: dict[str, set[bool]] = {name: set() for name in names}
    for row, outcome in zip(found.record.requests, found.outcomes, strict=True):
        if row["arrival_ns"] > 1_500_000_000:  # both are down, and still among the endpoints
            lost[names[int(row["stream"])]].add(outcome != OK)
    common = {name: len({*shards[name]} & {*shards["t0"]}) for name in names}
    assert set(common.values()) == {0, 1, 2}
    assert lost == {name: {0: {False}, 1: {False, True}, 2: {True}}[common[name]] for name in names}
