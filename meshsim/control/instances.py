"""Which replicas and proxies a fault or a push is about."""

from __future__ import annotations

from typing import NamedTuple

from meshsim.architectures.plane import Plane, PlaneService
from meshsim.architectures.rewrites import GATEWAY, sidecar_of
from meshsim.model.faults import Scope


class Instance(NamedTuple):
    """One replica of a service or proxy."""

    service: str
    number: int


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


def in_scope(plane: Plane, scope: Scope) -> list[Instance]:
    """Proxies that get a push, in their order.

    What concerns a service is known to the proxies that are its own, its sidecars and its waypoint; where it has none,
    to the gateway that carries its requests: so the mistake of one service is in a proxy that all share. What concerns
    a tenant is known to all proxies, but of a gateway that is divided only to those that serve the tenant.
    """
    proxies = [service for service in plane.services if service.role == "proxy"]
    if scope.kind == "service":
        own = [one for one in proxies if one.name in (sidecar_of(scope.name), f"waypoint@{scope.name}")]
        return _all(own or [one for one in proxies if one.name == GATEWAY])
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
