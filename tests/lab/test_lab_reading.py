"""Readers, on requests written by hand."""

from __future__ import annotations

import pytest

from meshsim.lab import reading
from meshsim.lab.observed import OK, OVERFLOW, Request, Try


def request(number: int, *tries: Try, sent_s: float = 0.0, outcome: str = OK, stream: str = "client") -> Request:
    return Request(stream, number, sent_s, 0.1 * (number + 1), outcome, tries)


def at(host: str, at_s: float, attempt: int = 0) -> Try:
    return Try(host, attempt, at_s, 0.0)


def test_outcomes_by_stream_and_time() -> None:
    seen = [request(0), request(1, sent_s=3.0, outcome=OVERFLOW), request(2, sent_s=3.0, stream="quiet")]
    assert reading.ended(OVERFLOW)(seen) == [False, True, False]
    assert reading.ended(OVERFLOW, after_s=2.0)(seen) == [True, False]
    assert reading.ended(OVERFLOW, stream="quiet")(seen) == [False]
    assert reading.latency(stream="quiet")(seen) == pytest.approx([0.3])
    assert reading.slower(0.15)(seen) == [False, True, True]


def test_tries_and_hosts() -> None:
    seen = [request(0, at("bad-0", 0.0), at("good-1", 0.1, 1)), request(1, at("good-1", 0.2)), request(2)]
    assert reading.tries()(seen) == [2, 1, 0]
    assert reading.retried()(seen) == [True, False, False]
    assert reading.reached("bad")(seen) == [True, False, False]
    assert reading.copies("good")(seen) == [1, 1, 0]
    assert reading.alternations()(seen[:2]) == [True]


def test_back_off_is_what_lies_between_tries_beyond_a_retry_without() -> None:
    seen = [
        request(0, at("up-0", 0.0), at("up-0", 0.002, 1), stream="beside"),
        request(0, at("up-0", 0.0), at("up-0", 0.022, 1), at("up-0", 0.072, 2)),
    ]
    assert reading.back_off(1, beside="beside")(seen) == pytest.approx([0.020])
    assert reading.back_off(2, beside="beside")(seen) == pytest.approx([0.048])
    assert reading.within_bounds((0.01, 0.05), 0.005)(seen) == [True, False, True]


def test_absences_and_errors_between_them() -> None:
    times = [0.0, 0.1, 2.0, 2.1, 2.2, 5.0, 5.1]
    seen = [request(n, at("bad-0", when), sent_s=when) for n, when in enumerate(times)]
    assert reading.absence(1, "bad")(seen) == pytest.approx([1.9])
    assert reading.absence(2, "bad")(seen) == pytest.approx([2.8])
    assert reading.absence(3, "bad")(seen) == []
    assert reading.errors_before_ejection("bad")(seen) == [3]


def test_spread_and_movement() -> None:
    before = [request(n, at(f"up-{n % 3}", n), stream="full") for n in range(9)]
    after = [request(n, at(f"up-{n % 2}", n), stream="less") for n in range(9)]
    assert reading.most_loaded("full", 3)([*before, *after]) == pytest.approx([1.0])
    # hosts of keys 0..8 before: 0 1 2 0 1 2 0 1 2; after: 0 1 0 1 0 1 0 1 0; up-2 has left
    assert reading.moved("full", "less", "up-2")([*before, *after]) == [False, False, True, True, False, False]
