"""Exact hit ratios of small caches under independent requests, computed without the simulator."""

from __future__ import annotations

import math
from collections.abc import Sequence
from itertools import combinations, permutations


def lru_hit_ratio(popularity: Sequence[float], capacity: int) -> float:
    """Move to front: the chance of each order of the `capacity` last asked for (King 1971, "Analysis of demand paging
    algorithms"): the k-th is drawn among those that are not before it.
    """
    found = 0.0
    for order in permutations(popularity, capacity):
        chance, left = 1.0, 1.0
        for p in order:
            chance *= p / left
            left -= p
        found += chance * math.fsum(order)
    return found


def fifo_hit_ratio(popularity: Sequence[float], capacity: int) -> float:
    """FIFO and random alike hold a set with a chance in proportion to the product of its popularities (Gelenbe 1973, "A
    unified approach to the evaluation of a class of replacement algorithms").
    """
    chances = [(math.prod(held), math.fsum(held)) for held in combinations(popularity, capacity)]
    return math.fsum(chance * hit for chance, hit in chances) / math.fsum(chance for chance, _ in chances)
