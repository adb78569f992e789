"""What can strike, and where: one event for each kind of fault and each place."""

from __future__ import annotations

from collections import Counter, defaultdict
from collections.abc import Iterable, Iterator
from dataclasses import dataclass

from meshsim.architectures.rewrites import GATEWAY
from meshsim.model import faults as f
from meshsim.model.graph import endpoint_sites, stream_rate_per_s, waits
from meshsim.model.policies import Route
from meshsim.model.topology import Topology
from meshsim.model.traffic import SCALABLE, Stream

SCOPES = ("mesh", "gateway", "service", "tenant")
HALF = 0.5
"""Share of the proxies that a push reaches which is applied by half (assumed)."""
BAKE_MOST_S = 20.0
"""A rollout's bake times are cut to this, so that one can be simulated in minutes; longer than what mistakes take until
they are seen, of which a black hole takes longest, 10 s (assumed)."""


@dataclass(frozen=True, slots=True)
class Strike:
    """One fault at one place.

    Attributes
    ----------
    kind
        Of fault.
    place
        What it is about: the scope of a push, or where an ordinary fault strikes.
    fault, push
        Exactly one of them.
    for_s
        How long an event of the topology itself lasts; None: as long as all.
    """

    kind: str
    place: str
    fault: f.Fault | None = None
    push: f.Push | None = None
    for_s: float | None = None

    @property
    def name(self) -> str:
        """Kind and place, e.g. ``slow_filter at service/maps``."""
        return f"{self.kind} at {self.place}"

    def event(self, at_s: float, for_s: float, rollout: str) -> f.Event:
        """The event: an ordinary fault lasts, a push goes out by a rollout and lasts until it is taken back."""
        if self.push is not None:
            return f.Event(name=self.name, at_s=at_s, push=self.push.model_copy(update={"rollout": rollout}))
        lasts = None if self.kind in f.INSTANTS else self.for_s or for_s
        return f.Event(name=self.name, at_s=at_s, for_s=lasts, fault=self.fault)


def strikes(topology: Topology, *, exhaustive: bool = False) -> list[Strike]:
    """Every kind of fault at every kind of place; with `exhaustive`, at every place.

    One place of each kind is the one that matters most: the service that most requests enter by (for weights the first
    that has versions), the tenant with most requests, and the first route; for ordinary faults the service that is
    called by most others.
    """
    services = sorted(topology.services) if exhaustive else _entries_by_rate(topology)[:1]
    versioned = services if exhaustive else _versioned(topology)[:1]
    tenants = topology.senders if exhaustive else _tenants_by_rate(topology)[:1]
    shared = sorted(topology.services) if exhaustive else _by_waiting(topology)[:1]
    pushes = [
        strike
        for kind in f.PUSH_FAULTS
        for scope in SCOPES
        for strike in _pushes(topology, kind, scope, versioned if kind == "wrong_weight" else services, tenants)
    ]
    routes = topology.routes if exhaustive else topology.routes[:1]
    in_routes = [strike for kind in f.PUSH_FAULTS for route in routes for strike in _in_route(topology, kind, route)]
    return [*pushes, *in_routes, _half_applied(services[0]), *_ordinary(topology, shared, exhaustive)]


def own_strikes(topology: Topology) -> list[Strike]:
    """Events of the topology, each as a strike of its own."""
    found = []
    for event in topology.events:
        kind: str = event.fault.kind if event.fault is not None else "set"
        if event.push is not None and event.push.fault is not None:
            kind = event.push.fault.kind
        found.append(Strike(kind, f"event {event.name}", event.fault, event.push, event.for_s))
    return found


# -- pushes --------------------------------------------------------------------------------------------------------


def _pushes(
    topology: Topology, kind: str, scope: str, services: Iterable[str], tenants: Iterable[str]
) -> Iterator[Strike]:
    """A mistake of a kind in a scope, about each service or tenant that may have it."""
    if scope == "tenant":
        if kind not in f.ROUTED | f.FILTERS:
            return
        for tenant in tenants:
            to = _entries_by_rate(topology, tenant)[0]
            fault = _mistake(topology, kind, to)
            if fault is not None:
                yield _push(kind, f.Scope(kind="tenant", name=tenant), fault)
        return
    of_all = scope != "service"
    for service in list(services)[:1] if of_all and kind not in f.ROUTED | f.OF_POLICIES else services:
        fault = _mistake(topology, kind, service)
        if fault is not None:
            yield _push(kind, f.Scope(kind=scope, name="" if of_all else service), fault, service if of_all else "")


def _half_applied(service: str) -> Strike:
    """A push that half of the proxies get: the others stay stale."""
    place = f"half of the mesh (calls to {service})"
    fault = f.RouteBlackhole(to=service)
    return Strike("blackhole", place, push=f.Push(name=f"blackhole at {place}", fault=fault, reaches=HALF))


def _in_route(topology: Topology, kind: str, route: Route) -> Iterator[Strike]:
    """A mistake of a kind in where the requests of a route go."""
    fault = _mistake(topology, kind, route.to.partition(".")[0]) if kind in f.ROUTED else None
    if fault is not None:
        yield _push(kind, f.Scope(kind="route", name=route.name), fault)


def _push(kind: str, scope: f.Scope, fault: f.PushFault, about: str = "") -> Strike:
    place = f"{scope.kind}/{scope.name}" if scope.name else scope.kind
    if about and kind in f.ROUTED | f.OF_POLICIES:
        place = f"{place} (calls to {about})"
    return Strike(kind, place, push=f.Push(name=f"{kind} at {place}", scope=scope, fault=fault))


def _mistake(topology: Topology, kind: str, to: str) -> f.PushFault | None:
    """A mistake about the calls to a service; None if there is nothing to be mistaken about."""
    match kind:
        case "wrong_route":
            other = _another_endpoint(topology, to)
            return None if other is None else f.WrongRoute(to=to, instead=other)
        case "blackhole":
            return f.RouteBlackhole(to=to)
        case "wrong_weight":
            versions = [version.name for version in topology.services[to].versions]
            if len(versions) < 2:
                return None
            return f.WrongWeight(to=to, split={name: float(name == versions[-1]) for name in versions})
        case "short_timeout":
            return f.ShortTimeout(to=to)
        case "retry_storm":
            return f.RetryStorm(to=to)
        case "strict_limit":
            return f.StrictLimit(to=to)
        case "expired_certificate":
            return f.ExpiredCertificate(to=to)
        case "slow_filter":
            return f.SlowFilter()
        case "crash_on_load":
            return f.CrashOnLoad()
        case "crash_on_request":
            return f.CrashOnRequest()
        case "memory_growth":
            return f.MemoryGrowth()
        case "cache_key":
            return _another_key(topology)
    raise AssertionError(f"no such mistake: {kind}")


def _another_endpoint(topology: Topology, to: str) -> tuple[str, str] | None:
    """Where requests of a service go by mistake: the first endpoint of another one."""
    for name in sorted(topology.services):
        endpoints = sorted(topology.services[name].versions[0].endpoints)
        if name != to and endpoints:
            return name, endpoints[0]
    return None


def _another_key(topology: Topology) -> f.CacheKey | None:
    """A dimension besides those that proxies' caches look under, by which hardly anything is found."""
    mesh = topology.mesh
    caches = [one.cache for one in (mesh.gateway, mesh.sidecar, mesh.waypoint) if one.cache is not None]
    dimensions = sorted({name for stream in topology.traffic for name in stream.keys})
    for cache in caches:
        for dimension in dimensions:
            if dimension not in cache.key:
                return f.CacheKey(key=(*cache.key, dimension))
    return None


# -- ordinary faults -----------------------------------------------------------------------------------------------


def _ordinary(topology: Topology, services: list[str], exhaustive: bool) -> Iterator[Strike]:
    for service in services:
        for fault in (
            f.CpuFault(service=service),
            f.Pause(service=service),
            f.MemoryFault(service=service),
            f.ProcessKiller(service=service),
            f.Shutdown(service=service, drain_s=5.0),  # shorter than usual: a fault lasts 20 s (assumed)
            f.Shutdown(service=service, drain_s=0.0),
            f.Blackhole(service=service),
            f.DnsFault(service=service),
            f.LatencyFault(service=service),
            f.PacketLoss(service=service),
            f.CertificateExpiry(service=service),
            f.TimeTravel(service=service),
            f.Crash(service=service),
            f.RestartHerd(service=service),
            f.DependencyDown(service=service),
        ):
            drain = " without draining" if isinstance(fault, f.Shutdown) and not fault.drain_s else ""
            yield Strike(fault.kind, f"{service}{drain}", fault=fault)
        if exhaustive and waits(topology.services[service]):
            yield Strike("io", service, fault=f.IoFault(service=service))
        if topology.services[service].caches:
            yield Strike("cold_cache", service, fault=f.ColdCache(service=service))
    zones = topology.nodes.zones
    waiting = [name for name in _by_waiting(topology) if waits(topology.services[name])]
    if waiting and not exhaustive:
        yield Strike("io", waiting[0], fault=f.IoFault(service=waiting[0]))
    for fault in (f.CpuFault(service=GATEWAY), f.Blackhole(service=GATEWAY), f.RestartHerd(service=GATEWAY)):
        yield Strike(fault.kind, GATEWAY, fault=fault)
    yield Strike("slow_node", "node 0", fault=f.SlowNode())
    yield Strike("batch_job", "node 0", fault=f.BatchJob())
    for zone in zones if exhaustive else zones[:1]:
        if len(zones) > 1:
            yield Strike("zone_loss", f"zone {zone}", fault=f.ZoneLoss(zone=zone))
    if len(zones) > 1:
        pair = (zones[0], zones[1])
        yield Strike("partition", f"zones {pair[0]} and {pair[1]}", fault=f.Partition(zones=pair))
    streams = sorted(topology.traffic, key=lambda one: (-_rate(topology, one), one.name))
    for stream in streams if exhaustive else streams[:1]:
        if stream.arrivals.kind in SCALABLE:
            yield Strike("load_spike", f"stream {stream.name}", fault=f.LoadSpike(stream=stream.name))


# -- what matters most ---------------------------------------------------------------------------------------------


def _entries_by_rate(topology: Topology, tenant: str | None = None) -> list[str]:
    """Services that requests enter by, those with most requests first."""
    rates: dict[str, float] = defaultdict(float)
    for stream in topology.traffic:
        if tenant in (None, stream.tenant):
            rates[stream.service] += _rate(topology, stream)
    return sorted(rates, key=lambda name: (-rates[name], name))


def _versioned(topology: Topology) -> list[str]:
    """Services with several versions, those first that requests enter by or that most wait for."""
    order = [*_entries_by_rate(topology), *_by_waiting(topology)]
    return [name for name in dict.fromkeys(order) if len(topology.services[name].versions) > 1]


def _tenants_by_rate(topology: Topology) -> list[str]:
    rates: dict[str, float] = defaultdict(float)
    for stream in topology.traffic:
        rates[stream.tenant] += _rate(topology, stream)
    return sorted(rates, key=lambda name: (-rates[name], name))


def _rate(topology: Topology, stream: Stream) -> float:
    return stream_rate_per_s(stream, topology.run.duration_s)


def _by_waiting(topology: Topology) -> list[str]:
    """Services that most endpoints wait for first; of those that nobody waits for, those that requests enter by."""
    waiting: Counter[str] = Counter()
    for service in topology.services.values():
        for endpoint in service.versions[0].endpoints:
            waiting.update({s.call.service for _, _, s in endpoint_sites(service, endpoint) if not s.call.async_})
    entries = _entries_by_rate(topology)
    return sorted(topology.services, key=lambda name: (-waiting[name], name not in entries, name))
