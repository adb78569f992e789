"""`meshsim.cost`: bills of whole topologies, in every way in which they can be asked for."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

import meshsim as ms
from meshsim.costs import report
from meshsim.costs.bill import Cents
from meshsim.costs.lines import ITEMS
from meshsim.costs.methods import METHODS
from meshsim.costs.rules import RULES, Rule
from meshsim.errors import StoreError, UsageError

SHOP = """\
meshsim: 1
name: shop
services:
  shop:
    replicas: 3
    cpu: 500m
    memory: 512MiB
    endpoints: {buy: [{work: {exp: 2ms}}, {call: stock.take}], look: [{work: {exp: 1ms}}]}
  stock:
    replicas: 2
    endpoints: {take: [{work: {exp: 1ms}}]}
tenants: {mail: {slo: {p99: 100ms}}, maps: {slo: {p99: 1ms}}}
traffic:
  - {name: mail, tenant: mail, entry: shop.buy, arrivals: {poisson: 60/s}, request: 2KiB, response: 8KiB}
  - {name: mail-look, tenant: mail, entry: shop.look, arrivals: {poisson: 10/s}, response: 16KiB}
  - {name: maps, tenant: maps, entry: shop.look, arrivals: {poisson: 40/s}, request: 1KiB, response: 64KiB}
nodes: {cpu: 4, memory: 16GiB, zones: [a, b]}
prices: {node: $0.25/h}
run: {duration: 4s, warmup: 1s, replications: 3, seed: 5}
"""


@pytest.fixture
def shop(tmp_path: Path) -> Path:
    file = tmp_path / "shop.yaml"
    file.write_text(SHOP, encoding="utf-8")
    return file


def adds_up(cents: Cents) -> None:
    assert cents.total == sum(cents.items.values()) == sum(cents.tenants.values())
    for item, amount in cents.items.items():
        assert amount == sum(cents.by_tenant[item].values())


@pytest.mark.parametrize("rule", RULES)
@pytest.mark.parametrize("nodes", [None, "m5.xlarge", "own"])
def test_every_bill_adds_up(shop: Path, rule: Rule, nodes: str | None) -> None:
    found = ms.cost(shop, ["none", "gateway", "sidecar", "ambient"], rule=rule, nodes=nodes, quiet=True)
    for one in found.costs.values():
        adds_up(one.analysis.cents)
        for name, tenant in one.tenants.items():
            parts = tenant.by_entry.values()
            assert tenant.cents == sum(part.cents for part in parts) == one.cents_by_tenant[name]
            assert sum(part.money.value or 0.0 for part in parts) == pytest.approx(tenant.money.value)
            assert sum(part.own for part in parts) == pytest.approx(tenant.own)
            assert sum(part.requests_per_s for part in parts) == pytest.approx(tenant.requests_per_s)
        for split in (one.analysis.mean, *one.analysis.each):
            assert split.divided.sum() == pytest.approx(split.bill.per_hour)
            assert split.by_account.sum() == pytest.approx(split.bill.per_hour)
            assert all(line.shared >= 0.0 for line in split.bill.lines)
    rules = {name: one.total_cents for name, one in found.costs.items()}
    assert rules["none"] < rules["gateway"] and rules["none"] < rules["sidecar"]


def test_rules_divide_one_bill(shop: Path) -> None:
    totals = {ms.cost(shop, ["sidecar"], rule=rule, quiet=True)["sidecar"].total_cents for rule in RULES}
    assert len(totals) == 1


def test_nodes_are_whole(shop: Path) -> None:
    """What pods request, the control plane and what is idle are so many nodes at their price."""
    for arch in ("none", "sidecar", "ambient"):
        bill = ms.cost(shop, [arch], nodes="own", quiet=True)[arch].analysis.mean.bill
        nodes = bill.of_items(ITEMS[:7]).per_hour / 0.25
        assert nodes == pytest.approx(round(nodes)) and round(nodes) >= 1


def test_the_mesh_tax_is_told_beside_none(shop: Path) -> None:
    found = ms.cost(shop, ["none", "sidecar"], quiet=True)
    tax = found["sidecar"].tax
    assert set(tax.latency_s) == {"p50", "p99"}
    assert tax.latency_s["p50"].value is not None and tax.latency_s["p50"].value > 0
    assert tax.added is not None
    assert tax.added.value == pytest.approx((found["sidecar"].total_cents - found["none"].total_cents) / 100, abs=0.02)
    requested = 2 * 2.0 + 5 * 0.1  # gateways of two cores, sidecars of 100m
    assert tax.items["proxies, cores"].value == pytest.approx(requested * 0.031611 * 730)
    assert tax.cores_requested == pytest.approx(requested + 1.0)  # and an istiod
    assert tax.cents > 0 and tax.memory_gib > 0 and tax.cores_requested > 0
    none = found["none"].tax
    assert (none.cents, none.latency_s, none.items, none.added) == (0, {}, {}, None)
    assert ms.cost(shop, ["sidecar"], quiet=True)["sidecar"].tax.latency_s == {}


def test_every_method_is_judged_of_bill_and_proxies(shop: Path) -> None:
    one = ms.cost(shop, ["gateway"], quiet=True)["gateway"]
    for scope in ("bill", "proxies"):
        for method in METHODS:
            found = one.errors(method, scope)
            assert [error.tenant for error in found] == ["mail", "maps"]
            assert sum(error.share for error in found) == pytest.approx(1.0)
            assert sum(error.error.value or 0.0 for error in found) == pytest.approx(0.0, abs=1e-12)
            assert all(error.error.low is not None for error in found)


def test_one_replication_has_no_intervals(shop: Path) -> None:
    one = ms.cost(shop, ["none"], replications=1, quiet=True)["none"]
    assert one.tenants["mail"].money.low is None
    assert one.errors("bytes", "bill")[0].error.method == "one replication: give more"


def test_people_and_nat_are_off_by_default(shop: Path) -> None:
    plain, more = (
        ms.cost(shop, ["none"], nat=nat, people_hours=hours, quiet=True)["none"].analysis.cents.items
        for nat, hours in ((False, 0.0), (True, 10.0))
    )
    assert not {"people", "NAT gateways", "NAT bytes"} & set(plain)
    assert more["people"] == 10 * 100 * 100
    assert more["NAT gateways"] == round(2 * 0.045 * 730 * 100)


def test_json_and_frame_say_the_same(shop: Path) -> None:
    found = ms.cost(shop, ["none", "sidecar"], quiet=True)
    told = json.loads(json.dumps(found.to_dict(), allow_nan=False))
    assert told["schema_version"] == 1 and told["currency"] == "USD" and told["period_hours"] == 730
    frame = found.frame()
    for name, one in found.costs.items():
        cost = told["architectures"][name]["cost"]
        interval = {end: round(100 * getattr(one.money, end)) for end in ("low", "high")}
        assert cost == {
            "total": one.total_cents,
            "interval": interval,
            "by_tenant": one.cents_by_tenant,
            "currency": "USD",
        }
        assert all(isinstance(amount, int) for amount in (cost["total"], *cost["by_tenant"].values()))
        bills = frame[(frame.architecture == name) & (frame.quantity == "bill")]
        assert set(bills.unit) == {"USD/month"} and not frame.scope.str.contains("[ ,]").any()
        cents = bills.assign(value=(bills.value * 100).round())
        assert cents[cents.scope == "total"].value.item() == one.total_cents
        assert cents[cents.scope == "total"].low.item() == one.money.low
        by_tenant = cents[cents.scope == "tenant"].set_index("tenant")
        assert by_tenant.value.to_dict() == one.cents_by_tenant
        assert by_tenant.high.to_dict() == {tenant: of.money.high for tenant, of in one.tenants.items()}
        by_entry = cents[cents.scope == "entry"].set_index(["tenant", "name"]).value.to_dict()
        tenants = told["architectures"][name]["tenants"].items()
        assert by_entry == {(t, e): part["cost"] for t, found in tenants for e, part in found["by_entry"].items()}
        assert set(by_entry) == {("mail", "shop.buy"), ("mail", "shop.look"), ("maps", "shop.look")}
        entry = told["architectures"][name]["tenants"]["mail"]["by_entry"]["shop.look"]
        rows = frame[(frame.architecture == name) & (frame.scope == "entry") & (frame.name == "shop.look")]
        of_mail = rows[rows.tenant == "mail"].set_index("quantity")
        assert of_mail.value["per_million_requests"] == entry["per_million_requests"]["value"] > 0
        assert of_mail.low["per_million_requests"] == entry["per_million_requests"]["low"]
        assert of_mail.value["marginal_per_million_requests"] == entry["marginal_per_million_requests"]
    assert {row["key"] for row in told["prices"]["rows"]} >= {"cpu", "memory", "egress"}


def test_the_same_seed_gives_the_same_bytes(shop: Path) -> None:
    one, other = (ms.cost(shop, ["none", "sidecar"], jobs=jobs, quiet=True).to_dict() for jobs in (1, 2))
    for told in (one, other):
        told["manifest"].pop("timing")
    assert json.dumps(one) == json.dumps(other)


def test_the_summary_tells_what_matters(shop: Path) -> None:
    text = ms.cost(shop, ["none", "sidecar"], quiet=True).summary()
    for words in (
        "The bill",
        "Tenants, sidecar",
        "A million requests, sidecar",
        "Mesh tax",
        "pods-proportional",
        "prices that are assumed:",
        "repeat:",
    ):
        assert words in text


def test_pictures_are_drawn(shop: Path) -> None:
    found = ms.cost(shop, ["none", "sidecar"], quiet=True)
    for ax in (found.plot_stacked(), found.plot_stacked(by="item"), found.plot_waterfall(), found.plot_objective()):
        assert ax.get_title(loc="left").startswith("shop: ")
    assert "<table>" in found._repr_html_()


@pytest.mark.parametrize(
    ("given", "error", "message"),
    [
        ({"rule": "fair"}, UsageError, "there is no rule 'fair'"),
        ({"nodes": "m5"}, UsageError, "no node type 'm5'"),
        ({"prices": "none.yaml"}, StoreError, "cannot read the prices in none.yaml"),
        ({"people_hours": -1}, UsageError, "people_hours are hours a month, from 0 to 1,000,000, not -1"),
        ({"people_hours": 1000001}, UsageError, "from 0 to 1,000,000, not 1,000,001"),
        ({"architectures": []}, UsageError, "there are no architectures"),
        ({"overrides": ["prices.cpu=0.03 EUR/core/h", "prices.node=0.3 EUR/h"]}, UsageError, "several currencies"),
    ],
)
def test_mistakes(shop: Path, given: dict, error: type[Exception], message: str) -> None:
    with pytest.raises(error, match=message):
        ms.cost(shop, **{"quiet": True, **given})


def test_the_summary_tells_the_dearest_of_many_entry_endpoints() -> None:
    endpoints = {f"e{number:02}": [{"work": f"{1 + number}ms"}] for number in range(14)}
    traffic = [
        {"name": name, "tenant": "web", "entry": f"shop.{name}", "arrivals": {"constant": "5/s"}} for name in endpoints
    ]
    shop = {"meshsim": 1, "services": {"shop": {"replicas": 2, "endpoints": endpoints}}, "traffic": traffic}
    shop |= {"run": {"duration": "4s", "warmup": "1s", "replications": 1}}
    rows = report.million(ms.cost(shop, quiet=True)["none"])
    assert [row[1] for row in rows[1:-1]] == ["all", *(f"shop.e{number:02}" for number in range(2, 14))]
    assert rows[-1][0] == "and 2 that cost less"


def test_an_entry_without_requests_has_no_cost_of_a_million(shop: Path) -> None:
    """Its one request comes before the measured time."""
    early = ["traffic.mail-look.arrivals={trace: {times: [0s]}}"]
    mail = ms.cost(shop, overrides=early, quiet=True)["none"].tenants["mail"]
    entry = mail.by_entry["shop.look"]
    assert (entry.requests_per_s, entry.cents, entry.per_million.value, entry.marginal_per_million) == (
        0,
        0,
        None,
        None,
    )
    assert mail.by_entry["shop.buy"].cents == mail.cents


def test_the_summary_is_as_wide_as_it_is_asked_to_be(shop: Path) -> None:
    found = ms.cost(shop, ["none", "gateway", "sidecar", "ambient"], quiet=True)
    for width in (80, 160):
        *lines, repeat = report.summary(found, width)
        assert max(map(len, lines)) <= width and repeat.startswith("repeat: ")
        titles = [line for line in lines if line.endswith(", continued")]
        assert bool(titles) == (width == 80)


def test_intervals_are_told_beside_bills(shop: Path) -> None:
    one = ms.cost(shop, ["sidecar"], quiet=True)["sidecar"]
    half = one.tenants["mail"].money.half
    assert f"${one.cents_by_tenant['mail'] / 100:,.2f} ± {half:,.2f}" in [row[1] for row in report.tenants(one)]
    text = ms.cost(shop, ["none"], quiet=True, replications=1).summary()
    assert "1 replication, which gives no intervals" in text and "±" not in text


def test_an_interval_that_is_unknown_is_told_where_others_are_known(shop: Path) -> None:
    """Of three replications only some have a request of such a rare stream."""
    rare = ["traffic.mail-look.arrivals={poisson: 0.3/s}", "traffic.mail-look.entry=shop.look"]
    rows = report.million(ms.cost(shop, overrides=rare, seed=2, quiet=True)["none"])
    assert [row[4].endswith("(± unknown)") for row in rows if row[:2] == ["mail", "shop.look"]] == [True]


def test_notes_are_told_once_and_an_unstable_run_at_its_bill(shop: Path) -> None:
    overrides = ["services.stock.cpu=10m"]
    found = ms.cost(shop, ["none", "sidecar"], overrides=overrides, quiet=True)
    assert report.items(found)[-1] == ["the run is", "unstable", "unstable"]
    assert [line for line in report.sentences(found) if "unstable" in line] == [
        "none, sidecar: the run is unstable: what is used is that of no steady state"
    ]


def test_a_run_without_requests_says_so(shop: Path) -> None:
    late = [f"traffic.{name}.arrivals={{trace: {{times: [0s]}}}}" for name in ("mail", "mail-look", "maps")]
    found = ms.cost(shop, overrides=late, quiet=True)
    assert any("no requests were measured" in line for line in report.sentences(found))
    adds_up(found["none"].analysis.cents)


def test_the_call_that_repeats_it_has_all_that_was_given(shop: Path) -> None:
    found = ms.cost(shop, ["none"], people_hours=2, nat=True, duration_s=2, warmup_s=1, quiet=True)
    again = eval(found.command.removesuffix(")") + ", quiet=True)", {"meshsim": ms})
    assert again["none"].total_cents == found["none"].total_cents and again.command == found.command


def test_entries_that_are_alike_get_odd_cents_in_turn() -> None:
    endpoints = {name: [{"work": "1ms"}] for name in ("buy", "look")}
    shop = {"meshsim": 1, "services": {"shop": {"cpu": 1, "endpoints": endpoints}}}
    when = {"trace": {"times": ["1.5s", "2s", "2.5s"]}}
    shop |= {"traffic": [{"name": entry, "entry": f"shop.{entry}", "arrivals": when} for entry in endpoints]}
    shop |= {"run": {"duration": "4s", "warmup": "1s", "replications": 1}}
    one = ms.cost(shop, nat=True, people_hours=0.0003, quiet=True)["none"]
    assert sum(amount % 2 for amount in one.analysis.cents.items.values()) > 2
    (tenant,) = one.tenants.values()
    buy, look = tenant.by_entry.values()
    assert buy.money.value == pytest.approx(look.money.value) and abs(buy.cents - look.cents) <= 1
