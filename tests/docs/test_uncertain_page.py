"""docs/uncertain.md tells what JSON has of uncertain inputs."""

from __future__ import annotations

import re
from pathlib import Path

import meshsim as ms
from meshsim.model.diagnostics import Report
from meshsim.model.read.tree import to_python
from meshsim.model.read.yaml_text import parse

PAGE = (Path(__file__).parents[2] / "docs" / "uncertain.md").read_text(encoding="utf-8")


def test_its_words_are_the_keys_of_the_json() -> None:
    (text,) = re.findall(r"```yaml\n(.*?)```", PAGE, re.DOTALL)
    node = parse(text, "page", Report())
    assert node is not None
    shown = ms.plan(to_python(node), ["none"], growth=False, engine="analytic", quiet=True).to_dict()
    one = shown["architectures"]["none"]
    for key in (*one["scenarios"][0], *one["scenarios"][0]["own"], *one["safe"]):
        assert f"`{key}`" in PAGE or key == "currency"
