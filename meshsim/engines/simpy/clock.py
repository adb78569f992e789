"""The batches of a run: which one is now, and when the next one begins."""

from __future__ import annotations

import numpy as np
import numpy.typing as npt

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
        self.edge_ns = self._edge(self.batch + 1) if self.batch < BATCHES else 2**62


class Occupancy:
    """Integral of the requests in the plane, in `OCCUPANCY_BINS` equal bins of the duration."""

    def __init__(self, clock: Clock) -> None:
        self.clock = clock
        self.present = 0
        self.bins = [0] * OCCUPANCY_BINS
        self._bin = 0
        self._since_ns = 0

    def settle(self) -> None:
        """Bring the integral up to now; called before `present` changes."""
        while self._bin < OCCUPANCY_BINS:
            edge_ns = self.clock.duration_ns * (self._bin + 1) // OCCUPANCY_BINS
            end_ns = min(self.clock.now_ns, edge_ns)
            self.bins[self._bin] += self.present * (end_ns - self._since_ns)
            self._since_ns = end_ns
            if end_ns < edge_ns:
                break
            self._bin += 1

    def array(self) -> npt.NDArray[np.int64]:
        """The bins, in request-nanoseconds."""
        return np.array(self.bins, dtype=np.int64)
