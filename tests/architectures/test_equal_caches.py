"""Equal caches: instances counted by hand, and what cannot be made equal."""

from __future__ import annotations

from typing import Any

import pytest

from meshsim.architectures.equal_caches import equal_caches
from meshsim.errors import UsageError
from meshsim.model.load import load


def shop(gateway: dict[str, Any] | None, sidecar: dict[str, Any] | None) -> dict[str, Any]:
    """Three replicas of one service, six of the other; two gateways."""
    key = {"key": "item"}
    mesh = {
        "gateway": {"replicas": 2} | ({} if gateway is None else {"cache": gateway | key}),
        "sidecar": {} if sidecar is None else {"cache": sidecar | key},
    }
    return {
        "meshsim": 1,
        "services": {
            "shop": {"replicas": 3, "endpoints": {"get": [{"work": "1ms"}, {"call": "stock.look"}]}},
            "stock": {"replicas": 6, "endpoints": {"look": [{"work": "1ms"}]}},
        },
        "traffic": [
            {
                "name": "web",
                "entry": "shop.get",
                "arrivals": {"poisson": "10/s"},
                "keys": {"item": {"uniform": {"items": 10}}},
            }
        ],
        "mesh": mesh,
    }


def test_nine_sidecars_get_what_two_gateways_have() -> None:
    spec = load(shop({"capacity": 900}, {"capacity": 1000}))
    none, gateway, only = equal_caches(spec, ["none", "gateway", "sidecar-only"])
    assert (none.overrides, gateway.overrides) == ((), ())
    assert none.topology is spec and "nothing is scaled" in none.note
    assert only.overrides == ("mesh.sidecar.cache.capacity=200",)  # 2 × 900 / (3 + 6)
    assert only.topology.mesh.sidecar.cache is not None
    assert only.topology.mesh.sidecar.cache.cache.capacity_entries == 200
    assert "9 × 200 entries at sidecars instead of 1,000 entries: 1,800 entries as gateway has" in only.note


def test_what_cannot_be_reached_is_told() -> None:
    """Nine sidecars cannot hold two entries between them."""
    only = equal_caches(load(shop({"capacity": 1}, {"capacity": 1000})), ["gateway", "sidecar-only"])[1]
    assert only.note.endswith("9 entries, and gateway has 2 entries: whole entries come no closer")


def test_bytes_are_told_as_people_read_them() -> None:
    spec = load(shop({"capacity": "1MiB", "size": "1KiB"}, {"capacity": "64KiB", "size": "1KiB"}))
    gateway, only = equal_caches(spec, ["gateway", "sidecar-only"])
    assert only.note.endswith("9 × 227.6KiB at sidecars instead of 64KiB: 2MiB as gateway has")
    assert gateway.note.endswith("2 × 1MiB at gateways, as they were given: 2MiB")


def test_only_sidecars_that_keep_anything_count() -> None:
    spec = load(shop({"capacity": 900}, {"capacity": 1000, "only": ["stock.look"]}))
    assert equal_caches(spec, ["gateway", "sidecar-only"])[1].overrides == ("mesh.sidecar.cache.capacity=300",)
    at_client = load(shop({"capacity": 900}, {"capacity": 1000, "only": ["stock.look"], "where": "client"}))
    assert equal_caches(at_client, ["gateway", "sidecar-only"])[1].overrides == ("mesh.sidecar.cache.capacity=600",)


def test_several_kinds_are_scaled_alike() -> None:
    """Under `sidecar` there are 2 × 900 + 9 × 800 = 9000 entries, five times those of the gateway alone."""
    spec = load(shop({"capacity": 900}, {"capacity": 800}))
    assert equal_caches(spec, ["gateway", "sidecar"])[1].overrides == (
        "mesh.gateway.cache.capacity=180",
        "mesh.sidecar.cache.capacity=160",
    )


def test_bytes_are_scaled_too_and_overrides_say_the_same() -> None:
    size = {"size": "1KiB"}
    written = shop({"capacity": "9MiB"} | size, {"capacity": "1MiB"} | size)
    only = equal_caches(load(written), ["gateway", "sidecar-only"])[1]
    assert only.overrides == (f"mesh.sidecar.cache.capacity={2 * 2**20}B",)
    assert load(written, overrides=only.overrides).digest == only.topology.digest


@pytest.mark.parametrize(
    ("gateway", "sidecar", "told"),
    [
        (None, None, "here none of them has one"),
        ({"capacity": 10}, None, "here gateway has one"),
        ({"capacity": 10}, {"ttl": "1s"}, "mesh.sidecar.cache has no capacity"),
        ({"capacity": 10}, {"capacity": "1MiB", "size": "1KiB"}, "give both in the same"),
    ],
)
def test_what_cannot_be_made_equal(gateway: dict[str, Any] | None, sidecar: dict[str, Any] | None, told: str) -> None:
    with pytest.raises(UsageError, match=told):
        equal_caches(load(shop(gateway, sidecar)), ["gateway", "sidecar-only"])
