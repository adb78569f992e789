"""What the options of compiling do is not public in Numba: here it shows if a version of Numba ends one of them."""

from __future__ import annotations

from pathlib import Path
from typing import Any, NamedTuple

import numba
import numpy as np
import pytest

from meshsim.engines import jit
from meshsim.engines.compiled.by_address import Tables
from meshsim.engines.jit import compiled
from meshsim.errors import InternalError

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


class Some(NamedTuple):
    """Tables: rows, and numbers."""

    rows: Any
    numbers: Any


@compiled(rare=True)
def double(tables: Some) -> None:
    """What is hardly ever needed."""
    tables.rows[0].one *= 2


def add_up(tables: Some) -> int:
    """Read and write fields of rows, and numbers."""
    row = tables.rows[0]
    row.other = row.one + tables.numbers[1]
    tables.numbers[0] = row.other
    if row.one < 0:
        double(tables)
    return row.one + row.other


@pytest.fixture
def fresh(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    """Nothing was compiled before: code that is loaded cannot be looked at."""
    monkeypatch.setattr(jit, "cache_folder", lambda: tmp_path)


@pytest.mark.usefixtures("fresh")
def test_llvm_is_told_which_field_of_which_table_is_meant() -> None:
    rows = np.array([(3, 0)], dtype=[("one", "i4"), ("other", "i8")])
    numbers = np.array([0, 4])
    ours: Any = compiled(entry=True)(add_up)
    assert ours(Tables(Some(rows, numbers))) == 3 + 7
    assert rows[0].item() == (3, 7)
    assert numbers.tolist() == [7, 4]
    code = ours.inspect_llvm(ours.signatures[0])
    for told in ("rows.one", "rows.other", "items"):
        assert f'!"{told}"' in code


@pytest.mark.usefixtures("fresh")
def test_llvm_is_told_what_seldom_runs() -> None:
    rows, numbers = np.array([(-3, 0)], dtype=[("one", "i4"), ("other", "i8")]), np.array([0, 4])
    ours: Any = compiled(entry=True)(add_up)
    assert ours(Tables(Some(rows, numbers))) == -6 + 1
    rare: Any = double
    assert "cold" in rare.inspect_llvm(rare.signatures[-1])
    assert "cold" not in ours.inspect_llvm(ours.signatures[0])


def bits(number: int) -> int:
    """As Python counts them."""
    return number.bit_length()


def test_numbers_have_as_many_bits_as_in_python() -> None:
    ours = compiled("int64(int64)")(bits)
    for number in (0, 1, 2, 3, 4, 1023, 1024, 2**44 - 1, 2**44, 2**62):
        assert ours(number) == number.bit_length()


def whole_row(tables: Some) -> None:
    """Write a row as a whole."""
    tables.rows[0] = tables.rows[1]


def column(tables: Some) -> None:
    """Write a field by another name than that of its row."""
    tables.rows.one[0] = 5


def read_column(tables: Some) -> int:
    """Read one so."""
    return tables.rows.one[0]


@pytest.mark.usefixtures("fresh")
@pytest.mark.parametrize("write", [add_up, whole_row])
def test_what_is_only_read_cannot_be_written(write: Any) -> None:
    """LLVM may keep what it read of it for as long as it likes: a write would be a wrong answer."""
    rows = np.array([(3, 0), (4, 1)], dtype=[("one", "i4"), ("other", "i8")])
    tables = Tables(Some(rows, np.array([0, 4])), constant=["rows"])
    with pytest.raises(InternalError, match="writes to rows"):
        compiled(entry=True)(write)(tables)


@pytest.mark.usefixtures("fresh")
@pytest.mark.parametrize("access", [column, read_column])
def test_a_field_has_one_name(access: Any) -> None:
    """By another one a write would not be seen by what was read before."""
    rows = np.array([(3, 0), (4, 1)], dtype=[("one", "i4"), ("other", "i8")])
    with pytest.raises(InternalError, match="a column of a table"):
        compiled(entry=True)(access)(Tables(Some(rows, np.array([0, 4]))))
