"""The frozen description of a system: what the user wrote, with units resolved and names checked."""

from __future__ import annotations

import hashlib
import json
from typing import Literal

from pydantic import BaseModel, ConfigDict

from meshsim.model.caches import Cache, ProxyCache
from meshsim.model.distributions import Distribution
from meshsim.model.policies import DefaultSet, LoadBalancer, Policy, Route
from meshsim.model.steps import Step
from meshsim.model.traffic import Connections, Stream, Tenant

PROFILES: dict[str, tuple[str, ...]] = {
    "envoy": ("gateway", "sidecar", "waypoint"),
    "istio-1.24": ("gateway", "sidecar", "ztunnel", "waypoint"),
    "istio-1.7": ("gateway", "sidecar"),
    "linkerd": ("sidecar",),
    "zero": ("gateway", "sidecar", "ztunnel", "waypoint"),
}
"""Proxies whose costs are known, each with its kinds. ``zero`` costs nothing and never makes anybody wait."""

MAX_CALL_DEPTH = 1000

PROBABILITY_SLACK = 1e-9
"""Sums of shares may miss 1 by this much: 0.7 + 0.2 + 0.1 is not 1 in binary."""


class _Frozen(BaseModel):
    """Values: compared by content, never changed."""

    model_config = ConfigDict(frozen=True, extra="forbid", populate_by_name=True)


class Cores(_Frozen):
    """CPU of a replica in cores. `limit` None: unlimited (every job gets a core of its own)."""

    request: float
    limit: float | None


class Version(_Frozen):
    """One version of a service; absent fields are inherited from the service."""

    name: str
    replicas: int
    cpu: Cores
    load_balancing_weight: int = 1  # of each replica, where balancers heed it (Envoy's word)
    endpoints: dict[str, tuple[Step, ...]]  # complete: the service's endpoints with overrides applied


class Service(_Frozen):
    """Replicas of one program, and the endpoints that they answer."""

    name: str
    namespace: str = "default"
    versions: tuple[Version, ...]  # never empty: a service without versions has one named ""
    split: dict[str, float] | None = None  # share by version, sums to 1; None: by replicas
    memory_bytes: int
    concurrency: int | None = None  # None: no limit
    queue: int | None = None  # None: unbounded
    max_wait: Distribution | None = None  # seconds in line for a slot, then it is turned away; None: for ever
    discipline: Literal["ps", "fifo", "lifo"] = "ps"
    caches: dict[str, Cache] = {}
    connections: Connections  # of each replica, as a caller, to each of its upstreams


class Nodes(_Frozen):
    """Machines: replicas are spread over zones round robin, then over the nodes of the zone."""

    pods_per_node: int
    cpu: float
    memory_bytes: int
    zones: tuple[str, ...]


class Network(_Frozen):
    """One-way delays (seconds) between two places."""

    loopback: Distribution
    same_node: Distribution
    same_zone: Distribution
    cross_zone: Distribution
    client: Distribution


class ProxyConfig(_Frozen):
    """A proxy as the user wants it: a profile by name, and fields that replace the profile's."""

    profile: str
    replicas: int | None = None  # gateway and waypoint only
    cpu: Cores | None = None
    memory_bytes: int | None = None  # requested
    threads: int | Literal["unlimited"] | None = None
    cpu_per_request: Distribution | None = None  # seconds; half before forwarding, half on the way back
    cpu_per_kib_s: tuple[float, float] | None = None  # request, response direction
    tls_handshake_s: float | None = None  # CPU per accepted new connection
    memory_base_bytes: int | None = None
    memory_per_cluster_bytes: int | None = None
    memory_per_endpoint_bytes: int | None = None
    memory_per_connection_bytes: int | None = None
    load_balancer: LoadBalancer | None = None  # gateway only: which one a request goes to; else by connection
    cache: ProxyCache | None = None  # not of ztunnels, which do not understand requests


class Mesh(_Frozen):
    """The proxies that an architecture may use."""

    gateway: ProxyConfig
    sidecar: ProxyConfig
    ztunnel: ProxyConfig
    waypoint: ProxyConfig


class Prices(_Frozen):
    """Unit prices in `currency` per base unit; absent ones come from the price book."""

    currency: str = "USD"
    cpu_per_core_hour: float | None = None
    memory_per_gib_hour: float | None = None
    cross_zone_per_gib: float | None = None


class Run(_Frozen):
    """How long, how often and how hard to simulate. Defaults are assumed."""

    load: float = 1.0
    duration_s: float = 60.0
    warmup_s: float | None = None  # None: auto
    drain_s: float = 30.0
    seed: int = 1
    replications: int = 8  # what is drawn once a run (pins of connections) shows between replications alone


class Topology(_Frozen):
    """A whole spec, canonical: the same system gives the same `digest` however it was written."""

    name: str
    services: dict[str, Service]
    tenants: dict[str, Tenant]
    traffic: tuple[Stream, ...]
    nodes: Nodes
    network: Network
    mesh: Mesh
    policies: tuple[Policy, ...] = ()
    policy_defaults: DefaultSet = "istio"
    routes: tuple[Route, ...] = ()
    prices: Prices = Prices()
    call_depth: int = 32  # longest chain of calls; a longer one is an error that names the cycle
    run: Run = Run()
    origins: dict[str, str] = {}  # dotted path -> 'file:line', for messages; no part of the digest

    @property
    def digest(self) -> str:
        """Sha256 of the canonical JSON: `name` (a label) and `origins` (places in files) are no part of it."""
        content = self.model_dump(mode="python", exclude={"name", "origins"})
        text = json.dumps(content, sort_keys=True, separators=(",", ":"))
        return hashlib.sha256(text.encode()).hexdigest()
