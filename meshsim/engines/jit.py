"""The one place that says how functions are compiled."""

from __future__ import annotations

from typing import Any

import numpy as np
from numba import from_dtype, types

#: Options of every compiled function. `_nrt=False` leaves out reference counting (such a function may neither allocate
#: nor return an array); it is a private option of Numba, which is why Numba's versions are bounded in pyproject.toml.
#: `forceinline` inlines in LLVM, so that many small functions cost what one long one would.
OPTIONS = {"cache": True, "nogil": True, "error_model": "numpy", "_nrt": False, "forceinline": True}


def table_type(dtype: np.dtype[Any], *, readonly: bool = True) -> types.Array:
    """Numba's type of a contiguous table of `dtype`: signatures are explicit, since keys are unsigned."""
    element = from_dtype(dtype) if dtype.names else types.float64
    return types.Array(element, 1, "C", readonly=readonly)
