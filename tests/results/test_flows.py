"""Traffic equations of the Plane against those of the topology, and against chains of hops counted by hand."""

from __future__ import annotations

import numpy as np
import pytest
from builders import (
    call,
    choose,
    entry,
    exp,
    fail,
    geometric,
    hop,
    plane,
    poisson,
    service,
    trace_ms,
    versioned,
    work,
)

from meshsim.architectures import lower
from meshsim.architectures.plane import Forward, ProxyWork
from meshsim.model.distributions import Distribution
from meshsim.model.graph import expected_visits
from meshsim.model.load import load
from meshsim.results.flows import flows


def uniform(low: float, high: float) -> Distribution:
    return Distribution(kind="uniform", params=(low, high))


@pytest.mark.parametrize("name", ["bookinfo", "online-boutique", "front-door"])
@pytest.mark.parametrize("architecture", ["none", "sidecar", "ambient"])
def test_services_get_what_the_topology_says(name: str, architecture: str) -> None:
    """`expected_visits` solves the same equations for the topology, by other code and without any proxy."""
    topology = load(name)
    expected = expected_visits(topology)
    found = flows(lower(topology, architecture))
    for service_name, cores in expected.offered_cores.items():
        flow = found[service_name]
        if flow.unknown:
            continue
        calls = sum(rate for end, rate in expected.calls_per_s.items() if end.startswith(f"{service_name}."))
        assert flow.visits.sum() == pytest.approx(calls, rel=1e-9)
        if not flow.work_unknown:
            assert flow.load.sum() == pytest.approx(cores, rel=1e-9)


def test_proxies_of_bookinfo_by_hand() -> None:
    """150 pages/s; each asks details and reviews, and two of three reviews ask ratings."""
    sidecars = flows(lower(load("bookinfo"), "sidecar"))
    assert sidecars["gateway"].visits.sum() == pytest.approx(150.0)
    assert sidecars["sidecar@productpage"].visits.sum() == pytest.approx(3 * 150.0)  # in, out to details and reviews
    assert sidecars["sidecar@details"].visits.sum() == pytest.approx(150.0)
    assert "each version of reviews" in next(iter(sidecars["ratings"].unknown))  # the quicker v1 gets more
    ambient = flows(lower(load("bookinfo"), "ambient"))
    # into productpage; out and in for details and reviews; out and in for ratings
    assert ambient["ztunnel"].visits.sum() == pytest.approx(150.0 * (1 + 4 + 2 * 2 / 3))


def test_probabilities_and_counts_multiply() -> None:
    steps = (work(exp(0.01)), choose((0.25, [call("b", p=0.5, times=geometric(3.0))]), (0.75, [work(exp(0.02))])))
    found = flows(plane(service("a", *steps), service("b", work(exp(0.1))), arrivals=poisson(40.0)))
    assert found["b"].visits.sum() == pytest.approx(40.0 * 0.25 * 0.5 * 3.0)
    assert found["a"].load.sum() == pytest.approx(40.0 * (0.01 + 0.75 * 0.02))


def test_whoever_fails_goes_no_further() -> None:
    """Half are sent through a step that fails a fifth of them; work and calls after it are done by the others."""
    steps = (work(exp(0.01)), fail(0.2), work(exp(0.02)), call("b"))
    found = flows(plane(service("a", *steps), service("b", work(exp(0.1))), arrivals=poisson(50.0)))
    assert found["a"].load.sum() == pytest.approx(50.0 * (0.01 + 0.8 * 0.02))
    assert found["b"].visits.sum() == pytest.approx(50.0 * 0.8)
    assert [demand.after for demand in found["a"].demands] == ["", "call"]
    option = (0.5, [fail(0.2), call("b")])
    chosen = flows(plane(service("a", choose(option)), service("b", work(exp(0.1))), arrivals=poisson(50.0)))
    assert chosen["b"].visits.sum() == pytest.approx(50.0 * 0.5 * 0.8)


def test_demands_of_a_proxy_by_hand() -> None:
    """Mean and variance of each direction: its base, so much a KiB of its own size, and a handshake now and then."""
    base, request, response = exp(100e-6), uniform(1024.0, 3072.0), geometric(8192.0)
    there = ProxyWork(base, per_kib_s=50e-6, handshake_s=2e-3, direction="request")
    back = ProxyWork(base, per_kib_s=10e-6, handshake_s=0.0, direction="response")
    to_proxy = hop("proxy", "in", among="a", via="dest", fresh=0.25, tls=True)
    onward = hop("a", pick="carried", among="a")
    proxy = service("proxy", role="proxy", endpoints={"in": ((there, Forward(onward), back),)})
    stream, _ = entry("s", "a", poisson(30.0))
    sized = stream.model_copy(update={"request_bytes": request, "response_bytes": response})
    first, second = flows(plane(service("a", work(exp(0.01))), proxy, entries=[(sized, to_proxy)]))["proxy"].demands
    assert first.mean_s == pytest.approx(100e-6 + 2 * 50e-6 + 0.25 * 2e-3)
    variance = 100e-6**2 + (2.0**2 / 12) * 50e-6**2 + 0.25 * 0.75 * 2e-3**2
    assert first.second_s2 == pytest.approx(variance + first.mean_s**2)
    assert second.mean_s == pytest.approx(100e-6 + 8 * 10e-6 + 0.25 * 0.0)
    variance = 100e-6**2 + (8192.0 * 8191.0 / 1024.0**2) * 10e-6**2  # of geometric numbers of bytes
    assert second.second_s2 == pytest.approx(variance + second.mean_s**2)
    assert (first.after, second.after) == ("", "call")


def test_replicas_of_versions_work_differently() -> None:
    station = versioned("a", [[work(exp(0.01))], [work(exp(0.03))]])
    assert flows(plane(station, arrivals=poisson(10.0)))["a"].load == pytest.approx([0.05, 0.15])
    pinned = flows(plane(station, arrivals=poisson(10.0), client={"pool": 4}))["a"]
    assert pinned.work_unknown and pinned.unlike_poisson and not pinned.unknown


def test_whoever_chooses_anew_makes_good_what_was_uneven_before() -> None:
    front = service("a", call("b"), replicas=3)
    found = flows(plane(front, service("b", work(exp(0.01))), arrivals=poisson(10.0), client={"pool": 4}))
    assert found["a"].unlike_poisson and not found["b"].unlike_poisson


def test_what_is_no_poisson_process_stays_none() -> None:
    found = flows(plane(service("a", call("b")), service("b", work(exp(0.01))), arrivals=trace_ms(1, 2, 3)))
    assert all("trace" in next(iter(found[name].unknown)) for name in ("a", "b"))
    assert all("Poisson" in next(iter(found[name].unlike_poisson)) for name in ("a", "b"))


def test_circles_are_told() -> None:
    a, b = service("a", call("b", p=0.1)), service("b", call("a"))
    found = flows(plane(a, b, entries=[entry("s", "a", poisson(1.0))]))
    assert all("circle" in next(iter(flow.unknown)) for flow in found.values())


def test_shared_instances_get_the_sum_of_their_node() -> None:
    """A proxy on each of two nodes; two replicas of the service are on the first, one is on the second."""
    to_node = hop("proxy", "in", among="a", via="dest_node")
    onward = hop("a", pick="carried", among="a")
    proxy = service("proxy", replicas=2, role="proxy", endpoints={"in": ((Forward(onward),),)})
    target = service("a", work(exp(0.01)), replicas=3, nodes=[0, 1, 0])
    stream, _ = entry("s", "a", poisson(30.0))
    found = flows(plane(target, proxy, entries=[(stream, to_node)]))
    assert np.allclose(found["proxy"].visits, [20.0, 10.0])
    assert np.allclose(found["a"].visits, 10.0)
