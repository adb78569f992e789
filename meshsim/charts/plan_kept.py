"""What charts of plans say of objectives: every quantity so that less is better, in a unit that reads well."""

from __future__ import annotations

import math
import re
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Final

from meshsim.charts.quantities import time_unit
from meshsim.charts.style import MARKS
from meshsim.errors import UsageError
from meshsim.results.intervals import Estimate
from meshsim.results.text import duration, percent

if TYPE_CHECKING:
    from meshsim.planning.probing import Kept
    from meshsim.planning.result import Deployment, Growing, Plan

NOT_SURE: Final = {"undecided": ", not surely kept"}
BOUNDS: Final = "whiskers: bounds at 99 %"
APPROXIMATE: Final = "estimated, approximate: no bounds"
_SHARES: Final = ("availability", "utilization")


def approximate(engine: str) -> str:
    """What a chart's note says last where nothing was simulated."""
    return " Approximate: nothing was simulated." if engine == "analytic" else ""


@dataclass(frozen=True, slots=True)
class Measure:
    """An objective on an axis.

    Attributes
    ----------
    whose, quantity
        As of what is kept; of an availability the share that fails is shown.
    scale
        From base units.
    limit
        In the unit of the axis.
    label
        Of the axis, with the unit.
    """

    whose: str
    quantity: str
    scale: float
    limit: float
    label: str

    @property
    def named(self) -> str:
        """For titles."""
        return self.label.rpartition(" (")[0]

    def find(self, kept: Iterable[Kept]) -> Kept | None:
        """The same objective elsewhere."""
        return next((one for one in kept if (one.whose, one.quantity) == (self.whose, self.quantity)), None)

    def shown(self, kept: Kept | None) -> Estimate:
        """Value and bounds on the axis; infinite where too many requests failed, None where nothing was measured."""
        return Estimate(None, None, None, 0, "unknown") if kept is None else scaled(less_is_better(kept), self.scale)


def measure_of(kept: Sequence[Kept]) -> Measure:
    """How one objective is shown, given all that is drawn of it."""
    one = kept[0]
    if one.quantity in _SHARES:
        what = "failing requests" if one.quantity == "availability" else "CPU in use"
        scale, unit = 100.0, "%"
    else:
        ends = [end for other in kept for end in (other.estimate.value, other.limit)]
        found = time_unit(max(end for end in ends if end is not None and math.isfinite(end)))
        what = "mean latency" if one.quantity == "mean" else f"{one.quantity} latency"
        scale, unit = found.scale, found.name
    return Measure(one.whose, one.quantity, scale, limit_of(one) * scale, f"{what} of {_owner(one)} ({unit})")


def _owner(kept: Kept) -> str:
    """Whose an objective is: names of tenants, such as `looking`, may be words."""
    return kept.whose if kept.quantity == "utilization" else f"tenant {kept.whose}"


def limit_of(kept: Kept) -> float:
    """What must not be exceeded."""
    return 1.0 - kept.limit if kept.quantity == "availability" else kept.limit


def less_is_better(kept: Kept) -> Estimate:
    """What was measured; of an availability, the share that fails."""
    one = kept.estimate
    if kept.quantity != "availability":
        return one
    value, low, high = (None if end is None else 1.0 - end for end in (one.value, one.high, one.low))
    return Estimate(value, low, high, one.n, one.method)


def scaled(one: Estimate, scale: float) -> Estimate:
    """In another unit."""
    value, low, high = (None if end is None else end * scale for end in (one.value, one.low, one.high))
    return Estimate(value, low, high, one.n, one.method)


def is_finite(value: float | None) -> bool:
    """Whether it can be drawn where it is."""
    return value is not None and math.isfinite(value)


def value_text(kept: Kept | None) -> str:
    """What was measured, in words.

    Of an availability, what fails.
    """
    value = None if kept is None else less_is_better(kept).value
    if kept is None or value is None:
        return "unknown"
    if math.isinf(value):
        return "∞ (requests fail)"
    return _written(kept, value)


def limit_text(kept: Kept) -> str:
    """The limit, in words."""
    return _written(kept, limit_of(kept))


def _written(kept: Kept, value: float) -> str:
    return percent(round(value, 12)) if kept.quantity in _SHARES else duration(value)


def named(kept: Kept) -> str:
    """An objective, in words."""
    words = {"utilization": "CPU", "availability": "failing"}
    return f"{kept.whose}: {words.get(kept.quantity, kept.quantity)}"


def broken_text(kept: Sequence[Kept]) -> str:
    """What is not kept, the first of it."""
    if not kept:
        return "requests pile up"
    first = kept[0]
    return f"{named(first)} {value_text(first)}, limit {limit_text(first)}{NOT_SURE.get(first.judgement, '')}"


def growth_text(growing: Growing) -> str:
    """What breaks first as the load grows."""
    if growing.broke is None:
        return wrappable(f"nothing breaks up to {growing.held:.3g} ×, the largest load that was looked at")
    return wrappable(f"at {growing.broke:.3g} ×: {broken_text(growing.first)}")


def wrappable(text: str) -> str:
    """Tie numbers to their units, so that no line ends between them."""
    return re.sub(r"(?<=[\d∞]) (?=[^\d\W]{1,2}\b|%|×)", "\N{NO-BREAK SPACE}", text)


def chosen(plan: Plan, architecture: str | None) -> tuple[str, Deployment]:
    """The plan of one architecture; the cheapest if absent.

    Raises
    ------
    UsageError
        There is none.
    """
    name = architecture or plan.best
    if name is None:
        raise UsageError(f"there is no plan to draw: nothing holds under {', '.join(plan.infeasible)}")
    if name not in plan.deployments:
        there = ", ".join(plan.deployments)
        raise UsageError(f"there is no plan of {name}; " + (f"there is one of {there}" if there else "nothing holds"))
    return name, plan[name]


def bounds_note(plan: Plan, drawn: Iterable[Estimate] = ()) -> str:
    """What the whiskers are, and why some of what is drawn has none."""
    if plan.engine == "analytic":
        return APPROXIMATE
    without = any(is_finite(one.value) and (one.low is None or one.high is None) for one in drawn)
    return BOUNDS + (" (none: too few requests for them)" if without else "")


def in_order(plan: Plan) -> list[str]:
    """Architectures: the cheapest plan first, those without one last."""
    by_cost = sorted(plan.deployments, key=lambda name: plan[name].cents.total)
    order = list(MARKS)
    return by_cost + sorted(plan.infeasible, key=lambda name: order.index(name) if name in order else len(order))
