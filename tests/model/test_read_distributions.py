"""Distributions: what is written has the mean, variation and quantiles that scipy computes for its parameters."""

from __future__ import annotations

import math
from typing import Any

import pytest
from scipy import stats

from meshsim.model.distributions import Distribution
from meshsim.model.load import load


def _work(spec: Any) -> Distribution:
    shop = {"replicas": 100, "endpoints": {"get": [{"work": spec}]}}
    web = {"name": "web", "entry": "shop.get", "arrivals": {"poisson": "1/h"}}
    topology = load({"meshsim": 1, "services": {"shop": shop}, "traffic": [web]})
    return topology.services["shop"].versions[0].endpoints["get"][0].work  # type: ignore[union-attr]


def _scipy(d: Distribution) -> Any:
    p = d.params
    return {
        "exp": lambda: stats.expon(scale=p[0]),
        "lognormal": lambda: stats.lognorm(s=p[1], scale=math.exp(p[0])),
        "gamma": lambda: stats.gamma(p[0], scale=p[1]),
        "erlang": lambda: stats.gamma(p[0], scale=p[1] / p[0]),
        "pareto": lambda: stats.truncpareto(p[0], p[2] / p[1], scale=p[1]) if math.isfinite(p[2]) else
        stats.pareto(p[0], scale=p[1]),
        "weibull": lambda: stats.weibull_min(p[0], scale=p[1]),
        "uniform": lambda: stats.uniform(p[0], p[1] - p[0]),
    }[d.kind]()  # fmt: skip


@pytest.mark.parametrize(
    ("spec", "mean", "cv"),
    [({"exp": "2ms"}, 0.002, 1.0), ({"exp": {"mean": "2ms"}}, 0.002, 1.0),
     ({"lognormal": {"mean": "4ms", "cv": 1.5}}, 0.004, 1.5), ({"gamma": {"mean": "4ms", "cv": 0.5}}, 0.004, 0.5),
     ({"erlang": {"k": 4, "mean": "8ms"}}, 0.008, 0.5), ({"uniform": {"low": "1ms", "high": "3ms"}}, 0.002, None),
     ({"weibull": {"shape": 0.7, "mean": "3ms"}}, 0.003, None), ({"gamma": {"shape": 4, "scale": "1ms"}}, 0.004, 0.5)],
)  # fmt: skip
def test_mean_and_variation(spec: Any, mean: float, cv: float | None) -> None:
    distribution = _work(spec)
    reference = _scipy(distribution)
    assert distribution.mean() == pytest.approx(mean, rel=1e-12)
    assert reference.mean() == pytest.approx(mean, rel=1e-9)
    if cv is not None:
        assert reference.std() / reference.mean() == pytest.approx(cv, rel=1e-9)


def test_lognormal_by_quantiles() -> None:
    reference = _scipy(_work({"lognormal": {"p50": "3ms", "p99": "40ms"}}))
    assert reference.ppf(0.5) == pytest.approx(0.003)
    assert reference.ppf(0.99) == pytest.approx(0.040)


@pytest.mark.parametrize("shape", [0.5, 0.999999, 1.0, 1.000001, 1.5, 3.0])
def test_bounded_pareto(shape: float) -> None:
    distribution = _work({"pareto": {"shape": shape, "scale": "1ms", "upper": "5s"}})
    p, low, high = distribution.params
    # the integral of x f(x), substituted to y = log x so that quadrature is exact enough
    from scipy.integrate import quad

    norm = 1.0 - (low / high) ** p
    mean, _ = quad(lambda y: p * low**p * math.exp((1.0 - p) * y) / norm, math.log(low), math.log(high), epsrel=1e-12)
    assert distribution.mean() == pytest.approx(mean, rel=1e-9)


@pytest.mark.parametrize(("shape", "mean"), [(0.9, math.inf), (1.0, math.inf), (2.0, 0.002)])
def test_unbounded_pareto(shape: float, mean: float) -> None:
    assert _work({"pareto": {"shape": shape, "scale": "1ms"}}).mean() == mean


def test_hyperexponential_with_balanced_means() -> None:
    p, mean1, mean2 = _work({"hyperexp": {"mean": "10ms", "cv": 3}}).params
    mean = p * mean1 + (1 - p) * mean2
    square = 2 * (p * mean1**2 + (1 - p) * mean2**2)
    assert mean == pytest.approx(0.010)
    assert math.sqrt(square / mean**2 - 1) == pytest.approx(3.0)
    assert p * mean1 == pytest.approx((1 - p) * mean2)


def test_mixture_and_empirical() -> None:
    mixture = _work({"mixture": [{"weight": 9, "of": "1ms"}, {"weight": "1%", "of": {"exp": "10ms"}}]})
    assert mixture.weights == pytest.approx((9 / 9.01, 0.01 / 9.01))
    assert mixture.mean() == pytest.approx((9 * 0.001 + 0.01 * 0.010) / 9.01)
    assert _work({"empirical": ["3ms", "1ms", "2ms"]}).values == (0.001, 0.002, 0.003)


def test_no_variation_is_a_constant() -> None:
    assert _work({"gamma": {"mean": "4ms", "cv": 0}}) == _work("4ms") == _work({"constant": "4ms"})
