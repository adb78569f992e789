"""Planning: for each architecture and choice a search, then what the plan is worth, and why nothing cheaper will do."""

from __future__ import annotations

import time
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Final, Literal

from meshsim.architectures import Architecture, labels_of, lower
from meshsim.costs.book import PriceBook
from meshsim.costs.study import tariff_of
from meshsim.engines import EngineName
from meshsim.errors import UsageError
from meshsim.model.load import load as read
from meshsim.model.topology import Topology
from meshsim.model.traffic import Objective
from meshsim.notebook import progress_shown
from meshsim.numbers import real_number, whole_number
from meshsim.planning.asked import choices_asked, duration_asked, objectives_asked
from meshsim.planning.losses import parse_loss
from meshsim.planning.peak import at_peak
from meshsim.planning.planner import Asked, Planner, cheapest, verified_on_fresh_seeds
from meshsim.planning.probing import Question, probing
from meshsim.planning.result import Deployment, Infeasible, Plan
from meshsim.results.manifest import Timing
from meshsim.settings import Settings, settings_of
from meshsim.simulate import DEFAULT_ARCHITECTURES, Progress, Source, compile_engine
from meshsim.workers import workers

CEILING: Final = 0.8  # of a CPU on average: what is above waits for every burst (assumed)
MOST_REPLICAS: Final = 100  # of each service (assumed)
FIRST_REPLICATIONS: Final = 8  # from here on intervals are those of replications alone
MOST_REPLICATIONS: Final = 32  # of a deployment that stays undecided


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
    engine: EngineName | Literal["analytic"] = "compiled",
    seed: int | None = None,
    replications: int = FIRST_REPLICATIONS,
    duration_s: float | None = None,
    warmup_s: float | None = None,
    jobs: int = 1,
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
        As of `meshsim.run`; besides, ``analytic`` plans by `meshsim.estimate` alone, at once and approximately
        (docs/analytic.md says by how much): nothing of it is proven unless `verify` simulates it.
    replications
        Of a deployment at first; they are doubled while it is undecided, up to `MOST_REPLICATIONS`.
    duration_s, warmup_s
        Of a replication; as long as the rarest objective needs if absent.

    Returns
    -------
    Plan

    Raises
    ------
    SpecError, UsageError, EngineLimit
        As `meshsim.run`, or nobody has objectives.
    """
    started = time.perf_counter()
    labels = labels_of(architectures)
    simulates, simulator = engine != "analytic", "compiled" if engine == "analytic" else engine
    written = read(topology, overrides=overrides)
    asked = asked_of(written, objectives, load, lose, ceiling, most_replicas, replications)
    several = list(choices_asked(choices or {}))
    variants = [
        (choice, at_peak(read(topology, overrides=[*overrides, *(f"{p}={v}" for p, v in choice.items())]), asked.load))
        for choice in several
    ]
    first, notes = variants[0][1]
    notes = (*notes, *kept_as_written(first))
    settings = probing(
        settings_of(
            first,
            engine=simulator,
            seed=seed,
            replications=asked.replications,
            duration_s=duration_asked(first, asked.question.objectives) if duration_s is None else duration_s,
            warmup_s=warmup_s,
            jobs=jobs,
        )
    )
    compile_engine(simulator, lower(first, labels[0]), quiet)
    deployments: dict[str, Deployment] = {}
    infeasible: dict[str, Infeasible] = {}
    with workers(jobs, simulator) as submit, progress_shown(progress, quiet) as shown:
        for done, label in enumerate(labels):
            if shown is not None:
                shown(done, len(labels))
            planners = [
                Planner(
                    spec, label, choice, asked, tariff_of(spec, prices, None), settings, submit, simulates=simulates
                )
                for choice, (spec, _) in variants
            ]
            one = cheapest(planners, lambda planner: planner.search(screen=screen))
            if isinstance(one, Infeasible):
                infeasible[label] = one
            else:
                deployments[label] = one[0].deployment(one[1], growth)
            if not simulates:
                notes = (*notes, *(note for note in planners[0].notes if note not in notes))
        specs = dict(zip(map(str, several), (spec for _, (spec, _) in variants), strict=True))
        verified = {
            label: verified_on_fresh_seeds(specs[str(dict(one.choice))], label, one.probe, asked, settings, submit)
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


def kept_as_written(spec: Topology) -> tuple[str, ...]:
    """A note on services whose replicas are not planned."""
    names = [name for name, service in sorted(spec.services.items()) if len(service.versions) > 1]
    if not names:
        return ()
    return (f"{', '.join(names)} keep the replicas that they have: services with several versions are not planned",)


def asked_of(
    spec: Topology,
    objectives: Sequence[Objective],
    load: float,
    lose: int | str,
    ceiling: float,
    most_replicas: int,
    replications: int,
) -> Asked:
    """What every plan is asked for, checked."""
    load, ceiling = real_number(load, "load"), real_number(ceiling, "ceiling")
    if not 0.0 < load < 1e6:
        raise UsageError(f"load is a factor above 0, not {load:g}")
    if not 0.0 < ceiling <= 1.0:
        raise UsageError(f"the ceiling of utilization is a share above 0 and up to 1, e.g. 0.8, not {ceiling:g}")
    most, first = whole_number(most_replicas, "most_replicas"), whole_number(replications, "replications")
    if most < 1 or not 2 <= first <= MOST_REPLICATIONS:
        raise UsageError(f"most_replicas is 1 or more, and replications 2 to {MOST_REPLICATIONS}")
    loss = parse_loss(lose, len(spec.nodes.zones))
    return Asked(Question(objectives_asked(spec, objectives), ceiling, MOST_REPLICATIONS), load, loss, most, first)


def _command(topology: Source, labels: Sequence[str], lose: int | str, load: float, settings: Settings) -> str:
    """The call that repeats it, for those who did not come from the command line."""
    source = repr(str(topology)) if isinstance(topology, str | Path) else "topology"
    words = f"lose={lose!r}, load={load!r}, seed={settings.seed!r}"
    return f"meshsim.plan({source}, {list(labels)!r}, {words})"
