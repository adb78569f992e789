"""Lowering: the pure function from a topology and an architecture to the Plane that carries its traffic."""

from __future__ import annotations

import math
from collections import defaultdict
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import replace
from itertools import pairwise
from typing import Any, Literal

from meshsim.architectures.architecture import Architecture, parse_architecture
from meshsim.architectures.defaults import CANCELLATION, balanced
from meshsim.architectures.enforced import Enforced, RouteRule, Trying
from meshsim.architectures.enforcement import Enforcement
from meshsim.architectures.memory import used_bytes
from meshsim.architectures.placement import node_count, place
from meshsim.architectures.plane import (
    Case,
    Crash,
    Forward,
    Hop,
    Inert,
    Limited,
    Mirrored,
    Plane,
    PlaneCached,
    PlaneCall,
    PlaneChoose,
    PlaneOption,
    PlaneParallel,
    PlaneService,
    PlaneStep,
    Replica,
    Routed,
)
from meshsim.architectures.profiles import ProxyKind
from meshsim.architectures.proxies import ProxySettings, proxy_service, proxy_settings
from meshsim.architectures.pushed import with_pushed
from meshsim.architectures.resolution import CLIENT, ENFORCED, EdgePolicy
from meshsim.architectures.rewrites import (
    GATEWAY,
    ZTUNNEL,
    Edge,
    Wiring,
    chain,
    is_library,
    is_sidecar,
    library_of,
    sidecar_of,
)
from meshsim.architectures.shards import cell_ranges, cells, shuffle_shards
from meshsim.errors import InternalError, UsageError
from meshsim.model.changes import pushed_topologies
from meshsim.model.proxies import Filter
from meshsim.model.steps import Cached, Call, Choose, Fail, Parallel, Step, Wait, Work
from meshsim.model.topology import ProxyConfig, Service, Topology
from meshsim.model.traffic import Connections

StationKind = ProxyKind | Literal["library"]
#: Node and zone of what stands outside the cluster.
OUTSIDE = (-1, -1)
_ORIGINS: dict[StationKind, str] = {
    "gateway": "mesh.gateway",
    "sidecar": "mesh.sidecar",
    "ztunnel": "mesh.ambient.ztunnel",
    "waypoint": "mesh.ambient.waypoint",
}
#: Settings of a proxy that are written for tenants' sake, and what they are where nobody wrote them.
_KEEPS_APART = {"discipline": "fifo", "bulkhead": None, "buffers_bytes": None, "bandwidth_bytes_per_s": None}


def lower(
    topology: Topology,
    architecture: Architecture | str | Mapping[str, Any],
    *,
    same_policies: bool = False,
    pushed: Sequence[Topology] | None = None,
) -> Plane:
    """Turn every call edge of the topology into the hops that really carry it under the architecture.

    Parameters
    ----------
    architecture
        A value, or what `parse_architecture` reads.
    same_policies
        Let callers' libraries enforce policies wherever no proxy does (`in_app` on everywhere), so that
        architectures are compared under the same policies.
    pushed
        The topology with each configuration that may be pushed to the proxies during a run: other policies, routes or
        settings of proxies, but the same services and traffic. None: as the pushes among its events say, one for each
        set of them.

    Returns
    -------
    Plane
        Applications sorted by name, then proxies sorted by name. The step trees keep the positions of the spec.

    Raises
    ------
    UsageError
        The architecture names unknown services, policies contradict each other, or a profile lacks a proxy.
    """
    parsed = parse_architecture(architecture)
    configurations = pushed_topologies(topology) if pushed is None else pushed
    lowerings = [_Lowering(one, parsed, same_policies) for one in (topology, *configurations)]
    for lowering in lowerings:
        lowering.others = [other for other in lowerings if other is not lowering]
    first, *others = (lowering.plane() for lowering in lowerings)
    return with_pushed(first, others) if others else first


class _Lowering:
    """One lowering under way: proxies' endpoints and inert policies are collected as edges are met."""

    def __init__(self, topology: Topology, architecture: Architecture, same_policies: bool) -> None:
        self.topology = topology
        self.others: list[_Lowering] = []  # of other configurations of the same proxies
        self.same_policies = same_policies
        services = topology.services
        before = topology.mesh.gateway.load_balancer
        architecture.meshed(services)  # refuses names that are no service
        self.wiring = Wiring(
            architecture=architecture,
            sidecars=frozenset(filter(architecture.sidecar_beside, services)),
            ztunnels=frozenset(filter(architecture.ztunnel_for, services)),
            namespaces={name: service.namespace for name, service in services.items()},
            cancellation=CANCELLATION[topology.policy_defaults],
            before_gateways=None if before is None else balanced(before),
        )
        self.wiring.refuse_both()
        self.unenforced = Enforced(cancellation=self.wiring.cancellation)
        self.enforcement = Enforcement(topology)
        self.zones = topology.nodes.zones
        self.nodes = node_count(sum(map(_replica_count, services.values())), topology.nodes)
        self.settings: dict[StationKind, ProxySettings] = {}
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
        self.note_absent(names)
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
            described=tuple(topology.tenants[name] for name in sorted(topology.tenants)),
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
            line=service.line,
            bulkhead=service.bulkhead,
            buffers_bytes=service.buffers_bytes,
            bandwidth_bytes_per_s=service.bandwidth_bytes_per_s,
            threads=1,
            concurrency=service.concurrency,
            queue=service.queue,
            endpoints={
                name: tuple(rewrite_steps(version.endpoints.get(name, ()), hop_of) for version in service.versions)
                for name in endpoints
            },
            memory_bytes=service.memory_bytes,
            max_wait=service.max_wait,
            caches=tuple(service.caches[name] for name in sorted(service.caches)),
            begins=_begins(service),
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
                weight=version.load_balancing_weight,
            )
            for number, version in enumerate(service.versions)
            for _, (node, zone) in zip(range(service.most_replicas(version)), places, strict=False)
        )

    # -- edges -----------------------------------------------------------------------------------------------

    def first_hop(self, caller: str, callee: str, endpoint: str, connections: Connections) -> Hop:
        """Rewrite one edge: put its chain into the proxies that it passes, and return its first hop."""
        self.wiring.refuse_two_ways(caller, callee)
        policy = self.enforcement.policy(caller, callee, endpoint)
        in_app = self.same_policies or bool(policy.value("in_app"))
        enforcer = self.wiring.enforcer(caller, callee, in_app)
        enforced = self.enforced(caller, callee, endpoint)
        if enforcer is None:
            self.note_inert(policy, caller, callee, endpoint)
        edge = Edge(
            caller=caller,
            callee=callee,
            endpoint=endpoint,
            connections=connections,
            enforced=enforced,
            enforce_split=enforcer is not None and self.topology.services[callee].split is not None,
            in_app=in_app and enforcer == caller,
        )
        hops = chain(self.with_suffix(edge), self.wiring)
        self.add_endpoints(edge, hops)
        return hops[0]

    def enforced(self, caller: str, callee: str, endpoint: str) -> Enforced:
        """What is in force on an edge under this configuration."""
        in_app = self.same_policies or bool(self.enforcement.policy(caller, callee, endpoint).value("in_app"))
        enforcer = self.wiring.enforcer(caller, callee, in_app)
        if enforcer is None:
            return self.unenforced
        by_library = enforcer == caller and not self.same_policies
        return self.enforcement.on(caller, callee, endpoint, by_library=by_library)

    def is_general(self, edge: Edge) -> bool:
        """The edge's caller gets from shared proxies what callers in general get."""
        mine = self.enforced(edge.caller, edge.callee, edge.endpoint)
        return mine in (self.unenforced, self.enforcement.on(None, edge.callee, edge.endpoint, by_library=False))

    def with_suffix(self, edge: Edge) -> Edge:
        """Let callers of the general policy share the endpoints of shared proxies; others get names of their own.

        The same ones in every configuration: callers do not change what they send.
        """
        if all(lowering.is_general(edge) for lowering in (self, *self.others)):
            return edge
        return replace(edge, choice_suffix=f"|from={edge.caller}")

    def add_endpoints(self, edge: Edge, hops: tuple[Hop, ...]) -> None:
        """Put what proxies do for an edge into their endpoints."""
        for at, onward in pairwise(hops):
            steps = self.enforcing_steps(edge, at, onward) if onward.pick == "balance" else (_passed_on(at, onward),)
            self.add_endpoint(at, steps)

    def enforcing_steps(self, edge: Edge, at: Hop, onward: Hop) -> tuple[PlaneStep, ...]:
        """What the enforcer of an edge does between a request and its answer: limits, then the route that fits."""
        enforced = edge.enforced
        usual: tuple[PlaneStep, ...] = (_passed_on(at, onward),)
        if enforced.routes:
            cases = [Case(rule.streams, self.route_steps(edge, at, rule), rule.name) for rule in enforced.routes]
            usual = (Routed((*cases, Case(None, usual))),)
        limits = (
            Limited(limit, enforced.limit_name, enforced.limit_delay if limit.shared else None)
            for limit in enforced.limits
        )
        return *limits, *usual

    def route_steps(self, edge: Edge, at: Hop, rule: RouteRule) -> tuple[PlaneStep, ...]:
        """Delay, abort, mirror, and then pass on as the route says."""
        steps: list[PlaneStep] = []
        if rule.delay is not None:
            steps.append(_sometimes(rule.delay.share, Wait(wait=rule.delay.wait)))
        if rule.abort is not None:
            steps.append(Fail(p=rule.abort.share, reason=rule.abort.reason))
        if rule.mirror is not None:
            copy = self.routed_hop(edge, rule, rule.mirror)
            steps.append(_sometimes(rule.mirror_share, Mirrored(replace(copy, trying=_once(copy.trying)))))
        return *steps, _passed_on(at, self.routed_hop(edge, rule, rule.split))

    def routed_hop(self, edge: Edge, rule: RouteRule, split: tuple[float, ...] | None) -> Hop:
        """The message that a route sends; what follows it is put into the proxies on its way."""
        routed = replace(
            edge,
            callee=rule.callee,
            endpoint=rule.endpoint,
            enforced=replace(edge.enforced, cluster=rule.cluster, routes=()),
            enforce_split=split is not None or self.topology.services[rule.callee].split is not None,
            split=split,
        )
        hops = chain(routed, self.wiring)
        at = next(i for i, hop in enumerate(hops) if hop.pick == "balance")
        for one, onward in pairwise(hops[at:]):
            self.add_endpoint(one, (_passed_on(one, onward),))
        return hops[at]

    def add_endpoint(self, at: Hop, inner: tuple[PlaneStep, ...]) -> None:
        kind = _kind(at.to)
        filtered = (*self.filtered(kind, at.endpoint), *self.cached(kind, at.endpoint, inner))
        steps = inner if kind == "library" else self.settings_of(kind).steps(filtered)
        if self.proxies[at.to].setdefault(at.endpoint, steps) != steps:
            raise InternalError(f"two different rewrites for endpoint '{at.endpoint}' of '{at.to}'")

    def filtered(self, kind: StationKind, endpoint: str) -> tuple[PlaneStep, ...]:
        """What the filters of a proxy do with requests for an endpoint, before anything else is looked at."""
        if kind == "library":
            return ()
        target = _target(endpoint)
        return tuple(
            Routed((Case(self.streams_of(one.tenant), _filter_steps(one)), Case(None, ())))
            for one in self.settings_of(kind).filters
            if one.to in (None, target, target.partition(".")[0])
        )

    def streams_of(self, tenant: str | None) -> frozenset[str] | None:
        """Names of a tenant's streams; None for all."""
        if tenant is None:
            return None
        return frozenset(stream.name for stream in self.topology.traffic if stream.tenant == tenant)

    def cached(self, kind: StationKind, endpoint: str, inner: tuple[PlaneStep, ...]) -> tuple[PlaneStep, ...]:
        """Let a proxy look into its cache first, if it has one for this endpoint; rate limits come before that."""
        of_proxy = None if kind == "ztunnel" else self.settings_of(kind).cache
        target = _target(endpoint)
        is_outbound = endpoint.startswith("out:")
        if of_proxy is None or (of_proxy.only and target not in of_proxy.only):
            return inner
        if kind == "sidecar" and is_outbound != (of_proxy.where == "client"):
            return inner
        limits = tuple(step for step in inner if isinstance(step, Limited))
        rest = tuple(step for step in inner if not isinstance(step, Limited))
        return *limits, PlaneCached(of_proxy.cache.name, of_proxy.key, target, rest, by_proxy=True)

    def note_inert(self, policy: EdgePolicy, caller: str, callee: str, endpoint: str) -> None:
        target = f"{callee}.{endpoint}"
        why = self.why_inert(caller)
        for field in ENFORCED:
            setting = policy.fields.get(field)
            if setting is not None:
                self.inert[Inert(setting.policy, field.removesuffix("_s"), caller, target, why)] = None
        for route in self.enforcement.routes_of(caller, callee, endpoint):
            self.inert[Inert(f"routes.{route.name}", "route", caller, target, why)] = None
        if self.topology.services[callee].split is not None:
            self.inert[Inert(f"services.{callee}", "split", caller, target, why)] = None
        if len({version.load_balancing_weight for version in self.topology.services[callee].versions}) > 1:
            self.inert[Inert(f"services.{callee}", "load_balancing_weight", caller, target, why)] = None

    def why_inert(self, caller: str) -> str:
        cure = "a policy for these calls with `in_app: on` would let the caller's library act"
        if self.wiring.has_ztunnel(caller):
            return f"ztunnels are L4 and no waypoint is passed; {cure}"
        return f"no L7 proxy on the caller's side; {cure}"

    def note_absent(self, proxies: Iterable[str]) -> None:
        """Tell what is to keep tenants apart in proxies that this architecture does not have."""
        present = {_kind(name) for name in proxies}
        for kind, section in _ORIGINS.items():
            written = None if kind in present else getattr(self.topology.mesh, kind)
            for field, unset in _KEEPS_APART.items():
                if written is not None and getattr(written, field) != unset:
                    name = field.removesuffix("_per_s").removesuffix("_bytes")
                    self.inert[Inert(section, name, "", "", f"there is no {kind} here")] = None

    # -- proxies ---------------------------------------------------------------------------------------------

    def proxy_names(self) -> set[str]:
        """Proxies that the architecture deploys, and waypoints that a call passes."""
        names = set(self.proxies)
        wiring, services = self.wiring, self.topology.services
        if any(wiring.goes_through_gateway(CLIENT, callee) for callee in services) or any(
            wiring.architecture.mesh == "gateway" and wiring.architecture.covers(callee) for callee in services
        ):
            names.add(GATEWAY)
        if wiring.ztunnels:
            names.add(ZTUNNEL)
        return names | set(map(sidecar_of, wiring.sidecars))

    def refuse_collisions(self, proxies: set[str]) -> None:
        for name in sorted((proxies | {CLIENT}) & set(self.topology.services)):
            what = "the outside" if name == CLIENT else f"a proxy of {self.wiring.architecture.label}"
            raise UsageError(
                f"{self.origin(f'services.{name}')}: service '{name}' has the name of {what}; call it e.g. '{name}-app'"
            )

    def proxy(self, name: str) -> PlaneService:
        kind = _kind(name)
        host = self.topology.services.get(name.partition("@")[2]) if kind == "sidecar" else None
        found = proxy_service(
            name,
            role="library" if kind == "library" else "proxy",
            settings=self.settings_of(kind),
            places=self.proxy_places(name, kind),
            endpoints=self.proxies[name],
            origin=self.origin(_ORIGINS.get(kind, "policies")),
        )
        if host is not None:
            return replace(found, begins=_begins(host))
        if name != GATEWAY:
            return found
        divided = self.divided(found)
        if (divided.shards or divided.cells) and divided.begins is not None:
            raise UsageError(f"{found.origin}: a gateway that is divided over tenants cannot autoscale yet")
        return divided

    def divided(self, gateway: PlaneService) -> PlaneService:
        """Give each tenant the gateways of its cell, or a subset of its own."""
        architecture, replicas = self.wiring.architecture, len(gateway.replicas)
        tenants = self.topology.senders
        if architecture.shuffle is not None:
            return replace(gateway, shards=shuffle_shards(tenants, replicas, architecture.shuffle))
        if architecture.cells:
            ranges = cell_ranges(tenants, replicas, architecture.cells)
            return replace(gateway, shards=cells(tenants, replicas, architecture.cells), cells=ranges)
        return gateway

    def proxy_places(self, name: str, kind: StationKind) -> list[tuple[int, int]]:
        if kind == "ztunnel":
            return [(node, node % len(self.zones)) for node in range(self.nodes)]
        if name == library_of(CLIENT):
            return [OUTSIDE]
        if kind in ("sidecar", "library"):
            host = name.partition("@")[2]
            return place(host, _replica_count(self.topology.services[host]), self.nodes, len(self.zones))
        return place(name, self.settings_of(kind).replicas, self.nodes, len(self.zones))

    def settings_of(self, kind: StationKind) -> ProxySettings:
        if kind not in self.settings:
            if kind == "library":
                self.settings[kind] = proxy_settings(ProxyConfig(profile="zero", replicas=1), "sidecar")
            else:
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
    if isinstance(step, Cached):
        return PlaneCached(step.name, step.key, "", rewrite_steps(step.miss, hop_of))
    if isinstance(step, Choose):
        return PlaneChoose(tuple(PlaneOption(option.p, rewrite_steps(option.do, hop_of)) for option in step.options))
    return step


def _target(endpoint: str) -> str:
    """What an endpoint of a proxy is about, ``service.endpoint``."""
    return (endpoint.partition(":")[2] or endpoint).partition("|")[0]


def _filter_steps(one: Filter) -> tuple[PlaneStep, ...]:
    work: tuple[PlaneStep, ...] = () if one.cpu is None else (Work(work=one.cpu),)
    return (*work, Crash()) if one.crashes else work


def _passed_on(at: Hop, onward: Hop) -> Forward:
    return Forward(onward, as_connection=_kind(at.to) in ("ztunnel", "library"))


def _once(trying: Trying | None) -> Trying | None:
    """A copy has the time of the request that it is of, and is not tried again (rule Y11)."""
    return None if trying is None or trying.timeout_s is None else Trying(timeout_s=trying.timeout_s)


def _sometimes(share: float, step: PlaneStep) -> PlaneStep:
    return PlaneChoose((PlaneOption(share, (step,)),))


def _kind(proxy: str) -> StationKind:
    if proxy == GATEWAY:
        return "gateway"
    if proxy == ZTUNNEL:
        return "ztunnel"
    if is_library(proxy):
        return "library"
    return "sidecar" if is_sidecar(proxy) else "waypoint"


def _begins(service: Service) -> int | None:
    """How many replicas a service with room for more begins with."""
    return None if service.autoscale is None else service.versions[0].replicas


def _replica_count(service: Service) -> int:
    return sum(map(service.most_replicas, service.versions))
