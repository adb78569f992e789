"""The jobs of a processor-sharing queue: a pairing heap by (finish, request, serial), linked through the frames.

Fredman, Sedgewick, Sleator and Tarjan, "The pairing heap", 1986. `prev` is the elder sibling, or the parent of a
first child, so that any job can be taken out.
"""

from __future__ import annotations

from meshsim.engines.compiled.rows import NONE
from meshsim.engines.compiled.state import Kernel
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
    k.frames[other].next = child
    k.frames[other].prev = one
    if child != NONE:
        k.frames[child].prev = other
    k.frames[one].heap_child = other
    return one


@compiled()
def insert(k: Kernel, root: int, frame: int) -> int:
    """Add a job and give the new root."""
    f = k.frames[frame]
    f.heap_child = NONE
    f.next = NONE
    f.prev = NONE
    return meld(k, root, frame)


@compiled()
def _merge_children(k: Kernel, first: int) -> int:
    """Two passes: meld pairs from left to right, then the results from right to left."""
    pairs = NONE  # chained by next, the last pair first
    while first != NONE:
        second = k.frames[first].next
        rest = NONE if second == NONE else k.frames[second].next
        k.frames[first].next = NONE
        k.frames[first].prev = NONE
        if second != NONE:
            k.frames[second].next = NONE
            k.frames[second].prev = NONE
        joined = meld(k, first, second)
        k.frames[joined].next = pairs
        pairs = joined
        first = rest
    root = NONE
    while pairs != NONE:
        rest = k.frames[pairs].next
        k.frames[pairs].next = NONE
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
    if k.frames[f.prev].heap_child == frame:
        k.frames[f.prev].heap_child = f.next
    else:
        k.frames[f.prev].next = f.next
    if f.next != NONE:
        k.frames[f.next].prev = f.prev
    f.next = NONE
    f.prev = NONE
    return meld(k, root, children)
