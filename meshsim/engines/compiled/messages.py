"""Messages: a try is sent, answered, abandoned or cancelled (rules N1-N3, L4, X1-X3)."""

from __future__ import annotations

from meshsim.engines import keyed, order
from meshsim.engines.compiled import cpu, fetches, links, stations, upstreams
from meshsim.engines.compiled.counters import begin_span, has_span, leaves, span_left
from meshsim.engines.compiled.heap import CANCELLED, event_key, push
from meshsim.engines.compiled.lanes import travel
from meshsim.engines.compiled.pool import free_frame, new_frame
from meshsim.engines.compiled.ready import (
    FALL,
    HEARS,
    HEDGE,
    REFUSED,
    RUN,
    STOP,
    TIMED_OUT,
    TRY_TIMED_OUT,
    TURN,
    ready_frame,
    tell,
)
from meshsim.engines.compiled.routing import (
    again,
    connection_of,
    delay_ns,
    is_cut,
    is_fresh,
    pick,
    place_of,
    station_of,
    thread_of,
    way_ns,
)
from meshsim.engines.compiled.rows import (
    AWAITING,
    ENDED,
    FETCHING,
    FORKED,
    FORWARDING,
    GRANTED,
    IDLE,
    IN_LINE,
    JOINING,
    LOST,
    NONE,
    NOWHERE,
    ON_CPU,
    PENDING,
    RPC,
)
from meshsim.engines.compiled.state import Kernel
from meshsim.engines.compiled.timers import start_timer, stop_timer
from meshsim.engines.jit import compiled
from meshsim.engines.keyed import mix
from meshsim.engines.outdated import earliest
from meshsim.engines.program import APP
from meshsim.engines.record import CONNECT_FAILURE, DEGRADED, NO_HOST, OVERFLOW, RESET, TIMEOUT
from meshsim.engines.running import REFUSING, SILENT


@compiled()
def note(k: Kernel, request: int, word: int) -> None:
    """Add to the hash over the path, until the request is answered; only rows of requests show it."""
    r = k.live[request]
    if k.scalars[0].record_requests and r.end_ns < 0:
        r.path = mix(r.path, word)


@compiled()
def prepare(
    k: Kernel,
    call: int,
    caller: int,
    request: int,
    key: int,
    path_key: int,
    tried: int,
    request_bytes: int,
    response_bytes: int,
) -> int:
    """Choose where a try of a frame (NONE: the client) goes, and give the record of its exchange, not sent yet.

    `path_key` and `tried` as of `choose`. NONE: an enforcer can choose no replica.
    """
    s, r, c = k.scalars[0], k.live[request], k.calls[call]
    at = new_frame(k, request)
    f = k.frames[at]
    f.kind = RPC
    f.key = key
    f.call = call
    f.parent = caller
    f.open = 1
    f.pc = NONE
    f.request_bytes = request_bytes
    f.response_bytes = response_bytes
    carried = NONE
    replica = NONE
    pin = k.streams[r.stream].name
    f.depth = 1
    if caller != NONE:
        carried = k.frames[caller].carried
        replica = k.frames[caller].replica
        pin = k.replicas[replica].name
        f.depth = k.frames[caller].depth + (k.services[k.replicas[replica].service].role == APP)
        if f.depth > s.depth:
            s.culprit = at
    f.origin = replica
    connection = connection_of(k, call, key)
    if not pick(k, at, replica, pin, carried, connection, path_key, tried):
        if c.policy >= 0:
            free_frame(k, at)
            return NONE
        f.carried = NONE
        f.state = NOWHERE
    f.replica = station_of(k, call, replica, f.carried)
    f.fresh = is_fresh(k, call, key) * (1 + c.tls)
    f.queue = k.replicas[f.replica].first_queue + thread_of(k, f.replica, connection, pin, key)
    f.began_ns = s.now_ns
    return at


@compiled()
def dispatch(k: Kernel, frame: int) -> None:
    """Send what was prepared (rules N1-N3)."""
    f = k.frames[frame]
    c = k.calls[f.call]
    if f.counted != NONE:
        k.seen[f.counted] += 1
    begin_span(k, frame, NONE if f.parent == NONE else k.frames[f.parent].serial, c.endpoint, 0)
    note(k, f.request, c.endpoint)
    note(k, f.request, f.replica)
    note(k, f.request, k.scalars[0].now_ns)
    place = place_of(k, f.call, f.origin, f.replica)
    if f.state == NOWHERE or k.scalars[0].impaired or k.scalars[0].linked:
        _dispatch_amiss(k, frame, place)
    else:
        f.delay_ns = delay_ns(k, f.call, place, f.key, keyed.DELAY)
        if f.fresh:
            f.delay_ns *= 1 + 2 * f.fresh
        travel(k, frame, place, f.delay_ns, not f.fresh)
    if has_span(k, frame):
        k.spans[f.span].attempt = f.attempt
        k.spans[f.span].sent_ns = f.began_ns
    f.attempt = 0
    if c.policy >= 0:
        if k.policies[c.policy].per_try_ns >= 0:
            start_timer(k, frame, k.policies[c.policy].per_try_ns, len(k.calls) + c.policy)


@compiled(rare=True)
def _dispatch_amiss(k: Kernel, frame: int, place: int) -> None:
    """Send what has nobody to go to, which its caller hears at once, or goes over an impaired network or a link."""
    f = k.frames[frame]
    if f.state == NOWHERE:
        f.delay_ns = 0
        f.outcome = NO_HOST
        f.state = ENDED
        travel(k, frame, place, 0, False)
        return
    handshakes = 1 + 2 * int(f.fresh)  # as an int8 it would not do without the compiler
    late_ns = way_ns(k, f.call, f.origin, f.replica)
    again_ns = again(k, frame, 0) + links.sends(k, f.call, f.origin, f.request_bytes)
    f.delay_ns = (delay_ns(k, f.call, place, f.key, keyed.DELAY) + late_ns) * handshakes + again_ns
    if is_cut(k, f.origin, f.replica, place):
        f.state = LOST
    else:
        travel(k, frame, place, f.delay_ns, not f.fresh and late_ns + again_ns == 0)


@compiled()
def answer(k: Kernel, frame: int, outcome: int) -> None:
    """Send the response message (rule N2)."""
    f = k.frames[frame]
    f.outcome = outcome
    f.state = ENDED
    place = place_of(k, f.call, f.origin, f.replica)
    late_ns = 0
    if k.scalars[0].linked and outcome <= DEGRADED:
        late_ns = links.sends(k, f.call, f.replica, f.response_bytes)
    if k.scalars[0].impaired:
        if is_cut(k, f.origin, f.replica, place):
            forget(k, frame)
            return
        late_ns += way_ns(k, f.call, f.origin, f.replica) + again(k, frame, 1)
    travel(k, frame, place, delay_ns(k, f.call, place, f.key, keyed.DELAY_BACK) + late_ns, late_ns == 0)


@compiled(rare=True)
def refuse(k: Kernel, frame: int, outcome: int) -> None:
    """Answer a request without any work: for the rare cases."""
    leaves(k, frame, outcome)
    answer(k, frame, outcome)


@compiled()
def _close(k: Kernel, frame: int, outcome: int) -> None:
    """Count an exchange that was sent no longer; the outcome is NONE if nobody waited for it."""
    f = k.frames[frame]
    f.open = 0
    stop_timer(k, frame)
    if f.counted != NONE:
        k.seen[f.counted] -= 1
    if f.group != NONE:
        upstreams.closed(k, frame, outcome)


@compiled()
def _pass_on(k: Kernel, group: int, host: int) -> None:
    """Let those go that wait for a replica, as long as there are connections; each has its turn as a consequence."""
    while True:
        following = upstreams.next_in_line(k, group, host)
        if following == NONE:
            break
        ready_frame(k, TURN, following)


@compiled(rare=True)
def has_turn(k: Kernel, frame: int) -> int:
    """A try that waited may be sent (its record), unless its caller gave up or too many are under way (NONE)."""
    f = k.frames[frame]
    if f.open and not upstreams.is_over(k, f.group):
        f.state = IDLE
        k.counters[k.scalars[0].batch, k.groups[f.group].service].pending_ns += k.scalars[0].now_ns - f.began_ns
        return frame
    group, host = f.group, k.forwards[frame].host
    k.groups[group].active -= 1
    k.hosts[host].busy -= 1
    if f.open:
        k.counters[k.scalars[0].batch, k.groups[group].service].overflows += 1
        enforcer = f.parent
        leave_family(k, frame)
        tell(k, enforcer, REFUSED + OVERFLOW)
    free_frame(k, frame)
    _pass_on(k, group, host)
    return NONE


@compiled()
def answered(k: Kernel, frame: int) -> int:
    """An answer reaches the caller: who waits is woken. Gives NONE, or the record if a client got its answer."""
    f = k.frames[frame]
    if not f.open:
        free_frame(k, frame)
        return NONE
    _close(k, frame, f.outcome)
    note(k, f.request, k.scalars[0].now_ns)
    if has_span(k, frame):
        k.spans[f.span].returned_ns = k.scalars[0].now_ns
    if f.parent == NONE:
        return frame
    if k.scalars[0].writes and f.outcome <= DEGRADED:
        _learns(k, f.parent, frame)
    if k.calls[f.call].policy >= 0:
        enforcer = f.parent
        leave_family(k, frame)
        tell(k, enforcer, f.outcome)
        if f.group != NONE:
            _pass_on(k, f.group, k.forwards[frame].host)
    else:
        k.frames[f.parent].outcome = f.outcome
        ready_frame(k, RUN, f.parent)
    free_frame(k, frame)
    return NONE


@compiled(inline=False)
def _learns(k: Kernel, frame: int, of: int) -> None:
    """What a frame made of another one's answer is as outdated as that (rule K9)."""
    k.forwards[frame].outdated_ns = earliest(k.forwards[frame].outdated_ns, k.forwards[of].outdated_ns)


@compiled()
def timed_out(k: Kernel, frame: int) -> None:
    """The caller of a try gives up and goes on with a timeout."""
    caller = k.frames[frame].parent
    abandon(k, frame)
    k.frames[caller].outcome = TIMEOUT
    ready_frame(k, RUN, caller)


@compiled(rare=True)
def try_timed_out(k: Kernel, frame: int) -> None:
    """A try has taken longer than its enforcer allows: the enforcer gives it up, or hedges (rules Y3, Y9)."""
    f = k.frames[frame]
    enforcer = f.parent
    if f.group != NONE:
        k.forwards[frame].is_blamed = 1
        upstreams.result(k, frame, TIMEOUT, True)
    if k.policies[k.calls[f.call].policy].hedge:
        stop_timer(k, frame)
        tell(k, enforcer, HEDGE)
        return
    k.counters[k.scalars[0].batch, k.replicas[f.origin].service].timeouts += 1
    leave_family(k, frame)
    abandon(k, frame)
    tell(k, enforcer, TRY_TIMED_OUT)


@compiled()
def too_late(k: Kernel, enforcer: int) -> None:
    """The time that an enforcer has for a request is over (rule Y1)."""
    e = k.frames[enforcer]
    k.counters[k.scalars[0].batch, k.replicas[e.replica].service].timeouts += 1
    one = e.first
    while one != NONE:
        is_sent = k.frames[one].state != PENDING and k.frames[one].state != GRANTED
        if k.frames[one].group != NONE and is_sent and not k.forwards[one].is_blamed:
            upstreams.result(k, one, TIMEOUT, True)
        one = k.frames[one].sibling
    tell(k, enforcer, TIMED_OUT)


@compiled(rare=True)
def abandon(k: Kernel, frame: int) -> None:
    """Wait no longer for an exchange; tell the callee if the call's policy says so (rule X1)."""
    f = k.frames[frame]
    f.parent = NONE
    if f.state == PENDING:
        upstreams.stop_waiting(k, frame)
        free_frame(k, frame)
        return
    if f.state == GRANTED:  # its turn will find that nobody waits
        f.open = 0
        return
    _close(k, frame, NONE)
    if f.group != NONE:
        _pass_on(k, f.group, k.forwards[frame].host)
    is_told = k.calls[f.call].cancellation != 0
    if is_told and k.scalars[0].impaired:
        is_told = not is_cut(k, f.origin, f.replica, place_of(k, f.call, f.origin, f.replica))
    if is_told:
        at_ns = k.scalars[0].now_ns + f.delay_ns
        push(k, at_ns, event_key(f.number, order.CANCEL, f.serial), CANCELLED, frame)
    elif f.state == LOST:
        free_frame(k, frame)


@compiled()
def give_up_tries(k: Kernel, enforcer: int) -> None:
    """Abandon all tries of an enforcer that may still be answered, in the order in which they were sent."""
    e, w = k.frames[enforcer], k.forwards[enforcer]
    if w.holds_retry:
        k.groups[w.last_group].retries -= 1
        w.holds_retry = 0
    one = e.first
    while one != NONE:
        following = k.frames[one].sibling
        abandon(k, one)
        one = following
    e.first = NONE
    e.last = NONE


@compiled(rare=True)
def stop(k: Kernel, frame: int) -> None:
    """A frame is cancelled, or a branch stopped (rule X2)."""
    f = k.frames[frame]
    _leave_all(k, frame)
    if f.kind == RPC:
        leaves(k, frame, NONE)
    else:
        span_left(k, frame, NONE)
        if f.kind == FORKED:
            leave_family(k, frame)
    free_frame(k, frame)


@compiled(entry=True)
def falls(k: Kernel, frame: int) -> None:
    """A frame's replica goes down, in a consequence of its own; refusing, its caller hears so."""
    refuses = k.stations[k.frames[frame].replica].condition == REFUSING
    ready_frame(k, FALL + HEARS * (1 if refuses else 0), frame)


@compiled(rare=True)
def fall(k: Kernel, frame: int, hears: bool) -> None:
    """A frame's replica went down; its caller hears so if the host is still there (rule G10)."""
    f = k.frames[frame]
    if f.kind != RPC:
        stop(k, frame)
        return
    _leave_all(k, frame)
    f.generation += 1  # whatever else was to become of it at this instant does not any more
    if hears:
        leaves(k, frame, RESET)
        answer(k, frame, RESET)
    else:
        leaves(k, frame, NONE)
        forget(k, frame)


@compiled(rare=True)
def nobody_there(k: Kernel, frame: int) -> None:
    """A message reached a replica that does not serve it (rules G10, G13)."""
    if k.stations[k.frames[frame].replica].condition != SILENT:
        answer(k, frame, CONNECT_FAILURE)
    else:
        forget(k, frame)


@compiled()
def forget(k: Kernel, frame: int) -> None:
    """Nobody works on a frame; its record is the exchange's that its caller waits for."""
    if k.frames[frame].open:
        k.frames[frame].state = LOST
    else:
        free_frame(k, frame)


@compiled(rare=True)
def _leave_all(k: Kernel, frame: int) -> None:
    """Leave whatever a frame waits for, and give its slot back (rule X2)."""
    f = k.frames[frame]
    in_slot_line = False
    if f.state == ON_CPU:
        cpu.leave(k, frame)
    elif f.state == IN_LINE:
        in_slot_line = f.pc == NONE
        if in_slot_line:
            stations.leave_line(k, frame)
        else:
            cpu.leave(k, frame)
    elif f.state == AWAITING:
        abandon(k, f.child)
    elif f.state == FORWARDING:
        give_up_tries(k, frame)
    elif f.state == JOINING:
        stop_branches(k, frame)
    elif f.state == FETCHING:
        fetches.wait_no_longer(k, frame)
    if f.fetch != NONE:
        fetches.stop(k, frame)
    if f.kind == RPC and not in_slot_line:
        stations.release(k, f.replica)


# -- branches ----------------------------------------------------------------------------------------------------


@compiled()
def new_branch(k: Kernel, frame: int, kind: int, pc: int) -> int:
    """A branch of a frame: same replica, same draws, a serial and a span of its own (rule F1)."""
    f = k.frames[frame]
    at = new_frame(k, f.request)
    b = k.frames[at]
    b.kind = kind
    b.key = f.key
    b.call = f.call
    b.replica = f.replica
    b.carried = f.carried
    b.queue = f.queue
    b.depth = f.depth
    b.fresh = f.fresh
    b.deadline_ns = f.deadline_ns
    b.request_bytes = f.request_bytes
    b.response_bytes = f.response_bytes
    b.pc = pc
    begin_span(k, at, f.serial, NONE, kind == FORKED)
    return at


@compiled()
def join_family(k: Kernel, branch: int, frame: int) -> None:
    """Count a branch among the live ones of its fork, as the youngest."""
    f, b = k.frames[frame], k.frames[branch]
    b.parent = frame
    b.elder = f.last
    b.sibling = NONE
    if f.last == NONE:
        f.first = branch
    else:
        k.frames[f.last].sibling = branch
    f.last = branch


@compiled()
def leave_family(k: Kernel, branch: int) -> None:
    """A branch has ended; its fork may have gone on without it."""
    b = k.frames[branch]
    if b.parent == NONE:
        return
    f = k.frames[b.parent]
    if b.elder == NONE:
        f.first = b.sibling
    else:
        k.frames[b.elder].sibling = b.sibling
    if b.sibling == NONE:
        f.last = b.elder
    else:
        k.frames[b.sibling].elder = b.elder
    b.parent = NONE


@compiled()
def forget_branches(k: Kernel, frame: int) -> None:
    """The fork goes on: the branches that still live are on their own."""
    branch = k.frames[frame].first
    while branch != NONE:
        k.frames[branch].parent = NONE
        branch = k.frames[branch].sibling
    k.frames[frame].first = NONE
    k.frames[frame].last = NONE


@compiled()
def stop_branches(k: Kernel, frame: int) -> None:
    """Stop the branches that still live, in their order; each is a consequence."""
    branch = k.frames[frame].first
    while branch != NONE:
        ready_frame(k, STOP, branch)
        branch = k.frames[branch].sibling
    forget_branches(k, frame)


@compiled()
def branch_ended(k: Kernel, branch: int, outcome: int) -> None:
    """Count the end of a branch; a join that is decided wakes its frame (rule F2)."""
    b = k.frames[branch]
    frame = b.parent
    span_left(k, branch, outcome)
    if frame != NONE:
        leave_family(k, branch)
        f = k.frames[frame]
        if f.missing > 0 and f.spare >= 0:  # not decided yet
            decided = NONE
            if outcome <= DEGRADED:
                if k.scalars[0].writes:
                    _learns(k, frame, branch)
                f.missing -= 1
                if outcome == DEGRADED:
                    f.degraded = 1
                if f.missing == 0:
                    decided = DEGRADED if f.degraded else 0
            else:
                f.spare -= 1
                if f.spare < 0:
                    decided = outcome
            if decided != NONE:
                f.outcome = decided
                ready_frame(k, RUN, frame)
    free_frame(k, branch)
