"""Caches: what a service or a proxy keeps of answers, and for how long.

Sources: the replacement policies are those of the field, LRU, FIFO, random and LFU as in Che et al. (2002) and Martina,
Garetto and Leonardi (INFOCOM 2014); SIEVE: Zhang et al. (NSDI 2024). Coalescing is nginx's ``proxy_cache_lock`` and
Go's singleflight, ``stale`` is RFC 5861's stale-while-revalidate, ``negative`` is RFC 2308's negative caching of names.
"""

from __future__ import annotations

from typing import Literal

from pydantic import BaseModel, ConfigDict

from meshsim.model.distributions import Distribution

CachePolicy = Literal["lru", "fifo", "random", "lfu", "sieve"]


class _Frozen(BaseModel):
    """Values: compared by content, never changed."""

    model_config = ConfigDict(frozen=True, extra="forbid", populate_by_name=True)


class Cache(_Frozen):
    """A cache of each replica, or one that all share.

    At most one of the capacities is given; without one nothing is evicted, and entries go when their time is over.
    """

    name: str
    policy: CachePolicy = "lru"
    capacity_entries: int | None = None
    capacity_bytes: int | None = None
    # bytes of an object, drawn once for each, or those that the trace of the keys tells; needed with capacity_bytes
    size: Distribution | Literal["trace"] | None = None
    ttl_s: float | None = None  # None: for ever
    renew: bool = False  # each hit begins the ttl anew
    stale_s: float | None = None  # so long after its ttl an entry is still answered, while one request renews it
    negative_s: float | None = None  # failures are kept so long; None: never
    coalesce: bool = False  # requests that miss what is just being fetched wait for it
    fill: Distribution | None = None  # CPU seconds of whoever fills
    invalidation: Distribution | None = None  # seconds until a write is heard of everywhere; None: it is not
    leases: bool = False  # what was being fetched during a write is not kept
    shared: Distribution | None = None  # seconds to ask the tier that all replicas share; None: each has its own


class ProxyCache(_Frozen):
    """A cache of each proxy instance, for answers to the requests that it passes on."""

    cache: Cache
    key: tuple[str, ...]  # dimensions of `keys`; requests without one of them are passed on
    only: tuple[str, ...] = ()  # 'service.endpoint's whose answers are kept; empty: all
    where: Literal["server", "client"] = "server"  # of sidecars: those beside the callee, or beside the caller
