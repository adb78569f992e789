"""Retries, step by step: budget, hedge, hosts to avoid, the time of a try, its connection (rules Y3 to Y5, Y9)."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
from builders import MS, ends_ms, outcomes, run, total
from test_policy_timelines import built, fails

from meshsim.architectures.plane import Plane
from meshsim.engines.record import OK

LIBRARY = 1  # number of the client's library after the one service


def asked(
    endpoints: dict[str, list[Any]], times_ms: dict[str, list[float]], *policies: dict[str, Any], replicas: int = 1
) -> Plane:
    """Requests for endpoints of one service at given times; policies for it, or for some of its endpoints."""
    traffic = [
        {"name": name, "entry": f"a.{name}", "arrivals": {"trace": {"times": [f"{at}ms" for at in times]}}}
        for name, times in times_ms.items()
        if times
    ]
    return built({"a": {"replicas": replicas, "endpoints": endpoints}}, {}, list(policies), traffic=traffic)


# -- budget ----------------------------------------------------------------------------------------------------


def budget(share: str, least: int = 0) -> dict[str, Any]:
    return {"attempts": 1, "on": ["5xx"], "backoff": "none", "budget": {"share": share, "min": least}}


@pytest.mark.parametrize(("held", "retried"), [(3, 0), (4, 1), (5, 1)])
def test_what_has_just_failed_counts_as_active(held: int, retried: int) -> None:
    """20 % of 4 + 1 is one retry, of 3 + 1 none: seen on Envoy's binary."""
    endpoints = {"hold": [{"wait": "1s"}], "bad": [fails()]}
    plane = asked(endpoints, {"hold": [0.0] * held, "bad": [10.0]}, {"retries": budget("20%")})
    record = run(plane, 0.5)
    assert [total(record, LIBRARY, name) for name in ("retries", "retries_refused")] == [retried, 1 - retried]


@pytest.mark.parametrize(("waiting", "retried"), [(3, 0), (4, 1), (8, 1)])
def test_tries_that_wait_for_a_connection_count_for_the_budget(waiting: int, retried: int) -> None:
    """One fails at 10 ms while others stand behind it: 20 % of 1 + 4 is one retry."""
    endpoints = {"bad": [{"wait": "10ms"}, fails()], "good": []}
    breaker = {"circuit_breaker": {"max_connections": 1, "max_pending": 100}, "retries": budget("20%")}
    record = run(asked(endpoints, {"bad": [0.0], "good": [1.0] * waiting}, breaker), 0.5)
    assert total(record, LIBRARY, "pending") == waiting + retried  # the retry stands in line, too
    assert total(record, LIBRARY, "retries") == retried


@pytest.mark.parametrize(("least", "retried"), [(0, 0), (1, 1), (3, 3)])
def test_the_floor_of_a_budget_counts_retries_in_back_off(least: int, retried: int) -> None:
    """Five fail one after another, with nothing else under way; each retry backs off for longer than that takes."""
    retries = {**budget("20%", least), "backoff": {"constant": "100ms"}}
    record = run(asked({"bad": [fails()]}, {"bad": [0.0, 1.0, 2.0, 3.0, 4.0]}, {"retries": retries}), 0.5)
    assert [total(record, LIBRARY, name) for name in ("retries", "retries_refused")] == [retried, 5 - retried]


# -- hedge -----------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(("backoff", "sent_ms"), [("none", 10.0), ({"constant": "20ms"}, 30.0)])
def test_a_hedge_waits_for_its_back_off(backoff: Any, sent_ms: float) -> None:
    """The first try takes longer than 10 ms; the second is sent after a back-off, as any retry."""
    retries = {"attempts": 1, "on": ["connect-failure"], "per_try": "10ms", "hedge": "on", "backoff": backoff}
    record = run(asked({"e": [{"wait": "100ms"}]}, {"e": [0.0]}, {"retries": retries}), 0.5, spans=True)
    tries = record.spans[record.spans["attempt"] >= 0]
    tries = tries[tries["replica"] == 0]
    assert (np.sort(tries["sent_ns"]) / MS).tolist() == [0.0, sent_ms]
    assert (ends_ms(record), outcomes(record)) == ([100.0], [OK])


# -- hosts -----------------------------------------------------------------------------------------------------


def test_all_hosts_tried_before_are_avoided() -> None:
    """Of three that fail each is tried once: the third try avoids the first host as well as the second."""
    retries = {
        "attempts": 2, "on": ["5xx"], "backoff": "none", "avoid_previous_hosts": "on", "host_attempts": 60,
    }  # fmt: skip
    policy = {"load_balancer": "random", "retries": retries}
    plane = asked({"e": [fails()]}, {"e": [10.0 * i for i in range(40)]}, policy, replicas=3)
    record = run(plane, 1.0, spans=True)
    tries = record.spans[(record.spans["attempt"] >= 0) & (record.spans["replica"] < 3)]
    assert len(tries) == 3 * 40
    hosts = np.sort(tries, order=["request", "attempt"])["replica"].reshape(40, 3)
    assert np.array_equal(np.sort(hosts, axis=1), np.tile([0, 1, 2], (40, 1)))


# -- connections -----------------------------------------------------------------------------------------------


@pytest.mark.parametrize(("per_try", "good"), [("100ms", True), ("50ms", False)])
def test_a_try_has_its_time_from_when_it_has_a_connection(per_try: str, good: bool) -> None:
    """Two of 60 ms, one connection: the second waits 60 ms first, which a limit of 100 ms does not count.

    With 50 ms both end too late, the second 50 ms after the first.
    """
    retries = {"attempts": 0, "on": ["5xx"], "per_try": per_try}
    breaker = {"circuit_breaker": {"max_connections": 1}, "retries": retries}
    record = run(asked({"e": [{"wait": "60ms"}]}, {"e": [0.0, 0.0]}, breaker), 0.5)
    assert [end == OK for end in outcomes(record)] == [good] * 2
    assert ends_ms(record) == ([60.0, 120.0] if good else [50.0, 100.0])


@pytest.mark.parametrize(
    ("first", "ends"),
    [
        ("late", [200.0, 200.0, 200.0]),  # all three closed theirs: both replicas open new ones
        ("refused", [200.0, 200.0, 200.0]),
        ("brief", [200.0, 200.0, 300.0]),  # idle ones stay open, two to the other replica: the third waits
        ("failing", [200.0, 200.0, 300.0]),
    ],
)
def test_a_try_that_is_given_up_closes_its_connection(first: str, ends: list[float]) -> None:
    """Two replicas in turn, three connections: three requests at once open 2 + 1, and three later need 1 + 2."""
    endpoints = {
        "late": [{"wait": "1s"}],
        "refused": [{"wait": "5ms"}, fails(reason="connect_failure")],
        "brief": [{"wait": "5ms"}],
        "failing": [{"wait": "5ms"}, fails()],
        "then": [{"wait": "100ms"}],
    }
    policies = (
        {"load_balancer": "round_robin", "circuit_breaker": {"max_connections": 3}},
        {"to": "a.late", "timeout": "10ms"},
    )
    plane = asked(endpoints, {first: [0.0, 0.0, 0.0], "then": [100.0, 100.0, 100.0]}, *policies, replicas=2)
    assert ends_ms(run(plane, 0.5))[3:] == ends
