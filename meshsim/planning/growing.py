"""How far the load of a deployment can grow: doubled until something breaks, then the bracket is halved."""

from __future__ import annotations

from collections.abc import Callable
from typing import Final

from meshsim.planning.probing import Probe
from meshsim.planning.result import Growing, Grown

_FACTORS: Final = (1.1, 1.25, 1.5, 2.0, 3.0, 4.0)  # of the peak load: beyond that it is another deployment (assumed)
_PRECISION: Final = 0.05  # width of the bracket (assumed)


def grown(probe: Callable[[float], Probe], begin: Probe) -> Growing:
    """Find the load at which something breaks; both ends are simulated.

    Parameters
    ----------
    probe
        Simulates a factor on the peak load.
    begin
        What that gives of 1, which holds.
    """
    held, broke, first = 1.0, None, None
    looked = [_told(1.0, begin)]
    for factor in _FACTORS:
        found = probe(factor)
        looked.append(_told(factor, found))
        if not found.holds:
            broke, first = factor, found
            break
        held = factor
    while broke is not None and broke - held > _PRECISION * held * (1 + 1e-9):
        factor = round((held + broke) / 2, 4)
        found = probe(factor)
        looked.append(_told(factor, found))
        if found.holds:
            held = factor
        else:
            broke, first = factor, found
    by_load = sorted(looked, key=lambda one: one.factor)
    return Growing(held, broke, () if first is None else first.broken, tuple(by_load))


def _told(factor: float, probe: Probe) -> Grown:
    return Grown(
        factor=factor,
        judgement=probe.judgement,
        objectives=probe.objectives,
        unstable=probe.unstable,
        goodput_per_s=probe.goodput_per_s,
        offered_per_s=probe.offered_per_s,
    )
