"""`forecast`: formats that say the same, charts, the line that repeats it, exit codes, and mistakes said beforehand."""

from __future__ import annotations

import csv
import io
import json
from pathlib import Path

import pytest
import yaml
from growing_shop import growing_shop


@pytest.fixture
def file(tmp_path: Path) -> str:
    path = tmp_path / "growing.yaml"
    path.write_text(yaml.safe_dump(growing_shop()), encoding="utf-8")
    (tmp_path / "growth.csv").write_text("month,factor\n1,1.5\n2,3\n3,4\n", encoding="utf-8")
    return str(path)


WORDS = ("--arch", "gateway,sidecar-only", "--months", "3", "--lose", "0", "--engine", "analytic", "-q")


def test_all_formats_say_the_same(shell, file: str, tmp_path: Path) -> None:
    words = ("forecast", file, *WORDS, "--growth", tmp_path / "growth.csv", "--scenario", "sale=50%")
    found = json.loads(shell(*words, "-o", "json").stdout)
    rows = list(csv.DictReader(io.StringIO(shell(*words, "-o", "csv").stdout)))
    table, markdown = shell(*words).stdout, shell(*words, "-o", "md").stdout
    for name in ("gateway", "sidecar-only"):
        for scenario in ("base", "sale"):
            course = found["architectures"][name]["scenarios"][scenario]
            bills = [month["plan"]["cost"] / 100 for month in course["months"]]
            kept = [r for r in rows if (r["architecture"], r["scenario"], r["service"]) == (name, scenario, "shop")]
            assert [float(row["bill"]) for row in kept] == bills
            assert [int(row["bought"]) for row in kept] == [m["plan"]["bought"]["shop"] for m in course["months"]]
            text = f"${course['total'] / 100:,.0f} for 3 months"
            assert f"{name}, {scenario}: {text}" in table and f"## {name}, {scenario}: {text}" in markdown
    sentence = "requests/s on gateway is cheaper than sidecar-only"
    assert sentence in table and sentence in markdown
    assert [one["after"] for one in found["crossovers"] if one["quantity"] == "cost"] == ["gateway"]


def test_the_command_repeats_it(shell, file: str) -> None:
    words = (
        "--scenario",
        "black friday=40%",
        "--across",
        "mesh.sidecar.cpu=1,4",
        "--today",
        "written",
        "--growth",
        "9%",
    )
    found = json.loads(shell("forecast", file, *WORDS, *words, "-o", "json").stdout)
    command = found["manifest"]["command"]
    assert "--scenario 'black friday=40%'" in command
    import shlex

    again = json.loads(shell(*shlex.split(command)[1:], "-q", "-o", "json").stdout)
    assert again["architectures"] == found["architectures"] and again["map"] == found["map"]


def test_copies_are_told_in_all_formats(shell, file: str, tmp_path: Path) -> None:
    picture = tmp_path / "copies.png"
    words = ("forecast", file, *WORDS, "--across", "copies=1,2,3")
    answer = shell(*words, "--chart", picture, "--kind", "across")
    assert answer.exit_code == 0 and picture.stat().st_size > 10_000
    markdown, found = shell(*words, "-o", "md").stdout, json.loads(shell(*words, "-o", "json").stdout)["map"]
    sentence = "copies: from 3 on gateway is cheaper than sidecar-only ($7,665 against $8,760); not yet at 2"
    assert sentence in answer.stdout and f"- {sentence}" in markdown
    assert "| copies | architecture |" in markdown
    rows = [row for row in csv.DictReader(io.StringIO(shell(*words, "-o", "csv").stdout)) if row["value"]]
    assert {(row["value"], row["architecture"], float(row["bill"])) for row in rows if float(row["load"]) == 1.0} == {
        (one["value"], one["architecture"], one["cost"]["value"] / 100) for one in found["along"]
    }
    (one,) = [one for one in found["crossovers"] if one["quantity"] == "cost"]
    assert (one["before"], one["after"], one["low"], one["high"]) == ("sidecar-only", "gateway", "2", "3")


@pytest.mark.parametrize("kind", ["runway", "cost", "crossover"])
def test_charts(shell, file: str, tmp_path: Path, kind: str) -> None:
    picture = tmp_path / "growth.png"
    answer = shell("forecast", file, *WORDS, "--growth", "40%", "--chart", picture, "--kind", kind)
    assert answer.exit_code == 0, answer.stderr
    assert picture.stat().st_size > 10_000


def test_stdin(shell) -> None:
    text = yaml.safe_dump(growing_shop())
    answer = shell("forecast", "-", *WORDS, stdin=text)
    assert answer.exit_code == 0 and "# with the same topology on stdin" in answer.stdout
    answer = shell("forecast", "-", *WORDS, "--across", "mesh.sidecar.cpu=1,2", stdin=text)
    assert answer.exit_code == 0, answer.stderr  # read once, though each value is planned from it


def test_plans_of_choices_read_stdin_once(shell) -> None:
    text = yaml.safe_dump(growing_shop())
    words = ("--arch", "none", "--choice", "nodes.pods_per_node=10,20", "--engine", "analytic", "--no-growth")
    answer = shell("plan", "-", *words, stdin=text)
    assert answer.exit_code == 0, answer.stderr
    assert "# with the same topology on stdin" in answer.stdout


def test_no_plan_is_exit_1(shell, file: str) -> None:
    answer = shell("forecast", file, *WORDS, "--growth", "50%", "--max-replicas", "3")
    assert answer.exit_code == 1 and "failed: no architecture has a plan for every month" in answer.stderr
    assert "no plan from month 3 on: with 3 replicas of shop" in answer.stdout


@pytest.mark.parametrize(
    ("words", "message"),
    [
        (("--growth", "five"), "growth 'five' is no growth of the load: write '5%'"),
        (("--growth", "-3%"), "a load that shrinks"),
        (("--growth", "none.csv"), "growth none.csv: cannot read it"),
        (("--scenario", "sale"), "--scenario 'sale': write a name and its growth"),
        (("--scenario", "a=5%", "--scenario", "a=6%"), "--scenario a is given twice"),
        (("--scenario", "a=fast"), "scenario 'a' 'fast' is no growth"),
        (("--months", "121"), "1 to 120 months"),
        (("--across", "mesh.sidecar.cpu"), "--across 'mesh.sidecar.cpu': write a path and its values"),
        (("--across", "mesh.sidecar.cpu=1"), "give 2 to 20 different values"),
        (("--across", "copies=0,2"), "across copies=0: copies are whole numbers from 1 to 100, e.g. copies=1,2,5,10"),
        (("--across", "tenants=1,many"), "across tenants=many: tenants are whole numbers"),
        (("--across", "services=1,2"), "across services: copies=1,2,5 has all services so many times"),
        (("--across", "copies=1,2", "--across", "tenants=1,2"), "there is one other: give --across once"),
        (("--fails",), "fails compares what is planned for values of across: give it, too, e.g. copies=1,2,5"),
        (("--fails", "--across", "copies=1,2", "--engine", "analytic"), "leave the engine analytic out"),
        (("--kind", "across", "--chart", "x.png"), "--kind across draws the values of --across"),
        (("--kind", "cost"), "--kind cost says what --chart draws: give --chart FILE, too"),
        (("--chart", "x.gif"), "--chart x.gif"),
        (("--kind", "crossover", "--chart", "x.png", "--arch", "none"), "--kind crossover compares"),
        (("--slo", "fast"), "fast"),
        (("--utilization", "lots"), "--utilization lots"),
    ],
)
def test_mistakes_are_said_before_anything_is_simulated(shell, file: str, words: tuple[str, ...], message: str) -> None:
    arch = () if "--arch" in words else ("--arch", "gateway")
    answer = shell("forecast", file, "-q", *arch, *words)
    assert answer.exit_code in (2, 4) and message in answer.stderr
    assert not answer.stdout
