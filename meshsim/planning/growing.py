"""How far the load of a deployment can grow: doubled until something breaks, then the bracket is halved."""

from __future__ import annotations

from collections.abc import Callable
from typing import Final

from meshsim.planning.probing import Probe
from meshsim.planning.result import Growing

_FACTORS: Final = (1.1, 1.25, 1.5, 2.0, 3.0, 4.0)  # of the peak load: beyond that it is another deployment (assumed)
_PRECISION: Final = 0.05  # width of the bracket (assumed)


def grown(probe: Callable[[float], Probe]) -> Growing:
    """Find the load at which something breaks; both ends are simulated.

    Parameters
    ----------
    probe
        Simulates a factor on the peak load, at which 1 holds.
    """
    held, broke, first = 1.0, None, None
    for factor in _FACTORS:
        found = probe(factor)
        if not found.holds:
            broke, first = factor, found
            break
        held = factor
    while broke is not None and broke - held > _PRECISION * held * (1 + 1e-9):
        factor = round((held + broke) / 2, 4)
        found = probe(factor)
        if found.holds:
            held = factor
        else:
            broke, first = factor, found
    return Growing(held, broke, () if first is None else first.broken)
