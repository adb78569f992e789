"""The one place that says how functions are compiled."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, TypeVar

import numpy as np
from numba import from_dtype, njit, types

#: Options of every compiled function. `_nrt=False` leaves out reference counting (such a function may neither allocate
#: nor return an array); it is a private option of Numba, which is why Numba's versions are bounded in pyproject.toml.
#: `forceinline` inlines in LLVM, so that many small functions cost what one long one would.
OPTIONS: dict[str, Any] = {
    "cache": True,
    "nogil": True,
    "error_model": "numpy",
    "_nrt": False,
    "forceinline": True,
}

Function = TypeVar("Function", bound=Callable[..., Any])


def compiled(signature: Any = None) -> Callable[[Function], Function]:
    """Compile a function with `OPTIONS`; for the given types at once, or for those of its first call.

    Signatures are explicit wherever Python calls: keys are unsigned, and Numba would guess otherwise by their size.
    """
    decorate: Callable[[Function], Function] = njit(**OPTIONS) if signature is None else njit(signature, **OPTIONS)
    return decorate


def table_type(dtype: np.dtype[Any], *, readonly: bool = True) -> types.Array:
    """Numba's type of a contiguous table of `dtype`."""
    element = from_dtype(dtype) if dtype.names else types.float64
    return types.Array(element, 1, "C", readonly=readonly)
