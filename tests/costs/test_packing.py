"""First-fit decreasing beside the optimum, which is found by trying everything."""

from __future__ import annotations

import random

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from meshsim.costs.packing import NodeType, Pod, first_fit_decreasing
from meshsim.errors import UsageError

GIB = 2**30


def optimum(sizes: list[tuple[int, int]], room: tuple[int, int]) -> int:
    """Fewest nodes: depth first, a node opened only once where nodes are alike."""
    best = len(sizes)
    nodes: list[list[int]] = []

    def place(at: int) -> None:
        nonlocal best
        if len(nodes) >= best:
            return
        if at == len(sizes):
            best = len(nodes)
            return
        for node in nodes:
            if all(used + size <= most for used, size, most in zip(node, sizes[at], room, strict=True)):
                node[0] += sizes[at][0]
                node[1] += sizes[at][1]
                place(at + 1)
                node[0] -= sizes[at][0]
                node[1] -= sizes[at][1]
        nodes.append(list(sizes[at]))
        place(at + 1)
        nodes.pop()

    place(0)
    return best


def pack(sizes: list[tuple[int, int]], room: tuple[int, int]) -> list[dict[str, int]]:
    node = NodeType("n", room[0], room[1] * GIB)
    return first_fit_decreasing([(Pod(f"p{i}", c, m * GIB), 1) for i, (c, m) in enumerate(sizes)], node)


@settings(deadline=None)
@given(st.lists(st.integers(1, 20), min_size=1, max_size=9))
def test_one_resource_keeps_the_bound(sizes: list[int]) -> None:
    """G. Dósa 2007."""
    pods = [(size, 0) for size in sizes]
    found, best = len(pack(pods, (20, 1))), optimum(pods, (20, 1))
    assert best <= found <= 11 / 9 * best + 6 / 9


@settings(deadline=None)
@given(st.lists(st.tuples(st.integers(1, 10), st.integers(1, 10)), min_size=1, max_size=8))
def test_two_resources(sizes: list[tuple[int, int]]) -> None:
    nodes = pack(sizes, (10, 10))
    for node in nodes:
        for resource in (0, 1):
            assert sum(sizes[int(name[1:])][resource] for name in node) <= 10
    assert sorted(name for node in nodes for name in node) == sorted(f"p{i}" for i in range(len(sizes)))
    best = optimum(sizes, (10, 10))
    assert best <= len(nodes) <= 2 * best + 1


def test_the_worst_case_is_as_bad_as_it_can_be() -> None:
    """D. S. Johnson's example of 1973: eleven nodes where nine would do, the triples and quadruples below."""
    sizes = [510] * 6 + [270] * 6 + [260] * 6 + [230] * 12
    assert 510 + 260 + 230 == 270 + 270 + 230 + 230 == 1000 and sum(sizes) == 9 * 1000
    assert len(pack([(size, 0) for size in sizes], (1000, 1))) == 11


@given(st.lists(st.tuples(st.integers(1, 40), st.integers(1, 40), st.integers(0, 30)), max_size=6), st.randoms())
def test_order_does_not_matter(kinds: list[tuple[int, int, int]], chance: random.Random) -> None:
    node = NodeType("n", 4.0, 16 * GIB)
    pods = [(Pod(f"p{i}", c / 10, m * GIB / 10), n) for i, (c, m, n) in enumerate(kinds)]
    shuffled = list(pods)
    chance.shuffle(shuffled)
    assert first_fit_decreasing(shuffled, node) == first_fit_decreasing(pods, node)


def test_requests_that_miss_by_rounding_fit() -> None:
    node = NodeType("n", 1.0, GIB)
    assert len(first_fit_decreasing([(Pod("a", 0.1, 0), 10)], node)) == 1
    assert len(first_fit_decreasing([(Pod("a", 0.1, 0), 11)], node)) == 2


def test_what_daemons_take_is_not_free() -> None:
    node = NodeType("n", 4.0, 16 * GIB, reserved_cores=0.5, reserved_bytes=8 * GIB)
    assert len(first_fit_decreasing([(Pod("a", 1.0, GIB), 4)], node)) == 2
    assert len(first_fit_decreasing([(Pod("a", 0.1, 5 * GIB), 2)], node)) == 2


def test_a_pod_that_fits_nowhere_is_told() -> None:
    with pytest.raises(UsageError, match=r"a pod of maps \(8 cores, 1 GiB\) does not fit on a node n \(4 cores"):
        first_fit_decreasing([(Pod("maps", 8, GIB), 1)], NodeType("n", 4, 16 * GIB))
    assert first_fit_decreasing([(Pod("maps", 8, GIB), 0)], NodeType("n", 4, 16 * GIB)) == []


def test_one_core_is_not_several() -> None:
    node = NodeType("small", cores=1, memory_bytes=2**30)
    with pytest.raises(UsageError, match=r"a pod of a \(2 cores, 1 GiB\) .* a node small \(1 core, 1 GiB free\)"):
        first_fit_decreasing([(Pod("a", 2, 2**30), 1)], node)
