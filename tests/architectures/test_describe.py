"""The Plane in words and as data."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
import yaml
from hand_made import call, service, topology

from meshsim.architectures import NAMED, describe, lower, to_dict
from meshsim.model.load import load
from meshsim.model.policies import LoadBalancer, Policy
from meshsim.model.topology import Cores, Topology

TOPOLOGIES = Path(__file__).parents[2] / "topologies"


@pytest.mark.parametrize("architecture", NAMED)
def test_it_fits_a_hundred_columns_and_names_every_service(three: Topology, architecture: str) -> None:
    plane = lower(three, architecture)
    text = describe(plane)
    assert max(map(len, text.splitlines())) <= 100
    for item in plane.services:
        assert item.name in text


def test_the_text_of_a_small_plane() -> None:
    policies = (Policy(name="calm", to="b", load_balancer=LoadBalancer(kind="round_robin")),)
    system = topology(
        service("a", steps=(call("b.x"),)),
        service("b", versions={"v1": 1, "v2": 2}, concurrency=8, queue=4),
        policies=policies,
        origins={"services.a": "shop.yaml:3"},
    )
    assert describe(lower(system, "gateway")).splitlines() == [
        "hand-made under gateway",
        "2 applications (5 replicas), 1 kind of proxy (2 replicas), 3 nodes in 3 zones (z1, z2, z3)",
        "",
        "service  role   replicas   cores  CPU queue                 memory         from",
        "a        app    2          1      ps                        256 MiB        shop.yaml:3",
        "b        app    1 v1+2 v2  1      ps, 8 at once + 4 queued  256 MiB        services.b",
        "gateway  proxy  2          2      fifo x2 threads           64 of 128 MiB  mesh.gateway",
        "",
        "client -> a.x   policies: enforced by gateway",
        "    client                                    its connection leads to one of gateway",
        "    -> gateway 'a.x'                          tls; chooses by least_request over a; 2 retries on",
        "                                              cancelled, connect-failure, refused-stream,",
        "                                              unavailable",
        "    -> a 'x'",
        "a -> b.x   policies: enforced by nobody",
        "    a                                         its connection leads to one of b",
        "    -> b 'x'",
        "",
        "Inert: written in the spec, but enforced by nobody here",
        "  calm.load_balancer on a -> b.x: no L7 proxy on the caller's side; a policy for these calls with",
        "      `in_app: on` would let the caller's library act",
    ]


def test_the_balancer_stands_on_the_line_of_who_chooses(three: Topology) -> None:
    """A waypoint balances, and the ztunnels before and after it only carry (istio.io, ambient data plane)."""
    lines = describe(lower(three, "ambient-waypoint")).splitlines()
    choosing = {line.split()[1].partition("@")[0] for line in lines if line.startswith("    ->") and "chooses" in line}
    assert choosing == {"gateway", "waypoint"}
    sidecars = describe(lower(three, "sidecar")).splitlines()
    out = next(line for line in sidecars if "'out:b.x'" in line)
    assert out.split()[1] == "sidecar@a" and "chooses by least_request over b" in out


@pytest.mark.parametrize("architecture", NAMED)
def test_plain_data_is_strict_json_and_whole(three: Topology, architecture: str) -> None:
    free = service("d")
    version = free.versions[0].model_copy(update={"cpu": Cores(request=1.0, limit=None)})
    services = {**three.services, "d": free.model_copy(update={"versions": (version,)})}
    plane = lower(three.model_copy(update={"services": services}), architecture)
    data = json.loads(json.dumps(to_dict(plane), allow_nan=False))
    assert [item["name"] for item in data["services"]] == [item.name for item in plane.services]
    by_name = {item["name"]: item for item in data["services"]}
    assert by_name["d"]["replicas"][0]["cores"] is None
    assert by_name["a"]["endpoints"]["x"][0][1]["hop"]["to"]


def test_routes_and_rate_limits_stand_below_who_enforces_them() -> None:
    limited = {"name": "shield", "from": "client", "rate_limit": {"local": {"rate": "100/s", "burst": 20}}}
    spec = {**yaml.safe_load((TOPOLOGIES / "bookinfo.yaml").read_text()), "policies": [limited]}
    spec["routes"] = [
        {
            "name": "canary",
            "to": "reviews",
            "split": {"v1": 90, "v2": 10},
            "mirror": {"version": "v3", "share": "10%"},
            "fault": {"abort": {"as": 503, "share": "5%"}},
        }
    ]
    text = " ".join(describe(lower(load(spec), "sidecar")).split())
    assert "rate limit 'shield': 100/s and a burst of 20, each instance" in text
    assert (
        "route 'canary' takes all requests: answered 503 (0.05 of them), copied to reviews (v3 1) (0.1 of them), "
        "sent to reviews (v1 0.9, v2 0.1)"
    ) in text


def test_a_rate_limit_of_each_tenant_says_so() -> None:
    bucket = {"rate": "100/s", "burst": 20, "per": "tenant", "tenants": {"jason": {"rate": "5/s", "burst": 2}}}
    limited = {"name": "shield", "from": "client", "rate_limit": {"local": bucket}}
    spec = {**yaml.safe_load((TOPOLOGIES / "bookinfo.yaml").read_text()), "policies": [limited]}
    spec["traffic"] = [{**one, "tenant": "jason"} for one in spec["traffic"]]
    spec["tenants"] = {"jason": {}}
    text = " ".join(describe(lower(load(spec), "sidecar")).split())
    assert "100/s and a burst of 20 for each tenant, each instance" in text
    assert "of jason: 5/s and a burst of 2" in text


def test_routes_by_tenant_are_plain_data() -> None:
    assert '"streams": ["jason"]' in json.dumps(to_dict(lower(load("bookinfo-fault"), "sidecar")))
