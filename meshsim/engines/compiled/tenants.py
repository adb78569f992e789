"""Lines in which every tenant has a place of its own (rule C8), and what accounts use of services (rule M5)."""

from __future__ import annotations

from meshsim.engines.compiled.rows import NONE
from meshsim.engines.compiled.state import Kernel
from meshsim.engines.jit import compiled
from meshsim.engines.program import FAIR


@compiled()
def tenant_of(k: Kernel, frame: int) -> int:
    """Whose request a frame works for."""
    if k.presence.shape[1] == 1:
        return 0
    return int(k.streams[k.live[k.frames[frame].request].stream].of)


@compiled()
def account_of(k: Kernel, frame: int) -> int:
    """Where what a frame uses is written down."""
    if k.account_counters.shape[2] == 1:
        return 0
    return int(k.streams[k.live[k.frames[frame].request].stream].account)


# -- lines -----------------------------------------------------------------------------------------------------


@compiled()
def join(k: Kernel, line: int, frame: int) -> None:
    """Stand behind all others of the same tenant."""
    f, all_of_it = k.frames[frame], k.shared_lines[line]
    mine = k.tenant_lines[line, tenant_of(k, frame)]
    f.finish = all_of_it.came
    all_of_it.came += 1
    f.prev = mine.last
    f.next = NONE
    if mine.last == NONE:
        mine.first = frame
        mine.tag = max(all_of_it.clock, mine.finish)
    else:
        k.frames[mine.last].next = frame
    mine.last = frame


@compiled()
def leave(k: Kernel, line: int, frame: int) -> None:
    """Stand there no longer."""
    f = k.frames[frame]
    mine = k.tenant_lines[line, tenant_of(k, frame)]
    if f.prev == NONE:
        mine.first = f.next
    else:
        k.frames[f.prev].next = f.next
    if f.next == NONE:
        mine.last = f.prev
    else:
        k.frames[f.next].prev = f.prev


@compiled()
def turn(k: Kernel, line: int) -> int:
    """Who is next: of the tenant with the least tag, or the highest priority; among equals who came first."""
    best, best_tenant = NONE, NONE
    for tenant in range(k.tenant_lines.shape[1]):
        head = k.tenant_lines[line, tenant].first
        if head != NONE and (best == NONE or _is_before(k, line, tenant, best_tenant)):
            best, best_tenant = head, tenant
    return best


@compiled()
def _is_before(k: Kernel, line: int, tenant: int, other: int) -> bool:
    a, b = k.tenant_lines[line, tenant], k.tenant_lines[line, other]
    if k.shared_lines[line].order == FAIR:
        if a.tag != b.tag:
            return a.tag < b.tag
    elif k.tenants[tenant].priority != k.tenants[other].priority:
        return k.tenants[tenant].priority > k.tenants[other].priority
    return k.frames[a.first].finish < k.frames[b.first].finish


@compiled()
def begins(k: Kernel, line: int, frame: int, cost: float) -> None:
    """Charge what is served now to its tenant; it stands in line no longer, or never did."""
    tenant = tenant_of(k, frame)
    all_of_it, mine = k.shared_lines[line], k.tenant_lines[line, tenant]
    start = max(all_of_it.clock, mine.finish)
    all_of_it.clock = start
    mine.finish = start + cost / k.tenants[tenant].weight
    mine.tag = mine.finish


# -- use -------------------------------------------------------------------------------------------------------


@compiled()
def reached(k: Kernel, frame: int) -> None:
    """Count a message that reached a replica."""
    f = k.frames[frame]
    service = k.replicas[f.replica].service
    c = k.account_counters[k.scalars[0].batch, service, account_of(k, frame)]
    if k.services[service].bulkhead >= 0:
        k.presence[f.replica, tenant_of(k, frame)] += 1
    if k.services[service].buffers >= 0:
        k.stations[f.replica].buffered += f.request_bytes + f.response_bytes
    c.requests += 1
    c.bytes_in += f.request_bytes
    if f.origin == NONE:
        c.client_bytes_in += f.request_bytes
    elif k.replicas[f.origin].zone != k.replicas[f.replica].zone:
        c.zone_bytes_in += f.request_bytes


@compiled()
def fits(k: Kernel, frame: int) -> bool:
    """Whether there are no more messages of its tenant, with this one, and no more bytes than may be (S9, S10)."""
    replica = k.frames[frame].replica
    service = k.services[k.replicas[replica].service]
    if service.bulkhead >= 0 and k.presence[replica, tenant_of(k, frame)] > service.bulkhead:
        return False
    return service.buffers < 0 or k.stations[replica].buffered <= service.buffers


@compiled()
def left(k: Kernel, frame: int, answers: bool) -> None:
    """Count a message that leaves its replica, with an answer or without."""
    f = k.frames[frame]
    service = k.replicas[f.replica].service
    c = k.account_counters[k.scalars[0].batch, service, account_of(k, frame)]
    if k.services[service].bulkhead >= 0:
        k.presence[f.replica, tenant_of(k, frame)] -= 1
    if k.services[service].buffers >= 0:
        k.stations[f.replica].buffered -= f.request_bytes + f.response_bytes
    c.present_ns += k.scalars[0].now_ns - f.reached_ns
    if not answers:
        return
    c.bytes_out += f.response_bytes
    if f.origin == NONE:
        c.client_bytes_out += f.response_bytes
    elif k.replicas[f.origin].zone != k.replicas[f.replica].zone:
        c.zone_bytes_out += f.response_bytes
