"""What a plan may change: the replicas of each service, the gateway and the waypoints, and what one more costs."""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Final

from meshsim.architectures import lower
from meshsim.architectures.plane import Plane, PlaneService
from meshsim.architectures.rewrites import GATEWAY, ZTUNNEL, is_sidecar, is_waypoint, sidecar_of
from meshsim.costs.bill import Tariff
from meshsim.costs.lines import GIB
from meshsim.model.topology import Service, Topology

WAYPOINT: Final = "waypoint"  # all waypoints have equally many replicas

#: Replicas by service; `gateway` and `waypoint` are those of the proxies of that name. Of a service with several
#: versions how often there is what `Part.versions` says, so that the versions stay to each other as they are written.
Counts = Mapping[str, int]


@dataclass(frozen=True, slots=True)
class Part:
    """Something that has replicas.

    Attributes
    ----------
    name
        Of the service; ``gateway``, or ``waypoint``.
    written
        Replicas that the topology gives it.
    per_hour
        Money for one replica and an hour: what it requests, and its sidecar beside it.
    stations
        Services of the plane whose number of replicas it is: every waypoint, for `WAYPOINT`.
    versions
        Of a service with several: replicas of each that count as one. Which one answers hangs on how many there are of
        each: more of one alone would be another application.
    """

    name: str
    written: int
    per_hour: float
    stations: tuple[str, ...]
    versions: Mapping[str, int] = field(default_factory=dict)

    @property
    def replicas(self) -> int:
        """Of a station, for a count of one."""
        return sum(self.versions.values()) or 1


def parts_of(spec: Topology, plane: Plane, tariff: Tariff) -> tuple[Part, ...]:
    """Everything whose replicas are planned: services by name, then proxies."""
    stations = {service.name: service for service in plane.services}
    found = []
    for name, service in sorted(spec.services.items()):
        if name in stations:
            money = _per_hour(stations[name], tariff)
            beside = stations.get(sidecar_of(name))
            money += 0.0 if beside is None else _per_hour(beside, tariff)
            each = versions_of(service)
            found.append(Part(name, _times(service), money * (sum(each.values()) or 1), (name,), each))
    if GATEWAY in stations:
        one = stations[GATEWAY]
        found.append(Part(GATEWAY, len(one.replicas), _per_hour(one, tariff), (GATEWAY,)))
    waypoints = tuple(name for name in stations if is_waypoint(name))
    if waypoints:
        money = math.fsum(_per_hour(stations[name], tariff) for name in waypoints)
        found.append(Part(WAYPOINT, len(stations[waypoints[0]].replicas), money, waypoints))
    return tuple(found)


def versions_of(service: Service) -> dict[str, int]:
    """Replicas of each version that count as one, of a service with several; empty of others."""
    if len(service.versions) == 1:
        return {}
    return {version.name: version.replicas // _times(service) for version in service.versions}


def _times(service: Service) -> int:
    """How often the smallest numbers of replicas are there that have the same ratios: all of them, of one version."""
    return math.gcd(*(version.replicas for version in service.versions))


def _per_hour(service: PlaneService, tariff: Tariff) -> float:
    cores = math.fsum(replica.cores_requested for replica in service.replicas) / len(service.replicas)
    return cores * tariff.unit_price(("cpu",)) + service.memory_bytes / GIB * tariff.unit_price(("memory",))


def deployed(spec: Topology, counts: Counts) -> Topology:
    """Give services and proxies so many replicas."""
    services, mesh = dict(spec.services), spec.mesh
    for name, count in counts.items():
        if name == GATEWAY:
            mesh = mesh.model_copy(update={"gateway": mesh.gateway.model_copy(update={"replicas": count})})
        elif name == WAYPOINT:
            ambient = mesh.waypoint.model_copy(update={"replicas": count})
            mesh = mesh.model_copy(update={"waypoint": ambient})
        else:
            times = _times(services[name])
            changed = tuple(
                version.model_copy(update={"replicas": version.replicas // times * count})
                for version in services[name].versions
            )
            services[name] = services[name].model_copy(update={"versions": changed})
    return spec.model_copy(update={"services": services, "mesh": mesh})


def with_room(spec: Topology, architecture: str) -> Topology:
    """Let proxies that request memory request at least what the one that knows most of its kind needs.

    With the replicas that are written. Proxies that request none are left so.
    """
    changes: dict[str, int] = {}
    for service in lower(spec, architecture).services:
        kind = _kind(service.name)
        if kind is not None and 0 < service.memory_bytes < service.memory_used_bytes:
            changes[kind] = max(service.memory_used_bytes, changes.get(kind, 0))
    proxies = {
        kind: getattr(spec.mesh, kind).model_copy(update={"memory_bytes": memory}) for kind, memory in changes.items()
    }
    return spec.model_copy(update={"mesh": spec.mesh.model_copy(update=proxies)}) if proxies else spec


def _kind(name: str) -> str | None:
    """Which proxy of the mesh a service of the plane is."""
    if name in (GATEWAY, ZTUNNEL):
        return name
    return "sidecar" if is_sidecar(name) else (WAYPOINT if is_waypoint(name) else None)
