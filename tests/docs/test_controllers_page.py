"""The examples of docs/controllers.md run as they stand, and print what the page says."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

from meshsim.control import Control, TrafficWindow, Window, WorkWindow

PAGE = Path(__file__).parents[2] / "docs" / "controllers.md"


def test_the_examples_print_what_the_page_says(capsys: pytest.CaptureFixture[str]) -> None:
    text = PAGE.read_text(encoding="utf-8")
    names: dict[str, object] = {}
    for code in re.findall(r"```python\n(.*?)```", text, re.DOTALL):
        exec(code, names)
    printed = capsys.readouterr().out
    shown = re.findall(r"```\n(.*?)```", re.sub(r"```python\n.*?```", "", text, flags=re.DOTALL), re.DOTALL)
    assert len(shown) == 4
    assert printed == "".join(shown)


@pytest.mark.parametrize("kind", [Control, Window, WorkWindow, TrafficWindow])
def test_all_that_is_public_is_on_the_page(kind: type) -> None:
    told = set(re.findall(r"`(?:control\.)?(\w+)", PAGE.read_text(encoding="utf-8")))
    public = {name for name in dir(kind) if not name.startswith("_")}
    assert public <= told, public - told
