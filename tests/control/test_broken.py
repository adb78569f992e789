"""What single replicas and the network can suffer: timelines by hand, and theory (rules C7, G6, G11 to G13)."""

from __future__ import annotations

import math
import random
from dataclasses import replace
from typing import Any

import numpy as np
import pytest
from controlled import at, lowered, run
from scipy.stats import binomtest

import meshsim as ms
from meshsim.architectures.plane import Crash, Plane
from meshsim.control import Control
from meshsim.engines.impairments import sent_again_ns
from meshsim.engines.record import CONNECT_FAILURE, E503, NO_HOST, OK, RESET, TIMEOUT
from meshsim.errors import UsageError

STILL = dict.fromkeys(("loopback", "same_node", "same_zone", "cross_zone", "client"), "1ms")


def spec(*times_ms: float, step: Any = None, stream: Any = None, **service: Any) -> dict[str, Any]:
    """Requests at `a`, 1 ms away, 10 ms each."""
    times = [f"{time:g}ms" for time in times_ms]
    return {
        "services": {"a": {"endpoints": {"e": [step or {"wait": "10ms"}]}, **service}},
        "traffic": [{"name": "s", "entry": "a.e", "arrivals": {"trace": {"times": times}}, **(stream or {})}],
        "network": STILL,
        "policy_defaults": "none",
        "run": {"warmup": "0s"},
    }


def ends(record: Any) -> list[tuple[float, int]]:
    """When requests ended (ms), and how."""
    return [(row["end_ns"] / 1e6, int(row["outcome"])) for row in record.requests]


# -- endpoints ---------------------------------------------------------------------------------------------------


def test_who_has_left_the_endpoints_finishes_what_it_has_and_gets_no_more() -> None:
    """Both work at 15 ms; from then on one replica has all, until the other is back at 200."""
    by_turns = [{"name": "p", "in_app": "on", "load_balancer": "round_robin"}]
    case = spec(*range(0, 400, 10), replicas=2) | {"policies": by_turns}

    def leave(control: Control) -> None:
        control.leave_endpoints("a", [1])

    record, _ = run(lowered(case), [at(0.0155, leave), at(0.2005, lambda c: c.join_endpoints("a", [1]))], 1.0)
    assert {int(row["outcome"]) for row in record.requests} == {OK}
    replicas = [int(one) for one in record.spans["replica"]]
    assert sorted(replicas[:2]) == [0, 1]
    assert set(replicas[2:21]) == {0}
    assert replicas[21:].count(1) == pytest.approx(len(replicas[21:]) / 2, abs=1)


@pytest.mark.parametrize("architecture", ["none", "sidecar-only"])
def test_where_nobody_is_left_callers_hear_so_at_once(architecture: str) -> None:
    case = spec(0, 5, 10) | {"mesh": {"sidecar": {"profile": "zero"}}}
    case["services"] = {"front": {"endpoints": {"e": [{"call": "a.e"}]}}, **case["services"]}
    case["traffic"][0]["entry"] = "front.e"
    record, _ = run(
        lowered(case, architecture),
        [at(0.0045, lambda c: c.leave_endpoints("a")), at(0.0095, lambda c: c.join_endpoints("a"))],
        0.1,
    )
    way_ms = 2 if architecture == "none" else 6  # through the sidecar to `front` and to the sidecar again, and back
    assert [outcome for _, outcome in ends(record)] == [OK, NO_HOST, OK]
    assert ends(record)[1][0] == 5 + way_ms


def test_connections_that_were_pinned_to_who_is_out_lead_elsewhere_and_come_back() -> None:
    case = spec(*range(0, 3000), replicas=4, step={"wait": "1ms"})
    case["services"]["front"] = {"endpoints": {"e": [{"call": "a.e"}]}}
    case["traffic"][0]["entry"] = "front.e"
    leave, join = at(1.0, lambda c: c.leave_endpoints("a", [0, 2])), at(2.0, lambda c: c.join_endpoints("a"))
    plane = lowered(case)
    record, _ = run(plane, [leave, join], 3.0)
    spans = record.spans[record.spans["serial"] == 1]
    replicas, sent = spans["replica"], spans["sent_ns"]
    before, out, after = (replicas[(sent >= t * 10**9) & (sent < (t + 1) * 10**9)] for t in range(3))
    assert set(out) == {1, 3}
    assert len(set(before)) > 2
    assert set(after) == set(before)


# -- connections -------------------------------------------------------------------------------------------------


def test_refused_are_only_those_who_need_a_new_connection() -> None:
    """An own connection for each request: one round trip to open it, 2 ms, and one more for TLS."""
    case = spec(0, 20, 40, stream={"connections": {"requests": 1}})
    record, _ = run(
        lowered(case), [at(0.015, lambda c: c.refuse_connections("a")), at(0.035, lambda c: c.bring_up("a"))], 0.2
    )
    assert [outcome for _, outcome in ends(record)] == [OK, CONNECT_FAILURE, OK]
    kept = spec(0, 20, 40)
    record, _ = run(lowered(kept), [at(0.015, lambda c: c.refuse_connections("a"))], 0.2)
    assert [outcome for _, outcome in ends(record)] == [OK, OK, OK]


# -- time --------------------------------------------------------------------------------------------------------


def test_waits_take_longer() -> None:
    record, _ = run(lowered(spec(0, 20)), [at(0.015, lambda c: c.slow_waits("a", 3.0))], 0.2)
    assert ends(record) == [(12, OK), (20 + 2 + 30, OK)]


def test_cpu_of_one_replica_is_slow() -> None:
    case = spec(*range(0, 1000, 50), step={"work": "10ms"}, replicas=2, stream={"connections": 8})
    case["policies"] = [{"name": "p", "in_app": "on", "load_balancer": "round_robin"}]
    record, _ = run(lowered(case), [at(0.0, lambda c: c.slow("a", 2.0, [1]))], 2.0)
    took = sorted(int(row["end_ns"] - row["arrival_ns"]) // 10**6 for row in record.requests)
    assert took == [12] * 10 + [22] * 10


@pytest.mark.parametrize("discipline", ["ps", "fifo", "lifo"])
def test_a_cpu_that_stands_still_goes_on_where_it_was(discipline: str) -> None:
    """At 1 ms 10 ms of work come. It stands still from 5 to 25 ms, with 6 ms left: done at 31, told at 32.

    What comes at 8 ms has 10 ms of its own: alone from 31 to 41 (fifo, lifo); by turns, 12 ms later than it came to
    work at 25: the first is done at 25 + 12 = 37, the second when all 16 ms are done, at 41.
    """
    case = spec(0, 7, step={"work": "10ms"}, discipline=discipline)
    record, _ = run(lowered(case), [at(0.005, lambda c: c.freeze("a")), at(0.025, lambda c: c.thaw("a"))], 0.2)
    first = 38 if discipline == "ps" else 32
    assert ends(record) == [(first, OK), (42, OK)]
    assert float(record.services[0]["busy_ns"].sum()) == pytest.approx(20e6)


def test_work_without_a_limit_stands_still_too_and_who_gives_up_leaves_it() -> None:
    case = spec(0, 7, 8, step={"work": "10ms"}, stream={"patience": "26ms"})
    case["services"]["a"]["cpu"] = {"request": 1, "limit": "unlimited"}
    case["policies"] = [{"name": "p", "in_app": "on", "cancellation": "on"}]
    record, _ = run(lowered(case), [at(0.005, lambda c: c.freeze("a")), at(0.025, lambda c: c.thaw("a"))], 0.2)
    assert ends(record) == [(26, TIMEOUT), (33, TIMEOUT), (34, TIMEOUT)]


def test_work_without_a_limit_goes_on_where_it_stood() -> None:
    """Each has 10 ms to do on a core of its own, and 1 ms of network both ways: frozen from 5 to 25 ms."""
    case = spec(0, 7, 30, step={"work": "10ms"})
    case["services"]["a"]["cpu"] = {"request": 1, "limit": "unlimited"}
    record, _ = run(lowered(case), [at(0.005, lambda c: c.freeze("a")), at(0.025, lambda c: c.thaw("a"))], 0.2)
    assert ends(record) == [(32, OK), (25 + 11, OK), (30 + 12, OK)]
    assert float(record.services[0]["busy_ns"].sum()) == pytest.approx(30e6)


def test_who_gives_up_while_it_stands_still_leaves_no_work() -> None:
    """Both are gone at 20 ms, of the first 4 ms are done."""
    case = spec(0, 7, 40, step={"work": "10ms"}, stream={"patience": "13ms"})
    case["services"]["a"]["cpu"] = {"request": 1, "limit": "unlimited"}
    case["policies"] = [{"name": "p", "in_app": "on", "cancellation": "on"}]
    record, _ = run(lowered(case), [at(0.005, lambda c: c.freeze("a")), at(0.025, lambda c: c.thaw("a"))], 0.2)
    assert ends(record) == [(13, TIMEOUT), (20, TIMEOUT), (40 + 12, OK)]
    assert float(record.services[0]["busy_ns"].sum()) == pytest.approx(14e6)


# -- the network -------------------------------------------------------------------------------------------------


def test_messages_take_longer_both_ways() -> None:
    record, _ = run(lowered(spec(0, 20)), [at(0.005, lambda c: c.impair_network("a", delay_s=0.005))], 0.2)
    assert ends(record) == [(17, OK), (20 + 6 + 10 + 6, OK)]


def test_lost_packets_come_after_their_retransmission_timeouts() -> None:
    """With loss p, n times with chance p^n (1 - p): 0.2 s (2^n - 1), in the mean 0.2 p / (1 - 2 p)."""
    p, n = 0.1, 200_000
    rng = random.Random(1)
    late_s = np.array([sent_again_ns(rng.random(), p) for _ in range(n)]) / 1e9
    expected = 0.2 * p / (1 - 2 * p)
    assert late_s.mean() == pytest.approx(expected, abs=4 * late_s.std() / math.sqrt(n))
    assert set(np.unique(late_s)) <= {(200_000_000 * (2**k - 1)) / 1e9 for k in range(16)}
    case = spec(step={"wait": "0s"}) | {"run": {"warmup": "0s"}}
    case["traffic"][0] |= {"arrivals": {"poisson": "500/s"}, "connections": 8}
    record, _ = run(lowered(case), [at(0.0, lambda c: c.impair_network("a", loss=p))], 20.0, engines=("compiled",))
    rows = record.requests[record.requests["arrival_ns"] < record.duration_ns]
    assert set(rows["outcome"]) == {OK}
    took_s = (rows["end_ns"] - rows["arrival_ns"]) / 1e9 - 0.002
    # there and back, each with its own packet
    assert took_s.mean() == pytest.approx(2 * expected, abs=4 * took_s.std() / math.sqrt(len(took_s)))


def test_a_packet_is_sent_fifteen_times_at_most_and_waits_for_two_minutes_at_most() -> None:
    """0.2 s and twice as much ten times, 204.6 s in all, the last 102.4 s; five times 120 s; then it gets through."""
    assert sent_again_ns(0.5, 1.0) == round((0.2 * (2**10 - 1) + 5 * 120) * 1e9)
    assert sent_again_ns(0.99 * 0.5**10, 0.5) == round(0.2 * (2**10 - 1) * 1e9)
    assert sent_again_ns(0.99 * 0.5**11, 0.5) == round((0.2 * (2**10 - 1) + 120) * 1e9)


def test_loss_is_of_both_engines() -> None:
    case = spec(*range(0, 300), step={"wait": "1ms"})
    record, _ = run(lowered(case), [at(0.1, lambda c: c.impair_network("a", delay_s=0.001, loss=0.3))], 1.0)
    rows = record.requests[:300]
    late = rows["end_ns"] - rows["arrival_ns"] > 150_000_000  # once lost: after 0.2 s
    before = rows["arrival_ns"] < 95_000_000
    assert not late[before].any()
    after = rows["arrival_ns"] > 100_000_000
    assert binomtest(int(late[after].sum()), int(after.sum()), 1 - 0.7**2).pvalue > 1e-3


def test_zones_that_are_cut_off_lose_what_is_sent_in_both_directions() -> None:
    """`front` in one zone calls `a` in another: lost at 6 ms, an answer at 22 ms too."""
    case = spec(0, 5, 15, 40)
    case["services"]["front"] = {"endpoints": {"e": [{"call": "a.e", "timeout": "30ms"}]}}
    case["traffic"][0]["entry"] = "front.e"
    case["nodes"] = {"pods_per_node": 30, "zones": ["x", "y"]}
    plane = lowered(case)
    zones = {service.name: plane.zones[service.replicas[0].zone] for service in plane.services}
    if zones["front"] == zones["a"]:  # both first replicas are placed in the first zone
        plane = replace(plane, services=tuple(_in_zone(one, int(one.name == "a")) for one in plane.services))
    record, _ = run(
        plane, [at(0.0055, lambda c: c.cut_off("x", "y")), at(0.0145, lambda c: c.reconnect("y", "x"))], 0.2
    )
    # the first: sent at 1 ms, there at 2, its answer at 12 is lost: timeout at 31, told at 32
    assert ends(record) == [(32, TIMEOUT), (5 + 32, TIMEOUT), (15 + 14, OK), (40 + 14, OK)]


def _in_zone(service: Any, zone: int) -> Any:
    return replace(service, replicas=tuple(replace(one, zone=zone, node=zone) for one in service.replicas))


# -- crashes -----------------------------------------------------------------------------------------------------


def crashing(plane: Plane, service: str) -> Plane:
    """Every message crashes the service's replicas after it has waited."""
    found = plane.service(service)
    endpoints = {name: tuple((*steps, Crash()) for steps in codes) for name, codes in found.endpoints.items()}
    changed = replace(found, endpoints=endpoints)
    return replace(plane, services=tuple(changed if one.name == service else one for one in plane.services))


def test_who_crashes_its_replica_falls_with_all_that_work_there() -> None:
    """Three come at 1, 2, 5 ms; the first crashes it at 11, all three hear so at 12; the fourth finds nobody."""
    plane = crashing(lowered(spec(0, 1, 4, 11)), "a")
    record, _ = run(plane, [], 0.2)
    assert ends(record) == [(12, RESET), (12, RESET), (12, RESET), (13, CONNECT_FAILURE)]
    assert float(record.services[0]["working_ns"].sum()) == 11e6


def test_each_restart_lives_until_the_next_request_that_crashes_it() -> None:
    plane = crashing(lowered(spec(0, 30, 60)), "a")
    ups: list[bool] = []

    def restart(control: Control) -> Any:
        while True:
            yield control.env.timeout(0.020)
            ups.append(control.is_up("a", 0))
            control.bring_up("a")

    record, _ = run(plane, [lambda _: restart], 0.085, drain=0.01)
    assert ends(record) == [(12, RESET), (42, RESET), (72, RESET)]
    assert ups[: len(ups) // 2] == [False, True, False, False]


# -- theory ------------------------------------------------------------------------------------------------------


def test_a_single_server_with_breakdowns_has_the_mean_of_white_and_christie() -> None:
    """M/M/1 whose server stands still at rate xi, busy or not, and goes on (preemptive resume) at rate eta.

    H. White and L. S. Christie, "Queuing with preemptive priorities or with breakdown", Operations Research 6 (1958):
    L = λ ((ξ + η)² + ξ μ) / ((ξ + η) (η μ − λ (ξ + η))); beside it the balance equations, solved numerically.
    """
    rate, mu, xi, eta = 40.0, 100.0, 20.0, 60.0
    expected = rate * ((xi + eta) ** 2 + xi * mu) / ((xi + eta) * (eta * mu - rate * (xi + eta)))
    assert expected == pytest.approx(_mean_number(rate, mu, xi, eta), rel=1e-6)
    case = {
        "services": {"a": {"discipline": "fifo", "endpoints": {"e": [{"work": {"exp": f"{1000 / mu}ms"}}]}}},
        "traffic": [{"name": "s", "entry": "a.e", "arrivals": {"poisson": f"{rate}/s"}}],
    }

    def breaks(control: Control) -> Any:
        rng = random.Random(7)
        while True:
            yield control.env.timeout(rng.expovariate(xi))
            control.freeze("a")
            yield control.env.timeout(rng.expovariate(eta))
            control.thaw("a")

    record, _ = run(lowered(case), [lambda _: breaks], 2500.0, engines=("compiled",))
    batches = record.services[0]["in_system_ns"][2:40] / (record.duration_ns / 40)
    error = batches.std(ddof=1) / math.sqrt(len(batches))
    assert error < 0.016 * expected
    assert batches.mean() == pytest.approx(expected, abs=3 * error)


def _mean_number(rate: float, mu: float, xi: float, eta: float, most: int = 400) -> float:
    """Mean of the stationary distribution over (number present, up or down), cut at `most`."""
    n = 2 * (most + 1)
    q = np.zeros((n, n))
    for number in range(most + 1):
        up, down = 2 * number, 2 * number + 1
        q[up, down] += xi
        q[down, up] += eta
        if number < most:
            q[up, up + 2] += rate
            q[down, down + 2] += rate
        if number:
            q[up, up - 2] += mu
    q -= np.diag(q.sum(axis=1))
    q[:, 0] = 1.0
    stationary = np.linalg.solve(q.T, np.eye(n)[0])
    return float(stationary @ np.repeat(np.arange(most + 1), 2))


# -- mistakes ----------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("do", "message"),
    [
        (lambda c: c.cut_off("a", "nowhere"), "no zone 'nowhere'"),
        (lambda c: c.cut_off("a", "a"), "not cut off from itself"),
        (lambda c: c.impair_network("a", loss=2.0), "between 0 and 1"),
        (lambda c: c.impair_network("a", delay_s=-1.0), "0 s or more"),
        (lambda c: c.slow_waits("a", -1.0), "0 or more"),
        (lambda c: c.configure("a", 1), "no proxy"),
        (lambda c: c.leave_endpoints("a", [3]), "replicas 0 to 0"),
    ],
)
def test_mistakes(do: Any, message: str) -> None:
    case = spec(0) | {"nodes": {"zones": ["a", "b"]}}
    with pytest.raises(UsageError, match=message):
        run(lowered(case), [at(0.001, do)], 0.1, engines=("simpy",))


def test_a_configuration_that_a_proxy_does_not_have() -> None:
    case = spec(0) | {"mesh": {"sidecar": {"profile": "zero"}}}
    with pytest.raises(UsageError, match="configurations 0 to 0"):
        run(lowered(case, "sidecar"), [at(0.001, lambda c: c.configure("sidecar@a", 1))], 0.1, engines=("simpy",))


def test_a_proxy_acts_on_the_configuration_that_it_has() -> None:
    """A route of the second configuration turns everything away; what is under way at 8 ms is not turned away."""
    case = {"meshsim": 1, **spec(0, 10, 30), "mesh": {"gateway": {"profile": "zero", "replicas": 1}}}
    broken = {**case, "routes": [{"name": "r", "to": "a", "fault": {"abort": {"as": "503"}}}]}
    plane = ms.lower(ms.load(case), "gateway", pushed=[ms.load(broken)])
    record, _ = run(
        plane, [at(0.008, lambda c: c.configure("gateway", 1)), at(0.020, lambda c: c.configure("gateway", 0))], 0.2
    )
    assert ends(record) == [(14, OK), (12, E503), (44, OK)]
