"""Runs every point of a map: a trigger, the time after it, a smaller trigger, and what may end it."""

from __future__ import annotations

import json
import math
import time
from collections.abc import Callable, Mapping, Sequence
from concurrent.futures import Future
from dataclasses import dataclass, replace
from itertools import product
from typing import Any, Final

from meshsim.architectures import Architecture, labels_of, lower
from meshsim.architectures.plane import Plane
from meshsim.control import Controller, drive
from meshsim.control.events import Events
from meshsim.engines import EngineName
from meshsim.engines.record import BATCHES, NO_EFFECT
from meshsim.errors import UsageError
from meshsim.metastable.goodput import Goodput, Seen, goodput, majority
from meshsim.metastable.remedies import Remedy, possible, without_retries
from meshsim.metastable.result import Metastability, Point, Setting
from meshsim.metastable.words import REMEDIES, Word
from meshsim.model.faults import INSTANTS, Event
from meshsim.model.load import load
from meshsim.model.topology import Topology
from meshsim.notebook import progress_shown
from meshsim.numbers import real_number
from meshsim.results.manifest import Timing
from meshsim.settings import Settings, refuse_autoscaling, settings_of
from meshsim.simulate import Progress, Source, begin_replication, compile_engine, pauses
from meshsim.workers import Stop, workers

AS_WRITTEN: Final[Mapping[str, Sequence[str]]] = {"as written": ()}
_ACTS_AFTER = 0.25  # of the time to come back: then somebody acts (assumed)
_OBSERVED_AFTER = 0.5  # of the time to come back: so long is watched after a remedy (assumed)
_WARMUP_S = 10.0  # at least (assumed)
_BATCHES_BEFORE = 4  # of a run before the trigger (assumed); goodput is that of the second half of them
_MOST_POINTS = 10_000


@dataclass(frozen=True, slots=True)
class _Times:
    """When what happens, in seconds of simulated time."""

    warmup_s: float
    trigger_s: float
    recovery_s: float

    @property
    def halved(self) -> _Times:
        """With a trigger that lasts half as long."""
        return replace(self, trigger_s=self.trigger_s / 2)

    @property
    def gone_s(self) -> float:
        """When the trigger is gone."""
        return self.warmup_s + self.trigger_s

    @property
    def end_s(self) -> float:
        """When a run ends in which nobody does anything."""
        return self.gone_s + self.recovery_s

    @property
    def acts_s(self) -> float:
        """When a remedy begins."""
        return self.gone_s + _ACTS_AFTER * self.recovery_s

    @property
    def remedied_s(self) -> float:
        """When a remedy ends."""
        return self.acts_s + self.recovery_s

    @property
    def watched_s(self) -> float:
        """When a run with a remedy ends."""
        return self.remedied_s + _OBSERVED_AFTER * self.recovery_s


def metastability(
    topology: Source,
    architectures: Sequence[str | Architecture] = ("sidecar",),
    *,
    trigger: str | Mapping[str, Any] | None = None,
    for_s: float = 10.0,
    loads: Sequence[float] = (0.5, 0.7, 0.9),
    policies: Mapping[str, Sequence[str]] = AS_WRITTEN,
    proxies: Mapping[str, Sequence[object]] | None = None,
    warmup_s: float | None = None,
    recovery_s: float = 60.0,
    remedies: bool = True,
    engine: EngineName = "compiled",
    seed: int | None = None,
    replications: int = 3,
    jobs: int = 1,
    overrides: Sequence[str] = (),
    progress: Progress | None = None,
    quiet: bool = False,
) -> Metastability:
    """Pull a trigger at every point of a grid, take it away, and see whether goodput comes back.

    A point is ``stable`` if goodput is at least 95 % of what it was before the trigger again, within `recovery_s` of
    its end; ``vulnerable`` if it is not, but is after a trigger half as long; ``stuck`` if it is not even then, or
    never was well. Goodput is the share of the requests that get a good answer, by when they are sent.

    Parameters
    ----------
    topology
        A name, a path or a dict, as of `meshsim.run`; its own events are left out.
    trigger
        A fault, as under ``fault`` of an event: ``{"pause": {"service": "store"}}``, or the same as YAML. The only
        fault among the topology's events if absent.
    for_s
        How long it lasts.
    loads
        Values of ``run.load``.
    policies
        By name, ``path=value`` as of ``--set``.
    proxies
        One path and its values, e.g. ``{"services.front.replicas": [1, 10, 40]}``: how many proxies there are.
    warmup_s, recovery_s
        Time before the trigger (if absent 10 s, or more where the rest is long), and time to come back after it.
    remedies
        Try what ends it at points that are not stable: load shed to 50 %, retries off (each for `recovery_s`), a
        restart of the service that was struck (queues lost), from a quarter of `recovery_s` on.
    engine, seed, jobs, overrides, progress, quiet
        As of `meshsim.run`; `replications` of each point.

    Returns
    -------
    Metastability

    Raises
    ------
    SpecError, UsageError, EngineLimit
        As `meshsim.run`, or the grid or the trigger is wrong.
    """
    started = time.perf_counter()
    times = _checked_times(warmup_s, for_s, recovery_s)
    reader = _Reader(topology, tuple(overrides), times, _text_of(trigger, topology, overrides))
    names = labels_of(architectures)
    grid = _grid(names, loads, policies, proxies)
    common = {"engine": engine, "seed": seed, "replications": replications, "warmup_s": times.warmup_s}
    read = {setting: reader.read(setting, policies) for setting in grid}
    first = read[grid[0]]
    for spec in read.values():
        refuse_autoscaling(spec, "a study of metastability")
    settings = settings_of(_calm(first), duration_s=None, jobs=jobs, **common)  # type: ignore[arg-type]
    compile_engine(engine, lower(first, names[0]), quiet)
    works = [_Work(setting, spec, settings, times, remedies) for setting, spec in read.items()]
    with workers(jobs, engine) as submit, progress_shown(progress, quiet) as shown:
        points = _all(works, submit, shown)
    return Metastability(
        name=first.name,
        digest=load(topology, overrides=overrides).digest,
        trigger=reader.trigger,
        for_s=times.trigger_s,
        recovery_s=times.recovery_s,
        points=tuple(points),
        axes=tuple((proxies or {}).keys()),
        seed=settings.seed,
        engine=engine,
        replications=settings.replications,
        timing=Timing(round(time.perf_counter() - started, 3), jobs),
    )


# -- what is asked -------------------------------------------------------------------------------------------------


def _checked_times(warmup_s: float | None, for_s: float, recovery_s: float) -> _Times:
    for name, value in {"warmup_s": warmup_s, "for_s": for_s, "recovery_s": recovery_s}.items():
        if value is not None and not 0.0 < real_number(value, name) < math.inf:
            raise UsageError(f"{name} must be above 0 s and finite, not {value}")
    least_s = math.ceil((for_s + recovery_s) / (BATCHES / _BATCHES_BEFORE - 1))
    if warmup_s is None:
        return _Times(max(_WARMUP_S, float(least_s)), float(for_s), float(recovery_s))
    if warmup_s < least_s:
        raise UsageError(
            f"a warm-up of {warmup_s:g} s is too short to see what goodput is before the trigger, in a run of "
            f"{warmup_s + for_s + recovery_s:g} s: give {least_s} s or more"
        )
    return _Times(float(warmup_s), float(for_s), float(recovery_s))


def _text_of(trigger: str | Mapping[str, Any] | None, topology: Source, overrides: Sequence[str]) -> str:
    """Give the trigger as it is written under ``fault``: as JSON, which is YAML too."""
    if trigger is None:
        faults = [event.fault for event in load(topology, overrides=overrides).events if event.fault is not None]
        if len(faults) != 1:
            there = "no fault" if not faults else f"{len(faults)} faults"
            raise UsageError(
                f"say what the trigger is, e.g. 'pause: {{service: store}}': {there} among the topology's events"
            )
        return ""
    if isinstance(trigger, str):
        text = trigger.strip()
        return text if text.startswith("{") else f"{{{text}}}"
    return json.dumps(trigger)


def _grid(
    architectures: Sequence[str],
    loads: Sequence[float],
    policies: Mapping[str, Sequence[str]],
    proxies: Mapping[str, Sequence[object]] | None,
) -> list[Setting]:
    """Every point of the map, in the order in which it was asked for."""
    if proxies is not None and len(proxies) != 1:
        raise UsageError(f"give one path that says how many proxies there are, not {len(proxies)}")
    values = [str(value) for listed in (proxies or {"": [""]}).values() for value in listed]
    rates = [real_number(value, "a load") for value in loads]
    for what, given in (
        ("architectures", architectures),
        ("loads", rates),
        ("policies", policies),
        ("proxies", values),
    ):
        if not given:
            raise UsageError(f"there are no {what}: give one at least")
        if len(set(given)) < len(given):
            raise UsageError(f"{what} has the same twice; each is a part of the map once")
    if any(not 0.0 < rate < math.inf for rate in rates):
        raise UsageError(f"a load is above 0 and finite, not {min(rates)}")
    path = next(iter(proxies or {"": ()}))
    found = [Setting(*one, path=path) for one in product(architectures, values, policies, rates)]
    if len(found) > _MOST_POINTS:
        raise UsageError(f"{len(found):,} points are too many for a map: {_MOST_POINTS:,} at most")
    return found


@dataclass(slots=True)
class _Reader:
    """Reads the topology of each point."""

    source: Source
    overrides: tuple[str, ...]
    times: _Times
    written: str  # the trigger as it is written; empty: it is that of the topology
    trigger: str = ""  # its kind and where it strikes, once one has been read

    def read(self, setting: Setting, policies: Mapping[str, Sequence[str]]) -> Topology:
        """Give the topology of a point, with the trigger as its only event."""
        changes = [*self.overrides, *policies[setting.policy], f"run.load={setting.load!r}"]
        if setting.path:
            changes.append(f"{setting.path}={setting.proxies}")
        if self.written:
            changes += [f"run.duration={self.times.watched_s!r}s", f"run.warmup={self.times.warmup_s!r}s"]
            changes.append(f"events=[{{name: trigger, at: {self.times.warmup_s!r}s, fault: {self.written}}}]")
        spec = load(self.source, overrides=changes)
        fault = next(event.fault for event in spec.events if event.fault is not None)
        if fault.kind in INSTANTS:
            raise UsageError(f"{fault.kind} happens once: a trigger lasts for a time, as pause and blackhole do")
        struck = getattr(fault, "service", None) or getattr(fault, "stream", None)
        self.trigger = fault.kind if struck is None else f"{fault.kind} of {struck}"
        trigger = Event(name="trigger", at_s=self.times.warmup_s, for_s=self.times.trigger_s, fault=fault)
        return spec.model_copy(update={"events": (trigger,)})


def _calm(spec: Topology) -> Topology:
    return spec.model_copy(update={"events": ()})


# -- running -------------------------------------------------------------------------------------------------------


@dataclass(frozen=True, slots=True)
class _Work:
    """All that is simulated for one point."""

    setting: Setting
    spec: Topology
    settings: Settings
    times: _Times
    remedies: bool

    @property
    def event(self) -> Event:
        """The trigger."""
        return self.spec.events[0]

    def plane(self) -> Plane:
        """What runs, with the configuration without retries to be pushed."""
        calm = _calm(self.spec)
        return lower(calm, self.setting.architecture, pushed=[without_retries(calm)] if self.remedies else ())

    def events(self, times: _Times) -> Events:
        """The trigger as a control process."""
        event = self.event.model_copy(update={"for_s": times.trigger_s})
        return Events((event,), (), self.spec.control_plane, self.spec.people)


def _all(works: Sequence[_Work], submit: Callable[..., Future[Point]], progress: Progress | None) -> list[Point]:
    done = 0
    if progress is not None:
        progress(0, len(works))

    def tell(_: Future[Point]) -> None:
        nonlocal done
        done += 1
        if progress is not None:
            progress(done, len(works))

    futures = []
    for work in works:
        future = submit(_point, work)
        future.add_done_callback(tell)
        futures.append(future)
    return [future.result() for future in futures]


def _point(work: _Work, *, stop: Stop | None) -> Point:
    """Simulate one point; at module level, so that another process can be told to do it."""
    plane = work.plane()
    seen = tuple(_seen(work, plane, number, stop) for number in range(work.settings.replications))
    word, share = majority(seen)
    failed = [number for number, one in enumerate(seen) if one.word != "stable" and one.well]
    looked = work.remedies and word != "stable" and bool(failed)
    tried = _tried(work, plane, seen, failed, stop) if looked else ()
    return Point(work.setting, word, share, seen, tuple(tried))


def _seen(work: _Work, plane: Plane, replication: int, stop: Stop | None) -> Seen:
    """Pull the trigger in one replication, and a smaller one if goodput does not come back."""
    times = work.times
    found = _run(work, plane, replication, times.end_s, [work.events(times)], stop)
    before = found.mean(times.warmup_s / 2, times.warmup_s)
    after = found.mean(times.end_s - max(times.recovery_s / 10, 2 * found.batch_s), times.end_s)
    seen = Seen("stable", before, after, found.back_s(times.gone_s, before))
    if not seen.well:
        return replace(seen, word="stuck", back_s=None)
    if seen.back_s is not None:
        return seen
    half = times.halved
    smaller = _run(work, plane, replication, half.end_s, [work.events(half)], stop)
    word: Word = "stuck" if smaller.back_s(half.gone_s, before) is None else "vulnerable"
    return replace(seen, word=word)


def _tried(
    work: _Work, plane: Plane, seen: Sequence[Seen], failed: Sequence[int], stop: Stop | None
) -> list[tuple[str, bool]]:
    """Try one remedy after another where goodput did not come back, until one brings it back in most replications."""
    tried = []
    times = work.times
    service = getattr(work.event.fault, "service", None)
    for kind in REMEDIES:
        if not possible(kind, plane):
            continue
        remedy = Remedy(kind, times.acts_s, times.recovery_s, service)
        runs = [_run(work, plane, n, times.watched_s, [work.events(times), remedy], stop) for n in failed]
        back = [run.back_s(times.remedied_s, seen[n].before) for run, n in zip(runs, failed, strict=True)]
        helped = sum(one is not None for one in back) > len(failed) / 2
        tried.append((kind, helped))
        if helped:
            break
    return tried


def _run(
    work: _Work, plane: Plane, replication: int, end_s: float, controllers: list[Controller], stop: Stop | None
) -> Goodput:
    settings = replace(work.settings, duration_s=end_s, sampled=0)
    run = begin_replication(plane, settings, replication)
    record = drive(run, plane, controllers, pauses=pauses(settings), stop=stop)
    if any(one.what == NO_EFFECT for one in record.happenings):
        raise UsageError(
            f"the trigger strikes nothing under {work.setting.architecture}: there is nothing of that kind in it"
        )
    return goodput(record)
