"""What is bought, beside what was deployed and what was counted."""

from __future__ import annotations

import math

import pytest

import meshsim as ms
from meshsim.costs import deployed
from meshsim.costs.bill import Bill
from meshsim.costs.lines import GIB, Line
from meshsim.errors import UsageError

SHOP = {
    "meshsim": 1,
    "services": {
        "shop": {
            "replicas": 3,
            "cpu": {"request": "20m", "limit": 1},
            "memory": "512MiB",
            "caches": {"goods": {"capacity": 100, "size": "20KiB"}},
            "endpoints": {
                "buy": [
                    {"work": "2ms"},
                    {"cache": {"name": "goods", "key": "item", "miss": [{"call": "stock.take"}]}},
                ]
            },
        },
        "stock": {"replicas": 2, "cpu": 1, "endpoints": {"take": [{"work": "1ms"}]}},
    },
    "tenants": {"mail": {}, "maps": {}},
    "traffic": [
        {
            "name": name,
            "tenant": name,
            "entry": "shop.buy",
            "arrivals": {"constant": f"{rate}/s"},
            "keys": {"item": {"zipf": {"items": 1000, "exponent": 0.8}}},
            "request": "1KiB",
            "response": answer,
        }
        for name, rate, answer in (("mail", 60, "4KiB"), ("maps", 40, "64KiB"))
    ],
    "nodes": {"zones": ["a", "b"]},
    "run": {"duration": "8s", "warmup": "2s", "replications": 2},
}


def bill(architecture: str, **given: object) -> tuple[ms.Result, Bill]:
    one = ms.cost(SHOP, [architecture], quiet=True, **given)[architecture]  # type: ignore[arg-type]
    return one.result, one.analysis.mean.bill


def lines(found: Bill, item: str) -> dict[str, Line]:
    return {line.station: line for line in found.lines if line.item == item}


@pytest.mark.parametrize("architecture", ["none", "sidecar", "ambient"])
def test_cores_and_memory_are_what_is_requested(architecture: str) -> None:
    result, found = bill(architecture)
    for role, name in (("app", "applications"), ("proxy", "proxies")):
        cores, memory = lines(found, f"{name}, cores"), lines(found, f"{name}, memory")
        stations = [service for service in result.plane.services if service.role == role]
        assert set(cores) == set(memory) == {service.name for service in stations}
        for service in stations:
            assert cores[service.name].amount == pytest.approx(sum(r.cores_requested for r in service.replicas))
            requested = result.by_service[service.name].memory_requested_bytes
            assert memory[service.name].amount * GIB == pytest.approx(requested, rel=1e-6)
    held = lines(found, "applications, memory")["shop"].direct
    counted = [result.usage["shop"][name].cache_byte_s.sum() / 12.0 / GIB for name in ("mail", "maps")]
    assert held.tolist() == pytest.approx(counted) and min(counted) > 0


def test_what_is_used_beyond_the_request_is_not_billed() -> None:
    """0.2 cores are used of 0.06 that are requested: all of these are somebody's, in the ratio of what was used."""
    cost = ms.cost(SHOP, ["none"], quiet=True)["none"]
    line = lines(cost.analysis.mean.bill, "applications, cores")["shop"]
    assert line.amount == pytest.approx(0.06) and line.shared == pytest.approx(0.0, abs=1e-12)
    assert line.direct.tolist() == pytest.approx([0.036, 0.024], rel=0.01)
    assert any(note.startswith("shop uses more CPU than it requests") for note in cost.notes)


def test_bytes_to_clients() -> None:
    _, found = bill("gateway")
    (line,) = lines(found, "egress").values()
    expected = [60 * 4096 * 3600 / GIB, 40 * 65536 * 3600 / GIB]
    assert line.direct.tolist() == pytest.approx(expected, rel=0.01) and line.shared == 0.0
    assert line.unit == "GiB/h"


def test_bytes_between_zones_are_charged_at_both_ends() -> None:
    result, found = bill("none")
    for item, quantity in (("cross-zone, requests", "zone_bytes_in"), ("cross-zone, answers", "zone_bytes_out")):
        for station, line in lines(found, item).items():
            counted = sum(getattr(use, quantity).sum() for use in result.usage[station].values()) / 12.0
            assert line.amount == pytest.approx(counted * 3600 / GIB) and counted > 0
            assert line.keys == ("cross_zone_out", "cross_zone_in")
    per_gib = float(found.prices[[line.item == "cross-zone, answers" for line in found.lines]][0])
    assert per_gib == pytest.approx(0.02 * 2**30 / 1e9)


def test_the_control_plane_grows_with_what_it_tells(monkeypatch: pytest.MonkeyPatch) -> None:
    assert not lines(bill("none")[1], "control plane, cores")
    assert lines(bill("sidecar")[1], "control plane, cores")[""].amount == 1.0
    more = bill("sidecar", overrides=["control_plane.cores=3"])[1]
    assert lines(more, "control plane, cores")[""].amount == 3.0
    assert lines(more, "control plane, memory")[""].amount == pytest.approx(1.5e9 / GIB)
    monkeypatch.setattr(deployed, "PROXIES_PER_ISTIOD", 2)
    many = bill("sidecar")[1]  # five sidecars and two gateways
    assert lines(many, "control plane, cores")[""].amount == math.ceil(7 / 2)
    assert lines(many, "control plane, memory")[""].amount == pytest.approx(4 * 1.5e9 / GIB)


def test_every_node_has_a_ztunnel() -> None:
    """Nodes of 2.5 cores, 0.2 of them the ztunnel's: a gateway of two cores each, or two others."""
    overrides = ["nodes.cpu=2.5", "nodes.memory=8GiB", "prices.node=$0.2/h"]
    _, found = bill("ambient", nodes="own", overrides=overrides)
    ztunnels = lines(found, "proxies, cores")["ztunnel"].amount / 0.2
    items = {"applications", "proxies", "control plane", "idle nodes"}
    of_nodes = [line.item.partition(",")[0] in items for line in found.lines]
    assert found.where(of_nodes).per_hour / 0.2 == pytest.approx(ztunnels) and ztunnels == round(ztunnels)
    with pytest.raises(UsageError, match=r"a pod of gateway \(2 cores.* does not fit on a node own \(0\.3 cores"):
        bill("ambient", nodes="own", overrides=[*overrides, "nodes.cpu=500m"])
