"""Caches in plain Python: one class a replacement policy, to replay traces and to hold other implementations against.

LRU, FIFO, random and LFU are those of Martina, Garetto and Leonardi (INFOCOM 2014); SIEVE is that of Zhang et al.
("SIEVE is simpler than LRU", NSDI 2024, algorithm 1).
"""

from __future__ import annotations

import math
from abc import ABC, abstractmethod
from collections import OrderedDict
from collections.abc import Callable, Hashable
from dataclasses import dataclass
from typing import Final, Literal

from meshsim.errors import InternalError, UsageError

PolicyName = Literal["lru", "fifo", "random", "lfu", "sieve"]

Draw = Callable[[int], int]  # of n, one of 0 … n - 1


@dataclass(frozen=True, slots=True)
class Limits:
    """How much a cache keeps, and for how long.

    Attributes
    ----------
    capacity_entries, capacity_bytes
        Room; None is no limit. Both may be given.
    ttl_s
        How long an entry is good for; None is for ever.
    renew
        Each hit begins the ttl anew.
    """

    capacity_entries: int | None = None
    capacity_bytes: int | None = None
    ttl_s: float | None = None
    renew: bool = False

    def __post_init__(self) -> None:
        for what in ("capacity_entries", "capacity_bytes", "ttl_s"):
            value = getattr(self, what)
            if value is not None and not value > 0:
                raise UsageError(f"a cache with {what} {value} keeps nothing; give more than 0")


@dataclass(slots=True)
class _Entry:
    size_bytes: int
    expires_s: float  # infinity without a ttl


class Cache(ABC):
    """What all policies share: room, time, and the order of `lookup` before `insert`.

    An entry whose time is over (from the very instant on) is a miss. It takes room until it is looked up, until it is
    evicted, or until something is inserted while it is at the end from which the policy evicts: the oldest of FIFO and
    SIEVE, the least recently or least frequently used. The random policy has no such end.

    Examples
    --------
    >>> cache = LRU(Limits(capacity_entries=2))
    >>> for key in "aba":
    ...     if not cache.lookup(key, 0.0):
    ...         cache.insert(key, 10, 0.0)
    >>> len(cache), cache.bytes
    (2, 20)
    """

    def __init__(self, limits: Limits) -> None:
        self.bytes = 0  #: that its entries take now
        self._capacity_entries = limits.capacity_entries
        self._capacity_bytes = limits.capacity_bytes
        self._ttl_s = math.inf if limits.ttl_s is None else limits.ttl_s
        self._renew = limits.renew
        self._entries: OrderedDict[Hashable, _Entry] = OrderedDict()

    def __len__(self) -> int:
        """Entries, those included whose time is over but which are still there."""
        return len(self._entries)

    def lookup(self, key: Hashable, now_s: float) -> bool:
        """Whether the object is there and still good; this counts as its use."""
        entry = self._entries.get(key)
        if entry is None:
            return False
        if now_s >= entry.expires_s:
            self._drop(key)
            return False
        if self._renew:
            entry.expires_s = now_s + self._ttl_s
        self._used(key)
        return True

    def insert(self, key: Hashable, size_bytes: int, now_s: float) -> None:
        """Keep an object that `lookup` has just missed; one that is larger than the whole cache is not kept."""
        if key in self._entries:
            raise InternalError(f"{key!r} is in the cache already: insert only what lookup has missed")
        if self._capacity_bytes is not None and size_bytes > self._capacity_bytes:
            return
        while (end := self._end()) is not None and now_s >= self._entries[end].expires_s:
            self._drop(end)
        while not self._fits(size_bytes):
            self._drop(self._victim())
        self._entries[key] = _Entry(size_bytes, now_s + self._ttl_s)
        self.bytes += size_bytes
        self._added(key)

    def _fits(self, size_bytes: int) -> bool:
        if self._capacity_entries is not None and len(self._entries) >= self._capacity_entries:
            return False
        return self._capacity_bytes is None or self.bytes + size_bytes <= self._capacity_bytes

    def _drop(self, key: Hashable) -> None:
        self._dropped(key)
        self.bytes -= self._entries.pop(key).size_bytes

    def _added(self, key: Hashable) -> None:  # noqa: B027 - the order of _entries is that of insertion: enough for FIFO
        """Take note of a new entry."""

    def _used(self, key: Hashable) -> None:  # noqa: B027
        """Take note of a hit."""

    def _dropped(self, key: Hashable) -> None:  # noqa: B027
        """Take note that an entry, which is still in `_entries`, goes."""

    @abstractmethod
    def _end(self) -> Hashable | None:
        """Entry at the end from which the policy evicts; None if there is none."""

    @abstractmethod
    def _victim(self) -> Hashable:
        """Entry to evict; there is at least one."""


class FIFO(Cache):
    """First in, first out: hits change nothing."""

    def _end(self) -> Hashable | None:
        return next(iter(self._entries), None)

    def _victim(self) -> Hashable:
        return next(iter(self._entries))


class LRU(FIFO):
    """Evicts what has not been used for longest."""

    def _used(self, key: Hashable) -> None:
        self._entries.move_to_end(key)


class Random(Cache):
    """Evicts any entry, all alike.

    Parameters
    ----------
    limits
        Room and time.
    draw
        Gives one of 0 … n - 1, e.g. `numpy.random.default_rng(1).integers`.
    """

    def __init__(self, limits: Limits, draw: Draw) -> None:
        super().__init__(limits)
        self._draw = draw
        self._keys: list[Hashable] = []
        self._place: dict[Hashable, int] = {}

    def _added(self, key: Hashable) -> None:
        self._place[key] = len(self._keys)
        self._keys.append(key)

    def _dropped(self, key: Hashable) -> None:
        """The last one takes the place of the one that goes, so that both steps are short."""
        last = self._keys.pop()
        place = self._place.pop(key)
        if last != key:
            self._keys[place] = last
            self._place[last] = place

    def _end(self) -> Hashable | None:
        return None

    def _victim(self) -> Hashable:
        return self._keys[int(self._draw(len(self._keys)))]


class LFU(Cache):
    """Evicts what was used least often since it came; among those, what has had its count for longest.

    A new object has count 1, and counts are forgotten on eviction ("in-cache LFU"): a full cache lets in what it misses
    and most often evicts just that at the next miss, so it has one place less for what is popular.
    """

    def __init__(self, limits: Limits) -> None:
        super().__init__(limits)
        self._count: dict[Hashable, int] = {}
        self._with_count: dict[int, OrderedDict[Hashable, None]] = {}
        self._least = 1  # a count that may have no entries any more

    def _set_count(self, key: Hashable, count: int) -> None:
        self._count[key] = count
        self._with_count.setdefault(count, OrderedDict())[key] = None

    def _forget_count(self, key: Hashable) -> int:
        count = self._count.pop(key)
        same = self._with_count[count]
        del same[key]
        if not same:
            del self._with_count[count]
        return count

    def _added(self, key: Hashable) -> None:
        self._set_count(key, 1)
        self._least = 1

    def _used(self, key: Hashable) -> None:
        self._set_count(key, self._forget_count(key) + 1)

    def _dropped(self, key: Hashable) -> None:
        self._forget_count(key)

    def _end(self) -> Hashable | None:
        return self._victim() if self._entries else None

    def _victim(self) -> Hashable:
        if self._least not in self._with_count:
            self._least = min(self._with_count)
        return next(iter(self._with_count[self._least]))


@dataclass(slots=True, eq=False)
class _Link:
    """A place in SIEVE's queue."""

    key: Hashable
    older: _Link | None = None
    newer: _Link | None = None
    visited: bool = False


class SIEVE(Cache):
    """A queue whose hits only leave a mark, and a hand that takes marks away and evicts the first without one.

    The hand goes from the oldest to the newest and then begins anew; what survives keeps its place in the queue.
    """

    def __init__(self, limits: Limits) -> None:
        super().__init__(limits)
        self._links: dict[Hashable, _Link] = {}
        self._newest: _Link | None = None
        self._oldest: _Link | None = None
        self._hand: _Link | None = None  # None: at the oldest

    def _added(self, key: Hashable) -> None:
        link = self._links[key] = _Link(key, older=self._newest)
        if self._newest is None:
            self._oldest = link
        else:
            self._newest.newer = link
        self._newest = link

    def _used(self, key: Hashable) -> None:
        self._links[key].visited = True

    def _dropped(self, key: Hashable) -> None:
        link = self._links.pop(key)
        if link is self._hand:
            self._hand = link.newer
        if link.older is None:
            self._oldest = link.newer
        else:
            link.older.newer = link.newer
        if link.newer is None:
            self._newest = link.older
        else:
            link.newer.older = link.older

    def _end(self) -> Hashable | None:
        return None if self._oldest is None else self._oldest.key

    def _victim(self) -> Hashable:
        link = self._hand or self._oldest
        while link is not None and link.visited:
            link.visited = False
            link = link.newer or self._oldest
        if link is None:
            raise InternalError("a cache without entries was asked to evict one")
        self._hand = link
        return link.key


_BY_NAME: Final[dict[str, type[Cache]]] = {"lru": LRU, "fifo": FIFO, "lfu": LFU, "sieve": SIEVE}

#: Names of all policies.
POLICIES: Final[tuple[PolicyName, ...]] = ("lru", "fifo", "random", "lfu", "sieve")


def make_cache(policy: PolicyName, limits: Limits, draw: Draw | None = None) -> Cache:
    """An empty cache of a policy that is told by name.

    Parameters
    ----------
    policy
        One of `POLICIES`.
    limits
        Room and time.
    draw
        As of `Random`; needed for that policy, and not used by others.

    Examples
    --------
    >>> type(make_cache("sieve", Limits(capacity_entries=3))).__name__
    'SIEVE'
    """
    if policy == "random":
        if draw is None:
            raise UsageError("the random policy needs draw, e.g. numpy.random.default_rng(1).integers")
        return Random(limits, draw)
    if policy not in _BY_NAME:
        raise UsageError(f"there is no policy '{policy}'; there are {', '.join(POLICIES)}")
    return _BY_NAME[policy](limits)
