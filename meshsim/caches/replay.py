"""Replaying a trace of keys through a cache, and what the trace says by itself."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from meshsim.caches.policies import Cache
from meshsim.caches.traces import KeyTrace


@dataclass(frozen=True, slots=True)
class Replay:
    """What a cache answered of a trace, from empty on.

    Attributes
    ----------
    requests, requested_bytes
        All of them.
    hits, hit_bytes
        Those that the cache answered; bytes as the requests tell them.
    """

    requests: int
    hits: int
    requested_bytes: int
    hit_bytes: int

    @property
    def hit_ratio(self) -> float:
        """Share of the requests that were hits."""
        return self.hits / self.requests

    @property
    def byte_hit_ratio(self) -> float | None:
        """Share of the bytes; None if there were none."""
        return self.hit_bytes / self.requested_bytes if self.requested_bytes else None


@dataclass(frozen=True, slots=True)
class Extent:
    """What no cache can change about a trace.

    Attributes
    ----------
    requests
        How many there are.
    duration_s
        From the first to the last.
    objects
        Different keys: as many requests are the first of their key, and are missed by every cache (compulsory misses).
    one_hit_wonders
        Objects that are asked for only once.
    working_set_bytes
        Bytes of all objects, each with the size of its first request.
    requested_bytes
        Bytes of all requests.
    """

    requests: int
    duration_s: float
    objects: int
    one_hit_wonders: int
    working_set_bytes: int
    requested_bytes: int

    @property
    def compulsory_miss_ratio(self) -> float:
        """Share of the requests that are the first of their key."""
        return self.objects / self.requests


def replay(trace: KeyTrace, cache: Cache) -> Replay:
    r"""Ask a cache for every key of a trace, and put in what it misses.

    Examples
    --------
    >>> from meshsim.caches.policies import LRU, Limits
    >>> from meshsim.caches.traces import parse_trace
    >>> trace = parse_trace(b"0,a,30\n1,b,10\n2,a,30\n", "csv", "example.csv")
    >>> found = replay(trace, LRU(Limits(capacity_entries=2)))
    >>> found.hits, found.hit_bytes, found.requested_bytes
    (1, 30, 70)
    """
    hits = hit_bytes = 0
    lookup, insert = cache.lookup, cache.insert
    columns = (trace.time_s.tolist(), trace.key.tolist(), trace.size_bytes.tolist())  # Python's numbers hash faster
    for time_s, key, size_bytes in zip(*columns, strict=True):
        if lookup(key, time_s):
            hits += 1
            hit_bytes += size_bytes
        else:
            insert(key, size_bytes, time_s)
    return Replay(len(trace), hits, int(trace.size_bytes.sum()), hit_bytes)


def extent(trace: KeyTrace) -> Extent:
    r"""Count objects and bytes of a trace.

    Examples
    --------
    >>> from meshsim.caches.traces import parse_trace
    >>> found = extent(parse_trace(b"0,a,30\n1,b,10\n2,a,30\n", "csv", "example.csv"))
    >>> found.objects, found.one_hit_wonders, found.working_set_bytes
    (2, 1, 40)
    """
    _, first, times = np.unique(trace.key, return_index=True, return_counts=True)
    return Extent(
        requests=len(trace),
        duration_s=float(trace.time_s[-1] - trace.time_s[0]),
        objects=len(first),
        one_hit_wonders=int((times == 1).sum()),
        working_set_bytes=int(trace.size_bytes[first].sum()),
        requested_bytes=int(trace.size_bytes.sum()),
    )
