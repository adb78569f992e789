"""What is exactly at its limit is accepted once in a hundred, however often it is looked at."""

from __future__ import annotations

from collections import Counter
from typing import Any

import numpy as np
import pytest
from scipy.stats import binom
from test_plans_of_queues import queue

import meshsim as ms
from meshsim.model.traffic import Objective
from meshsim.planning.deployment import Counts
from meshsim.planning.probing import Kept, Probe, Prober, Question, level_of_each, looks, probing
from meshsim.results.intervals import Estimate, share
from meshsim.results.quantiles import Counted, independent
from meshsim.settings import settings_of
from meshsim.workers import workers

P = 0.9
CASES = 4_000
BATCHES, REQUESTS = 40, 25  # of a replication, of a batch


@pytest.mark.parametrize(("first", "most"), [(8, 64), (3, 64), (16, 16), (5, 64), (64, 64)])
def test_every_look_has_its_part_of_the_hundredth(first: int, most: int) -> None:
    """The chances of all looks together bound the chance that any of them is wrong (Bonferroni)."""
    replications, seen = first, 1
    while 2 * replications <= most:
        replications, seen = 2 * replications, seen + 1
    assert looks(first, most) == seen
    assert seen * (1.0 - level_of_each(seen)) / 2 == pytest.approx(0.01)


class Drawn(Prober):
    """Draws how many requests are within the limit, the share `P` of them in the mean, where others simulate."""

    bad: float  # share of replications that are worse than P
    worse: float  # by how much; the others are better, so that P is the mean
    rng: np.random.Generator

    def plane(self, counts: Counts) -> Any:
        return None

    def _simulate(self, plane: Any, numbers: range) -> list[Any]:
        better = self.worse * self.bad / (1.0 - self.bad)
        each = np.where(self.rng.random(len(numbers)) < self.bad, P - self.worse, P + better)
        return [self.rng.binomial(REQUESTS, one, size=BATCHES) for one in each]

    def _judged(self, plane: Any, counts: Counts, records: Any) -> Probe:
        hits = np.array(records)
        counted = Counted(np.array([1, 2]), np.stack([hits, REQUESTS - hits], axis=2), np.zeros_like(hits))
        found = share(hits, np.full_like(hits, REQUESTS), level=self.level, independent=independent(counted)).estimate
        assert found.low is not None and found.high is not None
        word = "met" if found.low >= P else ("missed" if found.high < P else "undecided")
        kept = Kept("t", "p90", 0.1, word, Estimate(0.1, 0.09, 0.11, 1, ""), found)
        return Probe(dict(counts), (kept,), "", {}, hits.size * REQUESTS, len(records))


def judged(bad: float, worse: float, level: float | None = None) -> Counter[str]:
    """How many of the cases are judged how, by up to four looks."""
    spec = ms.load(queue(0.4, 0.1))
    settings = settings_of(spec, engine="compiled", seed=1, replications=8, duration_s=1.0, warmup_s=0.0, jobs=1)
    words: Counter[str] = Counter()
    for case in range(CASES):
        prober = Drawn(spec, "none", settings, Question({}, 1.0, 64), lambda *_: None)
        prober.bad, prober.worse, prober.rng = bad, worse, np.random.default_rng(case)
        prober.level = prober.level if level is None else level
        words[prober.probe({"queue": 1}).judgement] += 1
    return words


@pytest.mark.parametrize("worse", [0.0, 0.02])
def test_what_is_exactly_at_its_limit_is_accepted_once_in_a_hundred(worse: float) -> None:
    """Requests are independent, or every other replication is worse. Right bounds fail this once in five hundred."""
    words = judged(0.5, worse)
    for word in ("met", "missed"):
        assert words[word] <= binom.ppf(0.999, CASES, 0.01), word


def test_the_level_of_one_look_would_not_do_for_four() -> None:
    """What would be wrong if the looks did not share the hundredth, so that the test above can fail."""
    assert judged(0.5, 0.0, level=0.98)["met"] > binom.ppf(0.999, CASES, 0.01)


def test_what_is_simulated_is_judged_at_that_level() -> None:
    """The same eight replications: where they are looked at four times at most, their bounds are wider than once."""
    spec = ms.load(queue(0.4, 0.1))
    settings = probing(
        settings_of(spec, engine="compiled", seed=1, replications=8, duration_s=20.0, warmup_s=1.0, jobs=1)
    )
    objectives = {"t": (Objective(quantity="p90", limit=0.1),)}
    with workers(1, "compiled") as submit:
        once, often = (
            Prober(spec, "none", settings, Question(objectives, 1.0, most), submit).probe({"queue": 1})
            for most in (8, 64)
        )
    (one,), (four,) = once.objectives, often.objectives
    assert once.replications == often.replications == 8
    assert one.within is not None and four.within is not None and one.within.value == four.within.value
    assert one.within.low is not None and four.within.low is not None
    assert four.within.low < one.within.low
