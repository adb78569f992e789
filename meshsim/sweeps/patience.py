"""Ctrl-C in a long sweep: the first lets what runs finish and be saved, the second stops at once."""

from __future__ import annotations

import signal
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from types import FrameType


class Patience:
    """Whether somebody has asked to stop."""

    def __init__(self) -> None:
        self.asked = False


@contextmanager
def patience(say: Callable[[str], None]) -> Iterator[Patience]:
    """Note the first Ctrl-C, and let the second be one; in other threads than the main one signals never come."""
    found = Patience()
    if threading.current_thread() is not threading.main_thread():
        yield found
        return

    def note(number: int, frame: FrameType | None) -> None:
        if found.asked:
            raise KeyboardInterrupt
        found.asked = True
        say("interrupted: what runs is finished and saved first; Ctrl-C again stops at once")

    before = signal.signal(signal.SIGINT, note)
    try:
        yield found
    finally:
        signal.signal(signal.SIGINT, before)
