"""What is deployed: what services, proxies and the control plane request, and who uses it."""

from __future__ import annotations

import math
from dataclasses import dataclass, replace
from typing import Final

import numpy as np
import numpy.typing as npt

from meshsim.architectures.plane import PlaneService
from meshsim.architectures.rewrites import ZTUNNEL, beside_whom, is_sidecar, sidecar_of
from meshsim.costs.lines import GIB
from meshsim.costs.needs import Fixed, Needs, Whole
from meshsim.costs.use import Rates
from meshsim.model.topology import Topology
from meshsim.results.result import Result

Floats = npt.NDArray[np.float64]

#: Of Istio: 1 vCPU and 1.5 GB for 1,000 services and 2,000 sidecars, with namespaces isolated from each other
#: (istio.io, performance and scalability). Never less than one of these, and as many as the larger share asks for.
SERVICES_PER_ISTIOD: Final = 1000
PROXIES_PER_ISTIOD: Final = 2000
ISTIOD_CORES: Final = 1.0
ISTIOD_BYTES: Final = 1.5e9


@dataclass(frozen=True, slots=True, eq=False)
class Station:
    """A service or proxy.

    Attributes
    ----------
    name, is_app
        Of the service or proxy, and which of the two it is.
    replicas
        How many; the mean over time where control processes changed it.
    cores, base_gib
        Requested by all replicas together, without what caches hold.
    used_cores, held_gib
        (n,) CPU that payers use, and what caches hold for them.
    shares
        (n,) of the work of its pods (a sidecar is in the pod of its service); zeros where there is none.
    """

    name: str
    is_app: bool
    replicas: float
    cores: float
    base_gib: float
    used_cores: Floats
    held_gib: Floats
    shares: Floats

    @property
    def count(self) -> int:
        """Whole replicas."""
        return max(1, round(self.replicas))

    @property
    def is_daemon(self) -> bool:
        """Each node has one."""
        return self.name == ZTUNNEL

    @property
    def has_pod(self) -> bool:
        """It is scheduled by itself: neither on every node nor in the pod of another."""
        return not self.is_daemon and not is_sidecar(self.name)

    @property
    def gib(self) -> float:
        """All memory."""
        return self.base_gib + float(self.held_gib.sum())

    def whole(self, amount: float) -> Needs:
        """Whole replicas for the work of a coalition; of what nobody uses, all of it for anybody."""
        return Whole(amount, self.count, self.shares) if self.shares.any() else Fixed(amount)

    def on(self, nodes: int) -> Station:
        """The same daemon on another number of nodes."""
        scale = nodes / self.replicas
        return replace(self, replicas=float(nodes), cores=self.cores * scale, base_gib=self.base_gib * scale)


@dataclass(frozen=True, slots=True)
class Istiod:
    """The control plane."""

    replicas: int
    cores: float
    memory_bytes: float


def station_of(service: PlaneService, result: Result, rates: Rates) -> Station:
    """What a service or proxy requests, and who uses it."""
    found = result.by_service[service.name]
    # what is requested beside the caches is the same in every replication
    held = math.fsum(cache.bytes.value or 0.0 for cache in found.caches.values()) / GIB
    pod = beside_whom(service.name)
    work = rates.of(pod, "cpu_s") + rates.of(sidecar_of(pod), "cpu_s")
    requested = math.fsum(replica.cores_requested for replica in service.replicas)
    return Station(
        name=service.name,
        is_app=service.role == "app",
        replicas=found.replicas,
        cores=requested * found.replicas / len(service.replicas),
        base_gib=max(found.memory_requested_bytes / GIB - held, 0.0),
        used_cores=rates.of(service.name, "cpu_s"),
        held_gib=rates.of(service.name, "cache_byte_s") / GIB,
        shares=work / work.sum() if work.sum() > 0 else np.zeros(len(rates.accounts)),
    )


def istiod_of(topology: Topology, result: Result) -> Istiod | None:
    """As much control plane as services and proxies ask for; none where there is no proxy to tell anything."""
    proxies = sum(result.by_service[s.name].replicas for s in result.plane.services if s.role == "proxy")
    if not proxies:
        return None
    asked = max(len(topology.services) / SERVICES_PER_ISTIOD, proxies / PROXIES_PER_ISTIOD)
    replicas = max(1, math.ceil(asked - 1e-9))
    cores = max(replicas * ISTIOD_CORES, topology.control_plane.cores)
    return Istiod(replicas, cores, replicas * ISTIOD_BYTES)
