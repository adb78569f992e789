"""CPU queues: processor sharing, first or last come first served, tenants apart, unlimited (rules C1-C8)."""

from __future__ import annotations

from meshsim.engines import order
from meshsim.engines.compiled import pairing, tenants
from meshsim.engines.compiled.counters import fifo_time_ns, has_span, ps_alone_ns, ps_clock, ps_wait_ns, settle_queue
from meshsim.engines.compiled.heap import SHARE_DONE, WORK_DONE, event_key, push
from meshsim.engines.compiled.ready import RUN, ready_frame
from meshsim.engines.compiled.rows import IN_LINE, NONE, ON_CPU, WORKED
from meshsim.engines.compiled.state import Kernel
from meshsim.engines.jit import compiled
from meshsim.engines.program import LIFO, PS, UNLIMITED
from meshsim.engines.sampler import whole


@compiled()
def use(k: Kernel, frame: int, demand_ns: int) -> None:
    """Place a demand; the frame will be woken when it has been worked off."""
    s, f = k.scalars[0], k.frames[frame]
    q = k.queues[f.queue]
    if q.slow != 1.0:
        demand_ns = whole(demand_ns * q.slow)
    c = k.counters[s.batch, q.service]
    c.work_items += 1
    c.demand_ns += demand_ns
    k.account_counters[s.batch, q.service, tenants.account_of(k, frame)].demand_ns += demand_ns
    f.demand_ns = demand_ns
    f.began_ns = s.now_ns
    f.state = ON_CPU
    if q.discipline == PS:
        _share(k, frame)
    elif q.discipline == UNLIMITED:
        settle_queue(k, f.queue)
        q.jobs += 1
        _expect_end(k, frame, demand_ns)
    elif q.jobs < q.servers:
        settle_queue(k, f.queue)
        q.jobs += 1
        _serve(k, frame)
    else:
        _join_line(k, frame)


@compiled()
def _serve(k: Kernel, frame: int) -> None:
    f = k.frames[frame]
    q = k.queues[f.queue]
    f.state = ON_CPU
    if q.line != NONE:
        tenants.begins(k, q.line, frame, float(f.demand_ns))
    _expect_end(k, frame, fifo_time_ns(f.demand_ns, q.speed))


@compiled()
def _expect_end(k: Kernel, frame: int, time_ns: int) -> None:
    """Let a frame's work end after a time in which its core is not shared; where it stands still, later (rule C7)."""
    f = k.frames[frame]
    if k.queues[f.queue].frozen:
        f.due_ns = time_ns
    else:
        end_ns = k.scalars[0].now_ns + time_ns
        push(k, end_ns, event_key(f.number, order.WORK_END, f.serial), WORK_DONE, frame)


@compiled()
def _join_line(k: Kernel, frame: int) -> None:
    f = k.frames[frame]
    q = k.queues[f.queue]
    f.state = IN_LINE
    if q.line != NONE:
        tenants.join(k, q.line, frame)
        return
    f.prev = q.last
    f.next = NONE
    if q.last == NONE:
        q.first = frame
    else:
        k.frames[q.last].next = frame
    q.last = frame


@compiled()
def _leave_line(k: Kernel, frame: int) -> None:
    f = k.frames[frame]
    q = k.queues[f.queue]
    if q.line != NONE:
        tenants.leave(k, q.line, frame)
        return
    if f.prev == NONE:
        q.first = f.next
    else:
        k.frames[f.prev].next = f.next
    if f.next == NONE:
        q.last = f.prev
    else:
        k.frames[f.next].prev = f.prev


@compiled()
def _next_in_line(k: Kernel, queue: int) -> int:
    q = k.queues[queue]
    if q.line != NONE:
        return tenants.turn(k, q.line)
    return int(q.last if q.discipline == LIFO else q.first)


@compiled()
def _free_server(k: Kernel, queue: int) -> None:
    """Give a server to the next in line, if there is one."""
    q = k.queues[queue]
    settle_queue(k, queue)
    q.jobs -= 1
    if q.discipline == UNLIMITED:
        return
    turn = _next_in_line(k, queue)
    if turn != NONE:
        _leave_line(k, turn)
        q.jobs += 1
        _serve(k, turn)


@compiled()
def work_done(k: Kernel, frame: int) -> None:
    """First the freed core takes the next job, then the finished frame goes on (rule C2)."""
    _free_server(k, k.frames[frame].queue)
    _finished(k, frame)


@compiled()
def _finished(k: Kernel, frame: int) -> None:
    k.frames[frame].state = WORKED
    ready_frame(k, RUN, frame)


@compiled()
def _alone_ns(k: Kernel, frame: int) -> int:
    """How long the frame's demand takes where nothing else is to be done (rule C6)."""
    f = k.frames[frame]
    q = k.queues[f.queue]
    if q.discipline == UNLIMITED:
        return int(f.demand_ns)
    if q.discipline == PS:
        return ps_alone_ns(f.demand_ns, q.cores)
    return fifo_time_ns(f.demand_ns, q.speed)


@compiled()
def settle_work(k: Kernel, frame: int) -> None:
    """Count a demand that was worked off, when its frame goes on."""
    s, f = k.scalars[0], k.frames[frame]
    alone_ns = _alone_ns(k, frame)
    waited_ns = s.now_ns - f.began_ns - alone_ns
    k.counters[s.batch, k.queues[f.queue].service].cpu_wait_ns += waited_ns
    if has_span(k, frame):
        k.spans[f.span].demand_ns += alone_ns
        k.spans[f.span].cpu_wait_ns += waited_ns


# -- processor sharing -----------------------------------------------------------------------------------------


@compiled()
def _advance_clock(k: Kernel, queue: int) -> None:
    """Bring the queue's clock up to now; it is 0 where nobody is served."""
    s, q = k.scalars[0], k.queues[queue]
    settle_queue(k, queue)
    if q.jobs and q.frozen == 0:
        q.clock = ps_clock(q.clock, s.now_ns - q.clock_ns, q.jobs, q.cores)
    elif q.jobs == 0:
        q.clock = 0.0
    q.clock_ns = s.now_ns


@compiled()
def _expect_next(k: Kernel, queue: int) -> None:
    """Set the one completion that is pending anew (rule C4)."""
    q = k.queues[queue]
    q.end_ns = NONE
    if q.first != NONE and q.frozen == 0:
        f = k.frames[q.first]
        q.end_ns = k.scalars[0].now_ns + ps_wait_ns(f.finish - q.clock, q.jobs, q.cores)
        q.end_key = event_key(f.number, order.WORK_END, f.serial)
        push(k, q.end_ns, q.end_key, SHARE_DONE, queue)


@compiled()
def _share(k: Kernel, frame: int) -> None:
    f = k.frames[frame]
    q = k.queues[f.queue]
    _advance_clock(k, f.queue)
    f.finish = q.clock + f.demand_ns
    q.first = pairing.insert(k, q.first, frame)
    q.jobs += 1
    _expect_next(k, f.queue)


@compiled()
def share_done(k: Kernel, queue: int) -> None:
    """The job with the least finish is done."""
    q = k.queues[queue]
    _advance_clock(k, queue)
    frame = q.first
    q.clock = max(q.clock, k.frames[frame].finish)
    q.first = pairing.remove(k, q.first, frame)
    q.jobs -= 1
    _expect_next(k, queue)
    _finished(k, frame)


# -- standing still --------------------------------------------------------------------------------------------


@compiled(entry=True)
def freeze(k: Kernel, queue: int) -> None:
    """Let the cores of a queue stand still (rule C7); whoever calls takes the ends of its work out of the heap."""
    q = k.queues[queue]
    if q.discipline == PS:
        _advance_clock(k, queue)
        q.end_ns = NONE
    settle_queue(k, queue)
    q.frozen = 1


@compiled(entry=True)
def thaw(k: Kernel, queue: int) -> None:
    """Let the cores of a queue work again: what was left goes on."""
    q = k.queues[queue]
    settle_queue(k, queue)
    if q.discipline == PS:
        _advance_clock(k, queue)
    q.frozen = 0
    if q.discipline == PS:
        _expect_next(k, queue)
        return
    for frame in range(len(k.frames)):
        f = k.frames[frame]
        if f.number >= 0 and f.state == ON_CPU and f.queue == queue:
            _expect_end(k, frame, f.due_ns)


# -- leaving ---------------------------------------------------------------------------------------------------


@compiled()
def leave(k: Kernel, frame: int) -> None:
    """Take back a demand that is not worked off (rule X2)."""
    f = k.frames[frame]
    q = k.queues[f.queue]
    if q.discipline == PS:
        _advance_clock(k, f.queue)
        q.first = pairing.remove(k, q.first, frame)
        q.jobs -= 1
        _expect_next(k, f.queue)
    elif f.state == IN_LINE:
        _leave_line(k, frame)
    else:
        _free_server(k, f.queue)
