"""Caches of replicas and proxies: what they hold, and who leaves when room is needed (rules K1 to K4)."""

from __future__ import annotations

from collections import OrderedDict
from collections.abc import Callable, Iterator
from itertools import count
from typing import TYPE_CHECKING, Any

import numpy as np
import numpy.typing as npt

from meshsim.engines import keyed
from meshsim.engines import program as p
from meshsim.engines.order import NEVER_NS
from meshsim.engines.record import BATCHES, CACHE_COUNTERS, DEGRADED, KEPT

if TYPE_CHECKING:
    from meshsim.engines.simpy.clock import Clock
    from meshsim.engines.simpy.lookups import Fetch
    from meshsim.engines.simpy.plant import Plant

_COUNTERS: tuple[str, ...] = CACHE_COUNTERS.names or ()


class Entry:
    """What a cache holds under a key."""

    __slots__ = ("expires_ns", "is_renewed", "key", "outcome", "outdated_ns", "size", "stream", "uses", "visited")

    def __init__(self, key: int, stream: int) -> None:
        self.key = key
        self.stream = stream  # that filled it
        self.size = 0
        self.expires_ns = NEVER_NS
        self.outdated_ns = -1  # when there was a write since it was got
        self.outcome = 0  # of whoever fetched it: failures are kept by negative caching
        self.is_renewed = False  # somebody is just fetching it anew
        self.uses = 1  # LFU
        self.visited = False  # SIEVE


class Order:
    """Who leaves first. `entries` is the cache's: by key, in the order of insertion."""

    def __init__(self, entries: OrderedDict[int, Entry]) -> None:
        self.entries = entries

    def added(self, entry: Entry) -> None:
        """A new entry stands at the end of `entries`."""

    def used(self, entry: Entry) -> None:
        """An entry was hit."""

    def removed(self, entry: Entry) -> None:
        """An entry is about to leave, for whatever reason."""

    def oldest(self) -> Entry | None:
        """Whoever leaves next, where that is plain: expired ones there are dropped before others are evicted."""
        return None

    def victim(self) -> Entry:
        """Choose who is evicted."""
        return next(iter(self.entries.values()))


class Fifo(Order):
    """First in, first out."""

    def oldest(self) -> Entry | None:
        """The first one."""
        return next(iter(self.entries.values()), None)


class Lru(Fifo):
    """Least recently used."""

    def used(self, entry: Entry) -> None:
        """Move it to the end."""
        self.entries.move_to_end(entry.key)


class Lfu(Order):
    """Least frequently used while it was there; of several the one that has had its count for longest."""

    def __init__(self, entries: OrderedDict[int, Entry]) -> None:
        super().__init__(entries)
        self.by_uses: dict[int, OrderedDict[int, Entry]] = {}

    def added(self, entry: Entry) -> None:
        """Count once."""
        self.by_uses.setdefault(1, OrderedDict())[entry.key] = entry

    def used(self, entry: Entry) -> None:
        """Count once more."""
        self.removed(entry)
        entry.uses += 1
        self.by_uses.setdefault(entry.uses, OrderedDict())[entry.key] = entry

    def removed(self, entry: Entry) -> None:
        """Forget its count."""
        alike = self.by_uses[entry.uses]
        del alike[entry.key]
        if not alike:
            del self.by_uses[entry.uses]

    def oldest(self) -> Entry | None:
        """The next victim."""
        return self.victim() if self.by_uses else None

    def victim(self) -> Entry:
        """The first of those with the least count."""
        return next(iter(self.by_uses[min(self.by_uses)].values()))


class Random(Order):
    """Any, by one draw; entries are numbered, and the last takes the number of one that leaves."""

    def __init__(self, entries: OrderedDict[int, Entry], draw: Callable[[], float]) -> None:
        super().__init__(entries)
        self.draw = draw
        self.numbered: list[Entry] = []
        self.number: dict[int, int] = {}

    def added(self, entry: Entry) -> None:
        """Give it the next number."""
        self.number[entry.key] = len(self.numbered)
        self.numbered.append(entry)

    def removed(self, entry: Entry) -> None:
        """Let the last one take its number."""
        at, last = self.number.pop(entry.key), self.numbered.pop()
        if last is not entry:
            self.numbered[at] = last
            self.number[last.key] = at

    def victim(self) -> Entry:
        """Draw."""
        return self.numbered[int(self.draw() * len(self.numbered))]


class Sieve(Order):
    """First in, first out, but a hand passes over those that were hit since it passed them last (NSDI 2024)."""

    def __init__(self, entries: OrderedDict[int, Entry]) -> None:
        super().__init__(entries)
        self.line: list[Entry] = []  # oldest first
        self.hand = 0

    def oldest(self) -> Entry | None:
        """The first one."""
        return self.line[0] if self.line else None

    def added(self, entry: Entry) -> None:
        """Stand at the young end."""
        self.line.append(entry)

    def used(self, entry: Entry) -> None:
        """Mark it."""
        entry.visited = True

    def removed(self, entry: Entry) -> None:
        """Close the gap; the hand stays where it is, or goes on to the next younger one."""
        at = self.line.index(entry)
        del self.line[at]
        if at < self.hand:
            self.hand -= 1
        self._round()

    def _round(self) -> None:
        if self.hand >= len(self.line):
            self.hand = 0

    def victim(self) -> Entry:
        """Go from old to young, and round, to the first that is not marked; marks are taken off on the way."""
        while self.line[self.hand].visited:
            self.line[self.hand].visited = False
            self.hand += 1
            self._round()
        return self.line[self.hand]


class CacheMeter:
    """Counters of one cache, all its stores together, for the requests of one stream."""

    lookups: int
    hits: int
    delayed: int
    stale: int
    negative: int
    outdated: int
    outdated_ns: int
    lookup_bytes: int
    hit_bytes: int
    fills: int
    evictions: int
    entries_ns: int
    bytes_ns: int

    def __init__(self, clock: Clock) -> None:
        self.clock = clock
        self.rows: list[tuple[int, ...]] = []
        self.entries = 0
        self.bytes = 0
        self.since_ns = 0
        self._start()

    def _start(self) -> None:
        for name in _COUNTERS:
            setattr(self, name, 0)

    def settle(self) -> None:
        """Bring the integrals up to now."""
        elapsed = self.clock.now_ns - self.since_ns
        self.entries_ns += self.entries * elapsed
        self.bytes_ns += self.bytes * elapsed
        self.since_ns = self.clock.now_ns

    def holds(self, entries: int, size: int) -> None:
        """Count entries that come or go."""
        self.settle()
        self.entries += entries
        self.bytes += size

    def answers_outdated(self, age_ns: int) -> None:
        """Count an answer that was outdated for so long when it was asked for; negative: it was not yet (rule K9)."""
        if age_ns >= 0:
            self.outdated += 1
            self.outdated_ns += age_ns

    def close_batch(self) -> None:
        """Write down the present batch, and count the next one from 0."""
        self.rows.append(tuple(getattr(self, name) for name in _COUNTERS))
        self._start()


class Store:
    """One cache of one replica, or of all that share it."""

    def __init__(self, row: Any, order: Callable[[OrderedDict[int, Entry]], Order], meters: list[CacheMeter]) -> None:
        self.row = row
        self.meters = meters  # by stream
        self.make = order
        self.fetches: list[Fetch] = []  # in the order in which they began
        self.entries: OrderedDict[int, Entry] = OrderedDict()
        self.empty()

    def fetching(self, key: int) -> Fetch | None:
        """The first fetch for a key that is under way."""
        return next((fetch for fetch in self.fetches if fetch.key == key), None)

    def has_answer(self, key: int, now_ns: int) -> bool:
        """An answer is there, not a failure, that may still be given; a failure does not take its place (rule K6)."""
        entry = self.entries.get(key)
        return entry is not None and entry.outcome <= DEGRADED and now_ns < entry.expires_ns + self.row.stale_ns

    def let_renew(self, key: int) -> None:
        """Whoever was renewing an entry filled nothing: the next hit may renew it (rule K4)."""
        if key in self.entries:
            self.entries[key].is_renewed = False

    def empty(self) -> None:
        """Begin cold."""
        for entry in self.entries.values():
            self.meters[entry.stream].holds(-1, -entry.size)
        self.entries = OrderedDict()
        self.order = self.make(self.entries)
        self.bytes = 0

    def insert(
        self, key: int, stream: int, size: int, expires_ns: int, outcome: int, now_ns: int, outdated_ns: int = -1
    ) -> bool:
        """Keep what was fetched, if there is or can be room for it (rule K3), and tell whether it is kept."""
        row = self.row
        entry = self.entries.get(key)
        if entry is None:
            if 0 <= row.capacity_bytes < size:
                return False
            self._make_room(size, now_ns)
            entry = self.entries[key] = Entry(key, stream)
            entry.size = size
            self.order.added(entry)
            self.bytes += size
            self.meters[stream].holds(1, size)
        entry.expires_ns = expires_ns
        entry.outcome = outcome
        entry.outdated_ns = outdated_ns
        entry.is_renewed = False
        return True

    def _make_room(self, size: int, now_ns: int) -> None:
        row = self.row
        while (oldest := self.order.oldest()) is not None and oldest.expires_ns <= now_ns - row.stale_ns:
            self.remove(oldest)
        while 0 <= row.capacity <= len(self.entries) or 0 <= row.capacity_bytes < self.bytes + size:
            victim = self.order.victim()
            self.meters[victim.stream].evictions += 1
            self.remove(victim)

    def remove(self, entry: Entry) -> None:
        """Let an entry go."""
        self.order.removed(entry)
        del self.entries[entry.key]
        self.bytes -= entry.size
        self.meters[entry.stream].holds(-1, -entry.size)


class Caches:
    """All stores and meters of a run."""

    def __init__(self, clock: Clock, plant: Plant, run_key: int) -> None:
        streams = range(len(plant.streams))
        self.rows = plant.caches
        self.meters = [[CacheMeter(clock) for _ in streams] for _ in self.rows]
        self.stores = [
            Store(row, _order(row, run_key, number), meters)
            for row, meters in zip(self.rows, self.meters, strict=True)
            for number in range(row.stores)
        ]

    def of(self, cache: int, replica: int) -> Store:
        """The store that a replica (its number within the service) asks."""
        row = self.rows[cache]
        return self.stores[row.first_store + (0 if row.shared else replica)]

    def all_of(self, cache: int) -> list[Store]:
        """All stores of a cache."""
        row = self.rows[cache]
        return self.stores[row.first_store : row.first_store + row.stores]

    def start_cold(self, service: int, before: int, after: int) -> None:
        """Replicas that come back, or go down, have nothing in their own caches (rules G3, G10)."""
        for row in self.rows:
            if row.service == service and not row.shared:
                for store in self.stores[row.first_store + before : row.first_store + after]:
                    store.empty()

    def all_meters(self) -> Iterator[CacheMeter]:
        """Every meter."""
        return (meter for of_cache in self.meters for meter in of_cache)

    def arrays(self) -> tuple[npt.NDArray[np.void], npt.NDArray[np.void]]:
        """Counters by cache, stream and batch, and what is kept at the end."""
        shape = (len(self.rows), len(self.meters[0]) if self.meters else 0, BATCHES + 1)
        counters = np.array([meter.rows for meter in self.all_meters()], dtype=CACHE_COUNTERS).reshape(shape)
        rows = [
            (cache, store, entry.stream, entry.key, entry.size)
            for cache, row in enumerate(self.rows)
            for store in range(row.stores)
            for entry in self.stores[row.first_store + store].entries.values()
        ]
        return counters, np.sort(np.array(rows, dtype=KEPT), order=["cache", "store", "key"])


def _order(row: Any, run_key: int, store: int) -> Callable[[OrderedDict[int, Entry]], Order]:
    if row.policy == p.RANDOM_CACHE:
        key = keyed.mix(keyed.mix(run_key, row.name), store)
        turns = count()
        return lambda entries: Random(entries, lambda: keyed.unit(key, keyed.EVICT, 0, next(turns)))
    return {p.LRU: Lru, p.FIFO_CACHE: Fifo, p.LFU: Lfu, p.SIEVE: Sieve}[row.policy]
