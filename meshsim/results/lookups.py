"""Who asks the caches of a Plane, and with which keys: by what chance a request looks, and who stood in its way."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import NamedTuple

from meshsim.architectures.plane import (
    Forward,
    Hop,
    Mirrored,
    Plane,
    PlaneCached,
    PlaneCall,
    PlaneChoose,
    PlaneParallel,
    PlaneService,
    PlaneStep,
    Routed,
)
from meshsim.architectures.walk import calls_in, forwards_in
from meshsim.model.graph import any_cycle, callees_first
from meshsim.model.steps import Call, Fail
from meshsim.model.traffic import Stream


class Before(NamedTuple):
    """A cache that has to miss first, and the dimensions of its keys."""

    name: str
    key: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class Look:
    """Looks of one stream's requests into one cache with one kind of key.

    Attributes
    ----------
    stream
        Whose requests.
    key, of
        As of `PlaneCached`.
    expected
        Looks per request, if no cache before it hit.
    hashed
        The dimension whose hash chose the replica that looks; None: something else did.
    behind
        Caches that have to miss before.
    """

    stream: Stream
    key: tuple[str, ...]
    of: str
    expected: float
    hashed: str | None
    behind: frozenset[Before]


@dataclass(frozen=True, slots=True)
class Lookups:
    """All looks of a Plane.

    Attributes
    ----------
    looks
        By service and name of the cache.
    repeated
        Caches that one request may ask for the same more than once.
    circle
        Endpoints that call each other in a circle: then nothing is known.
    """

    looks: dict[tuple[str, str], list[Look]]
    repeated: frozenset[tuple[str, str]]
    circle: tuple[str, ...] = ()


class _Place(NamedTuple):
    """How a request came to a replica: what chose it, what chose the one that the request carries, and past whom."""

    own: str | None
    carried: str | None
    behind: frozenset[Before]


class _Onward(NamedTuple):
    """A message that a visit sends, and how many of it."""

    hop: Hop
    expected: float
    most: int
    behind: frozenset[Before]


class _Looked(NamedTuple):
    """A look within a visit."""

    step: PlaneCached
    expected: float
    behind: frozenset[Before]


def lookups(plane: Plane) -> Lookups:
    """Follow the requests of all streams, as if no call failed."""
    graph = {
        f"{service.name}/{name}": [f"{hop.to}/{hop.endpoint}" for steps in versions for hop in _hops(steps)]
        for service in plane.services
        for name, versions in service.endpoints.items()
    }
    circle = any_cycle(graph)
    if circle:
        return Lookups({}, frozenset(), tuple(circle))
    order = [tuple(node.split("/", 1)) for node in reversed(callees_first(graph))]
    found: dict[tuple[str, str], list[Look]] = defaultdict(list)
    repeated: set[tuple[str, str]] = set()
    for stream, hop in plane.entries:
        _follow(plane, stream, hop, order, found, repeated)
    return Lookups(dict(found), frozenset(repeated))


def _follow(
    plane: Plane,
    stream: Stream,
    entry: Hop,
    order: Sequence[tuple[str, ...]],
    found: dict[tuple[str, str], list[Look]],
    repeated: set[tuple[str, str]],
) -> None:
    """Follow the requests of one stream, callers first."""
    visits: dict[tuple[str, ...], dict[_Place, float]] = defaultdict(lambda: defaultdict(float))
    most: dict[tuple[str, ...], int] = defaultdict(int)
    outside = _Place(None, None, frozenset())
    visits[entry.to, entry.endpoint][_arrived(outside, entry, stream)] = 1.0
    most[entry.to, entry.endpoint] = 1
    asked: dict[tuple[str, str, tuple[str, ...], str], int] = defaultdict(int)
    for node in order:
        if node not in visits:
            continue
        service = plane.service(node[0])
        looks, sent, times = _visit(service, node[1], stream)
        for one in looks:
            for place, expected in visits[node].items():
                found[service.name, one.step.name].append(
                    Look(
                        stream,
                        one.step.key,
                        one.step.of,
                        expected * one.expected,
                        place.own,
                        place.behind | one.behind,
                    )
                )
        for (name, key, of), count in times.items():
            asked[service.name, name, key, of] += most[node] * count
        for message in sent:
            target = (message.hop.to, message.hop.endpoint)
            most[target] += most[node] * message.most
            for place, expected in visits[node].items():
                there = place._replace(behind=place.behind | message.behind)
                visits[target][_arrived(there, message.hop, stream)] += expected * message.expected
    repeated |= {(service, cache) for (service, cache, _, _), count in asked.items() if count > 1}


def _arrived(place: _Place, hop: Hop, stream: Stream) -> _Place:
    """Where a message goes from there."""
    chosen = place.carried
    if hop.pick in ("balance", "connection"):
        hashes = hop.pick == "balance" and hop.cluster.balancer in ("ring_hash", "maglev")
        chosen = hop.cluster.hash_on if hashes and hop.cluster.hash_on in stream.keys else None
    beside = place.own if hop.via == "caller_peer" else None
    return _Place(chosen if hop.via in ("dest", "dest_peer") else beside, chosen, place.behind)


_Times = dict[tuple[str, tuple[str, ...], str], int]


def _visit(service: PlaneService, endpoint: str, stream: Stream) -> tuple[list[_Looked], list[_Onward], _Times]:
    """Looks of one visit, messages that it sends, and how often it may ask for the same."""
    versions = service.endpoints[endpoint]
    looks: list[_Looked] = []
    sent: list[_Onward] = []
    times: _Times = {}
    for number, steps in enumerate(versions):
        share = sum(replica.version == number for replica in service.replicas) / len(service.replicas)
        walk = _Walk(stream, looks, sent)
        for key, count in walk.steps(steps, share, frozenset()).items():
            times[key] = max(times.get(key, 0), count)
    return looks, sent, times


@dataclass(frozen=True, slots=True)
class _Walk:
    """Steps of one visit by a request of one stream."""

    stream: Stream
    looks: list[_Looked]
    sent: list[_Onward]

    def steps(self, steps: Sequence[PlaneStep], p: float, behind: frozenset[Before]) -> _Times:
        """Take steps with a probability; returns how often each kind of key may be asked for here."""
        times: _Times = {}
        for step in steps:
            if isinstance(step, PlaneCall):
                expected, most = _calls(step.call)
                self.sent.append(_Onward(step.hop, p * expected, most, behind))
            elif isinstance(step, Forward | Mirrored):
                self.sent.append(_Onward(step.hop, p, 1, behind))
            elif isinstance(step, Fail):
                p *= 1.0 - step.p
            elif isinstance(step, PlaneCached):
                _add(times, self.cached(step, p, behind))
            elif isinstance(step, PlaneParallel):
                for branch in step.branches:
                    _add(times, self.steps(branch, p, behind))
            elif isinstance(step, PlaneChoose):
                options = [self.steps(option.do, p * option.p, behind) for option in step.options]
                _add(times, {key: max(one.get(key, 0) for one in options) for one in options for key in one})
            elif isinstance(step, Routed):
                case = next(c for c in step.cases if c.streams is None or self.stream.name in c.streams)
                _add(times, self.steps(case.do, p, behind))
        return times

    def cached(self, step: PlaneCached, p: float, behind: frozenset[Before]) -> _Times:
        """Look, unless the request has no such key, and then do what is done after a miss."""
        if any(dimension not in self.stream.keys for dimension in step.key):
            return self.steps(step.miss, p, behind)
        self.looks.append(_Looked(step, p, behind))
        times = self.steps(step.miss, p, behind | {Before(step.name, step.key)})
        _add(times, {(step.name, step.key, step.of): 1})
        return times


def _add(times: _Times, more: _Times) -> None:
    for key, count in more.items():
        times[key] = times.get(key, 0) + count


def _calls(call: Call) -> tuple[float, int]:
    """How many calls a step makes, on average and, as far as one differs from several, at most."""
    if call.times is None:
        return call.p, 1
    mean = call.times.mean()
    return call.p * mean, 1 if call.times.kind == "constant" and mean <= 1.0 else 2


def _hops(steps: Sequence[PlaneStep]) -> Iterator[Hop]:
    """Every message that steps may send, whatever the stream."""
    yield from (one.hop for one in calls_in(steps))
    yield from forwards_in(steps)
