"""Arrival processes against their laws: counts, dispersion, intervals, and requests of sessions."""

from __future__ import annotations

import math

import numpy as np
import numpy.typing as npt
import pytest
from builders import constant, entry, exp, gamma, geometric, plane, poisson, rows, run, service, wait_ms
from estimates import assert_count
from scipy import integrate, stats

from meshsim.engines import arrivals as process
from meshsim.engines.keyed import run_key
from meshsim.engines.pack import pack
from meshsim.model.traffic import Arrivals, Sessions


def times_s(arrivals: Arrivals, until_s: float, *, seed: int = 1, load: float = 1.0) -> npt.NDArray[np.float64]:
    """Times of all requests before `until_s`, a batch's request by request."""
    program = pack(plane(service("a"), arrivals=arrivals, load=load))
    tables = (program.streams, program.points, program.distributions, program.table)
    states = np.zeros(1, dtype=process.ARRIVAL_STATE)
    run = run_key(seed, 0, 0)
    process.start(program.streams, program.points, states, 0, run)
    times: list[float] = []
    while True:
        size = process.next_event(*tables, states, 0, run)
        time_ns = int(states["due_ns"][0])
        if time_ns >= until_s * 1e9:
            return np.array(times)
        times.extend([time_ns / 1e9] * size)


def counts(times: npt.NDArray[np.float64], width: float, until_s: float) -> npt.NDArray[np.int64]:
    return np.histogram(times, bins=np.arange(round(until_s / width) + 1) * width)[0]


def assert_poisson(times: npt.NDArray[np.float64], edges: list[float], expected: list[float]) -> None:
    """Counts between the edges are Poisson with the given means, and together no more or less spread than that."""
    observed = np.histogram(times, bins=edges)[0]
    means = np.array(expected)
    some = means > 0
    assert observed[~some].sum() == 0
    for seen, mean in zip(observed[some], means[some], strict=True):
        assert_count(seen, mean, mean)
    chi2 = float(((observed - means)[some] ** 2 / means[some]).sum())
    assert 1e-4 < stats.chi2.cdf(chi2, some.sum()) < 1.0 - 1e-4


def test_poisson_gaps_are_exponential() -> None:
    """Gaps of a Poisson process are exponential and independent: Kolmogorov-Smirnov and lag-1 correlation."""
    gaps = np.diff(times_s(poisson(1000.0), 20.0))
    assert stats.kstest(gaps, stats.expon(scale=1e-3).cdf).pvalue > 1e-4
    assert abs(np.corrcoef(gaps[1:], gaps[:-1])[0, 1]) < 4.0 / math.sqrt(len(gaps))


def test_load_scales_every_open_kind_alike() -> None:
    """`run.load` of 2 is the same process twice as fast: each time is halved (to the nanosecond for those by gaps)."""
    kinds = [
        poisson(100.0),
        Arrivals(kind="constant", rate_per_s=100.0),
        Arrivals(kind="renewal", gap=gamma(0.01, 2.0)),
        Arrivals(kind="batch", rate_per_s=100.0, size=geometric(4.0)),
        Arrivals(kind="trace", times_s=tuple(i * 0.013 for i in range(200))),
    ]
    for arrivals in kinds:
        once, twice = times_s(arrivals, 2.0), times_s(arrivals, 1.0, load=2.0)
        n = min(len(once), len(twice))
        assert n > 100
        np.testing.assert_allclose(twice[:n], once[:n] / 2.0, atol=1e-6)


def test_batches_have_geometric_sizes_and_the_given_rate_of_requests() -> None:
    """Compound Poisson: with batches of mean m, counts have mean rate x t and variance rate x t x E[X^2] / E[X]."""
    times = times_s(Arrivals(kind="batch", rate_per_s=1000.0, size=geometric(4.0)), 20.0)
    assert_count(len(times), 20_000.0, 20_000.0 * (2.0 * 4.0 - 1.0))
    sizes = np.unique(times, return_counts=True)[1]
    for k in (1, 2, 5):
        chance = 0.25 * 0.75 ** (k - 1)
        assert_count((sizes == k).sum(), len(sizes) * chance, len(sizes) * chance * (1 - chance))


def test_renewal_gaps_have_the_given_distribution() -> None:
    """Gaps of a renewal process are independent draws: Kolmogorov-Smirnov against scipy's gamma."""
    gaps = np.diff(times_s(Arrivals(kind="renewal", gap=gamma(0.001, 1.2)), 15.0), prepend=0.0)
    assert stats.kstest(gaps, stats.gamma(1.0 / 1.44, scale=0.00144).cdf).pvalue > 1e-4


def test_mmpp_rate_and_index_of_dispersion() -> None:
    """Two-state MMPP: mean rate and IDC(t) = 1 + 2 (r1-r2)^2 w1 w2 / (rate s) (1 - (1-e^(-st)) / (st)).

    s is the sum of both switching rates, w the shares of time (Fischer and Meier-Hellstern 1993, "The MMPP cookbook").
    """
    high, low, stay_high, stay_low = 300.0, 20.0, 0.5, 1.5
    arrivals = Arrivals(kind="mmpp", rates_per_s=(high, low), stay_s=(stay_high, stay_low))
    seconds, width = 700.0, 2.0
    seen = np.concatenate([counts(times_s(arrivals, seconds, seed=seed), width, seconds) for seed in (1, 2, 3)])
    share = stay_high / (stay_high + stay_low)
    rate = share * high + (1.0 - share) * low
    speed = 1.0 / stay_high + 1.0 / stay_low
    swing = 2.0 * (high - low) ** 2 * share * (1.0 - share) / (rate * speed)
    idc = 1.0 + swing * (1.0 - (1.0 - math.exp(-speed * width)) / (speed * width))
    limit_variance = rate * width * (1.0 + swing) * len(seen)  # of the total, for long spans
    assert_count(seen.sum(), rate * width * len(seen), limit_variance)
    blocks = ((seen - rate * width) ** 2).reshape(30, -1).mean(axis=1) / (rate * width)
    error = blocks.std(ddof=1) / math.sqrt(len(blocks))
    assert abs(blocks.mean() - idc) < 4.0 * error < 0.3 * idc


def test_mmpp_begins_in_equilibrium() -> None:
    """The state at time 0 has the probability of its share of time, so even the first instants have the mean rate."""
    arrivals = Arrivals(kind="mmpp", rates_per_s=(1000.0, 0.0), stay_s=(1.0, 3.0))
    first = [len(times_s(arrivals, 0.01, seed=seed)) for seed in range(400)]
    on = sum(n > 0 for n in first)
    chance = 0.25 * (1.0 - math.exp(-10.0))
    assert_count(on, 400 * chance, 400 * chance * (1.0 - chance) + 2.0)


def test_rate_in_steps() -> None:
    """Inhomogeneous Poisson: counts of disjoint intervals are Poisson with the integral of the rate (Cinlar 1975)."""
    points = ((1.0, 2000.0), (2.0, 0.0), (3.0, 500.0), (5.0, 4000.0))
    times = times_s(Arrivals(kind="rate", points=points), 6.0)
    assert_poisson(times, [0, 0.5, 1, 1.5, 2, 3, 4, 5, 6], [1000, 1000, 1000, 1000, 0, 500, 500, 4000])


def test_rate_that_ends_at_zero_ends() -> None:
    """After a last rate of zero nothing arrives any more."""
    times = times_s(Arrivals(kind="rate", points=((0.0, 1000.0), (1.0, 0.0))), 1e6)
    assert times.max() < 1.0
    assert_count(len(times), 1000.0, 1000.0)


def test_rate_between_points_is_linear() -> None:
    """Linear interpolation: counts have the areas of the trapezia, falling and rising, down to zero."""
    points = ((0.0, 0.0), (4.0, 4000.0), (6.0, 0.0), (8.0, 1000.0))
    times = times_s(Arrivals(kind="rate", points=points, interpolate="linear"), 9.0)
    assert_poisson(times, [0, 1, 2, 4, 5, 6, 7, 8, 9], [500, 1500, 6000, 3000, 1000, 250, 750, 1000])


def test_diurnal_rate() -> None:
    """A sinusoid with its peak where it was asked for: counts have its integrals."""
    mean, peak, period, peak_at = 2000.0, 3500.0, 10.0, 7.0
    times = times_s(Arrivals(kind="rate", diurnal=(mean, peak, period, peak_at)), 10.0)
    edges = [float(i) for i in range(11)]

    def rate(t: float) -> float:
        return mean + (peak - mean) * math.cos(2.0 * math.pi * (t - peak_at) / period)

    areas = [integrate.quad(rate, a, a + 1.0)[0] for a in edges[:-1]]
    assert_poisson(times, edges, areas)


def test_spike_is_a_step_up_and_down() -> None:
    """Stored as rate points: base, peak, base."""
    points = ((0.0, 500.0), (2.0, 5000.0), (3.0, 500.0))
    times = times_s(Arrivals(kind="spike", points=points), 5.0)
    assert_poisson(times, [0, 1, 2, 2.5, 3, 4, 5], [500, 500, 2500, 2500, 500, 500])


def test_constant_and_trace_are_exact() -> None:
    """No randomness: the k-th request at k / rate, never with a drift; a trace to the nanosecond, ties included."""
    thirds = times_s(Arrivals(kind="constant", rate_per_s=3.0), 10.1)
    assert thirds.tolist() == pytest.approx([k / 3 for k in range(1, 31)], abs=5e-10)
    given = (0.0, 0.5, 0.5, 0.500000001)
    assert times_s(Arrivals(kind="trace", times_s=given), 9.0).tolist() == list(given)


@pytest.mark.parametrize("gap", [constant(0.0), exp(0.5)], ids=["no gap", "gap"])
def test_sessions_keep_the_rate_of_requests(gap: object) -> None:
    """Rates are of requests: sessions of mean m start at rate / m (Schroeder et al., NSDI 2006, partly open).

    Requests of geometric sessions: variance of a long count is rate x t x E[N^2] / E[N].
    """
    sessions = Sessions(requests=geometric(5.0), gap=gap)  # type: ignore[arg-type]
    record = run(plane(service("a", wait_ms(1.0)), entries=[entry("s", "a", poisson(200.0), sessions)]), 60.0)
    late = rows(record)["arrival_ns"] >= 10_000_000_000  # after the first sessions have lived
    assert_count(late.sum(), 200.0 * 50.0, 200.0 * 50.0 * (2.0 * 5.0 - 1.0))


def test_a_session_waits_for_its_answers() -> None:
    """Request k of a session arrives exactly its gap after the answer of request k - 1; ordinals count up."""
    sessions = Sessions(requests=constant(4.0), gap=constant(0.25))
    record = run(plane(service("a", wait_ms(7.0)), entries=[entry("s", "a", poisson(20.0), sessions)]), 30.0)
    counted = np.sort(rows(record), order=["user", "ordinal"])
    whole = [counted[counted["user"] == user] for user in np.unique(counted["user"])[:50]]
    for session in whole:
        assert session["ordinal"].tolist() == [0, 1, 2, 3]
        assert set((session["arrival_ns"][1:] - session["end_ns"][:-1]).tolist()) == {250_000_000}
