"""Intervals of a bill: as wide as replications scatter, around what they say on average, and they hold the truth."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import pytest
from by_hand import cost, service, stream, topology

import meshsim as ms
from meshsim.results.intervals import Estimate

T = 3.182446  # Student's, 97.5 %, of four replications
FRONT = {"get": [{"work": "2ms"}, {"call": "stock.get"}]}
SHOP = topology(
    {"front": {**service(cpu=2, replicas=2), "endpoints": FRONT}, "stock": service("3ms", replicas=3)},
    stream("mail", "front.get", {"poisson": "30/s"}, response="64KiB"),
    stream("maps", "front.get", {"mmpp": {"rates": ["2/s", "60/s"], "stay": ["4s", "1s"]}}, response="8KiB"),
    stream("maps", "stock.get", {"poisson": "10/s"}),
    nodes={"zones": ["a", "b"]},
    run={"duration": "12s", "warmup": "2s", "replications": 4},
)


def lies_around(found: Estimate, each: Sequence[float], centre: float | None = None) -> None:
    """The interval is that of Student's t around the mean."""
    values = np.array(each)
    assert found.value == pytest.approx(values.mean() if centre is None else centre)
    half = T * values.std(ddof=1) / 2
    assert found.low is not None and found.high is not None and found.value is not None and half > 0
    assert (found.value - found.low, found.high - found.value) == pytest.approx((half, half))


@pytest.fixture(scope="module")
def costs() -> ms.Costs:
    return ms.cost(SHOP, ["none", "sidecar"], quiet=True)


def test_of_bills_and_tenants(costs: ms.Costs) -> None:
    one = costs["sidecar"]
    each = one.analysis.each
    lies_around(one.money, [split.bill.per_hour * 730 for split in each])
    lies_around(one.groups["traffic"], [split.by_item["egress"] * 730 + split.by_item["cross-zone, requests"] * 730
                                        + split.by_item["cross-zone, answers"] * 730 for split in each])  # fmt: skip
    for number, tenant in enumerate(one.tenants.values()):
        lies_around(tenant.money, [split.by_tenant[number] * 730 for split in each])


def test_of_a_million_requests(costs: ms.Costs) -> None:
    one = costs["sidecar"]
    for number, tenant in enumerate(one.tenants.values()):
        rates = [split.rates.by_tenant(split.rates.requests_per_s)[number] for split in one.analysis.each]
        paid = [split.by_tenant[number] for split in one.analysis.each]
        millions = [rate * 3600 / 1e6 for rate in rates]
        each = [money / much for money, much in zip(paid, millions, strict=True)]
        lies_around(tenant.per_million, each, np.mean(paid) / np.mean(millions))
        assert tenant.marginal_per_million == pytest.approx(tenant.marginal / (730 * np.mean(millions)))


def test_of_what_the_mesh_adds(costs: ms.Costs) -> None:
    sides = [[split.by_item for split in costs[name].analysis.each] for name in ("sidecar", "none")]
    for item in ("cross-zone, requests", "cross-zone, answers"):
        each = [(one[item] - other[item]) * 730 for one, other in zip(*sides, strict=True)]
        lies_around(costs["sidecar"].tax.items[item], each)
    each = [sum(one.values()) - sum(other.values()) for one, other in zip(*sides, strict=True)]
    added = costs["sidecar"].tax.added
    assert added is not None
    lies_around(added, [730 * money for money in each])


def test_of_errors_method_and_truth_are_of_the_same_replication(costs: ms.Costs) -> None:
    one = costs["none"]
    each = []
    for split in one.analysis.each:
        rates = split.rates.by_tenant(split.rates.requests_per_s)
        each.append(rates[0] / rates.sum() - split.by_tenant[0] / split.by_tenant.sum())
    error = one.errors("requests", "bill")[0]
    lies_around(error.error, each)
    assert error.error.value == pytest.approx(error.share - error.truth)
    assert error.money == pytest.approx((error.error.value or 0.0) * 730 * one.per_hour)


def test_intervals_hold_the_mean_over_seeds() -> None:
    """Of 30 intervals of 95 % fewer than 25 would hold it once in 300 times (binomial)."""
    of = topology(
        {"front": service("5ms", cpu=4)},
        stream("a", "front.get", {"poisson": "20/s"}),
        stream("b", "front.get", {"mmpp": {"rates": ["2/s", "60/s"], "stay": ["2s", "2s"]}}),
        run={"replications": 4},
    )
    found = [cost(of, rule="peak", given={"seed": seed}, cpu=1.0).tenants["b"].money for seed in range(30)]
    truth = float(np.mean([one.value for one in found]))
    assert sum((one.low or 0.0) <= truth <= (one.high or 0.0) for one in found) >= 25
