"""Cells and shuffle shards: what everybody gets, counted, against the combinatorics and AWS's figures."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable
from itertools import combinations, pairwise

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy import stats

from meshsim.architectures.shards import (
    cells,
    expected_fully_covered,
    fully_covered_probability,
    overlap_distribution,
    shuffle_shards,
)
from meshsim.errors import UsageError

MANY = [f"tenant-{i}" for i in range(4000)]
UNLIKELY = 1e-3  # a p-value below this would make us doubt; names are fixed, so nothing fails by chance from day to day

names = st.lists(st.text(min_size=1, max_size=12), unique=True, min_size=1, max_size=30)


# Shuffle shards


@pytest.mark.parametrize(("replicas", "size"), [(8, 2), (10, 4), (6, 5)])
def test_common_replicas_are_hypergeometric(replicas: int, size: int) -> None:
    """Of neighbours in the list, so that all pairs are independent."""
    shards = [set(shard) for shard in shuffle_shards(MANY, replicas, size).values()]
    common = Counter(len(one & other) for one, other in zip(shards[::2], shards[1::2], strict=True))
    possible = [n for n in range(size + 1) if stats.hypergeom.pmf(n, replicas, size, size) > 0]
    assert set(common) <= set(possible)
    expected = [2000 * stats.hypergeom.pmf(n, replicas, size, size) for n in possible]
    assert stats.chisquare([common[n] for n in possible], expected).pvalue > UNLIKELY


def test_every_subset_is_equally_likely() -> None:
    got = Counter(shuffle_shards(MANY, 8, 2).values())
    assert stats.chisquare([got[pair] for pair in combinations(range(8), 2)]).pvalue > UNLIKELY


def test_expected_number_fully_covered() -> None:
    """Each of 4,000 tenants goes bad in turn; others with the same shard are counted."""
    shards = shuffle_shards(MANY, 8, 2)
    same = Counter(shards.values())
    mean = sum(same[shard] - 1 for shard in shards.values()) / len(MANY)
    expected = expected_fully_covered(8, 2, len(MANY) - 1)
    assert expected == pytest.approx(3999 / 28)
    assert mean == pytest.approx(expected, rel=0.02)


@pytest.mark.parametrize(("replicas", "size"), [(8, 2), (10, 4), (6, 5), (100, 5), (4, 4), (7, 1)])
def test_overlap_distribution_is_scipys(replicas: int, size: int) -> None:
    ours = overlap_distribution(replicas, size)
    assert ours == pytest.approx(stats.hypergeom(replicas, size, size).pmf(range(size + 1)), rel=1e-9)
    assert sum(ours) == pytest.approx(1.0)
    assert ours[-1] == fully_covered_probability(replicas, size)


def test_published_figures() -> None:
    """Builders' Library: 28 shards of two among eight, 730 billion of four among 2,048; five of 100: AWS's labs.

    The deck of 54 cards and hands of four is in "Shuffle sharding: massive and magical fault isolation" (2014).
    """
    assert 1 / fully_covered_probability(8, 2) == pytest.approx(28)
    assert 1 / fully_covered_probability(2048, 4) == pytest.approx(730e9, rel=0.002)
    assert fully_covered_probability(100, 5) == pytest.approx(0.0000013e-2, rel=0.03)
    _, one, two, three, four = overlap_distribution(54, 4)
    assert 1 / 5 < one < 1 / 4
    assert 1 / 50 < two < 1 / 40
    assert three < 1 / 1000
    assert 1 / four > 300_000


@settings(max_examples=50, deadline=None)
@given(names, st.integers(1, 12), st.data())
def test_a_shard_is_sorted_and_of_its_size(tenants: list[str], replicas: int, data: st.DataObject) -> None:
    size = data.draw(st.integers(1, replicas))
    for shard in shuffle_shards(tenants, replicas, size).values():
        assert list(shard) == sorted(set(shard))
        assert len(shard) == size
        assert set(shard) <= set(range(replicas))


def test_one_more_replica_takes_one_place_or_none() -> None:
    before, after = shuffle_shards(MANY[:500], 9, 3), shuffle_shards(MANY[:500], 10, 3)
    moved = [tenant for tenant in before if before[tenant] != after[tenant]]
    assert all(set(after[tenant]) - set(before[tenant]) == {9} for tenant in moved)
    assert stats.binomtest(len(moved), 500, 3 / 10).pvalue > UNLIKELY


# Cells


@settings(max_examples=100, deadline=None)
@given(names, st.integers(1, 40), st.data())
def test_cells_partition_the_replicas(tenants: list[str], replicas: int, data: st.DataObject) -> None:
    count = data.draw(st.integers(1, replicas))
    crowd = tenants + [f"crowd of {i}" for i in range(20 * count)]  # so that hardly a cell stays without a tenant
    seen = sorted(set(cells(crowd, replicas, count).values()))
    assert len(seen) <= count
    for cell in seen:
        assert list(cell) == list(range(cell[0], cell[-1] + 1))
        assert len(cell) in {replicas // count, -(-replicas // count)}
    assert all(one[-1] < other[0] and len(one) >= len(other) for one, other in pairwise(seen))
    if len(seen) == count:
        assert [replica for cell in seen for replica in cell] == list(range(replicas))


def test_all_cells_are_used_alike() -> None:
    got = Counter(cells(MANY, 11, 4).values())
    assert sorted(got) == [(0, 1, 2), (3, 4, 5), (6, 7, 8), (9, 10)]
    assert max(got.values()) - min(got.values()) <= 1


def test_few_tenants_have_cells_of_their_own() -> None:
    for n in range(1, 6):
        assert len(set(cells(MANY[:n], 5, 5).values())) == n


@settings(max_examples=50, deadline=None)
@given(names, st.integers(0, 20))
def test_a_cell_for_each_tenant(tenants: list[str], more: int) -> None:
    """In the order of names; together all replicas, each once."""
    replicas = len(tenants) + more
    own = cells(tenants, replicas, "per_tenant")
    assert [replica for tenant in sorted(tenants) for replica in own[tenant]] == list(range(replicas))
    sizes = [len(own[tenant]) for tenant in sorted(tenants)]
    assert sizes == sorted(sizes, reverse=True)
    assert sizes[0] - sizes[-1] <= 1


# Both


@settings(max_examples=50, deadline=None)
@given(names, st.integers(2, 9))
@pytest.mark.parametrize("assign", [shuffle_shards])
def test_others_move_nobody(assign: Callable[..., dict[str, tuple[int, ...]]], tenants: list[str], n: int) -> None:
    """Each alone, and all of them in the reverse order, get what they get together."""
    together = assign(tenants, 9, n)
    assert list(together) == tenants
    assert assign(tenants[::-1], 9, n) == together
    assert all(assign([tenant], 9, n)[tenant] == together[tenant] for tenant in tenants)


@pytest.mark.parametrize(
    ("wrong", "says"),
    [
        (lambda: cells(["a", "b", "c"], 2, "per_tenant"), "give mesh.gateway.replicas=3, or a number of cells up to 2"),
        (lambda: cells(["a"], 4, 5), "4 replicas make 1 to 4 cells, or per_tenant, not 5"),
        (lambda: cells(["a"], 4, 0), "1 to 4 cells, or per_tenant, not 0"),
        (lambda: cells(["a"], 4, "per-tenant"), "1 to 4 cells, or per_tenant, not 'per-tenant'"),
        (lambda: cells(["a", "b", "a"], 4, 2), "tenant 'a' comes twice; name each tenant once"),
        (lambda: cells("abc", 4, 2), r"tenants are a list: write \['abc'\]"),
        (lambda: shuffle_shards(["a", "a"], 4, 2), "tenant 'a' comes twice"),
        (lambda: shuffle_shards(["a"], 4, 5), "a shuffle shard of 4 replicas has 1 to 4 of them, not 5"),
        (lambda: overlap_distribution(4, 0), "1 to 4 of them, not 0"),
        (lambda: fully_covered_probability(4, 5), "1 to 4 of them, not 5"),
        (lambda: expected_fully_covered(4, 2, -1), "0 or more, not -1"),
    ],
)
def test_mistakes(wrong: Callable[[], object], says: str) -> None:
    with pytest.raises(UsageError, match=says):
        wrong()
