"""What goes wrong in a run: ordinary faults, pushes of configuration, and when they happen."""

from __future__ import annotations

import math
from typing import Annotated, Any, Literal, get_args

from pydantic import BaseModel, ConfigDict, Field

from meshsim.model.distributions import Distribution, constant
from meshsim.model.policies import Policy, Route
from meshsim.model.proxies import Mesh
from meshsim.model.steps import FailReason


class _Frozen(BaseModel):
    """Values: compared by content, never changed."""

    model_config = ConfigDict(frozen=True, extra="forbid", populate_by_name=True)


def rounded_up(share: float, total: int) -> int:
    """How many a share of `total` is, rounded up, but not for what floating point adds to it.

    Examples
    --------
    >>> rounded_up(0.5, 5), rounded_up(0.07, 100)
    (3, 7)
    """
    return math.ceil(share * total - 1e-9)


class Replicas(_Frozen):
    """How many replicas a fault meets, the first ones always; all if both fields are None."""

    count: int | None = None
    share: float | None = None

    def of(self, total: int) -> int:
        """Give how many of `total` that are: a share is rounded up.

        Examples
        --------
        >>> Replicas().of(5), Replicas(count=2).of(5), Replicas(share=0.5).of(5)
        (5, 2, 3)
        """
        if self.share is not None:
            return min(total, rounded_up(self.share, total))
        return total if self.count is None else min(total, self.count)


ALL = Replicas()
ONE = Replicas(count=1)


class _OfService(_Frozen):
    """A fault of a service, or of the proxies ``gateway`` or ``waypoint`` (where no service has that name)."""

    service: str


class _OfReplicas(_OfService):
    replicas: Replicas = ALL


# -- ordinary faults: their names are those of chaos engineering, their defaults are assumed ----------------------


class CpuFault(_OfReplicas):
    """Another process takes a share of the CPU: work takes 1/(1 - load) times as long."""

    kind: Literal["cpu"] = "cpu"
    load: float = 0.5


class MemoryFault(_OfReplicas):
    """Memory fills: the replica is killed after a time, and so again after each restart, while the fault lasts."""

    kind: Literal["memory"] = "memory"
    after_s: float = 10.0
    restart_s: float = 10.0


class Pause(_OfReplicas):
    """The CPU stands still, and then goes on where it stopped: a stopped virtual machine, a long GC pause."""

    kind: Literal["pause"] = "pause"


class IoFault(_OfReplicas):
    """Waits (steps `wait`) take longer."""

    kind: Literal["io"] = "io"
    factor: float = 10.0


class ProcessKiller(_OfReplicas):
    """Killed at once, and again and again; connections are reset."""

    kind: Literal["process_killer"] = "process_killer"
    replicas: Replicas = ONE
    every_s: float = 10.0
    restart_s: float = 1.0


class Shutdown(_OfReplicas):
    """A planned stop: leaves the endpoints, lets what is under way finish for `drain_s`, stops."""

    kind: Literal["shutdown"] = "shutdown"
    replicas: Replicas = ONE
    drain_s: float = 30.0  # terminationGracePeriodSeconds of Kubernetes
    restart_s: float | None = None  # None: when the fault is over


class Blackhole(_OfReplicas):
    """Nothing answers any more."""

    kind: Literal["blackhole"] = "blackhole"


class DnsFault(_OfService):
    """The name does not resolve: calls that need a new connection fail."""

    kind: Literal["dns"] = "dns"


class LatencyFault(_OfReplicas):
    """Each message from and to it takes longer."""

    kind: Literal["latency"] = "latency"
    delay_s: float = 0.1


class PacketLoss(_OfReplicas):
    """Packets are lost and sent again, after 200 ms first and twice as long each time (RFC 6298, as Linux has it)."""

    kind: Literal["packet_loss"] = "packet_loss"
    share: float = 0.05


class CertificateExpiry(_OfService):
    """Calls are refused: all, or those that need a new connection."""

    kind: Literal["certificate_expiry"] = "certificate_expiry"
    connections: Literal["all", "new"] = "all"


class TimeTravel(_OfReplicas):
    """The clock is wrong: beyond `leeway_s` tokens are refused, beyond `certificate_s` connections."""

    kind: Literal["time_travel"] = "time_travel"
    skew_s: float = 3600.0
    leeway_s: float = 300.0
    certificate_s: float = 86400.0


class Crash(_OfReplicas):
    """Crashes once, and comes back."""

    kind: Literal["crash"] = "crash"
    replicas: Replicas = ONE
    restart_s: float = 10.0


class RestartHerd(_OfService):
    """All crash, and come back together or spread evenly."""

    kind: Literal["restart_herd"] = "restart_herd"
    restart_s: float = 10.0
    spread_s: float = 0.0


class SlowNode(_Frozen):
    """All replicas on a node work more slowly."""

    kind: Literal["slow_node"] = "slow_node"
    node: int = 0
    factor: float = 10.0


class BatchJob(_Frozen):
    """A batch job on a node comes and goes, and takes a share of the node's CPUs while it runs."""

    kind: Literal["batch_job"] = "batch_job"
    node: int = 0
    load: float = 0.5
    lasts: Distribution = Distribution(kind="exp", params=(10.0,))  # seconds
    gap: Distribution = Distribution(kind="exp", params=(30.0,))  # seconds from its end until it comes again


class ZoneLoss(_Frozen):
    """All replicas in a zone are silent."""

    kind: Literal["zone_loss"] = "zone_loss"
    zone: str


class Partition(_Frozen):
    """Messages between two zones are lost."""

    kind: Literal["partition"] = "partition"
    zones: tuple[str, str]


class DependencyDown(_OfService):
    """It answers with a failure."""

    kind: Literal["dependency_down"] = "dependency_down"
    reason: FailReason = "503"
    share: float = 1.0


class LoadSpike(_Frozen):
    """A stream arrives more often."""

    kind: Literal["load_spike"] = "load_spike"
    stream: str
    factor: float = 10.0


class ColdCache(_OfService):
    """Caches lose all that they hold."""

    kind: Literal["cold_cache"] = "cold_cache"
    cache: str | None = None  # None: all of its own


Fault = Annotated[
    CpuFault | MemoryFault | Pause | IoFault | ProcessKiller | Shutdown | Blackhole | DnsFault | LatencyFault
    | PacketLoss | CertificateExpiry | TimeTravel | Crash | RestartHerd | SlowNode | BatchJob | ZoneLoss | Partition
    | DependencyDown | LoadSpike | ColdCache,
    Field(discriminator="kind"),
]  # fmt: skip


def _by_kind(union: Any) -> dict[str, Any]:
    """Classes of a union that is discriminated by `kind`, in its order."""
    (members, _) = get_args(union)
    return {one.model_fields["kind"].default: one for one in get_args(members)}


FAULTS: dict[str, type[Fault]] = _by_kind(Fault)
MOST_PUSHES = 4  # of a run: each set of them is a configuration of its own
INSTANTS = frozenset({"crash", "restart_herd", "cold_cache"})
"""Faults that happen once, so that they cannot last for a time."""


# -- pushes: mistakes in configuration; their defaults are assumed where nothing else is said ---------------------


class WrongRoute(_Frozen):
    """Requests go to another endpoint."""

    kind: Literal["wrong_route"] = "wrong_route"
    to: str
    instead: tuple[str, str]  # service, endpoint


class RouteBlackhole(_Frozen):
    """Requests go to an address where nobody is: they wait, and are answered 503."""

    kind: Literal["blackhole"] = "blackhole"
    to: str
    for_s: float = 10.0  # Istio's connect timeout (connectTimeout of its mesh configuration)


class WrongWeight(_Frozen):
    """Requests are split wrongly between the versions of a service."""

    kind: Literal["wrong_weight"] = "wrong_weight"
    to: str
    split: dict[str, float]  # share by version, sums to 1


class ShortTimeout(_Frozen):
    """A timeout that hardly any answer meets."""

    kind: Literal["short_timeout"] = "short_timeout"
    to: str
    timeout_s: float = 0.001


class RetryStorm(_Frozen):
    """Everything is tried again, at once, with no budget."""

    kind: Literal["retry_storm"] = "retry_storm"
    to: str
    attempts: int = 10


class StrictLimit(_Frozen):
    """A rate limit that turns almost everybody away."""

    kind: Literal["strict_limit"] = "strict_limit"
    to: str
    rate_per_s: float = 1.0
    burst: int = 1


class ExpiredCertificate(_Frozen):
    """Connections are refused."""

    kind: Literal["expired_certificate"] = "expired_certificate"
    to: str


class SlowFilter(_Frozen):
    """A filter of the proxy takes CPU for each request."""

    kind: Literal["slow_filter"] = "slow_filter"
    cpu: Distribution = constant(0.05)


class CrashOnLoad(_Frozen):
    """The proxy crashes when it loads the configuration, and so at each restart."""

    kind: Literal["crash_on_load"] = "crash_on_load"
    restart_s: float = 10.0


class CrashOnRequest(_Frozen):
    """The first request that meets it crashes the proxy, and so after each restart."""

    kind: Literal["crash_on_request"] = "crash_on_request"
    to: str | None = None  # None: any
    restart_s: float = 10.0


class MemoryGrowth(_Frozen):
    """The proxy's memory grows with each request until its limit, then it is killed and restarts."""

    kind: Literal["memory_growth"] = "memory_growth"
    per_request_bytes: int = 1024**2


class CacheKey(_Frozen):
    """The proxy's cache looks under another key."""

    kind: Literal["cache_key"] = "cache_key"
    key: tuple[str, ...]  # dimensions of `keys`


PushFault = Annotated[
    WrongRoute | RouteBlackhole | WrongWeight | ShortTimeout | RetryStorm | StrictLimit | ExpiredCertificate
    | SlowFilter | CrashOnLoad | CrashOnRequest | MemoryGrowth | CacheKey,
    Field(discriminator="kind"),
]  # fmt: skip

PUSH_FAULTS: dict[str, type[PushFault]] = _by_kind(PushFault)

ROUTED = frozenset({"wrong_route", "blackhole", "wrong_weight", "expired_certificate"})
"""Mistakes that are a route, so that they can be those of one tenant's requests."""

OF_POLICIES = frozenset({"short_timeout", "retry_storm", "strict_limit"})
"""Mistakes that are a policy, which selects calls and not tenants."""

FILTERS = frozenset({"slow_filter", "crash_on_request"})
"""Mistakes that are a filter of proxies."""

TEMPLATES = frozenset({"wrong_weight", *OF_POLICIES})
"""Mistakes that a template still lets its users make."""


class Scope(_Frozen):
    """Whose proxies a push is for."""

    kind: Literal["mesh", "gateway", "service", "route", "cell", "tenant"] = "mesh"
    name: str = ""  # of the service, route or tenant, number of the cell


class Push(_Frozen):
    """A change of configuration that goes out to proxies: one that is written, or a mistake of a known kind."""

    name: str  # of its event
    scope: Scope = Scope()
    set: tuple[tuple[str, str], ...] | None = Field(default=None, exclude=True)  # path and value as of --set
    changed: tuple[tuple[Policy, ...], tuple[Route, ...], Mesh] | None = None  # what `set` makes of the topology's
    fault: PushFault | None = None
    match_tenant: str | None = None
    reaches: float = 1.0  # share of the proxies that get it; the others stay stale
    rejected: float = 0.0  # chance of each proxy to reject it (NACK): then it keeps its last good configuration
    via: Literal["raw", "template"] = "raw"
    rollout: str = "all-at-once"
    validated: float = 0.0  # chance that validation catches it; drawn once a replication

    @property
    def tenant(self) -> str | None:
        """Whose requests alone meet the mistake; None: everybody's.

        Examples
        --------
        >>> Push(name="bad", scope=Scope(kind="tenant", name="acme"), fault=ExpiredCertificate(to="geo")).tenant
        'acme'
        """
        return self.scope.name if self.scope.kind == "tenant" else self.match_tenant


class Event(_Frozen):
    """One thing that happens at a time; exactly one of `fault` and `push` is there."""

    name: str
    at_s: float
    for_s: float | None = None  # None: until the end, or until it is taken back
    fault: Fault | None = None
    push: Push | None = None
