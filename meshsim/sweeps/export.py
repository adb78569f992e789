"""Tables of runs as CSV, Parquet, JSON and Markdown: the same numbers give the same bytes."""

from __future__ import annotations

import math
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final

from meshsim.errors import StoreError, UsageError

if TYPE_CHECKING:
    import pandas as pd

ENDINGS: Final = (".csv", ".parquet", ".md", ".json")


def as_csv_text(frame: pd.DataFrame) -> str:
    """CSV with all digits; unknown values are empty."""
    text: str = frame.to_csv(index=False, lineterminator="\n")
    return text


def as_records(frame: pd.DataFrame) -> list[dict[str, Any]]:
    """A record a row, as JSON's types; unknown and infinite values are None."""
    return [{name: _plain(value) for name, value in row.items()} for row in frame.to_dict("records")]


def _plain(value: Any) -> Any:
    if hasattr(value, "item"):
        value = value.item()
    return None if isinstance(value, float) and not math.isfinite(value) else value


def as_markdown_text(frame: pd.DataFrame) -> str:
    """A Markdown table of everything, numbers with six digits."""
    cells = [[_cell(value) for value in row] for row in frame.itertuples(index=False)]
    lines = ["| " + " | ".join(row) + " |" for row in ([str(name) for name in frame.columns], *cells)]
    return "\n".join([lines[0], "|" + "---|" * len(frame.columns), *lines[1:]])


def _cell(value: Any) -> str:
    plain = _plain(value)
    text = "" if plain is None else f"{plain:.6g}" if isinstance(plain, float) else str(plain)
    return text.replace("|", "\\|").replace("\n", " ")


def write_file(frame: pd.DataFrame, file: Path) -> None:
    """Write a table to a file, whose ending says how.

    Raises
    ------
    UsageError
        The ending is unknown.
    StoreError
        The file cannot be written.
    """
    if file.suffix not in ENDINGS:
        raise UsageError(f"{file}: the ending says the format; there is {', '.join(ENDINGS)}")
    try:
        file.write_bytes(_content(frame, file.suffix))
    except OSError as error:
        raise StoreError(f"cannot write {file}: {error.strerror}") from None


def _content(frame: pd.DataFrame, ending: str) -> bytes:
    if ending == ".parquet":
        return _parquet(frame)
    if ending == ".csv":
        return as_csv_text(frame).encode()
    if ending == ".md":
        return (as_markdown_text(frame) + "\n").encode()
    import json

    return (json.dumps(as_records(frame), indent=2, ensure_ascii=False, allow_nan=False) + "\n").encode()


def _parquet(frame: pd.DataFrame) -> bytes:
    """Without pandas' notes in the schema, which name its version."""
    import io

    import pyarrow as pa
    import pyarrow.parquet as pq

    buffer = io.BytesIO()
    pq.write_table(pa.Table.from_pandas(frame, preserve_index=False).replace_schema_metadata(None), buffer)
    return buffer.getvalue()
