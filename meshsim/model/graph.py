"""The call graph: who calls whom, how often, and what that asks of each service (no simulation)."""

from __future__ import annotations

import math
from collections.abc import Iterator
from dataclasses import dataclass
from typing import TYPE_CHECKING, NamedTuple

from meshsim.model.distributions import Distribution
from meshsim.model.steps import Call, Choose, Fail, Parallel, Step, Work
from meshsim.model.topology import Service, Topology, Version
from meshsim.model.traffic import Stream

if TYPE_CHECKING:
    import networkx as nx

CLIENT = "client"


class Site(NamedTuple):
    """A call as it stands in the steps of an endpoint.

    ``expected`` is how often one request makes it on average, ``certain`` whether every request does, and
    ``last_resort`` whether it stands in a fallback, which is not counted as expected.
    """

    call: Call
    expected: float
    certain: bool
    last_resort: bool = False


@dataclass(frozen=True, slots=True)
class Demand:
    """What the traffic asks for, as an upper bound: failures and time-outs are ignored, retries too.

    Attributes
    ----------
    calls_per_s
        Calls per second by ``service.endpoint``.
    offered_cores
        CPU seconds per second by service.
    by_version
        CPU seconds per second by (service, version).
    """

    calls_per_s: dict[str, float]
    offered_cores: dict[str, float]
    by_version: dict[tuple[str, str], float]


def call_sites(steps: tuple[Step, ...], expected: float = 1.0, certain: bool = True) -> Iterator[Site]:
    """Walk over all calls below `steps`, fallbacks included."""
    for step in steps:
        if isinstance(step, Call):
            times = step.times.mean() if step.times else 1.0
            sure = certain and step.p >= 1.0 and _least(step.times) >= 1.0
            yield Site(step, expected * step.p * times, sure)
            if step.fallback:
                for site in call_sites(step.fallback, 0.0, False):
                    yield site._replace(last_resort=True)
        elif isinstance(step, Parallel):
            for branch in step.branches:
                yield from call_sites(branch, expected, certain)
        elif isinstance(step, Choose):
            for option in step.options:
                yield from call_sites(option.do, expected * option.p, certain and option.p >= 1.0)
        elif isinstance(step, Fail) and step.p > 0.0:
            certain = False


def _least(times: Distribution | None) -> float:
    """Smallest number of calls that a count may give."""
    if times is None or times.kind == "geometric":
        return 1.0
    if times.kind == "mixture":
        parts = zip(times.weights, times.of, strict=True)
        return min(_least(part) for weight, part in parts if weight > 0.0)
    return times.values[0] if times.kind == "empirical" else times.params[0]


def mean_work_s(steps: tuple[Step, ...]) -> float:
    """CPU seconds of one request on its own replica, on average (steps after a `fail` are counted as run)."""
    total = 0.0
    for step in steps:
        if isinstance(step, Work):
            total += step.work.mean()
        elif isinstance(step, Parallel):
            total += math.fsum(mean_work_s(branch) for branch in step.branches)
        elif isinstance(step, Choose):
            total += math.fsum(o.p * mean_work_s(o.do) for o in step.options if o.p > 0.0)
    return total


def version_shares(service: Service) -> dict[str, float]:
    """Share of the requests by version: the split, or the number of replicas."""
    if service.split is not None:
        return dict(service.split)
    replicas = sum(version.replicas for version in service.versions)
    return {version.name: version.replicas / replicas for version in service.versions}


def endpoint_sites(service: Service, endpoint: str) -> Iterator[tuple[Version, float, Site]]:
    """All calls of an endpoint, with the version that makes them and its share of the requests."""
    shares = version_shares(service)
    for version in service.versions:
        for site in call_sites(version.endpoints.get(endpoint, ())):
            yield version, shares[version.name], site


def edges(topology: Topology) -> dict[str, dict[str, float]]:
    """Calls that one request to an endpoint makes on average: ``{caller: {callee: calls}}``, fallbacks with 0."""
    found: dict[str, dict[str, float]] = {}
    for name, service in topology.services.items():
        for endpoint in service.versions[0].endpoints:
            out = found.setdefault(f"{name}.{endpoint}", {})
            for _, share, site in endpoint_sites(service, endpoint):
                target = f"{site.call.service}.{site.call.endpoint}"
                out[target] = out.get(target, 0.0) + share * site.expected
    return found


def stream_rate_per_s(stream: Stream, duration_s: float) -> float:
    """Requests per second of a stream on average over `duration_s`, before `run.load`.

    A closed loop counts as 0: it sends as much as it gets answered, and so never offers more than fits.
    """
    arrivals = stream.arrivals
    if arrivals.rate_per_s is not None:
        return arrivals.rate_per_s
    if arrivals.gap is not None:
        mean = arrivals.gap.mean()
        return 1.0 / mean if mean > 0.0 else math.inf
    if arrivals.stay_s:
        weighted = zip(arrivals.rates_per_s, arrivals.stay_s, strict=True)
        return math.fsum(rate * stay for rate, stay in weighted) / math.fsum(arrivals.stay_s)
    if arrivals.diurnal:
        return arrivals.diurnal[0]
    if arrivals.points:
        return _mean_of_points(arrivals.points, arrivals.interpolate == "linear", duration_s)
    return sum(time < duration_s for time in arrivals.times_s) / duration_s


def _mean_of_points(points: tuple[tuple[float, float], ...], linear: bool, duration_s: float) -> float:
    area = 0.0
    for (start, rate), (end, after) in zip(points, (*points[1:], (math.inf, points[-1][1])), strict=True):
        stop = min(end, duration_s)
        if stop <= start:
            break
        slope = (after - rate) / (end - start) if linear and math.isfinite(end) else 0.0
        area += (rate + slope * (stop - start) / 2.0) * (stop - start)
    return area / duration_s


def expected_visits(topology: Topology) -> Demand:
    """Compute calls per second to every endpoint, and the CPU that they ask for, at `run.load`.

    Cycles are followed up to `call_depth`. An upper bound: nothing fails, nothing is retried, no deadline ends work.
    """
    graph = edges(topology)
    frontier: dict[str, float] = {}
    for stream in topology.traffic:
        entry = f"{stream.service}.{stream.endpoint}"
        rate = stream_rate_per_s(stream, topology.run.duration_s) * topology.run.load
        frontier[entry] = frontier.get(entry, 0.0) + rate
    calls = dict.fromkeys(graph, 0.0)
    for _ in range(topology.call_depth):
        if not frontier:
            break
        following: dict[str, float] = {}
        for endpoint, rate in frontier.items():
            calls[endpoint] += rate
            for target, expected in graph[endpoint].items():
                if rate * expected > 0.0:
                    following[target] = following.get(target, 0.0) + rate * expected
        frontier = following
    return _demand(topology, calls)


def _demand(topology: Topology, calls: dict[str, float]) -> Demand:
    by_version: dict[tuple[str, str], float] = {}
    for name, service in topology.services.items():
        for version, share in zip(service.versions, version_shares(service).values(), strict=True):
            offered = 0.0
            for endpoint, steps in version.endpoints.items():
                rate = calls[f"{name}.{endpoint}"] * share
                offered += rate * mean_work_s(steps) if rate else 0.0
            by_version[name, version.name] = offered
    cores = {name: math.fsum(by_version[name, v.name] for v in s.versions) for name, s in topology.services.items()}
    return Demand(calls_per_s=calls, offered_cores=cores, by_version=by_version)


def calls_per_request(topology: Topology) -> dict[str, float]:
    """Calls that one request to each endpoint causes in all, cycles followed up to `call_depth`."""
    graph = edges(topology)
    totals = dict.fromkeys(graph, 0.0)
    for _ in range(topology.call_depth):
        after = {
            endpoint: math.fsum(n * (1.0 + totals[target]) for target, n in out.items() if n > 0.0)
            for endpoint, out in graph.items()
        }
        if after == totals:
            break
        totals = after
    return totals


def certain_cycle(services: dict[str, Service]) -> list[str]:
    """Find endpoints that surely call each other in a circle, e.g. ``[a.x, b.y, a.x]``; empty if there are none."""
    graph = {
        f"{name}.{endpoint}": _certain_targets(service, endpoint)
        for name, service in services.items()
        for endpoint in service.versions[0].endpoints
    }
    done: set[str] = set()
    for start in graph:
        cycle = _cycle_from(start, graph, done)
        if cycle:
            return cycle
    return []


def _certain_targets(service: Service, endpoint: str) -> list[str]:
    """Callees that a request reaches whichever version answers it."""
    found: list[set[str]] = []
    for version in service.versions:
        sites = call_sites(version.endpoints.get(endpoint, ()))
        found.append({f"{site.call.service}.{site.call.endpoint}" for site in sites if site.certain})
    return sorted(set.intersection(*found))


def _cycle_from(start: str, graph: dict[str, list[str]], done: set[str]) -> list[str]:
    """Search in depth, without recursion: chains may be long."""
    trail: dict[str, Iterator[str]] = {}
    node: str | None = start
    while node is not None:
        if node in trail:
            names = list(trail)
            return [*names[names.index(node) :], node]
        if node not in done and node in graph:
            trail[node] = iter(graph[node])
        node = None
        while trail and node is None:
            last = next(reversed(trail))
            node = next(trail[last], None)
            if node is None:
                trail.pop(last)
                done.add(last)
    return []


def reached(topology: Topology) -> set[str]:
    """Endpoints that some request may reach, fallbacks included."""
    graph = edges(topology)
    waiting = [f"{stream.service}.{stream.endpoint}" for stream in topology.traffic]
    found: set[str] = set()
    while waiting:
        endpoint = waiting.pop()
        if endpoint not in found:
            found.add(endpoint)
            waiting += graph[endpoint]
    return found


def call_graph(topology: Topology) -> nx.DiGraph:
    """Services and ``client`` as nodes, calls between them as edges.

    Returns
    -------
    networkx.DiGraph
        Edges have ``calls``: the calls per second at `run.load` (an upper bound, see `expected_visits`).
    """
    import networkx as nx

    graph = nx.DiGraph()
    graph.add_node(CLIENT)
    graph.add_nodes_from(topology.services)
    rates = expected_visits(topology).calls_per_s
    for stream in topology.traffic:
        rate = stream_rate_per_s(stream, topology.run.duration_s) * topology.run.load
        _add_edge(graph, CLIENT, stream.service, rate)
    for caller, out in edges(topology).items():
        for target, expected in out.items():
            weight = rates[caller] * expected if expected else 0.0
            _add_edge(graph, caller.partition(".")[0], target.partition(".")[0], weight)
    return graph


def _add_edge(graph: nx.DiGraph, caller: str, callee: str, calls: float) -> None:
    before = graph[caller][callee]["calls"] if graph.has_edge(caller, callee) else 0.0
    graph.add_edge(caller, callee, calls=before + calls)
