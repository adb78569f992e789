"""Lets a run and its control processes take turns: the engine handles events up to the next instant of control."""

from __future__ import annotations

import math
from collections.abc import Callable, Generator, Iterable, Sequence
from typing import Any

import simpy

from meshsim.architectures.plane import Plane
from meshsim.control.control import Control, Controller
from meshsim.control.given import name_of
from meshsim.control.reach import instant_ns
from meshsim.engines.order import NEVER_NS
from meshsim.engines.record import Happening, Look, Record
from meshsim.engines.running import Run
from meshsim.errors import EngineLimit, UsageError

_MOST_AT_ONCE = 100_000  # steps of control processes at one instant are a loop without time (assumed)


def drive(
    run: Run,
    plane: Plane,
    controllers: Sequence[Controller] = (),
    *,
    pauses: Iterable[int] = (),
    stop: Callable[[], bool] | None = None,
    since_s: float = 0.0,
) -> Record:
    """Run to the end, with control processes that start at `since_s`.

    Parameters
    ----------
    run
        At its beginning, or stopped at `since_s`.
    plane
        What the run was made of.
    controllers
        Functions that take a `Control` and return a SimPy process.
    pauses
        Instants (ns, ascending) at which signals are handled and `stop` is asked; they change no number.
    stop
        When it says so, KeyboardInterrupt is raised: a thread cannot be interrupted from outside.

    Raises
    ------
    EngineLimit
        A limit of the engine is met, or control processes act without end at one instant.
    UsageError
        A controller is no generator function.
    """
    env = simpy.Environment(initial_time=since_s)
    seen = None
    if controllers and since_s:
        run.bring_to(instant_ns(since_s))
        seen = run.totals()
    notes: list[Happening] = []
    looks: list[Look] = []
    for controller in controllers:
        _start(controller, Control(run, plane, env, notes, seen, looks), env)
    marks = iter([*pauses, NEVER_NS])
    mark = next(marks)
    while True:
        at_ns = NEVER_NS if math.isinf(env.peek()) else instant_ns(env.peek())
        while mark < at_ns:
            if stop is not None and stop():
                raise KeyboardInterrupt
            if not run.advance(mark):
                return _closed(run, notes, looks)
            mark = next(marks)
        if not run.advance(at_ns) or run.over_at(at_ns):
            return _closed(run, notes, looks)
        _act(env, at_ns)


def _closed(run: Run, notes: list[Happening], looks: list[Look]) -> Record:
    record = run.record()
    record.happenings = tuple(notes)
    record.looks = tuple(looks)
    return record


def _start(controller: Controller, control: Control, env: simpy.Environment) -> None:
    process = controller(control)
    name = name_of(controller)
    if not hasattr(process, "throw"):
        raise UsageError(f"{name} is no control process: it has to yield events, e.g. control.env.timeout(10)")
    env.process(_only_events(process, name, env))


def _only_events(
    process: Generator[simpy.Event, Any, Any], name: str, env: simpy.Environment
) -> Generator[simpy.Event, Any, Any]:
    """Pass on what a control process yields, if it is an event; SimPy would not say whose mistake it was, nor when."""
    answer: Any = None
    failure: BaseException | None = None
    while True:
        try:
            event = process.send(answer) if failure is None else process.throw(failure)
        except StopIteration as end:
            return end.value
        except Exception as error:
            error.add_note(f"raised by the control process {name} at {env.now:g} s of simulated time")
            raise
        if not isinstance(event, simpy.Event):
            raise UsageError(
                f"{name} yields {event!r} at {env.now:g} s of simulated time; "
                "it has to yield events, e.g. control.env.timeout(10)"
            )
        answer, failure = None, None
        try:
            answer = yield event
        except BaseException as error:  # the event failed, or the process is interrupted: the controller may handle it
            failure = error


def _act(env: simpy.Environment, at_ns: int) -> None:
    """Let control processes do all that they do at one instant, in SimPy's order."""
    for _ in range(_MOST_AT_ONCE):
        try:
            env.step()
        except Exception as copied:  # SimPy raises a copy of what a process raised, without its notes and fields
            original = copied.__cause__ if type(copied.__cause__) is type(copied) else copied
            raise original from original.__cause__
        if math.isinf(env.peek()) or instant_ns(env.peek()) > at_ns:
            return
    raise EngineLimit(
        "time stands still: a control process acts without end; let it wait, e.g. yield control.env.timeout(1)",
        limit=f"{_MOST_AT_ONCE} steps of control processes at one instant",
        simulated_time_s=at_ns / 1e9,
    )
