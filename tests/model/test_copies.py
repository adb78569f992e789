"""Copies beside what a user would write by hand, beside their traffic, and beside the queues that they are."""

from __future__ import annotations

import math
from typing import Any

import numpy as np
import pytest

import meshsim as ms
from meshsim.architectures import lower
from meshsim.errors import UsageError
from meshsim.model.copies import copied
from meshsim.model.files import shipped
from meshsim.model.graph import expected_visits
from meshsim.model.load import load

NO_NETWORK = dict.fromkeys(("loopback", "same_node", "same_zone", "cross_zone", "client"), "0ms")


def of_one(end: str, tenant_end: str | None = None) -> dict[str, Any]:
    """An application in which everything that has a name is referred to, its names ending so."""
    who = f"web{end if tenant_end is None else tenant_end}"
    shop, geo, audit = (f"{name}{end}" for name in ("shop", "geo", "audit"))
    buy = [
        {"cache": {"name": "tiles", "key": "item", "miss": [{"call": f"{geo}.lookup"}]}},
        {"parallel": [{"call": f"{geo}.lookup"}, {"call": f"{audit}.write", "fallback": [{"call": f"{geo}.lookup"}]}]},
        {"choose": [{"p": 0.5, "do": [{"call": f"{audit}.write"}]}, {"p": 0.5}]},
        {"invalidate": {"cache": "gateway", "key": "item", "of": f"{shop}.buy"}},
        {"invalidate": {"cache": f"{geo}.places", "key": "item"}},
    ]
    return {
        "services": {
            shop: {"namespace": f"front{end}", "endpoints": {"buy": buy}, "caches": {"tiles": {"capacity": 10}}},
            geo: {
                "namespace": f"back{end}",
                "versions": {"v1": {}, "v2": {}},
                "endpoints": {"lookup": [{"work": "1ms"}], "other": [{"work": "1ms"}]},
                "caches": {"places": {"capacity": 10}},
            },
            audit: {"namespace": f"back{end}", "endpoints": {"write": [{"work": "1ms"}]}},
        },
        "tenants": {who: {"slo": {"p99": "100ms"}, "weight": 2}},
        "traffic": [
            {
                "name": who,
                "tenant": who,
                "entry": f"{shop}.buy",
                "arrivals": {"poisson": "50/s"},
                "keys": {"item": {"zipf": {"items": 100, "exponent": 1.0}}},
            }
        ],
        "policies": [
            {"name": f"to{end}", "to": f"{geo}.lookup", "from": shop, "timeout": "50ms"},
            {"name": f"buckets{end}", "to": shop, "from": "client", "rate_limit": {"local": limit(who)}},
        ],
        "routes": [
            {
                "name": f"canary{end}",
                "to": f"{geo}.lookup",
                "from": shop,
                "match": {"tenant": who},
                "split": "v1",
                "mirror": "v2",
            },
            {"name": f"moved{end}", "to": f"{audit}.write", "rewrite": f"{geo}.other"},
        ],
    }


def limit(*who: str) -> dict[str, Any]:
    return {
        "rate": "90/s",
        "burst": 9,
        "per": "tenant",
        "tenants": {name: {"rate": "70/s", "burst": 7} for name in who},
    }


FOR_ALL = {
    "name": "everywhere",
    "deadline": "on",
    "rate_limit": {"local": {"rate": "9/s", "burst": 9, "per": "tenant"}},
}


def whole(*parts: dict[str, Any], only: list[str]) -> dict[str, Any]:
    """Applications side by side behind one gateway, with one policy for all."""
    return {
        "meshsim": 1,
        "name": "side-by-side",
        "services": {name: one for part in parts for name, one in part["services"].items()},
        "tenants": {name: one for part in parts for name, one in part["tenants"].items()},
        "traffic": [one for part in parts for one in part["traffic"]],
        "policies": [FOR_ALL, *(one for part in parts for one in part["policies"])],
        "routes": [one for part in parts for one in part["routes"]],
        "mesh": {"gateway": {"cache": {"key": "item", "capacity": 5, "only": only}}},
    }


def test_copies_are_what_is_written_by_hand() -> None:
    """The digest has everything that is simulated: nothing refers to another copy, and nothing is forgotten."""
    single = load(whole(of_one(""), only=["shop.buy"]))
    for number in (1, 2, 3):
        ends = ["", "-2", "-3"][:number]
        both = load(whole(*map(of_one, ends), only=[f"shop{end}.buy" for end in ends]))
        copies = copied(single, number)
        assert copies.digest == both.digest
        assert list(copies.services) == list(both.services) and copies.traffic == both.traffic
        assert len({one.digest for one in (single, both)}) == min(number, 2)


def test_tenants_are_what_is_written_by_hand() -> None:
    """The same services for twice the tenants: policies stay, their buckets know both."""
    one, other = of_one(""), of_one("", "-2")
    other["routes"] = [{**route, "name": f"{route['name']}-2"} for route in other["routes"] if "match" in route]
    other |= {"services": {}, "policies": []}
    one["policies"][1]["rate_limit"]["local"] = limit("web", "web-2")
    both = load(whole(one, other, only=["shop.buy"]))
    assert copied(load(whole(of_one(""), only=["shop.buy"])), 2, "tenants").digest == both.digest


@pytest.mark.parametrize("name", [name for name, _ in shipped()])
def test_each_copy_is_asked_for_as_much(name: str) -> None:
    spec = load(name)
    one, three = expected_visits(spec).calls_per_s, expected_visits(copied(spec, 3)).calls_per_s
    wanted = {}
    for place, rate in one.items():
        service, _, endpoint = place.partition(".")
        wanted |= {f"{service}{end}.{endpoint}": rate for end in ("", "-2", "-3")}
    assert three == pytest.approx(wanted)
    tenants = expected_visits(copied(spec, 3, "tenants")).calls_per_s
    if not spec.routes:  # those may send tenants elsewhere
        assert tenants == pytest.approx({place: 3 * rate for place, rate in one.items()})


@pytest.mark.parametrize("architecture", ["none", "gateway", "sidecar", "ambient-waypoint"])
def test_planes_have_everything_so_many_times(architecture: str) -> None:
    spec = load("bookinfo")
    one, five = lower(spec, architecture), lower(copied(spec, 5), architecture)

    def count(plane: Any, role: str) -> int:
        return sum(len(one.replicas) for one in plane.services if one.role == role and one.name not in SHARED)

    assert count(five, "app") == 5 * count(one, "app")
    assert count(five, "proxy") == 5 * count(one, "proxy")
    shared = [len(one.replicas) for one in five.services if one.name == "gateway"]
    assert shared == [len(one.replicas) for one in one.services if one.name == "gateway"]


SHARED = ("gateway", "ztunnel")


def queue() -> dict[str, Any]:
    """M/M/1: 50/s, of which one takes 10 ms."""
    return {
        "meshsim": 1,
        "services": {"queue": {"cpu": 1, "discipline": "fifo", "endpoints": {"get": [{"work": {"exp": "10ms"}}]}}},
        "tenants": {"web": {"slo": {"mean": "1s"}}},
        "traffic": [{"name": "web", "entry": "queue.get", "tenant": "web", "arrivals": {"poisson": "50/s"}}],
        "network": NO_NETWORK,
        "policy_defaults": "none",
        "run": {"duration": "60s", "warmup": "10s", "replications": 4},
    }


def test_each_copy_is_m_m_1_and_the_first_the_single_one() -> None:
    spec = load(queue())
    single, several = (ms.run(one, "none", quiet=True) for one in (spec, copied(spec, 3)))
    theory_s = 0.01 / (1.0 - 0.5)
    for end in ("", "-2", "-3"):
        told = several.by_tenant[f"web{end}"].latency_s["mean"]
        assert told.low is not None and told.high is not None
        assert told.low - 0.1 * theory_s <= theory_s <= told.high + 0.1 * theory_s
        found = several.by_service[f"queue{end}"]
        assert found.utilization.value == pytest.approx(0.5, rel=0.06)
    first = several.by_tenant["web"].latency_s
    assert {name: one.value for name, one in first.items()} == {
        name: one.value for name, one in single.by_tenant["web"].latency_s.items()
    }
    means = [several.by_tenant[f"web{end}"].latency_s["mean"].value for end in ("", "-2", "-3")]
    assert len(set(means)) == 3  # their requests are others
    assert np.isclose(math.fsum(filter(None, means)) / 3, theory_s, rtol=0.1)


def test_tenants_share_the_queue() -> None:
    """Two tenants at 20/s each are M/M/1 at 40/s."""
    spec = load(queue(), overrides=["traffic.web.arrivals.poisson=20/s"])
    found = ms.run(copied(spec, 2, "tenants"), "none", quiet=True)
    for name in ("web", "web-2"):
        assert found.by_tenant[name].latency_s["mean"].value == pytest.approx(0.01 / (1 - 0.4), rel=0.1)


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"services.queue-2": {"endpoints": {"get": [{"work": "1ms"}]}}}, "two services would be called 'queue-2'"),
        ({"tenants.web-3": {"weight": 2}}, "two tenants would be called 'web-3'"),
        ({"policies": [{"name": "all", "rate_limit": {"local": {"rate": "5/s", "burst": 5}}}]}, "policies.all would"),
        ({"policies": [{"name": "a", "timeout": "1s"}, {"name": "a-2", "timeout": "1s", "to": "queue"}]}, None),
    ],
)
def test_what_cannot_be_copied(changes: dict[str, Any], message: str | None) -> None:
    spec = queue()
    for path, value in changes.items():
        part, _, name = path.partition(".")
        spec[part] = {**spec[part], name: value} if name else value
    read = load(spec)
    assert copied(read, 1).digest == read.digest
    if message is None:
        assert [one.name for one in copied(read, 2).policies] == ["a", "a-2", "a-2-2"]
        return
    with pytest.raises(UsageError, match=message):
        copied(read, 3)


@pytest.mark.parametrize("number", [0, -1, 101])
def test_numbers_that_are_none(number: int) -> None:
    with pytest.raises(UsageError, match="copies are 1 to 100"):
        copied(load("bookinfo"), number)
