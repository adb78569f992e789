"""Load balancers and bytes of several tenants, by hand."""

from __future__ import annotations

import numpy as np
import pytest
from by_hand import cost, service, stream, topology

import meshsim as ms
from meshsim.costs.lcu import BalancerLoad
from meshsim.costs.network import balancer_load
from meshsim.costs.result import Cost

RUN = {"duration": "20s", "warmup": "4s"}
FRESH = {"connections": "per_request"}


def load_of(of: dict) -> tuple[Cost, BalancerLoad]:
    one = cost(of)
    return one, balancer_load(ms.load(of), one.result, one.analysis.mean.rates)


def test_the_dimension_that_all_together_need_most_binds() -> None:
    """Of connections one needs three units and the other none, of bytes each two: four together."""
    load = BalancerLoad(
        new_connections_per_s=np.array([75.0, 0.0]),
        active_connections=np.zeros(2),
        bytes_per_s=np.array([2e9, 2e9]) / 3600,
        rule_evaluations_per_s=np.zeros(2),
    )
    assert load.binding() == "bytes"
    assert load.together(np.array([[True, True], [True, False]])).tolist() == pytest.approx([4.0, 3.0])


def test_connections_are_open_as_long_as_the_requests_of_the_same_tenant() -> None:
    """Ten requests/s of 1 s, and 30 ms on the way, keep 10.3 connections open, ten of 10 ms 0.4."""
    shop = service()
    shop["endpoints"] = {"slow": [{"wait": "1s"}], "fast": [{"wait": "10ms"}]}
    traffic = stream("mail", "shop.slow", "10/s", **FRESH), stream("maps", "shop.fast", "10/s", **FRESH)
    _, load = load_of(topology({"shop": shop}, *traffic, run=RUN))
    assert load.active_connections.tolist() == pytest.approx([10.3, 0.4], rel=0.05)


def test_streams_count_by_their_rates() -> None:
    """Of one endpoint's requests three in four open a connection, and the others have a pool."""
    traffic = (
        stream("mail", "shop.get", "30/s", name="phones", **FRESH),
        stream("mail", "shop.get", "10/s", name="robots", connections=5),
    )
    _, load = load_of(topology({"shop": service()}, *traffic, run=RUN))
    assert load.new_connections_per_s.tolist() == pytest.approx([30.0], rel=0.01)


def test_closed_streams_count_by_their_users() -> None:
    traffic = (
        stream("mail", "shop.get", {"closed": {"users": 30, "think": "1s"}}, name="phones", **FRESH),
        stream("mail", "shop.get", {"closed": {"users": 10, "think": "1s"}}, name="robots", connections=5),
    )
    one, load = load_of(topology({"shop": service()}, *traffic, run=RUN))
    opened = load.new_connections_per_s / one.analysis.mean.rates.requests_per_s
    assert opened.tolist() == pytest.approx([30 / 40])


def test_answers_go_through_the_nat_gateway_once() -> None:
    of = topology({"shop": service()}, stream("mail", "shop.get", "10/s", response="1MiB"), run=RUN)
    one = cost(of, given={"nat": True}, nat=1.0, egress=1.0)
    items = one.analysis.cents.items
    assert items["NAT bytes"] == items["egress"] == pytest.approx(10 / 1024 * 3600 * 730 * 100, rel=0.01)
