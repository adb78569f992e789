"""What proxies must know, and the memory that this takes.

A sidecar knows every service and every replica (Istio without Sidecar resources that narrow it), or with
`knows: called` only those that its service calls; a gateway and a waypoint know the services that they route to, a
ztunnel every replica. To that come the connections that can be counted before a run: pools that callers keep open, and
one connection for each worker thread and upstream instance of a proxy (envoyproxy/envoy issue 15052). Connections that
are opened and closed for each request are not counted.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Mapping
from dataclasses import dataclass

from meshsim.architectures.plane import Hop, Plane, PlaneService
from meshsim.architectures.proxies import ProxySettings
from meshsim.architectures.rewrites import ZTUNNEL, is_sidecar
from meshsim.architectures.walk import messages, messages_of


@dataclass(frozen=True, slots=True)
class Knowledge:
    """What one replica of a proxy keeps in memory: counts of clusters, endpoints and connections."""

    clusters: int
    endpoints: int
    connections: int

    def used_bytes(self, settings: ProxySettings) -> int:
        """Bytes that a proxy with these costs needs for it."""
        return (
            settings.memory_base_bytes
            + self.clusters * settings.memory_per_cluster_bytes
            + self.endpoints * settings.memory_per_endpoint_bytes
            + self.connections * settings.memory_per_connection_bytes
        )


def knowledge(plane: Plane) -> dict[str, Knowledge]:
    """Count, for each proxy of the plane, what one replica must know."""
    by_name = {service.name: service for service in plane.services}
    connections = _connections(plane, by_name)
    result = {}
    for service in plane.services:
        if service.role == "proxy":
            known = _known_services(service, by_name)
            result[service.name] = Knowledge(
                clusters=0 if service.name == ZTUNNEL else sum(map(_clusters, known)),
                endpoints=sum(map(_begun, known)),
                connections=-(-connections[service.name] // _begun(service)),
            )
    return result


def used_bytes(plane: Plane, settings: Mapping[str, ProxySettings]) -> dict[str, int]:
    """Memory (bytes) that one replica of each proxy uses; `settings` by the proxy's name."""
    return {name: known.used_bytes(settings[name]) for name, known in knowledge(plane).items()}


def _known_services(proxy: PlaneService, by_name: Mapping[str, PlaneService]) -> list[PlaneService]:
    if proxy.name == ZTUNNEL or (is_sidecar(proxy.name) and not proxy.is_scoped):
        return [service for service in by_name.values() if service.role == "app"]
    targets = {message.hop.among for message in messages_of(proxy)}
    return [by_name[name] for name in sorted(target for target in targets if target is not None)]


def _begun(service: PlaneService) -> int:
    """Replicas that there are at first."""
    return len(service.replicas) if service.begins is None else service.begins


def _clusters(service: PlaneService) -> int:
    """One for the service, and one for each of several versions (a subset of a destination rule)."""
    versions = len(service.versions)
    return 1 + (versions if versions > 1 else 0)


def _connections(plane: Plane, by_name: Mapping[str, PlaneService]) -> dict[str, int]:
    """Count open connections by proxy, all replicas together; either end holds each of them."""
    held: dict[str, int] = defaultdict(int)
    # A caller shares its connections to an upstream service among all endpoints of that service.
    upstreams = {
        (message.sender, message.hop.to, message.hop.among, message.hop.connections): message.hop
        for message in messages(plane)
    }
    for (sender, _, _, _), hop in upstreams.items():
        count = _open(by_name.get(sender), hop, by_name)
        for end in {sender, hop.to}:
            held[end] += count
    return held


def _open(sender: PlaneService | None, hop: Hop, by_name: Mapping[str, PlaneService]) -> int:
    """Count the connections that all replicas of `sender` keep open for `hop`; None is a client."""
    senders = 1 if sender is None else _begun(sender)
    if sender is None or sender.role == "app":
        return senders * hop.connections.pool
    assert hop.among is not None, "proxies forward to somebody who was chosen"
    threads, upstreams = sender.threads or 1, _begun(by_name[hop.among])
    if hop.pick == "carried" and hop.via == "dest" and not hop.tls:
        return threads * upstreams  # the last leg: a replica is reached from its own side only
    return senders * threads * upstreams
