"""Packing of traces of keys: one behind the other, each once."""

from __future__ import annotations

from typing import TypeVar

import numpy as np
import numpy.typing as npt

from meshsim.model.traffic import TracedKeys

Number = TypeVar("Number", np.uint64, np.int64)


class Traces:
    """All traces that the keys of a Plane are of."""

    def __init__(self) -> None:
        self._first: dict[str, int] = {}  # by digest
        self._traces: list[TracedKeys] = []
        self._length = 0

    def add(self, trace: TracedKeys) -> int:
        """Return where the requests of a trace begin."""
        if trace.digest not in self._first:
            self._first[trace.digest] = self._length
            self._traces.append(trace)
            self._length += len(trace)
        return self._first[trace.digest]

    def keys(self) -> npt.NDArray[np.uint64]:
        """What each request was about."""
        return _joined([np.zeros(0, np.uint64), *(trace.keys for trace in self._traces)])

    def sizes_bytes(self) -> npt.NDArray[np.int64]:
        """How large that was."""
        return _joined([np.zeros(0, np.int64), *(trace.sizes_bytes for trace in self._traces)])


def _joined(columns: list[npt.NDArray[Number]]) -> npt.NDArray[Number]:
    """Columns behind one another; a single one with anything in it is not copied."""
    return columns[-1] if len(columns) == 2 else np.concatenate(columns)
