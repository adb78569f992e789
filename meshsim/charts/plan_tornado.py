"""What one replica less and one more of each service does to the objective that is tightest."""

from __future__ import annotations

import math
from collections.abc import Iterator
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Final, Unpack

from matplotlib.artist import Artist
from matplotlib.axes import Axes
from matplotlib.patches import Patch

from meshsim.charts.cost_waterfall import LESS, MORE
from meshsim.charts.plan_kept import (
    Measure,
    bounds_note,
    chosen,
    is_finite,
    limit_text,
    measure_of,
    named,
    value_text,
)
from meshsim.charts.style import Canvas, Look, canvas, folded
from meshsim.errors import UsageError

if TYPE_CHECKING:
    from meshsim.planning.probing import Kept, Probe
    from meshsim.planning.result import Deployment, Plan, Step

_MOST: Final = 16  # services: more cannot be read, and those that matter least are the last
_BAR: Final = 0.36
_FAR: Final = 3.0  # times the limit or the plan's value, whichever is larger: what is beyond is at the edge
_LETTER_INCHES: Final = 0.056  # of a value beside its bar
_LONGEST: Final = 0.75  # share of the axis that such a text may take
_TITLE: Final = 0.68  # of the figure's width: labels on the left may be long
_NAME: Final = 22  # letters of a service that breaks elsewhere


@dataclass(frozen=True, slots=True)
class _Scene:
    canvas: Canvas
    one: Deployment
    measure: Measure
    start: float  # the plan's value
    edge: float  # what is not drawn at its length ends here
    texts: list[tuple[float, str]] = field(default_factory=list)  # where they begin

    @property
    def axes(self) -> Axes:
        return self.canvas.axes[0]


def plan_tornado(found: Plan, ax: Axes | None = None, *, architecture: str | None = None, **look: Unpack[Look]) -> Axes:
    """Draw how the tightest objective of a plan changes with one replica less and one more of each service.

    Bars begin at what the plan was measured at; the longest pair is first. Hatched ones are deployments that do not
    hold: whatever breaks there is written beside them. Bars with an arrow end beyond the axis.

    Parameters
    ----------
    found
        What `meshsim.plan` gives.
    ax
        Axes to draw into; None for a new figure.
    architecture
        Whose plan; the cheapest if absent.
    look
        See `meshsim.charts.style.Look`.

    Returns
    -------
    matplotlib.axes.Axes

    Raises
    ------
    UsageError
        There is no plan (of this architecture), or nothing was measured with it.
    """
    name, one = chosen(found, architecture)
    tightest = one.tightest
    probes = [probe for step in one.steps for probe in (step.less, step.more) if probe is not None]
    same = (kept for probe in probes for kept in probe.kept)
    whole = [tightest, *(kept for kept in same if (kept.whose, kept.quantity) == (tightest.whose, tightest.quantity))]
    stable = [kept for kept in whole if (kept.estimate.value or 0.0) <= _FAR * max(tightest.limit, 1e-12)]
    measure = measure_of(stable or whole)
    start = measure.shown(tightest).value
    if start is None or not is_finite(start):
        raise UsageError(f"nothing was measured of {named(tightest)} under {name}: there is nothing to compare with")
    steps = sorted(one.steps, key=lambda step: -_span(step, measure, start))
    drawn_steps = steps[:_MOST]
    with canvas(ax, look, (8.6, 2.0 + 0.46 * len(drawn_steps))) as drawn:
        scene = _Scene(drawn, one, measure, start, _edge(drawn_steps, measure, start))
        for row, step in enumerate(drawn_steps):
            _pair(scene, row, step)
        _frame(scene, drawn_steps, list(_lines(scene, tightest)))
        title = f"{found.name} under {name}: what one replica more or less does"
        drawn.set_title(title, _TITLE * drawn.figure.get_size_inches()[0])
        drawn.note("; ".join(_notes(found, steps, measure)) + ".")
    return drawn.axes[0]


def _value(probe: Probe | None, measure: Measure) -> float | None:
    """On the axis; infinite where requests pile up: then it grows with the run."""
    if probe is None:
        return None
    return math.inf if probe.unstable else measure.shown(measure.find(probe.kept)).value


def _span(step: Step, measure: Measure, start: float) -> float:
    values = [_value(probe, measure) for probe in (step.less, step.more)]
    return max((abs(value - start) for value in values if value is not None), default=0.0)


def _edge(steps: list[Step], measure: Measure, start: float) -> float:
    """Where the longest bar that is drawn at its length, or its whisker, ends."""
    far = _FAR * max(start, measure.limit)
    ends = [start, measure.limit]
    for step in steps:
        for probe in (step.less, step.more):
            if probe is not None and not probe.unstable:
                shown = measure.shown(measure.find(probe.kept))
                ends += [end for end in (shown.value, shown.high) if end is not None and end <= far]
    return 1.06 * max(ends)


def _pair(scene: _Scene, row: int, step: Step) -> None:
    most = "no more are allowed"
    for probe, shift, colour, absent in (
        (step.less, -_BAR / 2, MORE, "there is one only"),
        (step.more, _BAR / 2, LESS, most),
    ):
        gid = f"{step.name} {'less' if probe is step.less and shift < 0 else 'more'}"
        at = row + shift
        if probe is None:
            _beside(scene, at, scene.start, absent, gid, muted=True)
            continue
        value = _value(probe, scene.measure)
        if value is None:
            _beside(scene, at, scene.start, "unknown", gid, muted=True)
            continue
        end = min(value, scene.edge)
        scene.axes.barh(
            at, end - scene.start, _BAR, left=scene.start, color=colour, gid=gid,
            hatch="" if probe.holds else "////", edgecolor=scene.canvas.theme.paper, linewidth=0,
        )  # fmt: skip
        if value > scene.edge:
            scene.axes.plot(end, at, ">", color=colour, ms=6, clip_on=False, gid="beyond", zorder=4)
        right = max(end, scene.start, _whisker(scene, at, probe) if value <= scene.edge else 0.0)
        _beside(scene, at, right, _words(probe, scene), gid)


def _whisker(scene: _Scene, at: float, probe: Probe) -> float:
    """Draw the bounds; where they end."""
    shown = scene.measure.shown(scene.measure.find(probe.kept))
    if shown.value is None or shown.low is None or shown.high is None:
        return scene.start
    high = min(shown.high, scene.edge)
    arms = [[max(0.0, shown.value - shown.low)], [max(0.0, high - shown.value)]]
    ink = scene.canvas.theme.ink
    scene.axes.errorbar(shown.value, at, xerr=arms, fmt="none", ecolor=ink, elinewidth=1.0, capsize=2.0, zorder=3)
    return high


def _words(probe: Probe, scene: _Scene) -> str:
    """The value, and what breaks if it is something else."""
    if probe.unstable:
        return "requests pile up"
    text = value_text(scene.measure.find(probe.kept))
    other = [
        kept for kept in probe.broken if (kept.whose, kept.quantity) != (scene.measure.whose, scene.measure.quantity)
    ]
    return f"{text}; {shortened(named(other[0]))} {value_text(other[0])}" if other else text


def shortened(name: str) -> str:
    """A long name without its middle.

    Examples
    --------
    >>> shortened("cart: CPU"), shortened("a-very-long-name-of-a-service: CPU")
    ('cart: CPU', 'a-very-lon…rvice: CPU')
    """
    return name if len(name) <= _NAME else f"{name[: _NAME // 2 - 1]}…{name[1 - _NAME // 2 :]}"


def _beside(scene: _Scene, at: float, right: float, text: str, gid: str, *, muted: bool = False) -> None:
    theme = scene.canvas.theme
    scene.texts.append((right, text))
    scene.axes.annotate(
        text, (right, at), (5, 0), textcoords="offset points", va="center", fontsize=7, gid=f"text {gid}",
        color=theme.muted if muted else theme.ink, zorder=5,
        bbox={"fc": theme.paper, "ec": "none", "pad": 1.0},
    )  # fmt: skip


def _lines(scene: _Scene, tightest: Kept) -> Iterator[Artist]:
    """The plan with its bounds, and the limit."""
    ink, muted = scene.canvas.theme.ink, scene.canvas.theme.muted
    shown = scene.measure.shown(tightest)
    if shown.low is not None and shown.high is not None:
        scene.axes.axvspan(
            shown.low, min(shown.high, scene.edge), color=muted, alpha=0.18, lw=0, zorder=0, gid="bounds"
        )
    yield scene.axes.axvline(
        scene.start, color=muted, lw=1.2, zorder=1, gid="plan", label=f"plan {value_text(tightest)}"
    )  # fmt: skip
    yield scene.axes.axvline(
        scene.measure.limit, color=ink, lw=1.0, ls="-.", zorder=1, gid="limit", label=f"limit {limit_text(tightest)}"
    )  # fmt: skip


def _width(scene: _Scene, low: float) -> float:
    """So much that every bar and the text beside it is within the axis."""
    across = 0.6 * scene.canvas.figure.get_size_inches()[0]  # beside labels and legend
    found = scene.edge - low
    for right, text in scene.texts:
        share = min(_LONGEST, (len(text) + 3) * _LETTER_INCHES / across)
        found = max(found, (right - low) / (1.0 - share))
    return found


def _frame(scene: _Scene, steps: list[Step], lines: list[Artist]) -> None:
    main, measure = scene.axes, scene.measure
    lows = [scene.start, measure.limit]
    for step in steps:
        for probe in (step.less, step.more):
            shown = measure.shown(None if probe is None else measure.find(probe.kept))
            lows += [end for end in (shown.low, shown.value) if end is not None and math.isfinite(end)]
    low = max(0.0, min(lows) - 0.08 * (scene.edge - min(lows)))
    main.set_xlim(low, low + _width(scene, low))
    main.set_xlabel(measure.label + ("" if low <= 0.0 else ", axis does not begin at 0"))
    main.set_yticks(
        range(len(steps)), labels=[f"{folded(step.name, 22)} ({scene.one.needed[step.name]})" for step in steps]
    )
    main.set_ylim(len(steps) - 0.4, -0.6)
    main.set_ylabel("service (replicas needed)")
    main.grid(visible=False, axis="y")
    hatched = Patch(facecolor="none", edgecolor=scene.canvas.theme.muted, hatch="////", label="does not\nsurely hold")
    handles = [*lines, Patch(color=MORE, label="one less"), Patch(color=LESS, label="one more"), hatched]
    main.legend(handles=handles, loc="upper left", bbox_to_anchor=(1.0, 1.0), borderaxespad=0.2)


def _notes(found: Plan, steps: list[Step], measure: Measure) -> Iterator[str]:
    probes = [probe for step in steps[:_MOST] for probe in (step.less, step.more) if probe is not None]
    shown = [measure.shown(measure.find(probe.kept)) for probe in probes if not probe.unstable]
    shaded = "" if found.engine == "analytic" else ", shaded: those of the plan"
    yield f"At peak load, {found.loss.told}; {bounds_note(found, shown)}{shaded}"
    if len(steps) > _MOST:
        yield f"{len(steps) - _MOST} services that change it less are not drawn"
