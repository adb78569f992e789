"""Nodes that come and go with the pods of applications, as a cluster autoscaler lets them."""

from __future__ import annotations

from collections.abc import Callable

import simpy

from meshsim.control.reach import Steps

Place = simpy.Event


class Cluster:
    """How many pods there are room for; where exactly they stand is decided already (`meshsim.architectures`).

    Attributes
    ----------
    nodes
        How many there are.
    """

    def __init__(self, env: simpy.Environment, pods: int, nodes: int, pods_per_node: int, least_nodes: int) -> None:
        self.env = env
        self.pods = pods
        self.nodes = nodes
        self.pods_per_node = pods_per_node
        self.least_nodes = least_nodes
        self.changed: Callable[[], None] = lambda: None  # called when the number of nodes has changed
        self._coming = 0
        self._waiting: list[Place] = []
        self._spare: list[object] = []  # a mark for each node that is not needed, since longest first

    def place(self, provision_s: float | None) -> Place:
        """Give what happens when there is room for one more pod, for which a node may have to come first.

        Parameters
        ----------
        provision_s
            Until a node is there; None: it is at once.
        """
        place = self.env.event()
        self._waiting.append(place)
        lacking = self._needed(self.pods + len(self._waiting)) - self.nodes - self._coming
        if provision_s is None:
            self.nodes += max(lacking, 0)
        else:
            for _ in range(lacking):
                self._coming += 1
                self.env.process(self._comes(provision_s))
        self._serves()
        return place

    def withdraws(self, place: Place) -> None:
        """Let a pod wait no longer that had no place; a node that comes for it comes all the same."""
        self._waiting.remove(place)

    def leaves(self, unneeded_s: float) -> None:
        """Let one pod go; a node that is not needed for long enough then goes too."""
        self.pods -= 1
        self._serves()
        while self.nodes - self._needed(self.pods) > len(self._spare):
            mark = object()
            self._spare.append(mark)
            self.env.process(self._goes(mark, unneeded_s))

    def _needed(self, pods: int) -> int:
        return max(self.least_nodes, -(-pods // self.pods_per_node))

    def _serves(self) -> None:
        while self._waiting and self.pods < self.nodes * self.pods_per_node:
            self.pods += 1
            self._waiting.pop(0).succeed()
        del self._spare[max(self.nodes - self._needed(self.pods), 0) :]

    def _comes(self, provision_s: float) -> Steps:
        yield self.env.timeout(provision_s)
        self._coming -= 1
        self.nodes += 1
        self._serves()
        self.changed()

    def _goes(self, mark: object, unneeded_s: float) -> Steps:
        yield self.env.timeout(unneeded_s)
        if mark in self._spare:
            self._spare.remove(mark)
            self.nodes -= 1
            self.changed()
