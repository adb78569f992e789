"""Plans of one architecture: the search, and then what its result is worth and why nothing cheaper will do."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Final

from meshsim.analytic.result import APPROXIMATE
from meshsim.architectures import lower
from meshsim.costs.analysis import Analysis, analyse
from meshsim.costs.bill import Cents, Tariff
from meshsim.costs.lines import HOURS_PER_MONTH, Buying
from meshsim.costs.money import whole_cents
from meshsim.costs.split import over_replications
from meshsim.model.topology import Topology
from meshsim.planning.deployment import Part, deployed, parts_of
from meshsim.planning.estimating import Estimator
from meshsim.planning.growing import grown
from meshsim.planning.guesses import Guesses
from meshsim.planning.losses import Loss
from meshsim.planning.peak import at_peak
from meshsim.planning.probing import LEVEL, Judge, Probe, Prober, Question
from meshsim.planning.rare import too_short
from meshsim.planning.result import Deployment, Infeasible, Step, Verified
from meshsim.planning.search import Search
from meshsim.results.intervals import Estimate
from meshsim.settings import Settings
from meshsim.simulate import run
from meshsim.workers import Submit

_BEYOND_DOUBT: Final = 1.2  # times the most replicas (assumed): more caches may take some load off
_FRESH: Final = 7_919  # added to the seed, for a plan that is proven again
_VERIFYING: Final = 16  # replications at least of that
_BILLED: Final = 4  # replications of a bill (assumed): what traffic adds to it hardly scatters


@dataclass(frozen=True, slots=True)
class Asked:
    """What every plan is asked for.

    Attributes
    ----------
    question
        What has to be kept.
    load
        Factor on the load of the topology.
    loss
        With what less.
    most
        Replicas of each service.
    replications
        Of a deployment at first.
    """

    question: Question
    load: float
    loss: Loss
    most: int
    replications: int


class Planner:
    """Plans one architecture with one choice."""

    def __init__(
        self,
        spec: Topology,
        architecture: str,
        choice: Mapping[str, str],
        asked: Asked,
        tariff: Tariff,
        settings: Settings,
        submit: Submit,
        *,
        simulates: bool,
    ) -> None:
        self.spec = spec
        self.architecture = architecture
        self.choice = choice
        self.asked = asked
        self.tariff = tariff
        self.settings = settings
        self.submit = submit
        self.simulates = simulates
        self.parts = parts_of(spec, lower(spec, architecture), tariff)
        self.judge = self._judge_of(spec)
        self.guesses = self._guesses(self.judge)

    @property
    def notes(self) -> tuple[str, ...]:
        """What an estimate does not know of."""
        if not isinstance(self.judge, Estimator):
            return ()
        return ("nothing was simulated: docs/analytic.md says how far estimates are off", *self.judge.notes)

    def _guesses(self, judge: Judge) -> Guesses:
        return Guesses(judge, self.parts, self.asked.question.ceiling, self.bought)

    def _judge_of(self, spec: Topology) -> Judge:
        if self.simulates:
            return Prober(spec, self.architecture, self.settings, self.asked.question, self.submit)
        return self._estimator_of(spec)

    def _estimator_of(self, spec: Topology) -> Estimator:
        return Estimator(spec, self.architecture, self.asked.question, self.parts)

    def estimator(self) -> Estimator:
        """Judge deployments by estimates alone."""
        return self._estimator_of(self.spec)

    @property
    def least_money(self) -> float:
        """What no deployment with this choice is cheaper than: one replica of everything."""
        return self._money(dict.fromkeys((part.name for part in self.parts), 1))

    def search(self, *, screen: bool) -> dict[str, int] | Infeasible:
        """The fewest replicas that are needed."""
        names = [part.name for part in self.parts]
        start = {part.name: min(part.written, self.asked.most) for part in self.parts}
        if hopeless := self._hopeless(start):
            return hopeless
        first = self.judge.probe(start)
        if why := self._too_short(first):
            return Infeasible(first, why, (), 1, self.judge.requests, is_too_short=True)
        self.guesses.learn(first)
        floors = dict.fromkeys(names, 1)
        if screen:
            floors = {name: self.guesses.floor(name) for name in names}
            start = self._screened() or {name: self.guesses.start(name) for name in names}
        return self._found(self._cheapest_from(self._cheapest_held(start), floors))

    def _hopeless(self, start: Mapping[str, int]) -> Infeasible | None:
        """Said without simulating, which would take long: far more is asked for than the most replicas can do."""
        estimator = self.estimator()
        if estimator.is_blind:
            return None
        probe, guesses = estimator.probe(start), self._guesses(estimator)
        guesses.learn(probe)
        fewest = {part.name: guesses.floor(part.name) for part in self.parts}
        name, count = max(fewest.items(), key=lambda item: item[1], default=("", 0))
        if count <= _BEYOND_DOUBT * self.asked.most:
            return None
        why = f"with {self.asked.most} replicas at most: {name} alone needs about {count:,}; raise --max-replicas"
        return Infeasible(probe, why, (), 0, 0)

    def _too_short(self, probe: Probe) -> str:
        """Said before more is simulated: no deployment has more requests, unless clients wait for their answers."""
        is_closed = any(stream.arrivals.kind == "closed" for stream in self.spec.traffic)
        if is_closed or not isinstance(self.judge, Prober):
            return ""
        return too_short(probe, self.judge.level, self.asked.question.most_replications, self.settings)

    def _cheapest_from(self, start: Mapping[str, int], floors: Mapping[str, int]) -> dict[str, int] | None:
        """Search, and again from what else was found to hold on the way as long as that is cheaper.

        Floors are of the load that was seen before, which caches and closed loops change: the last search has those of
        the load at what was found.
        """
        while True:
            floors = {name: min(floor, start[name]) for name, floor in floors.items()}
            found = self._search(self.guesses, floors, start)
            if found is None:
                return None
            best = self._cheapest_held(found)
            self.guesses.learn(self.judge.probe(best))
            lower = {name: min(floor, self.guesses.floor(name)) for name, floor in floors.items()}
            if best == found and lower == floors:
                return best
            start, floors = best, lower

    def _search(self, guesses: Guesses, floors: Mapping[str, int], start: Mapping[str, int]) -> dict[str, int] | None:
        return Search(self.parts, guesses, self.asked.most, floors, self.bought_money).run(start)

    def _cheapest_held(self, counts: Mapping[str, int]) -> dict[str, int]:
        """What was found to hold and is cheaper than a deployment; that deployment itself if there is nothing."""
        limit = self.bought_money(counts) * (1 - 1e-9)
        found = sorted(
            (dict(probe.counts) for probe in self.judge.found.values() if probe.holds), key=self.bought_money
        )
        cheaper = (one for one in found if self.bought_money(one) < limit and self.guesses.holds(one))
        return next(cheaper, dict(counts))

    def _screened(self) -> dict[str, int] | None:
        """What the search finds where nothing is simulated; None where estimates know nothing of the load."""
        if not self.simulates:
            return None
        estimator = self.estimator()
        if estimator.is_blind:
            return None
        guesses = self._guesses(estimator)
        names = [part.name for part in self.parts]
        guesses.learn(estimator.probe({name: self.guesses.start(name) for name in names}))
        start = {name: guesses.start(name) for name in names}
        return self._search(guesses, {name: guesses.floor(name) for name in names}, start)

    def resumed(self, last: Mapping[str, int], *, grew: bool) -> dict[str, int] | Infeasible:
        """The same, begun at the plan for another load; what holds when the load grew is the plan still: one probe."""
        probe = self.judge.probe(last)
        self.guesses.learn(probe)
        if grew and self.guesses.holds(last):
            return dict(last)
        floors = {part.name: self.guesses.floor(part.name) for part in self.parts}
        return self._found(self._cheapest_from(last, floors))

    def _found(self, counts: dict[str, int] | None) -> dict[str, int] | Infeasible:
        """A plan without anything that could be planned, {}, is one."""
        return self._infeasible() if counts is None else counts

    def _infeasible(self) -> Infeasible:
        found = list(self.judge.found.values())
        held = [probe for probe in found if probe.holds]
        largest = max(found, key=lambda probe: sum(probe.counts.values()))
        counts = self.bought(held[0].counts) if held else largest.counts
        best = self.judge.bounded(counts)
        full = [name for name, count in counts.items() if count >= self.asked.most]
        broken = [one for one in best.broken if one.quantity != "utilization"]
        why = best.unstable or (f"with {self.asked.most} replicas of {', '.join(full[:3])}" if full else "")
        if held:
            why = f"that holds both with {self.asked.loss.told} and with all replicas there"
        is_too_short = bool(broken) and all(one.judgement == "undecided" for one in broken)
        return Infeasible(best, why, tuple(broken), len(found), self.judge.requests, is_too_short)

    def deployment(self, needed: dict[str, int], growth: bool) -> Deployment:
        """Find out what a plan is worth, and why nothing cheaper will do."""
        probe, bought = self.judge.probe(needed), self.bought(needed)
        steps = tuple(self._step(needed, part) for part in self.parts)
        full = self.judge.probe(bought)
        cents, currency, money = self.bill(bought)
        per_hour = sum(part.per_hour * bought[part.name] for part in self.parts)
        again = self._growing if growth else None
        return Deployment(
            choice=dict(self.choice),
            needed=needed,
            bought=bought,
            probe=probe,
            full=full,
            cents=cents,
            currency=currency,
            money=money,
            per_hour=per_hour,
            steps=steps,
            cheaper=self._cheaper(needed),
            growing=None if again is None else grown(again(needed), probe),
            growing_full=grown(again(bought), full) if again is not None and full.holds else None,
            probes=len(self.judge.found),
            requests=self.judge.requests,
            looked=tuple(one.light for one in self.judge.found.values()),
            prices={part.name: part.per_hour for part in self.parts},
            versions={part.name: part.versions for part in self.parts if part.versions},
        )

    def bill(self, bought: Mapping[str, int]) -> tuple[Cents, str, Estimate]:
        """The bill of a month at this load, its currency, and the sum with bounds at 99 % each, over replications.

        Of what was not simulated it is for the replicas alone.
        """
        if not self.simulates:
            total = whole_cents(self._money(bought) * HOURS_PER_MONTH)
            rows = [self.tariff.book.rows[key] for key in ("cpu", "memory")]
            approximate = Estimate(total / 100, None, None, 0, APPROXIMATE)
            return Cents({"replicas": total}, {}), rows[0].price.currency, approximate
        found = self._analysed(bought)
        each = [split.bill.per_hour * HOURS_PER_MONTH for split in found.each]
        money = over_replications(found.cents.total / 100, each, LEVEL)
        return found.cents, self.tariff.currency(found.mean.bill.lines), money

    def _analysed(self, bought: Mapping[str, int]) -> Analysis:
        spec = deployed(self.spec, bought)
        result = run(
            spec,
            self.architecture,
            engine=self.settings.engine,
            seed=self.settings.seed,
            replications=_BILLED,
            duration_s=self.settings.duration_s,
            warmup_s=self.settings.warmup_s,
            quiet=True,
        )
        return analyse(spec, result, self.tariff, Buying(), "proportional")

    def _step(self, needed: Mapping[str, int], part: Part) -> Step:
        count = needed[part.name]
        less = {**needed, part.name: count - 1} if count > 1 else None
        more = {**needed, part.name: count + 1} if count < self.asked.most else None
        return Step(
            part.name,
            None if less is None else self.judge.probe(less),
            None if more is None else self.judge.probe(more),
            self._surely_missed(needed, part.name),
        )

    def _surely_missed(self, needed: Mapping[str, int], name: str) -> Probe | None:
        """The nearest below the plan that surely misses, as far as is known or a glance shows."""
        fewer = ({**needed, name: count} for count in range(needed[name] - 1, 0, -1))
        return next((probe for probe in map(self.judge.glance, fewer) if probe.judgement == "missed"), None)

    def _cheaper(self, needed: Mapping[str, int]) -> Probe | None:
        """The dearest that was simulated of what is cheaper than the plan."""
        limit = self.bought_money(needed) * (1 - 1e-9)
        found = [probe for probe in self.judge.found.values() if self.bought_money(probe.counts) < limit]
        return max(found, key=lambda probe: self.bought_money(probe.counts), default=None)

    def bought(self, needed: Mapping[str, int]) -> dict[str, int]:
        """Replicas to buy so that as many are left when something is lost."""
        zones = len(self.spec.nodes.zones)
        return {name: self.asked.loss.bought(count, zones) for name, count in needed.items()}

    def bought_money(self, needed: Mapping[str, int]) -> float:
        """Money an hour for what is bought."""
        return self._money(self.bought(needed))

    def _money(self, counts: Mapping[str, int]) -> float:
        return sum(part.per_hour * counts[part.name] for part in self.parts)

    def _growing(self, counts: Mapping[str, int]) -> Callable[[float], Probe]:
        """Simulate the same deployment at another load."""

        def at(factor: float) -> Probe:
            return self._judge_of(at_peak(self.spec, factor)[0]).probe(counts)

        return at


def cheapest(
    planners: Sequence[Planner], search: Callable[[Planner], dict[str, int] | Infeasible]
) -> tuple[Planner, dict[str, int]] | Infeasible:
    """The choice whose deployment is cheapest; what cannot be cheaper than one that was found is not looked at."""
    best: tuple[Planner, dict[str, int]] | None = None
    nothing: Infeasible | None = None
    for planner in sorted(planners, key=lambda one: one.least_money):
        if best is not None and planner.least_money >= best[0].bought_money(best[1]):
            continue
        found = search(planner)
        if isinstance(found, Infeasible):
            nothing = nothing or found
        elif best is None or planner.bought_money(found) < best[0].bought_money(best[1]):
            best = planner, found
    if best is not None:
        return best
    assert nothing is not None, "there is one choice at least"
    return nothing


def verified_on_fresh_seeds(
    spec: Topology, architecture: str, one: Probe, asked: Asked, settings: Settings, submit: Submit
) -> Verified:
    """The plan once more, on fresh seeds, for as long as it was looked at."""
    fresh = replace(settings, seed=settings.seed + _FRESH, replications=max(one.replications, _VERIFYING))
    question = replace(asked.question, most_replications=fresh.replications)
    prober = Prober(spec, architecture, fresh, question, submit)
    zones = len(spec.nodes.zones)
    whole = {name: asked.loss.bought(count, zones) for name, count in one.counts.items()}
    return Verified(fresh.seed, prober.probe(one.counts), prober.glance(whole))
