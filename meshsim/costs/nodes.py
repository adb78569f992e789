"""Nodes for what is deployed: how many a coalition of tenants needs, and what of them is idle."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field, replace

import numpy as np

from meshsim.architectures.rewrites import sidecar_of
from meshsim.costs.deployed import Istiod, Station
from meshsim.costs.lines import GIB
from meshsim.costs.needs import Linear, counts
from meshsim.costs.packing import NodeType, Pod, first_fit_decreasing

_ISTIOD = "istiod"

Coalition = tuple[bool, ...]


@dataclass(slots=True)
class Packed:
    """Packs what coalitions need onto nodes; what was packed once is known.

    Attributes
    ----------
    stations
        All of them; daemons are on every node, sidecars in the pods of their services.
    istiod
        Needed whoever is there.
    node
        Type of the nodes.
    core_weight
        Part of a node's price that is for its cores.
    """

    stations: Sequence[Station]
    istiod: Istiod | None
    node: NodeType
    core_weight: float
    _found: dict[tuple[int, ...], int] = field(default_factory=dict)

    def nodes(self, members: Coalition) -> int:
        """How many nodes a coalition needs."""
        pods = [station for station in self.stations if station.has_pod]
        wanted = tuple(_wanted(station, members) for station in pods)
        if wanted not in self._found:
            kinds = [(self._pod(station), count) for station, count in zip(pods, wanted, strict=True)]
            if self.istiod is not None:
                each = 1.0 / self.istiod.replicas
                pod = Pod(_ISTIOD, self.istiod.cores * each, self.istiod.memory_bytes * each)
                kinds.append((pod, self.istiod.replicas))
            self._found[wanted] = len(first_fit_decreasing(kinds, self._free()))
        return self._found[wanted]

    def idle(self, members: Coalition) -> float:
        """What of its nodes no pod requests, in nodes: of cores and of memory, each with its part of the price."""
        nodes, mask = self.nodes(members), np.array([members])
        cores, gib = (0.0, 0.0) if self.istiod is None else (self.istiod.cores, self.istiod.memory_bytes / GIB)
        for station in self.stations:
            if station.is_daemon:
                cores, gib = cores + nodes * station.cores / station.replicas, gib + nodes * _gib_each(station)
                continue
            cores += float(station.whole(station.cores).of(mask)[0])
            gib += float(station.whole(station.base_gib).of(mask)[0] + Linear(station.held_gib).of(mask)[0])
        asked = self.core_weight * cores / self.node.cores
        return nodes - asked - (1.0 - self.core_weight) * gib * GIB / self.node.memory_bytes

    def _pod(self, station: Station) -> Pod:
        """A replica, with the sidecar that stands in the same pod."""
        beside = sidecar_of(station.name)
        parts = [station, *(other for other in self.stations if other.name == beside)]
        cores = sum(part.cores / part.replicas for part in parts)
        return Pod(station.name, cores, sum(_gib_each(part) for part in parts) * GIB)

    def _free(self) -> NodeType:
        """The type without what daemons take of each node."""
        daemons = [station for station in self.stations if station.is_daemon]
        cores = sum(station.cores / station.replicas for station in daemons)
        gib = sum(_gib_each(station) for station in daemons)
        return replace(self.node, reserved_cores=cores, reserved_bytes=gib * GIB)


def _gib_each(station: Station) -> float:
    return station.gib / station.replicas


def _wanted(station: Station, members: Coalition) -> int:
    if not station.shares.any():
        return station.count
    return int(counts(np.array([members]), station.count, station.shares)[0])
