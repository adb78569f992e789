"""What is written of proxies: their costs, their caches, their filters."""

from __future__ import annotations

from typing import Literal

from pydantic import BaseModel, ConfigDict

from meshsim.model.autoscale import Autoscale
from meshsim.model.caches import ProxyCache
from meshsim.model.disciplines import Line
from meshsim.model.distributions import Distribution
from meshsim.model.policies import LoadBalancer


class _Frozen(BaseModel):
    """Values: compared by content, never changed."""

    model_config = ConfigDict(frozen=True, extra="forbid", populate_by_name=True)


class Cores(_Frozen):
    """CPU of a replica in cores. `limit` None: unlimited (every job gets a core of its own)."""

    request: float
    limit: float | None


class Filter(_Frozen):
    """Something that a proxy does with requests besides passing them on; None: with all of them."""

    name: str
    cpu: Distribution | None = None  # seconds of the proxy's CPU for each request
    crashes: bool = False  # the first such request kills the proxy
    to: str | None = None  # 'service' or 'service.endpoint'
    tenant: str | None = None


class CpuFall(_Frozen):
    """A proxy needs less CPU for a request the busier it is (rule P3).

    What is said of its CPU for a request holds where messages reach an instance `at_per_s`, evenly; at another rate it
    is (at/rate)^exponent of that. It no longer changes below `from_per_s` and above `to_per_s`.
    """

    exponent: float  # 0: it does not fall
    at_per_s: float = 1_000.0
    from_per_s: float = 10.0  # assumed, as `to_per_s`: nothing is published beyond these (docs/profiles.md)
    to_per_s: float = 3_000.0


class ProxyConfig(_Frozen):
    """A proxy as the user wants it: a profile by name, and fields that replace the profile's."""

    profile: str
    replicas: int | None = None  # gateway and waypoint only
    cpu: Cores | None = None
    memory_bytes: int | None = None  # requested
    threads: int | Literal["unlimited"] | None = None
    cpu_per_request: Distribution | None = None  # seconds; half before forwarding, half on the way back
    cpu_falls: CpuFall | None = None  # with the rate of requests
    cpu_per_kib_s: tuple[float, float] | None = None  # request, response direction
    tls_handshake_s: float | None = None  # CPU per accepted new connection
    memory_base_bytes: int | None = None
    memory_per_cluster_bytes: int | None = None
    memory_per_endpoint_bytes: int | None = None
    memory_per_connection_bytes: int | None = None
    load_balancer: LoadBalancer | None = None  # gateway only: which one a request goes to; else by connection
    cache: ProxyCache | None = None  # not of ztunnels, which do not understand requests
    filters: tuple[Filter, ...] = ()  # what pushes have put there
    discipline: Line = "fifo"  # of each thread: who is next
    bulkhead: int | None = None  # requests of one tenant that an instance has at once; None: no limit
    buffers_bytes: int | None = None  # of requests and answers that an instance holds at once; None: no limit
    bandwidth_bytes_per_s: float | None = None  # at which an instance sends; None: no limit
    autoscale: Autoscale | None = None  # gateway only; None: as many as there are
    knows: Literal["all", "called"] = "all"  # of a sidecar: all services, or those that its service calls


class Mesh(_Frozen):
    """The proxies that an architecture may use."""

    gateway: ProxyConfig
    sidecar: ProxyConfig
    ztunnel: ProxyConfig
    waypoint: ProxyConfig
