"""Ways to split a bill that see less, on deployments small enough to do it by hand."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
from by_hand import cost, service, stream, topology

from meshsim.architectures.plane import Account
from meshsim.costs.methods import owners
from meshsim.costs.result import Cost
from meshsim.costs.use import Rates

SHORT = {"duration": "8s", "warmup": "2s"}


def of_mail(one: Cost, method: str, scope: str = "bill") -> float:
    return one.errors(method, scope)[0].share


def two(mails: dict[str, Any], maps: dict[str, Any]) -> dict[str, Any]:
    traffic = stream("mail", "mails.get", "100/s"), stream("maps", "map.get", "10/s")
    return topology({"mails": mails, "map": maps}, *traffic, run=SHORT)


def test_a_pod_costs_the_greater_of_request_and_use() -> None:
    """Mail's requests 20m and uses 0.2 cores, that of maps requests a core and uses little of it."""
    one = cost(two(service("2ms", cpu={"request": "20m", "limit": 1}), service()), cpu=1.0)
    assert of_mail(one, "pods-even") == pytest.approx(0.2 / 1.2, rel=0.01)


def test_a_sidecar_is_in_the_pod_of_its_service() -> None:
    """Three sidecars are in mail's pods, one in that of maps."""
    one = cost(two(service(replicas=3), service()), "sidecar-only", cpu=1.0)
    assert of_mail(one, "pods-even", "proxies") == pytest.approx(3 / 4)


def test_what_is_shared_goes_by_all_that_is_owned_not_by_what_is_split() -> None:
    """Nobody owns a gateway: in proportion to the pods behind it, three cores and one, it is 3 : 1."""
    one = cost(two(service(replicas=3), service()), "gateway", cpu=1.0)
    assert of_mail(one, "pods-proportional", "proxies") == pytest.approx(3 / 4)
    assert of_mail(one, "pods-even", "proxies") == pytest.approx(1 / 2)


def test_the_owner_sends_most_of_the_requests_that_enter_there() -> None:
    """Maps calls more endpoints of shop, and sends more elsewhere; mail sends more to shop."""
    accounts = (("mail", "buy", 70.0, "shop"), ("maps", "buy", 30.0, "shop"), ("maps", "look", 30.0, "shop"))
    accounts += (("maps", "take", 900.0, "stock"),)  # type: ignore[assignment]
    rates = Rates(
        tuple(Account(tenant=tenant, service=at, endpoint=endpoint) for tenant, endpoint, _, at in accounts),
        {},
        np.array([rate for _, _, rate, _ in accounts]),
    )
    assert owners(rates) == {"shop": 0, "stock": 1}


def test_bytes_in_caches_are_of_whoever_has_the_keys() -> None:
    shop = service(caches={"goods": {"capacity": 100, "size": "20KiB"}})
    buy = {"cache": {"name": "goods", "key": "item", "miss": [{"work": "1ms"}]}}
    shop["endpoints"] = {"buy": [buy], "look": [{"work": "1ms"}]}
    keys = {"keys": {"item": {"uniform": {"items": 1000}}}}
    of = topology(
        {"shop": shop}, stream("mail", "shop.buy", "60/s", **keys), stream("maps", "shop.look", "60/s"), run=SHORT
    )
    one = cost(of, memory=1.0)
    used = one.result.usage["shop"]
    assert used["mail"].cache_byte_s.sum() > 0.9 * 6 * 100 * 20 * 1024
    assert used["maps"].cache_byte_s.sum() == 0
    assert one.tenants["maps"].own == 0 and one.tenants["mail"].own > 0
