"""Requests whose keys are those of a trace, on both engines, beside the replay of `meshsim.caches` (rule K7)."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pytest
from builders import ends_ms, rows, run
from cached import count, kept, look, steps, topology

from meshsim.architectures.plane import Plane
from meshsim.caches.policies import Limits, PolicyName, make_cache
from meshsim.caches.replay import replay
from meshsim.caches.traces import KeyTrace, parse_trace, shipped_trace

NAME = "zipf-small.csv"
OF_TRACE = {"arrivals": {"trace": {"keys": "item"}}, "keys": {"item": {"trace": {"file": NAME}}}}


def shipped(requests: int | None = None) -> tuple[bytes, KeyTrace]:
    """A file, or its first requests, as they stand there and as they are read."""
    file = shipped_trace(NAME)
    assert file is not None
    lines = [line for line in file.read_text(encoding="utf-8").splitlines() if not line.startswith("#")]
    content = "\n".join(lines if requests is None else lines[: 1 + requests]).encode()
    return content, parse_trace(content, "csv", NAME)


def distinct(requests: int) -> int:
    """Different objects among the first requests."""
    return len(np.unique(shipped()[1].key[:requests]))


def written(tmp_path: Path, *requests: tuple[str, int], name: str = "t.csv") -> dict[str, Any]:
    """Keys of a trace of these keys and sizes, one a second from 10 s on."""
    lines = [f"{10 + n},{key},{size}" for n, (key, size) in enumerate(requests)]
    (tmp_path / name).write_text("\n".join(lines), encoding="utf-8")
    return {"trace": {"file": str(tmp_path / name)}}


def cached(cache: dict[str, Any], *streams: dict[str, Any], **step: Any) -> Plane:
    """One service whose one cache is filled at once."""
    look_up = {"cache": {**look()["cache"], **step}}
    return topology({"a": {"caches": {"c": cache}, **steps(look_up)}}, list(streams))


@pytest.mark.parametrize("policy", ["lru", "fifo", "lfu", "sieve"])
@pytest.mark.parametrize(
    ("room", "limits"), [(40, Limits(capacity_entries=40)), ("100KiB", Limits(capacity_bytes=102_400))]
)
def test_a_cache_hits_what_a_replay_of_the_trace_alone_hits(
    policy: PolicyName, room: Any, limits: Limits, tmp_path: Path
) -> None:
    """Request for request and byte for byte; what evictions leave is the same, too."""
    content, trace = shipped(1200)
    (tmp_path / "t.csv").write_bytes(content)
    plane = cached(
        {"capacity": room, "policy": policy, "size": "trace"},
        {**OF_TRACE, "keys": {"item": {"trace": {"file": str(tmp_path / "t.csv")}}}},
    )
    record = run(plane, 200.0)
    alone = make_cache(policy, limits, lambda n: 0)
    found = replay(trace, alone)
    counted = count(record, plane, "a.c", "lookups", "hits", "lookup_bytes", "hit_bytes")
    assert counted == [found.requests, found.hits, found.requested_bytes, found.hit_bytes]
    assert found.requests == 1200 and 0 < found.hits < 1200 - distinct(1200)  # some were evicted, and missed again
    left = kept(record, plane, "a.c")
    assert (len(left), left["object_bytes"].sum()) == (len(alone), alone.bytes)


def test_requests_come_when_those_of_the_trace_came(tmp_path: Path) -> None:
    """The first one at 0 s; twice as fast with a load of 2."""
    keys = {"item": written(tmp_path, ("x", 1), ("y", 1), ("x", 1))}
    stream = {"arrivals": {"trace": {"keys": "item"}}, "keys": keys}
    plane = topology({"a": steps({"wait": "1ms"})}, [stream])
    assert ends_ms(run(plane, 9.0)) == [1.0, 1001.0, 2001.0]
    twice = topology({"a": steps({"wait": "1ms"})}, [stream], run={"warmup": "0s", "load": 2})
    assert ends_ms(run(twice, 9.0)) == [1.0, 501.0, 1001.0]


def test_the_trace_begins_again_at_its_end(tmp_path: Path) -> None:
    """Three objects in two places: x is there at its third request, y and z push each other out. Then once more."""
    keys = {"item": written(tmp_path, ("x", 1), ("y", 1), ("x", 1), ("z", 1), ("x", 1), ("y", 1))}
    plane = cached({"capacity": 2}, {"arrivals": {"constant": "1/s"}, "keys": keys})
    assert count(run(plane, 6.5), plane, "a.c", "lookups", "hits") == [6, 2]
    assert count(run(plane, 12.5), plane, "a.c", "lookups", "hits") == [
        12,
        2 + 4,
    ]  # x and y are there: only z misses, y


@pytest.mark.parametrize(
    "more",
    [
        {"arrivals": {"closed": {"users": 5, "think": {"exp": "10ms"}}}},
        {"arrivals": {"poisson": "400/s"}, "sessions": {"requests": {"geometric": 4}, "gap": {"exp": "5ms"}}},
        {"arrivals": {"batch": {"rate": "400/s", "size": {"geometric": 3}}}},
    ],
)
def test_whoever_comes_next_gets_the_next_key(more: dict[str, Any]) -> None:
    """In the order of arrival, whoever sends: what was there before, were nothing evicted, is all that is hit."""
    plane = cached({"ttl": "1h"}, {**OF_TRACE, **more})
    record = run(plane, 2.0, drain=0.0)
    asked, hits = count(record, plane, "a.c", "lookups", "hits")
    assert 400 < asked < 3000 and asked == len(rows(record)) and hits == asked - distinct(asked)


def test_the_same_key_in_two_files_is_the_same_thing_of_a_tenant(tmp_path: Path) -> None:
    """A write to y, by a stream with a trace of its own, makes the y outdated that the other one keeps."""
    reads = {"item": written(tmp_path, ("x", 1), ("y", 1), ("y", 1), ("x", 1), name="reads.csv")}
    writes = {"item": written(tmp_path, ("y", 1), name="writes.csv")}
    ends = {"e": [look()], "w": [{"invalidate": {"cache": "c", "key": "item"}}]}
    read = {"arrivals": {"trace": {"keys": "item"}}, "keys": reads}
    write = {"arrivals": {"trace": {"times": ["1.5s"]}}, "keys": writes, "entry": "a.w"}
    for tenants, outdated in (("tt", 1), ("tu", 0)):  # another tenant's y is another thing
        streams = [{**read, "tenant": tenants[0]}, {**write, "tenant": tenants[1]}]
        plane = topology({"a": {"caches": {"c": {"capacity": 9}}, "endpoints": ends}}, streams)
        assert count(run(plane, 9.0), plane, "a.c", "hits", "outdated") == [2, outdated]


def test_keys_of_a_trace_are_no_ranks(tmp_path: Path) -> None:
    """Object 1 of a trace is not item 1 of a ranking: record by record, as oracleGeneral has them."""
    record = np.zeros(1, dtype=[("time", "<u4"), ("key", "<u8"), ("size", "<u4"), ("next", "<i8")])
    record["key"] = 1
    (tmp_path / "one.bin").write_bytes(record.tobytes())
    traced = {"item": {"trace": {"file": str(tmp_path / "one.bin")}}}
    plane = cached(
        {"capacity": 9},
        {"arrivals": {"trace": {"times": ["0s", "2s"]}}, "keys": traced},
        {"arrivals": {"trace": {"times": ["1s"]}}, "keys": {"item": {"uniform": {"items": 1}}}},
    )
    assert count(run(plane, 9.0), plane, "a.c", "lookups", "hits") == [3, 1]


def test_a_key_of_several_dimensions_has_the_size_of_its_trace(tmp_path: Path) -> None:
    """Two callers and one object of 7 bytes, then of 9, as of each request."""
    traced = written(tmp_path, ("x", 7), ("x", 7), ("x", 7), ("x", 9))
    keys = {"caller": {"uniform": {"items": 2}}, "item": traced}
    plane = cached(
        {"capacity": 9, "size": "trace"}, {"arrivals": {"constant": "1/s"}, "keys": keys}, key=["item", "caller"]
    )
    record = run(plane, 8.5)
    lookups, total, entries = (*count(record, plane, "a.c", "lookups", "lookup_bytes"), len(kept(record, plane, "a.c")))
    assert (lookups, total, entries) == (8, 2 * (3 * 7 + 9), 2)


@pytest.mark.parametrize("balancer", ["ring_hash", "maglev"])
def test_hashes_of_a_traced_key_keep_it_at_one_replica(balancer: str) -> None:
    """No object is missed twice, for all its requests meet the same store; at random some are."""
    service = {"replicas": 3, "caches": {"c": {"ttl": "1h"}}, **steps(look())}
    policy = {"name": "p", "to": "a", "in_app": True, "load_balancer": {balancer: {"on": "item"}}}
    stream = {**OF_TRACE, "arrivals": {"constant": "100/s"}}
    plane = topology({"a": service}, [stream], policies=[policy])
    record = run(plane, 9.995)
    assert count(record, plane, "a.c", "lookups", "fills") == [999, distinct(999)]
    assert len(np.unique(kept(record, plane, "a.c")["store"])) == 3
    anywhere = topology({"a": service}, [stream])
    assert count(run(anywhere, 9.995), anywhere, "a.c", "fills")[0] > distinct(999)
