"""Queues of the analytic screen: how much longer than alone a job takes, as two moments and the chance of any delay.

Each replica, or thread of a proxy, is a queue of its own. Processor sharing (`Shared`) is as in F. P. Kelly,
"Reversibility and Stochastic Networks" (1979), whatever the distribution of work; its variance is that of T. J. Ott,
"The sojourn-time distribution in the M/G/1 queue with processor sharing", Journal of Applied Probability 21 (1984),
with the waiting time within it taken as exponential, which is exact for exponential work on one core. Queues in line
(`InLine`) are M/M/c with the correction of A. O. Allen, "Probability, Statistics, and Queueing Theory" (1978, Allen and
Cunneen) for other variability, exact for Poisson arrivals at one server, where L. Takács' second moment (1962) is
taken, too.

What comes in batches waits for those before it, as in the batch Poisson queue M^X/M/1 (D. Gross and C. M. Harris,
"Fundamentals of Queueing Theory", section on bulk input), where it is exact.

Balancers that look where there is room come between a queue alone and the limit of very many replicas (N. D.
Vvedenskaya, R. L. Dobrushin and F. I. Karpelevich, "Queueing system with selection of the shortest of two queues",
Problems of Information Transmission 32, 1996; M. Mitzenmacher, "The power of two choices in randomized load balancing",
IEEE TPDS 12, 2001).
"""

from __future__ import annotations

import math
from dataclasses import dataclass, field
from functools import lru_cache
from itertools import pairwise
from typing import Final, Protocol

from meshsim.results.theory import erlang_c

_LEVELS: Final = 400  # of the longest queue that is looked at
_RARER: Final = 0.3  # power of the factor of the wait by which its chance falls, as in E10/M/1 (measured)
_NO_TIME_S: Final = 1e-12  # mean delays below are none
_NONE_LEFT: Final = 1e-14  # shares of queues that are that long


@dataclass(frozen=True, slots=True)
class Job:
    """Work on an empty queue: moments in seconds, and the chance that its like does not come within a while."""

    mean_s: float
    variance_s2: float

    def spared(self, rate: float) -> float:
        """Chance that nothing that comes at a rate comes meanwhile, by a gamma distribution of these moments."""
        if rate <= 0.0 or self.mean_s <= 0.0:
            return 1.0
        if self.variance_s2 <= 1e-12 * self.mean_s**2:
            return math.exp(-rate * self.mean_s)
        scale = self.variance_s2 / self.mean_s
        return math.exp(-self.mean_s / scale * math.log1p(rate * scale))


@dataclass(frozen=True, slots=True)
class Extra:
    """Delay beyond what a job takes alone: with a chance, and then gamma with these moments."""

    chance: float
    mean_s: float  # of all, those without a delay included
    second_s2: float

    @property
    def variance_s2(self) -> float:
        """Of all."""
        return max(0.0, self.second_s2 - self.mean_s**2)

    @property
    def longest_s(self) -> float:
        """What those that are delayed hardly ever exceed."""
        if self.chance <= 0.0 or self.mean_s <= 0.0:
            return 0.0
        mean = self.mean_s / self.chance
        return mean + 3.0 * math.sqrt(max(0.0, self.second_s2 / self.chance - mean * mean))

    def conditional(self) -> tuple[float, float]:
        """Shape and scale of those that are delayed."""
        mean = self.mean_s / self.chance
        variance = max(self.second_s2 / self.chance - mean * mean, 1e-6 * mean * mean)
        return mean * mean / variance, variance / mean


NOTHING: Final = Extra(0.0, 0.0, 0.0)
NEVER_DONE: Final = Extra(1.0, math.inf, math.inf)


class Queue(Protocol):
    """Where work waits."""

    @property
    def unstable(self) -> bool:
        """It is asked for all that it has, or more."""

    def extra(self, job: Job) -> Extra:
        """How much longer than alone a job takes."""


@dataclass(frozen=True, slots=True)
class Offered:
    """What comes to one queue.

    Attributes
    ----------
    rate
        Jobs per second.
    mean_s, second_s2, third_s3
        Moments of their work on a whole core.
    burstiness
        Squared coefficient of variation of the gaps between them; 1: a Poisson process.
    looked
        0: nobody looks how busy it is; 1: as in the limit of very many replicas, and callers that know all.
    ahead
        How many of the same batch are before a job, on average.
    """

    rate: float
    mean_s: float
    second_s2: float
    third_s3: float
    burstiness: float = 1.0
    looked: float = 0.0
    ahead: float = 0.0

    @property
    def load(self) -> float:
        """Erlangs on whole cores."""
        return self.rate * self.mean_s


@dataclass(frozen=True)
class Shared:
    """Processor sharing among `cores`, one at most for each job."""

    offered: Offered
    cores: float
    _factors: tuple[float, float, float, float] = field(init=False)

    def __post_init__(self) -> None:
        object.__setattr__(self, "_factors", (0.0, 0.0, 0.0, 0.0) if self.unstable else self._solved())

    @property
    def unstable(self) -> bool:
        """It is asked for all of its cores, or more."""
        return self.offered.load >= self.cores

    def _solved(self) -> tuple[float, float, float, float]:
        """Mean and variance of the slow-down beyond that of a job alone; chance that a job finds it; next to it."""
        mean, variance, busy, brink = _alone(self.offered.load, self.cores)
        looked = self.offered.looked
        if looked > 0.0:
            limit = _of_two(self.offered.load, self.cores)
            mean, busy, brink = (
                a + looked * (b - a) for a, b in zip((mean, busy, brink), (limit[0], limit[2], limit[3]), strict=True)
            )
            variance = _between(variance, limit[1], looked)
        rho = self.offered.load / self.cores
        more = less_or_more(self.offered.burstiness, 1.0, rho)
        mean, variance = mean * more, variance * more**2
        if self.offered.ahead > 0.0:
            together = self.offered.ahead / (self.cores * (1.0 - rho))
            mean, variance = mean + together, variance + 2.0 * together * (together + mean)
            busy = 1.0 - (1.0 - busy) * math.exp(-self.offered.ahead)
        return mean, variance, busy, brink

    def extra(self, job: Job) -> Extra:
        """By Ott's integral; work of `job` is what it takes alone."""
        if self.unstable:
            return NEVER_DONE
        offered = self.offered
        slower, varied, busy, brink = self._factors
        speed = min(self.cores, 1.0)
        mean = slower * speed * job.mean_s  # the job alone takes 1 / speed as long as on a whole core
        if mean <= _NO_TIME_S:
            return NOTHING
        forgets = 2.0 * (1.0 - offered.load / self.cores) * offered.mean_s / offered.second_s2  # per second of work
        done_s, variance = job.mean_s * speed, job.variance_s2 * speed**2
        y = Job(done_s, variance)
        ramp = _ramp(y, forgets)
        total = 1.0 / speed + slower
        variance_of_all = total**2 * variance + 2.0 * varied * ramp
        second = max(variance_of_all - job.variance_s2, 0.0) + mean * mean
        chance = 1.0 - (1.0 - busy) * job.spared(offered.rate * brink)
        chance = min(1.0, max(chance, mean * mean / second if second > 0.0 else 1.0, 1e-9))
        return Extra(chance, mean, max(second, mean * mean / chance))


def less_or_more(burstiness: float, scatter: float, rho: float) -> float:
    """How much longer one waits than with Poisson arrivals and exponential work.

    Allen and Cunneen's factor, and where arrivals are smoother than a Poisson process also that of W. Krämer and M.
    Langenbach-Belz, "Approximate formulae for the delay in the queueing system GI/G/1", ITC 8 (1976).

    Examples
    --------
    >>> less_or_more(1.0, 1.0, 0.8), less_or_more(1.0, 0.0, 0.8)
    (1.0, 0.5)
    """
    both = burstiness + scatter
    if burstiness >= 1.0 or both <= 0.0 or rho <= 0.0:
        return both / 2.0
    return both / 2.0 * math.exp(-2.0 * (1.0 - rho) * (1.0 - burstiness) ** 2 / (3.0 * rho * both))


def _between(alone: float, limit: float, looked: float) -> float:
    """Squares of one queue alone and of very many, by their logarithms."""
    if alone <= 0.0 or limit <= 0.0:
        return alone + looked * (limit - alone)
    return math.exp(math.log(alone) + looked * (math.log(limit) - math.log(alone)))


def _ramp(work: Job, forgets: float) -> float:
    """Mean of (x / a - (1 - exp(-a x)) / a²), half of x² where a x is small."""
    ax = forgets * work.mean_s
    if ax < 1e-4:
        return 0.5 * (work.variance_s2 + work.mean_s**2)
    return work.mean_s / forgets - (1.0 - work.spared(forgets)) / forgets**2


@lru_cache(maxsize=4096)
def _alone(load: float, cores: float) -> tuple[float, float, float, float]:
    """Slow-down that a job meets in a queue that gets a random part: n others share `cores` with it.

    Beyond that of a job alone: mean and variance; chance of any at once; chance that the next to come brings some.
    """
    weights = [1.0]
    ratio, whole = load / cores, math.floor(cores)
    for n in range(1, whole + 1):
        weights.append(weights[-1] * load / n)
    total = math.fsum(weights) + weights[-1] * ratio / (1.0 - ratio)
    beyond = weights[-1] * ratio / (1.0 - ratio) / total  # n > whole, geometric from there
    free = math.fsum(weights[: max(1, whole)]) / total  # alone, or with a core for everybody
    least = 1.0 / min(cores, 1.0)
    slow = [max(1.0, (n + 1) / cores) - least for n in range(whole + 1)]
    mean = math.fsum(w * s for w, s in zip(weights, slow, strict=True)) / total
    square = math.fsum(w * s * s for w, s in zip(weights, slow, strict=True)) / total
    # those beyond: n = whole + k, k >= 1 geometric
    k1, k2 = 1.0 / (1.0 - ratio), (1.0 + ratio) / (1.0 - ratio) ** 2
    base = (whole + 1) / cores - least
    mean += beyond * (base + k1 / cores)
    square += beyond * (base * base + 2.0 * base * k1 / cores + k2 / cores**2)
    brink = weights[whole - 1] / total / free if free > 0.0 and whole >= 1 else 1.0
    return mean, square - mean * mean, 1.0 - free, brink


@lru_cache(maxsize=4096)
def shares_of_two(load: float, cores: float) -> tuple[float, ...]:
    """Shares of queues with at least n jobs, n = 0, 1, …, where each job takes the shorter of two (mean field).

    Between n and n + 1 as many come as go: load (s[n-1]² - s[n]²) = min(n, cores) (s[n] - s[n+1]).

    Examples
    --------
    >>> [round(share, 6) for share in shares_of_two(0.8, 1.0)][:4]  # load ** (2 ** n - 1), Mitzenmacher
    [1.0, 0.8, 0.512, 0.209715]
    """
    whole = math.floor(cores)

    def above(first: float) -> list[float]:
        found = [1.0, first]
        for n in range(1, whole):
            found.append(found[n] - load * (found[n - 1] ** 2 - found[n] ** 2) / n)
        return found

    def missing(found: list[float]) -> float:
        """By how much more go than come at the last of them, with the tail that follows from it."""
        gone = whole * (found[whole] - load / cores * found[whole] ** 2)
        return gone - load * (found[whole - 1] ** 2 - found[whole] ** 2)

    if whole <= 1:
        # one core or a part of one: all work at the same rate, which fixes every share in turn
        found = [1.0, min(1.0, load / min(cores, 1.0))] if cores <= 1.0 else [1.0, _first_of_part(load, cores)]
    else:
        low, high = 0.0, min(1.0, load)
        for _ in range(60):
            middle = 0.5 * (low + high)
            ahead = above(middle)
            rising = all(0.0 <= b <= a + 1e-15 for a, b in pairwise(ahead))
            if not rising or missing(ahead) < 0.0:
                low = middle
            else:
                high = middle
        found = [max(0.0, share) for share in above(high)]
    while found[-1] > _NONE_LEFT and len(found) < _LEVELS:
        found.append(load / cores * found[-1] ** 2)
    return tuple(found)


def _first_of_part(load: float, cores: float) -> float:
    """Share that is not empty with more cores than one and fewer than two: s₁ + (cores - 1) s₂ = load, s₂ = ρ s₁²."""
    a = (cores - 1.0) * load / cores
    return (math.sqrt(1.0 + 4.0 * a * load) - 1.0) / (2.0 * a)


@lru_cache(maxsize=4096)
def _of_two(load: float, cores: float) -> tuple[float, float, float, float]:
    """As `_alone`, where jobs take the shorter of two queues among very many."""
    shares = shares_of_two(load, cores)
    least = 1.0 / min(cores, 1.0)
    number = math.fsum(shares[1:])
    mean = max(0.0, number / load - least)  # Little's law
    met = [share * share for share in shares]  # what the shorter of two has at least
    chances = [a - b for a, b in zip(met, [*met[1:], 0.0], strict=True)]
    slow = [max(1.0, (n + 1) / cores) - least for n in range(len(met))]
    first = math.fsum(c * s for c, s in zip(chances, slow, strict=True))
    variance = math.fsum(c * s * s for c, s in zip(chances, slow, strict=True)) - first * first
    whole = max(1, math.floor(cores))
    busy = met[whole] if whole < len(met) else 0.0
    brink = chances[whole - 1] / (1.0 - busy) if whole <= len(met) and busy < 1.0 else 1.0
    return mean, max(0.0, variance), busy, brink


def _wait_of_two(load: float, servers: int, mean_s: float) -> Extra:
    """Wait in the shorter of two lines among very many, exponential work: a stage for each of those before."""
    met = [share * share for share in shares_of_two(load, float(servers))]
    chances = [a - b for a, b in zip(met, [*met[1:], 0.0], strict=True)][servers:]
    stage = mean_s / servers
    first = math.fsum(p * (k + 1) for k, p in enumerate(chances)) * stage
    second = math.fsum(p * (k + 1) * (k + 2) for k, p in enumerate(chances)) * stage**2
    return Extra(math.fsum(chances), first, second)


@dataclass(frozen=True)
class InLine:
    """Jobs wait in line for one of `servers`; `speed` is a server's, of a whole core."""

    offered: Offered
    servers: int
    speed: float
    _wait: Extra = field(init=False)

    def __post_init__(self) -> None:
        object.__setattr__(self, "_wait", NEVER_DONE if self.unstable else self._solved())

    @property
    def unstable(self) -> bool:
        """It is asked for all of its servers, or more."""
        return self.offered.load >= self.servers * self.speed

    def _solved(self) -> Extra:
        offered = self.offered
        load = offered.load / self.speed
        if load <= 0.0:
            return NOTHING
        second = offered.second_s2 / self.speed**2
        mean = load / offered.rate
        scatter = max(0.0, second / mean**2 - 1.0)
        chance = erlang_c(load, self.servers)
        wait = chance * mean / (self.servers - load)
        square = 2.0 * wait * wait / chance if chance > 0.0 else 0.0  # exponential where there is any
        if offered.looked > 0.0:
            limit = _wait_of_two(load, self.servers, mean)
            lighter = _between(square, limit.second_s2, offered.looked)
            wait += offered.looked * (limit.mean_s - wait)
            chance += offered.looked * (limit.chance - chance)
            # too light a tail, and that of an exponential wait is too heavy: half-way (measured)
            square = math.sqrt(lighter * 2.0 * wait * wait / chance) if chance > 0.0 else 0.0
        factor = less_or_more(offered.burstiness, scatter, load / self.servers)
        smoother = less_or_more(offered.burstiness, 1.0, load / self.servers)
        wait, square = wait * factor, square * factor**2
        chance *= min(1.0, smoother**_RARER)
        if offered.ahead > 0.0:
            together = offered.ahead * mean / (self.servers - load)
            square += 2.0 * together * (together + wait)
            wait, chance = wait + together, 1.0 - (1.0 - chance) * math.exp(-offered.ahead)
        if wait <= _NO_TIME_S or chance <= 0.0:
            return NOTHING
        if self.servers == 1 and (offered.looked, offered.burstiness, offered.ahead) == (0.0, 1.0, 0.0):
            third = offered.third_s3 / self.speed**3
            square = 2.0 * wait * wait + offered.rate * third / (3.0 * (1.0 - load))  # Takács
        return Extra(chance, wait, max(square, wait * wait / chance))

    def extra(self, job: Job) -> Extra:
        """The wait; it does not depend on the job."""
        return self._wait
