"""The whole distribution of latencies as a curve: which share of all requests was answered within a time."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final

import numpy as np

from meshsim.results import histogram
from meshsim.results.intervals import Floats
from meshsim.results.quantiles import Counted

#: Quantiles of answered requests at which JSON tells the curve: dense enough to draw it, and those that reports name.
_TOLD: Final = (
    *(0.001, 0.002, 0.005, 0.01, 0.02, 0.03, 0.05, 0.075),
    *(round(0.1 + 0.05 * i, 2) for i in range(17)),
    *(0.925, 0.95, 0.97, 0.98, 0.985, 0.99, 0.995, 0.998, 0.999, 0.9995, 0.9999, 1.0),
)


@dataclass(frozen=True, slots=True, eq=False)
class LatencyCurve:
    """Empirical distribution of latencies over all requests.

    Failed and unfinished requests are never answered, so the curve ends at the availability instead of 1.

    Attributes
    ----------
    latency_s
        (k,) in seconds, ascending.
    share
        (k,) of all requests that were answered ok or degraded within that time.
    """

    latency_s: Floats
    share: Floats

    @property
    def end(self) -> float:
        """Share of all requests that were answered at all."""
        return float(self.share[-1]) if self.share.size else 0.0

    def to_dict(self) -> dict[str, object]:
        """For JSON: a few dozen points of it, those of p50, p90, p95, p99 and p99.9 among them."""
        wanted = np.array(_TOLD) * self.end
        at = np.unique(np.searchsorted(self.share, wanted * (1 - 1e-9))[: self.share.size])
        return {"latency_s": self.latency_s[at].tolist(), "share": self.share[at].tolist()}


def latency_curve(answered: Counted, requests: int) -> LatencyCurve:
    """Curve of the merged histogram of all replications.

    Parameters
    ----------
    answered
        Latencies of the requests answered ok or degraded.
    requests
        How many there were in all.
    """
    counts = answered.counts.sum(axis=(0, 1))
    used = np.flatnonzero(counts)
    seconds = [histogram.value_ns(int(number), bits=answered.bits) * 1e-9 for number in answered.buckets[used]]
    return LatencyCurve(np.array(seconds, dtype=np.float64), np.cumsum(counts[used]) / max(1, requests))
