"""Profiles whose CPU for a request falls with the rate: what makes them, and what was published at other loads."""

from __future__ import annotations

import math
from pathlib import Path
from typing import Any

import pytest
from hand_made import service, topology

from meshsim.architectures import describe, lower
from meshsim.architectures.plane import ProxyWork
from meshsim.architectures.profile_check import (
    Arrivals,
    check_benchmark,
    check_whole_mesh,
    mean_factor,
    predicted_cores,
)
from meshsim.architectures.profiles import PROFILES
from meshsim.architectures.proxies import proxy_settings
from meshsim.engines import simulate
from meshsim.engines.pack import pack
from meshsim.model.distributions import constant
from meshsim.model.load import load
from meshsim.model.proxies import CpuFall, Mesh, ProxyConfig
from meshsim.results.flows import flows

BENCHMARK = Path(__file__).parents[1] / "data" / "istio-2020-08-benchmark-16-connections.csv"
FALLING = ("envoy-1.15", "istio-1.7")
HALF = CpuFall(exponent=0.5)


# -- settings --------------------------------------------------------------------------------------------------


def test_the_users_law_replaces_the_profiles() -> None:
    def law(**fields: Any) -> CpuFall | None:
        return proxy_settings(ProxyConfig(**{"profile": "istio-1.7", **fields}), "sidecar").cpu_falls

    assert law() == PROFILES["istio-1.7"]["sidecar"].cpu_falls
    assert law(cpu_per_request=constant(0.001)) == law()
    assert law(cpu_falls=HALF) == law(profile="istio-1.24", cpu_falls=HALF) == HALF
    assert law(cpu_falls=CpuFall(exponent=0)) is law(profile="istio-1.24") is None


def test_default_profiles_cost_the_same_at_any_rate() -> None:
    assert {name for name, kinds in PROFILES.items() for kind in kinds.values() if kind.cpu_falls} == set(FALLING)


def sidecars(**fields: Any) -> Any:
    config = ProxyConfig(profile="istio-1.24", **fields)
    zero = ProxyConfig(profile="zero")
    mesh = Mesh(gateway=zero, sidecar=config, ztunnel=zero, waypoint=zero)
    return lower(topology(service("a"), mesh=mesh), "sidecar-only")


def test_the_law_is_part_of_the_work_both_ways() -> None:
    for steps in sidecars(cpu_falls=HALF).service("sidecar@a").endpoints.values():
        works = [step for step in steps[0] if isinstance(step, ProxyWork)]
        assert [step.falls for step in works] == [HALF, HALF]


def test_it_is_told_where_planes_are() -> None:
    wanted = "CPU for a request falls as rate^-0.5 (10/s to 3000/s): sidecar@a"
    assert wanted in describe(sidecars(cpu_falls=HALF)).splitlines()
    assert "falls" not in describe(sidecars())


def test_checks_say_that_the_work_is_unknown() -> None:
    (why,) = flows(sidecars(cpu_falls=HALF))["sidecar@a"].work_unknown
    assert why == "sidecar@a needs less CPU for a request the busier it is"
    assert not flows(sidecars())["sidecar@a"].work_unknown


def test_a_push_may_bring_the_law() -> None:
    """A proxy knows from the start when it was reached last, if some configuration of it will ask for that."""
    push = {"push": {"set": {"mesh.sidecar.cpu_falls": {"exponent": 0.5}}}}
    spec = {
        "meshsim": 1,
        "services": {"a": {"endpoints": {"x": [{"work": "1ms"}]}}},
        "traffic": [{"name": "load", "entry": "a.x", "arrivals": {"poisson": "50/s"}}],
        "run": {"warmup": "1s"},
        "events": [{"name": "law", "at": "10s", **push}],
    }
    program = pack(lower(load(spec), "sidecar"))
    assert dict(zip(program.service_names, program.services["falls"], strict=True)) == {
        "a": 0,
        "gateway": 0,
        "sidecar@a": 1,
    }
    assert [row.tolist() for row in program.falls] == [(0.5, 1e6, pytest.approx(1e9 / 3_000), 1e8)]


# -- what the law comes to ---------------------------------------------------------------------------------------


@pytest.mark.parametrize("arrivals", ["constant", "poisson"])
def test_far_beyond_its_bounds_it_is_held(arrivals: Arrivals) -> None:
    assert mean_factor(HALF, 1e-4, arrivals) == pytest.approx(10.0, rel=1e-3)
    assert mean_factor(HALF, 1e8, arrivals) == pytest.approx(3.0**-0.5, rel=1e-3)


def one_sidecar(profile: str, arrivals: str, rate: float) -> Any:
    """Clients over 16 connections, to a service with a sidecar; 1 KiB each way."""
    traffic = {"name": "load", "entry": "a.x", "connections": 16, "arrivals": {arrivals: f"{rate}/s"}}
    steps = {"endpoints": {"x": [{"work": "0ms"}]}}
    mesh = {"sidecar": {"profile": profile}}
    network = {"client": "0ms"}
    spec = {"meshsim": 1, "services": {"a": steps}, "traffic": [traffic], "mesh": mesh, "network": network}
    return lower(load(spec), "sidecar-only")


def simulated_cores(profile: str, arrivals: str, rate: float, requests: int) -> float:
    plane = one_sidecar(profile, arrivals, rate)
    seconds = requests / rate
    record = simulate(plane, engine="compiled", seed=1, duration_ns=round(seconds * 1e9), drain_ns=10**9)
    (number,) = (i for i, one in enumerate(plane.services) if one.name == "sidecar@a")
    return (
        PROFILES[profile]["sidecar"].idle_cores + float(record.services["demand_ns"][number, :-1].sum()) / seconds / 1e9
    )


@pytest.mark.parametrize("profile", FALLING)
@pytest.mark.parametrize("rate", [10, 70, 100, 500, 1_000, 2_000, 3_000])
def test_predictions_are_what_a_simulation_comes_to(profile: str, rate: int) -> None:
    """Within the few requests of 4,000 that are under way at either end."""
    predicted = predicted_cores(PROFILES[profile]["sidecar"], rate)
    assert simulated_cores(profile, "constant", rate, 4_000) == pytest.approx(predicted, rel=2e-3)


@pytest.mark.parametrize("rate", [10, 70, 1_000, 3_000])
def test_so_are_those_of_poisson_arrivals(rate: int) -> None:
    """The number of 100,000 random arrivals is known to 0.3 %; five standard errors."""
    predicted = predicted_cores(PROFILES["istio-1.7"]["sidecar"], rate, "poisson")
    assert simulated_cores("istio-1.7", "poisson", rate, 100_000) == pytest.approx(predicted, rel=0.016)


# -- what was published --------------------------------------------------------------------------------------------


@pytest.mark.parametrize("profile", FALLING)
def test_two_points_of_the_curve_give_the_others_within_a_quarter(profile: str) -> None:
    checks = [check for check in check_benchmark(BENCHMARK) if check.profile == profile]
    assert [check.held_out for check in checks] == [True, False, True, True, False, True]
    for check in checks:
        assert abs(check.error_percent) < (25.0 if check.held_out else 0.1), check


def test_a_whole_mesh_of_istio_is_met_within_a_quarter() -> None:
    """2,000 sidecars with 70 requests/s each: 70 cores were published."""
    cpu = [check for check in check_whole_mesh() if check.unit == "cores"]
    assert len(cpu) == 2
    for check in cpu:
        assert check.published == 70.0 and check.held_out
        assert abs(check.error_percent) < 25.0, check


def test_the_law_by_hand() -> None:
    """Of 43.824 and 455.34 mcpu, 3 idle and 4 us by size: 404.24 and 222.17 us, 20 times apart."""
    profile = PROFILES["istio-1.7"]["sidecar"]
    low, high = 404.24e-6, 222.17e-6
    assert profile.cpu_falls is not None
    assert profile.cpu_falls.exponent == pytest.approx(math.log(low / high) / math.log(20), rel=1e-4)
    assert profile.cpu_per_request_s == pytest.approx(high * 2**profile.cpu_falls.exponent, rel=1e-4)
