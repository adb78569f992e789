"""Files that commands draw into: refused before anything is simulated, written in the end."""

from __future__ import annotations

import errno
import os
import re
from pathlib import Path
from typing import TYPE_CHECKING, Final

from meshsim.errors import StoreError, UsageError

if TYPE_CHECKING:
    from matplotlib.axes import Axes

ENDINGS: Final = (".png", ".svg", ".pdf")  # as of meshsim.charts.saving, which would load matplotlib
_CM: Final = {"cm": 1.0, "mm": 0.1, "in": 2.54}


def check_picture(option: str, target: Path) -> None:
    """Refuse a file that cannot be a picture, or cannot be written.

    Parameters
    ----------
    option
        That named it, for the message.
    target
        The file.

    Raises
    ------
    UsageError
        Its ending is none of `ENDINGS`.
    StoreError
        It cannot be written.
    """
    if target.suffix.lower() not in ENDINGS:
        raise UsageError(f"{option} {target}: the name must end in {', '.join(ENDINGS)}")
    check_writable(option, target)


def check_writable(option: str, target: Path) -> None:
    """Refuse a file that cannot be written.

    Raises
    ------
    StoreError
        With what is wrong.
    """
    if not target.parent.is_dir():
        raise StoreError(f"cannot write {target}: there is no folder {target.parent}; make it or give another name")
    if target.is_dir():
        raise StoreError(f"cannot write {target}: it is a folder; give {option} the name of a file")
    if not os.access(target if target.exists() else target.parent, os.W_OK):
        frozen = os.statvfs(target.parent).f_flag & os.ST_RDONLY
        why = os.strerror(errno.EROFS if frozen else errno.EACCES)
        raise StoreError(f"cannot write {target}: {why}; give {option} the name of a file that you may write")


def use_files_only() -> None:
    """Let matplotlib draw where there is no display; call it before anything is drawn."""
    import matplotlib

    matplotlib.use("agg")


def save_picture(ax: Axes, target: Path, command: str = "") -> None:
    """Write a chart; see `meshsim.charts.save`."""
    from meshsim.charts import save

    save(ax, target, command=command)


def parse_length_cm(option: str, text: str) -> float:
    """Read a length such as ``16cm``, ``160mm`` or ``6.3in``.

    Raises
    ------
    UsageError
        When the text is something else.

    Examples
    --------
    >>> parse_length_cm("--width", "16cm"), parse_length_cm("--width", "5in")
    (16.0, 12.7)
    """
    match = re.fullmatch(r"\s*(\d+(?:\.\d+)?)\s*(cm|mm|in)\s*", text)
    if match is None:
        raise UsageError(f"{option} {text}: write a length with its unit, e.g. 16cm, 160mm or 6.3in")
    return float(match[1]) * _CM[match[2]]
