"""Networks of stations: what theory says beyond the figures of `networks.py`."""

from __future__ import annotations

import math

import numpy as np
from builders import (
    call,
    choose,
    constant,
    exp,
    fail,
    latencies,
    outcomes,
    plane,
    poisson,
    run_long,
    service,
    total,
    work,
)

MEAN_S = 0.01


def test_visits_of_a_feedback_loop() -> None:
    """a calls b with p = 0.4 and b always calls a again: a is visited a geometric number of times, 1 / (1 - p)."""
    a = service("a", work(exp(MEAN_S)), call("b", p=0.4))
    b = service("b", work(exp(0.015)), call("a"))
    record = run_long(plane(a, b, arrivals=poisson(30.0), call_depth=500), 3_000.0)
    requests = len(latencies(record))
    variance = requests * 0.4 / 0.6**2
    assert abs(total(record, 0, "requests") - requests / 0.6) < 4.0 * math.sqrt(variance)


def test_choose_takes_options_by_their_shares() -> None:
    """Shares of a multinomial; what is missing to 1 does nothing."""
    top = service("top", choose((0.2, [work(constant(0.01))]), (0.5, [work(constant(0.001))])), cores=math.inf)
    values = np.round(latencies(run_long(plane(top, arrivals=poisson(500.0)), 200.0)), 6)
    for share, x in ((0.2, 0.01), (0.5, 0.001), (0.3, 0.0)):
        observed = float(np.mean(values == x))
        assert abs(observed - share) < 4.0 * math.sqrt(share * (1.0 - share) / len(values))


def test_retries_multiply_the_load() -> None:
    """Independent failures with chance q and r retries: tries are (1 - q^(r+1)) / (1 - q), failures q^(r+1)."""
    top = service("top", call("b", retries=2), cores=math.inf)
    flaky = service("b", work(constant(0.001)), fail(0.3), cores=math.inf)
    record = run_long(plane(top, flaky, arrivals=poisson(1000.0)), 150.0)
    n = len(latencies(record))
    assert record.requests is not None
    assert record.requests["tries"].sum() == total(record, 1, "requests")
    tries = np.array([1.0, 2.0, 3.0])
    chances = np.array([0.7, 0.21, 0.09])
    mean = float(tries @ chances)
    variance = float((tries - mean) ** 2 @ chances)
    assert abs(record.tries.sum() - n * mean) < 4.0 * math.sqrt(n * variance)
    failures = sum(outcome != 0 for outcome in outcomes(record))
    assert abs(failures - n * 0.027) < 4.0 * math.sqrt(n * 0.027 * 0.973)
