"""The shipped topologies: valid, true to their sources, and able to run under every architecture."""

from __future__ import annotations

from fractions import Fraction
from functools import cache
from pathlib import Path
from typing import Any

import pytest
import yaml

from meshsim.architectures import NAMED, lower
from meshsim.engines import simulate
from meshsim.engines.record import OUTCOMES
from meshsim.model.files import shipped
from meshsim.model.graph import CLIENT, call_graph, calls_per_request, edges, expected_visits
from meshsim.model.load import check, load
from meshsim.model.steps import Call, Choose, Parallel, Step
from meshsim.model.topology import Service, Topology
from meshsim.results.comparison import Comparison
from meshsim.simulate import compare, run
from meshsim.units import parse_bytes, parse_cores

MANIFEST = Path(__file__).parent.parent / "data" / "online-boutique" / "kubernetes-manifests.yaml"
NAMES = (
    "autoscaled-day", "bookinfo", "bookinfo-fault", "cache-locality", "front-door", "hotel-reservation", "metastable",
    "online-boutique", "online-boutique-scaled", "otel-demo", "sock-shop", "social-network", "twitter-mix",
    "two-tenants",
)  # fmt: skip
INCIDENTS = ("incidents/cloudflare-2019-07-02", "incidents/fastly-2021-06-08", "incidents/google-2025-06-12")
SHORT = {
    "autoscaled-day": 10,
    "hotel-reservation": 1,
    "social-network": 1,
    "metastable": 1,
    "twitter-mix": 1,
}  # s: 300 requests or more
LONG = 10  # of incidents, which have little traffic; without their events
#: Warm-ups in seconds that are given, for caches to fill (latencies alone do not show when they have), or none.
FILLING = {"autoscaled-day": 0.0, "cache-locality": 15.0, "twitter-mix": 15.0}
#: What they are about is that a proxy turns away a share of the requests.
SHEDDING = {"two-tenants"}
#: The bug that Bookinfo's authors put there for the fault-injection task; retries without a budget.
INTENDED = {"bookinfo": ["M202"], "bookinfo-fault": ["M202"], "metastable": ["M217"]}


def _edges(topology: Topology) -> set[tuple[str, str]]:
    """Who calls whom, the outside left out."""
    return {(a, b) for a, b in call_graph(topology).edges if a != CLIENT}


def _sequence(topology: Topology, service: str, endpoint: str, version: int = 0) -> list[tuple[str, float]]:
    """Calls of an endpoint in their order, with how often each is made."""
    steps = topology.services[service].versions[version].endpoints[endpoint]
    calls = [step for step in steps if isinstance(step, Call)]
    return [(f"{c.service}.{c.endpoint}", c.times.mean() if c.times else 1.0) for c in calls]


def _all_calls(steps: tuple[Step, ...]) -> list[Call]:
    found: list[Call] = []
    for step in steps:
        if isinstance(step, Call):
            found.append(step)
        elif isinstance(step, Parallel):
            found += [call for branch in step.branches for call in _all_calls(branch)]
        elif isinstance(step, Choose):
            found += [call for option in step.options for call in _all_calls(option.do)]
    return found


# -- all of them -----------------------------------------------------------------------------------------------


def test_these_are_shipped_and_described() -> None:
    listed = dict(shipped())
    assert {*NAMES, *INCIDENTS} <= set(listed)
    for name in (*NAMES, *INCIDENTS):
        assert 40 < len(listed[name]) <= 120


@pytest.mark.parametrize("name", [*NAMES, *INCIDENTS])
def test_it_is_valid_and_warns_of_nothing_that_is_not_meant(name: str) -> None:
    checked = check(name)
    assert checked.topology is not None, checked.render()
    assert [d.code for d in checked.diagnostics] == INTENDED.get(name, [])
    assert checked.topology.name == name.rpartition("/")[2]


@pytest.mark.parametrize("name", NAMES)
def test_a_short_duration_can_be_set(name: str) -> None:
    topology = load(name, overrides=["run.duration=20s"])
    assert topology.run.duration_s == 20.0
    assert topology.run.warmup_s == (10.0 if topology.events else FILLING.get(name))


@pytest.mark.parametrize("name", [*NAMES, *INCIDENTS])
def test_every_tenant_has_objectives(name: str) -> None:
    assert all(tenant.objectives for tenant in load(name).tenants.values())


@pytest.mark.parametrize("architecture", NAMED)
@pytest.mark.parametrize("name", [*NAMES, *INCIDENTS])
def test_it_runs_under_every_named_architecture(name: str, architecture: str) -> None:
    """Nothing is refused (unless it is what a topology is about) or lost, and no station is overloaded."""
    plane = lower(load(name), architecture)
    seconds = LONG if name in INCIDENTS else SHORT.get(name, 3)
    record = simulate(plane, seed=1, duration_ns=seconds * 10**9, drain_ns=30 * 10**9)
    outcomes = dict(zip(OUTCOMES, record.counts.sum(axis=(0, 1)).tolist(), strict=True))
    assert outcomes["ok"] > 40
    shed = outcomes["rejected(overflow)"] if name in SHEDDING else 0
    assert sum(outcomes.values()) == outcomes["ok"] + outcomes["degraded"] + shed
    for i, service in enumerate(plane.services):
        busy = float(record.services["busy_ns"][i, :-1].sum())
        assert busy < 0.95 * service.cores * seconds * 1e9, service.name


@pytest.mark.parametrize("name", ["bookinfo", "front-door", "hotel-reservation", "sock-shop", "social-network"])
def test_open_load_is_neither_idle_nor_too_much(name: str) -> None:
    topology = load(name)
    offered = expected_visits(topology).offered_cores
    used = {n: offered[n] / _cores(service) for n, service in topology.services.items()}
    assert 0.3 < max(used.values()) < 0.7
    if name in ("bookinfo", "front-door"):  # the others have services that are called seldom
        assert min(used.values()) > 0.05


def _cores(service: Service) -> float:
    return sum(v.replicas * (v.cpu.limit or float("inf")) for v in service.versions)


# -- Bookinfo --------------------------------------------------------------------------------------------------


def test_bookinfo_has_the_services_and_edges_of_the_sample() -> None:
    topology = load("bookinfo")
    assert set(topology.services) == {"productpage", "details", "reviews", "ratings"}
    assert _edges(topology) == {("productpage", "details"), ("productpage", "reviews"), ("reviews", "ratings")}
    replicas = {name: [v.replicas for v in service.versions] for name, service in topology.services.items()}
    assert replicas == {"productpage": [1], "details": [1], "reviews": [1, 1, 1], "ratings": [1]}
    assert topology.services["reviews"].split is None


def test_bookinfo_asks_in_the_order_of_productpage_py() -> None:
    topology = load("bookinfo")
    assert _sequence(topology, "productpage", "page") == [("details.details", 1.0), ("reviews.reviews", 1.0)]
    details, reviews = _all_calls(topology.services["productpage"].versions[0].endpoints["page"])
    assert (details.timeout_s, details.retries, details.optional) == (3.0, 0, True)
    assert (reviews.timeout_s, reviews.retries, reviews.optional) == (3.0, 1, True)  # for _ in range(2)
    assert topology.services["productpage"].connections.fresh == 1.0


def test_bookinfo_versions_differ_as_in_liberty_rest_endpoint_java() -> None:
    service = load("bookinfo").services["reviews"]
    timeouts = {v.name: [c.timeout_s for c in _all_calls(v.endpoints["reviews"])] for v in service.versions}
    assert timeouts == {"v1": [], "v2": [10.0], "v3": [2.5]}


def test_bookinfo_makes_two_and_two_thirds_calls() -> None:
    assert calls_per_request(load("bookinfo"))["productpage.page"] == pytest.approx(2 + 2 / 3)


# -- Online Boutique -------------------------------------------------------------------------------------------


def _manifest() -> dict[str, dict[str, Any]]:
    """Resources of the first container of each Deployment of the release manifest."""
    documents = yaml.safe_load_all(MANIFEST.read_text())
    return {
        d["metadata"]["name"]: d["spec"]["template"]["spec"]["containers"][0]["resources"]
        for d in documents
        if d and d["kind"] == "Deployment" and d["metadata"]["name"] != "loadgenerator"
    }


def test_online_boutique_has_the_resources_of_the_manifest() -> None:
    topology = load("online-boutique")
    manifest = _manifest()
    assert set(topology.services) == set(manifest)
    for name, resources in manifest.items():
        (version,) = topology.services[name].versions
        assert version.replicas == 1
        assert version.cpu.request == parse_cores(resources["requests"]["cpu"])
        assert version.cpu.limit == parse_cores(resources["limits"]["cpu"])
        assert topology.services[name].memory_bytes == parse_bytes(resources["requests"]["memory"])


def test_online_boutique_has_the_edges_of_the_source() -> None:
    """The `*_SERVICE_ADDR` variables of the manifest name them; the shopping assistant is optional and left out."""
    expected = {
        *(("frontend", f"{callee}service") for callee in ("productcatalog", "currency", "cart", "recommendation",
                                                          "shipping", "checkout", "ad")),
        *(("checkoutservice", f"{callee}service") for callee in ("productcatalog", "shipping", "payment", "email",
                                                                 "currency", "cart")),
        ("recommendationservice", "productcatalogservice"),
        ("cartservice", "redis-cart"),
    }  # fmt: skip
    assert _edges(load("online-boutique")) == expected
    assert _edges(load("online-boutique-scaled")) == expected


# Remote calls of one request, Redis included, counted by hand in handlers.go and checkoutservice/main.go: looking up
# recommendations (R) is 1 + 1 + 5, a cart 1 + 1, two products of a cart 2 * (1 + 1), an order 17.
CALLS = {
    "home": 1 + 1 + 2 + 9 + 1,
    "set_currency": 0,
    "product": 1 + 1 + 2 + 1 + 7 + 1,
    "add_to_cart": 1 + 2,
    "cart": 1 + 2 + 7 + 1 + 1 + 4,
    "checkout": 1 + (2 + 4 + 1 + 1 + 1 + 1 + 2 + 1) + 7 + 1,
}


@pytest.mark.parametrize("endpoint", CALLS)
def test_online_boutique_makes_as_many_calls_as_the_source(endpoint: str) -> None:
    assert calls_per_request(load("online-boutique"))[f"frontend.{endpoint}"] == CALLS[endpoint]


def test_online_boutique_home_page_is_sequential_and_converts_nine_prices() -> None:
    topology = load("online-boutique")
    assert _sequence(topology, "frontend", "home") == [
        ("currencyservice.get_supported_currencies", 1.0),
        ("productcatalogservice.list_products", 1.0),
        ("cartservice.get_cart", 1.0),
        ("currencyservice.convert", 9.0),
        ("adservice.get_ads", 1.0),
    ]
    steps = [s for v in topology.services["frontend"].versions for e in v.endpoints.values() for s in e]
    assert not any(isinstance(step, Parallel) for step in steps)


def test_online_boutique_ignores_advertisements_and_recommendations_that_fail() -> None:
    topology = load("online-boutique")
    calls = [c for e in topology.services["frontend"].versions[0].endpoints.values() for c in _all_calls(e)]
    ads = [c for c in calls if c.service == "adservice"]
    assert [(c.timeout_s, c.optional) for c in ads] == [(0.1, True)] * 2
    assert all(c.optional for c in calls if c.service == "recommendationservice")


@pytest.mark.parametrize(("name", "times"), [("online-boutique", 9), ("online-boutique-scaled", 12)])
def test_online_boutique_mix_follows_from_the_tasks_of_the_locustfile(name: str, times: int) -> None:
    """Requests that each task of a user sends, redirects followed, times the weight of the task."""
    tasks = {
        "index": (1, ["home"]),
        "setCurrency": (2, ["set-currency", "home"]),
        "browseProduct": (10, ["product"]),
        "addToCart": (2, ["product", "add-to-cart", "cart"]),
        "viewCart": (3, ["cart"]),
        "checkout": (1, ["product", "add-to-cart", "cart", "checkout"]),
    }
    expected: dict[str, int] = {}
    for weight, requests in tasks.values():
        for request in requests:
            expected[request] = expected.get(request, 0) + weight * times
    topology = load(name)
    assert {stream.name: stream.arrivals.users for stream in topology.traffic} == expected
    for stream in topology.traffic:
        think = stream.arrivals.think
        assert think is not None and (think.kind, think.params) == ("uniform", (1.0, 10.0))


def test_online_boutique_rates_are_those_of_the_load_generator() -> None:
    """28 requests for each 19 tasks, 5.5 s apart: 171 users of locust send 171 / 5.5 * 28 / 19 a second."""
    users = sum(stream.arrivals.users or 0 for stream in load("online-boutique").traffic)
    assert Fraction(users) / Fraction(11, 2) == Fraction(171) / Fraction(11, 2) * Fraction(28, 19)


def test_scaled_differs_in_replicas_users_and_duration_only() -> None:
    small, scaled = load("online-boutique"), load("online-boutique-scaled")
    changed = {name for name in small.services if small.services[name] != scaled.services[name]}
    assert changed == {"frontend", "cartservice", "productcatalogservice", "currencyservice", "recommendationservice",
                       "adservice"}  # fmt: skip
    assert edges(small) == edges(scaled)
    assert all(service.connections.pool == 1 for name, service in scaled.services.items() if name in (
        "frontend", "checkoutservice", "recommendationservice", "cartservice"))  # fmt: skip


# -- the front door ----------------------------------------------------------------------------------------------


def test_front_door_has_its_tenants_and_shared_backends() -> None:
    topology = load("front-door")
    assert set(topology.tenants) == {"maps", "mail", "translate", "cloud"}
    products = set(topology.tenants)
    for shared in ("quota", "audit", "identity"):
        assert {caller for caller, callee in _edges(topology) if callee == shared} == products
    assert {stream.service for stream in topology.traffic} == products
    assert len(topology.nodes.zones) == 3


def test_the_large_front_door_works_as_much_as_the_small_one() -> None:
    small, large = load("front-door"), load("front-door-large")
    assert check("front-door-large").diagnostics == ()
    for name, service in small.services.items():
        offered, capacity = expected_visits(small).offered_cores[name], _cores(service)
        assert expected_visits(large).offered_cores[name] / _cores(large.services[name]) == pytest.approx(
            offered / capacity
        )
        assert _cores(large.services[name]) == 50 * capacity


# -- what each of them shows -------------------------------------------------------------------------------------


@cache  # several tests look at the same comparison
def _compared(name: str, seconds: float) -> Comparison:
    """Eight replications of each architecture over the same arrivals and demands."""
    architectures = ("none", "sidecar", "ambient")
    return compare(name, architectures, engine="compiled", replications=8, duration_s=seconds, seed=1)


def test_sidecars_mend_the_imbalance_of_long_lived_connections() -> None:
    """Three clients that each hold on to one of three replicas: choosing for each request lowers p99."""
    saved = _compared("online-boutique-scaled", 40.0).differences["sidecar"].latency_s["p99"]
    assert saved.high is not None and saved.high < 0.0


def test_ztunnels_do_not_mend_it() -> None:
    """L4 proxies keep the choice of the connection: what sidecars save at p99, they do not."""
    differences = _compared("online-boutique-scaled", 40.0).differences
    ambient, sidecar = (differences[mesh].latency_s["p99"] for mesh in ("ambient", "sidecar"))
    assert sidecar.high is not None and ambient.low is not None
    assert ambient.low > sidecar.high


@pytest.mark.parametrize("mesh", ["sidecar", "ambient"])
def test_bookinfo_has_nothing_to_balance_and_pays_for_the_proxies(mesh: str) -> None:
    """One replica each: proxies add to the mean and to p99, under the times that the file assumes."""
    differences = _compared("bookinfo", 40.0).differences[mesh].latency_s
    for added in (differences["mean"], differences["p99"]):
        assert added.low is not None and added.low > 0.0


@pytest.mark.parametrize("name", [name for name, _ in shipped() if name not in INCIDENTS])
def test_a_run_too_short_for_anything_still_says_so(name: str) -> None:
    """One second, once: few requests, idle services, intervals that reach beyond what can be."""
    warmup = "0s" if name == "autoscaled-day" else "auto"  # what autoscales has no automatic one
    changes = [f"run.warmup={warmup}", "events=[]"]
    text = run(name, "sidecar", duration_s=1.0, replications=1, overrides=changes).summary()
    assert "too short for" in text
    assert "nan" not in text.split()
