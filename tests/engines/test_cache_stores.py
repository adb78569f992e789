"""Stores of both engines beside the plain-Python caches of `meshsim.caches`, which were not written from them."""

from __future__ import annotations

from itertools import count as counting
from types import SimpleNamespace
from typing import Any

import numpy as np
import pytest
from builders import rows, run
from cached import at_ms, count, kept, look, plant, steps, topology
from hypothesis import given, settings
from hypothesis import strategies as st

from meshsim.architectures.plane import Plane
from meshsim.caches.policies import POLICIES, Cache, Limits, make_cache
from meshsim.engines import keyed
from meshsim.engines import program as p
from meshsim.engines.keyed import mix, name_hash
from meshsim.engines.order import NEVER_NS
from meshsim.engines.simpy.caches import Caches, Store

NUMBERS = {"lru": p.LRU, "fifo": p.FIFO_CACHE, "random": p.RANDOM_CACHE, "lfu": p.LFU, "sieve": p.SIEVE}
RUN_KEY = keyed.run_key(1, 0, 0)


def drawn(name: int, store: int = 0) -> Any:
    """Evictions of a random cache, by rule K3."""
    key = mix(mix(RUN_KEY, name), store)
    turns = counting()
    return lambda n: int(keyed.unit(key, keyed.EVICT, 0, next(turns)) * n)


# -- SimPy's, alone --------------------------------------------------------------------------------------------


class Alone:
    """One store of the SimPy engine, and the clock and meters that it needs."""

    def __init__(self, policy: str, limits: Limits) -> None:
        self.clock = SimpleNamespace(now_ns=0)
        self.limits = limits
        row = SimpleNamespace(
            policy=NUMBERS[policy],
            service=0,
            capacity=limits.capacity_entries or -1,
            capacity_bytes=limits.capacity_bytes or -1,
            stale_ns=0,
            name=7,
            stores=1,
            first_store=0,
            shared=False,
        )
        self.caches = Caches(self.clock, SimpleNamespace(streams=[None], caches=[row]), RUN_KEY)  # type: ignore[arg-type]
        self.store: Store = self.caches.of(0, 0)

    def ask(self, key: int, size: int, now_ns: int) -> bool:
        """Look, and fill at once after a miss (rules K2 and K3)."""
        self.clock.now_ns = now_ns
        until_ns = NEVER_NS if self.limits.ttl_s is None else now_ns + int(self.limits.ttl_s)
        entry = self.store.entries.get(key)
        if entry is not None and now_ns < entry.expires_ns:
            if self.limits.renew:
                entry.expires_ns = until_ns
            self.store.order.used(entry)
            return True
        if entry is not None:
            self.store.remove(entry)
        self.store.insert(key, 0, size, until_ns, 0, now_ns)
        return False


LIMITS = st.builds(
    Limits,
    capacity_entries=st.none() | st.integers(1, 5),
    capacity_bytes=st.none() | st.integers(1, 12),
    ttl_s=st.none() | st.sampled_from([1, 3, 6]),  # both clocks tick alike: nanoseconds here, seconds there
    renew=st.booleans(),
)
ASKED = st.lists(st.tuples(st.integers(0, 7), st.integers(1, 6), st.sampled_from([0, 1, 3])), max_size=80)


@pytest.mark.parametrize("policy", POLICIES)
@settings(max_examples=100)
@given(limits=LIMITS, asked=ASKED)
def test_simpys_store_keeps_what_plain_python_keeps(policy: str, limits: Limits, asked: Any) -> None:
    alone = Alone(policy, limits)
    plain = make_cache(policy, limits, drawn(7))  # type: ignore[arg-type]
    meter, now = alone.caches.meters[0][0], 0
    for key, size, gap in asked:
        now += gap
        hit = plain.lookup(key, now)
        if not hit:
            plain.insert(key, size, now)
        assert alone.ask(key, size, now) == hit
        assert set(alone.store.entries) == set(plain._entries)
        assert alone.store.bytes == plain.bytes
        assert (meter.entries, meter.bytes) == (len(plain), plain.bytes)


@pytest.mark.parametrize("policy", POLICIES)
def test_simpys_store_begins_cold(policy: str) -> None:
    alone = Alone(policy, Limits(capacity_entries=3))
    for key in range(5):
        alone.ask(key, 10, key)
    alone.caches.start_cold(0, 0, 1)
    meter = alone.caches.meters[0][0]
    assert (meter.entries, meter.bytes, len(alone.store.entries)) == (0, 0, 0)
    assert [alone.ask(key, 10, 9) for key in (4, 4)] == [False, True]


# -- both, in runs ---------------------------------------------------------------------------------------------

FETCH_NS = 125_000


def one_store(cache: dict[str, Any], items: int) -> Plane:
    """A request each millisecond, and an eighth of that to get what is not there: no request meets another one."""
    keys = {"item": {"zipf": {"items": items, "exponent": 0.8}}}
    services = {"a": {"caches": {"c": cache}, **steps(look("c", {"wait": "0.125ms"}))}}
    return topology(services, [{"arrivals": {"constant": "1000/s"}, "keys": keys}])


def entries_asked(plane: Plane, requests: int) -> list[int]:
    """Keys of the entries that the requests of the one stream look up (rules R3, K1 and K7)."""
    made = plant(plane)
    stream, law = made.streams[0], made.draws[made.keys[0][0].number]
    name = name_hash("item")
    of_stream = mix(RUN_KEY, stream.name)
    return [
        mix(name_hash(""), mix(mix(stream.tenant, name), law(keyed.open_request_key(of_stream, n), keyed.KEY, name)))
        for n in range(requests)
    ]


def replayed(plain: Cache, keys: list[int], sizes: dict[int, int]) -> list[bool]:
    hits = []
    for n, key in enumerate(keys):
        now = (n + 1) * 1_000_000
        hits.append(plain.lookup(key, now))
        if not hits[-1]:
            plain.insert(key, sizes.get(key, 0), now + FETCH_NS)
    return hits


def hold(policy: str, cache: dict[str, Any], limits: Limits, items: int, requests: int, **engines: Any) -> None:
    """Hit for hit, as the plain cache; and the same entries in the end."""
    plane = one_store(cache, items)
    keys = entries_asked(plane, requests)
    sizes: dict[int, int] = {}
    if "size" in cache:
        made = plant(plane)
        draw = made.draws[made.caches[0].object_bytes]
        sizes = {key: draw(key, keyed.OBJECT_SIZE, 0) for key in set(keys)}
    plain = make_cache(policy, limits, drawn(name_hash("a.c")))  # type: ignore[arg-type]
    hits = replayed(plain, keys, sizes)
    record = run(plane, (requests + 0.5) / 1000, **engines)
    counted = rows(record)
    assert (counted["end_ns"] == counted["arrival_ns"]).tolist() == hits
    room = limits.capacity_bytes
    too_large = sum(not hit and room is not None and sizes[key] > room for key, hit in zip(keys, hits, strict=True))
    fills = requests - sum(hits) - too_large
    assert count(record, plane, "a.c", "lookups", "hits", "fills") == [requests, sum(hits), fills]
    assert kept(record, plane, "a.c")["key"].tolist() == sorted(plain._entries)  # type: ignore[type-var]
    assert kept(record, plane, "a.c")["object_bytes"].sum() == plain.bytes
    assert 0 < sum(hits) < requests


@pytest.mark.parametrize("policy", POLICIES)
@pytest.mark.parametrize("room", [1, 2, 37])
def test_runs_hit_what_plain_python_hits(policy: str, room: int) -> None:
    hold(policy, {"policy": policy, "capacity": room}, Limits(capacity_entries=room), items=60, requests=1500)


@pytest.mark.parametrize("policy", POLICIES)
@pytest.mark.parametrize("renew", ["on", "off"])
def test_with_a_time_limit_too(policy: str, renew: str) -> None:
    cache = {"policy": policy, "capacity": 20, "ttl": "40ms", "renew": renew}
    limits = Limits(capacity_entries=20, ttl_s=40_000_000, renew=renew == "on")
    hold(policy, cache, limits, items=60, requests=1500)


@pytest.mark.parametrize("policy", POLICIES)
def test_with_room_in_bytes(policy: str) -> None:
    """Objects of every size, some of them larger than the cache."""
    cache = {"policy": policy, "capacity": "64KiB", "size": {"lognormal": {"mean": "8KiB", "cv": 2}}}
    hold(policy, cache, Limits(capacity_bytes=65_536), items=200, requests=1500)


@pytest.mark.parametrize("policy", POLICIES)
def test_stores_grow_beyond_their_first_rows(policy: str) -> None:
    """Thousands of entries: the compiled engine moves a store to larger tables again and again."""
    cache = {"policy": policy, "capacity": 5000}
    hold(policy, cache, Limits(capacity_entries=5000), items=20_000, requests=20_000, engines=("compiled",))


@pytest.mark.parametrize("renew", ["on", "off"])
def test_without_a_capacity_entries_go_when_their_time_is_over(renew: str) -> None:
    """Those at the old end whenever another one comes: a store grows to hundreds of entries and shrinks again."""
    limits = Limits(ttl_s=700_000_000, renew=renew == "on")
    hold("lru", {"ttl": "700ms", "renew": renew}, limits, items=5000, requests=2000)


def test_many_stores_of_one_cache_are_apart() -> None:
    """Of 50 replicas asked in turn each has its own: nobody finds what another one has."""
    services = {"a": {"replicas": 50, "caches": {"c": {"capacity": 4}}, **steps(look("c", {"wait": "0.125ms"}))}}
    in_turn = [{"name": "p", "in_app": "on", "load_balancer": "round_robin"}]
    plane = topology(services, [at_ms(*range(100))], policies=in_turn)
    record = run(plane, 0.2)
    counted = rows(record)
    assert (counted["end_ns"] == counted["arrival_ns"]).tolist() == [False] * 50 + [True] * 50
    assert np.array_equal(np.sort(kept(record, plane, "a.c")["store"]), np.arange(50))
