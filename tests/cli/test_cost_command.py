"""`cost`: formats that say the same, files, exit codes, and mistakes under the names of the options."""

from __future__ import annotations

import csv
import io
import json
from pathlib import Path

import pandas as pd
import pytest

SMALL = ("--duration", "3s", "--replications", "2", "--jobs", "1", "-q")


def test_all_formats_say_the_same(shell, tmp_path: Path) -> None:
    words = ("cost", "front-door", "--arch", "none,gateway", *SMALL)
    found = json.loads(shell(*words, "-o", "json").stdout)
    rows = list(csv.DictReader(io.StringIO(shell(*words, "-o", "csv").stdout)))
    file = tmp_path / "cost.parquet"
    shell(*words, "--file", file)
    frame = pd.read_parquet(file)
    assert list(frame.columns) == list(rows[0]) and len(frame) == len(rows)
    for name, one in found["architectures"].items():
        total = one["cost"]["total"]
        assert total == sum(one["cost"]["by_tenant"].values()) == sum(i["total"] for i in one["items"].values())
        told = {
            (r["architecture"], r["scope"]): r["value"] for r in rows if r["quantity"] == "bill" and not r["tenant"]
        }
        assert round(float(told[name, "total"]) * 100) == total
        text = f"${total / 100:,.2f}"
        assert text in shell(*words).stdout and text in shell(*words, "-o", "md").stdout


def test_the_command_repeats_it(shell) -> None:
    words = ("cost", "front-door", "--arch", "gateway", "--rule", "shapley", "--nodes", "m5.xlarge", "--nat", *SMALL)
    found = json.loads(shell(*words, "-o", "json").stdout)
    again = found["manifest"]["command"].split()[1:]
    assert "--seed" in again and "--nat" in again
    other = json.loads(shell(*again, "-o", "json", "-q").stdout)
    assert other["architectures"] == found["architectures"]


def test_what_repeats_it_says_that_the_topology_came_on_stdin(shell) -> None:
    text = shell("topologies", "front-door").stdout
    answer = shell("cost", "-", "--arch", "gateway", *SMALL, stdin=text)
    assert answer.exit_code == 0, answer.stderr
    assert "# with the same topology on stdin" in answer.stdout


@pytest.mark.parametrize("kind", ["stacked", "items", "waterfall", "objective"])
def test_charts(shell, tmp_path: Path, kind: str) -> None:
    picture = tmp_path / "cost.png"
    answer = shell("cost", "bookinfo", "--arch", "none,sidecar", *SMALL, "--chart", picture, "--kind", kind)
    assert answer.exit_code == 0 and picture.stat().st_size > 10_000


def test_strict_wants_objectives_to_be_kept(shell) -> None:
    words = ("cost", "bookinfo", *SMALL, "--set", "tenants.web.slo.p99=1ms")
    assert shell(*words).exit_code == 0
    answer = shell(*words, "--strict")
    assert answer.exit_code == 1 and "failed: none: objective web p99 is missed" in answer.stderr


@pytest.mark.parametrize(
    ("words", "message"),
    [
        (("--rule", "fair"), "fair"),
        (("--nodes", "m5"), "no node type 'm5'"),
        (("--arch", "side"), "side"),
        (("--chart", "cost.gif"), "--chart cost.gif"),
        (("--file", "cost.xls"), "--file cost.xls"),
        (("--kind", "pie", "--chart", "x.png"), "pie"),
        (("--duration", "10"), "10 has no unit"),
        (("--people-hours", "-1"), "people-hours"),
        (("--people-hours", "2000000"), "from 0 to 1,000,000, not 2,000,000"),
        (("--kind", "stacked"), "--kind stacked says what --chart draws: give --chart FILE, too"),
        (("--kind", "waterfall", "--chart", "x.png", "--arch", "sidecar"), "ask for both"),
        (("--kind", "objective", "--chart", "x.png"), "ask for two or more"),
        (("--warmup", "5"), "--warmup 5"),
        (("--warmup", "1s", "--set", "run.warmup=2s"), "say the same twice"),
    ],
)
def test_mistakes(shell, words: tuple[str, ...], message: str) -> None:
    answer = shell("cost", "bookinfo", "-q", *words)
    assert answer.exit_code == 2 and message in answer.stderr and not answer.stdout


@pytest.mark.parametrize("words", [("--prices", "none.yaml"), ("--file", "no/such.csv"), ("--chart", "no/such.png")])
def test_files_that_cannot_be_read_or_written(shell, words: tuple[str, ...]) -> None:
    answer = shell("cost", "bookinfo", "-q", *words)
    assert answer.exit_code == 4 and words[1] in answer.stderr and not answer.stdout


def test_the_warm_up_is_cut(shell) -> None:
    words = ("cost", "bookinfo", *SMALL, "--warmup", "1.5s", "-o", "json")
    manifest = json.loads(shell(*words).stdout)["manifest"]
    assert manifest["warmup_s"] == 1.5 and "--set run.warmup=1.5s" in manifest["command"]
