"""Since when an answer has been outdated: what both engines compute (rule K9)."""

from __future__ import annotations

from meshsim.engines.jit import compiled


@compiled("int64(int64, int64)")
def earliest(one: int, other: int) -> int:
    """The earlier of two instants; a negative one is none."""
    if one < 0:
        return other
    return one if other < 0 else min(one, other)
