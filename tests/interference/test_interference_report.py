"""What reports say: who decided, what is left out of a screen, what nobody enforces, and what was not measured."""

from __future__ import annotations

import json
from dataclasses import replace
from typing import Any

import pytest
from small_tenants import ZERO, one_queue, spec, station, stream, two_queues

import meshsim as ms
from meshsim.errors import UsageError
from meshsim.interference import report
from meshsim.interference.headroom import Check
from meshsim.interference.pairs import Cell
from meshsim.results.intervals import Estimate

SHORT = {"duration": "20s", "warmup": "2s", "replications": 3}


def sure(value: float, arm: float) -> Estimate:
    return Estimate(value, value - arm, value + arm, 9, "")


def a_cell(**ratios: Estimate) -> Cell:
    same, nothing = sure(1.0, 0.1), sure(0.0, 0.01)
    latencies = dict.fromkeys(("p99", "p50", "mean"), sure(0.1, 0.01))
    told = {"p99": same, "p50": same, "mean": same, **ratios}
    return Cell("none", "as written", "a", "b", told, latencies, latencies, nothing, nothing, None)


@pytest.fixture(scope="module")
def short() -> ms.Interference:
    return ms.tenants(one_queue(run=SHORT), ["none"], headroom=False)


def test_the_figure_that_decided_is_told() -> None:
    one = a_cell(mean=sure(1.3, 0.1))
    assert (one.word, one.decided_by) == ("worse", ("mean_ratio",))
    assert report.decided(one) == "mean 1.30 ± 0.10"
    assert one.to_dict()["decided_by"] == ["mean_ratio"] and one.row()["decided_by"] == "mean_ratio"
    other = replace(a_cell(p50=sure(0.8, 0.1)), shed_share=sure(0.005, 0.001))
    assert (other.word, other.decided_by) == ("worse", ("shed_share",))
    assert report.decided(other) == "shed 0.50 ± 0.10 pp"
    assert a_cell(p99=sure(1.5, 0.1)).decided_by == ("p99_ratio",)
    assert a_cell().decided_by == () and report.decided(a_cell()) == "-"


def test_an_objective_that_is_lost_decides_with_its_interval() -> None:
    tenants = {"victim": {"slo": {"p99": "100ms"}}, "aggressor": {}}
    found = ms.tenants(one_queue(10, 75, tenants=tenants), ["none"], headroom=False, aggressors="aggressor")
    cell = found.cell("aggressor", "victim")
    assert cell.word == "harmed" and cell.decided_by == ("p99",)
    assert report.decided(cell).startswith("p99 ") and report.decided(cell).endswith(", not 100 ms")


def test_an_interval_that_is_missing_has_a_word(short: ms.Interference) -> None:
    unknown = Estimate(1.11, None, None, 9, "")
    told = report.matrix_cell(a_cell(p99=unknown, mean=sure(1.3, 0.1)))
    assert told == "1.11 (no interval) (worse: mean 1.30 ± 0.10)"
    assert report.matrix_cell(a_cell()) == "1.00 ± 0.10 ?"
    found = replace(short, cells=(a_cell(p99=unknown),))
    assert found.summary().count("too short for an interval of p99: raise --duration") == 1
    assert "too short" not in replace(short, cells=(a_cell(),)).summary()


def test_a_table_that_is_cut_says_so(short: ms.Interference) -> None:
    many = replace(short, cells=(a_cell(mean=sure(1.3, 0.1)),) * 18)
    assert "  ... and 6 more (-o csv has all)" in many.summary().splitlines()
    assert "more (-o csv" not in short.summary()


def test_a_wide_matrix_is_broken() -> None:
    rows = [["aggressor", *(f"tenant-{number}" for number in range(11))]]
    rows += [[name, *(["1.00 ± 0.10 worse"] * 11)] for name in rows[0][1:]]
    found = list(report.blocks(rows))
    assert len(found) == 3 and [block[0][0] for block in found] == ["aggressor"] * 3
    assert [name for block in found for name in block[0][1:]] == rows[0][1:]
    assert all(len(line) <= 100 for block in found for line in report.table(block))


def test_names_stand_in_their_natural_order() -> None:
    names = ("t-1", "t-10", "t-2")
    found = ms.tenants(spec({"s": station("1ms")}, *(stream(n, 5) for n in names), run=SHORT), ["none"], headroom=False)
    assert found.tenants == ("t-1", "t-2", "t-10")
    assert [one.victim for one in found.cells] == ["t-2", "t-10", "t-1", "t-10", "t-1", "t-2"]


def test_a_value_is_told_apart_from_its_limit() -> None:
    def told(quantity: str, value: float, limit: float) -> str:
        return report.breach(Check("v", quantity, limit, "missed", False, sure(value, 0.0)))

    assert told("p99_ratio", 1.1002, 1.1) == "v p99 1.1002 times > 1.1 (assumed)"
    assert told("p99_ratio", 1.3, 1.1) == "v p99 1.30 times > 1.1 (assumed)"
    assert told("shed_share", 0.010004, 0.01) == "v sheds 1.0004 % more > 1 % (assumed)"
    assert told("availability", 0.98999, 0.99) == "v availability 98.999 % < 99.0 %"
    assert told("p99", 0.25004, 0.25) == "v p99 250.04 ms > 250 ms"


def test_headroom_tells_who_is_harmed_as_it_is_written() -> None:
    found = ms.tenants(one_queue(20, 30), ["none"], aggressors="aggressor", ceiling=1.1)
    assert found.cell("aggressor", "victim").word == "harmed"
    assert ", already harms victim as written" in found.summary()
    pushed = replace(found, push=2.0)
    assert "already harms" not in pushed.summary()


def test_what_nobody_enforces_is_told() -> None:
    mesh = {**ZERO, "gateway": {"profile": "zero", "replicas": 1, "bulkhead": 5}}
    found = ms.tenants(
        two_queues(mesh=mesh), ["none", "gateway"], isolations={"twice": "services.v.cpu=2"}, headroom=False
    )
    told = [line for line in found.summary().splitlines() if "inert here" in line]
    assert told == ["none: inert here (nobody enforces them): mesh.gateway.bulkhead"]
    assert found.to_dict()["notes"][0]["inert"] == ("mesh.gateway.bulkhead",)


def test_nothing_measured_is_told() -> None:
    with pytest.raises(UsageError, match=r"no requests were measured \(none, as written\): make the run longer"):
        ms.tenants(one_queue(0.1, 0.1, run={**SHORT, "duration": "1ms", "warmup": "0s"}), ["none"])
    late = {**stream("late", 1), "arrivals": {"trace": {"times": ["19s"]}}}
    traffic = (stream("victim", 20), stream("aggressor", 20), late)
    found = ms.tenants(spec({"s": station()}, *traffic, run={**SHORT, "duration": "10s"}), ["none"], headroom=False)
    assert "no requests of late were measured (none): make the run longer" in found.summary()


def test_a_text_alone_is_one() -> None:
    found = ms.tenants(
        one_queue(run=SHORT), ["none"], aggressors="aggressor", isolations={"a": "services.s.cpu=2"}, headroom=False
    )
    assert {one.aggressor for one in found.cells} == {"aggressor"}
    assert found.isolations["a"] == ("services.s.cpu=2",)


def test_what_is_not_there_is_told_with_what_is(short: ms.Interference) -> None:
    told = "there are the architectures none; isolations as written; tenants aggressor, victim"
    with pytest.raises(KeyError, match=told):
        short.cell("aggressor", "victim", "sidecar")
    with pytest.raises(KeyError, match="headroom was not looked for"):
        short.room("aggressor")


@pytest.mark.parametrize(("push", "told"), [(1e9, "about 6e.11 requests"), (1e300, "requests")])
def test_a_push_that_cannot_be_run_is_refused_by_its_requests(push: float, told: str) -> None:
    with pytest.raises(UsageError, match=told):
        ms.tenants(one_queue(run=SHORT), ["none"], push=push)


def test_headroom_stops_where_a_run_would_have_too_many_requests(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("meshsim.interference.study._MOST_REQUESTS", 5000)
    room: Any = ms.tenants(one_queue(20, 1, run=SHORT), ["none"], aggressors="aggressor", ceiling=1e9).room("aggressor")
    assert room.ended in ("bracket", "engine limit")
    assert max(probe.factor for probe in room.probes) <= 256


def test_warm_ups_that_differ_are_cut_from_both() -> None:
    """Overload has no steady state, so that half of it is cut; the load as written needs less."""
    none = "tenants={loud: {}, quiet: {}}"  # without objectives: headroom compares them with the load as written
    found = ms.tenants("two-tenants", ["none"], overrides=none, aggressors="loud", duration_s=20.0, replications=4)
    assert found.room("loud").broke is not None


def test_events_are_left_out_before_they_can_be_refused() -> None:
    events = [{"name": "kill", "at": "30s", "fault": {"crash": {"service": "s"}}}]
    found = ms.tenants(one_queue(run={**SHORT, "warmup": "auto"}, events=events), ["none"], headroom=False)
    assert len(found.cells) == 2


def test_a_sure_ratio_does_not_read_as_none() -> None:
    assert report.ratio(Estimate(1.0109, 1.0002, 1.0219, 9, "")) == "1.01 (1.0002 to 1.02)"
    assert report.ratio(sure(1.0131, 0.0122)) == "1.013 ± 0.012"
    assert report.ratio(sure(0.992, 0.0061)) == "0.992 ± 0.006"
    assert report.ratio(sure(1.0, 0.02)) == "1.00 ± 0.02"


def test_the_call_that_is_told_repeats_it() -> None:
    case = one_queue(run={"duration": "20s", "warmup": "1s", "replications": 2})
    found = ms.tenants(case, ["none"], headroom=False, quiet=True)
    again = eval(found.command, {"meshsim": ms, "topology": case})  # what a reader would paste
    one, other = (json.loads(json.dumps(told.to_dict())) for told in (found, again))
    for told in (one, other):
        told["manifest"].pop("timing")
    assert one == other and one["manifest"]["command"] == "meshsim.tenants(topology, ['none'], headroom=False, seed=1)"
