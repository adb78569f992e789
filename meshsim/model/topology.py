"""The frozen description of a system: what the user wrote, with units resolved and names checked."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Sequence
from typing import Any

from pydantic import BaseModel, ConfigDict, PrivateAttr

from meshsim.model.autoscale import Autoscale
from meshsim.model.caches import Cache
from meshsim.model.disciplines import Discipline, Line
from meshsim.model.distributions import Distribution
from meshsim.model.faults import Event
from meshsim.model.policies import DefaultSet, Policy, Route
from meshsim.model.proxies import Cores as Cores
from meshsim.model.proxies import CpuFall as CpuFall
from meshsim.model.proxies import Filter as Filter
from meshsim.model.proxies import Mesh as Mesh
from meshsim.model.proxies import ProxyConfig as ProxyConfig
from meshsim.model.rollouts import ControlPlane, People, Rollout
from meshsim.model.steps import Step
from meshsim.model.traffic import Connections, Stream, Tenant

PROFILES: dict[str, tuple[str, ...]] = {
    "envoy": ("gateway", "sidecar", "waypoint"),
    "envoy-1.15": ("gateway", "sidecar", "waypoint"),
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
    discipline: Discipline = "ps"
    line: Line = "fifo"  # who of those that wait for a slot is next
    bulkhead: int | None = None  # requests of one tenant that a replica has at once; None: no limit
    buffers_bytes: int | None = None  # of requests and answers that a replica holds at once; None: no limit
    bandwidth_bytes_per_s: float | None = None  # at which a replica sends; None: no limit
    caches: dict[str, Cache] = {}
    connections: Connections  # of each replica, as a caller, to each of its upstreams
    autoscale: Autoscale | None = None  # None: as many replicas as there are; else it begins with those

    def most_replicas(self, version: Version) -> int:
        """How many replicas a version may have: more than it begins with where it autoscales."""
        return version.replicas if self.autoscale is None else self.autoscale.max


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


class Prices(_Frozen):
    """Unit prices in `currency` per base unit; absent ones come from the price book."""

    currency: str = "USD"
    cpu_per_core_hour: float | None = None
    memory_per_gib_hour: float | None = None
    cross_zone_per_gib: float | None = None  # charged where bytes leave a zone, and again where they come into one
    egress_per_gib: float | None = None  # answers to clients
    node_per_hour: float | None = None  # of `nodes`
    load_balancer_per_hour: float | None = None  # each, without its units
    control_plane_per_hour: float | None = None  # the provider's fee for a cluster


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
    events: tuple[Event, ...] = ()  # in the order of time, then of names
    rollouts: dict[str, Rollout] = {}  # the written ones; more are in `meshsim.model.rollouts.BUILT_IN`
    control_plane: ControlPlane = ControlPlane()
    people: People = People()
    origins: dict[str, str] = {}  # dotted path -> 'file:line', for messages; no part of the digest
    uncertain: dict[str, tuple[str, str, str]] = {}  # dotted path -> low, mid and high; no part of the digest either
    _written: Any = PrivateAttr(default=None)  # what `meshsim.model.load` read it from

    @property
    def senders(self) -> tuple[str, ...]:
        """Tenants with traffic, by name."""
        return tuple(sorted({stream.tenant for stream in self.traffic}))

    @property
    def autoscaled(self) -> tuple[str, ...]:
        """Dotted paths of what autoscales."""
        found = [f"services.{name}" for name, service in self.services.items() if service.autoscale is not None]
        return (*found, *(["mesh.gateway"] if self.mesh.gateway.autoscale is not None else []))

    @property
    def digest(self) -> str:
        """Sha256 of the canonical JSON: `name` (a label) and `origins` (places in files) are no part of it.

        Nor is `uncertain`: it is the digest of what is simulated, and that is the middle values.
        Nor is what failures are made of where nothing of it is written: a topology without them has the digest that it
        had before the language knew of them.
        """
        unwritten = {key for key in _OF_FAILURES if getattr(self, key) == Topology.model_fields[key].default}
        content = self.model_dump(mode="python", exclude={"name", "origins", "uncertain", *unwritten})
        _drop_unwritten(content["mesh"])
        for part, defaults in (("services", _OF_SERVICES), ("tenants", _OF_TENANTS)):
            for one in content[part].values():
                _drop_defaults(one, defaults)
        _drop_tenants(content["policies"])
        _drop_defaults(content["prices"], _OF_PRICES)
        for event in content.get("events", ()):
            if event["push"] and event["push"]["changed"]:
                _drop_tenants(event["push"]["changed"][0])
                _drop_unwritten(event["push"]["changed"][2])
        text = json.dumps(content, sort_keys=True, separators=(",", ":"))
        return hashlib.sha256(text.encode()).hexdigest()


_OF_FAILURES = ("events", "rollouts", "control_plane", "people")
# What the language has learned since digests were first written down; without it a topology has the same one still.
_OF_SERVICES = {
    "line": "fifo",
    "bulkhead": None,
    "buffers_bytes": None,
    "bandwidth_bytes_per_s": None,
    "autoscale": None,
}
_OF_TENANTS = {"weight": 1.0, "priority": 0}
_OF_PROXIES = {
    "discipline": "fifo",
    "bulkhead": None,
    "buffers_bytes": None,
    "bandwidth_bytes_per_s": None,
    "cpu_falls": None,
    "autoscale": None,
}
_OF_BREAKERS = {"per_tenant": False}
_OF_BUCKETS = {"per_tenant": False, "own": ()}
_OF_PRICES = {
    "egress_per_gib": None,
    "node_per_hour": None,
    "load_balancer_per_hour": None,
    "control_plane_per_hour": None,
}


def _drop_defaults(content: dict[str, Any], defaults: dict[str, Any]) -> None:
    for key, default in defaults.items():
        if content[key] == default:
            del content[key]


def _drop_tenants(policies: Sequence[dict[str, Any]]) -> None:
    for policy in policies:
        if isinstance(policy["circuit_breaker"], dict):
            _drop_defaults(policy["circuit_breaker"], _OF_BREAKERS)
        limit = policy["rate_limit"]
        for bucket in (limit["local"], limit["shared"]) if isinstance(limit, dict) else ():
            if bucket is not None:
                _drop_defaults(bucket, _OF_BUCKETS)


def _drop_unwritten(mesh: dict[str, Any]) -> None:
    for proxy in mesh.values():
        _drop_defaults(proxy, _OF_PROXIES)
        if not proxy["filters"]:
            del proxy["filters"]
        if proxy["knows"] == "all":
            del proxy["knows"]
