"""Which replicas and proxies a fault or a push is about."""

from __future__ import annotations

from collections.abc import Sequence
from typing import NamedTuple

from meshsim.architectures.plane import Plane, PlaneService, Routed
from meshsim.architectures.rewrites import GATEWAY, beside_whom, is_waypoint, sidecar_of
from meshsim.architectures.walk import every_step
from meshsim.model.faults import OF_POLICIES, ROUTED, Push


class Instance(NamedTuple):
    """One replica of a service or proxy."""

    service: str
    number: int


def by_name(plane: Plane, service: str) -> PlaneService | None:
    """The service of that name, if there is one."""
    try:
        return plane.service(service)
    except KeyError:
        return None


def named(plane: Plane, service: str) -> list[str]:
    """Services and proxies that a fault's `service` means: ``waypoint`` all of them, where no service has that name."""
    if by_name(plane, service) is None and service == "waypoint":
        return [one.name for one in plane.services if is_waypoint(one.name)]
    return [one.name for one in plane.services if one.name == service]


def emptied(service: PlaneService, cache: str | None) -> list[str]:
    """Caches of a service that are meant by a name; None: those that each replica has for itself."""
    return [one.name for one in service.caches if cache == one.name or (cache is None and one.shared is None)]


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
    host = beside_whom(instance.service)
    return Instance(host, instance.number) if by_name(plane, host) is not None else instance


def in_scope(plane: Plane, push: Push, configuration: int) -> list[Instance]:
    """Proxies that get a push, in their order.

    What concerns a service is known to the proxies that are its own, its sidecars and its waypoint; and if it is about
    calls, to all that act on it in calls to the service, the sidecars of its callers. Where there are none, to the
    gateway that carries its requests: so the mistake of one service is in a proxy that all share. What concerns a
    tenant is known to all proxies, but of a gateway that is divided only to those that serve the tenant. A route is
    known to the proxies that enforce it.

    Parameters
    ----------
    configuration
        Number (`meshsim.Control.configure`) of the one that has this push alone.
    """
    scope = push.scope
    proxies = [service for service in plane.services if service.role == "proxy"]
    if scope.kind == "service":
        own = [
            one
            for one in proxies
            if one.name == sidecar_of(scope.name)
            or (is_waypoint(one.name) and _carries(one, scope.name))
            or (_is_about_calls(push) and _acts(one, scope.name, configuration))
        ]
        return _all(own or [one for one in proxies if one.name == GATEWAY])
    if scope.kind == "route":
        return _all([one for one in proxies if _has_route(one, scope.name)])
    gateways = [one for one in proxies if one.name == GATEWAY]
    if scope.kind == "gateway":
        return _all(gateways)
    if scope.kind == "cell":
        return [Instance(one.name, i) for one in gateways for i in _cell(one, int(scope.name))]
    if scope.kind == "tenant":
        return [
            Instance(one.name, i)
            for one in proxies
            for i in (one.shards.get(scope.name, ()) if one.shards else range(len(one.replicas)))
        ]
    return _all(proxies)


def _has_route(proxy: PlaneService, route: str) -> bool:
    """Whether a proxy enforces a route."""
    steps = (step for codes in proxy.endpoints.values() for code in codes for step in every_step(code))
    return any(case.route == route for step in steps if isinstance(step, Routed) for case in step.cases)


def _cell(gateway: PlaneService, number: int) -> Sequence[int]:
    """Replicas of a cell; what is not divided is cell 0, and there is no other."""
    cells = gateway.cells or (tuple(range(len(gateway.replicas))),)
    return cells[number] if number < len(cells) else ()


def differs(plane: Plane, service: str, configuration: int) -> bool:
    """Whether a configuration changes what a proxy does with requests."""
    return bool(_changed(plane.service(service), configuration))


def _is_about_calls(push: Push) -> bool:
    """It changes what becomes of calls, not the proxies themselves."""
    if push.fault is None:
        return all(path.partition(".")[0] in ("policies", "routes") for path, _ in push.set or ())
    return push.fault.kind in ROUTED | OF_POLICIES


def _carries(proxy: PlaneService, service: str) -> bool:
    return any(_target(endpoint) == service for endpoint in proxy.endpoints)


def _acts(proxy: PlaneService, service: str, configuration: int) -> bool:
    """Whether a configuration changes what a proxy does with calls to a service."""
    return any(_target(endpoint) == service for endpoint in _changed(proxy, configuration))


def _changed(proxy: PlaneService, configuration: int) -> list[str]:
    """Endpoints of a proxy at which it does something else in one of the configurations that may be pushed."""
    pushed = proxy.pushed[configuration - 1]
    return [name for name, steps in pushed.items() if steps is not proxy.endpoints[name][0]]


def _target(endpoint: str) -> str:
    """Service that a proxy's endpoint leads to, e.g. of ``out:geo.lookup``."""
    return endpoint.rpartition(":")[2].partition(".")[0]


def _all(services: list[PlaneService]) -> list[Instance]:
    return [Instance(one.name, number) for one in services for number in range(len(one.replicas))]
