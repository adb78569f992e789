"""Plans as text: what to buy, why not less, how sure that is, and how long it will do."""

from __future__ import annotations

import math
from collections.abc import Iterator, Sequence
from typing import Final

from meshsim.analytic.result import APPROXIMATE
from meshsim.planning.probing import Kept, Probe, slack
from meshsim.planning.result import Deployment, Growing, Infeasible, Plan
from meshsim.results.intervals import Estimate
from meshsim.results.text import duration, percent, table

_PARTS: Final = 4  # of a deployment, in a sentence


def summary(plan: Plan) -> str:
    """Text for a terminal."""
    lines = [headline(plan), verdict(plan), ""]
    if plan.deployments:
        lines += [*table(overview(plan), indent=""), ""]
        for name in plan.deployments:
            lines += [*architecture_lines(plan, name), ""]
    for name, one in plan.infeasible.items():
        lines += [*infeasible_lines(name, one), ""]
    lines += [f"note: {note}" for note in plan.notes]
    lines += [f"repeat: {plan.command}"]
    return "\n".join(lines)


def headline(plan: Plan) -> str:
    """What was asked."""
    parts = [f"{plan.load:g} x its peak load" if plan.load != 1.0 else "peak load", plan.loss.told]
    parts.append(f"CPUs at most {percent(plan.ceiling)} busy")
    how = f"{plan.duration_s:.3g} s a replication, engine {plan.engine}, seed {plan.seed}"
    if plan.engine == "analytic":
        how = "engine analytic, approximate: nothing was simulated"
    return f"{plan.name} · plan for {', '.join(parts)} · {how}"


def verdict(plan: Plan) -> str:
    """The answer, in a line."""
    best = plan.best
    if best is None:
        return "verdict: infeasible: nothing that was looked at keeps every objective"
    failed = [name for name, one in plan.verified.items() if not one.passed]
    if failed:
        return f"verdict: not verified: on fresh seeds the plan of {', '.join(failed)} misses an objective"
    told = (
        f"verdict: {best} is cheapest, {money(plan[best])} a month"
        if len(plan.architectures) > 1
        else (f"verdict: {money(plan[best])} a month")
    )
    return told + (" · verified on fresh seeds" if plan.verified else "")


def money(one: Deployment) -> str:
    """The bill of a month."""
    sign = {"USD": "$", "EUR": "€", "GBP": "£"}.get(one.currency, f"{one.currency} ")
    return f"{sign}{one.cents.total / 100:,.2f}"


def overview(plan: Plan) -> list[list[str]]:
    """A row an architecture, cheapest first."""
    rows = [["architecture", "a month", "replicas", "tightest", "measured (99 % bounds)", "load can grow to"]]
    for name, one in sorted(plan.deployments.items(), key=lambda item: item[1].cents.total):
        kept = one.tightest
        replicas = str(sum(one.bought.values()))
        rows.append([name, money(one), replicas, limit(kept), measured(kept), _growth(one.growing)])
    return rows


def _growth(growing: Growing | None) -> str:
    if growing is None:
        return "-"
    return f"{growing.held:.3g} x" if growing.broke is not None else f"{growing.held:.3g} x at least"


def limit(kept: Kept) -> str:
    """An objective as it is written."""
    if kept.quantity == "availability":
        return f"{kept.whose}: availability > {percent(kept.limit)}"
    if kept.quantity == "utilization":
        return f"{kept.whose}: CPU < {percent(kept.limit)}"
    return f"{kept.whose}: {kept.quantity} < {duration(kept.limit)}"


def measured(kept: Kept) -> str:
    """What was measured, with its bounds."""
    written = percent if kept.quantity in ("availability", "utilization") else duration
    return _with_bounds(kept.estimate, written)


def _with_bounds(estimate: Estimate, written) -> str:  # type: ignore[no-untyped-def]
    if estimate.value is None:
        return "nothing"
    if estimate.low is None or estimate.high is None:
        return f"{written(estimate.value)} ({'approximate' if estimate.method == APPROXIMATE else 'no bounds'})"
    return f"{written(estimate.value)} ({written(estimate.low)} to {written(estimate.high)})"


def architecture_lines(plan: Plan, name: str) -> Iterator[str]:
    """One architecture's plan."""
    one = plan[name]
    choice = f", {', '.join(f'{path}={value}' for path, value in one.choice.items())}" if one.choice else ""
    yield f"{name}: {money(one)} a month{choice}; {_simulated(one)}"
    yield from table(part_rows(one), indent="  ")
    yield from (f"  {sentence}" for sentence in sentences_of(plan, name))


def sentences_of(plan: Plan, name: str) -> Iterator[str]:
    """Why nothing cheaper will do, how far the load can grow, and what was odd."""
    one = plan[name]
    cheaper = one.cheaper
    if cheaper is not None and cheaper.broken:
        yield f"next cheaper: {_difference(one.needed, cheaper)}: {_broke(cheaper)}"
    for growing, when in ((one.growing, plan.loss.told), (one.growing_full, "with all replicas there")):
        if growing is not None and (when == plan.loss.told or one.bought != one.needed):
            yield f"as load grows, {when}: {_breaks(growing)}"
    for odd in one.odd:
        yield f"not monotone here: {_difference(one.needed, odd)} misses: {_broke(odd)}"
    if name in plan.verified:
        again = plan.verified[name]
        word = "holds" if again.passed else "MISSES"
        kept = min(again.probe.kept, key=slack)
        yield (
            f"verified: {word} on seed {again.seed} with {again.probe.requests:,} requests: {limit(kept)}, "
            f"measured {measured(kept)}"
        )


def _simulated(one: Deployment | Infeasible) -> str:
    looked = f"{one.probes} deployments looked at"
    return f"{looked}, {one.requests:,} requests simulated" if one.requests else looked


def part_rows(one: Deployment) -> list[list[str]]:
    """A row a service: how many, how busy, and what one less breaks."""
    rows = [["service", "needed", "buy", "busy", "with one less", "with one more"]]
    used = {kept.whose: kept.estimate.value for kept in one.probe.kept if kept.quantity == "utilization"}
    tightest = one.tightest
    for step in one.steps:
        busy = used.get(step.name)
        rows.append(
            [
                step.name,
                str(one.needed[step.name]),
                str(one.bought[step.name]),
                "-" if busy is None else percent(busy),
                "-" if step.less is None else ("holds" if step.less.holds else _broke(step.less)),
                "-" if step.more is None else _same(step.more, tightest),
            ]
        )
    return rows


def _same(probe: Probe, tightest: Kept) -> str:
    """The tightest objective in another deployment."""
    for kept in probe.kept:
        if (kept.whose, kept.quantity) == (tightest.whose, tightest.quantity):
            return f"{tightest.quantity} {_short(kept)}"
    return "-"


def _short(kept: Kept) -> str:
    value = kept.estimate.value
    if value is None:
        return "unknown"
    return percent(value) if kept.quantity in ("availability", "utilization") else duration(value)


def _broke(probe: Probe) -> str:
    """What is not kept, the first of it."""
    if probe.unstable:
        return "requests pile up"
    if not probe.broken:
        return "holds"
    kept = probe.broken[0]
    sure = "" if kept.judgement == "missed" else " (not surely kept)"
    return f"{kept.whose}: {_named(kept)} {_short(kept)}{sure}"


def _named(kept: Kept) -> str:
    return "CPU" if kept.quantity == "utilization" else kept.quantity


def _difference(counts, probe: Probe) -> str:  # type: ignore[no-untyped-def]
    changes = [f"{name} {counts[name]} -> {n}" for name, n in probe.counts.items() if n != counts[name]]
    more = f" and {len(changes) - _PARTS} more" if len(changes) > _PARTS else ""
    return ", ".join(changes[:_PARTS]) + more


def _breaks(growing: Growing) -> str:
    if growing.broke is None:
        return f"everything is kept up to {growing.held:.3g} times the load, the largest that was looked at"
    first = growing.first[0] if growing.first else None
    what = "requests pile up" if first is None else f"{limit(first)} is not kept, measured {_short(first)}"
    return f"kept up to {growing.held:.3g} times the load; at {growing.broke:.3g} {what}"


def infeasible_lines(name: str, one: Infeasible) -> Iterator[str]:
    """Why there is no plan, and what would be the nearest that there is one for."""
    why = f" {one.why}" if one.why else ""
    yield f"{name}: no plan{why}; {_simulated(one)}"
    for kept in one.nearest:
        yield f"  {limit(kept)} is not kept: measured {measured(kept)}; {_would(kept)}"


def _would(kept: Kept) -> str:
    """The nearest objective that the largest deployment keeps."""
    estimate = kept.estimate
    if kept.quantity == "availability":
        return "no bound" if estimate.low is None else f"availability > {percent(estimate.low)} would be"
    if estimate.high is None or math.isinf(estimate.high):
        return "no limit would be kept: requests fail"
    return f"{kept.quantity} < {duration(estimate.high)} would be"


def sentences(plan: Plan) -> Sequence[str]:
    """Notes and the way to repeat it."""
    return (*plan.notes, f"repeat: {plan.command}")
