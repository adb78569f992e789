"""Tables of consistent hashing: Envoy's ring (ketama) and Maglev, with names hashed as everything here is.

Sources: envoyproxy.io, "Ring hash" and "Maglev" load balancers; Eisenbud et al., "Maglev: a fast and reliable software
network load balancer", NSDI 2016 (the population of the table, section 3.4).
"""

from __future__ import annotations

from collections.abc import Sequence
from functools import lru_cache

import numpy as np
import numpy.typing as npt

from meshsim.engines.keyed import mix

MAGLEV_ENTRIES = 65_537  # prime, Envoy's default

Ring = tuple[npt.NDArray[np.uint64], npt.NDArray[np.int32]]


@lru_cache(maxsize=4096)
def ring(names: Sequence[int], least: int) -> Ring:
    """Positions on a ring and the host at each, ascending: as many for each host, at least `least` in all.

    Examples
    --------
    >>> at, host = ring((11, 22, 33), 1024)
    >>> len(at), np.bincount(host).tolist()
    (1026, [342, 342, 342])
    """
    each = -(-least // len(names))
    at = np.array([mix(name, i) for name in names for i in range(each)], dtype=np.uint64)
    host = np.repeat(np.arange(len(names), dtype=np.int32), each)
    order = np.lexsort((host, at))
    return at[order], host[order]


@lru_cache(maxsize=4096)
def maglev(names: Sequence[int]) -> Ring:
    """The lookup table: hosts take turns to claim the next free entry of their own permutation.

    Examples
    --------
    >>> _, host = maglev((11, 22, 33))
    >>> np.bincount(host).tolist()
    [21846, 21846, 21845]
    """
    free = [True] * MAGLEV_ENTRIES
    table = np.zeros(MAGLEV_ENTRIES, dtype=np.int32)
    at = [mix(name, 0) % MAGLEV_ENTRIES for name in names]
    skip = [mix(name, 1) % (MAGLEV_ENTRIES - 1) + 1 for name in names]
    for filled in range(MAGLEV_ENTRIES):
        host = filled % len(names)
        while not free[at[host]]:
            at[host] = (at[host] + skip[host]) % MAGLEV_ENTRIES
        free[at[host]] = False
        table[at[host]] = host
    return np.zeros(MAGLEV_ENTRIES, dtype=np.uint64), table
