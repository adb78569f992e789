"""Hotel reservation, social network, Sock Shop and OpenTelemetry's demo are true to their sources.

The numbers come from manifests in `tests/data`, and from counting calls by hand in the files that each topology names.
"""

from __future__ import annotations

from fractions import Fraction
from pathlib import Path
from typing import Any

import pytest
import yaml

from meshsim.model.graph import CLIENT, call_graph, calls_per_request, edges, longest_chains
from meshsim.model.load import load
from meshsim.model.steps import Call, Choose, Parallel, Step
from meshsim.model.topology import Topology
from meshsim.units import parse_bytes, parse_cores

DATA = Path(__file__).parent.parent / "data"


def _read(path: str) -> dict[str, Any]:
    found: dict[str, Any] = yaml.safe_load((DATA / path).read_text())
    return found


def _edges(topology: Topology) -> set[tuple[str, str]]:
    return {(a, b) for a, b in call_graph(topology).edges if a != CLIENT}


def _pairs(lines: str) -> set[tuple[str, str]]:
    """Edges from lines of ``caller: callee callee``."""
    rows = (line.split(":") for line in lines.split("\n") if line.strip())
    return {(caller.strip(), callee) for caller, callees in rows for callee in callees.split()}


def _shape(steps: tuple[Step, ...]) -> list[Any]:
    """Services called, in order; a list is what is called at the same time, a tuple has one list for each option."""
    shape: list[Any] = []
    for step in steps:
        if isinstance(step, Call):
            times = int(step.times.mean()) if step.times else 1
            shape += [f"{step.service}{'?' if step.p < 1.0 else ''}{'~' if step.async_ else ''}"] * times
        elif isinstance(step, Parallel):
            shape.append([call for branch in step.branches for call in _shape(branch)])
        elif isinstance(step, Choose):
            shape.append(tuple(_shape(option.do) for option in step.options))
    return shape


def _calls(topology: Topology, endpoint: str) -> list[Any]:
    service, _, name = endpoint.partition(".")
    return _shape(topology.services[service].versions[0].endpoints[name])


def _rates(topology: Topology) -> dict[str, Fraction]:
    return {s.name: Fraction(s.arrivals.rate_per_s or 0.0).limit_denominator(1000) for s in topology.traffic}


# -- the size of each ------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("name", "services", "pairs", "entries", "depth"),
    [
        ("hotel-reservation", 14, 13, 4, 4),  # frontend, search, rate, mongodb-rate
        ("social-network", 22, 25, 3, 5),  # nginx, compose-post, home-timeline, social-graph, social-graph-redis
        ("sock-shop", 14, 15, 11, 5),  # front-end, orders, shipping, rabbitmq, queue-master
        ("otel-demo", 17, 20, 8, 6),  # frontend-proxy, frontend, checkout, kafka, accounting, astronomy-db
    ],
)
def test_counts(name: str, services: int, pairs: int, entries: int, depth: int) -> None:
    """Services, edges, entry endpoints, and services on the longest chain of calls, counted in the sources."""
    topology = load(name)
    chains = longest_chains(edges(topology))
    starts = {f"{stream.service}.{stream.endpoint}" for stream in topology.traffic}
    found = (len(topology.services), len(_edges(topology)), len(starts), max(chains[start][0] for start in starts))
    assert found == (services, pairs, entries, depth)


@pytest.mark.parametrize("name", ["hotel-reservation", "social-network", "sock-shop", "otel-demo"])
def test_one_replica_of_everything(name: str) -> None:
    versions = [service.versions for service in load(name).services.values()]
    assert all(len(found) == 1 and found[0].replicas == 1 for found in versions)


# Calls of one request in all, by hand; where something is not cached (shares assumed) beyond that, see below.
CALLS = {
    ("hotel-reservation", "frontend.user"): 1,
    ("social-network", "nginx-thrift.compose"): 1 + (1 + 2 + 3) + 1 + 1 + 1 + 2 + 3 + (1 + 2 + 1) + 0.02 * 2,
    ("social-network", "nginx-thrift.read_home_timeline"): 1 + 1 + (1 + 1 + 0.1 * 2),
    ("social-network", "nginx-thrift.read_user_timeline"): 1 + 1 + 0.5 * 2 + (1 + 1 + 0.1 * 2),
    ("hotel-reservation", "frontend.hotels"): (1 + 1 + (1 + 1 + 0.1 * 2)) + (1 + 2 + 0.02 * 2) + (1 + 1 + 0.02 * 2),
    ("hotel-reservation", "frontend.recommendations"): 1 + (1 + 1 + 0.02 * 2),
    ("hotel-reservation", "frontend.reservation"): 1 + (1 + 3 * 2 + 0.05 * 6 + 3 + 3),
    ("sock-shop", "front-end.page"): 0,
    ("sock-shop", "front-end.tags"): 1 + 2,
    ("sock-shop", "front-end.catalogue"): 1 + 2,
    ("sock-shop", "front-end.add_to_cart"): 1 + 2 + 3,
    ("sock-shop", "front-end.cart"): 1 + 2,
    ("sock-shop", "front-end.delete_item"): 1 + 3,
    ("sock-shop", "front-end.customers"): 1 + 2,
    ("sock-shop", "front-end.login"): 1 + (1 + 3) + (1 + 4),
    ("sock-shop", "front-end.card"): 1 + 3,
    ("sock-shop", "front-end.address"): 1 + 3,
    ("sock-shop", "front-end.order"): 1 + 2 + 2 * 2 + (1 + 4 * 2 + 1 + 3 + 1),
    ("otel-demo", "frontend-proxy.home"): 1,
    ("otel-demo", "frontend-proxy.product"): 1 + 2,
    ("otel-demo", "frontend-proxy.recommendations"): 1 + (1 + 2) + 4 * 2,
    ("otel-demo", "frontend-proxy.ads"): 1 + 1,
    ("otel-demo", "frontend-proxy.cart"): 1 + 2,
    ("otel-demo", "frontend-proxy.add_to_cart"): 1 + 2 + 2,
    # cart; product and price of each item; quote; its price; payment; shipping; cart; mail; Kafka and what reads it
    ("otel-demo", "frontend-proxy.checkout"): 1 + (1 + 2 + 1 * (2 + 1) + 2 + 1 + 1 + 1 + 2 + 1 + (1 + 2 + 1)) + 1 * 2,
    ("otel-demo", "frontend-proxy.checkout_multi"): 1 + (1 + 2 + 3 * (2 + 1) + 2 + 1 + 1 + 1 + 2 + 1 + 4) + 3 * 2,
}


@pytest.mark.parametrize(("name", "endpoint"), CALLS)
def test_as_many_calls_as_in_the_source(name: str, endpoint: str) -> None:
    assert calls_per_request(load(name))[endpoint] == pytest.approx(CALLS[name, endpoint])


def test_every_entry_is_counted() -> None:
    names = ("hotel-reservation", "social-network", "sock-shop", "otel-demo")
    assert set(CALLS) == {(name, f"{s.service}.{s.endpoint}") for name in names for s in load(name).traffic}


# -- hotel reservation -----------------------------------------------------------------------------------------------


def test_hotel_reservation_has_the_resources_of_the_deployments() -> None:
    topology = load("hotel-reservation")
    deployments = _read("hotel-reservation/deployments.yaml")
    assert len(deployments) == 19
    left_out = {"consul", "jaeger", "mongodb-geo", "mongodb-recommendation", "mongodb-user"}
    assert set(topology.services) == set(deployments) - left_out
    for name, service in topology.services.items():
        cpu, resources = service.versions[0].cpu, deployments[name]["resources"]
        assert deployments[name]["replicas"] == 1
        assert (cpu.request, cpu.limit) == tuple(parse_cores(resources[key]["cpu"]) for key in ("requests", "limits"))
        assert "memory" not in resources["requests"]


def test_hotel_reservation_has_the_edges_of_the_source() -> None:
    assert _edges(load("hotel-reservation")) == _pairs("""
        frontend: search reservation profile recommendation user
        search: geo rate
        rate: memcached-rate mongodb-rate
        profile: memcached-profile mongodb-profile
        reservation: memcached-reserve mongodb-reservation""")


def test_hotel_reservation_calls_in_order() -> None:
    topology = load("hotel-reservation")
    assert _calls(topology, "frontend.hotels") == ["search", "reservation", "profile"]
    assert _calls(topology, "frontend.recommendations") == ["recommendation", "profile"]
    assert _calls(topology, "frontend.user") == ["user"]
    assert _calls(topology, "frontend.reservation") == ["user", "reservation"]
    assert _calls(topology, "search.nearby") == ["geo", "rate"]
    assert _calls(topology, "rate.get_rates") == ["memcached-rate", (["mongodb-rate", "memcached-rate~"], [])]
    memcached, mongodb = "memcached-reserve", "mongodb-reservation"
    assert _calls(topology, "reservation.check_availability") == [memcached, f"{mongodb}?", memcached, f"{mongodb}?"]
    steps = _calls(topology, "reservation.make_reservation")  # of three nights
    assert steps == [memcached] * 6 + [f"{mongodb}?"] + [memcached] * 3 + [mongodb] * 3


def test_hotel_reservation_mix_is_that_of_mixed_workload_type_1() -> None:
    rates = _rates(load("hotel-reservation"))
    shares = {"search": Fraction(60, 100), "recommend": Fraction(39, 100), "login": Fraction(5, 1000),
              "reserve": Fraction(5, 1000)}  # fmt: skip
    assert {name: rate / sum(rates.values()) for name, rate in rates.items()} == shares


# -- social network --------------------------------------------------------------------------------------------------

SOCIAL_EDGES = """
    nginx-thrift: compose-post-service home-timeline-service user-timeline-service user-service social-graph-service
    compose-post-service: unique-id-service media-service user-service text-service post-storage-service
    compose-post-service: user-timeline-service home-timeline-service
    text-service: url-shorten-service user-mention-service
    url-shorten-service: url-shorten-mongodb
    user-mention-service: user-memcached user-mongodb
    home-timeline-service: home-timeline-redis social-graph-service post-storage-service
    user-timeline-service: user-timeline-redis user-timeline-mongodb post-storage-service
    social-graph-service: social-graph-redis social-graph-mongodb user-service
    user-service: user-memcached user-mongodb social-graph-service
    post-storage-service: post-storage-memcached post-storage-mongodb"""
ACCOUNTS = """
    nginx-thrift: user-service social-graph-service
    social-graph-service: user-service
    user-service: user-memcached user-mongodb social-graph-service"""


def test_social_network_has_the_services_of_the_compose_file() -> None:
    services = _read("social-network/services.yaml")
    left_out = {"jaeger-agent", "media-frontend", "media-memcached", "media-mongodb", "url-shorten-memcached"}
    assert len(services) == 27
    assert set(load("social-network").services) == set(services) - left_out


def test_social_network_has_the_edges_of_the_source_but_those_of_accounts() -> None:
    """31 edges in the source; 6 of them belong to registering, logging in and following."""
    every, accounts = _pairs(SOCIAL_EDGES), _pairs(ACCOUNTS)
    assert (len(every), len(accounts), accounts <= every) == (31, 6, True)
    found = _edges(load("social-network"))
    assert found == every - accounts
    needed = {(a, b) for a, others in _read("social-network/services.yaml").items() for b in others}
    assert needed - found == {("media-service", "media-mongodb"), ("user-service", "user-mongodb")}  # not in this mix


def test_social_network_composes_in_the_order_of_the_handlers() -> None:
    topology = load("social-network")
    assert _calls(topology, "compose-post-service.compose") == [
        ["text-service", "user-service", "media-service", "unique-id-service"],
        "post-storage-service",
        "user-timeline-service",
        "home-timeline-service",
    ]
    assert _calls(topology, "text-service.compose") == [["url-shorten-service", "user-mention-service"]]
    assert _calls(topology, "user-mention-service.compose") == ["user-memcached", "user-mongodb"]
    assert _calls(topology, "user-timeline-service.write") == ["user-timeline-mongodb", "user-timeline-redis"]
    assert _calls(topology, "home-timeline-service.write") == ["social-graph-service", "home-timeline-redis"]
    assert _calls(topology, "post-storage-service.store") == ["post-storage-mongodb"]


def test_social_network_reads_caches_first() -> None:
    topology = load("social-network")
    assert _calls(topology, "home-timeline-service.read") == ["home-timeline-redis", "post-storage-service"]
    posts = "post-storage-service"
    assert _calls(topology, "user-timeline-service.read") == [
        "user-timeline-redis",
        (["user-timeline-mongodb", [posts, "user-timeline-redis"]], [posts]),
    ]
    for service, endpoint, store in (("post-storage", "read", "memcached"), ("social-graph", "get_followers", "redis")):
        cache = f"{service}-{store}"
        assert _calls(topology, f"{service}-service.{endpoint}") == [cache, ([f"{service}-mongodb", cache], [])]


def test_social_network_mix_is_that_of_mixed_workload() -> None:
    rates = _rates(load("social-network"))
    shares = {"read-home-timeline": Fraction(6, 10), "read-user-timeline": Fraction(3, 10),
              "compose-post": Fraction(1, 10)}  # fmt: skip
    assert {name: rate / sum(rates.values()) for name, rate in rates.items()} == shares


# -- Sock Shop -------------------------------------------------------------------------------------------------------

# requests and limits of complete-demo.yaml: CPU, memory
SOCKS = {
    "front-end": ("100m", "300m", "300Mi"),
    "catalogue": ("100m", "200m", "100Mi"),
    "carts": ("100m", "300m", "200Mi"),
    "orders": ("100m", "500m", "300Mi"),
    "payment": ("99m", "200m", "100Mi"),
    "shipping": ("100m", "300m", "300Mi"),
    "queue-master": ("100m", "300m", "300Mi"),
    "user": ("100m", "300m", "100Mi"),
}
STORES = {"carts-db", "catalogue-db", "orders-db", "session-db", "user-db", "rabbitmq"}


def test_sock_shop_has_the_resources_of_the_manifest() -> None:
    topology = load("sock-shop")
    assert set(topology.services) == set(SOCKS) | STORES
    for name, (request, limit, memory) in SOCKS.items():
        service = topology.services[name]
        cpu = service.versions[0].cpu
        assert (cpu.request, cpu.limit, service.memory_bytes) == (
            parse_cores(request), parse_cores(limit), parse_bytes(memory),
        )  # fmt: skip


def test_sock_shop_has_the_edges_of_the_source() -> None:
    assert _edges(load("sock-shop")) == _pairs("""
        front-end: catalogue carts user orders session-db
        catalogue: catalogue-db
        carts: carts-db
        user: user-db
        orders: user carts payment shipping orders-db
        shipping: rabbitmq
        rabbitmq: queue-master""")


def test_sock_shop_orders_as_orders_controller_java() -> None:
    topology = load("sock-shop")
    assert _calls(topology, "front-end.order") == ["session-db", "user", ["user", "user"], "orders"]
    assert _calls(topology, "orders.new_order") == [
        ["user", "user", "user", "carts"], "payment", "shipping", "orders-db",
    ]  # fmt: skip
    steps = topology.services["orders"].versions[0].endpoints["new_order"]
    parallel = next(step for step in steps if isinstance(step, Parallel))
    calls = [step for branch in (steps, *parallel.branches) for step in branch if isinstance(step, Call)]
    assert {call.service: call.timeout_s for call in calls} == {
        "user": 5.0, "carts": 5.0, "payment": 5.0, "shipping": 5.0, "orders-db": None,
    }  # fmt: skip
    assert _calls(topology, "shipping.ship") == ["rabbitmq~"]
    assert topology.services["front-end"].connections.fresh == 1.0


def _visits(weights: dict[str, int], leave: str) -> dict[str, Fraction]:
    """How often each task is drawn in a visit that goes on until `leave` is drawn."""
    return {task: Fraction(weight, weights[leave]) for task, weight in weights.items() if task != leave}


def test_sock_shop_mix_follows_from_the_tasks_of_the_locustfile() -> None:
    catalogue = _visits({"category": 20, "filter": 10, "item page": 10, "stop": 5}, "stop")
    item = _visits({"item": 10, "order": 5, "stop": 5}, "stop")
    cart = _visits({"basket": 10, "delete": 5, "checkout": 5, "card": 1, "address": 1, "stop": 5}, "stop")
    visits = {"index": 20, "login": 15, "catalogue": 10, "cart": 5}  # of 50 draws
    filters = visits["catalogue"] * catalogue["filter"]
    details = visits["catalogue"] * catalogue["item page"] * item["item"]
    orders = visits["catalogue"] * catalogue["item page"] * item["order"]
    deletions, checkouts = (visits["cart"] * cart[task] for task in ("delete", "checkout"))
    pages = visits["index"] + visits["catalogue"] * catalogue["category"] + filters + details
    expected = {
        "pages": pages + visits["cart"] * cart["basket"],
        "tags": filters,
        "catalogue": details + orders,
        "add-to-cart": orders,
        "customers": visits["login"],
        "login": visits["login"],
        "cart": deletions,
        "delete-item": deletions,
        "card": checkouts + visits["cart"] * cart["card"],
        "address": checkouts + visits["cart"] * cart["address"],
        "order": checkouts,
    }
    assert sum(expected.values()) == 287
    assert _rates(load("sock-shop")) == {name: requests / 5 for name, requests in expected.items()}
    functions = visits["index"] + visits["login"] + filters + details + orders + visits["cart"] * sum(cart.values())
    functions += visits["catalogue"] * catalogue["category"]
    assert functions == 177
    assert round(Fraction(287, 5) * 9 * functions / 287) == 319  # users, with 9 s on average after each task


# -- OpenTelemetry's demo --------------------------------------------------------------------------------------------

FULL = {"accounting": "160M", "fraud-detection": "300M", "kafka": "620M"}  # compose.full.yaml


def test_otel_demo_has_the_services_and_memory_of_the_compose_files() -> None:
    topology = load("otel-demo")
    services = _read("otel-demo/services.yaml")
    left_out = {"flagd", "flagd-ui", "image-provider", "load-generator", "otel-collector", "telemetry-docs"}
    memory = {name: found["memory"] for name, found in services.items() if name not in left_out} | FULL
    assert {name: service.memory_bytes for name, service in topology.services.items()} == {
        name: int(limit.removesuffix("M")) * 1024**2 for name, limit in memory.items()
    }


def test_otel_demo_calls_whom_the_variables_of_the_compose_file_name() -> None:
    """Variables name 16 edges, of which the mix does not take two; the others are not in variables of this form."""
    named = {
        (name, variable.removesuffix("_ADDR").lower().replace("_", "-"))
        for name, found in _read("otel-demo/services.yaml").items()
        for variable in found.get("addresses", ())
        if variable not in ("FRONTEND_ADDR", "ENVOY_ADDR", "FRONTEND_PROXY_ADDR")
    }
    named = {(a, "valkey-cart" if b == "valkey" else b) for a, b in named}
    assert len(named) == 16
    others = _pairs("""
        frontend-proxy: frontend
        product-catalog: astronomy-db
        checkout: kafka
        kafka: accounting fraud-detection
        accounting: astronomy-db""")
    not_taken = {("frontend", "currency"), ("frontend", "shipping")}
    assert _edges(load("otel-demo")) == (named - not_taken) | others


def test_otel_demo_asks_for_products_at_the_same_time_and_checks_out_in_order() -> None:
    topology = load("otel-demo")
    product = "product-catalog"
    assert _calls(topology, "frontend.recommendations") == ["recommendation", [product] * 4]
    assert _calls(topology, "frontend.add_to_cart") == ["cart", "cart"]
    assert _calls(topology, "frontend.checkout_multi") == ["checkout", [product] * 3]
    tail = ["shipping", "currency", "payment", "shipping", "cart", "email", "kafka~"]
    assert _calls(topology, "checkout.place_order") == ["cart", product, "currency", *tail]
    assert _calls(topology, "checkout.place_order_multi") == ["cart", *[product, "currency"] * 3, *tail]
    assert _calls(topology, "kafka.publish") == ["accounting~", "fraud-detection~"]
    proxied = topology.services["frontend-proxy"].versions[0].endpoints
    assert {step.timeout_s for steps in proxied.values() for step in steps if isinstance(step, Call)} == {15.0}


def test_otel_demo_mix_follows_from_the_tasks_of_the_script() -> None:
    """Requests that each task sends, times its weight, times 8; several items are 3, the mean of 2, 3 and 4."""
    add = ["product", "add-to-cart"]
    tasks = {
        "index": (1, ["home"]),
        "browseProduct": (10, ["product"]),
        "getRecommendations": (3, ["recommendations"]),
        "getAds": (3, ["ads"]),
        "viewCart": (3, ["cart"]),
        "addToCart": (2, add),
        "checkout": (1, [*add, "checkout"]),
        "checkoutMulti": (1, [*add * 3, "checkout-multi"]),
        "floodHome": (5, []),
    }
    assert sum(weight for weight, _ in tasks.values()) == 29
    expected: dict[str, int] = {}
    for weight, requests in tasks.values():
        for request in requests:
            expected[request] = expected.get(request, 0) + 8 * weight
    topology = load("otel-demo")
    assert {stream.name: stream.arrivals.users for stream in topology.traffic} == expected
    assert sum(expected.values()) == 8 * 34
    thinks = {(s.arrivals.think.kind, s.arrivals.think.params) for s in topology.traffic if s.arrivals.think}
    assert thinks == {("uniform", (1.0, 10.0))}
