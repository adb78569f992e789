"""Pushes of configuration: what is written under `push` of an event."""

from __future__ import annotations

import json
import re
from collections.abc import Callable, Sequence
from typing import Any, Literal

from meshsim.model import faults
from meshsim.model.distributions import constant
from meshsim.model.faults import FILTERS, OF_POLICIES, PUSH_FAULTS, ROUTED, TEMPLATES, Push, PushFault, Scope
from meshsim.model.policies import Policy, Route
from meshsim.model.proxies import Mesh, ProxyConfig
from meshsim.model.read import keys, quantities
from meshsim.model.read.caches import read_key
from meshsim.model.read.cursor import Cursor
from meshsim.model.read.distributions import DURATION, distribution
from meshsim.model.read.faults import one_fault
from meshsim.model.read.policies import MAX_LIMIT
from meshsim.model.read.references import endpoint_of, target_of
from meshsim.model.read.retries import MAX_ATTEMPTS
from meshsim.model.read.splits import read_split
from meshsim.model.read.tree import MapNode, Mark, Node, Scalar, resolve, to_python
from meshsim.model.rollouts import BUILT_IN
from meshsim.model.topology import Topology

SETTABLE = ("policies", "routes", "mesh")  # what control planes hand to proxies

Changed = tuple[tuple[Policy, ...], tuple[Route, ...], Mesh]
Change = tuple[str, Node, Mark]  # dotted path, new value, place of the path
ReadChanged = Callable[[Sequence[Change], Cursor], Changed | None]
"""Reads the topology with changes, and reports at the cursor what cannot be shown at a change."""

_EXAMPLE = "wrong_route: {to: geo, instead: shop.get}"
_PLAIN = re.compile(r"[A-Za-z0-9_.%/+-]+")


def read_push(name: str, at: Cursor, topology: Topology, read_changed: ReadChanged) -> Push | None:
    """Read a push of the event `name`; None after an error."""
    before = at.reading.report.errors
    found = at.fields(keys.PUSH, example="set: {policies.geo.timeout: 5ms}", elsewhere=keys.ELSEWHERE_PUSH)
    if at.is_map() and ("set" in found) == ("fault" in found) and at.reading.report.errors == before:
        both = "set" in found
        message = "a push is a set or a fault, not both" if both else "a push is a set, or a fault"
        hint = "write set: {policies.geo.timeout: 5ms}, or fault: {" + _EXAMPLE + "}"
        at.error("M114", message, "make two events of it" if both else hint, at.key_mark)
    scope = _scope(found["scope"], topology) if "scope" in found else Scope()
    tenant = _match(found["match"], topology) if "match" in found else None
    fault = _fault(found["fault"]) if "fault" in found else None
    via: Literal["raw", "template"] = "raw"
    if "via" in found and found["via"].choice(keys.VIA) == "template":
        via = "template"
    changes = _changes(found["set"], topology) if "set" in found else []
    values: dict[str, Any] = {
        "reaches": _reaches(found["reaches"]) if "reaches" in found else 1.0,
        "rejected": quantities.share(found["rejected"]) if "rejected" in found else 0.0,
        "validated": quantities.share(found["validation"]) if "validation" in found else 0.0,
        "rollout": _rollout(found["rollout"], topology) if "rollout" in found else "all-at-once",
    }
    push = Push(name=name, scope=scope, fault=fault, match_tenant=tenant, via=via, **values)
    if at.reading.report.errors == before:
        _check_template(push, found)
        _check_tenant(push, at, found)
    if at.reading.report.errors == before and isinstance(fault, faults.CacheKey):
        _check_caches(push, found["fault"], topology)
    if at.reading.report.errors != before or "set" not in found:
        return push if at.reading.report.errors == before else None
    texts = tuple((path, _text(node)) for path, node, _ in changes)
    changed = read_changed(changes, found["set"])
    if changed is not None:
        _check_mesh(changed[2], topology.mesh, found["set"])
    return push.model_copy(update={"set": texts, "changed": changed})


# -- fields --------------------------------------------------------------------------------------------------------


def _scope(at: Cursor, topology: Topology) -> Scope:
    """Read ``mesh``, ``gateway``, ``service/NAME``, ``route/NAME``, ``cell/N`` or ``tenant/NAME``."""
    text = at.text()
    kind, slash, name = text.partition("/")
    example = {"service": "service/geo", "route": "route/reviews", "cell": "cell/0", "tenant": "tenant/acme"}
    if kind == "mesh" and not slash:
        return Scope()
    if kind == "gateway" and not slash:
        return Scope(kind="gateway")
    if kind in example and not name:
        at.error("M109", f"scope {text[:60]} does not say which {kind}", at.write(example[kind]))
    elif kind == "service" and at.known(name, topology.services, "service"):
        return Scope(kind="service", name=name)
    elif kind == "route" and at.known(name, {route.name for route in topology.routes}, "route"):
        return Scope(kind="route", name=name)
    elif kind == "tenant" and at.known(name, topology.tenants, "tenant"):
        return Scope(kind="tenant", name=name)
    elif kind == "cell":
        if name.isascii() and name.isdigit() and len(name) < 7:
            return Scope(kind="cell", name=str(int(name)))
        at.error("M109", f"'{name[:60]}' is no number of a cell", at.write("cell/0"))
    elif kind not in ("service", "route", "tenant") and text:
        same = kind in topology.services
        scopes = "mesh, gateway, service/NAME, route/NAME, cell/N or tenant/NAME"
        hint = at.write(f"service/{kind}") if same else f"write {scopes}"
        at.error("M109", f"scope cannot be '{text[:60]}'", hint)
    return Scope()


def _match(at: Cursor, topology: Topology) -> str | None:
    found = at.fields(keys.PUSH_MATCH, required=keys.PUSH_MATCH, example="tenant: acme")
    if "tenant" not in found:
        return None
    name = found["tenant"].text()
    found["tenant"].known(name, topology.tenants, "tenant")
    return name


def _reaches(at: Cursor) -> float:
    share = quantities.share(at)
    if share == 0.0:
        at.error("M108", "the push reaches nobody", "write reaches: 50%, or remove reaches for all")
    return share


def _rollout(at: Cursor, topology: Topology) -> str:
    name = at.text()
    at.known(name, {**BUILT_IN, **topology.rollouts}, "rollout")
    return name


def _changes(at: Cursor, topology: Topology) -> list[Change]:
    """Read the paths and values of `set`; null takes something out."""
    if not isinstance(at.node, MapNode):
        at.wrong_kind("a map", at.write("{policies.geo.timeout: 5ms}"))
        return []
    if not at.node.entries:
        at.error("M108", "nothing is set", at.write("{policies.geo.timeout: 5ms}"), at.key_mark)
    changes = []
    for path, (mark, node) in at.node.entries.items():
        child = at.child(path, node, mark)
        head, _, below = path.partition(".")
        if head not in SETTABLE:
            hint = f"paths begin with {', '.join(SETTABLE)}; what is not configuration of proxies is no push"
            child.error("M127", f"a push cannot set '{path[:60]}'", hint, mark)
        elif isinstance(node, MapNode) and path in ("policies", "routes"):
            hint = f"write the path with dots: {path}.NAME.{'timeout: 5ms' if path == 'policies' else 'split: v1'}"
            child.error("M103", f"{path} is a map, and a list is due", hint)
        elif below and head != "mesh" and not getattr(topology, head) and head not in at.node.entries:
            name = below.partition(".")[0][:60]
            hint = f"there are no {head}: set the whole list, {head}: [{{name: {name}, …}}]"
            child.error("M011", f"there is no '{name}' in {head}", hint, mark)
        else:
            changes.append((path, node, mark))
    return changes


def _text(node: Node) -> str:
    """Give a value as `--set` takes it."""
    if isinstance(node, Scalar):
        plain = node.value is None or _PLAIN.fullmatch(node.text)
        if plain and resolve(node.text) == node.value:
            return node.text or "null"
    return json.dumps(to_python(node), ensure_ascii=False)


# -- mistakes ------------------------------------------------------------------------------------------------------


def _fault(at: Cursor) -> PushFault | None:
    hint, elsewhere = one_fault(_EXAMPLE), keys.ELSEWHERE_PUSH_FAULTS
    inner = at.one_kind(keys.PUSH_FAULTS, example=_EXAMPLE, hint=hint, elsewhere=elsewhere)
    if inner is None or inner.key is None:
        return None
    before, kind = at.reading.report.errors, inner.key
    required = [key for key in keys.PUSH_FAULTS[kind] if key in keys.REQUIRED_OF_PUSHES]
    if kind in keys.OPTIONAL_TO:
        required.remove("to")
    found = inner.fields(keys.PUSH_FAULTS[kind], required=required, example=_example(kind))
    values = dict(_READERS[key](value, kind) for key, value in found.items() if key != "split")
    if "split" in found and found.get("to") is not None:
        values["split"] = _split(found["split"], values["to"])
    if at.reading.report.errors != before:
        return None
    fault = PUSH_FAULTS[kind](**values)
    if isinstance(fault, faults.WrongRoute) and fault.to == ".".join(fault.instead):
        found["instead"].error("M108", "requests would go where they went", "name another endpoint")
        return None
    return fault


def _example(kind: str) -> str:
    return "to: geo" if "to" in keys.PUSH_FAULTS[kind] else f"{keys.PUSH_FAULTS[kind][0]}: …"


def _to(at: Cursor, kind: str) -> tuple[str, str]:
    to = target_of(at) or ""
    if kind == "wrong_weight" and "." in to:
        service = to.partition(".")[0]
        at.error("M109", "a split is of a service, not of an endpoint", at.write(service))
    return "to", to


def _split(at: Cursor, to: str) -> dict[str, float]:
    known = to in at.reading.names.endpoints  # else there is an error already
    return (read_split(at, to) or {}) if known else {}


def _instead(at: Cursor, kind: str) -> tuple[str, tuple[str, str]]:
    return "instead", endpoint_of(at) or ("", "")


def _duration(name: str, *, positive: bool = False) -> Callable[[Cursor, str], tuple[str, float]]:
    return lambda at, kind: (name, quantities.duration(at, positive=positive))


_READERS: dict[str, Callable[[Cursor, str], tuple[str, Any]]] = {
    "to": _to,
    "instead": _instead,
    "for": _duration("for_s"),
    "timeout": _duration("timeout_s", positive=True),
    "attempts": lambda at, kind: ("attempts", at.integer(1, MAX_ATTEMPTS)),
    "rate": lambda at, kind: ("rate_per_s", quantities.rate(at)),
    "burst": lambda at, kind: ("burst", at.integer(1, MAX_LIMIT)),
    "cpu": lambda at, kind: ("cpu", distribution(at, DURATION) if at.is_map() else constant(_cpu(at))),
    "restart": _duration("restart_s", positive=True),
    "per_request": lambda at, kind: ("per_request_bytes", quantities.memory(at)),
    "key": lambda at, kind: ("key", read_key(at)),
}


def _cpu(at: Cursor) -> float:
    return quantities.duration(at, positive=True)


# -- what only several fields show ---------------------------------------------------------------------------------


def _check_template(push: Push, found: dict[str, Cursor]) -> None:
    if push.via != "template":
        return
    if push.fault is not None and push.fault.kind not in TEMPLATES:
        hint = f"a template has fields for {', '.join(sorted(TEMPLATES))}; for all else write via: raw"
        found["via"].error("M127", f"a template cannot express {push.fault.kind}", hint)
    if push.scope.kind == "mesh":
        at = found.get("scope", found["via"])
        hint = "a template is of one service, tenant or cell: write scope: service/NAME"
        at.error("M127", "a template cannot be for the whole mesh", hint)


def _check_tenant(push: Push, at: Cursor, found: dict[str, Cursor]) -> None:
    """Report a match of a tenant where nothing can heed it."""
    if push.tenant is None:
        return
    where = found["match"] if push.match_tenant is not None else found["scope"]
    if push.match_tenant is not None and push.scope.kind == "tenant":
        hint = "remove match: the scope says it already"
        where.error("M120", "match has no meaning beside a scope of a tenant", hint, where.key_mark)
    elif push.fault is None:
        hint = "write match: {tenant: …} in the routes that are set, and another scope"
        where.error("M127", "what is set cannot be for one tenant", hint)
    elif push.fault.kind in OF_POLICIES:
        hint = f"policies select calls, not tenants; with a tenant go {', '.join(sorted((*ROUTED, *FILTERS)))}"
        where.error("M127", f"{push.fault.kind} cannot be for one tenant", hint)
    elif push.fault.kind not in (*ROUTED, *FILTERS):
        hint = "it meets a proxy whatever requests it has: remove the tenant"
        where.error("M127", f"{push.fault.kind} cannot be for one tenant", hint)


def _check_caches(push: Push, at: Cursor, topology: Topology) -> None:
    mesh = topology.mesh
    proxies = (mesh.gateway,) if push.scope.kind == "gateway" else (mesh.gateway, mesh.sidecar, mesh.waypoint)
    if all(proxy.cache is None for proxy in proxies):
        hint = "give one a cache: mesh: {gateway: {cache: {capacity: 20000, key: item}}}"
        at.error("M120", "cache_key has no meaning: none of these proxies has a cache", hint, at.key_mark)


#: What a proxy has from its start on, by field of `ProxyConfig`: no push changes it.
_FROM_THE_START = {
    **{field: field.removesuffix("_bytes") for field in ProxyConfig.model_fields if field.startswith("memory_")},
    "buffers_bytes": "buffers",
    "bandwidth_bytes_per_s": "bandwidth",
    **{field: field for field in ("replicas", "cpu", "threads", "load_balancer", "discipline", "bulkhead", "knows")},
}


def _check_mesh(changed: Mesh, before: Mesh, at: Cursor) -> None:
    """Report what is set and would do nothing: what proxies have from their start on, their caches' memory too."""
    for kind in Mesh.model_fields:
        new, old = getattr(changed, kind), getattr(before, kind)
        for field, key in _FROM_THE_START.items():
            if getattr(new, field) != getattr(old, field):
                message = f"a push cannot change {key} of a {kind}, which it has from its start on"
                hint = f"write {key} into mesh: a push changes what a {kind} does with requests"
                at.error("M127", message, hint, at.key_mark)
        if new.cache is not None and old.cache is None:
            hint = f"give the {kind} its cache in mesh, and push what it is for: its only, or its key"
            at.error("M127", f"a push cannot give a {kind} a cache", hint, at.key_mark)
        elif new.cache is not None and old.cache is not None and new.cache.cache != old.cache.cache:
            hint = "a push changes what a cache is for: its only, or its key"
            at.error("M127", f"a push cannot change how the cache of a {kind} works", hint, at.key_mark)
