"""The laws of policies hold against others, and against what is computed another way."""

from __future__ import annotations

import math

import laws
import numpy as np
import policy_laws
import pytest
from estimates import assert_mean
from scipy import integrate

MEAN_S, LIMIT_S = 0.01, 0.02
LOADS = (0.5, 0.8, 1.2)


@pytest.mark.parametrize("rho", LOADS)
def test_what_is_served_with_a_waiting_limit_keeps_the_server_busy(rho: float) -> None:
    """Little's law for the server, who does the work of all that are not turned away."""
    rate = rho / MEAN_S
    busy = 1.0 - policy_laws.empty_mm1_waiting_limit(rate, MEAN_S, LIMIT_S)
    assert busy == pytest.approx(rho * (1.0 - policy_laws.waiting_limit_loss(rate, MEAN_S, LIMIT_S)), rel=1e-12)


@pytest.mark.parametrize("rho", LOADS)
def test_the_mean_is_the_integral_of_the_tail(rho: float) -> None:
    rate = rho / MEAN_S
    for mean, tail, ends in (
        (*policy_laws.waiting_limit_sojourn(rate, MEAN_S, LIMIT_S), (LIMIT_S, 1.0)),
        (*policy_laws.truncated_exponential(1.0 / MEAN_S - rate, LIMIT_S), (LIMIT_S, LIMIT_S)),
        (*policy_laws.hedged(MEAN_S, 0.005), (0.005, 1.0)),
    ):
        area = integrate.quad(tail, 0.0, ends[0])[0] + integrate.quad(tail, *ends)[0]
        assert area == pytest.approx(mean, rel=1e-9)


@pytest.mark.parametrize("rho", LOADS)
def test_impatience_against_the_recursion_of_the_work_left(rho: float) -> None:
    """Lindley's recursion without those who are turned away, or without what is cut off."""
    rng = np.random.default_rng(1)
    n = 300_000
    gaps, services = rng.exponential(MEAN_S / rho, n), rng.exponential(MEAN_S, n)
    refused, late, cut, left, dam = np.empty(n), np.empty(n), np.empty(n), 0.0, 0.0
    for i, (gap, service) in enumerate(zip(gaps.tolist(), services.tolist(), strict=True)):
        left, dam = max(0.0, left - gap), max(0.0, dam - gap)
        refused[i], late[i], cut[i] = left > LIMIT_S, left + service > LIMIT_S, dam + service > LIMIT_S
        left += service if left <= LIMIT_S else 0.0
        dam = min(LIMIT_S, dam + service)
    rate = rho / MEAN_S
    for values, share in (
        (refused, policy_laws.waiting_limit_loss(rate, MEAN_S, LIMIT_S)),
        (late, policy_laws.late_share(rate, MEAN_S, LIMIT_S)),
        (cut, policy_laws.cut_off_share(rate, MEAN_S, LIMIT_S)),
    ):
        assert_mean(values, share, within=0.06)


@pytest.mark.parametrize("rho", LOADS)
def test_one_impatient_server_and_little(rho: float) -> None:
    """Who turns away does so at the rate of those in line over their patience."""
    rate, patience = rho * 4 / MEAN_S, 0.02
    lost, _, mean = policy_laws.erlang_a(rate, MEAN_S, 4, patience)
    deaths = [min(n, 4) / MEAN_S + max(0, n - 4) / patience for n in range(1, 200)]
    chances = np.cumprod([1.0, *(rate / death for death in deaths)])
    chances /= chances.sum()
    number = np.arange(200)
    assert lost * rate == pytest.approx(float(np.maximum(0, number - 4) @ chances) / patience, rel=1e-9)
    assert mean > MEAN_S


@pytest.mark.parametrize("servers", [1, 3])
def test_who_reneges_and_who_is_served_are_all(servers: int) -> None:
    """The servers do the work of those who are served: no part of that law went into the chain's solution."""
    rate = 0.8 * servers / MEAN_S
    late, busy, _ = policy_laws.reneging(rate, MEAN_S, servers, 0.03)
    assert busy * servers / MEAN_S == pytest.approx(rate * (1.0 - late), rel=1e-12)
    patient = policy_laws.reneging(rate, MEAN_S, servers, 1e6)
    assert patient[2] == pytest.approx(rate * laws.mmc_mean(rate, MEAN_S, servers), rel=1e-3)


def test_patience_without_end_is_erlang_c() -> None:
    lost, waits, mean = policy_laws.erlang_a(320.0, MEAN_S, 4, 100.0)
    assert lost < 1e-4
    assert waits == pytest.approx(laws.erlang_c(3.2, 4), rel=1e-3)
    assert mean == pytest.approx(laws.mmc_mean(320.0, MEAN_S, 4), rel=1e-3)


@pytest.mark.parametrize("rho", [0.5, 0.8])
def test_the_orbit_against_its_chain(rho: float) -> None:
    """States (busy, in orbit), those in orbit at most 399, solved as linear equations."""
    size, rate, mu, again = 400, rho / MEAN_S, 1.0 / MEAN_S, 50.0
    matrix = np.zeros((2 * size, 2 * size))  # column: from; row: to

    def move(begin: tuple[int, int], end: tuple[int, int], speed: float) -> None:
        k, m = begin[0] * size + begin[1], end[0] * size + end[1]
        matrix[m, k] += speed
        matrix[k, k] -= speed

    for n in range(size):
        move((0, n), (1, n), rate)
        move((1, n), (0, n), mu)
        if n:
            move((0, n), (1, n - 1), again * n)
        if n < size - 1:
            move((1, n), (1, n + 1), rate)
    matrix[0] = 1.0
    chances = np.linalg.solve(matrix, np.eye(2 * size)[0])
    orbit = float(chances @ np.tile(np.arange(size), 2))
    assert policy_laws.retrial_mean(rate, MEAN_S, 1.0 / again) == pytest.approx(MEAN_S + orbit / rate, rel=1e-6)
    assert policy_laws.retrials(rate, MEAN_S, 1.0 / again) == pytest.approx(again * orbit / rate, rel=1e-6)


def test_rooms_for_one_and_for_two_by_hand() -> None:
    """M/D/1/1 is Erlang's loss; in M/D/1/2 nobody is left with the chance e^-a of no arrival in a service."""
    for load in (0.5, 1.0, 2.0):
        assert policy_laws.md1_room(load, 1) == pytest.approx(laws.erlang_b(load, 1), rel=1e-12)
        assert policy_laws.md1_room(load, 2) == pytest.approx(1.0 - 1.0 / (math.exp(-load) + load), rel=1e-12)
    assert policy_laws.md1_room(2.0, 40) == pytest.approx(0.5, rel=1e-9)


def test_who_waits_in_a_large_room_waits_as_erlang_says() -> None:
    share, waiting = policy_laws.mmck_waiting(320.0, MEAN_S, 4, 150)
    assert share == pytest.approx(laws.erlang_c(3.2, 4), rel=1e-9)
    assert waiting == pytest.approx(320.0 * (laws.mmc_mean(320.0, MEAN_S, 4) - MEAN_S), rel=1e-9)


def test_choices() -> None:
    """Two of countless servers are the supermarket; the shortest of two is better than two draws with replacement."""
    for rho in (0.5, 0.8, 0.95):
        assert policy_laws.power_of_choices(rho, MEAN_S, 2) == pytest.approx(laws.supermarket(rho, MEAN_S), rel=1e-12)
        shortest = laws.shorter_of_two(rho, MEAN_S, 1.0)
        assert laws.mmc_mean(2.0 * rho / MEAN_S, MEAN_S, 2) < shortest < laws.two_choices_of_two(rho, MEAN_S)
        assert laws.shorter_of_two(rho, MEAN_S, 0.5) == pytest.approx(MEAN_S / (1.0 - rho), rel=0.01)
