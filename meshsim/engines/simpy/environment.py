"""A SimPy environment with integer time and the total order of semantics.md (rules T1-T6)."""

from __future__ import annotations

from collections.abc import Callable, Generator
from heapq import heappush
from itertools import count
from typing import Any

import simpy

#: Priorities within an instant: consequences of what just happened, control processes, the data plane.
CONSEQUENCE, CONTROL, DATA = range(3)

Process = Generator[simpy.Event, Any, Any]


class Timed(simpy.Event):
    """An event of the data plane at a known instant; `cancel` makes it void."""

    _numbers = count()

    def __init__(self, env: Environment, handler: Callable[[Timed], object]) -> None:
        self.env = env  # what `simpy.Event` sets, without its list of callbacks, which would be replaced at once
        self._ok = True
        self._value = None
        self._number = next(self._numbers)
        self._handler = handler
        self.callbacks = [self._handle]

    def _handle(self, _: simpy.Event) -> None:
        self.env.handled += 1  # type: ignore[attr-defined]
        self._handler(self)

    def __lt__(self, other: Timed) -> bool:
        """Only asked where a void event has the same key as the one that replaced it: either order will do."""
        return self._number < other._number

    def cancel(self) -> None:
        """Take back what should have happened; the empty event stays in the queue until its time."""
        if self.callbacks is not None:
            self.callbacks.clear()


class Environment(simpy.Environment):
    """SimPy's environment, but for the order of events that happen at one instant.

    What SimPy schedules without a delay (a process begins, an event is triggered) is a *consequence* and is handled
    first in, first out, before any timed event. Events of the data plane are ordered by (time, key). Whatever else has
    a delay, a user's control process for example, comes before the data plane's events of its instant.
    """

    def __init__(self) -> None:
        super().__init__(initial_time=0)
        self.handled = 0  # timed events of the data plane

    @property
    def now_ns(self) -> int:
        """Simulated nanoseconds since the run began."""
        return self._now  # type: ignore[return-value]

    def exhaust(self) -> None:
        """Run all consequences of what just happened, first in, first out (rule T4)."""
        queue, step = self._queue, self.step
        while queue and queue[0][1] == CONSEQUENCE:
            step()

    def schedule(self, event: simpy.Event, priority: int = 1, delay: float = 0) -> None:
        """Schedule as SimPy does, with delays in whole nanoseconds."""
        kind = CONTROL if delay else CONSEQUENCE
        heappush(self._queue, (self._now + delay, kind, next(self._eid), event))  # type: ignore[misc]

    def at(self, time_ns: int, key: int, handler: Callable[[Timed], object]) -> Timed:
        """Call `handler` at an instant, in the order that `key` gives among the events of that instant."""
        event = Timed(self, handler)
        heappush(self._queue, (time_ns, DATA, key, event))  # type: ignore[misc]
        return event
