"""The Plane: the service graph that really carries the traffic, proxies included.

An engine never learns which of the services are proxies of which kind. It sees services with replicas, and
endpoints whose calls say among which service a replica is chosen, by what rule, and through whom the message goes.
"""

from __future__ import annotations

import math
from dataclasses import dataclass, field
from functools import cached_property
from typing import Literal, NamedTuple

from meshsim.architectures.enforced import RANDOM, Cluster, Limit, Trying
from meshsim.model.caches import Cache
from meshsim.model.disciplines import Discipline, Line
from meshsim.model.distributions import Distribution
from meshsim.model.proxies import CpuFall
from meshsim.model.steps import Call, Fail, Invalidate, Wait, Work
from meshsim.model.topology import Network
from meshsim.model.traffic import Connections, Stream, Tenant

Pick = Literal[
    "balance",  # the caller chooses a replica of `among` for this request, by its `cluster`
    "connection",  # the connection that the request goes over is pinned to a replica of `among`
    "carried",  # somebody before chose: the replica that the caller's own request carries
    "none",  # nothing is chosen here: the message goes to a proxy beside the caller, which chooses
]
Via = Literal[
    "dest",  # straight to the chosen replica
    "dest_peer",  # to the instance of `to` that stands beside the chosen replica (same number)
    "dest_node",  # to the instance of `to` on the chosen replica's node
    "caller_peer",  # to the instance of `to` that stands beside the caller
    "caller_node",  # to the instance of `to` on the caller's node
]

#: What proxies have to their upstreams: connections in plenty, never a fresh one.
KEPT_OPEN = Connections(pool=0, fresh=0.0)


@dataclass(frozen=True, slots=True)
class Hop:
    """One message between two replicas.

    Attributes
    ----------
    to, endpoint
        Service (a proxy or an application) that the message goes to, and which of its endpoints.
    pick, among, via
        How a replica is chosen (see `Pick`), of which service (None with ``none``), and through whom (`Via`).
        With ``carried``, `among` names the service that the carried replica belongs to.
    cluster
        With ``balance``: how the caller chooses, and what it remembers of `among`, each calling replica for itself.
    trying
        With ``balance``: timeouts and retries of whoever chooses; None: one try that may last for ever.
    enforce_split
        The chooser draws the version first, by the shares of `among`; otherwise all replicas are one pool.
    connections
        What the caller keeps open. Only the first hop of a call, from an application or a client, has a pool or
        fresh connections; proxies keep theirs open.
    cancellation
        When the caller gives up, a cancellation follows the request.
    deadline
        What is left of the caller's time travels with the request.
    tls
        A fresh connection on this hop costs a further round trip and the receiver a handshake.
    loopback
        Both ends share a pod: the delay is the loopback's.
    inside
        Both ends are one process: there is no delay.
    """

    to: str
    endpoint: str
    pick: Pick
    among: str | None
    via: Via
    cluster: Cluster = RANDOM
    trying: Trying | None = None
    enforce_split: bool = False
    split: tuple[float, ...] | None = None  # shares of the versions of `among`; None: those of the service
    connections: Connections = KEPT_OPEN
    cancellation: bool = False
    deadline: bool = False
    tls: bool = False
    loopback: bool = False
    inside: bool = False


@dataclass(frozen=True, slots=True)
class PlaneCall:
    """A `Call` of the spec with the first hop that carries it; `fallback` is already rewritten."""

    call: Call
    hop: Hop
    fallback: tuple[PlaneStep, ...] | None = None


@dataclass(frozen=True, slots=True)
class PlaneParallel:
    """A `Parallel` of the spec, its branches rewritten."""

    branches: tuple[tuple[PlaneStep, ...], ...]
    quorum: int | None = None


@dataclass(frozen=True, slots=True)
class PlaneOption:
    """An `Option` of the spec, its steps rewritten."""

    p: float
    do: tuple[PlaneStep, ...]


@dataclass(frozen=True, slots=True)
class PlaneChoose:
    """A `Choose` of the spec, its options rewritten."""

    options: tuple[PlaneOption, ...]


@dataclass(frozen=True, slots=True)
class ProxyWork:
    """CPU of a proxy for one message: `base` (seconds), per KiB of its size, and a handshake (request
    direction, when the message came over a fresh TLS connection).

    `falls`: the base falls with the rate of messages; a step of that kind is no part of a branch.
    """

    base: Distribution
    per_kib_s: float
    handshake_s: float
    direction: Literal["request", "response"]
    falls: CpuFall | None = None


@dataclass(frozen=True, slots=True)
class Forward:
    """A proxy passes the request on, waits for the answer, and will answer the same (failures included).

    A connection that breaks, or that there is none, is passed on as that by what only carries connections (L4 proxies)
    or is part of its caller (libraries): `as_connection`. Others answer 503.
    """

    hop: Hop
    as_connection: bool = False


@dataclass(frozen=True, slots=True)
class Mirrored:
    """A copy of the request goes this way too; nobody waits for its answer."""

    hop: Hop


@dataclass(frozen=True, slots=True)
class Limited:
    """The request is turned away (429) unless it gets a token; `delay` (seconds) passes before the answer is known."""

    limit: Limit
    name: str  # of the policy whose calls share the bucket
    delay: Distribution | None = None


@dataclass(frozen=True, slots=True)
class Crash:
    """Whoever comes here takes the replica down."""


@dataclass(frozen=True, slots=True)
class Case:
    """Steps for the requests of some streams; None: of all. `route` is its name, empty where no route takes them."""

    streams: frozenset[str] | None
    do: tuple[PlaneStep, ...]
    route: str = ""


@dataclass(frozen=True, slots=True)
class Routed:
    """The first case that takes the request's stream is run."""

    cases: tuple[Case, ...]


@dataclass(frozen=True, slots=True)
class PlaneCached:
    """A `Cached` of the spec, or the cache of a proxy: `miss` is rewritten.

    Attributes
    ----------
    name
        Of the service's cache.
    key
        Dimensions of `keys` under which the answer is kept, together with `of`: a proxy has answers of many endpoints
        in one cache, a service keeps one kind of thing in each.
    by_proxy
        Failures are answers too: whoever asked gets them as such.
    """

    name: str
    key: tuple[str, ...]
    of: str
    miss: tuple[PlaneStep, ...]
    by_proxy: bool = False


PlaneStep = (
    Work
    | Wait
    | PlaneCall
    | PlaneParallel
    | PlaneChoose
    | Fail
    | Crash
    | ProxyWork
    | Forward
    | Mirrored
    | Limited
    | Routed
    | PlaneCached
    | Invalidate
)


@dataclass(frozen=True, slots=True)
class Replica:
    """One copy of a service, on a node in a zone."""

    version: int  # number of its version within the service
    cores: float  # limit; inf when unlimited
    cores_requested: float
    node: int
    zone: int
    weight: int = 1  # that balancers give it


@dataclass(frozen=True, slots=True)
class PlaneService:
    """Replicas of one program: an application or a proxy.

    Attributes
    ----------
    role
        ``app``, ``proxy``, or ``library``, which acts within an application and costs nothing: results keep them
        apart, engines do not look.
    origin
        ``file:line`` of the spec that it comes from, or the spec's dotted path.
    threads
        CPU queues of each replica, each with an equal part of its cores; a request stays on the thread of the
        connection that it came over. 1: one queue for all cores. None: unlimited, no work ever waits.
    endpoints
        By name, the steps for each version (as many tuples as there are versions).
    memory_bytes
        Requested per replica. memory_used_bytes: what a proxy needs for what it must know (proxies only).
    idle_cores
        What each replica takes without any request; results add it to what the engine counts.
    max_wait
        How long (seconds) a request stands in line for a slot; None: for ever.
    pushed
        Of a proxy: for each configuration that may be pushed to it, the steps of every endpoint (it has one version).
    shards
        By tenant, the numbers of the replicas that serve it; empty: all serve everybody.
    cells
        Numbers of the replicas of each cell, where a gateway is divided into cells.
    is_scoped
        Of a sidecar: it knows only the services that its service calls.
    line
        Who of those that wait for a slot is next.
    bulkhead
        Messages of one tenant that a replica has at once; None: no limit.
    buffers_bytes
        Bytes of requests and answers that a replica holds at once; None: no limit.
    bandwidth_bytes_per_s
        At which a replica sends what leaves its pod; None: no limit.
    begins
        How many of the replicas there are at first, where there is room for more; None: all.
    """

    name: str
    role: Literal["app", "proxy", "library"]
    origin: str
    replicas: tuple[Replica, ...]
    versions: tuple[str, ...]
    split: tuple[float, ...] | None
    discipline: Discipline
    threads: int | None
    concurrency: int | None
    queue: int | None
    endpoints: dict[str, tuple[tuple[PlaneStep, ...], ...]]
    memory_bytes: int
    memory_used_bytes: int = 0
    idle_cores: float = 0.0
    max_wait: Distribution | None = None
    caches: tuple[Cache, ...] = ()
    pushed: tuple[dict[str, tuple[PlaneStep, ...]], ...] = ()
    shards: dict[str, tuple[int, ...]] = field(default_factory=dict)
    cells: tuple[tuple[int, ...], ...] = ()
    is_scoped: bool = False
    line: Line = "fifo"
    bulkhead: int | None = None
    buffers_bytes: int | None = None
    bandwidth_bytes_per_s: float | None = None
    begins: int | None = None

    @property
    def counted(self) -> str:
        """How many replicas, for texts: ``3``, or ``3 (room for 20)`` where there is room for more."""
        most = len(self.replicas)
        return str(most) if self.begins in (None, most) else f"{self.begins} (room for {most})"

    @property
    def cores(self) -> float:
        """Cores of all replicas together; inf when unlimited."""
        return math.fsum(r.cores for r in self.replicas)


@dataclass(frozen=True, slots=True)
class Inert:
    """A policy field that nobody enforces on an edge of this architecture.

    Of a setting of a proxy that is not there, caller and callee are empty.
    """

    policy: str
    field: str
    caller: str
    callee: str
    why: str


class Account(NamedTuple):
    """What use is written down to: requests of a tenant's clients to one entry endpoint, over all of its streams."""

    tenant: str
    service: str
    endpoint: str

    @property
    def entry(self) -> str:
        """As topologies write it."""
        return f"{self.service}.{self.endpoint}"


@dataclass(frozen=True)  # without slots, for what is cached
class Plane:
    """What `lower(topology, architecture)` returns: everything that an engine needs of both."""

    topology_name: str
    architecture: str
    services: tuple[PlaneService, ...]  # applications first, each group sorted by name
    entries: tuple[tuple[Stream, Hop], ...]  # sorted by stream name
    network: Network
    nodes: int
    zones: tuple[str, ...]
    call_depth: int
    load: float
    inert: tuple[Inert, ...] = ()
    described: tuple[Tenant, ...] = ()  # tenants of which the topology says something

    @cached_property
    def tenants(self) -> tuple[Tenant, ...]:
        """Those with traffic, by name."""
        known = {tenant.name: tenant for tenant in self.described}
        return tuple(known.get(name, Tenant(name=name)) for name in self.senders)

    @property
    def senders(self) -> tuple[str, ...]:
        """Their names."""
        return tuple(sorted({stream.tenant for stream, _ in self.entries}))

    @cached_property
    def accounts(self) -> tuple[Account, ...]:
        """By tenant, then by entry endpoint."""
        return tuple(sorted(set(self._accounts)))

    @cached_property
    def account_numbers(self) -> tuple[int, ...]:
        """Which of `accounts` each of the entries' use is written down to."""
        number_of = {account: number for number, account in enumerate(self.accounts)}
        return tuple(number_of[account] for account in self._accounts)

    @property
    def _accounts(self) -> list[Account]:
        return [Account(stream.tenant, stream.service, stream.endpoint) for stream, _ in self.entries]

    def service(self, name: str) -> PlaneService:
        """The service of that name (KeyError if there is none)."""
        return self._by_name[name]

    @cached_property
    def _by_name(self) -> dict[str, PlaneService]:
        return {service.name: service for service in self.services}
