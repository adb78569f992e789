"""Ordinary faults: what is written under `fault` of an event."""

from __future__ import annotations

import re
from collections.abc import Callable
from typing import Any, cast

from meshsim.model import faults, graph
from meshsim.model.distributions import Distribution, constant
from meshsim.model.faults import ALL, FAULTS, Fault, Replicas
from meshsim.model.read import keys, quantities
from meshsim.model.read.cursor import Cursor
from meshsim.model.read.distributions import DURATION, distribution
from meshsim.model.read.steps import fail_reason
from meshsim.model.topology import Topology
from meshsim.model.traffic import SCALABLE
from meshsim.units import format_duration

MAX_FACTOR = 1e6
MAX_NODES = 1_000_000
PROXIES = ("gateway", "waypoint")  # what stands beside the services and may be named like one

_EXAMPLE = "crash: {service: geo}"


def one_fault(example: str) -> str:
    """Give the hint for what has to be one fault."""
    return f"write e.g. {{{example}}}; two faults are two events"


def read_fault(at: Cursor, topology: Topology) -> Fault | None:
    """Read ``{KIND: {…}}``; None after an error."""
    inner = at.one_kind(keys.FAULTS, example=_EXAMPLE, hint=one_fault(_EXAMPLE), elsewhere=keys.ELSEWHERE_FAULTS)
    if inner is None or inner.key is None:
        return None
    before, kind = at.reading.report.errors, inner.key
    required = [key for key in keys.FAULTS[kind] if key in keys.REQUIRED_OF_FAULTS]
    found = inner.fields(keys.FAULTS[kind], required=required, example="service: geo", elsewhere=keys.ELSEWHERE_FAULT)
    values = dict(_READERS[key](value, topology) for key, value in found.items())
    if at.reading.report.errors != before:
        return None
    fault = FAULTS[kind](**values)
    _check(fault, inner, found, topology)
    return fault if at.reading.report.errors == before else None


# -- fields: each reader gives the name in the model, and the value ------------------------------------------------


def _service(at: Cursor, topology: Topology) -> tuple[str, str]:
    name = at.text()
    if name not in topology.services and re.match(r"sidecar|ztunnel", name):
        hint = "sidecars share the fate of their replica: name the service; pushes of configuration reach all proxies"
        at.error("M104", f"a fault cannot be of '{name[:60]}' alone", hint)
    else:
        at.known(name, (*topology.services, *PROXIES), "service")
    return "service", name


def _replicas(at: Cursor, topology: Topology) -> tuple[str, Replicas]:
    text = at.node_text()
    if text is None or "%" not in text:
        return "replicas", Replicas(count=at.integer(1, quantities.MAX_COUNT))
    share = quantities.share(at)
    if share == 0.0:
        at.error("M108", f"replicas is {text}, and no replica would fail", "write 1, or 50%")
    return "replicas", ALL if share == 1.0 else Replicas(share=share)


def _below_all(at: Cursor, why: str) -> float:
    """Read a share that is not all."""
    share = quantities.share(at)
    if share >= 1.0:
        at.error("M108", f"{at.name} is {at.text()}, and must be below 100%: {why}", "write 90%, or blackhole: {…}")
    return share


def _duration(name: str, *, positive: bool = False) -> Callable[[Cursor, Topology], tuple[str, float]]:
    return lambda at, topology: (name, quantities.duration(at, positive=positive))


def _zones(at: Cursor, topology: Topology) -> tuple[str, tuple[str, ...]]:
    zones = [_known_zone(item, topology) for item in at.items("[a, b]")]
    if at.is_list() and (len(zones) != 2 or len(set(zones)) != 2):
        at.error("M108", "a partition is between two different zones", at.write("[a, b]"), at.key_mark)
    return "zones", tuple(sorted(zones))


def _known_zone(at: Cursor, topology: Topology) -> str:
    zone = at.text()
    at.known(zone, topology.nodes.zones, "zone")
    return zone


def _stream(at: Cursor, topology: Topology) -> tuple[str, str]:
    name, streams = at.text(), {stream.name: stream for stream in topology.traffic}
    if not at.known(name, streams, "entry of traffic"):
        return "stream", name
    kind = streams[name].arrivals.kind
    if kind == "closed":
        hint = "users of closed arrivals wait for their answers: give them another stream, with poisson arrivals"
        at.error("M120", f"a spike has no meaning for '{name}', whose arrivals are closed", hint)
    elif kind not in SCALABLE:
        hint = "name a stream of poisson, constant, renewal or batch arrivals, or write the spike into its arrivals"
        at.error("M120", f"the load of '{name}', whose arrivals are {kind}, cannot be changed by a fault yet", hint)
    return "stream", name


def _gap(at: Cursor, topology: Topology) -> tuple[str, Distribution]:
    gap = distribution(at, DURATION)
    if gap.mean() == 0.0:
        at.error(
            "M108", "the job would come again at once, and never go", "write a gap above 0, or slow_node: {factor: 2}"
        )
        gap = constant(1.0)
    return "gap", gap


_READERS: dict[str, Callable[[Cursor, Topology], tuple[str, Any]]] = {
    "service": _service,
    "replicas": _replicas,
    "load": lambda at, topology: ("load", _below_all(at, "nothing would be left for the service")),
    "lasts": lambda at, topology: ("lasts", distribution(at, DURATION)),
    "gap": _gap,
    "after": _duration("after_s", positive=True),
    "restart": _duration("restart_s"),
    "every": _duration("every_s", positive=True),
    "drain": _duration("drain_s"),
    "delay": _duration("delay_s", positive=True),
    "skew": _duration("skew_s", positive=True),
    "leeway": _duration("leeway_s"),
    "certificate": _duration("certificate_s"),
    "spread": _duration("spread_s"),
    "factor": lambda at, topology: ("factor", at.number(0.0, MAX_FACTOR, above=True)),
    "share": lambda at, topology: ("share", quantities.share(at)),
    "connections": lambda at, topology: ("connections", at.choice(keys.CONNECTIONS)),
    "node": lambda at, topology: ("node", at.integer(0, MAX_NODES)),
    "zone": lambda at, topology: ("zone", _known_zone(at, topology)),
    "zones": _zones,
    "as": lambda at, topology: ("reason", fail_reason(at)),
    "stream": _stream,
    "cache": lambda at, topology: ("cache", at.text()),
}


# -- what only several fields show ---------------------------------------------------------------------------------


def _check(fault: Fault, at: Cursor, found: dict[str, Cursor], topology: Topology) -> None:
    if "replicas" in found:
        _check_replicas(cast(Any, fault), found["replicas"], topology)
    if isinstance(fault, faults.IoFault):
        _check_waits(fault, found["service"], topology)
    elif isinstance(fault, faults.ColdCache):
        _check_caches(fault, found, topology)
    elif isinstance(fault, faults.PacketLoss) and "share" in found:
        _below_all(found["share"], "nothing would ever arrive")
    elif isinstance(fault, faults.TimeTravel) and fault.skew_s <= min(fault.leeway_s, fault.certificate_s):
        message = f"a skew of {format_duration(fault.skew_s)} is below leeway and certificate: nobody would notice"
        at.error("M108", message, f"write skew: {format_duration(2 * fault.leeway_s)}, or lower leeway", at.key_mark)


def _check_replicas(fault: Any, at: Cursor, topology: Topology) -> None:
    total = _total(fault.service, topology)
    if total is not None and (fault.replicas.count or 0) > total:
        message = f"replicas is {fault.replicas.count}, and '{fault.service}' has {total}"
        at.error("M108", message, f"write {total}, or remove replicas for all")


def _total(service: str, topology: Topology) -> int | None:
    if service in topology.services:
        return sum(version.replicas for version in topology.services[service].versions)
    return topology.mesh.gateway.replicas if service == "gateway" else topology.mesh.waypoint.replicas


def _check_waits(fault: faults.IoFault, at: Cursor, topology: Topology) -> None:
    service = topology.services.get(fault.service)
    if service is None or not graph.waits(service):
        hint = "give it a step - wait: 5ms for the time of its disk, or use latency or cpu"
        at.error("M120", f"io has no meaning for '{fault.service}': none of its steps waits", hint)


def _check_caches(fault: faults.ColdCache, found: dict[str, Cursor], topology: Topology) -> None:
    at, service = found["service"], topology.services.get(fault.service)
    if service is None:
        if (topology.mesh.gateway if fault.service == "gateway" else topology.mesh.waypoint).cache is None:
            path = "mesh.gateway" if fault.service == "gateway" else "mesh.ambient.waypoint"
            at.error("M104", f"no {fault.service} has a cache", f"give {path} a cache: {{capacity: 20000, key: item}}")
        elif "cache" in found:
            cache = found["cache"]
            cache.error("M120", f"a {fault.service} has one cache, without a name", "remove cache", cache.key_mark)
    elif not service.caches:
        at.error("M104", f"'{fault.service}' has no caches", "name a service with caches, or gateway")
    elif fault.cache is not None:
        found["cache"].known(fault.cache, service.caches, "cache", of=fault.service)
