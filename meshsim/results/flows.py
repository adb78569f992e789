"""Traffic equations of a Plane: how many messages and CPU demands each replica gets, as the topology says it.

J. R. Jackson, "Networks of waiting lines", Operations Research 5 (1957): what flows into a station is what others send
there. Expected values alone, so no distribution matters; they hold as long as no call fails, is retried or given up.
How often a cache hits is no part of the topology: what is called behind one is unknown, unless hit ratios are given.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Final

import numpy as np

from meshsim.architectures.plane import (
    Forward,
    Hop,
    Plane,
    PlaneCached,
    PlaneCall,
    PlaneChoose,
    PlaneParallel,
    PlaneService,
    PlaneStep,
    ProxyWork,
)
from meshsim.architectures.walk import calls_in, chain_of, forwards_in, place_of
from meshsim.model.distributions import Distribution, constant
from meshsim.model.graph import any_cycle, callees_first, stream_rate_per_s
from meshsim.model.steps import Fail, Wait, Work
from meshsim.model.traffic import STATIONARY, Stream
from meshsim.results.intervals import Floats
from meshsim.results.theory import second_moment, third_moment

CLIENT: Final = "client"
_KIB = constant(1024.0)  # the size of messages that say none


@dataclass(frozen=True, slots=True)
class Demand:
    """CPU demands of one kind at a service.

    Attributes
    ----------
    rates
        Of them per second, by replica.
    mean_s, second_s2, third_s3
        First three moments of the time on a whole core.
    exponential
        The time is exponential.
    after
        What comes before it in a visit: nothing (""), ``wait``, ``work``, or ``call`` (others had their say).
    """

    rates: Floats
    mean_s: float
    second_s2: float
    third_s3: float
    exponential: bool
    after: str

    @property
    def load(self) -> Floats:
        """Cores that would just suffice, by replica."""
        return self.rates * self.mean_s


@dataclass(frozen=True, slots=True)
class Sent:
    """Messages of one kind that reach a service.

    Attributes
    ----------
    sender, hop
        Who sends them, and how.
    per_s
        Of them, to all replicas together.
    chooser, choice
        Who chose the replica that they go to (or beside which they arrive), by which hop; None where nobody did, but
        they go to what stands with their sender.
    beside
        The service with whose replicas the instances stand that get them.
    """

    sender: str
    hop: Hop
    per_s: float
    chooser: str | None
    choice: Hop | None
    beside: str


@dataclass(slots=True)
class Flow:
    """What reaches a service.

    Attributes
    ----------
    visits
        Messages per second, by replica.
    demands
        What they ask of the CPU.
    senders
        Services that send them; ``client`` are those outside.
    unlike_poisson
        Why they do not even nearly reach a replica (or its threads) as a Poisson stream would.
    unknown, work_unknown
        Why `visits`, or `demands`, are not what the topology says.
    pauses
        Whether visits do anything but work: wait or call.
    branches
        Whether visits work in several branches at once.
    sent
        Its messages by kind.
    """

    visits: Floats
    demands: list[Demand] = field(default_factory=list)
    senders: set[str] = field(default_factory=set)
    unlike_poisson: dict[str, None] = field(default_factory=dict)
    unknown: dict[str, None] = field(default_factory=dict)
    work_unknown: dict[str, None] = field(default_factory=dict)
    pauses: bool = False
    branches: bool = False
    sent: list[Sent] = field(default_factory=list)

    @property
    def load(self) -> Floats:
        """Cores that would just suffice, by replica."""
        return sum((demand.load for demand in self.demands), np.zeros_like(self.visits))

    @property
    def from_clients(self) -> bool:
        """Whether all of them come straight from outside."""
        return self.senders == {CLIENT}


@dataclass(slots=True)
class _Stream:
    """What reaches an endpoint of an application, before it is passed on to those that it calls.

    Attributes
    ----------
    visits
        By replica.
    origin
        Why it is no Poisson process, wherever it goes.
    picks
        Why the replicas get no random parts of it; whoever chooses anew makes that good.
    unknown
        Why `visits` are not what the topology says.
    versions
        Why their sum is known, but not how much of it each version gets.
    """

    visits: Floats
    origin: dict[str, None] = field(default_factory=dict)
    picks: dict[str, None] = field(default_factory=dict)
    unknown: dict[str, None] = field(default_factory=dict)
    versions: dict[str, None] = field(default_factory=dict)


def flows(plane: Plane, hits: Mapping[tuple[str, str], float] | None = None) -> dict[str, Flow]:
    """Solve the traffic equations.

    Parameters
    ----------
    plane
        What carries the traffic.
    hits
        By service and cache, the share of the visits to a cache that it answers; absent: unknown.

    Returns
    -------
    dict
        By service; those in circles of calls, and those after them, say so in `Flow.unknown`.
    """
    return _Equations(plane, hits or {}).solved()


class _Equations:
    """One solution under way: endpoints of applications are done callers first."""

    def __init__(self, plane: Plane, hits: Mapping[tuple[str, str], float]) -> None:
        self.plane = plane
        self.hits = hits
        self.services = {service.name: service for service in plane.services}
        self.flows = {name: Flow(np.zeros(len(service.replicas))) for name, service in self.services.items()}
        self.streams: dict[tuple[str, str], _Stream] = {}

    def solved(self) -> dict[str, Flow]:
        graph = {
            f"{service.name}.{name}": [
                f"{call.call.service}.{call.call.endpoint}" for steps in versions for call in calls_in(steps)
            ]
            for service in self.plane.services
            if service.role == "app"
            for name, versions in service.endpoints.items()
        }
        circle = any_cycle(graph)
        self.note_routes()
        for stream, hop in self.plane.entries:
            self.entry(stream, hop)
        for name in reversed(callees_first(graph)):
            service, _, endpoint = name.partition(".")
            if (service, endpoint) in self.streams:
                self.visited(self.services[service], endpoint, self.streams[service, endpoint])
        if circle:
            for flow in self.flows.values():
                flow.unknown[f"calls go in a circle: {' → '.join(circle)}"] = None
        return self.flows

    def note_routes(self) -> None:
        """What goes by a route, or is copied, is not counted: nobody knows what its callees get."""
        for service in self.plane.services:
            for versions in service.endpoints.values():
                ways = [hop for steps in versions for hop in forwards_in(steps)]
                for hop in (one for way in ways for one in chain_of(self.plane, way)) if len(ways) > 1 else ():
                    why = {f"routes of {service.name} decide who gets how much": None}
                    self.flows[hop.to].unknown |= why
                    if self.services[hop.to].role == "app":
                        nothing = _Stream(np.zeros(len(self.services[hop.to].replicas)))
                        self.streams.setdefault((hop.to, hop.endpoint), nothing).unknown |= why

    def entry(self, stream: Stream, hop: Hop) -> None:
        """Send the requests of a stream on their way."""
        kind = stream.arrivals.kind
        coming = _Stream(np.array([0.0]))
        if kind not in STATIONARY or kind == "closed":
            why = "depends on the answers" if kind == "closed" else "changes with time"
            coming.unknown[f"the rate of {stream.name} ({kind}) {why}"] = None
        else:
            coming.visits[0] = stream_rate_per_s(stream, 1.0) * self.plane.load
        if kind != "poisson" or stream.sessions is not None:
            what = kind if stream.sessions is None else "sessions"
            coming.origin[f"arrivals of {stream.name} are no Poisson process ({what})"] = None
        self.send(CLIENT, hop, coming, stream.request_bytes, stream.response_bytes)

    def send(self, sender: str, first: Hop, coming: _Stream, request: Distribution, response: Distribution) -> None:
        """Carry messages from the replicas of `sender` through all proxies to the application that they are for."""
        at, chosen, picks, versions = coming.visits, coming.visits, coming.picks, dict[str, None]()
        chooser, choice, beside = sender, first, sender
        unknown, linked = dict(coming.unknown), dict[str, None]()
        for hop in chain_of(self.plane, first):
            here = picks  # of an instance that stands with the caller
            if sender != CLIENT and self.services[sender].bandwidth_bytes_per_s is not None:
                linked[f"{sender} sends one message after the other over its link"] = None
            if hop.pick in ("balance", "connection"):
                assert hop.among is not None
                among = self.services[hop.among]
                chosen = at.sum() * shares(among, hop.enforce_split)
                chooser, choice = sender, hop
                picks = dict.fromkeys(_uneven(among, hop))
                several = bool(picks) and len(among.versions) > 1
                told = f"how many requests each version of {among.name} gets depends on the run"
                versions = {told: None} if several else {}
            if hop.via.startswith("dest"):
                here = picks
            at = self.arrived(sender, hop, at, chosen)
            flow, service = self.flows[hop.to], self.services[hop.to]
            flow.visits = flow.visits + at
            beside = place_of(hop, beside)
            chose = hop.via.startswith("dest")
            by, how = (chooser, choice) if chose else (None, None)
            flow.sent.append(Sent(sender, hop, float(at.sum()), by, how, beside))
            flow.senders.add(sender)
            flow.unlike_poisson |= coming.origin | linked | here | dict.fromkeys(_pinned_threads(service, hop))
            flow.unknown |= unknown
            if service.role != "app":
                steps = service.endpoints[hop.endpoint][0]
                flow.pauses = True
                flow.demands.extend(_proxy_demands(steps, hop, at, request, response))
                if any(isinstance(step, ProxyWork) and step.falls for step in steps):
                    flow.work_unknown[f"{service.name} needs less CPU for a request the busier it is"] = None
                for cached in (step for step in steps if isinstance(step, PlaneCached)):
                    hit = self.hits.get((service.name, cached.name))
                    unknown |= _behind(service, cached) if hit is None else {}
                    flow.work_unknown |= _filling(service, cached)
                    at, chosen = at * (1.0 - (hit or 0.0)), chosen * (1.0 - (hit or 0.0))
            sender = hop.to
        found = self.streams.setdefault((hop.to, hop.endpoint), _Stream(np.zeros_like(at)))
        found.visits = found.visits + at
        found.origin |= coming.origin | linked
        found.picks |= picks
        found.unknown |= unknown
        found.versions |= versions

    def arrived(self, sender: str, hop: Hop, at: Floats, chosen: Floats) -> Floats:
        """Messages by replica of `hop.to`, from those by replica of the sender and of the one that was chosen."""
        if hop.via == "caller_peer":
            return at
        if hop.via in ("caller_node", "dest_node"):
            service = sender if hop.via == "caller_node" else hop.among
            assert service is not None
            instance = {replica.node: i for i, replica in enumerate(self.services[hop.to].replicas)}
            found = np.zeros(len(instance))
            rates = at if hop.via == "caller_node" else chosen
            for replica, rate in zip(self.services[service].replicas, rates, strict=True):
                found[instance[replica.node]] += rate
            return found
        return chosen

    def visited(self, service: PlaneService, endpoint: str, coming: _Stream) -> None:
        """Count what an endpoint does for its visits, and send the calls that it makes."""
        flow = self.flows[service.name]
        versions = np.array([replica.version for replica in service.replicas])
        codes = service.endpoints[endpoint]
        differ = coming.versions if any(steps != codes[0] for steps in codes) else {}
        flow.work_unknown |= differ
        for number, steps in enumerate(codes):
            visits = np.where(versions == number, coming.visits, 0.0)
            visit = _Visit(service, self.hits)
            visit.walk(steps, 1.0, "")
            flow.pauses |= visit.pauses
            flow.branches |= visit.branches
            flow.work_unknown |= visit.work_unknown
            for p, work, after in visit.works:
                moments = (work.mean(), second_moment(work), third_moment(work))
                flow.demands.append(Demand(visits * p, *moments, work.kind == "exp", after))
            for expected, call, behind in visit.calls:
                onward = _Stream(visits * expected, coming.origin, coming.picks, coming.unknown | differ | behind)
                sizes = (call.call.request_bytes or _KIB, call.call.response_bytes or _KIB)
                self.send(service.name, call.hop, onward, *sizes)


@dataclass(slots=True)
class _Visit:
    """What one visit does: CPU demands with their probability and what was before, and expected calls.

    What caches decide is done as often as if none of them hit, unless it is known how often they do; calls say why that
    is not so, and so does the work.
    """

    service: PlaneService
    hits: Mapping[tuple[str, str], float]
    works: list[tuple[float, Distribution, str]] = field(default_factory=list)
    calls: list[tuple[float, PlaneCall, dict[str, None]]] = field(default_factory=list)
    pauses: bool = False
    branches: bool = False
    work_unknown: dict[str, None] = field(default_factory=dict)
    behind: dict[str, None] = field(default_factory=dict)

    def walk(self, steps: Sequence[PlaneStep], p: float, after: str) -> str:
        """Follow the steps, taken with probability `p`; returns what is before the next one."""
        for step in steps:
            if isinstance(step, Work):
                self.works.append((p, step.work, after))
                self.work_unknown |= self.behind
                after = "call" if after == "call" else "work"
            elif isinstance(step, Wait):
                after = "call" if after == "call" else "wait"
                self.pauses = True
            elif isinstance(step, Fail) and step.p > 0.0:
                p, after = p * (1.0 - step.p), "call"  # whoever failed before has left
            elif isinstance(step, PlaneCall):
                times = 1.0 if step.call.times is None else step.call.times.mean()
                self.calls.append((p * step.call.p * times, step, dict(self.behind)))
                after, self.pauses = "call", True
            elif isinstance(step, PlaneCached):
                self.work_unknown |= _filling(self.service, step)
                hit = self.hits.get((self.service.name, step.name))
                outside = self.behind
                self.behind = self.behind | (_behind(self.service, step) if hit is None else {})
                self.walk(step.miss, p * (1.0 - (hit or 0.0)), after)
                after, self.pauses, self.behind = "call", True, outside
            elif isinstance(step, PlaneChoose):
                ends = [self.walk(option.do, p * option.p, after) for option in step.options]
                after = max([after, *ends], key=_ORDER.index)
            elif isinstance(step, PlaneParallel):
                works = len(self.works)
                for branch in step.branches:
                    self.walk(branch, p, after)
                self.branches |= len(self.works) > works
                after, self.pauses = "call", True
        return after


def _behind(service: PlaneService, step: PlaneCached) -> dict[str, None]:
    """Why nobody knows what is done where this step misses."""
    return {f"cache {step.name} of {service.name} decides how often it is asked": None}


def _filling(service: PlaneService, step: PlaneCached) -> dict[str, None]:
    """Why the work of filling is not known, where there is any."""
    (cache,) = (one for one in service.caches if one.name == step.name)
    return {} if cache.fill is None else {f"how often cache {step.name} of {service.name} is filled": None}


_ORDER: Final = ("", "work", "wait", "call")  # what is before a step, the more of it the later


def shares(among: PlaneService, split: bool) -> Floats:
    """Share of each replica where chance decides (rules B1 to B6); `split`: the version is drawn first."""
    if not split or among.split is None:
        return np.full(len(among.replicas), 1.0 / len(among.replicas))
    alike = [sum(other.version == replica.version for other in among.replicas) for replica in among.replicas]
    return np.array(
        [among.split[replica.version] / n for replica, n in zip(among.replicas, alike, strict=True)], dtype=np.float64
    )


def _uneven(among: PlaneService, hop: Hop) -> list[str]:
    """Why the replicas that a hop chooses do not each get a random part of its messages."""
    versions = [replica.version for replica in among.replicas]
    split = hop.enforce_split and among.split is not None
    most = max(versions.count(version) for version in versions) if split else len(versions)
    if most < 2:
        return []
    if hop.pick == "connection":
        return [f"connections are pinned to replicas of {among.name}"] if hop.connections.pool else []
    if hop.cluster.zone_aware:
        return [f"zones decide among {most} replicas of {among.name}"]
    rule = hop.cluster.balancer.replace("_", " ")
    return [] if hop.cluster.balancer == "random" else [f"{rule} among {most} replicas of {among.name}"]


def _pinned_threads(service: PlaneService, hop: Hop) -> list[str]:
    if hop.connections.pool and (service.threads or 1) > 1:
        return [f"connections are pinned to threads of {service.name}"]
    return []


def _proxy_demands(
    steps: Sequence[PlaneStep], hop: Hop, rates: Floats, request: Distribution, response: Distribution
) -> Iterator[Demand]:
    """CPU of a proxy for a message and its answer (rule P1)."""
    after = ""
    for step in steps:
        if isinstance(step, ProxyWork):
            size = request if step.direction == "request" else response
            fresh = hop.connections.fresh if hop.tls else 0.0
            parts = [
                (step.base.mean(), second_moment(step.base), third_moment(step.base)),
                _times(step.per_kib_s / 1024.0, size),
                (fresh * step.handshake_s, fresh * step.handshake_s**2, fresh * step.handshake_s**3),
            ]
            yield Demand(rates, *_sum_of(parts), False, after)
        elif isinstance(step, Forward | PlaneCached):
            after = "call"


def _times(factor: float, of: Distribution) -> tuple[float, float, float]:
    """First three moments of `factor` times a value; 0 even of values that have none."""
    if not factor:
        return (0.0, 0.0, 0.0)
    return (factor * of.mean(), factor * factor * second_moment(of), factor**3 * third_moment(of))


def _sum_of(parts: Sequence[tuple[float, float, float]]) -> tuple[float, float, float]:
    """First three moments of a sum of independent values: means, variances and third central moments add up."""
    mean = sum(first for first, _, _ in parts)
    variance = sum(second - first * first for first, second, _ in parts)
    skewed = sum(third - 3.0 * first * second + 2.0 * first**3 for first, second, third in parts)
    return mean, variance + mean * mean, skewed + 3.0 * mean * variance + mean**3
