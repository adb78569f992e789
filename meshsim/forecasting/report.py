"""Forecasts as text: what runs out when, what is bought, what it costs, and from where on another is better."""

from __future__ import annotations

import math
from collections.abc import Iterator, Mapping

from meshsim.forecasting.map_report import along_lines, along_rows, along_title, map_rows, map_title
from meshsim.forecasting.money import money
from meshsim.forecasting.result import Course, Crossover, Forecast, Month, NoCrossover, Planned, RunsOut
from meshsim.planning.report import bill, limit, measured, missed
from meshsim.results.text import counted, percent, table


def summary(found: Forecast) -> str:
    """Text for a terminal."""
    lines = [headline(found), verdict(found), "", *table(overview(found), indent=""), ""]
    for name in found.architectures:
        for scenario in found.scenarios:
            lines += [f"{name}, {scenario}: {total(found, found[name, scenario])}"]
            lines += [*table(month_rows(found, found[name, scenario]), indent="  "), ""]
    lines += [*failed_lines(found), *crossing_lines(found)]
    if found.map is not None:
        lines += ["", f"{map_title(found.map)}:", *table(map_rows(found), indent="  ")]
        lines += ["", f"{along_title(found)}:", *table(along_rows(found), indent="  "), "", *along_lines(found)]
    lines += [f"note: {note}" for note in found.notes]
    return "\n".join([*lines, f"repeat: {found.command}"])


def headline(found: Forecast) -> str:
    """What was asked."""
    start = found.told_load(1.0) if found.rate_per_s else f"{found.load:g} x the peak load of its clients"
    how = f"engine {found.engine}, seed {found.seed}, {found.requests:,} requests simulated"
    if found.engine == "analytic":
        how = "engine analytic, approximate: nothing was simulated, bills are of cores and memory alone"
    scenarios = ", ".join(
        f"{name} to {max(factors):.3g} x" if len(found.scenarios) > 1 else f"to {max(factors):.3g} x"
        for name, factors in found.scenarios.items()
    )
    return (
        f"{found.name} · forecast for {counted(found.months, 'month')} from {start} ({scenarios}), {found.loss.told}, "
        f"CPUs at most {percent(found.ceiling)} busy · {how}"
    )


def verdict(found: Forecast) -> str:
    """The answer, in a line."""
    totals = {name: found[name].total_cents for name in found.architectures}
    known = {name: cents for name, cents in totals.items() if cents is not None}
    failed = [name for name in found.architectures if not _verified(found, name)]
    if failed:
        return f"verdict: not verified: on fresh seeds a plan of {', '.join(failed)} misses an objective"
    if not known:
        return "verdict: infeasible: no architecture has a plan for every month"
    best = min(known, key=lambda name: known[name])
    cost = f"{money(found, known[best])} for {counted(found.months, 'month')}"
    which = f"{best} is cheapest, {cost}" if len(totals) > 1 else cost
    return f"verdict: {which}; what is there today {_when(found[best].runs_out)}"


def _verified(found: Forecast, name: str) -> bool:
    plans = (month.planned for scenario in found.scenarios for month in found[name, scenario].months)
    return all(plan is None or plan.verified is not False for plan in plans)


def _when(out: RunsOut | None) -> str:
    if out is None:
        return "is enough throughout"
    return "is not enough now" if out.month == 0 else f"runs out in month {out.month}"


def total(found: Forecast, course: Course) -> str:
    """What all months cost, or why there is no plan."""
    cents = course.total_cents
    if cents is not None:
        return f"{money(found, cents)} for {counted(found.months, 'month')}"
    first = next(month for month in course.months if month.planned is None)
    return f"no plan from month {first.number} on: {first.why}" if first.number else f"no plan: {first.why}"


def overview(found: Forecast) -> list[list[str]]:
    """A row an architecture and scenario."""
    rows = [
        ["architecture", "scenario", "today carries", "runs out", "first", "bill today", "last month", "all months"]
    ]
    for name in found.architectures:
        for scenario in found.scenarios:
            course = found[name, scenario]
            bills = [course.months[number].planned for number in (0, -1)]
            rows.append(
                [
                    name,
                    scenario,
                    carries(found, name),
                    "-" if course.runs_out is None else f"month {course.runs_out.month}",
                    first(course.runs_out),
                    *("no plan" if one is None else money(found, one.cents) for one in bills),
                    "no plan" if course.total_cents is None else money(found, course.total_cents),
                ]
            )
    return rows


def carries(found: Forecast, name: str) -> str:
    """The bracket of what today's deployment carries."""
    one = found.carries[name]
    if one.held is None:
        return "not today's load"
    held = found.told_load(one.held)
    return f"{held} at least" if one.broke is None else f"{held}, not {found.told_load(one.broke)}"


def first(out: RunsOut | None) -> str:
    """What is not kept first."""
    if out is None:
        return "-"
    if out.first and not out.why:
        return f"{limit(out.first[0])}: {measured(out.first[0])}"
    return out.why or "unknown"


def month_rows(found: Forecast, course: Course) -> list[list[str]]:
    """A row a month."""
    rows = [
        [
            "month",
            "requests/s" if found.rate_per_s else "load",
            "a month (99 % bounds)",
            "buys (- gives back)",
            "for",
            "replicas",
        ]
    ]
    for month in course.months:
        load = f"{month.load * found.rate_per_s:,.4g}" if found.rate_per_s else f"{month.load:.3g} x"
        if month.planned is None:
            rows.append([str(month.number), load, "no plan", month.why or "-", "-", "-"])
            continue
        spent = "-" if not month.spent_cents else ("+" * (month.spent_cents > 0)) + money(found, month.spent_cents)
        replicas = ", ".join(f"{name} {count}" for name, count in month.planned.bought.items())
        rows.append([str(month.number), load, _bill(month.planned), buys(course, month), spent, replicas])
    return rows


def _bill(planned: Planned) -> str:
    return bill(planned.cents, planned.money, planned.currency)


def buys(course: Course, month: Month) -> str:
    """What is bought in a month, and what is chosen otherwise than before."""
    words = [f"{count:+d} {name}" for name, count in month.purchases.items()]
    before = course.months[month.number - 1].planned if month.number else None
    if month.planned is not None and before is not None:
        words += _chosen(before.choice, month.planned.choice)
    return ", ".join(words) or "-"


def _chosen(before: Mapping[str, str], after: Mapping[str, str]) -> Iterator[str]:
    yield from (f"{path} {before.get(path)} -> {value}" for path, value in after.items() if before.get(path) != value)


def failed_lines(found: Forecast) -> Iterator[str]:
    """What plans miss on fresh seeds."""
    for (name, scenario), course in found.courses.items():
        for month in course.months:
            proof = None if month.planned is None else month.planned.proof
            if proof is not None and not proof.passed:
                which = f"{name}, {scenario}, month {month.number}"
                yield f"not verified: the plan of {which}, on seed {proof.seed}: {missed(proof)}"


def crossing_lines(found: Forecast) -> Iterator[str]:
    """Every crossover, and who has none."""
    yield from (crossing(found, one) for one in found.crossovers)
    yield from (no_crossing(found, one) for one in found.no_crossovers)


def crossing(found: Forecast, one: Crossover) -> str:
    """From where on another is better, and how sure that place is."""
    up_to = "on" if one.is_last else f"to {found.told_load(one.until)}"
    place = f"from {found.told_load(one.high)} {up_to}"
    seen = f"not yet at {found.told_load(one.low)}"
    if one.quantity == "cost":
        before, after = (money(found, value) for value in one.values)
        amounts = (
            f"{after} against {before} a month" if "no plan" not in before else f"{after} a month; the other: no plan"
        )
        return f"{place} {one.after} is cheaper than {one.before} ({amounts}); {seen}"
    worse, better = one.values
    against = "the other misses one" if math.isinf(worse) else f"against {percent(worse)}"
    return (
        f"{place} {one.after} as it is today is further from its limits than {one.before} (its tightest objective uses "
        f"{percent(better)} of its limit, {against}); {seen}"
    )


def no_crossing(found: Forecast, one: NoCrossover) -> str:
    """Two that do not change places."""
    up_to = f"no crossover up to {found.told_load(one.until)}"
    if one.better is None:
        what = f"cannot be told apart by {'their bills' if one.quantity == 'cost' else 'their tightest objective'}"
        return f"{up_to}: {one.one} and {one.other} {what}"
    worse = one.other if one.better == one.one else one.one
    if one.quantity == "cost":
        return f"{up_to}: {one.better} is cheaper than {worse} wherever they differ"
    return f"{up_to}: {one.better} as it is today is further from its limits than {worse} wherever they surely differ"
