"""What goodput cannot exceed, beside it."""

from __future__ import annotations

from chart_scenes import load_sweep
from reading import root

from meshsim import charts


def test_the_offered_line_is_what_was_offered_most() -> None:
    """An architecture whose clients were slower to come offers less; the line is above both."""
    frame = load_sweep()
    less = frame["architecture"] == "sidecar"
    offered = frame.loc[~less, "offered_per_s"].tolist()
    frame.loc[less, "offered_per_s"] *= 0.9
    (line,) = [one for one in root(charts.load_curve(frame)).axes[1].get_lines() if one.get_label() == "offered"]
    assert list(line.get_ydata()) == offered
