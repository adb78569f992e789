"""Starts processes that Ctrl-C interrupts, however the tests were started."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
from collections.abc import Iterator, Sequence
from contextlib import contextmanager, suppress
from typing import Any

#: Whoever runs the tests in the background (nohup, &) has let them ignore SIGINT. Children inherit that, and no Ctrl-C
#: is raised in them: this takes it back before the command begins.
_LISTENS = "import os, signal, sys; signal.signal(signal.SIGINT, signal.SIG_DFL); os.execv(sys.argv[1], sys.argv[1:])"


@contextmanager
def interruptible(words: Sequence[str], **more: Any) -> Iterator[subprocess.Popen[str]]:
    """Run a command in a session of its own, with its output in pipes; nothing of it stays behind.

    Parameters
    ----------
    words
        The program's path and its arguments.
    more
        As of `subprocess.Popen`.
    """
    pipes = {"stdout": subprocess.PIPE, "stderr": subprocess.PIPE, "text": True}
    words = [sys.executable, "-c", _LISTENS, *words]
    with subprocess.Popen(words, start_new_session=True, **{**pipes, **more}) as running:
        try:
            yield running
        finally:
            with suppress(ProcessLookupError):  # nobody is left
                os.killpg(running.pid, signal.SIGKILL)
