"""Corners of rules K2 to K9 and of their counters: by hand, and beside draws made again from the words of K7."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
from builders import MS, ends_ms, outcomes, rows, run
from cached import at_ms, count, fetched, kept, place, steps, topology

from meshsim.architectures.plane import Plane
from meshsim.engines import keyed
from meshsim.engines.keyed import mix, name_hash, unit
from meshsim.engines.record import E503, Record

RUN_KEY = keyed.run_key(1, 0, 0)
GETTING = {"wait": "5ms"}


def by_stream(record: Record, plane: Plane, counter: str) -> list[int]:
    """A counter of the cache `a.c`, all batches together."""
    return [int(of_stream.sum()) for of_stream in record.caches[counter][place(plane, "a.c")]]


def asks(tmp_path: Path, keys: str, *times_ms: float, sizes: tuple[int, ...] = ()) -> dict[str, Any]:
    """A stream whose requests, at these times, are for one letter after the other."""
    file = tmp_path / f"{keys}.csv"
    of_each = sizes or (1,) * len(keys)
    file.write_text("\n".join(f"{n},{key},{size}" for n, (key, size) in enumerate(zip(keys, of_each, strict=True))))
    return {**at_ms(*times_ms), "keys": {"item": {"trace": {"file": str(file)}}}}


# -- several traces --------------------------------------------------------------------------------------------


def test_each_stream_reads_its_own_trace(tmp_path: Path) -> None:
    """Of x and y the first stream asks for x at 0 and for y at 20 ms, the second for y alone, at 10 ms."""
    plane = topology(fetched({"capacity": 9}, GETTING), [asks(tmp_path, "xy", 0, 20), asks(tmp_path, "y", 10)])
    record = run(plane, 0.1)
    assert ends_ms(record) == [5, 15, 20]
    assert [by_stream(record, plane, name) for name in ("hits", "fills")] == [[1, 0], [1, 1]]


def test_each_stream_has_the_sizes_of_its_own_trace(tmp_path: Path) -> None:
    """Begun again at the end, too: 1 + 10 + 1 bytes, and 100 + 1000 + 10000 + 100."""
    small = asks(tmp_path, "xy", 0, 10, 20, sizes=(1, 10))
    large = asks(tmp_path, "uvw", 5, 15, 25, 35, sizes=(100, 1000, 10_000))
    plane = topology(fetched({"capacity": 9, "size": "trace"}), [small, large])
    record = run(plane, 0.1)
    assert by_stream(record, plane, "lookup_bytes") == [12, 11_200]
    assert sorted(kept(record, plane, "a.c")["object_bytes"].tolist()) == [1, 10, 100, 1000, 10_000]


# -- room ------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("policy", ["lru", "fifo", "lfu", "sieve"])
def test_room_is_made_of_what_may_be_given_no_longer(policy: str, tmp_path: Path) -> None:
    """x, put in at 5 ms, is good until 15 and stale until 35: it stays when y is put in at 34, and is given at 34.5.
    When y is put in at 35, it goes; otherwise it would be held to the end.
    """
    cache = {"capacity": 9, "policy": policy, "ttl": "10ms", "stale": "20ms"}
    for y_ms, ends, entries in ((29, [5, 34, 34.5], 2), (30, [5, 35], 1)):
        x = asks(tmp_path, "x", 0, *ends[2:])
        plane = topology(fetched(cache, GETTING), [x, asks(tmp_path, "y", y_ms)])
        record = run(plane, 0.1)
        assert ends_ms(record) == ends
        assert len(kept(record, plane, "a.c")) == entries
        assert count(record, plane, "a.c", "stale", "evictions") == [len(ends) - 2, 0]


@pytest.mark.parametrize("policy", ["lru", "fifo", "lfu", "sieve"])
def test_to_fill_again_is_no_use(policy: str, tmp_path: Path) -> None:
    """x is there at 5 ms, y at 6, x once more at 7. z takes the place of x, which came first and was never hit."""
    cache = {"capacity": 2, "policy": policy}
    plane = topology(fetched(cache, GETTING), [asks(tmp_path, "xyxzyx", 0, 1, 2, 10, 20, 21)])
    record = run(plane, 0.1)
    assert ends_ms(record) == [5, 6, 7, 15, 20, 26]
    assert count(record, plane, "a.c", "hits", "fills", "evictions") == [1, 5, 2]


def test_an_eviction_is_counted_for_whoever_had_filled(tmp_path: Path) -> None:
    """The second stream's y pushes out the x of the first one, and its z its own y."""
    plane = topology(fetched({"capacity": 1}), [asks(tmp_path, "x", 0), asks(tmp_path, "yz", 10, 20)])
    record = run(plane, 0.1)
    assert by_stream(record, plane, "fills") == [1, 2]
    assert by_stream(record, plane, "evictions") == [1, 1]


# -- failures, and what is stale -------------------------------------------------------------------------------


@pytest.mark.parametrize("more", [{"renew": "on"}, {"stale": "1s"}])
def test_a_kept_failure_is_neither_renewed_nor_stale(more: dict[str, str]) -> None:
    """Failed at 1 ms, it is kept until 21 ms and no longer, though it was met at 10 ms."""
    failing = fetched({"ttl": "1s", "negative": "20ms", **more}, {"wait": "1ms"}, {"fail": {"p": 1.0, "as": "503"}})
    plane = topology(failing, [at_ms(0, 10, 20.999999, 21)])
    record = run(plane, 0.1)
    assert ends_ms(record) == [1, 10, 20.999999, 22]
    assert outcomes(record) == [E503] * 4
    assert count(record, plane, "a.c", "hits", "negative", "stale") == [2, 2, 0]


def test_bytes_of_stale_answers_were_found() -> None:
    """Missed at 0, found at 6 ms, stale at 20 ms."""
    plane = topology(fetched({"ttl": "10ms", "stale": "1s", "size": "1KiB"}, GETTING), [at_ms(0, 6, 20)])
    record = run(plane, 0.1)
    assert count(record, plane, "a.c", "stale", "lookup_bytes", "hit_bytes") == [1, 3 * 1024, 2 * 1024]


@pytest.mark.parametrize(
    ("leases", "ends", "counted"),
    [("off", [5, 7, 3, 6, 8], [2, 2, 8 * MS, 2]), ("on", [5, 7, 3, 11, 13], [0, 0, 0, 2])],
)
def test_a_write_outdates_all_that_is_being_got(leases: str, ends: list[float], counted: list[int]) -> None:
    """Got from 0 to 5 and from 2 to 7 ms, written at 3: answers at 6 and at 8 ms are 3 and 5 ms old. With leases
    neither is put in, and both are got anew.
    """
    services = fetched({"ttl": "1s", "leases": leases}, GETTING)
    services["a"]["endpoints"]["w"] = [{"invalidate": {"cache": "c", "key": "item"}}]
    plane = topology(services, [at_ms(0, 2, 6, 8), {**at_ms(3), "entry": "a.w"}])
    record = run(plane, 0.1)
    assert ends_ms(record) == ends
    assert count(record, plane, "a.c", "hits", "outdated", "outdated_ns", "fills") == counted


# -- draws of rule K7 ------------------------------------------------------------------------------------------


def request_keys(record: Record) -> list[int]:
    """Keys of all requests of a run with one stream, by rule R3."""
    key = mix(RUN_KEY, name_hash("s0"))
    return [
        keyed.open_request_key(key, ordinal) if user < 0 else mix(keyed.user_key(key, user), ordinal)
        for user, ordinal in rows(record)[["user", "ordinal"]].tolist()
    ]


def of_place(item: int, tenant: str = "default", dimension: str = "item") -> int:
    """An item of a tenant, in a dimension."""
    return mix(mix(name_hash(tenant), name_hash(dimension)), item)


def asked_once(key: int, dimension: str = "item") -> int:
    """What the request with this key alone is about."""
    return mix(of_place(keyed.ONCE, dimension=dimension), key)


def entry(item: int) -> int:
    """What a step `cache` with one dimension has it under (K1)."""
    return mix(name_hash(""), item)


def test_a_request_is_about_the_earlier_one_that_is_drawn() -> None:
    """All items are asked for once, unless an earlier request is repeated: kept for 3.5 ms, it is found if that one
    was no further back.
    """
    reuse = {"share": "70%", "window": 5}
    stream = {"arrivals": {"constant": "1000/s"}, "sessions": {"requests": 12, "gap": "1ms", "reuse": reuse}}
    keys = {"keys": {"item": {"uniform": {"items": 1, "once": "100%"}}}}
    plane = topology(fetched({"ttl": "3.5ms"}, {"wait": "0.25ms"}), [{**stream, **keys}])
    record = run(plane, 0.12)
    counted = rows(record)
    turns = counted[["user", "ordinal"]].tolist()
    by_turn = dict(zip(turns, request_keys(record), strict=True))
    until: dict[int, int] = {}
    expected = []
    for (user, at), now in zip(turns, counted["arrival_ns"].tolist(), strict=True):
        key = by_turn[user, at]
        while at > 0 and unit(key, keyed.REUSE, 0, 0) < 0.7:
            at -= 1 + int(unit(key, keyed.REUSE, 0, 1) * min(5, at))
            key = by_turn[user, at]
        expected.append(now < until.get(key, 0))
        if not expected[-1]:
            until[key] = now + MS // 4 + 7 * MS // 2
    assert (counted["end_ns"] == counted["arrival_ns"]).tolist() == expected
    assert 20 < sum(expected) < len(expected) - 20


def test_each_item_changes_at_moments_of_its_own() -> None:
    """One item for each of two tenants: which life it is in is floor(arrival / life + u), u its own."""
    one = {"item": {"uniform": {"items": 1, "life": "10ms"}}}
    streams = [{**at_ms(*range(50)), "tenant": tenant, "keys": one} for tenant in ("t", "u")]
    plane = topology(fetched({"capacity": 1000}, {"wait": "0.25ms"}), streams)
    record = run(plane, 0.1)
    counted = rows(record)
    expected: set[int] = set()
    for number, tenant in enumerate(("t", "u")):
        item = of_place(1, tenant)
        lives = [int(ms / 10 + unit(item, keyed.LIFE, 0, 0)) for ms in range(50)]
        mine = counted[counted["stream"] == number]
        missed = (mine["end_ns"] > mine["arrival_ns"]).tolist()
        assert missed == [n == 0 or lives[n] != lives[n - 1] for n in range(50)]
        expected |= {entry(mix(item, life) if life else item) for life in lives}
    assert {int(key) for key in kept(record, plane, "a.c")["key"]} == expected


def test_in_each_dimension_others_are_asked_for_once() -> None:
    """Of 100 requests each is with 30 % asked for once in `who`, and with 60 % in `what`, whatever it is in `who`."""
    shares = {"who": 0.3, "what": 0.6}
    caches = {name: {"capacity": 1000} for name in shares}
    looks = [{"cache": {"name": name, "key": name, "miss": []}} for name in shares]
    keys = {name: {"uniform": {"items": 1, "once": share}} for name, share in shares.items()}
    plane = topology({"a": {"caches": caches, **steps(*looks)}}, [{**at_ms(*range(100)), "keys": keys}])
    record = run(plane, 0.1)
    for name, share in shares.items():
        alone = [key for key in request_keys(record) if unit(key, keyed.ONCE, name_hash(name), 0) < share]
        assert abs(len(alone) - 100 * share) < 20
        expected = {entry(asked_once(key, name)) for key in alone} | {entry(of_place(1, dimension=name))}
        assert {int(key) for key in kept(record, plane, f"a.{name}")["key"]} == expected


def test_a_session_is_about_what_its_first_request_is_about() -> None:
    """Of the sessions' requests the keys of those with ordinal 0 say what all are about."""
    keys = {"item": {"uniform": {"items": 1, "once": "100%"}}}
    sessions = {"requests": 5, "gap": "1ms", "same": ["item"]}
    stream = {"arrivals": {"constant": "1000/s"}, "sessions": sessions, "keys": keys}
    plane = topology(fetched({"capacity": 1000}), [stream])
    record = run(plane, 0.1)
    firsts = [key for key, row in zip(request_keys(record), rows(record), strict=True) if row["ordinal"] == 0]
    assert len(firsts) > 10 and len(rows(record)) > 3 * len(firsts)
    assert {int(key) for key in kept(record, plane, "a.c")["key"]} == {entry(asked_once(key)) for key in firsts}
