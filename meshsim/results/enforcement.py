"""What stations did as enforcers of policies: retries, timeouts, what they turned away, ejections."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Final

import numpy as np
import numpy.typing as npt

from meshsim.results.intervals import Estimate, per_batch, ratio, share

#: Counters of an enforcer, in the order of reports; see `meshsim.engines.record.SERVICE_COUNTERS`.
COUNTS: Final = (
    "retries",
    "retries_refused",
    "timeouts",
    "overflows",
    "limited",
    "pending",
    "ejections",
    "panics",
)


@dataclass(frozen=True, slots=True)
class Enforcement:
    """Of all replicas of a station together, after the warm-up.

    Attributes
    ----------
    counts
        By name (`COUNTS`), in all replications: tries after the first; retries that a circuit breaker or a budget
        refused; timeouts of tries and of all of them; tries that a circuit breaker turned away; requests that a rate
        limit turned away; tries that had to wait for a connection; ejections; choices in panic.
    per_s
        The same per second.
    retries_per_request
        Of all messages that reached the station: at a sidecar those to its own application are among them.
    limited_share
        Share of them that a rate limit turned away.
    pending_s
        Mean wait for a connection of the tries that had to; those that never got one are in the divisor only.
    """

    counts: Mapping[str, int]
    per_s: Mapping[str, Estimate]
    retries_per_request: Estimate
    limited_share: Estimate
    pending_s: Estimate

    @property
    def is_idle(self) -> bool:
        """Nothing of this happened."""
        return not any(self.counts.values())

    def to_dict(self) -> dict[str, object]:
        """For JSON."""
        return {
            **self.counts,
            "per_s": {name: estimate.to_dict() for name, estimate in self.per_s.items()},
            "retries_per_request": self.retries_per_request.to_dict(),
            "limited_share": self.limited_share.to_dict(),
            "pending_s": self.pending_s.to_dict(),
        }


def enforcement(counters: npt.NDArray[np.void], batch_s: float, *, level: float = 0.95) -> Enforcement:
    """Sum up the counters of a station.

    Parameters
    ----------
    counters
        (R, M) of ``SERVICE_COUNTERS``, by replication and batch.
    batch_s
        Seconds of a batch.
    level
        Confidence of the intervals.
    """
    requests = counters["requests"]
    return Enforcement(
        counts={name: int(counters[name].sum()) for name in COUNTS},
        per_s={name: per_batch(counters[name] / batch_s, level=level).estimate for name in COUNTS},
        retries_per_request=ratio(counters["retries"], requests, level=level).estimate,
        limited_share=share(counters["limited"], requests, level=level).estimate,
        pending_s=ratio(counters["pending_ns"], counters["pending"], level=level, scale=1e-9).estimate,
    )
