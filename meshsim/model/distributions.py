"""Distributions of durations, sizes and counts, as the spec writes them.

A distribution is a value: its kind, and parameters in base units (seconds for durations, bytes for
sizes, plain numbers for counts). Drawing from it is the engines' business (``meshsim.engines.sampler``).
"""

from __future__ import annotations

import math
from collections.abc import Callable
from typing import Literal

from pydantic import BaseModel, ConfigDict

DistributionKind = Literal[
    "constant",  # value
    "exp",  # mean
    "lognormal",  # mu, sigma (of the logarithm); the spec gives mean + cv, or p50 + p99
    "gamma",  # shape, scale; the spec gives mean + cv
    "erlang",  # k, mean
    "hyperexp",  # p, mean1, mean2; the spec gives these, or mean + cv (balanced means)
    "pareto",  # shape, scale, upper (inf when unbounded)
    "weibull",  # shape, scale
    "uniform",  # low, high
    "geometric",  # mean: an integer >= 1 with that mean
    "empirical",  # values (equally likely), from a list or a file
    "mixture",  # weights, of
]


class Distribution(BaseModel):
    """One distribution, parameters resolved to base units.

    Attributes
    ----------
    kind
        Which family; see `DistributionKind`.
    params
        Its parameters in the order that the comment beside the kind gives.
    values
        Observations of an ``empirical`` distribution, sorted ascending.
    weights, of
        Shares (normalised) and parts of a ``mixture``.
    """

    model_config = ConfigDict(frozen=True, extra="forbid")

    kind: DistributionKind
    params: tuple[float, ...] = ()
    values: tuple[float, ...] = ()
    weights: tuple[float, ...] = ()
    of: tuple[Distribution, ...] = ()

    def mean(self) -> float:
        """Expected value in base units; ``inf`` where it does not exist.

        Examples
        --------
        >>> Distribution(kind="uniform", params=(1.0, 3.0)).mean()
        2.0
        """
        if self.kind == "empirical":
            return math.fsum(self.values) / len(self.values)
        if self.kind == "mixture":
            return math.fsum(weight * part.mean() for weight, part in zip(self.weights, self.of, strict=True))
        return _MEANS[self.kind](*self.params)

    def minimum(self) -> float:
        """Smallest value that may be drawn, in base units.

        Examples
        --------
        >>> Distribution(kind="uniform", params=(1.0, 3.0)).minimum()
        1.0
        """
        if self.kind == "mixture":
            parts = zip(self.weights, self.of, strict=True)
            return min(part.minimum() for weight, part in parts if weight > 0.0)
        if self.kind == "empirical":
            return self.values[0]
        return _MINIMA[self.kind](*self.params)

    def scaled(self, factor: float) -> Distribution:
        """Distribution of `factor` times a value, e.g. half of the CPU time of a proxy.

        Parameters
        ----------
        factor
            0 or more; 0 gives the constant 0.

        Raises
        ------
        ValueError
            If `factor` is negative or not finite, or this is a geometric count, of which no multiple is geometric.

        Examples
        --------
        >>> Distribution(kind="uniform", params=(1.0, 3.0)).scaled(0.5)
        Distribution(kind='uniform', params=(0.5, 1.5), values=(), weights=(), of=())
        """
        if not (math.isfinite(factor) and factor >= 0.0):
            raise ValueError(f"a distribution can be scaled by a finite factor of 0 or more, not by {factor}")
        if factor == 1.0:
            return self
        if factor == 0.0:
            return constant(0.0)
        if self.kind == "mixture":
            return self.model_copy(update={"of": tuple(part.scaled(factor) for part in self.of)})
        if self.kind == "empirical":
            return self.model_copy(update={"values": tuple(value * factor for value in self.values)})
        if self.kind not in _SCALED:
            raise ValueError(f"a {self.kind} distribution counts; {factor} times a count is none")
        return self.model_copy(update={"params": _SCALED[self.kind](factor, *self.params)})


def constant(value: float) -> Distribution:
    """Give the distribution that is always `value`.

    Examples
    --------
    >>> constant(2).mean()
    2.0
    """
    return Distribution(kind="constant", params=(float(value),))


def _hyperexponential_mean(p: float, mean1: float, mean2: float) -> float:
    return p * mean1 + (1.0 - p) * mean2


def _pareto_mean(shape: float, scale: float, upper: float) -> float:
    """Mean of a Pareto, truncated at `upper` (Johnson, Kotz, Balakrishnan: Continuous Univariate Distributions 1)."""
    if math.isinf(upper):
        return math.inf if shape <= 1.0 else shape * scale / (shape - 1.0)
    log_ratio = math.log(scale / upper)
    kept = -math.expm1(shape * log_ratio)
    # expm1 keeps the digits near shape 1, where the plain formula is 0 / 0
    body = -math.expm1((shape - 1.0) * log_ratio) / (shape - 1.0) if shape != 1.0 else -log_ratio
    return shape * scale * body / kept


_MEANS: dict[DistributionKind, Callable[..., float]] = {
    "constant": lambda value: value,
    "exp": lambda mean: mean,
    "lognormal": lambda mu, sigma: math.exp(mu + sigma * sigma / 2.0),
    "gamma": lambda shape, scale: shape * scale,
    "erlang": lambda k, mean: mean,
    "hyperexp": _hyperexponential_mean,
    "pareto": _pareto_mean,
    "weibull": lambda shape, scale: scale * math.gamma(1.0 + 1.0 / shape),
    "uniform": lambda low, high: (low + high) / 2.0,
    "geometric": lambda mean: mean,
}

_MINIMA: dict[DistributionKind, Callable[..., float]] = {
    **dict.fromkeys(("exp", "lognormal", "gamma", "erlang", "hyperexp", "weibull"), lambda *params: 0.0),
    "constant": lambda value: value,
    "pareto": lambda shape, scale, upper: scale,
    "uniform": lambda low, high: low,
    "geometric": lambda mean: 1.0,
}

_SCALED: dict[DistributionKind, Callable[..., tuple[float, ...]]] = {
    "constant": lambda c, value: (c * value,),
    "exp": lambda c, mean: (c * mean,),
    "lognormal": lambda c, mu, sigma: (mu + math.log(c), sigma),
    "gamma": lambda c, shape, scale: (shape, c * scale),
    "erlang": lambda c, k, mean: (k, c * mean),
    "hyperexp": lambda c, p, mean1, mean2: (p, c * mean1, c * mean2),
    "pareto": lambda c, shape, scale, upper: (shape, c * scale, c * upper),
    "weibull": lambda c, shape, scale: (shape, c * scale),
    "uniform": lambda c, low, high: (c * low, c * high),
}
