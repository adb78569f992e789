"""Run a topology under one architecture, or compare several: from a file to a `Result`."""

from __future__ import annotations

import math
import sys
import time
from collections.abc import Callable, Mapping, Sequence
from concurrent.futures import Future
from dataclasses import replace
from pathlib import Path
from typing import Any, Final

import numpy as np

from meshsim.architectures import Architecture
from meshsim.architectures.equal_caches import Scaled, equal_caches
from meshsim.architectures.plane import Plane
from meshsim.architectures.room import lower_with_room, with_room
from meshsim.control import Controller, drive
from meshsim.control.given import controllers_given, name_of
from meshsim.engines import EngineName, begin, slices
from meshsim.engines.record import BATCHES, Record
from meshsim.engines.running import Run
from meshsim.errors import UsageError
from meshsim.model.load import load
from meshsim.model.topology import Topology
from meshsim.model.traffic import Objective
from meshsim.notebook import progress_shown
from meshsim.results.comparison import Comparison, compare_results
from meshsim.results.manifest import Timing
from meshsim.results.repeat import Repeat
from meshsim.results.result import Origin, Result, build
from meshsim.results.text import percent
from meshsim.results.verdict import HOPELESS, Verdict
from meshsim.results.warmup import cut_batches, unsettled
from meshsim.settings import MOST_REPLICATIONS, Precision, Settings, settings_of
from meshsim.workers import Stop, Submit, workers

Source = str | Path | Mapping[str, Any] | Topology
#: Called with (replications done, replications asked for) in the beginning, and whenever one is done.
Progress = Callable[[int, int], None]

DEFAULT_ARCHITECTURES: Final = ("none", "gateway", "sidecar", "ambient")


def run(
    topology: Source,
    architecture: str | Architecture = "none",
    *,
    engine: EngineName = "compiled",
    seed: int | None = None,
    replications: int | None = None,
    duration_s: float | None = None,
    warmup_s: float | None = None,
    until: str | None = None,
    jobs: int = 1,
    overrides: Sequence[str] = (),
    objectives: Sequence[Objective] = (),
    same_policies: bool = False,
    controllers: Sequence[Controller] = (),
    max_replicas: Mapping[str, int] | None = None,
    record_requests: bool = False,
    record_traces: bool = False,
    check: bool = False,
    progress: Progress | None = None,
    quiet: bool = False,
    repeat: Repeat | None = None,
) -> Result:
    """Simulate a topology under one architecture.

    Parameters
    ----------
    topology
        A shipped name, a path, ``-`` (standard input), a dict or a `Topology`.
    architecture
        A name such as ``sidecar``, or an inline value.
    engine
        Who simulates; see `meshsim.engines.simulate`.
    seed, replications, duration_s, warmup_s
        Instead of those of the topology's ``run`` section, times in seconds of simulated time.
    until
        Precision such as ``p99±2%``: replications are doubled until it is reached, up to `MOST_REPLICATIONS`.
    jobs
        Threads (compiled engine) or processes. The numbers do not depend on it.
    overrides
        ``path=value`` as of ``--set``.
    objectives
        What every tenant is to keep besides its own objectives.
    same_policies
        Applications enforce all policies where no proxy does.
    controllers
        Control processes of every replication, see `meshsim.Control`: they look at the run and change it. ``warmup_s``
        must be given with them. On the simpy engine they need ``jobs=1``.
    max_replicas
        Room for control processes to scale services into: most replicas by service. There are as many nodes as these
        need; what is provisioned counts with the replicas that are there.
    record_requests
        Keep a row of every request in `Result.request_rows`.
    record_traces
        Keep the spans of the sampled requests for `Result.traces`: about 100 bytes a span, of about 20,000 requests a
        replication.
    check
        Set queueing theory beside every station where it applies, in `Result.check`.
    progress
        Called in the beginning, and whenever a replication is done; without it, notebooks show a bar.
    quiet
        Show no bar, and say nothing on stderr, not even that the engine is compiled first.
    repeat
        How to repeat it, when the caller knows a better way than these arguments.

    Returns
    -------
    Result

    Raises
    ------
    SpecError, UsageError, EngineLimit
        When the topology is wrong, the arguments do not fit each other, or the engine met a limit.
    """
    spec = load(topology, overrides=overrides)
    room, active = with_room(spec, max_replicas)
    settings = settings_of(
        spec,
        engine=engine,
        seed=seed,
        replications=replications,
        duration_s=duration_s,
        warmup_s=warmup_s,
        until=until,
        jobs=jobs,
        record_requests=record_requests,
        record_traces=record_traces,
        objectives=tuple(objectives),
        controllers=controllers_given(controllers),
        active=active,
        check=check,
    )
    planes = [lower_with_room(spec, room, architecture, same_policies=same_policies)]
    compile_engine(engine, planes[0], quiet)
    with workers(jobs, engine) as submit, progress_shown(progress, quiet) as shown:
        result = simulate_planes(room, planes, settings, submit, jobs, shown)[0]
    told = repeat or _repeat(topology, spec, settings, overrides, duration_s, warmup_s, same_policies, max_replicas)
    return _signed(result, replace(told, own=_own([architecture])).whole("run", [result.architecture]))


def compare(
    topology: Source,
    architectures: Sequence[str | Architecture] = DEFAULT_ARCHITECTURES,
    *,
    same_policies: bool = False,
    equal_cache: bool = False,
    engine: EngineName = "compiled",
    seed: int | None = None,
    replications: int | None = None,
    duration_s: float | None = None,
    warmup_s: float | None = None,
    until: str | None = None,
    jobs: int = 1,
    overrides: Sequence[str] = (),
    objectives: Sequence[Objective] = (),
    controllers: Sequence[Controller] = (),
    max_replicas: Mapping[str, int] | None = None,
    record_requests: bool = False,
    record_traces: bool = False,
    check: bool = False,
    progress: Progress | None = None,
    quiet: bool = False,
    repeat: Repeat | None = None,
) -> Comparison:
    """Simulate a topology under several architectures with the same arrivals and demands.

    Parameters are those of `run`; the first architecture is the baseline of the differences. One warm-up is cut from
    all: the largest. With `equal_cache`, the capacities of proxies' caches are scaled, so that all architectures hold
    as much as the first that has such a cache (`meshsim.architectures.equal_caches`).

    Returns
    -------
    Comparison

    Raises
    ------
    SpecError, UsageError, EngineLimit
        As `run`.
    """
    spec = load(topology, overrides=overrides)
    room, active = with_room(spec, max_replicas)
    settings = settings_of(
        spec,
        engine=engine,
        seed=seed,
        replications=replications,
        duration_s=duration_s,
        warmup_s=warmup_s,
        until=until,
        jobs=jobs,
        record_requests=record_requests,
        record_traces=record_traces,
        objectives=tuple(objectives),
        controllers=controllers_given(controllers),
        active=active,
        check=check,
    )
    given = [Scaled(spec, (), "")] * len(architectures)
    scaled = equal_caches(spec, architectures, same_policies=same_policies) if equal_cache else given
    rooms = [with_room(one.topology, max_replicas)[0] for one in scaled]
    planes = [
        lower_with_room(one.topology, larger, architecture, same_policies=same_policies)
        for one, larger, architecture in zip(scaled, rooms, architectures, strict=True)
    ]
    labels = [plane.architecture for plane in planes]
    _check_labels(labels)
    compile_engine(engine, planes[0], quiet)
    with workers(jobs, engine) as submit, progress_shown(progress, quiet) as shown:
        results = simulate_planes(room, planes, settings, submit, jobs, shown)
    told = repeat or _repeat(topology, spec, settings, overrides, duration_s, warmup_s, same_policies, max_replicas)
    told = replace(told, equal_cache=equal_cache, own=_own(architectures))
    sides = []
    for result, one, larger in zip(results, scaled, rooms, strict=True):
        manifest = replace(result.manifest, digest=larger.digest) if one.overrides else result.manifest
        command = told.side(result.architecture, manifest.replications, manifest.warmup_s, one.overrides)
        sides.append(_signed(replace(result, manifest=manifest), command))
    notes = tuple(one.note for one in scaled) if equal_cache else ()
    return compare_results(sides, told.whole("compare", labels), notes)


def _repeat(
    source: Source,
    spec: Topology,
    settings: Settings,
    overrides: Sequence[str],
    duration_s: float | None,
    warmup_s: float | None,
    same_policies: bool,
    max_replicas: Mapping[str, int] | None,
) -> Repeat:
    return Repeat(
        source=str(source) if isinstance(source, str | Path) else None,
        name=spec.name,
        engine=settings.engine,
        seed=settings.seed,
        replications=settings.replications,
        overrides=tuple(overrides),
        duration_s=duration_s,
        warmup_s=warmup_s,
        until=None if settings.until is None else settings.until.text,
        same_policies=same_policies,
        objectives=settings.objectives,
        check=settings.check,
        controllers=tuple(map(name_of, settings.controllers)),
        max_replicas=None if max_replicas is None else tuple((k, int(n)) for k, n in max_replicas.items()),
    )


def _own(architectures: Sequence[str | Architecture]) -> tuple[tuple[str, str], ...]:
    """How those are made that are classes of the user's."""
    return tuple((one.label, one.made) for one in architectures if isinstance(one, Architecture) and one.is_own)


def _signed(result: Result, command: str) -> Result:
    return replace(result, manifest=replace(result.manifest, command=command))


def compile_engine(engine: EngineName, plane: Plane, quiet: bool) -> None:
    """Compile the compiled engine before anything runs on it, and say so when that takes long."""
    if engine != "compiled":
        return
    from meshsim.engines.compiled.warm import is_cached, message, warm
    from meshsim.engines.pack import pack

    if is_cached():
        return
    if not quiet:
        print(message(), file=sys.stderr, flush=True)
    warm(pack(plane))


def _check_labels(labels: Sequence[str]) -> None:
    twice = sorted({label for label in labels if labels.count(label) > 1})
    if twice:
        raise UsageError(f"architecture {twice[0]} is given twice; each can be compared once")
    if len(labels) < 2:
        raise UsageError("compare needs two architectures or more, e.g. none,sidecar; `run` takes one")


def simulate_planes(
    spec: Topology,
    planes: Sequence[Plane],
    settings: Settings,
    submit: Submit,
    jobs: int,
    progress: Progress | None = None,
) -> list[Result]:
    """Simulate all planes until they are precise enough, each with the same number of replications.

    Parameters
    ----------
    spec
        What the planes were lowered from.
    submit
        See `meshsim.workers`; `jobs` is only written down.
    """
    started = time.perf_counter()
    records: list[list[Record]] = [[] for _ in planes]
    replications = settings.replications
    while True:
        _extend(records, planes, replications, settings, submit, progress)
        timing = Timing(round(time.perf_counter() - started, 3), jobs)
        results = build_results(spec, planes, records, settings, timing)
        if settings.until is None or _enough(results, settings.until) or 2 * replications > MOST_REPLICATIONS:
            break
        replications *= 2
    return [_with_precision(result, settings.until) for result in results]


def _enough(results: Sequence[Result], until: Precision) -> bool:
    """Precise enough, or beyond help: an unstable system has no latency to be precise about."""
    return all(until.reached(result) or result.verdict.word in HOPELESS for result in results)


def _with_precision(result: Result, until: Precision | None) -> Result:
    """Say so when the precision that was asked for was not reached."""
    if until is None or until.reached(result):
        return result
    half = result.latency_s[until.quantity].relative_half
    found = "no interval" if half is None else f"± {percent(half)}"
    note = f"{until.text} was not reached with {result.manifest.replications} replications ({found})"
    word = "precision not reached" if result.verdict.ok else result.verdict.word
    return replace(result, verdict=Verdict(word, (*result.verdict.notes, note)))


def build_results(
    spec: Topology,
    planes: Sequence[Plane],
    records: Sequence[Sequence[Record]],
    settings: Settings,
    timing: Timing,
) -> list[Result]:
    """Sum up all sides, with the largest of their warm-ups cut from each."""
    automatic = settings.warmup_s is None
    first_s = math.inf if settings.events is None else min(event.at_s for event in settings.events.events)
    cut = max(cut_batches(plane, runs, settings.warmup_s, first_s) for plane, runs in zip(planes, records, strict=True))
    origin = Origin(
        settings.engine,
        settings.seed,
        "auto" if automatic else "given",
        "",
        timing,
        objectives=settings.objectives,
        controllers=tuple(map(name_of, settings.controllers)),
        record_requests=settings.record_requests,
        record_traces=settings.record_traces,
        check=settings.check,
    )
    return [
        build(spec, plane, runs, cut, replace(origin, unsettled=automatic and unsettled(plane, runs)))
        for plane, runs in zip(planes, records, strict=True)
    ]


def _extend(
    records: Sequence[list[Record]],
    planes: Sequence[Plane],
    replications: int,
    settings: Settings,
    submit: Submit,
    progress: Progress | None,
) -> None:
    """Add the replications that are still missing to `records`, in order, whoever finishes first."""
    missing = [(i, r) for r in range(len(records[0]), replications) for i in range(len(planes))]
    done, everything = len(planes) * len(records[0]), len(planes) * replications

    def tell(future: Future[Record]) -> None:
        nonlocal done
        if future.cancelled() or future.exception() is not None:
            return
        done += 1
        if progress is not None:
            progress(done, everything)

    if done == 0 and progress is not None:
        progress(0, everything)  # compiling is over: whoever tells how long it takes begins to count
    futures = []
    for i, replication in missing:
        future = submit(_replication, planes[i], settings, replication)
        future.add_done_callback(tell)
        futures.append((i, future))
    for i, future in futures:
        records[i].append(future.result())


def _replication(plane: Plane, settings: Settings, replication: int, *, stop: Stop | None) -> Record:
    """One replication; at module level, so that another process can be told to do it."""
    run = begin_replication(plane, settings, replication)
    record = drive(run, plane, settings.control, pauses=pauses(settings), stop=stop)
    if record.requests is not None and not settings.record_requests:  # traces need those of the sampled ones only
        record.requests = record.requests[np.isin(record.requests["number"], record.sampled)]
    return record


def begin_replication(plane: Plane, settings: Settings, replication: int) -> Run:
    """Make one replication ready to run."""
    return begin(
        plane,
        engine=settings.engine,
        seed=settings.seed,
        replication=replication,
        duration_ns=_whole_batches_ns(settings.duration_s),
        drain_ns=round(settings.drain_s * 1e9),
        record_requests=settings.record_requests or settings.record_traces,
        sample=settings.sampled,
        active=settings.active,
    )


def pauses(settings: Settings) -> list[int]:
    """Instants at which signals are handled."""
    return list(slices(_whole_batches_ns(settings.duration_s), round(settings.drain_s * 1e9)))[:-1]


def _whole_batches_ns(duration_s: float) -> int:
    """Duration in nanoseconds that batches divide without a rest, so that all are equally long."""
    return max(1, round(duration_s * 1e9 / BATCHES)) * BATCHES
