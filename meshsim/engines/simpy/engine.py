"""The reference engine: builds a run from a Program, drives it, and hands over a Record."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np

from meshsim.engines import buckets, keyed, order, record
from meshsim.engines.buckets import COARSE_BUCKETS, FINE_BUCKETS
from meshsim.engines.jit import compiled
from meshsim.engines.program import Program
from meshsim.engines.record import BATCHES, Record
from meshsim.engines.running import ABSENT, READY, REFUSING, SERVING, Changeable, Totals, summed
from meshsim.engines.simpy.caches import Caches
from meshsim.engines.simpy.clients import Clients
from meshsim.engines.simpy.clock import Clock, Occupancy
from meshsim.engines.simpy.cpu import Cpu, make_cpu
from meshsim.engines.simpy.environment import Environment
from meshsim.engines.simpy.frames import Interpreter
from meshsim.engines.simpy.limits import Limits
from meshsim.engines.simpy.lines import Line, make_line
from meshsim.engines.simpy.messages import Messages
from meshsim.engines.simpy.network import Network
from meshsim.engines.simpy.plant import Plant, Replica
from meshsim.engines.simpy.requests import Request
from meshsim.engines.simpy.spans import Spans
from meshsim.engines.simpy.stations import Meter, Station, Use, bucket_coarse
from meshsim.engines.simpy.upstreams import Upstreams
from meshsim.errors import EngineLimit

# Compiled: a call of compiled code takes less than the arithmetic in Python, and the other engine asks for the same.
bucket = compiled("int64(int64)")(buckets.bucket)


class SimpyRun:
    """One run of the reference engine (see `meshsim.engines.running.Run`)."""

    def __init__(
        self,
        program: Program,
        *,
        seed: int,
        replication: int,
        duration_ns: int,
        drain_ns: int,
        record_requests: bool = False,
        sample_share: float = 1.0,
    ) -> None:
        self.program = program
        self.seed, self.replication = seed, replication
        self.limit_ns = duration_ns + drain_ns
        self.record_requests = record_requests
        self.sample_share = sample_share
        self.run_key = keyed.run_key(seed, replication, 0)
        self.env = Environment()
        self.plant = Plant(program, self.run_key)
        self.clock = Clock(duration_ns)
        self.meters = [Meter(self.clock, service.replicas) for service in self.plant.services]
        self.uses = [Use(self.clock, self.plant) for _ in self.plant.services]
        self.network = Network(self.plant, self.run_key, Upstreams(self.env, self.plant, self.meters))
        self.limits = Limits(self.env, self.plant)
        self.caches = Caches(self.clock, self.plant, self.run_key)
        self.stations: list[Station] = []
        self.cpus: list[Cpu] = []
        self._cpu_meters: list[_CpuMeter] = []
        self._build()
        self.spans = Spans()
        self.messages = Messages(self)
        self.frames = Interpreter(self)
        self.clients = Clients(self)
        self.handled_before = 0  # events handled before the present instant
        self.requests = 0
        self.pending = 0  # counted requests that have no answer yet
        self.occupancy = Occupancy(self.clock)
        self.open: dict[int, Request] = {}
        self.rows: list[tuple[int, ...]] = []
        self._make_tables(len(self.plant.streams))
        self.clients.start()

    @property
    def key(self) -> int:
        """Key of the branch that the run is in."""
        return self.run_key

    def _build(self) -> None:
        for replica in self.plant.replicas:
            service = self.plant.services[replica.service]
            meter = self.meters[replica.service]
            line: Line[Any] = make_line(self.plant, service.line)
            use = self.uses[replica.service]
            self.stations.append(Station(self.env, meter, use, service, line, self._max_wait(service)))
            for _ in range(max(service.threads, 1)):
                cpu_meter = _CpuMeter(self.clock, meter)
                cpu = make_cpu(self.env, self.plant, service.discipline, replica.cores, cpu_meter.settle)
                cpu_meter.cpu = cpu
                self.cpus.append(cpu)
                self._cpu_meters.append(cpu_meter)

    def _max_wait(self, service: Any) -> Callable[[int], int] | None:
        """How long a request with a key stands in line for a slot of a service, at most."""
        if service.max_wait < 0:
            return None
        draw = self.plant.draws[service.max_wait]
        return lambda key: draw(key, keyed.MAX_WAIT, service.name)

    def _make_tables(self, streams: int) -> None:
        self.counts = np.zeros((streams, BATCHES + 1, len(record.OUTCOMES)), dtype=np.int64)
        self.latency_sum_ns = np.zeros((streams, BATCHES + 1), dtype=np.int64)
        self.latency_all_sum_ns = np.zeros((streams, BATCHES + 1), dtype=np.int64)
        self.latencies = np.zeros((streams, COARSE_BUCKETS), dtype=np.int64)  # for whoever watches the run
        self.histogram = np.zeros((streams, BATCHES, FINE_BUCKETS), dtype=np.uint32)
        self.histogram_failed = np.zeros((streams, BATCHES, FINE_BUCKETS), dtype=np.uint32)
        self.tries = np.zeros((streams, BATCHES + 1), dtype=np.int64)

    # -- requests ------------------------------------------------------------------------------------------------

    def new_request(self, stream: int, user: int, ordinal: int, turn: int, key: int) -> Request:
        """Give the next number to a request that arrives now (rule T3)."""
        if self.requests > order.MAX_REQUEST:
            raise EngineLimit(
                "too many requests in one run; shorten run.duration",
                limit=f"{order.MAX_REQUEST} requests",
                simulated_time_s=self.env.now_ns / 1e9,
            )
        of = self.plant.streams[stream]
        request = Request(self.requests, stream, of.of, of.account, user, ordinal, turn, key, self.env.now_ns)
        self.requests += 1
        request.batch = self.clock.batch
        if self.record_requests:
            request.trail = []
        if request.batch < BATCHES:
            self.pending += 1
            if self.sample_share >= 1.0 or keyed.unit(key, keyed.SAMPLE, 0, 0) < self.sample_share:
                request.spans = []
        self.occupancy.settle()
        self.occupancy.present += 1
        self.open[request.number] = request
        return request

    def finished(self, request: Request, outcome: int) -> None:
        """Count the answer of a request."""
        request.end_ns = self.env.now_ns
        request.outcome = outcome
        self.occupancy.settle()
        self.occupancy.present -= 1
        del self.open[request.number]
        self._store(request)
        stream, batch = request.stream, request.batch
        latency_ns = request.end_ns - request.arrival_ns
        good = outcome <= record.DEGRADED
        self.latency_all_sum_ns[stream, batch] += latency_ns
        if good:
            self.latency_sum_ns[stream, batch] += latency_ns
            self.latencies[stream, bucket_coarse(latency_ns)] += 1
        if batch < BATCHES:
            self.pending -= 1
            self.spans.keep(request)
            histogram = self.histogram if good else self.histogram_failed
            histogram[stream, batch, bucket(latency_ns)] += 1

    def _store(self, request: Request) -> None:
        self.counts[request.stream, request.batch, request.outcome] += 1
        self.tries[request.stream, request.batch] += request.tries
        if self.record_requests:
            self.rows.append(
                (
                    request.number,
                    request.stream,
                    request.user,
                    request.ordinal,
                    request.arrival_ns,
                    request.end_ns,
                    request.outcome,
                    request.tries,
                    request.path,
                )
            )

    # -- time ----------------------------------------------------------------------------------------------------

    def advance(self, until_ns: int) -> bool:
        """Handle all events before `until_ns`; False when the run is over."""
        try:
            return self._advance(until_ns)
        except EngineLimit as error:
            # SimPy raises a copy of what a process raised, without its attributes; the copy's cause is the original
            original = error.__cause__
            raise (original if isinstance(original, EngineLimit) else error) from None

    def _advance(self, until_ns: int) -> bool:
        env, clock = self.env, self.clock
        while True:
            next_ns = env.peek()
            if next_ns > self.limit_ns and until_ns > self.limit_ns:  # also when nothing is left: infinity
                return False
            if next_ns >= until_ns:
                return True
            while next_ns >= clock.edge_ns:
                self._close_batch()
            if next_ns >= clock.duration_ns and self.pending == 0:
                return False
            if next_ns > clock.now_ns:
                clock.now_ns = next_ns
                self.handled_before = env.handled
            self._check_progress()
            env.step()

    def _check_progress(self) -> None:
        """Stop a run whose time stands still, or that does not end (rule T8)."""
        if self.env.handled >= order.EVENT_BUDGET:
            raise EngineLimit(
                order.TOO_MANY_EVENTS,
                limit=f"{order.EVENT_BUDGET} events",
                simulated_time_s=self.clock.now_ns / 1e9,
            )
        if self.env.handled - self.handled_before >= order.MOST_AT_ONCE:
            raise EngineLimit(
                order.STANDS_STILL,
                limit=f"{order.MOST_AT_ONCE} events at one instant",
                simulated_time_s=self.clock.now_ns / 1e9,
            )

    def over_at(self, at_ns: int) -> bool:
        """Whether nothing that happens at `at_ns` or later belongs to the run any more."""
        return at_ns > self.limit_ns or (at_ns >= self.clock.duration_ns and self.pending == 0)

    def bring_to(self, at_ns: int) -> None:
        """Bring time and all integrals up to an instant before the next event."""
        while at_ns >= self.clock.edge_ns:
            self._close_batch()
        if at_ns > self.clock.now_ns:
            self.handled_before = self.env.handled
        self.clock.now_ns = at_ns
        self.env.move_to(at_ns)
        self._settle_all()

    def _close_batch(self) -> None:
        self.clock.now_ns = self.clock.edge_ns
        self._settle_all()
        self._write_down()
        self.clock.next_batch()

    def _settle_all(self) -> None:
        """Bring all integrals up to now."""
        self.occupancy.settle()
        for cpu_meter in self._cpu_meters:
            cpu_meter.settle()
        for meter in self.meters:
            meter.settle()
        for held in self.caches.all_meters():
            held.settle()

    def _write_down(self) -> None:
        """Write down what the present batch has counted (rule M2)."""
        for meter in self.meters:
            meter.close_batch()
        for held in self.caches.all_meters():
            held.close_batch()

    # -- control -------------------------------------------------------------------------------------------------

    def totals(self) -> Totals:
        """Sum up what has been counted so far."""
        return Totals(
            at_ns=self.clock.now_ns,
            services=summed(np.stack([meter.array_so_far() for meter in self.meters], axis=1)),
            outcomes=self.counts.sum(axis=1),
            latency_ns=self.latency_sum_ns.sum(axis=1),
            latency_all_ns=self.latency_all_sum_ns.sum(axis=1),
            latencies=self.latencies.copy(),
        )

    def set_replicas(self, service: int, replicas: int) -> None:
        """From now on send requests to the first `replicas` replicas of a service."""
        row = self.plant.services[service]
        if row.replicas == replicas:
            return
        self.network.scalings.setdefault(service, []).append((row.replicas, replicas))
        self.caches.start_cold(service, row.replicas, replicas)
        row.replicas = replicas
        self.plant.versions[row.first_version].replicas = replicas
        self.network.chooser.build_rings()
        self._count_working(service)

    def empty_cache(self, cache: int) -> None:
        """Let all entries of all stores of a cache go."""
        row = self.plant.caches[cache]
        for store in self.caches.stores[row.first_store : row.first_store + row.stores]:
            store.empty()

    def set_load(self, stream: int, load: float) -> None:
        """From now on an open stream runs `load` times as fast as in the topology."""
        self.clients.set_load(stream, self.clock.now_ns, load)

    def set_slow(self, replica: int, factor: float) -> None:
        """From now on CPU work that begins at a replica takes `factor` times as much."""
        self.stations[replica].slow = factor

    def set_waits(self, replica: int, factor: float) -> None:
        """From now on waits that begin at a replica take `factor` times as long."""
        self.stations[replica].slow_waits = factor

    def set_network(self, replica: int, delay_ns: int, loss: float) -> None:
        """From now on messages from and to a replica take longer, and a share of packets is lost."""
        self.network.impaired[replica] = (delay_ns, loss)

    def set_cut(self, zone: int, other: int, cut: bool) -> None:
        """From now on no message gets from one of two zones to the other, or each does again."""
        change = self.network.cuts.add if cut else self.network.cuts.discard
        change(frozenset((zone, other)))

    def condition(self, replica: int) -> int:
        """What a replica does with messages now."""
        return self.stations[replica].condition

    def answered(self, replica: int) -> tuple[int, int]:
        """How many messages a replica has answered, and how many of them failed."""
        station = self.stations[replica]
        return station.answered + station.failed, station.failed

    def present(self, replica: int) -> int:
        """How many messages, and branches that nobody waits for, a replica has."""
        return len(self.stations[replica].here)

    def busy_ns(self, replica: int) -> float:
        """Core-nanoseconds that a replica's CPU was busy, up to the instant of the last `bring_to`."""
        return sum(meter.busy_ns for meter in self._cpu_meters[self._queues(replica)])

    def _queues(self, replica: int) -> slice:
        """Where the CPU queues of a replica are."""
        row = self.plant.replicas[replica]
        return slice(row.first_queue, row.first_queue + max(self.plant.services[row.service].threads, 1))

    def set_pod(self, replica: int, pod: int) -> None:
        """From now on a replica is provisioned or not, and among those that can be chosen or not."""
        row = self.plant.replicas[replica]
        if row.pod == ABSENT != pod:
            self.caches.start_cold(row.service, row.number, row.number + 1)
        row.pod = pod
        self._list(row)
        self._count_working(row.service)

    def _list(self, row: Replica) -> None:
        """Let nobody choose a replica that left the endpoints, or whose pod is not ready."""
        listed = not row.is_withdrawn and row.pod == READY
        self.plant.services[row.service].limited += row.is_listed - listed
        row.is_listed = listed

    def set_frozen(self, replica: int, frozen: bool) -> None:
        """From now on the CPU of a replica stands still, or works again."""
        row = self.plant.replicas[replica]
        for cpu in self.cpus[self._queues(replica)]:
            cpu.set_frozen(frozen)
        self.stations[replica].is_frozen = frozen
        self._count_working(row.service)

    def set_listed(self, replica: int, listed: bool) -> None:
        """From now on a replica is among those that can be chosen, or not."""
        row = self.plant.replicas[replica]
        row.is_withdrawn = not listed
        self._list(row)

    def set_condition(self, replica: int, condition: int) -> None:
        """From now on a replica serves messages or not; one that goes down loses all that it does."""
        station = self.stations[replica]
        station.condition = condition
        here = self.plant.replicas[replica]
        self._count_working(here.service)
        if condition in SERVING:
            return
        self.caches.start_cold(here.service, here.number, here.number + 1)
        for frame, process in station.falling():
            is_message = process is frame.exchange.process
            process.interrupt(record.RESET if is_message and condition == REFUSING else None)

    def _count_working(self, service: int) -> None:
        """Count the replicas that are provisioned, and those ready ones that are up and have a CPU that works."""
        row, meter = self.plant.services[service], self.meters[service]
        meter.settle()
        mine = slice(row.first_replica, row.first_replica + row.replicas)
        pods = [replica.pod for replica in self.plant.replicas[mine]]
        meter.replicas = len(pods) - pods.count(ABSENT)
        meter.working = sum(
            pod == READY and station.condition in SERVING and not station.is_frozen
            for pod, station in zip(pods, self.stations[mine], strict=True)
        )

    def set_field(self, table: Changeable, row: int, field: str, value: float) -> None:
        """Change a field of the Program for this run from now on."""
        setattr(getattr(self.plant, table)[row], field, value)

    def branch(self, number: int) -> None:
        """Let `number` enter the keys of all draws that come."""
        self.run_key = self.plant.run_key = keyed.run_key(self.seed, self.replication, number)
        self.clients.branch()

    # -- result --------------------------------------------------------------------------------------------------

    def record(self) -> Record:
        """Close the run and hand over what was counted."""
        clock = self.clock
        end_ns = max(clock.now_ns, clock.duration_ns) if self.pending == 0 else self.limit_ns
        while clock.batch < BATCHES:
            self._close_batch()
        clock.now_ns = end_ns
        self._settle_all()
        self._write_down()
        for request in self.open.values():
            request.outcome = record.UNFINISHED
            self._store(request)
        rows = None
        if self.record_requests:
            rows = np.array(sorted(self.rows), dtype=record.REQUESTS)
        spans, sampled = self.spans.arrays()
        caches, kept = self.caches.arrays()
        uses = np.stack([use.array() for use in self.uses])
        pairs, used = record.used_pairs(np.ascontiguousarray(np.moveaxis(uses, 2, 0)))
        buckets, (good, failed) = record.in_use(self.histogram, self.histogram_failed)
        service_buckets, (sojourns,) = record.in_use(np.stack([meter.histogram for meter in self.meters]))
        return Record(
            duration_ns=self.clock.duration_ns,
            counts=self.counts[:, :BATCHES],
            latency_sum_ns=self.latency_sum_ns[:, :BATCHES],
            latency_all_sum_ns=self.latency_all_sum_ns[:, :BATCHES],
            buckets=buckets,
            histogram=good,
            histogram_failed=failed,
            tries=self.tries[:, :BATCHES],
            services=np.stack([meter.array() for meter in self.meters]),
            account_pairs=pairs,
            accounts=used,
            service_buckets=service_buckets,
            service_histogram=sojourns,
            caches=caches,
            kept=kept,
            occupancy_ns=self.occupancy.array(),
            requests=rows,
            spans=spans,
            sampled=sampled,
            events=self.env.handled,
            end_ns=end_ns,
        )


class _CpuMeter:
    """Integral of the busy cores of one CPU queue."""

    cpu: Cpu

    def __init__(self, clock: Clock, meter: Meter) -> None:
        self.clock = clock
        self.meter = meter
        self.since_ns = 0
        self.busy_ns = 0.0

    def settle(self) -> None:
        now = self.clock.now_ns
        if now > self.since_ns:
            busy_ns = self.cpu.busy * (now - self.since_ns)
            self.meter.busy_ns += busy_ns
            self.busy_ns += busy_ns
            self.since_ns = now
