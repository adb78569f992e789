"""Bootstraps of Envoy as Python values: upstreams that answer by themselves, and the proxy under test.

Field names are those of Envoy's v3 API, so that a configuration can be pasted from a real one.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

Config = dict[str, Any]

_TYPES = "type.googleapis.com/envoy.extensions"
_ROUTER: Config = {
    "name": "envoy.filters.http.router",
    "typed_config": {"@type": f"{_TYPES}.filters.http.router.v3.Router", "suppress_envoy_headers": False},
}
PROXY = "proxy"
"""Name of the listener of the proxy under test."""


@dataclass(frozen=True, slots=True)
class Host:
    """An upstream host: it answers every request by itself, some of them late or with an error.

    Attributes
    ----------
    name
        Name of its listener: its group and its number in it, such as ``bad-0``.
    status
        HTTP status of its answers.
    delay_s, delay_share
        Time by which this share of the answers is delayed, in whole milliseconds.
    abort, abort_share
        Status of this share of the answers, which the fault filter gives instead.
    refuses
        Nobody is there: connections are refused.
    zone
        Where it stands; empty where zones do not matter.
    """

    name: str
    status: int = 200
    delay_s: float = 0.0
    delay_share: float = 1.0
    abort: int | None = None
    abort_share: float = 1.0
    refuses: bool = False
    zone: str = ""


def upstreams(hosts: Sequence[Host], log: Path) -> Config:
    """One Envoy that is all these hosts, each on a port of its own; every try is a line of `log`."""
    return {**_admin(), "static_resources": {"listeners": [_host(host, log) for host in hosts]}}


def proxy(
    clusters: Sequence[Config],
    routes: Sequence[Config],
    *,
    log: Path,
    filters: Sequence[Config] = (),
    zone: str | None = None,
    local_cluster: str | None = None,
) -> Config:
    """The proxy under test; every request is a line of `log`.

    Parameters
    ----------
    filters
        HTTP filters before the router.
    zone, local_cluster
        Zone of this proxy, and the cluster that tells in which zones its equals are (zone aware routing).
    """
    virtual = {
        "name": "all",
        "domains": ["*"],
        "routes": list(routes),
        "include_request_attempt_count": True,
    }
    bootstrap: Config = {
        **_admin(),
        "static_resources": {
            "listeners": [_listener(PROXY, virtual, [*filters, _ROUTER], log)],
            "clusters": list(clusters),
        },
    }
    if zone is not None:
        bootstrap["node"] = {"id": "lab", "cluster": "lab", "locality": {"zone": zone}}
    if local_cluster is not None:
        bootstrap["cluster_manager"] = {"local_cluster_name": local_cluster}
    return bootstrap


def cluster(
    name: str,
    ports: Sequence[int],
    policy: str = "ROUND_ROBIN",
    *,
    weights: Sequence[int] | None = None,
    **fields: Any,
) -> Config:
    """A static cluster of hosts on loopback, with weights if given; `fields` are further ones of ``Cluster``."""
    hosts = [endpoint(port) for port in ports]
    for host, weight in zip(hosts, weights or (), strict=weights is not None):
        host["load_balancing_weight"] = weight
    return cluster_of(name, [{"lb_endpoints": hosts}], policy, **fields)


def cluster_of(name: str, localities: Sequence[Config], policy: str = "ROUND_ROBIN", **fields: Any) -> Config:
    """A static cluster of localities, each with its ``lb_endpoints``."""
    return {
        "name": name,
        "type": "STATIC",
        "connect_timeout": "1s",
        "lb_policy": policy,
        "load_assignment": {"cluster_name": name, "endpoints": list(localities)},
        **fields,
    }


def endpoint(port: int) -> Config:
    """A host on loopback."""
    return {"endpoint": {"address": _address(port)}}


def locality(zone: str, ports: Sequence[int]) -> Config:
    """Hosts of one zone."""
    return {"locality": {"zone": zone}, "lb_endpoints": [endpoint(port) for port in ports]}


def route(to: str, prefix: str = "/", **action: Any) -> Config:
    """Everything below a prefix goes to a cluster; `action` are further fields of ``RouteAction``."""
    return {"match": {"prefix": prefix}, "route": {"cluster": to, **action}}


def _host(host: Host, log: Path) -> Config:
    virtual = {
        "name": host.name,
        "domains": ["*"],
        "routes": [{"match": {"prefix": "/"}, "direct_response": {"status": host.status}}],
    }
    return _listener(host.name, virtual, [_fault(host), _ROUTER], log)


def _fault(host: Host) -> Config:
    fault: Config = {"@type": f"{_TYPES}.filters.http.fault.v3.HTTPFault"}
    if host.delay_s > 0:
        fault["delay"] = {"fixed_delay": f"{host.delay_s:.3f}s", "percentage": _share(host.delay_share)}
    if host.abort is not None:
        fault["abort"] = {"http_status": host.abort, "percentage": _share(host.abort_share)}
    return {"name": "envoy.filters.http.fault", "typed_config": fault}


def _share(share: float) -> Config:
    return {"numerator": round(share * 1_000_000), "denominator": "MILLION"}


def _listener(name: str, virtual_host: Config, filters: Sequence[Config], log: Path) -> Config:
    manager = {
        "@type": f"{_TYPES}.filters.network.http_connection_manager.v3.HttpConnectionManager",
        "stat_prefix": name,
        "route_config": {"name": name, "virtual_hosts": [virtual_host]},
        "http_filters": list(filters),
        "access_log": [_access_log(name, log)],
        "generate_request_id": False,
    }
    return {
        "name": name,
        "address": _address(0),
        "filter_chains": [
            {"filters": [{"name": "envoy.filters.network.http_connection_manager", "typed_config": manager}]}
        ],
    }


def _access_log(name: str, log: Path) -> Config:
    fields = {
        "id": "%REQ(X-ID)%",
        "start_s": "%START_TIME(%s.%6f)%",
        "duration_ms": "%DURATION%",
        "status": "%RESPONSE_CODE%",
        "flags": "%RESPONSE_FLAGS%",
        "attempt": "%REQ(X-ENVOY-ATTEMPT-COUNT)%",
    }
    return {
        "name": "envoy.access_loggers.file",
        "typed_config": {
            "@type": f"{_TYPES}.access_loggers.file.v3.FileAccessLog",
            "path": str(log),
            "log_format": {"json_format": {"at": name, **fields}},
        },
    }


def _address(port: int) -> Config:
    return {"socket_address": {"address": "127.0.0.1", "port_value": port}}


def _admin() -> Config:
    return {"admin": {"address": _address(0)}}
