"""How the kernel's tables grow.

No function of the kernel allocates: before each step it checks that there is room for all that one step can ask for,
and otherwise returns to Python, which makes the table that was full twice as long and calls again.
"""

from __future__ import annotations

from typing import Any

import numpy as np
import numpy.typing as npt

from meshsim.engines.compiled.caches import place_all
from meshsim.engines.compiled.rows import FORWARDS, NONE
from meshsim.engines.compiled.state import Kernel, for_kernel, table

#: Tables that grow, by their number in `SCALARS.full`.
GROWING = ("heap", "ready", "frames", "live", "users", "rows", "spans", "scalings", "fetches")
HEAP_TABLE, READY_TABLE, FRAME_TABLE, LIVE_TABLE, USER_TABLE, ROW_TABLE, SPAN_TABLE, SCALING_TABLE = range(8)
FETCH_TABLE, STORE_TABLE = range(8, 10)


def grow(kernel: Kernel, number: int) -> Kernel:
    """Make a table longer, at least twice, and by enough for one step."""
    if number == STORE_TABLE:
        return _grow_for_caches(kernel)
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
    free = {"frames": "frame", "live": "request", "users": "user", "fetches": "fetch"}.get(name)
    if free:
        link = new["later" if free == "fetch" else "next"]
        link[len(old) :] = np.arange(len(old) + 1, length + 1)
        link[-1] = scalars[f"free_{free}"]
        if name in ("frames", "live"):
            new["number"][len(old) :] = NONE
        scalars[f"free_{free}"] = len(old)
        scalars["free_fetches" if free == "fetch" else f"free_{free}s"] += length - len(old)
    return kernel._replace(**{name: new})


# -- caches ----------------------------------------------------------------------------------------------------


def _grow_for_caches(kernel: Kernel) -> Kernel:
    scalars, stores = kernel.scalars[0], kernel.stores
    scalars["tight"] = 0
    for store in np.flatnonzero(stores["entries"] + stores["margin"] > stores["slots"]):
        kernel = _give_rows(kernel, int(store), 2 * int(stores["slots"][store]))
    return grow(kernel, FETCH_TABLE) if scalars["free_fetches"] < scalars["step"] else kernel


def first_rows(kernel: Kernel, has_caches: bool) -> Kernel:
    """Give each store its first rows: twice what one step may fill, and some more."""
    for store in range(len(kernel.stores)) if has_caches else ():
        kernel = _give_rows(kernel, store, 2 * int(kernel.stores["margin"][store]) + 14)
    return grow(kernel, FETCH_TABLE) if kernel.scalars["free_fetches"][0] < kernel.scalars["step"][0] else kernel


def _give_rows(kernel: Kernel, store: int, slots: int) -> Kernel:
    """Move a store to a region of `slots` rows at the end of the tables; where it was is left."""
    s = kernel.stores[store]
    scalars = kernel.scalars[0]
    before, first, old = int(s["slots"]), int(scalars["kept"]), int(s["first"])
    places = 1 << (2 * slots - 1).bit_length()
    first_place = int(scalars["places"])
    kernel = kernel._replace(
        kept=_longer(kernel.kept, first + slots),
        uses=_longer(kernel.uses, first + slots),
        places=_longer(kernel.places, first_place + places),
    )
    kernel.kept[first : first + before] = kernel.kept[old : old + before]
    kernel.uses[first : first + before] = kernel.uses[old : old + before]
    kernel.uses["more"][first + before : first + slots] = np.arange(before + 1, slots + 1)
    kernel.uses["more"][first + slots - 1] = s["free_count"]
    kernel.places[first_place : first_place + places] = NONE
    old_place, old_places = int(s["first_place"]), int(s["mask"]) + 1 if before else 0
    s["free_count"] = before
    s["first"], s["slots"] = first, slots
    s["first_place"], s["mask"] = first_place, places - 1
    scalars["kept"], scalars["places"] = first + slots, first_place + places
    place_all(for_kernel(kernel), store, old_place, old_places)
    return kernel


def _longer(old: npt.NDArray[Any], length: int) -> npt.NDArray[Any]:
    """A table of at least so many rows: twice as many where it has fewer."""
    if len(old) >= length:
        return old
    length = max(length, 2 * len(old))
    new = table(length, old.dtype) if old.dtype.names else np.zeros(length, dtype=old.dtype)
    new[: len(old)] = old
    return new
