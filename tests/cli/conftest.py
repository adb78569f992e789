"""Ways to run the command line: in this process (fast), and as a process of its own (exact)."""

from __future__ import annotations

import os
import re
import shlex
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import pytest
from small_shop import SHOP
from typer.testing import CliRunner, Result

import meshsim
from meshsim.cli import app

_CHECKOUT = str(Path(meshsim.__file__).parent.parent)


@pytest.fixture
def shop(tmp_path: Path) -> str:
    """Path of a small valid topology."""
    path = tmp_path / "shop.yaml"
    path.write_text(SHOP, encoding="utf-8")
    return str(path)


@pytest.fixture
def shell(monkeypatch: pytest.MonkeyPatch) -> Callable[..., Result]:
    """Run a command in this process."""
    monkeypatch.setenv("NO_COLOR", "1")
    return lambda *words, stdin=None: CliRunner().invoke(app, [str(word) for word in words], input=stdin)


@pytest.fixture
def process(tmp_path: Path) -> Callable[..., subprocess.CompletedProcess[str]]:
    """Run a command line in a shell of its own, `meshsim` being this interpreter's."""

    def run(line: str, **environment: str) -> subprocess.CompletedProcess[str]:
        script = f'meshsim() {{ "{sys.executable}" -m meshsim "$@"; }}\n{line}'
        clean = {key: value for key, value in os.environ.items() if key not in ("NO_COLOR", "FORCE_COLOR", "COLUMNS")}
        return subprocess.run(
            ["bash", "-c", script],
            cwd=tmp_path,
            env={**clean, "COLUMNS": "200", "PYTHONPATH": _CHECKOUT, **environment},
            stdin=subprocess.DEVNULL,
            capture_output=True,
            text=True,
            encoding="utf-8",
            check=False,
        )

    return run


@pytest.fixture
def command(process, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Callable[[str], tuple[int, str, str]]:
    """Run a command line in the test's folder, give its exit code and both outputs.

    A plain `meshsim …` runs in this process, which is ready sooner; whatever the shell has a part in runs as `process`.
    """

    def run(line: str) -> tuple[int, str, str]:
        if re.search("[|<>&;$`]", re.sub("'[^']*'", "", line)):
            answer = process(line)
            return answer.returncode, answer.stdout, answer.stderr
        program, *words = shlex.split(line, comments=True)
        assert program == "meshsim"
        with monkeypatch.context() as patch:
            patch.chdir(tmp_path)
            found = CliRunner(env={"COLUMNS": "200"}).invoke(app, words, prog_name="meshsim")
        return found.exit_code, found.stdout, found.stderr

    return run
