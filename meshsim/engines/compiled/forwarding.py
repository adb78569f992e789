"""How an enforcer carries a request: tries, timeouts, back-off, hedges (rules Y1 to Y4, Y9)."""

from __future__ import annotations

from meshsim.engines import keyed, order
from meshsim.engines.compiled import upstreams
from meshsim.engines.compiled.draws import draw_whole
from meshsim.engines.compiled.heap import BACKED_OFF, TOO_LATE, event_key, push
from meshsim.engines.compiled.messages import give_up_tries, join_family
from meshsim.engines.compiled.pool import free_frame
from meshsim.engines.compiled.ready import HEDGE, REFUSED, TIMED_OUT, TRY_AGAIN, TRY_TIMED_OUT, tell
from meshsim.engines.compiled.rows import FORWARDING, IDLE, NONE, TRIED_BITS
from meshsim.engines.compiled.state import Kernel
from meshsim.engines.jit import compiled
from meshsim.engines.keyed import unit
from meshsim.engines.order import NEVER_NS
from meshsim.engines.record import DEGRADED, NO_HOST, OVERFLOW, TIMEOUT

#: What `take` gives if the enforcer has no outcome yet: it waits, or it has to send a try.
SUSPENDED, SENDING = -2, -3
_MS = 1_000_000


@compiled()
def begin(k: Kernel, frame: int, call: int) -> None:
    """Start the clock of the whole, by the policy and by what is left of the caller's time (rules Y1, Y2)."""
    f, w = k.frames[frame], k.forwards[frame]
    policy = k.policies[k.calls[call].policy]
    now = k.scalars[0].now_ns
    f.calling = call
    f.state = FORWARDING
    f.attempt = 0
    w.last_group = NONE
    w.tried = 0
    w.holds_retry = 0
    w.backing_off = 0
    w.retry_ns = NONE
    w.limit_ns = NEVER_NS
    if policy.timeout_ns >= 0:
        w.limit_ns = now + policy.timeout_ns
    if k.calls[call].deadline:
        w.limit_ns = min(w.limit_ns, max(f.deadline_ns, now))
    if w.limit_ns < NEVER_NS:
        push(k, w.limit_ns, event_key(f.number, order.TIMEOUT, f.serial), TOO_LATE, frame)


@compiled()
def send_try(k: Kernel, frame: int, at: int) -> int:
    """Find a connection for a prepared try (NONE: there is no replica for it), rules Y3 and Y5.

    Gives its record if it is to be sent at once, NONE if it waits or was turned away.
    """
    f, w = k.frames[frame], k.forwards[frame]
    if at == NONE:
        tell(k, frame, REFUSED + NO_HOST)
        return NONE
    t = k.frames[at]
    if k.calls[f.calling].deadline:
        t.deadline_ns = w.limit_ns
    t.attempt = f.attempt
    w.last_group = t.group
    w.tried |= 1 << t.carried % TRIED_BITS
    if t.group != NONE:
        k.forwards[at].is_blamed = 0
        found = upstreams.connect(k, t.group, k.forwards[at].host)
        if found == upstreams.REFUSED or (found == upstreams.CONNECTED and upstreams.is_full(k, t.group)):
            k.counters[k.scalars[0].batch, k.groups[t.group].service].overflows += 1
            free_frame(k, at)
            tell(k, frame, REFUSED + OVERFLOW)
            return NONE
        join_family(k, at, frame)
        if found == upstreams.WAITS:
            k.counters[k.scalars[0].batch, k.groups[t.group].service].pending += 1
            upstreams.wait_for_connection(k, at)
            return NONE
        k.hosts[k.forwards[at].host].busy += 1
        k.groups[t.group].active += 1
        return at
    join_family(k, at, frame)
    return at


@compiled()
def take(k: Kernel, frame: int, news: int) -> int:
    """Go on with what an enforcer hears: its outcome, or SUSPENDED or SENDING."""
    outcome = news
    if news > DEGRADED:
        outcome = _amiss(k, frame, news)
        if outcome < 0:
            return outcome
    f, w = k.frames[frame], k.forwards[frame]
    if f.first != NONE or w.holds_retry:
        give_up_tries(k, frame)
    w.retry_ns = NONE
    w.limit_ns = NONE
    f.state = IDLE
    return outcome


@compiled(rare=True)
def _amiss(k: Kernel, frame: int, news: int) -> int:
    """Hear anything but a success: the outcome if that is the end, or what `take` gives if it is not."""
    f, w = k.frames[frame], k.forwards[frame]
    if news == TRY_AGAIN:
        w.backing_off = 0
        w.retry_ns = NONE
        return SENDING
    if news == HEDGE:
        _decide(k, frame, TIMEOUT, HEDGE, 0)
        return SUSPENDED
    if news == TIMED_OUT:
        return TIMEOUT
    outcome = news
    if news == TRY_TIMED_OUT:
        outcome = TIMEOUT
        _decide(k, frame, outcome, news, 1)
    elif news >= REFUSED:  # by this enforcer itself, which does not try that again
        outcome = news - REFUSED
        _release_retry(k, frame)
    else:
        _decide(k, frame, outcome, news, 1)
    return SUSPENDED if w.backing_off or f.first != NONE else outcome


@compiled()
def _release_retry(k: Kernel, frame: int) -> None:
    w = k.forwards[frame]
    if w.holds_retry:
        k.groups[w.last_group].retries -= 1
        w.holds_retry = 0


@compiled()
def _decide(k: Kernel, frame: int, outcome: int, news: int, failed: int) -> None:
    """Begin to back off for another try, if there shall and may be one (rule Y4)."""
    f, w = k.frames[frame], k.forwards[frame]
    policy = k.policies[k.calls[f.calling].policy]
    _release_retry(k, frame)
    wanted = (policy.on >> outcome) & 1
    if news == HEDGE:
        wanted = 1
    elif news == TRY_TIMED_OUT:
        wanted = policy.on_per_try
    if not wanted or f.attempt >= policy.attempts:
        return
    f.attempt += 1  # a retry that is refused is one less, too
    c = k.counters[k.scalars[0].batch, k.replicas[f.replica].service]
    if w.last_group != NONE:
        if not upstreams.may_retry(k, w.last_group, failed):
            c.retries_refused += 1
            return
        k.groups[w.last_group].retries += 1
        w.holds_retry = 1
    c.retries += 1
    if k.live[f.request].end_ns < 0:
        k.live[f.request].tries += 1
    w.backing_off = 1
    if policy.base_ns == 0 and policy.backoff < 0:
        tell(k, frame, TRY_AGAIN)
        return
    w.retry_ns = k.scalars[0].now_ns + _backoff_ns(k, frame)
    push(k, w.retry_ns, event_key(f.number, order.BACKOFF_END, f.serial), BACKED_OFF, frame)


@compiled()
def _backoff_ns(k: Kernel, frame: int) -> int:
    """Envoy's back-off in whole milliseconds, doubled for each retry; or a draw (rule Y4)."""
    f = k.frames[frame]
    policy = k.policies[k.calls[f.calling].policy]
    if policy.backoff >= 0:
        return draw_whole(k, policy.backoff, f.key, keyed.BACKOFF, f.attempt)
    most = policy.base_ns
    for _ in range(f.attempt - 1):
        most = 2 * most if most < policy.max_ns // 2 else policy.max_ns
    return int(unit(f.key, keyed.BACKOFF, f.attempt, 0) * (most // _MS)) * _MS
