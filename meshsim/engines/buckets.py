"""Buckets of latency histograms: plain integer arithmetic, which the engines count with.

A bucket is a power of two (its octave) cut into equal parts: the layout of HdrHistogram (G. Tene, hdrhistogram.org),
with 512 parts an octave. Durations below 1024 ns have a bucket each; above, a bucket is at most 1/512 as wide as any
duration in it is long. Services use a coarser one of 32 parts an octave.
"""

from __future__ import annotations

from typing import Final

FINE_BITS: Final = 9  # 2**9 = 512 buckets an octave
COARSE_BITS: Final = 5  # 32 buckets an octave
TOP_NS: Final = 2**44  # 4.9 hours: the last bucket takes everything from here on
#: Number of buckets: the exact ones, those of the octaves below `TOP_NS`, and one for the rest.
FINE_BUCKETS: Final = ((44 - FINE_BITS + 1) << FINE_BITS) + 1
COARSE_BUCKETS: Final = ((44 - COARSE_BITS + 1) << COARSE_BITS) + 1


def bucket(ns: int) -> int:
    """Fine bucket of a duration in nanoseconds.

    Plain integer arithmetic, so that ``numba.njit`` compiles it as it stands. A negative duration counts as 0.

    Examples
    --------
    >>> bucket(511), bucket(1023), bucket(1024), bucket(1025), bucket(1026)
    (511, 1023, 1024, 1024, 1025)
    """
    if ns < 0:
        return 0
    if ns >= TOP_NS:
        return FINE_BUCKETS - 1
    octave = max(ns.bit_length() - FINE_BITS - 1, 0)  # how many low bits of the duration are dropped
    return (octave << FINE_BITS) + (ns >> octave)


def bucket_coarse(ns: int) -> int:
    """Coarse bucket of a duration in nanoseconds (32 an octave); otherwise like `bucket`.

    Examples
    --------
    >>> bucket_coarse(31), bucket_coarse(63), bucket_coarse(64), bucket_coarse(65), bucket_coarse(66)
    (31, 63, 64, 64, 65)
    """
    if ns < 0:
        return 0
    if ns >= TOP_NS:
        return COARSE_BUCKETS - 1
    octave = max(ns.bit_length() - COARSE_BITS - 1, 0)
    return (octave << COARSE_BITS) + (ns >> octave)
