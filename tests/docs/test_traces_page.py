"""The commands and the Python of docs/traces.md run as they stand."""

from __future__ import annotations

import re
import shlex
from pathlib import Path

import matplotlib
import pytest
from typer.testing import CliRunner

import meshsim.cli
from meshsim.results.paths import TIMES

TEXT = (Path(__file__).parents[2] / "docs" / "traces.md").read_text(encoding="utf-8")
COMMANDS = [line.partition("#")[0].strip() for line in re.findall(r"^meshsim .*", TEXT, re.MULTILINE)]


@pytest.mark.parametrize("line", COMMANDS)
def test_commands(line: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    answer = CliRunner().invoke(meshsim.cli.app, [*shlex.split(line)[1:], "--duration", "2s"])
    assert answer.exit_code == 0, answer.stderr
    assert answer.stdout
    assert (tmp_path / "slowest.png").exists() == ("--chart" in line)


def test_python(capsys: pytest.CaptureFixture[str]) -> None:
    matplotlib.use("agg")
    (code,) = re.findall(r"```python\n(.*?)```", TEXT, re.DOTALL)
    names: dict[str, object] = {}
    exec(code, names)
    assert "3 shown" in capsys.readouterr().out
    assert names["document"]


def test_the_parts_are_those_of_the_program() -> None:
    assert tuple(re.findall(r"^\| `([^`]+)` \|", TEXT, re.MULTILINE)) == TIMES
