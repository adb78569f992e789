"""The event loop: the one long function (rules T1-T8)."""

from __future__ import annotations

from meshsim.engines import order
from meshsim.engines.compiled import clients, cpu, messages, steps
from meshsim.engines.compiled.counters import next_batch
from meshsim.engines.compiled.growth import (
    FRAME_TABLE,
    HEAP_TABLE,
    LIVE_TABLE,
    READY_TABLE,
    ROW_TABLE,
    SPAN_TABLE,
    STORE_TABLE,
    USER_TABLE,
)
from meshsim.engines.compiled.heap import (
    ANSWERED,
    BACKED_OFF,
    CANCELLED,
    DEADLINE,
    OPEN_ARRIVAL,
    REACHED,
    SHARE_DONE,
    TIMER,
    TOO_LATE,
    USER_ARRIVAL,
    WAIT_DONE,
    WAITED_TOO_LONG,
    WORK_DONE,
    concerns,
    drop_first,
    event_key,
)
from meshsim.engines.compiled.lanes import first_lane, take_head
from meshsim.engines.compiled.ready import (
    CRASH,
    FALL,
    HEARS,
    RUN,
    SEND,
    STOP,
    TRY_AGAIN,
    TURN,
    crash,
    ready_frame,
    tell,
)
from meshsim.engines.compiled.rows import (
    CRASHED,
    DONE,
    ENDED,
    EVENT_BUDGET,
    FORWARDING,
    GROW,
    IN_LINE,
    LOST,
    NONE,
    ON_CPU,
    PAUSED,
    TIME_STANDS_STILL,
    TIME_WENT_BACK,
    TOO_DEEP,
    TOO_MANY_FRAMES,
    TOO_MANY_REQUESTS,
    WAITING,
)
from meshsim.engines.compiled.state import Kernel
from meshsim.engines.compiled.timers import arm
from meshsim.engines.jit import compiled
from meshsim.engines.order import NEVER_NS

_MOST_SERIALS = order.MAX_SERIAL
_MOST_REQUESTS = order.MAX_REQUEST
_MOST_AT_ONCE = order.MOST_AT_ONCE


@compiled()
def _full_table(k: Kernel) -> int:
    """Which table has no room for all that the next step can ask for; NONE if each has."""
    s = k.scalars[0]
    most = s.step + s.arrivals
    if s.free_frames < most:
        return FRAME_TABLE
    if s.heap + most > len(k.heap):
        return HEAP_TABLE
    if s.readies + s.waiting + most > len(k.ready):
        return READY_TABLE
    if s.free_requests < most:
        return LIVE_TABLE
    if s.free_users < most:
        return USER_TABLE
    if s.record_requests and s.rows + most > len(k.rows):
        return ROW_TABLE
    if s.spans + most > len(k.spans):
        return SPAN_TABLE
    if s.tight:
        return STORE_TABLE
    return NONE


@compiled()
def _timer(k: Kernel, call: int, time_ns: int, key: int) -> bool:
    """Handle the event of a list of timers, made for its head or one that is gone; True if it was a timeout."""
    timers = k.timers[call]
    head = timers.first
    if head == NONE:
        timers.armed = 0
        return False
    f = k.frames[head]
    expired = f.expires_ns == time_ns and event_key(f.number, order.TRY_TIMEOUT, f.serial) == key
    if expired and k.calls[f.call].policy >= 0:
        messages.try_timed_out(k, head)
    elif expired:
        messages.timed_out(k, head)
    if timers.first == NONE:
        timers.armed = 0
    else:
        arm(k, call)
    return expired


@compiled(rare=True)
def _rare(k: Kernel, what: int, who: int, time_ns: int, key: int) -> bool:
    """Handle an event that few runs have; False if it was void."""
    if not concerns(k, who, key):
        return what == CANCELLED  # which finds that its frame has ended: that is an event too
    f, w = k.frames[who], k.forwards[who]
    if what == CANCELLED:
        if f.state == LOST:
            messages.forget(k, who)
        elif f.state != ENDED:
            ready_frame(k, STOP, who)
        return True
    if what == TOO_LATE:
        is_due = f.state == FORWARDING and w.limit_ns == time_ns
        if is_due:
            messages.too_late(k, who)
    elif what == BACKED_OFF:
        is_due = f.state == FORWARDING and w.retry_ns == time_ns
        if is_due:
            tell(k, who, TRY_AGAIN)
    elif what == DEADLINE:
        is_due = f.open != 0 and f.expires_ns == time_ns
        if is_due:
            messages.timed_out(k, who)
    elif what == WAITED_TOO_LONG:
        is_due = f.state == IN_LINE and f.pc == NONE
        if is_due:
            steps.waited_too_long(k, who)
    else:  # IMPATIENT
        is_due = f.open != 0
        if is_due:
            clients.impatient(k, who)
    return is_due


@compiled(entry=True)
def advance(k: Kernel, until_ns: int) -> int:
    """Handle events before `until_ns`; the status tells why it stopped (see `state`).

    Long, because every function that it were cut into would be compiled with all that it calls once more.
    """
    s = k.scalars[0]
    while True:
        s.full = _full_table(k)
        if s.full != NONE:
            return GROW
        if s.culprit != NONE:
            return TOO_DEEP if k.frames[s.culprit].depth > s.depth else TOO_MANY_FRAMES
        if s.readies:  # the first in the line of consequences
            entry = k.ready[s.ready]
            action, about, generation = entry.what % HEARS, int(entry.who), entry.generation
            news = entry.what // HEARS - 1
            s.ready = s.ready + 1 if s.ready + 1 < len(k.ready) else 0
            s.readies -= 1
            frame, request, going = NONE, about, NONE
            sends = action == SEND
            if action == CRASH:
                s.crashing -= 1
                if s.readies > s.crashing:  # first everything else that follows at this instant
                    crash(k, about)
                    continue
                s.crashed = about
                return CRASHED
            if action != SEND and k.frames[about].generation == generation:
                if action == STOP:
                    messages.stop(k, about)
                elif action == FALL:
                    messages.fall(k, about, news >= 0)
                elif action == TURN:
                    going = messages.has_turn(k, about)
                else:
                    frame, request = about, int(k.frames[about].request)
                    sends = steps.woken(k, about, news)
            if sends:
                going = steps.send_try(k, frame, request)
            if going != NONE:
                messages.dispatch(k, going)
            continue
        time_ns, key, what, who = NEVER_NS, NEVER_NS, NONE, NONE
        if s.heap:
            time_ns, key, what, who = k.heap[0].time, k.heap[0].key, int(k.heap[0].what), int(k.heap[0].who)
        lane = first_lane(k, time_ns, key)
        if lane != NONE:
            time_ns = k.lanes[lane].time
        if time_ns > s.limit_ns and until_ns > s.limit_ns:  # also when nothing is left
            return DONE
        if time_ns >= until_ns:
            return PAUSED
        while time_ns >= s.edge_ns:
            next_batch(k)
        if time_ns >= s.duration_ns and s.pending == 0:
            return DONE
        if time_ns < s.now_ns:
            return TIME_WENT_BACK
        if s.events >= s.budget:
            return EVENT_BUDGET
        if s.requests > _MOST_REQUESTS:
            return TOO_MANY_REQUESTS
        if time_ns > s.now_ns:
            s.before = s.events
        elif s.events - s.before >= _MOST_AT_ONCE:
            return TIME_STANDS_STILL
        if lane == NONE:
            drop_first(k)
        else:
            who = take_head(k, lane)
            what = ANSWERED if k.frames[who].state == ENDED else REACHED
        s.now_ns = time_ns
        s.events += 1
        if what == REACHED:
            steps.reached(k, who)
        elif what == WORK_DONE:
            if concerns(k, who, key) and k.frames[who].state == ON_CPU:
                cpu.work_done(k, who)
            else:
                s.events -= 1  # it was void: the frame was stopped
        elif what == SHARE_DONE:
            if k.queues[who].end_ns == time_ns and k.queues[who].end_key == key:
                cpu.share_done(k, who)
            else:
                s.events -= 1
        elif what == ANSWERED:
            client = messages.answered(k, who)
            if client != NONE:
                clients.client_answered(k, client)
        elif what == OPEN_ARRIVAL:
            if k.arrival_states[who].due_ns == time_ns:
                clients.arrive(k, who)
            else:
                s.events -= 1  # it was void: the stream's load was changed
        elif what == USER_ARRIVAL:
            clients.user_arrives(k, who)
        elif what == TIMER:
            if not _timer(k, who, time_ns, key):
                s.events -= 1
        elif what == WAIT_DONE:
            if concerns(k, who, key) and k.frames[who].state == WAITING:
                ready_frame(k, RUN, who)
            else:
                s.events -= 1
        elif not _rare(k, what, who, time_ns, key):
            s.events -= 1
