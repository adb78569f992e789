"""The warnings that an expert would give about caches."""

from __future__ import annotations

from collections.abc import Iterator

from meshsim.model import graph
from meshsim.model.caches import Cache, ProxyCache
from meshsim.model.distributions import Distribution
from meshsim.model.policies import Match
from meshsim.model.policy_advice import Warnings, calls_of
from meshsim.model.policy_choice import RouteTable
from meshsim.model.read.cursor import Reading
from meshsim.model.steps import Cached, Invalidate
from meshsim.model.topology import Service, Topology
from meshsim.units import format_bytes

_PROXY_PATHS = {"gateway": "mesh.gateway", "sidecar": "mesh.sidecar", "waypoint": "mesh.ambient.waypoint"}


def _looks(service: Service, endpoint: str | None = None) -> Iterator[Cached]:
    """All steps of a service, or of one endpoint, that look into a cache."""
    for version in service.versions:
        for name, steps in version.endpoints.items():
            if endpoint in (None, name):
                yield from (step for step in graph.every_step(steps) if isinstance(step, Cached))


def _all(topology: Topology) -> Iterator[tuple[str, str, Cache]]:
    """Path, label and value of every cache."""
    for name, service in topology.services.items():
        for cache in service.caches.values():
            yield f"services.{name}.caches.{cache.name}", f"cache '{cache.name}' of '{name}'", cache
    for kind, proxy in graph.proxy_caches(topology).items():
        yield f"{_PROXY_PATHS[kind]}.cache", f"the cache of the {kind}", proxy.cache


def _unused(topology: Topology, reading: Reading) -> Warnings:
    for name, service in topology.services.items():
        used = {step.name for step in _looks(service)} if service.caches else set()
        for cache in service.caches:
            if cache not in used:
                hint = f"add - cache: {{name: {cache}, key: …, miss: […]}} to an endpoint, or remove the cache"
                yield "M224", f"no step of '{name}' looks into cache '{cache}'", hint, f"services.{name}.caches.{cache}"


def _keyless(topology: Topology, reading: Reading) -> Warnings:
    """Warn of streams that pass caches by, since their requests have no key to ask for; once for each cache."""
    if not any(_all(topology)):
        return
    told: set[str] = set()
    out, table = graph.edges(topology, possible=True), RouteTable(topology.routes)
    for stream in topology.traffic:
        for _, callee in calls_of(stream, out, table):
            for path, label, key in _asked(topology, callee):
                missing = next((dimension for dimension in key if dimension not in stream.keys), None)
                if missing is None or path in told:
                    continue
                told.add(path)
                message = f"stream '{stream.name}' reaches {callee} without the key '{missing}', and passes {label} by"
                hint = f"add keys: {{{missing}: {{zipf: {{items: 50000, exponent: 1.0}}}}}} to '{stream.name}'"
                if path.startswith("mesh."):
                    hint += ", or name in only: the endpoints whose answers are kept"
                yield "M225", message, hint, path


def _unheard(topology: Topology, reading: Reading) -> Warnings:
    """Warn of streams whose writes are about nothing, since their requests have no such key; once for each step."""
    writes: dict[str, list[Invalidate]] = {}
    for endpoint, step in _writes(topology):
        writes.setdefault(endpoint, []).append(step)
    told: set[int] = set()
    out, table = graph.edges(topology, possible=True), RouteTable(topology.routes)
    for stream in topology.traffic if writes else ():
        for _, callee in calls_of(stream, out, table):
            for step in writes.get(callee, ()):
                missing = next((dimension for dimension in step.key if dimension not in stream.keys), None)
                if missing is None or id(step) in told:
                    continue
                told.add(id(step))
                service, name = step.cache
                label = f"cache '{name}' of '{service}'" if service else f"the cache of the {name}"
                message = (
                    f"stream '{stream.name}' reaches {callee} without the key '{missing}', and what it writes makes "
                    f"nothing outdated in {label}"
                )
                hint = f"add keys: {{{missing}: {{zipf: {{items: 50000, exponent: 1.0}}}}}} to '{stream.name}'"
                yield "M225", message, hint, f"{reading.places[id(step)]}.invalidate.key"


def _asked(topology: Topology, callee: str) -> Iterator[tuple[str, str, tuple[str, ...]]]:
    """Path, label and key of the caches that requests to an endpoint may be looked up in."""
    name, _, endpoint = callee.partition(".")
    for step in _looks(topology.services[name], endpoint):
        yield f"services.{name}.caches.{step.name}", f"cache '{step.name}'", step.key
    for kind, proxy in graph.proxy_caches(topology).items():
        if not proxy.only or callee in proxy.only:
            yield f"{_PROXY_PATHS[kind]}.cache", f"the cache of the {kind}", proxy.key


def check_sizes(topology: Topology, reading: Reading) -> None:
    """Report caches whose objects are as large as a trace says, where somebody asks who has no trace; each once."""
    traced = {path for path, _, cache in _all(topology) if cache.size == "trace"}
    told: set[str] = set()
    out, table = graph.edges(topology, possible=True), RouteTable(topology.routes)
    for stream in topology.traffic if traced else ():
        for _, callee in calls_of(stream, out, table):
            for path, label, key in _asked(topology, callee):
                keys = [stream.keys.get(dimension) for dimension in key]
                if path not in traced - told or any(one is None or one.trace is not None for one in keys):
                    continue
                told.add(path)
                message = f"size: trace of {label} has no meaning for '{stream.name}', whose keys are of no trace"
                hint = (
                    f"write a size such as 4KiB, or keys: {{{key[0]}: {{trace: {{file: web.csv}}}}}} in '{stream.name}'"
                )
                reading.report.error("M120", message, hint, reading.mark(f"{path}.size"), f"{path}.size")


def _writes(topology: Topology) -> Iterator[tuple[str, Invalidate]]:
    """All steps that write, each with its endpoint; what versions share, once."""
    told: set[int] = set()
    for name, service in topology.services.items():
        for version in service.versions:
            for endpoint, steps in version.endpoints.items():
                for step in graph.every_step(steps):
                    if isinstance(step, Invalidate) and id(step) not in told:
                        told.add(id(step))
                        yield f"{name}.{endpoint}", step


def check_writes(topology: Topology, reading: Reading) -> None:
    """Report writes that are about answers which the cache of a proxy never keeps."""
    proxies = graph.proxy_caches(topology)
    for _, step in _writes(topology):
        service, kind = step.cache
        only = () if service else proxies[kind].only
        if not only or step.of in only:
            continue
        path = f"{reading.places[id(step)]}.invalidate.of"
        message = f"the cache of the {kind} keeps no answers of {step.of}: its only names {', '.join(only[:4])}"
        hint = f"write of: {only[0]}, or name {step.of} in only: of {_PROXY_PATHS[kind]}.cache"
        reading.report.error("M120", message, hint, reading.mark(path), path)


def _too_small(topology: Topology, reading: Reading) -> Warnings:
    for path, label, cache in _all(topology):
        if cache.capacity_bytes is None or not isinstance(cache.size, Distribution):
            continue
        if cache.size.minimum() <= cache.capacity_bytes:
            continue
        least, room = format_bytes(round(cache.size.minimum())), format_bytes(cache.capacity_bytes)
        message = f"{label} holds nothing: an object has {least} at least, and there is room for {room}"
        yield "M226", message, "raise the capacity, or lower the size", f"{path}.capacity"


def _unwritten(topology: Topology, reading: Reading) -> Warnings:
    """Warn of proxies that keep answers made of what a cache holds, which writes make outdated there alone."""
    steps = [step for _, step in _writes(topology)]
    proxies = graph.proxy_caches(topology)
    if not steps or not proxies:
        return
    depends = _depends(topology, {step.cache for step in steps})
    for kind, proxy in proxies.items():
        heard = {step.of for step in steps if step.cache == ("", kind)}
        kept = [name for name in _kept(topology, kind, proxy) if name in depends and name not in heard]
        if not kept:
            continue
        cache = ".".join(depends[kept[0]])
        more = f" (and {len(kept) - 1:,} more)" if len(kept) > 1 else ""
        message = (
            f"the {kind} keeps answers of {kept[0]}{more}, which depend on cache {cache}; writes that outdate it do "
            f"not reach the {kind}: answers there may be outdated without being counted"
        )
        key = proxy.key[0] if len(proxy.key) == 1 else f"[{', '.join(proxy.key)}]"
        hint = f"add - invalidate: {{cache: {kind}, key: {key}, of: {kept[0]}}} where {cache} is written"
        yield "M228", message, hint, f"{_PROXY_PATHS[kind]}.cache"


def _kept(topology: Topology, kind: str, proxy: ProxyCache) -> list[str]:
    """Endpoints to which requests with the key of a proxy's cache may come through such a proxy, and that it keeps."""
    found: dict[str, None] = {}
    out, table = graph.edges(topology, possible=True), RouteTable(topology.routes)
    for stream in topology.traffic:
        if any(dimension not in stream.keys for dimension in proxy.key):
            continue
        for caller, callee in calls_of(stream, out, table):
            if (not proxy.only or callee in proxy.only) and (kind != "gateway" or caller == graph.CLIENT):
                found[callee] = None
    return list(found)


def _depends(topology: Topology, written: set[tuple[str, str]]) -> dict[str, tuple[str, str]]:
    """Endpoints whose answers are made of what some `written` cache holds, with that cache: their own first."""
    found: dict[str, tuple[str, str]] = {}
    for name, service in topology.services.items():
        for version in service.versions:
            for endpoint in version.endpoints:
                for step in _looks(service, endpoint):
                    if (name, step.name) in written:
                        found.setdefault(f"{name}.{endpoint}", (name, step.name))
    callers = _awaited_by(topology)
    waiting = list(found)
    for callee in waiting:  # grows
        for caller in callers.get(callee, ()):
            if caller not in found:
                found[caller] = found[callee]
                waiting.append(caller)
    return found


def _awaited_by(topology: Topology) -> dict[str, list[str]]:
    """Endpoints that wait for the answers of each one, where routes let them."""
    found: dict[str, list[str]] = {}
    table = RouteTable(topology.routes)
    for name, service in topology.services.items():
        for endpoint in service.versions[0].endpoints:
            for _, share, site in graph.endpoint_sites(service, endpoint):
                if site.call.async_ or (share * site.expected == 0.0 and not site.last_resort):
                    continue
                for target in _routed(name, f"{site.call.service}.{site.call.endpoint}", table):
                    found.setdefault(target, []).append(f"{name}.{endpoint}")
    return found


def _routed(caller: str, target: str, table: RouteTable) -> Iterator[str]:
    """Endpoints to which a call may come: those of the routes that may take it, until one takes all."""
    for route in table.routes(caller, target):
        yield ".".join(route.rewrite) if route.rewrite else target
        if route.match == Match():
            return
    yield target


WARNINGS = (_unused, _keyless, _unheard, _unwritten, _too_small)
