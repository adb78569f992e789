"""What each tenant used of each service and proxy, by entry endpoint: the truth that no bill can see."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, fields
from functools import cached_property

import numpy as np
import numpy.typing as npt

from meshsim.architectures.plane import Account, Plane
from meshsim.engines.record import BATCHES, Record
from meshsim.results.measured import Measured

Floats = npt.NDArray[np.float64]


@dataclass(frozen=True, slots=True, eq=False)
class Use:
    """Of one service or proxy, by one tenant or account of its, in the measured time: an array (replications,) each.

    Attributes
    ----------
    requests
        Messages that reached a replica.
    cpu_s
        CPU that was asked for, in seconds of a whole core: with time enough, what was used. In overload it is the
        demand that was placed, which is more than there are cores to do in the measured time.
    bytes_in, bytes_out
        Of these messages, and of the answers to them.
    zone_bytes_in, zone_bytes_out
        Of these, from and to another zone.
    client_bytes_in, client_bytes_out
        And from and to clients outside.
    present_s
        Seconds that messages were at a replica, waiting or served, of all together; counted when they leave.
    cache_byte_s
        Bytes of its caches that it had filled, times how long they were held.
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


@dataclass(frozen=True, eq=False)  # without slots, for what is cached
class Usage:
    """What was used, in the measured time.

    Attributes
    ----------
    stations
        Services and proxies, in the order of the plane.
    accounts
        Tenants with an entry endpoint, by tenant, then by endpoint.
    amounts
        By field of `Use`: (stations, accounts, replications).
    requests
        (accounts, replications) of clients.
    latency_s
        (accounts,) mean over their answered requests, of all replications together; 0 where there were none.
    """

    stations: tuple[str, ...]
    accounts: tuple[Account, ...]
    amounts: Mapping[str, Floats]
    requests: Floats
    latency_s: Floats

    @cached_property
    def by_account(self) -> Mapping[str, Mapping[Account, Use]]:
        """By service or proxy, then by account."""
        return {
            station: {
                account: Use(**{name: amounts[number, at] for name, amounts in self.amounts.items()})
                for at, account in enumerate(self.accounts)
            }
            for number, station in enumerate(self.stations)
        }

    @cached_property
    def by_tenant(self) -> Mapping[str, Mapping[str, Use]]:
        """By service or proxy, then by tenant: the sum over its accounts."""
        found: dict[str, dict[str, Use]] = {}
        for station, uses in self.by_account.items():
            of_tenants = found.setdefault(station, {})
            for account, use in uses.items():
                before = of_tenants.get(account.tenant)
                of_tenants[account.tenant] = use if before is None else before + use
        return found


_WHOLE = (
    "requests", "bytes_in", "bytes_out", "zone_bytes_in", "zone_bytes_out", "client_bytes_in", "client_bytes_out",
)  # fmt: skip
_TIMES = {"cpu_s": "demand_ns", "present_s": "present_ns"}


def usage(plane: Plane, measured: Measured, records: Sequence[Record], cut: int) -> Usage:
    """Add up what was used.

    Parameters
    ----------
    plane
        What was simulated.
    measured
        All replications together.
    records
        One of each replication.
    cut
        Batches of warm-up, which are left out.
    """
    amounts = {name: _summed(plane, records, name, cut) for name in _WHOLE}
    amounts |= {name: _summed(plane, records, counter, cut) * 1e-9 for name, counter in _TIMES.items()}
    amounts["cache_byte_s"] = _cache_byte_s(plane, records, cut)
    numbers = plane.account_numbers
    streams = [[i for i, one in enumerate(numbers) if one == account] for account in range(len(plane.accounts))]
    answered = np.array([measured.answered(mine).sum() for mine in streams], dtype=np.float64)
    latency_s = np.array([measured.latency_ns[mine].sum() * 1e-9 for mine in streams])
    return Usage(
        stations=tuple(service.name for service in plane.services),
        accounts=plane.accounts,
        amounts=amounts,
        requests=np.array([measured.all_requests(mine).sum(axis=1) for mine in streams], dtype=np.float64),
        latency_s=latency_s / np.maximum(answered, 1.0),
    )


def peak_cores(plane: Plane, records: Sequence[Record], cut: int) -> Mapping[str, Mapping[str, Floats]]:
    """Cores that each tenant asked for at most in any batch of the measured time, by replication.

    Returns
    -------
    Mapping
        By service or proxy, and under ``""`` of all together, whose peak is not the sum of theirs; then by tenant:
        (replications,).
    """
    batch_ns = records[0].duration_ns / BATCHES
    whose = np.array([plane.senders.index(account.tenant) for account in plane.accounts])
    peaks = np.zeros((len(plane.services) + 1, len(plane.tenants), len(records)))
    for replication, record in enumerate(records):
        asked = np.zeros((len(plane.services), len(plane.tenants), BATCHES - cut), dtype=np.int64)
        services, accounts = record.account_pairs.T
        np.add.at(asked, (services, whose[accounts]), record.accounts["demand_ns"][:, cut:BATCHES])
        together = asked.sum(axis=0, keepdims=True)
        peaks[:, :, replication] = np.concatenate([asked, together]).max(axis=2) / batch_ns
    names = (*(service.name for service in plane.services), "")
    return {name: dict(zip(plane.senders, rows, strict=True)) for name, rows in zip(names, peaks, strict=True)}


def _summed(plane: Plane, records: Sequence[Record], counter: str, cut: int) -> Floats:
    """(services, accounts, replications) of a counter."""
    found = np.zeros((len(plane.services), len(plane.accounts), len(records)))
    for replication, record in enumerate(records):
        services, accounts = record.account_pairs.T
        found[services, accounts, replication] = record.accounts[counter][:, cut:BATCHES].sum(axis=1)
    return found


def _cache_byte_s(plane: Plane, records: Sequence[Record], cut: int) -> Floats:
    """(services, accounts, replications)."""
    found = np.zeros((len(plane.services), len(plane.accounts), len(records)))
    owners = list(plane.account_numbers)
    caches = [number for number, service in enumerate(plane.services) for _ in service.caches]
    for replication, record in enumerate(records):
        for cache, service in enumerate(caches):
            byte_s = record.caches[cache, :, cut:BATCHES]["bytes_ns"].sum(axis=1) * 1e-9
            np.add.at(found[service, :, replication], owners, byte_s)
    return found
