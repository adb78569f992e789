"""Forecasting: a plan for each month's load, for each architecture and scenario."""

from __future__ import annotations

import itertools
import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Literal

from meshsim.architectures import Architecture, labels_of, lower
from meshsim.costs.book import PriceBook
from meshsim.costs.study import tariff_of
from meshsim.engines import EngineName
from meshsim.errors import UsageError
from meshsim.forecasting.axis import Axis, axis_of, variants
from meshsim.forecasting.courses import carried, course_of, standing_of
from meshsim.forecasting.crossing import Compare, by_cost, by_objective, crossovers
from meshsim.forecasting.desk import Desk, Method, Standing
from meshsim.forecasting.growth import BASE, MOST_MONTHS, Growth, scenarios_of
from meshsim.forecasting.mapping import Mapper
from meshsim.forecasting.result import (
    Carries,
    Course,
    Crossover,
    Forecast,
    Map,
    NoCrossover,
    Planned,
    Today,
)
from meshsim.model.graph import stream_rate_per_s
from meshsim.model.load import load as read
from meshsim.model.topology import Topology
from meshsim.model.traffic import Objective
from meshsim.notebook import progress_shown
from meshsim.numbers import whole_number
from meshsim.planning.peak import at_peak, refuse_closed
from meshsim.planning.planner import Asked
from meshsim.planning.study import CEILING, FIRST_REPLICATIONS, asked_of, at_mid, of_each_version
from meshsim.results.manifest import Timing
from meshsim.results.repeat import python_call
from meshsim.simulate import DEFAULT_ARCHITECTURES, Progress, Source, compile_engine
from meshsim.workers import Submit, here, workers


def forecast(
    topology: Source,
    architectures: Sequence[str | Architecture] = DEFAULT_ARCHITECTURES,
    *,
    months: int = 12,
    growth: Growth = "5%",
    scenarios: Mapping[str, Growth] | None = None,
    today: Today = "plan",
    crossover: bool = True,
    across: tuple[str, Sequence[str]] | None = None,
    fails: bool = False,
    objectives: Sequence[Objective] = (),
    choices: Mapping[str, Sequence[str]] | None = None,
    load: float = 1.0,
    lose: int | str = 1,
    ceiling: float = CEILING,
    most_replicas: int | None = None,
    verify: bool = False,
    screen: bool = True,
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
) -> Forecast:
    """Plan for each month's load: what runs out when, what is bought, what it costs, and where others are cheaper.

    A month's search begins at the plan for the next smaller load; if that still holds (one simulation), it is the plan.

    Parameters
    ----------
    topology, architectures
        As of `meshsim.plan`.
    months
        How many follow today's, which is month 0.
    growth
        So much a month (``5%``), factors on today's load by month (``{1: 1.1, 2: 1.3}``), or a CSV file with the
        columns ``month,factor``.
    scenarios
        Others by name, beside the ``base``.
    today
        What is there today: the ``plan`` of month 0, or the replicas that are ``written`` in the topology.
    crossover
        Look where architectures change places.
    across
        A path and its values, or ``copies`` or ``tenants`` and numbers of them: architectures are mapped over load and
        these, and it is told from which value on another is cheaper or faster.
    fails
        Let faults strike what is planned for each value of `across`: which architecture fails smaller.
    load
        Factor that makes the topology's load today's.
    objectives, choices, lose, ceiling, most_replicas, verify, screen, prices
        As of `meshsim.plan`.
    engine, seed, replications, duration_s, warmup_s, jobs, scheduler, overrides, progress, quiet
        As of `meshsim.plan`.

    Returns
    -------
    Forecast

    Raises
    ------
    SpecError, UsageError, EngineLimit, StoreError
        As `meshsim.plan`, or the growth cannot be read.
    """
    arguments, started = dict(locals()), time.perf_counter()
    labels = labels_of(architectures)
    factors = scenarios_of(growth, scenarios or {}, _months(months))
    if today not in ("plan", "written"):
        raise UsageError(f"what is there today is the 'plan' of month 0 or what is 'written', not {today!r}")
    written = read(topology, overrides=overrides)

    def asked_for(spec: Topology) -> Asked:
        return asked_of(spec, objectives, load, lose, ceiling, most_replicas, replications)

    asked = asked_for(written)
    specs = variants(topology, overrides, choices or {})
    axis = axis_of(topology, overrides, choices or {}, across)
    _check_fails(fails, axis, engine)
    first, notes = at_peak(specs[0][1], asked.load)
    if engine == "analytic":
        refuse_closed(first)
    simulator: EngineName = "compiled" if engine == "analytic" else engine
    method = Method(engine != "analytic", simulator, seed, duration_s, warmup_s, jobs, screen, verify, prices)
    tariff_of(first, prices, None)  # what is wrong with prices is said before anything is simulated
    compile_engine(simulator, lower(first, labels[0]), quiet)
    with workers(jobs, simulator, scheduler, quiet=quiet) as submit, progress_shown(progress, quiet) as shown:
        values = 0 if axis is None else len(axis.specs)
        tick = _ticker(shown, len(labels) * (len(factors) * (months + 1) + values * (months + 1 + fails) + 2))
        study = _Study(labels, factors, written, asked, method, submit, tick)
        study.run(specs, today)
        if crossover and len(labels) > 1:
            study.cross()
        mapped = study.mapped(axis, asked_for, fails)
    return Forecast(
        name=written.name,
        digest=written.digest,
        architectures=tuple(labels),
        scenarios=factors,
        rate_per_s=_rate_per_s(first),
        today=today,
        courses=study.courses,
        carries=study.carries,
        crossovers=tuple(study.crossovers),
        no_crossovers=tuple(study.no_crossovers),
        map=mapped,
        loss=asked.loss,
        ceiling=asked.question.ceiling,
        load=asked.load,
        seed=written.run.seed if seed is None else seed,
        engine=engine,
        most_replicas=asked.most,
        currency=study.currency,
        requests=sum(desk.requests for desk in study.desks.values()) + (0 if mapped is None else mapped.requests),
        notes=(*notes, *of_each_version(first), *at_mid(first), *study.notes),
        command=python_call(
            forecast,
            arguments,
            prices=prices.name if isinstance(prices, PriceBook) else prices,
            architectures=labels,
            seed=written.run.seed if seed is None else seed,
        ),
        timing=Timing(round(time.perf_counter() - started, 3), jobs),
    )


class _Study:
    """Forecasts of all architectures."""

    def __init__(
        self,
        labels: Sequence[str],
        factors: Mapping[str, Sequence[float]],
        written: Topology,
        asked: Asked,
        method: Method,
        submit: Submit,
        tick: Callable[[], None],
    ) -> None:
        self.labels = labels
        self.factors = factors
        self.written = written
        self.asked = asked
        self.method = method
        self.submit = submit
        self.tick = tick
        self.desks: dict[str, Desk] = {}
        self.standing: dict[str, Standing | None] = {}
        self.courses: dict[tuple[str, str], Course] = {}
        self.carries: dict[str, Carries] = {}
        self.crossovers: list[Crossover] = []
        self.no_crossovers: list[NoCrossover] = []

    @property
    def loads(self) -> list[float]:
        """All that there is a plan for, ascending."""
        return sorted({load for several in self.factors.values() for load in several})

    @property
    def currency(self) -> str:
        """Of all bills."""
        found = (one.currency for d in self.desks.values() for one in d.plans.values() if isinstance(one, Planned))
        return next(found, "USD")

    @property
    def notes(self) -> tuple[str, ...]:
        """What estimates do not know of."""
        return tuple(dict.fromkeys(note for desk in self.desks.values() for note in desk.notes))

    def run(self, specs: Sequence[tuple[Mapping[str, str], Topology]], today: Today) -> None:
        """Plan every month."""
        for label in self.labels:
            desk = self.desks[label] = Desk(specs, self.written, label, self.asked, self.method, self.submit)
            standing = self.standing[label] = standing_of(desk, today)
            for scenario, several in self.factors.items():
                for load in several:
                    desk.plan(load)
                    self.tick()
                self.courses[label, scenario] = course_of(desk, standing, scenario, several)
            self.carries[label] = carried(standing, self.loads)
            self.tick()

    def cross(self) -> None:
        """Look where architectures change places."""
        pairs = list(itertools.combinations(self.labels, 2))
        costs: dict[tuple[str, str], Compare] = {
            (one, other): by_cost(self.desks[one], self.desks[other]) for one, other in pairs
        }
        found = crossovers("cost", self.labels, costs, self._guesses(pairs), self.loads)
        objectives: dict[tuple[str, str], Compare] = {}
        for one, other in pairs:
            a, b = self.standing[one], self.standing[other]
            if a is not None and b is not None:
                objectives[one, other] = by_objective(a, b)
        more = crossovers("objective", self.labels, objectives, {}, self.loads)
        self.crossovers += [*found[0], *more[0]]
        self.no_crossovers += [*found[1], *more[1]]

    def _guesses(self, pairs: Sequence[tuple[str, str]]) -> dict[tuple[str, str], Compare]:
        """By estimates, and cores and memory alone: they say where to look first."""
        if not self.method.simulates:
            return {}
        method = replace(self.method, simulates=False, verify=False)
        desks = {
            label: Desk(desk.specs, self.written, label, self.asked, method, here(None))
            for label, desk in self.desks.items()
        }
        return {(one, other): by_cost(desks[one], desks[other]) for one, other in pairs}

    def mapped(self, axis: Axis | None, asked_for: Callable[[Topology], Asked], fails: bool) -> Map | None:
        """All architectures over the base's loads and the values of the other axis."""
        if axis is None:
            return None
        method = replace(self.method, verify=False)

        def desk_of(value: str, label: str) -> Desk:
            architecture = axis.architecture(label, value, self.written)
            specs = axis.specs_for(architecture, value)
            written = specs[0][1]
            return Desk(specs, written, architecture, asked_for(written), method, self.submit)

        loads = sorted(set(self.factors[BASE]))
        return Mapper(axis, desk_of, self.labels, loads, fails, self.tick).map()


def _check_fails(fails: bool, axis: Axis | None, engine: str) -> None:
    if not fails:
        return
    if axis is None:
        raise UsageError("fails compares what is planned for values of across: give it, too, e.g. copies=1,2,5")
    if engine == "analytic":
        raise UsageError("fails lets faults strike in simulations: leave the engine analytic out")


def _months(months: int) -> int:
    found = whole_number(months, "months")
    if not 1 <= found <= MOST_MONTHS:
        raise UsageError(f"a forecast is for 1 to {MOST_MONTHS} months, not {found}")
    return found


def _rate_per_s(spec: Topology) -> float:
    """Of all open streams, at their peak."""
    return sum(
        stream_rate_per_s(stream, spec.run.duration_s) * spec.run.load
        for stream in spec.traffic
        if stream.arrivals.kind != "closed"
    )


def _ticker(shown: Progress | None, total: int) -> Callable[[], None]:
    count = itertools.count()

    def tick() -> None:
        if shown is not None:
            shown(min(next(count), total), total)

    tick()
    return tick
