"""Plans of one architecture for any load, each found once; and what today's deployment does at it."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

from meshsim.architectures import lower
from meshsim.costs.book import PriceBook
from meshsim.costs.lines import GIB, HOURS_PER_MONTH
from meshsim.costs.money import whole_cents
from meshsim.costs.study import tariff_of
from meshsim.engines import EngineName
from meshsim.forecasting.result import Bounds, Planned
from meshsim.model.topology import Topology
from meshsim.planning.asked import duration_asked
from meshsim.planning.deployment import deployed
from meshsim.planning.peak import at_peak
from meshsim.planning.planner import Asked, Planner, cheapest, verified_on_fresh_seeds
from meshsim.planning.probing import Probe, probing
from meshsim.planning.result import Infeasible
from meshsim.settings import Settings, settings_of
from meshsim.workers import Submit

Choice = Mapping[str, str]


@dataclass(frozen=True, slots=True)
class Method:
    """How plans are found.

    Attributes
    ----------
    simulates
        Deployments are simulated; otherwise estimated.
    """

    simulates: bool
    engine: EngineName
    seed: int | None
    duration_s: float | None
    warmup_s: float | None
    jobs: int
    screen: bool
    verify: bool
    prices: str | Path | PriceBook | None


class Desk:
    """Plans one architecture."""

    def __init__(
        self,
        specs: Sequence[tuple[Choice, Topology]],
        written: Topology,
        architecture: str,
        asked: Asked,
        method: Method,
        submit: Submit,
    ) -> None:
        self.specs = specs
        self.written = written
        self.architecture = architecture
        self.asked = asked
        self.method = method
        self.submit = submit
        self.plans: dict[float, Planned | Infeasible] = {}
        self._planners: dict[tuple[str, float], Planner] = {}
        self._needed: dict[str, dict[float, Mapping[str, int]]] = {}

    @property
    def requests(self) -> int:
        """Of all simulations so far."""
        return sum(planner.judge.requests for planner in self._planners.values())

    @property
    def notes(self) -> tuple[str, ...]:
        """What an estimate does not know of."""
        return tuple(dict.fromkeys(note for planner in self._planners.values() for note in planner.notes))

    def planner(self, choice: Choice | None, load: float) -> Planner:
        """Whoever plans, and judges, for this load; with choice None the topology is as it is written."""
        key = ("written" if choice is None else str(dict(choice))), load
        if key not in self._planners:
            spec = self.written if choice is None else next(one for given, one in self.specs if given == choice)
            spec, _ = at_peak(spec, self.asked.load * load)
            tariff = tariff_of(spec, self.method.prices, None)
            self._planners[key] = Planner(
                spec,
                self.architecture,
                choice or {},
                self.asked,
                tariff,
                self._settings(spec),
                self.submit,
                simulates=self.method.simulates,
            )
        return self._planners[key]

    def _settings(self, spec: Topology) -> Settings:
        duration_s = self.method.duration_s
        if duration_s is None:
            duration_s = duration_asked(spec, self.asked.question.objectives, [self.architecture], self.method.warmup_s)
        return probing(
            settings_of(
                spec,
                engine=self.method.engine,
                seed=self.method.seed,
                replications=self.asked.replications,
                duration_s=duration_s,
                warmup_s=self.method.warmup_s,
                jobs=self.method.jobs,
            )
        )

    def plan(self, load: float) -> Planned | Infeasible:
        """The cheapest deployment for this load."""
        if load not in self.plans:
            self.plans[load] = self._plan(load)
        return self.plans[load]

    def _plan(self, load: float) -> Planned | Infeasible:
        below = max((one for one in self.plans if one < load), default=None)
        last = None if below is None else self.plans[below]
        if isinstance(last, Planned):
            planner = self.planner(last.choice, load)
            if planner.guesses.holds(last.needed):  # what was cheapest for less is still
                return self._planned(planner, dict(last.needed))
        found = cheapest([self.planner(choice, load) for choice, _ in self.specs], lambda one: self._search(one, load))
        return found if isinstance(found, Infeasible) else self._planned(*found)

    def _search(self, planner: Planner, load: float) -> dict[str, int] | Infeasible:
        """Begun where the nearest load ended, if one was planned with this choice."""
        known = self._needed.setdefault(str(dict(planner.choice)), {})
        nearest = max((one for one in known if one < load), default=min(known, default=None))
        if nearest is None:
            found = planner.search(screen=self.method.screen)
        else:
            found = planner.resumed(known[nearest], grew=load > nearest)
        if not isinstance(found, Infeasible):
            known[load] = found
        return found

    def bill(self, load: float) -> Bounds | None:
        """The bill of the plan with its bounds, from replications; without width where nothing is simulated."""
        planned = self.plan(load)
        if isinstance(planned, Infeasible):
            return None
        low, high = (planned.cents if end is None else end * 100 for end in (planned.money.low, planned.money.high))
        return Bounds(planned.cents, low, high)

    def _planned(self, planner: Planner, needed: dict[str, int]) -> Planned:
        zones = len(planner.spec.nodes.zones)
        bought = {name: self.asked.loss.bought(count, zones) for name, count in needed.items()}
        cents, currency, money = planner.bill(bought)
        total = cents.total if self.method.simulates else requested_cents(planner, bought)
        probe = planner.judge.probe(needed)
        proof = None
        if self.method.verify:
            proof = verified_on_fresh_seeds(
                planner.spec, self.architecture, probe, self.asked, planner.settings, self.submit
            )
        return Planned(
            choice=dict(planner.choice),
            needed=needed,
            bought=bought,
            probe=probe,
            cents=total,
            money=money,
            replicas_cents=replicas_cents(planner, bought),
            currency=currency,
            proof=proof,
        )


def requested_cents(planner: Planner, bought: Mapping[str, int]) -> int:
    """A month of all cores and memory that services and proxies request, those that are not planned, too."""
    plane, tariff = lower(deployed(planner.spec, bought), planner.architecture), planner.tariff
    cores = math.fsum(replica.cores_requested for service in plane.services for replica in service.replicas)
    gib = math.fsum(service.memory_bytes * len(service.replicas) for service in plane.services) / GIB
    money = cores * tariff.unit_price(("cpu",)) + gib * tariff.unit_price(("memory",))
    return whole_cents(money * HOURS_PER_MONTH)


def replicas_cents(planner: Planner, bought: Mapping[str, int]) -> int:
    """A month of the replicas alone."""
    money = math.fsum(part.per_hour * bought[part.name] for part in planner.parts)
    return whole_cents(money * HOURS_PER_MONTH)


class Standing:
    """A deployment that stays as it is today while the load grows.

    Attributes
    ----------
    bought
        Replicas that there are.
    left
        Of them, when something is lost; None if nothing is left of some service.
    """

    def __init__(self, desk: Desk, choice: Choice | None, bought: Mapping[str, int]) -> None:
        self.desk = desk
        self.choice = choice
        self.bought = bought
        zones = len(desk.written.nodes.zones)
        left = {name: desk.asked.loss.left(count, zones) for name, count in bought.items()}
        self.gone = [name for name, count in left.items() if count < 1]
        self.left = None if self.gone else left
        self.found: dict[float, Probe] = {}

    @property
    def why(self) -> str:
        """What is wrong with it at any load."""
        return f"with {self.desk.asked.loss.told} nothing is left of {', '.join(self.gone[:3])}" if self.gone else ""

    def probe(self, load: float) -> Probe | None:
        """What it does at a load; None where nothing is left."""
        if self.left is None:
            return None
        if load not in self.found:
            self.found[load] = self.desk.planner(self.choice, load).judge.probe(self.left)
        return self.found[load]

    def holds(self, load: float) -> bool:
        """Everything is kept."""
        probe = self.probe(load)
        return probe is not None and probe.holds

    def kept(self, load: float) -> Probe | None:
        """What it does at a load; None where something is surely missed, at this load or at a smaller one."""
        if any(one <= load and probe.judgement == "missed" for one, probe in self.found.items()):
            return None
        probe = self.probe(load)
        return None if probe is None or probe.judgement == "missed" else probe
