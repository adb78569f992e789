"""Results of an M/M/1 queue against theory and against plain numpy over its requests."""

from __future__ import annotations

import json
import math
from dataclasses import replace

import numpy as np
import pytest
from queue_records import SERVICE_S, SPEC, mm1_record, queue_topology

from meshsim.architectures import lower
from meshsim.engines.record import BATCHES, OK, OUTCOMES, TIMEOUT, UNFINISHED
from meshsim.model.load import load as load_topology
from meshsim.results.manifest import Timing
from meshsim.results.result import Origin, Result, build
from meshsim.results.traffic import QUANTITIES

ORIGIN = Origin("simpy", 1, "given", "meshsim run queue", Timing(1.5, 2))
UTILIZATION, CUT = 0.8, 4


def result_of(topology=None, records=None, cut: int = CUT, origin: Origin = ORIGIN) -> Result:
    topology = topology or queue_topology()
    records = records or [mm1_record(seed, utilization=UTILIZATION) for seed in (1, 2, 3)]
    return build(topology, lower(topology, "none"), records, cut, origin)


@pytest.fixture(scope="module")
def mm1() -> Result:
    return result_of()


def test_intervals_hold_the_closed_forms_of_mm1() -> None:
    load, records = 0.5, [mm1_record(seed, utilization=0.5) for seed in range(8)]
    mm1 = result_of(records=records, origin=replace(ORIGIN, level=0.999))  # ten intervals at once: none by luck
    rate = (1 - load) / SERVICE_S
    exact = {"mean": 1 / rate} | {f"p{p:g}": -math.log(1 - p / 100) / rate for p in (50, 90, 95, 99)}
    for name, value in exact.items():
        assert mm1.latency_s[name].low <= value <= mm1.latency_s[name].high, name
    shop = mm1.by_service["shop"]
    assert shop.utilization.low <= load <= shop.utilization.high
    assert shop.offered_load.low <= load <= shop.offered_load.high
    assert shop.wait_s.low <= load / rate <= shop.wait_s.high
    assert mm1.goodput_per_s.low <= load / SERVICE_S <= mm1.goodput_per_s.high


def test_only_requests_after_the_warmup_count(mm1: Result) -> None:
    counts = sum(mm1_record(seed, utilization=UTILIZATION).counts[:, CUT:].sum() for seed in (1, 2, 3))
    assert mm1.requests == counts == mm1.by_tenant["web"].requests
    assert mm1.manifest.warmup_s == pytest.approx(200 * CUT / BATCHES)
    assert mm1.manifest.batches == BATCHES - CUT


def test_services_tell_means_of_their_counters(mm1: Result) -> None:
    records = [mm1_record(seed, utilization=UTILIZATION) for seed in (1, 2, 3)]
    inside = np.concatenate([record.services[0, CUT:BATCHES] for record in records])
    shop = mm1.by_service["shop"]
    assert shop.requests == inside["requests"].sum()
    assert shop.cpu_s == pytest.approx(inside["busy_ns"].sum() * 1e-9)
    assert shop.latency_s["mean"].value == pytest.approx(inside["sojourn_ns"].sum() / inside["requests"].sum() * 1e-9)
    assert shop.latency_s["p99"].value == pytest.approx(mm1.latency_s["p99"].value, rel=0.017)
    assert shop.concurrency_utilization.value is None
    assert shop.waited.value == 0.0
    assert (shop.memory_bytes, shop.cores, shop.role) == (2**30, 1.0, "app")
    assert mm1.applications.cores.estimate.value == pytest.approx(shop.utilization.value)
    assert mm1.proxies.replicas == 0


def test_a_run_that_is_long_enough_is_ok_and_a_short_one_says_for_what(mm1: Result) -> None:
    assert result_of(records=[mm1_record(seed, utilization=0.3) for seed in range(12)]).verdict.ok
    short = result_of(records=[mm1_record(1, utilization=0.3, duration_s=100.0)])
    assert short.verdict.word == "too short for p99.9"
    assert short.latency_s["p99"].low is not None
    assert short.latency_s["p99.9"].low is None


def test_overload_is_called_unstable_and_high_load_is_not() -> None:
    overloaded = result_of(records=[mm1_record(1, utilization=1.1)])
    assert overloaded.verdict.word == "unstable"
    assert "shop at 100 %" in overloaded.verdict.notes[0]
    for seed in range(8):
        assert result_of(records=[mm1_record(seed, utilization=0.9)]).verdict.word != "unstable"


def test_failed_requests_count_as_infinitely_slow_for_objectives_only() -> None:
    result = result_of(records=[mm1_record(1, utilization=0.3, failing=0.02)])
    tenant = result.by_tenant["web"]
    judged = {one.quantity: one for one in tenant.objectives}
    assert result.latency_s["p99"].value < 0.1
    assert judged["p99"].estimate.value == math.inf
    assert judged["p99"].judgement == "missed"
    assert judged["availability"].judgement == "missed"
    assert judged["mean"].judgement == "missed"  # a mean with infinitely slow requests is infinite
    assert judged["mean"].estimate.value == math.inf
    assert "failed or were not finished" in judged["mean"].estimate.method
    assert tenant.outcomes["timeout"] == pytest.approx(0.02 * result.requests, rel=0.2)
    assert tenant.availability.estimate.value == pytest.approx(0.98, abs=0.005)
    assert sum(tenant.outcomes.values()) == tenant.requests


@pytest.mark.parametrize(
    ("limit", "runs", "judgement"),
    [
        ("300ms", 4, "met"),
        ("300ms", 2, "undecided"),  # too short for p99: no promise, however good it looks
        ("160ms", 4, "undecided"),
        ("120ms", 4, "missed"),
    ],
)
def test_objectives_are_judged_by_interval(limit: str, runs: int, judgement: str) -> None:
    """The sojourn of M/M/1 at 0.75 has p99 = 8 ms / 0.25 * ln 100 = 147 ms."""
    topology = queue_topology(p99=limit)
    records = [mm1_record(seed, utilization=0.75) for seed in range(runs)]
    found = build(topology, lower(topology, "none"), records, CUT, ORIGIN).by_tenant["web"].objectives[0]
    assert found.judgement == judgement


def test_unfinished_requests_are_reported_and_infinitely_slow() -> None:
    record = mm1_record(1, utilization=0.3)
    moved = record.counts[0, :, OK] // 10
    record.counts[0, :, UNFINISHED] = moved
    record.counts[0, :, OK] -= moved
    result = result_of(records=[record])
    assert result.latency_all_s["p99"].value == result.latency_all_s["mean"].value == math.inf
    assert result.to_dict()["latency_all_s"]["p99"]["value"] is None
    assert any("no answer when the run ended" in note for note in result.verdict.notes)


def test_an_empty_run_gives_unknowns_instead_of_errors() -> None:
    record = mm1_record(1, duration_s=4.0)
    for name in ("counts", "latency_sum_ns", "latency_all_sum_ns", "histogram", "services", "service_histogram"):
        setattr(record, name, np.zeros_like(getattr(record, name)))
    record.occupancy_ns[:] = 0
    result = result_of(records=[record])
    assert result.requests == 0
    assert result.verdict.word == "too short for mean"
    assert result.availability.value is None
    json.dumps(result.to_dict(), allow_nan=False)
    assert result.summary()
    assert result._repr_html_()


def test_json_has_the_documented_keys(mm1: Result) -> None:
    found = json.loads(json.dumps(mm1.to_dict(), allow_nan=False))
    assert found["schema_version"] == 1
    assert set(found["latency_s"]) == set(QUANTITIES)
    assert all(set(estimate) == {"value", "low", "high"} for estimate in found["latency_s"].values())
    assert {"requests", "latency_s", "tries", "outcomes", "objectives"} <= set(found["by_tenant"]["web"])
    service = {"requests", "offered_load", "utilization", "concurrency_utilization", "waited", "wait_s", "latency_s"}
    assert service | {"rejected", "cpu_s", "memory_bytes"} <= set(found["by_service"]["shop"])
    assert isinstance(found["by_service"]["shop"]["utilization"], float)
    assert found["verdict"] == mm1.verdict.word
    assert {"seed", "versions", "digest", "command", "timing"} <= set(found["manifest"])
    assert set(found["outcomes"]) == set(OUTCOMES)


def test_results_of_the_same_records_are_the_same_but_for_timing(mm1: Result) -> None:
    again = result_of()
    assert again.to_dict() == mm1.to_dict()


def test_the_frame_is_tidy(mm1: Result) -> None:
    frame = mm1.frame()
    assert list(frame.columns) == ["architecture", "scope", "name", "quantity", "value", "low", "high"]
    assert not frame.duplicated(["scope", "name", "quantity"]).any()
    p95 = frame[(frame.scope == "total") & (frame.quantity == "latency_s.p95")].iloc[0]
    estimate = mm1.latency_s["p95"]
    assert (p95.value, p95.low, p95.high) == (estimate.value, estimate.low, estimate.high)


def test_the_summary_fits_a_screen_and_says_what_matters(mm1: Result) -> None:
    lines = mm1.summary().splitlines()
    assert len(lines) <= 40
    assert max(map(len, lines)) <= 120
    text = "\n".join(lines)
    for needed in ("verdict: ", "web: p99 ≤ 200 ms", "p99.9", " ± ", "shop", "meshsim run queue", "seed 1"):
        assert needed in text


def test_html_escapes_names() -> None:
    topology = queue_topology().model_copy(update={"name": "<script>alert(1)</script>"})
    html = build(topology, lower(topology, "none"), [mm1_record(1, duration_s=20.0)], CUT, ORIGIN)._repr_html_()
    assert "<script>" not in html
    assert "&lt;script&gt;" in html


def test_streams_of_a_tenant_are_summed_up() -> None:
    streams = [
        {"name": name, "tenant": "web", "entry": "shop.get", "arrivals": {"poisson": "50/s"}} for name in ("a", "b")
    ]
    topology = load_topology(SPEC | {"traffic": streams})
    record = mm1_record(1, utilization=0.3, failing=0.1)
    for name in ("counts", "latency_sum_ns", "latency_all_sum_ns", "tries", "histogram", "histogram_failed"):
        setattr(record, name, np.concatenate([getattr(record, name)] * 2))
    result = build(topology, lower(topology, "none"), [record], 0, ORIGIN)
    single = record.counts[0].sum(axis=0)
    assert result.by_tenant["web"].outcomes["ok"] == 2 * single[OK]
    assert result.by_tenant["web"].outcomes["timeout"] == 2 * single[TIMEOUT]
    assert list(result.by_tenant) == ["web"]
