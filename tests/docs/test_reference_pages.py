"""docs/reference is what the code says: `pytest tests/docs/test_reference_pages.py --update-golden` writes it anew."""

from __future__ import annotations

import re
from collections.abc import Callable
from functools import cache
from pathlib import Path

import api_reference
import cli_reference
import pytest
import topology_reference
from fenced import PAGES as PAGES_OF_READERS
from typer.testing import CliRunner

import meshsim
from meshsim.cli import app
from meshsim.model.read import keys

ROOT = Path(__file__).parents[2]
FOLDER = ROOT / "docs" / "reference"
PAGES = {"cli": cli_reference.page, "api": api_reference.page, "topology": topology_reference.page}


@pytest.mark.parametrize(("name", "page"), PAGES.items(), ids=PAGES)
def test_a_page_is_what_the_code_says(name: str, page: Callable[[], str], request: pytest.FixtureRequest) -> None:
    file = FOLDER / f"{name}.md"
    if request.config.getoption("--update-golden"):
        file.write_text(page(), encoding="utf-8")
    assert file.read_text(encoding="utf-8") == page(), f"{file} is stale: {__doc__}"


@cache
def options() -> dict[str, list[list[str]]]:
    """Of each command, as the page tells them: the long words of each option."""
    sections = dict(part.split("\n", 1) for part in cli_reference.page().split("\n## meshsim ")[1:])
    rows = {name: re.findall(r"^\| `(-[^`]*)`", text, re.MULTILINE) for name, text in sections.items()}
    return {name: [re.findall(r"--[a-z][a-z-]*", row) for row in found] for name, found in rows.items()}


def test_every_option_of_help_is_there() -> None:
    """Beside what the terminal shows, which reads the commands in another way."""
    assert len(options()) > 20
    for command, told in options().items():
        shown = CliRunner(env={"COLUMNS": "200", "NO_COLOR": "1"}).invoke(app, [*command.split(), "--help"]).stdout
        found = {*re.findall(r"^│ \*?\s*(--[a-z-]+)", shown, re.MULTILINE)} - {"--help", "--debug", "--quiet"}
        assert found == {words[0] for words in told}, command


@pytest.mark.parametrize("page", PAGES_OF_READERS, ids=lambda page: page.relative_to(ROOT).as_posix())
def test_commands_within_sentences_are_there(page: Path) -> None:
    """`meshsim plan --lose zone` in a text: such a command, and such an option of it."""
    text = re.sub(r"^```.*?^```$", "", page.read_text(encoding="utf-8"), flags=re.MULTILINE | re.DOTALL)
    for command, rest in re.findall(r"`meshsim ((?:lab )?[a-z]\w*)([^`]*)`", text):
        assert command in options() or f"{command} conform" in options(), f"meshsim {command}"
        for option in re.findall(r"(?<![\w-])--[a-z][a-z-]+", rest):
            assert option in {"--quiet", "--help"}.union(*options()[command]), f"meshsim {command}{rest}"


def test_every_public_name_and_every_key_of_the_language_is_there() -> None:
    page = api_reference.page()
    assert all(f"\n## {name}\n" in page for name in meshsim.__all__ if name != "__version__")
    topology = topology_reference.page()
    for group in (keys.TOP, keys.SERVICE, keys.STREAM, keys.POLICY, keys.ROUTE, keys.EVENT, keys.CACHE, keys.RUN):
        assert all(f"\n| `{key}` |" in topology for key in group)
