"""References by name: which services, endpoints, versions, caches and tenants there are, and what a name means."""

from __future__ import annotations

from meshsim.model.read.cursor import Cursor, Names
from meshsim.model.read.tree import ListNode, MapNode, Node, Scalar


def gather(root: MapNode) -> Names:
    """Collect what is defined, before anything is read, so that each reference is judged where it stands."""
    names = Names()
    services = _entries(root.get("services"))
    for service, node in services.items():
        versions = _entries(node.get("versions")) if isinstance(node, MapNode) else {}
        endpoints = dict.fromkeys(_entries(node.get("endpoints")) if isinstance(node, MapNode) else {})
        names.endpoints[service] = tuple(endpoints)
        names.versions[service] = tuple(versions)
        names.caches[service] = tuple(_entries(node.get("caches")) if isinstance(node, MapNode) else {})
    mesh = _entries(root.get("mesh"))
    proxies = {**mesh, **_entries(mesh.get("ambient"))}
    caches = {kind: _entries(proxies.get(kind)).get("cache") for kind in PROXY_CACHES}
    names.proxy_caches = {kind: _only(node) for kind, node in caches.items() if node is not None}
    names.tenants = tuple(_entries(root.get("tenants")))
    streams = root.get("traffic")
    items = [item for item in streams.items if isinstance(item, MapNode)] if isinstance(streams, ListNode) else []
    senders = [node.text for node in (item.get("tenant") for item in items) if isinstance(node, Scalar)]
    names.senders = tuple(dict.fromkeys(senders))
    names.dimensions = tuple(dict.fromkeys(name for item in items for name in _entries(item.get("keys"))))
    return names


PROXY_CACHES = ("gateway", "sidecar", "waypoint")


def _only(cache: Node) -> tuple[str, ...]:
    """What `only` of a proxy's cache names, as it is written."""
    node = _entries(cache).get("only")
    return tuple(item.text for item in node.items if isinstance(item, Scalar)) if isinstance(node, ListNode) else ()


def _entries(node: Node | None) -> dict[str, Node]:
    return {key: value for key, (_, value) in node.entries.items()} if isinstance(node, MapNode) else {}


def endpoint_of(at: Cursor) -> tuple[str, str] | None:
    """Resolve ``service.endpoint``, or a service with one endpoint; None after an error."""
    node = at.scalar("service.endpoint", at.write("service.endpoint"))
    if node is None:
        return None
    service, dot, endpoint = node.text.partition(".")
    known = at.reading.names.endpoints
    if not at.known(service, known, "service"):
        return None
    if dot:
        return (service, endpoint) if at.known(endpoint, known[service], "endpoint", of=service) else None
    if len(known[service]) == 1:
        return service, known[service][0]
    if known[service]:  # a service without endpoints is reported there
        several = ", ".join(f"{service}.{name}" for name in known[service][:4])
        at.error("M121", f"'{service}' has {len(known[service])} endpoints", f"say which: {several}")
    return None


def caller_of(at: Cursor) -> str:
    """Read the calling service of a policy or route, or ``client``."""
    name = at.text()
    at.known(name, ("client", *at.reading.names.endpoints), "calling service")
    return name


def target_of(at: Cursor) -> str | None:
    """Check ``service`` or ``service.endpoint`` of a policy or route and give it as written."""
    node = at.scalar("service or service.endpoint", at.write("service"))
    if node is None:
        return None
    service, dot, endpoint = node.text.partition(".")
    known = at.reading.names.endpoints
    if at.known(service, known, "service") and dot:
        at.known(endpoint, known[service], "endpoint", of=service)
    return node.text


def cache_of(at: Cursor) -> str:
    """Read the name of a cache of the service in whose steps this stands."""
    service = at.path.split(".")[1]  # services.<name>.…
    name, known = at.text(), at.reading.names.caches.get(service, ())
    if name and not known:
        hint = f"add caches: {{{name[:60]}: {{capacity: 20000}}}} to '{service}'"
        at.error("M104", f"'{service}' has no caches, and a step looks into '{name[:60]}'", hint)
    else:
        at.known(name, known, "cache", of=service)
    return name


def written_cache_of(at: Cursor) -> tuple[str, str] | None:
    """Read a cache that a write is about: one of the same service, ``service.cache``, or a kind of proxy's."""
    node = at.scalar("a cache", at.write("tiles"))
    if node is None:
        return None
    service, dot, name = node.text.rpartition(".")
    names = at.reading.names
    if not dot and name in PROXY_CACHES and name not in names.caches.get(at.path.split(".")[1], ()):
        if name not in names.proxy_caches:
            path = "mesh.ambient.waypoint" if name == "waypoint" else f"mesh.{name}"
            at.error("M104", f"no {name} has a cache", f"give {path} a cache: {{capacity: 20000, key: item}}")
            return None
        return "", name
    if not dot:
        return at.path.split(".")[1], cache_of(at)
    if not at.known(service, names.endpoints, "service"):
        return None
    return (service, name) if at.known(name, names.caches.get(service, ()), "cache", of=service) else None


def sole_endpoint_of(at: Cursor, kind: str) -> tuple[str, str] | None:
    """Give the only endpoint whose answers the cache of a kind of proxy keeps; None if there may be several."""
    named = at.reading.names.proxy_caches.get(kind, ())
    if len(named) != 1:
        return None
    service, _, endpoint = named[0].partition(".")
    known = at.reading.names.endpoints.get(service, ())
    return service, endpoint or (known[0] if len(known) == 1 else "")  # mistakes are reported where `only` stands


def dimension_of(at: Cursor, use: str) -> str:
    """Read a dimension of the keys of some stream; `use` is what is done with it, for the message."""
    name, known = at.text(), at.reading.names.dimensions
    if name and not known:
        hint = f"add keys: {{{name[:60]}: {{zipf: {{items: 50000, exponent: 1.0}}}}}} to an entry of traffic"
        at.error("M104", f"no stream has keys, and '{name[:60]}' is to be {use}", hint)
    else:
        at.known(name, known, "dimension of keys")
    return name


def entry_names(node: Node | None) -> dict[str, int]:
    """Give the position of each named entry of a list; empty if `node` is no list of named maps."""
    if not isinstance(node, ListNode):
        return {}
    found: dict[str, int] = {}
    for position, item in enumerate(node.items):
        name = item.get("name") if isinstance(item, MapNode) else None
        if not isinstance(name, Scalar):
            return {}
        found[name.text] = position
    return found
