"""What each tenant used of each service and proxy: the truth that no bill can see."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, fields

import numpy as np
import numpy.typing as npt

from meshsim.architectures.plane import Plane
from meshsim.engines.record import BATCHES, Record

Floats = npt.NDArray[np.float64]


@dataclass(frozen=True, slots=True, eq=False)
class Use:
    """Of one service or proxy, by one tenant, in the measured time: an array (replications,) each.

    Attributes
    ----------
    requests
        Messages that reached a replica.
    cpu_s
        CPU that was asked for, in seconds of a whole core: with time enough, what was used.
    bytes_in, bytes_out
        Of these messages, and of the answers to them.
    zone_bytes_in, zone_bytes_out
        Of these, from and to another zone.
    client_bytes_in, client_bytes_out
        And from and to clients outside.
    present_s
        Seconds that messages were at a replica, waiting or served, of all together; counted when they leave.
    cache_byte_s
        Bytes of its caches that the tenant had filled, times how long they were held.
    """

    requests: Floats
    cpu_s: Floats
    bytes_in: Floats
    bytes_out: Floats
    zone_bytes_in: Floats
    zone_bytes_out: Floats
    client_bytes_in: Floats
    client_bytes_out: Floats
    present_s: Floats
    cache_byte_s: Floats

    def __add__(self, other: Use) -> Use:
        """Of both together."""
        return Use(*(getattr(self, one.name) + getattr(other, one.name) for one in fields(self)))


_COUNTED = (
    "requests", "bytes_in", "bytes_out", "zone_bytes_in", "zone_bytes_out", "client_bytes_in", "client_bytes_out",
)  # fmt: skip


def usage(plane: Plane, records: Sequence[Record], cut: int) -> Mapping[str, Mapping[str, Use]]:
    """Add up what tenants used.

    Parameters
    ----------
    plane
        What was simulated.
    records
        One of each replication.
    cut
        Batches of warm-up, which are left out.

    Returns
    -------
    Mapping
        By service or proxy, in the order of the plane, and by tenant, in the order of names.
    """
    counted = np.stack([record.tenants[:, :, cut:BATCHES] for record in records], axis=2)  # (V, T, R, M)
    held = _cache_byte_s(plane, records, cut)
    return {
        service.name: {
            tenant.name: _use(counted[number, at], held[number, at]) for at, tenant in enumerate(plane.tenants)
        }
        for number, service in enumerate(plane.services)
    }


def peak_cores(plane: Plane, records: Sequence[Record], cut: int) -> Mapping[str, Mapping[str, float]]:
    """Cores that each tenant asked for at most, in any batch of the measured time of any replication.

    Returns
    -------
    Mapping
        By service or proxy, and under ``""`` of all together, whose peak is not the sum of theirs; then by tenant.
    """
    batch_ns = records[0].duration_ns / BATCHES
    asked = np.stack([record.tenants["demand_ns"][:, :, cut:BATCHES] for record in records], axis=2) / batch_ns
    by_service = {service.name: asked[number] for number, service in enumerate(plane.services)}
    return {
        name: {tenant.name: float(cores[at].max()) for at, tenant in enumerate(plane.tenants)}
        for name, cores in {**by_service, "": asked.sum(axis=0)}.items()
    }


def _use(counted: npt.NDArray[np.void], cache_byte_s: Floats) -> Use:
    sums = {name: counted[name].sum(axis=1).astype(np.float64) for name in _COUNTED}
    return Use(
        cpu_s=counted["demand_ns"].sum(axis=1) * 1e-9,
        present_s=counted["present_ns"].sum(axis=1) * 1e-9,
        cache_byte_s=cache_byte_s,
        **sums,
    )


def _cache_byte_s(plane: Plane, records: Sequence[Record], cut: int) -> Floats:
    """(services, tenants, replications)."""
    found = np.zeros((len(plane.services), len(plane.tenants), len(records)))
    number_of = {tenant.name: at for at, tenant in enumerate(plane.tenants)}
    owners = [number_of[stream.tenant] for stream, _ in plane.entries]
    caches = [number for number, service in enumerate(plane.services) for _ in service.caches]
    for replication, record in enumerate(records):
        for cache, service in enumerate(caches):
            byte_s = record.caches[cache, :, cut:BATCHES]["bytes_ns"].sum(axis=1) * 1e-9
            np.add.at(found[service, :, replication], owners, byte_s)
    return found
