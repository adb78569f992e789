"""What the paper simulates: commands of meshsim, and what of their JSON it reads.

Every number of the paper comes from one of these commands, so that a reader can run it alone. Two sizes differ in how
long they simulate and how often, never in what they ask.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Final, Literal

Size = Literal["small", "full"]

ARCHITECTURES: Final = ("gateway", "none", "sidecar-only", "sidecar", "ambient")  # the first is the baseline
APPLICATIONS: Final = ("front-door", "online-boutique", "hotel-reservation", "social-network", "otel-demo")
SEEDS: Final = {"small": (1, 2, 3), "full": (1, 2, 3, 4, 5, 6, 7, 8)}  # of the faults: each run is one replication

#: Axes along which the conclusions are made to turn.
LOADS: Final = ("0.25", "0.5", "1", "1.5", "2")
DEPTHS: Final = (1, 2, 4, 8, 16)
GATEWAY_CPUS: Final = ("1", "100m", "60m", "45m", "40m")
SHORT_GATEWAY: Final = "50m"  # of CPU, where neighbours are to meet in the gateway
REPLICAS: Final = (1, 2, 4, 8)
EXPONENTS: Final = ("0.6", "0.9", "1.2", "1.5")
CAPACITIES: Final = (75, 300, 600, 1200, 2400)  # entries of each of four gateways
PLAN_LOADS: Final = ("0.5", "1", "2", "4", "8", "16")

_COMPARE: Final = (
    "schema_version",
    "baseline",
    "architectures/*/requests",
    "architectures/*/latency_s",
    "architectures/*/proxies",
    "architectures/*/verdict",
    "architectures/*/manifest",
    "differences/*/baseline",
    "differences/*/latency_s",
)
_CACHE: Final = (
    "schema_version",
    "architectures/*/caches/*/station",
    "architectures/*/caches/*/stores",
    "architectures/*/caches/*/capacity_entries",
    "architectures/*/caches/*/hit_ratio",
    "architectures/*/latency_s",
    "architectures/*/verdict",
    "architectures/*/manifest",
    "differences",
)
_COST: Final = (
    "schema_version",
    "currency",
    "period_hours",
    "architectures/*/cost",
    "architectures/*/items/*/total",
    "architectures/*/lines",
    "architectures/*/methods/proxies",
    "architectures/*/mesh_tax/added",
    "architectures/*/mesh_tax/cost",
    "architectures/*/mesh_tax/cores_requested",
    "architectures/*/mesh_tax/memory_gib",
    "architectures/*/manifest",
    "manifest",
)
_TENANTS: Final = (
    "schema_version",
    "tenants",
    "cells/*/architecture",
    "cells/*/isolation",
    "cells/*/aggressor",
    "cells/*/victim",
    "cells/*/word",
    "cells/*/decided_by",
    "cells/*/p99_ratio",
    "cells/*/p50_ratio",
    "cells/*/shed_share",
    "manifest",
)
_BLAST: Final = (
    "schema_version",
    "tenants",
    "cells/*/kind",
    "cells/*/place",
    "cells/*/architecture",
    "cells/*/rollout",
    "cells/*/proxies",
    "cells/*/beyond_objective",
    "cells/*/tenants_harmed",
    "cells/*/services_harmed",
    "cells/*/detect_s",
    "manifest",
)
_PLAN: Final = (
    "schema_version",
    "best",
    "architectures/*/feasible",
    "architectures/*/replicas",
    "architectures/*/cost",
    "architectures/*/kept/kept",
    "architectures/*/simulated",
    "architectures/*/verify/passed",
    "architectures/*/verify/seed",
    "architectures/*/verify/kept",
    "manifest",
)


@dataclass(frozen=True, slots=True)
class Study:
    """One command, and what of its answer is kept.

    Attributes
    ----------
    name
        Of its file in ``runs/``.
    command
        Words after ``meshsim``, without the output; the first word ``engines`` is a run of `paper.engines` instead.
    keeps
        Paths in its JSON, see `paper.stored.pruned`.
    """

    name: str
    command: tuple[str, ...]
    keeps: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class _Length:
    """How long and how often: of each kind of study."""

    compare: tuple[str, str]
    study: tuple[str, str]
    plan: str


_LENGTHS: Final = {
    "small": _Length(("40s", "8"), ("20s", "4"), "10s"),
    "full": _Length(("80s", "16"), ("40s", "8"), "15s"),
}


def studies(size: Size) -> list[Study]:
    """All simulations of one size, in the order in which the paper tells them."""
    return [
        *_engines(size),
        *_tails(size),
        *_localities(size),
        *_cached_applications(size),
        *_blasts(size),
        *_neighbours(size),
        *_bills(size),
        *_turns(size),
        *_plans(size),
    ]


def _simulated(duration: str, replications: str) -> tuple[str, ...]:
    return ("--duration", duration, "--replications", replications, "--seed", "1")


def _sets(*values: str) -> tuple[str, ...]:
    return tuple(word for value in values for word in ("--set", value))


def _all() -> tuple[str, ...]:
    return ("--arch", ",".join(ARCHITECTURES))


def _engines(size: Size) -> Iterator[Study]:
    """Both engines, request by request."""
    yield Study("engines", ("engines", {"small": "10", "full": "15"}[size]), ("*",))


def _tails(size: Size) -> Iterator[Study]:
    long = _simulated(*_LENGTHS[size].compare)
    for name in APPLICATIONS:
        yield Study(f"tail-{name}", ("compare", name, *_all(), *long), _COMPARE)


#: Streams whose answers are cached, by application, with the endpoints that give them.
READS: Final = {
    "front-door": {"maps-tiles": "maps.tile", "mail-list": "mail.list", "cloud-read": "cloud.read"},
    "online-boutique": {"product": "frontend.product"},
    "hotel-reservation": {"search": "frontend.hotels", "recommend": "frontend.recommendations"},
    "social-network": {
        "read-home-timeline": "nginx-thrift.read_home_timeline",
        "read-user-timeline": "nginx-thrift.read_user_timeline",
    },
    "otel-demo": {"product": "frontend-proxy.product", "recommendations": "frontend-proxy.recommendations"},
}
ITEMS: Final = {"front-door": 4000, "online-boutique": 200, "hotel-reservation": 2000, "social-network": 2000}


def _cached_applications(size: Size) -> Iterator[Study]:
    """Caches at two gateways, or with equally many entries beside the replicas that answer."""
    duration, replications = _LENGTHS[size].compare
    for name, reads in READS.items():
        only = ", ".join(reads.values())
        items = ITEMS.get(name, 200)
        cache = f"{{capacity: {items // 10}, key: item, only: [{only}]}}"
        keys = [f"traffic.{stream}.keys={{item: {{zipf: {{items: {items}, exponent: 0.9}}}}}}" for stream in reads]
        command = (
            "compare",
            name,
            "--arch",
            "gateway,sidecar-only",
            "--equal-cache",
            *_sets(*keys, f"mesh.gateway.cache={cache}", f"mesh.sidecar.cache={cache}"),
            *_sets(f"run.warmup={float(duration[:-1]) / 2:g}s"),
            *_simulated(duration, replications),
        )
        kept = (
            *_COMPARE,
            "architectures/*/by_service/*/replicas",
            "architectures/*/by_service/*/caches",
            "differences/*/hit_ratios",
        )
        yield Study(f"cached-{name}", command, kept)


def _locality(size: Size, name: str, *values: str) -> Study:
    duration, replications = {"small": ("40s", "8"), "full": ("80s", "16")}[size]
    command = (
        "cache",
        "cache-locality",
        "--arch",
        "gateway,sidecar-only",
        *_sets(*values, f"run.duration={duration}", "run.warmup=20s"),
        "--replications",
        replications,
        "--seed",
        "1",
    )
    return Study(f"locality-{name}", command, _CACHE)


def _tasks(replicas: int, entries: int = 2400) -> tuple[str, ...]:
    """Tasks of each of the three products, and the room of a sidecar so that all have so many entries together."""
    counts = [f"services.{product}.replicas={replicas}" for product in ("maps", "mail", "cloud")]
    return (*counts, f"mesh.sidecar.cache.capacity={entries // (3 * replicas)}")


def _localities(size: Size) -> Iterator[Study]:
    for replicas in REPLICAS:
        yield _locality(size, f"tasks-{replicas}", *_tasks(replicas))
    for exponent in EXPONENTS:
        skew = [f"traffic.{name}.keys.item.zipf.exponent={exponent}" for name in ("maps", "mail", "cloud")]
        yield _locality(size, f"skew-{exponent}", *_tasks(8), *skew)
    for capacity in CAPACITIES:
        yield _locality(size, f"room-{capacity}", *_tasks(8, 4 * capacity), f"mesh.gateway.cache.capacity={capacity}")
    yield _locality(size, "hashed-gateway", *_tasks(2), "mesh.gateway.load_balancer={maglev: {on: item}}")
    yield _locality(
        size,
        "hashed-both",
        *_tasks(2),
        "mesh.gateway.load_balancer={maglev: {on: item}}",
        "policies.clients.load_balancer={maglev: {on: item}}",
    )


#: Online Boutique has one tenant; here those who look and those who buy are two.
_TWO_KINDS: Final = _sets(
    "tenants={browsing: {slo: {p99: 500ms, availability: 99.9%}}, buying: {slo: {p99: 500ms, availability: 99.9%}}}",
    *(f"traffic.{stream}.tenant=browsing" for stream in ("home", "set-currency", "product")),
    *(f"traffic.{stream}.tenant=buying" for stream in ("add-to-cart", "cart", "checkout")),
)


def _two_kinds(name: str) -> tuple[str, ...]:
    return _TWO_KINDS if name == "online-boutique" else ()


def _blasts(size: Size) -> Iterator[Study]:
    """A filter that crashes on the first request, pushed everywhere at once, for each scope that a push can have."""
    fault = ("--rollout", "all-at-once", "--only", "crash_on_request*")
    for seed in SEEDS[size]:
        for name in APPLICATIONS:
            command = ("blast", name, *_all(), *fault, "--seed", str(seed), *_two_kinds(name))
            yield Study(f"blast-{name}-{seed}", command, _BLAST)
        cells = ("--arch", "gateway,{ingress: gateway, cells: per_tenant},sidecar-only")
        more = _sets("mesh.gateway.replicas=4")
        yield Study(f"cells-{seed}", ("blast", "front-door", *cells, *fault, "--seed", str(seed), *more), _BLAST)
        canary = ("--arch", "gateway,sidecar-only", "--rollout", "canary", "--only", "crash_on_request*")
        yield Study(f"canary-{seed}", ("blast", "front-door", *canary, "--seed", str(seed)), _BLAST)


def _neighbours(size: Size) -> Iterator[Study]:
    for name in APPLICATIONS:
        long = _simulated(*_LENGTHS[size].compare)
        command = ("tenants", name, *_all(), "--no-headroom", *long, *_two_kinds(name))
        yield Study(f"tenants-{name}", command, _TENANTS)
    short = _sets(f"mesh.gateway.cpu={SHORT_GATEWAY}")
    long = _simulated(*_LENGTHS[size].compare)
    command = ("tenants", "front-door", "--arch", "gateway,sidecar-only", "--no-headroom", *long, *short)
    yield Study("tenants-short-gateway", command, _TENANTS)


def _bills(size: Size) -> Iterator[Study]:
    architectures = ("--arch", ",".join(("none", *(one for one in ARCHITECTURES if one != "none"))))
    for name in APPLICATIONS:
        command = ("cost", name, *architectures, *_simulated(*_LENGTHS[size].study), *_two_kinds(name))
        yield Study(f"cost-{name}", command, _COST)


def _turns(size: Size) -> Iterator[Study]:
    """Where the answer may turn: load, depth of the graph, size of the gateway, published profile."""
    long = _simulated(*_LENGTHS[size].compare)
    for load in LOADS:
        yield Study(f"load-{load}", ("compare", "front-door", *_all(), *long, *_sets(f"run.load={load}")), _COMPARE)
    for depth in DEPTHS:
        architectures = ("--arch", "gateway,none,central,sidecar-only,sidecar,ambient")
        command = ("compare", "topologies/chain.yaml", *architectures, *long)
        yield Study(f"depth-{depth}", (*command, *_sets(f"traffic.web.entry=s{17 - depth}.get")), _COMPARE)
    for cpu in GATEWAY_CPUS:
        command = ("compare", "front-door", "--arch", "gateway,sidecar-only", *long)
        yield Study(f"gateway-cpu-{cpu}", (*command, *_sets(f"mesh.gateway.cpu={cpu}")), _COMPARE)
    least = "policies=[{name: clients, from: client, load_balancer: least_request, in_app: on}]"
    yield Study("balanced-clients", ("compare", "front-door", *_all(), *long, *_sets(least)), _COMPARE)
    older = _sets("mesh.sidecar.profile=istio-1.7")
    yield Study("profile-older", ("compare", "front-door", *_all(), *long, *older), _COMPARE)


def _plans(size: Size) -> Iterator[Study]:
    everything = ("--arch", ",".join(ARCHITECTURES), "--no-growth")
    simulated = ("--duration", _LENGTHS[size].plan, "--seed", "1", "--verify")
    yield Study("plan-bookinfo", ("plan", "bookinfo", "--slo", "p99<60ms", *everything, *simulated), _PLAN)
    yield Study("plan-hotel-reservation", ("plan", "hotel-reservation", *everything, *simulated), _PLAN)
    for load in PLAN_LOADS:
        command = ("plan", "front-door", *everything, "--engine", "analytic", "--load", load)
        yield Study(f"plan-front-door-{load}", command, _PLAN)
