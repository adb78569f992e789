"""The bar of one frame in a waterfall: its time cut into pieces, by what it waited for."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Final, NamedTuple

import numpy as np

from meshsim.results.paths import CONNECTION, CPU, CPU_WAIT, FAILED, NETWORK, SLOT, TIMES, WAIT, Paths

#: What a bar is made of: `TIMES`, then time that belongs to the frames called, and time of which nothing is known,
#: because the frame had not ended when the request was answered.
PARTS: Final = (*TIMES, "waiting for others", "goes on")
OTHERS, GOES_ON = len(TIMES), len(TIMES) + 1


@dataclass(frozen=True, slots=True)
class Segment:
    """A piece of a frame's time.

    Attributes
    ----------
    start_ns, end_ns
        Simulated time.
    part
        One of `PARTS`.
    critical
        The request's latency would have been shorter without it.
    """

    start_ns: int
    end_ns: int
    part: str
    critical: bool


class _Stretch(NamedTuple):
    """Time of others within a frame: `OTHERS` or `FAILED`, and whether the frame itself is to blame for it."""

    start: int
    end: int
    part: int
    own: bool


def segments_of(path: Paths, frame: int, end_ns: int) -> Iterator[Segment]:
    """Cut a frame's time into pieces; those that last nothing are left out.

    Parameters
    ----------
    path
        Of all frames.
    frame
        Number of its row.
    end_ns
        When the request was answered.
    """
    return _Bar(path, frame, end_ns).segments()


class _Bar:
    """One frame."""

    def __init__(self, path: Paths, frame: int, end_ns: int) -> None:
        self.path, self.frame = path, frame
        self.critical = bool(path.critical[frame])
        names = ("sent_ns", "reached_ns", "admitted_ns", "left_ns", "returned_ns")
        self.sent, reached, admitted, left, self.returned = (int(path.spans[name][frame]) for name in names)
        self.until = int(path.until_ns[frame])
        self.reached = None if reached < 0 else reached
        self.admitted = None if admitted < 0 else admitted
        self.left = None if left < 0 else left
        self.last = end_ns if self.left is None else self.left

    def segments(self) -> Iterator[Segment]:
        """From left to right."""
        if self.reached is None:
            yield from self.piece(self.sent, self.until, NETWORK)
            return
        dispatched = self.sent + int(self.path.connection_ns[self.frame])
        yield from self.piece(self.sent, dispatched, CONNECTION)
        yield from self.piece(dispatched, self.reached, NETWORK)
        yield from self.piece(self.reached, self.last if self.admitted is None else self.admitted, SLOT)
        if self.admitted is not None:
            yield from self.within(self.admitted)
        if self.left is not None and (self.returned >= 0 or self.critical):
            yield from self.piece(self.left, self.until, NETWORK)

    def piece(self, start_ns: int, end_ns: int, part: int, *, critical: bool | None = None) -> Iterator[Segment]:
        """One segment, or none."""
        if end_ns > start_ns:
            yield Segment(start_ns, end_ns, PARTS[part], self.critical if critical is None else critical)

    def within(self, admitted: int) -> Iterator[Segment]:
        """From when it got its slot to when it left: its own time is what lies between the times of others."""
        others = self.of_enforcer() if self.path.enforcer[self.frame] else self.of_application()
        pieces: list[tuple[int, int, _Stretch | None]] = []
        at = admitted
        for one in others:
            pieces += [(at, one.start, None), (one.start, one.end, one)]
            at = one.end
        pieces.append((at, self.last, None))
        own = sum(end - start for start, end, stretch in pieces if stretch is None)
        spent = self.spent(own)
        before = 0
        for start, end, stretch in pieces:
            if stretch is None:
                yield from self.spread(spent, own, before, start, end)
                before += end - start
            else:
                yield from self.piece(start, end, stretch.part, critical=self.critical and stretch.own)

    def children(self) -> list[int]:
        """Calls that it made, and branches that it waited for, in the order in which they began."""
        path, frame = self.path, self.frame
        family = slice(frame, int(np.searchsorted(path.row, path.row[frame], side="right")))
        waited_for = path.gates[family] | (path.spans["endpoint"][family] >= 0)
        found = frame + np.flatnonzero((path.parent[family] == frame) & waited_for)
        return sorted(found.tolist(), key=lambda one: int(path.spans["sent_ns"][one]))

    def of_application(self) -> Iterator[_Stretch]:
        """Its calls, one after another; tries that it gave up are its own time."""
        for child in self.children():
            start, end = int(self.path.spans["sent_ns"][child]), min(int(self.path.until_ns[child]), self.last)
            if end > start:
                yield _Stretch(start, end, OTHERS, not self.path.gates[child])

    def of_enforcer(self) -> Iterator[_Stretch]:
        """What its tries brought: nothing, until the one that was answered was sent."""
        path, tries = self.path, self.children()
        if not tries:
            return
        first = int(path.spans["sent_ns"][tries[0]])
        for child in (one for one in tries if path.gates[one]):
            start, end = int(path.spans["sent_ns"][child]), min(int(path.until_ns[child]), self.last)
            if start > first:
                yield _Stretch(first, start, FAILED, own=True)
            if end > start:
                yield _Stretch(start, end, OTHERS, own=False)
            return
        ended = self.last if self.left is None else first + int(path.times_ns[self.frame, FAILED])
        if ended > first:
            yield _Stretch(first, ended, FAILED, own=True)

    def spent(self, own: int) -> list[tuple[int, int]]:
        """(part, nanoseconds) that together are the frame's own time; the rest is not known unless it ended by itself.

        Of an enforcer that ended without any try on its way that was in vain, too.
        """
        path, frame = self.path, self.frame
        cpu_wait = min(int(path.spans["cpu_wait_ns"][frame]), own)
        cpu = min(int(path.spans["demand_ns"][frame]), own - cpu_wait)
        wait = min(int(path.spans["wait_ns"][frame]), own - cpu_wait - cpu)
        rest = own - cpu_wait - cpu - wait
        in_vain = bool(path.enforcer[frame]) and self.left is not None
        return [(CPU_WAIT, cpu_wait), (CPU, cpu), (WAIT, wait), (FAILED if in_vain else GOES_ON, rest)]

    def spread(self, spent: list[tuple[int, int]], own: int, before: int, start: int, end: int) -> Iterator[Segment]:
        """Give a stretch of a frame's own time its share of every part.

        `before` of its own time lies before the stretch: shares are rounded from there on, so that none is lost.
        """
        at, length = start, end - start
        parts = [(part, total) for part, total in spent if total]
        for part, total in parts:
            share = total * (before + length) // own - total * before // own
            following = end if part == parts[-1][0] else min(end, at + share)
            yield from self.piece(at, following, part)
            at = following
