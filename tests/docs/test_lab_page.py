"""docs/lab.md lists every scenario, in the words of its code."""

from __future__ import annotations

from pathlib import Path

from meshsim.lab.scenarios import SCENARIOS

PAGE = (Path(__file__).parents[2] / "docs" / "lab.md").read_text(encoding="utf-8")


def test_every_scenario_has_its_row() -> None:
    rows = PAGE.partition("## Scenarios\n")[2].partition("\n## ")[0].strip().splitlines()
    assert rows[2:] == [f"| `{scenario.name}` | {scenario.about} |" for scenario in SCENARIOS]
