"""Making out bills: simulates architectures, and says what they cost and for whom."""

from __future__ import annotations

import time
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Final

from meshsim.architectures import Architecture
from meshsim.costs.analysis import Analysis, analyse
from meshsim.costs.bill import Tariff
from meshsim.costs.book import PriceBook, Row, read_book, shipped_book
from meshsim.costs.lines import APP_CORES, PROXY_CORES, Buying
from meshsim.costs.result import Cost, Costs
from meshsim.costs.rules import Rule, check_rule
from meshsim.costs.tax import BASELINE, tax
from meshsim.engines import EngineName
from meshsim.errors import UsageError
from meshsim.model.load import load
from meshsim.model.topology import Topology
from meshsim.numbers import real_number
from meshsim.results.manifest import Timing
from meshsim.results.repeat import python_call
from meshsim.results.result import Result
from meshsim.results.verdict import HOPELESS, UNSTEADY
from meshsim.simulate import Progress, Source, compare, run

MOST_PEOPLE_HOURS: Final = 1e6  # a month


def cost(
    topology: Source,
    architectures: Sequence[str | Architecture] = (BASELINE,),
    *,
    rule: Rule = "proportional",
    prices: str | Path | PriceBook | None = None,
    nodes: str | None = None,
    nat: bool = False,
    people_hours: float = 0.0,
    engine: EngineName = "compiled",
    seed: int | None = None,
    replications: int | None = None,
    duration_s: float | None = None,
    warmup_s: float | None = None,
    jobs: int = 1,
    overrides: Sequence[str] = (),
    progress: Progress | None = None,
    quiet: bool = False,
) -> Costs:
    """Say what architectures cost a month, which tenant causes how much of it, and how far usual splits are off.

    What is deployed is billed by a price book. What tenants use by themselves (CPU, cache bytes, traffic) was counted
    in the simulation; what is idle or shared is divided by a rule. Intervals are over replications.

    Parameters
    ----------
    topology
        As of `meshsim.run`.
    architectures
        One or several; with ``none`` among them, the others are told as differences to it too.
    rule
        How idle and shared cost is divided: ``even``, ``proportional``, ``peak`` or ``shapley`` (exact, up to ten
        tenants); see `meshsim.costs.rules`.
    prices
        A file (or a book) whose rows replace those of the shipped price book. What the topology says under ``prices``
        goes before both.
    nodes
        Bill nodes of this type of the price book (``own``: the topology's ``nodes``, at ``prices: {node: …}``), packed
        first-fit decreasing; None: requested cores and GiB.
    nat
        Answers to clients leave through NAT gateways, one a zone.
    people_hours
        That people work on it a month.
    engine, seed, replications, duration_s, warmup_s, jobs, overrides, progress, quiet
        As of `meshsim.run`.

    Returns
    -------
    Costs

    Raises
    ------
    SpecError, UsageError, EngineLimit
        As `meshsim.run`, or the prices are wrong, or a rule or a type of node does not fit.
    StoreError
        The file of prices cannot be read.
    """
    arguments, started = dict(locals()), time.perf_counter()
    asked = _asked(load(topology, overrides=overrides), rule, prices, nodes, nat, people_hours)
    results = _simulated(asked.spec, architectures, {
        "engine": engine, "seed": seed, "replications": replications, "duration_s": duration_s, "warmup_s": warmup_s,
        "jobs": jobs, "progress": progress, "quiet": quiet,
    })  # fmt: skip
    command = python_call(
        cost,
        arguments,
        prices=prices.name if isinstance(prices, PriceBook) else prices,
        architectures=architectures,
        seed=results[0].manifest.seed,
        replications=results[0].manifest.replications,
    )
    return _costs(asked, results, command, Timing(round(time.perf_counter() - started, 3), jobs))


def bill(
    spec: Topology,
    results: Sequence[Result],
    *,
    rule: Rule = "proportional",
    prices: str | Path | PriceBook | None = None,
    nodes: str | None = None,
    nat: bool = False,
    people_hours: float = 0.0,
    command: str = "",
) -> Costs:
    """Make out the bills of what was simulated already: those of `cost` on the same seed, without simulating again.

    Parameters
    ----------
    spec
        What was simulated.
    results
        Of one or several architectures, as a comparison has them.
    rule, prices, nodes, nat, people_hours
        As of `cost`.
    command
        What repeats it.

    Returns
    -------
    Costs

    Raises
    ------
    SpecError, UsageError, StoreError
        As `cost`.
    """
    asked = _asked(spec, rule, prices, nodes, nat, people_hours)
    return _costs(asked, results, command, results[0].manifest.timing)


@dataclass(frozen=True, slots=True)
class _Asked:
    """What bills are asked for."""

    spec: Topology
    tariff: Tariff
    nodes: str | None
    how: Buying
    rule: Rule


def _asked(
    spec: Topology,
    rule: Rule,
    prices: str | Path | PriceBook | None,
    nodes: str | None,
    nat: bool,
    people_hours: float,
) -> _Asked:
    """Refuse what cannot be, before anything is simulated."""
    check_rule(rule, len(spec.senders))
    hours = real_number(people_hours, "people_hours")
    if not 0.0 <= hours <= MOST_PEOPLE_HOURS:
        raise UsageError(
            f"people_hours are hours a month, from 0 to {MOST_PEOPLE_HOURS:,.0f}, not {people_hours:,.15g}"
        )
    tariff = tariff_of(spec, prices, nodes)
    return _Asked(spec, tariff, nodes, Buying(tariff.node_type, tariff.core_weight, nat, hours), rule)


def _costs(asked: _Asked, results: Sequence[Result], command: str, timing: Timing) -> Costs:
    costs, rows = _analysed(asked, results)
    return Costs(
        name=asked.spec.name,
        digest=asked.spec.digest,
        costs=costs,
        rule=asked.rule,
        node=asked.nodes,
        book=asked.tariff.book.name,
        prices=tuple(rows),
        command=command,
        timing=timing,
    )


def _analysed(asked: _Asked, results: Sequence[Result]) -> tuple[dict[str, Cost], list[Row]]:
    """The bill of each architecture, and the rows of the price book that they needed."""
    found = [(result, analyse(asked.spec, result, asked.tariff, asked.how, asked.rule)) for result in results]
    lines = [line for _, one in found for line in one.mean.bill.lines]
    currency = asked.tariff.currency(lines)
    none = next((pair for pair in found if pair[0].architecture == BASELINE), None)
    costs = {}
    for result, one in found:
        notes = tuple(_notes(asked.spec, result, one))
        costs[result.architecture] = Cost(result.architecture, one, tax(result, one, none), result, currency, notes)
    return costs, asked.tariff.rows(lines)


def tariff_of(spec: Topology, prices: str | Path | PriceBook | None, nodes: str | None) -> Tariff:
    """The prices that a topology is billed by.

    Raises
    ------
    SpecError, UsageError
        As `cost`.
    """
    book = shipped_book()
    if prices is not None:
        book = book.replaced(prices if isinstance(prices, PriceBook) else read_book(prices))
    book = book.for_topology(spec)
    return Tariff(book, None if nodes is None else book.node(nodes))


def _simulated(
    spec: Topology, architectures: Sequence[str | Architecture], keywords: dict[str, object]
) -> list[Result]:
    if not architectures:
        raise UsageError("there are no architectures: give one at least, e.g. sidecar")
    if len(architectures) == 1:
        return [run(spec, architectures[0], **keywords)]  # type: ignore[arg-type]
    found = compare(spec, architectures, **keywords)  # type: ignore[arg-type]
    return list(found.results.values())


def _notes(spec: Topology, result: Result, found: Analysis) -> list[str]:
    word = result.verdict.word
    notes = [f"the run is {word}: what is used is that of no steady state"] if word in (*UNSTEADY, *HOPELESS) else []
    if not found.mean.rates.requests_per_s.any():
        notes = ["no requests were measured: nobody's use is known, and all cost is idle; give a longer --duration"]
    over = _over(found)
    if len(over) == 1:
        notes.append(f"{over[0]} uses more CPU than it requests: what is billed is what it requests")
    elif over:
        few = ", ".join(over[:3]) + (f" and {len(over) - 3} more" if len(over) > 3 else "")
        notes.append(f"{few} use more CPU than they request: what is billed is what they request")
    if spec.events:
        notes.append("the topology has events: what is used is the mean of the whole run")
    return notes


def _over(found: Analysis) -> list[str]:
    """Services and proxies that use more cores than they request."""
    rates = found.mean.rates
    lines = [line for line in found.mean.bill.lines if line.item in (APP_CORES, PROXY_CORES)]
    return [line.station for line in lines if rates.of(line.station, "cpu_s").sum() > line.amount * (1 + 1e-9)]
