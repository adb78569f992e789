"""docs/incidents.md: what it says to run can be run, with each change on the incident that it stands under."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

from meshsim.architectures import lower
from meshsim.model.files import shipped
from meshsim.model.load import load

PAGE = (Path(__file__).parents[2] / "docs" / "incidents.md").read_text(encoding="utf-8")
SECTIONS = PAGE.split("\n## ")[1:]
NAMES = [name for name, _ in shipped() if name.startswith("incidents/")]


def test_there_is_a_section_for_each() -> None:
    assert [re.findall(r"meshsim run (\S+)", section)[0] for section in SECTIONS] == NAMES


@pytest.mark.parametrize(("name", "section"), list(zip(NAMES, SECTIONS, strict=True)), ids=NAMES)
def test_its_changes_and_architectures_are_right(name: str, section: str) -> None:
    architectures = [a or b for a, b in re.findall(r'--arch (?:"([^"]+)"|([\w-]+))', section)]
    changes = [a or b for a, b in re.findall(r'--set (?:"([^"]+)"|([^\s`"]+))', section)]
    assert architectures and changes
    for change in changes:
        load(name, overrides=[change.replace("…", "64")])
    for architecture in architectures:
        assert lower(load(name), architecture).services
