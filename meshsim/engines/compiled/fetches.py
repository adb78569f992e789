"""Who is fetching what for a cache, and who waits for it (rules K5 and K6).

A fetch is a record that its frame has from the miss on until it fills the cache, or ends. A frame may have several, one
within the other; a store has all that are fetched for it, in the order in which they began.
"""

from __future__ import annotations

from meshsim.engines.compiled import caches
from meshsim.engines.compiled.ready import LOOK_AGAIN, tell
from meshsim.engines.compiled.rows import NONE
from meshsim.engines.compiled.state import Kernel
from meshsim.engines.jit import compiled
from meshsim.engines.outdated import earliest
from meshsim.engines.record import DEGRADED


@compiled()
def begin(k: Kernel, frame: int, store: int, key: int) -> None:
    """A frame fetches what a store does not have."""
    s = k.scalars[0]
    at = s.free_fetch
    f, of_store = k.fetches[at], k.stores[store]
    s.free_fetch = f.later
    s.free_fetches -= 1
    if s.free_fetches < s.step:
        s.tight = 1
    f.key = key
    f.outdated_ns = NONE
    f.aside_ns = NONE
    if s.writes:  # what was outdated before says nothing of what is fetched now
        f.aside_ns = k.forwards[frame].outdated_ns
        k.forwards[frame].outdated_ns = NONE
    f.store = store
    f.frame = frame
    f.within = k.frames[frame].fetch
    f.first = NONE
    f.last = NONE
    f.earlier = of_store.last_fetch
    f.later = NONE
    if of_store.last_fetch == NONE:
        of_store.first_fetch = at
    else:
        k.fetches[of_store.last_fetch].later = at
    of_store.last_fetch = at
    k.frames[frame].fetch = at


@compiled()
def find(k: Kernel, store: int, key: int) -> int:
    """The first fetch for a key that is under way; NONE."""
    at = k.stores[store].first_fetch
    while at != NONE and k.fetches[at].key != key:
        at = k.fetches[at].later
    return at


@compiled()
def wait_for(k: Kernel, frame: int, at: int) -> None:
    """Let a frame wait for what another one fetches."""
    w, f = k.frames[frame], k.fetches[at]
    k.scalars[0].waiting += 1
    w.child = at
    w.began_ns = k.scalars[0].now_ns
    w.next = NONE
    w.prev = f.last
    if f.last == NONE:
        f.first = frame
    else:
        k.frames[f.last].next = frame
    f.last = frame


@compiled()
def wait_no_longer(k: Kernel, frame: int) -> None:
    """A frame that waits is stopped; it may have been told just now."""
    w = k.frames[frame]
    if w.child == NONE:
        return
    f = k.fetches[w.child]
    if w.prev == NONE:
        f.first = w.next
    else:
        k.frames[w.prev].next = w.next
    if w.next == NONE:
        f.last = w.prev
    else:
        k.frames[w.next].prev = w.prev
    w.child = NONE
    k.scalars[0].waiting -= 1


@compiled(inline=False)
def conclude(k: Kernel, frame: int, news: int) -> None:
    """The innermost fetch of a frame is over; who waited for it hears the outcome, or that nobody fetches it."""
    s = k.scalars[0]
    at = k.frames[frame].fetch
    f, of_store = k.fetches[at], k.stores[k.fetches[at].store]
    k.frames[frame].fetch = f.within
    if f.earlier == NONE:
        of_store.first_fetch = f.later
    else:
        k.fetches[f.earlier].later = f.later
    if f.later == NONE:
        of_store.last_fetch = f.earlier
    else:
        k.fetches[f.later].earlier = f.earlier
    since_ns = NONE
    if s.writes:
        w = k.forwards[frame]
        since_ns = earliest(f.outdated_ns, w.outdated_ns) if news <= DEGRADED else NONE
        w.outdated_ns = earliest(earliest(since_ns, w.outdated_ns), f.aside_ns)
    waiting = f.first
    while waiting != NONE:
        following = k.frames[waiting].next
        k.frames[waiting].child = NONE
        if since_ns >= 0:
            _gets_outdated(k, waiting, of_store.cache, since_ns)
        s.waiting -= 1
        tell(k, waiting, news)
        waiting = following
    f.later = s.free_fetch
    s.free_fetch = at
    s.free_fetches += 1


@compiled(inline=False)
def _gets_outdated(k: Kernel, frame: int, cache: int, since_ns: int) -> None:
    """Who waited gets something outdated; it counts if the write came before it asked (rule K9)."""
    f, w = k.frames[frame], k.forwards[frame]
    w.outdated_ns = earliest(w.outdated_ns, since_ns)
    if f.began_ns >= since_ns:
        at = k.cache_counters[k.scalars[0].batch, cache * len(k.streams) + k.live[f.request].stream]
        at.outdated += 1
        at.outdated_ns += f.began_ns - since_ns


@compiled(inline=False)
def give_up(k: Kernel, frame: int, news: int) -> None:
    """The innermost fetch of a frame filled nothing: who meets what is stale may renew it."""
    f = k.fetches[k.frames[frame].fetch]
    entry = caches.find(k, f.store, f.key)
    if entry != NONE:
        k.kept[k.stores[f.store].first + entry].is_renewed = 0
    conclude(k, frame, news)


@compiled(inline=False)
def stop(k: Kernel, frame: int) -> None:
    """A frame is stopped: who waited for what it was getting looks again (rule K5).

    Apart from `end`, which all of a cache has to be compiled with.
    """
    while k.frames[frame].fetch != NONE:
        give_up(k, frame, LOOK_AGAIN)


@compiled(inline=False)
def end(k: Kernel, frame: int, outcome: int) -> None:
    """A frame ends with fetches that filled nothing (rule K6)."""
    while k.frames[frame].fetch != NONE:
        f = k.fetches[k.frames[frame].fetch]
        c = k.caches[k.stores[f.store].cache]
        if outcome > DEGRADED and c.negative_ns >= 0 and not _has_answer(k, f.store, f.key):
            stream = k.live[k.frames[frame].request].stream
            caches.insert(k, f.store, f.key, stream, 0, k.scalars[0].now_ns + c.negative_ns, outcome, NONE)
            conclude(k, frame, outcome)
        else:
            give_up(k, frame, outcome)


@compiled()
def _has_answer(k: Kernel, store: int, key: int) -> bool:
    """A store has an answer, not a failure, that it may still give; a failure does not take its place."""
    entry = caches.find(k, store, key)
    if entry == NONE:
        return False
    e = k.kept[k.stores[store].first + entry]
    age = k.scalars[0].now_ns - e.expires_ns
    return e.outcome <= DEGRADED and (age < 0 or age < k.caches[k.stores[store].cache].stale_ns)
