"""Hit ratios without simulation, for independent requests: Che's approximation and its relatives, and TTL caches.

Requests are independent of each other and each object has a constant popularity (the independent reference model, IRM).
Che's approximation (Che, Tung and Wang, "Hierarchical Web caching systems", IEEE JSAC 20, 2002) says that an object
that is not asked for is evicted after a time that is constant and the same for all objects: the characteristic time,
at which the expected room taken equals the capacity. Fricker, Robert and Roberts ("A versatile and accurate
approximation for LRU cache performance", ITC 2012) say why that is so good; Martina, Garetto and Leonardi ("A unified
approach to the performance analysis of caching systems", INFOCOM 2014) extend it to FIFO and random.

There is no such approximation here for SIEVE, whose hand makes the time that an object stays depend on all others.
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import Final, Literal

import numpy as np
from numpy.typing import ArrayLike, NDArray

from meshsim.errors import UsageError

Floats = NDArray[np.float64]

Balancing = Literal["random", "hash"]

_LONGEST: Final = 700.0  # logarithm of a time; above, floats end

#: Policies that `che` knows.
APPROXIMATED: Final = ("lru", "fifo", "random", "lfu")


@dataclass(frozen=True, slots=True, eq=False)
class HitRatio:
    """What a cache answers.

    Attributes
    ----------
    ratio
        Share of the requests that are hits.
    byte_ratio
        Share of the bytes that are asked for; the same as `ratio` where objects have no sizes.
    items
        Share of the requests of each object.
    time
        Characteristic time: seconds if popularities are rates per second, requests if they sum to one. Infinite where
        nothing is evicted, or not by time.
    """

    ratio: float
    byte_ratio: float
    items: Floats
    time: float


def zipf(items: int, exponent: float) -> Floats:
    """Popularities of objects by rank: the k-th has a share proportional to ``k ** -exponent``.

    Examples
    --------
    >>> zipf(3, 1.0).round(4).tolist()
    [0.5455, 0.2727, 0.1818]
    """
    if items < 1:
        raise UsageError(f"a catalogue of {items} objects: give at least 1")
    weights = np.arange(1, items + 1, dtype=np.float64) ** -exponent
    return np.asarray(weights / weights.sum())


def che(
    popularity: ArrayLike,
    capacity: float,
    policy: str = "lru",
    *,
    sizes: ArrayLike | None = None,
    ttl_s: float | None = None,
    renew: bool = False,
) -> HitRatio:
    """Hit ratio of a cache with a capacity.

    With the characteristic time T, an object that is asked for at rate p is found with probability ``1 - exp(-p T)`` in
    LRU (Che et al. 2002) and ``p T / (1 + p T)`` in FIFO and random (Martina et al. 2014). ``lfu`` is the ideal one,
    which knows popularities and keeps the most popular objects; one that counts, and forgets on eviction, finds less.

    A ttl only shortens T where entries expire in the order in which they are evicted anyway, which is so for LRU with
    renewal and FIFO without; what they become are the TTL caches of Fofack, Nain, Neglia and Towsley (Computer Networks
    65, 2014). Other combinations are not covered.

    Parameters
    ----------
    popularity
        Of each object: shares, or rates per second.
    capacity
        Objects that fit, or bytes if there are `sizes`.
    policy
        ``lru``, ``fifo``, ``random`` or ``lfu``.
    sizes
        Bytes of each object; those larger than the capacity are never kept.
    ttl_s
        How long entries are good for; popularities must then be rates per second.
    renew
        Each hit begins the ttl anew.

    Examples
    --------
    >>> popularity = zipf(100_000, 1.0)
    >>> [round(che(popularity, 10_000, policy).ratio, 3) for policy in ("lru", "fifo", "random", "lfu")]
    [0.737, 0.701, 0.701, 0.81]
    >>> round(che(popularity * 1000, 10_000, "lru", ttl_s=2.0, renew=True).time, 3)  # a thousand requests a second
    2.0
    """
    if policy not in APPROXIMATED:
        known = ", ".join(APPROXIMATED)
        raise UsageError(f"there is no approximation of '{policy}' here, only of {known}; simulate it")
    if ttl_s is not None and (policy, renew) not in (("lru", True), ("fifo", False)):
        raise UsageError("with a ttl there are approximations of lru with renewal and of fifo without; simulate others")
    if not capacity > 0:
        raise UsageError(f"a capacity of {capacity} keeps nothing; give more than 0")
    rates, room = _objects(popularity, sizes)
    kept = np.where(room <= capacity, rates, 0.0) if sizes is not None else rates
    if policy == "lfu":
        return _of(rates, room, _most_popular(kept, room, capacity), math.inf)
    time = _characteristic_time(kept, room, capacity, policy)
    time = time if ttl_s is None else min(time, ttl_s)
    return _of(rates, room, _found(kept, time, policy), time)


def ttl(rates: ArrayLike, ttl_s: float, *, renew: bool = False, sizes: ArrayLike | None = None) -> HitRatio:
    """Hit ratio of a cache that has room for everything and forgets after a time.

    Exact for Poisson requests (Fofack et al. 2014): without renewal a fetch is followed by the hits of one ttl,
    ``λ ttl / (1 + λ ttl)``; with renewal a request is a hit if the last was less than a ttl ago, ``1 - exp(-λ ttl)``.

    Parameters
    ----------
    rates
        Requests per second for each object.
    ttl_s
        How long entries are good for.
    renew
        Each hit begins the ttl anew.
    sizes
        Bytes of each object.

    Examples
    --------
    >>> round(ttl([0.5], 2.0).ratio, 4), round(ttl([0.5], 2.0, renew=True).ratio, 4)
    (0.5, 0.6321)
    """
    if not ttl_s > 0:
        raise UsageError(f"a ttl of {ttl_s} s keeps nothing; give more than 0")
    per_s, room = _objects(rates, sizes)
    return _of(per_s, room, _found(per_s, ttl_s, "lru" if renew else "fifo"), ttl_s)


def several(
    popularity: ArrayLike, capacity: float, replicas: int, balancing: Balancing, *, policy: str = "lru"
) -> HitRatio:
    """Hit ratio of replicas that each have a cache of their own.

    ``random``: any replica gets any request, so each sees the same popularities and holds the same objects as one
    replica alone would: more of them add no hits. ``hash``: an object belongs to one replica, by a consistent hash of
    its key. Each sees its share of the catalogue, and together they are like one cache of their joint capacity, as long
    as each has many objects and the shares are even.

    Parameters
    ----------
    popularity
        Of each object in all requests: shares, or rates per second.
    capacity
        Objects that fit in each replica.
    replicas
        How many there are.
    balancing
        ``random`` or ``hash``.
    policy
        As of `che`.

    Examples
    --------
    >>> popularity = zipf(10_000, 0.9)
    >>> [round(several(popularity, 500, 4, how).ratio, 3) for how in ("random", "hash")]
    [0.455, 0.671]
    """
    if replicas < 1:
        raise UsageError(f"{replicas} replicas: give at least 1")
    if balancing not in ("random", "hash"):
        raise UsageError(f"balancing '{balancing}': there are random and hash")
    if balancing == "hash":
        return che(popularity, capacity * replicas, policy)
    rates = np.asarray(popularity, dtype=np.float64) / replicas
    return che(rates, capacity, policy)


def _objects(popularity: ArrayLike, sizes: ArrayLike | None) -> tuple[Floats, Floats]:
    """Rates and room of each object; room 1 where sizes do not matter."""
    rates = np.asarray(popularity, dtype=np.float64)
    room = np.ones(len(rates)) if sizes is None else np.asarray(sizes, dtype=np.float64)
    if rates.ndim != 1 or not np.isfinite(rates).all() or (rates < 0).any() or not rates.sum() > 0:
        raise UsageError("popularities must be a list of numbers from 0 on, with at least one above 0")
    if room.shape != rates.shape or not (room > 0).all():
        raise UsageError(f"there must be a size above 0 for each of the {len(rates)} objects")
    return rates, room


def _found(rates: Floats, time: float, policy: str) -> Floats:
    """Probability that each object is in the cache."""
    if math.isinf(time):
        return np.where(rates > 0, 1.0, 0.0)
    asked = rates * time
    return np.asarray(-np.expm1(-asked) if policy == "lru" else asked / (1.0 + asked))


def _characteristic_time(rates: Floats, room: Floats, capacity: float, policy: str) -> float:
    """Time T at which the expected room taken equals the capacity; infinite if everything fits."""
    from scipy.optimize import brentq

    if room[rates > 0].sum() <= capacity:
        return math.inf

    def excess(log_time: float) -> float:
        return float(room @ _found(rates, math.exp(log_time), policy)) - capacity

    low = high = math.log(capacity / float(room @ rates))  # no object is there with more than p T
    while excess(high) < 0:
        low, high = high, high + 1.0
        if high > _LONGEST:
            return math.inf
    return math.exp(float(brentq(excess, low, high, xtol=1e-12))) if high > low else math.exp(low)


def _most_popular(rates: Floats, room: Floats, capacity: float) -> Floats:
    """The most popular objects, until the room is full; of the last, the part that fits."""
    order = np.argsort(-rates, kind="stable")
    before = np.cumsum(room[order]) - room[order]
    found = np.zeros(len(rates))
    found[order] = np.clip((capacity - before) / room[order], 0.0, 1.0)
    return np.where(rates > 0, found, 0.0)


def _of(rates: Floats, room: Floats, items: Floats, time: float) -> HitRatio:
    asked = rates * room
    return HitRatio(float(rates @ items / rates.sum()), float(asked @ items / asked.sum()), items, time)
