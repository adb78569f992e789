"""Pods onto nodes: first-fit decreasing, by cores and memory.

Pods are taken in the order of the larger of the two shares of a node that they ask for, and each goes to the first node
that has room for both. With one resource that is at most 11/9 OPT + 6/9 nodes, and the bound is tight (G. Dósa, "The
tight bound of first fit decreasing bin-packing algorithm is FFD(I) ≤ 11/9 OPT(I) + 6/9", ESCAPE 2007). A cluster
autoscaler does much the same; the scheduler, which meets pods one by one and spreads them, needs more.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from meshsim.errors import UsageError

_SLACK = 1e-9  # of a node: sums of requests such as 0.1 miss by rounding


@dataclass(frozen=True, slots=True)
class Pod:
    """What replicas of one kind ask for, each."""

    name: str
    cores: float
    memory_bytes: float


@dataclass(frozen=True, slots=True)
class NodeType:
    """What a node has, and what it costs; `reserved` is what each node's own daemons take of it (a ztunnel)."""

    name: str
    cores: float
    memory_bytes: float
    per_hour: float = 0.0
    reserved_cores: float = 0.0
    reserved_bytes: float = 0.0

    @property
    def free_cores(self) -> float:
        """Cores for pods."""
        return self.cores - self.reserved_cores

    @property
    def free_bytes(self) -> float:
        """Memory for pods."""
        return self.memory_bytes - self.reserved_bytes

    def share(self, pod: Pod) -> float:
        """The larger of the two shares of a node that a pod asks for."""
        by_cores = pod.cores / self.free_cores if self.free_cores > 0 else float("inf") * (pod.cores > 0)
        by_memory = pod.memory_bytes / self.free_bytes if self.free_bytes > 0 else float("inf") * (pod.memory_bytes > 0)
        return max(by_cores, by_memory)


def first_fit_decreasing(pods: Sequence[tuple[Pod, int]], node: NodeType) -> list[dict[str, int]]:
    """Place pods, so many of each kind.

    Returns
    -------
    list of dict
        A node each: how many pods of which kind are on it. The order of `pods` does not matter.

    Raises
    ------
    UsageError
        A pod is larger than a node.

    Examples
    --------
    >>> node = NodeType("small", cores=4, memory_bytes=16 * 2**30)
    >>> first_fit_decreasing([(Pod("a", 3, 2**30), 2), (Pod("b", 1, 2**30), 3)], node)
    [{'a': 1, 'b': 1}, {'a': 1, 'b': 1}, {'b': 1}]
    """
    nodes: list[dict[str, int]] = []
    room: list[list[float]] = []
    for pod, count in sorted(pods, key=lambda one: (-node.share(one[0]), one[0].name)):
        if count and node.share(pod) > 1.0 + _SLACK:
            raise UsageError(
                f"a pod of {pod.name} ({_room(pod.cores, pod.memory_bytes)}) does not fit on a node {node.name} "
                f"({_room(node.free_cores, node.free_bytes)} free): take a larger type"
            )
        _place(pod, count, node, nodes, room)
    return nodes


def _room(cores: float, memory_bytes: float) -> str:
    text = f"{cores:.3g}"
    return f"{text} core{'s' * (text != '1')}, {memory_bytes / 2**30:.3g} GiB"


def _place(pod: Pod, count: int, node: NodeType, nodes: list[dict[str, int]], room: list[list[float]]) -> None:
    """Place pods of one kind; they are alike, so nodes that were too full for one are for the next."""
    at = 0
    while count:
        if at == len(nodes):
            nodes.append({})
            room.append([node.free_cores, node.free_bytes])
        fits = min(count, _fitting(pod, room[at], node))
        if fits:
            nodes[at][pod.name] = nodes[at].get(pod.name, 0) + fits
            room[at][0] -= fits * pod.cores
            room[at][1] -= fits * pod.memory_bytes
            count -= fits
        at += 1


def _fitting(pod: Pod, room: list[float], node: NodeType) -> int:
    """How many more pods of one kind a node has room for."""
    most = 2**31
    for asked, free, of in ((pod.cores, room[0], node.cores), (pod.memory_bytes, room[1], node.memory_bytes)):
        if asked > 0:
            most = min(most, int((free + _SLACK * of) / asked))
    return most
