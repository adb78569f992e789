"""What a push makes of a topology, by kind; whose policy holds is judged by the resolution of the architectures."""

from __future__ import annotations

import random
from itertools import product
from pathlib import Path
from typing import Any

import pytest
from good_events import SYSTEM

from meshsim.architectures import resolution
from meshsim.model import faults as f
from meshsim.model.changes import NO_LIMIT, changed_topology, pushed_topologies
from meshsim.model.distributions import constant
from meshsim.model.faults import Push, PushFault, Scope
from meshsim.model.load import load
from meshsim.model.policies import (
    Abort,
    Bucket,
    Budget,
    CircuitBreaker,
    Delay,
    Match,
    Policy,
    RateLimit,
    Retries,
    Route,
)
from meshsim.model.topology import Filter, Topology
from meshsim.simulate import run

CALLERS = (None, "client", "page", "geo")
CALLEES = (("geo", "lookup"), ("geo", "near"), ("reviews", "get"), ("page", "show"))
STORM = ("5xx", "gateway-error", "reset", "connect-failure", "503")


@pytest.fixture(scope="module")
def system(tmp_path_factory: pytest.TempPathFactory) -> Topology:
    file = tmp_path_factory.mktemp("system") / "system.yaml"
    file.write_text(SYSTEM, encoding="utf-8")
    return load(file)


def push(fault: PushFault, **more: Any) -> Push:
    return Push(name="bad", fault=fault, **more)


def held(topology: Topology, field: str) -> dict[tuple[str | None, str, str], Any]:
    """Say what holds for every call, by the resolution that lowering uses."""
    return {
        (caller, *callee): resolution.resolve(topology.policies, caller, *callee).value(field)
        for caller, callee in product(CALLERS, CALLEES)
    }


def with_policies(topology: Topology, *policies: Policy) -> Topology:
    return topology.model_copy(update={"policies": policies})


# -- routes ------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("fault", "route"),
    [
        (f.WrongRoute(to="geo.lookup", instead=("geo", "near")),
         {"to": "geo.lookup", "rewrite": ("geo", "near")}),
        (f.RouteBlackhole(to="geo", for_s=7.0),
         {"to": "geo", "delay": Delay(wait=constant(7.0), share=1.0), "abort": Abort(reason="503", share=1.0)}),
        (f.WrongWeight(to="reviews", split={"v1": 0.25, "v2": 0.75}),
         {"to": "reviews", "split": {"v1": 0.25, "v2": 0.75}}),
        (f.ExpiredCertificate(to="geo"),
         {"to": "geo", "abort": Abort(reason="connect_failure", share=1.0)}),
    ],
)  # fmt: skip
@pytest.mark.parametrize("tenant", [None, "beta"])
def test_mistakes_that_are_a_route(
    fault: PushFault, route: dict[str, Any], tenant: str | None, system: Topology
) -> None:
    changed = changed_topology(system, push(fault, match_tenant=tenant))
    assert changed.routes == (Route(name="fault:bad", match=Match(tenant=tenant), **route), *system.routes)
    assert changed.model_copy(update={"routes": system.routes}) == system
    if tenant is not None:
        scope = Scope(kind="tenant", name=tenant)
        assert changed_topology(system, push(fault, scope=scope)).routes == changed.routes


def test_mistakes_add_up(system: Topology) -> None:
    first = push(f.ExpiredCertificate(to="geo"))
    second = Push(name="worse", fault=f.ExpiredCertificate(to="reviews"))
    both = changed_topology(changed_topology(system, first), second)
    assert [route.name for route in both.routes] == ["fault:worse", "fault:bad", "all"]


# -- policies ----------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("to", ["geo", "geo.lookup"])
def test_a_short_timeout_holds_for_all_of_its_calls_and_no_others(to: str, system: Topology) -> None:
    written = with_policies(
        system, Policy(name="all", timeout_s=9.0), Policy(name="page", from_="page", timeout_s=8.0),
        Policy(name="geo", to="geo", timeout_s=7.0), Policy(name="near", to="geo.near", from_="client", timeout_s=6.0),
    )  # fmt: skip
    before = held(written, "timeout_s")
    after = held(changed_topology(written, push(f.ShortTimeout(to=to, timeout_s=0.001))), "timeout_s")
    for call, seconds in before.items():
        meant = to in (call[1], f"{call[1]}.{call[2]}")
        assert after[call] == (0.001 if meant else seconds), call


def test_a_mistake_of_policies_needs_no_policies(system: Topology) -> None:
    bare = with_policies(system)
    limited = changed_topology(bare, push(f.StrictLimit(to="geo", rate_per_s=2.0, burst=3)))
    assert limited.policies == (
        Policy(name="fault:bad", to="geo", rate_limit=RateLimit(local=Bucket(rate_per_s=2.0, burst=3))),
    )
    storm = changed_topology(bare, push(f.RetryStorm(to="geo", attempts=7)))
    assert storm.policies == (
        Policy(
            name="fault:bad", to="geo", retries=Retries(attempts=7, on=STORM, backoff="none"),
            circuit_breaker=CircuitBreaker(max_retries=NO_LIMIT),
        ),
    )  # fmt: skip


def test_a_storm_takes_the_brakes_off_and_leaves_the_rest(system: Topology) -> None:
    careful = Retries(attempts=1, on=("5xx",), per_try_s=0.2, budget=Budget(share=0.2))
    written = with_policies(
        system,
        Policy(name="all", retries=careful, circuit_breaker=CircuitBreaker(max_requests=10, max_retries=3)),
        Policy(name="page", from_="page", circuit_breaker=CircuitBreaker(max_requests=20)),
        Policy(name="near", to="geo.near", circuit_breaker="none", retries="none"),
    )
    changed = changed_topology(written, push(f.RetryStorm(to="geo", attempts=10)))
    retries, breakers = held(changed, "retries"), held(changed, "circuit_breaker")
    storm = Retries(attempts=10, on=STORM, per_try_s=0.2, backoff="none", budget=None)
    assert retries["client", "geo", "lookup"] == retries["page", "geo", "lookup"] == storm
    assert retries["client", "geo", "near"] == Retries(attempts=10, on=STORM, backoff="none")
    assert breakers["client", "geo", "lookup"] == CircuitBreaker(max_requests=10, max_retries=NO_LIMIT)
    assert breakers["page", "geo", "lookup"] == CircuitBreaker(max_requests=20, max_retries=NO_LIMIT)
    assert breakers["client", "geo", "near"] == breakers["page", "geo", "near"] == "none"  # no limit already
    for call in held(written, "retries"):
        if call[1] != "geo":
            assert retries[call] == careful
            assert breakers[call] == held(written, "circuit_breaker")[call]


def test_a_strict_limit_leaves_a_global_one(system: Topology) -> None:
    shared = RateLimit(local=Bucket(rate_per_s=100.0, burst=9), shared=Bucket(rate_per_s=1000.0, burst=99))
    written = with_policies(system, Policy(name="geo", to="geo", rate_limit=shared))
    changed = changed_topology(written, push(f.StrictLimit(to="geo.near")))
    limits = held(changed, "rate_limit")
    strict = RateLimit(local=Bucket(rate_per_s=1.0, burst=1), shared=Bucket(rate_per_s=1000.0, burst=99))
    assert limits["page", "geo", "near"] == strict and limits["page", "geo", "lookup"] == shared


def _random_policies(draw: random.Random) -> list[Policy]:
    """Give policies of any selection, each at most once, so that none contradicts another."""
    selections = list(product((None, "geo", "geo.lookup", "geo.near", "reviews"), (None, "client", "page")))
    chosen = draw.sample(selections, draw.randint(0, len(selections)))
    fields: dict[str, list[Any]] = {
        "timeout_s": [None, "none", 1.0, 2.0],
        "retries": [None, "none", Retries(attempts=1), Retries(attempts=2, budget=Budget(share=0.1))],
        "circuit_breaker": [None, "none", CircuitBreaker(max_requests=1), CircuitBreaker(max_retries=1)],
        "rate_limit": [None, "none", RateLimit(shared=Bucket(rate_per_s=5.0, burst=5))],
        "panic": [None, 0.5],
    }
    return [
        Policy(name=f"p{i}", to=to, from_=source, **{field: draw.choice(values) for field, values in fields.items()})
        for i, (to, source) in enumerate(chosen)
    ]


@pytest.mark.parametrize("seed", range(40))
def test_whoever_calls_the_mistake_holds_and_nothing_else_changes(seed: int, system: Topology) -> None:
    draw = random.Random(seed)
    written = with_policies(system, *_random_policies(draw))
    to = draw.choice(["geo", "geo.lookup"])
    for fault, fields in (
        (f.ShortTimeout(to=to), {"timeout_s"}),
        (f.RetryStorm(to=to), {"retries", "circuit_breaker"}),
        (f.StrictLimit(to=to), {"rate_limit"}),
    ):
        changed = changed_topology(written, push(fault))
        for field in ("timeout_s", "retries", "circuit_breaker", "rate_limit", "panic"):
            before, after = held(written, field), held(changed, field)
            for call, old in before.items():
                if field in fields and to in (call[1], f"{call[1]}.{call[2]}"):
                    _is_mistaken(field, old, after[call])
                else:
                    assert after[call] == old, (field, call)


def _is_mistaken(field: str, old: Any, new: Any) -> None:
    if field == "timeout_s":
        assert new == 0.001
    elif field == "retries":
        assert (new.attempts, new.on, new.backoff, new.budget) == (10, STORM, "none", None)
    elif field == "circuit_breaker":
        limit = None if isinstance(old, str) or old is None else old.max_requests
        assert new == "none" if old == "none" else (new.max_requests, new.max_retries) == (limit, NO_LIMIT)
    else:
        shared = None if isinstance(old, str) or old is None else old.shared
        assert new == RateLimit(local=Bucket(rate_per_s=1.0, burst=1), shared=shared)


# -- proxies -----------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("scope", "kinds"),
    [(Scope(), {"gateway", "sidecar", "waypoint"}), (Scope(kind="gateway"), {"gateway"}),
     (Scope(kind="service", name="geo"), {"gateway", "sidecar", "waypoint"})],
)  # fmt: skip
@pytest.mark.parametrize(
    ("fault", "added"),
    [(f.SlowFilter(cpu=constant(0.02)), Filter(name="fault:bad", cpu=constant(0.02), tenant="beta")),
     (f.CrashOnRequest(to="geo"), Filter(name="fault:bad", crashes=True, to="geo", tenant="beta")),
     (f.CrashOnRequest(), Filter(name="fault:bad", crashes=True, tenant="beta"))],
)  # fmt: skip
def test_filters_of_proxies(fault: PushFault, added: Filter, scope: Scope, kinds: set[str], system: Topology) -> None:
    changed = changed_topology(system, push(fault, scope=scope, match_tenant="beta"))
    for kind in ("gateway", "sidecar", "waypoint", "ztunnel"):
        proxy = getattr(changed.mesh, kind)
        assert proxy.filters == ((added,) if kind in kinds else ())
        assert proxy.model_copy(update={"filters": ()}) == getattr(system.mesh, kind)
    assert changed.model_copy(update={"mesh": system.mesh}) == system
    assert changed.digest != system.digest
    again = changed_topology(changed, push(fault, scope=scope, match_tenant="beta"))
    assert len(again.mesh.gateway.filters) == 2


def test_another_key_of_caches(system: Topology) -> None:
    assert system.mesh.gateway.cache is not None and system.mesh.gateway.cache.key == ("item",)
    changed = changed_topology(system, push(f.CacheKey(key=("caller", "item"))))
    assert changed.mesh.gateway.cache is not None and changed.mesh.gateway.cache.key == ("caller", "item")
    assert changed.mesh.gateway.cache.model_copy(update={"key": ("item",)}) == system.mesh.gateway.cache
    assert changed.mesh.sidecar == system.mesh.sidecar


@pytest.mark.parametrize("fault", [f.CrashOnLoad(), f.MemoryGrowth()])
def test_what_happens_to_processes_changes_no_configuration(fault: PushFault, system: Topology) -> None:
    assert changed_topology(system, push(fault)) == system


# -- on an engine ------------------------------------------------------------------------------------------------

SHOP = {
    "meshsim": 1,
    "services": {
        "shop": {"endpoints": {"get": [{"call": "geo.near"}]}},
        "geo": {"versions": {"v1": {}, "v2": {}}, "endpoints": {"near": [{"work": "1ms"}], "far": [{"wait": "300ms"}]}},
    },
    "traffic": [{"name": "web", "entry": "shop.get", "arrivals": {"constant": "20/s"}}],
    "mesh": {"sidecar": {"profile": "zero"}},
    "run": {"duration": "4s", "warmup": "0s", "replications": 1},
}


def _run(fault: PushFault | None) -> tuple[float, float]:
    """Give the share of requests that fail, and the median latency of all in seconds."""
    shop = load(SHOP)
    changed = shop if fault is None else changed_topology(shop, push(fault))
    result = run(changed, "sidecar", engine="simpy", quiet=True).to_dict()
    return 1.0 - result["outcomes"]["ok"]["share"], result["latency_all_s"]["p50"]["value"]


def test_mistakes_show_on_an_engine() -> None:
    good, normal_s = _run(None)
    assert good == 0.0 and normal_s < 0.05
    assert _run(f.ExpiredCertificate(to="geo"))[0] == 1.0
    blackhole, waits_s = _run(f.RouteBlackhole(to="geo", for_s=0.5))
    assert blackhole == 1.0 and waits_s == pytest.approx(0.5, abs=0.05)
    late, far_s = _run(f.WrongRoute(to="geo", instead=("geo", "far")))
    assert late == 0.0 and far_s == pytest.approx(0.3, abs=0.05)
    assert _run(f.ShortTimeout(to="geo", timeout_s=0.0005))[0] == 1.0
    assert _run(f.StrictLimit(to="geo", rate_per_s=1.0, burst=1))[0] == pytest.approx(1.0 - 5 / 80, abs=0.03)


# -- what is set -------------------------------------------------------------------------------------------------


def test_what_is_set_takes_the_place_of_what_was_written(tmp_path: Path) -> None:
    file = tmp_path / "set.yaml"
    line = "push: {set: {policies.geo.timeout: 5ms, routes.all.split: v2, mesh.gateway.cache: null}}"
    file.write_text(SYSTEM + f"events: [{{name: one, at: 20s, {line}}}]\n", encoding="utf-8")
    written = load(file)
    one = written.events[0].push
    assert one is not None
    changed = changed_topology(written, one)
    assert changed.policies[0].timeout_s == 0.005 and changed.routes[0].split == {"v1": 0.0, "v2": 1.0}
    assert changed.mesh.gateway.cache is None and written.mesh.gateway.cache is not None
    kept = {"policies": written.policies, "routes": written.routes, "mesh": written.mesh}
    assert changed.model_copy(update=kept) == written


# -- several pushes ----------------------------------------------------------------------------------------------


def test_pushes_that_set_something_add_up() -> None:
    """Two of them and a mistake, in any number: what each changes is in force, whatever the others do."""
    spec = {
        "meshsim": 1,
        "services": {"a": {"endpoints": {"e": [{"work": "1ms"}]}}, "b": {"endpoints": {"e": [{"work": "1ms"}]}}},
        "traffic": [
            {"name": "s", "entry": "a.e", "arrivals": {"poisson": "1/s"}},
            {"name": "t", "entry": "b.e", "arrivals": {"poisson": "1/s"}},
        ],
        "policies": [{"name": "a", "to": "a", "timeout": "1s"}, {"name": "b", "to": "b", "timeout": "1s"}],
        "routes": [{"name": "r", "to": "a", "fault": {"abort": {"as": 503, "share": "1%"}}}],
        "run": {"warmup": "1s", "duration": "20s"},
        "events": [
            {
                "name": "one",
                "at": "2s",
                "push": {"set": {"policies.a.timeout": "5ms", "mesh.gateway.tls_handshake": "3us"}},
            },
            {"name": "two", "at": "3s", "push": {"set": {"policies.b.timeout": "7ms", "routes.r": None}}},
            {"name": "three", "at": "4s", "push": {"fault": {"expired_certificate": {"to": "b"}}}},
        ],
    }
    found = pushed_topologies(load(spec))
    assert len(found) == 7
    for number, topology in enumerate(found, 1):
        timeouts = {policy.name: policy.timeout_s for policy in topology.policies}
        assert timeouts == {"a": 0.005 if number & 1 else 1.0, "b": 0.007 if number & 2 else 1.0}
        assert topology.mesh.gateway.tls_handshake_s == (3e-6 if number & 1 else None)
        routes = [route.name for route in topology.routes]
        assert routes == (["fault:three"] if number & 4 else []) + ([] if number & 2 else ["r"])
