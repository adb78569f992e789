"""The words of docs/tenants.md are all there are, with their thresholds."""

from __future__ import annotations

import re
from pathlib import Path

from meshsim.interference.words import HARMED_RATIO, HARMED_SHARE, WORDS

TEXT = (Path(__file__).parents[2] / "docs" / "tenants.md").read_text(encoding="utf-8")


def test_words_and_thresholds_are_told() -> None:
    assert re.findall(r"^\| `([a-z ]+)` \|", TEXT, re.MULTILINE)[-len(WORDS) :] == list(WORDS)
    assert f"{HARMED_RATIO:g} times, or surely {100 * HARMED_SHARE:g} % more" in TEXT
