"""Plans on fresh seeds: other seeds than those that chose it, what passes and what does not, and the exit code."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
import yaml
from test_plans_of_queues import queue
from typer.testing import CliRunner

import meshsim as ms
from meshsim.cli import app
from meshsim.planning import study
from meshsim.planning.probing import Kept, Probe
from meshsim.planning.result import Verified
from meshsim.results.intervals import Estimate
from meshsim.results.traffic import Judgement

CASE = queue(1.5, 0.060)


def p90(judgement: Judgement) -> Kept:
    """Of which 100 ms are wanted."""
    value = {"met": 0.05, "undecided": 0.099, "missed": 0.2}[judgement]
    return Kept("t", "p90", 0.1, judgement, Estimate(value, value * 0.9, value * 1.1, 9_000, ""))


def utilization(low: float | None, value: float) -> Kept:
    """Of which 80 % are allowed; its point decides."""
    high = None if low is None else 2 * value - low
    return Kept("queue", "utilization", 0.8, "met" if value <= 0.8 else "missed", Estimate(value, low, high, 40, ""))


def verified(*kept: Kept, unstable: str = "", full: tuple[Kept, ...] = (), full_unstable: str = "") -> Verified:
    """Two replicas that are left, and the three that are bought, which keep everything if nothing else is said."""
    left = Probe({"queue": 2}, kept, unstable, {}, 9_000, 16)
    return Verified(8_000, left, Probe({"queue": 3}, full or (p90("met"),), full_unstable, {}, 9_000, 16))


@pytest.mark.parametrize(
    ("found", "passed", "judgement"),
    [
        (verified(p90("met")), True, "met"),
        (verified(p90("undecided")), True, "undecided"),
        (verified(p90("missed")), False, "missed"),
        (verified(p90("met"), p90("missed")), False, "missed"),
        (verified(p90("met"), unstable="requests pile up by 3 per second"), False, "missed"),
        (verified(p90("met"), utilization(0.78, 0.82)), True, "undecided"),  # 80 % lie in the interval
        (verified(p90("met"), utilization(0.81, 0.82)), False, "missed"),
        (verified(p90("met"), utilization(None, 0.82)), False, "missed"),  # no interval: the point is all there is
        (verified(p90("met"), utilization(0.70, 0.75)), True, "met"),
        (verified(p90("met"), full=(p90("missed"),)), False, "missed"),
        (verified(p90("met"), full=(p90("undecided"),)), True, "undecided"),
        (verified(p90("met"), full_unstable="requests pile up by 3 per second"), False, "missed"),
    ],
)
def test_what_passes_on_fresh_seeds(found: Verified, passed: bool, judgement: str) -> None:
    assert (found.passed, found.judgement) == (passed, judgement)
    if judgement != "met":
        assert found.worse is (found.full if found.probe.holds else found.probe)


def test_fresh_seeds_are_others() -> None:
    found = ms.plan(CASE, ["none"], lose=1, growth=False, verify=True, quiet=True)
    again, chosen = found.verified["none"], found["none"].probe
    assert again.passed and again.probe.counts == chosen.counts
    assert again.full.counts == found["none"].bought != chosen.counts
    told = found.to_dict()["architectures"]["none"]["verify"]
    assert (told["counts"], told["with_all"]["counts"]) == (again.probe.counts, again.full.counts)
    assert again.seed != found.seed
    assert again.probe.replications >= 16
    assert again.probe.requests != chosen.requests
    values = [{one.quantity: one.estimate.value for one in probe.kept} for probe in (chosen, again.probe)]
    assert values[0].keys() == values[1].keys()
    assert all(values[0][quantity] != values[1][quantity] for quantity in values[0])


def test_fresh_seeds_are_others_in_as_many_replications() -> None:
    """With 16 replications from the beginning only the seed can make a difference."""
    found = ms.plan(CASE, ["none"], lose=0, growth=False, verify=True, replications=16, quiet=True)
    again, chosen = found.verified["none"], found["none"].probe
    assert again.probe.replications == chosen.replications == 16
    assert again.probe.requests != chosen.requests
    assert again.probe.kept[0].estimate.value != chosen.kept[0].estimate.value


@pytest.mark.parametrize(("judgement", "code"), [("met", 0), ("undecided", 0), ("missed", 1)])
def test_a_plan_that_is_not_verified_fails_the_command(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, judgement: Judgement, code: int
) -> None:
    def told(spec: Any, architecture: str, one: Probe, *_: Any) -> Verified:
        return Verified(8_000, replace(one, kept=(p90(judgement),)), one)

    monkeypatch.setattr(study, "verified_on_fresh_seeds", told)
    (tmp_path / "queue.yaml").write_text(yaml.safe_dump(CASE), encoding="utf-8")
    words = ["plan", str(tmp_path / "queue.yaml"), "--arch", "none", "--verify", "--no-growth", "--lose", "0"]
    found = CliRunner().invoke(app, words, env={"NO_COLOR": "1"})
    assert found.exit_code == code, found.output
    assert ("on fresh seeds the plan of none misses an objective" in found.stderr) == (code == 1)
