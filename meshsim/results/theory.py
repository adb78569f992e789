"""Queueing theory for one station: closed forms that a check sets beside what was simulated.

Everything is told as the mean number of jobs that wait, from which Little's law gives mean waits: several queues of
one service then simply add up. Rates are jobs per second, times are seconds on the server that does them, loads are
erlangs.
"""

from __future__ import annotations

import math
from collections.abc import Callable
from functools import partial
from typing import Final

from meshsim.model.distributions import Distribution, DistributionKind


def erlang_c(load: float, servers: int) -> float:
    """Probability that a job has to wait in M/M/c.

    A. K. Erlang, "Solution of some problems in the theory of probabilities of significance in automatic telephone
    exchanges" (1917); by the recursion of Erlang's B, which neither overflows nor cancels.

    Parameters
    ----------
    load
        Rate of jobs times their mean time; below `servers`.
    servers
        How many there are.

    Examples
    --------
    >>> round(erlang_c(1.0, 2), 6), round(erlang_c(0.8, 1), 6)
    (0.333333, 0.8)
    """
    blocked = 1.0
    for k in range(1, servers + 1):
        blocked = load * blocked / (k + load * blocked)
    return blocked / (1.0 - load / servers * (1.0 - blocked))


def waiting_mmc(load: float, servers: int) -> float:
    """Mean number waiting in M/M/c, in any order that does not look at their times (Erlang 1917).

    Examples
    --------
    >>> round(waiting_mmc(0.5, 1), 6), round(waiting_mmc(1.0, 2), 6)
    (0.5, 0.333333)
    """
    return erlang_c(load, servers) * load / (servers - load)


def waiting_mg1(rate: float, mean_s: float, second_s2: float) -> float:
    """Mean number waiting in M/G/1 (F. Pollaczek 1930, A. Khinchine 1932), in any order that does not look at times.

    Parameters
    ----------
    rate, mean_s, second_s2
        Of jobs; mean and second moment of their times.

    Examples
    --------
    >>> waiting_mg1(50.0, 0.01, 0.01**2)  # constant times wait half as long as exponential ones
    0.25
    """
    return rate * rate * second_s2 / (2.0 * (1.0 - rate * mean_s))


def waiting_mgc(load: float, servers: int, squared_cv: float) -> float:
    """Mean number waiting in M/G/c, first come first served: an approximation, exact for exponential times.

    A. M. Lee and P. A. Longton, "Queueing processes associated with airline passenger check-in", Operational Research
    Quarterly 10 (1959): that of M/M/c times the mean of 1 and the squared coefficient of variation.
    """
    return waiting_mmc(load, servers) * (1.0 + squared_cv) / 2.0


def waiting_ps(load: float, cores: float) -> float:
    """Mean number beyond those whom a queue of `cores` serves at full speed, all sharing alike, a core at most each.

    What is present does not depend on the distribution of times: a symmetric queue (F. P. Kelly, "Reversibility and
    Stochastic Networks", 1979, section 3.3); for one core L. Kleinrock, "Queueing Systems 2", section 4.4. With fewer
    cores than one a job alone is slower, and only what it takes beyond that counts as waiting.

    Parameters
    ----------
    load
        Rate of jobs times their mean time on a whole core; below `cores`.
    cores
        Of the queue; may be a fraction.

    Examples
    --------
    >>> round(waiting_ps(0.5, 1.0), 6), round(waiting_ps(1.0, 2.0), 6), round(waiting_ps(0.25, 0.5), 6)
    (0.5, 0.333333, 0.5)
    """
    whole = math.floor(cores)
    weights = [1.0]
    for n in range(1, whole + 1):
        weights.append(weights[-1] * load / n)
    ratio = load / cores
    beyond = weights[-1] * ratio / (1.0 - ratio)  # all states with more jobs than whole cores
    present = math.fsum(n * weight for n, weight in enumerate(weights)) + beyond * (whole + 1.0 / (1.0 - ratio))
    return present / (math.fsum(weights) + beyond) - load / min(cores, 1.0)


def second_moment(distribution: Distribution) -> float:
    """Expected square of a value, in base units; ``inf`` where it does not exist.

    Textbook moments (N. L. Johnson, S. Kotz and N. Balakrishnan, "Continuous Univariate Distributions", 1994).

    Examples
    --------
    >>> second_moment(Distribution(kind="exp", params=(3.0,)))
    18.0
    """
    if distribution.kind == "empirical":
        return math.fsum(value * value for value in distribution.values) / len(distribution.values)
    if distribution.kind == "mixture":
        parts = zip(distribution.weights, distribution.of, strict=True)
        return math.fsum(weight * second_moment(part) for weight, part in parts)
    return _SECOND_MOMENTS[distribution.kind](*distribution.params)


def third_moment(distribution: Distribution) -> float:
    """Expected cube of a value, in base units; ``inf`` where it does not exist. Sources as of `second_moment`.

    Examples
    --------
    >>> third_moment(Distribution(kind="exp", params=(2.0,)))
    48.0
    """
    if distribution.kind == "empirical":
        return math.fsum(value**3 for value in distribution.values) / len(distribution.values)
    if distribution.kind == "mixture":
        parts = zip(distribution.weights, distribution.of, strict=True)
        return math.fsum(weight * third_moment(part) for weight, part in parts)
    return _THIRD_MOMENTS[distribution.kind](*distribution.params)


def _pareto(order: int, shape: float, scale: float, upper: float) -> float:
    """Moment of a Pareto, truncated at `upper`."""
    if math.isinf(upper):
        return math.inf if shape <= order else shape * scale**order / (shape - order)
    log_ratio = math.log(scale / upper)
    kept = -math.expm1(shape * log_ratio)
    body = -math.expm1((shape - order) * log_ratio) / (shape - order) if shape != order else -log_ratio
    return shape * scale**order * body / kept


_SECOND_MOMENTS: Final[dict[DistributionKind, Callable[..., float]]] = {
    "constant": lambda value: value * value,
    "exp": lambda mean: 2.0 * mean * mean,
    "lognormal": lambda mu, sigma: math.exp(2.0 * mu + 2.0 * sigma * sigma),
    "gamma": lambda shape, scale: shape * (shape + 1.0) * scale * scale,
    "erlang": lambda k, mean: mean * mean * (1.0 + 1.0 / k),
    "hyperexp": lambda p, mean1, mean2: 2.0 * (p * mean1 * mean1 + (1.0 - p) * mean2 * mean2),
    "pareto": partial(_pareto, 2),
    "weibull": lambda shape, scale: scale * scale * math.gamma(1.0 + 2.0 / shape),
    "uniform": lambda low, high: (low * low + low * high + high * high) / 3.0,
    "geometric": lambda mean: mean * (2.0 * mean - 1.0),
}

_THIRD_MOMENTS: Final[dict[DistributionKind, Callable[..., float]]] = {
    "constant": lambda value: value**3,
    "exp": lambda mean: 6.0 * mean**3,
    "lognormal": lambda mu, sigma: math.exp(3.0 * mu + 4.5 * sigma * sigma),
    "gamma": lambda shape, scale: shape * (shape + 1.0) * (shape + 2.0) * scale**3,
    "erlang": lambda k, mean: mean**3 * (1.0 + 1.0 / k) * (1.0 + 2.0 / k),
    "hyperexp": lambda p, mean1, mean2: 6.0 * (p * mean1**3 + (1.0 - p) * mean2**3),
    "pareto": partial(_pareto, 3),
    "weibull": lambda shape, scale: scale**3 * math.gamma(1.0 + 3.0 / shape),
    "uniform": lambda low, high: (low + high) * (low * low + high * high) / 4.0,
    "geometric": lambda mean: mean * (6.0 * mean * mean - 6.0 * mean + 1.0),
}
