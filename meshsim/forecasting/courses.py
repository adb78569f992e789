"""Courses: month by month what is planned and bought, and when today's deployment runs out."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Final

from meshsim.forecasting.desk import Desk, Standing, replicas_cents
from meshsim.forecasting.result import Carries, Course, Month, RunsOut, Today
from meshsim.planning.probing import slack
from meshsim.planning.report import limit
from meshsim.planning.result import Infeasible

_PRECISION: Final = 0.05  # width of the bracket of what a deployment carries (assumed)


def standing_of(desk: Desk, today: Today) -> Standing | None:
    """Today's deployment; None where that is the plan of month 0 and there is none."""
    if today == "written":
        planner = desk.planner(None, 1.0)
        return Standing(desk, None, {part.name: part.written for part in planner.parts})
    planned = desk.plan(1.0)
    return None if isinstance(planned, Infeasible) else Standing(desk, planned.choice, planned.bought)


def course_of(desk: Desk, standing: Standing | None, scenario: str, factors: Sequence[float]) -> Course:
    """One architecture in one scenario."""
    months: list[Month] = []
    before, before_cents = _begin(standing)
    for number, load in enumerate(factors):
        found = desk.plan(load)
        if isinstance(found, Infeasible):
            months.append(Month(number, load, None, _why(found, desk.asked.most), {}, 0))
            continue
        if before is None:  # there was no plan: everything is as it was found
            before, before_cents = found.bought, found.replicas_cents
        change = {name: count - before.get(name, 0) for name, count in found.bought.items()}
        purchases = {name: count for name, count in change.items() if count}
        months.append(Month(number, load, found, "", purchases, found.replicas_cents - before_cents))
        before, before_cents = found.bought, found.replicas_cents
    return Course(
        desk.architecture,
        scenario,
        None if standing is None else dict(standing.bought),
        tuple(months),
        _runs_out(standing, factors, months[0].why),
    )


def _begin(standing: Standing | None) -> tuple[Mapping[str, int] | None, int]:
    if standing is None:
        return None, 0
    planner = standing.desk.planner(standing.choice, 1.0)
    return standing.bought, replicas_cents(planner, standing.bought)


def _why(found: Infeasible, most: int) -> str:
    """Why there is no plan: what the largest deployment that was looked at does not keep."""
    full = [name for name, count in found.best.counts.items() if count >= most]
    what = found.best.unstable or ", ".join(f"{limit(kept)} is not kept" for kept in found.best.broken[:1])
    return f"with {most} replicas of {', '.join(full[:3])} {what}" if full else what


def _runs_out(standing: Standing | None, factors: Sequence[float], why: str) -> RunsOut | None:
    if standing is None:
        return RunsOut(0, (), f"there is no plan for today's load: {why}")
    for number, load in enumerate(factors):
        probe = standing.probe(load)
        if probe is None:
            return RunsOut(number, (), standing.why)
        if not probe.holds:
            first = sorted(probe.broken, key=lambda kept: (kept.judgement != "missed", slack(kept)))
            return RunsOut(number, tuple(first), probe.unstable)
    return None


def carried(standing: Standing | None, loads: Sequence[float]) -> Carries:
    """How much load today's deployment carries: the first of these loads that it does not, and then by halves."""
    if standing is None or standing.left is None:
        return Carries(None, min(loads))
    held, broke = None, None
    for load in sorted(loads):
        if not standing.holds(load):
            broke = load
            break
        held = load
    while held is not None and broke is not None and broke - held > _PRECISION * held * (1 + 1e-9):
        middle = round((held + broke) / 2, 4)
        if standing.holds(middle):
            held = middle
        else:
            broke = middle
    return Carries(held, broke)
