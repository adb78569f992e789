"""Variants of a topology on the command line: ``NAME=PATH=VALUE;PATH=VALUE``, or a name alone."""

from __future__ import annotations

from collections.abc import Sequence

from meshsim.errors import UsageError


def parse_variants(option: str, texts: Sequence[str], example: str) -> dict[str, Sequence[str]]:
    """Read what each variant changes, by name; a name alone changes nothing.

    Parameters
    ----------
    option
        That has them, for messages.
    texts
        As they were given.
    example
        One that could be meant.

    Raises
    ------
    UsageError
        A text is something else, or a name comes twice.

    Examples
    --------
    >>> parse_variants("--policy", ["none", "two=a.b=1; a.c=2"], "")
    {'none': [], 'two': ['a.b=1', 'a.c=2']}
    """
    found: dict[str, Sequence[str]] = {}
    for text in texts:
        name, equals, changes = text.partition("=")
        several = [change.strip() for change in changes.split(";") if change.strip()]
        if not name.strip() or any("=" not in change for change in several) or (equals and not several):
            raise UsageError(f"{option} '{text}': write a name, or NAME=PATH=VALUE, e.g. '{example}'")
        if name.strip() in found:
            raise UsageError(f"{option} {name.strip()} is given twice; write what it changes with ; between")
        found[name.strip()] = several
    return found
