"""`tenants`: formats that say the same, exit codes, and mistakes under the names of the options."""

from __future__ import annotations

import csv
import io
import json
import shlex
from pathlib import Path

import pytest

SMALL = ("--arch", "gateway", "--duration", "20s", "--replications", "4", "--jobs", "1", "-q")
MATRIX = (*SMALL, "--no-headroom")


def test_all_formats_say_the_same(shell, tmp_path: Path) -> None:
    picture = tmp_path / "matrix.png"
    found = json.loads(shell("tenants", "two-tenants", *MATRIX, "-o", "json", "--chart", picture).stdout)
    rows = list(csv.DictReader(io.StringIO(shell("tenants", "two-tenants", *MATRIX, "-o", "csv").stdout)))
    assert found["schema_version"] == 1
    assert [one["p99_ratio"]["value"] for one in found["cells"]] == [float(row["p99_ratio"]) for row in rows]
    assert [one["word"] for one in found["cells"]] == [row["word"] for row in rows]
    assert rows[0]["hit_ratio_loss"] == rows[0]["held"] == ""
    markdown = shell("tenants", "two-tenants", *MATRIX, "-o", "md").stdout
    table = shell("tenants", "two-tenants", *MATRIX)
    assert table.exit_code == 0 and picture.stat().st_size > 10_000
    for text in (markdown, table.stdout):
        assert "each tenant as written against the same without it" in text
        assert "quiet misses its availability because of loud" in text
    assert "| loud | - | " in markdown


def test_the_repeat_line_repeats_it(shell) -> None:
    words = ("--isolation", "wider=policies.server.circuit_breaker.max_requests=30", "--push", "1.2")
    words = (*words, "--aggressor", "loud", "--set", "services.server.cpu=5", "--ceiling", "2", "--budget", "2m")
    first = json.loads(shell("tenants", "two-tenants", *SMALL, *words, "--seed", "7", "-o", "json").stdout)
    command = shlex.split(first["manifest"]["command"])
    assert command[:3] == ["meshsim", "tenants", "two-tenants"]
    again = json.loads(shell(*command[1:], "-q", "-o", "json").stdout)
    for one in (first, again):
        del one["manifest"]["timing"]
    assert first == again
    assert {one["aggressor"] for one in first["cells"]} == {"loud"}
    assert set(first["isolations"]) == {"as written", "wider"}
    assert first["compared"] == {"with": "aggressor at 1.2 times its load", "without": "aggressor at load 0"}
    assert [room["tenant"] for room in first["headroom"]] == ["loud", "loud"]


def test_strict_wants_nobody_harmed(shell) -> None:
    answer = shell("tenants", "two-tenants", *MATRIX, "--strict")
    assert answer.exit_code == 1
    assert "1 of 2 cells are harmed; the first: quiet by loud under gateway, as written" in answer.stderr
    calm = ("--set", "run.load=0.3")
    assert shell("tenants", "two-tenants", *MATRIX, *calm, "--strict").exit_code == 0


def test_a_dry_run_counts(shell) -> None:
    words = ("--arch", "none,gateway", "--push", "2", "--dry-run")
    told = json.loads(shell("tenants", "two-tenants", *words, "-o", "json").stdout)
    assert told["runs"] == 2 * 4 * 8 and told["simulated_s"] == 64 * 60.0
    assert told["sides"][0] == {"architecture": "none", "isolation": "as written", "tenant": "loud", "load": "2"}
    table = shell("tenants", "two-tenants", *words).stdout
    assert "8 sides × 8 = 64 runs" in table and "gateway, as written: quiet at load 0" in table
    for output in ("csv", "md"):
        assert "loud" in shell("tenants", "two-tenants", *words, "-o", output).stdout


def test_events_and_what_is_wrong_with_them_are_left_out(shell) -> None:
    event = "events=[{name: kill, at: 10s, fault: {crash: {service: server}}}]"
    words = ("--arch", "gateway", "--duration", "8s", "--dry-run", "--set", event)
    answer = shell("tenants", "two-tenants", *words)
    assert answer.exit_code == 0 and "the topology's own events are left out" in answer.stderr
    words = ("--arch", "gateway", "--duration", "8s", "--replications", "2", "--no-headroom", "--jobs", "1", "-q")
    assert shell("tenants", "two-tenants", *words, "--set", event, "--warmup", "auto").exit_code == 0


def test_a_warm_up_is_repeated(shell) -> None:
    found = json.loads(shell("tenants", "two-tenants", *MATRIX, "--warmup", "5s", "-o", "json").stdout)
    assert "--warmup 5s" in found["manifest"]["command"]
    other = json.loads(shell("tenants", "two-tenants", *MATRIX, "--warmup", "10s", "-o", "json").stdout)
    assert found["cells"] != other["cells"]


def test_markdown_has_headings_and_the_repeat_line(shell) -> None:
    told = shell("tenants", "two-tenants", *SMALL, "--aggressor", "loud", "--ceiling", "1.5", "-o", "md").stdout
    headings = [line for line in told.splitlines() if line.startswith("### ")]
    assert headings[0].startswith("### gateway: p99 of victims")
    assert headings[1:] == ["### Who does what to whom", "### Headroom, as a factor on the tenant's own load"]
    assert told.splitlines()[-1].startswith("repeat: `meshsim tenants two-tenants --arch gateway")


def test_a_topology_from_stdin(shell) -> None:
    text = (Path(__file__).parents[2] / "topologies" / "two-tenants.yaml").read_text(encoding="utf-8")
    answer = shell("tenants", "-", *MATRIX, stdin=text)
    assert answer.exit_code == 0 and "# with the same topology on stdin" in answer.stdout


@pytest.mark.parametrize(
    ("words", "message"),
    [
        (("--isolation", "x=y"), "write a name, or NAME=PATH=VALUE"),
        (("--isolation", "x"), "--isolation x: say what it changes"),
        (("--isolation", "as written=run.load=1"), "give another one"),
        (("--isolation", "x=run.lod=1"), "did you mean 'load'?"),
        (("--isolation", "x=run.lod=1"), "isolation x: run.lod=…:1:5"),
        (("--push", "2x"), "--push '2x': write a factor such as 2"),
        (("--ceiling", "much"), "--ceiling 'much': write a factor such as 2"),
        (("--push", "1e9"), "is the limit of a run"),
        (("--warmup", "5"), "--warmup 5: 5 has no unit"),
        (("--warmup", "5s", "--set", "run.warmup=auto"), "say the same twice"),
        (("--arch", "{ingress: gateway, cells: per_tenant}", "--set", "mesh.gateway.replicas=1"), "mesh.gateway.rep"),
        (("--push", "0"), "push is a factor above 0"),
        (("--ceiling", "1"), "the ceiling is a factor above 1"),
        (("--budget", "10"), "--budget 10: 10 has no unit"),
        (("--aggressor", "lod"), "no traffic of tenant 'lod'"),
        (("--chart", "map.gif"), "--chart map.gif"),
        (("--duration", "0s"), "--duration 0s"),
    ],
)
def test_mistakes(shell, words: tuple[str, ...], message: str) -> None:
    answer = shell("tenants", "two-tenants", "-q", *words)
    assert answer.exit_code == 2 and message in answer.stderr


def test_one_tenant_alone(shell) -> None:
    answer = shell("tenants", "metastable", "-q")
    assert answer.exit_code == 2 and "interference needs two tenants" in answer.stderr
