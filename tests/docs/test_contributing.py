"""CONTRIBUTING.md is about the house as it is: what it names exists, and every part of the package is on its map."""

from __future__ import annotations

import re
from pathlib import Path

ROOT = Path(__file__).parents[2]
PAGE = (ROOT / "CONTRIBUTING.md").read_text(encoding="utf-8")
#: Folders that are named within the row of the folder that has them.
WITHIN = {"read/": "meshsim/model", "simpy/": "meshsim/engines", "compiled/": "meshsim/engines"} | dict.fromkeys(
    ("contract/", "theory/", "property/", "imports/"), "tests"
)


def test_what_is_named_exists() -> None:
    named = set(re.findall(r"`((?:[\w.-]*/[\w./-]*)|[A-Z]+\.md)`", PAGE))
    assert len(named) > 60
    assert [name for name in sorted(named) if not (ROOT / WITHIN.get(name, "") / name).exists()] == []


def test_every_part_is_on_the_map() -> None:
    rows = [line.split("|")[1] for line in PAGE.splitlines() if line.startswith("| `")]
    told = {part for row in rows for part in re.findall(r"`meshsim/(\w+)(?:/|\.py)`", row)}
    parts = {
        path.stem for path in (ROOT / "meshsim").iterdir() if path.suffix == ".py" or (path / "__init__.py").exists()
    }
    assert told == parts - {"__init__", "__main__"}


def test_commands_that_write_pages_anew_name_what_is_there() -> None:
    words = [word for command in re.findall(r"`[^`]*\b(?:pytest|python) ([^`]*)`", PAGE) for word in command.split()]
    places = [word for word in words if word.startswith("tests/")]
    assert len(places) > 8
    assert [place for place in places if not (ROOT / place).exists()] == []
