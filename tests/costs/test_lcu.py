"""Units of a load balancer, by hand."""

from __future__ import annotations

import numpy as np
import pytest

import meshsim as ms
from meshsim.costs.lcu import BalancerLoad, rule_evaluations_per_s
from meshsim.costs.network import balancer_load


def one(**given: float) -> BalancerLoad:
    names = ("new_connections_per_s", "active_connections", "bytes_per_s", "rule_evaluations_per_s")
    return BalancerLoad(**{name: np.array([given.get(name, 0.0)]) for name in names})


def test_the_example_of_the_price_page() -> None:
    """One connection a second for two minutes, 5 requests/s, 300 KB/s in all, 60 rules: 1.08 units, of bytes."""
    rules = rule_evaluations_per_s(5.0, 60)
    load = one(new_connections_per_s=1.0, active_connections=120.0, bytes_per_s=300e3, rule_evaluations_per_s=rules)
    units = {name: float(value[0]) for name, value in load.units().items()}
    assert units == pytest.approx(
        {"new_connections": 0.04, "active_connections": 0.04, "bytes": 1.08, "rule_evaluations": 0.25}
    )
    assert load.binding() == "bytes"
    assert load.together(np.array([[True], [False]])).tolist() == pytest.approx([1.08, 0.0])


@pytest.mark.parametrize(
    ("given", "units", "binding"),
    [
        ({"new_connections_per_s": 50.0, "bytes_per_s": 1e9 / 3600}, 2.0, "new_connections"),
        ({"active_connections": 9000.0, "bytes_per_s": 2e9 / 3600}, 3.0, "active_connections"),
        ({"rule_evaluations_per_s": 4000.0, "active_connections": 3000.0}, 4.0, "rule_evaluations"),
        ({}, 0.0, "new_connections"),
    ],
)
def test_the_largest_counts(given: dict[str, float], units: float, binding: str) -> None:
    load = one(**given)
    assert (load.binding(), float(load.together(np.array([[True]]))[0])) == (binding, pytest.approx(units))


def test_ten_rules_are_free() -> None:
    assert [rule_evaluations_per_s(2.0, rules) for rules in (1, 10, 11, 30)] == [0.0, 0.0, 2.0, 40.0]


def test_coalitions_have_their_own_largest() -> None:
    """One needs 2 units of connections, the other 3 of bytes; together bytes bind, and the first adds a little."""
    load = BalancerLoad(
        new_connections_per_s=np.array([50.0, 5.0]),
        active_connections=np.zeros(2),
        bytes_per_s=np.array([0.5e9, 3e9]) / 3600,
        rule_evaluations_per_s=np.zeros(2),
    )
    members = np.array([[True, False], [False, True], [True, True]])
    assert load.together(members).tolist() == pytest.approx([2.0, 3.0, 3.5])


def test_what_passes_the_load_balancer_of_a_topology() -> None:
    """Twelve entry endpoints are twelve rules; every tenth request opens a connection, and eight are kept besides."""
    endpoints = {f"e{number}": [{"work": "1ms"}] for number in range(12)}
    traffic = [
        {"name": name, "tenant": "web", "entry": f"shop.{name}", "arrivals": {"constant": "10/s"}, "request": "1KiB",
         "response": "3KiB", "connections": 8 if name == "e0" else {"requests": 10}}
        for name in endpoints
    ]  # fmt: skip
    shop = {"meshsim": 1, "services": {"shop": {"replicas": 2, "endpoints": endpoints}}, "traffic": traffic}
    shop |= {"run": {"duration": "8s", "warmup": "2s", "replications": 2}, "network": {"client": "45ms"}}
    one = ms.cost(shop, ["none"], quiet=True)["none"]
    load = balancer_load(ms.load(shop), one.result, one.analysis.mean.rates)
    assert load.new_connections_per_s.tolist()[:2] == pytest.approx([0.0, 1.0], rel=0.01)  # e0 and e1
    assert load.new_connections_per_s.sum() == pytest.approx(11.0, rel=0.01)
    assert load.rule_evaluations_per_s.sum() == pytest.approx(240.0, rel=0.01)
    assert load.bytes_per_s.sum() == pytest.approx(120 * 4096.0, rel=0.01)
    latency_s = one.result.latency_s["mean"].value
    assert latency_s is not None and latency_s > 0.09
    assert load.active_connections.sum() == pytest.approx(8 + 11.0 * latency_s, rel=0.01)
