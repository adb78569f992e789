"""Random policies, routes and what goes with them (keys, headers, patience), for the generated topologies."""

from __future__ import annotations

from typing import Any

from hypothesis import strategies as st

SERVICES = ("a", "b", "c", "d")
REASONS = ("500", "503", "reset", "connect_failure", "grpc:unavailable")
CONDITIONS = ("5xx", "gateway-error", "reset", "connect-failure", "unavailable", "503", "429")

switch = st.sampled_from(["on", "off"])
backoffs = st.sampled_from(["none", "1ms", "2ms", {"exp": "1ms"}, {"constant": "0ms"}, {"constant": "2ms"}])


def load_balancers(keys: set[str]) -> st.SearchStrategy[Any]:
    """Balancers; those that hash do so on a dimension that a stream has."""
    found: list[Any] = [
        "random",
        "round_robin",
        "least_request",
        {"least_request": {"choices": 3}},
        {"least_request": {"choices": "full_scan"}},
    ]
    for key in sorted(keys):
        found += [{"ring_hash": {"on": key, "min_size": 8}}, {"ring_hash": {"on": key}}, {"maglev": {"on": key}}]
    return st.sampled_from(found)


@st.composite
def retries(draw: st.DrawFn) -> Any:
    if draw(st.integers(0, 5)) == 0:
        return "none"
    on = draw(st.lists(st.sampled_from(CONDITIONS), min_size=1, max_size=3, unique=True))
    found: dict[str, Any] = {"attempts": draw(st.integers(1, 3)), "on": on, "avoid_previous_hosts": draw(switch)}
    if draw(st.booleans()):
        found["per_try"] = draw(st.sampled_from(["1ms", "2ms", "4ms"]))
        found["hedge"] = draw(switch)
    extras: dict[str, st.SearchStrategy[Any]] = {
        "backoff": backoffs,
        "budget": st.sampled_from([{"share": "0%", "min": 1}, {"share": "50%", "min": 0}, "100%"]),
    }
    for name in draw(st.lists(st.sampled_from(sorted(extras)), max_size=2, unique=True)):
        found[name] = draw(extras[name])
    if found["avoid_previous_hosts"] == "on" and draw(st.booleans()):
        found["host_attempts"] = draw(st.integers(1, 3))
    return found


@st.composite
def some_of(draw: st.DrawFn, fields: dict[str, st.SearchStrategy[Any]]) -> dict[str, Any]:
    names = draw(st.lists(st.sampled_from(sorted(fields)), min_size=1, unique=True))
    return {name: draw(fields[name]) for name in names}


breakers = some_of(
    {
        "max_connections": st.integers(1, 2),
        "max_pending": st.integers(0, 2),
        "max_requests": st.integers(1, 3),
        "max_retries": st.integers(0, 2),
        "per": st.sampled_from(["tenant", "tenant", "all"]),
    }
)
outliers = some_of(
    {
        "consecutive_5xx": st.integers(1, 2),
        "consecutive_gateway": st.integers(1, 3),
        "consecutive_local_origin": st.just(1),
        "interval": st.sampled_from(["1ms", "5ms", "10ms"]),
        "base_ejection": st.sampled_from(["1ms", "7ms"]),
        "max_ejection": st.sampled_from(["10ms", "40ms"]),
        "max_ejected": st.sampled_from(["60%", "100%"]),
        "always_eject_one_host": switch,
    }
)
local_limits = st.sampled_from(
    [
        {"rate": "200/s", "burst": 1},
        {"rate": "1000/s", "burst": 4},
        {"rate": "200/s", "burst": 1, "per": "tenant"},
        {"rate": "100/s", "burst": 1, "per": "tenant", "tenants": {"u": {"rate": "700/s", "burst": 2}}},
    ]
)
rate_limits = st.one_of(
    local_limits.map(lambda bucket: {"local": bucket}),
    local_limits.map(lambda bucket: {"global": {**bucket, "delay": "1ms"}}),
    local_limits.map(
        lambda bucket: {"local": bucket, "global": {"rate": "500/s", "burst": 3, "delay": {"exp": "1ms"}}}
    ),
)


@st.composite
def policies(draw: st.DrawFn, keys: set[str]) -> list[dict[str, Any]]:
    """Policies of some services, and sometimes one for all; `keys` are the dimensions that streams have."""
    found = []
    fields: dict[str, st.SearchStrategy[Any]] = {
        "load_balancer": load_balancers(keys),
        "cancellation": switch,
        "deadline": switch,
        "timeout": st.sampled_from(["2ms", "6ms", "20ms", "none"]),
        "retries": retries(),
        "zone_aware": switch,
        "panic": st.sampled_from(["0%", "50%", "100%"]),
        "circuit_breaker": st.one_of(breakers, st.just("none")),
        "outlier": st.one_of(outliers, st.just("none")),
        "rate_limit": rate_limits,
    }
    for name in draw(st.lists(st.sampled_from((*SERVICES, "all")), max_size=5, unique=True)):
        policy = {"name": name, "in_app": draw(st.integers(0, 2)) > 0} | ({} if name == "all" else {"to": name})
        for field in draw(st.lists(st.sampled_from(sorted(fields)), min_size=3, max_size=9, unique=True)):
            policy[field] = draw(fields[field])
        if isinstance(policy.get("load_balancer"), dict) and "least_request" not in policy["load_balancer"]:
            policy.pop("zone_aware", None)  # a key has its replica
        if "budget" in _keys(policy.get("retries")) and "max_retries" in _keys(policy.get("circuit_breaker")):
            del policy["circuit_breaker"]  # a budget takes the place of the limit
        found.append(policy)
    return found


def _keys(value: Any) -> set[str]:
    return set(value) if isinstance(value, dict) else set()


@st.composite
def routes(draw: st.DrawFn, services: dict[str, Any]) -> list[dict[str, Any]]:
    """Routes to services, some of them by tenant or header."""
    found = []
    for number, name in enumerate(draw(st.lists(st.sampled_from(SERVICES[1:]), max_size=2))):
        route: dict[str, Any] = {"name": f"r{number}", "to": name}
        match: dict[str, Any] = draw(st.sampled_from([{}, {"tenant": "t"}, {"headers": {"x": "y"}}]))
        if match:
            route["match"] = match
        target = name
        if draw(st.integers(0, 3)) == 0:
            target = draw(st.sampled_from(SERVICES[SERVICES.index(name) :]))  # forwards only: no new circles
            route["rewrite"] = f"{target}.get"
        if "versions" in services[target]:
            route["split"] = draw(st.sampled_from([{"v1": 10, "v2": 90}, "v2", "v1"]))
            if draw(st.booleans()):
                route["mirror"] = draw(st.sampled_from(["v2", {"version": "v1", "share": "50%"}]))
        if draw(st.booleans()) or len(route) == 2 + bool(match):
            route["fault"] = draw(
                st.sampled_from(
                    [
                        {"delay": {"for": "2ms", "share": "50%"}},
                        {"abort": {"as": "503", "share": "40%"}},
                        {"delay": {"for": {"exp": "1ms"}}, "abort": {"as": "reset", "share": "30%"}},
                    ]
                )
            )
        found.append(route)
    return found


#: What streams may say beside their arrivals.
stream_extras = some_of(
    {
        "headers": st.just({"x": "y"}),
        "patience": st.sampled_from(["8ms", {"exp": "10ms"}]),
    }
)
