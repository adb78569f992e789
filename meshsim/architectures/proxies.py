"""Proxies as services: the profile's costs with the user's changes, and the replicas that they stand on."""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import Literal, TypeVar

from meshsim.architectures.plane import PlaneService, PlaneStep, ProxyWork, Replica
from meshsim.architectures.profiles import ProxyKind, ProxyProfile, find_profile
from meshsim.model.caches import ProxyCache
from meshsim.model.disciplines import Line
from meshsim.model.distributions import Distribution, constant
from meshsim.model.proxies import CpuFall, Filter, ProxyConfig

T = TypeVar("T")


@dataclass(frozen=True, slots=True)
class ProxySettings:
    """A proxy's costs, resolved: what the user said, else what its profile says.

    `cpu_one_way` is CPU (seconds) before forwarding, and the same again on the way back. `cores` are those that one
    replica can really use: a worker thread runs on at most one.
    """

    cpu_one_way: Distribution
    cpu_falls: CpuFall | None
    cpu_per_kib_s: tuple[float, float]
    tls_handshake_s: float
    idle_cores: float
    threads: int | None
    cores: float
    cores_requested: float
    replicas: int  # the most that there may be
    begins: int | None  # how many there are at first; None: all
    memory_bytes: int
    memory_base_bytes: int
    memory_per_cluster_bytes: int
    memory_per_endpoint_bytes: int
    memory_per_connection_bytes: int
    cache: ProxyCache | None
    filters: tuple[Filter, ...]
    is_scoped: bool
    discipline: Line
    bulkhead: int | None
    buffers_bytes: int | None
    bandwidth_bytes_per_s: float | None

    def steps(self, inner: tuple[PlaneStep, ...]) -> tuple[PlaneStep, ...]:
        """Work, do what there is to do with the request, work on the answer."""
        request_kib_s, response_kib_s = self.cpu_per_kib_s
        return (
            ProxyWork(self.cpu_one_way, request_kib_s, self.tls_handshake_s, "request", self.cpu_falls),
            *inner,
            ProxyWork(self.cpu_one_way, response_kib_s, 0.0, "response", self.cpu_falls),
        )


def proxy_settings(config: ProxyConfig, kind: ProxyKind) -> ProxySettings:
    """Resolve `config` against its profile.

    Raises
    ------
    UsageError
        The profile is unknown or has no such proxy.
    """
    profile = find_profile(config.profile, kind)
    threads = _threads(config, profile)
    limit = config.cpu.limit if config.cpu else profile.cpu_limit
    usable = math.inf if threads is None else float(threads)
    falls = _or(config.cpu_falls, profile.cpu_falls)
    per_request = config.cpu_per_request or constant(profile.cpu_per_request_s)
    return ProxySettings(
        cpu_one_way=per_request.scaled(0.5),  # each way draws for itself: the mean is that of one whole draw
        cpu_falls=falls if falls is not None and falls.exponent else None,
        cpu_per_kib_s=_or(config.cpu_per_kib_s, profile.cpu_per_kib_s),
        tls_handshake_s=_or(config.tls_handshake_s, profile.tls_handshake_s),
        idle_cores=profile.idle_cores,
        threads=threads,
        cores=usable if limit is None else min(limit, usable),
        cores_requested=config.cpu.request if config.cpu else profile.cpu_request,
        replicas=_or(config.replicas, profile.replicas) if config.autoscale is None else config.autoscale.max,
        begins=None if config.autoscale is None else config.replicas,
        memory_bytes=_or(config.memory_bytes, profile.memory_bytes),
        memory_base_bytes=_or(config.memory_base_bytes, profile.memory_base_bytes),
        memory_per_cluster_bytes=_or(config.memory_per_cluster_bytes, profile.memory_per_cluster_bytes),
        memory_per_endpoint_bytes=_or(config.memory_per_endpoint_bytes, profile.memory_per_endpoint_bytes),
        memory_per_connection_bytes=_or(config.memory_per_connection_bytes, profile.memory_per_connection_bytes),
        cache=config.cache,
        filters=config.filters,
        is_scoped=config.knows == "called",
        discipline=config.discipline,
        bulkhead=config.bulkhead,
        buffers_bytes=config.buffers_bytes,
        bandwidth_bytes_per_s=config.bandwidth_bytes_per_s,
    )


def proxy_service(
    name: str,
    settings: ProxySettings,
    places: list[tuple[int, int]],
    endpoints: dict[str, tuple[PlaneStep, ...]],
    origin: str,
    role: Literal["proxy", "library"] = "proxy",
) -> PlaneService:
    """Make the service: a replica at each (node, zone) of `places`, FIFO threads, no limit on what is under way."""
    replicas = tuple(
        Replica(0, cores=settings.cores, cores_requested=settings.cores_requested, node=node, zone=zone)
        for node, zone in places
    )
    return PlaneService(
        name=name,
        role=role,
        origin=origin,
        replicas=replicas,
        versions=("",),
        split=None,
        discipline=settings.discipline,
        bulkhead=settings.bulkhead,
        buffers_bytes=settings.buffers_bytes,
        bandwidth_bytes_per_s=settings.bandwidth_bytes_per_s,
        begins=settings.begins,
        threads=settings.threads,
        concurrency=None,
        queue=None,
        endpoints={endpoint: (endpoints[endpoint],) for endpoint in sorted(endpoints)},
        memory_bytes=settings.memory_bytes,
        idle_cores=settings.idle_cores,
        is_scoped=settings.is_scoped,
        caches=() if settings.cache is None or role == "library" else (settings.cache.cache,),
    )


def _threads(config: ProxyConfig, profile: ProxyProfile) -> int | None:
    """Worker threads: as the user says; else, as Istio does, the CPU limit rounded up; else the profile's."""
    if config.threads is not None:
        return None if config.threads == "unlimited" else config.threads
    if profile.threads is None or config.cpu is None or config.cpu.limit is None:
        return profile.threads
    return max(1, math.ceil(config.cpu.limit))


def _or(given: T | None, default: T) -> T:
    return default if given is None else given
