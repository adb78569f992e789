"""Numbers as people read them: three digits, a unit, and ± where there is an interval."""

from __future__ import annotations

import math
import re

from meshsim.results.intervals import Estimate

_DURATIONS = ((1.0, "s"), (1e-3, "ms"), (1e-6, "µs"), (1e-9, "ns"))
_BYTES = ((2.0**30, "GiB"), (2.0**20, "MiB"), (2.0**10, "KiB"), (1.0, "B"))


def number(value: float, digits: int = 3) -> str:
    """Significant digits without an exponent: 1234 -> 1230, 0.012345 -> 0.0123.

    Examples
    --------
    >>> number(1234.0), number(0.012345), number(0.0)
    ('1230', '0.0123', '0')
    """
    if value == 0 or not math.isfinite(value):
        return "0" if value == 0 else "∞"
    places = digits - 1 - math.floor(math.log10(abs(value)))
    return f"{round(value, places):.{max(0, places)}f}"


def counted(count: int, what: str) -> str:
    """So many of something.

    Examples
    --------
    >>> counted(1, "month"), counted(12, "month")
    ('1 month', '12 months')
    """
    return f"{count} {what}" + ("" if count == 1 else "s")


def duration(seconds: float | None, digits: int = 3) -> str:
    """Seconds in the unit that suits them.

    Examples
    --------
    >>> duration(0.0123456), duration(93.0), duration(None)
    ('12.3 ms', '93.0 s', 'unknown')
    """
    if seconds is None or math.isinf(seconds):
        return "unknown" if seconds is None else "∞ (failed requests)"
    scale, unit = _unit(abs(seconds), _DURATIONS)
    return f"{number(seconds / scale, digits)} {unit}"


def size(count: float) -> str:
    """Bytes in a binary unit.

    Examples
    --------
    >>> size(1536.0), size(0.0)
    ('1.50 KiB', '0 B')
    """
    scale, unit = _unit(abs(count), _BYTES) if count else _BYTES[-1]
    return f"{number(count / scale)} {unit}"


def percent(value: float | None) -> str:
    """A share in percent; near 100 % with as many digits as tell it from 100 %.

    Examples
    --------
    >>> percent(0.25), percent(0.999912), percent(1.0), percent(1.2), percent(-0.03)
    ('25.0 %', '99.9912 %', '100 %', '120 %', '-3.00 %')
    """
    if value is None:
        return "unknown"
    if value == 0.0 or abs(value - 1.0) < 5e-9:  # rounding errors of sums are no shortfall
        return f"{value:.0%}".replace("%", " %")
    near_all = value > 0.9  # what is missing tells more than what is there
    told = abs(1 - value if near_all else value) * 100
    places = (1 if near_all else 2) - math.floor(math.log10(told))
    return f"{value * 100:.{min(6, max(0, places))}f} %"


def percent_interval(estimate: Estimate) -> str:
    """A share in percent with its interval, which is not symmetric near the ends."""
    if estimate.low is None or estimate.high is None:
        return f"{percent(estimate.value)} ({estimate.method})"
    return f"{percent(estimate.value)} ({percent(estimate.low)} to {percent(estimate.high)})"


def points_interval(estimate: Estimate) -> str:
    """A difference of two shares in percentage points.

    Examples
    --------
    >>> points_interval(Estimate(0.126, 0.122, 0.13, 100, ""))
    '12.6 ± 0.4 percentage points'
    >>> points_interval(Estimate(-0.0001, -0.0261, 0.0259, 100, ""))
    '0.0 ± 2.6 percentage points'
    """
    value, low, high = (None if end is None else end * 100 for end in (estimate.value, estimate.low, estimate.high))
    return amount(Estimate(value, low, high, estimate.n, estimate.method), "percentage points")


def duration_interval(estimate: Estimate) -> str:
    """A duration with ±, such as ``1.93 ms ± 0.21``; says so when there is no interval."""
    if estimate.value is None or math.isinf(estimate.value):
        return duration(estimate.value)
    half = estimate.half
    if half is None or math.isinf(half):
        return f"{duration(estimate.value)} (± unknown)"
    scale, unit = _unit(max(abs(estimate.value), half), _DURATIONS)
    if _lopsided(estimate):
        value, low, high = (number((x or 0.0) / scale) for x in (estimate.value, estimate.low, estimate.high))
        return f"{value} {unit} ({low} to {high})"
    value, arm = _aligned(estimate.value / scale, half / scale)
    return f"{value} {unit} ± {arm}"


def amount(estimate: Estimate, unit: str) -> str:
    """A number with ± and a unit, such as ``3.10 ± 0.12 cores``; with the ends where the arms differ much.

    Examples
    --------
    >>> amount(Estimate(3.1, 2.98, 3.22, 9, ""), "cores"), amount(Estimate(0.017, 0.0161, 0.0321, 9, ""), "cores")
    ('3.10 ± 0.12 cores', '0.0170 (0.0161 to 0.0321) cores')
    >>> amount(Estimate(2.5, 0.1, 5.3, 9, ""), "cores")  # 2.5 ± 2.8 would say that it may be nothing
    '2.50 (0.100 to 5.30) cores'
    """
    if estimate.value is None:
        return "unknown"
    half = estimate.half
    if half is None or math.isinf(half):
        return f"{number(estimate.value)} {unit} (± unknown)"
    if _lopsided(estimate):
        value, low, high = (number(x or 0.0) for x in (estimate.value, estimate.low, estimate.high))
        return f"{value} ({low} to {high}) {unit}"
    value, arm = _aligned(estimate.value, half)
    return f"{value} ± {arm} {unit}"


def _lopsided(estimate: Estimate) -> bool:
    """Whether one arm is so much longer than the other that ± would mislead: about it, or about whether 0 is within."""
    if estimate.value is None or estimate.low is None or estimate.high is None:
        return False
    arms = sorted((estimate.value - estimate.low, estimate.high - estimate.value))
    seems_zero = arms[1] >= abs(estimate.value) and not estimate.includes_zero
    return seems_zero or (arms[1] > 2 * arms[0] and arms[1] > 0.05 * abs(estimate.value))


def _aligned(value: float, half: float) -> tuple[str, str]:
    """Value and ± with the same decimals: two digits of the ±, unless the value would get far more than three."""
    if half <= 0:
        return number(value), "0"
    decimals = min(_places(half, 2), max(_places(value, 3) if value else 0, _places(half, 1)))
    decimals = max(0, decimals)
    return f"{round(value, decimals) + 0.0:.{decimals}f}", f"{half:.{decimals}f}"  # + 0.0: there is no -0


def _places(value: float, digits: int) -> int:
    return digits - 1 - math.floor(math.log10(abs(value)))


def _unit(value: float, units: tuple[tuple[float, str], ...]) -> tuple[float, str]:
    """The largest unit of which there is at least one (after rounding to three digits); of nothing, the first."""
    if value == 0:
        return units[0]
    for scale, name in units:
        if value >= scale * 0.9995:
            return scale, name
    return units[-1]


def natural(name: str) -> tuple[int | str, ...]:
    """What names are sorted by, so that 2 comes before 10.

    Examples
    --------
    >>> sorted(["team-10", "team-2", "ads"], key=natural)
    ['ads', 'team-2', 'team-10']
    """
    return tuple(int(part) if part.isdigit() else part for part in re.split(r"([0-9]+)", name))


def table(rows: list[list[str]], *, indent: str = "  ") -> list[str]:
    """Rows of text in columns; the first column to the left, the others to the right."""
    if not rows:
        return []
    widths = [max(len(row[i]) for row in rows) for i in range(len(rows[0]))]
    lines = []
    for row in rows:
        cells = [row[0].ljust(widths[0])] + [cell.rjust(width) for cell, width in zip(row[1:], widths[1:], strict=True)]
        lines.append((indent + "  ".join(cells)).rstrip())
    return lines
