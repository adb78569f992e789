"""docs/charts.md names what there is; `test_pages_run.py` draws it all."""

from __future__ import annotations

import re
import shlex
from pathlib import Path

from meshsim import charts
from meshsim.architectures import NAMED
from meshsim.cli.chart import Kind
from meshsim.cli.plan import Kind as PlanKind

PAGE = (Path(__file__).parents[2] / "docs" / "charts.md").read_text(encoding="utf-8")
COMMANDS = re.findall(r"^meshsim chart .*$", PAGE, re.MULTILINE)


def test_every_kind_has_a_command_and_a_row() -> None:
    assert {shlex.split(line)[2] for line in COMMANDS} == set(Kind)
    assert re.findall(r"^\| `([\w-]+)` \|", PAGE, re.MULTILINE) == list(Kind)
    for name in NAMED:
        assert f"`{name}`" in PAGE


def test_every_kind_of_a_plan_has_a_command_and_a_row() -> None:
    commands = [shlex.split(line)[1:] for line in re.findall(r"^meshsim plan .*--chart.*$", PAGE, re.MULTILINE)]
    kinds = [words[words.index("--kind") + 1] if "--kind" in words else "tornado" for words in commands]
    assert kinds == re.findall(r"^\| `--kind ([\w-]+)` \|", PAGE, re.MULTILINE) == list(PlanKind)


def test_functions_are_those_of_the_package() -> None:
    named = set(re.findall(r"^\| `(\w+)\(", PAGE, re.MULTILINE))
    assert named | {"knee", "knee_range", "read_json", "save"} == set(charts.__all__)
