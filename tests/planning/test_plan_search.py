"""The search with oracles made by hand beside all deployments that there are, and what held on the way to it."""

from __future__ import annotations

import itertools
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Any

import pytest
from test_plan_evidence import cached
from test_plans_of_queues import queue

import meshsim as ms
from meshsim.costs.study import tariff_of
from meshsim.planning import report
from meshsim.planning.deployment import Counts
from meshsim.planning.planner import Planner
from meshsim.planning.probing import Kept, Load, Probe, probing
from meshsim.planning.result import Step
from meshsim.planning.search import Search
from meshsim.planning.study import asked_of
from meshsim.results.intervals import Estimate
from meshsim.settings import settings_of
from meshsim.workers import here

MOST = 8


@dataclass(frozen=True)
class Part:
    name: str
    per_hour: float


@dataclass
class ByHand:
    """Holds where a rule says so; one more of anything is guessed to help, the less the more there are."""

    rule: Callable[[int, int], bool]
    asked: list[dict[str, int]] = field(default_factory=list)

    def holds(self, counts: Mapping[str, int]) -> bool:
        self.asked.append(dict(counts))
        return self.rule(counts["a"], counts["b"])

    def slack(self, counts: Mapping[str, int]) -> float:
        return float(self.rule(counts["a"], counts["b"]))

    def harm(self, counts: Mapping[str, int], name: str, change: int) -> float:
        return 1.0 / (counts[name] + change) - 1.0 / counts[name] if counts[name] + change else 1.0

    def needed(self, counts: Mapping[str, int]) -> Mapping[str, int]:
        return {}


def found(oracle: ByHand, prices: tuple[float, float], start: tuple[int, int]) -> tuple[int, int] | None:
    parts = [Part("a", prices[0]), Part("b", prices[1])]
    money = lambda counts: counts["a"] * prices[0] + counts["b"] * prices[1]  # noqa: E731
    counts = Search(parts, oracle, MOST, {"a": 1, "b": 1}, money).run({"a": start[0], "b": start[1]})
    assert counts is None or counts in oracle.asked, "only what was asked about is accepted"
    return None if counts is None else (counts["a"], counts["b"])


def cheapest_of_all(oracle: ByHand, prices: tuple[float, float]) -> tuple[int, int]:
    every = itertools.product(range(1, MOST + 1), repeat=2)
    return min((one for one in every if oracle.rule(*one)), key=lambda one: one[0] * prices[0] + one[1] * prices[1])


@pytest.mark.parametrize(
    ("rule", "prices"),
    [
        (lambda a, b: (a >= 3 and b >= 3) or (a >= 4 and b >= 1), (1.0, 1.0)),  # one more for two
        (lambda a, b: (a >= 3 and b >= 3) or (a >= 4 and b >= 2), (1.0, 3.0)),  # one more for a dearer one
        (lambda a, b: a + 2 * b >= 9 and b >= 2, (1.0, 1.5)),
    ],
)
def test_an_optimum_that_needs_an_exchange(rule: Callable[[int, int], bool], prices: tuple[float, float]) -> None:
    """With one less of either the start does not hold any more; more of one allows less of the other."""
    oracle = ByHand(rule)
    assert oracle.rule(3, 3) and not oracle.rule(2, 3) and not oracle.rule(3, 2)
    best = cheapest_of_all(oracle, prices)
    assert best != (3, 3)
    assert found(oracle, prices, (3, 3)) == best


@pytest.mark.parametrize("start", [(1, 1), (2, 7), (8, 8), (5, 3)])
def test_where_each_needs_its_own_the_start_does_not_matter(start: tuple[int, int]) -> None:
    assert found(ByHand(lambda a, b: a >= 4 and b >= 2), (1.0, 2.0), start) == (4, 2)


def test_nothing_holds() -> None:
    assert found(ByHand(lambda a, b: False), (1.0, 1.0), (2, 2)) is None


def test_in_the_end_one_less_is_tried_of_each_again() -> None:
    """Two a do not hold with 3 b, so that nothing is taken of a; they hold with 2, where the search ends otherwise."""
    oracle = ByHand(lambda a, b: (a >= 3 and b >= 2) or (a == 2 and b == 2))
    assert found(oracle, (1.0, 0.3), (3, 3)) == (2, 2)


def test_a_plan_tells_that_one_more_is_worse() -> None:
    """One cache hits 10 of 11 requests; of two, each sees half of them and hits 5 of 6, where 85 % are wanted."""
    case = cached()
    case["tenants"]["t"]["slo"] = {"p85": "40ms"}
    found = ms.plan(case, ["none"], lose=0, growth=False, quiet=True)
    assert found["none"].needed == {"front": 1}
    (one,) = found["none"].odd
    assert (one.counts, one.judgement) == ({"front": 2}, "missed")
    (objective,) = one.objectives
    assert objective.within is not None and objective.within.value == pytest.approx(5 / 6, abs=0.01)


class Judged:
    """Stands for simulations: page and store are told to be as busy as is said, and hold where a rule says so."""

    requests = 0

    def __init__(self, cores: float, rule: Callable[[int, int], bool]) -> None:
        self.loads = {name: Load(1.0, cores, 1, 1.0) for name in ("page", "store")}
        self.rule = rule
        self.found: dict[tuple[tuple[str, int], ...], Probe] = {}

    def probe(self, counts: Counts) -> Probe:
        why = "" if self.rule(counts["page"], counts["store"]) else "requests pile up"
        return self.found.setdefault(tuple(sorted(counts.items())), Probe(dict(counts), (), why, self.loads, 0, 2))

    glance = bounded = probe


def test_the_written_deployment_is_the_plan_where_it_holds_and_is_cheapest() -> None:
    """1 and 4 hold, and otherwise 4 of both: guesses begin at 5 of both, from where no exchange leads there."""
    case = queue(0.4, 0.1)
    work = case["services"].pop("queue")
    page = {**work, "endpoints": {"get": [{"work": "1ms"}, {"call": "store.get"}]}}
    case["services"] = {"page": {**page, "replicas": 1}, "store": {**work, "replicas": 4}}
    case["traffic"][0]["entry"] = "page.get"
    spec = ms.load(case)
    settings = settings_of(spec, engine="compiled", seed=1, replications=2, duration_s=5.0, warmup_s=0.0, jobs=1)
    asked = asked_of(spec, (), 1.0, 0, 1.0, MOST, 2)
    planner = Planner(spec, "none", {}, asked, tariff_of(spec, None, None), probing(settings), here, simulates=False)
    planner.judge = Judged(2.5, lambda page, store: (page, store) == (1, 4) or min(page, store) >= 4)
    planner.guesses = planner._guesses(planner.judge)
    assert planner.search(screen=True) == {"page": 1, "store": 4}
    assert planner._cheapest_held({"page": 4, "store": 4}) == {"page": 1, "store": 4}
    assert planner._cheapest_held({"page": 1, "store": 4}) == {"page": 1, "store": 4}
    assert planner._cheapest_held({"page": 1, "store": 1}) == {"page": 1, "store": 1}


def test_a_search_ends_where_less_needed_is_more_bought() -> None:
    """A page for a store saves a tenth of what is needed; of three zones 6 and 3 are bought, or 5 and 5."""
    case = queue(0.4, 0.1)
    work = case["services"].pop("queue")
    page = {**work, "endpoints": {"get": [{"work": "1ms"}, {"call": "store.get"}]}}
    case["services"] = {"page": {**page, "replicas": 4}, "store": {**work, "cpu": 0.9, "replicas": 2}}
    case["traffic"][0]["entry"] = "page.get"
    case["nodes"] = {"zones": ["a", "b", "c"]}
    spec = ms.load(case)
    settings = settings_of(spec, engine="compiled", seed=1, replications=2, duration_s=5.0, warmup_s=0.0, jobs=1)
    asked = asked_of(spec, (), 1.0, "zone", 1.0, MOST, 2)
    planner = Planner(spec, "none", {}, asked, tariff_of(spec, None, None), probing(settings), here, simulates=False)
    planner.judge = Judged(1.5, lambda page, store: (page >= 4 and store >= 2) or (page >= 3 and store >= 3))
    planner.guesses = planner._guesses(planner.judge)
    assert [planner.bought(counts) for counts in ({"page": 4, "store": 2}, {"page": 3, "store": 3})] == [
        {"page": 6, "store": 3},
        {"page": 5, "store": 5},
    ]
    assert planner.search(screen=False) == {"page": 4, "store": 2}
    cheaper = planner._cheaper({"page": 4, "store": 2})
    assert cheaper is None or planner.bought_money(cheaper.counts) < planner.bought_money({"page": 4, "store": 2})


class Words(Judged):
    """Says of so many stores what it is told to say, and by a first look what it is told for that."""

    def __init__(self, words: Mapping[int, str], first: Mapping[int, str] | None = None) -> None:
        super().__init__(1.0, lambda page, store: True)
        self.words, self.first = words, words if first is None else first

    def _said(self, counts: Counts, words: Mapping[int, str]) -> Probe:
        word: Any = words[counts["store"]]
        kept = Kept("t", "p90", 0.1, word, Estimate(0.1, 0.05, 0.2, 9, ""))
        return Probe(dict(counts), (kept,), "", self.loads, 0, 2)

    def probe(self, counts: Counts) -> Probe:
        return self.found.setdefault(tuple(sorted(counts.items())), self._said(counts, self.words))

    def glance(self, counts: Counts) -> Probe:
        return self.found.get(tuple(sorted(counts.items()))) or self._said(counts, self.first)


def stepped(judge: Words) -> Step:
    """Of a plan with five stores, of eight at most."""
    case = queue(0.4, 0.1)
    work = case["services"].pop("queue")
    case["services"] = {"page": {**work, "endpoints": {"get": [{"call": "store.get"}]}}, "store": work}
    case["traffic"][0]["entry"] = "page.get"
    spec = ms.load(case)
    settings = settings_of(spec, engine="compiled", seed=1, replications=2, duration_s=5.0, warmup_s=0.0, jobs=1)
    asked = asked_of(spec, (), 1.0, 0, 1.0, 8, 2)
    planner = Planner(spec, "none", {}, asked, tariff_of(spec, None, None), probing(settings), here, simulates=False)
    planner.judge = judge
    (part,) = (part for part in planner.parts if part.name == "store")
    return planner._step({"page": 1, "store": 5}, part)


def test_where_one_less_is_open_fewer_are_looked_at_until_something_is_missed() -> None:
    step = stepped(Words({6: "met", 4: "undecided", 3: "undecided", 2: "missed", 1: "missed"}))
    assert step.less is not None and (step.less.counts["store"], step.less.judgement) == (4, "undecided")
    assert step.more is not None and (step.more.counts["store"], step.more.judgement) == (6, "met")
    assert step.missed is not None and step.missed.counts["store"] == 2
    assert report._less(step).endswith("; with 2 left: t: p90 100 ms")


def test_one_less_that_is_missed_is_the_nearest() -> None:
    step = stepped(Words({6: "met", 4: "missed", 3: "missed", 2: "missed", 1: "missed"}))
    assert step.missed is not None and step.missed is step.less
    assert report._less(step) == "t: p90 100 ms"


def test_one_less_and_one_more_are_proven_and_not_only_looked_at() -> None:
    """By a first look both are open."""
    step = stepped(Words({6: "met", 4: "missed"}, first=dict.fromkeys(range(1, 9), "undecided")))
    assert [one and one.judgement for one in (step.less, step.more)] == ["missed", "met"]


def test_where_nothing_is_surely_missed_that_is_said() -> None:
    step = stepped(Words({6: "undecided", **dict.fromkeys(range(1, 5), "undecided")}))
    assert step.missed is None
    assert report._less(step).endswith("; by a first look fewer do not surely miss either")
