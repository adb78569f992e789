"""Traces of keys beside a spec: what the requests of a stream are about, one after another."""

from __future__ import annotations

import hashlib
from pathlib import Path
from typing import Final

import numpy as np

from meshsim.caches.traces import KeyTrace, TraceFormat, guess_format, parse_trace, shipped_trace
from meshsim.errors import UsageError
from meshsim.model.read import keys
from meshsim.model.read.cursor import Cursor
from meshsim.model.traffic import TracedKeys

MAX_TRACE_BYTES: Final = 1_000_000_000  # 40 million records of oracleGeneral, which then take as much memory
_KEPT: Final = 4  # traces that were read last: a sweep reads its topology at each of its points

FORMATS: Final[dict[str, TraceFormat]] = {"csv": "csv", "oracle": "oracle"}

_STAND_IN: Final = TracedKeys.of(KeyTrace(np.zeros(1), np.zeros(1, np.uint64), np.zeros(1, np.int64)))
_read_before: dict[tuple[bytes, TraceFormat], TracedKeys] = {}


def read_trace(at: Cursor) -> TracedKeys:
    """Read ``{file: web.csv}``, with a `format` where the name does not tell it.

    The name is relative to the file of the spec in which it stands, or that of a trace that comes with meshsim.
    """
    allowed = (*keys.KEYS["trace"], *keys.KEYS_TRACE_MORE, *keys.KEYS["zipf"], *keys.KEYS_MORE)
    found = at.fields(allowed, required=keys.KEYS["trace"], example="file: web.csv")
    for key in (*keys.KEYS["zipf"], *keys.KEYS_MORE):
        if key in found:
            itself = "has its own repetitions" if key in keys.KEYS_MORE else "says itself what is asked for"
            message = f"{key} has no meaning with a trace, which {itself}"
            found[key].error("M120", message, f"remove {key}, or write zipf in the place of trace", found[key].key_mark)
    word = found["format"].choice(FORMATS) if "format" in found else None
    name = found["file"].text() if "file" in found else ""
    if not name or ("format" in found and word is None):
        return _STAND_IN
    format = FORMATS[word] if word else guess_format(name)
    if format is None:
        hint = "add format: csv, or format: oracle (oracleGeneral of libCacheSim)"
        found["file"].error("M102", f"the name of {name} does not tell the format of the trace", hint)
        return _STAND_IN
    return _content(found["file"], name, format) or _STAND_IN


def _content(at: Cursor, name: str, format: TraceFormat) -> TracedKeys | None:
    path = at.reading.directories.get(at.node.mark.file, Path()) / name
    if not path.exists():
        path = shipped_trace(name) or path
    try:
        if path.exists() and not path.is_file():
            at.error("M122", f"{path} is not a file", "give the name of a trace, CSV or oracleGeneral")
            return None
        if path.stat().st_size > MAX_TRACE_BYTES:
            limit = f"{MAX_TRACE_BYTES // 10**9} GB"
            at.error("M122", f"{path} is larger than {limit}", "take a part of it: a stretch of time, or of the keys")
            return None
        return _parsed(path.read_bytes(), format, str(path))
    except UsageError as error:
        message, _, hint = str(error).rpartition("; ")
        at.error("M122", message or hint, hint if message else "")
    except (OSError, ValueError) as error:
        reason = getattr(error, "strerror", None) or "that is no name of a file"
        at.error("M122", f"cannot read {path}: {reason}", "names are relative to the file that they stand in")
    return None


def _parsed(content: bytes, format: TraceFormat, file: str) -> TracedKeys:
    """Parse what a file holds, if it is not one of those that were parsed last."""
    known = hashlib.sha256(content).digest(), format
    trace = _read_before.pop(known, None) or TracedKeys.of(parse_trace(content, format, file))
    _read_before[known] = trace  # the youngest stands last
    while len(_read_before) > _KEPT:
        del _read_before[next(iter(_read_before))]
    return trace
