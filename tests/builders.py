"""Planes made by hand, run on an engine: what tests of engines and of theory share.

Times are seconds unless a name ends in ``_ms``; without other wishes there is one replica with one FIFO core, nothing
is held, the network takes no time and connections are countless.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import fields, replace
from typing import Any

import numpy as np
import numpy.typing as npt

from meshsim.architectures.enforced import Cluster
from meshsim.architectures.plane import (
    Hop,
    Plane,
    PlaneCall,
    PlaneChoose,
    PlaneOption,
    PlaneParallel,
    PlaneService,
    PlaneStep,
    Replica,
)
from meshsim.engines import ENGINES, EngineName, simulate
from meshsim.engines.record import Record
from meshsim.model.distributions import Distribution
from meshsim.model.steps import Call, Fail, Wait, Work
from meshsim.model.topology import Network
from meshsim.model.traffic import Arrivals, Connections, Sessions, Stream

KIB = Distribution(kind="constant", params=(1024.0,))
ENDPOINT = "e"
MS = 1_000_000  # nanoseconds


# -- distributions and steps -----------------------------------------------------------------------------------


def constant(seconds: float) -> Distribution:
    return Distribution(kind="constant", params=(seconds,))


def ms(milliseconds: float) -> Distribution:
    return constant(milliseconds / 1e3)


def exp(mean: float) -> Distribution:
    return Distribution(kind="exp", params=(mean,))


def lognormal(mean: float, cv: float) -> Distribution:
    variance = math.log(1.0 + cv * cv)
    return Distribution(kind="lognormal", params=(math.log(mean) - variance / 2.0, math.sqrt(variance)))


def gamma(mean: float, cv: float) -> Distribution:
    return Distribution(kind="gamma", params=(cv**-2, mean * cv * cv))


def geometric(mean: float) -> Distribution:
    return Distribution(kind="geometric", params=(mean,))


def either(p: float, first: Distribution, second: Distribution) -> Distribution:
    """The first with probability `p`, else the second."""
    return Distribution(kind="mixture", weights=(p, 1.0 - p), of=(first, second))


def work(demand: Distribution) -> Work:
    return Work(work=demand)


def work_ms(milliseconds: float) -> Work:
    return Work(work=ms(milliseconds))


def wait_ms(milliseconds: float) -> Wait:
    return Wait(wait=ms(milliseconds))


def fail(p: float = 1.0, reason: str = "500") -> Fail:
    return Fail(p=p, reason=reason)  # type: ignore[arg-type]


def fork(*branches: Sequence[PlaneStep], quorum: int | None = None) -> PlaneParallel:
    return PlaneParallel(tuple(tuple(branch) for branch in branches), quorum)


def choose(*options: tuple[float, Sequence[PlaneStep]]) -> PlaneChoose:
    return PlaneChoose(tuple(PlaneOption(p, tuple(steps)) for p, steps in options))


def hop(to: str, endpoint: str = ENDPOINT, **fields: Any) -> Hop:
    """Straight to a replica of `to`; `balancer` names who the caller balances by (absent: the connection decides)."""
    balancer = fields.pop("balancer", None)
    connections = Connections(pool=fields.pop("pool", 0), fresh=fields.pop("fresh", 0.0))
    base = Hop(to=to, endpoint=endpoint, pick="connection", among=to, via="dest", connections=connections)
    if balancer is not None:
        base = replace(base, pick="balance", cluster=Cluster(balancer))
    return replace(base, **fields)


_HOP_FIELDS = ("balancer", "pool", "fresh", "tls", "cancellation", "loopback", "enforce_split", "pick", "among", "via")


def call(service: str, endpoint: str = ENDPOINT, **fields: Any) -> PlaneCall:
    """Call a service; fields of the `Hop` and of the `Call` may be mixed, `fallback` is a sequence of steps."""
    fallback = fields.pop("fallback", None)
    first = hop(service, endpoint, **{name: fields.pop(name) for name in _HOP_FIELDS if name in fields})
    sizes = {"request_bytes": KIB, "response_bytes": KIB}
    spec = Call(service=service, endpoint=endpoint, **{**sizes, **fields})
    return PlaneCall(spec, first, None if fallback is None else tuple(fallback))


# -- services --------------------------------------------------------------------------------------------------


def service(name: str, *steps: PlaneStep, replicas: int = 1, cores: float = 1.0, **fields: Any) -> PlaneService:
    """A service whose one endpoint runs `steps`; further fields are those of `PlaneService`."""
    nodes = fields.pop("nodes", range(replicas))
    copies = tuple(Replica(version=0, cores=cores, cores_requested=1.0, node=node, zone=0) for node in nodes)
    defaults: dict[str, Any] = {
        "role": "app",
        "origin": "",
        "replicas": copies,
        "versions": ("",),
        "split": None,
        "discipline": "fifo",
        "threads": 1,
        "concurrency": None,
        "queue": None,
        "max_wait": None,
        "endpoints": {ENDPOINT: (steps,)},
        "memory_bytes": 0,
    }
    return PlaneService(name=name, **{**defaults, **fields})


def versioned(name: str, codes: Sequence[Sequence[PlaneStep]], split: Sequence[float] | None = None) -> PlaneService:
    """A service with one single-core replica of each version."""
    base = service(name, replicas=len(codes))
    return replace(
        base,
        replicas=tuple(replace(replica, version=i) for i, replica in enumerate(base.replicas)),
        versions=tuple(f"v{i}" for i in range(len(codes))),
        split=None if split is None else tuple(split),
        endpoints={ENDPOINT: tuple(tuple(code) for code in codes)},
    )


# -- traffic ---------------------------------------------------------------------------------------------------


def poisson(rate: float) -> Arrivals:
    return Arrivals(kind="poisson", rate_per_s=rate)


def trace_ms(*times: float) -> Arrivals:
    return Arrivals(kind="trace", times_s=tuple(time / 1e3 for time in times))


def closed(users: int, think: Distribution) -> Arrivals:
    return Arrivals(kind="closed", users=users, think=think)


def entry(
    name: str, to: str, arrivals: Arrivals, sessions: Sessions | None = None, **fields: Any
) -> tuple[Stream, Hop]:
    """A stream named `name` into `to`; further fields are those of its `hop`."""
    first = hop(to, **fields)
    stream = Stream(
        name=name,
        tenant="t",
        service=to,
        endpoint=first.endpoint,
        arrivals=arrivals,
        sessions=sessions,
        request_bytes=KIB,
        response_bytes=KIB,
        connections=first.connections,
    )
    return stream, first


def network(**delays_ms: float) -> Network:
    """Constant one-way delays in milliseconds by place; those not named are zero."""
    return Network(**{place: ms(delays_ms.get(place, 0.0)) for place in Network.model_fields})


def plane(*services: PlaneService, arrivals: Arrivals | None = None, **fields: Any) -> Plane:
    """A plane that `arrivals` enter at the first service; or give `entries`. `delays` is its network."""
    entries = fields.pop("entries", None)
    if entries is None:
        assert arrivals is not None
        entries = (entry("s", services[0].name, arrivals, **fields.pop("client", {})),)
    nodes = 1 + max(replica.node for service in services for replica in service.replicas)
    delays = fields.pop("delays", network())
    defaults: dict[str, Any] = {"network": delays, "nodes": nodes, "call_depth": 32, "load": 1.0}
    return Plane(
        topology_name="by hand",
        architecture="none",
        services=services,
        entries=tuple(sorted(entries, key=lambda pair: pair[0].name)),
        zones=("z",),
        **{**defaults, **fields},
    )


# -- runs ------------------------------------------------------------------------------------------------------


def run(
    plane: Plane,
    seconds: float,
    *,
    drain: float = 1e4,
    seed: int = 1,
    spans: bool = False,
    engines: Sequence[EngineName] = ENGINES,
) -> Record:
    """Simulate on both engines, which must agree; with a row a request, and all spans if asked for."""
    records = [
        simulate(
            plane,
            engine=engine,
            seed=seed,
            duration_ns=round(seconds * 1e9),
            drain_ns=round(drain * 1e9),
            record_requests=True,
            sample=10**12 if spans else 0,
        )
        for engine in engines
    ]
    for other in records[1:]:
        assert_same(records[0], other)
    return records[0]


def run_long(plane: Plane, seconds: float, *, seed: int = 1, spans: bool = False, both: float = 50.0) -> Record:
    """A long run on the compiled engine alone, after one by `both` times shorter on which both engines must agree."""
    run(plane, seconds / both, seed=seed, spans=spans)
    return run(plane, seconds, seed=seed, spans=spans, engines=("compiled",))


def assert_same(one: Record, other: Record) -> None:
    """Hold that two records are equal in every number."""
    for field in fields(Record):
        first, second = getattr(one, field.name), getattr(other, field.name)
        if isinstance(first, np.ndarray):
            assert first.dtype == second.dtype, field.name
            assert np.array_equal(first, second), field.name
        else:
            assert first == second, field.name


def rows(record: Record) -> npt.NDArray[np.void]:
    """Rows of the requests that arrived within the duration, in the order of arrival."""
    assert record.requests is not None
    return record.requests[record.requests["arrival_ns"] < record.duration_ns]


def latencies(record: Record) -> npt.NDArray[np.float64]:
    """Seconds from arrival to answer of every counted request, in the order of arrival."""
    counted = rows(record)
    assert np.all(counted["end_ns"] >= 0)
    return (counted["end_ns"] - counted["arrival_ns"]) / 1e9


def ends_ms(record: Record) -> list[float]:
    """When each request was answered, in milliseconds, in the order of request numbers; -1 for never."""
    return [end / MS if end >= 0 else -1 for end in rows(record)["end_ns"].tolist()]


def outcomes(record: Record) -> list[int]:
    """Outcome codes in the order of request numbers."""
    return [int(code) for code in rows(record)["outcome"]]


def total(record: Record, station: int, counter: str) -> float:
    """A counter of a service, all batches and the time after them together."""
    return record.services[counter][station].sum().item()  # type: ignore[no-any-return]
