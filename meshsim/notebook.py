"""What a notebook shows while a simulation runs: a bar in Jupyter, nothing elsewhere."""

from __future__ import annotations

import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from importlib.util import find_spec
from typing import Any

Progress = Callable[[int, int], None]


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

    bar, label = IntProgress(), HTML()
    box = HBox([bar, label])
    shown: Any = display(box, display_id=True)  # type: ignore[no-untyped-call]

    def move(done: int, total: int) -> None:
        bar.max, bar.value = total, done
        label.value = f"{done} of {total} simulations"

    try:
        yield move
    finally:
        box.close()
        shown.update({"text/plain": ""}, raw=True)  # nothing is left of it in the saved notebook
