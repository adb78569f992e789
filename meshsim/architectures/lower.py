"""Lowering: the pure function from a topology and an architecture to the Plane that carries its traffic."""

from __future__ import annotations

import math
from collections import defaultdict
from collections.abc import Callable, Mapping
from dataclasses import replace
from itertools import pairwise
from typing import Any

from meshsim.architectures.architecture import Architecture, parse_architecture
from meshsim.architectures.memory import used_bytes
from meshsim.architectures.placement import node_count, place
from meshsim.architectures.plane import (
    Hop,
    Inert,
    Plane,
    PlaneCall,
    PlaneChoose,
    PlaneOption,
    PlaneParallel,
    PlaneService,
    PlaneStep,
    Replica,
)
from meshsim.architectures.profiles import ProxyKind
from meshsim.architectures.proxies import ProxySettings, proxy_service, proxy_settings
from meshsim.architectures.resolution import CLIENT, DEFAULT_LOAD_BALANCER, EdgePolicy, Setting, resolve
from meshsim.architectures.rewrites import GATEWAY, ZTUNNEL, Edge, Wiring, chain, sidecar_of
from meshsim.errors import InternalError, UsageError
from meshsim.model.steps import Call, Choose, Parallel, Step
from meshsim.model.topology import Service, Topology
from meshsim.model.traffic import Connections

_ORIGINS: dict[ProxyKind, str] = {
    "gateway": "mesh.gateway",
    "sidecar": "mesh.sidecar",
    "ztunnel": "mesh.ambient.ztunnel",
    "waypoint": "mesh.ambient.waypoint",
}


def lower(
    topology: Topology, architecture: Architecture | str | Mapping[str, Any], *, same_policies: bool = False
) -> Plane:
    """Turn every call edge of the topology into the hops that really carry it under the architecture.

    Parameters
    ----------
    architecture
        A value, or what `parse_architecture` reads.
    same_policies
        Let callers' libraries enforce policies wherever no proxy does (`in_app` on everywhere), so that
        architectures are compared under the same policies.

    Returns
    -------
    Plane
        Applications sorted by name, then proxies sorted by name. The step trees keep the positions of the spec.

    Raises
    ------
    UsageError
        The architecture names unknown services, policies contradict each other, or a profile lacks a proxy.
    """
    return _Lowering(topology, parse_architecture(architecture), same_policies).plane()


class _Lowering:
    """One lowering under way: proxies' endpoints and inert policies are collected as edges are met."""

    def __init__(self, topology: Topology, architecture: Architecture, same_policies: bool) -> None:
        self.topology = topology
        self.same_policies = same_policies
        services = topology.services
        self.wiring = Wiring(
            architecture=architecture,
            meshed=architecture.meshed(services),
            namespaces={name: service.namespace for name, service in services.items()},
        )
        self.zones = topology.nodes.zones
        self.nodes = node_count(sum(map(_replica_count, services.values())), topology.nodes)
        self.settings: dict[ProxyKind, ProxySettings] = {}
        self.proxies: dict[str, dict[str, tuple[PlaneStep, ...]]] = defaultdict(dict)
        self.inert: dict[Inert, None] = {}

    def plane(self) -> Plane:
        topology = self.topology
        applications = [self.application(topology.services[name]) for name in sorted(topology.services)]
        streams = sorted(topology.traffic, key=lambda stream: stream.name)
        entries = tuple((s, self.first_hop(CLIENT, s.service, s.endpoint, s.connections)) for s in streams)
        names = self.proxy_names()
        self.refuse_collisions(names)
        proxies = [self.proxy(name) for name in sorted(names)]
        plane = Plane(
            topology_name=topology.name,
            architecture=self.wiring.architecture.label,
            services=(*applications, *proxies),
            entries=entries,
            network=topology.network,
            nodes=self.nodes,
            zones=self.zones,
            call_depth=topology.call_depth,
            load=topology.run.load,
            inert=tuple(sorted(self.inert, key=lambda i: (i.policy, i.field, i.caller, i.callee))),
        )
        return self.with_memory(plane)

    def with_memory(self, plane: Plane) -> Plane:
        """Fill in what the proxies need to know; only the whole plane tells."""
        settings = {s.name: self.settings_of(_kind(s.name)) for s in plane.services if s.role == "proxy"}
        used = used_bytes(plane, settings)
        return replace(plane, services=tuple(replace(s, memory_used_bytes=used.get(s.name, 0)) for s in plane.services))

    # -- applications ----------------------------------------------------------------------------------------

    def application(self, service: Service) -> PlaneService:
        versions = tuple(version.name for version in service.versions)
        endpoints = sorted({name for version in service.versions for name in version.endpoints})
        shares = service.split if len(versions) > 1 else None

        def hop_of(call: Call) -> Hop:
            return self.first_hop(service.name, call.service, call.endpoint, service.connections)

        return PlaneService(
            name=service.name,
            role="app",
            origin=self.origin(f"services.{service.name}"),
            replicas=self.application_replicas(service),
            versions=versions,
            split=None if shares is None else tuple(shares.get(version, 0.0) for version in versions),
            discipline=service.discipline,
            threads=1,
            concurrency=service.concurrency,
            queue=service.queue,
            endpoints={
                name: tuple(rewrite_steps(version.endpoints.get(name, ()), hop_of) for version in service.versions)
                for name in endpoints
            },
            memory_bytes=service.memory_bytes,
        )

    def application_replicas(self, service: Service) -> tuple[Replica, ...]:
        places = iter(place(service.name, _replica_count(service), self.nodes, len(self.zones)))
        return tuple(
            Replica(
                version=number,
                cores=math.inf if version.cpu.limit is None else version.cpu.limit,
                cores_requested=version.cpu.request,
                node=node,
                zone=zone,
            )
            for number, version in enumerate(service.versions)
            for _, (node, zone) in zip(range(version.replicas), places, strict=False)
        )

    # -- edges -----------------------------------------------------------------------------------------------

    def first_hop(self, caller: str, callee: str, endpoint: str, connections: Connections) -> Hop:
        """Rewrite one edge: put its chain into the proxies that it passes, and return its first hop."""
        policy = self.policy(caller, callee, endpoint)
        in_app = self.same_policies or (policy.in_app is not None and policy.in_app.value)
        enforcer = self.wiring.enforcer(caller, callee, in_app)
        if enforcer is None:
            self.note_inert(policy, caller, callee, endpoint)
        split = self.topology.services[callee].split is not None
        edge = Edge(
            caller=caller,
            callee=callee,
            endpoint=endpoint,
            connections=connections,
            load_balancer=_value(policy.load_balancer, DEFAULT_LOAD_BALANCER),
            enforce_split=split and enforcer is not None,
            cancellation=_value(policy.cancellation, False) and enforcer is not None,
            in_app=in_app,
        )
        hops = chain(self.with_suffix(edge), self.wiring)
        for at, onward in pairwise(hops):
            self.add_endpoint(at, onward)
        return hops[0]

    def policy(self, caller: str | None, callee: str, endpoint: str) -> EdgePolicy:
        return resolve(self.topology.policies, caller, callee, endpoint, self.topology.origins)

    def with_suffix(self, edge: Edge) -> Edge:
        """Let callers of the general policy share the endpoints of shared proxies; others get names of their own."""
        general = self.policy(None, edge.callee, edge.endpoint)
        same_balancer = edge.load_balancer == _value(general.load_balancer, DEFAULT_LOAD_BALANCER)
        same_cancellation = edge.cancellation == _value(general.cancellation, False)
        return edge if same_balancer and same_cancellation else replace(edge, choice_suffix=f"|from={edge.caller}")

    def add_endpoint(self, at: Hop, onward: Hop) -> None:
        steps = self.settings_of(_kind(at.to)).steps(onward)
        if self.proxies[at.to].setdefault(at.endpoint, steps) != steps:
            raise InternalError(f"two different rewrites for endpoint '{at.endpoint}' of '{at.to}'")

    def note_inert(self, policy: EdgePolicy, caller: str, callee: str, endpoint: str) -> None:
        target = f"{callee}.{endpoint}"
        why = self.why_inert(caller)
        for field in ("load_balancer", "cancellation"):
            setting = getattr(policy, field)
            if setting is not None:
                self.inert[Inert(setting.policy, field, caller, target, why)] = None
        if self.topology.services[callee].split is not None:
            self.inert[Inert(f"services.{callee}", "split", caller, target, why)] = None

    def why_inert(self, caller: str) -> str:
        cure = "`in_app: true` would let the caller's library act"
        if self.wiring.has_ztunnel(caller):
            return f"ztunnels are L4 and no waypoint is passed; {cure}"
        return f"no L7 proxy on the caller's side; {cure}"

    # -- proxies ---------------------------------------------------------------------------------------------

    def proxy_names(self) -> set[str]:
        """Proxies that the architecture deploys, and waypoints that a call passes."""
        names = set(self.proxies)
        wiring = self.wiring
        if wiring.architecture.ingress == "gateway" or (wiring.architecture.mesh == "gateway" and wiring.meshed):
            names.add(GATEWAY)
        if wiring.architecture.mesh == "ambient" and wiring.meshed:
            names.add(ZTUNNEL)
        return names | {sidecar_of(service) for service in wiring.meshed if wiring.has_sidecar(service)}

    def refuse_collisions(self, proxies: set[str]) -> None:
        for name in sorted((proxies | {CLIENT}) & set(self.topology.services)):
            what = "the outside" if name == CLIENT else f"a proxy of {self.wiring.architecture.label}"
            raise UsageError(
                f"{self.origin(f'services.{name}')}: service '{name}' has the name of {what}; call it e.g. '{name}-app'"
            )

    def proxy(self, name: str) -> PlaneService:
        kind = _kind(name)
        return proxy_service(
            name,
            settings=self.settings_of(kind),
            places=self.proxy_places(name, kind),
            endpoints=self.proxies[name],
            origin=self.origin(_ORIGINS[kind]),
        )

    def proxy_places(self, name: str, kind: ProxyKind) -> list[tuple[int, int]]:
        if kind == "ztunnel":
            return [(node, node % len(self.zones)) for node in range(self.nodes)]
        if kind == "sidecar":
            host = name.removeprefix("sidecar@")
            return place(host, _replica_count(self.topology.services[host]), self.nodes, len(self.zones))
        return place(name, self.settings_of(kind).replicas, self.nodes, len(self.zones))

    def settings_of(self, kind: ProxyKind) -> ProxySettings:
        if kind not in self.settings:
            self.settings[kind] = proxy_settings(getattr(self.topology.mesh, kind), kind)
        return self.settings[kind]

    def origin(self, path: str) -> str:
        """Give the place in the spec: of the path itself, or of the nearest section around it that was written."""
        origins = self.topology.origins
        at = path
        while at:
            if at in origins:
                return origins[at]
            at = at.rpartition(".")[0]
        return path


def rewrite_steps(steps: tuple[Step, ...], hop_of: Callable[[Call], Hop]) -> tuple[PlaneStep, ...]:
    """Put the first hop into every call; nothing moves, so that positions stay those of the spec."""
    return tuple(_rewrite_step(step, hop_of) for step in steps)


def _rewrite_step(step: Step, hop_of: Callable[[Call], Hop]) -> PlaneStep:
    if isinstance(step, Call):
        fallback = None if step.fallback is None else rewrite_steps(step.fallback, hop_of)
        return PlaneCall(step, hop_of(step), fallback)
    if isinstance(step, Parallel):
        return PlaneParallel(tuple(rewrite_steps(branch, hop_of) for branch in step.branches), step.quorum)
    if isinstance(step, Choose):
        return PlaneChoose(tuple(PlaneOption(option.p, rewrite_steps(option.do, hop_of)) for option in step.options))
    return step


def _kind(proxy: str) -> ProxyKind:
    if proxy == GATEWAY:
        return "gateway"
    if proxy == ZTUNNEL:
        return "ztunnel"
    return "sidecar" if proxy.startswith("sidecar@") else "waypoint"


def _value(setting: Setting[Any] | None, default: Any) -> Any:
    return default if setting is None else setting.value


def _replica_count(service: Service) -> int:
    return sum(version.replicas for version in service.versions)
