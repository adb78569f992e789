"""`bench` and `doctor`: what they print, never how long it took."""

from __future__ import annotations

import json
from pathlib import Path

import numba
import numpy as np


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
