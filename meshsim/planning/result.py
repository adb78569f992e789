"""What came of planning: a deployment for each architecture, and why it is that one."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

from meshsim.costs.bill import Cents
from meshsim.planning.losses import Loss
from meshsim.planning.probing import Kept, Probe
from meshsim.results.manifest import Timing

if TYPE_CHECKING:
    import pandas as pd

SCHEMA_VERSION = 1


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
    """

    held: float
    broke: float | None
    first: tuple[Kept, ...]

    def to_dict(self) -> dict[str, Any]:
        """For JSON."""
        return {"held": self.held, "broke": self.broke, "first": [one.to_dict() for one in self.first]}


@dataclass(frozen=True, slots=True, eq=False)
class Step:
    """What one replica less, and one more, of one thing does to the plan; None where it was not simulated."""

    name: str
    less: Probe | None
    more: Probe | None


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
    per_hour
        Money an hour for the replicas alone, which the search compares.
    steps
        By service: one replica less and more.
    cheaper
        The dearest deployment that is cheaper and was simulated, which does not hold; None: none was.
    growing
        How far the load can grow, with something lost and with all there.
    odd
        Deployments with one replica more that surely miss: more is not better there.
    probes, requests
        How much was simulated to find it.
    """

    choice: Mapping[str, str]
    needed: Mapping[str, int]
    bought: Mapping[str, int]
    probe: Probe
    full: Probe
    cents: Cents
    currency: str
    per_hour: float
    steps: tuple[Step, ...]
    cheaper: Probe | None
    growing: Growing | None
    growing_full: Growing | None
    odd: tuple[Probe, ...]
    probes: int
    requests: int

    @property
    def tightest(self) -> Kept:
        """The objective that is nearest to being missed; the fullest service where there is none."""
        objectives = [one for one in self.probe.kept if one.quantity != "utilization"] or list(self.probe.kept)
        return min(objectives, key=slack)


def slack(kept: Kept) -> float:
    """How far from the limit, as a share of it: below 0 it is missed."""
    value = kept.estimate.value
    if value is None:
        return float("-inf")
    if kept.quantity == "availability":
        return (value - kept.limit) / max(1.0 - kept.limit, 1e-12)
    return (kept.limit - value) / kept.limit


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
    """

    best: Probe
    why: str
    nearest: tuple[Kept, ...]
    probes: int
    requests: int


@dataclass(frozen=True, slots=True, eq=False)
class Verified:
    """The plan simulated again, on seeds that had no part in choosing it.

    Attributes
    ----------
    seed
        The fresh one.
    passed
        Nothing is missed at 99 %.
    """

    seed: int
    probe: Probe

    @property
    def passed(self) -> bool:
        """Nothing is surely missed."""
        return self.probe.judgement != "missed"


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

    def __getitem__(self, architecture: str) -> Deployment:
        return self.deployments[architecture]

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

    def __repr__(self) -> str:
        return self.summary()
