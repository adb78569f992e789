"""Routes and rate limits, request by request: whom a route takes, and in which order buckets are asked (Y10, Y11)."""

from __future__ import annotations

from typing import Any

import pytest
from builders import ends_ms, outcomes, run, total
from test_policy_timelines import built, steps

from meshsim.architectures.enforcement import Enforcement
from meshsim.engines.record import E500, OK, RATE_LIMIT
from meshsim.model.load import load

ABORT = {"fault": {"abort": {"as": "500"}}}
LIBRARY = 1  # number of the client's library after the one service


def stream(name: str, entry: str, *times_ms: float, **fields: Any) -> dict[str, Any]:
    return {"name": name, "entry": entry, "arrivals": {"trace": {"times": [f"{at}ms" for at in times_ms]}}, **fields}


# -- routes ----------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("sender", "ends"),
    [
        (None, [E500, E500, E500]),
        ("a", [E500, OK, OK]),
        ("c", [OK, E500, OK]),
        ("client", [OK, OK, E500]),
    ],
)
def test_a_route_takes_the_requests_of_its_caller(sender: str | None, ends: list[int]) -> None:
    """The callee `b` is asked by a, by c, and by a client."""
    services = {"a": steps({"call": "b.e"}), "b": steps(), "c": steps({"call": "b.e"})}
    traffic = [stream("1", "a.e", 0.0), stream("2", "c.e", 1.0), stream("3", "b.e", 2.0)]
    route = {"name": "r", "to": "b", **ABORT, **({} if sender is None else {"from": sender})}
    policy = {"timeout": "10s"}  # there is somebody who can apply the route
    assert outcomes(run(built(services, {}, [policy], traffic=traffic, routes=[route]), 0.1)) == ends


@pytest.mark.parametrize(
    ("match", "ends"),
    [
        ({"tenant": "y"}, [OK, E500, E500]),
        ({"tenant": "x"}, [E500, OK, OK]),
        ({"headers": {"who": "j"}}, [E500, OK, E500]),
        ({"tenant": "y", "headers": {"who": "j"}}, [OK, OK, E500]),
    ],
)
def test_a_route_takes_the_requests_that_it_matches(match: dict[str, Any], ends: list[int]) -> None:
    traffic = [
        stream("1", "a.e", 0.0, tenant="x", headers={"who": "j"}),
        stream("2", "a.e", 1.0, tenant="y"),
        stream("3", "a.e", 2.0, tenant="y", headers={"who": "j", "and": "more"}),
    ]
    route = {"name": "r", "to": "a", "match": match, **ABORT}
    plane = built(
        {"a": steps()}, {}, [{"timeout": "10s"}], traffic=traffic, routes=[route], tenants={"x": {}, "y": {}}
    )  # fmt: skip
    assert outcomes(run(plane, 0.1)) == ends


def test_a_rewrite_takes_the_cluster_of_the_endpoint_to_which_it_leads() -> None:
    """Balancing, breakers, ejection are those of b.g; the timeout is that of a.e, which was meant (rule Y11)."""
    each = {"e": [], "g": []}
    spec = {
        "meshsim": 1,
        "services": {"a": {"endpoints": each}, "b": {"endpoints": each}},
        "traffic": [stream("s", "a.e", 0.0)],
        "run": {"warmup": "0s"},
        "policy_defaults": "none",
        "policies": [
            {"name": "meant", "to": "a.e", "timeout": "1s", "circuit_breaker": {"max_requests": 1}},
            {"name": "same", "to": "b.e", "circuit_breaker": {"max_requests": 2}},
            {"name": "new", "to": "b.g", "timeout": "3s", "circuit_breaker": {"max_requests": 3}},
        ],
        "routes": [{"name": "r", "to": "a.e", "rewrite": "b.g"}],
    }
    found = Enforcement(load(spec)).on("client", "a", "e", by_library=False)
    assert found.trying is not None and found.trying.timeout_s == 1.0
    assert found.cluster.max_requests == 1
    (rule,) = found.routes
    assert (rule.callee, rule.endpoint, rule.cluster.max_requests) == ("b", "g", 3)


@pytest.mark.parametrize(("limits", "overflows"), [({"a": 9, "b": 1}, 2), ({"a": 1, "b": 9}, 0)])
def test_what_is_rewritten_meets_the_breaker_of_where_it_goes(limits: dict[str, int], overflows: int) -> None:
    services = {name: steps({"wait": "10ms"}) for name in limits}
    policies = [{"to": to, "circuit_breaker": {"max_requests": most}} for to, most in limits.items()]
    route = {"name": "r", "to": "a", "rewrite": "b.e"}
    record = run(built(services, {}, policies, traffic=[stream("s", "a.e", 0.0, 0.0, 0.0)], routes=[route]), 0.1)
    assert record.services["overflows"].sum() == overflows
    assert [total(record, i, "requests") for i in range(2)] == [0, 3 - overflows]


# -- rate limits -----------------------------------------------------------------------------------------------


def limited(rate_limit: dict[str, Any], *times_ms: float, **route: Any) -> tuple[list[float], list[int]]:
    routes = [{"name": "r", "to": "a", **route}] if route else []
    traffic = [stream("s", "a.e", *times_ms)]
    record = run(built({"a": steps()}, {}, [{"rate_limit": rate_limit}], traffic=traffic, routes=routes), 0.1)
    ends = outcomes(record)
    assert total(record, LIBRARY, "limited") == ends.count(RATE_LIMIT)
    return ends_ms(record), ends


SHARED = {"rate": "0.001/s", "burst": 2, "delay": "5ms"}


def test_the_delay_of_the_shared_bucket_passes_before_it_answers() -> None:
    """Yes or no, it takes 5 ms."""
    assert limited({"global": SHARED}, 0.0, 1.0, 2.0) == ([5.0, 6.0, 7.0], [OK, OK, RATE_LIMIT])


def test_an_own_bucket_is_asked_before_the_shared_one() -> None:
    """A token each 10 ms. What it turns away at 1 and 2 ms takes no time, and no token of the two that all share."""
    own = {"rate": "100/s", "burst": 1}
    ends = limited({"local": own, "global": SHARED}, 0.0, 1.0, 2.0, 20.0, 40.0)
    assert ends == ([5.0, 1.0, 2.0, 25.0, 45.0], [OK, RATE_LIMIT, RATE_LIMIT, OK, RATE_LIMIT])


def test_buckets_are_asked_before_routes() -> None:
    own = {"rate": "0.001/s", "burst": 1}
    assert limited({"local": own}, 0.0, 1.0, **ABORT) == ([0.0, 1.0], [E500, RATE_LIMIT])
