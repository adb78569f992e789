"""What each service and proxy did: load, waiting, latency, CPU, memory."""

from __future__ import annotations

import math
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Final

import numpy as np
import numpy.typing as npt

from meshsim.architectures.plane import Plane, PlaneService
from meshsim.results.caching import CacheResult, Room, cache_result
from meshsim.results.enforcement import Enforcement, enforcement
from meshsim.results.intervals import Estimate, Statistic, finite, per_batch, ratio, share
from meshsim.results.links import LinkResult, link_result
from meshsim.results.measured import Measured
from meshsim.results.quantiles import quantile, quantile_share
from meshsim.results.traffic import QUANTITIES

_UNKNOWN: Final = Estimate(None, None, None, 0, "no limit")


@dataclass(frozen=True, slots=True)
class ServiceResult:
    """One service, all its replicas together.

    Attributes
    ----------
    role
        ``app``, ``proxy``, or ``library``: what acts on policies within an application, which costs nothing.
    replicas, cores
        How many (the mean over time where control processes changed it), and their cores together (``inf``: no
        limit).
    requests
        Messages that reached a replica after the warm-up, in all replications.
    rejected
        Of those, met a full queue or stood in line for longer than `max_wait`.
    offered_load
        CPU time asked for per second: cores that would just suffice (erlangs).
    utilization
        Busy cores as a share of `cores`; no value without a limit.
    concurrency_utilization
        Concurrency slots in use as a share of all; no value without a limit.
    waited
        Share of the requests that had to wait for a concurrency slot.
    wait_s
        Mean wait of an admitted request: for its slot, and for the CPU beyond its own demand. Where slots are
        limited, requests that were cancelled are left out of the divisor, because most of them gave up in line and
        their waits are not in the sum; those cancelled at work make the mean a little too high then.
    latency_s
        By quantity, from reaching the replica to leaving it; finished requests, failed ones too. Quantiles are
        within 1.6 %.
    cpu_s
        CPU seconds used in the measured time, all replications together, with what proxies take when idle.
    memory_bytes
        Of all replicas: what a proxy needs, what an application requests; and what their caches hold, mean over time.
    memory_requested_bytes
        Of all replicas: what is set aside, with room for what their caches hold.
    policies
        What it did as an enforcer of policies; None of applications, which enforce none.
    caches
        By name: those that were asked.
    link
        What replicas sent; None where their bandwidth has no limit.
    utilization_by_replication
        As of `meshsim.results.intervals.Statistic.by_replication`.
    """

    role: str
    replicas: float
    cores: float
    requests: int
    rejected: int
    offered_load: Estimate
    utilization: Estimate
    concurrency_utilization: Estimate
    waited: Estimate
    wait_s: Estimate
    latency_s: dict[str, Estimate]
    cpu_s: float
    memory_bytes: int
    memory_requested_bytes: int
    policies: Enforcement | None = None
    caches: Mapping[str, CacheResult] = field(default_factory=dict)
    link: LinkResult | None = None
    utilization_by_replication: tuple[float, ...] | None = None

    def to_dict(self) -> dict[str, object]:
        """For JSON: plain numbers, and the ends of their intervals under ``intervals``."""
        sure = ("offered_load", "utilization", "concurrency_utilization", "waited", "wait_s")
        estimates = {name: getattr(self, name).to_dict() for name in sure}
        return {
            "role": self.role,
            "replicas": self.replicas,
            "cores": finite(self.cores),
            "requests": self.requests,
            "rejected": self.rejected,
            **{name: estimate["value"] for name, estimate in estimates.items()},
            "latency_s": {name: estimate.to_dict() for name, estimate in self.latency_s.items()},
            "cpu_s": self.cpu_s,
            "memory_bytes": self.memory_bytes,
            "memory_requested_bytes": self.memory_requested_bytes,
            "intervals": {name: {"low": e["low"], "high": e["high"]} for name, e in estimates.items()},
            **({} if self.policies is None else {"policies": self.policies.to_dict()}),
            **({"caches": {name: cache.to_dict() for name, cache in self.caches.items()}} if self.caches else {}),
            **({} if self.link is None else {"link": self.link.to_dict()}),
            "by_replication": {"utilization": self.utilization_by_replication},
        }


@dataclass(frozen=True, slots=True, eq=False)
class Totals:
    """All applications, or all proxies, together.

    Attributes
    ----------
    replicas
        Number of instances.
    cores
        CPU cores in use, with what proxies take when idle.
    cores_requested
        What the scheduler has to set aside.
    memory_bytes, memory_requested_bytes
        As in `ServiceResult`.
    """

    replicas: float
    cores: Statistic
    cores_requested: float
    memory_bytes: int
    memory_requested_bytes: int

    def to_dict(self) -> dict[str, object]:
        """For JSON."""
        return {
            "replicas": self.replicas,
            "cores_used": self.cores.estimate.to_dict(),
            "cores_requested": self.cores_requested,
            "memory_bytes": self.memory_bytes,
            "memory_requested_bytes": self.memory_requested_bytes,
        }


def service_results(plane: Plane, measured: Measured, *, level: float = 0.95) -> dict[str, ServiceResult]:
    """Sum up every service of the plane, by name."""
    caches = _caches(plane, measured, level)
    return {
        service.name: _service(service, measured, number, caches[service.name], level)
        for number, service in enumerate(plane.services)
    }


def _caches(plane: Plane, measured: Measured, level: float) -> dict[str, dict[str, CacheResult]]:
    """Caches that were asked, by service and name."""
    streams = [stream for stream, _ in plane.entries]
    found: dict[str, dict[str, CacheResult]] = {service.name: {} for service in plane.services}
    caches = [(service, cache) for service in plane.services for cache in service.caches]
    for number, (service, cache) in enumerate(caches):
        if measured.caches["lookups"][number].any():
            room = Room.of(cache, 1 if cache.shared is not None else len(service.replicas))
            found[service.name][cache.name] = cache_result(measured, number, streams, room, level=level)
    return found


def _service(
    service: PlaneService, measured: Measured, number: int, caches: dict[str, CacheResult], level: float
) -> ServiceResult:
    held = math.fsum(cache.bytes.value or 0.0 for cache in caches.values())
    counters = measured.services[number]
    batch_ns = measured.batch_s * 1e9
    requests, rejected = counters["requests"], counters["rejected"]
    active = _active(measured, number)
    scaled = float(active.mean()) / len(service.replicas)  # 1 unless control processes changed it
    slots = math.inf if service.concurrency is None else service.concurrency * active
    waits = counters["slot_wait_ns"] + counters["cpu_wait_ns"]
    refused = rejected if service.concurrency is None else rejected + counters["cancelled"]
    is_limited = service.bandwidth_bytes_per_s is not None
    used = _used(counters["busy_ns"] / batch_ns, service.cores / len(service.replicas) * active, level)
    each = used.by_replication()
    return ServiceResult(
        role=service.role,
        replicas=_count(float(active.mean())),
        cores=service.cores * scaled,
        requests=int(requests.sum()),
        rejected=int(rejected.sum()),
        offered_load=per_batch(counters["demand_ns"] / batch_ns, level=level).estimate,
        utilization=used.estimate,
        concurrency_utilization=_used(counters["slots_ns"] / batch_ns, slots, level).estimate,
        waited=share(counters["waited"], requests, level=level).estimate,
        wait_s=ratio(waits, np.maximum(requests - refused, 0), level=level, scale=1e-9).estimate,
        latency_s=_latency(measured, number, level),
        cpu_s=float(counters["busy_ns"].sum()) * 1e-9 + service.idle_cores * float(active.sum()) * measured.batch_s,
        memory_bytes=round(_memory(service, used=True) * scaled + held),
        memory_requested_bytes=round(_memory(service, used=False) * scaled + held),
        policies=None if service.role == "app" else enforcement(counters, measured.batch_s, level=level),
        caches=caches,
        link=link_result(counters, active, measured.batch_s, level=level) if is_limited else None,
        utilization_by_replication=None if each is None else tuple(each),
    )


def utilization(service: PlaneService, measured: Measured, number: int, *, level: float = 0.95) -> Estimate:
    """Busy cores of a service as a share of those that it has; no value without a limit.

    Parameters
    ----------
    number
        Of the service in the plane.
    level
        Confidence of the interval.
    """
    capacity = service.cores / len(service.replicas) * _active(measured, number)
    busy = measured.services[number]["busy_ns"] / (measured.batch_s * 1e9)
    return _used(busy, capacity, level).estimate


def _active(measured: Measured, number: int) -> npt.NDArray[np.float64]:
    """(R, M) mean number of replicas that got requests."""
    counted: npt.NDArray[np.float64] = measured.services[number]["replicas_ns"] / (measured.batch_s * 1e9)
    return counted.round(9)  # the length of a batch is rounded in binary


def _count(replicas: float) -> float:
    """A whole number unless it was changed on the way."""
    return round(replicas) if abs(replicas - round(replicas)) < 1e-9 else replicas


def _used(busy: npt.NDArray[np.float64], capacity: npt.NDArray[np.float64] | float, level: float) -> Statistic:
    """Share in use."""
    if np.isinf(capacity).any() or not np.all(capacity):
        return Statistic(_UNKNOWN, None)
    # a ratio of integrals: while there are few replicas, their utilization counts for little
    return ratio(busy, np.broadcast_to(capacity, busy.shape), level=level, most=1.0)


def _latency(measured: Measured, number: int, level: float) -> dict[str, Estimate]:
    counters, sojourns = measured.services[number], measured.sojourns(number)
    mean = ratio(counters["sojourn_ns"], counters["answered"] + counters["failed"], level=level, scale=1e-9)
    quantiles = {name: quantile(sojourns, quantile_share(name), level=level).estimate for name in QUANTITIES[1:]}
    return {"mean": mean.estimate, **quantiles}


def _memory(service: PlaneService, *, used: bool) -> int:
    one = service.memory_used_bytes if used and service.role == "proxy" else service.memory_bytes
    return one * len(service.replicas)


def totals(plane: Plane, measured: Measured, role: str, *, level: float = 0.95) -> Totals:
    """Sum up all services of a role (``app`` or ``proxy``)."""
    numbers = [number for number, service in enumerate(plane.services) if service.role == role]
    services: Sequence[PlaneService] = [plane.services[number] for number in numbers]
    active = [_active(measured, number) for number in numbers]
    busy = measured.services["busy_ns"][numbers].sum(axis=0) / (measured.batch_s * 1e9)
    idle = sum(service.idle_cores * found for service, found in zip(services, active, strict=True))
    shares = [float(found.mean()) / len(service.replicas) for service, found in zip(services, active, strict=True)]

    def together(amounts: Iterable[float]) -> float:
        return math.fsum(amount * share for amount, share in zip(amounts, shares, strict=True))

    held = _held(plane, measured, role)
    return Totals(
        replicas=_count(together(len(service.replicas) for service in services)),
        cores=per_batch(busy + idle, level=level),
        cores_requested=together(math.fsum(r.cores_requested for r in service.replicas) for service in services),
        memory_bytes=round(together(_memory(service, used=True) for service in services) + held),
        memory_requested_bytes=round(together(_memory(service, used=False) for service in services) + held),
    )


def _held(plane: Plane, measured: Measured, role: str) -> float:
    """Mean bytes in the caches of all services of a role, those that their replicas share among them."""
    roles = [service.role for service in plane.services for _ in service.caches]
    mine = [number for number, of in enumerate(roles) if of == role]
    return float(measured.caches["bytes_ns"][mine].sum()) * 1e-9 / measured.span_s
