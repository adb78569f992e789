"""Caches of replicas and proxies: what they hold, and who leaves when room is needed (rules K1 to K4).

A store has a region of `kept`, one of `uses` beside it (counts of LFU), and one of `places`, where an entry is found by
its key: open addressing with linear probing. All links are numbers within the region, so that a store moves to a larger
one as it is (`growth`).
"""

from __future__ import annotations

from typing import Any

import numpy as np

from meshsim.engines import keyed
from meshsim.engines.compiled.rows import NONE
from meshsim.engines.compiled.state import Kernel
from meshsim.engines.jit import compiled
from meshsim.engines.keyed import unit
from meshsim.engines.program import LFU, LRU, RANDOM_CACHE, SIEVE

_HALF: Any = np.uint64(33)  # of a key: what remains is never negative


@compiled()
def store_of(k: Kernel, cache: int, replica: int) -> int:
    """The store that a replica asks."""
    c = k.caches[cache]
    return c.first_store if c.shared else c.first_store + replica - k.services[c.service].first_replica


# -- where entries are -------------------------------------------------------------------------------------------


@compiled()
def _home(k: Kernel, store: int, key: int) -> int:
    return int(key >> _HALF) & k.stores[store].mask


@compiled(inline=False)
def find(k: Kernel, store: int, key: int) -> int:
    """Number of the entry with a key; NONE."""
    s = k.stores[store]
    at = _home(k, store, key)
    while True:
        entry = k.places[s.first_place + at]
        if entry == NONE or k.kept[s.first + entry].key == key:
            return entry
        at = (at + 1) & s.mask


@compiled()
def place(k: Kernel, store: int, entry: int) -> None:
    """Enter an entry under its key."""
    s = k.stores[store]
    at = _home(k, store, k.kept[s.first + entry].key)
    while k.places[s.first_place + at] != NONE:
        at = (at + 1) & s.mask
    k.places[s.first_place + at] = entry


@compiled(entry=True)
def place_all(k: Kernel, store: int, first: int, places: int) -> None:
    """Enter the entries that stood in other places."""
    for at in range(first, first + places):
        if k.places[at] != NONE:
            place(k, store, int(k.places[at]))


@compiled()
def _slot_of(k: Kernel, store: int, entry: int) -> int:
    s = k.stores[store]
    at = _home(k, store, k.kept[s.first + entry].key)
    while k.places[s.first_place + at] != entry:
        at = (at + 1) & s.mask
    return at


@compiled()
def _displace(k: Kernel, store: int, entry: int) -> None:
    """Take an entry out, and move those up that only stood behind it for want of room."""
    s = k.stores[store]
    gap = _slot_of(k, store, entry)
    at = (gap + 1) & s.mask
    while k.places[s.first_place + at] != NONE:
        other = k.places[s.first_place + at]
        home = _home(k, store, k.kept[s.first + other].key)
        if ((at - home) & s.mask) >= ((at - gap) & s.mask):
            k.places[s.first_place + gap] = other
            gap = at
        at = (at + 1) & s.mask
    k.places[s.first_place + gap] = NONE


# -- the order in which they leave -------------------------------------------------------------------------------


@compiled()
def _append(k: Kernel, store: int, entry: int) -> None:
    """Stand at the young end of the store's line."""
    s = k.stores[store]
    e = k.kept[s.first + entry]
    e.older = s.youngest
    e.younger = NONE
    if s.youngest == NONE:
        s.oldest = entry
    else:
        k.kept[s.first + s.youngest].younger = entry
    s.youngest = entry


@compiled()
def _unlink(k: Kernel, store: int, entry: int) -> None:
    s = k.stores[store]
    e = k.kept[s.first + entry]
    if s.hand == entry:
        s.hand = e.younger
    if e.older == NONE:
        s.oldest = e.younger
    else:
        k.kept[s.first + e.older].younger = e.younger
    if e.younger == NONE:
        s.youngest = e.older
    else:
        k.kept[s.first + e.younger].older = e.older


@compiled()
def _new_count(k: Kernel, store: int, count: int, after: int) -> int:
    """A count of uses that nobody had, behind the count `after` (NONE: the least one)."""
    s = k.stores[store]
    at = s.free_count
    u = k.uses[s.first + at]
    s.free_count = u.more
    u.count = count
    u.oldest = NONE
    u.youngest = NONE
    u.less = after
    u.more = s.least if after == NONE else k.uses[s.first + after].more
    if after == NONE:
        s.least = at
    else:
        k.uses[s.first + after].more = at
    if u.more != NONE:
        k.uses[s.first + u.more].less = at
    return at


@compiled()
def _count(k: Kernel, store: int, entry: int, at: int) -> None:
    """An entry has this count of uses from now on."""
    s = k.stores[store]
    e, u = k.kept[s.first + entry], k.uses[s.first + at]
    e.uses = at
    e.older = u.youngest
    e.younger = NONE
    if u.youngest == NONE:
        u.oldest = entry
    else:
        k.kept[s.first + u.youngest].younger = entry
    u.youngest = entry


@compiled()
def _uncount(k: Kernel, store: int, entry: int) -> None:
    """An entry has its count no longer; a count without entries goes."""
    s = k.stores[store]
    e = k.kept[s.first + entry]
    at = e.uses
    u = k.uses[s.first + at]
    if e.older == NONE:
        u.oldest = e.younger
    else:
        k.kept[s.first + e.older].younger = e.younger
    if e.younger == NONE:
        u.youngest = e.older
    else:
        k.kept[s.first + e.younger].older = e.older
    if u.oldest != NONE:
        return
    if u.less == NONE:
        s.least = u.more
    else:
        k.uses[s.first + u.less].more = u.more
    if u.more != NONE:
        k.uses[s.first + u.more].less = u.less
    u.more = s.free_count
    s.free_count = at


@compiled(inline=False)
def used(k: Kernel, store: int, entry: int) -> None:
    """An entry was hit."""
    s = k.stores[store]
    policy = k.caches[s.cache].policy
    if policy == LRU:
        if s.youngest != entry:
            _unlink(k, store, entry)
            _append(k, store, entry)
    elif policy == SIEVE:
        k.kept[s.first + entry].uses = 1
    elif policy == LFU:
        at = k.kept[s.first + entry].uses
        count = k.uses[s.first + at].count + 1
        following = k.uses[s.first + at].more
        if following == NONE or k.uses[s.first + following].count != count:
            following = _new_count(k, store, count, at)
        _uncount(k, store, entry)
        _count(k, store, entry, following)


@compiled()
def _victim(k: Kernel, store: int) -> int:
    """Choose who is evicted."""
    s = k.stores[store]
    policy = k.caches[s.cache].policy
    if policy == LFU:
        return k.uses[s.first + s.least].oldest
    if policy == RANDOM_CACHE:
        u = unit(s.name, keyed.EVICT, 0, s.evicted)
        s.evicted += 1
        return int(u * s.entries)
    if policy == SIEVE:
        while True:
            if s.hand == NONE:
                s.hand = s.oldest
            e = k.kept[s.first + s.hand]
            if e.uses == 0:
                return s.hand
            e.uses = 0
            s.hand = e.younger
    return s.oldest


@compiled()
def _next_to_expire(k: Kernel, store: int) -> int:
    """Whoever leaves next, where that is plain: the oldest in line, the first of those that were used least; NONE."""
    s = k.stores[store]
    if k.caches[s.cache].policy == LFU:
        return NONE if s.least == NONE else k.uses[s.first + s.least].oldest
    return s.oldest


# -- coming and going --------------------------------------------------------------------------------------------


@compiled()
def settle_held(k: Kernel, at: int) -> None:
    """Bring the integrals of what one stream filled into one cache up to now."""
    s, h = k.scalars[0], k.held[at]
    elapsed = s.now_ns - h.since_ns
    if elapsed:
        c = k.cache_counters[s.batch, at]
        c.entries_ns += h.entries * elapsed
        c.bytes_ns += h.bytes * elapsed
        h.since_ns = s.now_ns


@compiled()
def _holds(k: Kernel, cache: int, stream: int, entries: int, size: int) -> None:
    at = cache * len(k.streams) + stream
    settle_held(k, at)
    k.held[at].entries += entries
    k.held[at].bytes += size


@compiled(inline=False)
def remove(k: Kernel, store: int, entry: int) -> None:
    """Let an entry go."""
    s = k.stores[store]
    e = k.kept[s.first + entry]
    policy = k.caches[s.cache].policy
    _holds(k, s.cache, e.stream, -1, -e.object_bytes)
    s.bytes -= e.object_bytes
    _displace(k, store, entry)
    s.entries -= 1
    if policy == RANDOM_CACHE:  # entries are numbered without gaps: the last takes the number of the one that leaves
        if entry != s.entries:
            at = _slot_of(k, store, s.entries)
            k.kept[s.first + entry] = k.kept[s.first + s.entries]
            k.places[s.first_place + at] = entry
        return
    if policy == LFU:
        _uncount(k, store, entry)
    else:
        _unlink(k, store, entry)
    e.younger = s.free
    s.free = entry


@compiled()
def _make_room(k: Kernel, store: int, size: int) -> None:
    """Drop what has expired at the old end, then evict (rule K3)."""
    s = k.stores[store]
    c = k.caches[s.cache]
    now = k.scalars[0].now_ns
    next_one = _next_to_expire(k, store)
    while next_one != NONE and k.kept[s.first + next_one].expires_ns <= now - c.stale_ns:
        remove(k, store, next_one)
        next_one = _next_to_expire(k, store)
    while (c.capacity >= 0 and s.entries >= c.capacity) or (
        c.capacity_bytes >= 0 and s.bytes + size > c.capacity_bytes
    ):
        victim = _victim(k, store)
        at = s.cache * len(k.streams) + k.kept[s.first + victim].stream
        k.cache_counters[k.scalars[0].batch, at].evictions += 1
        remove(k, store, victim)


@compiled(inline=False)
def insert(
    k: Kernel, store: int, key: int, stream: int, size: int, expires_ns: int, outcome: int, outdated_ns: int
) -> bool:
    """Keep what was fetched, if there is or can be room for it (rule K3), and tell whether it is kept."""
    s = k.stores[store]
    c = k.caches[s.cache]
    entry = find(k, store, key)
    if entry == NONE:
        if 0 <= c.capacity_bytes < size:
            return False
        _make_room(k, store, size)
        if c.policy == RANDOM_CACHE or s.free == NONE:
            entry = s.entries if c.policy == RANDOM_CACHE else s.began
            s.began += 1
        else:
            entry = s.free
            s.free = k.kept[s.first + entry].younger
        e = k.kept[s.first + entry]
        e.key = key
        e.stream = stream
        e.object_bytes = size
        e.uses = 0
        place(k, store, entry)
        if c.policy == LFU:
            once = s.least
            if once == NONE or k.uses[s.first + once].count != 1:
                once = _new_count(k, store, 1, NONE)
            _count(k, store, entry, once)
        elif c.policy != RANDOM_CACHE:
            _append(k, store, entry)
        s.entries += 1
        s.bytes += size
        _holds(k, s.cache, stream, 1, size)
        if s.entries + s.margin > s.slots:  # the next step needs a larger region
            k.scalars[0].tight = 1
    e = k.kept[s.first + entry]
    e.expires_ns = expires_ns
    e.outcome = outcome
    e.outdated_ns = outdated_ns
    e.is_renewed = 0
    return True


@compiled(entry=True)
def empty(k: Kernel, store: int) -> None:
    """Begin cold (rule G3)."""
    s = k.stores[store]
    while s.entries:
        entry = 0  # of a random cache, whose entries have no gaps
        if s.least != NONE:
            entry = k.uses[s.first + s.least].oldest
        elif s.oldest != NONE:
            entry = s.oldest
        remove(k, store, int(entry))
