"""Caches of services and of proxies, and the keys that they are asked for."""

from __future__ import annotations

from typing import Literal

from meshsim.model.caches import Cache, CachePolicy, ProxyCache
from meshsim.model.distributions import Distribution
from meshsim.model.read import keys, quantities
from meshsim.model.read.cursor import NAME, Cursor
from meshsim.model.read.distributions import BYTES, DURATION, distribution
from meshsim.model.read.references import dimension_of, endpoint_of
from meshsim.model.read.tree import Scalar

MAX_ENTRIES = 1_000_000_000

POLICIES: dict[str, CachePolicy] = {"lru": "lru", "fifo": "fifo", "random": "random", "lfu": "lfu", "sieve": "sieve"}
_NEEDS = {  # what has no meaning without which other field, and why
    "policy": ("capacity: 20000", "nothing is ever evicted"),
    "renew": ("ttl: 60s", "entries are good for ever"),
    "stale": ("ttl: 60s", "entries are good for ever"),
}


def read_caches(at: Cursor) -> dict[str, Cache]:
    """Read `caches` of a service, sorted by name."""
    found: dict[str, Cache] = {}
    for name, inner in at.children("tiles: {capacity: 20000}"):
        if inner.valid_name(name, NAME, "a cache's name", mark=inner.key_mark):
            fields = inner.fields(keys.CACHE, example="capacity: 20000", elsewhere=keys.ELSEWHERE_CACHE)
            found[name] = _cache(name, inner, fields)
    return dict(sorted(found.items()))


def read_proxy_cache(at: Cursor, kind: str) -> ProxyCache:
    """Read the `cache` of a kind of proxy, whose name it has."""
    allowed = (*keys.PROXY_CACHE, "where") if kind == "sidecar" else keys.PROXY_CACHE
    found = at.fields(
        allowed, required=("key",), example="capacity: 20000, key: item", elsewhere=keys.ELSEWHERE_PROXY_CACHE
    )
    where = found["where"].choice(keys.WHERE) if "where" in found else "server"
    return ProxyCache(
        cache=_cache(kind, at, found),
        key=read_key(found["key"]) if "key" in found else (),
        only=_only(found["only"]) if "only" in found else (),
        where="client" if where == "client" else "server",
    )


def read_key(at: Cursor) -> tuple[str, ...]:
    """Read one dimension of keys or a list of them, sorted: in which order they are named does not matter."""
    if not at.is_list():
        return (dimension_of(at, "looked up"),)
    items = at.items("[caller, item]")
    if not items:
        at.error("M108", "the key is empty", "write item, or [caller, item]")
    return _distinct(items, [dimension_of(item, "looked up") for item in items])


def _only(at: Cursor) -> tuple[str, ...]:
    items = at.items("[service.endpoint]")
    if at.is_list() and not items:
        at.error("M108", "there are no endpoints", "write [service.endpoint], or remove only to keep all answers")
    return _distinct(items, [".".join(endpoint_of(item) or ()) for item in items])


def _distinct(items: list[Cursor], names: list[str]) -> tuple[str, ...]:
    for position, (item, name) in enumerate(zip(items, names, strict=True)):
        if name and name in names[:position]:
            item.error("M111", f"'{name}' is here twice", "name it once")
    return tuple(sorted(set(names)))


def _cache(name: str, at: Cursor, found: dict[str, Cursor]) -> Cache:
    before = at.reading.report.errors
    entries, size_bytes = _capacity(found["capacity"]) if "capacity" in found else (None, None)
    understood = at.reading.report.errors == before  # what stands in for a mistake is not judged
    _check_together(at, in_bytes=understood and size_bytes is not None)
    word = found["policy"].choice(POLICIES) if "policy" in found else None
    return Cache(
        name=name,
        policy=POLICIES[word or "lru"],
        capacity_entries=entries,
        capacity_bytes=size_bytes,
        size=_size(found["size"]) if "size" in found else None,
        ttl_s=_ttl(found["ttl"]) if "ttl" in found else None,
        renew="renew" in found and found["renew"].switch(),
        stale_s=_seconds(found, "stale"),
        negative_s=_seconds(found, "negative"),
        coalesce="coalesce" in found and found["coalesce"].switch(),
        fill=distribution(found["fill"], DURATION) if "fill" in found else None,
        invalidation=distribution(found["invalidation"], DURATION) if "invalidation" in found else None,
        leases="leases" in found and found["leases"].switch(),
        shared=distribution(found["shared"], DURATION) if "shared" in found else None,
    )


def _capacity(at: Cursor) -> tuple[int | None, int | None]:
    """Read a number of entries, or an amount of memory: what has a unit."""
    if isinstance(at.node, Scalar) and isinstance(at.node.value, str) and not at.node.text.strip().isdigit():
        return None, quantities.memory(at)
    return at.integer(1, MAX_ENTRIES), None


def _size(at: Cursor) -> Distribution | Literal["trace"]:
    """Read bytes of an object, or the word that they are those of the keys' trace."""
    word = at.node_text()
    if word == "trace":
        return "trace"
    hint = at.reading.report.suggestion(word, ("trace",)) if word is not None and word.isalpha() else ""
    if hint.startswith("did you mean"):
        at.error("M109", f"size cannot be '{word}'", hint)
        return "trace"
    return distribution(at, BYTES, least=1.0)


def _ttl(at: Cursor) -> float:
    return quantities.duration(at, positive=True, instead_of_0="remove ttl to keep entries until they are evicted")


def _seconds(found: dict[str, Cursor], key: str) -> float | None:
    """Read a time that is none where it is absent, and where it is 0."""
    return (quantities.duration(found[key]) or None) if key in found else None


def _check_together(at: Cursor, *, in_bytes: bool) -> None:
    if not at.is_map():
        return
    if not at.has("capacity") and not at.has("ttl"):
        hint = "add capacity: 20000 (entries) or 64MiB, or ttl: 60s"
        at.error("M102", f"'capacity' or 'ttl' is missing in {at.name}: nothing would ever leave it", hint, at.key_mark)
        return
    if in_bytes and not at.has("size"):
        hint = "add size: 4KiB (of one object; or a distribution), or write a capacity in entries: 20000"
        at.error("M102", f"'size' is missing in {at.name}, whose capacity is in bytes", hint, at.key_mark)
    for key, value in at.children():
        example, why = _NEEDS.get(key, ("", ""))
        needed = example.partition(":")[0]
        if needed and not at.has(needed):
            hint = f"add {example}, or remove {key}"
            value.error("M120", f"{key} has no meaning without {needed}: {why}", hint, value.key_mark)
