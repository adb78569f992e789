"""The kernel's memory: one NamedTuple of flat tables.

Everything that a run knows is in these arrays, so that a copy of them is a snapshot.
"""

from __future__ import annotations

import math
import mmap
from typing import Any, NamedTuple

import numpy as np
import numpy.typing as npt
from numba import config

from meshsim.engines.compiled.by_address import Tables
from meshsim.engines.compiled.rows import CACHE_LINE
from meshsim.errors import InternalError


class Kernel(NamedTuple):
    """All tables; the first part is the Program, of which a run may change `CHANGEABLE`."""

    calls: Any
    replicas: Any
    services: Any
    versions: Any
    instructions: Any
    targets: Any
    endpoints: Any
    entries: Any
    views: Any
    streams: Any
    tenants: Any
    points: Any
    distributions: Any
    table: Any
    falls: Any
    policies: Any
    limits: Any
    shares: Any
    takes: Any
    shards: Any
    caches: Any
    parts: Any
    keys: Any
    traced_keys: Any
    traced_bytes: Any
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
    impairments: Any
    cuts: Any  # (zones * zones): 1 if nothing passes between two
    queues: Any
    shared_lines: Any
    tenant_lines: Any  # (lines, tenants)
    presence: Any  # (replicas, tenants): messages there, where a bulkhead counts them
    meters: Any
    scalings: Any
    timers: Any
    hosts: Any
    groups: Any
    buckets: Any  # of tokens: when each would have been empty, had it only filled since
    seen: Any  # round robin cursors, and from `first_count` on the outstanding counters of all views
    dues: Any  # of weighted balancing: a clock, negative at first, and when each replica is due
    stores: Any
    kept: Any  # entries of stores, each in a region of its own
    uses: Any
    places: Any
    fetches: Any
    held: Any  # by cache and stream
    cache_counters: Any  # (batches + 1, caches and streams)
    arrival_states: Any
    counts: Any  # (streams, batches + 1, outcomes, then sums of latency and tries)
    seen_latencies: Any  # (streams, coarse buckets): successes of the whole run, for whoever watches it
    histogram: Any  # (2, streams, batches, buckets): successes, failures
    counters: Any  # (batches + 1, services): a batch at a time is written to
    account_counters: Any  # (batches + 1, services, accounts)
    service_histogram: Any  # (batches, services, coarse buckets)
    occupancy: Any
    rows: Any
    spans: Any


#: Tables of the Program that a run may change, but never while compiled code runs; and those that it only reads.
CHANGEABLE = ("calls", "replicas", "services", "versions")
OF_PROGRAM = (
    "instructions",
    "targets",
    "endpoints",
    "entries",
    "views",
    "streams",
    "tenants",
    "points",
    "distributions",
    "table",
    "falls",
    "policies",
    "limits",
    "shares",
    "takes",
    "shards",
    "caches",
    "parts",
    "keys",
    "traced_keys",
    "traced_bytes",
    "dimensions",
    "network",
    "rings",
    "ring_at",
    "ring_host",
)
#: Tables that the kernel hands to functions which the other engine calls, too.
_HANDED_ON = ("distributions", "streams", "points", "arrival_states")


def table(n: int, dtype: np.dtype[Any]) -> npt.NDArray[np.void]:
    """Zeros that begin at a line of the cache."""
    size = max(n, 1) * dtype.itemsize
    memory = np.zeros(size + CACHE_LINE, dtype=np.uint8)
    first = -memory.ctypes.data % CACHE_LINE
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


def copy_of(kernel: Kernel) -> Kernel:
    """Copy all that a run writes to; what it only reads is shared."""
    fresh: dict[str, Any] = {}
    for name, array in kernel._asdict().items():
        if name in OF_PROGRAM or name == "lane_of":
            continue
        fresh[name] = _sparse_copy(array) if name in ("histogram", "service_histogram") else _copy(array)
    return kernel._replace(**fresh)


def _copy(array: npt.NDArray[Any]) -> npt.NDArray[Any]:
    if not array.dtype.names or array.ndim > 1:
        return array.copy()
    fresh = table(len(array), array.dtype)
    fresh[:] = array
    return fresh


def _sparse_copy(array: npt.NDArray[np.uint32]) -> npt.NDArray[np.uint32]:
    """Copy the rows that have something in them, so that the rest goes on taking no memory."""
    fresh = sparse_zeros(array.shape)
    rows, to = array.reshape(-1, array.shape[-1]), fresh.reshape(-1, array.shape[-1])
    for number in np.flatnonzero(rows.any(axis=1)):
        used = np.flatnonzero(rows[number])
        to[number, used] = rows[number, used]
    return fresh


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
        by_address: Any = Tables(kernel, constant=(*OF_PROGRAM, *CHANGEABLE), handed_on=_HANDED_ON)
        return by_address
    return Kernel(*(array.view(_Table) for array in kernel))
