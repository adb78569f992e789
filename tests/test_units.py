"""The units grammar: exact values, round trips, and messages that tell the fix."""

from __future__ import annotations

import contextlib
from fractions import Fraction

import pytest
from hypothesis import given
from hypothesis import strategies as st

from meshsim import units

POSITIVE = st.floats(min_value=0.0, max_value=1e15, allow_nan=False, allow_infinity=False)


@pytest.mark.parametrize(
    ("text", "seconds"),
    [
        ("1ns", 1e-9),
        ("250us", 0.00025),
        ("250µs", 0.00025),
        ("250μs", 0.00025),
        ("0.25ms", 0.00025),
        ("5ms", 0.005),
        ("1.5s", 1.5),
        ("2m", 120.0),
        ("1h", 3600.0),
        ("1d", 86400.0),
        (" 5 ms ", 0.005),
        ("0s", 0.0),
        ("1e3ms", 1.0),
        (".5s", 0.5),
        ("-0s", 0.0),
    ],
)
def test_durations(text: str, seconds: float) -> None:
    assert units.parse_duration_s(text) == seconds


@pytest.mark.parametrize(
    ("text", "count"),
    [
        ("1KiB", 1024),
        ("64Mi", 64 * 1024**2),
        ("64MiB", 64 * 1024**2),
        ("1GB", 10**9),
        ("1KB", 1000),
        ("1 KB", 1000),
        ("1kB", 1000),
        ("512M", 512 * 10**6),
        ("2Gi", 2 * 1024**3),
        ("0.5KiB", 512),
        ("0.1MiB", 104858),
        ("7B", 7),
    ],
)
def test_bytes(text: str, count: int) -> None:
    assert units.parse_bytes(text) == count


@pytest.mark.parametrize(
    ("parse", "text", "value"),
    [
        (units.parse_cores, "2", 2.0),
        (units.parse_cores, "0.5", 0.5),
        (units.parse_cores, "250m", 0.25),
        (units.parse_rate_per_s, "1200/s", 1200.0),
        (units.parse_rate_per_s, "60/m", 1.0),
        (units.parse_rate_per_s, "5/h", float(Fraction(5, 3600))),
        (units.parse_share, "99.9%", 0.999),
        (units.parse_share, "0.1%", 0.001),
        (units.parse_share, "0.25", 0.25),
    ],
)
def test_other_quantities(parse, text: str, value: float) -> None:
    assert parse(text) == value


@pytest.mark.parametrize(
    ("text", "price"),
    [
        ("$0.03/core/h", units.Price(0.03, "USD", "core_hour")),
        ("$0.0042/GiB/h", units.Price(0.0042, "USD", "gib_hour")),
        ("$0.01/GiB", units.Price(0.01, "USD", "gib")),
        ("0.03 EUR/core/h", units.Price(0.03, "EUR", "core_hour")),
        ("€0.03/core/h", units.Price(0.03, "EUR", "core_hour")),
        ("$1/GB", units.Price(1.073741824, "USD", "gib")),
        ("$0.10/h", units.Price(0.1, "USD", "hour")),
        ("0.008 EUR/LCU/h", units.Price(0.008, "EUR", "lcu_hour")),
    ],
)
def test_prices(text: str, price: units.Price) -> None:
    assert units.parse_price(text) == price


@pytest.mark.parametrize(
    ("parse", "text", "message", "hint"),
    [
        (units.parse_duration_s, "5", "no unit", "5ms or 5s"),
        (units.parse_duration_s, "0", "no unit", "0ms or 0s"),
        (units.parse_duration_s, "5 sec", "'sec' is not a unit", "5s"),
        (units.parse_duration_s, "5 MS", "MS", "5ms"),
        (units.parse_duration_s, "-5ms", "negative", ""),
        (units.parse_duration_s, "1:30", "not a duration", "5ms"),
        (units.parse_duration_s, "1.2.3s", "not a duration", "5ms"),
        (units.parse_duration_s, "5 x", "not a unit", "units: ns"),
        (units.parse_bytes, "64", "no unit", "64KiB"),
        (units.parse_bytes, "64mib", "mib", "64MiB"),
        (units.parse_rate_per_s, "100", "no unit", "100/s"),
        (units.parse_rate_per_s, "100 rps", "rps", "100/s"),
        (units.parse_cores, "2 cores", "cores", "2 (cores) or 250m"),
        (units.parse_cores, "500x", "not a unit of amount of CPU", "2 (cores) or 250m"),
        (units.parse_cores, "500M", "not a unit", "500m"),
        (units.parse_share, "5 pct", "not a unit of share", "2%"),
        (units.parse_price, "0.03", "not a price", "$0.03/core/h"),
        (units.parse_price, "$3/pod/h", "pod/h", "core"),
        (units.parse_price, "$3 EUR/GiB", "not a price", ""),
        (units.parse_duration_s, "1" * 70 + "s", "too long", ""),
        (units.parse_rate_per_s, "1e999/s", "too large", ""),
    ],
)
def test_mistakes_tell_the_fix(parse, text: str, message: str, hint: str) -> None:
    with pytest.raises(units.UnitError) as caught:
        parse(text)
    assert message in str(caught.value)
    assert hint in caught.value.hint


@given(POSITIVE)
def test_durations_round_trip(seconds: float) -> None:
    assert units.parse_duration_s(units.format_duration(seconds)) == seconds


@given(st.integers(0, 10**9))
def test_whole_nanoseconds_round_trip(nanoseconds: int) -> None:
    seconds = nanoseconds / 1e9
    assert units.parse_duration_s(units.format_duration(seconds)) == seconds


@given(POSITIVE)
def test_cores_rates_and_shares_round_trip(value: float) -> None:
    assert units.parse_cores(units.format_cores(value)) == value
    assert units.parse_rate_per_s(units.format_rate(value)) == value
    assert units.parse_share(units.format_share(value)) == value


@given(st.integers(0, 2**60))
def test_bytes_round_trip(count: int) -> None:
    assert units.parse_bytes(units.format_bytes(count)) == count


@given(
    POSITIVE,
    st.sampled_from(["USD", "EUR", "JPY"]),
    st.sampled_from(["core_hour", "gib_hour", "gib", "hour", "lcu_hour"]),
)
def test_prices_round_trip(amount: float, currency: str, per: str) -> None:
    price = units.Price(amount, currency, per)
    assert units.parse_price(units.format_price(price)) == price


@given(st.text(max_size=30))
def test_any_text_is_a_quantity_or_a_unit_error(text: str) -> None:
    for parse in (units.parse_duration_s, units.parse_bytes, units.parse_rate_per_s, units.parse_price):
        with contextlib.suppress(units.UnitError):
            assert parse(text) is not None
