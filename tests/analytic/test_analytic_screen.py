"""The screen at other numbers of replicas is what lowering the topology anew says; and simulations agree."""

from __future__ import annotations

import math
import time

import numpy as np
import pytest
from builders import call, exp, plane, poisson, run, service, work

import meshsim
from meshsim.analytic.screen import Screen
from meshsim.architectures import lower
from meshsim.caches.theory import che, zipf
from meshsim.errors import UsageError
from meshsim.model.load import load
from meshsim.model.topology import Topology

ARCHITECTURES = ("none", "gateway", "sidecar", "ambient", "ambient-waypoint")


def with_replicas(spec: Topology, name: str, replicas: int) -> Topology:
    (version,) = spec.services[name].versions
    larger = spec.services[name].model_copy(update={"versions": (version.model_copy(update={"replicas": replicas}),)})
    return spec.model_copy(update={"services": {**spec.services, name: larger}})


@pytest.mark.parametrize("architecture", ARCHITECTURES)
@pytest.mark.parametrize(("topology", "name"), [("front-door", "maps"), ("hotel-reservation", "search")])
def test_other_numbers_are_those_of_another_topology(topology: str, name: str, architecture: str) -> None:
    spec = load(topology)
    screen = Screen(spec, architecture)
    for replicas in (2, 5):
        anew = Screen(with_replicas(spec, name, replicas), architecture).estimate()
        moved = screen.estimate({name: replicas})
        assert moved.latency.mean_s == pytest.approx(anew.latency.mean_s, rel=1e-4)  # ztunnels in kinds
        assert moved.latency.quantile_s(0.99) == pytest.approx(anew.latency.quantile_s(0.99), rel=1e-3)
        for station, one in anew.stations.items():
            other = moved.stations[station]
            assert (other.replicas, other.cores) == (one.replicas, one.cores), station
            assert other.offered_cores == pytest.approx(one.offered_cores), station
            if station != "ztunnel":
                assert other.utilisation == pytest.approx(one.utilisation), station


def test_sidecars_scale_with_their_application_and_gateways_alone() -> None:
    screen = Screen(load("front-door"), "sidecar")
    before, after = screen.estimate(), screen.estimate({"maps": 6, "gateway": 4})
    sidecar = before.stations["sidecar@maps"]
    assert after.stations["sidecar@maps"].utilisation == pytest.approx(sidecar.utilisation / 2.0)
    assert after.stations["gateway"].cores == 2.0 * before.stations["gateway"].cores
    assert after.stations["gateway"].offered_cores == pytest.approx(before.stations["gateway"].offered_cores)
    assert after.replicas["maps"] == 6


def test_more_replicas_are_never_slower_without_caches() -> None:
    screen = Screen(load("front-door"), "none")
    means = [screen.estimate({"translate": n}).latency.mean_s for n in (3, 4, 6, 10, 20)]
    assert means == sorted(means, reverse=True)


def test_where_to_begin_is_stable() -> None:
    screen = Screen(load("front-door", overrides=["run.load=10"]), "gateway")
    assert screen.estimate().unstable
    staffed = screen.staffed()
    assert "gateway" in staffed and not screen.estimate(staffed).unstable
    assert all(screen.staffed(0.05)[name] >= number for name, number in staffed.items())


def test_it_takes_milliseconds() -> None:
    screen = Screen(load("bookinfo"), "sidecar")
    screen.estimate({"productpage": 2}).latency.quantile_s(0.99)
    begin = time.process_time()
    for n in range(1, 51):
        screen.estimate({"productpage": n, "details": 1 + n % 3}).share_below(0.1)
    assert (time.process_time() - begin) / 50 < 0.05  # 3 ms on a quiet machine


def test_mistakes() -> None:
    screen = Screen(load("bookinfo"), "sidecar")
    with pytest.raises(UsageError, match="did you mean"):
        screen.estimate({"productpag": 2})
    with pytest.raises(UsageError, match="no 'sidecar@details'"):
        screen.estimate({"sidecar@details": 2})
    with pytest.raises(UsageError, match="several versions"):
        screen.estimate({"reviews": 2})
    with pytest.raises(UsageError, match="at least 1"):
        screen.estimate({"details": 0})


def test_caches_hit_as_che_says_and_proxies_see_what_is_left() -> None:
    spec = load("cache-locality")
    screen = Screen(spec, "sidecar-only")
    ratio = che(zipf(4000, 0.9), 200).ratio
    found = screen.estimate()
    assert found.stations["maps"].requests_per_s == pytest.approx(200.0 * (1.0 - ratio), rel=1e-6)
    both = Screen(spec, "sidecar").estimate().stations["maps"].requests_per_s
    assert both < found.stations["maps"].requests_per_s  # two caches, one behind the other


def test_what_caches_are_not_asked_as_theory_wants_is_told() -> None:
    repeats = load("cache-locality", overrides=["traffic.maps.keys.item.zipf.once=20%", "mesh.sidecar.cache.ttl=5s"])
    found = Screen(repeats, "sidecar-only").estimate()
    before = Screen(load("cache-locality"), "sidecar-only").estimate()
    assert found.stations["maps"].requests_per_s > before.stations["maps"].requests_per_s
    assert any("asked for once" in note for note in found.notes)
    assert any("taken as if it went at once" in note for note in found.notes)


def test_pinned_connections_are_uneven() -> None:
    base = service("b", work(exp(1.0)), replicas=4)
    means = [
        Screen(plane(service("a", call("b", pool=pool), cores=math.inf), base, arrivals=poisson(2.0)))
        .estimate()
        .latency.mean_s
        for pool in (0, 64, 16)
    ]
    assert means == sorted(means) and means[2] > 1.1 * means[0]
    few = Screen(plane(service("a", call("b", pool=4), cores=math.inf), base, arrivals=poisson(2.0))).estimate()
    assert any("the luck of connections pinned to b" in note for note in few.notes)


@pytest.mark.parametrize("balancer", ["random", "round_robin", "least_request"])
@pytest.mark.parametrize("discipline", ["fifo", "ps"])
@pytest.mark.parametrize(("callers", "replicas"), [(1, 3), (4, 6)])
def test_balancers(balancer: str, discipline: str, callers: int, replicas: int) -> None:
    """Means of replicas that are 70 % busy, simulated; those of random balancing are exact."""
    front = service("a", call("b", balancer=balancer), replicas=callers, cores=math.inf, threads=None)
    made = plane(
        front,
        service("b", work(exp(1.0)), replicas=replicas, discipline=discipline),
        arrivals=poisson(0.7 * replicas),
    )
    requests = run(made, 40_000 / (0.7 * replicas), engines=("compiled",)).requests
    answered = requests[requests["end_ns"] > 0][2000:]
    simulated = (answered["end_ns"] - answered["arrival_ns"]) * 1e-9
    latency = Screen(made).estimate().latency
    assert latency.mean_s == pytest.approx(float(simulated.mean()), rel=0.08)
    assert latency.quantile_s(0.9) == pytest.approx(float(np.quantile(simulated, 0.9)), rel=0.2)


def test_the_python_function() -> None:
    found = meshsim.estimate("bookinfo", "sidecar", overrides=["run.load=1.5"])
    assert found.stations["productpage"].utilisation == pytest.approx(0.495, abs=0.01)
    assert repr(found).startswith("<Estimate bookinfo · sidecar: mean ")
    assert meshsim.estimate(lower(load("bookinfo"), "none")).architecture == "none"
    frame = found.frame()
    assert list(frame.columns) == ["scope", "name", "quantity", "value"] and len(frame) > 50
    assert found.total.requests_per_s == pytest.approx(225.0)
