"""Buckets against numpy's floating-point exponents, quantiles against numpy's."""

from __future__ import annotations

import math

import numba
import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from meshsim.results import histogram as h

DURATIONS = st.one_of(st.integers(0, 5000), st.integers(0, 2**44 - 1))


def expected_bucket(ns: int, bits: int) -> int:
    """By the exponent of the number as a float: a way of its own."""
    exponent = math.frexp(float(ns))[1] - 1
    octave = max(0, exponent - bits)
    return octave * 2**bits + int(ns / 2**octave)


@given(DURATIONS)
def test_buckets_follow_the_bits_of_the_duration(ns: int) -> None:
    assert h.bucket(ns) == expected_bucket(ns, 9)
    assert h.bucket_coarse(ns) == expected_bucket(ns, 5)


@given(DURATIONS)
def test_a_duration_read_back_is_within_the_promised_error(ns: int) -> None:
    assert abs(h.value_ns(h.bucket(ns)) - ns) <= 0.001 * ns
    assert abs(h.value_ns(h.bucket_coarse(ns), bits=h.COARSE_BITS) - ns) <= 0.016 * ns


def test_buckets_follow_each_other_without_gap() -> None:
    for bits, count in ((h.FINE_BITS, h.FINE_BUCKETS), (h.COARSE_BITS, h.COARSE_BUCKETS)):
        edges = [h.lower_edge_ns(number, bits=bits) for number in range(count)]
        ends = [edge + h.width_ns(number, bits=bits) for number, edge in enumerate(edges)]
        assert edges[0] == 0
        assert edges[1:] == ends[:-1]
        assert edges[-1] == h.TOP_NS


@pytest.mark.parametrize("ns", [2**44, 2**50, 2**62])
def test_the_last_bucket_takes_the_rest(ns: int) -> None:
    assert h.bucket(ns) == h.FINE_BUCKETS - 1
    assert h.bucket_coarse(ns) == h.COARSE_BUCKETS - 1


def test_numba_compiles_the_rule_as_it_stands() -> None:
    fine, coarse = numba.njit(h.bucket), numba.njit(h.bucket_coarse)
    for ns in [-5, 0, 1, 31, 32, 511, 512, 1023, 1024, 10**6, 2**44 - 1, 2**44, 2**60]:
        assert fine(ns) == h.bucket(ns)
        assert coarse(ns) == h.bucket_coarse(ns)


@given(st.lists(st.integers(0, 10**10), min_size=1, max_size=200), st.sampled_from([0.01, 0.25, 0.5, 0.9, 0.99, 0.999]))
def test_quantiles_are_those_of_numpy(sample: list[int], q: float) -> None:
    exact = np.quantile(np.array(sample), q, method="inverted_cdf")
    counts = np.bincount([h.bucket(ns) for ns in sample], minlength=h.FINE_BUCKETS)
    assert h.quantile(counts, q) == pytest.approx(exact, rel=0.001)


def test_a_rank_is_not_pushed_up_by_binary_fractions() -> None:
    assert h.rank(0.999, 1000) == 999
    assert h.rank(0.07, 100) == 7  # 0.07 * 100 is 7.000000000000001 in binary


def test_requests_above_shift_the_quantile_to_infinity() -> None:
    counts = np.zeros(h.FINE_BUCKETS, int)
    counts[100] = 980
    assert h.quantile(counts, 0.95, above=20) == 100
    assert h.quantile(counts, 0.99, above=20) == math.inf
    assert h.quantile(np.zeros(5), 0.5) is None
