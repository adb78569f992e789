"""What a request does, as a graph of random times: draws, CPU, places to wait, in turn, by chance, or side by side.

A node knows two moments of its time, given what stations do (`State`), and its transform on a grid. Nodes are taken to
be independent of each other: that two visits to one busy station tend to be slow together is left out.
"""

from __future__ import annotations

import math
from abc import ABC, abstractmethod
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from functools import lru_cache
from typing import Final, NamedTuple, Protocol

import numpy as np

from meshsim.analytic.grid import SMOOTH, STEPS, Complexes, Grid, nearly_all, spread_below
from meshsim.analytic.queues import NOTHING, Extra, Job, Queue, Shared
from meshsim.model.distributions import Distribution
from meshsim.results.theory import second_moment

_RARE: Final = 1e-6  # chances that make no difference to quantiles
_DEVIATIONS: Final = 10.0  # standard deviations that nearly all of a draw lies within
_VARIED: Final = 0.2  # squared coefficient of variation from which on work is looked at by its size
_FEW: Final = 2  # queues, or it would take long
_CLASSES: Final = (0.0, 0.25, 0.5, 0.75, 0.92, 1.0)
_UNSEEN: Final = 0.25  # of a step of the grid: of shorter delays only the mean counts
_SMALL: Final = 1e-3
_FORK_STEPS: Final = 512  # enough for two moments


class Moments(NamedTuple):
    """Of a time in seconds: its least value, mean and variance, and where nearly all of it ends."""

    least_s: float
    mean_s: float
    variance_s2: float
    far_s: float


class Asked(Protocol):
    """A station as nodes see it."""

    def queues(self, version: int) -> Sequence[tuple[float, Queue]]:
        """Queues that a visit may meet, with their chances."""


@dataclass(slots=True)
class State:
    """What stations do at some numbers of replicas.

    Attributes
    ----------
    stations
        By name.
    places
        By the names of two services, the chances that their replicas share a node, or a zone only, or neither.
    hits
        By service, cache and stream.
    slots
        Wait for a slot, by service.
    moments, extras
        Of nodes, by number.
    """

    stations: dict[str, Asked]
    places: Callable[[str, str], tuple[float, float, float]]
    hits: dict[tuple[str, str, str], float]
    slots: dict[str, Extra]
    moments: dict[int, Moments] = field(default_factory=dict)
    extras: dict[int, list[tuple[float, Extra]]] = field(default_factory=dict)
    transforms: dict[tuple[int, float, int], Complexes] = field(default_factory=dict)


@dataclass(slots=True, eq=False)
class Node(ABC):
    """A random time; `number` is its place in a list where each comes after what it is made of."""

    number: int

    @abstractmethod
    def solve(self, state: State) -> Moments:
        """Moments; those of what it is made of are known."""

    def transform(self, state: State, grid: Grid) -> Complexes:
        """Transform, remembered."""
        key = (self.number, grid.span_s, grid.steps)
        if key not in state.transforms:
            state.transforms[key] = self.transformed(state, grid)
        return state.transforms[key]

    @abstractmethod
    def transformed(self, state: State, grid: Grid) -> Complexes:
        """Transform, worked out."""


@dataclass(slots=True, eq=False)
class Draw(Node):
    """A time from a distribution."""

    of: Distribution
    known: Moments | None = None

    def solve(self, state: State) -> Moments:
        """Moments of it."""
        if self.known is None:
            mean, square = self.of.mean(), second_moment(self.of)
            variance = max(0.0, square - mean * mean)
            if math.isinf(square) and math.isfinite(mean):
                variance = spread_below(self.of, nearly_all(self.of)) - mean * mean  # there is none: of nearly all
            far = max(mean + _DEVIATIONS * math.sqrt(variance), nearly_all(self.of))
            self.known = Moments(self.of.minimum(), mean, variance, far)
        return self.known

    def transformed(self, state: State, grid: Grid) -> Complexes:
        """Transform of it."""
        return _drawn(self.of, grid.span_s, grid.steps)


@lru_cache(maxsize=512)
def _drawn(of: Distribution, span_s: float, steps: int) -> Complexes:
    return _grid(span_s, steps).drawn(of)


@lru_cache(maxsize=64)
def _grid(span_s: float, steps: int) -> Grid:
    return Grid(span_s, steps)


def grid_for(moments: Moments, steps: int) -> Grid:
    """A grid that holds nearly all of a time; its spans are powers of the root of 2, so that transforms are reused."""
    width = max(1.1 * (moments.far_s - moments.least_s), 1e-9)
    return _grid(2.0 ** (math.ceil(2.0 * math.log2(width)) / 2.0), steps)


@dataclass(slots=True, eq=False)
class Cpu(Node):
    """Work at a station; `job` is what it takes alone."""

    station: str
    version: int
    job: Node

    def solve(self, state: State) -> Moments:
        """Moments of it."""
        alone = state.moments[self.job.number]
        job = Job(alone.mean_s, alone.variance_s2)
        found = [(weight, queue.extra(job)) for weight, queue in state.stations[self.station].queues(self.version)]
        state.extras[self.number] = found
        return _with(alone, found)

    def transformed(self, state: State, grid: Grid) -> Complexes:
        """Transform of it."""
        queues = state.stations[self.station].queues(self.version)
        alone = state.moments[self.job.number]
        scatter = alone.variance_s2 / alone.mean_s**2 if alone.mean_s > 0.0 else 0.0
        slowed = scatter > _VARIED and isinstance(self.job, Draw) and len(queues) <= _FEW
        if not (slowed and any(isinstance(queue, Shared) for _, queue in queues)):
            return self.job.transform(state, grid) * _delayed(state.extras[self.number], grid)
        # who shares a core is slowed down in proportion to what there is to do: longer jobs have longer delays
        assert isinstance(self.job, Draw)
        total = grid.one() * 0.0
        for _, mean, variance, part in _classes(self.job.of, alone, grid.span_s, grid.steps):
            job = Job(max(mean, _SMALL * alone.mean_s), min(variance, mean * mean))
            total = total + part * _delayed([(weight, queue.extra(job)) for weight, queue in queues], grid)
        return total


@lru_cache(maxsize=256)
def _classes(
    of: Distribution, moments: Moments, span_s: float, steps: int
) -> list[tuple[float, float, float, Complexes]]:
    """Classes of work by its size; their moments on a grid of its own, that of others may be too coarse."""
    own = grid_for(moments, STEPS)
    fine = own.classes(_drawn(of, own.span_s, own.steps), moments.least_s, _CLASSES)
    coarse = _grid(span_s, steps).classes(_drawn(of, span_s, steps), moments.least_s, _CLASSES)
    return [(p, mean, variance, part) for (p, mean, variance, _), (*_, part) in zip(fine, coarse, strict=True)]


@dataclass(slots=True, eq=False)
class Slot(Node):
    """The wait for one of the slots of a service."""

    service: str

    def solve(self, state: State) -> Moments:
        """Moments of it."""
        found = [(1.0, state.slots.get(self.service, NOTHING))]
        state.extras[self.number] = found
        return _with(Moments(0.0, 0.0, 0.0, 0.0), found)

    def transformed(self, state: State, grid: Grid) -> Complexes:
        """Transform of it."""
        return _delayed(state.extras[self.number], grid)


def _with(alone: Moments, extras: list[tuple[float, Extra]]) -> Moments:
    """Moments of a time and a delay."""
    mean = math.fsum(weight * extra.mean_s for weight, extra in extras)
    if math.isinf(mean):
        return Moments(alone.least_s, math.inf, math.inf, math.inf)
    square = math.fsum(weight * extra.second_s2 for weight, extra in extras)
    far = 0.0
    for weight, extra in extras:
        if weight * extra.chance > _RARE:
            shape, scale = extra.conditional()
            far = max(far, shape * scale + _DEVIATIONS * math.sqrt(shape) * scale)
    variance = max(0.0, square - mean * mean)
    reach = math.hypot(alone.far_s - alone.mean_s, max(0.0, far - mean))
    total = alone.mean_s + mean
    return Moments(alone.least_s, total, alone.variance_s2 + variance, total + reach)


def _delayed(extras: list[tuple[float, Extra]], grid: Grid) -> Complexes:
    if all(extra.longest_s < _UNSEEN * grid.step_s for _, extra in extras):
        return np.asarray(1.0 - 1j * grid.omega * math.fsum(weight * extra.mean_s for weight, extra in extras))
    nothing = 1.0
    total = grid.one()
    for weight, extra in extras:
        share = weight * extra.chance
        if share > 0.0 and extra.mean_s > 0.0:
            nothing -= share
            total = total + share * grid.gamma(*extra.conditional())
    return total + (nothing - 1.0)


@dataclass(slots=True, eq=False)
class InTurn(Node):
    """One after the other."""

    parts: tuple[Node, ...]

    def solve(self, state: State) -> Moments:
        """Moments of it."""
        found = [state.moments[part.number] for part in self.parts]
        mean = math.fsum(one.mean_s for one in found)
        if math.isinf(mean):
            return Moments(0.0, math.inf, math.inf, math.inf)
        reach = math.sqrt(math.fsum((one.far_s - one.mean_s) ** 2 for one in found))
        variance = math.fsum(one.variance_s2 for one in found)
        return Moments(math.fsum(one.least_s for one in found), mean, variance, mean + reach)

    def transformed(self, state: State, grid: Grid) -> Complexes:
        """Transform of it."""
        total = grid.one()
        for part in self.parts:
            total = total * part.transform(state, grid)
        return total


@dataclass(slots=True, eq=False)
class ByChance(Node):
    """One of several, or nothing with the chance that is left."""

    parts: tuple[Node, ...]
    chances: Callable[[State], Sequence[float]]

    def options(self, state: State) -> list[tuple[float, Node]]:
        """Those that may happen."""
        return [(p, part) for p, part in zip(self.chances(state), self.parts, strict=True) if p > 0.0]

    def solve(self, state: State) -> Moments:
        """Moments of it."""
        found = [(p, state.moments[part.number]) for p, part in self.options(state)]
        mean = math.fsum(p * one.mean_s for p, one in found)
        if math.isinf(mean):
            return Moments(0.0, math.inf, math.inf, math.inf)
        square = math.fsum(p * (one.variance_s2 + one.mean_s**2) for p, one in found)
        rest = 1.0 - math.fsum(p for p, _ in found)
        least = min((one.least_s for _, one in found), default=0.0) if rest <= 1e-9 else 0.0
        far = max((one.far_s for p, one in found if p > _RARE), default=0.0)
        return Moments(least, mean, max(0.0, square - mean * mean), max(far, mean))

    def transformed(self, state: State, grid: Grid) -> Complexes:
        """Transform of it."""
        options = self.options(state)
        total = grid.one() * (1.0 - math.fsum(p for p, _ in options))
        for p, part in options:
            total = total + p * part.transform(state, grid)
        return total


@dataclass(slots=True, eq=False)
class SideBySide(Node):
    """Branches at the same time, until `quorum` of them are done."""

    parts: tuple[Node, ...]
    quorum: int

    def solve(self, state: State) -> Moments:
        """Moments of it."""
        found = [state.moments[part.number] for part in self.parts]
        if math.isinf(sum(one.mean_s for one in found)):
            return Moments(0.0, math.inf, math.inf, math.inf)
        least = sorted(one.least_s for one in found)
        latest = max(one.far_s for one in found)
        if len(found) == 1 or latest <= least[0]:
            return found[0] if len(found) == 1 else Moments(least[0], least[0], 0.0, least[0])
        grid = grid_for(Moments(least[0], 0.0, 0.0, latest), _FORK_STEPS)
        masses = grid.masses(self.transformed(state, grid), grid.origin(least[0]))
        times = grid.origin(least[0]) + grid.step_s * np.arange(grid.steps)
        mean = float(masses @ times)
        variance = max(0.0, float(masses @ (times - mean) ** 2) - 2.0 * (SMOOTH * grid.step_s) ** 2)
        return Moments(least[self.quorum - 1], mean, variance, latest)

    def transformed(self, state: State, grid: Grid) -> Complexes:
        """Transform of it."""
        least = min(state.moments[part.number].least_s for part in self.parts)
        return grid.latest([part.transform(state, grid) for part in self.parts], least, self.quorum)


@dataclass(slots=True, eq=False)
class Times(Node):
    """One after the other, as often as a count says; counts that are neither constant nor geometric as their mean."""

    part: Node
    count: Distribution

    def solve(self, state: State) -> Moments:
        """Moments of it."""
        one = state.moments[self.part.number]
        mean = self.count.mean()
        if math.isinf(one.mean_s):
            return one
        spread = max(0.0, second_moment(self.count) - mean * mean)
        variance = mean * one.variance_s2 + spread * one.mean_s**2
        reach = math.sqrt(mean) * (one.far_s - one.mean_s) + _DEVIATIONS * math.sqrt(spread) * one.mean_s
        total = mean * one.mean_s
        return Moments(math.floor(self.count.minimum()) * one.least_s, total, variance, total + reach)

    def transformed(self, state: State, grid: Grid) -> Complexes:
        """Transform of it."""
        one, mean = self.part.transform(state, grid), self.count.mean()
        if self.count.kind == "geometric":
            return one / (mean - (mean - 1.0) * one)
        if self.count.kind == "empirical":
            values = self.count.values
            return sum((one**value for value in values), grid.one() * 0.0) / len(values)
        whole = math.floor(mean)
        part = mean - whole
        total = one**whole
        return total if part < 1e-9 else total * ((1.0 - part) + part * one)
