"""The part of the JSON Schema that describes policies and routes."""

from __future__ import annotations

from meshsim.model.policies import RETRY_CONDITIONS
from meshsim.model.read import keys
from meshsim.model.schema_forms import Schema, form, integer, list_of, map_of, object_of, one_key, ref, switch

_NONE: Schema = {"const": "none"}


def policy() -> Schema:
    """Describe an entry of `policies`."""
    properties = {
        "name": ref("name"),
        "to": {"type": "string", "description": "service or service.endpoint; all if absent"},
        "from": {"type": "string", "description": "calling service, or client; all if absent"},
        "in_app": switch("acts in the caller's library where there is no proxy"),
        "cancellation": switch("work for a caller that has gone is stopped"),
        "deadline": switch("what is left of a timeout or patience travels with the request"),
        "timeout": {"anyOf": [_NONE, ref("duration")], "description": "of all tries, waiting and back-off included"},
        "retries": {"anyOf": [_NONE, integer(0), _retries()]},
        "load_balancer": load_balancer(),
        "zone_aware": switch("prefers replicas in the caller's zone, and spills over"),
        "panic": ref("share", "below this share of replicas that are not ejected, ejections are ignored"),
        "circuit_breaker": {"anyOf": [_NONE, object_of(keys.CIRCUIT_BREAKER, _limits())]},
        "outlier": {"anyOf": [_NONE, _outlier()]},
        "rate_limit": {"anyOf": [_NONE, _rate_limit()]},
    }
    return object_of(keys.POLICY, properties, ["name"])


def _retries() -> Schema:
    conditions = [*RETRY_CONDITIONS, *(int(word) for word in RETRY_CONDITIONS if word.isdigit())]
    budget = {"share": ref("share"), "min": integer(0, "retries that are always allowed")}
    properties = {
        "attempts": integer(0, "further tries: 2 is three tries in all"),
        "on": list_of({"enum": conditions}, "what is tried again"),
        "per_try": ref("duration", "timeout of one try"),
        "backoff": {
            "anyOf": [_NONE, ref("duration_distribution")],
            "description": "base of Envoy's jittered exponential back-off, or a distribution",
        },
        "max_backoff": ref("duration", "ten times the base if absent"),
        "avoid_previous_hosts": switch(),
        "host_attempts": integer(1, "draws of a replica that was not tried before"),
        "budget": {
            "anyOf": [ref("share"), object_of(keys.BUDGET, budget, ["share"])],
            "description": "retries under way as a share of requests under way",
        },
        "hedge": switch("a further try beside one that takes longer than per_try"),
    }
    return object_of(keys.RETRIES, properties)


def load_balancer() -> Schema:
    """Schema of a way to choose a replica."""
    choices = {"anyOf": [integer(2), {"const": "full_scan"}]}
    on: Schema = {"type": "string", "description": "a dimension of the keys of streams"}
    maps = {
        "least_request": object_of(keys.LOAD_BALANCER_MAPS["least_request"], {"choices": choices}),
        "ring_hash": object_of(keys.LOAD_BALANCER_MAPS["ring_hash"], {"on": on, "min_size": integer(1)}, ["on"]),
        "maglev": object_of(keys.LOAD_BALANCER_MAPS["maglev"], {"on": on}, ["on"]),
    }
    return {"anyOf": [{"enum": list(keys.LOAD_BALANCERS)}, one_key(maps)]}


def _limits() -> Schema:
    per = {"enum": list(keys.PER), "description": "limits for all, or connections of its own for each tenant"}
    return {**{key: integer(0) for key in keys.BREAKER_LIMITS}, "per": per}


def _outlier() -> Schema:
    properties = {
        **{key: integer(1) for key in keys.OUTLIER if key.startswith("consecutive_")},
        **{key: ref("duration") for key in ("interval", "base_ejection", "max_ejection")},
        "max_ejected": ref("share", "of the replicas, at most"),
        "always_eject_one_host": switch("one replica may be ejected whatever max_ejected says"),
    }
    return object_of(keys.OUTLIER, properties)


def _rate_limit() -> Schema:
    one = {"rate": ref("rate"), "burst": integer(1)}
    own = map_of(form(one), "tenants with a rate and burst of their own")
    per = {"enum": list(keys.PER), "description": "one bucket for all, or one for each tenant; all if absent"}
    bucket = one
    more = {"per": per, "tenants": own}
    delay = {"delay": ref("duration_distribution", "until it has answered")}
    properties = {
        "local": {**form(bucket, more), "description": "of each enforcing instance"},
        "global": {**form(bucket, more | delay), "description": "one for all instances"},
    }
    return object_of(keys.RATE_LIMIT, properties)


def route() -> Schema:
    """Describe an entry of `routes`."""
    version: Schema = {"type": "string", "description": "a version"}
    match = {"tenant": ref("name"), "headers": map_of({"type": ["string", "number", "boolean"]})}
    delay = {"for": ref("duration_distribution"), "share": ref("share")}
    abort = {"as": {"enum": [*keys.FAIL_REASONS, 500, 503]}, "share": ref("share")}
    fault = {
        "delay": object_of(keys.DELAY, delay, ["for"]),
        "abort": object_of(keys.ABORT, abort, ["as"]),
    }
    mirror = object_of(keys.MIRROR, {"version": version, "share": ref("share")}, ["version"])
    properties = {
        "name": ref("name"),
        "to": {"type": "string", "description": "service or service.endpoint, as the caller addresses it"},
        "from": {"type": "string", "description": "calling service, or client; all if absent"},
        "match": object_of(keys.MATCH, match, (), "all must hold"),
        "split": {"anyOf": [version, map_of(ref("weight"))], "description": "weights of the versions, or the only one"},
        "mirror": {"anyOf": [version, mirror], "description": "a copy goes there, and nobody waits for its answer"},
        "rewrite": {"type": "string", "description": "service.endpoint to which the requests go instead"},
        "fault": object_of(keys.FAULT, fault),
    }
    return object_of(keys.ROUTE, properties, ["name", "to"])
