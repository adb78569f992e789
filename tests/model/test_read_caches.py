"""What caches, keys and sessions are read into; how they are extended and overridden."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from good_caches import CACHES
from hypothesis import given
from hypothesis import strategies as st

from meshsim.errors import SpecError
from meshsim.model.caches import Cache, ProxyCache
from meshsim.model.diagnostics import Report
from meshsim.model.distributions import Distribution, constant
from meshsim.model.load import load, validate
from meshsim.model.read.tree import to_python
from meshsim.model.read.yaml_text import parse
from meshsim.model.steps import Cached, Call, Choose, Invalidate, Option, Parallel, Work
from meshsim.model.topology import Topology
from meshsim.model.traffic import Keys


def _spec(text: str) -> dict[str, Any]:
    """The dict of a text: with PyYAML, `on` would be True."""
    node = parse(text, "caches.yaml", Report())
    assert node is not None
    spec = to_python(node)
    assert isinstance(spec, dict)
    return spec


def _load(text: str, *overrides: str) -> Topology:
    return load(_spec(text), overrides=overrides)


def _tiles(fields: str) -> Cache:
    """One cache of those fields, for every step that looks into tiles."""
    begin, end = CACHES.index("      tiles:\n"), CACHES.index("      routes:")
    return _load(f"{CACHES[:begin]}      tiles: {{{fields}}}\n{CACHES[end:]}").services["maps"].caches["tiles"]


def _exp(mean: float) -> Distribution:
    return Distribution(kind="exp", params=(mean,))


def test_the_good_file_has_no_diagnostics(tmp_path: Path) -> None:
    (tmp_path / "caches.yaml").write_text(CACHES)
    assert validate(tmp_path / "caches.yaml")[1] == []


def test_everything_is_read() -> None:
    topology = _load(CACHES)
    maps = topology.services["maps"]
    tiles = maps.caches["tiles"]
    assert tiles.size is not None and tiles.size.mean() == pytest.approx(4096.0)
    assert list(maps.caches) == ["names", "routes", "tiles"]
    assert tiles.model_copy(update={"size": None}) == Cache(
        name="tiles",
        policy="sieve",
        capacity_entries=20_000,
        ttl_s=60.0,
        renew=True,
        stale_s=5.0,
        negative_s=1.0,
        coalesce=True,
        fill=constant(0.0002),
        shared=_exp(0.0005),
        invalidation=_exp(0.05),
        leases=True,
    )
    assert maps.caches["routes"] == Cache(name="routes", capacity_bytes=64 * 1024**2, size=constant(1024))
    assert maps.caches["names"] == Cache(name="names", ttl_s=10.0)
    assert topology.services["geo"].caches == {}


def test_steps_are_read() -> None:
    endpoints = _load(CACHES).services["maps"].versions[0].endpoints
    lookup = Call(service="geo", endpoint="lookup", fallback=(Call(service="geo", endpoint="near"),))
    assert endpoints["tile"][1] == Cached(name="tiles", key=("item",), miss=(Work(work=constant(0.002)), lookup))
    inner = Cached(name="names", key=("caller",), miss=(Call(service="geo", endpoint="near"),))
    routes = Cached(name="routes", key=("caller", "item"), miss=(Choose(options=(Option(p=0.5, do=(inner,)),)),))
    assert endpoints["route"] == (Parallel(branches=((Cached(name="names", key=("caller",)),), (routes,))),)


def test_caches_of_proxies_are_read() -> None:
    mesh = _load(CACHES).mesh
    assert mesh.gateway.cache == ProxyCache(
        cache=Cache(name="gateway", capacity_bytes=64 * 1024**2, size=constant(2048), fill=_exp(50e-6)),
        key=("item",),
        only=("maps.route", "maps.tile"),
    )
    sidecar = Cache(name="sidecar", ttl_s=1.0)
    assert mesh.sidecar.cache == ProxyCache(cache=sidecar, key=("caller", "item"), where="client")
    waypoint = Cache(name="waypoint", capacity_entries=100, policy="fifo")
    assert mesh.waypoint.cache == ProxyCache(cache=waypoint, key=("item",), only=("geo.lookup",))
    assert mesh.waypoint.replicas == 2 and mesh.ztunnel.cache is None


def test_keys_and_sessions_are_read() -> None:
    app, web = _load(CACHES).traffic
    assert web.keys["item"] == Keys(items=5000, exponent=0.9, once=0.2, life_s=600.0)
    assert app.keys["caller"] == Keys(items=50, once=0.5, life_s=3600.0)
    assert web.sessions is not None and (web.sessions.reuse, web.sessions.reuse_window) == (0.7, 32)
    assert app.sessions is not None and (app.sessions.reuse, app.sessions.reuse_window) == (0.7, 16)


def test_a_file_and_its_dict_are_the_same_system(tmp_path: Path) -> None:
    (tmp_path / "caches.yaml").write_text(CACHES)
    assert load(tmp_path / "caches.yaml").digest == _load(CACHES).digest


def test_the_order_of_a_key_and_of_endpoints_does_not_matter() -> None:
    turned = CACHES.replace("[item, caller]", "[caller, item]").replace("[maps.tile, maps", "[maps.route, maps")
    turned = turned.replace("[maps.route, maps.route]", "[maps.route, maps.tile]")
    assert turned != CACHES and _load(turned).digest == _load(CACHES).digest


@pytest.mark.parametrize(
    ("fields", "read"),
    [
        ("capacity: 1", {"capacity_entries": 1}),
        ("capacity: 1.0e+3", {"capacity_entries": 1000}),
        ("capacity: 1kB, size: 1B", {"capacity_bytes": 1000, "size": constant(1)}),
        ("capacity: 5, size: 1KiB", {"capacity_entries": 5, "size": constant(1024)}),
        ("ttl: 1m, size: 1KiB", {"ttl_s": 60.0, "size": constant(1024)}),
        ("ttl: 1s, renew: off, coalesce: false", {"ttl_s": 1.0}),
        ("ttl: 1s, stale: 0s, negative: 0s", {"ttl_s": 1.0}),
        ("capacity: 5, policy: lru", {"capacity_entries": 5}),
        ("capacity: 5, shared: 0ms", {"capacity_entries": 5, "shared": constant(0)}),
        *((f"capacity: 5, policy: {p}", {"capacity_entries": 5, "policy": p}) for p in ("fifo", "random", "lfu")),
    ],
)
def test_forms_of_a_cache(fields: str, read: dict[str, Any]) -> None:
    assert _tiles(fields) == Cache(name="tiles", **read)


def test_writes_are_read() -> None:
    writes = "[{invalidate: {cache: tiles, key: item}}, {invalidate: {cache: gateway, key: item, of: maps.tile}}]"
    edit = _load(CACHES, f"services.maps.endpoints.tile={writes}").services["maps"].versions[0].endpoints["tile"]
    assert edit == (
        Invalidate(cache=("maps", "tiles"), key=("item",)),
        Invalidate(cache=("", "gateway"), key=("item",), of="maps.tile"),
    )


def test_sessions_are_about_one_caller() -> None:
    assert [s.sessions.same for s in _load(CACHES).traffic if s.sessions] == [("caller",), ()]


def _of_maps(topology: Topology, name: str = "tiles") -> Cache:
    return topology.services["maps"].caches[name]


OVERRIDES = [
    ("services.maps.caches.tiles.capacity=100", lambda t: _of_maps(t).capacity_entries == 100),
    ("services.maps.caches.tiles.capacity=1MiB", lambda t: _of_maps(t).capacity_bytes == 1024**2),
    ("services.maps.caches.routes.ttl=1s", lambda t: _of_maps(t, "routes").ttl_s == 1.0),
    ("services.maps.caches.tiles.shared=null", lambda t: _of_maps(t).shared is None),
    ("services.maps.caches.tiles.size={exp: 1KiB}", lambda t: _of_maps(t).size == _exp(1024.0)),
    ("services.maps.endpoints.tile.1.cache.key=caller",
     lambda t: t.services["maps"].versions[0].endpoints["tile"][1].key == ("caller",)),
    ("services.maps.endpoints.tile.1.cache.miss.0.work=9ms",
     lambda t: t.services["maps"].versions[0].endpoints["tile"][1].miss[0].work == constant(0.009)),
    ("mesh.gateway.cache.capacity=10", lambda t: t.mesh.gateway.cache.cache.capacity_entries == 10),
    ("mesh.sidecar.cache.where=server", lambda t: t.mesh.sidecar.cache.where == "server"),
    ("mesh.ambient.waypoint.cache=null", lambda t: t.mesh.waypoint.cache is None),
    ("traffic.web.keys.item.zipf.once=0%", lambda t: t.traffic[1].keys["item"].once == 0.0),
    ("traffic.web.keys.item.uniform={items: 9, life: 1s}",
     lambda t: t.traffic[1].keys["item"] == Keys(items=9, life_s=1.0)),
    ("traffic.web.sessions.reuse=0.1", lambda t: t.traffic[1].sessions.reuse == 0.1),
    ("traffic.web.sessions.reuse.window=2", lambda t: t.traffic[1].sessions.reuse_window == 2),
]  # fmt: skip


@pytest.mark.parametrize(("override", "holds"), OVERRIDES)
def test_overrides(override: str, holds: Callable[[Any], bool]) -> None:
    assert holds(_load(CACHES, override))
    assert not holds(_load(CACHES))


@pytest.mark.parametrize(
    ("override", "code", "hint"),
    [
        ("services.maps.caches.tils.capacity=1", "M011", "did you mean 'tiles'?"),
        ("services.maps.caches.tiles.capacty=1", "M101", "did you mean 'capacity'?"),
        ("services.maps.caches.tiles.capacity=null", "M120", "remove policy"),
        ("services.maps.caches.names.capacity=1MiB", "M102", "size: 4KiB"),
        ("services.maps.caches.names=null", "M104", "known: routes, tiles"),
        ("mesh.sidecar.cache.key=null", "M102", "add key"),
        ("traffic.app.sessions.reuse.window=2", "M011", "as a whole"),
    ],
)
def test_wrong_overrides(override: str, code: str, hint: str) -> None:
    with pytest.raises(SpecError) as caught:
        _load(CACHES, override)
    error = caught.value.diagnostics[0]
    assert error.code == code and hint in error.hint, error


EXTENDED = """\
extends: base.yaml
services: {maps: {caches: {tiles: {capacity: 7, stale: null}, exp: {capacity: 9}}}}
traffic: [{name: web, sessions: {reuse: 10%}}]
mesh: {gateway: {cache: null}, sidecar: {cache: {ttl: null, stale: null, capacity: 5}}}
"""


def test_extends_merges_by_name(tmp_path: Path) -> None:
    (tmp_path / "base.yaml").write_text(CACHES)
    (tmp_path / "more.yaml").write_text(EXTENDED)
    topology = load(tmp_path / "more.yaml")
    assert list(topology.services["maps"].caches) == ["exp", "names", "routes", "tiles"]
    tiles = _of_maps(topology)
    assert (tiles.capacity_entries, tiles.stale_s, tiles.ttl_s, tiles.policy) == (7, None, 60.0, "sieve")
    assert topology.mesh.gateway.cache is None
    assert topology.mesh.sidecar.cache is not None
    assert topology.mesh.sidecar.cache.cache == Cache(name="sidecar", capacity_entries=5)
    web = topology.traffic[1]
    assert web.sessions is not None and (web.sessions.reuse, web.sessions.reuse_window) == (0.1, 16)


def test_a_cache_named_like_a_distribution_is_kept_beside_another(tmp_path: Path) -> None:
    """A map with the one entry `exp` looks like a choice of a kind: in `caches` it is a name."""
    text = """\
meshsim: 1
services: {a: {caches: {exp: {ttl: 1s}}, endpoints: {x: [{cache: {name: exp, key: item}}]}}}
traffic: [{name: web, entry: a.x, arrivals: {poisson: 1/s}, keys: {item: {uniform: {items: 3}}}}]
"""
    (tmp_path / "base.yaml").write_text(text)
    (tmp_path / "more.yaml").write_text("extends: base.yaml\nservices: {a: {caches: {gamma: {ttl: 2s}}}}\n")
    assert list(load(tmp_path / "more.yaml").services["a"].caches) == ["exp", "gamma"]


JUNK: list[Any] = [None, True, -1, 3, 1e308, "", "x", "5%", "7s", "4KiB", "item", "on", [], ["x"], {}, {"x": 1}]


def _places(value: Any, path: tuple[Any, ...] = ()) -> list[tuple[Any, ...]]:
    inner = value.items() if isinstance(value, dict) else enumerate(value) if isinstance(value, list) else ()
    return [path, *(place for key, part in inner for place in _places(part, (*path, key)))]


@given(st.sampled_from(_places(_spec(CACHES))[1:]), st.sampled_from(JUNK))
def test_whatever_stands_in_a_cache_is_read_or_reported(place: tuple[Any, ...], junk: Any) -> None:
    spec = _spec(CACHES)
    at: Any = spec
    for part in place[:-1]:
        at = at[part]
    at[place[-1]] = junk
    topology, told = validate(spec)
    errors = [d for d in told if d.severity == "error"]
    assert (topology is None) == bool(errors)
    assert all(error.hint or error.code in ("M107", "M108") for error in errors), errors
