"""Every --help: one sentence and examples, and every example runs."""

from __future__ import annotations

import re
import shlex
import shutil
import subprocess
import sys
from pathlib import Path

import pytest
from typer.testing import CliRunner

from meshsim.cli import app
from meshsim.errors import ExitCode

COMMANDS = (
    "run",
    "compare",
    "sweep",
    "results",
    "blast",
    "metastability",
    "tenants",
    "cost",
    "plan",
    "forecast",
    "report",
    "cache",
    "chart",
    "trace",
    "lower",
    "estimate",
    "validate",
    "explain",
    "topologies",
    "bench",
    "lab",
    "doctor",
)


def help_of(*words: str) -> list[str]:
    answer = CliRunner(env={"COLUMNS": "300", "NO_COLOR": "1"}).invoke(app, [*words, "--help"], prog_name="meshsim")
    assert answer.exit_code == 0
    return [line.strip() for line in answer.stdout.splitlines()]


def examples(*words: str) -> list[str]:
    lines = help_of(*words)
    return [line for line in lines[lines.index("Examples") :] if line.startswith("meshsim ")]


ALL = [
    (command, line)
    for command in ("", *COMMANDS)
    for line in examples(*filter(None, [command]))
    if "lab conform --" not in line  # minutes of real traffic
]


def test_only_commands_that_work_are_listed() -> None:
    listed = {match[1] for line in help_of() if (match := re.match(r"│ (\w+)  ", line))}
    assert listed == set(COMMANDS)


@pytest.mark.parametrize("command", ("", *COMMANDS))
def test_help_is_a_sentence_and_two_to_four_examples(command: str) -> None:
    lines = [line for line in help_of(*filter(None, [command])) if line]
    sentence = " ".join(lines[1 : lines.index("Examples")])
    assert lines[0].startswith("Usage: meshsim")
    assert sentence.endswith(".")
    assert 2 <= len(examples(*filter(None, [command]))) <= 4


def test_exit_codes_are_documented() -> None:
    lines = help_of()
    documented = {int(line.split()[0]) for line in lines[lines.index("Exit codes") :] if re.match(r"\d", line)}
    assert documented == set(ExitCode)


@pytest.fixture(scope="module")
def stored(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder with the store of a sweep, for the examples that read one."""
    folder = tmp_path_factory.mktemp("stored")
    words = "sweep bookinfo --axis run.load=1,2 --arch none,sidecar --duration 1s --quiet"
    subprocess.run([sys.executable, "-m", "meshsim", *words.split()], cwd=folder, check=True, capture_output=True)
    return folder


@pytest.mark.parametrize(("of", "line"), ALL, ids=[line for _, line in ALL])
def test_example(of: str, line: str, command, tmp_path: Path, request: pytest.FixtureRequest) -> None:
    verb = shlex.split(line)[1]
    assert of in ("", verb) or "|" in line
    short = " --duration 2s" if verb in ("run", "compare", "trace", "chart") and "|" not in line else ""
    if verb == "results":
        shutil.copytree(request.getfixturevalue("stored"), tmp_path, dirs_exist_ok=True)
    if verb == "lab":  # a step of .ci/run, when nothing else runs
        assert f"\n{line}\n" in (Path(__file__).parents[2] / ".ci" / "run").read_text(encoding="utf-8")
        return
    code, out, said = command(line + short)
    assert code == 0, said
    assert out or re.search("^wrote |rows written to", said, re.MULTILINE)
    assert not re.search(r"error[:\[]|Traceback", said)
