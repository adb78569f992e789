"""What autoscalers made of a run: by hand from looks that were made up, and of a run."""

from __future__ import annotations

import json
import math
from dataclasses import replace
from functools import cache
from typing import Any

import numpy as np
import pytest

import meshsim as ms
from meshsim.engines.record import Look, Record
from meshsim.results.autoscaling import Autoscaled, autoscaled

SHOP: dict[str, Any] = {
    "meshsim": 1,
    "services": {
        "web": {
            "cpu": 1,
            "autoscale": {"min": 2, "max": 8, "target": "50%", "pod_start": "7s", "scale_down_window": "30s"},
            "endpoints": {"get": [{"work": "100ms"}]},
        }
    },
    "traffic": [
        {
            "name": "w",
            "entry": "web.get",
            "connections": "per_request",
            "arrivals": {
                "rate": [{"at": "0s", "rate": "8/s"}, {"at": "60s", "rate": "30/s"}, {"at": "200s", "rate": "5/s"}]
            },
        }
    ],
    "run": {"warmup": "0s", "duration": "400s", "replications": 2},
}


@cache
def found() -> Any:
    return ms.run(SHOP, quiet=True)


def made_up(looks: list[tuple[Any, ...]], duration_s: int = 100) -> Autoscaled:
    """(seconds, wanted, provisioned, ready, demand) of a web of one core at 50 %."""
    topology = ms.load(SHOP)
    rows = tuple(
        Look(round(at * 1e9), "web", wanted, there, ready, 1, demand) for at, wanted, there, ready, demand in looks
    )
    record = object.__new__(Record)
    record.duration_ns, record.looks = duration_s * 10**9, rows
    return autoscaled(topology, ms.lower(topology, "none"), [record])["web"]


def test_lag_is_from_the_load_to_the_pods() -> None:
    """From 30 s on two cores come, which need four; three are ready at 52 s, four at 57 s."""
    one = made_up(
        [
            (0, 2, 2, 2, None),
            (15, 2, 2, 2, 1.0),
            (30, 2, 2, 2, 1.0),
            (45, 4, 4, 2, 2.0),
            (52, 4, 4, 3, None),
            (57, 4, 4, 4, None),
            (60, 4, 4, 4, 2.0),
            (75, 5, 5, 4, 2.0),
            (90, 2, 5, 2, 0.5),
            (92, 2, 2, 2, None),
        ]
    )
    assert (one.lag_s.value, one.lags.value, one.short.value) == (27.0, 1.0, 0.27)
    assert (one.overshoot.value, one.turns.value) == (1.0, 1.0)
    assert one.replica_hours.value == pytest.approx((2 * 45 + 4 * 30 + 5 * 17 + 2 * 8) / 3600)
    assert (one.fewest, one.most, one.static_replicas) == (2, 5, 4)
    assert one.static_hours == pytest.approx(400 / 3600)
    assert one.saved == pytest.approx(1 - 311 / 400)
    assert one.node_hours.value == pytest.approx(100 / 3600)


def test_what_is_within_the_tolerance_is_no_lag() -> None:
    near = made_up([(0, 2, 2, 2, None), *((at, 2, 2, 2, 1.09) for at in (15, 30, 45, 60, 75, 90))])
    beyond = made_up([(0, 2, 2, 2, None), *((at, 2, 2, 2, 1.11) for at in (15, 30, 45, 60, 75, 90))])
    assert (near.lag_s.value, beyond.lag_s.value) == (0.0, 100.0)
    assert near.static_replicas == 3  # whole ones


def test_turns_are_changes_of_direction() -> None:
    wanted = [2, 3, 4, 4, 3, 3, 5, 2]
    one = made_up([(10 * i, n, n, n, 1.0 if i else None) for i, n in enumerate(wanted)])
    assert one.turns.value == 3.0


def test_lines_are_means_over_time() -> None:
    one = made_up([(0, 2, 2, 2, None), (15, 2, 2, 2, 1.0), (30, 4, 4, 2, 2.0), (50, 4, 4, 4, None)], 60)
    assert one.lines.edges_s.tolist() == [0.0, 15.0, 30.0, 45.0, 60.0]
    assert one.lines.wanted.tolist() == [2.0, 2.0, 4.0, 4.0]
    assert one.lines.ready.tolist() == pytest.approx([2.0, 2.0, 2.0, (2 * 5 + 4 * 10) / 15])
    assert one.lines.needed.tolist() == [2.0, 4.0, 4.0, 4.0]  # after the last decision as before it
    assert all(map(math.isnan, one.lines.utilization))


# -- of a run ------------------------------------------------------------------------------------------------------


def test_replica_hours_are_what_engines_count() -> None:
    one, service = found().autoscaling["web"], found().by_service["web"]
    assert one.replicas.value == pytest.approx(service.replicas)
    assert one.replica_hours.value == pytest.approx(service.replicas * 400 / 3600)
    steps = np.diff(one.lines.edges_s)
    assert float(one.lines.provisioned @ steps) / 400 == pytest.approx(service.replicas)


def test_pods_that_start_count_as_there_but_not_as_at_work() -> None:
    working = found().timeline.by_service["web"].working_replicas.mean()
    assert working < found().by_service["web"].replicas
    assert working == pytest.approx(float(found().autoscaling["web"].lines.ready.mean()), rel=0.01)


def test_it_is_told_as_text_json_and_happenings() -> None:
    text = found().summary()
    assert "autoscales: figures are of the whole run" in text
    (row,) = (line for line in text.splitlines() if line.startswith("web ") and " saved" in line)
    assert f"{found().autoscaling['web'].static_replicas} replicas" in row
    first = next(one for one in found().happenings if one.what == "scaled")
    assert (first.who, first.detail) == ("web", "2 -> 4")
    data = json.loads(json.dumps(found().to_dict()))["autoscaling"]["web"]
    again = Autoscaled.from_dict(data)
    assert again.to_dict() == data == found().autoscaling["web"].to_dict()


def test_it_is_in_the_tidy_table() -> None:
    table = found().frame().set_index(["name", "quantity"])["value"]
    assert table["web", "autoscaling.lag_s"] == found().autoscaling["web"].lag_s.value


def test_without_autoscalers_nothing_is_told() -> None:
    spec = {**SHOP, "run": {"warmup": "0s", "duration": "5s", "replications": 1}}
    bare = ms.run(spec, overrides=["services.web.autoscale=null"], quiet=True)
    assert bare.autoscaling == {} and bare.timeline is None and "autoscaling" not in bare.to_dict()


@pytest.mark.parametrize("engine", ["compiled", "simpy"])
def test_numbers_do_not_depend_on_jobs(engine: Any) -> None:
    short = {"duration_s": 100.0, "quiet": True, "engine": engine}
    one, other = (ms.run(SHOP, "sidecar", jobs=jobs, **short).to_dict() for jobs in (1, 2))
    for told in (one, other):
        told["manifest"].pop("timing")  # type: ignore[union-attr]
    assert one == other


def test_both_engines_give_the_same_result() -> None:
    short = {"duration_s": 150.0, "quiet": True}
    one, other = (ms.run(SHOP, "sidecar", engine=engine, **short) for engine in ("compiled", "simpy"))
    assert one.autoscaling["web"].to_dict() == other.autoscaling["web"].to_dict()
    assert one.latency_s == other.latency_s
    assert one.happenings == other.happenings


def test_a_sweep_and_a_comparison_scale_too() -> None:
    short = {"quiet": True, "duration_s": 150.0}
    compared = ms.compare(SHOP, ["none", "sidecar"], **short)
    assert all(side.autoscaling["web"].most > 2 for side in compared.results.values())
    rows = ms.sweep(SHOP, {"services.web.autoscale.target": "40%,80%"}, ["none"], quiet=True).frame()
    assert len(rows) == 2


def test_costs_are_of_the_mean_number_of_replicas() -> None:
    costs = ms.cost(SHOP, ["none"], quiet=True, replications=1)
    assert replace(costs.costs["none"].result.manifest) is not None
    assert costs.costs["none"].result.by_service["web"].replicas == pytest.approx(
        ms.run(SHOP, quiet=True, replications=1).by_service["web"].replicas
    )
