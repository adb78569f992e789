"""Faults that overlap: what one of them leaves when another ends. Timelines are those of test_event_faults.py."""

from __future__ import annotations

import numpy as np
import pytest
from happening import case, constant, counts, fault, play
from scipy import stats

from meshsim.engines.record import CONNECT_FAILURE, E500, NO_HOST, OK, RESET, TIMEOUT

CPU = {"work": "10ms"}
FRESH = {"connections": {"requests": 1}}
BY_TURNS = {"policies": [{"name": "p", "in_app": "on", "load_balancer": "round_robin"}]}
WELL = (12.0, OK)
REFUSED = (2.0, CONNECT_FAILURE)
NOBODY = (0.0, NO_HOST)  # the client hears it at once


def test_factors_on_the_same_replica_multiply_and_each_ends_for_itself() -> None:
    """Half of the CPU from 0.1 to 0.3 s, a third of the speed from 0.2 to 0.4 s."""
    found = play(
        case(0.0, 0.12, 0.22, 0.32, 0.42, step=CPU),
        fault(0.1, 0.2, "f", cpu={"service": "a"}),
        fault(0.2, 0.2, "g", slow_node={"node": 0, "factor": 3}),
    )
    assert found.took == [WELL, (22, OK), (62, OK), (32, OK), WELL]
    waits = play(
        case(0.12, 0.22, 0.32, 0.42),
        fault(0.1, 0.2, "f", io={"service": "a", "factor": 2}),
        fault(0.2, 0.2, "g", io={"service": "a", "factor": 3}),
    )
    assert waits.took == [(22, OK), (62, OK), (32, OK), WELL]


def test_of_two_pauses_the_cpu_stands_still_until_both_are_over() -> None:
    """From 0.1 to 0.3 and from 0.2 to 0.4 s: what comes at 0.151 and at 0.351 s is done at 0.41 and 0.42 s."""
    found = play(
        case(0.0, 0.15, 0.35, 0.5, step=CPU, discipline="fifo"),
        fault(0.1, 0.2, "f", pause={"service": "a"}),
        fault(0.2, 0.2, "g", pause={"service": "a"}),
    )
    assert found.ends == [(12, OK), (411, OK), (421, OK), (512, OK)]


def test_a_pause_meets_the_first_replicas_alone() -> None:
    """Of ten requests by turns to two, the five of the first one wait until 0.3 s."""
    spec = case(*np.arange(0.1, 0.2, 0.01), replicas=2, stream={"connections": 4}) | BY_TURNS
    spec["services"]["a"] |= {"endpoints": {"e": [{"work": "1ms"}]}, "discipline": "fifo"}
    found = play(spec, fault(0.05, 0.25, pause={"service": "a", "replicas": 1}))
    assert sorted(at for at, _ in found.ends if at > 250) == [302, 303, 304, 305, 306]
    assert sum(took == 3.0 for took, _ in found.took) == 5


def test_spikes_multiply() -> None:
    found = play(
        constant(10, "6s"),
        fault(1.05, 2.0, "f", load_spike={"stream": "s", "factor": 2}),
        fault(2.05, 2.0, "g", load_spike={"stream": "s", "factor": 3}),
    )
    assert counts(found, 0.01, 1.05, 2.05, 3.05, 4.05, 5.05) == [10, 20, 60, 30, 10]


def test_latencies_add_up_and_losses_stay() -> None:
    found = play(
        case(0.12, 0.22, 0.32, 0.42),
        fault(0.1, 0.2, "f", latency={"service": "a", "delay": "5ms"}),
        fault(0.2, 0.2, "g", latency={"service": "a", "delay": "7ms"}),
    )
    assert found.took == [(22, OK), (36, OK), (26, OK), WELL]
    mixed = play(
        case(0.0),
        fault(1.0, 4.0, "f", latency={"service": "a", "delay": "5ms"}),
        fault(2.0, 4.0, "g", packet_loss={"service": "a", "share": "10%"}),
        fault(3.0, 4.0, "h", packet_loss={"service": "a", "share": "20%"}),
    )
    known = [(0.005, 0), (0.005, 0.1), (0.005, 0.28), (0, 0.28), (0, 0.2), (0, 0)]
    assert [args[2:] for _, name, args in mixed.acts if name == "impair_network"] == [
        (pytest.approx(late), pytest.approx(lost)) for late, lost in known
    ]


def test_the_larger_share_of_failures_says_how_they_look() -> None:
    """A fifth fail with 500; from 1 to 2 s everybody is refused; then it is a fifth again, until 3 s."""
    spec = case(*np.arange(0.0, 4.0, 0.001))
    found = play(
        spec,
        fault(0.0, 3.0, "f", dependency_down={"service": "a", "as": "500", "share": "20%"}),
        fault(1.0, 1.0, "g", certificate_expiry={"service": "a"}),
        engines=("compiled",),
    )
    by_second = [found.outcomes[i : i + 1000] for i in range(0, 4000, 1000)]
    for share in (by_second[0], by_second[2]):
        assert set(share) <= {OK, E500, CONNECT_FAILURE}
        assert stats.binomtest(share.count(E500), 1000, 0.2).pvalue > 1e-3
    assert set(by_second[1][:-1]) == {CONNECT_FAILURE}
    assert set(by_second[3]) == {OK}


def test_of_equal_shares_of_failures_the_newest_says_how_they_look() -> None:
    found = play(
        case(0.5, 1.5, 2.5, 3.5),
        fault(0.0, 3.0, "f", dependency_down={"service": "a", "as": "500"}),
        fault(1.0, 1.0, "g", dependency_down={"service": "a", "as": "reset"}),
    )
    assert found.took == [(2, E500), (2, RESET), (2, E500), WELL]


def test_independent_shares_of_failures_add_up() -> None:
    """30 % and 20 % of the rest: 44 %."""
    found = play(
        case(*np.arange(0.0, 2.0, 0.001)),
        fault(0.0, name="f", dependency_down={"service": "a", "share": "20%"}),
        fault(0.0, name="g", dependency_down={"service": "a", "share": "30%", "as": "reset"}),
        engines=("compiled",),
    )
    assert set(found.outcomes) == {OK, RESET}
    assert stats.binomtest(found.outcomes.count(RESET), 2000, 0.44).pvalue > 1e-3


def test_a_partition_that_was_made_twice_lasts_until_both_are_over() -> None:
    spec = case(0.12, 0.32, 0.42)
    spec["services"]["front"] = {"endpoints": {"e": [{"call": "a.e", "timeout": "30ms"}]}}
    spec["traffic"][0]["entry"] = "front.e"
    spec["nodes"] = {"zones": ["x", "y"]}
    found = play(
        spec,
        fault(0.1, 0.2, "f", partition={"zones": ["x", "y"]}),
        fault(0.2, 0.2, "g", partition={"zones": ["y", "x"]}),
    )
    assert found.outcomes == [TIMEOUT, TIMEOUT, OK]


def test_a_crash_ends_no_fault_of_the_cpu_nor_that_the_crash() -> None:
    """Slow from 0.5 to 20 s, down from 1 to 1.5 s; slow from 30 to 30.2 s, down from 30.1 to 30.3 s."""
    found = play(
        case(0.6, 1.2, 1.6, 20.5, 30.25, 30.35, step=CPU),
        fault(0.5, 19.5, "f", cpu={"service": "a"}),
        fault(1.0, name="g", crash={"service": "a", "restart": "500ms"}),
        fault(30.0, 0.2, "h", cpu={"service": "a"}),
        fault(30.1, name="i", crash={"service": "a", "restart": "200ms"}),
    )
    assert found.took == [(22, OK), REFUSED, (22, OK), WELL, REFUSED, WELL]


def test_who_crashed_behind_a_blackhole_is_silent_until_both_are_over() -> None:
    """Silent from 1 to 3 s, crashed from 2 to 4 s: refused in the last second only."""
    spec = case(1.5, 2.5, 3.05, 4.5, stream={"patience": "30ms"})
    silent = fault(1.0, 2.0, "f", blackhole={"service": "a"})
    found = play(spec, silent, fault(2.0, name="g", crash={"service": "a", "restart": "2s"}))
    assert found.took[:3] == [(30, TIMEOUT), (30, TIMEOUT), REFUSED]
    assert found.when("leave_endpoints") == [3110]  # the crash is noticed at 3 s
    assert found.when("join_endpoints") == [5110]
    assert found.took[3] == NOBODY


def test_names_that_do_not_resolve_bring_no_crashed_replica_back() -> None:
    """New connections are refused from 1 to 3 s, all from 2 to 4 s; and from 5 to 8 s, all from 6 to 7 s."""
    spec = case(1.5, 2.5, 3.05, 4.5, 5.5, 6.5, 7.5, 9.0, stream=FRESH)
    spec["control_plane"] = {"debounce": "10s"}  # so that nobody leaves the endpoints
    found = play(
        spec,
        fault(1.0, 2.0, "f", dns={"service": "a"}),
        fault(2.0, name="g", crash={"service": "a", "restart": "2s"}),
        fault(5.0, 3.0, "h", dns={"service": "a"}),
        fault(6.0, name="i", crash={"service": "a", "restart": "1s"}),
    )
    refused = {1.5, 2.5, 3.05, 5.5, 6.5, 7.5}
    assert found.outcomes == [
        CONNECT_FAILURE if time in refused else OK for time in (1.5, 2.5, 3.05, 4.5, 5.5, 6.5, 7.5, 9.0)
    ]
    kept = case(1.5, 2.5, 3.05, 4.5, 5.5, 6.5, 7.5, 9.0) | {"control_plane": spec["control_plane"]}
    down = play(
        kept,
        fault(1.0, 2.0, "f", dns={"service": "a"}),
        fault(2.0, name="g", crash={"service": "a", "restart": "2s"}),
        fault(5.0, 3.0, "h", dns={"service": "a"}),
        fault(6.0, name="i", crash={"service": "a", "restart": "1s"}),
    )
    assert down.took == [WELL, REFUSED, REFUSED, WELL, WELL, REFUSED, WELL, WELL]


def test_two_crashes_are_over_with_the_last_restart() -> None:
    found = play(
        case(2.5, 5.5, 7.0),
        fault(1.0, name="f", crash={"service": "a", "restart": "5s"}),
        fault(2.0, name="g", crash={"service": "a", "restart": "1s"}),
    )
    assert found.when("bring_up") == [6000]
    assert found.when("join_endpoints") == [7110]
    assert found.outcomes == [NO_HOST] * 3


def test_who_is_draining_does_not_come_back_into_the_endpoints_by_a_restart() -> None:
    """Drained from 1 s on, stopped at 21 s, back at 31 s; killed between 2 and 3 s."""
    found = play(
        case(0.5),
        fault(1.0, 30.0, "f", shutdown={"service": "a", "drain": "20s"}),
        fault(2.0, name="g", crash={"service": "a", "restart": "1s"}),
    )
    assert found.when("leave_endpoints") == [1110]
    assert found.when("join_endpoints") == [32_110]


def test_who_is_stopped_twice_is_chosen_again_when_both_are_over() -> None:
    """Drained from 1 s on and stopped from 21 to 31 s; drained from 5 s on and stopped from 45 to 65 s, too."""
    found = play(
        case(0.5),
        fault(1.0, 30.0, "f", shutdown={"service": "a", "drain": "20s"}),
        fault(5.0, 60.0, "g", shutdown={"service": "a", "drain": "40s"}),
    )
    assert found.when("leave_endpoints") == [1110]
    assert found.when("join_endpoints") == [66_110]
    assert (found.when("take_down"), found.when("bring_up")) == ([21_000, 45_000], [31_000, 65_000])


def test_a_sidecar_that_is_down_for_itself_does_not_come_up_with_its_replica() -> None:
    """All in the zone are silent until 4 s; the replica crashes from 2 to 3 s, its sidecar is silent still."""
    spec = case(3.05, 4.5, stream={"patience": "30ms"}) | {"mesh": {"sidecar": {"profile": "zero"}}}
    spec["nodes"] = {"zones": ["x"]}
    found = play(
        spec,
        fault(1.0, 3.0, "f", zone_loss={"zone": "x"}),
        fault(2.0, name="g", crash={"service": "a", "restart": "1s"}),
        architecture="sidecar-only",
    )
    assert found.when("bring_up", "a") == found.when("bring_up", "sidecar@a") == [4000]
    assert found.when("leave_endpoints") == [3110]  # the crash is noticed at 3 s, whatever hides it
    assert found.outcomes == [TIMEOUT, NO_HOST]
