"""What a proxy's CPU for a message depends on besides the message: how long it has rested (rule P3).

Said once for both engines: the readable one calls what the other has compiled into it.
"""

from __future__ import annotations

from meshsim.engines.jit import compiled


@compiled("float64(int64, float64, float64, float64, float64)")
def cost_factor(gap_ns: int, exponent: float, at_ns: float, least_ns: float, most_ns: float) -> float:
    """Factor on the base cost of a message that came `gap_ns` after the one before it; 1 after `at_ns`."""
    return (min(max(float(gap_ns), least_ns), most_ns) / at_ns) ** exponent
