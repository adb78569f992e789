"""What a sweep varies: axes, each a path of the topology and its values, as users write them.

=====================  ================================================================
``0.2:1.4:0.1``        from, to (included), step; units are repeated: ``10ms:50ms:10ms``
``1:64:*2``            from, to (included), factor
``2,4,8``              a list, of anything that ``--set`` takes
``10ms..50ms``         a range that a Latin hypercube draws from (with ``--sample N``)
``1..64``              the same, whole numbers because both ends are
=====================  ================================================================
"""

from __future__ import annotations

import json
import re
from collections.abc import Sequence
from dataclasses import dataclass
from decimal import Decimal
from math import ceil, log10

from meshsim.errors import UsageError

MOST_VALUES = 10_000  # of one axis (assumed: more is a typing mistake in the step)
_DIGITS = 6  # to which a value drawn from a range is told, of the range's width (assumed)
_NUMBER = re.compile(r"([+-]?(?:\d+\.?\d*|\.\d+)(?:e[+-]?\d{1,2})?)\s*([a-zA-Z%/]*)", re.IGNORECASE)
_EXAMPLES = "'run.load=0.2:1.4:0.1', 'mesh.gateway.replicas=2,4,8' or, with --sample, 'run.load=0.2..1.4'"


@dataclass(frozen=True, slots=True)
class Axis:
    """Values of one path.

    Attributes
    ----------
    path
        Dotted path of the topology, as of ``--set``.
    values
        Texts, as of ``--set``.
    """

    path: str
    values: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class Range:
    """A range that a Latin hypercube draws from.

    Attributes
    ----------
    path
        Dotted path of the topology.
    low, high
        Ends, both included.
    unit
        Of both, e.g. ``ms``; may be empty.
    whole
        Only whole numbers are drawn.
    """

    path: str
    low: float
    high: float
    unit: str
    whole: bool

    def at(self, u: float) -> str:
        """Value at a share `u` in [0, 1) of the range, as text.

        Examples
        --------
        >>> parse_axis("run.load=0.5..1.5").at(0.25)
        '0.75'
        >>> [parse_axis("mesh.gateway.replicas=1..4").at(u) for u in (0.0, 0.24, 0.26, 0.99)]
        ['1', '1', '2', '4']
        >>> parse_axis("run.load=0.999999..1.000001").at(0.25)
        '0.9999995'
        """
        if self.whole:
            return f"{int(self.low) + int(u * (self.high - self.low + 1))}{self.unit}"
        width = self.high - self.low
        narrow = max(abs(self.low), abs(self.high)) / width  # the narrower the range, the more digits its values need
        digits = _DIGITS + max(0, ceil(log10(narrow)))
        rounded = Decimal(f"{self.low + u * width:.{digits}g}")
        return f"{_plain(min(max(rounded, Decimal(repr(self.low))), Decimal(repr(self.high))))}{self.unit}"


def canonical(value: str) -> str:
    """One spelling for all of the same number, with its unit if it has one; other texts stay.

    Examples
    --------
    >>> [canonical(text) for text in ("1.0", "1e3", "0.50ms", "random")]
    ['1', '1000', '0.5ms', 'random']
    """
    match = _NUMBER.fullmatch(value.strip())
    return value if match is None else f"{_plain(Decimal(match[1]))}{match[2]}"


def parse_axis(text: str) -> Axis | Range:
    """Read ``path=values``.

    Raises
    ------
    UsageError
        When the text is something else.

    Examples
    --------
    >>> parse_axis("run.load=0.2:0.8:0.2")
    Axis(path='run.load', values=('0.2', '0.4', '0.6', '0.8'))
    >>> parse_axis("services.web.replicas=1:16:*2").values
    ('1', '2', '4', '8', '16')
    >>> parse_axis("traffic.maps.arrivals.poisson=100/s,200/s").values
    ('100/s', '200/s')
    """
    path, equals, values = text.partition("=")
    path = path.strip()
    if not equals or not path or not values.strip():
        raise UsageError(f"--axis '{text}': write {_EXAMPLES}")
    return axis_of(path, values.strip())


def axis_of(path: str, values: str | Sequence[object]) -> Axis | Range:
    """Make an axis of a path and its values, a text or a list."""
    if not isinstance(values, str):
        if not values:
            raise UsageError(f"axis {path}: a list of values cannot be empty")
        return _axis(path, [_text(value) for value in values])
    if ".." in values:
        return _range(path, values)
    if ":" in values and not values.lstrip().startswith(("{", "[")):
        return _axis(path, _steps(path, values))
    return _axis(path, _split(values))


def _text(value: object) -> str:
    return json.dumps(value, ensure_ascii=False) if isinstance(value, bool | dict | list) else str(value)


def _axis(path: str, values: Sequence[str]) -> Axis:
    same = [canonical(value) for value in values]
    if len(set(same)) < len(same):
        twice = next(value for at, value in enumerate(values) if same[at] in same[:at])
        raise UsageError(f"axis {path}: {twice} is given twice")
    if not all(values):
        raise UsageError(f"axis {path}: a value is empty; write e.g. 2,4,8")
    return Axis(path, tuple(values))


def _split(text: str) -> list[str]:
    """Split at commas outside of braces and brackets."""
    found, depth, start = [], 0, 0
    for at, character in enumerate(text):
        depth += (character in "{[") - (character in "}]")
        if character == "," and depth == 0:
            found.append(text[start:at].strip())
            start = at + 1
    return [*found, text[start:].strip()]


def _number(path: str, text: str) -> tuple[Decimal, str]:
    match = _NUMBER.fullmatch(text.strip())
    if match is None:
        raise UsageError(f"axis {path}: '{text}' is no number; write e.g. 0.2:1.4:0.1, 1:64:*2 or 10ms:50ms:10ms")
    return Decimal(match[1]), match[2]


def _steps(path: str, text: str) -> list[str]:
    """``from:to:step`` in decimal arithmetic, so that 0.1 + 0.2 is 0.3."""
    parts = text.split(":")
    if len(parts) != 3:
        raise UsageError(f"axis {path}: '{text}': write from:to:step, e.g. 0.2:1.4:0.1, or 1:64:*2")
    (low, unit), (high, unit_high) = (_number(path, part) for part in parts[:2])
    factor = parts[2].strip().startswith("*")
    step, unit_step = _number(path, parts[2].strip().removeprefix("*"))
    if unit_high != unit or unit_step != ("" if factor else unit):
        raise UsageError(f"axis {path}: '{text}': give all numbers the same unit, e.g. 10ms:50ms:10ms")
    if (factor and (step <= 1 or low <= 0)) or step <= 0 or high < low:
        raise UsageError(f"axis {path}: '{text}' has no values: go upwards, with a step above 0 or a factor above 1")
    values = []
    value = low
    while value <= high:
        values.append(f"{_plain(value)}{unit}")
        if len(values) > MOST_VALUES:
            raise UsageError(f"axis {path}: '{text}' has more than {MOST_VALUES:,} values")
        value = value * step if factor else value + step
    return values


def _plain(value: Decimal) -> str:
    """Without exponent and trailing zeros."""
    text = f"{value:f}"
    return text.rstrip("0").rstrip(".") if "." in text else text


def _range(path: str, text: str) -> Range:
    low_text, _, high_text = text.partition("..")
    (low, unit), (high, unit_high) = _number(path, low_text), _number(path, high_text)
    if not unit:
        unit = unit_high  # 10..50ms
    elif unit != unit_high:
        raise UsageError(f"axis {path}: '{text}': give both ends the same unit, e.g. 10ms..50ms")
    if float(high) <= float(low):
        raise UsageError(f"axis {path}: '{text}': the second end has to be above the first")
    whole = "." not in low_text.strip() and "." not in high_text.strip() and low == int(low) and high == int(high)
    return Range(path, float(low), float(high), unit, whole and not unit)
