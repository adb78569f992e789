"""From a Plane to the random times of its streams: every call is followed through its proxies to what it does."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Final, NamedTuple, TypeVar

from meshsim.analytic.nodes import ByChance, Cpu, Draw, InTurn, Node, SideBySide, Slot, State, Times
from meshsim.architectures.plane import (
    Forward,
    Hop,
    Limited,
    Plane,
    PlaneCached,
    PlaneCall,
    PlaneChoose,
    PlaneParallel,
    PlaneService,
    PlaneStep,
    ProxyWork,
    Routed,
)
from meshsim.architectures.walk import every_step, place_of
from meshsim.model.distributions import Distribution, constant
from meshsim.model.steps import Fail, Wait, Work
from meshsim.model.traffic import Stream
from meshsim.results.flows import CLIENT, shares

_KIB: Final = constant(1024.0)
_N = TypeVar("_N", bound=Node)


class Built(NamedTuple):
    """A time, and the chance that what takes it succeeds."""

    node: Node
    ok: float


class Sizes(NamedTuple):
    """Bytes of a message and of its answer."""

    request: Distribution
    response: Distribution


class Onward(NamedTuple):
    """What travels with a request: whose it is, its sizes, where it is, and the chances of the version it goes to."""

    stream: Stream
    sizes: Sizes
    place: str
    versions: tuple[float, ...]
    fresh: float  # chance of a handshake where it arrives


@dataclass(slots=True)
class Program:
    """Random times of all streams.

    Attributes
    ----------
    nodes
        All of them, each after what it is made of.
    entries
        What a request takes, by stream.
    bodies
        By service and endpoint, what a visit takes once it has its slot.
    """

    nodes: list[Node] = field(default_factory=list)
    entries: dict[str, Built] = field(default_factory=dict)
    bodies: dict[tuple[str, str], Node] = field(default_factory=dict)


def program(plane: Plane) -> Program:
    """Follow the requests of all streams."""
    builder = _Builder(plane)
    for stream, hop in plane.entries:
        sizes = Sizes(stream.request_bytes, stream.response_bytes)
        at = Onward(stream, sizes, CLIENT, (1.0,), 0.0)
        builder.made.entries[stream.name] = builder.message(hop, at)
    return builder.made


def speed_of(service: PlaneService, version: int) -> tuple[float, int]:
    """How fast a job alone is served, of a whole core, and by how many servers (0: as many as there are jobs)."""
    cores = next(replica.cores for replica in service.replicas if replica.version == version)
    if service.threads is None or math.isinf(cores):
        return 1.0, 0
    cores /= service.threads
    if service.discipline == "ps":
        return min(1.0, cores), 1
    servers = math.ceil(cores)
    return cores / servers, servers


class _Builder:
    """One program under way."""

    def __init__(self, plane: Plane) -> None:
        self.plane = plane
        self.made = Program()
        self.draws: dict[Distribution, Node] = {}
        self.known: dict[object, Built] = {}
        self.by_stream = any(
            isinstance(step, Routed | PlaneCached)
            for service in plane.services
            for versions in service.endpoints.values()
            for steps in versions
            for step in every_step(steps)
        )

    # -- nodes ---------------------------------------------------------------------------------------------------

    def add(self, node: _N) -> _N:
        node.number = len(self.made.nodes)
        self.made.nodes.append(node)
        return node

    def draw(self, of: Distribution) -> Node:
        if of not in self.draws:
            self.draws[of] = self.add(Draw(0, of))
        return self.draws[of]

    def in_turn(self, parts: Sequence[Node]) -> Node:
        return parts[0] if len(parts) == 1 else self.add(InTurn(0, tuple(parts)))

    def mixed(self, parts: Sequence[Node], chances: Sequence[float]) -> Node:
        if len(parts) == 1 and chances[0] == 1.0:
            return parts[0]
        fixed = tuple(chances)
        return self.add(ByChance(0, tuple(parts), lambda state: fixed))

    # -- messages ------------------------------------------------------------------------------------------------

    def message(self, hop: Hop, at: Onward) -> Built:
        """There, what is done there, and back."""
        service = self.plane.service(hop.to)
        versions = at.versions
        if hop.pick in ("balance", "connection") and hop.among is not None:
            versions = _versions(self.plane.service(hop.among), hop)
        place = place_of(hop, at.place)
        fresh = hop.connections.fresh if hop.tls else 0.0
        there = Onward(at.stream, at.sizes, place, versions, fresh)
        stream = at.stream.name if self.by_stream else ""
        key = (hop, at.place, versions, at.sizes, stream)
        if key not in self.known:
            visit = self.visit(service, hop.endpoint, there)
            out, back = self.delay(hop, at.place, place, True), self.delay(hop, at.place, place, False)
            self.known[key] = Built(self.in_turn([*out, visit.node, *back]), visit.ok)
        return self.known[key]

    def delay(self, hop: Hop, origin: str, target: str, request: bool) -> list[Node]:
        """A message on its way (rules N1 and N3)."""
        if hop.inside:
            return []
        fresh = hop.connections.fresh if request else 0.0
        key = ("delay", hop.loopback, origin, target, fresh, hop.tls)
        if key not in self.known:
            self.known[key] = Built(self.way(hop, origin, target, fresh), 1.0)
        return [self.known[key].node]

    def way(self, hop: Hop, origin: str, target: str, fresh: float) -> Node:
        network = self.plane.network
        if self.outside(origin) or self.outside(target):
            return self.opened(network.client, hop, fresh)
        if hop.loopback:
            return self.opened(network.loopback, hop, fresh)
        ways = [self.opened(of, hop, fresh) for of in (network.same_node, network.same_zone, network.cross_zone)]
        if ways[0] is ways[1] is ways[2]:
            return ways[0]
        return self.add(ByChance(0, tuple(ways), lambda state: state.places(origin, target)))

    def outside(self, place: str) -> bool:
        return place == CLIENT or (place.endswith(f"@{CLIENT}"))

    def opened(self, of: Distribution, hop: Hop, fresh: float) -> Node:
        if fresh <= 0.0:
            return self.draw(of)
        longer = self.draw(of.scaled(5.0 if hop.tls else 3.0))
        return longer if fresh >= 1.0 else self.mixed((self.draw(of), longer), (1.0 - fresh, fresh))

    # -- visits --------------------------------------------------------------------------------------------------

    def visit(self, service: PlaneService, endpoint: str, at: Onward) -> Built:
        codes = service.endpoints[endpoint]
        if service.role != "app":
            return self.steps(service, 0, codes[0], at)
        stream = at.stream.name if self.by_stream else ""
        key = ("visit", service.name, endpoint, at.versions if len(codes) > 1 else (), stream)
        if key not in self.known:
            self.known[key] = self.visited(service, endpoint, at)
        return self.known[key]

    def visited(self, service: PlaneService, endpoint: str, at: Onward) -> Built:
        codes = service.endpoints[endpoint]
        here = at._replace(place=service.name)
        parts = [self.steps(service, number, steps, here) for number, steps in enumerate(codes)]
        chances = at.versions if len(codes) > 1 else (1.0,)
        found = Built(
            self.mixed([part.node for part in parts], chances),
            math.fsum(p * part.ok for p, part in zip(chances, parts, strict=True)),
        )
        if service.concurrency is None:
            return found
        self.made.bodies.setdefault((service.name, endpoint), found.node)
        return Built(self.in_turn([self.add(Slot(0, service.name)), found.node]), found.ok)

    def steps(self, service: PlaneService, version: int, steps: Sequence[PlaneStep], at: Onward) -> Built:
        parts: list[Node] = []
        ok = 1.0
        for step in steps:
            built = self.step(service, version, step, at)
            if built is not None:
                parts.append(built.node)
                ok *= built.ok
            elif isinstance(step, Fail):
                ok *= 1.0 - step.p
        return Built(self.in_turn(parts) if parts else self.draw(constant(0.0)), ok)

    def step(self, service: PlaneService, version: int, step: PlaneStep, at: Onward) -> Built | None:
        """What a step takes; None: nothing that anybody waits for."""
        if isinstance(step, Work):
            speed, _ = speed_of(service, version)
            return Built(self.cpu(service, version, self.draw(step.work.scaled(1.0 / speed))), 1.0)
        if isinstance(step, ProxyWork):
            return Built(self.cpu(service, version, self.proxy_job(service, step, at)), 1.0)
        if isinstance(step, Wait):
            return Built(self.draw(step.wait), 1.0)
        if isinstance(step, PlaneCall):
            return self.call(step, at)
        if isinstance(step, Forward):
            return self.message(step.hop, at)
        if isinstance(step, PlaneParallel):
            return self.parallel(service, version, step, at)
        if isinstance(step, PlaneChoose):
            parts = [self.steps(service, version, option.do, at) for option in step.options]
            chances = [option.p for option in step.options]
            lost = math.fsum(p * (1.0 - part.ok) for p, part in zip(chances, parts, strict=True))
            return Built(self.mixed([part.node for part in parts], chances), 1.0 - lost)
        if isinstance(step, PlaneCached):
            return self.cached(service, version, step, at)
        if isinstance(step, Routed):
            cases = (case for case in step.cases if case.streams is None or at.stream.name in case.streams)
            return self.steps(service, version, next(cases).do, at)
        if isinstance(step, Limited) and step.delay is not None:
            return Built(self.draw(step.delay), 1.0)
        return None

    def cpu(self, service: PlaneService, version: int, job: Node) -> Node:
        if speed_of(service, version)[1] == 0:
            return job
        key = ("cpu", service.name, version, job.number)
        if key not in self.known:
            self.known[key] = Built(self.add(Cpu(0, service.name, version, job)), 1.0)
        return self.known[key].node

    def proxy_job(self, service: PlaneService, step: ProxyWork, at: Onward) -> Node:
        """CPU of a proxy for a message, alone (rule P1)."""
        slower = 1.0 / speed_of(service, 0)[0]
        size = at.sizes.request if step.direction == "request" else at.sizes.response
        handshake_s = step.handshake_s * slower if at.fresh > 0.0 else 0.0
        key = ("job", service.name, step.base, step.per_kib_s, size, handshake_s, at.fresh)
        if key not in self.known:
            parts = [self.draw(step.base.scaled(slower))]
            if step.per_kib_s > 0.0:
                parts.append(self.draw(size.scaled(step.per_kib_s / 1024.0 * slower)))
            if handshake_s > 0.0:
                parts.append(self.mixed([self.draw(constant(handshake_s))], [at.fresh]))
            self.known[key] = Built(self.in_turn(parts), 1.0)
        return self.known[key].node

    def call(self, step: PlaneCall, at: Onward) -> Built | None:
        call = step.call
        if call.async_:
            return None
        sizes = Sizes(call.request_bytes or _KIB, call.response_bytes or _KIB)
        one = self.message(step.hop, at._replace(sizes=sizes))
        tries = 1 + max(call.retries, 0 if step.hop.trying is None else step.hop.trying.attempts)
        ok = 1.0 if call.optional or call.fallback is not None else 1.0 - (1.0 - one.ok) ** tries
        node = one.node
        if call.times is not None:
            ok **= call.times.mean()
            if call.times.kind != "constant" or call.times.mean() != 1.0:
                node = self.add(Times(0, node, call.times))
        return Built(self.mixed([node], [call.p]), 1.0 - call.p * (1.0 - ok))

    def parallel(self, service: PlaneService, version: int, step: PlaneParallel, at: Onward) -> Built | None:
        parts = [self.steps(service, version, branch, at) for branch in step.branches]
        if not parts:
            return None
        quorum = len(parts) if step.quorum is None else step.quorum
        ok = math.prod(part.ok for part in parts) if quorum == len(parts) else 1.0
        node = parts[0].node
        if len(parts) > 1:
            node = self.add(SideBySide(0, tuple(part.node for part in parts), quorum))
        return Built(node, ok)

    def cached(self, service: PlaneService, version: int, step: PlaneCached, at: Onward) -> Built:
        miss = self.steps(service, version, step.miss, at)
        if any(dimension not in at.stream.keys for dimension in step.key):
            return miss
        (cache,) = (one for one in service.caches if one.name == step.name)
        key = (service.name, step.name, at.stream.name)
        lost = self.add(ByChance(0, (miss.node,), lambda state: _missed(state, key)))
        parts = [lost] if cache.shared is None else [self.draw(cache.shared), lost]
        return Built(self.in_turn(parts), miss.ok)


def _missed(state: State, key: tuple[str, str, str]) -> tuple[float]:
    return (1.0 - state.hits.get(key, 0.0),)


def _versions(among: PlaneService, hop: Hop) -> tuple[float, ...]:
    """Chances of each version of whoever is chosen."""
    found = [0.0] * len(among.versions)
    for share, replica in zip(shares(among, hop.enforce_split), among.replicas, strict=True):
        found[replica.version] += float(share)
    return tuple(found)
