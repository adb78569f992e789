"""How far the profiles are off: their predictions beside published figures, most of them not used to set a profile.

The CPU of a proxy is predicted as idle + rate x (cost of a request + cost of its bytes), which is what a simulation
comes to with constant arrivals; tests/architectures/test_falling_profiles.py holds it against one. Real proxies do
better under load, as they handle several requests each time they wake up, so a constant cost a request is too low at
low rates and too high at high ones: the table shows by how much. The profiles with `cpu_falls` follow the published
curve through two of its points.
"""

from __future__ import annotations

import csv
import math
import re
from collections import defaultdict
from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path
from statistics import fmean
from typing import Literal, get_args

import numpy as np

from meshsim.architectures.profiles import (
    ENVOY_CLUSTER_BYTES,
    ENVOY_CLUSTER_WORKER_BYTES,
    PAYLOAD_KIB,
    PROFILES,
    ProxyKind,
    ProxyProfile,
)
from meshsim.model.proxies import CpuFall

SETTING_RATE = 1_000  # requests/s at which the profiles of constant cost were set
#: Which runs of the benchmark a profile is compared with, and at which rates (requests/s) its rows have set the
#: profile; every other rate was held out.
_RUNS: tuple[tuple[str, str, tuple[int, ...]], ...] = (
    ("envoy-1.15", "none_mtls_both", (100, 2_000)),
    ("istio-1.7", "v2-stats-nullvm_both", (100, 2_000)),
    ("envoy", "none_mtls_both", (SETTING_RATE,)),
    ("istio-1.24", "v2-stats-nullvm_both", ()),  # measured four years before the profile
)
Arrivals = Literal["constant", "poisson"]
_IN_NAMESPACE = 20  # services
_BENCHMARK = "istio/tools benchmark.csv, August 2020"
_LABEL = re.compile(r"_qps_(\d+)_c_16_1024_(.+)$")


@dataclass(frozen=True, slots=True)
class BenchmarkRow:
    """One run of the benchmark: a pair of proxies (client and server side) at one rate."""

    rate_per_s: int
    mode: str  # e.g. 'v2-stats-nullvm_both'; '..._baseline' has no proxy on the path
    cpu_mcores: tuple[float, float]  # client, server proxy
    memory_mib: tuple[float, float]


@dataclass(frozen=True, slots=True)
class Check:
    """One prediction beside a published figure, both in `unit`."""

    profile: str
    case: str
    unit: str
    published: float
    predicted: float
    held_out: bool  # False: the profile was set with this very figure
    source: str

    @property
    def error_percent(self) -> float:
        """(predicted - published) / published, in percent."""
        return 100.0 * (self.predicted - self.published) / self.published


def predicted_cores(profile: ProxyProfile, rate_per_s: float, arrivals: Arrivals = "constant") -> float:
    """Cores that one proxy takes at a rate of requests of 1 kB each way, idle part included.

    >>> round(predicted_cores(PROFILES["istio-1.24"]["sidecar"], 1_000), 3)
    0.2
    """
    request_kib_s, response_kib_s = profile.cpu_per_kib_s
    base_s = profile.cpu_per_request_s
    if profile.cpu_falls is not None:
        base_s *= mean_factor(profile.cpu_falls, rate_per_s, arrivals)
    return profile.idle_cores + rate_per_s * (base_s + PAYLOAD_KIB * (request_kib_s + response_kib_s))


def mean_factor(law: CpuFall, rate_per_s: float, arrivals: Arrivals = "constant") -> float:
    """Mean factor on the CPU of a request where requests come to a proxy at a rate (rule P3).

    Of Poisson arrivals the gap g is exponential, and the mean of g^a, g kept from l to u, is
    l^a + the integral from l to u of a g^(a - 1) exp(-rate g).

    >>> law = CpuFall(exponent=0.2, from_per_s=1e-3, to_per_s=1e12)
    >>> mean_factor(law, 10), mean_factor(law, 10, "poisson") / (100**0.2 * math.gamma(1.2))
    (2.51..., 1.000...)
    """
    least_s, most_s, a = 1.0 / law.to_per_s, 1.0 / law.from_per_s, law.exponent
    if arrivals == "constant":
        return math.pow(min(max(1.0 / rate_per_s, least_s), most_s) * law.at_per_s, a)
    # Gauss and Legendre's rule over ln g, up to where exp(-rate g) is nothing
    low, high = math.log(least_s), math.log(max(least_s, min(most_s, 50.0 / rate_per_s)))
    nodes, weights = np.polynomial.legendre.leggauss(200)
    gaps_s = np.exp(low + (high - low) * (nodes + 1.0) / 2.0)
    integral = float(np.sum(weights * a * gaps_s**a * np.exp(-rate_per_s * gaps_s))) * (high - low) / 2.0
    return (math.pow(least_s, a) + integral) * math.pow(law.at_per_s, a)


def read_benchmark(path: Path | str) -> list[BenchmarkRow]:
    """Read the rows of the Istio project's raw benchmark that have 16 connections and 1 kB."""
    with open(path, newline="", encoding="utf-8") as file:
        return [_row(found, row) for row in csv.DictReader(file) if (found := _LABEL.search(row["Labels"]))]


def _row(label: re.Match[str], row: dict[str, str]) -> BenchmarkRow:
    def both(prefix: str) -> tuple[float, float]:
        return float(row[f"{prefix}_fortioclient"]), float(row[f"{prefix}_fortioserver"])

    return BenchmarkRow(
        rate_per_s=int(label[1]),
        mode=label[2],
        cpu_mcores=both("cpu_mili_avg_istio_proxy"),
        memory_mib=both("mem_Mi_avg_istio_proxy"),
    )


def check_benchmark(path: Path | str) -> list[Check]:
    """Compare the CPU of a proxy (mean of client and server side, and of repeated runs) at each rate."""
    measured: dict[tuple[str, int], list[float]] = defaultdict(list)
    for row in read_benchmark(path):
        measured[row.mode, row.rate_per_s].extend(row.cpu_mcores)
    checks: list[Check] = []
    for name, mode, set_at in _RUNS:
        profile = PROFILES[name]["sidecar"]
        checks.extend(
            Check(
                profile=name,
                case=f"one sidecar, {mode}, {rate} requests/s" + ("" if set_at else " (of Istio 1.7)"),
                unit="mcpu",
                published=fmean(measured[mode, rate]),
                predicted=1_000 * predicted_cores(profile, rate),
                held_out=rate not in set_at,
                source=_BENCHMARK,
            )
            for rate in sorted(rate for run, rate in measured if run == mode)
        )
    return checks


def check_page() -> list[Check]:
    """Compare with the performance page's own figures of 1.24, which set that profile."""
    page = "istio.io performance page, 1.24"
    rows: tuple[tuple[ProxyKind, float], ...] = (("sidecar", 0.20), ("waypoint", 0.25), ("ztunnel", 0.06))
    return [
        Check(
            profile="istio-1.24",
            case=f"one {kind}, {SETTING_RATE} requests/s",
            unit="mcpu",
            published=1_000 * cores,
            predicted=1_000 * predicted_cores(PROFILES["istio-1.24"][kind], SETTING_RATE),
            held_out=False,
            source=page,
        )
        for kind, cores in rows
    ]


def check_whole_mesh() -> list[Check]:
    """Compare with figures of whole meshes and of proxies that know much; none of them set a profile."""
    page = "istio.io performance page, 1.7: 1,000 services, 2,000 sidecars, 70,000 requests/s"
    sidecar = PROFILES["istio-1.7"]["sidecar"]
    passages_per_s = 2 * 70_000  # each request passes a proxy at either end
    even, random = (2_000 * predicted_cores(sidecar, passages_per_s / 2_000, kind) for kind in get_args(Arrivals))
    # "a large namespace with namespace isolation": perf/load of istio/tools has 20 services in each of its namespaces
    of_namespace = f"knows its namespace ({_IN_NAMESPACE} services of 2 assumed)"
    namespace = (
        sidecar.memory_base_bytes
        + _IN_NAMESPACE * sidecar.memory_per_cluster_bytes
        + _IN_NAMESPACE * 2 * sidecar.memory_per_endpoint_bytes
    )
    recent = PROFILES["istio-1.24"]["sidecar"]
    replicas, services = 15_000, 536  # 28 replicas a service, the mean of Alibaba's trace of 2022
    large_mesh = (
        recent.memory_base_bytes
        + services * recent.memory_per_cluster_bytes
        + replicas * recent.memory_per_endpoint_bytes
    )
    many_clusters = PROFILES["envoy"]["sidecar"].memory_base_bytes + 2_500 * (
        ENVOY_CLUSTER_BYTES + 31 * ENVOY_CLUSTER_WORKER_BYTES
    )
    return [
        Check("istio-1.7", "whole mesh, CPU of all sidecars, constant arrivals", "cores", 0.5 * 140, even, True, page),
        Check("istio-1.7", "whole mesh, CPU of all sidecars, Poisson arrivals", "cores", 0.5 * 140, random, True, page),
        Check("istio-1.7", f"memory of a sidecar that {of_namespace}", "MB", 50.0, namespace / 1e6, True, page),
        Check(
            *("istio-1.24", "memory of a sidecar, 15,000 pods (536 services assumed)", "MB", 330.0, large_mesh / 1e6),
            held_out=True,
            source="Canal Mesh, SIGCOMM 2024, as reported by the press",
        ),
        Check(
            *("envoy", "memory of one Envoy, 2,500 clusters, 32 workers", "MB", 256.5, many_clusters / 1e6),
            held_out=True,
            source="envoyproxy/envoy issue 18376",
        ),
    ]


def format_checks(checks: Iterable[Check]) -> str:
    """Give the checks as a Markdown table.

    >>> print(format_checks(check_page()[:1]))
    | profile | case | published | predicted | error | figure was | source |
    |---|---|---:|---:|---:|---|---|
    | istio-1.24 | one sidecar, 1000 requests/s | 200.0 mcpu | 200.0 mcpu | +0 % | used | ... |
    """
    lines = [
        "| profile | case | published | predicted | error | figure was | source |",
        "|---|---|---:|---:|---:|---|---|",
    ]
    lines.extend(
        f"| {c.profile} | {c.case} | {c.published:.1f} {c.unit} | {c.predicted:.1f} {c.unit} "
        f"| {round(c.error_percent):+d} % | {'held out' if c.held_out else 'used'} | {c.source} |"
        for c in checks
    )
    return "\n".join(lines)
