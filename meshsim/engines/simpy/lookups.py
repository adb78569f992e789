"""What a frame does at a cache: look, wait for what another one fetches, fill (rules K1 to K6)."""

from __future__ import annotations

from collections.abc import Generator
from typing import TYPE_CHECKING, Any

import simpy

from meshsim.engines import keyed
from meshsim.engines.keyed import mix
from meshsim.engines.order import NEVER_NS
from meshsim.engines.outdated import earliest
from meshsim.engines.program import TRACED
from meshsim.engines.record import DEGRADED, OK
from meshsim.engines.simpy.about import about

if TYPE_CHECKING:
    from meshsim.engines.simpy.caches import CacheMeter, Entry, Store
    from meshsim.engines.simpy.engine import SimpyRun
    from meshsim.engines.simpy.requests import Frame, Request

MISS = -2  # what a look may give in the place of an outcome
_LOOK_AGAIN = -3


class Fetch:
    """What a frame is getting for a store that does not have it; others may wait for that."""

    def __init__(self, store: Store, key: int) -> None:
        self.store = store
        self.key = key
        self.outdated_ns = -1  # when there was a write since it began
        self.aside_ns = -1  # what its frame had got before that was outdated
        self.waiting: dict[simpy.Event, tuple[Frame, int]] = {}  # who, and since when, in the order in which they came

    def conclude(self, frame: Frame, news: int) -> None:
        """Tell those who wait what came of it; `frame` is the one that fetched."""
        self.store.fetches.remove(self)
        since_ns = earliest(self.outdated_ns, frame.outdated_ns) if OK <= news <= DEGRADED else -1
        frame.outdated_ns = earliest(earliest(since_ns, frame.outdated_ns), self.aside_ns)
        for event, (waiter, began_ns) in self.waiting.items():
            if since_ns >= 0:
                waiter.learns(since_ns)
                self.store.meters[waiter.request.stream].answers_outdated(began_ns - since_ns)
            event.succeed(news)


class Lookups:
    """Looks and fills for all frames of a run."""

    def __init__(self, engine: SimpyRun) -> None:
        self.engine = engine
        self.env = engine.env
        self.plant = engine.plant
        self.caches = engine.caches

    def _key(self, frame: Frame, i: Any) -> int | None:
        """What a cache has the answer to a request under; None if the request has no such key."""
        key = int(i.position)
        for dimension in self.plant.program.parts[i.b : i.b + i.c].tolist():
            item = about(self.plant, frame.request, dimension)
            if item is None:
                return None
            key = mix(key, item)
        return key

    def has_key(self, frame: Frame, i: Any) -> bool:
        """Whether the request has what the cache is asked by."""
        return self._key(frame, i) is not None

    def _size(self, row: Any, key: int, request: Request, i: Any) -> int:
        """Bytes of an object: the same whenever it is asked for, or those that a trace has for the request."""
        if row.object_bytes == TRACED:
            return self._traced_size(request, i)
        return 0 if row.object_bytes < 0 else self.plant.draws[row.object_bytes](key, keyed.OBJECT_SIZE, 0)

    def _traced_size(self, request: Request, i: Any) -> int:
        """Bytes that the trace has beside what the request is about."""
        for dimension in self.plant.program.parts[i.b : i.b + i.c].tolist():
            row = self.plant.keys[request.stream][dimension]
            if row.traced:
                return int(self.plant.program.traced_bytes[row.first + request.turn % row.traced])
        return 0

    def _store(self, frame: Frame, i: Any) -> Store:
        return self.caches.of(i.a, frame.exchange.replica.number)

    # -- looking -------------------------------------------------------------------------------------------------

    def look(self, frame: Frame, i: Any, renew: Any) -> Generator[simpy.Event, Any, int]:
        """The outcome of whoever fetched what is there, or MISS: get it, and fill.

        `renew` begins the branch that fetches anew what is stale.
        """
        key = self._key(frame, i)
        if key is None:
            return MISS
        store = self._store(frame, i)
        meter = store.meters[frame.request.stream]
        size = self._size(store.row, key, frame.request, i)
        meter.lookups += 1
        meter.lookup_bytes += size
        found = self._found(frame, store, key, size, meter, renew)
        is_delayed = False
        while found == MISS and store.row.coalesce and (fetch := store.fetching(key)) is not None:
            if not is_delayed:
                meter.delayed += 1
                is_delayed = True
            found = yield from self._wait_for(frame, fetch)
            if found != _LOOK_AGAIN:
                return found
            found = self._found(frame, store, key, size, None, renew)
        if found == MISS:
            if store.row.tracked:
                self.begin(frame, store, key)
            frame.aside.append(frame.answer)  # what was degraded before says nothing of what is fetched now
            frame.answer = OK
        return found

    def _found(self, frame: Frame, store: Store, key: int, size: int, meter: CacheMeter | None, renew: Any) -> int:
        """What is there; who looks again, without a meter, has been counted as delayed."""
        entry, row, now = store.entries.get(key), store.row, self.env.now_ns
        if entry is None:
            return MISS
        is_stale = now >= entry.expires_ns
        if is_stale and (entry.outcome > DEGRADED or now >= entry.expires_ns + row.stale_ns):
            store.remove(entry)
            return MISS
        frame.learns(entry.outdated_ns)
        if meter is not None:
            meter.hits += 1
            meter.hit_bytes += size
            meter.negative += entry.outcome > DEGRADED
            meter.stale += is_stale
            if entry.outdated_ns >= 0:
                meter.answers_outdated(now - entry.outdated_ns)
        if is_stale:
            if not entry.is_renewed:
                entry.is_renewed = True
                renew(store, key)
        elif row.renew and entry.outcome <= DEGRADED:
            entry.expires_ns = now + row.ttl_ns
        store.order.used(entry)
        return entry.outcome

    def _wait_for(self, frame: Frame, fetch: Fetch) -> Generator[simpy.Event, Any, int]:
        event = simpy.Event(self.env)
        began_ns = self.env.now_ns
        fetch.waiting[event] = frame, began_ns
        try:
            news: int = yield event
        except simpy.Interrupt:
            fetch.waiting.pop(event, None)
            raise
        if frame.span is not None:
            frame.span.wait_ns += self.env.now_ns - began_ns
        return news

    # -- fetching and filling ------------------------------------------------------------------------------------

    def begin(self, frame: Frame, store: Store, key: int) -> None:
        """A frame fetches what a store does not have."""
        fetch = Fetch(store, key)
        fetch.aside_ns, frame.outdated_ns = frame.outdated_ns, -1
        store.fetches.append(fetch)
        frame.fetches.append(fetch)

    def fill(self, frame: Frame, i: Any) -> bool:
        """Keep what was fetched (rule K3), and tell whether it is kept."""
        key = self._key(frame, i)
        if key is None:
            return False
        store = self._store(frame, i)
        row, outcome = store.row, frame.answer
        frame.answer = max(outcome, frame.aside.pop() if frame.aside else OK)
        if outcome > DEGRADED:
            self.ended(frame, outcome)
            return False
        is_kept = False
        stream, now = frame.request.stream, self.env.now_ns
        written_ns = frame.fetches[-1].outdated_ns if row.tracked else -1
        if written_ns >= 0 and row.leases:
            store.let_renew(key)
        else:
            expires_ns = now + row.ttl_ns if row.ttl_ns >= 0 else NEVER_NS
            size = self._size(row, key, frame.request, i)
            is_kept = store.insert(key, stream, size, expires_ns, outcome, now, earliest(written_ns, frame.outdated_ns))
            store.meters[stream].fills += is_kept
        if row.tracked:
            frame.fetches.pop().conclude(frame, outcome)
        return is_kept

    # -- writes --------------------------------------------------------------------------------------------------

    def outdate(self, frame: Frame, i: Any) -> None:
        """What caches keep, or are just getting, under the request's key is true no longer (rule K9)."""
        key = self._key(frame, i)
        if key is None:
            return
        for store in self.caches.all_of(i.a):
            known: list[Entry | Fetch] = [store.entries[key]] if key in store.entries else []
            known += (fetch for fetch in store.fetches if fetch.key == key)
            for one in known:
                if one.outdated_ns < 0:
                    one.outdated_ns = self.env.now_ns

    def purge(self, frame: Frame, i: Any) -> None:
        """All stores of a cache have heard of the write (rule K9)."""
        key = self._key(frame, i)
        for store in self.caches.all_of(i.a):
            if key is not None and key in store.entries:
                store.remove(store.entries[key])

    def ended(self, frame: Frame, outcome: int | None) -> None:
        """A frame ends (None: it is stopped) with fetches that filled nothing (rule K6)."""
        while frame.fetches:
            fetch = frame.fetches.pop()
            store, now = fetch.store, self.env.now_ns
            is_kept = store.row.negative_ns >= 0 and not store.has_answer(fetch.key, now)
            if is_kept and outcome is not None and outcome > DEGRADED:
                expires_ns = now + store.row.negative_ns
                store.insert(fetch.key, frame.request.stream, 0, expires_ns, outcome, now)
            else:
                store.let_renew(fetch.key)
            fetch.conclude(frame, _LOOK_AGAIN if outcome is None else outcome)
