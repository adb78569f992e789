"""Numbers that users give from Python, where the name of the argument tells the unit."""

from __future__ import annotations

from typing import Any, SupportsFloat, SupportsIndex

from meshsim.errors import UsageError


def real_number(value: Any, what: str) -> float:
    """A number as float (numpy's too).

    Raises
    ------
    UsageError
        It is something else, such as a text with a unit.

    Examples
    --------
    >>> real_number("2s", "at_s")
    Traceback (most recent call last):
    meshsim.errors.UsageError: at_s: a number without a unit, not '2s'
    """
    if type(value) is float:  # asking what supports what takes longer
        return value
    if isinstance(value, bool) or not isinstance(value, SupportsFloat):
        raise UsageError(f"{what}: a number without a unit, not {value!r}")
    return float(value)


def whole_number(value: Any, what: str) -> int:
    """A whole number as int; 3.0 is one, 3.5 is not.

    Raises
    ------
    UsageError
        It is something else.
    """
    if type(value) is int:  # asking what supports what takes longer
        return value
    if isinstance(value, SupportsIndex) and not isinstance(value, bool):
        return value.__index__()
    if isinstance(value, SupportsFloat) and not isinstance(value, bool) and float(value).is_integer():
        return int(float(value))
    hint = "; math.ceil rounds up" if isinstance(value, SupportsFloat) else ""
    raise UsageError(f"{what}: a whole number, not {value!r}{hint}")
