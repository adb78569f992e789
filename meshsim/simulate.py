"""Run a topology under one architecture, or compare several: from a file to a `Result`."""

from __future__ import annotations

import math
import re
import signal
import sys
import threading
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from concurrent.futures import Future, ProcessPoolExecutor, ThreadPoolExecutor
from contextlib import contextmanager
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any, Final

from meshsim.architectures import Architecture, lower
from meshsim.architectures.plane import Plane
from meshsim.engines import ENGINES, EngineName, simulate
from meshsim.engines.record import BATCHES, Record
from meshsim.errors import UsageError
from meshsim.model.load import load
from meshsim.model.topology import Topology
from meshsim.model.traffic import Objective
from meshsim.results.comparison import Comparison, compare_results
from meshsim.results.manifest import Timing
from meshsim.results.repeat import Repeat
from meshsim.results.result import Origin, Result, build
from meshsim.results.text import percent
from meshsim.results.traffic import QUANTITIES
from meshsim.results.verdict import Verdict
from meshsim.results.warmup import cut_batches, unsettled

Source = str | Path | Mapping[str, Any] | Topology
#: Called with (replications done, replications asked for) whenever one is done.
Progress = Callable[[int, int], None]

DEFAULT_ARCHITECTURES: Final = ("none", "gateway", "sidecar", "ambient")
MOST_REPLICATIONS: Final = 64  # `until` gives up here (assumed: nearly three times the precision of eight)
MOST_SEED: Final = 2**63 - 1


@dataclass(frozen=True, slots=True)
class Precision:
    """How sure a run has to be: half of the interval, as a share of the value."""

    text: str
    quantity: str
    share: float

    def reached(self, result: Result) -> bool:
        """Whether a result is that sure."""
        half = result.latency_s[self.quantity].relative_half
        return half is not None and half <= self.share


def parse_until(text: str) -> Precision:
    """Read a precision such as ``p99±2%`` (or ``p99+-2%``).

    Raises
    ------
    UsageError
        When the text is something else.

    Examples
    --------
    >>> parse_until("p99+-2%")
    Precision(text='p99±2%', quantity='p99', share=0.02)
    """
    match = re.fullmatch(r"\s*(\S+?)\s*(?:±|\+/?-)\s*(\d+(?:\.\d+)?)\s*%\s*", text)
    if match is None or match[1] not in QUANTITIES or not 0 < float(match[2]) < 100:
        raise UsageError(f"cannot read the precision {text!r}; write e.g. 'p99±2%' with one of {', '.join(QUANTITIES)}")
    return Precision(f"{match[1]}±{match[2]}%", match[1], float(match[2]) / 100)


@dataclass(frozen=True, slots=True)
class _Settings:
    """What all replications of a run share."""

    engine: EngineName
    seed: int
    replications: int
    duration_s: float
    drain_s: float
    warmup_s: float | None
    record_requests: bool
    until: Precision | None
    objectives: tuple[Objective, ...] = ()


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
    record_requests: bool = False,
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
    record_requests
        Keep a row of every request in `Result.request_rows`.
    progress
        Called whenever a replication is done.
    quiet
        Say nothing on stderr, not even that the engine is compiled first.
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
    settings = _settings(
        spec, engine, seed, replications, duration_s, warmup_s, until, record_requests, tuple(objectives)
    )
    planes = [lower(spec, architecture, same_policies=same_policies)]
    _compile(engine, planes[0], quiet)
    result = _simulate(spec, planes, settings, jobs, progress)[0]
    told = repeat or _repeat(topology, spec, settings, overrides, duration_s, warmup_s, same_policies)
    return _signed(result, told.whole("run", [result.architecture]))


def compare(
    topology: Source,
    architectures: Sequence[str | Architecture] = DEFAULT_ARCHITECTURES,
    *,
    same_policies: bool = False,
    engine: EngineName = "compiled",
    seed: int | None = None,
    replications: int | None = None,
    duration_s: float | None = None,
    warmup_s: float | None = None,
    until: str | None = None,
    jobs: int = 1,
    overrides: Sequence[str] = (),
    objectives: Sequence[Objective] = (),
    record_requests: bool = False,
    progress: Progress | None = None,
    quiet: bool = False,
    repeat: Repeat | None = None,
) -> Comparison:
    """Simulate a topology under several architectures with the same arrivals and demands.

    Parameters are those of `run`; the first architecture is the baseline of the differences. One warm-up is cut from
    all: the largest.

    Returns
    -------
    Comparison

    Raises
    ------
    SpecError, UsageError, EngineLimit
        As `run`.
    """
    spec = load(topology, overrides=overrides)
    settings = _settings(
        spec, engine, seed, replications, duration_s, warmup_s, until, record_requests, tuple(objectives)
    )
    planes = [lower(spec, architecture, same_policies=same_policies) for architecture in architectures]
    labels = [plane.architecture for plane in planes]
    _check_labels(labels)
    _compile(engine, planes[0], quiet)
    results = _simulate(spec, planes, settings, jobs, progress)
    told = repeat or _repeat(topology, spec, settings, overrides, duration_s, warmup_s, same_policies)
    sides = [_signed(r, told.side(r.architecture, r.manifest.replications, r.manifest.warmup_s)) for r in results]
    return compare_results(sides, told.whole("compare", labels))


def _repeat(
    source: Source,
    spec: Topology,
    settings: _Settings,
    overrides: Sequence[str],
    duration_s: float | None,
    warmup_s: float | None,
    same_policies: bool,
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
    )


def _signed(result: Result, command: str) -> Result:
    return replace(result, manifest=replace(result.manifest, command=command))


def _compile(engine: EngineName, plane: Plane, quiet: bool) -> None:
    """Compile the compiled engine before anything runs on it, and say so when that takes long."""
    if engine != "compiled":
        return
    from meshsim.engines.compiled.warm import is_cached, warm
    from meshsim.engines.pack import pack

    if is_cached():
        return
    if not quiet:
        print("compiling the engine (once, about a minute) …", file=sys.stderr, flush=True)
    warm(pack(plane))


def _check_labels(labels: Sequence[str]) -> None:
    twice = sorted({label for label in labels if labels.count(label) > 1})
    if twice:
        raise UsageError(f"architecture {twice[0]} is given twice; each can be compared once")
    if len(labels) < 2:
        raise UsageError("compare needs two architectures or more, e.g. none,sidecar; `run` takes one")


def _settings(
    spec: Topology,
    engine: EngineName,
    seed: int | None,
    replications: int | None,
    duration_s: float | None,
    warmup_s: float | None,
    until: str | None,
    record_requests: bool,
    objectives: tuple[Objective, ...],
) -> _Settings:
    settings = _Settings(
        engine=engine,
        seed=spec.run.seed if seed is None else seed,
        replications=spec.run.replications if replications is None else replications,
        duration_s=spec.run.duration_s if duration_s is None else duration_s,
        drain_s=spec.run.drain_s,
        warmup_s=spec.run.warmup_s if warmup_s is None else warmup_s,
        record_requests=record_requests,
        until=None if until is None else parse_until(until),
        objectives=objectives,
    )
    _check(settings)
    return settings


def _check(settings: _Settings) -> None:
    if settings.engine not in ENGINES:
        raise UsageError(f"there is no engine {settings.engine!r}; choose {' or '.join(ENGINES)}")
    if settings.replications < 1:
        raise UsageError(f"replications must be at least 1, not {settings.replications}")
    if not 0 <= settings.seed <= MOST_SEED:
        raise UsageError(f"the seed must be between 0 and {MOST_SEED}, not {settings.seed}")
    if not 0 < settings.duration_s < math.inf:
        raise UsageError(f"the duration must be longer than 0 s and finite, not {settings.duration_s} s")
    if settings.warmup_s is not None and not 0 <= settings.warmup_s < math.inf:
        raise UsageError(f"the warm-up must be at least 0 s and finite, not {settings.warmup_s} s")


def _simulate(
    spec: Topology,
    planes: Sequence[Plane],
    settings: _Settings,
    jobs: int,
    progress: Progress | None,
) -> list[Result]:
    """Simulate all planes until they are precise enough, each with the same number of replications."""
    started = time.perf_counter()
    records: list[list[Record]] = [[] for _ in planes]
    replications = settings.replications
    with _workers(jobs, settings.engine) as submit:
        while True:
            _extend(records, planes, replications, settings, submit, progress)
            timing = Timing(round(time.perf_counter() - started, 3), jobs)
            results = _build(spec, planes, records, settings, timing)
            if settings.until is None or _enough(results, settings.until) or 2 * replications > MOST_REPLICATIONS:
                break
            replications *= 2
    return [_with_precision(result, settings.until) for result in results]


def _enough(results: Sequence[Result], until: Precision) -> bool:
    """Precise enough, or beyond help: an unstable system has no latency to be precise about."""
    return all(until.reached(result) or result.verdict.word == "unstable" for result in results)


def _with_precision(result: Result, until: Precision | None) -> Result:
    """Say so when the precision that was asked for was not reached."""
    if until is None or until.reached(result):
        return result
    half = result.latency_s[until.quantity].relative_half
    found = "no interval" if half is None else f"± {percent(half)}"
    note = f"{until.text} was not reached with {result.manifest.replications} replications ({found})"
    word = "precision not reached" if result.verdict.ok else result.verdict.word
    return replace(result, verdict=Verdict(word, (*result.verdict.notes, note)))


def _build(
    spec: Topology,
    planes: Sequence[Plane],
    records: Sequence[Sequence[Record]],
    settings: _Settings,
    timing: Timing,
) -> list[Result]:
    automatic = settings.warmup_s is None
    cut = max(cut_batches(plane, runs, settings.warmup_s) for plane, runs in zip(planes, records, strict=True))
    origin = Origin(
        settings.engine, settings.seed, "auto" if automatic else "given", "", timing, objectives=settings.objectives
    )
    return [
        build(spec, plane, runs, cut, replace(origin, unsettled=automatic and unsettled(runs)))
        for plane, runs in zip(planes, records, strict=True)
    ]


Submit = Callable[[Plane, _Settings, int], "Future[Record]"]


@contextmanager
def _workers(jobs: int, engine: EngineName) -> Iterator[Submit]:
    """Where replications are simulated: here when `jobs` is 1, else in threads (compiled) or in processes."""
    if jobs < 1:
        raise UsageError(f"jobs must be at least 1, not {jobs}")
    if jobs == 1:
        yield _here
        return
    with _threads(jobs) if engine == "compiled" else _processes(jobs) as submit:
        yield submit


@contextmanager
def _threads(jobs: int) -> Iterator[Submit]:
    """Compiled code runs beside other threads; who gives up asks the threads to stop at their next slice of time."""
    stop = threading.Event()
    executor = ThreadPoolExecutor(jobs)
    try:
        yield lambda plane, settings, number: executor.submit(_replication, plane, settings, number, stop.is_set)
    except BaseException:
        stop.set()
        executor.shutdown(wait=False, cancel_futures=True)
        raise
    executor.shutdown()


@contextmanager
def _processes(jobs: int) -> Iterator[Submit]:
    # Ctrl-C reaches the whole process group: only this process is to react to it.
    executor = ProcessPoolExecutor(jobs, initializer=signal.signal, initargs=(signal.SIGINT, signal.SIG_IGN))
    try:
        yield lambda plane, settings, number: executor.submit(_replication, plane, settings, number)
    except BaseException:
        _abandon(executor)
        raise
    executor.shutdown()


def _abandon(executor: ProcessPoolExecutor) -> None:
    """End the workers in the middle of their replication: whoever gave up waits for nothing."""
    workers = list((executor._processes or {}).values())  # `terminate_workers` is new in Python 3.14
    executor.shutdown(wait=False, cancel_futures=True)
    for worker in workers:
        worker.terminate()


def _here(plane: Plane, settings: _Settings, replication: int) -> Future[Record]:
    future: Future[Record] = Future()
    future.set_result(_replication(plane, settings, replication))
    return future


def _extend(
    records: Sequence[list[Record]],
    planes: Sequence[Plane],
    replications: int,
    settings: _Settings,
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

    futures = []
    for i, replication in missing:
        future = submit(planes[i], settings, replication)
        future.add_done_callback(tell)
        futures.append((i, future))
    for i, future in futures:
        records[i].append(future.result())


def _replication(plane: Plane, settings: _Settings, replication: int, stop: Callable[[], bool] | None = None) -> Record:
    """One replication; at module level, so that another process can be told to do it."""
    return simulate(
        plane,
        engine=settings.engine,
        seed=settings.seed,
        replication=replication,
        duration_ns=_whole_batches_ns(settings.duration_s),
        drain_ns=round(settings.drain_s * 1e9),
        record_requests=settings.record_requests,
        stop=stop,
    )


def _whole_batches_ns(duration_s: float) -> int:
    """Duration in nanoseconds that batches divide without a rest, so that all are equally long."""
    return max(1, round(duration_s * 1e9 / BATCHES)) * BATCHES
