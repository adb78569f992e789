"""What the options of compiling do is not public in Numba: here it shows if a version of Numba ends one of them."""

from __future__ import annotations

import numba
import numpy as np
import pytest

from meshsim.engines.jit import compiled

pytestmark = pytest.mark.skipif(numba.config.DISABLE_JIT, reason="nothing is compiled")


def last(table: np.ndarray, index: int) -> int:
    """Give what Python counts from the end."""
    return table[index]


def test_compiled_functions_ask_of_no_index_whether_it_is_negative() -> None:
    before, table = np.split(np.arange(8), 2)
    ours = compiled(entry=True)(last)
    assert ours(table, 1) == 5
    assert ours(table, -1) == before[-1]


def test_other_functions_of_the_process_count_from_the_end_as_ever() -> None:
    table = np.arange(4)
    assert compiled(entry=True)(last)(table, 1) == 1  # compiled before the other one
    assert numba.njit(last)(table, -1) == 3
