"""The warnings that an expert would give about a topology without errors."""

from __future__ import annotations

import math
from collections.abc import Iterator

from meshsim.model import cache_advice, graph, policy_advice, timing
from meshsim.model.changes import changed_topology
from meshsim.model.policy_advice import Warnings, about
from meshsim.model.read.autoscale import MAX_REPLICAS
from meshsim.model.read.cursor import Reading
from meshsim.model.steps import Call
from meshsim.model.topology import Mesh, Service, Topology, Version
from meshsim.units import format_bytes, format_duration

MAX_REQUESTS = 1e9  # of one run: beyond it, simulating takes hours and more
MAX_PEAKS = 16  # instants at which the load is computed
_REQUESTS_PER_S = 100_000  # that the faster engine simulates, in order of magnitude
_FULL = 1.0
_SILENT = 0.1  # share of a run without requests of a trace of keys that is told (assumed)
_SERVED = {"fair": "shared fairly", "priority": "served by priority"}
_MORE = 1.05  # than a trace has, on average: a random number of requests is no mistake (assumed)


def advise(topology: Topology, reading: Reading) -> None:
    """Give all warnings about a topology without errors."""
    own = (
        _load,
        _unused,
        _idle_tenants,
        _idle_shares,
        _timeouts,
        _traces,
        _repeated_traces,
        _ended_traces,
        _requests,
        _nodes,
    )
    for warn in (*own, *policy_advice.WARNINGS, *cache_advice.WARNINGS):
        for code, message, hint, path in warn(topology, reading):
            reading.report.warning(code, message, hint, reading.mark(path), path)


# -- load --------------------------------------------------------------------------------------------------------


def _load(topology: Topology, reading: Reading) -> Warnings:
    """Warn of load at or above capacity: on average first, else at the peak of rates that change with time.

    What some cache may absorb is not counted: nobody knows yet how much of it that will be.
    """
    held = timing.held_s(topology)
    # routes divide versions otherwise, copy, delay, and answer themselves: what gets there is not known here
    routed = {
        target for route in topology.routes for target in (route.to.partition(".")[0], (route.rewrite or ("",))[0])
    }
    told: set[tuple[str, str]] = set()
    for at_s in (None, *_peaks(topology)):
        demand = graph.expected_visits(topology, at_s, all_hits=True)
        when = "" if at_s is None else f" at its peak ({format_duration(round(at_s, 3))})"
        for (name, version), offered in demand.by_version.items():
            if (name, version) in told or name in routed:
                continue
            found = next(v for v in topology.services[name].versions if v.name == version)
            service = topology.services[name]
            warning = _cores(service, found, offered, when) or _places(topology, name, found, demand, held, when)
            if warning:
                told.add((name, version))
                yield warning


def _peaks(topology: Topology) -> list[float]:
    times = (graph.peak_time_s(stream, topology.run.duration_s) for stream in topology.traffic)
    return sorted({time for time in times if time is not None})[:MAX_PEAKS]


def _where(name: str, version: Version) -> tuple[str, str]:
    """Label and path of a version."""
    path = f"services.{name}.versions.{version.name}" if version.name else f"services.{name}"
    return f"'{name}' {version.name}".strip(), path


def _cores(service: Service, version: Version, offered: float, when: str) -> tuple[str, str, str, str] | None:
    if version.cpu.limit is None:
        return None
    label, path = _where(service.name, version)
    if math.isinf(offered):
        hint = "use upper: to bound it, or a shape above 1"
        return "M209", f"the mean CPU time of {label} does not exist (Pareto with a shape of 1 or less)", hint, path
    have = service.most_replicas(version) * version.cpu.limit
    if offered < _FULL * have:
        return None
    message = f"the load{when} asks for {offered:.3g} cores of {label}, which has {have:g} ({offered / have:.0%})"
    if offered >= 1000.0 * have:
        message = f"the load{when} asks for {offered:.3g} cores of {label}, which has {have:g}"
    return "M203", message, _fits(math.floor(offered / version.cpu.limit) + 1, when), path


def _places(
    topology: Topology, name: str, version: Version, demand: graph.Demand, held: timing.Seconds, when: str
) -> tuple[str, str, str, str] | None:
    """Compare requests inside of a version (rate times mean time held, Little's law) with what its limit admits."""
    concurrency = topology.services[name].concurrency
    if concurrency is None:
        return None
    share = graph.version_shares(topology.services[name])[version.name]
    rates = {endpoint: share * demand.calls_per_s[f"{name}.{endpoint}"] for endpoint in version.endpoints}
    inside = math.fsum(rate * held[f"{name}.{endpoint}"] for endpoint, rate in rates.items() if rate > 0.0)
    places = concurrency * topology.services[name].most_replicas(version)
    if inside < _FULL * places or math.isinf(inside):
        return None
    label, path = _where(name, version)
    message = f"the load{when} keeps {inside:.3g} requests at once in {label}, which admits {places:,}"
    return "M203", message, "raise concurrency, or: " + _fits(math.floor(inside / concurrency) + 1, when), path


def _fits(replicas: int, when: str) -> str:
    if replicas > MAX_REPLICAS:
        return (
            f"more than the {MAX_REPLICAS:,} replicas that are allowed would be needed: "
            "look for a slip in the rates, or in the work"
        )
    lasting = "queues grow while it lasts" if when else "queues only grow"
    return f"it fits from {replicas:,} replicas on; otherwise {lasting}"


def _requests(topology: Topology, reading: Reading) -> Warnings:
    run = topology.run
    total = math.fsum(graph.stream_rate_per_s(s, run.duration_s) for s in topology.traffic) * run.load * run.duration_s
    if total > MAX_REQUESTS:
        needed = format_duration(float(min(math.ceil(total / _REQUESTS_PER_S / 3600.0), 10**9) * 3600))
        message = f"a run has about {about(total)} requests; at {_REQUESTS_PER_S:,} a second that takes {needed}"
        yield "M214", message, "shorten run.duration, or lower the rates together with the replicas", _who_asks(reading)


def _who_asks(reading: Reading) -> str:
    """The part of `run` that an override made long or large, else its duration."""
    parts = ("run.duration", "run.load")
    return next((path for path in parts if reading.mark(path).file.startswith("--")), parts[0])


def _traces(topology: Topology, reading: Reading) -> Warnings:
    for stream in topology.traffic:
        times = stream.arrivals.traced_s
        if len(times) and times[0] >= topology.run.duration_s:
            first, duration = format_duration(float(times[0])), format_duration(topology.run.duration_s)
            message = f"'{stream.name}' sends nothing: its trace begins at {first}, and the run ends after {duration}"
            hint = "let the times begin at 0s, or make run.duration longer"
            yield "M211", message, hint, f"traffic.{stream.name}.arrivals"


def _repeated_traces(topology: Topology, reading: Reading) -> Warnings:
    duration_s = topology.run.duration_s
    for stream in topology.traffic:
        sent = graph.stream_rate_per_s(stream, duration_s) * topology.run.load * duration_s
        if stream.arrivals.of_keys is not None:  # whatever the load, there are no more
            sent = min(sent, len(stream.arrivals.of_keys))
        for name, keys in stream.keys.items():
            if keys.trace is None or sent <= len(keys.trace) * _MORE:
                continue
            message = (
                f"'{stream.name}' sends about {about(sent)} requests, and the trace of its keys '{name}' has "
                f"{len(keys.trace):,}: it begins again, and caches hit what they hold of the time before"
            )
            enough = format_duration(float(f"{duration_s * len(keys.trace) / sent:.3g}"))
            hint = f"make run.duration {enough} or less, or give a longer trace"
            yield "M227", message, hint, f"traffic.{stream.name}.keys.{name}"


def _ended_traces(topology: Topology, reading: Reading) -> Warnings:
    """Warn of traces of keys whose times are over long before the run is; those that a file spells out are seen."""
    duration_s = topology.run.duration_s
    for stream in topology.traffic:
        if stream.arrivals.of_keys is None:
            continue
        end_s = float(stream.arrivals.traced_s[-1]) / topology.run.load
        if duration_s - end_s <= _SILENT * duration_s:
            continue
        end, silent = (format_duration(float(f"{time:.3g}")) for time in (end_s, duration_s - end_s))
        message = f"the trace of '{stream.name}' ends at {end}, and nothing is sent in the last {silent} of the run"
        enough = min(float(math.floor(end_s) + 1), float(f"{end_s + _SILENT / 2.0 * duration_s:.3g}"))
        hint = f"make run.duration {format_duration(enough)}, or give a longer trace"
        yield "M229", message, hint, f"traffic.{stream.name}.arrivals"


# -- what is not used ----------------------------------------------------------------------------------------------


def _unused(topology: Topology, reading: Reading) -> Warnings:
    reached = graph.reached(_with_routes_of_pushes(topology))
    for name, service in topology.services.items():
        idle = [endpoint for endpoint in service.versions[0].endpoints if f"{name}.{endpoint}" not in reached]
        if len(idle) == len(service.versions[0].endpoints):
            hint = "call it, send traffic to it, or remove it: its replicas cost money all the same"
            yield "M204", f"nobody calls '{name}'", hint, f"services.{name}"
            continue
        for endpoint in idle:
            path = f"services.{name}.endpoints.{endpoint}"
            yield "M205", f"nobody calls '{name}.{endpoint}'", "call it, send traffic to it, or remove it", path


def _with_routes_of_pushes(topology: Topology) -> Topology:
    changed = [changed_topology(topology, event.push) for event in topology.events if event.push is not None]
    return topology.model_copy(update={"routes": tuple(route for one in (topology, *changed) for route in one.routes)})


def _idle_tenants(topology: Topology, reading: Reading) -> Warnings:
    busy = {stream.tenant for stream in topology.traffic}
    for name in topology.tenants:
        if name not in busy:
            hint = f"add an entry with tenant: {name} to traffic, or remove the tenant"
            yield "M206", f"tenant '{name}' sends no traffic", hint, f"tenants.{name}"


def _idle_shares(topology: Topology, reading: Reading) -> Warnings:
    """Warn of weights and priorities that no line looks at."""
    services = topology.services.values()
    words = {word for one in services for word in (one.discipline, one.line)}
    words |= {getattr(topology.mesh, kind).discipline for kind in Mesh.model_fields}
    for name, tenant in topology.tenants.items():
        for field, default, word in (("weight", 1.0, "fair"), ("priority", 0, "priority")):
            if getattr(tenant, field) != default and word not in words:
                message = f"the {field} of tenant '{name}' has no effect: nothing is {_SERVED[word]}"
                hint = f"write discipline: {word} into a service or a proxy, or line: {word} before slots"
                yield "M230", message, hint, f"tenants.{name}.{field}"


# -- timeouts ----------------------------------------------------------------------------------------------------


def _timeouts(topology: Topology, reading: Reading) -> Warnings:
    longest, least = timing.longest_s(topology), timing.least_s(topology)
    seen: set[int] = set()  # an endpoint that a version inherits is one piece of text
    for call in _calls(topology):
        if call.timeout_s is None or id(call) in seen:
            continue
        seen.add(id(call))
        target, path = f"{call.service}.{call.endpoint}", f"{reading.places.get(id(call), '')}.timeout"
        gives_up = f"gives up after {format_duration(call.timeout_s)}, but {target}"
        if least[target] > call.timeout_s:
            takes = format_duration(round(least[target], 9))
            hint = "raise this timeout: as it is, no answer can come in time"
            yield "M212", f"{gives_up} takes {takes} at least", hint, path
        elif longest[target] > call.timeout_s:
            takes = format_duration(round(longest[target], 9))
            hint = "raise this timeout above that, or lower the inner ones: what comes later is wasted work"
            yield "M202", f"{gives_up} may take {takes} over its own timeouts and retries", hint, path


def _calls(topology: Topology) -> Iterator[Call]:
    for service in topology.services.values():
        for version in service.versions:
            for steps in version.endpoints.values():
                yield from (site.call for site in graph.call_sites(steps))


# -- nodes -------------------------------------------------------------------------------------------------------


def _nodes(topology: Topology, reading: Reading) -> Warnings:
    """Warn of replicas that are larger than a node; of too many on one only where the file describes its nodes."""
    nodes = topology.nodes
    pods = [(s.most_replicas(v), v.cpu.request, s.memory_bytes) for s in topology.services.values() for v in s.versions]
    for name, service in topology.services.items():
        for version in service.versions:
            label, path = _where(name, version)
            what = _exceeds(version.cpu.request, service.memory_bytes, nodes.cpu, nodes.memory_bytes)
            if what:
                yield "M215", f"a replica of {label} asks for {what}", "take larger nodes, or ask for less", path
    total = sum(count for count, _, _ in pods)
    on_node = min(nodes.pods_per_node, math.ceil(total / len(nodes.zones)))
    cpu = math.fsum(count * cores for count, cores, _ in pods) / total * on_node
    memory = math.fsum(count * size for count, _, size in pods) / total * on_node
    what = _exceeds(cpu, memory, nodes.cpu, nodes.memory_bytes)
    if what and any(f"nodes.{key}" in reading.marks for key in ("pods_per_node", "cpu", "memory")):
        message = f"{on_node:,} average replicas on a node ask for {what}"
        yield "M215", message, "lower pods_per_node, or take larger nodes", "nodes"


def _exceeds(cpu: float, memory: float, node_cpu: float, node_memory: int) -> str:
    if cpu > node_cpu * (1.0 + 1e-9):
        return f"{cpu:.3g} cores, and a node has {node_cpu:g}"
    if memory > node_memory:
        return f"{format_bytes(round(memory))} of memory, and a node has {format_bytes(node_memory)}"
    return ""
