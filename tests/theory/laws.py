"""What queueing theory says, computed without the simulator: closed forms, transforms inverted numerically, chains.

Times are seconds, `mean` is the mean service time on a whole core, `rate` that of requests.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence

import numpy as np
import numpy.typing as npt
from scipy import linalg, optimize, sparse, special
from scipy.sparse.linalg import spsolve

Floats = npt.NDArray[np.float64]
Transform = Callable[[complex], complex]
Distribution = Callable[[Floats], Floats]
Tail = Callable[[float], float]

P99 = 0.01  # share of requests beyond it


def quantile(tail: Tail, scale: float, beyond: float = P99) -> float:
    """Where a tail probability P(T > t) falls to `beyond`; `scale` is some time of its order, such as the mean."""
    high = scale
    while tail(high) > beyond:
        high *= 2.0
    return float(optimize.brentq(lambda t: tail(t) - beyond, 0.0, high, xtol=1e-13, rtol=1e-12))


# -- single stations -------------------------------------------------------------------------------------------


def erlang_c(load: float, servers: int) -> float:
    """Probability of waiting in M/M/c (Erlang 1917); `load` is rate times mean."""
    terms = [load**k / math.factorial(k) for k in range(servers)]
    last = load**servers / math.factorial(servers) * servers / (servers - load)
    return last / (math.fsum(terms) + last)


def erlang_b(load: float, servers: int) -> float:
    """Probability of loss in M/G/c/c (Erlang 1917)."""
    terms = [load**k / math.factorial(k) for k in range(servers + 1)]
    return terms[-1] / math.fsum(terms)


def mmc_mean(rate: float, mean: float, servers: int) -> float:
    """Mean sojourn in M/M/c (Kleinrock, "Queueing Systems" 1, 3.5)."""
    return mean + erlang_c(rate * mean, servers) / (servers / mean - rate)


def mmc_tail(rate: float, mean: float, servers: int) -> Tail:
    """Sojourn in M/M/c, first come first served: those who wait do so for an exponential time, of rate c mu - lambda
    (Gross and Harris, "Fundamentals of Queueing Theory", 2.3).
    """
    waiting, mu = erlang_c(rate * mean, servers), 1.0 / mean
    both = hypoexponential_tail(servers * mu - rate, mu)
    return lambda t: (1.0 - waiting) * math.exp(-mu * t) + waiting * both(t)


def hypoexponential_tail(a: float, b: float) -> Tail:
    """Sum of two independent exponentials of rates a and b."""
    if math.isclose(a, b, rel_tol=1e-9):
        return lambda t: (1.0 + a * t) * math.exp(-a * t)
    return lambda t: (a * math.exp(-b * t) - b * math.exp(-a * t)) / (a - b)


def pollaczek_khinchine(rate: float, mean: float, squared_cv: float) -> float:
    """Mean sojourn in M/G/1 (Pollaczek 1930, Khinchine 1932)."""
    return mean + rate * mean * mean * (1.0 + squared_cv) / (2.0 * (1.0 - rate * mean))


def mg1_sojourn(rate: float, mean: float, service: Transform) -> Transform:
    """Laplace transform of the sojourn in M/G/1, first come first served (Kleinrock 1, 5.7)."""
    return lambda s: (1.0 - rate * mean) * s * service(s) / (s - rate + rate * service(s))


def mm1_lifo_sojourn(rate: float, mean: float) -> Transform:
    """M/M/1, last come first served without preemption: who finds the server busy waits for the busy period that the
    rest of that service begins (Wishart 1960; Conway, Maxwell and Miller, "Theory of Scheduling", 8.7).
    """
    mu = 1.0 / mean

    def transform(s: complex) -> complex:
        total = rate + mu + s
        busy = (total - np.sqrt(total * total - 4.0 * rate * mu)) / (2.0 * rate)
        return complex((1.0 - rate * mean + rate * mean * busy) * mu / (mu + s))

    return transform


def euler_tail(transform: Transform) -> Tail:
    """P(T > t) from the Laplace transform of T: the Euler algorithm of J. Abate and W. Whitt, "Numerical inversion of
    Laplace transforms of probability distributions", ORSA J. Computing 7 (1995); error about 1e-8.
    """
    weights = [special.comb(11, k) * 2.0**-11 for k in range(12)]

    def tail(t: float) -> float:
        if t <= 0.0:
            return 1.0
        nodes = [complex(18.4, 2.0 * math.pi * k) / (2.0 * t) for k in range(40 + 12)]
        terms = [((1.0 - transform(s)) / s).real for s in nodes]
        terms = [terms[0] / 2.0] + [(-1) ** k * term for k, term in enumerate(terms[1:], 1)]
        partial = np.cumsum(terms)[-12:] * math.exp(9.2) / t
        return float(np.dot(weights, partial))

    return tail


def mg1_p99(rate: float, mean: float, cdf: Distribution, *, parts: int = 1000, size: int = 2**20) -> float:
    """p99 of the sojourn in M/G/1, first come first served, from the distribution of the service time.

    The wait is a geometric number of equilibrium residual services (Benes 1957), summed up by an FFT on a lattice of
    `parts` points a mean service time.
    """
    step, rho = mean / parts, rate * mean
    edges = np.concatenate([[0.0], (np.arange(size) + 0.5) * step])
    width = np.diff(edges)
    left = sum(1.0 - cdf(edges[:-1] + share * width) for share in (0.125, 0.375, 0.625, 0.875)) / 4.0
    work, residual = np.fft.rfft(np.diff(cdf(edges))), np.fft.rfft(left * width / mean)
    sojourn = np.cumsum(np.fft.irfft(work * (1.0 - rho) / (1.0 - rho * residual), size))
    place = int(np.searchsorted(sojourn, 1.0 - P99))
    share = (1.0 - P99 - sojourn[place - 1]) / (sojourn[place] - sojourn[place - 1])
    return float((place - 0.5 + share) * step)


def gim1_mean(rate: float, mean: float, gap: Transform) -> float:
    """Mean of the sojourn in GI/M/1, which is exponential: mean / (1 - sigma), where gap((1 - sigma) / mean) = sigma
    (Kleinrock 1, 6.4); `gap` is the transform of the time between arrivals.
    """
    assert rate * mean < 1.0
    sigma = optimize.brentq(lambda x: gap((1.0 - x) / mean).real - x, 0.0, 1.0 - 1e-6)
    return float(mean / (1.0 - sigma))


def exponential_p99(mean: float) -> float:
    """p99 of an exponential time."""
    return -mean * math.log(P99)


def mmc_ps_tail(rate: float, mean: float, cores: int) -> Tail:
    """Sojourn in M/M/c-PS, where a job gets at most a core: the time to absorption of a birth and death process, the
    number of other jobs while a marked one is served (the chain of Coffman, Muntz and Trotter, J. ACM 17, 1970).
    """
    mu = 1.0 / mean
    size = math.ceil(40.0 / -math.log(rate * mean / cores)) + cores
    others = np.arange(size)
    each = mu * np.minimum(1.0, cores / (others + 1.0))  # speed of every job
    up = np.where(others < size - 1, rate, 0.0)
    down = others * each
    measure = np.concatenate([[1.0], np.cumprod(up[:-1] / down[1:])])  # makes the chain symmetric
    found = np.cumprod(np.concatenate([[1.0], rate / (mu * np.minimum(others[1:], cores))]))  # as arrivals find it
    speeds, vectors = linalg.eigh_tridiagonal(-(up + down + each), np.sqrt(up[:-1] * down[1:]))
    root = np.sqrt(measure)
    weights = ((found / found.sum() / root) @ vectors) * (vectors.T @ root)
    return lambda t: float(weights @ np.exp(speeds * t))


def mmck(rate: float, mean: float, servers: int, room: int) -> tuple[float, float, Tail]:
    """Loss, mean sojourn of who is let in, and its tail, in M/M/c/K: a birth and death process (Kleinrock 1, 3.8)."""
    mu = 1.0 / mean
    weights = np.cumprod([1.0] + [rate / (mu * min(n, servers)) for n in range(1, room + 1)])
    chances = weights / weights.sum()
    loss = float(chances[-1])
    sojourn = float(chances @ np.arange(room + 1)) / (rate * (1.0 - loss))
    stages = room - servers + 1  # own service, and up to room - servers departures to wait for
    matrix = np.zeros((stages, stages))
    for stage in range(stages):
        speed = mu if stage == 0 else servers * mu
        matrix[stage, stage] = -speed
        if stage:
            matrix[stage, stage - 1] = speed
    start = np.concatenate([[chances[:servers].sum()], chances[servers:-1]]) / (1.0 - loss)
    return loss, sojourn, lambda t: float((start @ linalg.expm(matrix * t)).sum())


def mmpp_m1(rates: Sequence[float], stays: Sequence[float], mean: float) -> tuple[float, Tail]:
    """Mean and tail of the sojourn in MMPP/M/1 of two states: a quasi birth and death process (Neuts, "Matrix-Geometric
    Solutions in Stochastic Models", 1981); arrivals find a level with the chance of its share of arrivals.
    """
    mu, arrive = 1.0 / mean, np.diag(rates)
    switch = np.array([[-1.0 / stays[0], 1.0 / stays[0]], [1.0 / stays[1], -1.0 / stays[1]]])
    inverse = np.linalg.inv(switch - arrive - mu * np.eye(2))
    r = np.zeros((2, 2))
    for _ in range(100_000):
        r, last = -(arrive + mu * r @ r) @ inverse, r
        if np.abs(r - last).max() < 1e-15:
            break
    rest = np.linalg.inv(np.eye(2) - r)
    empty = np.vstack([(switch - arrive + mu * r).T[:1], rest.sum(axis=1)])
    levels = [np.linalg.solve(empty, [0.0, 1.0])]
    total = float(sum(levels[0] @ rest @ arrive))
    while levels[-1].sum() > 1e-14:
        levels.append(levels[-1] @ r)
    found = np.array([float(sum(level @ arrive)) for level in levels]) / total
    sojourns = np.arange(1, len(found) + 1)  # in services
    return float(found @ sojourns) * mean, lambda t: float(found @ special.gammaincc(sojourns, t * mu))


# -- networks --------------------------------------------------------------------------------------------------


def shorter_of_two(utilization: float, mean: float, share: float) -> float:
    """Mean sojourn at two M/M/1 where the shorter queue gets so large a share of the requests: the stationary chain of
    (shorter, longer), cut off where its probability is below 1e-8.
    """
    most, rate, mu = math.ceil(9.0 / (1.0 - utilization)), 2.0 * utilization / mean, 1.0 / mean
    states = [(i, j) for j in range(most + 1) for i in range(j + 1)]
    number = {state: k for k, state in enumerate(states)}
    moves: list[tuple[int, int, float]] = []

    def move(begin: tuple[int, int], i: int, j: int, speed: float) -> None:
        if min(i, j) >= 0 and max(i, j) <= most:
            k, end = number[begin], number[min(i, j), max(i, j)]
            moves.extend([(end, k, speed), (k, k, -speed)])

    for i, j in states:
        move((i, j), i + 1, j, share * rate)  # where i = j both are the same state, so the shares do not matter
        move((i, j), i, j + 1, (1.0 - share) * rate)
        move((i, j), i - 1, j, mu)
        move((i, j), i, j - 1, mu)
    rows, columns, speeds = zip(*moves, strict=True)
    balance = sparse.csc_matrix((speeds, (rows, columns)))[1:]  # one equation follows from the others
    chances = np.concatenate([[1.0], spsolve(balance[:, 1:], -balance[:, 0].toarray().ravel())])
    present = np.array([i + j for i, j in states])
    return float(chances @ present / chances.sum() / rate)


def two_choices_of_two(utilization: float, mean: float) -> float:
    """Two draws with replacement, of which the shorter queue wins."""
    return shorter_of_two(utilization, mean, 0.75)


def supermarket(utilization: float, mean: float) -> float:
    """Mean sojourn with the power of two choices among countless servers (Vvedenskaya, Dobrushin and Karpelevich 1996;
    Mitzenmacher 1996).
    """
    return mean * math.fsum(utilization ** (2**i - 2) for i in range(1, 12))


def order_statistic(mean: float, quorum: int, of: int) -> tuple[float, Tail]:
    """The `quorum`-th of independent exponentials (Renyi 1953)."""
    expected = mean * math.fsum(1.0 / (of - i) for i in range(quorum))
    return expected, lambda t: float(special.bdtr(quorum - 1, of, -math.expm1(-t / mean)))


def exact_mva(demands: Sequence[float], users: int, think: float) -> float:
    """Mean response time of a closed product-form network (Reiser and Lavenberg 1980)."""
    lengths = [0.0] * len(demands)
    response = 0.0
    for n in range(1, users + 1):
        each = [demand * (1.0 + length) for demand, length in zip(demands, lengths, strict=True)]
        response = math.fsum(each)
        lengths = [n / (think + response) * r for r in each]
    return response


def repairman(users: int, think: float, mean: float) -> tuple[float, float, Tail]:
    """Utilisation, mean and tail of the sojourn in M/M/1//N: an arrival finds what one user fewer would leave
    (Sevcik and Mitrani 1981).
    """

    def chances(n: int) -> Floats:
        weights = np.cumprod([1.0] + [(n - k) * mean / think for k in range(n)])
        return weights / weights.sum()

    found = chances(users - 1)
    sojourns = np.arange(1, users + 1)  # in services
    utilization = 1.0 - float(chances(users)[0])
    return (
        utilization,
        users * mean / utilization - think,
        lambda t: float(found @ special.gammaincc(sojourns, t / mean)),
    )


def repairman_think(users: int, utilization: float, mean: float) -> float:
    """Think time at which the server of M/M/1//N is so busy."""
    root = optimize.brentq(lambda z: repairman(users, z, mean)[0] - utilization, 1e-3 * mean, 1e3 * users * mean)
    return float(root)
