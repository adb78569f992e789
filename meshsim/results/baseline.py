"""``--baseline``: whether a run is worse than one that was stored before.

Of a stored run there are values and intervals. The interval of a difference is made from the two sides' own arms (G. Y.
Zou and A. Donner, "Construction of confidence limits about effect measures: a general approach", Statistics in Medicine
27, 2008; for shares R. G. Newcombe 1998). It takes the sides as independent. Runs with the same seed meet the same
requests, so that their numbers rise and fall together and differ less by chance than this allows: a regression that is
found is one, a small one may be missed. Pairing them would need the batches, which are not stored.

All numbers are judged at once (Bonferroni): between runs of one system, nothing is called worse or better in at least
as many cases as the intervals claim, 95 of 100. For that the arms are stretched by the ratio of Student's quantiles,
with the degrees of freedom of the replications.
"""

from __future__ import annotations

import json
import math
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any, Final, Literal

from meshsim.errors import StoreError, UsageError
from meshsim.results.intervals import LEAST_BATCHES, t_quantile
from meshsim.results.text import duration, number, percent, table
from meshsim.results.traffic import QUANTITIES

READS: Final = 1  # schema_version of the results that this module understands

Change = Literal["regressed", "improved", "same", "undecided"]
CHANGES: Final[tuple[Change, ...]] = ("regressed", "improved", "same", "undecided")
_TOLD: Final = ("regressed", "improved")
_BETTER_HIGH: Final = ("availability", "goodput_per_s")
_Key = tuple[str, str, str]  # scope (total, tenant, service), name, quantity


@dataclass(frozen=True, slots=True)
class Number:
    """A value with the ends of its interval, as a result in JSON has it; None is unknown."""

    value: float | None
    low: float | None
    high: float | None

    def arms(self) -> tuple[float, float] | None:
        """Lengths of the interval below and above the value."""
        if self.value is None or self.low is None or self.high is None:
            return None
        return self.value - self.low, self.high - self.value

    def to_dict(self) -> dict[str, float | None]:
        """For JSON."""
        return {"value": self.value, "low": self.low, "high": self.high}


@dataclass(frozen=True, slots=True)
class Stored:
    """A result that was read: where from, the whole of it, and its numbers."""

    source: str
    document: Mapping[str, Any]
    numbers: Mapping[_Key, Number]

    @property
    def unstable(self) -> bool:
        """Requests piled up, so that latencies say nothing."""
        return bool(self.document["verdict"] == "unstable")


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
    """

    source: str
    tolerance: float
    level: float
    differences: tuple[Difference, ...]
    notes: tuple[str, ...] = field(default=())

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
            "counts": {judgement: len(self.of(judgement)) for judgement in CHANGES},
            "notes": list(self.notes),
            "rows": [one.to_dict() for one in self.differences],
        }

    def table(self) -> list[list[str]]:
        """What regressed and improved, and all numbers of the whole; the first row names the columns."""
        shown = [one for one in self.differences if one.scope == "total" or one.judgement in _TOLD]
        return [["", "quantity", "baseline", "now", "difference", "judgement"], *(_cells(one) for one in shown)]

    def sentences(self) -> list[str]:
        """Notes and the count."""
        counts = ", ".join(f"{len(self.of(judgement))} {judgement}" for judgement in CHANGES if self.of(judgement))
        than = f" by more than {percent(self.tolerance)}" if self.tolerance else ""
        sure = f"a regression is a number that is worse{than} for sure, {self.level * 100:g} % for all together"
        return [*(f"note: {note}" for note in self.notes), f"baseline {self.source}: {counts}; {sure}"]

    def summary(self) -> str:
        """Text for a terminal."""
        return "\n".join([*table(self.table(), indent=""), "", *self.sentences()])


def read_baseline(text: str, source: str) -> Stored:
    """Read what ``meshsim run -o json`` wrote.

    Raises
    ------
    StoreError
        When it is something else, or damaged.
    """
    try:
        document = json.loads(text)
    except (ValueError, RecursionError) as error:
        raise StoreError(f"baseline {source} is no JSON ({error}): write one with meshsim run -o json") from None
    if not isinstance(document, dict) or "schema_version" not in document:
        raise StoreError(f"baseline {source} is no result of meshsim: write one with meshsim run -o json")
    if document["schema_version"] != READS:
        found = document["schema_version"]
        raise StoreError(f"baseline {source} has schema_version {found!r}, this meshsim reads {READS}: write it again")
    if "architectures" in document:
        raise StoreError(f"baseline {source} is of meshsim compare: write one with meshsim run -o json")
    return stored(document, source)


def stored(document: Mapping[str, Any], source: str) -> Stored:
    """Find the numbers in a result.

    Raises
    ------
    StoreError
        When one is missing or no number.
    """
    try:
        numbers = _numbers(document)
        for key in ("topology", "architecture", "verdict"):
            if not isinstance(document[key], str):
                raise TypeError(f"{key} must be a text")
        manifest = document["manifest"]
        if not (0.0 < manifest["level"] < 1.0 and manifest["replications"] >= 1 and manifest["duration_s"] > 0.0):
            raise ValueError("manifest.level, replications or duration_s is out of range")
        if not {"digest", "engine"} <= manifest.keys():
            raise KeyError("digest")
    except KeyError as error:
        raise StoreError(f"baseline {source} is damaged: it has no {error.args[0]!r}; write it again") from None
    except (TypeError, ValueError, AttributeError) as error:
        raise StoreError(f"baseline {source} is damaged: {error}; write it again") from None
    return Stored(source, document, numbers)


def _numbers(document: Mapping[str, Any]) -> dict[_Key, Number]:
    """Numbers with intervals; one tenant alone is the total."""
    found = _traffic_numbers("total", "", document)
    tenants: Mapping[str, Any] = document["by_tenant"]
    for name, tenant in tenants.items():
        if len(tenants) > 1:
            found |= _traffic_numbers("tenant", name, tenant)
    for name, service in document["by_service"].items():
        ends = service["intervals"]["utilization"]
        utilization = {"value": service["utilization"], "low": ends["low"], "high": ends["high"]}
        found["service", name, "utilization"] = _number(utilization, f"by_service.{name}.utilization")
    return found


def _traffic_numbers(scope: str, name: str, group: Mapping[str, Any]) -> dict[_Key, Number]:
    found = {f"latency_s.{quantity}": group["latency_s"][quantity] for quantity in QUANTITIES}
    found |= {quantity: group[quantity] for quantity in _BETTER_HIGH}
    return {(scope, name, quantity): _number(one, quantity) for quantity, one in found.items()}


def _number(parts: Mapping[str, Any], what: str) -> Number:
    values = [parts[key] for key in ("value", "low", "high")]
    for value in values:
        if value is not None and (isinstance(value, bool) or not isinstance(value, int | float)):
            raise TypeError(f"{what} must be numbers or null, not {value!r}")
        if value is not None and not math.isfinite(value):
            raise ValueError(f"{what} must be finite, not {value!r}")
    return Number(*values)


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
    level = float(then.document["manifest"]["level"])
    each = 1.0 - (1.0 - level) / len(both)
    stretched = [_stretch(one, each) for one in (then, here)]
    unstable = here.unstable or then.unstable
    differences = [
        _difference(key, then.numbers[key], here.numbers[key], stretched, tolerance, unstable=unstable) for key in both
    ]
    if unstable:
        differences.insert(0, _verdict(then, here))
    return BaselineComparison(then.source, tolerance, level, tuple(differences), tuple(_notes(then, here)))


def _stretch(run: Stored, level: float) -> float:
    """How much longer an arm has to be at that level than at the run's own."""
    manifest = run.document["manifest"]
    replications = int(manifest["replications"])
    df = replications - 1 if replications > 1 else LEAST_BATCHES - 1
    return t_quantile(0.5 + level / 2, df) / t_quantile(0.5 + float(manifest["level"]) / 2, df)


def _difference(
    key: _Key, then: Number, now: Number, stretched: list[float], tolerance: float, *, unstable: bool
) -> Difference:
    scope, name, quantity = key
    arms_then, arms_now = then.arms(), now.arms()
    value = None if then.value is None or now.value is None else now.value - then.value
    if unstable and quantity.startswith("latency_s"):
        return Difference(*key, then, now, Number(value, None, None), "undecided", "a run is unstable")
    if value is None:
        neither = then.value is None and now.value is None
        why = "neither run has a value" if neither else "one of the runs has no value"
        return Difference(*key, then, now, Number(None, None, None), "same" if neither else "undecided", why)
    assert then.value is not None
    if arms_then is None or arms_now is None:
        why = "" if value == 0.0 else "too short for an interval"
        return Difference(*key, then, now, Number(value, None, None), "undecided" if value else "same", why)
    (below_then, above_then), (below, above) = (
        [arm * factor for arm in arms] for arms, factor in zip((arms_then, arms_now), stretched, strict=True)
    )
    found = Number(value, value - math.hypot(below, above_then), value + math.hypot(above, below_then))
    whole = 1.0 - then.value if quantity == "availability" else abs(then.value)
    return Difference(scope, name, quantity, then, now, found, judged(quantity, found, tolerance * whole))


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
    before, after = then.document["manifest"], now.document["manifest"]
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
    whole = abs(one.baseline.value)
    return f"{_signed(found.value / whole)} ({_signed(found.low / whole)} to {_signed(found.high / whole)})"


def _signed(share: float) -> str:
    return f"{100.0 * share:+.1f} %"
