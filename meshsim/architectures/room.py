"""Planes with room for more replicas than services begin with."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from typing import Any

from meshsim.architectures.architecture import Architecture
from meshsim.architectures.lower import lower
from meshsim.architectures.plane import Plane
from meshsim.architectures.rewrites import sidecar_of
from meshsim.errors import UsageError
from meshsim.model.topology import Topology
from meshsim.numbers import whole_number


def with_room(spec: Topology, max_replicas: Any) -> tuple[Topology, dict[str, int]]:
    """Make room for more replicas; gives the larger topology, and how many replicas these services begin with.

    Parameters
    ----------
    max_replicas
        Most replicas by service; None or empty: no room.

    Raises
    ------
    UsageError
        It is no dict, or a service is unknown or has several versions, or begins with more.
    """
    if max_replicas is not None and not isinstance(max_replicas, Mapping):
        raise UsageError(f"max_replicas are given by service, e.g. {{'web': 8}}, not {max_replicas!r}")
    services, active = dict(spec.services), {}
    for name, value in (max_replicas or {}).items():
        if name not in services:
            raise UsageError(f"max_replicas: there is no service '{name}'; there is {', '.join(sorted(services))}")
        versions = services[name].versions
        if services[name].autoscale is not None:
            raise UsageError(f"max_replicas: '{name}' autoscales and has room already: change autoscale.max")
        if len(versions) > 1:
            raise UsageError(f"max_replicas: '{name}' has several versions; scaling one is not supported yet")
        most = whole_number(value, f"max_replicas: the most replicas of '{name}'")
        if most < versions[0].replicas:
            raise UsageError(f"max_replicas: '{name}' begins with {versions[0].replicas} replicas, more than {most}")
        active[name] = active[sidecar_of(name)] = versions[0].replicas
        larger = (versions[0].model_copy(update={"replicas": most}),)
        services[name] = services[name].model_copy(update={"versions": larger})
    return spec.model_copy(update={"services": services}) if active else spec, active


def lower_with_room(
    spec: Topology, room: Topology, architecture: str | Architecture, *, same_policies: bool = False
) -> Plane:
    """Lower a topology that has room for more replicas; its proxies know only those that it begins with."""
    plane = lower(room, architecture, same_policies=same_policies)
    if room is spec:
        return plane
    begins = lower(spec, architecture, same_policies=same_policies)
    services = [replace(s, memory_used_bytes=begins.service(s.name).memory_used_bytes) for s in plane.services]
    return replace(plane, services=tuple(services))
