"""docs/traces.md tells all parts of a latency."""

from __future__ import annotations

import re
from pathlib import Path

from meshsim.results.paths import TIMES

TEXT = (Path(__file__).parents[2] / "docs" / "traces.md").read_text(encoding="utf-8")


def test_the_parts_are_those_of_the_program() -> None:
    assert tuple(re.findall(r"^\| `([^`]+)` \|", TEXT, re.MULTILINE)) == TIMES
