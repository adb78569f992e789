"""`metastability`: formats that say the same, exit codes, and mistakes under the names of the options."""

from __future__ import annotations

import csv
import io
import json
from pathlib import Path

import pytest

SMALL = (
    "--set", "traffic.web.arrivals.poisson=428.6/s", "--set", "services.store.endpoints.get.0.work.exp=2.333ms",
    "--for", "2s", "--recovery", "16s", "--replications", "1", "--jobs", "1", "--load", "0.2,0.7",
    "--no-remedies", "-q",
)  # fmt: skip


def test_all_formats_say_the_same(shell, tmp_path: Path) -> None:
    picture = tmp_path / "map.png"
    found = json.loads(shell("metastability", "metastable", *SMALL, "-o", "json", "--chart", picture).stdout)
    rows = list(csv.DictReader(io.StringIO(shell("metastability", "metastable", *SMALL, "-o", "csv").stdout)))
    assert [one["word"] for one in found["points"]] == [row["word"] for row in rows] == ["stable", "stuck"]
    assert rows[1]["back_s"] == rows[1]["ended_by"] == ""
    assert "| as written | stable, " in shell("metastability", "metastable", *SMALL, "-o", "md").stdout
    table = shell("metastability", "metastable", *SMALL)
    assert table.exit_code == 0 and "as written  stable, " in table.stdout and "stuck" in table.stdout
    assert picture.stat().st_size > 10_000


def test_strict_wants_all_points_stable(shell) -> None:
    answer = shell("metastability", "metastable", *SMALL, "--strict")
    assert answer.exit_code == 1
    assert "1 of 2 points are not stable; the first: as written, load 0.7" in answer.stderr


def test_a_topology_from_stdin(shell) -> None:
    text = (Path(__file__).parents[2] / "topologies" / "metastable.yaml").read_text(encoding="utf-8")
    answer = shell("metastability", "-", *SMALL, "--load", "0.2", stdin=text)
    assert answer.exit_code == 0 and "stable, " in answer.stdout


@pytest.mark.parametrize(
    ("words", "message"),
    [
        (("--load", "much"), "--load much: write numbers"),
        (("--load", "0.5,0.5"), "--load 0.5,0.5: 0.5 is given twice"),
        (("--policy", "x=y"), "write a name, or NAME=PATH=VALUE"),
        (("--policy", "x", "--policy", "x"), "--policy x is given twice"),
        (("--proxies", "services.front.replicas=1..4"), "services.front.replicas=1,10,40"),
        (("--proxies", "services.frnt.replicas=1"), "did you mean 'front'?"),
        (("--for", "10"), "--for 10: 10 has no unit"),
        (("--trigger", "crash: {service: store}"), "crash happens once"),
        (("--chart", "map.gif"), "--chart map.gif"),
    ],
)
def test_mistakes(shell, words: tuple[str, ...], message: str) -> None:
    answer = shell("metastability", "metastable", "-q", *words)
    assert answer.exit_code == 2 and message in answer.stderr
