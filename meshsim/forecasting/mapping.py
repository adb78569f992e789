"""All architectures planned over load and the values of another axis, and where they change places along it."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, field, replace
from typing import Final

from meshsim.forecasting.along import crossovers_along
from meshsim.forecasting.axis import Axis
from meshsim.forecasting.crossing import used
from meshsim.forecasting.desk import Desk
from meshsim.forecasting.failing import fails_of
from meshsim.forecasting.result import Bounds, Fails, Map, Planned

TODAY: Final = 1.0  # factor on today's load: what is compared along the axis


@dataclass(slots=True)
class Mapper:
    """Fills a map.

    Attributes
    ----------
    desks
        Whoever plans, by value and architecture.
    loads
        Factors on today's load, with `TODAY` among them.
    fails
        Let faults strike, too.
    """

    axis: Axis
    desks: Callable[[str, str], Desk]
    labels: Sequence[str]
    loads: Sequence[float]
    fails: bool
    tick: Callable[[], None]
    cents: dict[tuple[str, float], dict[str, int | None]] = field(default_factory=dict)
    uses: dict[tuple[str, float], dict[str, Bounds | None]] = field(default_factory=dict)
    bills: dict[str, dict[str, Bounds | None]] = field(default_factory=dict)
    harms: dict[str, dict[str, Fails | None]] = field(default_factory=dict)

    def map(self) -> Map:
        """Plan everything."""
        requests = 0
        for value in self.axis.specs:
            for label in self.labels:
                desk = self.desks(value, label)
                self._plan(value, label, desk)
                self._judge(value, label, desk)
                requests += desk.requests
        told = Map(
            self.axis.path,
            tuple(self.axis.specs),
            tuple(self.loads),
            self.cents,
            self.uses,
            self.bills,
            self.harms,
            (),
            (),
            requests,
        )
        return _crossed(told, self.labels)

    def _plan(self, value: str, label: str, desk: Desk) -> None:
        for load in self.loads:
            found = desk.plan(load)
            one = found if isinstance(found, Planned) else None
            self.cents.setdefault((value, load), {})[label] = None if one is None else one.cents
            self.uses.setdefault((value, load), {})[label] = None if one is None else Bounds(*used(one.probe))
            self.tick()

    def _judge(self, value: str, label: str, desk: Desk) -> None:
        """What is compared along the axis."""
        today = desk.plan(TODAY)
        one = today if isinstance(today, Planned) else None
        self.bills.setdefault(value, {})[label] = desk.bill(TODAY)
        if self.fails:
            self.harms.setdefault(value, {})[label] = None if one is None else fails_of(desk, one, TODAY)
            self.tick()


def _crossed(told: Map, labels: Sequence[str]) -> Map:
    several = [crossovers_along(quantity, labels, told.table(quantity)) for quantity in told.quantities]
    return replace(
        told,
        crossovers=tuple(one for found, _ in several for one in found),
        no_crossovers=tuple(one for _, without in several for one in without),
    )
