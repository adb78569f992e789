"""Planning: for each architecture and choice a search, then what the plan is worth, and why nothing cheaper will do."""

from __future__ import annotations

import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Final

from meshsim.architectures import Architecture, labels_of, lower
from meshsim.costs.analysis import analyse
from meshsim.costs.bill import Tariff
from meshsim.costs.book import PriceBook
from meshsim.costs.lines import Buying
from meshsim.costs.study import tariff_of
from meshsim.engines import EngineName
from meshsim.errors import UsageError
from meshsim.model.load import load as read
from meshsim.model.topology import Topology
from meshsim.model.traffic import Objective
from meshsim.notebook import progress_shown
from meshsim.numbers import real_number, whole_number
from meshsim.planning.asked import choices_asked, duration_asked, objectives_asked
from meshsim.planning.deployment import Part, deployed, parts_of
from meshsim.planning.growing import grown
from meshsim.planning.guesses import Guesses
from meshsim.planning.losses import Loss, parse_loss
from meshsim.planning.peak import at_peak
from meshsim.planning.probing import Probe, Prober, Question, probing
from meshsim.planning.result import Deployment, Infeasible, Plan, Step, Verified
from meshsim.planning.search import Search, not_monotone
from meshsim.results.manifest import Timing
from meshsim.settings import Settings, settings_of
from meshsim.simulate import DEFAULT_ARCHITECTURES, Progress, Source, compile_engine, run
from meshsim.workers import Submit, workers

CEILING: Final = 0.8  # of a CPU on average: what is above waits for every burst (assumed)
MOST_REPLICAS: Final = 100  # of each service (assumed)
FIRST_REPLICATIONS: Final = 8  # from here on intervals are those of replications alone
MOST_REPLICATIONS: Final = 64  # of a deployment that stays undecided
_FRESH: Final = 7_919  # added to the seed, for a plan that is proven again


def plan(
    topology: Source,
    architectures: Sequence[str | Architecture] = DEFAULT_ARCHITECTURES,
    *,
    objectives: Sequence[Objective] = (),
    choices: Mapping[str, Sequence[str]] | None = None,
    load: float = 1.0,
    lose: int | str = 1,
    ceiling: float = CEILING,
    most_replicas: int = MOST_REPLICAS,
    verify: bool = False,
    screen: bool = True,
    growth: bool = True,
    prices: str | Path | PriceBook | None = None,
    engine: EngineName = "compiled",
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
        Of each service: where more would be needed, there is no plan.
    verify
        Simulate each plan again on seeds that had no part in choosing it.
    screen
        Begin where square-root staffing says; False: with the replicas that the topology has.
    growth
        Look how far the load can grow.
    prices
        As of `meshsim.cost`; requested cores and GiB are what is bought.
    engine, seed, jobs, overrides, progress, quiet
        As of `meshsim.run`.
    replications
        Of a deployment at first; they are doubled while it is undecided, up to `MOST_REPLICATIONS`.
    duration_s, warmup_s
        Of a replication; as long as the rarest objective needs if absent.
    scheduler
        Address of a Dask scheduler, on whose workers replications are simulated; without `jobs`.

    Returns
    -------
    Plan

    Raises
    ------
    SpecError, UsageError, EngineLimit
        As `meshsim.run`; nobody has objectives; the cluster cannot be used, or went away.
    """
    started = time.perf_counter()
    labels = labels_of(architectures)
    written = read(topology, overrides=overrides)
    asked = _asked(written, objectives, load, lose, ceiling, most_replicas, replications)
    several = list(choices_asked(choices or {}))
    variants = [
        (choice, at_peak(read(topology, overrides=[*overrides, *(f"{p}={v}" for p, v in choice.items())]), asked.load))
        for choice in several
    ]
    first, notes = variants[0][1]
    notes = (*notes, *_kept_as_written(first))
    settings = probing(
        settings_of(
            first,
            engine=engine,
            seed=seed,
            replications=asked.replications,
            duration_s=duration_asked(first, asked.question.objectives) if duration_s is None else duration_s,
            warmup_s=warmup_s,
            jobs=jobs,
        )
    )
    compile_engine(engine, lower(first, labels[0]), quiet)
    deployments: dict[str, Deployment] = {}
    infeasible: dict[str, Infeasible] = {}
    with workers(jobs, engine, scheduler, quiet=quiet) as submit, progress_shown(progress, quiet) as shown:
        for done, label in enumerate(labels):
            if shown is not None:
                shown(done, len(labels))
            planners = [
                _Planner(spec, label, choice, asked, tariff_of(spec, prices, None), settings, submit)
                for choice, (spec, _) in variants
            ]
            one = _cheapest(planners, screen)
            if isinstance(one, Infeasible):
                infeasible[label] = one
            else:
                deployments[label] = one[0].deployment(one[1], growth)
        specs = dict(zip(map(str, several), (spec for _, (spec, _) in variants), strict=True))
        verified = {
            label: _verified(specs[str(dict(one.choice))], label, one, asked, settings, submit)
            for label, one in (deployments.items() if verify else ())
        }
    return Plan(
        name=written.name,
        digest=written.digest,
        architectures=tuple(labels),
        deployments=deployments,
        infeasible=infeasible,
        verified=verified,
        loss=asked.loss,
        ceiling=asked.question.ceiling,
        load=asked.load,
        seed=settings.seed,
        engine=engine,
        duration_s=settings.duration_s,
        most_replicas=asked.most,
        notes=notes,
        command=_command(topology, labels, lose, load, settings),
        timing=Timing(round(time.perf_counter() - started, 3), jobs),
    )


def _kept_as_written(spec: Topology) -> tuple[str, ...]:
    names = [name for name, service in sorted(spec.services.items()) if len(service.versions) > 1]
    if not names:
        return ()
    return (f"{', '.join(names)} keep the replicas that they have: services with several versions are not planned",)


@dataclass(frozen=True, slots=True)
class _Asked:
    question: Question
    load: float
    loss: Loss
    most: int
    replications: int


def _asked(
    spec: Topology,
    objectives: Sequence[Objective],
    load: float,
    lose: int | str,
    ceiling: float,
    most_replicas: int,
    replications: int,
) -> _Asked:
    load, ceiling = real_number(load, "load"), real_number(ceiling, "ceiling")
    if not 0.0 < load < 1e6:
        raise UsageError(f"load is a factor above 0, not {load:g}")
    if not 0.0 < ceiling <= 1.0:
        raise UsageError(f"the ceiling of utilization is a share above 0 and up to 1, e.g. 0.8, not {ceiling:g}")
    most, first = whole_number(most_replicas, "most_replicas"), whole_number(replications, "replications")
    if most < 1 or not 2 <= first <= MOST_REPLICATIONS:
        raise UsageError(f"most_replicas is 1 or more, and replications 2 to {MOST_REPLICATIONS}")
    loss = parse_loss(lose, len(spec.nodes.zones))
    return _Asked(Question(objectives_asked(spec, objectives), ceiling, MOST_REPLICATIONS), load, loss, most, first)


class _Planner:
    """Plans one architecture with one choice."""

    def __init__(
        self,
        spec: Topology,
        architecture: str,
        choice: Mapping[str, str],
        asked: _Asked,
        tariff: Tariff,
        settings: Settings,
        submit: Submit,
    ) -> None:
        self.spec = spec
        self.architecture = architecture
        self.choice = choice
        self.asked = asked
        self.tariff = tariff
        self.prober = Prober(spec, architecture, settings, asked.question, submit)
        self.parts = parts_of(spec, lower(spec, architecture), tariff)
        self.guesses = Guesses(self.prober, self.parts, asked.question.ceiling)

    @property
    def least_money(self) -> float:
        """What no deployment with this choice is cheaper than: one replica of everything."""
        return self._money(dict.fromkeys((part.name for part in self.parts), 1))

    def search(self, *, screen: bool) -> dict[str, int] | Infeasible:
        """The fewest replicas that are needed."""
        written = {part.name: min(part.written, self.asked.most) for part in self.parts}
        self.guesses.learn(self.prober.probe(written))
        names = [part.name for part in self.parts]
        start = {name: self.guesses.start(name) for name in names} if screen else written
        floors = {name: self.guesses.floor(name) if screen else 1 for name in names}
        found = Search(self.parts, self.guesses, self.asked.most, floors).run(start)
        return self._infeasible() if found is None else found

    def _infeasible(self) -> Infeasible:
        found = self.prober.found.values()
        best = max(found, key=lambda probe: sum(probe.counts.values()))
        full = [name for name, count in best.counts.items() if count >= self.asked.most]
        broken = [one for one in best.broken if one.quantity != "utilization"]
        why = best.unstable or (f"with {self.asked.most} replicas of {', '.join(full[:3])}" if full else "")
        return Infeasible(best, why, tuple(broken), len(found), self.prober.requests)

    def deployment(self, needed: dict[str, int], growth: bool) -> Deployment:
        """Find out what a plan is worth, and why nothing cheaper will do."""
        zones, probe = len(self.spec.nodes.zones), self.prober.probe(needed)
        bought = {name: self.asked.loss.bought(count, zones) for name, count in needed.items()}
        odd = not_monotone(needed, lambda counts: self.prober.probe(counts).holds, self.asked.most)
        steps = tuple(self._step(needed, part) for part in self.parts)
        full = self.prober.probe(bought)
        result = run(
            deployed(self.spec, bought),
            self.architecture,
            engine=self.prober.settings.engine,
            seed=self.prober.settings.seed,
            replications=2,
            duration_s=self.prober.settings.duration_s,
            quiet=True,
        )
        bill = analyse(deployed(self.spec, bought), result, self.tariff, Buying(), "proportional")
        per_hour = sum(part.per_hour * bought[part.name] for part in self.parts)
        again = self._growing if growth else None
        return Deployment(
            choice=dict(self.choice),
            needed=needed,
            bought=bought,
            probe=probe,
            full=full,
            cents=bill.cents,
            currency=self.tariff.currency(bill.mean.bill.lines),
            per_hour=per_hour,
            steps=steps,
            cheaper=self._cheaper(needed),
            growing=None if again is None else grown(again(needed)),
            growing_full=None if again is None else grown(again(bought)),
            odd=tuple(self.prober.probe(counts) for counts in odd),
            probes=len(self.prober.found),
            requests=self.prober.requests,
        )

    def _step(self, needed: Mapping[str, int], part: Part) -> Step:
        count = needed[part.name]
        less = {**needed, part.name: count - 1} if count > 1 else None
        more = {**needed, part.name: count + 1} if count < self.asked.most else None
        probes = (None if counts is None else self.prober.probe(counts) for counts in (less, more))
        return Step(part.name, *probes)

    def _cheaper(self, needed: Mapping[str, int]) -> Probe | None:
        """The dearest that was simulated of what is cheaper than the plan."""
        limit = self._money(needed) * (1 - 1e-9)
        found = [probe for probe in self.prober.found.values() if self._money(probe.counts) < limit]
        return max(found, key=lambda probe: self._money(probe.counts), default=None)

    def bought_money(self, needed: Mapping[str, int]) -> float:
        """Money an hour for what is bought, so that as many are left when something is lost."""
        zones = len(self.spec.nodes.zones)
        return self._money({name: self.asked.loss.bought(count, zones) for name, count in needed.items()})

    def _money(self, counts: Mapping[str, int]) -> float:
        return sum(part.per_hour * counts[part.name] for part in self.parts)

    def _growing(self, counts: Mapping[str, int]) -> Callable[[float], Probe]:
        """Simulate the same deployment at another load."""
        prober = self.prober

        def at(factor: float) -> Probe:
            spec, _ = at_peak(self.spec, factor)
            return Prober(spec, self.architecture, prober.settings, prober.question, prober.submit).probe(counts)

        return at


def _cheapest(planners: Sequence[_Planner], screen: bool) -> tuple[_Planner, dict[str, int]] | Infeasible:
    """The choice whose deployment is cheapest; what cannot be cheaper than one that was found is not looked at."""
    best: tuple[_Planner, dict[str, int]] | None = None
    nothing: Infeasible | None = None
    for planner in sorted(planners, key=lambda one: one.least_money):
        if best is not None and planner.least_money >= best[0].bought_money(best[1]):
            continue
        found = planner.search(screen=screen)
        if isinstance(found, Infeasible):
            nothing = nothing or found
        elif best is None or planner.bought_money(found) < best[0].bought_money(best[1]):
            best = planner, found
    if best is not None:
        return best
    assert nothing is not None, "there is one choice at least"
    return nothing


def _verified(
    spec: Topology, architecture: str, one: Deployment, asked: _Asked, settings: Settings, submit: Submit
) -> Verified:
    """The plan once more, on fresh seeds, for as long as it was looked at."""
    fresh = replace(settings, seed=settings.seed + _FRESH, replications=max(one.probe.replications, 16))
    question = replace(asked.question, most_replications=fresh.replications)
    return Verified(fresh.seed, Prober(spec, architecture, fresh, question, submit).probe(one.needed))


def _command(topology: Source, labels: Sequence[str], lose: int | str, load: float, settings: Settings) -> str:
    """The call that repeats it, for those who did not come from the command line."""
    source = repr(str(topology)) if isinstance(topology, str | Path) else "topology"
    words = f"lose={lose!r}, load={load!r}, seed={settings.seed!r}"
    return f"meshsim.plan({source}, {list(labels)!r}, {words})"
