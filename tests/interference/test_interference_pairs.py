"""Pairs: what is the same on both sides, and what does not matter."""

from __future__ import annotations

import json
from typing import Any

import numpy as np
import pytest
from small_tenants import ZERO, one_queue, spec, station, stream, two_queues

import meshsim as ms
from meshsim.architectures import lower
from meshsim.engines import simulate
from meshsim.errors import UsageError
from meshsim.interference.loads import tenants_of, with_loads
from meshsim.interference.pairs import RATIOS

SHORT = {"duration": "20s", "warmup": "2s", "replications": 3}


def without_timing(found: ms.Interference) -> str:
    told = found.to_dict()
    del told["manifest"]["timing"]
    return json.dumps(told)


def measured(rows: Any) -> Any:
    """Without those that arrive while the others are still being answered."""
    return rows[rows["arrival_ns"] < 10**10]


def victim_rows(factor: float) -> list[Any]:
    plane = with_loads(lower(ms.load(two_queues()), "none"), {"aggressor": factor})
    record = simulate(plane, engine="compiled", seed=1, duration_ns=10**10, drain_ns=10**10, record_requests=True)
    mine = measured(record.requests)
    mine = mine[mine["stream"] == tenants_of(plane)["victim"][0]]
    return mine[["ordinal", "arrival_ns", "end_ns", "outcome", "tries"]].tolist()


def test_tenants_of_other_services_meet_the_very_same() -> None:
    """Paired draws: to the nanosecond, so that ratios are 1 and intervals have no length."""
    assert victim_rows(0.0) == victim_rows(1.0) == victim_rows(2.5)
    found = ms.tenants(two_queues(), ["none"])
    cell = found.cell("aggressor", "victim")
    assert cell.word == "untouched"
    for name in RATIOS:
        told = cell.ratios[name]
        assert told.value == told.low == told.high == 1.0
    assert cell.shed_share.value == cell.shed_share.low == cell.shed_share.high == 0.0
    room = found.room("aggressor")
    assert (room.ended, room.held, room.broke) == ("ceiling", 8.0, None)
    assert "more than 8 times" in found.summary() and "1 exactly" in found.summary()


def test_sidecars_separate_what_a_gateway_couples() -> None:
    """One small gateway in front of services that have nothing in common."""
    mesh = {
        "gateway": {"profile": "envoy", "replicas": 1, "cpu": 0.02, "threads": 1},
        "sidecar": {"profile": "envoy", "cpu": 1},
    }
    found = ms.tenants(two_queues(mesh=mesh), ["gateway", "sidecar-only"], headroom=False)
    coupled, apart = (found.cell("aggressor", "victim", name) for name in ("gateway", "sidecar-only"))
    assert coupled.ratios["mean"].low is not None and coupled.ratios["mean"].low > 1.05
    assert coupled.word in ("harmed", "worse")
    assert apart.word == "untouched" and apart.p99_ratio.low == apart.p99_ratio.high == 1.0


def test_the_order_of_tenants_does_not_matter() -> None:
    given = one_queue(run=SHORT)
    turned = {
        **given,
        "tenants": dict(reversed(given["tenants"].items())),
        "traffic": given["traffic"][::-1],
    }
    one, other = (ms.tenants(topology, ["none", "gateway"], ceiling=2.0) for topology in (given, turned))
    assert [cell.to_dict() for cell in one.cells] == [cell.to_dict() for cell in other.cells]
    assert [room.to_dict() for room in one.headroom] == [room.to_dict() for room in other.headroom]


def test_the_same_bytes_on_one_and_two_jobs() -> None:
    one, two = (ms.tenants(one_queue(run=SHORT), ["none"], jobs=jobs) for jobs in (1, 2))
    assert without_timing(one) == without_timing(two)
    assert one.frame().to_csv() == two.frame().to_csv()


def test_both_engines_say_the_same() -> None:
    run = {"duration": "5s", "warmup": "1s", "replications": 2}
    shared = {**station(), "concurrency": 3, "queue": 2}
    traffic = (stream("victim", 20), stream("aggressor", 60))
    topology = spec({"s": shared}, *traffic, run=run)
    sides = [
        ms.tenants(topology, ["gateway"], engine=engine, ceiling=1.5)
        for engine in ("compiled", "simpy")  # type: ignore[arg-type]
    ]
    assert [one.to_dict() for one in sides[0].cells] == [one.to_dict() for one in sides[1].cells]
    assert [one.to_dict() for one in sides[0].headroom] == [one.to_dict() for one in sides[1].headroom]
    assert sides[0].cell("aggressor", "victim").shed_share.value > 0.0  # type: ignore[operator]


def test_isolation_is_compared_with_the_topology_as_it_is() -> None:
    found = ms.tenants(one_queue(run=SHORT), ["none"], isolations={"twice": ["services.s.cpu=2"]}, headroom=False)
    assert list(found.isolations) == ["as written", "twice"]
    written, twice = (found.cell("aggressor", "victim", isolation=name) for name in found.isolations)
    assert twice.ratios["mean"].high < written.ratios["mean"].low  # type: ignore[operator]
    assert "none, twice: p99 of victims" in found.summary()


@pytest.mark.parametrize(
    "arrivals",
    [
        {"closed": {"users": 20, "think": {"exp": "1s"}}},
        {"mmpp": {"rates": ["5/s", "60/s"], "stay": ["2s", "1s"]}},
        {"renewal": {"gamma": {"mean": "50ms", "cv": 2}}},
        {"batch": {"rate": "20/s", "size": {"geometric": 3}}},
        {"trace": {"times": [f"{n * 100}ms" for n in range(1, 190)]}},
        {"rate": [{"at": "0s", "rate": "10/s"}, {"at": "10s", "rate": "30/s"}]},
    ],
    ids=lambda arrivals: next(iter(arrivals)),
)
def test_tenants_of_every_kind_of_arrivals_can_be_absent_and_pushed(arrivals: dict[str, Any]) -> None:
    traffic = [stream("victim", 20), {**stream("aggressor", 1), "arrivals": arrivals}]
    topology = spec({"s": station()}, *traffic, run=SHORT)
    plane = lower(ms.load(topology), "none")
    aggressor = list(tenants_of(plane)["aggressor"])

    def sent(factor: float) -> tuple[int, list[Any]]:
        pushed = with_loads(plane, {"aggressor": factor})
        record = simulate(
            pushed, engine="compiled", seed=1, duration_ns=10 * 10**9, drain_ns=10**10, record_requests=True
        )
        others = measured(record.requests)
        others = others[others["stream"] != aggressor[0]]
        return int(record.counts[aggressor].sum()), others["arrival_ns"].tolist()

    (none, first), (some, second), (more, third) = (sent(factor) for factor in (0.0, 1.0, 2.0))
    assert none == 0 < some < more
    assert first == second == third
    assert ms.tenants(topology, ["none"], headroom=False).cell("aggressor", "victim").ratios["mean"].value > 1.0  # type: ignore[operator]


def test_sessions_can_be_absent() -> None:
    sessions = {"requests": {"geometric": 4}, "gap": {"exp": "100ms"}}
    topology = spec({"s": station()}, stream("victim", 20), stream("aggressor", 30, sessions=sessions), run=SHORT)
    assert ms.tenants(topology, ["none"], headroom=False).cell("aggressor", "victim").word in ("harmed", "worse")


def test_an_automatic_warm_up_is_found_although_somebody_sends_nothing() -> None:
    topology = one_queue(run={**SHORT, "warmup": "auto"})
    assert ms.tenants(topology, ["none"], headroom=False).cell("aggressor", "victim").p99_ratio.value > 1.0  # type: ignore[operator]


def test_a_cell_says_who_is_unstable() -> None:
    found = ms.tenants(one_queue(20, 120, run=SHORT), ["none"], headroom=False)
    assert found.cell("aggressor", "victim").unstable == ("with",)
    assert "unstable" in found.summary()


def test_an_objective_that_is_missed_anyway_is_nobodys_harm() -> None:
    tenants = {"victim": {"slo": {"p99": "20ms"}}, "aggressor": {}}
    found = ms.tenants(one_queue(tenants=tenants, run=SHORT), ["none"], aggressors=["aggressor"])
    cell = found.cell("aggressor", "victim")
    assert cell.word == "worse" and not cell.lost
    room = found.room("aggressor")
    assert (room.ended, room.held, room.broke, room.excluded) == ("harmed without it", None, None, ("victim",))
    assert "missed with and without each of the others: victim its p99" in found.summary()


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"push": 0}, "push is a factor above 0"),
        ({"ceiling": 1}, "ceiling is a factor above 1"),
        ({"budget_s": 0}, "time budget"),
        ({"aggressors": ["nobody"]}, "no traffic of tenant 'nobody'; there is of aggressor, victim"),
        ({"architectures": []}, "no architecture"),
    ],
)
def test_mistakes(changes: dict[str, Any], message: str) -> None:
    with pytest.raises(UsageError, match=message):
        ms.tenants(one_queue(), **changes)


def test_one_tenant_alone_interferes_with_nobody() -> None:
    with pytest.raises(UsageError, match="needs two tenants"):
        ms.tenants(spec({"s": station()}, stream("only", 20), mesh=ZERO))


def test_loads_as_written_are_no_change() -> None:
    plane = lower(ms.load(one_queue()), "none")
    assert with_loads(plane, {"victim": 1.0}) == plane
    assert np.isclose(with_loads(plane, {"victim": 1.5}).entries[1][0].arrivals.rate_per_s, 30.0)
