"""Numbers as people read them."""

from __future__ import annotations

import math

import pytest

from meshsim.results.intervals import Estimate
from meshsim.results.text import amount, duration, duration_interval, number, percent, percent_interval, size


def sure(value: float, half: float) -> Estimate:
    return Estimate(value, value - half, value + half, 100, "")


@pytest.mark.parametrize(
    ("value", "half", "text"),
    [
        (1.9321e-3, 0.2134e-3, "1.93 ms ± 0.21"),
        (0.1e-3, 0.4e-3, "100 µs ± 400"),
        (-14.2e-3, 1.21e-3, "-14.2 ms ± 1.2"),
        (41.2345e-3, 0.0123e-3, "41.23 ms ± 0.01"),
        (2.0, 0.0, "2.00 s ± 0"),
        (0.0, 0.0, "0 s ± 0"),
        (123e-6, 4e-6, "123 µs ± 4"),
    ],
)
def test_durations_with_intervals(value: float, half: float, text: str) -> None:
    assert duration_interval(sure(value, half)) == text


def test_a_lopsided_interval_shows_both_ends() -> None:
    assert duration_interval(Estimate(0.1, 0.09, 0.2, 10, "")) == "100 ms (90.0 to 200)"


def test_unknown_and_infinite_are_words() -> None:
    assert duration_interval(Estimate(None, None, None, 0, "")) == "unknown"
    assert duration_interval(Estimate(0.1, None, None, 9, "too short")) == "100 ms (± unknown)"
    assert duration(math.inf).startswith("∞")
    assert percent(None) == "unknown"


def test_shares_near_one_keep_the_digits_that_count() -> None:
    assert percent(0.99987) == "99.987 %"
    assert percent(0.5) == "50.0 %"
    assert percent(0.00012) == "0.0120 %"
    assert percent(0.0) == "0 %"
    assert percent_interval(Estimate(0.999, 0.998, 0.9995, 10, "")) == "99.90 % (99.80 % to 99.950 %)"


def test_amounts_and_sizes() -> None:
    assert amount(sure(3.104, 0.12), "cores") == "3.10 ± 0.12 cores"
    assert size(1536 * 2**20) == "1.50 GiB"
    assert size(0) == "0 B"
    assert number(12345.6) == "12300"


def test_shares_beyond_their_ends_are_told_too() -> None:
    """An interval from few batches may reach below 0 or above 1."""
    assert percent(-0.031) == "-3.10 %"
    assert percent(1.25) == "125 %"
    assert percent_interval(Estimate(0.02, -0.01, 0.05, 9, "")) == "2.00 % (-1.00 % to 5.00 %)"
