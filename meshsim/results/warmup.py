"""Where the warm-up ends: MSER-5 on the requests in the plane, and MSER on what caches hit and what sessions send.

MSER cuts where the standard error of the mean of what is left is least; MSER-5 does so on averages of five
observations. K. P. White, M. J. Cobb and S. C. Spratt, "A comparison of five steady-state truncation heuristics for
simulation", Winter Simulation Conference 2000; W. W. Franklin and K. P. White, "Stationarity tests and MSER-5:
exploring the intuition behind mean-squared-error-reduction in detecting and correcting initialization bias", ibid.,
2008.

Caches start empty, and fill long after the queues have settled. Their hits are counted by batch and not more finely, so
the observations of MSER are the 40 batches themselves, each an average over many lookups already. With so few of them
noise alone makes MSER cut, of a third of all steady caches, and of ten beside each other nearly always; so a cut counts
only where the hit ratio before it is `SURE` standard errors from that behind it.

Sessions do not start in the middle either: what they send has come to its rate only when the longest that are under way
have begun. Requests in the plane, few beside users who think, do not show that, and what sessions send comes in bursts
that MSER takes for a transient; so their warm-up is worked out from the topology.
"""

from __future__ import annotations

import math
from collections.abc import Sequence

import numpy as np
import numpy.typing as npt

from meshsim.architectures.plane import Plane
from meshsim.engines.record import BATCHES, Record
from meshsim.errors import UsageError
from meshsim.model.traffic import STATIONARY, Sessions

#: Standard errors by which hit ratios must differ to be a transient: one in a thousand cuts of noise does (assumed).
SURE = 4.0
_SETTLED = 0.99  # of what sessions send, when their warm-up is over (assumed)


def mser(observations: npt.ArrayLike) -> int:
    """Number of leading observations to cut, at most half of them.

    Examples
    --------
    >>> mser([0, 5] + [9, 11] * 10)
    2
    """
    values = np.asarray(observations, dtype=np.float64)
    best, cut = math.inf, 0
    for d in range(values.size // 2 + 1):
        rest = values[d:]
        score = float(np.sum((rest - rest.mean()) ** 2)) / rest.size**2
        if score < best:
            best, cut = score, d
    return cut


def mser_5(series: npt.ArrayLike) -> int:
    """Number of leading observations to cut, a multiple of 5 and at most half of the series.

    Examples
    --------
    >>> mser_5([0, 2, 4, 6, 8] + [9, 11] * 50)
    5
    """
    observations = np.asarray(series, dtype=np.float64)
    return mser(observations[: observations.size // 5 * 5].reshape(-1, 5).mean(axis=1)) * 5


def automatic_cut(plane: Plane, records: Sequence[Record]) -> int:
    """Batches to cut from the start of every replication: as many as occupancy (MSER-5, rounded up) or a cache needs.

    All replications are averaged first, as Welch (1983) does: noise goes, the transient stays.

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
    of_queues = math.ceil(mser_5(occupancy) * BATCHES / len(occupancy))
    return max(of_queues, cut_of_caches(records), cut_of_sessions(plane, records[0].duration_ns * 1e-9))


def cut_of_caches(records: Sequence[Record]) -> int:
    """Batches that MSER cuts for the cache whose hit ratio takes longest to settle; 0 without caches.

    Batches in which nothing was looked up have no hit ratio, and are left out.
    """
    lookups = sum(record.caches["lookups"][:, :, :BATCHES].sum(axis=1) for record in records)
    hits = sum(record.caches["hits"][:, :, :BATCHES].sum(axis=1) for record in records)
    longest = 0
    for asked, found in zip(np.asarray(lookups), np.asarray(hits), strict=True):
        used = np.flatnonzero(asked)
        ratios = found[used] / asked[used]
        cut = mser(ratios) if used.size > 1 else 0
        if cut and _differ(ratios[:cut], ratios[cut:]):
            longest = max(longest, int(used[cut]))
    return longest


def settling_s(sessions: Sessions) -> float:
    """Seconds until sessions send 99 % of what they will, without the time that answers take.

    Request number i of a session comes after i gaps, so that a part of the rate is missing for so long: that of the
    requests with higher numbers. Of distributions other than the usual ones as if they were geometric (assumed).

    Examples
    --------
    >>> from meshsim.model.distributions import Distribution, constant
    >>> round(settling_s(Sessions(requests=Distribution(kind="geometric", params=(8.0,)), gap=constant(0.1))), 2)
    3.45
    >>> settling_s(Sessions(requests=constant(3.0), gap=constant(0.5)))
    1.0
    """
    requests = sessions.requests
    mean = requests.mean()
    if mean <= 1.0:
        return 0.0
    later = mean - 1.0 if requests.kind == "constant" else math.log(1.0 - _SETTLED) / math.log(1.0 - 1.0 / mean)
    return later * sessions.gap.mean()


def _sessions_settle_s(plane: Plane) -> float:
    return max((settling_s(stream.sessions) for stream, _ in plane.entries if stream.sessions), default=0.0)


def cut_of_sessions(plane: Plane, duration_s: float) -> int:
    """Batches until sessions send what they will; half of the run at most."""
    return min(BATCHES // 2, math.ceil(_sessions_settle_s(plane) / duration_s * BATCHES - 1e-9))


def _differ(before: npt.NDArray[np.float64], after: npt.NDArray[np.float64]) -> bool:
    """Whether means differ by more than the scatter of what is steady would make them."""
    error = float(after.std(ddof=1)) * math.sqrt(1.0 / before.size + 1.0 / after.size) if after.size > 1 else math.inf
    return abs(float(before.mean() - after.mean())) > SURE * error


def unsettled(plane: Plane, records: Sequence[Record]) -> bool:
    """Whether MSER would cut as much as it may: its minimum is at the bound, so the transient may well be longer."""
    occupancy = np.mean([record.occupancy_ns for record in records], axis=0)
    longest = max(cut_of_caches(records), cut_of_sessions(plane, records[0].duration_ns * 1e-9))
    return bool(mser_5(occupancy) == occupancy.size // 5 // 2 * 5) or longest >= BATCHES // 2


def given_cut(warmup_s: float, duration_s: float, first_event_s: float = math.inf) -> int:
    """Batches to cut for a warm-up that the user gave, rounded up to whole batches.

    It is rounded down where an event begins before that: it has to be measured.

    Raises
    ------
    UsageError
        When fewer than two batches would be left.
    """
    exact = round(warmup_s / duration_s * BATCHES, 9)
    cut = math.ceil(exact)
    if cut * duration_s / BATCHES > first_event_s:
        cut = math.floor(exact)
    if cut > BATCHES - 2:
        raise UsageError(
            f"run.warmup {warmup_s:g}s leaves nothing of run.duration {duration_s:g}s to measure; "
            f"make the warm-up at most {duration_s * (BATCHES - 2) / BATCHES:g}s or the duration longer"
        )
    return cut


def cut_batches(
    plane: Plane, records: Sequence[Record], warmup_s: float | None, first_event_s: float = math.inf
) -> int:
    """Batches to cut: as given, or found automatically when `warmup_s` is None."""
    if warmup_s is None:
        return automatic_cut(plane, records)
    return given_cut(warmup_s, records[0].duration_ns * 1e-9, first_event_s)
