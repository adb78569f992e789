"""docs/report.md names all parts; `test_pages_run.py` runs what is on it."""

from __future__ import annotations

import re
from pathlib import Path

from meshsim.reports.asked import PARTS

PAGE = (Path(__file__).parents[2] / "docs" / "report.md").read_text(encoding="utf-8")


def test_it_names_all_parts() -> None:
    rows = [name for name in re.findall(r"^\| `?(\w+)`? \|", PAGE, re.MULTILINE) if name not in ("part", "always")]
    assert rows == list(PARTS)
