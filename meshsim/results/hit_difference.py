"""Paired differences of hit ratios between architectures, which meet the same requests."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Final

from meshsim.results.intervals import Estimate, share_difference
from meshsim.results.text import points_interval
from meshsim.results.together import CacheName, Together, caches_together

if TYPE_CHECKING:
    from meshsim.results.result import Result

#: What caches of proxies are matched by: there are others under each architecture, so that only all together compare.
PROXIES: Final = "caches of proxies"


@dataclass(frozen=True, slots=True)
class HitDifference:
    """How much more is found under one architecture than under another.

    Attributes
    ----------
    architecture, baseline
        Labels of the two.
    of
        A cache of a service, as ``station.cache``, which is the same one under both; or `PROXIES`, all together.
    estimate
        Difference of the hit ratios, as a share; no value where `note` says why.
    note
        Why they cannot be compared; empty if they can.
    """

    architecture: str
    baseline: str
    of: str
    estimate: Estimate
    note: str = ""

    def to_dict(self) -> dict[str, object]:
        """For JSON."""
        return {
            "architecture": self.architecture,
            "baseline": self.baseline,
            "of": self.of,
            **self.estimate.to_dict(),
            "note": self.note,
            "sentence": self.sentence(),
        }

    def told(self) -> str:
        """The difference in percentage points, as a cell of a table."""
        return points_interval(self.estimate).removesuffix(" percentage points")

    def sentence(self) -> str:
        """The difference in words; says so where the interval includes 0."""
        pair = f"{self.of} under {self.architecture} and {self.baseline}"
        if self.estimate.value is None or self.estimate.low is None:
            return f"hit ratios of {pair} cannot be compared: {self.note or self.estimate.method}"
        if self.estimate.low == self.estimate.high == 0.0:
            return f"hit ratios of {pair} are the same"
        if self.estimate.includes_zero:
            return f"hit ratios of {pair} show no difference that can be told ({points_interval(self.estimate)})"
        verb = "more" if self.estimate.value > 0 else "less"
        size = points_interval(self.estimate.turned() if self.estimate.value < 0 else self.estimate)
        many = "find" if self.of == PROXIES else "finds"
        return f"{self.of} {many} {size} {verb} under {self.architecture} than under {self.baseline}"


def sentences(found: Iterable[HitDifference]) -> list[str]:
    """All in words: one by one where they compare, together where the same reason keeps them from that."""
    told: dict[str, None] = {}
    silent: dict[tuple[str, str], dict[str, None]] = {}
    for one in found:
        if one.note:
            silent.setdefault((one.of, one.note), {})[f"{one.architecture} and {one.baseline}"] = None
        else:
            told[one.sentence()] = None
    groups: dict[tuple[str, str], list[str]] = {}
    for (of, note), pairs in silent.items():
        groups.setdefault((", ".join(pairs), note), []).append(of)
    reasons = [
        f"hit ratios of {', '.join(names)} cannot be compared ({pairs}): {note}"
        for (pairs, note), names in groups.items()
    ]
    return [*told, *reasons]


def hit_difference(of: str, side: Result, baseline: Result) -> HitDifference:
    """Difference of what a cache, or all of proxies, find.

    Parameters
    ----------
    of
        One of `matched` of both.
    side, baseline
        Of one topology, over the same seeds, durations and warm-up.
    """
    results, told = (side, baseline), []
    for result in results:
        found = caches_together(result, matched(result)[of])
        if isinstance(found, str):
            return _unknown(of, side, baseline, f"under {result.architecture} {found}")
        told.append(found)
    note = _why_not([(result.architecture, found) for result, found in zip(results, told, strict=True)])
    if note:
        return _unknown(of, side, baseline, note)
    estimate = share_difference(told[0].hit_ratio, told[1].hit_ratio, level=side.manifest.level)
    return HitDifference(side.architecture, baseline.architecture, of, estimate)


def hit_differences(results: Sequence[Result]) -> tuple[HitDifference, ...]:
    """Differences from the first architecture that has the caches in question, of each other one that has."""
    found = []
    for of in dict.fromkeys(of for result in results for of in matched(result)):
        baseline, *sides = (result for result in results if of in matched(result))
        found += [hit_difference(of, side, baseline) for side in sides]
    return tuple(found)


def matched(result: Result) -> dict[str, list[CacheName]]:
    """Caches that were asked, by what matches them under other architectures."""
    found: dict[str, list[CacheName]] = {}
    for station, service in result.by_service.items():
        for cache in service.caches:
            of = PROXIES if service.role == "proxy" else f"{station}.{cache}"
            found.setdefault(of, []).append((station, cache))
    return found


def _unknown(of: str, side: Result, baseline: Result, note: str) -> HitDifference:
    return HitDifference(side.architecture, baseline.architecture, of, Estimate(None, None, None, 0, note), note)


def _why_not(sides: Sequence[tuple[str, Together]]) -> str:
    """Why their lookups are not of the same kind; empty if they are."""
    (_, one), (_, other) = sides
    if one.answers != other.answers:
        kept = [", ".join(sorted({of for _, of, *_ in found.answers})) for _, found in sides]
        return f"they keep answers of {kept[0]} and of {kept[1]}" if kept[0] != kept[1] else "they keep other answers"
    for (name, found), (_, against) in (sides, sides[::-1]):
        more = sorted(found.behind - against.behind)
        if more:
            return f"under {name} they are asked only for what cache {more[0]} does not hold"
    return ""
