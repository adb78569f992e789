"""What a user should know at once, while a sweep or a store goes on: who says it."""

from __future__ import annotations

import sys
from collections.abc import Callable

Say = Callable[[str], None]


def to_stderr(text: str) -> None:
    """Write a line to stderr."""
    print(text, file=sys.stderr, flush=True)


def unsaid(text: str) -> None:
    """Say nothing."""
