"""How compiled functions take the kernel: by one address instead of by all of its tables.

Numba passes a NamedTuple of arrays field by field, seven numbers for each array: some 500 arguments for each of 250
functions, which took half of the time to compile them, and were copied wherever one is called rather than inlined. Here
the addresses and lengths of all tables stand in a list of their own, and compiled code gets where the list is.
"""

from __future__ import annotations

import hashlib
from collections.abc import Collection, Sequence
from typing import Any, NamedTuple

import numpy as np
import numpy.typing as npt
from llvmlite import ir
from numba import typeof, types
from numba.core import cgutils
from numba.core.datamodel import models
from numba.core.imputils import impl_ret_borrowed, lower_setattr_generic
from numba.core.typing.templates import AttributeTemplate, infer_getattr
from numba.extending import NativeValue, lower_getattr_generic, register_model, unbox
from numba.np.arrayobj import make_array, populate_array

from meshsim.engines import memory
from meshsim.errors import InternalError

_WIDTH = 1 + 4  # numbers in the list for each table: its address, then its length in each of at most four dimensions


class RowType(types.Record):
    """Numba's type of a row of one table, of which LLVM is told what it is (`meshsim.engines.memory`).

    Parameters
    ----------
    table
        Name of the table.
    row
        What numpy's dtype is to Numba.
    constant
        Compiled code only reads the table.
    """

    def __init__(self, table: str, row: types.Record, constant: bool) -> None:
        self.table, self.constant = table, constant
        fields: Any = [(name, field._asdict()) for name, field in row.fields.items()]
        super().__init__(fields, row.size, row.aligned)
        self.name = f"{table}.{constant}.{self.name}"


register_model(RowType)(models.RecordModel)


@lower_getattr_generic(RowType)
def _load_field(context: Any, builder: Any, kind: RowType, row: Any, field: str) -> Any:
    value = kind.typeof(field)
    at = cgutils.get_record_member(builder, row, kind.offset(field), context.get_data_type(value))
    return memory.load(context, builder, value, at, f"{kind.table}.{field}", constant=kind.constant)


@lower_setattr_generic(RowType)
def _store_field(context: Any, builder: Any, signature: Any, arguments: Any, field: str) -> None:
    kind, given = signature.args
    if kind.constant:
        raise InternalError(f"compiled code writes to {kind.table}, of which LLVM is told that it is only read")
    row, value = arguments
    wanted = kind.typeof(field)
    at = cgutils.get_record_member(builder, row, kind.offset(field), context.get_data_type(wanted))
    value = context.cast(builder, value, given, wanted)
    memory.store(context, builder, wanted, value, at, f"{kind.table}.{field}")


class TablesType(types.Type):
    """Numba's type of tables that are found by an address."""

    def __init__(self, names: Sequence[str], tables: Sequence[types.Array]) -> None:
        self.tables = dict(zip(names, tables, strict=True))
        self.numbers = {name: number for number, name in enumerate(names)}
        # The name stands in the name of every compiled function, so it should be short, and differ where a table does.
        looks = repr([(name, table, table.dtype.name) for name, table in self.tables.items()])
        super().__init__(f"Tables_{hashlib.sha256(looks.encode()).hexdigest()[:16]}")


class Tables:
    """Tables as compiled functions take them; it keeps them alive.

    Parameters
    ----------
    tables
        A NamedTuple of contiguous arrays of at most four dimensions. They must stay where they are, as they do.
    constant
        Names of those that compiled code only reads.
    handed_on
        Names of those that it hands to functions which take them as numpy's arrays.

    Raises
    ------
    InternalError
        A table is not contiguous, or has more dimensions.
    """

    __slots__ = ("_list", "_numba_type_", "_tables", "address")

    def __init__(self, tables: NamedTuple, constant: Collection[str] = (), handed_on: Collection[str] = ()) -> None:
        self._tables = tables
        self._numba_type_ = _type_of(tables, constant, handed_on)
        self._list: npt.NDArray[np.intp] = np.zeros((len(tables), _WIDTH), dtype=np.intp)
        for row, table in zip(self._list, tables, strict=True):
            row[0] = table.ctypes.data
            row[1 : 1 + table.ndim] = table.shape
        self.address = self._list.ctypes.data


_TYPES: dict[tuple[Any, ...], TablesType] = {}


def _type_of(tables: NamedTuple, constant: Collection[str], handed_on: Collection[str]) -> TablesType:
    looks = tuple((table.dtype, table.ndim, table.flags.writeable, table.flags.c_contiguous) for table in tables)
    known = (tables._fields, looks, tuple(constant), tuple(handed_on))
    if known not in _TYPES:
        for name, (_, ndim, _, contiguous) in zip(tables._fields, looks, strict=True):
            if not contiguous or ndim >= _WIDTH:
                raise InternalError(f"compiled code cannot take the table {name}: it is not contiguous, or too deep")
        kinds = {name: typeof(table) for name, table in zip(tables._fields, tables, strict=True)}
        for name, kind in kinds.items():
            if isinstance(kind.dtype, types.Record) and name not in handed_on:
                kinds[name] = kind.copy(dtype=RowType(name, kind.dtype, name in constant))
        _TYPES[known] = TablesType(tables._fields, list(kinds.values()))
    return _TYPES[known]


register_model(TablesType)(models.OpaqueModel)


@unbox(TablesType)
def _unbox(kind: TablesType, given: Any, c: Any) -> NativeValue:
    address = c.pyapi.object_getattr_string(given, "address")
    value = c.pyapi.number_as_ssize_t(address)
    c.pyapi.decref(address)
    return NativeValue(c.builder.inttoptr(value, c.context.get_value_type(kind)))


@infer_getattr
class _Attributes(AttributeTemplate):
    key = TablesType

    def generic_resolve(self, kind: TablesType, name: str) -> types.Array | None:  # type: ignore[override]
        return kind.tables.get(name)


@lower_getattr_generic(TablesType)
def _table(context: Any, builder: Any, kind: TablesType, value: Any, name: str) -> Any:
    """Make Numba's array of what the list says.

    Nothing in the list changes while compiled code runs, and telling LLVM so lets it read each number once.
    """
    array_type = kind.tables[name]
    first = _WIDTH * kind.numbers[name]
    intp = context.get_value_type(types.intp)

    def read(number: int, as_type: Any) -> Any:
        slots = builder.bitcast(value, as_type.as_pointer())
        loaded = builder.load(builder.gep(slots, [ir.Constant(intp, first + number)]))
        loaded.set_metadata("invariant.load", builder.module.add_metadata([]))
        return loaded

    data_type = context.get_data_type(array_type.dtype).as_pointer()
    shape = [read(1 + dimension, intp) for dimension in range(array_type.ndim)]
    item_bytes = context.get_abi_sizeof(context.get_data_type(array_type.dtype))
    strides = [ir.Constant(intp, item_bytes)]
    for length in reversed(shape[1:]):
        strides.insert(0, builder.mul(strides[0], length))
    array = make_array(array_type)(context, builder)
    populate_array(
        array,
        data=read(0, data_type),
        shape=shape,
        strides=strides,
        itemsize=ir.Constant(intp, item_bytes),
        meminfo=None,
    )
    return impl_ret_borrowed(context, builder, array_type, array._getvalue())
