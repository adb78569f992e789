"""The pods of one service as an autoscaler lets them come and go.

A pod takes the lowest number of a replica that is free. What is over goes as Kubernetes' ReplicaSet chooses: first
pods that wait for a node, then those that start, then the youngest.
"""

from __future__ import annotations

from collections.abc import Callable

import simpy

from meshsim.control.cluster import Cluster, Place
from meshsim.control.control import Control
from meshsim.control.reach import Steps, instant_ns
from meshsim.engines.record import KILLS
from meshsim.model.autoscale import Autoscale

NOTICED_S = 1.0  # until it is noticed that a pod has finished what it had: a kubelet's relist period


class Pod:
    """One pod.

    Attributes
    ----------
    number
        Which one of its service, in the order in which they were wanted.
    slot
        Number of its replica; None: it waits for a place.
    started_ns, ready_ns
        When it was scheduled, and ready; None: not yet. Pods that were there at first were so long before.
    cpu_s
        CPU-seconds of its replica before it came.
    """

    def __init__(self, number: int) -> None:
        self.number = number
        self.slot: int | None = None
        self.started_ns: int | None = None
        self.ready_ns: int | None = None
        self.cpu_s = 0.0
        self.place: Place | None = None
        self.is_stopping = False

    @property
    def is_ready(self) -> bool:
        """It has been ready, and is not being stopped."""
        return self.ready_ns is not None and not self.is_stopping

    @property
    def worth(self) -> tuple[bool, bool, int, int]:
        """Those with the least go first."""
        return self.slot is not None, self.ready_ns is not None, -(self.ready_ns or 0), -self.number


class Fleet:
    """All pods of a service.

    Attributes
    ----------
    pods
        Those that are wanted, in the order in which they were.
    changed
        Called when a number has changed that results tell.
    """

    def __init__(self, control: Control, service: str, rule: Autoscale, cluster: Cluster, *, on_nodes: bool) -> None:
        self.control = control
        self.service = service
        self.rule = rule
        self.cluster = cluster
        self.on_nodes = on_nodes  # its pods take room on nodes
        self.changed: Callable[[], None] = lambda: None
        self.most = len(control.plane.service(service).replicas)
        begins = control.replicas(service)
        self.occupied: dict[int, Pod] = {}
        self.pods = [self._was_there(number) for number in range(begins)]
        self.made = begins
        self._lines: list[simpy.Event] = []  # of pods for which no replica is free
        absent = range(begins, self.most)
        if absent:
            control.set_pod(service, "absent", absent)

    @property
    def wanted(self) -> int:
        """How many there shall be."""
        return len(self.pods)

    @property
    def ready(self) -> int:
        """How many get requests."""
        return sum(pod.is_ready for pod in self.pods)

    def scale(self, wanted: int) -> None:
        """From now on want so many."""
        for _ in range(wanted - len(self.pods)):
            self.pods.append(Pod(self.made))
            self.made += 1
            self.control.env.process(self._comes(self.pods[-1]))
        for pod in sorted(self.pods, key=lambda pod: pod.worth)[: max(len(self.pods) - wanted, 0)]:
            self.pods.remove(pod)
            pod.is_stopping = True
            self._stops(pod)

    def _was_there(self, number: int) -> Pod:
        pod = Pod(number)
        pod.slot, pod.started_ns, pod.ready_ns = number, -(2**62), -(2**62)
        self.occupied[number] = pod
        return pod

    # -- coming ----------------------------------------------------------------------------------------------------

    def _comes(self, pod: Pod) -> Steps:
        if self.on_nodes:
            pod.place = self.cluster.place(self.rule.node_provision_s)
            yield pod.place
            if pod.is_stopping:
                return
        while len(self.occupied) == self.most:  # those that drain are still there
            self._lines.append(self.control.env.event())
            yield self._lines[-1]
            if pod.is_stopping:
                self._next_in_line()
                return
        self._takes(pod, next(number for number in range(self.most) if number not in self.occupied))
        self.changed()
        start_s = self.control.draw(self.rule.pod_start, f"autoscale/{self.service}/start", pod.number)
        yield self.control.env.timeout(start_s)
        if not pod.is_stopping:
            pod.ready_ns = instant_ns(self.control.now_s)
            assert pod.slot is not None, "it has been scheduled"
            self.control.set_pod(self.service, "ready", [pod.slot])
            self.changed()

    def _takes(self, pod: Pod, slot: int) -> None:
        control = self.control
        pod.slot = slot
        pod.started_ns = instant_ns(control.now_s)
        pod.cpu_s = control.cpu_s(self.service, slot)
        self.occupied[slot] = pod
        control.set_pod(self.service, "unready", [slot])
        self._fits()

    def _fits(self) -> None:
        """Let the service have replicas up to the last that is occupied."""
        replicas = max(self.occupied) + 1
        if replicas != self.control.replicas(self.service):
            self.control.scale(self.service, replicas)

    # -- going -----------------------------------------------------------------------------------------------------

    def _stops(self, pod: Pod) -> None:
        if pod.slot is None:
            if self.on_nodes and pod.place is not None:
                if pod.place.triggered:
                    self.cluster.leaves(self.rule.node_unneeded_s)
                else:
                    self.cluster.withdraws(pod.place)
        elif pod.ready_ns is None:
            self._goes(pod.slot)
        else:
            self.control.set_pod(self.service, "unready", [pod.slot])
            self.control.env.process(self._drains(pod.slot))

    def _drains(self, slot: int) -> Steps:
        """Let a pod finish what it has, for as long as it may; then it is killed."""
        control = self.control
        left_s = self.rule.drain_s
        while left_s > 0.0:
            yield control.env.timeout(min(NOTICED_S, left_s))
            left_s -= NOTICED_S
            if not control.present(self.service, slot):
                break
        else:
            lost = control.present(self.service, slot)
            if lost:
                control.note(self.service, KILLS, f"a pod that drained for too long, with {lost} requests")
            control.take_down(self.service, [slot])
            yield control.env.timeout(NOTICED_S)
            control.bring_up(self.service, [slot])  # whoever comes to its place serves
        self._goes(slot)
        self.changed()

    def _goes(self, slot: int) -> None:
        del self.occupied[slot]
        self.control.set_pod(self.service, "absent", [slot])
        self._fits()
        if self.on_nodes:
            self.cluster.leaves(self.rule.node_unneeded_s)
        self._next_in_line()

    def _next_in_line(self) -> None:
        """Let a pod have the place that is free."""
        if self._lines:
            self._lines.pop(0).succeed()
