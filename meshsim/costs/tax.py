"""The mesh tax: what proxies and their control plane add to a bill, and to latency."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass

from meshsim.costs.analysis import Analysis
from meshsim.costs.lines import (
    CONTROL_CORES,
    CONTROL_MEMORY,
    HOURS_PER_MONTH,
    ITEMS,
    PROXY_CORES,
    PROXY_MEMORY,
)
from meshsim.costs.split import over_replications
from meshsim.results.intervals import Estimate, difference
from meshsim.results.result import Result

BASELINE = "none"
OF_MESH = (PROXY_CORES, PROXY_MEMORY, CONTROL_CORES, CONTROL_MEMORY)
_QUANTITIES = ("p50", "p99")


@dataclass(frozen=True, slots=True)
class Tax:
    """What an architecture has that none would not.

    Attributes
    ----------
    latency_s
        By quantity, paired differences to the architecture ``none`` (seconds); empty where that was not asked for.
    cores_used
        CPU cores that proxies use.
    cores_requested, memory_gib
        Of proxies and control plane.
    cents
        Whole cents a month of the same.
    items
        Money a month that each item adds to the bill of ``none``; empty where that was not asked for.
    added
        Money a month by which the whole bill is higher than that of ``none``; None where that was not asked for.
    """

    latency_s: dict[str, Estimate]
    cores_used: Estimate
    cores_requested: float
    memory_gib: float
    cents: int
    items: dict[str, Estimate]
    added: Estimate | None = None

    def to_dict(self) -> dict[str, object]:
        """For JSON."""
        return {
            "baseline": BASELINE if self.items else None,
            "latency_s": {name: one.to_dict() for name, one in self.latency_s.items()},
            "cores_used": self.cores_used.to_dict(),
            "cores_requested": self.cores_requested,
            "memory_gib": self.memory_gib,
            "cost": self.cents,
            "items": {name: one.to_dict() for name, one in self.items.items()},
            "added": None if self.added is None else self.added.to_dict(),
        }


def tax(result: Result, found: Analysis, baseline: tuple[Result, Analysis] | None) -> Tax:
    """Tell what an architecture has beyond its applications.

    Parameters
    ----------
    result, found
        Of the architecture.
    baseline
        Those of ``none`` over the same seeds, if it was asked for and this is another one.
    """
    lines = [line for line in found.mean.bill.lines if line.item in OF_MESH]
    none = None if baseline is None or baseline[0] is result else baseline
    level = result.manifest.level
    return Tax(
        latency_s={} if none is None else _latencies(result, none[0]),
        cores_used=result.proxies.cores.estimate,
        cores_requested=sum(line.amount for line in lines if line.unit == "core"),
        memory_gib=sum(line.amount for line in lines if line.unit == "GiB"),
        cents=sum(found.cents.items.get(item, 0) for item in OF_MESH),
        items={} if none is None else _items(found, none[1], level),
        added=None if none is None else _added(found, none[1], level),
    )


def _latencies(result: Result, baseline: Result) -> dict[str, Estimate]:
    level = result.manifest.level
    sides = (result.total.latency, baseline.total.latency)
    return {name: difference(sides[0][name], sides[1][name], level=level) for name in _QUANTITIES}


def _items(found: Analysis, baseline: Analysis, level: float) -> dict[str, Estimate]:
    own, others = found.mean.by_item, baseline.mean.by_item
    sides = [one.by_item for one in found.each], [one.by_item for one in baseline.each]
    return {
        item: _difference([one[item] for one in sides[0]], [one[item] for one in sides[1]], level)
        for item in ITEMS
        if own[item] or others[item]
    }


def _added(found: Analysis, baseline: Analysis, level: float) -> Estimate:
    own, others = ([one.bill.per_hour for one in side.each] for side in (found, baseline))
    return _difference(own, others, level)


def _difference(own: Sequence[float], others: Sequence[float], level: float) -> Estimate:
    """Money a month; paired, for both sides met the same requests in each replication."""
    each = [(one - other) * HOURS_PER_MONTH for one, other in zip(own, others, strict=True)]
    return over_replications(math.fsum(each) / len(each), each, level)
