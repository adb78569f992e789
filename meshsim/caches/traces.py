"""Traces of keys, read from files: when something was asked for, what it was, and how large it is.

Formats are CSV (time, key, size) and oracleGeneral, the binary records of libCacheSim (github.com/1a1a11a/libCacheSim,
FAQ.md), in which most public traces of caches are to be had.
"""

from __future__ import annotations

import csv
import hashlib
import io
import math
from array import array
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from functools import lru_cache
from itertools import chain
from pathlib import Path
from typing import Final, Literal

import numpy as np
from numpy.typing import NDArray

from meshsim.errors import UsageError
from meshsim.units import UnitError, parse_bytes, parse_duration_s

TraceFormat = Literal["csv", "oracle"]

#: A record of oracleGeneral: time in seconds, object, its size, and when it is asked for next (not used here).
ORACLE_GENERAL: Final = np.dtype([("time_s", "<u4"), ("key", "<u8"), ("size_bytes", "<u4"), ("next", "<i8")])

_COLUMNS: Final = ("time", "key", "size")
_LARGEST: Final = 2**63 - 1
_COMPRESSED: Final = {b"\x28\xb5\x2f\xfd": "zstd -d", b"\x1f\x8b": "gunzip", b"BZh": "bunzip2", b"\xfd7zXZ": "unxz"}


@dataclass(frozen=True, slots=True, eq=False)
class KeyTrace:
    """Requests in the order of time, as columns of the same length.

    Attributes
    ----------
    time_s
        Seconds, never less than that of the request before.
    key
        64 bits that stand for the object.
    size_bytes
        Of the object.
    """

    time_s: NDArray[np.float64]
    key: NDArray[np.uint64]
    size_bytes: NDArray[np.int64]

    def __len__(self) -> int:
        """Requests."""
        return len(self.key)


def key_of_name(name: str) -> int:
    """64 bits of the BLAKE2b of a name; two of ten million names share them with a probability of 3 in a million.

    Examples
    --------
    >>> key_of_name("tile/3/4") == key_of_name("tile/3/4") != key_of_name("tile/3/5")
    True
    """
    return int.from_bytes(hashlib.blake2b(name.encode(), digest_size=8).digest(), "little")


def shipped_trace(name: str) -> Path | None:
    """A trace that comes with meshsim, inside of an installation or beside the package in a checkout."""
    package = Path(__file__).resolve().parent.parent
    if Path(name).name != name:
        return None
    found = [place / "topologies" / "traces" / name for place in (package, package.parent)]
    return next((file for file in found if file.is_file()), None)


def guess_format(file: str) -> TraceFormat | None:
    """Format by the ending of a file's name; None if the ending says nothing.

    Examples
    --------
    >>> guess_format("a.csv"), guess_format("w85.oracleGeneral.bin"), guess_format("-")
    ('csv', 'oracle', None)
    """
    name = Path(file).name.lower().removesuffix(".zst").removesuffix(".gz")
    if name.endswith((".csv", ".txt")):
        return "csv"
    return "oracle" if "oraclegeneral" in name or name.endswith(".bin") else None


def parse_trace(content: bytes, format: TraceFormat, file: str) -> KeyTrace:
    r"""Read the content of a file.

    Parameters
    ----------
    content
        All of it.
    format
        ``csv`` or ``oracle`` (oracleGeneral).
    file
        Its name, for messages.

    Raises
    ------
    UsageError
        If it is no such trace, with the place and what to do.

    Examples
    --------
    >>> trace = parse_trace(b"time,key,size\n0.5,a,1KiB\n700ms,b,20\n", "csv", "example.csv")
    >>> trace.time_s.tolist(), trace.size_bytes.tolist()
    ([0.5, 0.7], [1024, 20])
    """
    for magic, command in _COMPRESSED.items():
        if content.startswith(magic):
            raise UsageError(f"{file} is compressed; decompress it with `{command}` first")
    found = _parse_csv(content, file) if format == "csv" else _parse_oracle(content, file)
    if not len(found):
        raise UsageError(f"{file}: there are no requests in it; give a line for each: {', '.join(_COLUMNS)}")
    return found


def _parse_oracle(content: bytes, file: str) -> KeyTrace:
    rest = len(content) % ORACLE_GENERAL.itemsize
    if rest:
        raise UsageError(
            f"{file}: {len(content)} bytes are not a whole number of oracleGeneral records of "
            f"{ORACLE_GENERAL.itemsize} bytes; the file is cut off, or of another format"
        )
    records = np.frombuffer(content, ORACLE_GENERAL)
    time_s = records["time_s"].astype(np.float64)
    back = np.flatnonzero(np.diff(time_s) < 0)
    if len(back):
        raise UsageError(
            f"{file}: record {back[0] + 2} is of {time_s[back[0] + 1]:g} s, the one before of {time_s[back[0]]:g} s; "
            "sort the trace by time"
        )
    return KeyTrace(time_s, records["key"].astype(np.uint64), records["size_bytes"].astype(np.int64))


def _parse_csv(content: bytes, file: str) -> KeyTrace:
    rows = _rows(content, file)
    first = next(rows, (0, []))
    header = [cell.strip().lower() for cell in first[1]]
    if set(_COLUMNS) <= set(header):
        return _columns(rows, [header.index(name) for name in _COLUMNS], file)
    return _columns(chain([first] if header else [], rows), [0, 1, 2], file)


def _rows(content: bytes, file: str) -> Iterator[tuple[int, list[str]]]:
    """Number of the line and its cells; without empty lines and comments (#)."""
    reader = csv.reader(io.TextIOWrapper(io.BytesIO(content), encoding="utf-8-sig", newline=""))
    try:
        for row in reader:
            if row and not row[0].startswith("#"):
                yield reader.line_num, row
    except csv.Error as error:
        raise UsageError(f"{file}:{reader.line_num}: this is not CSV: {error}") from None
    except UnicodeDecodeError:
        raise UsageError(
            f"{file}: byte {_first_bad_byte(content)} is not UTF-8 text; if it is oracleGeneral, its format is oracle"
        ) from None


def _first_bad_byte(content: bytes) -> int:
    """Number of the first byte that is no UTF-8, from 1; 0 if all are."""
    try:
        content.decode()
    except UnicodeDecodeError as error:
        return error.start + 1
    return 0


def _columns(rows: Iterable[tuple[int, list[str]]], places: list[int], file: str) -> KeyTrace:
    """Times, keys and sizes, which are in these places of each row."""
    key_of = lru_cache(maxsize=1 << 20)(key_of_name)  # popular keys come again
    times_s, keys, sizes_bytes = array("d", [0.0]), array("Q"), array("q")  # a list of numbers takes four times as much
    for line, row in rows:
        try:
            time, key, size = (row[place].strip() for place in places)
            times_s.append(_time_s(time))
            sizes_bytes.append(_size_bytes(size))
        except IndexError:
            raise UsageError(
                f"{file}:{line}: {len(row)} columns are too few for {', '.join(_COLUMNS)}; give all three"
            ) from None
        except UnitError as error:
            hint = f"; {error.hint}" if error.hint else ""
            header = f". A header has the names {', '.join(_COLUMNS)}" if not keys else ""
            raise UsageError(f"{file}:{line}: {error}{hint}{header}") from None
        if times_s[-1] < times_s[-2]:
            raise UsageError(f"{file}:{line}: time {time} is before that of the request above; sort the trace by time")
        keys.append(key_of(key))
    return KeyTrace(np.array(times_s[1:], np.float64), np.array(keys, np.uint64), np.array(sizes_bytes, np.int64))


def _time_s(text: str) -> float:
    """Plain seconds, or a duration with its unit."""
    try:
        time_s = float(text)
    except ValueError:
        return parse_duration_s(text)
    if not 0.0 <= time_s < math.inf:
        raise UnitError(f"'{text}' is not a time from 0 on")
    return time_s


def _size_bytes(text: str) -> int:
    """Plain bytes, or a size with its unit."""
    try:
        size_bytes = int(text)
    except ValueError:
        size_bytes = parse_bytes(text)
    if not 0 <= size_bytes <= _LARGEST:
        raise UnitError(f"'{text}' is not a size from 0 to 2^63 - 1 bytes")
    return size_bytes
