"""Forecasts beside arithmetic: replicas by month, bills, runways, and the load at which the gateway becomes cheaper."""

from __future__ import annotations

import itertools
import json
import math
from pathlib import Path
from typing import Any

import pytest
from growing_shop import EACH_PER_S, MONTH, RATE_PER_S, cents, growing_shop, replicas
from test_plans_of_queues import WORK_S, queue

import meshsim as ms
from meshsim.errors import StoreError, UsageError
from meshsim.forecasting.growth import factors_of

TABLE = {month: 1.0 + 0.5 * month for month in range(1, 9)}
PAIR = ["gateway", "sidecar-only"]


def of_the_shop(engine: str = "analytic", architectures: Any = PAIR, **words: Any) -> ms.Forecast:
    asked: dict[str, Any] = {"months": 8, "growth": TABLE, "lose": 0, "engine": engine, "quiet": True, **words}
    return ms.forecast(asked.pop("topology", growing_shop()), architectures, **asked)


def test_replicas_by_month_are_those_of_m_m_1() -> None:
    """Each of n replicas is M/M/1 at 1/n of the load; simulated, over 12 months."""
    limit_s, rate_per_s = 0.05, 80.0
    each = 1.0 / WORK_S - math.log(10.0) / limit_s
    exact = (1.5, 1.65, 2.4, 2.6, 3.5, 3.5, 4.4, 4.6, 5.5, 6.5, 7.5, 9.5)
    table = {month: each * n / rate_per_s for month, n in enumerate(exact, start=1)}
    found = ms.forecast(
        queue(rate_per_s * WORK_S, limit_s),
        ["none"],
        growth=table,
        lose=0,
        ceiling=1.0,
        crossover=False,
        duration_s=20.0,
        quiet=True,
    )
    months = found["none"].months
    wanted = [math.ceil(table.get(m, 1.0) * rate_per_s / (1 / WORK_S - math.log(10) / limit_s)) for m in range(13)]
    assert [month.planned and dict(month.planned.needed) for month in months] == [{"queue": n} for n in wanted]
    assert all(month.planned is not None and month.planned.probe.holds for month in months)
    out = found["none"].runs_out
    assert out is not None and out.month == 3 and out.first[0].quantity == "p90"
    carries = found.carries["none"]
    assert carries.held is not None and carries.broke is not None
    assert carries.held * rate_per_s <= 2 * each * 1.05 and carries.broke * rate_per_s >= 2 * each * 0.95


@pytest.mark.parametrize("architecture", ["none", *PAIR])
def test_bills_and_purchases_by_hand(architecture: str) -> None:
    course = of_the_shop(architectures=[architecture])[architecture]
    wanted = [replicas(RATE_PER_S * TABLE.get(month, 1.0)) for month in range(9)]
    assert [month.planned and month.planned.cents for month in course.months] == [
        cents(architecture, n) for n in wanted
    ]
    bought = [month.purchases.get("shop", 0) for month in course.months]
    assert bought == [0, *(after - before for before, after in itertools.pairwise(wanted))]
    each = cents(architecture, 2) - cents(architecture, 1)
    assert [month.spent_cents for month in course.months] == [each * count for count in bought]
    assert course.total_cents == sum(cents(architecture, n) for n in wanted[1:])
    assert course.runs_out is not None and course.runs_out.month == 2


def test_the_gateway_is_cheaper_from_the_fifth_replica_on() -> None:
    found = of_the_shop()
    (one,) = [one for one in found.crossovers if one.quantity == "cost"]
    assert (one.before, one.after, one.is_last, one.until) == ("sidecar-only", "gateway", True, 5.0)
    assert one.low * RATE_PER_S <= 4 * EACH_PER_S < one.high * RATE_PER_S
    assert one.high / one.low < 1.002
    assert one.values == (cents("sidecar-only", 5), cents("gateway", 5))
    text = found.summary()
    assert "from 320.3 requests/s on gateway is cheaper than sidecar-only ($6,935 against $7,300 a month)" in text
    below = of_the_shop(months=3, growth={1: 1.5, 2: 2.0, 3: 3.0})
    assert "no crossover up to 300 requests/s: sidecar-only is cheaper than gateway wherever they differ" in repr(below)


def test_estimates_and_simulations_agree() -> None:
    guessed, simulated = (
        of_the_shop(engine, months=6, growth={1: 1.4, 2: 2.0, 3: 2.8, 4: 3.5, 5: 3.6, 6: 4.4}, duration_s=15.0)
        for engine in ("analytic", "compiled")
    )
    for name in PAIR:
        plans = [
            [month.planned and dict(month.planned.needed) for month in one[name].months] for one in (guessed, simulated)
        ]
        assert plans[0] == plans[1]
        assert guessed[name].runs_out is not None and simulated[name].runs_out is not None
        assert guessed[name].runs_out.month == simulated[name].runs_out.month
    (one,) = [one for one in simulated.crossovers if one.quantity == "cost"]
    assert one.low * RATE_PER_S <= 4 * EACH_PER_S * 1.01 and one.high * RATE_PER_S >= 4 * EACH_PER_S * 0.99
    assert one.high / one.low <= 1.0201
    assert simulated.requests > 0 == guessed.requests


def test_a_month_that_the_last_plan_carries_needs_one_simulation() -> None:
    words = {"months": 3, "growth": {1: 1.0, 2: 1.1, 3: 1.2}, "crossover": False}
    month_by_month = of_the_shop("compiled", ["none"], **words)
    today = of_the_shop("compiled", ["none"], months=1, growth={1: 1.0}, crossover=False)
    probe = month_by_month["none"].months[3].planned
    assert probe is not None and dict(probe.needed) == {"shop": 2}
    assert month_by_month.requests - today.requests < 3 * probe.probe.requests


def test_what_is_written_is_what_is_there_today() -> None:
    written = growing_shop(services={"shop": {"cpu": 1, "replicas": 3, "endpoints": {"buy": [{"work": "10ms"}]}}})
    found = of_the_shop(topology=written, architectures=["none"], today="written")
    course = found["none"]
    assert course.today == {"shop": 3}
    assert course.months[0].purchases == {"shop": -1} and course.months[0].spent_cents == -MONTH
    assert course.runs_out is not None and course.runs_out.month == 3  # 250/s
    carries = found.carries["none"]
    assert carries.held is not None and carries.broke is not None and carries.held <= 2.4 < carries.broke
    lost = of_the_shop(architectures=["none"], today="written", lose=1)
    assert "nothing is left of shop" in lost.summary() and "not today's load" in lost.summary()


def test_scenarios_dips_and_no_plan() -> None:
    found = of_the_shop(
        architectures=["none"],
        months=2,
        growth={1: 3.0, 2: 1.0},
        scenarios={"black friday": {1: 6.0, 2: 2.0}},
        most_replicas=5,
    )
    assert [month.purchases for month in found["none"].months] == [{}, {"shop": 2}, {"shop": -2}]
    course = found["none", "black friday"]
    assert course.months[1].planned is None and course.total_cents is None and not found.feasible
    assert "with 5 replicas of shop" in course.months[1].why
    assert "no plan from month 1 on: with 5 replicas of shop" in found.summary()
    data = json.loads(json.dumps(found.to_dict(), allow_nan=False))
    assert data["architectures"]["none"]["scenarios"]["black friday"]["months"][1]["plan"] is None
    frame = found.frame()
    assert len(frame) == 6 and frame["service"].isna().sum() == 1


def test_the_map_is_arithmetic() -> None:
    """A sidecar of c cores costs n c, the gateway 4.5: that is cheaper from n > 4.5 / c on."""
    sizes = ["500m", "1", "4"]
    found = of_the_shop(across=("mesh.sidecar.cpu", sizes))
    assert found.map is not None and found.map.loads == (1.0, *TABLE.values())
    for text, cores in zip(sizes, (0.5, 1.0, 4.0), strict=True):
        for load in found.map.loads:
            wanted = "gateway" if replicas(RATE_PER_S * load) * cores > 4.5 else "sidecar-only"
            assert found.map.best(text, load) == wanted
    assert "cheapest over load and mesh.sidecar.cpu:" in found.summary()


def test_plans_are_proven_on_fresh_seeds() -> None:
    found = of_the_shop("compiled", ["none"], months=1, growth={1: 1.3}, verify=True)
    assert [month.planned and month.planned.verified for month in found["none"].months] == [True, True]


@pytest.mark.parametrize(
    ("growth", "message"),
    [
        ("five", "'five' is no growth of the load: write '5%'"),
        (5, "5 is no growth of the load"),
        ("-5%", "a load that shrinks runs out of nothing"),
        ("900%", "write less"),
        ({1: 1.1, 3: 1.3}, "months 2, 4, 5 and 7 more are missing: give a factor for each of 1 to 12"),
        ({month: 1.0 for month in range(1, 7)}, "months 7, 8, 9 and 3 more are missing.*or ask for 6 months"),
        ({1: -1.0}, "the load of month 1 is a factor on today's above 0"),
        ({0: 2.0}, "month 0 is today, whose factor is 1, not 2"),
        ({"May": 2.0}, "months are numbered 0"),
    ],
)
def test_mistakes_in_growth(growth: Any, message: str) -> None:
    with pytest.raises(UsageError, match=message):
        ms.forecast(growing_shop(), ["none"], growth=growth, engine="analytic")


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("factor\n1\n", "the first line is 'factor'; write month,factor"),
        ("", "the file is empty; write a first line month,factor"),
        ("month,factor\n1,1.1\n1,1.2\n", "month 1 is there twice"),
        ("month,factor\n1,fast\n", r"growth.csv:2: '1,fast' is no month and factor"),
        ("month,factor\n1,-2\n", r"growth.csv:2: '1,-2': months are 0 or more, factors above 0"),
        ("month,factor\n1,1.5\n", "month 2 is missing"),
    ],
)
def test_mistakes_in_a_file(tmp_path: Path, text: str, message: str) -> None:
    file = tmp_path / "growth.csv"
    file.write_text(text, encoding="utf-8")
    with pytest.raises(UsageError, match=message):
        factors_of(file, 2)
    with pytest.raises(StoreError, match="cannot read it"):
        factors_of(tmp_path / "none.csv", 2)


def test_a_file_is_read(tmp_path: Path) -> None:
    file = tmp_path / "growth.csv"
    file.write_text("month,factor\n2,1.5\n1,1.25\n", encoding="utf-8")
    assert factors_of(str(file), 2) == (1.0, 1.25, 1.5)


@pytest.mark.parametrize(
    ("words", "message"),
    [
        ({"months": 0}, "1 to 120 months, not 0"),
        ({"scenarios": {"base": "3%"}}, "a name other than 'base'"),
        ({"scenarios": {"sale": "often"}}, "scenario 'sale' 'often' is no growth"),
        ({"today": "now"}, "not 'now'"),
        ({"across": ("services.shop.cpu", ["1"])}, "give 2 to 20 different values"),
        ({"across": ("services.shop.cpu", ["1", "2"]), "choices": {"services.shop.cpu": ["1", "2"]}}, "choice already"),
    ],
)
def test_other_mistakes(words: dict[str, Any], message: str) -> None:
    with pytest.raises(UsageError, match=message):
        ms.forecast(growing_shop(), ["none"], engine="analytic", **{"growth": "5%", **words})
