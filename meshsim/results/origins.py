"""Where failures began in sampled requests, and which calls passed them on or absorbed them.

A frame that fails *takes over* the failure of the call, or of the branch, that it met last, if its own outcome is the
same one, or a 503 made of a broken or refused connection (rule S6). Otherwise the failure began at this frame: a fail
step, a full queue, a breaker or a rate limit of its own. Where somebody gave up waiting, the failure began where the
request was at that instant: from the call that was given up one goes down the chain of those who were waiting
themselves. Failures that a cache kept, or that another frame's fetch met (rules K2, K5), begin where the cache is.

Some things are told as well as spans allow. An application whose optional call fails, and which then fails by itself in
the same instant with the same outcome, is taken for one that passed the failure on only where some of its calls to
that endpoint would. Tries that an enforcer turned away have no spans, nor has its back-off: what a timeout meets there
begins at the enforcer.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from functools import cached_property

import numpy as np
import numpy.typing as npt

from meshsim.architectures.plane import Plane
from meshsim.architectures.walk import calls_in
from meshsim.engines.record import CONNECT_FAILURE, DEGRADED, E503, OK, RESET, TIMEOUT, UNFINISHED
from meshsim.results.paths import Bools, Paths
from meshsim.results.quantiles import Ints

_NOTHING = -1  # heard, or taken over
_FAR = np.iinfo(np.int64).max


@dataclass(frozen=True, slots=True, eq=False)
class Failures:
    """What became of failures in the sampled requests of one replication; by frame, as in `Paths`.

    Attributes
    ----------
    passed_on
        A call that failed, with whose failure the caller failed too; or that was under way, at a place that an
        application or a client waited for, when somebody further up gave up.
    absorbed
        A call that failed, and the caller went on: it tried again, could do without it or did not wait for it.
    degrading
        Of those, the ones that left their caller degraded.
    chains
        For each failed request its number, its frames from where the failure began up to the entry, and the outcome
        with which it began.
    """

    passed_on: Bools
    absorbed: Bools
    degrading: Bools
    chains: list[tuple[int, list[int], int]]


def find_failures(paths: Paths, rows: npt.NDArray[np.void], plane: Plane) -> Failures:
    """Follow every failure from where it began.

    Parameters
    ----------
    paths, rows
        Frames of one replication, and the ``REQUESTS`` rows of the same requests.
    plane
        What was simulated.
    """
    return _Finder(paths, rows, Pairs.of(plane)).found()


@dataclass(frozen=True, slots=True, eq=False)
class Pairs:
    """Which calls of applications pass failures on: by numbers of the calling and the called endpoint.

    Attributes
    ----------
    endpoints
        How many there are.
    passing
        Keys ``caller * endpoints + called`` where a call would fail its caller.
    sparing
        Where one is optional or has a fallback.
    """

    endpoints: int
    passing: Ints
    sparing: Ints

    @classmethod
    def of(cls, plane: Plane) -> Pairs:
        """Look up the calls of a plane."""
        names = [(service.name, endpoint) for service in plane.services for endpoint in service.endpoints]
        number = {name: i for i, name in enumerate(names)}
        passing: set[int] = set()
        sparing: set[int] = set()
        for service in plane.services:
            for endpoint, versions in service.endpoints.items():
                for call in calls_in(step for steps in versions for step in steps):
                    key = number[service.name, endpoint] * len(names) + number[call.hop.to, call.hop.endpoint]
                    spared = call.call.optional or call.fallback is not None
                    (sparing if spared else passing).add(key)
        return cls(len(names), _sorted(passing), _sorted(sparing))


def _sorted(keys: Iterable[int]) -> Ints:
    return np.array(sorted(keys), dtype=np.int64)


# `dataclass(slots=True)` leaves no room for cached properties
@dataclass(frozen=True, eq=False)
class _Finder:
    """One search under way. Arrays are by frame."""

    paths: Paths
    rows: npt.NDArray[np.void]
    pairs: Pairs

    def found(self) -> Failures:
        chains = _Chains(self)
        call = self.is_call | self.is_root
        failed = (call & (self.heard > DEGRADED)) | self.given_up
        under_way = np.zeros(failed.size, dtype=bool)
        for frame in np.flatnonzero(self.given_up).tolist():
            under_way[chains.open_below(frame)] = True
        under_way &= call
        passed_on = (failed & self._passed_on()) | under_way
        absorbed = failed & ~passed_on
        return Failures(passed_on, absorbed, absorbed & self._degrades(), self._chains_of_requests(chains))

    def _chains_of_requests(self, chains: _Chains) -> list[tuple[int, list[int], int]]:
        roots = np.flatnonzero(self.is_root & (self.heard > DEGRADED))
        pairs = zip(self.paths.row[roots].tolist(), roots.tolist(), strict=True)
        return [(row, *chains.from_origin(root)) for row, root in pairs]

    # -- what callers heard -----------------------------------------------------------------------------------

    @cached_property
    def is_root(self) -> Bools:
        root: Bools = self.paths.parent < 0
        return root

    @cached_property
    def is_call(self) -> Bools:
        """A call of a frame; neither a branch nor the client's own."""
        call: Bools = (self.paths.spans["endpoint"] >= 0) & ~self.is_root
        return call

    @cached_property
    def outcome(self) -> Ints:
        outcome: Ints = self.paths.spans["outcome"].astype(np.int64)
        return outcome

    @cached_property
    def heard(self) -> Ints:
        """Outcome that the caller was answered with, or took the place of one; `_NOTHING` where it did not wait."""
        refused = self.outcome == UNFINISHED  # answered, yet the message never reached a frame: nobody listened there
        answered = self.paths.spans["returned_ns"] >= 0
        heard: Ints = np.where(answered, np.where(refused, CONNECT_FAILURE, self.outcome), _NOTHING)
        heard[self.is_root] = self.rows["outcome"][self.paths.row[self.is_root]]
        return heard

    @cached_property
    def given_up(self) -> Bools:
        """The caller waited no longer, since its time was over; not because it was stopped or had another answer."""
        paths, above, left = self.paths, self.paths.parent, self.paths.spans["left_ns"]
        end = paths.until_ns[self.is_root][paths.row]
        waiting = self.is_call & (paths.spans["returned_ns"] < 0)
        unfinished = (left[above] < 0) & (paths.until_ns == end)
        fell = (self.outcome[above] < 0) | (self.outcome[above] == RESET)
        stopped = (paths.until_ns == left[above]) & fell
        found: Bools = waiting & ~unfinished & ~stopped & ~self._outrun()
        taken = self.cause[self.cause >= 0]
        found[taken[waiting[taken]]] = True
        by_client = self.is_root & (self.heard == TIMEOUT) & (self.outcome != TIMEOUT)
        both: Bools = found | by_client
        return both

    def _outrun(self) -> Bools:
        """Tries that were given up when the enforcer had the answer of another one."""
        paths = self.paths
        tries = np.flatnonzero(self.is_call & paths.enforcer[paths.parent])
        won = tries[paths.gates[tries] & (self.heard[tries] >= OK)]
        answered = np.full(paths.parent.size, -1)
        answered[paths.parent[won]] = paths.until_ns[won]
        found = np.zeros(paths.parent.size, dtype=bool)
        found[tries] = answered[paths.parent[tries]] == paths.until_ns[tries]
        return found

    # -- who took over whose failure --------------------------------------------------------------------------

    @cached_property
    def fails(self) -> Bools:
        """It failed while it ran: those turned away at the door met nobody."""
        found: Bools = (self.outcome > DEGRADED) & (self.outcome < UNFINISHED) & (self.paths.spans["admitted_ns"] >= 0)
        return found

    @cached_property
    def cause(self) -> Ints:
        """The call or branch whose failure a frame took over; `_NOTHING` where its failure began with it."""
        last = self._last()
        found = np.full(last.size, _NOTHING, dtype=np.int64)
        frames = np.flatnonzero(self.fails & (last >= 0))
        enforcers = frames[self.paths.enforcer[frames]]
        others = frames[~self.paths.enforcer[frames]]
        took = self._took_over(others, last[others])
        found[others[took]] = last[others[took]]
        found[enforcers] = self._tries_taken_over()[enforcers]
        return found

    def _last(self) -> Ints:
        """Of every frame, the last call or decided fork that it waited for."""
        paths = self.paths
        decided = ~self.is_root & (paths.spans["endpoint"] < 0) & paths.gates
        met = np.flatnonzero(self.is_call | decided)
        last = np.full(paths.parent.size, _NOTHING, dtype=np.int64)
        np.maximum.at(last, paths.parent[met], met)
        return last

    def _took_over(self, frames: Ints, met: Ints) -> Bools:
        """Whether frames that are no enforcers failed with what they met last."""
        paths = self.paths
        in_proxy, call = paths.in_proxy[frames], self.is_call[met]
        key = paths.endpoint[frames] * self.pairs.endpoints + paths.endpoint[met]
        may = in_proxy | ~call | np.isin(key, self.pairs.passing)
        # an application ends in the instant of the answer; a proxy still works on it, and does nothing else
        returned = paths.spans["returned_ns"][met]
        on_time = in_proxy | (returned == paths.spans["left_ns"][frames])
        answered = (returned >= 0) & on_time & self._is_same(frames, met)
        gave_up = (returned < 0) & call & ~in_proxy & (self.outcome[frames] == TIMEOUT)
        took: Bools = may & (answered | gave_up)
        return took

    def _is_same(self, frames: Ints, met: Ints) -> Bools:
        """The frame's outcome is what it heard, or the 503 that it makes of a connection's failure (rule S6)."""
        heard, own = self.heard[met], self.outcome[frames]
        of_connection = self.is_call[met] & np.isin(heard, (RESET, CONNECT_FAILURE))
        never_as_such = of_connection & ~self.paths.in_proxy[frames]
        same: Bools = ((heard == own) & ~never_as_such) | (of_connection & (own == E503))
        return same

    def _tries_taken_over(self) -> Ints:
        """Of enforcers the try that they failed with: the one answered last, or the first that was open at the end."""
        paths, spans = self.paths, self.paths.spans
        frames = np.arange(paths.parent.size)
        worked = spans["demand_ns"] + spans["cpu_wait_ns"]
        tries = np.flatnonzero(self.is_call & paths.enforcer[paths.parent])
        answered, open_ones = tries[spans["returned_ns"][tries] >= 0], tries[spans["returned_ns"][tries] < 0]
        answer = _latest(answered, paths.parent, spans["returned_ns"], first=False)
        returned = np.where(answer >= 0, spans["returned_ns"][answer], -_FAR)
        # who did something else since then, such as backing off, did not end with this try
        passes = (answer >= 0) & self._is_same(frames, answer) & (spans["left_ns"] <= returned + worked)
        open_one = _latest(open_ones, paths.parent, paths.until_ns, first=True)
        until = np.where(open_one >= 0, paths.until_ns[open_one], -_FAR)
        gave_up = (open_one >= 0) & (self.outcome == TIMEOUT) & (spans["left_ns"] <= until + worked)
        gave_up &= ~passes | (until > returned)
        found: Ints = np.where(gave_up, open_one, np.where(passes, answer, _NOTHING))
        return found

    # -- what became of it ------------------------------------------------------------------------------------

    def _passed_on(self) -> Bools:
        """The frame that made the call failed with it, through branches where it was made in one."""
        paths = self.paths
        frames = np.arange(paths.parent.size)
        passed: Bools = self.is_root | (self.cause[paths.parent] == frames)
        up = paths.parent.copy()
        while (inside := (up >= 0) & (paths.spans["endpoint"][up] < 0)).any():
            passed &= ~inside | (self.cause[paths.parent[up]] == up)
            up = np.where(inside, paths.parent[up], up)
        return passed

    def _degrades(self) -> Bools:
        """Calls after which an application was degraded, if they failed: optional ones, and those with a fallback."""
        paths = self.paths
        key = paths.endpoint[paths.parent] * self.pairs.endpoints + paths.endpoint
        spared = np.isin(key, self.pairs.sparing) & (self.outcome[paths.parent] == DEGRADED)
        degrades: Bools = self.is_call & ~paths.in_proxy[paths.parent] & spared & ~self._tried_again()
        return degrades

    def _tried_again(self) -> Bools:
        """Another try of the same call followed."""
        paths, calls = self.paths, np.flatnonzero(self.is_call)
        calls = calls[np.argsort(paths.parent[calls], kind="stable")]
        one, other = calls[:-1], calls[1:]
        again = (paths.parent[one] == paths.parent[other]) & (paths.endpoint[one] == paths.endpoint[other])
        again &= paths.spans["attempt"][other] == paths.spans["attempt"][one] + 1
        found = np.zeros(paths.parent.size, dtype=bool)
        found[one[again]] = True
        return found


def _latest(frames: Ints, parent: Ints, at_ns: Ints, *, first: bool) -> Ints:
    """Of every parent the one of these frames that is latest; of several the first or the last one; else nothing."""
    tie = -frames if first else frames
    order = frames[np.lexsort((tie, at_ns[frames], parent[frames]))]
    found = np.full(parent.size, _NOTHING, dtype=np.int64)
    found[parent[order]] = order  # the last one stays
    return found


# -- one failure -----------------------------------------------------------------------------------------------------


class _Chains:
    """Follows single failures downwards: plain lists, which are several times faster than arrays for that."""

    def __init__(self, finder: _Finder) -> None:
        paths, spans = finder.paths, finder.paths.spans
        self.cause: list[int] = finder.cause.tolist()
        self.heard: list[int] = finder.heard.tolist()
        self.given_up: list[bool] = finder.given_up.tolist()
        self.until: list[int] = _given_up_at(finder).tolist()
        self.is_call: list[bool] = (spans["endpoint"] >= 0).tolist()
        self.joined: list[int] = spans["joined"].tolist()
        self.gates: list[bool] = paths.gates.tolist()
        self.in_proxy: list[bool] = paths.in_proxy.tolist()
        self.sent: list[int] = spans["sent_ns"].tolist()
        self.left: list[int] = spans["left_ns"].tolist()
        self.returned: list[int] = spans["returned_ns"].tolist()
        order = np.argsort(paths.parent, kind="stable")
        self.children: list[int] = order.tolist()
        self.first: list[int] = np.searchsorted(paths.parent[order], np.arange(order.size + 1)).tolist()

    def from_origin(self, frame: int) -> tuple[list[int], int]:
        """Frames from where a failure began up to the one that answered with it, and the outcome at the first."""
        found = [frame]
        while not self.given_up[frame] and self.cause[frame] >= 0:
            frame = self.cause[frame]
            found.append(frame)
        if self.given_up[frame]:
            return [*found, *self.open_below(frame)][::-1], TIMEOUT
        return found[::-1], self.heard[frame]

    def open_below(self, frame: int) -> list[int]:
        """Whom a call that was given up waited for at that instant, and so on downwards."""
        found, at_ns = [], self.until[frame]
        while (below := self._waited_for(frame, at_ns)) is not None:
            frame = below
            found.append(frame)
        return found

    def _waited_for(self, frame: int, at_ns: int) -> int | None:
        """The call or branch that a frame waited for at an instant; None if it had ended or did something itself."""
        if 0 <= self.left[frame] < at_ns:
            return None
        begun = [k for k in self.children[self.first[frame] : self.first[frame + 1]] if self.sent[k] <= at_ns]
        calls = [k for k in begun if self.is_call[k] and self._is_open(k, at_ns)]
        if calls:
            return calls[0]
        branches = [k for k in begun if self.joined[k] and not self.is_call[k]]
        fork = [k for k in branches if self.sent[k] == self.sent[branches[-1]]]
        decided = [k for k in fork if self.gates[k] and self.left[k] >= 0]
        if decided:
            return decided[0] if self.left[decided[0]] >= at_ns else None
        return next((k for k in fork if not 0 <= self.left[k] < at_ns), None)

    def _is_open(self, call: int, at_ns: int) -> bool:
        """An answer that comes at the very instant counts (rule T6); who gives up then was still waiting."""
        if self.returned[call] >= 0:
            return self.returned[call] > at_ns
        return self.until[call] >= at_ns


def _given_up_at(finder: _Finder) -> Ints:
    """When calls were given up; an application that fails for it ends in that instant, whatever its timeout."""
    paths = finder.paths
    until = paths.until_ns.copy()
    frames = np.flatnonzero((finder.cause >= 0) & ~paths.in_proxy)
    met = finder.cause[frames]
    gave_up = paths.spans["returned_ns"][met] < 0
    until[met[gave_up]] = paths.spans["left_ns"][frames[gave_up]]
    return until
