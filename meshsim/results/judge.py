"""How a check judges: claims of theory, the intervals that they have to lie in, and the table of all."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Final, Literal

from meshsim.results.intervals import FEW_EVENTS, Estimate, Floats, finite, spread, t_quantile
from meshsim.results.text import amount, duration, duration_interval, number, percent, percent_interval, table

LEVEL: Final = 0.999  # of all judgements of a run together: a right run is called wrong once in a thousand
WIDE: Final = 0.5  # half of an interval as a share of what is predicted, beyond which agreement says little (assumed)
_MOST: Final = 40  # rows that agree which a table shows: two screens
_NAMED: Final = 4  # stations in a sentence
_TINY: Final = 1e-9  # relative: sums of fractions

Judgement = Literal["agrees", "disagrees", "apart", "too short", "no theory"]
Unit = Literal["s", "per_s", "number", "share"]
JUDGEMENTS: Final[tuple[Judgement, ...]] = ("agrees", "disagrees", "apart", "too short", "no theory")


@dataclass(frozen=True, slots=True)
class Row:
    """One comparison at one station.

    Attributes
    ----------
    station
        Service or proxy.
    quantity, unit
        What is compared, in seconds, per second, as a number or a share.
    theory
        Name of the law or of the model; empty where there is none.
    predicted
        By theory; None where there is none.
    simulated
        What came out, with an interval as wide as the whole check needs.
    judgement
        ``agrees``, ``disagrees``, ``apart`` (from an approximation, which counts for nothing), ``too short`` (half of
        the interval is more than `WIDE` of what is predicted, or there is no interval, or too little happened), ``no
        theory``.
    note
        Why there is no theory, or what it takes for granted.
    """

    station: str
    quantity: str
    unit: Unit
    theory: str = ""
    predicted: float | None = None
    simulated: Estimate | None = None
    judgement: Judgement = "no theory"
    note: str = ""

    def to_dict(self) -> dict[str, object]:
        """For JSON."""
        return {
            "station": self.station,
            "quantity": self.quantity,
            "unit": self.unit,
            "theory": self.theory,
            "predicted": finite(self.predicted),
            "simulated": None if self.simulated is None else self.simulated.to_dict(),
            "judgement": self.judgement,
            "note": self.note,
        }

    def sentence(self) -> str:
        """What it comes to, for messages."""
        told = f"{self.station}: {self.quantity} is {_told(self)}"
        return f"{told}, {self.theory} says {_value(self.predicted, self.unit)}"


@dataclass(frozen=True, slots=True)
class Claim:
    """A prediction that waits to be judged: how wide its interval has to be depends on how many there are.

    Attributes
    ----------
    row
        Without a judgement.
    value
        What was simulated.
    influence
        (R, M) as of a `meshsim.results.intervals.Statistic`; or, of a law, the (M,) differences of the two sides in
        each batch.
    slack
        By how much they may differ for reasons that are no chance: rounding, and what is under way at the edges.
    approximate
        The theory is an approximation here.
    events
        How often that which is counted should have happened: when that is seldom, batches cannot tell how seldom (where
        it never happened their interval has no length), and the run is too short.
    """

    row: Row
    value: float
    influence: Floats
    slack: float = 0.0
    approximate: bool = False
    events: float = math.inf


@dataclass(frozen=True, slots=True)
class Check:
    """All comparisons of a run.

    Attributes
    ----------
    rows
        Station by station, laws first.
    laws
        How many of the theories are laws that hold everywhere, by name.
    level
        Confidence of all judgements together.
    """

    rows: tuple[Row, ...]
    laws: tuple[str, ...] = ()
    level: float = LEVEL

    def count(self, judgement: Judgement) -> int:
        """Rows with a judgement."""
        return sum(row.judgement == judgement for row in self.rows)

    @property
    def disagreements(self) -> tuple[Row, ...]:
        """Rows that speak against the run."""
        return tuple(row for row in self.rows if row.judgement == "disagrees")

    def shows(self) -> dict[str, float]:
        """How large an error has to be to show, on average: half of an interval as a share of what is predicted.

        Of rows that agree: the laws together, and by quantity what the topology predicts.
        """
        found: dict[str, list[float]] = {}
        for row in self.rows:
            half = None if row.judgement != "agrees" or row.simulated is None else _half(row.simulated)
            if half is not None and row.predicted:
                name = "laws" if row.theory in self.laws else row.quantity
                found.setdefault(name, []).append(half / abs(row.predicted))
        return {name: math.fsum(shares) / len(shares) for name, shares in found.items()}

    def to_dict(self) -> dict[str, object]:
        """For JSON."""
        return {
            "passed": not self.disagreements,
            "level": self.level,
            "shows": self.shows(),
            "counts": {name: self.count(name) for name in JUDGEMENTS},
            "rows": [row.to_dict() for row in self.rows],
        }

    def table(self) -> list[list[str]]:
        """A row a comparison, the first row names the columns; laws that hold are left out.

        Of many stations, all rows that do not agree are shown, and the first ones that do.
        """
        judged = [row for row in self.rows if row.judgement != "no theory" and not self._is_held_law(row)]
        agreeing = [row for row in judged if row.judgement == "agrees"][:_MOST]
        shown = [row for row in judged if row.judgement != "agrees" or row in agreeing]
        simulated = f"simulated ({self.level * 100:g} % jointly)"
        head = ["station", "quantity", "theory", "predicted", simulated, "judgement"]
        return [head, *(_cells(row) for row in shown)]

    def sentences(self) -> list[str]:
        """Where the laws hold, what there is no theory for, what the signs mean, what would show, and the count."""
        held = [row.theory for row in self.rows if self._is_held_law(row)]
        counts = ", ".join(f"{self.count(name)} {name}" for name in JUDGEMENTS if self.count(name))
        said = [f"laws: {', '.join(f'{law} holds at {_stations(held.count(law))}' for law in self.laws)}"]
        said += [f"no theory: {line}" for line in self._without()]
        if any(row.theory.startswith("≈") for row in self.rows):
            said.append("≈ is an approximation: it counts for nothing if it is apart; -o json says what it assumes")
        shows = ", ".join(f"{name} {number(100.0 * least, 2)} %" for name, least in self.shows().items())
        said += [f"errors that would show, on average: {shows}"] if shows else []
        return [*said, f"check: {counts}; {self.level * 100:g} % sure of all together"]

    def _is_held_law(self, row: Row) -> bool:
        return row.theory in self.laws and row.judgement == "agrees"

    def _without(self) -> list[str]:
        """Why there is no theory, and for what."""
        reasons: dict[str, dict[str, list[str]]] = {}
        for row in self.rows:
            if row.judgement == "no theory":
                reasons.setdefault(row.note, {}).setdefault(row.quantity, []).append(row.station)
        return [f"{why}: {'; '.join(_gathered(by_quantity))}" for why, by_quantity in reasons.items()]

    def summary(self) -> str:
        """Text for a terminal."""
        rows = self.table()
        return "\n".join([*([*table(rows, indent=""), ""] if len(rows) > 1 else []), *self.sentences()])


def judge_all(found: Sequence[Claim | Row], laws: tuple[str, ...] = (), level: float = LEVEL) -> Check:
    """Judge all claims at once.

    Each interval gets an equal part of what may go wrong in all (Bonferroni's inequality; R. G. Miller, "Simultaneous
    Statistical Inference", 1981), which holds however the numbers depend on each other.
    """
    several = max(1, sum(isinstance(one, Claim) for one in found))
    each = 1.0 - (1.0 - level) / several
    return Check(tuple(_judged(one, each) if isinstance(one, Claim) else one for one in found), laws, level)


def _judged(claim: Claim, level: float) -> Row:
    row = claim.row
    assert row.predicted is not None
    estimate = _interval(claim, level)
    if claim.events < FEW_EVENTS:
        why = f"too short: {claim.events:.2g} events expected, {FEW_EVENTS} needed"
        estimate = replace(estimate, low=None, high=None, method=why)
    found = replace(row, simulated=estimate)
    if estimate.low is None or estimate.high is None:
        return replace(found, judgement="too short")
    if not estimate.low <= row.predicted <= estimate.high:
        return replace(found, judgement="apart" if claim.approximate else "disagrees")
    half = (estimate.high - estimate.low) / 2 - claim.slack
    return replace(found, judgement="too short" if half > WIDE * abs(row.predicted) else "agrees")


def _half(estimate: Estimate) -> float | None:
    return None if estimate.low is None or estimate.high is None else (estimate.high - estimate.low) / 2


def _interval(claim: Claim, level: float) -> Estimate:
    """Interval of that level; arms that are shortened for skewness are not to be trusted so far out: none is."""
    slack, value = claim.slack + _TINY * abs(claim.value), claim.value
    if claim.influence.ndim == 1:
        m = claim.influence.size
        if m < 2:
            return Estimate(value, None, None, m, "too short: a single batch")
        error = float(claim.influence.std(ddof=1)) / math.sqrt(m)
        half = t_quantile(0.5 + level / 2, m - 1) * error + slack
        return Estimate(value, value - half, value + half, m, f"changes over {m} batches")
    scatter = spread(claim.influence)
    if scatter is None:
        return Estimate(value, None, None, claim.influence.size, "too short: a single batch")
    least = scatter.t_error(level)
    below, above = (max(arm, least) + slack for arm in scatter.arms(level))
    return Estimate(value, value - below, value + above, claim.influence.size, scatter.method)


def _stations(count: int) -> str:
    return f"{count} station" if count == 1 else f"{count} stations"


def _some(names: Sequence[str]) -> str:
    more = len(names) - _NAMED
    return ", ".join(names[:_NAMED]) + (f" and {more} more" if more > 0 else "")


def _gathered(by_quantity: Mapping[str, list[str]]) -> list[str]:
    """``quantities of stations``, those of the same stations together."""
    by_stations: dict[tuple[str, ...], list[str]] = {}
    for quantity, stations in by_quantity.items():
        by_stations.setdefault(tuple(stations), []).append(quantity)
    return [f"{', '.join(quantities)} of {_some(stations)}" for stations, quantities in by_stations.items()]


def _cells(row: Row) -> list[str]:
    return [row.station, row.quantity, row.theory, _value(row.predicted, row.unit), _told(row), row.judgement]


def _value(value: float | None, unit: Unit) -> str:
    if value is None:
        return ""
    if unit == "s":
        return duration(value)
    return percent(value) if unit == "share" else number(value)


def _told(row: Row) -> str:
    if row.simulated is None:
        return ""
    if row.unit == "s":
        return duration_interval(row.simulated)
    if row.unit != "share":
        return amount(row.simulated, "").rstrip()
    part = row.simulated.value is not None and row.simulated.value <= 1.0  # of what is offered there may be more
    return percent_interval(row.simulated.within(0.0, 1.0) if part else row.simulated)
