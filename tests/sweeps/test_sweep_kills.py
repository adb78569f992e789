"""Whenever a sweep is killed, nothing that was finished is lost, and what is resumed has the same bytes."""

from __future__ import annotations

import errno
import json
import multiprocessing
import os
import random
import signal
import subprocess
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest
from small_sweep import ARCHITECTURES, AXES, RUNS, SHOP, numbers_in, small
from typer.testing import CliRunner

from meshsim.cli import app
from meshsim.errors import StoreError
from meshsim.sweeps import store as stores
from meshsim.sweeps.store import Store

pytestmark = pytest.mark.skipif(not hasattr(os, "fork"), reason="processes are forked, so that they start at once")
FORK = multiprocessing.get_context("fork")


@pytest.fixture(scope="module")
def whole(tmp_path_factory: pytest.TempPathFactory) -> dict[str, bytes]:
    """The store of a sweep that was never disturbed."""
    folder = tmp_path_factory.mktemp("whole")
    small(folder)
    return numbers_in(folder)


def finished(folder: Path) -> set[str]:
    """Keys of all runs that are there and in order; raises if one is damaged."""
    store = Store(folder)
    return {key for key in store.finished() if store.find(key) is not None}


def test_kills_at_random_instants(tmp_path: Path, whole: dict[str, bytes], request: pytest.FixtureRequest) -> None:
    """Two writers at a time, killed after a moment; when the store is full it is begun anew."""
    chance = random.Random(7)
    before: set[str] = set()
    folder, stores_filled, kills = tmp_path / "0", 0, 0
    while kills < (request.config.getoption("--kills") or 10):
        writers = [FORK.Process(target=small, args=(folder,), kwargs={"jobs": 2}) for _ in range(2)]
        for writer in writers:
            writer.start()
        for writer in writers:
            time.sleep(chance.uniform(0.02, 0.25))
            kills += writer.is_alive()
            writer.kill()
        for writer in writers:
            writer.join()
        after = finished(folder)
        assert before <= after
        before = after
        if len(after) == RUNS:
            assert numbers_in(folder) == whole
            stores_filled += 1
            folder, before = tmp_path / str(stores_filled), set()
    small(folder)
    assert numbers_in(folder) == whole


def killed_at(step: int, folder: Path) -> None:
    """Sweep until the `step`-th file is about to get its name, or to be brought to the disk."""
    steps = 0

    def dying(real: Callable[..., object]) -> Callable[..., object]:
        def call(*arguments: object) -> object:
            nonlocal steps
            steps += 1
            if steps == step:
                os.kill(os.getpid(), signal.SIGKILL)
            return real(*arguments)

        return call

    Path.replace = dying(Path.replace)  # type: ignore[assignment, method-assign]
    os.fsync = dying(os.fsync)  # type: ignore[assignment]
    small(folder)


@pytest.mark.parametrize("step", range(1, 9))
def test_kills_in_the_middle_of_writing(tmp_path: Path, whole: dict[str, bytes], step: int) -> None:
    """A run is written in six steps: each of two files is brought to the disk, named, and its folder brought there."""
    writer = FORK.Process(target=killed_at, args=(step, tmp_path))
    writer.start()
    writer.join()
    assert writer.exitcode == -signal.SIGKILL
    assert len(finished(tmp_path)) == (step - 1) // 6 + ((step - 1) % 6 >= 5)
    small(tmp_path)
    assert numbers_in(tmp_path) == whole


def test_what_killed_writers_left_is_removed_when_it_is_old(tmp_path: Path) -> None:
    writer = FORK.Process(target=killed_at, args=(2, tmp_path))
    writer.start()
    writer.join()
    (part,) = tmp_path.glob("runs/??/.*.part")
    small(tmp_path)
    assert part.exists()  # it might be another writer's
    os.utime(part, (time.time() - 7200,) * 2)
    small(tmp_path)
    assert not part.exists()


def test_a_full_disk_is_told_and_loses_nothing(
    tmp_path: Path, whole: dict[str, bytes], monkeypatch: pytest.MonkeyPatch
) -> None:
    """The system says that there is no room from the tenth write on."""
    writes = 0

    def full(_: int) -> None:
        nonlocal writes
        writes += 1
        if writes > 10:
            raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))

    with monkeypatch.context() as patch:
        patch.setattr(stores.os, "fsync", full)
        with pytest.raises(StoreError, match=r"No space left on device; make room and run the same command again"):
            small(tmp_path)
    assert len(finished(tmp_path)) == 2  # four writes a run, and folders
    assert not list(tmp_path.glob("runs/??/.*.part"))
    small(tmp_path)
    assert numbers_in(tmp_path) == whole


@contextmanager
def small_disk(folder: Path, kib: int) -> Iterator[None]:
    """Mount a file system of so many KiB, where that is allowed."""
    mounted = subprocess.run(
        ["mount", "-t", "tmpfs", "-o", f"size={kib}k", "tmpfs", str(folder)], capture_output=True, check=False
    )
    if mounted.returncode != 0:
        pytest.skip(f"cannot mount a small disk: {mounted.stderr.decode().strip()}")
    try:
        yield
    finally:
        subprocess.run(["umount", str(folder)], check=True)


def test_a_small_disk(tmp_path: Path, whole: dict[str, bytes]) -> None:
    """Room for some of the runs; more room, and the same command makes the rest."""
    with small_disk(tmp_path, kib=64):
        with pytest.raises(StoreError, match="No space left on device"):
            small(tmp_path)
        there = finished(tmp_path)
        assert 0 < len(there) < RUNS
        subprocess.run(["mount", "-o", "remount,size=10m", str(tmp_path)], check=True)
        small(tmp_path)
        assert there < finished(tmp_path)
        assert numbers_in(tmp_path) == whole


def test_a_small_disk_as_it_is_typed(tmp_path: Path, whole: dict[str, bytes]) -> None:
    """Exit code 4 and one line; the same command makes the rest once there is room."""
    topology = tmp_path / "shop.yaml"
    topology.write_text(json.dumps(SHOP), encoding="utf-8")
    folder = tmp_path / "disk"
    folder.mkdir()
    axes = [word for path, values in AXES.items() for word in ("--axis", f"{path}={_typed(values)}")]
    words = ["sweep", str(topology), *axes, "--arch", ",".join(ARCHITECTURES), "--store", str(folder), "--jobs", "1"]
    with small_disk(folder, kib=64):
        answer = CliRunner().invoke(app, words)
        assert (answer.exit_code, answer.stdout) == (4, "")
        (told,) = [line for line in answer.stderr.splitlines() if line.startswith("error: ")]
        assert told.startswith(f"error: cannot write to the store {folder}: No space left on device; make room")
        there = finished(folder)
        assert 0 < len(there) < RUNS
        subprocess.run(["mount", "-o", "remount,size=10m", str(folder)], check=True)
        assert CliRunner().invoke(app, words).exit_code == 0
        assert there < finished(folder)
        assert sorted(numbers_in(folder)) == sorted(whole)


def _typed(values: str | list[int]) -> str:
    return values if isinstance(values, str) else ",".join(map(str, values))
