"""By how much a number changed between two runs, as an interval.

Latencies, rates and utilisations are positive, so that their change is a factor: its interval is made of logarithms,
and no change is ever below -100 %. Availabilities are subtracted.

*Paired*: runs with the same seed meet the same requests, and their numbers rise and fall together. What each
replication says is subtracted from what it said then; replications are independent, so Student's t of their differences
holds whatever the two have in common, even nothing (A. M. Law, "Simulation Modeling and Analysis", 10.2.1, the paired-t
interval).

*Independent*: the interval is made from the two sides' own arms (G. Y. Zou and A. Donner, "Construction of confidence
limits about effect measures: a general approach", Statistics in Medicine 27, 2008; for shares R. G. Newcombe 1998).
"""

from __future__ import annotations

import math
from typing import Final

from meshsim.results.histogram import FINE_BITS
from meshsim.results.intervals import FEW_EVENTS, t_quantile
from meshsim.results.stored_result import Number

Arms = tuple[float, float]
_ROUNDING: Final = 2.0**-FINE_BITS  # of two quantiles, each of half a bucket of a histogram
_TINY: Final = 1e-6  # relative: times are whole nanoseconds, and what differs by that alone is not worse (assumed)
_LONGEST: Final = 700.0  # logarithm of the largest factor that is told: e to the 709 is no number


def change(quantity: str, then: Number, now: Number, stretched: Arms, level: float, *, paired: bool) -> Number | None:
    """Give now less then; None where there is too little for an interval.

    Parameters
    ----------
    quantity
        E.g. ``latency_s.p99`` or ``availability``.
    then, now
        Both have a value.
    stretched
        By how much the arms of then and of now get longer at `level`.
    level
        Confidence.
    paired
        Take the replications in pairs, if both numbers have them.
    """
    if not paired or then.parts is None or now.parts is None:
        return _independent(quantity, then, now, stretched)
    found = _paired(quantity, then, now, level)
    if quantity != "availability" or not (_few(then) or _few(now)):
        return found
    # a handful of failures may be in none of the replications: see `meshsim.results.intervals.share_difference`
    alone = _independent(quantity, then, now, stretched)
    return None if alone is None else _wider(found, alone)


def _few(share: Number) -> bool:
    assert share.value is not None
    return min(share.value, 1.0 - share.value) * share.requests < FEW_EVENTS


def _wider(one: Number, other: Number) -> Number:
    assert one.low is not None and other.low is not None and one.high is not None and other.high is not None
    return Number(one.value, min(one.low, other.low), max(one.high, other.high))


def _paired(quantity: str, then: Number, now: Number, level: float) -> Number:
    """Student's interval of the differences, replication by replication."""
    assert then.value is not None and now.value is not None and then.parts is not None and now.parts is not None
    logs = _as_factor(quantity, then.value, now.value)
    before, after = ([(part - one) / (one if logs else 1.0) for part in parts] for one, parts in (
        (then.value, then.parts), (now.value, now.parts)
    ))  # fmt: skip
    n = len(before)
    squares = math.fsum((b - a) ** 2 for a, b in zip(before, after, strict=True))
    half = t_quantile(0.5 + level / 2, n - 1) * math.sqrt(squares / (n * (n - 1)))
    half += _ROUNDING if quantity.startswith("latency_s.p") else _TINY * (1.0 if logs else abs(then.value))
    return _interval(quantity, then.value, now.value, (half, half), logs=logs)


def _independent(quantity: str, then: Number, now: Number, stretched: Arms) -> Number | None:
    """Interval from the arms of both, as if chance had nothing to do with chance then."""
    if then.value is None or now.value is None or None in (then.low, then.high, now.low, now.high):
        return None
    assert then.low is not None and now.low is not None
    logs = _as_factor(quantity, min(then.value, then.low), min(now.value, now.low))
    (below_then, above_then), (below, above) = (
        [arm * longer for arm in _arms(one, logs=logs)] for one, longer in zip((then, now), stretched, strict=True)
    )
    arms = (math.hypot(below, above_then), math.hypot(above, below_then))
    return _interval(quantity, then.value, now.value, arms, logs=logs)


def _as_factor(quantity: str, then: float, now: float) -> bool:
    return quantity != "availability" and min(then, now) > 0.0


def _arms(one: Number, *, logs: bool) -> Arms:
    """Lengths of an interval below and above its value, or of its logarithm."""
    assert one.value is not None and one.low is not None and one.high is not None
    if logs:
        return math.log(one.value / one.low), math.log(one.high / one.value)
    return one.value - one.low, one.high - one.value


def _interval(quantity: str, then: float, now: float, arms: Arms, *, logs: bool) -> Number:
    """Now less then, within what is possible."""
    if logs:
        factor = math.log(now / then)
        ends = (factor - arms[0], min(factor + arms[1], _LONGEST))
        low, high = (then * math.expm1(end) for end in ends)
        return Number(now - then, low, high)
    low, high = now - then - arms[0], now - then + arms[1]
    if quantity == "availability":
        return Number(now - then, max(low, -1.0), min(high, 1.0))
    return Number(now - then, max(low, -then), high)
