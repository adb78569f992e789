"""Who waited for whom in sampled requests, until when, and the critical path of each: what gates its answer.

A frame waits for every call that it makes itself, one after another, until the answer comes or it gives up. Of its
branches it waits for some only: for the one that decides a `parallel`, never for an asynchronous call. Spans do not say
which is which, but time does: what a frame took, less its own work and its own calls, is exactly what it waited for
branches. So the branches are those that fit that time. Tries that were given up gate nothing; the time that they were
given is the caller's own. So the parts of a request's critical path add up to its latency, to the nanosecond.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from itertools import groupby
from typing import Final

import numpy as np
import numpy.typing as npt

from meshsim.architectures.plane import Plane
from meshsim.architectures.walk import calls_in
from meshsim.results.quantiles import Ints

#: Parts of a frame's own time: messages under way with their handshakes; waiting for a concurrency slot; waiting for or
#: sharing the CPU; CPU time as it takes alone; `wait` steps, and tries that were given up.
TIMES: Final = ("network", "wait for slot", "wait for CPU", "CPU", "wait")
NETWORK, SLOT, CPU_WAIT, CPU, WAIT = range(5)
_MOST_STEPS: Final = 10_000  # of the search for the branches of one frame (assumed: real ones take a handful)

#: Nanoseconds that a caller waits for a try, by numbers of the calling and the called endpoint.
Timeouts = Mapping[tuple[int, int], Sequence[int]]


@dataclass(frozen=True, slots=True, eq=False)
class Paths:
    """Frames of the sampled requests of one replication, a row a frame, by request and serial.

    Attributes
    ----------
    spans
        Rows of ``SPANS``.
    row
        Number of its request, counted from 0 in the order of request numbers.
    parent
        Row of the calling frame; -1 for entries.
    hop
        Number of the service that it runs at.
    until_ns
        When the caller had the answer, gave up, or was answered itself. A branch: when it ended.
    gates
        The caller waited for this frame, and went on when it was answered.
    critical
        It gates its caller, which gates its own, up to the entry.
    times_ns
        (frames, `TIMES`): time outside of the frames that gate it. Rows of a request that are `critical` add up to its
        latency; the others mean nothing where a frame did not end.
    """

    spans: npt.NDArray[np.void]
    row: Ints
    parent: Ints
    hop: Ints
    until_ns: Ints
    gates: npt.NDArray[np.bool_]
    critical: npt.NDArray[np.bool_]
    times_ns: Ints


def find_paths(spans: npt.NDArray[np.void], endpoint_service: Sequence[int], timeouts: Timeouts) -> Paths:
    """Find out who waited for whom.

    Parameters
    ----------
    spans
        Rows of ``SPANS`` of whole requests, in any order.
    endpoint_service
        Number of the service by number of the endpoint.
    timeouts
        See `timeouts_of`.
    """
    spans = spans[np.lexsort((spans["serial"], spans["request"]))]
    _, row = np.unique(spans["request"], return_inverse=True)
    parent = _parents(spans, row)
    endpoint = _endpoints(spans, parent)
    until = _until(spans, parent, row, endpoint, timeouts)
    gates = _gating(spans, parent, until)
    covered = np.zeros(parent.size, dtype=np.int64)
    inner = np.flatnonzero(gates & (parent >= 0))
    np.add.at(covered, parent[inner], until[inner] - spans["sent_ns"][inner])
    hop: Ints = np.asarray(endpoint_service, dtype=np.int64)[endpoint]
    critical = _all_the_way_up(gates, parent)
    return Paths(spans, row, parent, hop, until, gates, critical, _times(spans, covered))


def endpoint_services(plane: Plane) -> list[int]:
    """Number of the service by number of the endpoint, as engines count them."""
    return [number for number, service in enumerate(plane.services) for _ in service.endpoints]


def timeouts_of(plane: Plane) -> dict[tuple[int, int], tuple[int, ...]]:
    """How long callers wait for a try of each call that has a timeout: the plane's own, whatever changed on the way."""
    names = [(service.name, endpoint) for service in plane.services for endpoint in service.endpoints]
    number = {name: i for i, name in enumerate(names)}
    found: dict[tuple[int, int], set[int]] = {}
    for service in plane.services:
        for endpoint, versions in service.endpoints.items():
            for call in (call for steps in versions for call in calls_in(steps)):
                if call.call.timeout_s is not None:
                    pair = number[service.name, endpoint], number[call.hop.to, call.hop.endpoint]
                    found.setdefault(pair, set()).add(round(call.call.timeout_s * 1e9))
    return {pair: tuple(sorted(several)) for pair, several in found.items()}


def _parents(spans: npt.NDArray[np.void], row: Ints) -> Ints:
    """Index of every frame's parent in the sorted rows; -1 for entries."""
    width = int(spans["serial"].max(initial=0)) + 2
    keys = row * width + spans["serial"] + 1
    parent: Ints = np.searchsorted(keys, row * width + spans["parent"] + 1).astype(np.int64)
    parent[spans["parent"] < 0] = -1
    return parent


def _endpoints(spans: npt.NDArray[np.void], parent: Ints) -> Ints:
    """Endpoint that every frame runs; a branch runs its parent's."""
    endpoint: Ints = spans["endpoint"].astype(np.int64)
    source = np.arange(endpoint.size)
    while (branch := (endpoint[source] < 0) & (parent[source] >= 0)).any():
        source = np.where(branch, parent[source], source)
    return endpoint[source]


def _until(spans: npt.NDArray[np.void], parent: Ints, row: Ints, endpoint: Ints, timeouts: Timeouts) -> Ints:
    """When the caller went on, gave up, or was answered itself."""
    until: Ints = spans["returned_ns"].astype(np.int64)
    end = until[parent < 0][row]  # nothing is told of what happened after the request's answer
    left = spans["left_ns"]
    bound = np.where(left[parent] >= 0, left[parent], end)
    calls = np.flatnonzero((parent >= 0) & (spans["endpoint"] >= 0))
    calls = calls[np.argsort(parent[calls], kind="stable")]
    before, after = calls[:-1], calls[1:]
    siblings = parent[before] == parent[after]  # a frame makes its own calls one after another
    bound[before[siblings]] = spans["sent_ns"][after[siblings]]
    for frame in np.flatnonzero(until < 0).tolist():
        until[frame] = bound[frame] if spans["endpoint"][frame] >= 0 else end[frame]
        if spans["endpoint"][frame] >= 0:
            sent, pair = int(spans["sent_ns"][frame]), (int(endpoint[parent[frame]]), int(endpoint[frame]))
            given_up = [sent + timeout for timeout in timeouts.get(pair, ()) if sent + timeout <= bound[frame]]
            until[frame] = max(given_up, default=bound[frame])
    return until


def _gating(spans: npt.NDArray[np.void], parent: Ints, until: Ints) -> npt.NDArray[np.bool_]:
    """Frames that their caller waited for until they were answered."""
    call = spans["endpoint"] >= 0
    gates: npt.NDArray[np.bool_] = (parent < 0) | (call & (spans["returned_ns"] >= 0))
    branches = np.flatnonzero(~call & (parent >= 0) & (spans["left_ns"] >= 0))
    if branches.size == 0:
        return gates
    own = np.flatnonzero(call & (parent >= 0))
    called = np.zeros(parent.size, dtype=np.int64)
    np.add.at(called, parent[own], until[own] - spans["sent_ns"][own])
    worked = spans["demand_ns"] + spans["cpu_wait_ns"] + spans["wait_ns"]
    waited = spans["left_ns"] - spans["admitted_ns"] - worked - called
    order = branches[np.lexsort((spans["left_ns"][branches], spans["sent_ns"][branches], parent[branches]))]
    # plain numbers in plain lists: indexing arrays one by one is several times slower
    rows = zip(
        parent[order].tolist(),
        spans["sent_ns"][order].tolist(),
        spans["left_ns"][order].tolist(),
        order.tolist(),
        strict=True,
    )
    for above, ended in groupby(rows, key=lambda one: one[0]):
        gates[_joined(list(ended), int(waited[above]), int(spans["left_ns"][above]))] = True
    return gates


def _joined(branches: list[tuple[int, int, int, int]], waited: int, left: int) -> list[int]:
    """Branches (parent, began, ended, row) of one frame that together last as long as it waited for branches.

    At most one of those that began at the same instant, and none while another lasts. Where several choices fit, those
    that began together are the branches of a `parallel`; where none does, nothing is blamed.
    """
    together = [list(group) for _, group in groupby(branches, key=lambda one: one[1])][::-1]
    forks = [group for group in together if len(group) > 1]
    return _fitting(forks, max(waited, 0), left) or _fitting(together, max(waited, 0), left)


def _fitting(groups: list[list[tuple[int, int, int, int]]], waited: int, left: int) -> list[int]:
    """Search backwards from the end: one branch of each group, or none, so that they last `waited` together."""
    steps = 0

    def search(at: int, rest: int, before: int) -> list[int] | None:
        nonlocal steps
        steps += 1
        if rest == 0:
            return []
        if at == len(groups) or steps > _MOST_STEPS:
            return None
        for _, began, ended, frame in reversed(groups[at]):
            if began < ended <= before and ended - began <= rest:
                found = search(at + 1, rest - (ended - began), began)
                if found is not None:
                    return [frame, *found]
        return search(at + 1, rest, before)

    return search(0, waited, left) or []


def _all_the_way_up(gates: npt.NDArray[np.bool_], parent: Ints) -> npt.NDArray[np.bool_]:
    """Frames that gate their parent, which gates its own, and so on up to the entry."""
    path = gates.copy()
    while True:
        higher = gates & np.where(parent >= 0, path[parent], True)
        if np.array_equal(higher, path):
            return path
        path = higher


def _times(spans: npt.NDArray[np.void], covered: Ints) -> Ints:
    """(frames, TIMES): each frame's time outside of the frames that gate it."""
    left = spans["left_ns"]
    admitted = np.where(spans["admitted_ns"] < 0, left, spans["admitted_ns"])  # rejected: never got a slot
    own = left - admitted - covered
    cpu = np.minimum(spans["demand_ns"], own)
    cpu_wait = np.minimum(spans["cpu_wait_ns"], own - cpu)
    network = spans["reached_ns"] - spans["sent_ns"] + spans["returned_ns"] - left
    return np.stack([network, admitted - spans["reached_ns"], cpu_wait, cpu, own - cpu - cpu_wait], axis=1)
