"""One station against closed forms of queueing theory."""

from __future__ import annotations

import math

import numpy as np
import pytest
from builders import (
    closed,
    constant,
    either,
    exp,
    gamma,
    geometric,
    latencies,
    lognormal,
    outcomes,
    plane,
    poisson,
    rows,
    run_long,
    service,
    total,
    work,
)
from estimates import assert_mean
from scipy import optimize, stats

from meshsim.engines.record import OK, QUEUE_FULL
from meshsim.model.distributions import Distribution
from meshsim.model.traffic import Arrivals

MEAN_S = 0.01  # of a service time
RATE = 50.0  # of requests: one core is half busy
SECONDS = 5_000.0


def erlang_c(load: float, servers: int) -> float:
    """Probability of waiting in M/M/c (Erlang, 1917)."""
    terms = [load**k / math.factorial(k) for k in range(servers)]
    last = load**servers / math.factorial(servers) * servers / (servers - load)
    return last / (math.fsum(terms) + last)


def gim1_sojourn(transform: object, mean_s: float) -> float:
    """Mean sojourn of GI/M/1: mean / (1 - sigma), sigma the root of transform((1 - sigma) / mean)."""
    sigma = optimize.brentq(lambda x: transform((1.0 - x) / mean_s) - x, 1e-9, 1.0 - 1e-6)  # type: ignore[operator]
    return float(mean_s / (1.0 - sigma))


@pytest.mark.parametrize("discipline", ["fifo", "lifo", "ps"])
def test_mean_sojourn_of_mm1_under_every_discipline(discipline: str) -> None:
    """M/M/1: 1 / (mu - lambda). LIFO without preemption has FIFO's mean (Conway et al. 1967), so has PS."""
    station = service("a", work(exp(MEAN_S)), discipline=discipline)
    values = latencies(run_long(plane(station, arrivals=poisson(RATE)), SECONDS))
    assert_mean(values, 1.0 / (1.0 / MEAN_S - RATE), within=0.03)


def test_sojourn_of_mm1_fifo_is_exponential() -> None:
    """M/M/1 FIFO: the sojourn time is exponential with rate mu - lambda (Kleinrock 1, 5.12)."""
    values = latencies(run_long(plane(service("a", work(exp(MEAN_S))), arrivals=poisson(RATE)), 6 * SECONDS, seed=2))
    for share in (0.05, 0.25, 0.5):
        assert_mean(values > -math.log(share) / (1.0 / MEAN_S - RATE), share, within=0.05)


@pytest.mark.parametrize(("servers", "rate"), [(2, 120.0), (5, 380.0)])
def test_mean_sojourn_and_waiting_share_of_mmc(servers: int, rate: float) -> None:
    """M/M/c: C(c, a) / (c mu - lambda) + 1 / mu, Erlang's C."""
    record = run_long(plane(service("a", work(exp(MEAN_S)), cores=servers), arrivals=poisson(rate)), 500_000 / rate)
    waiting = erlang_c(rate * MEAN_S, servers)
    assert_mean(latencies(record), waiting / (servers / MEAN_S - rate) + MEAN_S, within=0.03)


def test_concurrency_limit_makes_mmc() -> None:
    """With cores without end, c slots are the servers of M/M/c; the share that waits is Erlang's C."""
    station = service("a", work(exp(MEAN_S)), cores=math.inf, concurrency=3)
    record = run_long(plane(station, arrivals=poisson(200.0)), 2_000.0)
    waiting = erlang_c(2.0, 3)
    assert_mean(latencies(record), waiting / (300.0 - 200.0) + MEAN_S, within=0.03)
    share = record.services["waited"][0, 4:40] / record.services["requests"][0, 4:40]
    error = share.std(ddof=1) / 6.0
    assert abs(share.mean() - waiting) < 4.0 * error < 0.03 * waiting


@pytest.mark.parametrize(
    ("demand", "squared_cv"),
    [(constant(MEAN_S), 0.0), (lognormal(MEAN_S, 1.5), 2.25), (gamma(MEAN_S, 0.5), 0.25)],
    ids=["M/D/1", "M/lognormal/1", "M/gamma/1"],
)
def test_pollaczek_khinchine(demand: Distribution, squared_cv: float) -> None:
    """M/G/1 FIFO: mean wait is rho E[S] (1 + cv^2) / (2 (1 - rho)) (Pollaczek 1930, Khinchine 1932)."""
    values = latencies(run_long(plane(service("a", work(demand)), arrivals=poisson(RATE)), 3 * SECONDS))
    wait = 0.5 * MEAN_S * (1.0 + squared_cv) / (2.0 * 0.5)
    assert_mean(values, MEAN_S + wait, within=0.05)


@pytest.mark.parametrize(
    ("arrivals", "transform"),
    [
        (Arrivals(kind="constant", rate_per_s=RATE), lambda s: math.exp(-s / RATE)),
        (Arrivals(kind="renewal", gap=gamma(1.0 / RATE, 1.5)), lambda s: (1.0 + s * 2.25 / RATE) ** (-1 / 2.25)),
        (Arrivals(kind="renewal", gap=Distribution(kind="erlang", params=(3.0, 1.0 / RATE))),
         lambda s: (1.0 + s / (3.0 * RATE)) ** -3),
    ],
    ids=["D/M/1", "gamma/M/1", "E3/M/1"],
)  # fmt: skip
def test_gim1(arrivals: Arrivals, transform: object) -> None:
    """GI/M/1: mean sojourn is E[S] / (1 - sigma), sigma the root of A*((1 - sigma) mu) = sigma (Kleinrock 1, ch. 6)."""
    values = latencies(run_long(plane(service("a", work(exp(MEAN_S))), arrivals=arrivals), 2.5 * SECONDS))
    assert_mean(values, gim1_sojourn(transform, MEAN_S), within=0.03)


def test_batch_arrivals() -> None:
    """M^[X]/M/1, geometric batches: mean sojourn is (1 + E[X^2]/E[X]) / (2 mu (1 - rho)) = m / (mu (1 - rho))."""
    arrivals = Arrivals(kind="batch", rate_per_s=40.0, size=geometric(2.0))
    values = latencies(run_long(plane(service("a", work(exp(MEAN_S))), arrivals=arrivals), 10_000.0))
    assert_mean(values, 2.0 * MEAN_S / 0.6, within=0.03)


def test_loss_of_mm_c_k() -> None:
    """M/M/2/5: the share of rejected requests is the probability of a full system, p_5 (birth and death process)."""
    station = service("a", work(exp(MEAN_S)), cores=2, concurrency=2, queue=3)
    record = run_long(plane(station, arrivals=poisson(200.0)), 3_000.0)
    weights = np.array([2.0**n / (math.factorial(n) if n <= 2 else 2.0 * 2.0 ** (n - 2)) for n in range(6)])
    chances = weights / weights.sum()
    rejected = np.array(outcomes(record)) == QUEUE_FULL
    assert_mean(rejected, chances[5], within=0.03)
    served = latencies(record)[~rejected]
    mean_present = float(np.dot(np.arange(6), chances))
    assert_mean(served, mean_present / (200.0 * (1.0 - chances[5])), within=0.03)
    assert record.requests is not None  # those after the duration met full queues too
    assert total(record, 0, "rejected") == (record.requests["outcome"] == QUEUE_FULL).sum()


def test_erlang_b_is_insensitive() -> None:
    """M/G/c/c: loss is Erlang's B whatever the distribution (Sevastyanov 1957)."""
    station = service("a", work(lognormal(MEAN_S, 2.0)), cores=math.inf, concurrency=4, queue=0)
    record = run_long(plane(station, arrivals=poisson(300.0)), 2_000.0)
    weights = [3.0**n / math.factorial(n) for n in range(5)]
    assert_mean(np.array(outcomes(record)) == QUEUE_FULL, weights[4] / sum(weights), within=0.03)


def test_processor_sharing_is_insensitive_and_fair() -> None:
    """M/G/1-PS: E[T | x] = x / (1 - rho) for every demand x, hence E[T] = E[S] / (1 - rho) (Kleinrock 2, 4.4)."""
    demand = either(0.8, constant(0.004), constant(0.034))
    record = run_long(plane(service("a", work(demand), discipline="ps"), arrivals=poisson(RATE)), SECONDS, spans=True)
    sojourn, used = latencies(record), record.spans["demand_ns"] / 1e9
    assert np.array_equal(record.spans["request"], rows(record)["number"])
    assert_mean(sojourn, MEAN_S / 0.5, within=0.03)
    for x in (0.004, 0.034):
        assert_mean(sojourn[np.isclose(used, x)], x / 0.5, within=0.03)


def test_processor_sharing_with_cores_is_mm_c_in_number() -> None:
    """M/M/c-PS (a job gets at most one core) has the numbers in system, hence the mean sojourn, of M/M/c."""
    station = service("a", work(exp(MEAN_S)), cores=3, discipline="ps")
    values = latencies(run_long(plane(station, arrivals=poisson(200.0)), 2_000.0))
    assert_mean(values, erlang_c(2.0, 3) / (300.0 - 200.0) + MEAN_S, within=0.03)


def test_fraction_of_a_core_is_a_slower_server() -> None:
    """Half a core under FIFO and PS serves at half speed: M/M/1 with twice the service time."""
    for discipline in ("fifo", "ps"):
        station = service("a", work(exp(MEAN_S)), cores=0.5, discipline=discipline)
        values = latencies(run_long(plane(station, arrivals=poisson(20.0)), 10_000.0))
        assert_mean(values, 1.0 / (50.0 - 20.0), within=0.03)


def test_threads_split_a_station() -> None:
    """Two threads, each with half of two cores and half of the traffic, are two M/M/1, not one M/M/2."""
    station = service("a", work(exp(MEAN_S)), cores=2, threads=2)
    values = latencies(run_long(plane(station, arrivals=poisson(100.0)), 2_500.0))
    assert_mean(values, 1.0 / (100.0 - 50.0), within=0.03)


def test_unlimited_cores_are_m_g_infinity() -> None:
    """M/G/infinity: the sojourn is the demand, the number present is Poisson with mean lambda E[S] (Takacs 1962)."""
    station = service("a", work(lognormal(0.1, 1.0)), cores=math.inf)
    record = run_long(plane(station, arrivals=poisson(200.0)), 600.0)
    assert_mean(latencies(record), 0.1, within=0.05)
    counted = rows(record)
    epochs = np.arange(5, 599) * 1_000_000_000  # a second is ten service times: nearly independent
    present = ((counted["arrival_ns"] <= epochs[:, None]) & (counted["end_ns"] > epochs[:, None])).sum(axis=1)
    assert abs(present.mean() - 20.0) < 4.0 * math.sqrt(20.0 / len(epochs))
    dispersion = ((present - present.mean()) ** 2).sum() / present.mean()
    assert 1e-4 < stats.chi2.cdf(dispersion, len(epochs) - 1) < 1.0 - 1e-4


def test_closed_loop_is_the_machine_repairman() -> None:
    """N users, think time Z, one exponential server: M/M/1//N, throughput mu (1 - p_0), R = N / X - Z (Little)."""
    users, think, mean = 8, 0.05, 0.01
    record = run_long(plane(service("a", work(exp(mean))), arrivals=closed(users, exp(think))), 1_500.0)
    ratio = mean / think
    weights = [math.factorial(users) / math.factorial(users - n) * ratio**n for n in range(users + 1)]
    throughput = (1.0 - weights[0] / sum(weights)) / mean
    assert_mean(latencies(record), users / throughput - think, within=0.03)
    assert set(outcomes(record)) == {OK}


def test_closed_loop_is_insensitive_to_the_think_time() -> None:
    """The think station is a delay station: in product form only its mean matters (BCMP 1975)."""
    users, think, mean = 8, 0.05, 0.01
    record = run_long(plane(service("a", work(exp(mean))), arrivals=closed(users, lognormal(think, 1.5))), 1_500.0)
    ratio = mean / think
    weights = [math.factorial(users) / math.factorial(users - n) * ratio**n for n in range(users + 1)]
    throughput = (1.0 - weights[0] / sum(weights)) / mean
    assert_mean(latencies(record), users / throughput - think, within=0.03)
