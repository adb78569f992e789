"""What only the whole topology shows to be impossible or contradictory: errors."""

from __future__ import annotations

from collections.abc import Iterable, Sequence

from meshsim.model import graph
from meshsim.model.cache_advice import check_sizes, check_writes
from meshsim.model.policies import Policy, Route
from meshsim.model.policy_choice import FIELDS
from meshsim.model.read.cursor import Reading
from meshsim.model.topology import MAX_CALL_DEPTH, Service, Topology
from meshsim.model.traffic import STATIONARY

MAX_CALLS_PER_REQUEST = 1e6


def check_cycles(services: dict[str, Service], routes: Sequence[Route], reading: Reading) -> None:
    """Report endpoints that call each other in a circle without a way out."""
    cycle = graph.certain_cycle(services, routes)
    if not cycle:
        return
    service, _, endpoint = cycle[0].partition(".")
    path = f"services.{service}.endpoints.{endpoint}"
    message = f"these calls go round for ever: {graph.show_chain(cycle)}"
    hint = "no request would ever end: give one of these calls a p below 1, or take it out"
    reading.report.error("M117", message, hint, reading.mark(path), path)


def check_topology(topology: Topology, reading: Reading) -> None:
    """Report everything that needs the whole of an otherwise good topology."""
    _fan_out(topology, reading)
    _depth(topology, reading)
    _policies(topology, reading)
    _warmup(topology, reading)
    check_sizes(topology, reading)
    check_writes(topology, reading)


def _fan_out(topology: Topology, reading: Reading) -> None:
    totals = graph.calls_per_request(topology)
    for stream in topology.traffic:
        calls = totals[f"{stream.service}.{stream.endpoint}"]
        if calls > MAX_CALLS_PER_REQUEST:
            path = f"traffic.{stream.name}"
            hint = "look at times:, and at cycles whose p are too high (they are followed up to call_depth)"
            shown = f"{calls:,.0f}" if calls < 1e15 else "more than 10^15"
            message = f"one request of '{stream.name}' causes {shown} calls on average"
            reading.report.error("M118", message, hint, reading.mark(path), path)


def _depth(topology: Topology, reading: Reading) -> None:
    """Report chains that are longer than `call_depth`; where calls may go round, only those that are certain."""
    possible = graph.edges(topology, possible=True)
    reached = {name: possible[name] for name in graph.reached(topology)}
    certain = bool(graph.any_cycle(reached))
    chains = graph.longest_chains(graph.certain_calls(topology.services, topology.routes) if certain else reached)
    for stream in topology.traffic:
        entry = f"{stream.service}.{stream.endpoint}"
        length = chains[entry][0]
        if length <= topology.call_depth:
            continue
        path = f"traffic.{stream.name}.entry"
        message = (
            f"requests of '{stream.name}' {'' if certain else 'may '}make a chain of {length:,} calls, longer than "
            f"call_depth ({topology.call_depth}): {graph.show_chain(_along(chains, entry))}"
        )
        hint = f"write call_depth: {length} at the top level"
        if length > MAX_CALL_DEPTH:
            hint = f"shorten the chain: call_depth may be {MAX_CALL_DEPTH:,} at most"
        reading.report.error("M124", message, hint, reading.mark(path), path)


def _along(chains: dict[str, tuple[int, str | None]], entry: str) -> list[str]:
    names: list[str] = []
    at: str | None = entry
    while at is not None:
        names.append(at)
        at = chains[at][1]
    return names


def _policies(topology: Topology, reading: Reading) -> None:
    """Report policies that select the same calls, neither more closely, and say different things of them."""
    by_selection: dict[tuple[str | None, str | None], list[Policy]] = {}
    for policy in topology.policies:
        by_selection.setdefault((policy.to, policy.from_), []).append(policy)
    for policies in by_selection.values():
        for field in FIELDS:
            _contradictions(policies, field, reading)


def _contradictions(policies: Iterable[Policy], field: str, reading: Reading) -> None:
    first: Policy | None = None
    for policy in policies:
        said = getattr(policy, field)
        if said is None:
            continue
        if first is None:
            first = policy
        elif said != getattr(first, field):
            what = field.removesuffix("_s")
            message = f"policies '{first.name}' and '{policy.name}' differ in {what}, and select the same calls"
            hint = "give one of them a narrower `to` or `from`, or take the field out of one"
            path = f"policies.{policy.name}"
            reading.report.error("M123", message, hint, reading.mark(path), path)


def _warmup(topology: Topology, reading: Reading) -> None:
    """Report arrivals and replicas that change with time when the warm-up is to be found automatically."""
    if topology.run.warmup_s is not None:
        return
    for stream in topology.traffic:
        if stream.arrivals.kind not in STATIONARY:
            path = f"traffic.{stream.name}.arrivals"
            message = f"the {stream.arrivals.kind} arrivals of '{stream.name}' change with time, and warmup is auto"
            hint = "say what to leave out: add run: {warmup: 10s}, or 0s to measure everything"
            reading.report.error("M125", message, hint, reading.mark(path), path)
    for scaled in topology.autoscaled:
        path = f"{scaled}.autoscale"
        message = f"'{scaled.partition('.')[2]}' autoscales, and warmup is auto"
        hint = "say what to leave out: add run: {warmup: 10s}, or 0s to measure everything"
        reading.report.error("M125", message, hint, reading.mark(path), path)
