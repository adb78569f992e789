"""Traces of planes made by hand."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from builders import MS, plane, run, trace_ms

from meshsim.architectures.plane import PlaneService
from meshsim.engines.record import Record
from meshsim.results.traces import Span, Trace, Traces, choose, keep


def traces_of(*services: PlaneService, at: Sequence[float] = (0,), wishes: Any = None, **fields: Any) -> Traces:
    """Requests at some instants (ms) into the first service, all of them traced, by arrival."""
    made = plane(*services, arrivals=trace_ms(*at), **fields)
    return choose(keep(made, [run(made, 1.0, spans=True)], 0, 1), **(wishes or {"slowest": 0, "sampled": 1000}))


def trace_of(*services: PlaneService, **fields: Any) -> Trace:
    """The last request."""
    return traces_of(*services, **fields)[-1]


def of_record(made: Any, record: Record) -> Traces:
    return choose(keep(made, [record], 0, 1), slowest=0, sampled=10**9)


def bars(trace: Trace, service: str) -> list[tuple[float, float, str, bool]]:
    """Segments of the first frame at a service: from, to (ms since arrival), part, critical."""
    return bars_of(trace, next(span for span in trace.spans if span.service == service and span.kind == "call"))


def bars_of(trace: Trace, span: Span) -> list[tuple[float, float, str, bool]]:
    return [
        ((one.start_ns - trace.arrival_ns) / MS, (one.end_ns - trace.arrival_ns) / MS, one.part, one.critical)
        for one in span.segments
    ]
