"""Networks of stations: product form, forks, order statistics, closed loops."""

from __future__ import annotations

import math

import numpy as np
import pytest
from builders import (
    call,
    choose,
    closed,
    constant,
    exp,
    fail,
    fork,
    geometric,
    latencies,
    lognormal,
    outcomes,
    plane,
    poisson,
    run_long,
    service,
    total,
    work,
)
from estimates import assert_mean

from meshsim.architectures.plane import PlaneService

MEAN_S = 0.01


def station(name: str, mean: float = MEAN_S, cores: float = 1.0) -> PlaneService:
    return service(name, work(exp(mean)), cores=cores)


def test_tandem() -> None:
    """Jackson: stations in a row are independent M/M/1, R = sum of 1 / (mu_i - lambda) (Burke 1956, Jackson 1957)."""
    first = service("a", work(exp(MEAN_S)), call("b"))
    record = run_long(plane(first, station("b", 0.012), arrivals=poisson(50.0)), 4_000.0)
    assert_mean(latencies(record), 1.0 / (100.0 - 50.0) + 1.0 / (1.0 / 0.012 - 50.0), within=0.03)


def test_feedback_between_two_services() -> None:
    """Jackson with feedback: a calls b with p = 0.4 and b always calls a again; a is visited 1 / (1 - p) times."""
    again = call("b", p=0.4)
    a = service("a", work(exp(MEAN_S)), again)
    b = service("b", work(exp(0.015)), call("a"))
    record = run_long(plane(a, b, arrivals=poisson(30.0), call_depth=500), 6_000.0)
    visits_a, visits_b = 1.0 / 0.6, 0.4 / 0.6
    expected = visits_a / (100.0 - 30.0 * visits_a) + visits_b / (1.0 / 0.015 - 30.0 * visits_b)
    assert_mean(latencies(record), expected, within=0.03)
    requests = len(latencies(record))
    geometric_variance = requests * 0.4 / 0.6**2
    assert abs(total(record, 0, "requests") - requests * visits_a) < 4.0 * math.sqrt(geometric_variance)


def test_processor_sharing_network_is_insensitive() -> None:
    """BCMP 1975: with PS stations only mean demands matter, whatever the distributions."""
    a = service("a", work(lognormal(MEAN_S, 1.5)), call("b"), discipline="ps")
    b = service("b", work(constant(0.008)), discipline="ps")
    record = run_long(plane(a, b, arrivals=poisson(50.0)), 5_000.0)
    assert_mean(latencies(record), 1.0 / (100.0 - 50.0) + 1.0 / (125.0 - 50.0), within=0.03)


def test_fork_join_of_two() -> None:
    """Two equal M/M/1 fed by the same arrivals: R = (12 - rho) / 8 / (mu - lambda) (Nelson and Tantawi 1988, exact)."""
    top = service("top", fork([call("a")], [call("b")]))
    record = run_long(plane(top, station("a"), station("b"), arrivals=poisson(50.0)), 5_000.0)
    assert_mean(latencies(record), (12.0 - 0.5) / 8.0 / (100.0 - 50.0), within=0.03)


@pytest.mark.parametrize(("quorum", "of"), [(None, 4), (1, 4), (2, 3), (3, 5)])
def test_order_statistics_of_exponentials(quorum: int | None, of: int) -> None:
    """Unlimited cores: the k-th of n exponentials comes after mean x (1/n + ... + 1/(n-k+1)) (Renyi 1953)."""
    names = [f"b{i}" for i in range(of)]
    top = service("top", fork(*([call(name)] for name in names), quorum=quorum))
    record = run_long(plane(top, *(station(name, cores=math.inf) for name in names), arrivals=poisson(100.0)), 500.0)
    expected = MEAN_S * math.fsum(1.0 / (of - i) for i in range(quorum or of))
    assert_mean(latencies(record), expected, within=0.03)


def test_calls_in_sequence_add_up() -> None:
    """A call made a geometric number of times, each an exponential without waiting: Wald's equation, E[N] E[S]."""
    top = service("top", call("b", times=geometric(3.0)))
    record = run_long(plane(top, station("b", cores=math.inf), arrivals=poisson(100.0)), 500.0)
    assert_mean(latencies(record), 3.0 * MEAN_S, within=0.03)


def test_choose_takes_options_by_their_shares() -> None:
    """Shares of a multinomial: the mean is the weighted mean; what is missing to 1 does nothing."""
    top = service("top", choose((0.2, [work(constant(0.01))]), (0.5, [work(constant(0.001))])), cores=math.inf)
    values = np.round(latencies(run_long(plane(top, arrivals=poisson(500.0)), 200.0)), 6)
    for share, x in ((0.2, 0.01), (0.5, 0.001), (0.3, 0.0)):
        observed = float(np.mean(values == x))
        assert abs(observed - share) < 4.0 * math.sqrt(share * (1.0 - share) / len(values))


def exact_mva(demands: list[float], users: int, think: float) -> float:
    """Mean response time of a closed product-form network (Reiser and Lavenberg 1980)."""
    lengths = [0.0] * len(demands)
    response = 0.0
    for n in range(1, users + 1):
        each = [demand * (1.0 + length) for demand, length in zip(demands, lengths, strict=True)]
        response = math.fsum(each)
        lengths = [n / (think + response) * r for r in each]
    return response


@pytest.mark.parametrize("users", [1, 4, 12])
def test_closed_loop_against_exact_mva(users: int) -> None:
    """Users who think, one visit to a, two to b: exact mean value analysis; `busy` follows the utilisation law."""
    a = service("a", work(exp(MEAN_S)), call("b", times=constant(2.0)))
    record = run_long(
        plane(a, station("b", 0.008), arrivals=closed(users, exp(0.1))), 2_500.0 if users < 12 else 1_500.0
    )
    response = exact_mva([MEAN_S, 0.016], users, 0.1)
    assert_mean(latencies(record), response, within=0.03)
    utilisation = users / (0.1 + response) * 0.016
    batches = record.services["busy_ns"][1, 4:40] / (record.duration_ns / 40)
    error = batches.std(ddof=1) / 6.0
    assert abs(batches.mean() - utilisation) < 4.0 * error < 0.03 * utilisation


def test_slot_held_during_a_downstream_call_is_a_tandem_with_blocking() -> None:
    """One slot, held while b works: the pair is one M/G/1 whose service is the sum of both (Erlang-2 here)."""
    a = service("a", work(exp(0.008)), call("b"), cores=math.inf, concurrency=1)
    record = run_long(plane(a, station("b", 0.008), arrivals=poisson(30.0)), 6_000.0)
    wait = 0.48 * 0.016 * (1.0 + 0.5) / (2.0 * 0.52)
    assert_mean(latencies(record), 0.016 + wait, within=0.03)


def test_retries_multiply_the_load() -> None:
    """Independent failures with chance q and r retries: tries are (1 - q^(r+1)) / (1 - q), failures q^(r+1)."""
    top = service("top", call("b", retries=2), cores=math.inf)
    flaky = service("b", work(constant(0.001)), fail(0.3), cores=math.inf)
    record = run_long(plane(top, flaky, arrivals=poisson(1000.0)), 150.0)
    n = len(latencies(record))
    assert record.requests is not None
    assert record.requests["tries"].sum() == total(record, 1, "requests")
    tries = np.array([1.0, 2.0, 3.0])
    chances = np.array([0.7, 0.21, 0.09])
    mean = float(tries @ chances)
    variance = float((tries - mean) ** 2 @ chances)
    assert abs(record.tries.sum() - n * mean) < 4.0 * math.sqrt(n * variance)
    failures = sum(outcome != 0 for outcome in outcomes(record))
    assert abs(failures - n * 0.027) < 4.0 * math.sqrt(n * 0.027 * 0.973)
