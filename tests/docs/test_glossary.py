"""docs/glossary.md has every quantity of results, and its entries are in order."""

from __future__ import annotations

import re
from pathlib import Path

import meshsim as ms

PAGE = (Path(__file__).parents[2] / "docs" / "glossary.md").read_text(encoding="utf-8")


def test_every_quantity_of_results_is_told() -> None:
    found = ms.compare("cache-locality", ["none", "sidecar"], duration_s=1, warmup_s=0.1, replications=2, quiet=True)
    words = set()
    for quantity in found.frame()["quantity"]:
        first, _, rest = quantity.partition(".")
        words |= {first, rest} if first.startswith("latency") else {first}
        if first in ("caches", "policies"):
            words.add(quantity.rpartition(".")[2])
    told = set(re.findall(r"`([\w.]+)`", PAGE))
    assert words - told - {"", "caches", "policies"} == set()


def test_entries_are_in_order_within_their_sections() -> None:
    for section in PAGE.split("\n## ")[1:]:
        entries = [entry.casefold() for entry in re.findall(r"^- \*\*([^*]+)\*\*", section, re.MULTILINE)]
        assert entries == sorted(entries)
        assert len(entries) > 4
