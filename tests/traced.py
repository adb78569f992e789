"""Traces of planes made by hand."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from builders import MS, plane, run, trace_ms

from meshsim.architectures.plane import PlaneService
from meshsim.engines.record import Record
from meshsim.results.traces import Span, Trace, Traces, choose, keep

OTHERS = "waiting for others"


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


def check(trace: Trace) -> None:
    """The critical path is unbroken from arrival to answer, and its parts add up to the latency."""
    pieces = sorted((one.start_ns, one.end_ns) for span in trace.spans for one in span.segments if one.critical)
    at = trace.arrival_ns
    for start, end in pieces:
        assert start == at
        at = end
    assert at == trace.arrival_ns + trace.latency_ns
    assert sum(sum(span.times_ns.values()) for span in trace.spans) == trace.latency_ns
    for span in trace.spans:
        for one, following in zip(span.segments, span.segments[1:], strict=False):
            assert one.end_ns == following.start_ns  # a bar has no hole
        assert bool(span.times_ns) == span.critical
        for part, spent in span.times_ns.items():
            shown = {part, OTHERS, "goes on"} if part == "wait" else {part}  # tries that were given up
            told = sum(one.end_ns - one.start_ns for one in span.segments if one.critical and one.part in shown)
            assert abs(told - spent) <= len(span.segments), (part, told, span)  # rounded where they are spread
