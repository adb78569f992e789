"""A bill: lines with their prices."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from meshsim.costs.book import NodePrice, PriceBook, Row, currency_of
from meshsim.costs.lines import GIB, HOURS_PER_MONTH, ITEMS, Line
from meshsim.costs.money import apportion, whole_cents
from meshsim.costs.packing import NodeType
from meshsim.costs.use import Numbers

Floats = npt.NDArray[np.float64]

_OF_NODES = ("node", "node_core", "node_gib")


@dataclass(frozen=True, slots=True)
class Tariff:
    """The prices of one bill.

    Attributes
    ----------
    book
        All prices.
    node
        Type of node that is billed; None: requested cores and GiB are.
    """

    book: PriceBook
    node: NodePrice | None = None

    @property
    def core_weight(self) -> float:
        """Part of a node's price that is for its cores: in the ratio of the book's core and GiB, as OpenCost does it.

        (OpenCost Specification 0.1, Appendix A: where a provider sells whole nodes, CPU and RAM get the ratio of their
        list prices.)
        """
        if self.node is None:
            return 0.5
        cores = self.node.cores * self.book.amount("cpu")
        gib = self.node.memory_bytes / GIB * self.book.amount("memory")
        return cores / (cores + gib) if cores + gib > 0 else 0.5

    @property
    def node_type(self) -> NodeType | None:
        """What pods are packed on."""
        if self.node is None:
            return None
        return NodeType(self.node.row.key, self.node.cores, self.node.memory_bytes, self.node.row.price.amount)

    def unit_price(self, keys: Sequence[str]) -> float:
        """Money for a unit and an hour: the sum of some rows."""
        return sum(self._amount(key) for key in keys)

    def _amount(self, key: str) -> float:
        if key not in _OF_NODES:
            return self.book.amount(key)
        assert self.node is not None, "lines are of nodes only where nodes are billed"
        price = self.node.row.price.amount
        if key == "node_core":
            return price * self.core_weight / self.node.cores
        if key == "node_gib":
            return price * (1.0 - self.core_weight) / (self.node.memory_bytes / GIB)
        return price

    def rows(self, lines: Sequence[Line]) -> list[Row]:
        """The rows of the book behind some lines, in their order, each once."""
        keys = dict.fromkeys(key for line in lines for key in line.keys)
        of_book = [self.book.rows[key] for key in keys if key not in _OF_NODES]
        return of_book if self.node is None else [*of_book, self.node.row]

    def currency(self, lines: Sequence[Line]) -> str:
        """The one currency of all prices behind some lines.

        Raises
        ------
        UsageError
            They are in several.
        """
        return currency_of(self.rows(lines))


@dataclass(frozen=True, slots=True, eq=False)
class Bill:
    """What an architecture costs by the hour.

    Attributes
    ----------
    payers
        Tenants, or their accounts, in the order of all arrays.
    lines
        What is bought.
    prices
        (L,) money for a unit of each line and an hour.
    """

    payers: tuple[str, ...]
    lines: tuple[Line, ...]
    prices: Floats

    @property
    def amounts(self) -> Floats:
        """(L,) money an hour of each line."""
        amounts: Floats = self.prices * np.array([line.amount for line in self.lines])
        return amounts

    @property
    def direct(self) -> Floats:
        """(L, n) money an hour that each payer's own use takes."""
        direct: Floats = self.prices[:, None] * np.array([line.direct for line in self.lines])
        return direct

    @property
    def shared(self) -> Floats:
        """(L,) money an hour that nobody's own use takes: idle, or needed by all."""
        shared: Floats = self.prices * np.array([line.shared for line in self.lines])
        return shared

    @property
    def per_hour(self) -> float:
        """Money an hour of all lines."""
        return float(self.amounts.sum())

    def of_items(self, items: Sequence[str]) -> Bill:
        """The lines of some items only."""
        return self.where([line.item in items for line in self.lines])

    def where(self, chosen: Sequence[bool]) -> Bill:
        """Some of the lines."""
        lines = tuple(line for line, is_chosen in zip(self.lines, chosen, strict=True) if is_chosen)
        return Bill(self.payers, lines, self.prices[np.array(chosen, dtype=bool)])

    def merged(self, payers: tuple[str, ...], whose: Numbers) -> Bill:
        """The same bill of fewer payers; `whose` (n,) numbers tell which one each of the present ones is part of."""
        return Bill(payers, tuple(line.merged(whose) for line in self.lines), self.prices)

    def cost(self, members: npt.NDArray[np.bool_]) -> Floats:
        """(m,) money an hour that coalitions (m, n) of payers would need by themselves."""
        needs = [line.needs.of(members) for line in self.lines]
        return self.prices @ np.array(needs) if needs else np.zeros(len(members))


def price(payers: tuple[str, ...], lines: Sequence[Line], tariff: Tariff) -> Bill:
    """Put prices to lines."""
    return Bill(payers, tuple(lines), np.array([tariff.unit_price(line.keys) for line in lines]))


@dataclass(frozen=True, slots=True)
class Cents:
    """A bill in whole cents a month, divided between tenants.

    Attributes
    ----------
    items
        Of each item; they add up to the total.
    by_tenant
        Of each item, by tenant; they add up to the item.
    """

    items: Mapping[str, int]
    by_tenant: Mapping[str, Mapping[str, int]]

    @property
    def total(self) -> int:
        """The bill."""
        return sum(self.items.values())

    def of(self, tenant: str) -> int:
        """The bill of one tenant."""
        return sum(parts[tenant] for parts in self.by_tenant.values())

    @property
    def tenants(self) -> dict[str, int]:
        """The bill of each tenant; together they are the total."""
        names = next(iter(self.by_tenant.values()), {})
        return {name: self.of(name) for name in names}


def cents(bill: Bill, divided: Floats) -> Cents:
    """Round a divided bill so that it adds up both ways: items to the total, tenants to each item.

    Each item is rounded by itself, so that what is bought alike costs alike under every architecture.

    Parameters
    ----------
    bill
        What is divided.
    divided
        (L, n) money an hour of each line and tenant.
    """
    amounts = bill.amounts * HOURS_PER_MONTH
    of_item = {item: _rows(bill, item) for item in ITEMS}
    exact = {item: float(amounts[rows].sum()) for item, rows in of_item.items() if len(rows)}
    items = {item: whole_cents(amount) for item, amount in exact.items()}
    by_tenant, given = {}, 0
    for item, whole in items.items():
        parts = divided[of_item[item]].sum(axis=0).tolist()
        by_tenant[item] = apportion(whole, dict(zip(bill.payers, parts, strict=True)), turn=given)
        given += whole
    return Cents(items, by_tenant)


def _rows(bill: Bill, item: str) -> npt.NDArray[np.intp]:
    return np.flatnonzero([line.item == item for line in bill.lines])
