"""Which tables compiled code may take by their address; that it finds them is held by every run."""

from __future__ import annotations

from typing import NamedTuple

import numpy as np
import numpy.typing as npt
import pytest

from meshsim.engines.compiled.by_address import Tables
from meshsim.errors import InternalError


class Some(NamedTuple):
    flat: npt.NDArray[np.float64]
    deep: npt.NDArray[np.int64]


def some(deep: npt.NDArray[np.int64]) -> Tables:
    return Tables(Some(np.zeros(3), deep))


def test_tables_that_look_alike_are_of_one_type_and_others_of_another() -> None:
    def kind(tables: Tables) -> object:
        return tables._numba_type_

    assert kind(some(np.zeros((2, 3), dtype=np.int64))) is kind(some(np.zeros((5, 7), dtype=np.int64)))
    assert kind(some(np.zeros((2, 3), dtype=np.int64))) is not kind(some(np.zeros((2, 3, 1), dtype=np.int64)))


@pytest.mark.parametrize("deep", [np.zeros((2, 6), dtype=np.int64)[:, ::2], np.zeros((1,) * 5, dtype=np.int64)])
def test_what_is_not_contiguous_or_too_deep_is_refused(deep: npt.NDArray[np.int64]) -> None:
    with pytest.raises(InternalError, match="the table deep"):
        some(deep)
