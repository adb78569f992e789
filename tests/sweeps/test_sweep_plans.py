"""What a sweep is going to simulate: points, keys, the time that it takes, and the worst of what came of it."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path
from types import SimpleNamespace

import pytest
from small_sweep import SHOP, numbers_in

import meshsim as ms
from meshsim.sweeps import sweeping, tasks


def test_points_that_are_drawn_twice_are_simulated_once(tmp_path: Path) -> None:
    told: list[str] = []
    done: list[tuple[int, int]] = []
    axes = {"run.load": "1..2", "services.web.replicas": "1..2"}
    found = ms.sweep(
        SHOP, axes, ["none"], sample=8, store=tmp_path, say=told.append, progress=lambda *now: done.append(now)
    )
    frame = found.frame()
    assert len(frame) == len(frame.drop_duplicates(list(axes))) == len(numbers_in(tmp_path)) == 4
    assert done[-1] == (4, 4)
    assert told == ["note: 4 of 8 points were drawn before: 4 are left"]
    assert found.plot_heatmap(*axes) is not None


def test_the_seed_draws_the_hypercube() -> None:
    def points(seed: int | None) -> list[tuple[tuple[str, str], ...]]:
        asked = sweeping.Asked(SHOP, (), "compiled", seed, None, None, False, ())
        design = sweeping.design_of({"run.load": "0.5..1.5"}, sample=3)
        return [task.point for task in sweeping.tasks_of(asked, design, ["none"])]

    assert points(None) == points(1) != points(2)  # 1 is that of the topology


_KEY = """
from meshsim.sweeps import sweeping, tasks
{change}
asked = sweeping.Asked({source!r}, (), "compiled", None, None, None, False, ())
(task,) = sweeping.tasks_of(asked, sweeping.design_of({{"run.load": [1]}}), ["none"])
print(task.key)
"""


@pytest.mark.parametrize(
    "change", ["tasks.sources_digest = lambda: 'newer'", "tasks.versions = lambda: {'numba': 'newer'}"]
)
def test_another_version_makes_another_run(change: str) -> None:
    """In processes of their own, because these are computed once in each."""
    keys = [
        subprocess.run(
            [sys.executable, "-c", _KEY.format(change=one, source=SHOP)], capture_output=True, text=True, check=True
        ).stdout
        for one in ("", "", change)
    ]
    assert keys[0] == keys[1] != keys[2]


@pytest.mark.parametrize(
    ("found", "worst"),
    [
        (("met", "undecided", "missed"), "missed"),
        (("undecided", "met"), "undecided"),
        (("missed", "undecided"), "missed"),
        (("met", "met"), "met"),
        ((), ""),
    ],
)
def test_the_worst_judgement_is_told(found: tuple[str, ...], worst: str) -> None:
    tenants = {
        str(number): SimpleNamespace(objectives=[SimpleNamespace(judgement=judgement)])
        for number, judgement in enumerate(found)
    }
    assert tasks._judgement(SimpleNamespace(by_tenant=tenants)) == worst  # type: ignore[arg-type]


def test_workers_share_the_time(monkeypatch: pytest.MonkeyPatch) -> None:
    """A tenth of a second a run, and a millisecond a request."""
    asked = sweeping.Asked(SHOP, (), "compiled", None, None, None, False, ())
    two = sweeping.tasks_of(asked, sweeping.design_of({"run.load": [1, 2]}), ["none"])
    monkeypatch.setattr(sweeping, "_pace", lambda _: (0.1, 0.001))
    seconds = 2 * 0.1 + (400 + 800) * 0.001  # two replications of 200 and 400 requests
    assert sweeping.estimate(two, None, jobs=1).seconds == pytest.approx(seconds)
    assert sweeping.estimate(two, None, jobs=4).seconds == pytest.approx(seconds / 4)
