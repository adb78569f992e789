"""Approximations beside what they must obey; beside simulations they are held in test_che_page.py."""

from __future__ import annotations

import math

import numpy as np
import pytest
from small_caches import hit_ratio, stationary

from meshsim.caches.policies import Cache, Limits, make_cache
from meshsim.caches.theory import APPROXIMATED, che, several, ttl, zipf
from meshsim.errors import UsageError

POPULARITY = zipf(2_000, 0.9)


@pytest.mark.parametrize(
    ("policy", "found"),
    [("lru", lambda x: 1 - np.exp(-x)), ("fifo", lambda x: x / (1 + x)), ("random", lambda x: x / (1 + x))],
)
@pytest.mark.parametrize("capacity", [1, 10, 500, 1_999])
def test_characteristic_time_fills_the_cache(policy: str, found, capacity: int) -> None:
    answer = che(POPULARITY, capacity, policy)
    assert found(POPULARITY * answer.time).sum() == pytest.approx(capacity, rel=1e-9)
    assert answer.ratio == pytest.approx(float(POPULARITY @ found(POPULARITY * answer.time)), rel=1e-12)
    assert answer.byte_ratio == answer.ratio


@pytest.mark.parametrize("policy", APPROXIMATED)
def test_equal_popularities_leave_no_choice(policy: str) -> None:
    """No policy can do better or worse than the share that fits."""
    assert che(np.ones(1000), 250, policy).ratio == pytest.approx(0.25, abs=1e-9)


@pytest.mark.parametrize("policy", APPROXIMATED)
def test_all_hits_when_all_fits(policy: str) -> None:
    answer = che([3.0, 2.0, 0.0], 2, policy)
    assert answer.ratio == 1.0 and answer.items.tolist() == [1.0, 1.0, 0.0]


def test_order_of_policies() -> None:
    """FIFO below LRU below what knows the popularities, for any capacity (Martina et al. 2014)."""
    for capacity in (5, 50, 500):
        fifo, lru, lfu = (che(POPULARITY, capacity, policy).ratio for policy in ("fifo", "lru", "lfu"))
        assert fifo < lru < lfu
        assert lfu == pytest.approx(POPULARITY[:capacity].sum())


def test_rates_only_set_the_unit_of_time() -> None:
    shares, rates = che(POPULARITY, 100), che(POPULARITY * 50.0, 100)
    assert rates.ratio == pytest.approx(shares.ratio) and rates.time == pytest.approx(shares.time / 50.0)


def test_equal_sizes_are_a_unit_of_capacity() -> None:
    assert che(POPULARITY, 100 * 512, sizes=np.full(2_000, 512)).ratio == pytest.approx(che(POPULARITY, 100).ratio)


def test_what_does_not_fit_is_never_found() -> None:
    answer = che([0.5, 0.3, 0.2], 10, sizes=[11, 10, 10])
    assert answer.items[0] == 0.0 and answer.items[1] > 0.0
    lfu = che([0.5, 0.3, 0.2], 10, "lfu", sizes=[11, 8, 4])
    assert lfu.items.tolist() == [0.0, 1.0, 0.5]


def test_near_the_exact_values_already_for_few_objects() -> None:
    """Five objects, two places: within 0.03 of the Markov chains, far from what it is made for."""
    five = (0.45, 0.25, 0.15, 0.1, 0.05)
    for policy in ("lru", "fifo", "random"):
        assert che(five, 2, policy).ratio == pytest.approx(hit_ratio(stationary(policy, five, 2), five), abs=0.03)


def test_a_ttl_and_a_capacity() -> None:
    rates = POPULARITY * 100.0
    alone = che(rates, 200).time
    assert che(rates, 200, ttl_s=alone * 2, renew=True).ratio == che(rates, 200).ratio
    assert che(rates, 200, ttl_s=alone / 2, renew=True).ratio == ttl(rates, alone / 2, renew=True).ratio
    assert che(rates, 200, "fifo", ttl_s=0.1).ratio == ttl(rates, 0.1).ratio < ttl(rates, 0.1, renew=True).ratio


def _poisson_hits(cache: Cache, rate: float, requests: int) -> np.ndarray:
    times = np.cumsum(np.random.default_rng(3).exponential(1 / rate, requests)).tolist()
    hits = []
    for now in times:
        hits.append(cache.lookup("x", now))
        if not hits[-1]:
            cache.insert("x", 1, now)
    return np.array(hits)


@pytest.mark.parametrize("renew", [False, True])
@pytest.mark.parametrize("ttl_s", [0.3, 1.0, 4.0])
def test_ttl_closed_forms(renew: bool, ttl_s: float) -> None:
    """Poisson requests for one object; batches of 1000, four standard errors."""
    hits = _poisson_hits(make_cache("fifo", Limits(ttl_s=ttl_s, renew=renew)), 1.0, 100_000)
    batches = hits.reshape(100, 1000).mean(axis=1)
    error = batches.std(ddof=1) / 10
    closed = 1 - math.exp(-ttl_s) if renew else ttl_s / (1 + ttl_s)
    assert error < 0.003 and abs(batches.mean() - closed) < 4 * error
    assert ttl([1.0], ttl_s, renew=renew).ratio == pytest.approx(closed, rel=1e-12)


def test_replicas() -> None:
    one, four = che(POPULARITY, 50), che(POPULARITY, 200)
    assert several(POPULARITY, 50, 4, "random").ratio == pytest.approx(one.ratio)
    assert several(POPULARITY, 50, 4, "random").time == pytest.approx(
        4 * one.time
    )  # each sees a quarter of the requests
    assert several(POPULARITY, 50, 4, "hash").ratio == four.ratio > one.ratio


def test_a_million_objects() -> None:
    """Small enough popularities and a nearly full cache lose no digits."""
    popularity = zipf(1_000_000, 1.2)
    answer = che(popularity, 999_000)
    assert answer.items.sum() == pytest.approx(999_000, rel=1e-9)
    assert 0.99 < answer.ratio < 1.0


def test_what_is_next_to_never_asked_for_does_not_overflow() -> None:
    assert che([1.0, 1e-307, 1e-307], 2.9).ratio == 1.0


@pytest.mark.parametrize(
    ("call", "told"),
    [
        (lambda: che(POPULARITY, 10, "sieve"), "no approximation of 'sieve' here, only of lru, fifo, random, lfu"),
        (lambda: che(POPULARITY, 10, "lru", ttl_s=1.0), "lru with renewal and of fifo without"),
        (lambda: che(POPULARITY, 0), "capacity of 0"),
        (lambda: che([0.5, -0.5], 1), "from 0 on"),
        (lambda: che([0.5, 0.5], 1, sizes=[1]), "each of the 2 objects"),
        (lambda: ttl([1.0], 0.0), "ttl of 0.0 s"),
        (lambda: several(POPULARITY, 1, 0, "random"), "0 replicas"),
        (lambda: several(POPULARITY, 1, 2, "ring"), "there are random and hash"),
        (lambda: zipf(0, 1.0), "0 objects"),
    ],
)
def test_mistakes(call, told: str) -> None:
    with pytest.raises(UsageError, match=told):
        call()
