"""Several caches of one architecture taken as one: what share of all they are asked for is answered by one of them."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Collection
from dataclasses import dataclass
from typing import TYPE_CHECKING, Final

import numpy as np

from meshsim.results.intervals import Statistic, per_batch, share
from meshsim.results.lookups import Look, lookups

if TYPE_CHECKING:
    from meshsim.results.result import Result

CacheName = tuple[str, str]  # station and cache
_ROUNDING: Final = 1e-9  # relative: sums of probabilities


@dataclass(frozen=True, slots=True, eq=False)
class Together:
    """Some caches of an architecture.

    Attributes
    ----------
    hit_ratio
        Hits of all of them, of what was asked for first: a cache that is asked for what another one of them has just
        missed adds hits and no lookups.
    entries, bytes
        Held by all of them, mean over time.
    answers
        What they keep, as stream, endpoint (of a service's cache: the service) and dimensions of the key.
    behind
        Names of other caches that have to miss before they are asked.
    """

    hit_ratio: Statistic
    entries: Statistic
    bytes: Statistic
    answers: frozenset[tuple[str, ...]]
    behind: frozenset[str]


def caches_together(result: Result, chosen: Collection[CacheName]) -> Together | str:
    """Take caches as one, or tell why that cannot be done.

    Parameters
    ----------
    result
        Of one architecture.
    chosen
        Station and name of each cache: those that were asked.
    """
    asked = lookups(result.plane)
    if asked.circle:
        return f"calls go in a circle: {' → '.join(asked.circle)}"
    counts = [result.by_service[station].caches[cache].counts for station, cache in chosen]
    first_lookups, hits = np.zeros_like(counts[0].entries), np.zeros_like(counts[0].entries)
    names = {cache for _, cache in chosen}
    first: dict[tuple[str, ...], float] = defaultdict(float)
    later: dict[tuple[str, ...], float] = defaultdict(float)
    others: set[str] = set()
    for (station, cache), counted in zip(chosen, counts, strict=True):
        for stream, lookups_of in counted.lookups.items():
            if not lookups_of.any():
                continue
            looks = [one for one in asked.looks.get((station, cache), ()) if one.stream.name == stream]
            behind = {any(before.name in names for before in look.behind) for look in looks if look.expected > 0.0}
            if len(behind) != 1:
                when = "both first and after a miss of another one" if behind else "only where something failed"
                return f"{stream} asks {station}.{cache} {when}"
            is_later = behind.pop()
            for look in looks:
                (later if is_later else first)[_answer(station, look)] += look.expected
                others |= {before.name for before in look.behind} - names
            hits += counted.hits[stream]
            first_lookups += 0 if is_later else lookups_of
    if any(expected > first[answer] * (1 + _ROUNDING) for answer, expected in later.items()):
        return "some caches are asked only after another one has missed, but for other answers than that one keeps"
    level = result.manifest.level
    return Together(
        hit_ratio=share(hits, first_lookups, level=level),
        entries=per_batch(np.sum([one.entries for one in counts], axis=0), level=level),
        bytes=per_batch(np.sum([one.bytes for one in counts], axis=0), level=level),
        answers=frozenset(answer for answer, expected in first.items() if expected),
        behind=frozenset(others),
    )


def _answer(station: str, look: Look) -> tuple[str, ...]:
    """What a look asks for. Caches of one service, such as a near and a far one, keep the same; so do proxies' ones."""
    return look.stream.name, look.of or station, *sorted(look.key)
