"""Services, their versions and their endpoints."""

from __future__ import annotations

from typing import cast

from meshsim.model.autoscale import Autoscale
from meshsim.model.disciplines import Discipline, Line
from meshsim.model.read import keys, quantities
from meshsim.model.read.autoscale import MAX_REPLICAS, read_autoscale, replicas_of
from meshsim.model.read.caches import read_caches
from meshsim.model.read.cursor import ENDPOINT_NAME, NAME, RESERVED, Cursor
from meshsim.model.read.distributions import time_to_wait
from meshsim.model.read.splits import read_split
from meshsim.model.read.steps import read_steps
from meshsim.model.read.traffic import SERVICE_CONNECTIONS, read_connections
from meshsim.model.read.tree import MapNode
from meshsim.model.steps import Step
from meshsim.model.topology import Cores, Service, Version

MAX_WEIGHT = 1000  # a Maglev table has 65,537 entries (assumed; Envoy once had 128)
DEFAULT_CPU = Cores(request=1.0, limit=1.0)  # assumed
DEFAULT_MEMORY_BYTES = 1024**3  # assumed

Endpoints = dict[str, tuple[Step, ...]]


def read_services(at: Cursor) -> dict[str, Service]:
    """Read `services`, sorted by name."""
    found: dict[str, Service] = {}
    for name, service in at.children("shop: {endpoints: {get: [{work: 5ms}]}}"):
        if not service.valid_name(name, NAME, "a service's name", mark=service.key_mark):
            continue
        if name in RESERVED:
            hint = f"call it e.g. {name}-service: {', '.join(RESERVED)} stand for the outside and for proxies"
            service.error("M110", f"'{name}' is a reserved name", hint, service.key_mark)
        found[name] = _service(name, service)
    if at.is_map() and not at.keys():
        at.error("M108", "there are no services", "add shop: {endpoints: {get: [{work: 5ms}]}}", at.key_mark)
    return dict(sorted(found.items()))


def _service(name: str, at: Cursor) -> Service:
    found = at.fields(keys.SERVICE, required=("endpoints",), later=keys.LATER_SERVICE,
                      example="endpoints: {get: [{work: 5ms}]}", elsewhere=keys.ELSEWHERE_SERVICE)  # fmt: skip
    cpu = quantities.cpu(found["cpu"]) if "cpu" in found else DEFAULT_CPU
    autoscale = read_autoscale(found["autoscale"], cpu) if "autoscale" in found else None
    versions = _versions(found, cpu, autoscale)
    concurrency = found["concurrency"].integer(1, 1_000_000) if "concurrency" in found else None
    queue = found["queue"].integer(0, 1_000_000_000) if "queue" in found else None
    max_wait = time_to_wait(found["max_wait"], "write queue: 0 to let nobody wait") if "max_wait" in found else None
    _check_queue(found, concurrency, queue)
    return Service(
        name=name,
        namespace=_namespace(found.get("namespace")),
        versions=versions,
        split=read_split(found["split"], name) if "split" in found else None,
        memory_bytes=quantities.memory(found["memory"]) if "memory" in found else DEFAULT_MEMORY_BYTES,
        concurrency=concurrency,
        queue=queue,
        max_wait=max_wait,
        discipline=_discipline(found.get("discipline")),
        line=_line(found, concurrency),
        bulkhead=found["bulkhead"].integer(1, 1_000_000) if "bulkhead" in found else None,
        buffers_bytes=quantities.memory(found["buffers"]) if "buffers" in found else None,
        bandwidth_bytes_per_s=quantities.bandwidth(found["bandwidth"]) if "bandwidth" in found else None,
        caches=read_caches(found["caches"]) if "caches" in found else {},
        connections=read_connections(found["connections"]) if "connections" in found else SERVICE_CONNECTIONS,
        autoscale=autoscale,
    )


def _check_queue(found: dict[str, Cursor], concurrency: int | None, queue: int | None) -> None:
    for key, what in (("queue", "a queue"), ("max_wait", "max_wait")):
        if key in found and "concurrency" not in found:
            hint = f"add concurrency: 64 (requests at once on a replica), or remove {key}"
            message = f"{what} has no meaning without a limit of concurrency"
            found[key].error("M120", message, hint, found[key].key_mark)
    if queue == 0 and "max_wait" in found:
        at, hint = found["max_wait"], "remove max_wait, or give the queue places"
        at.error("M120", "max_wait has no meaning where nobody may wait", hint, at.key_mark)
    if concurrency is not None and queue is None and not {"queue", "max_wait"} & set(found):
        hint = "add e.g. queue: 256: one more request is then rejected instead of waiting without end"
        found["concurrency"].warning("M201", "the queue for the limit of concurrency is unbounded", hint)


def _namespace(at: Cursor | None) -> str:
    if at is None:
        return "default"
    name = at.text()
    at.valid_name(name, NAME, "a namespace")
    return name


def _discipline(at: Cursor | None) -> Discipline:
    return cast("Discipline", at.choice(keys.DISCIPLINES) or "ps") if at else "ps"


def _line(found: dict[str, Cursor], concurrency: int | None) -> Line:
    if "line" not in found:
        return "fifo"
    at = found["line"]
    word = at.choice(keys.LINES)
    if concurrency is None and "concurrency" not in found:
        hint = "add concurrency: 64 (requests at once on a replica), or write discipline for the line for its CPU"
        at.error("M120", "a line has no meaning without a limit of concurrency", hint, at.key_mark)
    return cast("Line", word or "fifo")


def _endpoints(at: Cursor) -> Endpoints:
    found: Endpoints = {}
    for name, steps in at.children("get: [{work: 5ms}]"):
        steps.valid_name(name, ENDPOINT_NAME, "an endpoint's name", mark=steps.key_mark)
        found[name] = read_steps(steps)
    return found


def _versions(found: dict[str, Cursor], cpu: Cores, autoscale: Autoscale | None) -> tuple[Version, ...]:
    """Read all versions, sorted by name; each inherits what it does not say, the number of replicas too."""
    replicas = replicas_of(autoscale, found.get("replicas"), 1)
    endpoints = _endpoints(found["endpoints"]) if "endpoints" in found else {}
    if "endpoints" in found and found["endpoints"].is_map() and not found["endpoints"].keys():
        found["endpoints"].error("M108", "the service has no endpoints", "add get: [{work: 5ms}]")
    base = Version(name="", replicas=replicas, cpu=cpu, endpoints=dict(sorted(endpoints.items())))
    if "versions" not in found:
        return (base,)
    at = found["versions"]
    versions = [_version(name, inner, base) for name, inner in at.children("v1: {}, v2: {replicas: 1}")]
    _check_inherited(found, at, replicas)
    _check_weights(found, at)
    if autoscale is not None and len(versions) > 1:
        hint = "take one of them out: autoscaling several versions is not supported yet"
        message = f"the service has {len(versions)} versions, and autoscales"
        found["autoscale"].error("M120", message, hint, found["autoscale"].key_mark)
    return tuple(sorted(versions, key=lambda version: version.name)) or (base,)


def _check_inherited(found: dict[str, Cursor], at: Cursor, replicas: int) -> None:
    if not isinstance(at.node, MapNode):
        return
    if not at.node.entries:
        at.error("M108", "there are no versions", "write {v1: {}, v2: {}}, or remove versions")
    inner = [node for _, node in at.node.entries.values()]
    inheriting = sum(isinstance(node, MapNode) and "replicas" not in node.entries for node in inner)
    if "replicas" in found and replicas > 1 and inheriting > 1:
        hint = f"each of these versions has {replicas} of its own; say replicas in each version to divide them"
        found["replicas"].warning("M208", f"{inheriting} versions inherit {replicas} replicas each", hint)


def _check_weights(found: dict[str, Cursor], at: Cursor) -> None:
    """Refuse weights of replicas beside a split, which decides alone."""
    for _, version in at.children("v1: {}") if "split" in found and isinstance(at.node, MapNode) else ():
        for key, value in version.children("replicas: 1") if isinstance(version.node, MapNode) else ():
            if key == "load_balancing_weight":
                hint = "remove it: the replicas of one version all weigh the same; or remove the split"
                value.error("M120", f"{key} has no meaning beside a split", hint, value.key_mark)


def _version(name: str, at: Cursor, base: Version) -> Version:
    at.valid_name(name, NAME, "a version's name", mark=at.key_mark)
    found = at.fields(keys.VERSION, later=keys.LATER_VERSION, example="replicas: 1", elsewhere=keys.ELSEWHERE_VERSION)
    own = _endpoints(found["endpoints"]) if "endpoints" in found else {}
    for endpoint in own:
        mark = at.reading.marks[f"{at.path}.endpoints.{endpoint}"]
        found["endpoints"].known(endpoint, base.endpoints, "endpoint to override", mark=mark)
    return Version(
        name=name,
        replicas=found["replicas"].integer(1, MAX_REPLICAS) if "replicas" in found else base.replicas,
        cpu=quantities.cpu(found["cpu"]) if "cpu" in found else base.cpu,
        load_balancing_weight=found[key].integer(1, MAX_WEIGHT) if (key := "load_balancing_weight") in found else 1,
        endpoints=dict(sorted({**base.endpoints, **own}.items())),
    )
