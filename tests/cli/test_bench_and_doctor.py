"""`bench` and `doctor`: what they print, never how long it took."""

from __future__ import annotations

import json
import os
import shutil
import time
from pathlib import Path

import numba
import numpy as np

import meshsim
from meshsim.engines import jit


def test_bench_is_asked_for_one_size(shell) -> None:
    answer = shell("bench", "--quick", "--full")
    assert (answer.exit_code, answer.stdout) == (2, "")
    assert "--quick and --full" in answer.stderr


def test_doctor_looks(shell) -> None:
    answer = shell("doctor", "--no-warm", "-o", "json")
    assert answer.exit_code == 0
    found = json.loads(answer.stdout)
    assert (found["numpy"], found["numba"]) == (np.__version__, numba.__version__)
    assert found["cores"] >= 1
    assert isinstance(found["compiled"], bool)


def test_doctor_says_the_same_as_a_table(shell) -> None:
    lines = shell("doctor", "--no-warm", "-q").stdout.splitlines()
    assert any(line.split() == ["numba", numba.__version__] for line in lines)


def test_a_cold_cache_is_seen(process, tmp_path) -> None:
    answer = process("meshsim doctor --no-warm -o json", NUMBA_CACHE_DIR=str(tmp_path / "empty"))
    found = json.loads(answer.stdout)
    assert found["compiled"] is False
    assert Path(found["cache_folder"]).parent == tmp_path / "empty"


def test_code_of_another_installation_is_not_taken_for_ours(process, tmp_path) -> None:
    """Numba would not take it either, but compile in silence."""
    shutil.copytree(Path(meshsim.__file__).parent, tmp_path / "other" / "meshsim")
    ours = json.loads(process("meshsim doctor --no-warm -o json").stdout)
    other = json.loads(process("meshsim doctor --no-warm -o json", PYTHONPATH=str(tmp_path / "other")).stdout)
    assert ours["cache_folder"] != other["cache_folder"]
    assert other["compiled"] is False


def test_code_that_is_old_is_forgotten(tmp_path, monkeypatch) -> None:
    monkeypatch.delenv("NUMBA_CACHE_DIR", raising=False)
    monkeypatch.setattr(jit, "cache_folder", lambda: tmp_path / "compiled-now")
    for name, days in (("compiled-now", 99), ("compiled-last-week", 7), ("compiled-last-year", 365), ("other", 365)):
        (tmp_path / name).mkdir()
        os.utime(tmp_path / name, (time.time() - days * 86400,) * 2)
    jit.forget_old()
    assert {path.name for path in tmp_path.iterdir()} == {"compiled-now", "compiled-last-week", "other"}
