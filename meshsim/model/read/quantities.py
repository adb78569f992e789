"""Quantities with units under a cursor: durations, sizes, cores, rates, shares, counts."""

from __future__ import annotations

from collections.abc import Callable
from typing import TypeVar

from meshsim import units
from meshsim.model.read.cursor import Cursor
from meshsim.model.topology import Cores

MAX_DURATION_S = 100 * 365.25 * 86400.0  # time is int64 nanoseconds, which ends after 292 years
MAX_BYTES = 2**50
MAX_RATE_PER_S = 1e9
MAX_BANDWIDTH_BYTES_PER_S = 1.25e14
MAX_CORES = 10_000.0
MAX_COUNT = 1_000_000
_SLIP = "look for a slip in the number or in its unit"  # nothing that anybody simulates comes near these limits

_T = TypeVar("_T", int, float)


def duration(at: Cursor, *, positive: bool = False, instead_of_0: str = "") -> float:
    """Seconds, from 0 (`positive`: above 0; `instead_of_0` is the hint then) to 100 years."""
    value = _quantity(at, units.parse_duration_s, 1.0, "a duration", "5ms")
    return _bounded(at, value, MAX_DURATION_S, 1.0, positive, "100 years", instead_of_0)


def size(at: Cursor) -> int:
    """Bytes, from 0 to 1 PiB."""
    value = _quantity(at, units.parse_bytes, 1, "a size", "1KiB")
    return int(_bounded(at, value, MAX_BYTES, 1, False, "1 PiB"))


def memory(at: Cursor) -> int:
    """Bytes of memory: more than none, at most 1 PiB."""
    value = _quantity(at, units.parse_bytes, 1, "an amount of memory", "512MiB")
    return int(_bounded(at, value, MAX_BYTES, 1, True, "1 PiB"))


def bandwidth(at: Cursor) -> float:
    """Bytes per second, from 1 to 1000 Tbit/s."""
    value = _quantity(at, units.parse_bandwidth_bytes_per_s, 1.0, "a bandwidth", "1Gbit/s")
    if 0.0 < value < 1.0:
        at.error("M108", f"{at.name} is {at.text()}, and must be at least 1B/s", _SLIP)
        return 1.0
    return _bounded(at, value, MAX_BANDWIDTH_BYTES_PER_S, 1.0, True, "1000Tbit/s")


def rate(at: Cursor, *, positive: bool = True) -> float:
    """Events per second, at most 10⁹."""
    value = _quantity(at, units.parse_rate_per_s, 1.0, "a rate", "100/s")
    if 0.0 < value < 1.0 / MAX_DURATION_S:
        at.error("M108", f"{at.name} is {at.text()}, and must be at least one in 100 years", _SLIP)
        return 1.0
    return _bounded(at, value, MAX_RATE_PER_S, 1.0, positive, "1e9/s")


def share(at: Cursor) -> float:
    """A share from 0 to 1, as ``5%`` or ``0.05``; 0.5 after an error."""
    value = _quantity(at, units.parse_share, 0.5, "a share", "5%")
    if 0.0 <= value <= 1.0:
        return value
    text = at.text()
    hint = f"did you mean {text}%?" if value <= 100 and "%" not in text else "write a share such as 5% or 0.05"
    at.error("M108", f"{at.name} is {text}, and must be from 0 to 1 (100%)", hint)
    return 0.5


def weight(at: Cursor) -> float:
    """A weight of 0 or more, bare or in per cent."""
    value = _quantity(at, units.parse_weight, 1.0, "a weight", "90")
    return _bounded(at, value, 1e9, 1.0, False, "1e9")


def count(at: Cursor) -> float:
    """A whole number from 0 to a million, as a float."""
    return float(at.integer(0, MAX_COUNT))


def cores(at: Cursor) -> float:
    """Cores: ``2``, ``0.5``, ``250m``."""
    value = _quantity(at, units.parse_cores, 1.0, "an amount of CPU", "2 or 250m")
    return _bounded(at, value, MAX_CORES, 1.0, True, f"{MAX_CORES:g} cores")


def cpu(at: Cursor) -> Cores:
    """CPU of a replica: an amount (request and limit), or ``{request, limit}`` by Kubernetes' rules.

    A limit alone is also the request; a request alone has no limit.
    """
    if not at.is_map():
        if at.node_text() == "unlimited":
            at.error("M107", "cpu has to say how much is requested", "write {request: 1, limit: unlimited}")
            return Cores(request=1.0, limit=None)
        amount = cores(at)
        return Cores(request=amount, limit=amount)
    found = at.fields(("request", "limit"), example="request: 1, limit: 2")
    limit = _limit(found["limit"]) if "limit" in found else None
    if "request" not in found:
        if limit is None:
            at.error("M102", "'request' is missing in cpu", "write {request: 1, limit: 2}", at.key_mark)
        return Cores(request=limit or 1.0, limit=limit)
    request = cores(found["request"])
    if limit is not None and request > limit:
        found["request"].error("M108", f"the request ({request:g}) is above the limit ({limit:g})",
                               "lower the request or raise the limit")  # fmt: skip
    return Cores(request=request, limit=limit)


def _limit(at: Cursor) -> float | None:
    return None if at.node_text() == "unlimited" else cores(at)


def _quantity(at: Cursor, parse: Callable[[str], _T], stand_in: _T, what: str, example: str) -> _T:
    node = at.scalar(what, at.write(example))
    if node is None:
        return stand_in
    if isinstance(node.value, bool):
        at.wrong_kind(what, at.write(example))
        return stand_in
    try:
        return parse(node.text)
    except units.UnitError as error:
        at.error("M106" if error.unit_missing else "M107", f"{at.name}: {error}", error.hint)
        return stand_in


def _bounded(
    at: Cursor, value: float, high: float, stand_in: float, positive: bool, limit: str, hint: str = ""
) -> float:  # fmt: skip
    if value > high:
        at.error("M108", f"{at.name} is {at.text()}, and must be at most {limit}", _SLIP)
        return stand_in
    if positive and value <= 0:
        at.error("M108", f"{at.name} is {at.text()}, and must be greater than 0", hint)
        return stand_in
    return value
