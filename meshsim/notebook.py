"""What a notebook shows while a simulation runs: a bar in Jupyter, nothing elsewhere."""

from __future__ import annotations

import sys
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from importlib.util import find_spec
from typing import Any, Final

Progress = Callable[[int, int], None]
PATIENCE_S: Final = 0.5  # of wall clock without a bar (assumed): what is over sooner needs none


def in_notebook() -> bool:
    """Whether this is the kernel of a notebook that can show widgets."""
    shell = getattr(sys.modules.get("IPython"), "get_ipython", lambda: None)()
    return type(shell).__name__ == "ZMQInteractiveShell" and find_spec("ipywidgets") is not None


@contextmanager
def progress_shown(given: Progress | None, quiet: bool) -> Iterator[Progress | None]:
    """Give the progress function that was given, or in a notebook one that moves a bar, or None."""
    if given is not None or quiet or not in_notebook():
        yield given
        return
    from IPython.display import display
    from ipywidgets import HTML, HBox, IntProgress

    began = time.monotonic()
    bar, label = IntProgress(), HTML()
    shown: Any = None

    def move(done: int, total: int) -> None:
        nonlocal shown
        bar.max, bar.value = total, done
        label.value = f"{done} of {total} simulations"
        if shown is None and time.monotonic() - began >= PATIENCE_S:
            shown = display(HBox([bar, label]), display_id=True)  # type: ignore[no-untyped-call]

    try:
        yield move
    finally:
        if shown is not None:  # the widget stays: JupyterLab may not have drawn it yet, and would miss it
            shown.update({"text/plain": ""}, raw=True)  # nothing is left of it in the saved notebook
