"""Models of several stations: tandems, forks, closed networks, and how requests are balanced over replicas."""

from __future__ import annotations

import math

import laws
import observe
from builders import (
    call,
    choose,
    closed,
    constant,
    exp,
    fail,
    fork,
    geometric,
    lognormal,
    plane,
    poisson,
    service,
    work,
)
from cases import Model, Setting, mean_alone, mean_and_p99
from stations import CV, MEAN_S, exponential, station

SLOWER_S = 0.012
FEEDBACK = 0.4  # probability of another round
REPLICAS = 1000  # of the supermarket model


def tandem(rho: float) -> Setting:
    """The second station is the busier one."""
    rate = rho / SLOWER_S
    a, b = 1.0 / MEAN_S - rate, 1.0 / SLOWER_S - rate
    first = service("a", work(exp(MEAN_S)), call("b"))
    figures = mean_and_p99(1.0 / a + 1.0 / b, laws.hypoexponential_tail(a, b))
    return Setting(plane(first, station("b", SLOWER_S), arrivals=poisson(rate)), rate, figures)


def feedback(rho: float) -> Setting:
    """The first calls the second with p = 0.4, which always calls the first again; the first is the busier one."""
    visits_a, visits_b = 1.0 / (1.0 - FEEDBACK), FEEDBACK / (1.0 - FEEDBACK)
    rate = rho / MEAN_S / visits_a
    a = service("a", work(exp(MEAN_S)), call("b", p=FEEDBACK))
    b = service("b", work(exp(0.015)), call("a"))
    mean = visits_a / (1.0 / MEAN_S - rate * visits_a) + visits_b / (1.0 / 0.015 - rate * visits_b)
    return Setting(plane(a, b, arrivals=poisson(rate), call_depth=500), rate, mean_alone(mean))


def ps_network(rho: float) -> Setting:
    rate = rho / MEAN_S
    a = service("a", work(lognormal(MEAN_S, CV)), call("b"), discipline="ps")
    b = service("b", work(constant(0.008)), discipline="ps")
    mean = 1.0 / (1.0 / MEAN_S - rate) + 1.0 / (1.0 / 0.008 - rate)
    return Setting(plane(a, b, arrivals=poisson(rate)), rate, mean_alone(mean))


def fork_join(rho: float) -> Setting:
    rate = rho / MEAN_S
    top = service("top", fork([call("a")], [call("b")]))
    mean = (12.0 - rho) / 8.0 * MEAN_S / (1.0 - rho)
    return Setting(plane(top, station("a"), station("b"), arrivals=poisson(rate)), rate, mean_alone(mean))


def blocking(rho: float) -> Setting:
    """One slot, held while the second works: the pair is one server whose service is the sum of both, Erlang-2."""
    mean = 0.016
    rate = rho / mean
    a = service("a", work(exp(mean / 2.0)), call("b"), cores=math.inf, concurrency=1)
    tail = laws.euler_tail(laws.mg1_sojourn(rate, mean, lambda s: (1.0 + s * mean / 2.0) ** -2))
    figures = mean_and_p99(laws.pollaczek_khinchine(rate, mean, 0.5), tail)
    return Setting(plane(a, station("b", mean / 2.0), arrivals=poisson(rate)), rate, figures)


def order_statistic(quorum: int, of: int) -> Setting:
    """Cores without end, so branches are independent."""
    names = [f"b{i}" for i in range(of)]
    top = service("top", fork(*([call(name)] for name in names), quorum=quorum))
    stations = [station(name, cores=math.inf) for name in names]
    figures = mean_and_p99(*laws.order_statistic(MEAN_S, quorum, of))
    return Setting(plane(top, *stations, arrivals=poisson(100.0)), 100.0, figures)


def calls_in_sequence(_: float) -> Setting:
    """A geometric sum of exponentials is exponential."""
    top = service("top", call("b", times=geometric(3.0)))
    calm = plane(top, station("b", cores=math.inf), arrivals=poisson(100.0))
    return Setting(calm, 100.0, exponential(3.0 * MEAN_S))


def choice(_: float) -> Setting:
    """What is missing to 1 does nothing."""
    top = service("top", choose((0.2, [work(constant(0.01))]), (0.5, [work(constant(0.001))])), cores=math.inf)
    return Setting(plane(top, arrivals=poisson(500.0)), 500.0, mean_alone(0.2 * 0.01 + 0.5 * 0.001))


def closed_network(users: int) -> Setting:
    """One visit to the first, two to the second."""
    think, demands = 0.1, [MEAN_S, 0.016]
    a = service("a", work(exp(MEAN_S)), call("b", times=constant(2.0)))
    mean = laws.exact_mva(demands, users, think)
    rate = users / (think + mean)
    figures = {**mean_alone(mean), "utilisation": (rate * demands[1], observe.utilization(1))}
    return Setting(plane(a, station("b", 0.008), arrivals=closed(users, exp(think))), rate, figures)


def retries(_: float) -> Setting:
    """Failures with chance q, independent, and r retries: tries are (1 - q^(r+1)) / (1 - q), failures q^(r+1)."""
    q, r = 0.3, 2
    top = service("top", call("b", retries=r), cores=math.inf)
    flaky = service("b", work(constant(0.001)), fail(q), cores=math.inf)
    figures = {
        "tries a request": ((1.0 - q ** (r + 1)) / (1.0 - q), observe.tries_per_request),
        "share failed": (q ** (r + 1), observe.share_failed),
    }
    return Setting(plane(top, flaky, arrivals=poisson(1000.0)), 1000.0, figures)


# -- balancing -------------------------------------------------------------------------------------------------


def random(rho: float) -> Setting:
    rate = rho * 2 / MEAN_S
    two = plane(station(replicas=2), arrivals=poisson(rate), client={"balancer": "random"})
    return Setting(two, rate, exponential(MEAN_S / (1.0 - rho)))


def round_robin(rho: float) -> Setting:
    """Every second arrival: gaps are Erlang-2."""
    rate = rho * 2 / MEAN_S
    two = plane(station(replicas=2), arrivals=poisson(rate), client={"balancer": "round_robin"})
    mean = laws.gim1_mean(rate / 2.0, MEAN_S, lambda s: (1.0 + s / rate) ** -2)
    return Setting(two, rate, exponential(mean))


def least_request(rho: float) -> Setting:
    rate = rho * 2 / MEAN_S
    two = plane(station(replicas=2), arrivals=poisson(rate), client={"balancer": "least_request"})
    return Setting(two, rate, mean_alone(laws.two_choices_of_two(rho, MEAN_S)))


def supermarket(rho: float) -> Setting:
    """So many replicas that the limit's error, of the order of 1 / replicas, is less than the interval."""
    rate = rho * REPLICAS / MEAN_S
    many = plane(station(replicas=REPLICAS), arrivals=poisson(rate), client={"balancer": "least_request"})
    return Setting(many, rate, mean_alone(laws.supermarket(rho, MEAN_S)))


ALONE = (None,)
MVA = "Reiser and Lavenberg 1980"

MODELS = (
    Model("tandem of M/M/1", "Burke 1956; Jackson 1957", tandem, 0.85),
    Model("feedback between two M/M/1", "Jackson 1957", feedback, 1.1),
    Model("tandem of M/G/1 PS", "BCMP 1975", ps_network, (0.9, 0.9, 1.3)),
    Model("fork and join of two M/M/1", "Flatto and Hahn 1984; Nelson and Tantawi 1988", fork_join, 0.75),
    Model("tandem that holds its slot: M/E2/1", "Pollaczek 1930", blocking, 0.9),
    *(
        Model(f"{k} of {n} exponential branches", "Rényi 1953", lambda _, k=k, n=n: order_statistic(k, n), 0.5, ALONE)
        for k, n in ((4, 4), (1, 4), (2, 3), (3, 5))
    ),
    Model("geometric number of calls in sequence", "Wald 1944", calls_in_sequence, 0.5, ALONE),
    Model("choice of three", "mean of a multinomial", choice, utilizations=ALONE),
    *(
        Model(f"closed network of two stations, users: {n}", MVA, lambda _, n=n: closed_network(n), 0.5, ALONE)
        for n in (1, 4, 12)
    ),
    Model("two retries of a call that fails with p = 0.3", "geometric series", retries, 5.0, ALONE),
    Model("random to two replicas", "two M/M/1", random),
    Model("round robin to two replicas: E2/M/1", "Kleinrock 1, 6.4", round_robin, (0.8, 0.8, 1.1)),
    Model("least request to two replicas", "chain of both queues, solved numerically", least_request, 0.9),
    Model("least request to 1000 replicas", "Vvedenskaya et al. 1996; Mitzenmacher 1996", supermarket, (1.0, 0.5, 0.4)),
)
