"""One station: what theory says beyond the figures of `stations.py`."""

from __future__ import annotations

import math

import numpy as np
from builders import (
    constant,
    either,
    exp,
    latencies,
    lognormal,
    plane,
    poisson,
    rows,
    run_long,
    service,
    total,
    work,
)
from estimates import assert_mean
from scipy import stats

from meshsim.engines.record import QUEUE_FULL

MEAN_S = 0.01  # of a service time
RATE = 50.0  # of requests: one core is half busy
SECONDS = 5_000.0


def test_sojourn_of_mm1_fifo_is_exponential() -> None:
    """M/M/1 FIFO: the sojourn time is exponential with rate mu - lambda (Kleinrock 1, 5.12)."""
    values = latencies(run_long(plane(service("a", work(exp(MEAN_S))), arrivals=poisson(RATE)), 6 * SECONDS, seed=2))
    for share in (0.05, 0.25, 0.5):
        assert_mean(values > -math.log(share) / (1.0 / MEAN_S - RATE), share, within=0.05)


def test_every_rejection_is_counted_at_the_station_and_at_the_request() -> None:
    """M/M/2/5: whoever finds the room full is rejected, those who come after the duration too."""
    station = service("a", work(exp(MEAN_S)), cores=2, concurrency=2, queue=3)
    record = run_long(plane(station, arrivals=poisson(200.0)), 300.0)
    assert record.requests is not None
    rejected = (record.requests["outcome"] == QUEUE_FULL).sum()
    assert total(record, 0, "rejected") == rejected > 0


def test_processor_sharing_is_insensitive_and_fair() -> None:
    """M/G/1-PS: E[T | x] = x / (1 - rho) for every demand x, here as the spans tell it (Kleinrock 2, 4.4)."""
    demand = either(0.8, constant(0.004), constant(0.034))
    record = run_long(plane(service("a", work(demand), discipline="ps"), arrivals=poisson(RATE)), SECONDS, spans=True)
    sojourn, used = latencies(record), record.spans["demand_ns"] / 1e9
    assert np.array_equal(record.spans["request"], rows(record)["number"])
    for x in (0.004, 0.034):
        assert_mean(sojourn[np.isclose(used, x)], x / 0.5, within=0.03)


def test_unlimited_cores_are_m_g_infinity() -> None:
    """M/G/infinity: the number present is Poisson with mean lambda E[S] (Takacs 1962)."""
    station = service("a", work(lognormal(0.1, 1.0)), cores=math.inf)
    record = run_long(plane(station, arrivals=poisson(200.0)), 600.0)
    counted = rows(record)
    epochs = np.arange(5, 599) * 1_000_000_000  # a second is ten service times: nearly independent
    present = ((counted["arrival_ns"] <= epochs[:, None]) & (counted["end_ns"] > epochs[:, None])).sum(axis=1)
    assert abs(present.mean() - 20.0) < 4.0 * math.sqrt(20.0 / len(epochs))
    dispersion = ((present - present.mean()) ** 2).sum() / present.mean()
    assert 1e-4 < stats.chi2.cdf(dispersion, len(epochs) - 1) < 1.0 - 1e-4
