"""Columns of numbers beside a spec: observations of a distribution, times of a trace."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

from meshsim.model.read.cursor import Cursor
from meshsim.model.read.tree import Mark, Scalar, resolve

MAX_BYTES = 50_000_000
MAX_VALUES = 2_000_000
_MAX_COMPLAINTS = 2  # a column of the wrong kind is wrong in every line


def column(at: Cursor, value: Callable[[Cursor], float]) -> list[float]:
    """Read one quantity a line, or the first column of a CSV file; empty lines and ``# comments`` are left out.

    Parameters
    ----------
    at
        The file's name, relative to the file of the spec in which it stands.
    value
        Reads one quantity.

    Returns
    -------
    list of float
        In base units, in the order of the file; empty after an error.
    """
    path = at.reading.directories.get(at.node.mark.file, Path()) / at.text()
    text = _text(at, path)
    if text is None:
        return []
    values: list[float] = []
    before = at.reading.report.errors
    for number, line in enumerate(text.splitlines(), 1):
        cell = line.split(",", 1)[0].split("#", 1)[0].strip().strip('"')
        if not cell or (number == 1 and _is_header(cell)):
            continue
        mark = Mark(str(path), number, 1)
        values.append(value(Cursor(Scalar(resolve(cell), cell, mark), at.path, at.reading, mark, "the value")))
        if at.reading.report.errors - before >= _MAX_COMPLAINTS or len(values) > MAX_VALUES:
            break
    if len(values) > MAX_VALUES:
        at.error("M122", f"{path} has more than {MAX_VALUES:,} values", "take a sample of them")
        return []
    if not values:
        at.error("M122", f"{path} holds no values", "write one quantity with its unit in each line, e.g. 12ms")
    return values


def _is_header(cell: str) -> bool:
    return not any(character.isdigit() for character in cell)


def _text(at: Cursor, path: Path) -> str | None:
    """Content of the file; None after an error. Its lines are nobody's business: they are not shown with errors."""
    try:
        if path.exists() and not path.is_file():
            at.error("M122", f"{path} is not a file", "give the name of a text or CSV file")
            return None
        if path.stat().st_size > MAX_BYTES:
            at.error("M122", f"{path} is larger than {MAX_BYTES // 10**6} MB", "take a sample of it")
            return None
        return path.read_text(encoding="utf-8-sig")
    except (OSError, UnicodeDecodeError, ValueError) as error:
        reason = getattr(error, "strerror", None) or "it is not UTF-8 text"
        at.error("M122", f"cannot read {path}: {reason}", "names are relative to the file that they stand in")
        return None
