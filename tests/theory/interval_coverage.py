"""How often the 95 % intervals of `meshsim.run` hold the truth: M/M/1 and M/M/4 at utilisation 0.8, many times.

Both have the same arrivals and the same draws of work (seed, names and addresses are the same), so their difference is
a paired one, as in `meshsim.compare`. A run is what a user gets who asks for nothing: eight replications of 60 s, the
warm-up found automatically.
"""

from __future__ import annotations

import statistics
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace

import laws
from page import MISSES, CoverageRow, covers

import meshsim
from meshsim.results.comparison import differ
from meshsim.results.intervals import Estimate
from meshsim.results.result import Result

RATE, UTILIZATION, SERVERS = 320.0, 0.8, 4
MEAN_S = UTILIZATION * SERVERS / RATE  # of a service at one of four servers; the single server is four times as fast
RUNS = 400
FIRST_SEED = 1
AGREES = "as claimed"
Tell = Callable[[Result], Estimate]


@dataclass(frozen=True, slots=True)
class Quantity:
    """What an interval is about, and what is true."""

    name: str
    truth: float
    tell: Tell


def topology(servers: int) -> dict[str, object]:
    """One service whose slots are the servers; the network takes no time."""
    mean = MEAN_S * servers / SERVERS
    station = {
        "cpu": servers,
        "memory": "1GiB",
        "discipline": "fifo",
        "concurrency": servers,
        "endpoints": {"get": [{"work": {"exp": f"{mean * 1e6:g}us"}}]},
    }
    nowhere = dict.fromkeys(("loopback", "same_node", "same_zone", "cross_zone", "client"), "0s")
    return {
        "meshsim": 1,
        "name": f"mm{servers}",
        "services": {"shop": station},
        "tenants": {"web": {}},
        "network": nowhere,
        "traffic": [{"name": "web", "tenant": "web", "entry": "shop.get", "arrivals": {"poisson": f"{RATE:g}/s"}}],
    }


def quantities(servers: int) -> list[Quantity]:
    """Of M/M/c."""
    mean = MEAN_S * servers / SERVERS
    truths = latency_truths(servers)
    told = [Quantity(name, truth, _latency(name)) for name, truth in truths.items()]
    waited = laws.erlang_c(RATE * mean, servers)
    return [
        *told,
        Quantity("utilisation", UTILIZATION, lambda r: r.by_service["shop"].utilization),
        Quantity("share that waited", waited, lambda r: r.by_service["shop"].waited),
    ]


def _latency(name: str) -> Tell:
    return lambda result: result.latency_s[name]


def latency_truths(servers: int) -> dict[str, float]:
    """Mean, p50 and p99 in seconds."""
    mean = MEAN_S * servers / SERVERS
    tail = laws.mmc_tail(RATE, mean, servers)
    average = laws.mmc_mean(RATE, mean, servers)
    return {"mean": average, "p50": laws.quantile(tail, average, 0.5), "p99": laws.quantile(tail, average)}


def groups() -> dict[str, list[Quantity]]:
    """Quantities by model: each alone, and how much longer the slower servers take."""
    single, several = latency_truths(1), latency_truths(SERVERS)
    differences = [Quantity(name, several[name] - single[name], _latency(name)) for name in single]
    names = ("M/M/1", f"M/M/{SERVERS}", f"M/M/{SERVERS} − M/M/1, paired")
    return dict(zip(names, (quantities(1), quantities(SERVERS), differences), strict=True))


def measure(runs: int = RUNS, *, jobs: int = 1) -> list[CoverageRow]:
    """Run both models `runs` times and count."""
    single, several, differences = groups().values()
    found: dict[str, list[list[Estimate]]] = {name: [] for name in groups()}
    began = time.process_time()
    for seed in range(FIRST_SEED, FIRST_SEED + runs):
        pair = [meshsim.run(topology(c), seed=seed, jobs=jobs, quiet=True) for c in (1, SERVERS)]
        latency = differ(*reversed(_equally_cut(pair, jobs))).latency_s
        told = ([q.tell(pair[0]) for q in single], [q.tell(pair[1]) for q in several])
        for name, estimates in zip(found, (*told, [latency[q.name] for q in differences]), strict=True):
            found[name].append(estimates)
    cpu_s = (time.process_time() - began) / len(found)
    return [
        _row(name, quantity, [estimates[i] for estimates in found[name]], cpu_s)
        for name, group in groups().items()
        for i, quantity in enumerate(group)
    ]


def _equally_cut(pair: Sequence[Result], jobs: int) -> list[Result]:
    """Both with the longer warm-up, as `meshsim.compare` cuts all sides."""
    longest = max(result.manifest.warmup_s for result in pair)
    return [
        result
        if result.manifest.warmup_s == longest
        else meshsim.run(topology(c), seed=result.manifest.seed, jobs=jobs, warmup_s=longest, quiet=True)
        for c, result in zip((1, SERVERS), pair, strict=True)
    ]


def _row(model: str, quantity: Quantity, estimates: list[Estimate], cpu_s: float) -> CoverageRow:
    """Only intervals that are shown count."""
    shown = [e for e in estimates if e.low is not None and e.high is not None]
    hits = sum(e.low <= quantity.truth <= e.high for e in shown)
    values = [e.value for e in estimates if e.value is not None]
    half = statistics.median(e.half or 0.0 for e in shown)
    row = CoverageRow(
        model=model,
        quantity=quantity.name,
        truth=f"{quantity.truth:.6g}",
        runs=str(len(estimates)),
        shown=f"{100.0 * len(shown) / len(estimates):.1f}",
        covered=f"{100.0 * hits / len(shown):.2f}",
        half=f"{100.0 * half / abs(quantity.truth):.2f}",
        bias=f"{100.0 * (statistics.mean(values) / quantity.truth - 1.0):+.2f}",
        cpu_s=f"{cpu_s:.1f}",
        verdict=AGREES,
    )
    return row if covers(row) else replace(row, verdict=MISSES)
