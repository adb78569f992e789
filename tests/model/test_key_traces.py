"""Keys of a stream that a trace says: what is read, one error for each mistake, and advice."""

from __future__ import annotations

import struct
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from meshsim.caches.traces import key_of_name
from meshsim.errors import Diagnostic, SpecError
from meshsim.model.graph import stream_rate_per_s
from meshsim.model.load import load, validate
from meshsim.model.topology import Topology
from meshsim.model.traffic import TracedKeys

MAPS = """\
meshsim: 1
services:
  maps:
    caches: {tiles: {capacity: 100}}
    endpoints: {tile: [{cache: {name: tiles, key: item, miss: [{work: 1ms}]}}]}
traffic:
  - name: web
    entry: maps.tile
    arrivals: {poisson: 1/s}
    keys: {item: {trace: {file: web.csv}}, caller: {uniform: {items: 9}}}
run: {duration: 4s, warmup: 0s}
"""
TRACE = "trace: {file: web.csv}"
WEB = "time,key,size\n7.5,a,1KiB\n8s,b,20\n8.25,a,2KiB\n10,c,0\n"
ARRIVALS = "{poisson: 1/s}"


def _write(folder: Path, text: str = MAPS, web: str | bytes = WEB) -> Path:
    (folder / "web.csv").write_bytes(web.encode() if isinstance(web, str) else web)
    (folder / "maps.yaml").write_text(text, encoding="utf-8")
    return folder / "maps.yaml"


def _trace(topology: Topology) -> TracedKeys:
    trace = topology.traffic[0].keys["item"].trace
    assert trace is not None
    return trace


def _the_error(folder: Path, text: str, web: str | bytes = WEB) -> Diagnostic:
    """The only diagnostic, an error where the mark stands."""
    before, mark, after = text.partition("§")
    (error,) = validate(_write(folder, before + after, web))[1]
    assert error.severity == "error"
    if mark:
        assert (error.line, error.col) == (before.count("\n") + 1, len(before) - before.rfind("\n")), error
    return error


# -- what is read --------------------------------------------------------------------------------------------------


def test_a_trace_is_read_beside_its_topology(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / "elsewhere").mkdir()
    monkeypatch.chdir(tmp_path / "elsewhere")
    topology = load(_write(tmp_path))
    assert validate(tmp_path / "maps.yaml")[1] == []
    trace = _trace(topology)
    assert trace.keys.tolist() == [key_of_name(name) for name in "abac"]
    assert trace.sizes_bytes.tolist() == [1024, 20, 2048, 0]
    assert trace.times_s.tolist() == [0.0, 0.5, 0.75, 2.5]
    assert (len(trace), trace.items, topology.traffic[0].keys["item"].items) == (4, 3, 3)


def test_its_times_may_be_those_of_the_requests(tmp_path: Path) -> None:
    topology = load(_write(tmp_path, MAPS.replace(ARRIVALS, "{trace: {keys: item}}")))
    stream = topology.traffic[0]
    assert stream.arrivals.kind == "trace" and stream.arrivals.of_keys is _trace(topology)
    assert stream.arrivals.traced_s.tolist() == [0.0, 0.5, 0.75, 2.5]
    assert stream_rate_per_s(stream, 2.0) == 3 / 2


@pytest.mark.parametrize("name", ["web.bin", "w85.oracleGeneral", "web.dat"])
def test_oracle_general_is_read_as_well(name: str, tmp_path: Path) -> None:
    (tmp_path / name).write_bytes(struct.pack("<IQIq", 3, 5, 100, 2) + struct.pack("<IQIq", 9, 2**64 - 1, 7, -1))
    format = ", format: oracle" if name == "web.dat" else ""
    trace = _trace(load(_write(tmp_path, MAPS.replace(TRACE, f"trace: {{file: {name}{format}}}"))))
    assert trace.keys.tolist() == [5, 2**64 - 1] and trace.times_s.tolist() == [0.0, 6.0]


def test_a_shipped_trace_is_found_everywhere() -> None:
    spec: dict[str, Any] = {
        "meshsim": 1,
        "services": {"a": {"endpoints": {"e": [{"work": "1ms"}]}}},
        "traffic": [
            {
                "name": "web",
                "entry": "a.e",
                "arrivals": {"poisson": "1/s"},
                "keys": {"item": {"trace": {"file": "zipf-small.csv"}}},
            }
        ],
    }
    assert len(_trace(load(spec))) == 3000


def test_the_digest_is_that_of_what_the_file_says(tmp_path: Path) -> None:
    """Not of where it lies or how it is written: stores of sweeps know runs by it."""
    first = load(_write(tmp_path)).digest
    again = "# the same\n" + WEB.replace("8s", "8.0").replace("1KiB", "1024").replace("\n", "\r\n")
    assert load(_write(tmp_path, web=again)).digest == first
    (tmp_path / "moved").mkdir()
    assert load(_write(tmp_path / "moved")).digest == first
    for old, new in (("8s", "8.1s"), ("b,20", "d,20"), ("b,20", "b,21")):
        assert load(_write(tmp_path, web=WEB.replace(old, new))).digest != first


def test_it_is_extended_and_set_like_other_parameters(tmp_path: Path) -> None:
    path = _write(tmp_path)
    (tmp_path / "other.csv").write_text("0,a,1\n")
    other = f"traffic.web.keys.item.trace.file={tmp_path / 'other.csv'}"
    assert len(_trace(load(path, overrides=[other]))) == 1
    drawn = load(path, overrides=["traffic.web.keys.item={uniform: {items: 5}}"]).traffic[0].keys["item"]
    assert drawn.trace is None and drawn.items == 5


def test_millions_of_keys_take_their_bytes_and_no_more(tmp_path: Path) -> None:
    """No object is made of a request, and a topology that is read again shares what was read before."""
    records = np.zeros(1_000_000, dtype=[("time", "<u4"), ("key", "<u8"), ("size", "<u4"), ("next", "<i8")])
    records["key"] = np.arange(1_000_000) % 77_777
    records["time"] = np.arange(1_000_000) // 1000
    (tmp_path / "web.bin").write_bytes(records.tobytes())
    path = _write(tmp_path, MAPS.replace("web.csv", "web.bin"))
    trace = _trace(load(path))
    assert (len(trace), trace.items) == (1_000_000, 77_777)
    assert len(trace.key) == len(trace.size) == len(trace.time) == 8_000_000
    assert _trace(load(path, overrides=["services.maps.caches.tiles.capacity=7"])) is trace


# -- mistakes ------------------------------------------------------------------------------------------------------

MISTAKES = [
    ("M101", TRACE, "trace: {file: web.csv, §fromat: csv}", "did you mean 'format'?"),
    ("M102", TRACE, "§trace: {format: csv}", "add file"),
    ("M103", TRACE, "trace: §web.csv", "write trace: {file: web.csv}"),
    ("M109", TRACE, "trace: {file: web.csv, format: §parquet}", "known: csv, oracle"),
    ("M102", TRACE, "trace: {file: §web.parquet}", "format: oracle"),
    ("M122", TRACE, "trace: {file: §nope.csv}", "relative to the file"),
    ("M122", TRACE, "trace: {file: §., format: csv}", "name of a trace"),
    ("M122", TRACE, "trace: {file: §web.csv, format: oracle}", "the file is cut off, or of another format"),
    ("M120", TRACE, "trace: {file: web.csv, §once: 20%}", "remove once"),
    ("M120", TRACE, "trace: {file: web.csv, §life: 10m}", "remove life"),
    ("M120", TRACE, "trace: {file: web.csv, §items: 10}", "write zipf in the place of trace"),
    ("M114", f"item: {{{TRACE}}}", f"§item: {{{TRACE}, uniform: {{items: 9}}}}", "write {zipf"),
    ("M120", f"item: {{{TRACE}}}", f"item: {{{TRACE}, §once: 10%}}", "remove once"),
    ("M101", f"item: {{{TRACE}}}", "item: {zipf: {items: 9, exponent: 1.0}, §once: 10%}", "give it to zipf"),
    ("M120", ARRIVALS, "{poisson: 1/s}\n    sessions: {requests: 3, gap: 1s, §reuse: 10%}", "remove reuse"),
    ("M120", ARRIVALS, "{poisson: 1/s}\n    sessions: {requests: 3, gap: 1s, §same: item}", "remove same"),
    ("M104", ARRIVALS, "{trace: {keys: §itme}}", "did you mean 'item'?"),
    ("M120", ARRIVALS, "{trace: {keys: §caller}}", "write keys: {caller: {trace: {file"),
    ("M114", ARRIVALS, "{trace: §{keys: item, file: web.csv}}", "write trace"),
]


@pytest.mark.parametrize(("code", "old", "new", "hint"), MISTAKES)
def test_mistakes(code: str, old: str, new: str, hint: str, tmp_path: Path) -> None:
    error = _the_error(tmp_path, MAPS.replace(old, new, 1))
    assert error.code == code and hint in error.hint, error


@pytest.mark.parametrize(
    ("web", "told", "hint"),
    [
        ("", "there are no requests in it", "give a line for each: time, key, size"),
        ("0,a,1\n2,b,1\n1,c,1\n", "web.csv:3: time 1 is before that of the request above", "sort the trace by time"),
        ("0,a,1\n1,b\n", "web.csv:2: 2 columns are too few for time, key, size", "give all three"),
        ("0,a,1\n1 parsec,b,1\n", "web.csv:2: 'parsec' is not a unit of duration", ""),
        (b"0,a,1\n1,\xff,1\n", "web.csv: byte 9 is not UTF-8 text", "its format is oracle"),
        (b"\x28\xb5\x2f\xfd....", "web.csv is compressed", "decompress it with `zstd -d` first"),
    ],
)
def test_broken_files_are_one_error_with_their_line(web: str | bytes, told: str, hint: str, tmp_path: Path) -> None:
    error = _the_error(tmp_path, MAPS.replace("file: web", "file: §web"), web)
    assert error.code == "M122" and told in error.message and hint in error.hint, error


@pytest.mark.parametrize("item", [f"{{{TRACE}, §once: 10%}}", f"{{{TRACE.replace('}', ', §once: 10%}')}}}"])
def test_once_beside_a_trace_is_one_mistake_with_its_reason(item: str, tmp_path: Path) -> None:
    text = MAPS.replace(ARRIVALS, "{trace: {keys: item}}").replace(f"{{{TRACE}}}", item)
    error = _the_error(tmp_path, text)
    assert error.message == "once has no meaning with a trace, which has its own repetitions"


def test_a_trace_without_a_value_beside_others(tmp_path: Path) -> None:
    many = "item: {trace: , zipf: {items: 9, exponent: 1.0}, uniform: {items: 9}}"
    found = validate(_write(tmp_path, MAPS.replace(f"item: {{{TRACE}}}", many)))[1]
    assert [one.code for one in found] == ["M114", "M112"]


def test_of_two_kinds_the_trace_is_still_one(tmp_path: Path) -> None:
    two = f"§item: {{{TRACE}, uniform: {{items: 9}}}}"
    text = MAPS.replace(ARRIVALS, "{trace: {keys: item}}").replace(f"item: {{{TRACE}}}", two)
    assert _the_error(tmp_path, text).code == "M114"


def test_same_may_be_about_what_is_drawn(tmp_path: Path) -> None:
    text = MAPS.replace(ARRIVALS, "{poisson: 1/s}\n    sessions: {requests: 3, gap: 1s, same: caller}")
    assert validate(_write(tmp_path, text))[1] == []


def test_sizes_of_a_trace_need_one(tmp_path: Path) -> None:
    text = MAPS.replace("capacity: 100", "capacity: 64MiB, size: trace")
    assert validate(_write(tmp_path, text))[1] == []
    beside = "  - {name: app, entry: maps.tile, arrivals: {poisson: 1/s}, keys: {item: {uniform: {items: 9}}}}\n"
    error = _the_error(tmp_path, text.replace("size: ", "size: §").replace("run:", f"{beside}run:"))
    assert error.code == "M120" and "has no meaning for 'app'" in error.message
    assert "write a size such as 4KiB" in error.hint
    keyless = beside.replace("item:", "caller:")  # it passes the cache by
    told = validate(_write(tmp_path, text.replace("run:", f"{keyless}run:")))[1]
    assert [one.code for one in told] == ["M225"]


def test_too_many_bytes_are_not_read(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    from meshsim.model.read import key_traces

    monkeypatch.setattr(key_traces, "MAX_TRACE_BYTES", 10)
    assert "take a part of it" in _the_error(tmp_path, MAPS.replace("file: web", "file: §web")).hint


def test_all_mistakes_are_told_at_once(tmp_path: Path) -> None:
    text = MAPS.replace(TRACE, "trace: {file: nope.csv}").replace(ARRIVALS, "{trace: {keys: item}}")
    with pytest.raises(SpecError) as error:
        load(_write(tmp_path, text.replace("capacity: 100", "capacity: 0")))
    assert [one.code for one in error.value.diagnostics] == ["M108", "M122"]


# -- advice --------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("old", "new", "hint"),
    [
        ("poisson: 1/s", "poisson: 2/s", "make run.duration 2s or less"),
        ("duration: 4s", "duration: 1h", "make run.duration 4s or less"),
        ("duration: 4s", "duration: 4s, load: 3", "make run.duration 1.33s or less"),
    ],
)
def test_a_run_that_is_longer_than_its_trace(old: str, new: str, hint: str, tmp_path: Path) -> None:
    (warning,) = validate(_write(tmp_path, MAPS.replace(old, new)))[1]
    assert (warning.code, warning.severity, warning.line) == ("M227", "warning", 10)
    assert "has 4: it begins again" in warning.message and hint in warning.hint


def test_requests_at_the_times_of_the_trace_are_never_more(tmp_path: Path) -> None:
    text = MAPS.replace(ARRIVALS, "{trace: {keys: item}}").replace("duration: 4s", "duration: 1h, load: 9")
    assert [one.code for one in validate(_write(tmp_path, text))[1]] == ["M229"]  # and not M227


def test_a_run_that_goes_on_when_its_trace_is_over(tmp_path: Path) -> None:
    """The last request comes 2.5 s after the first."""
    text = MAPS.replace(ARRIVALS, "{trace: {keys: item}}")
    (warning,) = validate(_write(tmp_path, text))[1]
    assert (warning.code, warning.severity, warning.line) == ("M229", "warning", 9)
    assert warning.message == "the trace of 'web' ends at 2.5s, and nothing is sent in the last 1.5s of the run"
    assert warning.hint == "make run.duration 2.7s, or give a longer trace"
    (warning,) = validate(_write(tmp_path, text.replace("4s", "0.8s, load: 5")))[1]
    assert "make run.duration 540ms" in warning.hint  # 1s would be longer than it was
    fitting = text.replace("4s", "2.7s")
    assert validate(_write(tmp_path, fitting))[1] == []
    (warning,) = validate(_write(tmp_path, fitting.replace("2.7s", "2.7s, load: 2")))[1]
    assert "ends at 1.25s" in warning.message and "the last 1.45s" in warning.message
