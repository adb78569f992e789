"""What is counted while the kernel runs: batches, integrals, histograms, spans (rules M1-M4)."""

from __future__ import annotations

from meshsim.engines import buckets, sharing
from meshsim.engines.compiled import tenants
from meshsim.engines.compiled.caches import settle_held
from meshsim.engines.compiled.rows import NONE
from meshsim.engines.compiled.state import Kernel
from meshsim.engines.jit import compiled
from meshsim.engines.order import NEVER_NS
from meshsim.engines.program import PS, UNLIMITED
from meshsim.engines.record import BATCHES, DEGRADED, OCCUPANCY_BINS, UNFINISHED

bucket = compiled("int64(int64)")(buckets.bucket)
bucket_coarse = compiled("int64(int64)")(buckets.bucket_coarse)
ps_clock = compiled("float64(float64, int64, int64, float64)")(sharing.ps_clock)
ps_wait_ns = compiled("int64(float64, int64, float64)")(sharing.ps_wait_ns)
ps_alone_ns = compiled("int64(int64, float64)")(sharing.ps_alone_ns)
fifo_time_ns = compiled("int64(int64, float64)")(sharing.fifo_time_ns)


# -- integrals -------------------------------------------------------------------------------------------------


@compiled()
def settle_service(k: Kernel, service: int) -> None:
    """Bring the integrals of a service up to now."""
    s, m = k.scalars[0], k.meters[service]
    elapsed = s.now_ns - m.since_ns
    if elapsed:
        c = k.counters[s.batch, service]
        c.in_system_ns += m.present * elapsed
        c.slots_ns += m.slots * elapsed
        c.replicas_ns += m.replicas * elapsed
        c.working_ns += m.working * elapsed
        m.since_ns = s.now_ns


@compiled(entry=True)
def settle_one(k: Kernel, service: int) -> None:
    """Bring the integrals of one service up to now."""
    settle_service(k, service)


@compiled()
def busy_cores(k: Kernel, queue: int) -> float:
    """Cores at work (rule M3)."""
    q = k.queues[queue]
    if q.frozen:
        return 0.0
    if q.discipline == UNLIMITED:
        return float(q.jobs)
    if q.discipline == PS:
        return min(float(q.jobs), q.cores)
    return q.jobs * q.speed


@compiled()
def settle_queue(k: Kernel, queue: int) -> None:
    """Bring the integral of busy cores up to now."""
    s, q = k.scalars[0], k.queues[queue]
    elapsed = s.now_ns - q.since_ns
    if elapsed > 0:
        busy_ns = busy_cores(k, queue) * elapsed
        k.counters[s.batch, q.service].busy_ns += busy_ns
        q.busy_ns += busy_ns
        q.since_ns = s.now_ns


@compiled()
def settle_occupancy(k: Kernel) -> None:
    """Bring the integral of requests in the plane up to now."""
    s = k.scalars[0]
    while s.bin < OCCUPANCY_BINS:
        edge = s.duration_ns * (s.bin + 1) // OCCUPANCY_BINS
        end = min(s.now_ns, edge)
        k.occupancy[s.bin] += s.present * (end - s.since_ns)
        s.since_ns = end
        if end < edge:
            break
        s.bin += 1


@compiled(entry=True)
def settle_all(k: Kernel) -> None:
    """Bring everything up to now."""
    settle_occupancy(k)
    for service in range(len(k.meters)):
        settle_service(k, service)
    for queue in range(len(k.queues)):
        settle_queue(k, queue)
    for held in range(len(k.held)):
        settle_held(k, held)


@compiled(entry=True)
def next_batch(k: Kernel) -> None:
    """Close the present batch at its edge (rule M2)."""
    s = k.scalars[0]
    s.now_ns = s.edge_ns
    settle_all(k)
    s.batch += 1
    s.edge_ns = s.duration_ns * (s.batch + 1) // BATCHES if s.batch < BATCHES else NEVER_NS


@compiled(entry=True)
def bring_to(k: Kernel, at_ns: int) -> None:
    """Bring time, batches and all integrals up to an instant between events (rule G2)."""
    s = k.scalars[0]
    while at_ns >= s.edge_ns:
        next_batch(k)
    if at_ns > s.now_ns:
        s.before = s.events
    s.now_ns = at_ns
    settle_all(k)


# -- services --------------------------------------------------------------------------------------------------


@compiled()
def enters(k: Kernel, frame: int) -> None:
    """Count a message that reached a replica."""
    f = k.frames[frame]
    service = k.replicas[f.replica].service
    settle_service(k, service)
    k.meters[service].present += 1
    now = k.scalars[0].now_ns
    c = k.counters[k.scalars[0].batch, service]
    c.requests += 1
    c.bytes_in += f.request_bytes
    f.reached_ns = now
    if k.services[service].falls:
        k.forwards[frame].gap_ns = now - k.stations[f.replica].reached_ns
        k.stations[f.replica].reached_ns = now
    tenants.reached(k, frame)
    if f.span != NONE and k.live[f.request].end_ns < 0:
        k.spans[f.span].reached_ns = now


@compiled()
def leaves(k: Kernel, frame: int, outcome: int) -> None:
    """Count a frame that ends (outcome NONE: it was cancelled)."""
    f = k.frames[frame]
    s = k.scalars[0]
    service = k.replicas[f.replica].service
    settle_service(k, service)
    k.meters[service].present -= 1
    c = k.counters[s.batch, service]
    if outcome == NONE:
        c.cancelled += 1
    else:
        if outcome <= DEGRADED:
            c.answered += 1
            k.stations[f.replica].answered += 1
        else:
            c.failed += 1
            k.stations[f.replica].failed += 1
        c.bytes_out += f.response_bytes
        c.sojourn_ns += s.now_ns - f.reached_ns
        if s.batch < BATCHES:
            k.service_histogram[s.batch, service, bucket_coarse(s.now_ns - f.reached_ns)] += 1
    tenants.left(k, frame, outcome != NONE)
    span_left(k, frame, outcome)


# -- spans -----------------------------------------------------------------------------------------------------


@compiled()
def begin_span(k: Kernel, frame: int, parent_serial: int, endpoint: int, joined: int) -> None:
    """Begin the row of a frame of a sampled request."""
    f = k.frames[frame]
    r = k.live[f.request]
    if not r.sampled or r.end_ns >= 0:
        return
    s = k.scalars[0]
    f.span = s.spans
    s.spans += 1
    row = k.spans[f.span]
    row.request = f.number
    row.serial = f.serial
    row.parent = parent_serial
    row.endpoint = endpoint
    row.joined = joined
    row.replica = f.replica
    row.attempt = 0
    row.sent_ns = s.now_ns
    row.reached_ns = NONE
    row.admitted_ns = NONE
    row.left_ns = NONE
    row.returned_ns = NONE
    row.demand_ns = 0
    row.cpu_wait_ns = 0
    row.wait_ns = 0
    row.outcome = UNFINISHED
    if endpoint == NONE:
        row.reached_ns = s.now_ns
        row.admitted_ns = s.now_ns


@compiled()
def has_span(k: Kernel, frame: int) -> bool:
    """Tell whether the frame's row is still to be written to: its request is not answered yet."""
    f = k.frames[frame]
    return f.span != NONE and k.live[f.request].end_ns < 0


@compiled()
def span_left(k: Kernel, frame: int, outcome: int) -> None:
    """Note the end of a frame; a branch also returns in the same instant."""
    if has_span(k, frame):
        row = k.spans[k.frames[frame].span]
        row.left_ns = k.scalars[0].now_ns
        row.outcome = outcome
        if row.endpoint == NONE:
            row.returned_ns = row.left_ns
