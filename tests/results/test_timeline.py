"""The time axis of runs with events: sums beside those of records and results, and moments counted by hand."""

from __future__ import annotations

import json
from collections.abc import Callable
from functools import cache
from typing import Any

import numpy as np
import pytest
from queue_records import mm1_record, queue_plane

import meshsim as ms
from meshsim.architectures import lower
from meshsim.engines import simulate
from meshsim.engines.record import BATCHES, Happening, Record
from meshsim.model.load import load
from meshsim.results.check import LAWS
from meshsim.results.happenings import Incident, incident, merged, spreads
from meshsim.results.histogram import value_ns
from meshsim.results.intervals import t_quantile
from meshsim.results.result import Result
from meshsim.results.timeline import Timeline, timeline
from meshsim.results.verdict import EVENTFUL

BATCH_S = 0.5


def shop(*events: dict[str, Any], **run: Any) -> dict[str, Any]:
    """Two tenants at one shop, of which one needs what another service and its cache have."""
    cached = {"name": "items", "key": "item", "miss": [{"work": "2ms"}]}
    streams = ((name, f"shop.{what}") for name, what in (("ads", "look"), ("web", "buy")))
    return {
        "meshsim": 1,
        "name": "shop",
        "services": {
            "shop": {
                "replicas": 2,
                "endpoints": {"look": [{"work": "1ms"}], "buy": [{"work": "1ms"}, {"call": "stock.take"}]},
            },
            "stock": {
                "replicas": 2,
                "caches": {"items": {"capacity": 50}},
                "endpoints": {"take": [{"cache": cached}]},
            },
        },
        "traffic": [
            {
                "name": name,
                "tenant": name,
                "entry": entry,
                "arrivals": {"poisson": "100/s"},
                "keys": {"item": {"zipf": {"items": 100, "exponent": 1.0}}},
            }
            for name, entry in streams
        ],
        "people": {"monitoring": "1s"},
        "events": list(events),
        "run": {"duration": "20s", "warmup": "2s", "seed": 3, "replications": 2} | run,
    }


DOWN = {"name": "down", "at": "6s", "for": "4s", "fault": {"dependency_down": {"service": "stock"}}}


@cache
def broken(engine: str = "compiled") -> Result:
    return ms.run(shop(DOWN), engine=engine, jobs=1, quiet=True)


def told(result: Result) -> Timeline:
    assert result.timeline is not None
    return result.timeline


# -- sums --------------------------------------------------------------------------------------------------------


def test_sums_are_those_of_the_records() -> None:
    spec = load(shop(DOWN))
    plane = lower(spec, "none")
    records = [simulate(plane, engine="compiled", seed=seed, duration_ns=20 * 10**9, drain_ns=10**9) for seed in (1, 2)]
    found = timeline(plane, records, 4)
    assert sum(found.total.requests) == sum(int(record.counts.sum()) for record in records)
    for batch in range(BATCHES):
        for number, name in enumerate(stream.tenant for stream, _ in plane.entries):
            mine = [record.counts[number, batch] for record in records]
            line = found.by_tenant[name]
            assert line.requests[batch] == sum(int(one.sum()) for one in mine)
            assert line.good[batch] == sum(int(one[:2].sum()) for one in mine)
    for number, service in enumerate(plane.services):
        for name in ("requests", "failed", "retries"):
            counted = sum(int(record.services[name][number, :BATCHES].sum()) for record in records)
            per_s = getattr(found.by_service[service.name], f"{name}_per_s")
            assert per_s.sum() * BATCH_S * len(records) == pytest.approx(counted, rel=1e-12)


@pytest.mark.parametrize("name", ["", "ads", "web"])
def test_sums_after_the_warmup_are_those_of_the_result(name: str) -> None:
    result = broken()
    line, traffic = told(result).total, result.total
    if name:
        line, traffic = told(result).by_tenant[name], result.by_tenant[name]
    cut = round(told(result).warmup_s / BATCH_S)
    assert cut == 4
    assert sum(line.requests[cut:]) == traffic.requests
    assert {key: sum(counts[cut:]) for key, counts in line.outcomes.items()} == {
        key: count for key, count in traffic.outcomes.items() if count or key in line.outcomes
    }
    assert set(line.failed) == (set() if name == "ads" else {"error(503)"})
    failed = [sum(counts) for counts in zip(*line.failed.values(), strict=True)] or [0] * BATCHES
    assert [good + bad for good, bad in zip(line.good, failed, strict=True)] == list(line.requests)


@pytest.mark.parametrize("engine", ["simpy", "compiled"])
@pytest.mark.parametrize(("fault", "at_work"), [
    ({"blackhole": {"service": "stock", "replicas": 1}}, [2, 1, 1, 2]),
    ({"pause": {"service": "stock"}}, [2, 0, 0, 2]),
    ({"dns": {"service": "stock"}}, [2, 2, 2, 2]),
])  # fmt: skip
def test_replicas_at_work(fault: dict[str, Any], at_work: list[int], engine: str) -> None:
    """Batches before, at the beginning (from its half on), during and after what lasts from 6.25 to 10 s."""
    result = ms.run(shop(DOWN | {"at": "6.25s", "for": "3.75s", "fault": fault}), engine=engine, jobs=1, quiet=True)
    working = told(result).by_service["stock"].working_replicas
    assert working[[11, 13, 19, 20]].tolist() == at_work
    assert working[12] == (at_work[0] + at_work[1]) / 2


def test_services_and_caches_mean_what_the_result_says() -> None:
    result = broken()
    cut = 4
    for name, line in told(result).by_service.items():
        service = result.by_service[name]
        assert line.utilization[cut:].mean() == pytest.approx(service.utilization.value)
        assert line.requests_per_s[cut:].mean() * 18 * 2 == pytest.approx(service.requests)
        for cache_name, ratio in line.hit_ratio.items():
            known = ratio[cut:][np.isfinite(ratio[cut:])]
            expected = service.caches[cache_name].hit_ratio.value
            assert known.min() <= expected <= known.max()
    assert np.isnan(told(result).by_service["stock"].hit_ratio["items"][12:20]).all()  # nobody looked


def test_quantiles_are_those_of_the_requests() -> None:
    """Beside numpy, over all requests of a batch; a bucket is within 0.1 %."""
    spec = load(shop(DOWN))
    plane = lower(spec, "none")
    record = simulate(plane, engine="compiled", seed=1, duration_ns=60 * 10**9, drain_ns=10**9, record_requests=True)
    assert record.requests is not None
    found = timeline(plane, [record], 0)
    rows = record.requests
    batch_of = rows["arrival_ns"] * BATCHES // record.duration_ns
    for batch in (0, 7, BATCHES - 1):
        mine = rows[batch_of == batch]
        latency_s = np.sort(mine["end_ns"] - mine["arrival_ns"])[: mine.size] / 1e9
        for name, q in (("p50", 0.5), ("p99", 0.99)):
            expected = np.quantile(latency_s, q, method="inverted_cdf")
            assert found.total.latency_all_s[name][batch] == pytest.approx(expected, rel=1e-3)
    few = timeline(plane, [record], 0).by_tenant["web"].requests
    assert all(
        np.isnan(p99) == (n < 100) for p99, n in zip(found.by_tenant["web"].latency_all_s["p99"], few, strict=True)
    )


@pytest.mark.parametrize("kind", ["blackhole", "dependency_down"])
def test_who_was_never_answered_is_infinitely_slow_and_who_failed_is_not_among_the_good(kind: str) -> None:
    """From 6 to 10 s nobody who needs the stock hears anything, or all fail at once."""
    fault = DOWN | {"fault": {kind: {"service": "stock"}}}
    web = told(ms.run(shop(fault, replications=1, drain="0s"), quiet=True)).by_tenant["web"]
    assert np.isnan(web.latency_s["p50"][13:18]).all()
    of_all = web.latency_all_s["p50"][13:18]
    assert np.isinf(of_all).all() if kind == "blackhole" else (of_all < 0.05).all()


def test_the_interval_is_students() -> None:
    records = [mm1_record(seed, failing=0.3) for seed in range(8)]
    line = timeline(queue_plane(), records, 0).total
    failed = np.array([record.counts[0, 5, 2] for record in records], float)
    n = np.array([record.counts[0, 5].sum() for record in records], float)
    ratio = failed.sum() / n.sum()
    scatter = np.std(failed - ratio * n, ddof=1) / n.mean()  # linearised
    half = t_quantile(0.975, 7) * scatter / np.sqrt(8)
    found = line.error_share[5]
    assert found.value == pytest.approx(ratio)
    # Willink's adjustment for skewness moves the ends, by little
    assert (found.high - found.low) / 2 == pytest.approx(half, rel=0.1)
    assert timeline(queue_plane(), records[:1], 0).total.error_share[5].low is None


# -- a fault is where it is -----------------------------------------------------------------------------------


@pytest.mark.parametrize("engine", ["compiled", "simpy"])
def test_a_fault_shows_exactly_while_it_lasts(engine: str) -> None:
    found = told(broken(engine))
    for batch in range(BATCHES):
        share = found.by_tenant["web"].error_share[batch].value
        if batch in (11, 19):  # requests that are on their way when it begins or ends
            share = round(share or 0.0, 1)
        assert share == (1.0 if 12 <= batch < 20 else 0.0), batch
        assert found.by_tenant["ads"].error_share[batch].value == 0.0
    assert found.incident is not None
    web, both = found.by_tenant["web"].requests[12:20], found.total.requests[12:20]
    assert found.incident.worst_error_share == max(a / b for a, b in zip(web, both, strict=True))


def test_both_engines_tell_the_same() -> None:
    one, other = (told(broken(engine)).to_dict() for engine in ("compiled", "simpy"))
    assert json.dumps(one) == json.dumps(other)
    assert broken("compiled").happenings == broken("simpy").happenings


def test_moments_of_a_fault() -> None:
    found = told(broken())
    assert found.incident is not None
    assert found.incident.began == (6.0, 6.0)
    assert found.incident.detected == (7.0, 7.0)  # people look every second, and half of the requests fail
    assert found.incident.mitigated == (10.0, 10.0)
    assert found.incident.recovered_s == 10.0
    assert (found.incident.bad_from_s, found.incident.bad_until_s) == (6.0, 10.0)
    assert [(one.who, one.what, one.median_s) for one in found.happenings if one.who == "down"] == [
        ("down", "begins", 6.0),
        ("down", "ends", 10.0),
    ]


# -- by hand -----------------------------------------------------------------------------------------------------

EDGES = np.arange(11.0)
ALL = np.full((1, 10), 100)


def run(*steps: tuple[float, str, str], detail: str = "") -> list[Happening]:
    return [Happening(round(at * 1e9), who, what, detail) for at, who, what in steps]


def moments(steps: list[Happening], failed: dict[int, int]) -> Incident | None:
    good = ALL.copy()
    for batch, count in failed.items():
        good[0, batch] -= count
    return incident([steps], EDGES, good, ALL, 1)


FAULT = run((3.2, "a", "begins"), (4.0, "people", "alarm"), (5.5, "a", "ends"))


@pytest.mark.parametrize(
    ("failed", "recovered_s", "bad"),
    [
        ({3: 50, 4: 50, 5: 20}, 6.0, (3.0, 6.0)),
        ({3: 50, 4: 50, 5: 20, 6: 5, 8: 2}, 9.0, (3.0, 9.0)),
        ({3: 50, 6: 1}, 6.0, (3.0, 4.0)),  # 99 % are enough
        ({}, 6.0, None),
        ({9: 2}, None, (9.0, 10.0)),
        ({2: 50, 4: 10}, 6.0, None),  # 75 % before: nothing is worse
        ({0: 90, 4: 10}, 6.0, (4.0, 5.0)),  # the warm-up is not looked at
    ],
)
def test_recovered_by_hand(failed: dict[int, int], recovered_s: float | None, bad: tuple[float, float] | None) -> None:
    found = moments(FAULT, failed)
    assert found is not None
    assert (found.began_s, found.detected_s, found.mitigated_s) == (3.2, 4.0, 5.5)
    assert found.recovered_s == recovered_s
    assert (found.bad_from_s, found.bad_until_s) == (bad or (None, None))


def test_alarms_before_and_what_was_worse_before_are_about_something_else() -> None:
    """Half of the requests of the batch from 2 s on failed without an event, and people were alarmed at 2.5 s."""
    found = moments([*run((2.5, "people", "alarm")), *FAULT], {1: 20, 2: 50, 4: 40})
    assert found is not None
    assert (found.began_s, found.detected_s, found.worst_error_share) == (3.2, 4.0, pytest.approx(0.4))


def test_what_begins_and_ends_at_edges_is_of_the_batches_between_them() -> None:
    found = moments(run((3.0, "a", "begins"), (5.0, "a", "ends")), {3: 50, 4: 50})
    assert found is not None
    assert (found.mitigated_s, found.recovered_s) == (5.0, 5.0)
    assert (found.bad_from_s, found.bad_until_s) == (3.0, 5.0)


def test_what_has_not_ended_is_not_mitigated() -> None:
    found = moments(run((3.2, "a", "begins"), (4.0, "b", "begins"), (5.5, "a", "ends")), {3: 10})
    assert found is not None
    assert (found.detected_s, found.mitigated_s, found.recovered_s) == (None, None, 6.0)


def test_what_had_no_effect_or_was_rejected_did_not_begin() -> None:
    assert moments(run((3.2, "a", "begins"), (3.2, "a", "has no effect"), (4.0, "b", "is rejected")), {}) is None
    found = moments(
        run((3.2, "a", "begins"), (3.2, "a", "has no effect"), (4.0, "b", "begins"), (6.0, "b", "ends")), {}
    )
    assert found is not None
    assert (found.began_s, found.mitigated_s) == (4.0, 6.0)


def test_a_cold_cache_is_over_at_once() -> None:
    found = told(
        ms.run(shop({"name": "wipe", "at": "3.2s", "fault": {"cold_cache": {"service": "stock"}}}), quiet=True)
    )
    assert [(one.what, one.median_s) for one in found.happenings] == [("begins", 3.2), ("ends", 3.2)]
    assert found.incident is not None
    assert (found.incident.mitigated_s, found.incident.recovered_s) == (3.2, 3.5)


def test_nothing_answered_before_leaves_recovery_unknown() -> None:
    found = moments(run((0.0, "a", "begins"), (2.0, "a", "ends")), {0: 10})
    assert found is not None
    assert (found.mitigated_s, found.recovered_s, found.bad_from_s, found.worst_error_share) == (
        *(2.0, None, None, pytest.approx(0.1)),
    )


def test_medians_count_what_never_was_as_latest() -> None:
    runs = [FAULT, FAULT[:1], run((1.2, "a", "begins"), (8.0, "people", "alarm"), (9.0, "a", "ends")), []]
    good = np.repeat(ALL, 4, axis=0)
    found = incident(runs, EDGES, good, good, 0)
    assert found is not None
    assert found.began == (3.2, 3.2, 1.2, None)
    assert (found.began_s, found.detected_s, found.mitigated_s) == (3.2, 8.0, 9.0)  # of three that began
    assert found.took_s(found.detected) == pytest.approx(6.8)
    nearly = incident(runs[:2], EDGES, good[:2], good[:2], 0)
    assert nearly is not None
    assert nearly.detected_s is None


def test_happenings_are_merged_by_their_turn() -> None:
    one = run((1.0, "k", "kills"), (3.0, "k", "kills"), detail="1 of a")
    other = run((2.0, "k", "kills"), detail="1 of b")
    first, second = merged([one, other])
    assert (first.ordinal, first.first_s, first.median_s, first.last_s, first.replications) == (1, 1.0, 1.5, 2.0, 2)
    assert first.detail == "1 of a"
    assert (second.ordinal, second.median_s, second.replications) == (2, 3.0, 1)


def test_how_far_a_push_had_come() -> None:
    went = [
        Happening(1, "p", "begins", "4 proxies in 2 waves", 4),
        Happening(2, "p", "is out", "wave 1 of 2: 1 proxies", 1),
        Happening(4, "p", "is out", "wave 2 of 2: 4 proxies", 4),
        Happening(5, "p", "goes back", "somebody found it"),
        Happening(6, "p", "is back", "4 proxies"),
    ]
    rejected = [Happening(1, "p", "is rejected", "validation caught it")]
    found = spreads([went, rejected, run((1.0, "f", "begins"), detail="crash")])["p"]
    assert found.at_s == (1e-9, 2e-9, 4e-9, 6e-9)
    assert found.share == pytest.approx((0.0, 0.25 / 3, 1 / 3, 0.0), abs=1e-9)


def test_what_changes_in_all_replications_at_once_is_one_step() -> None:
    went = [Happening(1, "p", "begins", "", 4), Happening(3, "p", "is out", "", 4)]
    later = [Happening(1, "p", "begins", "", 8), Happening(3, "p", "is out", "", 4), Happening(5, "p", "is out", "", 8)]
    found = spreads([went, later])["p"]
    assert (found.at_s, found.share) == ((1e-9, 3e-9, 5e-9), (0.0, 0.75, 1.0))


def test_words_are_those_of_the_control_processes() -> None:
    """A canary that is taken back, and what people take back: the words that moments are found by."""
    push = {"fault": {"expired_certificate": {"to": "stock"}}, "scope": "service/shop"}
    canary = {"name": "bad", "at": "6s", "push": push | {"rollout": "canary"}}
    found = told(ms.run(shop(canary, replications=1), "sidecar", quiet=True))
    assert found.incident is not None
    assert None not in (found.incident.detected_s, found.incident.mitigated_s, found.incident.recovered_s)
    assert max(found.pushes["bad"].share) == 0.5 and found.pushes["bad"].share[-1] == 0.0
    assert found.pushes["bad"].at_s[-1] == found.incident.mitigated_s
    assert {one.what for one in found.happenings if one.who == "bad"} == {
        *("begins", "is out", "alarm", "goes back", "is back")
    }


# -- what results say of it ---------------------------------------------------------------------------------------


def test_json_can_be_read_back_and_has_its_keys() -> None:
    document = json.loads(json.dumps(broken().to_dict(), allow_nan=False))
    again = Timeline.from_dict(document["timeline"], document["happenings"])
    assert again.to_dict() == document["timeline"]
    assert again.happenings == broken().happenings
    assert set(document["timeline"]) == {
        *("edges_s", "warmup_s", "replications", "total", "by_tenant", "by_service", "pushes", "incident")
    }
    assert len(document["timeline"]["edges_s"]) == BATCHES + 1
    assert document["timeline"]["total"]["requests"] == list(told(broken()).total.requests)


def test_the_frame_is_tidy() -> None:
    found = told(broken())
    frame = found.frame()
    requests = frame[(frame.scope == "total") & (frame.quantity == "requests")]
    assert requests.value.tolist() == list(found.total.requests)
    assert requests.start_s.tolist() == found.edges_s[:-1].tolist()
    hits = frame[frame.quantity == "caches.items.hit_ratio"]
    assert len(hits) == BATCHES and set(hits.name) == {"stock"}
    shares = frame[(frame.name == "web") & (frame.quantity == "error_share")]
    assert (shares.low <= shares.value).all() and (shares.value <= shares.high).all()


def test_runs_without_events_have_none() -> None:
    quiet = ms.run(shop(replications=1), quiet=True)
    assert quiet.timeline is None and quiet.happenings == ()
    assert not {"timeline", "happenings"} & set(quiet.to_dict())


def test_control_processes_have_a_time_axis_too() -> None:
    def notes(control: ms.Control) -> Any:
        yield control.env.timeout(5.0)
        control.note("me", "looked", "all is well")

    result = ms.run(shop(replications=1), controllers=[notes], quiet=True)
    assert [(one.who, one.what, one.median_s) for one in result.happenings] == [("me", "looked", 5.0)]
    assert told(result).incident is None


def _overloaded(event: bool) -> Result:
    spike = {"name": "spike", "at": "5s", "fault": {"load_spike": {"stream": "web", "factor": 20}}}
    spec = shop(*([spike] if event else []))
    if not event:
        spec["traffic"][1]["arrivals"] = {"poisson": "2000/s"}
    return ms.run(spec, quiet=True, replications=1)


def test_an_incident_is_not_called_unstable() -> None:
    assert _overloaded(event=False).verdict.word == "unstable"
    verdict = _overloaded(event=True).verdict
    assert verdict.word == "ok" and verdict.notes.count(EVENTFUL) == 1


def test_too_few_requests_are_too_few_with_events_too() -> None:
    verdict = ms.run(shop(DOWN, replications=1, load=0.05), quiet=True).verdict
    assert verdict.word == "too short for p95" and EVENTFUL in verdict.notes


def test_theory_is_silent_with_a_reason() -> None:
    found = ms.run(shop(DOWN, replications=1), check=True, quiet=True).check
    assert found is not None and not found.disagreements
    silent = {row.note for row in found.rows if row.theory not in LAWS}
    assert silent == {"events or control processes may change it"}
    study = ms.cache_study(shop(DOWN, replications=1), ["none"], quiet=True)
    assert {one.expected.note for one in study.caches} == {"events or control processes may change it"}


@pytest.mark.parametrize("make", [lambda: mm1_record(1), lambda: mm1_record(1, failing=1.0)])
def test_records_without_anything_answered(make: Callable[[], Record]) -> None:
    found = timeline(queue_plane(), [make()], 0)
    answered = any(found.total.good)
    assert np.isfinite(found.total.latency_s["p50"]).any() == answered
    assert np.nanmax(found.total.latency_all_s["p99"]) <= value_ns(18_000) * 1e-9


def test_a_comparison_tells_what_events_did_under_each_architecture() -> None:
    spec = {
        "meshsim": 1,
        "services": {"a": {"replicas": 2, "endpoints": {"e": [{"work": "1ms"}]}}},
        "traffic": [{"name": "s", "entry": "a.e", "arrivals": {"poisson": "50/s"}}],
        "mesh": {"gateway": {"replicas": 2}},
        "run": {"warmup": "2s", "duration": "40s", "replications": 2},
        "events": [{"name": "down", "at": "10s", "for": "4s", "fault": {"dependency_down": {"service": "gateway"}}}],
    }
    found = ms.compare(spec, ["none", "gateway"], quiet=True)
    (_, *rows) = found.incidents()
    assert [row[:5] for row in rows] == [["gateway", "100 %", "0.0667 ± 0", "10.0 s", "14.0 s"]]  # 4 s
    assert "incident" in found.summary()
    assert ms.compare({**spec, "events": []}, ["none", "gateway"], quiet=True).incidents() == []
