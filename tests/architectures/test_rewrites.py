"""The chain of hops for every kind of mesh, written out by hand from the data paths that Istio documents."""

from __future__ import annotations

import pytest
from hand_made import CLIENT_CONNECTIONS, OWN_CONNECTIONS, mesh

from meshsim.architectures import lower
from meshsim.architectures.describe import describe, edges
from meshsim.architectures.plane import Hop, Plane
from meshsim.architectures.walk import chain_of
from meshsim.model.policies import LoadBalancer, Policy
from meshsim.model.topology import ProxyConfig, Topology
from meshsim.model.traffic import Connections


def chains(plane: Plane) -> dict[str, list[str]]:
    found = {}
    for edge in edges(plane):
        chain = chain_of(plane, edge.hop)
        found[f"{edge.sender} -> {chain[-1].to}"] = [text(hop) for hop in chain]
    return found


def text(hop: Hop) -> str:
    flags = "".join(f" {flag}" for flag in ("tls", "loopback") if getattr(hop, flag))
    balancer = f" by {hop.cluster.balancer}" if hop.pick == "balance" else ""
    return f"{hop.to}/{hop.endpoint} {hop.pick} {hop.among or '-'}{balancer} via {hop.via}{flags}"


DIRECT_B = ["b/x connection b via dest"]
DIRECT_C = ["c/x connection c via dest"]
GATEWAY_A = ["gateway/a.x connection gateway via dest tls", "a/x balance a by least_request via dest"]
SIDECARS_B = [
    "sidecar@a/out:b.x none - via caller_peer loopback",
    "sidecar@b/in:b.x balance b by least_request via dest_peer tls",
    "b/x carried b via dest loopback",
]
SIDECARS_C = [
    "sidecar@b/out:c.x none - via caller_peer loopback",
    "sidecar@c/in:c.x balance c by least_request via dest_peer tls",
    "c/x carried c via dest loopback",
]
EXPECTED = {
    "none": {"client -> a": ["a/x connection a via dest tls"], "a -> b": DIRECT_B, "b -> c": DIRECT_C},
    "gateway": {"client -> a": GATEWAY_A, "a -> b": DIRECT_B, "b -> c": DIRECT_C},
    "central": {
        "client -> a": GATEWAY_A,
        "a -> b": ["gateway/b.x connection gateway via dest", "b/x balance b by least_request via dest"],
        "b -> c": ["gateway/c.x connection gateway via dest", "c/x balance c by least_request via dest"],
    },
    "sidecar": {
        "client -> a": [
            "gateway/a.x connection gateway via dest tls",
            "sidecar@a/in:a.x balance a by least_request via dest_peer tls",
            "a/x carried a via dest loopback",
        ],
        "a -> b": SIDECARS_B,
        "b -> c": SIDECARS_C,
    },
    "sidecar-only": {
        "client -> a": ["sidecar@a/in:a.x connection a via dest_peer tls", "a/x carried a via dest loopback"],
        "a -> b": SIDECARS_B,
        "b -> c": SIDECARS_C,
    },
    "ambient": {
        "client -> a": [
            "gateway/a.x connection gateway via dest tls",
            "ztunnel/in:a.x balance a by least_request via dest_node tls",
            "a/x carried a via dest loopback",
        ],
        "a -> b": [
            "ztunnel/out:b.x connection b via caller_node loopback",
            "ztunnel/in:b.x carried b via dest_node tls",
            "b/x carried b via dest loopback",
        ],
        "b -> c": [
            "ztunnel/out:c.x connection c via caller_node loopback",
            "ztunnel/in:c.x carried c via dest_node tls",
            "c/x carried c via dest loopback",
        ],
    },
    "ambient-waypoint": {
        "client -> a": [  # gateways skip waypoints
            "gateway/a.x connection gateway via dest tls",
            "ztunnel/in:a.x balance a by least_request via dest_node tls",
            "a/x carried a via dest loopback",
        ],
        "a -> b": [
            "ztunnel/wp:b.x connection waypoint@ns:default via caller_node loopback",
            "waypoint@ns:default/b.x carried waypoint@ns:default via dest tls",
            "ztunnel/in:b.x balance b by least_request via dest_node tls",
            "b/x carried b via dest loopback",
        ],
        "b -> c": [
            "ztunnel/wp:c.x connection waypoint@ns:default via caller_node loopback",
            "waypoint@ns:default/c.x carried waypoint@ns:default via dest tls",
            "ztunnel/in:c.x balance c by least_request via dest_node tls",
            "c/x carried c via dest loopback",
        ],
    },
    # a alone has a sidecar: it balances, b is reached directly, b calls as if there were no mesh
    "{ingress: none, mesh: sidecar, include: [a]}": {
        "client -> a": ["sidecar@a/in:a.x connection a via dest_peer tls", "a/x carried a via dest loopback"],
        "a -> b": [
            "sidecar@a/out:b.x none - via caller_peer loopback",
            "b/x balance b by least_request via dest",
        ],
        "b -> c": DIRECT_C,
    },
    # b alone has one: calls reach it in plain text, chosen by connection
    "{ingress: none, mesh: sidecar, include: [b]}": {
        "client -> a": ["a/x connection a via dest tls"],
        "a -> b": ["sidecar@b/in:b.x connection b via dest_peer", "b/x carried b via dest loopback"],
        "b -> c": [
            "sidecar@b/out:c.x none - via caller_peer loopback",
            "c/x balance c by least_request via dest",
        ],
    },
    "{mesh: gateway, exclude: [c]}": {
        "client -> a": GATEWAY_A,
        "a -> b": ["gateway/b.x connection gateway via dest", "b/x balance b by least_request via dest"],
        "b -> c": DIRECT_C,
    },
    "{ingress: none, mesh: ambient, exclude: [c]}": {
        "client -> a": ["ztunnel/in:a.x connection a via dest_node tls", "a/x carried a via dest loopback"],
        "a -> b": [
            "ztunnel/out:b.x connection b via caller_node loopback",
            "ztunnel/in:b.x carried b via dest_node tls",
            "b/x carried b via dest loopback",
        ],
        "b -> c": ["ztunnel/out:c.x connection c via caller_node loopback", "c/x carried c via dest"],
    },
    # who is outside the mesh knows nothing of waypoints
    "{ingress: none, mesh: ambient, waypoint: per_service, exclude: [a]}": {
        "client -> a": ["a/x connection a via dest tls"],
        "a -> b": ["ztunnel/in:b.x connection b via dest_node", "b/x carried b via dest loopback"],
        "b -> c": [
            "ztunnel/wp:c.x connection waypoint@c via caller_node loopback",
            "waypoint@c/c.x carried waypoint@c via dest tls",
            "ztunnel/in:c.x balance c by least_request via dest_node tls",
            "c/x carried c via dest loopback",
        ],
    },
}


@pytest.mark.parametrize("architecture", EXPECTED)
def test_chains(three: Topology, architecture: str) -> None:
    assert chains(lower(three, architecture)) == EXPECTED[architecture]


@pytest.mark.parametrize(
    ("architecture", "first"),
    [
        ("none", "b/x balance b by random via dest"),
        ("ambient", "ztunnel/out:b.x balance b by random via caller_node loopback"),
        ("{ingress: none, mesh: sidecar, include: [b]}", "sidecar@b/in:b.x balance b by random via dest_peer"),
        # a proxy that chooses comes before the library
        ("central", "gateway/b.x connection gateway via dest"),
        ("sidecar", "sidecar@a/out:b.x none - via caller_peer loopback"),
        ("ambient-waypoint", "ztunnel/wp:b.x connection waypoint@ns:default via caller_node loopback"),
    ],
)
def test_the_callers_library_chooses_where_no_proxy_does(three: Topology, architecture: str, first: str) -> None:
    policy = Policy(name="lib", to="b", in_app=True, load_balancer=LoadBalancer(kind="random"))
    changed = three.model_copy(update={"policies": (policy,)})
    assert chains(lower(changed, architecture))["a -> b"][0] == first


@pytest.mark.parametrize("architecture", EXPECTED)
def test_only_the_first_hop_has_the_callers_connections(three: Topology, architecture: str) -> None:
    plane = lower(three, architecture)
    for edge in edges(plane):
        first, *others = chain_of(plane, edge.hop)
        assert first.connections == (CLIENT_CONNECTIONS if edge.sender == "client" else OWN_CONNECTIONS)
        assert all(hop.connections == Connections(pool=0, fresh=0.0) for hop in others)


@pytest.mark.parametrize("architecture", ["sidecar", "central", "ambient", "ambient-waypoint"])
@pytest.mark.parametrize(
    ("defaults", "written", "at_proxies", "at_callee"),
    [
        ("istio", None, True, False),
        ("envoy", None, True, False),
        ("none", None, False, False),
        ("istio", True, True, True),
        ("none", True, True, True),
        ("istio", False, False, False),
    ],
)
def test_who_is_told_that_a_caller_gave_up(
    three: Topology, architecture: str, defaults: str, written: bool | None, at_proxies: bool, at_callee: bool
) -> None:
    """Envoy resets what it sent on when its own caller has gone (row client-gone of the lab)."""
    stop = Policy(name="stop", to="b", cancellation=written, in_app=True)
    changed = three.model_copy(update={"policies": (stop,), "policy_defaults": defaults})
    plane = lower(changed, architecture)
    (edge,) = [edge for edge in edges(plane) if chain_of(plane, edge.hop)[-1].to == "b"]
    *proxies, callee = chain_of(plane, edge.hop)
    assert {hop.cancellation for hop in proxies} == {at_proxies}
    assert callee.cancellation == at_callee


def test_a_balancer_before_the_gateways_chooses_one_for_each_request(three: Topology) -> None:
    gateway = ProxyConfig(profile="envoy", replicas=2, load_balancer=LoadBalancer(kind="maglev", on="caller"))
    plane = lower(three.model_copy(update={"mesh": mesh(gateway=gateway)}), "gateway")
    assert chains(plane)["client -> a"] == [
        "gateway/a.x balance gateway by maglev via dest tls",
        "a/x balance a by least_request via dest",
    ]
    assert "client -> a.x   policies: enforced by gateway" in describe(plane)  # that is another matter


@pytest.mark.parametrize("architecture", ["sidecar", "ambient"])
def test_what_passes_a_proxy_is_told_apart_by_who_is_told(three: Topology, architecture: str) -> None:
    """Calls of two callers to one endpoint, one of which shall not be stopped at all."""
    policies = tuple(
        Policy(name=f"{caller}{written}", to="c", from_=caller, cancellation=written, in_app=True)
        for caller, written in (("b", False), ("client", True))
    )
    entry = three.traffic[0].model_copy(update={"name": "late", "service": "c"})
    changed = three.model_copy(update={"policies": policies, "traffic": (*three.traffic, entry)})
    plane = lower(changed, architecture)
    told = {
        edge.sender: [hop.cancellation for hop in chain]
        for edge in edges(plane)
        if (chain := chain_of(plane, edge.hop))[-1].to == "c"
    }
    assert set(told["b"]) == {False} and set(told["client"]) == {True}
