"""The call graph: who calls whom, how often, and what that asks of each service (no simulation)."""

from __future__ import annotations

import math
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, NamedTuple

import numpy as np
import numpy.typing as npt

from meshsim.model.caches import Cache, ProxyCache
from meshsim.model.policies import Match, Route
from meshsim.model.policy_choice import RouteTable
from meshsim.model.steps import Cached, Call, Choose, Fail, Parallel, Step, Wait, Work
from meshsim.model.topology import Service, Topology, Version
from meshsim.model.traffic import Stream

if TYPE_CHECKING:
    import networkx as nx

CLIENT = "client"
_SHOWN = 3  # names at each end of a long chain


class Site(NamedTuple):
    """A call as it stands in the steps of an endpoint.

    ``expected`` is how often one request makes it on average, ``certain`` whether every request does, and
    ``last_resort`` whether it stands in a fallback, which is not counted as expected. Caches are thought empty, as they
    are for the first request; ``cached`` tells whether one could make the call needless.
    """

    call: Call
    expected: float
    certain: bool
    last_resort: bool = False
    cached: bool = False


@dataclass(frozen=True, slots=True)
class Demand:
    """What the traffic asks for on average: an estimate in which nothing fails, and so nothing is retried.

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
            sure = certain and step.p >= 1.0 and (step.times is None or step.times.minimum() >= 1.0)
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
        elif isinstance(step, Cached):
            for site in call_sites(step.miss, expected, certain):
                yield site._replace(cached=True)
        elif isinstance(step, Fail) and step.p > 0.0:
            certain = False


def every_step(steps: tuple[Step, ...]) -> Iterator[Step]:
    """Walk over all steps, those within others included."""
    for step in steps:
        yield step
        if isinstance(step, Call):
            yield from every_step(step.fallback or ())
        elif isinstance(step, Parallel):
            yield from (inner for branch in step.branches for inner in every_step(branch))
        elif isinstance(step, Choose):
            yield from (inner for option in step.options for inner in every_step(option.do))
        elif isinstance(step, Cached):
            yield from every_step(step.miss)


def waits(service: Service) -> bool:
    """Whether some step of it waits for a disk or a third party."""
    lists = (steps for version in service.versions for steps in version.endpoints.values())
    return any(isinstance(step, Wait) for steps in lists for step in every_step(steps))


def proxy_caches(topology: Topology) -> dict[str, ProxyCache]:
    """Caches of proxies by kind: each acts only where an architecture has such proxies."""
    kinds = ("gateway", "sidecar", "waypoint")
    found = {kind: getattr(topology.mesh, kind).cache for kind in kinds}
    return {kind: cache for kind, cache in found.items() if cache is not None}


def kept_endpoints(topology: Topology) -> set[str]:
    """Endpoints whose answers some kind of proxy keeps, so that requests need not reach them."""
    caches = proxy_caches(topology).values()
    if all(cache.only for cache in caches):
        return {name for cache in caches for name in cache.only}
    return {f"{name}.{end}" for name, service in topology.services.items() for end in service.versions[0].endpoints}


def mean_work_s(steps: tuple[Step, ...], caches: Mapping[str, Cache] | None = None, *, all_hits: bool = False) -> float:
    """CPU seconds of one request on its own replica, on average (steps after a `fail` are counted as run).

    Parameters
    ----------
    steps
        What is done.
    caches
        Those of the service, for the cost of filling them; None: it is left out.
    all_hits
        Whether every look into a cache is a hit, instead of a miss.
    """
    total = 0.0
    for step in steps:
        if isinstance(step, Work):
            total += step.work.mean()
        elif isinstance(step, Parallel):
            total += math.fsum(mean_work_s(branch, caches, all_hits=all_hits) for branch in step.branches)
        elif isinstance(step, Choose):
            taken = (option for option in step.options if option.p > 0.0)
            total += math.fsum(option.p * mean_work_s(option.do, caches, all_hits=all_hits) for option in taken)
        elif isinstance(step, Cached) and not all_hits:
            fill = caches[step.name].fill if caches else None
            total += mean_work_s(step.miss, caches) + (fill.mean() if fill else 0.0)
    return total


def version_shares(service: Service) -> dict[str, float]:
    """Share of the requests by version: the split, or the replicas by their weights (`random` does not heed them)."""
    if service.split is not None:
        return dict(service.split)
    weights = {version.name: version.replicas * version.load_balancing_weight for version in service.versions}
    total = sum(weights.values())
    return {name: weight / total for name, weight in weights.items()}


def endpoint_sites(service: Service, endpoint: str) -> Iterator[tuple[Version, float, Site]]:
    """All calls of an endpoint, with the version that makes them and its share of the requests."""
    shares = version_shares(service)
    for version in service.versions:
        for site in call_sites(version.endpoints.get(endpoint, ())):
            yield version, shares[version.name], site


def edges(topology: Topology, *, possible: bool = False, all_hits: bool = False) -> dict[str, dict[str, float]]:
    """Calls that one request to an endpoint makes on average: ``{caller: {callee: calls}}``, fallbacks with 0.

    With `possible`, calls that are never made (a p of 0, a version without requests) are left out. Caches are thought
    empty; with `all_hits` they answer all that they may keep, and such calls count 0.
    """
    found: dict[str, dict[str, float]] = {}
    kept = kept_endpoints(topology) if all_hits else set()
    for name, service in topology.services.items():
        for endpoint in service.versions[0].endpoints:
            out = found.setdefault(f"{name}.{endpoint}", {})
            for _, share, site in endpoint_sites(service, endpoint):
                if possible and share * site.expected == 0.0 and not site.last_resort:
                    continue
                target = f"{site.call.service}.{site.call.endpoint}"
                needless = all_hits and (site.cached or target in kept)
                out[target] = out.get(target, 0.0) + (0.0 if needless else share * site.expected)
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
    return int(np.searchsorted(arrivals.traced_s, duration_s)) / duration_s


def _mean_of_points(points: tuple[tuple[float, float], ...], linear: bool, duration_s: float) -> float:
    area = 0.0
    for (start, rate), (end, after) in zip(points, (*points[1:], (math.inf, points[-1][1])), strict=True):
        stop = min(end, duration_s)
        if stop <= start:
            break
        slope = (after - rate) / (end - start) if linear and math.isfinite(end) else 0.0
        area += (rate + slope * (stop - start) / 2.0) * (stop - start)
    return area / duration_s


def rate_at_per_s(stream: Stream, time_s: float, duration_s: float) -> float:
    """Requests per second of a stream at an instant, before `run.load`; its average where it has no rate by time."""
    arrivals = stream.arrivals
    if arrivals.diurnal:
        mean, peak, period_s, peak_at_s = arrivals.diurnal
        return mean + (peak - mean) * math.cos(2.0 * math.pi * (time_s - peak_at_s) / period_s)
    if not arrivals.points:
        return stream_rate_per_s(stream, duration_s)
    rate = 0.0
    for (start, before), (end, after) in zip(
        arrivals.points, (*arrivals.points[1:], (math.inf, arrivals.points[-1][1])), strict=True
    ):
        if start > time_s:
            break
        inside = arrivals.interpolate == "linear" and math.isfinite(end)
        rate = before + (after - before) * min((time_s - start) / (end - start), 1.0) if inside else before
    return rate


def peak_time_s(stream: Stream, duration_s: float) -> float | None:
    """When the rate of a stream is highest within `duration_s`; None where it does not change with time."""
    arrivals = stream.arrivals
    if arrivals.diurnal:
        _, _, period_s, peak_at_s = arrivals.diurnal
        times = [0.0, duration_s, peak_at_s % period_s]
    elif arrivals.points:
        end = [duration_s] if arrivals.interpolate == "linear" else []
        times = [*(at for at, _ in arrivals.points), *end]
    else:
        return None
    rates = {time: rate_at_per_s(stream, time, duration_s) for time in times if time <= duration_s}
    return max(rates, key=rates.__getitem__)


class _Flow:
    """The calls of a topology as columns, so that following them over hundreds of levels is fast."""

    def __init__(self, topology: Topology, all_hits: bool = False) -> None:
        graph = edges(topology, all_hits=all_hits)
        self.names = list(graph)
        self.position = {name: i for i, name in enumerate(self.names)}
        rows = [(caller, callee, n) for caller, out in graph.items() for callee, n in out.items() if n > 0.0]
        self.source = np.array([self.position[caller] for caller, _, _ in rows], dtype=np.intp)
        self.target = np.array([self.position[callee] for _, callee, _ in rows], dtype=np.intp)
        self.expected = np.array([n for _, _, n in rows])
        self.depth = topology.call_depth

    def gathered(self, at: npt.NDArray[np.intp], values: npt.NDArray[np.float64]) -> npt.NDArray[np.float64]:
        """Sum of `values` (one for each call) by endpoint."""
        return np.bincount(at, weights=values, minlength=len(self.names)).astype(np.float64)  # of no calls: integers


def expected_visits(topology: Topology, at_s: float | None = None, *, all_hits: bool = False) -> Demand:
    """Estimate calls per second to every endpoint, and the CPU that they ask for, at `run.load`.

    Cycles are followed up to `call_depth`. Nothing fails, nothing is retried and no deadline ends work: failures that
    are retried make it more, failures that end a request make it less. What it is depends on how often caches hit:
    every look is a miss, unless `all_hits`.

    Parameters
    ----------
    topology
        The system.
    at_s
        An instant of the run, in seconds; None: the average over `run.duration`.
    all_hits
        Leave out what some cache may make needless, of services or of any proxies: the load that is sure to come.
    """
    duration_s = topology.run.duration_s
    flow = _Flow(topology, all_hits)
    kept = kept_endpoints(topology) if all_hits else set()
    frontier = np.zeros(len(flow.names))
    for stream in topology.traffic:
        if f"{stream.service}.{stream.endpoint}" in kept:
            continue
        rate = stream_rate_per_s(stream, duration_s) if at_s is None else rate_at_per_s(stream, at_s, duration_s)
        frontier[flow.position[f"{stream.service}.{stream.endpoint}"]] += rate * topology.run.load
    calls = np.zeros(len(flow.names))
    with np.errstate(over="ignore", invalid="ignore"):
        for _ in range(flow.depth):
            if not frontier.any():
                break
            calls += frontier
            frontier = flow.gathered(flow.target, frontier[flow.source] * flow.expected)
    return _demand(topology, dict(zip(flow.names, calls.tolist(), strict=True)), all_hits)


def _demand(topology: Topology, calls: dict[str, float], all_hits: bool) -> Demand:
    by_version: dict[tuple[str, str], float] = {}
    for name, service in topology.services.items():
        for version, share in zip(service.versions, version_shares(service).values(), strict=True):
            offered = 0.0
            for endpoint, steps in version.endpoints.items():
                rate = calls[f"{name}.{endpoint}"] * share
                offered += rate * mean_work_s(steps, service.caches, all_hits=all_hits) if rate else 0.0
            by_version[name, version.name] = offered
    cores = {name: math.fsum(by_version[name, v.name] for v in s.versions) for name, s in topology.services.items()}
    return Demand(calls_per_s=calls, offered_cores=cores, by_version=by_version)


def calls_per_request(topology: Topology) -> dict[str, float]:
    """Calls that one request to each endpoint causes in all, cycles followed up to `call_depth`."""
    flow = _Flow(topology)
    totals = np.zeros(len(flow.names))
    with np.errstate(over="ignore"):
        for _ in range(flow.depth):
            after = flow.gathered(flow.source, flow.expected * (1.0 + totals[flow.target]))
            if np.array_equal(after, totals):
                break
            totals = after
    return dict(zip(flow.names, totals.tolist(), strict=True))


def show_chain(names: list[str]) -> str:
    """Show a chain of calls; of a long one both ends."""
    if len(names) > 2 * _SHOWN + 1:
        names = [*names[:_SHOWN], f"… {len(names) - 2 * _SHOWN:,} more …", *names[-_SHOWN:]]
    return " -> ".join(names)


def certain_cycle(services: dict[str, Service], routes: Sequence[Route] = ()) -> list[str]:
    """Find endpoints that surely call each other in a circle, e.g. ``[a.x, b.y, a.x]``; empty if there are none."""
    return any_cycle(certain_calls(services, routes))


def certain_calls(services: dict[str, Service], routes: Sequence[Route] = ()) -> dict[str, list[str]]:
    """Callees that every request to an endpoint reaches, where the routes let them."""
    table = RouteTable(routes)
    return {
        f"{name}.{endpoint}": _routed(name, _certain_targets(service, endpoint), table)
        for name, service in services.items()
        for endpoint in service.versions[0].endpoints
    }


def _routed(caller: str, targets: list[str], table: RouteTable) -> list[str]:
    """What is surely reached: a route that takes some requests only, or aborts some, leaves nothing certain."""
    found: list[str] = []
    for target in targets:
        route = next(iter(table.routes(caller, target)), None)
        if route is None:
            found.append(target)
        elif route.match == Match() and (route.abort is None or route.abort.share == 0.0):
            found.append(".".join(route.rewrite) if route.rewrite else target)
    return found


def _certain_targets(service: Service, endpoint: str) -> list[str]:
    """Callees that a request reaches whichever version answers it."""
    found: list[set[str]] = []
    for version in service.versions:
        sites = call_sites(version.endpoints.get(endpoint, ()))
        found.append({f"{site.call.service}.{site.call.endpoint}" for site in sites if site.certain})
    return sorted(set.intersection(*found))


def any_cycle(graph: Mapping[str, Iterable[str]]) -> list[str]:
    """Find a circle in ``{caller: callees}``; empty if there is none."""
    done: set[str] = set()
    for start in graph:
        cycle = _cycle_from(start, graph, done)
        if cycle:
            return cycle
    return []


def callees_first(graph: Mapping[str, Iterable[str]]) -> list[str]:
    """Order endpoints so that each comes after those that it calls; calls that close a circle are not looked at."""
    order: list[str] = []
    seen: set[str] = set()
    for start in graph:
        trail = [] if start in seen else [(start, iter(graph[start]))]
        seen.add(start)
        while trail:  # no recursion: chains may be long
            node, rest = trail[-1]
            callee = next((name for name in rest if name not in seen and name in graph), None)
            if callee is None:
                order.append(node)
                trail.pop()
            else:
                seen.add(callee)
                trail.append((callee, iter(graph[callee])))
    return order


def longest_chains(graph: Mapping[str, Iterable[str]]) -> dict[str, tuple[int, str | None]]:
    """Endpoints on the longest path from each one of a graph without circles, itself counted, and the next on it."""
    found: dict[str, tuple[int, str | None]] = {}
    for node in callees_first(graph):
        following = max((name for name in graph[node] if name in found), key=lambda n: found[n][0], default=None)
        found[node] = (1 + (found[following][0] if following is not None else 0), following)
    return found


def _cycle_from(start: str, graph: Mapping[str, Iterable[str]], done: set[str]) -> list[str]:
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
    """Endpoints that some request may reach, fallbacks included, and rewrites of routes whatever they match."""
    graph = edges(topology)
    waiting = [f"{stream.service}.{stream.endpoint}" for stream in topology.traffic]
    rewrites: dict[str, list[str]] = {}
    for route in topology.routes:
        if route.rewrite is not None:
            rewrites.setdefault(route.to, []).append(".".join(route.rewrite))
    found: set[str] = set()
    while waiting:
        endpoint = waiting.pop()
        if endpoint not in found:
            found.add(endpoint)
            waiting += graph[endpoint]
            waiting += (*rewrites.get(endpoint, ()), *rewrites.get(endpoint.partition(".")[0], ()))
    return found


def call_graph(topology: Topology) -> nx.DiGraph:
    """Services and ``client`` as nodes, calls between them as edges.

    Returns
    -------
    networkx.DiGraph
        Edges have ``calls``: the calls per second at `run.load` (an estimate, see `expected_visits`).
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
