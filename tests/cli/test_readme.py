"""The README keeps its promises: its output is real, its commands and its topology work."""

from __future__ import annotations

import re
import shlex
from pathlib import Path

import meshsim

ROOT = Path(__file__).parents[2]
README = (ROOT / "README.md").read_text(encoding="utf-8")
BLOCKS = re.findall(r"^```(\w*)\n(.*?)^```", README, re.MULTILINE | re.DOTALL)


def block(language: str, needle: str) -> str:
    return next(text for kind, text in BLOCKS if kind == language and needle in text)


def test_the_answer_is_what_the_main_command_prints(process) -> None:
    answer = process("meshsim compare bookinfo --quiet")
    assert block("", "bookinfo · none") == answer.stdout, "put the new output into README.md"


def test_the_two_commands_are_those_that_ci_runs() -> None:
    install, tests = block("", "pip install .").strip(), block("", "pytest").strip()
    assert install.endswith("pip install . && meshsim compare bookinfo")
    script = (ROOT / ".ci" / "run").read_text(encoding="utf-8")
    assert "\n" + tests.split(" && ")[1] + "\n" in script
    assert "meshsim compare bookinfo" in script


def test_the_topology_and_its_commands(command, tmp_path: Path) -> None:
    (tmp_path / "shop.yaml").write_text(block("yaml", "meshsim: 1"), encoding="utf-8")
    for line in block("", "meshsim validate shop.yaml").splitlines():
        short = " --duration 2s" if shlex.split(line)[1] in ("run", "compare", "trace") else ""
        code, _, said = command(line.partition("#")[0] + short)
        assert code in (0, 1) if "--slo" in line else code == 0, said


def test_the_python_lines(capsys) -> None:
    exec(block("python", "import meshsim as ms").replace("duration_s=30", "duration_s=3"), {})
    assert "none | sidecar" in capsys.readouterr().out


def test_the_exit_codes() -> None:
    rows = re.findall(r"^\| (\d+) \|", README, re.MULTILINE)
    assert [int(row) for row in rows] == [int(code) for code in meshsim.ExitCode]


def test_links_lead_somewhere() -> None:
    for target in re.findall(r"\]\(([^)#]+)\)", README):
        assert (ROOT / target).is_file(), target
