"""What policies, routes, keys and limits of time are read into; how they are extended and overridden."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from good_policies import POLICIES
from hypothesis import given
from hypothesis import strategies as st

from meshsim.errors import SpecError
from meshsim.model.diagnostics import Report
from meshsim.model.distributions import Distribution, constant
from meshsim.model.load import load, validate
from meshsim.model.policies import (
    Abort,
    Backoff,
    Bucket,
    Budget,
    CircuitBreaker,
    Delay,
    LoadBalancer,
    Match,
    Mirror,
    Outlier,
    Policy,
    RateLimit,
    Retries,
    Route,
)
from meshsim.model.read.tree import to_python
from meshsim.model.read.yaml_text import parse
from meshsim.model.topology import Topology
from meshsim.model.traffic import Keys

EXP_1S = Distribution(kind="exp", params=(1.0,))


def _spec(text: str) -> dict[str, Any]:
    """The dict of a text: with PyYAML, `on` would be True."""
    node = parse(text, "policies.yaml", Report())
    assert node is not None
    spec = to_python(node)
    assert isinstance(spec, dict)
    return spec


def _load(text: str, *overrides: str) -> Topology:
    return load(_spec(text), overrides=overrides)


def _policy(fields: str, defaults: str = "istio") -> Policy:
    text = POLICIES[: POLICIES.index("policy_defaults")]
    topology = _load(f"{text}policy_defaults: {defaults}\npolicies:\n  - {{name: p, {fields}}}\n")
    return topology.policies[0]


def test_every_field(tmp_path: Path) -> None:
    file = tmp_path / "policies.yaml"
    file.write_text(POLICIES)
    topology, told = validate(file)
    assert topology is not None and told == []
    assert topology.policy_defaults == "envoy"
    assert topology.policies == (
        Policy(name="all", timeout_s="none", retries="none", panic=0.0, cancellation=True, deadline=True, in_app=True),
        Policy(
            name="geo",
            to="geo.lookup",
            from_="page",
            timeout_s=0.5,
            retries=Retries(
                attempts=2,
                on=("5xx", "reset", "503"),
                per_try_s=0.2,
                backoff=Backoff(base_s=0.025, max_s=0.1),
                avoid_previous_hosts=True,
                host_attempts=5,
                budget=Budget(share=0.2, floor=3),
                hedge=False,
            ),
            load_balancer=LoadBalancer(kind="ring_hash", on="caller", min_size=2048),
            panic=0.5,
            circuit_breaker=CircuitBreaker(max_connections=1, max_pending=2, max_requests=3),
            outlier=Outlier(
                consecutive_5xx=5,
                consecutive_gateway=6,
                consecutive_local_origin=7,
                interval_s=10.0,
                base_ejection_s=30.0,
                max_ejection_s=300.0,
                max_ejected=0.1,
                always_eject_one_host=True,
            ),
            rate_limit=RateLimit(
                local=Bucket(rate_per_s=100.0, burst=20),
                shared=Bucket(rate_per_s=1000.0, burst=100),
                delay=Distribution(kind="exp", params=(0.001,)),
            ),
        ),
        Policy(
            name="reviews",
            to="reviews",
            zone_aware=True,
            load_balancer=LoadBalancer(kind="least_request", choices=0),
            retries=Retries(
                on=("unavailable",),
                backoff=Backoff(distribution=Distribution(kind="exp", params=(0.01,))),
                budget=Budget(share=0.1),
            ),
            circuit_breaker="none",
            outlier="none",
            rate_limit="none",
        ),
    )
    assert topology.routes == (
        Route(
            name="jason",
            to="reviews",
            from_="page",
            match=Match(tenant="web", headers={"end-user": "jason"}),
            split={"v1": 0.0, "v2": 0.0, "v3": 1.0},
            delay=Delay(wait=constant(7.0), share=0.5),
            abort=Abort(reason="503", share=0.1),
        ),
        Route(
            name="canary",
            to="reviews",
            split={"v1": 0.9, "v2": 0.1, "v3": 0.0},
            mirror=Mirror(version="v3", share=0.1),
        ),
        Route(name="near", to="geo.lookup", rewrite=("geo", "near")),
    )
    web = next(stream for stream in topology.traffic if stream.name == "web")
    assert web.headers == {"end-user": "jason", "x-level": "3"}
    assert web.keys == {"caller": Keys(items=50_000, exponent=1.0), "item": Keys(items=1000)}
    assert web.patience == Distribution(kind="exp", params=(3.0,))
    assert topology.services["page"].max_wait == constant(0.1)


def test_a_file_and_its_dict_are_the_same_system(tmp_path: Path) -> None:
    (tmp_path / "policies.yaml").write_text(POLICIES)
    assert load(tmp_path / "policies.yaml").digest == _load(POLICIES).digest


def test_what_is_absent() -> None:
    topology = _load(POLICIES[: POLICIES.index("policy_defaults")])
    assert (topology.policy_defaults, topology.policies, topology.routes) == ("istio", (), ())
    assert topology.services["geo"].max_wait is None
    assert _policy("in_app: off") == Policy(name="p", in_app=False)


@pytest.mark.parametrize(
    ("written", "read"),
    [
        ("none", "none"),
        ("0", "none"),
        ("2", Retries(attempts=2)),
        ("{}", Retries()),
        ("{attempts: 0}", Retries(attempts=0)),
        ("{backoff: none}", Retries(backoff="none")),
        ("{backoff: {constant: 0ms}}", Retries(backoff=Backoff(distribution=constant(0.0)))),
        ("{max_backoff: 25ms}", Retries(backoff=Backoff(max_s=0.025))),
        ("{budget: 0.2}", Retries(budget=Budget(share=0.2))),
        ("{on: [429, refused-stream]}", Retries(on=("refused-stream", "429"))),
        ("{per_try: 100ms, hedge: on}", Retries(per_try_s=0.1, hedge=True)),
        ("{host_attempts: 3}", Retries(host_attempts=3)),  # Istio's set avoids previous hosts
    ],
)
def test_retries(written: str, read: object) -> None:
    assert _policy(f"retries: {written}").retries == read


@pytest.mark.parametrize("defaults", ["envoy", "none"])
def test_retries_that_need_no_conditions(defaults: str) -> None:
    assert _policy("retries: none", defaults).retries == "none"
    assert _policy("retries: 0", defaults).retries == "none"
    assert _policy("retries: {on: [5xx]}", defaults).retries == Retries(on=("5xx",))


@pytest.mark.parametrize(
    ("written", "read"),
    [
        ("random", LoadBalancer(kind="random")),
        ("least_request", LoadBalancer(kind="least_request", choices=2)),
        ("{least_request: {}}", LoadBalancer(kind="least_request", choices=2)),
        ("{least_request: {choices: 5}}", LoadBalancer(kind="least_request", choices=5)),
        ("{ring_hash: {on: item}}", LoadBalancer(kind="ring_hash", on="item", min_size=1024)),
        ("{maglev: {on: caller}}", LoadBalancer(kind="maglev", on="caller")),
    ],
)
def test_balancers(written: str, read: LoadBalancer) -> None:
    assert _policy(f"load_balancer: {written}").load_balancer == read


def test_switches_are_read_from_booleans_of_python_too() -> None:
    spec = _spec(POLICIES)
    spec["policies"][0] |= {"cancellation": True, "deadline": False}
    policy = load(spec).policies[0]
    assert (policy.cancellation, policy.deadline) == (True, False)


def test_shares_of_a_split_are_normalised() -> None:
    weights = _load(POLICIES, "routes.canary.split={v2: 1, v3: 3}").routes[1].split
    assert weights == {"v1": 0.0, "v2": 0.25, "v3": 0.75}


def test_a_rewrite_speaks_of_the_versions_of_its_target() -> None:
    text = POLICIES.replace("{name: near, to: geo.lookup, rewrite: geo.near}",
                            "{name: near, to: geo, rewrite: reviews, split: v2, mirror: v1}")  # fmt: skip
    route = _load(text).routes[2]
    assert route.rewrite == ("reviews", "get")
    assert route.split == {"v1": 0.0, "v2": 1.0, "v3": 0.0} and route.mirror == Mirror(version="v1")


OVERRIDES = [
    ("policies.geo.retries.attempts=5", lambda t: t.policies[1].retries.attempts == 5),
    ("policies.geo.retries.budget.share=50%", lambda t: t.policies[1].retries.budget.share == 0.5),
    ("policies.geo.retries=none", lambda t: t.policies[1].retries == "none"),
    (
        "policies.all.retries={attempts: 1, on: [5xx]}",
        lambda t: t.policies[0].retries == Retries(attempts=1, on=("5xx",)),
    ),
    ("policies.geo.load_balancer.ring_hash.on=item", lambda t: t.policies[1].load_balancer.on == "item"),
    ("policies.geo.load_balancer.maglev.on=item", lambda t: t.policies[1].load_balancer.kind == "maglev"),
    ("policies.geo.load_balancer=random", lambda t: t.policies[1].load_balancer.kind == "random"),
    ("policies.geo.rate_limit.local.rate=5/s", lambda t: t.policies[1].rate_limit.local.rate_per_s == 5.0),
    ("policies.geo.outlier.interval=1s", lambda t: t.policies[1].outlier.interval_s == 1.0),
    ("policies.geo.timeout=null", lambda t: t.policies[1].timeout_s is None),
    ("routes.canary.split.v2=30", lambda t: t.routes[1].split["v2"] == 0.25),
    ("routes.canary.split.v3=100", lambda t: t.routes[1].split["v3"] == 0.5),
    ("routes.jason.fault.delay.share=0%", lambda t: t.routes[0].delay.share == 0.0),
    ("routes.jason.match.headers.x-level=3", lambda t: t.routes[0].match.headers.get("x-level") == "3"),
    ("routes.jason=null", lambda t: [r.name for r in t.routes] == ["canary", "near"]),
    ("traffic.web.keys.caller.zipf.exponent=0.5", lambda t: t.traffic[1].keys["caller"].exponent == 0.5),
    ("traffic.web.keys.caller.uniform.items=9", lambda t: t.traffic[1].keys["caller"] == Keys(items=9)),
    ("traffic.web.keys.uniform.uniform.items=9", lambda t: len(t.traffic[1].keys) == 3),  # a dimension of that name
    ("traffic.web.headers.x-other=1", lambda t: t.traffic[1].headers.get("x-other") == "1"),
    ("traffic.web.patience=1s", lambda t: t.traffic[1].patience == constant(1.0)),
    ("services.page.max_wait={exp: 1s}", lambda t: t.services["page"].max_wait == EXP_1S),
    ("policy_defaults=istio", lambda t: t.policy_defaults == "istio"),
]


@pytest.mark.parametrize(("override", "holds"), OVERRIDES)
def test_overrides(override: str, holds: Callable[[Any], bool]) -> None:
    assert holds(_load(POLICIES, override))
    assert not holds(_load(POLICIES))


@pytest.mark.parametrize(
    ("override", "code", "hint"),
    [
        ("policies.goe.timeout=1s", "M011", "did you mean 'geo'?"),
        ("routes.jasn.split=v1", "M011", "did you mean 'jason'?"),
        ("policies.geo.retries.atempts=2", "M101", "did you mean 'attempts'?"),
        ("policies.all.retries.attempts=2", "M011", "as a whole"),
        ("policies.geo.retries.backoff={exp: 5ms}", "M120", "remove max_backoff"),  # the cap of the base is still there
        ("policies.geo.circuit_breaker.max_retries=null", "M011", "null removes"),
        ("routes.canary.split.v4=1", "M104", "known: v1, v2, v3"),
    ],
)
def test_wrong_overrides(override: str, code: str, hint: str) -> None:
    with pytest.raises(SpecError) as caught:
        _load(POLICIES, override)
    (error,) = caught.value.diagnostics
    assert error.code == code and hint in error.hint, error


EXTENDED = """\
extends: base.yaml
traffic: [{name: web, keys: {caller: {uniform: {items: 7}}}}]
policies:
  - {name: geo, timeout: 1s, retries: {attempts: 4}, load_balancer: {maglev: {on: item}}}
routes:
  - {name: canary, split: {v2: 30}, mirror: null}
  - {name: late, to: reviews.get, split: v1}
"""


def test_extends_merges_by_name(tmp_path: Path) -> None:
    (tmp_path / "base.yaml").write_text(POLICIES)
    (tmp_path / "more.yaml").write_text(EXTENDED)
    topology = load(tmp_path / "more.yaml")
    geo = topology.policies[1]
    assert isinstance(geo.retries, Retries) and (geo.retries.attempts, geo.retries.per_try_s) == (4, 0.2)
    assert (geo.timeout_s, geo.load_balancer) == (1.0, LoadBalancer(kind="maglev", on="item"))
    assert [route.name for route in topology.routes] == ["jason", "canary", "near", "late"]
    assert topology.routes[1].split == {"v1": 0.75, "v2": 0.25, "v3": 0.0} and topology.routes[1].mirror is None
    web = next(stream for stream in topology.traffic if stream.name == "web")
    assert web.keys == {"caller": Keys(items=7), "item": Keys(items=1000)}


def test_the_order_of_routes_is_part_of_the_system_and_that_of_policies_is_not() -> None:
    spec = _spec(POLICIES)
    assert load({**spec, "policies": spec["policies"][::-1]}).digest == load(spec).digest
    assert load({**spec, "routes": spec["routes"][::-1]}).digest != load(spec).digest


JUNK: list[Any] = [None, True, -1, 3, 1e308, "", "x", "5%", "7s", "none", "100/s", [], ["x"], {}, {"x": 1}]


def _places(value: Any, path: tuple[Any, ...] = ()) -> list[tuple[Any, ...]]:
    inner = value.items() if isinstance(value, dict) else enumerate(value) if isinstance(value, list) else ()
    return [path, *(place for key, part in inner for place in _places(part, (*path, key)))]


@given(st.sampled_from(_places(_spec(POLICIES))[1:]), st.sampled_from(JUNK))
def test_whatever_stands_somewhere_is_read_or_reported(place: tuple[Any, ...], junk: Any) -> None:
    spec = _spec(POLICIES)
    at: Any = spec
    for part in place[:-1]:
        at = at[part]
    at[place[-1]] = junk
    topology, told = validate(spec)
    errors = [d for d in told if d.severity == "error"]
    assert (topology is None) == bool(errors)
    assert all(error.hint or error.code in ("M107", "M108") for error in errors), errors
