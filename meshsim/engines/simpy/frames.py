"""Requests as SimPy processes: what a frame (one RPC at one replica, or a branch in it) does, step by step.

This is the definition of the data plane. Rule numbers are those of docs/semantics.md.
"""

from __future__ import annotations

from collections.abc import Generator
from functools import partial
from typing import TYPE_CHECKING, Any

import simpy

from meshsim.engines import keyed, order
from meshsim.engines import program as p
from meshsim.engines.order import NEVER_NS
from meshsim.engines.record import (
    CONNECT_FAILURE,
    DEGRADED,
    E503,
    MAX_WAIT,
    OK,
    QUEUE_FULL,
    RATE_LIMIT,
    RESET,
    TIMEOUT,
)
from meshsim.engines.running import REFUSING
from meshsim.engines.sampler import whole
from meshsim.engines.simpy.forwarding import Forwarding
from meshsim.engines.simpy.lookups import MISS, Lookups
from meshsim.engines.simpy.requests import Exchange, Frame
from meshsim.engines.waking import cost_factor

if TYPE_CHECKING:
    from meshsim.engines.simpy.caches import Store
    from meshsim.engines.simpy.engine import SimpyRun

Steps = Generator[simpy.Event, Any, int]  # runs, and returns an outcome
CANCELLED = -1  # outcome of a frame that was stopped: nobody hears of it


class Join:
    """Counts the branches of one fork until enough have succeeded, or too many have failed (rule F2)."""

    def __init__(self, frame: Frame, decided: simpy.Event, need: int, branches: int) -> None:
        self.decided = decided
        self.missing = need
        self.spare = branches - need  # how many may fail
        self.frame = frame
        self.live: dict[Frame, simpy.Process] = {}  # in the order in which they began
        self.degraded = False

    def ended(self, branch: Frame, outcome: int) -> None:
        """Count a branch that ended by itself."""
        del self.live[branch]
        if self.decided.triggered:
            return
        if outcome <= DEGRADED:
            self.frame.learns(branch.outdated_ns)
            self.degraded |= outcome == DEGRADED
            self.missing -= 1
            if self.missing == 0:
                self.decided.succeed(DEGRADED if self.degraded else OK)
        else:
            self.spare -= 1
            if self.spare < 0:
                self.decided.succeed(outcome)


class Interpreter:
    """Runs the instructions of frames."""

    def __init__(self, engine: SimpyRun) -> None:
        self.engine = engine
        self.env = engine.env
        self.messages = engine.messages
        self.plant = engine.plant
        self.code = engine.plant.code
        self.calls = engine.plant.calls
        self.draws = engine.plant.draws
        self.lookups = Lookups(engine)

    # -- serving -------------------------------------------------------------------------------------------------

    def serve(self, exchange: Exchange) -> Generator[simpy.Event, Any, None]:
        """What a replica does with a message: admit, run, answer (rules S1-S6)."""
        station = self.engine.stations[exchange.replica.index]
        frame = Frame(exchange, exchange.serial, exchange.span, station)
        station.enters(frame)
        assert exchange.process is not None, "it was begun for this exchange"
        station.here[frame] = exchange.process
        outcome = CANCELLED
        try:
            if self._strikes(exchange):
                outcome = self.plant.services[exchange.replica.service].fault
            elif station.full or not station.fits(frame):
                station.meter.rejected += 1
                outcome = QUEUE_FULL
            elif exchange.deadline_ns <= self.env.now_ns:
                outcome = TIMEOUT
            elif station.taken and not (yield from station.stand_in_line(frame)):
                outcome = MAX_WAIT
            else:
                if not frame.admitted:
                    station.take_slot(frame)
                try:
                    if exchange.deadline_ns > self.env.now_ns:
                        outcome = yield from self._run(frame, self._first_instruction(exchange))
                    else:
                        outcome = TIMEOUT  # too late to begin
                finally:
                    station.release()
        except simpy.Interrupt as stopped:
            if stopped.cause is not None:
                outcome = int(stopped.cause)
        del station.here[frame]
        station.leaves(frame, outcome)
        exchange.outdated_ns = frame.outdated_ns
        if outcome != CANCELLED:
            self.messages.answer(exchange, outcome)

    def _strikes(self, exchange: Exchange) -> bool:
        """Whether a fault of the service answers instead of it (rule G7)."""
        service = self.plant.services[exchange.replica.service]
        share: float = service.fault_share
        return share > 0.0 and keyed.unit(exchange.key, keyed.FAULT, service.name, 0) < share

    def _first_instruction(self, exchange: Exchange) -> int:
        endpoint = self.plant.endpoints[exchange.call.endpoint]
        return self.plant.entries[endpoint.first_entry + exchange.replica.version]

    def _run(self, frame: Frame, pc: int) -> Steps:
        """Run a frame from `pc` on; what it was getting for caches when it ends is over (rule K6)."""
        try:
            outcome = yield from self._steps(frame, pc)
        except simpy.Interrupt:
            if frame.fetches:
                self.lookups.ended(frame, None)
            raise
        if frame.fetches:
            self.lookups.ended(frame, outcome)
        return outcome

    def _steps(self, frame: Frame, pc: int) -> Steps:
        """Run instructions from `pc` to END; the outcome is what the frame answers."""
        while True:
            i = self.code[pc]
            pc += 1
            op = i.op
            if op == p.END:
                return frame.answer
            if op == p.WORK:
                yield from self._work(frame, self.draws[i.a](frame.key, keyed.WORK, i.position))
            elif op == p.PROXY_WORK:
                yield from self._work(frame, self._proxy_demand_ns(frame, i))
            elif op == p.WAIT:
                yield from self._wait(frame, self.draws[i.a](frame.key, keyed.WAIT, i.position))
            elif op == p.FORWARD:
                call = self.calls[i.a]
                frame.answer = self._answer_to(call, (yield from self._forward(frame, call)))
            elif op == p.LIMIT:
                if not self.engine.limits.pass_one(i.a, frame.exchange.replica, frame.request.tenant):
                    frame.station.meter.limited += 1
                    return RATE_LIMIT
            elif op == p.MATCH:
                pc = self._match(frame, i)
            elif op == p.LOOK:
                renewal = self.plant.targets[i.d + 1].pc
                outcome = yield from self.lookups.look(frame, i, partial(self._renew, frame, renewal))
                if outcome != MISS:
                    if outcome > DEGRADED and not i.p:
                        return outcome
                    frame.answer = outcome or frame.answer
                    pc = self.plant.targets[i.d].pc
            elif op == p.FILL:
                if not self.lookups.fill(frame, i):
                    pc = i.d
            elif op == p.ASK:
                if not self.lookups.has_key(frame, i):
                    pc = i.d
            elif op == p.OUTDATE:
                self.lookups.outdate(frame, i)
            elif op == p.PURGE:
                self.lookups.purge(frame, i)
            elif op == p.DETACH:
                branch = self._branch(frame, joined=False)
                self._begin_detached(branch, self._run(branch, i.a))
            elif op == p.CRASH:
                yield from self._crash(frame)
            elif op == p.CALL:
                call = self.calls[i.a]
                if call.asynchronous:
                    self._detach(frame, i)
                    continue
                outcome = yield from self._call(frame, call, i.position)
                if outcome != OK:
                    frame.answer = DEGRADED
                    if outcome > DEGRADED:
                        if call.fallback >= 0:
                            pc = call.fallback
                        elif not call.optional:
                            return self._answer_to(call, outcome)
            elif op == p.FORK:
                outcome = yield from self._fork(frame, i)
                if outcome > DEGRADED:
                    return outcome
                if outcome == DEGRADED:
                    frame.answer = DEGRADED
            elif op == p.CHOOSE:
                pc = self._choose(frame, i, pc)
            elif op == p.JUMP:
                pc = i.a
            elif op == p.FAIL and (i.p >= 1.0 or keyed.unit(frame.key, keyed.STEP, i.position, 0) < i.p):
                return int(i.a)

    def _answer_to(self, call: Any, outcome: int) -> int:
        """What the caller of whoever made a call hears of how it ended: no connection is a 503 (rule S6)."""
        return E503 if call.translates and outcome in (RESET, CONNECT_FAILURE) else outcome

    def _renew(self, frame: Frame, pc: int, store: Store, key: int) -> None:
        """Get anew, in a branch that nobody waits for, what is stale in a cache (rule K4)."""
        branch = self._branch(frame, joined=False)
        self.lookups.begin(branch, store, key)
        self._begin_detached(branch, self._run(branch, pc))

    def _choose(self, frame: Frame, i: Any, pc: int) -> int:
        u = keyed.unit(frame.key, keyed.STEP, i.position, 0)
        for option in self.plant.targets[i.a : i.a + i.b]:
            if u < option.upto:
                return int(option.pc)
        return pc

    def _match(self, frame: Frame, i: Any) -> int:
        """The first case that takes the request's stream; the last one takes all (rule Y11)."""
        for case in self.plant.targets[i.a : i.a + i.b]:
            if case.takes < 0 or self.plant.program.takes[case.takes, frame.request.stream]:
                break
        return int(case.pc)

    # -- steps ---------------------------------------------------------------------------------------------------

    def _crash(self, frame: Frame) -> Generator[simpy.Event, Any, None]:
        """Take the replica down when nothing else follows at this instant (rule G14). This frame falls with it."""
        replica = frame.exchange.replica.index
        self.env.at_last(lambda: self.engine.set_condition(replica, REFUSING))
        yield simpy.Event(self.env)

    def _proxy_demand_ns(self, frame: Frame, i: Any) -> int:
        """CPU of a proxy for one message: a base, a part by size, and the handshake of a fresh connection (P1, P3)."""
        exchange = frame.exchange
        size = exchange.response_bytes if i.b else exchange.request_bytes
        base = self.plant.exact_draws[i.a](frame.key, keyed.PROXY_WORK, i.position)
        if i.c >= 0:
            base *= cost_factor(exchange.gap_ns, *self.plant.falls[i.c])
        demand = whole(base + i.p * (size / 1024.0))
        return demand + i.d if exchange.fresh and not i.b else demand

    def _work(self, frame: Frame, demand_ns: int) -> Generator[simpy.Event, Any, None]:
        """Place a demand on the CPU and wait until it is worked off (rules S7, C6)."""
        meter = frame.station.meter
        if frame.station.slow != 1.0:
            demand_ns = whole(demand_ns * frame.station.slow)
        cpu = self.engine.cpus[frame.exchange.queue]
        began_ns = self.env.now_ns
        meter.work_items += 1
        meter.demand_ns += demand_ns
        frame.station.use.demands(frame.request.account, demand_ns)
        job = cpu.use(frame, demand_ns)
        try:
            yield job
        except simpy.Interrupt:
            cpu.leave(job)
            raise
        alone_ns = cpu.alone_ns(demand_ns)
        waited_ns = self.env.now_ns - began_ns - alone_ns
        meter.cpu_wait_ns += waited_ns
        if frame.span is not None:
            frame.span.demand_ns += alone_ns
            frame.span.cpu_wait_ns += waited_ns

    def _wait(self, frame: Frame, wait_ns: int) -> Generator[simpy.Event, Any, None]:
        """Let time pass; an interrupt takes the process off the event, which is void then."""
        if frame.station.slow_waits != 1.0:
            wait_ns = whole(wait_ns * frame.station.slow_waits)
        key = order.event_key(frame.request.number, order.WAIT_END, frame.serial)
        yield self.env.at(self.env.now_ns + wait_ns, key)
        if frame.span is not None:
            frame.span.wait_ns += wait_ns

    def _forward(self, frame: Frame, call: Any) -> Steps:
        """A proxy passes the request on under the same key; whatever comes back is what it will answer (rule P2)."""
        if call.policy >= 0:
            return (yield from Forwarding(self.engine, frame, call).run())
        sizes = (frame.exchange.request_bytes, frame.exchange.response_bytes)
        exchange = self.messages.send(call, frame, frame.request, frame.key, sizes, deadline_ns=frame.deadline_ns)
        return (yield from self._await(exchange))

    # -- calls ---------------------------------------------------------------------------------------------------

    def _call(self, frame: Frame, call: Any, position: int) -> Steps:
        """Make a call as often as it says, each with its retries (rules L1-L5)."""
        if call.p < 1.0 and keyed.unit(frame.key, keyed.STEP, position, 0) >= call.p:
            return OK
        times = 1 if call.times < 0 else self.draws[call.times](frame.key, keyed.TIMES, position)
        result = OK
        for repeat in range(times):
            outcome = yield from self._tries(frame, call, position, repeat)
            if outcome > DEGRADED:
                return outcome
            result = max(result, outcome)
        return result

    def _tries(self, frame: Frame, call: Any, position: int, repeat: int) -> Steps:
        attempt = 0
        while True:
            key = keyed.try_key(frame.key, position, repeat, attempt)
            if frame.request.end_ns < 0:
                frame.request.tries += 1
            limit_ns = self._limit_ns(frame, call)
            sizes = self.messages.draw_sizes(call, key)
            exchange = self.messages.send(call, frame, frame.request, key, sizes, deadline_ns=limit_ns)
            if exchange.span is not None:
                exchange.span.attempt = attempt
            outcome = yield from self._await(exchange, limit_ns)
            if outcome <= DEGRADED or attempt >= call.retries:
                return outcome
            attempt += 1

    def _limit_ns(self, frame: Frame, call: Any) -> int:
        """Until when a try may last: its timeout, and what is left of the caller's time (rules L4, Y2)."""
        now = self.env.now_ns
        limit_ns = now + int(call.timeout_ns) if call.timeout_ns >= 0 else NEVER_NS
        return min(limit_ns, max(frame.deadline_ns, now)) if call.deadline else limit_ns

    def _await(self, exchange: Exchange, limit_ns: int = NEVER_NS) -> Steps:
        """Wait for the answer, but no longer than a limit; an answer at the very deadline counts (rule T6)."""
        timer = None
        if limit_ns < NEVER_NS:
            key = order.event_key(exchange.request.number, order.TRY_TIMEOUT, exchange.serial)
            timer = self.env.at(limit_ns, key, lambda _: self._timed_out(exchange))
        try:
            return (yield exchange)
        except simpy.Interrupt:
            self.messages.abandon(exchange)
            raise
        finally:
            if timer is not None:
                timer.cancel()

    def _timed_out(self, exchange: Exchange) -> None:
        if exchange.open:
            self.messages.abandon(exchange)
            exchange.conclude(TIMEOUT)

    # -- branches ------------------------------------------------------------------------------------------------

    def _branch(self, frame: Frame, *, joined: bool) -> Frame:
        """A branch of a frame: same replica, same draws, a serial and a span of its own (rule F1)."""
        serial = frame.request.next_serial(self.env.now_ns)
        span = self.engine.spans.begin_branch(frame, serial, self.env.now_ns, joined=joined)
        return Frame(frame.exchange, serial, span, frame.station)

    def _fork(self, frame: Frame, i: Any) -> Steps:
        """Run branches at the same time until their join is decided (rules F1-F4)."""
        join = Join(frame, simpy.Event(self.env), need=i.c, branches=i.b)
        for target in self.plant.targets[i.a : i.a + i.b]:
            branch = self._branch(frame, joined=True)
            join.live[branch] = simpy.Process(self.env, self._run_branch(branch, target.pc, join))
        try:
            outcome = yield join.decided
        except simpy.Interrupt:
            self._stop(join)
            raise
        if i.d:
            self._stop(join)
        return int(outcome)

    def _stop(self, join: Join) -> None:
        for process in join.live.values():
            process.interrupt()

    def _run_branch(self, branch: Frame, pc: int, join: Join) -> Generator[simpy.Event, Any, None]:
        try:
            outcome = yield from self._run(branch, pc)
        except simpy.Interrupt:
            outcome = CANCELLED
        if branch.span is not None:
            branch.span.left(self.env.now_ns, outcome)
        if outcome != CANCELLED:
            join.ended(branch, outcome)

    def _detach(self, frame: Frame, i: Any) -> None:
        """Make an asynchronous call in a branch that nobody waits for (rule L5)."""
        branch = self._branch(frame, joined=False)
        steps = self._call(branch, self.calls[i.a], i.position)
        self._begin_detached(branch, steps)

    def _begin_detached(self, branch: Frame, steps: Steps) -> None:
        branch.station.here[branch] = simpy.Process(self.env, self._run_detached(branch, steps))

    def _run_detached(self, branch: Frame, steps: Steps) -> Generator[simpy.Event, Any, None]:
        try:
            outcome = yield from steps
        except simpy.Interrupt:  # its replica went down
            outcome = CANCELLED
        del branch.station.here[branch]
        if branch.span is not None:
            branch.span.left(self.env.now_ns, outcome)
