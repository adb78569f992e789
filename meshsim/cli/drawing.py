"""Drawings that commands write into files."""

from __future__ import annotations

import os
from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING

from meshsim.errors import StoreError, UsageError

if TYPE_CHECKING:
    from matplotlib.axes import Axes

_FORMATS = (".png", ".svg", ".pdf")


def check(option: str, target: Path | None) -> None:
    """Refuse a target before anything is printed; whether it is writable shows only when it is written."""
    if target is None:
        return
    if target.suffix.lower() not in _FORMATS:
        raise UsageError(f"{option} {target}: the name must end in {', '.join(_FORMATS)}")
    if not target.parent.is_dir():
        raise StoreError(f"cannot write {target}: there is no folder {target.parent}; make it or give another name")
    if target.is_dir() or not os.access(target if target.exists() else target.parent, os.W_OK):
        raise StoreError(f"cannot write {target}: {_hint(option)}")


def save(draw: Callable[[], Axes], option: str, target: Path) -> None:
    """Draw, and write the figure."""
    import matplotlib

    matplotlib.use("agg")  # files only: works where there is no display
    figure = draw().get_figure(root=True)
    try:
        if figure is not None:
            figure.savefig(target, bbox_inches="tight", dpi=150)
    except OSError as error:
        raise StoreError(f"cannot write {target}: {error.strerror}; {_hint(option)}") from None


def _hint(option: str) -> str:
    return f"give {option} the name of a file that you may write"
