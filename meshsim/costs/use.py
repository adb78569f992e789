"""What was used, as rates, by account: of one replication, or of all together."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, fields

import numpy as np
import numpy.typing as npt

from meshsim.architectures.plane import Account
from meshsim.results.result import Result
from meshsim.results.usage import Use

Floats = npt.NDArray[np.float64]
Numbers = npt.NDArray[np.intp]

QUANTITIES = tuple(field.name for field in fields(Use))


@dataclass(frozen=True, slots=True, eq=False)
class Rates:
    """What was used per second of measured time, and by whom.

    Attributes
    ----------
    accounts
        Tenants with an entry endpoint that they call, by tenant, then by endpoint: the order of all arrays.
    stations
        By service or proxy, then by field of `meshsim.results.usage.Use`: (n,) per second.
    requests_per_s
        (n,) requests of clients.
    """

    accounts: tuple[Account, ...]
    stations: Mapping[str, Mapping[str, Floats]]
    requests_per_s: Floats

    @property
    def tenants(self) -> tuple[str, ...]:
        """In the order of their names."""
        return tuple(dict.fromkeys(account.tenant for account in self.accounts))

    @property
    def whose(self) -> Numbers:
        """(n,) number of each account's tenant."""
        number_of = {name: number for number, name in enumerate(self.tenants)}
        return np.array([number_of[account.tenant] for account in self.accounts], dtype=np.intp)

    def by_tenant(self, values: Floats) -> Floats:
        """(tenants,) sums of (n,) what accounts have."""
        return summed(values, self.whose)

    def of(self, station: str, quantity: str) -> Floats:
        """(n,) what was used of one station; zeros where nothing was."""
        found = self.stations.get(station)
        return np.zeros(len(self.accounts)) if found is None else found[quantity]

    def everywhere(self, quantity: str, stations: Sequence[str] | None = None) -> Floats:
        """(n,) the sum over some stations, or all."""
        names = self.stations if stations is None else stations
        found: Floats = np.sum([self.of(name, quantity) for name in names], axis=0) + np.zeros(len(self.accounts))
        return found


def summed(values: Floats, whose: Numbers) -> Floats:
    """(…, tenants) sums of (…, accounts): of each tenant, over the accounts that are its."""
    found = np.zeros((*values.shape[:-1], int(whose.max(initial=-1)) + 1))
    for account, tenant in enumerate(whose.tolist()):
        found[..., tenant] += values[..., account]
    return found


def measured_s(result: Result) -> float:
    """Measured seconds of one replication."""
    return result.manifest.duration_s - result.manifest.warmup_s


def rates_of(result: Result) -> tuple[Rates, list[Rates]]:
    """Give the mean of all replications, and each of them."""
    used, span_s = result.used, measured_s(result)
    each = [
        Rates(
            used.accounts,
            {
                station: {name: used.amounts[name][number, :, one] / span_s for name in QUANTITIES}
                for number, station in enumerate(used.stations)
            },
            used.requests[:, one] / span_s,
        )
        for one in range(result.manifest.replications)
    ]
    return mean_of(each), each


def mean_of(each: Sequence[Rates]) -> Rates:
    """The mean of several replications."""
    stations = {
        station: {name: np.mean([one.stations[station][name] for one in each], axis=0) for name in QUANTITIES}
        for station in each[0].stations
    }
    return Rates(each[0].accounts, stations, np.mean([one.requests_per_s for one in each], axis=0))


def peaks_of(result: Result, replication: int) -> dict[str, Floats]:
    """(tenants,) cores that tenants asked for at most in a replication, by service or proxy; of all under ``""``."""
    tenants = sorted(result.by_tenant)
    return {
        station: np.array([peaks[name][replication] if name in peaks else 0.0 for name in tenants])
        for station, peaks in result.peak_cores.items()
    }
