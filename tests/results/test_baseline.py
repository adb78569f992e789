"""A run beside a stored one: equal systems are seldom told apart, slower ones are found, damage is told."""

from __future__ import annotations

import copy
import json
import math
from collections.abc import Mapping
from itertools import pairwise
from typing import Any

import numpy as np
import pytest
from queue_records import SPEC
from scipy import stats

import meshsim
from meshsim.engines.record import OK
from meshsim.errors import StoreError, UsageError
from meshsim.results.baseline import BaselineComparison, compare_with_baseline, judged
from meshsim.results.result import SCHEMA_VERSION
from meshsim.results.stored_result import READS, Number, read_baseline

RUNS = 24


def document(seed: int, *, slower: float = 1.0, failing: float = 0.0, replications: int = 8) -> dict[str, Any]:
    """M/M/1 at 0.6, as `meshsim run -o json` writes it."""
    steps = [{"work": {"exp": f"{6000.0 * slower:g}us"}}, {"fail": {"p": failing}}]
    services = {"shop": {"cpu": 1, "memory": "1GiB", "discipline": "fifo", "endpoints": {"get": steps}}}
    result = meshsim.run(
        SPEC | {"services": services}, seed=seed, replications=replications, duration_s=30.0, warmup_s=3.0, quiet=True
    )
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


def seeded(document: dict[str, Any], seed: int) -> dict[str, Any]:
    return document | {"manifest": document["manifest"] | {"seed": seed}}


def test_what_replications_say_is_what_they_measured() -> None:
    """From the requests themselves; quantiles are linearised, so that they are near what each would say alone."""
    services = {
        "shop": {"cpu": 1, "memory": "1GiB", "endpoints": {"get": [{"work": {"exp": "6ms"}}, {"fail": {"p": 0.02}}]}}
    }
    result = meshsim.run(SPEC | {"services": services}, duration_s=30.0, warmup_s=0.0, record_requests=True, quiet=True)
    told = result.to_dict()
    parts = told["by_replication"]
    each = [rows[rows["arrival_ns"] < 30e9] for rows in result.request_rows]
    taken = [(rows["end_ns"] - rows["arrival_ns"])[rows["outcome"] == OK] * 1e-9 for rows in each]
    for name, found in (("mean", np.mean), ("p50", np.median), ("p99", lambda one: np.quantile(one, 0.99))):
        assert np.mean(parts["latency_s"][name]) == pytest.approx(told["latency_s"][name]["value"])
        alone = np.array([float(found(one)) for one in taken])
        assert np.corrcoef(alone, parts["latency_s"][name])[0, 1] > 0.95
        assert parts["latency_s"][name] == pytest.approx(alone, rel=0.1 if name == "p99" else 0.02)
    assert parts["availability"] == pytest.approx([t.size / e.size for t, e in zip(taken, each, strict=True)], rel=1e-3)
    assert parts["goodput_per_s"] == pytest.approx([one.size / 30.0 for one in taken])
    busy = told["by_service"]["shop"]["by_replication"]["utilization"]
    assert np.mean(busy) == pytest.approx(told["by_service"]["shop"]["utilization"])
    alone = meshsim.run(SPEC | {"services": services}, duration_s=30.0, warmup_s=0.0, replications=1, quiet=True)
    assert busy[0] == pytest.approx(alone.by_service["shop"].utilization.value)  # the first of them


def test_pairs_that_have_nothing_in_common_are_seldom_told_apart(runs) -> None:
    """As if the seed were the same: Student's t holds for pairs of anything."""
    pairs = [beside(seeded(now, 0), seeded(then, 0)) for now, then in pairwise(runs)]
    assert all(one.paired for pair in pairs for one in pair.differences if one.difference.low is not None)
    assert sum(bool(pair.of("regressed") or pair.of("improved")) for pair in pairs) <= 4


def test_a_run_beside_itself_has_no_interval_but_that_of_rounding(runs) -> None:
    found = beside(runs[0], runs[0])
    assert found.to_dict()["paired"] is True
    for one in found.differences:
        if one.quantity == "availability" or one.difference.low is None:
            continue  # of 14,000 requests none failed: that says something, and not everything
        rounding = 1 / 512 if one.quantity.startswith("latency_s.p") else 1e-6
        assert one.difference.high == pytest.approx(one.baseline.value * (1 / (1 - rounding) - 1), rel=0.01)
        assert one.difference.low == pytest.approx(-one.baseline.value * rounding, rel=0.01)
    (availability,) = (one.difference for one in found.differences if one.quantity == "availability")
    assert availability.low < 0.0 < availability.high


def test_pairs_show_what_independent_runs_hide(runs) -> None:
    """Two per cent more work, the same requests: every replication is slower by about as much."""
    slower = document(0, slower=1.02)
    paired, alone = beside(slower, runs[0]), beside(seeded(slower, 99), runs[0])
    assert {("latency_s.mean"), ("latency_s.p99"), ("utilization")} <= {one.quantity for one in paired.of("regressed")}
    assert not alone.of("regressed")
    widths = {
        (kind, one.quantity): one.difference.high - one.difference.low
        for kind, found in (("paired", paired), ("alone", alone))
        for one in found.differences
        if one.difference.low is not None
    }
    for quantity in ("latency_s.mean", "latency_s.p50", "latency_s.p99", "utilization"):
        assert widths["paired", quantity] < 0.3 * widths["alone", quantity]
    mean = next(one for one in paired.differences if one.quantity == "latency_s.mean")
    truth = 0.006 * (1.02 / (1 - 0.612) - 1 / (1 - 0.6))  # of M/M/1
    assert mean.difference.low <= truth <= mean.difference.high


def test_an_interval_of_pairs_by_hand() -> None:
    """Factors of 1.1, give or take, in eight replications: scipy's paired t of what each is, as a share of the mean."""
    then, now = document(1), document(1)
    before = [98.0, 103.0, 95.0, 104.0, 97.0, 105.0, 99.0, 99.0]
    after = [107.0, 114.0, 105.0, 113.0, 106.0, 117.0, 108.0, 110.0]
    for one, parts, mean in ((then, before, 100.0), (now, after, 110.0)):
        one["goodput_per_s"] = {"value": mean, "low": mean - 5.0, "high": mean + 5.0}
        one["by_replication"]["goodput_per_s"] = parts
        one["by_service"] = {}
    found = next(one for one in beside(now, then).differences if one.quantity == "goodput_per_s")
    shares = [b / 110.0 for b in after], [a / 100.0 for a in before]
    ends = stats.ttest_rel(*shares).confidence_interval(1.0 - 0.05 / 8)
    assert found.difference.value == 10.0
    assert found.difference.low == pytest.approx(110.0 * math.exp(ends.low) - 100.0, abs=2e-4)
    assert found.difference.high == pytest.approx(110.0 * math.exp(ends.high) - 100.0, abs=2e-4)
    assert (found.judgement, found.paired) == ("improved", True)


def test_nanoseconds_are_no_regression() -> None:
    """Every replication is slower, by a hundredth of a millionth."""
    then, now = document(1), document(1)
    for shift, judgement in ((1.0 + 1e-8, "undecided"), (1.0 + 1e-5, "regressed")):
        now["latency_s"]["mean"] = {key: end * shift for key, end in then["latency_s"]["mean"].items()}
        now["by_replication"]["latency_s"]["mean"] = [
            part * shift for part in then["by_replication"]["latency_s"]["mean"]
        ]
        found = next(one for one in beside(now, then).differences if one.quantity == "latency_s.mean")
        assert found.judgement == judgement


def test_few_failures_are_not_told_apart_by_pairs_alone() -> None:
    """One more of 14,000 in one replication: neither the same nor worse."""
    then, now = document(1, failing=0.0005), document(1, failing=0.0005)
    parts = now["by_replication"]["availability"]
    now["by_replication"]["availability"] = [part - 1e-6 for part in parts]  # each is worse: sure, by t alone
    now["availability"] = {key: end - 1e-6 for key, end in now["availability"].items()}
    found = next(one for one in beside(now, then).differences if one.quantity == "availability")
    assert (found.judgement, found.paired) == ("undecided", True)
    alone = next(one for one in beside(seeded(now, 9), then).differences if one.quantity == "availability").difference
    assert found.difference.low == pytest.approx(alone.low) and found.difference.high == pytest.approx(alone.high)
    assert -1.0 <= alone.low < 0.0 < alone.high <= 1.0


@pytest.mark.parametrize(
    ("change", "why"),
    [
        ({"seed": 7}, "another seed"),
        ({"duration_s": 99.0}, "another duration"),
        ({"engine": "simpy"}, "another engine"),
        ({"engine": "simpy", "seed": 7}, "another seed and engine"),
    ],
)
def test_only_what_is_alike_is_paired(runs, change: dict[str, Any], why: str) -> None:
    other = runs[0] | {"manifest": runs[0]["manifest"] | change}
    found = beside(other, runs[0])
    assert not any(one.paired for one in found.differences) and found.to_dict()["paired"] is False
    assert f"intervals: as of independent runs ({why})" in found.sentences()
    assert "intervals: of pairs of replications (same seed)" in beside(runs[0], runs[0]).sentences()


def test_runs_without_pairs_are_independent(runs) -> None:
    single = document(1, replications=1)
    assert beside(single, single).unpaired == "a single replication"
    two = document(0, replications=2)
    assert beside(two, runs[0]).unpaired == "another number of replications"
    older = copy.deepcopy(runs[0])
    del older["by_replication"]
    for service in older["by_service"].values():
        del service["by_replication"]
    assert beside(runs[0], older).unpaired == "the baseline does not tell its replications apart"


def test_no_difference_is_below_what_is_possible(runs) -> None:
    """However wide the intervals are, nothing gets faster than at once."""
    wide = copy.deepcopy(runs[0])
    for name, low, high in (("mean", 0.001, 9.0), ("p99", -0.01, 0.5), ("p50", 0.0, 0.1)):
        wide["latency_s"][name] |= {"low": low, "high": high}
    for now, then in ((wide, seeded(wide, 9)), (runs[1], wide), (wide, runs[1])):
        found = beside(now, then)
        for one in found.differences:
            if one.difference.low is not None and one.baseline.value is not None:
                assert one.difference.low >= -one.baseline.value
    unknown = runs[0] | {"availability": {"value": 0.5, "low": 0.0, "high": 1.0}}
    (found,) = (one for one in beside(unknown, seeded(unknown, 9)).differences if one.quantity == "availability")
    assert (found.difference.low, found.difference.high) == (-1.0, 1.0)
    noisy = copy.deepcopy(runs[0])
    noisy["by_replication"]["latency_s"]["mean"] = [0.0, 300.0, 0.0, 0.0, 0.0, 0.0, 0.0, 0.0]
    row = beside(runs[0], noisy).table()[1]
    assert row[4] == "+0.0 % (-100.0 % to > +100,000 %)"
    json.dumps(beside(runs[0], noisy).to_dict(), allow_nan=False)


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


@pytest.mark.parametrize("replications", [8, 1])
def test_an_interval_of_independent_runs_by_hand(replications: int) -> None:
    """Each low end meets the other's high end; stretched for eight numbers at once, of eight runs or of ten batches."""
    then, now = document(1, replications=replications), seeded(document(1, replications=replications), 9)
    for one, value, low, high in ((then, 100.0, 97.0, 108.0), (now, 120.0, 112.0, 125.0)):
        one["goodput_per_s"] = {"value": value, "low": low, "high": high}
        one["by_service"] = {}
    found = beside(now, then)
    goodput = next(one for one in found.differences if one.quantity == "goodput_per_s").difference
    df = 7 if replications == 8 else 9
    stretched = stats.t(df).ppf(1.0 - 0.05 / len(found.differences) / 2) / stats.t(df).ppf(0.975)
    below = math.hypot(math.log(120 / 112), math.log(108 / 100)) * stretched
    above = math.hypot(math.log(125 / 120), math.log(100 / 97)) * stretched
    assert goodput.value == 20.0
    assert goodput.low == pytest.approx(120.0 * math.exp(-below) - 100.0, rel=1e-9)
    assert goodput.high == pytest.approx(120.0 * math.exp(above) - 100.0, rel=1e-9)


def test_an_interval_of_independent_shares_by_hand() -> None:
    """Newcombe's: differences of shares, not their factors."""
    then, now = document(1), seeded(document(1), 9)
    for one, value, low, high in ((then, 0.9, 0.87, 0.98), (now, 0.7, 0.62, 0.75)):
        one["availability"] = {"value": value, "low": low, "high": high}
        one["by_service"] = {}
    found = next(one for one in beside(now, then).differences if one.quantity == "availability")
    stretched = stats.t(7).ppf(1.0 - 0.05 / 8 / 2) / stats.t(7).ppf(0.975)
    assert found.difference.low == pytest.approx(-0.2 - math.hypot(0.08, 0.08) * stretched)
    assert found.difference.high == pytest.approx(-0.2 + math.hypot(0.05, 0.03) * stretched)
    assert found.judgement == "regressed"
    told = next(row for row in beside(now, then).table() if row[1] == "availability")[4]
    assert told.startswith("-20.000 (-") and told.endswith(") points")


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
        (lambda d: d | {"manifest": without(d["manifest"], "seed")}, "it has no 'seed'"),
        (lambda d: d | {"requests": None}, "requests must be"),
        (lambda d: d | {"by_replication": {"availability": [1.0] * 7}}, "by_replication of availability has 7 values"),
        (lambda d: d | {"by_replication": {"availability": ["1"] * 8}}, "by_replication of availability must be"),
        (lambda d: d | {"by_replication": {"availability": 3}}, "is damaged"),
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
