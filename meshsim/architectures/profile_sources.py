"""Where the numbers of the profiles of proxies come from, for those who read a report and not the code."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Final

from meshsim.architectures.profiles import ProxyKind

ASSUMED: Final = "assumed"

_P24 = "istio.io, Performance and Scalability, Istio 1.24, at 1,000 requests/s of 1 kB"
_B20 = "istio/tools, perf/benchmark, benchmark.csv at 0f2e902f (August 2020, Istio 1.7)"
_N16 = "NGINX, Testing the Performance of NGINX, and its sizing guide (2016)"
_E21 = "envoyproxy/envoy, pull request 15231 (2021)"
_E19 = "envoyproxy/envoy, issue 7525 (2019)"
_L21 = "linkerd.io, benchmarks of 2021-05-27 and 2021-11-29 (by Linkerd's maker), good to a factor of two at best"
_INJECTED = "Istio's injection template"

#: Of an Envoy, whoever configures it.
_ENVOY: Final[dict[str, str]] = {
    "cpu_per_request_s": _B20,
    "cpu_per_kib_s": _N16,
    "tls_handshake_s": _N16,
    "idle_cores": _B20,
    "threads": _P24,
    "cpu_request": _INJECTED,
    "cpu_limit": _INJECTED,
    "memory_bytes": _INJECTED,
    "memory_base_bytes": _B20,
    "memory_per_cluster_bytes": _E21,
    "memory_per_endpoint_bytes": _E19,
    "memory_per_connection_bytes": ASSUMED,
    "replicas": ASSUMED,
    "cpu_falls": f"power law through two points of {_B20}",
}
_ISTIO_24: Final = {
    **_ENVOY,
    "cpu_per_request_s": _P24,
    "idle_cores": f"{_B20}; assumed the same since",
    "memory_base_bytes": _P24,
}
_ZTUNNEL: Final = {
    **_ISTIO_24,
    "idle_cores": ASSUMED,
    "threads": "ztunnel's src/config.rs",
    "cpu_request": "Istio's ztunnel chart",
    "cpu_limit": "Istio's ztunnel chart",
    "memory_bytes": "Istio's ztunnel chart",
    "memory_per_cluster_bytes": "a ztunnel knows workloads, no clusters",
    "memory_per_endpoint_bytes": ASSUMED,
}
_LINKERD_PROXY: Final = {
    **dict.fromkeys(_ENVOY, ASSUMED),
    "cpu_per_request_s": _L21,
    "cpu_per_kib_s": _N16,
    "tls_handshake_s": _N16,
    "threads": "linkerd.io, Configuring Proxy Concurrency",
    "cpu_request": "linkerd.io, Configuring Proxy Concurrency",
    "cpu_limit": "linkerd.io, Configuring Proxy Concurrency",
    "memory_bytes": "linkerd.io, Configuring Proxy Concurrency",
    "memory_base_bytes": _L21,
}
_FREE: Final = dict.fromkeys(_ENVOY, "a proxy that costs nothing, for comparison")

_BY_PROFILE: Final[dict[str, Mapping[str, str]]] = {
    "envoy": _ENVOY,
    "envoy-1.15": _ENVOY,
    "istio-1.24": _ISTIO_24,
    "istio-1.7": _ENVOY,
    "linkerd": _LINKERD_PROXY,
    "zero": _FREE,
}


def source_of(profile: str, kind: ProxyKind, field: str) -> str:
    """Who says a number of a profile; ``assumed`` where nobody does.

    Examples
    --------
    >>> source_of("istio-1.24", "sidecar", "memory_per_endpoint_bytes")
    'envoyproxy/envoy, issue 7525 (2019)'
    >>> source_of("istio-1.24", "ztunnel", "idle_cores")
    'assumed'
    """
    if kind == "ztunnel" and profile != "zero":
        return _ZTUNNEL[field]
    return _BY_PROFILE[profile][field]
