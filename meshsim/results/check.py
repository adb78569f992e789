"""``--check``: queueing theory beside every station where it applies.

Three *laws* hold at every station, whatever happens there (P. J. Denning and J. P. Buzen, "The operational analysis of
queueing network models", ACM Computing Surveys 10, 1978): what comes in and does not go out is still there. The check
looks at the difference of the two, batch by batch. What is there does not grow for ever, so the differences have mean
0, and sooner or later each is taken back: Student's interval of their mean, which takes them as independent, is at
least as wide as it has to be. They are averaged over replications first, so that a start without anybody there counts
once.

*Theory* predicts means from the topology alone (`meshsim.results.flows`). It is exact where arrivals at a queue are
known to be a Poisson process; elsewhere it may be an approximation, which is marked and never counts against a run; or
there is none, and the row says why. How often a cache hits is beyond the topology: what is called behind one has no
theory, and the cache itself has that of `meshsim.results.cache_theory`, an approximation.
"""

from __future__ import annotations

import math
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from typing import Any, Final, NamedTuple

import numpy as np
import numpy.typing as npt

from meshsim.architectures.plane import Plane, PlaneService
from meshsim.architectures.walk import calls_in, chain_of
from meshsim.engines.record import BATCHES, OK, TIMEOUT
from meshsim.results.cache_theory import CacheTheory
from meshsim.results.caching import cache_result
from meshsim.results.flows import Demand, Flow, flows
from meshsim.results.histogram import COARSE_BITS, FINE_BITS, lower_edge_ns
from meshsim.results.intervals import FEW_EVENTS, Statistic, per_batch, ratio, share
from meshsim.results.judge import Check, Claim, Row, judge_all
from meshsim.results.measured import Measured
from meshsim.results.text import percent
from meshsim.results.theory import waiting_mg1, waiting_mgc, waiting_mmc, waiting_ps

FLOW_BALANCE: Final = "flow balance"
LITTLE: Final = "Little's law"  # J. D. C. Little, "A proof for the queuing formula L = λW", Operations Research 9, 1961
UTILIZATION: Final = "utilization law"
LAWS: Final = (FLOW_BALANCE, LITTLE, UTILIZATION)
EQUATIONS: Final = "traffic equations"
#: Counters of enforcers that tell of other calls than the topology has.
_DISTURBING: Final = ("retries", "timeouts", "overflows", "limited", "ejections", "panics")
_ROUNDING_S: Final = 2e-9  # times are whole nanoseconds, and work that is shared ends up to one late (rule C4)


def check(plane: Plane, measured: Measured, *, unsteady: str = "", controlled: bool = False) -> Check:
    """Set theory beside a run.

    Parameters
    ----------
    plane
        What was simulated.
    measured
        What was measured of it.
    unsteady
        Why nothing is in balance: the verdict says that the run is unstable, or shorter than its warm-up.
    controlled
        Events or control processes may have changed the plane on the way.
    """
    return judge_all(list(claims(plane, measured, unsteady, controlled)), LAWS)


def claims(plane: Plane, measured: Measured, unsteady: str, controlled: bool) -> Iterator[Claim | Row]:
    """Everything that is to be judged, and what there is no theory for; parameters as of `check`."""
    equations = flows(plane)
    changed = unsteady or ("events or control processes may change it" if controlled else "")
    disturbed, late = _disturbed(plane, measured, equations), _met_too_late(plane, measured)
    held = bool(measured.services["pending"].any())
    entering = math.fsum(float(flow.visits.sum()) for flow in equations.values() if flow.from_clients)
    under_way = float(measured.occupancy.mean()) / entering if entering > 0.0 else 0.0
    for number, service in enumerate(plane.services):
        counters, flow = measured.services[number], equations[service.name]
        expected = float(flow.visits.sum()) * measured.span_s
        if not counters["requests"].any() and (flow.unknown or expected < FEW_EVENTS):
            yield Row(service.name, "requests per second", "per_s", note="no request reached it")
            continue
        kept_back = held and not flow.from_clients
        station = _Station(service, flow, counters, measured.batch_s, service.name in late, kept_back)
        yield from station.laws(unsteady)
        yield from station.predictions(changed, disturbed, float(flow.visits.sum()) * under_way + 1.0)
    yield from _hit_ratios(plane, measured, unsteady, controlled)


def _hit_ratios(plane: Plane, measured: Measured, unsteady: str, controlled: bool) -> Iterator[Claim | Row]:
    """Che's approximation beside every cache that was asked."""
    names = [(service.name, cache.name) for service in plane.services for cache in service.caches]
    asked = [number for number in range(len(names)) if measured.caches["lookups"][number].any()]
    if not asked:
        return
    streams = [stream for stream, _ in plane.entries]
    cut, length_s = BATCHES - measured.batches, measured.batch_s
    theory = CacheTheory(plane, cut * length_s, measured.batches * length_s, controlled=controlled)
    for number in asked:
        station, name = names[number]
        expected = theory.expected(station, name, cache_result(measured, number, streams))
        row = Row(f"{station}.{name}", "hit ratio", "share", expected.theory)
        if unsteady or expected.hit_ratio is None:
            yield _without(row, unsteady or expected.note)
            continue
        total = {counter: measured.caches[counter][number].sum(axis=0) for counter in ("lookups", "hits")}
        found = share(total["hits"], total["lookups"])
        if found.influence is None or found.estimate.value is None:
            yield _without(row, found.estimate.method)
            continue
        events = float(total["lookups"].sum()) * min(expected.hit_ratio, 1.0 - expected.hit_ratio)
        row = _predicted(row, expected.hit_ratio, expected.note)
        yield Claim(row, found.estimate.value, found.influence, approximate=True, events=events)


def _disturbed(plane: Plane, measured: Measured, equations: dict[str, Flow]) -> str:
    """Why those that call others call them more or less often than the topology says; empty if they do not."""
    lost = measured.counts[..., OK + 1 :].any()
    if lost or measured.services["failed"].any() or measured.services["cancelled"].any():
        return "calls failed or were given up, which changes who is called how often"
    if any(measured.services[counter].any() for counter in _DISTURBING):
        return "policies tried calls again or turned them away, which changes who is called how often"
    if _longest_s(measured) >= min(_timeouts_s(plane), default=math.inf):
        return "calls may have met their timeout, which changes who is called how often"
    full = [name for name, flow in equations.items() if _overload(plane.service(name), flow)]
    return f"{full[0]} is asked for more CPU than it has" if full else ""


def _met_too_late(plane: Plane, measured: Measured) -> set[str]:
    """Services and proxies that turn away what their clients no longer wait for (rule Y2)."""
    return {
        hop.to
        for number, (stream, first) in enumerate(plane.entries)
        if stream.patience is not None and measured.counts[number, ..., TIMEOUT].any()
        for hop in chain_of(plane, first)
        if hop.deadline
    }


def _timeouts_s(plane: Plane) -> Iterator[float]:
    for service in plane.services:
        for versions in service.endpoints.values():
            for steps in versions:
                yield from (c.call.timeout_s for c in calls_in(steps) if c.call.timeout_s is not None)


def _longest_s(measured: Measured) -> float:
    """At least the longest time that any request took, or stayed anywhere."""
    used = ((measured.buckets, FINE_BITS), (measured.service_buckets, COARSE_BITS))
    return max((lower_edge_ns(int(b[-1]) + 1, bits=bits) for b, bits in used if b.size), default=0) * 1e-9


def _overload(service: PlaneService, flow: Flow) -> float | None:
    """How much of its CPU the busiest replica is asked for, when that is all or more."""
    cores = np.array([replica.cores for replica in service.replicas])
    most = float(np.max(flow.load / cores))
    return most if most >= 1.0 and service.threads is not None else None


@dataclass(frozen=True, slots=True)
class _Station:
    """A service with what was measured of it ((R, M) counters) and what the traffic equations say."""

    service: PlaneService
    flow: Flow
    counters: npt.NDArray[np.void]
    batch_s: float
    late: bool  # what came too late was turned away
    kept_back: bool  # calls waited for connections, perhaps those to here

    def laws(self, why: str) -> Iterator[Claim | Row]:
        """Balances of requests, of the time that they spend here, and of work."""
        c = self.counters
        name, cancelled = self.service.name, int(c["cancelled"].sum())
        left = f"{cancelled:,} requests were cancelled" if cancelled else ""
        stopped = "branches may be stopped at their work (rule F3)" if self.flow.branches else ""
        requests = Row(name, "requests per second", "per_s", FLOW_BALANCE)
        ended = c["answered"] + c["failed"] + c["cancelled"]
        yield self.balance(requests, c["requests"], ended, why)
        there = Row(name, "requests there", "number", LITTLE)
        yield self.balance(there, c["sojourn_ns"] * 1e-9, c["in_system_ns"] * 1e-9, why or left)
        busy = Row(name, "busy cores", "number", UTILIZATION)
        cores = max((replica.cores for replica in self.service.replicas if math.isfinite(replica.cores)), default=1.0)
        late = _ROUNDING_S * max(1.0, cores) * float(c["work_items"].mean()) / self.batch_s
        yield self.balance(busy, c["demand_ns"] * 1e-9, c["busy_ns"] * 1e-9, why or left or stopped, late)

    def balance(self, row: Row, given: Any, taken: Any, why: str, slack: float = 0.0) -> Claim | Row:
        """What came in and what went out, per second."""
        if why:
            return _without(row, why)
        came, went = (np.asarray(values, dtype=np.float64) / self.batch_s for values in (given, taken))
        return Claim(_predicted(row, float(came.mean())), float(went.mean()), (came - went).mean(axis=0), slack)

    # -- theory ----------------------------------------------------------------------------------------------------

    def predictions(self, changed: str, disturbed: str, edges: float) -> Iterator[Claim | Row]:
        """What the topology alone predicts.

        Parameters
        ----------
        changed
            Why it does not hold for anything.
        disturbed
            Why it holds for what comes straight from outside alone.
        edges
            Requests under way here or to here when the measurement begins and ends.
        """
        flow, service = self.flow, self.service
        why = changed or next(iter(flow.unknown), "") or ("" if flow.from_clients else disturbed)
        edge_per_s = edges / (self.batch_s * self.counters.shape[1])
        rate = Row(service.name, "requests per second", "per_s", EQUATIONS)
        visits = float(flow.visits.sum())
        found = per_batch(self.counters["requests"] / self.batch_s)
        yield self.claim(rate, visits, found, why, edge_per_s, events=visits * self.span_s)
        if not flow.demands:
            return
        why = why or self.work_unknown(disturbed)
        work_s = float(flow.load.sum()) / visits if visits > 0.0 else 0.0
        yield self.busy(why, edge_per_s * work_s)
        if self.may_wait_for_cpu():
            yield self.wait_for_cpu(why)
        if service.concurrency is not None:
            yield self.wait_for_slot(why)

    @property
    def span_s(self) -> float:
        """Measured time, all replications together."""
        return self.batch_s * self.counters.size

    def claim(
        self, row: Row, predicted: float, found: Statistic, why: str, slack: float, *, events: float, note: str = ""
    ) -> Claim | Row:
        if why:
            return _without(row, why)
        if found.influence is None or found.estimate.value is None:
            return _without(row, found.estimate.method)
        return Claim(_predicted(row, predicted, note), found.estimate.value, found.influence, slack, bool(note), events)

    def work_unknown(self, disturbed: str) -> str:
        """Why the CPU demands are not those of the topology."""
        if self.flow.work_unknown:
            return next(iter(self.flow.work_unknown))
        if self.counters["rejected"].any():
            impatient = "" if self.service.max_wait is None else ", or waited too long for a slot"
            return f"requests met a full queue{impatient}"
        if self.counters["cancelled"].any():
            return "requests were cancelled"
        if self.late:
            return "what came too late for its client was turned away"
        if disturbed and any(demand.after == "call" for demand in self.flow.demands):
            return disturbed
        overload = _overload(self.service, self.flow)
        return "" if overload is None else f"overloaded: {percent(overload)} of its CPU asked for"

    @property
    def unlimited(self) -> bool:
        """No work ever waits for the CPU."""
        return self.service.threads is None or all(math.isinf(replica.cores) for replica in self.service.replicas)

    def busy(self, why: str, slack: float) -> Claim | Row:
        load, cores = float(self.flow.load.sum()), self.service.cores
        used, events = self.counters["busy_ns"] / (self.batch_s * 1e9), float(self.flow.visits.sum()) * self.span_s
        if self.unlimited or math.isinf(cores):
            row = Row(self.service.name, "busy cores", "number", "M/G/∞" if self.unlimited else EQUATIONS)
            return self.claim(row, load, per_batch(used), why, slack, events=events)
        row = Row(self.service.name, "utilization", "share", EQUATIONS)
        return self.claim(row, load / cores, per_batch(used / cores), why, slack / cores, events=events)

    def may_wait_for_cpu(self) -> bool:
        """The CPU is limited, and more requests may want it than it serves at full speed."""
        slots, threads = self.service.concurrency, self.service.threads or 1
        least = min(replica.cores / threads for replica in self.service.replicas)
        return not self.unlimited and (slots is None or slots > math.floor(least))

    def wait_for_cpu(self, why: str) -> Claim | Row:
        flow, service = self.flow, self.service
        row = Row(service.name, "wait for the CPU", "s")
        why = why or next(iter(flow.unlike_poisson), "") or ("calls waited for connections" if self.kept_back else "")
        why = why or ("it works in several branches at once" if flow.branches else "")
        why = why or ("tenants wait apart" if service.discipline in ("fair", "priority") else "")
        why = why or self._turned_away()
        if self.counters["waited"].any():
            why = why or f"concurrency {service.concurrency} limits who is at the CPU"
        unlike = "" if service.concurrency is None else "nobody waited for a slot: as if their number had no limit"
        threads = service.threads or 1
        queues = [
            _Queue(service.discipline, replica.cores / threads, _jobs(flow.demands, i, 1.0 / threads), threads)
            for i, replica in enumerate(service.replicas)
            if flow.visits[i] > 0.0
        ]
        return self.wait(row, queues, "cpu_wait_ns", why, unlike)

    def _turned_away(self) -> str:
        if self.service.bulkhead is not None:
            return f"a bulkhead of {self.service.bulkhead} for each tenant"
        return "" if self.service.buffers_bytes is None else "buffers limit who is there"

    def wait_for_slot(self, why: str) -> Claim | Row:
        """Slots as servers, where each is held for one CPU demand that waits for nothing."""
        flow, service = self.flow, self.service
        assert service.concurrency is not None
        row = Row(service.name, "wait for a slot", "s")
        once = np.allclose(sum((demand.rates for demand in flow.demands), np.zeros_like(flow.visits)), flow.visits)
        why = why or next(iter(flow.unlike_poisson), "") or ("calls waited for connections" if self.kept_back else "")
        why = why or (f"a queue of {service.queue} at most" if service.queue is not None else "")
        why = why or ("tenants wait apart" if service.line != "fifo" else "") or self._turned_away()
        why = why or ("slots are held while the CPU is waited for" if self.may_wait_for_cpu() else "")
        why = why or ("slots are held for more than one piece of work" if flow.pauses or not once else "")
        queues = [
            _Queue("fifo", float(service.concurrency), _jobs(flow.demands, i))
            for i in range(len(service.replicas))
            if flow.visits[i] > 0.0
        ]
        return self.wait(row, queues, "slot_wait_ns", why, "")

    def wait(self, row: Row, queues: Sequence[_Queue], counter: str, why: str, unlike: str) -> Claim | Row:
        """Mean wait of a visit at queues beside each other, from what waits in all of them (Little's law)."""
        if any(queue.load >= queue.cores for queue in queues):
            why = why or "overloaded"
        if why:
            return _without(row, why)
        waiting = math.fsum(queue.waiting() for queue in queues)
        if not math.isfinite(waiting):
            return _without(row, "its CPU time has no finite variance")
        notes = [*self.assumptions(), *sorted({queue.assumption for queue in queues}), unlike]
        note = "; ".join(filter(None, notes))
        requests = self.counters["requests"]
        found = ratio(self.counters[counter], requests, scale=1e-9)
        slack = _ROUNDING_S * float(self.counters["work_items"].sum() / max(1, requests.sum()))
        events = math.fsum(queue.waits_per_s() for queue in queues) * self.span_s
        named = replace(row, theory=_model(queues, bool(note)))
        return self.claim(named, waiting / float(self.flow.visits.sum()), found, "", slack, events=events, note=note)

    def assumptions(self) -> Iterator[str]:
        """What is taken for granted about the arrivals of jobs at the CPU."""
        if not self.flow.from_clients:
            yield f"what comes from {', '.join(sorted(self.flow.senders))} is taken as a Poisson process"
        fair = self.service.discipline == "ps"
        if any(demand.after == "call" or (demand.after and not fair) for demand in self.flow.demands):
            yield "what comes back for more work is taken as a Poisson process"


class _Job(NamedTuple):
    """Jobs of one kind at one queue."""

    rate: float
    mean_s: float
    second_s2: float
    exponential: bool


def _jobs(demands: Sequence[Demand], replica: int, share: float = 1.0) -> tuple[_Job, ...]:
    """What a replica gets, or an equal share of it; jobs that never come are left out."""
    return tuple(
        _Job(float(d.rates[replica]) * share, d.mean_s, d.second_s2, d.exponential)
        for d in demands
        if d.rates[replica] > 0.0
    )


@dataclass(frozen=True, slots=True)
class _Queue:
    """One queue: its discipline, its cores (or slots), its jobs, and how many like it there are."""

    discipline: str
    cores: float
    jobs: tuple[_Job, ...]
    alike: int = 1

    @property
    def load(self) -> float:
        """Erlangs on whole cores."""
        return math.fsum(job.rate * job.mean_s for job in self.jobs)

    @property
    def servers(self) -> int:
        """Of FIFO and LIFO (rule C2)."""
        return math.ceil(self.cores)

    @property
    def exponential(self) -> bool:
        """All jobs are exponential with one mean."""
        return all(job.exponential for job in self.jobs) and len({job.mean_s for job in self.jobs}) == 1

    @property
    def name(self) -> str:
        """Of the model, as Kendall writes it."""
        if self.discipline == "ps":
            return f"M/G/{self.cores:g}-PS"
        if self.exponential:
            return f"M/M/{self.servers}"
        return "M/G/1 (Pollaczek-Khinchine)" if self.servers == 1 else f"M/G/{self.servers} (Lee-Longton)"

    @property
    def assumption(self) -> str:
        """What the model itself takes for granted."""
        exact = self.discipline == "ps" or self.exponential or self.servers == 1
        return "" if exact else "M/G/c has no closed form"

    def waits_per_s(self) -> float:
        """How many jobs find no core free, in all queues like this one, as if their times were exponential."""
        if self.load == 0.0:
            return math.inf  # that nobody waits is sure
        whole = self.cores if self.discipline == "ps" else float(self.servers)
        load = self.load * whole / self.cores
        share = waiting_ps(load, whole) * (whole - load) / load
        return self.alike * share * math.fsum(job.rate for job in self.jobs)

    def waiting(self) -> float:
        """Mean number of jobs that wait, in all queues like this one."""
        if self.load == 0.0:
            return 0.0
        if self.discipline == "ps":
            return self.alike * waiting_ps(self.load, self.cores)
        speed = self.cores / self.servers
        load = self.load / speed
        if self.exponential:
            return self.alike * waiting_mmc(load, self.servers)
        rate = math.fsum(job.rate for job in self.jobs)
        second_s2 = math.fsum(job.rate * job.second_s2 for job in self.jobs) / rate / speed**2
        if self.servers == 1:
            return self.alike * waiting_mg1(rate, load / rate, second_s2)
        return self.alike * waiting_mgc(load, self.servers, second_s2 * (rate / load) ** 2 - 1.0)


def _model(queues: Sequence[_Queue], approximate: bool) -> str:
    """Names of the models, how many queues there are, and whether that is an approximation."""
    names, several = sorted({queue.name for queue in queues}), sum(queue.alike for queue in queues)
    times = f"{several} × " if several > 1 else ""
    return f"{'≈ ' * approximate}{times}{' or '.join(names)}"


def _without(row: Row, why: str) -> Row:
    return replace(row, judgement="no theory", note=why)


def _predicted(row: Row, predicted: float, note: str = "") -> Row:
    return replace(row, predicted=predicted, note=note)
