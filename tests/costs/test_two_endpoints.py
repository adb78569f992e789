"""A tenant with two entry endpoints of different demand and size, whose costs are known in closed form.

Of a service of four half cores mail's clients call send 60 times/s, from two streams, for 2 ms and 1 KiB, and read
20 times/s for 4 ms and 15 KiB; only read goes on to stock, which has a core, for 1 ms. Maps calls map 30 times/s for
6 ms and 1 KiB. Cores cost $1 an hour, and answers to clients $1 a GiB; nothing else has a price.
"""

from __future__ import annotations

from pathlib import Path

import pytest
from test_two_tenants import EDGES, FREE

import meshsim as ms
from meshsim.costs.analysis import Analysis, analyse
from meshsim.costs.lines import Buying
from meshsim.costs.rules import Rule
from meshsim.costs.study import tariff_of
from meshsim.engines import EngineName

SHOP = """\
meshsim: 1
name: endpoints
services:
  shop:
    replicas: 4
    cpu: 500m
    memory: 1GiB
    endpoints: {send: [{work: 2ms}], read: [{work: 4ms}, {call: stock.find}], map: [{work: 6ms}]}
  stock: {replicas: 1, cpu: 1, endpoints: {find: [{work: 1ms}]}}
tenants: {mail: {}, maps: {}}
traffic:
  - {name: phones, tenant: mail, entry: shop.send, arrivals: {constant: 40/s}, response: 1KiB}
  - {name: robots, tenant: mail, entry: shop.send, arrivals: {constant: 20/s}, response: 1KiB}
  - {name: people, tenant: mail, entry: shop.read, arrivals: {constant: 20/s}, response: 15KiB}
  - {name: maps, tenant: maps, entry: shop.map, arrivals: {constant: 30/s}, response: 1KiB}
prices: {cpu: $1/core/h, egress: $1/GiB}
run: {duration: 40s, warmup: 4s, replications: 2}
"""
MONTH_H = 730.0
CORES = {"shop.send": 0.12, "shop.read": 0.08, "shop.map": 0.18}  # used of the two of shop: 0.38
EGRESS = {"shop.send": 60 * 3600 / 2**20, "shop.read": 300 * 3600 / 2**20, "shop.map": 30 * 3600 / 2**20}  # GiB/h, $/h


@pytest.fixture(params=["compiled", "simpy"])
def analysed(request: pytest.FixtureRequest, tmp_path: Path):
    engine: EngineName = request.param
    (tmp_path / "shop.yaml").write_text(SHOP, encoding="utf-8")
    (tmp_path / "free.yaml").write_text(FREE, encoding="utf-8")
    spec = ms.load(tmp_path / "shop.yaml")
    result = ms.run(spec, engine=engine, quiet=True)
    tariff = tariff_of(spec, tmp_path / "free.yaml", None)
    return lambda rule: analyse(spec, result, tariff, Buying(), rule)


@pytest.mark.parametrize(
    ("rule", "mails_of_shop", "mails_of_stock"),
    [
        ("proportional", 2 * 0.20 / 0.38, 1.0),
        ("peak", 2 * 0.20 / 0.38, 1.0),
        ("even", 0.20 + (2 - 0.38) / 2, 0.02 + 0.98 / 2),
        ("shapley", 2 * (3 / 4 + 4 / 4 - 2 / 4) / 2, 1.0),  # alone ⌈4 · 0.526⌉ replicas of four, beside maps' two
    ],
)
def test_what_each_endpoint_pays(analysed, rule: Rule, mails_of_shop: float, mails_of_stock: float) -> None:
    """Of shop's cores in the ratio of what the endpoints use of them; all that mail pays of stock is read's."""
    found: Analysis = analysed(rule)
    mail = found.tenants["mail"]
    assert mail.entries == ("shop.read", "shop.send")
    expected = {
        "shop.send": mails_of_shop * 0.6 + EGRESS["shop.send"],
        "shop.read": mails_of_shop * 0.4 + mails_of_stock + EGRESS["shop.read"],
    }
    within = 5e-3 if rule == "peak" else EDGES
    paid = {entry: one.money.value for entry, one in mail.by_entry.items()}
    assert paid == pytest.approx({entry: money * MONTH_H for entry, money in expected.items()}, rel=within)
    assert mail.money.value == pytest.approx(sum(expected.values()) * MONTH_H, rel=within)
    for entry, per_hour in (("shop.send", 0.216), ("shop.read", 0.072)):  # millions of requests
        assert mail.by_entry[entry].per_million.value == pytest.approx(expected[entry] / per_hour, rel=2 * within)
    for tenant in found.tenants.values():
        assert sum(one.cents for one in tenant.by_entry.values()) == tenant.cents


def test_own_use_of_each_endpoint(analysed) -> None:
    found: Analysis = analysed("even")
    own = {entry: one.own for entry, one in found.tenants["mail"].by_entry.items()}
    of_stock = {"shop.read": 0.02, "shop.send": 0.0}
    expected = {entry: (CORES[entry] + of_stock[entry] + EGRESS[entry]) * MONTH_H for entry in own}
    assert own == pytest.approx(expected, rel=EDGES)


def test_marginal_and_alone_of_each_endpoint(analysed) -> None:
    """Without send shop needs ⌈4 · 0.68⌉ replicas, three; without read ⌈4 · 0.79⌉, all four, but no stock.

    Without both ⌈4 · 0.47⌉, two: what is saved without mail is more than what is saved without either.
    """
    found: Analysis = analysed("proportional")
    mail = found.tenants["mail"]
    send, read = mail.by_entry["shop.send"], mail.by_entry["shop.read"]
    assert send.marginal == pytest.approx((0.5 + EGRESS["shop.send"]) * MONTH_H, rel=EDGES)
    assert read.marginal == pytest.approx((1.0 + EGRESS["shop.read"]) * MONTH_H, rel=EDGES)
    assert mail.marginal == pytest.approx(send.marginal + read.marginal + 0.5 * MONTH_H, rel=EDGES)
    assert send.marginal_per_million == pytest.approx((0.5 + EGRESS["shop.send"]) / 0.216, rel=2 * EDGES)
    assert send.alone == pytest.approx((2 * 0.5 + EGRESS["shop.send"]) * MONTH_H, rel=EDGES)
    assert read.alone == pytest.approx((0.5 + 1.0 + EGRESS["shop.read"]) * MONTH_H, rel=EDGES)
    maps = found.tenants["maps"]
    (only,) = maps.by_entry.values()
    assert (only.cents, only.money, only.marginal, only.alone) == (maps.cents, maps.money, maps.marginal, maps.alone)
