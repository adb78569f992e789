"""The one place that says how functions are compiled, and where what was compiled is kept."""

from __future__ import annotations

import getpass
import hashlib
import os
import shutil
import tempfile
import time
from collections.abc import Callable
from functools import cache, wraps
from pathlib import Path
from typing import Any, TypeVar

import numba
import numpy as np
from numba import from_dtype, njit, types
from numba.core import sigutils
from numba.core.codegen import JITCodeLibrary
from numba.core.compiler import Compiler
from numba.cpython.unsafe.numbers import leading_zeros
from numba.extending import overload_method
from numba.np import arrayobj

from meshsim.engines import memory

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

_OLD_S = 30 * 24 * 3600.0  # compiled code is removed when a newer version has been compiled and it is older (assumed)

Function = TypeVar("Function", bound=Callable[..., Any])


class _Piece(JITCodeLibrary):
    """Code of a function that only others of ours call: it becomes machine code within them and never by itself.

    Numba would optimise each function with all that it calls, and translate it, although what is used in the end is
    one function that has them all in it. A third of the time to compile the kernel went there.
    """

    def _optimize_final_module(self) -> None:
        """Leave it to whoever has it in it."""

    def _finalize_final_module(self) -> None:
        self._finalize_dynamic_globals()  # type: ignore[no-untyped-call]
        self._finalized = True

    def get_pointer_to_function(self, name: str) -> int:
        """There is nothing to point to."""
        self._ensure_finalized()  # type: ignore[no-untyped-call]
        return 0

    @property
    def codegen(self) -> Any:
        """What Numba tells where Python's objects are, which no function of ours needs."""
        return _NoObjects()


class _RarePiece(_Piece):
    """Code that seldom runs: LLVM lays what leads to it out of the way, and keeps registers for what often runs."""

    def add_ir_module(self, module: Any) -> None:
        """Add a module, whose functions are marked."""
        for function in module.functions:
            if not function.is_declaration:
                function.attributes.add("cold")
        super().add_ir_module(module)  # type: ignore[no-untyped-call]


class _NoObjects:
    def set_env(self, name: str, environment: Any) -> None:
        """Nothing to do."""


class _KernelCompiler(Compiler):
    """Numba's compiler, for functions that are mostly parts of others and that never count from the end of a table.

    Numba asks of every signed index whether it is negative, at every access; without that the kernel is 15 to 20 %
    faster. The functions that are replaced while one of ours is compiled (under Numba's lock) are not public; a test
    tells if they are no longer asked. Without the compiler the kernel's tables refuse negative indices.
    """

    piece: type[_Piece] = _Piece

    def compile_extra(self, function: Any) -> Any:
        """Compile one function with all that is inlined into it."""
        if self.state.flags.no_cpython_wrapper:
            codegen = self.state.targetctx.codegen()
            self.state.library = self.piece(codegen, function.__qualname__)
        theirs = {name: getattr(arrayobj, name) for name in _OURS}
        vars(arrayobj).update(_OURS)
        try:
            return super().compile_extra(function)  # type: ignore[no-untyped-call]
        finally:
            vars(arrayobj).update(theirs)


class _RareCompiler(_KernelCompiler):
    piece = _RarePiece


def _as_it_stands(context: Any, builder: Any, kind: Any, index: Any, _: Any) -> Any:
    return context.cast(builder, index, kind, types.intp)


_leading_zeros: Any = leading_zeros
#: What is used in the place of Numba's own functions while one of ours is compiled.
_OURS = {"fix_integer_index": _as_it_stands, "load_item": memory.load_item, "store_item": memory.store_item}


@overload_method(types.Integer, "bit_length")
def _bit_length(number):  # type: ignore[no-untyped-def]
    """Of a number that is not negative: one instruction of the processor, where `frexp` would be a call."""
    bits = number.bitwidth
    return lambda number: bits - _leading_zeros(number)


def compiled(
    signature: Any = None, *, inline: bool = True, rare: bool = False, entry: bool = False
) -> Callable[[Function], Function]:
    """Compile a function with `OPTIONS`; for the given types at once, or for those of its first call.

    Python may call those with a signature (keys are unsigned, and Numba would guess otherwise by their size) and those
    that are an `entry`; the others have no wrapper that Python could call and are not kept: they are within those that
    call them.
    With ``inline=False`` the function is called: for long ones that are needed in many places and take few arguments.
    A `rare` one is called, too, and what leads to it is laid out of the way of what often runs.
    """
    inner = signature is None and not entry
    options = {**OPTIONS, "forceinline": inline and not rare, "no_cpython_wrapper": inner, "no_cfunc_wrapper": True}
    options |= {"cache": not inner, "pipeline_class": _RareCompiler if rare else _KernelCompiler}
    arguments = () if signature is None else (signature,)

    def decorate(function: Function) -> Function:
        if numba.config.DISABLE_JIT:  # type: ignore[attr-defined]
            return function if signature is None else _as_typed(function, signature)
        # Numba asks for the folder when it decorates; others' functions keep theirs.
        config: Any = numba.config
        theirs, config.CACHE_DIR = config.CACHE_DIR, str(cache_folder())
        try:
            compiled_function: Any = njit(*arguments, **options)(function)
        finally:
            config.CACHE_DIR = theirs
        if signature is None:
            _compile_once(compiled_function)
        result: Function = compiled_function
        return result

    return decorate


def _compile_once(function: Any) -> None:
    """Compile a function for whole numbers of 64 bits only, whoever calls it.

    Numba compiles anew for each width of an integer and for each constant that an argument is; the kernel would be
    compiled from 300 functions instead of 190, and gain nothing, as they are inlined in the end.
    """
    template = function.get_call_template
    function.get_call_template = lambda arguments, keywords: template(tuple(map(_wide, arguments)), keywords)


def _wide(kind: Any) -> Any:
    wide: Any = types.unliteral(kind)  # type: ignore[no-untyped-call]
    if wide in types.integer_domain and wide.bitwidth < 64:
        return types.int64 if wide.signed else types.uint64
    return wide


def _as_typed(function: Function, signature: Any) -> Function:
    """Without the compiler, convert arguments as its signature would: numpy's scalars do not wrap in silence."""
    arguments, _ = sigutils.normalize_signature(signature)  # type: ignore[no-untyped-call]
    convert = [_CONVERSIONS.get(kind, lambda x: x) for kind in arguments]

    @wraps(function)
    def call(*values: Any) -> Any:
        return function(*(to(value) for to, value in zip(convert, values, strict=True)))

    return call  # type: ignore[return-value]


_CONVERSIONS: dict[Any, Callable[[Any], Any]] = {
    types.uint64: lambda x: int(x) & 0xFFFFFFFFFFFFFFFF,
    types.int64: int,
    types.float64: float,
}


@cache
def cache_folder() -> Path:
    """Folder of compiled code: below NUMBA_CACHE_DIR if it is set, else in the user's cache, else a temporary one.

    Its name holds a digest of the engines' sources, of where they are and when they were written. Numba would only
    notice a change of the file that a function stands in, not of those that were inlined into it; and code of another
    installation would be found there, but not taken.
    """
    here = Path(__file__).parent
    digest = hashlib.sha256(str(here).encode())
    for source in sorted([*here.glob("*.py"), *here.glob("compiled/*.py")]):
        digest.update(source.read_bytes())
        digest.update(str(source.stat().st_mtime_ns).encode())
    name = f"compiled-{digest.hexdigest()[:16]}"
    if "NUMBA_CACHE_DIR" in os.environ:
        return Path(os.environ["NUMBA_CACHE_DIR"]) / name
    folder = Path(os.environ.get("XDG_CACHE_HOME") or Path.home() / ".cache") / "meshsim" / name
    if is_writable(folder):
        return folder
    return _temporary_folder() / name


def _temporary_folder() -> Path:
    """A temporary folder that is this user's alone: what is read from there is run."""
    user = os.getuid() if hasattr(os, "getuid") else getpass.getuser()
    folder = Path(tempfile.gettempdir()) / f"meshsim-{user}"
    try:
        folder.mkdir(mode=0o700, exist_ok=True)
        if not hasattr(os, "getuid") or folder.lstat().st_uid == os.getuid():
            return folder
    except OSError:
        pass  # something else has this name
    return Path(tempfile.mkdtemp(prefix="meshsim-"))


def forget_old() -> None:
    """Remove code that other versions compiled long ago beside the cache folder, and mark the present one as used."""
    folder = cache_folder()
    if "NUMBA_CACHE_DIR" in os.environ or not folder.is_dir():
        return
    os.utime(folder)
    for other in folder.parent.glob("compiled-*"):
        if time.time() - other.stat().st_mtime > _OLD_S:
            shutil.rmtree(other, ignore_errors=True)


def is_writable(folder: Path) -> bool:
    """Whether files can be written there, or the folder can be made."""
    while not folder.exists() and folder != folder.parent:
        folder = folder.parent
    return folder.is_dir() and os.access(folder, os.W_OK)


def table_type(dtype: np.dtype[Any], *, readonly: bool = True) -> types.Array:
    """Numba's type of a contiguous table of `dtype`."""
    element = from_dtype(dtype) if dtype.names else types.float64
    return types.Array(element, 1, "C", readonly=readonly)
