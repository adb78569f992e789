"""Durations among the options of the command line."""

from __future__ import annotations

from meshsim.errors import UsageError


def seconds(option: str, text: str) -> float:
    """Read a duration with its unit, such as ``250ms``.

    Raises
    ------
    UsageError
        It is none; the message names the option.

    Examples
    --------
    >>> seconds("--for", "250ms")
    0.25
    """
    from meshsim.units import UnitError, parse_duration_s

    try:
        return parse_duration_s(text)
    except UnitError as error:
        raise UsageError(f"{option} {text}: {error}" + (f"; {error.hint}" if error.hint else "")) from None
