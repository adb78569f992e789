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
