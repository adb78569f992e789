"""Confidence of a mean from one run, by batch means, and the one way in which theory tests compare."""

from __future__ import annotations

import math

import numpy as np
import numpy.typing as npt

BATCHES = 32  # few enough that batches are longer than a busy period, many enough that z < 4 holds


def batch_means(values: npt.ArrayLike, warmup: float = 0.1) -> tuple[float, float]:
    """Mean of a stationary sequence and its standard error (Law, "Simulation Modeling and Analysis", 9.5.3)."""
    array = np.asarray(values, dtype=np.float64)
    kept = array[int(len(array) * warmup) :]
    kept = kept[len(kept) % BATCHES :]
    means = kept.reshape(BATCHES, -1).mean(axis=1)
    return float(means.mean()), float(means.std(ddof=1) / math.sqrt(BATCHES))


def assert_mean(values: npt.ArrayLike, expected: float, *, within: float, warmup: float = 0.1) -> None:
    """The mean is within four standard errors, and four standard errors are at most `within` of what is expected.

    The second condition is the power of the test: a run too short to see an error of `within` fails as well.
    """
    mean, error = batch_means(values, warmup)
    assert 4.0 * error <= within * abs(expected), f"too noisy: 4 x {error:.3g} is over {within:.0%} of {expected:.4g}"
    assert abs(mean - expected) < 4.0 * error, f"{mean:.5g} against {expected:.5g}: z = {(mean - expected) / error:.2f}"


def assert_count(observed: float, expected: float, variance: float) -> None:
    """A count whose mean and variance are known is within four standard deviations."""
    z = (observed - expected) / math.sqrt(variance)
    assert abs(z) < 4.0, f"{observed} against {expected:.1f}: z = {z:.2f}"
