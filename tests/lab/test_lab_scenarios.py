"""Scenarios on both sides: topologies are valid and say the numbers of the real side; theory holds on each side."""

from __future__ import annotations

import asyncio
import re
from pathlib import Path

import pytest
import yaml

import meshsim as ms
from meshsim.lab.binary import Envoys
from meshsim.lab.figures import figure
from meshsim.lab.real import observe
from meshsim.lab.scenario import Scenario
from meshsim.lab.scenarios import SCENARIOS
from meshsim.lab.simulated import simulate

BY_NAME = {scenario.name: scenario for scenario in SCENARIOS}
each = pytest.mark.parametrize("scenario", SCENARIOS, ids=list(BY_NAME))


@each
def test_topologies_are_valid(scenario: Scenario, tmp_path: Path) -> None:
    for text in scenario.topologies.values():
        path = tmp_path / f"{scenario.name}.yaml"
        path.write_text(text.replace("{run}", "1"), encoding="utf-8")
        assert ms.load(path).name == scenario.name


@each
def test_both_sides_have_the_same_load(scenario: Scenario) -> None:
    """Rates, distances and times of the streams; a topology for each label, or all of the streams in one."""
    for label, text in scenario.topologies.items():
        spec = yaml.safe_load(text.replace("{run}", "1"))
        entries = {label or entry["name"]: entry["arrivals"] for entry in spec["traffic"]}
        streams = [stream for stream in scenario.setup.streams if label in ("", stream.name)]
        assert {stream.name for stream in streams} == set(entries)
        for stream in streams:
            kind, value = next(iter(entries[stream.name].items()))
            rate = value["rate"] if kind == "batch" else value
            assert kind == ("batch" if stream.batch > 1 else stream.spacing)
            if scenario.name != "zone-spill":  # its one real proxy is one of two simulated ones
                assert float(re.fullmatch(r"([\d.]+)/s", rate)[1]) == stream.rate_per_s
            assert float(spec["run"]["duration"].removesuffix("s")) == stream.duration_s


#: Of the others `meshsim lab conform`, a step of .ci/run, says that they are as simulated; tests below, that this is
#: right.
THEORETICAL = ("retry-half", "split")


@pytest.mark.parametrize("name", THEORETICAL)
def test_a_real_envoy_does_what_theory_says(name: str) -> None:
    scenario = BY_NAME[name]
    with Envoys() as envoys:
        runs = asyncio.run(observe(envoys, scenario))
    for quantity in scenario.quantities:
        found = figure([quantity.read(run) for run in runs], share=quantity.share)
        # twice the half-width: in tests chance must strike once in a million
        assert abs(found.value - quantity.theory) <= 2 * found.half + quantity.tolerance, quantity.name


@each
def test_the_simulation_does_what_theory_says(scenario: Scenario) -> None:
    runs = simulate(scenario, replications=6)
    for quantity in scenario.quantities:
        found = figure([quantity.read(run) for run in runs], share=quantity.share)
        assert found.values > 0
        if quantity.theory is not None:
            assert abs(found.value - quantity.theory) <= 2 * found.half + quantity.tolerance, quantity.name
