"""The part of the JSON Schema that describes events, pushes, rollouts, the control plane and people."""

from __future__ import annotations

from meshsim.model.read import keys
from meshsim.model.schema_forms import Schema, integer, list_of, map_of, object_of, one_key, ref

_FACTOR: Schema = {"type": "number", "exclusiveMinimum": 0}
_TARGET: Schema = {"type": "string", "description": "service or service.endpoint"}
_TEXT: Schema = {"type": "string"}
_FIELDS: Schema = {  # of faults, by key; what a push calls the same is in _OF_PUSHES
    "service": {"type": "string", "description": "a service, or gateway, or waypoint"},
    "replicas": {
        "anyOf": [integer(1), {"type": "string", "pattern": "^\\s*[0-9.]+\\s*%\\s*$"}],
        "description": "how many of them, a number or a share; the first ones",
    },
    "load": ref("share", "of the CPU that something else takes"),
    "after": ref("duration", "until the memory is full"),
    "restart": ref("duration", "until it is back"),
    "factor": _FACTOR,
    "every": ref("duration"),
    "drain": ref("duration", "for what is under way"),
    "delay": ref("duration"),
    "share": ref("share"),
    "connections": {"enum": list(keys.CONNECTIONS), "description": "which calls are refused"},
    "skew": ref("duration"),
    "leeway": ref("duration", "by so much may the clock of a token be wrong"),
    "certificate": ref("duration", "by so much may the clock of a certificate be wrong"),
    "spread": ref("duration", "within which they come back"),
    "node": integer(0),
    "lasts": ref("duration_distribution", "how long it runs"),
    "gap": ref("duration_distribution", "from its end until it comes again"),
    "zone": ref("name"),
    "zones": {**list_of(ref("name"), "two of nodes.zones"), "minItems": 2, "maxItems": 2},
    "as": {"enum": [*keys.FAIL_REASONS, 500, 503]},
    "stream": {"type": "string", "description": "an entry of traffic"},
    "cache": {"type": "string", "description": "all of the service if absent"},
}
_OF_PUSHES: Schema = {
    "to": _TARGET,
    "instead": {"type": "string", "description": "service.endpoint"},
    "for": ref("duration", "until they are answered 503"),
    "split": map_of(ref("weight"), "weights of the versions"),
    "timeout": ref("duration"),
    "attempts": integer(1),
    "rate": ref("rate"),
    "burst": integer(1),
    "cpu": ref("duration_distribution", "of the proxy, for each request"),
    "restart": ref("duration", "until the proxy is back"),
    "per_request": ref("size"),
    "key": ref("cache_key"),
}


def event() -> Schema:
    """Describe an entry of `events`."""
    kinds = {kind: _kind(names, _FIELDS, keys.REQUIRED_OF_FAULTS) for kind, names in keys.FAULTS.items()}
    properties = {
        "name": ref("name"),
        "at": ref("duration", "within run.duration, not within run.warmup"),
        "for": ref("duration", "of a fault that lasts; until the end if absent"),
        "fault": {**one_key(kinds), "description": "something breaks"},
        "push": _push(),
    }
    return object_of(keys.EVENT, properties, ["name", "at"])


def _required(kind: str) -> tuple[str, ...]:
    return tuple(key for key in keys.REQUIRED_OF_PUSHES if key != "to" or kind not in keys.OPTIONAL_TO)


def _kind(names: tuple[str, ...], fields: Schema, required: tuple[str, ...]) -> Schema:
    return object_of(names, {name: fields[name] for name in names}, [name for name in names if name in required])


def _push() -> Schema:
    kinds = {kind: _kind(names, _OF_PUSHES, _required(kind)) for kind, names in keys.PUSH_FAULTS.items()}
    scope = "^(mesh|gateway|(service|route|tenant)/[A-Za-z0-9_][A-Za-z0-9_-]*|cell/[0-9]{1,6})$"
    settable: Schema = {
        "type": "object",
        "patternProperties": {"^(policies|routes|mesh)([.]|$)": {}},
        "additionalProperties": False,
        "minProperties": 1,
        "description": "dotted paths, as of --set, and their new values",
    }
    properties = {
        "scope": {"type": "string", "pattern": scope, "description": "whose proxies; mesh if absent"},
        "set": settable,
        "fault": {**one_key(kinds), "description": "a mistake of a known kind"},
        "match": object_of(keys.PUSH_MATCH, {"tenant": ref("name")}, ["tenant"], "whose requests alone meet it"),
        "reaches": ref("share", "of the proxies; the others stay stale"),
        "rejected": ref("share", "chance of each proxy to reject it and to keep its last good configuration"),
        "via": {"enum": list(keys.VIA), "description": "raw if absent"},
        "validation": ref("share", "chance that validation catches it"),
        "rollout": {**_TEXT, "description": "all-at-once if absent"},
    }
    return object_of(keys.PUSH, properties, (), "a change of the proxies' configuration")


def rollout() -> Schema:
    """Describe an entry of `rollouts`."""
    fields = {key: ref("share") for kind in keys.ANALYSES.values() for key in kind} | {"requests": integer(1)}
    kinds = {kind: object_of(names, {name: fields[name] for name in names}) for kind, names in keys.ANALYSES.items()}
    properties = {
        "by": {"enum": list(keys.ROLLOUT_BY)},
        "steps": list_of(ref("share"), "of the proxies, ascending, the last is 100%"),
        "bake": ref("duration", "after each step"),
        "batch": integer(1, "zones, tenants or cells in a step"),
        "analysis": {"anyOf": [{"const": "none"}, one_key(kinds)]},
        "rollback": {"enum": list(keys.ROLLBACK)},
    }
    return object_of(keys.ROLLOUT, properties)


def control_plane() -> Schema:
    """Describe `control_plane`."""
    properties = {
        "debounce": ref("duration", "without another change before a push begins"),
        "debounce_max": ref("duration"),
        "cores": ref("cores"),
        "cpu_per_proxy": ref("duration", "CPU of a push to one proxy"),
        "per_cluster": ref("duration", "CPU for each cluster that the proxy has to know"),
        "delay": ref("duration", "of a message to a proxy"),
        "behind": {"enum": list(keys.BEHIND), "description": "what its messages to proxies pass; nothing if absent"},
        "down": list_of(object_of(keys.DOWN, {key: ref("duration") for key in keys.DOWN}, keys.DOWN)),
    }
    return object_of(keys.CONTROL_PLANE, properties)


def people() -> Schema:
    """Describe `people`."""
    properties = {
        "monitoring": ref("duration", "between two looks at the figures"),
        "threshold": ref("share", "of failures that raises the alarm"),
        "detect": ref("duration_distribution", "from the alarm until a human looks"),
        "diagnose": ref("duration_distribution", "from there until the cause is known"),
    }
    return object_of(keys.PEOPLE, properties)
