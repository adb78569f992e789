"""Which branch decided a fork: what a frame waited for when it began several branches at once (rules F1, F2)."""

from __future__ import annotations

import math
from collections.abc import Iterator, Mapping, Sequence
from itertools import groupby, islice, product
from typing import Final

import numpy as np
import numpy.typing as npt

from meshsim.engines.record import DEGRADED
from meshsim.results.endpoints import Endpoints
from meshsim.results.quantiles import Ints

_MOST_WAYS: Final = 10_000  # that the forks of one frame may have been decided (assumed: nearly always one)

Rows = npt.NDArray[np.void]


def deciding(spans: Rows, parent: Ints, until: Ints, endpoint: Ints, endpoints: Endpoints) -> list[int]:
    """Branches that decided the join of their fork (rule F2).

    Where forks of one endpoint have as many branches and other quorums, the time in which their caller did nothing
    else tells which ones they were; failing that, the caller is taken to have gone on as late as possible.
    """
    needs: dict[int, dict[int, tuple[int, ...]]] = {}
    for (number, several), found in endpoints.needs.items():
        needs.setdefault(number, {})[several] = found
    found_all: list[int] = []
    waited = _waited_for_branches(spans, parent, until)
    for above, groups in groupby(_begun_together(spans, parent), key=lambda begun: int(parent[begun[0]])):
        known = needs.get(int(endpoint[above]), {})
        ways = []
        for begun in groups:
            went_on = _went_on(spans, parent, begun)
            found_ways = _ways(spans, begun, known, went_on) or _ways(spans, begun, {len(begun): ()}, went_on)
            found_ways.sort(key=lambda frames: -_lasted(spans, frames))
            ways.append(found_ways or [[]])
        found_all += _fitting(spans, ways, int(waited[above]))
    return found_all


def _waited_for_branches(spans: Rows, parent: Ints, until: Ints) -> Ints:
    """What a frame took, less its own work and its own calls."""
    own = np.flatnonzero((parent >= 0) & (spans["endpoint"] >= 0))
    called = np.zeros(parent.size, dtype=np.int64)
    np.add.at(called, parent[own], until[own] - spans["sent_ns"][own])
    worked = spans["demand_ns"] + spans["cpu_wait_ns"] + spans["wait_ns"]
    waited: Ints = spans["left_ns"] - spans["admitted_ns"] - worked - called
    return waited


def _lasted(spans: Rows, frames: Sequence[int]) -> int:
    return sum(int(spans["left_ns"][frame] - spans["sent_ns"][frame]) for frame in frames)


def _fitting(spans: Rows, ways: Sequence[list[list[int]]], waited: int) -> list[int]:
    """One way for each group of branches, such that they last as long as was waited for branches."""
    latest = [frame for several in ways for frame in several[0]]
    if math.prod(map(len, ways)) == 1:
        return latest
    for chosen in islice(product(*ways), _MOST_WAYS):
        frames = [frame for way in chosen for frame in way]
        if _lasted(spans, frames) == waited:
            return frames
    return latest


def _ways(spans: Rows, begun: Sequence[int], known: Mapping[int, tuple[int, ...]], went_on: int) -> list[list[int]]:
    """Who may have decided each of the forks that branches which began together belong to.

    All forks but the last one were decided at the instant at which they began.
    """
    found: list[list[int]] = []
    for several in known:
        fork, others = begun[:several], begun[several:]
        if len(fork) < several:
            continue
        limit = int(spans["sent_ns"][begun[0]]) if others else went_on
        decided = {_decided(spans, fork, need) for need in known[several] or (several,)}
        on_time = [frame for frame in decided if frame is not None and spans["left_ns"][frame] <= limit]
        rest = _ways(spans, others, known, went_on) if on_time and others else [[]]
        found += [[frame, *frames] for frame in on_time for frames in rest]
    return found


def _begun_together(spans: Rows, parent: Ints) -> Iterator[list[int]]:
    """Branches that somebody waits for: those of a fork begin at one instant with consecutive serials (T2, F1)."""
    branches = np.flatnonzero((spans["joined"] > 0) & (parent >= 0))
    order = branches[np.lexsort((branches, parent[branches]))]
    # plain numbers in plain lists: indexing arrays one by one is several times slower
    keys = zip(
        parent[order].tolist(),
        spans["sent_ns"][order].tolist(),
        (spans["serial"][order] - _places(parent[order])).tolist(),
        strict=True,
    )
    for _, fork in groupby(zip(keys, order.tolist(), strict=True), key=lambda one: one[0]):
        yield [frame for _, frame in fork]


def _places(groups: Ints) -> Ints:
    """0, 1, 2 … within each run of equal numbers."""
    at = np.arange(groups.size)
    first = np.ones(groups.size, dtype=bool)
    first[1:] = groups[1:] != groups[:-1]
    found: Ints = at - np.maximum.accumulate(np.where(first, at, 0))
    return found


def _decided(spans: Rows, fork: Sequence[int], need: int) -> int | None:
    """The branch with which enough had succeeded, or too many had failed; None if there is none."""
    ended = [frame for frame in fork if spans["left_ns"][frame] >= 0 and spans["outcome"][frame] >= 0]
    missing, spare = need, len(fork) - need
    for frame in sorted(ended, key=lambda frame: (int(spans["left_ns"][frame]), frame)):
        if spans["outcome"][frame] <= DEGRADED:
            missing -= 1
        else:
            spare -= 1
        if missing == 0 or spare < 0:
            return frame
    return None


def _went_on(spans: Rows, parent: Ints, fork: Sequence[int]) -> int:
    """The caller had gone on by then: its next call or fork began, or it ended."""
    above = int(parent[fork[0]])
    for frame in range(fork[-1] + 1, parent.size):
        if spans["request"][frame] != spans["request"][above]:
            break
        if parent[frame] == above:
            return int(spans["sent_ns"][frame])
    left = int(spans["left_ns"][above])
    return left if left >= 0 else int(np.iinfo(np.int64).max)
