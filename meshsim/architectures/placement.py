"""Where replicas stand: zones round robin, then the nodes of the zone, by a hash of the service's name.

A service's places depend on its own name, its replicas and the number of nodes, on nothing else: adding or removing
another service moves nobody, unless the number of nodes changes.
"""

from __future__ import annotations

import hashlib

from meshsim.model.topology import Nodes


def node_count(replicas: int, nodes: Nodes) -> int:
    """How many nodes `replicas` pods of applications need; at least one in each zone.

    >>> from meshsim.model.topology import Nodes
    >>> node_count(95, Nodes(pods_per_node=30, cpu=16, memory_bytes=2**36, zones=("a", "b", "c")))
    4
    """
    return max(len(nodes.zones), -(-replicas // nodes.pods_per_node))


def place(name: str, replicas: int, nodes: int, zones: int) -> list[tuple[int, int]]:
    """Give the (node, zone) of each replica of the service `name`.

    Node ``i`` lies in zone ``i % zones``. The first replica's zone and its node there come from the name's hash, the
    others follow in turn.
    """
    digest = hashlib.sha256(name.encode()).digest()
    first_zone, first_node = (int.from_bytes(digest[at : at + 8], "big") for at in (0, 8))
    places = []
    for replica in range(replicas):
        zone = (first_zone + replica) % zones
        in_zone = range(zone, nodes, zones)
        places.append((in_zone[(first_node + replica // zones) % len(in_zone)], zone))
    return places
