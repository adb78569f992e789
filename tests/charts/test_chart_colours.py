"""Architectures keep their colours, and readers with any colour vision tell them apart: by computation.

Colour vision deficiencies after G. M. Machado et al., "A physiologically-based model for simulation of color vision
deficiency", IEEE TVCG 15 (2009), severity 1; distances are those of CIE 1976 (L*, a*, b*), in which about 2.3 is just
noticeable (M. Mahy et al., Color Res. Appl. 19, 1994); contrast is that of WCAG 2.1.
"""

from __future__ import annotations

from itertools import combinations

import numpy as np
import numpy.typing as npt
import pytest
from chart_scenes import compared, load_sweep
from matplotlib.colors import to_hex, to_rgb

from meshsim import charts
from meshsim.architectures import NAMED
from meshsim.charts.style import MARKS, PART_COLOURS, SERIES, THEMES, mark_of, root
from meshsim.results.breakdown import PARTS

VISION = {
    "usual": np.eye(3),
    "protanopia": np.array(
        [[0.152286, 1.052583, -0.204868], [0.114503, 0.786281, 0.099216], [-0.003882, -0.048116, 1.051998]]
    ),
    "deuteranopia": np.array(
        [[0.367322, 0.860646, -0.227968], [0.280085, 0.672501, 0.047413], [-0.011820, 0.042940, 0.968881]]
    ),
    "tritanopia": np.array(
        [[1.255528, -0.076749, -0.178779], [-0.078411, 0.930809, 0.147602], [0.004733, 0.691367, 0.303900]]
    ),
}
TO_XYZ = np.array(
    [[0.4124564, 0.3575761, 0.1804375], [0.2126729, 0.7151522, 0.0721750], [0.0193339, 0.1191920, 0.9503041]]
)
NOTICEABLE = 2.3

Array = npt.NDArray[np.float64]


def linear(colour: str) -> Array:
    c = np.array(to_rgb(colour))
    return np.where(c <= 0.04045, c / 12.92, ((c + 0.055) / 1.055) ** 2.4)


def lab(rgb: Array) -> Array:
    f = TO_XYZ @ np.clip(rgb, 0, 1) / (TO_XYZ @ np.ones(3))
    f = np.where(f > 216 / 24389, np.cbrt(f), (24389 / 27 * f + 16) / 116)
    return np.array([116 * f[1] - 16, 500 * (f[0] - f[1]), 200 * (f[1] - f[2])])


def distance(one: str, other: str, vision: str) -> float:
    a, b = (lab(VISION[vision] @ linear(colour)) for colour in (one, other))
    return float(np.linalg.norm(a - b))


def contrast(one: str, other: str) -> float:
    low, high = sorted(float((TO_XYZ @ linear(colour))[1]) for colour in (one, other))
    return (high + 0.05) / (low + 0.05)


def test_the_sums_know_what_is_known() -> None:
    assert contrast("#ffffff", "#000000") == pytest.approx(21.0)
    assert lab(linear("#ff0000")) == pytest.approx([53.24, 80.09, 67.20], abs=0.05)
    assert distance("#00aa00", "#cc6600", "usual") > 5 * NOTICEABLE
    red, green = "#b04a00", "#6e6e00"  # a classic pair of confusion
    assert distance(red, green, "deuteranopia") < 0.4 * distance(red, green, "usual")


@pytest.mark.parametrize("vision", VISION)
def test_architectures_differ_for_everybody(vision: str) -> None:
    colours = [MARKS[name].colour for name in NAMED]
    assert min(distance(a, b, vision) for a, b in combinations(colours, 2)) > 6 * NOTICEABLE


@pytest.mark.parametrize("vision", VISION)
def test_parts_differ_for_everybody(vision: str) -> None:
    assert list(PART_COLOURS) == list(PARTS)
    assert min(distance(a, b, vision) for a, b in combinations(PART_COLOURS.values(), 2)) > 6 * NOTICEABLE
    assert not set(PART_COLOURS.values()) & {mark.colour for mark in MARKS.values()}


@pytest.mark.parametrize("vision", VISION)
def test_tenants_differ_for_everybody(vision: str) -> None:
    assert min(distance(a.colour, b.colour, vision) for a, b in combinations(SERIES, 2)) > 6 * NOTICEABLE
    assert len({line.dash for line in SERIES}) == len(SERIES)
    # WCAG asks 3 of graphics: dashes tell tenants apart too
    assert all(contrast(line.colour, theme.paper) > 2.2 for line in SERIES for theme in THEMES.values())


def test_no_two_named_architectures_share_colour_or_marker() -> None:
    assert set(MARKS) == set(NAMED)
    assert len({mark.colour for mark in MARKS.values()}) == len({mark.marker for mark in MARKS.values()}) == len(NAMED)


@pytest.mark.parametrize("theme", THEMES.values(), ids=THEMES)
def test_everything_stands_out_from_the_paper(theme) -> None:
    assert contrast(theme.ink, theme.paper) > 7.0  # WCAG AAA for text
    assert contrast(theme.muted, theme.paper) > 4.5  # WCAG AA
    inline = {mark_of(f"{{mesh: sidecar, include: [s{n}]}}").colour for n in range(100)}
    for colour in [*(mark.colour for mark in MARKS.values()), *inline]:
        # WCAG asks 3 of graphics; Okabe and Ito's orange and sky blue miss it on white: marker and dash tell them too
        least = 2.2 if theme is THEMES["light"] else 2.9
        assert contrast(colour, theme.paper) > least, colour


def test_inline_values_are_stable_and_never_solid() -> None:
    # written down once: another choice would change charts that people have
    assert mark_of("{mesh: sidecar, include: [a]}").colour == "#44AA99"
    for n in range(50):
        mark = mark_of(f"{{mesh: ambient, exclude: [s{n}]}}")
        assert mark.dash not in {named.dash for named in MARKS.values()}
        assert mark.colour not in {named.colour for named in MARKS.values()}


@pytest.mark.parametrize("theme", ["light", "dark"])
def test_an_architecture_has_one_colour_in_every_chart(theme: str) -> None:
    colour = MARKS["sidecar"].colour.lower()
    look = {"theme": theme}
    latency = [to_hex(one.get_color()) for one in charts.latency_cdf(compared(), **look).get_lines()]
    forest = charts.difference_forest(compared(), **look)
    bars = [b.lines[0] for b in forest.containers if (b.lines[0].get_gid() or "").startswith("sidecar ")]
    load = [one for one in charts.load_curve(load_sweep(), **look).get_lines() if one.get_label() == "sidecar"]
    assert colour in latency
    assert {to_hex(one.get_color()) for one in (*bars, *load)} == {colour}
    assert len(bars) == 6 and len(load) == 1
    assert to_hex(root(forest).get_facecolor()) == THEMES[theme].paper
