"""Messages under way. Those that travel equally long arrive in the order in which they were sent.

Each constant delay of the network has a lane: a list of frames whose message is on its way, the next one to arrive
first. Only the heads of the lanes are compared with the head of the heap, so that most events of a plane
never enter the heap. Other messages (random delays, fresh connections) go through the heap, and so do those of a crowd
at one instant that do not come in the order of their keys.
"""

from __future__ import annotations

from meshsim.engines import order
from meshsim.engines.compiled.heap import ANSWERED, REACHED, event_key, push
from meshsim.engines.compiled.rows import ENDED, NONE
from meshsim.engines.compiled.state import Kernel
from meshsim.engines.jit import compiled
from meshsim.engines.order import NEVER_NS

_FAR = 16  # messages that one would have to pass, of the same instant: it goes through the heap instead (assumed)


@compiled()
def _key(k: Kernel, frame: int) -> int:
    """Key of the arrival of a frame's message: its answer if the frame has ended, else its request."""
    f = k.frames[frame]
    return event_key(f.number, order.RESPONSE if f.state == ENDED else order.START, f.serial)


@compiled()
def _show_head(k: Kernel, number: int) -> None:
    """Write down when and with which key the head of a lane arrives."""
    lane = k.lanes[number]
    if lane.first == NONE:
        lane.time = NEVER_NS
        lane.key = NEVER_NS
    else:
        lane.time = k.frames[lane.first].due_ns
        lane.key = _key(k, lane.first)


@compiled()
def travel(k: Kernel, frame: int, place: int, delay_ns: int, usual: bool) -> None:
    """Send a frame's message or answer; `usual` unless it takes longer than others of its place."""
    due_ns = k.scalars[0].now_ns + delay_ns
    key = _key(k, frame)
    number = k.lane_of[place]
    if not usual or number == NONE:
        push(k, due_ns, key, ANSWERED if k.frames[frame].state == ENDED else REACHED, frame)
        return
    f, lane = k.frames[frame], k.lanes[number]
    after, passed = lane.last, 0
    while after != NONE and k.frames[after].due_ns == due_ns and _key(k, after) > key:
        if passed == _FAR:
            push(k, due_ns, key, ANSWERED if f.state == ENDED else REACHED, frame)
            return
        after = k.frames[after].prev
        passed += 1
    f.due_ns = due_ns
    f.prev = after
    if after == NONE:
        f.next = lane.first
        lane.first = frame
        lane.time = due_ns
        lane.key = key
    else:
        f.next = k.frames[after].next
        k.frames[after].next = frame
    if f.next == NONE:
        lane.last = frame
    else:
        k.frames[f.next].prev = frame


@compiled()
def first_lane(k: Kernel, time: int, key: int) -> int:
    """Which lane has the event that comes before all others and before (time, key); NONE: none."""
    found = NONE
    for number in range(len(k.lanes)):
        lane = k.lanes[number]
        if (lane.time < time) | ((lane.time == time) & (lane.key < key)):
            found = number
            time = lane.time
            key = lane.key
    return found


@compiled()
def take_head(k: Kernel, number: int) -> int:
    """Take the frame whose message arrives now out of its lane."""
    lane = k.lanes[number]
    frame = lane.first
    lane.first = k.frames[frame].next
    if lane.first == NONE:
        lane.last = NONE
    else:
        k.frames[lane.first].prev = NONE
    _show_head(k, number)
    return frame
