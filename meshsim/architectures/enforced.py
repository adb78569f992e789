"""What an enforcer does with the calls of an edge: policies resolved, defaults filled in, nothing left open.

Meanings are those of Envoy 1.40 (docs/semantics.md, rules Y1 to Y11, say exactly which).
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

from meshsim.model.distributions import Distribution
from meshsim.model.policies import Abort, BalancerKind, Bucket, Delay

#: Whose work for a caller that gave up is stopped: nobody's, that of proxies alone, or that of applications too.
Cancellation = Literal["nowhere", "at_proxies", "everywhere"]


@dataclass(frozen=True, slots=True)
class OutlierRule:
    """When a replica is ejected; a count of None is not enforced. Times in seconds."""

    consecutive_5xx: int | None
    consecutive_gateway: int | None
    consecutive_local_origin: int | None
    interval_s: float
    base_ejection_s: float
    max_ejection_s: float
    max_ejected: float
    always_eject_one_host: bool


@dataclass(frozen=True, slots=True)
class Cluster:
    """A caller's view of an upstream: how it chooses a replica, and the state that its calls share.

    Attributes
    ----------
    choices
        Of least_request; 0 is a full scan.
    hash_on, min_ring
        The dimension of `keys` that ring hash and Maglev look at, and the least number of entries of a ring.
    panic
        Where a smaller share of replicas than this is not ejected, ejections are ignored; 0: never.
    max_connections, max_pending, max_requests, max_retries
        Circuit breakers; None: no limit.
    budget_share, budget_floor
        Retry budget, in the place of `max_retries`; None: no budget.
    per_tenant
        Connections, limits, budget and ejections are of each tenant.
    """

    balancer: BalancerKind
    choices: int = 2
    hash_on: str | None = None
    min_ring: int = 1024
    zone_aware: bool = False
    panic: float = 0.0
    max_connections: int | None = None
    max_pending: int | None = None
    max_requests: int | None = None
    max_retries: int | None = None
    budget_share: float | None = None
    budget_floor: int = 0
    outlier: OutlierRule | None = None
    per_tenant: bool = False

    @property
    def is_tracked(self) -> bool:
        """There is more to remember than which replica is how busy."""
        limits = (self.max_connections, self.max_pending, self.max_requests, self.max_retries, self.budget_share)
        return self.outlier is not None or any(limit is not None for limit in limits)


#: How a connection alone chooses, or a proxy that is told nothing.
RANDOM = Cluster("random")


@dataclass(frozen=True, slots=True)
class Backoff:
    """Time before a retry: jittered exponential (seconds), or a distribution."""

    base_s: float = 0.0
    max_s: float = 0.0
    distribution: Distribution | None = None


@dataclass(frozen=True, slots=True)
class Trying:
    """How often, how long and when a request is tried again. None: no limit of time, no back-off."""

    timeout_s: float | None = None
    attempts: int = 0
    on: tuple[str, ...] = ()
    per_try_s: float | None = None
    backoff: Backoff | None = None
    avoid_previous_hosts: bool = False
    host_attempts: int = 1  # further selections when one was tried before
    hedge: bool = False


@dataclass(frozen=True, slots=True)
class Limit:
    """A token bucket that a request must get a token from; shared by all instances, or of each one."""

    bucket: Bucket
    shared: bool


@dataclass(frozen=True, slots=True)
class RouteRule:
    """A route as its enforcer applies it.

    Attributes
    ----------
    streams
        Whose requests it takes; None: all.
    callee, endpoint, cluster
        Where they go, and how the caller sees that upstream.
    split, mirror
        Shares of the callee's versions, in their order: of the requests, and of copies of a share of them.
    """

    name: str
    streams: frozenset[str] | None
    callee: str
    endpoint: str
    cluster: Cluster
    split: tuple[float, ...] | None
    mirror: tuple[float, ...] | None
    mirror_share: float
    delay: Delay | None
    abort: Abort | None


@dataclass(frozen=True, slots=True)
class Enforced:
    """Everything that is in force on an edge: already off where nobody enforces it."""

    cluster: Cluster = RANDOM
    trying: Trying | None = None
    limits: tuple[Limit, ...] = ()
    limit_delay: Distribution | None = None  # until the shared limiter has answered
    limit_name: str = ""  # of the policy whose calls share the buckets
    deadline: bool = False
    cancellation: Cancellation = "nowhere"
    routes: tuple[RouteRule, ...] = ()

    @property
    def is_only_balancing(self) -> bool:
        """A caller's library can do this as it sends a request."""
        return self.trying is None and not self.cluster.is_tracked and not self.limits and not self.routes
