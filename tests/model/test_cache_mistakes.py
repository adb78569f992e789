"""Mistakes in caches, keys and sessions: one error each, where `§` stands, with a hint. And advice on caches."""

from __future__ import annotations

from pathlib import Path

import pytest

from meshsim.errors import Diagnostic
from meshsim.model import load as loading
from meshsim.model.graph import calls_per_request, expected_visits
from meshsim.model.steps import Invalidate
from meshsim.model.timing import held_s, least_s, longest_s
from meshsim.model.topology import Topology

MAPS = """\
meshsim: 1
services:
  maps:
    caches: {tiles: {capacity: 100}}
    endpoints: {tile: [{work: 1ms}, {cache: {name: tiles, key: item, miss: [{call: geo.find}]}}]}
  geo: {endpoints: {find: [{work: 5ms}]}}
traffic:
  - name: web
    entry: maps.tile
    arrivals: {poisson: 1/s}
    keys: {item: {zipf: {items: 50, exponent: 1.0}}, caller: {uniform: {items: 9}}}
    sessions: {requests: 3, gap: 1s}
"""
TILES = "caches: {tiles: {capacity: 100}}"
STEP = "{cache: {name: tiles, key: item, miss: [{call: geo.find}]}}"
ZIPF = "{zipf: {items: 50, exponent: 1.0}}"
SESSIONS = "sessions: {requests: 3, gap: 1s}"

# (code, fields of the cache, part of the hint)
CACHES = [
    ("M101", "capacity: 100, §polcy: lru", "did you mean 'policy'?"),
    ("M101", "capacity: 100, §eviction: lru", "write policy: lru"),
    ("M101", "§max_entries: 100, ttl: 1s", "write capacity: 20000"),
    ("M101", "capacity: 100, §max_age: 1s", "write ttl: 60s"),
    ("M101", "capacity: 100, §singleflight: on", "write coalesce: on"),
    ("M101", "ttl: 1s, §stale_while_revalidate: 1s", "write stale: 5s"),
    ("M101", "capacity: 100, §key: item", "- cache: {name: …, key: item}"),
    ("M101", "capacity: 100, §where: client", "known:"),
    ("M103", "capacity: §[100]", "capacity: 1"),
    ("M103", 'capacity: §"100"', "without quotes"),
    ("M103", "capacity: §1.5", "write capacity: 2"),
    ("M103", "capacity: §0.2", "write capacity: 1"),
    ("M109", "capacity: 64MiB, size: §tracee", "did you mean 'trace'?"),
    ("M107", "capacity: 64MiB, size: §large", "KiB"),
    ("M106", "ttl: §60", "60s"),
    ("M106", "ttl: 1s, stale: §5", "5s"),
    ("M106", "ttl: 1s, negative: §5", "5s"),
    ("M106", "capacity: 64MiB, size: §4", "4KiB"),
    ("M106", "capacity: 64, fill: §1", "1ms"),
    ("M106", "capacity: 64, shared: §1", "1ms"),
    ("M106", "capacity: 64, invalidation: §50", "50ms"),
    ("M109", "capacity: 64, leases: §maybe", ""),
    ("M107", "capacity: §lots", "KiB"),
    ("M107", "capacity: §-5MiB, size: 1KiB", ""),
    ("M108", "capacity: §0", "write 1"),
    ("M108", "capacity: §0B, size: 1KiB", ""),
    ("M108", "capacity: §2000000000", "write 1000000000"),
    ("M108", "capacity: 1MiB, size: §0B", ""),
    ("M108", "ttl: §0s", "remove ttl"),
    ("M109", "capacity: 100, policy: §lrru", "did you mean 'lru'?"),
    ("M109", "capacity: 100, policy: §arc", "known: fifo, lfu, lru, random, sieve"),
    ("M109", "capacity: 100, coalesce: §yes", ""),
    ("M109", "ttl: 1s, renew: §always", ""),
    ("M120", "ttl: 1s, §policy: lru", "add capacity: 20000"),
    ("M120", "capacity: 100, §renew: on", "add ttl: 60s"),
    ("M120", "capacity: 100, §stale: 5s", "remove stale"),
]

# (code, part of the file, what stands there instead, part of the hint)
REST = [
    ("M102", TILES, "caches: {§tiles: {size: 1KiB}}", "add capacity: 20000 (entries) or 64MiB, or ttl: 60s"),
    ("M102", TILES, "caches: {§tiles: {}}", "ttl: 60s"),
    ("M102", TILES, "caches: {§tiles: {policy: lru, renew: on}}", "ttl: 60s"),  # once, not for each field
    ("M102", TILES, "caches: {§tiles: {capacity: 64MiB}}", "add size: 4KiB"),
    ("M103", TILES, "caches: {tiles: §100}", "capacity: 20000"),
    ("M110", TILES, "caches: {tiles: {ttl: 1s}, §a.b: {ttl: 1s}}", "letters"),
    ("M112", TILES, "caches: {tiles: {ttl: 1s}, §b: }", "give it one"),
    ("M101", TILES, f"{TILES}\n    versions: {{v1: {{§caches: {{}}}}}}", "beside versions"),
    ("M101", TILES, f"{TILES}\n    §cache: {{}}", "did you mean 'caches'?"),
    ("M101", "name: tiles, key: item,", "name: tiles, key: item, §ttl: 1s,", "caches: {tiles: {…}}"),
    ("M101", "miss: [{call: geo.find}]", "§do: [{call: geo.find}]", "write miss"),
    ("M101", "key: item,", "key: item, §mis: [],", "did you mean 'miss'?"),
    ("M101", STEP, "{cache: {name: tiles, key: item}, §miss: []}", ""),
    ("M102", "name: tiles, key: item,", "key: item,", "add name"),
    ("M102", "name: tiles, key: item,", "name: tiles,", "add key"),
    ("M103", STEP, "{cache: §tiles}", "name: tiles, key: item, miss"),
    ("M103", "miss: [{call: geo.find}]", "miss: §geo.find", ""),
    ("M104", "name: tiles, key", "name: §tles, key", "did you mean 'tiles'?"),
    ("M104", "find: [{work: 5ms}]", "find: [{cache: {name: §tiles, key: item}}]", "add caches: {tiles:"),
    ("M104", "key: item,", "key: §itm,", "did you mean 'item'?"),
    ("M104", "key: item,", "key: [caller, §tenant],", "known: caller, item"),
    ("M104", "[{call: geo.find}]}", "[{call: §geo.fnd}]}", "did you mean 'find'?"),
    ("M108", "key: item,", "key: §[],", "write item, or [caller, item]"),
    ("M111", "key: item,", "key: [item, §item],", "once"),
    ("M114", STEP, "§{cache: {name: tiles, key: item}, work: 1ms}", "two steps"),
    ("M117", "find: [{work: 5ms}]", "§find: [{call: maps.tile}]", "p below 1"),  # the first request never ends
    ("M106", ZIPF, "{zipf: {items: 50, exponent: 1.0, life: §10}}", "10m"),
    ("M108", ZIPF, "{zipf: {items: 50, exponent: 1.0, life: §0s}}", "remove life"),
    ("M108", ZIPF, "{uniform: {items: 50, once: §20}}", "did you mean 20%?"),
    ("M101", ZIPF, "{uniform: {items: 50, §onec: 20%}}", "did you mean 'once'?"),
    ("M102", ZIPF, "{§zipf: {items: 50, once: 20%}}", "add exponent"),
    ("M108", SESSIONS, "sessions: {requests: 3, gap: 1s, reuse: §70}", "did you mean 70%?"),
    ("M102", SESSIONS, "sessions: {requests: 3, gap: 1s, §reuse: {window: 5}}", "add share"),
    ("M108", SESSIONS, "sessions: {requests: 3, gap: 1s, reuse: {share: 1, window: §0}}", "write 1"),
    ("M108", SESSIONS, "sessions: {requests: 3, gap: 1s, reuse: {share: 1, window: §1001}}", "write 1000"),
    ("M103", SESSIONS, "sessions: {requests: 3, gap: 1s, reuse: {share: 1, window: §1.5}}", ""),
    ("M120", SESSIONS, f"{SESSIONS}\n  - {{name: b, entry: geo.find, arrivals: {{poisson: 1/s}}, "
     "sessions: {requests: 3, gap: 1s, §reuse: 1%}}", "add keys: {item:"),
    ("M120", SESSIONS, f"{SESSIONS}\n  - {{name: b, entry: geo.find, arrivals: {{poisson: 1/s}}, keys: {{}}, "
     "sessions: {requests: 3, gap: 1s, §reuse: 1%}}", "add keys: {item:"),
    ("M101", "{poisson: 1/s}", "{§reuse: 70%}", "that belongs to sessions"),
    ("M104", SESSIONS, "sessions: {requests: 3, gap: 1s, same: §caler}", "did you mean 'caller'?"),
    ("M120", SESSIONS, f"{SESSIONS}\n  - {{name: b, entry: geo.find, arrivals: {{poisson: 1/s}}, "
     "sessions: {requests: 3, gap: 1s, §same: item}}", "add keys: {item:"),
    ("M117", STEP, "{cache: {name: tiles, key: item, §miss: [{parallel: [{cache: {name: tiles, key: item}}]}]}}",
     "ask another cache"),
    ("M103", STEP, f"{STEP}, {{invalidate: §tiles}}", "cache: tiles, key: item"),
    ("M102", STEP, f"{STEP}, {{§invalidate: {{cache: tiles}}}}", "add key"),
    ("M104", STEP, f"{STEP}, {{invalidate: {{cache: §tils, key: item}}}}", "did you mean 'tiles'?"),
    ("M104", STEP, f"{STEP}, {{invalidate: {{cache: §mops.tiles, key: item}}}}", "did you mean 'maps'?"),
    ("M104", STEP, f"{STEP}, {{invalidate: {{cache: §maps.tils, key: item}}}}", "did you mean 'tiles'?"),
    ("M104", STEP, f"{STEP}, {{invalidate: {{cache: §gateway, of: maps.tile, key: item}}}}", "give mesh.gateway a"),
    ("M104", STEP, f"{STEP}, {{invalidate: {{cache: tiles, key: §itm}}}}", "did you mean 'item'?"),
    ("M120", STEP, f"{STEP}, {{invalidate: {{cache: tiles, key: item, of: §maps.tile}}}}", "remove of"),
    ("M101", STEP, f"{STEP}, {{invalidate: {{cache: tiles, key: item, §ttl: 1s}}}}", "known:"),
]  # fmt: skip

# (code, what stands under mesh, part of the hint)
PROXIES = [
    ("M101", "gateway: {cache: {capacity: 9, key: item, §shared: 1ms}}", "each instance of a proxy has a cache"),
    ("M101", "gateway: {cache: {capacity: 9, key: item, §where: client}}", "only sidecars"),
    ("M101", "ambient: {waypoint: {cache: {capacity: 9, key: item, §where: server}}}", "only sidecars"),
    ("M101", "sidecar: {cache: {capacity: 9, key: item, §onyl: [maps]}}", "did you mean 'only'?"),
    ("M101", "sidecar: {cache: {capacity: 9, key: item, §maxsize: 9}}", "write capacity"),
    ("M101", "ambient: {ztunnel: {§cache: {capacity: 9, key: item}}}", "waypoint: {cache"),
    ("M101", "ambient: {§cache: {capacity: 9, key: item}}", "waypoint: {cache"),
    ("M102", "sidecar: {§cache: {capacity: 9}}", "add key"),
    ("M102", "sidecar: {§cache: {key: item}}", "ttl: 60s"),
    ("M102", "sidecar: {§cache: {capacity: 9MiB, key: item}}", "add size: 4KiB"),
    ("M103", "sidecar: {cache: §9}", "capacity: 20000, key: item"),
    ("M103", "sidecar: {cache: {capacity: 9, key: item, only: §maps.tile}}", "write only: [service.endpoint]"),
    ("M104", "sidecar: {cache: {capacity: 9, key: §itme}}", "did you mean 'item'?"),
    ("M104", "sidecar: {cache: {capacity: 9, key: item, only: [§mops.tile]}}", "did you mean 'maps'?"),
    ("M104", "sidecar: {cache: {capacity: 9, key: item, only: [§maps.til]}}", "did you mean 'tile'?"),
    ("M105", "sidecar: {§filters: []}", "for now"),
    ("M108", "sidecar: {cache: {capacity: 9, key: item, only: §[]}}", "remove only"),
    ("M109", "sidecar: {cache: {capacity: 9, key: item, where: §clint}}", "did you mean 'client'?"),
    ("M111", "sidecar: {cache: {capacity: 9, key: item, only: [maps, §maps.tile]}}", "once"),
    ("M120", "sidecar: {cache: {ttl: 1s, key: item, §policy: fifo}}", "add capacity"),
]
OF_PROXIES = STEP + ", {invalidate: {§cache: gateway, key: item}}"


def _diagnostics(text: str, tmp_path: Path) -> list[Diagnostic]:
    file = tmp_path / "maps.yaml"
    file.write_text(text, encoding="utf-8")
    return loading.validate(file)[1]


def _the_error(text: str, tmp_path: Path) -> Diagnostic:
    """The only error of a text, which stands where its mark is, if it has one."""
    before, mark, after = text.partition("§")
    (error,) = (d for d in _diagnostics(before + after, tmp_path) if d.severity == "error")
    if mark:
        assert (error.line, error.col) == (before.count("\n") + 1, len(before) - before.rfind("\n")), error
    return error


@pytest.mark.parametrize(("code", "fields", "hint"), CACHES)
def test_fields_of_a_cache(code: str, fields: str, hint: str, tmp_path: Path) -> None:
    error = _the_error(MAPS.replace(TILES, f"caches: {{tiles: {{{fields}}}}}"), tmp_path)
    assert error.code == code and hint in error.hint, error


@pytest.mark.parametrize(("code", "old", "new", "hint"), REST)
def test_steps_keys_and_sessions(code: str, old: str, new: str, hint: str, tmp_path: Path) -> None:
    assert old in MAPS
    error = _the_error(MAPS.replace(old, new, 1), tmp_path)
    assert error.code == code and hint in error.hint, error


@pytest.mark.parametrize(("code", "mesh", "hint"), PROXIES)
def test_caches_of_proxies(code: str, mesh: str, hint: str, tmp_path: Path) -> None:
    error = _the_error(f"{MAPS}mesh: {{{mesh}}}\n", tmp_path)
    assert error.code == code and hint in error.hint, error


def test_a_write_says_whose_answers_have_changed(tmp_path: Path) -> None:
    text = MAPS.replace(STEP, OF_PROXIES) + "mesh: {gateway: {cache: {capacity: 9, key: item}}}\n"
    error = _the_error(text, tmp_path)
    assert error.code == "M102" and error.hint == "add of: service.endpoint"
    assert _diagnostics(text.replace("§", "").replace("gateway, key", "gateway, of: maps, key"), tmp_path) == []


@pytest.mark.parametrize("only", ["maps.tile", "maps"])
def test_a_write_need_not_say_whose_answers_where_one_endpoint_has_any(only: str, tmp_path: Path) -> None:
    text = MAPS.replace(STEP, OF_PROXIES) + "mesh: {gateway: {cache: {capacity: 9, key: item, only: [maps.tile]}}}\n"
    topology = _load(tmp_path, text.replace("§", "").replace("only: [maps.tile]", f"only: [{only}]"))
    written = topology.services["maps"].versions[0].endpoints["tile"][-1]
    assert isinstance(written, Invalidate) and written.of == "maps.tile"
    error = _the_error(text.replace("only: [maps.tile]", "only: [maps.tile, geo.find]"), tmp_path)
    assert error.code == "M102" and error.hint == "add of: service.endpoint"
    slip = text.replace("§", "").replace("only: [maps.tile]", "only: [§maps.til]")
    assert _the_error(slip, tmp_path).code == "M104"  # the one mistake that there is


def test_a_write_to_answers_that_are_not_kept(tmp_path: Path) -> None:
    text = MAPS.replace(STEP, f"{STEP}, {{invalidate: {{cache: sidecar, key: item, of: §maps.tile}}}}")
    error = _the_error(text + "mesh: {sidecar: {cache: {capacity: 9, key: item, only: [geo.find]}}}\n", tmp_path)
    assert error.code == "M120"
    assert error.message == "the cache of the sidecar keeps no answers of maps.tile: its only names geo.find"
    assert error.hint == "write of: geo.find, or name maps.tile in only: of mesh.sidecar.cache"


def test_without_any_keys_the_hint_says_where_keys_of_caches_go(tmp_path: Path) -> None:
    begin = MAPS.index("    keys:")
    text = MAPS[:begin] + MAPS[MAPS.index("    sessions:") :]
    error = _the_error(text.replace("key: item", "key: §item"), tmp_path)
    assert error.code == "M104" and "looked up" in error.message and "add keys: {item:" in error.hint


# (code, part of the file, what stands there instead, part of the message, part of the hint)
ADVICE = [
    ("M224", TILES, "caches: {tiles: {capacity: 100}, §names: {ttl: 1s}}", "cache 'names'", "remove the cache"),
    ("M225", TILES, "caches: {§tiles: {capacity: 100}}", "stream 'app' reaches maps.tile without the key 'item'",
     "to 'app'"),
    ("M226", TILES, "caches: {tiles: {capacity: §4KiB, size: {uniform: {low: 5KiB, high: 6KiB}}}}",
     "'tiles' of 'maps' holds nothing: an object has 5KiB at least, and there is room for 4KiB", "raise"),
    ("M226", "traffic:", "mesh: {gateway: {cache: {capacity: §4KiB, size: 1MiB, key: item}}}\ntraffic:",
     "the cache of the gateway", "raise"),
    ("M225", "traffic:", "mesh: {sidecar: {§cache: {capacity: 9, key: item, only: [geo.find]}}}\ntraffic:",
     "stream 'far' reaches geo.find without the key 'item', and passes the cache of the sidecar by", "name in only"),
    ("M225", "find: [{work: 5ms}]", "find: [{work: 5ms}, {invalidate: {cache: maps.tiles, key: §item}}]",
     "stream 'far' reaches geo.find without the key 'item', and what it writes makes nothing outdated in cache 'tiles' "
     "of 'maps'", "to 'far'"),
]  # fmt: skip


@pytest.mark.parametrize(("code", "old", "new", "message", "hint"), ADVICE)
def test_advice_on_caches(code: str, old: str, new: str, message: str, hint: str, tmp_path: Path) -> None:
    text = MAPS.replace(old, new, 1)
    if "'app'" in message:
        text += "  - {name: app, entry: maps.tile, arrivals: {poisson: 1/s}, keys: {caller: {uniform: {items: 9}}}}\n"
    if "'far'" in message:
        text += "  - {name: far, entry: geo.find, arrivals: {poisson: 1/s}}\n"
    before, _, after = text.partition("§")
    (warning,) = _diagnostics(before + after, tmp_path)
    assert (warning.code, warning.severity) == (code, "warning")
    assert (warning.line, warning.col) == (before.count("\n") + 1, len(before) - before.rfind("\n"))
    assert message in warning.message and hint in warning.hint, warning


# what an expert has nothing to say about
FINE = [
    ("traffic:", "mesh: {gateway: {cache: {capacity: 9, key: [caller, item]}}}\ntraffic:"),
    (TILES, "caches: {tiles: {capacity: 4KiB, size: {exp: 1MiB}}}"),  # some objects fit
    (TILES, "caches: {tiles: {capacity: 4KiB, size: 4KiB}}"),
    (STEP, f"{{choose: [{{p: 50%, do: {STEP}}}]}}"),  # used, if deep inside
    (STEP, f"{{call: geo.find, fallback: [{{parallel: [[{STEP}]]}}]}}"),
]


@pytest.mark.parametrize(("old", "new"), FINE)
def test_nothing_to_say_of_caches(old: str, new: str, tmp_path: Path) -> None:
    assert _diagnostics(MAPS, tmp_path) == []
    assert _diagnostics(MAPS.replace(old, new, 1), tmp_path) == []


def test_a_stream_that_never_comes_to_the_cache_needs_no_key(tmp_path: Path) -> None:
    assert _diagnostics(MAPS + "  - {name: far, entry: geo.find, arrivals: {poisson: 1/s}}\n", tmp_path) == []


# -- writes that proxies do not hear of ----------------------------------------------------------------------------

EDITED = (
    MAPS.replace(STEP, f"{STEP}], edit: [{{invalidate: {{cache: tiles, key: item}}}}").replace(
        "geo: {endpoints: {find: [{work: 5ms}]}}",
        "geo: {endpoints: {find: [{work: 5ms}]}}\n  shop: {endpoints: {page: [{call: maps.tile}]}}",
    )
    + f"""\
  - {{name: shop, entry: shop.page, arrivals: {{poisson: 1/s}}, keys: {{item: {ZIPF}}}}}
  - {{name: editors, entry: maps.edit, arrivals: {{poisson: 1/s}}, keys: {{item: {ZIPF}}}}}
"""
)
WRITE = "{invalidate: {cache: tiles, key: item}}"
GATEWAY = "mesh: {gateway: {§cache: {capacity: 9, ttl: 5s, key: item, only: [maps.tile]}}}\n"


def test_a_gateway_that_does_not_hear_of_writes(tmp_path: Path) -> None:
    before, _, after = (EDITED + GATEWAY).partition("§")
    (warning,) = _diagnostics(before + after, tmp_path)
    assert (warning.code, warning.severity) == ("M228", "warning")
    assert (warning.line, warning.col) == (before.count("\n") + 1, len(before) - before.rfind("\n"))
    assert warning.message == (
        "the gateway keeps answers of maps.tile, which depend on cache maps.tiles; writes that outdate it do not reach "
        "the gateway: answers there may be outdated without being counted"
    )
    assert "- invalidate: {cache: gateway, key: item, of: maps.tile}" in warning.hint
    mended = (before + after).replace(WRITE, f"{WRITE}, {{invalidate: {{cache: gateway, key: item, of: maps.tile}}}}")
    assert _diagnostics(mended, tmp_path) == []


# (what keeps answers, what is told of it)
DEAF = [
    ("gateway: {cache: {capacity: 9, key: item, only: [shop.page]}}", "the gateway keeps answers of shop.page, "),
    ("sidecar: {cache: {capacity: 9, key: item, only: [maps.tile]}}", "the sidecar keeps answers of maps.tile, "),
    (
        "ambient: {waypoint: {cache: {capacity: 9, key: item, only: [maps.tile]}}}",
        "the waypoint keeps answers of maps.tile, ",
    ),
    ("gateway: {cache: {ttl: 1s, key: item, only: [maps.tile, shop.page]}}", "shop.page (and 1 more), "),
]


@pytest.mark.parametrize(("mesh", "told"), DEAF)
def test_proxies_that_keep_what_depends_on_a_written_cache(mesh: str, told: str, tmp_path: Path) -> None:
    (warning,) = _diagnostics(f"{EDITED}mesh: {{{mesh}}}\n", tmp_path)
    assert warning.code == "M228" and told in warning.message, warning
    assert "depend on cache maps.tiles;" in warning.message


# (part of the file, what stands there instead): nothing that a proxy keeps becomes outdated unheard
HEARING = [
    (WRITE, "{work: 1ms}"),  # nobody writes
    ("only: [maps.tile]", "only: [geo.find]"),  # made of nothing that is kept; and no gateway sees it
    ("cache: {capacity: 9, ttl: 5s, key: item, only: [maps.tile]}", "replicas: 2"),
    ("only: [maps.tile]", "only: [shop.page]"),
]


@pytest.mark.parametrize(("old", "new"), HEARING)
def test_nothing_to_say_of_writes(old: str, new: str, tmp_path: Path) -> None:
    text = (EDITED + GATEWAY.replace("§", "")).replace("{call: maps.tile}", "{call: maps.tile, async: true}")
    assert old in text
    assert [one for one in _diagnostics(text.replace(old, new), tmp_path) if one.code == "M228"] == []


def test_a_gateway_sees_entries_alone_and_keeps_nothing_without_its_key(tmp_path: Path) -> None:
    text = EDITED.replace("entry: maps.tile", "entry: shop.page")
    inner = GATEWAY.replace("§", "")
    assert [one.code for one in _diagnostics(text + inner, tmp_path)] == []
    assert [one.code for one in _diagnostics(text + inner.replace("gateway", "sidecar"), tmp_path)] == ["M228"]
    of_callers = inner.replace("maps.tile", "shop.page").replace("key: item", "key: [caller, item]")
    away = EDITED.replace("entry: maps.tile", "entry: geo.find")  # the one stream with callers
    assert "M228" not in [one.code for one in _diagnostics(away + of_callers, tmp_path)]
    assert "M228" in [one.code for one in _diagnostics(text + of_callers, tmp_path)]


def test_an_answer_that_a_route_replaces_depends_on_nothing(tmp_path: Path) -> None:
    text = EDITED + GATEWAY.replace("§", "").replace("maps.tile", "shop.page")
    assert [one.code for one in _diagnostics(text, tmp_path)] == ["M228"]
    elsewhere = "routes: [{name: r, to: maps.tile, from: shop, rewrite: geo.find}]\n"
    assert _diagnostics(text + elsewhere, tmp_path) == []


# -- load and times ------------------------------------------------------------------------------------------------


def _codes(text: str, tmp_path: Path) -> list[str]:
    return [f"{d.code} {d.message.partition(', ')[0]}" for d in _diagnostics(text, tmp_path)]


def _load(tmp_path: Path, text: str = MAPS) -> Topology:
    (tmp_path / "maps.yaml").write_text(text, encoding="utf-8")
    return loading.load(tmp_path / "maps.yaml")


def test_an_overload_that_a_cache_may_absorb_is_not_claimed(tmp_path: Path) -> None:
    """300 requests a second are 1.5 cores of geo, which has one, if none is found in the cache of maps."""
    busy = MAPS.replace("1/s", "300/s")
    assert _codes(busy, tmp_path) == []
    assert _codes(busy.replace(STEP, "{call: geo.find}").replace(TILES, "memory: 1GiB"), tmp_path) == [
        "M203 the load asks for 1.5 cores of 'geo'"
    ]
    own = busy.replace("{work: 1ms}", "{work: 4ms}")  # which every request takes, found or not
    assert _codes(own, tmp_path) == ["M203 the load asks for 1.2 cores of 'maps'"]
    beside = busy + "  - {name: far, entry: geo.find, arrivals: {poisson: 250/s}}\n"
    assert _codes(beside, tmp_path) == ["M203 the load asks for 1.25 cores of 'geo'"]


@pytest.mark.parametrize(("only", "codes"), [("geo.find", []), ("maps.tile", ["M203 the load asks for 1.25 cores"])])
def test_an_overload_that_a_proxy_may_absorb_is_not_claimed(only: str, codes: list[str], tmp_path: Path) -> None:
    text = MAPS.replace(
        "traffic:\n", f"mesh: {{sidecar: {{cache: {{ttl: 1s, key: item, only: [{only}]}}}}}}\ntraffic:\n"
    )
    text += "  - {name: far, entry: geo.find, arrivals: {poisson: 250/s}, keys: {item: {uniform: {items: 9}}}}\n"
    assert [code.partition(" of")[0] for code in _codes(text, tmp_path)] == codes


def test_places_are_counted_as_if_all_were_found(tmp_path: Path) -> None:
    """One place of geo is held for 5 ms by each of 300 requests a second, unless maps finds them."""
    text = MAPS.replace("1/s", "300/s").replace("geo: {", "geo: {concurrency: 1, queue: 9, cpu: 4, ")
    assert _codes(text, tmp_path) == []
    held = text.replace(STEP, "{call: geo.find}").replace(TILES, "memory: 1GiB")
    assert _codes(held, tmp_path) == ["M203 the load keeps 1.5 requests at once in 'geo'"]


def test_load_with_all_misses_and_with_all_hits(tmp_path: Path) -> None:
    filled = MAPS.replace("capacity: 100", "capacity: 100, fill: {exp: 2ms}")
    filled = filled.replace("miss: [", "miss: [{work: 3ms}, {fail: {p: 0%}}, ")
    topology = _load(tmp_path, filled)
    missed, found = expected_visits(topology), expected_visits(topology, all_hits=True)
    assert missed.calls_per_s == pytest.approx({"maps.tile": 1.0, "geo.find": 1.0})
    assert missed.offered_cores == pytest.approx({"maps": 0.001 + 0.003 + 0.002, "geo": 0.005})
    assert found.calls_per_s == {"maps.tile": 1.0, "geo.find": 0.0}
    assert found.offered_cores == pytest.approx({"maps": 0.001, "geo": 0.0})
    assert calls_per_request(topology)["maps.tile"] == 1.0


def test_a_hit_takes_no_time_and_a_miss_may_take_all(tmp_path: Path) -> None:
    text = MAPS.replace("{call: geo.find}", "{call: geo.find, timeout: 7ms}")
    topology = _load(tmp_path, text)
    assert least_s(topology) == held_s(topology) == {"maps.tile": 0.001, "geo.find": 0.005}
    assert longest_s(topology)["maps.tile"] == pytest.approx(0.007)
    kept = text.replace("traffic:", "mesh: {gateway: {cache: {ttl: 1s, key: item, only: [geo.find]}}}\ntraffic:")
    assert least_s(_load(tmp_path, kept)) == held_s(_load(tmp_path, kept)) == {"maps.tile": 0.001, "geo.find": 0.0}


def test_a_limit_that_only_a_miss_breaks_is_no_mistake(tmp_path: Path) -> None:
    limit = "policies: [{name: p, to: maps, timeout: 3ms}]\n"
    assert _codes(MAPS + limit, tmp_path) == []  # a miss takes 6 ms
    assert [code[:4] for code in _codes(MAPS.replace("1ms", "4ms") + limit, tmp_path)] == ["M212"]


def test_outer_limits_are_compared_with_those_of_a_miss(tmp_path: Path) -> None:
    text = MAPS.replace("{call: geo.find}", "{call: geo.find, timeout: 300ms, retries: 1}")
    text = text.replace("find: [{work: 5ms}]", "find: [{work: 5ms}], all: [{call: maps.tile, timeout: 500ms}]")
    text += "  - {name: far, entry: geo.all, arrivals: {poisson: 1/s}, keys: {item: {uniform: {items: 9}}}}\n"
    (warning,) = _diagnostics(text, tmp_path)
    assert warning.code == "M202" and "may take 600ms" in warning.message
