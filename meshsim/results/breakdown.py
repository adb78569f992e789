"""Where the time of a request went: queue, service, proxy, network, wait, along its critical path.

The path is found backwards from the answer. At every instant one child gates its parent: the one whose answer came
last before. Before that child was sent the search goes on with the answers that came until then; what no child covers
is the frame's own time. Children that nobody waited for (asynchronous calls, losers of a quorum, tries given up) gate
nothing. So the parts of a request add up to its latency, to the nanosecond.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Final

import numpy as np
import numpy.typing as npt

from meshsim.architectures.plane import Plane
from meshsim.engines.record import BATCHES, DEGRADED, OK, Record
from meshsim.results.intervals import Estimate, interval, ratio
from meshsim.results.quantiles import Ints

#: Slots and CPU waited for at applications; their CPU demand; everything at proxies; messages under way and handshake
#: round trips; `wait` steps, and time given to tries that were given up.
PARTS: Final = ("queue", "service", "proxy", "network", "wait")
QUEUE, SERVICE, PROXY, NETWORK, WAIT = range(5)
_SLOWEST: Final = 0.01


@dataclass(frozen=True, slots=True)
class Split:
    """Time by part, of some requests.

    Attributes
    ----------
    requests
        How many were looked at.
    latency_s
        Their mean latency.
    parts_s
        By part, seconds of a request; the values add up to `latency_s`.
    by_hop_s
        By service or proxy, then by part.
    """

    requests: int
    latency_s: Estimate
    parts_s: dict[str, Estimate]
    by_hop_s: dict[str, dict[str, Estimate]]

    def to_dict(self) -> dict[str, object]:
        """For JSON."""
        return {
            "requests": self.requests,
            "latency_s": self.latency_s.to_dict(),
            "parts_s": {part: estimate.to_dict() for part, estimate in self.parts_s.items()},
            "by_hop_s": {
                hop: {part: estimate.to_dict() for part, estimate in parts.items()}
                for hop, parts in self.by_hop_s.items()
            },
        }


@dataclass(frozen=True, slots=True)
class Breakdown:
    """The split of the mean of the sampled requests, and of their slowest 1 %."""

    mean: Split
    slowest: Split

    def to_dict(self) -> dict[str, object]:
        """For JSON."""
        return {"mean": self.mean.to_dict(), "slowest_1%": self.slowest.to_dict()}


@dataclass(frozen=True, slots=True, eq=False)
class Attribution:
    """Nanoseconds of sampled requests by request, hop and part.

    Attributes
    ----------
    arrival_ns, latency_ns, replication
        (n,) of each request that was answered ok or degraded.
    row, hop
        (m,) request and service of each frame on a critical path.
    parts_ns
        (m, parts); the rows of a request add up to its latency.
    """

    arrival_ns: Ints
    latency_ns: Ints
    replication: Ints
    row: Ints
    hop: Ints
    parts_ns: Ints


def attribute(spans: npt.NDArray[np.void], endpoint_service: Sequence[int], is_proxy: Sequence[bool]) -> Attribution:
    """Split every answered request of one replication.

    Parameters
    ----------
    spans
        Rows of ``SPANS``, in any order.
    endpoint_service
        Number of the service by number of the endpoint.
    is_proxy
        By number of the service.
    """
    spans = spans[np.lexsort((spans["serial"], spans["request"]))]
    requests, row = np.unique(spans["request"], return_inverse=True)
    parent = _parents(spans, row)
    root = np.flatnonzero(parent < 0)
    keep = (spans["returned_ns"][root] >= 0) & np.isin(spans["outcome"][root], (OK, DEGRADED))
    number = np.full(requests.size, -1)
    number[row[root[keep]]] = np.arange(int(keep.sum()))
    gates, covered = _critical(spans, parent)
    used = np.flatnonzero(gates & (number[row] >= 0))
    hop = _hops(spans, parent, np.asarray(endpoint_service, dtype=np.int64))[used]
    parts = _parts(spans[used], covered[used], np.asarray(is_proxy, dtype=bool)[hop])
    roots = spans[root[keep]]
    latency = roots["returned_ns"] - roots["sent_ns"]
    return Attribution(roots["sent_ns"], latency, np.zeros(latency.size, np.int64), number[row[used]], hop, parts)


def _parents(spans: npt.NDArray[np.void], row: Ints) -> Ints:
    """Index of every frame's parent in the sorted rows; -1 for entries."""
    width = int(spans["serial"].max(initial=0)) + 2
    keys = row * width + spans["serial"] + 1
    parent: Ints = np.searchsorted(keys, row * width + spans["parent"] + 1).astype(np.int64)
    parent[spans["parent"] < 0] = -1
    return parent


def _critical(spans: npt.NDArray[np.void], parent: Ints) -> tuple[npt.NDArray[np.bool_], Ints]:
    """Which frames are on their request's critical path, and how long their children covered each."""
    returned, sent = spans["returned_ns"], spans["sent_ns"]
    candidates = np.flatnonzero((parent >= 0) & (returned >= 0))
    order = candidates[np.lexsort((sent[candidates], -returned[candidates], parent[candidates]))]
    gating = parent < 0
    covered = np.zeros(parent.size, dtype=np.int64)
    of, until = -1, 0
    # plain numbers in plain lists: indexing arrays one by one is several times slower
    for frame, above, start, end in zip(
        order.tolist(), parent[order].tolist(), sent[order].tolist(), returned[order].tolist(), strict=True
    ):
        if above != of:
            of, until = above, int(spans["left_ns"][above])
        if end <= until:
            gating[frame] = True
            covered[above] += end - start
            until = start
    return _all_the_way_up(gating, parent), covered


def _all_the_way_up(gating: npt.NDArray[np.bool_], parent: Ints) -> npt.NDArray[np.bool_]:
    """Frames that gate their parent, which gates its own, and so on up to the entry."""
    path = gating.copy()
    while True:
        higher = gating & np.where(parent >= 0, path[parent], True)
        if np.array_equal(higher, path):
            return path
        path = higher


def _hops(spans: npt.NDArray[np.void], parent: Ints, endpoint_service: Ints) -> Ints:
    """Service of every frame; a branch runs where its parent does."""
    endpoint = spans["endpoint"].astype(np.int64)
    source = np.arange(endpoint.size)
    while (branch := (endpoint[source] < 0) & (parent[source] >= 0)).any():
        source = np.where(branch, parent[source], source)
    hops: Ints = endpoint_service[endpoint[source]]
    return hops


def _parts(spans: npt.NDArray[np.void], covered: Ints, proxy: npt.NDArray[np.bool_]) -> Ints:
    """(frames, parts): each frame's time outside of its gating children."""
    left = spans["left_ns"]
    admitted = np.where(spans["admitted_ns"] < 0, left, spans["admitted_ns"])  # rejected: never got a slot
    own = left - admitted - covered
    demand = np.minimum(spans["demand_ns"], own)
    shared = np.minimum(spans["cpu_wait_ns"], own - demand)
    slot = admitted - spans["reached_ns"]
    parts = np.zeros((left.size, len(PARTS)), dtype=np.int64)
    parts[:, QUEUE] = np.where(proxy, 0, slot + shared)
    parts[:, SERVICE] = np.where(proxy, 0, demand)
    parts[:, PROXY] = np.where(proxy, slot + own, 0)
    parts[:, WAIT] = np.where(proxy, 0, own - demand - shared)
    parts[:, NETWORK] = spans["reached_ns"] - spans["sent_ns"] + spans["returned_ns"] - left
    return parts


def break_down(plane: Plane, records: Sequence[Record], cut: int, *, level: float = 0.95) -> Breakdown:
    """Split the sampled requests that arrived after the warm-up.

    Parameters
    ----------
    plane
        What was simulated.
    records
        One of each replication.
    cut
        Batches of warm-up.
    level
        Confidence of the intervals.
    """
    services = [number for number, service in enumerate(plane.services) for _ in service.endpoints]
    proxies = [service.role == "proxy" for service in plane.services]
    found = _together([attribute(record.spans, services, proxies) for record in records])
    batch_ns = records[0].duration_ns / BATCHES
    batch = (found.arrival_ns // batch_ns).astype(np.int64) - cut
    measured = (batch >= 0) & (batch < BATCHES - cut)
    slow = measured & (found.latency_ns >= _threshold(found.latency_ns[measured]))
    edge = measured & _near_the_edge(found.latency_ns, found.latency_ns[measured])
    names = [service.name for service in plane.services]
    shape = (len(records), BATCHES - cut)
    cell = np.where(measured, found.replication * shape[1] + batch, 0)
    arrived = np.bincount(cell[measured], minlength=shape[0] * shape[1]).reshape(shape)
    return Breakdown(
        _split(found, _Chosen(measured, cell, arrived, None), names, level),
        _split(found, _Chosen(slow, cell, arrived, edge), names, level),
    )


def _together(found: Sequence[Attribution]) -> Attribution:
    first = np.cumsum([0] + [one.latency_ns.size for one in found])
    return Attribution(
        arrival_ns=np.concatenate([one.arrival_ns for one in found]),
        latency_ns=np.concatenate([one.latency_ns for one in found]),
        replication=np.concatenate([one.replication + i for i, one in enumerate(found)]),
        row=np.concatenate([one.row + offset for one, offset in zip(found, first[:-1], strict=True)]),
        hop=np.concatenate([one.hop for one in found]),
        parts_ns=np.concatenate([one.parts_ns for one in found]),
    )


def _threshold(latency_ns: Ints) -> int:
    """Latency from which on a request is among the slowest 1 %."""
    if latency_ns.size == 0:
        return 0
    slowest = max(1, round(latency_ns.size * _SLOWEST))
    return int(np.partition(latency_ns, latency_ns.size - slowest)[latency_ns.size - slowest])


def _near_the_edge(latency_ns: Ints, measured_ns: Ints) -> npt.NDArray[np.bool_]:
    """Requests about as slow as the threshold: between the slowest 1.5 % and the slowest 0.5 %."""
    if measured_ns.size == 0:
        return np.zeros(latency_ns.size, dtype=bool)
    low, high = np.quantile(measured_ns, [1 - 1.5 * _SLOWEST, 1 - 0.5 * _SLOWEST])
    near: npt.NDArray[np.bool_] = (latency_ns >= low) & (latency_ns <= high)
    return near


@dataclass(frozen=True, slots=True, eq=False)
class _Chosen:
    """Whose means a split tells.

    `rows` of the requests; the `cell` (replication and batch) of every request; how many `arrived` in each cell; and
    `edge`, the requests near the threshold when slowness decided who is chosen.
    """

    rows: npt.NDArray[np.bool_]
    cell: Ints
    arrived: Ints
    edge: npt.NDArray[np.bool_] | None

    def mean(self, values: npt.NDArray[np.float64], edge_mean: float, level: float) -> Estimate:
        """Mean of what all chosen requests of each cell have together, in nanoseconds; the estimate is in seconds.

        Where slowness decided who is chosen, the threshold is an estimate too: were it a little higher, requests that
        have `edge_mean` on average would drop out. The influence of a request x on the mean of the slowest share a
        beyond the threshold q is ((x - q)+ / a - (mean - q)), and for a part of x likewise with its mean at q
        (R. T. Rockafellar and S. Uryasev, "Optimization of conditional value-at-risk", J. Risk 2, 2000).
        """
        shape = self.arrived.shape
        counts = np.bincount(self.cell[self.rows], minlength=self.arrived.size).reshape(shape)
        sums = values.reshape(shape)
        if self.edge is None:
            return ratio(sums, counts, level=level, scale=1e-9).estimate
        k, n = int(counts.sum()), int(self.arrived.sum())
        if k == 0:
            return ratio(sums, counts, level=level).estimate
        value = float(sums.sum()) / k
        influence = (sums - edge_mean * counts) / k - (value - edge_mean) * self.arrived / n
        return interval(value * 1e-9, influence * 1e-9, k, level)


def _split(found: Attribution, chosen: _Chosen, names: Sequence[str], level: float) -> Split:
    """Means over the chosen requests, with intervals from the batches in which they arrived."""
    cells = chosen.arrived.size
    edge = np.zeros_like(chosen.rows) if chosen.edge is None else chosen.edge
    around = max(1, int(edge.sum()))

    def mean(row: Ints, values: Ints) -> Estimate:
        inside = chosen.rows[row]
        sums = np.bincount(chosen.cell[row[inside]], weights=values[inside], minlength=cells).astype(np.float64)
        return chosen.mean(sums, float(values[edge[row]].sum()) / around, level)

    used = chosen.rows[found.row] | edge[found.row]
    row, hop, parts = found.row[used], found.hop[used], found.parts_ns[used]
    by_hop = {
        names[h]: {part: mean(row[hop == h], parts[hop == h, i]) for i, part in enumerate(PARTS)}
        for h in np.unique(hop[chosen.rows[row]])
    }
    total = {part: mean(row, parts[:, i]) for i, part in enumerate(PARTS)}
    everybody = np.arange(found.latency_ns.size)
    return Split(int(chosen.rows.sum()), mean(everybody, found.latency_ns), total, by_hop)
