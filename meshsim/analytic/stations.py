"""Stations: what comes to each queue of a service or proxy, at any numbers of replicas."""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from functools import cached_property, lru_cache
from typing import Final

import numpy as np

from meshsim.analytic.program import speed_of
from meshsim.analytic.queues import InLine, Job, Offered, Queue, Shared
from meshsim.architectures.plane import Hop, Plane, PlaneService
from meshsim.architectures.walk import chain_of
from meshsim.model.distributions import Distribution
from meshsim.model.graph import stream_rate_per_s
from meshsim.model.traffic import Stream
from meshsim.results.flows import CLIENT, Flow
from meshsim.results.intervals import Floats
from meshsim.results.theory import second_moment

OVER_S: Final = 60.0  # rates that change with time are taken at their mean over so long from the beginning (assumed)
_GROUPS: Final = 8  # kinds of replicas that are told apart by how much they get
_POINTS: Final = 7  # by which the luck of pinned connections is told
_EVEN: Final = 1e-4  # squared coefficient of variation of loads that makes no difference

Counts = Mapping[str, int]


@dataclass(frozen=True, slots=True)
class Group:
    """Replicas that get alike: per second, of all of them together.

    Attributes
    ----------
    version
        That they run.
    share
        Of the visits to the station.
    replicas
        How many they are, as the plane has them.
    jobs, load, squares, cubes
        Pieces of work, and sums of their first three moments.
    """

    version: int
    share: float
    replicas: float
    jobs: float
    load: float
    squares: float
    cubes: float

    def scaled(self, share: float, replicas: float) -> Group:
        """The same work, another share of it."""
        by = share / self.share if self.share > 0.0 else 0.0
        sums = (self.jobs * by, self.load * by, self.squares * by, self.cubes * by)
        return Group(self.version, share, replicas, *sums)


@dataclass(frozen=True)
class Station:
    """A service or proxy with what comes to it."""

    plane: Plane
    service: PlaneService
    flow: Flow

    @property
    def name(self) -> str:
        """Of the service."""
        return self.service.name

    @property
    def visits_per_s(self) -> float:
        """Messages to all replicas."""
        return float(self.flow.visits.sum())

    @cached_property
    def by_node(self) -> bool:
        """Its instances stand on nodes, and get what the replicas there send and are sent."""
        return any(sent.hop.via in ("caller_node", "dest_node") for sent in self.flow.sent)

    @cached_property
    def groups(self) -> tuple[Group, ...]:
        """Kinds of its replicas."""
        visits = self.flow.visits
        most = float(visits.max(initial=0.0)) or 1.0
        kinds = [
            (r.version, r.cores, round(float(v) / most, 6)) for r, v in zip(self.service.replicas, visits, strict=True)
        ]
        if len(set(kinds)) > _GROUPS:
            kinds = [(version, cores, math.ceil(share * _GROUPS)) for version, cores, share in kinds]
        return tuple(self._group(np.array([kind == one for one in kinds]), kind[0]) for kind in dict.fromkeys(kinds))

    def _group(self, mine: np.typing.NDArray[np.bool_], version: int) -> Group:
        total = self.visits_per_s
        sums = np.zeros(4)
        for demand in self.flow.demands:
            rate = float(demand.rates[mine].sum())
            sums += rate * np.array([1.0, demand.mean_s, demand.second_s2, demand.third_s3])
        share = float(self.flow.visits[mine].sum()) / total if total > 0.0 else 0.0
        return Group(version, share, float(mine.sum()), *(float(value) for value in sums))

    @cached_property
    def jobs(self) -> list[tuple[float, int, Job]]:
        """Pieces of work per visit, the version that does them, and what they take alone."""
        total = self.visits_per_s
        found = []
        versions = np.array([replica.version for replica in self.service.replicas])
        for demand in self.flow.demands if total > 0.0 else ():
            for version in dict.fromkeys(versions.tolist()):
                rate = float(demand.rates[versions == version].sum())
                speed, _ = speed_of(self.service, version)
                if rate > 0.0:
                    mean = demand.mean_s / speed
                    job = Job(mean, max(0.0, demand.second_s2 / speed**2 - mean * mean))
                    found.append((rate / total, version, job))
        return found

    def at(self, counts: Counts, spread: Callable[[str], Floats]) -> At:
        """The station where services and proxies have so many replicas; `spread`: shares of a service's by node."""
        groups = self.groups
        if self.name in counts and len(groups) == 1:
            groups = (groups[0].scaled(1.0, float(counts[self.name])),)
        elif self.by_node and counts and self.visits_per_s > 0.0:
            groups = self._by_node(spread)
        replicas = float(counts.get(self.name, len(self.service.replicas)))
        if self.by_node and counts:
            replicas = float(len(spread(self.name)))
        return At(self, groups, replicas, self._balance(counts, replicas))

    def _by_node(self, spread: Callable[[str], Floats]) -> tuple[Group, ...]:
        """Split what all instances get together by where those stand that send it or that it is for."""
        first = self.groups[0]
        whole = Group(first.version, 1.0, 1.0, *(math.fsum(getattr(g, what) for g in self.groups) for what in _SUMS))
        parts = sum(sent.per_s / self.visits_per_s * spread(sent.beside) for sent in self.flow.sent)
        kinds: dict[int, list[float]] = {}
        most = float(np.max(parts))
        for part in np.asarray(parts):
            kinds.setdefault(math.ceil(float(part) / most * _GROUPS - 1e-9), []).append(float(part))
        return tuple(whole.scaled(math.fsum(parts), float(len(parts))) for parts in kinds.values())

    # -- how even it is --------------------------------------------------------------------------------------------

    def _balance(self, counts: Counts, replicas: float) -> Balance:
        """How those who choose spread what comes."""
        total = self.visits_per_s
        if total <= 0.0:
            return Balance()
        balance = Balance(burstiness=self._burstiness(replicas), ahead=self._ahead(replicas))
        threads = self.service.threads or 1
        turns = looks = callers = 0.0
        pins: dict[str, tuple[float, float]] = {}
        for sent in self.flow.sent:
            share = sent.per_s / total
            how, hop = sent.choice, sent.hop
            if how is not None and sent.chooser is not None and how.pick == "balance" and replicas > 1:
                by = self._instances(sent.chooser, counts)
                turns += share * (how.cluster.balancer == "round_robin")
                looks += share * (how.cluster.balancer == "least_request")
                if how.cluster.balancer in ("round_robin", "least_request"):
                    callers += share * share / by
            pinned = self._pinned(sent.chooser or sent.sender, how, hop, counts, replicas, threads)
            if pinned > 0.0:
                name = sent.chooser or sent.sender
                known = pins.get(name, (0.0, pinned))
                pins[name] = (known[0] + share, max(pinned, known[1]))
        balance.turns, balance.looks = turns, looks
        balance.callers = max(1.0, (turns + looks) ** 2 / callers) if callers > 0.0 else 1.0
        balance.uneven = math.fsum(share * share * one for share, one in pins.values())
        return balance

    def _pinned(self, chooser: str, how: Hop | None, hop: Hop, counts: Counts, replicas: float, threads: int) -> float:
        """Squared coefficient of variation of what queues get of calls over pinned connections."""
        pool = hop.connections.pool
        if how is not None and how.pick == "connection" and how.connections.pool:
            queues = replicas * threads if pool else replicas  # what carried the choice on has threads for all
            return (queues - 1.0) / (how.connections.pool * self._instances(chooser, counts))
        if pool and threads > 1:
            instances = 1.0 if how is None else self._instances(chooser, counts)
            return (threads - 1.0) / (pool * instances)
        return 0.0

    def _instances(self, name: str, counts: Counts) -> float:
        if name == CLIENT:
            return 1.0
        return float(counts.get(name, len(self.plane.service(name).replicas)))

    def _burstiness(self, replicas: float) -> float:
        """Squared coefficient of variation of the gaps between what one replica gets, if it gets a random part."""
        found = 1.0
        for stream, hop in self.plane.entries:
            if any(one.to == self.name for one in chain_of(self.plane, hop)):
                share = rate_per_s(stream, self.plane) / self.visits_per_s
                found += share * (burstiness_of(stream) - 1.0) / replicas
        return max(0.0, found)

    def _ahead(self, replicas: float) -> float:
        """How many of its own batch a request finds before it at its replica, on average over all requests."""
        found = 0.0
        for stream, hop in self.plane.entries:
            size = stream.arrivals.size
            if size is not None and any(one.to == self.name for one in chain_of(self.plane, hop)):
                share = rate_per_s(stream, self.plane) / self.visits_per_s
                found += share * (second_moment(size) / size.mean() - 1.0) / 2.0 / replicas
        return found


_SUMS: Final = ("jobs", "load", "squares", "cubes")


@dataclass(slots=True)
class Balance:
    """How evenly a station's queues are used.

    Attributes
    ----------
    turns, looks
        Shares of the visits whose replica was chosen by turns, or by who is less busy.
    callers
        How many choose so, each knowing only of what it sends itself.
    uneven
        Squared coefficient of variation of what queues get, by the luck of pinned connections.
    burstiness
        Squared coefficient of variation of gaps, before anybody chooses.
    ahead
        How many of the same batch are before a job at its replica.
    """

    turns: float = 0.0
    looks: float = 0.0
    callers: float = 1.0
    uneven: float = 0.0
    burstiness: float = 1.0
    ahead: float = 0.0


@dataclass
class At:
    """A station at numbers of replicas: its queues."""

    station: Station
    groups: tuple[Group, ...]
    replicas: float
    balance: Balance
    unlucky: float = 0.0  # share of the visits that meet a queue that the luck of connections overloads
    _queues: dict[int, list[tuple[float, Queue]]] = field(default_factory=dict)

    @property
    def unlimited(self) -> bool:
        """No work waits."""
        return all(speed_of(self.station.service, group.version)[1] == 0 for group in self.groups)

    @property
    def load(self) -> float:
        """Cores that would just suffice."""
        return math.fsum(group.load for group in self.groups)

    @property
    def cores(self) -> float:
        """That it has."""
        each = {replica.version: replica.cores for replica in self.station.service.replicas}
        return math.fsum(each[group.version] * group.replicas for group in self.groups)

    @property
    def busiest(self) -> float:
        """Utilisation of its busiest replicas, without the luck of pinned connections."""
        if self.unlimited:
            return 0.0
        each = {replica.version: replica.cores for replica in self.station.service.replicas}
        return max(g.load / (each[g.version] * g.replicas) for g in self.groups)

    def queues(self, version: int) -> Sequence[tuple[float, Queue]]:
        """Queues that a visit to a version may meet, with their chances."""
        if version not in self._queues:
            mine = [g for g in self.groups if g.version == version]
            total = math.fsum(g.share for g in mine)
            self._queues[version] = [
                (g.share / total * chance if total > 0.0 else 1.0 / len(mine), queue)
                for g in mine
                for chance, queue in self._of(g)
            ]
        return self._queues[version]

    def _of(self, group: Group) -> list[tuple[float, Queue]]:
        service = self.station.service
        cores = next(replica.cores for replica in service.replicas if replica.version == group.version)
        threads = service.threads or 1
        number = group.replicas * threads
        found = []
        for chance, factor in _luck(self.balance.uneven, number):
            rate = group.jobs / number * factor
            if rate <= 0.0:
                continue
            mean, second, third = (value / group.jobs for value in (group.load, group.squares, group.cubes))
            rho = rate * mean / (cores / threads)
            smooth, looked = self._burstiness(group, rho), self._looked(group, rho, threads)
            offered = Offered(rate, mean, second, third, smooth, looked, self.balance.ahead / threads)
            found.append((chance, self._queue(service, cores / threads, group.version, offered)))
        kept = [(chance, queue) for chance, queue in found if not queue.unstable]
        if kept and len(kept) < len(found) and group.load < cores * group.replicas:
            self.unlucky += group.share * math.fsum(chance for chance, queue in found if queue.unstable)
            found = [(chance / math.fsum(c for c, _ in kept), queue) for chance, queue in kept]
        return found or [(1.0, Shared(Offered(0.0, 1.0, 2.0, 6.0), cores / threads))]

    @staticmethod
    def _queue(service: PlaneService, cores: float, version: int, offered: Offered) -> Queue:
        if service.discipline == "ps":
            return Shared(offered, cores)
        speed, servers = speed_of(service, version)
        return InLine(offered, servers, speed)

    def _burstiness(self, group: Group, rho: float) -> float:
        """Turns among n make the gaps of one caller Erlang's; several together are nearer to Poisson.

        The form is that of W. Whitt, "The queueing network analyzer", Bell System Technical Journal 62 (1983),
        equations 29 to 33. Its factor 4 is for renewal processes in general; 0.4 was measured here (docs/analytic.md).
        """
        own, turns, n = self.balance.burstiness, self.balance.turns, self._among(group)
        if turns <= 0.0 or n <= 1.0:
            return own
        alone = 1.0 / (1.0 + 0.4 * (1.0 - min(rho, 1.0)) ** 2 * (self.balance.callers - 1.0))
        return max(0.0, own - turns * alone * (1.0 - 1.0 / n))

    def _among(self, group: Group) -> float:
        """How many replicas there are to choose from."""
        return group.replicas if self.station.service.split is not None else self.replicas

    def _looked(self, group: Group, rho: float, threads: int) -> float:
        """How much of what looking could gain it gains here.

        Nothing where there is one queue, and all where there are very many: 1 - n ** -1.25. A caller knows of its own
        requests alone: with several of them, what it sees of a queue tells the less of it the less busy it is. Both
        forms and their factors were measured (docs/analytic.md).
        """
        n, m = self._among(group), self.balance.callers
        if self.balance.looks <= 0.0 or n <= 1.0:
            return 0.0
        knows = 1.0 / (1.0 + 0.55 * max(0.0, 1.0 - rho) ** 1.4 * (m - 1.0))
        return float(min(1.0, self.balance.looks) * (1.0 - n**-1.25) * knows / threads)


@lru_cache(maxsize=1024)
def _luck(uneven: float, queues: float) -> tuple[tuple[float, float], ...]:
    """What one of the queues gets, as a factor, and the chance that a visit meets one that does.

    As if each of some connections led to a queue at random, as many as give this squared coefficient of variation.
    """
    if uneven < _EVEN or queues <= 1.0:
        return ((1.0, 1.0),)
    connections = max(1, round((queues - 1.0) / uneven))
    p = 1.0 / queues
    points = []
    for k in range(1, connections + 1):
        log_chance = (
            math.lgamma(connections + 1)
            - math.lgamma(k + 1)
            - math.lgamma(connections - k + 1)
            + k * math.log(p)
            + (connections - k) * math.log1p(-p)
        )
        met = math.exp(log_chance) * k * queues / connections  # a visit is where the connections are
        if met > 1e-6:
            points.append((met, k * queues / connections))
    return _fewer(points)


def _fewer(points: list[tuple[float, float]]) -> tuple[tuple[float, float], ...]:
    """The same mean by fewer points, neighbours put together."""
    total = math.fsum(chance for chance, _ in points)
    bins: dict[int, list[tuple[float, float]]] = {}
    passed = 0.0
    for chance, factor in points:
        middle = (passed + chance / 2.0) / total
        bins.setdefault(min(_POINTS - 1, int(middle * _POINTS)), []).append((chance, factor))
        passed += chance
    return tuple(
        (math.fsum(c for c, _ in one) / total, math.fsum(c * f for c, f in one) / math.fsum(c for c, _ in one))
        for one in bins.values()
    )


def rate_per_s(stream: Stream, plane: Plane, over_s: float = OVER_S) -> float:
    """Requests per second, on average; 0 of closed loops."""
    return stream_rate_per_s(stream, over_s) * plane.load if stream.arrivals.kind != "closed" else 0.0


def burstiness_of(stream: Stream) -> float:
    """Squared coefficient of variation of the gaps between requests, or batches of them."""
    arrivals = stream.arrivals
    if stream.sessions is not None:
        return 1.0
    if arrivals.kind == "constant":
        return 0.0
    if arrivals.kind == "renewal" and arrivals.gap is not None:
        return _scatter(arrivals.gap)
    return 1.0


def _scatter(of: Distribution) -> float:
    mean = of.mean()
    return max(0.0, second_moment(of) / mean**2 - 1.0) if mean > 0.0 else 1.0
