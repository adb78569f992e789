"""Who waited for whom in sampled requests, until when, and the critical path of each: what gates its answer.

A frame waits for every call that it makes itself until the answer comes or it gives up; of the branches of a fork for
the one that decides the join; for an asynchronous call never. An enforcer may make several tries: it waits for the one
whose answer it passes on, and what passed before that brought nothing. Tries that were given up gate nothing; the time
that they were given is the caller's own. Where the client itself gave up, what was under way then held up the answer.
So the parts of a request's critical path add up to its latency, to the nanosecond.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Final

import numpy as np
import numpy.typing as npt

from meshsim.engines.record import DEGRADED
from meshsim.results.endpoints import UNKNOWN, Endpoints
from meshsim.results.forks import deciding
from meshsim.results.quantiles import Ints

#: Parts of a frame's own time: messages under way with their handshakes; waiting for a concurrency slot; waiting for or
#: sharing the CPU; CPU time as it takes alone; `wait` steps, injected delays, tries that an application gave up, and
#: what a frame was at when the client gave up; waiting for a connection before it was sent; tries of an enforcer that
#: brought no answer, and back-off.
TIMES: Final = ("network", "wait for slot", "wait for CPU", "CPU", "wait", "wait for connection", "failed tries")
NETWORK, SLOT, CPU_WAIT, CPU, WAIT, CONNECTION, FAILED = range(7)

Bools = npt.NDArray[np.bool_]
Rows = npt.NDArray[np.void]


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
    endpoint
        Number of the endpoint that it runs; a branch runs its parent's.
    hop
        Number of the service that it runs at.
    in_proxy
        It runs at a proxy, or in a caller's library.
    enforcer
        It passes a request on and may make several tries of that.
    until_ns
        When the caller had the answer, gave up, or was answered itself. A branch: when it ended.
    connection_ns
        How long it waited for a connection before it was sent; 0 where the spans do not tell.
    gates
        The caller waited for this frame, and went on when it was answered (or gave up with it, as the client).
    critical
        It gates its caller, which gates its own, up to the entry.
    times_ns
        (frames, `TIMES`): time outside of the frames that gate it. Rows of a request that are `critical` add up to its
        latency; the others mean nothing where a frame did not end.
    """

    spans: Rows
    row: Ints
    parent: Ints
    endpoint: Ints
    hop: Ints
    in_proxy: Bools
    enforcer: Bools
    until_ns: Ints
    connection_ns: Ints
    gates: Bools
    critical: Bools
    times_ns: Ints


def find_paths(spans: Rows, endpoints: Endpoints) -> Paths:
    """Find out who waited for whom.

    Parameters
    ----------
    spans
        Rows of ``SPANS`` of whole requests, in any order.
    endpoints
        Of the plane that was simulated.
    """
    spans = spans[np.lexsort((spans["serial"], spans["request"]))]
    _, row = np.unique(spans["request"], return_inverse=True)
    parent = _parents(spans, row)
    endpoint = _endpoints(spans, parent)
    hop: Ints = np.asarray(endpoints.service, dtype=np.int64)[endpoint]
    in_proxy: Bools = np.asarray(endpoints.proxy, dtype=bool)[endpoint]
    enforcer: Bools = np.isin(endpoint, list(endpoints.tries)) & (spans["endpoint"] >= 0)
    connection = _connection_waits(spans, parent, endpoint, endpoints)
    gates = _answered(spans, parent, enforcer)
    until = _Until(spans, parent, row, endpoint, enforcer, gates, connection).found(endpoints)
    gates[deciding(spans, parent, until, endpoint, endpoints)] = True
    gates[_open_at_the_end(spans, parent, row, until, gates)] = True
    critical = _all_the_way_up(gates, parent)
    times = _times(spans, parent, until, gates, enforcer, connection)
    return Paths(spans, row, parent, endpoint, hop, in_proxy, enforcer, until, connection, gates, critical, times)


def given_up_by_client(found: Paths, endpoints: Endpoints) -> Bools:
    """Of every request, whether its client no longer waited for the answer.

    When the answer was under way already, this shows by how short it was, where answers take a fixed time.
    """
    roots = found.spans[found.parent < 0]
    usual = np.array([endpoints.answers.get(at, 0) for at in roots["endpoint"].tolist()], dtype=np.int64)
    returned, left = roots["returned_ns"], roots["left_ns"]
    gave_up: Bools = (returned >= 0) & ((left < 0) | (returned - left < usual))
    return gave_up


# -- families ------------------------------------------------------------------------------------------------------


def _parents(spans: Rows, row: Ints) -> Ints:
    """Index of every frame's parent in the sorted rows; -1 for entries."""
    width = int(spans["serial"].max(initial=0)) + 2
    keys = row * width + spans["serial"] + 1
    parent: Ints = np.searchsorted(keys, row * width + spans["parent"] + 1).astype(np.int64)
    parent[spans["parent"] < 0] = -1
    return parent


def _endpoints(spans: Rows, parent: Ints) -> Ints:
    """Endpoint that every frame runs; a branch runs its parent's."""
    endpoint: Ints = spans["endpoint"].astype(np.int64)
    source = np.arange(endpoint.size)
    while (branch := (endpoint[source] < 0) & (parent[source] >= 0)).any():
        source = np.where(branch, parent[source], source)
    return endpoint[source]


def _connection_waits(spans: Rows, parent: Ints, endpoint: Ints, endpoints: Endpoints) -> Ints:
    """How long tries waited before they were sent: what the way to the replica took beyond its delay.

    Where some connections are opened anew, a try that waited is taken to have met one that was open.
    """
    waits = np.zeros(parent.size, dtype=np.int64)
    replica = spans["replica"].astype(np.int64)
    for (caller, called), (in_pod, times) in endpoints.pooled.items():
        tries = np.flatnonzero((parent >= 0) & (spans["endpoint"] == called) & (spans["reached_ns"] >= 0))
        tries = tries[endpoint[parent[tries]] == caller]
        links = endpoints.links
        between = links.delay_ns(replica[parent[tries]], replica[tries])
        delay = np.full(tries.size, links.loopback) if in_pod else between
        way = spans["reached_ns"][tries] - spans["sent_ns"][tries]
        known = (delay != UNKNOWN) & (way != times * delay)
        waits[tries] = np.where(known, np.maximum(way - delay, 0), 0)
    return waits


# -- calls ---------------------------------------------------------------------------------------------------------


def _answered(spans: Rows, parent: Ints, enforcer: Bools) -> Bools:
    """Entries, and calls that the caller waited for until they were answered; of an enforcer's tries the last one.

    An enforcer passes on what that try answered, and does nothing then but its work on the answer. Where it did
    something else, the try had failed, and nothing came of those after it.
    """
    call = (parent >= 0) & (spans["endpoint"] >= 0)
    gates: Bools = (parent < 0) | (call & (spans["returned_ns"] >= 0))
    tries = np.flatnonzero(gates & call & enforcer[parent])
    above = parent[tries]
    gates[tries] = False
    left, returned = spans["left_ns"][above], spans["returned_ns"][tries]
    worked = spans["demand_ns"][above] + spans["cpu_wait_ns"][above]
    again = _last_try(call & enforcer[parent], parent)[above]
    tried_again = (again > tries) & (spans["sent_ns"][again] >= returned)
    passed_on = (spans["outcome"][tries] == spans["outcome"][above]) & (left - returned <= worked) & ~tried_again
    passed_on = np.where(left >= 0, passed_on, spans["outcome"][tries] <= DEGRADED)
    last = tries[passed_on][np.lexsort((tries[passed_on], returned[passed_on], above[passed_on]))]
    if last.size:
        gates[last[np.append(parent[last][1:] != parent[last][:-1], True)]] = True
    return gates


def _last_try(tries: Bools, parent: Ints) -> Ints:
    """Of every frame, the try that it sent last; -1 where there is none."""
    found = np.full(parent.size, -1, dtype=np.int64)
    rows = np.flatnonzero(tries)
    found[parent[rows]] = rows  # the last one stays
    return found


@dataclass(frozen=True, slots=True, eq=False)
class _Until:
    """When callers went on, gave up, or were answered themselves."""

    spans: Rows
    parent: Ints
    row: Ints
    endpoint: Ints
    enforcer: Bools
    gates: Bools
    connection_ns: Ints

    def found(self, endpoints: Endpoints) -> Ints:
        """Nanoseconds, of every frame."""
        spans, parent = self.spans, self.parent
        until: Ints = spans["returned_ns"].astype(np.int64)
        end = until[parent < 0][self.row]  # nothing is told of what happened after the request's answer
        bound = self._bounds(end)
        for frame in np.flatnonzero(until < 0).tolist():
            if spans["endpoint"][frame] < 0:
                until[frame] = end[frame]
            elif self.enforcer[parent[frame]]:
                until[frame] = min(bound[frame], *self._limits_of_try(frame, endpoints))
            else:
                until[frame] = self._given_up(frame, int(bound[frame]), endpoints)
        return until

    def _bounds(self, end: Ints) -> Ints:
        """The latest that can be: the end of the caller, or what it did next."""
        spans, parent = self.spans, self.parent
        left = spans["left_ns"]
        bound: Ints = np.where(left[parent] >= 0, left[parent], end)
        calls = np.flatnonzero((parent >= 0) & (spans["endpoint"] >= 0))
        tries = self.enforcer[parent[calls]]
        won = calls[tries & self.gates[calls]]
        answered = np.full(parent.size, np.iinfo(np.int64).max)
        answered[parent[won]] = spans["returned_ns"][won]  # the other tries were given up then
        bound[calls[tries]] = np.minimum(bound[calls[tries]], answered[parent[calls[tries]]])
        own = calls[~tries][np.argsort(parent[calls[~tries]], kind="stable")]
        before, after = own[:-1], own[1:]
        siblings = parent[before] == parent[after]  # an application makes its calls one after another
        bound[before[siblings]] = spans["sent_ns"][after[siblings]]
        return bound

    def _given_up(self, frame: int, bound: int, endpoints: Endpoints) -> int:
        """When an application's try was given up: its timeout, of several that the call may have."""
        sent = int(self.spans["sent_ns"][frame])
        pair = (int(self.endpoint[self.parent[frame]]), int(self.endpoint[frame]))
        return max((sent + t for t in endpoints.timeouts.get(pair, ()) if sent + t <= bound), default=bound)

    def _limits_of_try(self, frame: int, endpoints: Endpoints) -> Iterator[int]:
        """When an enforcer's try was given up at the latest: its own limit, and that of all of them."""
        above = int(self.parent[frame])
        overall, per_try = endpoints.tries.get(int(self.endpoint[above]), (None, None))
        sent = self.spans["sent_ns"]
        first = next(i for i in range(above + 1, frame + 1) if self.parent[i] == above)
        if overall is not None:
            yield int(sent[first]) + overall
        if per_try is not None:
            yield int(sent[frame] + self.connection_ns[frame]) + per_try
        yield int(np.iinfo(np.int64).max)


# -- the end -------------------------------------------------------------------------------------------------------


def _open_at_the_end(spans: Rows, parent: Ints, row: Ints, until: Ints, gates: Bools) -> list[int]:
    """Frames that were waited for when the client gave up, from the entry downwards."""
    found = []
    roots = np.flatnonzero((parent < 0) & (spans["left_ns"] < 0) & (spans["returned_ns"] >= 0))
    for root in roots.tolist():
        beyond = int(np.searchsorted(row, row[root], side="right"))
        at: int | None = root
        while at is not None and spans["left_ns"][at] < 0:
            children = [child for child in range(at + 1, beyond) if parent[child] == at]
            at = _waited_for(spans, children, gates, until == until[root])
            found += [] if at is None else [at]
    return found


def _waited_for(spans: Rows, children: Sequence[int], gates: Bools, to_the_end: Bools) -> int | None:
    """Whom a frame that had not ended waited for: the first of the calls, tries or branches that it was at."""
    joined = {int(spans["sent_ns"][child]) for child in children if spans["joined"][child] and gates[child]}
    for child in children:
        is_call, began = spans["endpoint"][child] >= 0, int(spans["sent_ns"][child])
        waited_for = is_call or (spans["joined"][child] and began not in joined)
        if waited_for and spans["returned_ns"][child] < 0 and to_the_end[child]:
            return child
    return None


def _all_the_way_up(gates: Bools, parent: Ints) -> Bools:
    """Frames that gate their parent, which gates its own, and so on up to the entry."""
    path = gates.copy()
    while True:
        higher = gates & np.where(parent >= 0, path[parent], True)
        if np.array_equal(higher, path):
            return path
        path = higher


def _times(spans: Rows, parent: Ints, until: Ints, gates: Bools, enforcer: Bools, connection: Ints) -> Ints:
    """(frames, TIMES): each frame's time outside of the frames that gate it; of one that did not end, up to the end."""
    inner = np.flatnonzero(gates & (parent >= 0))
    covered = np.zeros(parent.size, dtype=np.int64)
    np.add.at(covered, parent[inner], until[inner] - spans["sent_ns"][inner])
    reached = np.where(spans["reached_ns"] < 0, until, spans["reached_ns"])
    left = np.where(spans["left_ns"] < 0, until, spans["left_ns"])
    admitted = np.where(spans["admitted_ns"] < 0, left, spans["admitted_ns"])  # rejected: never got a slot
    own = left - admitted - covered
    cpu = np.minimum(spans["demand_ns"], own)
    cpu_wait = np.minimum(spans["cpu_wait_ns"], own - cpu)
    rest = own - cpu - cpu_wait
    failed = np.where(enforcer, np.clip(_in_vain(spans, parent, until, gates, rest - spans["wait_ns"]), 0, rest), 0)
    network = reached - spans["sent_ns"] + until - left - connection
    return np.stack([network, admitted - reached, cpu_wait, cpu, rest - failed, connection, failed], axis=1)


def _in_vain(spans: Rows, parent: Ints, until: Ints, gates: Bools, rest: Ints) -> Ints:
    """How long enforcers tried before the try that was answered; all of the `rest` of their time where none was."""
    calls = np.flatnonzero((parent >= 0) & (spans["endpoint"] >= 0))
    first = np.full(parent.size, np.iinfo(np.int64).max)
    np.minimum.at(first, parent[calls], spans["sent_ns"][calls])
    tried = first < np.iinfo(np.int64).max
    found: Ints = np.where(spans["left_ns"] >= 0, rest, np.where(tried, until - first, 0))
    won = calls[gates[calls]]
    found[parent[won]] = spans["sent_ns"][won] - first[parent[won]]
    return found
