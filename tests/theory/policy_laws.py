"""What theory says about impatience, retrials and losses, computed without the simulator.

Times are seconds, `mean` is the mean service time, `rate` that of requests.
"""

from __future__ import annotations

import math

import numpy as np
from laws import Floats, Tail
from scipy import special

# -- impatience ------------------------------------------------------------------------------------------------


def empty_mm1_waiting_limit(rate: float, mean: float, limit: float) -> float:
    """Chance that M/M/1 is empty where nobody begins service after `limit` in line (Barrer 1957, "Queuing with
    impatient customers and ordered service"; Baccelli and Hebuterne 1981).

    Who will not be served adds nothing to the work that is left, V. So V has density p0 rate e^(-(mu - rate) x) below
    the limit, as in M/M/1, and p0 rate e^(rate limit - mu x) beyond it.
    """
    mu, gain = 1.0 / mean, 1.0 / mean - rate
    below = -rate * math.expm1(-gain * limit) / gain
    beyond = rate / mu * math.exp(-gain * limit)
    return 1.0 / (1.0 + below + beyond)


def waiting_limit_loss(rate: float, mean: float, limit: float) -> float:
    """Share that waits for `limit` and goes: P(V > limit)."""
    empty = empty_mm1_waiting_limit(rate, mean, limit)
    return empty * rate * mean * math.exp(-(1.0 / mean - rate) * limit)


def waiting_limit_sojourn(rate: float, mean: float, limit: float) -> tuple[float, Tail]:
    """Mean and tail of the sojourn of those who are served: V below the limit, and a service."""
    mu, gain = 1.0 / mean, 1.0 / mean - rate
    served = -mu * math.expm1(-gain * limit) / gain + math.exp(-gain * limit)  # all over p0
    inside = mu / gain * (-math.expm1(-gain * limit) / gain - limit * math.exp(-gain * limit))
    outside = math.exp(-gain * limit) * (limit + mean)

    def tail(t: float) -> float:
        if t > limit:
            return math.exp(rate * limit - mu * t) / served
        return (mu / gain * (math.exp(-gain * t) - math.exp(-gain * limit)) + math.exp(-gain * limit)) / served

    return (inside + outside) / served, tail


def late_share(rate: float, mean: float, limit: float) -> float:
    """Requests not answered within `limit` where nobody begins service after it: those who never begin it, and those
    whose service lasts beyond it.
    """
    empty = empty_mm1_waiting_limit(rate, mean, limit)
    return empty * (1.0 + rate * mean) * math.exp(-(1.0 / mean - rate) * limit)


def empty_mm1_cut_off(rate: float, mean: float, limit: float) -> float:
    """Chance that M/M/1 is empty where everybody leaves `limit` after arriving, even from service: the work that will
    be done is that of a dam that overflows at `limit` (Takacs 1967, "Combinatorial Methods in the Theory of Stochastic
    Processes", 5), which below it is as in M/M/1.
    """
    rho = rate * mean
    return (1.0 - rho) / (1.0 - rho * math.exp(-(1.0 / mean - rate) * limit))


def cut_off_share(rate: float, mean: float, limit: float) -> float:
    """Requests that are cut off: V + S > limit."""
    return empty_mm1_cut_off(rate, mean, limit) * math.exp(-(1.0 / mean - rate) * limit)


def truncated_exponential(rate: float, limit: float) -> tuple[float, Tail]:
    """Mean and tail of an exponential time of that rate (which may be negative), given that it is below `limit`."""
    end = math.exp(-rate * limit)
    mean = 1.0 / rate - limit * end / (1.0 - end)
    return mean, lambda t: 0.0 if t >= limit else (math.exp(-rate * t) - end) / (1.0 - end)


def erlang_a(rate: float, mean: float, servers: int, patience: float) -> tuple[float, float, float]:
    """Share that turns away, share that waits, and mean sojourn of the served in M/M/c+M (Palm 1957; Garnett,
    Mandelbaum and Reiman 2002): the chain of how many are present, and who stands behind k others comes to be served
    with the chance that each of k + 1 departures comes before the end of his own patience.
    """
    mu, leave = 1.0 / mean, 1.0 / patience
    size = servers + math.ceil(10.0 * rate * patience + 10.0)
    deaths = [mu * min(n, servers) + leave * max(0, n - servers) for n in range(1, size)]
    chances = np.cumprod([1.0, *(rate / death for death in deaths)])
    chances /= chances.sum()
    assert chances[-1] < 1e-12
    serve, spent, lost, time_served = 1.0, 0.0, 0.0, 0.0
    for ahead, found in enumerate(chances[servers:].tolist()):
        forward = servers * mu + leave * ahead
        share = forward / (forward + leave)
        spent = share * (spent + serve / (forward + leave))
        serve *= share
        lost += found * (1.0 - serve)
        time_served += found * spent
    return lost, float(chances[servers:].sum()), mean + time_served / (1.0 - lost)


def reneging(rate: float, mean: float, servers: int, patience: float) -> tuple[float, float, float]:
    """Share that gives up, share of time that a server works, and mean number present, where everybody has an
    exponential patience for all of the sojourn: births at `rate`, deaths at mu min(n, c) + n / patience, whoever is
    served first (Ancker and Gafarian 1963, "Some queuing problems with balking and reneging").
    """
    n = np.arange(1, 400)
    weights = np.concatenate([[1.0], np.cumprod(rate / (np.minimum(n, servers) / mean + n / patience))])
    chances: Floats = weights / weights.sum()
    present = float(chances[1:] @ n)
    return present / patience / rate, float(chances[1:] @ np.minimum(n, servers)) / servers, present


# -- retrials --------------------------------------------------------------------------------------------------


def retrial_mean(rate: float, mean: float, retrial: float) -> float:
    """Mean sojourn in M/M/1/1 whose blocked customers come again, each after an exponential time of mean `retrial`
    (Falin and Templeton, "Retrial Queues", 1997, 1.2): the time in orbit is rho/(1 - rho) (mean + retrial).
    """
    rho = rate * mean
    return mean + rho / (1.0 - rho) * (mean + retrial)


def retrials(rate: float, mean: float, retrial: float) -> float:
    """Tries after the first, a customer: time in orbit over the mean between tries."""
    return (retrial_mean(rate, mean, retrial) - mean) / retrial


def hedged(mean: float, after: float) -> tuple[float, Tail]:
    """Exponential service, and a second, independent try beside it `after` the first was sent: the least of both."""
    first = math.exp(-after / mean)
    expected = mean * (1.0 - first) + first * mean / 2.0
    return expected, lambda t: math.exp(-(t + max(0.0, t - after)) / mean)


# -- losses ----------------------------------------------------------------------------------------------------


def md1_room(load: float, room: int) -> float:
    """Loss in M/D/1/K, K = `room` with the one in service: the chain that departures leave (Gross and Harris, 5.1).

    A token bucket of `room` tokens is such a queue: what it lacks is the work that is left, a token the service.
    """
    arrivals = special.pdtr(np.arange(room), load)
    chances = np.diff(arrivals, prepend=0.0)  # of k arrivals in a service
    left = np.zeros(room)
    left[0] = 1.0
    for n in range(room - 1):
        inflow = left[0] * chances[n] + sum(left[j] * chances[n - j + 1] for j in range(1, n + 1))
        left[n + 1] = (left[n] - inflow) / chances[0]
    empty = left[0] / left.sum()
    return float(1.0 - 1.0 / (empty + load))


def mmck_waiting(rate: float, mean: float, servers: int, room: int) -> tuple[float, float]:
    """Share of those let in that wait, and how many wait on average, in M/M/c/K (Kleinrock 1, 3.8)."""
    weights = np.cumprod([1.0] + [rate * mean / min(n, servers) for n in range(1, room + 1)])
    chances: Floats = weights / weights.sum()
    waiting = float(np.maximum(0, np.arange(room + 1) - servers) @ chances)
    return float(chances[servers:room].sum() / (1.0 - chances[-1])), waiting


# -- many servers ----------------------------------------------------------------------------------------------


def power_of_choices(utilization: float, mean: float, choices: int) -> float:
    """Mean sojourn with d choices among countless servers (Mitzenmacher 1996, "The power of two choices in randomized
    load balancing"; Vvedenskaya, Dobrushin and Karpelevich 1996).
    """
    return mean * math.fsum(utilization ** ((choices**i - choices) / (choices - 1)) for i in range(1, 10))
