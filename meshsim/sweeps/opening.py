"""Stores of sweeps that were made before."""

from __future__ import annotations

from pathlib import Path

from meshsim.errors import StoreError
from meshsim.sweeps.result import SweepResult
from meshsim.sweeps.saying import Say, to_stderr
from meshsim.sweeps.store import Damaged, Store


def open_store(folder: str | Path, *, say: Say | None = None) -> SweepResult:
    """Read all finished runs of a store, of whatever sweeps.

    Parameters
    ----------
    folder
        That `meshsim.sweep` or ``meshsim sweep`` made.
    say
        Called with what a user should know: damaged files, which are left out. Without it, that goes to stderr.

    Returns
    -------
    SweepResult
        In `frame()`, columns such as ``settings`` and ``spec`` tell sweeps apart.

    Raises
    ------
    StoreError
        There is no store, it has no runs, or it cannot be read.

    Examples
    --------
    >>> import meshsim as ms
    >>> ms.open_store("no-such-folder")
    Traceback (most recent call last):
    meshsim.errors.StoreError: there is no store no-such-folder; meshsim sweep makes one
    """
    store, say = Store(folder), say or to_stderr
    if not store.folder.is_dir():
        raise StoreError(f"there is no store {folder}; meshsim sweep makes one")
    found, others = [], 0
    for key in store.finished():
        try:
            run = store.find(key)
        except Damaged as error:
            say(f"warning: {error}; the sweep that made it makes it again")
            continue
        others += run is None
        found += [] if run is None else [run]
    if others:
        say(f"note: {others} runs in {folder} have the format of another version of meshsim, and are left out")
    if not found:
        raise StoreError(f"the store {folder} has no finished runs; meshsim sweep --store {folder} makes them")
    return SweepResult(tuple(found), tuple(sorted({path for run in found for path, _ in run.about["axes"]})))
