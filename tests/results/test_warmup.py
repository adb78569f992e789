"""MSER-5 on series whose transient is known, and MSER on hit ratios of caches that start cold."""

from __future__ import annotations

import numpy as np
import pytest
from queue_records import SPEC, mm1_record, queue_plane

import meshsim
from meshsim.architectures import lower
from meshsim.caches.theory import che, zipf
from meshsim.engines.record import BATCHES, CACHE_COUNTERS, Record
from meshsim.errors import UsageError
from meshsim.model.load import load
from meshsim.results.warmup import automatic_cut, cut_of_caches, given_cut, mser_5, unsettled


def mser_by_definition(series: np.ndarray) -> int:
    """White, Cobb and Spratt (2000), formula and search written out."""
    means = [series[i : i + 5].mean() for i in range(0, len(series) // 5 * 5, 5)]
    n = len(means)
    scores = []
    for d in range(n // 2 + 1):
        rest = means[d:]
        scores.append(sum((x - sum(rest) / (n - d)) ** 2 for x in rest) / (n - d) ** 2)
    return 5 * scores.index(min(scores))


@pytest.mark.parametrize("seed", range(5))
def test_the_cut_is_the_definition_s(seed: int) -> None:
    rng = np.random.default_rng(seed)
    series = 10 - 10 * np.exp(-np.arange(300) / 20) + rng.normal(0, 1, 300)
    assert mser_5(series) == mser_by_definition(series)


def test_a_transient_is_cut_and_noise_is_not() -> None:
    noise = np.random.default_rng(1).normal(0, 1, 1000)
    ramp = np.concatenate([np.linspace(-50, 0, 200), np.zeros(800)])
    assert mser_5(noise) < 100
    assert 150 <= mser_5(noise + ramp) <= 300


def test_at_most_half_is_cut() -> None:
    assert mser_5(np.arange(1000.0)) == 500


def test_a_transient_longer_than_half_of_the_run_is_unsettled() -> None:
    record = mm1_record(1, duration_s=5.0)
    record.occupancy_ns = np.arange(1000)
    assert unsettled(queue_plane(), [record])
    record.occupancy_ns = np.minimum(np.arange(1000), 100)
    assert not unsettled(queue_plane(), [record])


def test_stable_queues_are_rarely_unsettled() -> None:
    records = [mm1_record(seed, utilization=0.5, duration_s=60.0) for seed in range(40)]
    assert sum(unsettled(queue_plane(), [record]) for record in records) <= 2


def test_the_automatic_cut_is_rounded_up_to_batches_over_all_replications() -> None:
    records = [mm1_record(seed, duration_s=20.0) for seed in range(4)]
    mean = np.mean([record.occupancy_ns for record in records], axis=0)
    expected = -(-mser_by_definition(mean) // (1000 // BATCHES))
    assert automatic_cut(queue_plane(), records) == expected


def test_a_given_warmup_is_rounded_up_to_batches() -> None:
    assert given_cut(0.0, 60.0) == 0
    assert given_cut(6.0, 60.0) == 4
    assert given_cut(6.1, 60.0) == 5
    assert given_cut(6.1, 60.0, first_event_s=7.5) == 5
    assert given_cut(6.1, 60.0, first_event_s=7.4) == 4  # the event is measured


def test_a_warmup_as_long_as_the_run_is_refused() -> None:
    with pytest.raises(UsageError, match=r"run\.warmup 60s .* at most 57s"):
        given_cut(60.0, 60.0)


def test_arrivals_that_change_with_time_have_no_automatic_warmup() -> None:
    spike = {"spike": {"base": "10/s", "peak": "50/s", "at": "5s", "lasts": "1s"}}
    rush = {"name": "rush", "tenant": "web", "entry": "shop.get", "arrivals": spike}
    spec = SPEC | {"traffic": [rush], "run": {"warmup": "1s"}}
    plane = lower(load(spec), "none")
    with pytest.raises(UsageError, match=r"traffic\.rush .* run\.warmup"):
        automatic_cut(plane, [mm1_record(1, duration_s=5.0)])


# -- caches ----------------------------------------------------------------------------------------------------


def cached_record(hits: np.ndarray, lookups: int = 1000) -> Record:
    """Caches with so many hits in each batch, a row a cache; the queue is empty all the time."""
    record = mm1_record(1, duration_s=5.0)
    record.occupancy_ns = np.ones(1000, np.int64)
    record.caches = np.zeros((len(hits), 1, BATCHES + 1), CACHE_COUNTERS)
    record.caches["lookups"][:, 0, :BATCHES] = lookups
    record.caches["hits"][:, 0, :BATCHES] = hits
    return record


def test_a_cache_that_fills_for_eight_batches_is_cut() -> None:
    noise = np.random.default_rng(1).integers(-10, 10, (2, BATCHES))
    cold = 500 + noise
    cold[1, :8] -= np.arange(400, 0, -50)
    assert 7 <= automatic_cut(queue_plane(), [cached_record(cold)]) <= 12
    assert automatic_cut(queue_plane(), [cached_record(cold[:1])]) == 0


def test_noise_of_many_steady_caches_is_not_cut() -> None:
    cuts = [
        cut_of_caches([cached_record(np.random.default_rng(seed).binomial(1000, 0.5, (20, BATCHES)))])
        for seed in range(20)
    ]
    assert sum(cut > 0 for cut in cuts) <= 1


def test_a_cache_that_never_settles_is_unsettled() -> None:
    assert unsettled(queue_plane(), [cached_record(np.arange(BATCHES)[None] * 20)])
    assert not unsettled(queue_plane(), [cached_record(np.full((1, BATCHES), 500))])


def test_a_cache_that_starts_cold_has_a_longer_warmup_than_its_queue() -> None:
    """A thousand entries take 1000 misses, more than 2.5 s of 400 requests/s; the queue is steady at once."""
    cold = {
        "meshsim": 1,
        "services": {
            "shop": {
                "caches": {"near": {"capacity": 1000}},
                "endpoints": {"get": [{"cache": {"name": "near", "key": "item", "miss": [{"wait": "1ms"}]}}]},
            }
        },
        "traffic": [
            {
                "name": "web",
                "entry": "shop.get",
                "arrivals": {"poisson": "400/s"},
                "keys": {"item": {"zipf": {"items": 20000, "exponent": 0.9}}},
            }
        ],
        "run": {"duration": "40s", "replications": 2},
    }
    found, whole = meshsim.run(cold, quiet=True), meshsim.run(cold, quiet=True, warmup_s=0.0)
    steady = che(zipf(20_000, 0.9), 1000).ratio
    settled, biased = (one.by_service["shop"].caches["near"].hit_ratio.value for one in (found, whole))
    assert 2.0 <= found.manifest.warmup_s < 20.0
    assert settled == pytest.approx(steady, abs=0.01)
    assert biased is not None and biased < steady - 0.01


def test_sessions_are_cut_until_they_send_what_is_written() -> None:
    """Runs begin without sessions: 8 s of front-door would count 96 of the 104 requests/s that Maps sends otherwise."""
    result = meshsim.run("front-door", "none", duration_s=12, replications=24, quiet=True)
    assert result.manifest.warmup_s == pytest.approx(3.6)  # 3.45 s in batches of 0.3 s
    written = 104.0
    sent = result.by_tenant["maps"].goodput.estimate
    assert sent.low is not None and sent.high is not None
    assert sent.low <= written <= sent.high and sent.high - sent.low < 0.15 * written
