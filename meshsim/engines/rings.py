"""Tables of consistent hashing: Envoy's ring (ketama) and Maglev, with names hashed as everything here is.

Sources: envoyproxy.io, "Ring hash" and "Maglev" load balancers; Eisenbud et al., "Maglev: a fast and reliable software
network load balancer", NSDI 2016 (the population of the table, section 3.4).
"""

from __future__ import annotations

import math
from collections.abc import Iterator, Sequence
from fractions import Fraction
from functools import lru_cache
from itertools import accumulate, count, islice, pairwise

import numpy as np
import numpy.typing as npt

from meshsim.engines.keyed import mix

MAGLEV_ENTRIES = 65_537  # prime, Envoy's default

Ring = tuple[npt.NDArray[np.uint64], npt.NDArray[np.int32]]


Host = tuple[int, int]  # hash of its name, weight


@lru_cache(maxsize=4096)
def ring(hosts: Sequence[Host], least: int) -> Ring:
    """Positions on a ring and the host at each, ascending: at least `least` in all, for each host as many as it weighs.

    Examples
    --------
    >>> at, host = ring(((11, 1), (22, 1), (33, 1)), 1024)
    >>> len(at), np.bincount(host).tolist()
    (1026, [342, 342, 342])
    >>> np.bincount(ring(((11, 1), (22, 3)), 1024)[1]).tolist()
    [256, 768]
    """
    total = sum(weight for _, weight in hosts)
    lightest = min(weight for _, weight in hosts)
    scale = Fraction(-(-lightest * least // total), lightest)  # entries for a weight of 1: whole for the lightest host
    upto = [0, *(math.ceil(scale * sum_so_far) for sum_so_far in accumulate(weight for _, weight in hosts))]
    each = [b - a for a, b in pairwise(upto)]
    at = np.array([mix(name, i) for (name, _), n in zip(hosts, each, strict=True) for i in range(n)], dtype=np.uint64)
    host = np.repeat(np.arange(len(hosts), dtype=np.int32), each)
    order = np.lexsort((host, at))
    return at[order], host[order]


@lru_cache(maxsize=4096)
def maglev(hosts: Sequence[Host]) -> Ring:
    """The lookup table: hosts take turns to claim the next free entry of their own permutation.

    In each round a host has a turn if it is behind what its weight, as a share of the heaviest one's, lets it expect.

    Examples
    --------
    >>> _, host = maglev(((11, 1), (22, 1), (33, 1)))
    >>> np.bincount(host).tolist()
    [21846, 21846, 21845]
    >>> np.bincount(maglev(((11, 1), (22, 3)))[1]).tolist()
    [16385, 49152]
    """
    free = [True] * MAGLEV_ENTRIES
    table = np.zeros(MAGLEV_ENTRIES, dtype=np.int32)
    at = [mix(name, 0) % MAGLEV_ENTRIES for name, _ in hosts]
    skip = [mix(name, 1) % (MAGLEV_ENTRIES - 1) + 1 for name, _ in hosts]
    for host in islice(_turns([weight for _, weight in hosts]), MAGLEV_ENTRIES):
        while not free[at[host]]:
            at[host] = (at[host] + skip[host]) % MAGLEV_ENTRIES
        free[at[host]] = False
        table[at[host]] = host
    return np.zeros(MAGLEV_ENTRIES, dtype=np.uint64), table


def _turns(weights: Sequence[int]) -> Iterator[int]:
    """Give hosts as they take turns, for ever."""
    heaviest = max(weights)
    claimed = [0] * len(weights)
    for turn in count(1):
        for host, weight in enumerate(weights):
            if turn * weight >= claimed[host]:
                claimed[host] += heaviest
                yield host
