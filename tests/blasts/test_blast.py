"""Blast radius: what strikes, what is measured, and topologies whose harm is known by construction."""

from __future__ import annotations

import json
from dataclasses import replace
from typing import Any

import numpy as np
import pytest

import meshsim as ms
from meshsim.blasts.blasting import chosen_rollouts, plan
from meshsim.blasts.harm import Beyond, harm
from meshsim.blasts.strikes import MISTAKES, strikes
from meshsim.engines.record import BATCHES, Happening
from meshsim.errors import UsageError
from meshsim.model import faults as f

AT_S, HORIZON_S = 12.0, 80.0


def spec(**more: Any) -> dict[str, Any]:
    """Two products with nothing in common but the proxies: `a` for tenant x, and `b`, which calls `c`, for y."""
    return {
        "meshsim": 1,
        "services": {
            "a": {"replicas": 2, "endpoints": {"e": [{"work": "1ms"}]}},
            "b": {"replicas": 2, "endpoints": {"e": [{"call": "c.e"}]}},
            "c": {"replicas": 2, "endpoints": {"e": [{"wait": "2ms"}]}},
        },
        "tenants": {"x": {"slo": {"p99": "100ms"}}, "y": {}},
        "traffic": [
            {"name": "to-a", "tenant": "x", "entry": "a.e", "arrivals": {"poisson": "60/s"}},
            {"name": "to-b", "tenant": "y", "entry": "b.e", "arrivals": {"poisson": "40/s"}},
        ],
        "nodes": {"zones": ["z1", "z2"]},
        "mesh": {"gateway": {"profile": "envoy", "replicas": 2}},
        **more,
    }


def cells(*only: str, architectures: tuple[str, ...] = ("sidecar",), **options: Any) -> Any:
    found = ms.blast(spec(), architectures, only=only, rollouts=("all-at-once",), quiet=True, **options)
    return {(cell.name, cell.architecture): cell for cell in found.cells}


# -- what strikes ------------------------------------------------------------------------------------------------


def test_every_kind_of_fault_strikes_somewhere() -> None:
    case = spec()
    case["services"]["a"] |= {
        "versions": {"v1": {}, "v2": {}},
        "caches": {"pages": {"capacity": 10}},
        "endpoints": {"e": [{"cache": {"name": "pages", "key": "item", "miss": [{"work": "1ms"}]}}]},
    }
    case["traffic"][0]["keys"] = {"item": {"uniform": {"items": 5}}, "caller": {"uniform": {"items": 5}}}
    case["mesh"]["gateway"]["cache"] = {"capacity": 10, "key": "item"}
    everything = strikes(ms.load(case), exhaustive=True)
    kinds = {strike.kind for strike in everything}
    ordinary = {one.model_fields["kind"].default for one in f.Fault.__origin__.__args__}  # type: ignore[attr-defined]
    assert kinds == {*MISTAKES, *ordinary}
    assert {one.model_fields["kind"].default for one in f.PushFault.__origin__.__args__} == set(MISTAKES)  # type: ignore[attr-defined]
    names = [strike.name for strike in everything]
    assert len(set(names)) == len(names)


def test_without_flags_there_is_one_place_of_each_kind_and_they_are_all_among_every_place() -> None:
    topology = ms.load(spec())
    few, many = strikes(topology), strikes(topology, exhaustive=True)
    pushes = [strike for strike in few if strike.push is not None]
    scopes = [(strike.kind, strike.push.scope.kind) for strike in pushes if strike.push]
    assert len(set(scopes)) == len(scopes)
    assert {strike.push.scope.name for strike in pushes if strike.push and strike.push.scope.kind == "service"} == {"a"}
    assert {strike.place for strike in few if strike.kind == "crash"} == {"c"}  # the only one that somebody waits for
    assert {strike.name for strike in few if strike.fault is None} <= {strike.name for strike in many}


def test_plans_count_each_rollout_of_a_push_and_ordinary_faults_once() -> None:
    topology = ms.load(spec())
    chosen = strikes(topology)
    pushes = sum(strike.push is not None for strike in chosen)
    ways = chosen_rollouts(topology, ["all-at-once", "rolling", "canary"], exhaustive=False)
    assert len(plan(topology, ["none", "sidecar"], chosen, ways)) == 2 * (3 * pushes + len(chosen) - pushes)


# -- what is measured --------------------------------------------------------------------------------------------


def counted(beyond: Any, requests: int = 100) -> Beyond:
    shape = (2, BATCHES)
    bad = np.zeros(shape, dtype=np.int64)
    bad[:] = beyond
    nothing = np.zeros((0, BATCHES))
    all_of_them = np.full(shape, requests, dtype=np.int64)
    return Beyond(("x", "y"), all_of_them, bad, all_of_them - bad, nothing, nothing.astype(np.int64), 2.0)


def test_harm_by_hand() -> None:
    """From 12 s on 60 of 100 of x are bad, 10 are always; it is taken back at 32 s, and good from 36 s on."""
    calm = counted(10)
    bad = np.full((2, BATCHES), 10)
    bad[0, 6:18] = 60
    plane = ms.lower(ms.load(spec()), "none")
    happenings = [
        Happening(30_000_000_000, "people", "alarm", "x"),
        Happening(31_000_000_000, "people", "skipped", "600"),
        Happening(32_000_000_000, "p", "is back", ""),
        Happening(60_000_000_000, "people", "skipped", "900"),  # about nothing any more
    ]
    found = harm(replace(plane, services=()), counted(bad), calm, happenings, AT_S, HORIZON_S)
    assert found.by_tenant == {"x": pytest.approx(0.5), "y": 0.0}
    assert found.share == pytest.approx(0.25)
    assert found.tenants == ("x",)
    assert found.detect_s == 18.0
    assert found.mitigate_s == 20.0 + 600.0
    assert found.recover_s == 24.0 + 600.0
    # half of 24 s, and half of the ten minutes that were not simulated
    assert found.error_minutes == {"x": pytest.approx(0.5 * 24 / 60 + 0.5 * 10), "y": 0.0}


def test_who_never_gets_better_has_not_recovered() -> None:
    bad = np.zeros((2, BATCHES), dtype=int)
    bad[1, 6:] = 50
    plane = replace(ms.lower(ms.load(spec()), "none"), services=())
    found = harm(plane, counted(bad), counted(0), [], AT_S, HORIZON_S)
    assert (found.detect_s, found.mitigate_s, found.recover_s) == (None, None, None)
    assert found.error_minutes["y"] == pytest.approx(0.5 * 68 / 60)


# -- known by construction ---------------------------------------------------------------------------------------


@pytest.mark.parametrize("engine", ["compiled", "simpy"])
def test_who_needs_a_service_that_is_down_goes_down_with_it_alone(engine: Any) -> None:
    """For 20 s `c` fails everything: every request of y, and nobody else's."""
    (cell,) = cells("dependency_down at c", architectures=("none",), engine=engine).values()
    assert cell.harm.by_tenant == {"x": 0.0, "y": 1.0}
    assert cell.harm.services == ("b", "c")
    assert cell.harm.error_minutes["y"] == pytest.approx(20 / 60, abs=2 * 2 / 60)
    assert (cell.harm.detect_s, cell.harm.mitigate_s) == (18.0, 20.0)
    assert cell.harm.recover_s == pytest.approx(20.0, abs=2.0)
    (origin,) = cell.propagation.origins
    assert (origin.service, origin.outcome) == ("c", "error(503)")
    assert list(origin.paths) == [("c", "b", "client")]


def test_a_mistake_of_one_service_is_everybodys_in_a_gateway_and_its_own_beside_it() -> None:
    found = cells("crash_on_load at service/a", architectures=("none", "gateway", "sidecar"))
    name = "crash_on_load at service/a"
    assert found[name, "none"].proxies == 0
    assert found[name, "none"].harm.tenants == ()
    assert found[name, "gateway"].harm.tenants == ("x", "y")
    assert found[name, "sidecar"].harm.tenants == ("x",)
    assert found[name, "sidecar"].proxies == 2


def test_a_mistake_that_reaches_the_whole_mesh_takes_sidecars_down_as_well() -> None:
    found = cells("crash_on_load at mesh", architectures=("gateway", "sidecar"))
    for architecture in ("gateway", "sidecar"):
        harmed = found["crash_on_load at mesh", architecture].harm
        assert harmed.tenants == ("x", "y")
        assert min(harmed.by_tenant.values()) > 0.95


def test_cells_limit_who_is_harmed() -> None:
    """The gateways of tenant x's cell get the push: y has another cell."""
    divided = "{ingress: gateway, cells: per_tenant}"
    busy = ["traffic.to-a.arrivals.poisson=200/s"]  # ten cores of 50 ms each; gateways have two threads
    found = cells("slow_filter at tenant/x", architectures=("gateway", divided), overrides=busy)
    label = next(architecture for _, architecture in found if "per_tenant" in architecture)
    assert found["slow_filter at tenant/x", "gateway"].harm.tenants == ("x", "y")
    assert found["slow_filter at tenant/x", label].harm.tenants == ("x",)


def test_what_is_the_same_push_is_the_same_harm() -> None:
    found = cells("crash_on_request at mesh", "crash_on_request at gateway", architectures=("gateway",))
    one, other = (found[f"crash_on_request at {place}", "gateway"] for place in ("mesh", "gateway"))
    assert one.harm == other.harm


def test_from_a_warm_state_the_requests_are_the_same() -> None:
    faults = ("dependency_down at c", "cpu at c", "crash_on_load at mesh")
    cold, warm = (cells(*faults, from_warm=branches) for branches in (False, True))
    for key, cell in cold.items():
        assert warm[key].harm.by_tenant == cell.harm.by_tenant
        assert warm[key].harm.services == cell.harm.services


def test_jobs_make_no_difference_and_json_says_everything() -> None:
    one, two = (
        ms.blast(spec(), ("gateway",), only=["slow_filter"], rollouts=["canary"], jobs=jobs, quiet=True).to_dict()
        for jobs in (1, 2)
    )
    for told in (one, two):
        del told["manifest"]["timing"]
    assert json.dumps(one) == json.dumps(two)
    assert one["schema_version"] == 1
    keys = {"kind", "place", "rollout", "beyond_objective_by_tenant", "error_minutes", "propagation", "happenings"}
    assert keys <= set(one["cells"][0])


def test_what_is_shown() -> None:
    found = ms.blast(spec(), ("gateway", "sidecar"), only=["crash_on_load at *"], rollouts=["all-at-once"], quiet=True)
    text = found.summary()
    assert "crash_on_load at service/a, pushed all-at-once: tenants harmed: 2 under gateway, 1 under sidecar" in text
    frame = found.frame()
    assert len(frame) == len(found.cells) * 2
    assert frame.groupby("architecture").harmed.sum().to_dict() == {
        name: sum(len(cell.harm.tenants) for cell in found.cells if cell.architecture == name)
        for name in ("gateway", "sidecar")
    }
    assert found._repr_html_().startswith("<div>")


# -- mistakes ----------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"only": ["nothing"]}, "no fault is called 'nothing'"),
        ({"rollouts": ["sometimes"]}, "no rollout 'sometimes'"),
        ({"from_warm": True, "engine": "simpy"}, "the compiled engine alone"),
        ({"overrides": ["people.monitoring=10m"]}, "nobody would notice within the run"),
    ],
)
def test_mistakes(options: dict[str, Any], message: str) -> None:
    with pytest.raises(UsageError, match=message):
        ms.blast(spec(people={}), ("none",), quiet=True, **options)
