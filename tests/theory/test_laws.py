"""The laws agree with each other where two of them say the same by different ways."""

from __future__ import annotations

import math
from decimal import Decimal, localcontext
from itertools import pairwise

import laws
import numpy as np
import pytest
from scipy import integrate

MEAN_S = 0.01
UTILIZATIONS = (0.5, 0.8, 0.95)


def erlang(s: complex, stages: int, mean: float) -> complex:
    return (1.0 + s * mean / stages) ** -stages


@pytest.mark.parametrize("rho", UTILIZATIONS)
def test_inverted_transforms_give_the_exponential_sojourn_of_mm1(rho: float) -> None:
    expected = laws.exponential_p99(MEAN_S / (1.0 - rho))
    transform = laws.mg1_sojourn(rho / MEAN_S, MEAN_S, lambda s: erlang(s, 1, MEAN_S))
    assert laws.quantile(laws.euler_tail(transform), MEAN_S) == pytest.approx(expected, rel=1e-6)
    by_fft = laws.mg1_p99(rho / MEAN_S, MEAN_S, lambda t: -np.expm1(-t / MEAN_S))
    assert by_fft == pytest.approx(expected, rel=1e-5)
    assert laws.quantile(laws.mmc_tail(rho / MEAN_S, MEAN_S, 1), MEAN_S) == pytest.approx(expected, rel=1e-9)


@pytest.mark.parametrize("rho", UTILIZATIONS)
def test_two_ways_to_the_p99_of_md1(rho: float) -> None:
    """Erlang (1909): P(W <= t) = (1 - rho) sum of (rho (k - t))^k / k! e^(-rho (k - t)), k up to t, in services."""
    by_fft = laws.mg1_p99(rho / MEAN_S, MEAN_S, lambda t: (t >= MEAN_S).astype(float))
    with localcontext(prec=80):  # the terms alternate and cancel
        load, t = Decimal(rho), Decimal(by_fft / MEAN_S) - 1
        terms = ((load * (k - t)) ** k / math.factorial(k) * (load * (t - k)).exp() for k in range(int(t) + 1))
        assert float((1 - load) * sum(terms)) == pytest.approx(0.99, abs=1e-6)


@pytest.mark.parametrize("rho", UTILIZATIONS)
@pytest.mark.parametrize("cores", [1, 3])
def test_mean_of_the_tail_of_processor_sharing(rho: float, cores: int) -> None:
    """The integral of the tail is the mean, which is that of M/M/c."""
    tail = laws.mmc_ps_tail(rho * cores / MEAN_S, MEAN_S, cores)
    mean = laws.mmc_mean(rho * cores / MEAN_S, MEAN_S, cores)
    parts = [integrate.quad(tail, a * mean, b * mean)[0] for a, b in pairwise([0.0, 1.0, 10.0, 100.0, 1000.0])]
    assert math.fsum(parts) == pytest.approx(mean, rel=1e-6)


@pytest.mark.parametrize("rho", UTILIZATIONS)
def test_processor_sharing_against_its_transform(rho: float) -> None:
    """Coffman, Muntz and Trotter (1970): the transform given the demand, integrated over exponential demands."""
    rate, mu = rho / MEAN_S, 1.0 / MEAN_S
    nodes, weights = np.polynomial.laguerre.laggauss(120)

    def transform(s: complex) -> complex:
        total = rate + mu + s
        r = (total - np.sqrt(total * total - 4.0 * rate * mu)) / (2.0 * rate)
        x = nodes / mu
        top = (1.0 - rho) * (1.0 - rho * r * r) * np.exp(-(rate * (1.0 - r) + s) * x)
        below = (1.0 - rho * r) ** 2 - rho * (1.0 - r) ** 2 * np.exp(-(mu / r - rate * r) * x)
        return complex(weights @ (top / below))

    p99 = laws.quantile(laws.mmc_ps_tail(rate, MEAN_S, 1), MEAN_S)
    assert laws.euler_tail(transform)(p99) == pytest.approx(0.01, rel=1e-3)


def test_a_modulated_process_of_equal_rates_is_poisson() -> None:
    mean, tail = laws.mmpp_m1((80.0, 80.0), (0.1, 0.3), MEAN_S)
    assert mean == pytest.approx(0.05, rel=1e-9)
    assert tail(0.1) == pytest.approx(math.exp(-2.0), rel=1e-9)


def test_a_large_room_is_without_loss() -> None:
    loss, mean, tail = laws.mmck(160.0, MEAN_S, 2, 90)
    assert loss < 1e-8
    assert mean == pytest.approx(laws.mmc_mean(160.0, MEAN_S, 2), rel=1e-6)
    assert tail(0.05) == pytest.approx(laws.mmc_tail(160.0, MEAN_S, 2)(0.05), rel=1e-5)


def test_the_machine_repairman_is_a_closed_network_of_one_station() -> None:
    assert laws.repairman(8, 0.05, MEAN_S)[1] == pytest.approx(laws.exact_mva([MEAN_S], 8, 0.05), rel=1e-12)


def test_two_choices_of_two_lie_between_one_queue_and_two() -> None:
    for rho in UTILIZATIONS:
        found = laws.two_choices_of_two(rho, MEAN_S)
        assert laws.mmc_mean(2.0 * rho / MEAN_S, MEAN_S, 2) < found < MEAN_S / (1.0 - rho)
