"""Lowering as a whole: what stays, what is added, what is inert, and that it is a pure function."""

from __future__ import annotations

import math

import pytest
from hand_made import call, constant, mesh, service, stream, topology, work

from meshsim.architectures import NAMED, lower
from meshsim.architectures.describe import describe
from meshsim.architectures.plane import Forward, Inert, PlaneCall, PlaneChoose, PlaneParallel, ProxyWork
from meshsim.architectures.walk import chain_of
from meshsim.errors import UsageError
from meshsim.model.policies import LoadBalancer, Policy
from meshsim.model.steps import Choose, Fail, Option, Parallel, Wait
from meshsim.model.topology import Cores, ProxyConfig, Topology


@pytest.mark.parametrize("architecture", NAMED)
def test_lowering_is_pure(three: Topology, architecture: str) -> None:
    before = three.model_copy(deep=True)
    assert lower(three, architecture) == lower(three, architecture)
    assert three == before


@pytest.mark.parametrize("architecture", NAMED)
def test_order_of_the_input_does_not_matter(three: Topology, architecture: str) -> None:
    turned = three.model_copy(update={"services": dict(reversed(three.services.items()))})
    assert lower(turned, architecture) == lower(three, architecture)


def test_applications_come_first_then_proxies_each_by_name(three: Topology) -> None:
    names = [(s.role, s.name) for s in lower(three, "sidecar").services]
    assert names == [
        *(("app", name) for name in "abc"),
        *(("proxy", name) for name in ("gateway", "sidecar@a", "sidecar@b", "sidecar@c")),
    ]


@pytest.mark.parametrize("architecture", NAMED)
def test_every_step_keeps_its_position(architecture: str) -> None:
    tree = (
        work(),
        Parallel(branches=((call("b.x"), Wait(wait=constant(0.1))), (call("c.x"),)), quorum=1),
        Choose(options=(Option(p=0.5, do=(call("b.x", fallback=(call("c.x"), work())),)), Option(p=0.5))),
        Fail(p=0.1),
    )
    plane = lower(topology(service("a", steps=tree), service("b"), service("c")), architecture)
    (steps,) = plane.service("a").endpoints["x"]
    first, parallel, choose, fail = steps
    assert (first, fail) == (tree[0], tree[3])
    assert isinstance(parallel, PlaneParallel)
    assert parallel.quorum == 1
    assert [[type(step).__name__ for step in branch] for branch in parallel.branches] == [
        ["PlaneCall", "Wait"],
        ["PlaneCall"],
    ]
    assert isinstance(choose, PlaneChoose)
    assert [option.p for option in choose.options] == [0.5, 0.5]
    (inner,) = choose.options[0].do
    assert isinstance(inner, PlaneCall)
    assert inner.fallback is not None
    assert isinstance(inner.fallback[0], PlaneCall)
    assert chain_of(plane, inner.fallback[0].hop)[-1].to == "c"
    assert inner.call == tree[2].options[0].do[0]  # type: ignore[union-attr]


def test_a_proxy_works_forwards_and_works_on_the_answer(three: Topology) -> None:
    gateway = ProxyConfig(
        profile="envoy", cpu_per_request=constant(0.002), cpu_per_kib_s=(1e-6, 3e-6), tls_handshake_s=0.004
    )
    plane = lower(three.model_copy(update={"mesh": mesh(gateway=gateway)}), "gateway")
    (steps,) = plane.service("gateway").endpoints["a.x"]
    request, forward, response = steps
    assert request == ProxyWork(constant(0.001), 1e-6, 0.004, "request")
    assert isinstance(forward, Forward)
    assert response == ProxyWork(constant(0.001), 3e-6, 0.0, "response")


def test_include_and_exclude_choose_who_gets_a_sidecar(three: Topology) -> None:
    def proxies(architecture: str) -> list[str]:
        return [s.name for s in lower(three, architecture).services if s.role == "proxy"]

    assert proxies("{ingress: none, mesh: sidecar, include: [a, c], exclude: [c]}") == ["sidecar@a"]
    assert proxies("{ingress: none, mesh: sidecar, include: []}") == []
    assert proxies("{ingress: none, mesh: ambient, include: []}") == []
    with pytest.raises(UsageError, match="service 'd' is unknown"):
        lower(three, "{ingress: none, mesh: sidecar, include: [d]}")


def test_waypoints_stand_where_calls_pass_them() -> None:
    system = topology(
        service("a", steps=(call("b.x"), call("c.x"))),
        service("b", namespace="back"),
        service("c", namespace="back"),
    )
    names = {s.name for s in lower(system, "ambient-waypoint").services if s.role == "proxy"}
    assert names == {"gateway", "ztunnel", "waypoint@ns:back"}
    names = {
        s.name
        for s in lower(system, "{ingress: none, mesh: ambient, waypoint: per_service}").services
        if s.role == "proxy"
    }
    assert names == {"ztunnel", "waypoint@b", "waypoint@c"}


def versioned() -> Topology:
    split = service("b", versions={"v1": 1, "v2": 2}, split={"v1": 0.9, "v2": 0.1})
    policies = (
        Policy(name="all", load_balancer=LoadBalancer(kind="round_robin")),
        Policy(name="stop", to="b.x", cancellation=True),
    )
    return topology(service("a", steps=(call("b.x"),)), split, policies=policies)


def test_nobody_enforces_policies_without_an_l7_proxy() -> None:
    inert = {(i.policy, i.field, i.caller, i.callee) for i in lower(versioned(), "none").inert}
    a_to_b = {("all", "load_balancer"), ("stop", "cancellation"), ("services.b", "split")}
    assert inert == {("all", "load_balancer", "client", "a.x"), *((*what, "a", "b.x") for what in a_to_b)}


@pytest.mark.parametrize(
    ("architecture", "edges"),
    [
        ("gateway", {"a"}),
        ("central", set()),
        ("sidecar", set()),
        ("sidecar-only", {"client"}),  # the sidecar of a is on the receiving side
        ("ambient", {"a"}),
        ("ambient-waypoint", set()),
        ("{ingress: none, mesh: sidecar, include: [b]}", {"client", "a"}),
    ],
)
def test_which_edges_have_inert_policies(architecture: str, edges: set[str]) -> None:
    assert {inert.caller for inert in lower(versioned(), architecture).inert} == edges


@pytest.mark.parametrize("architecture", NAMED)
def test_same_policies_leaves_nothing_inert(architecture: str) -> None:
    plane = lower(versioned(), architecture, same_policies=True)
    assert plane.inert == ()
    call_hop = next(s.hop for s in plane.service("a").endpoints["x"][0] if isinstance(s, PlaneCall))
    balancing = [hop for hop in chain_of(plane, call_hop) if hop.pick == "balance"]
    assert [(hop.cluster.balancer, hop.enforce_split, hop.cancellation) for hop in balancing] == [
        ("round_robin", True, True)
    ]


def test_inert_tells_who_could_act() -> None:
    (inert,) = (i for i in lower(versioned(), "ambient").inert if i.field == "split")
    assert inert == Inert("services.b", "split", "a", "b.x", inert.why)
    assert "L4" in inert.why
    assert "in_app" in inert.why


def test_callers_with_a_policy_of_their_own_get_an_endpoint_of_their_own() -> None:
    policies = (
        Policy(name="general", to="c", load_balancer=LoadBalancer(kind="round_robin")),
        Policy(name="special", to="c", from_="b", load_balancer=LoadBalancer(kind="random")),
    )
    system = topology(
        service("a", steps=(call("b.x"), call("c.x"))), service("b", steps=(call("c.x"),)), service("c"),
        policies=policies,
    )  # fmt: skip
    endpoints = lower(system, "central").service("gateway").endpoints
    assert sorted(endpoints) == ["a.x", "b.x", "c.x", "c.x|from=b"]
    chosen = {name: steps[0][1].hop.cluster.balancer for name, steps in endpoints.items()}  # type: ignore[union-attr]
    assert (chosen["c.x"], chosen["c.x|from=b"]) == ("round_robin", "random")


def test_versions_and_split() -> None:
    b = lower(versioned(), "sidecar").service("b")
    assert b.versions == ("v1", "v2")
    assert b.split == (0.9, 0.1)
    assert [replica.version for replica in b.replicas] == [0, 1, 1]
    assert len(b.endpoints["x"]) == 2


def test_unlimited_cpu_is_infinite_cores() -> None:
    free = service("a")
    version = free.versions[0].model_copy(update={"cpu": Cores(request=0.5, limit=None)})
    plane = lower(topology(free.model_copy(update={"versions": (version,)})), "none")
    assert {(r.cores, r.cores_requested) for r in plane.service("a").replicas} == {(math.inf, 0.5)}


def test_the_zero_profile_costs_nothing_and_never_waits(three: Topology) -> None:
    zero = ProxyConfig(profile="zero")
    free = mesh("zero", gateway=zero, waypoint=zero)
    for architecture in NAMED:
        for proxy in lower(three.model_copy(update={"mesh": free}), architecture).services:
            if proxy.role == "proxy":
                assert (proxy.threads, proxy.cores, proxy.memory_used_bytes) == (None, math.inf, 0)
                work_steps = [s for (steps,) in proxy.endpoints.values() for s in steps if isinstance(s, ProxyWork)]
                assert all(s.base == constant(0.0) for s in work_steps)
                assert all((s.per_kib_s, s.handshake_s) == (0.0, 0.0) for s in work_steps)


def test_entries_are_sorted_and_may_share_an_endpoint(three: Topology) -> None:
    both = three.model_copy(update={"traffic": (stream("z", "a.x"), stream("m", "a.x"))})
    plane = lower(both, "sidecar")
    assert [entry.name for entry, _ in plane.entries] == ["m", "z"]
    assert plane.entries[0][1] == plane.entries[1][1]


@pytest.mark.parametrize("name", ["gateway", "client"])
def test_a_service_with_the_name_of_a_proxy_is_refused(name: str) -> None:
    with pytest.raises(UsageError, match=f"services.{name}: service '{name}'"):
        lower(topology(service(name), entry=f"{name}.x"), "sidecar")


def test_a_service_may_be_called_gateway_where_there_is_none() -> None:
    assert lower(topology(service("gateway"), entry="gateway.x"), "none").service("gateway").role == "app"


def test_origins_name_the_line_or_the_path(three: Topology) -> None:
    origins = {"services.a": "shop.yaml:7", "mesh": "shop.yaml:90"}
    plane = lower(three.model_copy(update={"origins": origins}), "sidecar")
    found = {s.name: s.origin for s in plane.services}
    assert found["a"] == "shop.yaml:7"
    assert found["b"] == "services.b"
    assert found["sidecar@a"] == "shop.yaml:90"


def test_a_profile_without_that_proxy_names_those_that_have_it(three: Topology) -> None:
    changed = three.model_copy(update={"mesh": mesh("linkerd")})
    assert lower(changed, "none") == lower(three, "none")  # not asked for
    with pytest.raises(UsageError, match=r"'linkerd' has no ztunnel; take one of istio-1\.24, zero"):
        lower(changed, "ambient")


def test_what_keeps_tenants_apart_in_proxies_that_are_not_there_is_told() -> None:
    system = topology(service("a"))
    apart = system.mesh.gateway.model_copy(update={"bulkhead": 3, "discipline": "fair", "buffers_bytes": 2**20})
    system = system.model_copy(update={"mesh": system.mesh.model_copy(update={"gateway": apart})})
    assert not lower(system, "gateway").inert
    plane = lower(system, "none")
    fields = {(i.policy, i.field, i.caller, i.why) for i in plane.inert}
    why = "there is no gateway here"
    assert fields == {("mesh.gateway", field, "", why) for field in ("buffers", "bulkhead", "discipline")}
    assert "  mesh.gateway.bulkhead: there is no gateway here" in describe(plane)
