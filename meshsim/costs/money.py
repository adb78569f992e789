"""Whole cents that add up: the largest remainder method.

Every part is rounded down, and the cents that are missing go to the parts with the largest remainders (A. Hamilton's
method of apportionment; M. L. Balinski and H. P. Young, "Fair Representation", 1982). So the parts add up to the
rounded whole, and none is off by a cent or more.
"""

from __future__ import annotations

import math
from collections.abc import Mapping
from fractions import Fraction
from typing import Final

_DIGITS: Final = 9  # of a remainder: amounts that are equal differ in their last bits


def whole_cents(amount: float) -> int:
    """Cents of an amount of money, half a cent up.

    Examples
    --------
    >>> whole_cents(12.345), whole_cents(0.004)
    (1235, 0)
    """
    return math.floor(round(amount * 100.0, 6) + 0.5)  # 12.345 is a little less in binary


def apportion(total: int, parts: Mapping[str, float], turn: int = 0) -> dict[str, int]:
    """Divide whole cents in proportion to amounts, none of them negative; among equal remainders names decide.

    Parameters
    ----------
    total
        Cents to divide.
    parts
        Amounts by name. If all are zero, they are taken as equal.
    turn
        Number of the name, in their order, that is the first among equals: whoever divides many amounts lets it go
        round, or one name would get the odd cent of each.

    Returns
    -------
    dict
        Cents by name, in the order of `parts`; they add up to `total` exactly.

    Examples
    --------
    >>> apportion(100, {"a": 1.0, "b": 1.0, "c": 1.0})
    {'a': 34, 'b': 33, 'c': 33}
    >>> apportion(100, {"a": 1.0, "b": 1.0, "c": 1.0}, turn=1)
    {'a': 33, 'b': 34, 'c': 33}
    """
    if not parts:
        return {}
    exact = {name: Fraction(max(value, 0.0)) for name, value in parts.items()}
    whole = sum(exact.values())
    if not whole:
        exact, whole = dict.fromkeys(parts, Fraction(1)), Fraction(len(parts))
    quotas = {name: total * value / whole for name, value in exact.items()}
    cents = {name: math.floor(quota) for name, quota in quotas.items()}
    missing = total - sum(cents.values())
    place = {name: (number - turn) % len(parts) for number, name in enumerate(sorted(parts))}
    remainders = {name: round(float(quotas[name] - cents[name]), _DIGITS) for name in parts}
    for name in sorted(parts, key=lambda name: (-remainders[name], place[name]))[:missing]:
        cents[name] += 1
    return cents


def format_cents(cents: int, currency: str = "USD") -> str:
    """An amount as people write it.

    Examples
    --------
    >>> format_cents(123456), format_cents(-5, "EUR")
    ('$1,234.56', '-0.05 EUR')
    """
    text = f"{abs(cents) // 100:,}.{abs(cents) % 100:02d}"
    sign = "-" if cents < 0 else ""
    return f"{sign}${text}" if currency == "USD" else f"{sign}{text} {currency}"
