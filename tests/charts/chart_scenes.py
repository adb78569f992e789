"""What the charts of these tests show: a small shop that was simulated, and sweeps computed by hand."""

from __future__ import annotations

import math
from functools import cache
from typing import Any

import pandas as pd

import meshsim as ms
from meshsim.results.comparison import Comparison
from meshsim.results.propagation import Propagation
from meshsim.results.result import Result

RATE = 100.0  # of the M/M/1 queue in the sweeps: requests per second that its server manages
LN_100 = math.log(100.0)

ARCHITECTURES = ("none", "gateway", "sidecar", "{mesh: sidecar, include: [stock]}")


def shop(fail: str = "0%") -> dict[str, Any]:
    return {
        "meshsim": 1,
        "name": "shop",
        "services": {
            "shop": {"replicas": 2, "endpoints": {"buy": [{"work": {"exp": "2ms"}}, {"call": "stock.take"}]}},
            "stock": {"endpoints": {"take": [{"work": {"exp": "1ms"}}, {"fail": {"p": fail, "as": 500}}]}},
        },
        "tenants": {"web": {"slo": {"p99": "50ms"}}},
        "traffic": [{"name": "web", "tenant": "web", "entry": "shop.buy", "arrivals": {"poisson": "150/s"}}],
        "run": {"duration": "12s", "warmup": "0s", "seed": 5, "replications": 3},
    }


@cache
def compared() -> Comparison:
    return ms.compare(shop(), ARCHITECTURES, quiet=True)


@cache
def failing() -> Comparison:
    return ms.compare(shop("3%"), ("none", "ambient"), quiet=True)


@cache
def propagated() -> Propagation:
    """A shop whose failures begin in three ways: `stock` fails, `users` does, and its sidecar lets few to `db`."""
    endpoints: dict[str, list[Any]] = {
        "web": [{"parallel": [[{"call": "cart.e"}], [{"call": "search.e", "optional": True}]]}],
        "cart": [{"call": "stock.e", "retries": 2}, {"call": "users.e"}],
        "search": [{"call": "index.e", "p": 0.6}],
        "index": [{"fail": {"p": 0.1, "as": 500}}],
        "stock": [{"fail": {"p": 0.4, "as": 503}}],
        "users": [{"call": "db.e"}, {"fail": {"p": 0.02, "as": 500}}],
        "db": [{"wait": {"exp": "8ms"}}],
    }
    breaker = {"max_connections": 2, "max_pending": 2}
    spec = {
        "meshsim": 1,
        "name": "shop",
        "policy_defaults": "none",
        "services": {name: {"replicas": 2, "endpoints": {"e": steps}} for name, steps in endpoints.items()},
        "policies": [{"name": "few", "to": "db", "from": "users", "circuit_breaker": breaker}],
        "traffic": [{"name": "web", "entry": "web.e", "arrivals": {"poisson": "250/s"}}],
        "run": {"duration": "8s", "warmup": "0s", "seed": 5, "replications": 1},
    }
    return ms.run(spec, "sidecar", quiet=True, record_traces=True).propagation()


def incident() -> Result:
    """A canary of an expired certificate that an analysis takes back, then a failing service; a cache that is wiped."""
    spec = shop()
    item = {"cache": {"name": "items", "key": "item", "miss": [{"work": {"exp": "2ms"}}]}}
    spec["services"]["stock"] = {"caches": {"items": {"capacity": 60}}, "endpoints": {"take": [item]}}
    spec["services"]["shop"]["endpoints"]["look"] = [{"work": {"exp": "1ms"}}]
    keys = {"item": {"zipf": {"items": 100, "exponent": 0.8}}}
    spec["traffic"] = [
        {"name": name, "tenant": name, "entry": f"shop.{what}", "arrivals": {"poisson": "100/s"}, "keys": keys}
        for name, what in (("web", "buy"), ("ads", "look"))
    ]
    push = {"scope": "service/shop", "fault": {"expired_certificate": {"to": "stock"}}, "rollout": "canary"}
    down = {"dependency_down": {"service": "stock", "share": "40%"}}
    spec["events"] = [
        {"name": "certificate", "at": "10s", "push": push},
        {"name": "stock-fails", "at": "25s", "for": "8s", "fault": down},
        {"name": "wipe", "at": "38s", "fault": {"cold_cache": {"service": "stock"}}},
        {"name": "gone", "at": "43s", "for": "4s", "fault": {"blackhole": {"service": "shop", "replicas": 1}}},
    ]
    spec["people"] = {"monitoring": "5s"}
    spec["tenants"]["ads"] = {}
    spec["run"] |= {"duration": "50s", "warmup": "3s"}
    return ms.run(spec, "sidecar", quiet=True)


def overloaded() -> Comparison:
    spec = shop()
    spec["services"]["shop"]["replicas"] = 1
    spec["traffic"][0]["arrivals"] = {"poisson": "900/s"}
    return ms.compare(spec, ("none", "sidecar"), quiet=True, duration_s=4.0)


def load_sweep(loads: tuple[float, ...] = (0.2, 0.4, 0.5, 0.55, 0.65, 0.8, 0.9, 1.1)) -> pd.DataFrame:
    """An M/M/1 queue, whose p99 is ln 100 / (rate - load); with sidecars its server is a tenth slower."""
    rows = []
    for name, rate in (("none", RATE), ("sidecar", 0.9 * RATE)):
        for load in loads:
            offered = load * RATE
            stable = offered < rate
            p99 = LN_100 / (rate - offered) if stable else 2.0
            rows.append(
                {
                    "architecture": name,
                    "run.load": load,
                    "verdict": "ok" if stable else "unstable",
                    **{"p99_s": p99, "p99_s_low": 0.9 * p99, "p99_s_high": 1.2 * p99},
                    "goodput_per_s": min(offered, rate),
                    "goodput_per_s_low": 0.97 * min(offered, rate),
                    "goodput_per_s_high": 1.03 * min(offered, rate),
                    "offered_per_s": offered,
                }
            )
    return pd.DataFrame(rows)


def grid_sweep() -> pd.DataFrame:
    """The same queue, more than one of it: as many servers of the same rate share the load evenly."""
    rows = []
    for name, rate in (("none", RATE), ("gateway", 0.95 * RATE), ("sidecar", 0.9 * RATE)):
        for replicas in (1, 2, 3):
            for load in (0.5, 0.9, 1.4):
                each = load * RATE / replicas
                p99 = LN_100 / (rate - each) if each < rate else 2.0
                rows.append(
                    {
                        "architecture": name,
                        "run.load": load,
                        "services.stock.replicas": replicas,
                        "verdict": "ok" if each < rate else "unstable",
                        **{"p99_s": p99, "p99_s_low": 0.9 * p99, "p99_s_high": 1.2 * p99},
                    }
                )
    return pd.DataFrame(rows)


def drawn_sweep() -> pd.DataFrame:
    """Twelve points of a Latin hypercube over load, servers and a delay, which p99 has besides."""
    rows = []
    for name, rate in (("none", RATE), ("sidecar", 0.9 * RATE)):
        for n in range(12):
            load, replicas, delay_ms = 0.4 + 0.1 * (5 * n % 12), 1 + n % 4, 1.0 + 7 * n % 12
            each = load * RATE / replicas
            p99 = (LN_100 / (rate - each) if each < rate else 2.0) + 1e-3 * delay_ms
            rows.append(
                {
                    "architecture": name,
                    "run.load": round(load, 6),
                    "services.stock.replicas": replicas,
                    "network.same_zone": f"{delay_ms:g}ms",
                    "verdict": "ok" if each < rate else "unstable",
                    **{"p99_s": p99, "p99_s_low": 0.9 * p99, "p99_s_high": 1.2 * p99},
                    **{"goodput_per_s": min(each, rate) * replicas},
                    **{f"goodput_per_s_{end}": min(each, rate) * replicas for end in ("low", "high")},
                    "availability": 1.0 if n else 0.98,
                }
            )
    return pd.DataFrame(rows)


def wide_topology(services: int = 30) -> dict[str, Any]:
    """A tree in which each service calls up to three others, under names of usual length."""
    names = [f"{word}-service-{n}" for n, word in enumerate(("front", "cart", "price", "stock", "user") * 6)][:services]
    calls = {i: [j for j in range(3 * i + 1, 3 * i + 4) if j < services] for i in range(services)}
    return {
        "meshsim": 1,
        "name": "wide",
        "services": {
            name: {"endpoints": {"get": [{"work": "1ms"}, *({"call": f"{names[j]}.get"} for j in calls[i])]}}
            for i, name in enumerate(names)
        },
        "traffic": [{"name": "web", "entry": f"{names[0]}.get", "arrivals": {"poisson": "20/s"}}],
        "run": {"duration": "2s", "warmup": "0s", "replications": 2},
    }


def cache_points() -> pd.DataFrame:
    """Two caches of one architecture and one of another at three capacities, and rows of a tenant."""
    rows = []
    for name, kept, theory in (
        ("none", "maps.tiles", 0),
        ("gateway", "maps.tiles", 0),
        ("gateway", "gateway.gateway", 1),
    ):
        if (name, kept) == ("gateway", "maps.tiles"):
            ratios = (0.05, 0.08, 0.15)
        else:
            ratios = (0.2, 0.35, 0.55) if theory else (0.25, 0.4, 0.6)
        for capacity, ratio in zip((100, 300, 1000), ratios, strict=True):
            mean = 0.015 - 0.004 * ratio - (0.001 if name == "gateway" else 0.0)
            rows.append(
                {
                    "capacity": capacity,
                    "architecture": name,
                    "cache": kept,
                    "verdict": "ok",
                    "tenant": None,
                    "hit_ratio": ratio,
                    "hit_ratio_low": ratio - 0.01,
                    "hit_ratio_high": ratio + 0.02,
                    "theory_hit_ratio": ratio + 0.005 if theory else None,
                    "mean_s": mean,
                    "mean_s_low": mean - 1e-4,
                    "mean_s_high": mean + 1e-4,
                }
            )
            rows.append(rows[-1] | {"tenant": "web", "hit_ratio": 0.9})
    return pd.DataFrame(rows)


def cache_grid() -> pd.DataFrame:
    """Hit ratios over capacity and replicas, of one cache of each of two architectures; one row of a tenant."""
    rows = []
    for capacity in (1000, 100):
        for replicas in (1, 2):
            for name, kept, less in (("gateway", "gateway.gateway", 0.0), ("sidecar", "sidecar@maps.sidecar", 0.05)):
                ratio = 0.2 * math.log10(capacity) - 0.03 * replicas - less
                place = {"capacity": capacity, "replicas": replicas, "architecture": name, "cache": kept}
                found = {"hit_ratio": ratio, "hit_ratio_low": ratio - 0.01, "hit_ratio_high": ratio + 0.01}
                rows.append(place | {"verdict": "ok", "tenant": ""} | found)
    return pd.DataFrame([*rows, rows[0] | {"tenant": "web"}])


def cost_points() -> pd.DataFrame:
    """Steps of two architectures; of the last one the gain may be zero."""
    rows = []
    for name, factor in (("gateway", 1.0), ("sidecar", 3.0)):
        for start, end, size in (
            (None, "256KiB", None),
            ("256KiB", "1MiB", 4),
            ("1MiB", "4MiB", 16),
            ("4MiB", "16MiB", 90),
        ):
            known = "" if start is None else "unbounded" if end == "16MiB" else "bounded"
            sure = known == "bounded"
            size_bytes = None if size is None else size * factor * 1024
            rows.append(
                {
                    "capacity": end,
                    "architecture": name,
                    "cache": f"{name}.tiles",
                    "verdict": "ok",
                    "step_from": start,
                    "point_cost": known or None,
                    "bytes_per_point": size_bytes if sure else None,
                    "bytes_per_point_low": 0.9 * size_bytes if sure else size_bytes,
                    "bytes_per_point_high": 1.2 * size_bytes if sure else None,
                    "cores_per_point": 0.02 if sure else None,
                    "cores_per_point_low": 0.018 if sure else None,
                    "cores_per_point_high": 0.022 if sure else None,
                }
            )
    return pd.DataFrame(rows)


@cache
def autoscaled() -> Result:
    """A service whose load is four times as much for two of ten minutes."""
    rate = [{"at": "0s", "rate": "20/s"}, {"at": "200s", "rate": "80/s"}, {"at": "320s", "rate": "20/s"}]
    rule = {"min": 2, "max": 12, "target": "50%", "pod_start": "10s", "scale_down_window": "120s"}
    return ms.run(
        {
            "meshsim": 1,
            "name": "shop",
            "services": {"web": {"cpu": 1, "autoscale": rule, "endpoints": {"get": [{"work": {"exp": "50ms"}}]}}},
            "traffic": [{"name": "web", "entry": "web.get", "arrivals": {"rate": rate}, "connections": "per_request"}],
            "run": {"duration": "600s", "warmup": "0s", "seed": 5, "replications": 2},
        },
        quiet=True,
    )
