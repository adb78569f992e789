"""Lookups of one full cache of the compiled engine, by the functions that its kernel calls, without the request around.

The *store* alone: find the entry, see whether its time is over, count, and move it to the young end of the line; where
it is not there, evict the oldest and put the new one in. The *step* is what the kernel does at a step `cache`: it draws
what the request is about as well, and passes its tables from function to function.
"""

from __future__ import annotations

from typing import Any, Final

import numpy as np

from meshsim.architectures import lower
from meshsim.bench.peers import Count
from meshsim.bench.work import Work
from meshsim.engines import program as p
from meshsim.engines.compiled import caches, lookups
from meshsim.engines.compiled.engine import CompiledRun
from meshsim.engines.compiled.rows import NONE
from meshsim.engines.compiled.state import Kernel, for_kernel
from meshsim.engines.jit import compiled
from meshsim.engines.order import NEVER_NS
from meshsim.engines.pack import pack
from meshsim.engines.record import BATCHES, OK
from meshsim.errors import InternalError
from meshsim.model.load import load

ENTRIES: Final = 10_000
_MANY: Final = 10_000_000  # items of which next to none is asked for again while it is there
_DRAWN: Final = 1_000_000  # keys, asked for one after the other, again and again
_RATE_PER_S: Final = 1e6
_FILLING_NS: Final = BATCHES * 5_000_000  # 20 requests for each item, if there are as many as entries


def prepare(case: str) -> Work:
    """Fill the cache and draw what to ask: ``store-hit``, ``store-evict``, ``step-hit`` or ``step-evict``."""
    how, hits = case.split("-")[0], case.endswith("hit")
    kernel = _full(ENTRIES if hits else _MANY)
    random = np.random.default_rng(1)
    keys = random.integers(2**64, size=_DRAWN, dtype=np.uint64)
    if how == "store" and hits:
        first = int(kernel.stores["first"][0])
        keys = random.choice(kernel.kept["key"][first : first + ENTRIES], _DRAWN)
    _stand_at_the_step(kernel)
    tables = for_kernel(kernel)

    def work(requests: int, seed: int) -> Count:
        del seed  # what is drawn anew would be timed as well
        found = int((_ask_store if how == "store" else _do_step)(tables, keys, requests))
        if found < requests if hits else found > 0.01 * requests:
            raise InternalError(f"{found} of {requests} lookups were hits in the case '{case}'")
        return Count(requests, None, None)

    return work


def _full(items: int) -> Kernel:
    """The kernel of a run that has filled its one cache."""
    spec: dict[str, Any] = {
        "meshsim": 1,
        "name": "lookups",
        "services": {
            "a": {
                "cpu": {"request": 1, "limit": "unlimited"},
                "caches": {"c": {"capacity": ENTRIES, "policy": "lru"}},
                "endpoints": {"get": [{"cache": {"name": "c", "key": "item"}}]},
            }
        },
        "traffic": [
            {
                "name": "all",
                "entry": "a.get",
                "arrivals": {"constant": f"{_RATE_PER_S:.0f}/s"},
                "keys": {"item": {"uniform": {"items": items}}},
            }
        ],
    }
    program = pack(lower(load(spec), "none"))
    run = CompiledRun(program, seed=1, replication=0, duration_ns=_FILLING_NS, drain_ns=10**12, sample_share=0.0)
    run.advance(10**12)
    if run.kernel.stores["entries"][0] != ENTRIES:
        raise InternalError(f"the cache has {run.kernel.stores['entries'][0]} entries, not {ENTRIES}")
    return run.kernel


def _stand_at_the_step(kernel: Kernel) -> None:
    """Make the first frame one of the first request, which is over like all of the run, at the first replica."""
    kernel.live["user"][0] = NONE
    kernel.live["stream"][0] = 0
    kernel.frames["request"][0] = 0
    kernel.frames["replica"][0] = 0


@compiled(entry=True)
def _ask_store(k: Kernel, keys: Any, times: int) -> int:
    """Ask for one key after the other, going on where the last call ended; how many are there."""
    store = 0
    s, now = k.stores[store], k.scalars[0].now_ns
    at = k.cache_counters[k.scalars[0].batch, 0]
    hits, place = 0, at.lookups % len(keys)
    for _ in range(times):
        key = keys[place]
        place = place + 1 if place + 1 < len(keys) else 0
        at.lookups += 1
        entry = caches.find(k, store, key)
        if entry != NONE and now < k.kept[s.first + entry].expires_ns:
            at.hits += 1
            hits += 1
            caches.used(k, store, entry)
        else:
            at.fills += caches.insert(k, store, key, 0, 0, NEVER_NS, OK, NONE)
    return hits


@compiled(entry=True)
def _do_step(k: Kernel, keys: Any, times: int) -> int:
    """As `_ask_store`, with the keys of requests: one frame does the step for one request after the other."""
    frame, look = 0, 0
    while k.instructions[look].op != p.LOOK:
        look += 1
    fill = look
    while k.instructions[fill].op != p.FILL:
        fill += 1
    f = k.frames[frame]
    at = k.cache_counters[k.scalars[0].batch, 0]
    hits, place = 0, at.lookups % len(keys)
    for _ in range(times):
        k.live[f.request].key = keys[place]
        place = place + 1 if place + 1 < len(keys) else 0
        f.answer, f.aside, f.pc = 0, 0, look + 1
        lookups.look(k, frame, look, True)
        if f.pc == look + 1:
            lookups.fill(k, frame, fill)
        else:
            hits += 1
    return hits
