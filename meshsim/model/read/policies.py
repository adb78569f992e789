"""Traffic policies: what is written under `policies` and `policy_defaults`."""

from __future__ import annotations

from collections.abc import Callable
from typing import Literal, TypeVar

from meshsim.model.policies import (
    BalancerKind,
    Bucket,
    CircuitBreaker,
    DefaultSet,
    LoadBalancer,
    Outlier,
    Policy,
    RateLimit,
)
from meshsim.model.read import keys, quantities
from meshsim.model.read.cursor import Cursor
from meshsim.model.read.distributions import DURATION, distribution
from meshsim.model.read.references import caller_of, dimension_of, target_of
from meshsim.model.read.retries import is_none, read_retries

MAX_LIMIT = 2**32 - 1  # of Envoy's counters (uint32), and what Istio sets for "no limit"
MAX_CHOICES = 100
MAX_RING = 8 * 1024**2  # Envoy's limit of a ring

_DEFAULT_SETS: dict[str, DefaultSet] = {"istio": "istio", "envoy": "envoy", "none": "none"}
_HASHING: tuple[BalancerKind, ...] = ("ring_hash", "maglev")
_BALANCERS: dict[str, BalancerKind] = {
    "random": "random",
    "round_robin": "round_robin",
    "least_request": "least_request",
    "ring_hash": "ring_hash",
    "maglev": "maglev",
}
_EXAMPLE = "[{name: geo, to: geo, timeout: 500ms, retries: 2}]"

_Value = TypeVar("_Value")


def read_policy_defaults(at: Cursor | None) -> DefaultSet:
    """Read which set of defaults fills what no policy says; Istio's if absent."""
    return _DEFAULT_SETS[(at.choice(_DEFAULT_SETS) if at else None) or "istio"]


def read_policies(at: Cursor | None, defaults: DefaultSet) -> tuple[Policy, ...]:
    """Read `policies`, sorted by name."""
    items = at.named_items(_EXAMPLE) if at else []
    return tuple(sorted((_policy(name, item, defaults) for name, item in items), key=lambda policy: policy.name))


def _policy(name: str, at: Cursor, defaults: DefaultSet) -> Policy:
    found = at.fields(keys.POLICY, later=keys.LATER_POLICY, elsewhere=keys.ELSEWHERE_POLICY)
    if at.has("name") and set(at.keys()) <= {"name", "to", "from"}:
        at.error("M102", f"policy '{name}' says nothing", f"add one of {', '.join(keys.POLICY[3:])}")

    def read(key: str, reader: Callable[[Cursor], _Value]) -> _Value | None:
        return reader(found[key]) if key in found else None

    policy = Policy(
        name=name,
        to=read("to", target_of),
        from_=read("from", caller_of),
        in_app=read("in_app", Cursor.switch),
        cancellation=read("cancellation", Cursor.switch),
        deadline=read("deadline", Cursor.switch),
        timeout_s=read("timeout", _timeout),
        retries=read("retries", lambda retries: read_retries(retries, defaults)),
        load_balancer=read("load_balancer", read_load_balancer),
        zone_aware=read("zone_aware", Cursor.switch),
        panic=read("panic", quantities.share),
        circuit_breaker=read("circuit_breaker", _circuit_breaker),
        outlier=read("outlier", _outlier),
        rate_limit=read("rate_limit", _rate_limit),
    )
    _check_together(policy, found)
    return policy


def _check_together(policy: Policy, found: dict[str, Cursor]) -> None:
    """Report fields of one policy of which Envoy ignores the one beside the other."""
    balancer, retries, breaker = policy.load_balancer, policy.retries, policy.circuit_breaker
    if policy.zone_aware and balancer is not None and balancer.kind in _HASHING:
        at = found["zone_aware"]
        hint = "remove zone_aware, or balance by least_request, round_robin or random"
        at.error("M120", f"zone_aware has no meaning with {balancer.kind}: a key has its replica", hint, at.key_mark)
    if retries is None or retries == "none" or retries.budget is None or breaker is None or breaker == "none":
        return
    if breaker.max_retries is not None:
        at = found["circuit_breaker"]
        hint = "remove one of them: a budget takes the place of max_retries"
        at.error("M120", "max_retries has no meaning beside a budget of retries", hint, at.key_mark)


def _timeout(at: Cursor) -> float | Literal["none"]:
    return "none" if is_none(at) else quantities.duration(at, positive=True, instead_of_0="write none for no timeout")


# -- balancing ---------------------------------------------------------------------------------------------------


def read_load_balancer(at: Cursor) -> LoadBalancer | None:
    """Read `load_balancer`: a word, or a map of one kind."""
    if not at.is_map():
        if at.node_text() in _HASHING:
            hint = at.write(f"{{{at.node_text()}: {{on: {_dimension_example(at)}}}}}")
            at.error("M102", f"{at.node_text()} needs to know which key is hashed", hint)
            return None
        word = at.choice(keys.LOAD_BALANCERS)
        return LoadBalancer(kind=_BALANCERS[word]) if word else None
    found = at.fields(keys.LOAD_BALANCER_MAPS, example="ring_hash: {on: caller}")
    if len(at.keys()) != 1:
        at.error("M114", f"{at.name} has to be of one kind, not {len(at.keys())}", "write e.g. {maglev: {on: caller}}",
                 at.key_mark)  # fmt: skip
        return None
    for kind, inner in found.items():
        return _of_kind(_BALANCERS[kind], inner)
    return None


def _of_kind(kind: BalancerKind, at: Cursor) -> LoadBalancer:
    hashing = kind in _HASHING
    allowed, required = keys.LOAD_BALANCER_MAPS[kind], ("on",) if hashing else ()
    found = at.fields(allowed, required=required, example="on: caller" if hashing else "choices: 2")
    return LoadBalancer(
        kind=kind,
        choices=_choices(found["choices"]) if "choices" in found else 2,
        on=dimension_of(found["on"], "hashed") if "on" in found else None,
        min_size=found["min_size"].integer(1, MAX_RING) if "min_size" in found else 1024,
    )


def _choices(at: Cursor) -> int:
    text = at.node_text()
    if text is not None and not text.lstrip("-").isdigit():
        at.choice(("full_scan",))
        return 0
    return at.integer(2, MAX_CHOICES)


def _dimension_example(at: Cursor) -> str:
    return next(iter(at.reading.names.dimensions), "caller")


# -- protection --------------------------------------------------------------------------------------------------


def _circuit_breaker(at: Cursor) -> CircuitBreaker | Literal["none"]:
    if is_none(at):
        return "none"
    found = at.fields(keys.CIRCUIT_BREAKER, example="max_requests: 1024", elsewhere=keys.ELSEWHERE_BREAKER)
    limits = {key: found[key].integer(0, MAX_LIMIT) for key in keys.BREAKER_LIMITS if key in found}
    return CircuitBreaker(**limits, per_tenant=_is_per_tenant(found))


def _is_per_tenant(found: dict[str, Cursor]) -> bool:
    return "per" in found and found["per"].choice(keys.PER) == "tenant"


def _outlier(at: Cursor) -> Outlier | Literal["none"]:
    if is_none(at):
        return "none"
    found = at.fields(
        keys.OUTLIER, later=keys.LATER_OUTLIER, example="consecutive_5xx: 5", elsewhere=keys.ELSEWHERE_OUTLIER
    )

    before = at.reading.report.errors

    def count(key: str) -> int | None:
        return found[key].integer(1, MAX_LIMIT) if key in found else None

    def seconds(key: str) -> float | None:
        return quantities.duration(found[key], positive=True) if key in found else None

    outlier = Outlier(
        consecutive_5xx=count("consecutive_5xx"),
        consecutive_gateway=count("consecutive_gateway"),
        consecutive_local_origin=count("consecutive_local_origin"),
        interval_s=seconds("interval"),
        base_ejection_s=seconds("base_ejection"),
        max_ejection_s=seconds("max_ejection"),
        max_ejected=quantities.share(found["max_ejected"]) if "max_ejected" in found else None,
        always_eject_one_host=found["always_eject_one_host"].switch() if "always_eject_one_host" in found else None,
    )
    base, most = outlier.base_ejection_s or 0.0, outlier.max_ejection_s
    if most is not None and most < base and at.reading.report.errors == before:
        hint = "raise max_ejection, or lower base_ejection"
        found["max_ejection"].error("M108", "max_ejection is below base_ejection", hint)
    return outlier


_BUCKET = (*keys.BUCKET, *keys.BUCKET_MORE)


def _rate_limit(at: Cursor) -> RateLimit | Literal["none"]:
    if is_none(at):
        return "none"
    found = at.fields(keys.RATE_LIMIT, example="local: {rate: 100/s, burst: 20}")
    if at.is_map() and not at.keys():
        hint = "write local: {rate: 100/s, burst: 20}, or global: {rate: 1000/s, burst: 100, delay: 1ms}"
        at.error("M102", "a rate limit is local or global, or both", hint, at.key_mark)
    local, shared, delay = None, None, None
    if "local" in found:
        inner = found["local"].fields(_BUCKET, required=keys.BUCKET, example="rate: 100/s, burst: 20")
        local = _bucket(inner)
    if "global" in found:
        example = "rate: 1000/s, burst: 100, delay: 1ms"
        inner = found["global"].fields((*_BUCKET, "delay"), required=keys.BUCKET, example=example)
        shared = _bucket(inner)
        delay = distribution(inner["delay"], DURATION) if "delay" in inner else None
    return RateLimit(local=local, shared=shared, delay=delay)


def _bucket(found: dict[str, Cursor]) -> Bucket:
    return Bucket(
        rate_per_s=quantities.rate(found["rate"]) if "rate" in found else 1.0,
        burst=found["burst"].integer(1, MAX_LIMIT) if "burst" in found else 1,
        per_tenant=_is_per_tenant(found),
        own=_own_buckets(found["tenants"], found) if "tenants" in found else (),
    )


def _own_buckets(at: Cursor, beside: dict[str, Cursor]) -> tuple[tuple[str, float, int], ...]:
    """Read the rates and bursts of single tenants."""
    if "per" not in beside:
        at.error(
            "M120", "rates of single tenants have no meaning in one bucket for all", "add per: tenant", at.key_mark
        )
    names, found = at.reading.names, []
    for name, inner in at.children("maps: {rate: 300/s, burst: 60}"):
        if inner.known(name, names.tenants or names.senders, "tenant"):
            own = _bucket(inner.fields(keys.BUCKET, required=keys.BUCKET, example="rate: 300/s, burst: 60"))
            found.append((name, own.rate_per_s, own.burst))
    return tuple(sorted(found))
