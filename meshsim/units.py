"""Quantities as people write them: durations, cores, bytes, rates, shares, prices. A closed grammar.

Text is turned into base units (seconds, cores, bytes, requests per second, a share of 1) through exact
fractions and rounded once, so ``500ms`` and ``0.5s`` are the same float, and ``parse(format(x)) == x``.
"""

from __future__ import annotations

import difflib
import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from fractions import Fraction
from functools import lru_cache

MAX_TEXT = 64  # characters; nothing that anybody means is longer

_NUMBER = r"(?:[0-9]+(?:\.[0-9]*)?|\.[0-9]+)(?:[eE][-+]?[0-9]{1,3})?"
_QUANTITY = re.compile(rf"\s*(?P<sign>[-+]?)(?P<number>{_NUMBER})\s*(?P<unit>.*?)\s*", re.DOTALL)
_PRICE = re.compile(rf"\s*(?P<symbol>[$€£]?)\s*(?P<number>{_NUMBER})\s*(?P<code>[A-Z]{{3}})?\s*/\s*(?P<per>\S+)\s*")

_NO_UNIT = tuple(":.,-+0123456789")  # what no unit begins with, as the rest of 1:30 or 1.2.3

DURATIONS = {
    "ns": Fraction(1, 10**9),
    "us": Fraction(1, 10**6),
    "µs": Fraction(1, 10**6),  # micro sign
    "μs": Fraction(1, 10**6),  # Greek mu: looks the same, and keyboards differ
    "ms": Fraction(1, 1000),
    "s": Fraction(1),
    "m": Fraction(60),
    "h": Fraction(3600),
    "d": Fraction(86400),
}
BYTES = {
    "B": Fraction(1),
    **{unit: Fraction(1000**power) for power, unit in enumerate(("kB", "MB", "GB", "TB"), 1)},
    "KB": Fraction(1000),
    **{unit: Fraction(1000**power) for power, unit in enumerate(("k", "M", "G", "T"), 1)},
    **{unit: Fraction(1024**power) for power, unit in enumerate(("KiB", "MiB", "GiB", "TiB"), 1)},
    **{unit: Fraction(1024**power) for power, unit in enumerate(("Ki", "Mi", "Gi", "Ti"), 1)},
}
RATES = {f"/{unit}": 1 / DURATIONS[unit] for unit in ("s", "m", "h", "d")}
BANDWIDTHS = {  # bytes per second
    **{f"{unit}/s": factor for unit, factor in BYTES.items() if unit.endswith("B")},
    **{f"{unit}bit/s": Fraction(1000**power, 8) for power, unit in enumerate(("", "k", "M", "G", "T"))},
}
CORES = {"": Fraction(1), "m": Fraction(1, 1000)}
SHARES = {"": Fraction(1), "%": Fraction(1, 100)}
_WORDS = {  # spellings of other tools and of prose -> ours
    **dict.fromkeys(("sec", "secs", "second", "seconds"), "s"),
    **dict.fromkeys(("min", "mins", "minute", "minutes"), "m"),
    **dict.fromkeys(("hr", "hrs", "hour", "hours"), "h"),
    **dict.fromkeys(("day", "days"), "d"),
    **dict.fromkeys(("byte", "bytes"), "B"),
    **dict.fromkeys(("rps", "qps", "hz", "req/s"), "/s"),
    **{f"{power.lower()}{rest}": f"{power}bit/s" for power in "kMG" for rest in ("b/s", "bps", "bit")},
}
_CURRENCIES = {"$": "USD", "€": "EUR", "£": "GBP"}
_PER = {  # what a price is for -> (base unit, factor to one of it)
    "core/h": ("core_hour", Fraction(1)),
    "GiB/h": ("gib_hour", Fraction(1)),
    "GB/h": ("gib_hour", Fraction(1024**3, 10**9)),
    "GiB": ("gib", Fraction(1)),
    "GB": ("gib", Fraction(1024**3, 10**9)),
    "h": ("hour", Fraction(1)),
    "LCU/h": ("lcu_hour", Fraction(1)),
}


class UnitError(ValueError):
    """Text that is not a quantity of the wanted kind.

    Attributes
    ----------
    hint
        What to write instead; may be empty.
    unit_missing
        The text is a bare number.
    """

    def __init__(self, message: str, hint: str = "", *, unit_missing: bool = False) -> None:
        super().__init__(message)
        self.hint = hint
        self.unit_missing = unit_missing


@dataclass(frozen=True, slots=True)
class Price:
    """An amount of money (`currency`: three letters) for a core_hour, gib_hour, gib, hour or lcu_hour (`per`)."""

    amount: float
    currency: str
    per: str


def parse_duration_s(text: str) -> float:
    """Seconds of a duration such as ``250us``, ``1.5s`` or ``2h``.

    Raises
    ------
    UnitError
        If there is no unit, the unit is not one of time, or the value is negative.

    Examples
    --------
    >>> parse_duration_s("250ms"), parse_duration_s("2m")
    (0.25, 120.0)
    """
    return _number(text, DURATIONS, "a duration", lambda number: f"{number}ms or {number}s")


def format_duration(seconds: float) -> str:
    """Shortest of the usual spellings that `parse_duration_s` reads back exactly.

    Examples
    --------
    >>> format_duration(0.25), format_duration(7200.0)
    ('250ms', '2h')
    """
    for unit in ("h", "m"):
        scale = int(DURATIONS[unit])
        if seconds >= scale and seconds % scale == 0:
            return f"{int(seconds) // scale}{unit}"
    return _spelling(seconds, ("s", "ms", "us", "ns"), DURATIONS, parse_duration_s) or f"{seconds!r}s"


def parse_cores(text: str) -> float:
    """Cores of CPU: ``2``, ``0.5`` or Kubernetes' thousandths, ``250m``.

    Examples
    --------
    >>> parse_cores("250m")
    0.25
    """
    return _number(text, CORES, "an amount of CPU", lambda number: f"{number} (cores) or 250m")


def format_cores(cores: float) -> str:
    """Cores as `parse_cores` reads them back exactly: whole or decimal from 1 on, thousandths below.

    Examples
    --------
    >>> format_cores(0.25), format_cores(2.0)
    ('250m', '2')
    """
    return _spelling(cores, ("", "m"), CORES, parse_cores) or repr(cores)


def parse_bytes(text: str) -> int:
    """Bytes of ``2KiB``, ``64Mi`` (binary, as in Kubernetes), ``1GB``, ``1 KB`` (decimal); rounded to whole ones.

    Examples
    --------
    >>> parse_bytes("1KiB"), parse_bytes("1 KB")
    (1024, 1000)
    """
    return round(_fraction(text, BYTES, "a size", lambda number: f"{number}KiB or {number}MiB"))


def format_bytes(count: int) -> str:
    """Bytes in binary units, as `parse_bytes` reads them back exactly.

    Examples
    --------
    >>> format_bytes(1536), format_bytes(1000)
    ('1.5KiB', '1000B')
    """
    return _spelling(count, ("TiB", "GiB", "MiB", "KiB", "B"), BYTES, parse_bytes, digits=6) or f"{count}B"


def parse_rate_per_s(text: str) -> float:
    """Events per second of ``1200/s``, ``60/m`` or ``5/h``.

    Examples
    --------
    >>> parse_rate_per_s("60/m")
    1.0
    """
    return _number(text, RATES, "a rate", lambda number: f"{number}/s")


def format_rate(per_s: float) -> str:
    """A rate per second, as `parse_rate_per_s` reads it back exactly.

    Examples
    --------
    >>> format_rate(1200.0)
    '1200/s'
    """
    return _spelling(per_s, ("/s",), RATES, parse_rate_per_s, least=0.0) or f"{per_s!r}/s"


def parse_bandwidth_bytes_per_s(text: str) -> float:
    """Bytes per second of ``1Gbit/s`` or ``125MB/s``.

    Examples
    --------
    >>> parse_bandwidth_bytes_per_s("1Gbit/s"), parse_bandwidth_bytes_per_s("125MB/s")
    (125000000.0, 125000000.0)
    """
    return _number(text, BANDWIDTHS, "a bandwidth", lambda number: f"{number}Gbit/s or {number}MB/s")


def format_bandwidth(bytes_per_s: float) -> str:
    """A bandwidth in bits, as `parse_bandwidth_bytes_per_s` reads it back exactly.

    Examples
    --------
    >>> format_bandwidth(1.25e8)
    '1Gbit/s'
    """
    units = ("Tbit/s", "Gbit/s", "Mbit/s", "kbit/s", "bit/s")
    return _spelling(bytes_per_s, units, BANDWIDTHS, parse_bandwidth_bytes_per_s) or f"{bytes_per_s!r}B/s"


def parse_share(text: str) -> float:
    """Share of one: ``99.9%`` or a plain number; the caller checks the range.

    Examples
    --------
    >>> parse_share("99.9%"), parse_share("0.05")
    (0.999, 0.05)
    """
    return _number(text, SHARES, "a share", lambda number: f"{number}%")


def parse_weight(text: str) -> float:
    """Weight beside others: a plain number, or ``90%``; the caller checks the range.

    Examples
    --------
    >>> parse_weight("90"), parse_weight("90%")
    (90.0, 0.9)
    """
    return _number(text, SHARES, "a weight", lambda number: number)


def format_share(share: float) -> str:
    """A share in per cent, as `parse_share` reads it back exactly.

    Examples
    --------
    >>> format_share(0.999)
    '99.9%'
    """
    return _spelling(share, ("%",), SHARES, parse_share, least=0.0) or repr(share)


def parse_price(text: str) -> Price:
    """Price per core and hour, GiB and hour, GiB, or hour: ``$0.03/core/h``, ``0.01 EUR/GiB``, ``$0.10/h``.

    Examples
    --------
    >>> parse_price("$0.0316/core/h")
    Price(amount=0.0316, currency='USD', per='core_hour')
    """
    match = _PRICE.fullmatch(_short(text))
    hint = "write e.g. $0.03/core/h, $0.0042/GiB/h, $0.01/GiB, $0.10/h or 0.03 EUR/core/h"
    if match is None or bool(match["symbol"]) == bool(match["code"]):
        raise UnitError(f"'{text}' is not a price", hint)
    if match["per"] not in _PER:
        raise UnitError(f"a price per '{match['per']}' is not known", hint)
    per, scale = _PER[match["per"]]
    amount = _to_float(Fraction(match["number"]) * scale, text)
    return Price(amount=amount, currency=match["code"] or _CURRENCIES[match["symbol"]], per=per)


def format_price(price: Price) -> str:
    """A price as `parse_price` reads it back exactly.

    Examples
    --------
    >>> format_price(Price(0.03, "EUR", "core_hour"))
    '0.03 EUR/core/h'
    """
    per = {"core_hour": "core/h", "gib_hour": "GiB/h", "gib": "GiB", "hour": "h", "lcu_hour": "LCU/h"}[price.per]
    amount = _plain(price.amount)
    return f"${amount}/{per}" if price.currency == "USD" else f"{amount} {price.currency}/{per}"


def _short(text: str) -> str:
    if len(text) > MAX_TEXT:
        raise UnitError(f"'{text[:20]}…' is too long for a quantity")
    return text


@lru_cache(maxsize=4096)
def _parts(text: str) -> tuple[str, Fraction, str] | None:
    match = _QUANTITY.fullmatch(text)
    if match is None:
        return None
    return match["sign"], Fraction(match["number"]), match["unit"]


def _fraction(text: str, units: Mapping[str, Fraction], what: str, example: Callable[[str], str]) -> Fraction:
    parts = _parts(_short(text))
    if parts is None or parts[2][:1] in _NO_UNIT:
        raise UnitError(f"'{text}' is not {what}", f"write e.g. {example('5')}")
    sign, number, unit = parts
    if sign == "-" and number:
        raise UnitError(f"{what} cannot be negative: '{text}'")
    if unit in units:
        return number * units[unit]
    if not unit:
        raise UnitError(f"{text.strip()} has no unit", f"write {example(text.strip())}", unit_missing=True)
    hint = _unit_hint(text, unit, units) or f"write e.g. {example('2')}"
    raise UnitError(f"'{unit}' is not a unit of {what.split(' ', 1)[1]}", hint)


def _unit_hint(text: str, unit: str, units: Mapping[str, Fraction]) -> str:
    """The unit that is meant, or all that there are; empty where there need not be one."""
    same = [known for known in units if known and known.casefold() == unit.casefold()]
    near = same or difflib.get_close_matches(unit, [known for known in units if known], n=1)
    word = _WORDS.get(unit.casefold(), "")
    if word in units and word:
        near = [word]
    if near:
        return f"did you mean {text[: text.rindex(unit)].strip()}{near[0]}?"
    if "" in units:
        return ""
    return "units: " + ", ".join(known for known in units if known not in ("μs", "k", "M", "G", "T"))


def _to_float(value: Fraction, text: str) -> float:
    try:
        return float(value)
    except OverflowError:
        raise UnitError(f"'{text}' is too large") from None


def _number(text: str, units: Mapping[str, Fraction], what: str, example: Callable[[str], str]) -> float:
    return _to_float(_fraction(text, units, what, example), text)


def _plain(value: float) -> str:
    """Shortest decimal that reads back as `value`, without a trailing ``.0``."""
    return repr(value).removesuffix(".0")


def _spelling(
    value: float,
    order: tuple[str, ...],
    units: Mapping[str, Fraction],
    parse: Callable[[str], float],
    *,
    least: float = 1.0,
    digits: int = 15,
) -> str | None:
    """The first unit of which `value` is at least `least`, if that spelling reads back exactly."""
    for unit in order:
        scaled = value / float(units[unit])
        if scaled >= least:
            text = f"{scaled:.{digits}g}{unit}"
            if "e" not in text and parse(text) == value:
                return text
    return None
