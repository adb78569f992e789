"""The JSON Schema of the spec language, for completion and checks in editors.

It describes what users write (quantities as text with patterns). The loader is stricter: it also knows names,
sums, cycles and ranges of quantities.
"""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

from meshsim.model.read import keys
from meshsim.model.read.key_traces import FORMATS
from meshsim.model.schema_caches import cached, caches, invalidate
from meshsim.model.schema_events import control_plane, event, people, rollout
from meshsim.model.schema_forms import NAME, Schema, form, integer, list_of, map_of, object_of, one_key, ref
from meshsim.model.schema_policies import load_balancer, policy, route
from meshsim.model.topology import PROFILES

_CHANGE = "change."  # before the names of definitions for files that extend others
FILE = Path(__file__).with_name("meshsim.schema.json")
_NUMBER = r"^\s*([0-9]+(\.[0-9]*)?|\.[0-9]+)([eE][-+]?[0-9]{1,3})?\s*"
_ENDPOINT = "^[A-Za-z0-9_/][A-Za-z0-9_/-]*$"


def json_schema() -> Schema:
    """Give the JSON Schema (draft 2020-12) of a topology."""
    whole = object_of(
        keys.TOP, _top(), ("meshsim", "services", "traffic"), "A service graph, its traffic, its platform."
    )
    parts = {**_quantities(), **_distributions(), **_steps(), **_arrivals(), **caches(), **_platform()}
    parts = {name: _maybe_uncertain(part) for name, part in parts.items()}
    parts["topology"] = _maybe_uncertain(whole)
    parts["uncertain"] = form({key: {"type": ["number", "string"]} for key in ("low", "mid", "high")})
    changes = {f"{_CHANGE}{name}": _change(part) for name, part in parts.items()}
    return {
        "$schema": "https://json-schema.org/draft/2020-12/schema",
        "$id": "urn:meshsim:schema:1",
        "title": "meshsim topology",
        "type": "object",
        "if": {"required": ["extends"]},
        "then": ref(f"{_CHANGE}topology"),
        "else": ref("topology"),
        "$defs": {**parts, **changes},
    }


def _maybe_uncertain(part: Any) -> Any:
    """Allow ``{low, mid, high}`` wherever a number or a quantity is due."""
    if isinstance(part, list):
        return [_maybe_uncertain(item) for item in part]
    if not isinstance(part, dict):
        return part
    if part.get("type") in ("integer", "number") or "examples" in part:
        doc = {key: part[key] for key in ("description",) if key in part}
        return {**doc, "anyOf": [{key: value for key, value in part.items() if key not in doc}, ref("uncertain")]}
    return {key: _maybe_uncertain(value) for key, value in part.items()}


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


def _unit(units: str, example: str) -> Schema:
    return {"type": "string", "pattern": f"{_NUMBER}({units})\\s*$", "examples": [example]}


def _quantities() -> Schema:
    bare_or = {"type": ["number", "string"]}
    return {
        "duration": _unit("ns|us|µs|μs|ms|s|m|h|d", "250ms"),
        "size": _unit("B|[kK]B?|[MGT]B?|[KMGT]iB?", "64MiB"),
        "rate": _unit("/[smhd]", "1200/s"),
        "bandwidth": _unit("([kKMGT]i?B|B|[kMGT]?bit)/s", "1Gbit/s"),
        "cores": {**bare_or, "pattern": f"{_NUMBER}m?\\s*$", "minimum": 0, "examples": [2, "250m"]},
        "share": {**bare_or, "pattern": f"{_NUMBER}%?\\s*$", "minimum": 0, "maximum": 1, "examples": ["5%", 0.05]},
        "weight": {**bare_or, "pattern": f"{_NUMBER}%?\\s*$", "minimum": 0, "examples": [90, "90%"]},
        "price": {"type": "string", "pattern": "/(core/h|GiB/h|GB/h|GiB|GB|h)\\s*$", "examples": ["$0.0316/core/h"]},
        "name": {"type": "string", "pattern": NAME},
        "cpu": {
            "description": "Cores of a replica: an amount, or request and limit.",
            "anyOf": [
                ref("cores"),
                object_of(("request", "limit"), {
                    "request": ref("cores"), "limit": {"anyOf": [ref("cores"), {"const": "unlimited"}]},
                }),
            ],
        },
        "connections": {
            "description": "Connections kept to each upstream: a pool, one per request, or many of so many requests.",
            "anyOf": [integer(1), {"const": "per_request"}, form({"requests": {"type": "number", "minimum": 1}})],
        },
    }  # fmt: skip


def _distributions() -> Schema:
    count = {"type": "integer", "minimum": 0}
    return {
        "duration_distribution": _distribution(ref("duration"), "duration_distribution"),
        "size_distribution": _distribution(ref("size"), "size_distribution"),
        "count_distribution": _distribution(count, "count_distribution", whole=True),
    }


def _distribution(value: Schema, own: str, *, whole: bool = False) -> Schema:
    number = {"type": "number", "exclusiveMinimum": 0}
    cv = {"type": "number", "minimum": 0, "description": "standard deviation over mean"}
    mean_cv = form({"mean": value, "cv": cv})
    kinds: Schema = {
        "constant": value,
        "geometric": {"anyOf": [{"type": "number", "minimum": 1}, form({"mean": {"type": "number", "minimum": 1}})]},
        "empirical": {"anyOf": [list_of(value), form({"file": {"type": "string"}}), form({"values": list_of(value)})]},
        "mixture": list_of(form({"weight": ref("weight"), "of": ref(own)})),
    }
    if not whole:
        del kinds["geometric"]
        kinds |= {
            "exp": {"anyOf": [value, form({"mean": value})]},
            "lognormal": {"anyOf": [mean_cv, form({"p50": value, "p99": value})]},
            "gamma": {"anyOf": [mean_cv, form({"shape": number, "scale": value})]},
            "erlang": form({"k": integer(1), "mean": value}),
            "hyperexp": {"anyOf": [mean_cv, form({"p": ref("share"), "mean1": value, "mean2": value})]},
            "pareto": form({"shape": number, "scale": value}, {"upper": value}),
            "weibull": {"anyOf": [form({"shape": number, "scale": value}), form({"shape": number, "mean": value})]},
            "uniform": form({"low": value, "high": value}),
        }
    return {"anyOf": [value, one_key(kinds)]}


def _steps() -> Schema:
    step_or_steps = {"anyOf": [ref("step"), ref("steps")]}
    size = ref("size_distribution")
    call = {
        "call": {"type": "string", "description": "service.endpoint, or a service with one endpoint"},
        "timeout": ref("duration", "of each try"),
        "retries": integer(0, "further tries after a failed one"),
        "p": ref("share", "probability that the call is made at all"),
        "times": ref("count_distribution", "calls one after another"),
        "optional": {"type": "boolean", "description": "a failure degrades the request instead of failing it"},
        "fallback": step_or_steps,
        "async": {"type": "boolean", "description": "nobody waits for the answer"},
        "request": size,
        "response": size,
    }
    branches = list_of(step_or_steps, "branches that run at the same time")
    option = object_of(keys.OPTION, {"p": ref("share"), "do": step_or_steps}, ["p"])
    reason = {"enum": [*keys.FAIL_REASONS, 500, 503]}
    fail = object_of(keys.FAIL, {"p": ref("share"), "as": reason})
    kinds: list[Schema] = [
        form({"work": ref("duration_distribution", "CPU time")}),
        form({"wait": ref("duration_distribution", "time without CPU")}),
        object_of(("call", *keys.CALL), call, ["call"]),
        form(
            {"parallel": branches},
            {"quorum": integer(1, "branches to wait for; all if absent"), "join": {"const": "all"}},
        ),
        form({"choose": list_of(option, "exactly one is taken")}),
        form({"fail": fail}),
        form({"invalidate": invalidate()}),
        form({"cache": cached({**step_or_steps, "description": "what gets the answer when the cache has none"})}),
    ]
    return {"step": {"anyOf": kinds}, "steps": list_of(ref("step"))}


def _arrivals() -> Schema:
    rate, duration = ref("rate"), ref("duration")
    points = list_of(form({"at": duration, "rate": rate}))
    diurnal = form({"mean": rate, "peak": rate, "period": duration, "peak_at": duration})
    interpolate = {"enum": ["step", "linear"]}
    kinds = {
        "poisson": rate,
        "constant": rate,
        "renewal": ref("duration_distribution", "the gap between arrivals"),
        "batch": form({"rate": rate, "size": ref("count_distribution")}),
        "mmpp": form({"rates": list_of(rate), "stay": list_of(duration)}),
        "rate": {"anyOf": [points, form({"points": points}, {"interpolate": interpolate}), form({"diurnal": diurnal})]},
        "spike": form({"base": rate, "peak": rate, "at": duration, "lasts": duration}),
        "trace": {
            "anyOf": [
                form({"times": list_of(duration)}),
                form({"file": {"type": "string"}}),
                form({"keys": {"type": "string", "description": "the stream's keys, whose trace has the times"}}),
            ]
        },
        "closed": form({"users": integer(1), "think": ref("duration_distribution")}),
    }
    if set(kinds) != set(keys.ARRIVALS):
        raise ValueError("the schema and the loader differ in the kinds of arrivals")
    return {"arrivals": one_key(kinds)}


def _platform() -> Schema:
    size, duration = ref("size"), ref("duration")
    proxy = {
        "cpu": ref("cpu"),
        "memory": size,
        "threads": {"anyOf": [integer(1), {"const": "unlimited"}]},
        "cpu_per_request": ref("duration_distribution"),
        "cpu_falls": form(
            {"exponent": {"type": "number", "minimum": 0, "maximum": 1}},
            {
                "at": ref("rate", "where cpu_per_request holds; 1000/s if absent"),
                "from": ref("rate", "below, it rises no more; 10/s if absent"),
                "to": ref("rate", "above, it falls no more; 3000/s if absent"),
            },
        ),
        "cpu_per_kib": {"anyOf": [duration, form({"request": duration, "response": duration})]},
        "tls_handshake": duration,
        **{key: size for key in keys.PROXY if key.startswith("memory_")},
        "discipline": {"enum": [*keys.LINES], "description": "of each thread: who is next; fifo if absent"},
        "bulkhead": integer(1, "requests of one tenant that an instance has at once; no limit if absent"),
        "buffers": ref("size", "of requests and answers that an instance holds at once; no limit if absent"),
        "bandwidth": ref("bandwidth", "at which an instance sends; no limit if absent"),
    }
    found = {"autoscale": _autoscale()}
    for kind in ("gateway", "sidecar", "ztunnel", "waypoint"):
        own = {"profile": {"enum": [name for name, kinds in PROFILES.items() if kind in kinds]}, **proxy}
        more = {
            "replicas": integer(1),
            "autoscale": ref("autoscale"),
            "load_balancer": load_balancer(),
            "knows": {
                "enum": list(keys.KNOWS),
                "description": "all services, or those that its service calls; all if absent",
            },
            "cache": ref("sidecar_cache" if kind == "sidecar" else "proxy_cache"),
        }
        own |= {key: value for key, value in more.items() if key in keys.PROXY_MORE[kind]}
        found[kind] = object_of((*keys.PROXY, *keys.PROXY_MORE[kind]), own)
    return found


def _autoscale() -> Schema:
    duration, share = ref("duration"), ref("share")
    pace = object_of(keys.PACE, {"pods": integer(0), "share": ref("weight", "of the replicas"), "period": duration})
    nodes = object_of(
        keys.AUTOSCALE_NODES,
        {
            "provision": ref("duration", "until a further node is there"),
            "unneeded": ref("duration", "until a node that is not needed goes; 10m if absent"),
        },
        ["provision"],
    )
    properties = {
        "min": integer(1, "fewest replicas; 1 if absent"),
        "max": integer(1, "most replicas"),
        "target": ref("weight", "CPU in use as a share of the request, e.g. 60%"),
        "interval": ref("duration", "between two decisions; 15s if absent"),
        "tolerance": {**share, "description": "changes below that share are not made; 0.1 if absent"},
        "scale_up_window": ref("duration", "the least of what was wanted within it; 0s if absent"),
        "scale_down_window": ref("duration", "the most of what was wanted within it; 300s if absent"),
        "scale_up": pace,
        "scale_down": pace,
        "warm_up": ref("duration", "since a pod was started; metrics before it was ready are ignored; 5m if absent"),
        "readiness_delay": ref("duration", "a pod not ready for so long was never ready; 30s if absent"),
        "metrics_delay": ref("duration", "age of metrics at a decision; 15s if absent"),
        "pod_start": ref("duration_distribution", "from scheduling to readiness; 10s if absent"),
        "drain": ref("duration", "a pod that stops is killed after it; 30s if absent"),
        "nodes": nodes,
    }
    return object_of(keys.AUTOSCALE, properties, ["max", "target"], "As Kubernetes' HorizontalPodAutoscaler on CPU.")


def _service() -> Schema:
    endpoints = map_of(ref("steps"), "steps of each endpoint", _ENDPOINT)
    version = {
        "replicas": integer(1),
        "cpu": ref("cpu"),
        "load_balancing_weight": integer(1, "of each replica; 1 if absent"),
        "endpoints": endpoints,
    }
    properties = {
        "namespace": ref("name", "whose waypoint it shares, where waypoints are by namespace"),
        "replicas": integer(1, "of each version"),
        "cpu": ref("cpu", "of a replica"),
        "memory": ref("size", "that a replica requests"),
        "concurrency": integer(1, "requests that a replica works on at once; no limit if absent"),
        "queue": integer(0, "requests that wait for that; unbounded if absent"),
        "max_wait": ref("duration_distribution", "a request that waited so long is turned away; never if absent"),
        "discipline": {"enum": [*keys.DISCIPLINES], "description": "of the CPU"},
        "line": {"enum": [*keys.LINES], "description": "who of those that wait for a slot is next; fifo if absent"},
        "bulkhead": integer(1, "requests of one tenant that a replica has at once; no limit if absent"),
        "buffers": ref("size", "of requests and answers that a replica holds at once; no limit if absent"),
        "bandwidth": ref("bandwidth", "at which a replica sends; no limit if absent"),
        "connections": ref("connections", "of each replica, as a caller, to each upstream"),
        "caches": map_of(ref("cache"), "what steps look into, by name"),
        "versions": map_of(object_of(keys.VERSION, version), "overrides by version"),
        "split": map_of(ref("weight"), "weights of the versions"),
        "endpoints": endpoints,
        "autoscale": ref("autoscale", "replicas come and go with the load"),
    }
    return object_of(keys.SERVICE, properties, ["endpoints"])


def _stream() -> Schema:
    window = integer(1, "among so many requests of the session; 16 if absent")
    reuse = {
        "anyOf": [ref("share"), object_of(keys.REUSE, {"share": ref("share"), "window": window}, ["share"])],
        "description": "requests that are about the same as one of the session's last ones",
    }
    sessions = {
        "requests": ref("count_distribution"),
        "gap": ref("duration_distribution"),
        "reuse": reuse,
        "same": ref("cache_key"),
    }
    items = integer(1)
    more = {
        "once": ref("share", "requests about something that nobody ever asks for again"),
        "life": ref("duration", "mean time after which another item takes a place in the ranking; never if absent"),
    }
    zipf = form({"items": items, "exponent": {"type": "number", "minimum": 0}}, more)
    uniform = form({"items": items}, more)
    file: Schema = {"type": "string", "description": "requests in their order: time, key, size; or oracleGeneral"}
    trace = form({"file": file}, {"format": {"enum": list(FORMATS), "description": "by the file's name if absent"}})
    properties = {
        "name": ref("name"),
        "tenant": ref("name", "for whom it is"),
        "entry": {"type": "string", "description": "service.endpoint"},
        "arrivals": ref("arrivals", "when requests come; rates are of requests"),
        "sessions": object_of(keys.SESSIONS, sessions, ["requests", "gap"], "requests of one caller after another"),
        "request": ref("size_distribution", "size of a request"),
        "response": ref("size_distribution", "size of its answer"),
        "connections": ref("connections", "of clients"),
        "headers": map_of({"type": ["string", "number", "boolean"]}, "what routes match"),
        "patience": ref("duration_distribution", "the client gives up after it; never if absent"),
        "keys": map_of(one_key({"zipf": zipf, "uniform": uniform, "trace": trace}), "what a request is about"),
    }
    return object_of(keys.STREAM, properties, ["name"])


def _top() -> Schema:
    slo = {
        "type": "object", "additionalProperties": False,
        "properties": {"availability": ref("share"), "mean": ref("duration")},
        "patternProperties": {"^p[1-9][0-9]?([.][0-9]{1,3})?$": ref("duration")},
    }  # fmt: skip
    tenant = {
        "slo": {**slo, "description": "what it is to get: latencies at most, availability at least"},
        "weight": {"type": "number", "exclusiveMinimum": 0, "description": "share where service is fair; 1 if absent"},
        "priority": integer(0, "the higher, the sooner, where service is by priority; 0 if absent"),
    }
    nodes = {
        "pods_per_node": integer(1, "at most"),
        "cpu": ref("cores", "of a node"),
        "memory": ref("size", "of a node"),
        "zones": list_of(ref("name"), "over which replicas are spread; one if absent"),
    }
    ambient = {"profile": {"enum": list(PROFILES)}, "ztunnel": ref("ztunnel"), "waypoint": ref("waypoint")}
    mesh = {
        "gateway": ref("gateway"), "sidecar": ref("sidecar"), "ambient": object_of(keys.AMBIENT, ambient),
    }  # fmt: skip
    run = {
        "load": {"type": "number", "exclusiveMinimum": 0, "description": "scales all open arrivals"},
        "duration": ref("duration", "simulated time"),
        "warmup": {"anyOf": [{"const": "auto"}, ref("duration")], "description": "its beginning, which is left out"},
        "drain": ref("duration", "how long the last requests may take after it"),
        "seed": integer(0, "same seed, same numbers"),
        "replications": integer(1, "independent repetitions"),
    }
    return {
        "meshsim": {"const": 1, "description": "version of the language"},
        "name": ref("name"),
        "extends": {"type": "string", "description": "a file, or a shipped topology, that this one changes"},
        "services": map_of(_service(), "what answers requests, by name"),
        "tenants": map_of(object_of(keys.TENANT, tenant), "for whom requests are, by name"),
        "traffic": list_of(_stream(), "streams of requests from clients"),
        "nodes": object_of(keys.NODES, nodes, (), "machines, all alike"),
        "network": object_of(
            keys.NETWORK, {key: ref("duration_distribution", "one way") for key in keys.NETWORK}, (), "delays"
        ),
        "mesh": object_of(keys.MESH, mesh, (), "proxies, where an architecture has them"),
        "policies": list_of(policy(), "what callers' proxies do with calls; the most specific wins, field by field"),
        "policy_defaults": {"enum": ["istio", "envoy", "none"], "description": "what fills what no policy says"},
        "routes": list_of(route(), "where requests really go: the first that fits takes them"),
        "prices": object_of(keys.PRICES, {key: ref("price") for key in keys.PRICES}, (), "instead of the price book's"),
        "run": object_of(keys.RUN, run, (), "how long, how often and how hard to simulate"),
        "call_depth": integer(1, "longest chain of calls"),
        "events": list_of(event(), "what goes wrong, and what is changed, on the way of a run"),
        "rollouts": map_of(rollout(), "ways to bring a change to the proxies, by name"),
        "control_plane": control_plane(),
        "people": people(),
    }
