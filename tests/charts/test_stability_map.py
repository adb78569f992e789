"""The map of metastability: every point is there with its word, and the words differ for every reader."""

from __future__ import annotations

from itertools import combinations

import pandas as pd
import pytest
from matplotlib.colors import to_hex
from test_chart_colours import NOTICEABLE, VISION, contrast, distance

from meshsim import charts
from meshsim.charts.stability import WORD_COLOURS
from meshsim.charts.style import root
from meshsim.errors import UsageError
from meshsim.metastable.words import WORDS

WORD = {(0.2, "none"): "stable", (0.7, "none"): "stuck", (0.2, "budget"): "stable", (0.7, "budget"): "vulnerable"}
POINTS = pd.DataFrame(
    {
        "architecture": "sidecar",
        "proxies": proxies,
        "policy": policy,
        "load": load,
        "word": word,
        "share": 2 / 3 if proxies == "40" and word == "vulnerable" else 1.0,
        "back_s": 12.5 if word == "stable" else None,
        "ended_by": "load shed to 50 %" if word == "vulnerable" else None,
    }
    for proxies in ("1", "40")
    for (load, policy), word in WORD.items()
)


def test_every_point_has_its_word_and_colour() -> None:
    first = charts.stability_map(POINTS, proxies="services.front.replicas")
    panels = [ax for ax in root(first).axes if ax.get_title(loc="left")]
    assert [ax.get_title(loc="left") for ax in panels] == ["services.front.replicas=1", "services.front.replicas=40"]
    for panel in panels:
        loads = [text.get_text() for text in panel.get_xticklabels()]
        policies = [text.get_text() for text in panel.get_yticklabels()] or ["none", "budget"]
        assert loads == ["0.2", "0.7"]
        for patch in panel.patches:
            load, policy = (0.2, 0.7)[int(patch.get_x())], policies[int(patch.get_y())]
            assert patch.get_gid() == WORD[load, policy]
            assert to_hex(patch.get_facecolor()) == WORD_COLOURS[WORD[load, policy]].lower()
    told = [text.get_text() for text in panels[1].texts]
    assert sorted(told) == sorted(
        ["stable", "back in 12.5 s", "stuck", "stable", "back in 12.5 s", "vulnerable 67%", "ended by load shed"]
    )


@pytest.mark.parametrize("vision", VISION)
def test_words_differ_for_everybody(vision: str) -> None:
    assert tuple(WORD_COLOURS) == WORDS
    assert min(distance(a, b, vision) for a, b in combinations(WORD_COLOURS.values(), 2)) > 6 * NOTICEABLE


def test_words_can_be_read() -> None:
    assert min(contrast(colour, "#000000") for colour in WORD_COLOURS.values()) > 4.5  # WCAG AA


def test_a_column_that_is_missing_is_named() -> None:
    with pytest.raises(UsageError, match="word"):
        charts.stability_map(POINTS.drop(columns="word"))
