"""The sections of a page: what each study found, in its own words, tables and charts."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from functools import partial
from typing import Final

from meshsim.blasts import report as blast_report
from meshsim.blasts.result import Blast
from meshsim.costs import report as cost_report
from meshsim.costs.result import Costs
from meshsim.interference import report as tenants_report
from meshsim.interference.result import Interference
from meshsim.planning import report as plan_report
from meshsim.planning.result import Plan
from meshsim.reports.asked import Asked, Part
from meshsim.reports.assumptions import assumptions
from meshsim.reports.blocks import Block, Picture, Points, Section, Table
from meshsim.reports.findings import Findings
from meshsim.reports.pictures import drawn
from meshsim.reports.warnings import warnings
from meshsim.results.comparison import Comparison
from meshsim.results.report import judgement
from meshsim.results.result import Result
from meshsim.results.text import amount, duration_interval, number, percent_interval, size

TITLES: Final[dict[Part, tuple[str, str]]] = {
    "compare": (
        "Architectures compared",
        "The same requests under each; differences are paired, request by request.",
    ),
    "blast": (
        "Blast radius",
        "Every kind of fault strikes, one at a time: who goes down with it, and for how long.",
    ),
    "cost": (
        "The bill",
        "What is deployed costs so much a month by the prices below, and this is whose part of it is whose.",
    ),
    "plan": (
        "The plan",
        "The cheapest replicas with which every objective holds at peak load when something is lost, proven by "
        "simulation.",
    ),
    "tenants": (
        "Neighbours",
        "Each tenant is taken away in turn: what the others met because it was there.",
    ),
    "map": (
        "The topology",
        "Services, proxies and calls; colours say how busy CPUs are.",
    ),
}


def sections(asked: Asked, found: Findings) -> Iterator[Section]:
    """All that follow the verdict."""
    makers: dict[Part, Callable[[Asked, Findings], Section]] = {
        "compare": _compare,
        "blast": _blast,
        "cost": _cost,
        "plan": _plan,
        "tenants": _tenants,
        "map": _map,
    }
    for part in asked.parts:
        title, lead = TITLES[part]
        error = found.errors.get(part)
        if error is None:
            yield makers[part](asked, found)
        else:
            yield Section(part, title, lead, missing=str(error))
    yield Section(
        "assumptions",
        "Assumptions and sources",
        "What the numbers stand on. What is assumed is a guess: replace it by what you measure.",
        assumptions(asked, found),
    )
    told = list(warnings(asked, found))
    lead = "What to know before acting on this page." if told else "None: every run was stable and long enough."
    yield Section("warnings", "Warnings", lead, [Points(told)] if told else [])


def _section(part: Part, blocks: Sequence[Block], command: str) -> Section:
    title, lead = TITLES[part]
    return Section(part, title, lead, blocks, command=command)


# -- the comparison --------------------------------------------------------------------------------------------------


def _compare(asked: Asked, found: Findings) -> Section:
    comparison = found.comparison
    assert comparison is not None  # or there is an error
    main, *others = comparison.tables()
    results = comparison.results
    blocks: list[Block] = [
        Table(f"{comparison.headline()}; ± and ranges are intervals", main),
        Table("Proxies: what they use, and what is requested for them", list(_proxies(results))),
        *(Table(rows[0][0].capitalize(), rows) for rows in others),
        *_objectives(results),
        *_by_tenant(results),
        Points([*comparison.sentences(), *comparison.verdict]),
        *_compared_charts(comparison),
    ]
    return _section("compare", blocks, comparison.command)


def _proxies(results: dict[str, Result]) -> Iterator[list[str]]:
    yield ["architecture", "replicas", "cores in use", "cores requested", "memory in use", "memory requested"]
    for name, one in results.items():
        proxies = one.proxies
        if not proxies.replicas:
            yield [name, "0", *["none"] * 4]
            continue
        yield [
            name,
            f"{proxies.replicas:g}",
            amount(proxies.cores.estimate, "").strip(),
            number(proxies.cores_requested),
            size(proxies.memory_bytes),
            size(proxies.memory_requested_bytes),
        ]


def _objectives(results: dict[str, Result]) -> Iterator[Table]:
    rows = [
        [name, *judgement(tenant, judged)]
        for name, one in results.items()
        for tenant, group in one.by_tenant.items()
        for judged in group.objectives
    ]
    if rows:
        head = ["architecture", "judgement", "objective", "measured"]
        yield Table("Objectives: met or missed where the interval decides it", [head, *rows])


def _by_tenant(results: dict[str, Result]) -> Iterator[Table]:
    tenants = list(dict.fromkeys(name for one in results.values() for name in one.by_tenant))
    if len(tenants) < 2:
        return
    rows = [["tenant", "architecture", "requests", "p50", "p99", "availability"]]
    for tenant in tenants:
        for name, one in results.items():
            group = one.by_tenant[tenant]
            latencies = [duration_interval(group.latency_s[quantity]) for quantity in ("p50", "p99")]
            available = percent_interval(group.availability.estimate)
            rows.append([tenant, name, f"{group.requests:,}", *latencies, available])
    yield Table("Each tenant's requests", rows)


def _compared_charts(comparison: Comparison) -> Iterator[Block]:
    names = ", ".join(comparison.results)
    yield drawn("latency", f"Distribution of latencies under {names}", comparison.plot_latency)
    if comparison.differences:
        baseline = next(iter(comparison.results))
        yield drawn("difference", f"Differences from {baseline} with their intervals", comparison.plot_differences)
    for number_of, (name, one) in enumerate(comparison.results.items()):
        yield drawn(f"time{number_of}", f"Where the time of a request goes under {name}", one.plot_time)
    for number_of, (name, one) in enumerate(comparison.results.items()):
        if one.timeline is not None and one.timeline.incident is not None:
            yield drawn(f"events{number_of}", f"What happened under {name}", one.plot_timeline)


# -- the other parts -------------------------------------------------------------------------------------------------


def _blast(asked: Asked, found: Findings) -> Section:
    blast = found.blast
    assert blast is not None
    blocks: list[Block] = [
        Table(
            f"How far faults reach. {blast_report.headline(blast)}",
            blast_report.reach_rows(blast),
            blast_report.REACH_TOLD,
        ),
        *_fates(blast),
        Table(
            "The worst: first what nobody noticed or what did not recover, then by error-minutes",
            blast_report.worst_rows(blast, blast_report.WORST),
            blast_report.WORST_TOLD,
        ),
        Points(list(blast_report.sentences(blast))),
    ]
    return _section("blast", blocks, asked.command("blast", replications=False))


def _fates(blast: Blast) -> Iterator[Picture | Points]:
    """A chart for each rollout: all architectures beside each other."""
    pushed: list[str | None] = list(dict.fromkeys(cell.rollout for cell in blast.cells if cell.rollout))
    for number_of, rollout in enumerate(pushed or [None]):
        caption = "Shared fate: the share of each tenant's requests that each fault harms, under each architecture"
        caption += f"; pushes {rollout}" if rollout else ""
        yield drawn(f"fate{number_of}", caption, partial(blast.plot_matrix, rollout=rollout))


def _cost(asked: Asked, found: Findings) -> Section:
    costs = found.costs
    assert costs is not None
    blocks: list[Block] = [Table(told.title, told.rows) for told in cost_report.tables(costs)]
    blocks = [*_cost_charts(costs), *blocks, Points([cost_report.headline(costs), *cost_report.sentences(costs)])]
    return _section("cost", blocks, asked.command("cost"))


def _cost_charts(costs: Costs) -> Iterator[Block]:
    yield drawn("bill", "Bills by tenant", costs.plot_stacked)
    yield drawn("items", "Bills by what is bought", partial(costs.plot_stacked, by="item"))
    if "none" in costs.costs:
        for number_of, name in enumerate(name for name in costs.costs if name != "none"):
            draw = partial(costs.plot_waterfall, architecture=name)
            yield drawn(f"tax{number_of}", f"What {name} adds to the bill of none", draw)


def _plan(asked: Asked, found: Findings) -> Section:
    plan = found.plan
    assert plan is not None
    blocks: list[Block] = [Points([plan_report.headline(plan), plan_report.verdict(plan)])]
    if plan.deployments:
        blocks.append(Table("Cheapest replicas that keep every objective", _overview(plan)))
    if len(plan.deployments) > 1:
        blocks.append(drawn("pareto", "Cost of each plan against its tightest objective", plan.plot_pareto))
    for number_of, name in enumerate(plan.deployments):
        blocks += _planned(plan, name, number_of)
    for name, nothing in plan.infeasible.items():
        blocks.append(Points([line.strip() for line in plan_report.infeasible_lines(name, nothing)]))
    if plan.notes:
        blocks.append(Points(plan.notes))
    return _section("plan", blocks, asked.command("plan", "--no-growth", replications=False))


def _overview(plan: Plan) -> list[list[str]]:
    """Without how far the load can grow, which a page does not look for."""
    return [row[:-1] for row in plan_report.overview(plan)]


def _planned(plan: Plan, name: str, number_of: int) -> Iterator[Block]:
    yield Table(f"{name}: what to buy, and what one replica less would break", plan_report.part_rows(plan[name]))
    caption = f"What one replica less and more of each service does under {name}"
    yield drawn(f"tornado{number_of}", caption, partial(plan.plot_tornado, architecture=name))
    told = [f"{name}: {sentence}" for sentence in plan_report.sentences_of(plan, name)]
    if told:
        yield Points(told)
    if plan.scenarios.get(name):
        yield Table(f"{name}: {plan_report.uncertain_told(plan, name)}", plan_report.scenario_rows(plan, name))
        yield Points([f"{name}: {plan_report.safe_told(plan, name)}"])


def _tenants(asked: Asked, found: Findings) -> Section:
    tenants = found.tenants
    assert tenants is not None
    blocks: list[Block] = [
        Points([tenants_report.headline(tenants)]),
        drawn("neighbours", "What each tenant does to the p99 of each other one", tenants.plot_matrix),
        *(Table(title, rows) for title, rows in tenants_report.matrices(tenants)),
        *_harms(tenants),
        Points(list(tenants_report.sentences(tenants))),
    ]
    return _section("tenants", blocks, asked.command("tenants", "--no-headroom"))


def _harms(tenants: Interference) -> Iterator[Block]:
    rows = tenants_report.harm_rows(tenants, tenants_report.MOST)
    if len(rows) > 1:
        yield Table(tenants_report.HARM_TITLE, rows)


def _map(asked: Asked, found: Findings) -> Section:
    assert found.comparison is not None
    blocks = [
        drawn(f"map{number_of}", f"{asked.spec.name} under {name}, with the CPU utilization of each station", draw)
        for number_of, (name, draw) in enumerate((name, one.plot_topology) for name, one in found.results.items())
    ]
    return _section("map", blocks, found.comparison.command)
