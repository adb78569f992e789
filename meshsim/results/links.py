"""What went over the links of a service whose bandwidth is limited: how full they were, and the line before them."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from meshsim.results.intervals import Estimate, ratio


@dataclass(frozen=True, slots=True)
class LinkResult:
    """Links of all replicas of a service together, after the warm-up.

    Attributes
    ----------
    utilization
        Time in which something was sent, as a share of all; what waits to be sent counts when it is put in line, so
        that a link which is asked for more than it can do shows more than 1.
    wait_s
        Mean wait of a message for those that were put on the link before it.
    """

    utilization: Estimate
    wait_s: Estimate

    def to_dict(self) -> dict[str, object]:
        """For JSON."""
        return {"utilization": self.utilization.to_dict(), "wait_s": self.wait_s.to_dict()}


def link_result(
    counters: npt.NDArray[np.void], replicas: npt.NDArray[np.float64], batch_s: float, *, level: float = 0.95
) -> LinkResult:
    """Sum up the links of a service.

    Parameters
    ----------
    counters
        (R, M) of ``SERVICE_COUNTERS``, by replication and batch.
    replicas
        (R, M) mean number of replicas.
    batch_s
        Seconds of a batch.
    level
        Confidence of the intervals.
    """
    return LinkResult(
        utilization=ratio(counters["link_ns"], replicas * batch_s * 1e9, level=level).estimate,
        wait_s=ratio(counters["link_wait_ns"], counters["sent"], level=level, scale=1e-9).estimate,
    )
