"""docs/report.md keeps its promises: its commands and its lines of Python run, and it names what there is."""

from __future__ import annotations

import re
import shlex
from pathlib import Path

import pytest
from typer.testing import CliRunner

from meshsim.cli import app
from meshsim.reports.asked import PARTS

PAGE = (Path(__file__).parents[2] / "docs" / "report.md").read_text(encoding="utf-8")
COMMANDS = re.findall(r"^meshsim report .*$", PAGE, re.MULTILINE)
SHOP = """\
meshsim: 1
services: {web: {endpoints: {get: [{work: 1ms}]}}}
traffic: [{name: web, entry: web.get, arrivals: {poisson: 100/s}}]
"""


def test_it_names_all_parts() -> None:
    rows = [name for name in re.findall(r"^\| `?(\w+)`? \|", PAGE, re.MULTILINE) if name not in ("part", "always")]
    assert rows == list(PARTS)


@pytest.mark.parametrize("line", COMMANDS)
def test_commands_run(line: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """All but what takes long: no faults, no plans, short runs."""
    monkeypatch.chdir(tmp_path)
    Path("shop.yaml").write_text(SHOP, encoding="utf-8")
    words = [word for word in shlex.split(line)[1:] if word not in ("--duration", "20s", "--without", "blast,plan")]
    if "--part" not in words:
        words += ["--part", "compare"]
    answer = CliRunner().invoke(app, [*words, "--duration", "1s", "--replications", "2", "-q"])
    assert answer.exit_code == 0, answer.output
    assert Path(words[words.index("-o") + 1]).stat().st_size > 10_000


def test_python_runs(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    (block,) = re.findall(r"^```python\n(.*?)^```", PAGE, re.MULTILINE | re.DOTALL)
    exec(block.replace("duration_s=10", "duration_s=1, replications=2, quiet=True"), {})
    assert Path("bookinfo.html").is_file()
