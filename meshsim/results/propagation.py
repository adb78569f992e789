"""How failures propagate: where those of sampled requests began, along which calls they went, where they were absorbed.

Engines keep the spans of a random sample of the requests, of all where there are fewer; everything here is of these.
What one failure is, and where it begins, is in `meshsim.results.origins`.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass, field
from typing import TYPE_CHECKING, Any, Final, Literal

import numpy as np
import numpy.typing as npt

from meshsim.architectures.plane import Plane, PlaneService
from meshsim.architectures.rewrites import ZTUNNEL, is_sidecar
from meshsim.architectures.walk import chain_of, forwards_in
from meshsim.engines.record import DEGRADED, OUTCOMES
from meshsim.errors import UsageError
from meshsim.results.endpoints import endpoints_of
from meshsim.results.origins import Failures, find_failures
from meshsim.results.paths import Bools, Paths, find_paths
from meshsim.results.quantiles import Ints

if TYPE_CHECKING:
    import networkx as nx
    import pandas as pd

    from meshsim.results.traces import Sampled

CLIENT: Final = "client"
_CLIENT: Final = -1  # its number

#: Which stations calls are told between: all; applications and the proxies that several of them share, as on a map
#: of the topology; or applications alone.
Level = Literal["hops", "map", "applications"]
LEVELS: Final[tuple[Level, ...]] = ("hops", "map", "applications")


@dataclass(frozen=True, slots=True)
class Origin:
    """Failed requests whose failure began in one way at one place.

    Attributes
    ----------
    service
        An application or proxy; of timeouts the one that whoever gave up was waiting for in the end.
    outcome
        With which it began there, one of ``OUTCOMES``. Further up a refused or broken connection may be a 503.
    requests
        How many.
    paths
        By the chain of services from here up to the client: requests. Values add up to `requests`.
    """

    service: str
    outcome: str
    requests: int
    paths: dict[tuple[str, ...], int]


@dataclass(frozen=True, slots=True)
class Edge:
    """Calls from one station to another.

    Attributes
    ----------
    caller, callee
        Names; ``client`` calls the entries.
    messages
        Tries that were sent, whatever became of them.
    messages_per_request
        The same per sampled request.
    passed_on, absorbed
        Tries that failed, with which the caller failed too; after which it tried again, or did without. Between
        applications tries that a proxy on the way absorbed are among the second ones.
    travelled
        Failed requests whose failure came along here on its way to the client.
    degraded
        Degraded requests in which a failure was absorbed here that left its caller degraded.
    """

    caller: str
    callee: str
    messages: int
    messages_per_request: float
    passed_on: int
    absorbed: int
    travelled: int
    degraded: int


@dataclass(frozen=True, slots=True, eq=False, repr=False)
class Propagation:
    """How failures of sampled requests propagated.

    Attributes
    ----------
    plane
        What was simulated.
    requests, failed, degraded
        Sampled requests that were answered; of them those that failed, or were degraded.
    sampled_share
        Of all requests that arrived after the warm-up, the share that was sampled and answered.
    origins
        Those with most requests first; `Origin.requests` add up to `failed`.
    levels
        By `Level` its edges, in the order of names.
    by_tenant
        The same of the requests of each tenant.
    """

    plane: Plane
    requests: int
    failed: int
    degraded: int
    sampled_share: float
    origins: tuple[Origin, ...]
    levels: dict[Level, tuple[Edge, ...]]
    by_tenant: dict[str, Propagation] = field(default_factory=dict)

    @property
    def edges(self) -> tuple[Edge, ...]:
        """Between all stations, proxies included."""
        return self.levels["hops"]

    @property
    def app_edges(self) -> tuple[Edge, ...]:
        """Between applications: what passes through proxies is told of the applications on both ends."""
        return self.levels["applications"]

    def began_at(self) -> dict[str, int]:
        """By service the failed requests whose failure began there; those with most first."""
        found: Counter[str] = Counter()
        for origin in self.origins:
            found[origin.service] += origin.requests
        return dict(found.most_common())

    def amplification(self, before: Propagation, level: Level = "applications") -> dict[tuple[str, str], float]:
        """By caller and callee, messages per request as a multiple of what they were before.

        Edges that had no messages before are left out.
        """
        usual = {(edge.caller, edge.callee): edge.messages_per_request for edge in before.levels[level]}
        now = {(edge.caller, edge.callee): edge.messages_per_request for edge in self.levels[level]}
        return {pair: now.get(pair, 0.0) / rate for pair, rate in usual.items()}

    def to_dict(self) -> dict[str, object]:
        """For JSON."""
        return {
            "topology": self.plane.topology_name,
            "architecture": self.plane.architecture,
            **self._numbers(),
            "by_tenant": {name: one._numbers() for name, one in self.by_tenant.items()},
        }

    def _numbers(self) -> dict[str, object]:
        return {
            "requests": self.requests,
            "failed": self.failed,
            "degraded": self.degraded,
            "sampled_share": self.sampled_share,
            "origins": [
                {
                    "service": origin.service,
                    "outcome": origin.outcome,
                    "requests": origin.requests,
                    "paths": [{"path": list(path), "requests": count} for path, count in origin.paths.items()],
                }
                for origin in self.origins
            ],
            "edges": [asdict(edge) for edge in self.edges],
            "app_edges": [asdict(edge) for edge in self.app_edges],
        }

    def frame(self) -> pd.DataFrame:
        """Tidy table of the edges: a row for each edge of each level, of all requests and of each tenant's.

        Returns
        -------
        pandas.DataFrame
            Columns tenant (empty: all), level, and the fields of `Edge`.
        """
        import pandas as pd

        rows = [
            {"tenant": tenant, "level": level, **asdict(edge)}
            for tenant, one in {"": self, **self.by_tenant}.items()
            for level in LEVELS
            for edge in one.levels[level]
        ]
        return pd.DataFrame(rows, columns=["tenant", "level", *Edge.__dataclass_fields__])

    def origin_frame(self) -> pd.DataFrame:
        """Tidy table of the origins: a row for each path from each.

        Returns
        -------
        pandas.DataFrame
            Columns tenant (empty: all), service, outcome, path (``c > b > a > client``) and requests.
        """
        import pandas as pd

        rows = [
            (tenant, origin.service, origin.outcome, " > ".join(path), count)
            for tenant, one in {"": self, **self.by_tenant}.items()
            for origin in one.origins
            for path, count in origin.paths.items()
        ]
        return pd.DataFrame(rows, columns=["tenant", "service", "outcome", "path", "requests"])

    def graph(self, level: Level = "hops") -> nx.DiGraph[str]:
        """Give the calls as a graph.

        Returns
        -------
        networkx.DiGraph
            Nodes have ``role`` (``client``, ``app``, ``proxy``, ``library``) and ``began``, the failed requests whose
            failure began there; edges have the numbers of `Edge`.
        """
        import networkx as nx

        found: nx.DiGraph[str] = nx.DiGraph()
        began = self.began_at()
        found.add_node(CLIENT, role=CLIENT, began=0)
        for service in self.plane.services:
            if _is_kept(service, level):
                found.add_node(service.name, role=service.role, began=began.get(service.name, 0))
        for edge in self.levels[level]:
            numbers = asdict(edge)
            found.add_edge(numbers.pop("caller"), numbers.pop("callee"), **numbers)
        return found

    def __repr__(self) -> str:
        most = f", most of them from {next(iter(self.began_at()))}" if self.failed else ""
        return f"<Propagation of {self.failed:,} failures in {self.requests:,} requests{most}>"


def propagation(sampled: Sampled, *, start_s: float | None = None, end_s: float | None = None) -> Propagation:
    """Follow the failures of all sampled requests; see `meshsim.Result.propagation`.

    Raises
    ------
    UsageError
        No sampled request arrived in that time.
    """
    found = [_facts_of(sampled.plane, spans, rows) for spans, rows in zip(sampled.spans, sampled.rows, strict=True)]
    facts = _together(found)
    window = np.ones(facts.requests.size, dtype=bool)
    arrival_s = facts.requests["arrival_ns"] * 1e-9
    if start_s is not None:
        window &= arrival_s >= start_s
    if end_s is not None:
        window &= arrival_s < end_s
    if not window.any():
        raise UsageError(_nobody(arrival_s, start_s, end_s))
    share = facts.requests.size / sampled.arrived
    tenants = np.array([stream.tenant for stream, _ in sampled.plane.entries])[facts.requests["stream"]]
    by_tenant = {
        name: _summed(sampled.plane, facts, window & (tenants == name), share, {}) for name in sampled.plane.senders
    }
    return _summed(sampled.plane, facts, window, share, by_tenant)


def _nobody(arrival_s: npt.NDArray[np.float64], start_s: float | None, end_s: float | None) -> str:
    start = "the beginning" if start_s is None else f"{start_s:g} s"
    end = "the end" if end_s is None else f"{end_s:g} s"
    there = f"they arrived from {arrival_s.min():.3g} to {arrival_s.max():.3g} s" if arrival_s.size else "there is none"
    return f"no sampled request arrived between {start} and {end}; {there} (simulated time, after the warm-up)"


# -- facts of single calls -------------------------------------------------------------------------------------------


@dataclass(frozen=True, slots=True, eq=False)
class _Calls:
    """Tries between the stations of a level: a row each. Station numbers are those of services, or `_CLIENT`.

    `row` is the number of the request. What did not come about between these two (a proxy that is not told absorbed a
    failure on its way) is no message, and what is no end of its own has no failure.
    """

    row: Ints
    caller: Ints
    callee: Ints
    message: Bools
    passed_on: Bools
    absorbed: Bools
    degrading: Bools
    travelled: Bools

    def chosen(self, rows: Bools) -> _Calls:
        """Those of some requests."""
        kept = rows[self.row]
        return _Calls(*(getattr(self, name)[kept] for name in _Calls.__dataclass_fields__))


@dataclass(frozen=True, slots=True, eq=False)
class _Facts:
    """What is known of every sampled request: its row, its calls by level, and of failed ones where it began.

    `began` has the number of a request, the services from the origin to the entry, and the outcome at the origin.
    """

    requests: npt.NDArray[np.void]
    levels: dict[Level, _Calls]
    began: list[tuple[int, tuple[int, ...], int]]


def _facts_of(plane: Plane, spans: npt.NDArray[np.void], rows: npt.NDArray[np.void]) -> _Facts:
    paths = find_paths(spans, endpoints_of(plane))
    failures = find_failures(paths, rows, plane)
    travelled = np.zeros(paths.row.size, dtype=bool)
    is_call = paths.spans["endpoint"] >= 0
    calls: list[bool] = is_call.tolist()
    hop: list[int] = paths.hop.tolist()
    began = []
    for row, chain, outcome in failures.chains:
        travelled[chain] = True
        began.append((row, tuple(hop[frame] for frame in chain if calls[frame]), outcome))
    travelled &= is_call
    return _Facts(rows, {level: _calls(plane, level, paths, failures, travelled) for level in LEVELS}, began)


def _calls(plane: Plane, level: Level, paths: Paths, failures: Failures, travelled: Bools) -> _Calls:
    """Fold the calls between all stations to those that a level tells of.

    The caller is the next station upwards that is told, the callee the next one downwards on the way to whom is meant.
    """
    kept = np.array([_is_kept(service, level) for service in plane.services])
    towards = np.array(_towards(plane, kept), dtype=np.int64)
    is_call = paths.spans["endpoint"] >= 0
    at = paths.parent.copy()
    while (skipped := (at >= 0) & ~kept[paths.hop[at]]).any():
        at = np.where(skipped, paths.parent[at], at)
    by_told = is_call & ((paths.parent < 0) | kept[paths.hop[paths.parent]])  # made by the caller itself
    message = is_call & kept[paths.hop]
    passed_on, degrading, absorbed = failures.passed_on & by_told, failures.degrading & by_told, failures.absorbed
    travelled = travelled & by_told
    used = np.flatnonzero(message | passed_on | absorbed | travelled)
    callee = np.where(message, paths.hop, towards[paths.endpoint])
    return _Calls(
        row=paths.row[used],
        caller=np.where(at >= 0, paths.hop[at], _CLIENT)[used],
        callee=callee[used],
        message=message[used],
        passed_on=passed_on[used],
        absorbed=absorbed[used],
        degrading=degrading[used],
        travelled=travelled[used],
    )


def _is_kept(service: PlaneService, level: Level) -> bool:
    """Whether a level tells of this station; beside a map's nodes are sidecars, within them libraries."""
    if level == "hops" or service.role == "app":
        return True
    beside = service.role == "library" or service.name == ZTUNNEL or is_sidecar(service.name)
    return level == "map" and not beside


def _towards(plane: Plane, kept: Bools) -> list[int]:
    """By endpoint, the first station that is kept of those that its requests pass, itself first."""
    number = {service.name: i for i, service in enumerate(plane.services)}
    found = []
    for service in plane.services:
        for versions in service.endpoints.values():
            stations = [service.name]
            *_, usual = (None, *forwards_in(versions[0]))
            if service.role != "app" and usual is not None:
                stations += [hop.to for hop in chain_of(plane, usual)]
            found.append(next(number[name] for name in stations if kept[number[name]]))
    return found


def _together(found: Sequence[_Facts]) -> _Facts:
    """Facts of all replications, requests counted on."""
    first = np.cumsum([0, *(one.requests.size for one in found)]).tolist()

    def joined(level: Level, name: str) -> Any:
        columns = [getattr(one.levels[level], name) for one in found]
        if name == "row":
            columns = [column + offset for column, offset in zip(columns, first, strict=False)]
        return np.concatenate(columns)

    return _Facts(
        np.concatenate([one.requests for one in found]),
        {level: _Calls(**{name: joined(level, name) for name in _Calls.__dataclass_fields__}) for level in LEVELS},
        [(row + offset, *rest) for one, offset in zip(found, first, strict=False) for row, *rest in one.began],
    )


# -- sums ------------------------------------------------------------------------------------------------------------


def _summed(
    plane: Plane, facts: _Facts, rows: Bools, share: float, by_tenant: Mapping[str, Propagation]
) -> Propagation:
    """Sum up some of the requests."""
    names = {i: service.name for i, service in enumerate(plane.services)} | {_CLIENT: CLIENT}
    outcome = facts.requests["outcome"]
    degraded = outcome == DEGRADED
    count = int(rows.sum())
    return Propagation(
        plane=plane,
        requests=count,
        failed=int((outcome[rows] > DEGRADED).sum()),
        degraded=int(degraded[rows].sum()),
        sampled_share=share,
        origins=_origins([one for one in facts.began if rows[one[0]]], names),
        levels={level: _edges(calls.chosen(rows), degraded, names, count) for level, calls in facts.levels.items()},
        by_tenant=dict(by_tenant),
    )


def _origins(began: Sequence[tuple[int, tuple[int, ...], int]], names: Mapping[int, str]) -> tuple[Origin, ...]:
    paths: dict[tuple[int, int], Counter[tuple[int, ...]]] = {}
    for _, path, outcome in began:
        paths.setdefault((path[0], outcome), Counter())[path] += 1
    found = [
        Origin(
            service=names[at],
            outcome=OUTCOMES[outcome],
            requests=several.total(),
            paths={
                (*(names[station] for station in path), CLIENT): count
                for path, count in sorted(several.items(), key=lambda one: (-one[1], one[0]))
            },
        )
        for (at, outcome), several in paths.items()
    ]
    return tuple(sorted(found, key=lambda origin: (-origin.requests, origin.service, origin.outcome)))


def _edges(calls: _Calls, degraded: Bools, names: Mapping[int, str], requests: int) -> tuple[Edge, ...]:
    stations = len(names)
    pairs, edge = np.unique((calls.caller + 1) * stations + calls.callee, return_inverse=True)

    def counted(which: Bools) -> list[int]:
        counts: list[int] = np.bincount(edge[which], minlength=pairs.size).tolist()
        return counts

    def requests_with(which: Bools) -> list[int]:
        """Requests with at least one: a failure may come along an edge twice, where calls go in a circle."""
        several = np.unique(calls.row[which] * pairs.size + edge[which])
        counts: list[int] = np.bincount(several % max(pairs.size, 1), minlength=pairs.size).tolist()
        return counts

    columns = zip(
        pairs.tolist(),
        counted(calls.message),
        counted(calls.passed_on),
        counted(calls.absorbed),
        requests_with(calls.travelled),
        requests_with(calls.degrading & degraded[calls.row]),
        strict=True,
    )
    found = [
        Edge(
            caller=names[pair // stations - 1],
            callee=names[pair % stations],
            messages=messages,
            messages_per_request=messages / requests if requests else 0.0,
            passed_on=passed_on,
            absorbed=absorbed,
            travelled=travelled,
            degraded=several,
        )
        for pair, messages, passed_on, absorbed, travelled, several in columns
    ]
    return tuple(sorted(found, key=lambda one: (one.caller, one.callee)))
