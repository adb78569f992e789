"""A topology with the configuration of a push in force."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Literal, TypeVar

from pydantic import BaseModel

from meshsim.errors import UsageError
from meshsim.model.distributions import constant
from meshsim.model.faults import (
    MOST_PUSHES,
    CacheKey,
    CrashOnRequest,
    Event,
    ExpiredCertificate,
    Push,
    PushFault,
    RetryStorm,
    RouteBlackhole,
    ShortTimeout,
    SlowFilter,
    StrictLimit,
    WrongRoute,
    WrongWeight,
)
from meshsim.model.policies import Abort, Bucket, CircuitBreaker, Delay, Match, Policy, RateLimit, Retries, Route
from meshsim.model.policy_choice import PolicyChoice
from meshsim.model.proxies import Filter, Mesh, ProxyConfig
from meshsim.model.topology import Topology

NO_LIMIT = 2**32 - 1  # of Envoy's counters (uint32): what Istio sets for "no limit"
STORM = ("5xx", "gateway-error", "reset", "connect-failure", "503")  # what a retry storm tries again

_Value = TypeVar("_Value", bound=BaseModel)
_Edit = Callable[[Any], Any]  # what a field is now (None: nothing is written) -> what it is to be


def changed_topology(topology: Topology, push: Push, written: Topology | None = None) -> Topology:
    """Give the topology with what a push changes; which of the proxies have it already is not looked at.

    A mistake is an edit of `topology`, and what `set` changes in the topology that was written is changed in
    `topology`, so that several pushes add up; where two set the same field, the later one counts. Crashes on load and
    growing memory change nothing here.

    Parameters
    ----------
    written
        The topology without any push; `topology` itself if absent.

    Examples
    --------
    >>> from meshsim.model.load import load
    >>> push = Push(name="bad", fault=ExpiredCertificate(to="reviews"))
    >>> [route.name for route in changed_topology(load("bookinfo"), push).routes]
    ['fault:bad']
    """
    if push.changed is not None:
        policies, routes, mesh = push.changed
        base = topology if written is None else written
        parts = {
            "policies": _with_changes(base.policies, policies, topology.policies),
            "routes": _with_changes(base.routes, routes, topology.routes),
            "mesh": _with_fields(base.mesh, mesh, topology.mesh),
        }
        return topology.model_copy(update=parts)
    if push.fault is None:
        return topology
    route = _route(push, push.fault, topology)
    if route is not None:
        return topology.model_copy(update={"routes": (route, *topology.routes)})
    edits = _edits(push.fault)
    if edits is not None:
        to, by_field = edits
        return topology.model_copy(update={"policies": _edited(topology.policies, f"fault:{push.name}", to, by_field)})
    return topology.model_copy(update={"mesh": _edited_mesh(topology.mesh, push, push.fault)})


@dataclass(frozen=True, slots=True)
class PushSet:
    """Which of the pushes of a run a proxy has, by their numbers among these, from 0.

    Configurations of proxies have numbers, too: 0 is the one that they begin with, and those with pushes follow, as
    of ``pushed`` of `meshsim.lower`.

    Examples
    --------
    >>> both = NO_PUSHES.with_(0).with_(1)
    >>> both.holds(1), both.without(1).holds(1), both.configuration(), NO_PUSHES.configuration()
    (True, False, 3, 0)
    """

    bits: int = 0  # one each

    def with_(self, push: int) -> PushSet:
        """With a push besides."""
        return PushSet(self.bits | 1 << push)

    def without(self, push: int) -> PushSet:
        """Without a push."""
        return PushSet(self.bits & ~(1 << push))

    def holds(self, push: int) -> bool:
        """Whether a push is among them."""
        return bool(self.bits >> push & 1)

    def configuration(self, first: int = 1) -> int:
        """Number of the configuration with these pushes, where `first` is that of the first one alone."""
        return self.bits + first - 1 if self.bits else 0


NO_PUSHES = PushSet()


def pushes_of(events: tuple[Event, ...]) -> tuple[Push, ...]:
    """Pushes among events, in their order: so they are numbered in a `PushSet`.

    Raises
    ------
    UsageError
        There are too many: each set of them is a configuration of its own.
    """
    found = tuple(event.push for event in events if event.push is not None)
    if len(found) > MOST_PUSHES:
        raise UsageError(f"{len(found)} pushes are too many for one run: {MOST_PUSHES} at most; leave some out")
    return found


def pushed_topologies(topology: Topology) -> tuple[Topology, ...]:
    """The topology with each set of its pushes in force, by the numbers of their configurations, which begin at 1."""
    pushes = pushes_of(topology.events)
    found = []
    for in_force in map(PushSet, range(1, 2 ** len(pushes))):
        changed = topology
        for number, push in enumerate(pushes):
            if in_force.holds(number):
                changed = changed_topology(changed, push, topology)
        found.append(changed)
    return tuple(found)


# -- what `set` changes ----------------------------------------------------------------------------------------------


def _with_changes(written: Sequence[Any], wanted: Sequence[Any], now: Sequence[Any]) -> tuple[Any, ...]:
    """Do to entries that are in force what a push does to those that were written; what others added stays before."""
    before, after = ({one.name: one for one in entries} for entries in (written, wanted))
    in_force = {one.name: one for one in now}
    added = [one for one in now if one.name not in before and one.name not in after]
    kept = [
        _with_fields(before[name], one, in_force[name]) if name in before and name in in_force else one
        for name, one in after.items()
        if name in in_force or name not in before
    ]
    return (*added, *kept)


def _with_fields(written: _Value, wanted: _Value, now: _Value) -> _Value:
    """Change those fields that a push changes, those within others alone where these are maps."""
    changes = {}
    for name in type(written).model_fields:
        was, to_be, is_now = (getattr(one, name) for one in (written, wanted, now))
        if was == to_be:
            continue
        parts = all(isinstance(one, BaseModel) and type(one) is type(was) for one in (was, to_be, is_now))
        changes[name] = _with_fields(was, to_be, is_now) if parts else to_be
    return now.model_copy(update=changes)


# -- routes ------------------------------------------------------------------------------------------------------


def _route(push: Push, fault: PushFault, topology: Topology) -> Route | None:
    """Give the route that a mistake puts before all others; None if it is none of routes.

    In the scope of a route it takes the requests that this one takes.
    """
    found = _made(push, fault)
    taken = next((one for one in topology.routes if push.scope.kind == "route" and one.name == push.scope.name), None)
    if found is None or taken is None:
        return found
    tenant = taken.match.tenant if push.tenant is None else push.tenant
    match = taken.match.model_copy(update={"tenant": tenant})
    return found.model_copy(update={"from_": taken.from_, "match": match})


def _made(push: Push, fault: PushFault) -> Route | None:
    name, match = f"fault:{push.name}", Match(tenant=push.tenant)
    if isinstance(fault, WrongRoute):
        return Route(name=name, to=fault.to, match=match, rewrite=fault.instead)
    if isinstance(fault, RouteBlackhole):
        delay, abort = Delay(wait=constant(fault.for_s)), Abort(reason="503")
        return Route(name=name, to=fault.to, match=match, delay=delay, abort=abort)
    if isinstance(fault, WrongWeight):
        return Route(name=name, to=fault.to, match=match, split=fault.split)
    if isinstance(fault, ExpiredCertificate):
        return Route(name=name, to=fault.to, match=match, abort=Abort(reason="connect_failure"))
    return None


# -- policies ----------------------------------------------------------------------------------------------------


def _edits(fault: PushFault) -> tuple[str, dict[str, _Edit]] | None:
    """Give the calls and the fields that a mistake of policies is about; None if it is none of policies."""
    if isinstance(fault, ShortTimeout):
        timeout_s = fault.timeout_s
        return fault.to, {"timeout_s": lambda _: timeout_s}
    if isinstance(fault, RetryStorm):
        attempts = fault.attempts
        return fault.to, {"retries": lambda old: _storm(old, attempts), "circuit_breaker": _without_brake}
    if isinstance(fault, StrictLimit):
        bucket = Bucket(rate_per_s=fault.rate_per_s, burst=fault.burst)
        return fault.to, {"rate_limit": lambda old: _limited(old, bucket)}
    return None


def _storm(old: Retries | Literal["none"] | None, attempts: int) -> Retries:
    written = old if isinstance(old, Retries) else Retries()
    return written.model_copy(update={"attempts": attempts, "on": STORM, "backoff": "none", "budget": None})


def _without_brake(old: CircuitBreaker | Literal["none"] | None) -> CircuitBreaker | Literal["none"]:
    if old == "none":
        return "none"
    return (old or CircuitBreaker()).model_copy(update={"max_retries": NO_LIMIT})


def _limited(old: RateLimit | Literal["none"] | None, bucket: Bucket) -> RateLimit:
    written = old if isinstance(old, RateLimit) else RateLimit()
    return written.model_copy(update={"local": bucket})


def _edited(policies: tuple[Policy, ...], name: str, to: str, edits: Mapping[str, _Edit]) -> tuple[Policy, ...]:
    """Edit fields for all calls to `to`, and for no others, whoever makes them.

    Policies that select some of these calls are edited where they stand. The others that hold for them select more:
    what they say is edited in policies of their own for `to`, one for all callers and one for each caller of whom
    something else was said.
    """
    edited = [_edited_policy(policy, edits) if _selects_within(policy, to) else policy for policy in policies]
    wider = [policy for policy in policies if policy.to in (None, to.partition(".")[0], to)]
    choice = PolicyChoice(wider)

    def held(field: str, caller: str | None) -> Any:
        callee = to if "." in to else f"{to}.*"  # no endpoint has this name
        policy = choice.policy(field, caller, callee)
        return edits[field](None if policy is None else getattr(policy, field))

    for_all = {field: held(field, None) for field in edits}
    added = [Policy(name=name, to=to, **for_all)]
    for caller in sorted({policy.from_ for policy in wider if policy.from_ is not None}):
        own = {field: held(field, caller) for field in edits}
        different = {field: value for field, value in own.items() if value != for_all[field]}
        if different:
            added.append(Policy(name=f"{name}:{caller}", to=to, from_=caller, **different))
    return (*edited, *added)


def _selects_within(policy: Policy, to: str) -> bool:
    return policy.to is not None and (policy.to == to or policy.to.partition(".")[0] == to)


def _edited_policy(policy: Policy, edits: Mapping[str, _Edit]) -> Policy:
    said = {field: getattr(policy, field) for field in edits}
    return policy.model_copy(update={field: edits[field](old) for field, old in said.items() if old is not None})


# -- proxies -----------------------------------------------------------------------------------------------------


def _edited_mesh(mesh: Mesh, push: Push, fault: PushFault) -> Mesh:
    kinds = ("gateway",) if push.scope.kind == "gateway" else ("gateway", "sidecar", "waypoint")
    return mesh.model_copy(update={kind: _edited_proxy(getattr(mesh, kind), push, fault) for kind in kinds})


def _edited_proxy(proxy: ProxyConfig, push: Push, fault: PushFault) -> ProxyConfig:
    name, tenant = f"fault:{push.name}", push.tenant
    if isinstance(fault, SlowFilter):
        added = Filter(name=name, cpu=fault.cpu, tenant=tenant)
    elif isinstance(fault, CrashOnRequest):
        added = Filter(name=name, crashes=True, to=fault.to, tenant=tenant)
    elif isinstance(fault, CacheKey) and proxy.cache is not None:
        return proxy.model_copy(update={"cache": proxy.cache.model_copy(update={"key": fault.key})})
    else:
        return proxy
    return proxy.model_copy(update={"filters": (*proxy.filters, added)})
