"""The batches of a run: which one is now, and when the next one begins."""

from __future__ import annotations

import numpy as np
import numpy.typing as npt

from meshsim.engines.order import NEVER_NS
from meshsim.engines.record import BATCHES, OCCUPANCY_BINS


class Clock:
    """Simulated time as the counters see it."""

    def __init__(self, duration_ns: int) -> None:
        self.duration_ns = duration_ns
        self.now_ns = 0
        self.batch = 0
        self.edge_ns = self._edge(1)

    def _edge(self, number: int) -> int:
        return self.duration_ns * number // BATCHES

    def next_batch(self) -> None:
        """Enter the batch that begins at `edge_ns`; the one after the last is what follows `duration`."""
        self.batch += 1
        self.edge_ns = self._edge(self.batch + 1) if self.batch < BATCHES else NEVER_NS


class Occupancy:
    """Integral of the requests in the plane, in `OCCUPANCY_BINS` equal bins of the duration."""

    def __init__(self, clock: Clock) -> None:
        self.clock = clock
        self.present = 0
        self.bins = [0] * OCCUPANCY_BINS
        self._bin = 0
        self._edge_ns = self._edge()
        self._since_ns = 0

    def _edge(self) -> int:
        return self.clock.duration_ns * (self._bin + 1) // OCCUPANCY_BINS

    def settle(self) -> None:
        """Bring the integral up to now; called before `present` changes."""
        now = self.clock.now_ns
        while now >= self._edge_ns and self._bin < OCCUPANCY_BINS:
            self._add(self._edge_ns)
            self._bin += 1
            self._edge_ns = self._edge()
        if self._bin < OCCUPANCY_BINS:
            self._add(now)

    def _add(self, until_ns: int) -> None:
        self.bins[self._bin] += self.present * (until_ns - self._since_ns)
        self._since_ns = until_ns

    def array(self) -> npt.NDArray[np.int64]:
        """The bins, in request-nanoseconds."""
        return np.array(self.bins, dtype=np.int64)
