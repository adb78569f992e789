"""OTLP against the schema of OpenTelemetry itself, and the laws that spans of a trace obey."""

from __future__ import annotations

import base64
import json
from collections import Counter
from typing import Any

import pytest
from builders import MS, call, fork, network, plane, run, service, trace_ms, wait_ms, work_ms
from google.protobuf import json_format
from opentelemetry.proto.collector.trace.v1.trace_service_pb2 import ExportTraceServiceRequest
from traced import of_record, traces_of

import meshsim
from meshsim.engines import ENGINES
from meshsim.results.otlp import EPOCH_NS, to_otlp
from meshsim.results.traces import Traces

INTERNAL, SERVER, CLIENT = 1, 2, 3
ID_FIELDS = {"traceId": 32, "spanId": 16, "parentSpanId": 16}


def parsed(document: Any) -> ExportTraceServiceRequest:
    """Read it as a collector would, nothing unknown allowed: protobuf's own JSON has ids in base64, OTLP's in hex."""

    def convert(value: Any) -> Any:
        if isinstance(value, list):
            return [convert(one) for one in value]
        if not isinstance(value, dict):
            return value
        found = {key: convert(one) for key, one in value.items()}
        for name, digits in ID_FIELDS.items():
            if name in found:
                assert len(found[name]) == digits
                found[name] = base64.b64encode(bytes.fromhex(found[name])).decode()
        return found

    text = json.dumps(convert(document), allow_nan=False)
    return json_format.Parse(text, ExportTraceServiceRequest(), ignore_unknown_fields=False)


def spans_of(request: ExportTraceServiceRequest) -> list[tuple[dict[str, Any], Any, dict[str, Any]]]:
    """(attributes of the resource, span, its attributes)."""
    return [
        (values(resource.resource.attributes), span, values(span.attributes))
        for resource in request.resource_spans
        for scope in resource.scope_spans
        for span in scope.spans
    ]


def values(attributes: Any) -> dict[str, Any]:
    found = {one.key: getattr(one.value, one.value.WhichOneof("value")) for one in attributes}
    assert len(found) == len(attributes)
    return found


def front_door(engine: str) -> Traces:
    spec = meshsim.load("front-door", overrides=["run.load=0.5"])
    made = meshsim.lower(spec, "sidecar")
    return of_record(made, run(made, 1.0, drain=20.0, spans=True, engines=(engine,)))


def test_both_engines_give_the_same_bytes() -> None:
    first, second = (json.dumps(to_otlp(front_door(engine))) for engine in ENGINES)
    assert first == second
    assert len(first) > 10_000


def test_laws_of_every_trace() -> None:
    """Ids are unique, parents exist, children lie within them, the root lasts as long as the request."""
    found = front_door("compiled")
    spans = spans_of(parsed(to_otlp(found)))
    by_id = {span.span_id: (span, attributes) for _, span, attributes in spans}
    assert len(by_id) == len(spans)
    assert len({span.trace_id for _, span, _ in spans}) == len(found)
    kinds = Counter()
    roots = {}
    for resource, span, attributes in spans:
        kinds[span.kind] += 1
        assert span.end_time_unix_nano >= span.start_time_unix_nano >= EPOCH_NS
        assert span.name
        assert (span.status.code == 2) == ("error.type" in attributes)
        if not span.parent_span_id:
            assert resource["service.name"] == "client"
            roots[span.trace_id] = (span, attributes)
            continue
        parent, above = by_id[span.parent_span_id]
        assert parent.trace_id == span.trace_id
        assert span.start_time_unix_nano >= parent.start_time_unix_nano
        assert {SERVER: {CLIENT}, CLIENT: {SERVER, INTERNAL}, INTERNAL: {SERVER, INTERNAL}}[span.kind] >= {parent.kind}
        if attributes["meshsim.critical_path"]:  # nobody waited for asynchronous calls and tries given up
            assert above["meshsim.critical_path"]
            assert span.end_time_unix_nano <= parent.end_time_unix_nano
    assert all(kinds[kind] for kind in (INTERNAL, SERVER, CLIENT))
    assert len(roots) == len(found)
    told = {attributes["meshsim.request"]: root for root, attributes in roots.values()}
    for trace in found:
        root = told[trace.number]
        assert root.start_time_unix_nano - EPOCH_NS == trace.arrival_ns
        assert root.end_time_unix_nano - root.start_time_unix_nano == trace.latency_ns
        mine = [(span, attributes) for _, span, attributes in spans if span.trace_id == root.trace_id]
        network = sum(
            a.get("meshsim.network_ns", 0) for s, a in mine if s.kind == CLIENT and a["meshsim.critical_path"]
        )
        inside = sum(a.get("meshsim.critical_path_ns", 0) for s, a in mine if s.kind != CLIENT)
        assert inside == trace.latency_ns
        assert network < inside


def test_a_call_by_hand() -> None:
    """Reached at 1, worked until 2; b (reached 1 ms later) takes 6 ms, a gives up after 3, twice: 2-5 and 5-8."""
    a = service("a", work_ms(1), call("b", timeout_s=0.003, retries=1, optional=True))
    b = service("b", wait_ms(6), replicas=1)
    (trace,) = traces_of(a, b, delays=network(client=1))
    found = spans_of(parsed(to_otlp([trace])))
    spans = {(span.kind, span.name, a.get("http.request.resend_count")): (r, span, a) for r, span, a in found}
    assert sorted((span.kind, span.name) for _, span, _ in found) == [
        (SERVER, "a/e"),
        (SERVER, "b/e"),
        (SERVER, "b/e"),
        (CLIENT, "a/e"),
        (CLIENT, "b/e"),
        (CLIENT, "b/e"),
    ]

    def times(*key: Any) -> tuple[float, float]:
        _, span, _ = spans[key]
        return tuple((at - EPOCH_NS) / MS for at in (span.start_time_unix_nano, span.end_time_unix_nano))

    assert times(CLIENT, "a/e", None) == (0, 9)
    assert times(SERVER, "a/e", None) == (1, 8)
    assert times(CLIENT, "b/e", None) == (2, 5)
    assert times(CLIENT, "b/e", 1) == (5, 8)
    resource, span, attributes = spans[CLIENT, "b/e", None]
    assert resource["service.name"] == "a"
    assert resource["meshsim.architecture"] == "none"
    assert resource["meshsim.replica"] == 0
    assert (span.status.code, attributes["error.type"]) == (2, "timeout")
    assert (attributes["rpc.method"], attributes["server.address"]) == ("b/e", "b")
    root = spans[CLIENT, "a/e", None][2]
    assert (root["meshsim.outcome"], root["meshsim.tries"], root["meshsim.tenant"]) == ("degraded", 2, "t")
    work = spans[SERVER, "a/e", None][2]
    assert (work["meshsim.cpu_ns"], work["meshsim.cpu_wait_ns"], work["meshsim.slot_wait_ns"]) == (MS, 0, 0)
    assert work["meshsim.critical_path_ns"] == 9 * MS


def test_the_mapping_is_that_of_otlp() -> None:
    """Enums are integers and 64-bit numbers strings, which protobuf's reader would also take otherwise."""
    (trace,) = traces_of(service("a", fork([work_ms(1)], [work_ms(2)])))
    for resource in to_otlp([trace])["resourceSpans"]:
        (scope,) = resource["scopeSpans"]
        assert scope["scope"]["name"] == "meshsim"
        for span in scope["spans"]:
            assert isinstance(span["kind"], int)
            assert isinstance(span["startTimeUnixNano"], str)
            assert isinstance(span["endTimeUnixNano"], str)
            assert span["traceId"] == span["traceId"].lower()
            ints = [one["value"]["intValue"] for one in span["attributes"] if "intValue" in one["value"]]
            assert all(isinstance(value, str) for value in ints)


def test_a_request_keeps_its_trace_id_under_every_architecture_but_no_span_id() -> None:
    spec = meshsim.load("bookinfo")
    ids, span_ids = [], []
    for architecture in ("none", "ambient"):
        made = meshsim.lower(spec, architecture)
        found = of_record(made, run(made, 0.2, spans=True, engines=("compiled",)))
        spans = [span for _, span, _ in spans_of(parsed(to_otlp(found)))]
        ids.append({span.trace_id for span in spans})
        span_ids.append({span.span_id for span in spans})
    assert ids[0] == ids[1]
    assert not span_ids[0] & span_ids[1]


def test_seeds_and_replications_have_traces_of_their_own() -> None:
    results = [
        meshsim.run("bookinfo", seed=seed, replications=2, duration_s=1.0, warmup_s=0.0, record_traces=True, quiet=True)
        for seed in (1, 2)
    ]
    traces = [trace for result in results for trace in result.traces(slowest=10**6)]
    spans = spans_of(parsed(to_otlp(traces)))
    assert len({span.trace_id for _, span, _ in spans}) == len(traces)
    assert len({span.span_id for _, span, _ in spans}) == len(spans)


def test_nothing_gives_an_empty_document() -> None:
    made = plane(service("a", work_ms(1)), arrivals=trace_ms(0))
    assert to_otlp([]) == {"resourceSpans": []}
    assert not parsed(to_otlp([])).resource_spans
    assert len(of_record(made, run(made, 1.0, spans=True))) == 1


@pytest.mark.parametrize("cancellation", [False, True])
def test_frames_that_go_on_when_the_request_is_answered(cancellation: bool) -> None:
    """The end of a span that OTLP needs is then the end of the request; it is marked, and is no error."""
    a = service("a", call("b", async_=True, cancellation=cancellation), work_ms(2))
    (trace,) = traces_of(a, service("b", wait_ms(30)))
    spans = spans_of(parsed(to_otlp([trace])))
    late = [(span, attributes) for _, span, attributes in spans if attributes.get("meshsim.unfinished")]
    assert sorted(span.kind for span, _ in late) == [INTERNAL, SERVER, CLIENT]
    assert {span.end_time_unix_nano - EPOCH_NS for span, _ in late} == {2 * MS}
    assert all(span.status.code == 0 for span, _ in late)
