"""How failures propagate, where the topology says what has to come out: counted in request rows and at services."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np
import pytest

import meshsim as ms
from meshsim.control import Control
from meshsim.engines.record import DEGRADED, OUTCOMES
from meshsim.results.propagation import LEVELS, Edge, Propagation
from meshsim.results.result import Result

Steps = Sequence[dict[str, Any]]
STILL = dict.fromkeys(("loopback", "same_node", "same_zone", "cross_zone", "client"), "1ms")
FREE = {"sidecar": {"profile": "zero"}, "gateway": {"profile": "zero"}}


def spec(rate: float = 400.0, services: Any = None, **endpoints: Steps) -> dict[str, Any]:
    """Services by name with the steps of their one endpoint `e`; the first is the entry. Messages take 1 ms."""
    more = services or {}
    return {
        "meshsim": 1,
        "name": "by-construction",
        "policy_defaults": "none",
        "services": {
            name: {"replicas": 2, "cpu": 64, "endpoints": {"e": list(steps)}} | more.get(name, {})
            for name, steps in endpoints.items()
        },
        "network": STILL,
        "mesh": FREE,
        "traffic": [{"name": "web", "entry": f"{next(iter(endpoints))}.e", "arrivals": {"poisson": f"{rate}/s"}}],
        "run": {"duration": "4s", "warmup": "0s", "seed": 3, "replications": 2},
    }


def run(topology: dict[str, Any], architecture: str = "none", **how: Any) -> Result:
    """With all spans; what holds of every result holds of this one."""
    result = ms.run(topology, architecture, quiet=True, record_traces=True, record_requests=True, **how)
    holds(result)
    return result


def holds(result: Result) -> None:
    """What is true whatever the topology."""
    found = result.propagation()
    failed = rows(result)["outcome"] > DEGRADED
    assert found.sampled_share == 1.0
    assert (found.requests, found.failed) == (failed.size, failed.sum())
    for one in (found, *found.by_tenant.values()):
        assert sum(origin.requests for origin in one.origins) == one.failed
        for origin in one.origins:
            assert sum(origin.paths.values()) == origin.requests
            assert {(path[0], path[-1]) for path in origin.paths} == {(origin.service, "client")}
        for level in LEVELS:
            entries = [edge for edge in one.levels[level] if edge.caller == "client"]
            assert sum(edge.travelled for edge in entries) == sum(edge.passed_on for edge in entries) == one.failed
    for number in ("requests", "failed", "degraded"):
        assert sum(getattr(one, number) for one in found.by_tenant.values()) == getattr(found, number)


def ending_in_time(topology: dict[str, Any]) -> dict[str, Any]:
    """With as many arrivals, but so early that whatever they cause is counted at services before the end."""
    times = np.sort(np.random.default_rng(1).uniform(0.0, 3.8, 1500))
    topology["traffic"][0]["arrivals"] = {"trace": {"times": [f"{1000 * time:.3f}ms" for time in times]}}
    return topology


def rows(result: Result) -> Any:
    """Of all counted requests; arrivals go on until they are answered."""
    found = np.concatenate(result.request_rows)
    return found[found["arrival_ns"] < result.manifest.duration_s * 1e9]


def ended(result: Result) -> dict[str, int]:
    """Requests by outcome."""
    codes, counts = np.unique(rows(result)["outcome"], return_counts=True)
    return {OUTCOMES[code]: int(count) for code, count in zip(codes, counts, strict=True)}


def origins(found: Propagation) -> dict[tuple[str, str], int]:
    return {(origin.service, origin.outcome): origin.requests for origin in found.origins}


def path(found: Propagation) -> tuple[str, ...]:
    """The only one."""
    ((one,),) = (tuple(origin.paths) for origin in found.origins)
    return one


def edge(found: Propagation, caller: str, callee: str, level: Any = "applications") -> Edge:
    (one,) = (one for one in found.levels[level] if (one.caller, one.callee) == (caller, callee))
    return one


def fail(p: float = 1.0, reason: str = "500") -> dict[str, Any]:
    return {"fail": {"p": p, "as": reason}}


def call(to: str, **fields: Any) -> dict[str, Any]:
    return {"call": f"{to}.e", **fields}


# -- passed on -------------------------------------------------------------------------------------------------------


def test_a_chain() -> None:
    """All that fails began at `c` and went up through `b` and `a`."""
    result = run(spec(a=[call("b")], b=[call("c")], c=[fail(0.3)]))
    found, failed = result.propagation(), ended(result)["error(500)"]
    assert origins(found) == {("c", "error(500)"): failed}
    assert path(found) == ("c", "b", "a", "client")
    for caller, callee in (("client", "a"), ("a", "b"), ("b", "c")):
        one = edge(found, caller, callee)
        assert (one.messages, one.messages_per_request) == (found.requests, 1.0)
        assert (one.passed_on, one.absorbed, one.travelled) == (failed, 0, failed)


def test_several_ways_to_fail_at_one_place() -> None:
    result = run(spec(a=[call("b")], b=[fail(0.2, "503"), fail(0.2, "500")]))
    found = result.propagation()
    assert set(origins(found)) == {("b", "error(503)"), ("b", "error(500)")}
    assert found.began_at() == {"b": found.failed}


def test_a_failure_that_comes_twice_along_a_call_is_one_request() -> None:
    """`a` calls itself by way of `b`: a request whose failure began in the second `a` went along both calls once, those
    of the client's and of the inner one's twice.
    """
    topology = spec(a=[call("b")], b=[{"call": "a.deep"}])
    topology["services"]["a"]["endpoints"]["deep"] = [{"call": "b.deep"}]
    topology["services"]["b"]["endpoints"]["deep"] = [fail(0.5)]
    found = run(topology).propagation()
    inner = edge(found, "a", "b")
    assert (inner.messages, inner.passed_on, inner.travelled) == (2 * found.requests, 2 * found.failed, found.failed)
    assert path(found) == ("b", "a", "b", "a", "client")


def test_several_origins_and_tenants() -> None:
    """What fails at `b`, before it calls `c`, does not come from there. The other tenant enters at `b`."""
    topology = spec(a=[call("b")], b=[fail(0.2, "503"), call("c")], c=[fail(0.2, "500")])
    topology["tenants"] = {"web": {}, "other": {}}
    topology["traffic"][0]["tenant"] = "web"
    topology["traffic"].append({"name": "o", "tenant": "other", "entry": "b.e", "arrivals": {"poisson": "200/s"}})
    result = run(topology)
    found = result.propagation()
    assert origins(found) == {
        ("b", "error(503)"): ended(result)["error(503)"],
        ("c", "error(500)"): ended(result)["error(500)"],
    }
    of_other = rows(result)[rows(result)["stream"] == 0]
    assert found.by_tenant["other"].failed == (of_other["outcome"] > DEGRADED).sum() > 0
    for origin in found.by_tenant["other"].origins:
        assert tuple(origin.paths) == ((("c", "b", "client"),) if origin.service == "c" else (("b", "client"),))
    # who fails by itself has not called
    assert edge(found, "b", "c").messages == found.requests - ended(result)["error(503)"]


def test_a_failure_of_ones_own_after_an_optional_call_that_failed_alike() -> None:
    """In the same instant with the same outcome: but nobody would have passed on that of `b`."""
    found = run(spec(a=[call("b", optional=True), fail(0.5)], b=[fail(0.5)])).propagation()
    assert {origin.service for origin in found.origins} == {"a"}
    assert edge(found, "a", "b").passed_on == 0


def test_a_failing_fallback_is_the_callers() -> None:
    found = run(spec(a=[call("b", fallback=[fail(0.5, "503")])], b=[fail(0.5, "503")])).propagation()
    assert {origin.service for origin in found.origins} == {"a"}
    tried = edge(found, "a", "b")
    assert tried.absorbed == found.failed + found.degraded
    assert tried.degraded == found.degraded > 0


# -- absorbed --------------------------------------------------------------------------------------------------------


def test_retries_amplify() -> None:
    """Of one who fails with chance p, and two retries: 1 + p + p^2 tries a request."""
    p = 0.4
    result = run(ending_in_time(spec(a=[call("b", retries=2)], b=[fail(p)])))
    found = result.propagation()
    tried = edge(found, "a", "b")
    assert tried.messages == result.by_service["b"].requests
    assert tried.messages_per_request == pytest.approx(1 + p + p * p, rel=0.03)
    # each retry was made since a failure was absorbed; the last failure of each request was not
    assert tried.absorbed == tried.messages - found.requests
    assert tried.passed_on == tried.travelled == found.failed


def test_optional_calls() -> None:
    result = run(spec(a=[call("b", optional=True)], b=[call("c")], c=[fail(0.25)]))
    found, degraded = result.propagation(), ended(result)["degraded"]
    assert (found.failed, found.degraded) == (0, degraded)
    at_a, at_b = edge(found, "a", "b"), edge(found, "b", "c")
    assert (at_a.passed_on, at_a.absorbed, at_a.travelled, at_a.degraded) == (0, degraded, 0, degraded)
    assert (at_b.passed_on, at_b.absorbed, at_b.travelled, at_b.degraded) == (degraded, 0, 0, 0)


def test_who_was_tried_again_in_vain_did_not_degrade() -> None:
    """`b` is retried with success, `c` is done without."""
    found = run(spec(a=[call("b", retries=9), call("c", optional=True)], b=[fail(0.3)], c=[fail(0.3)])).propagation()
    assert edge(found, "a", "b").absorbed > 0
    assert edge(found, "a", "b").degraded == 0
    assert edge(found, "a", "c").degraded == edge(found, "a", "c").absorbed == found.degraded


def test_a_request_that_fails_later_was_not_degraded() -> None:
    found = run(spec(x=[call("a"), fail(0.5)], a=[call("b", optional=True)], b=[fail(0.5)])).propagation()
    assert 0 < edge(found, "a", "b").degraded == found.degraded < 0.6 * edge(found, "a", "b").absorbed


def test_asynchronous_calls_harm_nobody() -> None:
    found = run(spec(a=[call("b", **{"async": True}), {"wait": "10ms"}], b=[fail(0.5)])).propagation()
    tried = edge(found, "a", "b")
    assert (found.failed, found.degraded, tried.passed_on, tried.degraded) == (0, 0, 0, 0)
    assert tried.absorbed == pytest.approx(0.5 * found.requests, rel=0.1)


# -- branches --------------------------------------------------------------------------------------------------------


def test_the_first_failure_of_a_parallel_is_the_one() -> None:
    """`b` is slower than `c`: what it fails with counts only where `c` did not."""
    forked = {"parallel": [[call("b")], [call("c")]]}
    result = run(spec(a=[forked], b=[{"wait": "5ms"}, fail(0.3, "503")], c=[fail(0.3, "500")]))
    found, counts = result.propagation(), ended(result)
    assert origins(found) == {("b", "error(503)"): counts["error(503)"], ("c", "error(500)"): counts["error(500)"]}
    assert edge(found, "a", "b").passed_on == counts["error(503)"]
    assert edge(found, "a", "c").passed_on == counts["error(500)"]


def test_a_quorum_spares_the_first_failure() -> None:
    """Two of three: with two failures it has become impossible, and the second one, at `d`, decides."""
    forked = {"parallel": [[call("b")], [call("c")], [call("d")]], "quorum": 2}
    steps = {name: [{"wait": f"{n}ms"}, fail(0.5)] for n, name in enumerate("bcd")}
    result = run(spec(a=[forked], **steps))
    found = result.propagation()
    assert found.failed == pytest.approx(0.5 * found.requests, rel=0.1)  # two or three of three
    # b and c: a quarter of all; one of them and d: another one
    assert origins(found)["c", "error(500)"] == pytest.approx(0.25 * found.requests, rel=0.15)
    assert origins(found)["d", "error(500)"] == pytest.approx(0.25 * found.requests, rel=0.15)
    assert ("b", "error(500)") not in origins(found)
    spared = edge(found, "a", "b")
    assert (spared.passed_on, spared.travelled, spared.degraded) == (0, 0, 0)
    assert spared.absorbed == pytest.approx(0.5 * found.requests, rel=0.1)


# -- at the door -----------------------------------------------------------------------------------------------------


def test_a_full_queue() -> None:
    limits = {"b": {"replicas": 1, "concurrency": 1, "queue": 2}}
    result = run(spec(services=limits, a=[call("b")], b=[{"wait": "3ms"}]))
    found = result.propagation()
    assert origins(found) == {("b", "rejected(queue_full)"): result.by_service["b"].rejected}
    assert path(found) == ("b", "a", "client")


@pytest.mark.parametrize("architecture", ["none", "sidecar"])
def test_a_breaker_of_ones_own(architecture: str) -> None:
    """Where nobody but the enforcer has seen the request, the failure began there; without proxies in its library."""
    breaker = {"max_connections": 1, "max_pending": 1}
    topology = spec(a=[call("b")], b=[{"wait": "8ms"}])
    topology["policies"] = [{"name": "one", "to": "b", "from": "a", "in_app": True, "circuit_breaker": breaker}]
    result = run(ending_in_time(topology), architecture)
    found, enforcer = result.propagation(), "library@a" if architecture == "none" else "sidecar@a"
    assert origins(found) == {(enforcer, "rejected(overflow)"): ended(result)["rejected(overflow)"]}
    refused, tried = found.failed, edge(found, "a", "b")
    assert (tried.messages, tried.passed_on, tried.travelled) == (found.requests - refused, refused, refused)
    assert tried.messages == result.by_service["b"].requests


def test_a_rate_limit() -> None:
    topology = spec(a=[call("b")], b=[{"wait": "1ms"}])
    limit = {"local": {"rate": "50/s", "burst": 5}}
    topology["policies"] = [{"name": "few", "to": "b", "from": "a", "in_app": True, "rate_limit": limit}]
    result = run(topology)
    assert origins(result.propagation()) == {
        ("library@a", "rejected(rate_limit)"): ended(result)["rejected(rate_limit)"]
    }


# -- timeouts --------------------------------------------------------------------------------------------------------

SLOW = {"choose": [{"p": 0.5, "do": [{"wait": "60ms"}]}]}  # a half of the requests


@pytest.mark.parametrize("architecture", ["none", "sidecar", "gateway", "ambient-waypoint"])
def test_a_slow_leaf(architecture: str) -> None:
    """`a` gives up, but `b` only waited for `c`."""
    topology = spec(a=[call("b", timeout="30ms")], b=[call("c")], c=[SLOW])
    result = run(topology, architecture)
    found = result.propagation()
    assert origins(found) == {("c", "timeout"): ended(result)["timeout"]}
    assert found.failed == pytest.approx(0.5 * found.requests, rel=0.1)
    (origin,) = found.origins
    roles = {service.name: service.role for service in result.plane.services}
    assert {tuple(one for one in way if roles.get(one, "app") == "app") for way in origin.paths} == {
        ("c", "b", "a", "client")
    }
    for caller, callee in (("client", "a"), ("a", "b"), ("b", "c")):
        one = edge(found, caller, callee)
        assert (one.passed_on, one.absorbed, one.travelled) == (found.failed, 0, found.failed)


def test_who_is_slow_itself_is_the_origin() -> None:
    """`b` has had the answer of `c` when it is given up."""
    found = run(spec(a=[call("b", timeout="30ms")], b=[call("c"), SLOW], c=[])).propagation()
    assert {key for key in origins(found)} == {("b", "timeout")}
    assert path(found) == ("b", "a", "client")
    assert edge(found, "b", "c").passed_on == 0


@pytest.mark.parametrize(("wait", "origin"), [("26999us", "b"), ("27ms", "b"), ("27001us", "c")])
def test_an_answer_in_the_instant_in_which_somebody_gives_up_has_come(wait: str, origin: str) -> None:
    """`a` gives up 30 ms after it called `b`; `c` has the message 2 ms after that, and its answer takes 1 ms."""
    topology = spec(a=[call("b", timeout="30ms")], b=[call("c")], c=[{"wait": wait}])
    found = run(ending_in_time(topology), replications=1).propagation()
    assert origins(found) == {(origin, "timeout"): found.requests}


def test_a_timeout_in_the_middle_is_not_the_one_above() -> None:
    """`b` gives up first, and answers that: `a` hears a failure in time."""
    topology = spec(a=[call("b", timeout="50ms")], b=[call("c", timeout="30ms")], c=[call("d")], d=[SLOW])
    assert path(run(topology).propagation()) == ("d", "c", "b", "a", "client")


def test_tries_that_time_out_and_are_tried_again() -> None:
    topology = spec(a=[call("b", timeout="30ms", retries=1)], b=[SLOW])
    result = run(topology)
    found = result.propagation()
    tried = edge(found, "a", "b")
    assert tried.absorbed == tried.messages - found.requests
    assert tried.passed_on == found.failed == ended(result)["timeout"]


def test_the_line_where_it_stood() -> None:
    """One slot at `c`, and 20 ms of work: requests that come together time out in line, at `c`."""
    topology = spec(services={"c": {"replicas": 1, "concurrency": 1}}, a=[call("b", timeout="50ms")], b=[call("c")])
    topology["services"]["c"] = {"replicas": 1, "concurrency": 1, "endpoints": {"e": [{"wait": "20ms"}]}}
    topology["traffic"][0]["arrivals"] = {"trace": {"times": ["0ms", "0ms", "0ms", "0ms", "0ms"]}}
    found = run(topology, replications=1).propagation()
    assert origins(found) == {("c", "timeout"): 3}


def test_clients_without_patience() -> None:
    topology = spec(a=[call("b")], b=[{"parallel": [[{"wait": "1ms"}], [call("c")]]}], c=[SLOW])
    topology["traffic"][0]["patience"] = "40ms"
    result = run(topology)
    found = result.propagation()
    assert origins(found) == {("c", "timeout"): ended(result)["timeout"]}
    assert path(found) == ("c", "b", "a", "client")


@pytest.mark.parametrize("retries", [None, {"attempts": 1, "on": ["5xx"], "per_try": "30ms", "backoff": "none"}])
def test_timeouts_of_enforcers(retries: Any) -> None:
    topology = spec(a=[call("b")], b=[call("c")], c=[SLOW])
    policy = {"timeout": "30ms"} if retries is None else {"retries": retries}
    topology["policies"] = [{"name": "p", "to": "b", "from": "a", **policy}]
    result = run(topology, "sidecar")
    found = result.propagation()
    assert origins(found) == {("c", "timeout"): ended(result)["timeout"]}
    tried = edge(found, "a", "b")
    assert tried.absorbed == tried.messages - found.requests  # by the sidecar on the way
    assert tried.passed_on == found.failed


def test_an_enforcer_that_is_slow_itself_ended_with_its_last_try() -> None:
    """Of two tries the first or the second may be one that `b` is slow to answer, or one in which `c` is, to `b`.

    The proxy works for longer than the tries differ.
    """
    slow_below = [call("c", timeout="1ms")]
    steps = [{"choose": [{"p": 0.5, "do": [{"wait": "60ms"}]}, {"p": 0.5, "do": slow_below}]}]
    topology = spec(rate=100, a=[call("b")], b=steps, c=[{"wait": "60ms"}])
    retries = {"attempts": 1, "on": ["5xx"], "per_try": "6ms", "backoff": "none"}
    topology["policies"] = [{"name": "p", "to": "b", "from": "a", "retries": retries}]
    topology["mesh"] = {"sidecar": {"profile": "zero", "cpu_per_request": "20ms", "cpu": 64, "threads": 64}}
    result = run(topology, "{mesh: sidecar, include: [a]}")
    found = result.propagation()
    assert ended(result) == {"timeout": found.requests}
    assert origins(found)["b", "timeout"] == pytest.approx(0.5 * found.requests, rel=0.12)
    assert origins(found)["c", "timeout"] == found.requests - origins(found)["b", "timeout"]


def test_a_hedge_that_was_outrun_has_not_failed() -> None:
    topology = spec(a=[call("b")], b=[SLOW])
    hedged = {"attempts": 1, "on": ["5xx"], "per_try": "10ms", "backoff": "none", "hedge": "on"}
    topology["policies"] = [{"name": "p", "to": "b", "from": "a", "retries": hedged}]
    found = run(topology, "sidecar").propagation()
    tried = edge(found, "a", "b")
    assert tried.messages_per_request == pytest.approx(1.5, rel=0.1)
    assert (tried.passed_on, tried.absorbed, found.failed) == (0, 0, 0)


def test_calls_of_a_branch_that_was_stopped_have_not_failed() -> None:
    topology = spec(a=[{"parallel": [[call("b")], [call("c")]]}], b=[{"wait": "5ms"}, fail()], c=[{"wait": "60ms"}])
    topology["policies"] = [{"name": "stop", "in_app": True, "cancellation": "on", "timeout": "1s"}]
    found = run(topology).propagation()
    assert origins(found) == {("b", "error(500)"): found.requests}
    assert (edge(found, "a", "c").passed_on, edge(found, "a", "c").absorbed) == (0, 0)


# -- replicas that are down ------------------------------------------------------------------------------------------


def outage(control: Control) -> Any:
    yield control.env.timeout(2)
    control.take_down("b")
    yield control.env.timeout(1)
    control.bring_up("b")


@pytest.mark.parametrize("architecture", ["none", "sidecar", "gateway", "ambient"])
def test_connections_that_are_refused(architecture: str) -> None:
    """Callers make a 503 of it; where it began it was what it was."""
    result = run(spec(a=[call("b")], b=[{"wait": "2ms"}]), architecture, controllers=[outage], warmup_s=0)
    found = result.propagation()
    assert set(ended(result)) == {"ok", "error(503)"}
    at = "sidecar@b" if architecture == "sidecar" else "b"  # the sidecar falls with its replica
    assert {key[1] for key in origins(found)} == {"error(reset)", "error(connect_failure)"}
    assert {key[0] for key in origins(found)} <= {at, "b"}
    assert found.failed == ended(result)["error(503)"]
    assert edge(found, "a", "b").passed_on == found.failed
    # a quarter of the time
    assert found.failed == pytest.approx(found.requests / 4, rel=0.1)


def test_retries_of_sidecars_during_an_outage() -> None:
    topology = spec(a=[call("b")], b=[{"wait": "2ms"}])
    retry = {"attempts": 2, "on": ["connect-failure", "reset"], "backoff": "none"}
    topology["policies"] = [{"name": "again", "to": "b", "from": "a", "retries": retry}]
    topology["run"]["drain"] = "5s"
    result = run(topology, "sidecar", controllers=[outage], warmup_s=0)
    before, during = result.propagation(end_s=1.9), result.propagation(start_s=2.01, end_s=2.9)
    assert before.failed == 0
    assert before.amplification(before)["a", "b"] == 1.0
    grown = during.amplification(before, "hops")
    assert grown["sidecar@a", "sidecar@b"] == pytest.approx(3.0)  # three tries of each request, all of them in vain
    assert grown["client", "gateway"] == 1.0
    assert during.failed == during.requests
    tried = edge(during, "a", "b")
    assert (tried.passed_on, tried.absorbed) == (during.failed, 2 * during.failed)


def test_a_silent_outage_is_where_the_answer_did_not_come_from() -> None:
    def silent(control: Control) -> Any:
        yield control.env.timeout(2)
        control.take_down("c", silent=True)
        yield control.env.timeout(1)
        control.bring_up("c")

    topology = spec(a=[call("b", timeout="50ms")], b=[call("c")], c=[{"wait": "2ms"}])
    found = run(topology, controllers=[silent], warmup_s=0).propagation()
    assert {key for key in origins(found)} == {("c", "timeout")}
    assert found.failed == pytest.approx(found.requests / 4, rel=0.1)


# -- what it is told as ----------------------------------------------------------------------------------------------


@pytest.mark.parametrize("architecture", ["none", "gateway", "sidecar"])
def test_both_engines_agree(architecture: str) -> None:
    topology = spec(
        a=[call("b", retries=1, timeout="20ms"), call("d", optional=True)],
        b=[{"parallel": [[call("c")], [{"wait": "5ms"}, fail(0.1)]]}],
        c=[fail(0.3, "503"), {"choose": [{"p": 0.1, "do": [{"wait": "60ms"}]}]}],
        d=[fail(0.2)],
    )
    topology["policies"] = [{"name": "p", "retries": {"attempts": 1, "on": ["503"]}, "timeout": "40ms"}]
    topology["run"] |= {"duration": "1s", "replications": 1}
    told = [run(topology, architecture, engine=engine).propagation().to_dict() for engine in ("compiled", "simpy")]
    assert told[0] == told[1]
    assert len(told[0]["origins"]) >= 3


def test_it_is_a_table_and_a_graph() -> None:
    found = run(spec(a=[call("b")], b=[fail(0.3)]), "sidecar").propagation()
    table = found.frame()
    assert set(table["level"]) == set(LEVELS)
    apps = table[(table["level"] == "applications") & (table["tenant"] == "")]
    assert apps.set_index(["caller", "callee"]).loc[("a", "b"), "passed_on"] == found.failed
    assert found.origin_frame()["requests"].sum() == 2 * found.failed  # all, and the only tenant
    graph = found.graph()
    assert graph.nodes["b"] == {"role": "app", "began": found.failed}
    assert graph.edges["sidecar@b", "b"]["travelled"] == found.failed
    assert set(found.graph("applications")) == {"client", "a", "b"}
    assert str(found.failed) in repr(found).replace(",", "")


def test_a_share_of_the_requests() -> None:
    """Some 20,000 are sampled of a longer run; the share of failures is that of all within chance."""
    result = ms.run(spec(rate=4000, a=[fail(0.2)]), quiet=True, duration_s=12, replications=1, record_traces=True)
    found = result.propagation()
    assert 0.3 < found.sampled_share < 0.6
    assert found.requests == round(found.sampled_share * result.requests)
    error = (0.2 * 0.8 / found.requests) ** 0.5
    assert found.failed / found.requests == pytest.approx(0.2, abs=4 * error)


def test_a_span_of_time_has_its_beginning_and_not_its_end() -> None:
    topology = spec(a=[fail(0.5)])
    topology["traffic"][0]["arrivals"] = {"trace": {"times": ["500ms", "1s", "1s", "1500ms", "2s"]}}
    result = run(topology, replications=1)
    of = [result.propagation(start_s=a, end_s=b).requests for a, b in ((0.5, 1.0), (1.0, 2.0), (2.0, 3.0))]
    assert of == [1, 3, 1]


def test_mistakes() -> None:
    topology = spec(a=[fail(0.5)])
    with pytest.raises(ms.UsageError, match="record_traces=True"):
        ms.run(topology, quiet=True).propagation()
    result = run(topology)
    with pytest.raises(ms.UsageError, match=r"no sampled request arrived between 5 s and the end; they arrived from"):
        result.propagation(start_s=5)
    assert result.propagation(start_s=1, end_s=2).requests < result.propagation(start_s=1).requests
