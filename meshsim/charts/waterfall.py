"""A request as a waterfall: a bar a hop over time, in colours what it waited for, and the critical path through it."""

from __future__ import annotations

from collections.abc import Sequence
from itertools import pairwise
from typing import TYPE_CHECKING, Any, Final, Unpack

from matplotlib.transforms import ScaledTranslation

from meshsim.charts.style import PART_COLOURS, Canvas, Look, Theme, canvas
from meshsim.results.paths import CONNECTION, CPU, CPU_WAIT, FAILED, NETWORK, SLOT, WAIT
from meshsim.results.segments import GOES_ON, OTHERS, PARTS, Segment
from meshsim.results.traces import Span, Trace

if TYPE_CHECKING:
    from matplotlib.axes import Axes

MOST_ROWS: Final = 90  # more cannot be read on a page: the shortest that are not on the critical path are left out

_SLOT_COLOUR: Final = "#44BB99"  # of the scheme of `PART_COLOURS`, where waiting for a slot is a part of queueing
_NAMES: Final = {
    PARTS[WAIT]: "wait step (disk, third party)",
    PARTS[FAILED]: "failed tries and back-off",
    PARTS[GOES_ON]: "goes on, unobserved",
}
_BAR, _ROW_INCHES, _WIDTH_INCHES, _MARGIN_INCHES = 0.62, 0.22, 11.0, 1.6
_BELOW: Final = 0.42  # rows from the middle of a bar to its critical path
_FONT: Final = 8
_LEGEND_POINTS: Final = 34  # below the axis: ticks and label are in between


def _looks(theme: Theme) -> dict[str, dict[str, Any]]:
    return {
        PARTS[NETWORK]: {"color": PART_COLOURS["network"]},
        PARTS[SLOT]: {"color": _SLOT_COLOUR},
        PARTS[CPU_WAIT]: {"color": PART_COLOURS["queue"]},
        PARTS[CPU]: {"color": PART_COLOURS["service"]},
        PARTS[WAIT]: {"color": PART_COLOURS["wait"]},
        PARTS[CONNECTION]: {"color": PART_COLOURS["connection"]},
        PARTS[FAILED]: {"color": PART_COLOURS["failed tries"]},
        PARTS[OTHERS]: {"color": theme.grid},
        PARTS[GOES_ON]: {"facecolor": theme.paper, "edgecolor": theme.muted, "hatch": "////", "linewidth": 0},
    }


def waterfall(trace: Trace, ax: Axes | None = None, **look: Unpack[Look]) -> Axes:
    """Draw what happened to a request.

    A row is a frame: a try of a call at the replica that served it, under its caller. The black line below the bars is
    the critical path: at every instant the one frame that the answer waited for. A cross is where a caller gave up.
    Branches have a row where they spend time of their own.

    Parameters
    ----------
    trace
        One of `meshsim.Result.traces`.
    ax
        Where to draw; a new figure of fitting size if absent.
    look
        See `meshsim.charts.style.Look`.

    Returns
    -------
    matplotlib.axes.Axes
        The axes drawn into, to be saved or changed.
    """
    shown, left_out = _rows(trace.spans)
    with canvas(ax, look, (_WIDTH_INCHES, _MARGIN_INCHES + _ROW_INCHES * len(shown))) as found:
        main, ink, looks = found.axes[0], found.theme.ink, _looks(found.theme)
        used = {segment.part for span, _ in shown for segment in span.segments}
        for row, (span, _) in enumerate(shown):
            for segment in span.segments:
                length_ms = (segment.end_ns - segment.start_ns) / 1e6
                main.barh(row, length_ms, _BAR, left=_ms(trace, segment.start_ns), **looks[segment.part])
            if span.ending in ("timeout", "cancelled"):
                main.plot(_ms(trace, span.until_ns), row, "x", color=ink, markersize=6, clip_on=False, zorder=4)
        _draw_path(trace, shown, main, ink)
        _label(trace, shown, left_out, found)
        given_up = any(span.ending in ("timeout", "cancelled") for span, _ in shown)
        _legend(found, {part: one for part, one in looks.items() if part in used}, ink, given_up)
    return main


def _ms(trace: Trace, at_ns: int) -> float:
    return (at_ns - trace.arrival_ns) / 1e6


def _rows(spans: Sequence[Span]) -> tuple[list[tuple[Span, int]], int]:
    """Frames with their depth, callers before callees, and how many are left out."""
    callees: dict[int | None, list[Span]] = {}
    for span in spans:
        callees.setdefault(span.parent, []).append(span)
    found: list[tuple[Span, int]] = []
    stack = [(span, 0) for span in reversed(callees.get(None, []))]
    while stack:
        span, depth = stack.pop()
        shown = span.kind == "call" or any(segment.part != PARTS[OTHERS] for segment in span.segments)
        found += [(span, depth)] if shown else []
        stack += [(child, depth + shown) for child in reversed(callees.get(span.serial, []))]
    if len(found) <= MOST_ROWS:
        return found, 0
    ranked = sorted(found, key=lambda one: (not one[0].critical, one[0].sent_ns - one[0].until_ns))
    kept = {span.serial for span, _ in ranked[:MOST_ROWS]}
    return [one for one in found if one[0].serial in kept], len(found) - MOST_ROWS


def _path(ink: str) -> dict[str, Any]:
    return {"color": ink, "linewidth": 2.2, "solid_capstyle": "butt"}


def _draw_path(trace: Trace, shown: Sequence[tuple[Span, int]], ax: Axes, ink: str) -> None:
    """A line below whatever the answer waited for, joined from row to row."""
    pieces = [(segment, row) for row, (span, _) in enumerate(shown) for segment in span.segments if segment.critical]
    pieces.sort(key=_when)
    for segment, row in pieces:
        x = [_ms(trace, segment.start_ns), _ms(trace, segment.end_ns)]
        ax.plot(x, [row + _BELOW] * 2, **_path(ink), zorder=3)
    for (before, above), (_, below) in pairwise(pieces):
        x = [_ms(trace, before.end_ns)] * 2
        ax.plot(x, [above + _BELOW, below + _BELOW], color=ink, linewidth=0.6, zorder=3)


def _when(piece: tuple[Segment, int]) -> tuple[int, int]:
    return piece[0].start_ns, piece[0].end_ns


def _label(trace: Trace, shown: Sequence[tuple[Span, int]], left_out: int, found: Canvas) -> None:
    ax = found.axes[0]
    ax.set_yticks(range(len(shown)), [_name(span, depth) for span, depth in shown], fontsize=_FONT, ha="left")
    longest = max(len(_name(span, depth)) for span, depth in shown)
    pad = longest * _FONT * 0.56
    ax.tick_params(axis="y", length=0, pad=pad)
    ax.set_ylim(len(shown) - 0.3, -0.7)
    ax.set_xlim(0, trace.latency_ns / 1e6)
    ax.set_xlabel("ms since the request was sent" + (f" · {left_out} short calls left out" if left_out else ""))
    tries = f"{trace.tries} {'try' if trace.tries == 1 else 'tries'} of calls"
    found.set_title(
        f"{trace.topology} under {trace.architecture} · request {trace.number} of {trace.stream}, "
        f"arrived at {trace.arrival_ns / 1e9:.3f} s · {trace.outcome} after {trace.latency_ns / 1e6:.4g} ms · {tries}",
        max(found.figure.get_figwidth() - pad / 72 - 0.4, 2.0),
    )
    ax.grid(visible=False, axis="y")
    ax.spines["left"].set_visible(False)


def _name(span: Span, depth: int) -> str:
    if span.kind == "branch":
        return "  " * depth + "branch"
    called = f"{span.service}.{span.endpoint}" if span.role == "app" else span.service
    again = f", retry {span.attempt}" if span.attempt else ""
    failed = "" if span.outcome in ("ok", "degraded", "unfinished") else f", {span.outcome}"
    return "  " * depth + f"{called} #{span.replica}{again}{failed}"


def _legend(found: Canvas, looks: dict[str, dict[str, Any]], ink: str, given_up: bool) -> None:
    from matplotlib.lines import Line2D
    from matplotlib.patches import Patch

    handles: list[Any] = [Patch(label=_NAMES.get(part, part), **look) for part, look in looks.items()]
    handles.append(Line2D([], [], label="critical path", **_path(ink)))
    if given_up:
        handles.append(Line2D([], [], color=ink, marker="x", linestyle="", label="caller gave up"))
    ax, below = found.axes[0], ScaledTranslation(0, -_LEGEND_POINTS / 72, found.figure.dpi_scale_trans)
    ax.legend(
        handles=handles,
        loc="upper center",
        bbox_to_anchor=(0.5, 0.0),
        bbox_transform=ax.transAxes + below,
        borderaxespad=0.0,
        ncols=_columns(handles, found),
        frameon=False,
        fontsize=_FONT,
    )


def _columns(handles: Sequence[Any], found: Canvas) -> int:
    """As many beside each other as have room."""
    longest = max(len(handle.get_label()) for handle in handles) + 7  # letters, with the patch and the gap
    return max(1, min(len(handles), int(found.figure.get_figwidth() * 72 / (longest * _FONT * 0.56))))
