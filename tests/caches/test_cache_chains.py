"""Small catalogues, solved exactly: what the policies do is what the Markov chains say, and those what is published."""

from __future__ import annotations

import itertools
import math

import numpy as np
import pytest
from small_caches import State, hit_by_step, hit_ratio, stationary

from meshsim.caches.policies import Cache, Limits, make_cache

UNEQUAL = (0.45, 0.25, 0.15, 0.1, 0.05)


def _asked(cache: Cache, keys: tuple[int, ...] | list[int]) -> list[bool]:
    found = []
    for key in keys:
        found.append(cache.lookup(key, 0.0))
        if not found[-1]:
            cache.insert(key, 1, 0.0)
    return found


@pytest.mark.parametrize("policy", ["lru", "fifo", "lfu", "sieve"])
@pytest.mark.parametrize(("items", "capacity", "steps"), [(3, 2, 8), (4, 2, 6), (4, 3, 6)])
def test_all_sequences(policy: str, items: int, capacity: int, steps: int) -> None:
    """Every sequence of requests, weighted by its probability: no chance is left."""
    popularity = np.array(UNEQUAL[:items]) / sum(UNEQUAL[:items])
    found = np.zeros(steps)
    for keys in itertools.product(range(items), repeat=steps):
        cache = make_cache(policy, Limits(capacity_entries=capacity))  # type: ignore[arg-type]
        found += math.prod(popularity[list(keys)]) * np.array(_asked(cache, keys))
    np.testing.assert_allclose(found, hit_by_step(policy, popularity.tolist(), capacity, steps), atol=1e-12)


def test_all_sequences_and_all_draws() -> None:
    """The same for random with two places, over all coin flips."""
    steps, popularity = 6, np.array(UNEQUAL[:3]) / sum(UNEQUAL[:3])
    found = np.zeros(steps)
    for keys in itertools.product(range(3), repeat=steps):
        for flips in itertools.product((0, 1), repeat=steps - 2):  # the first two requests evict nothing
            coins = iter(flips)
            cache = make_cache("random", Limits(capacity_entries=2), lambda n, coins=coins: next(coins))  # type: ignore
            found += math.prod(popularity[list(keys)]) / 2 ** len(flips) * np.array(_asked(cache, keys))
    np.testing.assert_allclose(found, hit_by_step("random", popularity.tolist(), 2, steps), atol=1e-12)


def _king(state: State, popularity: tuple[float, ...]) -> float:
    """W. F. King, "Analysis of demand paging algorithms", IFIP 1971: LRU holds these, most recent first."""
    chance, rest = 1.0, 1.0
    for key in state:
        chance *= popularity[key] / rest
        rest -= popularity[key]
    return chance


def test_chains_of_lru_and_fifo_are_the_published_ones() -> None:
    """FIFO holds an ordered set with a probability proportional to its product of popularities (King 1971)."""
    for capacity in (2, 3):
        for state, chance in stationary("lru", UNEQUAL, capacity).items():
            assert chance == pytest.approx(_king(state, UNEQUAL), abs=1e-12)
        products = {s: math.prod(UNEQUAL[k] for k in s) for s in itertools.permutations(range(5), capacity)}
        for state, chance in stationary("fifo", UNEQUAL, capacity).items():
            assert chance == pytest.approx(products[state] / sum(products.values()), abs=1e-12)


@pytest.mark.parametrize("capacity", [2, 3])
def test_fifo_is_as_good_as_random(capacity: int) -> None:
    """E. Gelenbe, "A unified approach to the evaluation of a class of replacement algorithms", IEEE ToC 1973."""
    fifo, random = (hit_ratio(stationary(policy, UNEQUAL, capacity), UNEQUAL) for policy in ("fifo", "random"))
    assert fifo == pytest.approx(random, abs=1e-12)
    assert fifo < hit_ratio(stationary("lru", UNEQUAL, capacity), UNEQUAL) - 0.01


@pytest.mark.parametrize("policy", ["lru", "fifo", "random"])
@pytest.mark.parametrize("capacity", [2, 3])
def test_long_streams(policy: str, capacity: int) -> None:
    """Hits of one long stream, in batches so long that they are next to independent; four standard errors."""
    rng = np.random.default_rng(7)
    cache = make_cache(policy, Limits(capacity_entries=capacity), rng.integers)  # type: ignore[arg-type]
    keys = rng.choice(5, 101_000, p=UNEQUAL).tolist()
    ratios = np.array(_asked(cache, keys)[1000:]).reshape(100, 1000).mean(axis=1)
    error = ratios.std(ddof=1) / 10
    assert error < 0.002
    assert abs(ratios.mean() - hit_ratio(stationary(policy, UNEQUAL, capacity), UNEQUAL)) < 4 * error


@pytest.mark.parametrize("policy", ["lfu", "sieve"])
def test_many_streams(policy: str) -> None:
    """Chains without an end, or with a large one: the 30th request of many streams; four standard errors."""
    rng = np.random.default_rng(7)
    streams, popularity = 10_000, UNEQUAL[:4] / np.sum(UNEQUAL[:4])
    hits = 0
    for keys in rng.choice(4, (streams, 30), p=popularity).tolist():
        hits += _asked(make_cache(policy, Limits(capacity_entries=2)), keys)[-1]  # type: ignore[arg-type]
    exact = hit_by_step(policy, popularity.tolist(), 2, 30)[-1]
    assert abs(hits / streams - exact) < 4 * math.sqrt(exact * (1 - exact) / streams)
