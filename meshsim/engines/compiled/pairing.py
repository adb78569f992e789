"""The jobs of a processor-sharing queue: a pairing heap by (finish, request, serial), linked through the frames.

Fredman, Sedgewick, Sleator and Tarjan, "The pairing heap", 1986. `heap_prev` is the elder sibling, or the parent of a
first child, so that any job can be taken out.
"""

from __future__ import annotations

from meshsim.engines.compiled.state import NONE, Kernel
from meshsim.engines.jit import compiled


@compiled()
def before(k: Kernel, one: int, other: int) -> bool:
    """Which of two jobs is done first."""
    a, b = k.frames[one], k.frames[other]
    if a.finish != b.finish:
        return a.finish < b.finish
    if a.number != b.number:
        return a.number < b.number
    return a.serial < b.serial


@compiled()
def meld(k: Kernel, one: int, other: int) -> int:
    """Join two heaps; the root of the later one becomes the first child of the other."""
    if one == NONE:
        return other
    if other == NONE:
        return one
    if before(k, other, one):
        one, other = other, one
    child = k.frames[one].heap_child
    k.frames[other].heap_next = child
    k.frames[other].heap_prev = one
    if child != NONE:
        k.frames[child].heap_prev = other
    k.frames[one].heap_child = other
    return one


@compiled()
def insert(k: Kernel, root: int, frame: int) -> int:
    """Add a job and give the new root."""
    f = k.frames[frame]
    f.heap_child = NONE
    f.heap_next = NONE
    f.heap_prev = NONE
    return meld(k, root, frame)


@compiled()
def _merge_children(k: Kernel, first: int) -> int:
    """Two passes: meld pairs from left to right, then the results from right to left."""
    pairs = NONE  # chained by heap_next, the last pair first
    while first != NONE:
        second = k.frames[first].heap_next
        rest = NONE if second == NONE else k.frames[second].heap_next
        k.frames[first].heap_next = NONE
        k.frames[first].heap_prev = NONE
        if second != NONE:
            k.frames[second].heap_next = NONE
            k.frames[second].heap_prev = NONE
        joined = meld(k, first, second)
        k.frames[joined].heap_next = pairs
        pairs = joined
        first = rest
    root = NONE
    while pairs != NONE:
        rest = k.frames[pairs].heap_next
        k.frames[pairs].heap_next = NONE
        root = meld(k, root, pairs)
        pairs = rest
    return root


@compiled()
def remove(k: Kernel, root: int, frame: int) -> int:
    """Take a job out and give the new root."""
    f = k.frames[frame]
    children = _merge_children(k, f.heap_child)
    f.heap_child = NONE
    if frame == root:
        return children
    if k.frames[f.heap_prev].heap_child == frame:
        k.frames[f.heap_prev].heap_child = f.heap_next
    else:
        k.frames[f.heap_prev].heap_next = f.heap_next
    if f.heap_next != NONE:
        k.frames[f.heap_next].heap_prev = f.heap_prev
    f.heap_next = NONE
    f.heap_prev = NONE
    return meld(k, root, children)
