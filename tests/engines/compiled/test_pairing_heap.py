"""The pairing heap of a processor-sharing queue against a sorted list."""

from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st
from small_kernel import piece, small_kernel

from meshsim.engines.compiled import pairing
from meshsim.engines.compiled.rows import NONE

JOBS = 60
insert, remove = piece(pairing.insert), piece(pairing.remove)


@given(
    st.lists(st.tuples(st.integers(0, 5), st.integers(0, 2), st.integers(0, 2)), min_size=1, max_size=JOBS),
    st.data(),
)
def test_the_first_is_the_least_whoever_comes_and_goes(jobs: list[tuple[int, int, int]], data: st.DataObject) -> None:
    """By finish, then request, then serial; jobs that left may come back; at last all are taken out in order."""
    kernel, root = small_kernel(), NONE
    for i, job in enumerate(jobs):
        for name, value in zip(("finish", "number", "serial"), job, strict=True):
            kernel.frames[name][i] = value
    inside: dict[int, tuple[int, int, int]] = {}
    for _ in range(3 * len(jobs)):
        i = data.draw(st.integers(0, len(jobs) - 1))
        if i in inside:
            root = int(remove(kernel, root, i))
            del inside[i]
        else:
            root = int(insert(kernel, root, i))
            inside[i] = jobs[i]
        assert (root == NONE) == (not inside)
        if inside:
            assert jobs[root] == min(inside.values())
    while inside:
        assert jobs[root] == min(inside.values())
        del inside[root]
        root = int(remove(kernel, root, root))
    assert root == NONE


def test_many_children_at_once() -> None:
    """200 jobs of one root: taking it out melds them all."""
    kernel, root = small_kernel(), NONE
    for i in range(200):
        kernel.frames["finish"][i] = (i * 77) % 200
        root = int(insert(kernel, root, i))
    taken = []
    while root != NONE:
        taken.append(int(kernel.frames["finish"][root]))
        root = int(remove(kernel, root, root))
    assert taken == list(range(200))
