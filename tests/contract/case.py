"""A case of the contract between the engines: how it is run on one, and how two answers are compared."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator
from dataclasses import asdict, dataclass, fields
from pathlib import Path
from typing import Any

import numpy as np
import yaml

import meshsim as ms
from meshsim.architectures.plane import Plane
from meshsim.control import Control, Controller, drive
from meshsim.engines import EngineName, begin
from meshsim.engines.record import DEGRADED, OUTCOMES, QUEUE_FULL, Record
from meshsim.errors import EngineLimit, UsageError
from meshsim.model.changes import changed_topology
from meshsim.model.faults import CrashOnRequest, Push

PER_SHARD = 200  # cases that one test runs; tests are spread over the workers of pytest-xdist
#: (When, what, of which service or stream, to what).
Change = tuple[float, str, str, Any]

#: What a control process may change, and the values that are tried.
CHANGES: dict[str, list[Any]] = {
    "down": [[0], [0, 1], None],
    "silent": [[0], [1], None],
    "up": [None, None, [0]],
    "new refused": [None, [0]],
    "out": [[0], [1], None, None],
    "in": [None, [0]],
    "waits": [0.5, 3.0],
    "freeze": [[0], None],
    "thaw": [None, None, [0]],
    "network": [(0.002, 0.0), (0.0, 0.3), (0.001, 0.1), (0.0, 0.0)],
    "cut": [("x", "y")],
    "joined": [("x", "y")],
    "configure": [(1, None), (1, [0]), (2, None), (2, [0]), (0, None)],
    "scale": [1, 2, 3, 4],
    "load": [0.0, 0.5, 1.0, 3.0],
    "slow": [0.0, 0.5, 1.0, 2.5],
    "fail": [0.0, 0.3, 1.0],
    "timeout": [0.001, 0.004, None],
    "retries": [0, 1, 3],
    "balancer": ["random", "round_robin", "least_request"],
    "split": [{"v1": 1, "v2": 0}, {"v1": 1, "v2": 1}],
    "look": [None],
}


@dataclass(frozen=True)
class Case:
    """One run, as small as it is random.

    Attributes
    ----------
    changes
        What a control process does.
    branch
        (When, which): the run is stopped, and goes on as that branch; control begins there.
    """

    topology: dict[str, Any]
    architecture: str
    seed: int
    duration_s: float
    drain_s: float
    changes: tuple[Change, ...] = ()
    branch: tuple[float, int] | None = None

    def text(self) -> str:
        """YAML that `read` understands, for tests/contract/found."""
        return yaml.safe_dump({**asdict(self), "changes": [list(change) for change in self.changes]}, sort_keys=False)


def read(file: Path) -> Case:
    """Read a case that was found earlier."""
    values = yaml.safe_load(file.read_text(encoding="utf-8"))
    changes = tuple(tuple(change) for change in values.pop("changes"))
    branch = values.pop("branch")
    return Case(**values, changes=changes, branch=None if branch is None else tuple(branch))


@dataclass(frozen=True)
class Answer:
    """What an engine makes of a case: a record or the error that stopped it, and what its control process saw."""

    record: Record | None
    error: tuple[Any, ...]
    seen: list[Any]


def run_case(case: Case, engine: EngineName) -> Answer:
    """Run a case on one engine."""
    plane = plane_of(case)
    seen: list[Any] = []
    try:
        run: Any = begin(
            plane,
            engine=engine,
            seed=case.seed,
            duration_ns=round(case.duration_s * 1e9),
            drain_ns=round(case.drain_s * 1e9),
            record_requests=True,
            sample=10**9,
        )
        since_s = 0.0
        if case.branch is not None:
            since_s, number = case.branch
            run.advance(round(since_s * 1e9))
            run = run.copy() if engine == "compiled" else run
            run.branch(number)
        controllers = [controller_of(case, seen)] if case.changes else []
        return Answer(drive(run, plane, controllers, since_s=since_s), (), seen)
    except EngineLimit as error:
        return Answer(None, (str(error), error.limit, error.station, error.simulated_time_s), seen)


def plane_of(case: Case) -> Plane:
    """What runs; proxies that are to be configured have two more configurations, a route and one that crashes."""
    topology = ms.load(case.topology)
    if not any(change[1] == "configure" for change in case.changes):
        return ms.lower(topology, case.architecture)
    crashes = Push(name="crashes", fault=CrashOnRequest(to=min(case.topology["services"])))
    others = [ms.load(pushed(case.topology)), changed_topology(topology, crashes)]
    return ms.lower(topology, case.architecture, pushed=others)


def pushed(topology: dict[str, Any]) -> dict[str, Any]:
    """Give the topology with another configuration: a route before all others that delays and turns away."""
    service = min(topology["services"])
    fault = {"delay": {"for": "2ms", "share": 0.5}, "abort": {"as": "503", "share": 0.3}}
    return {**topology, "routes": [{"name": "pushed", "to": service, "fault": fault}, *topology.get("routes", [])]}


_DID = "did "  # before the kind of a change that took effect


def controller_of(case: Case, seen: list[Any]) -> Controller:
    """The control process of a case; it looks before each change."""

    def controller(control: Control) -> Any:
        for at_s, what, name, value in case.changes:
            if at_s > control.now_s:
                yield control.env.timeout(at_s - control.now_s)
            seen.append(control.window())
            try:
                _do(control, what, name, value)
                seen.append(f"{_DID}{what}")
            except UsageError as error:  # e.g. more replicas than there are, or a stream that cannot be changed
                seen.append(str(error))
        yield control.env.timeout(0)

    return controller


def _do(control: Control, what: str, name: str, value: Any) -> None:
    match what:
        case "scale":
            control.scale(name, value)
        case "load":
            control.set_load(name, value)
        case "new refused":
            control.refuse_connections(name, value)
        case "out":
            control.leave_endpoints(name, value)
        case "in":
            control.join_endpoints(name, value)
        case "freeze":
            control.freeze(name, value)
        case "thaw":
            control.thaw(name, value)
        case "waits":
            control.slow_waits(name, value, [0])
        case "network":
            control.impair_network(name, [0], delay_s=value[0], loss=value[1])
        case "cut":
            control.cut_off(*value)
        case "joined":
            control.reconnect(*value)
        case "configure":
            for proxy in (one for one in control.plane.services if one.role == "proxy"):
                control.configure(proxy.name, value[0], value[1])
        case "slow":
            control.slow(name, value)
        case "fail":
            control.fail(name, value)
        case "down" | "silent":
            control.take_down(name, value, silent=what == "silent")
        case "up":
            control.bring_up(name, value)
        case "timeout":
            control.set_call(f"{name}.get.0", timeout_s=value)
        case "retries":
            control.set_call(f"{name}.get.0", retries=value)
        case "balancer":
            control.set_load_balancer(name, value)
        case "split":
            control.set_split(name, value)


# -- comparing -------------------------------------------------------------------------------------------------


def differences(one: Answer, other: Answer) -> list[str]:
    """Where two answers differ, the first request that does at the top; empty if they are equal in every number."""
    if one.error or other.error:
        return [] if one.error == other.error else [f"errors: {one.error or 'none'} and {other.error or 'none'}"]
    assert one.record is not None and other.record is not None
    found = list(_rows(one.record.requests, other.record.requests))
    for name in (field.name for field in fields(Record)):
        found += [] if _equal(getattr(one.record, name), getattr(other.record, name)) else [f"Record.{name}"]
    found += _looks(one.seen, other.seen)
    return found


def _equal(first: Any, second: Any) -> bool:
    if isinstance(first, np.ndarray):
        return first.dtype == second.dtype and np.array_equal(first, second)
    return bool(first == second)


def _rows(one: Any, other: Any) -> Iterator[str]:
    if len(one) != len(other):
        yield f"{len(one)} and {len(other)} requests"
    n = min(len(one), len(other))
    differ = np.flatnonzero(one[:n] != other[:n])
    if len(differ):
        first = int(differ[0])
        names = [name for name in one.dtype.names if one[name][first] != other[name][first]]
        values = "; ".join(f"{name} {one[name][first]} and {other[name][first]}" for name in names)
        yield f"request {one['number'][first]} is the first of {len(differ)} that differ: {values}"


def _looks(one: list[Any], other: list[Any]) -> Iterator[str]:
    if len(one) != len(other):
        yield f"{len(one)} and {len(other)} looks"
    for number, (first, second) in enumerate(zip(one, other, strict=False)):
        if isinstance(first, str) or isinstance(second, str):
            if first != second:
                yield f"look {number}: {first} and {second}"
            continue
        for name in ("services", "outcomes", "latency_ns", "latency_all_ns", "latencies", "at_ns"):
            if not _equal(getattr(first._after, name), getattr(second._after, name)):
                yield f"look {number}: {name}"


# -- what cases are made of ------------------------------------------------------------------------------------


def tally(case: Case, answer: Answer) -> Counter[str]:
    """How common the interesting things were."""
    found: Counter[str] = Counter(cases=1, limits=bool(answer.error), controlled=bool(case.changes))
    found["branched"] = case.branch is not None
    found.update(one for one in answer.seen if isinstance(one, str) and one.startswith(_DID))
    if answer.record is None:
        return found
    record = answer.record
    mesh = case.topology.get("mesh", {})
    found["cheaper when busy"] = case.architecture != "none" and "cpu_falls" in mesh.get("gateway", {})
    rows, spans = record.requests, record.spans
    assert rows is not None
    ends = rows["end_ns"][rows["end_ns"] >= 0]
    outcomes = Counter(rows["outcome"].tolist())
    found["requests"] = len(rows)
    found["ties of answers"] = len(ends) - len(np.unique(ends))
    found["ties of arrivals"] = len(rows) - len(np.unique(rows["arrival_ns"]))
    found["retries"] = int((spans["attempt"] > 0).sum())
    found["given up by the caller"] = int(((spans["returned_ns"] < 0) & (spans["left_ns"] >= 0)).sum())
    found["cancelled"] = int(record.services["cancelled"].sum())
    found["branches"] = int((spans["endpoint"] < 0).sum())
    found["rejected"] = int(record.services["rejected"].sum())
    for name in ("timeouts", "overflows", "limited", "pending", "ejections", "panics", "retries_refused"):
        found[f"policies: {name}"] = int(record.services[name].sum())
    found["policies: retries"] = int(record.services["retries"].sum())
    found["links: sent"] = int(record.services["sent"].sum())
    found["links: waited"] = int(record.services["link_wait_ns"].sum() > 0)
    found["waited for a slot"] = int(record.services["waited"].sum())
    found["rejected at the door"] = outcomes[QUEUE_FULL]
    found["degraded"] = outcomes[DEGRADED]
    found["failed"] = sum(n for code, n in outcomes.items() if code > DEGRADED)
    for name in ("lookups", "hits", "delayed", "stale", "negative", "evictions"):
        found[f"caches: {name}"] = int(record.caches[name].sum())
    found["caches: kept"] = len(record.kept)
    for code in outcomes:
        found[f"cases with {OUTCOMES[code]}"] = 1
    return found
