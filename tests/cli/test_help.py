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
    "cost",
    "cache",
    "chart",
    "trace",
    "lower",
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
    if "lab conform --" not in line  # what the lab's first example is replaced by would be run once more for each
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


def run_example(line: str, process, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> tuple[int, str, str]:
    """Exit code and both outputs; in this process, which is sooner ready, unless the line is more than a command."""
    if re.search("[|>&]", line):
        answer = process(line)
        return answer.returncode, answer.stdout, answer.stderr
    monkeypatch.chdir(tmp_path)
    found = CliRunner(env={"COLUMNS": "200"}).invoke(app, shlex.split(line)[1:], prog_name="meshsim")
    return found.exit_code, found.stdout, found.stderr


@pytest.mark.parametrize(("command", "line"), ALL, ids=[line for _, line in ALL])
def test_example(
    command: str,
    line: str,
    process,
    tmp_path: Path,
    request: pytest.FixtureRequest,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    verb = shlex.split(line)[1]
    assert command in ("", verb) or "|" in line
    short = " --duration 2s" if verb in ("run", "compare", "trace", "chart") and "|" not in line else ""
    if verb == "results":
        shutil.copytree(request.getfixturevalue("stored"), tmp_path, dirs_exist_ok=True)
    if verb == "lab":
        line, short = "meshsim lab conform --only split", ""  # all rows: a step of .ci/run, when nothing else runs
    code, out, said = run_example(line + short, process, tmp_path, monkeypatch)
    assert code == 0, said
    assert out or re.search("^wrote |rows written to", said, re.MULTILINE)
    assert not re.search(r"error[:\[]|Traceback", said)
