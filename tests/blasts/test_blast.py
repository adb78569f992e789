"""Blast radius: what strikes, what is measured, and topologies whose harm is known by construction."""

from __future__ import annotations

import json
from dataclasses import replace
from typing import Any

import numpy as np
import pytest

import meshsim as ms
from meshsim.blasts.blasting import chosen_rollouts, plan
from meshsim.blasts.harm import Beyond, beyond_objective, harm
from meshsim.blasts.strikes import strikes
from meshsim.control import drive
from meshsim.engines import begin
from meshsim.engines.record import BATCHES, Happening
from meshsim.errors import UsageError
from meshsim.model import faults as f

AT_S, HORIZON_S = 12.0, 80.0  # of the timelines by hand


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
    assert kinds == {*f.FAULTS, *f.PUSH_FAULTS}
    names = [strike.name for strike in everything]
    assert len(set(names)) == len(names)


def test_without_flags_there_is_one_place_of_each_kind_and_they_are_all_among_every_place() -> None:
    topology = ms.load(spec())
    few, many = strikes(topology), strikes(topology, exhaustive=True)
    pushes = [strike for strike in few if strike.push is not None]
    scopes = [(strike.kind, strike.push.scope.kind, strike.push.reaches) for strike in pushes if strike.push]
    assert len(set(scopes)) == len(scopes)
    assert {strike.push.scope.name for strike in pushes if strike.push and strike.push.scope.kind == "service"} == {"a"}
    assert {strike.place for strike in few if strike.kind == "crash"} == {"c"}  # the only one that somebody waits for
    assert {strike.name for strike in few if strike.fault is None} <= {strike.name for strike in many}


def test_the_one_place_is_where_it_matters_most() -> None:
    """y has most of the requests; nobody waits for `d`, though two call it; the load of the larger stream spikes."""
    case = spec()
    case["services"]["d"] = {"endpoints": {"e": [{"work": "1ms"}]}}
    for name in "ab":
        case["services"][name]["endpoints"]["e"].append({"call": "d.e", "async": True})
    case["services"]["b"] |= {"versions": {"v1": {}, "v2": {}, "v3": {}}}
    case["mesh"]["gateway"]["cache"] = {"capacity": 10, "key": "item"}
    case["traffic"][0]["keys"] = {"item": {"uniform": {"items": 5}}, "caller": {"uniform": {"items": 5}}}
    case["traffic"][1]["keys"] = case["traffic"][0]["keys"]
    case["traffic"].append({**case["traffic"][1], "name": "more-of-y", "arrivals": {"poisson": "30/s"}})
    found = strikes(ms.load(case))
    places = {strike.kind: strike.place for strike in found}
    assert (places["crash"], places["load_spike"]) == ("c", "stream to-a")
    pushes = [strike.push for strike in found if strike.push is not None]
    assert {push.scope.name for push in pushes if push.scope.kind == "tenant"} == {"y"}
    assert {push.scope.name for push in pushes if push.scope.kind == "service"} == {"b"}  # 70/s of 130/s
    assert {push.fault.key for push in pushes if isinstance(push.fault, f.CacheKey)} == {("item", "caller")}
    (weights,) = {str(push.fault.split) for push in pushes if isinstance(push.fault, f.WrongWeight)}
    assert weights == str({"v1": 0.0, "v2": 0.0, "v3": 1.0})
    assert [strike.place for strike in found if strike.push and strike.push.reaches == 0.5] == [
        "half of the mesh (calls to b)"
    ]


@pytest.mark.parametrize(
    ("arrivals", "strikes_it"),
    [
        ({"poisson": "60/s"}, True),
        ({"trace": {"times": ["1s", "2s"]}}, True),
        ({"closed": {"users": 5, "think": "1s"}}, False),
        ({"mmpp": {"rates": ["10/s", "90/s"], "stay": ["5s", "1s"]}}, False),
    ],
)
def test_load_spikes_strike_streams_whose_load_can_be_changed(arrivals: dict[str, Any], strikes_it: bool) -> None:
    case = spec(run={"duration": "30s", "warmup": "0s"})
    case["traffic"][0]["arrivals"] = arrivals
    places = {strike.place for strike in strikes(ms.load(case), exhaustive=True) if strike.kind == "load_spike"}
    assert places == {"stream to-b"} | ({"stream to-a"} if strikes_it else set())


def test_a_mistake_in_a_route_harms_those_whose_requests_it_takes() -> None:
    slower = {"fault": {"delay": {"for": "1ms"}}}
    of_y, of_a = {"name": "of-y", "to": "c", "match": {"tenant": "y"}}, {"name": "of-a", "to": "a"}
    case = spec(routes=[of_y | slower, of_a | slower])
    topology = ms.load(case)
    names = {strike.name for strike in strikes(topology) if "route/" in strike.name}
    assert names == {f"{kind} at route/of-y" for kind in ("wrong_route", "blackhole", "expired_certificate")}
    assert any("route/of-a" in strike.name for strike in strikes(topology, exhaustive=True))
    (only,) = [name for name in names if "expired" in name]
    found = ms.blast(case, ["sidecar"], only=[only], rollouts=["all-at-once"], quiet=True)
    assert [cell.harm.tenants for cell in found.cells] == [("y",)]


def test_plans_count_each_rollout_of_a_push_and_ordinary_faults_once() -> None:
    topology = ms.load(spec())
    chosen = strikes(topology)
    pushes = sum(strike.push is not None for strike in chosen)
    ways = chosen_rollouts(topology, ["all-at-once", "rolling", "canary"], exhaustive=False, own=False)
    assert len(plan(topology, ["none", "sidecar"], chosen, ways)) == 2 * (3 * pushes + len(chosen) - pushes)


# -- what is measured --------------------------------------------------------------------------------------------


def counted(beyond: Any, requests: int = 100) -> Beyond:
    shape = (2, BATCHES)
    bad = np.zeros(shape, dtype=np.int64)
    bad[:] = beyond
    nothing = np.zeros((0, BATCHES))
    all_of_them = np.full(shape, requests, dtype=np.int64)
    return Beyond(("x", "y"), all_of_them, bad, nothing, nothing.astype(np.int64), 2.0)


def test_harm_by_hand() -> None:
    """Batches of 2 s. From 12 s on 60 of 100 of x are bad, 70 from 28 and 90 from 30 s on, 10 always; back at 33 s.

    The batch from 32 s on, in which it ends, has all at once what was held up: it is neither while nor after. Then 30
    are bad for 4 s: of y 20, whom it had not met.
    """
    calm = counted(10)
    bad = np.full((2, BATCHES), 10)
    bad[0, 6:14], bad[0, 14:16], bad[0, 16], bad[0, 17:19] = 60, (70, 90), 5, 30
    bad[1, 17:19] = 20
    plane = ms.lower(ms.load(spec()), "none")
    happenings = [
        Happening(30_000_000_000, "people", "alarm", "x"),
        Happening(32_000_000_000, "people", "skipped", "", 600.0),
        Happening(33_000_000_000, "p", "is back", ""),
        Happening(60_000_000_000, "people", "skipped", "", 900.0),  # about nothing any more
    ]
    found = harm(replace(plane, services=()), counted(bad), calm, happenings, AT_S, HORIZON_S)
    assert found.by_tenant == {"x": pytest.approx((8 * 0.5 + 2 * 0.7) / 10), "y": 0.0}
    assert found.share == pytest.approx(0.27)
    assert found.after_by_tenant == {"x": pytest.approx(2 * 0.2 / 23), "y": pytest.approx(2 * 0.1 / 23)}
    assert found.tenants == ("x",)  # y by less than 1 % of what came after it
    assert found.detect_s == 18.0
    assert found.mitigate_s == 21.0 + 600.0
    assert found.recover_s == 26.0 + 600.0
    # what was simulated, and ten minutes as the last two whole batches before it was taken back
    simulated = (8 * 0.5 + 2 * 0.7 + 2 * 0.2) * 2 / 60
    assert found.error_minutes == {"x": pytest.approx(simulated + 0.7 * 10), "y": pytest.approx(2 * 0.1 * 2 / 60)}


def nobody() -> Any:
    return replace(ms.lower(ms.load(spec()), "none"), services=())


def test_the_share_of_all_is_that_of_all_requests_together() -> None:
    """Half of 300 of x, a tenth of 100 of y: 160 of 400."""
    bad = np.zeros((2, BATCHES), dtype=np.int64)
    bad[0, 6:], bad[1, 6:] = 150, 10
    requests = np.repeat([[300], [100]], BATCHES, axis=1)
    hit, calm = (replace(counted(beyond), requests=requests) for beyond in (bad, 0))
    assert harm(nobody(), hit, calm, [], AT_S, HORIZON_S).share == pytest.approx(160 / 400)


def test_what_is_better_than_without_the_fault_is_no_harm_and_makes_up_for_none() -> None:
    """y fails without the fault as well, and less with it."""
    bad = np.full((2, BATCHES), 30)
    bad[0, 6:], bad[1, 6:] = 50, 0
    found = harm(nobody(), counted(bad), counted(30), [], AT_S, HORIZON_S)
    assert found.by_tenant == {"x": pytest.approx(0.2), "y": 0.0}
    assert found.share == pytest.approx(0.1)
    assert found.error_minutes == {"x": pytest.approx(0.2 * 68 / 60), "y": 0.0}


def test_recovery_is_not_sooner_than_the_end() -> None:
    """Harm for 8 s, and it is taken back 21 s after it began; without any harm there was nothing to recover from."""
    bad = np.full((2, BATCHES), 10)
    bad[0, 6:10] = 60
    back = [Happening(33_000_000_000, "p", "is back", "")]
    assert harm(nobody(), counted(bad), counted(10), back, AT_S, HORIZON_S).recover_s == 21.0
    assert harm(nobody(), counted(10), counted(10), back, AT_S, HORIZON_S).recover_s == 0.0


def test_what_is_over_at_once_is_measured_in_the_batch_in_which_it_was() -> None:
    """And the alarm of the same instant is about it."""
    bad = np.full((2, BATCHES), 10)
    bad[0, 6] = 60
    at_ns = round(AT_S * 1e9)
    happenings = [Happening(at_ns, "people", "alarm", "x"), Happening(at_ns, "f", "ends", "cold_cache")]
    found = harm(nobody(), counted(bad), counted(10), happenings, AT_S, HORIZON_S)
    assert found.by_tenant == {"x": pytest.approx(0.5), "y": 0.0}
    assert (found.detect_s, found.mitigate_s, found.recover_s) == (0.0, 0.0, 2.0)


def test_what_never_ends_has_no_recovery_and_earlier_alarms_are_about_something_else() -> None:
    bad = np.full((2, BATCHES), 10)
    bad[0, 6:20] = 60
    plane = replace(ms.lower(ms.load(spec()), "none"), services=())
    happenings = [Happening(round((AT_S - 1.0) * 1e9), "people", "alarm", "x")]
    found = harm(plane, counted(bad), counted(10), happenings, AT_S, HORIZON_S)
    assert (found.detect_s, found.mitigate_s, found.recover_s) == (None, None, None)


def test_a_cold_cache_is_over_at_once() -> None:
    case = spec()
    cached = {"cache": {"name": "pages", "key": "item", "miss": [{"work": "1ms"}]}}
    case["services"]["a"] |= {"caches": {"pages": {"capacity": 10}}, "endpoints": {"e": [cached]}}
    case["traffic"][0]["keys"] = {"item": {"uniform": {"items": 5}}}
    found = ms.blast(case, ["none"], only=["cold_cache at a"], exhaustive=True, quiet=True)
    assert [(cell.harm.mitigate_s, cell.harm.recover_s) for cell in found.cells] == [(0.0, 0.0)]


@pytest.mark.parametrize(("more", "harmed"), [(9, ()), (11, ("x",))])
def test_one_per_cent_more_is_harm(more: int, harmed: tuple[str, ...]) -> None:
    bad = np.full((2, BATCHES), 100)
    bad[0, 6:] += more
    plane = replace(ms.lower(ms.load(spec()), "none"), services=())
    assert harm(plane, counted(bad, 1000), counted(100, 1000), [], AT_S, HORIZON_S).tenants == harmed


def test_a_service_is_harmed_whose_messages_fail_or_do_not_come() -> None:
    """All fail 5 % as ever, `a` 1 % more; `b` gets half of its messages, `c` less than half."""
    plane = ms.lower(ms.load(spec()), "none")
    failed, messages = np.full((3, BATCHES), 0.05), np.full((3, BATCHES), 100)
    calm = replace(counted(0), failed=failed, messages=messages)
    worse, fewer = failed.copy(), messages.copy()
    worse[0, 6:], fewer[1, 6:], fewer[2, 6:] = 0.061, 50, 49
    hit = replace(counted(0), failed=worse, messages=fewer)
    assert harm(plane, hit, calm, [], AT_S, HORIZON_S).services == ("a", "c")


def test_beyond_objective_are_those_who_failed_and_those_who_took_too_long() -> None:
    """x has a limit of 70 ms on most of its requests, y none on how long they take."""
    case = spec()
    times = [f"{10 * n}ms" for n in range(40)]
    for stream in case["traffic"]:
        stream["arrivals"] = {"trace": {"times": times}}
        stream["connections"] = 8
    case["tenants"] = {
        "x": {"slo": {"p99": "100ms", "p50": "70ms", "mean": "1ms"}},
        "y": {"slo": {"availability": "1%"}},
    }
    case["run"] = {"warmup": "0s"}
    case["services"]["a"]["endpoints"]["e"] = [{"wait": {"empirical": {"values": ["20ms", "50ms", "90ms"]}}}]
    case["network"] = dict.fromkeys(("loopback", "same_node", "same_zone", "cross_zone", "client"), "5ms")
    topology = ms.load(case)
    plane = ms.lower(topology, "none")
    run: Any = begin(plane, engine="compiled", seed=1, duration_ns=10**9, drain_ns=10**9, record_requests=True)
    record = drive(run, plane)
    found = beyond_objective(topology, plane, record)
    rows = record.requests[record.requests["stream"] == 0]
    slow = int((rows["end_ns"] - rows["arrival_ns"] > 70_200_000).sum())
    assert 0 < slow < len(rows)
    assert found.beyond.sum(axis=1).tolist() == [slow, 0]
    assert found.requests.sum(axis=1).tolist() == [40, 40]


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
    """For 20 s, from 36 s on, `c` fails everything: every request of y, and nobody else's. Batches are 2.4 s long."""
    (cell,) = cells("dependency_down at c", architectures=("none",), engine=engine).values()
    assert cell.harm.by_tenant == {"x": 0.0, "y": 1.0}
    assert cell.harm.services == ("b", "c")
    assert cell.harm.error_minutes["y"] == pytest.approx(20 / 60, abs=0.2 * 2.4 / 60)  # of the last batch a third
    assert (cell.harm.detect_s, cell.harm.mitigate_s) == (24.0, 20.0)
    assert cell.harm.recover_s == pytest.approx(9 * 2.4)
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
    busy = [
        "traffic.to-a.arrivals.poisson=200/s",
        "tenants.y.slo.p99=500ms",
    ]  # ten cores of 50 ms each; gateways have two threads
    found = cells("slow_filter at tenant/x", architectures=("gateway", divided), overrides=busy)
    label = next(architecture for _, architecture in found if "per_tenant" in architecture)
    assert found["slow_filter at tenant/x", "gateway"].harm.tenants == ("x", "y")
    assert found["slow_filter at tenant/x", label].harm.tenants == ("x",)


def test_what_is_the_same_push_is_the_same_harm() -> None:
    found = cells("crash_on_request at mesh", "crash_on_request at gateway", architectures=("gateway",))
    one, other = (found[f"crash_on_request at {place}", "gateway"] for place in ("mesh", "gateway"))
    assert one.harm == other.harm


def test_different_rollouts_are_different_runs() -> None:
    """All sidecars at once until somebody finds it, or the first ones until an analysis stops it."""
    found = ms.blast(
        spec(), ["sidecar"], only=["expired_certificate at mesh*"], rollouts=["all-at-once", "canary"], quiet=True
    )
    by_rollout = {cell.rollout: cell for cell in found.cells}
    assert by_rollout["all-at-once"].harm.by_tenant["x"] > 0.99  # of all but 115 ms
    assert 0.0 < by_rollout["canary"].harm.by_tenant["x"] < 0.9
    assert {cell.harm.detect_s is not None for cell in found.cells} == {True}


def test_a_run_is_as_long_as_its_last_wave_bakes() -> None:
    """Three zones, two at a time, are two waves of 20 s: 36 s before, 40 s, one and a half looks of 30 s, and 10 s are
    131 s; the first that is as long and has the beginning at an edge is 40 / 10 of 36 s.
    """
    topology = ms.load(spec(nodes={"zones": ["z1", "z2", "z3"]}, rollouts={"r": {"by": "zone", "batch": 2}}))
    (push, *_) = (strike for strike in strikes(topology) if strike.push is not None)
    (task,) = plan(topology, ["sidecar"], [push], chosen_rollouts(topology, ["r"], exhaustive=False, own=False))
    assert task.horizon_s == 144.0


def test_different_faults_are_different_runs() -> None:
    mistakes = ("expired_certificate", "slow_filter", "crash_on_load")
    found = cells(*(f"{kind} at mesh*" for kind in mistakes), architectures=("gateway",))
    expired, slow, crash = found.values()
    assert tuple(cell.kind for cell in found.values()) == mistakes
    assert len({cell.harm.share for cell in found.values()}) == 3
    assert expired.harm.by_tenant["y"] == 0.0
    assert {origin.outcome for origin in expired.propagation.origins} == {"error(connect_failure)"}
    assert min(slow.harm.by_tenant["x"], *crash.harm.by_tenant.values()) > 0.9


def test_what_began_before_the_fault_is_not_told() -> None:
    """`c` always fails 20 %: of the failures that are followed none arrived before the fault."""
    case = spec()
    case["services"]["c"]["endpoints"]["e"] = [{"fail": {"p": "20%", "as": 500}}]
    (cell,) = ms.blast(case, ("none",), only=["cpu at c"], quiet=True).cells
    assert 1000 < cell.propagation.requests < 0.75 * 2000 * 1.1  # of 96 s those from 36 s on
    assert cell.propagation.failed == pytest.approx(0.2 * 0.4 * cell.propagation.requests, rel=0.3)


def test_from_a_warm_state_the_requests_are_the_same() -> None:
    faults = (
        "dependency_down at c",
        "cpu at c",
        "crash_on_load at mesh",
        "slow_filter at mesh",
        "wrong_route at *",
    )
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
        ({"rollouts": ["zone-by-zone"]}, "is too long"),
    ],
)
def test_mistakes(options: dict[str, Any], message: str) -> None:
    with pytest.raises(UsageError, match=message):
        ms.blast(spec(nodes={"zones": [f"z{n}" for n in range(200)]}), ("none",), quiet=True, **options)


def test_the_call_that_is_told_repeats_it() -> None:
    found = ms.blast(spec(), ["none"], only=["crash_on_load at service/a"], rollouts=["all-at-once"], quiet=True)
    again = eval(found.command, {"meshsim": ms, "topology": spec()})  # what a reader would paste
    one, other = (json.loads(json.dumps(blast.to_dict())) for blast in (found, again))
    for told in (one, other):
        told["manifest"].pop("timing")
    assert one == other and one["manifest"]["command"].startswith("meshsim.blast(topology, ['none'], ")
