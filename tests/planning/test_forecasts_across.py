"""Architectures over copies, tenants and values of a path, beside arithmetic: bills, memory, whole proxies, failing."""

from __future__ import annotations

import math
from functools import cache
from typing import Any

import pytest
from growing_shop import GATEWAY_CORES, MONTH, RATE_PER_S, growing_shop, replicas
from test_plans_of_queues import WORK_S, queue

import meshsim as ms
from meshsim.errors import UsageError
from meshsim.forecasting.along import crossovers_along
from meshsim.forecasting.result import Bounds, Map

NUMBERS = [1, 2, 3, 4, 8]
PAIR = ["gateway", "sidecar-only"]


def mapped(path: str, values: list[Any], architectures: list[str], **words: Any) -> Map:
    asked: dict[str, Any] = {"months": 1, "growth": {1: 1.5}, "lose": 0, "engine": "analytic", "crossover": False}
    asked |= {"quiet": True, **words}
    topology = asked.pop("topology", growing_shop())
    found = ms.forecast(topology, architectures, across=(path, [str(one) for one in values]), **asked).map
    assert found is not None
    return found


@cache
def of_copies() -> Map:
    return mapped("copies", NUMBERS, ["none", *PAIR])


def costs(told: Map, name: str, load: float = 1.0) -> list[int | None]:
    return [told.cents[value, load][name] for value in told.values]


def test_bills_of_copies_by_hand() -> None:
    """n copies have n times the replicas of one; one gateway carries them all."""
    told = of_copies()
    for load in told.loads:
        each = replicas(RATE_PER_S * load)
        assert costs(told, "none", load) == [n * each * MONTH for n in NUMBERS]
        assert costs(told, "sidecar-only", load) == [2 * n * each * MONTH for n in NUMBERS]
        assert costs(told, "gateway", load) == [round((n * each + GATEWAY_CORES) * MONTH) for n in NUMBERS]
    assert [told.best(value, 1.0) for value in told.values] == ["none"] * len(NUMBERS)


def test_from_which_copy_on_the_gateway_is_cheaper() -> None:
    """2 n r cores against n r + 4.5, with r = 2: from 2.25 copies on."""
    told = of_copies()
    (one,) = [one for one in told.crossovers if one.quantity == "cost"]
    first = math.ceil(GATEWAY_CORES / replicas(RATE_PER_S))
    assert (one.before, one.after, one.low, one.high) == ("sidecar-only", "gateway", str(first - 1), str(first))
    assert (one.until, one.is_last, one.ties) == ("8", True, ())
    assert [bounds.value for bounds in one.values] == [told.cents["3", 1.0][name] for name in PAIR[::-1]]
    (same,) = [c for c in told.no_crossovers if c.quantity == "cost" and (c.one, c.other) == ("none", "gateway")]
    assert same.better == "none"


def test_one_copy_is_the_forecast_itself() -> None:
    found = ms.forecast(
        growing_shop(), PAIR, months=1, lose=0, engine="analytic", across=("copies", ["1", "2"]), quiet=True
    )
    assert found.map is not None
    for name in PAIR:
        planned = found[name].months[0].planned
        assert planned is not None and found.map.cents["1", 1.0][name] == planned.cents


def test_tenants_share_replicas_and_copies_do_not() -> None:
    """n tenants at 100/s need as many replicas as one at n times that; n copies n times the replicas of one."""
    told = mapped("tenants", NUMBERS, ["none"])
    assert costs(told, "none") == [replicas(n * RATE_PER_S) * MONTH for n in NUMBERS]
    assert replicas(8 * RATE_PER_S) < 8 * replicas(RATE_PER_S)


def test_memory_of_sidecars_that_know_everything_grows_with_the_square() -> None:
    """Each of 2 n sidecars knows n clusters of 1 GiB: 2 n² GiB against the gateway's 30: from the fourth copy on."""
    gateway_gib = 30
    nothing = {"memory_base": "0MiB", "memory_per_endpoint": "0MiB", "memory_per_connection": "0MiB"}
    mesh = {
        "gateway": {"cpu": 1, "memory": f"{gateway_gib}GiB", "memory_per_cluster": "1MiB", **nothing},
        "sidecar": {"cpu": 1, "memory": "1MiB", "memory_per_cluster": "1GiB", **nothing},
    }
    service = {"cpu": 1, "memory": "1B", "replicas": 2, "endpoints": {"buy": [{"work": "10ms"}]}}
    shop = growing_shop(mesh=mesh, services={"shop": service}, prices={"cpu": "$0/core/h", "memory": "$1/GiB/h"})
    numbers = [1, 2, 3, 4, 5, 10]
    told = mapped("copies", numbers, PAIR, topology=shop)
    each = replicas(RATE_PER_S)
    assert costs(told, "sidecar-only") == pytest.approx([each * n * n * MONTH for n in numbers], abs=5)
    assert costs(told, "gateway") == pytest.approx([gateway_gib * MONTH] * len(numbers), abs=5)
    (one,) = [one for one in told.crossovers if one.quantity == "cost"]
    first = math.ceil(math.sqrt(gateway_gib / each))
    assert (one.before, one.after, one.high) == ("sidecar-only", "gateway", str(first))
    scoped = {**mesh, "sidecar": {**mesh["sidecar"], "knows": "called"}}
    narrow = mapped("copies", numbers, ["sidecar-only"], topology={**shop, "mesh": scoped})
    bills = costs(narrow, "sidecar-only")
    assert bills == pytest.approx([n * (bills[0] or 0) for n in numbers], abs=5)


def test_small_services_share_whole_gateways() -> None:
    """Of a gateway of 1 core, each message of a copy takes 1 ms: 100/s of each are a tenth; 80 % may be used."""
    proxy = {"cpu": 1, "cpu_per_request": "1ms", "cpu_per_kib": "0ms", "tls_handshake": "0ms", "threads": 1}
    shop = growing_shop(mesh={"gateway": proxy, "sidecar": proxy})
    numbers = [1, 7, 9, 15, 17]
    told = mapped("copies", numbers, PAIR, topology=shop)
    gateways = [math.ceil(n * RATE_PER_S * 0.001 / 0.8 - 1e-9) for n in numbers]
    each = replicas(RATE_PER_S)
    assert gateways == [1, 1, 2, 2, 3]
    assert costs(told, "gateway") == [(n * each + g) * MONTH for n, g in zip(numbers, gateways, strict=True)]
    assert costs(told, "sidecar-only") == [2 * n * each * MONTH for n in numbers]


@cache
def struck() -> Map:
    """Alarms look often, so that runs are short."""
    shop = growing_shop(people={"monitoring": "5s"}, tenants={"web": {"slo": {"p90": "1s"}}})
    return mapped("copies", [1, 2], PAIR, topology=shop, engine="compiled", growth={1: 1.0}, duration_s=5.0, fails=True)


def test_sidecars_fail_smaller_the_more_copies_there_are() -> None:
    """A push that breaks the proxies of one service: the gateway is everybody's, a sidecar its own copy's."""
    told = struck()
    for value in told.values:
        for name, share in (("gateway", 1.0), ("sidecar-only", 1.0 / int(value))):
            fails = told.fails[value][name]
            assert fails is not None and fails.fault == "crash_on_request at service/shop"
            assert fails.worst.low <= fails.worst.value <= fails.worst.high
            assert fails.worst.value == pytest.approx(share, abs=0.02)
            crash = fails.by_fault["crash at shop"]
            assert crash.value < fails.worst.value / 2
    (one,) = [one for one in told.no_crossovers if one.quantity == "fails"]
    assert one.better == "sidecar-only" and one.ties == ("1",)


def test_bills_of_simulations_have_bounds() -> None:
    """Cross-zone traffic differs between replications; bounds hold what the plan itself was billed."""
    told = struck()
    for value in told.values:
        for name in PAIR:
            bill, cents = told.bills[value][name], told.cents[value, 1.0][name]
            assert bill is not None and cents is not None
            assert bill.low < bill.value < bill.high
            assert bill.value == pytest.approx(cents, rel=0.002)
            uses = told.uses[value, 1.0][name]
            assert uses is not None and 0.0 < uses.low < uses.value < uses.high < 1.0


def test_objectives_on_the_axis_are_those_that_are_planned_for() -> None:
    """M/M/1 with 90 % below a limit: 1/s of capacity less ln(10)/limit is what a replica carries."""
    limits_s = [0.035, 0.05, 1.0]
    told = mapped(
        "tenants.t.slo.p90",
        [f"{limit_s}s" for limit_s in limits_s],
        ["none"],
        topology={**queue(3.0, 1.0), "prices": {"cpu": "$1/core/h", "memory": "$0/GiB/h"}},
        ceiling=1.0,
    )
    wanted = [math.ceil(3.0 / WORK_S / (1 / WORK_S - math.log(10) / limit_s) - 1e-9) for limit_s in limits_s]
    bills = costs(told, "none")
    assert len(set(wanted)) == len(wanted)
    assert [round(bill / (bills[0] or 1) * wanted[0], 6) for bill in bills if bill is not None] == wanted


def test_speed_is_that_of_m_m_1() -> None:
    """n tenants at 50/s over k replicas are k queues of 50 n/k each: 90 % are below ln(10)/(mu - 50 n/k)."""
    limit_s, mu_per_s, numbers = 0.06, 1 / WORK_S, [1, 2, 5, 7]
    told = mapped("tenants", numbers, ["none"], topology=queue(0.5, limit_s), ceiling=1.0)
    for n in numbers:
        rate_per_s = n * 0.5 / WORK_S
        k = math.ceil(rate_per_s / (mu_per_s - math.log(10) / limit_s) - 1e-9)
        uses = told.uses[str(n), 1.0]["none"]
        assert uses is not None
        assert uses.value == pytest.approx(math.log(10) / (mu_per_s - rate_per_s / k) / limit_s, rel=0.01)


def test_replicas_that_are_written_change_no_plan() -> None:
    """A plan chooses those of the gateway itself, and how often there are both versions of a service."""
    told = mapped("mesh.gateway.replicas", [1, 4], ["gateway"])
    assert costs(told, "gateway") == [round((2 + GATEWAY_CORES) * MONTH)] * 2
    shop = growing_shop()
    shop["services"]["shop"]["versions"] = {"v1": {}, "v2": {}}
    kept = mapped("services.shop.replicas", [2, 3], ["none"], topology=shop)
    assert replicas(RATE_PER_S) == 2
    assert costs(kept, "none") == [2 * MONTH] * 2


def test_services_that_an_architecture_names_are_those_of_every_copy() -> None:
    other = {"cpu": 1, "endpoints": {"do": [{"work": "1ms"}]}}
    shop = growing_shop()
    shop["services"]["shop"]["endpoints"]["buy"].append({"call": "other.do"})
    shop["services"]["other"] = other
    label = "{ingress: none, mesh: sidecar, include: [shop]}"
    told = mapped("copies", [1, 2], [label], topology=shop)
    (key,) = told.cents["1", 1.0]
    assert [told.cents[value, 1.0][key] for value in told.values] == [5 * MONTH, 10 * MONTH]  # 2 + 1, and 2 sidecars


SURE, DEAR, VAGUE = Bounds(1.0, 0.9, 1.1), Bounds(2.0, 1.9, 2.1), Bounds(1.5, 1.0, 2.0)


def test_ties_are_told_and_are_no_change() -> None:
    table = {"1": {"a": SURE, "b": DEAR}, "2": {"a": VAGUE, "b": SURE}, "5": {"a": DEAR, "b": SURE}}
    (one,), without = crossovers_along("cost", ["a", "b"], table)
    assert without == []
    assert (one.before, one.after, one.low, one.high, one.ties) == ("a", "b", "1", "5", ("2",))
    assert one.values == (DEAR, SURE)
    found, (none,) = crossovers_along("fails", ["a", "b"], {"1": {"a": VAGUE, "b": SURE}, "2": {"a": SURE, "b": SURE}})
    assert found == [] and none.better is None and none.ties == ("1", "2")


def test_no_plan_is_worse_than_any() -> None:
    several = {"1": {"a": SURE, "b": None}, "2": {"a": None, "b": DEAR}, "3": {"a": SURE, "b": None}}
    found, _ = crossovers_along("cost", ["a", "b"], {**several, "4": {"a": None, "b": None}})
    assert [(one.before, one.after, one.high, one.until, one.is_last) for one in found] == [
        ("a", "b", "2", "2", False),
        ("b", "a", "3", "3", True),
    ]
    assert math.isinf(found[0].values[0].value) and found[0].ties == ("4",)


@pytest.mark.parametrize(
    ("path", "values", "message"),
    [
        ("copies", ["0", "1"], "across copies=0: copies are whole numbers from 1 to 100"),
        ("copies", ["1", "1.5"], "across copies=1.5"),
        ("copies", ["01", "1"], "across copies=01"),
        ("tenants", ["1", "101"], "across tenants=101"),
        ("copies", ["2"], "e.g. copies=1,2,5,10"),
        ("copies", [], "give 2 to 20 different values"),
    ],
)
def test_axes_that_are_none(path: str, values: list[str], message: str) -> None:
    with pytest.raises(UsageError, match=message):
        mapped(path, values, ["none"])


def test_failing_needs_an_axis_and_simulations() -> None:
    with pytest.raises(UsageError, match="fails lets faults strike in simulations"):
        mapped("copies", [1, 2], ["none"], fails=True)
    with pytest.raises(UsageError, match="fails compares what is planned for values of across"):
        ms.forecast(growing_shop(), ["none"], months=1, fails=True, quiet=True)
