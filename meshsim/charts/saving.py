"""Writing charts into files that are the same whenever and wherever they are made."""

from __future__ import annotations

import io
import re
from pathlib import Path
from typing import Any, Final

import matplotlib as mpl
import matplotlib.pyplot as plt
from matplotlib.axes import Axes

from meshsim.charts.style import room_or_error, root
from meshsim.errors import StoreError, UsageError

ENDINGS: Final = (".png", ".svg", ".pdf")
_DPI: Final = 150
_SALT: Final = "meshsim"  # SVG's identifiers are random without one
_HASHED: Final = re.compile(rb'(?<=["#])[a-z][0-9a-f]{10}(?=[")])')


def save(ax: Axes, path: str | Path, *, command: str = "") -> None:
    """Write the figure of `ax` into a ``.png``, ``.svg`` or ``.pdf`` file, and close it.

    The same chart gives the same bytes: no date is written.

    Parameters
    ----------
    ax
        What a chart returned.
    path
        Where to; the ending is the format.
    command
        What repeats the numbers; kept in the file's metadata.

    Raises
    ------
    UsageError
        The name has another ending, or the figure is too small for the chart.
    StoreError
        The file cannot be written.
    """
    target = Path(path)
    ending = target.suffix.lower()
    if ending not in ENDINGS:
        raise UsageError(f"{target}: the name of a chart must end in {', '.join(ENDINGS)}")
    write_whole(target, picture(ax, ending, command))


def picture(ax: Axes, ending: str, command: str = "") -> bytes:
    """Give the content of such a file, and close the figure of `ax`."""
    figure, content = root(ax), io.BytesIO()
    try:
        with mpl.rc_context({"svg.hashsalt": _SALT}), room_or_error(figure):
            figure.savefig(content, format=ending[1:], dpi=_DPI, metadata=_metadata(ending, command))
    finally:
        plt.close(figure)
    return _numbered(content.getvalue()) if ending == ".svg" else content.getvalue()


def _numbered(svg: bytes) -> bytes:
    """Number the names that matplotlib makes of all digits of places, the last of which are not always the same."""
    numbers: dict[bytes, bytes] = {}

    def new(found: re.Match[bytes]) -> bytes:
        return numbers.setdefault(found[0], b"%c%d" % (found[0][0], len(numbers) + 1))

    return _HASHED.sub(new, svg)


def write_whole(target: Path, content: bytes) -> None:
    """Write a file as a whole or not at all: a full disk leaves what was there before.

    Raises
    ------
    StoreError
        It cannot be written.
    """
    part = target.with_name(f".{target.name}.part")
    try:
        if target.exists() and not target.is_file():  # a device or a pipe
            target.write_bytes(content)
            return
        part.write_bytes(content)
        part.replace(target)
    except OSError as error:
        part.unlink(missing_ok=True)
        raise StoreError(f"cannot write {target}: {error.strerror}; give a file that you may write") from None


def _metadata(ending: str, command: str) -> dict[str, Any]:
    if ending == ".png":
        return {"Description": command} if command else {}
    if ending == ".svg":
        return {"Date": None, **({"Description": command} if command else {})}
    return {"CreationDate": None, **({"Subject": command} if command else {})}
