"""Draws that are rounded once (rule R4)."""

from __future__ import annotations

from meshsim.engines.compiled.state import Kernel
from meshsim.engines.jit import compiled
from meshsim.engines.keyed import unit
from meshsim.engines.program import D_EXP
from meshsim.engines.sampler import draw, exponential, whole


@compiled()
def draw_whole(k: Kernel, number: int, key: int, purpose: int, position: int) -> int:
    """One draw from a distribution, rounded; a constant needs no random number, hence no call."""
    d = k.distributions[number]
    if d.always >= 0:
        return int(d.always)
    if d.kind == D_EXP:
        return whole(exponential(d.p0, unit(key, purpose, position, 0)))
    return whole(draw(k.distributions, k.table, number, key, purpose, position))
