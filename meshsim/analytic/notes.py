"""What an estimate does not know of, said once each."""

from __future__ import annotations

from collections.abc import Iterator, Mapping

from meshsim.analytic.hits import Hits
from meshsim.architectures.plane import Crash, Limited, Plane, PlaneCall, PlaneService, PlaneStep
from meshsim.architectures.walk import every_step, messages
from meshsim.model.traffic import Stream
from meshsim.results.flows import Flow

_BALANCERS = ("ring_hash", "maglev")


def notes_of(plane: Plane, equations: Mapping[str, Flow], hits: Hits) -> Iterator[str]:
    """Sentences about a plane."""
    for stream, _ in plane.entries:
        yield from _of_stream(stream)
    standing = [service.name for service in plane.services if service.begins is not None and service.role != "proxy"]
    if standing:
        yield f"what autoscales ({', '.join(standing)}) is taken to stay as it begins"
    yield from hits.notes
    yield from _unknown(equations)
    yield from _policies(plane)
    told: dict[str, list[str]] = {}
    for service in plane.services:
        for what in _of_service(service):
            told.setdefault(what, []).append(service.name)
    yield from (f"{', '.join(names)}: {what}" for what, names in told.items())


def _of_stream(stream: Stream) -> Iterator[str]:
    kind = stream.arrivals.kind
    if kind == "closed":
        yield f"{stream.name} is a closed loop, which is not supported: it counts as no load"
    elif kind in ("rate", "spike", "trace"):
        yield f"the rate of {stream.name} changes with time ({kind}): taken at its mean over a minute"
    elif kind == "mmpp":
        yield f"{stream.name} comes in phases (mmpp): taken as a Poisson process of the mean rate"
    elif kind == "batch":
        yield f"{stream.name} comes in batches: behind the first service they are taken as a Poisson process"
    if stream.sessions is not None:
        yield f"sessions of {stream.name} are taken as a Poisson process of the same rate"
    if stream.patience is not None:
        yield f"clients of {stream.name} are taken to wait for ever"


def _unknown(equations: Mapping[str, Flow]) -> Iterator[str]:
    told = {why: None for flow in equations.values() for why in (*flow.unknown, *flow.work_unknown)}
    for why in told:
        if why.startswith("routes of"):
            yield f"{why}: traffic is counted as if none did"
        elif why.startswith("calls go in a circle"):
            yield f"{why}: what comes round again is not counted"
        elif why.startswith("how often cache"):
            yield f"{why} is not counted as work"


def _policies(plane: Plane) -> Iterator[str]:
    calls = [m.hop for m in messages(plane)]
    if any(hop.trying is not None and hop.trying.attempts for hop in calls):
        yield "retries of policies are taken not to happen"
    if any(hop.trying is not None and (hop.trying.timeout_s or hop.trying.per_try_s) for hop in calls):
        yield "timeouts of policies are taken not to be met"
    if any(hop.cluster.outlier is not None for hop in calls):
        yield "no replica is taken to be ejected"
    if any(
        limit is not None
        for hop in calls
        for limit in (hop.cluster.max_connections, hop.cluster.max_pending, hop.cluster.max_requests)
    ):
        yield "circuit breakers are taken not to open"
    if any(hop.pick == "balance" and hop.cluster.balancer in _BALANCERS for hop in calls):
        yield "what a hash spreads is taken as even"
    if any(hop.cluster.zone_aware for hop in calls):
        yield "zone aware routing is left out: calls go to all zones alike"
    calls_made = (step.call for s in plane.services for step in _steps(s) if isinstance(step, PlaneCall))
    if any(call.timeout_s is not None or call.retries for call in calls_made):
        yield "timeouts and retries of calls are taken not to happen"


def _steps(service: PlaneService) -> Iterator[PlaneStep]:
    for versions in service.endpoints.values():
        for steps in versions:
            yield from every_step(steps)


def _of_service(service: PlaneService) -> Iterator[str]:
    if service.discipline in ("fair", "priority") or service.line != "fifo":
        yield "tenants are taken to wait in one line"
    if service.discipline == "lifo":
        yield "waits have the mean, not the tail, of last come, first served"
    if service.queue is not None or service.max_wait is not None:
        yield "nobody is taken to be turned away"
    if service.bulkhead is not None:
        yield "its bulkhead is left out"
    if service.buffers_bytes is not None:
        yield "its buffers are left out"
    if service.bandwidth_bytes_per_s is not None:
        yield "its bandwidth is left out"
    if service.shards:
        yield "shards are left out: all of it serves everybody"
    steps = list(_steps(service))
    if any(isinstance(step, Limited) for step in steps):
        yield "rate limits are taken to turn nobody away"
    if any(isinstance(step, Crash) for step in steps):
        yield "crashes are left out"
