"""What tests read back from a drawn chart: its numbers, colours and texts."""

from __future__ import annotations

from itertools import combinations
from typing import Any
from unittest import mock

import numpy as np
from matplotlib.axes import Axes
from matplotlib.colors import to_hex
from matplotlib.container import ErrorbarContainer
from matplotlib.legend import Legend
from matplotlib.text import Text
from matplotlib.transforms import Bbox

from meshsim.charts.style import root


def line(ax: Axes, label: str, colour: str | None = None) -> Any:
    """The only line of this label (and colour)."""
    found = [one for one in ax.get_lines() if one.get_label() == label]
    found = [one for one in found if colour is None or to_hex(one.get_color()) == colour.lower()]
    assert len(found) == 1, (label, colour, len(found))
    return found[0]


def intervals(ax: Axes) -> dict[str, tuple[float, float, float]]:
    """Point and ends of each error bar by its gid (those with one), along the axis that it lies on."""
    found = {}
    for container in ax.containers:
        if isinstance(container, ErrorbarContainer) and container.lines[0].get_gid():
            data, _, bars = container.lines
            along = 0 if container.has_xerr else 1
            value = float(data.get_xydata()[0, along])
            ends = bars[0].get_segments()[0][:, along] if bars else (np.nan, np.nan)
            found[data.get_gid()] = (value, float(ends[0]), float(ends[1]))
    return found


def visible_texts(ax: Axes) -> list[tuple[str, Bbox]]:
    """Every text that is drawn in the figure, with its place in pixels."""
    drawn: list[Text] = []
    before = Text.draw

    def draw(text: Text, renderer: Any) -> None:
        if text.get_visible() and text.get_text().strip():
            drawn.append(text)
        before(text, renderer)

    figure = root(ax)
    figure.canvas.draw()  # the layout has settled then
    with mock.patch.object(Text, "draw", draw):
        figure.canvas.draw()
    # an annotation's own extent would be that of its arrow too
    return [(text.get_text(), Text.get_window_extent(text)) for text in drawn]


def cut(ax: Axes) -> list[str]:
    """Texts that reach out of the figure."""
    frame = root(ax).bbox
    return [
        text
        for text, box in visible_texts(ax)
        if box.x0 < frame.x0 - 1 or box.y0 < frame.y0 - 1 or box.x1 > frame.x1 + 1 or box.y1 > frame.y1 + 1
    ]


def overlapping(ax: Axes) -> list[tuple[str, str]]:
    """Pairs of texts that lie on each other, and texts that lie on a legend."""
    pairs = combinations(visible_texts(ax), 2)
    legends = [(one, {text.get_text() for text in one.get_texts()}) for one in root(ax).findobj(Legend)]
    return [(one, other) for (one, a), (other, b) in pairs if _shared(a, b)] + [
        ("a legend", text)
        for legend, own in legends
        for text, box in visible_texts(ax)
        if text not in own | {legend.get_title().get_text()} and _shared(box, legend.get_window_extent())
    ]


def _shared(a: Bbox, b: Bbox) -> bool:
    across, up = min(a.x1, b.x1) - max(a.x0, b.x0), min(a.y1, b.y1) - max(a.y0, b.y0)
    return bool(across > 1.0 and up > 1.0)
