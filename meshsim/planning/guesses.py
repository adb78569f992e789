"""Guesses of what one replica more or less does, from what the last simulation was asked for: they order the search."""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping, Sequence

from meshsim.planning.deployment import Counts, Part
from meshsim.planning.probing import Judge, Load, Probe, slack, wait_share

_ENOUGH = 1e-12  # replicas: sums of fractions


class Guesses:
    """Says what is simulated next; every answer about a deployment itself is simulated."""

    def __init__(
        self, judge: Judge, parts: Sequence[Part], ceiling: float, bought: Callable[[Counts], dict[str, int]]
    ) -> None:
        self.judge = judge
        self.bought = bought
        self.parts = {part.name: part for part in parts}
        self.ceiling = ceiling
        self.loads: Mapping[str, Load] = {}

    def learn(self, probe: Probe) -> None:
        """Guess from this one from now on."""
        self.loads = probe.loads

    def holds(self, counts: Mapping[str, int]) -> bool:
        """Simulate a deployment."""
        probe = self.judge.probe(counts)
        if probe.holds or not self.loads:
            self.learn(probe)
        return probe.holds and not self._misses_whole(counts)

    def _misses_whole(self, counts: Mapping[str, int]) -> bool:
        """Surely miss with all that is bought: most of the time nothing is lost, and more caches may be colder ones."""
        whole = self.bought(counts)
        return whole != dict(counts) and self.judge.glance(whole).judgement == "missed"

    def slack(self, counts: Mapping[str, int]) -> float:
        """How far the objective nearest to its limit is from it."""
        probe = self.judge.probe(counts)
        return min((slack(one) for one in probe.kept if one.quantity != "utilization"), default=math.inf)

    def harm(self, counts: Mapping[str, int], name: str, change: int) -> float:
        """How much more CPU wait a client's request meets, in units of each service's work."""
        found = 0.0
        for station in self.parts[name].stations:
            load = self.loads.get(station)
            if load is not None and load.visits > 0.0:
                each = self.parts[name].replicas
                before, after = (wait_share(load, max(1, n) * each) for n in (counts[name], counts[name] + change))
                each_s = load.cores / load.visits if load.cores else 0.0
                difference = after - before if not math.isinf(before) else (0.0 if math.isinf(after) else -math.inf)
                found += load.visits * each_s * difference if difference else 0.0
        return found

    def needed(self, counts: Mapping[str, int]) -> dict[str, int]:
        """Replicas that a missed utilization asks for."""
        probe = self.judge.probe(counts)
        self.learn(probe)
        over = {one.whose: one.estimate.value or 0.0 for one in probe.broken if one.quantity == "utilization"}
        found = {}
        for name, part in self.parts.items():
            worst = max((over[station] for station in part.stations if station in over), default=0.0)
            if worst > self.ceiling:
                found[name] = max(counts[name] + 1, math.ceil(counts[name] * worst / self.ceiling - _ENOUGH))
        return found

    def floor(self, name: str) -> int:
        """Fewest replicas whose utilization may be within the ceiling, as far as is known."""
        part = self.parts[name]
        loads = [self.loads[station] for station in part.stations if station in self.loads]
        least = [load.cores / (self.ceiling * load.servers * load.speed * part.replicas) for load in loads]
        return max(1, math.floor(max(least, default=0.0)))

    def start(self, name: str) -> int:
        """Square-root staffing: the offered load and its square root (Halfin and Whitt, 1981), in whole replicas."""
        part = self.parts[name]
        loads = [self.loads[station] for station in part.stations if station in self.loads]
        each = [(load.cores + math.sqrt(load.cores)) / (load.servers * load.speed * part.replicas) for load in loads]
        return max(self.floor(name), math.ceil(max(each, default=1.0)))
