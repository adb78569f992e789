"""Walking a Plane: the calls that its services make, and the chain of hops that carries each."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import dataclass

from meshsim.architectures.plane import (
    Forward,
    Hop,
    Mirrored,
    Plane,
    PlaneCached,
    PlaneCall,
    PlaneChoose,
    PlaneParallel,
    PlaneService,
    PlaneStep,
    Routed,
)


@dataclass(frozen=True, slots=True)
class Message:
    """A hop with the service that sends it; `sender` is ``"client"`` for entries."""

    sender: str
    hop: Hop


def calls_in(steps: Iterable[PlaneStep]) -> Iterator[PlaneCall]:
    """Yield every application call in a tree of steps, fallbacks included, in the order of the spec."""
    return (step for step in every_step(steps) if isinstance(step, PlaneCall))


def every_step(steps: Iterable[PlaneStep]) -> Iterator[PlaneStep]:
    """Yield all steps, those within others included."""
    for step in steps:
        yield step
        if isinstance(step, PlaneCall):
            yield from every_step(step.fallback or ())
        elif isinstance(step, PlaneParallel):
            for branch in step.branches:
                yield from every_step(branch)
        elif isinstance(step, PlaneChoose):
            for option in step.options:
                yield from every_step(option.do)
        elif isinstance(step, PlaneCached):
            yield from every_step(step.miss)
        elif isinstance(step, Routed):
            for case in step.cases:
                yield from every_step(case.do)


def forwards_in(steps: Iterable[PlaneStep]) -> Iterator[Hop]:
    """Yield where a proxy passes requests on: by its routes, and copies of them, and last as usual."""
    for step in steps:
        if isinstance(step, (Forward, Mirrored)):
            yield step.hop
        elif isinstance(step, Routed):
            for case in step.cases:
                yield from forwards_in(case.do)
        elif isinstance(step, PlaneChoose):
            for option in step.options:
                yield from forwards_in(option.do)
        elif isinstance(step, PlaneCached):
            yield from forwards_in(step.miss)


def messages_of(service: PlaneService) -> Iterator[Message]:
    """Yield the messages that the service sends: first hops of its calls, and what it forwards as a proxy."""
    for versions in service.endpoints.values():
        for steps in versions:
            for call in calls_in(steps):
                yield Message(service.name, call.hop)
            for hop in forwards_in(steps):
                yield Message(service.name, hop)


def messages(plane: Plane) -> Iterator[Message]:
    """Yield every kind of message in the plane: those of clients, then service by service."""
    for _, hop in plane.entries:
        yield Message("client", hop)
    for service in plane.services:
        yield from messages_of(service)


def chain_of(plane: Plane, first: Hop) -> tuple[Hop, ...]:
    """Give the hops of a call from its first one to the application that it reaches where no route turns it away."""
    chain = [first]
    while (onward := _onward(plane, chain[-1])) is not None:
        chain.append(onward)
    return tuple(chain)


def place_of(hop: Hop, sender: str) -> str:
    """With which service's replicas the instance stands that gets a message from one that stands with `sender`'s."""
    if hop.via in ("caller_peer", "caller_node"):
        return sender
    assert hop.among is not None
    return hop.among


def _onward(plane: Plane, hop: Hop) -> Hop | None:
    (steps, *_) = plane.service(hop.to).endpoints[hop.endpoint]
    *_, usual = (None, *forwards_in(steps))
    return usual
