"""What an enforcer remembers of an upstream: connections, ejections, retries under way (rules Y4 to Y8)."""

from __future__ import annotations

from meshsim.engines.compiled.rows import GRANTED, NONE, PENDING
from meshsim.engines.compiled.state import Kernel
from meshsim.engines.jit import compiled
from meshsim.engines.order import NEVER_NS
from meshsim.engines.record import CONNECT_FAILURE, DEGRADED, E500, RATE_LIMIT, RESET

#: What `connect` finds: no connection and no place to wait for one, a place, a connection.
REFUSED, WAITS, CONNECTED = range(3)


# -- retries -----------------------------------------------------------------------------------------------------


@compiled()
def may_retry(k: Kernel, group: int, failed: int) -> bool:
    """Tell whether the circuit breaker or the budget lets one more retry begin; `failed`: tries that just ended."""
    g = k.groups[group]
    view = k.views[g.of_view]
    if view.budget_share >= 0.0:
        budget = int(view.budget_share * (g.active + failed + g.pending))
        return g.retries < max(budget, view.budget_floor)
    return view.max_retries < 0 or g.retries < view.max_retries


# -- connections -------------------------------------------------------------------------------------------------


@compiled()
def _counts_connections(k: Kernel, group: int) -> bool:
    view = k.views[k.groups[group].of_view]
    return view.max_connections >= 0 or view.max_pending == 0


@compiled()
def _opens(k: Kernel, group: int, host: int) -> bool:
    """Open a connection if that is allowed; a replica without any may always have one."""
    g, h = k.groups[group], k.hosts[host]
    most = k.views[g.of_view].max_connections
    if h.open and most >= 0 and g.connections >= most:
        return False
    h.open += 1
    g.connections += 1
    return True


@compiled()
def is_full(k: Kernel, group: int) -> bool:
    """Tell whether as many requests are under way as may be."""
    most = k.views[k.groups[group].of_view].max_requests
    return most >= 0 and k.groups[group].active >= most


@compiled()
def is_over(k: Kernel, group: int) -> bool:
    """Tell whether more requests are under way than may be."""
    most = k.views[k.groups[group].of_view].max_requests
    return most >= 0 and k.groups[group].active > most


@compiled()
def connect(k: Kernel, group: int, host: int) -> int:
    """Find a connection for a try (rule Y5)."""
    if not _counts_connections(k, group) or k.hosts[host].busy < k.hosts[host].open:
        return CONNECTED
    most = k.views[k.groups[group].of_view].max_pending
    if most >= 0 and k.groups[group].pending >= most:
        return REFUSED
    return CONNECTED if _opens(k, group, host) else WAITS


@compiled()
def wait_for_connection(k: Kernel, frame: int) -> None:
    """Stand in the line of a replica."""
    f = k.frames[frame]
    h = k.hosts[k.forwards[frame].host]
    k.groups[f.group].pending += 1
    f.state = PENDING
    f.prev = h.last
    f.next = NONE
    if h.last == NONE:
        h.first = frame
    else:
        k.frames[h.last].next = frame
    h.last = frame


@compiled()
def stop_waiting(k: Kernel, frame: int) -> None:
    """Leave the line of a replica."""
    f = k.frames[frame]
    h = k.hosts[k.forwards[frame].host]
    k.groups[f.group].pending -= 1
    if f.prev == NONE:
        h.first = f.next
    else:
        k.frames[f.prev].next = f.next
    if f.next == NONE:
        h.last = f.prev
    else:
        k.frames[f.next].prev = f.prev


@compiled()
def closed(k: Kernel, frame: int, outcome: int) -> None:
    """A try has ended (outcome NONE: nobody waited): its connection is idle, or closed."""
    f = k.frames[frame]
    g, h = k.groups[f.group], k.hosts[k.forwards[frame].host]
    g.active -= 1
    h.busy -= 1
    if _counts_connections(k, f.group) and outcome in (NONE, CONNECT_FAILURE):
        h.open -= 1
        g.connections -= 1
    if outcome != NONE:
        result(k, frame, outcome, False)


@compiled()
def next_in_line(k: Kernel, group: int, host: int) -> int:
    """Give the free connection of a replica to the first that waits for one, whose turn comes; NONE: nobody does."""
    h = k.hosts[host]
    if h.first == NONE or not (h.busy < h.open or _opens(k, group, host)):
        return NONE
    following = h.first
    stop_waiting(k, following)
    k.groups[group].active += 1
    h.busy += 1
    k.frames[following].state = GRANTED
    return following


# -- ejections ---------------------------------------------------------------------------------------------------


@compiled()
def refresh(k: Kernel, group: int) -> None:
    """Let those return whose time has come (rule Y8)."""
    g = k.groups[group]
    now = k.scalars[0].now_ns
    if g.ejected == 0 or now < g.return_ns:
        return
    g.ejected = 0
    g.return_ns = NEVER_NS
    for host in range(g.first_host, g.first_host + g.hosts):
        if k.hosts[host].until_ns > now:
            g.ejected += 1
            g.return_ns = min(g.return_ns, k.hosts[host].until_ns)


@compiled(inline=False)
def result(k: Kernel, frame: int, outcome: int, here: bool) -> None:
    """Take in how a try ended; `here`: the enforcer itself ended it, by a timeout (rule Y7)."""
    f = k.frames[frame]
    h = k.hosts[k.forwards[frame].host]
    view = k.views[k.groups[f.group].of_view]
    if not view.outlier:
        return
    refresh(k, f.group)
    if h.until_ns > k.scalars[0].now_ns:
        return
    if outcome <= DEGRADED or outcome == RATE_LIMIT:
        h.row_5xx = 0
        h.row_gateway = 0
        h.row_local = 0
        return
    detected = False
    if view.consecutive_local and (here or outcome in (RESET, CONNECT_FAILURE)):
        h.row_local = h.row_local + 1 if outcome == CONNECT_FAILURE else 1
        detected = h.row_local == view.consecutive_local
    else:
        if not here and outcome not in (RESET, CONNECT_FAILURE):
            h.row_local = 0
        h.row_5xx += 1
        h.row_gateway = 0 if outcome == E500 else h.row_gateway + 1
        if view.consecutive_gateway and h.row_gateway == view.consecutive_gateway:
            h.row_gateway = 0
            detected = True
        if view.consecutive_5xx and h.row_5xx == view.consecutive_5xx:
            h.row_5xx = 0
            detected = True
    if detected:
        _detected(k, f.group, k.forwards[frame].host, k.forwards[frame].choices)


@compiled()
def _detected(k: Kernel, group: int, host: int, n: int) -> None:
    """Eject a replica of `n`, unless too many are."""
    g, h = k.groups[group], k.hosts[host]
    view = k.views[g.of_view]
    now = k.scalars[0].now_ns
    h.row_local = 0
    if 100.0 * (g.ejected + 1) / n > 100.0 * view.max_ejected and not (view.always_one and g.ejected == 0):
        return
    if h.until_ns:
        ticks = now // view.interval_ns - h.until_ns // view.interval_ns
        h.multiplier = max(0, h.multiplier - ticks)
    if h.multiplier * view.base_ejection_ns < view.max_ejection_ns + view.base_ejection_ns:
        h.multiplier += 1
    out_ns = min(view.base_ejection_ns * h.multiplier, view.max_ejection_ns)
    ticks = (now + max(out_ns, 1) + view.interval_ns - 1) // view.interval_ns
    h.until_ns = ticks * view.interval_ns
    h.row_5xx = 0
    h.row_gateway = 0
    g.ejected += 1
    g.return_ns = min(g.return_ns, h.until_ns)
    k.counters[k.scalars[0].batch, g.service].ejections += 1
