"""Tenants of one station: priorities, fair shares, bulkheads, and what each of them uses, against what theory says."""

from __future__ import annotations

import math
from typing import Any

import numpy as np
import pytest
from estimates import assert_mean

import meshsim as ms
from meshsim.engines import EngineName, simulate
from meshsim.engines.record import OK, QUEUE_FULL, Record

SECONDS = 4_000
NO_NETWORK = dict.fromkeys(("loopback", "same_node", "same_zone", "cross_zone", "client"), "0ms")


def spec(
    station: dict[str, Any], arrivals: dict[str, Any], demands: dict[str, Any], **tenants: dict[str, float]
) -> dict[str, Any]:
    """One station of one replica, with an endpoint for each tenant."""
    endpoints = {name: [{"work": demand}] for name, demand in demands.items()}
    return {
        "meshsim": 1,
        "services": {"a": {"cpu": 1, "discipline": "fifo", **station, "endpoints": endpoints}},
        "tenants": {name: tenants.get(name, {}) for name in demands},
        "traffic": [
            {"name": name, "tenant": name, "entry": f"a.{name}", "arrivals": arrivals[name], "connections": 1000}
            for name in demands
        ],
        "network": NO_NETWORK,
        "policy_defaults": "none",
        "run": {"warmup": "0s"},
    }


def run(case: dict[str, Any], seconds: float, engine: EngineName = "compiled", seed: int = 1) -> Record:
    plane = ms.lower(ms.load(case), "none")
    ns = round(seconds * 1e9)
    return simulate(plane, engine=engine, seed=seed, duration_ns=ns, drain_ns=10**12, record_requests=True)


def sojourns_s(record: Record, tenant: int) -> np.ndarray:
    """Of its requests that were answered, after the first twentieth of the run and before its end."""
    assert record.requests is not None
    rows = record.requests[record.requests["arrival_ns"] < record.duration_ns]
    mine = rows[(rows["stream"] == tenant) & (rows["arrival_ns"] > record.duration_ns // 20) & (rows["outcome"] == OK)]
    return (mine["end_ns"] - mine["arrival_ns"]) / 1e9


# -- priorities ------------------------------------------------------------------------------------------------------

BY_CPU = {"discipline": "priority"}
BY_SLOT = {"concurrency": 1, "queue": 100_000, "line": "priority"}


@pytest.mark.parametrize("station", [BY_CPU, BY_SLOT], ids=["of the CPU", "of slots"])
def test_priorities_are_cobhams(station: dict[str, Any]) -> None:
    """M/G/1, nobody is interrupted: W_k = R / ((1 - s_k-1)(1 - s_k)), s_k the load of the k highest (Cobham 1954)."""
    rates, demand_s = {"high": 30.0, "low": 10.0, "middle": 30.0}, 0.01
    demands = {"high": {"exp": "10ms"}, "low": {"exp": "10ms"}, "middle": "10ms"}
    arrivals = {name: {"poisson": f"{rate}/s"} for name, rate in rates.items()}
    case = spec(station, arrivals, demands, high={"priority": 2}, middle={"priority": 1})
    record = run(case, SECONDS)
    residual_s = sum(rate * demand_s**2 * (1.0 if name == "middle" else 2.0) for name, rate in rates.items()) / 2
    load = 0.0
    for name in ("high", "middle", "low"):
        before, load = load, load + rates[name] * demand_s
        expected_s = residual_s / ((1 - before) * (1 - load)) + demand_s
        assert_mean(sojourns_s(record, sorted(rates).index(name)), expected_s, within=0.08)


def test_equal_priorities_come_first_come_first_served() -> None:
    arrivals = {"x": {"poisson": "40/s"}, "y": {"poisson": "40/s"}}
    demands = {name: {"exp": "10ms"} for name in "xy"}
    by_priority, by_age = (run(spec({"discipline": word}, arrivals, demands), 200.0) for word in ("priority", "fifo"))
    assert by_priority.requests is not None and by_age.requests is not None
    assert np.array_equal(by_priority.requests, by_age.requests)


# -- fair shares -----------------------------------------------------------------------------------------------------


def backlogged(station: dict[str, Any], weights: dict[str, float], demands: dict[str, Any], n: int) -> Record:
    """All requests are there at once."""
    case = spec(
        station,
        {name: {"trace": {"times": ["0ms"] * n}} for name in demands},
        demands,
        **{name: {"weight": weight} for name, weight in weights.items()},
    )
    return run(case, 10.0)


@pytest.mark.parametrize("weights", [{"x": 1.0, "y": 1.0}, {"x": 3.0, "y": 1.0}, {"x": 0.5, "y": 2.0}])
@pytest.mark.parametrize("demands", [
    {"x": "10ms", "y": "3ms"}, {"x": {"exp": "5ms"}, "y": {"uniform": {"low": "1ms", "high": "20ms"}}}
])  # fmt: skip
def test_what_backlogged_tenants_get_differs_by_no_more_than_the_bound(
    weights: dict[str, float], demands: dict[str, Any]
) -> None:
    """Start-time fair queueing: |W_x / w_x - W_y / w_y| <= l_x / w_x + l_y / w_y (Goyal, Vin and Cheng 1996)."""
    record = backlogged({"discipline": "fair"}, weights, demands, 300)
    assert record.requests is not None
    rows = record.requests[np.argsort(record.requests["end_ns"], kind="stable")]
    spent_s = np.diff(rows["end_ns"], prepend=0) / 1e9  # one server, never idle: what lies between is one demand
    names = sorted(demands)
    done = np.array([np.cumsum(np.where(rows["stream"] == at, spent_s, 0.0)) for at in (0, 1)])
    both = np.arange(len(rows)) < min(np.flatnonzero(rows["stream"] == at)[-1] for at in (0, 1))
    shares = done / np.array([[weights[name]] for name in names])
    longest = [spent_s[rows["stream"] == at].max() / weights[name] for at, name in enumerate(names)]
    apart = np.abs(shares[0] - shares[1])[both]
    assert apart.max() <= sum(longest) + 1e-9
    assert apart.max() > 0.2 * sum(longest)  # the bound is not idle


def test_slots_are_shared_by_weight() -> None:
    """A slot at a time, each held equally long: of every four that begin three are x's."""
    record = backlogged({"concurrency": 1, "queue": 1000, "line": "fair"}, {"x": 3.0, "y": 1.0},
                        {"x": "2ms", "y": "2ms"}, 100)  # fmt: skip
    assert record.requests is not None
    order = record.requests["stream"][np.argsort(record.requests["end_ns"])][:100]
    assert [int((order[at : at + 20] == 0).sum()) for at in range(0, 100, 20)] == [15] * 5


def test_a_flood_of_one_tenant_does_not_hold_up_another() -> None:
    """It waits for the rest of one job of the flood and for one that was due before; in one line, for all of them."""
    arrivals = {"flood": {"constant": "300/s"}, "mail": {"poisson": "5/s"}}
    demands = {"flood": "10ms", "mail": "10ms"}
    fair = run(spec({"discipline": "fair"}, arrivals, demands), 20.0)
    with_half_of_it = run(spec({"discipline": "fair"}, arrivals, {"mail": "20ms"}), 20.0)
    assert sojourns_s(fair, 1).max() <= sojourns_s(with_half_of_it, 0).max() + 0.02
    one_line = run(spec({}, arrivals, demands), 20.0)
    assert sojourns_s(one_line, 1).mean() > 10.0


# -- bulkheads -------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("engine", ["simpy", "compiled"])
def test_a_bulkhead_admits_so_many_of_each_tenant(engine: EngineName) -> None:
    """Two at once: of four at 0 two are turned away; those of others, and later ones, are not."""
    times = {"x": ["0ms", "0ms", "0ms", "0ms", "150ms"], "y": ["50ms", "50ms"]}
    arrivals = {name: {"trace": {"times": at}} for name, at in times.items()}
    case = spec({"bulkhead": 2}, arrivals, dict.fromkeys(times, "1ms"))
    for steps in case["services"]["a"]["endpoints"].values():
        steps[:] = [{"wait": "100ms"}]
    record = run(case, 1.0, engine)
    assert record.requests is not None
    rows = record.requests
    assert rows["outcome"][rows["stream"] == 0].tolist() == [OK, OK, QUEUE_FULL, QUEUE_FULL, OK]
    assert rows["outcome"][rows["stream"] == 1].tolist() == [OK, OK]


def test_bulkheads_lose_what_erlang_says() -> None:
    """M/G/n/n for each tenant on its own, whatever the others do (Erlang 1917)."""
    offered, n = {"x": 2.0, "y": 6.0}, 4
    arrivals = {name: {"poisson": f"{erlangs / 0.1}/s"} for name, erlangs in offered.items()}
    case = spec({"bulkhead": n}, arrivals, dict.fromkeys(offered, "1ms"))
    for steps in case["services"]["a"]["endpoints"].values():
        steps[:] = [{"wait": {"exp": "100ms"}}]
    record = run(case, SECONDS)
    assert record.requests is not None
    for at, erlangs in enumerate(offered.values()):
        terms = [erlangs**k / math.factorial(k) for k in range(n + 1)]
        lost = record.requests["outcome"][record.requests["stream"] == at] == QUEUE_FULL
        assert_mean(lost, terms[n] / sum(terms), within=0.1)


# -- quotas ----------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("engine", ["simpy", "compiled"])
@pytest.mark.parametrize("kind", ["local", "global"])
def test_each_tenant_has_a_bucket_of_its_own(kind: str, engine: EngineName) -> None:
    """x has 2 tokens and 10/s, y one and 5/s; both ask each 50 ms.

    x takes one at 0 and one at 50 ms, when half of one has come again; from then on every second time. y every fourth.
    """
    bucket = {"rate": "10/s", "burst": 2, "per": "tenant", "tenants": {"y": {"rate": "5/s", "burst": 1}}}
    times = [f"{50 * n}ms" for n in range(41)]
    case = spec({}, {name: {"trace": {"times": times}} for name in "xy"}, dict.fromkeys("xy", "1us"))
    case["policies"] = [{"name": "quota", "in_app": True, "rate_limit": {kind: bucket}}]
    record = run(case, 3.0, engine)
    assert record.requests is not None
    passed = {name: record.requests["outcome"][record.requests["stream"] == at] == OK for at, name in enumerate("xy")}
    assert np.flatnonzero(passed["x"]).tolist() == [0, 1, *range(2, 41, 2)]
    assert np.flatnonzero(passed["y"]).tolist() == list(range(0, 41, 4))


# -- use -------------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("architecture", ["none", "gateway", "sidecar", "ambient-waypoint"])
def test_what_tenants_use_adds_up_to_what_the_services_counted(architecture: str) -> None:
    result = ms.run("front-door", architecture, duration_s=20, replications=2, quiet=True)
    for name, service in result.by_service.items():
        mine = result.usage[name].values()
        assert sum(use.requests.sum() for use in mine) == service.requests
    for name in ("cloud", "mail", "maps", "translate"):
        sent = sum(use[name].client_bytes_in.sum() for use in result.usage.values())
        assert sent > 0


@pytest.mark.parametrize("engine", ["simpy", "compiled"])
def test_what_entry_endpoints_use_by_hand(engine: EngineName) -> None:
    """x calls one endpoint from two streams and another from a third; y calls one of them, too: three accounts."""
    times = {"p": [f"{5 * n}ms" for n in range(7)], "q": ["3ms"], "r": ["4ms", "8ms"], "s": ["6ms"]}
    entries = {"p": ("x", "a.one"), "q": ("x", "a.one"), "r": ("x", "a.two"), "s": ("y", "a.two")}
    case: dict[str, Any] = {
        "meshsim": 1,
        "services": {
            "a": {"endpoints": {"one": [{"work": "2ms"}], "two": [{"work": "1ms"}, {"call": "b.e", "times": 3}]}},
            "b": {"endpoints": {"e": [{"work": "4ms"}]}},
        },
        "tenants": {"x": {}, "y": {}},
        "traffic": [
            {"name": name, "tenant": tenant, "entry": entry, "arrivals": {"trace": {"times": times[name]}},
             "request": "1KiB", "response": "2KiB"}
            for name, (tenant, entry) in entries.items()
        ],
        "run": {"warmup": "0s", "duration": "1s", "replications": 1},
    }  # fmt: skip
    result = ms.run(case, "none", engine=engine, quiet=True)
    one, two, other = result.used.accounts
    assert (one, two, other) == (("x", "a", "one"), ("x", "a", "two"), ("y", "a", "two"))
    a, b = result.usage_by_account["a"], result.usage_by_account["b"]
    for account, calls, cpu_s, more_cpu_s in ((one, 8, 0.016, 0.0), (two, 2, 0.002, 0.024), (other, 1, 0.001, 0.012)):
        assert a[account].requests.tolist() == [calls]
        assert a[account].client_bytes_in.tolist() == [calls * 1024]
        assert a[account].client_bytes_out.tolist() == [calls * 2048]
        assert a[account].cpu_s[0] == pytest.approx(cpu_s) and b[account].cpu_s[0] == pytest.approx(more_cpu_s)
        assert b[account].requests.tolist() == [3 * calls * (account is not one)]
    assert result.used.requests.tolist() == [[8], [2], [1]]
    for name, uses in result.usage.items():
        mine = result.usage_by_account[name]
        assert (uses["x"].cpu_s == mine[one].cpu_s + mine[two].cpu_s).all() and (
            uses["y"].cpu_s == mine[other].cpu_s
        ).all()


@pytest.mark.parametrize("engine", ["simpy", "compiled"])
def test_accounts_add_up_to_what_services_counted_in_every_batch(engine: EngineName) -> None:
    plane = ms.lower(ms.load("online-boutique"), "sidecar")
    assert len(plane.accounts) == 6
    record = simulate(plane, engine=engine, seed=3, duration_ns=20 * 10**9, drain_ns=10**10)
    services, accounts = record.account_pairs.T
    assert set(accounts) == set(range(len(plane.accounts)))
    for field in ("requests", "demand_ns", "bytes_in", "bytes_out"):
        summed = np.zeros(record.services.shape, dtype=np.int64)
        np.add.at(summed, services, record.accounts[field])
        np.testing.assert_array_equal(summed, record.services[field])


def test_cpu_seconds_of_tenants_are_the_demand_that_they_offer() -> None:
    """x: 100/s of 2 ms, of which half make a call that takes 1 ms; y: 30/s of 5 ms."""
    case = {
        "meshsim": 1,
        "services": {
            "a": {
                "cpu": 2,
                "endpoints": {"x": [{"work": {"exp": "2ms"}}, {"call": "b.e", "p": 0.5}], "y": [{"work": "5ms"}]},
            },
            "b": {"endpoints": {"e": [{"work": {"exp": "1ms"}}]}},
        },
        "tenants": {"x": {}, "y": {}},
        "traffic": [
            {"name": "x", "tenant": "x", "entry": "a.x", "arrivals": {"poisson": "100/s"}, "request": "2KiB"},
            {"name": "y", "tenant": "y", "entry": "a.y", "arrivals": {"poisson": "30/s"}, "response": "3KiB"},
        ],
        "run": {"warmup": "0s", "duration": "400s", "replications": 4},
    }  # fmt: skip
    result = ms.run(case, "none", quiet=True)
    seconds = 400.0
    for service, tenant, expected in (("a", "x", 0.2), ("a", "y", 0.15), ("b", "x", 0.05)):
        assert result.usage[service][tenant].cpu_s.mean() / seconds == pytest.approx(expected, rel=0.02)
    assert result.usage["b"]["y"].cpu_s.tolist() == [0.0] * 4
    x, y = result.usage["a"]["x"], result.usage["a"]["y"]
    assert (x.client_bytes_in == 2048 * x.requests).all() and (x.bytes_in == x.client_bytes_in).all()
    assert (y.client_bytes_out == 3 * 1024 * y.requests).all() and (y.zone_bytes_out == 0).all()
    # Little's law: seconds at `a` are requests times how long each is there
    there = sum(use.present_s.sum() for use in result.usage["a"].values())
    service = result.by_service["a"]
    assert there == pytest.approx(service.requests * service.latency_s["mean"].value, rel=1e-3)
