"""A SimPy environment with integer time and the total order of semantics.md (rules T1-T6)."""

from __future__ import annotations

from collections import deque
from collections.abc import Callable, Generator
from heapq import heapify, heappop, heappush
from itertools import count
from typing import Any

import simpy
from simpy.core import EmptySchedule, Infinity, StopSimulation

#: Priorities of timed events within an instant: control processes, the data plane.
CONTROL, DATA = range(2)

Process = Generator[simpy.Event, Any, Any]


class Timed(simpy.Event):
    """An event of the data plane, which happens at a known instant.

    First `handler` is called, then a process that waits for the event goes on. That keeps rule T4 as long as such a
    handler begins and wakes nothing itself: then the process would be the first in line anyway.
    """

    def __init__(self, env: Environment, handler: Callable[[Any], None] | None = None) -> None:
        # as in SimPy's own events, without the call of Event.__init__: there are many of these
        self.env = env
        self.callbacks = [] if handler is None else [handler]
        self._ok = True
        self._value = None

    def __lt__(self, _: Timed) -> bool:
        """Only asked where a void event has the same key as the one that replaced it: either order will do."""
        return False

    def cancel(self) -> None:
        """Take back what should have happened; the empty event stays in the queue until its time."""
        if self.callbacks is not None:
            self.callbacks.clear()


class Environment(simpy.Environment):
    """SimPy's environment, but for the order of events that happen at one instant.

    What SimPy schedules without a delay (a process begins, an event is triggered) is a *consequence*: it stands in
    line, first in first out, and the line is emptied before the next timed event. Events of the data plane are ordered
    by (time, key). Whatever else has a delay, a user's control process for example, comes before the data plane's
    events of its instant.
    """

    def __init__(self) -> None:
        super().__init__(initial_time=0)
        self.now_ns = 0  # the same as SimPy's `now`, and quicker to read
        self.handled = 0  # timed events of the data plane
        self._line: deque[simpy.Event] = deque()
        self._last_ones = 0  # events in the line that are for the end of it
        self._numbers = count()

    def schedule(self, event: simpy.Event, priority: int = 1, delay: float = 0) -> None:
        """Schedule as SimPy does, with delays in whole nanoseconds."""
        if delay:
            heappush(self._queue, (self.now_ns + int(delay), CONTROL, next(self._numbers), event))  # type: ignore[misc]
        else:
            self._line.append(event)

    def at(self, time_ns: int, key: int, handler: Callable[[Timed], None] | None = None) -> Timed:
        """Call `handler` at an instant, in the order that `key` gives among the events of that instant."""
        event = Timed(self, handler)
        self.plan(event, time_ns, key)
        return event

    def plan(self, event: Timed, time_ns: int, key: int) -> None:
        """Let an event happen at an instant, as `at` does with a new one."""
        heappush(self._queue, (time_ns, DATA, key, event))  # type: ignore[misc]

    def at_last(self, handler: Callable[[], None]) -> None:
        """Call `handler` as the last consequence: those that others have meanwhile come first."""
        event = simpy.Event(self)
        event.callbacks.append(lambda _: self._is_last(handler))
        self._last_ones += 1
        event.succeed()

    def _is_last(self, handler: Callable[[], None]) -> None:
        self._last_ones -= 1
        if len(self._line) > self._last_ones:
            self.at_last(handler)
        else:
            handler()

    def take_back(self, event: Timed) -> int:
        """Take a planned event out of the queue, to be planned again; gives when it was to happen."""
        (at_ns,) = (time for time, *_, other in self._queue if other is event)
        self._queue = [entry for entry in self._queue if entry[3] is not event]
        heapify(self._queue)
        return int(at_ns)

    def move_to(self, time_ns: int) -> None:
        """Let time pass up to an instant that no event lies before: what is begun now happens then."""
        self.now_ns = time_ns
        self._now = time_ns

    def peek(self) -> Any:
        """When the next event is: whole nanoseconds, or infinity if there is none."""
        if self._line:
            return self.now_ns
        return self._queue[0][0] if self._queue else Infinity

    def step(self) -> None:
        """Handle the next timed event and all its consequences (rule T4)."""
        line = self._line
        if not line:
            if not self._queue:
                raise EmptySchedule
            self.now_ns, kind, _, event = heappop(self._queue)  # type: ignore[assignment]
            self._now = self.now_ns
            if kind == DATA and event.callbacks:  # else it is void
                self.handled += 1
            line.append(event)
        while line:
            event = line.popleft()
            callbacks, event.callbacks = event.callbacks, None  # type: ignore[assignment]
            try:
                for callback in callbacks:
                    callback(event)
            except StopSimulation:  # `run` has reached its `until`; it may be called again
                event.callbacks = callbacks[callbacks.index(callback) + 1 :]
                line.appendleft(event)
                raise
            if not event._ok and not hasattr(event, "_defused"):
                # a process failed, and nobody handled it: SimPy raises a copy, caused by the original
                raise type(event._value)(*event._value.args) from event._value
