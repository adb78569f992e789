"""The Program's distributions as Python functions.

A constant needs no compiled code, and most others only plain numbers: a call that hands over arrays takes longer.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from meshsim.engines import program as p
from meshsim.engines.program import Program
from meshsim.engines.sampler import draw, draw_simple, whole

#: Draws by (key, purpose, position), as rule R4 says: before rounding, and rounded.
Draw = Callable[[int, int, int], float]
WholeDraw = Callable[[int, int, int], int]


def make_draw(program: Program, number: int, row: Any) -> Draw:
    """Distribution `number`, in the unit of its use."""
    kind, p0, p1, p2 = row.kind, row.p0, row.p1, row.p2
    if kind == p.D_CONSTANT:
        return lambda _key, _purpose, _position: p0
    if kind in (p.D_EMPIRICAL, p.D_MIXTURE):
        distributions, table = program.distributions, program.table
        return lambda key, purpose, position: draw(distributions, table, number, key, purpose, position)
    return lambda key, purpose, position: draw_simple(kind, p0, p1, p2, key, purpose, position)


def make_whole(exact: Draw, row: Any) -> WholeDraw:
    """The same, rounded."""
    if row.kind == p.D_CONSTANT:
        constant = whole(row.p0)
        return lambda _key, _purpose, _position: constant
    return lambda key, purpose, position: whole(exact(key, purpose, position))
