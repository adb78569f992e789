"""What only the whole topology shows: impossible graphs (errors), and the warnings an expert would give."""

from __future__ import annotations

import math
from collections.abc import Iterator

from meshsim.model import graph
from meshsim.model.read.cursor import Reading
from meshsim.model.read.tree import Mark
from meshsim.model.steps import Call, Choose, Parallel, Step
from meshsim.model.topology import Service, Topology
from meshsim.units import format_duration

MAX_CALLS_PER_REQUEST = 1e6
MAX_TRIES = 10  # tries at the end of a chain of retries: Google's SRE book warns of 64 for three levels of 4
_FULL = 1.0


def check_cycles(services: dict[str, Service], reading: Reading) -> None:
    """Report endpoints that call each other in a circle without a way out."""
    cycle = graph.certain_cycle(services)
    if not cycle:
        return
    service, _, endpoint = cycle[0].partition(".")
    path = f"services.{service}.endpoints.{endpoint}"
    message = f"these calls go round for ever: {' -> '.join(cycle)}"
    hint = "no request would ever end: give one of these calls a p below 1, or take it out"
    reading.report.error("M117", message, hint, _mark(reading, path), path)


def check_fan_out(topology: Topology, reading: Reading) -> None:
    """Report streams of which one request causes absurdly many calls."""
    totals = graph.calls_per_request(topology)
    for stream in topology.traffic:
        calls = totals[f"{stream.service}.{stream.endpoint}"]
        if calls > MAX_CALLS_PER_REQUEST:
            path = f"traffic.{stream.name}"
            hint = "look at times:, and at cycles whose p are too high (they are followed up to call_depth)"
            message = f"one request of '{stream.name}' causes {calls:.3g} calls on average"
            reading.report.error("M118", message, hint, _mark(reading, path), path)


def check_policies(topology: Topology, reading: Reading) -> None:
    """Report policies that select the same calls, neither more closely, and say different things of them."""
    for later, policy in enumerate(topology.policies):
        for other in topology.policies[:later]:
            if (policy.to, policy.from_) != (other.to, other.from_):
                continue
            for field in ("load_balancer", "in_app", "cancellation"):
                said = (getattr(other, field), getattr(policy, field))
                if None not in said and said[0] != said[1]:
                    message = (
                        f"policies '{other.name}' and '{policy.name}' differ in {field}, and select the same calls"
                    )
                    hint = "give one of them a narrower `to` or `from`, or take the field out of one"
                    path = f"policies.{policy.name}"
                    reading.report.error("M123", message, hint, _mark(reading, path), path)


def advise(topology: Topology, reading: Reading) -> None:
    """Give all warnings about a topology without errors."""
    for warn in (_load, _unused, _idle_tenants, _timeouts, _retries):
        for code, message, hint, path in warn(topology, reading):
            reading.report.warning(code, message, hint, _mark(reading, path), path)


Warnings = Iterator[tuple[str, str, str, str]]


def _mark(reading: Reading, path: str) -> Mark:
    """Place of a path, or of the nearest part above it that was written."""
    while path and path not in reading.marks:
        path = path.rpartition(".")[0]
    return reading.marks.get(path, Mark(""))


def _load(topology: Topology, reading: Reading) -> Warnings:
    demand = graph.expected_visits(topology)
    for (name, version), offered in demand.by_version.items():
        found = next(v for v in topology.services[name].versions if v.name == version)
        if found.cpu.limit is None:
            continue
        path = f"services.{name}.versions.{version}" if version else f"services.{name}"
        label = f"'{name}' {version}".strip()
        if math.isinf(offered):
            hint = "use upper: to bound it, or a shape above 1"
            yield "M209", f"the mean CPU time of {label} does not exist (Pareto with a shape of 1 or less)", hint, path
            continue
        utilisation = offered / (found.replicas * found.cpu.limit)
        if utilisation >= _FULL:
            need = math.floor(offered / found.cpu.limit) + 1
            message = (
                f"the load asks for {offered:.3g} cores of {label}, which has "
                f"{found.replicas * found.cpu.limit:g} ({utilisation:.0%})"
            )
            yield "M203", message, f"it fits from {need} replicas on; otherwise queues only grow", path


def _unused(topology: Topology, reading: Reading) -> Warnings:
    reached = graph.reached(topology)
    for name, service in topology.services.items():
        idle = [endpoint for endpoint in service.versions[0].endpoints if f"{name}.{endpoint}" not in reached]
        if len(idle) == len(service.versions[0].endpoints):
            hint = "call it, send traffic to it, or remove it: its replicas cost money all the same"
            yield "M204", f"nobody calls '{name}'", hint, f"services.{name}"
            continue
        for endpoint in idle:
            path = f"services.{name}.endpoints.{endpoint}"
            yield "M205", f"nobody calls '{name}.{endpoint}'", "call it, send traffic to it, or remove it", path


def _idle_tenants(topology: Topology, reading: Reading) -> Warnings:
    busy = {stream.tenant for stream in topology.traffic}
    for name in topology.tenants:
        if name not in busy:
            hint = f"add an entry with tenant: {name} to traffic, or remove the tenant"
            yield "M206", f"tenant '{name}' sends no traffic", hint, f"tenants.{name}"


def _timeouts(topology: Topology, reading: Reading) -> Warnings:
    worst = _longest_by_endpoint(topology)
    seen: set[int] = set()  # an endpoint that a version inherits is one piece of text
    for service in topology.services.values():
        for version in service.versions:
            for steps in version.endpoints.values():
                for site in graph.call_sites(steps):
                    call = site.call
                    target = f"{call.service}.{call.endpoint}"
                    if call.timeout_s is None or id(call) in seen or worst[target] <= call.timeout_s:
                        continue
                    seen.add(id(call))
                    message = (
                        f"gives up after {format_duration(call.timeout_s)}, but {target} may take "
                        f"{format_duration(round(worst[target], 9))} over its own timeouts and retries"
                    )
                    hint = "raise this timeout above that, or lower the inner ones: what comes later is wasted work"
                    path = reading.places.get(id(call), "")
                    yield "M202", message, hint, f"{path}.timeout"


def _longest_by_endpoint(topology: Topology) -> dict[str, float]:
    return {
        f"{name}.{endpoint}": max(_longest_s(version.endpoints[endpoint]) for version in service.versions)
        for name, service in topology.services.items()
        for endpoint in service.versions[0].endpoints
    }


def _longest_s(steps: tuple[Step, ...]) -> float:
    """Seconds that the timed calls of `steps` may take when each try runs into its timeout."""
    total = 0.0
    for step in steps:
        if isinstance(step, Call) and not step.async_ and step.p > 0.0:
            times = max(step.times.mean() if step.times else 1.0, 1.0)
            total += (step.timeout_s or 0.0) * (step.retries + 1) * times
            total += _longest_s(step.fallback or ())
        elif isinstance(step, Parallel):
            branches = sorted(_longest_s(branch) for branch in step.branches)
            total += branches[(step.quorum or len(branches)) - 1]
        elif isinstance(step, Choose):
            total += max(_longest_s(option.do) for option in step.options)
    return total


def _retries(topology: Topology, reading: Reading) -> Warnings:
    tries, following = _multiplied_tries(topology)
    for entry in dict.fromkeys(f"{stream.service}.{stream.endpoint}" for stream in topology.traffic):
        if tries[entry] < MAX_TRIES:
            continue
        chain = [entry]
        while chain[-1] in following and following[chain[-1]] not in chain:
            chain.append(following[chain[-1]])
        message = f"retries multiply along {' -> '.join(chain)}: up to {tries[entry]:.3g} tries for one request"
        hint = "retry at one level only, best where the failure is seen last (nearest to the client)"
        service, _, endpoint = entry.partition(".")
        yield "M207", message, hint, f"services.{service}.endpoints.{endpoint}"


def _multiplied_tries(topology: Topology) -> tuple[dict[str, float], dict[str, str]]:
    """Give the most tries that one request may cause at one endpoint, and by which call they go on."""
    calls = {
        f"{name}.{endpoint}": [site.call for _, _, site in graph.endpoint_sites(service, endpoint)]
        for name, service in topology.services.items()
        for endpoint in service.versions[0].endpoints
    }
    tries = dict.fromkeys(calls, 1.0)
    following: dict[str, str] = {}
    for _ in range(topology.call_depth):
        after = dict(tries)
        for endpoint, out in calls.items():
            for call in out:
                target = f"{call.service}.{call.endpoint}"
                if (call.retries + 1) * tries[target] > after[endpoint]:
                    after[endpoint] = (call.retries + 1) * tries[target]
                    following[endpoint] = target
        if after == tries:
            break
        tries = after
    return tries, following
