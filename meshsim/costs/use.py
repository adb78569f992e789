"""What tenants used, as rates: of one replication, or of all together."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, fields

import numpy as np
import numpy.typing as npt

from meshsim.results.result import Result
from meshsim.results.usage import Use

Floats = npt.NDArray[np.float64]

QUANTITIES = tuple(field.name for field in fields(Use))


@dataclass(frozen=True, slots=True, eq=False)
class Rates:
    """What tenants used per second of measured time.

    Attributes
    ----------
    tenants
        In the order of their names; that of all arrays.
    stations
        By service or proxy, then by field of `meshsim.results.usage.Use`: (n,) per second.
    requests_per_s
        (n,) requests of clients.
    """

    tenants: tuple[str, ...]
    stations: Mapping[str, Mapping[str, Floats]]
    requests_per_s: Floats

    def of(self, station: str, quantity: str) -> Floats:
        """(n,) what tenants used of one station; zeros where nobody did."""
        found = self.stations.get(station)
        return np.zeros(len(self.tenants)) if found is None else found[quantity]

    def everywhere(self, quantity: str, stations: Sequence[str] | None = None) -> Floats:
        """(n,) the sum over some stations, or all."""
        names = self.stations if stations is None else stations
        found: Floats = np.sum([self.of(name, quantity) for name in names], axis=0) + np.zeros(len(self.tenants))
        return found


def measured_s(result: Result) -> float:
    """Measured seconds of one replication."""
    return result.manifest.duration_s - result.manifest.warmup_s


def rates_of(result: Result) -> tuple[Rates, list[Rates]]:
    """Give the mean of all replications, and each of them."""
    tenants = tuple(sorted(result.by_tenant))
    span_s, replications = measured_s(result), result.manifest.replications
    each = [
        Rates(
            tenants,
            {
                station: {name: _column(uses, name, tenants, one) / span_s for name in QUANTITIES}
                for station, uses in result.usage.items()
            },
            np.array([result.by_tenant[name].requests_by_replication[one] for name in tenants]) / span_s,
        )
        for one in range(replications)
    ]
    return mean_of(each), each


def mean_of(each: Sequence[Rates]) -> Rates:
    """The mean of several replications."""
    stations = {
        station: {name: np.mean([one.stations[station][name] for one in each], axis=0) for name in QUANTITIES}
        for station in each[0].stations
    }
    return Rates(each[0].tenants, stations, np.mean([one.requests_per_s for one in each], axis=0))


def _column(uses: Mapping[str, Use], quantity: str, tenants: Sequence[str], replication: int) -> Floats:
    values = [getattr(uses[name], quantity)[replication] if name in uses else 0.0 for name in tenants]
    return np.array(values, dtype=np.float64)


def peaks_of(result: Result) -> dict[str, Floats]:
    """(n,) cores that tenants asked for at most, by service or proxy, and of all together under ``""``."""
    tenants = sorted(result.by_tenant)
    return {
        station: np.array([peaks.get(name, 0.0) for name in tenants]) for station, peaks in result.peak_cores.items()
    }
