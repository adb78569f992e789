"""The policies beside a naive model, and laws that hold for all sequences of requests."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from small_caches import Naive

from meshsim.caches.policies import FIFO, LFU, LRU, POLICIES, SIEVE, Cache, Limits, Random, make_cache
from meshsim.errors import InternalError, UsageError

BELADY = (1, 2, 3, 4, 1, 2, 5, 1, 2, 3, 4, 5)


def ask(cache: Cache, key: int, size: int = 1, now: float = 0.0) -> bool:
    hit = cache.lookup(key, now)
    if not hit:
        cache.insert(key, size, now)
    return hit


def hits(cache: Cache, keys: tuple[int, ...] | list[int]) -> list[bool]:
    return [ask(cache, key) for key in keys]


LIMITS = st.builds(
    Limits,
    capacity_entries=st.none() | st.integers(1, 5),
    capacity_bytes=st.none() | st.integers(1, 12),
    ttl_s=st.none() | st.sampled_from([1.0, 2.5, 6.0]),
    renew=st.booleans(),
)
REQUESTS = st.lists(st.tuples(st.integers(0, 7), st.integers(1, 6), st.sampled_from([0.0, 0.5, 1.0, 3.0])), max_size=80)


@pytest.mark.parametrize("policy", ["lru", "fifo", "lfu", "sieve"])
@settings(max_examples=150)
@given(limits=LIMITS, requests=REQUESTS)
def test_as_the_naive_model(policy: str, limits: Limits, requests: list[tuple[int, int, float]]) -> None:
    cache, model, now = make_cache(policy, limits), Naive(policy, limits), 0.0  # type: ignore[arg-type]
    for key, size, gap in requests:
        now += gap
        assert ask(cache, key, size, now) == model.ask(key, size, now)
        assert (len(cache), cache.bytes) == (len(model.records), model.bytes())


@settings(max_examples=100)
@given(limits=LIMITS, requests=REQUESTS, draws=st.randoms(use_true_random=False))
def test_random_keeps_to_its_limits_and_evicts_only_for_room(limits, requests, draws) -> None:
    """What must be there is: hits and misses are those of the entries that no draw and no time took away."""
    cache, now = Random(limits, draws.randrange), 0.0
    held: dict[int, tuple[int, float]] = {}
    for key, size, gap in requests:
        now += gap
        before = dict(held)
        hit = ask(cache, key, size, now)
        assert hit == (key in before and now < before[key][1])
        held = {k: (cache._entries[k].size_bytes, cache._entries[k].expires_s) for k in cache._entries}  # type: ignore
        assert cache.bytes == sum(s for s, _ in held.values()) <= (limits.capacity_bytes or 10**9)
        assert len(cache) == len(held) <= (limits.capacity_entries or 10**9)
        gone = set(before) - set(held) - {key}
        if gone:
            room = cache.bytes + sum(before[k][0] for k in gone)
            full = len(held) == limits.capacity_entries or room > (limits.capacity_bytes or 10**9)
            assert full and key in held


@settings(max_examples=100)
@given(st.lists(st.integers(0, 9), max_size=120), st.integers(1, 8))
def test_more_room_never_loses_a_hit_of_lru(keys: list[int], capacity: int) -> None:
    """LRU is a stack algorithm (Mattson et al., IBM Systems Journal 1970)."""
    small = hits(LRU(Limits(capacity_entries=capacity)), keys)
    large = hits(LRU(Limits(capacity_entries=capacity + 1)), keys)
    assert all(b or not a for a, b in zip(small, large, strict=True))


def test_more_room_may_lose_hits_of_fifo() -> None:
    """Belady, Nelson and Shedler (CACM 1969): 9 faults with three places, 10 with four."""
    misses = [len(BELADY) - sum(hits(FIFO(Limits(capacity_entries=room)), BELADY)) for room in (3, 4)]
    assert misses == [9, 10]


def test_sieve_by_hand() -> None:
    """Three places. 4 takes the mark from 1 and sends 2 away; 5 goes on from there and sends 3 away; 6 sends 4 away."""
    assert hits(SIEVE(Limits(capacity_entries=3)), (1, 2, 3, 1, 4, 5, 1, 6, 5, 4)) == [
        *(False, False, False, True, False, False, True, False, True, False)
    ]


def test_lfu_by_hand() -> None:
    """3 sends 2 away, which was used once; then 3 itself goes; of two with one use the one that came first."""
    assert hits(LFU(Limits(capacity_entries=2)), (1, 1, 2, 3, 1, 2, 3)) == [
        *(False, True, False, False, True, False, False)
    ]


@pytest.mark.parametrize("policy", POLICIES)
def test_an_entry_is_over_at_its_very_end(policy: str) -> None:
    cache = make_cache(policy, Limits(ttl_s=2.0), np.random.default_rng(1).integers)  # type: ignore[arg-type]
    cache.insert(1, 1, 0.0)
    assert cache.lookup(1, 1.999) and not cache.lookup(1, 2.0)
    assert len(cache) == cache.bytes == 0


@pytest.mark.parametrize("policy", POLICIES)
def test_what_is_larger_than_the_cache_is_not_kept(policy: str) -> None:
    cache = make_cache(policy, Limits(capacity_bytes=10), np.random.default_rng(1).integers)  # type: ignore[arg-type]
    assert not ask(cache, 1, 10)
    assert not ask(cache, 2, 11)
    assert ask(cache, 1, 10) and cache.bytes == 10


def test_mistakes() -> None:
    cache = LRU(Limits(capacity_entries=2))
    cache.insert(1, 1, 0.0)
    with pytest.raises(InternalError, match="already"):
        cache.insert(1, 1, 0.0)
    with pytest.raises(UsageError, match="capacity_entries 0"):
        Limits(capacity_entries=0)
    with pytest.raises(UsageError, match="there are lru, fifo"):
        make_cache("arc", Limits())  # type: ignore[arg-type]
    with pytest.raises(UsageError, match="needs draw"):
        make_cache("random", Limits())
