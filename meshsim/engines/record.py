"""What an engine hands over: additive arrays, a row per stream or service and batch of time.

The measured span [0, duration) is cut into `batches` equal batches. Everything is counted in the batch in which the
request *arrived* (requests) or in which the time passed (integrals of services), so that a warm-up can be cut off
afterwards and intervals can be computed from batches. Adding two records of the same plan adds their arrays.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import NamedTuple

import numpy as np
import numpy.typing as npt

#: Outcomes in the order of their codes. The first two are successes.
OUTCOMES = (
    "ok",
    "degraded",  # an optional part failed, or a fallback answered
    "timeout",
    "rejected(queue_full)",
    "error(500)",
    "error(503)",
    "error(reset)",
    "error(connect_failure)",
    "error(grpc:unavailable)",
    "rejected(overflow)",  # a circuit breaker: HTTP 503, UO in Envoy's logs
    "rejected(rate_limit)",  # 429
    "rejected(max_wait)",  # stood in line for too long: 503
    "rejected(no_host)",  # every replica is ejected: 503, UH
    "unfinished",  # not answered when the run ended
)
OK, DEGRADED, TIMEOUT, QUEUE_FULL, E500, E503, RESET, CONNECT_FAILURE, GRPC_UNAVAILABLE = range(9)
OVERFLOW, RATE_LIMIT, MAX_WAIT, NO_HOST, UNFINISHED = range(9, 14)

BATCHES = 40  # equal parts of the duration
OCCUPANCY_BINS = 1000  # finer equal parts, for finding the warm-up

#: Per service and batch. Times in nanoseconds; `*_ns` integrals are over the time of the batch, all replicas.
SERVICE_COUNTERS = np.dtype(
    [
        ("requests", "i8"),  # messages that reached a replica, by time of reaching it
        ("waited", "i8"),  # of those, had to wait for a concurrency slot
        ("slot_wait_ns", "i8"),  # how long they waited for it (those admitted)
        ("rejected", "i8"),  # of those, met a full queue or stood in line for too long
        ("answered", "i8"),  # finished with ok or degraded
        ("failed", "i8"),  # finished otherwise (rejected included, cancelled not)
        ("cancelled", "i8"),
        ("sojourn_ns", "i8"),  # reached the replica .. left it, summed over answered + failed
        ("work_items", "i8"),  # CPU demands placed
        ("demand_ns", "i8"),  # their sum, in time on one whole core of the replica
        ("cpu_wait_ns", "i8"),  # what finished items took beyond what they take alone: line, or sharing
        ("busy_ns", "f8"),  # integral of busy cores (core-nanoseconds)
        ("in_system_ns", "i8"),  # integral of requests present
        ("slots_ns", "i8"),  # integral of concurrency slots held (== in_system without waiting ones)
        ("replicas_ns", "i8"),  # integral of replicas that are provisioned
        ("working_ns", "i8"),  # the same of those that are ready and up and whose CPU does not stand still
        ("bytes_in", "i8"),
        ("bytes_out", "i8"),
        ("sent", "i8"),  # messages that a replica sent over a link of limited bandwidth
        ("link_ns", "i8"),  # how long they took there
        ("link_wait_ns", "i8"),  # and how long they waited for those before them
        # as an enforcer of policies:
        ("retries", "i8"),  # tries after the first
        ("retries_refused", "i8"),  # by a circuit breaker or a budget
        ("timeouts", "i8"),  # overall and of tries
        ("overflows", "i8"),  # tries that a circuit breaker turned away
        ("limited", "i8"),  # requests that a rate limit turned away
        ("pending", "i8"),  # tries that had to wait for a connection
        ("pending_ns", "i8"),  # how long those waited that got one
        ("ejections", "i8"),
        ("panics", "i8"),  # choices among all replicas because too many were ejected
    ]
)

#: Per service, account and batch: who used how much of it. Bytes are of messages that reached it, and of its answers.
ACCOUNT_COUNTERS = np.dtype(
    [
        ("requests", "i8"),
        ("demand_ns", "i8"),
        ("bytes_in", "i8"),
        ("bytes_out", "i8"),
        ("zone_bytes_in", "i8"),  # of these, from another zone
        ("zone_bytes_out", "i8"),
        ("client_bytes_in", "i8"),  # and from outside
        ("client_bytes_out", "i8"),
        ("present_ns", "i8"),  # from reaching the replica until they left it, counted when they leave
    ]
)

#: Per cache (all its stores), stream and batch of time.
CACHE_COUNTERS = np.dtype(
    [
        ("lookups", "i8"),
        ("hits", "i8"),  # answered at once; stale and failed entries too
        ("delayed", "i8"),  # waited for what another one was just fetching
        ("stale", "i8"),  # of the hits: the entry's time was over
        ("negative", "i8"),  # of the hits: a failure was kept
        ("outdated", "i8"),  # of the hits: there had been a write since
        ("outdated_ns", "i8"),  # how long ago these were, the first ones
        ("lookup_bytes", "i8"),
        ("hit_bytes", "i8"),
        ("fills", "i8"),
        ("evictions", "i8"),  # of entries that this stream had filled, for want of room
        ("entries_ns", "i8"),  # integral of the entries that this stream filled
        ("bytes_ns", "i8"),
    ]
)

#: What caches hold when a run ends, a row an entry, by cache, store and key.
KEPT = np.dtype([("cache", "i4"), ("store", "i4"), ("stream", "i4"), ("key", "u8"), ("object_bytes", "i8")])

#: One row a request, when asked for: in the order of request numbers.
REQUESTS = np.dtype(
    [
        ("number", "i8"),
        ("stream", "i4"),
        ("user", "i8"),  # of a closed loop or session, else -1
        ("ordinal", "i8"),  # in the stream, or of the user
        ("arrival_ns", "i8"),
        ("end_ns", "i8"),  # answered; -1 when unfinished
        ("outcome", "i4"),
        ("tries", "i4"),  # tries of application calls made for it before it was answered
        ("path", "u8"),  # hash over every try made for it: endpoint, replica, when it was sent and answered
    ]
)

#: One row a frame of a sampled request: an RPC at a replica, or a branch within one.
SPANS = np.dtype(
    [
        ("request", "i8"),
        ("serial", "i4"),
        ("parent", "i4"),  # serial of the calling frame; -1 for the entry
        ("endpoint", "i4"),  # number of the endpoint in the Program; -1 for a branch (it runs in its parent's)
        ("joined", "i4"),  # of a branch: 1 if a fork waits for it, 0 if nobody does (asynchronous calls, copies)
        ("replica", "i4"),  # number of the replica in the Program
        ("attempt", "i4"),
        ("sent_ns", "i8"),  # the caller sent it
        ("reached_ns", "i8"),  # it reached the replica
        ("admitted_ns", "i8"),  # it got a slot
        ("left_ns", "i8"),  # it was answered by the replica
        ("returned_ns", "i8"),  # the answer reached the caller (or a client gave up); -1 if the caller no longer waited
        ("demand_ns", "i8"),  # time that the frame's own CPU work takes alone
        ("cpu_wait_ns", "i8"),  # waited for or shared the CPU
        ("wait_ns", "i8"),  # `wait` steps
        ("outcome", "i4"),
    ]
)


#: What happens. Controllers may note anything else; results compute with these.
BEGINS, ENDS, NO_EFFECT = "begins", "ends", "has no effect"  # a fault; a push begins to go out
REJECTED, IS_OUT, GOES_BACK, IS_BACK = "is rejected", "is out", "goes back", "is back"  # a push
ALARM, ACT, SKIPPED = "alarm", "act", "skipped"  # an analysis, or people; of whose time a part is not simulated
KILLS, STOPS = "kills", "stops"  # what a fault does to replicas, and an autoscaler to those that drain for too long
SCALES = "scaled"  # an autoscaler, a service
OVER = (ENDS, IS_BACK)


class Happening(NamedTuple):
    """Something that a control process did, or found."""

    at_ns: int
    who: str  # name of the event
    what: str
    detail: str = ""
    amount: float | None = None  # what others compute with: proxies of a push, seconds skipped


def used_pairs(counters: npt.NDArray[np.void]) -> tuple[npt.NDArray[np.int32], npt.NDArray[np.void]]:
    """Give `account_pairs` and `accounts` of a Record, from (B + 1, V, A) of ACCOUNT_COUNTERS.

    With many services and accounts most pairs have nothing: a thousand and fifty make 148 MB, which a run needs once,
    and results once a replication if they were kept.
    """
    numbers = counters.view(np.int64).reshape(*counters.shape, -1)
    pairs = np.argwhere((numbers != 0).any(axis=(0, 3)))
    return pairs.astype(np.int32), np.ascontiguousarray(counters[:, pairs[:, 0], pairs[:, 1]].T)


class Look(NamedTuple):
    """How many replicas an autoscaled service has from an instant on, and why."""

    at_ns: int
    service: str
    wanted: int  # by its autoscaler
    provisioned: int  # those that start and those that drain too
    ready: int
    nodes: int  # in the cluster
    demand_cores: float | None = None  # CPU work that came since the decision before; None: only replicas changed
    utilization: float | None = None  # that the autoscaler saw


@dataclass(slots=True)
class Record:
    """Everything one engine measured in one replication.

    Shapes: S streams, B = `BATCHES`, O = ``len(OUTCOMES)``, K latency buckets and J coarse ones in use, V services,
    P pairs.
    """

    duration_ns: int
    counts: npt.NDArray[np.int64]  # (S, B, O)
    latency_sum_ns: npt.NDArray[np.int64]  # (S, B) over ok and degraded
    latency_all_sum_ns: npt.NDArray[np.int64]  # (S, B) over every finished request
    buckets: npt.NDArray[np.int64]  # (K,) numbers of the buckets that have anything, ascending
    histogram: npt.NDArray[np.uint32]  # (S, B, K) latencies of ok and degraded
    histogram_failed: npt.NDArray[np.uint32]  # (S, B, K) latencies of the other finished ones
    tries: npt.NDArray[np.int64]  # (S, B) tries of application calls
    services: npt.NDArray[np.void]  # (V, B + 1) of SERVICE_COUNTERS; the last column is after `duration`
    #: (P, 2): service, and account of the Plane that used anything of it; ascending
    account_pairs: npt.NDArray[np.int32]
    accounts: npt.NDArray[np.void]  # (P, B + 1) of ACCOUNT_COUNTERS
    service_buckets: npt.NDArray[np.int64]  # (J,) of the coarse histogram
    service_histogram: npt.NDArray[np.uint32]  # (V, B, J) sojourn at the service
    caches: npt.NDArray[np.void]  # (C, S, B + 1) of CACHE_COUNTERS
    kept: npt.NDArray[np.void]  # KEPT
    occupancy_ns: npt.NDArray[np.int64]  # (OCCUPANCY_BINS,) integral of requests in the whole plane
    requests: npt.NDArray[np.void] | None  # REQUESTS
    spans: npt.NDArray[np.void]  # SPANS of sampled requests that arrived in [0, duration)
    sampled: npt.NDArray[np.int64]  # numbers of the sampled requests
    events: int  # timed events handled
    end_ns: int  # simulated time when the run ended
    happenings: tuple[Happening, ...] = ()  # as they happened
    looks: tuple[Look, ...] = ()  # of autoscalers, in the order of time


def in_use(*histograms: npt.NDArray[np.uint32]) -> tuple[npt.NDArray[np.int64], list[npt.NDArray[np.uint32]]]:
    """Histograms (rows, B, buckets) without the buckets that are empty in all of them: most of the thousands are.

    Returns
    -------
    tuple
        Numbers of the buckets that are left, and the histograms with these alone.
    """
    merged = [np.bitwise_or.reduce(one, axis=(0, 1)) for one in histograms]
    buckets = np.flatnonzero(np.bitwise_or.reduce(merged))
    return buckets, [one[:, :, buckets] for one in histograms]
