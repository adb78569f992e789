"""Numbers, words and tables as the text reads them, and the claims that the runs have to bear out."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from meshsim.results.intervals import Estimate
from meshsim.results.text import amount, duration_interval, percent, percent_interval


@dataclass(slots=True)
class Told:
    """What the text may use, by key.

    Attributes
    ----------
    numbers
        Texts with a number in them.
    words
        Words that the numbers choose: ``lower``, ``not surely different``.
    tables
        Heading, rows, and how columns are aligned.
    claims
        What the text says without a number, and whether the runs bear it out.
    """

    numbers: dict[str, str] = field(default_factory=dict)
    words: dict[str, str] = field(default_factory=dict)
    tables: dict[str, dict[str, Any]] = field(default_factory=dict)
    claims: dict[str, bool] = field(default_factory=dict)

    def number(self, key: str, text: object) -> None:
        """Add a number."""
        self._new(self.numbers, key)
        self.numbers[key] = f"{text}"

    def word(self, key: str, text: str) -> None:
        """Add a word that numbers have chosen."""
        self._new(self.words, key)
        self.words[key] = text

    def table(self, key: str, head: Sequence[str], rows: Sequence[Sequence[str]], align: str = "") -> None:
        """Add a table; `align` has an ``l`` or ``r`` a column, the first one left and the others right if absent."""
        self._new(self.tables, key)
        align = align or "l" + "r" * (len(head) - 1)
        self.tables[key] = {"head": list(head), "rows": [list(row) for row in rows], "align": align}

    def claim(self, key: str, holds: bool) -> None:
        """Add something that the text says, and whether it is so."""
        self._new(self.claims, key)
        self.claims[key] = bool(holds)

    def _new(self, known: Mapping[str, object], key: str) -> None:
        if key in known:
            raise ValueError(f"'{key}' is told twice")

    def to_dict(self) -> dict[str, Any]:
        """Give all of it as JSON's types."""
        return {"numbers": self.numbers, "words": self.words, "tables": self.tables, "claims": self.claims}


def estimate(told: Mapping[str, float | None]) -> Estimate:
    """Read ``{value, low, high}`` of meshsim's JSON."""
    return Estimate(told["value"], told["low"], told["high"], 0, "")


def latency(told: Mapping[str, float | None]) -> str:
    """A latency with its interval, ``31.3 ms ± 0.4``; without one, the point alone."""
    found = estimate(told)
    text = duration_interval(found)
    return text.replace(" (± unknown)", " (no interval)")


def share(told: Mapping[str, float | None]) -> str:
    """A share with its interval."""
    return percent_interval(estimate(told))


def points(told: Mapping[str, float | None], digits: int = 1) -> str:
    """A difference of shares in percentage points, with its interval."""
    value, low, high = (round(100 * (told[end] or 0.0), digits) + 0.0 for end in ("value", "low", "high"))  # no -0.0
    return f"{value:+.{digits}f} ({low:+.{digits}f} to {high:+.{digits}f})".replace("-", "−")


def ratio(told: Mapping[str, float | None]) -> str:
    """A ratio with its interval."""
    if told["value"] is None:
        return "unknown"
    if told["low"] is None:
        return f"{told['value']:.2f} (no interval)"
    return amount(estimate(told), "").strip()


def cores(told: Mapping[str, float | None]) -> str:
    """CPU in use."""
    return amount(estimate(told), "").strip() if told["value"] else "–"


def money(cents: float) -> str:
    """Whole cents of a month in dollars."""
    return f"${cents / 100:,.2f}" if cents >= 0 else f"−${-cents / 100:,.2f}"


def dollars(told: Mapping[str, float | None]) -> str:
    """An amount of dollars with its interval."""
    value, low, high = (told[end] or 0.0 for end in ("value", "low", "high"))
    return f"${value:,.2f} ± {max(high - value, value - low):,.2f}"


def direction(difference: Mapping[str, float | None]) -> str:
    """What an interval decides: lower, higher, or neither; ``not told`` where a run was too short for a value."""
    low, high = difference["low"], difference["high"]
    if difference.get("value", low) is None:
        return "not told"
    if low is None or high is None or low <= 0.0 <= high:
        return "not surely different"
    return "lower" if high < 0 else "higher"


def listed(names: Sequence[str]) -> str:
    """Names as English lists them.

    Examples
    --------
    >>> listed(["a"]), listed(["a", "b", "c"])
    ('a', 'a, b and c')
    """
    return names[0] if len(names) == 1 else f"{', '.join(names[:-1])} and {names[-1]}" if names else "none"


def rounded_percent(value: float) -> str:
    """A share in percent."""
    return percent(value)
