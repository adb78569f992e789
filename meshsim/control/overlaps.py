"""Faults that meet the same replica, service, stream or pair of zones at the same time: what they do together.

Each fault holds a value for as long as it lasts, and what is in force follows from all that are held: factors multiply,
delays add up, packets are lost and messages answered by one or the other fault independently. So the end of one fault
never ends another, and the last one leaves everything as it was.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Collection, Hashable, Iterable
from functools import partial
from typing import Any

from meshsim.control.control import Control

Undo = Callable[[], None]


class Overlaps:
    """What is held at present in one run.

    Attributes
    ----------
    loads
        How often the load of a stream has changed.
    """

    def __init__(self, control: Control) -> None:
        self.control = control
        self.loads = 0
        self.held: dict[Hashable, dict[object, Any]] = {}  # by what it is about: a value for each fault, oldest first

    def slow(self, service: str, replicas: Collection[int], factor: float) -> Undo:
        """Let CPU work at replicas take `factor` times as much."""

        def show(replica: int, factors: Collection[float]) -> None:
            self.control.slow(service, math.prod(factors), [replica])

        return self._hold_each("slow", service, replicas, factor, show)

    def freeze(self, service: str, replicas: Collection[int]) -> Undo:
        """Let the CPU of replicas stand still."""

        def show(replica: int, pauses: Collection[None]) -> None:
            (self.control.freeze if pauses else self.control.thaw)(service, [replica])

        return self._hold_each("cpu", service, replicas, None, show)

    def slow_waits(self, service: str, replicas: Collection[int], factor: float) -> Undo:
        """Let waits at replicas take `factor` times as long."""

        def show(replica: int, factors: Collection[float]) -> None:
            self.control.slow_waits(service, math.prod(factors), [replica])

        return self._hold_each("waits", service, replicas, factor, show)

    def impair(self, service: str, replicas: Collection[int], delay_s: float, loss: float) -> Undo:
        """Let messages from and to replicas take longer, and lose a share of their packets."""

        def show(replica: int, impairments: Collection[tuple[float, float]]) -> None:
            late_s = sum(delay_s for delay_s, _ in impairments)
            lost = _either(loss for _, loss in impairments)
            self.control.impair_network(service, [replica], delay_s=late_s, loss=lost)

        return self._hold_each("network", service, replicas, (delay_s, loss), show)

    def fail(self, service: str, share: float, reason: str) -> Undo:
        """Let a service answer a share of its messages with a failure: of several, that of the largest share."""

        def show(failures: Collection[tuple[float, str]]) -> None:
            newest_first = reversed([*failures])  # max() gives the first of equals
            _, told = max(newest_first, key=lambda one: one[0], default=(0.0, reason))
            self.control.fail(service, _either(share for share, _ in failures), told)

        return self._hold(("fail", service), (share, reason), show)

    def load(self, stream: str, factor: float) -> Undo:
        """Let a stream arrive `factor` times as often."""

        def show(factors: Collection[float]) -> None:
            self.loads += 1
            self.control.set_load(stream, math.prod(factors))

        return self._hold(("load", stream), factor, show)

    def cut_off(self, zone: str, other: str) -> Undo:
        """Let no message get from one of two zones to the other."""

        def show(cuts: Collection[None]) -> None:
            (self.control.cut_off if cuts else self.control.reconnect)(zone, other)

        return self._hold(("cut", frozenset((zone, other))), None, show)

    def _hold_each(
        self,
        quantity: str,
        service: str,
        replicas: Collection[int],
        value: Any,
        show: Callable[[int, Collection[Any]], None],
    ) -> Undo:
        ends = [self._hold((quantity, service, one), value, partial(show, one)) for one in replicas]

        def end() -> None:
            for one in ends:
                one()

        return end

    def _hold(self, what: Hashable, value: Any, show: Callable[[Collection[Any]], None]) -> Undo:
        held = self.held.setdefault(what, {})
        fault = object()
        held[fault] = value
        show(held.values())

        def ends() -> None:
            del held[fault]
            show(held.values())

        return ends


def _either(shares: Iterable[float]) -> float:
    """Chance of one or more of independent things; exact for one alone."""
    found = 0.0
    for share in shares:
        found += share - found * share
    return found
