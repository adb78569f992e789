"""What a frame does at a cache: look, wait, fill (rules K1 to K6), and what requests are about (rule K7)."""

from __future__ import annotations

from typing import Any

import numpy as np

from meshsim.engines import keyed
from meshsim.engines.compiled import caches, fetches
from meshsim.engines.compiled.about import about
from meshsim.engines.compiled.counters import has_span
from meshsim.engines.compiled.draws import draw_whole
from meshsim.engines.compiled.messages import new_branch
from meshsim.engines.compiled.ready import LOOK_AGAIN, RUN, ready_frame
from meshsim.engines.compiled.rows import FETCHING, NONE, RENEWING
from meshsim.engines.compiled.state import Kernel
from meshsim.engines.jit import compiled
from meshsim.engines.keyed import mix
from meshsim.engines.order import NEVER_NS
from meshsim.engines.outdated import earliest
from meshsim.engines.program import TRACED
from meshsim.engines.record import DEGRADED, UNFINISHED

#: What `look` gives if the frame waits.
SUSPENDED = -2
_NO_KEY: Any = np.uint64(0)


@compiled(inline=False)
def _key(k: Kernel, frame: int, pc: int) -> int:
    """What a cache has the answer to a request under; 0 if the request has no such key."""
    i = k.instructions[pc]
    request = k.frames[frame].request
    key = i.position
    for part in range(i.b, i.b + i.c):
        dimension = k.parts[part]
        if k.keys[k.live[request].stream, dimension].number < 0:
            return _NO_KEY
        key = mix(key, about(k, request, dimension))
    return key


@compiled(inline=False)
def _size(k: Kernel, frame: int, pc: int, key: int) -> int:
    """Bytes of an object: the same whenever it is asked for, or those that a trace has for the request."""
    i = k.instructions[pc]
    c = k.caches[i.a]
    if c.object_bytes == TRACED:
        r = k.live[k.frames[frame].request]
        for part in range(i.b, i.b + i.c):
            row = k.keys[r.stream, k.parts[part]]
            if row.traced:
                return k.traced_bytes[row.first + r.turn % row.traced]
    return 0 if c.object_bytes < 0 else draw_whole(k, c.object_bytes, key, keyed.OBJECT_SIZE, 0)


@compiled(inline=False)
def look(k: Kernel, frame: int, pc: int, anew: bool) -> int:
    """Look into a cache: UNFINISHED: go on where the frame stands now; else as `_go_on`.

    `anew` is False for who looks again because whoever fetched is gone: it was counted before.
    """
    f, i = k.frames[frame], k.instructions[pc]
    key = _key(k, frame, pc)
    if key == _NO_KEY:
        return UNFINISHED
    now = k.scalars[0].now_ns
    c = k.caches[i.a]
    store = caches.store_of(k, i.a, f.replica)
    s = k.stores[store]
    at = k.cache_counters[k.scalars[0].batch, i.a * len(k.streams) + k.live[f.request].stream]
    size = _size(k, frame, pc, key)
    if anew:
        at.lookups += 1
        at.lookup_bytes += size
    entry = caches.find(k, store, key)
    if entry != NONE:
        e = k.kept[s.first + entry]
        is_stale = now >= e.expires_ns
        if not is_stale or (e.outcome <= DEGRADED and now < e.expires_ns + c.stale_ns):
            outcome = int(e.outcome)
            if e.outdated_ns >= 0:
                k.forwards[frame].outdated_ns = earliest(k.forwards[frame].outdated_ns, e.outdated_ns)
            if anew:  # who looks again has been counted as delayed
                at.hits += 1
                at.hit_bytes += size
                at.negative += outcome > DEGRADED
                at.stale += is_stale
                if e.outdated_ns >= 0:
                    at.outdated += 1
                    at.outdated_ns += now - e.outdated_ns
            if is_stale:
                if not e.is_renewed:
                    e.is_renewed = 1
                    branch = new_branch(k, frame, RENEWING, k.targets[i.d + 1].pc)
                    fetches.begin(k, branch, store, key)
                    ready_frame(k, RUN, branch)
            elif c.renew and outcome <= DEGRADED:
                e.expires_ns = now + c.ttl_ns
            caches.used(k, store, entry)
            return _found(k, frame, pc, outcome)
        caches.remove(k, store, entry)
    if c.coalesce:
        fetch = fetches.find(k, store, key)
        if fetch != NONE:
            if anew:
                at.delayed += 1
            fetches.wait_for(k, frame, fetch)
            f.state = FETCHING
            return SUSPENDED
    if c.tracked:
        fetches.begin(k, frame, store, key)
    f.aside = 2 * f.aside + (f.answer == DEGRADED)  # what was degraded before says nothing of what is fetched now
    f.answer = 0
    return UNFINISHED


@compiled()
def _found(k: Kernel, frame: int, pc: int, outcome: int) -> int:
    """Go on behind the steps that would have got it; a failure ends a frame, but a proxy works on its answer."""
    f, i = k.frames[frame], k.instructions[pc]
    if outcome > DEGRADED and i.p == 0.0:
        return outcome
    if outcome:
        f.answer = outcome
    f.pc = k.targets[i.d].pc
    return UNFINISHED


@compiled()
def heard(k: Kernel, frame: int, news: int) -> int:
    """Go on with what another frame fetched: as `look`."""
    if has_span(k, frame):
        k.spans[k.frames[frame].span].wait_ns += k.scalars[0].now_ns - k.frames[frame].began_ns
    if news == LOOK_AGAIN:
        return look(k, frame, k.frames[frame].pc - 1, False)
    return _found(k, frame, k.frames[frame].pc - 1, news)


@compiled(inline=False)
def has_key(k: Kernel, frame: int, pc: int) -> bool:
    """Tell whether the request has what the cache is asked by."""
    return _key(k, frame, pc) != _NO_KEY


@compiled(inline=False)
def fill(k: Kernel, frame: int, pc: int) -> bool:
    """Keep what was fetched (rule K3), and tell whether it is kept."""
    f, i = k.frames[frame], k.instructions[pc]
    key = _key(k, frame, pc)
    if key == _NO_KEY:
        return False
    c = k.caches[i.a]
    outcome = int(f.answer)
    f.answer = max(outcome, f.aside % 2)
    f.aside //= 2
    if outcome > DEGRADED:
        if c.tracked:
            fetches.end(k, frame, outcome)
        return False
    is_kept = False
    stream = k.live[f.request].stream
    written_ns = NONE
    got_ns = NONE
    if c.tracked:
        written_ns = k.fetches[f.fetch].outdated_ns
    if k.scalars[0].writes:
        got_ns = k.forwards[frame].outdated_ns
    if written_ns >= 0 and c.leases:
        fetches.give_up(k, frame, outcome)
    else:
        expires_ns = k.scalars[0].now_ns + c.ttl_ns if c.ttl_ns >= 0 else NEVER_NS
        size, store = _size(k, frame, pc, key), caches.store_of(k, i.a, f.replica)
        is_kept = caches.insert(k, store, key, stream, size, expires_ns, outcome, earliest(written_ns, got_ns))
        k.cache_counters[k.scalars[0].batch, i.a * len(k.streams) + stream].fills += is_kept
        if c.tracked:
            fetches.conclude(k, frame, outcome)
    return is_kept


# -- writes ------------------------------------------------------------------------------------------------------


@compiled(inline=False)
def outdate(k: Kernel, frame: int, pc: int) -> None:
    """What caches keep, or are just getting, under the request's key is true no longer (rule K9)."""
    key = _key(k, frame, pc)
    if key == _NO_KEY:
        return
    now = k.scalars[0].now_ns
    c = k.caches[k.instructions[pc].a]
    for store in range(c.first_store, c.first_store + c.stores):
        s = k.stores[store]
        entry = caches.find(k, store, key)
        if entry != NONE and k.kept[s.first + entry].outdated_ns < 0:
            k.kept[s.first + entry].outdated_ns = now
        fetch = s.first_fetch
        while fetch != NONE:
            if k.fetches[fetch].key == key and k.fetches[fetch].outdated_ns < 0:
                k.fetches[fetch].outdated_ns = now
            fetch = k.fetches[fetch].later


@compiled(inline=False)
def purge(k: Kernel, frame: int, pc: int) -> None:
    """All stores of a cache have heard of the write (rule K9)."""
    key = _key(k, frame, pc)
    if key == _NO_KEY:
        return
    c = k.caches[k.instructions[pc].a]
    for store in range(c.first_store, c.first_store + c.stores):
        entry = caches.find(k, store, key)
        if entry != NONE:
            caches.remove(k, store, entry)
