"""What ordinary faults do to a run: when they begin, what they do, how they end, and what they leave to each other.

Timelines are worked out by hand. Requests stand 1 ms from their replica and take 10 ms there: 12 ms if all is well. It
is noticed after 1 s that a replica has exited and after 30 s that it is silent; the endpoints follow 110 ms later
(debounce and delay of the control plane), and 1 s + 110 ms after it is back.
"""

from __future__ import annotations

from dataclasses import replace
from itertools import pairwise
from typing import Any

import numpy as np
import pytest
from controlled import at, lowered, run
from happening import case, constant, counts, fault, play, play_again, times
from scipy import stats

import meshsim as ms
from meshsim.engines.record import CONNECT_FAILURE, E500, E503, NO_HOST, OK, RESET, TIMEOUT
from meshsim.errors import SpecError

CPU = {"work": "10ms"}
FRESH = {"connections": {"requests": 1}}
BY_TURNS = {"policies": [{"name": "p", "in_app": "on", "load_balancer": "round_robin"}]}
WELL = (12.0, OK)
REFUSED = (2.0, CONNECT_FAILURE)
NOBODY = (0.0, NO_HOST)  # the client hears it at once


# -- faults that last --------------------------------------------------------------------------------------------


def test_cpu_takes_a_share_from_the_first_replicas_while_it_lasts() -> None:
    found = play(case(0.0, 0.12, 0.25, step=CPU), fault(0.1, 0.1, cpu={"service": "a", "load": "75%"}))
    assert found.took == [WELL, (42, OK), WELL]
    assert found.notes("f") == [(0.1, "begins"), (0.2, "ends")]
    both = case(*np.arange(0, 1, 0.05), step=CPU, replicas=3, stream={"connections": 12}) | BY_TURNS
    took = [ms for ms, _ in play(both, fault(0.0, cpu={"service": "a", "replicas": "50%"})).took]
    assert sorted(took) == pytest.approx([12] * (20 - took.count(22)) + [22] * took.count(22))
    assert took.count(22) in (13, 14)  # two of three by turns


def test_what_began_under_a_fault_goes_on_as_it_began() -> None:
    """20 ms of work from 101 ms on, though the fault ends at 110."""
    found = play(case(0.1, 0.2, step=CPU), fault(0.05, 0.06, cpu={"service": "a", "load": 0.5}))
    assert found.took == [(22, OK), WELL]


def test_io_makes_waits_longer_and_leaves_work_alone() -> None:
    found = play(case(0.0, 0.1, 0.3), fault(0.05, 0.1, io={"service": "a", "factor": 3}))
    assert found.took == [WELL, (32, OK), WELL]
    mixed = case(0.1, 0.3)
    mixed["services"]["a"]["endpoints"]["e"] = [CPU, {"wait": "10ms"}]
    assert play(mixed, fault(0.05, 0.2, io={"service": "a", "factor": 3})).took == [(42, OK), (22, OK)]


def test_a_blackhole_answers_nobody_until_it_is_over() -> None:
    """Silent from 1 s to 41 s: out of the endpoints at 1 + 30.11 s, and in again at 41 + 1.11 s."""
    arrivals = (0.995, 1.0, 31.109_999, 31.11, 42.109_999, 42.11)
    spec = case(*arrivals, stream={"patience": "30ms"})
    found = play(spec, fault(1.0, 40.0, blackhole={"service": "a"}))
    assert found.took == [(30, TIMEOUT)] * 3 + [NOBODY] * 2 + [WELL]
    assert found.when("leave_endpoints") == [31_110]
    assert found.when("join_endpoints") == [42_110]


def test_faults_of_several_replicas_meet_and_leave_all_of_them() -> None:
    spec = case(*np.arange(0.0, 0.6, 0.01), replicas=3, stream={"patience": "50ms"})
    spec["policies"] = [{"name": "p", "in_app": "on", "load_balancer": "random"}]
    for kind in ({"blackhole": {"service": "a"}}, {"io": {"service": "a", "factor": 9}}):
        found = play(spec, fault(0.2, 0.2, **kind))
        during = [
            outcome for at, outcome in zip(np.arange(0.0, 0.6, 0.01), found.outcomes, strict=True) if 0.2 <= at < 0.395
        ]
        assert set(during) == {TIMEOUT}
        assert set(found.outcomes[:18] + found.outcomes[41:]) == {OK}


def test_a_silence_of_less_than_30_s_is_not_noticed() -> None:
    """Nor are two that make 30 s together."""
    spec = case(1.0, 10.5, 27.0, stream={"patience": "30ms"})
    first, second = (fault(begin, 9.0, name, blackhole={"service": "a"}) for name, begin in (("f", 0.5), ("g", 26.0)))
    found = play(spec, first, second)
    assert found.took == [(30, TIMEOUT), WELL, (30, TIMEOUT)]
    assert found.when("leave_endpoints") == []


def test_without_names_only_open_connections_go_on() -> None:
    """A fresh connection of a client takes 2 round trips more (TCP and TLS): 4 ms."""
    event = fault(0.05, 0.1, dns={"service": "a"})
    fresh = play(case(0.0, 0.1, 0.2, stream=FRESH), event)
    assert fresh.took == [(16, OK), (6, CONNECT_FAILURE), (16, OK)]
    assert play(case(0.0, 0.1, 0.2), event).took == [WELL] * 3


def test_latency_is_added_each_way() -> None:
    event = fault(0.05, 0.1, latency={"service": "a", "delay": "20ms"})
    assert play(case(0.0, 0.1, 0.2), event).took == [WELL, (52, OK), WELL]


def test_latency_of_a_service_is_that_of_its_sidecar_and_within_the_pod_there_is_none() -> None:
    """20 ms each way between the client and the sidecar: of 14 ms it makes 54."""
    spec = case(0.0, 0.1, 0.2) | {"mesh": {"sidecar": {"profile": "zero"}}}
    event = fault(0.05, 0.1, latency={"service": "a", "delay": "20ms"})
    assert play(spec, event, architecture="sidecar-only").took == [(14, OK), (54, OK), (14, OK)]


def test_packets_are_lost_with_their_share() -> None:
    """The same draws as a control process that says so itself; and the share of those who lost one each way."""
    arrivals = tuple(np.arange(0.0, 4.0, 0.002))
    found = play(case(*arrivals), fault(0.0, packet_loss={"service": "a", "share": "10%"}))
    by_hand, _ = run(
        lowered(case(*arrivals)), [at(0.0, lambda c: c.impair_network("a", loss=0.1))], 100.0, engines=("compiled",)
    )
    assert np.array_equal(found.record.requests, by_hand.requests)
    late = sum(ms > 200 for ms, _ in found.took)
    assert stats.binomtest(late, len(arrivals), 1 - 0.9**2).pvalue > 1e-3
    assert {round((ms - 12) % 200) for ms, _ in found.took} == {0}


@pytest.mark.parametrize(("connections", "kept"), [("all", REFUSED), ("new", WELL)])
def test_an_expired_certificate_refuses_all_or_new_connections(connections: str, kept: Any) -> None:
    event = fault(0.05, 0.1, certificate_expiry={"service": "a", "connections": connections})
    assert play(case(0.0, 0.1, 0.2), event).took == [WELL, kept, WELL]
    fresh = play(case(0.0, 0.1, 0.2, stream=FRESH), event)
    assert [outcome for _, outcome in fresh.took] == [OK, CONNECT_FAILURE, OK]


def test_the_certificate_of_a_service_with_a_sidecar_is_that_of_the_sidecar() -> None:
    """Clients connect to the sidecar: 4 ms for the connection, 2 ms within the pod."""
    spec = case(0.0, 0.1, 0.2, stream=FRESH) | {"mesh": {"sidecar": {"profile": "zero"}}}
    event = fault(0.05, 0.1, certificate_expiry={"service": "a", "connections": "new"})
    found = play(spec, event, architecture="sidecar-only")
    assert found.took == [(18, OK), (6, CONNECT_FAILURE), (18, OK)]


@pytest.mark.parametrize(
    ("skew", "kept", "fresh"),
    [
        ("1h", (2.0, E500), (6.0, E500)),
        ("24h", (2.0, E500), (6.0, E500)),  # as long as a certificate lasts
        ("25h", WELL, (6.0, CONNECT_FAILURE)),
    ],
)
def test_a_wrong_clock_refuses_tokens_and_later_certificates(skew: str, kept: Any, fresh: Any) -> None:
    event = fault(0.05, 0.1, time_travel={"service": "a", "skew": skew})
    assert play(case(0.0, 0.1, 0.2), event).took == [WELL, kept, WELL]
    assert play(case(0.1, 0.2, stream=FRESH), event).took == [fresh, (16, OK)]


def test_a_clock_that_is_wrong_by_the_leeway_is_noticed_by_nobody() -> None:
    with pytest.raises(SpecError, match="nobody would notice"):
        play(case(0.1), fault(0.05, time_travel={"service": "a", "skew": "5m"}))


def test_a_wrong_clock_of_one_replica_of_four_refuses_a_quarter_of_the_tokens() -> None:
    spec = case(*np.arange(0.0, 2.0, 0.001), replicas=4, stream={"connections": 40})
    found = play(spec, fault(0.0, time_travel={"service": "a", "replicas": 1}), engines=("compiled",))
    assert stats.binomtest(found.outcomes.count(E500), 2000, 0.25).pvalue > 1e-3


def test_a_slow_node_slows_all_that_stands_there_and_nobody_else() -> None:
    spec = case(0.1, 0.4, step=CPU)
    spec["services"]["b"] = {"endpoints": {"e": [CPU]}}
    spec["traffic"].append({"name": "t", "entry": "b.e", "arrivals": {"trace": {"times": times(0.1001, 0.4001)}}})
    spec["nodes"] = {"pods_per_node": 1}
    found = play(spec, fault(0.05, 0.2, slow_node={"node": 0, "factor": 4}))
    slow = "ab".index(next(s.name for s in found.plane.services if s.replicas[0].node == 0))
    nodes = {s.replicas[0].node for s in found.plane.services}
    took = dict(enumerate(found.took[:2]))
    assert [took[i] for i in (0, 1)] == [(42, OK) if i == slow or len(nodes) == 1 else WELL for i in (0, 1)]
    assert found.took[2:] == [WELL, WELL]
    elsewhere = play(spec, fault(0.05, 0.2, slow_node={"node": 7}))
    assert elsewhere.took == [WELL] * 4
    assert elsewhere.notes("f") == [(0.05, "begins"), (0.05, "has no effect")]


def test_a_batch_job_takes_its_share_while_it_runs_and_comes_again() -> None:
    """Half of the CPU from 50 to 150 ms, from 250 to 350, from 450 until the event ends at 500, and never again."""
    spec = case(0.02, 0.1, 0.2, 0.3, 0.4, 0.48, 0.52, step=CPU)
    job = {"node": 0, "load": 0.5, "lasts": "100ms", "gap": "100ms"}
    found = play(spec, fault(0.05, 0.45, batch_job=job))
    busy = (WELL[0] + 10.0, OK)
    assert found.took == [WELL, busy, WELL, busy, WELL, busy, WELL]
    assert found.notes("f") == [(0.05, "begins"), (0.5, "ends")]
    elsewhere = play(spec, fault(0.05, 0.2, batch_job={"node": 7}))
    assert elsewhere.notes("f") == [(0.05, "begins"), (0.05, "has no effect")]


def test_how_long_a_batch_job_runs_differs_from_time_to_time() -> None:
    """On for 1 in 3: requests of 10 ms at 20/s take 10 or 20 ms, the latter for a third of the time."""
    spec = case(*np.arange(0.0, 60.0, 0.05), step=CPU)
    job = {"node": 0, "lasts": {"exp": "200ms"}, "gap": {"exp": "400ms"}}
    found = play(spec, fault(0.0, batch_job=job), engines=("compiled",))
    slow = np.mean([took > WELL[0] + 5.0 for took, _ in found.took])
    assert 0.25 < slow < 0.42  # 100 times on and off: a standard deviation of 0.03


def test_a_lost_zone_is_silent_and_leaves_the_endpoints_after_30_s() -> None:
    """Three replicas in three zones; a request that went to the lost one gives up."""
    spec = case(*np.arange(0.0, 3.0, 0.05), 32.0, 32.1, 32.2, replicas=3, stream={"patience": "30ms"}) | BY_TURNS
    spec["nodes"] = {"zones": ["x", "y", "z"]}
    found = play(spec, fault(1.0, 33.0, zone_loss={"zone": "y"}))
    lost = next(i for i, one in enumerate(found.plane.service("a").replicas) if found.plane.zones[one.zone] == "y")
    assert found.when("take_down", "a", (lost,)) == [1000]
    assert found.when("leave_endpoints") == found.when("leave_endpoints", "a", (lost,)) == [31_110]
    assert found.when("join_endpoints") == [34_000 + 1110]
    assert found.outcomes[:20] == [OK] * 20
    silent = [i for i, outcome in enumerate(found.outcomes) if outcome == TIMEOUT]
    assert all(b - a == 3 for a, b in pairwise(silent)) and 20 <= silent[0] < 23
    assert len(silent) in (13, 14)  # of 40 by turns
    assert found.outcomes[-3:] == [OK] * 3


def test_a_partition_loses_what_is_sent_between_two_zones() -> None:
    spec = case(0.0, 0.1, 0.2)
    spec["services"]["front"] = {"endpoints": {"e": [{"call": "a.e", "timeout": "30ms"}]}}
    spec["traffic"][0]["entry"] = "front.e"
    spec["nodes"] = {"zones": ["x", "y"]}
    found = play(spec, fault(0.05, 0.1, partition={"zones": ["x", "y"]}))
    zones = {service.replicas[0].zone for service in found.plane.services}
    assert zones == {0, 1}, "the names of the services place them apart"
    assert found.took == [(14, OK), (32, TIMEOUT), (14, OK)]


def test_a_partition_of_zones_in_which_nothing_stands_does_nothing() -> None:
    spec = case(0.1) | {"nodes": {"zones": ["x", "y"]}}
    topology = ms.load({"meshsim": 1, **spec, "events": [fault(0.0, partition={"zones": ["x", "y"]})]})
    one_zone = replace(ms.lower(topology, "none"), zones=("x",))
    found = play_again(topology, one_zone)
    assert [what for _, what in found.notes("f")] == ["begins", "has no effect"]


def test_a_dependency_answers_with_a_failure() -> None:
    event = fault(0.05, 0.1, dependency_down={"service": "a", "as": "reset"})
    assert play(case(0.0, 0.1, 0.2), event).took == [WELL, (2, RESET), WELL]
    shared = play(
        case(*np.arange(0.0, 2.0, 0.001)), fault(0.0, dependency_down={"service": "a", "share": "30%"}),
        engines=("compiled",),
    )  # fmt: skip
    assert stats.binomtest(shared.outcomes.count(E503), 2000, 0.3).pvalue > 1e-3


def test_a_spike_brings_so_many_times_as_many_requests() -> None:
    """10/s: at 0.1, 0.2 …; the histogram's edges lie in between."""
    found = play(constant(10, "4s"), fault(1.05, 1.0, load_spike={"stream": "s", "factor": 5}))
    assert counts(found, 0.01, 1.05, 2.05, 3.05) == [10, 50, 10]


def cached(*times_s: float, **cache: Any) -> dict[str, Any]:
    """One item, 10 ms away."""
    step = {"cache": {"name": "c", "key": "item", "miss": [{"wait": "10ms"}]}}
    stream = {"keys": {"item": {"uniform": {"items": 1}}}}
    return case(*times_s, step=step, stream=stream, caches={"c": {"capacity": 9, **cache}})


def test_a_cold_cache_has_to_be_filled_again() -> None:
    found = play(cached(0.1, 0.2, 0.3, 0.4), fault(0.25, cold_cache={"service": "a"}))
    assert found.took == [WELL, (2, OK), WELL, (2, OK)]
    assert found.notes("f") == [(0.25, "begins"), (0.25, "ends")]


# -- faults that take replicas down --------------------------------------------------------------------------------


def test_a_crash_resets_refuses_leaves_and_comes_back() -> None:
    """Down at 1 s; out at 2.11; up at 11, in at 12.11."""
    found = play(
        case(0.995, 1.0, 2.109_999_999, 2.11, 12.109_999_999, 12.11), fault(1.0, crash={"service": "a"})
    )  # fmt: skip
    assert found.took == [(6, RESET), REFUSED, REFUSED, NOBODY, NOBODY, WELL]
    assert found.notes("f") == [(1.0, "begins"), (11.0, "ends")]


def test_a_crash_empties_the_caches_of_the_replica_and_not_those_that_all_share() -> None:
    """A hit takes 2 ms; in a shared cache, 1 ms away each way, 4 ms."""
    crash = fault(0.25, crash={"service": "a", "restart": "100ms"})
    assert play(cached(0.1, 0.2, 0.4, 0.5), crash).took == [WELL, (2, OK), WELL, (2, OK)]
    shared = play(cached(0.1, 0.2, 0.4, 0.5, shared="2ms"), crash)
    assert [took for took, _ in shared.took][1:] == [4.0] * 3
    spec = cached(*np.arange(0.1, 0.2, 0.01), 0.4, 0.41) | BY_TURNS
    spec["services"]["a"]["replicas"] = 2
    assert sorted(play(spec, crash).took[-2:]) == [(2, OK), WELL]  # the other one has kept its own


def test_who_is_back_before_it_was_noticed_never_left() -> None:
    found = play(case(1.0, 1.5), fault(1.0, crash={"service": "a", "restart": "500ms"}))
    assert found.took == [REFUSED, WELL]
    assert found.when("leave_endpoints") == []


def test_memory_fills_again_after_each_restart() -> None:
    """Killed at 1 + 10 s, back at 21, killed at 31, back at 41; the fault ends at 50, one second before the next."""
    spec = case(5.0, 10.995, 11.5, 22.2, 31.0, 42.2, 60.0)
    found = play(spec, fault(1.0, 49.0, memory={"service": "a"}))
    assert found.outcomes == [OK, RESET, CONNECT_FAILURE, OK, CONNECT_FAILURE, OK, OK]
    assert found.when("take_down") == [11_000, 31_000]
    assert found.when("bring_up") == [21_000, 41_000]
    assert found.notes("f")[-1] == (50.0, "ends")


def test_a_killer_comes_again_and_again_but_not_when_it_is_over() -> None:
    """At 1, 4, 7 s; the fault is over at 10, when it would come again. Nobody notices a rest of 1 s."""
    spec = case(0.995, 1.5, 2.0, 4.0, 5.0, 10.5)
    found = play(spec, fault(1.0, 9.0, process_killer={"service": "a", "every": "3s"}))
    assert found.took == [(6, RESET), REFUSED, WELL, REFUSED, WELL, WELL]
    assert found.when("take_down") == [1000, 4000, 7000]
    assert found.when("leave_endpoints") == []
    assert found.notes("f")[-1] == (10.0, "ends")


def two_by_turns() -> dict[str, Any]:
    """A request each ms, one replica after the other."""
    return case(*np.arange(0.5, 6.0, 0.001), replicas=2) | BY_TURNS


def chosen_first(found: Any, since_ms: int, upto_ms: int) -> int:
    """How many requests that arrived in a span of time went by turns to replica 0; at 500 ms the first one came."""
    first = int(found.record.spans["replica"][0])
    return sum((first + t - 500) % 2 == 0 for t in range(since_ms, upto_ms))


def test_a_stop_without_draining_resets_what_is_under_way_and_fails_until_it_is_noticed() -> None:
    """Stopped at 1 s: those of 989 … 998 ms are there. Until 2110 ms every second one of those that come is refused."""
    found = play(two_by_turns(), fault(1.0, shutdown={"service": "a", "drain": "0s", "restart": "2s"}))
    assert found.outcomes.count(RESET) == chosen_first(found, 989, 999) == 5
    assert found.outcomes.count(CONNECT_FAILURE) == chosen_first(found, 999, 2110)
    assert set(found.outcomes) == {OK, RESET, CONNECT_FAILURE}
    assert [found.when(act) for act in ("leave_endpoints", "take_down", "bring_up", "join_endpoints")] == [
        [2110], [1000], [3000], [4110]
    ]  # fmt: skip


def test_a_stop_with_draining_fails_nobody() -> None:
    """Out of the endpoints at 1.11 s, stopped at 2 s, back when the fault is over at 3.5 s, chosen at 4.61 s."""
    found = play(two_by_turns(), fault(1.0, 2.5, shutdown={"service": "a", "drain": "1s"}))
    assert set(found.outcomes) == {OK}
    assert [found.when(act) for act in ("leave_endpoints", "take_down", "bring_up", "join_endpoints")] == [
        [1110], [2000], [3500], [4610]
    ]  # fmt: skip
    arrived, replica = found.record.spans["sent_ns"] / 1e6, found.record.spans["replica"]
    out = (arrived >= 1110) & (arrived < 4610)
    assert set(replica[out]) == {1} and set(replica[~out]) == {0, 1}


def test_draining_that_is_too_short_resets_what_takes_longer() -> None:
    """10 s of work, 5 s of patience of the platform."""
    found = play(case(0.5, step={"wait": "10s"}), fault(1.0, shutdown={"service": "a", "drain": "5s"}))
    assert found.ends == [(6001, RESET)]
    assert [what for _, what in found.notes("f")] == ["begins", "stops"]  # it does not come back


def test_who_is_stopped_when_the_fault_is_over_comes_back_at_once() -> None:
    """Drained from 1 s until 6 s, for a fault of 2 s."""
    found = play(case(8.0), fault(1.0, 2.0, shutdown={"service": "a", "drain": "5s"}))
    assert (found.when("take_down"), found.when("bring_up")) == ([6000], [6000])
    assert found.took == [WELL]


def test_a_herd_comes_back_together_or_spread() -> None:
    spec = case(1.0, replicas=3)
    together = play(spec, fault(2.0, restart_herd={"service": "a", "restart": "5s"}))
    assert [together.when("bring_up", "a", (i,)) for i in range(3)] == [[7000]] * 3
    assert together.when("take_down") == [2000] * 3
    spread = play(spec, fault(2.0, restart_herd={"service": "a", "restart": "5s", "spread": "4s"}))
    assert [spread.when("bring_up", "a", (i,)) for i in range(3)] == [[7000], [9000], [11_000]]
    assert [spread.when("join_endpoints", "a", (i,)) for i in range(3)] == [[8110], [10_110], [12_110]]


def test_faults_of_proxies_that_are_not_there_do_nothing() -> None:
    for kind in ("crash", "blackhole", "dns", "shutdown", "memory"):
        found = play(case(2.0), fault(1.0, **{kind: {"service": "gateway"}}))
        assert found.took == [WELL]
        assert [what for _, what in found.notes("f")] == ["begins", "has no effect"], kind


def test_faults_of_waypoints_meet_all_of_them() -> None:
    spec = case(0.0, 0.1, 0.2) | {"mesh": {"ambient": {"profile": "zero"}, "gateway": {"profile": "zero"}}}
    spec["services"]["b"] = {"endpoints": {"e": [{"call": "a.e"}]}}
    spec["traffic"][0]["entry"] = "b.e"
    event = fault(0.05, 0.1, dependency_down={"service": "waypoint"})
    found = play(spec, event, architecture={"ingress": "gateway", "mesh": "ambient", "waypoint": "per_service"})
    assert found.outcomes == [OK, E503, OK]


def test_a_crash_of_waypoints_takes_all_of_them_down() -> None:
    spec = case(0.0, 2.0) | {"mesh": {"ambient": {"profile": "zero"}, "gateway": {"profile": "zero"}}}
    spec["services"]["b"] = spec["services"]["a"]
    spec["services"]["front"] = {"endpoints": {"e": [{"call": "a.e"}, {"call": "b.e"}]}}
    spec["traffic"][0]["entry"] = "front.e"
    ambient = {"ingress": "gateway", "mesh": "ambient", "waypoint": "per_service"}
    found = play(spec, fault(1.0, crash={"service": "waypoint", "replicas": "100%"}), architecture=ambient)
    assert {args[:2] for _, name, args in found.acts if name == "take_down"} == {
        (f"waypoint@{service}", (number,)) for service in "ab" for number in (0, 1)
    }
    assert found.outcomes[0] == OK != found.outcomes[1]


# -- the control plane -----------------------------------------------------------------------------------------------


def test_while_the_control_plane_is_down_proxies_keep_the_last_good_list() -> None:
    """Down from 2 to 50 s. A crash at 1.9 s is noticed at 2.9; at 50 s it is told; a restart at 60.9 as ever."""
    spec = case(1.95, 40.0, 50.009_999, 50.01, 63.0)
    spec["control_plane"] = {"down": [{"from": "2s", "to": "50s"}]}
    found = play(spec, fault(1.9, crash={"service": "a", "restart": "59s"}))
    assert found.outcomes == [CONNECT_FAILURE] * 3 + [NO_HOST, OK]
    assert found.when("leave_endpoints") == [50_010]
    assert found.when("join_endpoints") == [60_900 + 1110]


def test_a_change_that_is_undone_before_the_control_plane_is_back_is_told_to_nobody() -> None:
    spec = case(1.0)
    spec["control_plane"] = {"down": [{"from": "2s", "to": "50s"}]}
    found = play(spec, fault(1.9, crash={"service": "a", "restart": "20s"}))
    assert found.when("leave_endpoints") == found.when("join_endpoints") == []


def test_what_is_told_before_the_control_plane_goes_arrives() -> None:
    """A crash at 1 s is noticed at 2 s, debounced at 2.1 s: at the next nanosecond it is gone, and at that one too."""
    for since, leaves in (("2.100000001s", 2110), ("2.1s", 50_010)):
        spec = case(1.0) | {"control_plane": {"down": [{"from": since, "to": "50s"}]}}
        found = play(spec, fault(1.0, crash={"service": "a", "restart": "80s"}))
        assert found.when("leave_endpoints") == [leaves]


def test_debounce_and_delay_are_those_of_the_control_plane() -> None:
    spec = case(1.0) | {"control_plane": {"debounce": "2s", "delay": "500ms"}}
    found = play(spec, fault(1.0, crash={"service": "a"}))
    assert found.when("leave_endpoints") == [1000 + 1000 + 2500]
    assert found.when("join_endpoints") == [11_000 + 1000 + 2500]
