"""Hit ratios and flows of caches that are known beforehand: closed forms, Che's approximation, laws of conservation."""

from __future__ import annotations

from collections.abc import Sequence
from functools import cache
from typing import Any

import numpy as np
import numpy.typing as npt
import pytest
from builders import outcomes, run, run_long
from cache_laws import fifo_hit_ratio, lru_hit_ratio
from cache_shares import CHE, WARMUP, hold, hold_che, share
from cached import count, fetched, kept, look, plant, requests, steps, topology
from observe import Estimate, ratio

from meshsim.architectures.plane import Plane
from meshsim.caches.theory import che, several, ttl, zipf
from meshsim.engines import keyed
from meshsim.engines.keyed import mix, name_hash
from meshsim.engines.record import BATCHES, OK, Record

FEW = 250.0  # part of a long run on both engines, where `test_flows_and_limits` holds them together already


def alone(cache: dict[str, Any], items: int, exponent: float, rate: float = 1000.0, **more: Any) -> Plane:
    """One store, Poisson requests for independent items, and no time to get what is not there."""
    keys = {"item": {"zipf": {"items": items, "exponent": exponent}}}
    services = {"a": {"caches": {"c": cache}, **steps(look("c"))}}
    return topology(services, [{"arrivals": {"poisson": f"{rate!r}/s"}, "keys": keys}], **more)


# -- one store, exactly ----------------------------------------------------------------------------------------


@pytest.mark.parametrize(("exponent", "capacity"), [(1.0, 3), (1.5, 5)])
@pytest.mark.parametrize(
    ("policy", "exactly"), [("lru", lru_hit_ratio), ("fifo", fifo_hit_ratio), ("random", fifo_hit_ratio)]
)
def test_small_catalogues(policy: str, exactly: Any, exponent: float, capacity: int) -> None:
    plane = alone({"capacity": capacity, "policy": policy}, 7, exponent)
    hold(share(run_long(plane, 80.0), plane), exactly(zipf(7, exponent).tolist(), capacity), 0.01)


def test_the_closed_forms_are_not_one_and_the_same() -> None:
    """What tells LRU from FIFO in the test above is far more than its noise."""
    popularity = zipf(7, 1.5).tolist()
    assert lru_hit_ratio(popularity, 5) - fifo_hit_ratio(popularity, 5) > 0.012
    assert lru_hit_ratio(popularity, 1) == pytest.approx(sum(p * p for p in popularity))


@pytest.mark.parametrize("renew", ["on", "off"])
@pytest.mark.parametrize("ttl_s", [0.05, 0.4])
def test_time_limits(renew: str, ttl_s: float) -> None:
    """Requests of each item come by a Poisson process of its own: exact."""
    plane = alone({"ttl": f"{ttl_s * 1e3}ms", "renew": renew}, 50, 0.8)
    expected = ttl(zipf(50, 0.8) * 1000.0, ttl_s, renew=renew == "on").ratio
    hold(share(run_long(plane, 100.0), plane), expected, 0.01)


def single(cache: dict[str, Any], rate: float, *getting: Any) -> Plane:
    """One item."""
    services = fetched(cache, *getting)
    return topology(services, [{"arrivals": {"poisson": f"{rate}/s"}}])


def test_stale_answers() -> None:
    """Until T + S after it came the next request is a hit, behind T a stale one, with which the time begins anew."""
    rate, good, stale = 10.0, 0.2, 0.1
    plane = single({"ttl": "200ms", "stale": "100ms"}, rate)
    record = run_long(plane, 4000.0)
    late = np.exp(-rate * stale)
    hold(share(record, plane, "stale"), (1 - late) / (1 + rate * good), 0.01)
    hold(share(record, plane), 1 - late / (1 + rate * good), 0.01)


@pytest.mark.parametrize("coalesce", ["on", "off"])
def test_kept_failures(coalesce: str) -> None:
    """A failure is followed by those of its time, as an answer is by hits."""
    rate, kept_s = 10.0, 0.1
    plane = single({"ttl": "1s", "negative": "100ms", "coalesce": coalesce}, rate, {"fail": {"p": 1.0, "as": "500"}})
    record = run_long(plane, 4000.0)
    hold(share(record, plane, "negative"), rate * kept_s / (1 + rate * kept_s), 0.01)
    assert OK not in outcomes(record)


def test_coalescing() -> None:
    """A miss, those who come while it is fetched for D, those who come in the T after that."""
    rate, fetch, good = 10.0, 0.15, 0.25
    plane = single({"ttl": "250ms", "coalesce": "on"}, rate, {"wait": "150ms"})
    record = run_long(plane, 4000.0)
    cycle = 1 + rate * (fetch + good)
    hold(share(record, plane), rate * good / cycle, 0.01)
    hold(share(record, plane, "delayed"), rate * fetch / cycle, 0.01)


def test_one_hit_wonders_are_never_found() -> None:
    keys = {"item": {"uniform": {"items": 20, "once": "30%"}}}
    services = {"a": {"caches": {"c": {"capacity": 10**6}}, **steps(look("c"))}}
    plane = topology(services, [{"arrivals": {"poisson": "1000/s"}, "keys": keys}])
    record = run_long(plane, 60.0)
    hold(share(record, plane), 0.7, 0.01)


def test_what_is_popular_drifts() -> None:
    """Each of n items is replaced once in its life L: of the requests for it in that time the first one misses."""
    items, life, rate = 100, 0.5, 1000.0
    keys = {"item": {"uniform": {"items": items, "life": f"{life * 1e3}ms"}}}
    services = {"a": {"caches": {"c": {"capacity": 10**6}}, **steps(look("c"))}}
    plane = topology(services, [{"arrivals": {"poisson": f"{rate}/s"}, "keys": keys}])
    asked = rate / items * life
    hold(share(run_long(plane, 100.0), plane), 1 + np.expm1(-asked) / asked, 0.01)


def test_sessions_reuse_what_they_say() -> None:
    """Of countless items those are found that a session had before: 60 % of all its requests but the first."""
    stream = {
        "arrivals": {"poisson": "1000/s"},
        "keys": {"item": {"uniform": {"items": 10**7, "once": "100%"}}},
        "sessions": {"requests": 10, "gap": {"exp": "10ms"}, "reuse": {"share": "60%", "window": 4}},
    }
    plane = topology({"a": {"caches": {"c": {"capacity": 10**6}}, **steps(look("c"))}}, [stream])
    hold(share(run_long(plane, 100.0), plane), 0.9 * 0.6, 0.01)


# -- one store, as Che says ------------------------------------------------------------------------------------


@pytest.mark.parametrize("policy", ["lru", "fifo", "random"])
@pytest.mark.parametrize(("exponent", "capacity"), [(0.8, 2000), (1.2, 200)])
def test_large_catalogues(policy: str, exponent: float, capacity: int) -> None:
    plane = alone({"capacity": capacity, "policy": policy}, 20_000, exponent)
    hold_che(share(run_long(plane, 80.0, both=FEW), plane), che(zipf(20_000, exponent), capacity, policy).ratio)


def sizes_of(plane: Plane, items: int) -> npt.NDArray[np.int64]:
    """Bytes of the items of the one tenant by rank."""
    made = plant(plane)
    draw, place = made.draws[made.caches[0].object_bytes], mix(made.streams[0].tenant, name_hash("item"))
    names = (mix(name_hash(""), mix(place, rank)) for rank in range(1, items + 1))
    return np.array([draw(name, keyed.OBJECT_SIZE, 0) for name in names])


SIZED = {"size": {"lognormal": {"mean": "2KiB", "cv": 0.75}}}


def byte_share(record: Record) -> Estimate:
    """Share of the bytes that are asked for."""
    rows = record.caches[0, 0, WARMUP:BATCHES]
    return ratio(rows["hit_bytes"], rows["lookup_bytes"])


@pytest.mark.parametrize("policy", ["lru", "fifo", "random"])
def test_room_in_bytes(policy: str) -> None:
    """Hits and bytes of hits."""
    plane = alone({"capacity": "4MiB", "policy": policy, **SIZED}, 20_000, 0.9)
    expected = che(zipf(20_000, 0.9), 4 * 2**20, policy, sizes=sizes_of(plane, 20_000))
    record = run_long(plane, 180.0, both=FEW)
    hold_che(share(record, plane), expected.ratio)
    hold_che(byte_share(record), expected.byte_ratio)


def test_bytes_of_hits_where_entries_are_counted() -> None:
    """Each object is found as often as it would be without sizes. What the popular ones weigh shows in the bytes."""
    plane = alone({"capacity": 2000, **SIZED}, 20_000, 0.9)
    asked = zipf(20_000, 0.9) * sizes_of(plane, 20_000)
    expected = che(zipf(20_000, 0.9), 2000)
    in_bytes = float(asked @ expected.items / asked.sum())
    assert abs(in_bytes - expected.ratio) > 1.5 * CHE  # or the bytes would show nothing
    record = run_long(plane, 180.0, both=FEW)
    hold_che(share(record, plane), expected.ratio)
    hold_che(byte_share(record), in_bytes)


# -- flows -----------------------------------------------------------------------------------------------------

ROOM = {"entries": {"capacity": 9}, "bytes": {"capacity": "20KiB", "size": {"exp": "2KiB"}}}


def flowing(cache: dict[str, Any], **service: Any) -> Plane:
    """Answers take a while, and one in five fails; two streams of two tenants, and two replicas."""
    keys = {"item": {"zipf": {"items": 40, "exponent": 0.8, "once": "5%"}}}
    services = fetched(cache, {"wait": {"exp": "4ms"}}, {"fail": {"p": 0.2, "as": "503"}}, replicas=2, **service)
    streams = [{"arrivals": {"poisson": "400/s"}, "keys": keys, "tenant": tenant} for tenant in ("t", "u")]
    return topology(services, streams)


@pytest.mark.parametrize("policy", ["lru", "fifo", "random", "lfu", "sieve"])
@pytest.mark.parametrize("room", ["entries", "bytes"])
@pytest.mark.parametrize("extra", [{}, {"coalesce": "on"}, {"coalesce": "on", "ttl": "50ms"}])
def test_flows_and_limits(policy: str, room: str, extra: dict[str, str]) -> None:
    plane = flowing({**ROOM[room], "policy": policy, **extra})
    record = run(plane, 0.9)
    lookups, hits, delayed, fills, evicted = count(
        record, plane, "a.c", "lookups", "hits", "delayed", "fills", "evictions"
    )
    assert lookups == requests(record, plane, "a") and hits > 100 and evicted > 100
    assert lookups - hits - delayed == requests(record, plane, "b")
    assert fills == record.services["answered"][1].sum() < requests(record, plane, "b")
    assert (delayed > 0) == ("coalesce" in extra)
    held = kept(record, plane, "a.c")
    if "ttl" in extra:
        assert fills - evicted - len(held) > 20  # those that were over
    elif "coalesce" in extra and room == "entries":  # nothing is filled twice, and nothing too large to be kept
        assert fills - evicted == len(held)
    for store in range(2):
        mine = held[held["store"] == store]
        assert len(np.unique(mine["key"])) == len(mine) > 0
        if room == "entries":
            assert len(mine) <= 9
        else:
            assert mine["object_bytes"].sum() <= 20 * 1024
    limit, integral = (9, "entries_ns") if room == "entries" else (20 * 1024, "bytes_ns")
    full = record.caches[integral][0, :, :BATCHES].sum(axis=0) / (2 * limit * (record.duration_ns // BATCHES))
    assert full.max() <= 1.0
    if "ttl" not in extra:
        assert full[WARMUP:].min() > (0.999 if room == "entries" else 0.6)


def test_integrals_are_those_of_what_is_kept() -> None:
    """Nothing leaves and nothing comes any more: the integral of the last batch is what is kept, for its time."""
    plane = alone({"capacity": 10**6, "size": {"exp": "2KiB"}}, 40, 0.5)
    record = run(plane, 4.0)
    held, last = kept(record, plane, "a.c"), record.caches[0, 0, BATCHES - 1]
    assert len(held) == 40
    assert last["entries_ns"] == 40 * record.duration_ns // BATCHES
    assert last["bytes_ns"] == held["object_bytes"].sum() * (record.duration_ns // BATCHES)
    assert sorted(held["object_bytes"]) == sorted(sizes_of(plane, 40))


# -- replicas --------------------------------------------------------------------------------------------------


def replicated(balancer: Any, replicas: int, capacity: int, exponent: float = 0.9) -> Plane:
    in_app = [{"name": "p", "in_app": "on", "load_balancer": balancer}]
    keys = {"item": {"zipf": {"items": 20_000, "exponent": exponent}}}
    services = {"a": {"replicas": replicas, "caches": {"c": {"capacity": capacity}}, **steps(look("c"))}}
    return topology(services, [{"arrivals": {"poisson": "1000/s"}, "keys": keys}], policies=in_app)


HASHED = [{"ring_hash": {"on": "item", "min_size": 65536}}, {"maglev": {"on": "item"}}]


@pytest.mark.parametrize("balancer", HASHED)
def test_with_a_consistent_hash_each_item_is_in_one_store(balancer: Any) -> None:
    plane = replicated(balancer, 4, 500)
    record = run_long(plane, 80.0, both=FEW)
    held = kept(record, plane, "a.c")
    assert len(np.unique(held["key"])) == len(held) == 4 * 500
    hold_che(share(record, plane), several(zipf(20_000, 0.9), 500, 4, "hash").ratio)


@pytest.mark.parametrize("balancer", ["random", "round_robin"])
def test_otherwise_what_is_popular_is_in_all_of_them(balancer: str) -> None:
    plane = replicated(balancer, 4, 500)
    record = run_long(plane, 100.0, both=FEW)
    held = kept(record, plane, "a.c")
    copies = np.unique(held["key"], return_counts=True)[1]
    expected = che(zipf(20_000, 0.9), 500)
    assert (copies == 4).sum() == pytest.approx((expected.items**4).sum(), rel=0.15)
    hold_che(share(record, plane), expected.ratio)


# -- where caches stand ----------------------------------------------------------------------------------------

GATEWAYS, TOTAL, ITEMS = 4, 4800, 20_000
POPULARITY = zipf(ITEMS, 0.9)
REPLICAS = {"fewer": 2, "equal": 4, "more": 8}
RING = {"ring_hash": {"on": "item", "min_size": 65536}}


def placed(architecture: str, services: Sequence[str], mesh: dict[str, Any], balancer: Any) -> Plane:
    """Services that are all alike but for their replicas, asked by tenants who are all alike."""
    keys = {"item": {"zipf": {"items": ITEMS, "exponent": 0.9}}}
    return topology(
        {name: {"replicas": REPLICAS[name], **steps()} for name in services},
        [
            {"name": name, "tenant": name, "entry": f"{name}.e", "arrivals": {"poisson": "1000/s"}, "keys": keys}
            for name in services
        ],
        architecture,
        mesh=mesh,
        policies=[{"name": "p", "in_app": "on", "load_balancer": balancer}],
    )


@cache
def of_gateway(*, hashed: bool) -> dict[str, Estimate]:
    """Hit ratio of the requests for each service in the four gateways, who have 4800 entries for each service."""
    cache = {"capacity": len(REPLICAS) * TOTAL // GATEWAYS, "key": "item"}
    before = {"load_balancer": RING} if hashed else {}
    mesh = {"gateway": {"profile": "zero", "replicas": GATEWAYS, "cache": cache, **before}}
    plane = placed("gateway", list(REPLICAS), mesh, "random")
    record = run_long(plane, 80.0, both=FEW)
    names = [stream.name for stream, _ in plane.entries]
    return {name: share(record, plane, "hits", "gateway.gateway", names.index(name)) for name in REPLICAS}


@cache
def of_sidecars(service: str, *, hashed: bool) -> Estimate:
    """Hit ratio in the sidecars beside a service, who have 4800 entries together."""
    cache = {"capacity": TOTAL // REPLICAS[service], "key": "item", "where": "server"}
    mesh = {"gateway": {"profile": "zero"}, "sidecar": {"profile": "zero", "cache": cache}}
    plane = placed("sidecar-only", [service], mesh, RING if hashed else "random")
    return share(run_long(plane, 100.0, both=FEW), plane, "hits", f"sidecar@{service}.sidecar")


@pytest.mark.parametrize(("service", "sign"), [("fewer", 1), ("equal", 0), ("more", -1)])
def test_at_random_the_side_with_fewer_replicas_hits_more(service: str, sign: int) -> None:
    """At equal total room, as each replica sees the same requests: what it has to itself is all that counts."""
    gateway, sidecars = of_gateway(hashed=False)[service], of_sidecars(service, hashed=False)
    by_gateway = che(POPULARITY, TOTAL / GATEWAYS).ratio
    by_sidecars = che(POPULARITY, TOTAL / REPLICAS[service]).ratio
    hold_che(gateway, by_gateway)
    hold_che(sidecars, by_sidecars)
    gain = sidecars.value - gateway.value
    assert abs(gain - (by_sidecars - by_gateway)) <= CHE
    if sign:
        assert gain * sign > 5 * CHE
    else:
        assert abs(gain) <= CHE


@pytest.mark.parametrize("service", REPLICAS)
def test_with_a_hash_before_both_it_does_not_matter_where_they_stand(service: str) -> None:
    gateway, sidecars = of_gateway(hashed=True)[service], of_sidecars(service, hashed=True)
    assert abs(gateway.value - sidecars.value) <= CHE
    hold_che(gateway, che(POPULARITY, TOTAL).ratio)
    hold_che(sidecars, che(POPULARITY, TOTAL).ratio)


@pytest.mark.parametrize("service", REPLICAS)
def test_with_a_hash_before_the_gateway_alone_the_gateway_wins(service: str) -> None:
    """All services here have two replicas or more."""
    gain = of_sidecars(service, hashed=False).value - of_gateway(hashed=True)[service].value
    expected = che(POPULARITY, TOTAL / REPLICAS[service]).ratio - che(POPULARITY, TOTAL).ratio
    assert abs(gain - expected) <= CHE
    assert gain < -5 * CHE
