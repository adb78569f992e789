"""The reference engine: builds a run from a Program, drives it, and hands over a Record."""

from __future__ import annotations

from typing import Any

import numpy as np

from meshsim.engines import buckets, keyed, order, record
from meshsim.engines.buckets import FINE_BUCKETS
from meshsim.engines.jit import compiled
from meshsim.engines.program import Program
from meshsim.engines.record import BATCHES, Record
from meshsim.engines.simpy.clients import Clients
from meshsim.engines.simpy.clock import Clock, Occupancy
from meshsim.engines.simpy.cpu import Cpu, make_cpu
from meshsim.engines.simpy.environment import Environment
from meshsim.engines.simpy.frames import Interpreter
from meshsim.engines.simpy.messages import Messages
from meshsim.engines.simpy.network import Network
from meshsim.engines.simpy.plant import Plant
from meshsim.engines.simpy.requests import Frame, Request
from meshsim.engines.simpy.spans import Spans
from meshsim.engines.simpy.stations import Meter, Station
from meshsim.errors import EngineLimit

# Compiled, because the loop over octaves takes longer in Python than a call of compiled code. Not its own compilation:
# the other engine asks for the same.
bucket = compiled("int64(int64)")(buckets.bucket)


def simulate(
    program: Program,
    *,
    seed: int,
    replication: int,
    duration_ns: int,
    drain_ns: int,
    branch: int = 0,
    record_requests: bool = False,
    sample_share: float = 1.0,
) -> Record:
    """Run one replication on the reference engine.

    Parameters
    ----------
    program
        What to run.
    seed, replication, branch
        Together they key every draw.
    duration_ns
        Requests that arrive in [0, duration) are counted; arrivals go on until those are answered.
    drain_ns
        How long after `duration_ns` to wait for them at most.
    record_requests
        Keep a row a request.
    sample_share
        Share of requests whose spans are kept.

    Raises
    ------
    EngineLimit
        When calls nest too deeply, or a request makes too many.
    """
    engine = Engine(program, seed, replication, branch, duration_ns)
    engine.sample_share = sample_share
    engine.record_requests = record_requests
    try:
        return engine.run(duration_ns + drain_ns)
    except EngineLimit as error:
        # SimPy raises a copy of what a process raised, without its attributes; the copy's cause is the original
        original = error.__cause__
        raise (original if isinstance(original, EngineLimit) else error) from None


class Engine:
    """One run."""

    sample_share: float
    record_requests: bool

    def __init__(self, program: Program, seed: int, replication: int, branch: int, duration_ns: int) -> None:
        self.program = program
        self.run_key = keyed.run_key(seed, replication, branch)
        self.env = Environment()
        self.plant = Plant(program)
        self.clock = Clock(duration_ns)
        self.network = Network(self.plant, self.run_key)
        self.meters = [Meter(self.clock) for _ in self.plant.services]
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

    def _build(self) -> None:
        for replica in self.plant.replicas:
            service = self.plant.services[replica.service]
            meter = self.meters[replica.service]
            self.stations.append(Station(self.env, meter, service.concurrency, service.queue))
            for _ in range(max(service.threads, 1)):
                cpu_meter = _CpuMeter(self.clock, meter)
                cpu = make_cpu(self.env, service.discipline, replica.cores, cpu_meter.settle)
                cpu_meter.cpu = cpu
                self.cpus.append(cpu)
                self._cpu_meters.append(cpu_meter)

    def _make_tables(self, streams: int) -> None:
        self.counts = np.zeros((streams, BATCHES, len(record.OUTCOMES)), dtype=np.int64)
        self.latency_sum_ns = np.zeros((streams, BATCHES), dtype=np.int64)
        self.latency_all_sum_ns = np.zeros((streams, BATCHES), dtype=np.int64)
        self.histogram = np.zeros((streams, BATCHES, FINE_BUCKETS), dtype=np.uint32)
        self.histogram_failed = np.zeros((streams, BATCHES, FINE_BUCKETS), dtype=np.uint32)
        self.tries = np.zeros((streams, BATCHES), dtype=np.int64)

    # -- requests ------------------------------------------------------------------------------------------------

    def new_request(self, stream: int, user: int, ordinal: int, key: int) -> Request:
        """Give the next number to a request that arrives now (rule T3)."""
        if self.requests > order.MAX_REQUEST:
            raise EngineLimit(
                "too many requests in one run; shorten run.duration",
                limit=f"{order.MAX_REQUEST} requests",
                simulated_time_s=self.env.now_ns / 1e9,
            )
        request = Request(self.requests, stream, user, ordinal, key, self.env.now_ns)
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
        batch = request.batch
        if batch == BATCHES:
            return
        self.pending -= 1
        self.spans.keep(request)
        latency_ns = request.end_ns - request.arrival_ns
        stream = request.stream
        self.latency_all_sum_ns[stream, batch] += latency_ns
        if outcome <= record.DEGRADED:
            self.latency_sum_ns[stream, batch] += latency_ns
            self.histogram[stream, batch, bucket(latency_ns)] += 1
        else:
            self.histogram_failed[stream, batch, bucket(latency_ns)] += 1

    def _store(self, request: Request) -> None:
        if request.batch < BATCHES:
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

    def chain(self, frame: Frame | None, call: Any) -> str:
        """The calls that led to one, the innermost last: for messages."""
        names = [self.program.endpoint_names[call.endpoint]]
        while frame is not None:
            names.append(self.program.endpoint_names[frame.exchange.call.endpoint])
            frame = frame.exchange.caller
        return order.cycle_text(names[::-1])

    # -- time ----------------------------------------------------------------------------------------------------

    def run(self, limit_ns: int) -> Record:
        """Handle events until every counted request is answered, or until the limit."""
        env, clock = self.env, self.clock
        self.clients.start()
        while (next_ns := env.peek()) <= limit_ns:  # where nothing is left it is infinite
            while next_ns >= clock.edge_ns:
                self._close_batch()
            if next_ns >= clock.duration_ns and self.pending == 0:
                break
            if next_ns > clock.now_ns:
                clock.now_ns = next_ns
                self.handled_before = env.handled
            else:
                self._check_progress()
            env.step()
        end_ns = max(clock.now_ns, clock.duration_ns) if self.pending == 0 else limit_ns
        while clock.batch < BATCHES:
            self._close_batch()
        clock.now_ns = end_ns
        self._write_down()
        return self._record(end_ns)

    def _check_progress(self) -> None:
        """Stop a run whose time stands still (rule T8)."""
        if self.env.handled - self.handled_before >= order.MOST_AT_ONCE:
            raise EngineLimit(
                order.STANDS_STILL,
                limit=f"{order.MOST_AT_ONCE} events at one instant",
                simulated_time_s=self.clock.now_ns / 1e9,
            )

    def _close_batch(self) -> None:
        self.clock.now_ns = self.clock.edge_ns
        self._write_down()
        self.clock.next_batch()

    def _write_down(self) -> None:
        """Bring all integrals up to now, and write down what the present batch has counted (rule M2)."""
        self.occupancy.settle()
        for cpu_meter in self._cpu_meters:
            cpu_meter.settle()
        for meter in self.meters:
            meter.settle()
            meter.close_batch()

    # -- result --------------------------------------------------------------------------------------------------

    def _record(self, end_ns: int) -> Record:
        for request in self.open.values():
            request.outcome = record.UNFINISHED
            self._store(request)
        rows = None
        if self.record_requests:
            rows = np.array(sorted(self.rows), dtype=record.REQUESTS)
        spans, sampled = self.spans.arrays()
        return Record(
            duration_ns=self.clock.duration_ns,
            counts=self.counts,
            latency_sum_ns=self.latency_sum_ns,
            latency_all_sum_ns=self.latency_all_sum_ns,
            histogram=self.histogram,
            histogram_failed=self.histogram_failed,
            tries=self.tries,
            services=np.stack([meter.array() for meter in self.meters]),
            service_histogram=np.stack([meter.histogram for meter in self.meters]),
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

    def settle(self) -> None:
        now = self.clock.now_ns
        if now > self.since_ns:
            self.meter.busy_ns += self.cpu.busy * (now - self.since_ns)
            self.since_ns = now
