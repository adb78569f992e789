"""What a plan is worth where uncertain inputs ``{low, mid, high}`` are not at mid, and what would be safe in all cases.

Each input goes to its low and to its high value alone, then all together. Between these nothing is looked at: where
more of one input is better here and worse there, the worst may lie inside.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Final, TypeAlias

from meshsim.costs.lines import HOURS_PER_MONTH
from meshsim.costs.money import whole_cents
from meshsim.errors import UsageError
from meshsim.model.load import with_inputs
from meshsim.model.read.keys import OF_EVENTS
from meshsim.model.read.uncertain import PICKS, Pick
from meshsim.model.topology import Topology
from meshsim.planning.planner import Planner, cheapest
from meshsim.planning.probing import slack
from meshsim.planning.result import Deployment, Infeasible, Safe, Scenario

MOST_ALONE: Final = 8  # inputs that are varied alone; more make a plan take hours (assumed)
_MOST_SLACK: Final = 10.0  # limits missed by more than ten times themselves are all as bad

Inputs: TypeAlias = Mapping[str, tuple[str, str, str]]
Picks: TypeAlias = Mapping[str, Pick]

#: Planners of one architecture, one for each choice, with some inputs at low or high.
Planning: TypeAlias = Callable[[Picks], Sequence[Planner]]


def inputs_of(spec: Topology, variants: Sequence[Topology]) -> tuple[Inputs, tuple[str, ...]]:
    """Uncertain inputs that a plan may hang on; and why there are none, where they cannot be varied.

    What a choice replaces in all of its variants is not uncertain.
    """
    found = {
        path: texts
        for path, texts in spec.uncertain.items()
        if path.partition(".")[0] not in OF_EVENTS and any(path in one.uncertain for one in variants)
    }
    if found:
        try:
            with_inputs(spec, {})
        except UsageError as error:
            return {}, (f"uncertain inputs are at mid alone: {error}",)
    return found, ()


def most_cases(inputs: Inputs) -> int:
    """How many scenarios there are at most."""
    return 2 * min(len(inputs), MOST_ALONE) + 2 * (len(inputs) > 1)


@dataclass(slots=True)
class Study:
    """The plan of one architecture in other cases.

    Attributes
    ----------
    mid
        The plan that is judged.
    base
        The planners that found it.
    inputs
        What is uncertain.
    planning
        Gives planners for other cases.
    screen
        As of `meshsim.plan`.
    """

    mid: Deployment
    base: Sequence[Planner]
    inputs: Inputs
    planning: Planning
    screen: bool
    notes: tuple[str, ...] = ()
    _cases: list[tuple[Scenario, Sequence[Planner]]] = field(default_factory=list)

    def run(self, told: Callable[[int], None]) -> tuple[tuple[Scenario, ...], Safe | None]:
        """Plan every case, and find the cheapest of the plans that holds in all of them.

        `told` is told how much is done, of which the plan for mid is 1 and every case of `most_cases` another 1.
        """
        for done, (name, picks) in enumerate(self._named(), start=1):
            told(done)
            planners = self.planning(picks)
            self._cases.append((self._scenario(name, picks, planners), planners))
        return tuple(scenario for scenario, _ in self._cases), self._safe()

    # -- which ones ------------------------------------------------------------------------------------------------

    def _named(self) -> Iterator[tuple[str, Picks]]:
        alone = self._alone()
        ends: tuple[Pick, ...] = ("low", "high")
        for path in alone:
            for end in ends:
                if self._moves(path, end):
                    yield f"{path}={self._text(path, end)}", {path: end}
        if len(self.inputs) > 1:
            for end in ends:
                picks: dict[str, Pick] = {path: end for path in self.inputs if self._moves(path, end)}
                if len(picks) > 1 or not set(picks) <= set(alone):
                    yield f"all {end}", picks

    def _text(self, path: str, end: Pick) -> str:
        return self.inputs[path][PICKS.index(end)]

    def _moves(self, path: str, end: Pick) -> bool:
        return self._text(path, end) != self._text(path, "mid")

    def _alone(self) -> list[str]:
        """Inputs that are varied alone, in the order of the topology; of many, those that matter most by estimates."""
        if len(self.inputs) <= MOST_ALONE:
            return list(self.inputs)
        ranked = sorted(self.inputs, key=self._matters, reverse=True)
        left_out = ", ".join(sorted(ranked[MOST_ALONE:]))
        self.notes = (
            f"{len(self.inputs)} inputs are uncertain: the {MOST_ALONE} that matter most by estimates are varied "
            f"alone, the others only with all: {left_out}",
        )
        return [path for path in self.inputs if path in ranked[:MOST_ALONE]]

    def _matters(self, path: str) -> float:
        """How far an input moves the plan's objectives and utilizations between its ends, by an estimate."""
        low, high = (self._slacks({path: end}) for end in ("low", "high"))
        return sum(abs(low[key] - high[key]) for key in low.keys() & high.keys())

    def _slacks(self, picks: Picks) -> dict[tuple[str, str], float]:
        probe = self._of_mid(self.planning(picks)).estimator().probe(self.mid.needed)
        return {(one.whose, one.quantity): max(-_MOST_SLACK, slack(one)) for one in probe.kept}

    # -- one case --------------------------------------------------------------------------------------------------

    def _of_mid(self, planners: Sequence[Planner]) -> Planner:
        return next(one for one in planners if dict(one.choice) == dict(self.mid.choice))

    def _scenario(self, name: str, picks: Picks, planners: Sequence[Planner]) -> Scenario:
        there = self._of_mid(planners)
        probe, money = there.judge.probe(self.mid.needed), there.bought_money(self.mid.needed)
        own = cheapest(planners, lambda planner: planner.search(screen=self.screen))
        if probe.holds and (isinstance(own, Infeasible) or money <= own[0].bought_money(own[1])):
            own = there, dict(self.mid.needed)  # nothing cheaper was found
        changes = {path: self._text(path, end) for path, end in picks.items()}
        requests = sum(one.judge.requests for one in planners)
        if isinstance(own, Infeasible):
            return Scenario(name, changes, probe, None, None, None, None, None, own.why, self.mid.currency, requests)
        planner, needed = own
        own_money = planner.bought_money(needed)
        return Scenario(
            name=name,
            changes=changes,
            probe=probe,
            choice=dict(planner.choice),
            needed=needed,
            bought=planner.bought(needed),
            cost=_month(own_money),
            regret=_month(money - own_money) if probe.holds else None,
            why="",
            currency=self.mid.currency,
            requests=requests,
        )

    # -- all cases -------------------------------------------------------------------------------------------------

    def _safe(self) -> Safe | None:
        """The cheapest of the plans that were found, or what has the most of each, that holds in every case."""
        if any(scenario.needed is None for scenario, _ in self._cases):
            return None
        money, planner, needed = next(filter(self._holds_everywhere, self._candidates()), (0.0, None, None))
        if planner is None or needed is None:
            return None
        mid = self._of_mid(self.base).bought_money(self.mid.needed)
        return Safe(
            choice=dict(planner.choice),
            needed=needed,
            bought=planner.bought(needed),
            cost=_month(money),
            mid_cost=_month(mid),
            more=_month(money - mid),
            currency=self.mid.currency,
        )

    def _candidates(self) -> list[tuple[float, Planner, dict[str, int]]]:
        """Plans that were found, by their price at mid."""
        found = []
        for planner in self.base:
            plans = [dict(self.mid.needed)] if dict(planner.choice) == dict(self.mid.choice) else []
            for scenario, _ in self._cases:
                if scenario.needed is not None and dict(scenario.choice or {}) == dict(planner.choice):
                    plans.append(dict(scenario.needed))
            if plans:
                plans.append({name: max(one[name] for one in plans) for name in plans[0]})
            found += [(planner.bought_money(one), planner, one) for one in plans]
        return sorted(found, key=lambda one: one[0])

    def _holds_everywhere(self, candidate: tuple[float, Planner, dict[str, int]]) -> bool:
        _, base, needed = candidate
        hardest_first = sorted(self._cases, key=lambda case: case[0].cost or 0, reverse=True)
        planners = [next(p for p in several if p.choice == base.choice) for _, several in hardest_first]
        return all(planner.judge.probe(needed).holds for planner in (*planners, base))


def _month(per_hour: float) -> int:
    """Cents a month."""
    return whole_cents(per_hour * HOURS_PER_MONTH)
