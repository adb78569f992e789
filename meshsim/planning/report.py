"""Plans as text: what to buy, why not less, how sure that is, and how long it will do."""

from __future__ import annotations

import math
from collections.abc import Iterator, Mapping, Sequence
from typing import Final

from meshsim.analytic.result import APPROXIMATE
from meshsim.planning.probing import Kept, Probe, slack
from meshsim.planning.result import Deployment, Growing, Infeasible, Plan, Scenario, Step, Verified
from meshsim.results.intervals import Estimate
from meshsim.results.quantiles import quantile_share
from meshsim.results.text import counted, duration, percent, table

_PARTS: Final = 4  # of a deployment, in a sentence
_CENT: Final = 0.005  # less than half of one is not told


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
    if plan.engine == "analytic":
        parts.append("bills of cores and memory alone")
    how = f"{plan.duration_s:.3g} s a replication, engine {plan.engine}, seed {plan.seed}"
    if plan.engine == "analytic":
        how = "engine analytic, approximate: nothing was simulated"
    return f"{plan.name} · plan for {', '.join(parts)} · {how}"


def verdict(plan: Plan) -> str:
    """The answer, in a line."""
    best = plan.best
    if best is None and all(one.is_too_short for one in plan.infeasible.values()):
        return (
            "verdict: infeasible: too little was simulated to show that any plan keeps every objective: give a longer "
            "--duration"
        )
    if best is None:
        return "verdict: infeasible: nothing that was looked at keeps every objective"
    failed = [name for name, one in plan.verified.items() if not one.passed]
    if failed:
        return f"verdict: not verified: on fresh seeds the plan of {', '.join(failed)} misses an objective"
    told = (
        f"verdict: {best} is cheapest{_tied(plan)}, {money(plan[best])} a month"
        if len(plan.architectures) > 1
        else (f"verdict: {money(plan[best])} a month")
    )
    if not plan.verified:
        return told
    open_ones = [name for name, one in plan.verified.items() if one.judgement == "undecided"]
    return told + (
        f" · on fresh seeds nothing is surely missed; not surely kept by {', '.join(open_ones)}"
        if open_ones
        else " · verified on fresh seeds"
    )


def _tied(plan: Plan) -> str:
    """Architectures whose bills cannot be told apart from the cheapest."""
    others = plan.cheapest[1:]
    return f" (not told apart from {', '.join(others)})" if others else ""


def money(one: Deployment) -> str:
    """The bill of a month, with the longer arm of its interval where it has one of a cent or more."""
    return bill(one.cents.total, one.money, one.currency)


def bill(cents: int, money: Estimate, currency: str) -> str:
    """The same of whatever has a bill."""
    half = money.half
    return _money(cents, currency) + (f" ± {half:,.2f}" if half is not None and half >= _CENT else "")


def _money(cents: int, currency: str) -> str:
    sign = {"USD": "$", "EUR": "€", "GBP": "£"}.get(currency, f"{currency} ")
    return f"{sign}{cents / 100:,.2f}"


def overview(plan: Plan) -> list[list[str]]:
    """A row an architecture, cheapest first."""
    rows = [
        ["architecture", "a month (± at 99 %)", "replicas", "tightest", "measured (99 % bounds)", "load can grow to"]
    ]
    for name, one in sorted(plan.deployments.items(), key=lambda item: item[1].cents.total):
        kept = one.tightest
        rows.append([name, money(one), str(one.replicas), limit(kept), measured(kept), _growth(one.growing)])
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
    if estimate.low == estimate.high:  # nothing that could fail: no number of requests says more
        return f"{written(estimate.value)} (certain)"
    return f"{written(estimate.value)} ({written(estimate.low)} to {written(estimate.high)})"


def architecture_lines(plan: Plan, name: str) -> Iterator[str]:
    """One architecture's plan."""
    one = plan[name]
    choice = f", {', '.join(f'{path}={value}' for path, value in one.choice.items())}" if one.choice else ""
    yield f"{name}: {money(one)} a month{choice}; {_simulated(one)}"
    yield from table(part_rows(one), indent="  ")
    yield from (f"  {sentence}" for sentence in sentences_of(plan, name))
    if plan.scenarios.get(name):
        yield f"  {uncertain_told(plan, name)}"
        yield from table(scenario_rows(plan, name), indent="    ")
        yield f"  {safe_told(plan, name)}"


def uncertain_told(plan: Plan, name: str) -> str:
    """How often the plan holds where uncertain inputs are not at mid."""
    scenarios = plan.scenarios[name]
    held = sum(one.holds for one in scenarios)
    return f"{counted(len(plan.uncertain), 'uncertain input')}: the plan holds in {held} of {len(scenarios)} scenarios"


def scenario_rows(plan: Plan, name: str) -> list[list[str]]:
    """A row a scenario: whether the plan holds there, what would be planned for it, and the regret."""
    rows = [["scenario", "this plan", "its own plan", "replicas a month", "regret a month"]]
    for one in plan.scenarios[name]:
        cost = "-" if one.cost is None else _money(one.cost, one.currency)
        regret = _money(one.regret, one.currency) if one.regret is not None else _not_held(one.probe)
        rows.append([one.name, _broke(one.probe), _own(plan[name], one), cost, regret])
    return rows


def _not_held(probe: Probe) -> str:
    return "misses" if probe.judgement == "missed" else "not surely kept"


def _own(mid: Deployment, one: Scenario) -> str:
    if one.needed is None:
        return f"none {one.why}".rstrip()
    return _other(mid, one.choice or {}, one.needed) or "the same"


def _other(mid: Deployment, choice: Mapping[str, str], needed: Mapping[str, int]) -> str:
    """What another deployment has otherwise than the plan."""
    changes = [f"{path}={value}" for path, value in choice.items() if mid.choice.get(path) != value]
    changes += [f"{name} {mid.needed[name]} -> {count}" for name, count in needed.items() if mid.needed[name] != count]
    more = f" and {len(changes) - _PARTS} more" if len(changes) > _PARTS else ""
    return ", ".join(changes[:_PARTS]) + more


def safe_told(plan: Plan, name: str) -> str:
    """What it costs to be safe in all scenarios."""
    safe = plan.safe.get(name)
    if safe is None:
        hopeless = [one.name for one in plan.scenarios[name] if one.needed is None]
        why = f": there is no plan for {', '.join(hopeless[:_PARTS])}" if hopeless else ""
        return f"nothing that was looked at is safe in all of them{why}"
    other = _other(plan[name], safe.choice, safe.needed)
    if not other:
        return "this plan is safe in all of them"
    cost, mid_cost = (_money(cents, safe.currency) for cents in (safe.cost, safe.mid_cost))
    more = f"{_money(abs(safe.more), safe.currency)} a month {'more' if safe.more >= 0 else 'less'}"
    return f"to be safe in all of them costs {more}: {other} needed (replicas {cost} a month, of this plan {mid_cost})"


def sentences_of(plan: Plan, name: str) -> Iterator[str]:
    """Why nothing cheaper will do, how far the load can grow, and what was odd."""
    one = plan[name]
    yield "keeps: " + "; ".join(f"{limit(kept)}: {measured(kept)}" for kept in one.probe.objectives)
    nearest = min(one.probe.kept, key=slack)
    if nearest.quantity == "utilization" and slack(nearest) < slack(one.tightest):
        yield f"nearest to its limit: {limit(nearest)}: {measured(nearest)}"
    cheaper = one.cheaper
    if cheaper is not None and cheaper.broken:
        yield f"next cheaper: {_difference(one.needed, cheaper)}: {_broke(cheaper)}"
    for growing, when in ((one.growing, plan.loss.told), (one.growing_full, "with all replicas there")):
        if growing is not None and (when == plan.loss.told or one.bought != one.needed):
            yield f"as load grows, {when}: {_breaks(growing)}"
    if one.growing_full is None and one.bought != one.needed and not one.full.holds:
        yield f"with all replicas there: {_broke(one.full)}"
    for odd in one.odd:
        yield f"not monotone here: {_difference(one.needed, odd)} misses: {_broke(odd)}"
    if name in plan.verified:
        again = plan.verified[name]
        word = {"met": "holds", "missed": "MISSES", "undecided": "is not surely missed, and not surely kept,"}
        looked = f"on seed {again.seed} with {again.worse.requests:,} requests"
        yield f"verified: {word[again.judgement]} {looked}{_whole(again)}: {_tightest(again)}"


def missed(again: Verified) -> str:
    """What a plan misses on fresh seeds."""
    return f"{again.worse.unstable or _tightest(again)}{_whole(again)}"


def _tightest(again: Verified) -> str:
    probe = again.worse
    kept = min(probe.objectives if again.passed else probe.kept, key=slack)
    return f"{limit(kept)}, measured {measured(kept)}"


def _whole(again: Verified) -> str:
    return ", with all replicas there" if again.worse is again.full else ""


def _simulated(one: Deployment | Infeasible) -> str:
    looked = f"{counted(one.probes, 'deployment')} looked at"
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
                named(step.name, one.versions),
                str(one.needed[step.name]),
                str(one.bought[step.name]),
                "-" if busy is None else percent(busy),
                "-" if step.less is None else _less(step),
                "-" if step.more is None else _same(step.more, tightest),
            ]
        )
    return rows


def named(name: str, versions: Mapping[str, Mapping[str, int]]) -> str:
    """A service, with what counts as one of it if it has several versions."""
    each = versions.get(name)
    if not each:
        return name
    told = [version if count == 1 else f"{count} {version}" for version, count in each.items()]
    return f"{name} ({' + '.join(told)})"


def _less(step: Step) -> str:
    """What one replica less breaks; where that is not sure, the nearest count that surely breaks something."""
    assert step.less is not None
    told = _broke(step.less)
    if step.less.judgement == "missed":
        return told
    if step.missed is None:
        return f"{told}; by a first look fewer do not surely miss either"
    return f"{told}; with {step.missed.counts[step.name]} left: {_broke(step.missed)}"


def _same(probe: Probe, tightest: Kept) -> str:
    """The tightest objective in another deployment, and whether that is shown to hold."""
    word = {"met": "", "undecided": ", undecided", "missed": ", misses"}[probe.judgement]
    for kept in probe.kept:
        if (kept.whose, kept.quantity) == (tightest.whose, tightest.quantity):
            return f"{tightest.quantity} {_short(kept)}{word}"
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
    return f"{kept.whose}: {_named(kept)} {_short(kept)}{_unsure(kept)}"


def _unsure(kept: Kept) -> str:
    """That an objective is neither surely kept nor surely missed, and how bad it may be."""
    if kept.judgement == "missed":
        return ""
    worst = _worst(kept)
    return f" (not surely kept: {worst} at worst)" if worst else " (not surely kept)"


def _worst(kept: Kept) -> str:
    """What cannot be excluded of an objective; empty where nothing is known of that."""
    bound = kept.within.low if kept.within is not None else kept.estimate.low
    if kept.within is not None and bound is not None and bound >= quantile_share(kept.quantity):
        return ""  # the share alone would be sure enough: what is missing is a bound of the quantile
    if kept.quantity == "availability" and kept.estimate.low is not None:
        return percent(kept.estimate.low)
    if kept.estimate.high is not None and kept.estimate.high > kept.limit:
        return duration(kept.estimate.high)
    return "" if bound is None else f"by {percent(bound)} of requests"


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
    what = "requests pile up" if first is None else _not_kept(first)
    return f"kept up to {growing.held:.3g} times the load; at {growing.broke:.3g} {what}"


def _not_kept(kept: Kept) -> str:
    if kept.judgement == "missed":
        return f"{limit(kept)} is not kept, measured {measured(kept)}"
    why = f": {kept.estimate.method}" if kept.estimate.high is None and kept.estimate.method else ""
    return f"{limit(kept)} is not surely kept, measured {measured(kept)}{why}"


def infeasible_lines(name: str, one: Infeasible) -> Iterator[str]:
    """Why there is no plan, and what would be the nearest that there is one for."""
    why = f" {one.why}" if one.why else ""
    yield f"{name}: no plan{why}; {_simulated(one)}"
    for kept in one.nearest:
        if kept.judgement == "undecided":
            yield f"  {limit(kept)} cannot be shown by so many requests: measured {measured(kept)}; {_would(kept)}"
        else:
            yield f"  {limit(kept)} is not kept: measured {measured(kept)}; {_would(kept)}"


def _would(kept: Kept) -> str:
    """The nearest objective that the largest deployment keeps."""
    estimate = kept.estimate
    if estimate.method == APPROXIMATE and estimate.value is not None and math.isfinite(estimate.value):
        return f"{kept.quantity} {_short(kept)} would be, by the estimate"
    if kept.quantity == "availability":
        return "no bound" if estimate.low is None else f"availability > {percent(estimate.low)} would be"
    if estimate.high is None:
        return "too few requests to promise anything: give a longer --duration"
    if math.isinf(estimate.high):
        return "no limit would be kept: requests fail"
    return f"{kept.quantity} < {duration(estimate.high)} would be"


def sentences(plan: Plan) -> Sequence[str]:
    """Notes and the way to repeat it."""
    return (*plan.notes, f"repeat: {plan.command}")
