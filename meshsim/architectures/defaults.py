"""The named sets of `policy_defaults`, and how they fill what policies leave open.

Sources: Envoy's figures are those of its v3 API (circuit_breaker.proto, outlier_detection.proto, router filter);
Istio's are those that its control plane sends when nothing is configured (istio/istio, route/retry.go and
getDefaultCircuitBreakerThresholds; core/cluster_traffic_policy.go for the panic threshold). That Envoy's route
timeout is 15 s stands on Envoy Gateway's page on timeouts; that Istio sets none is assumed. docs/policies.md has a
row for each.
"""

from __future__ import annotations

from dataclasses import replace

from meshsim.architectures.enforced import Backoff, Cancellation, Cluster, OutlierRule, Trying
from meshsim.errors import UsageError
from meshsim.model import policies as m
from meshsim.model.policies import CircuitBreaker, DefaultSet, LoadBalancer, Outlier, Retries

BACKOFF_S = 0.025
BACKOFF_CAP = 10.0  # times the base
BUDGET_FLOOR = 3
HOST_ATTEMPTS = 1

_ISTIO_RETRIES = Retries(
    attempts=2,
    on=("connect-failure", "refused-stream", "unavailable", "cancelled"),
    avoid_previous_hosts=True,
    host_attempts=5,
)
_ENVOY_BREAKER = CircuitBreaker(max_connections=1024, max_pending=1024, max_requests=1024, max_retries=3)

#: Used where no policy has the field; None: nothing is done.
RETRIES: dict[DefaultSet, Retries | None] = {"istio": _ISTIO_RETRIES, "envoy": None, "none": None}
TIMEOUT_S: dict[DefaultSet, float | None] = {"istio": None, "envoy": 15.0, "none": None}
BREAKER: dict[DefaultSet, CircuitBreaker | None] = {"istio": None, "envoy": _ENVOY_BREAKER, "none": None}
BALANCER: dict[DefaultSet, LoadBalancer] = {
    "istio": LoadBalancer(kind="least_request"),
    "envoy": LoadBalancer(kind="round_robin"),
    "none": LoadBalancer(kind="least_request"),
}
#: Envoy resets what it sent on when its caller has gone; what an application does then is its own affair.
CANCELLATION: dict[DefaultSet, Cancellation] = {"istio": "at_proxies", "envoy": "at_proxies", "none": "nowhere"}
PANIC: dict[DefaultSet, float] = {"istio": 0.0, "envoy": 0.5, "none": 0.5}

#: What a written `retries` leaves open.
_OPEN_RETRIES: dict[DefaultSet, Retries] = {
    "istio": _ISTIO_RETRIES,
    "envoy": Retries(attempts=1, host_attempts=HOST_ATTEMPTS),
    "none": Retries(attempts=1, host_attempts=HOST_ATTEMPTS),
}


def trying(
    absent: DefaultSet,
    inside: DefaultSet,
    timeout_s: float | str | None,
    retries: Retries | str | None,
    *,
    is_hashed: bool,
    edge: str,
) -> Trying | None:
    """Fill in what policies say of time and retries on an edge; None if nothing is done.

    Parameters
    ----------
    absent, inside
        The sets that fields are taken from that no policy has, and those that a written one leaves open.
    is_hashed
        The load balancer hashes: then Istio does not avoid previous hosts (its retry.go).

    Raises
    ------
    UsageError
        Retries are asked for, and nothing says of what.
    """
    limit_s = TIMEOUT_S[absent] if timeout_s is None else None if isinstance(timeout_s, str) else timeout_s
    written = RETRIES[absent] if retries is None else None if isinstance(retries, str) else retries
    if written is None:
        return None if limit_s is None else Trying(timeout_s=limit_s)
    open_ones = _OPEN_RETRIES[inside]
    on = open_ones.on if written.on is None else written.on
    if on is None:
        raise UsageError(f"retries of {edge}: nothing says what is retried; add e.g. `on: [5xx]`")
    attempts = written.attempts if written.attempts is not None else open_ones.attempts
    host_attempts = written.host_attempts if written.host_attempts is not None else open_ones.host_attempts
    avoid = None if retries is None else written.avoid_previous_hosts
    if avoid is None:
        avoid = open_ones.avoid_previous_hosts and not is_hashed
    return Trying(
        timeout_s=limit_s,
        attempts=attempts or 0,
        on=tuple(sorted(on)),
        per_try_s=written.per_try_s,
        backoff=_backoff(written.backoff),
        avoid_previous_hosts=bool(avoid),
        host_attempts=host_attempts or HOST_ATTEMPTS,
        hedge=bool(written.hedge),
    )


def _backoff(written: m.Backoff | str | None) -> Backoff | None:
    if isinstance(written, str):  # none
        return None
    if written is not None and written.distribution is not None:
        return Backoff(distribution=written.distribution)
    base_s = BACKOFF_S if written is None or written.base_s is None else written.base_s
    max_s = BACKOFF_CAP * base_s if written is None or written.max_s is None else written.max_s
    return Backoff(base_s=base_s, max_s=max_s)


def cancellation(absent: DefaultSet, written: bool | None) -> Cancellation:
    """Fill in whose work is stopped when its caller gives up."""
    if written is None:
        return CANCELLATION[absent]
    return "everywhere" if written else "nowhere"


def balanced(balancer: LoadBalancer) -> Cluster:
    """An upstream of which nothing but the balancing is said."""
    return Cluster(balancer=balancer.kind, choices=balancer.choices, hash_on=balancer.on, min_ring=balancer.min_size)


def cluster(
    absent: DefaultSet,
    inside: DefaultSet,
    balancer: LoadBalancer | None,
    zone_aware: bool | None,
    panic: float | None,
    breaker: CircuitBreaker | str | None,
    outlier: Outlier | str | None,
    retries: Retries | str | None,
) -> Cluster:
    """Fill in what policies say of the upstream as its caller sees it; `absent` and `inside` as of `trying`."""
    limits = BREAKER[absent] if breaker is None else None if isinstance(breaker, str) else breaker
    if limits is not None and inside == "envoy":
        limits = CircuitBreaker(**{**_ENVOY_BREAKER.model_dump(), **limits.model_dump(exclude_none=True)})
    budget = retries.budget if isinstance(retries, Retries) else None
    return replace(
        balanced(balancer or BALANCER[absent]),
        zone_aware=bool(zone_aware),
        panic=PANIC[inside] if panic is None else panic,
        max_connections=limits.max_connections if limits else None,
        max_pending=limits.max_pending if limits else None,
        max_requests=limits.max_requests if limits else None,
        max_retries=limits.max_retries if limits and budget is None else None,
        budget_share=budget.share if budget else None,
        budget_floor=(BUDGET_FLOOR if budget.floor is None else budget.floor) if budget else 0,
        outlier=_outlier(outlier) if isinstance(outlier, Outlier) else None,
        per_tenant=limits is not None and limits.per_tenant,
    )


def _outlier(written: Outlier) -> OutlierRule:
    """Envoy's defaults: five in a row, 10 s, 30 s, 300 s, 10 %."""
    return OutlierRule(
        consecutive_5xx=5 if written.consecutive_5xx is None else written.consecutive_5xx,
        consecutive_gateway=written.consecutive_gateway,
        consecutive_local_origin=written.consecutive_local_origin,
        interval_s=10.0 if written.interval_s is None else written.interval_s,
        base_ejection_s=30.0 if written.base_ejection_s is None else written.base_ejection_s,
        max_ejection_s=300.0 if written.max_ejection_s is None else written.max_ejection_s,
        max_ejected=0.1 if written.max_ejected is None else written.max_ejected,
        always_eject_one_host=bool(written.always_eject_one_host),
    )
