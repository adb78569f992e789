"""Differences of hit ratios, what a point of them costs, and memory: against Che, closed forms and sums by hand."""

from __future__ import annotations

import math
from functools import cache
from typing import Any

import numpy as np
import pytest
from cached_maps import maps

import meshsim
from meshsim.caches.theory import che, zipf
from meshsim.results.cache_study import CacheCurve, CacheStudy
from meshsim.results.comparison import compare_results
from meshsim.results.hit_difference import PROXIES, HitDifference, sentences
from meshsim.results.intervals import Estimate, Statistic, quotient, t_quantile

SHORT = {"duration": "3s", "warmup": "1s", "replications": 8}
RATE, WORK_S = 1000.0, 0.2e-3  # of requests, and of what a miss asks geo for
KEY = {"key": "item", "only": ["maps.tile"]}


def at_proxies(gateway: dict[str, Any], sidecar: dict[str, Any]) -> dict[str, Any]:
    """Caches at proxies only."""
    spec = maps(run=SHORT)
    del spec["services"]["maps"]["caches"]
    spec["services"]["maps"]["endpoints"]["tile"] = [{"work": "0.1ms"}, {"call": "geo.render"}]
    mesh = {"gateway": {"replicas": 2, "cache": KEY | gateway}, "sidecar": {"cache": KEY | sidecar}}
    return spec | {"mesh": mesh}


@cache
def study() -> CacheStudy:
    spec = at_proxies({"capacity": 100}, {"capacity": 20})
    return meshsim.cache_study(spec, ["gateway", "sidecar-only", "sidecar"], quiet=True)


@cache
def curve() -> CacheCurve:
    spec = maps(run=SHORT, cache={"size": "1KiB"})
    return meshsim.cache_curve(spec, "none", curves=["capacity=200,50,3000,6000"], quiet=True)


def statistic(value: float, pulls: list[float]) -> Statistic:
    """Of eight independent replications and their mirror images, so that no skewness is in it."""
    both = np.array([*pulls, *(-pull for pull in pulls)])[:, None]
    return Statistic(Estimate(value, value, value, 1000, "made"), both)


NONE = statistic(0.0, [0.0] * 4)
MEMORY, RATIO = statistic(30.0, [0.5, -0.2, 0.1, 0.3]), statistic(2.0, [0.05, 0.03, -0.04, 0.01])


def test_the_interval_of_a_quotient_is_fiellers() -> None:
    found = quotient((MEMORY, NONE), (RATIO, NONE))
    tops, bottoms = (one.influence[:, 0] for one in (MEMORY, RATIO))
    scale = t_quantile(0.975, 7) ** 2 * 8 / 7
    aa, ab, bb = (scale * float(np.sum(x * y)) for x, y in ((tops, tops), (tops, bottoms), (bottoms, bottoms)))
    ends = np.sort(np.roots([2.0**2 - bb, -2 * (30.0 * 2.0 - ab), 30.0**2 - aa]).real)
    assert (found.value, found.low, found.high) == (15.0, pytest.approx(ends[0]), pytest.approx(ends[1]))


def test_of_exact_memory_the_interval_is_that_of_the_gain_turned_over() -> None:
    exact = statistic(30.0, [0.0] * 4)
    half = t_quantile(0.975, 7) * math.sqrt(8 / 7 * float(np.sum(RATIO.influence**2)))
    found = quotient((exact, NONE), (RATIO, NONE))
    assert (found.low, found.high) == (pytest.approx(30 / (2 + half)), pytest.approx(30 / (2 - half)))
    vague = statistic(half / 2, [0.05, 0.03, -0.04, 0.01])
    unbounded = quotient((exact, NONE), (vague, NONE))
    assert (unbounded.value, unbounded.high) == (None, math.inf)
    assert unbounded.low == pytest.approx(30 / (1.5 * half))


def test_what_cannot_be_compared_for_one_reason_is_told_in_one_line() -> None:
    nothing = Estimate(None, None, None, 0, "why")
    found = [HitDifference("gateway", "none", of, nothing, "why") for of in ("a.x", "a.y")]
    found += [HitDifference("sidecar", "none", of, nothing, "why") for of in ("a.x", "a.y")]
    found.append(HitDifference("gateway", "none", "b.z", Estimate(0.0, 0.0, 0.0, 9, "")))
    found.append(HitDifference("gateway", "none", "c", Estimate(-0.2, -0.5, -0.19, 9, "")))
    assert sentences(found) == [
        "hit ratios of b.z under gateway and none are the same",
        "c finds 20.0 (19.0 to 50.0) percentage points less under gateway than under none",
        "hit ratios of a.x, a.y cannot be compared (gateway and none, sidecar and none): why",
    ]


def test_the_paired_difference_is_that_of_the_replications() -> None:
    (found,) = (one for one in study().differences if one.architecture == "sidecar-only")
    assert (found.baseline, found.of) == ("gateway", PROXIES)
    ratios, lookups = [], []
    for name, station, kept in (("gateway", "gateway", "gateway"), ("sidecar-only", "sidecar@maps", "sidecar")):
        counts = study().results[name].by_service[station].caches[kept].counts
        hits, asked = (one["web"].sum(axis=1) for one in (counts.hits, counts.lookups))
        ratios.append(hits / asked)
        lookups.append(asked)
    assert abs(lookups[0] - lookups[1]).max() < 5  # but for those at the ends of the time, the same requests
    by_hand = ratios[1] - ratios[0]
    assert by_hand.mean() < -0.1  # two stores of 100 against two of 20
    half = t_quantile(0.975, 7) * by_hand.std(ddof=1) / math.sqrt(8)
    assert found.estimate.value == pytest.approx(np.average(by_hand, weights=lookups[0]), abs=1e-4)
    assert found.estimate.half == pytest.approx(half, rel=0.15)
    assert "points less under sidecar-only than under gateway" in found.sentence()


def test_a_cache_behind_another_adds_hits_and_no_lookups() -> None:
    """The gateway before sidecars: what both find, of what the gateway is asked."""
    by_service = study().results["sidecar"].by_service
    front, back = by_service["gateway"].caches["gateway"], by_service["sidecar@maps"].caches["sidecar"]
    alone = study().results["gateway"].by_service["gateway"].caches["gateway"]
    hits = [round(one.lookups * one.hit_ratio.value) for one in (front, back, alone)]
    (found,) = (one for one in study().differences if one.architecture == "sidecar")
    assert hits[1] > 0
    expected = (hits[0] + hits[1]) / front.lookups - hits[2] / alone.lookups
    assert found.estimate.value == pytest.approx(expected, abs=1e-12)


def test_compare_tells_the_same() -> None:
    found = compare_results(list(study().results.values()), "compare")
    assert [one for d in found.differences.values() for one in d.hit_ratios] == list(study().differences)
    assert study().differences[0].sentence() in found.summary()
    rows = found.frame().query("scope == 'difference' and quantity == 'hit_ratio.caches of proxies'")
    assert rows["value"].tolist() == [one.estimate.value for one in study().differences]


def test_what_is_kept_of_other_answers_is_not_compared() -> None:
    spec = at_proxies({"capacity": 100}, {"capacity": 20, "only": ["geo.render"]})
    brief = {"duration_s": 2.0, "replications": 2, "quiet": True}
    (found,) = meshsim.cache_study(spec, ["gateway", "sidecar-only"], **brief).differences
    assert found.estimate.value is None
    assert found.sentence().endswith("they keep answers of geo.render and of maps.tile")
    spec = maps(run=SHORT, mesh={"gateway": {"cache": KEY | {"capacity": 100}}})
    (found,) = meshsim.cache_study(spec, ["none", "gateway"], **brief).differences
    assert (found.of, found.estimate.value) == ("maps.tiles", None)
    assert "under gateway they are asked only for what cache gateway does not hold" in found.sentence()
    both = meshsim.cache_curve(spec, "gateway", curves=["capacity=50,100"], **brief)
    assert both.steps == () and "no cost of a point under gateway" in both.summary()


def test_a_point_costs_what_che_says() -> None:
    first, *_ = curve().steps
    assert (first.start, first.point["capacity"], first.known) == ("50", "200", "bounded")
    points = 100 * (che(zipf(2000, 0.9), 200).ratio - che(zipf(2000, 0.9), 50).ratio)
    assert first.gained.value == pytest.approx(points / 100, abs=0.01)
    assert first.added.value == pytest.approx(2 * 150 * 1024, rel=0.01)  # two stores, objects of 1 KiB
    assert first.per_point.value == pytest.approx(2 * 150 * 1024 / points, rel=0.05)
    assert first.per_point.low < 2 * 150 * 1024 / points < first.per_point.high
    assert first.per_point.value == pytest.approx(first.added.value / first.gained.value / 100)
    assert first.cores_per_point.low < RATE * WORK_S / 100 < first.cores_per_point.high
    assert first.cores_per_point.half < 0.1 * first.cores_per_point.value


def test_where_nothing_is_gained_the_cost_is_unbounded() -> None:
    last = curve().steps[-1]
    assert (last.start, last.point["capacity"], last.known) == ("3000", "6000", "unbounded")  # there are 2000 items
    assert (last.per_point.value, last.per_point.high) == (None, math.inf)
    assert last.cores_per_point.value is None
    assert last.cells()[2:] == ["0 ± 0", "unbounded", "unknown"]
    row = curve().frame().query("capacity == '6000'").iloc[0]
    assert row["point_cost"] == "unbounded" and math.isnan(row["bytes_per_point"])
    assert curve().to_dict()["cost_of_a_point"][-1]["bytes_per_point"] == {"value": None, "low": None, "high": None}


def test_steps_are_in_the_rows_where_they_end() -> None:
    rows = curve().frame().set_index("capacity")
    assert rows.loc["200", "step_from"] == "50"
    assert rows.loc["200", "bytes_per_point"] == curve().steps[0].per_point.value
    assert rows.loc["50", "step_from"] != rows.loc["50", "step_from"]  # nothing is smaller


@pytest.mark.parametrize(("fields", "stores"), [({}, 2), ({"shared": "0.1ms"}, 1)])
def test_memory_has_what_caches_of_services_hold(fields: dict[str, Any], stores: int) -> None:
    spec = maps(run=SHORT, cache={"size": "10KiB"} | fields)
    found = meshsim.run(spec, "none", replications=2, quiet=True)
    held = stores * 100 * 10 * 1024  # full since the warm-up
    assert found.by_service["maps"].memory_bytes == 2 * 2**30 + held
    assert found.by_service["maps"].memory_requested_bytes == 2 * 2**30 + held
    assert found.applications.memory_requested_bytes == 3 * 2**30 + held  # geo's too


def test_memory_has_what_caches_of_proxies_hold() -> None:
    sized = {"capacity": 100, "size": "10KiB"}
    brief = {"replications": 2, "quiet": True}
    kept = meshsim.run(at_proxies(sized, sized), "gateway", **brief)
    plain = meshsim.run(at_proxies({"capacity": 100}, {"capacity": 100}), "gateway", **brief)
    for name in ("memory_bytes", "memory_requested_bytes"):
        assert getattr(kept.proxies, name) - getattr(plain.proxies, name) == 2 * 100 * 10 * 1024
        assert getattr(kept.by_service["gateway"], name) - getattr(plain.by_service["gateway"], name) == 2 * 1024000
