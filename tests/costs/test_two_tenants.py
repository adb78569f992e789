"""Two tenants of one service, whose bill, its division and the error of every method are known in closed form.

Mail sends 70 requests/s of 1 ms each, maps 30 of 6 ms. The service has two cores and is the only thing with a price.
Mail uses 0.07 cores, maps 0.18, so in truth 28 % of the bill are mail's, the idle cores divided as those in use are.
Mail's requests and answers have 1 KiB each, those of maps 1 and 9 KiB. A batch is a second:
what is wrong are requests on their way at the edges of the measured time, one in thousands.
"""

from __future__ import annotations

from pathlib import Path

import pytest

import meshsim as ms
from meshsim.costs.analysis import Analysis, analyse
from meshsim.costs.book import ROWS
from meshsim.costs.lines import Buying
from meshsim.costs.rules import Rule
from meshsim.costs.study import tariff_of

SHOP = """\
meshsim: 1
name: two
services:
  shop:
    replicas: 4
    cpu: 500m
    memory: 1GiB
    endpoints: {mail: [{work: 1ms}], map: [{work: 6ms}]}
tenants: {mail: {}, maps: {}}
traffic:
  - {name: mail, tenant: mail, entry: shop.mail, arrivals: {constant: 70/s}, request: 1KiB, response: 1KiB}
  - {name: maps, tenant: maps, entry: shop.map, arrivals: {constant: 30/s}, request: 1KiB, response: 9KiB}
prices: {cpu: $1/core/h}
run: {duration: 40s, warmup: 4s, replications: 2}
"""
_UNITS = {"gib_hour": "GiB/h", "gib": "GiB", "hour": "h", "lcu_hour": "LCU/h"}
FREE = "prices:\n" + "".join(f"  {key}: $0/{_UNITS[per]}\n" for key, per in ROWS.items() if per in _UNITS)
EDGES = 5e-4
TRUTH = {"mail": 0.28, "maps": 0.72}
MAILS_ERROR = {"requests": 0.42, "bytes": 140 / 440 - 0.28, "even": 0.22, "pods-even": 0.72, "pods-proportional": 0.72}


@pytest.fixture
def analysed(tmp_path: Path):
    (tmp_path / "shop.yaml").write_text(SHOP, encoding="utf-8")
    (tmp_path / "free.yaml").write_text(FREE, encoding="utf-8")
    spec = ms.load(tmp_path / "shop.yaml")
    result = ms.run(spec, quiet=True)
    tariff = tariff_of(spec, tmp_path / "free.yaml", None)
    return lambda rule: analyse(spec, result, tariff, Buying(), rule)


@pytest.mark.parametrize(
    ("rule", "mails"),
    [
        ("proportional", 0.28),
        ("peak", 0.28),
        ("even", (0.07 + 1.75 / 2) / 2),
        ("shapley", (2 / 4 + 4 / 4 - 3 / 4) / 2),  # alone two of four replicas, beside maps one: 4/4 minus 3/4
    ],
)
def test_the_truth_of_every_rule(analysed, rule: Rule, mails: float) -> None:
    found: Analysis = analysed(rule)
    assert found.cents.total == 2 * 730 * 100
    shares = {name: tenant.cents / found.cents.total for name, tenant in found.tenants.items()}
    assert shares == pytest.approx({"mail": mails, "maps": 1 - mails}, abs=5e-3 if rule == "peak" else EDGES)


def test_the_error_of_every_method(analysed) -> None:
    found: Analysis = analysed("proportional")
    errors = {(one.method, one.tenant): one for one in found.errors if one.scope == "bill"}
    for method, off in MAILS_ERROR.items():
        assert errors[method, "mail"].truth == pytest.approx(TRUTH["mail"], abs=EDGES)
        assert errors[method, "mail"].error.value == pytest.approx(off, abs=EDGES)
        assert errors[method, "maps"].error.value == pytest.approx(-off, abs=EDGES)
        assert errors[method, "mail"].money == pytest.approx(off * 1460, rel=2 * EDGES)


def test_cost_of_a_million_requests(analysed) -> None:
    """2 cores at $1 an hour, 28 % of it for 252,000 requests and 72 % for 108,000."""
    found: Analysis = analysed("proportional")
    assert found.tenants["mail"].per_million.value == pytest.approx(0.56 / 0.252, rel=2 * EDGES)
    assert found.tenants["maps"].per_million.value == pytest.approx(1.44 / 0.108, rel=2 * EDGES)
    assert found.tenants["mail"].entries == ("shop.mail",)


def test_marginal_and_alone(analysed) -> None:
    """Without mail three of four replicas are needed (⌈4 · 0.72⌉), without maps two (⌈4 · 0.28⌉)."""
    found: Analysis = analysed("proportional")
    month = 730 * 2.0
    assert found.tenants["mail"].marginal == pytest.approx(month / 4)
    assert found.tenants["maps"].marginal == pytest.approx(month / 2)
    assert found.tenants["mail"].alone == pytest.approx(month / 2)
    assert found.tenants["maps"].alone == pytest.approx(month * 3 / 4)
