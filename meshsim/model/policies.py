"""Traffic policies and routes: what a caller's proxy, or its library, does with calls.

Names and meanings are those of Envoy 1.40 (envoyproxy.io: router filter, circuit breaking, outlier detection, load
balancing, local rate limit, fault filter). Fields that are None are left to a less specific policy, and in the end
to the set that `policy_defaults` names (`meshsim.architectures.defaults`).
"""

from __future__ import annotations

from typing import Literal

from pydantic import BaseModel, ConfigDict

from meshsim.model.distributions import Distribution
from meshsim.model.steps import FailReason

RETRY_CONDITIONS = (
    "5xx",
    "gateway-error",
    "reset",
    "connect-failure",
    "refused-stream",
    "unavailable",
    "cancelled",
    "503",
    "429",
)
"""What `retries.on` may name: Envoy's `retry_on`, and status codes (its `retriable-status-codes`)."""

DefaultSet = Literal["istio", "envoy", "none"]
BalancerKind = Literal["random", "round_robin", "least_request", "ring_hash", "maglev"]


class _Frozen(BaseModel):
    """Values: compared by content, never changed."""

    model_config = ConfigDict(frozen=True, extra="forbid", populate_by_name=True)


class LoadBalancer(_Frozen):
    """How a caller chooses among the replicas of an upstream."""

    kind: BalancerKind
    choices: int = 2  # of least_request; 0: a full scan
    on: str | None = None  # ring_hash, maglev: the dimension of `keys` that is hashed
    min_size: int = 1024  # ring_hash: entries of the ring, at least


class Budget(_Frozen):
    """Retries under way may be this share of requests under way, or `floor` of them if that is more."""

    share: float
    floor: int | None = None  # `min` in the spec


class Backoff(_Frozen):
    """Time before a retry: Envoy's jittered exponential (base, cap), or a draw from a distribution (seconds)."""

    base_s: float | None = None
    max_s: float | None = None  # None: ten times the base
    distribution: Distribution | None = None


class Retries(_Frozen):
    """What is tried again. `attempts: 2` is two retries, three tries."""

    attempts: int | None = None
    on: tuple[str, ...] | None = None  # of RETRY_CONDITIONS
    per_try_s: float | None = None
    backoff: Backoff | Literal["none"] | None = None
    avoid_previous_hosts: bool | None = None
    host_attempts: int | None = None
    budget: Budget | None = None
    hedge: bool | None = None  # a further try when one takes longer than per_try, which goes on


class CircuitBreaker(_Frozen):
    """Limits of one caller for one upstream, or for each tenant there; None inside: no limit is written."""

    max_connections: int | None = None
    max_pending: int | None = None
    max_requests: int | None = None
    max_retries: int | None = None
    per_tenant: bool = False


class Outlier(_Frozen):
    """When a replica that fails is left out for a while, by each caller for itself."""

    consecutive_5xx: int | None = None
    consecutive_gateway: int | None = None
    consecutive_local_origin: int | None = None
    interval_s: float | None = None
    base_ejection_s: float | None = None
    max_ejection_s: float | None = None
    max_ejected: float | None = None  # share of the upstream's replicas
    always_eject_one_host: bool | None = None


class Bucket(_Frozen):
    """A token bucket: `burst` tokens at most, refilled at `rate_per_s`; or one for each tenant."""

    rate_per_s: float
    burst: int
    per_tenant: bool = False
    own: tuple[tuple[str, float, int], ...] = ()  # tenants with a rate and burst of their own


class RateLimit(_Frozen):
    """Requests beyond it are turned away with 429."""

    local: Bucket | None = None  # of each enforcing instance
    shared: Bucket | None = None  # `global` in the spec: one for all instances
    delay: Distribution | None = None  # seconds until the global limiter has answered


class Policy(_Frozen):
    """Fields for the calls that it selects; None leaves a field to a less specific policy."""

    name: str
    to: str | None = None  # 'service' or 'service.endpoint'
    from_: str | None = None  # calling service; 'client' is the outside
    in_app: bool | None = None
    cancellation: bool | None = None
    deadline: bool | None = None  # what is left of a timeout travels with the request
    timeout_s: float | Literal["none"] | None = None
    retries: Retries | Literal["none"] | None = None
    load_balancer: LoadBalancer | None = None
    zone_aware: bool | None = None
    panic: float | None = None  # share of replicas that must not be ejected
    circuit_breaker: CircuitBreaker | Literal["none"] | None = None
    outlier: Outlier | Literal["none"] | None = None
    rate_limit: RateLimit | Literal["none"] | None = None


class Match(_Frozen):
    """Which requests a route takes; all that is given must hold."""

    tenant: str | None = None
    headers: dict[str, str] = {}


class Delay(_Frozen):
    """A share of requests waits (seconds) before it is passed on."""

    wait: Distribution
    share: float = 1.0


class Abort(_Frozen):
    """A share of requests is answered with a failure instead of being passed on."""

    reason: FailReason
    share: float = 1.0


class Mirror(_Frozen):
    """A copy of a share of requests goes to a version; nobody waits for its answer."""

    version: str
    share: float = 1.0


class Route(_Frozen):
    """Where requests really go; the first route that fits takes them."""

    name: str
    to: str  # 'service' or 'service.endpoint', as the caller addresses it
    from_: str | None = None
    match: Match = Match()
    split: dict[str, float] | None = None  # share by version, sums to 1
    mirror: Mirror | None = None
    rewrite: tuple[str, str] | None = None  # service, endpoint
    delay: Delay | None = None
    abort: Abort | None = None
