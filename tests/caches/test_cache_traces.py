"""Readers of traces: formats as they are published, and mistakes with their places."""

from __future__ import annotations

import struct

import numpy as np
import pytest

from meshsim.caches.policies import LRU, Limits
from meshsim.caches.replay import extent, replay
from meshsim.caches.traces import guess_format, key_of_name, parse_trace, shipped_trace
from meshsim.errors import UsageError


def test_csv_with_and_without_a_header() -> None:
    bare = parse_trace(b"# made by hand\n0.5,a,10\n\n700ms,b,1KiB\n2,a,10\n", "csv", "t.csv")
    named = parse_trace(
        b"\xef\xbb\xbfKey, size ,tenant,time\r\na,10,x,0.5\r\nb,1024B,x,0.7\r\na,10,y,2s\r\n", "csv", "t.csv"
    )
    for trace in (bare, named):
        assert trace.time_s.tolist() == [0.5, 0.7, 2.0] and trace.time_s.dtype == np.float64
        assert trace.key.tolist() == [key_of_name(name) for name in "aba"] and trace.key.dtype == np.uint64
        assert trace.size_bytes.tolist() == [10, 1024, 10] and trace.size_bytes.dtype == np.int64


def test_quoted_keys_may_have_commas() -> None:
    assert parse_trace(b'0,"a,b",1\n', "csv", "t.csv").key.tolist() == [key_of_name("a,b")]


def test_oracle_general_records() -> None:
    """As C packs struct {uint32_t; uint64_t; uint32_t; int64_t} without padding (libCacheSim, FAQ.md)."""
    records = [(0, 2**64 - 1, 100, 2), (7, 5, 2**32 - 1, -1), (7, 2**64 - 1, 100, -1)]
    trace = parse_trace(b"".join(struct.pack("<IQIq", *record) for record in records), "oracle", "t.bin")
    assert trace.time_s.tolist() == [0.0, 7.0, 7.0]
    assert trace.key.tolist() == [2**64 - 1, 5, 2**64 - 1]
    assert trace.size_bytes.tolist() == [100, 2**32 - 1, 100]


@pytest.mark.parametrize(
    ("content", "told"),
    [
        (b"when,a,1\n", r"t:1: 'when' is not a duration; .* A header has the names time, key, size"),
        (b"0,a,1\n1,a\n", r"t:2: 2 columns are too few for time, key, size"),
        (b"0,a,1\n# x\n1 parsec,a,1\n", r"t:3: 'parsec' is not a unit of duration"),
        (b"0,a,-1\n", r"t:1: '-1' is not a size from 0"),
        (b"0,a,9223372036854775808\n", r"t:1: .* is not a size from 0"),
        (b"0,a,many\n", r"t:1: 'many' is not a size"),
        (b"nan,a,1\n", r"t:1: 'nan' is not a time"),
        (b"time,key,size\n1,a,1\n0.5,a,1\n", r"t:3: time 0.5 is before that of the request above; sort"),
        (b"\xff\xfe\x00", r"t: byte 1 is not UTF-8 text; .* its format is oracle"),
        (b'0,"' + b"a" * 200_000 + b'",1\n', r"t:\d+: this is not CSV"),
        (b"", r"t: there are no requests"),
        (b"# nothing\n", r"t: there are no requests"),
        (b"time,key,size\n", r"t: there are no requests"),
        (b"\x28\xb5\x2f\xfd rest", r"t is compressed; .* `zstd -d`"),
        (b"\x1f\x8b rest", r"t is compressed; .* `gunzip`"),
    ],
)
def test_mistakes_in_csv(content: bytes, told: str) -> None:
    with pytest.raises(UsageError, match=told):
        parse_trace(content, "csv", "t")


def test_mistakes_in_oracle_general() -> None:
    with pytest.raises(UsageError, match="25 bytes are not a whole number of oracleGeneral records of 24 bytes"):
        parse_trace(bytes(25), "oracle", "t.bin")
    back = struct.pack("<IQIq", 7, 1, 1, -1) + struct.pack("<IQIq", 6, 1, 1, -1)
    with pytest.raises(UsageError, match="record 2 is of 6 s, the one before of 7 s"):
        parse_trace(back, "oracle", "t.bin")


def test_names_tell_formats() -> None:
    names = ("cluster52.oracleGeneral.zst", "w01.oracleGeneral", "x.CSV", "x.csv.gz", "x.parquet")
    assert [guess_format(name) for name in names] == ["oracle", "oracle", "csv", "csv", None]


def test_the_shipped_trace_and_what_it_says_of_itself() -> None:
    file = shipped_trace("zipf-small.csv")
    assert file is not None and shipped_trace("no-such.csv") is shipped_trace("../traces/zipf-small.csv") is None
    trace = parse_trace(file.read_bytes(), "csv", file.name)
    rows = [line.split(",") for line in file.read_text().splitlines() if not line.startswith("#")][1:]
    told = extent(trace)
    assert (told.requests, told.objects) == (len(rows), len({key for _, key, _ in rows})) == (3000, 439)
    assert told.working_set_bytes == sum({key: int(size) for _, key, size in rows}.values())
    assert told.one_hit_wonders == sum(n == 1 for n in np.unique([key for _, key, _ in rows], return_counts=True)[1])
    assert told.requested_bytes == sum(int(size) for *_, size in rows)
    everything = replay(trace, LRU(Limits()))
    assert everything.hits == told.requests - told.objects  # only compulsory misses
    assert everything.hit_bytes == told.requested_bytes - told.working_set_bytes
