"""The price book: what a unit of everything costs, when that was so, and who says it."""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Final

from meshsim import units
from meshsim.errors import Diagnostic, SpecError, StoreError, UsageError
from meshsim.model.diagnostics import Report, TooManyErrors, render_all, suggestion
from meshsim.model.read import quantities
from meshsim.model.read.cursor import Cursor, Reading
from meshsim.model.read.prices import read_price
from meshsim.model.read.tree import MapNode
from meshsim.model.read.yaml_text import parse
from meshsim.model.topology import Topology

BOOK: Final = Path(__file__).with_name("prices.yaml")

#: What every row is the price of: one of `meshsim.units.Price.per`.
ROWS: Final[Mapping[str, str]] = {
    "cpu": "core_hour",
    "memory": "gib_hour",
    "cross_zone_out": "gib",
    "cross_zone_in": "gib",
    "egress": "gib",
    "load_balancer": "hour",
    "lcu": "lcu_hour",
    "nat_gateway": "hour",
    "nat": "gib",
    "control_plane": "hour",
    "people": "hour",
}
_DATE = re.compile(r"[0-9]{4}(-(0[1-9]|1[0-2])(-(0[1-9]|[12][0-9]|3[01]))?)?")
_ELSEWHERE = {
    "cross_zone": "write cross_zone_out and cross_zone_in: some clouds charge one end only",
    "node": "node types are listed under nodes: {m5.xlarge: {price: $0.192/h, cpu: 4, memory: 16GiB}}",
}
_DESCRIBED = ("price", "as_of", "source")
OWN_NODE: Final = "own"  # the type that the topology's `nodes` describe


@dataclass(frozen=True, slots=True)
class Row:
    """A price.

    Attributes
    ----------
    price
        Amount, currency, and for what.
    as_of
        Year, month or day in which it was so; empty where the book does not say it.
    source
        Who says it; ``assumed`` where nobody does.
    text
        As it is written.
    """

    key: str
    price: units.Price
    as_of: str
    source: str
    text: str

    def to_dict(self) -> dict[str, object]:
        """For JSON."""
        return {
            "key": self.key,
            "price": self.text,
            "as_of": self.as_of or None,
            "source": self.source,
        }


@dataclass(frozen=True, slots=True)
class NodePrice:
    """A type of node: what it has, and its price by the hour."""

    row: Row
    cores: float
    memory_bytes: int


@dataclass(frozen=True, slots=True)
class PriceBook:
    """All prices that a bill may need.

    Attributes
    ----------
    rows
        By the keys of `ROWS`.
    nodes
        By the name of the type.
    """

    name: str
    rows: Mapping[str, Row]
    nodes: Mapping[str, NodePrice]

    def amount(self, key: str) -> float:
        """Money for one unit of a row."""
        return self.rows[key].price.amount

    def node(self, name: str) -> NodePrice:
        """A type of node.

        Raises
        ------
        UsageError
            The book has none of that name.
        """
        if name in self.nodes:
            return self.nodes[name]
        if name == OWN_NODE:
            raise UsageError("the topology's own nodes have no price: write prices: {node: $0.20/h}")
        raise UsageError(f"the price book has no node type '{name}'; {suggestion(name, self.nodes)}")

    def replaced(self, other: PriceBook) -> PriceBook:
        """The same with the rows of another one in the place of its own."""
        name = f"{self.name} + {other.name}"
        return PriceBook(name, {**self.rows, **other.rows}, {**self.nodes, **other.nodes})

    def for_topology(self, topology: Topology) -> PriceBook:
        """The same with what the topology says under `prices`, and its own type of node if it has a price."""
        prices = topology.prices
        given = {
            "cpu": prices.cpu_per_core_hour,
            "memory": prices.memory_per_gib_hour,
            "cross_zone_out": prices.cross_zone_per_gib,
            "cross_zone_in": prices.cross_zone_per_gib,
            "egress": prices.egress_per_gib,
            "load_balancer": prices.load_balancer_per_hour,
            "control_plane": prices.control_plane_per_hour,
        }
        rows = {
            key: _of_topology(topology, key, ROWS[key], amount) for key, amount in given.items() if amount is not None
        }
        nodes = {}
        if prices.node_per_hour is not None:
            row = replace(_of_topology(topology, "node", "hour", prices.node_per_hour), key=OWN_NODE)
            nodes[OWN_NODE] = NodePrice(row, topology.nodes.cpu, topology.nodes.memory_bytes)
        return replace(self, rows={**self.rows, **rows}, nodes={**self.nodes, **nodes})


def currency_of(rows: Iterable[Row]) -> str:
    """The one currency of some rows.

    Raises
    ------
    UsageError
        They are in several.
    """
    by_currency: dict[str, list[str]] = {}
    for row in rows:
        by_currency.setdefault(row.price.currency, []).append(row.key)
    if len(by_currency) > 1:
        told = "; ".join(f"{code}: {', '.join(sorted(keys))}" for code, keys in sorted(by_currency.items()))
        raise UsageError(
            f"the prices of this bill are in several currencies ({told}): give all of them in one, with "
            "`--prices FILE` or under `prices:` of the topology"
        )
    return next(iter(by_currency), "USD")


def _of_topology(topology: Topology, key: str, per: str, amount: float) -> Row:
    name = "cross_zone" if key.startswith("cross_zone") else key
    price = units.Price(amount, topology.prices.currency, per)
    place = topology.origins.get(f"prices.{name}", f"prices.{name} of the topology")
    return Row(key, price, "", place, units.format_price(price))


def shipped_book() -> PriceBook:
    """The price book that comes with meshsim.

    Examples
    --------
    >>> shipped_book().rows["cross_zone_in"].to_dict()["price"]
    '$0.01/GB'
    """
    book = read_book(BOOK)
    missing = sorted(set(ROWS) - set(book.rows))
    if missing:
        raise SpecError(f"{BOOK}: rows are missing: {', '.join(missing)}; add them")
    return book


def read_book(path: str | Path) -> PriceBook:
    """Read a price book, or some rows that replace those of another one.

    Raises
    ------
    SpecError
        With every mistake, its line and what to write instead.
    StoreError
        The file cannot be read.
    """
    file = Path(path)
    try:
        text = file.read_text(encoding="utf-8")
    except OSError as error:
        raise StoreError(f"cannot read the prices in {file}: {error.strerror}; check the name") from None
    except UnicodeDecodeError:
        raise SpecError(f"{file}: the prices are not UTF-8 text: save the file as UTF-8") from None
    if not text.strip():
        raise SpecError(f"{file}: there are no prices: write prices: {{cpu: $0.03/core/h}}")
    report = Report(sources={str(path): text})
    book = None
    try:
        root = parse(text, str(path), report)
        if isinstance(root, MapNode):
            book = _read(Cursor(root, "", Reading(report), root.mark), file.stem)
        elif not report.errors:
            raise SpecError(f"{file}: a price book is a map: write prices: {{cpu: $0.03/core/h}}")
    except TooManyErrors:
        pass  # they are in the report
    if book is None or report.errors:
        diagnostics = tuple(sorted(report.diagnostics, key=_place))
        raise SpecError(render_all(diagnostics, report.sources), diagnostics=diagnostics, sources=report.sources)
    return book


def _place(one: Diagnostic) -> tuple[int, int]:
    return one.line or 0, one.col or 0


def _read(at: Cursor, stem: str) -> PriceBook:
    found = at.fields(("name", "prices", "nodes"), example="prices: {cpu: $0.03/core/h}")
    name = found["name"].text() if "name" in found else stem
    rows: dict[str, Row] = {}
    if "prices" in found:
        given = found["prices"].fields(tuple(ROWS), elsewhere=_ELSEWHERE, example="cpu: $0.03/core/h")
        rows = {key: row for key, cursor in given.items() if (row := _row(cursor, key, ROWS[key])) is not None}
    nodes = {}
    if "nodes" in found:
        for type_name, cursor in found["nodes"].children("m5.xlarge: {price: $0.192/h, cpu: 4, memory: 16GiB}"):
            if type_name == OWN_NODE:
                cursor.error("M108", f"'{OWN_NODE}' are the nodes of the topology", "give the type another name",
                             cursor.key_mark)  # fmt: skip
            node = _node(cursor, type_name)
            if node is not None:
                nodes[type_name] = node
    return PriceBook(name, rows, nodes)


def _row(at: Cursor, key: str, per: str) -> Row | None:
    """A price, or a map of it with its date and its source."""
    if at.is_map():
        given = at.fields(_DESCRIBED, required=("price",), example="price: $0.03/core/h")
        return _described(at, given, key, per)
    price = read_price(at, per)
    place = f"{at.node.mark.file}:{at.node.mark.line}"
    return None if price is None else Row(key, price, "", place, at.text())


def _described(at: Cursor, given: Mapping[str, Cursor], key: str, per: str) -> Row | None:
    price = read_price(given["price"], per) if "price" in given else None
    as_of = given["as_of"].text() if "as_of" in given else ""
    if as_of and not _DATE.fullmatch(as_of):
        given["as_of"].error("M107", f"as_of is '{as_of}', and a date is due", "write 2026, 2026-05 or 2026-05-31")
    source = given["source"].text() if "source" in given else f"{at.node.mark.file}:{at.key_mark.line}"
    return None if price is None else Row(key, price, as_of, source, given["price"].text())


def _node(at: Cursor, name: str) -> NodePrice | None:
    if not at.is_map():
        at.wrong_kind("a map", at.write("{price: $0.192/h, cpu: 4, memory: 16GiB}"))
        return None
    has = ("cpu", "memory")
    given = at.fields((*_DESCRIBED, *has), required=("price", *has), example="price: $0.192/h, cpu: 4, memory: 16GiB")
    row = _described(at, given, name, "hour")
    cores = quantities.cores(given["cpu"]) if "cpu" in given else None
    memory_bytes = quantities.memory(given["memory"]) if "memory" in given else None
    if row is None or cores is None or memory_bytes is None:
        return None
    return NodePrice(row, cores, memory_bytes)
