"""The part of the JSON Schema that describes caches."""

from __future__ import annotations

from meshsim.model.read import keys
from meshsim.model.read.caches import POLICIES
from meshsim.model.schema_forms import Schema, integer, list_of, object_of, ref, switch


def _fields() -> Schema:
    return {
        "capacity": {
            "anyOf": [integer(1), ref("size")],
            "description": "entries, or bytes (then with size); no limit if absent",
        },
        "policy": {"enum": list(POLICIES), "description": "who is evicted; lru if absent"},
        "ttl": ref("duration", "how long an entry is good; for ever if absent"),
        "renew": switch("each hit begins the ttl anew"),
        "stale": ref("duration", "so long after its ttl an entry is still answered, while one request renews it"),
        "negative": ref("duration", "failures are kept so long; never if absent"),
        "coalesce": switch("requests that miss what is just being fetched wait for it"),
        "size": {
            "anyOf": [ref("size_distribution"), {"const": "trace"}],
            "description": "bytes of an object, drawn once for each; trace: those beside the keys of a trace",
        },
        "fill": ref("duration_distribution", "CPU time of a fill"),
        "invalidation": ref("duration_distribution", "until a write is heard of everywhere; never if absent"),
        "leases": switch("what was being fetched during a write is not kept"),
        "shared": ref("duration_distribution", "one cache for all replicas, so far away; each has its own if absent"),
    }


def _key() -> Schema:
    dimension = {"type": "string"}
    return {
        "anyOf": [dimension, {**list_of(dimension), "minItems": 1}],
        "description": "a dimension of the keys of streams, or several",
    }


def caches() -> Schema:
    """Give the definitions of an entry of a service's `caches`, and of the `cache` of sidecars and of other proxies."""
    fields = {key: value for key, value in _fields().items() if key in keys.PROXY_CACHE}
    only = {**list_of({"type": "string"}, "service.endpoint whose answers are kept; all if absent"), "minItems": 1}
    fields |= {"key": _key(), "only": only}
    where = {"enum": list(keys.WHERE), "description": "beside the callee, which is the default, or the caller"}
    return {
        "cache": object_of(keys.CACHE, _fields()),
        "proxy_cache": object_of(keys.PROXY_CACHE, fields, ["key"]),
        "cache_key": _key(),
        "sidecar_cache": object_of((*keys.PROXY_CACHE, "where"), {**fields, "where": where}, ["key"]),
    }


def invalidate() -> Schema:
    """Describe what stands in a step `invalidate`."""
    cache: Schema = {"type": "string", "description": "tiles, geo.tiles, or gateway, sidecar, waypoint"}
    of: Schema = {"type": "string", "description": "service.endpoint whose answers have changed: of proxies' caches"}
    return object_of(keys.INVALIDATE, {"cache": cache, "key": _key(), "of": of}, ["cache", "key"])


def cached(steps: Schema) -> Schema:
    """Describe what stands in a step `cache`."""
    name: Schema = {"type": "string", "description": "a cache of the service"}
    return object_of(keys.CACHED, {"name": name, "key": _key(), "miss": steps}, ["name", "key"])
