"""Drives the kernel: makes its tables, lets it run, grows what is full, turns statuses into errors, gives a Record."""

from __future__ import annotations

from collections.abc import Callable, Iterator

import numpy as np

from meshsim.engines import keyed, order, record
from meshsim.engines.compiled import clients, counters, loop
from meshsim.engines.compiled import state as st
from meshsim.engines.program import CLOSED, Program
from meshsim.engines.record import BATCHES, Record
from meshsim.errors import EngineLimit, InternalError

EVENT_BUDGET = 2**62  # assumed: no limit but that of time
_FOREVER = 2**62
_SLICES = 40  # of the duration, in which Ctrl-C waits (assumed: a second or so of the largest runs)


def simulate(
    program: Program,
    *,
    seed: int,
    replication: int,
    duration_ns: int,
    drain_ns: int,
    branch: int = 0,
    record_requests: bool = False,
    sample_share: float = 1.0,
    stop: Callable[[], bool] | None = None,
) -> Record:
    """Run one replication on the compiled engine; parameters and errors as of the reference engine.

    The kernel is left after every `_SLICES`-th part of the duration and of the drain: signals are handled then, and
    `stop` is asked whether to raise KeyboardInterrupt. That changes no number.
    """
    run = Run(program, seed, replication, branch, duration_ns, duration_ns + drain_ns)
    scalars = run.kernel.scalars[0]
    scalars["record_requests"] = record_requests
    scalars["sample_share"] = sample_share
    run.start()
    for until_ns in _slices(duration_ns, drain_ns):
        if stop is not None and stop():
            raise KeyboardInterrupt
        run.advance(until_ns)
        if run.status == st.DONE:
            break
    return run.record()


def _slices(duration_ns: int, drain_ns: int) -> Iterator[int]:
    """Where to pause: within the duration, within the drain, and no more."""
    yield from (duration_ns * i // _SLICES for i in range(1, _SLICES + 1))
    yield from (duration_ns + drain_ns * i // _SLICES for i in range(1, _SLICES))
    yield _FOREVER


class Run:
    """One run of the kernel."""

    def __init__(
        self, program: Program, seed: int, replication: int, branch: int, duration_ns: int, limit_ns: int
    ) -> None:
        self.program = program
        self.kernel = st.allocate(program)
        s = self.kernel.scalars[0]
        s["run"] = keyed.run_key(seed, replication, branch)
        s["duration_ns"] = duration_ns
        s["limit_ns"] = limit_ns
        s["edge_ns"] = duration_ns // BATCHES
        s["budget"] = EVENT_BUDGET
        s["culprit"] = st.NONE
        s["arrivals"] = 1
        self.status = st.PAUSED

    def start(self) -> None:
        """Schedule the first arrivals."""
        for number, stream in enumerate(self.program.streams):
            if stream["kind"] == CLOSED:
                for user in range(int(stream["users"])):
                    self._make_room_for_a_user()
                    clients.begin_user(st.for_kernel(self.kernel), number, user)
            else:
                clients.begin(st.for_kernel(self.kernel), number)

    def _make_room_for_a_user(self) -> None:
        s = self.kernel.scalars[0]
        if s["free_users"] < 1:
            self.kernel = st.grow(self.kernel, st.USER_TABLE)
        if s["heap"] + 1 > len(self.kernel.heap):
            self.kernel = st.grow(self.kernel, st.HEAP_TABLE)

    def advance(self, until_ns: int) -> None:
        """Handle all events before `until_ns`, as far as the run goes."""
        while True:
            self.status = int(loop.advance(st.for_kernel(self.kernel), until_ns))
            if self.status != st.GROW:
                break
            self.kernel = st.grow(self.kernel, int(self.kernel.scalars[0]["full"]))
        if self.status not in (st.DONE, st.PAUSED):
            self._fail()

    def _fail(self) -> None:
        s = self.kernel.scalars[0]
        now_s = float(s["now_ns"]) / 1e9
        if self.status == st.TOO_DEEP:
            frame = self.kernel.frames[int(s["culprit"])]
            raise EngineLimit(
                f"calls nest deeper than call_depth: {self._chain(int(s['culprit']))}",
                limit=f"call_depth {self.program.depth}",
                station=self.program.service_names[int(self.program.calls[frame["call"]]["service"])],
                simulated_time_s=now_s,
            )
        if self.status == st.TOO_MANY_FRAMES:
            raise EngineLimit(
                "one request made too many calls; look for a loop of calls or a huge `times`",
                limit=f"{order.MAX_SERIAL} frames a request",
                simulated_time_s=now_s,
            )
        if self.status == st.TOO_MANY_REQUESTS:
            raise EngineLimit(
                "too many requests in one run; shorten run.duration",
                limit=f"{order.MAX_REQUEST} requests",
                simulated_time_s=now_s,
            )
        if self.status == st.TIME_STANDS_STILL:
            raise EngineLimit(
                order.STANDS_STILL, limit=f"{order.MOST_AT_ONCE} events at one instant", simulated_time_s=now_s
            )
        if self.status == st.EVENT_BUDGET:
            raise EngineLimit("the event budget is spent", limit=f"{int(s['budget'])} events", simulated_time_s=now_s)
        raise InternalError(f"the kernel stopped with status {self.status} at {now_s} s")

    def _chain(self, frame: int) -> str:
        """The calls that led to one, the innermost last."""
        names: list[str] = []
        while frame != st.NONE:
            f = self.kernel.frames[frame]
            if f["kind"] == st.RPC:
                names.append(self.program.endpoint_names[int(self.program.calls[f["call"]]["endpoint"])])
            frame = int(f["parent"])
        return order.cycle_text(names[::-1])

    # -- result --------------------------------------------------------------------------------------------------

    def record(self) -> Record:
        """Close all batches and hand over what was counted."""
        k = st.for_kernel(self.kernel)
        s = self.kernel.scalars[0]
        end_ns = max(int(s["now_ns"]), int(s["duration_ns"])) if s["pending"] == 0 else int(s["limit_ns"])
        while s["batch"] < BATCHES:
            counters.next_batch(k)
        s["now_ns"] = end_ns
        counters.settle_all(k)
        self._count_unfinished()
        k = self.kernel
        rows = np.sort(k.rows[: int(s["rows"])], order="number") if s["record_requests"] else None
        spans = k.spans[: int(s["spans"])]
        # a sampled request was answered if the span of its client's exchange has returned
        sampled = np.sort(spans["request"][(spans["serial"] == 0) & (spans["returned_ns"] >= 0)])
        spans = spans[np.isin(spans["request"], sampled)]
        return Record(
            duration_ns=int(s["duration_ns"]),
            counts=k.counts[:, :, : len(record.OUTCOMES)].copy(),
            latency_sum_ns=k.counts[:, :, st.LATENCY].copy(),
            latency_all_sum_ns=k.counts[:, :, st.LATENCY_ALL].copy(),
            histogram=k.histogram[0],
            histogram_failed=k.histogram[1],
            tries=k.counts[:, :, st.TRIES].copy(),
            services=np.swapaxes(k.counters, 0, 1),
            service_histogram=np.swapaxes(k.service_histogram, 0, 1),
            occupancy_ns=k.occupancy,
            requests=rows,
            spans=spans[np.lexsort((spans["serial"], spans["request"]))],
            sampled=sampled,
            events=int(s["events"]),
            end_ns=end_ns,
        )

    def _count_unfinished(self) -> None:
        open_ones = np.flatnonzero((self.kernel.live["number"] >= 0) & (self.kernel.live["end_ns"] < 0))
        s = self.kernel.scalars[0]
        for at in open_ones:
            if s["record_requests"] and s["rows"] == len(self.kernel.rows):
                self.kernel = st.grow(self.kernel, st.ROW_TABLE)
            clients.store(st.for_kernel(self.kernel), int(at), record.UNFINISHED)
