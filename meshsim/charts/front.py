"""Pareto's front: what no other beats in both."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

from meshsim.charts.style import Canvas


def front_of(points: Iterable[tuple[float, float]]) -> list[tuple[float, float]]:
    """Points that no other beats in both, from the smallest first number on; less is better.

    Examples
    --------
    >>> front_of([(3.0, 1.0), (1.0, 2.0), (2.0, 2.0)])
    [(1.0, 2.0), (3.0, 1.0)]
    """
    front: list[tuple[float, float]] = []
    for x, y in sorted(points):
        if not front or y < front[-1][1]:
            front.append((x, y))
    return front


def draw_front(drawn: Canvas, points: Iterable[tuple[float, float]]) -> None:
    """Join the front by steps, if there are two points of it."""
    front = front_of(points)
    if len(front) > 1:
        xs, ys = zip(*front, strict=True)
        style: dict[str, Any] = {"color": drawn.theme.muted, "linewidth": 1.0, "drawstyle": "steps-post", "zorder": 1}
        drawn.axes[0].plot(xs, ys, gid="front", **style)
