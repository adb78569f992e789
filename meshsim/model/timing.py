"""How long endpoints take, as far as it can be said without simulating: at least, on average, and at most."""

from __future__ import annotations

import math
from collections.abc import Callable, Iterable

from meshsim.model import graph
from meshsim.model.steps import Cached, Call, Choose, Fail, Parallel, Step, Wait, Work
from meshsim.model.topology import Service, Topology

Seconds = dict[str, float]  # by 'service.endpoint'
_Steps = tuple[Step, ...]


def longest_s(topology: Topology) -> Seconds:
    """Seconds that the calls of each endpoint may take when each try runs into its timeout.

    A call without a timeout may take what its callee may take; one that closes a circle is not counted, and neither
    are work and waits, so that only chosen limits are compared.
    """
    return _by_endpoint(topology, _longest, max)


def least_s(topology: Topology) -> Seconds:
    """Seconds that every request to an endpoint takes that succeeds, whatever is drawn, without network and queues.

    A step that a cache may answer takes none, and neither does an endpoint whose answers some kind of proxy keeps.
    """
    return _by_endpoint(topology, _least, min, graph.kept_endpoints(topology))


def held_s(topology: Topology) -> Seconds:
    """Mean seconds that a request is inside of an endpoint when it never queues: a lower bound.

    Network and proxies are left out, of parallel branches only the longest mean counts, and of a quorum nothing; where
    a cache may answer, it does.
    """
    found: Seconds = dict.fromkeys(graph.kept_endpoints(topology), 0.0)
    for name in _order(topology):
        if name in found:
            continue
        service, endpoint = _find(topology, name)
        shares = graph.version_shares(service)
        parts = ((shares[v.name], _held(v.endpoints[endpoint], found)) for v in service.versions)
        found[name] = math.fsum(share * seconds for share, seconds in parts if share > 0.0)
    return found


def _by_endpoint(
    topology: Topology,
    of_steps: Callable[[_Steps, Seconds], float],
    choose: Callable[[Iterable[float]], float],
    kept: Iterable[str] = (),
) -> Seconds:
    found: Seconds = dict.fromkeys(kept, 0.0)
    for name in _order(topology):
        if name in found:
            continue
        service, endpoint = _find(topology, name)
        found[name] = choose(of_steps(version.endpoints[endpoint], found) for version in service.versions)
    return found


def _order(topology: Topology) -> list[str]:
    return graph.callees_first(graph.edges(topology))


def _find(topology: Topology, name: str) -> tuple[Service, str]:
    service, _, endpoint = name.partition(".")
    return topology.services[service], endpoint


def _target(call: Call) -> str:
    return f"{call.service}.{call.endpoint}"


def _longest(steps: _Steps, callees: Seconds) -> float:
    total = 0.0
    for step in steps:
        if isinstance(step, Call) and not step.async_ and step.p > 0.0:
            times = max(step.times.mean() if step.times else 1.0, 1.0)
            one = callees.get(_target(step), 0.0) if step.timeout_s is None else step.timeout_s
            total += one * (step.retries + 1) * times
            total += _longest(step.fallback or (), callees)
        elif isinstance(step, Parallel):
            branches = sorted(_longest(branch, callees) for branch in step.branches)
            total += branches[(step.quorum or len(branches)) - 1]
        elif isinstance(step, Choose):
            total += max(_longest(option.do, callees) for option in step.options)
        elif isinstance(step, Cached):
            total += _longest(step.miss, callees)
    return total


def _least(steps: _Steps, callees: Seconds) -> float:
    total = 0.0
    for step in steps:
        if isinstance(step, Work):
            total += step.work.minimum()
        elif isinstance(step, Wait):
            total += step.wait.minimum()
        elif isinstance(step, Call) and step.p >= 1.0 and not (step.async_ or step.optional or step.fallback):
            total += callees.get(_target(step), 0.0) * (step.times.minimum() if step.times else 1.0)
        elif isinstance(step, Parallel):
            branches = sorted(_least(branch, callees) for branch in step.branches)
            total += branches[(step.quorum or len(branches)) - 1]
        elif isinstance(step, Choose):
            total += _least_of_options(step, callees)
    return total


def _least_of_options(step: Choose, callees: Seconds) -> float:
    taken = [option for option in step.options if option.p > 0.0]
    if math.fsum(option.p for option in taken) < 1.0:
        return 0.0
    return min(_least(option.do, callees) for option in taken)


def _held(steps: _Steps, callees: Seconds) -> float:
    total, reached = 0.0, 1.0  # share of the requests that come as far as this step
    for step in steps:
        if isinstance(step, Fail):
            reached *= 1.0 - step.p
        else:
            total += reached * _held_by(step, callees)
    return total


def _held_by(step: Step, callees: Seconds) -> float:
    if isinstance(step, Work):
        return step.work.mean()
    if isinstance(step, Wait):
        return step.wait.mean()
    if isinstance(step, Call) and not step.async_ and step.p > 0.0:
        one = min(callees.get(_target(step), 0.0), math.inf if step.timeout_s is None else step.timeout_s)
        return step.p * one * (step.times.mean() if step.times else 1.0)
    if isinstance(step, Parallel) and step.quorum in (None, len(step.branches)):
        return max(_held(branch, callees) for branch in step.branches)
    if isinstance(step, Choose):
        return math.fsum(option.p * _held(option.do, callees) for option in step.options if option.p > 0.0)
    return 0.0
