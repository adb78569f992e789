"""Simulating all points of a sweep under several architectures, in parallel, with a store that it resumes from."""

from __future__ import annotations

import time
from collections import deque
from collections.abc import Mapping, Sequence
from concurrent.futures import FIRST_COMPLETED, CancelledError, Future, wait
from dataclasses import dataclass, replace
from pathlib import Path

from meshsim.architectures import labels_of, lower
from meshsim.engines import EngineName
from meshsim.errors import EngineLimit
from meshsim.model.traffic import Objective
from meshsim.notebook import progress_shown
from meshsim.simulate import (
    DEFAULT_ARCHITECTURES,
    Progress,
    compile_engine,
    simulate_planes,
)
from meshsim.sweeps.design import Design, design_of
from meshsim.sweeps.patience import Patience, patience
from meshsim.sweeps.result import SweepResult
from meshsim.sweeps.saying import Say, to_stderr, unsaid
from meshsim.sweeps.store import Damaged, Store, Stored
from meshsim.sweeps.tasks import Asked, Source, Task, load_at, simulate_task, tasks_at
from meshsim.workers import Submit, here, most_at_once, threads_of, workers

_FIRST_TRIAL, _GROWTH = 20.0, 4.0  # requests of the first trial of an estimate; each next one has so many times more
_TRIALS_S = 1.0  # of wall clock that the trials of an architecture may take together (assumed), the first apart


def sweep(
    topology: Source,
    axes: Mapping[str, str | Sequence[object]] | Design,
    architectures: Sequence[str] = DEFAULT_ARCHITECTURES,
    *,
    let: Mapping[str, str] | None = None,
    sample: int | None = None,
    store: str | Path | None = None,
    fresh: bool = False,
    engine: EngineName = "compiled",
    seed: int | None = None,
    replications: int | None = None,
    until: str | None = None,
    jobs: int = 1,
    scheduler: str | None = None,
    overrides: Sequence[str] = (),
    objectives: Sequence[Objective] = (),
    same_policies: bool = False,
    progress: Progress | None = None,
    say: Say | None = None,
    quiet: bool = False,
    named: str | None = None,
) -> SweepResult:
    """Simulate a topology at many points under several architectures.

    All runs have the same seed, so that points and architectures meet the same arrivals and demands.

    Parameters
    ----------
    topology
        A shipped name, a path or a dict.
    axes
        Values by dotted path: a list, or a text as of ``--axis`` (``"0.2:1.4:0.1"``, ``"2,4,8"``, ``"0.2..1.4"``).
    architectures
        Names or inline values.
    let
        Values that follow from the axes, by path: ``{"services.web.replicas": "ceil({run.load} * 4)"}``.
    sample
        How many points a Latin hypercube draws from the axes that are ranges.
    store
        Folder to keep runs in, and to take finished ones from; None: memory only.
    fresh
        Simulate also what the store has.
    engine, seed, replications, until, overrides, objectives, same_policies
        As of `meshsim.run`; `until` is reached by every run for itself.
    jobs
        Threads (compiled engine) or processes; runs are spread over them. The numbers do not depend on it.
    scheduler
        Address of a Dask scheduler, e.g. ``tcp://10.0.0.7:8786``, on whose workers the runs are made; without `jobs`.
        Only this process reads topologies and writes the store. The numbers do not depend on it.
    progress
        Called with (runs done, runs to simulate), without those that the store has; without it, notebooks show a bar.
    say
        Called with what a user should know at once: a damaged file, an interruption, a run that failed. Without it,
        these go to stderr.
    quiet
        Show no bar, and say nothing on stderr.
    named
        What the commands of the runs call the topology, where that is not `topology` itself.

    Returns
    -------
    SweepResult
        A run a point and architecture, in the order of the points.

    Raises
    ------
    SpecError, UsageError
        A point is no valid topology, or the cluster cannot be used; nothing was run.
    EngineLimit
        Runs met a limit of the engine, and all others are finished and stored; or the cluster went away.
    StoreError
        The store cannot be read or written.
    KeyboardInterrupt
        After Ctrl-C; what was finished is stored.

    Examples
    --------
    >>> import meshsim as ms
    >>> found = ms.sweep("bookinfo", {"run.load": [0.5, 1]}, ["none"], replications=1,
    ...                  overrides=["run.duration=1s"], quiet=True)
    >>> found.frame()[["run.load", "architecture", "requests"]].values.tolist()
    [[0.5, 'none', ...], [1.0, 'none', ...]]
    """
    design = axes if isinstance(axes, Design) else design_of(axes, let, sample)
    asked = Asked(
        topology, tuple(overrides), engine, seed, replications, until, same_policies, tuple(objectives), named
    )
    tasks = tasks_of(asked, design, architectures)
    say = say or (unsaid if quiet else to_stderr)
    _tell_repeats(design, tasks, say)
    work = _Work(tasks, Store(store) if store is not None else None, say)
    if scheduler is None:
        compile_engine(engine, lower(tasks[0].load(), tasks[0].architecture), quiet)
    try:
        with (
            workers(jobs, engine, scheduler, quiet=quiet) as submit,
            patience(work.say) as stopping,
            progress_shown(progress, quiet) as shown,
        ):
            work.run(submit, jobs, stopping, shown, fresh=fresh)
    except KeyboardInterrupt:
        raise KeyboardInterrupt(work.told()) from None
    if stopping.asked and len(work.found) < len(tasks):
        raise KeyboardInterrupt(work.told())
    _raise_failures(work.failed, len(tasks))
    return SweepResult(tuple(work.found[task.key] for task in tasks), design.paths)


def tasks_of(asked: Asked, design: Design, architectures: Sequence[str]) -> list[Task]:
    """All runs of a sweep, in the order of the points; every point is read, so that mistakes come first.

    What is the same run, though it was spelled otherwise or drawn twice, is there once.

    Raises
    ------
    SpecError, UsageError
        A point is no valid topology, or an architecture is none.
    """
    base = load_at(asked, {})
    points = design.points(base.run.seed if asked.seed is None else asked.seed)
    tasks: dict[str, Task] = {}
    for number, point in enumerate(points):
        spec = load_at(asked, point)
        if number == 0:
            labels = list(dict.fromkeys(lower(spec, one).architecture for one in labels_of(architectures)))
        for task in tasks_at(asked, base, spec, point, labels):
            tasks.setdefault(task.key, task)
    found = list(tasks.values())
    found[0].settings(spec)  # mistakes in the arguments come before anything runs
    return found


@dataclass(frozen=True, slots=True)
class Estimate:
    """How long a sweep would take.

    Attributes
    ----------
    points, runs
        How many there are; `stored` of the runs are in the store already.
    requests
        Requests that the others will simulate, about; more if ``until`` asks for it.
    seconds
        Of wall clock, about, from short trials of each architecture.
    workers
        How many runs are simulated at a time.
    """

    points: int
    runs: int
    stored: int
    requests: int
    seconds: float
    workers: int


def estimate(tasks: Sequence[Task], store: Store | None, jobs: int, scheduler: str | None = None) -> Estimate:
    """Try each architecture for a moment, and reckon how long all runs take that are not in the store."""
    at_a_time = threads_of(jobs, tasks[0].asked.engine, scheduler)
    missing = [task for task in tasks if store is None or _finished(store, task) is None]
    pace: dict[str, tuple[float, float]] = {}
    requests = seconds = 0.0
    for task in missing:
        if task.architecture not in pace:
            pace[task.architecture] = _pace(task)
        each_s, request_s = pace[task.architecture]
        requests += task.requests
        seconds += (each_s + task.requests * request_s) / at_a_time
    points = len({task.point for task in tasks})
    return Estimate(points, len(tasks), len(tasks) - len(missing), round(requests), seconds, at_a_time)


def _pace(task: Task) -> tuple[float, float]:
    """Seconds that a run takes however short it is, and for each request; from trials that take a moment."""
    compile_engine(task.asked.engine, lower(task.load(), task.architecture), quiet=True)
    whole = max(task.requests / task.replications, 1.0)
    requests = min(_FIRST_TRIAL, whole)
    _trial(task, requests / whole)  # what is done once and never again
    fixed_s, request_s = _trial(task, requests / whole), 0.0
    first, last_s, spent_s = requests, fixed_s, fixed_s
    while requests < whole:
        more = min(_GROWTH * requests, whole)
        if spent_s + last_s + (more - requests) * request_s > _TRIALS_S:
            break
        last_s = _trial(task, more / whole)
        requests, spent_s = more, spent_s + last_s
        request_s = max(last_s - fixed_s, 0.0) / (requests - first)
    if requests == first:  # even so few take long, or they are all
        return 0.0, fixed_s / requests
    return max(fixed_s - first * request_s, 0.0), request_s


def _trial(task: Task, share: float) -> float:
    """Simulate a share of one replication; give the seconds that it took."""
    began = time.perf_counter()
    spec = task.load()
    settings = task.settings(spec)
    duration_s = settings.duration_s * share
    # while an overloaded system drains, arrivals go on: a trial would simulate far more than its share
    drain_s = min(settings.drain_s, duration_s)
    short = replace(settings, replications=1, duration_s=duration_s, drain_s=drain_s, until=None, warmup_s=0.0)
    plane = lower(spec, task.architecture, same_policies=task.asked.same_policies)
    simulate_planes(spec, [plane], short, here(None), jobs=1)
    return time.perf_counter() - began


def _finished(store: Store, task: Task) -> Stored | None:
    """What the store has of a task; damaged files count as nothing."""
    try:
        return store.find(task.key)
    except Damaged:
        return None


class _Work:
    """The runs of a sweep on their way: waiting, running, found, failed."""

    def __init__(self, tasks: Sequence[Task], store: Store | None, say: Say) -> None:
        self.tasks = tasks
        self.store = store
        self.say = say
        self.found: dict[str, Stored] = {}
        self.failed: list[tuple[Task, EngineLimit]] = []

    def told(self) -> str:
        """What somebody who interrupts wants to know."""
        if self.store is None:
            return f"{len(self.found)} of {len(self.tasks)} runs were finished, and are lost: only a store keeps them"
        kept = f"{len(self.found)} of {len(self.tasks)} runs are finished, and kept in {self.store.folder}"
        return f"{kept}; the same command goes on from there"

    def run(self, submit: Submit, jobs: int, stopping: Patience, progress: Progress | None, *, fresh: bool) -> None:
        """Take from the store what is there, and simulate the rest."""
        if self.store is not None:
            self.store.sweep_up()
        missing = [task for task in self.tasks if fresh or not self._take(task)]
        stored = len(self.tasks) - len(missing)

        def tell() -> None:
            if progress is not None and missing:
                progress(len(self.found) + len(self.failed) - stored, len(missing))

        tell()
        # What takes longest is begun first, so that no worker is alone with it in the end (R. L. Graham, SIAM J. Appl.
        # Math. 17, 1969). Of one point, architectures that come later tend to have more hops.
        waiting = deque(sorted(reversed(missing), key=lambda task: -task.requests))
        running: dict[Future[Stored], Task] = {}
        while (waiting and not stopping.asked) or running:
            while waiting and len(running) < most_at_once(submit, jobs) and not stopping.asked:
                task = waiting.popleft()
                if fresh or not self._take(task):  # another writer may have been faster
                    running[submit(simulate_task, task)] = task
                else:
                    tell()
            if stopping.asked:
                for future in running:
                    future.cancel()  # those that have begun are finished
            for future in wait(running, return_when=FIRST_COMPLETED).done:
                self._save(running.pop(future), future)
                if not future.cancelled():
                    tell()

    def _take(self, task: Task) -> bool:
        """Take a run that is in the store; set it aside if it is damaged."""
        if self.store is None:
            return False
        try:
            found = self.store.find(task.key)
        except Damaged as error:
            aside = ", ".join(path.name for path in self.store.set_aside(task.key))
            self.say(f"warning: {error}; set aside as {aside} (which you may delete), and simulated again")
            return False
        if found is None:
            return False
        self.found[task.key] = found
        return True

    def _save(self, task: Task, done: Future[Stored]) -> None:
        try:
            run = done.result()
        except CancelledError:
            return
        except EngineLimit as error:
            self.failed.append((task, error))
            self.say(f"failed: {task.told}: {error}")
            return
        if self.store is not None:
            self.store.add(run)
        self.found[task.key] = run


def _tell_repeats(design: Design, tasks: Sequence[Task], say: Say) -> None:
    """Say so when a hypercube drew points several times: whole numbers have only so many."""
    points = len({task.point for task in tasks})
    if points < design.size:
        say(f"note: {design.size - points} of {design.size} points were drawn before: {points} are left")


def _raise_failures(failed: Sequence[tuple[Task, EngineLimit]], runs: int) -> None:
    if not failed:
        return
    task, first = failed[0]
    raise EngineLimit(
        f"{len(failed)} of {runs} runs failed, the others are finished; the first: {task.told}: {first}",
        simulated_time_s=first.simulated_time_s,
        station=first.station,
        limit=first.limit,
    ) from first
