"""How control processes reach into a run: names and numbers of replicas, and the instant at which they act."""

from __future__ import annotations

from collections.abc import Collection, Generator
from typing import Any

import simpy

from meshsim.architectures.plane import Plane, PlaneService
from meshsim.architectures.rewrites import sidecar_of
from meshsim.control.window import number_of
from meshsim.engines import keyed, sampler
from meshsim.engines.record import Happening, Look
from meshsim.engines.running import Changeable, Run
from meshsim.engines.tables import Distributions
from meshsim.errors import UsageError
from meshsim.model.distributions import Distribution
from meshsim.numbers import whole_number

Steps = Generator[simpy.Event, Any, None]  # of a control process


class Reach:
    """What all that a control process does stands on."""

    def __init__(
        self, run: Run, plane: Plane, env: simpy.Environment, notes: list[Happening], looks: list[Look] | None = None
    ) -> None:
        self.env = env
        self._run = run
        self._plane = plane
        self._program = run.program
        self._notes = notes
        self._looks = [] if looks is None else looks

    @property
    def now_s(self) -> float:
        """Simulated seconds since the run began."""
        return float(self.env.now)

    @property
    def plane(self) -> Plane:
        """What runs: services and proxies, their replicas, and where these stand."""
        return self._plane

    def note(self, who: str, what: str, detail: str = "", amount: float | None = None) -> None:
        """Write down that something happened now; results tell it (`Result.happenings`)."""
        self._notes.append(Happening(instant_ns(self.env.now), who, what, detail, amount))

    def write_look(self, look: Look) -> None:
        """Write down how many replicas a service has from now on; results tell it (`Result.autoscaling`)."""
        self._looks.append(look)

    def draw(self, distribution: Distribution, name: str, ordinal: int = 0) -> float:
        """Draw from a distribution, in its base unit, e.g. seconds.

        Parameters
        ----------
        name, ordinal
            What it is for, and which of these it is: the draw hangs on them and on the run, not on what was drawn
            before.
        """
        table = Distributions()
        number = table.add(distribution, 1.0)
        key = keyed.mix(self._run.key, ordinal)
        drawn = sampler.draw(table.array(), table.table(), number, key, keyed.CONTROL, keyed.name_hash(name))
        return float(drawn)

    def chance(self, name: str, ordinal: int = 0) -> float:
        """Draw a uniform number between 0 and 1, as `draw` does."""
        return keyed.unit(keyed.mix(self._run.key, ordinal), keyed.CONTROL, keyed.name_hash(name), 0)

    def answered(self, service: str, replicas: Collection[int] | None = None) -> tuple[int, int]:
        """How many messages replicas have answered since the run began, and how many of these failed."""
        rows = self._rows(service, replicas)
        self._arrive()
        counts = [self._run.answered(row) for row in rows]
        return sum(n for n, _ in counts), sum(failed for _, failed in counts)

    def _arrive(self) -> None:
        self._run.bring_to(instant_ns(self.env.now))

    def _set(self, table: Changeable, rows: list[int], field: str, value: float) -> None:
        self._arrive()
        for row in rows:
            self._run.set_field(table, row, field, value)

    def _known(self, service: str) -> PlaneService:
        number_of(service, self._program.service_names, "service")
        return self._plane.service(service)

    def _number(self, service: str) -> int:
        return self._program.service_names.index(self._known(service).name)

    def _rows(self, service: str, replicas: Collection[int] | None, *, with_sidecars: bool = False) -> list[int]:
        """Rows of replicas by their numbers (None: all), of one service after the other."""
        most = len(self._known(service).replicas)
        chosen = range(most) if replicas is None else [whole_number(one, "number of a replica") for one in replicas]
        for one in chosen:
            check(0 <= one < most, f"'{service}' has replicas 0 to {most - 1}, not {one}")
        rows: list[int] = []
        for name in (service, sidecar_of(service)) if with_sidecars else (service,):
            if name in self._program.service_names:
                first = int(self._program.services["first_replica"][self._program.service_names.index(name)])
                rows += [first + one for one in sorted(set(chosen))]
        return rows


def instant_ns(now_s: float) -> int:
    """Instant of the run at which control processes act whose clock shows `now_s` (rule G1)."""
    return round(now_s * 1e9)


def check(holds: bool, message: str) -> None:
    """Raise a UsageError with a message unless something holds."""
    if not holds:
        raise UsageError(message)
