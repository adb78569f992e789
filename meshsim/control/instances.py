"""Which replicas and proxies a fault or a push is about."""

from __future__ import annotations

from typing import NamedTuple

from meshsim.architectures.plane import Plane, PlaneService
from meshsim.architectures.rewrites import GATEWAY, sidecar_of
from meshsim.architectures.walk import messages_of
from meshsim.model.faults import OF_POLICIES, ROUTED, Push, Replicas


class Instance(NamedTuple):
    """One replica of a service or proxy."""

    service: str
    number: int


def first_of(plane: Plane, service: str, replicas: Replicas) -> list[int]:
    """Numbers of the first replicas of a service; none where the architecture has no such proxy."""
    found = by_name(plane, service)
    return [] if found is None else list(range(replicas.of(len(found.replicas))))


def by_name(plane: Plane, service: str) -> PlaneService | None:
    """The service of that name, if there is one."""
    return next((one for one in plane.services if one.name == service), None)


def standing(plane: Plane, *, node: int | None = None, zone: int | None = None) -> list[Instance]:
    """All replicas on a node, or in a zone."""
    return [
        Instance(service.name, number)
        for service in plane.services
        for number, replica in enumerate(service.replicas)
        if (node is None or replica.node == node) and (zone is None or replica.zone == zone)
    ]


def listed_as(instance: Instance, plane: Plane) -> Instance:
    """Whose place among the endpoints depends on an instance: a pod is ready when its sidecar is, too."""
    host = instance.service.partition("@")[2]
    if host and sidecar_of(host) == instance.service and by_name(plane, host) is not None:
        return Instance(host, instance.number)
    return instance


def in_scope(plane: Plane, push: Push) -> list[Instance]:
    """Proxies that get a push, in their order.

    Routes and policies for the calls to a service are known to all proxies that pass such calls on, as those of Istio
    are that any namespace may see. A filter of a service, and what else concerns a proxy as a whole, is in the
    service's own proxies, its sidecars or its waypoint; where it has none, in the gateway that carries its requests: so
    the mistake of one service is in a proxy that all share. What concerns a tenant is known to all proxies, but of a
    gateway that is divided only to those that serve the tenant.
    """
    scope = push.scope
    proxies = [service for service in plane.services if service.role == "proxy"]
    if scope.kind == "service":
        own = [one for one in proxies if one.name in (sidecar_of(scope.name), f"waypoint@{scope.name}")]
        passing = [one for one in proxies if scope.name in {message.hop.among for message in messages_of(one)}]
        is_of_calls = push.fault is None or push.fault.kind in ROUTED | OF_POLICIES
        if is_of_calls:
            return _all([one for one in proxies if one in passing or (push.fault is None and one in own)])
        return _all(own or [one for one in passing if one.name == GATEWAY])
    gateways = [one for one in proxies if one.name == GATEWAY]
    if scope.kind == "gateway":
        return _all(gateways)
    if scope.kind == "cell":
        number = int(scope.name)
        return [
            Instance(one.name, i)
            for one in gateways
            for i in (one.cells[number] if number < len(one.cells) else range(len(one.replicas)))
        ]
    if scope.kind == "tenant":
        return [
            Instance(one.name, i)
            for one in proxies
            for i in (one.shards.get(scope.name, ()) if one.shards else range(len(one.replicas)))
        ]
    return _all(proxies)


def _all(services: list[PlaneService]) -> list[Instance]:
    return [Instance(one.name, number) for one in services for number in range(len(one.replicas))]
