"""The examples of docs/metastability.md run as they stand and print what the page says, and its figures are right."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

from meshsim.metastable.words import REMEDIES, WORDS

TEXT = (Path(__file__).parents[2] / "docs" / "metastability.md").read_text(encoding="utf-8")


def test_the_examples_print_what_the_page_says(capsys: pytest.CaptureFixture[str]) -> None:
    names: dict[str, object] = {}
    for code in re.findall(r"```python\n(.*?)```", TEXT, re.DOTALL):
        exec(code, names)
    printed = capsys.readouterr().out
    shown = re.findall(r"```\n(.*?)```", re.sub(r"```python\n.*?```", "", TEXT, flags=re.DOTALL), re.DOTALL)
    assert len(shown) == 2
    assert printed == "".join(shown)


def test_words_and_remedies_are_told_in_their_order() -> None:
    assert re.findall(r"^\| `(\w+)` \|", TEXT, re.MULTILINE)[: len(WORDS)] == list(WORDS)
    assert tuple(re.findall(r"^\d\. `([^`]+)`", TEXT, re.MULTILINE)) == REMEDIES
