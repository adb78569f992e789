"""Concurrency slots and the line before them (rules S1-S3)."""

from __future__ import annotations

from meshsim.engines.compiled import tenants
from meshsim.engines.compiled.counters import has_span, settle_service
from meshsim.engines.compiled.ready import RUN, ready_frame
from meshsim.engines.compiled.rows import NONE
from meshsim.engines.compiled.state import Kernel
from meshsim.engines.jit import compiled


@compiled()
def taken(k: Kernel, replica: int) -> bool:
    """All slots are held."""
    concurrency = k.services[k.replicas[replica].service].concurrency
    return concurrency >= 0 and k.stations[replica].held >= concurrency


@compiled()
def full(k: Kernel, replica: int) -> bool:
    """All slots are held and the line is as long as it may be."""
    queue = k.services[k.replicas[replica].service].queue
    return taken(k, replica) and queue >= 0 and k.stations[replica].waiting >= queue


@compiled()
def take_slot(k: Kernel, frame: int) -> None:
    """Hold one more slot."""
    replica = k.frames[frame].replica
    service = k.replicas[replica].service
    settle_service(k, service)
    k.meters[service].slots += 1
    k.stations[replica].held += 1
    _begins(k, frame)


@compiled()
def _begins(k: Kernel, frame: int) -> None:
    line = k.stations[k.frames[frame].replica].line
    if line != NONE:
        tenants.begins(k, line, frame, 1.0)


@compiled()
def join_line(k: Kernel, frame: int) -> None:
    """Wait for a slot."""
    f = k.frames[frame]
    station = k.stations[f.replica]
    k.counters[k.scalars[0].batch, k.replicas[f.replica].service].waited += 1
    station.waiting += 1
    if station.line != NONE:
        tenants.join(k, station.line, frame)
        return
    f.prev = station.last
    f.next = NONE
    if station.last == NONE:
        station.first = frame
    else:
        k.frames[station.last].next = frame
    station.last = frame


@compiled()
def leave_line(k: Kernel, frame: int) -> None:
    """Wait no longer."""
    f = k.frames[frame]
    station = k.stations[f.replica]
    station.waiting -= 1
    if station.line != NONE:
        tenants.leave(k, station.line, frame)
        return
    if f.prev == NONE:
        station.first = f.next
    else:
        k.frames[f.prev].next = f.next
    if f.next == NONE:
        station.last = f.prev
    else:
        k.frames[f.next].prev = f.prev


@compiled()
def admitted(k: Kernel, frame: int) -> None:
    """Note that a frame has its slot."""
    if has_span(k, frame):
        k.spans[k.frames[frame].span].admitted_ns = k.scalars[0].now_ns


@compiled()
def release(k: Kernel, replica: int) -> None:
    """Hand the slot to the next in line, who is woken; or free it (rule S3)."""
    station = k.stations[replica]
    turn = station.first if station.line == NONE else tenants.turn(k, station.line)
    if turn != NONE:
        leave_line(k, turn)
        _begins(k, turn)
        ready_frame(k, RUN, turn)
    else:
        service = k.replicas[replica].service
        settle_service(k, service)
        k.meters[service].slots -= 1
        station.held -= 1
