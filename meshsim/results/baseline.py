"""``--baseline``: whether a run is worse than one that was stored before.

Runs with the same seed, duration, number of replications and engine are paired, others are taken as independent; see
`meshsim.results.change`.

All numbers are judged at once (Bonferroni): between runs of one system, nothing is called worse or better in at least
as many cases as the intervals claim, 95 of 100. Where runs are independent, the arms are stretched for that by the
ratio of Student's quantiles, with the degrees of freedom of the replications.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Final, Literal

from meshsim.errors import UsageError
from meshsim.results.change import Arms, change
from meshsim.results.intervals import LEAST_BATCHES, t_quantile
from meshsim.results.stored_result import Key, Number, Stored, stored
from meshsim.results.text import duration, number, percent, table

Change = Literal["regressed", "improved", "same", "undecided"]
CHANGES: Final[tuple[Change, ...]] = ("regressed", "improved", "same", "undecided")
_TOLD: Final = ("regressed", "improved")
_BETTER_HIGH: Final = ("availability", "goodput_per_s")
_SAME: Final = {"seed": "seed", "duration_s": "duration", "replications": "number of replications", "engine": "engine"}
_MUCH: Final = 1000.0  # a rise by more than so many times is told as that


@dataclass(frozen=True, slots=True)
class Difference:
    """One number then and now.

    Attributes
    ----------
    scope, name, quantity
        ``total``, ``tenant`` or ``service``; its name; e.g. ``latency_s.p99``.
    baseline, now
        The two numbers.
    difference
        Now less then, with an interval as wide as all numbers together need.
    paired
        Whether that was made of pairs of replications.
    judgement
        See `judged`.
    why
        Why it is undecided, where there is no interval.
    """

    scope: str
    name: str
    quantity: str
    baseline: Number
    now: Number
    difference: Number
    judgement: Change
    why: str = ""
    paired: bool = False

    def to_dict(self) -> dict[str, object]:
        """For JSON."""
        return {
            "scope": self.scope,
            "name": self.name,
            "quantity": self.quantity,
            "baseline": self.baseline.to_dict(),
            "now": self.now.to_dict(),
            "difference": self.difference.to_dict(),
            "judgement": self.judgement,
            "why": self.why,
            "paired": self.paired,
        }

    def sentence(self) -> str:
        """For messages."""
        of = f"{self.scope} {self.name}: " if self.name else ""
        then, now = (_shown(self.quantity, one.value) for one in (self.baseline, self.now))
        return f"{of}{self.quantity} {self.judgement}: {then} then, {now} now"


@dataclass(frozen=True, slots=True)
class BaselineComparison:
    """A run beside one that was stored.

    Attributes
    ----------
    source
        File of the stored one.
    tolerance
        Share by which a number may worsen.
    level
        Confidence of all judgements together.
    differences
        Number by number.
    notes
        What else differs between the two runs.
    unpaired
        Why the runs are taken as independent; empty if they are paired.
    """

    source: str
    tolerance: float
    level: float
    differences: tuple[Difference, ...]
    notes: tuple[str, ...] = field(default=())
    unpaired: str = ""

    def of(self, judgement: Change) -> tuple[Difference, ...]:
        """Differences with a judgement."""
        return tuple(one for one in self.differences if one.judgement == judgement)

    def to_dict(self) -> dict[str, object]:
        """For JSON."""
        return {
            "source": self.source,
            "passed": not self.of("regressed"),
            "tolerance": self.tolerance,
            "level": self.level,
            "paired": not self.unpaired,
            "counts": {judgement: len(self.of(judgement)) for judgement in CHANGES},
            "notes": list(self.notes),
            "rows": [one.to_dict() for one in self.differences],
        }

    def table(self) -> list[list[str]]:
        """What regressed and improved, and all numbers of the whole; the first row names the columns."""
        shown = [one for one in self.differences if one.scope == "total" or one.judgement in _TOLD]
        return [["", "quantity", "baseline", "now", "difference", "judgement"], *(_cells(one) for one in shown)]

    def sentences(self) -> list[str]:
        """Notes, how the intervals were made, and the count."""
        counts = ", ".join(f"{len(self.of(judgement))} {judgement}" for judgement in CHANGES if self.of(judgement))
        than = f" by more than {percent(self.tolerance)}" if self.tolerance else ""
        sure = f"a regression is a number that is worse{than} for sure, {self.level * 100:g} % for all together"
        made = f"as of independent runs ({self.unpaired})" if self.unpaired else "of pairs of replications (same seed)"
        notes = [f"note: {note}" for note in self.notes]
        return [*notes, f"intervals: {made}", f"baseline {self.source}: {counts}; {sure}"]

    def summary(self) -> str:
        """Text for a terminal."""
        return "\n".join([*table(self.table(), indent=""), "", *self.sentences()])


def compare_with_baseline(now: Mapping[str, object], then: Stored, *, tolerance: float = 0.0) -> BaselineComparison:
    """Set a result beside a stored one.

    Parameters
    ----------
    now
        Of `meshsim.results.result.Result.to_dict`.
    then
        The stored one.
    tolerance
        Share of the stored number by which one may worsen; of availability, share of what was not available.

    Raises
    ------
    UsageError
        When they are of different topologies.
    """
    here = stored(now, "this run")
    if here.document["topology"] != then.document["topology"]:
        names = f"{then.document['topology']}, and this run is of {here.document['topology']}"
        raise UsageError(f"baseline {then.source} is of {names}: give a baseline of the same topology")
    both = [key for key in then.numbers if key in here.numbers]
    level = float(then.manifest["level"])
    judge = _Judge(then, here, 1.0 - (1.0 - level) / len(both), tolerance)
    differences = [judge.difference(key) for key in both]
    if then.unstable or here.unstable:
        differences.insert(0, _verdict(then, here))
    return BaselineComparison(
        then.source, tolerance, level, tuple(differences), tuple(_notes(then, here)), judge.unpaired
    )


class _Judge:
    """Two runs, and how sure each difference between them has to be."""

    def __init__(self, then: Stored, now: Stored, level: float, tolerance: float) -> None:
        self.then = then
        self.now = now
        self.level = level
        self.tolerance = tolerance
        self.unstable = then.unstable or now.unstable
        self.stretched: Arms = (_stretch(then, level), _stretch(now, level))
        self.unpaired = _unpaired(then, now)

    def difference(self, key: Key) -> Difference:
        """Set a number beside what it was."""
        quantity, then, now = key[2], self.then.numbers[key], self.now.numbers[key]
        if then.value is None or now.value is None:
            neither = then.value is None and now.value is None
            why = "neither run has a value" if neither else "one of the runs has no value"
            return Difference(*key, then, now, Number(None, None, None), "same" if neither else "undecided", why)
        bare = Number(now.value - then.value, None, None)
        if self.unstable and quantity.startswith("latency_s"):
            return Difference(*key, then, now, bare, "undecided", "a run is unstable")
        paired = not self.unpaired and then.parts is not None and now.parts is not None
        found = change(quantity, then, now, self.stretched, self.level, paired=paired)
        if found is None:
            why = "too short for an interval" if bare.value else ""
            return Difference(*key, then, now, bare, "undecided" if bare.value else "same", why)
        whole = 1.0 - then.value if quantity == "availability" else then.value
        judgement = judged(quantity, found, self.tolerance * whole)
        return Difference(*key, then, now, found, judgement, paired=paired)


def _unpaired(then: Stored, now: Stored) -> str:
    """Why the replications of two runs make no pairs; empty if they do."""
    differs = [name for key, name in _SAME.items() if then.manifest[key] != now.manifest[key]]
    if differs:
        return f"another {' and '.join(differs)}"
    if then.manifest["replications"] < 2:
        return "a single replication"
    known = any(number.parts is not None for number in then.numbers.values())
    return "" if known else "the baseline does not tell its replications apart"


def _stretch(run: Stored, level: float) -> float:
    """How much longer an arm has to be at that level than at the run's own."""
    replications = int(run.manifest["replications"])
    df = replications - 1 if replications > 1 else LEAST_BATCHES - 1
    return t_quantile(0.5 + level / 2, df) / t_quantile(0.5 + float(run.manifest["level"]) / 2, df)


def judged(quantity: str, difference: Number, limit: float) -> Change:
    """Judge a difference by its interval.

    ``regressed``: surely worse by more than the limit; ``improved``: surely better by more than it; ``same``: surely
    within the limit either way, or the same number; else ``undecided``.

    Examples
    --------
    >>> judged("latency_s.p99", Number(0.02, 0.01, 0.03), 0.0)
    'regressed'
    >>> judged("availability", Number(0.02, 0.01, 0.03), 0.0), judged("latency_s.p99", Number(0.02, 0.01, 0.03), 0.05)
    ('improved', 'same')
    """
    assert difference.value is not None and difference.low is not None and difference.high is not None
    low, high = difference.low, difference.high
    if quantity in _BETTER_HIGH:
        low, high = -high, -low
    if low > limit:
        return "regressed"
    if high < -limit:
        return "improved"
    return "same" if difference.value == 0.0 or (low >= -limit and high <= limit) else "undecided"


def _verdict(then: Stored, now: Stored) -> Difference:
    """Whether requests began to pile up, or no longer do."""
    words: dict[tuple[bool, bool], Change]
    words = {(False, True): "regressed", (True, False): "improved", (True, True): "same"}
    judgement = words[then.unstable, now.unstable]
    before, after = (Number(float(run.unstable), None, None) for run in (then, now))
    change = Number(float(now.unstable) - float(then.unstable), None, None)
    return Difference("total", "", "unstable", before, after, change, judgement)


def _notes(then: Stored, now: Stored) -> list[str]:
    before, after = then.manifest, now.manifest
    found: list[str] = []
    pairs = {"architecture": (then.document["architecture"], now.document["architecture"])}
    pairs["duration"] = (duration(before["duration_s"]), duration(after["duration_s"]))
    pairs |= {key: (before[key], after[key]) for key in ("replications", "engine")}
    found += [f"{key}: {one} then, {other} now" for key, (one, other) in pairs.items() if one != other]
    if before["digest"] != after["digest"]:
        found.append("the topology is not the same as then")
    names = {True: "not in the baseline", False: "in the baseline alone"}
    for key in sorted(then.numbers.keys() ^ now.numbers.keys()):
        if key[2] in ("utilization", "availability"):
            found.append(f"{key[0]} {key[1]} is {names[key in now.numbers]}")
    return found


def _cells(one: Difference) -> list[str]:
    label = f"{one.scope} {one.name}".strip()
    then, now = (_shown(one.quantity, number.value) for number in (one.baseline, one.now))
    return [label, one.quantity, then, now, _shown_difference(one), one.judgement]


def _shown(quantity: str, value: float | None) -> str:
    if value is None:
        return "unknown"
    if quantity.startswith("latency_s"):
        return duration(value)
    if quantity == "unstable":
        return "yes" if value else "no"
    return number(value) if quantity == "goodput_per_s" else percent(value)


def _shown_difference(one: Difference) -> str:
    if one.quantity == "unstable":
        return ""
    found = one.difference
    if found.value is None or found.low is None or found.high is None or not one.baseline.value:
        return one.why
    if one.quantity == "availability":
        value, low, high = (f"{100.0 * end:+.3f}" for end in (found.value, found.low, found.high))
        return f"{value} ({low} to {high}) points"
    value, low, high = (_signed(end / one.baseline.value) for end in (found.value, found.low, found.high))
    return f"{value} ({low} to {high})"


def _signed(share: float) -> str:
    return f"> {100.0 * _MUCH:+,.0f} %" if share > _MUCH else f"{100.0 * share:+,.1f} %"
