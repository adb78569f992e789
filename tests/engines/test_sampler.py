"""Every kind of distribution against scipy.stats."""

from __future__ import annotations

import math
from collections.abc import Callable

import numpy as np
import numpy.typing as npt
import pytest
from builders import either, exp, geometric
from scipy import special, stats

from meshsim.engines.keyed import WORK, run_key, unit
from meshsim.engines.sampler import draw, normal_quantile, whole
from meshsim.engines.tables import Distributions
from meshsim.model.distributions import Distribution

N = 20_000
KEY = run_key(7, 0, 0)
POSITION = 42


def D(kind: str, *params: float, **fields: object) -> Distribution:
    return Distribution(kind=kind, params=params, **fields)  # type: ignore[arg-type]


def draws(distribution: Distribution, scale: float = 1.0, n: int = N) -> npt.NDArray[np.float64]:
    packed = Distributions()
    number = packed.add(distribution, scale)
    rows, table = packed.array(), packed.table()
    return np.array([draw(rows, table, number, KEY + i, WORK, POSITION) for i in range(n)])


def bounded_pareto_cdf(x: npt.NDArray[np.float64]) -> npt.NDArray[np.float64]:
    return (1.0 - (2.0 / x) ** 1.1) / (1.0 - (2.0 / 50.0) ** 1.1)


def hyperexp_cdf(x: npt.NDArray[np.float64]) -> npt.NDArray[np.float64]:
    return 1.0 - 0.3 * np.exp(-x / 5.0) - 0.7 * np.exp(-x / 0.5)


CONTINUOUS: list[tuple[Distribution, Callable[..., object]]] = [
    (D("exp", 3.0), stats.expon(scale=3.0).cdf),
    (D("lognormal", 0.5, 1.2), stats.lognorm(1.2, scale=math.exp(0.5)).cdf),
    (D("gamma", 2.5, 0.8), stats.gamma(2.5, scale=0.8).cdf),
    (D("gamma", 0.4, 2.0), stats.gamma(0.4, scale=2.0).cdf),
    (D("gamma", 1.0, 2.0), stats.expon(scale=2.0).cdf),
    (D("erlang", 4.0, 2.0), stats.gamma(4.0, scale=0.5).cdf),
    (D("hyperexp", 0.3, 5.0, 0.5), hyperexp_cdf),
    (D("pareto", 2.5, 1.5, math.inf), stats.pareto(2.5, scale=1.5).cdf),
    (D("pareto", 1.1, 2.0, 50.0), bounded_pareto_cdf),
    (D("weibull", 0.7, 2.0), stats.weibull_min(0.7, scale=2.0).cdf),
    (D("weibull", 3.0, 2.0), stats.weibull_min(3.0, scale=2.0).cdf),
    (D("uniform", 1.0, 4.0), stats.uniform(1.0, 3.0).cdf),
]
_names = [f"{d.kind}{d.params}" for d, _ in CONTINUOUS]


@pytest.mark.parametrize(("distribution", "cdf"), CONTINUOUS, ids=_names)
def test_draws_follow_their_distribution(distribution: Distribution, cdf: Callable[..., object]) -> None:
    """Kolmogorov-Smirnov on 20,000 draws, and the mean that the model promises (four standard errors)."""
    values = draws(distribution)
    assert stats.kstest(values, cdf).pvalue > 1e-3
    assert abs(values.mean() - distribution.mean()) < 4.0 * values.std() / math.sqrt(N)
    assert abs(np.corrcoef(values[1:], values[:-1])[0, 1]) < 4.5 / math.sqrt(N)


INVERSE: list[tuple[Distribution, Callable[..., object]]] = [
    (D("exp", 3.0), stats.expon(scale=3.0).ppf),
    (D("lognormal", 0.5, 1.2), stats.lognorm(1.2, scale=math.exp(0.5)).ppf),
    (D("pareto", 2.5, 1.5, math.inf), stats.pareto(2.5, scale=1.5).ppf),
    (D("pareto", 1.1, 2.0, 50.0), lambda u: 2.0 * (1.0 - u * (1.0 - 0.04**1.1)) ** (-1.0 / 1.1)),
    (D("weibull", 0.7, 2.0), stats.weibull_min(0.7, scale=2.0).ppf),
    (D("uniform", 1.0, 4.0), stats.uniform(1.0, 3.0).ppf),
    (geometric(4.0), stats.geom(0.25).ppf),
]


@pytest.mark.parametrize(("distribution", "quantile"), INVERSE, ids=[f"{d.kind}{d.params}" for d, _ in INVERSE])
def test_draws_are_quantiles_of_one_uniform(distribution: Distribution, quantile: Callable[..., object]) -> None:
    """Inversion: runs with other parameters stay paired, draw by draw."""
    uniforms = np.array([unit(KEY + i, WORK, POSITION, 0) for i in range(1_000)])
    np.testing.assert_allclose(draws(distribution, n=1_000), quantile(uniforms), rtol=1e-9)


def test_normal_quantile_is_accurate_into_the_tails() -> None:
    """AS 241 against scipy, from 1e-16 to 1 - 1e-16."""
    tails = np.logspace(-16, -1, 200)
    u = np.concatenate([tails, np.linspace(0.05, 0.95, 401), 1.0 - tails[tails > 1e-14]])
    np.testing.assert_allclose([normal_quantile(x) for x in u], special.ndtri(u), rtol=2e-12, atol=1e-15)


def test_geometric_counts() -> None:
    """Integers from 1 with P(k) = (1 - p)^(k - 1) p, chi squared; a mean of 1 is always 1."""
    values = draws(geometric(4.0)).astype(int)
    observed = np.bincount(np.minimum(values, 15), minlength=16)[1:]
    chances = stats.geom(0.25).pmf(np.arange(1, 16))
    chances[-1] = stats.geom(0.25).sf(14)
    assert stats.chisquare(observed, chances * N).pvalue > 1e-3
    assert set(draws(geometric(1.0), n=100)) == {1.0}


def test_empirical_draws_every_observation_alike() -> None:
    """Observations with equal chances, one that occurs twice twice as often."""
    values = draws(D("empirical", values=(1.0, 2.0, 2.0, 7.0)), scale=10.0)
    observed = [int((values == x).sum()) for x in (10.0, 20.0, 70.0)]
    assert stats.chisquare(observed, [N / 4, N / 2, N / 4]).pvalue > 1e-3


def test_mixtures_of_mixtures() -> None:
    """Weights choose parts, parts may be mixtures and lists; the choice is independent of the draw within the part."""
    inner = either(0.5, D("constant", 5.0), D("empirical", values=(7.0, 8.0)))
    values = draws(either(0.2, D("constant", 1.0), inner))
    observed = [int((values == x).sum()) for x in (1.0, 5.0, 7.0, 8.0)]
    assert stats.chisquare(observed, np.array([0.2, 0.4, 0.2, 0.2]) * N).pvalue > 1e-3
    mixed = draws(either(0.5, exp(1.0), exp(1.0)))
    assert stats.kstest(mixed, stats.expon.cdf).pvalue > 1e-3


@pytest.mark.parametrize("distribution", [d for d, _ in CONTINUOUS], ids=_names)
def test_units_scale_draws(distribution: Distribution) -> None:
    """Seconds packed as nanoseconds are the same draws times 1e9."""
    np.testing.assert_allclose(draws(distribution, 1e9, 300), 1e9 * draws(distribution, n=300), rtol=1e-9)


def test_rounding_is_done_once_half_up() -> None:
    """Rule R4: half up, nothing negative, nothing absurd."""
    values = [0.0, 0.49, 0.5, 1.5, 2.5, -3.0, math.nan, math.inf, 1e300, 123456789.4]
    assert [whole(x) for x in values] == [0, 0, 1, 2, 3, 0, 0, 2**53, 2**53, 123456789]
