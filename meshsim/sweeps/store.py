"""Where runs of sweeps are kept: two files a run, written so that nothing finished is ever lost.

A run has a key, the sha256 of everything that its numbers depend on. ``runs/ab/<key>.parquet`` has the numbers;
``runs/ab/<key>.json`` tells how they were made, and the sha256 of the first. The second is written last: a run is
finished once it is there. Both are written under another name, brought to the disk, and renamed, which is atomic
(POSIX rename). So a process may be killed at any instant, and several may write into one store: whoever computes a run
again writes the same bytes.
"""

from __future__ import annotations

import errno
import hashlib
import io
import json
import os
import secrets
import time
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final

from meshsim.errors import StoreError
from meshsim.sweeps.parquet import read_parquet

#: Scope, name, quantity, value, low, high: as of `meshsim.results.result.rows`.
Row = tuple[str, str, str, float | None, float | None, float | None]

FORMAT: Final = 2  # of the files; goes up when they change
_COLUMNS: Final = ("scope", "name", "quantity", "value", "low", "high")
_STALE_S: Final = 3600.0  # a half-written file that is older was left by a process that was killed (assumed)


@dataclass(frozen=True, slots=True)
class Stored:
    """One finished run.

    Attributes
    ----------
    key
        Of what its numbers depend on.
    about
        What was run, as JSON's types: topology, architecture, axes (list of path and value), seed, verdict, ….
    rows
        The numbers.
    manifest
        How they were made: command, versions, time taken. Only this may differ between two makings.
    """

    key: str
    about: dict[str, Any]
    rows: tuple[Row, ...]
    manifest: dict[str, Any]


class Damaged(StoreError):
    """A file of the store is not what was written."""


class Store:
    """A folder of finished runs.

    Parameters
    ----------
    folder
        Made when something is written.

    Raises
    ------
    StoreError
        It is a file, or cannot be read.
    """

    def __init__(self, folder: str | Path) -> None:
        self.folder = Path(folder)
        if self.folder.exists() and not self.folder.is_dir():
            raise StoreError(f"the store {self.folder} is a file; give a folder")

    def find(self, key: str) -> Stored | None:
        """Give a finished run, or None; runs in the format of another version count as none.

        Raises
        ------
        Damaged
            Its files are not what was written; the message names the file.
        StoreError
            They cannot be read.
        """
        numbers, manifest = self._paths(key)
        try:
            told = json.loads(manifest.read_bytes())
        except FileNotFoundError:
            return None
        except ValueError:
            raise Damaged(f"{manifest} is damaged: it is no JSON") from None
        except OSError as error:
            raise StoreError(f"cannot read {manifest}: {error.strerror}") from None
        if isinstance(told, dict) and told.get("format", FORMAT) != FORMAT:
            return None
        try:
            content = numbers.read_bytes()
        except FileNotFoundError:
            raise Damaged(f"{numbers} is missing, though {manifest.name} says that it was written") from None
        except OSError as error:
            raise StoreError(f"cannot read {numbers}: {error.strerror}") from None
        if not isinstance(told, dict) or told.get("sha256") != hashlib.sha256(content).hexdigest():
            raise Damaged(f"{numbers} is damaged: it is not what was written")
        about, rows = _from_parquet(content)
        return Stored(key, about, rows, told["manifest"])

    def add(self, run: Stored) -> None:
        """Write a finished run.

        Raises
        ------
        StoreError
            It cannot be written: a full disk, a read-only folder. What was there before is as it was.
        """
        numbers, manifest = self._paths(run.key)
        content = _as_parquet(run.about, run.rows)
        told = {"format": FORMAT, "sha256": hashlib.sha256(content).hexdigest(), "manifest": run.manifest}
        try:
            numbers.parent.mkdir(parents=True, exist_ok=True)
            _replace(numbers, content)
            _replace(manifest, json.dumps(told, indent=2, ensure_ascii=False).encode())
        except OSError as error:
            full = error.errno in (errno.ENOSPC, errno.EDQUOT)
            hint = "; make room and run the same command again: what is finished is kept" if full else ""
            raise StoreError(f"cannot write to the store {self.folder}: {error.strerror}{hint}") from None

    def set_aside(self, key: str) -> list[Path]:
        """Rename the files of a run that are damaged, so that it can be made anew; gives their new names."""
        found = []
        for path in self._paths(key):
            if path.exists():
                aside = path.with_name(f"{path.name}.damaged-{secrets.token_hex(4)}")
                path.rename(aside)
                found.append(aside)
        return found

    def finished(self) -> list[str]:
        """Keys of all finished runs, sorted."""
        return sorted(manifest.stem for manifest in self.folder.glob("runs/??/*.json"))

    def sweep_up(self) -> None:
        """Remove half-written files that processes left which were killed long ago."""
        for path in self.folder.glob("runs/??/.*.part"):
            try:
                if time.time() - path.stat().st_mtime > _STALE_S:
                    path.unlink()
            except OSError:
                continue  # another writer was faster

    def _paths(self, key: str) -> tuple[Path, Path]:
        folder = self.folder / "runs" / key[:2]
        return folder / f"{key}.parquet", folder / f"{key}.json"


def _replace(path: Path, content: bytes) -> None:
    """Write a file as a whole or not at all."""
    part = path.with_name(f".{path.name}.{os.getpid()}-{secrets.token_hex(4)}.part")
    try:
        with part.open("xb") as file:
            file.write(content)
            file.flush()
            os.fsync(file.fileno())
        part.replace(path)
    except BaseException:
        part.unlink(missing_ok=True)
        raise
    _sync_folder(path.parent)


def _sync_folder(folder: Path) -> None:
    """Bring the new name to the disk; not every system lets one open a folder."""
    if not hasattr(os, "O_DIRECTORY"):
        return
    handle = os.open(folder, os.O_RDONLY | os.O_DIRECTORY)
    try:
        os.fsync(handle)
    finally:
        os.close(handle)


def _as_parquet(about: Mapping[str, Any], rows: Sequence[Row]) -> bytes:
    import pyarrow as pa
    import pyarrow.parquet as pq

    texts, numbers = pa.string(), pa.float64()
    columns = list(zip(*rows, strict=True)) or [()] * len(_COLUMNS)
    kinds = [texts] * 3 + [numbers] * 3
    arrays = [pa.array(column, type=kind) for column, kind in zip(columns, kinds, strict=True)]
    described = json.dumps(about, ensure_ascii=False, sort_keys=True).encode()
    table = pa.Table.from_arrays(arrays, names=list(_COLUMNS)).replace_schema_metadata({b"meshsim": described})
    buffer = io.BytesIO()
    pq.write_table(table, buffer, compression="zstd")
    return buffer.getvalue()


def _from_parquet(content: bytes) -> tuple[dict[str, Any], tuple[Row, ...]]:
    table = read_parquet(content)
    about = json.loads((table.schema.metadata or {})[b"meshsim"])
    return about, tuple(zip(*(table.column(name).to_pylist() for name in _COLUMNS), strict=True))
