"""The events of a topology as one control process: faults, pushes, the control plane, and people who watch."""

from __future__ import annotations

from dataclasses import dataclass

from meshsim.control import people
from meshsim.control.control import Control
from meshsim.control.faults import OrdinaryFaults
from meshsim.control.health import Health
from meshsim.control.pushing import Pushing
from meshsim.control.reach import Steps
from meshsim.control.rollout import Delivery
from meshsim.errors import UsageError
from meshsim.model.changes import pushes_of
from meshsim.model.faults import Event
from meshsim.model.rollouts import BUILT_IN, ControlPlane, People, Rollout
from meshsim.model.topology import Topology


@dataclass(frozen=True)
class Events:
    """What happens in every replication of a topology with events.

    Attributes
    ----------
    people_most_s
        How long (seconds) people take at most, see `meshsim.control.people.watch`.
    first_configuration
        Number of the configuration with the first push alone (`meshsim.model.changes.PushSet`); others follow.
    """

    events: tuple[Event, ...]
    rollouts: tuple[Rollout, ...]  # of the pushes, in their order
    control_plane: ControlPlane
    people: People
    people_most_s: float | None = None
    first_configuration: int = 1

    @property
    def __name__(self) -> str:
        """What it is called in texts."""
        return "events"

    def __call__(self, control: Control) -> Steps:
        """Begin everything; each waits for its time."""
        env = control.env
        health = Health(control, self.control_plane)
        faults = OrdinaryFaults(control, health)
        pushed = [event for event in self.events if event.push is not None]
        pushes = pushes_of(self.events)
        for event in self.events:
            if event.fault is not None:
                env.process(faults.strikes(event))
        going: list[Delivery] = []
        if pushes:
            pushing = Pushing(control, health, self.control_plane, pushes, self.first_configuration)
            going = [
                Delivery(control, pushing, push, number, rollout)
                for number, (push, rollout) in enumerate(zip(pushes, self.rollouts, strict=True))
            ]
            for one, event in zip(going, pushed, strict=True):
                env.process(one.goes_out(event.at_s))
        env.process(people.watch(control, self.people, going, self.people_most_s, faults.overlaps))
        yield env.timeout(0)


def events_of(topology: Topology, people_most_s: float | None = None) -> Events | None:
    """The control process of a topology's events; None if it has none.

    Raises
    ------
    UsageError
        There are too many pushes, or a rollout is unknown.
    """
    if not topology.events:
        return None
    pushes = pushes_of(topology.events)
    known = {**BUILT_IN, **topology.rollouts}
    for push in pushes:
        if push.rollout not in known:
            raise UsageError(f"there is no rollout '{push.rollout}'; there is {', '.join(known)}")
    rollouts = tuple(known[push.rollout] for push in pushes)
    return Events(topology.events, rollouts, topology.control_plane, topology.people, people_most_s)
