"""The verdict of the lab and how it is written; scenarios are replaced, so that no Envoy is needed."""

from __future__ import annotations

import csv
import io
import json
from pathlib import Path

import pytest
from typer.testing import CliRunner

from meshsim.cli import app
from meshsim.errors import ExitCode, UsageError
from meshsim.lab import known, run
from meshsim.lab.compare import Row
from meshsim.lab.scenarios import SCENARIOS


def rows(agreeing: int, known_differences: int, unexplained: int) -> tuple[Row, ...]:
    found = [Row("s", f"q{n}", 1.0, 1.0, 0.9, 1.1, True) for n in range(agreeing)]
    found += [Row("s", f"k{n}", 2.0, 1.0, 0.9, 1.1, False, None, "because") for n in range(known_differences)]
    found += [Row("s", f"u{n}", None, 1.0, None, None, False) for n in range(unexplained)]
    return tuple(found)


@pytest.mark.parametrize(
    ("counts", "passed"),
    [((10, 0, 0), True), ((9, 1, 0), True), ((9, 0, 1), False), ((89, 11, 0), False), ((90, 10, 0), True)],
)
def test_nine_tenths_must_agree_and_the_rest_be_known(counts: tuple[int, int, int], passed: bool) -> None:
    assert run.Report(rows(*counts), {}).passed is passed


@pytest.fixture
def answer(monkeypatch: pytest.MonkeyPatch):
    def invoke(counts: tuple[int, int, int], *words: str):
        report = run.Report(rows(*counts), {"envoy": "1.40.0"})
        monkeypatch.setattr(run, "conform", lambda names, *, full, say: report)
        return CliRunner().invoke(app, ["lab", "conform", *words])

    return invoke


def test_json_has_the_documented_keys(answer) -> None:
    found = json.loads(answer((9, 1, 0), "-o", "json").stdout)
    assert set(found) >= {"schema_version", "rows", "manifest"}
    for row in found["rows"]:
        assert set(row) >= {"scenario", "quantity", "real", "simulated", "low", "high", "agree"}
    assert [row["agree"] for row in found["rows"]] == [True] * 9 + [False]
    assert found["rows"][-1]["reason"] == "because"


def test_exit_codes(answer) -> None:
    assert answer((9, 1, 0)).exit_code == ExitCode.OK
    assert answer((9, 0, 1)).exit_code == ExitCode.VERDICT
    assert "s, u0: not explained" in answer((9, 0, 1)).stdout


def test_tables(answer) -> None:
    lines = list(csv.reader(io.StringIO(answer((1, 0, 1), "-o", "csv").stdout)))
    assert lines[0] == ["scenario", "quantity", "real", "simulated", "low", "high", "agree"]
    assert lines[2] == ["s", "u0", "", "1", "", "", "no"]
    assert answer((1, 0, 0), "-o", "md").stdout.startswith("| scenario | quantity |")


def test_a_scenario_that_is_not_there() -> None:
    with pytest.raises(UsageError, match="did you mean 'hedge'"):
        run.chosen(["hegde"])
    assert CliRunner().invoke(app, ["lab", "conform", "--only", "hegde"]).exit_code == ExitCode.INVALID


def test_names_choose_and_none_is_all() -> None:
    assert [one.name for one in run.chosen(["split", "hedge", "split"])] == ["split", "hedge"]
    assert run.chosen([]) is SCENARIOS


def test_every_part_of_the_question_has_a_row() -> None:
    names = [scenario.name for scenario in SCENARIOS]
    found = [(scenario.name, quantity.name) for scenario in SCENARIOS for quantity in scenario.quantities]
    assert len(names) == len(set(names))
    assert len(found) == len(set(found)) >= 20
    assert set(known.KNOWN) <= set(found)
    wanted = "retry-half back-off retry-budget retry-budget-floor retry-overflow pending-overflow request-overflow"
    wanted += " outlier-5-hosts outlier-20-hosts outlier-always-one ejection-timeline panic-50 panic-0 p2c-two-hosts"
    wanted += (
        " p2c-ties full-scan-ties ring-hash maglev retry-one-down timeouts hedge local-rate-limit zone-spill split"
    )
    wanted += " mirror previous-hosts-1 two-tenants two-workers"
    assert set(wanted.split()) <= set(names)


def test_known_differences_are_told() -> None:
    text = (Path(__file__).parents[2] / "docs" / "lab.md").read_text(encoding="utf-8")
    assert all(f"| `{scenario}` |" in text for scenario, _ in known.KNOWN)


def test_one_scenario_alone_has_two_workers() -> None:
    several = [scenario.name for scenario in SCENARIOS if scenario.setup.concurrency != 1]
    assert several == ["two-workers"]
