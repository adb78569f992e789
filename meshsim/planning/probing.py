"""What a deployment does at peak load: simulated on the same seeds as all others, until it is decided what it keeps."""

from __future__ import annotations

import math
from collections.abc import Callable, Iterator, Mapping, Sequence
from concurrent.futures import Future
from dataclasses import dataclass, replace
from typing import Final, Protocol

import numpy as np

from meshsim.architectures import Architecture, lower
from meshsim.architectures.failing import can_fail
from meshsim.architectures.plane import Plane, PlaneService
from meshsim.control import drive
from meshsim.engines.record import Record
from meshsim.model.topology import Topology
from meshsim.model.traffic import Objective
from meshsim.planning.deployment import Counts, deployed
from meshsim.results.intervals import Estimate, per_batch
from meshsim.results.measured import Measured, pool
from meshsim.results.quantiles import quantile_share
from meshsim.results.services import utilization
from meshsim.results.traffic import Judged, Judgement, judge_objective
from meshsim.results.verdict import growth
from meshsim.results.warmup import cut_batches
from meshsim.settings import Settings
from meshsim.simulate import begin_replication, pauses
from meshsim.workers import Stop, Submit

LEVEL: Final = 0.98  # of two-sided intervals, so that either end is a bound at 99 %; of one look
_LEAST_FOR_HOPE: Final = 16  # replications (assumed): their standard error is known to 18 %
_RARE: Final = 0.1  # of the arm of a bound (assumed): what is missed less is a rare event
UNKNOWN: Final = Estimate(None, None, None, 0, "not measured")


@dataclass(frozen=True, slots=True)
class Kept:
    """One thing that a deployment has to keep.

    Attributes
    ----------
    whose
        Tenant, or service or proxy of a ``utilization``.
    quantity, limit
        The objective; ``utilization``: share of its CPU (or of its link) at most.
    judgement
        By the bound at 99 %: ``met``, ``missed`` or ``undecided``.
    estimate
        What was measured, with bounds at 99 % each.
    within
        Of a latency quantile: share of requests answered within the limit, which decides.
    """

    whose: str
    quantity: str
    limit: float
    judgement: Judgement
    estimate: Estimate
    within: Estimate | None = None

    def to_dict(self) -> dict[str, object]:
        """For JSON."""
        return {
            "whose": self.whose,
            "quantity": self.quantity,
            "limit": self.limit,
            "judgement": self.judgement,
            **self.estimate.to_dict(),
        }


def slack(kept: Kept) -> float:
    """How far from the limit, as a share of it: below 0 it is missed."""
    value = kept.estimate.value
    if value is None:
        return float("-inf")
    if kept.quantity == "availability":
        return (value - kept.limit) / max(1.0 - kept.limit, 1e-12)
    return (kept.limit - value) / kept.limit


@dataclass(frozen=True, slots=True)
class Load:
    """What a service or proxy was asked for, as the next guess needs it.

    Attributes
    ----------
    visits
        Messages for each request of a client.
    cores
        CPU cores that would just suffice.
    servers, speed
        Of one replica: how many pieces of work it does at once, each at so many cores.
    """

    visits: float
    cores: float
    servers: int
    speed: float


@dataclass(frozen=True, slots=True, eq=False)
class Probe:
    """A deployment that was simulated.

    Attributes
    ----------
    counts
        Replicas that were up.
    kept
        What it was judged by, objectives first.
    unstable
        Why requests piled up; empty if they did not.
    loads
        By service or proxy of the plane.
    requests, replications
        How much was simulated.
    goodput_per_s
        Requests of all tenants that were answered, per second, with bounds at 99 % each.
    offered_per_s
        Requests that arrived per second.
    """

    counts: Mapping[str, int]
    kept: tuple[Kept, ...]
    unstable: str
    loads: Mapping[str, Load]
    requests: int
    replications: int
    goodput_per_s: Estimate = UNKNOWN
    offered_per_s: float = 0.0

    @property
    def judgement(self) -> Judgement:
        """Whether everything is surely kept, or something surely not."""
        words = {one.judgement for one in self.kept}
        if self.unstable or "missed" in words:
            return "missed"
        return "undecided" if "undecided" in words else "met"

    @property
    def holds(self) -> bool:
        """Everything is kept, at 99 % each."""
        return self.judgement == "met"

    @property
    def broken(self) -> tuple[Kept, ...]:
        """What is not surely kept, what is surely missed first."""
        found = (one for one in self.kept if one.judgement != "met")
        return tuple(sorted(found, key=lambda one: one.judgement != "missed"))

    @property
    def objectives(self) -> tuple[Kept, ...]:
        """What it was judged by but for utilizations; those where there is nothing else."""
        return tuple(one for one in self.kept if one.quantity != "utilization") or self.kept

    @property
    def light(self) -> Probe:
        """The same without what only the next guess needs, and without utilizations that are kept."""
        kept = tuple(one for one in self.kept if one.quantity != "utilization" or one.judgement != "met")
        return replace(self, kept=kept, loads={})


@dataclass(frozen=True, slots=True)
class Question:
    """What has to be kept.

    Attributes
    ----------
    objectives
        By tenant.
    ceiling
        Largest utilization of every service's and proxy's CPU, and of its link.
    most_replications
        Simulated of a deployment that stays undecided.
    """

    objectives: Mapping[str, tuple[Objective, ...]]
    ceiling: float
    most_replications: int


class Judge(Protocol):
    """Whoever judges deployments: by simulation, or by an estimate."""

    found: dict[tuple[tuple[str, int], ...], Probe]

    @property
    def requests(self) -> int:
        """Of all simulations so far."""

    def probe(self, counts: Counts) -> Probe:
        """Judge a deployment."""

    def glance(self, counts: Counts) -> Probe:
        """The same with less effort: what is not clear at once stays undecided."""

    def bounded(self, counts: Counts) -> Probe:
        """The same with more effort: until every objective has bounds, whatever is missed."""


class Prober:
    """Simulates deployments of one topology under one architecture; each once."""

    def __init__(
        self, spec: Topology, architecture: str | Architecture, settings: Settings, question: Question, submit: Submit
    ) -> None:
        self.spec = spec
        self.architecture = architecture
        self.settings = settings
        self.question = question
        self.submit = submit
        self.found: dict[tuple[tuple[str, int], ...], Probe] = {}
        self.glanced: dict[tuple[tuple[str, int], ...], Probe] = {}
        self.safe: dict[str, bool] = {}  # tenants whose requests cannot fail
        self.level = level_of_each(looks(settings.replications, question.most_replications))

    @property
    def requests(self) -> int:
        """Of all simulations so far."""
        return sum(probe.requests for probe in (*self.found.values(), *self.glanced.values()))

    def plane(self, counts: Counts) -> Plane:
        """The deployment, lowered."""
        return lower(deployed(self.spec, counts), self.architecture)

    def probe(self, counts: Counts) -> Probe:
        """Simulate a deployment, twice as long as long as something is undecided."""
        key = tuple(sorted(counts.items()))
        if key not in self.found:
            self.found[key] = self._probe(dict(counts), self.question.most_replications)
        return self.found[key]

    def glance(self, counts: Counts) -> Probe:
        """Simulate a deployment with the first replications alone, unless more of it is known."""
        key = tuple(sorted(counts.items()))
        if key in self.found:
            return self.found[key]
        if key not in self.glanced:
            self.glanced[key] = self._probe(dict(counts), most=self.settings.replications)
        return self.glanced[key]

    def bounded(self, counts: Counts) -> Probe:
        """Simulate a deployment until all that is measured has bounds: what is missed early may have none."""
        key = tuple(sorted(counts.items()))
        known = self.found.get(key)
        if known is None or not _is_bounded(known):
            self.found[key] = self._probe(dict(counts), self.question.most_replications, is_enough=_is_bounded)
        return self.found[key]

    def _probe(self, counts: Counts, most: int, is_enough: Callable[[Probe], bool] | None = None) -> Probe:
        plane = self.plane(counts)
        records: list[Record] = []
        wanted = self.settings.replications
        while True:
            records += self._simulate(plane, range(len(records), wanted))
            probe = self._judged(plane, counts, records)
            decided = probe.judgement != "undecided" or _is_hopeless(probe, most)
            if 2 * wanted > most or (decided if is_enough is None else is_enough(probe)):
                return probe
            wanted *= 2

    def _simulate(self, plane: Plane, numbers: range) -> list[Record]:
        futures: list[Future[Record]] = [self.submit(_replication, plane, self.settings, n) for n in numbers]
        return [future.result() for future in futures]

    def _judged(self, plane: Plane, counts: Counts, records: Sequence[Record]) -> Probe:
        measured = pool(records, cut_batches(plane, records, self.settings.warmup_s))
        everybody = range(len(plane.entries))
        requests = int(measured.all_requests(everybody).sum())
        return Probe(
            counts=counts,
            kept=(*self._objectives(plane, measured), *self._utilizations(plane, measured)),
            unstable=_piling_up(plane, measured, requests),
            loads=_loads(plane, measured, requests),
            requests=requests,
            replications=len(records),
            goodput_per_s=per_batch(measured.answered(everybody) / measured.batch_s, level=LEVEL).estimate,
            offered_per_s=requests / measured.span_s,
        )

    def _objectives(self, plane: Plane, measured: Measured) -> Iterator[Kept]:
        for tenant, objectives in self.question.objectives.items():
            rows = [i for i, (stream, _) in enumerate(plane.entries) if stream.tenant == tenant]
            for objective in objectives:
                judged = judge_objective(measured, rows, objective, level=self.level)
                if (
                    objective.quantity == "availability"
                    and judged.estimate.value == 1.0
                    and self._is_safe(plane, tenant)
                ):
                    judged = _certain(judged)
                yield _kept(tenant, judged)

    def _is_safe(self, plane: Plane, tenant: str) -> bool:
        """Replicas add nothing that fails, so one look suffices."""
        if tenant not in self.safe:
            self.safe[tenant] = not can_fail(plane, tenant)
        return self.safe[tenant]

    def _utilizations(self, plane: Plane, measured: Measured) -> Iterator[Kept]:
        for number, service in enumerate(plane.services):
            estimate = utilization(service, measured, number, level=LEVEL)
            if estimate.value is not None:
                yield Kept(service.name, "utilization", self.question.ceiling, self._below(estimate), estimate)

    def _below(self, estimate: Estimate) -> Judgement:
        """By the point: a mean over the whole run, whose scatter is that of the load, and the load is given."""
        assert estimate.value is not None
        return "met" if estimate.value <= self.question.ceiling else "missed"


def looks(first: int, most: int) -> int:
    """How often a deployment is judged at most: whenever its replications have doubled.

    Examples
    --------
    >>> looks(8, 64), looks(3, 64), looks(16, 16)
    (4, 5, 1)
    """
    return 1 + max(0, math.floor(math.log2(most / first)))


def level_of_each(count: int) -> float:
    """Level of two-sided intervals with which all looks together go wrong once in a hundred, at either end.

    A limit that is exactly met is judged anew whenever more was simulated, and the first look that says so decides. The
    hundredth is divided evenly among the looks (C. E. Bonferroni, 1936), whatever they have in common.

    Examples
    --------
    >>> level_of_each(1) == LEVEL, level_of_each(4)
    (True, 0.995)
    """
    return 1.0 - (1.0 - LEVEL) / count


def _is_bounded(probe: Probe) -> bool:
    return all(map(_has_bounds, probe.objectives))


def _has_bounds(kept: Kept) -> bool:
    """Or will never have: failed requests are infinitely slow."""
    value = kept.estimate.value
    return kept.estimate.high is not None or (value is not None and math.isinf(value))


def _is_hopeless(probe: Probe, most: int) -> bool:
    """Whether something would stay undecided with all replications, if what they say stays as it is.

    Not asked of few replications, whose scatter is hardly known. What is given up counts as missed: no deployment is
    accepted for it.
    """
    if probe.replications < _LEAST_FOR_HOPE:
        return False
    narrower = math.sqrt(probe.replications / most)
    return any(one.judgement == "undecided" and _stays_open(one, narrower) for one in probe.objectives)


def _stays_open(kept: Kept, narrower: float) -> bool:
    """Whether the limit would lie between the bounds if these were narrower; no, where there are none yet."""
    decides = kept.estimate if kept.within is None else kept.within
    limit = kept.limit if kept.within is None else quantile_share(kept.quantity)
    value, low, high = decides.value, decides.low, decides.high
    if value is None or low is None or high is None or math.isinf(value):
        return False
    if kept.quantity != "mean" and 1.0 - value <= _RARE * (value - low):  # hardly anything was missed: goes as 1 / n
        narrower **= 2
    return value - (value - low) * narrower < limit <= value + (high - value) * narrower


def _certain(judged: Judged) -> Judged:
    """Availability where nothing can fail: any number of requests proves less than how they are served."""
    estimate = replace(judged.estimate, low=1.0, high=1.0, method="nothing on the way of a request can fail")
    return replace(judged, judgement="met", estimate=estimate)


def _kept(tenant: str, judged: Judged) -> Kept:
    return Kept(tenant, judged.quantity, judged.limit, judged.judgement, judged.estimate, judged.within)


def _piling_up(plane: Plane, measured: Measured, requests: int) -> str:
    """Say so where the number of requests in the plane keeps growing."""
    if all(stream.arrivals.kind == "closed" for stream, _ in plane.entries):
        return ""
    found = growth(measured.occupancy, measured.batch_s * measured.batches, requests / measured.replications)
    return f"requests pile up by {found.per_s:.3g} per second" if found.growing else ""


def _loads(plane: Plane, measured: Measured, requests: int) -> dict[str, Load]:
    found = {}
    for number, service in enumerate(plane.services):
        counters = measured.services[number]
        visits = float(counters["requests"].sum()) / requests if requests else 0.0
        one = load_of(service, visits, float(counters["demand_ns"].sum()) * 1e-9 / measured.span_s)
        if one is not None:
            found[service.name] = one
    return found


def load_of(service: PlaneService, visits: float, cores: float) -> Load | None:
    """What a service was asked for; None where its CPU has no limit."""
    each = math.fsum(replica.cores for replica in service.replicas) / len(service.replicas)  # of several versions
    if service.role == "library" or math.isinf(each):
        return None
    servers = max(1, math.ceil(each))
    return Load(visits, cores, servers, each / servers)


def _replication(plane: Plane, settings: Settings, replication: int, *, stop: Stop | None) -> Record:
    """One replication; at module level, so that another process can be told to do it."""
    run = begin_replication(plane, settings, replication)
    return drive(run, plane, (), pauses=pauses(settings), stop=stop)


def probing(settings: Settings) -> Settings:
    """Settings of probes: nothing is kept of single requests."""
    return replace(settings, sampled=0, events=None)


def wait_share(load: Load, replicas: int) -> float:
    """CPU waits of one request at a service, in units of its work: Erlang's C with each replica as a queue of its own.

    A. K. Erlang (1917). It only says in which order deployments are looked at: what is accepted was simulated.
    """
    a = load.cores / replicas / load.speed
    c = load.servers
    if a >= c:
        return math.inf
    terms = np.cumprod([1.0, *(a / n for n in range(1, c))])
    last = terms[-1] * a / c / (1.0 - a / c)
    waits = last / (terms.sum() + last)
    return float(waits / (c - a))
