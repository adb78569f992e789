"""Who looks into which cache: by hand, for a small graph under several architectures."""

from __future__ import annotations

from typing import Any

import pytest
from cached_maps import maps

from meshsim.architectures import lower
from meshsim.model.load import load
from meshsim.results.lookups import Before, Lookups, lookups


def asked(spec: dict[str, Any], architecture: str = "none", **options: Any) -> Lookups:
    return lookups(lower(load(spec), architecture, **options))


def test_a_stream_looks_as_often_as_it_comes_there() -> None:
    spec = maps()
    tile = spec["services"]["maps"]["endpoints"]["tile"]
    tile[1] = {"choose": [{"p": 0.25, "do": [tile[1]]}]}
    half = {"choose": [{"p": 0.5, "do": [{"call": "maps.tile"}]}]}
    spec["services"]["front"] = {"endpoints": {"page": [half]}}
    spec["traffic"][0]["entry"] = "front.page"
    (look,) = asked(spec).looks["maps", "tiles"]
    assert (look.stream.name, look.key, look.expected) == ("web", ("item",), 0.125)
    assert look.hashed is None and look.behind == frozenset()


def test_who_has_no_key_does_not_look() -> None:
    spec = maps()
    spec["traffic"].append({"name": "till", "entry": "maps.tile", "arrivals": {"poisson": "1/s"}})
    assert [look.stream.name for look in asked(spec).looks["maps", "tiles"]] == ["web"]


def test_caches_behind_caches() -> None:
    mesh = {
        "gateway": {"cache": {"capacity": 10, "key": "item"}},
        "sidecar": {"cache": {"capacity": 10, "key": "item"}},
    }
    found = asked(maps(mesh=mesh), "sidecar")
    (at_gateway,) = found.looks["gateway", "gateway"]
    (at_sidecar,) = found.looks["sidecar@maps", "sidecar"]
    (at_maps,) = found.looks["maps", "tiles"]
    gateway, sidecar = Before("gateway", ("item",)), Before("sidecar", ("item",))
    assert at_gateway.behind == frozenset()
    assert at_sidecar.behind == {gateway}
    assert at_maps.behind == {gateway, sidecar}


@pytest.mark.parametrize(
    ("architecture", "station", "hashed"),
    [
        ("gateway", "maps", "item"),  # the gateway chooses the replica by the hash
        ("gateway", "gateway", None),  # its own instance is chosen by the connection
        ("sidecar-only", "sidecar@maps", None),  # nobody outside enforces the policy
        ("none", "maps", None),
    ],
)
def test_whose_replica_a_hash_chose(architecture: str, station: str, hashed: str | None) -> None:
    hashing = [{"name": "hash", "to": "maps", "load_balancer": {"ring_hash": {"on": "item"}}}]
    kept = {"cache": {"capacity": 10, "key": "item", "only": ["maps.tile"]}}
    spec = maps(policies=hashing, mesh={"gateway": kept, "sidecar": kept})
    cache = {"maps": "tiles", "gateway": "gateway"}.get(station, "sidecar")
    (look,) = asked(spec, architecture).looks[station, cache]
    assert look.hashed == hashed


def test_a_sidecar_beside_a_replica_that_a_hash_chose() -> None:
    hashing = [{"name": "hash", "to": "maps", "load_balancer": {"ring_hash": {"on": "item"}}}]
    spec = maps(policies=hashing, mesh={"sidecar": {"cache": {"capacity": 10, "key": "item", "only": ["maps.tile"]}}})
    (look,) = asked(spec, "sidecar").looks["sidecar@maps", "sidecar"]
    assert look.hashed == "item"


def test_asking_twice() -> None:
    spec = maps()
    tile = spec["services"]["maps"]["endpoints"]["tile"]
    assert asked(spec).repeated == frozenset()
    either = {"choose": [{"p": 0.5, "do": [tile[1]]}, {"p": 0.5, "do": [tile[1]]}]}
    spec["services"]["maps"]["endpoints"]["tile"] = [either]
    assert asked(spec).repeated == frozenset()  # one or the other
    spec["services"]["maps"]["endpoints"]["tile"] = [{"parallel": [either, tile[1]]}]
    assert asked(spec).repeated == {("maps", "tiles")}


def test_calls_in_a_circle() -> None:
    spec = maps()
    spec["services"]["geo"]["endpoints"]["render"] = [{"choose": [{"p": 0.1, "do": [{"call": "maps.tile"}]}]}]
    found = asked(spec)
    assert found.looks == {} and {"maps/tile", "geo/render"} <= set(found.circle)
