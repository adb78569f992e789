"""Plane -> Program: step trees become instructions, names become numbers and hashes, units become nanoseconds."""

from __future__ import annotations

import math
from collections.abc import Iterator, Mapping, Sequence
from itertools import chain

import numpy as np

from meshsim.architectures.plane import (
    Crash,
    Forward,
    Hop,
    Limited,
    Mirrored,
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
from meshsim.architectures.walk import calls_in, chain_of, messages
from meshsim.engines import program as p
from meshsim.engines import record
from meshsim.engines.caches import CacheRows
from meshsim.engines.key_traces import Traces
from meshsim.engines.keyed import name_hash
from meshsim.engines.policies import PolicyRows, ring_tables
from meshsim.engines.streams import pack_streams
from meshsim.engines.tables import Distributions, Rows
from meshsim.model.caches import Cache
from meshsim.model.distributions import Distribution
from meshsim.model.proxies import CpuFall
from meshsim.model.steps import Call, Fail, Invalidate, Wait, Work

_NS = 1e9
#: Size of a message that the spec does not give: the payload of Istio's performance page is 1 kB (istio.io, 1.24).
_DEFAULT_BYTES = Distribution(kind="constant", params=(1024.0,))
_NO_TIME = Distribution(kind="constant", params=(0.0,))
_PICKS = {"balance": p.BALANCE, "connection": p.CONNECTION, "carried": p.CARRIED, "none": p.NO_PICK}
_VIAS = {
    "dest": p.DEST,
    "dest_peer": p.DEST_PEER,
    "dest_node": p.DEST_NODE,
    "caller_peer": p.CALLER_PEER,
    "caller_node": p.CALLER_NODE,
}
_DISCIPLINES = {"ps": p.PS, "fifo": p.FIFO, "lifo": p.LIFO, "fair": p.FAIR, "priority": p.PRIORITY}
FAILURES = {
    "500": record.E500,
    "503": record.E503,
    "reset": record.RESET,
    "connect_failure": record.CONNECT_FAILURE,
    "grpc:unavailable": record.GRPC_UNAVAILABLE,
}


def pack(plane: Plane, active: Mapping[str, int] | None = None) -> p.Program:
    """Flatten a Plane for the engines.

    Parameters
    ----------
    active
        Of services that do not begin with all their replicas: how many get requests at first.

    Examples
    --------
    >>> import meshsim
    >>> program = pack(meshsim.lower(meshsim.load("bookinfo"), "none"))
    >>> program.service_names
    ('details', 'productpage', 'ratings', 'reviews')
    """
    return _Packer(plane, active or {}).program()


class _Packer:
    """Collects the rows of every table while it walks the Plane once."""

    def __init__(self, plane: Plane, active: Mapping[str, int]) -> None:
        self.plane = plane
        self.active = active
        self.distributions = Distributions()
        self.instructions = Rows(p.INSTRUCTION)
        self.calls = Rows(p.CALLS)
        self.calls_at: dict[str, tuple[int, ...]] = {}
        self.targets = Rows(p.TARGETS)
        self.falls = Rows(p.FALLS)
        self.fall_number: dict[CpuFall, int] = {}
        self.endpoints = Rows(p.ENDPOINTS)
        self.entries: list[int] = []
        self.service_number = {service.name: i for i, service in enumerate(plane.services)}
        self.endpoint_number: dict[tuple[str, str], int] = {}
        self.policies = PolicyRows(plane, self.service_number, self.distributions)
        self.caches = CacheRows(plane, self.service_number, self.policies.dimensions, self.distributions)
        # proxies that pods of a node share: they are on its loopback, and yet outside of the pods
        self.on_nodes = {one.hop.to for one in messages(plane) if one.hop.via in ("caller_node", "dest_node")}
        divided = [service.name for service in plane.services if service.shards]
        self.first_shard = {name: number * len(plane.entries) for number, name in enumerate(divided)}
        self.network = np.array(
            [
                self.distributions.add(getattr(plane.network, place), _NS)
                for place in ("loopback", "same_node", "same_zone", "cross_zone", "client")
            ]
            + [self.distributions.add(_NO_TIME, _NS)],
            dtype=np.int32,
        )

    def program(self) -> p.Program:
        self._number_endpoints()
        for service in self.plane.services:
            for name, codes in service.endpoints.items():
                self._endpoint(service, name, (*codes, *(pushed[name] for pushed in service.pushed)))
        entry_calls = [
            self.calls.add(**self._sizes(stream.request_bytes, stream.response_bytes), **self._hop("", hop))
            for stream, hop in self.plane.entries
        ]
        streams, points = pack_streams(self.plane, entry_calls, self.distributions)
        services, replicas, versions = self._stations()
        traces = Traces()
        keys = self.policies.keys(traces)
        rings, ring_at, ring_host = ring_tables(self.policies.rings.array(), services, versions, replicas)
        return p.Program(
            instructions=self.instructions.array(),
            calls=self.calls.array(),
            targets=self.targets.array(),
            services=services,
            replicas=replicas,
            versions=versions,
            endpoints=self.endpoints.array(),
            entries=np.array(self.entries, dtype=np.int32),
            views=self.policies.views.array(),
            streams=streams,
            tenants=self._tenants(),
            points=points,
            distributions=self.distributions.array(),
            table=self.distributions.table(),
            falls=self.falls.array(),
            policies=self.policies.policies.array(),
            limits=self.policies.limits.array(),
            shares=np.array(self.policies.shares, dtype=np.float64),
            takes=np.array(self.policies.takes, dtype=np.uint8).reshape(-1, len(self.plane.entries)),
            shards=self._shards(),
            rings=rings,
            ring_at=ring_at,
            ring_host=ring_host,
            caches=self.caches.rows.array(),
            parts=np.array(self.caches.parts, dtype=np.int32),
            cache_names=tuple(self.caches.names),
            keys=keys,
            traced_keys=traces.keys(),
            traced_bytes=traces.sizes_bytes() if self.caches.are_sizes_traced else np.zeros(0, dtype=np.int64),
            dimensions=self.policies.dimension_hashes(),
            network=self.network,
            depth=self.plane.call_depth,
            calls_at=self.calls_at,
            service_names=tuple(s.name for s in self.plane.services),
            endpoint_names=tuple(f"{s}.{e}" for s, e in self.endpoint_number),
            stream_names=tuple(stream.name for stream, _ in self.plane.entries),
        )

    # -- stations ------------------------------------------------------------------------------------------------

    def _stations(self) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
        services, replicas, versions = Rows(p.SERVICES), Rows(p.REPLICAS), Rows(p.VERSIONS)
        queues = 0
        for number, service in enumerate(self.plane.services):
            first_replica, first_version = len(replicas), len(versions)
            threads = service.threads or 0
            for i, replica in enumerate(service.replicas):
                unlimited = math.isinf(replica.cores) or not threads
                replicas.add(
                    service=number,
                    version=replica.version,
                    node=replica.node,
                    zone=replica.zone,
                    first_queue=queues,
                    cores=0.0 if unlimited else replica.cores / threads,
                    weight=replica.weight,
                    name=name_hash(f"{service.name}#{i}"),
                )
                queues += max(threads, 1)
            upto = 0.0
            for i in range(len(service.versions)):
                mine = [k for k, replica in enumerate(service.replicas) if replica.version == i]
                upto += service.split[i] if service.split else len(mine) / len(service.replicas)
                versions.add(first_replica=mine[0] if mine else 0, replicas=len(mine), upto=upto)
            services.add(
                first_replica=first_replica,
                replicas=self.active.get(service.name, service.begins or len(service.replicas)),
                most=len(service.replicas),
                first_scaling=-1,
                limited=int(bool(service.shards)),
                first_shard=self.first_shard.get(service.name, -1),
                first_version=first_version,
                versions=len(service.versions),
                role=p.APP if service.role == "app" else p.PROXY,
                discipline=_DISCIPLINES[service.discipline],
                line=_DISCIPLINES[service.line],
                bulkhead=-1 if service.bulkhead is None else service.bulkhead,
                buffers=-1 if service.buffers_bytes is None else service.buffers_bytes,
                ns_per_byte=0.0 if service.bandwidth_bytes_per_s is None else _NS / service.bandwidth_bytes_per_s,
                falls=int(any(isinstance(step, ProxyWork) and step.falls for step in _outer_steps(service))),
                threads=threads,
                concurrency=-1 if service.concurrency is None else service.concurrency,
                queue=-1 if service.queue is None else service.queue,
                max_wait=-1 if service.max_wait is None else self.distributions.add(service.max_wait, _NS),
                name=name_hash(service.name),
            )
        return services.array(), replicas.array(), versions.array()

    def _tenants(self) -> np.ndarray:
        rows = Rows(p.TENANTS)
        for tenant in self.plane.tenants:
            rows.add(weight=tenant.weight, priority=tenant.priority)
        return rows.array()

    def _shards(self) -> np.ndarray:
        """Which replicas serve which stream, a row a stream for each service that is divided."""
        most = max(len(service.replicas) for service in self.plane.services)
        rows = np.zeros((len(self.first_shard) * len(self.plane.entries), most), dtype=np.uint8)
        for name, first in self.first_shard.items():
            shards = self.plane.service(name).shards
            for number, (stream, _) in enumerate(self.plane.entries):
                rows[first + number, list(shards[stream.tenant])] = 1
        return rows

    def _number_endpoints(self) -> None:
        """Calls may go forward or round in circles, so every endpoint has its number before any code is packed."""
        for service in self.plane.services:
            for name in service.endpoints:
                self.endpoint_number[service.name, name] = self.endpoints.add(
                    service=self.service_number[service.name],
                    first_entry=len(self.entries),
                    name=name_hash(f"{service.name}.{name}"),
                )
                self.entries.extend([-1] * (len(service.versions) + len(service.pushed)))

    def _endpoint(self, service: PlaneService, name: str, codes: Sequence[tuple[PlaneStep, ...]]) -> None:
        first = self.endpoints[self.endpoint_number[service.name, name]]["first_entry"]
        packed: dict[int, int] = {}  # versions that share their steps share the code
        for version, steps in enumerate(codes):
            if id(steps) not in packed:
                packed[id(steps)] = len(self.instructions)
                self._block(service.name, steps, f"{service.name}.{name}/")
                self.instructions.add(op=p.END)
            self.entries[first + version] = packed[id(steps)]

    # -- code ----------------------------------------------------------------------------------------------------

    def _block(self, caller: str, steps: Sequence[PlaneStep], address: str) -> None:
        for i, step in enumerate(steps):
            self._step(caller, step, f"{address}{i}")

    def _step(self, caller: str, step: PlaneStep, address: str) -> None:
        position = name_hash(address)
        add = self.instructions.add
        match step:
            case Work():
                add(op=p.WORK, a=self.distributions.add(step.work, _NS), position=position)
            case Wait():
                add(op=p.WAIT, a=self.distributions.add(step.wait, _NS), position=position)
            case Crash():
                add(op=p.CRASH)
            case Fail():
                add(op=p.FAIL, a=FAILURES[step.reason], p=step.p, position=position)
            case ProxyWork():
                add(
                    op=p.PROXY_WORK,
                    a=self.distributions.add(step.base, _NS),
                    b=int(step.direction == "response"),
                    c=-1 if step.falls is None else self._fall(step.falls),
                    p=step.per_kib_s * _NS,
                    d=round(step.handshake_s * _NS),
                    position=name_hash(f"{address.partition('/')[0]}/{step.direction}"),
                )
            case Forward():
                sizes = {"request_bytes": -1, "response_bytes": -1}
                fields = self._hop(caller, step.hop)
                add(op=p.FORWARD, a=self.calls.add(translates=not step.as_connection, **sizes, **fields))
            case Mirrored():
                self._detached(caller, step, address, position)
            case Limited():
                if step.delay is not None:
                    at = name_hash(f"policies.{step.name}.rate_limit")
                    add(op=p.WAIT, a=self.distributions.add(step.delay, _NS), position=at)
                add(op=p.LIMIT, a=self.policies.limit(caller, step.limit, step.name), position=position)
            case Routed():
                self._match(caller, step, address, position)
            case PlaneCached():
                self._cached(caller, step, address, position)
            case Invalidate():
                self._invalidate(step, address)
            case PlaneCall():
                self._call(caller, step, address, position)
            case PlaneParallel():
                self._fork(caller, step, address, position)
            case PlaneChoose():
                self._choose(caller, step, address, position)

    def _fall(self, fall: CpuFall) -> int:
        if fall not in self.fall_number:
            self.fall_number[fall] = self.falls.add(
                exponent=fall.exponent,
                at_ns=_NS / fall.at_per_s,
                least_ns=_NS / fall.to_per_s,
                most_ns=_NS / fall.from_per_s,
            )
        return self.fall_number[fall]

    def _cached(self, caller: str, step: PlaneCached, address: str, position: int) -> None:
        """LOOK, then what gets it, FILL and its work; where stale answers are given, the same once more to renew it."""
        cache = self.caches.find(caller, step.name)
        about = {**self.caches.key(step), "a": cache.number, "p": float(step.by_proxy)}
        if cache.cache.shared is not None:
            asks = self.distributions.add(cache.cache.shared, _NS)
            ask = self.instructions.add(op=p.ASK, **about)
            self.instructions.add(op=p.WAIT, a=asks, position=name_hash(f"{address}.ask"))
            self.instructions[ask]["d"] = len(self.instructions)
        first = len(self.targets)
        self.targets.add(pc=-1)
        self.targets.add(pc=-1)
        self.instructions.add(op=p.LOOK, d=first, **about)
        self._get(caller, step, cache.cache, about, address)
        if cache.cache.stale_s:
            jump = self.instructions.add(op=p.JUMP)
            self.targets[first + 1]["pc"] = len(self.instructions)
            self._get(caller, step, cache.cache, about, address)
            self.instructions.add(op=p.END)
            self.instructions[jump]["a"] = len(self.instructions)
        self.targets[first]["pc"] = len(self.instructions)

    def _invalidate(self, step: Invalidate, address: str) -> None:
        """OUTDATE each cache at once; where it hears of writes, PURGE it in a branch that nobody waits for."""
        for service, name in self.caches.written(step):
            number, cache = self.caches.find(service, name)
            about = {**self.caches.key(step), "a": number}
            self.instructions.add(op=p.OUTDATE, **about)
            if cache.invalidation is None:
                continue
            begin = self.instructions.add(op=p.DETACH)
            jump = self.instructions.add(op=p.JUMP)
            self.instructions[begin]["a"] = len(self.instructions)
            hears = self.distributions.add(cache.invalidation, _NS)
            self.instructions.add(op=p.WAIT, a=hears, position=name_hash(f"{address}.heard"))
            self.instructions.add(op=p.PURGE, **about)
            self.instructions.add(op=p.END)
            self.instructions[jump]["a"] = len(self.instructions)

    def _get(self, caller: str, step: PlaneCached, cache: Cache, about: dict[str, float], address: str) -> None:
        self._block(caller, step.miss, f"{address}.miss." if not step.by_proxy else f"{address.partition('/')[0]}/")
        fill = self.instructions.add(op=p.FILL, **about)
        if cache.fill is not None:
            work = self.distributions.add(cache.fill, _NS)
            self.instructions.add(op=p.WORK, a=work, position=name_hash(f"{address}.fill"))
        self.instructions[fill]["d"] = len(self.instructions)

    def _call(self, caller: str, step: PlaneCall, address: str, position: int) -> None:
        call: Call = step.call
        number = self.calls.add(
            optional=call.optional,
            asynchronous=call.async_,
            translates=True,
            retries=call.retries,
            times=-1 if call.times is None else self.distributions.add(call.times, 1.0),
            fallback=-1,
            p=call.p,
            timeout_ns=-1 if call.timeout_s is None else round(call.timeout_s * _NS),
            **self._sizes(call.request_bytes, call.response_bytes),
            **self._hop(caller, step.hop),
        )
        at = address.replace("/", ".", 1)
        self.calls_at[at] = (*self.calls_at.get(at, ()), number)
        self.instructions.add(op=p.CALL, a=number, position=position)
        if step.fallback is not None:
            jump = self.instructions.add(op=p.JUMP)
            self.calls[number]["fallback"] = len(self.instructions)
            self._block(caller, step.fallback, f"{address}.fallback.")
            self.instructions[jump]["a"] = len(self.instructions)

    def _fork(self, caller: str, step: PlaneParallel, address: str, position: int) -> None:
        n = len(step.branches)
        first = len(self.targets)
        for _ in step.branches:
            self.targets.add(pc=-1)
        fork = self.instructions.add(op=p.FORK, a=first, b=n, c=step.quorum or n, position=position)
        jump = self.instructions.add(op=p.JUMP)
        for i, branch in enumerate(step.branches):
            self.targets[first + i]["pc"] = len(self.instructions)
            self._block(caller, branch, f"{address}.{i}.")
            self.instructions.add(op=p.END)
        self.instructions[jump]["a"] = len(self.instructions)
        stops = [chain_of(self.plane, call.hop)[-1].cancellation for call in calls_in([step])]
        self.instructions[fork]["d"] = int(bool(stops) and all(stops))

    def _choose(self, caller: str, step: PlaneChoose, address: str, position: int) -> None:
        first = len(self.targets)
        for _ in step.options:
            self.targets.add(pc=-1)
        self.instructions.add(op=p.CHOOSE, a=first, b=len(step.options), position=position)
        jumps = [self.instructions.add(op=p.JUMP)]
        upto = 0.0
        for i, option in enumerate(step.options):
            upto += option.p
            # shares that add up to one must leave no gap for a rounding error
            self.targets[first + i].update(pc=len(self.instructions), upto=2.0 if abs(upto - 1.0) < 1e-9 else upto)
            self._block(caller, option.do, f"{address}.{i}.")
            jumps.append(self.instructions.add(op=p.JUMP))
        for jump in jumps:
            self.instructions[jump]["a"] = len(self.instructions)

    def _match(self, caller: str, step: Routed, address: str, position: int) -> None:
        first = len(self.targets)
        for case in step.cases:
            self.targets.add(pc=-1, takes=self.policies.takes_of(case.streams))
        self.instructions.add(op=p.MATCH, a=first, b=len(step.cases), position=position)
        jumps = []
        for i, case in enumerate(step.cases):
            self.targets[first + i]["pc"] = len(self.instructions)
            # by its route alone: whoever enforces it, the same requests are delayed, aborted and copied
            self._block(caller, case.do, f"routes.{case.route}/" if case.route else f"{address}.{i}.")
            jumps.append(self.instructions.add(op=p.JUMP))
        for jump in jumps:
            self.instructions[jump]["a"] = len(self.instructions)

    def _detached(self, caller: str, step: Mirrored, address: str, position: int) -> None:
        begin = self.instructions.add(op=p.DETACH, position=position)
        jump = self.instructions.add(op=p.JUMP)
        self.instructions[begin]["a"] = len(self.instructions)
        self._step(caller, Forward(step.hop), f"{address}.0")
        self.instructions.add(op=p.END)
        self.instructions[jump]["a"] = len(self.instructions)

    # -- hops ----------------------------------------------------------------------------------------------------

    def _sizes(self, request: Distribution | None, response: Distribution | None) -> dict[str, int]:
        return {
            "request_bytes": self.distributions.add(request or _DEFAULT_BYTES, 1.0),
            "response_bytes": self.distributions.add(response or _DEFAULT_BYTES, 1.0),
        }

    def _hop(self, caller: str, hop: Hop) -> dict[str, float | int]:
        among = -1 if hop.among is None else self.service_number[hop.among]
        return {
            "endpoint": self.endpoint_number[hop.to, hop.endpoint],
            "service": self.service_number[hop.to],
            "among": among,
            "pick": _PICKS[hop.pick],
            "via": _VIAS[hop.via],
            "split": hop.enforce_split,
            "cancellation": hop.cancellation,
            "deadline": hop.deadline,
            "inside": hop.inside,
            "tls": hop.tls,
            "loopback": hop.loopback,
            "pod": hop.inside or (hop.loopback and not {caller, hop.to} & self.on_nodes),
            **self.policies.hop(caller, hop),
            "pool": hop.connections.pool,
            "fresh": hop.connections.fresh,
        }


def _outer_steps(service: PlaneService) -> Iterator[PlaneStep]:
    """Steps of all endpoints, those that may be pushed too, but not what is within others."""
    for codes in service.endpoints.values():
        yield from chain.from_iterable(codes)
    for pushed in service.pushed:
        yield from chain.from_iterable(pushed.values())
