"""The text that a result or a comparison shows in a terminal."""

from __future__ import annotations

import math
from collections.abc import Mapping
from typing import TYPE_CHECKING, Final

from meshsim.results.autoscaling import Autoscaled
from meshsim.results.breakdown import PARTS, Split
from meshsim.results.enforcement import COUNTS, Enforcement
from meshsim.results.intervals import Estimate
from meshsim.results.manifest import Manifest
from meshsim.results.services import ServiceResult, Totals
from meshsim.results.story import incident_line, story
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
_COLUMNS: Final = {
    "retries": "retries",
    "retries_refused": "refused",
    "timeouts": "timeouts",
    "overflows": "overflows",
    "limited": "rate limited",
    "pending": "waited for a connection",
    "ejections": "ejections",
    "panics": "panics",
}
_WORDS: Final = {"met": "PASS", "missed": "FAIL", "undecided": "undecided"}


def summary(result: Result) -> list[str]:
    """Lines of `Result.summary`."""
    return [
        headline(result.manifest, result.architecture),
        *_controlled(result.manifest),
        *([] if result.timeline is None else filter(None, [incident_line(result.timeline)])),
        f"verdict: {result.outcome}",
        *(f"  {note}" for note in result.verdict.notes),
        "",
        *([] if result.timeline is None else story(result.timeline)),
        *_objectives(result),
        *_latencies(result.total, result.manifest.level),
        *_tenants(result.by_tenant),
        "",
        *_services(result.by_service),
        *_autoscaling(result.autoscaling),
        *_links(result.by_service),
        *_policies(result.by_service),
        *_caches(result.by_service),
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


def _controlled(manifest: Manifest) -> list[str]:
    return [f"under control of {', '.join(manifest.controllers)}"] if manifest.controllers else []


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


def _tenants(tenants: Mapping[str, Traffic]) -> list[str]:
    """A line for each tenant where there are several."""
    if len(tenants) < 2:
        return []
    rows = [["tenant", "requests", "p50", "p99", "availability"]]
    for name, tenant in tenants.items():
        p50, p99 = (duration_interval(tenant.latency_s[quantity]) for quantity in ("p50", "p99"))
        rows.append([name, f"{tenant.requests:,}", p50, p99, percent_interval(tenant.availability.estimate)])
    return ["", *table(rows, indent="")]


def _services(services: dict[str, ServiceResult]) -> list[str]:
    stations = [name for name, service in services.items() if service.role != "library"]  # which costs nothing
    busiest = sorted(stations, key=lambda name: -(services[name].utilization.value or 0.0))[:_BUSIEST]
    rows = [["busiest", "utilization", "cores", "wait there", "p99 there", "rejected"]]
    for name in busiest:
        service = services[name]
        rows.append(
            [
                name,
                percent_interval(service.utilization),
                "no limit" if math.isinf(service.cores) else _mean_of(service.cores, service.replicas),
                duration_interval(service.wait_s),
                duration_interval(service.latency_s["p99"]),
                f"{service.rejected:,}",
            ]
        )
    return table(rows, indent="")


def _autoscaling(services: Mapping[str, Autoscaled]) -> list[str]:
    """What autoscalers did: replicas, how late they came, how many too many, against the static plan."""
    if not services:
        return []
    rows = [
        ["autoscaling", "replicas", "late by at most", "short", "overshoot", "turns", "replica-hours", "static plan"]
    ]
    for name, found in services.items():
        replicas = "1 replica" if found.static_replicas == 1 else f"{found.static_replicas} replicas"
        static = f"{replicas}, {number(found.static_hours)} h"
        rows.append(
            [
                name,
                f"{found.fewest} to {found.most}, mean {number(found.replicas.value or 0.0)}",
                duration_interval(found.lag_s),
                f"{percent(found.short.value)} of the time",
                amount(found.overshoot, "").strip(),
                amount(found.turns, "").strip(),
                amount(found.replica_hours, "").strip(),
                f"{static}: {_against(found.saved)}",
            ]
        )
    return ["", *table(rows, indent="")]


def _against(saved: float) -> str:
    return f"{percent(saved)} saved" if saved >= 0.0 else f"{percent(-saved)} more"


def _links(services: dict[str, ServiceResult]) -> list[str]:
    """How full the links of limited bandwidth were."""
    rows = [
        [name, percent_interval(service.link.utilization), duration_interval(service.link.wait_s)]
        for name, service in services.items()
        if service.link is not None
    ]
    return ["", *table([["links", "utilization", "wait of a message"], *rows], indent="")] if rows else []


def _policies(services: dict[str, ServiceResult]) -> list[str]:
    """What enforcers did: the stations and the columns of which something happened."""
    acting = {
        name: service.policies
        for name, service in services.items()
        if service.policies is not None and not service.policies.is_idle
    }
    used = [name for name in COUNTS if any(policies.counts[name] for policies in acting.values())]
    if not used:
        return []
    rows = [["policies", *(_COLUMNS[name] for name in used)]]
    rows += [[name, *(_enforced(policies, column) for column in used)] for name, policies in acting.items()]
    return ["", *table(rows, indent="")]


def _caches(services: dict[str, ServiceResult]) -> list[str]:
    """A line for each cache that was asked, and columns of what happened."""
    caches = {f"{name}.{cache}": found for name, service in services.items() for cache, found in service.caches.items()}
    if not caches:
        return []
    columns = {
        "byte_hit_ratio": "of bytes",
        "delayed": "delayed",
        "stale": "stale",
        "negative": "failures",
        "outdated": "outdated",
    }
    used = [name for name in columns if any(getattr(found, name).value for found in caches.values())]
    rows = [["caches", "hit ratio", *(columns[name] for name in used), "lookups", "entries", "evictions"]]
    for name, found in caches.items():
        shares = [percent(getattr(found, column).value) for column in used]
        evictions = f"{number(found.evictions_per_s.value or 0.0)} /s"
        entries = number(found.entries.value or 0.0)
        rows.append([name, percent_interval(found.hit_ratio), *shares, f"{found.lookups:,}", entries, evictions])
    return ["", *table(rows, indent="")]


def _enforced(policies: Enforcement, column: str) -> str:
    """A cell: a share of the station's requests, or how often in a second."""
    if not policies.counts[column]:
        return "–"
    if column == "retries":
        return f"{number(policies.retries_per_request.value or 0.0)} a request"
    if column == "limited":
        return percent(policies.limited_share.value)
    often = f"{number(policies.per_s[column].value or 0.0)} /s"
    return f"{often}, {duration(policies.pending_s.value)} each" if column == "pending" else often


def _mean_of(amount: float, replicas: float) -> str:
    """An amount, and that it is a mean over time where replicas were changed on the way."""
    return number(amount) if float(replicas).is_integer() else f"{number(amount)} (mean)"


def _memory(totals: Totals, *, used: bool) -> str:
    """Of applications only the requests are known; proxies are modelled."""
    requested = f"{size(totals.memory_requested_bytes)} of memory requested"
    return f"{size(totals.memory_bytes)} used of {requested}" if used else requested


def _totals(totals: Totals, *, used: bool) -> str:
    if not totals.replicas:
        return "none"
    return (
        f"{amount(totals.cores.estimate, 'cores')} in use of {number(totals.cores_requested)} requested, "
        f"{_memory(totals, used=used)}, {_mean_of(totals.replicas, totals.replicas)} replicas"
    )


def _splits(result: Result) -> list[str]:
    """Where the time goes: in total with intervals, and the hops that take most of it."""
    mean, slowest = result.time_split.mean, result.time_split.slowest
    if not mean.requests:
        return []
    rows = [["where the time goes", f"a mean request of {mean.requests:,}", f"the slowest 1 %: {slowest.requests:,}"]]
    rows += [
        [part, duration_interval(mean.parts_s[part]), duration_interval(slowest.parts_s[part])]
        for part in PARTS
        if mean.parts_s[part].value or slowest.parts_s[part].value
    ]
    rows.append(["all", duration_interval(mean.latency_s), duration_interval(slowest.latency_s)])
    notes = ["  (sampled requests, along the critical path; a try that the application gave up counts as wait)"]
    return ["", *table(rows, indent=""), *notes, "", *_hops(mean, slowest)]


def _hops(mean: Split, slowest: Split) -> list[str]:
    most = sorted(slowest.by_hop_s, key=lambda hop: -_sum_s(slowest.by_hop_s[hop]))[:_BUSIEST]
    rows = [["by hop", "mean", "slowest 1 %", "of it mostly"]]
    for hop in most:
        parts = slowest.by_hop_s[hop]
        largest = max(parts, key=lambda part: parts[part].value or 0.0)
        here = mean.by_hop_s.get(hop, {})
        rows.append([hop, duration(_sum_s(here)), duration(_sum_s(parts)), largest])
    return table(rows, indent="")


def _sum_s(parts: dict[str, Estimate]) -> float:
    return math.fsum(estimate.value or 0.0 for estimate in parts.values())


def _inert(result: Result) -> list[str]:
    if not result.inert:
        return [""]
    policies = sorted({f"{inert.policy}.{inert.field}" for inert in result.inert})
    return ["", f"inert here (nobody enforces them): {', '.join(policies)}"]
