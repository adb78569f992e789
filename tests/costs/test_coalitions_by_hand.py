"""What coalitions need, on deployments small enough to count it."""

from __future__ import annotations

import math

import numpy as np
import pytest
from by_hand import cost, only, service, stream, topology

import meshsim as ms
from meshsim.costs.analysis import analyse
from meshsim.costs.bill import Tariff
from meshsim.costs.deployed import Station
from meshsim.costs.lines import GIB, Buying
from meshsim.costs.nodes import Packed
from meshsim.costs.packing import NodeType
from meshsim.costs.shapley import all_coalitions

SHORT = {"duration": "8s", "warmup": "2s"}
MAIL, MAPS = stream("mail", "mails.get", "20/s"), stream("maps", "map.get", "20/s")


def test_whole_replicas_are_for_the_work_of_app_and_sidecar() -> None:
    """Mail has most of the service's work and maps most of its sidecar's, which is far more."""
    shop = service(replicas=4)
    shop["endpoints"] = {"mail": [{"work": "5ms"}], "map": [{"work": "10us"}]}
    of = topology(
        {"shop": shop},
        stream("mail", "shop.mail", "4/s"),
        stream("maps", "shop.map", "400/s"),
        run=SHORT,
    )
    one = cost(of, "sidecar-only", "shapley", cpu=1.0)
    used = [one.result.usage[station] for station in ("shop", "sidecar@shop")]
    mail, maps = (math.fsum(float(at[name].cpu_s.sum()) for at in used) for name in ("mail", "maps"))
    of_app = float(used[0]["mail"].cpu_s.sum() / (used[0]["mail"].cpu_s.sum() + used[0]["maps"].cpu_s.sum()))
    share = mail / (mail + maps)
    assert math.ceil(4 * share) == 1 and math.ceil(4 * of_app) == 4
    (line,) = [line for line in one.analysis.mean.bill.lines if line.item == "applications, cores"]
    assert line.needs.of(all_coalitions(2)).tolist() == [0.0, 1.0, 4.0, 4.0]


def test_what_is_scaled_half_way_is_billed_as_the_mean() -> None:
    """Two replicas of a core for half of the measured time, then four."""

    def grow(control: ms.Control):
        yield control.env.timeout(5.0)
        control.scale("mails", 4)

    spec = ms.load(topology({"mails": service(replicas=2)}, MAIL, run=SHORT))
    room = {"max_replicas": {"mails": 4}, "controllers": [grow], "quiet": True}
    result = ms.run(spec, duration_s=8, warmup_s=2, **room)  # type: ignore[arg-type]
    found = analyse(spec, result, Tariff(only(cpu=1.0)), Buying(), "proportional")
    assert found.mean.bill.per_hour == pytest.approx(3.0, rel=0.01)


def test_what_nobody_uses_is_needed_by_anybody() -> None:
    of = topology({"mails": service(), "map": service(), "spare": service(cpu=3)}, MAIL, MAPS, run=SHORT)
    one = cost(of, "none", "shapley", cpu=1.0)
    bill = one.analysis.mean.bill
    assert bill.cost(all_coalitions(2)).tolist() == pytest.approx([0.0, 4.0, 4.0, 5.0])
    assert bill.per_hour == pytest.approx(5.0)
    assert one.tenants["mail"].money.value == pytest.approx(2.5 * 730)


def test_nodes_of_each_coalition_by_itself() -> None:
    """Three pods of a core on two nodes of two: mail needs one pod, maps two, and each of them one node."""
    of = topology(
        {"mails": service(memory="1GiB"), "map": service(memory="1GiB", replicas=2)},
        MAIL,
        MAPS,
        run=SHORT,
        nodes={"cpu": 2, "memory": "8GiB"},
        prices={"node": "$1/h"},
    )
    one = cost(of, given={"nodes": "own"}, cpu=0.03, memory=0.004)
    assert one.total_cents == 2 * 73000
    for tenant in one.tenants.values():
        assert (tenant.alone, tenant.marginal) == pytest.approx((730.0, 730.0))


def test_every_node_that_a_coalition_needs_has_its_ztunnel() -> None:
    """Mail alone needs fewer nodes than both, and each node costs its price with all that is on it."""
    of = topology(
        {"mails": service(memory="1GiB"), "map": service(memory="1GiB", replicas=6)},
        MAIL,
        MAPS,
        run=SHORT,
        nodes={"cpu": 2.5, "memory": "8GiB"},
        prices={"node": "$1/h"},
    )
    bill = cost(of, "ambient", given={"nodes": "own"}, cpu=0.03, memory=0.004).analysis.mean.bill
    (ztunnels,) = [line for line in bill.lines if line.item == "proxies, cores" and line.station == "ztunnel"]
    nodes = ztunnels.needs.of(all_coalitions(2)) / 0.2
    assert nodes.tolist() == pytest.approx(np.round(nodes).tolist())
    assert nodes[0] == 0 and nodes[1] < nodes[3]
    np.testing.assert_allclose(bill.cost(all_coalitions(2)), nodes)


def test_a_sidecar_is_packed_in_the_pod_of_its_service() -> None:
    """Two replicas of 0.95 cores fit on a node of two; with their sidecars of 0.1 they do not."""

    def station(name: str, cores: float) -> Station:
        ones = np.array([1.0])
        return Station(name, name == "shop", 2.0, 2 * cores, 1.0, ones, 0 * ones, ones)

    shop, sidecar = station("shop", 0.95), station("sidecar@shop", 0.1)
    node = NodeType("small", 2.0, 8 * GIB)
    assert Packed([shop], None, node, 0.5).nodes((True,)) == 1
    assert Packed([shop, sidecar], None, node, 0.5).nodes((True,)) == 2
