"""The heap of timed events: a 4-ary heap ordered by (time, key) (rules T1-T6)."""

from __future__ import annotations

from meshsim.engines import order
from meshsim.engines.compiled.state import Kernel
from meshsim.engines.jit import compiled

#: What an entry is about; `who` is a stream, a user, a frame, a queue or a list of timers.
OPEN_ARRIVAL, USER_ARRIVAL, REACHED, WORK_DONE, SHARE_DONE, WAIT_DONE, ANSWERED, TIMER, CANCELLED = range(9)
DEADLINE, TOO_LATE, BACKED_OFF, WAITED_TOO_LONG, IMPATIENT = range(9, 14)
_ARITY = 4

_NUMBER_SHIFT = order.NUMBER_SHIFT
_SERIAL_MASK = order.MAX_SERIAL

event_key = compiled()(order.event_key)
arrival_key = compiled()(order.arrival_key)


@compiled()
def concerns(k: Kernel, frame: int, key: int) -> bool:
    """Tell whether this record is still the frame that an event was made for."""
    return k.frames[frame].number == key >> _NUMBER_SHIFT and k.frames[frame].serial == key & _SERIAL_MASK


@compiled()
def _put(k: Kernel, at: int, time: int, key: int, what: int, who: int) -> None:
    entry = k.heap[at]
    entry.time = time
    entry.key = key
    entry.what = what
    entry.who = who


@compiled()
def _move(k: Kernel, at: int, to: int) -> None:
    """Copy an entry field by field: a row that is assigned as a whole is copied byte by byte."""
    entry = k.heap[at]
    _put(k, to, entry.time, entry.key, entry.what, entry.who)


@compiled()
def _earlier(k: Kernel, one: int, other: int) -> int:
    """Which of two entries comes first.

    No `and`, no `or`: that is a coin toss, and a branch would be mispredicted.
    """
    a, b = k.heap[one], k.heap[other]
    return other if (b.time < a.time) | ((b.time == a.time) & (b.key < a.key)) else one


@compiled()
def push(k: Kernel, time: int, key: int, what: int, who: int) -> None:
    """Add an event."""
    heap = k.heap
    at = k.scalars[0].heap
    k.scalars[0].heap = at + 1
    while at > 0:
        above = (at - 1) // _ARITY
        if heap[above].time < time or (heap[above].time == time and heap[above].key <= key):
            break
        _move(k, above, at)
        at = above
    _put(k, at, time, key, what, who)


@compiled()
def drop_first(k: Kernel) -> None:
    """Take the first event away: the last one sinks from the top."""
    heap = k.heap
    n = k.scalars[0].heap - 1
    k.scalars[0].heap = n
    time, key, what, who = heap[n].time, heap[n].key, heap[n].what, heap[n].who
    at = 0
    while True:
        below = at * _ARITY + 1
        if below >= n:
            break
        last = min(below + _ARITY, n) - 1  # an entry compared with itself costs less than another number of turns
        one = _earlier(k, below, min(below + 1, last))
        other = _earlier(k, min(below + 2, last), last)
        least = _earlier(k, one, other)
        if time < heap[least].time or (time == heap[least].time and key <= heap[least].key):
            break
        _move(k, least, at)
        at = least
    _put(k, at, time, key, what, who)
