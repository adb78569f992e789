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
    """Point and ends of each horizontal error bar by its gid; ends are nan where it has no bar."""
    found = {}
    for container in ax.containers:
        if isinstance(container, ErrorbarContainer) and container.lines[0].get_gid():
            data, _, bars = container.lines
            value = float(data.get_xdata()[0])
            ends = bars[0].get_segments()[0][:, 0] if bars else (np.nan, np.nan)
            found[data.get_gid()] = (value, float(ends[0]), float(ends[1]))
    return found


def defects(ax: Axes) -> list[str]:
    """Texts that reach out of the figure, that lie on each other, or on a legend."""
    texts, figure = _drawn(ax), root(ax)
    found = [f"cut: {text}" for text, box in texts if not _inside(box, figure.bbox)]
    found += [f"{one} on {other}" for (one, a), (other, b) in combinations(texts, 2) if _shared(a, b)]
    for legend in figure.findobj(Legend):
        own = {text.get_text() for text in (*legend.get_texts(), legend.get_title())}
        place = legend.get_window_extent()
        found += [f"{text} on a legend" for text, box in texts if text not in own and _shared(box, place)]
    return found


def _drawn(ax: Axes) -> list[tuple[str, Bbox]]:
    """Every text that is drawn in the figure, with its place in pixels."""
    drawn: list[Text] = []
    before = Text.draw

    def draw(text: Text, renderer: Any) -> None:
        if text.get_visible() and text.get_text().strip():
            drawn.append(text)
        before(text, renderer)

    with mock.patch.object(Text, "draw", draw):
        root(ax).canvas.draw()
    # an annotation's own extent would be that of its arrow too
    return [(text.get_text(), Text.get_window_extent(text)) for text in drawn]


def _inside(box: Bbox, frame: Bbox) -> bool:
    return bool(box.x0 > frame.x0 - 1 and box.y0 > frame.y0 - 1 and box.x1 < frame.x1 + 1 and box.y1 < frame.y1 + 1)


def _shared(a: Bbox, b: Bbox) -> bool:
    across, up = min(a.x1, b.x1) - max(a.x0, b.x0), min(a.y1, b.y1) - max(a.y0, b.y0)
    return bool(across > 1.0 and up > 1.0)
