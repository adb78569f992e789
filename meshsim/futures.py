"""Several futures of one past: a run is stopped at an instant and goes on in different ways (rule G9)."""

from __future__ import annotations

import time
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import TYPE_CHECKING

from meshsim.architectures import Architecture
from meshsim.architectures.plane import Plane
from meshsim.architectures.room import lower_with_room, with_room
from meshsim.control import Controller, drive
from meshsim.control.given import controllers_given, name_of
from meshsim.engines import EngineName
from meshsim.engines.record import Record
from meshsim.engines.running import Run
from meshsim.errors import UsageError
from meshsim.model.load import load
from meshsim.model.topology import Topology
from meshsim.numbers import real_number
from meshsim.results.manifest import Timing
from meshsim.results.result import Result
from meshsim.settings import MOST_SEED, Settings, refuse_autoscaling, settings_of
from meshsim.simulate import (
    Source,
    begin_replication,
    build_results,
    compile_engine,
    pauses,
)
from meshsim.workers import Stop, Submit, workers

if TYPE_CHECKING:
    from meshsim.engines.compiled.engine import CompiledRun


@dataclass(frozen=True, slots=True, eq=False)
class Snapshot:
    """All replications of a run, stopped at an instant at which no control process is alive.

    Attributes
    ----------
    at_s
        That instant, in simulated seconds. It is the warm-up of every future, rounded up to a whole batch.
    """

    at_s: float
    _topology: Topology = field(repr=False)
    _plane: Plane = field(repr=False)
    _settings: Settings = field(repr=False)
    _jobs: int = field(repr=False)
    _runs: tuple[CompiledRun, ...] = field(repr=False)  # of the compiled engine; the simpy engine replays

    def run(self, controllers: Sequence[Controller] = (), *, branch: int = 0) -> Result:
        """Let it go on to its end; the snapshot stays as it is.

        Parameters
        ----------
        controllers
            Control processes (`meshsim.Control`) that begin at the snapshot.
        branch
            Which future: it enters the keys of all random draws to come. 0 goes on as the run would have done anyway.
            Futures that are compared with each other, say with a fault and without, share the same number, so that
            they meet the same arrivals and demands.

        Returns
        -------
        Result
            Of what arrived from the snapshot on (rounded up to a whole batch), one replication for each of the
            snapshot's; so intervals speak of different pasts as well.

        Raises
        ------
        UsageError
            The branch is negative, or control processes cannot reach the workers (simpy engine with several jobs).
        """
        controllers = controllers_given(controllers)
        if not 0 <= branch <= MOST_SEED:
            raise UsageError(f"a branch is between 0 and {MOST_SEED}, not {branch}")
        if controllers and self._settings.engine == "simpy" and self._jobs != 1:
            raise UsageError("control processes cannot be sent to other processes: with the simpy engine give jobs=1")
        started = time.perf_counter()
        with workers(self._jobs, self._settings.engine) as submit:
            records = self._continue(submit, controllers, branch)
        timing = Timing(round(time.perf_counter() - started, 3), self._jobs)
        result = build_results(self._topology, [self._plane], [records], self._settings, timing)[0]
        names = ", ".join(map(name_of, controllers))
        command = f"snapshot.run([{names}], branch={branch})  # snapshot at {self.at_s:g} s of {self._topology.name}"
        return replace(result, manifest=replace(result.manifest, command=command))

    def _continue(self, submit: Submit, controllers: tuple[Controller, ...], branch: int) -> list[Record]:
        settings = replace(self._settings, controllers=controllers)
        if settings.engine == "compiled":
            found = [submit(_branch, run, self._plane, settings, self.at_s, branch) for run in self._runs]
        else:
            numbers = range(settings.replications)
            found = [submit(_replay, number, self._plane, settings, self.at_s, branch) for number in numbers]
        return [future.result() for future in found]


def snapshot(
    topology: Source,
    architecture: str | Architecture = "none",
    *,
    at_s: float,
    engine: EngineName = "compiled",
    seed: int | None = None,
    replications: int | None = None,
    duration_s: float | None = None,
    jobs: int = 1,
    overrides: Sequence[str] = (),
    same_policies: bool = False,
    max_replicas: Mapping[str, int] | None = None,
    quiet: bool = False,
) -> Snapshot:
    """Simulate a topology up to an instant, from which several futures can go on.

    The compiled engine copies its state; the simpy engine begins anew for every future. Both give the same numbers.

    Parameters
    ----------
    at_s
        The instant, in simulated seconds: from 0 to less than the duration.

    Other parameters are those of `meshsim.run`.

    Returns
    -------
    Snapshot

    Raises
    ------
    SpecError, UsageError, EngineLimit
        As `meshsim.run`, or the instant is not within the duration.

    Examples
    --------
    >>> import meshsim as ms
    >>> def slow_ratings(control):
    ...     control.slow("ratings", 5.0)
    ...     yield control.env.timeout(0)
    >>> start = ms.snapshot("bookinfo", at_s=2, duration_s=6, replications=1, quiet=True)
    >>> calm, slow = start.run(branch=1), start.run([slow_ratings], branch=1)
    >>> slow.latency_s["mean"].value > calm.latency_s["mean"].value
    True
    """
    spec = load(topology, overrides=overrides)
    at_s = real_number(at_s, "at_s")
    most_s = spec.run.duration_s if duration_s is None else real_number(duration_s, "duration_s")
    if not 0 <= at_s < most_s:
        raise UsageError(f"at_s has to lie within the duration of {most_s:g} s, not at {at_s:g} s")
    refuse_autoscaling(spec, "a snapshot")
    early = [event.name for event in spec.events if event.at_s < at_s]
    if early:
        raise UsageError(
            f"'{early[0]}' is before {at_s:g} s, and the past of a snapshot has no events: give an earlier at_s"
        )
    room, active = with_room(spec, max_replicas)
    settings = settings_of(
        spec,
        engine=engine,
        seed=seed,
        replications=replications,
        duration_s=duration_s,
        warmup_s=at_s,
        jobs=jobs,
        active=active,
    )
    plane = lower_with_room(spec, room, architecture, same_policies=same_policies)
    compile_engine(engine, plane, quiet)
    runs: tuple[CompiledRun, ...] = ()
    if engine == "compiled":
        with workers(jobs, engine) as submit:
            found = [submit(_until, number, plane, settings, at_s) for number in range(settings.replications)]
        runs = tuple(future.result() for future in found)
    return Snapshot(at_s, room, plane, settings, jobs, runs)


def _until(number: int, plane: Plane, settings: Settings, at_s: float, *, stop: Stop | None) -> Run:
    """One replication, up to the instant."""
    run = begin_replication(plane, settings, number)
    for until_ns in (mark for mark in pauses(settings) if mark < round(at_s * 1e9)):
        if stop is not None and stop():
            raise KeyboardInterrupt
        run.advance(until_ns)
    run.advance(round(at_s * 1e9))
    return run


def _branch(
    run: CompiledRun, plane: Plane, settings: Settings, at_s: float, branch: int, *, stop: Stop | None
) -> Record:
    return _go_on(run.copy(), plane, settings, at_s, branch, stop)


def _replay(number: int, plane: Plane, settings: Settings, at_s: float, branch: int, *, stop: Stop | None) -> Record:
    return _go_on(_until(number, plane, settings, at_s, stop=stop), plane, settings, at_s, branch, stop)


def _go_on(run: Run, plane: Plane, settings: Settings, at_s: float, branch: int, stop: Stop | None) -> Record:
    run.branch(branch)
    marks = [mark for mark in pauses(settings) if mark > round(at_s * 1e9)]
    return drive(run, plane, settings.control, pauses=marks, stop=stop, since_s=at_s)
