"""Small topologies built by hand, without the spec language."""

from __future__ import annotations

from typing import Any

from meshsim.model.distributions import Distribution
from meshsim.model.policies import Policy
from meshsim.model.steps import Call, Step, Work
from meshsim.model.topology import Cores, Mesh, Network, Nodes, ProxyConfig, Service, Topology, Version
from meshsim.model.traffic import Arrivals, Connections, Stream, Tenant


def constant(value: float) -> Distribution:
    return Distribution(kind="constant", params=(value,))


def call(target: str, **changes: Any) -> Call:
    service, endpoint = target.split(".")
    return Call(service=service, endpoint=endpoint, **changes)


def work(seconds: float = 0.001) -> Work:
    return Work(work=constant(seconds))


OWN_CONNECTIONS = Connections(pool=8, fresh=0.0)  # of services, as callers
CLIENT_CONNECTIONS = Connections(pool=0, fresh=0.1)


def service(name: str, replicas: int = 2, *, versions: dict[str, int] | None = None, **changes: Any) -> Service:
    """A service with the endpoint `x`; `steps` are what it does."""
    steps: tuple[Step, ...] = changes.pop("steps", (work(),))
    endpoints: dict[str, tuple[Step, ...]] = changes.pop("endpoints", {"x": steps})
    fields: dict[str, Any] = {
        "name": name,
        "versions": tuple(
            Version(name=version, replicas=count, cpu=Cores(request=1.0, limit=1.0), endpoints=endpoints)
            for version, count in (versions or {"": replicas}).items()
        ),
        "memory_bytes": 2**28,
        "connections": OWN_CONNECTIONS,
    }
    return Service(**{**fields, **changes})


def stream(name: str, entry: str) -> Stream:
    target, endpoint = entry.split(".")
    return Stream(
        name=name,
        tenant="default",
        service=target,
        endpoint=endpoint,
        arrivals=Arrivals(kind="poisson", rate_per_s=100.0),
        request_bytes=constant(1024.0),
        response_bytes=constant(1024.0),
        connections=CLIENT_CONNECTIONS,
    )


def mesh(profile: str = "istio-1.24", **changes: ProxyConfig) -> Mesh:
    fields = {
        "gateway": ProxyConfig(profile="envoy", replicas=2, cpu=Cores(request=2.0, limit=2.0)),
        "sidecar": ProxyConfig(profile=profile),
        "ztunnel": ProxyConfig(profile=profile),
        "waypoint": ProxyConfig(profile=profile, replicas=2),
    }
    return Mesh(**{**fields, **changes})


def topology(*services: Service, policies: tuple[Policy, ...] = (), entry: str = "a.x", **changes: Any) -> Topology:
    delays = {place: constant(0.001) for place in Network.model_fields}
    fields: dict[str, Any] = {
        "name": "hand-made",
        "services": {service.name: service for service in services},
        "tenants": {"default": Tenant(name="default")},
        "traffic": (stream("web", entry),),
        "nodes": Nodes(pods_per_node=30, cpu=16.0, memory_bytes=2**36, zones=("z1", "z2", "z3")),
        "network": Network(**delays),
        "mesh": mesh(),
        "policies": policies,
    }
    return Topology(**{**fields, **changes})
