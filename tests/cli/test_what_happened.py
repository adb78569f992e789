"""What the command line says of a run with events: the section, the line below it, and the chart."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

EVENTS = """\
events:
  - {name: down, at: 1s, for: 1s, fault: {dependency_down: {service: stock}}}
people: {monitoring: 500ms}
"""


@pytest.fixture
def incident(shop, tmp_path: Path) -> str:
    path = tmp_path / "incident.yaml"
    path.write_text(Path(shop).read_text() + EVENTS, encoding="utf-8")
    return str(path)


def _section(text: str) -> list[str]:
    lines = text.splitlines()
    begin = next(number for number, line in enumerate(lines) if line.startswith("What happened"))
    return lines[begin : lines.index("", begin)]


def test_what_happened_and_how_long_it_took(shell, incident) -> None:
    answer = shell("run", incident, "--replications", "1")
    assert answer.exit_code == 0
    assert "\nincident: 100 % failed at worst, recovered after 1.00 s\nverdict: " in answer.stdout
    assert _section(answer.stdout) == [
        "What happened",
        "  1.0 s  down    begins  dependency_down",
        "  1.5 s  people  alarm   web",
        "  2.0 s  down    ends    dependency_down",
        "  errors: 100 % at worst, between 1.0 s and 2.0 s, 0.0166 error-minutes (± unknown); "
        "detected after 500 ms, mitigated after 1.00 s, "
        "recovered after 1.00 s (batches of 100 ms)",
    ]
    assert answer.stdout.count("has events: figures are of the whole run, not of a steady state") == 1


def test_what_did_not_come_about_is_said(shell, incident) -> None:
    words = ("--set", "events.down.for=60s", "--set", "people.monitoring=30s", "--replications", "2")
    answer = shell("run", incident, *words)
    assert "not detected until the end, not mitigated until the end, not recovered until the end" in answer.stdout
    assert _section(answer.stdout)[0] == "What happened (median times of 2 replications)"


def test_a_fault_that_nobody_notices(shell, incident) -> None:
    share = "events.down.fault.dependency_down.share=0.01%"
    answer = shell("run", incident, "--set", share, "--replications", "1")
    (*_, line) = _section(answer.stdout)
    assert "never 1 % fewer good answers than before; not detected until the end" in line
    assert "\nincident: 0 % at worst, never 1 % fewer good answers than before\n" in answer.stdout


def test_many_happenings_are_counted(shell, incident) -> None:
    kill = "{name: down, at: 1s, for: 2s, fault: {process_killer: {service: stock, every: 190ms, restart: 50ms}}}"
    told = _section(shell("run", incident, "--set", f"events=[{kill}]", "--replications", "1").stdout)
    assert [line for line in told if " kills " in line] == [
        "  1.0 s  down    kills   1 of stock (11 times until 2.9 s)"
    ]
    waves = ", ".join(
        f"{{name: d{n}, at: {1 + n / 10:.1f}s, for: 50ms, fault: {{dependency_down: {{service: stock}}}}}}"
        for n in range(9)
    )
    told = _section(shell("run", incident, "--set", f"events=[{waves}]", "--replications", "1").stdout)
    assert len(told) == 1 + 12 + 2
    assert "more (-o json has all)" in told[-2]


def test_json_has_it_only_where_there_is_any(shell, shop, incident) -> None:
    quiet = json.loads(shell("run", shop, "-o", "json").stdout)
    assert not {"timeline", "happenings"} & set(quiet)
    found = json.loads(shell("run", incident, "--replications", "2", "-o", "json").stdout)
    assert found["timeline"]["incident"]["detected_s"] == 1.5
    assert [one["what"] for one in found["happenings"]] == ["begins", "alarm", "ends"]


def test_the_chart_of_a_run_and_of_its_json(shell, shop, incident, tmp_path: Path) -> None:
    stored, target = tmp_path / "run.json", tmp_path / "x.png"
    stored.write_text(shell("run", incident, "--replications", "2", "-o", "json").stdout, encoding="utf-8")
    pictures = []
    for words in ((incident, "--replications", "2"), (str(stored),)):
        answer = shell("chart", "timeline", *words, "-q", "-o", target)
        assert answer.exit_code == 0, answer.stderr
        pictures.append(target.read_bytes())
    assert all(picture.startswith(b"\x89PNG") for picture in pictures)
    refused = shell("chart", "timeline", shop, "--replications", "2", "-o", target)
    assert refused.exit_code == 2 and "the topology has no events" in refused.stderr
    refused = shell("chart", "timeline", incident, "--arch", "none,sidecar", "-o", target)
    assert refused.exit_code == 2 and "one architecture" in refused.stderr
