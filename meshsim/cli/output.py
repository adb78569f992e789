"""What goes to stdout: text, JSON, CSV or Markdown."""

from __future__ import annotations

import csv
import io
import json
import sys
from collections.abc import Callable, Mapping, Sequence
from typing import TYPE_CHECKING, Any, Protocol, TypeVar

from meshsim.cli.options import Format

if TYPE_CHECKING:
    import pandas as pd

    from meshsim.results.judge import Check

_COUNTS = ("requests", "tries", "rejected", "replicas")

Rows = Sequence[Sequence[str]]


def write(text: str) -> None:
    """Write text and a newline to stdout."""
    sys.stdout.write(text if text.endswith("\n") else text + "\n")


def as_json(value: object) -> str:
    """JSON that people can read; numbers that JSON has no word for must have become null before."""
    return json.dumps(value, indent=2, ensure_ascii=False, allow_nan=False)


def frame_as_csv(frame: pd.DataFrame) -> str:
    """CSV of a table of numbers with a heading and no index; unknown values are empty, counts are integers."""
    counts = frame["quantity"].map(lambda name: name in _COUNTS or name.startswith("outcomes."))
    plain = frame.astype({"value": object})
    plain.loc[counts, "value"] = frame.loc[counts, "value"].map(lambda value: f"{value:.0f}")
    text: str = plain.to_csv(index=False, lineterminator="\n")
    return text


class Study(Protocol):
    """What can be told in every format."""

    def to_dict(self) -> dict[str, Any]:
        """Give it as JSON's types."""

    def frame(self) -> pd.DataFrame:
        """Tidy table."""

    def summary(self) -> str:
        """One screen of text."""


_Study = TypeVar("_Study", bound=Study)


def in_format(found: _Study, output: Format, markdown: Callable[[_Study], str]) -> str:
    """What a study found, as it was asked for; `markdown` makes that of it."""
    if output is Format.JSON:
        return as_json(found.to_dict())
    if output is Format.CSV:
        from meshsim.sweeps.export import as_csv_text

        return as_csv_text(found.frame())
    return found.summary() if output is Format.TABLE else markdown(found)


def as_csv(header: Sequence[str], rows: Rows) -> str:
    """CSV of texts."""
    buffer = io.StringIO()
    csv.writer(buffer, lineterminator="\n").writerows([header, *rows])
    return buffer.getvalue()


def as_markdown(header: Sequence[str], rows: Rows) -> str:
    r"""A table that GitHub and most wikis show; bars within cells are escaped.

    Examples
    --------
    >>> print(as_markdown(["a", "b"], [["1", "x|y"]]))
    | a | b |
    |---|---|
    | 1 | x\|y |
    """
    cells = [[cell.replace("|", "\\|").replace("\n", " ") for cell in row] for row in (header, *rows)]
    lines = [f"| {' | '.join(row)} |" for row in cells]
    return "\n".join([lines[0], "|" + "---|" * len(header), *lines[1:]])


def check_as_markdown(check: Check) -> str:
    """Queueing theory beside a run."""
    header, *rows = check.table()
    return "\n".join([as_markdown(header, rows), "", *(f"- {sentence}" for sentence in check.sentences())])


def as_columns(rows: Rows) -> str:
    """Columns to the left, as `ls -l` has them, without a heading."""
    if not rows:
        return ""
    widths = [max(len(row[column]) for row in rows) for column in range(len(rows[0]))]
    lines = ("  ".join(cell.ljust(width) for cell, width in zip(row, widths, strict=True)).rstrip() for row in rows)
    return "\n".join(lines)


def write_rows(records: Sequence[Mapping[str, object]], header: Sequence[str], output: Format) -> None:
    """Write plain records: all of their fields as JSON, those of the header otherwise."""
    rows = [["" if record[key] is None else str(record[key]) for key in header] for record in records]
    if output is Format.JSON:
        write(as_json(list(records)))
    elif output is Format.CSV:
        write(as_csv(header, rows))
    elif output is Format.MD:
        write(as_markdown(header, rows))
    else:
        write(as_columns(rows))
