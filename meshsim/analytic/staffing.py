"""Square-root staffing: how many servers a load needs, beyond itself, so that few wait.

S. Halfin and W. Whitt, "Heavy-traffic limits for queues with many exponential servers", Operations Research 29 (1981):
with R + β √R servers for a load of R, the chance to wait depends on β alone.
"""

from __future__ import annotations

import math

from meshsim.errors import UsageError


def waiting_chance(beta: float) -> float:
    """Chance to wait with R + β √R servers, for large R (Halfin and Whitt).

    Examples
    --------
    >>> round(waiting_chance(1.0), 3)
    0.223
    """
    density = math.exp(-0.5 * beta * beta) / math.sqrt(2.0 * math.pi)
    below = 0.5 * (1.0 + math.erf(beta / math.sqrt(2.0)))
    return 1.0 / (1.0 + beta * below / density)


def square_root_staffing(load: float, chance: float) -> float:
    """Servers that a load needs so that this share of its jobs waits at most; a real number.

    Parameters
    ----------
    load
        Erlangs, e.g. cores asked for.
    chance
        To wait; above 0 and below 1.

    Examples
    --------
    >>> round(square_root_staffing(100.0, 0.2), 1)  # Erlang: 111 servers have 0.19, 110 have 0.22
    110.6
    """
    if not 0.0 < chance < 1.0:
        raise UsageError(f"a chance of {chance} to wait: give one above 0 and below 1")
    if load <= 0.0:
        return 0.0
    low, high = 0.0, 10.0
    for _ in range(60):
        middle = 0.5 * (low + high)
        low, high = (middle, high) if waiting_chance(middle) > chance else (low, middle)
    return load + high * math.sqrt(load)
