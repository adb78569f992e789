"""Estimates against closed forms: exact where theory is exact, two moments always, quantiles to the grid's step."""

from __future__ import annotations

import math

import numpy as np
import pytest
from builders import (
    call,
    choose,
    closed,
    constant,
    entry,
    exp,
    fail,
    fork,
    gamma,
    geometric,
    lognormal,
    network,
    plane,
    poisson,
    service,
    work,
)
from scipy import stats

from meshsim.analytic.queues import Offered, Shared, shares_of_two
from meshsim.analytic.result import Estimate
from meshsim.analytic.screen import Screen
from meshsim.analytic.staffing import square_root_staffing
from meshsim.architectures.plane import PlaneStep
from meshsim.model.distributions import Distribution
from meshsim.model.steps import Wait
from meshsim.model.traffic import Arrivals
from meshsim.results.theory import erlang_c, second_moment, third_moment, waiting_ps

QUANTILES = (0.5, 0.9, 0.99, 0.999)


def wait(of: Distribution) -> Wait:
    return Wait(wait=of)


def alone(*steps: PlaneStep, rate: float = 1.0, **fields: object) -> Estimate:
    """One service."""
    return Screen(plane(service("a", *steps, **fields), arrivals=poisson(rate))).estimate()  # type: ignore[arg-type]


def unlimited(*steps: PlaneStep) -> Estimate:
    """A service at which nothing ever waits."""
    return alone(*steps, cores=math.inf, threads=None)


@pytest.mark.parametrize("rho", [0.1, 0.5, 0.9, 0.97])
def test_mm1_in_line_is_exponential(rho: float) -> None:
    latency = alone(work(exp(1.0)), rate=rho).latency
    mean = 1.0 / (1.0 - rho)
    assert latency.mean_s == pytest.approx(mean) and latency.variance_s2 == pytest.approx(mean**2)
    for q in QUANTILES:
        assert latency.quantile_s(q) == pytest.approx(-mean * math.log1p(-q), rel=0.01), q
        assert latency.share_below(-mean * math.log1p(-q)) == pytest.approx(q, abs=0.002)


@pytest.mark.parametrize("cores", [2, 5, 16])
def test_mmc_in_line(cores: int) -> None:
    found = alone(work(exp(1.0)), rate=0.8 * cores, cores=float(cores))
    waits = erlang_c(0.8 * cores, cores)
    assert found.latency.mean_s == pytest.approx(1.0 + waits / (0.2 * cores))
    assert found.stations["a"].wait_s == pytest.approx(waits / (0.2 * cores))
    assert found.stations["a"].utilisation == pytest.approx(0.8)
    variance = 1.0 + waits * (2.0 - waits) / (0.2 * cores) ** 2
    assert found.latency.variance_s2 == pytest.approx(variance)
    assert found.stations["a"].sojourn_variance_s2 == pytest.approx(variance)


@pytest.mark.parametrize("of", [constant(1.0), gamma(1.0, 0.5), lognormal(1.0, 2.0), exp(1.0)])
def test_mg1_in_line_has_pollaczeks_mean_and_takacs_variance(of: Distribution) -> None:
    rho, second = 0.7, second_moment(of)
    latency = alone(work(of), rate=rho).latency
    mean = rho * second / (2.0 * (1.0 - rho))
    assert latency.mean_s == pytest.approx(1.0 + mean)
    variance = mean**2 + rho * third_moment(of) / (3.0 * (1.0 - rho)) + second - 1.0
    assert latency.variance_s2 == pytest.approx(variance)


@pytest.mark.parametrize("of", [constant(1.0), gamma(1.0, 0.5), lognormal(1.0, 2.0), exp(1.0)])
@pytest.mark.parametrize("cores", [0.5, 1.0, 1.5, 4.0])
def test_sharing_does_not_look_at_the_distribution(of: Distribution, cores: float) -> None:
    load = 0.8 * cores
    latency = alone(work(of), rate=load, cores=cores, discipline="ps").latency
    assert latency.mean_s == pytest.approx(1.0 / min(cores, 1.0) + waiting_ps(load, cores) / load)


@pytest.mark.parametrize("rho", [0.2, 0.5, 0.8, 0.95])
def test_mm1_shared_has_the_variance_of_coffman_muntz_and_trotter(rho: float) -> None:
    """E. G. Coffman, R. R. Muntz and H. Trotter, "Waiting time distributions for processor-sharing systems" (1970)."""
    latency = alone(work(exp(1.0)), rate=rho, discipline="ps").latency
    assert latency.variance_s2 == pytest.approx((2.0 + rho) / (2.0 - rho) / (1.0 - rho) ** 2, rel=1e-6)


def test_slots_are_servers() -> None:
    found = alone(wait(exp(1.0)), rate=2.4, cores=math.inf, threads=None, concurrency=3)
    assert found.latency.mean_s == pytest.approx(1.0 + erlang_c(2.4, 3) / 0.6, rel=1e-3)
    full = alone(wait(exp(1.0)), rate=3.1, cores=math.inf, threads=None, concurrency=3)
    assert full.unstable == ("a",) and "all slots of a are taken" in full.notes


@pytest.mark.parametrize(("branches", "quorum"), [(2, None), (5, None), (10, None), (5, 2)])
def test_fan_out_of_exponentials(branches: int, quorum: int | None) -> None:
    latency = unlimited(fork(*[[wait(exp(1.0))]] * branches, quorum=quorum)).latency
    needed = branches if quorum is None else quorum
    assert latency.mean_s == pytest.approx(sum(1.0 / (branches - k) for k in range(needed)), rel=0.005)
    for q in QUANTILES:
        one = stats.beta(needed, branches - needed + 1).ppf(q)  # order statistics of uniforms
        assert latency.quantile_s(q) == pytest.approx(-math.log1p(-one), rel=0.02), q


def test_sums_mixtures_and_counts() -> None:
    erlang = unlimited(*[wait(exp(1.0))] * 4).latency
    either = unlimited(choose((0.9, [wait(exp(1.0))]), (0.1, [wait(exp(20.0))]))).latency
    for q in QUANTILES:
        assert erlang.quantile_s(q) == pytest.approx(stats.gamma(4).ppf(q), rel=0.01)
        assert 0.9 * math.exp(-(t := either.quantile_s(q))) + 0.1 * math.exp(-t / 20.0) == pytest.approx(
            1.0 - q, rel=0.06
        )
    several = [service("a", call("b", times=geometric(3.0)), cores=math.inf), service("b", wait(exp(1.0)))]
    latency = Screen(plane(*several, arrivals=poisson(1.0))).estimate().latency
    assert latency.mean_s == pytest.approx(3.0) and latency.variance_s2 == pytest.approx(9.0)
    assert latency.quantile_s(0.99) == pytest.approx(-3.0 * math.log(0.01), rel=0.01)


@pytest.mark.parametrize(
    "of",
    [
        lognormal(1.0, 0.3),
        lognormal(1.0, 1.5),
        Distribution(kind="weibull", params=(0.7, 1.0)),
        Distribution(kind="uniform", params=(1.0, 3.0)),
        Distribution(kind="pareto", params=(3.0, 1.0, 50.0)),
        Distribution(kind="hyperexp", params=(0.9, 0.5, 5.0)),
        Distribution(kind="erlang", params=(3, 1.0)),
    ],
    ids=lambda of: of.kind,
)
def test_draws_have_their_quantiles(of: Distribution) -> None:
    latency = unlimited(wait(of)).latency
    exact = {
        "lognormal": lambda q: stats.lognorm(of.params[1], scale=math.exp(of.params[0])).ppf(q),
        "weibull": lambda q: stats.weibull_min(0.7).ppf(q),
        "uniform": lambda q: 1.0 + 2.0 * q,
        "pareto": lambda q: (1.0 - q * (1.0 - 50.0**-3.0)) ** (-1.0 / 3.0),
        "erlang": lambda q: stats.gamma(3, scale=1.0 / 3.0).ppf(q),
    }
    for q in QUANTILES if of.kind in exact else ():
        assert latency.quantile_s(q) == pytest.approx(exact[of.kind](q), rel=0.015), q
    assert latency.mean_s == pytest.approx(of.mean())
    assert latency.variance_s2 == pytest.approx(second_moment(of) - of.mean() ** 2)


def test_the_shorter_of_two_queues() -> None:
    assert shares_of_two(0.8, 1.0)[:4] == pytest.approx([1.0, 0.8, 0.8**3, 0.8**7])
    for load, cores in ((1.2, 2.0), (3.0, 4.0), (1.1, 1.5), (3.3, 3.7), (0.3, 0.5)):
        shares = np.array(shares_of_two(load, cores))
        served = np.minimum(np.arange(len(shares) - 1), cores) @ -np.diff(shares)
        assert served == pytest.approx(load, rel=1e-6)  # as many go as come
        assert np.all(np.diff(shares) <= 0.0)
    looked = [Shared(Offered(0.8, 1.0, 2.0, 6.0, 1.0, share), 1.0)._factors[0] for share in (0.0, 0.5, 1.0)]
    assert looked[0] == pytest.approx(4.0) and looked[0] > looked[1] > looked[2]


@pytest.mark.parametrize("load", [4.0, 30.0, 300.0])
@pytest.mark.parametrize("chance", [0.05, 0.2, 0.5])
def test_square_root_staffing_is_near_erlang(load: float, chance: float) -> None:
    needed = next(n for n in range(math.ceil(load) + 1, 1000) if erlang_c(load, n) <= chance)
    assert square_root_staffing(load, chance) == pytest.approx(needed, abs=2.0)


def test_batches_wait_for_those_before_them() -> None:
    """M^X/M/1: batches of k wait ρ / (1 - ρ) and half of (k - 1) / (1 - ρ) (Gross and Harris)."""
    for discipline in ("fifo", "ps"):
        arrivals = Arrivals(kind="batch", rate_per_s=0.5, size=constant(4.0))
        found = Screen(plane(service("a", work(exp(1.0)), discipline=discipline), arrivals=arrivals)).estimate()
        assert found.latency.mean_s == pytest.approx(1.0 + 1.0 + 1.5 / 0.5)


def test_a_chain_in_a_network() -> None:
    """Jackson's: each station as if it were alone; delays go both ways."""
    parts = [
        service("a", work(exp(1.0)), call("b", p=0.5), nodes=[0]),
        service("b", work(exp(0.5)), nodes=[1]),
    ]
    delays = network(client=100.0, same_zone=10.0)
    found = Screen(plane(*parts, arrivals=poisson(0.6), delays=delays)).estimate()
    expected = 0.2 + 1.0 / (1.0 - 0.6) + 0.5 * (0.02 + 0.5 / (1.0 - 0.15))
    assert found.latency.mean_s == pytest.approx(expected)
    assert found.stations["b"].requests_per_s == pytest.approx(0.3)


def test_too_much_is_told() -> None:
    parts = [service("a", call("b", p=0.5), cores=math.inf), service("b", work(exp(1.0)))]
    entries = [entry("much", "a", poisson(2.4)), entry("other", "c", poisson(1.0))]
    found = Screen(plane(*parts, service("c", wait(exp(1.0))), entries=entries)).estimate()
    assert found.unstable == ("b",) and found.stations["b"].utilisation == pytest.approx(1.2)
    assert math.isinf(found.streams["much"].latency.mean_s) and math.isinf(found.latency.quantile_s(0.99))
    assert found.streams["much"].latency.share_below(100.0) == 0.0
    assert found.streams["other"].latency.mean_s == pytest.approx(1.0)
    assert found.latency.quantile_s(0.2) < 2.0  # three in ten are quick
    assert found.to_dict()["streams"]["much"]["p99_s"] is None


def test_availability_is_what_steps_say() -> None:
    leaf = service("b", fail(0.1), wait(exp(1.0)))
    for fields, expected in (({}, 0.9), ({"optional": True}, 1.0), ({"retries": 1}, 0.99), ({"p": 0.5}, 0.95)):
        found = Screen(plane(service("a", call("b", **fields)), leaf, arrivals=poisson(1.0))).estimate()
        assert found.availability == pytest.approx(expected)


def test_closed_loops_say_that_they_are_not_supported() -> None:
    found = Screen(plane(service("a", work(exp(1.0))), arrivals=closed(3, exp(1.0)))).estimate()
    assert found.total.requests_per_s == 0.0 and any("closed loop" in note for note in found.notes)
