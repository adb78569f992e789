"""`meshsim cache --trace`: numbers that can be counted by hand, in every form, and what it refuses."""

from __future__ import annotations

import csv
import io
import json
import struct
from pathlib import Path

import pytest

from meshsim.caches.policies import POLICIES
from meshsim.cli.cache import Policy
from meshsim.errors import ExitCode

BELADY = "".join(f"{time},{key},{10 * int(key)}\n" for time, key in enumerate("123412512345"))


@pytest.fixture
def belady(tmp_path: Path) -> Path:
    path = tmp_path / "belady.csv"
    path.write_text(BELADY, encoding="utf-8")
    return path


def test_policies_are_those_there_are() -> None:
    assert tuple(Policy) == POLICIES


def test_json(shell, belady: Path) -> None:
    answer = shell("cache", "--trace", belady, "--policy", "fifo", "--size", 3, "--size", 4, "-o", "json")
    assert answer.exit_code == 0
    found = json.loads(answer.stdout)
    assert found["schema_version"] == 1
    assert found["trace"] == {
        "file": str(belady),
        "requests": 12,
        "duration_s": 11.0,
        "objects": 5,
        "one_hit_wonders": 0,
        "compulsory_misses": 5,
        "compulsory_miss_ratio": 5 / 12,
        "working_set_bytes": 150,
        "requested_bytes": 330,
    }
    assert [(row["capacity_entries"], row["hits"]) for row in found["caches"]] == [(3, 3), (4, 2)]
    assert [row["hit_bytes"] for row in found["caches"]] == [80, 30]  # 1, 2 and 5 hit; with one more place only 1 and 2
    assert found["caches"][0]["byte_hit_ratio"] == 80 / 330


def test_table_csv_and_markdown(shell, belady: Path) -> None:
    words = ("cache", "--trace", belady, "--policy", "fifo", "--policy", "lru", "--size", 3, "--size", "100B")
    rows = list(csv.DictReader(io.StringIO(shell(*words, "-o", "csv").stdout)))
    assert [(row["policy"], row["size"]) for row in rows] == [(p, s) for p in ("fifo", "lru") for s in ("3", "100B")]
    assert rows[0]["hit_ratio"] == "0.25"
    assert (rows[0]["objects"], rows[0]["compulsory_misses"], rows[0]["working_set_bytes"]) == ("5", "5", "150")
    table = shell(*words).stdout
    assert "12 requests in 11.0 s for 5 objects; working set 150 B" in table and "of each object): 41.7 %" in table
    assert ["fifo", "3", "25.0", "%", "24.2", "%"] in [line.split() for line in table.splitlines()]
    assert "| fifo | 3 | 25.0 % | 24.2 % |" in shell(*words, "-o", "md").stdout


def test_ttl(shell, belady: Path) -> None:
    """1 is asked for at 0, 4 and 7 s, 2 at 1, 5 and 8 s; 3, 4 and 5 come back once, after 5 s and more."""

    def hits(*words: str) -> int:
        answer = shell("cache", "--trace", belady, "--size", "10", *words, "-o", "json")
        return int(json.loads(answer.stdout)["caches"][0]["hits"])

    assert hits() == 7
    assert hits("--ttl", "3s") == 0  # over at the very end
    assert hits("--ttl", "4500ms") == 2  # the second of 1 and of 2; the third comes 7 s after the fetch
    assert hits("--ttl", "4500ms", "--renew") == 4


def test_oracle_general_and_stdin(shell, tmp_path: Path) -> None:
    content = b"".join(struct.pack("<IQIq", time, int(key), 10, -1) for time, key in enumerate("123412512345"))
    path = tmp_path / "belady.oracleGeneral"
    path.write_bytes(content)
    for words, stdin in ((("--trace", path), None), (("--trace", "-", "--format", "oracle"), content)):
        answer = shell("cache", *words, "--policy", "fifo", "--size", 4, "-o", "json", stdin=stdin)
        assert json.loads(answer.stdout)["caches"][0]["hits"] == 2


def test_a_size_that_holds_nothing_is_told(shell) -> None:
    words = ("cache", "--trace", "zipf-small.csv", "--size", "10B", "--size", "100B")
    answer = shell(*words)
    assert answer.stderr == "warning: --size 10B holds nothing: an object of the trace has 100 B at least\n"
    assert shell(*words, "-q").stderr == ""


def test_the_seed_is_that_of_random(shell) -> None:
    words = ("cache", "--trace", "zipf-small.csv", "--policy", "random", "--size", 50, "-o", "csv")
    first, again, other = (shell(*words, "--seed", seed).stdout for seed in (1, 1, 2))
    assert first == again != other


@pytest.mark.parametrize(
    ("words", "told"),
    [
        ((), "name a topology, or a trace with --trace"),
        (("--trace", "zipf-small.csv"), "--size 1000 or --size 64MiB"),
        (("--trace", "zipf-small.csv", "--size", "0"), "--size 0: such a cache keeps nothing"),
        (("--trace", "zipf-small.csv", "--size", "3.5"), "write 3.5KiB or 3.5MiB"),
        (("--trace", "zipf-small.csv", "--size", "5", "--renew"), "add --ttl"),
        (("--trace", "zipf-small.csv", "--size", "5", "--ttl", "5"), "--ttl 5: 5 has no unit; write 5ms or 5s"),
        (("--trace", "nope.csv", "--size", "5"), "cannot read nope.csv"),
        (("--trace", "nope", "--size", "5"), "add --format csv or --format oracle"),
        (("--trace", "zipf-small.csv", "--size", "5", "--policy", "arc"), "'arc' is not one of"),
    ],
)
def test_refused(shell, words: tuple[str, ...], told: str) -> None:
    answer = shell("cache", *words)
    assert answer.exit_code == ExitCode.INVALID
    assert told in " ".join(answer.stderr.split()) and answer.stdout == ""
