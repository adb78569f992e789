"""The JSON Schema of the spec language, for completion and checks in editors.

It describes what users write (quantities as text with patterns). The loader is stricter: it also knows names,
sums, cycles and ranges of quantities.
"""

from __future__ import annotations

import json
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from meshsim.model.read import keys
from meshsim.model.topology import PROFILES

Schema = dict[str, Any]

_CHANGE = "change."  # before the names of definitions for files that extend others
FILE = Path(__file__).with_name("meshsim.schema.json")
_NUMBER = r"^\s*([0-9]+(\.[0-9]*)?|\.[0-9]+)([eE][-+]?[0-9]{1,3})?\s*"
_NAME = "^[A-Za-z0-9_][A-Za-z0-9_-]*$"
_ENDPOINT = "^[A-Za-z0-9_/][A-Za-z0-9_/-]*$"


def json_schema() -> Schema:
    """Give the JSON Schema (draft 2020-12) of a topology."""
    whole = _object(keys.TOP, _top(), ("meshsim", "services", "traffic"), "A service graph, its traffic, its platform.")
    parts = {**_quantities(), **_distributions(), **_steps(), **_arrivals(), **_platform(), "topology": whole}
    changes = {f"{_CHANGE}{name}": _change(part) for name, part in parts.items()}
    return {
        "$schema": "https://json-schema.org/draft/2020-12/schema",
        "$id": "urn:meshsim:schema:1",
        "title": "meshsim topology",
        "type": "object",
        "if": {"required": ["extends"]},
        "then": _ref(f"{_CHANGE}topology"),
        "else": _ref("topology"),
        "$defs": {**parts, **changes},
    }


def _change(part: Any) -> Any:
    """Schema of a file that extends another one: only names of entries are required, and null takes a key out."""
    if isinstance(part, list):
        return [_change(item) for item in part]
    if not isinstance(part, dict):
        return part
    changed: Schema = {}
    for key, value in part.items():
        if key in ("properties", "patternProperties"):
            changed[key] = {
                name: {"if": {"not": {"type": "null"}}, "then": _change(inner)} for name, inner in value.items()
            }
        elif key == "$ref":
            changed[key] = value.replace("#/$defs/", f"#/$defs/{_CHANGE}")
        elif key == "required":
            changed |= {key: ["name"]} if "name" in value else {}
        else:
            changed[key] = _change(value)
    return changed


def text() -> str:
    """Give the schema as it is shipped in `FILE`."""
    return json.dumps(json_schema(), indent=1, ensure_ascii=False) + "\n"


def _ref(name: str, doc: str = "") -> Schema:
    return {"$ref": f"#/$defs/{name}", **({"description": doc} if doc else {})}


def _object(names: Sequence[str], properties: Schema, required: Sequence[str] = (), doc: str = "") -> Schema:
    """Describe a map; its keys are exactly the ones that the loader reads."""
    if set(names) != set(properties):
        raise ValueError(f"the schema and the loader differ in {sorted(set(names) ^ set(properties))}")
    result: Schema = {"type": "object", "additionalProperties": False, "properties": properties}
    if required:
        result["required"] = list(required)
    if doc:
        result["description"] = doc
    return result


def _form(required: Schema, optional: Schema | None = None) -> Schema:
    return _object([*required, *(optional or {})], {**required, **(optional or {})}, list(required))


def _map(value: Schema, doc: str = "", names: str = _NAME) -> Schema:
    return {
        "type": "object", "patternProperties": {names: value}, "additionalProperties": False,
        **({"description": doc} if doc else {}),
    }  # fmt: skip


def _list(item: Schema, doc: str = "") -> Schema:
    return {"type": "array", "items": item, **({"description": doc} if doc else {})}


def _integer(low: int, doc: str = "") -> Schema:
    return {"type": "integer", "minimum": low, **({"description": doc} if doc else {})}


def _one_key(properties: Schema) -> Schema:
    return {"type": "object", "additionalProperties": False, "minProperties": 1, "maxProperties": 1,
            "properties": properties}  # fmt: skip


def _unit(units: str, example: str) -> Schema:
    return {"type": "string", "pattern": f"{_NUMBER}({units})\\s*$", "examples": [example]}


def _quantities() -> Schema:
    bare_or = {"type": ["number", "string"]}
    return {
        "duration": _unit("ns|us|µs|μs|ms|s|m|h|d", "250ms"),
        "size": _unit("B|[kK]B?|[MGT]B?|[KMGT]iB?", "64MiB"),
        "rate": _unit("/[smhd]", "1200/s"),
        "cores": {**bare_or, "pattern": f"{_NUMBER}m?\\s*$", "minimum": 0, "examples": [2, "250m"]},
        "share": {**bare_or, "pattern": f"{_NUMBER}%?\\s*$", "minimum": 0, "maximum": 1, "examples": ["5%", 0.05]},
        "weight": {**bare_or, "pattern": f"{_NUMBER}%?\\s*$", "minimum": 0, "examples": [90, "90%"]},
        "price": {"type": "string", "pattern": "/(core/h|GiB/h|GB/h|GiB|GB)\\s*$", "examples": ["$0.0316/core/h"]},
        "name": {"type": "string", "pattern": _NAME},
        "cpu": {
            "description": "Cores of a replica: an amount, or request and limit.",
            "anyOf": [
                _ref("cores"),
                _object(("request", "limit"), {
                    "request": _ref("cores"), "limit": {"anyOf": [_ref("cores"), {"const": "unlimited"}]},
                }),
            ],
        },
        "connections": {
            "description": "Connections kept to each upstream: a pool, one per request, or many of so many requests.",
            "anyOf": [_integer(1), {"const": "per_request"}, _form({"requests": {"type": "number", "minimum": 1}})],
        },
    }  # fmt: skip


def _distributions() -> Schema:
    count = {"type": "integer", "minimum": 0}
    return {
        "duration_distribution": _distribution(_ref("duration"), "duration_distribution"),
        "size_distribution": _distribution(_ref("size"), "size_distribution"),
        "count_distribution": _distribution(count, "count_distribution", whole=True),
    }


def _distribution(value: Schema, own: str, *, whole: bool = False) -> Schema:
    number = {"type": "number", "exclusiveMinimum": 0}
    cv = {"type": "number", "minimum": 0, "description": "standard deviation over mean"}
    mean_cv = _form({"mean": value, "cv": cv})
    kinds: Schema = {
        "constant": value,
        "geometric": {"anyOf": [{"type": "number", "minimum": 1}, _form({"mean": {"type": "number", "minimum": 1}})]},
        "empirical": {"anyOf": [_list(value), _form({"file": {"type": "string"}}), _form({"values": _list(value)})]},
        "mixture": _list(_form({"weight": _ref("weight"), "of": _ref(own)})),
    }
    if not whole:
        del kinds["geometric"]
        kinds |= {
            "exp": {"anyOf": [value, _form({"mean": value})]},
            "lognormal": {"anyOf": [mean_cv, _form({"p50": value, "p99": value})]},
            "gamma": {"anyOf": [mean_cv, _form({"shape": number, "scale": value})]},
            "erlang": _form({"k": _integer(1), "mean": value}),
            "hyperexp": {"anyOf": [mean_cv, _form({"p": _ref("share"), "mean1": value, "mean2": value})]},
            "pareto": _form({"shape": number, "scale": value}, {"upper": value}),
            "weibull": {"anyOf": [_form({"shape": number, "scale": value}), _form({"shape": number, "mean": value})]},
            "uniform": _form({"low": value, "high": value}),
        }
    return {"anyOf": [value, _one_key(kinds)]}


def _steps() -> Schema:
    step_or_steps = {"anyOf": [_ref("step"), _ref("steps")]}
    size = _ref("size_distribution")
    call = {
        "call": {"type": "string", "description": "service.endpoint, or a service with one endpoint"},
        "timeout": _ref("duration", "of each try"),
        "retries": _integer(0, "further tries after a failed one"),
        "p": _ref("share", "probability that the call is made at all"),
        "times": _ref("count_distribution", "calls one after another"),
        "optional": {"type": "boolean", "description": "a failure degrades the request instead of failing it"},
        "fallback": step_or_steps,
        "async": {"type": "boolean", "description": "nobody waits for the answer"},
        "request": size,
        "response": size,
    }
    branches = _list(step_or_steps, "branches that run at the same time")
    option = _object(keys.OPTION, {"p": _ref("share"), "do": step_or_steps}, ["p"])
    reason = {"enum": [*keys.FAIL_REASONS, 500, 503]}
    fail = _object(keys.FAIL, {"p": _ref("share"), "as": reason})
    kinds: list[Schema] = [
        _form({"work": _ref("duration_distribution", "CPU time")}),
        _form({"wait": _ref("duration_distribution", "time without CPU")}),
        _object(("call", *keys.CALL), call, ["call"]),
        _form(
            {"parallel": branches},
            {"quorum": _integer(1, "branches to wait for; all if absent"), "join": {"const": "all"}},
        ),
        _form({"choose": _list(option, "exactly one is taken")}),
        _form({"fail": fail}),
    ]
    return {"step": {"anyOf": kinds}, "steps": _list(_ref("step"))}


def _arrivals() -> Schema:
    rate, duration = _ref("rate"), _ref("duration")
    points = _list(_form({"at": duration, "rate": rate}))
    diurnal = _form({"mean": rate, "peak": rate, "period": duration, "peak_at": duration})
    interpolate = {"enum": ["step", "linear"]}
    kinds = {
        "poisson": rate,
        "constant": rate,
        "renewal": _ref("duration_distribution", "the gap between arrivals"),
        "batch": _form({"rate": rate, "size": _ref("count_distribution")}),
        "mmpp": _form({"rates": _list(rate), "stay": _list(duration)}),
        "rate": {
            "anyOf": [points, _form({"points": points}, {"interpolate": interpolate}), _form({"diurnal": diurnal})]
        },
        "spike": _form({"base": rate, "peak": rate, "at": duration, "lasts": duration}),
        "trace": {"anyOf": [_form({"times": _list(duration)}), _form({"file": {"type": "string"}})]},
        "closed": _form({"users": _integer(1), "think": _ref("duration_distribution")}),
    }
    if set(kinds) != set(keys.ARRIVALS):
        raise ValueError("the schema and the loader differ in the kinds of arrivals")
    return {"arrivals": _one_key(kinds)}


def _platform() -> Schema:
    size, duration = _ref("size"), _ref("duration")
    proxy = {
        "cpu": _ref("cpu"),
        "memory": size,
        "threads": {"anyOf": [_integer(1), {"const": "unlimited"}]},
        "cpu_per_request": _ref("duration_distribution"),
        "cpu_per_kib": {"anyOf": [duration, _form({"request": duration, "response": duration})]},
        "tls_handshake": duration,
        **{key: size for key in keys.PROXY if key.startswith("memory_")},
    }
    found = {}
    for kind in ("gateway", "sidecar", "ztunnel", "waypoint"):
        own = {"profile": {"enum": [name for name, kinds in PROFILES.items() if kind in kinds]}, **proxy}
        if kind in ("gateway", "waypoint"):
            own["replicas"] = _integer(1)
        found[kind] = _object((*keys.PROXY, *(("replicas",) if "replicas" in own else ())), own)
    return found


def _service() -> Schema:
    endpoints = _map(_ref("steps"), "steps of each endpoint", _ENDPOINT)
    version = {"replicas": _integer(1), "cpu": _ref("cpu"), "endpoints": endpoints}
    properties = {
        "namespace": _ref("name"),
        "replicas": _integer(1, "of each version"),
        "cpu": _ref("cpu"),
        "memory": _ref("size"),
        "concurrency": _integer(1, "requests that a replica works on at once; no limit if absent"),
        "queue": _integer(0, "requests that wait for that; unbounded if absent"),
        "discipline": {"enum": ["ps", "fifo", "lifo"], "description": "of the CPU"},
        "connections": _ref("connections"),
        "versions": _map(_object(keys.VERSION, version), "overrides by version"),
        "split": _map(_ref("weight"), "weights of the versions"),
        "endpoints": endpoints,
    }
    return _object(keys.SERVICE, properties, ["endpoints"])


def _stream() -> Schema:
    sessions = {"requests": _ref("count_distribution"), "gap": _ref("duration_distribution")}
    properties = {
        "name": _ref("name"),
        "tenant": _ref("name"),
        "entry": {"type": "string", "description": "service.endpoint"},
        "arrivals": _ref("arrivals"),
        "sessions": _object(keys.SESSIONS, sessions, keys.SESSIONS),
        "request": _ref("size_distribution"),
        "response": _ref("size_distribution"),
        "connections": _ref("connections"),
    }
    return _object(keys.STREAM, properties, ["name"])


def _policy() -> Schema:
    properties = {
        "name": _ref("name"),
        "to": {"type": "string", "description": "service or service.endpoint"},
        "from": {"type": "string", "description": "calling service, or client"},
        "load_balancer": {"enum": list(keys.LOAD_BALANCERS)},
        "in_app": {"type": "boolean", "description": "acts in the caller's library where there is no proxy"},
        "cancellation": {"enum": ["on", "off", True, False]},
    }
    return _object(keys.POLICY, properties, ["name"])


def _top() -> Schema:
    slo = {
        "type": "object", "additionalProperties": False,
        "properties": {"availability": _ref("share"), "mean": _ref("duration")},
        "patternProperties": {"^p[1-9][0-9]?([.][0-9]{1,3})?$": _ref("duration")},
    }  # fmt: skip
    nodes = {"pods_per_node": _integer(1), "cpu": _ref("cores"), "memory": _ref("size"), "zones": _list(_ref("name"))}
    ambient = {"profile": {"enum": list(PROFILES)}, "ztunnel": _ref("ztunnel"), "waypoint": _ref("waypoint")}
    mesh = {
        "gateway": _ref("gateway"), "sidecar": _ref("sidecar"), "ambient": _object(keys.AMBIENT, ambient),
    }  # fmt: skip
    run = {
        "load": {"type": "number", "exclusiveMinimum": 0, "description": "scales all open arrivals"},
        "duration": _ref("duration"),
        "warmup": {"anyOf": [{"const": "auto"}, _ref("duration")]},
        "drain": _ref("duration"),
        "seed": _integer(0),
        "replications": _integer(1),
    }
    return {
        "meshsim": {"const": 1, "description": "version of the language"},
        "name": _ref("name"),
        "extends": {"type": "string", "description": "a file, or a shipped topology, that this one changes"},
        "services": _map(_service()),
        "tenants": _map(_object(keys.TENANT, {"slo": slo})),
        "traffic": _list(_stream()),
        "nodes": _object(keys.NODES, nodes),
        "network": _object(keys.NETWORK, {key: _ref("duration_distribution", "one way") for key in keys.NETWORK}),
        "mesh": _object(keys.MESH, mesh),
        "policies": _list(_policy()),
        "prices": _object(keys.PRICES, {key: _ref("price") for key in keys.PRICES}),
        "run": _object(keys.RUN, run),
        "call_depth": _integer(1, "longest chain of calls"),
    }
