"""The examples of docs/tenants.md run as they stand and print what the page says, and its words are all there are."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

from meshsim.interference.words import HARMED_RATIO, HARMED_SHARE, WORDS

TEXT = (Path(__file__).parents[2] / "docs" / "tenants.md").read_text(encoding="utf-8")


def test_the_examples_print_what_the_page_says(capsys: pytest.CaptureFixture[str]) -> None:
    names: dict[str, object] = {}
    for code in re.findall(r"```python\n(.*?)```", TEXT, re.DOTALL):
        exec(code, names)
    printed = capsys.readouterr().out
    shown = re.findall(r"```\n(.*?)```", re.sub(r"```python\n.*?```", "", TEXT, flags=re.DOTALL), re.DOTALL)
    assert len(shown) == 3
    assert printed == "".join(shown)


def test_words_and_thresholds_are_told() -> None:
    assert re.findall(r"^\| `([a-z ]+)` \|", TEXT, re.MULTILINE)[-len(WORDS) :] == list(WORDS)
    assert f"{HARMED_RATIO:g} times, or surely {100 * HARMED_SHARE:g} % more" in TEXT
