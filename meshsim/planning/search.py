"""The search for the cheapest replicas: guesses say where to look, and only what was simulated is accepted.

A deployment that holds is walked down: one replica is taken from where it is guessed to do the least harm for its
money, several at once while that goes well. What misses its objectives is given back, and nothing more is taken there:
with less everywhere else it would not be missed less. When nothing can be taken, replicas are exchanged: one more of
one thing for several, or a dearer one, of another. In the end each is tried with one less once more, whatever was
thought of it on the way: where any of these holds, it goes on from there.

For queues that wait independently of each other the harm is convex in each number of replicas, and steps by harm for
money are optimal (B. Fox, "Discrete optimization via marginal analysis", Management Science 13, 1966). Where that is
not so, the exchanges find what steps miss; nothing promises the cheapest of all.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Final, Protocol

_LEAST_PRICE: Final = 1e-9  # an hour: what is free is cheaper than anything else
_FIRST_JUMP: Final = 4  # replicas that are taken or given at once in the beginning (assumed)
_NEIGHBOURS: Final = 40  # that are looked at where more of everything does not help (assumed)
_EXCHANGES: Final = 6  # that are tried at most between two that succeed, the most promising first (assumed)


class Priced(Protocol):
    """What has replicas."""

    @property
    def name(self) -> str:
        """Of the service or proxy."""

    @property
    def per_hour(self) -> float:
        """Money for one replica."""


class Oracle(Protocol):
    """Whoever knows deployments."""

    def holds(self, counts: Mapping[str, int]) -> bool:
        """Whether everything is kept with so many replicas: simulated."""

    def slack(self, counts: Mapping[str, int]) -> float:
        """How far a deployment is from missing anything, as a share of the limit; below 0 it misses."""

    def harm(self, counts: Mapping[str, int], name: str, change: int) -> float:
        """How much longer a request is guessed to wait with so many replicas more (or less) of one thing."""

    def needed(self, counts: Mapping[str, int]) -> Mapping[str, int]:
        """Replicas that something surely needs, as told by what was simulated last; maybe of nothing."""


@dataclass(slots=True)
class Search:
    """One search.

    Attributes
    ----------
    parts
        What has replicas.
    most
        Of each.
    floors
        Fewest of each that are looked at.
    money
        An hour, of a deployment: for all that is bought so that as much is left.
    """

    parts: Sequence[Priced]
    oracle: Oracle
    most: int
    floors: Mapping[str, int]
    money: Callable[[Mapping[str, int]], float]
    _stuck: set[str] = field(default_factory=set)  # of what nothing can be taken

    def run(self, start: Mapping[str, int]) -> dict[str, int] | None:
        """The cheapest deployment that was found to hold; None if even the most replicas do not."""
        counts = {part.name: min(self.most, max(self.floors[part.name], start[part.name])) for part in self.parts}
        held = self._climb(counts)
        if held is None:
            return None
        held = self._descend(held)
        while (better := self._exchange(held) or self._one_less(held)) is not None:
            held = self._descend(better)
        return held

    # -- up --------------------------------------------------------------------------------------------------------

    def _climb(self, counts: dict[str, int]) -> dict[str, int] | None:
        jump, seen = 1, list[dict[str, int]]()
        while not self.oracle.holds(counts):
            seen.append(dict(counts))
            before = dict(counts)
            for name, needed in self.oracle.needed(counts).items():
                counts[name] = min(self.most, max(counts[name], needed))
            if counts == before:
                for _ in range(jump):
                    self._give(counts)
                jump *= 2
            if counts == before:
                return self._around(max(seen, key=self.oracle.slack))
        return counts

    def _around(self, counts: dict[str, int]) -> dict[str, int] | None:
        """Where more does not help (caches get colder): from what came nearest, one more or less at a time."""
        looked = 0
        while looked < _NEIGHBOURS:
            nearest, slack = None, self.oracle.slack(counts)
            for one in self._neighbours(counts):
                looked += 1
                if self.oracle.holds(one):
                    return one
                if self.oracle.slack(one) > slack:
                    nearest, slack = one, self.oracle.slack(one)
            if nearest is None:
                return None
            counts = nearest
        return None

    def _neighbours(self, counts: Mapping[str, int]) -> Iterator[dict[str, int]]:
        for part in self.parts:
            for change in (-1, 1):
                if self.floors[part.name] <= counts[part.name] + change <= self.most:
                    yield {**counts, part.name: counts[part.name] + change}

    def _give(self, counts: dict[str, int]) -> None:
        """One more of what is guessed to help most for its money."""
        open_ones = [part for part in self.parts if counts[part.name] < self.most]
        if open_ones:
            best = max(open_ones, key=lambda part: -self._harm_for_money(counts, part, 1))
            counts[best.name] += 1

    # -- down ------------------------------------------------------------------------------------------------------

    def _descend(self, held: dict[str, int]) -> dict[str, int]:
        self._stuck.clear()
        jump = _FIRST_JUMP
        while True:
            counts, taken = dict(held), []
            for _ in range(jump):
                name = self._least_harm(counts)
                if name is None:
                    break
                counts[name] -= 1
                taken.append(name)
            if not taken:
                return held
            if self.oracle.holds(counts):
                held, jump = counts, 2 * jump
            elif len(taken) > 1:
                jump = max(1, len(taken) // 2)
            else:
                self._stuck.add(taken[0])
                jump = 1

    def _least_harm(self, counts: Mapping[str, int]) -> str | None:
        open_ones = [p for p in self.parts if p.name not in self._stuck and counts[p.name] > self.floors[p.name]]
        if not open_ones:
            return None
        return min(open_ones, key=lambda part: self._harm_for_money(counts, part, -1)).name

    def _harm_for_money(self, counts: Mapping[str, int], part: Priced, change: int) -> float:
        return self.oracle.harm(counts, part.name, change) / max(part.per_hour, _LEAST_PRICE)

    # -- to the side -----------------------------------------------------------------------------------------------

    def _exchange(self, held: dict[str, int]) -> dict[str, int] | None:
        """A cheaper deployment with more of one thing and less of another; None if none of those tried holds."""
        for counts in sorted(self._exchanges(held), key=lambda one: self._harm(held, one))[:_EXCHANGES]:
            if self.oracle.holds(counts):
                return counts
        return None

    def _one_less(self, held: Mapping[str, int]) -> dict[str, int] | None:
        """What holds with one replica less of something; None if nothing does."""
        fewer = ({**held, name: count - 1} for name, count in held.items() if count > 1)
        return next(filter(self.oracle.holds, fewer), None)

    def _exchanges(self, held: Mapping[str, int]) -> Iterator[dict[str, int]]:
        limit = self.money(held) * (1 - 1e-9)
        for more in self.parts:
            if held[more.name] >= self.most:
                continue
            for less in self.parts:
                for fewer in (1, 2):
                    if less is more or held[less.name] - fewer < self.floors[less.name]:
                        continue
                    one = {**held, more.name: held[more.name] + 1, less.name: held[less.name] - fewer}
                    if self.money(one) < limit:
                        yield one

    def _harm(self, held: Mapping[str, int], counts: Mapping[str, int]) -> float:
        changed = [(name, counts[name] - held[name]) for name in counts if counts[name] != held[name]]
        return math.fsum(self.oracle.harm(held, name, change) for name, change in changed)
