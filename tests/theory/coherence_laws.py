"""What caches answer when what they keep changes: reads and writes of one item are Poisson with rates λ and w.

Cycles begin when the cache is asked for what it has not; a share is what a cycle has of something, over its reads
(renewal and reward; Ross, "Stochastic Processes", 3.6). Reads see time averages (Wolff 1982, PASTA).
"""

from __future__ import annotations

import math
from collections.abc import Callable
from typing import NamedTuple

import numpy as np
import numpy.typing as npt

Floats = npt.NDArray[np.float64]


class Outdated(NamedTuple):
    """Share of the reads that are hits, share that gets what a write has made untrue, mean age of these writes."""

    hits: float
    outdated: float
    age: float


def within_ttl(read: float, write: float, ttl: float) -> Outdated:
    """Nobody hears of writes. An entry that is t old is outdated with 1 − exp(−wt), its age min(t, first write) short
    of t: integrals over its life.
    """
    cycle = 1.0 + read * ttl
    gone = -math.expm1(-write * ttl) / write
    ages = ttl * ttl / 2.0 - ttl / write + gone / write
    return Outdated(read * ttl / cycle, read * (ttl - gone) / cycle, ages / (ttl - gone))


def invalidated(read: float, write: float, heard_later: Callable[[Floats], Floats]) -> Outdated:
    """Each write is heard of after a delay of its own, and what is there then goes, whoever put it in.

    The instants of hearing are the departures of M/G/∞, a Poisson process of rate w (Mirasol 1963), so a read is a hit
    if the last event before it was a read: λ/(λ + w). An entry that is g old, which is exponential with w, has seen
    nobody hear. Writes that are heard of later are a Poisson process apart from that, with rate w·still(u) at u before
    now, `still` the chance that a delay is longer than u: the entry is outdated by those since it came, and the first
    of these is older than a with 1 − exp(−w∫still over (a, g)). `heard_later` is the integral of `still` from 0 on.
    """
    g = np.linspace(0.0, 16.0 / write, 1601)  # trapezes; exp(-16) of all entries become older
    step = g[1]
    until = heard_later(g)
    of_age = write * np.exp(-write * g)
    hits = read / (read + write)
    outdated = float(np.trapezoid(of_age * -np.expm1(-write * until), dx=step))
    later = np.clip(until[:, None] - until[None, :], 0.0, None)  # (age of the entry, of the write)
    ages = float(np.trapezoid(of_age * np.trapezoid(-np.expm1(-write * later), dx=step, axis=1), dx=step))
    return Outdated(hits, hits * outdated, ages / outdated)


class Fetched(NamedTuple):
    """Shares of the reads that are hits, that wait for another one's fetch, that get something outdated; its age."""

    hits: float
    delayed: float
    outdated: float
    age: float


def fetched_during_writes(read: float, write: float, fetch: float, *, leases: bool) -> Fetched:
    """Writes are heard of at once, and one fetches for all. What was fetched during a write is outdated until the next
    write, or, with leases, not put in. Who asks after the write and waits for that fetch gets something outdated too.
    """
    clean = math.exp(-write * fetch)
    hits = (clean if leases else 1.0) * read / write
    cycle = 1.0 + read * fetch + hits
    outdated = 0.0 if leases else (1.0 - clean) * read / write
    since = fetch - (1.0 / write - fetch * clean / (1.0 - clean))  # from the first write to the end of the fetch
    # a read at t of the fetch is behind the first write by (t - T)+, T exponential: integrals of its law over the fetch
    waiting = read * (fetch - (1.0 - clean) / write)
    waited = read * (fetch**2 / 2.0 - fetch / write + (1.0 - clean) / write**2)
    age = (outdated * (since + 1.0 / write) + waited) / (outdated + waiting)
    return Fetched(hits / cycle, read * fetch / cycle, (outdated + waiting) / cycle, age)


class Renewed(NamedTuple):
    """Shares of the reads that are hits, that get something whose time is over, that wait for another one's fetch."""

    hits: float
    stale: float
    delayed: float


def renewed_behind(read: float, ttl: float, stale: float, fetch: float) -> Renewed:
    """Cycles begin when an entry is put in. The first read after its ttl fetches: behind a stale answer if it comes
    within `stale`, else as a miss. Others during the fetch get stale answers as long as there are any, then wait.
    """
    cycle = 1.0 + read * (ttl + fetch)
    both = min(fetch, stale)
    late = math.exp(-read * stale)
    answered = both - late * math.expm1(read * both) / read  # of the fetch, the time in which there are stale answers
    old = 1.0 - late + read * answered
    return Renewed((read * ttl + old) / cycle, old / cycle, read * (fetch - answered) / cycle)


class Kept(NamedTuple):
    """Shares of the reads that are hits, that get a kept failure, that wait for another one's fetch."""

    hits: float
    failures: float
    delayed: float


def failures_kept(read: float, ttl: float, kept: float, fetch: float, p: float) -> Kept:
    """A fetch fails with p, and then that is kept as long as an answer would be, or less."""
    failures, answers = p * read * kept, (1.0 - p) * read * ttl
    cycle = 1.0 + read * fetch + failures + answers
    return Kept((failures + answers) / cycle, failures / cycle, read * fetch / cycle)
