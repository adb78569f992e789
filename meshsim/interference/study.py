"""Runs every pair: all tenants, and all but one; then how far each can go."""

from __future__ import annotations

import math
import time
from collections.abc import Callable, Mapping, Sequence
from concurrent.futures import Future
from dataclasses import dataclass, replace
from typing import Final

from meshsim.architectures import Architecture, labels_of, lower
from meshsim.architectures.plane import Plane
from meshsim.control import drive
from meshsim.engines import EngineName
from meshsim.engines.order import MAX_REQUEST
from meshsim.engines.record import Record
from meshsim.errors import EngineLimit, UsageError
from meshsim.interference.headroom import CEILING, Headroom, OutOfEngine, Probe, probe_of, search
from meshsim.interference.loads import tenants_of, with_loads
from meshsim.interference.pairs import Cell, cell
from meshsim.interference.result import Interference, Noted
from meshsim.interference.sides import Side, side_of
from meshsim.interference.words import AS_WRITTEN
from meshsim.model.graph import stream_rate_per_s
from meshsim.model.load import load
from meshsim.model.topology import Topology
from meshsim.notebook import progress_shown
from meshsim.numbers import real_number
from meshsim.results.manifest import Timing
from meshsim.results.repeat import python_call
from meshsim.results.text import natural
from meshsim.results.warmup import cut_batches
from meshsim.settings import Settings, refuse_autoscaling, settings_of
from meshsim.simulate import DEFAULT_ARCHITECTURES, Progress, Source, begin_replication, compile_engine, pauses
from meshsim.workers import Stop, Submit, workers

_BUDGET_S: Final = 300.0  # of wall clock, for headroom (assumed)
_EXPECTED_PROBES: Final = 9  # of each tenant, for whoever shows how long it takes (assumed)
_MOST_REQUESTS: Final = 10**9  # of one replication, a thousand seconds of computing and more (assumed)
_MOST_TENANTS: Final = 50  # whose matrix of 2,450 cells nobody reads any more (assumed)

Loads = Mapping[str, float]
_Key = tuple[tuple[str, float], ...]


def tenants(
    topology: Source,
    architectures: Sequence[str | Architecture] = DEFAULT_ARCHITECTURES,
    *,
    isolations: Mapping[str, str | Sequence[str]] | None = None,
    push: float = 1.0,
    aggressors: str | Sequence[str] = (),
    headroom: bool = True,
    ceiling: float = CEILING,
    budget_s: float = _BUDGET_S,
    engine: EngineName = "compiled",
    seed: int | None = None,
    replications: int | None = None,
    duration_s: float | None = None,
    warmup_s: float | None = None,
    jobs: int = 1,
    overrides: Sequence[str] = (),
    progress: Progress | None = None,
    quiet: bool = False,
) -> Interference:
    """Tell which tenant harms which and by how much, and how much each can add before another is harmed.

    Each tenant in turn sends nothing, and all others are compared with what they met while it did: the same arrivals,
    keys and demands, on the same deployment. A ratio of 1.5 says that the victim's p99 is half as much again *because
    the aggressor is there*, not because of its next request.

    Parameters
    ----------
    topology
        A name, a path or a dict, as of `meshsim.run`; its own events are left out.
    isolations
        By name, ``path=value`` as of ``--set``, one or several: ways to keep tenants apart. The topology as it is
        written is always the first.
    push
        Factor on the aggressor's load on the side on which it is there; 1: as written.
    aggressors
        One name or several; all tenants if absent.
    headroom
        Look how far each aggressor's load can rise.
    ceiling
        Largest factor that is looked at.
    budget_s
        Wall clock for headroom: when it is used up, brackets stay as wide as they are.
    engine, seed, replications, duration_s, warmup_s, jobs, overrides, progress, quiet
        As of `meshsim.run`.

    Returns
    -------
    Interference

    Raises
    ------
    SpecError, UsageError, EngineLimit
        As `meshsim.run`, or there are fewer than two tenants.
    """
    arguments, started = dict(locals()), time.perf_counter()
    push, ceiling, budget_s = _checked(push, ceiling, budget_s)
    labels = labels_of(architectures)
    aggressors, overrides = _several(aggressors), _several(overrides)
    variants = {AS_WRITTEN: (), **{name: _several(changes) for name, changes in (isolations or {}).items()}}
    specs = {
        name: load(topology, overrides=overrides, variants={f"isolation {name}:": changes}, events=False)
        for name, changes in variants.items()
    }
    first = specs[AS_WRITTEN]
    for spec in specs.values():
        refuse_autoscaling(spec, "a study of noisy neighbours")
    settings = replace(
        settings_of(
            first,
            engine=engine,
            seed=seed,
            replications=replications,
            duration_s=duration_s,
            warmup_s=warmup_s,
            jobs=jobs,
        ),
        sampled=0,
    )
    groups = [
        Group(spec, lower(spec, label), name, chosen(spec, aggressors))
        for label in labels
        for name, spec in specs.items()
    ]
    for group in groups:
        _refuse_crowds(group, push, settings.duration_s)
    compile_engine(engine, groups[0].plane, quiet)
    cells: list[Cell] = []
    rooms: list[Headroom] = []
    notes: list[Noted] = []
    with workers(jobs, engine) as submit, progress_shown(progress, quiet) as shown:
        tell = _Told(shown, groups, settings.replications, push, headroom)
        deadline = _Deadline(budget_s)
        for group in groups:
            runs = _Runs(group, settings, submit, tell)
            found, unmeasured = _matrix(runs, push)
            cells += found
            notes.append(Noted(group.plane.architecture, group.isolation, _inert(group.plane), unmeasured))
            if headroom:
                rooms += _headroom(runs, ceiling, deadline)
    return Interference(
        name=first.name,
        digest=first.digest,
        architectures=tuple(labels),
        isolations=variants,
        tenants=tuple(sorted({name for group in groups for name in tenants_of(group.plane)}, key=natural)),
        cells=tuple(cells),
        headroom=tuple(rooms),
        push=push,
        seed=settings.seed,
        engine=engine,
        replications=settings.replications,
        duration_s=settings.duration_s,
        timing=Timing(round(time.perf_counter() - started, 3), jobs),
        command=python_call(tenants, arguments, architectures=labels, seed=settings.seed),
        notes=tuple(notes),
    )


# -- what is asked -------------------------------------------------------------------------------------------------


def _checked(push: float, ceiling: float, budget_s: float) -> tuple[float, float, float]:
    push, ceiling = real_number(push, "push"), real_number(ceiling, "ceiling")
    budget_s = real_number(budget_s, "budget_s")
    if not 0.0 < push < math.inf:
        raise UsageError(f"push is a factor above 0 and finite, not {push:g}: what it is compared with is 0")
    if not 1.0 < ceiling < math.inf:
        raise UsageError(f"the ceiling is a factor above 1 and finite, not {ceiling:g}")
    if not budget_s > 0.0:
        raise UsageError(f"the time budget must be longer than 0 s, not {budget_s:g} s")
    return push, ceiling, budget_s


def _several(texts: str | Sequence[str]) -> tuple[str, ...]:
    """A text alone is one, not its letters."""
    return (texts,) if isinstance(texts, str) else tuple(texts)


def chosen(spec: Topology, aggressors: Sequence[str]) -> tuple[str, ...]:
    """Whose absence is simulated.

    Raises
    ------
    UsageError
        There are fewer than two tenants that send something, too many, or there is none of that name.
    """
    names = spec.senders
    if len(names) < 2:
        raise UsageError(
            f"interference needs two tenants, and {spec.name} has traffic of {names[0] if names else 'nobody'} alone: "
            "give traffic entries a tenant each"
        )
    if len(names) > _MOST_TENANTS and not aggressors:
        raise UsageError(f"{len(names)} tenants are more than a matrix shows ({_MOST_TENANTS}): name the aggressors")
    unknown = [name for name in aggressors if name not in names]
    if unknown:
        raise UsageError(f"there is no traffic of tenant '{unknown[0]}'; there is of {', '.join(names)}")
    return tuple(sorted((name for name in names if not aggressors or name in aggressors), key=natural))


def expected(plane: Plane, loads: Loads, duration_s: float) -> float:
    """About how many requests or sessions one replication begins; closed loops, which nobody can tell, count as 0."""
    rates = (stream_rate_per_s(stream, duration_s) for stream, _ in with_loads(plane, loads).entries)
    return math.fsum(rates) * plane.load * duration_s


def _refuse_crowds(group: Group, push: float, duration_s: float) -> None:
    for name in group.aggressors if push > 1.0 else ():
        requests = expected(group.plane, {name: push}, duration_s)
        if requests > _MOST_REQUESTS:
            raise UsageError(
                f"push {push:g}: with {name} at so many times its load, a replication of {duration_s:g} s would have "
                f"about {requests:.2g} requests, and {_MOST_REQUESTS:,} are looked at here ({MAX_REQUEST + 1:,} is the "
                "limit of a run): push less, or shorten the run"
            )


def _inert(plane: Plane) -> tuple[str, ...]:
    return tuple(sorted({f"{one.policy}.{one.field}" for one in plane.inert}))


@dataclass(frozen=True, slots=True)
class Group:
    """Everything that is simulated under one architecture and isolation."""

    spec: Topology
    plane: Plane
    isolation: str
    aggressors: tuple[str, ...]


def sides(aggressors: Sequence[str], push: float) -> list[Loads]:
    """Loads that a matrix needs: as written, or each aggressor pushed; and each aggressor absent."""
    pushed: list[Loads] = [{}] if push == 1.0 else [{name: push} for name in aggressors]
    return [*pushed, *({name: 0.0} for name in aggressors)]


# -- running -------------------------------------------------------------------------------------------------------


class _Told:
    """How many simulations are done, of about how many."""

    def __init__(
        self, progress: Progress | None, groups: Sequence[Group], replications: int, push: float, headroom: bool
    ) -> None:
        self.progress = progress
        self.replications = replications
        probes = _EXPECTED_PROBES if headroom else 0
        self.total = replications * sum(len(sides(g.aggressors, push)) + probes * len(g.aggressors) for g in groups)
        self.done = 0
        self.show()

    def show(self) -> None:
        if self.progress is not None:
            self.progress(min(self.done, self.total), self.total)

    def one(self, _: object = None) -> None:
        """One replication more is done."""
        self.done += 1
        self.show()

    def searched(self, probes: int) -> None:
        """A search is over, with more or fewer loads than expected."""
        self.total += (probes - _EXPECTED_PROBES) * self.replications
        self.show()


class _Deadline:
    """Wall clock that headroom may take; what the matrix takes does not count."""

    def __init__(self, budget_s: float) -> None:
        self.left_s = budget_s

    def over(self) -> bool:
        """Whether nothing is left."""
        return self.left_s <= 0.0

    def took(self, elapsed_s: float) -> None:
        """Take what one simulation took off it."""
        self.left_s -= elapsed_s


class _Runs:
    """Simulates loads of one group; each once."""

    def __init__(self, group: Group, settings: Settings, submit: Submit, tell: _Told) -> None:
        self.group = group
        self.settings = settings
        self.submit = submit
        self.tell = tell
        self.cut = 0
        self.found: dict[_Key, tuple[Side, int]] = {}
        self.written: list[Record] = []  # as the topology says; kept, so that other warm-ups can be cut from them

    def all(self, wanted: Sequence[Loads]) -> list[Side]:
        """Simulate several loads at once; the largest of their warm-ups is cut from each."""
        futures = [self._begin(loads) for loads in wanted]
        records = [[future.result() for future in several] for several in futures]
        self.cut = max(self.cut, *(self._cut(several) for several in records))
        made = [self._side(several, self.cut) for several in records]
        for loads, several, side in zip(wanted, records, made, strict=True):
            self._keep(loads, several, side, self.cut)
        return made

    def beside_written(self, loads: Loads) -> tuple[Side, Side]:
        """Simulate one load more, and give it beside that as written; the larger warm-up is cut from both."""
        for each in ({}, loads):
            if self.found.get(_key(each), (None, -1))[1] < self.cut:
                records = [future.result() for future in self._begin(each)]
                cut = max(self.cut, self._cut(records))
                self._keep(each, records, self._side(records, cut), cut)
        (side, cut), (written, before) = self.found[_key(loads)], self.found[_key({})]
        return side, written if cut == before else self._side(self.written, cut)

    def _keep(self, loads: Loads, records: list[Record], side: Side, cut: int) -> None:
        self.found[_key(loads)] = side, cut
        if not _key(loads):
            self.written, self.cut = records, cut  # nothing is compared with more than this

    def _begin(self, loads: Loads) -> list[Future[Record]]:
        plane = with_loads(self.group.plane, loads)
        futures = []
        for number in range(self.settings.replications):
            future: Future[Record] = self.submit(_replication, plane, self.settings, number)
            future.add_done_callback(self.tell.one)
            futures.append(future)
        return futures

    def _cut(self, records: Sequence[Record]) -> int:
        # arrivals are as stationary as they are written: who sends nothing would count as a trace
        return cut_batches(self.group.plane, records, self.settings.warmup_s)

    def _side(self, records: Sequence[Record], cut: int) -> Side:
        return side_of(self.group.spec, self.group.plane, records, cut)


def _key(loads: Loads) -> _Key:
    """Loads as written are no change."""
    return tuple(sorted((name, value) for name, value in loads.items() if value != 1.0))


def _replication(plane: Plane, settings: Settings, replication: int, *, stop: Stop | None) -> Record:
    """One replication; at module level, so that another process can be told to do it."""
    run = begin_replication(plane, settings, replication)
    return drive(run, plane, (), pauses=pauses(settings), stop=stop)


def _matrix(runs: _Runs, push: float) -> tuple[list[Cell], tuple[str, ...]]:
    """All cells, and the tenants of whom nothing was measured."""
    group = runs.group
    wanted = sides(group.aggressors, push)
    found = dict(zip(map(_key, wanted), runs.all(wanted), strict=True))
    label, everybody = group.plane.architecture, sorted(tenants_of(group.plane), key=natural)
    cells = []
    for aggressor in group.aggressors:
        present, absent = found[_key({aggressor: push})], found[_key({aggressor: 0.0})]
        measured = present.by_tenant.keys() & absent.by_tenant.keys() - {aggressor}
        victims = [name for name in everybody if name in measured]
        cells += [cell(label, group.isolation, aggressor, victim, present, absent) for victim in victims]
    if not cells:
        raise UsageError(f"no requests were measured ({label}, {group.isolation}): make the run longer")
    sent = {name for side in found.values() for name in side.by_tenant}
    return cells, tuple(name for name in everybody if name not in sent)


def _headroom(runs: _Runs, ceiling: float, deadline: _Deadline) -> list[Headroom]:
    group = runs.group
    found = []
    for aggressor in group.aggressors:
        simulate = _prober(runs, aggressor, deadline)
        one = search(group.plane.architecture, group.isolation, aggressor, simulate, ceiling=ceiling)
        runs.tell.searched(len(one.probes) - sum(probe.factor in (0.0, 1.0) for probe in one.probes))
        found.append(one)
    return found


def _prober(runs: _Runs, aggressor: str, deadline: _Deadline) -> Callable[[float], Probe | None]:
    def simulate(factor: float) -> Probe | None:
        if deadline.over():
            return None
        started = time.monotonic()
        if expected(runs.group.plane, {aggressor: factor}, runs.settings.duration_s) > _MOST_REQUESTS:
            raise OutOfEngine
        try:
            side, written = runs.beside_written({aggressor: factor})
        except EngineLimit as limit:
            raise OutOfEngine from limit
        deadline.took(time.monotonic() - started)
        return probe_of(factor, aggressor, side, written)

    return simulate
