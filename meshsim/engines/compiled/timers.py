"""Timeouts of tries. Those of one call last equally long, so they expire in the order in which they were set.

Each call (and each policy, for its tries) has a list of them, and only the head of a list has an event: an answer takes
its timer out of the list at no cost, and an event that finds another head than it was made for is set anew for that
one. What is left of a caller's time is different for each try, which then has an event of its own.
"""

from __future__ import annotations

from meshsim.engines import order
from meshsim.engines.compiled.heap import DEADLINE, TIMER, event_key, push
from meshsim.engines.compiled.rows import NONE
from meshsim.engines.compiled.state import Kernel
from meshsim.engines.jit import compiled


@compiled()
def _expires_before(k: Kernel, one: int, other: int) -> bool:
    a, b = k.frames[one], k.frames[other]
    if a.expires_ns != b.expires_ns:
        return a.expires_ns < b.expires_ns
    if a.number != b.number:
        return a.number < b.number
    return a.serial < b.serial


@compiled()
def arm(k: Kernel, number: int) -> None:
    """Make the event of the head of a list."""
    head = k.timers[number].first
    f = k.frames[head]
    k.timers[number].armed = 1
    push(k, f.expires_ns, event_key(f.number, order.TRY_TIMEOUT, f.serial), TIMER, number)


@compiled()
def start_timer(k: Kernel, frame: int, timeout_ns: int, number: int) -> None:
    """Limit a try, in a list of equal timeouts. Ties of one instant are in the order of their events (rule T1)."""
    f = k.frames[frame]
    timers = k.timers[number]
    f.list = number
    f.expires_ns = k.scalars[0].now_ns + timeout_ns
    after = timers.last
    while after != NONE and _expires_before(k, frame, after):
        after = k.frames[after].earlier
    f.earlier = after
    if after == NONE:
        f.later = timers.first
        timers.first = frame
    else:
        f.later = k.frames[after].later
        k.frames[after].later = frame
    if f.later == NONE:
        timers.last = frame
    else:
        k.frames[f.later].earlier = frame
    if not timers.armed or after == NONE:
        arm(k, number)


@compiled(rare=True)
def limit_by_deadline(k: Kernel, frame: int, limit_ns: int) -> None:
    """Limit a try by what is left of its caller's time: each has its own, so it has an event of its own."""
    f = k.frames[frame]
    f.expires_ns = limit_ns
    f.list = NONE
    push(k, limit_ns, event_key(f.number, order.TRY_TIMEOUT, f.serial), DEADLINE, frame)


@compiled()
def stop_timer(k: Kernel, frame: int) -> None:
    """Take a timer out of its list; its event, if it has one, will find that out."""
    f = k.frames[frame]
    if f.expires_ns == NONE:
        return
    if f.list == NONE:
        f.expires_ns = NONE
        return
    timers = k.timers[f.list]
    if f.earlier == NONE:
        timers.first = f.later
    else:
        k.frames[f.earlier].later = f.later
    if f.later == NONE:
        timers.last = f.earlier
    else:
        k.frames[f.later].earlier = f.earlier
    f.expires_ns = NONE
    f.earlier = NONE
    f.later = NONE
