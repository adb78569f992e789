"""What a frame does: it runs instructions until it has to wait (rules S1-S8, L1-L5, F1-F4, P1-P2)."""

from __future__ import annotations

from meshsim.engines import keyed, order
from meshsim.engines import program as p
from meshsim.engines.compiled import cpu, fetches, forwarding, lookups, stations, tenants
from meshsim.engines.compiled.counters import enters, has_span, leaves
from meshsim.engines.compiled.draws import draw_whole
from meshsim.engines.compiled.heap import IMPATIENT, WAIT_DONE, WAITED_TOO_LONG, event_key, push
from meshsim.engines.compiled.messages import (
    answer,
    branch_ended,
    forget_branches,
    join_family,
    new_branch,
    nobody_there,
    prepare,
    refuse,
    stop_branches,
)
from meshsim.engines.compiled.ready import RUN, crash, ready_frame
from meshsim.engines.compiled.rows import (
    AWAITING,
    CRASHING,
    DETACHED,
    FETCHING,
    FORKED,
    FORWARDING,
    IDLE,
    IN_LINE,
    JOINING,
    NONE,
    RPC,
    TURNED_AWAY,
    WAITING,
    WITH_TLS,
)
from meshsim.engines.compiled.state import Kernel
from meshsim.engines.compiled.timers import limit_by_deadline, start_timer
from meshsim.engines.jit import compiled
from meshsim.engines.keyed import try_key, unit
from meshsim.engines.order import NEVER_NS
from meshsim.engines.record import (
    CONNECT_FAILURE,
    DEGRADED,
    E503,
    MAX_WAIT,
    OK,
    QUEUE_FULL,
    RATE_LIMIT,
    RESET,
    TIMEOUT,
    UNFINISHED,
)
from meshsim.engines.running import REFUSING_NEW, UP
from meshsim.engines.sampler import draw, whole
from meshsim.engines.waking import cost_factor

# What `_go_on` gives if the frame has not ended with an outcome: it waits; it waits for a try that is to be sent.
_SUSPENDED, _SENDING = -2, -3


# -- beginning and ending ----------------------------------------------------------------------------------------


@compiled()
def reached(k: Kernel, frame: int) -> None:
    """A message reached its replica: reject it, let it wait, or run it (rules S1, S2)."""
    f = k.frames[frame]
    condition = k.stations[f.replica].condition
    if condition != UP and (condition != REFUSING_NEW or f.fresh):
        nobody_there(k, frame)
        return
    enters(k, frame)
    service = k.services[k.replicas[f.replica].service]
    if service.fault_share > 0.0 and unit(f.key, keyed.FAULT, service.name, 0) < service.fault_share:  # rule G7
        refuse(k, frame, int(service.fault))
    elif not tenants.fits(k, frame) or stations.full(k, f.replica):
        k.counters[k.scalars[0].batch, k.replicas[f.replica].service].rejected += 1
        refuse(k, frame, QUEUE_FULL)
    elif k.scalars[0].deadlines and f.deadline_ns <= k.scalars[0].now_ns:
        refuse(k, frame, TIMEOUT)
    elif stations.taken(k, f.replica):
        f.state = IN_LINE
        stations.join_line(k, frame)
        if service.max_wait >= 0:
            at_ns = k.scalars[0].now_ns + draw_whole(k, service.max_wait, f.key, keyed.MAX_WAIT, service.name)
            push(k, at_ns, event_key(f.number, order.WAIT_LIMIT, f.serial), WAITED_TOO_LONG, frame)
    else:
        stations.take_slot(k, frame)
        ready_frame(k, RUN, frame)


@compiled()
def waited_too_long(k: Kernel, frame: int) -> None:
    """A request has stood in line for as long as it may: it is turned away as a consequence (rule S2)."""
    stations.leave_line(k, frame)
    k.frames[frame].state = TURNED_AWAY
    ready_frame(k, RUN, frame)


@compiled()
def _begin(k: Kernel, frame: int) -> None:
    f = k.frames[frame]
    f.state = IDLE
    stations.admitted(k, frame)
    f.pc = k.entries[k.endpoints[k.calls[f.call].endpoint].first_entry + k.replicas[f.replica].version]


@compiled()
def woken(k: Kernel, frame: int, news: int) -> bool:
    """Go on until the frame waits or ends: it got its slot, its work is done, its answer is here, its join decided.

    True if it has to send a try, which its caller does: what is said in one place is compiled once.
    """
    f = k.frames[frame]
    if f.state == TURNED_AWAY:
        k.counters[k.scalars[0].batch, k.replicas[f.replica].service].rejected += 1
        refuse(k, frame, MAX_WAIT)
        return False
    if f.kind == RPC and f.pc == NONE:
        waited_ns = k.scalars[0].now_ns - f.reached_ns
        k.counters[k.scalars[0].batch, k.replicas[f.replica].service].slot_wait_ns += waited_ns
        _begin(k, frame)
        if k.scalars[0].deadlines and f.deadline_ns <= k.scalars[0].now_ns:
            stations.release(k, f.replica)
            refuse(k, frame, TIMEOUT)
            return False
    outcome = _go_on(k, frame, news)
    if outcome != _SENDING and outcome != _SUSPENDED:
        if f.fetch != NONE:
            fetches.end(k, frame, outcome)
        if f.kind == RPC:
            stations.release(k, f.replica)
            leaves(k, frame, outcome)
            answer(k, frame, outcome)
        else:
            branch_ended(k, frame, outcome)
    return outcome == _SENDING


@compiled()
def _go_on(k: Kernel, frame: int, news: int) -> int:
    """Run instructions from where the frame stands (rules S6, S7)."""
    f = k.frames[frame]
    if f.state != IDLE:
        outcome = _resumed(k, frame, news)
        if outcome != UNFINISHED:
            return outcome
    while True:
        i = k.instructions[f.pc]
        f.pc += 1
        if i.op == p.END:
            return f.answer
        if i.op == p.WORK:
            cpu.use(k, frame, draw_whole(k, i.a, f.key, keyed.WORK, i.position))
            return _SUSPENDED
        if i.op == p.PROXY_WORK:
            cpu.use(k, frame, _proxy_demand_ns(k, frame, f.pc - 1))
            return _SUSPENDED
        if i.op == p.WAIT:
            _wait(k, frame, draw_whole(k, i.a, f.key, keyed.WAIT, i.position))
            return _SUSPENDED
        if i.op == p.FORWARD:
            f.calling = i.a
            if k.calls[i.a].policy >= 0:
                forwarding.begin(k, frame, i.a)
            return _SENDING
        if i.op == p.CALL:
            outcome = _call(k, frame, f.pc - 1)
            if outcome == _SENDING or f.kind == DETACHED:
                return outcome
            if outcome != OK and not _absorbed(k, frame, i.a, outcome):
                return _answer_to(k, i.a, outcome)
        elif i.op == p.FORK:
            _fork(k, frame, f.pc - 1)
            return _SUSPENDED
        elif i.op == p.CHOOSE:
            _choose(k, frame, f.pc - 1)
        elif i.op == p.JUMP:
            f.pc = i.a
        elif i.op == p.FAIL:
            if i.p >= 1.0 or unit(f.key, keyed.STEP, i.position, 0) < i.p:
                return i.a
        elif i.op == p.LIMIT:
            if not _has_token(k, frame, i.a):
                return RATE_LIMIT
        elif i.op == p.MATCH:
            _match(k, frame, f.pc - 1)
        elif i.op == p.DETACH:
            branch = new_branch(k, frame, DETACHED, i.a)
            ready_frame(k, RUN, branch)
        elif i.op == p.LOOK:
            outcome = lookups.look(k, frame, f.pc - 1, True)
            if outcome != UNFINISHED:
                return outcome
        elif i.op == p.FILL:
            if not lookups.fill(k, frame, f.pc - 1):
                f.pc = i.d
        elif i.op == p.ASK:
            if not lookups.has_key(k, frame, f.pc - 1):
                f.pc = i.d
        elif i.op == p.OUTDATE:
            lookups.outdate(k, frame, f.pc - 1)
        elif i.op == p.PURGE:
            lookups.purge(k, frame, f.pc - 1)
        elif i.op == p.CRASH:
            f.state = CRASHING
            crash(k, f.replica)
            return _SUSPENDED


@compiled()
def _resumed(k: Kernel, frame: int, news: int) -> int:
    """Take in what the frame waited for. UNFINISHED: run on; otherwise as `_go_on`."""
    f = k.frames[frame]
    state = f.state
    if state == FORWARDING:
        outcome = forwarding.take(k, frame, news)
        if outcome < 0:
            return outcome
        f.answer = _answer_to(k, f.calling, outcome)
        return UNFINISHED
    f.state = IDLE
    if state == WAITING:
        if has_span(k, frame):
            k.spans[f.span].wait_ns += f.demand_ns
    elif state == AWAITING:
        f.child = NONE
        i = k.instructions[f.pc - 1]
        if i.op == p.FORWARD:
            f.answer = _answer_to(k, i.a, f.outcome)
            return UNFINISHED
        outcome = _tried(k, frame)
        if outcome == _SENDING or f.kind == DETACHED:
            return outcome
        if outcome != OK and not _absorbed(k, frame, i.a, outcome):
            return _answer_to(k, i.a, outcome)
    elif state == FETCHING:
        return lookups.heard(k, frame, news)
    elif state == JOINING:
        if k.instructions[f.fork].d:
            stop_branches(k, frame)
        else:
            forget_branches(k, frame)
        if f.outcome > DEGRADED:
            return f.outcome
        if f.outcome == DEGRADED:
            f.answer = DEGRADED
    else:  # its work is done
        cpu.settle_work(k, frame)
    return UNFINISHED


@compiled()
def _answer_to(k: Kernel, call: int, outcome: int) -> int:
    """What the caller of whoever made a call hears of how it ended: no connection is a 503 (rule S6)."""
    return E503 if k.calls[call].translates and outcome in (RESET, CONNECT_FAILURE) else outcome


@compiled(inline=False)
def _has_token(k: Kernel, frame: int, number: int) -> bool:
    """Take a token from an enforcer's bucket, if there is one; tokens come continuously (rule Y10)."""
    if k.limits[number].per_tenant:
        number += tenants.tenant_of(k, frame)
    limit = k.limits[number]
    replica = k.frames[frame].replica
    service = k.replicas[replica].service
    bucket = limit.first if limit.shared else limit.first + replica - k.services[service].first_replica
    now = k.scalars[0].now_ns
    empty_ns = max(k.buckets[bucket], now - limit.burst * limit.period_ns)
    has_one = now - empty_ns >= limit.period_ns
    k.buckets[bucket] = empty_ns + limit.period_ns if has_one else empty_ns
    if not has_one:
        k.counters[k.scalars[0].batch, service].limited += 1
    return has_one


@compiled(inline=False)
def _match(k: Kernel, frame: int, pc: int) -> None:
    """Go on at the first case that takes the request's stream; the last one takes all (rule Y11)."""
    f, i = k.frames[frame], k.instructions[pc]
    for case in range(i.a, i.a + i.b):
        takes = k.targets[case].takes
        if takes < 0 or k.takes[takes, k.live[f.request].stream]:
            f.pc = k.targets[case].pc
            return


# -- steps -------------------------------------------------------------------------------------------------------


@compiled()
def _proxy_demand_ns(k: Kernel, frame: int, pc: int) -> int:
    """CPU of a proxy for one message (rules P1, P3)."""
    f, i = k.frames[frame], k.instructions[pc]
    size = f.response_bytes if i.b else f.request_bytes
    base = draw(k.distributions, k.table, i.a, f.key, keyed.PROXY_WORK, i.position)
    if i.c >= 0:
        fall = k.falls[i.c]
        base *= cost_factor(k.forwards[frame].gap_ns, fall.exponent, fall.at_ns, fall.least_ns, fall.most_ns)
    demand = whole(base + i.p * (size / 1024.0))
    return demand + i.d if f.fresh == WITH_TLS and not i.b else demand


@compiled()
def _wait(k: Kernel, frame: int, wait_ns: int) -> None:
    f = k.frames[frame]
    if k.scalars[0].impaired and k.impairments[f.replica].slow_waits != 1.0:
        wait_ns = whole(wait_ns * k.impairments[f.replica].slow_waits)
    f.state = WAITING
    f.demand_ns = wait_ns
    push(k, k.scalars[0].now_ns + wait_ns, event_key(f.number, order.WAIT_END, f.serial), WAIT_DONE, frame)


@compiled()
def _choose(k: Kernel, frame: int, pc: int) -> None:
    f, i = k.frames[frame], k.instructions[pc]
    u = unit(f.key, keyed.STEP, i.position, 0)
    for option in range(i.a, i.a + i.b):
        if u < k.targets[option].upto:
            f.pc = k.targets[option].pc
            return


@compiled()
def _absorbed(k: Kernel, frame: int, call: int, outcome: int) -> bool:
    """Take a call's outcome that is not ok: can the frame go on? (rule L3)."""
    f, c = k.frames[frame], k.calls[call]
    if outcome > DEGRADED:
        if c.fallback >= 0:
            f.pc = c.fallback
        elif not c.optional:
            return False
    f.answer = DEGRADED
    return True


# -- calls -------------------------------------------------------------------------------------------------------


@compiled()
def _call(k: Kernel, frame: int, pc: int) -> int:
    """Begin a call: detached, not at all, or with its first try (rules L1, L5)."""
    f, i = k.frames[frame], k.instructions[pc]
    c = k.calls[i.a]
    if c.asynchronous and not (f.kind == DETACHED and f.calling == NONE):
        branch = new_branch(k, frame, DETACHED, pc)
        k.frames[branch].calling = NONE
        ready_frame(k, RUN, branch)
        return OK
    f.calling = i.a
    if c.p < 1.0 and unit(f.key, keyed.STEP, i.position, 0) >= c.p:
        return OK
    f.times = 1 if c.times < 0 else draw_whole(k, c.times, f.key, keyed.TIMES, i.position)
    f.turn = 0
    f.attempt = 0
    f.result = OK
    return _SENDING if f.times > 0 else OK


@compiled()
def send_try(k: Kernel, frame: int, request: int) -> int:
    """Prepare what a client (frame NONE), a proxy or a call has to send (rules R3, P2, L2); NONE: not now."""
    r = k.live[request]
    if frame == NONE:
        call = k.streams[r.stream].call
        key = r.key
        is_call = False
        enforces = False
    else:
        f = k.frames[frame]
        call = f.calling
        i = k.instructions[f.pc - 1]
        is_call = i.op == p.CALL
        enforces = not is_call and k.calls[call].policy >= 0
        key = f.key
        if is_call:
            key = try_key(f.key, i.position, f.turn, f.attempt)
        elif enforces and f.attempt:
            key = try_key(f.key, keyed.RETRY, 0, f.attempt)
    c = k.calls[call]
    if c.request_bytes >= 0:
        request_bytes = draw_whole(k, c.request_bytes, key, keyed.REQUEST_SIZE, 0)
        response_bytes = draw_whole(k, c.response_bytes, key, keyed.RESPONSE_SIZE, 0)
    else:  # passed on
        request_bytes = k.frames[frame].request_bytes
        response_bytes = k.frames[frame].response_bytes
    path_key = key
    tried = 0
    if enforces:
        path_key = k.frames[frame].key
        tried = k.forwards[frame].tried if k.policies[c.policy].avoid else 0
    child = prepare(k, call, frame, request, key, path_key, tried, request_bytes, response_bytes)
    if enforces:
        return forwarding.send_try(k, frame, child)
    now = k.scalars[0].now_ns
    if frame == NONE:
        _limit_by_patience(k, child)
        return child
    k.frames[frame].child = child
    k.frames[frame].state = AWAITING
    limit_ns = now + c.timeout_ns if is_call and c.timeout_ns >= 0 else NEVER_NS
    if c.deadline:
        limit_ns = min(limit_ns, max(k.frames[frame].deadline_ns, now))
        k.frames[child].deadline_ns = limit_ns if is_call else k.frames[frame].deadline_ns
    if is_call:
        if r.end_ns < 0:
            r.tries += 1
        k.frames[child].attempt = k.frames[frame].attempt
        if c.deadline and limit_ns < NEVER_NS:
            limit_by_deadline(k, child, limit_ns)
        elif c.timeout_ns >= 0:
            start_timer(k, child, c.timeout_ns, call)
    return child


@compiled(rare=True)
def _limit_by_patience(k: Kernel, frame: int) -> None:
    """A client waits for as long as its patience lasts (rule A8)."""
    f = k.frames[frame]
    stream = k.streams[k.live[f.request].stream]
    if stream.patience < 0:
        return
    limit_ns = k.scalars[0].now_ns + draw_whole(k, stream.patience, f.key, keyed.PATIENCE, 0)
    if k.calls[f.call].deadline:
        f.deadline_ns = limit_ns
    push(k, limit_ns, event_key(f.number, order.PATIENCE_END, f.serial), IMPATIENT, frame)


@compiled()
def _tried(k: Kernel, frame: int) -> int:
    """A try has its outcome: send another, repeat the call, or give what the call came to."""
    f = k.frames[frame]
    c = k.calls[f.calling]
    if f.outcome > DEGRADED:
        if f.attempt >= c.retries:
            return f.outcome
        f.attempt += 1
    else:
        f.result = max(f.result, f.outcome)
        f.turn += 1
        f.attempt = 0
        if f.turn >= f.times:
            return f.result
    return _SENDING


# -- branches ----------------------------------------------------------------------------------------------------


@compiled()
def _fork(k: Kernel, frame: int, pc: int) -> None:
    """Begin the branches of a fork, in order (rule F1)."""
    f, i = k.frames[frame], k.instructions[pc]
    f.state = JOINING
    f.fork = pc
    f.missing = i.c
    f.spare = i.b - i.c
    f.degraded = 0
    f.first = NONE
    f.last = NONE
    for number in range(i.a, i.a + i.b):
        branch = new_branch(k, frame, FORKED, k.targets[number].pc)
        join_family(k, branch, frame)
        ready_frame(k, RUN, branch)
