"""Analyses of canaries, against scipy, simulated canaries, Wald's formulas, the gambler's ruin, and by hand."""

from __future__ import annotations

import math
from collections.abc import Callable

import numpy as np
import pytest
from scipy import stats

from meshsim.control.analysis import FixedTest, Looks, SequentialTest
from meshsim.errors import UsageError

UNLIKELY = 1e-3  # a p-value below this would make us doubt; seeds are fixed, so nothing fails by chance from day to day

SMALL_STEPS = SequentialTest(baseline=0.10, bad=0.12, false_alarm=0.01, miss=0.05)
DOUBLED = SequentialTest(baseline=0.01, bad=0.02, false_alarm=0.05, miss=0.1)

# Steps of log 3 up and down: alarm two failures ahead (ratio 9 >= 1 / 0.12), pass two successes ahead (1/9 <= 0.12).
EVEN = SequentialTest(baseline=0.25, bad=0.75, false_alarm=0.12, miss=0.12)


# One decision


@pytest.mark.parametrize("requests", [2, 17, 500, 20_000, 1_000_000])
@pytest.mark.parametrize("baseline", [0.0, 0.0004, 0.01, 0.3])
def test_fixed_is_a_binomial_tail(requests: int, baseline: float) -> None:
    analysis = FixedTest(requests, baseline, 0.1)
    usual = stats.binom(requests, baseline)
    assert analysis.limit == usual.isf(0.1)
    assert usual.sf(analysis.limit) <= 0.1 < (usual.sf(analysis.limit - 1) if analysis.limit else 1.0)
    assert analysis.false_alarm_rate() == pytest.approx(usual.sf(analysis.limit), rel=1e-9, abs=1e-300)
    for share in (0.0, 0.002, 0.02, 0.5, 1.0):
        tail = stats.binom.sf(analysis.limit, requests, share)
        assert analysis.power(share) == pytest.approx(tail, rel=1e-9, abs=1e-300)


def test_fixed_by_hand() -> None:
    """Of two requests both fail with probability 0.01, one or both with 0.19: only both are rare enough."""
    analysis = FixedTest(2, 0.1, 0.05)
    assert analysis.limit == 1
    assert analysis.false_alarm_rate() == pytest.approx(0.01)
    assert analysis.power(0.5) == pytest.approx(0.25)
    assert [analysis.decide(1, 1), analysis.decide(2, 1), analysis.decide(2, 2)] == ["go on", "pass", "alarm"]


@pytest.mark.parametrize("share", [0.01, 0.015, 0.02])
def test_fixed_on_simulated_canaries(share: float) -> None:
    analysis = FixedTest(requests=2000, baseline=0.01, false_alarm=0.02)
    failures = np.random.default_rng(11).binomial(2000, share, size=20_000)
    alarms = np.mean([analysis.decide(2000, n) == "alarm" for n in failures])
    expected = analysis.power(share)
    assert alarms == pytest.approx(expected, abs=3 * math.sqrt(expected * (1 - expected) / 20_000))
    if share == analysis.baseline:
        assert expected == analysis.false_alarm_rate() <= analysis.false_alarm


def test_fixed_keeps_its_promise_when_requests_come_in_lumps() -> None:
    """Looks every 1 to 400 requests: each canary is decided at another number of requests, of 800 to 1,199."""
    analysis = FixedTest(requests=800, baseline=0.01, false_alarm=0.02)
    rng = np.random.default_rng(12)
    seen, alarms = set(), 0
    for _ in range(10_000):
        requests = failures = 0
        while (decision := analysis.decide(requests, failures)) == "go on":
            lump = int(rng.integers(1, 401))
            requests, failures = requests + lump, failures + int(rng.binomial(lump, 0.01))
        seen.add(requests)
        alarms += decision == "alarm"
    assert min(seen) == 800
    assert max(seen) > 1100
    for requests in seen:
        first_alarm = next(n for n in range(requests) if analysis.decide(requests, n) == "alarm")
        assert stats.binom.sf(first_alarm - 1, requests, 0.01) <= 0.02 < stats.binom.sf(first_alarm - 2, requests, 0.01)
    assert stats.binomtest(alarms, 10_000, 0.02, alternative="greater").pvalue > UNLIKELY
    assert alarms > 50  # it does raise some: the promise is not kept by never alarming


# Sequential


def simulated(
    analysis: SequentialTest, share: float, runs: int, seed: int, look_every: int = 1
) -> tuple[np.ndarray, np.ndarray]:
    """Whether the alarm was raised, and after how many requests it was decided: by the definition, without `decide`."""
    rng = np.random.default_rng(seed)
    per_failure = math.log(analysis.bad / analysis.baseline)
    per_success = math.log((1 - analysis.bad) / (1 - analysis.baseline))
    alarm, ended, log_ratio = np.zeros(runs, bool), np.full(runs, analysis.most), np.zeros(runs)
    undecided, chunk = np.arange(runs), min(40 * look_every, analysis.most)
    assert analysis.most % chunk == 0
    for start in range(0, analysis.most, chunk):
        fails = rng.random((len(undecided), chunk)) < share
        path = log_ratio[undecided, None] + np.cumsum(np.where(fails, per_failure, per_success), axis=1)
        looks = path[:, look_every - 1 :: look_every]
        outside = (looks >= math.log(1 / analysis.false_alarm)) | (looks <= math.log(analysis.miss))
        done, first = outside.any(axis=1), outside.argmax(axis=1)
        ended[undecided[done]] = start + (first[done] + 1) * look_every
        alarm[undecided[done]] = looks[done, first[done]] > 0
        log_ratio[undecided] = path[:, -1]
        undecided = undecided[~done]
        if not len(undecided):
            break
    return alarm, ended


@pytest.mark.parametrize("look_every", [1, 50])
@pytest.mark.parametrize("share", [0.01, 0.014, 0.02, 0.05])
def test_exact_is_what_simulated_canaries_do(share: float, look_every: int) -> None:
    alarm, ended = simulated(DOUBLED, share, 10_000, 21, look_every)
    exact = DOUBLED.exact(share, look_every)
    assert exact.alarm + exact.pass_ == pytest.approx(1.0)
    assert stats.binomtest(int(alarm.sum()), 10_000, exact.alarm).pvalue > UNLIKELY
    assert ended.mean() == pytest.approx(exact.expected_requests, rel=0.02)
    if share == DOUBLED.baseline:
        assert stats.binomtest(int(alarm.sum()), 10_000, 0.05, alternative="greater").pvalue > UNLIKELY


def test_exact_with_an_end() -> None:
    """Most canaries at a share in the middle reach the end of 300 requests undecided, and pass."""
    short = SequentialTest(baseline=0.1, bad=0.12, false_alarm=0.05, miss=0.1, most=300)
    alarm, ended = simulated(short, 0.11, 10_000, 22, look_every=20)
    assert (ended == 300).mean() > 0.5
    exact = short.exact(0.11, look_every=20)
    assert stats.binomtest(int(alarm.sum()), 10_000, exact.alarm).pvalue > UNLIKELY
    assert ended.mean() == pytest.approx(exact.expected_requests, rel=0.02)


@pytest.mark.parametrize("analysis", [SMALL_STEPS, DOUBLED, EVEN])
@pytest.mark.parametrize("look_every", [1, 3, 100])
def test_promises_hold_however_often_one_looks(analysis: SequentialTest, look_every: int) -> None:
    assert analysis.exact(analysis.baseline, look_every).alarm <= analysis.false_alarm
    assert analysis.exact(analysis.bad, look_every).pass_ <= analysis.miss


def test_promises_hold_when_requests_come_in_lumps() -> None:
    """Of 1 to 400 requests, decided by `decide`."""
    rng = np.random.default_rng(23)
    for share, wrong, promised in ((0.01, "alarm", DOUBLED.false_alarm), (0.02, "pass", DOUBLED.miss)):
        count = 0
        for _ in range(4000):
            requests = failures = 0
            while (decision := DOUBLED.decide(requests, failures)) == "go on":
                lump = int(rng.integers(1, 401))
                requests, failures = requests + lump, failures + int(rng.binomial(lump, share))
            count += decision == wrong
        assert stats.binomtest(count, 4000, promised, alternative="greater").pvalue > UNLIKELY
        assert count > 20


@pytest.mark.parametrize("share", [0.0, 0.1, 0.11, 0.12, 0.5, 1.0])
def test_small_steps_are_near_walds_approximation(share: float) -> None:
    """A request moves the ratio by 0.03 or 0.18 between boundaries 7.6 apart: it overshoots them by little.

    Overshooting takes time, so more requests are needed than by his approximation, not fewer.
    """
    exact, wald = SMALL_STEPS.exact(share).expected_requests, SMALL_STEPS.wald_expected_requests(share)
    assert wald <= exact < 1.1 * wald


@pytest.mark.parametrize("analysis", [SMALL_STEPS, DOUBLED])
def test_walds_formulas_at_both_shares(analysis: SequentialTest) -> None:
    """There h is 1 and -1, and errors are a = (1 - B) / (A - B) and b = B (A - 1) / (A - B)."""
    upper, lower = 1 / analysis.false_alarm, analysis.miss
    alarm, miss = (1 - lower) / (upper - lower), lower * (upper - 1) / (upper - lower)
    for share, passes in ((analysis.baseline, 1 - alarm), (analysis.bad, miss)):
        mean_step = share * math.log(analysis.bad / analysis.baseline) + (1 - share) * math.log(
            (1 - analysis.bad) / (1 - analysis.baseline)
        )
        expected = (passes * math.log(lower) + (1 - passes) * math.log(upper)) / mean_step
        assert analysis.wald_expected_requests(share) == pytest.approx(expected, rel=1e-9)


@pytest.mark.parametrize("analysis", [SMALL_STEPS, DOUBLED, SequentialTest(0.0001, 0.5, 0.05, 0.1)])
def test_walds_formulas_go_through_no_drift_without_a_jump(analysis: SequentialTest) -> None:
    up, down = math.log(analysis.bad / analysis.baseline), math.log((1 - analysis.bad) / (1 - analysis.baseline))
    still = -down / (up - down)
    limit = math.log(1 / analysis.false_alarm) * -math.log(analysis.miss) / -(up * down)  # E[z²] = -up × down there
    for apart in (0.0, 1e-12, 1e-9, 1e-8, 1e-7, 1e-6, 1e-5):
        for share in (still * (1 - apart), still * (1 + apart)):
            assert analysis.wald_expected_requests(share) == pytest.approx(limit, rel=20 * apart + 1e-5)


def test_walds_formulas_for_extreme_shares() -> None:
    """Next to none and all the ratio moves in a straight line to a boundary."""
    up, down = math.log(2), math.log(0.98 / 0.99)
    for share in (0.0, 5e-324, 1e-301, 1e-299, 1e-30, 1e-9):
        assert DOUBLED.wald_expected_requests(share) == pytest.approx(math.log(0.1) / down, rel=1e-5)
    for share in (0.5, 1 - 1e-9, 1 - 1e-16, 1.0):
        mean_step = share * up + (1 - share) * down
        assert DOUBLED.wald_expected_requests(share) == pytest.approx(math.log(20) / mean_step, rel=1e-5)


# By hand


@pytest.mark.parametrize("share", [0.0, 0.25, 0.4, 0.5, 0.75, 1.0])
def test_even_steps_are_the_gamblers_ruin(share: float) -> None:
    """Two outcomes alike end it, two unlike lead back: it ends in each pair with probability p² + q²."""
    p, q = share, 1 - share
    exact = EVEN.exact(share)
    assert exact.alarm == pytest.approx(p**2 / (p**2 + q**2), abs=1e-12)
    assert exact.pass_ == pytest.approx(q**2 / (p**2 + q**2), abs=1e-12)
    assert exact.expected_requests == pytest.approx(2 / (p**2 + q**2), rel=1e-12)


def test_even_steps_with_an_end() -> None:
    """At 0.25 with four requests: alarm FF (1/16), or FS or SF (6/16) and then FF; undecided after two: 6/16."""
    exact = SequentialTest(0.25, 0.75, 0.12, 0.12, most=4).exact(0.25)
    assert exact.alarm == pytest.approx(1 / 16 + 6 / 16 * 1 / 16, abs=1e-15)
    assert exact.expected_requests == pytest.approx(2 + 2 * 6 / 16, abs=1e-15)


def test_even_steps_looked_at_every_third_request() -> None:
    """FFF and SSS end it at the first look; otherwise it is one up or one down, and goes on.

    With three requests at most, the alarm is raised by FFF alone; with five there is a second look, after six.
    """
    exact = SequentialTest(0.25, 0.75, 0.12, 0.12, most=3).exact(0.5, look_every=3)
    assert (exact.alarm, exact.expected_requests) == (pytest.approx(1 / 8), 3.0)
    two_looks = SequentialTest(0.25, 0.75, 0.12, 0.12, most=5).exact(0.5, look_every=3)
    assert two_looks.alarm == pytest.approx(1 / 8 + 3 / 8 * 4 / 8 + 3 / 8 * 1 / 8)  # up: two or three F; down: FFF
    assert two_looks.expected_requests == pytest.approx(3 + 3 * 6 / 8)


def test_sequential_decisions_by_hand() -> None:
    assert EVEN.decide(0, 0) == EVEN.decide(1, 1) == EVEN.decide(4, 2) == EVEN.decide(7, 4) == "go on"
    assert EVEN.decide(2, 2) == EVEN.decide(10, 6) == EVEN.decide(100, 99) == "alarm"
    assert EVEN.decide(2, 0) == EVEN.decide(10, 4) == "pass"
    short = SequentialTest(0.25, 0.75, 0.12, 0.12, most=3)
    assert short.decide(3, 2) == "pass"  # worse than not, but no proof: an alarm here could break the promise
    assert short.decide(3, 3) == short.decide(50, 26) == "alarm"
    assert short.decide(50, 25) == "pass"


# One after another


def test_each_next_test_asks_for_more_by_hand() -> None:
    """Steps of log 3: the first one, of 6 % of false alarms, wants a ratio of 17, 3 failures ahead; then of 2 % 4, of
    1 % 5. Each passes two successes ahead, and the next one begins there.
    """
    for passed, ahead in enumerate((3, 4, 5)):
        looks, begins = Looks(EVEN), 2 * passed
        assert [looks.decide(2 * k, 0) for k in range(1, passed + 1)] == ["pass"] * passed
        assert looks.decide(begins + ahead - 1, ahead - 1) == "go on"
        assert looks.decide(begins + ahead, ahead) == "alarm"


def test_all_of_them_together_keep_the_promise() -> None:
    """The gambler's ruin with chance 1/4: ahead by n before being behind by 2, (3^2 - 1) / (3^(n + 2) - 1)."""
    none = 1.0
    for k in range(1, 200):
        n = math.ceil(math.log(k * (k + 1) / EVEN.false_alarm) / math.log(3))
        none *= 1 - 8 / (3.0 ** (n + 2) - 1)
    assert 1 - none <= EVEN.false_alarm
    rng, alarms = np.random.default_rng(24), 0
    for _ in range(1000):
        looks, failures = Looks(EVEN), 0
        for requests, fails in enumerate(rng.random(200) < EVEN.baseline, 1):
            failures += int(fails)
            if looks.decide(requests, failures) == "alarm":
                alarms += 1
                break
    assert stats.binomtest(alarms, 1000, 1 - none).pvalue > UNLIKELY


# Mistakes


@pytest.mark.parametrize(
    ("wrong", "says"),
    [
        (lambda: FixedTest(0, 0.01, 0.05), "requests: 1 or more, not 0"),
        (lambda: FixedTest(10.5, 0.01, 0.05), "requests: a whole number, not 10.5"),
        (lambda: FixedTest(10, 5, 0.05), "baseline: a share from 0 and below 1, not 5; 5 % is 0.05"),
        (lambda: FixedTest(10, "1%", 0.05), "baseline: a number without a unit, not '1%'"),
        (lambda: FixedTest(10, 0.01, 0.0), "false_alarm: a share above 0 and below 1, not 0"),
        (lambda: FixedTest(10, math.nan, 0.05), "baseline: a share from 0 and below 1, not nan"),
        (lambda: FixedTest(3, 0.5, 0.05), "probability 0.12 at the baseline, more than 0.05; wait for 5 requests"),
        (lambda: FixedTest(10, 0.01, 0.05).power(1.5), "share: a share from 0 and to 1, not 1.5; 1.5 % is 0.015"),
        (lambda: FixedTest(10, 0.01, 0.05).decide(3, 4), "4 failures of 3 requests cannot be"),
        (lambda: DOUBLED.decide(3, -1), "-1 failures of 3 requests cannot be"),
        (lambda: SequentialTest(0.02, 0.02, 0.05, 0.1), "0.02 has to be above the baseline 0.02; e.g. bad=0.04"),
        (lambda: SequentialTest(0.8, 0.5, 0.05, 0.1), "0.5 has to be above the baseline 0.8; e.g. bad=0.9"),
        (lambda: SequentialTest(0.0, 0.02, 0.05, 0.1), "baseline: a share above 0 and below 1, not 0"),
        (lambda: SequentialTest(0.01, 1.0, 0.05, 0.1), "bad: a share above 0 and below 1, not 1"),
        (lambda: SequentialTest(0.01, 0.02, 0.05, 0.1, most=0), "most: 1 or more, not 0"),
        (lambda: DOUBLED.exact(-0.1), "share: a share from 0 and to 1, not -0.1"),
        (lambda: DOUBLED.exact(0.01, look_every=0), "look_every: 1 or more, not 0"),
        (lambda: DOUBLED.exact(0.01, look_every=100_001), "look_every: 100000 or less"),
    ],
)
def test_mistakes(wrong: Callable[[], object], says: str) -> None:
    with pytest.raises(UsageError, match=says):
        wrong()
