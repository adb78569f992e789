"""Events: what happens at which time of a run."""

from __future__ import annotations

from collections.abc import Callable

from meshsim.model.faults import INSTANTS, Event
from meshsim.model.read import keys, quantities
from meshsim.model.read.cursor import Cursor
from meshsim.model.read.faults import read_fault
from meshsim.model.read.pushes import ReadChanged, read_push
from meshsim.model.topology import Topology
from meshsim.units import format_duration

MAX_EVENTS = 1000

_EXAMPLE = "[{name: kill, at: 30s, fault: {crash: {service: geo}}}]"


def read_events(
    at: Cursor, topology: Topology, read_changed: ReadChanged, check: Callable[[Event, Cursor], None]
) -> tuple[Event, ...]:
    """Read `events`, in the order of time, then of names; unusable ones are left out (and reported).

    Parameters
    ----------
    topology
        Everything but the events.
    read_changed
        Reads the topology with what a push sets.
    check
        Reports what is wrong with the topology once the mistake of a push is in force.
    """
    items = at.named_items(_EXAMPLE)
    if len(items) > MAX_EVENTS:
        at.error("M108", f"{len(items):,} events, and at most {MAX_EVENTS:,} are read", "take fewer", at.key_mark)
    found = [(_event(name, item, topology, read_changed), item) for name, item in items[:MAX_EVENTS]]
    events = [(event, item) for event, item in found if event is not None]
    if items:
        _check_warmup(at, [event for event, _ in events], topology)
    for event, item in events:
        if event.push is not None and event.push.fault is not None:
            check(event, item)
    return tuple(sorted((event for event, _ in events), key=lambda event: (event.at_s, event.name)))


def _event(name: str, at: Cursor, topology: Topology, read_changed: ReadChanged) -> Event | None:
    before = at.reading.report.errors
    found = at.fields(keys.EVENT, required=("at",), example="at: 30s", elsewhere=keys.ELSEWHERE_EVENT)
    known = [key for key in ("fault", "push") if at.has(key)]
    if len(known) != 1 and at.reading.report.errors == before:
        hint = "make two events of it" if known else "add fault: {crash: {service: …}}, or push: {set: {…}}"
        at.error("M114", f"event '{name}' is a fault or a push{', not both' if known else ''}", hint, at.key_mark)
    at_s = _at(found["at"], topology.run.duration_s) if "at" in found else 0.0
    fault = read_fault(found["fault"], topology) if "fault" in found else None
    push = read_push(name, found["push"], topology, read_changed) if "push" in found else None
    for_s = quantities.duration(found["for"], positive=True) if "for" in found else None
    _check_for(at, found)
    if at.reading.report.errors != before:
        return None
    return Event(name=name, at_s=at_s, for_s=for_s, fault=fault, push=push)


def _at(at: Cursor, duration_s: float) -> float:
    before = at.reading.report.errors
    seconds = quantities.duration(at)
    if seconds >= duration_s and at.reading.report.errors == before:
        hint = f"write less than {format_duration(duration_s)}, or raise run.duration"
        at.error("M108", f"at is {at.text()}, when the run is over", hint)
    return seconds


def _check_for(at: Cursor, found: dict[str, Cursor]) -> None:
    if "for" not in found:
        return
    lasts = found["for"]
    once = [kind for kind in (found["fault"].keys() if "fault" in found else ()) if kind in INSTANTS]
    if at.has("push"):
        hint = "a push lasts until it is rolled back: remove for, and see rollouts and people"
        lasts.error("M120", "for has no meaning with a push", hint, lasts.key_mark)
    elif once:
        hint = "remove for" if once[0] == "cold_cache" else "remove for: restart says when they are back"
        lasts.error("M120", f"for has no meaning with {once[0]}, which happens once", hint, lasts.key_mark)


def _check_warmup(at: Cursor, events: list[Event], topology: Topology) -> None:
    """Report a warm-up that is not given, or that reaches into the events."""
    warmup_s = topology.run.warmup_s
    if warmup_s is None:
        hint = "say what to leave out before the first event: add run: {warmup: 10s}"
        at.error("M126", "there are events, and warmup is auto", hint, at.key_mark)
        return
    early = min(events, key=lambda event: (event.at_s, event.name), default=None)
    if early is not None and early.at_s < warmup_s:
        at_s = format_duration(early.at_s)
        message = f"event '{early.name}' is at {at_s}, within the warm-up of {format_duration(warmup_s)}"
        mark = at.reading.mark(f"events.{early.name}.at")
        at.error("M126", message, f"lower run.warmup to {at_s}, or let it happen later", mark)
