"""The verdict of a report: what is decided, by which figure, and what is not."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Final

from meshsim.blasts.report import NOTHING_TO_PUSH_TO
from meshsim.costs.report import money
from meshsim.costs.result import Costs
from meshsim.planning.report import limit, measured
from meshsim.planning.report import money as planned_money
from meshsim.planning.result import Infeasible, Plan
from meshsim.reports.findings import Findings
from meshsim.results.comparison import lowest, objectives_told, why_unknown
from meshsim.results.report import judgement
from meshsim.results.result import Result
from meshsim.results.text import duration_interval
from meshsim.results.verdict import HOPELESS

_AT_ONCE: Final = (
    "each difference holds for itself; to say who is lowest of all, all of them must hold at once, which takes more "
    "requests"
)
NO_SIDE: Final = (
    "meshsim takes no side: which of these weighs most is yours to say, and what a mesh is for besides (encryption, "
    "identity, telemetry) is not weighed here."
)


@dataclass(frozen=True, slots=True)
class Criterion:
    """One thing that architectures can be told apart by.

    Attributes
    ----------
    name
        Of it, as the page has it.
    first
        Who may come first: one if that is decided, several if it is not, nobody if this decides nothing.
    told
        Sentences, with intervals.
    unknown
        Why nobody knows who may come first, where this would decide.
    """

    name: str
    first: tuple[str, ...]
    told: tuple[str, ...]
    unknown: str = ""


def criteria(found: Findings) -> list[Criterion]:
    """All that can be told of what was found."""
    told = [_latency, _objectives, _bill, _plan, _blast, _neighbours]
    return [one for criterion in told for one in criterion(found)]


def headline(found: Findings) -> str:
    """The verdict in a sentence or two, and what speaks against those that come first."""
    if len(found.results) == 1:
        return _alone(next(iter(found.results.values())))
    return " ".join([_order(found), *_against(found.results)])


def _order(found: Findings) -> str:
    """Who comes first by what."""
    told = criteria(found)
    decided = {one.name: one.first[0] for one in told if len(one.first) == 1}
    tied = [f"{one.name}, between {_listed([f'“{name}”' for name in one.first])}" for one in told if len(one.first) > 1]
    tied += [f"{one.name}, {one.unknown}" for one in told if one.unknown]
    open_ = f" Not decided: {'; '.join(tied)}." if tied else ""
    if not decided:
        return f"Nothing that was simulated decides between the architectures.{open_}"
    if len(set(decided.values())) == 1:
        winner = next(iter(decided.values()))
        return f"By {_listed(list(decided))} “{winner}” comes first.{open_}"
    by_name = [
        f"by {_listed([name for name, one in decided.items() if one == winner])} “{winner}”"
        for winner in dict.fromkeys(decided.values())
    ]
    return f"No architecture comes first in everything: {', '.join(by_name)}.{open_}"


def _against(results: Mapping[str, Result]) -> Iterator[str]:
    """Who is no choice as it is: coming first says nothing of it."""
    unstable = [name for name, one in results.items() if one.verdict.word in HOPELESS]
    missed = [
        name
        for name, one in results.items()
        if any(judged.judgement == "missed" for group in one.by_tenant.values() for judged in group.objectives)
    ]
    for names, what in ((unstable, "unstable: requests pile up or are not answered"), (missed, "missing objectives")):
        if names and len(names) == len(results):
            yield f"All are {what}."
        elif names:
            yield f"{_listed([f'“{name}”' for name in names])} {'is' if len(names) == 1 else 'are'} {what}."


def _listed(names: Sequence[str]) -> str:
    return names[0] if len(names) == 1 else f"{', '.join(names[:-1])} and {names[-1]}"


def _alone(result: Result) -> str:
    """Of one architecture, whether it keeps what it is to keep."""
    words = [judged.judgement for group in result.by_tenant.values() for judged in group.objectives]
    if not result.verdict.ok:
        return f"“{result.architecture}” alone was simulated, and the run is {result.verdict.word}."
    if not words:
        return f"“{result.architecture}” alone was simulated: p99 is {duration_interval(result.latency_s['p99'])}."
    counts = [f"{words.count(word)} {word}" for word in ("met", "missed", "undecided") if word in words]
    return f"Under “{result.architecture}”, of {len(words)} objectives {', '.join(counts)}."


def _latency(found: Findings) -> Iterator[Criterion]:
    comparison = found.comparison
    if comparison is None:
        return
    if len(comparison.results) == 1:
        (one,) = comparison.results.values()
        told = [f"p99 {duration_interval(one.latency_s['p99'])}", f"mean {duration_interval(one.latency_s['mean'])}"]
        yield Criterion("p99", (), (f"{one.architecture}: {', '.join(told)}",))
        return
    results = list(comparison.results.values())
    first = lowest(results)
    told = [*comparison.verdict, *(difference.sentence() for difference in comparison.differences.values())]
    tied = [comparison.differences[name] for name in first if name in comparison.differences]
    if 0 < len(tied) < len(first) and any(not one.latency_s["p99"].includes_zero for one in tied):
        told.append(_AT_ONCE)  # the baseline is among them, and surely differs from another
    yield Criterion("p99", first, tuple(told), why_unknown(results))


def _objectives(found: Findings) -> Iterator[Criterion]:
    """Who keeps all objectives, where not everybody does."""
    results = found.results
    words = {
        name: [judged.judgement for group in one.by_tenant.values() for judged in group.objectives]
        for name, one in results.items()
    }
    if not any(words.values()):
        return
    if len(results) == 1:
        rows = (judgement(who, one) for r in results.values() for who, t in r.by_tenant.items() for one in t.objectives)
        yield Criterion("objectives", (), tuple(": ".join(row) for row in rows))
        return
    keep = [name for name, judged in words.items() if set(judged) == {"met"}]
    miss = [name for name, judged in words.items() if "missed" in judged]
    first = tuple(keep) if len(keep) == 1 and len(miss) == len(results) - 1 else ()
    yield Criterion("objectives", first, tuple(line.removeprefix("objectives, ") for line in objectives_told(results)))


def cheapest(costs: Costs) -> tuple[str, ...]:
    """Whose bill may be the smallest: those that are not surely dearer than the smallest, all of them at once."""
    best = min(costs.costs, key=lambda name: costs[name].per_hour)
    others = [name for name in costs.costs if name != best]
    more = {name: costs[name].more_than(costs[best], of=len(others)) for name in others}
    return (best, *(name for name, one in more.items() if one.low is None or one.low <= 0.0))


def _bill(found: Findings) -> Iterator[Criterion]:
    costs = found.costs
    if costs is None:
        return
    bills = ", ".join(f"{name} {money(one.money, one.currency)}" for name, one in costs.costs.items())
    if len(costs.costs) == 1:
        yield Criterion("bill as deployed", (), (f"{bills} a month",))
        return
    first = cheapest(costs)
    told = (
        f"{first[0]} costs least as it is deployed"
        if len(first) == 1
        else f"by bill these cannot be told apart: {', '.join(first)}"
    )
    yield Criterion("bill as deployed", first, (told, f"a month: {bills}"))


def _plan(found: Findings) -> Iterator[Criterion]:
    plan = found.plan
    if plan is None:
        return
    told = [_planned(plan, name) for name in plan.deployments]
    told += [f"{name}: {_no_plan(one)}" for name, one in plan.infeasible.items()]
    if len(plan.architectures) == 1 or plan.best is None:
        too_short = len(plan.architectures) > 1 and all(one.is_too_short for one in plan.infeasible.values())
        why = "since too little was simulated to show that any plan keeps every objective"
        yield Criterion("bill as planned", (), tuple(told), why if too_short and plan.best is None else "")
        return
    yield Criterion("bill as planned", plan.cheapest, tuple(told))


def _no_plan(one: Infeasible) -> str:
    """Why there is none: something is missed, or nothing was simulated long enough to show that it is kept."""
    if one.is_too_short:
        return "too little was simulated to show that any plan keeps every objective: give a longer duration"
    return "nothing that was looked at keeps every objective"


def _planned(plan: Plan, name: str) -> str:
    one = plan[name]
    kept = one.tightest
    return f"{name}: {planned_money(one)} a month keeps {limit(kept)}, measured {measured(kept)} at 99 %"


def _blast(found: Findings) -> Iterator[Criterion]:
    """How many faults reach how far."""
    blast = found.blast
    if blast is None:
        return
    several = len(blast.tenants) > 1
    told = [f"faults that harm {'several tenants' if several else 'the tenant'}:"]
    for name in blast.architectures:
        mine = [cell for cell in blast.cells if cell.architecture == name]
        pushed = list(dict.fromkeys(cell.rollout for cell in mine if cell.rollout))
        counts = []
        for rollout in dict.fromkeys(cell.rollout for cell in mine if cell.applies):
            cells = [cell for cell in mine if cell.rollout == rollout and cell.applies]
            far = sum(len(cell.harm.tenants) > several for cell in cells)
            counts.append(f"{far} of {len(cells)} {f'pushed {rollout}' if rollout else 'ordinary ones'}")
        if pushed and not any(cell.rollout and cell.applies for cell in mine):
            counts.append(f"pushed {' or '.join(pushed)}: {NOTHING_TO_PUSH_TO}")
        told.append(f"{name}: {'; '.join(counts)}")
    told.append("one run of each fault, so without intervals: it decides nothing by itself")
    yield Criterion("blast radius", (), tuple(told))


def _neighbours(found: Findings) -> Iterator[Criterion]:
    tenants = found.tenants
    if tenants is None:
        return
    told = []
    for name in tenants.architectures:
        mine = [cell for cell in tenants.cells if cell.architecture == name]
        harmed = [f"{cell.victim} by {cell.aggressor}" for cell in mine if cell.word == "harmed"]
        worse = sum(cell.word == "worse" for cell in mine)
        told.append(
            f"{name}: of {len(mine)} pairs {len(harmed)} harmed{f' ({_few(harmed)})' if harmed else ''}, {worse} worse"
        )
    yield Criterion("noisy neighbours", (), tuple(told))


def _few(names: Sequence[str], most: int = 3) -> str:
    more = f" and {len(names) - most} more" if len(names) > most else ""
    return ", ".join(names[:most]) + more
