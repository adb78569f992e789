"""Compiling the kernel before it is needed: once a version of its source, under a minute."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager

from numba import config

from meshsim.engines.jit import cache_folder, forget_old, is_writable
from meshsim.engines.program import Program
from meshsim.engines.record import BATCHES


def is_cached() -> bool:
    """Whether the kernel was compiled before, so that it loads in a moment; or is not to be compiled at all."""
    return bool(config.DISABLE_JIT) or any(cache_folder().rglob("loop.advance-*.nbi"))  # type: ignore[attr-defined]


def message() -> str:
    """What to tell before the kernel is compiled."""
    folder = cache_folder()
    if is_writable(folder):
        return "compiling the engine (once, under a minute) …"
    return f"compiling the engine (under a minute, in every process: {folder} cannot be written to) …"


def warm(program: Program) -> None:
    """Compile the kernel, or load it, by running `program` for a few nanoseconds."""
    from meshsim.engines.compiled.engine import CompiledRun

    run = CompiledRun(program, seed=0, replication=0, duration_ns=BATCHES, drain_ns=0)
    run.advance(BATCHES)
    run.bring_to(BATCHES)
    run.record()
    forget_old()


def warm_up() -> None:
    """As `warm`, with whatever program there is."""
    from meshsim.architectures import lower
    from meshsim.engines.pack import pack
    from meshsim.model.load import load

    warm(pack(lower(load("bookinfo"), "none")))


@contextmanager
def alone() -> Iterator[None]:
    """Wait until no other process that keeps compiled code in the same folder is within this."""
    try:
        import fcntl
    except ImportError:  # Windows: each compiles for itself, and the last one's code is kept
        yield
        return
    folder = cache_folder()
    if not is_writable(folder):
        yield
        return
    with (folder / "compiling.lock").open("w") as file:
        fcntl.flock(file, fcntl.LOCK_EX)  # the system lets go of it when the process ends, however it ends
        yield
