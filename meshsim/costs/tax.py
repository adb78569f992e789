"""The mesh tax: what proxies and their control plane add to a bill, and to latency."""

from __future__ import annotations

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
    """

    latency_s: dict[str, Estimate]
    cores_used: Estimate
    cores_requested: float
    memory_gib: float
    cents: int
    items: dict[str, Estimate]

    @property
    def added(self) -> float | None:
        """Money a month by which the whole bill is higher than that of ``none``."""
        return sum(one.value or 0.0 for one in self.items.values()) if self.items else None

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
    compared = baseline is not None and baseline[0] is not result
    return Tax(
        latency_s=_latencies(result, baseline[0]) if baseline is not None and compared else {},
        cores_used=result.proxies.cores.estimate,
        cores_requested=sum(line.amount for line in lines if line.unit == "core"),
        memory_gib=sum(line.amount for line in lines if line.unit == "GiB"),
        cents=sum(found.cents.items.get(item, 0) for item in OF_MESH),
        items=_items(found, baseline[1], result.manifest.level) if baseline is not None and compared else {},
    )


def _latencies(result: Result, baseline: Result) -> dict[str, Estimate]:
    level = result.manifest.level
    sides = (result.total.latency, baseline.total.latency)
    return {name: difference(sides[0][name], sides[1][name], level=level) for name in _QUANTITIES}


def _items(found: Analysis, baseline: Analysis, level: float) -> dict[str, Estimate]:
    """Paired: both sides met the same requests in each replication."""
    own, others = found.mean.by_item, baseline.mean.by_item
    each = [
        {item: one.by_item[item] - other.by_item[item] for item in ITEMS}
        for one, other in zip(found.each, baseline.each, strict=True)
    ]
    return {
        item: over_replications(
            (own[item] - others[item]) * HOURS_PER_MONTH, [one[item] * HOURS_PER_MONTH for one in each], level
        )
        for item in ITEMS
        if own[item] or others[item]
    }
