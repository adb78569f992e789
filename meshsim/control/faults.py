"""Ordinary faults as control processes: what each does to a run when it begins, and what ends it."""

from __future__ import annotations

from collections.abc import Callable, Generator
from typing import Any

import simpy

from meshsim.control.control import Control
from meshsim.control.health import Health
from meshsim.control.instances import Instance, by_name, first_of, standing
from meshsim.model import faults as f
from meshsim.model.faults import Event

Steps = Generator[simpy.Event, Any, None]
_NOTHING = "there is nothing of that kind in this architecture"


def strikes(control: Control, health: Health, event: Event) -> Steps:
    """Let an ordinary fault begin at its time, and end when its time is over."""
    assert event.fault is not None
    yield control.env.timeout(event.at_s - control.now_s)
    fault = event.fault
    control.note(event.name, "begins", fault.kind)
    if isinstance(fault, f.MemoryFault | f.ProcessKiller):
        yield from _kills(control, health, event, fault)
    elif isinstance(fault, f.Shutdown):
        yield from _shuts_down(control, health, event, fault)
    elif isinstance(fault, f.Crash | f.RestartHerd):
        yield from _crashes(control, health, event, fault)
    else:
        undo = _begin(control, health, fault)
        if undo is None:
            control.note(event.name, "has no effect", _NOTHING)
            return
        if event.for_s is None:
            return
        yield control.env.timeout(event.for_s)
        undo()
    control.note(event.name, "ends", fault.kind)


# -- faults that last --------------------------------------------------------------------------------------------


def _begin(control: Control, health: Health, fault: f.Fault) -> Callable[[], None] | None:
    """Do what a fault does; gives what takes it back, None where there is nothing to strike."""
    match fault:
        case f.CpuFault():
            slower = 1.0 / (1.0 - fault.load)
            return _on_replicas(control, fault, lambda at: control.slow(at[0], slower, at[1]),
                                lambda at: control.slow(at[0], 1.0, at[1]))  # fmt: skip
        case f.Pause():
            return _on_replicas(control, fault, lambda at: control.freeze(*at), lambda at: control.thaw(*at))
        case f.IoFault():
            return _on_replicas(control, fault, lambda at: control.slow_waits(at[0], fault.factor, at[1]),
                                lambda at: control.slow_waits(at[0], 1.0, at[1]))  # fmt: skip
        case f.LatencyFault():
            return _on_replicas(control, fault, lambda at: control.impair_network(*at, delay_s=fault.delay_s),
                                lambda at: control.impair_network(*at))  # fmt: skip
        case f.PacketLoss():
            return _on_replicas(control, fault, lambda at: control.impair_network(*at, loss=fault.share),
                                lambda at: control.impair_network(*at))  # fmt: skip
        case f.Blackhole():
            return _down(health, _replicas(control, fault.service, fault.replicas), "silent")
        case f.ZoneLoss():
            zone = control.plane.zones.index(fault.zone) if fault.zone in control.plane.zones else -1
            return _down(health, standing(control.plane, zone=zone), "silent")
        case f.SlowNode():
            return _slow_node(control, fault)
        case f.Partition():
            one, other = fault.zones
            if not {one, other} <= set(control.plane.zones):
                return None
            control.cut_off(one, other)
            return lambda: control.reconnect(one, other)
        case f.LoadSpike():
            control.set_load(fault.stream, fault.factor)
            return lambda: control.set_load(fault.stream, 1.0)
        case f.ColdCache():
            return _empties(control, fault)
        case f.DnsFault():
            return _refuses_new(control, fault.service, None)
        case f.CertificateExpiry():
            if fault.connections == "new":
                return _refuses_new(control, fault.service, None)
            return _answers(control, fault.service, 1.0, "connect_failure")
        case f.TimeTravel():
            return _travels(control, fault)
        case f.DependencyDown():
            return _answers(control, fault.service, fault.share, fault.reason)
    raise AssertionError(f"a fault without effect: {fault}")


def _replicas(control: Control, service: str, replicas: f.Replicas) -> list[Instance]:
    return [Instance(service, number) for number in first_of(control.plane, service, replicas)]


def _on_replicas(
    control: Control,
    fault: Any,
    do: Callable[[tuple[str, list[int]]], None],
    undo: Callable[[tuple[str, list[int]]], None],
) -> Callable[[], None] | None:
    at = (fault.service, first_of(control.plane, fault.service, fault.replicas))
    if not at[1]:
        return None
    do(at)
    return lambda: undo(at)


def _down(health: Health, instances: list[Instance], how: Any) -> Callable[[], None] | None:
    if not instances:
        return None
    health.takes_down(instances, how)
    return lambda: health.brings_up(instances)


def _slow_node(control: Control, fault: f.SlowNode) -> Callable[[], None] | None:
    instances = standing(control.plane, node=fault.node)

    def slow(factor: float) -> None:
        for one in instances:
            control.slow(one.service, factor, [one.number])

    slow(fault.factor)
    return (lambda: slow(1.0)) if instances else None


def _empties(control: Control, fault: f.ColdCache) -> Callable[[], None] | None:
    found = by_name(control.plane, fault.service)
    own = [] if found is None else [one for one in found.caches if fault.cache in (one.name, None)]
    if fault.cache is None:
        own = [one for one in own if one.shared is None]
    if not own:
        return None
    control.empty_caches(fault.service, fault.cache)
    return lambda: None


def _refuses_new(control: Control, service: str, replicas: list[int] | None) -> Callable[[], None] | None:
    if by_name(control.plane, service) is None:
        return None
    control.refuse_connections(service, replicas)
    return lambda: control.bring_up(service, replicas)


def _answers(control: Control, service: str, share: float, reason: str) -> Callable[[], None] | None:
    if by_name(control.plane, service) is None:
        return None
    control.fail(service, share, reason)
    return lambda: control.fail(service, 0.0, reason)


def _travels(control: Control, fault: f.TimeTravel) -> Callable[[], None] | None:
    """A clock that is wrong by more than a certificate lasts has no connections, by more than the leeway no tokens."""
    if fault.skew_s > fault.certificate_s:
        numbers = first_of(control.plane, fault.service, fault.replicas)
        return _refuses_new(control, fault.service, numbers) if numbers else None
    if fault.skew_s > fault.leeway_s:
        found = by_name(control.plane, fault.service)
        if found is None:
            return None
        share = fault.replicas.of(len(found.replicas)) / len(found.replicas)
        return _answers(control, fault.service, share, "500")
    return lambda: None


# -- faults that take replicas down and let them come back -------------------------------------------------------


def _kills(control: Control, health: Health, event: Event, fault: f.MemoryFault | f.ProcessKiller) -> Steps:
    """Kill again and again, for as long as the fault lasts; memory takes a time to fill first."""
    instances = _replicas(control, fault.service, fault.replicas)
    if not instances:
        control.note(event.name, "has no effect", _NOTHING)
        return
    is_memory = isinstance(fault, f.MemoryFault)
    first_s = fault.after_s if isinstance(fault, f.MemoryFault) else 0.0
    every_s = fault.after_s + fault.restart_s if isinstance(fault, f.MemoryFault) else fault.every_s
    ends_s = float("inf") if event.for_s is None else event.at_s + event.for_s
    yield control.env.timeout(first_s)
    while control.now_s < ends_s:
        health.takes_down(instances, "exit")
        control.note(event.name, "kills", f"{len(instances)} of {fault.service}" + (" (memory)" if is_memory else ""))
        yield control.env.timeout(fault.restart_s)
        health.brings_up(instances)
        yield control.env.timeout(max(every_s - fault.restart_s, 0.0))


def _shuts_down(control: Control, health: Health, event: Event, fault: f.Shutdown) -> Steps:
    instances = _replicas(control, fault.service, fault.replicas)
    if not instances:
        control.note(event.name, "has no effect", _NOTHING)
        return
    begins_s = control.now_s
    if fault.drain_s:
        control.env.process(health.leaves(instances))
        yield control.env.timeout(fault.drain_s)
    health.takes_down(instances, "exit")
    control.note(event.name, "stops", f"{len(instances)} of {fault.service}")
    if fault.restart_s is not None:
        yield control.env.timeout(fault.restart_s)
    elif event.for_s is not None:
        yield control.env.timeout(max(begins_s + event.for_s - control.now_s, 0.0))
    else:
        return
    health.brings_up(instances)


def _crashes(control: Control, health: Health, event: Event, fault: f.Crash | f.RestartHerd) -> Steps:
    replicas = f.ALL if isinstance(fault, f.RestartHerd) else fault.replicas
    spread_s = fault.spread_s if isinstance(fault, f.RestartHerd) else 0.0
    instances = _replicas(control, fault.service, replicas)
    if not instances:
        control.note(event.name, "has no effect", _NOTHING)
        return
    health.takes_down(instances, "exit")
    yield control.env.timeout(fault.restart_s)
    for number, one in enumerate(instances):
        health.brings_up([one])
        if spread_s and number < len(instances) - 1:
            yield control.env.timeout(spread_s / max(len(instances) - 1, 1))
