"""Single requests: what happened to each, frame by frame, and which frames and parts its latency is made of.

Engines keep the spans of a random sample of the requests. What runs on after the answer is not told.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Literal

import numpy as np
import numpy.typing as npt

from meshsim.architectures.plane import Plane
from meshsim.engines.record import BATCHES, OUTCOMES, TIMEOUT, UNFINISHED, Record
from meshsim.errors import UsageError
from meshsim.results import trace_report
from meshsim.results.endpoints import endpoints_of
from meshsim.results.paths import TIMES, Paths, find_paths
from meshsim.results.quantiles import Ints
from meshsim.results.segments import Segment, segments_of

Kind = Literal["call", "branch"]
#: How it ended for the caller: with an answer (of a branch: by itself); its timeout or the client's patience was over;
#: the caller was stopped, or had the answer of another try; or it had not ended when the request was answered.
Ending = Literal["answered", "timeout", "cancelled", "unfinished"]


@dataclass(frozen=True, slots=True)
class Span:
    """A frame: one try of a call, or a branch within a frame. Simulated times; None where something did not happen.

    Attributes
    ----------
    kind
        ``call`` or ``branch``. A branch runs where its parent does.
    serial, parent
        Its number within the request, and that of the calling frame (None: the client called).
    service, endpoint, role, replica, version
        Where it ran: `replica` counts from 0 within the service; `version` is empty where there is one only.
    attempt
        0 for the first try, 1 for the first retry.
    sent_ns, reached_ns, admitted_ns, left_ns
        When it was sent, reached the replica, got a slot and was answered by the replica.
    until_ns
        When the caller had the answer, gave up, or was answered itself; of a branch, when it ended.
    connection_ns
        How long after `sent_ns` it waited for a connection.
    ending
        See `Ending`.
    cpu_ns, cpu_wait_ns, wait_ns
        CPU time as it takes alone, time waited for or shared the CPU, and `wait` steps; of what was done by then.
    outcome
        One of ``OUTCOMES``, or ``cancelled``.
    critical
        It is on the critical path.
    times_ns
        By `TIMES`: its own share of the critical path. Empty unless `critical`.
    segments
        Its time from left to right. Where within its own time a frame worked or waited for the CPU is not recorded:
        these are spread evenly over it, in that order.
    """

    kind: Kind
    serial: int
    parent: int | None
    service: str
    endpoint: str
    role: Literal["app", "proxy", "library"]
    replica: int
    version: str
    attempt: int
    sent_ns: int
    reached_ns: int | None
    admitted_ns: int | None
    left_ns: int | None
    until_ns: int
    connection_ns: int
    ending: Ending
    cpu_ns: int
    cpu_wait_ns: int
    wait_ns: int
    outcome: str
    critical: bool
    times_ns: dict[str, int]
    segments: tuple[Segment, ...]


@dataclass(frozen=True, slots=True)
class Trace:
    """One request.

    Attributes
    ----------
    seed, replication, number
        Which one it is: the same three name it under every architecture, for open streams.
    topology, architecture
        What was simulated.
    stream, tenant
        Who sent it.
    arrival_ns, latency_ns
        Simulated time of arrival; how long it took, whatever became of it.
    outcome, tries
        What became of it; tries of application calls, and retries of enforcers, made for it.
    spans
        Its frames in the order in which they were sent; the first is the client's own call.
    """

    seed: int
    replication: int
    number: int
    topology: str
    architecture: str
    stream: str
    tenant: str
    arrival_ns: int
    latency_ns: int
    outcome: str
    tries: int
    spans: tuple[Span, ...]

    def most(self) -> tuple[str, str, int]:
        """Service, part and nanoseconds of what took most of its critical path."""
        found: dict[tuple[str, str], int] = {}
        for span in self.spans:
            for part, spent in span.times_ns.items():
                found[span.service, part] = found.get((span.service, part), 0) + spent
        (service, part), spent = max(found.items(), key=lambda one: one[1])
        return service, part, spent

    def __repr__(self) -> str:
        return f"<Trace of request {self.number}: {self.outcome} after {self.latency_ns / 1e6:g} ms>"


@dataclass(frozen=True, slots=True)
class CriticalPath:
    """What the critical paths of some requests are made of.

    Attributes
    ----------
    requests
        How many.
    by_hop_s
        By service or proxy, then by `TIMES`: seconds of all of them together. The values add up to their latencies.
    """

    requests: int
    by_hop_s: dict[str, dict[str, float]]

    @property
    def total_s(self) -> float:
        """Sum of the latencies."""
        return sum(sum(parts.values()) for parts in self.by_hop_s.values())


@dataclass(frozen=True, slots=True)
class Traces:
    """Chosen requests of a run.

    Attributes
    ----------
    requests
        The chosen ones: the slowest first, then the others by arrival.
    path, path_of_sampled
        What the critical paths of the chosen ones, and of all sampled requests, are made of.
    matching, sampled, arrived
        How many sampled requests fitted the wishes, were sampled, and arrived in all; after the warm-up.
    """

    requests: tuple[Trace, ...]
    path: CriticalPath
    path_of_sampled: CriticalPath
    matching: int
    sampled: int
    arrived: int

    def summary(self) -> str:
        """Tell of each request in a line, and of the critical paths by hop."""
        return "\n".join(trace_report.summary(self))

    def __iter__(self) -> Iterator[Trace]:
        return iter(self.requests)

    def __len__(self) -> int:
        return len(self.requests)

    def __getitem__(self, at: int) -> Trace:
        return self.requests[at]


@dataclass(frozen=True, slots=True, eq=False)
class Sampled:
    """Everything that is kept of the sampled requests of a run, by replication.

    Attributes
    ----------
    plane, seed
        What was simulated.
    spans, rows
        ``SPANS`` of the sampled requests that arrived after the warm-up, and their ``REQUESTS`` rows.
    arrived
        How many requests arrived after the warm-up in all.
    """

    plane: Plane
    seed: int
    spans: tuple[npt.NDArray[np.void], ...]
    rows: tuple[npt.NDArray[np.void], ...]
    arrived: int


def keep(plane: Plane, records: Sequence[Record], cut: int, seed: int) -> Sampled:
    """Keep the sampled requests that arrived after the warm-up.

    Parameters
    ----------
    plane, records
        What was simulated; records with rows of requests.
    cut
        Batches of warm-up.
    seed
        Of the run.
    """
    spans, rows = [], []
    for record in records:
        assert record.requests is not None
        warm = record.requests["arrival_ns"] >= cut * (record.duration_ns // BATCHES)
        mine = record.requests[warm & np.isin(record.requests["number"], record.sampled)]
        rows.append(mine)
        spans.append(record.spans[np.isin(record.spans["request"], mine["number"])])
    arrived = sum(int(record.counts[:, cut:].sum()) for record in records)
    return Sampled(plane, seed, tuple(spans), tuple(rows), arrived)


def outcomes_like(text: str) -> tuple[str, ...]:
    """Outcomes that a word means: one of them, or the first word of several.

    Raises
    ------
    UsageError
        There is no such outcome, or none that can be traced.

    Examples
    --------
    >>> outcomes_like("timeout"), outcomes_like("rejected")[:2]
    (('timeout',), ('rejected(queue_full)', 'rejected(overflow)'))
    """
    traced = OUTCOMES[:UNFINISHED]
    found = tuple(outcome for outcome in traced if text in (outcome, outcome.partition("(")[0]))
    if text == OUTCOMES[UNFINISHED]:
        raise UsageError("unfinished requests have no spans: these are kept when a request is answered")
    if not found:
        words = dict.fromkeys(word for outcome in traced for word in (outcome.partition("(")[0], outcome))
        raise UsageError(f"there is no outcome {text!r}; choose one of {', '.join(words)}")
    return found


def choose(
    kept: Sampled, *, slowest: int = 5, sampled: int = 0, outcome: str | None = None, tenant: str | None = None
) -> Traces:
    """Choose requests; see `meshsim.Result.traces`."""
    if slowest < 0 or sampled < 0:
        raise UsageError(f"cannot choose {min(slowest, sampled)} requests; give a number of 0 or more")
    tenants = [stream.tenant for stream, _ in kept.plane.entries]
    if tenant is not None and tenant not in tenants:
        raise UsageError(f"no traffic belongs to a tenant {tenant!r}; there are {', '.join(sorted({*tenants}))}")
    wanted = np.isin(OUTCOMES, OUTCOMES if outcome is None else outcomes_like(outcome))
    of_tenant = np.array([tenant in (None, name) for name in tenants])
    endpoints = endpoints_of(kept.plane)
    paths = [find_paths(spans, endpoints) for spans in kept.spans]
    rows = np.concatenate(kept.rows)
    replication = np.repeat(np.arange(len(kept.rows)), [len(one) for one in kept.rows])
    fits = np.flatnonzero(wanted[rows["outcome"]] & of_tenant[rows["stream"]])
    picked = _pick(rows, fits, slowest, sampled)
    first = np.cumsum([0, *(len(one) for one in kept.rows)])
    makers = [_Maker(kept, number, path) for number, path in enumerate(paths)]
    chosen = [makers[replication[i]].trace(int(i - first[replication[i]])) for i in picked]
    chosen_of = [np.sort(picked[replication[picked] == r]) - first[r] for r in range(len(paths))]
    return Traces(
        requests=tuple(chosen),
        path=_critical_path(kept.plane, paths, chosen_of),
        path_of_sampled=_critical_path(kept.plane, paths, [np.arange(len(one)) for one in kept.rows]),
        matching=fits.size,
        sampled=len(rows),
        arrived=kept.arrived,
    )


def _pick(rows: npt.NDArray[np.void], fits: Ints, slowest: int, sampled: int) -> Ints:
    """The slowest, then others that lie evenly among those that are left."""
    latency = rows["end_ns"][fits] - rows["arrival_ns"][fits]
    by_latency = fits[np.argsort(-latency, kind="stable")]
    slow = by_latency[:slowest]
    rest = np.setdiff1d(fits, slow)
    count = min(sampled, rest.size)
    even = rest[(np.arange(count) * rest.size + rest.size // 2) // max(count, 1)]
    return np.concatenate([slow, even]).astype(np.int64)


def _critical_path(plane: Plane, paths: Sequence[Paths], chosen: Sequence[Ints]) -> CriticalPath:
    """Sums over some requests of each replication, by their numbers there."""
    total = np.zeros((len(plane.services), len(TIMES)), dtype=np.int64)
    for path, rows in zip(paths, chosen, strict=True):
        used = path.critical & np.isin(path.row, rows)
        np.add.at(total, path.hop[used], path.times_ns[used])
    by_hop = {
        service.name: dict(zip(TIMES, (total[i] * 1e-9).tolist(), strict=True))
        for i, service in enumerate(plane.services)
        if total[i].any()
    }
    return CriticalPath(sum(map(len, chosen)), by_hop)


class _Maker:
    """Makes traces of one replication."""

    def __init__(self, kept: Sampled, replication: int, path: Paths) -> None:
        self.kept, self.replication, self.path = kept, replication, path
        self.endpoints = [endpoint for service in kept.plane.services for endpoint in service.endpoints]
        self.first = np.cumsum([0, *(len(service.replicas) for service in kept.plane.services)])

    def trace(self, at: int) -> Trace:
        row = self.kept.rows[self.replication][at]
        stream = self.kept.plane.entries[int(row["stream"])][0]
        first, beyond = np.searchsorted(self.path.row, [at, at + 1])
        arrival, end = int(row["arrival_ns"]), int(row["end_ns"])
        return Trace(
            seed=self.kept.seed,
            replication=self.replication,
            number=int(row["number"]),
            topology=self.kept.plane.topology_name,
            architecture=self.kept.plane.architecture,
            stream=stream.name,
            tenant=stream.tenant,
            arrival_ns=arrival,
            latency_ns=end - arrival,
            outcome=OUTCOMES[int(row["outcome"])],
            tries=int(row["tries"]),
            spans=tuple(self._span(frame, end) for frame in range(int(first), int(beyond))),
        )

    def _span(self, frame: int, end_ns: int) -> Span:
        path = self.path
        raw = {name: int(path.spans[name][frame]) for name in path.spans.dtype.names or ()}
        hop = int(path.hop[frame])
        service = self.kept.plane.services[hop]
        replica = raw["replica"] - int(self.first[hop])
        critical = bool(path.critical[frame])
        return Span(
            kind="branch" if raw["endpoint"] < 0 else "call",
            serial=raw["serial"],
            parent=None if raw["parent"] < 0 else raw["parent"],
            service=service.name,
            endpoint="" if raw["endpoint"] < 0 else self.endpoints[raw["endpoint"]],
            role=service.role,
            replica=replica,
            version=service.versions[service.replicas[replica].version] if len(service.versions) > 1 else "",
            attempt=raw["attempt"],
            sent_ns=raw["sent_ns"],
            reached_ns=_known(raw["reached_ns"]),
            admitted_ns=_known(raw["admitted_ns"]),
            left_ns=_known(raw["left_ns"]),
            until_ns=int(path.until_ns[frame]),
            connection_ns=int(path.connection_ns[frame]),
            ending=self._ending(frame, raw, end_ns),
            cpu_ns=raw["demand_ns"],
            cpu_wait_ns=raw["cpu_wait_ns"],
            wait_ns=raw["wait_ns"],
            outcome="cancelled" if raw["outcome"] < 0 else OUTCOMES[raw["outcome"]],
            critical=critical,
            times_ns=dict(zip(TIMES, path.times_ns[frame].tolist(), strict=True)) if critical else {},
            segments=tuple(segments_of(path, frame, end_ns)),
        )

    def _ending(self, frame: int, raw: dict[str, int], end_ns: int) -> Ending:
        path, above = self.path, int(self.path.parent[frame])
        if above < 0:
            outcome = int(self.kept.rows[self.replication]["outcome"][path.row[frame]])
            return "timeout" if outcome == TIMEOUT != raw["outcome"] else "answered"
        if raw["returned_ns"] >= 0 and raw["outcome"] >= 0:
            return "answered"
        if raw["endpoint"] < 0:
            return "unfinished" if raw["left_ns"] < 0 else "cancelled"
        until, left = int(path.until_ns[frame]), int(path.spans["left_ns"][above])
        if left < 0 and until == end_ns:
            return "unfinished"
        stopped = until == left and path.spans["outcome"][above] < 0
        return "cancelled" if stopped or self._was_outrun(frame) else "timeout"

    def _was_outrun(self, frame: int) -> bool:
        """Another try of the same enforcer was answered when this one was given up."""
        path, tries = self.path, self.path.parent == self.path.parent[frame]
        won = tries & path.gates & path.enforcer[path.parent]
        return bool((path.until_ns[won] == path.until_ns[frame]).any())


def _known(time_ns: int) -> int | None:
    return None if time_ns < 0 else time_ns
