"""What came of planning: a deployment for each architecture, and why it is that one."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, Unpack

from meshsim.costs.bill import Cents
from meshsim.planning.losses import Loss
from meshsim.planning.probing import Kept, Probe, slack
from meshsim.results.comparison import found_under
from meshsim.results.intervals import Estimate
from meshsim.results.manifest import Timing
from meshsim.results.traffic import Judgement

if TYPE_CHECKING:
    import pandas as pd
    from matplotlib.axes import Axes

    from meshsim.charts.style import Look

SCHEMA_VERSION = 1


@dataclass(frozen=True, slots=True)
class Grown:
    """A deployment at another load.

    Attributes
    ----------
    factor
        On the peak load.
    judgement
        Of all that it was judged by.
    objectives
        What it was judged by but for utilizations; those where there is nothing else.
    unstable
        Why requests piled up; empty if they did not.
    goodput_per_s, offered_per_s
        Requests that were answered, and that arrived.
    """

    factor: float
    judgement: Judgement
    objectives: tuple[Kept, ...]
    unstable: str
    goodput_per_s: Estimate
    offered_per_s: float

    @property
    def tightest(self) -> Kept:
        """The objective that is nearest to being missed."""
        return min(self.objectives, key=slack)

    def to_dict(self) -> dict[str, Any]:
        """For JSON."""
        return {
            "factor": self.factor,
            "judgement": self.judgement,
            "unstable": self.unstable,
            "tightest": self.tightest.to_dict(),
            "goodput_per_s": self.goodput_per_s.to_dict(),
            "offered_per_s": self.offered_per_s,
        }


@dataclass(frozen=True, slots=True)
class Growing:
    """How far the load can grow before something breaks.

    Attributes
    ----------
    held, broke
        Factors on the peak load, both simulated: the last at which everything was kept, and the first at which
        something was not; `broke` None: nothing up to the largest that was looked at.
    first
        What was not kept then, worst first.
    looked
        All loads that were looked at, smallest first.
    """

    held: float
    broke: float | None
    first: tuple[Kept, ...]
    looked: tuple[Grown, ...] = ()

    def to_dict(self) -> dict[str, Any]:
        """For JSON."""
        return {
            "held": self.held,
            "broke": self.broke,
            "first": [one.to_dict() for one in self.first],
            "looked": [one.to_dict() for one in self.looked],
        }


@dataclass(frozen=True, slots=True, eq=False)
class Step:
    """What one replica less, and one more, of one thing does to the plan.

    Attributes
    ----------
    name
        Of the service, gateway or waypoint.
    less, more
        One replica less, and one more; None where there is no such deployment.
    missed
        The most replicas below those of the plan with which something is surely missed: one less, if that is shown.
        Between these and the plan it is undecided what holds. Fewer than one less get the first replications alone;
        None: by these nothing is surely missed down to one replica.
    """

    name: str
    less: Probe | None
    more: Probe | None
    missed: Probe | None = None


@dataclass(frozen=True, slots=True, eq=False)
class Deployment:
    """A deployment that was proven by simulation.

    Attributes
    ----------
    choice
        What else was chosen, by dotted path.
    needed, bought
        Replicas by service (and ``gateway``, ``waypoint``): those that keep everything, and those to buy so that as
        many are left when something is lost.
    probe
        The simulation of what is needed.
    full
        That of all that is bought.
    cents
        The bill of a month of all that is bought, at this load.
    money
        Its sum in whole units of the currency, with bounds at 99 % each over replications.
    per_hour
        Money an hour for the replicas alone, which the search compares.
    steps
        By service: one replica less and more.
    cheaper
        The dearest deployment that is cheaper and was simulated, which does not hold; None: none was.
    growing
        How far the load can grow, with something lost and with all there.
    probes, requests
        How much was simulated to find it.
    looked
        Everything that was looked at with this choice, in that order; without utilizations that are kept.
    prices
        Money an hour for one replica, by service.
    versions
        Replicas of each version that count as one in all of these numbers, by service with several versions.
    """

    choice: Mapping[str, str]
    needed: Mapping[str, int]
    bought: Mapping[str, int]
    probe: Probe
    full: Probe
    cents: Cents
    currency: str
    money: Estimate
    per_hour: float
    steps: tuple[Step, ...]
    cheaper: Probe | None
    growing: Growing | None
    growing_full: Growing | None
    probes: int
    requests: int
    looked: tuple[Probe, ...] = ()
    prices: Mapping[str, float] = field(default_factory=dict)
    versions: Mapping[str, Mapping[str, int]] = field(default_factory=dict)

    @property
    def replicas(self) -> int:
        """Of everything that is planned, as it is bought."""
        return sum(count * (sum(self.versions.get(name, {}).values()) or 1) for name, count in self.bought.items())

    @property
    def odd(self) -> tuple[Probe, ...]:
        """Deployments with one replica more of something that surely miss: more is not better there."""
        return tuple(step.more for step in self.steps if step.more is not None and step.more.judgement == "missed")

    @property
    def tightest(self) -> Kept:
        """The objective that is nearest to being missed; the fullest service where there is none."""
        return min(self.probe.objectives, key=slack)


@dataclass(frozen=True, slots=True, eq=False)
class Infeasible:
    """Nothing that was looked at holds.

    Attributes
    ----------
    best
        The largest deployment that was simulated.
    why
        In words.
    nearest
        Objectives that it would keep: limits at the bound of what was measured.
    is_too_short
        Nothing is surely missed: more would have to be simulated to show what is kept.
    """

    best: Probe
    why: str
    nearest: tuple[Kept, ...]
    probes: int
    requests: int
    is_too_short: bool = False


@dataclass(frozen=True, slots=True, eq=False)
class Verified:
    """The plan simulated again, on seeds that had no part in choosing it.

    Attributes
    ----------
    seed
        The fresh one.
    probe, full
        What is up with something lost, and all that is bought.
    passed
        Nothing is missed at 99 % by either.
    """

    seed: int
    probe: Probe
    full: Probe

    @property
    def passed(self) -> bool:
        """Nothing is surely missed: of utilizations, whose points decide while a plan is sought, not even these."""
        return self.missed is None

    @property
    def missed(self) -> Probe | None:
        """Which of the two surely misses something."""
        return next((one for one in (self.probe, self.full) if _misses(one)), None)

    @property
    def judgement(self) -> Judgement:
        """``met`` where everything is surely kept, ``missed`` where something surely is not."""
        if not self.passed:
            return "missed"
        return "met" if self.probe.holds and self.full.holds else "undecided"

    @property
    def worse(self) -> Probe:
        """Which of the two the judgement is about."""
        return self.missed or next((one for one in (self.probe, self.full) if not one.holds), self.probe)


def _known(end: float | None, of: Estimate) -> float:
    """An end of an interval; the point of what has none."""
    return (of.value or 0.0) if end is None else end


def _misses(probe: Probe) -> bool:
    return bool(probe.unstable) or any(map(_is_surely_missed, probe.kept))


def _is_surely_missed(kept: Kept) -> bool:
    is_open = kept.quantity == "utilization" and kept.estimate.low is not None and kept.estimate.low <= kept.limit
    return kept.judgement == "missed" and not is_open


@dataclass(frozen=True, slots=True, eq=False)
class Scenario:
    """The plan where uncertain inputs are at their low or high values, beside what would be planned for that.

    Attributes
    ----------
    name, changes
        What is otherwise than in the middle: in a word, and values by dotted path.
    probe
        The plan (that of the middle) there.
    choice, needed, bought
        The cheapest deployment for that case; None: none that was looked at holds there, and `why` says more.
    cost
        Cents a month for the replicas of that.
    regret
        Cents a month that the plan costs more there, for replicas; None where it does not hold.
    requests
        How many were simulated for it.
    """

    name: str
    changes: Mapping[str, str]
    probe: Probe
    choice: Mapping[str, str] | None
    needed: Mapping[str, int] | None
    bought: Mapping[str, int] | None
    cost: int | None
    regret: int | None
    why: str
    currency: str
    requests: int

    @property
    def holds(self) -> bool:
        """The plan keeps everything there, too."""
        return self.probe.holds

    @property
    def broken(self) -> tuple[Kept, ...]:
        """What it does not surely keep, what is surely missed first."""
        return self.probe.broken


@dataclass(frozen=True, slots=True, eq=False)
class Safe:
    """The cheapest deployment that was found to hold in the middle and in every scenario.

    Attributes
    ----------
    choice, needed, bought
        As of a `Deployment`.
    cost, mid_cost, more
        Cents a month for its replicas and for those of the plan, at the prices of the middle, and the difference.
    """

    choice: Mapping[str, str]
    needed: Mapping[str, int]
    bought: Mapping[str, int]
    cost: int
    mid_cost: int
    more: int
    currency: str


@dataclass(frozen=True, slots=True, eq=False)
class Plan:
    """Plans for one topology.

    Attributes
    ----------
    deployments, infeasible
        By architecture; each is in one of them.
    verified
        By architecture, where that was asked for.
    loss, ceiling, load
        What was asked for.
    notes
        What was taken otherwise than the topology says.
    uncertain
        Low, mid and high of the inputs that were varied, by dotted path.
    scenarios
        By architecture that there is a plan for: that plan where they are not at mid.
    safe
        By architecture: what holds in all scenarios; absent where nothing was found that does.
    """

    name: str
    digest: str
    architectures: tuple[str, ...]
    deployments: Mapping[str, Deployment]
    infeasible: Mapping[str, Infeasible]
    verified: Mapping[str, Verified]
    loss: Loss
    ceiling: float
    load: float
    seed: int
    engine: str
    duration_s: float
    most_replicas: int
    notes: tuple[str, ...]
    command: str
    timing: Timing
    uncertain: Mapping[str, tuple[str, str, str]] = field(default_factory=dict)
    scenarios: Mapping[str, tuple[Scenario, ...]] = field(default_factory=dict)
    safe: Mapping[str, Safe] = field(default_factory=dict)

    @property
    def feasible(self) -> bool:
        """Some architecture keeps everything."""
        return bool(self.deployments)

    @property
    def best(self) -> str | None:
        """The cheapest architecture, by its bill; None if none keeps everything."""
        return min(self.deployments, key=lambda name: self.deployments[name].cents.total, default=None)

    @property
    def cheapest(self) -> tuple[str, ...]:
        """The cheapest, then those whose bills cannot be told apart from its own by their bounds; maybe nobody."""
        best = self.best
        if best is None:
            return ()
        high = _known(self[best].money.high, self[best].money)
        others = ((name, one.money) for name, one in self.deployments.items() if name != best)
        return (best, *(name for name, money in others if _known(money.low, money) <= high))

    def __getitem__(self, architecture: str) -> Deployment:
        return found_under(architecture, self.deployments)

    def summary(self) -> str:
        """Text for a terminal."""
        from meshsim.planning.report import summary

        return summary(self)

    def to_dict(self) -> dict[str, Any]:
        """For JSON."""
        from meshsim.planning.written import to_dict

        return to_dict(self)

    def frame(self) -> pd.DataFrame:
        """A row for each architecture and service: replicas needed and bought."""
        import pandas as pd

        from meshsim.planning.written import HEAD, rows

        return pd.DataFrame(rows(self), columns=list(HEAD))

    def plot_tornado(self, ax: Axes | None = None, *, architecture: str | None = None, **look: Unpack[Look]) -> Axes:
        """Draw what one replica less and more of each service does; see `meshsim.charts.plan_tornado`."""
        from meshsim import charts

        return charts.plan_tornado(self, ax, architecture=architecture, **look)

    def plot_headroom(self, ax: Axes | None = None, **look: Unpack[Look]) -> Axes:
        """Draw how far the load can grow; see `meshsim.charts.plan_headroom`."""
        from meshsim import charts

        return charts.plan_headroom(self, ax, **look)

    def plot_pareto(self, ax: Axes | None = None, **look: Unpack[Look]) -> Axes:
        """Draw cost against the tightest objective; see `meshsim.charts.plan_pareto`."""
        from meshsim import charts

        return charts.plan_pareto(self, ax, **look)

    def plot_load(self, ax: Axes | None = None, *, architecture: str | None = None, **look: Unpack[Look]) -> Axes:
        """Draw the tightest objective and goodput against load; see `meshsim.charts.plan_load`."""
        from meshsim import charts

        return charts.plan_load(self, ax, architecture=architecture, **look)

    def plot_feasible(self, ax: Axes | None = None, *, architecture: str | None = None, **look: Unpack[Look]) -> Axes:
        """Draw which replicas of two services hold; see `meshsim.charts.plan_feasible`."""
        from meshsim import charts

        return charts.plan_feasible(self, ax, architecture=architecture, **look)

    def __repr__(self) -> str:
        return self.summary()
