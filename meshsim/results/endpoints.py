"""What a plane says about the endpoints whose frames spans tell of: who runs them, how long their callers wait.

Engines number endpoints service by service, replicas likewise.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, field
from typing import Final

import numpy as np

from meshsim.architectures.enforced import Trying
from meshsim.architectures.plane import (
    Hop,
    Plane,
    PlaneCached,
    PlaneCall,
    PlaneChoose,
    PlaneParallel,
    PlaneService,
    PlaneStep,
)
from meshsim.architectures.walk import calls_in, forwards_in
from meshsim.model.distributions import Distribution
from meshsim.results.quantiles import Ints

UNKNOWN: Final = -1  # of a delay: it is another one for each message
_NOWHERE: Final[Ints] = np.zeros(0, np.int64)
Pair = tuple[int, int]  # numbers of the calling and the called endpoint


@dataclass(frozen=True, slots=True, eq=False)
class Links:
    """Where replicas stand and how long messages between them take, in nanoseconds (`UNKNOWN` where that varies)."""

    node: Ints = field(default_factory=lambda: _NOWHERE)
    zone: Ints = field(default_factory=lambda: _NOWHERE)
    client: int = UNKNOWN
    loopback: int = UNKNOWN
    same_node: int = UNKNOWN
    same_zone: int = UNKNOWN
    cross_zone: int = UNKNOWN

    def delay_ns(self, caller: Ints, callee: Ints) -> Ints:
        """One way between pods, by numbers of replicas (rule N1; a library of the clients stands on no node)."""
        here, there = self.node[caller], self.node[callee]
        near = np.where(self.zone[caller] == self.zone[callee], self.same_zone, self.cross_zone)
        found: Ints = np.where(here < 0, self.client, np.where(here == there, self.same_node, near))
        return found


@dataclass(frozen=True, slots=True, eq=False)
class Endpoints:
    """By number of the endpoint.

    Attributes
    ----------
    service
        Number of the service.
    proxy
        It passes requests on: a proxy, or a caller's library.
    timeouts
        Nanoseconds that an application waits for a try of a call.
    tries
        How long an enforcer waits for all its tries, and for each one, in nanoseconds; None: for ever. Absent of who
        enforces nothing.
    needs
        By endpoint and number of branches: how many of a fork's have to succeed. There are several where forks of one
        endpoint differ.
    pooled
        Tries that may have to wait for a connection: whether their messages stay within a pod, and how many times
        their delay those take that open a connection (rule N3).
    links
        How long messages take.
    answers
        Of entries whose clients may give up: how long an answer takes to them, in nanoseconds; absent where that
        varies.
    """

    service: tuple[int, ...]
    proxy: tuple[bool, ...]
    timeouts: Mapping[Pair, tuple[int, ...]] = field(default_factory=dict)
    tries: Mapping[int, tuple[int | None, int | None]] = field(default_factory=dict)
    needs: Mapping[Pair, tuple[int, ...]] = field(default_factory=dict)
    pooled: Mapping[Pair, tuple[bool, int]] = field(default_factory=dict)
    links: Links = field(default_factory=Links)
    answers: Mapping[int, int] = field(default_factory=dict)


def endpoints_of(plane: Plane) -> Endpoints:
    """Look up everything in a plane: its own numbers, whatever control processes changed on the way."""
    names = [(service.name, endpoint) for service in plane.services for endpoint in service.endpoints]
    number = {name: i for i, name in enumerate(names)}
    timeouts: dict[Pair, set[int]] = {}
    needs: dict[Pair, set[int]] = {}
    tries: dict[int, tuple[int | None, int | None]] = {}
    pooled: dict[Pair, tuple[bool, int]] = {}
    for service, endpoint, steps in _codes(plane):
        at = number[service.name, endpoint]
        for call in calls_in(steps):
            if call.call.timeout_s is not None:
                pair = at, number[call.hop.to, call.hop.endpoint]
                timeouts.setdefault(pair, set()).add(_ns(call.call.timeout_s))
        for fork in _forks_in(steps):
            several = len(fork.branches)
            needs.setdefault((at, several), set()).add(several if fork.quorum is None else fork.quorum)
        for hop in forwards_in(steps):
            if hop.trying is not None or hop.cluster.is_tracked:
                tries[at] = _limits(hop.trying or Trying())
            if hop.pick == "balance" and hop.cluster.max_connections is not None:
                pooled[at, number[hop.to, hop.endpoint]] = hop.loopback, _times(hop)
    return Endpoints(
        service=tuple(i for i, service in enumerate(plane.services) for _ in service.endpoints),
        proxy=tuple(service.role != "app" for service in plane.services for _ in service.endpoints),
        timeouts={pair: tuple(sorted(found)) for pair, found in timeouts.items()},
        tries=tries,
        needs={pair: tuple(sorted(found)) for pair, found in needs.items()},
        pooled=pooled,
        links=_links(plane),
        answers=_answers(plane, number),
    )


def _codes(plane: Plane) -> Iterator[tuple[PlaneService, str, tuple[PlaneStep, ...]]]:
    """Every endpoint with its steps, version by version."""
    for service in plane.services:
        for endpoint, versions in service.endpoints.items():
            for steps in versions:
                yield service, endpoint, steps


def _forks_in(steps: Iterable[PlaneStep]) -> Iterator[PlaneParallel]:
    for step in steps:
        if isinstance(step, PlaneParallel):
            yield step
            for branch in step.branches:
                yield from _forks_in(branch)
        elif isinstance(step, PlaneChoose):
            for option in step.options:
                yield from _forks_in(option.do)
        elif isinstance(step, PlaneCached):
            yield from _forks_in(step.miss)
        elif isinstance(step, PlaneCall):
            yield from _forks_in(step.fallback or ())


def _limits(trying: Trying) -> tuple[int | None, int | None]:
    """Of all tries and of each one; a hedge gives up none for being slow (rule Y9)."""
    per_try_s = None if trying.hedge else trying.per_try_s
    return (
        None if trying.timeout_s is None else _ns(trying.timeout_s),
        None if per_try_s is None else _ns(per_try_s),
    )


def _times(hop: Hop) -> int:
    if not hop.connections.fresh:
        return 1
    return 5 if hop.tls else 3


def _links(plane: Plane) -> Links:
    replicas = [replica for service in plane.services for replica in service.replicas]
    network = plane.network
    return Links(
        node=np.array([replica.node for replica in replicas], np.int64),
        zone=np.array([replica.zone for replica in replicas], np.int64),
        client=_fixed(network.client),
        loopback=_fixed(network.loopback),
        same_node=_fixed(network.same_node),
        same_zone=_fixed(network.same_zone),
        cross_zone=_fixed(network.cross_zone),
    )


def _answers(plane: Plane, number: Mapping[tuple[str, str], int]) -> dict[int, int]:
    client = _fixed(plane.network.client)
    impatient = [hop for stream, hop in plane.entries if stream.patience is not None]
    found = {number[hop.to, hop.endpoint]: 0 if hop.inside else client for hop in impatient}
    return {endpoint: delay for endpoint, delay in found.items() if delay != UNKNOWN}


def _fixed(delay: Distribution) -> int:
    return _ns(delay.params[0]) if delay.kind == "constant" else UNKNOWN


def _ns(seconds: float) -> int:
    return round(seconds * 1e9)
