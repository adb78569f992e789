"""Which replicas of a gateway serve which tenant: cells, or shuffle shards.

A tenant whose configuration or traffic kills the replicas that serve it takes along whoever has no other replica. In
*cells* these are all tenants of its cell. In *shuffle shards* every tenant has a subset of its own, drawn at random,
and only those are lost whose subset is the very same; who shares some replicas loses a part of its capacity.
C. MacCárthaigh, "Workload isolation using shuffle-sharding", Amazon Builders' Library (2019).

Shards hang on a tenant's name alone, so that tenants come and go without moving others. Cells are filled evenly, as an
operator would, so that a tenant who comes may move others. Both draw by rendezvous hashing (the highest of one hash for
each candidate: D. Thaler and C. Ravishankar, "Using name-based mappings to increase hit rates", IEEE/ACM Trans.
Networking 6 (1998)).

Architectures only ask who is served by whom. The probabilities (`overlap_distribution`, `fully_covered_probability`,
`expected_fully_covered`) are for whoever sizes shards before any tenant has a name.
"""

from __future__ import annotations

import hashlib
from collections import Counter
from collections.abc import Sequence
from itertools import pairwise
from math import comb
from typing import Final, Literal

from meshsim.errors import UsageError

_CELL: Final = b"cell"  # the two draw from hashes of their own
_SHARD: Final = b"shard"


def cells(tenants: Sequence[str], replicas: int, count: int | Literal["per_tenant"]) -> dict[str, tuple[int, ...]]:
    """Replicas of each tenant when they are split into cells.

    Parameters
    ----------
    tenants
        Their names.
    replicas
        How many there are; they are numbered from 0.
    count
        How many cells. Each is a run of neighbours; sizes differ by one at most, and the larger ones come first.
        Cells have equally many tenants, or one more: in the order of a hash of their names, each goes to the cell that
        a hash prefers among those with the fewest. With ``per_tenant`` each tenant has a cell to itself, in the order
        of their names.

    Raises
    ------
    UsageError
        There are fewer replicas than cells, or the same tenant comes twice.

    Examples
    --------
    >>> cells(["maps", "mail", "docs"], 7, "per_tenant")
    {'docs': (0, 1, 2), 'mail': (3, 4), 'maps': (5, 6)}
    >>> cells(["maps", "mail", "photos"], 7, 3)
    {'maps': (5, 6), 'mail': (0, 1, 2), 'photos': (3, 4)}
    """
    _check_tenants(tenants)
    ranges = cell_ranges(tenants, replicas, count)
    if count == "per_tenant":
        return dict(zip(sorted(tenants), ranges, strict=True))
    found: dict[str, int] = {}
    for tenant in sorted(tenants, key=lambda name: _score(name, count, _CELL)):
        taken = Counter(found.values())
        least = min(taken[cell] for cell in range(count))
        free = [cell for cell in range(count) if taken[cell] == least]
        found[tenant] = max(free, key=lambda cell: _score(tenant, cell, _CELL))
    return {tenant: ranges[found[tenant]] for tenant in tenants}


def cell_ranges(
    tenants: Sequence[str], replicas: int, count: int | Literal["per_tenant"]
) -> tuple[tuple[int, ...], ...]:
    """Replicas of each cell, as of `cells`; a cell may have no tenant.

    Examples
    --------
    >>> cell_ranges(["maps", "mail"], 5, 2)
    ((0, 1, 2), (3, 4))
    """
    if count == "per_tenant":
        if replicas < len(tenants):
            raise UsageError(
                f"a cell for each of {len(tenants)} tenants needs as many replicas of the gateway, not {replicas}; "
                f"give mesh.gateway.replicas={len(tenants)}, or a number of cells up to {replicas}"
            )
        return tuple(_split(replicas, len(tenants)))
    if not isinstance(count, int) or not 1 <= count <= replicas:
        raise UsageError(f"{replicas} replicas make 1 to {replicas} cells, or per_tenant, not {count!r}")
    return tuple(_split(replicas, count))


def shuffle_shards(tenants: Sequence[str], replicas: int, size: int) -> dict[str, tuple[int, ...]]:
    """Replicas of each tenant when it gets a random subset of them.

    Every subset of that size is equally likely, and independent of what other tenants get.

    Parameters
    ----------
    tenants
        Their names.
    replicas
        How many there are; they are numbered from 0.
    size
        How many each tenant gets.

    Raises
    ------
    UsageError
        There are fewer replicas than `size`, or the same tenant comes twice.

    Examples
    --------
    >>> shuffle_shards(["maps", "mail"], 8, 2)
    {'maps': (3, 4), 'mail': (1, 7)}
    """
    _check_tenants(tenants)
    _check_size(replicas, size)
    return {
        tenant: tuple(sorted(sorted(range(replicas), key=lambda one: _score(tenant, one, _SHARD))[-size:]))
        for tenant in tenants
    }


def overlap_distribution(replicas: int, size: int) -> tuple[float, ...]:
    """Probability that two tenants' shuffle shards have 0, 1, …, `size` replicas in common (hypergeometric).

    Examples
    --------
    >>> [round(p, 4) for p in overlap_distribution(8, 2)]  # 15, 12 and 1 of 28
    [0.5357, 0.4286, 0.0357]
    """
    _check_size(replicas, size)
    shards = comb(replicas, size)
    return tuple(comb(size, common) * comb(replicas - size, size - common) / shards for common in range(size + 1))


def fully_covered_probability(replicas: int, size: int) -> float:
    """Probability that another tenant has no other replica than the tenant whose replicas are all bad.

    With shuffle shards: that its subset is the same of all C(replicas, size).

    Examples
    --------
    >>> round(1 / fully_covered_probability(2048, 4))  # Route 53's name servers: 730 billion shards
    730862190080
    """
    _check_size(replicas, size)
    return 1 / comb(replicas, size)


def expected_fully_covered(replicas: int, size: int, others: int) -> float:
    """Expected number among `others` tenants that have no other replica than the one whose replicas are all bad.

    Examples
    --------
    >>> expected_fully_covered(8, 2, 56)
    2.0
    """
    if others < 0:
        raise UsageError(f"the number of other tenants is 0 or more, not {others}")
    return others * fully_covered_probability(replicas, size)


def _split(replicas: int, count: int) -> list[tuple[int, ...]]:
    """Numbers below `replicas` in `count` runs, the first ones longer by one where it does not divide."""
    if not count:
        return []
    size, longer = divmod(replicas, count)
    starts = [cell * size + min(cell, longer) for cell in range(count + 1)]
    return [tuple(range(start, end)) for start, end in pairwise(starts)]


def _score(tenant: str, candidate: int, purpose: bytes) -> bytes:
    """64 random bits that belong to a tenant and a candidate."""
    return hashlib.blake2b(f"{candidate} {tenant}".encode(), digest_size=8, person=purpose).digest()


def _check_tenants(tenants: Sequence[str]) -> None:
    if isinstance(tenants, str):
        raise UsageError(f"tenants are a list: write ['{tenants}']")
    seen = Counter(tenants)
    if len(seen) < len(tenants):
        raise UsageError(f"tenant '{seen.most_common(1)[0][0]}' comes twice; name each tenant once")


def _check_size(replicas: int, size: int) -> None:
    if not 1 <= size <= replicas:
        raise UsageError(f"a shuffle shard of {replicas} replicas has 1 to {replicas} of them, not {size}")
