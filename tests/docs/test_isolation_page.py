"""docs/isolation.md: its topology runs under every architecture, and all disciplines are told."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

import meshsim as ms
from meshsim.architectures import NAMED
from meshsim.model.read import keys

PAGE = (Path(__file__).parents[2] / "docs" / "isolation.md").read_text(encoding="utf-8")


@pytest.mark.parametrize("architecture", NAMED)
def test_the_topology_runs(architecture: str, tmp_path: Path) -> None:
    file = tmp_path / "isolated.yaml"
    file.write_text(re.findall(r"```yaml\n(.*?)```", PAGE, re.DOTALL)[0], encoding="utf-8")
    found = ms.run(str(file), architecture, duration_s=2, replications=1, quiet=True)
    assert found.by_tenant["mail"].availability.estimate.value > 0.9


def test_all_disciplines_are_told() -> None:
    for word in (*keys.DISCIPLINES, *keys.LINES):
        assert f"`{word}`" in PAGE
