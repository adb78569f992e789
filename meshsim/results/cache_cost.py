"""What a percentage point of hit ratio costs: the memory that the next one takes, and the CPU that it saves."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from itertools import pairwise
from typing import TYPE_CHECKING, Final, Literal

from meshsim.results.intervals import Estimate, difference, quotient, share_difference
from meshsim.results.text import amount, number, points_interval, size
from meshsim.results.together import CacheName, Together, caches_together
from meshsim.results.verdict import UNSTEADY

if TYPE_CHECKING:
    from meshsim.results.cache_study import CacheStudy, StudiedCache

CAPACITY: Final = "capacity"
_POINT: Final = 100.0  # percentage points of a whole
_UNKNOWN: Final = Estimate(None, None, None, 0, "unknown")

#: What is known of a step's cost: a number; that the gain may be zero; that less was found; nothing.
Known = Literal["bounded", "unbounded", "lost", "unknown"]


@dataclass(frozen=True, slots=True)
class Step:
    """From one capacity to the next larger one, all caches together that got it.

    Attributes
    ----------
    architecture, point
        Where it ends: values of the axes.
    axis, start
        That of capacities, and its value where the step begins.
    caches
        Station and name of those whose capacity differs.
    gained
        Difference of their hit ratio, paired.
    unit, added
        What they hold more, mean over time: ``bytes`` where all have sizes of objects, ``entries`` otherwise.
    per_point
        `added` for each percentage point gained. Where the gain may be zero it has no value and no end above, and `low`
        is what a point takes at least; where less was found, there is none.
    saved_cores
        CPU of applications in use that the step saves; no value if a side has no steady state.
    cores_per_point
        The same for each point.
    known
        See `Known`.
    """

    architecture: str
    point: Mapping[str, str]
    axis: str
    start: str
    caches: tuple[CacheName, ...]
    gained: Estimate
    unit: Literal["bytes", "entries"]
    added: Estimate
    per_point: Estimate
    saved_cores: Estimate
    cores_per_point: Estimate
    known: Known

    @property
    def columns(self) -> dict[str, Estimate]:
        """By name of the column."""
        return {
            "gained_hit_ratio": self.gained,
            f"added_{self.unit}": self.added,
            f"{self.unit}_per_point": self.per_point,
            "saved_cores": self.saved_cores,
            "cores_per_point": self.cores_per_point,
        }

    def to_dict(self) -> dict[str, object]:
        """For JSON."""
        return {
            "architecture": self.architecture,
            "point": dict(self.point),
            "step_from": self.start,
            "caches": [".".join(name) for name in self.caches],
            **{name: estimate.to_dict() for name, estimate in self.columns.items()},
            "point_cost": self.known,
        }

    def cells(self) -> list[str]:
        """Of a table: where it goes, then what `HEAD` names."""
        places = [f"{self.start} → {value}" if axis == self.axis else value for axis, value in self.point.items()]
        return [
            self.architecture,
            *places,
            points_interval(self.gained).removesuffix(" percentage points"),
            self._memory(),
            self._cores(),
        ]

    def _memory(self) -> str:
        found = self.per_point
        if self.known == "lost":
            return "it finds less"
        if self.known == "unbounded":
            least = "" if found.low is None else f", at least {self._amount(found.low)}"
            return f"unbounded{least}"
        if found.value is None or found.low is None or found.high is None:
            return "unknown"
        low, high = (self._amount(end) for end in (found.low, found.high))
        return f"{self._amount(found.value)} ({low.removesuffix(' entries')} to {high.removesuffix(' entries')})"

    def _amount(self, value: float) -> str:
        return size(value) if self.unit == "bytes" else f"{number(value)} entries"

    def _cores(self) -> str:
        return "unknown" if self.cores_per_point.value is None else amount(self.cores_per_point, "cores")


#: Of the last of `Step.cells`.
HEAD: Final = ("points gained", "memory of a point", "a point saves")


def steps(studies: Sequence[CacheStudy], axes: Sequence[str]) -> tuple[tuple[Step, ...], tuple[str, ...]]:
    """Steps along the axis of capacities, and why some are not told.

    Parameters
    ----------
    studies
        One of each point.
    axes
        What varies. One of them has to be ``capacity``, or the path of one.
    """
    along = [axis for axis in axes if axis == CAPACITY or axis.endswith(f".{CAPACITY}")]
    if len(along) != 1:
        return (), ()
    groups: dict[tuple[str, ...], list[CacheStudy]] = {}
    for study in studies:
        others = tuple(value for axis, value in study.point.items() if axis != along[0])
        groups.setdefault(others, []).append(study)
    found: list[Step] = []
    reasons: dict[str, None] = {}
    for architecture in studies[0].results:
        for group in groups.values():
            told = _along(group, architecture, along[0])
            if isinstance(told, str):
                reasons[f"no cost of a point under {architecture}: {told}"] = None
            else:
                found += told
    return tuple(found), tuple(reasons)


def _along(group: Sequence[CacheStudy], architecture: str, axis: str) -> list[Step] | str:
    """Steps between points that differ in capacity alone."""
    at = [{(c.station, c.cache.name): c for c in s.caches if c.architecture == architecture} for s in group]
    names = [name for name in at[0] if all(name in caches for caches in at)]
    chosen = tuple(name for name in names if len({_capacity(caches[name]) for caches in at}) > 1)
    if not chosen:
        return []
    rooms = [_room([caches[name] for name in chosen]) for caches in at]
    if len({unit for unit, _ in rooms}) > 1 or rooms[0][0] is None:
        return "some capacities are entries and others bytes, or without limit"
    order = sorted(range(len(group)), key=lambda i: rooms[i][1])
    sized = all(caches[name].cache.size is not None for caches in at for name in chosen)
    together = [caches_together(group[i].results[architecture], chosen) for i in order]
    why = next((one for one in together if isinstance(one, str)), None)
    if why is not None:
        return f"{why}; let the capacity of one of them vary, by its path"
    ends = [(group[i], one) for i, one in zip(order, together, strict=True) if isinstance(one, Together)]
    return [_step(architecture, axis, chosen, sized, *pair) for pair in pairwise(ends)]


def _capacity(one: StudiedCache) -> tuple[int | None, int | None]:
    return one.cache.capacity_entries, one.cache.capacity_bytes


def _room(caches: Sequence[StudiedCache]) -> tuple[str | None, int]:
    """Capacity of all stores together, and its unit; None without one."""
    for unit, each in (("entries", 0), ("bytes", 1)):
        rooms = [_capacity(one)[each] for one in caches]
        known = [one.stores * room for one, room in zip(caches, rooms, strict=True) if room is not None]
        if len(known) == len(caches):
            return unit, sum(known)
    return None, 0


def _step(
    architecture: str,
    axis: str,
    chosen: tuple[CacheName, ...],
    sized: bool,
    start: tuple[CacheStudy, Together],
    end: tuple[CacheStudy, Together],
) -> Step:
    (before, few), (after, many) = start, end
    results = before.results[architecture], after.results[architecture]
    level = results[1].manifest.level
    gained = share_difference(many.hit_ratio, few.hit_ratio, level=level)
    known = _known(gained)
    memory = (many.bytes, few.bytes) if sized else (many.entries, few.entries)
    ratios = (many.hit_ratio, few.hit_ratio)
    cores = (results[0].applications.cores, results[1].applications.cores)
    per_point = _UNKNOWN if known in ("lost", "unknown") else _of_a_point(quotient(memory, ratios, level=level))
    if known == "unbounded":
        per_point = replace(per_point, value=None, high=math.inf)
    steady = not any(one.verdict.word in UNSTEADY for one in results)
    return Step(
        architecture=architecture,
        point=after.point,
        axis=axis,
        start=before.point[axis],
        caches=chosen,
        gained=gained,
        unit="bytes" if sized else "entries",
        added=difference(*memory, level=level),
        per_point=per_point,
        saved_cores=difference(*cores, level=level) if steady else _UNKNOWN,
        cores_per_point=(
            _of_a_point(quotient(cores, ratios, level=level)) if steady and known == "bounded" else _UNKNOWN
        ),
        known=known,
    )


def _known(gained: Estimate) -> Known:
    if gained.low is None or gained.high is None:
        return "unknown"
    if gained.high < 0:
        return "lost"
    return "bounded" if gained.low > 0 else "unbounded"


def _of_a_point(whole: Estimate) -> Estimate:
    """A quotient by a share, for a hundredth of it."""
    value, low, high = (None if end is None else end / _POINT for end in (whole.value, whole.low, whole.high))
    return replace(whole, value=value, low=low, high=high)
