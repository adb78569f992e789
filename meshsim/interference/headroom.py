"""How much a tenant can add before another one is harmed: bisection on paired seeds, with both ends simulated."""

from __future__ import annotations

import math
from collections.abc import Callable, Collection, Iterable
from dataclasses import dataclass
from typing import Any, Final, Literal

from meshsim.interference.pairs import shed
from meshsim.interference.sides import Side
from meshsim.interference.words import HARMED_RATIO, HARMED_SHARE
from meshsim.results.intervals import Estimate, factor, finite
from meshsim.results.traffic import Judged, Judgement

CEILING: Final = 8.0  # of the load as written: beyond that nobody asks (assumed)
PRECISION: Final = 0.05  # width of the bracket, as a share of its lower end (assumed)
_BEYOND: Final = 1.5  # of the first load that did not hold, where it is looked whether it still does not (assumed)
_FAR: Final = 1.5  # a load that held and is at least so large is checked half-way, too (assumed)

Ended = Literal["bracket", "ceiling", "time budget", "engine limit", "harmed without it"]


@dataclass(frozen=True, slots=True)
class Check:
    """One thing that a victim is to keep, at one load of the aggressor.

    Attributes
    ----------
    quantity
        That of an objective; ``p99_ratio`` or ``shed_share`` of a tenant without any, against the load as written.
    limit
        What must not be passed.
    judgement
        By the interval: ``met``, ``missed`` or ``undecided``.
    kept
        By the point: what the bisection follows.
    """

    victim: str
    quantity: str
    limit: float
    judgement: Judgement
    kept: bool
    estimate: Estimate

    def to_dict(self) -> dict[str, Any]:
        """Give it as JSON's types."""
        return {
            "victim": self.victim,
            "quantity": self.quantity,
            "limit": self.limit,
            "judgement": self.judgement,
            **self.estimate.to_dict(),
        }


@dataclass(frozen=True, slots=True)
class Probe:
    """One load of the aggressor that was simulated, and what became of the others."""

    factor: float
    checks: tuple[Check, ...]

    def broken(self, excluded: Collection[str] = ()) -> list[Check]:
        """What was not kept, those who are surely beyond first."""
        found = [one for one in self.checks if not one.kept and one.victim not in excluded]
        return sorted(found, key=lambda one: (one.judgement != "missed", one.victim, one.quantity))

    def judgement(self, excluded: Collection[str] = ()) -> Judgement:
        """Whether all was surely kept, or something surely not."""
        words = {one.judgement for one in self.checks if one.victim not in excluded}
        return "missed" if "missed" in words else "undecided" if "undecided" in words else "met"


@dataclass(frozen=True, slots=True)
class Headroom:
    """How much one tenant can add under one architecture and isolation.

    Attributes
    ----------
    held
        Largest factor on the tenant's load up to the bracket at which nobody else was harmed; None: not even 0.
    broke
        Smallest factor at which somebody was; None: nobody, up to the largest that was simulated.
    first
        What was not kept at `broke`.
    surely_held, surely_broke
        Largest factor with all that is smaller at which the intervals are sure that all was kept, and smallest at which
        they are sure that something was not; None: at none that was simulated.
    probes
        All that were simulated, by factor.
    excluded
        Victims that miss their objective when the tenant sends nothing, too: it is not its doing.
    ended
        ``bracket``: both ends are known to `PRECISION`. ``ceiling``: nobody was harmed up to there. ``time budget`` or
        ``engine limit``: the bracket is wider than asked for. ``harmed without it``: nobody is left to be harmed.
    monotone
        Whether no load held that is larger than one that did not.
    """

    architecture: str
    isolation: str
    tenant: str
    held: float | None
    broke: float | None
    first: Check | None
    surely_held: float | None
    surely_broke: float | None
    probes: tuple[Probe, ...]
    excluded: tuple[str, ...]
    ended: Ended
    monotone: bool

    def to_dict(self) -> dict[str, Any]:
        """Give it as JSON's types."""
        return {
            "architecture": self.architecture,
            "isolation": self.isolation,
            "tenant": self.tenant,
            "held": self.held,
            "broke": self.broke,
            "first": None if self.first is None else self.first.to_dict(),
            "surely_held": self.surely_held,
            "surely_broke": self.surely_broke,
            "ended": self.ended,
            "monotone": self.monotone,
            "excluded": list(self.excluded),
            "probes": [
                {
                    "factor": one.factor,
                    "judgement": one.judgement(self.excluded),
                    "held": not one.broken(self.excluded),
                    "checks": [check.to_dict() for check in one.checks],
                }
                for one in self.probes
            ],
        }


# -- what is to be kept -------------------------------------------------------------------------------------------


def probe_of(load: float, aggressor: str, side: Side, written: Side) -> Probe:
    """Judge all others at one load of the aggressor.

    Parameters
    ----------
    side
        With that load.
    written
        With the load that the topology says: what those without objectives are compared to.
    """
    checks: list[Check] = []
    for name, met in side.by_tenant.items():
        if name == aggressor:
            continue
        if met.objectives:
            checks += [_objective(name, one) for one in met.objectives]
        else:
            before = written.by_tenant[name]
            ratio = factor(met.latency["p99"], before.latency["p99"])
            checks.append(_threshold(name, "p99_ratio", HARMED_RATIO, ratio))
            checks.append(_threshold(name, "shed_share", HARMED_SHARE, shed(met, before)))
    return Probe(load, tuple(checks))


def _objective(victim: str, judged: Judged) -> Check:
    value = judged.estimate.value
    if judged.within is not None:  # a quantile is kept by the share of requests within the limit
        share = judged.within.value
        kept = share is None or share >= float(judged.quantity.removeprefix("p")) / 100
    elif judged.quantity == "availability":
        kept = value is None or value >= judged.limit
    else:
        kept = value is None or value <= judged.limit
    return Check(victim, judged.quantity, judged.limit, judged.judgement, kept, judged.estimate)


def _threshold(victim: str, quantity: str, limit: float, found: Estimate) -> Check:
    judgement: Judgement = "undecided"
    if found.high is not None and found.high <= limit:
        judgement = "met"
    elif found.low is not None and found.low > limit:
        judgement = "missed"
    return Check(victim, quantity, limit, judgement, found.value is None or found.value <= limit, found)


# -- the search ---------------------------------------------------------------------------------------------------

#: Simulates one load; None: the time budget is used up. Raises `OutOfEngine` where the engine met a limit.
Simulate = Callable[[float], Probe | None]


class OutOfEngine(Exception):
    """A load that the engine cannot simulate."""


class _Over(Exception):
    """The search ends early."""

    def __init__(self, why: Ended) -> None:
        self.why: Ended = why


class _Search:
    """One search under way."""

    def __init__(self, simulate: Simulate, ceiling: float, precision: float) -> None:
        self.simulate = simulate
        self.ceiling = ceiling
        self.precision = precision
        self.probes: dict[float, Probe] = {}
        self.excluded: tuple[str, ...] = ()
        self.low: float | None = None
        self.high: float | None = None

    def holds(self, load: float) -> bool:
        """Whether nobody is harmed at a load (_Over if it cannot be simulated any more)."""
        if load not in self.probes:
            try:
                found = self.simulate(load)
            except OutOfEngine:
                raise _Over("engine limit") from None
            if found is None:
                raise _Over("time budget")
            self.probes[load] = found
        return not self.probes[load].broken(self.excluded)

    def run(self) -> Ended:
        """Find the bracket, then look whether it is one."""
        if self.holds(1.0):
            self.low = 1.0
        else:
            self._exclude()
            if not self._left():
                return "harmed without it"
            if self.holds(1.0):
                self.low = 1.0
            else:
                self.low, self.high = 0.0, 1.0
        while self.high is None:
            assert self.low is not None
            if self.low >= self.ceiling:
                return "ceiling"
            self._narrow(min(2.0 * self.low, self.ceiling))
        while self.high - self._lowest() > self.precision * self.high:
            self._narrow(self._middle())
        self._verify()
        return "bracket"

    def _exclude(self) -> None:
        """Leave out whoever is harmed without the tenant, too."""
        self.holds(0.0)
        self.excluded = tuple(sorted({one.victim for one in self.probes[0.0].broken()}))

    def _left(self) -> bool:
        return any(one.victim not in self.excluded for one in self.probes[1.0].checks)

    def _lowest(self) -> float:
        assert self.low is not None
        return self.low

    def _middle(self) -> float:
        """Of the bracket: a round number, so that reports and repeats show the very load."""
        assert self.low is not None and self.high is not None
        exact = math.sqrt(self.low * self.high) if self.low >= 1.0 else (self.low + self.high) / 2
        digits = 3 if self.high - self.low > 0.01 else 6
        return round(exact, digits)

    def _narrow(self, load: float) -> None:
        if self.holds(load):
            self.low = load
        else:
            self.high = load

    def _verify(self) -> None:
        """Look further away on both sides: what holds need not be an interval."""
        assert self.low is not None and self.high is not None
        beyond = round(_BEYOND * self.high, 3)
        if beyond <= _BEYOND * self.ceiling:
            self.holds(beyond)
        if self.low >= _FAR:
            self.holds(round(math.sqrt(self.low), 3))


def search(
    architecture: str,
    isolation: str,
    tenant: str,
    simulate: Simulate,
    *,
    ceiling: float = CEILING,
    precision: float = PRECISION,
) -> Headroom:
    """Find how far a tenant's load can rise, or has to fall, for nobody else to be harmed.

    The load is doubled until somebody is harmed, then the bracket is halved. Two loads outside of it are simulated
    besides: a larger one that must not hold, and a smaller one that must. Where somebody is harmed as it is written,
    the search goes on between 0 and 1, without those who are harmed at 0 too.

    Parameters
    ----------
    simulate
        Gives the probe of a load, None when time is up.
    ceiling
        Largest factor that is asked about.
    precision
        Width of the bracket, as a share of its upper end.
    """
    one = _Search(simulate, ceiling, precision)
    try:
        ended = one.run()
    except _Over as over:
        ended = over.why
    probes = tuple(one.probes[load] for load in sorted(one.probes))
    held = [probe.factor for probe in probes if not probe.broken(one.excluded)]
    broke = [probe.factor for probe in probes if probe.broken(one.excluded)]
    if ended == "harmed without it":
        one.low = one.high = None
    first = one.probes[one.high].broken(one.excluded)[0] if one.high is not None else None
    return Headroom(
        architecture=architecture,
        isolation=isolation,
        tenant=tenant,
        held=one.low,
        broke=one.high,
        first=first,
        surely_held=_surely_held(probes, one.excluded),
        surely_broke=_first(p.factor for p in probes if p.judgement(one.excluded) == "missed"),
        probes=probes,
        excluded=one.excluded,
        ended=ended,
        monotone=not held or not broke or max(held) < min(broke),
    )


def _surely_held(probes: Iterable[Probe], excluded: Collection[str]) -> float | None:
    """Largest load up to which all that were simulated are surely kept."""
    last = None
    for probe in probes:
        if probe.judgement(excluded) != "met":
            break
        last = probe.factor
    return last


def _first(loads: Iterable[float]) -> float | None:
    return finite(min(loads, default=None))
