"""What a group of requests met (all of them, or a tenant's): latencies, outcomes, objectives."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Final, Literal

import numpy as np

from meshsim.engines.record import OUTCOMES, UNFINISHED
from meshsim.model.traffic import Objective
from meshsim.results import histogram
from meshsim.results.curve import LatencyCurve, latency_curve
from meshsim.results.intervals import Estimate, Statistic, finite, per_batch, ratio, share
from meshsim.results.measured import Measured
from meshsim.results.quantiles import Counted, independent, quantile, quantile_share

#: Latency quantities of every result, in the order of reports.
QUANTITIES: Final = ("mean", "p50", "p90", "p95", "p99", "p99.9")

Judgement = Literal["met", "missed", "undecided"]


@dataclass(frozen=True, slots=True)
class Judged:
    """An objective and whether it was kept.

    Attributes
    ----------
    quantity, limit
        The objective: seconds, or a share for ``availability``.
    judgement
        ``undecided`` when the limit is within the interval.
    estimate
        What was measured. A latency quantile counts failed and unfinished requests as infinitely slow (so that
        shedding buys nothing) and is ``inf`` when it falls among them. So is a mean with any of them: an objective
        for the mean is missed as soon as one request failed or was not finished.
    within
        Share of all requests answered within the limit, which decides about a quantile; None for other quantities.
    """

    quantity: str
    limit: float
    judgement: Judgement
    estimate: Estimate
    within: Estimate | None

    def to_dict(self) -> dict[str, object]:
        """For JSON."""
        return {
            "quantity": self.quantity,
            "limit": self.limit,
            "judgement": self.judgement,
            **self.estimate.to_dict(),
            "method": self.estimate.method,
            "within": None if self.within is None else self.within.to_dict(),
        }


@dataclass(frozen=True, slots=True, eq=False)
class Traffic:
    """Requests of a tenant, or of everybody.

    Attributes
    ----------
    requests
        Requests that arrived after the warm-up, in all replications.
    latency
        By quantity (`QUANTITIES`), over requests answered ok or degraded; seconds.
    latency_all
        The same over all requests: failed ones with the time until they failed, unfinished ones infinitely slow, so
        that the mean is infinite with any of them.
    curve
        Distribution of `latency` among all requests.
    outcomes
        Requests by outcome.
    availability
        Share answered ok or degraded.
    goodput
        Requests answered ok or degraded, per second of arrivals.
    tries
        Tries of application calls made for them, and retries of enforcers.
    objectives
        Judged one by one.
    requests_by_replication
        `requests` of each.
    """

    requests: int
    latency: dict[str, Statistic]
    latency_all: dict[str, Statistic]
    curve: LatencyCurve
    outcomes: dict[str, int]
    availability: Statistic
    goodput: Statistic
    tries: int
    objectives: tuple[Judged, ...] = ()
    requests_by_replication: tuple[int, ...] = ()

    @property
    def latency_s(self) -> dict[str, Estimate]:
        """Estimates of `latency`."""
        return {name: statistic.estimate for name, statistic in self.latency.items()}

    @property
    def latency_all_s(self) -> dict[str, Estimate]:
        """Estimates of `latency_all`."""
        return {name: statistic.estimate for name, statistic in self.latency_all.items()}

    @property
    def shares(self) -> dict[str, float | None]:
        """Share of requests by outcome."""
        return {name: count / self.requests if self.requests else None for name, count in self.outcomes.items()}

    def to_dict(self) -> dict[str, object]:
        """For JSON."""
        return {
            "requests": self.requests,
            "latency_s": {name: estimate.to_dict() for name, estimate in self.latency_s.items()},
            "latency_all_s": {name: estimate.to_dict() for name, estimate in self.latency_all_s.items()},
            "outcomes": {
                name: {"requests": count, "share": finite(self.shares[name])} for name, count in self.outcomes.items()
            },
            "availability": self.availability.estimate.to_dict(),
            "goodput_per_s": self.goodput.estimate.to_dict(),
            "tries": self.tries,
            "objectives": [judged.to_dict() for judged in self.objectives],
            "by_replication": {
                "latency_s": {name: statistic.by_replication() for name, statistic in self.latency.items()},
                "availability": self.availability.by_replication(),
                "goodput_per_s": self.goodput.by_replication(),
            },
        }


def traffic(
    measured: Measured, streams: Sequence[int], objectives: Sequence[Objective] = (), *, level: float = 0.95
) -> Traffic:
    """Sum up some streams.

    Parameters
    ----------
    measured
        What was measured.
    streams
        Numbers of the streams.
    objectives
        To be judged.
    level
        Confidence of the intervals.
    """
    rows = list(streams)
    answered, everything = measured.answered(rows), measured.all_requests(rows)
    unfinished = int(measured.counts[rows][..., UNFINISHED].sum())
    means = _mean(measured, rows, level)
    means_all = ratio(measured.latency_all_ns[rows].sum(axis=0), everything, level=level, scale=1e-9)
    if unfinished:
        means_all = Statistic(_infinite(means_all.estimate.n, f"{unfinished:,} requests were not finished"), None)
    latencies = measured.latencies(rows, failed=False)
    by_outcome = measured.counts[rows].sum(axis=(0, 1, 2)).tolist()
    return Traffic(
        requests=int(everything.sum()),
        latency=_quantities(means, latencies, level),
        latency_all=_quantities(means_all, measured.latencies_all(rows), level),
        curve=latency_curve(latencies, int(everything.sum())),
        outcomes=dict(zip(OUTCOMES, by_outcome, strict=True)),
        availability=share(answered, everything, level=level, independent=independent(measured.latencies_all(rows))),
        goodput=per_batch(answered / measured.batch_s, level=level),
        tries=int(measured.tries[rows].sum()),
        objectives=tuple(judge_objective(measured, rows, objective, level=level) for objective in objectives),
        requests_by_replication=tuple(everything.sum(axis=1).tolist()),
    )


def _mean(measured: Measured, rows: list[int], level: float) -> Statistic:
    return ratio(measured.latency_ns[rows].sum(axis=0), measured.answered(rows), level=level, scale=1e-9)


def _quantities(mean: Statistic, counted: Counted, level: float) -> dict[str, Statistic]:
    quantiles = {name: quantile(counted, quantile_share(name), level=level) for name in QUANTITIES[1:]}
    return {"mean": mean, **quantiles}


def judge_objective(measured: Measured, streams: Sequence[int], objective: Objective, *, level: float = 0.95) -> Judged:
    """Judge one objective of some streams.

    Parameters
    ----------
    measured
        What was measured.
    streams
        Numbers of the streams.
    level
        Confidence of the interval that decides.
    """
    rows = list(streams)
    answered, everything = measured.answered(rows), measured.all_requests(rows)
    if objective.quantity == "availability":
        worth = independent(measured.latencies_all(rows))
        estimate = share(answered, everything, level=level, independent=worth).estimate
        judgement = _compare(estimate.low, objective.limit, estimate.high)
        return Judged(objective.quantity, objective.limit, judgement, estimate, None)
    if objective.quantity == "mean":
        failures = int(everything.sum() - answered.sum())
        if failures:
            why = f"{failures:,} requests failed or were not finished"
            return Judged(objective.quantity, objective.limit, "missed", _infinite(int(everything.sum()), why), None)
        estimate = _mean(measured, rows, level).estimate
        judgement = _compare(_negative(estimate.high), -objective.limit, _negative(estimate.low))
        return Judged(objective.quantity, objective.limit, judgement, estimate, None)
    p = quantile_share(objective.quantity)
    counted = measured.latencies(rows, failed=True)
    position = np.searchsorted(counted.buckets, histogram.bucket(round(objective.limit * 1e9)), side="right")
    hits, worth = counted.counts[:, :, :position].sum(axis=2), independent(counted)
    within = share(hits, everything, level=level, independent=worth).estimate
    estimate = quantile(counted, p, level=level).estimate
    judgement = _compare(within.low, p, within.high)
    if judgement == "met" and estimate.low is None:  # too short for the quantile is too short to promise it
        judgement = "undecided"
    return Judged(objective.quantity, objective.limit, judgement, estimate, within)


def _infinite(n: int, why: str) -> Estimate:
    """A mean with requests that count as infinitely slow."""
    return Estimate(math.inf, None, None, n, f"{why}: these count as infinitely slow")


def _negative(value: float | None) -> float | None:
    return None if value is None else -value


def _compare(low: float | None, least: float, high: float | None) -> Judgement:
    """Whether a quantity that should be at least `least` is, by its interval."""
    if low is not None and low >= least:
        return "met"
    return "missed" if high is not None and high < least else "undecided"
