"""Histograms of several replications over one set of buckets: quantiles beside numpy's, on the durations themselves."""

from __future__ import annotations

import numpy as np
import pytest
from queue_records import buckets, record

import meshsim as ms
from meshsim.engines.record import BATCHES, Record
from meshsim.results.histogram import COARSE_BITS
from meshsim.results.measured import pool
from meshsim.results.quantiles import Counted, quantile

DURATION_S = 40.0
CUT = 7


def replication(seed: int, least_s: float) -> tuple[Record, np.ndarray, np.ndarray]:
    """Latencies in ns of what came after the cut, answered and failed ones; slow ones before it."""
    rng = np.random.default_rng(seed)
    arrivals_s = np.sort(rng.uniform(0.0, DURATION_S, 4_000))
    latency_s = least_s * (1.0 + rng.exponential(0.2, arrivals_s.size))
    is_late = (np.round(arrivals_s * 1e9).astype(np.int64) * BATCHES) // round(DURATION_S * 1e9) >= CUT
    latency_s[~is_late] *= 10.0
    failed = rng.random(arrivals_s.size) < 0.1
    ns = np.round(latency_s * 1e9).astype(np.int64)
    made = record(arrivals_s, latency_s, latency_s, DURATION_S, failed)
    return made, ns[is_late & ~failed], ns[is_late & failed]


def check(counted: Counted, ns: list[np.ndarray], error: float, **bits: int) -> None:
    """As many in each bucket of each replication as there are, and quantiles as promised."""
    for number, durations in enumerate(ns):
        numbers, counts = np.unique(buckets(durations, **bits), return_counts=True)
        found = counted.counts[number].sum(axis=0)
        assert np.array_equal(counted.buckets[found > 0], numbers)
        assert np.array_equal(found[found > 0], counts)
    together = np.concatenate(ns)
    for p in (0.01, 0.25, 0.5, 0.9, 0.99):
        exact = np.quantile(together, p, method="inverted_cdf") * 1e-9
        assert quantile(counted, p).estimate.value == pytest.approx(exact, rel=error)


def test_replications_with_other_buckets_are_pooled_as_numpy_pools_them() -> None:
    """The second is never faster than the slowest half of the first, and what is cut off is slower than all."""
    first, second = replication(1, 0.0041), replication(2, 0.0056)
    measured = pool([first[0], second[0]], CUT)
    answered, failed = [first[1], second[1]], [first[2], second[2]]
    everything = [np.concatenate([*both]) for both in zip(answered, failed, strict=True)]
    check(measured.latencies([0], failed=False), answered, 0.001)
    check(measured.latencies_all([0]), everything, 0.001)
    check(measured.sojourns(0), everything, 0.016, bits=COARSE_BITS)


@pytest.mark.parametrize("work_us", [2_100, 4_200, 33_600, 4_300])
def test_a_constant_latency_is_told_to_a_tenth_of_a_per_cent(work_us: int) -> None:
    """Just above powers of two, where buckets are widest."""
    found = ms.run(
        {
            "meshsim": 1,
            "services": {"shop": {"cpu": 1, "endpoints": {"get": [{"work": f"{work_us}us"}]}}},
            "traffic": [{"name": "web", "entry": "shop.get", "arrivals": {"constant": "20/s"}}],
            "network": dict.fromkeys(("loopback", "same_node", "same_zone", "cross_zone", "client"), "0ms"),
            "run": {"duration": "20s", "warmup": "5s"},
        },
        "none",
        replications=2,
        quiet=True,
    )
    assert found.latency_s["p50"].value == pytest.approx(work_us * 1e-6, rel=0.001)
