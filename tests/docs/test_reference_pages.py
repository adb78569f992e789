"""docs/reference is what the code says: `pytest tests/docs/test_reference_pages.py --update-golden` writes it anew."""

from __future__ import annotations

import re
from collections.abc import Callable
from pathlib import Path

import api_reference
import cli_reference
import pytest
import topology_reference
from typer.testing import CliRunner

import meshsim
from meshsim.cli import app
from meshsim.model.read import keys

FOLDER = Path(__file__).parents[2] / "docs" / "reference"
PAGES = {"cli": cli_reference.page, "api": api_reference.page, "topology": topology_reference.page}


@pytest.mark.parametrize(("name", "page"), PAGES.items(), ids=PAGES)
def test_a_page_is_what_the_code_says(name: str, page: Callable[[], str], request: pytest.FixtureRequest) -> None:
    file = FOLDER / f"{name}.md"
    if request.config.getoption("--update-golden"):
        file.write_text(page(), encoding="utf-8")
    assert file.read_text(encoding="utf-8") == page(), f"{file} is stale: {__doc__}"


def test_every_option_of_help_is_there() -> None:
    """Beside what the terminal shows, which reads the commands in another way."""
    sections = dict(part.split("\n", 1) for part in cli_reference.page().split("\n## meshsim ")[1:])
    assert len(sections) > 20
    for command, section in sections.items():
        shown = CliRunner(env={"COLUMNS": "200", "NO_COLOR": "1"}).invoke(app, [*command.split(), "--help"]).stdout
        options = {*re.findall(r"^│ \*?\s*(--[a-z-]+)", shown, re.MULTILINE)} - {"--help", "--debug", "--quiet"}
        told = {*re.findall(r"^\| `(?:-\w, )?(--[a-z-]+)", section, re.MULTILINE)}
        assert options == told, command


def test_every_public_name_and_every_key_of_the_language_is_there() -> None:
    page = api_reference.page()
    assert all(f"\n## {name}\n" in page for name in meshsim.__all__ if name != "__version__")
    topology = topology_reference.page()
    for group in (keys.TOP, keys.SERVICE, keys.STREAM, keys.POLICY, keys.ROUTE, keys.EVENT, keys.CACHE, keys.RUN):
        assert all(f"\n| `{key}` |" in topology for key in group)
