"""Comparisons of queues whose difference is known."""

from __future__ import annotations

import json
import math

import pytest
from queue_records import SERVICE_S, mm1_record, queue_topology
from test_result import CUT

from meshsim.architectures import lower
from meshsim.results.comparison import Comparison, compare_results, differ
from meshsim.results.manifest import Timing
from meshsim.results.result import Origin, Result, build
from meshsim.results.text import duration_interval

SEEDS, OTHER_SEEDS = range(4), range(10, 14)
UTILIZATION = 0.6


def side(architecture: str, *, seeds: range = SEEDS, **changes: float) -> Result:
    """Records of the same queue are passed off as those of another architecture."""
    topology = queue_topology()
    plane = lower(topology, "none")
    object.__setattr__(plane, "architecture", architecture)
    records = [mm1_record(seed, utilization=UTILIZATION, **changes) for seed in seeds]
    return build(topology, plane, records, CUT, Origin("simpy", 1, "auto", f"run {architecture}", Timing(1.0, 1)))


@pytest.fixture(scope="module")
def base() -> Result:
    return side("none")


@pytest.fixture(scope="module")
def slower() -> Result:
    return side("sidecar", slower=1.05)


def test_the_difference_holds_the_closed_form(base: Result, slower: Result) -> None:
    found = differ(slower, base).latency_s
    mean = SERVICE_S * 1.05 / (1 - UTILIZATION * 1.05) - SERVICE_S / (1 - UTILIZATION)
    for name, factor in (("mean", 1.0), ("p50", math.log(2)), ("p99", math.log(100))):
        assert found[name].low <= mean * factor <= found[name].high
        assert not found[name].includes_zero
        alone = base.latency_s[name].half + slower.latency_s[name].half
        assert found[name].half < 0.5 * alone


def test_sentences_say_what_is_added_and_how_sure_that_is(base: Result, slower: Result) -> None:
    sentence = differ(slower, base).sentence()
    assert sentence.startswith("sidecar adds ")
    assert " ms ± " in sentence
    assert " at p99" in sentence
    assert differ(base, slower).sentence().startswith("none saves ")


def test_the_lowest_is_named_only_if_the_intervals_decide(base: Result, slower: Result) -> None:
    decided = compare_results([base, slower], "compare")
    assert decided.verdict[0].startswith("none is lowest at p99: ")
    turned = compare_results([slower, base], "compare")
    assert turned.verdict == decided.verdict
    open_ = compare_results([base, side("ambient", slower=1.00001)], "compare")
    assert open_.verdict == ("at p99 these cannot be told apart: none, ambient",)
    assert "no difference that can be told at p99" in open_.sentences()[0]


def test_the_lowest_of_several_has_to_be_surer(base: Result) -> None:
    """Three comparisons at once, each at 1 - 0.05 / 3: what 95 % would decide alone stays open (Bonferroni)."""
    near = side("ambient", seeds=OTHER_SEEDS, slower=1.2)
    far = [side(name, slower=1.3) for name in ("gateway", "sidecar")]
    alone, corrected = (differ(near, base, level=level).latency_s["p99"] for level in (0.95, 1 - 0.05 / 3))
    assert alone.low > 0 > corrected.low
    assert all(differ(one, base, level=1 - 0.05 / 3).latency_s["p99"].low > 0 for one in far)
    assert compare_results([base, near], "compare").verdict[0].startswith("none is lowest at p99: ")
    assert compare_results([base, *far], "compare").verdict[0].startswith("none is lowest at p99: ")
    several = compare_results([base, near, *far], "compare")
    above = [
        f"{one.architecture} is surely above none by "
        f"{duration_interval(differ(one, base, level=1 - 0.05 / 3).latency_s['p99'])}"
        for one in far
    ]
    assert several.verdict == ("; ".join(["at p99 these cannot be told apart: none, ambient", *above]),)


def test_shedding_is_not_called_faster_without_saying_so(base: Result) -> None:
    shedding = side("gateway", slower=0.95, failing=0.05)
    found = compare_results([base, shedding], "compare")
    assert "gateway is lowest at p99" in found.verdict[0]
    assert "gateway answers fewer requests" in found.verdict[1]
    assert "percentage points lower than that of none" in found.sentences()[0]


def test_an_unstable_side_is_left_out_of_the_verdict(base: Result, slower: Result) -> None:
    unstable = side("ambient", slower=2.0)
    found = compare_results([base, slower, unstable], "compare")
    assert found.verdict[0].startswith("ambient is unstable: requests pile up")
    assert "per second (" in found.verdict[0] and "times its standard error);" in found.verdict[0]
    assert found.verdict[0].count("; ") == len(unstable.verdict.notes) + 1  # a note of it has two parts before its end
    assert found.verdict[1].startswith("none is lowest")
    assert found.sentences()[1] == "ambient is unstable: ambient and none cannot be compared"


def test_everything_shows_itself(base: Result, slower: Result) -> None:
    found: Comparison = compare_results([base, slower], "meshsim compare queue")
    data = json.loads(json.dumps(found.to_dict(), allow_nan=False))
    assert set(data["architectures"]) == {"none", "sidecar"}
    assert set(data["differences"]) == {"sidecar"}
    assert set(data["differences"]["sidecar"]["latency_s"]) == {"mean", "p50", "p90", "p95", "p99", "p99.9"}
    assert found["sidecar"] is slower
    text = found.summary()
    assert "repeat: meshsim compare queue" in text
    assert max(map(len, text.splitlines())) <= 140
    frame = found.frame()
    difference = frame[(frame.scope == "difference") & (frame.quantity == "latency_s.p99")]
    assert difference.value.item() == pytest.approx(slower.latency_s["p99"].value - base.latency_s["p99"].value)
    assert "<table>" in found._repr_html_()


def test_missed_objectives_stand_beside_the_verdict(base: Result) -> None:
    """One request in twenty fails, of which 99.9 % are to be answered, and the slowest with them."""
    bad = side("gateway", failing=0.05)
    words = [one.judgement for group in bad.by_tenant.values() for one in group.objectives]
    assert words == ["missed"] * 3
    assert bad.outcome == f"{bad.verdict.word}, objectives missed: 3"
    assert f"verdict: {bad.outcome}\n" in bad.summary()
    assert f"{bad.verdict.word}, 3 missed\n" in compare_results([base, bad], "compare").summary()
