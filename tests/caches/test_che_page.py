"""docs/caches-theory.md: approximations beside simulations. Its table is made here, and checked.

`pytest tests/caches/test_che_page.py --update-golden` writes it anew.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from functools import cache, partial
from pathlib import Path

import numpy as np
import pytest

from meshsim.caches.policies import Cache, Limits, make_cache
from meshsim.caches.theory import che, several, zipf

PAGE = Path(__file__).parents[2] / "docs" / "caches-theory.md"
BEGIN, END = "<!-- table: tests/caches/test_che_page.py -->\n", "<!-- end of table -->\n"
HEAD = "| keys | cache | approximated | simulated | error |\n|---|---|---:|---:|---:|\n"
RATE = 1000.0  # requests per second, where there is a ttl


@dataclass(frozen=True)
class Case:
    """One line of the page."""

    keys: str
    what: str
    run: Callable[[], tuple[float, float]]  # approximated, simulated
    holds: bool = True  # within 0.01


def _drawn(popularity: np.ndarray, requests: int) -> list[int]:
    """Independent requests, by inversion."""
    uniform = np.random.default_rng(1).random(requests)
    return np.minimum(np.searchsorted(np.cumsum(popularity), uniform), len(popularity) - 1).tolist()


def _simulated(
    caches: Sequence[Cache], keys: list[int], where: Sequence[int] = (), sizes: Sequence[int] | None = None
) -> tuple[float, float]:
    """Share of requests and of bytes that are hits in the second half; the first fills the cache."""
    half, hits, hit_bytes, asked_bytes = len(keys) // 2, 0, 0, 0
    for i, key in enumerate(keys):
        held, now, size = caches[where[i] if where else 0], i / RATE, sizes[key] if sizes else 1
        hit = held.lookup(key, now)
        if not hit:
            held.insert(key, size, now)
        if i >= half:
            hits, hit_bytes, asked_bytes = hits + hit, hit_bytes + hit * size, asked_bytes + size
    return hits / (len(keys) - half), hit_bytes / asked_bytes


def _plain(exponent: float, policy: str, capacity: int) -> tuple[float, float]:
    popularity = zipf(100_000, exponent)
    held = make_cache(policy, Limits(capacity_entries=capacity))  # type: ignore[arg-type]
    return che(popularity, capacity, policy).ratio, _simulated([held], _drawn(popularity, 400_000))[0]


def _with_ttl(policy: str, renew: bool, ttl_s: float) -> tuple[float, float]:
    popularity = zipf(20_000, 0.9)
    found = che(popularity * RATE, 2_000, policy, ttl_s=ttl_s, renew=renew)
    held = make_cache(policy, Limits(capacity_entries=2_000, ttl_s=ttl_s, renew=renew))  # type: ignore[arg-type]
    return found.ratio, _simulated([held], _drawn(popularity, 200_000))[0]


def _with_sizes(of_bytes: bool) -> tuple[float, float]:
    popularity = zipf(20_000, 0.9)
    sizes = np.maximum(1, np.random.default_rng(2).lognormal(np.log(2000), 1.0, 20_000)).astype(int)
    found = che(popularity, 4_000_000, sizes=sizes)
    held = make_cache("lru", Limits(capacity_bytes=4_000_000))
    simulated = _simulated([held], _drawn(popularity, 200_000), sizes=sizes.tolist())
    return (found.byte_ratio, simulated[1]) if of_bytes else (found.ratio, simulated[0])


def _replicas(balancing: str) -> tuple[float, float]:
    popularity, rng = zipf(20_000, 0.9), np.random.default_rng(2)
    keys = _drawn(popularity, 300_000)
    where = rng.integers(4, size=len(keys)) if balancing == "random" else rng.integers(4, size=20_000)[keys]
    held = [make_cache("lru", Limits(capacity_entries=500)) for _ in range(4)]
    found = several(popularity, 500, 4, balancing)  # type: ignore[arg-type]
    return found.ratio, _simulated(held, keys, where.tolist())[0]


def _large(exponent: float, policy: str, capacity: int, holds: bool = True) -> Case:
    keys, what = f"100,000, Zipf {exponent}", f"{policy}, {capacity:,} entries"
    return Case(keys, what, partial(_plain, exponent, policy, capacity), holds)


SMALL = "20,000, Zipf 0.9"
CASES = (
    *(_large(exponent, "lru", capacity) for exponent in (0.8, 1.0, 1.2) for capacity in (1_000, 10_000)),
    *(_large(exponent, "fifo", 10_000) for exponent in (0.8, 1.0, 1.2)),
    *(_large(exponent, "lfu", 10_000, holds=False) for exponent in (0.8, 1.0, 1.2)),
    Case(SMALL, "lru, 4 MB, sizes lognormal (median 2 kB, sigma 1)", partial(_with_sizes, False)),
    Case(SMALL, "the same, byte hit ratio", partial(_with_sizes, True)),
    Case(SMALL, "lru, 2,000 entries, ttl 2 s with renewal", partial(_with_ttl, "lru", True, 2.0)),
    Case(SMALL, "fifo, 2,000 entries, ttl 2 s without renewal", partial(_with_ttl, "fifo", False, 2.0)),
    Case(SMALL, "4 replicas with lru of 500, random balancing", partial(_replicas, "random")),
    Case(SMALL, "4 replicas with lru of 500, by a hash of the key", partial(_replicas, "hash")),
)


@cache
def _found(case: Case) -> tuple[float, float]:
    return case.run()


@pytest.mark.parametrize("case", CASES, ids=[f"{case.keys}: {case.what}" for case in CASES])
def test_approximations_hold(case: Case) -> None:
    approximated, simulated = _found(case)
    if case.holds:
        assert abs(approximated - simulated) < 0.01
    else:
        assert 0.01 < approximated - simulated < 0.06  # ideal LFU is a bound, not an approximation


def test_the_page_says_what_was_found(request: pytest.FixtureRequest) -> None:
    lines = []
    for case in CASES:
        approximated, simulated = _found(case)
        lines.append(
            f"| {case.keys} | {case.what} | {approximated:.4f} | {simulated:.4f} | {approximated - simulated:+.4f} |\n"
        )
    text = PAGE.read_text(encoding="utf-8")
    head, _, rest = text.partition(BEGIN)
    wanted = head + BEGIN + HEAD + "".join(lines) + END + rest.partition(END)[2]
    if request.config.getoption("--update-golden"):
        PAGE.write_text(wanted, encoding="utf-8")
    assert text == wanted or request.config.getoption("--update-golden")
