"""Reading Parquet without Arrow's threads.

``read_table``, and pandas with it, reads through Arrow's dataset scanner, whose threads may outlive the answer and then
abort the interpreter as it ends, once in ten runs here (apache/arrow#34314, #39862).
"""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    import pyarrow as pa


def read_parquet(content: bytes) -> pa.Table:
    """Read a whole table.

    Raises
    ------
    ValueError, OSError
        It is no Parquet, or damaged; Arrow's own errors are among these.
    """
    import pyarrow as pa
    from pyarrow.parquet import ParquetFile

    return ParquetFile(pa.BufferReader(content)).read(use_threads=False)
