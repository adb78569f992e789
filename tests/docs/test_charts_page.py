"""docs/charts.md keeps its promises: its commands and its lines of Python run, and it names what there is."""

from __future__ import annotations

import re
import shlex
from pathlib import Path

import matplotlib as mpl
import pytest
from typer.testing import CliRunner

from meshsim import charts
from meshsim.architectures import NAMED
from meshsim.cli import app
from meshsim.cli.chart import _OF_SWEEPS, Kind
from meshsim.cli.plan import Kind as PlanKind

PAGE = (Path(__file__).parents[2] / "docs" / "charts.md").read_text(encoding="utf-8")
COMMANDS = re.findall(r"^meshsim chart .*$", PAGE, re.MULTILINE)
HEAD = "architecture,run.load,services.ratings.replicas,verdict,p99_s,p99_s_low,p99_s_high"
TABLE = f"{HEAD},goodput_per_s,goodput_per_s_low,goodput_per_s_high\nnone,1,1,ok,0.1,0.09,0.12,9,8,10\n"

CURVE = """capacity,architecture,cache,verdict,hit_ratio,hit_ratio_low,hit_ratio_high,mean_s,mean_s_low,mean_s_high,\
step_from,point_cost,entries_per_point,entries_per_point_low,entries_per_point_high,cores_per_point
100,gateway,gateway.gateway,ok,0.2,0.19,0.21,0.01,0.009,0.011,,,,,,
300,gateway,gateway.gateway,ok,0.4,0.39,0.41,0.009,0.008,0.011,100,bounded,10,9,12,0.02
"""
INCIDENT = """\
meshsim: 1
services: {web: {endpoints: {get: [{work: 1ms}]}}}
traffic: [{name: web, entry: web.get, arrivals: {poisson: 100/s}}]
run: {warmup: 100ms}
events: [{name: down, at: 500ms, for: 200ms, fault: {dependency_down: {service: web}}}]
"""


def test_every_kind_has_a_command_and_a_row() -> None:
    assert {shlex.split(line)[2] for line in COMMANDS} == set(Kind)
    assert re.findall(r"^\| `([\w-]+)` \|", PAGE, re.MULTILINE) == list(Kind)
    for name in NAMED:
        assert f"`{name}`" in PAGE


def test_commands_and_python_run(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    import pandas as pd

    monkeypatch.chdir(tmp_path)
    Path("sweep.csv").write_text(TABLE, encoding="utf-8")
    table = pd.read_csv("sweep.csv")
    table.to_parquet("grid.parquet")
    Path("incident.yaml").write_text(INCIDENT, encoding="utf-8")
    Path("curve.csv").write_text(CURVE, encoding="utf-8")
    curve = pd.read_csv("curve.csv")
    pd.concat([curve.assign(replicas=n) for n in (1, 2)])[["replicas", *curve.columns]].to_csv("grid.csv", index=False)
    pd.concat([table, table.assign(**{"run.load": 2})]).to_parquet("drawn.parquet")
    short = ["--duration", "1s", "--replications", "2"]
    written = CliRunner().invoke(app, ["compare", "bookinfo", "-q", "-o", "json", *short])
    Path("bookinfo.json").write_text(written.stdout, encoding="utf-8")
    for line in COMMANDS:
        words = shlex.split(line)[1:]
        simulated = words[1] not in _OF_SWEEPS and not words[2].endswith(".json")
        words = [word for word in words if word not in ("--duration", "20s")] + (short if simulated else [])
        assert CliRunner().invoke(app, words).exit_code == 0, line
    mpl.use("agg")
    (block,) = re.findall(r"^```python\n(.*?)^```", PAGE, re.MULTILINE | re.DOTALL)
    exec(block.replace("duration_s=10", "duration_s=1, replications=2"), {})
    assert Path("topology.svg").is_file()


def test_every_kind_of_a_plan_has_a_command_and_a_row(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    commands = [shlex.split(line)[1:] for line in re.findall(r"^meshsim plan .*--chart.*$", PAGE, re.MULTILINE)]
    kinds = [words[words.index("--kind") + 1] if "--kind" in words else "tornado" for words in commands]
    assert kinds == re.findall(r"^\| `--kind ([\w-]+)` \|", PAGE, re.MULTILINE) == list(PlanKind)
    for words in commands:
        answer = CliRunner().invoke(app, [*words, "-q", "--engine", "analytic", "--jobs", "1"])
        assert answer.exit_code == 0, (words, answer.output)
        assert Path(words[words.index("--chart") + 1]).stat().st_size > 5_000


def test_functions_are_those_of_the_package() -> None:
    named = set(re.findall(r"^\| `(\w+)\(", PAGE, re.MULTILINE))
    assert named | {"knee", "knee_range", "read_json", "save"} == set(charts.__all__)
