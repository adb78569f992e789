"""The warnings that an expert would give about policies, routes and retries."""

from __future__ import annotations

from collections.abc import Iterator

from meshsim.model import graph, timing
from meshsim.model.policies import CircuitBreaker, Outlier, Policy, Route
from meshsim.model.policy_choice import PolicyChoice, RouteTable
from meshsim.model.read.cursor import Reading
from meshsim.model.topology import Topology
from meshsim.model.traffic import Stream
from meshsim.model.tries import is_braked, multiplied_tries, policy_tries, written_retries
from meshsim.units import format_duration

MAX_EJECTED = 0.1  # where an outlier does not say it, in all sets of defaults (Envoy: outlier_detection.proto)
ZONE_HOSTS = 6  # replicas below which Envoy does not route by zones (min_cluster_size of its zone_aware_lb_config)
MAX_TRIES = 10  # tries at the end of a chain of retries: Google's SRE book warns of 64 for three levels of 4

Warnings = Iterator[tuple[str, str, str, str]]  # code, message, hint, path
_Calls = dict[tuple[str, str], None]  # (calling service or client, service.endpoint), in order


def about(number: float) -> str:
    """A count for people: ``12``, ``3,400``, ``more than 10^15``."""
    return f"{number:,.0f}" if number < 1e15 else "more than 10^15"


def _calls(topology: Topology) -> _Calls:
    """All calls, and what rewrites make of them."""
    found: _Calls = {(graph.CLIENT, f"{stream.service}.{stream.endpoint}"): None for stream in topology.traffic}
    for caller, out in graph.edges(topology).items():
        found |= {(caller.partition(".")[0], callee): None for callee in out}
    table = RouteTable(topology.routes)
    for caller, callee in list(found):
        rewrites = (route.rewrite for route in table.routes(caller, callee))
        found |= {(caller, ".".join(target)): None for target in rewrites if target is not None}
    return found


# -- what is not used --------------------------------------------------------------------------------------------


def _idle_policies(topology: Topology, reading: Reading) -> Warnings:
    edges = _calls(topology)
    selected = {(caller, part) for caller, callee in edges for part in (callee, callee.partition(".")[0], None)}
    anybody = {part for _, part in selected}

    def idle(entry: Policy | Route) -> bool:
        return entry.to not in anybody if entry.from_ is None else (entry.from_, entry.to) not in selected

    for kind, entries in (("policy", topology.policies), ("route", topology.routes)):
        for entry in entries:
            if idle(entry):
                hint = f"nobody makes that call: look at its {_selectors(entry)}, or remove it"
                path = f"{'policies' if kind == 'policy' else 'routes'}.{entry.name}"
                yield "M213", f"{kind} '{entry.name}' selects no call of this topology", hint, path


def _selectors(entry: Policy | Route) -> str:
    return " and ".join(key for key, value in (("to", entry.to), ("from", entry.from_)) if value is not None)


def _unmatched_routes(topology: Topology, reading: Reading) -> Warnings:
    """Warn of routes whose match no stream fits."""
    for route in topology.routes:
        wanted = route.match
        tenants = [s for s in topology.traffic if wanted.tenant in (None, s.tenant)]
        if any(wanted.headers.items() <= stream.headers.items() for stream in tenants):
            continue
        what = "headers" if tenants else "tenant"
        hint = "give a stream such headers, or look at their spelling" if tenants else "no stream is of that tenant"
        message = f"no stream fits the {what} that route '{route.name}' matches"
        yield "M213", message, hint, f"routes.{route.name}.match.{what}"


def _hidden_routes(topology: Topology, reading: Reading) -> Warnings:
    """Warn of routes from which an earlier one takes every request."""
    by_address: dict[str, list[Route]] = {}
    for route in topology.routes:
        earlier = [*by_address.get(route.to, ()), *by_address.get(route.to.partition(".")[0], ())]
        first = next((other for other in earlier if _takes_all_of(other, route)), None)
        if first is not None:
            hint = f"put it before '{first.name}', or give '{first.name}' a match"
            message = f"route '{route.name}' is never reached: '{first.name}' comes first and takes all its requests"
            yield "M216", message, hint, f"routes.{route.name}"
        by_address.setdefault(route.to, []).append(route)


def _takes_all_of(first: Route, later: Route) -> bool:
    return (
        first.from_ in (None, later.from_)
        and first.match.tenant in (None, later.match.tenant)
        and first.match.headers.items() <= later.match.headers.items()
    )


# -- timeouts and retries ----------------------------------------------------------------------------------------


def _timeouts(topology: Topology, reading: Reading) -> Warnings:
    """Warn of limits of time, of policies and clients, below what every answer takes; once for each policy."""
    least, choice = timing.least_s(topology), PolicyChoice(topology.policies)
    told: set[tuple[str, str]] = set()
    table = RouteTable(topology.routes)
    for caller, callee in _calls(topology):
        if any(route.rewrite for route in table.routes(caller, callee)):
            continue  # something else answers
        for field, name, seconds in _limits(choice, caller, callee):
            if least[callee] > seconds and (field, name) not in told:
                told.add((field, name))
                yield _too_short(f"policy '{name}'", seconds, callee, least[callee], f"policies.{name}.{field}")
    for stream in topology.traffic:
        patience, entry = stream.patience, f"{stream.service}.{stream.endpoint}"
        if patience is not None and patience.kind == "constant" and least[entry] > patience.mean():
            path = f"traffic.{stream.name}.patience"
            yield _too_short(f"the client of '{stream.name}'", patience.mean(), entry, least[entry], path)


def _too_short(who: str, seconds: float, callee: str, least_s: float, path: str) -> tuple[str, str, str, str]:
    takes = format_duration(round(least_s, 9))
    message = f"{who} gives up after {format_duration(seconds)}, but {callee} takes {takes} at least"
    return "M212", message, "raise this limit: as it is, no answer can come in time", path


def _limits(choice: PolicyChoice, caller: str, callee: str) -> Iterator[tuple[str, str, float]]:
    """Path, policy and seconds of the limits of time for one call."""
    policy = choice.policy("timeout_s", caller, callee)
    if policy is not None and isinstance(policy.timeout_s, float):
        yield "timeout", policy.name, policy.timeout_s
    policy, retries = choice.policy("retries", caller, callee), written_retries(choice, caller, callee)
    if policy is not None and retries is not None and retries.per_try_s is not None and not retries.hedge:
        yield "retries.per_try", policy.name, retries.per_try_s


def _late_tries(topology: Topology, reading: Reading) -> Warnings:
    """Warn of tries that may take all the time that there is for the call; once for each policy."""
    choice = PolicyChoice(topology.policies)
    told: set[str] = set()
    for caller, callee in _calls(topology):
        limits = {field: (name, seconds) for field, name, seconds in _limits(choice, caller, callee)}
        if len(limits) < 2 or limits["retries.per_try"][1] < limits["timeout"][1]:
            continue
        (name, per_try), (other, whole) = limits["retries.per_try"], limits["timeout"]
        if name not in told:
            told.add(name)
            whose = "its timeout" if name == other else f"the timeout of '{other}'"
            took, ends = format_duration(per_try), format_duration(whole)
            message = f"one try of policy '{name}' may take {took}, and {whose} ends it after {ends}"
            hint = "lower per_try until several tries fit, or raise timeout, which is for all tries together"
            yield "M218", message, hint, f"policies.{name}.retries.per_try"


def _retries(topology: Topology, reading: Reading) -> Warnings:
    tries, choice = multiplied_tries(topology), PolicyChoice(topology.policies)
    for entry in dict.fromkeys(f"{stream.service}.{stream.endpoint}" for stream in topology.traffic):
        by_policy = policy_tries(choice, topology.policy_defaults, graph.CLIENT, entry)
        product, chain = tries.behind(by_policy, entry), tries.chain(entry)
        if product < MAX_TRIES:
            continue
        shown = graph.show_chain([graph.CLIENT, *chain] if by_policy.own > 1.0 else chain)
        message = f"retries multiply along {shown}: up to {about(product)} tries for one request"
        hint = "retry at one level only, best where the failure is seen last (nearest to the client)"
        service, _, endpoint = entry.partition(".")
        yield "M207", message, hint, f"services.{service}.endpoints.{endpoint}"


def _storms(topology: Topology, reading: Reading) -> Warnings:
    """Warn of retries that nothing holds back; once for each policy."""
    choice, defaults = PolicyChoice(topology.policies), topology.policy_defaults
    told: set[str] = set()
    for caller, callee in _calls(topology):
        policy, retries = choice.policy("retries", caller, callee), written_retries(choice, caller, callee)
        if policy is None or retries is None or retries.attempts == 0 or policy.name in told:
            continue
        if not is_braked(choice, defaults, caller, callee):
            told.add(policy.name)
            message = f"nothing holds the retries of policy '{policy.name}' back when many calls fail"
            hint = "add budget: 20% to its retries, or circuit_breaker: {max_retries: 3}"
            yield "M217", message, hint, f"policies.{policy.name}.retries"


# -- settings without effect ---------------------------------------------------------------------------------------


def _replicas(topology: Topology, callee: str) -> int:
    """Replicas that there are to choose from at most: a split of versions leaves fewer."""
    return sum(version.replicas for version in topology.services[callee.partition(".")[0]].versions)


def _largest(topology: Topology, field: str) -> dict[str, int]:
    """By policy: the replicas of the largest upstream for which its `field` holds; nothing of one that is idle."""
    choice = PolicyChoice(topology.policies)
    found: dict[str, int] = {}
    written = any(getattr(policy, field) is not None for policy in topology.policies)
    for caller, callee in _calls(topology) if written else ():
        policy = choice.policy(field, caller, callee)
        if policy is not None:
            found[policy.name] = max(found.get(policy.name, 0), _replicas(topology, callee))
    return found


def _shown(number: int) -> str:
    return "1 replica" if number == 1 else f"{number} replicas"


def _pending(topology: Topology, reading: Reading) -> Warnings:
    """Warn of limits of those who wait for a connection, where connections have no limit."""
    for policy in topology.policies:
        breaker = policy.circuit_breaker
        if not isinstance(breaker, CircuitBreaker) or topology.policy_defaults == "envoy":  # which limits connections
            continue
        if breaker.max_pending and breaker.max_connections is None:
            message = f"max_pending of policy '{policy.name}' has no effect: without max_connections no try waits"
            hint = "add max_connections, or limit with max_requests instead"
            yield "M219", message, hint, f"policies.{policy.name}.circuit_breaker.max_pending"


def _ejections(topology: Topology, reading: Reading) -> Warnings:
    """Warn of outlier detection that can eject nobody from any of its upstreams."""
    largest = _largest(topology, "outlier")
    for policy in topology.policies:
        outlier, most = policy.outlier, largest.get(policy.name)
        if most is None or not isinstance(outlier, Outlier) or outlier.always_eject_one_host:
            continue
        share = MAX_EJECTED if outlier.max_ejected is None else outlier.max_ejected
        if 100.0 / most > 100.0 * share:  # as Envoy reckons it, in percents
            message = (
                f"outlier of policy '{policy.name}' never ejects anybody: {100.0 * share:g}% of "
                f"{_shown(most)} is less than one (as in Envoy)"
            )
            hint = "raise max_ejected, or add always_eject_one_host: on"
            yield "M220", message, hint, f"policies.{policy.name}.outlier"


def _zones(topology: Topology, reading: Reading) -> Warnings:
    """Warn of routing by zones where there is nothing to choose between."""
    largest = _largest(topology, "zone_aware")
    for policy in topology.policies:
        most = largest.get(policy.name)
        if most is None or not policy.zone_aware:
            continue
        path, message = f"policies.{policy.name}.zone_aware", f"zone_aware of policy '{policy.name}' has no effect: "
        if len(topology.nodes.zones) < 2:
            yield "M221", f"{message}there is one zone", "add nodes: {zones: [a, b, c]}, or remove zone_aware", path
        elif most < ZONE_HOSTS:
            message += f"it begins at {ZONE_HOSTS} replicas, and the upstream has {most} (as in Envoy)"
            yield "M221", message, f"give the upstream {ZONE_HOSTS} replicas or more, or remove zone_aware", path


def _keyless(topology: Topology, reading: Reading) -> Warnings:
    """Warn of hashing for streams that do not have the key; once for each policy."""
    if not any(_hashed(policy) for policy in topology.policies):
        return
    choice, told = PolicyChoice(topology.policies), set[str]()
    out, table = graph.edges(topology, possible=True), RouteTable(topology.routes)
    for stream in topology.traffic:
        for caller, callee in calls_of(stream, out, table):
            policy = choice.policy("load_balancer", caller, callee)
            dimension = _hashed(policy)
            if policy is None or dimension is None or dimension in stream.keys or policy.name in told:
                continue
            told.add(policy.name)
            message = (
                f"stream '{stream.name}' reaches {callee} without the key '{dimension}', which policy "
                f"'{policy.name}' hashes: its requests go to replicas at random"
            )
            hint = f"add keys: {{{dimension}: {{zipf: {{items: 50000, exponent: 1.0}}}}}} to '{stream.name}'"
            yield "M222", message, hint, f"policies.{policy.name}.load_balancer"


def _keyless_at_gateways(topology: Topology, reading: Reading) -> Warnings:
    """Warn if gateways are chosen by a key that a stream does not have; once."""
    balancer = topology.mesh.gateway.load_balancer
    dimension = balancer.on if balancer is not None else None
    for stream in topology.traffic if dimension is not None else ():
        if dimension not in stream.keys:
            message = (
                f"stream '{stream.name}' reaches the gateways without the key '{dimension}', which "
                "mesh.gateway.load_balancer hashes: its requests go to any of them"
            )
            hint = f"add keys: {{{dimension}: {{zipf: {{items: 50000, exponent: 1.0}}}}}} to '{stream.name}'"
            yield "M222", message, hint, "mesh.gateway.load_balancer"
            return


def _unheeded_weights(topology: Topology, reading: Reading) -> Warnings:
    """Warn of replicas that weigh differently where the balancer takes any of them; once for each policy."""
    weighted = {
        name: service.versions
        for name, service in topology.services.items()
        if len({version.load_balancing_weight for version in service.versions}) > 1
    }
    choice, told = PolicyChoice(topology.policies), set[str]()
    for caller, callee in _calls(topology) if weighted else ():
        policy = choice.policy("load_balancer", caller, callee) if callee.partition(".")[0] in weighted else None
        if policy is None or policy.load_balancer is None or policy.load_balancer.kind != "random":
            continue
        if policy.name not in told:
            told.add(policy.name)
            message = f"random of policy '{policy.name}' does not heed the weights of {callee}'s replicas (as in Envoy)"
            hint = "write load_balancer: round_robin or least_request, or remove load_balancing_weight"
            yield "M223", message, hint, f"policies.{policy.name}.load_balancer"


def _hashed(policy: Policy | None) -> str | None:
    """Dimension of keys that a policy hashes."""
    return policy.load_balancer.on if policy is not None and policy.load_balancer is not None else None


def calls_of(stream: Stream, out: dict[str, dict[str, float]], table: RouteTable) -> _Calls:
    """All calls to which the requests of one stream may lead; what is rewritten is a call of its new endpoint."""
    found: _Calls = {}
    waiting = [(graph.CLIENT, f"{stream.service}.{stream.endpoint}")]
    while waiting:
        caller, callee = waiting.pop()
        taken = (route for route in table.routes(caller, callee) if _fits(route, stream))
        route = next(taken, None)
        if route is not None and route.rewrite is not None:
            callee = ".".join(route.rewrite)
        if (caller, callee) not in found:
            found[caller, callee] = None
            waiting += [(callee.partition(".")[0], inner) for inner in out[callee]]
    return found


def _fits(route: Route, stream: Stream) -> bool:
    wanted = route.match
    return wanted.tenant in (None, stream.tenant) and wanted.headers.items() <= stream.headers.items()


WARNINGS = (
    _idle_policies, _unmatched_routes, _hidden_routes, _timeouts, _late_tries, _retries, _storms, _pending, _ejections,
    _zones, _keyless, _keyless_at_gateways, _unheeded_weights,
)  # fmt: skip
