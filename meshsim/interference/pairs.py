"""A pair of runs, with an aggressor and without it, and what the difference is to each victim."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from typing import Any, Final

from meshsim.interference.sides import Side
from meshsim.interference.words import HARMED_RATIO, HARMED_SHARE, Word
from meshsim.results.intervals import Estimate, Statistic, factor, share, share_difference
from meshsim.results.traffic import Judged, Traffic

#: Quantities whose ratios are told, in the order of reports.
RATIOS: Final = ("p99", "p50", "mean")
_UNKNOWN: Final = Estimate(None, None, None, 0, "nothing to compare")


@dataclass(frozen=True, slots=True)
class Kept:
    """An objective of a victim, judged with the aggressor and without it."""

    quantity: str
    limit: float
    present: Judged
    absent: Judged

    @property
    def lost(self) -> bool:
        """Surely missed with the aggressor, and not surely without it."""
        return self.present.judgement == "missed" and self.absent.judgement != "missed"

    def to_dict(self) -> dict[str, Any]:
        """Give it as JSON's types."""
        return {
            "quantity": self.quantity,
            "limit": self.limit,
            "with": {"judgement": self.present.judgement, **self.present.estimate.to_dict()},
            "without": {"judgement": self.absent.judgement, **self.absent.estimate.to_dict()},
        }


@dataclass(frozen=True, slots=True)
class Cell:
    """What one tenant does to another under one architecture and isolation.

    Attributes
    ----------
    ratios
        By quantity (`RATIOS`): latency of the victim's answered requests with the aggressor, over that without it.
    present_s, absent_s
        The two that are divided, in seconds.
    shed_share
        Share of the victim's requests without a good answer (rejected, failed, too late, unfinished): with less
        without.
    rejected_share
        The part of it that somebody turned away.
    hit_ratio_loss
        How much less of the victim's lookups are hits, in all caches that both ask; None where there is none.
    losses
        The same by cache, as ``station.cache``.
    objectives
        The victim's, on both sides.
    untouched
        The victim met exactly the same with and without: every interval has no length.
    unstable
        Sides (``with``, ``without``) in which requests pile up, so that latencies grow with the run.
    """

    architecture: str
    isolation: str
    aggressor: str
    victim: str
    ratios: Mapping[str, Estimate]
    present_s: Mapping[str, Estimate]
    absent_s: Mapping[str, Estimate]
    shed_share: Estimate
    rejected_share: Estimate
    hit_ratio_loss: Estimate | None
    losses: Mapping[str, Estimate] = field(default_factory=dict)
    objectives: tuple[Kept, ...] = ()
    untouched: bool = False
    unstable: tuple[str, ...] = ()

    @property
    def p99_ratio(self) -> Estimate:
        """Of the victim's p99."""
        return self.ratios["p99"]

    @property
    def lost(self) -> tuple[Kept, ...]:
        """Objectives that are missed with the aggressor and not without it."""
        return tuple(one for one in self.objectives if one.lost)

    @property
    def figures(self) -> dict[str, Estimate]:
        """Everything that may be worse or better: ratios, which are 1 where nothing is, and shares, which are 0."""
        shares = {"shed_share": self.shed_share}
        shares |= {} if self.hit_ratio_loss is None else {"hit_ratio_loss": self.hit_ratio_loss}
        return {f"{name}_ratio": self.ratios[name] for name in RATIOS} | shares

    @property
    def word(self) -> Word:
        """``harmed``, ``worse``, ``not told``, ``better`` or ``untouched``: only what the intervals are sure of."""
        return self._judged()[0]

    @property
    def decided_by(self) -> tuple[str, ...]:
        """What made the word: quantities of objectives that are lost, or the figures that surely are so."""
        return self._judged()[1]

    def _judged(self) -> tuple[Word, tuple[str, ...]]:
        if self.untouched:
            return "untouched", ()
        if self.lost:
            return "harmed", tuple(one.quantity for one in self.lost)
        thresholds = {} if self.objectives else {"p99_ratio": HARMED_RATIO, "shed_share": HARMED_SHARE}
        if beyond := tuple(name for name, limit in thresholds.items() if _above(self.figures[name], limit)):
            return "harmed", beyond
        same = {name: 1.0 if name.endswith("_ratio") else 0.0 for name in self.figures}
        if worse := tuple(name for name, one in self.figures.items() if _above(one, same[name])):
            return "worse", worse
        if better := tuple(name for name, one in self.figures.items() if _below(one, same[name])):
            return "better", better
        return "not told", ()

    def to_dict(self) -> dict[str, Any]:
        """Give it as JSON's types."""
        return {
            "architecture": self.architecture,
            "isolation": self.isolation,
            "aggressor": self.aggressor,
            "victim": self.victim,
            "word": self.word,
            "decided_by": list(self.decided_by),
            **{f"{name}_ratio": self.ratios[name].to_dict() for name in RATIOS},
            "shed_share": self.shed_share.to_dict(),
            "rejected_share": self.rejected_share.to_dict(),
            "hit_ratio_loss": None if self.hit_ratio_loss is None else self.hit_ratio_loss.to_dict(),
            "hit_ratio_loss_by_cache": {name: loss.to_dict() for name, loss in self.losses.items()},
            "with": {"latency_s": {name: self.present_s[name].to_dict() for name in RATIOS}},
            "without": {"latency_s": {name: self.absent_s[name].to_dict() for name in RATIOS}},
            "objectives": [one.to_dict() for one in self.objectives],
            "unstable": list(self.unstable),
        }

    def row(self) -> dict[str, Any]:
        """A row of `Interference.frame`."""
        told = {
            **{f"{name}_ratio": self.ratios[name] for name in RATIOS},
            "shed_share": self.shed_share,
            "rejected_share": self.rejected_share,
            "hit_ratio_loss": self.hit_ratio_loss or _UNKNOWN,
        }
        ends = {
            f"{name}{ending}": value
            for name, estimate in told.items()
            for ending, value in zip(("", "_low", "_high"), estimate.to_dict().values(), strict=True)
        }
        return {
            "architecture": self.architecture,
            "isolation": self.isolation,
            "aggressor": self.aggressor,
            "victim": self.victim,
            "word": self.word,
            "decided_by": " ".join(self.decided_by),
            **ends,
            "p99_s_with": self.present_s["p99"].to_dict()["value"],
            "p99_s_without": self.absent_s["p99"].to_dict()["value"],
            "unstable": " ".join(self.unstable),
        }


def cell(architecture: str, isolation: str, aggressor: str, victim: str, present: Side, absent: Side) -> Cell:
    """Set the side with the aggressor beside the one without it.

    Both met the same arrivals, keys and demands of the victim, so that what batches have in common cancels.
    """
    sides = present.by_tenant[victim], absent.by_tenant[victim]
    untouched = present.met[victim] == absent.met[victim]
    losses = _losses(aggressor, victim, present, absent)
    return Cell(
        architecture=architecture,
        isolation=isolation,
        aggressor=aggressor,
        victim=victim,
        ratios={name: _ratio(sides[0].latency[name], sides[1].latency[name], untouched) for name in RATIOS},
        present_s={name: sides[0].latency_s[name] for name in RATIOS},
        absent_s={name: sides[1].latency_s[name] for name in RATIOS},
        shed_share=_exact(0.0, sides[0].requests) if untouched else shed(*sides),
        rejected_share=_exact(0.0, sides[0].requests)
        if untouched
        else share_difference(present.rejected[victim], absent.rejected[victim]),
        hit_ratio_loss=_together(aggressor, victim, present, absent) if losses else None,
        losses=losses,
        objectives=tuple(
            Kept(one.quantity, one.limit, one, other)
            for one, other in zip(sides[0].objectives, sides[1].objectives, strict=True)
        ),
        untouched=untouched,
        unstable=tuple(
            name for name, side in (("with", present), ("without", absent)) if side.verdict.word == "unstable"
        ),
    )


def shed(present: Traffic, absent: Traffic) -> Estimate:
    """How many more requests had no good answer, as a share."""
    return _positive_zero(share_difference(present.availability, absent.availability).turned())


def _exact(value: float, n: int) -> Estimate:
    return Estimate(value, value, value, n, "the same requests met the same")


def _ratio(present: Statistic, absent: Statistic, untouched: bool) -> Estimate:
    if untouched and present.estimate.value is not None:
        return _exact(1.0, present.estimate.n)
    return factor(present, absent)


def _losses(aggressor: str, victim: str, present: Side, absent: Side) -> dict[str, Estimate]:
    """Hit ratio that a victim loses, in each cache that both ask."""
    found = {}
    for name in sorted(present.caches):
        both = present.looked(victim, name), absent.looked(victim, name)
        if present.looked(aggressor, name) is None or both[0] is None or both[1] is None:
            continue
        found[name] = _lost(both[0], both[1])
    return found


def _together(aggressor: str, victim: str, present: Side, absent: Side) -> Estimate:
    """The same of all lookups in all of them."""
    shared = list(_losses(aggressor, victim, present, absent))
    sums = []
    for side in (present, absent):
        looked = [pair for name in shared if (pair := side.looked(victim, name)) is not None]
        sums.append((sum(hits for hits, _ in looked), sum(lookups for _, lookups in looked)))
    return _lost(*sums)


def _lost(present: tuple[Any, Any], absent: tuple[Any, Any]) -> Estimate:
    if all((a == b).all() for a, b in zip(present, absent, strict=True)):
        return _exact(0.0, int(present[1].sum()))
    return _positive_zero(share_difference(share(*present), share(*absent)).turned())


def _positive_zero(one: Estimate) -> Estimate:
    """Without the sign that 0 gets when it is seen from the other side."""
    return replace(one, value=None if one.value is None else one.value + 0.0)


def _above(one: Estimate, least: float) -> bool:
    return one.low is not None and one.low > least


def _below(one: Estimate, most: float) -> bool:
    return one.high is not None and one.high < most
