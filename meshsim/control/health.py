"""When replicas that are down leave the endpoints, and when they come back.

Kubernetes: a kubelet finds out within about a second that a container has exited (its relist period), and by the
readiness probe after 3 failures, 10 s apart (the probe's defaults), that a replica does not answer any more. Then the
control plane tells the proxies. All of it is one lag here, which the control plane's own absence makes longer.
"""

from __future__ import annotations

from collections.abc import Collection, Generator
from typing import Any, Literal

import simpy

from meshsim.control.control import Control
from meshsim.control.instances import Instance, listed_as
from meshsim.model.rollouts import ControlPlane

#: Seconds until it is noticed that a container has exited, or that it does not answer.
NOTICED_S: dict[Literal["exit", "silent"], float] = {"exit": 1.0, "silent": 30.0}
READY_S = 1.0  # from a start until the replica is ready (assumed: it is as soon as it has begun)


class Health:
    """Takes replicas down and up, and lets their endpoints follow."""

    def __init__(self, control: Control, control_plane: ControlPlane) -> None:
        self.control = control
        self.control_plane = control_plane
        self.down: dict[Instance, int] = {}  # how many faults keep it down
        self.out: dict[Instance, set[Instance]] = {}  # by place among the endpoints: who keeps it out of them

    def takes_down(self, instances: Collection[Instance], how: Literal["exit", "silent"]) -> None:
        """Let replicas go down at once; they leave the endpoints when it has been noticed."""
        for one in instances:
            self.down[one] = self.down.get(one, 0) + 1
            self.control.take_down(one.service, [one.number], silent=how == "silent")
        self.control.env.process(self._follows(list(instances), NOTICED_S[how]))

    def brings_up(self, instances: Collection[Instance]) -> None:
        """Let replicas serve again that no other fault keeps down; they are chosen again when that is known."""
        for one in instances:
            self.down[one] = max(self.down.get(one, 0) - 1, 0)
            if not self.down[one]:
                self.control.bring_up(one.service, [one.number])
        self.control.env.process(self._follows(list(instances), READY_S))

    def crashed(self, instance: Instance) -> None:
        """Take note of a replica that a request took down."""
        self.down[instance] = self.down.get(instance, 0) + 1
        self.control.env.process(self._follows([instance], NOTICED_S["exit"]))

    def is_down(self, instance: Instance) -> bool:
        """A fault keeps it down."""
        return self.down.get(instance, 0) > 0

    def leaves(self, instances: Collection[Instance]) -> Generator[simpy.Event, Any, None]:
        """Take replicas out of the endpoints that are to stop: known as soon as the control plane has told it."""
        yield self.control.env.timeout(self._told_s())
        for one in instances:
            self._list(one, listed=False)

    def _follows(self, instances: list[Instance], noticed_s: float) -> Generator[simpy.Event, Any, None]:
        """Let the endpoints show what is so when it was noticed."""
        yield self.control.env.timeout(noticed_s)
        yield self.control.env.timeout(self._told_s())
        for one in instances:
            self._list(one, listed=not self.is_down(one))

    def _list(self, instance: Instance, *, listed: bool) -> None:
        place = listed_as(instance, self.control.plane)
        keep_out = self.out.setdefault(place, set())
        was_out = bool(keep_out)
        if listed:
            keep_out.discard(instance)
        else:
            keep_out.add(instance)
        if bool(keep_out) == was_out:
            return
        if keep_out:
            self.control.leave_endpoints(place.service, [place.number])
        else:
            self.control.join_endpoints(place.service, [place.number])

    def _told_s(self) -> float:
        """How long a change of the endpoints takes from now until proxies know it; they keep what they know before."""
        now_s = self.control.now_s
        begins_s = now_s + self.control_plane.debounce_s
        for since_s, until_s in self.control_plane.down:
            if since_s <= begins_s < until_s:
                begins_s = until_s
        return begins_s + self.control_plane.delay_s - now_s
