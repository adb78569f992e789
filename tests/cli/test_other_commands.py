"""`lower`, `validate`, `explain`, `topologies`."""

from __future__ import annotations

import csv
import io
import json
import re
from pathlib import Path

import pytest

from meshsim.cli.options import _complete_topology
from meshsim.model.codes import CODES

PNG, PDF, SVG = b"\x89PNG", b"%PDF", b"<?xml"


def test_lower_shows_the_hops(shell, shop) -> None:
    assert "sidecar@stock" in shell("lower", shop, "--arch", "sidecar").stdout
    plane = json.loads(shell("lower", shop, "--arch", "sidecar", "-o", "json").stdout)
    names = {service["name"] for service in plane["services"]}
    assert names == {"shop", "stock", "gateway", "sidecar@shop", "sidecar@stock"}
    rows = list(csv.DictReader(io.StringIO(shell("lower", shop, "--arch", "sidecar", "-o", "csv").stdout)))
    assert {row["service"] for row in rows} == names


@pytest.mark.parametrize(("ending", "magic"), [("png", PNG), ("pdf", PDF), ("svg", SVG)])
def test_lower_draws(shell, shop, tmp_path: Path, ending: str, magic: bytes) -> None:
    target = tmp_path / f"plane.{ending}"
    assert shell("lower", shop, "--arch", "ambient", "--draw", target).exit_code == 0
    assert target.read_bytes().startswith(magic)


def test_lower_refuses_other_drawings_before_it_works(shell, shop, tmp_path: Path) -> None:
    assert shell("lower", shop, "--draw", tmp_path / "plane.gif").exit_code == 2
    missing = shell("lower", shop, "--draw", tmp_path / "missing" / "plane.png")
    assert (missing.exit_code, missing.stdout) == (4, "")
    assert str(tmp_path / "missing" / "plane.png") in missing.stderr


def test_lower_refuses_a_drawing_of_too_many_before_it_prints(shell, tmp_path: Path) -> None:
    services = "".join(f"  s{i}: {{endpoints: {{x: [{{work: 1ms}}]}}}}\n" for i in range(61))
    path = tmp_path / "crowd.yaml"
    stream = "traffic: [{name: web, entry: s0.x, arrivals: {poisson: 1/s}}]\n"
    path.write_text(f"meshsim: 1\nservices:\n{services}{stream}", encoding="utf-8")
    answer = shell("lower", path, "--draw", tmp_path / "crowd.png")
    assert (answer.exit_code, answer.stdout) == (2, "")
    assert "61 services" in answer.stderr


def test_shipped_files_go_by_their_name(shell, monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.chdir(tmp_path)
    lowered = shell("lower", "bookinfo").stdout
    assert re.search(r" bookinfo\.yaml:\d+$", lowered, re.MULTILINE)
    warned = shell("validate", "bookinfo", "--set", "run.load=100").stdout
    assert re.search(r"^bookinfo\.yaml:\d+:\d+: warning", warned, re.MULTILINE)
    assert "| " in warned  # the line of the file is still shown


def test_isotope_graphs_tell_what_is_assumed(shell, shop) -> None:
    graph = Path(__file__).parents[1] / "data" / "isotope" / "chain-2-services.yaml"
    answer = shell("lower", graph)
    (note,) = [line for line in answer.stderr.splitlines() if line.startswith("note: isotope")]
    for path in re.findall(r"\(((?:traffic|services|network)\.[^)]*)\)", note):
        value = {"arrivals": "{poisson: 5/s}", "work": "1ms", "cpu": "2", "client": "1ms"}[path.rpartition(".")[2]]
        assert shell("validate", graph, "--set", f"{path}={value}").exit_code == 0
    assert shell("lower", graph, "-q").stderr == ""
    assert "isotope" not in shell("lower", shop).stderr


def test_validate_counts(shell, shop) -> None:
    assert shell("validate", shop).stdout == "ok: shop: 2 services, 3 replicas, 2 endpoints, 1 stream, 1 tenant\n"


def test_validate_shows_all_mistakes(shell, tmp_path: Path) -> None:
    path = tmp_path / "bad.yaml"
    text = "meshsim: 1\nservices:\n  shop:\n    replica: 2\n    endpoints: {buy: [{work: 5}, {call: stok.take}]}\n"
    path.write_text(text + "traffic:\n  - {name: web, entry: shop.by, arrivals: {poisson: 1/s}}\n", encoding="utf-8")
    answer = shell("validate", path)
    assert answer.exit_code == 2
    for place in (":4:5: error", ":5:30: error", ":5:41: error", ":7:24: error"):
        assert place in answer.stdout
    assert "did you mean 'replicas'?" in answer.stdout
    found = json.loads(shell("validate", path, "-o", "json").stdout)
    assert found["valid"] is False
    assert {diagnostic["line"] for diagnostic in found["diagnostics"]} == {4, 5, 7}
    assert all(diagnostic["code"] in CODES for diagnostic in found["diagnostics"])


def test_validate_warns_without_failing(shell, shop) -> None:
    words = ("validate", shop, "--set", "run.load=30")
    assert "warning[M2" in shell(*words).stdout
    assert [shell(*words).exit_code, shell(*words, "--strict").exit_code] == [0, 1]


def test_explain(shell) -> None:
    assert shell("explain", "m104").stdout.startswith("M104: ")
    assert [line.split()[0] for line in shell("explain").stdout.splitlines()] == list(CODES)
    assert [entry["code"] for entry in json.loads(shell("explain", "-o", "json").stdout)] == list(CODES)


def test_explain_of_an_unknown_code(shell) -> None:
    answer = shell("explain", "M999")
    assert (answer.exit_code, answer.stdout) == (2, "")
    assert "M999" in answer.stderr and "`meshsim explain` lists them" in answer.stderr


def test_topologies_are_listed_and_printed(shell) -> None:
    listed = {entry["name"] for entry in json.loads(shell("topologies", "-o", "json").stdout)}
    assert {"bookinfo", "front-door", "online-boutique", "otel-demo", "social-network"} <= listed
    text = shell("topologies", "bookinfo").stdout
    assert "\nok: bookinfo" in "\n" + shell("validate", "-", stdin=text).stdout
    assert shell("topologies", "bookinf").exit_code == 2
    incident = "incidents/fastly-2021-06-08"
    assert incident in listed
    assert shell("topologies", incident).stdout.startswith("# Fastly, 8 June 2021")
    assert "did you mean 'incidents/fastly-2021-06-08'" in shell("topologies", "fastly-2021-06-08").stderr
    assert incident in _complete_topology("incidents/f")
