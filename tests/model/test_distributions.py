"""Scaled distributions: quantiles of scipy's distributions, multiplied."""

from __future__ import annotations

import math

import pytest
from scipy import stats

from meshsim.model.distributions import Distribution, DistributionKind, constant

CASES: list[tuple[DistributionKind, tuple[float, ...]]] = [
    ("constant", (3.0,)), ("exp", (2.0,)), ("lognormal", (0.3, 0.8)), ("gamma", (2.5, 0.4)), ("erlang", (4.0, 2.0)),
    ("hyperexp", (0.3, 1.0, 5.0)), ("pareto", (2.5, 1.0, 9.0)), ("weibull", (0.7, 2.0)), ("uniform", (1.0, 4.0)),
]  # fmt: skip


@pytest.mark.parametrize(("kind", "params"), CASES)
@pytest.mark.parametrize("factor", [0.5, 3.0])
def test_the_mean_and_the_minimum_scale(kind: DistributionKind, params: tuple[float, ...], factor: float) -> None:
    plain = Distribution(kind=kind, params=params)
    assert plain.scaled(factor).mean() == pytest.approx(factor * plain.mean(), rel=1e-12)
    assert plain.scaled(factor).minimum() == pytest.approx(factor * plain.minimum(), rel=1e-12)


@pytest.mark.parametrize("q", [0.01, 0.5, 0.99])
def test_quantiles_scale(q: float) -> None:
    def scipy(d: Distribution) -> stats.rv_continuous:
        p = d.params
        return {
            "lognormal": lambda: stats.lognorm(s=p[1], scale=math.exp(p[0])),
            "gamma": lambda: stats.gamma(p[0], scale=p[1]),
            "erlang": lambda: stats.gamma(p[0], scale=p[1] / p[0]),
            "weibull": lambda: stats.weibull_min(p[0], scale=p[1]),
            "pareto": lambda: stats.truncpareto(p[0], p[2] / p[1], scale=p[1]),
        }[d.kind]()

    for kind, params in CASES:
        if kind in ("lognormal", "gamma", "erlang", "weibull", "pareto"):
            plain = Distribution(kind=kind, params=params)
            assert scipy(plain.scaled(3.0)).ppf(q) == pytest.approx(3.0 * scipy(plain).ppf(q), rel=1e-12)


def test_parts_and_values_scale() -> None:
    observed = Distribution(kind="empirical", values=(1.0, 3.0))
    mixture = Distribution(kind="mixture", weights=(0.5, 0.5), of=(observed, constant(4.0)))
    assert observed.scaled(2.0).values == (2.0, 6.0)
    assert (mixture.scaled(2.0).mean(), mixture.scaled(2.0).minimum()) == (6.0, 2.0)
    assert mixture.scaled(0.0) == constant(0.0) and mixture.scaled(1.0) is mixture


@pytest.mark.parametrize("factor", [-1.0, float("inf"), float("nan")])
def test_factors_that_make_no_sense(factor: float) -> None:
    with pytest.raises(ValueError, match="finite factor"):
        constant(1.0).scaled(factor)


def test_no_multiple_of_a_geometric_count() -> None:
    with pytest.raises(ValueError, match="geometric"):
        Distribution(kind="geometric", params=(4.0,)).scaled(0.5)
