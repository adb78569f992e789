"""The kernel's memory: one NamedTuple of flat tables, how it is made from a Program and how it grows.

Everything that a run knows is in these arrays, so that a copy of them is a snapshot. No function of the kernel
allocates: before each step it checks that there is room for all that one step can ask for, and otherwise returns to
Python, which makes the table that was full twice as long (`grow`) and calls again.
"""

from __future__ import annotations

import math
import mmap
from typing import Any, NamedTuple

import numpy as np
import numpy.typing as npt
from numba import config

from meshsim.engines import program as p
from meshsim.engines.arrivals import ARRIVAL_STATE
from meshsim.engines.buckets import COARSE_BUCKETS, FINE_BUCKETS
from meshsim.engines.order import NEVER_NS
from meshsim.engines.program import Program
from meshsim.engines.record import BATCHES, OCCUPANCY_BINS, OUTCOMES, REQUESTS, SERVICE_COUNTERS, SPANS
from meshsim.engines.sharing import fifo_servers
from meshsim.errors import InternalError

NONE = -1

#: What `advance` returns.
DONE, PAUSED, GROW, EVENT_BUDGET, TIME_WENT_BACK, TIME_STANDS_STILL, TOO_DEEP, TOO_MANY_FRAMES, TOO_MANY_REQUESTS = (
    range(9)
)

_CACHE_LINE = 64  # bytes, of all present x86 and most Arm processors


def _in_lines(*lines: list[tuple[str, str]]) -> np.dtype[Any]:
    """A row whose groups of fields begin at lines of the cache."""
    names, formats, offsets = [], [], []
    for number, fields in enumerate(lines):
        at = number * _CACHE_LINE
        for name, kind in fields:
            names.append(name)
            formats.append(kind)
            offsets.append(at)
            at += np.dtype(kind).itemsize
        assert at <= (number + 1) * _CACHE_LINE
    size = len(lines) * _CACHE_LINE
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
        ("first_count", "i8"),  # where the outstanding counters begin in `seen`
        ("culprit", "i8"),  # frame or call that met a limit
        ("scalings", "i8"),  # changes of replicas written
        ("full", "i8"),  # which table GROW is about
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
        ("due_ns", "i8"),  # when its message arrives, while it is in a lane
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
    ],
)
#: What only enforcers and their tries need, a row a frame.
FORWARDS = np.dtype(
    [
        ("limit_ns", "i8"),  # overall, of an enforcer
        ("tried", "i8"),  # a bit for each replica that an enforcer has tried
        ("retry_ns", "i8"),  # when it has backed off; NONE: it does not
        ("last_group", "i4"),  # of an enforcer: the group of its last try
        ("host", "i4"),  # of a try
        ("choices", "i4"),  # replicas that there were to choose from
        ("holds_retry", "i1"),  # one of the group's retries under way is this enforcer's
        ("backing_off", "i1"),
    ],
)
RPC, FORKED, DETACHED = range(3)
WITH_TLS = 2  # `fresh`: 0 for a connection that was open, 1 for a new one, this for a new one with TLS
#: What a frame waits for; a try may wait for a connection, and for its turn when it has got one.
IDLE, IN_LINE, ON_CPU, WORKED, WAITING, AWAITING, JOINING, ENDED = range(8)
FORWARDING, PENDING, GRANTED, TURNED_AWAY = range(8, 12)
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

LIVE_REQUESTS = np.dtype(
    [
        ("number", "i8"),
        ("user", "i8"),
        ("ordinal", "i8"),
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
STATIONS = np.dtype([("held", "i4"), ("waiting", "i4"), ("first", "i4"), ("last", "i4")])
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
        ("service", "i4"),
        ("discipline", "i4"),
        ("servers", "i4"),
        ("jobs", "i4"),  # at work (FIFO, LIFO) or present (PS, unlimited)
        ("first", "i4"),  # line; PS: root of the pairing heap
        ("last", "i4"),
    ]
)
METERS = np.dtype([("present", "i8"), ("slots", "i8"), ("replicas", "i8"), ("since_ns", "i8")])
SCALINGS = np.dtype([("before", "i4"), ("replicas", "i4"), ("next", "i4")])  # changes of a service, oldest first
LANES = np.dtype([("time", "i8"), ("key", "i8"), ("first", "i4"), ("last", "i4")])  # time and key: of the head
TIMERS = np.dtype([("first", "i4"), ("last", "i4"), ("armed", "i4")])
LATENCY, LATENCY_ALL, TRIES = range(len(OUTCOMES), len(OUTCOMES) + 3)  # sums that stand behind the counts of outcomes
UNLIMITED = 3  # discipline of a queue that has as many cores as jobs


class Kernel(NamedTuple):
    """All tables; the first part is the Program, of which controllers may change calls, services and versions."""

    calls: Any
    services: Any
    versions: Any
    instructions: Any
    targets: Any
    replicas: Any
    endpoints: Any
    entries: Any
    views: Any
    streams: Any
    points: Any
    distributions: Any
    table: Any
    policies: Any
    limits: Any
    shares: Any
    takes: Any
    zone_callers: Any
    keys: Any
    dimensions: Any
    network: Any
    rings: Any  # of consistent hashing, made anew when a service is scaled
    ring_at: Any
    ring_host: Any
    scalars: Any
    heap: Any
    lane_of: Any  # each place of the network; NONE: its delay is random
    lanes: Any
    ready: Any
    frames: Any
    forwards: Any
    live: Any
    users: Any
    stations: Any
    queues: Any
    meters: Any
    scalings: Any
    timers: Any
    hosts: Any
    groups: Any
    buckets: Any  # of tokens: when each would have been empty, had it only filled since
    seen: Any  # round robin cursors, and from `first_count` on the outstanding counters of all views
    arrival_states: Any
    counts: Any  # (streams, batches + 1, outcomes, then sums of latency and tries)
    seen_latencies: Any  # (streams, coarse buckets): successes of the whole run, for whoever watches it
    histogram: Any  # (2, streams, batches, buckets): successes, failures
    counters: Any  # (batches + 1, services): a batch at a time is written to
    service_histogram: Any  # (batches, services, coarse buckets)
    occupancy: Any
    rows: Any
    spans: Any


def _table(n: int, dtype: np.dtype[Any]) -> npt.NDArray[np.void]:
    """Zeros that begin at a line of the cache."""
    size = max(n, 1) * dtype.itemsize
    memory = np.zeros(size + _CACHE_LINE, dtype=np.uint8)
    first = -memory.ctypes.data % _CACHE_LINE
    return memory[first : first + size].view(dtype)


def sparse_zeros(shape: tuple[int, ...]) -> npt.NDArray[np.uint32]:
    """Zeros that take memory a small page at a time, when they are written to.

    Numpy would ask for pages of 2 MiB, each of which is cleared as a whole for the first number in it.
    """
    size = math.prod(shape)
    private = {"flags": mmap.MAP_PRIVATE | mmap.MAP_ANONYMOUS} if hasattr(mmap, "MAP_ANONYMOUS") else {}
    return np.frombuffer(mmap.mmap(-1, 4 * max(size, 1), **private), dtype=np.uint32)[:size].reshape(shape)


def shared(array: npt.NDArray[Any]) -> npt.NDArray[Any]:
    """Give a table of the Program as the kernel takes it: never empty and always read-only, so of one type."""
    if not len(array):
        array = np.zeros((1, *array.shape[1:]), dtype=array.dtype)
    array.flags.writeable = False
    return array


_CHANGEABLE = ("calls", "services", "versions")
_OF_PROGRAM = (
    "instructions",
    "targets",
    "replicas",
    "endpoints",
    "entries",
    "views",
    "streams",
    "points",
    "distributions",
    "table",
    "policies",
    "limits",
    "shares",
    "takes",
    "zone_callers",
    "keys",
    "dimensions",
    "network",
    "rings",
    "ring_at",
    "ring_host",
)


def allocate(program: Program) -> Kernel:
    """Make the tables of a run, all zero but for the lists."""
    services, streams = len(program.services), len(program.streams)
    views = program.views
    cursors = int((views["callers"] * program.services["versions"][views["among"]]).sum())
    counters = int((views["callers"] * program.services["most"][views["among"]]).sum())
    threads = np.maximum(program.services["threads"][program.replicas["service"]], 1)
    lane_of = _lanes(program)
    of_program: dict[str, Any] = {name: shared(getattr(program, name)) for name in _OF_PROGRAM}
    own: dict[str, Any] = {name: _own(getattr(program, name)) for name in _CHANGEABLE}
    kernel = Kernel(
        **own,
        **of_program,
        scalars=_table(1, SCALARS),
        heap=_table(1024, HEAP),
        lane_of=lane_of,
        lanes=_table(int(lane_of.max()) + 1, LANES),
        ready=_table(256, READY),
        frames=_table(256, FRAMES),
        forwards=_table(256, FORWARDS),
        live=_table(64, LIVE_REQUESTS),
        users=_table(64, USERS),
        stations=_table(len(program.replicas), STATIONS),
        queues=_table(int(threads.sum()), QUEUES),
        meters=_table(services, METERS),
        scalings=_table(1, SCALINGS),
        timers=_table(len(program.calls) + len(program.policies), TIMERS),
        hosts=_table(_rows_of_hosts(program), HOSTS),
        groups=_table(_rows_of_groups(program), GROUPS),
        buckets=np.full(_rows_of_buckets(program) + 1, -NEVER_NS, dtype=np.int64),
        seen=np.concatenate([np.full(cursors, NONE, dtype=np.int32), np.zeros(counters + 1, dtype=np.int32)]),
        arrival_states=_table(streams, ARRIVAL_STATE),
        counts=np.zeros((streams, BATCHES + 1, len(OUTCOMES) + 3), dtype=np.int64),
        seen_latencies=np.zeros((streams, COARSE_BUCKETS), dtype=np.uint32),
        histogram=sparse_zeros((2, streams, BATCHES, FINE_BUCKETS)),
        counters=np.zeros((BATCHES + 1, services), dtype=SERVICE_COUNTERS),
        service_histogram=sparse_zeros((BATCHES, services, COARSE_BUCKETS)),
        occupancy=np.zeros(OCCUPANCY_BINS, dtype=np.int64),
        rows=_table(1, REQUESTS),
        spans=_table(1, SPANS),
    )
    _fill_lists(kernel, program)
    return kernel


def _own(array: npt.NDArray[Any]) -> npt.NDArray[Any]:
    """Copy a table of the Program that a run may change; never empty."""
    table = _table(len(array), array.dtype)
    table[: len(array)] = array
    return table


def copy_of(kernel: Kernel) -> Kernel:
    """Copy all that a run writes to; what it only reads is shared."""
    fresh: dict[str, Any] = {}
    for name, array in kernel._asdict().items():
        if name in _OF_PROGRAM or name == "lane_of":
            continue
        fresh[name] = _sparse_copy(array) if name in ("histogram", "service_histogram") else _copy(array)
    return kernel._replace(**fresh)


def _copy(array: npt.NDArray[Any]) -> npt.NDArray[Any]:
    if not array.dtype.names or array.ndim > 1:
        return array.copy()
    table = _table(len(array), array.dtype)
    table[:] = array
    return table


def _sparse_copy(array: npt.NDArray[np.uint32]) -> npt.NDArray[np.uint32]:
    """Copy the rows that have something in them, so that the rest goes on taking no memory."""
    fresh = sparse_zeros(array.shape)
    rows, to = array.reshape(-1, array.shape[-1]), fresh.reshape(-1, array.shape[-1])
    for number in np.flatnonzero(rows.any(axis=1)):
        used = np.flatnonzero(rows[number])
        to[number, used] = rows[number, used]
    return fresh


def _lanes(program: Program) -> npt.NDArray[np.int32]:
    """Number the constant delays of the network."""
    numbers: dict[int, int] = {}
    for one in program.network.tolist():
        if program.distributions["always"][one] >= 0:
            numbers.setdefault(one, len(numbers))
    return np.array([numbers.get(one, NONE) for one in program.network.tolist()], dtype=np.int32)


def _fill_lists(kernel: Kernel, program: Program) -> None:
    scalars = kernel.scalars[0]
    for name in ("frame", "request", "user"):
        table = {"frame": kernel.frames, "request": kernel.live, "user": kernel.users}[name]
        table["next"] = np.arange(1, len(table) + 1)
        table["next"][-1] = NONE
        scalars[f"free_{name}"] = 0
        scalars[f"free_{name}s"] = len(table)
    kernel.live["number"] = NONE
    kernel.frames["number"] = NONE
    kernel.lanes["time"] = kernel.lanes["key"] = NEVER_NS
    for lists in (kernel.lanes, kernel.stations, kernel.queues, kernel.timers, kernel.hosts):
        lists["first"] = NONE
        lists["last"] = NONE
    kernel.meters["replicas"][: len(program.services)] = program.services["replicas"]
    for replica in program.replicas:
        service = program.services[replica["service"]]
        for thread in range(max(int(service["threads"]), 1)):
            queue = kernel.queues[int(replica["first_queue"]) + thread]
            queue["service"] = replica["service"]
            queue["cores"] = replica["cores"]
            queue["discipline"] = service["discipline"] if replica["cores"] else UNLIMITED
            queue["servers"] = fifo_servers(float(replica["cores"]))
            queue["speed"] = replica["cores"] / max(int(queue["servers"]), 1)
            queue["end_ns"] = NONE
            queue["slow"] = 1.0
    _fill_groups(kernel, program)
    scalars["depth"] = program.depth
    scalars["zones"] = 1 + int(program.replicas["zone"].max())
    scalars["deadlines"] = int(program.calls["deadline"].any())
    scalars["first_count"] = int(
        (program.views["callers"] * program.services["versions"][program.views["among"]]).sum()
    )
    scalars["step"] = _most_of_a_step(program)


def _tracked(program: Program) -> npt.NDArray[np.void]:
    return program.views[program.views["tracked"] == 1]


def _rows_of_hosts(program: Program) -> int:
    views = _tracked(program)
    return int((views["callers"] * program.services["most"][views["among"]]).sum())


def _rows_of_groups(program: Program) -> int:
    views = _tracked(program)
    return int((views["callers"] * program.services["versions"][views["among"]]).sum())


def _rows_of_buckets(program: Program) -> int:
    """One for all instances, or one for each: a limit's rows are followed by those of the next one."""
    most = int(program.services["most"].max())
    return int((program.limits["first"] + np.where(program.limits["shared"], 1, most)).max(initial=0))


def _fill_groups(kernel: Kernel, program: Program) -> None:
    for number in np.flatnonzero(program.views["tracked"]):
        view = program.views[number]
        service = program.services[view["among"]]
        for mine in range(int(view["callers"])):
            for version in range(int(service["versions"])):
                row = program.versions[int(service["first_version"]) + version]
                first, n = (int(row["first_replica"]), int(row["replicas"])) if view["split"] else (0, service["most"])
                group = kernel.groups[int(view["first_group"]) + mine * int(service["versions"]) + version]
                group["return_ns"] = NEVER_NS
                group["of_view"] = number
                group["first_host"] = int(view["first_host"]) + mine * int(service["most"]) + first
                group["hosts"] = n
                group["service"] = view["caller"]


def _most_of_a_step(program: Program) -> int:
    """Frames that a frame may begin without having to wait in between: its branches and asynchronous calls, once each.

    A frame runs forwards through its code, so the number of such instructions in the whole program is enough.
    """
    forks = program.instructions["op"] == p.FORK
    asynchronous = program.calls["asynchronous"][program.instructions["a"][program.instructions["op"] == p.CALL]]
    mirrors = program.instructions["op"] == p.DETACH
    return int(program.instructions["b"][forks].sum() + asynchronous.sum() + mirrors.sum()) + 8


#: Tables that grow, by their number in `SCALARS.full`.
GROWING = ("heap", "ready", "frames", "live", "users", "rows", "spans", "scalings")
HEAP_TABLE, READY_TABLE, FRAME_TABLE, LIVE_TABLE, USER_TABLE, ROW_TABLE, SPAN_TABLE, SCALING_TABLE = range(8)


def grow(kernel: Kernel, number: int) -> Kernel:
    """Make a table longer, at least twice, and by enough for one step."""
    name = GROWING[number]
    old = getattr(kernel, name)
    scalars = kernel.scalars[0]
    length = len(old) + max(len(old), 2 * int(scalars["step"] + scalars["arrivals"]))
    new = _table(length, old.dtype)
    if name == "ready":  # a ring: unroll it
        first, count = int(scalars["ready"]), int(scalars["readies"])
        new[:count] = np.take(old, np.arange(first, first + count), mode="wrap")
        scalars["ready"] = 0
    else:
        new[: len(old)] = old
    if name == "frames":
        forwards = _table(length, FORWARDS)
        forwards[: len(old)] = kernel.forwards
        kernel = kernel._replace(forwards=forwards)
    free = {"frames": "frame", "live": "request", "users": "user"}.get(name)
    if free:
        new["next"][len(old) :] = np.arange(len(old) + 1, length + 1)
        new["next"][-1] = scalars[f"free_{free}"]
        if name != "users":
            new["number"][len(old) :] = NONE
        scalars[f"free_{free}"] = len(old)
        scalars[f"free_{free}s"] += length - len(old)
    return kernel._replace(**{name: new})


class _Table(np.recarray[Any, Any]):
    """A table as compiled code sees it: fields are attributes, and nothing is counted from the end."""

    def __getitem__(self, index: Any) -> Any:
        _refuse_negative(index)
        return super().__getitem__(index)

    def __setitem__(self, index: Any, value: Any) -> None:
        _refuse_negative(index)
        super().__setitem__(index, value)


def _refuse_negative(index: Any) -> None:
    for one in index if isinstance(index, tuple) else (index,):
        if not isinstance(one, str) and one < 0:
            raise InternalError(f"an index of the kernel is {one}: compiled code would read what lies before the table")


def for_kernel(kernel: Kernel) -> Kernel:
    """Give the tables as compiled code takes them; without the compiler, as it sees them."""
    if not config.DISABLE_JIT:  # type: ignore[attr-defined]
        return kernel
    return Kernel(*(array.view(_Table) for array in kernel))
