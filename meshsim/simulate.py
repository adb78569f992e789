"""Run a topology under one architecture, or compare several: from a file to a `Result`."""

from __future__ import annotations

import re
import shlex
import signal
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from concurrent.futures import Future, ProcessPoolExecutor
from contextlib import contextmanager
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any, Final

from meshsim.architectures import Architecture, lower, parse_architecture
from meshsim.architectures.plane import Plane
from meshsim.engines import EngineName, simulate
from meshsim.engines.record import BATCHES, Record
from meshsim.errors import UsageError
from meshsim.model.load import load
from meshsim.model.topology import Topology
from meshsim.results.comparison import Comparison, compare_results
from meshsim.results.manifest import Timing
from meshsim.results.result import Origin, Result, build
from meshsim.results.text import percent
from meshsim.results.traffic import QUANTITIES
from meshsim.results.verdict import Verdict
from meshsim.results.warmup import cut_batches
from meshsim.units import format_duration

Source = str | Path | Mapping[str, Any] | Topology
#: Called with (replications done, replications asked for) whenever one is done.
Progress = Callable[[int, int], None]

DEFAULT_ARCHITECTURES: Final = ("none", "gateway", "sidecar", "ambient")
MOST_REPLICATIONS: Final = 64  # `until` gives up here (assumed: sixfold the precision of one replication, and more)


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


def run(
    topology: Source,
    architecture: str | Architecture = "none",
    *,
    engine: EngineName = "simpy",
    seed: int | None = None,
    replications: int | None = None,
    duration_s: float | None = None,
    until: str | None = None,
    jobs: int = 1,
    overrides: Sequence[str] = (),
    same_policies: bool = False,
    record_requests: bool = False,
    progress: Progress | None = None,
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
    seed, replications, duration_s
        Instead of those of the topology's ``run`` section. `duration_s` is in seconds of simulated time.
    until
        Precision such as ``p99±2%``: replications are doubled until it is reached, up to `MOST_REPLICATIONS`.
    jobs
        Processes. The numbers do not depend on it.
    overrides
        ``path=value`` as of ``--set``.
    same_policies
        Applications enforce all policies where no proxy does.
    record_requests
        Keep a row of every request in `Result.request_rows`.
    progress
        Called whenever a replication is done.

    Returns
    -------
    Result

    Raises
    ------
    SpecError, UsageError, EngineLimit
        When the topology is wrong, the arguments do not fit each other, or the engine met a limit.
    """
    spec = load(topology, overrides=overrides)
    settings = _settings(spec, engine, seed, replications, duration_s, until, record_requests)
    command = _command("run", topology, spec, [architecture], settings, overrides, duration_s, same_policies)
    planes = [lower(spec, architecture, same_policies=same_policies)]
    return _simulate(spec, planes, settings, jobs, progress, [command])[0]


def compare(
    topology: Source,
    architectures: Sequence[str | Architecture] = DEFAULT_ARCHITECTURES,
    *,
    same_policies: bool = False,
    engine: EngineName = "simpy",
    seed: int | None = None,
    replications: int | None = None,
    duration_s: float | None = None,
    until: str | None = None,
    jobs: int = 1,
    overrides: Sequence[str] = (),
    record_requests: bool = False,
    progress: Progress | None = None,
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
    settings = _settings(spec, engine, seed, replications, duration_s, until, record_requests)
    planes = [lower(spec, architecture, same_policies=same_policies) for architecture in architectures]
    _check_labels([plane.architecture for plane in planes])
    commands = [
        _command(verb, topology, spec, which, settings, overrides, duration_s, same_policies)
        for verb, which in [*(("run", [one]) for one in architectures), ("compare", list(architectures))]
    ]
    results = _simulate(spec, planes, settings, jobs, progress, commands[:-1])
    return compare_results(results, commands[-1])


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
    until: str | None,
    record_requests: bool,
) -> _Settings:
    count = spec.run.replications if replications is None else replications
    length = spec.run.duration_s if duration_s is None else duration_s
    if count < 1:
        raise UsageError(f"replications must be at least 1, not {count}")
    if not length > 0:
        raise UsageError(f"the duration must be longer than 0 s, not {length} s")
    return _Settings(
        engine=engine,
        seed=spec.run.seed if seed is None else seed,
        replications=count,
        duration_s=length,
        drain_s=spec.run.drain_s,
        warmup_s=spec.run.warmup_s,
        record_requests=record_requests,
        until=None if until is None else parse_until(until),
    )


def _simulate(
    spec: Topology,
    planes: Sequence[Plane],
    settings: _Settings,
    jobs: int,
    progress: Progress | None,
    commands: Sequence[str],
) -> list[Result]:
    """Simulate all planes until they are precise enough, each with the same number of replications."""
    started = time.perf_counter()
    records: list[list[Record]] = [[] for _ in planes]
    replications = settings.replications
    with _workers(jobs) as submit:
        while True:
            _extend(records, planes, replications, settings, submit, progress)
            timing = Timing(round(time.perf_counter() - started, 3), jobs)
            results = _build(spec, planes, records, settings, timing, commands)
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
    commands: Sequence[str],
) -> list[Result]:
    cut = max(cut_batches(plane, runs, settings.warmup_s) for plane, runs in zip(planes, records, strict=True))
    warmup = "auto" if settings.warmup_s is None else "given"
    return [
        build(spec, plane, runs, cut, Origin(settings.engine, settings.seed, warmup, command, timing))
        for plane, runs, command in zip(planes, records, commands, strict=True)
    ]


Submit = Callable[[Plane, _Settings, int], "Future[Record]"]


@contextmanager
def _workers(jobs: int) -> Iterator[Submit]:
    """Where replications are simulated: here when `jobs` is 1, else in processes."""
    if jobs < 1:
        raise UsageError(f"jobs must be at least 1, not {jobs}")
    if jobs == 1:
        yield _here
        return
    # Ctrl-C reaches the whole process group: only this process is to react to it.
    executor = ProcessPoolExecutor(jobs, initializer=signal.signal, initargs=(signal.SIGINT, signal.SIG_IGN))
    try:
        yield lambda plane, settings, replication: executor.submit(_replication, plane, settings, replication)
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


def _replication(plane: Plane, settings: _Settings, replication: int) -> Record:
    """One replication; at module level, so that another process can be told to do it."""
    return simulate(
        plane,
        engine=settings.engine,
        seed=settings.seed,
        replication=replication,
        duration_ns=_whole_batches_ns(settings.duration_s),
        drain_ns=round(settings.drain_s * 1e9),
        record_requests=settings.record_requests,
    )


def _whole_batches_ns(duration_s: float) -> int:
    """Duration in nanoseconds that batches divide without a rest, so that all are equally long."""
    return max(1, round(duration_s * 1e9 / BATCHES)) * BATCHES


def _command(
    verb: str,
    source: Source,
    spec: Topology,
    architectures: Sequence[str | Architecture],
    settings: _Settings,
    overrides: Sequence[str],
    duration_s: float | None,
    same_policies: bool,
) -> str:
    """The shell command that repeats this, or the Python call where the topology is no file."""
    labels = [parse_architecture(one).label for one in architectures]
    if not isinstance(source, str | Path):
        which = repr(labels[0] if verb == "run" else labels)
        numbers = f"engine={settings.engine!r}, seed={settings.seed}, replications={settings.replications}"
        return f"meshsim.{verb}(topology, {which}, {numbers}, duration_s={settings.duration_s:g})  # {spec.name}"
    words = ["meshsim", verb, str(source), *_arch_options(labels), "--engine", settings.engine]
    words += ["--seed", str(settings.seed), "--replications", str(settings.replications)]
    words += [word for override in overrides for word in ("--set", override)]
    if duration_s is not None:
        words += ["--duration", format_duration(duration_s)]
    if settings.until is not None:
        words += ["--until", settings.until.text]
    return shlex.join([*words, *(["--same-policies"] if same_policies else [])])


def _arch_options(labels: Sequence[str]) -> list[str]:
    """``--arch a,b``; inline values have commas of their own and get an option each."""
    if any("," in label for label in labels):
        return [word for label in labels for word in ("--arch", label)]
    return ["--arch", ",".join(labels)]
