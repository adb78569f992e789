"""The kernel's tables for the smallest of planes, and its pieces as Python can call them: to test each alone."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numba
import numpy as np
from builders import plane, poisson, service

from meshsim.engines.compiled import allocation
from meshsim.engines.compiled.state import Kernel
from meshsim.engines.pack import pack


def small_kernel(**lengths: int) -> Kernel:
    """As `allocate` makes it; tables named in `lengths` have that length, and their lists are as long."""
    program = pack(plane(service("a"), arrivals=poisson(1.0)))
    kernel = allocation.allocate(program)
    tables: dict[str, Any] = {name: np.zeros(n, dtype=getattr(kernel, name).dtype) for name, n in lengths.items()}
    kernel = kernel._replace(**tables)
    allocation.fill_lists(kernel, program)
    return kernel


def piece(function: Callable[..., Any]) -> Callable[..., Any]:
    """A function of the kernel for Python: only those that are an entry have a wrapper of their own."""
    if numba.config.DISABLE_JIT:
        return function
    return numba.njit(error_model="numpy")(lambda *arguments: function(*arguments))
