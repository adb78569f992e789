"""Distributions as Fourier transforms on a grid of equal steps: sums are products, the last of several one of CDFs.

A grid of n steps over `span_s` holds times of 0 to the span; what is later comes round again, so the span must be wide
enough. Transforms are E exp(-iωX) at its n/2 + 1 frequencies. Steps are smoothed by a normal distribution as wide as
one of them, or constants would ring (Gibbs' phenomenon).
"""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from itertools import pairwise
from typing import Final

import numpy as np
import numpy.typing as npt

from meshsim.model.distributions import Distribution

Floats = npt.NDArray[np.float64]
Complexes = npt.NDArray[np.complex128]

STEPS: Final = 2048
_HARDLY: Final = 2e-5
SMOOTH: Final = 1.0  # standard deviation of the smoothing, in steps
_BEFORE: Final = 8  # steps before the earliest time, for the smoothing


@dataclass(frozen=True, slots=True, eq=False)
class Grid:
    """Equal steps over a span of time."""

    span_s: float
    steps: int = STEPS
    omega: Floats = field(init=False)
    smooth: Floats = field(init=False)

    def __post_init__(self) -> None:
        number = np.arange(self.steps // 2 + 1)
        object.__setattr__(self, "omega", 2.0 * np.pi / self.span_s * number)
        object.__setattr__(self, "smooth", np.exp(-0.5 * (2.0 * np.pi * SMOOTH / self.steps * number) ** 2))

    @property
    def step_s(self) -> float:
        """Width of a step."""
        return self.span_s / self.steps

    def origin(self, earliest_s: float) -> float:
        """Where to begin for times from `earliest_s` on."""
        return earliest_s - _BEFORE * self.step_s

    def one(self) -> Complexes:
        """What takes no time."""
        return np.ones(len(self.omega), dtype=np.complex128)

    def shifted(self, by_s: float) -> Complexes:
        """A constant."""
        return np.asarray(np.exp(-1j * self.omega * by_s))

    def gamma(self, shape: float, scale_s: float) -> Complexes:
        """A gamma distribution."""
        log_size = 0.5 * np.log1p((self.omega * scale_s) ** 2)
        angle = np.arctan(self.omega * scale_s)
        return np.asarray(np.exp(-shape * (log_size + 1j * angle)))

    def masses(self, transform: Complexes, origin_s: float) -> Floats:
        """Probabilities of the steps from `origin_s` on."""
        return np.asarray(np.fft.irfft(transform * self.smooth * np.exp(1j * self.omega * origin_s), self.steps))

    def of_masses(self, masses: Floats, origin_s: float) -> Complexes:
        """Transform of probabilities of steps; the inverse of `masses`, but for the smoothing."""
        return np.asarray(np.fft.rfft(masses) * np.exp(-1j * self.omega * origin_s))

    def drawn(self, of: Distribution) -> Complexes:
        """Any distribution: by its transform where that is simple, else by its probabilities of the steps."""
        known = _TRANSFORMS.get(of.kind)
        if known is not None:
            return known(self, *of.params)
        if of.kind == "mixture":
            parts = zip(of.weights, of.of, strict=True)
            return np.asarray(sum((weight * self.drawn(part) for weight, part in parts), self.one() * 0.0))
        edges = self.step_s * (np.arange(self.steps + 1) - 0.5)
        chances = np.diff(below(of, np.maximum(edges, 0.0)))
        chances[0] += float(below(of, np.zeros(1))[0])
        chances[-3 * _BEFORE] += 1.0 - chances.sum()  # as late as there is room for the smoothing
        return self.of_masses(chances, 0.0)

    def classes(
        self, of: Complexes, least_s: float, edges: Sequence[float]
    ) -> list[tuple[float, float, float, Complexes]]:
        """A time by its size, small to large: chance, mean, variance and transform (times the chance) of each class."""
        origin = self.origin(least_s)
        masses = np.maximum(self.masses(of, origin), 0.0)
        masses /= masses.sum()
        times, done = origin + self.step_s * np.arange(self.steps), np.concatenate([[0.0], np.cumsum(masses)])
        found = []
        for low, high in pairwise(edges):
            mine = np.maximum(0.0, np.minimum(done[1:], high) - np.maximum(done[:-1], low))
            mean = float(mine @ times) / (high - low)
            variance = float(mine @ (times - mean) ** 2) / (high - low)
            found.append((high - low, mean, variance, self.of_masses(mine, origin)))
        return found

    def latest(self, transforms: Sequence[Complexes], earliest_s: float, quorum: int) -> Complexes:
        """When `quorum` of independent times have passed; all of them: a product of distribution functions."""
        origin = self.origin(earliest_s)
        passed = [np.clip(np.cumsum(self.masses(one, origin)), 0.0, 1.0) for one in transforms]
        if quorum == len(passed):
            done = np.prod(passed, axis=0)
        else:
            counts = np.zeros((len(passed) + 1, self.steps))
            counts[0] = 1.0
            for one in passed:
                counts[1:] = counts[1:] * (1.0 - one) + counts[:-1] * one
                counts[0] *= 1.0 - one
            done = counts[quorum:].sum(axis=0)
        return self.of_masses(np.diff(done, prepend=0.0), origin)


_TRANSFORMS: Final[dict[str, Callable[..., Complexes]]] = {
    "constant": lambda grid, value: grid.shifted(value),
    "exp": lambda grid, mean: grid.gamma(1.0, mean),
    "gamma": lambda grid, shape, scale: grid.gamma(shape, scale),
    "erlang": lambda grid, k, mean: grid.gamma(k, mean / k),
    "hyperexp": lambda grid, p, one, two: p * grid.gamma(1.0, one) + (1.0 - p) * grid.gamma(1.0, two),
}


def nearly_all(of: Distribution) -> float:
    """Time that hardly any draw exceeds, of kinds whose tails may be long; 0 of others."""
    if of.kind == "mixture":
        return max(nearly_all(part) for weight, part in zip(of.weights, of.of, strict=True) if weight > 0.0)
    if of.kind == "empirical":
        return of.values[-1]
    if of.kind not in _BELOW:
        return 0.0
    ladder = of.mean() * np.geomspace(1.0, 1e4, 100)
    return float(ladder[min(99, int(np.searchsorted(below(of, ladder), 1.0 - _HARDLY)))])


def spread_below(of: Distribution, end: float) -> float:
    """Expected square of a draw that is cut at an end."""
    times = np.linspace(0.0, end, 20_001)
    return float(np.trapezoid(2.0 * times * (1.0 - below(of, times)), times))


def below(of: Distribution, times: Floats) -> Floats:
    """Distribution function of kinds whose transform is not simple (Johnson, Kotz, Balakrishnan 1994)."""
    if of.kind == "empirical":
        return np.searchsorted(np.array(of.values), times, side="right") / len(of.values)
    return np.asarray(_BELOW[of.kind](times, *of.params))


def _below_lognormal(times: Floats, mu: float, sigma: float) -> Floats:
    with np.errstate(divide="ignore"):
        return normal_below((np.log(times) - mu) / sigma) if sigma > 0.0 else (times >= math.exp(mu)).astype(float)


def _below_pareto(times: Floats, shape: float, scale: float, upper: float) -> Floats:
    kept = 1.0 if math.isinf(upper) else 1.0 - (scale / upper) ** shape
    rising = (1.0 - (scale / np.maximum(times, scale)) ** shape) / kept
    return np.where(times >= upper, 1.0, rising)


def _below_geometric(times: Floats, mean: float) -> Floats:
    return np.asarray(1.0 - (1.0 - 1.0 / mean) ** np.floor(times))


_BELOW: Final[dict[str, Callable[..., Floats]]] = {
    "lognormal": _below_lognormal,
    "pareto": _below_pareto,
    "weibull": lambda times, shape, scale: -np.expm1(-((times / scale) ** shape)),
    "uniform": lambda times, low, high: np.clip((times - low) / (high - low), 0.0, 1.0),
    "geometric": _below_geometric,
}


def normal_below(z: Floats) -> Floats:
    """Distribution function of the normal distribution, to 7 digits.

    M. Abramowitz and I. Stegun, "Handbook of Mathematical Functions" (1964), 26.2.17.

    Examples
    --------
    >>> normal_below(np.array([-1.96, 0.0, 1.0])).round(6).tolist()
    [0.024998, 0.5, 0.841345]
    """
    size = np.abs(np.clip(z, -40.0, 40.0))
    t = 1.0 / (1.0 + 0.2316419 * size)
    series = t * (0.319381530 + t * (-0.356563782 + t * (1.781477937 + t * (-1.821255978 + t * 1.330274429))))
    upper = np.exp(-0.5 * size * size) / math.sqrt(2.0 * math.pi) * series
    return np.where(z > 0.0, 1.0 - upper, upper)
