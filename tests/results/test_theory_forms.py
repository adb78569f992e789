"""Closed forms of the check against tables, textbooks and other ways to the same number."""

from __future__ import annotations

import math
from fractions import Fraction

import numpy as np
import pytest
from scipy import integrate, stats

from meshsim.model.distributions import Distribution
from meshsim.results import theory


@pytest.mark.parametrize(
    ("load", "servers", "expected"),
    [
        (1.0, 2, 1 / 3),  # by hand
        (2.0, 3, 4 / 9),  # by hand
        (0.8, 1, 0.8),  # of one server: its load
    ],
)
def test_erlang_c_by_hand(load: float, servers: int, expected: float) -> None:
    assert theory.erlang_c(load, servers) == pytest.approx(expected, rel=1e-12)


@pytest.mark.parametrize(("load", "servers"), [(4, 5), (8, 10), (19, 20), (1, 30)])
def test_erlang_c_by_its_definition_in_fractions(load: int, servers: int) -> None:
    """a^c / c! · c / (c − a), over that and the sum of a^k / k!."""
    last = Fraction(load**servers, math.factorial(servers)) * Fraction(servers, servers - load)
    all_states = sum(Fraction(load**k, math.factorial(k)) for k in range(servers)) + last
    assert theory.erlang_c(float(load), servers) == pytest.approx(float(last / all_states), rel=1e-12)


def test_erlang_c_survives_a_thousand_servers() -> None:
    assert 0.0 < theory.erlang_c(990.0, 1000) < 1.0


def test_one_server_waits_as_kleinrock_says() -> None:
    """M/M/1 at 0.8: 3.2 wait; constant times wait half as much."""
    assert theory.waiting_mmc(0.8, 1) == pytest.approx(3.2)
    assert theory.waiting_mg1(80.0, 0.01, 2 * 0.01**2) == pytest.approx(3.2)
    assert theory.waiting_mg1(80.0, 0.01, 0.01**2) == pytest.approx(1.6)
    assert theory.waiting_mgc(2.4, 3, 1.0) == pytest.approx(theory.waiting_mmc(2.4, 3))


@pytest.mark.parametrize("squared_cv", [0.25, 2.25, 9.0])
def test_the_approximation_is_exact_for_one_server(squared_cv: float) -> None:
    """Pollaczek and Khinchine, whatever the variance."""
    exact = theory.waiting_mg1(80.0, 0.01, (1.0 + squared_cv) * 0.01**2)
    assert theory.waiting_mgc(0.8, 1, squared_cv) == pytest.approx(exact, rel=1e-12)
    assert exact == pytest.approx(0.8**2 / 0.2 * (1.0 + squared_cv) / 2.0, rel=1e-12)


@pytest.mark.parametrize("servers", [2, 4])
def test_the_approximation_is_near_crommelins_solution_of_mdc(servers: int) -> None:
    """C. D. Crommelin (1932): a service time later, who was served has left and the arrivals of that time are there."""
    load, size = 0.8 * servers, 150
    arrivals = stats.poisson(load).pmf(np.arange(size))
    moves = np.zeros((size, size))
    for n in range(size):
        stay = max(n - servers, 0)
        moves[n, stay:] = arrivals[: size - stay]
    chances = np.linalg.matrix_power(moves / moves.sum(axis=1, keepdims=True), 5000)[0]
    waiting = float(chances @ np.maximum(np.arange(size) - servers, 0))
    assert theory.waiting_mgc(load, servers, 0.0) == pytest.approx(waiting, rel=0.1)


@pytest.mark.parametrize("cores", [0.5, 1.0, 1.5, 2.0, 3.7])
def test_sharing_against_the_chain_state_by_state(cores: float) -> None:
    """A birth and death process whose deaths come at rate min(n, cores), summed up to 4,000 jobs."""
    load = 0.8 * cores
    weights = np.cumprod(np.concatenate([[1.0], load / np.minimum(np.arange(1, 4000), cores)]))
    present = float(np.arange(4000) @ weights / weights.sum())
    assert theory.waiting_ps(load, cores) == pytest.approx(present - load / min(cores, 1.0), rel=1e-9)


DISTRIBUTIONS = {
    "constant": (Distribution(kind="constant", params=(3.0,)), 9.0),
    "exp": (Distribution(kind="exp", params=(2.0,)), stats.expon(scale=2.0).moment(2)),
    "lognormal": (Distribution(kind="lognormal", params=(0.3, 0.8)), stats.lognorm(0.8, scale=math.exp(0.3)).moment(2)),
    "gamma": (Distribution(kind="gamma", params=(2.5, 0.4)), stats.gamma(2.5, scale=0.4).moment(2)),
    "erlang": (Distribution(kind="erlang", params=(3.0, 2.0)), stats.gamma(3.0, scale=2.0 / 3.0).moment(2)),
    "pareto": (Distribution(kind="pareto", params=(2.5, 1.5, math.inf)), stats.pareto(2.5, scale=1.5).moment(2)),
    "weibull": (Distribution(kind="weibull", params=(0.7, 2.0)), stats.weibull_min(0.7, scale=2.0).moment(2)),
    "uniform": (Distribution(kind="uniform", params=(1.0, 4.0)), stats.uniform(1.0, 3.0).moment(2)),
    "geometric": (Distribution(kind="geometric", params=(4.0,)), stats.geom(0.25).moment(2)),
    "empirical": (Distribution(kind="empirical", values=(1.0, 2.0, 6.0)), 41.0 / 3.0),
    "hyperexp": (Distribution(kind="hyperexp", params=(0.3, 1.0, 5.0)), 0.3 * 2.0 + 0.7 * 50.0),
}


@pytest.mark.parametrize("name", DISTRIBUTIONS)
def test_second_moment(name: str) -> None:
    distribution, expected = DISTRIBUTIONS[name]
    assert theory.second_moment(distribution) == pytest.approx(float(expected), rel=1e-9)


@pytest.mark.parametrize("shape", [0.9, 1.5, 2.0, 3.0])
def test_second_moment_of_a_bounded_pareto(shape: float) -> None:
    scale, upper = 1.0, 50.0
    kept = 1.0 - (scale / upper) ** shape
    expected, _ = integrate.quad(lambda x: x * x * shape * scale**shape * x ** (-shape - 1.0) / kept, scale, upper)
    found = theory.second_moment(Distribution(kind="pareto", params=(shape, scale, upper)))
    assert found == pytest.approx(expected, rel=1e-6)


def test_second_moment_of_a_mixture_and_of_what_has_none() -> None:
    parts = (DISTRIBUTIONS["exp"][0], DISTRIBUTIONS["constant"][0])
    mixture = Distribution(kind="mixture", weights=(0.25, 0.75), of=parts)
    assert theory.second_moment(mixture) == pytest.approx(0.25 * 8.0 + 0.75 * 9.0)
    assert math.isinf(theory.second_moment(Distribution(kind="pareto", params=(1.5, 1.0, math.inf))))


THIRD = {
    "constant": ((3.0,), 27.0),
    "exp": ((2.0,), stats.expon(scale=2.0).moment(3)),
    "lognormal": ((0.1, 0.6), stats.lognorm(0.6, scale=math.exp(0.1)).moment(3)),
    "gamma": ((1.7, 2.0), stats.gamma(1.7, scale=2.0).moment(3)),
    "erlang": ((3, 2.0), stats.gamma(3, scale=2.0 / 3.0).moment(3)),
    "hyperexp": ((0.3, 1.0, 4.0), 0.3 * 6.0 + 0.7 * 6.0 * 64.0),
    "weibull": ((1.4, 2.0), stats.weibull_min(1.4, scale=2.0).moment(3)),
    "uniform": ((1.0, 3.0), stats.uniform(1.0, 2.0).moment(3)),
    "geometric": ((2.5,), stats.geom(0.4).moment(3)),
    "pareto": ((4.5, 1.0, math.inf), stats.pareto(4.5).moment(3)),
}


@pytest.mark.parametrize("name", THIRD)
def test_third_moment(name: str) -> None:
    params, expected = THIRD[name]
    found = theory.third_moment(Distribution(kind=name, params=params))
    assert found == pytest.approx(float(expected), rel=1e-9)
    parts = (Distribution(kind=name, params=params), Distribution(kind="empirical", values=(1.0, 2.0)))
    mixture = Distribution(kind="mixture", weights=(0.5, 0.5), of=parts)
    assert theory.third_moment(mixture) == pytest.approx(0.5 * float(expected) + 0.5 * 4.5)
