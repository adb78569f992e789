"""Ordinary faults as control processes: what each does to a run when it begins, and what ends it."""

from __future__ import annotations

import math
from collections.abc import Iterable
from typing import Any

from meshsim.control.control import Control
from meshsim.control.health import Health
from meshsim.control.instances import Instance, emptied, named, standing
from meshsim.control.overlaps import Overlaps, Undo
from meshsim.control.reach import Steps, instant_ns
from meshsim.engines.record import BEGINS, ENDS, KILLS, NO_EFFECT, STOPS
from meshsim.model import faults as f
from meshsim.model.faults import Event

_NOTHING = "there is nothing of that kind in this architecture"


class OrdinaryFaults:
    """The ordinary faults of one run."""

    def __init__(self, control: Control, health: Health) -> None:
        self.control = control
        self.health = health
        self.overlaps = Overlaps(control)

    def strikes(self, event: Event) -> Steps:
        """Let an ordinary fault begin at its time, and end when its time is over."""
        fault = event.fault
        assert fault is not None
        yield self.control.env.timeout(event.at_s - self.control.now_s)
        self.control.note(event.name, BEGINS, fault.kind)
        if isinstance(fault, f.MemoryFault | f.ProcessKiller | f.Shutdown | f.Crash | f.RestartHerd):
            instances = self._instances(fault)
            if not instances:
                self.control.note(event.name, NO_EFFECT, _NOTHING)
            elif isinstance(fault, f.MemoryFault | f.ProcessKiller):
                yield from self._kills(event, fault, instances)
            elif isinstance(fault, f.Shutdown):
                yield from self._shuts_down(event, fault, instances)
            else:
                yield from self._crashes(event, fault, instances)
            return
        if isinstance(fault, f.BatchJob):
            yield from self._comes_and_goes(event, fault)
            return
        undo = self._begin(fault)
        if undo is None:
            self.control.note(event.name, NO_EFFECT, _NOTHING)
        elif (lasts_s := 0.0 if isinstance(fault, f.ColdCache) else event.for_s) is not None:
            yield self.control.env.timeout(lasts_s)
            undo()
            self.control.note(event.name, ENDS, fault.kind)

    # -- faults that last ------------------------------------------------------------------------------------------

    def _begin(self, fault: f.Fault) -> Undo | None:
        """Do what a fault does; gives what takes it back, None where there is nothing to strike."""
        overlaps = self.overlaps
        assert not isinstance(fault, f.BatchJob), "it comes and goes"
        match fault:
            case f.LoadSpike():
                return overlaps.load(fault.stream, fault.factor)
            case f.Partition():
                there = set(fault.zones) <= set(self.control.plane.zones)
                return overlaps.cut_off(*fault.zones) if there else None
            case f.SlowNode():
                on_node = standing(self.control.plane, node=fault.node)
                ends = [overlaps.slow(one.service, [one.number], fault.factor) for one in on_node]
                return (lambda: _each(ends)) if ends else None
            case f.ZoneLoss():
                zones = self.control.plane.zones
                lost = standing(self.control.plane, zone=zones.index(fault.zone)) if fault.zone in zones else []
                return self.health.takes_down(lost, "silent") if lost else None
            case f.ColdCache():
                return self._empties(fault)
        names = named(self.control.plane, fault.service)
        undos = [self._at_service(fault.model_copy(update={"service": name})) for name in names]
        return (lambda: _each(undos)) if undos else None

    def _at_service(self, fault: f.Fault) -> Undo:
        """Do what a fault of a service does that is there."""
        overlaps = self.overlaps
        match fault:
            case f.CpuFault():
                return overlaps.slow(fault.service, self._first(fault), 1.0 / (1.0 - fault.load))
            case f.Pause():
                return overlaps.freeze(fault.service, self._first(fault))
            case f.IoFault():
                return overlaps.slow_waits(fault.service, self._first(fault), fault.factor)
            case f.LatencyFault():
                return overlaps.impair(fault.service, self._first(fault), fault.delay_s, 0.0)
            case f.PacketLoss():
                return overlaps.impair(fault.service, self._first(fault), 0.0, fault.share)
            case f.Blackhole():
                return self.health.takes_down(self._instances(fault), "silent")
            case f.DnsFault():
                return self.health.refuses_new(self._instances(fault))
            case f.CertificateExpiry():
                if fault.connections == "new":
                    return self.health.refuses_new(self._instances(fault))
                return overlaps.fail(fault.service, 1.0, "connect_failure")
            case f.TimeTravel():
                return self._travels(fault)
            case f.DependencyDown():
                return overlaps.fail(fault.service, fault.share, fault.reason)
        raise AssertionError(f"a fault without effect: {fault}")

    def _travels(self, fault: f.TimeTravel) -> Undo:
        """A clock that is wrong by more than a certificate lasts has no connections, by more than the leeway no tokens.

        Tokens are refused for the share of messages that the replicas have of all.
        """
        if fault.skew_s > fault.certificate_s:
            return self.health.refuses_new(self._instances(fault))
        if fault.skew_s > fault.leeway_s:
            share = len(self._first(fault)) / self.control.replicas(fault.service)
            return self.overlaps.fail(fault.service, share, "500")
        return lambda: None

    def _empties(self, fault: f.ColdCache) -> Undo | None:
        plane = self.control.plane
        names = [name for name in named(plane, fault.service) if emptied(plane.service(name), fault.cache)]
        for name in names:
            self.control.empty_caches(name, fault.cache)
        return (lambda: None) if names else None

    # -- faults that take replicas down and let them come back -----------------------------------------------------

    def _kills(self, event: Event, fault: f.MemoryFault | f.ProcessKiller, instances: list[Instance]) -> Steps:
        """Kill again and again, for as long as the fault lasts; memory takes a time to fill first.

        Whoever is dead when the fault ends comes back as ever.
        """
        env = self.control.env
        ends_s = math.inf if event.for_s is None else self.control.now_s + event.for_s
        first_s, then_s, why = 0.0, max(getattr(fault, "every_s", 0.0) - fault.restart_s, 0.0), ""
        if isinstance(fault, f.MemoryFault):
            first_s, then_s, why = fault.after_s, fault.after_s, " (memory)"
        lives_s = first_s
        while True:
            yield env.timeout(max(min(lives_s, ends_s - self.control.now_s), 0.0))
            if math.isfinite(ends_s) and instant_ns(self.control.now_s) >= instant_ns(ends_s):
                break
            ends = self.health.takes_down(instances, "exit")
            self.control.note(event.name, KILLS, f"{len(instances)} of {fault.service}{why}")
            yield env.timeout(fault.restart_s)
            ends()
            lives_s = then_s
        self.control.note(event.name, ENDS, fault.kind)

    def _shuts_down(self, event: Event, fault: f.Shutdown, instances: list[Instance]) -> Steps:
        env, begins_s = self.control.env, self.control.now_s
        ends = []
        if fault.drain_s:
            ends.append(self.health.leaves(instances))
            yield env.timeout(fault.drain_s)
        ends.append(self.health.takes_down(instances, "exit"))
        self.control.note(event.name, STOPS, f"{len(instances)} of {fault.service}")
        if fault.restart_s is not None:
            yield env.timeout(fault.restart_s)
        elif event.for_s is not None:
            yield env.timeout(max(begins_s + event.for_s - self.control.now_s, 0.0))
        else:
            return
        _each(ends)
        self.control.note(event.name, ENDS, fault.kind)

    def _crashes(self, event: Event, fault: f.Crash | f.RestartHerd, instances: list[Instance]) -> Steps:
        spread_s = fault.spread_s if isinstance(fault, f.RestartHerd) else 0.0
        ends = [self.health.takes_down([one], "exit") for one in instances]
        yield self.control.env.timeout(fault.restart_s)
        for number, end in enumerate(ends):
            if number and spread_s:
                yield self.control.env.timeout(spread_s / (len(ends) - 1))
            end()
        self.control.note(event.name, ENDS, fault.kind)

    def _comes_and_goes(self, event: Event, fault: f.BatchJob) -> Steps:
        """Slow a node while a batch job runs on it, from the beginning on and again after each gap."""
        on_node = standing(self.control.plane, node=fault.node)
        if not on_node:
            self.control.note(event.name, NO_EFFECT, _NOTHING)
            return
        ends_s = math.inf if event.for_s is None else self.control.now_s + event.for_s
        run = 0
        while self.control.now_s < ends_s:
            undos = [self.overlaps.slow(one.service, [one.number], 1.0 / (1.0 - fault.load)) for one in on_node]
            lasts_s = self.control.draw(fault.lasts, f"{event.name}/lasts", run)
            yield self.control.env.timeout(min(lasts_s, ends_s - self.control.now_s))
            _each(undos)
            gap_s = self.control.draw(fault.gap, f"{event.name}/gap", run)
            yield self.control.env.timeout(min(gap_s, ends_s - self.control.now_s))
            run += 1
        self.control.note(event.name, ENDS, fault.kind)

    # -- whom a fault meets ----------------------------------------------------------------------------------------

    def _first(self, fault: Any, service: str | None = None) -> list[int]:
        """Numbers of the replicas that a fault meets: the first ones of those that get requests."""
        replicas: f.Replicas = getattr(fault, "replicas", f.ALL)
        return list(range(replicas.of(self.control.replicas(service or fault.service))))

    def _instances(self, fault: Any) -> list[Instance]:
        names = named(self.control.plane, fault.service)
        return [Instance(name, number) for name in names for number in self._first(fault, name)]


def _each(ends: Iterable[Undo]) -> None:
    for end in ends:
        end()
