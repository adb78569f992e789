"""docs/forecast.md: its options, keys and kinds are there."""

from __future__ import annotations

import re
from pathlib import Path
from typing import Any

from growing_shop import growing_shop
from typer.testing import CliRunner

import meshsim as ms
from meshsim.cli import app
from meshsim.cli.forecast import Kind
from meshsim.forecasting.failing import FAULTS, REPLICATIONS, ROLLOUT
from meshsim.model.copies import MOST

TEXT = (Path(__file__).parents[2] / "docs" / "forecast.md").read_text(encoding="utf-8")


def test_keys_of_json_are_told() -> None:
    found = ms.forecast(growing_shop(), ["none", "gateway"], months=1, lose=0, engine="analytic", quiet=True).to_dict()
    none = found["architectures"]["none"]
    keys = {*found, *none, *none["scenarios"]["base"], *none["scenarios"]["base"]["months"][0]}
    keys |= {*none["scenarios"]["base"]["months"][0]["plan"]} - {"schema_version", "topology", "feasible"}
    for key in keys - {"schema_version", "topology", "feasible", "currency", "architectures", "month"}:
        assert f"`{key}" in TEXT or f".{key}" in TEXT, key


def test_options_and_kinds_are_there() -> None:
    told = CliRunner(env={"COLUMNS": "200", "NO_COLOR": "1"}).invoke(app, ["forecast", "--help"]).stdout
    for option in set(re.findall(r"--[a-z][a-z-]+", TEXT)) - {"--set"}:
        assert option in told, option
    assert all(f"`{kind}`, " in TEXT for kind in Kind)


def test_keys_and_faults_of_the_other_axis_are_told() -> None:
    across = ("copies", ["1", "4"])
    asked: dict[str, Any] = {"months": 1, "lose": 0, "engine": "analytic", "across": across, "quiet": True}
    told = ms.forecast(growing_shop(), ["gateway", "sidecar-only"], **asked).to_dict()["map"]
    for key in {*told, *told["along"][0], *told["crossovers"][0]} - {"value", "architecture"}:
        assert f"`{key}`" in TEXT, key
    assert f"from {REPLICATIONS} runs on seeds" in TEXT
    assert all(f"`{fault.partition(' ')[0]}" in TEXT for fault in FAULTS) and f"`{ROLLOUT}`" in TEXT
    assert f"1 to {MOST}" in TEXT
