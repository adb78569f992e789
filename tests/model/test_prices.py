"""Prices are part of what a topology is only where they are written."""

from __future__ import annotations

import meshsim as ms

SHOP = {
    "meshsim": 1,
    "services": {"shop": {"endpoints": {"buy": [{"work": "1ms"}]}}},
    "traffic": [{"name": "web", "entry": "shop.buy", "arrivals": {"poisson": "10/s"}}],
}


def test_prices_that_are_written_change_the_digest() -> None:
    plain = ms.load(SHOP)
    for key in ("egress: $0.09/GB", "node: $0.2/h", "load_balancer: $0.02/h", "control_plane: $0.1/h"):
        name, price = key.split(": ")
        assert ms.load({**SHOP, "prices": {name: price}}).digest != plain.digest


def test_digests_of_before_there_were_more_prices_hold() -> None:
    """Stores are keyed by digests: that of bookinfo is what it was."""
    assert ms.load("bookinfo").digest == "5f25aa4b9b2724aa87f545b39e022a90e1182240324f9c0372144496390d2997"
