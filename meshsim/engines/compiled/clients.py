"""Clients: open streams, sessions and closed loops of users (rules A1-A7)."""

from __future__ import annotations

from meshsim.engines import arrivals, keyed
from meshsim.engines.compiled.counters import bucket, bucket_coarse, has_span, settle_occupancy
from meshsim.engines.compiled.draws import draw_whole
from meshsim.engines.compiled.heap import OPEN_ARRIVAL, USER_ARRIVAL, arrival_key, push
from meshsim.engines.compiled.messages import abandon
from meshsim.engines.compiled.pool import free_frame, free_user, new_request, new_user
from meshsim.engines.compiled.ready import SEND, ready
from meshsim.engines.compiled.rows import LATENCY, LATENCY_ALL, NONE, TRIES
from meshsim.engines.compiled.state import Kernel
from meshsim.engines.jit import compiled
from meshsim.engines.keyed import mix, unit
from meshsim.engines.order import NEVER_NS
from meshsim.engines.record import BATCHES, DEGRADED, TIMEOUT


@compiled()
def _user_key(k: Kernel, stream: int, user: int) -> int:
    return keyed.user_key(mix(k.scalars[0].run, k.streams[stream].name), user)


@compiled()
def _session_key(k: Kernel, stream: int, user: int) -> int:
    """Key of a session; one that began before the run branched is as long as it always was."""
    run = k.scalars[0].origin if user < k.arrival_states[stream].old_users else k.scalars[0].run
    return keyed.user_key(mix(run, k.streams[stream].name), user)


@compiled(entry=True)
def begin(k: Kernel, stream: int) -> None:
    """Schedule the first arrival of an open stream."""
    arrivals.start(k.streams, k.points, k.arrival_states, stream, k.scalars[0].run)
    _expect(k, stream)


@compiled(entry=True)
def begin_user(k: Kernel, stream: int, user: int) -> None:
    """Schedule the first request of a user of a closed loop."""
    _think(k, stream, user, 0)


@compiled(entry=True)
def expect_at(k: Kernel, stream: int, due_ns: int) -> None:
    """Make the event of the coming arrival; the one that was made before it is void if it has another time."""
    push(k, due_ns, arrival_key(stream, NONE), OPEN_ARRIVAL, stream)


@compiled()
def _expect(k: Kernel, stream: int) -> None:
    """Schedule the next arrival event of an open stream."""
    s = k.scalars[0]
    size = arrivals.next_event(k.streams, k.points, k.distributions, k.table, k.arrival_states, stream, s.run)
    k.arrival_states[stream].coming = size
    s.arrivals = max(s.arrivals, size)
    if k.arrival_states[stream].due_ns < NEVER_NS:
        expect_at(k, stream, k.arrival_states[stream].due_ns)


@compiled()
def arrive(k: Kernel, stream: int) -> None:
    """An open arrival event: requests, or first requests of sessions."""
    counts = k.arrival_states[stream]
    for _ in range(counts.coming):
        if k.streams[stream].sessions:
            _new(k, int(stream), int(counts.users), 0)
            counts.users += 1
        else:
            _new(k, int(stream), NONE, int(counts.sent))
    _expect(k, stream)


@compiled()
def user_arrives(k: Kernel, at: int) -> None:
    """A user sends the next request."""
    u = k.users[at]
    _new(k, int(u.stream), int(u.user), int(u.ordinal))
    free_user(k, at)


@compiled()
def _think(k: Kernel, stream: int, user: int, ordinal: int) -> None:
    think_ns = draw_whole(k, k.streams[stream].think, _user_key(k, stream, user), keyed.THINK, ordinal)
    at = new_user(k, stream, user, ordinal)
    push(k, k.scalars[0].now_ns + think_ns, arrival_key(stream, user), USER_ARRIVAL, at)


@compiled()
def _new(k: Kernel, stream: int, user: int, ordinal: int) -> None:
    """Give the next number to a request that arrives now (rule T3); its client sends it as a consequence."""
    s = k.scalars[0]
    if user < 0:
        key = keyed.open_request_key(mix(s.run, k.streams[stream].name), ordinal)
    else:
        key = mix(_user_key(k, stream, user), ordinal)
    at = new_request(k)
    r = k.live[at]
    r.number = s.requests
    r.stream = stream
    r.user = user
    r.ordinal = ordinal
    r.turn = k.arrival_states[stream].sent
    k.arrival_states[stream].sent += 1
    r.key = key
    r.arrival_ns = s.now_ns
    r.batch = s.batch
    s.requests += 1
    if s.batch < BATCHES:
        s.pending += 1
        if s.sample_share >= 1.0 or unit(key, keyed.SAMPLE, 0, 0) < s.sample_share:
            r.sampled = 1
    settle_occupancy(k)
    s.present += 1
    ready(k, SEND, at, 0)


@compiled()
def client_answered(k: Kernel, frame: int) -> None:
    """A client has its answer: count it, and go on if it is a user."""
    request, outcome = k.frames[frame].request, k.frames[frame].outcome
    r = k.live[request]
    stream, user, ordinal = r.stream, r.user, r.ordinal
    _finished(k, request, outcome)
    free_frame(k, frame)
    _goes_on(k, stream, user, ordinal)


@compiled()
def impatient(k: Kernel, frame: int) -> None:
    """A client gives up: it has a timeout in the place of an answer (rule A8)."""
    request = k.frames[frame].request
    r = k.live[request]
    stream, user, ordinal = r.stream, r.user, r.ordinal
    if has_span(k, frame):
        k.spans[k.frames[frame].span].returned_ns = k.scalars[0].now_ns
    abandon(k, frame)
    _finished(k, request, TIMEOUT)
    _goes_on(k, stream, user, ordinal)


@compiled()
def _goes_on(k: Kernel, stream: int, user: int, ordinal: int) -> None:
    """A user sends the next request of a closed loop or a session; others have no next one."""
    if user < 0:
        return
    ordinal += 1
    if k.streams[stream].sessions:
        key = _session_key(k, stream, user)
        if ordinal >= draw_whole(k, k.streams[stream].session_requests, key, keyed.SESSION_SIZE, 0):
            return
    _think(k, int(stream), int(user), int(ordinal))


@compiled()
def _finished(k: Kernel, request: int, outcome: int) -> None:
    s, r = k.scalars[0], k.live[request]
    r.end_ns = s.now_ns
    settle_occupancy(k)
    s.present -= 1
    store(k, request, outcome)
    latency_ns = r.end_ns - r.arrival_ns
    k.counts[r.stream, r.batch, LATENCY_ALL] += latency_ns
    good = outcome <= DEGRADED
    if good:
        k.counts[r.stream, r.batch, LATENCY] += latency_ns
        k.seen_latencies[r.stream, bucket_coarse(latency_ns)] += 1
    if r.batch < BATCHES:
        s.pending -= 1
        at = bucket(latency_ns)
        k.histogram[0 if good else 1, r.stream, r.batch, at] += 1
        s.least_bucket = min(s.least_bucket, at)
        s.most_bucket = max(s.most_bucket, at)


@compiled(entry=True)
def store(k: Kernel, request: int, outcome: int) -> None:
    """Count an outcome, and write the request's row if rows are kept."""
    s, r = k.scalars[0], k.live[request]
    k.counts[r.stream, r.batch, outcome] += 1
    k.counts[r.stream, r.batch, TRIES] += r.tries
    if s.record_requests:
        row = k.rows[s.rows]
        row.number = r.number
        row.stream = r.stream
        row.user = r.user
        row.ordinal = r.ordinal
        row.arrival_ns = r.arrival_ns
        row.end_ns = r.end_ns
        row.outcome = outcome
        row.tries = r.tries
        row.path = r.path
        s.rows += 1
