"""Where the time of a request went: queue, service, proxy, network and so on, along its critical path.

At every instant of a request one frame gates its answer (see `meshsim.results.paths`); its time at that instant is what
the request's latency is made of. So the parts of a request add up to its latency, to the nanosecond.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Final

import numpy as np
import numpy.typing as npt

from meshsim.architectures.plane import Plane
from meshsim.engines.record import BATCHES, DEGRADED, OK, Record
from meshsim.results import paths
from meshsim.results.endpoints import Endpoints, endpoints_of
from meshsim.results.intervals import Estimate, interval, ratio
from meshsim.results.paths import find_paths, given_up_by_client
from meshsim.results.quantiles import Ints

#: Slots and CPU waited for at applications; their CPU demand; both at proxies; messages under way and handshake round
#: trips; `wait` steps, injected delays, and time given to tries that applications gave up; waiting for a connection
#: that a circuit breaker allows; at enforcers, tries that brought nothing, and back-off.
PARTS: Final = ("queue", "service", "proxy", "network", "wait", "connection", "failed tries")
QUEUE, SERVICE, PROXY, NETWORK, WAIT, CONNECTION, FAILED = range(7)
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


def attribute(spans: npt.NDArray[np.void], endpoints: Endpoints) -> Attribution:
    """Split every answered request of one replication.

    Parameters
    ----------
    spans, endpoints
        See `meshsim.results.paths.find_paths`.
    """
    found = find_paths(spans, endpoints)
    root = np.flatnonzero(found.parent < 0)
    keep = (found.spans["returned_ns"][root] >= 0) & np.isin(found.spans["outcome"][root], (OK, DEGRADED))
    keep &= ~given_up_by_client(found, endpoints)
    number = np.full(root.size, -1)
    number[keep] = np.arange(int(keep.sum()))
    used = np.flatnonzero(found.critical & (number[found.row] >= 0))
    hop = found.hop[used]
    roots = found.spans[root[keep]]
    latency = roots["returned_ns"] - roots["sent_ns"]
    replication = np.zeros(latency.size, np.int64)
    parts = _parts(found.times_ns[used], found.in_proxy[used])
    return Attribution(roots["sent_ns"], latency, replication, number[found.row[used]], hop, parts)


def _parts(times_ns: Ints, proxy: npt.NDArray[np.bool_]) -> Ints:
    """(frames, parts) of ``TIMES``: queueing and work of a proxy are one part."""
    parts = np.zeros((len(times_ns), len(PARTS)), dtype=np.int64)
    queue, service = times_ns[:, paths.SLOT] + times_ns[:, paths.CPU_WAIT], times_ns[:, paths.CPU]
    parts[:, QUEUE], parts[:, SERVICE] = np.where(proxy, 0, queue), np.where(proxy, 0, service)
    parts[:, PROXY] = np.where(proxy, queue + service, 0)
    same = (paths.NETWORK, paths.WAIT, paths.CONNECTION, paths.FAILED)
    parts[:, [NETWORK, WAIT, CONNECTION, FAILED]] = times_ns[:, same]
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
    endpoints = endpoints_of(plane)
    found = _together([attribute(record.spans, endpoints) for record in records])
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
