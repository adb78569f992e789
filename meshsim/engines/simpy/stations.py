"""A replica's door: concurrency slots, the line before them, and what is counted (rules S1-S6)."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Generator
from typing import TYPE_CHECKING, Any

import numpy as np
import numpy.typing as npt
import simpy

from meshsim.engines import buckets, order
from meshsim.engines.buckets import COARSE_BUCKETS
from meshsim.engines.jit import compiled
from meshsim.engines.record import ACCOUNT_COUNTERS, BATCHES, DEGRADED, SERVICE_COUNTERS
from meshsim.engines.running import UP
from meshsim.engines.sampler import whole

if TYPE_CHECKING:
    from meshsim.engines.simpy.clock import Clock
    from meshsim.engines.simpy.environment import Environment
    from meshsim.engines.simpy.lines import Line
    from meshsim.engines.simpy.plant import Plant
    from meshsim.engines.simpy.requests import Exchange, Frame

    _Waiting = tuple[Frame, simpy.Event]

_COUNTERS: tuple[str, ...] = SERVICE_COUNTERS.names or ()

bucket_coarse = compiled("int64(int64)")(buckets.bucket_coarse)  # for the same reason as the engine's `bucket`


class Meter:
    """Counters of one service, all its replicas together: plain numbers, written down as a row when a batch ends.

    They are those of `SERVICE_COUNTERS`, which says what each is.
    """

    requests: int
    waited: int
    slot_wait_ns: int
    rejected: int
    answered: int
    failed: int
    cancelled: int
    sojourn_ns: int
    work_items: int
    demand_ns: int
    cpu_wait_ns: int
    busy_ns: float
    in_system_ns: int
    slots_ns: int
    replicas_ns: int
    working_ns: int
    bytes_in: int
    bytes_out: int
    sent: int
    link_ns: int
    link_wait_ns: int
    retries: int
    retries_refused: int
    timeouts: int
    overflows: int
    limited: int
    pending: int
    pending_ns: int
    ejections: int
    panics: int

    def __init__(self, clock: Clock, replicas: int) -> None:
        self.clock = clock
        self.rows: list[tuple[float, ...]] = []
        self.histogram = np.zeros((BATCHES, COARSE_BUCKETS), dtype=np.uint32)
        self.present = 0
        self.slots = 0
        self.replicas = replicas  # that are provisioned
        self.working = replicas
        self.since_ns = 0
        self._start()

    def _start(self) -> None:
        for name in _COUNTERS:
            setattr(self, name, 0)

    def close_batch(self) -> None:
        """Write down the present batch, and count the next one from 0."""
        self.rows.append(self._row())
        self._start()

    def _row(self) -> tuple[float, ...]:
        return tuple(getattr(self, name) for name in _COUNTERS)

    def settle(self) -> None:
        """Bring the integrals up to now; called before they change and at every edge of a batch."""
        now = self.clock.now_ns
        elapsed = now - self.since_ns
        if elapsed:
            self.in_system_ns += self.present * elapsed
            self.slots_ns += self.slots * elapsed
            self.replicas_ns += self.replicas * elapsed
            self.working_ns += self.working * elapsed
            self.since_ns = now

    def sojourn(self, ns: int) -> None:
        """Count a finished stay at a replica."""
        self.sojourn_ns += ns
        if self.clock.batch < BATCHES:
            self.histogram[self.clock.batch, bucket_coarse(ns)] += 1

    def array(self) -> npt.NDArray[np.void]:
        """Rows of SERVICE_COUNTERS by batch."""
        return np.array(self.rows, dtype=SERVICE_COUNTERS)

    def array_so_far(self) -> npt.NDArray[np.void]:
        """The same while batches are still open: the present one as it stands, later ones 0."""
        array = np.zeros(BATCHES + 1, dtype=SERVICE_COUNTERS)
        rows = [*self.rows, self._row()]
        array[: len(rows)] = rows
        return array


_USED: tuple[str, ...] = ACCOUNT_COUNTERS.names or ()
(
    _REQUESTS, _DEMAND, _BYTES_IN, _BYTES_OUT, _ZONE_IN, _ZONE_OUT, _CLIENT_IN, _CLIENT_OUT, _PRESENT,
) = range(len(_USED))  # fmt: skip


class Use:
    """What each account used of a service (rule M5): plain numbers, written down as a column when a batch ends."""

    def __init__(self, clock: Clock, plant: Plant) -> None:
        self.clock = clock
        self.accounts = plant.program.accounts
        self.columns = np.zeros((self.accounts, BATCHES + 1), dtype=ACCOUNT_COUNTERS)
        self._start()

    def _start(self) -> None:
        self.batch = self.clock.batch
        self.rows = [[0] * len(_USED) for _ in range(self.accounts)]

    def _row(self, account: int) -> list[int]:
        """Numbers of the present batch."""
        if self.batch != self.clock.batch:
            self._write_down()
            self._start()
        return self.rows[account]

    def _write_down(self) -> None:
        for account, row in enumerate(self.rows):
            self.columns[account, self.batch] = tuple(row)

    def demands(self, account: int, demand_ns: int) -> None:
        """Count a demand for CPU."""
        self._row(account)[_DEMAND] += demand_ns

    def reached(self, account: int, exchange: Exchange) -> None:
        """Count a message that reached a replica."""
        row, found = self._row(account), exchange.request_bytes
        row[_REQUESTS] += 1
        row[_BYTES_IN] += found
        if exchange.caller is None:
            row[_CLIENT_IN] += found
        elif exchange.caller.exchange.replica.zone != exchange.replica.zone:
            row[_ZONE_IN] += found

    def left(self, account: int, exchange: Exchange, present_ns: int, *, answers: bool) -> None:
        """Count a message that leaves its replica."""
        row = self._row(account)
        row[_PRESENT] += present_ns
        if not answers:
            return
        found = exchange.response_bytes
        row[_BYTES_OUT] += found
        if exchange.caller is None:
            row[_CLIENT_OUT] += found
        elif exchange.caller.exchange.replica.zone != exchange.replica.zone:
            row[_ZONE_OUT] += found

    def array(self) -> npt.NDArray[np.void]:
        """(accounts, batches + 1) of ACCOUNT_COUNTERS."""
        self._write_down()
        return self.columns


class Station:
    """One replica: `concurrency` requests are worked on at once, `queue` more may wait; -1 is no limit."""

    def __init__(
        self,
        env: Environment,
        meter: Meter,
        use: Use,
        service: Any,
        line: Line[_Waiting],
        max_wait: Callable[[int], int] | None,
    ) -> None:
        self.env = env
        self.meter = meter
        self.use = use
        self.concurrency: int = service.concurrency
        self.bulkhead: int = service.bulkhead
        self.buffers: int = service.buffers
        self.buffered = 0  # bytes of the messages that are here and of their answers
        self.ns_per_byte: float = service.ns_per_byte
        self.link_free_ns = 0  # when everything will have been sent
        self.slow = 1.0  # factor on CPU demands (rule G6)
        self.slow_waits = 1.0
        self.queue: int = service.queue
        self.falls: int = service.falls
        self.reached_ns = -order.NEVER_NS  # by the last message
        self.max_wait = max_wait  # draws how long the request with a key stands in line
        self.held = 0
        self.answered = 0  # messages, since the run began
        self.failed = 0
        self.condition = UP  # or down, and how (rule G10)
        self.is_frozen = False  # its CPU stands still (rule C7)
        self.here: dict[
            Frame, simpy.Process
        ] = {}  # what runs at the replica: messages' frames, and branches of their own
        self.line = line
        self.waiting: dict[Frame, _Waiting] = {}
        self.present: Counter[int] = Counter()  # messages by tenant

    def falling(self) -> list[tuple[Frame, simpy.Process]]:
        """What runs here in the order in which it falls: who stands in line first, so that no slot is handed on."""

        def place(one: tuple[Frame, simpy.Process]) -> tuple[bool, int, int]:
            return one[0] not in self.waiting, one[0].request.number, one[0].serial

        return sorted(self.here.items(), key=place)

    @property
    def taken(self) -> bool:
        """No slot is free."""
        return 0 <= self.concurrency <= self.held

    @property
    def full(self) -> bool:
        """No slot is free and no place in the line."""
        return 0 <= self.queue <= len(self.waiting) and self.taken

    def fits(self, frame: Frame) -> bool:
        """There are no more messages of its tenant, with this one, and no more bytes than may be (rules S9, S10)."""
        if 0 <= self.bulkhead < self.present[frame.request.tenant]:
            return False
        return not 0 <= self.buffers < self.buffered

    def sends(self, size_bytes: int) -> int:
        """How long a message takes that is put on the replica's link now, the line before it included (rule N5)."""
        if self.ns_per_byte == 0.0:
            return 0
        now_ns, meter = self.env.now_ns, self.meter
        begins_ns = max(now_ns, self.link_free_ns)
        self.link_free_ns = begins_ns + whole(size_bytes * self.ns_per_byte)
        meter.sent += 1
        meter.link_ns += self.link_free_ns - begins_ns
        meter.link_wait_ns += begins_ns - now_ns
        return self.link_free_ns - now_ns

    def enters(self, frame: Frame) -> None:
        """Count a message that reached the replica."""
        meter = self.meter
        meter.settle()
        meter.present += 1
        meter.requests += 1
        meter.bytes_in += frame.exchange.request_bytes
        frame.reached_ns = self.env.now_ns
        if self.falls:
            frame.exchange.gap_ns = self.env.now_ns - self.reached_ns
            self.reached_ns = self.env.now_ns
        self.present[frame.request.tenant] += 1
        self.buffered += frame.exchange.request_bytes + frame.exchange.response_bytes
        self.use.reached(frame.request.account, frame.exchange)
        if frame.span is not None:
            frame.span.reached_ns = self.env.now_ns

    def take_slot(self, frame: Frame) -> None:
        """Take a free slot (rule S2)."""
        self.meter.settle()
        self.meter.slots += 1
        self.held += 1
        self.line.begins(frame.request.tenant, 1.0)
        self._admitted(frame)

    def stand_in_line(self, frame: Frame) -> Generator[simpy.Event, Any, bool]:
        """Wait for a slot (rule S2); False if it took too long."""
        self.meter.waited += 1
        turn = simpy.Event(self.env)
        place = (frame, turn)
        self.line.join(place, frame.request.tenant)
        self.waiting[frame] = place
        limit = None
        if self.max_wait is not None:
            key = order.event_key(frame.request.number, order.WAIT_LIMIT, frame.serial)
            limit = self.env.at(self.env.now_ns + self.max_wait(frame.key), key, lambda _: self._too_long(place))
        try:
            has_slot = yield turn  # the slot is handed over: it was never free
        except simpy.Interrupt:
            self._leave_line(place)
            raise
        finally:
            if limit is not None:
                limit.cancel()
        if not has_slot:
            self.meter.rejected += 1
            return False
        self.meter.slot_wait_ns += self.env.now_ns - frame.reached_ns
        self._admitted(frame)
        return True

    def _too_long(self, place: tuple[Frame, simpy.Event]) -> None:
        if place[0] in self.waiting:
            self._leave_line(place)
            place[1].succeed(False)

    def _leave_line(self, place: _Waiting) -> None:
        self.line.remove(place)
        del self.waiting[place[0]]

    def _admitted(self, frame: Frame) -> None:
        frame.admitted = True
        if frame.span is not None:
            frame.span.admitted_ns = self.env.now_ns

    def release(self) -> None:
        """Hand the slot to the next in line, or free it (rule S3)."""
        if self.waiting:
            frame, turn = self.line.take()
            del self.waiting[frame]
            self.line.begins(frame.request.tenant, 1.0)
            turn.succeed(True)
        else:
            self.meter.settle()
            self.meter.slots -= 1
            self.held -= 1

    def leaves(self, frame: Frame, outcome: int) -> None:
        """Count a frame that ends with an outcome (negative: it was cancelled)."""
        meter = self.meter
        meter.settle()
        meter.present -= 1
        if outcome < 0:
            meter.cancelled += 1
        else:
            if outcome <= DEGRADED:
                meter.answered += 1
                self.answered += 1
            else:
                meter.failed += 1
                self.failed += 1
            meter.bytes_out += frame.exchange.response_bytes
            meter.sojourn(self.env.now_ns - frame.reached_ns)
        self.present[frame.request.tenant] -= 1
        self.buffered -= frame.exchange.request_bytes + frame.exchange.response_bytes
        self.use.left(frame.request.account, frame.exchange, self.env.now_ns - frame.reached_ns, answers=outcome >= 0)
        if frame.span is not None:
            frame.span.left(self.env.now_ns, outcome)
