"""Proxies that get other configurations during a run: one Plane made of those of all configurations."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace

from meshsim.architectures.plane import Plane, PlaneService, PlaneStep

Steps = tuple[PlaneStep, ...]


def with_pushed(first: Plane, others: Sequence[Plane]) -> Plane:
    """Give the proxies of a Plane what they do under further configurations.

    Whoever has a configuration that does not know an endpoint, which only proxies of another configuration call, does
    there what the first configuration that knows it says: so a push that has reached half of the proxies is carried
    by the others as well as they can.

    Parameters
    ----------
    first
        Of the configuration that all proxies have in the beginning.
    others
        Of those that may be pushed, with the same services.
    """
    return replace(first, services=tuple(_merged(service, others) for service in first.services))


def _merged(service: PlaneService, others: Sequence[Plane]) -> PlaneService:
    if service.role == "app":
        return service
    known = [_steps(service), *(_steps(_same(plane, service)) for plane in others)]
    anywhere: dict[str, Steps] = {}
    for steps in known:
        for name, code in steps.items():
            anywhere.setdefault(name, code)
    whole = [{name: steps.get(name, anywhere[name]) for name in sorted(anywhere)} for steps in known]
    for steps in whole[1:]:
        for name, code in steps.items():
            if code == whole[0][name]:
                steps[name] = whole[0][name]  # the same object: it is packed once
    return replace(service, endpoints={name: (code,) for name, code in whole[0].items()}, pushed=tuple(whole[1:]))


def _same(plane: Plane, service: PlaneService) -> PlaneService:
    """The proxy in another Plane; itself where that has no such library."""
    return next((other for other in plane.services if other.name == service.name), service)


def _steps(service: PlaneService) -> dict[str, Steps]:
    return {name: code for name, (code,) in service.endpoints.items()}
