"""Where the warm-up ends: MSER-5 on the number of requests in the plane.

MSER cuts where the standard error of the mean of what is left is least; MSER-5 does so on averages of five
observations. K. P. White, M. J. Cobb and S. C. Spratt, "A comparison of five steady-state truncation heuristics for
simulation", Winter Simulation Conference 2000; W. W. Franklin and K. P. White, "Stationarity tests and MSER-5:
exploring the intuition behind mean-squared-error-reduction in detecting and correcting initialization bias", ibid.,
2008.
"""

from __future__ import annotations

import math
from collections.abc import Sequence

import numpy as np
import numpy.typing as npt

from meshsim.architectures.plane import Plane
from meshsim.engines.record import BATCHES, Record
from meshsim.errors import UsageError

#: Arrivals whose law does not change with time, so that there is a steady state to wait for.
STATIONARY = frozenset({"poisson", "constant", "renewal", "batch", "mmpp", "closed"})


def mser_5(series: npt.ArrayLike) -> int:
    """Number of leading observations to cut, a multiple of 5 and at most half of the series.

    Examples
    --------
    >>> mser_5([0, 2, 4, 6, 8] + [9, 11] * 50)
    5
    """
    observations = np.asarray(series, dtype=np.float64)
    means = observations[: observations.size // 5 * 5].reshape(-1, 5).mean(axis=1)
    best, cut = math.inf, 0
    for d in range(means.size // 2 + 1):
        rest = means[d:]
        score = float(np.sum((rest - rest.mean()) ** 2)) / rest.size**2
        if score < best:
            best, cut = score, d
    return cut * 5


def automatic_cut(plane: Plane, records: Sequence[Record]) -> int:
    """Batches that MSER-5 cuts from the start of every replication, rounded up.

    The occupancies of all replications are averaged first, as Welch (1983) does: noise goes, the transient stays.

    Raises
    ------
    UsageError
        When a stream's arrivals change with time: no cut makes those stationary, so the user has to say what counts.
    """
    changing = [stream.name for stream, _ in plane.entries if stream.arrivals.kind not in STATIONARY]
    if changing:
        kinds = ", ".join(f"traffic.{name}" for name in changing)
        raise UsageError(
            f"warmup: auto needs arrivals that do not change with time, and {kinds} does; "
            "give the warm-up yourself, e.g. run.warmup: 0s to measure everything (--set run.warmup=0s)"
        )
    occupancy = np.mean([record.occupancy_ns for record in records], axis=0)
    return math.ceil(mser_5(occupancy) * BATCHES / len(occupancy))


def unsettled(records: Sequence[Record]) -> bool:
    """Whether MSER-5 would cut as much as it may: its minimum is at the bound, so the transient may well be longer."""
    occupancy = np.mean([record.occupancy_ns for record in records], axis=0)
    return bool(mser_5(occupancy) == occupancy.size // 5 // 2 * 5)


def given_cut(warmup_s: float, duration_s: float) -> int:
    """Batches to cut for a warm-up that the user gave, rounded up to whole batches.

    Raises
    ------
    UsageError
        When fewer than two batches would be left.
    """
    cut = math.ceil(round(warmup_s / duration_s * BATCHES, 9))
    if cut > BATCHES - 2:
        raise UsageError(
            f"run.warmup {warmup_s:g}s leaves nothing of run.duration {duration_s:g}s to measure; "
            f"make the warm-up at most {duration_s * (BATCHES - 2) / BATCHES:g}s or the duration longer"
        )
    return cut


def cut_batches(plane: Plane, records: Sequence[Record], warmup_s: float | None) -> int:
    """Batches to cut: as given, or found automatically when `warmup_s` is None."""
    if warmup_s is None:
        return automatic_cut(plane, records)
    return given_cut(warmup_s, records[0].duration_ns * 1e-9)
