"""What the services stand on: nodes, network, proxies, and how to run."""

from __future__ import annotations

from typing import Literal, cast

from meshsim import units
from meshsim.model.disciplines import Line
from meshsim.model.distributions import Distribution, constant
from meshsim.model.read import keys, quantities
from meshsim.model.read.autoscale import read_autoscale, replicas_of
from meshsim.model.read.caches import read_proxy_cache
from meshsim.model.read.cursor import NAME, Cursor
from meshsim.model.read.distributions import DURATION, distribution
from meshsim.model.read.policies import read_load_balancer
from meshsim.model.topology import PROFILES, Cores, CpuFall, Mesh, Network, Nodes, ProxyConfig, Run

_GIB = 1024**3
_NETWORK_S = {  # one way; assumed, of the order that clouds have within a region
    "loopback": 20e-6,
    "same_node": 50e-6,
    "same_zone": 250e-6,
    "cross_zone": 1e-3,
    "client": 5e-3,
}
_TWO_CORES = Cores(request=2.0, limit=2.0)
_DEFAULT_PROFILE = "istio-1.24"


def read_nodes(at: Cursor | None) -> Nodes:
    """Read `nodes`. Defaults (assumed): 30 pods on a node of 16 cores and 64 GiB, one zone."""
    found = at.fields(keys.NODES, example="pods_per_node: 30, zones: [a, b, c]") if at else {}
    return Nodes(
        pods_per_node=found["pods_per_node"].integer(1, 10_000) if "pods_per_node" in found else 30,
        cpu=quantities.cores(found["cpu"]) if "cpu" in found else 16.0,
        memory_bytes=quantities.memory(found["memory"]) if "memory" in found else 64 * _GIB,
        zones=_zones(found["zones"]) if "zones" in found else ("a",),
    )


def _zones(at: Cursor) -> tuple[str, ...]:
    zones: list[str] = []
    for item in at.items("[a, b, c]"):
        zone = item.text()
        if item.valid_name(zone, NAME, "a zone's name") and zone in zones:
            item.error("M111", f"zone '{zone}' is here twice", "name each zone once")
        zones.append(zone)
    if at.is_list() and not zones:
        at.error("M108", "there are no zones", "write [a], or remove zones")
    return tuple(zones) or ("a",)


def read_network(at: Cursor | None) -> Network:
    """Read `network`: one-way delays."""
    found = at.fields(keys.NETWORK, example="same_zone: 0.25ms, cross_zone: 1ms") if at else {}

    def delay(key: str) -> Distribution:
        return distribution(found[key], DURATION) if key in found else constant(_NETWORK_S[key])

    return Network(
        loopback=delay("loopback"),
        same_node=delay("same_node"),
        same_zone=delay("same_zone"),
        cross_zone=delay("cross_zone"),
        client=delay("client"),
    )


def read_mesh(at: Cursor | None) -> Mesh:
    """Read `mesh`. Defaults (assumed): two gateways and two waypoints of two cores each."""
    found = at.fields(keys.MESH, example="sidecar: {profile: istio-1.24}") if at else {}
    gateway = ProxyConfig(profile="envoy", replicas=2, cpu=_TWO_CORES)
    ambient = _ambient(found["ambient"]) if "ambient" in found else {}
    profile = _ambient_profile(ambient)
    waypoint = ProxyConfig(profile=profile, replicas=2)
    return Mesh(
        gateway=_proxy(found.get("gateway"), "gateway", gateway),
        sidecar=_proxy(found.get("sidecar"), "sidecar", ProxyConfig(profile=_DEFAULT_PROFILE)),
        ztunnel=_proxy(ambient.get("ztunnel"), "ztunnel", ProxyConfig(profile=profile)),
        waypoint=_proxy(ambient.get("waypoint"), "waypoint", waypoint),
    )


def _ambient(at: Cursor) -> dict[str, Cursor]:
    return at.fields(keys.AMBIENT, later=keys.LATER_PROXY, elsewhere=keys.ELSEWHERE_AMBIENT)


def _profile(at: Cursor, *kinds: str) -> str:
    """Read a profile that has these kinds of proxy."""
    name = at.choice(PROFILES) or _DEFAULT_PROFILE
    missing = [kind for kind in kinds if kind not in PROFILES[name]]
    if missing:
        having = [profile for profile, has in PROFILES.items() if set(kinds) <= set(has)]
        at.error("M109", f"profile '{name}' has no {missing[0]}", f"take one of {', '.join(having)}")
    return name


def _ambient_profile(ambient: dict[str, Cursor]) -> str:
    """Read the profile of both kinds of proxy, but for those that name their own."""
    if "profile" not in ambient:
        return _DEFAULT_PROFILE
    own = [kind for kind in ("ztunnel", "waypoint") if kind in ambient and ambient[kind].has("profile")]
    return _profile(ambient["profile"], *(kind for kind in ("ztunnel", "waypoint") if kind not in own))


def _proxy(at: Cursor | None, kind: str, default: ProxyConfig) -> ProxyConfig:
    if at is None:
        return default
    allowed = (*keys.PROXY, *keys.PROXY_MORE[kind])
    elsewhere = keys.ELSEWHERE_ZTUNNEL if kind == "ztunnel" else None
    found = at.fields(allowed, later=keys.LATER_PROXY, example="profile: istio-1.24", elsewhere=elsewhere)
    cpu = quantities.cpu(found["cpu"]) if "cpu" in found else default.cpu
    autoscale = read_autoscale(found["autoscale"], cpu or _TWO_CORES, on_nodes=False) if "autoscale" in found else None
    return ProxyConfig(
        profile=_profile(found["profile"], kind) if "profile" in found else default.profile,
        replicas=replicas_of(autoscale, found.get("replicas"), 0) or default.replicas,
        cpu=cpu,
        threads=_threads(found["threads"]) if "threads" in found else None,
        cpu_per_request=distribution(found["cpu_per_request"], DURATION) if "cpu_per_request" in found else None,
        cpu_falls=_cpu_falls(found["cpu_falls"]) if "cpu_falls" in found else None,
        cpu_per_kib_s=_both_ways(found["cpu_per_kib"]) if "cpu_per_kib" in found else None,
        tls_handshake_s=quantities.duration(found["tls_handshake"]) if "tls_handshake" in found else None,
        memory_bytes=quantities.memory(found["memory"]) if "memory" in found else None,
        memory_base_bytes=_size(found, "memory_base"),
        memory_per_cluster_bytes=_size(found, "memory_per_cluster"),
        memory_per_endpoint_bytes=_size(found, "memory_per_endpoint"),
        memory_per_connection_bytes=_size(found, "memory_per_connection"),
        load_balancer=read_load_balancer(found["load_balancer"]) if "load_balancer" in found else None,
        cache=read_proxy_cache(found["cache"], kind) if "cache" in found else None,
        discipline=cast("Line", found["discipline"].choice(keys.LINES) or "fifo") if "discipline" in found else "fifo",
        bulkhead=found["bulkhead"].integer(1, 1_000_000) if "bulkhead" in found else None,
        buffers_bytes=quantities.memory(found["buffers"]) if "buffers" in found else None,
        bandwidth_bytes_per_s=quantities.bandwidth(found["bandwidth"]) if "bandwidth" in found else None,
        autoscale=autoscale,
        knows="called" if "knows" in found and found["knows"].choice(keys.KNOWS) == "called" else "all",
    )


def _size(found: dict[str, Cursor], key: str) -> int | None:
    return quantities.size(found[key]) if key in found else None


def _threads(at: Cursor) -> int | Literal["unlimited"]:
    return "unlimited" if at.node_text() == "unlimited" else at.integer(1, 1024)


def _cpu_falls(at: Cursor) -> CpuFall | None:
    """How the CPU of a request falls with the rate; None after an error."""
    found = at.fields(keys.CPU_FALLS, required=("exponent",), example="exponent: 0.2, at: 1000/s")
    if "exponent" not in found:
        return None
    exponent = found["exponent"].number(0.0, 1.0)
    rates = {f"{key}_per_s": quantities.rate(found[key]) for key in ("at", "from", "to") if key in found}
    fall = CpuFall(exponent=exponent, **rates)
    if fall.from_per_s > fall.to_per_s:
        hint = "it falls from the lower rate to the higher one"
        at.error("M108", f"from ({fall.from_per_s:g}/s) is above to ({fall.to_per_s:g}/s)", hint)
    elif not fall.from_per_s <= fall.at_per_s <= fall.to_per_s:
        hint = "write from and to such that at, the rate at which cpu_per_request holds, lies between"
        message = f"at is {fall.at_per_s:g}/s, and must be between from and to"
        at.error("M108", f"{message} ({fall.from_per_s:g}/s to {fall.to_per_s:g}/s)", hint)
    return fall


def _both_ways(at: Cursor) -> tuple[float, float]:
    """CPU per KiB: one duration for both directions, or ``{request, response}``."""
    if not at.is_map():
        value = quantities.duration(at)
        return value, value
    found = at.fields(("request", "response"), required=("request", "response"), example="request: 2us, response: 2us")
    values = [quantities.duration(found[key]) if key in found else 0.0 for key in ("request", "response")]
    return values[0], values[1]


def read_run(at: Cursor | None) -> Run:
    """Read `run`."""
    found = at.fields(keys.RUN, later=keys.LATER_RUN, example="duration: 60s, seed: 1") if at else {}
    default = Run()
    duration = quantities.duration(found["duration"], positive=True) if "duration" in found else default.duration_s
    warmup = None
    if "warmup" in found and found["warmup"].node_text() != "auto":
        warmup = quantities.duration(found["warmup"])
        if warmup >= duration:
            hint = f"nothing would be measured: write less than {units.format_duration(duration)}, or auto"
            found["warmup"].error("M108", f"warmup {found['warmup'].text()} is not shorter than the run", hint)
    return Run(
        load=found["load"].number(0.0, 1e6, above=True) if "load" in found else default.load,
        duration_s=duration,
        warmup_s=warmup,
        drain_s=quantities.duration(found["drain"]) if "drain" in found else default.drain_s,
        seed=found["seed"].integer(0, 2**63 - 1) if "seed" in found else default.seed,
        replications=found["replications"].integer(1, 100_000) if "replications" in found else default.replications,
    )
