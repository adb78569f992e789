"""docs/cost.md: its tables are those of the code."""

from __future__ import annotations

import re
from pathlib import Path

from meshsim.costs.book import read_book, shipped_book
from meshsim.costs.lines import ITEMS
from meshsim.costs.methods import METHODS
from meshsim.costs.rules import RULES
from meshsim.model.load import load

TEXT = (Path(__file__).parents[2] / "docs" / "cost.md").read_text(encoding="utf-8")
YAML = re.findall(r"```yaml\n(.*?)```", TEXT, re.DOTALL)


def test_the_price_book_is_told() -> None:
    book = shipped_book()
    rows = [row.to_dict() for row in (*book.rows.values(), *(node.row for node in book.nodes.values()))]
    table = [f"| `{row['key']}` | {row['price']} | {row['as_of']} | {row['source']} |" for row in rows]
    assert "\n".join(table) in TEXT


def test_rules_methods_and_items_are_told() -> None:
    for rule in RULES:
        assert f"\n| `{rule}` |" in TEXT
    for method in METHODS:
        assert f"`{method}`" in TEXT
    billed = TEXT.partition("## What is billed")[2].partition("## Prices")[0]
    for item in ITEMS:
        assert item in billed or item.partition(", ")[2] in billed


def test_the_prices_can_be_read(tmp_path: Path) -> None:
    file, topology = YAML
    (tmp_path / "mine.yaml").write_text(file, encoding="utf-8")
    book = read_book(tmp_path / "mine.yaml")
    assert (book.name, book.amount("cross_zone_in"), book.node("c7-large").cores) == ("our contract", 0.0, 8.0)
    shop = "meshsim: 1\nservices: {shop: {endpoints: {buy: [{work: 1ms}]}}}\n"
    shop += "traffic: [{name: web, entry: shop.buy, arrivals: {poisson: 10/s}}]\n"
    (tmp_path / "shop.yaml").write_text(shop + topology, encoding="utf-8")
    prices = load(tmp_path / "shop.yaml").prices
    assert all(value is not None for value in prices.model_dump().values())
