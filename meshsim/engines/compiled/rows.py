"""What the rows of the kernel's tables are made of, and the numbers that stand in them."""

from __future__ import annotations

from typing import Any

import numpy as np

from meshsim.engines.record import OUTCOMES

NONE = -1

#: What `advance` returns.
DONE, PAUSED, GROW, EVENT_BUDGET, TIME_WENT_BACK, TIME_STANDS_STILL, TOO_DEEP, TOO_MANY_FRAMES, TOO_MANY_REQUESTS = (
    range(9)
)
CRASHED = 9  # a replica goes down

CACHE_LINE = 64  # bytes, of all present x86 and most Arm processors


def _in_lines(*lines: list[tuple[str, str]]) -> np.dtype[Any]:
    """A row whose groups of fields begin at lines of the cache."""
    names, formats, offsets = [], [], []
    for number, fields in enumerate(lines):
        at = number * CACHE_LINE
        for name, kind in fields:
            names.append(name)
            formats.append(kind)
            offsets.append(at)
            at += np.dtype(kind).itemsize
        assert at <= (number + 1) * CACHE_LINE
    size = len(lines) * CACHE_LINE
    return np.dtype({"names": names, "formats": formats, "offsets": offsets, "itemsize": size})


SCALARS = np.dtype(
    [
        ("now_ns", "i8"),
        ("duration_ns", "i8"),
        ("limit_ns", "i8"),  # no event later than this is handled
        ("batch", "i8"),
        ("edge_ns", "i8"),  # where the next batch begins
        ("run", "u8"),  # key of the run, of its branch once it has branched
        ("origin", "u8"),  # key of the run before it branched: where connections lead stays as it is
        ("sample_share", "f8"),
        ("record_requests", "i8"),
        ("requests", "i8"),  # numbers given
        ("pending", "i8"),  # counted requests without an answer
        ("present", "i8"),  # requests in the plane
        ("bin", "i8"),  # of occupancy
        ("since_ns", "i8"),  # occupancy settled up to here
        ("heap", "i8"),  # entries
        ("ready", "i8"),  # first of the ring
        ("readies", "i8"),  # how many are in it
        ("free_frame", "i8"),  # head of the free list
        ("free_frames", "i8"),  # how many are free
        ("free_request", "i8"),
        ("free_requests", "i8"),
        ("free_user", "i8"),
        ("free_users", "i8"),
        ("rows", "i8"),  # rows of requests written
        ("spans", "i8"),
        ("events", "i8"),
        ("budget", "i8"),  # events that may be handled
        ("before", "i8"),  # events handled before the present instant
        ("step", "i8"),  # frames (and entries of heap and ring) that one step may take
        ("arrivals", "i8"),  # requests that the coming arrival event will bring at most
        ("depth", "i8"),
        ("zones", "i8"),
        ("deadlines", "i8"),  # 1 if any travel with requests
        ("writes", "i8"),  # 1 if caches can be outdated
        ("first_count", "i8"),  # where the outstanding counters begin in `seen`
        ("culprit", "i8"),  # frame or call that met a limit
        ("least_bucket", "i8"),  # of the latencies so far: whoever reads the histogram touches no more of it
        ("most_bucket", "i8"),
        ("impaired", "i8"),  # 1 if `impairments` or `cuts` say anything
        ("linked", "i8"),  # 1 if any service has links of limited bandwidth
        ("crashed", "i8"),  # replica that CRASHED is about
        ("crashing", "i8"),  # replicas in the line of consequences that are to go down
        ("scalings", "i8"),  # changes of replicas written
        ("full", "i8"),  # which table GROW is about
        ("free_fetch", "i8"),
        ("free_fetches", "i8"),
        ("waiting", "i8"),  # frames that wait for what others fetch: one step may wake them all
        ("tight", "i8"),  # 1: stores or fetches need more rows
        ("kept", "i8"),  # rows that stores have been given
        ("places", "i8"),
    ]
)

HEAP = np.dtype([("time", "i8"), ("key", "i8"), ("what", "i4"), ("who", "i4")])
READY = np.dtype([("what", "i4"), ("who", "i4"), ("generation", "i8")])

#: One exchange and the frame that serves it, or a branch of a frame. In lines of the cache: a large plane has thousands
#: of live frames, and what one event asks for is in one or two of the four lines.
FRAMES = _in_lines(
    [
        ("number", "i8"),  # of the request
        ("generation", "i8"),  # goes up when the record is freed
        ("due_ns", "i8"),  # when its message arrives, while in a lane; on cores that stand still, what is left to do
        ("request", "i4"),
        ("serial", "i4"),
        ("parent", "i4"),  # calling frame (or forking frame); NONE: a client, or nobody any more
        ("call", "i4"),  # that this frame answers
        ("replica", "i4"),
        ("pc", "i4"),
        ("span", "i4"),
        ("group", "i4"),  # of a try: what its enforcer remembers of the upstream; NONE: nothing
        ("kind", "i1"),  # RPC, FORKED, DETACHED
        ("state", "i1"),
        ("open", "i1"),  # the caller still waits
        ("fresh", "i1"),
        ("answer", "i1"),
        ("result", "i1"),  # of the repeats so far
        ("outcome", "i1"),  # of the exchange, on its way back; of the join, once decided
        ("degraded", "i1"),  # join
    ],
    [
        ("key", "u8"),
        ("reached_ns", "i8"),
        ("demand_ns", "i8"),
        ("began_ns", "i8"),  # when the present CPU demand was placed
        ("next", "i4"),  # in a lane, the line for a slot or a CPU, the pairing heap of a PS queue, the free list
        ("prev", "i4"),
        ("queue", "i4"),
        ("origin", "i4"),  # replica of the caller; NONE: a client
        ("carried", "i4"),
        ("counted", "i4"),
        ("child", "i4"),  # exchange that it waits for
        ("depth", "i4"),
    ],
    [
        ("delay_ns", "i8"),
        ("expires_ns", "i8"),  # of the try's timer
        ("finish", "f8"),  # on the clock of a PS queue
        ("request_bytes", "i8"),
        ("response_bytes", "i8"),
        ("heap_child", "i4"),
        ("later", "i4"),  # list of timers
        ("earlier", "i4"),
        ("calling", "i4"),  # call that it makes
        ("attempt", "i4"),
        ("fetch", "i4"),  # innermost thing that it is getting for a cache; NONE
    ],
    [
        ("turn", "i8"),  # which repeat of the call that the frame makes
        ("times", "i8"),
        ("missing", "i4"),  # join: successes still needed
        ("spare", "i4"),  # join: failures still allowed
        ("fork", "i4"),  # instruction of the join
        ("first", "i4"),  # live branches, in the order in which they began
        ("last", "i4"),
        ("sibling", "i4"),  # next live branch of the same fork
        ("elder", "i4"),  # the one before
        ("deadline_ns", "i8"),  # that came with the request
        ("list", "i4"),  # of timers that the try's is in; NONE: it is in the heap
        ("aside", "i8"),  # at each miss, innermost last, a bit: it was degraded before
    ],
)
#: What few frames need, most of them enforcers and their tries; a row a frame.
FORWARDS = np.dtype(
    [
        ("limit_ns", "i8"),  # overall, of an enforcer
        ("tried", "i8"),  # a bit for each replica that an enforcer has tried
        (
            "outdated_ns",
            "i8",
        ),  # of any frame: first write that what it has got does not know of; NONE (if there are writes)
        ("gap_ns", "i8"),  # of a message's frame: how long after the one before it came, where that matters
        ("retry_ns", "i8"),  # when it has backed off; NONE: it does not
        ("last_group", "i4"),  # of an enforcer: the group of its last try
        ("host", "i4"),  # of a try
        ("choices", "i4"),  # replicas that there were to choose from
        ("holds_retry", "i1"),  # one of the group's retries under way is this enforcer's
        ("backing_off", "i1"),
        ("is_blamed", "i1"),  # outlier detection knows that the try took too long
    ],
)
RPC, FORKED, DETACHED, RENEWING = range(4)  # the last one gets for a cache what is stale there
WITH_TLS = 2  # `fresh`: 0 for a connection that was open, 1 for a new one, this for a new one with TLS
#: What a frame waits for; a try may wait for a connection, and for its turn when it has got one.
IDLE, IN_LINE, ON_CPU, WORKED, WAITING, AWAITING, JOINING, ENDED = range(8)
FORWARDING, PENDING, GRANTED, TURNED_AWAY = range(8, 12)
FETCHING = 12  # another frame gets it for a cache
LOST = 13  # its replica is silent, or the message was lost; the record stays until its caller gives up
NOWHERE = 14  # of a try: there is no replica to send it to
CRASHING = 15  # its replica goes down at its hands
#: States of frames that a replica has, between events: not on their way to it, nor back.
AT_WORK = (IN_LINE, ON_CPU, WAITING, AWAITING, JOINING, FORWARDING, FETCHING, CRASHING)
TRIED_BITS = 62  # a request remembers the replicas that it has tried by their numbers modulo this

#: One replica of an upstream, and an upstream (or a version of it), as one enforcer sees them.
HOSTS = np.dtype(
    [
        ("until_ns", "i8"),  # ejected until then
        ("multiplier", "i4"),  # of the next ejection, before it falls with time
        ("row_5xx", "i4"),  # failures in a row
        ("row_gateway", "i4"),
        ("row_local", "i4"),
        ("open", "i4"),  # connections
        ("busy", "i4"),
        ("first", "i4"),  # tries that wait for a connection
        ("last", "i4"),
    ]
)
GROUPS = np.dtype(
    [
        ("return_ns", "i8"),  # when the next ejected replica returns
        ("active", "i4"),  # tries that have a connection
        ("pending", "i4"),
        ("connections", "i4"),
        ("retries", "i4"),  # from the decision to the answer
        ("ejected", "i4"),
        ("of_view", "i4"),
        ("first_host", "i4"),
        ("hosts", "i4"),
        ("service", "i4"),  # of the enforcer
    ]
)

#: A cache of one replica. Its entries are rows first, first + 1 … of `kept`; links are numbers among these.
STORES = np.dtype(
    [
        ("bytes", "i8"),
        ("name", "u8"),  # keys its draws
        ("evicted", "i8"),  # draws so far
        ("cache", "i4"),
        ("first", "i4"),
        ("slots", "i4"),  # rows that it has
        ("margin", "i4"),  # of these, one step may take so many
        ("entries", "i4"),
        ("began", "i4"),  # rows that were ever used
        ("free", "i4"),  # list of those that are not any more
        ("first_place", "i4"),
        ("mask", "i4"),  # places, a power of two, less one
        ("oldest", "i4"),
        ("youngest", "i4"),
        ("hand", "i4"),  # SIEVE
        ("least", "i4"),  # LFU: the least count of uses
        ("free_count", "i4"),
        ("first_fetch", "i4"),
        ("last_fetch", "i4"),
    ]
)
ENTRIES = np.dtype(
    [
        ("key", "u8"),
        ("expires_ns", "i8"),
        ("outdated_ns", "i8"),  # when there was a write since it was got; NONE
        ("object_bytes", "i8"),
        ("older", "i4"),
        ("younger", "i4"),  # and the list of free rows
        ("uses", "i4"),  # LFU: row of its count; SIEVE: 1 if it was hit since the hand passed
        ("stream", "i4"),  # that filled it
        ("outcome", "i1"),
        ("is_renewed", "i1"),  # somebody is just fetching it anew
    ]
)
#: LFU: counts of uses that entries have, in order.
USES = np.dtype([("count", "i8"), ("oldest", "i4"), ("youngest", "i4"), ("less", "i4"), ("more", "i4")])
FETCHES = np.dtype(
    [
        ("key", "u8"),
        ("outdated_ns", "i8"),  # when there was a write since it began; NONE
        ("aside_ns", "i8"),  # what its frame had got before that was outdated; NONE
        ("store", "i4"),
        ("frame", "i4"),
        ("within", "i4"),  # the fetch of this frame around it
        ("earlier", "i4"),  # of the store
        ("later", "i4"),  # and the free list
        ("first", "i4"),  # frames that wait
        ("last", "i4"),
    ]
)
HELD = np.dtype([("entries", "i8"), ("bytes", "i8"), ("since_ns", "i8")])  # of one cache, filled by one stream

LIVE_REQUESTS = np.dtype(
    [
        ("number", "i8"),
        ("user", "i8"),
        ("ordinal", "i8"),
        ("turn", "i8"),  # how many requests of its stream arrived before it
        ("arrival_ns", "i8"),
        ("end_ns", "i8"),
        ("key", "u8"),
        ("path", "u8"),
        ("stream", "i4"),
        ("serials", "i4"),
        ("tries", "i4"),
        ("batch", "i4"),
        ("frames", "i4"),  # records that still belong to it
        ("sampled", "i4"),
        ("next", "i4"),  # free list
    ]
)
USERS = np.dtype([("user", "i8"), ("ordinal", "i8"), ("stream", "i4"), ("next", "i4")])
STATIONS = np.dtype(
    [
        ("held", "i4"),
        ("waiting", "i4"),
        ("first", "i4"),
        ("last", "i4"),
        ("line", "i4"),  # where tenants wait apart: row of SHARED_LINES; NONE: all in one line
        ("condition", "i4"),
        ("failed", "i4"),  # messages answered since the run began, those that failed
        ("answered", "i8"),  # and the others
        ("buffered", "i8"),  # bytes of the messages that are there and of their answers, where they are limited
        ("link_free_ns", "i8"),  # when everything will have been sent
        ("reached_ns", "i8"),  # by the last message, where that matters
    ]
)
#: What the network does to messages from and to a replica, and a fault of its disks to its waits.
IMPAIRMENTS = np.dtype([("delay_ns", "i8"), ("loss", "f8"), ("slow_waits", "f8")])
QUEUES = np.dtype(
    [
        ("clock", "f8"),
        ("clock_ns", "i8"),  # when the clock was read last
        ("since_ns", "i8"),  # busy cores settled up to here
        ("end_ns", "i8"),  # PS: the completion that is expected
        ("end_key", "i8"),
        ("cores", "f8"),
        ("speed", "f8"),  # FIFO, LIFO: of one server, in cores
        ("slow", "f8"),  # factor on demands
        ("busy_ns", "f8"),  # integral of busy cores
        ("service", "i4"),
        ("discipline", "i4"),
        ("servers", "i4"),
        ("jobs", "i4"),  # at work (FIFO, LIFO) or present (PS, unlimited)
        ("first", "i4"),  # line; PS: root of the pairing heap
        ("last", "i4"),
        ("line", "i4"),  # where tenants wait apart: row of SHARED_LINES; NONE: all in one line
        ("frozen", "i4"),  # 1: its cores stand still
    ]
)
#: A line for a CPU or a slot in which tenants wait apart, and each tenant's place in it.
SHARED_LINES = np.dtype([("clock", "f8"), ("came", "i8"), ("order", "i4")])
TENANT_LINES = np.dtype([("tag", "f8"), ("finish", "f8"), ("first", "i4"), ("last", "i4")])
METERS = np.dtype([("present", "i8"), ("slots", "i8"), ("replicas", "i8"), ("working", "i8"), ("since_ns", "i8")])
SCALINGS = np.dtype([("before", "i4"), ("replicas", "i4"), ("next", "i4")])  # changes of a service, oldest first
LANES = np.dtype([("time", "i8"), ("key", "i8"), ("first", "i4"), ("last", "i4")])  # time and key: of the head
TIMERS = np.dtype([("first", "i4"), ("last", "i4"), ("armed", "i4")])
LATENCY, LATENCY_ALL, TRIES = range(len(OUTCOMES), len(OUTCOMES) + 3)  # sums that stand behind the counts of outcomes
