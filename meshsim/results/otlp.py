"""Traces as OTLP: OpenTelemetry's ExportTraceServiceRequest in its JSON mapping, which collectors and Jaeger read.

In that mapping ids are hexadecimal, 64-bit numbers are strings and enums are integers
(opentelemetry.io/docs/specs/otlp, "JSON Protobuf Encoding"). A call is two spans: CLIENT, from when it was sent until
the answer came or the caller gave up, and SERVER, from when it reached the replica until it left. A branch is an
INTERNAL span. Attributes are those of the semantic conventions where there is one
(opentelemetry.io/docs/specs/semconv), and begin with ``meshsim.`` otherwise.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from hashlib import sha256
from typing import Any, Final

from meshsim.results.manifest import versions
from meshsim.results.paths import TIMES
from meshsim.results.traces import Span, Trace

#: Simulated time 0 in Unix nanoseconds: 2000-01-01T00:00:00Z, always, so that the same run gives the same bytes.
EPOCH_NS: Final = 946_684_800 * 10**9
INTERNAL, SERVER, CLIENT = 1, 2, 3  # SpanKind
ERROR = 2  # Status.StatusCode
CLIENTS: Final = "client"  # service.name of whoever sends the requests

_Json = dict[str, Any]
_Value = str | int | bool
_SUCCESSES = ("ok", "degraded")


def trace_id(trace: Trace) -> str:
    """32 hexadecimal digits from seed, replication and number: a request keeps them under every architecture.

    Examples
    --------
    >>> trace_id(Trace(1, 0, 7, "shop", "none", "web", "web", 0, 5, "ok", 1, ()))
    '3fc031f824ca4be6b618c7ff9a278c1d'
    """
    return sha256(f"meshsim trace {trace.seed} {trace.replication} {trace.number}".encode()).hexdigest()[:32]


def to_otlp(traces: Iterable[Trace]) -> _Json:
    """Make the document.

    Parameters
    ----------
    traces
        A `Traces`, or some of its requests.

    Returns
    -------
    dict
        For `json.dump`. There is a resource for each replica of each service, and one for the clients.
    """
    found: dict[tuple[str, str, str, int], list[_Json]] = {}
    for trace in traces:
        for service, role, version, replica, span in _spans(trace):
            key = (trace.architecture, service, f"{role}/{version}", replica)
            found.setdefault(key, []).append(span)
    return {"resourceSpans": [_resource_spans(*key, found[key]) for key in sorted(found)]}


def _resource_spans(architecture: str, service: str, kind: str, replica: int, spans: Sequence[_Json]) -> _Json:
    role, _, version = kind.partition("/")
    attributes: dict[str, _Value] = {"service.name": service}
    if version:
        attributes["service.version"] = version
    if role != CLIENTS:
        attributes |= {"service.instance.id": f"{service}-{replica}", "meshsim.replica": replica}
    attributes |= {"meshsim.role": role, "meshsim.architecture": architecture}
    scope = {"name": "meshsim", "version": versions()["meshsim"]}
    return {
        "resource": {"attributes": _attributes(attributes)},
        "scopeSpans": [{"scope": scope, "spans": list(spans)}],
    }


def _spans(trace: Trace) -> Iterable[tuple[str, str, str, int, _Json]]:
    """(service, role, version, replica, span) of everything in a trace."""
    frames = {span.serial: span for span in trace.spans}
    for span in trace.spans:
        above = None if span.parent is None else frames[span.parent]
        here = (span.service, span.role, span.version, span.replica)
        if span.kind == "branch":
            end_ns = _end(trace) if span.left_ns is None else span.left_ns
            yield *here, _span(trace, span, INTERNAL, above, span.sent_ns, end_ns, _branch(span))
            continue
        caller = (
            (CLIENTS, CLIENTS, "", 0) if above is None else (above.service, above.role, above.version, above.replica)
        )
        yield *caller, _span(trace, span, CLIENT, above, span.sent_ns, span.until_ns, _client(trace, span))
        if span.reached_ns is not None:
            end_ns = _end(trace) if span.left_ns is None else span.left_ns
            yield *here, _span(trace, span, SERVER, span, span.reached_ns, end_ns, _server(span))


def _span(
    trace: Trace,
    span: Span,
    kind: int,
    parent: Span | None,
    start_ns: int,
    end_ns: int,
    attributes: dict[str, _Value],
) -> _Json:
    method = f"{span.service}/{span.endpoint}" if span.kind == "call" else "branch"
    found: _Json = {"traceId": trace_id(trace), "spanId": _span_id(trace, span.serial, kind)}
    if parent is not None:
        above = CLIENT if parent is span else INTERNAL if parent.kind == "branch" else SERVER
        found["parentSpanId"] = _span_id(trace, parent.serial, above)
    error = _error(span, kind)
    found |= {
        "name": method,
        "kind": kind,
        "startTimeUnixNano": str(EPOCH_NS + start_ns),
        "endTimeUnixNano": str(EPOCH_NS + end_ns),
        "attributes": _attributes(attributes | ({} if error is None else {"error.type": error})),
        "status": {} if error is None else {"code": ERROR, "message": error},
    }
    return found


def _span_id(trace: Trace, serial: int, kind: int) -> str:
    """16 hexadecimal digits; the architecture is part of them, the trace id is the same under all."""
    text = f"{trace_id(trace)} {trace.architecture} {serial} {kind}"
    return sha256(text.encode()).hexdigest()[:16]


def _end(trace: Trace) -> int:
    return trace.arrival_ns + trace.latency_ns


def _error(span: Span, kind: int) -> str | None:
    """What went wrong, as the side of the call saw it that the span is of."""
    if kind == CLIENT and span.ending != "answered":
        return None if span.ending == "unfinished" else span.ending
    return None if span.left_ns is None or span.outcome in _SUCCESSES else span.outcome


def _client(trace: Trace, span: Span) -> dict[str, _Value]:
    found: dict[str, _Value] = {
        "rpc.system.name": "meshsim",
        "rpc.method": f"{span.service}/{span.endpoint}",
        "server.address": span.service,
        "meshsim.server.replica": span.replica,
        "meshsim.critical_path": span.critical,
    }
    if span.attempt:
        found["http.request.resend_count"] = span.attempt
    if span.ending == "unfinished":
        found["meshsim.unfinished"] = True  # the request was answered before
    if span.ending == "answered" and span.left_ns is not None and span.reached_ns is not None:
        waited = span.connection_ns
        found["meshsim.network_ns"] = span.reached_ns - span.sent_ns - waited + span.until_ns - span.left_ns
        found |= {"meshsim.connection_wait_ns": waited} if waited else {}
    if span.parent is None:
        found |= {
            "meshsim.topology": trace.topology,
            "meshsim.stream": trace.stream,
            "meshsim.tenant": trace.tenant,
            "meshsim.seed": trace.seed,
            "meshsim.replication": trace.replication,
            "meshsim.request": trace.number,
            "meshsim.outcome": trace.outcome,
            "meshsim.tries": trace.tries,
        }
    return found


def _server(span: Span) -> dict[str, _Value]:
    found: dict[str, _Value] = {
        "rpc.system.name": "meshsim",
        "rpc.method": f"{span.service}/{span.endpoint}",
    }
    if span.admitted_ns is not None and span.reached_ns is not None:
        found["meshsim.slot_wait_ns"] = span.admitted_ns - span.reached_ns
    return found | _branch(span)


def _branch(span: Span) -> dict[str, _Value]:
    found: dict[str, _Value] = {
        "meshsim.cpu_wait_ns": span.cpu_wait_ns,
        "meshsim.cpu_ns": span.cpu_ns,
        "meshsim.wait_ns": span.wait_ns,
        "meshsim.critical_path": span.critical,
    }
    if span.critical:
        found["meshsim.critical_path_ns"] = sum(span.times_ns[part] for part in TIMES)
    if span.left_ns is None:
        found["meshsim.unfinished"] = True
    else:
        found["meshsim.outcome"] = span.outcome
    return found


def _attributes(values: dict[str, _Value]) -> list[_Json]:
    return [{"key": key, "value": _value(value)} for key, value in values.items()]


def _value(value: _Value) -> _Json:
    if isinstance(value, bool):
        return {"boolValue": value}
    return {"intValue": str(value)} if isinstance(value, int) else {"stringValue": value}
