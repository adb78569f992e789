"""Durations and factors among the options of the command line."""

from __future__ import annotations

from collections.abc import Sequence

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


def factor(option: str, text: str) -> float:
    """Read a factor such as ``2``; whether it may be so large is for others to say.

    Raises
    ------
    UsageError
        It is no number.

    Examples
    --------
    >>> factor("--push", "1.5")
    1.5
    """
    try:
        return float(text)
    except ValueError:
        raise UsageError(f"{option} '{text}': write a factor such as 2") from None


def check_warmup(text: str, overrides: Sequence[str]) -> None:
    """Refuse a wrong ``--warmup`` under its own name; within the topology it is one more override."""
    if any(override.partition("=")[0].strip() == "run.warmup" for override in overrides):
        raise UsageError(f"--warmup {text} and --set run.warmup say the same twice: leave one of them out")
    if text != "auto":
        seconds("--warmup", text)
