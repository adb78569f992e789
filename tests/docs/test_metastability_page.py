"""docs/metastability.md tells all words and remedies, in their order."""

from __future__ import annotations

import re
from pathlib import Path

from meshsim.metastable.words import REMEDIES, WORDS

TEXT = (Path(__file__).parents[2] / "docs" / "metastability.md").read_text(encoding="utf-8")


def test_words_and_remedies_are_told_in_their_order() -> None:
    assert re.findall(r"^\| `(\w+)` \|", TEXT, re.MULTILINE)[: len(WORDS)] == list(WORDS)
    assert tuple(re.findall(r"^\d\. `([^`]+)`", TEXT, re.MULTILINE)) == REMEDIES
