"""Pushes that take proxies down: crashes, back-off, memory that grows. Timelines are those of test_event_pushes.py."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
from happening import Played, behind_gateway, fault, play, push, tenants_x_and_y

from meshsim.engines.record import (
    CONNECT_FAILURE,
    NO_HOST,
    OK,
    RESET,
)

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


def test_crash_on_load_loops_with_doubling_back_off_until_it_is_taken_back() -> None:
    """It crashes at 1.11502 s and at each start: 10, 30 and 70 s later; taken back at 35 s, so the last one stands."""
    spec = behind_gateway(1.11, 1.2, 12.0, 80.0)
    spec["run"]["duration"] = "120s"
    spec["people"] = {"monitoring": "30s", "detect": "0s", "diagnose": "5s"}
    found = play(spec, push(1.0, fault={"crash_on_load": {}}), architecture="gateway")
    first = 1000 + ACTIVE_MS
    assert found.when("bring_up") == [first + 10_000, first + 30_000, first + 70_000]
    assert found.when("take_down") == [first, first + 10_000, first + 30_000]
    assert [number for _, number in configured(found)] == [1, 1, 1, 0]
    # out of the endpoints since 1 s + 110 ms after the crash, as it was never up for as long as that
    assert found.when("leave_endpoints") == [first + 1110]
    assert found.when("join_endpoints") == [first + 71_110]
    assert found.ends[0] == (1116.02, RESET)
    assert found.took[1:] == [BROKEN, (0, NO_HOST), WELL]
    assert found.notes("p") == [(1.0, "begins"), (1.115_02, "is out"), (35.0, "goes back"), (35.115_02, "is back")]


def test_a_pod_whose_sidecar_is_down_leaves_the_endpoints() -> None:
    """It crashes at 1.11502 s, which is noticed 1 s later and told after 110 ms; the replica itself is up."""
    spec = behind_gateway(0.5, 3.0)
    found = play(spec, push(1.0, scope="service/a", fault={"crash_on_load": {}}), architecture="sidecar-only")
    assert {args[0] for _, name, args in found.acts if name == "take_down"} == {"sidecar@a"}
    assert found.when("leave_endpoints") == found.when("leave_endpoints", "a") == [1000 + ACTIVE_MS + 1110]
    assert found.outcomes == [OK, NO_HOST]


def test_the_back_off_has_an_end() -> None:
    """10, 20 … 160, then 300 s each, as of a kubelet."""
    spec = behind_gateway(0.5)
    spec["run"]["duration"], spec["people"] = "1200s", {"monitoring": "5000s"}
    found = play(spec, push(1.0, fault={"crash_on_load": {}}), architecture="gateway", engines=("compiled",))
    waits = np.diff([found.when("take_down")[0], *found.when("bring_up")]) / 1e3
    assert waits.tolist() == pytest.approx([10, 20, 40, 80, 160, 300, 300])


def test_a_restart_may_take_longer_than_the_longest_back_off() -> None:
    spec = behind_gateway(0.5)
    spec["run"]["duration"], spec["people"] = "1000s", {"monitoring": "5000s"}
    found = play(spec, push(1.0, fault={"crash_on_load": {"restart": "400s"}}), architecture="gateway")
    assert np.diff([found.when("take_down")[0], *found.when("bring_up")]).tolist() == pytest.approx([400e3, 400e3])


def test_the_back_off_begins_anew_after_a_start_that_went_well() -> None:
    """The first crash of either push keeps it down for 10 s; it is up with the old configuration in between."""
    spec = behind_gateway(1.5, 1.9, 60.0) | QUICK
    spec["run"]["duration"] = "115s"
    loads = {"fault": {"crash_on_load": {}}}
    found = play(spec, push(1.0, "p", **loads), push(100.0, "q", **loads), architecture="gateway")
    first, second = 1000 + ACTIVE_MS, 100_000 + ACTIVE_MS
    assert found.outcomes[-1] == OK
    assert found.when("take_down")[:2] == [first, second]
    assert found.when("bring_up")[:2] == [first + 10_000, second + 10_000]


def test_a_proxy_that_starts_while_it_refuses_connections_has_the_newest_configuration() -> None:
    """Down from 0.9 to 5.9 s, and without its name until 20 s: it acts on the push of 1 s when it starts."""
    dns = fault(0.8, 19.2, "n", dns={"service": "gateway"})
    crash = fault(0.9, name="g", crash={"service": "gateway", "restart": "5s"})
    found = play(behind_gateway(8.0), dns, crash, push(1.0, **EXPIRED), architecture="gateway")
    assert configured(found) == [(5900, 1)]


def test_the_first_request_of_a_tenant_crashes_the_proxy_for_all() -> None:
    """Active at 1.11502 s. The bad one of 3.2 s takes it down at 3.201, which is seen at 4 s; it is up 10 s later.

    Then the next bad one of 20.3 s does it again, for 20 s from 21 s on.
    """
    good = [2.0, 3.1, 3.195, 3.3, 4.2, 15.2, 20.2, 20.4, 42.2]
    spec = tenants_x_and_y([0.5, 3.2, 20.3], good)
    found = play(spec, push(1.0, match={"tenant": "x"}, fault={"crash_on_request": {}}), architecture="gateway")
    by_tenant: dict[int, list[Any]] = {0: [], 1: []}
    for row, took in zip(found.record.requests, found.took, strict=True):
        by_tenant[int(row["stream"])].append(took)
    assert by_tenant[0] == [WELL, (2, RESET), (2, RESET)]
    assert by_tenant[1] == [
        WELL, WELL, (7, RESET), (2, CONNECT_FAILURE), (0, NO_HOST), WELL, WELL, (2, CONNECT_FAILURE), WELL
    ]  # fmt: skip
    assert found.when("bring_up") == [14_000, 41_000]
    assert found.when("leave_endpoints") == [4110, 21_110]
    assert found.when("join_endpoints") == [15_110, 42_110]


def test_who_crashed_just_before_the_mistake_was_taken_back_starts_all_the_same() -> None:
    """People act at 3 s, for `b` fails; it crashes at 3.001 s, and is told to go back at 3.1 s; noticed at 4 s."""
    spec = tenants_x_and_y([3.0], [2.0, 16.0])
    spec |= {"people": {"monitoring": "2s", "detect": "0s", "diagnose": "1s"}}
    spec["services"]["b"] = {"endpoints": {"e": [{"fail": {"p": 1, "as": 500}}]}}
    spec["traffic"].append(
        spec["traffic"][1] | {"name": "z", "entry": "b.e", "arrivals": {"trace": {"times": ["1.5s"]}}}
    )
    mistake = {"match": {"tenant": "x"}, "fault": {"crash_on_request": {}}}
    found = play(spec, push(1.0, **mistake), architecture="gateway")
    assert [(round(at_s, 2), what) for at_s, what in found.notes("p")[2:]] == [(3.0, "goes back"), (3.12, "is back")]
    assert found.when("take_down", "gateway") == [4000]
    assert found.when("bring_up") == [14_000]
    assert configured(found)[-1] == (14_000, 0)
    assert found.outcomes[-1] == OK


ROOM = {"memory": "10MiB", "memory_base": "0MiB"}  # for ten answers
GROWS = {"fault": {"memory_growth": {"per_request": "1MiB"}}}


def test_memory_grows_with_each_answer_until_the_limit() -> None:
    """The eleventh answer, of 2.164 s, is too much, which is seen at 3 s; back at 13 s."""
    spec = behind_gateway(*np.arange(1.15, 2.2, 0.1), 2.9, 3.5, 20.0, gateway=ROOM)
    found = play(spec, push(1.0, **GROWS), architecture="gateway")
    assert found.when("take_down") == [3000]
    assert found.when("bring_up") == [13_000]
    assert found.outcomes == [OK] * 12 + [CONNECT_FAILURE, OK]
    fewer = behind_gateway(*np.arange(1.15, 2.1, 0.1), 20.0, gateway=ROOM)
    assert play(fewer, push(1.0, **GROWS), architecture="gateway").when("take_down") == [21_000]


def test_what_has_grown_stays_when_another_push_comes() -> None:
    """Six answers before the second push, five after it."""
    spec = behind_gateway(*np.arange(2.0, 2.55, 0.1), *np.arange(5.0, 5.45, 0.1), gateway=ROOM)
    found = play(spec, push(1.0, **GROWS), push(4.0, "q", **HARMLESS), architecture="gateway")
    assert found.when("take_down") == [6000]
