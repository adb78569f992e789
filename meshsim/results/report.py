"""The text that a result or a comparison shows in a terminal."""

from __future__ import annotations

import math
from typing import TYPE_CHECKING, Final

from meshsim.results.breakdown import PARTS, Split
from meshsim.results.manifest import Manifest
from meshsim.results.services import ServiceResult, Totals
from meshsim.results.text import (
    amount,
    duration,
    duration_interval,
    number,
    percent,
    percent_interval,
    size,
    table,
)
from meshsim.results.traffic import Judged, Traffic

if TYPE_CHECKING:
    from meshsim.results.result import Result

_BUSIEST: Final = 6  # services that the summary shows: what fits a screen
_WORDS: Final = {"met": "PASS", "missed": "FAIL", "undecided": "undecided"}


def summary(result: Result) -> list[str]:
    """Lines of `Result.summary`."""
    return [
        headline(result.manifest, result.architecture),
        f"verdict: {result.verdict.word}",
        *(f"  {note}" for note in result.verdict.notes),
        "",
        *_objectives(result),
        *_latencies(result.total, result.manifest.level),
        "",
        *_services(result.by_service),
        "",
        f"applications: {_totals(result.applications, used=False)}",
        f"proxies:      {_totals(result.proxies, used=True)}",
        *_splits(result),
        *_inert(result),
        f"repeat: {result.manifest.command}",
    ]


def headline(manifest: Manifest, what: str) -> str:
    """What was run, for how long, and with which seed."""
    runs = f"{manifest.replications} × " if manifest.replications > 1 else ""
    cut = f"first {duration(manifest.warmup_s)} cut off" if manifest.warmup_s else "nothing cut off"
    return (
        f"{manifest.topology} · {what} · {runs}{duration(manifest.duration_s)} of traffic, {cut}"
        f" · engine {manifest.engine} · seed {manifest.seed}"
    )


def judgement(tenant: str, judged: Judged) -> list[str]:
    """Row of a table: the word, whose objective, the objective, what was measured."""
    if judged.quantity == "availability":
        wanted, found = f"availability ≥ {judged.limit * 100:.6g} %", percent_interval(judged.estimate)
    else:
        wanted, found = f"{judged.quantity} ≤ {duration(judged.limit)}", duration_interval(judged.estimate)
        if judged.within is not None:
            found += f", {percent(judged.within.value)} within the limit"
    return [_WORDS[judged.judgement], f"{tenant}: {wanted}", found]


def _objectives(result: Result) -> list[str]:
    rows = [judgement(name, judged) for name, tenant in result.by_tenant.items() for judged in tenant.objectives]
    if not rows:
        return []
    words, wanted = (max(len(row[i]) for row in rows) for i in (0, 1))
    return ["objectives", *(f"  {a.ljust(words)}  {b.ljust(wanted)}  {c}" for a, b, c in rows), ""]


def _latencies(total: Traffic, level: float) -> list[str]:
    others = [
        f"{name} {percent(total.shares[name])}" for name, count in total.outcomes.items() if count and name != "ok"
    ]
    return [
        f"latency of answered requests (± {level * 100:g} % interval)",
        *(f"  {name:<5}  {duration_interval(estimate)}" for name, estimate in total.latency_s.items()),
        f"{total.requests:,} requests, {amount(total.goodput.estimate, 'of them per second answered in the end')}",
        f"availability {percent_interval(total.availability.estimate)}" + "".join(f", {other}" for other in others),
    ]


def _services(services: dict[str, ServiceResult]) -> list[str]:
    busiest = sorted(services, key=lambda name: -(services[name].utilization.value or 0.0))[:_BUSIEST]
    rows = [["busiest", "utilization", "cores", "waits", "p99 there", "rejected"]]
    for name in busiest:
        service = services[name]
        rows.append(
            [
                name,
                percent(service.utilization.value),
                "no limit" if math.isinf(service.cores) else number(service.cores),
                duration(service.wait_s.value),
                duration(service.latency_s["p99"].value),
                f"{service.rejected:,}",
            ]
        )
    return table(rows, indent="")


def _memory(totals: Totals, *, used: bool) -> str:
    """Of applications only the requests are known; proxies are modelled."""
    requested = f"{size(totals.memory_requested_bytes)} of memory requested"
    return f"{size(totals.memory_bytes)} used of {requested}" if used else requested


def _totals(totals: Totals, *, used: bool) -> str:
    if not totals.replicas:
        return "none"
    return (
        f"{amount(totals.cores.estimate, 'cores')} in use of {number(totals.cores_requested)} requested, "
        f"{_memory(totals, used=used)}, {totals.replicas} replicas"
    )


def _splits(result: Result) -> list[str]:
    split = result.time_split
    if not split.mean.requests:
        return []
    rows = [["time of", *PARTS, "all", "sampled requests"]]
    rows += [_split_row("a mean request", split.mean), _split_row("the slowest 1 %", split.slowest)]
    return ["", *table(rows, indent="")]


def _split_row(name: str, split: Split) -> list[str]:
    parts = [duration(split.parts_s[part].value) for part in PARTS]
    return [name, *parts, duration(split.latency_s.value), f"{split.requests:,}"]


def _inert(result: Result) -> list[str]:
    if not result.inert:
        return [""]
    policies = sorted({f"{inert.policy}.{inert.field}" for inert in result.inert})
    return ["", f"inert here (nobody enforces them): {', '.join(policies)}"]
