"""Latency histograms: what a bucket stands for, and quantiles of what was counted.

A bucket is told as its midpoint: a value read back is wrong by less than 0.1 % (services: 1.6 %). Histograms merge by
addition, in any order, without loss.
"""

from __future__ import annotations

import math

import numpy as np
import numpy.typing as npt

from meshsim.engines.buckets import COARSE_BITS, COARSE_BUCKETS, FINE_BITS, FINE_BUCKETS, TOP_NS, bucket, bucket_coarse

__all__ = [
    "COARSE_BITS",
    "COARSE_BUCKETS",
    "FINE_BITS",
    "FINE_BUCKETS",
    "TOP_NS",
    "bucket",
    "bucket_coarse",
    "bucket_count",
    "lower_edge_ns",
    "quantile",
    "rank",
    "value_ns",
    "width_ns",
]


def lower_edge_ns(number: int, *, bits: int = FINE_BITS) -> int:
    """Shortest duration of a bucket, in nanoseconds; ``bits`` says of which histogram."""
    octave = max(0, (number >> bits) - 1)
    return (number - (octave << bits)) << octave


def width_ns(number: int, *, bits: int = FINE_BITS) -> int:
    """How many different durations (whole nanoseconds) a bucket holds; 1 for the last, open one."""
    if number >= bucket_count(bits) - 1:
        return 1
    return 1 << max(0, (number >> bits) - 1)


def bucket_count(bits: int) -> int:
    """Number of buckets of the histogram with ``2**bits`` parts an octave."""
    return ((44 - bits + 1) << bits) + 1


def value_ns(number: int, *, bits: int = FINE_BITS) -> float:
    """Duration that stands for a bucket: the mean of its whole nanoseconds. The last bucket tells its lower edge.

    Examples
    --------
    >>> value_ns(100), value_ns(bucket(1024)), value_ns(bucket(1_000_000))
    (100.0, 1024.5, 999935.5)
    """
    return lower_edge_ns(number, bits=bits) + (width_ns(number, bits=bits) - 1) / 2


def rank(p: float, n: int) -> int:
    """Rank (1 .. n) of the observation that is the `p` quantile of `n`.

    The smallest observation with at least a share `p` of all at or below it: definition 1 of Hyndman and Fan, "Sample
    quantiles in statistical packages", The American Statistician 50 (1996); numpy's ``inverted_cdf``.
    """
    # p * n in binary may come out just above a whole number (0.999 * 1000), which would cost a rank
    return min(n, max(1, math.ceil(p * n - 1e-9 * max(1.0, p * n))))


def quantile(
    histogram: npt.ArrayLike, q: float, *, above: int = 0, buckets: npt.ArrayLike | None = None, bits: int = FINE_BITS
) -> float | None:
    """Quantile of the durations counted in a histogram, in nanoseconds.

    Parameters
    ----------
    histogram
        Counts by bucket.
    q
        Between 0 and 1; see `rank` for the rule.
    above
        Further observations that are slower than all of these, such as failed requests, which an objective counts as
        infinitely slow.
    buckets
        Numbers of the buckets that `histogram` holds, ascending, when it does not hold all.
    bits
        Which histogram: `FINE_BITS` or `COARSE_BITS`.

    Returns
    -------
    float or None
        ``inf`` when the quantile is among those above; None when nothing was counted.

    Examples
    --------
    >>> counts = [0] * FINE_BUCKETS
    >>> counts[bucket(300)], counts[bucket(500)] = 99, 1
    >>> quantile(counts, 0.99), quantile(counts, 0.995), quantile(counts, 0.99, above=10)
    (300.0, 500.0, inf)
    """
    below = np.cumsum(np.asarray(histogram, dtype=np.int64))
    n = int(below[-1]) + above if below.size else above
    if n == 0:
        return None
    position = int(np.searchsorted(below, rank(q, n)))
    if position == below.size:
        return math.inf
    return value_ns(position if buckets is None else int(np.asarray(buckets)[position]), bits=bits)
