"""``meshsim trace``: what it prints, writes and refuses."""

from __future__ import annotations

import json
from pathlib import Path

import pytest


def test_the_table(shell, shop) -> None:
    answer = shell("trace", shop, "--arch", "sidecar", "--slowest", "3")
    assert answer.exit_code == 0, answer.stderr
    lines = answer.stdout.splitlines()
    assert lines[0].startswith("shop · sidecar · 4.00 s of traffic")
    assert lines[1].endswith("3 shown")
    assert lines[3].split() == [
        "request",
        "arrived",
        "latency",
        "outcome",
        "tries",
        *("most", "of", "its", "critical", "path"),
    ]
    latencies = [float(line.split()[3]) for line in lines[4:7]]
    assert latencies == sorted(latencies, reverse=True)
    assert lines[8].startswith("critical path by hop")
    hops = {line.split()[0] for line in lines[9:]}
    assert hops >= {"shop", "stock", "gateway", "sidecar@shop", "sidecar@stock"}


def test_json_is_otlp_and_the_same_on_both_engines(shell, shop) -> None:
    words = ("trace", shop, "--sampled", "2", "--duration", "1s", "-o", "json")
    one, other = shell(*words), shell(*words, "--engine", "simpy")
    assert one.stdout == other.stdout
    found = json.loads(one.stdout)
    ids = {
        span["traceId"] for part in found["resourceSpans"] for scope in part["scopeSpans"] for span in scope["spans"]
    }
    assert len(ids) == 2


def test_the_chart(shell, shop, tmp_path: Path) -> None:
    target = tmp_path / "slowest.svg"
    answer = shell("trace", shop, "--slowest", "1", "--chart", target)
    assert answer.exit_code == 0, answer.stderr
    assert f"wrote {target}" in answer.stderr
    assert "<svg" in target.read_text(encoding="utf-8")


def test_nobody_is_like_this(shell, shop, tmp_path: Path) -> None:
    target = tmp_path / "none.png"
    answer = shell("trace", shop, "--outcome", "timeout", "--duration", "1s", "--chart", target)
    assert answer.exit_code == 0
    assert "0 of them fit" in answer.stdout
    assert "no sampled request is like this" in answer.stdout
    assert "was not written" in answer.stderr
    assert not target.exists()


@pytest.mark.parametrize(
    ("words", "code", "message"),
    [
        (["--outcome", "slow"], 2, "there is no outcome 'slow'; choose one of ok"),
        (["--outcome", "unfinished"], 2, "have no spans"),
        (["--tenant", "nobody"], 2, "--tenant nobody: no traffic belongs to it; there are web"),
        (["--arch", "none,sidecar"], 2, "trace takes one architecture"),
        (["--chart", "x.gif"], 2, "--chart x.gif: the name must end in .png"),
        (["--chart", "/nowhere/x.png"], 4, "there is no folder"),
        (["--slowest", "-1"], 2, "--slowest is a whole number of 0 or more, not '-1'"),
        (["--slowest", "0"], 2, "--slowest 0 shows nothing"),
    ],
)
def test_mistakes_are_told_before_anything_runs(shell, shop, words, code, message) -> None:
    answer = shell("trace", shop, *words)
    assert answer.exit_code == code
    assert message in answer.stderr
    assert not answer.stdout
