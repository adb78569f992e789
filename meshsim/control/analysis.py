"""Automatic analysis of a canary: whether the share of failed requests is the usual one, or a worse one.

Two ways to decide, both with a promised probability of a false alarm:

- `FixedTest` waits for a number of requests and decides once.
- `SequentialTest` decides as soon as it can: A. Wald, "Sequential Analysis" (1947), the sequential probability
  ratio test. It needs fewer requests in the mean, and may be looked at as often as one likes.

Neither holds any state. A control process gives the requests and failures since the canary began, at every look; the
first answer other than "go on" is the decision. `Looks` is one that goes on looking for as long as a step bakes.
Requests are taken to fail independently of each other, and looks not to wait for particular outcomes.

Rollouts only ask for decisions. What tells how good they are (`FixedTest.false_alarm_rate` and `power`,
`SequentialTest.exact` and `wald_expected_requests`) is for whoever sizes a canary before it goes out.
"""

from __future__ import annotations

import math
from dataclasses import dataclass, replace
from functools import lru_cache
from typing import Any, Final, Literal

import numpy as np
import numpy.typing as npt

from meshsim.errors import UsageError
from meshsim.numbers import real_number, whole_number

Decision = Literal["go on", "pass", "alarm"]
Floats = npt.NDArray[np.float64]

DEFAULT_MOST: Final = 100_000  # requests without a decision, then it passes (assumed)
_NOTHING: Final = 1e-15  # a canary that is undecided with less probability than this counts as passed
_TINY: Final = 1e-300  # a share below is none: its inverse would overflow
_NO_DRIFT: Final = 1e-6  # exponents nearer to 0 than this: Wald's formulas divide 0 by 0, their limit is used


@dataclass(frozen=True)
class FixedTest:
    """One decision after a number of requests: the alarm is raised if more than `limit` of them failed.

    Attributes
    ----------
    requests
        How many to wait for.
    baseline
        Share of requests that fail when nothing is wrong.
    false_alarm
        Highest acceptable probability of an alarm when nothing is wrong.

    Raises
    ------
    UsageError
        A value is out of range, or no alarm could ever be raised: `requests` failures of as many are not rare enough.

    Examples
    --------
    >>> analysis = FixedTest(requests=1000, baseline=0.01, false_alarm=0.05)
    >>> analysis.limit
    15
    >>> round(analysis.false_alarm_rate(), 4), round(analysis.power(0.02), 4)
    (0.0479, 0.8461)
    >>> analysis.decide(600, 16), analysis.decide(1000, 16), analysis.decide(1000, 15)
    ('go on', 'alarm', 'pass')
    """

    requests: int
    baseline: float
    false_alarm: float

    def __post_init__(self) -> None:
        object.__setattr__(self, "requests", _at_least_one(self.requests, "requests"))
        _set_share(self, "baseline", low=True)
        _set_share(self, "false_alarm")
        if self.baseline**self.requests > self.false_alarm:
            enough = math.ceil(math.log(self.false_alarm) / math.log(self.baseline))
            raise UsageError(
                f"{self.requests} requests can never raise an alarm: even if all fail, that happens with probability "
                f"{self.baseline**self.requests:.2g} at the baseline, more than {self.false_alarm:g}; "
                f"wait for {enough} requests or more"
            )

    @property
    def limit(self) -> int:
        """Most failures that pass: the fewest that are exceeded with probability `false_alarm` at most."""
        return _limit(self.requests, self.baseline, self.false_alarm)

    def false_alarm_rate(self) -> float:
        """Probability of an alarm at the baseline; below `false_alarm`, for failures are counted in whole numbers."""
        return self.power(self.baseline)

    def power(self, share: float) -> float:
        """Probability of an alarm when this share of requests fails."""
        return _exceeds(self.limit, self.requests, _share(share, "share", low=True, high=True))

    def decide(self, requests: int, failures: int) -> Decision:
        """What to do after so many requests, of which so many failed, both counted from the beginning.

        A process that looks now and then misses the request that completes the number, and which of those that it sees
        came first. It decides at the first look with enough requests, on all that it sees then, against the limit for
        that number. A false alarm is no likelier for it, since that limit keeps the same promise.
        """
        requests, failures = _counts(requests, failures)
        if requests < self.requests:
            return "go on"
        return "alarm" if failures > _limit(requests, self.baseline, self.false_alarm) else "pass"


@dataclass(frozen=True, slots=True)
class Characteristic:
    """What a sequential analysis does when a given share of requests fails.

    Attributes
    ----------
    alarm, pass_
        Probability of either decision.
    expected_requests
        Mean number of requests until then.
    """

    alarm: float
    pass_: float
    expected_requests: float


@dataclass(frozen=True)
class SequentialTest:
    """Wald's sequential probability ratio test of a bad share of failures against the usual one.

    The likelihood ratio says how much likelier the outcomes so far are at the bad share than at the baseline.

    - Alarm when it reaches ``1 / false_alarm``. At the baseline it is a martingale with mean 1, so by Ville's
      inequality (J. Ville, "Étude critique de la notion de collectif", 1939) it ever does so with probability
      `false_alarm` at most. That is exact, whatever the number of looks.
    - Pass when it falls to `miss`. At the bad share its reciprocal is such a martingale, so this happens with
      probability `miss` at most. (Wald's boundaries, (1 - miss) / false_alarm and miss / (1 - false_alarm), hardly
      differ; each error alone may then be larger than asked for by a factor 1 / (1 - the other).)
    - Pass after `most` requests without either: an alarm then would break the first promise. A bad canary that passes
      this way is missed beyond `miss`; `exact` counts it.

    Attributes
    ----------
    baseline
        Share of requests that fail when nothing is wrong.
    bad
        Share that should raise the alarm.
    false_alarm
        Highest acceptable probability of an alarm at the baseline.
    miss
        Highest acceptable probability to pass at the bad share before `most` requests.
    most
        Requests after which an undecided canary passes.

    Raises
    ------
    UsageError
        A value is out of range, or the bad share is not above the baseline.

    Examples
    --------
    >>> analysis = SequentialTest(baseline=0.01, bad=0.02, false_alarm=0.05, miss=0.1)
    >>> analysis.decide(100, 2), analysis.decide(300, 0), analysis.decide(100, 7)
    ('go on', 'pass', 'alarm')
    >>> usual, worse = analysis.exact(0.01), analysis.exact(0.02)
    >>> round(usual.alarm, 4), round(worse.pass_, 4)
    (0.0358, 0.0959)
    >>> round(usual.expected_requests), round(worse.expected_requests)
    (676, 692)
    >>> round(analysis.wald_expected_requests(0.01)), round(analysis.wald_expected_requests(0.02))
    (661, 636)
    """

    baseline: float
    bad: float
    false_alarm: float
    miss: float
    most: int = DEFAULT_MOST

    def __post_init__(self) -> None:
        for name in ("baseline", "bad", "false_alarm", "miss"):
            _set_share(self, name)
        object.__setattr__(self, "most", _at_least_one(self.most, "most"))
        if self.bad <= self.baseline:
            raise UsageError(
                f"the bad share {self.bad:g} has to be above the baseline {self.baseline:g}; "
                f"e.g. bad={min(2 * self.baseline, (1 + self.baseline) / 2):g}"
            )

    @property
    def lower(self) -> float:
        """Logarithm of the likelihood ratio at which the canary passes."""
        return math.log(self.miss)

    @property
    def upper(self) -> float:
        """Logarithm of the likelihood ratio at which the alarm is raised."""
        return -math.log(self.false_alarm)

    @property
    def steps(self) -> tuple[float, float]:
        """What a failure and what a success add to the logarithm of the likelihood ratio."""
        return math.log(self.bad / self.baseline), math.log1p(-self.bad) - math.log1p(-self.baseline)

    def decide(self, requests: int, failures: int) -> Decision:
        """What to do after so many requests, of which so many failed, both counted from the beginning.

        Looks may be as far apart as one likes: the likelihood ratio seen at them is a martingale still, so both
        promises hold; decisions come a little later.
        """
        requests, failures = _counts(requests, failures)
        up, down = self.steps
        log_ratio = failures * up + (requests - failures) * down
        if log_ratio >= self.upper:
            return "alarm"
        return "pass" if log_ratio <= self.lower or requests >= self.most else "go on"

    def exact(self, share: float, look_every: int = 1) -> Characteristic:
        """Probabilities of the decisions and mean number of requests when this share of requests fails.

        The distribution of failures among undecided canaries is followed from look to look; rounding aside it is exact.
        Looks go on until less than 1e-15 of the canaries are undecided; these count as passed.

        Parameters
        ----------
        share
            Probability that a request fails.
        look_every
            Requests between two looks. The last one is the first with `most` requests or more.
        """
        share = _share(share, "share", low=True, high=True)
        look_every = _at_least_one(look_every, "look_every")
        if look_every > self.most:
            raise UsageError(f"look_every: {self.most} or less, after which the analysis ends; not {look_every}")
        more = _binomial(look_every, share)
        up, down = self.steps
        undecided, fewest = np.ones(1), 0  # undecided[i]: probability of fewest + i failures so far, and no decision
        left, alarm, expected = 1.0, 0.0, 0.0
        for requests in range(look_every, self.most + look_every, look_every):
            expected += look_every * left
            undecided = np.convolve(undecided, more)
            failures = np.arange(fewest, fewest + len(undecided))
            log_ratio = failures * up + (requests - failures) * down
            first, end = np.searchsorted(log_ratio, self.lower, "right"), np.searchsorted(log_ratio, self.upper, "left")
            alarm += float(undecided[end:].sum())
            undecided, fewest = undecided[first:end], fewest + int(first)
            left = float(undecided.sum())
            if left < _NOTHING:
                break
        return Characteristic(alarm, 1.0 - alarm, expected)

    def wald_expected_requests(self, share: float) -> float:
        """Wald's approximation of the mean number of requests, which takes the ratio to end right at a boundary.

        "Sequential Analysis" (1947), chapter 3. If Z is the logarithm of the ratio and a request adds z to it, the mean
        is E[Z at the end] / E[z], where the probability to pass follows from the h with E[exp(h z)] = 1. When E[z] = 0
        it is E[Z² at the end] / E[z²]. It knows nothing of `most`.

        Parameters
        ----------
        share
            Probability that a request fails.
        """
        share = _share(share, "share", low=True, high=True)
        up, down = self.steps
        drift = share * up + (1 - share) * down
        h = _exponent(share, up, down)
        if abs(h) < _NO_DRIFT:
            return -self.lower * self.upper / (share * up**2 + (1 - share) * down**2)
        passes = _passes(h, self.lower, self.upper)
        return (passes * self.lower + (1 - passes) * self.upper) / drift


class Looks:
    """What an analysis makes of its looks at one step of a rollout, for as long as this bakes.

    A fixed test decides once. When a sequential one passes, the next one begins with what comes from then on: a change
    may turn bad late. The k-th of them may raise a false alarm with probability ``false_alarm / (k (k + 1))``, which
    add up to `false_alarm`, however many there are.

    Parameters
    ----------
    test
        The first test is this one, of a sequential one with half of its probability of a false alarm.

    Examples
    --------
    >>> looks = Looks(SequentialTest(baseline=0.01, bad=0.05, false_alarm=0.01, miss=0.1))
    >>> looks.decide(1000, 10), looks.decide(1010, 20)
    ('pass', 'alarm')
    >>> looks = Looks(FixedTest(requests=1000, baseline=0.01, false_alarm=0.01))
    >>> looks.decide(1000, 10), looks.decide(1010, 20)
    ('pass', 'go on')
    """

    def __init__(self, test: FixedTest | SequentialTest) -> None:
        self._test: FixedTest | SequentialTest | None = test
        self._first = test
        self._passed = 0  # tests
        self._since = 0, 0  # requests and failures when the present one began
        if isinstance(test, SequentialTest):
            self._test = self._next(test)

    def decide(self, requests: int, failures: int) -> Decision:
        """What to do after so many requests of the step, of which so many failed."""
        if self._test is None:
            return "go on"
        found = self._test.decide(requests - self._since[0], failures - self._since[1])
        if found == "pass":
            self._passed += 1
            self._since = requests, failures
            self._test = self._next(self._first) if isinstance(self._first, SequentialTest) else None
        return found

    def _next(self, first: SequentialTest) -> SequentialTest:
        k = self._passed + 1
        return replace(first, false_alarm=first.false_alarm / (k * (k + 1)))


def _exponent(share: float, up: float, down: float) -> float:
    """The h other than 0 with E[exp(h z)] = 1 (0 where there is no drift): 1 at the baseline, -1 at the bad share."""
    from scipy.optimize import brentq

    if share < _TINY or share == 1.0:
        return math.inf if share < _TINY else -math.inf

    def excess(h: float) -> float:  # over h: takes away the root at 0
        if h == 0.0:
            return share * up + (1 - share) * down
        return (share * math.expm1(h * up) + (1 - share) * math.expm1(h * down)) / h

    # One term alone makes E[exp(h z)] = 1 at the far end; a little beyond, so that it is above 1 in spite of rounding.
    end = -math.log(share) / up if excess(0.0) < 0.0 else -math.log1p(-share) / down
    return float(brentq(excess, *sorted((0.0, 1.01 * end)), xtol=1e-12))


def _passes(h: float, lower: float, upper: float) -> float:
    """Wald's operating characteristic, (A^h - 1) / (A^h - B^h), so that nothing overflows."""
    if h > 0.0:
        return math.expm1(-h * upper) / math.expm1(-h * (upper - lower))
    return math.exp(-h * lower) * math.expm1(h * upper) / math.expm1(h * (upper - lower))


def _binomial(n: int, share: float) -> Floats:
    """Probabilities of 0, 1, …, n failures."""
    from scipy.special import gammaln, xlog1py, xlogy  # scipy.stats would take seconds to load

    k = np.arange(n + 1)
    p = np.exp(gammaln(n + 1) - gammaln(k + 1) - gammaln(n - k + 1) + xlogy(k, share) + xlog1py(n - k, -share))
    return np.asarray(p / p.sum())  # gammaln is off by 1e-16 of a number that is large when n is


@lru_cache(maxsize=1024)
def _limit(n: int, share: float, tail: float) -> int:
    """Smallest c with P(Bin(n, share) > c) <= tail, by halving."""
    low, high = -1, n  # exceeded too often at `low`, rarely enough at `high`
    while high - low > 1:
        middle = (low + high) // 2
        low, high = (low, middle) if _exceeds(middle, n, share) <= tail else (middle, high)
    return high


def _exceeds(c: int, n: int, share: float) -> float:
    """P(Bin(n, share) > c) for c from 0 on, as a regularised incomplete beta function."""
    from scipy.special import betainc

    return float(betainc(c + 1, n - c, share)) if c < n else 0.0


def _counts(requests: Any, failures: Any) -> tuple[int, int]:
    requests, failures = whole_number(requests, "requests"), whole_number(failures, "failures")
    if not 0 <= failures <= requests:
        raise UsageError(
            f"{failures} failures of {requests} requests cannot be; give both counted from the beginning of the canary"
        )
    return requests, failures


def _at_least_one(value: Any, what: str) -> int:
    number = whole_number(value, what)
    if number < 1:
        raise UsageError(f"{what}: 1 or more, not {number}")
    return number


def _set_share(analysis: Any, name: str, *, low: bool = False) -> None:
    object.__setattr__(analysis, name, _share(getattr(analysis, name), name, low=low))


def _share(value: Any, what: str, *, low: bool = False, high: bool = False) -> float:
    """A share between 0 and 1; `low` and `high` allow the ends."""
    number = real_number(value, what)
    if 0.0 < number < 1.0 or (low and number == 0.0) or (high and number == 1.0):
        return number
    begin, end = "from 0" if low else "above 0", "to 1" if high else "below 1"
    hint = f"; {number:g} % is {number / 100:g}" if 1.0 < number < 100.0 else ""
    raise UsageError(f"{what}: a share {begin} and {end}, not {number:g}{hint}")
