"""What LLVM is told of the memory that compiled code reads and writes.

Without that, whatever is written may be to anything: all that was read before of any table has to be read again. With
it (metadata `tbaa`, as compilers of C make them of types), a write to one field of one table is to nothing else.
"""

from __future__ import annotations

from typing import Any

from llvmlite import ir
from numba import types

from meshsim.errors import InternalError

_ITEMS = "items"  # of tables without fields, of all together


def mark(builder: Any, access: Any, what: str, *, constant: bool = False) -> None:
    """Say what a load or a store is of: no two different `what` are the same memory.

    What is `constant` does not change while compiled code runs, whatever is called in between.
    """
    zero = ir.Constant(ir.IntType(64), 0)
    everything = builder.module.add_metadata(["meshsim"])
    kind = builder.module.add_metadata([what, everything, zero])
    access.set_metadata("tbaa", builder.module.add_metadata([kind, kind, zero]))
    if constant:
        access.set_metadata("invariant.load", builder.module.add_metadata([]))


def load(context: Any, builder: Any, kind: Any, at: Any, what: str, *, constant: bool = False) -> Any:
    """Read a value from an address."""
    loaded = builder.load(at, align=1)
    mark(builder, loaded, what, constant=constant)
    return context.data_model_manager[kind].from_data(builder, loaded)


def store(context: Any, builder: Any, kind: Any, value: Any, at: Any, what: str) -> None:
    """Write a value to an address."""
    stored = builder.store(context.data_model_manager[kind].as_data(builder, value), at, align=1)
    mark(builder, stored, what)


def _check(array: Any) -> None:
    """Refuse a column of a table: it would be the memory of a field by another name."""
    if array.layout != "C":
        raise InternalError(
            "compiled code takes a column of a table, or a slice with steps: it may take fields of rows"
        )


def load_item(context: Any, builder: Any, array: Any, at: Any) -> Any:
    """Read an item of an array, as `numba.np.arrayobj.load_item`; rows are not read, but referred to."""
    _check(array)
    if isinstance(array.dtype, types.Record):
        return context.unpack_value(builder, array.dtype, at)
    return load(context, builder, array.dtype, at, _ITEMS, constant=not array.mutable)


def store_item(context: Any, builder: Any, array: Any, value: Any, at: Any) -> None:
    """Write an item of an array, as `numba.np.arrayobj.store_item`; a row as a whole may be of any field."""
    _check(array)
    if getattr(array.dtype, "constant", False):
        raise InternalError(f"compiled code writes to {array.dtype.table}, of which LLVM is told that it is only read")
    if isinstance(array.dtype, types.Record):
        context.pack_value(builder, array.dtype, value, at, align=1)
    else:
        store(context, builder, array.dtype, value, at, _ITEMS)
