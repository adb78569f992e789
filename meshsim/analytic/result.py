"""What an estimate says."""

from __future__ import annotations

import math
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, field
from functools import cached_property
from typing import TYPE_CHECKING, Any, Final, Literal

import numpy as np

from meshsim.analytic.grid import Grid
from meshsim.results.intervals import Floats, finite
from meshsim.results.text import duration, number, percent, table

if TYPE_CHECKING:
    import pandas as pd

SCHEMA_VERSION: Final = 1
QUANTILES: Final = {"p50": 0.5, "p90": 0.9, "p95": 0.95, "p99": 0.99, "p99.9": 0.999}
APPROXIMATE: Final = "approximate: no simulation"

Scope = Literal["total", "tenant", "stream"]


@dataclass(frozen=True)
class Curve:
    """A distribution of latency, worked out when it is first asked for."""

    mean_s: float
    variance_s2: float
    solve: Callable[[], tuple[Grid, float, Floats]] = field(repr=False)

    @cached_property
    def solved(self) -> tuple[Floats, Floats]:
        """Times, and the share of requests that take no longer."""
        grid, origin, done = self.solve()
        times: Floats = origin + grid.step_s * (np.arange(grid.steps, dtype=np.float64) + 0.5)
        return times, done

    def below(self, limit_s: float) -> float:
        """Share of the requests that take no longer."""
        if math.isinf(self.mean_s):
            return 0.0
        times, done = self.solved
        return float(np.interp(limit_s, times, done, left=0.0, right=1.0))


@dataclass(frozen=True)
class Latency:
    """Latency of answered requests: a mix of distributions with their shares."""

    parts: tuple[tuple[float, Curve], ...]

    @property
    def mean_s(self) -> float:
        """Mean; infinite where something on the way is unstable."""
        return math.fsum(weight * part.mean_s for weight, part in self.parts)

    @property
    def variance_s2(self) -> float:
        """Variance."""
        if math.isinf(self.mean_s):
            return math.inf
        square = math.fsum(weight * (part.variance_s2 + part.mean_s**2) for weight, part in self.parts)
        return square - self.mean_s**2

    def share_below(self, limit_s: float) -> float:
        """Share of the requests that take no longer than a limit in seconds."""
        return math.fsum(weight * part.below(limit_s) for weight, part in self.parts)

    def quantile_s(self, q: float) -> float:
        """Time that a share `q` of the requests does not exceed."""
        if not self.parts:
            return math.nan
        if math.fsum(weight for weight, part in self.parts if math.isfinite(part.mean_s)) <= q:
            return math.inf
        known = [part for _, part in self.parts if math.isfinite(part.mean_s)]
        if len(self.parts) == 1:
            times, done = known[0].solved
            return max(0.0, float(np.interp(q, done, times)))
        low, high = 0.0, max(float(part.solved[0][-1]) for part in known)
        for _ in range(50):
            middle = 0.5 * (low + high)
            low, high = (middle, high) if self.share_below(middle) < q else (low, middle)
        return high

    @cached_property
    def quantiles_s(self) -> dict[str, float]:
        """Those of `QUANTILES` by name."""
        return {name: self.quantile_s(q) for name, q in QUANTILES.items()}


@dataclass(frozen=True, slots=True)
class StationEstimate:
    """A service or proxy.

    Attributes
    ----------
    requests_per_s
        Messages to all of its replicas.
    offered_cores, cores
        CPU that they ask for, and that there is; inf: unlimited.
    utilisation
        Of its busiest replicas.
    wait_s
        What a visit waits for the CPU, on average.
    sojourn_s, sojourn_variance_s2
        What it spends working and waiting for the CPU: mean and variance, calls and other waits not counted.
    unlucky
        Share of its visits that meet a queue which the luck of pinned connections overloads: these are in no latency
        of the estimate.
    """

    name: str
    role: str
    replicas: int
    requests_per_s: float
    offered_cores: float
    cores: float
    utilisation: float
    wait_s: float
    sojourn_s: float
    sojourn_variance_s2: float
    unlucky: float = 0.0

    def row(self) -> dict[str, Any]:
        """Fields as JSON's types."""
        return {name: _plain(getattr(self, name)) for name in self.__slots__}


@dataclass(frozen=True, slots=True)
class StreamEstimate:
    """Requests of a stream, a tenant or all: how many, how many of them succeed, and how long they take."""

    name: str
    tenant: str
    requests_per_s: float
    availability: float
    latency: Latency

    def row(self) -> dict[str, Any]:
        """Fields as JSON's types."""
        return {
            "requests_per_s": self.requests_per_s,
            "availability": self.availability,
            "mean_s": _plain(self.latency.mean_s),
            **{f"{name}_s": _plain(value) for name, value in self.latency.quantiles_s.items()},
        }


@dataclass(frozen=True)
class Estimate:
    """What a topology under an architecture is thought to do, without simulation.

    Attributes
    ----------
    replicas
        Of applications, by name.
    stations, streams
        By name.
    unstable
        Stations that are asked for all that they have, or more.
    notes
        What was left out, or taken for granted.
    """

    topology: str
    architecture: str
    replicas: dict[str, int]
    stations: dict[str, StationEstimate]
    streams: dict[str, StreamEstimate]
    unstable: tuple[str, ...]
    notes: tuple[str, ...]

    @cached_property
    def total(self) -> StreamEstimate:
        """All requests."""
        return _together("all", "", list(self.streams.values()))

    @cached_property
    def tenants(self) -> dict[str, StreamEstimate]:
        """Requests of each tenant."""
        names = sorted({one.tenant for one in self.streams.values()})
        return {name: _together(name, name, [s for s in self.streams.values() if s.tenant == name]) for name in names}

    @property
    def latency(self) -> Latency:
        """Of all requests."""
        return self.total.latency

    @property
    def availability(self) -> float:
        """Of all requests, as far as steps `fail` say it; 1 where they do not."""
        return self.total.availability

    def share_below(self, limit_s: float) -> float:
        """Share of all requests that take no longer than a limit in seconds."""
        return self.latency.share_below(limit_s)

    def rows(self) -> Iterator[dict[str, Any]]:
        """A row a number: scope, name, quantity, value."""
        for scope, name, one in self.requests():
            for quantity, value in one.row().items():
                yield {"scope": scope, "name": name, "quantity": quantity, "value": value}
        for name, station in self.stations.items():
            for quantity, value in station.row().items():
                if quantity not in ("name", "role"):
                    yield {"scope": "station", "name": name, "quantity": quantity, "value": value}

    def requests(self) -> Iterator[tuple[Scope, str, StreamEstimate]]:
        """All, tenants, streams."""
        yield "total", "all", self.total
        yield from (("tenant", name, one) for name, one in self.tenants.items())
        yield from (("stream", name, one) for name, one in self.streams.items())

    def frame(self) -> pd.DataFrame:
        """Tidy table: a row a number.

        Returns
        -------
        pandas.DataFrame
            Columns scope (total, tenant, stream or station), name, quantity (its unit at its end) and value (None:
            infinite).
        """
        import pandas as pd

        return pd.DataFrame(list(self.rows()))

    def to_dict(self) -> dict[str, Any]:
        """Everything, as JSON's types; what is infinite is None."""
        return {
            "schema_version": SCHEMA_VERSION,
            "approximate": True,
            "topology": self.topology,
            "architecture": self.architecture,
            "replicas": self.replicas,
            "total": self.total.row(),
            "tenants": {name: one.row() for name, one in self.tenants.items()},
            "streams": {name: {"tenant": one.tenant, **one.row()} for name, one in self.streams.items()},
            "stations": {name: one.row() for name, one in self.stations.items()},
            "unstable": list(self.unstable),
            "notes": list(self.notes),
        }

    def headline(self) -> str:
        """What it is of, and that it is no simulation."""
        return f"{self.topology} · {self.architecture} · {APPROXIMATE}"

    def tables(self) -> Iterator[tuple[str, list[list[str]]]]:
        """Titles and tables of text: requests, and stations."""
        rows = [["requests of", "requests/s", "mean", *QUANTILES, "availability"]]
        several = len(self.streams) > 1
        for scope, name, one in self.requests():
            if scope == "total" or (several and (scope == "stream" or len(self.tenants) > 1)):
                told = [number(one.requests_per_s), _time(one.latency.mean_s)]
                told += [_time(value) for value in one.latency.quantiles_s.values()]
                title = "all" if scope == "total" else f"{scope} {name}"
                lasting = math.isfinite(one.latency.mean_s)
                rows.append([title, *told, percent(one.availability) if lasting else "unknown"])
        yield "Latency of answered requests:", rows
        stations = [["station", "replicas", "requests/s", "cores asked", "of", "utilisation", "wait a visit", "at it"]]
        stations += [_station_row(station) for station in self.stations.values() if station.role != "library"]
        yield (
            "Stations, the busiest replicas' utilisation, and what a visit waits for the CPU and spends on it:",
            stations,
        )

    def sentences(self) -> Sequence[str]:
        """What stands under the tables."""
        told = [f"unstable: {', '.join(self.unstable)} (asked for all that there is, or more)"] if self.unstable else []
        return [*told, *(f"note: {note}" for note in self.notes)]

    def summary(self) -> str:
        """One screen of text."""
        lines = [self.headline()]
        for title, rows in self.tables():
            lines += ["", title, *table(rows)]
        told = self.sentences()
        return "\n".join([*lines, *([""] if told else []), *told])

    def __repr__(self) -> str:
        return f"<Estimate {self.topology} · {self.architecture}: mean {_time(self.latency.mean_s)}, {APPROXIMATE}>"


def _together(name: str, tenant: str, streams: list[StreamEstimate]) -> StreamEstimate:
    rate = math.fsum(one.requests_per_s for one in streams)
    weights = [one.requests_per_s / rate if rate > 0.0 else 1.0 / len(streams) for one in streams]
    pairs = list(zip(weights, streams, strict=True))
    parts = tuple((w * share, curve) for w, one in pairs for share, curve in one.latency.parts if w > 0.0)
    return StreamEstimate(name, tenant, rate, math.fsum(w * one.availability for w, one in pairs), Latency(parts))


def _station_row(one: StationEstimate) -> list[str]:
    return [
        one.name,
        str(one.replicas),
        number(one.requests_per_s),
        number(one.offered_cores),
        "unlimited" if math.isinf(one.cores) else number(one.cores),
        "" if math.isinf(one.cores) else percent(one.utilisation),
        _time(one.wait_s),
        _time(one.sojourn_s),
    ]


def _time(seconds: float) -> str:
    return "∞" if math.isinf(seconds) else duration(seconds)


def _plain(value: Any) -> Any:
    return finite(value) if isinstance(value, float) else value
