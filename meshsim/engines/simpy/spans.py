"""Spans of sampled requests: when each frame was sent, reached its replica, was admitted, left and returned."""

from __future__ import annotations

from struct import Struct
from typing import TYPE_CHECKING

import numpy as np
import numpy.typing as npt

from meshsim.engines import record

if TYPE_CHECKING:
    from meshsim.engines.simpy.requests import Exchange, Frame, Request

_NAMES = record.SPANS.names or ()
_ROW = Struct(f"{len(_NAMES)}q")
_WIDE = np.dtype([(name, "i8") for name in _NAMES])  # what `_ROW` packs


class Span:
    """One row of `record.SPANS` in the making; -1 where something has not happened."""

    __slots__ = (
        "admitted_ns",
        "attempt",
        "cpu_wait_ns",
        "demand_ns",
        "endpoint",
        "joined",
        "left_ns",
        "outcome",
        "parent",
        "reached_ns",
        "replica",
        "returned_ns",
        "sent_ns",
        "serial",
        "wait_ns",
    )

    def __init__(self, serial: int, parent: int, endpoint: int, replica: int, sent_ns: int, joined: bool) -> None:
        self.serial = serial
        self.parent = parent
        self.endpoint = endpoint
        self.joined = int(joined)
        self.replica = replica
        self.attempt = 0
        self.sent_ns = sent_ns
        self.reached_ns = self.admitted_ns = self.left_ns = self.returned_ns = -1
        self.demand_ns = self.cpu_wait_ns = self.wait_ns = 0
        self.outcome = record.UNFINISHED

    def left(self, now_ns: int, outcome: int) -> None:
        """The frame ended (a branch also returns in the same instant)."""
        self.left_ns = now_ns
        self.outcome = outcome
        if self.endpoint < 0:
            self.returned_ns = now_ns

    def row(self, request: int) -> tuple[int, ...]:
        """Values in the order of `record.SPANS`."""
        return (
            request,
            self.serial,
            self.parent,
            self.endpoint,
            self.joined,
            self.replica,
            self.attempt,
            self.sent_ns,
            self.reached_ns,
            self.admitted_ns,
            self.left_ns,
            self.returned_ns,
            self.demand_ns,
            self.cpu_wait_ns,
            self.wait_ns,
            self.outcome,
        )


class Spans:
    """Spans of all sampled requests, taken when a request is answered (what runs on after that is not told)."""

    def __init__(self) -> None:
        self.rows = bytearray()  # packed, for there may be many
        self.sampled: list[int] = []

    def begin(self, exchange: Exchange) -> Span | None:
        """Span of the frame that will serve an exchange."""
        spans = exchange.request.spans
        if spans is None:
            return None
        parent = -1 if exchange.caller is None else exchange.caller.serial
        span = Span(exchange.serial, parent, exchange.call.endpoint, exchange.replica.index, exchange.sent_ns, False)
        spans.append(span)
        return span

    def begin_branch(self, frame: Frame, serial: int, now_ns: int, *, joined: bool) -> Span | None:
        """Span of a branch of a frame: it has no endpoint of its own, and begins where it is."""
        spans = frame.request.spans
        if spans is None:
            return None
        span = Span(serial, frame.serial, -1, frame.exchange.replica.index, now_ns, joined)
        span.reached_ns = span.admitted_ns = span.sent_ns
        spans.append(span)
        return span

    def keep(self, request: Request) -> None:
        """Store what is known of an answered request."""
        if request.spans is not None:
            for span in request.spans:
                self.rows += _ROW.pack(*span.row(request.number))
            self.sampled.append(request.number)
            request.spans = None

    def arrays(self) -> tuple[npt.NDArray[np.void], npt.NDArray[np.int64]]:
        """Rows by request and serial, and the numbers of the sampled requests."""
        rows = np.array(self.rows).view(_WIDE).astype(record.SPANS)
        rows = rows[np.lexsort((rows["serial"], rows["request"]))]
        return rows, np.array(sorted(self.sampled), dtype=np.int64)
