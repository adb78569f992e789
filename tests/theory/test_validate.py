"""The command behind docs/validation.md: what it takes for agreement, and that it repeats what the page tells."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import page
import pytest
import validate

ROW = page.TheoryRow(
    model="M/M/1",
    utilization="0.8",
    figure="mean",
    theory="0.05",
    simulated="0.0501",
    half="0.450",
    difference="+0.200",
    z="+0.90",
    requests="2e+07",
    cpu_s="10.0",
    verdict=page.AGREES,
    source="Kleinrock",
)


@pytest.mark.parametrize(
    ("changes", "agrees"),
    [
        ({}, True),
        ({"difference": "-1.001"}, False),
        ({"difference": "-1.001", "figure": "p99"}, True),
        ({"difference": "+2.001", "figure": "p99"}, False),
        ({"difference": "+1.001", "utilization": "0.95"}, False),  # only the interval may be longer there
        ({"z": "-4.00"}, False),
        ({"half": "0.501"}, False),
        ({"half": "0.501", "utilization": "–"}, False),
        ({"half": "0.999", "figure": "p99"}, True),
        ({"half": "0.999", "utilization": "0.95"}, True),
        ({"half": "1.001", "utilization": "0.95"}, False),
        ({"half": "2.001", "figure": "p99", "utilization": "0.95"}, False),
    ],
)
def test_what_agreement_takes(changes: dict[str, str], agrees: bool) -> None:
    assert page.agrees(replace(ROW, **changes)) is agrees


def test_the_command_repeats_what_the_page_tells(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    """At full length, for the shortest case; only its CPU time may differ."""
    told = {key: row for key, row in page.read(page.TheoryRow).items() if row.model == "choice of three"}
    monkeypatch.setattr(page, "PATH", tmp_path / "validation.md")
    assert validate.main(["--only", "choice of three"]) == 0
    found = page.read(page.TheoryRow)
    assert len(found) == 1
    assert [replace(row, cpu_s="") for row in found.values()] == [replace(row, cpu_s="") for row in told.values()]


def test_an_unknown_name_is_an_error(capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(SystemExit, match="2"):
        validate.main(["--only", "M/M/7"])
    assert "no case is named M/M/7" in capsys.readouterr().err


def test_a_figure_that_misses_fails_the_command(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setattr(page, "PATH", tmp_path / "validation.md")
    monkeypatch.setattr(validate, "simulate", lambda case, jobs: [replace(ROW, z="+5.00", verdict=page.MISSES)])
    assert validate.main(["--only", "M/M/1 FIFO at 0.5"]) == 1
