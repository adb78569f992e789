"""Requests as SimPy processes: what a frame (one RPC at one replica, or a branch in it) does, step by step.

This is the definition of the data plane. Rule numbers are those of docs/semantics.md.
"""

from __future__ import annotations

from collections.abc import Generator
from typing import TYPE_CHECKING, Any

import simpy

from meshsim.engines import keyed, order
from meshsim.engines import program as p
from meshsim.engines.nesting import circle_text
from meshsim.engines.record import DEGRADED, OK, QUEUE_FULL, TIMEOUT
from meshsim.engines.sampler import draw, whole
from meshsim.engines.simpy.spans import Span
from meshsim.errors import EngineLimit

if TYPE_CHECKING:
    from meshsim.engines.simpy.engine import SimpyRun
    from meshsim.engines.simpy.network import Route
    from meshsim.engines.simpy.plant import Replica

Steps = Generator[simpy.Event, Any, int]  # runs, and returns an outcome
CANCELLED = -1  # outcome of a frame that was stopped: nobody hears of it


class Request:
    """One request of a stream, from its arrival until nothing works for it any more."""

    __slots__ = (
        "arrival_ns",
        "batch",
        "end_ns",
        "key",
        "number",
        "ordinal",
        "outcome",
        "path",
        "serials",
        "spans",
        "stream",
        "tries",
        "user",
    )

    batch: int  # in which it arrived

    def __init__(self, number: int, stream: int, user: int, ordinal: int, key: int, arrival_ns: int) -> None:
        self.number = number
        self.stream = stream
        self.user = user
        self.ordinal = ordinal
        self.key = key
        self.arrival_ns = arrival_ns
        self.end_ns = -1
        self.outcome = -1
        self.tries = 0
        self.serials = 0
        self.path = 0
        self.spans: list[Span] | None = None

    def next_serial(self, now_ns: int) -> int:
        """Number of the next frame of this request (rule T2)."""
        serial = self.serials
        if serial > order.MAX_SERIAL:
            raise EngineLimit(
                "one request made too many calls; look for a loop of calls or a huge `times`",
                limit=f"{order.MAX_SERIAL} frames a request",
                simulated_time_s=now_ns / 1e9,
            )
        self.serials += 1
        return serial

    def note(self, *words: int) -> None:
        """Add to the hash over the path, until the request is answered."""
        if self.end_ns < 0:
            for word in words:
                self.path = keyed.mix(self.path, word)


class Exchange:
    """One try of a call as its caller sees it: a message sent, an answer awaited."""

    __slots__ = (
        "answered",
        "call",
        "caller",
        "carried",
        "counted",
        "delay_ns",
        "depth",
        "frame",
        "fresh",
        "key",
        "open",
        "queue",
        "replica",
        "request",
        "request_bytes",
        "response_bytes",
        "sent_ns",
        "serial",
        "span",
    )

    answered: simpy.Event
    call: Any
    caller: Frame | None  # None: a client
    carried: int
    counted: int
    delay_ns: int  # that a cancellation needs
    depth: int
    fresh: bool
    frame: Frame | None  # that serves it, once the message has come
    key: int
    open: bool  # the caller still waits
    queue: int  # CPU queue of the replica
    replica: Replica
    request: Request
    request_bytes: int
    response_bytes: int
    sent_ns: int
    serial: int
    span: Span | None


class Frame:
    """A running RPC (`exchange` is what it will answer) or a branch of one."""

    __slots__ = ("answer", "depth", "exchange", "key", "process", "request", "serial", "span")

    def __init__(self, exchange: Exchange, serial: int, span: Span | None) -> None:
        self.exchange = exchange
        self.request = exchange.request
        self.serial = serial
        self.key = exchange.key
        self.depth = exchange.depth
        self.answer = OK  # what it will answer if nothing goes wrong from here on
        self.span = span
        self.process: simpy.Process | None = None


class Join:
    """Counts the branches of one fork until enough have succeeded, or too many have failed (rule F2)."""

    def __init__(self, decided: simpy.Event, need: int, branches: int) -> None:
        self.decided = decided
        self.missing = need
        self.spare = branches - need  # how many may fail
        self.live: dict[Frame, None] = {}  # in the order in which they began
        self.degraded = False

    def ended(self, branch: Frame, outcome: int) -> None:
        """Count a branch that ended by itself."""
        del self.live[branch]
        if self.decided.triggered:
            return
        if outcome <= DEGRADED:
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
        self.network = engine.network
        self.plant = engine.plant
        self.code = engine.plant.code
        self.calls = engine.plant.calls
        self.distributions = engine.program.distributions
        self.table = engine.program.table

    def _draw(self, number: int, key: int, purpose: int, position: int) -> int:
        always = self.plant.always[number]
        return always if always >= 0 else whole(draw(self.distributions, self.table, number, key, purpose, position))

    # -- messages ------------------------------------------------------------------------------------------------

    def send(self, call: Any, caller: Frame | None, request: Request, key: int, sizes: tuple[int, int]) -> Exchange:
        """Send a request message (rules N1-N3); the exchange's `answered` will succeed with the outcome."""
        env = self.env
        at = None if caller is None else caller.exchange.replica
        pin = self.plant.streams[request.stream].name if at is None else at.name
        route = self.network.route(call, at, pin, key, -1 if caller is None else caller.exchange.carried)
        exchange = Exchange()
        exchange.answered = env.event()
        exchange.call, exchange.caller, exchange.request, exchange.key = call, caller, request, key
        exchange.replica, exchange.carried, exchange.counted = route.replica, route.carried, route.counted
        exchange.fresh = route.fresh and bool(call.tls)
        exchange.queue = route.replica.first_queue + self.network.thread(route.replica, route, pin, key)
        exchange.request_bytes, exchange.response_bytes = sizes
        exchange.depth = self._depth(caller, call)
        exchange.open = True
        exchange.frame = None
        exchange.serial = request.next_serial(env.now_ns)
        exchange.sent_ns = env.now_ns
        exchange.span = self.engine.spans.begin(exchange)
        exchange.delay_ns = self._request_delay_ns(call, at, route, key)
        if self.engine.record_requests:  # only rows of requests show the path
            request.note(call.endpoint, route.replica.index, env.now_ns)
        start = order.event_key(request.number, order.START, exchange.serial)
        env.at(env.now_ns + exchange.delay_ns, start, lambda _: self._reached(exchange))
        return exchange

    def _request_delay_ns(self, call: Any, at: Replica | None, route: Route, key: int) -> int:
        """A fresh connection costs a round trip more, and another one for TLS 1.3 (rule N3)."""
        delay = self.network.delay_ns(call, at, route.replica, key, 0)
        return delay * (1 + 2 * (1 + call.tls)) if route.fresh else delay

    def _depth(self, caller: Frame | None, call: Any) -> int:
        """Calls of applications above this one; proxies add none (rule S8)."""
        if caller is None:
            return 1
        service = self.plant.services[caller.exchange.replica.service]
        depth = caller.depth + (service.role == p.APP)
        if depth > self.engine.program.depth:
            raise EngineLimit(
                f"calls nest deeper than call_depth: {circle_text(self.engine.program, call.endpoint)}",
                limit=f"call_depth {self.engine.program.depth}",
                station=self.engine.program.service_names[call.service],
                simulated_time_s=self.env.now_ns / 1e9,
            )
        return depth

    def _reached(self, exchange: Exchange) -> None:
        self.env.process(self._serve(exchange))

    def _answer(self, exchange: Exchange, outcome: int) -> None:
        """Send the response message (rule N2)."""
        caller = None if exchange.caller is None else exchange.caller.exchange.replica
        delay = self.network.delay_ns(exchange.call, caller, exchange.replica, exchange.key, 1)
        key = order.event_key(exchange.request.number, order.RESPONSE, exchange.serial)
        self.env.at(self.env.now_ns + delay, key, lambda _: self._answered(exchange, outcome))

    def _answered(self, exchange: Exchange, outcome: int) -> None:
        if exchange.open:
            self._close(exchange)
            if self.engine.record_requests:
                exchange.request.note(self.env.now_ns)
            if exchange.span is not None:
                exchange.span.returned_ns = self.env.now_ns
            exchange.answered.succeed(outcome)

    def _close(self, exchange: Exchange) -> None:
        exchange.open = False
        if exchange.counted >= 0:
            self.network.outstanding[exchange.counted] -= 1

    def _abandon(self, exchange: Exchange) -> None:
        """Wait no longer; tell the callee if the call's policy says so (rules X1-X3)."""
        if not exchange.open:
            return
        self._close(exchange)
        if exchange.call.cancellation:
            key = order.event_key(exchange.request.number, order.CANCEL, exchange.serial)
            self.env.at(self.env.now_ns + exchange.delay_ns, key, lambda _: self._cancel(exchange))

    def _cancel(self, exchange: Exchange) -> None:
        frame = exchange.frame
        if frame is not None and frame.process is not None and frame.process.is_alive:
            frame.process.interrupt()

    # -- serving -------------------------------------------------------------------------------------------------

    def _serve(self, exchange: Exchange) -> Generator[simpy.Event, Any, None]:
        """What a replica does with a message: admit, run, answer (rules S1-S6)."""
        frame = Frame(exchange, exchange.serial, exchange.span)
        frame.process = self.env.active_process
        exchange.frame = frame
        station = self.engine.stations[exchange.replica.index]
        station.enters(frame)
        outcome = CANCELLED
        try:
            if self._strikes(exchange):
                outcome = self.plant.services[exchange.replica.service].fault
            elif station.full:
                station.meter.count("rejected")
                outcome = QUEUE_FULL
            else:
                yield from station.admit(frame)
                try:
                    outcome = yield from self._run(frame, self._first_instruction(exchange))
                finally:
                    station.release()
        except simpy.Interrupt:
            pass
        station.leaves(frame, outcome)
        if outcome != CANCELLED:
            self._answer(exchange, outcome)

    def _strikes(self, exchange: Exchange) -> bool:
        """Whether a fault of the service answers instead of it (rule G7)."""
        service = self.plant.services[exchange.replica.service]
        share: float = service.fault_share
        return share > 0.0 and keyed.unit(exchange.key, keyed.FAULT, service.name, 0) < share

    def _first_instruction(self, exchange: Exchange) -> int:
        endpoint = self.plant.endpoints[exchange.call.endpoint]
        return self.plant.entries[endpoint.first_entry + exchange.replica.version]

    def _run(self, frame: Frame, pc: int) -> Steps:
        """Run instructions from `pc` to END; the outcome is what the frame answers."""
        while True:
            i = self.code[pc]
            pc += 1
            op = i.op
            if op == p.END:
                return frame.answer
            if op == p.WORK:
                yield from self._work(frame, self._draw(i.a, frame.key, keyed.WORK, i.position))
            elif op == p.PROXY_WORK:
                yield from self._work(frame, self._proxy_demand_ns(frame, i))
            elif op == p.WAIT:
                yield from self._wait(frame, self._draw(i.a, frame.key, keyed.WAIT, i.position))
            elif op == p.FORWARD:
                frame.answer = yield from self._forward(frame, self.calls[i.a])
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
                            return outcome
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

    def _choose(self, frame: Frame, i: Any, pc: int) -> int:
        u = keyed.unit(frame.key, keyed.STEP, i.position, 0)
        for option in self.plant.targets[i.a : i.a + i.b]:
            if u < option.upto:
                return int(option.pc)
        return pc

    # -- steps ---------------------------------------------------------------------------------------------------

    def _proxy_demand_ns(self, frame: Frame, i: Any) -> int:
        """CPU of a proxy for one message: a base, a part by size, and the handshake of a fresh connection (rule P1)."""
        exchange = frame.exchange
        size = exchange.response_bytes if i.b else exchange.request_bytes
        base = draw(self.distributions, self.table, i.a, frame.key, keyed.PROXY_WORK, i.position)
        demand = whole(base + i.p * (size / 1024.0))
        return demand + i.d if exchange.fresh and not i.b else demand

    def _work(self, frame: Frame, demand_ns: int) -> Generator[simpy.Event, Any, None]:
        station = self.engine.stations[frame.exchange.replica.index]
        cpu = self.engine.cpus[frame.exchange.queue]
        began_ns = self.env.now_ns
        if station.slow != 1.0:
            demand_ns = whole(demand_ns * station.slow)
        station.meter.places(demand_ns)
        try:
            yield cpu.use(frame, demand_ns)
        except simpy.Interrupt:
            cpu.leave(frame)
            raise
        alone_ns = cpu.alone_ns(demand_ns)
        waited_ns = self.env.now_ns - began_ns - alone_ns
        station.meter.worked(waited_ns)
        if frame.span is not None:
            frame.span.demand_ns += alone_ns
            frame.span.cpu_wait_ns += waited_ns

    def _wait(self, frame: Frame, wait_ns: int) -> Generator[simpy.Event, Any, None]:
        done = self.env.event()
        key = order.event_key(frame.request.number, order.WAIT_END, frame.serial)
        timed = self.env.at(self.env.now_ns + wait_ns, key, lambda _: done.succeed())
        try:
            yield done
        except simpy.Interrupt:
            timed.cancel()
            raise
        if frame.span is not None:
            frame.span.wait_ns += wait_ns

    def _forward(self, frame: Frame, call: Any) -> Steps:
        """A proxy passes the request on under the same key; whatever comes back is what it will answer (rule P2)."""
        sizes = (frame.exchange.request_bytes, frame.exchange.response_bytes)
        exchange = self.send(call, frame, frame.request, frame.key, sizes)
        return (yield from self._await(exchange))

    def _await(self, exchange: Exchange) -> Steps:
        try:
            return (yield exchange.answered)
        except simpy.Interrupt:
            self._abandon(exchange)
            raise

    def _call(self, frame: Frame, call: Any, position: int) -> Steps:
        """Make a call as often as it says, each with its retries (rules L1-L5)."""
        if call.p < 1.0 and keyed.unit(frame.key, keyed.STEP, position, 0) >= call.p:
            return OK
        times = 1 if call.times < 0 else self._draw(call.times, frame.key, keyed.TIMES, position)
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
            sizes = (
                self._draw(call.request_bytes, key, keyed.REQUEST_SIZE, 0),
                self._draw(call.response_bytes, key, keyed.RESPONSE_SIZE, 0),
            )
            if frame.request.end_ns < 0:
                frame.request.tries += 1
            exchange = self.send(call, frame, frame.request, key, sizes)
            if exchange.span is not None:
                exchange.span.attempt = attempt
            outcome = yield from self._await_until(exchange, call.timeout_ns)
            if outcome <= DEGRADED or attempt >= call.retries:
                return outcome
            attempt += 1

    def _await_until(self, exchange: Exchange, timeout_ns: int) -> Steps:
        """Wait for the answer, but no longer than the timeout; an answer at the very deadline counts (rule T6)."""
        if timeout_ns < 0:
            return (yield from self._await(exchange))
        key = order.event_key(exchange.request.number, order.TRY_TIMEOUT, exchange.serial)
        timer = self.env.at(self.env.now_ns + timeout_ns, key, lambda _: self._timed_out(exchange))
        try:
            return (yield from self._await(exchange))
        finally:
            timer.cancel()

    def _timed_out(self, exchange: Exchange) -> None:
        if exchange.open:
            self._abandon(exchange)
            exchange.answered.succeed(TIMEOUT)

    # -- branches ------------------------------------------------------------------------------------------------

    def _branch(self, frame: Frame) -> Frame:
        """A branch of a frame: same replica, same draws, a serial and a span of its own (rule F1)."""
        serial = frame.request.next_serial(self.env.now_ns)
        return Frame(frame.exchange, serial, self.engine.spans.begin_branch(frame, serial))

    def _fork(self, frame: Frame, i: Any) -> Steps:
        """Run branches at the same time until their join is decided (rules F1-F4)."""
        join = Join(self.env.event(), need=i.c, branches=i.b)
        for target in self.plant.targets[i.a : i.a + i.b]:
            branch = self._branch(frame)
            join.live[branch] = None
            branch.process = self.env.process(self._run_branch(branch, target.pc, join))
        try:
            outcome = yield join.decided
        except simpy.Interrupt:
            self._stop(join)
            raise
        if i.d:
            self._stop(join)
        return int(outcome)

    def _stop(self, join: Join) -> None:
        for branch in join.live:
            assert branch.process is not None
            branch.process.interrupt()

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
        branch = self._branch(frame)
        branch.process = self.env.process(self._run_detached(branch, i))

    def _run_detached(self, branch: Frame, i: Any) -> Generator[simpy.Event, Any, None]:
        outcome = yield from self._call(branch, self.calls[i.a], i.position)
        if branch.span is not None:
            branch.span.left(self.env.now_ns, outcome)
