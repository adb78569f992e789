"""Prices: each a text with its unit, all that are used together in one currency."""

from __future__ import annotations

from typing import Final

from meshsim import units
from meshsim.model.read import keys
from meshsim.model.read.cursor import Cursor
from meshsim.model.topology import Prices

_MOST: Final = 1e6
_EXAMPLES: Final = {
    "core_hour": "$0.03/core/h",
    "gib_hour": "$0.0042/GiB/h",
    "gib": "$0.01/GiB",
    "hour": "$0.10/h",
    "lcu_hour": "$0.008/LCU/h",
}
_FIELDS: Final = {  # key of `prices` -> (what it is for, field)
    "cpu": ("core_hour", "cpu_per_core_hour"),
    "memory": ("gib_hour", "memory_per_gib_hour"),
    "cross_zone": ("gib", "cross_zone_per_gib"),
    "egress": ("gib", "egress_per_gib"),
    "node": ("hour", "node_per_hour"),
    "load_balancer": ("hour", "load_balancer_per_hour"),
    "control_plane": ("hour", "control_plane_per_hour"),
}


def read_prices(at: Cursor | None) -> Prices:
    """Read `prices` of a topology, in one currency; absent ones are those of the price book."""
    found = at.fields(keys.PRICES, elsewhere=keys.ELSEWHERE_PRICES, example="cpu: $0.03/core/h") if at else {}
    prices = {key: read_price(found[key], _FIELDS[key][0]) for key in found}
    currencies = {price.currency for price in prices.values() if price}
    if len(currencies) > 1 and at:
        at.error("M108", f"prices are in {' and '.join(sorted(currencies))}", "use one currency", at.key_mark)
    amounts = {_FIELDS[key][1]: price.amount for key, price in prices.items() if price}
    return Prices(currency=min(currencies, default="USD"), **amounts)


def read_price(at: Cursor, per: str) -> units.Price | None:
    """Read one price, which is for one `per` of `meshsim.units.Price`; None after an error."""
    example = _EXAMPLES[per]
    node = at.scalar("a price", at.write(example))
    if node is None:
        return None
    try:
        price = units.parse_price(node.text)
    except units.UnitError as error:
        bare = isinstance(node.value, (int, float))
        at.error("M106" if bare else "M107", f"{at.name}: {error}", at.write(example) if bare else error.hint)
        return None
    if price.per != per:
        at.error("M107", f"{at.name}: {node.text} is not a price of this kind", at.write(example))
        return None
    if price.amount > _MOST:
        at.error(
            "M107", f"{at.name}: {node.text} is too much: prices are {_MOST:,.0f} a unit at most", at.write(example)
        )
        return None
    return price
