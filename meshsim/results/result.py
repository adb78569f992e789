"""Result: what one topology did under one architecture."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass, field, replace
from typing import TYPE_CHECKING, Final, Unpack

import numpy as np
import numpy.typing as npt

from meshsim.architectures.plane import Account, Inert, Plane
from meshsim.engines.record import BATCHES, Record
from meshsim.errors import UsageError
from meshsim.model.topology import Topology
from meshsim.model.traffic import Objective
from meshsim.results import html, report, traces
from meshsim.results.autoscaling import Autoscaled, autoscaled
from meshsim.results.breakdown import Breakdown, break_down
from meshsim.results.check import check
from meshsim.results.happenings import Happened
from meshsim.results.intervals import Estimate
from meshsim.results.judge import Check
from meshsim.results.manifest import Manifest, Timing, versions
from meshsim.results.measured import pool
from meshsim.results.propagation import Propagation, propagation
from meshsim.results.services import ServiceResult, Totals, service_results, totals
from meshsim.results.text import duration_interval
from meshsim.results.timeline import Timeline, timeline
from meshsim.results.traffic import Traffic, traffic
from meshsim.results.usage import Usage, Use, peak_cores, usage
from meshsim.results.verdict import UNSTEADY, Verdict, chance_notes, judge

if TYPE_CHECKING:
    import pandas as pd
    from matplotlib.axes import Axes

    from meshsim.charts.style import Look

SCHEMA_VERSION: Final = 1


@dataclass(frozen=True, slots=True, eq=False, repr=False)
class Result:
    """Numbers of one architecture, with their intervals.

    Attributes
    ----------
    total
        All requests.
    by_tenant, by_service
        By name; proxies are services too.
    applications, proxies
        Sums over the services of each role.
    time_split
        Where the time went, from the sampled requests.
    verdict
        Whether the numbers can be used.
    inert
        Policies of the topology that nobody enforces under this architecture.
    manifest
        What it was made from.
    plane
        The service graph that was simulated.
    used
        What each tenant used, by service or proxy and by entry endpoint.
    peak_cores
        Cores that each tenant asked for at most, by replication; see `meshsim.results.usage.peak_cores`.
    request_rows
        By replication, rows of ``REQUESTS`` (see `meshsim.engines.record`), when they were asked for.
    sampled
        What `traces` chooses from, when it was asked for.
    check
        Queueing theory beside every station, when it was asked for.
    timeline
        The run over time, when the topology has events or autoscales, or there were control processes.
    autoscaling
        What autoscalers did, by service; empty where nothing autoscales.
    """

    total: Traffic
    by_tenant: dict[str, Traffic]
    by_service: dict[str, ServiceResult]
    applications: Totals
    proxies: Totals
    time_split: Breakdown
    verdict: Verdict
    inert: tuple[Inert, ...]
    manifest: Manifest
    plane: Plane
    used: Usage
    peak_cores: Mapping[str, Mapping[str, npt.NDArray[np.float64]]]
    request_rows: tuple[npt.NDArray[np.void], ...] = ()
    sampled: traces.Sampled | None = None
    check: Check | None = None
    timeline: Timeline | None = None
    autoscaling: Mapping[str, Autoscaled] = field(default_factory=dict)

    @property
    def architecture(self) -> str:
        """Label of the architecture."""
        return self.manifest.architecture

    @property
    def requests(self) -> int:
        """Requests that arrived after the warm-up, in all replications."""
        return self.total.requests

    @property
    def outcome(self) -> str:
        """What a line says: the verdict, which is about the run, and how many objectives are not met by it."""
        judged = [one.judgement for group in self.by_tenant.values() for one in group.objectives]
        counts = {word: judged.count(word) for word in ("missed", "undecided")}
        return ", ".join([self.verdict.word, *(f"objectives {word}: {n}" for word, n in counts.items() if n)])

    @property
    def latency_s(self) -> dict[str, Estimate]:
        """Latency of answered requests by quantity (``mean``, ``p50`` … ``p99.9``), in seconds."""
        return self.total.latency_s

    @property
    def latency_all_s(self) -> dict[str, Estimate]:
        """Latency of all requests by quantity, in seconds."""
        return self.total.latency_all_s

    @property
    def availability(self) -> Estimate:
        """Share of requests answered ok or degraded."""
        return self.total.availability.estimate

    @property
    def goodput_per_s(self) -> Estimate:
        """Requests answered ok or degraded, per second."""
        return self.total.goodput.estimate

    @property
    def usage(self) -> Mapping[str, Mapping[str, Use]]:
        """What each tenant used, by service or proxy and by tenant."""
        return self.used.by_tenant

    @property
    def usage_by_account(self) -> Mapping[str, Mapping[Account, Use]]:
        """The same by service or proxy, and by tenant and entry endpoint."""
        return self.used.by_account

    @property
    def happenings(self) -> tuple[Happened, ...]:
        """What events and control processes did and found, all replications together."""
        return () if self.timeline is None else self.timeline.happenings

    def to_dict(self) -> dict[str, object]:
        """Everything, as JSON's types; what is unknown or infinite is None.

        Two runs of one command differ in ``manifest.timing`` only.
        """
        return {
            "schema_version": SCHEMA_VERSION,
            "topology": self.manifest.topology,
            "architecture": self.architecture,
            **self.total.to_dict(),
            "latency_curve": self.total.curve.to_dict(),
            "objectives": [
                {"tenant": name, **judged.to_dict()}
                for name, tenant in self.by_tenant.items()
                for judged in tenant.objectives
            ],
            "by_tenant": {name: tenant.to_dict() for name, tenant in self.by_tenant.items()},
            "by_service": {name: service.to_dict() for name, service in self.by_service.items()},
            "applications": self.applications.to_dict(),
            "proxies": self.proxies.to_dict(),
            "time_split": self.time_split.to_dict(),
            "inert": [asdict(inert) for inert in self.inert],
            "verdict": self.verdict.word,
            "notes": list(self.verdict.notes),
            **({} if self.check is None else {"check": self.check.to_dict()}),
            **({} if self.timeline is None else {"timeline": self.timeline.to_dict()}),
            **(
                {"autoscaling": {name: one.to_dict() for name, one in self.autoscaling.items()}}
                if self.autoscaling
                else {}
            ),
            **({"happenings": [one.to_dict() for one in self.happenings]} if self.happenings else {}),
            "manifest": self.manifest.to_dict(),
        }

    def traces(
        self, *, slowest: int = 5, sampled: int = 0, outcome: str | None = None, tenant: str | None = None
    ) -> traces.Traces:
        """Single requests with everything that happened to them, from a run with ``record_traces=True``.

        Engines keep the spans of a random sample, about 20,000 requests a replication: the slowest are the slowest of
        these. Requests without an answer have none.

        Parameters
        ----------
        slowest
            How many of the slowest.
        sampled
            How many of the others, evenly over the run.
        outcome
            Of requests that ended like this only: ``ok``, ``degraded``, ``timeout``, ``rejected``, ``error``,
            ``error(503)`` …
        tenant
            Of this tenant's only.

        Raises
        ------
        UsageError
            The run kept no spans, or there is no such outcome or tenant.
        """
        if self.sampled is None:
            raise UsageError("this result has no traces; give record_traces=True to run or compare")
        return traces.choose(self.sampled, slowest=slowest, sampled=sampled, outcome=outcome, tenant=tenant)

    def propagation(self, start_s: float | None = None, end_s: float | None = None) -> Propagation:
        """Where failures began, along which calls they went and where they were absorbed, with ``record_traces=True``.

        Of the sampled requests that were answered, see `traces`. Two windows of time, during a fault and before it,
        tell what retries made of it: ``during.amplification(before)``.

        Parameters
        ----------
        start_s, end_s
            Of requests that arrived from then on, and before then, only: seconds of simulated time.

        Raises
        ------
        UsageError
            The run kept no spans, or no sampled request arrived in that time.
        """
        if self.sampled is None:
            raise UsageError("this result has no traces; give record_traces=True to run or compare")
        return propagation(self.sampled, start_s=start_s, end_s=end_s)

    def summary(self) -> str:
        """One screen of text: objectives, latencies, busiest services, what the proxies cost, how to repeat it."""
        return "\n".join(report.summary(self))

    def frame(self) -> pd.DataFrame:
        """Tidy table: a row a number.

        Returns
        -------
        pandas.DataFrame
            Columns architecture, scope (``total``, ``tenant``, ``service``), name, quantity, value, low, high. Times
            in seconds, memory in bytes.
        """
        import pandas as pd

        columns = ["architecture", "scope", "name", "quantity", "value", "low", "high"]
        return pd.DataFrame([(self.architecture, *row) for row in rows(self)], columns=columns)

    def plot_latency(self, ax: Axes | None = None, **look: Unpack[Look]) -> Axes:
        """Draw the distribution of latencies; see `meshsim.charts.latency_cdf`."""
        from meshsim import charts

        return charts.latency_cdf(self, ax, **look)

    def plot_time(self, ax: Axes | None = None, **look: Unpack[Look]) -> Axes:
        """Draw where the time goes; see `meshsim.charts.time_split`."""
        from meshsim import charts

        return charts.time_split(self, ax, **look)

    def plot_topology(self, ax: Axes | None = None, **look: Unpack[Look]) -> Axes:
        """Draw the services and how busy they are; see `meshsim.charts.topology_map`."""
        from meshsim import charts

        return charts.topology_map(self.plane, self, ax, **look)

    def plot_timeline(self, ax: Axes | None = None, **look: Unpack[Look]) -> Axes:
        """Draw the run over time, of a topology with events; see `meshsim.charts.incident_timeline`."""
        from meshsim import charts

        return charts.incident_timeline(self, ax, **look)

    def plot_autoscaler(self, ax: Axes | None = None, *, service: str | None = None, **look: Unpack[Look]) -> Axes:
        """Draw what an autoscaler did over time; see `meshsim.charts.autoscaler_day`."""
        from meshsim import charts

        return charts.autoscaler_day(self, ax, service=service, **look)

    def __repr__(self) -> str:
        p99 = duration_interval(self.latency_s["p99"])
        return f"<Result {self.manifest.topology} {self.architecture}: p99 {p99}, verdict {self.verdict.word}>"

    def _repr_html_(self) -> str:
        return html.result(self)


def rows(result: Result) -> list[tuple[str, str, str, float | None, float | None, float | None]]:
    """Scope, name, quantity, value, low, high of everything that a result tells."""
    found = _traffic_rows("total", "", result.total)
    for name, tenant in result.by_tenant.items():
        found += _traffic_rows("tenant", name, tenant)
    for name, service in result.by_service.items():
        found += _service_rows(name, service)
    for name, scaled in result.autoscaling.items():
        found += [
            ("service", name, f"autoscaling.{key}", e.value, e.low, e.high) for key, e in scaled.estimates.items()
        ]
    return found


def _traffic_rows(
    scope: str, name: str, group: Traffic
) -> list[tuple[str, str, str, float | None, float | None, float | None]]:
    estimates = {
        **{f"latency_s.{key}": estimate for key, estimate in group.latency_s.items()},
        **{f"latency_all_s.{key}": estimate for key, estimate in group.latency_all_s.items()},
        "availability": group.availability.estimate,
        "goodput_per_s": group.goodput.estimate,
    }
    counts = {"requests": group.requests, "tries": group.tries} | {
        f"outcomes.{key}": count for key, count in group.outcomes.items()
    }
    return [(scope, name, key, float(count), None, None) for key, count in counts.items()] + [
        (scope, name, key, e.value, e.low, e.high) for key, e in estimates.items()
    ]


def _service_rows(
    name: str, service: ServiceResult
) -> list[tuple[str, str, str, float | None, float | None, float | None]]:
    estimates = {
        "offered_load": service.offered_load,
        "utilization": service.utilization,
        "concurrency_utilization": service.concurrency_utilization,
        "waited": service.waited,
        "wait_s": service.wait_s,
        **{f"latency_s.{key}": estimate for key, estimate in service.latency_s.items()},
    }
    policies = service.policies
    if policies is not None:
        estimates |= {f"policies.{key}_per_s": estimate for key, estimate in policies.per_s.items()}
        estimates["policies.retries_per_request"] = policies.retries_per_request
        estimates["policies.limited_share"] = policies.limited_share
        estimates["policies.pending_s"] = policies.pending_s
    if service.link is not None:
        estimates |= {"link.utilization": service.link.utilization, "link.wait_s": service.link.wait_s}
    for cache, found in service.caches.items():
        estimates |= {f"caches.{cache}.{key}": estimate for key, estimate in found.estimates.items()}
    exact = ("requests", "rejected", "replicas", "cores", "cpu_s", "memory_bytes", "memory_requested_bytes")
    return [("service", name, key, float(getattr(service, key)), None, None) for key in exact] + [
        ("service", name, key, e.value, e.low, e.high) for key, e in estimates.items()
    ]


@dataclass(frozen=True, slots=True)
class Origin:
    """What the maker of a result knows and records do not.

    Attributes
    ----------
    engine, seed
        Who simulated, with which random numbers.
    warmup
        ``auto`` or ``given``.
    command
        That repeats it.
    timing
        How long it took.
    level
        Confidence of the intervals.
    unsettled
        The automatic warm-up is at its bound; see `meshsim.results.warmup.unsettled`.
    objectives
        For every tenant, besides its own.
    controllers
        Names of the control processes.
    record_requests, record_traces
        Whether the result is to have the rows of all requests, and the spans of sampled ones.
    check
        Set queueing theory beside it.
    """

    engine: str
    seed: int
    warmup: str
    command: str
    timing: Timing
    level: float = 0.95
    unsettled: bool = False
    objectives: tuple[Objective, ...] = ()
    controllers: tuple[str, ...] = ()
    record_requests: bool = False
    record_traces: bool = False
    check: bool = False


def build(topology: Topology, plane: Plane, records: Sequence[Record], cut: int, origin: Origin) -> Result:
    """Sum up the replications of one architecture.

    Parameters
    ----------
    topology, plane
        What was simulated.
    records
        One of each replication.
    cut
        Batches of warm-up; see `meshsim.results.warmup.cut_batches`.
    origin
        See `Origin`.
    """
    measured = pool(records, cut)
    level = origin.level
    streams = [stream for stream, _ in plane.entries]
    total = traffic(measured, range(len(streams)), level=level)
    services = service_results(plane, measured, level=level)
    bounded = all(stream.arrivals.kind == "closed" for stream in streams)
    eventful = bool(topology.events)
    scaled = autoscaled(topology, plane, records, level=level)
    verdict = judge(
        total,
        services,
        measured,
        bounded=bounded,
        unsettled=origin.unsettled,
        eventful=eventful,
        scaled=bool(scaled),
    )
    unsteady = f"the run is {verdict.word}" if verdict.word in UNSTEADY else ""
    controlled = eventful or bool(scaled) or bool(origin.controllers)
    return Result(
        total=total,
        by_tenant={
            name: traffic(
                measured,
                [i for i, stream in enumerate(streams) if stream.tenant == name],
                _objectives(topology, name, origin.objectives),
                level=level,
            )
            for name in plane.senders
        },
        by_service=services,
        applications=totals(plane, measured, "app", level=level),
        proxies=totals(plane, measured, "proxy", level=level),
        time_split=break_down(plane, records, cut, level=level),
        verdict=replace(verdict, notes=(*verdict.notes, *chance_notes(plane, len(records)))),
        inert=plane.inert,
        manifest=_manifest(topology, plane, records, cut, origin),
        plane=plane,
        used=usage(plane, measured, records, cut),
        peak_cores=peak_cores(plane, records, cut),
        request_rows=_request_rows(records) if origin.record_requests else (),
        sampled=traces.keep(plane, records, cut, origin.seed) if origin.record_traces else None,
        check=check(plane, measured, unsteady=unsteady, controlled=controlled) if origin.check else None,
        timeline=timeline(plane, records, cut, level=level) if controlled else None,
        autoscaling=scaled,
    )


def _request_rows(records: Sequence[Record]) -> tuple[npt.NDArray[np.void], ...]:
    return tuple(record.requests for record in records if record.requests is not None)


def _objectives(topology: Topology, tenant: str, others: Sequence[Objective]) -> tuple[Objective, ...]:
    own = topology.tenants[tenant].objectives if tenant in topology.tenants else ()
    return tuple(dict.fromkeys((*own, *others)))


def _manifest(topology: Topology, plane: Plane, records: Sequence[Record], cut: int, origin: Origin) -> Manifest:
    duration_s = records[0].duration_ns * 1e-9
    return Manifest(
        topology=topology.name,
        digest=topology.digest,
        architecture=plane.architecture,
        engine=origin.engine,
        seed=origin.seed,
        replications=len(records),
        duration_s=duration_s,
        warmup_s=cut * duration_s / BATCHES,
        warmup=origin.warmup,
        batches=BATCHES - cut,
        level=origin.level,
        events=sum(record.events for record in records),
        versions=versions(),
        command=origin.command,
        timing=origin.timing,
        objectives=tuple((objective.quantity, objective.limit) for objective in origin.objectives),
        controllers=origin.controllers,
    )
