"""What autoscalers made of a run: replicas over time, how late they came, how many too many, against a fixed number.

Load is the CPU work that came between two decisions of an autoscaler; what it *needs* is that over the target: as many
replicas as would be used as much as the autoscaler wants. All numbers are of the whole run, its warm-up too.
"""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Final, NamedTuple

import numpy as np
import numpy.typing as npt

from meshsim.architectures.plane import Plane
from meshsim.architectures.rewrites import GATEWAY, sidecar_of
from meshsim.engines.record import Look, Record
from meshsim.model.autoscale import Autoscale
from meshsim.model.topology import Topology
from meshsim.results.intervals import Estimate, finite, per_batch

Floats = npt.NDArray[np.float64]

_MOST_STEPS: Final = 240  # of lines over time: what a chart is wide
_ESTIMATES: Final = ("replicas", "lag_s", "lags", "short", "overshoot", "turns", "replica_hours", "node_hours")
_LINES: Final = ("needed", "wanted", "provisioned", "ready", "utilization", "nodes")


@dataclass(frozen=True, slots=True, eq=False)
class ReplicaLines:
    """Replicas of one service over time, mean over replications: a number a step.

    Attributes
    ----------
    edges_s
        Of the steps, in seconds of the run: one more than there are steps, which are equally long.
    needed
        Replicas that the load needs, whole or not.
    wanted
        By the autoscaler.
    provisioned
        Those that start and those that drain too.
    ready
        That get requests.
    utilization
        That the autoscaler saw, as a share of the request; nan where it had no metrics.
    nodes
        In the cluster.
    """

    edges_s: Floats
    needed: Floats
    wanted: Floats
    provisioned: Floats
    ready: Floats
    utilization: Floats
    nodes: Floats

    def to_dict(self) -> dict[str, object]:
        """For JSON: null is unknown."""
        return {name: [finite(one) for one in getattr(self, name).tolist()] for name in ("edges_s", *_LINES)}

    @classmethod
    def from_dict(cls, data: Mapping[str, Any]) -> ReplicaLines:
        """Read back what `to_dict` gave."""
        return cls(**{name: _array(data[name]) for name in ("edges_s", *_LINES)})


@dataclass(frozen=True, slots=True, eq=False)
class Autoscaled:
    """What the autoscaler of one service or gateway did; estimates are means over replications.

    Attributes
    ----------
    target
        Its target, a share of the request.
    fewest, most
        Replicas that were provisioned at any time, in any replication.
    replicas
        Mean number of those that were provisioned.
    lag_s
        Longest time from when the load needed more replicas than were ready, beyond the tolerance, until there were
        enough; 0 if there always were.
    lags
        How often that was so.
    short
        Share of the time in which it was so.
    overshoot
        Most replicas that were wanted, less the most that the load needed.
    turns
        How often the direction of scaling changed (thrash): once a day is a day.
    replica_hours
        Provisioned.
    static_replicas
        Most replicas that the load needed at any time, in any replication: a plan without an autoscaler.
    node_hours
        Of all nodes in the cluster; with several autoscalers the same for all.
    lines
        Replicas over time.
    """

    target: float
    fewest: int
    most: int
    replicas: Estimate
    lag_s: Estimate
    lags: Estimate
    short: Estimate
    overshoot: Estimate
    turns: Estimate
    replica_hours: Estimate
    static_replicas: int
    static_hours: float
    node_hours: Estimate
    lines: ReplicaLines

    @property
    def saved(self) -> float:
        """Replica-hours that it saves of those of the static plan, as a share; negative if it costs more."""
        return 1.0 - (self.replica_hours.value or 0.0) / self.static_hours

    @property
    def estimates(self) -> dict[str, Estimate]:
        """All numbers with intervals, by name."""
        return {name: getattr(self, name) for name in _ESTIMATES}

    def to_dict(self) -> dict[str, object]:
        """For JSON."""
        estimates = {
            name: {end: getattr(one, end) for end in ("value", "low", "high")} for name, one in self.estimates.items()
        }
        exact = {name: getattr(self, name) for name in ("target", "fewest", "most", "static_replicas", "static_hours")}
        return {**exact, **estimates, "saved": self.saved, "over_time": self.lines.to_dict()}

    @classmethod
    def from_dict(cls, data: Mapping[str, Any]) -> Autoscaled:
        """Read back what `to_dict` gave."""
        exact = {name: data[name] for name in ("target", "fewest", "most", "static_replicas", "static_hours")}
        estimates: dict[str, Any] = {
            name: Estimate(data[name]["value"], data[name]["low"], data[name]["high"], 0, "read from JSON")
            for name in _ESTIMATES
        }
        return cls(**exact, **estimates, lines=ReplicaLines.from_dict(data["over_time"]))


def autoscaled(
    topology: Topology, plane: Plane, records: Sequence[Record], *, level: float = 0.95
) -> dict[str, Autoscaled]:
    """What the autoscalers did, by service; empty where nothing autoscales."""
    there = {service.name for service in plane.services}
    rules = {name: service.autoscale for name, service in topology.services.items()}
    rules[GATEWAY] = topology.mesh.gateway.autoscale
    return {
        name: _autoscaled(plane, name, rule, records, level)
        for name, rule in sorted(rules.items())
        if rule is not None and name in there and any(look.service == name for look in records[0].looks)
    }


def _autoscaled(plane: Plane, name: str, rule: Autoscale, records: Sequence[Record], level: float) -> Autoscaled:
    pod = [service for service in plane.services if service.name in (name, sidecar_of(name))]
    full = rule.target * sum(service.replicas[0].cores_requested for service in pod)  # cores of a replica at the target
    courses = [_course(record, name, full) for record in records]
    runs = [_run(course, rule) for course in courses]
    static = max(run.most_needed for run in runs)
    hours = courses[0].end_s / 3600.0

    def mean(values: Sequence[float]) -> Estimate:
        return per_batch(np.array(values, dtype=np.float64)[:, None], level=level).estimate

    return Autoscaled(
        target=rule.target,
        fewest=int(min(course.provisioned.min() for course in courses)),
        most=int(max(course.provisioned.max() for course in courses)),
        replicas=mean([run.replica_hours / hours for run in runs]),
        lag_s=mean([max(run.lags_s, default=0.0) for run in runs]),
        lags=mean([len(run.lags_s) for run in runs]),
        short=mean([math.fsum(run.lags_s) / course.end_s for run, course in zip(runs, courses, strict=True)]),
        overshoot=mean([run.most_wanted - run.most_needed for run in runs]),
        turns=mean([run.turns for run in runs]),
        replica_hours=mean([run.replica_hours for run in runs]),
        static_replicas=static,
        static_hours=static * hours,
        node_hours=mean([run.node_hours for run in runs]),
        lines=_lines(courses, rule.interval_s),
    )


# -- one replication ---------------------------------------------------------------------------------------------


@dataclass(frozen=True, slots=True, eq=False)
class _Course:
    """What held in one replication from each of its times to the next, the last one the end of the duration."""

    at_s: Floats  # one more than of the others
    needed: Floats
    wanted: Floats
    provisioned: Floats
    ready: Floats
    utilization: Floats
    nodes: Floats

    @property
    def end_s(self) -> float:
        """When the duration is over."""
        return float(self.at_s[-1])

    @property
    def lasts_s(self) -> Floats:
        """How long each step lasts."""
        return np.diff(self.at_s)


def _course(record: Record, name: str, full: float) -> _Course:
    """Join looks of one instant; the load of a decision is that of the time before it."""
    looks = [look for look in record.looks if look.service == name and look.at_ns < record.duration_ns]
    later = [look for look in record.looks if look.service == name and look.at_ns >= record.duration_ns]
    decisions = [look for look in (*looks, *later) if look.demand_cores is not None]
    at_ns = sorted({look.at_ns for look in looks})
    last = {look.at_ns: look for look in looks}  # the last one of an instant
    held = [last[at] for at in at_ns]
    seen = _seen(decisions, at_ns)
    ends_ns = np.array([look.at_ns for look in decisions], dtype=np.int64)
    window = np.searchsorted(ends_ns, np.array(at_ns), side="right")
    demands = np.array([look.demand_cores for look in decisions], dtype=np.float64)
    known = np.minimum(window, len(demands) - 1)
    needed = demands[known] / full if len(demands) else np.zeros(len(at_ns))
    return _Course(
        at_s=np.array([*at_ns, record.duration_ns], dtype=np.float64) / 1e9,
        needed=needed,
        wanted=np.array([look.wanted for look in held], dtype=np.float64),
        provisioned=np.array([look.provisioned for look in held], dtype=np.float64),
        ready=np.array([look.ready for look in held], dtype=np.float64),
        utilization=seen,
        nodes=np.array([look.nodes for look in held], dtype=np.float64),
    )


def _seen(decisions: Sequence[Look], at_ns: Sequence[int]) -> Floats:
    """Utilization that the last decision saw."""
    found, number, seen = np.full(len(at_ns), math.nan), 0, math.nan
    for i, at in enumerate(at_ns):
        while number < len(decisions) and decisions[number].at_ns <= at:
            seen = math.nan if decisions[number].utilization is None else float(decisions[number].utilization or 0.0)
            number += 1
        found[i] = seen
    return found


class _Run(NamedTuple):
    """What one replication comes to."""

    most_needed: int
    most_wanted: int
    turns: int
    lags_s: list[float]
    replica_hours: float
    node_hours: float


def _run(course: _Course, rule: Autoscale) -> _Run:
    most_needed = max(rule.min, math.ceil(round(float(course.needed.max()), 9)))
    changes = np.diff(course.wanted)
    directions = np.sign(changes[changes != 0.0])
    return _Run(
        most_needed=most_needed,
        most_wanted=int(course.wanted.max()),
        turns=int(np.count_nonzero(np.diff(directions))),
        lags_s=_lags_s(course, rule.tolerance),
        replica_hours=float(course.provisioned @ course.lasts_s) / 3600.0,
        node_hours=float(course.nodes @ course.lasts_s) / 3600.0,
    )


def _lags_s(course: _Course, tolerance: float) -> list[float]:
    """How long each time lasts in which the load needs more than is ready."""
    short = course.needed > course.ready * (1.0 + tolerance) * (1.0 + 1e-9)
    edges = np.flatnonzero(np.diff(np.concatenate([[False], short, [False]]).astype(np.int8)))
    return [float(course.at_s[end] - course.at_s[begin]) for begin, end in edges.reshape(-1, 2)]


# -- over time -----------------------------------------------------------------------------------------------------


def _lines(courses: Sequence[_Course], interval_s: float) -> ReplicaLines:
    end_s = courses[0].end_s
    steps = max(1, min(_MOST_STEPS, math.ceil(end_s / interval_s)))
    edges_s = np.linspace(0.0, end_s, steps + 1)
    found = {}
    for name in _LINES:
        each = [_means(course.at_s, getattr(course, name), edges_s) for course in courses]
        known = np.isfinite(each)
        sums, counts = np.where(known, each, 0.0).sum(axis=0), known.sum(axis=0)
        found[name] = np.divide(sums, counts, out=np.full(steps, math.nan), where=counts > 0)
    return ReplicaLines(edges_s, **found)


def _means(at_s: Floats, values: Floats, edges_s: Floats) -> Floats:
    """Mean of a step function between edges; nan where it is known nowhere."""
    known = np.isfinite(values)
    lasts = np.diff(at_s)
    area = np.concatenate([[0.0], np.cumsum(np.where(known, values, 0.0) * lasts)])
    span = np.concatenate([[0.0], np.cumsum(known * lasts)])
    areas, spans = np.diff(np.interp(edges_s, at_s, area)), np.diff(np.interp(edges_s, at_s, span))
    means: Floats = np.divide(areas, spans, out=np.full(len(areas), math.nan), where=spans > 0.0)
    return means


def _array(values: Sequence[float | None]) -> Floats:
    return np.array([math.nan if value is None else value for value in values], dtype=np.float64)
