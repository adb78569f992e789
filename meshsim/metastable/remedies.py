"""What may end a metastable failure: less load, no retries, a restart, each for a time and as a control process."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from meshsim.architectures.plane import Plane
from meshsim.control import Control
from meshsim.control.reach import Steps
from meshsim.metastable.words import RESTART, SHED
from meshsim.model.policies import Policy
from meshsim.model.topology import Topology
from meshsim.model.traffic import SCALABLE

_SHED_TO = 0.5  # of the load (assumed)
_RESTARTS_IN_S = 1.0  # a process, not a machine (assumed)
_LOOKS_FOR_S = 1.0  # how long it is looked where requests stand in line (assumed)


def without_retries(topology: Topology) -> Topology:
    """Give the topology with no policy that tries again, not even by default; for a push of configuration."""
    off = [policy if policy.retries is None else _off(policy) for policy in topology.policies]
    return topology.model_copy(update={"policies": (*off, Policy(name="retries-off", retries="none"))})


def _off(policy: Policy) -> Policy:
    return policy.model_copy(update={"retries": "none"})


@dataclass(frozen=True, slots=True)
class Remedy:
    """A control process that tries one remedy.

    Attributes
    ----------
    kind
        One of `REMEDIES`.
    at_s, for_s
        When it begins, and how long it lasts; a restart takes 1 s.
    service
        That is restarted; None: the one with most requests in it.
    """

    kind: str
    at_s: float
    for_s: float
    service: str | None = None

    @property
    def __name__(self) -> str:
        """What it is called in texts."""
        return self.kind

    def __call__(self, control: Control) -> Steps:
        """Wait for its time, and do it."""
        if self.kind == RESTART:
            yield from self._restarts(control)
            return
        yield control.env.timeout(self.at_s)
        turn = _sheds if self.kind == SHED else _without
        undo = turn(control)
        yield control.env.timeout(self.for_s)
        undo()

    def _restarts(self, control: Control) -> Steps:
        yield control.env.timeout(self.at_s - _LOOKS_FOR_S)
        control.window()
        yield control.env.timeout(_LOOKS_FOR_S)
        window = control.window()
        names = [service.name for service in control.plane.services if service.role == "app"]
        service = self.service or max(names, key=lambda name: window.service(name).in_system)
        control.take_down(service)
        control.note(self.kind, "restarts", service)
        yield control.env.timeout(_RESTARTS_IN_S)
        control.bring_up(service)


def possible(kind: str, plane: Plane) -> bool:
    """Whether a remedy can be tried: load of arrivals whose rate has a rhythm of its own cannot be shed."""
    return kind != SHED or bool(_sheddable(plane))


def _sheddable(plane: Plane) -> Sequence[str]:
    return [stream.name for stream, _ in plane.entries if stream.arrivals.kind in SCALABLE]


def _sheds(control: Control) -> Any:
    streams = _sheddable(control.plane)
    for name in streams:
        control.set_load(name, _SHED_TO)

    def undo() -> None:
        for name in streams:
            control.set_load(name, 1.0)

    return undo


def _without(control: Control) -> Any:
    """Push the configuration without retries to all proxies and libraries, and tell applications to try once."""
    enforcing = [service.name for service in control.plane.services if service.pushed]
    calls = {at: n for at, n in control.retries().items() if n}
    for name in enforcing:
        control.configure(name, 1)
    for at in calls:
        control.set_call(at, retries=0)

    def undo() -> None:
        for name in enforcing:
            control.configure(name, 0)
        for at, n in calls.items():
            control.set_call(at, retries=n)

    return undo
