"""The kernel's tables as a run begins: all zero but for the lists."""

from __future__ import annotations

from collections import Counter
from typing import Any

import numpy as np
import numpy.typing as npt

from meshsim.engines import program as p
from meshsim.engines.arrivals import ARRIVAL_STATE
from meshsim.engines.buckets import COARSE_BUCKETS, FINE_BUCKETS
from meshsim.engines.compiled import growth
from meshsim.engines.compiled.rows import (
    ENTRIES,
    FETCHES,
    FORWARDS,
    FRAMES,
    GROUPS,
    HEAP,
    HELD,
    HOSTS,
    IMPAIRMENTS,
    LANES,
    LIVE_REQUESTS,
    METERS,
    NONE,
    QUEUES,
    READY,
    SCALARS,
    SCALINGS,
    SHARED_LINES,
    STATIONS,
    STORES,
    TENANT_LINES,
    TIMERS,
    USERS,
    USES,
)
from meshsim.engines.compiled.state import CHANGEABLE, OF_PROGRAM, Kernel, shared, sparse_zeros, table
from meshsim.engines.order import NEVER_NS
from meshsim.engines.program import OUTDATE, TENANTS_APART, UNLIMITED, Program
from meshsim.engines.record import (
    ACCOUNT_COUNTERS,
    BATCHES,
    CACHE_COUNTERS,
    OCCUPANCY_BINS,
    OUTCOMES,
    REQUESTS,
    SERVICE_COUNTERS,
    SPANS,
)
from meshsim.engines.sharing import fifo_servers


def allocate(program: Program) -> Kernel:
    """Make the tables of a run, all zero but for the lists."""
    services, streams = len(program.services), len(program.streams)
    views = program.views
    cursors = int((views["callers"] * program.services["versions"][views["among"]]).sum())
    counters = int((views["callers"] * program.services["most"][views["among"]]).sum())
    threads = np.maximum(program.services["threads"][program.replicas["service"]], 1)
    lane_of = _lanes(program)
    of_program: dict[str, Any] = {name: shared(getattr(program, name)) for name in OF_PROGRAM}
    own: dict[str, Any] = {name: _own(getattr(program, name)) for name in CHANGEABLE}
    kernel = Kernel(
        **own,
        **of_program,
        scalars=table(1, SCALARS),
        heap=table(1024, HEAP),
        lane_of=lane_of,
        lanes=table(int(lane_of.max()) + 1, LANES),
        ready=table(256, READY),
        frames=table(256, FRAMES),
        forwards=table(256, FORWARDS),
        live=table(64, LIVE_REQUESTS),
        users=table(64, USERS),
        stations=table(len(program.replicas), STATIONS),
        impairments=table(len(program.replicas), IMPAIRMENTS),
        cuts=np.zeros((1 + int(program.replicas["zone"].max(initial=0))) ** 2, dtype=np.uint8),
        queues=table(int(threads.sum()), QUEUES),
        shared_lines=table(_lines(program), SHARED_LINES),
        tenant_lines=np.zeros((max(_lines(program), 1), len(program.tenants)), dtype=TENANT_LINES),
        presence=np.zeros((len(program.replicas), len(program.tenants)), dtype=np.int32),
        meters=table(services, METERS),
        scalings=table(1, SCALINGS),
        timers=table(len(program.calls) + len(program.policies), TIMERS),
        hosts=table(_rows_of_hosts(program), HOSTS),
        groups=table(_rows_of_groups(program), GROUPS),
        buckets=np.full(_rows_of_buckets(program) + 1, -NEVER_NS, dtype=np.int64),
        seen=np.concatenate([np.full(cursors, NONE, dtype=np.int32), np.zeros(counters + 1, dtype=np.int32)]),
        dues=np.full(_rows_of_dues(program) + 1, -1.0),
        stores=table(int(program.caches["stores"].sum()), STORES),
        kept=table(0, ENTRIES),
        uses=table(0, USES),
        places=np.zeros(1, dtype=np.int32),
        fetches=table(64, FETCHES),
        held=table(len(program.caches) * streams, HELD),
        cache_counters=np.zeros((BATCHES + 1, max(len(program.caches) * streams, 1)), dtype=CACHE_COUNTERS),
        arrival_states=table(streams, ARRIVAL_STATE),
        counts=np.zeros((streams, BATCHES + 1, len(OUTCOMES) + 3), dtype=np.int64),
        seen_latencies=np.zeros((streams, COARSE_BUCKETS), dtype=np.uint32),
        histogram=sparse_zeros((2, streams, BATCHES, FINE_BUCKETS)),
        counters=np.zeros((BATCHES + 1, services), dtype=SERVICE_COUNTERS),
        account_counters=np.zeros((BATCHES + 1, services, program.accounts), dtype=ACCOUNT_COUNTERS),
        service_histogram=sparse_zeros((BATCHES, services, COARSE_BUCKETS)),
        occupancy=np.zeros(OCCUPANCY_BINS, dtype=np.int64),
        rows=table(1, REQUESTS),
        spans=table(1, SPANS),
    )
    fill_lists(kernel, program)
    return _with_stores(kernel, program)


def _with_stores(kernel: Kernel, program: Program) -> Kernel:
    """Give each store its first rows: twice what one step may fill, and some more."""
    stores = kernel.stores
    for name in ("free", "oldest", "youngest", "hand", "least", "free_count", "first_fetch", "last_fetch"):
        stores[name] = NONE
    fills = _fills_of_a_step(program)
    for number, cache in enumerate(program.caches):
        mine = slice(int(cache["first_store"]), int(cache["first_store"] + cache["stores"]))
        stores["cache"][mine] = number
        stores["margin"][mine] = fills[number]
    return growth.first_rows(kernel, len(program.caches) > 0)


def _fills_of_a_step(program: Program) -> list[int]:
    """By cache: how often the code of one endpoint fills it; a frame runs forwards, so no step fills it more often."""
    fills = np.flatnonzero(program.instructions["op"] == p.FILL)
    begins = np.unique(program.entries[program.entries >= 0])
    pairs = Counter(
        zip(np.searchsorted(begins, fills, "right").tolist(), program.instructions["a"][fills].tolist(), strict=True)
    )
    return [
        max((n for (_, cache), n in pairs.items() if cache == number), default=0)
        for number in range(len(program.caches))
    ]


def _own(array: npt.NDArray[Any]) -> npt.NDArray[Any]:
    """Copy a table of the Program that a run may change; never empty."""
    copied = table(len(array), array.dtype)
    copied[: len(array)] = array
    return copied


def _lanes(program: Program) -> npt.NDArray[np.int32]:
    """Number the constant delays of the network."""
    numbers: dict[int, int] = {}
    for one in program.network.tolist():
        if program.distributions["always"][one] >= 0:
            numbers.setdefault(one, len(numbers))
    return np.array([numbers.get(one, NONE) for one in program.network.tolist()], dtype=np.int32)


def fill_lists(kernel: Kernel, program: Program) -> None:
    """Put all records into the free lists, and the stations' cores and clocks where they begin."""
    scalars = kernel.scalars[0]
    lists = {"frame": kernel.frames, "request": kernel.live, "user": kernel.users, "fetch": kernel.fetches}
    for name, records in lists.items():
        link = records["later" if name == "fetch" else "next"]
        link[:] = np.arange(1, len(records) + 1)
        link[-1] = NONE
        scalars[f"free_{name}"] = 0
        scalars["free_fetches" if name == "fetch" else f"free_{name}s"] = len(records)
    kernel.live["number"] = NONE
    kernel.frames["number"] = NONE
    kernel.lanes["time"] = kernel.lanes["key"] = NEVER_NS
    for lists in (kernel.lanes, kernel.stations, kernel.queues, kernel.timers, kernel.hosts):
        lists["first"] = NONE
        lists["last"] = NONE
    for lists in (kernel.stations, kernel.queues):
        lists["line"] = NONE
    for name in ("first", "last"):
        kernel.tenant_lines[name] = NONE
    kernel.impairments["slow_waits"] = 1.0
    kernel.stations["reached_ns"] = -NEVER_NS
    for name in ("replicas", "working"):
        kernel.meters[name][: len(program.services)] = program.services["replicas"]
    lines = 0
    for number, replica in enumerate(program.replicas):
        service = program.services[replica["service"]]
        if service["line"] in TENANTS_APART:
            kernel.stations["line"][number] = lines
            kernel.shared_lines["order"][lines] = service["line"]
            lines += 1
        for thread in range(max(int(service["threads"]), 1)):
            queue = kernel.queues[int(replica["first_queue"]) + thread]
            queue["service"] = replica["service"]
            queue["cores"] = replica["cores"]
            queue["discipline"] = service["discipline"] if replica["cores"] else UNLIMITED
            queue["servers"] = fifo_servers(float(replica["cores"]))
            queue["speed"] = replica["cores"] / max(int(queue["servers"]), 1)
            queue["end_ns"] = NONE
            queue["slow"] = 1.0
            if queue["discipline"] in TENANTS_APART:
                queue["line"] = lines
                kernel.shared_lines["order"][lines] = queue["discipline"]
                lines += 1
    _fill_groups(kernel, program)
    scalars["depth"] = program.depth
    scalars["zones"] = 1 + int(program.replicas["zone"].max())
    scalars["writes"] = int((program.instructions["op"] == OUTDATE).any())
    scalars["deadlines"] = int(program.calls["deadline"].any())
    scalars["linked"] = int(program.services["ns_per_byte"].any())
    scalars["first_count"] = int(
        (program.views["callers"] * program.services["versions"][program.views["among"]]).sum()
    )
    scalars["step"] = _most_of_a_step(program)


def _lines(program: Program) -> int:
    """Lines in which tenants wait apart: one for a replica's slots, one for each of its CPU queues."""
    services = program.services[program.replicas["service"]]
    queues = np.where(np.isin(services["discipline"], TENANTS_APART), np.maximum(services["threads"], 1), 0)
    return int(np.isin(services["line"], TENANTS_APART).sum() + queues.sum())


def _tracked(program: Program) -> npt.NDArray[np.void]:
    return program.views[program.views["tracked"] == 1]


def _rows_of_hosts(program: Program) -> int:
    views = _tracked(program)
    return int((views["callers"] * views["apart"] * program.services["most"][views["among"]]).sum())


def _rows_of_groups(program: Program) -> int:
    views = _tracked(program)
    return int((views["callers"] * views["apart"] * program.services["versions"][views["among"]]).sum())


def _rows_of_dues(program: Program) -> int:
    views = program.views[program.views["first_due"] >= 0]
    return int((views["callers"] * (program.services["most"][views["among"]] + 1)).sum())


def _rows_of_buckets(program: Program) -> int:
    """One for all instances, or one for each: a limit's rows are followed by those of the next one."""
    most = int(program.services["most"].max())
    return int((program.limits["first"] + np.where(program.limits["shared"], 1, most)).max(initial=0))


def _fill_groups(kernel: Kernel, program: Program) -> None:
    for number in np.flatnonzero(program.views["tracked"]):
        view = program.views[number]
        service = program.services[view["among"]]
        for block in range(int(view["callers"]) * int(view["apart"])):
            for version in range(int(service["versions"])):
                row = program.versions[int(service["first_version"]) + version]
                first, n = (int(row["first_replica"]), int(row["replicas"])) if view["split"] else (0, service["most"])
                group = kernel.groups[int(view["first_group"]) + block * int(service["versions"]) + version]
                group["return_ns"] = NEVER_NS
                group["of_view"] = number
                group["first_host"] = int(view["first_host"]) + block * int(service["most"]) + first
                group["hosts"] = n
                group["service"] = view["caller"]


def _most_of_a_step(program: Program) -> int:
    """Frames that a frame may begin without having to wait in between: branches, asynchronous calls, copies, once each.

    A frame runs forwards through its code, so the number of such instructions in the whole program is enough.
    """
    forks = program.instructions["op"] == p.FORK
    asynchronous = program.calls["asynchronous"][program.instructions["a"][program.instructions["op"] == p.CALL]]
    others = np.isin(program.instructions["op"], (p.DETACH, p.LOOK))  # copies, and what is renewed
    return int(program.instructions["b"][forks].sum() + asynchronous.sum() + others.sum()) + 8
