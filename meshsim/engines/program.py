"""The Program: a Plane packed into flat arrays. Both engines read this and nothing else.

Times are int64 nanoseconds, sizes bytes, hashes of names uint64. An index of -1 means "none".
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

# -- instructions ----------------------------------------------------------------------------------------------
END, WORK, WAIT, CALL, FORK, CHOOSE, JUMP, FAIL, PROXY_WORK, FORWARD, LIMIT, DETACH, MATCH = range(13)
LOOK, FILL, OUTDATE, PURGE, ASK = range(13, 18)  # of caches
CRASH = 18  # the replica that runs it goes down

INSTRUCTION = np.dtype(
    [
        ("op", "i4"),
        ("a", "i4"),  # WORK, WAIT, PROXY_WORK: distribution; CALL, FORWARD: call; FORK: first branch;
        #               CHOOSE: first option; JUMP: target; FAIL: outcome; LIMIT: row of limits; DETACH: where the
        #               branch begins; MATCH: first case; LOOK, FILL, OUTDATE, PURGE: cache
        ("b", "i4"),  # FORK: branches; CHOOSE: options; MATCH: cases; PROXY_WORK: direction (0 request, 1 response);
        #               LOOK and the like: first dimension of the key, in `parts`
        ("c", "i4"),  # FORK: how many must succeed; LOOK and the like: dimensions of the key;
        #               PROXY_WORK: row of `falls`; -1: it costs the same at any rate
        ("p", "f8"),  # FAIL: probability; PROXY_WORK: nanoseconds per KiB; LOOK, FILL: 1 if of a proxy
        ("d", "i8"),  # PROXY_WORK: handshake nanoseconds; FORK: 1 if branches that are not needed are stopped;
        #               LOOK: the first of two targets: what follows a hit, and the branch that renews (-1: none);
        #               FILL: where to go on if nothing was put in; ASK: where, without the key
        ("position", "u8"),  # hash of the step's address in the spec: keys its draws; LOOK and the like: begins the key
    ]
)

# -- calls -----------------------------------------------------------------------------------------------------
BALANCE, CONNECTION, CARRIED, NO_PICK = range(4)
DEST, DEST_PEER, DEST_NODE, CALLER_PEER, CALLER_NODE = range(5)
RANDOM, ROUND_ROBIN, LEAST_REQUEST, RING_HASH, MAGLEV = range(5)

CALLS = np.dtype(
    [
        ("endpoint", "i4"),  # where the message goes
        ("service", "i4"),  # the service of that endpoint
        ("among", "i4"),  # of which service a replica is picked
        ("pick", "i1"),
        ("via", "i1"),
        ("balancer", "i1"),
        ("split", "i1"),  # draw the version first
        ("shares", "i4"),  # its cumulative shares, first of `shares`; -1: those of `versions`
        ("policy", "i4"),  # how a FORWARD is tried, row of `policies`; -1: once, and nothing is remembered
        ("deadline", "i1"),  # what is left of the caller's time travels with the request
        ("inside", "i1"),  # within one process: no delay
        ("optional", "i1"),
        ("asynchronous", "i1"),
        ("cancellation", "i1"),
        ("translates", "i1"),  # whoever makes it answers 503 where there was no connection or it broke
        ("tls", "i1"),
        ("loopback", "i1"),
        ("pod", "i1"),  # within one pod: no fault of the network concerns it
        ("view", "i4"),  # of the caller's service on `among`; -1 unless BALANCE
        ("retries", "i4"),
        ("times", "i4"),  # distribution of the count; -1: once
        ("request_bytes", "i4"),  # distributions; -1 for a FORWARD (sizes are the caller's own)
        ("response_bytes", "i4"),
        ("fallback", "i4"),  # instruction; -1: none
        ("pool", "i4"),  # connections the caller keeps open; 0: countless
        ("fresh", "f8"),  # probability of a new connection
        ("p", "f8"),  # probability that the call is made
        ("timeout_ns", "i8"),  # of each try; -1: none
    ]
)

#: Where a branch, an option or a case begins; `upto` is the cumulative probability of an option, `takes` the row of
#: `takes` that says which streams a case is for (-1: all).
TARGETS = np.dtype([("pc", "i4"), ("upto", "f8"), ("takes", "i4")])

#: How an enforcer tries a request. Times in nanoseconds, -1: none. `on` has a bit for each outcome that is retried.
POLICIES = np.dtype(
    [
        ("timeout_ns", "i8"),
        ("per_try_ns", "i8"),
        ("attempts", "i4"),  # retries
        ("on", "i4"),
        ("on_per_try", "i1"),  # a try that took too long is retried
        ("avoid", "i1"),  # replicas that were tried
        ("hedge", "i1"),
        ("host_attempts", "i4"),  # further selections
        ("backoff", "i4"),  # distribution; -1: jittered exponential
        ("base_ns", "i8"),  # 0: no back-off
        ("max_ns", "i8"),
    ]
)

#: Token buckets: a token comes every `period_ns`, up to `burst`. State: first row of `bucket_states`.
#: Where tenants have buckets of their own, their rows follow each other in the order of their names.
LIMITS = np.dtype([("period_ns", "i8"), ("burst", "i8"), ("shared", "i1"), ("per_tenant", "i1"), ("first", "i4")])

#: How the base of a proxy's CPU falls with the rate of messages (rule P3). Times in nanoseconds.
FALLS = np.dtype([("exponent", "f8"), ("at_ns", "f8"), ("least_ns", "f8"), ("most_ns", "f8")])

# -- caches ----------------------------------------------------------------------------------------------------
LRU, FIFO_CACHE, RANDOM_CACHE, LFU, SIEVE = range(5)
TRACED = -2  # in the place of the distribution of an object's bytes

#: A cache of a service: each of its replicas has a store, or all share one. Times in nanoseconds, -1: none.
CACHES = np.dtype(
    [
        ("service", "i4"),
        ("policy", "i4"),
        ("capacity", "i8"),  # entries; -1: no limit
        ("capacity_bytes", "i8"),
        ("object_bytes", "i4"),  # distribution of an object's bytes; -1: they do not matter; TRACED: the trace has them
        ("shared", "i1"),
        ("renew", "i1"),
        ("coalesce", "i1"),
        ("leases", "i1"),
        ("tracked", "i1"),  # somebody has to know who fetches what: coalesce, stale, negative, writes
        ("ttl_ns", "i8"),
        ("stale_ns", "i8"),  # 0: none
        ("negative_ns", "i8"),
        ("first_store", "i4"),  # of its stores, a row for each replica in order
        ("stores", "i4"),
        ("name", "u8"),
    ]
)
#: What requests of a stream are about, in one dimension.
KEYS = np.dtype(
    [
        ("number", "i4"),  # distribution; -1: the stream has no such key
        ("same", "i1"),  # a session is about one item
        ("once", "f8"),  # share of the requests about something that nobody asks for again
        ("life_ns", "i8"),  # after which another item takes a place; -1: never
        ("traced", "i8"),  # requests of the trace that says what it is; 0: it is drawn
        ("first", "i8"),  # of these, in `traced_keys` and `traced_bytes`
    ]
)

# -- the plane -------------------------------------------------------------------------------------------------
PS, FIFO, LIFO, UNLIMITED, FAIR, PRIORITY = range(6)  # disciplines of CPUs, and of lines for slots
TENANTS_APART = (FAIR, PRIORITY)  # where each tenant has a place of its own in the line
APP, PROXY = range(2)

SERVICES = np.dtype(
    [
        ("first_replica", "i4"),
        ("replicas", "i4"),  # that requests are sent to: numbers 0 to replicas - 1
        ("most", "i4"),  # that there can be
        ("first_version", "i4"),
        ("versions", "i4"),
        ("first_scaling", "i4"),  # changes of `replicas` so far; -1: none
        ("role", "i4"),  # for results only: engines treat proxies like any other service
        ("discipline", "i4"),
        ("line", "i4"),  # who of those that wait for a slot is next: FIFO, FAIR or PRIORITY
        ("bulkhead", "i4"),  # messages of one tenant that a replica has at once; -1: no limit
        ("buffers", "i8"),  # bytes of messages and their answers that a replica holds at once; -1: no limit
        ("ns_per_byte", "f8"),  # how long its link takes to send one; 0: no time
        ("falls", "i4"),  # 1: its CPU for a message depends on when the one before it came
        ("threads", "i4"),  # CPU queues of a replica; 0: no work ever waits
        ("concurrency", "i4"),  # -1: no limit
        ("queue", "i4"),  # -1: unbounded
        ("max_wait", "i4"),  # distribution (ns); -1: for ever
        ("fault", "i4"),  # outcome that it answers to a share of messages, without any work
        ("fault_share", "f8"),
        ("limited", "i4"),  # above 0: not every replica can be chosen for every request (rule G11)
        ("first_shard", "i4"),  # shards[first_shard + stream] has a 1 for each that may be; -1: all may
        ("name", "u8"),
    ]
)
REPLICAS = np.dtype(
    [
        ("service", "i4"),
        ("version", "i4"),  # within the service; of a proxy, the configuration that it has
        ("node", "i4"),
        ("zone", "i4"),
        ("first_queue", "i4"),  # its first CPU queue
        ("cores", "f8"),  # of one CPU queue; 0: unlimited
        ("weight", "i4"),  # that balancers give it
        ("unlisted", "i1"),  # nobody chooses it: it is not among the endpoints, or its pod is not ready
        ("pod", "i1"),  # READY, UNREADY, ABSENT (rule G15)
        ("withdrawn", "i1"),  # it left the endpoints (rule G11)
        ("name", "u8"),
    ]
)
VERSIONS = np.dtype([("first_replica", "i4"), ("replicas", "i4"), ("upto", "f8")])  # cumulative share of the split
ENDPOINTS = np.dtype([("service", "i4"), ("first_entry", "i4"), ("name", "u8")])  # entries[first_entry + version]
VIEWS = np.dtype(
    [
        ("caller", "i4"),  # service whose replicas hold the views; -1: clients (one view)
        ("among", "i4"),
        ("callers", "i4"),  # how many replicas hold one
        ("first_cursor", "i4"),  # round robin: cursors[first_cursor + caller's number]
        ("first_count", "i4"),  # outstanding[first_count + caller's number * most(among) + replica]
        ("plain", "i1"),  # nobody is ejected, zones and keys do not matter, and least request has two choices
        ("split", "i1"),  # calls draw a version first: each version is an upstream of its own
        ("choices", "i4"),  # LEAST_REQUEST; 0: a full scan
        ("dimension", "i4"),  # RING_HASH, MAGLEV: of keys
        ("first_ring", "i4"),  # rings[first_ring + version]
        ("first_due", "i4"),  # -1: all replicas weigh the same; else `dues` has the clock of caller n's turns in row
        #                       first_due + n * (most + 1), and behind it when each replica is due
        ("zone_aware", "i1"),
        ("panic", "f8"),
        ("tracked", "i1"),  # there are hosts and groups; their rows count on from the next two as cursors and counts do
        ("apart", "i4"),  # for how many tenants each caller has a group and hosts of their own; 1: for all together
        ("first_host", "i4"),
        ("first_group", "i4"),
        ("max_connections", "i8"),  # of here on: -1: no limit
        ("max_pending", "i8"),
        ("max_requests", "i8"),
        ("max_retries", "i8"),
        ("budget_floor", "i8"),
        ("budget_share", "f8"),
        ("outlier", "i1"),
        ("consecutive_5xx", "i4"),
        ("consecutive_gateway", "i4"),
        ("consecutive_local", "i4"),
        ("interval_ns", "i8"),
        ("base_ejection_ns", "i8"),
        ("max_ejection_ns", "i8"),
        ("max_ejected", "f8"),
        ("always_one", "i1"),
    ]
)
#: Tables of consistent hashing: entries [first, first + entries) of `ring_at` (hashes, ascending; RING_HASH) and
#: `ring_host` (replica within the service).
#: The first three fields say of what: a service, one of its versions (-1: all), how many entries at least (0: Maglev).
RINGS = np.dtype([("service", "i4"), ("version", "i4"), ("least", "i4"), ("first", "i4"), ("entries", "i4")])

# -- traffic ---------------------------------------------------------------------------------------------------
POISSON, CONSTANT, RENEWAL, BATCH, MMPP, RATE, TRACE, CLOSED = range(8)
STEPS, LINEAR, DIURNAL = range(3)

STREAMS = np.dtype(
    [
        ("call", "i4"),  # the client's call that enters the plane
        ("kind", "i4"),
        ("sessions", "i4"),  # 1: arrivals are of sessions (`user` is the session's ordinal)
        ("rate_per_ns", "f8"),  # POISSON, CONSTANT, BATCH: of arrival events, `run.load` and sessions applied
        ("gap", "i4"),  # RENEWAL: distribution of gaps (ns)
        ("stretch", "f8"),  # RENEWAL: factor on gaps
        ("size", "i4"),  # BATCH: distribution of the size
        ("first_point", "i4"),  # MMPP: states; RATE: points; TRACE: times
        ("points", "i4"),
        ("shape", "i4"),  # RATE: STEPS, LINEAR or DIURNAL
        ("users", "i8"),  # CLOSED
        ("think", "i4"),  # CLOSED: think time; sessions: gap (distribution, ns)
        ("session_requests", "i4"),  # distribution of the count
        ("patience", "i4"),  # distribution (ns); -1: for ever
        ("reuse", "f8"),  # sessions: chance that a request is about what one of the last was about
        ("reuse_window", "i4"),
        ("name", "u8"),
        ("tenant", "u8"),
        ("of", "i4"),  # row of the tenant
        ("account", "i4"),  # what it uses is written down to: its tenant's for its entry endpoint
    ]
)
#: In the order of their names.
TENANTS = np.dtype([("weight", "f8"), ("priority", "i4")])
#: RATE: from when, events per ns (DIURNAL: period and mean, then time and rate of the peak);
#: MMPP: mean stay, events per ns; TRACE: times.
POINTS = np.dtype([("at_ns", "i8"), ("value", "f8")])

# -- distributions ---------------------------------------------------------------------------------------------
(
    D_CONSTANT,
    D_EXP,
    D_LOGNORMAL,
    D_GAMMA,
    D_ERLANG,
    D_HYPEREXP,
    D_PARETO,
    D_WEIBULL,
    D_UNIFORM,
    D_GEOMETRIC,
    D_EMPIRICAL,
    D_MIXTURE,
    D_ZIPF,
) = range(13)

DISTRIBUTIONS = np.dtype(
    [
        ("kind", "i4"),
        ("first", "i4"),  # EMPIRICAL: first value; MIXTURE: first part in `table` (pairs: cumulative weight, number)
        ("n", "i4"),
        ("p0", "f8"),
        ("p1", "f8"),
        ("p2", "f8"),
        ("always", "i8"),  # CONSTANT: what every draw is rounded to; else -1
    ]
)


@dataclass(frozen=True, slots=True)
class Program:
    """A whole Plane as arrays, and the names that results need.

    The peer of replica number i of a service is number i of the proxy beside it, and the instance on node n of a
    service that has one a node is its number n: nothing is stored for that.

    Attributes
    ----------
    instructions, calls, targets
        What endpoints do; dtypes above.
    services, replicas, versions, endpoints, entries, views
        Where they do it. ``entries`` (int32) holds the first instruction of an endpoint for each version.
    streams, tenants, points
        Traffic, sorted by stream name, and whose it is, by name.
    distributions, table
        Parameters in base units of their use (nanoseconds, bytes, counts), and the numbers that some of them need.
    network
        Six distributions: loopback, same node, same zone, cross zone, client, inside (none).
    falls
        How proxies' CPU falls with the rate of messages.
    policies, limits, shares, takes
        What enforcers do; dtypes above. ``takes`` (uint8) has a row of all streams for each case, ``shards``
        (uint8) a row of replicas for each stream of a service whose replicas are not for everybody.
    rings, ring_at, ring_host
        Tables of consistent hashing.
    keys
        (streams, dimensions) of KEYS.
    traced_keys, traced_bytes
        What requests of traces were about (uint64), and how large that was (int64; nothing if nobody asks).
    caches, parts, cache_names
        Caches, ``service.name`` of each, and the numbers (int32) of the dimensions that make up keys of theirs.
    dimensions
        (dimensions,) uint64: hashes of their names.
    depth
        Longest chain of calls that is allowed, proxies not counted.
    calls_at
        Rows of `calls` by address in the topology, ``service.endpoint.step``; several where versions have the step.
    """

    instructions: npt.NDArray[np.void]
    calls: npt.NDArray[np.void]
    targets: npt.NDArray[np.void]
    services: npt.NDArray[np.void]
    replicas: npt.NDArray[np.void]
    versions: npt.NDArray[np.void]
    endpoints: npt.NDArray[np.void]
    entries: npt.NDArray[np.int32]
    views: npt.NDArray[np.void]
    streams: npt.NDArray[np.void]
    tenants: npt.NDArray[np.void]
    points: npt.NDArray[np.void]
    distributions: npt.NDArray[np.void]
    table: npt.NDArray[np.float64]
    falls: npt.NDArray[np.void]
    policies: npt.NDArray[np.void]
    limits: npt.NDArray[np.void]
    shares: npt.NDArray[np.float64]
    takes: npt.NDArray[np.uint8]
    shards: npt.NDArray[np.uint8]
    rings: npt.NDArray[np.void]
    ring_at: npt.NDArray[np.uint64]
    ring_host: npt.NDArray[np.int32]
    caches: npt.NDArray[np.void]
    parts: npt.NDArray[np.int32]
    keys: npt.NDArray[np.void]
    traced_keys: npt.NDArray[np.uint64]
    traced_bytes: npt.NDArray[np.int64]
    dimensions: npt.NDArray[np.uint64]
    network: npt.NDArray[np.int32]  # distributions are not repeated: places of equal delay have the same number
    depth: int
    calls_at: Mapping[str, tuple[int, ...]]
    service_names: tuple[str, ...]
    endpoint_names: tuple[str, ...]  # 'service.endpoint'
    stream_names: tuple[str, ...]
    cache_names: tuple[str, ...]  # 'service.cache'

    @property
    def accounts(self) -> int:
        """How many accounts streams write down their use to."""
        return int(self.streams["account"].max(initial=0)) + 1
