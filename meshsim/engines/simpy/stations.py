"""A replica's door: concurrency slots, the line before them, and what is counted (rules S1-S6)."""

from __future__ import annotations

from collections import deque
from collections.abc import Generator
from typing import TYPE_CHECKING, Any

import numpy as np
import numpy.typing as npt
import simpy

from meshsim.engines.buckets import COARSE_BUCKETS, bucket_coarse
from meshsim.engines.record import BATCHES, DEGRADED, SERVICE_COUNTERS

if TYPE_CHECKING:
    from meshsim.engines.simpy.clock import Clock
    from meshsim.engines.simpy.environment import Environment
    from meshsim.engines.simpy.frames import Frame


class Meter:
    """Counters of one service, all its replicas together, by batch."""

    def __init__(self, clock: Clock, replicas: int) -> None:
        self.clock = clock
        self.counters: dict[str, list[float]] = {name: [0] * (BATCHES + 1) for name in SERVICE_COUNTERS.names or ()}
        self.histogram = np.zeros((BATCHES, COARSE_BUCKETS), dtype=np.uint32)
        self.present = 0
        self.slots = 0
        self.replicas = replicas  # that get requests
        self.since_ns = 0

    def count(self, name: str, amount: float = 1) -> None:
        """Add to a counter of the present batch."""
        self.counters[name][self.clock.batch] += amount

    def settle(self) -> None:
        """Bring the integrals up to now; called before they change and at every edge of a batch."""
        now, batch = self.clock.now_ns, self.clock.batch
        elapsed = now - self.since_ns
        if elapsed:
            self.counters["in_system_ns"][batch] += self.present * elapsed
            self.counters["slots_ns"][batch] += self.slots * elapsed
            self.counters["replicas_ns"][batch] += self.replicas * elapsed
            self.since_ns = now

    def places(self, demand_ns: int) -> None:
        """Count a CPU demand that was placed."""
        self.count("work_items")
        self.count("demand_ns", demand_ns)

    def worked(self, waited_ns: int) -> None:
        """Count a CPU demand that was worked off."""
        self.count("cpu_wait_ns", waited_ns)

    def sojourn(self, ns: int) -> None:
        """Count a finished stay at a replica."""
        self.count("sojourn_ns", ns)
        if self.clock.batch < BATCHES:
            self.histogram[self.clock.batch, bucket_coarse(ns)] += 1

    def row(self) -> npt.NDArray[np.void]:
        """Counters as a row of SERVICE_COUNTERS by batch."""
        array = np.zeros(BATCHES + 1, dtype=SERVICE_COUNTERS)
        for name, values in self.counters.items():
            array[name] = values
        return array


class Station:
    """One replica: `concurrency` requests are worked on at once, `queue` more may wait; -1 is no limit."""

    def __init__(self, env: Environment, meter: Meter, concurrency: int, queue: int) -> None:
        self.env = env
        self.meter = meter
        self.concurrency = concurrency
        self.slow = 1.0  # factor on CPU demands (rule G6)
        self.queue = queue
        self.held = 0
        self.line: deque[tuple[Frame, simpy.Event]] = deque()
        self.reached: dict[Frame, int] = {}  # frames present, and since when

    @property
    def full(self) -> bool:
        """No slot is free and no place in the line."""
        return 0 <= self.concurrency <= self.held and 0 <= self.queue <= len(self.line)

    def enters(self, frame: Frame) -> None:
        """Count a message that reached the replica."""
        self.meter.settle()
        self.meter.present += 1
        self.meter.count("requests")
        self.meter.count("bytes_in", frame.exchange.request_bytes)
        self.reached[frame] = self.env.now_ns
        if frame.span is not None:
            frame.span.reached_ns = self.env.now_ns

    def admit(self, frame: Frame) -> Generator[simpy.Event, Any, None]:
        """Take a slot, or wait in line for one, first come first served (rule S2)."""
        if 0 <= self.concurrency <= self.held:
            self.meter.count("waited")
            turn = self.env.event()
            place = (frame, turn)
            self.line.append(place)
            try:
                yield turn  # the slot is handed over: it was never free
            except simpy.Interrupt:
                self.line.remove(place)
                raise
            self.meter.count("slot_wait_ns", self.env.now_ns - self.reached[frame])
        else:
            self.meter.settle()
            self.meter.slots += 1
            self.held += 1
        if frame.span is not None:
            frame.span.admitted_ns = self.env.now_ns

    def release(self) -> None:
        """Hand the slot to the first in line, or free it (rule S3)."""
        if self.line:
            _, turn = self.line.popleft()
            turn.succeed()
        else:
            self.meter.settle()
            self.meter.slots -= 1
            self.held -= 1

    def leaves(self, frame: Frame, outcome: int) -> None:
        """Count a frame that ends with an outcome (negative: it was cancelled)."""
        meter = self.meter
        meter.settle()
        meter.present -= 1
        reached_ns = self.reached.pop(frame)
        if outcome < 0:
            meter.count("cancelled")
        else:
            meter.count("answered" if outcome <= DEGRADED else "failed")
            meter.count("bytes_out", frame.exchange.response_bytes)
            meter.sojourn(self.env.now_ns - reached_ns)
        if frame.span is not None:
            frame.span.left(self.env.now_ns, outcome)
