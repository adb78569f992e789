"""Runs every strike under every architecture and rollout beside the run in which nothing happens."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import Future
from dataclasses import dataclass, replace
from fnmatch import fnmatch
from functools import cache, partial
from typing import TYPE_CHECKING, Final

from meshsim.architectures import Architecture, labels_of, lower, parse_architecture
from meshsim.architectures.plane import Plane
from meshsim.blasts.harm import Beyond, Harm, beyond_objective, harm
from meshsim.blasts.result import Blast, Cell
from meshsim.blasts.strikes import BAKE_MOST_S, Strike, own_strikes, strikes
from meshsim.control import drive
from meshsim.control.events import Events
from meshsim.control.instances import Instance, in_scope
from meshsim.engines import EngineName
from meshsim.engines.record import BATCHES, Happening
from meshsim.errors import UsageError
from meshsim.model.changes import changed_topology
from meshsim.model.faults import Push, Scope
from meshsim.model.load import load
from meshsim.model.rollouts import BUILT_IN, Rollout
from meshsim.model.topology import Topology
from meshsim.notebook import progress_shown
from meshsim.results.manifest import Timing
from meshsim.results.propagation import Propagation, propagation
from meshsim.results.repeat import python_call
from meshsim.results.traces import Sampled, keep
from meshsim.settings import Settings, refuse_autoscaling, settings_of
from meshsim.simulate import DEFAULT_ARCHITECTURES, Progress, Source, begin_replication, compile_engine, pauses
from meshsim.workers import Stop, workers

if TYPE_CHECKING:
    from meshsim.engines.compiled.engine import CompiledRun

DEFAULT_ROLLOUTS: Final = ("all-at-once", "canary")
_LOOKS_BEFORE = 1.2  # of people's looks: one, so that they know what is usual, and a little (assumed)
_SETTLES_S = 12.0  # and not before queues are as long as ever (assumed)
_LASTS_S = 20.0  # how long an ordinary one lasts (assumed)
_PEOPLE_MOST_S = 10.0  # of the time that people take so much is simulated: what lies between goes on as it is (assumed)
_SAMPLED = 2_000  # requests of a run whose failures are followed (assumed: shares to about 2 %)
_BATCHES_BEFORE = (15, 12, 10, 8, 6, 5, 4, 3, 2, 1)  # a fault begins at the edge of a batch


@dataclass(frozen=True, slots=True)
class _Task:
    """One run: a strike under an architecture and a rollout; None: nothing happens."""

    architecture: str
    strike: Strike | None
    rollout: Rollout | None
    horizon_s: float


def blast(
    topology: Source,
    architectures: Sequence[str | Architecture] = DEFAULT_ARCHITECTURES,
    *,
    rollouts: Sequence[str] | None = None,
    only: Sequence[str] = (),
    exhaustive: bool = False,
    own: bool = False,
    from_warm: bool = False,
    engine: EngineName = "compiled",
    seed: int | None = None,
    jobs: int = 1,
    overrides: Sequence[str] = (),
    progress: Progress | None = None,
    quiet: bool = False,
) -> Blast:
    """Let every fault strike, one at a time, and tell who goes down with it, for how long and why.

    Each run is set beside the same run without the fault. Ordinary faults last 20 s. Pushes go out by each rollout,
    its bake times cut to 20 s, and are taken back by its analysis or by people; of the time that these take 10 s are
    simulated, and the rest is counted as if it went on like that.

    Parameters
    ----------
    topology
        As of `meshsim.run`; its own events are left out but for `own`.
    rollouts
        Names, built in or of the topology: ``all-at-once`` and ``canary`` if absent, with `exhaustive` all.
    only
        Patterns of names of faults and places, such as ``slow_filter*`` or ``* at service/maps``: those alone.
    exhaustive
        Every place instead of one of each kind.
    own
        The topology's events strike, one at a time, instead of faults of every kind: pushes by each rollout and by
        their own.
    from_warm
        Simulate what comes before the fault once for each architecture and length of run, and branch off; people
        begin to watch then.
    engine, seed, jobs, overrides, progress, quiet
        As of `meshsim.run`; one replication of each run.

    Returns
    -------
    Blast

    Raises
    ------
    SpecError, UsageError, EngineLimit
        As `meshsim.run`, or nothing is left to strike.
    """
    arguments, started = dict(locals()), time.perf_counter()
    if from_warm and engine != "compiled":
        raise UsageError("from_warm copies the state of a run, which the compiled engine alone can")
    given = load(topology, overrides=overrides)
    if from_warm:
        refuse_autoscaling(given, "from_warm")
    names = labels_of(architectures)
    chosen = chosen_strikes(given, only, exhaustive=exhaustive, own=own)
    tasks = plan(given, names, chosen, chosen_rollouts(given, rollouts, exhaustive=exhaustive, own=own))
    spec = given.model_copy(update={"events": ()})
    settings = settings_of(
        spec, engine=engine, seed=seed, replications=1, duration_s=None, warmup_s=begins_s(spec), jobs=jobs
    )
    planes = _Planes(spec, settings, chosen, from_warm)
    compile_engine(engine, planes.plane(names[0]), quiet)
    with workers(jobs, engine) as submit, progress_shown(progress, quiet) as shown:
        found = _simulate(planes, tasks, lambda *what: submit(*what), shown)
    timing = Timing(round(time.perf_counter() - started, 3), jobs)
    command = python_call(blast, arguments, architectures=names, seed=settings.seed)
    return Blast(given, tuple(names), tuple(_cells(planes, tasks, found)), settings.seed, engine, timing, command)


def chosen_strikes(spec: Topology, only: Sequence[str], *, exhaustive: bool, own: bool) -> list[Strike]:
    """Strikes that a user asked for.

    Raises
    ------
    UsageError
        A pattern meets none, or events are to strike and there are none.
    """
    everything = own_strikes(spec) if own else strikes(spec, exhaustive=exhaustive)
    if not everything:
        raise UsageError("the topology has no events that could strike: docs/failures.md says how to write some")
    for pattern in only:
        if not any(_fits(one, pattern) for one in everything):
            kinds = ", ".join(dict.fromkeys(one.kind for one in everything))
            raise UsageError(f"no fault is called '{pattern}'; kinds are {kinds}; places e.g. '* at service/NAME'")
    return [one for one in everything if not only or any(_fits(one, pattern) for pattern in only)]


def _fits(strike: Strike, pattern: str) -> bool:
    return fnmatch(strike.name, pattern) or strike.kind == pattern


def chosen_rollouts(spec: Topology, names: Sequence[str] | None, *, exhaustive: bool, own: bool) -> list[Rollout]:
    """Rollouts by name, their bake times cut (UsageError for one that does not exist)."""
    known = {**BUILT_IN, **spec.rollouts}
    theirs = [event.push.rollout for event in spec.events if own and event.push is not None]
    wanted = names or (tuple(known) if exhaustive else (*DEFAULT_ROLLOUTS, *theirs))
    for name in wanted:
        if name not in known:
            raise UsageError(f"there is no rollout '{name}'; there is {', '.join(known)}")
    chosen = [known[name] for name in dict.fromkeys(wanted)]
    return [one.model_copy(update={"bake_s": min(one.bake_s, BAKE_MOST_S)}) for one in chosen]


def plan(
    spec: Topology, architectures: Sequence[str], chosen: Sequence[Strike], rollouts: Sequence[Rollout]
) -> list[_Task]:
    """Every run that is to be made, without those in which nothing happens.

    Pushes under one architecture run equally long by all rollouts: what is counted until the end can be compared.
    """
    tasks = []
    for architecture in architectures:
        baking_s = max((_baking_s(spec, architecture, one) for one in rollouts), default=0.0)
        for strike in chosen:
            if strike.push is None:
                tasks.append(_Task(architecture, strike, None, _horizon_s(spec, strike.for_s or 0.0)))
            else:
                tasks += [_Task(architecture, strike, one, _horizon_s(spec, baking_s)) for one in rollouts]
    return tasks


def begins_s(spec: Topology) -> float:
    """When faults begin."""
    return max(_LOOKS_BEFORE * spec.people.monitoring_s, _SETTLES_S)


def count_runs(
    spec: Topology, architectures: Sequence[str | Architecture], chosen: Sequence[Strike], rollouts: Sequence[Rollout]
) -> tuple[int, float]:
    """How many runs a blast makes, those in which nothing happens too, and how many seconds they simulate."""
    names = labels_of(architectures)
    tasks = plan(spec, names, chosen, rollouts)
    settings = settings_of(
        spec, engine="compiled", seed=None, replications=1, duration_s=None, warmup_s=begins_s(spec), jobs=1
    )
    wanted = _runs(_Planes(spec, settings, chosen, from_warm=False), tasks)
    return len(wanted), sum(task.horizon_s for task in wanted.values())


def _baking_s(spec: Topology, architecture: str, rollout: Rollout) -> float:
    """How long a rollout takes until it is everywhere, at most."""
    if rollout.by == "all":
        return 0.0
    tenants, cells = len(spec.senders), parse_architecture(architecture).cells
    groups = {
        "share": len(rollout.steps) * rollout.batch,
        "zone": len(spec.nodes.zones),
        "tenant": tenants,
        "cell": tenants if cells == "per_tenant" else cells or 1,
    }
    waves = -(-groups[rollout.by] // rollout.batch)
    return waves * rollout.bake_s


def _horizon_s(spec: Topology, lasts_s: float) -> float:
    """How long a run has to be: until people have noticed, acted, and it is better; so that the fault is at an edge."""
    at_s = begins_s(spec)
    needed_s = at_s + lasts_s + 1.5 * spec.people.monitoring_s + _PEOPLE_MOST_S
    for batches in _BATCHES_BEFORE:
        horizon_s = at_s * BATCHES / batches
        if horizon_s >= needed_s:
            return horizon_s
    raise UsageError(
        f"what takes {lasts_s:g} s is too long for a blast: give a rollout fewer steps or larger batches, an event a "
        "shorter for"
    )


# -- running -------------------------------------------------------------------------------------------------------


class _Planes:
    """Planes of the architectures, and runs that have been warmed up."""

    def __init__(self, spec: Topology, settings: Settings, chosen: Sequence[Strike], from_warm: bool) -> None:
        self.spec = spec
        self.settings = settings
        self.from_warm = from_warm
        pushes = [strike.push for strike in chosen if strike.push is not None]
        self.changed = [changed_topology(spec, push) for push in pushes]
        self.number = {push.name: number for number, push in enumerate(pushes)}
        self.plane = cache(self._plane)
        self.plane_of = cache(self._plane_of)

    def _plane(self, architecture: str) -> Plane:
        """The plane as it is, with all configurations that may be pushed if runs are branched off one."""
        return lower(self.spec, architecture, pushed=self.changed if self.from_warm else ())

    def _plane_of(self, architecture: str, push: str) -> Plane:
        if self.from_warm:
            return self.plane(architecture)
        return lower(self.spec, architecture, pushed=[self.changed[self.number[push]]])

    def of(self, task: _Task) -> tuple[Plane, Events | None]:
        """What runs, and what happens in it."""
        strike = task.strike
        if strike is None:
            return self.plane(task.architecture), None
        rollouts = () if task.rollout is None else (task.rollout,)
        event = strike.event(begins_s(self.spec), _LASTS_S, "" if task.rollout is None else task.rollout.name)
        events = Events((event,), rollouts, self.spec.control_plane, self.spec.people, _PEOPLE_MOST_S)
        if strike.push is None:
            return self.plane(task.architecture), events
        first = self.configuration(strike.push)
        return self.plane_of(task.architecture, strike.push.name), replace(events, first_configuration=first)

    def configuration(self, push: Push) -> int:
        """Number of the configuration with a push, of those of its plane."""
        return 1 + self.number[push.name] if self.from_warm else 1

    def key(self, task: _Task) -> object:
        """What two tasks have in common that are one run."""
        if task.strike is None or task.strike.push is None or task.rollout is None:
            return task
        push = task.strike.push
        reached = tuple(self.reached(task.architecture, push))
        if not reached:
            return None
        what = push.model_copy(update={"name": "", "scope": Scope()})
        return task.architecture, task.rollout.name, repr(what), push.set, push.tenant, reached

    def reached(self, architecture: str, push: Push) -> list[Instance]:
        """Proxies that get a push."""
        plane = self.plane_of(architecture, push.name)
        return in_scope(plane, push, self.configuration(push))

    def settings_of(self, task: _Task) -> Settings:
        """How long it runs."""
        return replace(self.settings, duration_s=task.horizon_s, record_traces=True, sampled=_SAMPLED)


def _runs(planes: _Planes, tasks: Sequence[_Task]) -> dict[object, _Task]:
    """Each run once, those in which nothing happens first."""
    calms = [
        _Task(name, None, None, horizon_s)
        for name, horizon_s in dict.fromkeys((task.architecture, task.horizon_s) for task in tasks)
    ]
    wanted: dict[object, _Task] = {}
    for task in [*calms, *tasks]:
        key = planes.key(task)
        if key is not None:
            wanted.setdefault(key, task)
    return wanted


def _simulate(
    planes: _Planes, tasks: Sequence[_Task], submit: Callable[..., Future[_Found]], progress: Progress | None
) -> dict[object, _Found]:
    """Make each run once."""
    wanted = _runs(planes, tasks)
    calms = [task for task in wanted.values() if task.strike is None]
    done = 0
    if progress is not None:
        progress(0, len(wanted))

    def tell(_: Future[_Found]) -> None:
        nonlocal done
        done += 1
        if progress is not None:
            progress(done, len(wanted))

    warm = {}
    if planes.from_warm:
        for task in calms:
            warm[task] = submit(_warm, planes.plane(task.architecture), planes.settings_of(task), begins_s(planes.spec))
    futures = {}
    for key, task in wanted.items():
        plane, events = planes.of(task)
        past = warm[replace(task, strike=None, rollout=None)].result() if warm else None
        future = submit(_run, planes.spec, plane, planes.settings_of(task), events, past)
        future.add_done_callback(tell)
        futures[key] = future
    return {key: future.result() for key, future in futures.items()}


@dataclass(frozen=True, slots=True)
class _Found:
    """What a run came to: small, whereas its record is large."""

    beyond: Beyond
    happenings: tuple[Happening, ...]
    propagation: Propagation | None


def _warm(plane: Plane, settings: Settings, at_s: float, *, stop: Stop | None) -> CompiledRun:
    """What comes before a fault, once for all."""
    run = begin_replication(plane, settings, 0)
    for until_ns in [*(mark for mark in pauses(settings) if mark < at_s * 1e9), round(at_s * 1e9)]:
        if stop is not None and stop():
            raise KeyboardInterrupt
        run.advance(until_ns)
    return run  # type: ignore[return-value]  # the compiled engine's: others are refused


def _run(
    spec: Topology,
    plane: Plane,
    settings: Settings,
    events: Events | None,
    past: CompiledRun | None,
    *,
    stop: Stop | None,
) -> _Found:
    run = begin_replication(plane, settings, 0) if past is None else past.copy()
    since_s = 0.0 if past is None else begins_s(spec)
    marks = [mark for mark in pauses(settings) if mark > since_s * 1e9]
    controllers = [one for one in (events, settings.autoscaling) if one is not None]
    record = drive(run, plane, controllers, pauses=marks, stop=stop, since_s=since_s)
    sampled = None if events is None else keep(plane, [record], 0, settings.seed)
    return _Found(beyond_objective(spec, plane, record), record.happenings, _spread(spec, sampled))


def _spread(spec: Topology, sampled: Sampled | None) -> Propagation | None:
    """How failures spread since the fault began; None where no sampled request was answered since then."""
    try:
        return None if sampled is None else propagation(sampled, start_s=begins_s(spec))
    except UsageError:
        return None


def _cells(planes: _Planes, tasks: Sequence[_Task], found: dict[object, _Found]) -> Iterator[Cell]:
    for task in tasks:
        strike = task.strike
        assert strike is not None
        key = planes.key(task)
        rollout = "" if task.rollout is None else task.rollout.name
        of = partial(Cell, strike.kind, strike.place, task.architecture, rollout)
        if key is None:
            yield of(0, _no_harm(planes.spec), ())
            continue
        calm = found[planes.key(_Task(task.architecture, None, None, task.horizon_s))].beyond
        hit = found[key]
        happenings = tuple(h if h.who == "people" else h._replace(who=strike.name) for h in hit.happenings)
        plane = planes.plane(task.architecture)
        proxies = None if strike.push is None else len(planes.reached(task.architecture, strike.push))
        measured = harm(plane, hit.beyond, calm, happenings, begins_s(planes.spec), task.horizon_s)
        yield of(proxies, measured, happenings, hit.propagation)


def _no_harm(spec: Topology) -> Harm:
    nothing = dict.fromkeys(spec.senders, 0.0)
    return Harm(0.0, nothing, nothing, (), (), nothing, None, None, 0.0, 0.0)
