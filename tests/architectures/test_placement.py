"""Where replicas stand: spread, stable, and independent of other services."""

from __future__ import annotations

from collections import Counter

import pytest
from hand_made import service, topology
from hypothesis import given
from hypothesis import strategies as st

from meshsim.architectures import lower
from meshsim.architectures.placement import node_count, place
from meshsim.model.topology import Nodes, Topology


def nodes(pods: int, zones: int) -> Nodes:
    names = tuple(f"z{number}" for number in range(zones))
    return Nodes(pods_per_node=pods, cpu=16.0, memory_bytes=2**36, zones=names)


@pytest.mark.parametrize(
    ("replicas", "pods", "zones", "wanted"), [(0, 30, 1, 1), (30, 30, 1, 1), (31, 30, 1, 2), (5, 30, 3, 3)]
)
def test_node_count(replicas: int, pods: int, zones: int, wanted: int) -> None:
    assert node_count(replicas, nodes(pods, zones)) == wanted


def test_places_follow_the_hash_of_the_name() -> None:
    # sha256sum of "web" begins 4b5e57f6eb2f42b9 039b3d1e13929295. The hexadecimal digits of the first part add up to
    # 135, a multiple of 3: zone 0. The second part is odd: the second of the zone's two nodes, 0 and 3.
    assert place("web", 1, nodes=6, zones=3) == [(3, 0)]
    # Then the next zones; node 1 + 3 and 2 + 3; then the other node of each zone.
    assert place("web", 4, nodes=6, zones=3) == [(3, 0), (4, 1), (5, 2), (0, 0)]


@given(st.text(min_size=1, max_size=10), st.integers(1, 60), st.integers(1, 5), st.integers(0, 20))
def test_zones_and_nodes_are_used_evenly(name: str, replicas: int, zones: int, more_nodes: int) -> None:
    count = zones + more_nodes
    places = place(name, replicas, count, zones)
    assert all(0 <= node < count and node % zones == zone for node, zone in places)
    by_zone = Counter(zone for _, zone in places)
    assert max(by_zone.values()) - min(by_zone.get(zone, 0) for zone in range(zones)) <= 1
    for zone in range(zones):
        here = range(zone, count, zones)
        by_node = Counter(node for node, at in places if at == zone)
        assert max(by_node.values(), default=0) - min(by_node.get(node, 0) for node in here) <= 1


def test_more_replicas_leave_the_first_where_they_are() -> None:
    assert place("web", 9, 7, 3)[:4] == place("web", 4, 7, 3)


def where(system: Topology, architecture: str) -> dict[str, list[tuple[int, int]]]:
    plane = lower(system, architecture)
    return {s.name: [(r.node, r.zone) for r in s.replicas] for s in plane.services}


@pytest.mark.parametrize("architecture", ["none", "sidecar", "ambient-waypoint"])
def test_another_service_moves_nobody(three: Topology, architecture: str) -> None:
    more = three.model_copy(update={"services": {**three.services, "aa": service("aa", 4)}})
    before, after = where(three, architecture), where(more, architecture)
    assert {name: after[name] for name in before} == before


def test_sidecars_stand_beside_their_replicas(three: Topology) -> None:
    found = where(three, "sidecar")
    for name in "abc":
        assert found[f"sidecar@{name}"] == found[name]


def test_one_ztunnel_on_each_node() -> None:
    system = topology(service("a", 10), nodes=nodes(2, 2))
    plane = lower(system, "ambient")
    assert plane.nodes == 5
    assert [(r.node, r.zone) for r in plane.service("ztunnel").replicas] == [(0, 0), (1, 1), (2, 0), (3, 1), (4, 0)]


def test_proxies_add_no_nodes() -> None:
    system = topology(service("a", 60), nodes=nodes(30, 1))
    assert {lower(system, name).nodes for name in ("none", "sidecar", "ambient", "central")} == {2}
