"""A run beside a stored one: equal systems are seldom told apart, slower ones are found, damage is told."""

from __future__ import annotations

import copy
import json
from collections.abc import Mapping
from itertools import pairwise
from typing import Any

import pytest
from queue_records import SPEC
from scipy import stats

import meshsim
from meshsim.errors import StoreError, UsageError
from meshsim.results.baseline import READS, BaselineComparison, Number, compare_with_baseline, judged, read_baseline
from meshsim.results.result import SCHEMA_VERSION

RUNS = 24


def document(seed: int, *, slower: float = 1.0, failing: float = 0.0) -> dict[str, Any]:
    """M/M/1 at 0.6, as `meshsim run -o json` writes it."""
    steps = [{"work": {"exp": f"{6000.0 * slower:g}us"}}, {"fail": {"p": failing}}]
    services = {"shop": {"cpu": 1, "memory": "1GiB", "discipline": "fifo", "endpoints": {"get": steps}}}
    result = meshsim.run(SPEC | {"services": services}, seed=seed, duration_s=30.0, warmup_s=3.0, quiet=True)
    return json.loads(json.dumps(result.to_dict()))


def beside(now: Mapping[str, Any], then: Mapping[str, Any], tolerance: float = 0.0) -> BaselineComparison:
    return compare_with_baseline(now, read_baseline(json.dumps(then), "then.json"), tolerance=tolerance)


@pytest.fixture(scope="module")
def runs() -> list[dict[str, Any]]:
    return [document(seed) for seed in range(RUNS)]


def test_it_reads_what_is_written() -> None:
    assert READS == SCHEMA_VERSION


def test_a_run_beside_itself_is_the_same(runs) -> None:
    found = beside(runs[0], runs[0])
    assert {one.judgement for one in found.differences} == {"same"}
    assert len(found.differences) == 6 + 2 + 1 and not found.notes


def test_equal_systems_are_seldom_told_apart(runs) -> None:
    """Each run against the next: at most 5 % may differ in any number at all; 5 of 23 have a chance of 0.4 %."""
    pairs = [beside(now, then) for now, then in pairwise(runs)]
    assert sum(bool(pair.of("regressed") or pair.of("improved")) for pair in pairs) <= 4


@pytest.mark.parametrize(("slower", "word"), [(1.15, "regressed"), (0.85, "improved")])
def test_a_slower_service_is_found(runs, slower: float, word: str) -> None:
    for seed in range(100, 105):
        found = {(one.scope, one.quantity): one for one in beside(document(seed, slower=slower), runs[0]).of(word)}
        assert ("service", "utilization") in found and ("total", "latency_s.mean") in found
        ratio = found["service", "utilization"].difference
        assert ratio.low <= 0.6 * (slower - 1.0) <= ratio.high  # the truth


def test_failures_are_found(runs) -> None:
    found = beside(document(7, failing=0.01), runs[0]).of("regressed")
    assert "availability" in {one.quantity for one in found}


def test_a_tolerance_forgives(runs) -> None:
    slower = document(3, slower=1.15)
    strict, kind = beside(slower, runs[0]), beside(slower, runs[0], tolerance=0.5)
    assert strict.of("regressed")
    assert {one.quantity for one in kind.of("regressed")} <= {"latency_s.mean"}  # by 1/(1 - 0.69) · 1.15: 48 %
    utilization = next(one for one in kind.differences if one.quantity == "utilization")
    assert utilization.judgement == "same"
    assert not beside(slower, runs[0], tolerance=3.0).of("regressed")


def test_tolerance_of_availability_is_of_its_errors(runs) -> None:
    before, after = document(1, failing=0.01), document(2, failing=0.02)
    regressed = {tolerance: beside(after, before, tolerance).of("regressed") for tolerance in (0.1, 3.0)}
    assert "availability" in {one.quantity for one in regressed[0.1]}
    assert "availability" not in {one.quantity for one in regressed[3.0]}


@pytest.mark.parametrize(
    ("quantity", "low", "high", "limit", "expected"),
    [
        ("latency_s.p99", 1.0, 3.0, 0.0, "regressed"),
        ("latency_s.p99", -3.0, -1.0, 0.0, "improved"),
        ("latency_s.p99", -1.0, 3.0, 0.0, "undecided"),
        ("latency_s.p99", 1.0, 3.0, 2.0, "undecided"),
        ("latency_s.p99", 1.0, 3.0, 4.0, "same"),
        ("latency_s.p99", 1.0, 3.0, 0.5, "regressed"),
        ("goodput_per_s", 1.0, 3.0, 0.0, "improved"),
        ("availability", -3.0, -1.0, 0.5, "regressed"),
        ("utilization", 1.0, 3.0, 0.5, "regressed"),
    ],
)
def test_judgements(quantity: str, low: float, high: float, limit: float, expected: str) -> None:
    assert judged(quantity, Number((low + high) / 2, low, high), limit) == expected


def test_an_interval_of_a_difference_by_hand() -> None:
    """Arms of 3 and 4 make 5, stretched for eight numbers at once with the seven degrees of freedom of eight runs."""
    then, now = document(1), document(1)
    for one, arm in ((then, 3.0), (now, 4.0)):
        one["goodput_per_s"] = {"value": 100.0, "low": 100.0 - arm, "high": 100.0 + arm}
        one["by_service"] = {}
    found = beside(now, then)
    goodput = next(one for one in found.differences if one.quantity == "goodput_per_s").difference
    stretched = stats.t(7).ppf(1.0 - 0.05 / 8 / 2) / stats.t(7).ppf(0.975)
    assert goodput.high == pytest.approx(5.0 * stretched, rel=1e-9)
    assert goodput.low == -goodput.high


def test_what_has_begun_to_pile_up_has_regressed(runs) -> None:
    unstable = copy.deepcopy(runs[0]) | {"verdict": "unstable"}
    found = beside(unstable, runs[1])
    assert [one.quantity for one in found.of("regressed")] == ["unstable"]
    latencies = [one for one in found.differences if one.quantity.startswith("latency_s")]
    assert {(one.judgement, one.why) for one in latencies} == {("undecided", "a run is unstable")}
    assert [one.quantity for one in beside(runs[1], unstable).of("improved")] == ["unstable"]


def test_unknown_numbers_are_undecided(runs) -> None:
    blind = copy.deepcopy(runs[0])
    blind["latency_s"]["p99"] = {"value": None, "low": None, "high": None}
    blind["latency_s"]["p50"] |= {"low": None, "high": None}
    found = {one.quantity: one for one in beside(blind, runs[1]).differences}
    assert (found["latency_s.p99"].judgement, found["latency_s.p50"].judgement) == ("undecided", "undecided")
    assert found["latency_s.p50"].why == "too short for an interval"


def test_notes_tell_what_else_differs(runs) -> None:
    other = copy.deepcopy(runs[0])
    other["architecture"] = "sidecar"
    other["manifest"] |= {"digest": "0" * 64, "duration_s": 99.0}
    other["by_service"]["sidecar@shop"] = other["by_service"]["shop"]
    found = beside(other, runs[0])
    assert found.notes == (
        "architecture: none then, sidecar now",
        "duration: 30.0 s then, 99.0 s now",
        "the topology is not the same as then",
        "service sidecar@shop is not in the baseline",
    )
    assert all(note in found.summary() for note in found.notes)


def without(document: dict[str, Any], key: str) -> dict[str, Any]:
    return {name: value for name, value in document.items() if name != key}


@pytest.mark.parametrize(
    ("spoil", "needle"),
    [
        (lambda d: [d], "is no result of meshsim"),
        (lambda d: {"name": "package.json"}, "is no result of meshsim"),
        (lambda d: d | {"schema_version": 99}, "has schema_version 99, this meshsim reads 1"),
        (lambda d: d | {"architectures": {}}, "is of meshsim compare"),
        (lambda d: without(d, "by_service"), "it has no 'by_service'"),
        (lambda d: d | {"latency_s": {"mean": 3}}, "is damaged"),
        (lambda d: d | {"availability": {"value": "1", "low": 1, "high": 1}}, "must be numbers or null, not '1'"),
        (lambda d: d | {"goodput_per_s": {"value": float("inf"), "low": 1, "high": 1}}, "must be finite"),
        (lambda d: d | {"manifest": d["manifest"] | {"level": 2.0}}, "out of range"),
        (lambda d: d | {"manifest": {}}, "it has no"),
        (lambda d: d | {"by_tenant": 3}, "is damaged"),
    ],
)
def test_damage_is_told_with_the_file(runs, spoil, needle: str) -> None:
    with pytest.raises(StoreError) as caught:
        read_baseline(json.dumps(spoil(runs[0])), "then.json")
    assert needle in str(caught.value) and "then.json" in str(caught.value)


@pytest.mark.parametrize("text", ["", "{", "\x00", "[" * 100_000])
def test_what_is_no_json_is_told(text: str) -> None:
    with pytest.raises(StoreError, match=r"then\.json is no JSON"):
        read_baseline(text, "then.json")


def test_another_topology_is_refused(runs) -> None:
    with pytest.raises(UsageError, match="is of shop, and this run is of queue"):
        beside(runs[0], runs[0] | {"topology": "shop"})
