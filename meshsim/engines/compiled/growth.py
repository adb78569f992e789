"""How the kernel's tables grow.

No function of the kernel allocates: before each step it checks that there is room for all that one step can ask for,
and otherwise returns to Python, which makes the table that was full twice as long and calls again.
"""

from __future__ import annotations

import numpy as np

from meshsim.engines.compiled.rows import FORWARDS, NONE
from meshsim.engines.compiled.state import Kernel, table

#: Tables that grow, by their number in `SCALARS.full`.
GROWING = ("heap", "ready", "frames", "live", "users", "rows", "spans", "scalings")
HEAP_TABLE, READY_TABLE, FRAME_TABLE, LIVE_TABLE, USER_TABLE, ROW_TABLE, SPAN_TABLE, SCALING_TABLE = range(8)


def grow(kernel: Kernel, number: int) -> Kernel:
    """Make a table longer, at least twice, and by enough for one step."""
    name = GROWING[number]
    old = getattr(kernel, name)
    scalars = kernel.scalars[0]
    length = len(old) + max(len(old), 2 * int(scalars["step"] + scalars["arrivals"]))
    new = table(length, old.dtype)
    if name == "ready":  # a ring: unroll it
        first, count = int(scalars["ready"]), int(scalars["readies"])
        new[:count] = np.take(old, np.arange(first, first + count), mode="wrap")
        scalars["ready"] = 0
    else:
        new[: len(old)] = old
    if name == "frames":
        forwards = table(length, FORWARDS)
        forwards[: len(old)] = kernel.forwards[: len(old)]
        kernel = kernel._replace(forwards=forwards)
    free = {"frames": "frame", "live": "request", "users": "user"}.get(name)
    if free:
        new["next"][len(old) :] = np.arange(len(old) + 1, length + 1)
        new["next"][-1] = scalars[f"free_{free}"]
        if name != "users":
            new["number"][len(old) :] = NONE
        scalars[f"free_{free}"] = len(old)
        scalars[f"free_{free}s"] += length - len(old)
    return kernel._replace(**{name: new})
