"""The screen: traffic equations once, then queues for any numbers of replicas."""

from __future__ import annotations

import math
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, replace
from functools import lru_cache
from typing import Final

import numpy as np

from meshsim.analytic.grid import STEPS, Grid
from meshsim.analytic.hits import Hits, hits
from meshsim.analytic.nodes import Node, State, grid_for
from meshsim.analytic.notes import notes_of
from meshsim.analytic.program import Program, program
from meshsim.analytic.queues import NEVER_DONE, NOTHING, Extra, InLine, Job, Offered
from meshsim.analytic.result import Curve, Estimate, Latency, StationEstimate, StreamEstimate
from meshsim.analytic.staffing import square_root_staffing
from meshsim.analytic.stations import OVER_S, At, Counts, Station, rate_per_s
from meshsim.architectures import Architecture, lower
from meshsim.architectures.placement import node_count, place
from meshsim.architectures.plane import Plane
from meshsim.architectures.rewrites import beside_whom, is_library, is_sidecar
from meshsim.errors import UsageError
from meshsim.model.diagnostics import suggestion
from meshsim.model.graph import stream_rate_per_s
from meshsim.model.topology import Nodes, Topology
from meshsim.model.traffic import STATIONARY, Arrivals, Stream
from meshsim.numbers import whole_number
from meshsim.results.flows import flows
from meshsim.results.intervals import Floats
from meshsim.results.text import percent

_ROUNDS: Final = 12  # of slots that wait for slots
_SETTLED: Final = 1e-3
NEVER: Final = 1e-4  # of all visits: so few that meet an overloaded queue are not told (assumed)


@dataclass(frozen=True)
class _Base:
    """What the numbers of replicas do not change, unless a cache is among them."""

    hits: Hits
    stations: dict[str, Station]
    notes: tuple[str, ...]


class Screen:
    """A topology under an architecture, ready to be estimated at thousands of numbers of replicas.

    Parameters
    ----------
    spec
        A topology, or a Plane; then nothing is moved to other nodes where replicas change.
    architecture
        As of `meshsim.lower`; not with a Plane.
    same_policies
        As of `meshsim.lower`.

    Examples
    --------
    >>> from meshsim.model.load import load
    >>> screen = Screen(load("bookinfo"), "sidecar")
    >>> one, two = screen.estimate(), screen.estimate({"productpage": 2})
    >>> one.latency.mean_s > two.latency.mean_s
    True
    """

    def __init__(
        self, spec: Topology | Plane, architecture: str | Architecture = "none", *, same_policies: bool = False
    ) -> None:
        self._written = spec if isinstance(spec, Plane) else lower(spec, architecture, same_policies=same_policies)
        self.plane = _steady(self._written)
        self._nodes: Nodes | None = None if isinstance(spec, Plane) else spec.nodes
        self._program: Program = program(self.plane)
        self._own = {service.name: len(service.replicas) for service in self.plane.services}
        self._begin = {service.name: service.begins for service in self.plane.services if service.begins is not None}
        self._bases: dict[tuple[int, ...], _Base] = {}

    def estimate(self, replicas: Mapping[str, int] | None = None) -> Estimate:
        """Estimate it with other numbers of replicas.

        Parameters
        ----------
        replicas
            By service, ``gateway`` or waypoint; those of sidecars follow, and the nodes that it takes. Absent ones are
            as the topology has them.

        Returns
        -------
        Estimate

        Raises
        ------
        UsageError
            There is no service of that name, it has several versions, or the number is not at least 1.
        """
        counts = self._counts(replicas or {})
        base = self._base(counts)
        spread = _Spread(self.plane, self._nodes, counts)
        at = {name: station.at(counts, spread.by_node) for name, station in base.stations.items()}
        state = State({**at}, spread.together, base.hits.by_stream, {})
        self._solve(state, base, at)
        return self._estimate(state, base, at, counts)

    def staffed(self, chance: float = 0.2) -> dict[str, int]:
        """Numbers of replicas to begin a search at: by square-root staffing of each station's load, as if it were one.

        Parameters
        ----------
        chance
            That a visit has to wait, where all cores of a station together serve it; with the balancers that there are
            more of them wait.

        Returns
        -------
        dict
            For `estimate`: services of one version, gateways and waypoints, whose CPU is limited.

        Examples
        --------
        >>> from meshsim.model.load import load
        >>> Screen(load("bookinfo", overrides=["run.load=20"]), "none").staffed()
        {'details': 7, 'productpage': 10, 'ratings': 7}
        """
        found = {}
        for name, station in self._base({}).stations.items():
            service = station.service
            alone = len(service.versions) > 1 or station.by_node or is_sidecar(name) or is_library(name)
            cores = service.replicas[0].cores
            if not alone and service.threads is not None and math.isfinite(cores):
                load = float(station.flow.load.sum())
                found[name] = max(1, math.ceil(square_root_staffing(load, chance) / cores - 1e-9))
        return found

    # -- what it is ------------------------------------------------------------------------------------------------

    def _counts(self, replicas: Mapping[str, int]) -> dict[str, int]:
        counts = dict(self._begin)
        for name, value in replicas.items():
            if name not in self._own or is_sidecar(name) or is_library(name):
                near = suggestion(name, [one for one in self._own if not is_sidecar(one) and not is_library(one)])
                raise UsageError(f"replicas: there is no '{name}' whose number can be chosen; {near}")
            if len(self.plane.service(name).versions) > 1:
                raise UsageError(f"replicas: '{name}' has several versions; scaling one is not supported yet")
            number = whole_number(value, f"replicas of '{name}'")
            if number < 1:
                raise UsageError(f"replicas of '{name}': at least 1, not {number}")
            if number != self._own[name] or name in self._begin:
                counts |= {one: number for one in self._own if one == name or beside_whom(one) == name}
        return counts

    def _base(self, counts: Counts) -> _Base:
        cached = [service.name for service in self.plane.services if service.caches]
        key = tuple(counts.get(name, self._own[name]) for name in cached)
        if key not in self._bases:
            solved = hits(self.plane, counts) if cached else Hits()
            equations = flows(self.plane, solved.of_visits)
            stations = {s.name: Station(self.plane, s, equations[s.name]) for s in self.plane.services}
            notes = tuple(notes_of(self._written, equations, solved))
            self._bases[key] = _Base(solved, stations, notes)
        return self._bases[key]

    # -- two moments -----------------------------------------------------------------------------------------------

    def _solve(self, state: State, base: _Base, at: Mapping[str, At]) -> None:
        """Moments of all nodes; waits for slots depend on what those who have one do, and so on."""
        limited = [name for name, one in base.stations.items() if one.service.concurrency is not None]
        for _ in range(_ROUNDS if limited else 1):
            for node in self._program.nodes:
                state.moments[node.number] = node.solve(state)
            before = dict(state.slots)
            for name in limited:
                state.slots[name] = self._slot(state, at[name])
            if all(_alike(before.get(name, NOTHING), state.slots[name]) for name in limited):
                return

    def _slot(self, state: State, at: At) -> Extra:
        station, service = at.station, at.station.service
        mean = square = total = 0.0
        for sent in station.flow.sent:
            body = self._program.bodies.get((service.name, sent.hop.endpoint))
            if body is not None:
                found = state.moments[body.number]
                mean += sent.per_s * found.mean_s
                square += sent.per_s * (found.variance_s2 + found.mean_s**2)
                total += sent.per_s
        if total <= 0.0 or mean <= 0.0 or service.concurrency is None:
            return NOTHING
        if math.isinf(mean):
            return NOTHING  # what is full is behind it
        mean, square = mean / total, square / total
        third = mean**3 * (square / mean**2) * (2.0 * square / mean**2 - 1.0)
        offered = Offered(total / at.replicas, mean, square, third)
        queue = InLine(offered, service.concurrency, 1.0)
        return NEVER_DONE if queue.unstable else queue.extra(Job(mean, square - mean * mean))

    # -- the answer ------------------------------------------------------------------------------------------------

    def _estimate(self, state: State, base: _Base, at: Mapping[str, At], counts: Counts) -> Estimate:
        stations = {name: self._station(one) for name, one in at.items()}
        full = {name for name, one in state.slots.items() if math.isinf(one.mean_s)}
        unstable = tuple(name for name, one in stations.items() if one.utilisation >= 1.0 or name in full)
        streams = []
        for stream, _ in self.plane.entries:
            built = self._program.entries[stream.name]
            rate = rate_per_s(stream, self.plane)
            latency = Latency(((1.0, _curve(state, built.node)),))
            streams.append(StreamEstimate(stream.name, stream.tenant, rate, built.ok, latency))
        notes = [*base.notes, *(f"all slots of {name} are taken" for name in sorted(full))]
        notes += list(_luck_notes(at))
        return Estimate(
            topology=self.plane.topology_name,
            architecture=self.plane.architecture,
            replicas={s.name: counts.get(s.name, self._own[s.name]) for s in self.plane.services if s.role == "app"},
            stations=stations,
            streams={one.name: one for one in streams},
            unstable=unstable,
            notes=tuple(dict.fromkeys(notes)),
        )

    def _station(self, at: At) -> StationEstimate:
        station = at.station
        unlimited = at.unlimited
        utilisation = 0.0 if unlimited or math.isinf(at.cores) else at.busiest
        wait = work = square = 0.0
        for p, version, job in station.jobs:
            found = [(1.0, NOTHING)] if unlimited else [(w, q.extra(job)) for w, q in at.queues(version)]
            extra = math.fsum(w * one.mean_s for w, one in found)
            second = math.fsum(w * one.second_s2 for w, one in found)
            mean = job.mean_s + extra
            both = job.variance_s2 + job.mean_s**2 + 2.0 * job.mean_s * extra + second
            wait += p * extra
            work += p * mean
            square += p * both - (p * mean) ** 2 if math.isfinite(mean) else math.inf
        return StationEstimate(
            name=station.name,
            role=station.service.role,
            replicas=int(at.replicas),
            requests_per_s=station.visits_per_s,
            offered_cores=at.load,
            cores=at.cores if not unlimited else math.inf,
            utilisation=utilisation,
            wait_s=wait,
            sojourn_s=work,
            sojourn_variance_s2=max(0.0, square),
            unlucky=at.unlucky,
        )


def _curve(state: State, node: Node) -> Curve:
    moments = state.moments[node.number]

    def masses() -> tuple[Grid, float, Floats]:
        grid = grid_for(moments, STEPS)
        origin = grid.origin(moments.least_s)
        found = np.clip(np.cumsum(grid.masses(node.transform(state, grid), origin)), 0.0, 1.0)
        return grid, origin, np.maximum.accumulate(found)

    return Curve(moments.mean_s, moments.variance_s2, masses)


def _alike(one: Extra, other: Extra) -> bool:
    return one.mean_s == other.mean_s or abs(one.mean_s - other.mean_s) <= _SETTLED * max(one.mean_s, other.mean_s)


def _luck_notes(at: Mapping[str, At]) -> Iterator[str]:
    """Stations that the luck of connections may overload although there is enough for all."""
    for name, one in at.items():
        if one.unlucky > NEVER:
            met = percent(one.unlucky)
            yield f"the luck of connections pinned to {name} may overload a queue there ({met} of the visits): left out"


def _steady(plane: Plane) -> Plane:
    """The same with what changes with time held at its mean: traffic equations know nothing of time."""
    entries = tuple(
        (stream if stream.arrivals.kind in STATIONARY else _held(stream), hop) for stream, hop in plane.entries
    )
    return replace(plane, entries=entries)


def _held(stream: Stream) -> Stream:
    mean = Arrivals(kind="poisson", rate_per_s=stream_rate_per_s(stream, OVER_S))
    return stream.model_copy(update={"arrivals": mean})


class _Spread:
    """Where replicas stand."""

    def __init__(self, plane: Plane, nodes: Nodes | None, counts: Counts) -> None:
        self.plane, self.counts = plane, counts
        self.nodes = plane.nodes
        if nodes is not None and counts:
            apps = [service for service in plane.services if service.role == "app"]
            self.nodes = node_count(sum(counts.get(s.name, len(s.replicas)) for s in apps), nodes)
        self.moved = bool(counts) and nodes is not None
        self.known: dict[str, Floats] = {}
        self.pairs: dict[tuple[str, str], tuple[float, float, float]] = {}

    def by_node(self, name: str) -> Floats:
        """Shares of its replicas by node."""
        if name not in self.known:
            service = self.plane.service(name)
            n = self.counts.get(name, len(service.replicas))
            if self.moved:
                standing = _placed(beside_whom(name), n, self.nodes, len(self.plane.zones))
            else:
                standing = tuple(replica.node for replica in service.replicas)
            found = np.bincount(np.array(standing), minlength=self.nodes).astype(np.float64)
            self.known[name] = found / found.sum()
        return self.known[name]

    def together(self, one: str, other: str) -> tuple[float, float, float]:
        """Chances that replicas of two services share a node, a zone only, or neither."""
        key = (one, other)
        if key not in self.pairs:
            a, b, zones = self.by_node(one), self.by_node(other), len(self.plane.zones)
            same = float(a @ b)
            zone = math.fsum(float(a[z::zones].sum() * b[z::zones].sum()) for z in range(zones))
            self.pairs[key] = (same, max(0.0, zone - same), max(0.0, 1.0 - zone))
        return self.pairs[key]


@lru_cache(maxsize=4096)
def _placed(name: str, replicas: int, nodes: int, zones: int) -> tuple[int, ...]:
    return tuple(node for node, _ in place(name, replicas, nodes, zones))
