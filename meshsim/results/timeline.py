"""A run over time: what requests met and what services did, batch by batch, and what happened meanwhile.

Numbers of a result are of the whole run. Where events changed something on its way, these tell when.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Final

import numpy as np
import numpy.typing as npt

from meshsim.architectures.plane import Plane
from meshsim.engines.record import BATCHES, DEGRADED, OK, OUTCOMES, UNFINISHED, Record
from meshsim.results import histogram
from meshsim.results.happenings import Happened, Incident, Spread, incident, merged, spreads
from meshsim.results.intervals import Estimate, finite, per_batch, share

if TYPE_CHECKING:
    import pandas as pd

Floats = npt.NDArray[np.float64]
Ints = npt.NDArray[np.int64]

QUANTILES: Final = {"p50": 0.5, "p99": 0.99}
_LEAST_BEYOND: Final = 1.0  # requests expected beyond a quantile: with fewer it is the slowest of all
_RATES: Final = ("requests_per_s", "failed_per_s", "retries_per_s")
_NUMBERS: Final = (*_RATES, "utilization", "working_replicas")


@dataclass(frozen=True, slots=True, eq=False)
class TrafficLine:
    """Requests of a tenant, or all, by the batch in which they arrived: a number a batch, of all replications.

    Attributes
    ----------
    requests
        That arrived.
    outcomes
        How many ended how: all outcomes that there were.
    error_share
        Share that was not answered ok or degraded, with its interval over replications (none with one).
    error_minutes
        Minutes, each counted by the share of its requests that failed, with its interval over replications.
    latency_s, latency_all_s
        By quantity (``p50``, ``p99``): of good requests, and of all (failed ones with the time until they failed,
        unfinished ones infinitely slow). nan where there are too few requests for it: 2 for p50, 100 for p99.
    """

    requests: tuple[int, ...]
    outcomes: dict[str, tuple[int, ...]]
    error_share: tuple[Estimate, ...]
    error_minutes: Estimate
    latency_s: dict[str, Floats]
    latency_all_s: dict[str, Floats]

    @property
    def good(self) -> tuple[int, ...]:
        """Answered ok or degraded."""
        zero = (0,) * len(self.requests)
        ok, degraded = (self.outcomes.get(OUTCOMES[code], zero) for code in (OK, DEGRADED))
        return tuple(a + b for a, b in zip(ok, degraded, strict=True))

    @property
    def failed(self) -> dict[str, tuple[int, ...]]:
        """The others, by outcome."""
        good = {OUTCOMES[OK], OUTCOMES[DEGRADED]}
        return {name: counts for name, counts in self.outcomes.items() if name not in good}

    def to_dict(self) -> dict[str, object]:
        """For JSON: lists with a number a batch; null is unknown or infinite."""
        ends = ("value", "low", "high")
        return {
            "requests": list(self.requests),
            "good": list(self.good),
            "outcomes": {name: list(counts) for name, counts in self.outcomes.items()},
            "error_share": {end: [finite(getattr(one, end)) for one in self.error_share] for end in ends},
            "error_minutes": {end: getattr(self.error_minutes, end) for end in ends},
            "latency_s": {name: _listed(values) for name, values in self.latency_s.items()},
            "latency_all_s": {name: _listed(values) for name, values in self.latency_all_s.items()},
        }

    @classmethod
    def from_dict(cls, data: Mapping[str, Any]) -> TrafficLine:
        """Read back what `to_dict` gave."""
        ends = zip(*(data["error_share"][end] for end in ("value", "low", "high")), strict=True)
        minutes = data["error_minutes"]
        return cls(
            tuple(data["requests"]),
            {name: tuple(counts) for name, counts in data["outcomes"].items()},
            tuple(Estimate(value, low, high, 0, "read from JSON") for value, low, high in ends),
            Estimate(minutes["value"], minutes["low"], minutes["high"], 0, "read from JSON"),
            {name: _array(values) for name, values in data["latency_s"].items()},
            {name: _array(values) for name, values in data["latency_all_s"].items()},
        )


@dataclass(frozen=True, slots=True, eq=False)
class ServiceLine:
    """A service or proxy, all its replicas together: a number a batch, mean over replications.

    Attributes
    ----------
    requests_per_s
        Messages that reached a replica.
    failed_per_s
        That it answered with a failure, or turned away.
    retries_per_s
        Tries after the first, as an enforcer of policies.
    utilization
        Busy cores as a share of those that there are; nan without a limit. Replicas that are down count as there.
    working_replicas
        Replicas that are ready and up, and have a CPU that does not stand still.
    hit_ratio
        By cache: of the caches that were asked. nan in batches without lookups.
    """

    requests_per_s: Floats
    failed_per_s: Floats
    retries_per_s: Floats
    utilization: Floats
    working_replicas: Floats
    hit_ratio: dict[str, Floats]

    def to_dict(self) -> dict[str, object]:
        """For JSON: lists with a number a batch; null is unknown."""
        caches = {name: _listed(values) for name, values in self.hit_ratio.items()}
        return {
            **{name: _listed(getattr(self, name)) for name in _NUMBERS},
            **({"hit_ratio": caches} if caches else {}),
        }

    @classmethod
    def from_dict(cls, data: Mapping[str, Any]) -> ServiceLine:
        """Read back what `to_dict` gave."""
        caches = {name: _array(values) for name, values in data.get("hit_ratio", {}).items()}
        return cls(**{name: _array(data[name]) for name in _NUMBERS}, hit_ratio=caches)


@dataclass(frozen=True, slots=True, eq=False)
class Timeline:
    """The time axis of a run with events or control processes.

    Attributes
    ----------
    edges_s
        Of the batches, in seconds of the run: one more than there are batches, which are equally long.
    warmup_s
        How much of it other numbers of the result leave out; the time axis has all of it.
    replications
        How many there were.
    total, by_tenant, by_service
        See `TrafficLine` and `ServiceLine`; proxies are services too.
    happenings
        What control processes did and found, in the order of their times.
    pushes
        How far each push of configuration had come, by the name of its event.
    incident
        How long it took until it was noticed, mitigated and over; None if nothing began.
    """

    edges_s: Floats
    warmup_s: float
    replications: int
    total: TrafficLine
    by_tenant: dict[str, TrafficLine]
    by_service: dict[str, ServiceLine]
    happenings: tuple[Happened, ...]
    pushes: dict[str, Spread]
    incident: Incident | None

    def to_dict(self) -> dict[str, object]:
        """For JSON; without `happenings`, which have a key of their own beside this one."""
        return {
            "edges_s": _listed(self.edges_s),
            "warmup_s": self.warmup_s,
            "replications": self.replications,
            "total": self.total.to_dict(),
            "by_tenant": {name: line.to_dict() for name, line in self.by_tenant.items()},
            "by_service": {name: line.to_dict() for name, line in self.by_service.items()},
            "pushes": {name: spread.to_dict() for name, spread in self.pushes.items()},
            "incident": None if self.incident is None else self.incident.to_dict(),
        }

    @classmethod
    def from_dict(cls, data: Mapping[str, Any], happenings: Sequence[Mapping[str, Any]]) -> Timeline:
        """Read back what `to_dict` gave, and what stands beside it."""
        found = data["incident"]
        return cls(
            _array(data["edges_s"]),
            data["warmup_s"],
            data["replications"],
            TrafficLine.from_dict(data["total"]),
            {name: TrafficLine.from_dict(line) for name, line in data["by_tenant"].items()},
            {name: ServiceLine.from_dict(line) for name, line in data["by_service"].items()},
            tuple(Happened(**one) for one in happenings),
            {name: Spread(tuple(one["at_s"]), tuple(one["share"])) for name, one in data["pushes"].items()},
            None if found is None else Incident.from_dict(found),
        )

    def frame(self) -> pd.DataFrame:
        """Tidy table: a row a number and batch.

        Returns
        -------
        pandas.DataFrame
            Columns scope (``total``, ``tenant``, ``service``), name, quantity, start_s, end_s, value, low, high.
        """
        import pandas as pd

        lines = [("total", "", self.total), *(("tenant", *item) for item in self.by_tenant.items())]
        series = [(scope, name, *one) for scope, name, line in lines for one in _traffic_series(line)]
        series += [("service", name, *one) for name, line in self.by_service.items() for one in _service_series(line)]
        bounds = list(zip(self.edges_s[:-1].tolist(), self.edges_s[1:].tolist(), strict=True))
        rows = [
            (scope, name, quantity, *bounds[batch], one.value, one.low, one.high)
            for scope, name, quantity, estimates in series
            for batch, one in enumerate(estimates)
        ]
        columns = ["scope", "name", "quantity", "start_s", "end_s", "value", "low", "high"]
        return pd.DataFrame(rows, columns=columns).astype(dict.fromkeys(columns[3:], "float64"))


def _traffic_series(line: TrafficLine) -> list[tuple[str, Sequence[Estimate]]]:
    counts = {"requests": line.requests, "good": line.good}
    counts |= {f"outcomes.{name}": found for name, found in line.outcomes.items()}
    latencies = {
        f"{of}.{name}": values for of in ("latency_s", "latency_all_s") for name, values in getattr(line, of).items()
    }
    told = [(name, _bare(values)) for name, values in (counts | latencies).items()]
    return [*told, ("error_share", line.error_share)]


def _service_series(line: ServiceLine) -> list[tuple[str, Sequence[Estimate]]]:
    values = {name: getattr(line, name) for name in _NUMBERS}
    values |= {f"caches.{name}.hit_ratio": found for name, found in line.hit_ratio.items()}
    return [(name, _bare(found)) for name, found in values.items()]


def _bare(values: Sequence[float] | Floats) -> list[Estimate]:
    """Numbers without intervals."""
    return [Estimate(float(value), None, None, 0, "") for value in values]


def _listed(values: Floats) -> list[float | None]:
    return [finite(value) for value in values.tolist()]


def _array(values: Sequence[float | None]) -> Floats:
    return np.array([math.nan if value is None else value for value in values], dtype=np.float64)


# -- from records ------------------------------------------------------------------------------------------------


def timeline(plane: Plane, records: Sequence[Record], cut: int, *, level: float = 0.95) -> Timeline:
    """Put the records of all replications on one time axis.

    Parameters
    ----------
    plane
        What was simulated.
    records
        One of each replication.
    cut
        Batches of warm-up, which are there all the same.
    level
        Confidence of the intervals.
    """
    edges_s: Floats = np.arange(BATCHES + 1) * records[0].duration_ns / BATCHES / 1e9
    streams = [stream for stream, _ in plane.entries]
    rows = {name: [number for number, stream in enumerate(streams) if stream.tenant == name] for name in plane.senders}
    runs = [record.happenings for record in records]
    counts = np.stack([record.counts.sum(axis=0) for record in records])
    good = counts[..., [OK, DEGRADED]].sum(axis=2)
    return Timeline(
        edges_s=edges_s,
        warmup_s=float(edges_s[cut]),
        replications=len(records),
        total=_traffic_line(records, list(range(len(streams))), level),
        by_tenant={name: _traffic_line(records, mine, level) for name, mine in rows.items()},
        by_service=_service_lines(plane, records),
        happenings=merged(runs),
        pushes=spreads(runs),
        incident=incident(runs, edges_s, good, counts.sum(axis=2), cut),
    )


def _traffic_line(records: Sequence[Record], rows: list[int], level: float) -> TrafficLine:
    counts = np.stack([record.counts[rows].sum(axis=0) for record in records])  # (R, B, outcomes)
    everything = counts.sum(axis=2)
    failed = everything - counts[..., [OK, DEGRADED]].sum(axis=2)
    by_outcome = counts.sum(axis=0)
    good = _summed(records, rows, lambda record: record.histogram)
    late = _summed(records, rows, lambda record: record.histogram_failed)
    none = np.zeros(BATCHES, np.int64)
    shares = np.divide(failed, everything, out=np.zeros(everything.shape), where=everything > 0)
    batch_minutes = records[0].duration_ns / BATCHES / 60e9
    return TrafficLine(
        requests=tuple(everything.sum(axis=0).tolist()),
        outcomes={
            name: tuple(by_outcome[:, code].tolist()) for code, name in enumerate(OUTCOMES) if by_outcome[:, code].any()
        },
        error_share=tuple(
            share(failed[:, b : b + 1], everything[:, b : b + 1], level=level).estimate for b in range(BATCHES)
        ),
        error_minutes=per_batch(shares.sum(axis=1, keepdims=True) * batch_minutes, level=level).estimate,
        latency_s={name: _quantiles(good, none, q) for name, q in QUANTILES.items()},
        latency_all_s={name: _quantiles(good + late, by_outcome[:, UNFINISHED], q) for name, q in QUANTILES.items()},
    )


def _summed(records: Sequence[Record], rows: list[int], of: Callable[[Record], npt.NDArray[np.uint32]]) -> Ints:
    """(batches, all buckets) of some streams in all replications."""
    summed = np.zeros((BATCHES, histogram.FINE_BUCKETS), dtype=np.int64)
    for record in records:
        summed[:, record.buckets] += of(record)[rows].sum(axis=0, dtype=np.int64)
    return summed


def _quantiles(counts: Ints, above: Ints, q: float) -> Floats:
    """Quantile of each batch in seconds; nan where there are too few requests."""
    n = counts.sum(axis=1) + above
    found = [
        histogram.quantile(row, q, above=int(more)) if size * (1 - q) >= _LEAST_BEYOND - 1e-9 else None
        for row, more, size in zip(counts, above, n, strict=True)
    ]
    return _array(found) * 1e-9


def _service_lines(plane: Plane, records: Sequence[Record]) -> dict[str, ServiceLine]:
    counters = np.stack([record.services[:, :BATCHES] for record in records], axis=1)  # (V, R, B)
    batch_ns = records[0].duration_ns / BATCHES
    hit_ratios = _hit_ratios(plane, records)
    lines = {}
    for number, service in enumerate(plane.services):
        mine = counters[number]
        rates = {name: mine[name].mean(axis=0) / (batch_ns * 1e-9) for name in ("requests", "failed", "retries")}
        cores_ns = mine["replicas_ns"].sum(axis=0) * (service.cores / len(service.replicas))
        with np.errstate(divide="ignore", invalid="ignore"):
            used = np.where(np.isfinite(cores_ns), mine["busy_ns"].sum(axis=0) / cores_ns, math.nan)
        working = mine["working_ns"].mean(axis=0) / batch_ns
        lines[service.name] = ServiceLine(
            rates["requests"], rates["failed"], rates["retries"], used, working, hit_ratios[service.name]
        )
    return lines


def _hit_ratios(plane: Plane, records: Sequence[Record]) -> dict[str, dict[str, Floats]]:
    """Of the caches that were asked, by service and cache."""
    found: dict[str, dict[str, Floats]] = {service.name: {} for service in plane.services}
    caches = [(service.name, cache.name) for service in plane.services for cache in service.caches]
    for number, (service, cache) in enumerate(caches):
        mine = [record.caches[number, :, :BATCHES] for record in records]
        lookups, hits = (np.sum([one[name].sum(axis=0) for one in mine], axis=0) for name in ("lookups", "hits"))
        if lookups.any():
            known = np.where(lookups > 0, lookups, 1)
            found[service][cache] = np.where(lookups > 0, hits / known, math.nan)
    return found
