"""The Plane in words and as plain data: what `meshsim lower` prints."""

from __future__ import annotations

import math
import textwrap
from collections.abc import Iterable, Iterator
from dataclasses import fields, is_dataclass
from itertools import groupby
from typing import Any

from pydantic import BaseModel

from meshsim.architectures.enforced import Trying
from meshsim.architectures.plane import (
    Forward,
    Hop,
    Inert,
    Limited,
    Mirrored,
    Plane,
    PlaneChoose,
    PlaneService,
    PlaneStep,
    ProxyWork,
    Routed,
)
from meshsim.architectures.walk import Message, calls_in, chain_of
from meshsim.model.proxies import CpuFall
from meshsim.model.steps import Fail, Wait
from meshsim.units import format_bandwidth, format_bytes, format_duration

_WIDTH = 100
_INDENT = " " * 46  # of what follows the target of a message
_BREAKERS = ("max_connections", "max_pending", "max_requests", "max_retries")
_SHOWN_EDGES = 4  # of an inert policy; the rest is counted


def describe(plane: Plane) -> str:
    """Tell what the plane consists of: its services, the hops of each call, and the policies that do nothing.

    Fits 100 columns as long as names are not longer than about 24 characters.
    """
    return "\n".join((*_heading(plane), "", *_services(plane), "", *_calls(plane), *_inert(plane)))


def to_dict(plane: Plane) -> dict[str, Any]:
    """Give the plane as plain lists, maps, numbers and strings, fit for JSON; unlimited numbers become None."""
    plain: dict[str, Any] = _plain(plane)
    return plain


def _plain(value: Any) -> Any:
    if isinstance(value, BaseModel):
        return {"kind": type(value).__name__.lower(), **_plain(value.model_dump())}
    if is_dataclass(value):
        return {field.name: _plain(getattr(value, field.name)) for field in fields(value)}
    if isinstance(value, dict):
        return {key: _plain(part) for key, part in value.items()}
    if isinstance(value, frozenset):
        return sorted(value)
    if isinstance(value, (list, tuple)):
        return [_plain(part) for part in value]
    if isinstance(value, float) and not math.isfinite(value):
        return None
    return value


def _heading(plane: Plane) -> Iterator[str]:
    applications = [service for service in plane.services if service.role == "app"]
    proxies = [service for service in plane.services if service.role == "proxy"]
    yield f"{plane.topology_name} under {plane.architecture}"
    yield (
        f"{_counted(len(applications), 'application')} ({_counted(_replicas(applications), 'replica')}), "
        f"{_counted(len(proxies), 'kind')} of proxy ({_counted(_replicas(proxies), 'replica')}), "
        f"{_counted(plane.nodes, 'node')} in {_counted(len(plane.zones), 'zone')} ({', '.join(plane.zones)})"
    )


def _counted(count: int, noun: str) -> str:
    return f"{count} {noun}{'' if count == 1 else 's'}"


def _replicas(services: list[PlaneService]) -> int:
    return sum(len(service.replicas) if service.begins is None else service.begins for service in services)


# -- services --------------------------------------------------------------------------------------------------

_HEADER = ("service", "role", "replicas", "cores", "CPU queue", "memory", "from")


def _services(plane: Plane) -> Iterator[str]:
    rows = [_HEADER, *(_row(service) for service in plane.services)]
    widths = [max(len(row[column]) for row in rows) for column in range(len(_HEADER))]
    for row in rows:
        yield "  ".join(cell.ljust(width) for cell, width in zip(row, widths, strict=True)).rstrip()
    for fall, names in _falls(plane).items():
        more = f" and {len(names) - _SHOWN_EDGES} more" if len(names) > _SHOWN_EDGES else ""
        rates = f"{fall.from_per_s:g}/s to {fall.to_per_s:g}/s"
        text = (
            f"CPU for a request falls as rate^-{fall.exponent:.3g} ({rates}): {', '.join(names[:_SHOWN_EDGES])}{more}"
        )
        yield from textwrap.wrap(text, _WIDTH, subsequent_indent="  ")
    for service in plane.services:
        for tenant, shard in service.shards.items():
            numbers = ", ".join(map(str, shard))
            yield f"{tenant} is served by {service.name} {numbers} of {len(service.replicas)}"


def _falls(plane: Plane) -> dict[CpuFall, list[str]]:
    """Proxies that need less CPU for a request the busier they are."""
    found: dict[CpuFall, list[str]] = {}
    for service in plane.services:
        steps = (step for versions in service.endpoints.values() for steps in versions for step in steps)
        for fall in {step.falls for step in steps if isinstance(step, ProxyWork) and step.falls}:
            found.setdefault(fall, []).append(service.name)
    return found


def _row(service: PlaneService) -> tuple[str, ...]:
    return (
        service.name,
        service.role,
        _replica_text(service),
        _cores_text(service),
        _queue_text(service),
        _memory_text(service),
        service.origin,
    )


def _replica_text(service: PlaneService) -> str:
    if len(service.versions) == 1:
        return service.counted
    counts = [sum(replica.version == number for replica in service.replicas) for number in range(len(service.versions))]
    return "+".join(f"{count} {name}" for count, name in zip(counts, service.versions, strict=True))


def _cores_text(service: PlaneService) -> str:
    each = sorted({replica.cores for replica in service.replicas})
    return "/".join("unlimited" if math.isinf(cores) else f"{cores:g}" for cores in each)


def _queue_text(service: PlaneService) -> str:
    threads = "" if service.threads == 1 else f" x{'unlimited' if service.threads is None else service.threads} threads"
    held = "" if service.concurrency is None else f", {service.concurrency} at once"
    held += "" if service.line == "fifo" else f" ({service.line} line)"
    queue = "" if service.queue is None else f" + {service.queue} queued"
    apart = f", {service.bulkhead} of a tenant at most" if service.bulkhead is not None else ""
    apart += f", {format_bytes(service.buffers_bytes)} of buffers" if service.buffers_bytes is not None else ""
    if service.bandwidth_bytes_per_s is not None:
        apart += f", sends {format_bandwidth(service.bandwidth_bytes_per_s)}"
    return f"{service.discipline}{threads}{held}{queue}{apart}"


def _memory_text(service: PlaneService) -> str:
    asked = f"{service.memory_bytes / 2**20:.0f}"
    if service.role == "proxy":
        return f"{service.memory_used_bytes / 2**20:.0f} of {asked} MiB"
    return f"{asked} MiB"


# -- calls -----------------------------------------------------------------------------------------------------


def _calls(plane: Plane) -> Iterator[str]:
    for edge in edges(plane):
        chain = chain_of(plane, edge.hop)
        call = f"{edge.sender} -> {chain[-1].to}.{chain[-1].endpoint}"
        yield f"{call}   policies: enforced by {_enforcer(edge.sender, chain)}"
        if choice := _choice(chain[0]):
            yield f"    {edge.sender:<41} {choice}"
        for hop, following in zip(chain, (*chain[1:], None), strict=True):
            notes = [
                _manner(plane, hop),
                *((_choice(following), _policies(following)) if following is not None else ()),
            ]
            lines = textwrap.wrap("; ".join(filter(None, notes)), _WIDTH - len(_INDENT)) or [""]
            yield f"    -> {_target(hop):<38} {lines[0]}".rstrip()
            yield from (_INDENT + line for line in lines[1:])
            for rule in _rules(plane.service(hop.to).endpoints[hop.endpoint][0], plane):
                yield from textwrap.wrap(rule, _WIDTH, initial_indent=" " * 7, subsequent_indent=" " * 9)


def _rules(steps: Iterable[PlaneStep], plane: Plane) -> Iterator[str]:
    """Rate limits and routes among the steps of an enforcer."""
    for step in steps:
        if isinstance(step, Limited):
            bucket = step.limit.bucket
            whose = "all instances together" if step.limit.shared else "each instance"
            each = " for each tenant" if bucket.per_tenant else ""
            yield f"rate limit '{step.name}': {bucket.rate_per_s:g}/s and a burst of {bucket.burst}{each}, {whose}"
            yield from (f"  of {tenant}: {rate:g}/s and a burst of {burst}" for tenant, rate, burst in bucket.own)
        elif isinstance(step, Routed):
            for case in step.cases:
                if case.route:
                    who = "all requests" if case.streams is None else f"requests of {', '.join(sorted(case.streams))}"
                    yield f"route '{case.route}' takes {who}: {', '.join(_route(case.do, plane))}"


def _route(steps: Iterable[PlaneStep], plane: Plane) -> Iterator[str]:
    for step in steps:
        if isinstance(step, PlaneChoose):  # a delay or a copy, for a share
            (option,) = step.options
            yield from (what + _share(option.p) for what in _route(option.do, plane))
        elif isinstance(step, Wait):
            yield f"delayed by {format_duration(step.wait.mean())} on average"
        elif isinstance(step, Fail):
            yield f"answered {step.reason}{_share(step.p)}"
        elif isinstance(step, Mirrored):
            yield f"copied to {_versions(step.hop, plane)}"
        elif isinstance(step, Forward):
            yield f"sent to {_versions(step.hop, plane)}"


def _share(share: float) -> str:
    return "" if share >= 1.0 else f" ({share:.3g} of them)"


def _versions(hop: Hop, plane: Plane) -> str:
    """The service that a route sends to, with the shares of its versions."""
    assert hop.among is not None
    if hop.split is None:
        return hop.among
    shares = zip(plane.service(hop.among).versions, hop.split, strict=True)
    return f"{hop.among} ({', '.join(f'{version} {share:.3g}' for version, share in shares if share)})"


def edges(plane: Plane) -> list[Message]:
    """Give each distinct call edge once: entries by stream, then calls by service, in the order of the spec."""
    found = dict.fromkeys(Message("client", hop) for _, hop in plane.entries)
    for service in plane.services:
        for versions in service.endpoints.values():
            for steps in versions:
                found.update(dict.fromkeys(Message(service.name, call.hop) for call in calls_in(steps)))
    return list(found)


def _target(hop: Hop) -> str:
    return f"{hop.to} '{hop.endpoint}'"


def _choice(hop: Hop) -> str:
    """What the sender of a message does about who gets it; told on the sender's line."""
    if hop.pick == "balance":
        key = f" of {hop.cluster.hash_on}" if hop.cluster.hash_on else ""
        split = ", by split" if hop.enforce_split else ""
        return f"chooses by {hop.cluster.balancer}{key} over {hop.among}{split}"
    return f"its connection leads to one of {hop.among}" if hop.pick == "connection" else ""


def _policies(hop: Hop) -> str:
    """What the sender of a message does beside choosing: time, retries, breakers, ejection."""
    cluster, trying = hop.cluster, hop.trying or Trying()
    parts = [
        f"timeout {format_duration(trying.timeout_s)}" if trying.timeout_s is not None else "",
        f"{trying.attempts} retr{'y' if trying.attempts == 1 else 'ies'} on {', '.join(trying.on)}"
        if trying.attempts
        else "",
        f"per try {format_duration(trying.per_try_s)}" if trying.per_try_s is not None else "",
        "hedges" if trying.hedge else "",
        "zone aware" if cluster.zone_aware else "",
        *(f"{name} {limit}" for name in _BREAKERS if (limit := getattr(cluster, name)) is not None),
        "each tenant apart" if cluster.per_tenant else "",
        f"retry budget {cluster.budget_share:.0%}" if cluster.budget_share is not None else "",
        f"ejects up to {cluster.outlier.max_ejected:.3g} of them" if cluster.outlier is not None else "",
        f"panic below {cluster.panic:.3g}" if cluster.outlier is not None and cluster.panic else "",
    ]
    return ", ".join(filter(None, parts))


def _manner(plane: Plane, hop: Hop) -> str:
    """How a message gets to its target; that proxies are told when a caller has gone is nothing special."""
    told = "cancellation" if hop.cancellation and plane.service(hop.to).role == "app" else ""
    flags = [name for name in ("tls", "loopback", "inside", "deadline") if getattr(hop, name)]
    return ", ".join(filter(None, (*flags, told)))


def _enforcer(sender: str, chain: tuple[Hop, ...]) -> str:
    """Name who chooses the callee's replica for each request: the sender of the hop that balances over them."""
    senders = (sender, *(hop.to for hop in chain))
    for who, hop in zip(senders, chain, strict=False):
        if hop.pick == "balance" and hop.among == chain[-1].among:
            return "its own library" if who == sender else who
    return "nobody"


# -- inert policies --------------------------------------------------------------------------------------------


def _inert(plane: Plane) -> Iterator[str]:
    if not plane.inert:
        return
    yield ""
    yield "Inert: written in the spec, but enforced by nobody here"
    for (policy, field, why), group in groupby(sorted(plane.inert, key=_cause), key=_cause):
        inert = list(group)
        shown = ", ".join(f"{item.caller} -> {item.callee}" for item in inert[:_SHOWN_EDGES])
        more = f" and {len(inert) - _SHOWN_EDGES} more" if len(inert) > _SHOWN_EDGES else ""
        where = f" on {shown}{more}" if inert[0].caller else ""
        text = f"{policy}.{field}{where}: {why}"
        yield from textwrap.wrap(text, _WIDTH, initial_indent="  ", subsequent_indent="      ")


def _cause(inert: Inert) -> tuple[str, str, str]:
    return inert.policy, inert.field, inert.why
