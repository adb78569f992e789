"""What came of a forecast: for each architecture and scenario a plan a month, what runs out, and where others win."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Final, Literal, NamedTuple, Unpack

from meshsim.planning.losses import Loss
from meshsim.planning.probing import Kept, Probe
from meshsim.planning.result import Verified
from meshsim.results.intervals import Estimate
from meshsim.results.manifest import Timing

if TYPE_CHECKING:
    import pandas as pd
    from matplotlib.axes import Axes

    from meshsim.charts.style import Look

SCHEMA_VERSION = 1

Today = Literal["plan", "written"]
Quantity = Literal["cost", "objective", "fails"]


class Bounds(NamedTuple):
    """A number, and its bounds at 99 % each; both are the number where it has no width."""

    value: float
    low: float
    high: float


WORST: Final = Bounds(float("inf"), float("inf"), float("inf"))  # there is no plan


@dataclass(frozen=True, slots=True, eq=False)
class Planned:
    """The plan of one architecture for one load.

    Attributes
    ----------
    choice
        What else was chosen, by dotted path.
    needed, bought
        Replicas by service: those that keep everything, and those to buy so that as many are left.
    probe
        The simulation of what is needed.
    cents
        The bill of a month of all that is bought; with the analytic engine of the cores and memory
        that services and proxies request, alone.
    money
        The bill in whole units of the currency, with bounds at 99 % each; none where nothing was simulated.
    replicas_cents
        Of the bill, the replicas that are planned: what purchases change.
    proof
        The same on fresh seeds; None where that was not asked for.
    """

    choice: Mapping[str, str]
    needed: Mapping[str, int]
    bought: Mapping[str, int]
    probe: Probe
    cents: int
    money: Estimate
    replicas_cents: int
    currency: str
    proof: Verified | None

    @property
    def verified(self) -> bool | None:
        """Whether nothing was surely missed on fresh seeds; None where that was not asked for."""
        return None if self.proof is None else self.proof.passed


@dataclass(frozen=True, slots=True, eq=False)
class Month:
    """One month of a course.

    Attributes
    ----------
    number
        0 is today.
    load
        Factor on today's load.
    planned
        None where nothing that was looked at keeps everything; `why` says so.
    purchases
        Replicas bought since the month before, by service; negative ones are given back.
    spent_cents
        What these replicas add to a month's bill.
    """

    number: int
    load: float
    planned: Planned | None
    why: str
    purchases: Mapping[str, int]
    spent_cents: int


@dataclass(frozen=True, slots=True)
class RunsOut:
    """When today's deployment is not enough any more.

    Attributes
    ----------
    month
        The first whose load it does not carry.
    first
        What is not kept then: what is surely missed first, and of that what is furthest beyond its limit.
    why
        In words, where it is no objective.
    """

    month: int
    first: tuple[Kept, ...]
    why: str


@dataclass(frozen=True, slots=True)
class Carries:
    """How much load today's deployment carries, as factors on today's load.

    Attributes
    ----------
    held
        The largest that was looked at and holds below `broke`; None: not even today's.
    broke
        The smallest that was looked at and does not hold; None: all hold.
    """

    held: float | None
    broke: float | None


@dataclass(frozen=True, slots=True, eq=False)
class Course:
    """One architecture in one scenario.

    Attributes
    ----------
    today
        Replicas of today's deployment; None where there is none, as month 0 has no plan.
    months
        From 0 on.
    runs_out
        None: not within these months.
    """

    architecture: str
    scenario: str
    today: Mapping[str, int] | None
    months: tuple[Month, ...]
    runs_out: RunsOut | None

    @property
    def total_cents(self) -> int | None:
        """The bills of all months after today's; None where one has no plan."""
        bills = [None if one.planned is None else one.planned.cents for one in self.months[1:]]
        return None if any(bill is None for bill in bills) else sum(bill or 0 for bill in bills)


@dataclass(frozen=True, slots=True)
class Crossover:
    """From some load on another architecture is cheaper, or further from its limits.

    Attributes
    ----------
    quantity
        ``cost``: of a plan for each load; ``objective``: share of its limit that the tightest objective of today's
        deployment uses.
    before, after
        The architecture that is better below, and the one above.
    low, high
        Factors on today's load: `before` is better at `low`, `after` at `high`; both were looked at.
    values
        Of `before` and `after` at `high`: cents, or shares; infinite where there is no plan.
    until
        Up to where it stays so: the next crossover of the two, or the largest load.
    is_last
        There is no further crossover of the two.
    """

    quantity: Quantity
    before: str
    after: str
    low: float
    high: float
    values: tuple[float, float]
    until: float
    is_last: bool


@dataclass(frozen=True, slots=True)
class NoCrossover:
    """Two architectures that do not change places.

    Attributes
    ----------
    better
        Of the two, as far as they differ at all; None where they do not.
    """

    quantity: Quantity
    one: str
    other: str
    better: str | None
    until: float


@dataclass(frozen=True, slots=True)
class Fails:
    """How small a deployment fails.

    Attributes
    ----------
    by_fault
        Share of all requests that are beyond their objective while the fault is there, and were not without it.
    """

    by_fault: Mapping[str, Bounds]

    @property
    def worst(self) -> Bounds:
        """Of the worst of them, with bounds whichever that is."""
        values, lows, highs = zip(*self.by_fault.values(), strict=True)
        return Bounds(max(values), max(lows), max(highs))

    @property
    def fault(self) -> str:
        """Name of the worst; of equals the first."""
        return max(self.by_fault, key=lambda name: self.by_fault[name].value)


@dataclass(frozen=True, slots=True)
class AxisCrossover:
    """From some value of the other axis on another architecture is cheaper, faster, or fails smaller.

    Attributes
    ----------
    quantity
        ``cost``: of the plan; ``objective``: share of its limit that the tightest objective of the plan uses;
        ``fails``: share of requests that the worst fault harms.
    before, after
        The architecture that is better up to `low`, and the one from `high` on.
    low, high
        Values, of which those in between (`ties`) cannot be told apart.
    values
        Of `before` and `after` at `high`: cents, or shares; infinite where there is no plan.
    until
        Up to where it stays so.
    is_last
        There is no further crossover of the two.
    ties
        All values at which neither is better.
    """

    quantity: Quantity
    before: str
    after: str
    low: str
    high: str
    values: tuple[Bounds, Bounds]
    until: str
    is_last: bool
    ties: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class NoAxisCrossover:
    """Two architectures that do not change places along the other axis.

    Attributes
    ----------
    better
        Of the two, wherever they can be told apart; None where they nowhere can.
    ties
        Values at which they cannot.
    """

    quantity: Quantity
    one: str
    other: str
    better: str | None
    ties: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class Map:
    """Architectures over load and values of one path, or numbers of copies or of tenants.

    Attributes
    ----------
    path, values
        What varies beside the load.
    loads
        Factors on today's load.
    cents
        By value, load and architecture: the bill of a month; None where there is no plan.
    uses
        The same of the share of its limit that the tightest objective of the plan uses.
    bills
        By value and architecture, at today's load: the bill with its bounds.
    fails
        The same: how small it fails; empty where that was not asked for.
    crossovers, no_crossovers
        Along the values, at today's load.
    requests
        Of all simulations of plans.
    """

    path: str
    values: tuple[str, ...]
    loads: tuple[float, ...]
    cents: Mapping[tuple[str, float], Mapping[str, int | None]]
    uses: Mapping[tuple[str, float], Mapping[str, Bounds | None]]
    bills: Mapping[str, Mapping[str, Bounds | None]]
    fails: Mapping[str, Mapping[str, Fails | None]]
    crossovers: tuple[AxisCrossover, ...]
    no_crossovers: tuple[NoAxisCrossover, ...]
    requests: int

    def table(self, quantity: Quantity) -> dict[str, dict[str, Bounds | None]]:
        """A quantity at today's load, by value and architecture; None where there is no plan."""
        if quantity == "cost":
            return {value: dict(at) for value, at in self.bills.items()}
        if quantity == "objective":
            return {value: dict(self.uses[value, 1.0]) for value in self.values}
        return {
            value: {name: None if one is None else one.worst for name, one in at.items()}
            for value, at in self.fails.items()
        }

    @property
    def quantities(self) -> tuple[Quantity, ...]:
        """What there is to compare."""
        return ("cost", "objective", "fails") if self.fails else ("cost", "objective")

    def best(self, value: str, load: float) -> str | None:
        """The cheapest, of equals the first; None where no architecture has a plan."""
        found = {name: cents for name, cents in self.cents[value, load].items() if cents is not None}
        return min(found, key=lambda name: found[name], default=None)


@dataclass(frozen=True, slots=True, eq=False)
class Forecast:
    """Forecasts for one topology.

    Attributes
    ----------
    rate_per_s
        Requests per second of clients today, at the peak; 0 where all clients are closed loops.
    scenarios
        Factors on today's load by month.
    courses
        By architecture and scenario.
    carries
        How much load today's deployment of each architecture carries.
    today
        What counts as today's deployment: the ``plan`` of month 0, or what is ``written``.
    map
        Where `across` was given.
    """

    name: str
    digest: str
    architectures: tuple[str, ...]
    scenarios: Mapping[str, tuple[float, ...]]
    rate_per_s: float
    today: Today
    courses: Mapping[tuple[str, str], Course]
    carries: Mapping[str, Carries]
    crossovers: tuple[Crossover, ...]
    no_crossovers: tuple[NoCrossover, ...]
    map: Map | None
    loss: Loss
    ceiling: float
    load: float
    seed: int
    engine: str
    most_replicas: int
    currency: str
    requests: int
    notes: tuple[str, ...]
    command: str
    timing: Timing

    @property
    def feasible(self) -> bool:
        """Some architecture has a plan for every month of every scenario."""
        return any(
            all(month.planned is not None for name in self.scenarios for month in self[architecture, name].months)
            for architecture in self.architectures
        )

    @property
    def months(self) -> int:
        """How many follow today's."""
        return len(next(iter(self.scenarios.values()))) - 1

    def __getitem__(self, key: tuple[str, str] | str) -> Course:
        """The course of an architecture, in a scenario or the base."""
        return self.courses[(key, "base") if isinstance(key, str) else key]

    def told_load(self, factor: float) -> str:
        """A load in words: requests per second, or times today's."""
        return f"{factor * self.rate_per_s:,.4g} requests/s" if self.rate_per_s else f"{factor:.3g} x today's load"

    def summary(self) -> str:
        """Text for a terminal."""
        from meshsim.forecasting.report import summary

        return summary(self)

    def to_dict(self) -> dict[str, Any]:
        """For JSON."""
        from meshsim.forecasting.written import to_dict

        return to_dict(self)

    def frame(self) -> pd.DataFrame:
        """A row for each architecture, scenario, month and service; and for each cell of the map."""
        import pandas as pd

        from meshsim.forecasting.written import head, rows

        return pd.DataFrame(rows(self), columns=head(self))

    def plot_runway(self, ax: Axes | None = None, **look: Unpack[Look]) -> Axes:
        """Draw load by month against what today's deployments carry."""
        from meshsim.charts import capacity_runway

        return capacity_runway(self, ax, **look)

    def plot_cost(self, ax: Axes | None = None, **look: Unpack[Look]) -> Axes:
        """Draw the bill by month."""
        from meshsim.charts import cost_by_month

        return cost_by_month(self, ax, **look)

    def plot_crossover(self, ax: Axes | None = None, **look: Unpack[Look]) -> Axes:
        """Draw the bill over load with crossovers, or the map where `across` was given."""
        from meshsim.charts import crossover_map, crossovers

        return crossovers(self, ax, **look) if self.map is None else crossover_map(self, ax, **look)

    def plot_across(self, ax: Axes | None = None, **look: Unpack[Look]) -> Axes:
        """Draw cost, share of the limit and how small it fails over the values of `across`, at today's load."""
        from meshsim.charts import architectures_across

        return architectures_across(self, ax, **look)

    def __repr__(self) -> str:
        return self.summary()
