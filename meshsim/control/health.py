"""When replicas that are down leave the endpoints, and when they come back.

Kubernetes: a kubelet finds out within about a second that a container has exited (its relist period), and by the
readiness probe after 3 failures, 10 s apart (the probe's defaults), that a replica does not answer any more. Then the
control plane tells the proxies. All of it is one lag here, which the control plane's own absence makes longer. What
the messages of pushes pass (`behind`) is nothing to it: endpoints are told another way (assumed).

A replica may be held down by several faults; it is as the worst of them makes it, and up again when the last one ends.
"""

from __future__ import annotations

from collections.abc import Callable, Collection
from typing import Literal

from meshsim.architectures.rewrites import sidecar_of
from meshsim.control.control import Control
from meshsim.control.instances import Instance, by_name, listed_as
from meshsim.control.overlaps import Undo
from meshsim.control.reach import Steps
from meshsim.model.rollouts import ControlPlane

Down = Literal["exit", "silent"]
Condition = Literal["up", "refuses new", "exit", "silent"]  # from good to bad
_BADNESS: dict[Condition, int] = {"up": 0, "refuses new": 1, "exit": 2, "silent": 3}

#: Seconds until it is noticed that a container has exited, or that it does not answer.
NOTICED_S: dict[Down, float] = {"exit": 1.0, "silent": 30.0}
READY_S = 1.0  # from a start until the replica is ready (assumed: it is as soon as it has begun)


class Health:
    """Takes replicas down and up, and lets their endpoints follow.

    Attributes
    ----------
    started
        Called with each instance that is up again.
    """

    def __init__(self, control: Control, control_plane: ControlPlane) -> None:
        self.control = control
        self.control_plane = control_plane
        self.started: Callable[[Instance], None] = lambda _: None
        self.held: dict[Instance, dict[object, Condition]] = {}  # what each fault makes of it
        self.shown: dict[Instance, Condition] = {}  # what the run knows
        self.leaving: dict[Instance, set[object]] = {}  # by place among the endpoints: who is about to stop it
        self.ready: dict[Instance, bool] = {}  # by place, too; where nothing is said it is, and is listed
        self.changes: dict[Instance, int] = {}  # how often that has changed
        self.listed: dict[Instance, bool] = {}

    def takes_down(self, instances: Collection[Instance], how: Down) -> Undo:
        """Let replicas go down at once, and leave the endpoints when it has been noticed; gives what ends it."""
        return self._holds(instances, how, NOTICED_S[how])

    def crashed(self, instance: Instance) -> Undo:
        """Take note of a replica that a request took down, which has been noticed just now."""
        return self._holds([instance], "exit", 0.0)

    def refuses_new(self, instances: Collection[Instance]) -> Undo:
        """Let replicas refuse new connections; gives what ends it."""
        return self._holds(instances, "refuses new", None)

    def leaves(self, instances: Collection[Instance]) -> Undo:
        """Take replicas out of the endpoints that are to stop: known as soon as the control plane has told it."""
        stop = object()
        places = [listed_as(one, self.control.plane) for one in instances]
        for place in places:
            self.leaving.setdefault(place, set()).add(stop)
            self._looks_at(place, 0.0)

        def ends() -> None:
            for place in places:
                self.leaving[place].discard(stop)
                self._looks_at(place, None)

        return ends

    def is_down(self, instance: Instance) -> bool:
        """A fault keeps it, or the pod that it is part of, down."""
        return self.shown.get(instance, "up") in ("exit", "silent")

    # -- conditions ------------------------------------------------------------------------------------------------

    def _holds(self, instances: Collection[Instance], condition: Condition, noticed_s: float | None) -> Undo:
        fault = object()
        for one in instances:
            self.held.setdefault(one, {})[fault] = condition
            self._shows(one, noticed_s)

        def ends() -> None:
            for one in instances:
                del self.held[one][fault]
                self._shows(one, None)

        return ends

    def _condition(self, instance: Instance) -> Condition:
        """The worst of what faults make of an instance and, if it is a sidecar, of its pod."""
        pod = listed_as(instance, self.control.plane)
        held = [*self.held.get(instance, {}).values()]
        if pod != instance:
            held += self.held.get(pod, {}).values()
        return max(held, key=_BADNESS.__getitem__, default="up")

    def _shows(self, instance: Instance, noticed_s: float | None) -> None:
        """Let the run, and what is to become of the endpoints, follow what is held."""
        up_again = []
        for one in self._pod_of(instance):
            before, now = self.shown.get(one, "up"), self._condition(one)
            if before == now:
                continue
            self.shown[one] = now
            self._set(one, now)
            if _BADNESS[now] <= _BADNESS["refuses new"] < _BADNESS[before]:
                up_again.append(one)
        self._looks_at(listed_as(instance, self.control.plane), noticed_s)
        for one in up_again:
            self.started(one)

    def _pod_of(self, instance: Instance) -> list[Instance]:
        """An instance, and the sidecar that shares its fate."""
        beside = Instance(sidecar_of(instance.service), instance.number)
        return [instance] if by_name(self.control.plane, beside.service) is None else [instance, beside]

    def _set(self, instance: Instance, condition: Condition) -> None:
        service, replicas = instance.service, [instance.number]
        if condition == "up":
            self.control.bring_up(service, replicas, alone=True)
        elif condition == "refuses new":
            self.control.refuse_connections(service, replicas, alone=True)
        else:
            self.control.take_down(service, replicas, silent=condition == "silent", alone=True)

    # -- endpoints -------------------------------------------------------------------------------------------------

    def _looks_at(self, place: Instance, noticed_s: float | None) -> None:
        """Let the endpoints follow if a pod is ready or not any more, or if that is noticed sooner by a further fault.

        Parameters
        ----------
        noticed_s
            Until it is noticed that something bad has begun; None: nothing bad has.
        """
        ready = not self.leaving.get(place) and not any(self.is_down(one) for one in self._pod_of(place))
        if ready != self.ready.get(place, True):
            self.ready[place] = ready
            self.changes[place] = self.changes.get(place, 0) + 1
        elif ready or noticed_s is None:
            return
        lag_s = READY_S if ready else noticed_s
        assert lag_s is not None, "only something bad makes a replica less than ready"
        self.control.env.process(self._follows(place, lag_s, self.changes[place]))

    def _follows(self, place: Instance, lag_s: float, change: int) -> Steps:
        """Let the endpoints show a change when it has been noticed and told, unless it is none any more by then."""
        yield self.control.env.timeout(lag_s)
        yield self.control.env.timeout(self._told_s())
        ready = self.ready[place]
        if self.changes[place] != change or self.listed.get(place, True) == ready:
            return
        self.listed[place] = ready
        if ready:
            self.control.join_endpoints(place.service, [place.number])
        else:
            self.control.leave_endpoints(place.service, [place.number])

    def _told_s(self) -> float:
        """How long a change of the endpoints takes from now until proxies know it; they keep what they know before."""
        now_s = self.control.now_s
        begins_s = self.control_plane.up_from_s(now_s + self.control_plane.debounce_s)
        return begins_s + self.control_plane.delay_s - now_s
