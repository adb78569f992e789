"""What people see on stderr: notes, warnings and progress; data goes to stdout alone."""

from __future__ import annotations

import os
import sys
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import TextIO

PLAIN_EVERY_S = 10.0  # of wall clock between two lines of progress where there is no terminal


def colour(stream: TextIO) -> bool:
    """Whether to write ANSI colours: ``NO_COLOR``, then ``FORCE_COLOR``, then whether it is a terminal."""
    if os.environ.get("NO_COLOR"):
        return False
    return bool(os.environ.get("FORCE_COLOR")) or stream.isatty()


def say(text: str) -> None:
    """Write a line to stderr, after what stdout has so far."""
    sys.stdout.flush()
    print(text, file=sys.stderr, flush=True)


@contextmanager
def progress(quiet: bool) -> Iterator[Callable[[int, int], None] | None]:
    """Give a function that shows how many simulations are done, or None.

    A bar with the time that is left in a terminal; elsewhere a line now and then.
    """
    if quiet:
        yield None
    elif sys.stderr.isatty():
        with _bar() as show:
            yield show
    else:
        yield _lines()


@contextmanager
def _bar() -> Iterator[Callable[[int, int], None]]:
    from rich.console import Console
    from rich.progress import (
        BarColumn,
        MofNCompleteColumn,
        Progress,
        TextColumn,
        TimeElapsedColumn,
        TimeRemainingColumn,
    )

    columns = (
        TextColumn("simulating"),
        BarColumn(),
        MofNCompleteColumn(),
        TimeElapsedColumn(),
        TextColumn("left:"),
        TimeRemainingColumn(),
    )
    with Progress(*columns, console=Console(stderr=True), transient=True) as shown:
        task = shown.add_task("simulating", total=None)
        yield lambda done, total: shown.update(task, completed=done, total=total)


def _lines() -> Callable[[int, int], None]:
    started = time.monotonic()
    last = started

    def show(done: int, total: int) -> None:
        nonlocal started, last
        now = time.monotonic()
        if done == 0:  # whatever took its time before (compiling, reading the points) is no pace of simulations
            started = last = now
        elif done < total and now - last >= PLAIN_EVERY_S:
            last = now
            left = (now - started) / done * (total - done)
            say(f"simulated {done} of {total}, about {left:.0f} s left")

    return show
