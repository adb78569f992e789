"""The price book: what is shipped, what replaces it, and mistakes with their lines."""

from __future__ import annotations

from pathlib import Path

import pytest

import meshsim as ms
from meshsim.costs.bill import Tariff
from meshsim.costs.book import ROWS, currency_of, read_book, shipped_book
from meshsim.errors import SpecError, StoreError, UsageError

SHOP = {
    "meshsim": 1,
    "services": {"shop": {"endpoints": {"buy": [{"work": "1ms"}]}}},
    "traffic": [{"name": "web", "entry": "shop.buy", "arrivals": {"poisson": "10/s"}}],
}


def written(folder: Path, text: str) -> Path:
    file = folder / "prices.yaml"
    file.write_text(text, encoding="utf-8")
    return file


def test_every_shipped_price_has_a_date_and_a_source() -> None:
    book = shipped_book()
    assert set(book.rows) == set(ROWS)
    for row in (*book.rows.values(), *(node.row for node in book.nodes.values())):
        assert row.as_of and row.source and row.price.currency == "USD" and row.price.amount > 0


def test_a_core_and_its_memory_cost_what_a_node_does() -> None:
    """The check of the defaults: an m5.xlarge by the core and GiB is within 2 % of its own price."""
    book = shipped_book()
    assert 4 * book.amount("cpu") + 16 * book.amount("memory") == pytest.approx(0.192, rel=0.02)


def test_parts_of_a_node_add_up_to_its_price() -> None:
    """OpenCost's example, Appendix A: $35 for a GPU of $30, a core of $30 and a GiB of $10 keeps their ratio."""
    book = shipped_book()
    tariff = Tariff(book, book.node("m5.xlarge"))
    core, gib = tariff.unit_price(["node_core"]), tariff.unit_price(["node_gib"])
    assert 4 * core + 16 * gib == pytest.approx(0.192)
    assert core / gib == pytest.approx(book.amount("cpu") / book.amount("memory"))


def test_a_file_replaces_rows_and_the_topology_goes_before_it(tmp_path: Path) -> None:
    text = "prices:\n  cpu: $0.05/core/h\n  egress: {price: $0.12/GB, as_of: 2026, source: a contract}\nnodes:\n"
    text += "  big: {price: $1/h, cpu: 32, memory: 64GiB}\n"
    other = read_book(written(tmp_path, text))
    topology = ms.load({**SHOP, "prices": {"cpu": "$0.07/core/h", "cross_zone": "$0.02/GiB", "node": "$0.5/h"}})
    book = shipped_book().replaced(other).for_topology(topology)
    assert (book.amount("cpu"), book.amount("cross_zone_in"), book.amount("cross_zone_out")) == (0.07, 0.02, 0.02)
    assert book.rows["egress"].source == "a contract" and book.rows["cpu"].source == "prices.cpu of the topology"
    assert other.rows["cpu"].source.endswith("prices.yaml:2")
    assert book.amount("memory") == shipped_book().amount("memory")
    assert (book.node("big").cores, book.node("own").row.price.amount) == (32, 0.5)
    assert book.node("own").cores == topology.nodes.cpu


@pytest.mark.parametrize(
    ("text", "place", "message"),
    [
        ("prices: {cpu: 0.05}", "1:15", "write cpu: $0.03/core/h"),
        ("prices: {cpu: $3/GiB}", "1:15", "not a price of this kind"),
        ("prices:\n  egres: $0.1/GB", "2:3", "did you mean 'egress'?"),
        ("prices:\n  cross_zone: $0.1/GB", "2:3", "write cross_zone_out and cross_zone_in"),
        ("prices: {cpu: {price: $1/core/h, as_of: May}}", "1:41", "write 2026, 2026-05 or 2026-05-31"),
        ("prices: {cpu: {source: me}}", "1:10", "'price' is missing"),
        ("nodes: {m5: $0.2/h}", "1:13", "a map is due"),
        ("nodes: {m5: {price: $0.2/h, cpu: 4}}", "1:9", "'memory' is missing"),
        ("nodes: {own: {price: $0.2/h, cpu: 4, memory: 8GiB}}", "1:9", "'own' are the nodes of the topology"),
        ("prices: {cpu: $2000000/core/h}", "1:15", "prices are 1,000,000 a unit at most"),
        ("prices: [", "1:9", "not YAML"),
    ],
)
def test_mistakes_are_told_with_their_line(tmp_path: Path, text: str, place: str, message: str) -> None:
    with pytest.raises(SpecError) as caught:
        read_book(written(tmp_path, text))
    assert message in str(caught.value) and "prices.yaml" in str(caught.value)
    if "not YAML" not in message:
        assert f"prices.yaml:{place}: " in str(caught.value)


def test_all_mistakes_are_told_at_once_in_the_order_of_lines(tmp_path: Path) -> None:
    text = "nodes:\n  big: {price: 3, cpu: many, memory: much}\nprices:\n  cpu: 0.05\n  egres: $0.1/GB\n"
    with pytest.raises(SpecError) as caught:
        read_book(written(tmp_path, text))
    assert [one.line for one in caught.value.diagnostics] == [2, 2, 2, 4, 5]


def test_files_that_are_none(tmp_path: Path) -> None:
    with pytest.raises(StoreError, match=r"cannot read the prices in .*none\.yaml"):
        read_book(tmp_path / "none.yaml")
    for text in ("", "- 1", "\n\n"):
        with pytest.raises(SpecError, match=r"write prices: \{cpu: \$0.03/core/h\}"):
            read_book(written(tmp_path, text))


def test_one_currency(tmp_path: Path) -> None:
    book = shipped_book().replaced(read_book(written(tmp_path, "prices: {cpu: 0.03 EUR/core/h}")))
    with pytest.raises(UsageError, match="EUR: cpu; USD: memory"):
        currency_of([book.rows["cpu"], book.rows["memory"]])


def test_node_types_that_do_not_exist() -> None:
    with pytest.raises(UsageError, match=r"no node type 'm5.xlage'; did you mean 'm5.xlarge'"):
        shipped_book().node("m5.xlage")
    with pytest.raises(UsageError, match=r"write prices: \{node: "):
        shipped_book().node("own")
