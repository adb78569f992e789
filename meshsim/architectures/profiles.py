"""What a proxy costs: named profiles, each number with its source or marked assumed.

Published figures disagree by a factor of ten, hence several profiles and no single constant. `meshsim.architectures.
profile_check` sets them against loads that were not used to make them. Sources, by the letters used below:

- [P24] istio.io, "Performance and Scalability", Istio 1.24: at 1,000 HTTP requests/s of 1 kB, one sidecar takes 0.20
  vCPU and 60 MB, one waypoint 0.25 vCPU and 60 MB (both with 2 worker threads), one ztunnel 0.06 vCPU and 12 MB.
- [B20] istio/tools, perf/benchmark/graph_plotter/example_plot/benchmark.csv at 0f2e902f (August 2020, Istio 1.7): CPU
  and memory of client and server proxy at 10 to 3,000 requests/s, 16 connections, 1 kB. It names no version of Envoy;
  1.15, of July 2020, was the latest.
- [N16] NGINX, "Testing the Performance of NGINX" and its sizing guide (2016): more than 2,000 full TLS handshakes/s on
  a core with ECDSA P-256, and on one core 40,207, 23,308 and 4,830 HTTPS requests/s of 1, 10 and 100 KB: 1.84 us a KB.
- [E21] envoyproxy/envoy pull request 15231 (2021): one EDS cluster takes 44 kB with its statistics, 24 kB without, and
  2.2 kB for each worker thread beyond the first.
- [E19] envoyproxy/envoy issue 7525 (2019): 1,283 bytes for each host of a cluster.
- [L21] linkerd.io, benchmarks of 2021-05-27 and 2021-11-29 (2.10 and 2.11; by Linkerd's maker): proxies take 10 against
  88 and 36 against 67 CPU-ms of Istio's, and at most 17.8 and 26.3 MB.
"""

from __future__ import annotations

import math
from dataclasses import dataclass, replace
from typing import Literal, get_args

from meshsim.errors import UsageError
from meshsim.model.proxies import CpuFall

ProxyKind = Literal["gateway", "sidecar", "ztunnel", "waypoint"]
KINDS: tuple[ProxyKind, ...] = get_args(ProxyKind)

_MIB = 2**20
_KB = 1_000

ENVOY_CLUSTER_BYTES = 44 * _KB  # [E21], one worker, statistics on
ENVOY_QUIET_CLUSTER_BYTES = 24 * _KB  # [E21], without its statistics: Istio leaves most of them out by default
ENVOY_CLUSTER_WORKER_BYTES = 2_200  # [E21], each further worker
PAYLOAD_KIB = 1.0  # each way, in the runs of [P24] and [B20]: 1 kB


@dataclass(frozen=True, slots=True)
class ProxyProfile:
    """Cost of one kind of proxy; fields of a spec's `mesh` section replace these one by one.

    Attributes
    ----------
    cpu_per_request_s
        CPU of one request and its answer, without the part that depends on size.
    cpu_falls
        How `cpu_per_request_s` falls with the rate of requests (rule P3); None: it is the same at any rate.
    cpu_per_kib_s
        CPU for each KiB of the request, of the answer.
    tls_handshake_s
        CPU of accepting a new TLS connection.
    idle_cores
        What the proxy takes without any request: added to the CPU that the simulation counts.
    threads
        Worker threads, each with its own queue; None: unlimited.
    cpu_request, cpu_limit
        Cores asked for and at most used by one replica; `cpu_limit` None is unlimited.
    memory_bytes
        Requested for one replica.
    memory_base_bytes, memory_per_cluster_bytes, memory_per_endpoint_bytes, memory_per_connection_bytes
        Used: base, and for each service, replica and connection that the proxy knows.
    replicas
        Of gateways and waypoints.
    """

    cpu_per_request_s: float
    cpu_per_kib_s: tuple[float, float]
    tls_handshake_s: float
    idle_cores: float
    threads: int | None
    cpu_request: float
    cpu_limit: float | None
    memory_bytes: int
    memory_base_bytes: int
    memory_per_cluster_bytes: int
    memory_per_endpoint_bytes: int
    memory_per_connection_bytes: int
    replicas: int = 2  # assumed: the least that survives the loss of one
    cpu_falls: CpuFall | None = None


def _per_request_s(cores: float, rate_per_s: float, idle_cores: float, per_kib_s: float) -> float:
    """Split what was measured at a rate into its part by request; the rest is idle and by size."""
    return (cores - idle_cores) / rate_per_s - 2 * PAYLOAD_KIB * per_kib_s


def _falling(
    measured: tuple[tuple[float, float], tuple[float, float]], idle_cores: float, per_kib_s: float
) -> tuple[float, CpuFall]:
    """Draw the power law through two points (requests/s, cores): CPU of a request at `CpuFall.at_per_s`, and the law.

    Beyond 10 and 3,000 requests/s nothing is published: there the cost of a request stays what it is (assumed).
    """
    (low_per_s, low_s), (high_per_s, high_s) = (
        (rate_per_s, _per_request_s(cores, rate_per_s, idle_cores, per_kib_s)) for rate_per_s, cores in measured
    )
    law = CpuFall(exponent=math.log(low_s / high_s) / math.log(high_per_s / low_per_s), from_per_s=10, to_per_s=3_000)
    return low_s * (low_per_s / law.at_per_s) ** law.exponent, law


# 1.84 us a KB for TLS [N16] and 0.17 us for a plain copy (the same guide's HTTP runs): one side of a sidecar is plain.
_PER_KIB_S = 2.0e-6
_HANDSHAKE_S = 0.5e-3  # [N16]; RSA keys take several times that (assumed away: all certificates are P-256)
_IDLE_CORES = 0.003  # [B20], mean of 28 readings of proxies off the path ("baseline"): 2.3 to 4.1 mcpu
_CONNECTION_BYTES = 50 * _KB  # assumed: two socket buffers' worth and TLS state
_HOST_BYTES = 1_283  # [E19]

_SIDECAR_24 = ProxyProfile(
    cpu_per_request_s=_per_request_s(0.20, 1_000, _IDLE_CORES, _PER_KIB_S),  # [P24]
    cpu_per_kib_s=(_PER_KIB_S, _PER_KIB_S),
    tls_handshake_s=_HANDSHAKE_S,
    idle_cores=_IDLE_CORES,  # assumed the same as measured in 2020
    threads=2,  # [P24]; also Istio's default
    cpu_request=0.1,  # Istio's injection template: requests 100m, 128Mi, limit 2000m
    cpu_limit=2.0,
    memory_bytes=128 * _MIB,
    memory_base_bytes=60 * 10**6,  # [P24], measured with few services in sight
    memory_per_cluster_bytes=ENVOY_QUIET_CLUSTER_BYTES + ENVOY_CLUSTER_WORKER_BYTES,
    memory_per_endpoint_bytes=_HOST_BYTES,
    memory_per_connection_bytes=_CONNECTION_BYTES,
)
_WAYPOINT_24 = replace(
    _SIDECAR_24,
    cpu_per_request_s=_per_request_s(0.25, 1_000, _IDLE_CORES, _PER_KIB_S),  # [P24]
)
_ZTUNNEL_24 = ProxyProfile(
    cpu_per_request_s=_per_request_s(0.06, 1_000, 0.001, _PER_KIB_S),  # [P24]
    cpu_per_kib_s=(_PER_KIB_S, _PER_KIB_S),
    tls_handshake_s=_HANDSHAKE_S,
    idle_cores=0.001,  # assumed
    threads=2,  # ztunnel's src/config.rs: ZTUNNEL_WORKER_THREADS is 2 by default
    cpu_request=0.2,  # Istio's ztunnel chart: requests 200m, 512Mi, no limit
    cpu_limit=None,
    memory_bytes=512 * _MIB,
    memory_base_bytes=12 * 10**6,  # [P24]
    memory_per_cluster_bytes=0,  # a ztunnel knows workloads, no clusters
    memory_per_endpoint_bytes=_KB,  # assumed: a workload's addresses, identity and services
    memory_per_connection_bytes=_CONNECTION_BYTES,
)
# [B20], "v2-stats-nullvm": 42.2 and 45.4 mcpu at 100 requests/s, 447.4 and 463.3 at 2,000 (client, server)
_REQUEST_17_S, _FALLS_17 = _falling(((100, 0.043824), (2_000, 0.455340)), _IDLE_CORES, _PER_KIB_S)
_SIDECAR_17 = replace(
    _SIDECAR_24,
    cpu_per_request_s=_REQUEST_17_S,
    cpu_falls=_FALLS_17,
    memory_base_bytes=66 * _MIB,  # [B20], client proxy of "v2-stats-nullvm" at 10 requests/s: 66.96 MiB
)
_ENVOY = replace(
    _SIDECAR_24,
    # [B20], "none_mtls", a proxy without Istio's filters: 177.9, 225.1, 197.0 and 213.3 mcpu at 1,000 requests/s
    cpu_per_request_s=_per_request_s(0.2033, 1_000, _IDLE_CORES, _PER_KIB_S),
    memory_base_bytes=64 * _MIB,  # [B20], the same at 10 requests/s: 64.7 MiB (client)
    memory_per_cluster_bytes=ENVOY_CLUSTER_BYTES + ENVOY_CLUSTER_WORKER_BYTES,  # statistics on
)
# [B20], "none_mtls": 30.8 and 32.1 mcpu at 100 requests/s, 286.3 and 346.8 at 2,000 (client, server)
_REQUEST_115_S, _FALLS_115 = _falling(((100, 0.031420), (2_000, 0.316554)), _IDLE_CORES, _PER_KIB_S)
_ENVOY_115 = replace(_ENVOY, cpu_per_request_s=_REQUEST_115_S, cpu_falls=_FALLS_115)
_LINKERD = ProxyProfile(
    # [L21] 0.11 and 0.54 of Istio's, whose page said 0.35 vCPU at 1,000 requests/s then: 0.04 and 0.19, geometric mean
    # 0.087. Good to a factor of two at best.
    cpu_per_request_s=_per_request_s(0.087, 1_000, 0.001, _PER_KIB_S),
    cpu_per_kib_s=(_PER_KIB_S, _PER_KIB_S),
    tls_handshake_s=_HANDSHAKE_S,
    idle_cores=0.001,  # assumed
    threads=1,  # linkerd.io, "Configuring Proxy Concurrency": one runtime worker, neither requests nor limits
    cpu_request=0.0,
    cpu_limit=None,
    memory_bytes=0,
    memory_base_bytes=17_800_000,  # [L21]
    memory_per_cluster_bytes=0,  # discovers only what it is asked for; small beside the base (assumed)
    memory_per_endpoint_bytes=0,
    memory_per_connection_bytes=_CONNECTION_BYTES,
)
_ZERO = ProxyProfile(
    cpu_per_request_s=0.0,
    cpu_per_kib_s=(0.0, 0.0),
    tls_handshake_s=0.0,
    idle_cores=0.0,
    threads=None,
    cpu_request=0.0,
    cpu_limit=None,
    memory_bytes=0,
    memory_base_bytes=0,
    memory_per_cluster_bytes=0,
    memory_per_endpoint_bytes=0,
    memory_per_connection_bytes=0,
)

#: By profile, the kinds of proxy that it has. Istio's gateways cost what its sidecars do (assumed: same filters).
PROFILES: dict[str, dict[ProxyKind, ProxyProfile]] = {
    "envoy": {"gateway": _ENVOY, "sidecar": _ENVOY, "waypoint": _ENVOY},
    "envoy-1.15": {"gateway": _ENVOY_115, "sidecar": _ENVOY_115, "waypoint": _ENVOY_115},
    "istio-1.24": {
        "gateway": _SIDECAR_24,
        "sidecar": _SIDECAR_24,
        "ztunnel": _ZTUNNEL_24,
        "waypoint": _WAYPOINT_24,
    },
    "istio-1.7": {"gateway": _SIDECAR_17, "sidecar": _SIDECAR_17},
    "linkerd": {"sidecar": _LINKERD},
    "zero": dict.fromkeys(KINDS, _ZERO),
}


def find_profile(name: str, kind: ProxyKind) -> ProxyProfile:
    """Return the cost of `kind` under the profile `name`.

    Raises
    ------
    UsageError
        There is no such profile, or it has no such kind of proxy; the message names those that have it.
    """
    having = [profile for profile, kinds in PROFILES.items() if kind in kinds]
    if name not in PROFILES:
        raise UsageError(f"mesh: profile '{name}' is unknown; for a {kind} there are {', '.join(having)}")
    if kind not in PROFILES[name]:
        raise UsageError(f"mesh: profile '{name}' has no {kind}; take one of {', '.join(having)} for it")
    return PROFILES[name][kind]


@dataclass(frozen=True, slots=True)
class PublishedLatency:
    """Latency that a data plane adds to one call (client and server side together) at 1,000 requests/s of 1 kB."""

    version: str
    path: str
    p90_ms: float
    p99_ms: float | None
    source: str


_PAGE = "istio.io performance and scalability page"
#: 16 connections, 2 worker threads, mutual TLS.
PUBLISHED_LATENCY: tuple[PublishedLatency, ...] = (
    PublishedLatency("istio-1.4", "sidecar to sidecar", 6.3, None, f"{_PAGE}, 1.4.6"),
    PublishedLatency("istio-1.5", "sidecar to sidecar", 2.8, 2.7, f"{_PAGE}, 1.5"),
    PublishedLatency("istio-1.7", "sidecar to sidecar", 2.76, 2.88, f"{_PAGE}, 1.7"),
    PublishedLatency("istio-1.7", "sidecar to sidecar, jittered arrivals", 1.72, 1.91, f"{_PAGE}, 1.7"),
    PublishedLatency("istio-1.12", "sidecar to sidecar", 2.65, 2.91, f"{_PAGE}, 1.12"),
    PublishedLatency("istio-1.24", "sidecar to sidecar", 0.63, None, f"{_PAGE}, 1.24 (quoted at second hand)"),
    PublishedLatency("istio-1.24", "ztunnel to ztunnel", 0.16, None, f"{_PAGE}, 1.24 (quoted at second hand)"),
)
