"""Planning: for each architecture and choice a search, then what the plan is worth, and why nothing cheaper will do."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, replace
from functools import partial
from pathlib import Path
from typing import Final, Literal

from meshsim.architectures import Architecture, labels_of, lower
from meshsim.costs.book import PriceBook
from meshsim.costs.study import tariff_of
from meshsim.engines import EngineName
from meshsim.errors import UsageError
from meshsim.model.load import load as read
from meshsim.model.load import with_inputs
from meshsim.model.topology import Topology
from meshsim.model.traffic import Objective
from meshsim.notebook import progress_shown
from meshsim.numbers import real_number, whole_number
from meshsim.planning.asked import choices_asked, duration_asked, objectives_asked
from meshsim.planning.deployment import versions_of
from meshsim.planning.losses import parse_loss
from meshsim.planning.peak import at_peak, refuse_closed
from meshsim.planning.planner import Asked, Planner, cheapest, verified_on_fresh_seeds
from meshsim.planning.probing import Question, probing
from meshsim.planning.result import Deployment, Infeasible, Plan, Safe, Scenario, Verified
from meshsim.planning.scenarios import Inputs, Picks, Study, inputs_of, most_cases
from meshsim.results.manifest import Timing
from meshsim.results.repeat import python_call
from meshsim.settings import Settings, settings_of
from meshsim.simulate import DEFAULT_ARCHITECTURES, Progress, Source, compile_engine
from meshsim.workers import Submit, most_at_once, workers

CEILING: Final = 0.8  # of a CPU on average: what is above waits for every burst (assumed)
_MOST_LOAD: Final = 1_000_000.0  # times what is written (assumed): beyond that it is a mistake
_MOST_REPLICAS: Final = 100  # of each service, if it has no more already (assumed)
FIRST_REPLICATIONS: Final = 8  # from here on intervals are those of replications alone
MOST_REPLICATIONS: Final = 64  # of a deployment that stays undecided


def plan(
    topology: Source,
    architectures: Sequence[str | Architecture] = DEFAULT_ARCHITECTURES,
    *,
    objectives: Sequence[Objective] = (),
    choices: Mapping[str, Sequence[str]] | None = None,
    load: float = 1.0,
    lose: int | str = 1,
    ceiling: float = CEILING,
    most_replicas: int | None = None,
    verify: bool = False,
    screen: bool = True,
    growth: bool = True,
    uncertain: bool = True,
    prices: str | Path | PriceBook | None = None,
    engine: EngineName | Literal["analytic"] = "compiled",
    seed: int | None = None,
    replications: int = FIRST_REPLICATIONS,
    duration_s: float | None = None,
    warmup_s: float | None = None,
    jobs: int = 1,
    scheduler: str | None = None,
    overrides: Sequence[str] = (),
    progress: Progress | None = None,
    quiet: bool = False,
) -> Plan:
    """Find the cheapest deployment of each architecture that keeps every objective at peak load, and prove it.

    Replicas of every service, of the gateway and of waypoints are searched for; what else may be chosen (cores,
    concurrency, cache sizes, how large proxies are) is given by `choices`. Guesses decide what is looked at; accepted
    is only what a simulation showed to hold, every objective at 99 %, on the same seeds as all others.

    Parameters
    ----------
    topology
        As of `meshsim.run`. Rates that change with time are held at their peak, events are left out.
    architectures
        One or several.
    objectives
        What every tenant is to keep besides, or instead of, its own objectives.
    choices
        Values by dotted path, as of ``--set``: every combination is planned, and the cheapest is told.
    load
        Factor on the open arrivals.
    lose
        With what less everything still holds: a number of replicas of every service at once, or ``zone``.
    ceiling
        Largest mean utilization of every service's and proxy's CPU when that is lost.
    most_replicas
        Of each service: where more would be needed, there is no plan. None: 100, or as many as the largest service of
        the topology has.
    verify
        Simulate each plan again on seeds that had no part in choosing it.
    screen
        Begin where square-root staffing says; False: with the replicas that the topology has.
    growth
        Look how far the load can grow.
    uncertain
        Where inputs are uncertain (``{low, mid, high}``): find out what the plan, which is made for mid, is worth at
        the others, and what would be safe in all cases.
    prices
        As of `meshsim.cost`; requested cores and GiB are what is bought.
    engine, seed, jobs, overrides, progress, quiet
        As of `meshsim.run`; besides, ``analytic`` plans by `meshsim.estimate` alone, at once and approximately
        (docs/analytic.md says by how much): nothing of it is proven unless `verify` simulates it.
    replications
        Of a deployment at first; they are doubled while it is undecided, up to `MOST_REPLICATIONS`.
    duration_s, warmup_s
        Of a replication; as long as the rarest objective needs if absent.
    scheduler
        Address of a Dask scheduler, on whose workers replications are simulated (`docs/sweeps.md`); without `jobs`.

    Returns
    -------
    Plan

    Raises
    ------
    SpecError, UsageError, EngineLimit
        As `meshsim.run`; nobody has objectives; the cluster cannot be used, or went away.
    """
    arguments, started = dict(locals()), time.perf_counter()
    labels = labels_of(architectures)
    simulates, simulator = engine != "analytic", "compiled" if engine == "analytic" else engine
    written = read(topology, overrides=overrides)
    asked = asked_of(written, objectives, load, lose, ceiling, most_replicas, replications)
    several = list(choices_asked(choices or {}))
    variants = [(one, read(topology, overrides=[*overrides, *_settings_of_choice(one)])) for one in several]
    first, notes = at_peak(variants[0][1], asked.load)
    if not simulates:
        refuse_closed(first)
    notes = (*notes, *of_each_version(first))
    inputs, why_none = inputs_of(written, [spec for _, spec in variants]) if uncertain else ({}, ())
    notes = (*notes, *why_none)
    rules = _Rules(tuple(labels), asked.replications, simulator, seed, duration_s, warmup_s, jobs)
    settings = rules.settings(first, asked.question)
    compile_engine(simulator, lower(first, labels[0]), quiet)
    with workers(jobs, simulator, scheduler, quiet=quiet) as submit, progress_shown(progress, quiet) as shown:
        bench = _Bench(written, variants, asked, objectives, prices, rules, submit, simulates)
        study = _OfArchitecture(bench, inputs, settings, screen=screen, growth=growth, verify=verify)
        # processes of the other engine are forked, which other threads would not survive
        at_once = 1 if simulator == "simpy" and scheduler is None else most_at_once(submit, jobs)
        planned = _at_a_time(labels, study.planned, at_once, _Told(shown, 1 + most_cases(inputs), len(labels)))
    notes = tuple(dict.fromkeys([*notes, *(note for one in planned for note in one.notes)]))
    return Plan(
        name=written.name,
        digest=written.digest,
        architectures=tuple(labels),
        deployments={one.label: one.found for one in planned if isinstance(one.found, Deployment)},
        infeasible={one.label: one.found for one in planned if isinstance(one.found, Infeasible)},
        verified={one.label: one.verified for one in planned if one.verified is not None},
        loss=asked.loss,
        ceiling=asked.question.ceiling,
        load=asked.load,
        seed=settings.seed,
        engine=engine,
        duration_s=settings.duration_s,
        most_replicas=asked.most,
        notes=notes,
        command=python_call(
            plan,
            arguments,
            prices=prices.name if isinstance(prices, PriceBook) else prices,
            architectures=labels,
            seed=settings.seed,
        ),
        timing=Timing(round(time.perf_counter() - started, 3), jobs),
        uncertain=inputs,
        scenarios={one.label: one.scenarios for one in planned if one.scenarios is not None},
        safe={one.label: one.safe for one in planned if one.safe is not None},
    )


class _Told:
    """Tells how much of all architectures is done; several are worked at."""

    def __init__(self, shown: Progress | None, each: int, labels: int) -> None:
        self.shown = shown
        self.each = each
        self.total = labels * each
        self.done = dict[str, int]()
        self.lock = threading.Lock()

    def __call__(self, label: str, done: int) -> None:
        """Of one architecture."""
        with self.lock:
            self.done[label] = done
            if self.shown is not None:
                self.shown(sum(self.done.values()), self.total)


def _at_a_time(
    labels: Sequence[str], study: Callable[[str, Callable[[int], None]], _Planned], most: int, told: _Told
) -> list[_Planned]:
    """Study several architectures, of which each goes on while another waits for its simulations."""

    def one(label: str) -> _Planned:
        told(label, 0)
        found = study(label, partial(told, label))
        told(label, told.each)
        return found

    if most == 1 or len(labels) == 1:
        return [one(label) for label in labels]
    threads = ThreadPoolExecutor(min(most, len(labels)))
    try:
        return list(threads.map(one, labels))
    finally:  # after an error or Ctrl-C nobody waits: without workers the others end at once
        threads.shutdown(wait=False, cancel_futures=True)


@dataclass(frozen=True, slots=True)
class _Planned:
    """What was found of one architecture."""

    label: str
    found: Deployment | Infeasible
    notes: tuple[str, ...]
    scenarios: tuple[Scenario, ...] | None = None
    safe: Safe | None = None
    verified: Verified | None = None


@dataclass(frozen=True, slots=True)
class _OfArchitecture:
    """Plans one architecture: the search, what it is worth, other cases of uncertain inputs, fresh seeds."""

    bench: _Bench
    inputs: Inputs
    settings: Settings
    screen: bool
    growth: bool
    verify: bool

    def planned(self, label: str, tell: Callable[[int], None]) -> _Planned:
        """All of that."""
        planners = self.bench.planners(label, {})
        one = cheapest(planners, lambda planner: planner.search(screen=self.screen))
        notes = () if self.bench.simulates else planners[0].notes
        if isinstance(one, Infeasible):
            return _Planned(label, one, notes)
        planner, needed = one
        found = planner.deployment(needed, self.growth)
        scenarios, safe = None, None
        if self.inputs:
            study = Study(found, planners, self.inputs, partial(self.bench.planners, label), self.screen)
            scenarios, safe = study.run(tell)
            notes = (*notes, *study.notes)
        return _Planned(label, found, notes, scenarios, safe, self._verified(planner, found) if self.verify else None)

    def _verified(self, planner: Planner, found: Deployment) -> Verified:
        bench = self.bench
        return verified_on_fresh_seeds(
            planner.spec, planner.architecture, found.probe, bench.asked, self.settings, bench.submit
        )


@dataclass(frozen=True, slots=True)
class _Rules:
    """How deployments are simulated, under all architectures alike."""

    labels: tuple[str, ...]
    replications: int
    engine: EngineName
    seed: int | None
    duration_s: float | None
    warmup_s: float | None
    jobs: int

    def settings(self, spec: Topology, question: Question) -> Settings:
        """As long as the rarest objective needs, if nothing else was asked for."""
        duration_s = self.duration_s
        if duration_s is None:
            duration_s = duration_asked(spec, question.objectives, self.labels, self.warmup_s)
        return probing(
            settings_of(
                spec,
                engine=self.engine,
                seed=self.seed,
                replications=self.replications,
                duration_s=duration_s,
                warmup_s=self.warmup_s,
                jobs=self.jobs,
            )
        )


@dataclass(frozen=True, slots=True)
class _Bench:
    """Makes planners, for mid and for other values of uncertain inputs."""

    written: Topology
    variants: Sequence[tuple[Mapping[str, str], Topology]]
    asked: Asked
    objectives: Sequence[Objective]
    prices: str | Path | PriceBook | None
    rules: _Rules
    submit: Submit
    simulates: bool

    def planners(self, label: str, picks: Picks) -> list[Planner]:
        """One for each choice."""
        specs = [(choice, at_peak(_picked(spec, picks), self.asked.load)[0]) for choice, spec in self.variants]
        question = _question(_picked(self.written, picks), self.objectives, self.asked.question.ceiling)
        asked, settings = replace(self.asked, question=question), self.rules.settings(specs[0][1], question)
        return [
            Planner(
                spec,
                label,
                choice,
                asked,
                tariff_of(spec, self.prices, None),
                settings,
                self.submit,
                simulates=self.simulates,
            )
            for choice, spec in specs
        ]


def _settings_of_choice(choice: Mapping[str, str]) -> list[str]:
    return [f"{path}={value}" for path, value in choice.items()]


def _picked(spec: Topology, picks: Picks) -> Topology:
    """With low or high of what is uncertain in it: a choice may have replaced some of that."""
    own = {path: pick for path, pick in picks.items() if path in spec.uncertain}
    return with_inputs(spec, own) if own else spec


def of_each_version(spec: Topology) -> tuple[str, ...]:
    """Notes on services with several versions, of which a count is not a replica."""
    found = ((name, versions_of(service)) for name, service in sorted(spec.services.items()))
    return tuple(
        f"{name} is planned with its versions as they are to each other: 1 of it is "
        + " and ".join(f"{count} {version}" for version, count in each.items())
        for name, each in found
        if each
    )


def at_mid(spec: Topology) -> tuple[str, ...]:
    """A note on uncertain inputs, of which other values are not looked at."""
    if not spec.uncertain:
        return ()
    return (f"uncertain inputs are at mid alone: {', '.join(spec.uncertain)}",)


def asked_of(
    spec: Topology,
    objectives: Sequence[Objective],
    load: float,
    lose: int | str,
    ceiling: float,
    most_replicas: int | None,
    replications: int,
) -> Asked:
    """What every plan is asked for, checked."""
    load, ceiling = real_number(load, "load"), real_number(ceiling, "ceiling")
    if not 0.0 < load < _MOST_LOAD:
        raise UsageError(f"load is a factor above 0 and below {_MOST_LOAD:,.0f}, not {load:g}")
    if not 0.0 < ceiling <= 1.0:
        raise UsageError(f"the ceiling of utilization is a share above 0 and up to 1, e.g. 0.8, not {ceiling:g}")
    most = _most_of(spec) if most_replicas is None else whole_number(most_replicas, "most_replicas")
    first = whole_number(replications, "replications")
    if most < 1:
        raise UsageError(f"each service has 1 replica at least: the most (--max-replicas) cannot be {most}")
    if not 2 <= first <= MOST_REPLICATIONS:
        raise UsageError(f"replications of a deployment are 2 to {MOST_REPLICATIONS}, not {first}")
    loss = parse_loss(lose, len(spec.nodes.zones))
    return Asked(_question(spec, objectives, ceiling), load, loss, most, first)


def _most_of(spec: Topology) -> int:
    """Replicas of each service that are looked at when nobody says how many."""
    written = (version.replicas for service in spec.services.values() for version in service.versions)
    return max(_MOST_REPLICAS, *written)


def _question(spec: Topology, objectives: Sequence[Objective], ceiling: float) -> Question:
    return Question(objectives_asked(spec, objectives), ceiling, MOST_REPLICATIONS)
