"""How sure a figure is: intervals of means and shares from one run in batches, or from several runs."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

LEVEL = 0.99
"""Confidence of each interval: of 40 rows that agree in truth, one in 25 runs of the lab shows one that does not."""

BATCHES = 20
"""Parts of one run, in order of time: what a request does to those after it stays mostly within a part."""

Floats = npt.NDArray[np.float64]


@dataclass(frozen=True, slots=True)
class Figure:
    """A figure and half the width of its interval at `LEVEL`.

    Attributes
    ----------
    value
        Mean of the values.
    half
        Half the width of the interval around it.
    values
        How many there were.
    """

    value: float
    half: float
    values: int


def figure(runs: Sequence[Sequence[float]], *, share: bool) -> Figure:
    """Mean of the values of some runs, with its interval.

    One run is cut into `BATCHES` parts; of several, each is a part. The interval is Student's over the means of the
    parts. Values that never differ have no spread: shares then have Wilson's interval, which knows that the next value
    may differ.

    Parameters
    ----------
    runs
        Values of each run in order of time. Runs without values do not count.
    share
        Values are 0 and 1.

    Examples
    --------
    >>> seen = figure([[0.0, 1.0] * 500], share=True)
    >>> seen.value, round(seen.half, 3)  # z * 0.5 / sqrt(1000)
    (0.5, 0.041)
    """
    full = [np.asarray(run, dtype=np.float64) for run in runs if len(run)]
    if not full:
        return Figure(math.nan, math.inf, 0)
    everything = np.concatenate(full)
    parts = _batches(full[0]) if len(full) == 1 else full
    half = _student(np.array([part.mean() for part in parts]))
    if share:
        half = max(half, _wilson(everything))
    return Figure(float(everything.mean()), half, everything.size)


def _batches(run: Floats) -> list[Floats]:
    return np.array_split(run, min(BATCHES, run.size))


def _student(means: Floats) -> float:
    """Half-width of Student's interval of the mean of equally long parts; 0 if they do not differ."""
    from scipy.stats import t

    if means.size < 2:
        return 0.0
    spread = float(means.std(ddof=1)) / math.sqrt(means.size)
    return float(t.ppf((1 + LEVEL) / 2, means.size - 1)) * spread


def _wilson(values: Floats) -> float:
    """Distance from the share to the further end of Wilson's interval (Wilson 1927, JASA 22:209)."""
    from scipy.stats import norm

    z = float(norm.ppf((1 + LEVEL) / 2))
    n, share = values.size, float(values.mean())
    centre = (share + z * z / (2 * n)) / (1 + z * z / n)
    half = z / (1 + z * z / n) * math.sqrt(share * (1 - share) / n + z * z / (4 * n * n))
    return max(share - (centre - half), (centre + half) - share)
