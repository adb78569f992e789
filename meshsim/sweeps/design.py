"""Which points a sweep visits: the grid of its lists, crossed with a Latin hypercube over its ranges."""

from __future__ import annotations

import itertools
import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from meshsim.errors import UsageError
from meshsim.sweeps.axes import Axis, Range, axis_of
from meshsim.sweeps.expressions import evaluate

MOST_POINTS = 100_000  # (assumed) more would run for weeks


@dataclass(frozen=True, slots=True)
class Design:
    """What is varied, and how.

    Attributes
    ----------
    axes
        Lists and ranges, the slowest first.
    derived
        Expression by path, see `meshsim.sweeps.expressions`.
    sample
        Points of the Latin hypercube; None without ranges.
    """

    axes: tuple[Axis | Range, ...]
    derived: tuple[tuple[str, str], ...] = ()
    sample: int | None = None

    def __post_init__(self) -> None:
        paths = [axis.path for axis in self.axes] + [path for path, _ in self.derived]
        for path in paths:
            if paths.count(path) > 1:
                raise UsageError(f"axis {path} is given twice")
        if not self.axes:
            raise UsageError("a sweep needs an axis, e.g. --axis run.load=0.2:1.4:0.1")
        ranges = [axis.path for axis in self.axes if isinstance(axis, Range)]
        if ranges and self.sample is None:
            raise UsageError(f"axis {ranges[0]} is a range: add --sample N, how many points to draw, or give a list")
        if self.sample is not None and not ranges:
            raise UsageError("--sample draws from ranges: write at least one axis as from..to, e.g. run.load=0.2..1.4")
        if self.sample is not None and self.sample < 1:
            raise UsageError(f"--sample has to be 1 or more, not {self.sample}")
        if self.size > MOST_POINTS:
            raise UsageError(f"{self.size:,} points are more than {MOST_POINTS:,}; make an axis shorter")

    @property
    def size(self) -> int:
        """How many points there are, if none is drawn twice."""
        return math.prod(len(axis.values) for axis in self.axes if isinstance(axis, Axis)) * (self.sample or 1)

    @property
    def paths(self) -> tuple[str, ...]:
        """All paths that a point has a value of, axes first."""
        return tuple(axis.path for axis in self.axes) + tuple(path for path, _ in self.derived)

    def points(self, seed: int) -> list[dict[str, str]]:
        """All points: value by path, the last axis changes fastest.

        What is drawn twice, because ranges have few whole numbers, is there once.

        Parameters
        ----------
        seed
            Of the Latin hypercube (M. D. McKay, R. J. Beckman and W. J. Conover, Technometrics 21, 1979).

        Examples
        --------
        >>> Design((Axis("a", ("1", "2")), Axis("b", ("x",)))).points(1)
        [{'a': '1', 'b': 'x'}, {'a': '2', 'b': 'x'}]
        """
        grid = itertools.product(*(axis.values for axis in self.axes if isinstance(axis, Axis)))
        drawn = self._drawn(seed)
        return [self._point(listed, ranged) for listed in grid for ranged in drawn]

    def _drawn(self, seed: int) -> list[tuple[str, ...]]:
        ranges = [axis for axis in self.axes if isinstance(axis, Range)]
        if not ranges:
            return [()]
        from scipy.stats import qmc

        shares = qmc.LatinHypercube(d=len(ranges), rng=seed).random(self.sample or 1)
        return list(
            dict.fromkeys(tuple(axis.at(float(u)) for axis, u in zip(ranges, row, strict=True)) for row in shares)
        )

    def _point(self, listed: Sequence[str], ranged: Sequence[str]) -> dict[str, str]:
        lists, ranges = iter(listed), iter(ranged)
        point = {axis.path: next(lists if isinstance(axis, Axis) else ranges) for axis in self.axes}
        for path, expression in self.derived:
            point[path] = evaluate(expression, point)
        return point


def design_of(
    axes: Mapping[str, str | Sequence[object]], let: Mapping[str, str] | None = None, sample: int | None = None
) -> Design:
    """Make a design of axes as Python or a file gives them.

    Parameters
    ----------
    axes
        Values by path: a text as of ``--axis``, or a list.
    let
        Expression by path.
    sample
        Points drawn from the ranges.
    """
    return Design(
        axes=tuple(axis_of(path, values if isinstance(values, str) else list(values)) for path, values in axes.items()),
        derived=tuple((let or {}).items()),
        sample=sample,
    )
