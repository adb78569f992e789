"""Draws that are rounded once (rule R4)."""

from __future__ import annotations

from meshsim.engines.compiled.state import Kernel
from meshsim.engines.jit import compiled
from meshsim.engines.sampler import draw, whole


@compiled()
def draw_whole(k: Kernel, number: int, key: int, purpose: int, position: int) -> int:
    """One draw from a distribution, rounded; a constant needs no random number, hence no call."""
    always = k.distributions[number].always
    if always >= 0:
        return int(always)
    return whole(draw(k.distributions, k.table, number, key, purpose, position))
