"""The Program: a Plane packed into flat arrays. Both engines read this and nothing else.

Times are int64 nanoseconds, sizes bytes, hashes of names uint64. An index of -1 means "none".
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

# -- instructions ----------------------------------------------------------------------------------------------
END, WORK, WAIT, CALL, FORK, CHOOSE, JUMP, FAIL, PROXY_WORK, FORWARD = range(10)

INSTRUCTION = np.dtype(
    [
        ("op", "i4"),
        ("a", "i4"),  # WORK, WAIT, PROXY_WORK: distribution; CALL, FORWARD: call; FORK: first branch;
        #               CHOOSE: first option; JUMP: target; FAIL: outcome
        ("b", "i4"),  # FORK: branches; CHOOSE: options; PROXY_WORK: direction (0 request, 1 response)
        ("c", "i4"),  # FORK: how many must succeed
        ("p", "f8"),  # FAIL: probability; PROXY_WORK: nanoseconds per KiB
        ("d", "i8"),  # PROXY_WORK: handshake nanoseconds; FORK: 1 if branches that are not needed are stopped
        ("position", "u8"),  # hash of the step's address in the spec: keys its draws
    ]
)

# -- calls -----------------------------------------------------------------------------------------------------
BALANCE, CONNECTION, CARRIED, NO_PICK = range(4)
DEST, DEST_PEER, DEST_NODE, CALLER_PEER, CALLER_NODE = range(5)
RANDOM, ROUND_ROBIN, LEAST_REQUEST = range(3)

CALLS = np.dtype(
    [
        ("endpoint", "i4"),  # where the message goes
        ("service", "i4"),  # the service of that endpoint
        ("among", "i4"),  # of which service a replica is picked
        ("pick", "i1"),
        ("via", "i1"),
        ("balancer", "i1"),
        ("split", "i1"),  # draw the version first
        ("optional", "i1"),
        ("asynchronous", "i1"),
        ("cancellation", "i1"),
        ("tls", "i1"),
        ("loopback", "i1"),
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

#: Where a branch or an option begins; `upto` is the cumulative probability of an option.
TARGETS = np.dtype([("pc", "i4"), ("upto", "f8")])

# -- the plane -------------------------------------------------------------------------------------------------
PS, FIFO, LIFO = range(3)
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
        ("threads", "i4"),  # CPU queues of a replica; 0: no work ever waits
        ("concurrency", "i4"),  # -1: no limit
        ("queue", "i4"),  # -1: unbounded
        ("fault", "i4"),  # outcome that it answers to a share of messages, without any work
        ("fault_share", "f8"),
        ("name", "u8"),
    ]
)
REPLICAS = np.dtype(
    [
        ("service", "i4"),
        ("version", "i4"),  # within the service
        ("node", "i4"),
        ("zone", "i4"),
        ("first_queue", "i4"),  # its first CPU queue
        ("cores", "f8"),  # of one CPU queue; 0: unlimited
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
    ]
)

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
        ("name", "u8"),
    ]
)
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
) = range(12)

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
    streams, points
        Traffic, sorted by stream name.
    distributions, table
        Parameters in base units of their use (nanoseconds, bytes, counts), and the numbers that some of them need.
    network
        Five distributions: loopback, same node, same zone, cross zone, client.
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
    points: npt.NDArray[np.void]
    distributions: npt.NDArray[np.void]
    table: npt.NDArray[np.float64]
    network: npt.NDArray[np.int32]  # distributions are not repeated: places of equal delay have the same number
    depth: int
    calls_at: Mapping[str, tuple[int, ...]]
    service_names: tuple[str, ...]
    endpoint_names: tuple[str, ...]  # 'service.endpoint'
    stream_names: tuple[str, ...]
