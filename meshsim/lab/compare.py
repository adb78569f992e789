"""Whether two figures agree: their difference is no larger than what chance and the machine may make of it."""

from __future__ import annotations

import math
from dataclasses import dataclass

from meshsim.lab.figures import Figure


@dataclass(frozen=True, slots=True)
class Row:
    """One quantity of one scenario on both sides.

    Attributes
    ----------
    scenario, quantity
        Their names.
    real, simulated
        The two figures; None if there was nothing to read.
    low, high
        The real figure agrees if it lies here: around the simulated one, as far as both intervals and the tolerance
        allow.
    agree
        It does.
    theory
        Closed form, where there is one.
    reason
        Why it is known not to agree; empty if it agrees, or if nobody knows.
    """

    scenario: str
    quantity: str
    real: float | None
    simulated: float | None
    low: float | None
    high: float | None
    agree: bool
    theory: float | None = None
    reason: str = ""

    def to_dict(self) -> dict[str, object]:
        """For JSON: the keys that `conform -o json` documents."""
        return {
            "scenario": self.scenario,
            "quantity": self.quantity,
            "real": self.real,
            "simulated": self.simulated,
            "low": self.low,
            "high": self.high,
            "agree": self.agree,
            "theory": self.theory,
            "reason": self.reason,
        }


def margin(real: Figure, simulated: Figure, tolerance: float) -> float:
    """How far two figures may lie apart: both half-widths, added in quadrature as independent ones, and a tolerance.

    Examples
    --------
    >>> margin(Figure(1.0, 0.3, 100), Figure(1.2, 0.4, 100), 0.1)
    0.6
    """
    return math.hypot(real.half, simulated.half) + tolerance


def row(scenario: str, quantity: str, real: Figure, simulated: Figure, tolerance: float, theory: float | None) -> Row:
    """Compare two figures.

    Examples
    --------
    >>> row("a", "b", Figure(1.0, 0.1, 100), Figure(1.3, 0.1, 100), 0.0, None).agree
    False
    """
    if not (real.values and simulated.values):
        found = None if not real.values else real.value, None if not simulated.values else simulated.value
        return Row(scenario, quantity, *found, None, None, False, theory)
    apart = margin(real, simulated, tolerance)
    low, high = simulated.value - apart, simulated.value + apart
    return Row(scenario, quantity, real.value, simulated.value, low, high, low <= real.value <= high, theory)
