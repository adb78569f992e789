"""Bounds that plans decide by, on records made by hand: one end of them is at 99 %, and shared luck counts as such."""

from __future__ import annotations

import numpy as np
import pytest
from queue_records import SPEC, record
from scipy import stats

from meshsim.engines.record import BATCHES, TIMEOUT, UNFINISHED, Record
from meshsim.model.load import load
from meshsim.model.traffic import Objective
from meshsim.planning.probing import Kept, Probe, Prober, Question, probing
from meshsim.results.measured import pool
from meshsim.results.traffic import judge_objective
from meshsim.settings import settings_of
from meshsim.workers import here

DURATION_S = 40.0  # a batch is one second
REPLICATIONS = 8


def replication(each: int, latency_s: float = 0.01, *, slow: int = 0, unfinished: int = 0) -> Record:
    """So many requests in every batch, of which some take twice as long; some at the end are never answered."""
    arrivals_s = (np.arange(BATCHES)[:, None] + (np.arange(each) + 0.5) / each).ravel()
    took_s = np.where(np.arange(arrivals_s.size) % each < slow, 2.0 * latency_s, latency_s)
    lost = np.arange(arrivals_s.size) >= arrivals_s.size - unfinished
    found = record(arrivals_s, took_s, took_s, DURATION_S, lost)
    found.counts[..., UNFINISHED] = found.counts[..., TIMEOUT]
    found.counts[..., TIMEOUT] = 0
    found.histogram_failed[:] = 0
    return found


def judged(records: list[Record], objectives: list[Objective], **stream: str) -> Probe:
    """What a plan would be told of these."""
    spec = load({**SPEC, "traffic": [{**SPEC["traffic"][0], **stream}]})  # type: ignore[index,dict-item]
    settings = settings_of(
        spec, engine="compiled", seed=1, replications=len(records), duration_s=DURATION_S, warmup_s=0.0, jobs=1
    )
    question = Question({"web": tuple(objectives)}, 0.8, len(records))
    prober = Prober(spec, "none", probing(settings), question, here)
    return prober._judged(prober.plane({"shop": 1}), {"shop": 1}, records)


def of(probe: Probe, quantity: str) -> Kept:
    return next(one for one in probe.kept if one.quantity == quantity)


def test_a_mean_has_student_s_bounds_at_99_per_cent_each() -> None:
    """Means of runs that lie as far above as below: 10 ms, give or take up to 4 %."""
    means_s = 0.01 * (1.0 + np.linspace(-0.04, 0.04, REPLICATIONS))
    found = of(
        judged([replication(100, mean) for mean in means_s], [Objective(quantity="mean", limit=0.02)]), "mean"
    ).estimate
    arm = stats.t.ppf(0.99, REPLICATIONS - 1) * stats.sem(means_s)
    assert found.value == pytest.approx(0.01)
    assert found.low == pytest.approx(0.01 - arm, rel=1e-6) and found.high == pytest.approx(0.01 + arm, rel=1e-6)


def test_goodput_has_them_too() -> None:
    each = np.arange(92, 92 + REPLICATIONS) + 0.0
    found = judged([replication(int(n)) for n in each], [Objective(quantity="mean", limit=0.02)]).goodput_per_s
    arm = stats.t.ppf(0.99, REPLICATIONS - 1) * stats.sem(each)
    assert (found.value, found.low, found.high) == pytest.approx((each.mean(), each.mean() - arm, each.mean() + arm))


@pytest.mark.parametrize(("limit", "judgement"), [(0.9994, "met"), (0.9995, "undecided")])
def test_an_availability_without_failures_has_the_exact_bound_at_99_per_cent(limit: float, judgement: str) -> None:
    """0.01 = p^n for n = 8,000 alike requests that could have failed: p = 0.99942; at 95 % it would be 0.99963."""
    records = [replication(25) for _ in range(REPLICATIONS)]
    found = of(judged(records, [Objective(quantity="availability", limit=limit)], patience="9s"), "availability")
    n = REPLICATIONS * BATCHES * 25
    assert found.estimate.value == 1.0
    assert found.estimate.low == pytest.approx(stats.beta.ppf(0.01, n, 1), abs=1e-12)
    assert found.estimate.low == pytest.approx(0.01 ** (1 / n), abs=1e-12)
    assert found.judgement == judgement


def test_a_quantile_is_decided_by_the_share_of_requests_at_99_per_cent() -> None:
    """Of 100 in each batch 2 to 9 are slow, by run: at most 10 % may be."""
    slow = np.array([2, 3, 4, 5, 6, 7, 8, 9])
    found = of(
        judged([replication(100, slow=int(n)) for n in slow], [Objective(quantity="p90", limit=0.015)]), "p90"
    ).within
    arm = stats.t.ppf(0.99, REPLICATIONS - 1) * stats.sem(slow / 100)
    assert found is not None
    assert (found.value, found.low, found.high) == pytest.approx((0.945, 0.945 - arm, 0.945 + arm))


def test_what_cannot_fail_but_is_not_finished_is_not_certain() -> None:
    """Nothing on the way can fail, and yet a fortieth was not answered when the run ended."""
    objective = [Objective(quantity="availability", limit=0.99)]
    finished = of(judged([replication(40) for _ in range(REPLICATIONS)], objective), "availability")
    assert (finished.estimate.low, finished.judgement) == (1.0, "met")
    found = of(judged([replication(40, unfinished=40) for _ in range(REPLICATIONS)], objective), "availability")
    assert found.estimate.value == pytest.approx(1.0 - 1.0 / BATCHES)
    assert found.estimate.low is not None and found.estimate.low <= found.estimate.value
    assert found.judgement == "missed"


def test_runs_that_share_their_luck_promise_little_of_availability() -> None:
    """In every other run a fifth is slow: worth p (1 - p) / (s² / R) = 135 requests, with s² = 0.01 R / (R - 1)."""
    runs, objective = 16, Objective(quantity="availability", limit=0.999)
    records = [replication(20, slow=4 * (number % 2)) for number in range(runs)]
    found = judge_objective(pool(records, 0), [0], objective)
    worth = 0.09 / (0.01 / (runs - 1))
    assert found.estimate.low == pytest.approx(stats.beta.ppf(0.025, worth, 1))
    assert found.judgement == "undecided"
    alike = judge_objective(pool([replication(20)] * runs, 0), [0], objective)
    assert alike.estimate.low == pytest.approx(0.025 ** (1 / (runs * BATCHES * 20)))
    assert alike.judgement == "met"
