"""docs/autoscaling.md: its table of fields is that of the language."""

from __future__ import annotations

import re
from pathlib import Path

from meshsim.model.autoscale import Autoscale
from meshsim.model.read import keys
from meshsim.results.autoscaling import Autoscaled, ReplicaLines

PAGE = (Path(__file__).parents[2] / "docs" / "autoscaling.md").read_text(encoding="utf-8")


def test_every_field_has_a_row() -> None:
    rows = re.findall(r"^\| (`.*?) \| (.*?) \|", PAGE.split("## What it is made of")[1], re.MULTILINE)
    named = {name for cell, _ in rows for name in re.findall(r"`(?:nodes: \{)?(\w+)\}?`", cell)}
    assert named == {*keys.AUTOSCALE, *keys.AUTOSCALE_NODES} - {"max", "target", "nodes"}
    told = {name: default for cell, default in rows for name in re.findall(r"`(?:nodes: \{)?(\w+)\}?`", cell)}
    rule = Autoscale(min=1, max=1, target=1.0)
    for name, text in (("interval", "15s"), ("warm_up", "5m"), ("drain", "30s"), ("metrics_delay", "15s")):
        assert told[name] == text
        assert getattr(rule, f"{name}_s") == (300.0 if text == "5m" else float(text[:-1]))


def test_every_result_is_told() -> None:
    told = set(re.findall(r"`(\w+)`", PAGE))
    assert {*Autoscaled.__dataclass_fields__, "saved", *ReplicaLines.__dataclass_fields__} <= told
