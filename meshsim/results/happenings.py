"""What control processes wrote down in all replications of a run: when it happened, and how long it took to mend it.

The words are those of `meshsim.control`: an event ``begins``, there is an ``alarm``, a fault ``ends``, a push ``goes
back`` and ``is back``.
"""

from __future__ import annotations

import math
from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass
from typing import Any, Final

import numpy as np
import numpy.typing as npt

from meshsim.engines.record import ALARM, BEGINS, IS_BACK, IS_OUT, NO_EFFECT, OVER, Happening

Floats = npt.NDArray[np.float64]
Ints = npt.NDArray[np.int64]

_BACK: Final = 0.99  # of the good share that there was before: goodput is back (assumed)


@dataclass(frozen=True, slots=True)
class Happened:
    """Something that happened in one replication or more.

    Attributes
    ----------
    who, what
        The event (or ``people``), and what it did.
    ordinal
        Which time that it did so in its replication, from 1.
    first_s, median_s, last_s
        When: the earliest, median and latest of the replications in which it happened.
    replications
        In how many it happened.
    detail
        Of the earliest one.
    """

    who: str
    what: str
    ordinal: int
    first_s: float
    median_s: float
    last_s: float
    replications: int
    detail: str

    def to_dict(self) -> dict[str, object]:
        """For JSON."""
        return asdict(self)


def merged(runs: Sequence[Sequence[Happening]]) -> tuple[Happened, ...]:
    """Put what happened in all replications together, in the order of median times.

    Examples
    --------
    >>> one, other = Happening(10**9, "kill", "begins", "crash"), Happening(3 * 10**9, "kill", "begins", "crash")
    >>> merged([[one], [other]])[0].median_s
    2.0
    """
    found: dict[tuple[str, str, int], list[Happening]] = {}
    for run in runs:
        times: Counter[tuple[str, str]] = Counter()
        for one in run:
            times[one.who, one.what] += 1
            found.setdefault((one.who, one.what, times[one.who, one.what]), []).append(one)
    return tuple(sorted((_of_all(*key, ones) for key, ones in found.items()), key=lambda one: one.median_s))


def _of_all(who: str, what: str, ordinal: int, ones: Sequence[Happening]) -> Happened:
    at_s = [one.at_ns / 1e9 for one in ones]
    earliest = min(ones, key=lambda one: one.at_ns)
    return Happened(who, what, ordinal, min(at_s), float(np.median(at_s)), max(at_s), len(ones), earliest.detail)


# -- pushes ------------------------------------------------------------------------------------------------------


@dataclass(frozen=True, slots=True)
class Spread:
    """How far a push had come.

    Attributes
    ----------
    at_s
        Times at which that changed; before the first, nobody had it.
    share
        From then on, of the proxies that it goes to, mean over replications.
    """

    at_s: tuple[float, ...]
    share: tuple[float, ...]

    def to_dict(self) -> dict[str, object]:
        """For JSON."""
        return {"at_s": list(self.at_s), "share": list(self.share)}


def spreads(runs: Sequence[Sequence[Happening]]) -> dict[str, Spread]:
    """How far each push had come over time, by the names of their events.

    A wave counts when all of its proxies have the push, and until all of them have had it taken back.
    """
    changes: dict[str, list[tuple[int, float]]] = {}
    for run in runs:
        of: dict[str, float] = {}
        has: dict[str, float] = {}
        for one in run:
            now = None
            if one.what == BEGINS and one.amount is not None:  # a push: to so many proxies
                of[one.who], now = one.amount, 0.0
            elif one.who in of and one.what == IS_OUT and one.amount is not None:
                now = one.amount / of[one.who]
            elif one.who in of and one.what == IS_BACK:
                now = 0.0
            if now is not None:
                changes.setdefault(one.who, []).append((one.at_ns, (now - has.get(one.who, 0.0)) / len(runs)))
                has[one.who] = now
    return {who: _added_up(steps) for who, steps in changes.items()}


def _added_up(steps: Sequence[tuple[int, float]]) -> Spread:
    at_s: list[float] = []
    share: list[float] = []
    reached = 0.0
    for at_ns, more in sorted(steps):
        reached += more
        if at_s and at_s[-1] == at_ns / 1e9:
            share[-1] = round(reached, 12)
        else:
            at_s.append(at_ns / 1e9)
            share.append(round(reached, 12))
    return Spread(tuple(at_s), tuple(share))


# -- how long it took --------------------------------------------------------------------------------------------


@dataclass(frozen=True, slots=True)
class Incident:
    """From the first event until all was well again. Times are of the run, in seconds, a number a replication.

    None is what did not come about in a replication until its end (of `recovered`, also what cannot be told because
    nothing was answered before). A median counts that as later than everything else: it is None when half of the
    replications are without.

    Attributes
    ----------
    began
        The first event began; None in replications without one, which no median looks at.
    detected
        The first alarm since then, of people's monitoring or of the analysis of a rollout.
    mitigated
        All that had begun was over: faults at their end, pushes taken back.
    recovered
        The first edge of a batch, after the last end of a fault or return of a push, from which on the share of good
        requests in every batch is at least 99 % of what it was before the first event.
    worst_error_share
        Of all batches since the first event, all replications together.
    bad_from_s, bad_until_s
        From the first to the last batch since then whose good share is below 99 % of that before; None if there is
        none.
    """

    began: tuple[float | None, ...]
    detected: tuple[float | None, ...]
    mitigated: tuple[float | None, ...]
    recovered: tuple[float | None, ...]
    worst_error_share: float | None
    bad_from_s: float | None
    bad_until_s: float | None

    @property
    def began_s(self) -> float | None:
        """Median of `began`."""
        return self._median(self.began)

    @property
    def detected_s(self) -> float | None:
        """Median of `detected`."""
        return self._median(self.detected)

    @property
    def mitigated_s(self) -> float | None:
        """Median of `mitigated`."""
        return self._median(self.mitigated)

    @property
    def recovered_s(self) -> float | None:
        """Median of `recovered`."""
        return self._median(self.recovered)

    def took_s(self, until: Sequence[float | None]) -> float | None:
        """Median of how long it took from the beginning, e.g. until `detected`."""
        pairs = zip(self.began, until, strict=True)
        return self._median([None if a is None or b is None else b - a for a, b in pairs])

    def _median(self, times_s: Sequence[float | None]) -> float | None:
        begun = [at for at, began in zip(times_s, self.began, strict=True) if began is not None]
        found = float(np.median([math.inf if at is None else at for at in begun]))
        return found if math.isfinite(found) else None

    def to_dict(self) -> dict[str, object]:
        """For JSON."""
        names = ("began", "detected", "mitigated", "recovered")
        return {
            **{f"{name}_s": getattr(self, f"{name}_s") for name in names},
            "worst_error_share": self.worst_error_share,
            "bad_from_s": self.bad_from_s,
            "bad_until_s": self.bad_until_s,
            "by_replication": {f"{name}_s": list(getattr(self, name)) for name in names},
        }

    @classmethod
    def from_dict(cls, data: Mapping[str, Any]) -> Incident:
        """Read back what `to_dict` gave."""
        each = data["by_replication"]
        return cls(
            began=tuple(each["began_s"]),
            detected=tuple(each["detected_s"]),
            mitigated=tuple(each["mitigated_s"]),
            recovered=tuple(each["recovered_s"]),
            worst_error_share=data["worst_error_share"],
            bad_from_s=data["bad_from_s"],
            bad_until_s=data["bad_until_s"],
        )


def incident(
    runs: Sequence[Sequence[Happening]], edges_s: Floats, good: Ints, requests: Ints, cut: int
) -> Incident | None:
    """Find out how long it took in each replication; None if nothing began in any.

    Parameters
    ----------
    runs
        What happened in each replication.
    edges_s
        Edges of the batches.
    good, requests
        (replications, batches) requests that were answered ok or degraded, and all.
    cut
        Batches of warm-up: they are not looked at if there are others before the first event.
    """
    moments = [
        _moments(run, edges_s, good[number], requests[number], cut) for number, run in enumerate(map(_effective, runs))
    ]
    if all(began is None for began, *_ in moments):
        return None
    began, detected, mitigated, recovered = zip(*moments, strict=True)
    first_s = min(at for at in began if at is not None)
    whole_good, whole = good.sum(axis=0), requests.sum(axis=0)
    since = int(np.searchsorted(edges_s, first_s + 1e-9)) - 1  # the batch in which it began
    shares = [1 - float(g) / float(n) for g, n in zip(whole_good[since:], whole[since:], strict=True) if n]
    before = _share_before(first_s, edges_s, whole_good, whole, cut)
    bad = [] if before is None else [since + int(i) for i in np.flatnonzero(_is_bad(before, whole_good, whole)[since:])]
    return Incident(
        began=began,
        detected=detected,
        mitigated=mitigated,
        recovered=recovered,
        worst_error_share=max(shares, default=None),
        bad_from_s=float(edges_s[bad[0]]) if bad else None,
        bad_until_s=float(edges_s[bad[-1] + 1]) if bad else None,
    )


def _effective(run: Sequence[Happening]) -> list[Happening]:
    """What happened without events that have no effect in this architecture."""
    idle = {one.who for one in run if one.what == NO_EFFECT}
    return [one for one in run if one.who not in idle]


def _moments(
    run: Sequence[Happening], edges_s: Floats, good: Ints, requests: Ints, cut: int
) -> tuple[float | None, float | None, float | None, float | None]:
    """When it began, was detected, mitigated and recovered from, in one replication."""
    begun = {one.who: one for one in reversed(run) if one.what == BEGINS}
    if not begun:
        return None, None, None, None
    began_ns = min(one.at_ns for one in begun.values())
    alarms = [one.at_ns for one in run if one.what == ALARM and one.at_ns >= began_ns]
    ends = {one.who: one.at_ns for one in run if one.what in OVER and one.who in begun}
    return (
        began_ns / 1e9,
        min(alarms) / 1e9 if alarms else None,
        max(ends.values()) / 1e9 if set(ends) == set(begun) else None,
        _recovered_s(began_ns / 1e9, max(ends.values()) / 1e9, edges_s, good, requests, cut) if ends else None,
    )


def _recovered_s(began_s: float, last_s: float, edges_s: Floats, good: Ints, requests: Ints, cut: int) -> float | None:
    before = _share_before(began_s, edges_s, good, requests, cut)
    if before is None:
        return None
    bad = np.flatnonzero(_is_bad(before, good, requests))
    after = int(np.searchsorted(edges_s, last_s - 1e-9))
    batch = max(after, int(bad[-1]) + 1 if bad.size else 0)
    return float(edges_s[batch]) if requests[batch:].any() else None


def _share_before(began_s: float, edges_s: Floats, good: Ints, requests: Ints, cut: int) -> float | None:
    """Good share in the whole batches between the warm-up and the first event, or before it if there are none."""
    until = int(np.searchsorted(edges_s, began_s + 1e-9)) - 1
    begin = cut if requests[cut:until].any() else 0
    all_before = int(requests[begin:until].sum())
    return float(good[begin:until].sum()) / all_before if all_before else None


def _is_bad(before: float, good: Ints, requests: Ints) -> npt.NDArray[np.bool_]:
    found: npt.NDArray[np.bool_] = good < _BACK * before * requests - 1e-9
    return found
